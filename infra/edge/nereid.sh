#!/bin/sh
# The server with the Node that came with it.
here=$(dirname "$(readlink -f "$0")")
exec "$here/node" "$here/../dist/main.js" "$@"
