#!/bin/sh
# Installs or updates what lies beside this file, without a network: /opt/nereid, nereid.service, and /etc/nereid/nereid.env where there
# is none. A new version is whole and on the disk before /opt/nereid, a link, is turned to it in one step: whenever the power goes,
# one version is there. The one before stays beside it. DESTDIR installs below that folder and starts nothing.
set -eu
from=$(cd "$(dirname "$0")" && pwd)
root=${DESTDIR:-}
link=$root/opt/nereid

if [ -z "$root" ]; then
  [ "$(id -u)" = 0 ] || { echo 'install.sh needs root' >&2; exit 1; }
  case $(uname -m) in
    aarch64 | arm64) ;;
    *) echo "this package is for arm64, not for $(uname -m)" >&2; exit 1 ;;
  esac
fi

case $(readlink "$link" || true) in
  */a) next=b ;;
  *) next=a ;;
esac
mkdir -p "$link.versions" "$root/etc/nereid" "$root/etc/systemd/system"
rm -rf "$link.versions/$next"
cp -R "$from/nereid" "$link.versions/$next"
sync
rm -f "$link.new"
ln -s "nereid.versions/$next" "$link.new"
mv -T "$link.new" "$link"
[ -e "$root/etc/nereid/nereid.env" ] || cp "$from/nereid.env" "$root/etc/nereid/nereid.env"
cp "$from/nereid.service" "$root/etc/systemd/system/nereid.service.new"
mv "$root/etc/systemd/system/nereid.service.new" "$root/etc/systemd/system/nereid.service"
sync

if [ -z "$root" ]; then
  systemctl daemon-reload
  systemctl enable nereid.service
  systemctl restart nereid.service
fi
echo "installed in $link (version $next)"
