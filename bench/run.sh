#!/bin/sh
# run.sh: `make bench`: the same sources, compiled for this machine and for RISC-V, run side by side
# in one go: the machine's load and weather are then the same for both.
#
#   bench/run.sh BUILD_DIR
#
#   cpu     seven kernels: slowdown of the processor against this machine's
#   inside  memory operations as a program sees them, by the host's clock
#   swap    random read-write over four times the RAM
#   start   a static program that does nothing, from fork to its end, beside qemu-riscv64 if there
set -eu
build=$1
here=$(dirname "$0")
quire=$build/quire
out=$build/bench
mkdir -p "$out"

compile() {
    cc -O2 -o "$out/$1.native" "$here/$1.c" -lm
    riscv64-linux-gnu-gcc -O2 -static -o "$out/$1.riscv" "$here/$1.c" -lm
}

on_quire() {
    "$quire" run --quiet --clock host "$@"
}

# side_by_side UNIT LIMIT TEXT: two files of "name value unit [checksum]" lines, with the ratio.
side_by_side() {
    awk -v text="$1" '
        function value(line, n, i) { # the last number that has a unit after it
            n = split(line, w, / +/)
            for (i = n; i > 1; i--) if (w[i] == "ns" || w[i] == "ms") return i
        }
        { at = value($0); name = w[1]; for (i = 2; i < at - 1; i++) name = name " " w[i]
          sum = ""; for (i = at + 1; i in w && i <= n_words($0); i++) sum = sum w[i] }
        function n_words(line, t) { return split(line, t, / +/) }
        FNR == NR { native[name] = w[at - 1]; check[name] = sum; next }
        FNR == 1 { printf "\n%-30s %12s %12s %8s\n", text, "native", "quire", "ratio" }
        { r = native[name] > 0 ? w[at - 1] / native[name] : 0
          printf "%-30s %9.2f %s %9.2f %s %7.2fx%s\n", name, native[name], w[at], w[at - 1], w[at],
              r, check[name] != sum ? "  WRONG RESULT" : ""
          if (check[name] != sum) bad = 1
          if (r > 0) { logs += log(r); n++ } }
        END { if (n) printf "%-30s %38.2fx\n", "geometric mean", exp(logs / n); exit bad }
    ' "$2" "$3"
}

compile inside
if [ -f "$here/cpu.c" ]; then
    compile cpu
    "$out/cpu.native" >"$out/cpu.native.txt"
    on_quire --ram 256M -- "$out/cpu.riscv" >"$out/cpu.quire.txt"
    side_by_side "processor" "$out/cpu.native.txt" "$out/cpu.quire.txt"
fi

"$out/inside.native" >"$out/inside.native.txt"
on_quire --ram 512M -- "$out/inside.riscv" >"$out/inside.quire.txt"
side_by_side "memory, seen from inside" "$out/inside.native.txt" "$out/inside.quire.txt"

# Twice: some hosts give memory a page at a time when it is first used, 10 us each, and the swap
# disk is memory. The second run finds it there.
"$quire" run --quiet --clock host --ram 64M --swap 512M -- "$out/inside.riscv" swap 256 >/dev/null
printf '\nrandom read-write over 256 MiB with 64 MiB of RAM (on quire)\n'
"$quire" run --clock host --ram 64M --swap 512M -- "$out/inside.riscv" swap 256

printf '\nstart and end of a static program (median of 40)\n'
echo 'int main(void) { return 0; }' >"$out/nothing.c"
cc -O2 -o "$out/start" "$here/start.c"
cc -O2 -static -o "$out/nothing.native" "$out/nothing.c"
riscv64-linux-gnu-gcc -O2 -static -o "$out/nothing.riscv" "$out/nothing.c"
"$out/start" native 40 "$out/nothing.native"
"$out/start" quire 40 "$quire" run --quiet -- "$out/nothing.riscv"
if command -v qemu-riscv64 >/dev/null; then
    "$out/start" qemu-riscv64 40 qemu-riscv64 "$out/nothing.riscv"
fi

printf '\nthe core alone, CPU time of one operation\n'
root=$here/..
codecs= # what the build has linked
for codec in lz4 zstd; do
    ! nm "$build/libquire_soft.a" 2>/dev/null | grep -qi " U ${codec}_" || codecs="$codecs -l$codec"
done
cc -O2 -fno-strict-aliasing -I"$root/include" -I"$root/src" -I"$root" -o "$out/vm" "$here/vm.c" \
    "$build/libquire_core.a" "$build/libquire_soft.a" "$build/libquire_core.a" \
    "$build/libquire_soft.a" -lm $codecs
"$out/vm"
printf '\nreplacement policies on traces\n'
cc -O2 -fno-strict-aliasing -I"$root/include" -I"$root/src" -I"$root/tests" -o "$out/policy" \
    "$here/policy.c" "$root/tests/model/policies.c" "$root/tests/model/traces.c" \
    "$build/libquire_core.a" "$build/libquire_soft.a" "$build/libquire_core.a" \
    "$build/libquire_soft.a" -lm $codecs
"$out/policy"
printf '\nframes, CPU time in ns of one allocation or one free\n'
cc -O2 -I"$root/include" -I"$root" -o "$out/core" "$here/core.c" \
    "$build/libquire_core.a" "$build/libquire_soft.a" "$build/libquire_core.a" \
    "$build/libquire_soft.a" -lm $codecs
"$out/core"
if [ -n "${LLFREE:-}" ]; then # a built copy of github.com/luhsra/llfree-c: make CC=clang DEBUG=0
    clang -O2 -march=native -DNDEBUG -DSTD -D_GNU_SOURCE -DFRAMES_LLFREE -I"$LLFREE/include" \
        -I"$LLFREE/std" -o "$out/core.llfree" "$here/core.c" "$LLFREE/build/libllc.a"
    "$out/core.llfree" 2>/dev/null
fi
"$out/core" curve

# UMEM: a libumem.a that somebody built; jemalloc and mimalloc are Debian's. Without: fewer rows.
printf '\nsmall objects, CPU time in ns of one allocation or one free\n'
objects() { # NAME FLAGS LIBRARIES…
    name=$1 flags=$2
    shift 2
    # shellcheck disable=SC2086
    if cc -O2 $flags -I"$root/include" -I"$root" -o "$out/objects.$name" "$here/objects.c" "$@" \
        2>/dev/null; then
        "$out/objects.$name" "$name"
    fi
}
core="$build/libquire_core.a $build/libquire_soft.a $build/libquire_core.a $build/libquire_soft.a"
objects none -DOBJECTS_NONE
# shellcheck disable=SC2086
objects cache "" $core -lm $codecs
# shellcheck disable=SC2086
objects kmalloc -DOBJECTS_KMALLOC $core -lm $codecs
objects glibc -DOBJECTS_MALLOC
objects jemalloc -DOBJECTS_MALLOC -Wl,--no-as-needed -ljemalloc
objects mimalloc -DOBJECTS_MALLOC -Wl,--no-as-needed -lmimalloc
if [ -n "${UMEM:-}" ]; then
    objects umem -DOBJECTS_UMEM "$UMEM" -pthread -ldl -lm
fi
sh "$here/heap.sh" "$build"
