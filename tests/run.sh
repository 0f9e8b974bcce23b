#!/bin/bash
# All tests of Paceline, on Debian 12, as root. Installs what they need, builds, runs, and ends with "N passed, N failed".
#
# usage: run.sh [--quick | --full]
#   --quick: one containerd version instead of three, no emulated links: the inner loop
#   --full:  unit and integration tests also with AddressSanitizer and ThreadSanitizer, and clang-tidy over everything
# Three whole builds from nothing and clang-tidy take more than the 40 minutes that the default run may take on two cores.
set -u
cd "$(dirname "$0")/.."
if [ "$(id -u)" != 0 ]; then exec sudo "$PWD/tests/run.sh" "$@"; fi
quick=false full=false
case "${1:-}" in
  "") ;;
  --quick) quick=true ;;
  --full) full=true ;;
  *) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac

passed=0 failed=0 failures=()
logs=build/test-logs
mkdir -p $logs
python=/usr/bin/python3  # Debian's, which the python3-* packages belong to.

section() { printf '\n=== %s  [%d:%02d]\n' "$1" $((SECONDS / 60)) $((SECONDS % 60)); }

count() {  # count NAME PASSED FAILED
  passed=$((passed + $2)) failed=$((failed + $3))
  if [ "$3" -gt 0 ]; then failures+=("$1: $3"); fi
}

# check NAME COMMAND...: one pass or failure; quiet unless it fails.
check() {
  local name=$1 log
  log=$logs/$(tr -c 'a-z0-9\n' - <<< "$name").log
  shift
  if "$@" > "$log" 2>&1; then
    count "$name" 1 0
    return 0
  fi
  tail -n 80 "$log"
  echo "FAILED: $name (all of it: $log)"
  count "$name" 0 1
  return 1
}

# ThreadSanitizer of GCC 12 may not start under newer kernels' address randomness; containers may forbid to turn it off.
in_layout_of() {
  local preset=$1
  shift
  if [ "$preset" = tsan ] && setarch -R true 2> /dev/null; then setarch -R "$@"; else "$@"; fi
}

build() {  # build PRESET
  section "build: $1"
  check "configure $1" cmake --preset "$1" && check "build $1" in_layout_of "$1" cmake --build --preset "$1"
}

# Builds the presets one after the other, with what the tests meanwhile leave of the machine.
build_behind() {
  for preset in "$@"; do rm -f "$logs/behind-$preset.ended"; done
  (
    chrt --idle --pid 0 "$BASHPID"
    for preset in "$@"; do
      { cmake --preset "$preset" && in_layout_of "$preset" cmake --build --preset "$preset"; } > "$logs/behind-$preset.log" 2>&1
      echo $? > "$logs/behind-$preset.ended"
    done
  ) &
}

built_behind() {  # built_behind PRESET: waits for it
  section "build: $1"
  until [ -e "$logs/behind-$1.ended" ]; do sleep 1; done
  check "build $1" sh -c "cat '$logs/behind-$1.log'; exit \$(cat '$logs/behind-$1.ended')"
}

unit_tests() {  # unit_tests PRESET
  section "unit and fault tests: $1"
  local log=$logs/ctest-$1.log bad all
  in_layout_of "$1" env TSAN_OPTIONS="suppressions=$PWD/tests/sanitizers/tsan.supp" \
    ctest --preset "$1" -j"$(nproc)" > "$log" 2>&1
  read -r bad all < <(sed -n 's/.*tests passed, \([0-9]*\) tests failed out of \([0-9]*\).*/\1 \2/p' "$log") || true
  if [ -z "${all:-}" ]; then
    tail -n 40 "$log"
    count "ctest $1" 0 1
    return
  fi
  if [ "$bad" -gt 0 ]; then tail -n 200 "$log"; fi
  echo "$((all - bad)) of $all passed"
  count "ctest $1" $((all - bad)) "$bad"
}

