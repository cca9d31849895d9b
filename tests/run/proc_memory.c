/* proc_memory.c: a guest program: what the memory calls answer, as a table. Run natively and on the
 * machine it must print the same.
 */
#include "proc_test.h"

#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096ul

static char *area; /* a hole to work in: 64 pages reserved, then unmapped */
static int file_rw, file_ro, file_wo, directory;

static void show(const char *what, long result) {
    if (result == -1)
        printf("%-44s %s\n", what, strerrorname_np(errno));
    else if (result > 4096 || result < 0)
        printf("%-44s at %ld\n", what, (result - (long)area) / (long)PAGE);
    else
        printf("%-44s %ld\n", what, result);
}
#define SHOW(call) show(#call, (long)(call))
/* An address that the kernel chose: only whether it did. */
#define SHOW_ANY(call) show(#call, (long)(call) == -1 ? -1 : 0)

#define PA (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW (PROT_READ | PROT_WRITE)

static void maps(void) {
    SHOW_ANY(mmap(0, 0, RW, PA, -1, 0));
    SHOW_ANY(mmap(0, PAGE, RW, MAP_ANONYMOUS, -1, 0));
    SHOW_ANY(mmap(0, PAGE, RW, PA, -1, 1));
    SHOW_ANY(mmap(0, SIZE_MAX - PAGE, RW, PA, -1, 0));
    SHOW_ANY(mmap(0, 1ul << 48, RW, PA | MAP_NORESERVE, -1, 0));
    SHOW_ANY(mmap(0, PAGE, RW, MAP_PRIVATE, -1, 0));
    SHOW_ANY(mmap(0, PAGE, RW, MAP_PRIVATE, 1000, 0));
    SHOW_ANY(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, directory, 0));
    SHOW_ANY(mmap(0, PAGE, PROT_READ, MAP_PRIVATE, file_wo, 0));
    SHOW_ANY(mmap(0, PAGE, RW, MAP_SHARED, file_ro, 0));
    SHOW_ANY(mmap(0, PAGE, RW, MAP_PRIVATE, file_ro, 0));
    SHOW_ANY(mmap(0, PAGE, RW, MAP_SHARED, file_rw, 100));
    SHOW(mmap(area, PAGE, RW, PA | MAP_FIXED, -1, 0));
    SHOW(mmap(area + 1, PAGE, RW, PA | MAP_FIXED, -1, 0));
    SHOW(mmap(area, PAGE, RW, PA | MAP_FIXED_NOREPLACE, -1, 0));
    SHOW(mmap(area + PAGE, PAGE, RW, PA | MAP_FIXED_NOREPLACE, -1, 0));
    SHOW(mmap(area + 8 * PAGE, 4 * PAGE, RW, PA, -1, 0)); /* a hint that is free is taken */
    SHOW(mmap(area + 8 * PAGE + 5, PAGE, RW, PA | MAP_FIXED, -1, 0));
}

static void changes(void) {
    SHOW(mprotect(area + 1, PAGE, PROT_READ));
    SHOW(mprotect(area, 0, PROT_READ));
    SHOW(mprotect(area, 2 * PAGE, PROT_READ));
    SHOW(mprotect(area, 3 * PAGE, PROT_READ)); /* the third is a hole */
    SHOW(mprotect(area + 20 * PAGE, PAGE, PROT_READ));
    SHOW(mprotect(area, PAGE, 0x100));
    SHOW(mprotect(area, PAGE, PROT_NONE));
    char *shared = mmap(area + 40 * PAGE, PAGE, PROT_READ, MAP_SHARED, file_ro, 0);
    SHOW(mprotect(shared, PAGE, RW));
    SHOW(munmap(shared, PAGE));
    SHOW(munmap(area + 1, PAGE));
    SHOW(munmap(area, 0));
    SHOW(munmap(area + 20 * PAGE, 4 * PAGE)); /* holes are fine */
    SHOW(munmap(area + 9 * PAGE, PAGE));      /* and splitting is */
    SHOW(munmap((void *)(UINTPTR_MAX - PAGE + 1), PAGE));
}

