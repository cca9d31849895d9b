/* core.c: what frames cost the manager itself, in nanoseconds of processor time.
 *
 * Medians of RUNS runs, as other programs on the host disturb single ones. An operation is one
 * allocation and one free. Shapes: a pair again and again; a set that stays live, of which a random
 * member is exchanged; everything taken and then given back ("bulk").
 *
 * Objects: objects.c. Run by run.sh.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <quire/kmem.h>
#include <quire/quire.h>

#include "machine/soft/soft.h"

#define RUNS      7
#define RAM_BYTES ((uint64_t)256 << 20)
#define LIVE_MAX  100000u

struct bench {
    struct quire *q;
    uint64_t random;
    quire_frame frames[LIVE_MAX];
    unsigned char orders[LIVE_MAX];
};

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* xorshift64*, Vigna 2016. */
static uint32_t next_random(struct bench *bench) {
    bench->random ^= bench->random >> 12;
    bench->random ^= bench->random << 25;
    bench->random ^= bench->random >> 27;
    return (uint32_t)(bench->random * 0x2545F4914F6CDD1Du >> 32);
}

static void must(int ok) {
    if (!ok) {
        fputs("core: an allocation failed\n", stderr);
        exit(1);
    }
}

/* Each shape does n pairs and knows what it needs. */

static void frame_pairs(struct bench *bench, unsigned n, unsigned order) {
    quire_frame frame;
    for (unsigned i = 0; i < n; i++) {
        must(quire_frames_alloc(bench->q, order, &frame) == QUIRE_OK);
        quire_frames_free(bench->q, frame, order);
    }
}

static void frame_bulk(struct bench *bench, unsigned n, unsigned order) {
    unsigned count = (unsigned)(RAM_BYTES / 2 >> (12 + order));
    for (unsigned done = 0; done < n; done += count) {
        for (unsigned i = 0; i < count; i++) {
            must(quire_frames_alloc(bench->q, order, &bench->frames[i]) == QUIRE_OK);
        }
        for (unsigned i = 0; i < count; i++) {
            quire_frames_free(bench->q, bench->frames[i], order);
        }
    }
}

/* Blocks of orders 0 to `most`, 15,000 live, random ones exchanged. */
static void frame_mixed(struct bench *bench, unsigned n, unsigned most) {
    enum { LIVE = 15000 };
    for (unsigned i = 0; i < LIVE + n; i++) {
        unsigned k = i < LIVE ? i : next_random(bench) % LIVE;
        if (i >= LIVE) {
            quire_frames_free(bench->q, bench->frames[k], bench->orders[k]);
        }
        bench->orders[k] = (unsigned char)(next_random(bench) % (most + 1));
        must(quire_frames_alloc(bench->q, bench->orders[k], &bench->frames[k]) == QUIRE_OK);
    }
    for (unsigned k = 0; k < LIVE; k++) {
        quire_frames_free(bench->q, bench->frames[k], bench->orders[k]);
    }
}

/* A request that cannot be met: every second frame is taken, so that no two neighbours are free. */
static void frame_refused(struct bench *bench, unsigned n, unsigned order) {
    quire_frame frame;
    unsigned taken = 0;
    while (taken < LIVE_MAX && quire_frames_alloc(bench->q, 0, &bench->frames[taken]) == QUIRE_OK) {
        taken++;
    }
    for (unsigned i = 0; i < taken; i += 2) {
        quire_frames_free(bench->q, bench->frames[i], 0);
    }
    for (unsigned i = 0; i < n; i++) {
        must(quire_frames_alloc(bench->q, order, &frame) == QUIRE_NOMEM);
    }
    for (unsigned i = 1; i < taken; i += 2) {
        quire_frames_free(bench->q, bench->frames[i], 0);
    }
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(struct bench *bench, const char *what, unsigned n, unsigned argument,
                    void (*shape)(struct bench *, unsigned, unsigned)) {
    double runs[RUNS];
    for (unsigned run = 0; run < RUNS; run++) {
        double start = now_ns();
        shape(bench, n, argument);
        runs[run] = (now_ns() - start) / n;
    }
    qsort(runs, RUNS, sizeof runs[0], compare);
    printf("%-44s %7.2f ns   (%.2f to %.2f)\n", what, runs[RUNS / 2], runs[0], runs[RUNS - 1]);
}

int main(void) {
    static struct bench bench; /* the arrays are too large for a stack */
    struct quire_soft_config machine = {.ram_bytes = RAM_BYTES, .seed = 1};
    struct quire_config config = {.swappiness = 60};

    must(quire_soft_create(&machine, &config.machine) == QUIRE_OK);
    must(quire_create(&config, &bench.q) == QUIRE_OK);
    bench.random = 88172645463325252u;

    measure(&bench, "frames, order 0: pair", 5000000, 0, frame_pairs);
    measure(&bench, "frames, order 0: bulk, 32768", 262144, 0, frame_bulk);
    measure(&bench, "frames, order 9: pair", 5000000, 9, frame_pairs);
    measure(&bench, "frames, orders 0 to 2: random, 15000 live", 1000000, 2, frame_mixed);
    measure(&bench, "frames, order 9: refused", 1000000, 9, frame_refused);

    quire_destroy(bench.q);
    quire_soft_destroy(config.machine);
    return 0;
}
