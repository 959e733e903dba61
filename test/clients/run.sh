#!/usr/bin/env bash
# Runs the real clients (tritonclient, perf_analyzer, Go, curl, h2load, h2spec, grpcurl) against the built server and ends with `N passed, N failed`.
# Builds what it needs in .cache/clients. Arguments go to main.py: --url HOST:PORT tests a running server.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
export CLIENTS_DIR=${CLIENTS_DIR:-$PWD/.cache/clients}
"$here/setup.sh" "$CLIENTS_DIR"
"$here/setup-go.sh" "$CLIENTS_DIR"
exec "$CLIENTS_DIR/venv/bin/python" -B "$here/main.py" "$@"
