/* patterns: pages used in all ways that an order of last use can go wrong: loops, random ones, both
 * pages of one access, buffers that only the kernel fills, memory that is given back and taken
 * again, children, and a heap that shrinks. Run by tests/run/curves.sh. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  4096
#define PAGES 1500

static uint64_t state = 88172645463325252u;

static uint64_t draw(uint64_t bound) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % bound;
}

static void loops(char *array) {
    for (unsigned n = 400; n <= PAGES; n += 400)
        for (unsigned round = 0; round < 2; round++)
            for (unsigned i = 0; i < n; i++)
                array[i * PAGE + i % 64]++;
}

static void scatter(char *array) {
    for (unsigned i = 0; i < 4000; i++)
        array[draw(draw(PAGES) + 1) * PAGE]++;
}

/* Eight bytes that begin in one page and end in the next. */
static void cross(char *array) {
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t value, at = (draw(PAGES - 1) + 1) * PAGE - 1 - draw(7);
        memcpy(&value, array + at, sizeof value);
        value++;
        __asm__ volatile("sd %1, %0" : "=m"(*(uint64_t *)(array + at)) : "r"(value));
    }
}

static void kernel_fills(char *array) {
    int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
    for (unsigned i = 0; i < 50; i++) {
        size_t at = draw(PAGES - 40) * PAGE;
        if (read(zero, array + at, 17 * PAGE) < 0 || write(null, array + at, 23 * PAGE) < 0)
            _exit(2);
        array[at]++;
    }
    close(zero);
    close(null);
}

static void give_back(char *array) {
    for (unsigned i = 0; i < 30; i++) {
        unsigned n = 1 + (unsigned)draw(300), first = (unsigned)draw(PAGES - n);
        if (madvise(array + first * PAGE, n * PAGE, MADV_DONTNEED))
            _exit(3);
        for (unsigned k = 0; k < n; k += 2)
            array[(first + k) * PAGE]++;
        char *more =
            mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memset(more, 1, n * PAGE);
        for (unsigned k = 0; k < 300; k++)
            array[draw(PAGES) * PAGE] += more[draw(n) * PAGE];
        munmap(more, n * PAGE);
    }
    for (unsigned i = 0; i < 10; i++) {
        size_t n = (1 + draw(200)) * PAGE;
        char *heap = sbrk((intptr_t)n);
        memset(heap, 2, n);
        scatter(array);
        sbrk(-(intptr_t)n);
    }
}

static void children(char *array) {
    for (unsigned i = 0; i < 3; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            loops(array);
            _exit(0);
        }
        for (unsigned k = 0; k < 3; k++)
            scatter(array);
        if (i % 2)
            waitpid(pid, NULL, 0);
    }
    while (wait(NULL) > 0)
        continue;
}

int main(void) {
    char *array =
        mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    loops(array);
    scatter(array);
    cross(array);
    kernel_fills(array);
    give_back(array);
    children(array);
    scatter(array);
    return 0;
}
