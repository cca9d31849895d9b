#!/bin/sh
# promise.sh: the sizes of RAM that a report names, run: the slowdown is at most what was promised,
# and 2 % of it; for six programs. A loop longer than RAM is told from one that fits.
. "$(dirname "$0")/lib.sh"
cd "$scratch" || exit 1
need_report --json
for name in thrashing patterns forkstorm; do
    $cross -O1 -static -o $name "$guests/$name.c" || fail "$name.c does not compile"
done
need_root
awk 'BEGIN { for (i = 1; i < 12000; i++) print i * 7919 % 99991, i * i * 31 % 999983, i }' >text

cat >check.py <<'END'
import json, os, re, subprocess, sys
def run(ram, *words):
    done = subprocess.run([os.environ["QUIRE"], "run", "--ram", ram, "--swap", "256M", *words],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr
    return float(re.search(r"about ([0-9.]+) times", done.stderr).group(1))
words = sys.argv[1:]
run("64M", "--json", "run.json", *words)
answer = json.load(open("run.json"))["answer"]
sizes = [(1.05, answer["ram_bytes_5_percent"]), (1.25, answer["ram_bytes_25_percent"]),
         (2.0, answer["ram_bytes_twice"])]
assert all(a[1] >= b[1] > 0 for a, b in zip(sizes, sizes[1:])), sizes
assert sizes[0][1] <= answer["enough_ram_bytes"], answer
told = {}
for most, ram in sizes:
    if ram not in told:
        told[ram] = run(str(ram), *words)
    assert told[ram] <= most * 1.02, (words, most, ram, told[ram])
print(words[-1] + ":", ", ".join(f"{most} promised with {ram >> 20}M, {told[ram]} seen"
                               for most, ram in sizes))
END
keeps() {
    QUIRE=$QUIRE python3 check.py "$@" || fail "$*: a promise was not kept"
}
keeps -- ./thrashing
keeps -- ./patterns
keeps -- ./forkstorm
keeps --root "$root" --bind "$scratch" -- sort -S 32M "$scratch/text"
keeps --root "$root" --bind "$scratch" -- xz -T1 -k -c -4 "$scratch/text"
keeps --root "$root" -- python3 -c 'a = [str(i) for i in range(60000)]; a.sort(); print(a[1])'

"$QUIRE" run --ram 8M --quiet --json loop.json -- ./thrashing || fail "status $?"
grep -q 'goes round in more pages than it has' loop.json || fail "a loop is not seen as one"
"$QUIRE" run --ram 64M --quiet --json loop.json -- ./thrashing || fail "status $?"
! grep -q 'goes round in more pages' loop.json || fail "a loop that fits in RAM is called a problem"
exit 0
