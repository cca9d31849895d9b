#!/bin/sh
# sweep.sh: the table of quire sweep is that of so many runs of quire run; the same with one job and
# several; the advised size keeps its promise; wrong words get one clear line.
. "$(dirname "$0")/lib.sh"
cross=riscv64-linux-gnu-gcc
command -v $cross >/dev/null || skip "no $cross"
command -v python3 >/dev/null || skip "no python3"
cd "$scratch" || exit 1
guests=${QUIRE_SOURCE:?}/tests/watch/guests
for name in thrashing leak; do
    $cross -O1 -static -o $name "$guests/$name.c" || fail "$name.c does not compile"
done

# What a program's stack holds are also its variables, so all runs here have the same few.
quire() { env -i PATH="$PATH" TMPDIR="${TMPDIR:-/tmp}" "$QUIRE" "$@"; }

quire sweep --ram 6M:12M,10M,16M --policy linux,clock,sieve --jobs 3 --plot three.svg -- \
    ./thrashing >three 2>err || fail "status $?: $(cat err)"
[ ! -s err ] || fail "said: $(cat err)"
quire sweep --policy linux,clock --policy=sieve --ram 6M:12M --ram=10M,16M --jobs 1 \
    --plot one.svg -- ./thrashing >one || fail "status $?"
cmp one three || fail "the table depends on the number of jobs"
cmp one.svg three.svg || fail "the picture depends on the number of jobs"

cat >check.py <<'END'
import re, subprocess, sys, os
import xml.etree.ElementTree as xml
quire = os.environ["QUIRE"]
lines = open("three").read().split("\n")
policies = lines[0].split()[1::2]
assert policies == ["linux", "clock", "sieve"], policies
sizes = ("6", "10", "12", "16")
table = {}
same = {"PATH": os.environ["PATH"], "TMPDIR": os.environ.get("TMPDIR", "/tmp")}
for size, line in zip(sizes, lines[1:]):
    assert line.startswith(size + " MiB"), line
    cells = re.findall(r"(\+[0-9.]+ %|[0-9.]+ x|killed) +([0-9,]+)", line)
    for policy, (slowdown, major) in zip(policies, cells):
        table[size, policy] = (slowdown, major)
        run = subprocess.run([quire, "run", "--ram", size + "M", "--policy", policy, "--",
                              "./thrashing"], capture_output=True, text=True,
                             env=same).stderr
        assert f", {major} major" in run, (size, policy, major, run)
        factor = float(re.search(r"about ([0-9.]+) times", run).group(1))
        given = float(slowdown[1:-2]) / 100 + 1 if slowdown[0] == "+" else float(slowdown[:-2])
        assert abs(factor - given) < 0.0061, (size, policy, slowdown, factor)
assert len(table) == 12
limits = {"5 %": 1.05, "25 %": 1.25, "2 x": 2.0}
for line in lines:
    for words, most in limits.items():
        if line.startswith(f"  {words} "):
            size, policy = re.search(r"--ram ([0-9]+) MiB with --policy (\w+)", line).groups()
            run = subprocess.run([quire, "run", "--ram", size + "M", "--policy", policy, "--",
                                  "./thrashing"], capture_output=True, text=True,
                             env=same).stderr
            assert float(re.search(r"about ([0-9.]+) times", run).group(1)) <= most, (line, run)
            del limits[words]
            break
assert not limits, limits
picture = xml.parse("three.svg")
points = picture.findall(".//{http://www.w3.org/2000/svg}title")
assert len(points) == 12, len(points)
END
QUIRE=$QUIRE python3 check.py || fail "the table is not that of the single runs: $(cat three)"

# Each run reads the file that is standard input from its beginning: cat's faults depend on it.
cat >eat.c <<'END'
#include <stdlib.h>
#include <unistd.h>
int main(void) {
    char buffer[4096];
    while (read(0, buffer, sizeof buffer) > 0) {
        char *kept = malloc(65536);
        for (int i = 0; kept && i < 65536; i += 4096) kept[i] = 1;
    }
    return 0;
}
END
$cross -O1 -static -o eat eat.c || fail "eat.c does not compile"
head -c 262144 /dev/zero >input
"$QUIRE" sweep --ram 8M,9M -- ./eat <input >full || fail "status $?"
"$QUIRE" sweep --ram 8M,9M -- ./eat </dev/null >empty || fail "status $?"
grep -q 'wanted [0-9.]* MiB' full && grep -q 'wanted [0-9.]* KiB' empty ||
    fail "the input was not read: $(cat full empty)"

# Killed in the small size only.
"$QUIRE" sweep --ram 8M,64M --swap 0 -- ./leak >killed || fail "status $?"
grep -q '^8 MiB  *killed ' killed && grep -q '^64 MiB  *+0' killed || fail "$(cat killed)"

wrong() { # WORDS ARGUMENTS...
    words=$1
    shift
    "$QUIRE" sweep "$@" >out 2>err
    status=$?
    [ $status = 125 ] && [ ! -s out ] || fail "sweep $*: status $status, $(cat out)"
    [ "$(wc -l <err)" -eq 1 ] && grep -q -e "$words" err ||
        fail "sweep $*: no '$words': $(cat err)"
}
wrong 'needs sizes' -- ./leak
wrong 'needs a program' --ram 8M:16M
wrong 'smaller one' --ram 16M:8M -- ./leak
wrong 'less than 4M' --ram 1M:8M -- ./leak
wrong 'at least a page' --ram 8M:16M:0 -- ./leak
wrong 'more than 64 sizes' --ram 8M:64M:64K -- ./leak
wrong 'no such policy' --ram 8M --policy clock,belady -- ./leak
wrong 'from 1 to 64' --ram 8M --jobs 0 -- ./leak
wrong 'cannot share a file' --ram 8M --swap ./leak -- ./leak
wrong 'take it to quire run' --ram 8M --json x.json -- ./leak
wrong 'can be written' --ram 8M --plot /nonexistent/x.svg -- ./leak
wrong 'quire run says why' --ram 8M -- ./missing
wrong 'did you mean --thp' --ram 8M --tph always -- ./leak
if [ -w /dev/full ]; then
    "$QUIRE" sweep --ram 64M --plot /dev/full -- ./leak >out 2>err
    [ $? = 125 ] && grep -q 'No space left' err || fail "a full disk under the plot: $(cat err)"
fi
exit 0
