#!/bin/sh
# heap.sh: malloc under programs: the classic heap beside the C library's, jemalloc and mimalloc,
# the same program under each in turn. Part of `make bench`; alone: bench/heap.sh BUILD_DIR
set -eu
build=$1
here=$(dirname "$0")
out=$build/bench
mkdir -p "$out"
cc -O2 -o "$out/heap" "$here/heap.c" -pthread

# NAME=LIBRARY; what is not here is left out.
library() {
    case $1 in
    glibc) ;;
    classic) echo "$build/libquire-classic.so" ;;
    *) ldconfig -p | sed -n "s/.*lib$1\\.so\\.[0-9.]* .* => //p" | head -n 1 ;;
    esac
}

printf '\nmalloc and free, CPU time in ns of an operation, and peak memory in MiB\n'
printf '%-10s %15s %15s %15s %15s %15s\n' '' mixed grow large holes threads
for name in glibc classic jemalloc mimalloc; do
    path=$(library $name)
    [ $name = glibc ] || [ -e "$path" ] || continue
    printf '%-10s' $name
    for shape in mixed grow large holes threads; do
        env ${path:+LD_PRELOAD="$path"} "$out/heap" $shape | awk '{ printf " %8.1f %6.1f", $2, $3 }'
    done
    echo
done
