#!/bin/sh
# freestanding.sh: the core (src/) needs no operating system, no C library and no compiler library,
# on four instruction sets. Every file is compiled for each of them without an environment, for i386
# in audit form too; what the whole core leaves undefined must be a function of the port or one of
# four. 64-bit division on i386 is the usual way to fail: it would be a call of __udivdi3.
#
# Needs clang, which has all targets in one program, and llvm-nm. Skipped (77) without them.
set -eu

source=${QUIRE_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
allowed='^(memcpy|memmove|memset|memcmp|quire_mach_[a-z0-9_]+)$'

for tool in clang llvm-nm; do
    if ! command -v "$tool" >/dev/null 2>&1; then
        echo "skipped: $tool is not installed"
        exit 77
    fi
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# check TARGET FORM: all of the core, compiled and linked in thought. FORM is "" or -DQUIRE_AUDIT.
check() {
    out=$work/$1$2
    for room in "$source"/src/*/ "$source"/src/*/*/; do
        mkdir -p "$out/$(basename "$room")"
        # One call a room: clang puts the objects where it stands.
        (cd "$out/$(basename "$room")" &&
            clang --target="$1-unknown-none-elf" -std=c11 -ffreestanding -nostdlib -nostdlibinc \
                -O2 -fno-strict-aliasing -Wall -Wextra -Werror $2 \
                -I "$source/include" -I "$source/src" -c "$room"*.c) || return 1
    done
    llvm-nm --format=posix "$out"/*/*.o >"$out/names" || return 1
    awk 'NF > 1 && $2 != "U" { print $1 }' "$out/names" | sort -u >"$out/defined"
    awk '$2 == "U" { print $1 }' "$out/names" | sort -u | comm -13 "$out/defined" - >"$out/outside"
    if grep -Ev "$allowed" "$out/outside"; then
        echo "failed: the core for $1 $2 needs the names above from outside"
        return 1
    fi
    # All state hangs off struct quire: no variables, whether set or empty. (.L: the compiler's
    # constants.)
    if awk '$2 ~ /^[BbCDd]$/ && $1 !~ /^\.L/ { print $1 }' "$out/names" | grep .; then
        echo "failed: the core for $1 $2 has the variables above"
        return 1
    fi
    echo "$1 $2: $(ls "$out"/*/*.o | wc -l) files; from outside:" \
        "$(grep -c '^quire_' "$out/outside") functions of the port," \
        "$(grep -v '^quire_' "$out/outside" | tr '\n' ' ')"
}

failed=0
for target in x86_64 i386 aarch64 riscv64; do
    check $target "" || failed=1
done
check i386 -DQUIRE_AUDIT || failed=1
exit $failed
