#!/bin/sh
# valgrind.sh BUILD [STEPS]: every unit test, the port's tests and STEPS steps of the simulation
# under valgrind: no access to what nobody may access, no decision by what nobody has written, no
# leak of the host's memory. Prints the seconds of each; a report of valgrind's is an error.
set -u
build=${1:?the directory of a build} steps=${2:-20000}
if ! command -v valgrind >/dev/null; then
    echo "valgrind: there is none (apt-get install valgrind)"
    exit 77
fi
failed=0
total=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

check() { # command
    began=$(date +%s)
    total=$((total + 1))
    if valgrind -q --trace-children=yes --leak-check=full --errors-for-leak-kinds=definite \
        --suppressions="${0%/*}/valgrind.supp" --error-exitcode=9 "$@" >"$log" 2>&1; then
        printf '%5d s  %s\n' $(($(date +%s) - began)) "${1##*/}"
    else
        echo "FAILED   $*"
        tail -n 40 "$log"
        failed=$((failed + 1))
    fi
}

for program in "$build"/tests/unit_* "$build"/tests/port/port_*; do
    # vmalloc's test asks the host's kernel which addresses can be read, and uses its mappings up.
    case $program in *_vmalloc) continue ;; esac
    if [ -f "$program" ] && [ -x "$program" ]; then
        check "$program"
    fi
done
check "$build/tests/sim/sim" --steps "$steps" --audit-every 64
check "$build/tests/sim/sim_blocks" --steps "$steps" --audit-every 64
check "$build/tests/sim/sim_segments" --steps "$steps" --audit-every 64
echo "valgrind: $total programs, $failed with reports"
[ $failed -eq 0 ]
