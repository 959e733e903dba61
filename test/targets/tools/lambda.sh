#!/usr/bin/env bash
# Puts what test/targets/lambda*.test.ts run with into .cache/lambda: AWS' emulator of Lambda (out of the wheel of its SAM
# CLI), AWS' runtime client for Node (built here: it has a native part), cfn-lint. Does nothing where it is all there. Needs
# python3, npm, a C++ compiler and, for the client, root on a Debian or autoconf, automake, libtool and cmake.
set -euo pipefail
cd "$(dirname "$0")/../../.."
HOME_DIR=$PWD/.cache/lambda
mkdir -p "$HOME_DIR"
export npm_config_loglevel=silent PIP_DISABLE_PIP_VERSION_CHECK=1

case "$(uname -m)" in
  x86_64) EMULATOR=aws-lambda-rie-x86_64 ;;
  aarch64 | arm64) EMULATOR=aws-lambda-rie-arm64 ;;
  *) echo "Lambda has no $(uname -m)" && exit 1 ;;
esac

if [ ! -x "$HOME_DIR/$EMULATOR" ]; then
  python3 -m pip download -q --no-deps -d "$HOME_DIR/wheel" aws-sam-cli==1.170.0
  python3 -m zipfile -e "$HOME_DIR"/wheel/aws_sam_cli-*.whl "$HOME_DIR/wheel"
  cp "$HOME_DIR/wheel/samcli/local/rapid/$EMULATOR" "$HOME_DIR/$EMULATOR"
  chmod +x "$HOME_DIR/$EMULATOR"
  rm -r "$HOME_DIR/wheel"
fi

if [ ! -f "$HOME_DIR/ric/node_modules/aws-lambda-ric/rapid-client.node" ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    missing=()
    for package in autoconf automake libtool cmake; do
      dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
    done
    if [ ${#missing[@]} -gt 0 ]; then
      apt-cache policy "${missing[0]}" | grep -q 'Candidate: [0-9]' || apt-get update -q
      DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
    fi
  fi
  mkdir -p "$HOME_DIR/ric"
  [ -f "$HOME_DIR/ric/package.json" ] || echo '{"private":true}' >"$HOME_DIR/ric/package.json"
  npm install --prefix "$HOME_DIR/ric" --no-audit --no-fund aws-lambda-ric@4.0.2
fi

if [ ! -x "$HOME_DIR/venv/bin/cfn-lint" ]; then
  python3 -m venv "$HOME_DIR/venv"
  "$HOME_DIR/venv/bin/pip" install -q 'cfn-lint>=1.40,<2'
fi
