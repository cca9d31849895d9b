#!/bin/sh
# report.sh: what collecting a report costs: processor time of a run with --json and with --report
# beside the same run without, taking turns, and how much more memory of the host they take.
#
#   bench/report.sh [ROUNDS]     QUIRE: the command, build/quire if not given
#
# A line a program: the plain run's processor time, and for both the median over the rounds of what
# the round's run took in times of the round's plain run. Programs of the distribution are left out
# where there is no tree of them (the tests make it: ctest -R real_).
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
QUIRE=${QUIRE:-$here/build/quire}
export QUIRE
root=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/quire/roots/tests
scratch=$(mktemp -d "${TMPDIR:-/tmp}/quire-bench.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM HUP
cd "$scratch" || exit 1
[ -x "$QUIRE" ] || { echo "no $QUIRE; make builds it, or name it in QUIRE" >&2; exit 1; }
command -v python3 >/dev/null || { echo "this needs python3" >&2; exit 1; }
riscv64-linux-gnu-gcc -O1 -static -o thrashing "$here/tests/watch/guests/thrashing.c" || exit 1
awk 'BEGIN { for (i = 1; i < 12000; i++) print i * 7919 % 99991, i * i * 31 % 999983, i }' >text
[ -d "$root/usr/bin" ] || root=

cat >measure.py <<'END'
import os, statistics, subprocess, sys
rounds, root, here = int(sys.argv[1]), sys.argv[2], os.getcwd()
python = "a = [str(i) for i in range(100000)]; a.sort(); d = {x: i for i, x in enumerate(a)}"
rows = [("a loop that thrashes", ["--ram", "8M", "--", "./thrashing"])]
if root:
    tree = ["--root", root, "--bind", here]
    rows += [("busybox true", tree + ["--", "busybox", "true"]),
             ("sort", tree + ["--", "sort", "-S", "32M", here + "/text"]),
             ("xz -1", tree + ["--", "xz", "-T1", "-kc1", here + "/text"]),
             ("xz -4", tree + ["--", "xz", "-T1", "-kc4", here + "/text"]),
             ("python3", tree + ["--", "python3", "-c", python]),
             ("python3 in 14 MiB", ["--ram", "14M"] + tree + ["--", "python3", "-c", python])]
def run(*words):
    with open(os.devnull, "w") as nothing:
        child = subprocess.Popen([os.environ["QUIRE"], "run", "--quiet", *words], stdout=nothing)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = status
    if status != 0:
        sys.exit("quire run " + " ".join(words) + ": status %d" % status)
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
print("%-22s %10s %8s %9s %12s" % ("program", "plain", "--json", "--report", "more memory"))
for name, words in rows:
    seen = [(run(*words), run("--json", "run.json", *words), run("--report", "run.html", *words))
            for _ in range(rounds)]
    times = [statistics.median(one[i][0] / one[0][0] for one in seen) for i in (1, 2)]
    more = max(max(one[1][1], one[2][1]) - one[0][1] for one in seen)
    print("%-22s %7.1f ms %6.2f x %7.2f x %8.1f MiB" %
          (name, 1000 * statistics.median(one[0][0] for one in seen), *times, more), flush=True)
END
python3 measure.py "${1:-9}" "$root"
