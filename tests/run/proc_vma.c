/* proc_vma.c: a guest program: areas that are split, merged, moved, advised and locked, as a table
 * of answers and of what /proc/self/maps and smaps then say. Run natively and on the machine it
 * must print the same.
 */
#include "proc_test.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  4096ul
#define PAGES 128

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

static char *area; /* a hole to work in */
static int file_rw;

static void show(const char *what, long result) {
    if (result == -1)
        printf("%-60s %s\n", what, strerrorname_np(errno));
    else if (result >= (long)area && result < (long)(area + PAGES * PAGE))
        printf("%-60s at %ld\n", what, (result - (long)area) / (long)PAGE);
    else
        printf("%-60s %ld\n", what, result);
}
#define SHOW(call)     show(#call, (long)(call))
#define SHOW_ANY(call) show(#call, (long)(call) == -1 ? -1 : 0)

#define PA       (MAP_PRIVATE | MAP_ANONYMOUS)
#define SA       (MAP_SHARED | MAP_ANONYMOUS)
#define RW       (PROT_READ | PROT_WRITE)
#define AT(page) (area + (page)*PAGE)

/* The areas in the hole, as maps tells them. */
static void areas(const char *after) {
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned long start, end, offset;
    char prot[8], line[512];
    printf("after %s:", after);
    while (fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx %7s %lx", &start, &end, prot, &offset) != 4 ||
            start < (unsigned long)area || end > (unsigned long)AT(PAGES))
            continue;
        printf(" %lu-%lu %s", (start - (unsigned long)area) / PAGE,
               (end - (unsigned long)area) / PAGE, prot);
    }
    printf("\n");
    fclose(maps);
}

/* A line of smaps of the area that begins at page; -1: none. */
static long smaps(unsigned page, const char *name) {
    FILE *file = fopen("/proc/self/smaps", "r");
    unsigned long start, end;
    char line[512], key[64];
    long value = -1, number;
    bool here = false;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
            here = start == (unsigned long)AT(page);
        else if (here && sscanf(line, "%63[^:]: %ld", key, &number) == 2 && !strcmp(key, name))
            value = number;
    }
    fclose(file);
    return value;
}

static long status(const char *name) {
    FILE *file = fopen("/proc/self/status", "r");
    char line[512], key[64];
    long value = -1, number;
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%63[^:]: %ld", key, &number) == 2 && !strcmp(key, name))
            value = number;
    }
    fclose(file);
    return value;
}

static void clear(void) {
    EXPECT(munmap(area, PAGES * PAGE) == 0);
}

static char *map(unsigned page, unsigned npages, int prot, int flags) {
    char *at = mmap(AT(page), npages * PAGE, prot, flags | MAP_FIXED, -1, 0);
    EXPECT(at == AT(page));
    return at;
}

static void split_and_merge(void) {
    map(0, 10, RW, PA);
    map(10, 10, RW, PA);
    areas("two neighbours");
    SHOW(mprotect(AT(3), 4 * PAGE, PROT_READ));
    areas("a split");
    SHOW(mprotect(AT(3), 4 * PAGE, RW));
    areas("a merge");
    SHOW(munmap(AT(5), PAGE));
    SHOW(mprotect(AT(2), 6 * PAGE, PROT_READ)); /* up to the hole */
    areas("a protection that met a hole");
    SHOW(mprotect(AT(5), 2 * PAGE, PROT_READ)); /* the hole first */
    map(5, 1, PROT_READ, PA);
    areas("filling the hole");
    SHOW_ANY(mmap(AT(2), 3 * PAGE, RW, PA | MAP_FIXED, -1, 0));
    areas("a fixed mapping over the middle");
    SHOW(mmap(AT(19), 2 * PAGE, RW, PA | MAP_FIXED_NOREPLACE, -1, 0));
    SHOW(mmap(AT(20), 2 * PAGE, RW, PA | MAP_FIXED_NOREPLACE, -1, 0));
    areas("fixed without replacing");
    clear();
}

