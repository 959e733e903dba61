#!/usr/bin/env bash
# Puts what runs arm64 programs on another machine into DIR (default .cache/edge): qemu with a root of arm64 libraries, and the
# arm64 parts of the bundle. Where that cannot be done the reason is in DIR/missing, and what needs it is skipped with it. What is
# there already is kept.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=${1:-$here/../../../.cache/edge}
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
if [ "$(cat "$dir/done" 2>/dev/null)" = "$(sha256sum < "$0")" ]; then exit 0; fi
rm -f "$dir/done" "$dir/missing"

give_up() {
  echo "$1" | tee "$dir/missing"
  exit 0
}

packages='qemu-user-static libc6-arm64-cross libstdc++6-arm64-cross'
libraries=/usr/aarch64-linux-gnu/lib
if [ ! -e "$libraries/libstdc++.so.6" ] || ! command -v qemu-aarch64-static >/dev/null; then
  [ "$(id -u)" = 0 ] || give_up "no qemu-aarch64-static: install $packages"
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends $packages; } >"$dir/apt.log" 2>&1 ||
    give_up "$packages cannot be installed"
fi

# qemu looks for absolute paths here first. ONNX Runtime reads /proc/cpuinfo to know the processor, and the host's is of another kind.
root=$dir/root
mkdir -p "$root/proc"
cp -rT "$libraries" "$root/lib"
for core in 0 1; do
  printf 'processor\t: %d\nBogoMIPS\t: 100.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\n' "$core"
  printf 'CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd03\nCPU revision\t: 4\n\n'
done > "$root/proc/cpuinfo"
sha256sum < "$0" > "$dir/done"
