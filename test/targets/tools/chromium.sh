#!/usr/bin/env bash
# Puts Chromium on this machine: Debian's package, where this is root on Debian.
set -euo pipefail

if command -v chromium >/dev/null; then
  chromium --version 2>/dev/null
  exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  export DEBIAN_FRONTEND=noninteractive
  install() { apt-get install -y -qq --no-install-recommends chromium >/dev/null; }
  # A new machine knows packages that the mirror has no more.
  install 2>/dev/null || { apt-get update -qq >/dev/null && install; } || true
fi
command -v chromium >/dev/null || echo 'chromium (Debian package chromium) is not installed: tests of the browser target are skipped'