static void moves(void) {
    char *from = map(0, 4, RW, PA);
    memset(from, 'a', 4 * PAGE);
    SHOW(mremap(from, 4 * PAGE, 6 * PAGE, 0));
    SHOW(mremap(from, 6 * PAGE, 3 * PAGE, 0));
    areas("growing and shrinking");
    map(3, 1, PROT_READ, PA);
    SHOW(mremap(from, 3 * PAGE, 5 * PAGE, 0));
    SHOW(mremap(AT(1), PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(20)));
    areas("moving the middle out and growing it");
    printf("bytes %c %d\n", *AT(20), *AT(21));
    SHOW(mremap(from, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE)); /* same size: nothing to check */
    SHOW(mremap(from, 2 * PAGE, PAGE, MREMAP_MAYMOVE));     /* the tail is a hole */
    SHOW(mremap(from, 3 * PAGE, 4 * PAGE, MREMAP_MAYMOVE)); /* it is not all one area */
    SHOW(mremap(AT(60), PAGE, PAGE, MREMAP_MAYMOVE));
    SHOW(mremap(from, PAGE, PAGE, MREMAP_FIXED, AT(40)));
    SHOW(mremap(from, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(0)));
    SHOW(mremap(from, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(40) + 1));
    SHOW(mremap(from, PAGE, 0, MREMAP_MAYMOVE));
    SHOW(mremap(from, 0, PAGE, MREMAP_MAYMOVE));
    areas("errors");
    clear();
}

static void moves_that_keep(void) {
    char *from = map(0, 4, RW, PA);
    memset(from, 'b', 4 * PAGE);
    SHOW(mremap(from, 4 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0));
    SHOW(mremap(from, 4 * PAGE, 4 * PAGE, MREMAP_DONTUNMAP, 0));
    SHOW(
        mremap(from, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED, AT(10)));
    areas("a move that leaves the old place mapped");
    printf("bytes %d %c\n", *from, *AT(10));
    char *shared = map(30, 2, RW, SA);
    *shared = 's';
    SHOW(mremap(shared, 0, 2 * PAGE, 0));
    SHOW(mremap(shared, 0, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(40)));
    *AT(40) = 't';
    printf("one page, two places: %c %c\n", *shared, *AT(40));
    SHOW(mremap(AT(30), 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED,
                AT(50)));
    printf("and three: %c %c %c\n", *shared, *AT(40), *AT(50));
    areas("doubling shared memory");
    clear();
}

static void drops(void) {
    char *at = map(0, 8, RW, PA);
    memset(at, 'c', 8 * PAGE);
    SHOW(madvise(at, 2 * PAGE, MADV_DONTNEED));
    printf("bytes %d %c\n", *at, *AT(2));
    SHOW(madvise(AT(2), 2 * PAGE, MADV_FREE));
    *AT(2) = 'd';
    printf("written again: %c %c\n", *AT(2), AT(2)[1]);
    SHOW(madvise(AT(4), PAGE, MADV_COLD));
    SHOW(madvise(AT(4), PAGE, MADV_PAGEOUT));
    printf("paged out: %c\n", *AT(4));
    SHOW(madvise(AT(4), PAGE, 4711));
    SHOW(madvise(AT(7), 4 * PAGE, MADV_COLD)); /* holes behind */
    SHOW(madvise(AT(7), 4 * PAGE, MADV_FREE));
    char *shared = map(20, 2, RW, SA);
    *shared = 'e';
    SHOW(madvise(shared, PAGE, MADV_FREE));
    SHOW(madvise(shared, PAGE, MADV_DONTNEED));
    printf("shared memory keeps: %c\n", *shared);
    shared[PAGE] = 'g';
    SHOW(madvise(shared, PAGE, MADV_REMOVE));
    printf("a hole: %d %c\n", *shared, shared[PAGE]);
    SHOW(madvise(at, PAGE, MADV_REMOVE)); /* nothing that others could see */
    SHOW(mlock(shared, PAGE));
    SHOW(madvise(shared, 2 * PAGE, MADV_REMOVE));
    SHOW(munlock(shared, PAGE));
    char *file = mmap(AT(30), 2 * PAGE, RW, MAP_PRIVATE | MAP_FIXED, file_rw, 0);
    *file = 'f';
    SHOW(madvise(file, PAGE, MADV_FREE));
    SHOW(madvise(file, PAGE, MADV_DONTNEED));
    printf("a private file is as it was: %d\n", *file);
    SHOW(madvise(file, PAGE, MADV_REMOVE));
    SHOW(madvise(file, PAGE, MADV_POPULATE_READ));
    clear();
}

