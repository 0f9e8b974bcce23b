#!/bin/sh
# All benchmarks, one after the other, against the release build; results as CSV under docs/results.
# usage: run.sh        REPS (5) repetitions of each
set -eu
here=$(cd "$(dirname "$0")" && pwd)
echo "== content service: Read and Write against containerd's own and the bare file"
"$here/content.sh"
echo "== fetch, verify and sync of 1 GB over loopback"
/usr/bin/python3 "$here/fetch.py" --reps "${REPS:-5}"
echo "== start to ready, with an empty store and with 10 000 blobs"
/usr/bin/python3 "$here/startup.py" --reps "${REPS:-5}"
echo "== whole cold pulls with unpack, of an image of Debian packages"
/usr/bin/python3 "$here/cold_pull.py" --reps "${REPS:-5}"
echo "== how much of the unpacking hides behind the download"
/usr/bin/python3 "$here/unpack_hidden.py" --reps "${REPS:-5}"
echo "== what metrics and records cost of a pull's CPU"
/usr/bin/python3 "$here/overhead.py"
