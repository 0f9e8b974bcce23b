#!/bin/sh
# containerd's own conformance suites against our content store and our snapshotter. As root: snapshots are mounted.
# usage: run.sh [BUILD_DIR]     (default: build/release)
# PACELINE_SERVER: the server's command, run as `$PACELINE_SERVER --root DIR --address SOCKET`;
#                  default: pacelined of the build.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-$here/../../build/release}
work=$(mktemp -d)
server_pid=
cleanup() {
  [ -z "$server_pid" ] || kill "$server_pid" 2>/dev/null || true
  [ -z "$server_pid" ] || wait "$server_pid" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# Neither mirror nor metrics: their ports may be taken by a daemon of the machine's.
printf 'version = 1\n[mirror]\nenabled = false\n[metrics]\nenabled = false\n[snapshotter]\nenabled = true\n' > "$work/config.toml"
: "${PACELINE_SERVER:=$build/bin/pacelined --config $work/config.toml}"

PACELINE_ADDRESS=$work/server.sock
export PACELINE_ADDRESS
export GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS=-buildvcs=false GOCACHE="${GOCACHE:-$work/go-cache}"
(cd "$here" && go test -c -o "$work/suite" content_test.go snapshots_test.go)

# Starts a server on a new store: the suite's contents are the same in every run.
start_server() {
  rm -rf "$work/root" "$PACELINE_ADDRESS"
  $PACELINE_SERVER --root "$work/root" --address "$PACELINE_ADDRESS" > "$work/server.log" 2>&1 &
  server_pid=$!
  tries=0
  while [ ! -S "$PACELINE_ADDRESS" ]; do
    tries=$((tries + 1))
    if [ $tries -gt 100 ] || ! kill -0 "$server_pid" 2>/dev/null; then
      cat "$work/server.log" >&2
      echo "conformance: the server did not start: $PACELINE_SERVER" >&2
      exit 1
    fi
    sleep 0.1
  done
}

# False when the server did not live until now or ends badly (a sanitizer's report).
stop_server() {
  ended_well=0
  kill "$server_pid" 2>/dev/null || ended_well=1
  wait "$server_pid" || { echo "conformance: the server ended with status $?" >&2; ended_well=1; }
  server_pid=
  return $ended_well
}

status=0
passed=0
failed=0
skipped=0
# containerd's own suite skips Rename, for everybody.
count() { grep -- "^    --- $1" "$work/result.log" | grep -vc "SKIP: TestSnapshots[A-Za-z]*/Rename" || true; }
for suite in TestContentProxy TestContentMetadataShared TestContentMetadataIsolated TestSnapshotsProxy TestSnapshotsMetadata; do
  start_server
  good=true
  (cd "$work" && ./suite -test.v -test.run "^$suite\$") > "$work/result.log" 2>&1 || good=false
  stop_server || good=false
  [ "$(count PASS)" -gt 0 ] || good=false
  echo "$suite: $(count PASS) passed, $(count FAIL) failed, $(count SKIP) skipped"
  passed=$((passed + $(count PASS)))
  failed=$((failed + $(count FAIL)))
  skipped=$((skipped + $(count SKIP)))
  $good && continue
  status=1
  cat "$work/result.log"
  echo "---- server:"
  cat "$work/server.log"
done
[ "$failed" -eq 0 ] && [ "$skipped" -eq 0 ] || status=1
echo "conformance: $passed passed, $failed failed, $skipped skipped"
exit "$status"
