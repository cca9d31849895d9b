/* proc_view.c: a guest program: what /proc/PID says of memory and environment, and calls on files
 * that must at least be told apart from missing ones. Run natively and on the machine.
 */
#include "proc_test.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PAGE    4096ul
#define RW      (PROT_READ | PROT_WRITE)
#define PRESENT (UINT64_C(1) << 63)
#define SWAPPED (UINT64_C(1) << 62)
#define OF_FILE (UINT64_C(1) << 61)
#define FRAME   ((UINT64_C(1) << 55) - 1)

static int pagemap;

static uint64_t word_of(const void *va) {
    uint64_t word = 1;
    EXPECT(pread(pagemap, &word, 8, (off_t)((uintptr_t)va / PAGE * 8)) == 8);
    return word;
}

static void environment(void) {
    char text[64];
    int fd = open("/proc/self/environ", O_RDONLY);
    EXPECT(read(fd, text, sizeof text) == 10 && memcmp(text, "A=1\0B=two\0", 10) == 0);
    EXPECT(setenv("A", "22", 1) == 0); /* the file shows what exec was given */
    EXPECT(pread(fd, text, sizeof text, 0) == 10 && memcmp(text, "A=1", 4) == 0);
    close(fd);
}

static void pages(void) {
    char *at = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t word;
    pagemap = open("/proc/self/pagemap", O_RDONLY);
    EXPECT(pagemap >= 0 && word_of(at) == 0);
    at[0] = 1;
    at[2 * PAGE] = 2;
    EXPECT((word_of(at) & (PRESENT | SWAPPED | OF_FILE)) == PRESENT);
    EXPECT(word_of(at + PAGE) == 0 && word_of(at + 2 * PAGE) & PRESENT);
    EXPECT(word_of(report) & PRESENT && word_of(report) & OF_FILE);
    /* frames are shown to the privileged only */
    EXPECT((word_of(at) & FRAME) == 0 || (word_of(at) & FRAME) != (word_of(at + 2 * PAGE) & FRAME));
    EXPECT(pread(pagemap, &word, 5, 0) == -1 && errno == EINVAL);
    EXPECT(pread(pagemap, &word, 8, 4) == -1 && errno == EINVAL);
    EXPECT(munmap(at + 2 * PAGE, PAGE) == 0 && word_of(at + 2 * PAGE) == 0);
    if (madvise(at, PAGE, MADV_PAGEOUT) == 0 && !(word_of(at) & PRESENT))
        EXPECT(word_of(at) & SWAPPED);
    EXPECT(at[0] == 1 && word_of(at) & PRESENT);
    close(pagemap);
}

/* The sum of a field's numbers in a file of smaps' format, kB. */
static long sum_of(const char *path, const char *field) {
    FILE *file = fopen(path, "r");
    char line[512];
    long sum = 0, kilobytes;
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, field, strlen(field)) == 0 &&
            sscanf(line + strlen(field), "%ld", &kilobytes) == 1)
            sum += kilobytes;
    if (file)
        fclose(file);
    return sum;
}

static void rollup(void) {
    static const char *const fields[] = {"Rss:", "Private_Dirty:", "Anonymous:", "Swap:"};
    sum_of("/proc/self/smaps", "Rss:"); /* what reading needs is in memory then */
    for (unsigned i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        long parts = sum_of("/proc/self/smaps", fields[i]);
        long whole = sum_of("/proc/self/smaps_rollup", fields[i]);
        EXPECT(parts - whole <= 64 && whole - parts <= 64);
    }
    EXPECT(sum_of("/proc/self/smaps_rollup", "Rss:") > 0);
}

static void limits_of_vm(void) {
    EXPECT(sum_of("/proc/sys/vm/swappiness", "") >= 0);
    EXPECT(sum_of("/proc/sys/vm/overcommit_memory", "") <= 2);
}

static void attributes(void) {
    char list[256];
    int fd = open("/", O_RDONLY);
    EXPECT(llistxattr("/proc/none/x", list, sizeof list) == -1 && errno == ENOENT);
    EXPECT(listxattr("/", list, sizeof list) >= 0 || errno == EOPNOTSUPP);
    EXPECT(llistxattr("/", list, sizeof list) >= 0 || errno == EOPNOTSUPP);
    EXPECT(flistxattr(fd, list, sizeof list) >= 0 || errno == EOPNOTSUPP);
    EXPECT(flistxattr(1000, list, sizeof list) == -1 && errno == EBADF);
    EXPECT(fsetxattr(1000, "user.x", "", 0, 0) == -1 && errno == EBADF);
    EXPECT(removexattr("/proc/none/x", "user.x") == -1 && errno == ENOENT);
    close(fd);
}

static void syncs(void) {
    FILE *file = tmpfile();
    int fd = fileno(file), fds[2];
    char byte = 0;
    EXPECT(ftruncate(fd, 2 * PAGE) == 0 && pipe(fds) == 0);
    char *at = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
    at[PAGE] = 'Q';
    EXPECT(fsync(fd) == 0 && fdatasync(fd) == 0);
    EXPECT(pread(fd, &byte, 1, PAGE) == 1 && byte == 'Q');
    EXPECT(fsync(fds[0]) == -1 && errno == EINVAL);
    EXPECT(fdatasync(1000) == -1 && errno == EBADF);
    munmap(at, 2 * PAGE);
    fclose(file);
    close(fds[0]);
    close(fds[1]);
}

int main(int argc, char **argv) {
    char *again[] = {argv[0], "again", NULL}, *variables[] = {"A=1", "B=two", NULL};
    if (argc == 1) {
        execve("/proc/self/exe", again, variables);
        return 1;
    }
    environment();
    pages();
    rollup();
    limits_of_vm();
    attributes();
    syncs();
    return report("view");
}
