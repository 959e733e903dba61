#!/usr/bin/env bash
# Puts fake-gcs-server, a server of Google Cloud Storage's JSON API, into .cache/bin. Takes Go and, the first time, a few minutes.
set -euo pipefail
cd "$(dirname "$0")/../../.."

VERSION=v1.52.2
BIN=$PWD/.cache/bin
if go version -m "$BIN/fake-gcs-server" 2>/dev/null | grep -q "fake-gcs-server[[:space:]]$VERSION"; then exit 0; fi
if ! command -v go >/dev/null; then
  echo 'fake-gcs-server: go is not installed, tests with a server of Google Cloud Storage are skipped'
  exit 0
fi
mkdir -p "$BIN"
# Outside of the checkout, whose files are none of Go's business.
(cd / && GOBIN=$BIN GOFLAGS=-mod=mod go install "github.com/fsouza/fake-gcs-server@$VERSION")
echo "fake-gcs-server $VERSION"
