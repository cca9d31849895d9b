#!/bin/sh
# preload.sh: libquire-classic.so under real programs: what it gives is what the programs give
# without it; the facts of rows M1 to M4 as a program sees them; on this machine, and inside quire
# run if there is a compiler and a tree for RISC-V.
. "$(dirname "$0")/../run/lib.sh"
here=$(dirname "$0")
library=$QUIRE_BUILD/libquire-classic.so
[ -e "$library" ] || fail "no $library"

cat >"$scratch/want" <<'END'
heap 132 KiB, mapping of 204 KiB, 0 KiB after free
header 33, usable 16
again: mapping of 0 KiB, the heap has grown: yes
in use: yes
realloc in place: yes
too much: ENOMEM
child: 0
END
facts() { # WHERE COMMAND...
    where=$1
    shift
    "$@" >"$scratch/got" 2>"$scratch/log" || fail "$where: status $?: $(tail -n 3 "$scratch/log")"
    diff "$scratch/want" "$scratch/got" >&2 || fail "$where: other facts"
}

# ---- on this machine ----------------------------------------------------------------------------

cc -O1 -o "$scratch/facts" "$here/preload_facts.c" || fail "does not compile"
facts native env LD_PRELOAD="$library" "$scratch/facts"

ran=0
same() { # NAME COMMAND...: with the library and without, the same output
    name=$1
    shift
    "$@" >"$scratch/expected" 2>&1 </dev/null || fail "$name: status $? without the library"
    LD_PRELOAD=$library "$@" >"$scratch/output" 2>&1 </dev/null ||
        fail "$name: status $? with it: $(tail -n 5 "$scratch/output")"
    same_output || fail "$name: another output"
    ran=$((ran + 1))
}

awk 'BEGIN { for (i = 0; i < 60000; i++) print (i * 7919) % 60013, "line", i }' >"$scratch/lines"
LD_PRELOAD=$library sh -c 'cat /proc/$$/maps' | grep -q libquire-classic || fail "not loaded"
same sort sort -n "$scratch/lines"
same 'sort in threads' sort --parallel=4 -S 2M "$scratch/lines"
same sh sh -c 'for i in 1 2 3 4 5 6 7 8 9; do
    echo $(printf %s $i | tr 0-9 a-j); done | sort | uniq -c'
if command -v bash >/dev/null; then
    same bash bash -c 'a=(); for ((i = 0; i < 20000; i++)); do a+=("x$i"); done; echo "${a[@]: -3}"'
fi
if command -v python3 >/dev/null; then
    cat >"$scratch/work.py" <<'END'
import os, re, subprocess, threading, json, zlib
words = {}
def work(seed):
    x = seed
    for i in range(20000):
        x = (x * 1103515245 + 12345) % 2**31
        words.setdefault(x % 997, []).append(str(x))
threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
[t.start() for t in threads]
if os.fork() == 0:      # while the threads allocate
    b = [bytes(n) for n in range(3000)]
    os._exit(0)
print(os.wait()[1])
[t.join() for t in threads]
print(sum(map(len, words.values())), len(zlib.compress(json.dumps(list(range(50000))).encode())))
print(subprocess.run(["sort"], input=b"b\na\n", capture_output=True).stdout)
big = [bytearray(n * 9973) for n in range(300)]
print(sum(map(len, big)), re.findall(r"(a+)b", "aab" * 3))
END
    # Its own allocator for small objects switched off: each object is a malloc.
    same python3 python3 "$scratch/work.py"
    same 'python3, all by malloc' env PYTHONMALLOC=malloc python3 "$scratch/work.py"
fi
if command -v gcc >/dev/null; then
    same gcc gcc -O2 -I"$QUIRE_SOURCE" -I"$QUIRE_SOURCE/include" -S -o - \
        "$QUIRE_SOURCE/heap/classic/alloc.c"
fi
echo "natively: the facts, and $ran programs with the same output"

# ---- inside quire run ---------------------------------------------------------------------------

riscv=$QUIRE_BUILD/riscv64
[ -e "$riscv/libquire-classic.so" ] || { echo "no RISC-V compiler: not run inside"; exit 0; }

# Linked in: nothing preloads into a static program. Its thread-local storage lies at the start of
# the same area, which the C library has grown before: the heap begins behind it, in the same page.
riscv64-linux-gnu-gcc -O1 -static -fno-builtin -I"$QUIRE_SOURCE" -I"$QUIRE_SOURCE/include" \
    -o "$scratch/facts" "$here/preload_facts.c" "$QUIRE_SOURCE"/heap/host/*.c \
    $(ls "$QUIRE_SOURCE"/heap/classic/*.c | grep -v /space.c) || fail "static: does not compile"
facts 'static, inside' "$QUIRE" run --quiet --ram 16M -- "$scratch/facts"

roots=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/quire/roots
(need_root) >/dev/null 2>&1 || { echo "inside: the static facts; no RISC-V packages"; exit 0; }
root=$roots/tests
riscv64-linux-gnu-gcc -O1 -o "$scratch/facts" "$here/preload_facts.c" || fail "does not compile"
inside() {
    "$QUIRE" run --quiet --ram 64M --root "$root" --bind "$scratch:/w" --bind "$riscv:/q" -- "$@"
}
facts inside inside env LD_PRELOAD=/q/libquire-classic.so /w/facts
both() { # NAME COMMAND...: inside without the library, and with it
    name=$1
    shift
    inside "$@" >"$scratch/expected" 2>&1 || fail "$name inside: status $? without the library"
    inside env LD_PRELOAD=/q/libquire-classic.so "$@" >"$scratch/output" 2>&1 ||
        fail "$name inside: status $?: $(tail -n 5 "$scratch/output")"
    same_output || fail "$name inside: another output"
    ran=$((ran + 1))
}
both sort sort -n /w/lines
both sh sh -c 'for i in 1 2 3 4 5; do echo $(printf %s $i | tr 0-9 a-j); done | sort | uniq -c'
both python3 python3 -c '
import threading
l = {}
def work(n):
    for i in range(3000): l[n, i] = str(i) * (n + 1)
t = [threading.Thread(target=work, args=(n,)) for n in range(3)]
[x.start() for x in t]; [x.join() for x in t]
print(len(l), sum(map(len, l.values())))'
if [ -n "${QUIRE_FULL:-}" ] && [ -e "$roots/many/usr/bin/gcc" ]; then
    root=$roots/many
    printf '#include <stdio.h>\nint main(void) { puts("compiled"); return 0; }\n' >"$scratch/h.c"
    both gcc sh -c 'gcc -O2 -o /w/h /w/h.c && /w/h'
fi
echo "natively and inside: the facts, and $ran programs with the same output"