static long resident(char *at, size_t npages) {
    unsigned char vector[PAGES];
    long sum = 0;
    EXPECT(mincore(at, npages * PAGE, vector) == 0);
    for (size_t i = 0; i < npages; i++)
        sum += vector[i] & 1;
    return sum;
}

static void populates(void) {
    char *at = map(0, 8, RW, PA);
    printf("resident %ld\n", resident(at, 8));
    SHOW(madvise(at, 2 * PAGE, MADV_POPULATE_READ));
    SHOW(madvise(AT(2), 2 * PAGE, MADV_POPULATE_WRITE));
    printf("resident %ld\n", resident(at, 8));
    SHOW(madvise(AT(6), 4 * PAGE, MADV_POPULATE_WRITE));
    printf("resident %ld\n", resident(at, 8));
    map(8, 2, PROT_READ, PA);
    map(10, 2, PROT_NONE, PA);
    SHOW(madvise(AT(8), PAGE, MADV_POPULATE_READ));
    SHOW(madvise(AT(8), PAGE, MADV_POPULATE_WRITE));
    SHOW(madvise(AT(10), PAGE, MADV_POPULATE_READ));
    SHOW(madvise(AT(10), PAGE, MADV_POPULATE_WRITE));
    SHOW(madvise(AT(1) + 1, PAGE, MADV_POPULATE_READ));
    char *file = mmap(AT(20), 4 * PAGE, RW, MAP_SHARED | MAP_FIXED, file_rw, 0);
    SHOW(madvise(file, 2 * PAGE, MADV_POPULATE_WRITE));
    SHOW(madvise(file, 4 * PAGE, MADV_POPULATE_READ)); /* past the end */
    map(30, 4, RW, PA | MAP_POPULATE);
    printf("resident %ld\n", resident(AT(30), 4));
    clear();
}

static void children(void) {
    char *at = map(0, 6, RW, PA);
    memset(at, 'g', 6 * PAGE);
    SHOW(madvise(AT(1), PAGE, MADV_DONTFORK));
    SHOW(madvise(AT(3), PAGE, MADV_WIPEONFORK));
    SHOW(madvise(AT(5), PAGE, MADV_WIPEONFORK));
    SHOW(madvise(AT(5), PAGE, MADV_KEEPONFORK));
    areas("advice about fork");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        unsigned char byte;
        printf("the child has %c, %d, %c; page 1: %s\n", *AT(2), *AT(3), *AT(5),
               mincore(AT(1), PAGE, &byte) == 0 ? "there" : strerrorname_np(errno));
        areas("fork, in the child");
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    printf("the parent has %c, %c\n", *AT(1), *AT(3));
    map(20, 2, RW, SA);
    SHOW(madvise(AT(20), PAGE, MADV_WIPEONFORK));
    SHOW(madvise(AT(20), PAGE, MADV_KEEPONFORK));
    SHOW(madvise(AT(1), PAGE, MADV_DOFORK));
    SHOW(madvise(AT(3), PAGE, MADV_KEEPONFORK));
    areas("taking it back");
    clear();
}

