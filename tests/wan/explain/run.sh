#!/bin/sh
# Eight bottlenecks staged on an emulated WAN, and what `paceline explain` says of each. run.sh --help tells the rest.
# It wants root and packaging/install-dependencies.sh build run demo test.
here=$(cd "$(dirname "$0")" && pwd)
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$here/..${PYTHONPATH:+:$PYTHONPATH}" exec /usr/bin/python3 -m explain "$@"