static void moves(void) {
    char *from = area + 8 * PAGE;
    *from = 55;
    SHOW(mremap(from + 1, PAGE, PAGE, 0));
    SHOW(mremap(from, PAGE, 0, 0));
    SHOW(mremap(from, PAGE, PAGE, 0x100));
    SHOW(mremap(from, PAGE, PAGE, MREMAP_FIXED, area + 30 * PAGE));
    SHOW(mremap(area + 25 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
    SHOW(mremap(from, PAGE, 2 * PAGE, 0)); /* page 9 is a hole: grows in place */
    SHOW(mremap(from, 2 * PAGE, 6 * PAGE, 0));
    SHOW(mremap(from, 2 * PAGE, PAGE, 0));
    SHOW(mremap(from, PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area + 30 * PAGE));
    SHOW(mremap(area + 30 * PAGE, 3 * PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area + 31 * PAGE));
    printf("its byte is %d\n", area[30 * PAGE]);
    SHOW(mremap(area + 30 * PAGE, 3 * PAGE, 3 * PAGE, 0));
}

static void advice(void) {
    char *at = area + 30 * PAGE;
    SHOW(madvise(at + 1, PAGE, MADV_DONTNEED));
    SHOW(madvise(at, 0, MADV_DONTNEED));
    SHOW(madvise(at, PAGE, 77));
    SHOW(madvise(at, PAGE, MADV_WILLNEED));
    SHOW(madvise(at, PAGE, MADV_SEQUENTIAL));
    SHOW(madvise(at, PAGE, MADV_HUGEPAGE) == 0 || errno == EINVAL);
    SHOW(madvise(at, 10 * PAGE, MADV_DONTNEED)); /* holes behind */
    printf("its byte is %d\n", *at);
    SHOW(madvise(at, (size_t)-5000, MADV_NORMAL));
}

static void states(void) {
    unsigned char vector[8] = {9, 9, 9, 9, 9, 9, 9, 9};
    char *at = area + 30 * PAGE;
    SHOW(mincore(at + 1, PAGE, vector));
    SHOW(mincore(at, 4 * PAGE, vector));
    *at = 1;
    SHOW(mincore(at, PAGE, vector));
    printf("resident: %d\n", vector[0] & 1);
    SHOW(mincore(at, PAGE, (void *)16));
    SHOW(mincore(at, 0, vector));
    SHOW(msync(at + 1, PAGE, MS_SYNC));
    SHOW(msync(at, PAGE, MS_SYNC | MS_ASYNC));
    SHOW(msync(at, PAGE, 64));
    SHOW(msync(at, PAGE, MS_SYNC));
    SHOW(msync(at, 10 * PAGE, MS_SYNC));
    SHOW(mlock(at, PAGE));
    SHOW(mlock(area + 20 * PAGE, PAGE));
    SHOW(munlock(at, PAGE));
    SHOW(mlockall(0));
    SHOW(munlockall());
}

static void breaks(void) {
    char *old = sbrk(0);
    SHOW(syscall(SYS_brk, 0) == (long)old);
    SHOW(syscall(SYS_brk, 1) == (long)old); /* cannot: stays */
    SHOW(syscall(SYS_brk, old + 3 * PAGE) == (long)(old + 3 * PAGE));
    old[2 * PAGE] = 5;
    SHOW(syscall(SYS_brk, old + PAGE / 2) == (long)(old + PAGE / 2));
    SHOW(syscall(SYS_brk, old + 3 * PAGE) == (long)(old + 3 * PAGE));
    printf("its byte is %d\n", old[2 * PAGE]);
    SHOW(syscall(SYS_brk, (char *)0x7ffffffff000) == (long)(old + 3 * PAGE));
    SHOW(syscall(SYS_brk, old) == (long)old);
}

static void files(void) {
    char *at = mmap(area + 40 * PAGE, 2 * PAGE, RW, MAP_SHARED | MAP_FIXED, file_rw, 0), byte = 0;
    EXPECT(at != MAP_FAILED);
    at[10] = 'Q';
    EXPECT(pread(file_rw, &byte, 1, 10) == 1 && byte == 'Q'); /* at once, without msync */
    EXPECT(pwrite(file_rw, "R", 1, 11) == 1 && at[11] == 'R');
    char *copy = mmap(area + 44 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_FIXED, file_rw, 0);
    EXPECT(copy[10] == 'Q');
    copy[10] = 'x';
    EXPECT(at[10] == 'Q');
    EXPECT(munmap(at, 2 * PAGE) == 0 && munmap(copy, PAGE) == 0);
    EXPECT(pread(file_rw, &byte, 1, 10) == 1 && byte == 'Q');
}

int main(void) {
    FILE *file = tmpfile();
    char name[64];
    file_rw = fileno(file);
    EXPECT(ftruncate(file_rw, 2 * PAGE) == 0);
    snprintf(name, sizeof name, "/proc/self/fd/%d", file_rw);
    file_ro = fileno(fopen(name, "r"));
    file_wo = fileno(fopen(name, "a"));
    directory = dup(fileno(fopen("/", "r")));
    setvbuf(stdout, NULL, _IONBF, 0);
    area = mmap(0, 64 * PAGE, PROT_NONE, PA, -1, 0);
    munmap(area, 64 * PAGE);
    maps();
    changes();
    moves();
    advice();
    states();
    breaks();
    files();
    return report("memory");
}
