/* swapon(2), swapoff(2) and /proc/swaps from inside, while children use the memory that is on them.
 * Arguments: a swap area of at least 24 MiB, another one. Checks itself; needs root. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096u

static void check(int good, const char *what) {
    if (!good) {
        printf("FAILED: %s (errno %d)\n", what, errno);
        exit(1);
    }
}

static int fails(int result, int error) {
    return result == -1 && errno == error;
}

/* /proc/swaps has a line with these words. */
static int shown(const char *name, const char *end) {
    char line[512];
    FILE *file = fopen("/proc/swaps", "r");
    int found = 0;
    check(file != NULL, "/proc/swaps");
    check(fgets(line, sizeof line, file) &&
              strcmp(line, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n") == 0,
          "the heading of /proc/swaps");
    while (fgets(line, sizeof line, file)) {
        size_t n = strlen(name), e = strlen(end), l = strlen(line);
        found |= strncmp(line, name, n) == 0 && l > e && strcmp(line + l - e, end) == 0;
    }
    fclose(file);
    return found;
}

static void fill(uint64_t *words, size_t npages, uint64_t version) {
    for (size_t page = 0; page < npages; page++)
        for (size_t i = 0; i < PAGE / 8; i += 64)
            words[page * (PAGE / 8) + i] = page * 1000003 + i + version;
}

static int is_whole(const uint64_t *words, size_t npages, uint64_t version) {
    for (size_t page = 0; page < npages; page++)
        for (size_t i = 0; i < PAGE / 8; i += 64)
            if (words[page * (PAGE / 8) + i] != page * 1000003 + i + version)
                return 0;
    return 1;
}

/* A child that writes and reads more memory than there is RAM until it is told to end. */
static pid_t worker(size_t npages, const int pipe[2]) {
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    uint64_t *words =
        mmap(NULL, npages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char byte;
    if (words == MAP_FAILED)
        _exit(2);
    close(pipe[1]);
    for (uint64_t version = 0; read(pipe[0], &byte, 1) != 0; version++) {
        fill(words, npages, version);
        if (!is_whole(words, npages, version))
            _exit(3);
    }
    _exit(0);
}

static void errors(const char *area) {
    check(fails(swapon("/nowhere", 0), ENOENT), "no such file");
    check(fails(swapoff("/nowhere"), ENOENT), "no such file to take off");
    check(fails(swapon(area, 0x100000), EINVAL), "unknown flag");
    check(fails(swapoff(area), EINVAL), "not in use");
    check(fails(swapon((const char *)8, 0), EFAULT), "bad pointer");
    int fd = open("plain", O_RDWR | O_CREAT | O_TRUNC, 0600);
    check(fd >= 0 && ftruncate(fd, 1 << 20) == 0, "a plain file");
    check(fails(swapon("plain", 0), EINVAL), "no header");
    check(pwrite(fd, "SWAPSPACE2", 10, 4086) == 10, "half a header");
    check(fails(swapon("plain", 0), EINVAL), "half a header is none");
    close(fd);
    unlink("plain");
    check(fails(swapon(".", 0), EISDIR) || errno == EINVAL, "a directory");
}

int main(int argc, char **argv) {
    check(argc == 3, "two areas");
    const size_t npages = 10 << 20 >> 12, share = 4 << 20 >> 12; /* with 8 MiB of RAM */
    int stop[2];
    errors(argv[1]);
    check(swapon(argv[1], SWAP_FLAG_PREFER | 5) == 0, "swapon");
    check(shown(argv[1], "\t5\n"), "the area with its priority");
    check(fails(swapon(argv[1], 0), EBUSY), "in use already");
    check(pipe2(stop, O_NONBLOCK) == 0, "pipe");
    pid_t workers[2];
    for (int i = 0; i < 2; i++)
        workers[i] = worker(share, stop);
    uint64_t *words =
        mmap(NULL, npages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(words != MAP_FAILED, "mmap");
    fill(words, npages, 7);
    /* There is not RAM enough for all: the only area cannot go, and nothing is lost by trying. */
    check(fails(swapoff(argv[1]), ENOMEM), "swapoff of what does not fit");
    check(is_whole(words, npages, 7), "bytes after the refused swapoff");
    for (int round = 0; round < 6; round++) {
        char **on = &argv[1 + (round + 1) % 2], **off = &argv[1 + round % 2];
        check(swapon(*on, 0) == 0, "swapon of the other one");
        check(shown(*on, "\t-2\n") || shown(*on, "\t-3\n"), "a priority of our own");
        fill(words, npages, (uint64_t)round);
        check(swapoff(*off) == 0, "swapoff under load");
        check(!shown(*off, "\n"), "gone from /proc/swaps");
        check(is_whole(words, npages, (uint64_t)round), "bytes after swapoff");
        sched_yield();
    }
    close(stop[1]);
    for (int i = 0; i < 2; i++) {
        int status;
        check(waitpid(workers[i], &status, 0) == workers[i] && status == 0, "a worker's bytes");
    }
    munmap(words, npages * PAGE);
    check(swapoff(argv[1]) == 0, "the last one, now that there is room");
    printf("swapon, swapoff and /proc/swaps are as they should\n");
    return 0;
}
