#!/usr/bin/env bash
# Puts versitygw, a real S3 server, into .cache/bin. Takes Go and, the first time, a few minutes.
set -euo pipefail
cd "$(dirname "$0")/../../.."

VERSION=v1.8.0
BIN=$PWD/.cache/bin
# The program itself does not know its version.
if go version -m "$BIN/versitygw" 2>/dev/null | grep -q "versitygw[[:space:]]$VERSION"; then exit 0; fi
if ! command -v go >/dev/null; then
  echo 'versitygw: go is not installed, tests with a real S3 server are skipped'
  exit 0
fi
mkdir -p "$BIN"
# Outside of the checkout, whose files are none of Go's business.
(cd / && GOBIN=$BIN GOFLAGS=-mod=mod go install "github.com/versity/versitygw/cmd/versitygw@$VERSION")
echo "versitygw $VERSION"
