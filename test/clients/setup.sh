#!/usr/bin/env bash
# Puts the real clients into DIR (default .cache/clients): DIR/venv/bin/python with tritonclient, and, on x86-64 Linux,
# DIR/bin/perf_analyzer. What is there already is kept.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:-$here/../../.cache/clients}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
wanted=$(cat "$here/requirements.txt" "$here/setup.sh" | sha256sum)
if [ "$(cat "$dir/done" 2>/dev/null)" = "$wanted" ]; then exit 0; fi

echo "clients: installing into $dir"
[ -x "$dir/venv/bin/python" ] || python3 -m venv "$dir/venv"
python=$dir/venv/bin/python
"$python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"

if [ "$(uname -sm)" = 'Linux x86_64' ]; then
  # The last tritonclient wheel that carries perf_analyzer; it links against CUDA's runtime even where there is no GPU.
  rm -rf "$dir/wheels"
  mkdir -p "$dir/wheels" "$dir/bin"
  "$python" -m pip download --quiet --disable-pip-version-check --no-deps --dest "$dir/wheels" \
    tritonclient==2.41.0 nvidia-cuda-runtime-cu12==12.9.79
  for wheel in "$dir"/wheels/*.whl; do "$python" -m zipfile -e "$wheel" "$dir/wheels/x"; done
  rm -f "$dir"/wheels/*.whl
  analyzer=$dir/wheels/x/tritonclient-2.41.0.data/data/bin/perf_analyzer
  chmod +x "$analyzer"
  libraries=$dir/wheels/x/nvidia/cuda_runtime/lib
  if ! ldconfig -p | grep -q 'libb64\.so\.0d'; then
    # Debian and Ubuntu have it as a package; unpacked here it needs no root.
    (cd "$dir/wheels" && apt-get download -qq libb64-0d && dpkg-deb -x libb64-0d_*.deb b64)
    libraries=$libraries:$(dirname "$(find "$dir/wheels/b64" -name 'libb64.so.0d' | head -n 1)")
  fi
  printf '#!/usr/bin/env bash\nexport LD_LIBRARY_PATH=%s:${LD_LIBRARY_PATH:-}\nexec %s "$@"\n' \
    "$libraries" "$analyzer" > "$dir/bin/perf_analyzer"
  chmod +x "$dir/bin/perf_analyzer"
  "$dir/bin/perf_analyzer" --version
fi
echo "$wanted" > "$dir/done"
