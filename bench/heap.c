/* heap.c: what malloc and free cost a program, and how much memory they take for it. The allocator
 * is whichever is preloaded (heap.sh), so that all run the same code. One shape a process, for peak
 * memory is a process's:
 *
 *     mixed    20,000 live blocks of 16 bytes to 4 KiB, small ones more often; a random one is
 *              exchanged
 *     grow     buffers that grow from 16 bytes to 1 MiB by half at a time, among small blocks
 *     large    64 live blocks of 64 KiB to 4 MiB, a random one exchanged; each page is touched
 *     holes    a million blocks of 32 to 256 bytes; seven of eight freed; then longer ones
 *     threads  mixed, in two threads at once
 *
 *     heap SHAPE      prints "SHAPE nanoseconds an operation, peak memory in MiB"
 *
 * Nanoseconds are of processor time, the median of RUNS runs. An operation is a malloc, a free, or
 * a realloc.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define RUNS 5

struct work {
    uint64_t seed;
    uint64_t operations;
};

/* xorshift64, Marsaglia 2003. */
static uint64_t draw(struct work *work, uint64_t below) {
    work->seed ^= work->seed << 13;
    work->seed ^= work->seed >> 7;
    work->seed ^= work->seed << 17;
    return (work->seed >> 20) % below;
}

static void *check(void *block) {
    if (block == NULL) {
        fputs("heap: an allocation failed\n", stderr);
        exit(1);
    }
    return block;
}

/* Of all powers of two between the two, one as often as another. */
static size_t size_between(struct work *work, unsigned low_bits, unsigned high_bits) {
    size_t power = (size_t)1 << (low_bits + draw(work, high_bits - low_bits));

    return power + draw(work, power);
}

static void mixed(struct work *work) {
    enum { LIVE = 20000, STEPS = 400000 };
    void **live = calloc(LIVE, sizeof *live);

    for (unsigned i = 0; i < LIVE + STEPS; i++) {
        unsigned k = i < LIVE ? i : (unsigned)draw(work, LIVE);
        free(live[k]);
        live[k] = check(malloc(size_between(work, 4, draw(work, 4) ? 8 : 12)));
        *(volatile char *)live[k] = 1;
    }
    for (unsigned i = 0; i < LIVE; i++) {
        free(live[i]);
    }
    free(live);
    work->operations += 2 * (LIVE + STEPS);
}

static void grow(struct work *work) {
    enum { BUFFERS = 8, ROUNDS = 10, SMALL = 64 };
    char *buffers[BUFFERS], *small[SMALL] = {NULL};

    for (unsigned round = 0; round < ROUNDS; round++) {
        memset(buffers, 0, sizeof buffers);
        for (size_t bytes = 16; bytes < (size_t)1 << 20; bytes += bytes / 2) {
            for (unsigned i = 0; i < BUFFERS; i++) {
                buffers[i] = check(realloc(buffers[i], bytes));
                buffers[i][bytes - 1] = 1;
                unsigned k = (unsigned)draw(work, SMALL);
                free(small[k]);
                small[k] = check(malloc(size_between(work, 4, 8)));
                work->operations += 3;
            }
        }
        for (unsigned i = 0; i < BUFFERS; i++) {
            free(buffers[i]);
        }
    }
    for (unsigned i = 0; i < SMALL; i++) {
        free(small[i]);
    }
}

static void large(struct work *work) {
    enum { LIVE = 64, STEPS = 500 };
    static char *live[LIVE];

    for (unsigned i = 0; i < STEPS; i++) {
        unsigned k = (unsigned)draw(work, LIVE);
        size_t bytes = size_between(work, 16, 22);
        free(live[k]);
        live[k] = check(malloc(bytes));
        for (size_t at = 0; at < bytes; at += 4096) {
            *(volatile char *)(live[k] + at) = 1;
        }
    }
    for (unsigned i = 0; i < LIVE; i++) {
        free(live[i]);
        live[i] = NULL;
    }
    work->operations += 2 * STEPS;
}

static void holes(struct work *work) {
    enum { BLOCKS = 1000000 };
    char **live = check(calloc(BLOCKS, sizeof *live));

    for (unsigned i = 0; i < BLOCKS; i++) {
        live[i] = check(malloc(size_between(work, 5, 8)));
        *live[i] = 1;
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        if (i % 8 != 0) {
            free(live[i]);
            live[i] = NULL;
        }
    }
    for (unsigned i = 0; i < BLOCKS; i += 2) {
        if (live[i] == NULL) {
            live[i] = check(malloc(size_between(work, 8, 9)));
            *live[i] = 1;
        }
    }
    for (unsigned i = 0; i < BLOCKS; i++) {
        free(live[i]);
    }
    free(live);
    work->operations += 2 * (BLOCKS + BLOCKS * 3 / 8);
}

static void *mixed_thread(void *work) {
    mixed(work);
    return NULL;
}

static void threads(struct work *work) {
    struct work other = {.seed = work->seed ^ 0x5bd1e995};
    pthread_t thread;

    if (pthread_create(&thread, NULL, mixed_thread, &other) != 0) {
        exit(1);
    }
    mixed(work);
    pthread_join(thread, NULL);
    work->operations += other.operations;
}

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int compare(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(struct work *work);
    } shapes[] = {
        {"mixed", mixed}, {"grow", grow}, {"large", large}, {"holes", holes}, {"threads", threads}};
    double ns[RUNS];

    for (size_t i = 0; argc == 2 && i < sizeof shapes / sizeof *shapes; i++) {
        if (strcmp(shapes[i].name, argv[1]) != 0) {
            continue;
        }
        for (unsigned run = 0; run < RUNS; run++) {
            struct work work = {.seed = 88172645463325252u};
            double start = now_ns();
            shapes[i].run(&work);
            ns[run] = (now_ns() - start) / (double)work.operations;
        }
        struct rusage usage;
        getrusage(RUSAGE_SELF, &usage);
        qsort(ns, RUNS, sizeof *ns, compare);
        printf("%s %.1f %.1f\n", argv[1], ns[RUNS / 2], (double)usage.ru_maxrss / 1024);
        return 0;
    }
    fputs("usage: heap mixed|grow|large|holes|threads\n", stderr);
    return 2;
}
