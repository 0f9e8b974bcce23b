#!/bin/sh
# The study of function images: run.sh run builds, measures and goes on where it was stopped; run.sh report writes the page.
# run.sh --help tells the rest. It wants root and packaging/install-dependencies.sh build run demo test package study; without
# the last group Docker is left out.
here=$(cd "$(dirname "$0")" && pwd)
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$here/..${PYTHONPATH:+:$PYTHONPATH}" exec /usr/bin/python3 -m images "$@"
