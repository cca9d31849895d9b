#!/bin/sh
# coverage.sh: `make coverage`: how much of the core unit tests and a short simulation run through.
#
#   tools/coverage.sh [FILE...]      the table of all files of src/, and of these the lines missed
#
# CHECK and AUDIT are left out: their other branch is a panic, which a right core never takes.
# Exit: 0 if at least 98 % of the lines and 95 % of the branches were taken.
set -eu
cd "$(dirname "$0")/.."
build=build/coverage
mkdir -p build
cmake --preset coverage >build/coverage.log 2>&1 || { cat build/coverage.log; exit 1; }
cmake --build --preset coverage >build/coverage.log 2>&1 ||
    { tail -n 40 build/coverage.log; exit 1; }
find "$build" -name '*.gcda' -delete
ctest --preset coverage -R 'unit_|^sim|example_embed' >build/coverage.log 2>&1 ||
    { tail -n 40 build/coverage.log; exit 1; }

report() {
    gcovr -r . --filter src/ "$build" -j 2 --exclude-lines-by-pattern '.*\b(CHECK|AUDIT)\(.*' \
        --exclude-branches-by-pattern '.*\b(CHECK|AUDIT)\(.*' "$@"
}
report --branches
for file in "$@"; do
    report --filter "$file" | tail -n +6
done
report --fail-under-line 98 --fail-under-branch 95 -s -o build/coverage.txt
