#!/bin/sh
# 30 pulls in three arms over an emulated WAN: `paceline report`, and the same figures from a real Prometheus. run.sh --help tells
# the rest. It wants root and packaging/install-dependencies.sh build run demo test.
here=$(cd "$(dirname "$0")" && pwd)
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$here/..${PYTHONPATH:+:$PYTHONPATH}" exec /usr/bin/python3 -m arms "$@"
