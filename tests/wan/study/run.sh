#!/bin/sh
# The study of pulls on an emulated WAN: run.sh run measures, run.sh report writes the page. run.sh --help tells the rest.
# It wants root and packaging/install-dependencies.sh build run demo test study; without the last group it leaves out what is missing.
here=$(cd "$(dirname "$0")" && pwd)
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$here/..${PYTHONPATH:+:$PYTHONPATH}" exec /usr/bin/python3 -m study "$@"
