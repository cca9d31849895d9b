#!/bin/sh
# python3 with an object graph that is walked in several orders, and freed: 200 MB when QUIRE_FULL.
. "$(dirname "$0")/lib.sh"
need_root

objects=40000
[ -z "${QUIRE_FULL:-}" ] || objects=600000
cat >"$scratch/graph.py" <<END
import sys
N = $objects
class Node:
    def __init__(self, i):
        self.name = "node %d" % i
        self.next = []
        self.weight = {"in": i % 7, "out": i % 11}
nodes = [Node(i) for i in range(N)]
x = 1
for n in nodes:
    x = x * 16807 % 2147483647
    n.next.append(nodes[x % N])
total, here = 0, nodes[0]
for i in range(N // 8):
    total += here.weight["in"] * here.weight["out"] + len(here.name)
    here = here.next[0] if i % 5 else nodes[i * 7919 % N]
seen = sum(len(n.next) for n in nodes[::-1])
del nodes[::2]
print(total, seen, here.name, sum(len(n.name) for n in nodes))
sys.stdout.flush()
END
if command -v python3 >/dev/null; then
    python3 "$scratch/graph.py" >"$scratch/expected"
elif command -v qemu-riscv64 >/dev/null; then
    qemu-riscv64 -L "$root" "$root/usr/bin/python3" "$scratch/graph.py" >"$scratch/expected"
else
    skip "neither python3 nor qemu-riscv64 is here to compare with"
fi
at_a_quarter python3 python3 /scratch/graph.py