static void locks(void) {
    char *at = map(0, 8, RW, PA);
    long base = status("VmLck");
    SHOW(mlock(AT(1) + 5, PAGE));
    printf("VmLck %ld, resident %ld\n", status("VmLck") - base, resident(at, 8));
    printf("Locked %ld, Rss %ld\n", smaps(1, "Locked"), smaps(1, "Rss"));
    areas("locking the middle");
    SHOW(madvise(AT(1), PAGE, MADV_DONTNEED));
    SHOW(madvise(AT(1), PAGE, MADV_FREE));
    SHOW(madvise(AT(1), PAGE, MADV_COLD));
    SHOW(madvise(AT(1), PAGE, MADV_PAGEOUT));
    SHOW(msync(at, 4 * PAGE, MS_ASYNC | MS_INVALIDATE));
    SHOW(msync(at, PAGE, MS_ASYNC | MS_INVALIDATE));
    SHOW(msync(at, 10 * PAGE, MS_ASYNC));
    SHOW(mlock(AT(6), 4 * PAGE)); /* a hole behind */
    printf("VmLck %ld\n", status("VmLck") - base);
    SHOW(munlock(AT(6), 4 * PAGE));
    SHOW(munlock(at, 8 * PAGE));
    printf("VmLck %ld\n", status("VmLck") - base);
    areas("unlocking");
    SHOW(syscall(SYS_mlock2, AT(2), 2 * PAGE, 2));
    SHOW(syscall(SYS_mlock2, AT(4), 2 * PAGE, 1));
    printf("VmLck %ld, resident %ld\n", status("VmLck") - base, resident(AT(4), 2));
    *AT(4) = 'h';
    printf("Locked %ld\n", smaps(4, "Locked"));
    SHOW(mremap(AT(4), 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, AT(40)));
    printf("VmLck %ld\n", status("VmLck") - base);
    map(20, 2, PROT_NONE, PA);
    SHOW(mlock(AT(20), PAGE));
    SHOW(munmap(AT(40), 4 * PAGE));
    SHOW(munlock(AT(20), 2 * PAGE));
    printf("VmLck %ld\n", status("VmLck") - base);
    SHOW(mlock(at, 0));
    SHOW(mlock((char *)-(long)PAGE, 2 * PAGE));
    SHOW(mlock(at, SIZE_MAX / 2));
    map(50, 4, RW, PA | MAP_LOCKED);
    printf("VmLck %ld, resident %ld\n", status("VmLck") - base, resident(AT(50), 4));
    clear();
    printf("VmLck %ld\n", status("VmLck") - base);
}

static void lock_all(void) {
    SHOW(mlockall(0));
    SHOW(mlockall(8));
    SHOW(mlockall(MCL_ONFAULT));
    SHOW(mlockall(MCL_FUTURE));
    map(0, 4, RW, PA);
    printf("VmLck %ld, resident %ld\n", status("VmLck"), resident(area, 4));
    SHOW(mlockall(MCL_FUTURE | MCL_ONFAULT));
    map(10, 4, RW, PA);
    printf("VmLck %ld, resident %ld\n", status("VmLck"), resident(AT(10), 4));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        map(20, 4, RW, PA);
        printf("in the child: VmLck %ld, resident %ld\n", status("VmLck"), resident(AT(20), 4));
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    SHOW(munlockall());
    map(20, 4, RW, PA);
    printf("VmLck %ld, resident %ld\n", status("VmLck"), resident(AT(20), 4));
    clear();
}

static void lock_limits(void) {
    struct rlimit limit = {4 * PAGE, 16 * PAGE}, none = {0, 16 * PAGE};
    char *at = map(0, 16, RW, PA);
    EXPECT(setrlimit(RLIMIT_MEMLOCK, &limit) == 0);
    SHOW(mlock(at, 4 * PAGE));
    SHOW(mlock(at, 4 * PAGE));
    SHOW(mlock(at, 5 * PAGE));
    SHOW_ANY(mmap(AT(20), PAGE, RW, PA | MAP_LOCKED | MAP_FIXED, -1, 0));
    SHOW(munlock(at, 4 * PAGE));
    SHOW(mlockall(MCL_CURRENT) == 0 || errno == ENOMEM);
    munlockall();
    EXPECT(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
    SHOW(mlock(at, PAGE));
    SHOW_ANY(mmap(AT(20), PAGE, RW, PA | MAP_LOCKED | MAP_FIXED, -1, 0));
    SHOW(munlock(at, PAGE));
    SHOW(mlockall(MCL_FUTURE));
    munlockall();
    clear();
}

int main(void) {
    FILE *file = tmpfile();
    file_rw = fileno(file);
    EXPECT(ftruncate(file_rw, 2 * PAGE) == 0);
    setvbuf(stdout, NULL, _IOLBF, 0);
    area = mmap(0, PAGES * PAGE, PROT_NONE, PA, -1, 0);
    munmap(area, PAGES * PAGE);
    split_and_merge();
    moves();
    moves_that_keep();
    drops();
    populates();
    children();
    locks();
    lock_all();
    lock_limits();
    return report("vma");
}
