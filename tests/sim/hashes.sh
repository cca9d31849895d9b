#!/usr/bin/env bash
# hashes.sh SOURCE SCRATCH [STEPS]: the same seeds come to the same decisions whoever compiled them:
# gcc and clang, -O0 and -O3. Builds the simulation four times under SCRATCH, compares the hashes.
# Without QUIRE_FULL=1: skipped (77), as the builds take minutes of processor time.
set -u
source=${1:?the source tree} scratch=${2:?a directory for the builds} steps=${3:-400000}
if [ "${QUIRE_FULL:-}" != 1 ]; then
    echo "skipped: four builds; QUIRE_FULL=1 makes them"
    exit 77
fi
programs="sim sim_segments"
declare -A first
status=0
for compiler in gcc clang; do
    if ! command -v $compiler >/dev/null; then
        echo "skipped: there is no $compiler"
        exit 77
    fi
    for level in -O0 -O3; do
        build=$scratch/$compiler$level
        mkdir -p "$build"
        { cmake -S "$source" -B "$build" -G Ninja -DCMAKE_C_COMPILER=$compiler \
            -DCMAKE_BUILD_TYPE=None -DCMAKE_C_FLAGS="$level -w" &&
            cmake --build "$build" --target $programs; } >"$build.log" 2>&1 || {
            tail -n 20 "$build.log"
            exit 1
        }
        for program in $programs; do
            line=$("$build/tests/sim/$program" --brief --steps "$steps" --audit-every 0 --jobs 2 |
                tail -n 1)
            hash=${line##*hash }
            echo "$program, $compiler $level: $line"
            first[$program]=${first[$program]:-$hash}
            [ -n "$hash" ] && [ "$hash" = "${first[$program]}" ] || status=1
        done
    done
done
[ $status -eq 0 ] && echo "the same hash four times, of each"
exit $status
