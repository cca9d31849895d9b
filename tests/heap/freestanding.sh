#!/bin/sh
# freestanding.sh: the classic heap and the pools need no operating system and no C library, on
# four instruction sets: each file is compiled without an environment, and from outside they want
# memcpy, memmove and memset, and the calls of a space that the port over one makes. Needs clang
# and llvm-nm.
. "$(dirname "$0")/../run/lib.sh"
for tool in clang llvm-nm; do
    command -v $tool >/dev/null || skip "no $tool"
done
allowed='^(memcpy|memmove|memset|quire_(brk|map|unmap|remap|advise|copy_in|copy_out))$'

for target in x86_64 i386 aarch64 riscv64; do
    out=$scratch/$target
    mkdir "$out"
    (cd "$out" && clang --target=$target-unknown-none-elf -std=c11 -ffreestanding -nostdlib \
        -nostdlibinc -O2 -fno-strict-aliasing -Wall -Wextra -Werror -I "$QUIRE_SOURCE" \
        -I "$QUIRE_SOURCE/include" -c "$QUIRE_SOURCE"/heap/classic/*.c \
        "$QUIRE_SOURCE"/heap/pool/*.c) || fail "$target: does not compile"
    llvm-nm --format=posix "$out"/*.o >"$out/names"
    awk 'NF > 1 && $2 != "U" { print $1 }' "$out/names" | sort -u >"$out/defined"
    awk '$2 == "U" { print $1 }' "$out/names" | sort -u | comm -13 "$out/defined" - >"$out/outside"
    grep -q memset "$out/outside" || fail "$target: nothing was looked at"
    ! grep -Ev "$allowed" "$out/outside" || fail "$target: wants the names above"
    ! awk '$2 ~ /^[BbCDd]$/ && $1 !~ /^\.L/ { print $1 }' "$out/names" | grep . ||
        fail "$target: has the variables above"
done
echo "four instruction sets; from outside: $(tr '\n' ' ' <"$out/outside")"
