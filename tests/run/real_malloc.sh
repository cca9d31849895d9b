#!/bin/sh
# The heap of real programs, with glibc's own malloc, as /proc/self/maps shows it: malloc(1) makes a
# [heap] of 132 KiB; malloc(200 KiB) is a mapping of its own, and gone after free.
. "$(dirname "$0")/lib.sh"
command -v riscv64-linux-gnu-gcc >/dev/null || skip "no riscv64-linux-gnu-gcc"

cat >"$scratch/heap.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>

/* The size of [heap], and of all mappings together, in KiB. stdio would allocate, so read(2). */
static long heap_kib(long *all) {
    static char text[65536];
    int fd = open("/proc/self/maps", O_RDONLY);
    long n = 0, got;
    while ((got = read(fd, text + n, sizeof text - 1 - (size_t)n)) > 0)
        n += got;
    close(fd);
    text[n] = 0;
    unsigned long from, to, heap = 0;
    *all = 0;
    for (char *line = text, *end; line && *line; line = end ? end + 1 : NULL) {
        end = strchr(line, '\n');
        if (end) *end = 0;
        if (sscanf(line, "%lx-%lx", &from, &to) == 2)
            *all += (long)(to - from) / 1024;
        if (strstr(line, "[heap]"))
            heap += (to - from) / 1024;
        if (end) *end = '\n';
    }
    return (long)heap;
}

int main(void) {
    static char line[256];
    long before, small, large, after;
    heap_kib(&before);
    char *volatile a = malloc(1);
    *a = 1;
    long heap = heap_kib(&small);
    char *volatile b = malloc(200 * 1024);
    memset(b, 7, 200 * 1024);
    heap_kib(&large);
    free(b);
    heap_kib(&after);
    int n = snprintf(line, sizeof line, "heap %ld KiB, mapping of %ld KiB, %ld KiB after free\n",
                     heap, large - small, after - small);
    return write(1, line, (size_t)n) != n;
}
END
riscv64-linux-gnu-gcc -O1 -static -o "$scratch/heap" "$scratch/heap.c" || fail "does not compile"
# 200 KiB and the 16 bytes before it, in whole pages: 204 KiB. In a static program glibc keeps its
# thread-local storage at the start of the same heap: 4 KiB more.
expected='heap 132 KiB, mapping of 204 KiB, 0 KiB after free'
got=$("$QUIRE" run --quiet --ram 16M -- "$scratch/heap") || fail "status $?: $got"
[ "$got" = "$expected" ] || [ "$got" = "heap 136${expected#heap 132}" ] || fail "static: $got"

# The same with the tree's own dynamic linker and C library.
need_root
riscv64-linux-gnu-gcc -O1 -o "$scratch/heap-dynamic" "$scratch/heap.c" || fail "does not compile"
got=$("$QUIRE" run --quiet --ram 16M --root "$root" --bind "$scratch:/scratch" -- \
    /scratch/heap-dynamic) || fail "status $?: $got"
[ "$got" = "$expected" ] || fail "dynamic: $got"
echo "static and dynamic: $expected"
