#!/bin/sh
# The pull-time model against pulls over emulated paths, and images that were slimmed as `paceline analyze` advises.
# run.sh --help tells the rest. It wants root and packaging/install-dependencies.sh build run demo test.
here=$(cd "$(dirname "$0")" && pwd)
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$here/..${PYTHONPATH:+:$PYTHONPATH}" exec /usr/bin/python3 -m model "$@"
