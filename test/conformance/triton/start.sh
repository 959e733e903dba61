#!/usr/bin/env bash
# Starts the real Triton with the recorded flags on a copy of the recorded repository: start.sh PORT [DIR]
# TRITONSERVER names its wrapper script (default .peers/bin/tritonserver); DIR (default .cache/triton) is overwritten.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
port=$1
dir=${2:-$root/.cache/triton}
server=${TRITONSERVER:-$root/.peers/bin/tritonserver}
mkdir -p "$dir"
rm -rf "$dir/repository" "$dir/backends"
cp -r "$root/test/fixtures/recorded/repository" "$dir/repository"
# The wrapper names the folder of the backends that came with the server; ours goes beside them.
backends=$(sed -n 's/.*--backend-directory=\([^ ]*\).*/\1/p' "$server")
mkdir -p "$dir/backends"
ln -s "$backends"/* "$dir/backends/"
cp -r "$here/onnxruntime" "$dir/backends/"
export RECORD_REPOSITORY=$dir/repository
exec "$server" --backend-directory="$dir/backends" --model-repository="$dir/repository" \
  --http-address=127.0.0.1 --http-port="$port" --allow-grpc=false --allow-metrics=false \
  --model-control-mode=explicit '--load-model=*' --cache-config=local,size=1048576 --exit-on-error=false