# run_pytest PRESET NAME ARGUMENTS...: with that build's programs; counts what pytest counts.
run_pytest() {
  local preset=$1 name=$2 xml=$logs/$2.xml good bad
  shift 2
  rm -f "$xml"
  in_layout_of "$preset" env PACELINE_BIN_DIR="$PWD/build/$preset/bin" PYTHONDONTWRITEBYTECODE=1 \
    $python -m pytest -q --durations=10 --junitxml="$xml" "$@" 2>&1 | tee "$logs/$name.log"
  read -r good bad < <($python - "$xml" <<'PYTHON'
import sys, xml.etree.ElementTree as tree
try:
    suite = tree.parse(sys.argv[1]).getroot().find("testsuite")
    bad = int(suite.get("failures")) + int(suite.get("errors"))
    print(int(suite.get("tests")) - bad - int(suite.get("skipped")), bad)
except (OSError, tree.ParseError):
    print(0, 1)  # It did not get as far as a result.
PYTHON
  )
  if [ "$((good + bad))" = 0 ]; then bad=1; echo "no test ran"; fi
  count "$name" "$good" "$bad"
}

integration_tests() {  # integration_tests PRESET [PYTEST ARGUMENTS...]
  local preset=$1
  shift
  section "integration tests, daemon of build $preset: $*"
  run_pytest "$preset" "integration-$preset" tests/integration "$@"
}

wan_tests() {
  section "emulated wide-area link, and the studies in small"
  run_pytest release wan tests/wan tests/images/tests
  check "contention --quick" tests/wan/contention/run.sh --quick
  check "arms --quick" tests/wan/arms/run.sh --quick --results build/wan/arms
  if check "study --quick" tests/wan/study/run.sh run --quick; then tail -n 1 "$logs/study---quick.log"; fi
  if check "images --quick" tests/images/run.sh run --quick; then tail -n 1 "$logs/images---quick.log"; fi
}

section "packages"
packaging/install-dependencies.sh build run demo test package || { echo "0 passed, 1 failed"; exit 1; }
[ -d /var/lib/apt/lists ] && apt-get indextargets --format '$(LABEL)' | grep -qx Debian || apt-get update -qq

section "format and scripts"
check "clang-format" sh -c "find adaptive plugin tests -name '*.h' -o -name '*.cpp' | xargs clang-format --dry-run --Werror"
check "shell syntax" sh -c "for f in \$(find packaging tests -name '*.sh'); do bash -n \"\$f\" || exit 1; done"
check "shellcheck" tests/shellcheck.sh

section "other containerd versions"
check "containerd packages" tests/integration/harness/debs.sh build/containerd trixie forky
cat "$logs/containerd-packages.log"

sanitizers=()
if build release; then
  if $full; then sanitizers=(asan tsan); build_behind "${sanitizers[@]}"; fi
  unit_tests release
  if [ -x tests/conformance/run.sh ]; then
    section "containerd's conformance suites"
    tests/conformance/run.sh > $logs/conformance.log 2>&1
    ended=$?
    read -r good bad < <(sed -n 's/^conformance: \([0-9]*\) passed, \([0-9]*\) failed.*/\1 \2/p' $logs/conformance.log) || true
    if [ -z "${good:-}" ]; then good=0 bad=0; fi
    if [ $ended != 0 ] && [ "$bad" = 0 ]; then bad=1; fi
    if [ "$bad" -gt 0 ]; then tail -n 80 $logs/conformance.log; else tail -n 6 $logs/conformance.log; fi
    count "conformance" "$good" "$bad"
  fi
  if ! $quick; then
    section "fuzzers, ten seconds each"
    if check "fuzz" tests/fuzz/run.sh 10; then grep -E '^(==|stat::number)' $logs/fuzz.log; fi
  fi
  if $quick; then
    PACELINE_CONTAINERD=bookworm integration_tests release
  else
    integration_tests release
  fi
  if ! $quick; then
    section "the package in a clean Debian, and Kubernetes manifests"
    run_pytest release packaging tests/packaging
    wan_tests
  fi
fi

for preset in "${sanitizers[@]}"; do
  if built_behind $preset; then
    unit_tests $preset
    PACELINE_CONTAINERD=bookworm PACELINE_KILLS=50 integration_tests $preset
  fi
done

if $full; then
  section "clang-tidy"
  if check "clang-tidy" tests/lint.sh build/release 3600; then tail -n 1 "$logs/clang-tidy.log"; fi
fi

section "done"
if [ ${#failures[@]} -gt 0 ]; then printf 'failed: %s\n' "${failures[@]}"; fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
