#!/usr/bin/env bash
# Makes the Python environments that tests use, at .cache/python/NAME. Usage: test/python/setup.sh [core|ml|openvino]...
#   core      numpy
#   ml        scikit-learn, XGBoost, LightGBM, Treelite, OpenVINO, TensorFlow, PyTorch, transformers, ONNX: 3 GB, a minute
#   openvino  numpy and OpenVINO
# An environment that is as its files say is left as it is.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)/.cache/python
python=${PYTHON:-python3}

install() {
  local environment=$1
  shift
  "$environment/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile --no-cache-dir --no-deps "$@"
}

# The environment `$1` from `$1`'s requirements and those of the others named.
make() {
  local name=$1 environment=$root/$1 wanted
  local files=()
  for part in "$@"; do files+=("$here/requirements-$part.txt"); done
  wanted=$(cat "${files[@]}" "$here/setup.sh" "$here/cuda_stand_ins.py" | sha256sum | cut -d ' ' -f 1)
  mkdir -p "$root"
  exec 9>"$root/.$name.lock"
  flock 9
  if [ "$(cat "$environment/.made" 2>/dev/null)" = "$wanted" ]; then
    echo "python environment $name: as it should be ($environment)"
    return
  fi
  rm -rf "$environment"
  "$python" -m venv "$environment"
  install "$environment" "${files[@]/#/-r}"
  if [[ " $* " == *" torch "* ]]; then
    local torch
    torch=$("$environment/bin/python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')/torch/lib
    "$environment/bin/python" "$here/cuda_stand_ins.py" "$torch"
    "$environment/bin/python" -W ignore -c 'import torch; torch.ones(2).sum()'
  fi
  echo "$wanted" >"$environment/.made"
  echo "python environment $name: made ($environment, $(du -sh "$environment" | cut -f 1))"
}

for name in "${@:-core}"; do
  case $name in
    core) make core ;;
    ml) make ml torch ;;
    openvino) make openvino ;;
    *)
      echo "usage: $0 [core|ml|openvino]..." >&2
      exit 2
      ;;
  esac
done
