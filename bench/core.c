/* core.c: what one allocation or one free of frames costs, in nanoseconds of processor time, for
 * the core's frame allocator and, from the same source, for another.
 *
 *     (nothing)         quire_frames_alloc, quire_frames_free
 *     -DFRAMES_LLFREE   llfree-c (github.com/luhsra/llfree-c), as its own headers have it
 *
 * A machine of 2^20 frames (4 GiB), of which only the allocator's own tables are ever touched.
 * Shapes:
 *
 *     pair      one block out and in again
 *     bulk      half of memory out, then all of it in, in order
 *     random    half of memory live; a random block is given back and one is taken
 *     mixed     all frames out, a random half in; then orders 0 (75 %), 1 (15 %) and 2 (10 %)
 *               taken and given at random with 60 % of memory in use
 *     refused   there: an order that cannot be had
 *
 * Allocations and frees each count as one. Median of RUNS runs with the least and the most, as
 * other programs on the host disturb single ones. `core curve` repeats three shapes with 10^3 to
 * 10^7 frames.
 *
 *     core [curve]      Objects: objects.c. Run by run.sh.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNS     7
#define PAIRS    2000000u
#define STEPS    1500000u
#define REFUSALS 20000u
/* Frames of the largest machine, and what it has for its tables. */
#define BLOCKS_MAX 10500000u

#if defined(FRAMES_LLFREE)

#include "llfree.h"

#define NAME "llfree-c"
static llfree_t *llfree;
static llfree_meta_t meta;

static void *pages_for(size_t nbytes) {
    void *bytes = aligned_alloc(4096, (nbytes + 4095) & ~(size_t)4095);
    memset(bytes, 0, nbytes);
    return bytes;
}

static void setup(uint64_t nframes) {
    llfree_classing_t classes = llfree_classing_simple(1);
    llfree_meta_size_t size = llfree_metadata_size(&classes, nframes);
    free(llfree);
    free(meta.local);
    free(meta.trees);
    free(meta.lower);
    llfree = pages_for(size.llfree);
    meta.local = pages_for(size.local);
    meta.trees = pages_for(size.trees);
    meta.lower = pages_for(size.lower);
    if (!llfree_is_ok(llfree_init(llfree, nframes, LLFREE_INIT_FREE, meta, &classes))) {
        exit(1);
    }
}

static inline int64_t take(unsigned order) {
    llfree_result_t result =
        llfree_get(llfree, frame_id_none(), llfree_simple_request(1, (uint8_t)order, 0));
    return llfree_is_ok(result) ? (int64_t)result.frame.value : -1;
}

static inline void give(int64_t frame, unsigned order) {
    llfree_put(llfree, frame_id((uint64_t)frame), llfree_simple_request(1, (uint8_t)order, 0));
}

#else

#include <quire/kmem.h>
#include <quire/quire.h>

#include "machine/soft/soft.h"

#define NAME "quire"
static struct quire *q;
static struct quire_machine *machine;

/* Room for the frame table and the manager's own beside the frames. */
static void setup(uint64_t nframes) {
    struct quire_soft_config soft = {.seed = 1};
    struct quire_config config = {.swappiness = 60, .min_free_pages = 8};
    if (q) {
        quire_destroy(q);
        quire_soft_destroy(machine);
    }
    soft.ram_bytes = (nframes + nframes / 64 + 300) << QUIRE_PAGE_SHIFT;
    if (quire_soft_create(&soft, &machine) != QUIRE_OK) {
        exit(1);
    }
    config.machine = machine;
    if (quire_create(&config, &q) != QUIRE_OK) {
        exit(1);
    }
}

static inline int64_t take(unsigned order) {
    quire_frame frame;
    return quire_frames_alloc(q, order, &frame) == QUIRE_OK ? (int64_t)frame.number : -1;
}

static inline void give(int64_t frame, unsigned order) {
    quire_frames_free(q, (quire_frame){(uint32_t)frame}, order);
}

#endif

struct block {
    uint32_t frame, order;
};

static struct block *blocks;
static uint64_t random_state;

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* xorshift64, Marsaglia 2003; scaled without division. */
static uint32_t random_below(uint32_t limit) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)((random_state >> 32) * limit >> 32);
}

static uint32_t must_take(unsigned order) {
    int64_t frame = take(order);
    if (frame < 0) {
        fputs("core: an allocation failed\n", stderr);
        exit(1);
    }
    return (uint32_t)frame;
}

/* A block onto the end of the array. False: there is none. */
static bool take_next(uint32_t n, unsigned order) {
    int64_t frame = take(order);
    if (frame < 0) {
        return false;
    }
    blocks[n] = (struct block){(uint32_t)frame, order};
    return true;
}

/* Each shape returns nanoseconds for one operation. */

static double pair(uint64_t nframes, unsigned order) {
    (void)nframes;
    give(must_take(order), order);
    double start = now_ns();
    for (unsigned i = 0; i < PAIRS; i++) {
        give(must_take(order), order);
    }
    return (now_ns() - start) / (2.0 * PAIRS);
}

static double bulk(uint64_t nframes, unsigned order) {
    uint32_t n = (uint32_t)(nframes / 2 >> order);
    uint32_t rounds = 1 + (2 * PAIRS) / n;
    double start = now_ns();
    for (uint32_t round = 0; round < rounds; round++) {
        for (uint32_t i = 0; i < n; i++) {
            blocks[i].frame = must_take(order);
        }
        for (uint32_t i = 0; i < n; i++) {
            give(blocks[i].frame, order);
        }
    }
    return (now_ns() - start) / (2.0 * n * rounds);
}

static double shuffled(uint64_t nframes, unsigned order) {
    uint32_t n = (uint32_t)(nframes / 2 >> order);
    double start = 0;
    for (uint32_t i = 0; i < n; i++) {
        blocks[i].frame = must_take(order);
    }
    for (uint32_t i = 0; i < 2 * n + STEPS; i++) { /* two rounds until what is free is random */
        uint32_t k = random_below(n);
        start = i == 2 * n ? now_ns() : start;
        give(blocks[k].frame, order);
        blocks[k].frame = must_take(order);
    }
    double ns = (now_ns() - start) / (2.0 * STEPS);
    for (uint32_t i = 0; i < n; i++) {
        give(blocks[i].frame, order);
    }
    return ns;
}

/* All frames out, a random half in again; returns how many are out. */
static uint32_t fragment(void) {
    uint32_t n = 0;
    while (n < BLOCKS_MAX && take_next(n, 0)) {
        n++;
    }
    for (uint32_t i = n - 1; i > 0; i--) {
        uint32_t k = random_below(i + 1);
        struct block other = blocks[i];
        blocks[i] = blocks[k];
        blocks[k] = other;
    }
    for (uint32_t half = n / 2; n > half;) {
        give(blocks[--n].frame, 0);
    }
    return n;
}

static void give_all(uint32_t n) {
    while (n > 0) {
        n--;
        give(blocks[n].frame, blocks[n].order);
    }
}

static double mixed(uint64_t nframes, unsigned unused) {
    (void)unused;
    uint32_t n = fragment();
    int64_t most = (int64_t)(nframes * 6 / 10), used = n;
    double start = now_ns();
    for (unsigned i = 0; i < STEPS; i++) {
        uint32_t kind = random_below(100);
        unsigned order = kind < 75 ? 0 : kind < 90 ? 1 : 2;
        if (used < most && take_next(n, order)) {
            n++;
            used += (int64_t)1 << order;
        } else {
            uint32_t k = random_below(n);
            give(blocks[k].frame, blocks[k].order);
            used -= (int64_t)1 << blocks[k].order;
            blocks[k] = blocks[--n];
        }
    }
    double ns = (now_ns() - start) / STEPS;
    give_all(n);
    return ns;
}

static double refused(uint64_t nframes, unsigned order) {
    (void)nframes;
    uint32_t n = fragment();
    unsigned refusals = 0;
    double start = now_ns();
    for (unsigned i = 0; i < REFUSALS; i++) {
        int64_t frame = take(order);
        refusals += frame < 0;
        if (frame >= 0) {
            give(frame, order);
        }
    }
    double ns = (now_ns() - start) / REFUSALS;
    give_all(n);
    return refusals == REFUSALS ? ns : -1; /* it was not refused: no figure */
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double measure(uint64_t nframes, unsigned order, double (*shape)(uint64_t, unsigned),
                      const char *what) {
    double runs[RUNS];
    for (unsigned run = 0; run < RUNS; run++) {
        random_state = 88172645463325252u;
        setup(nframes);
        runs[run] = shape(nframes, order);
    }
    qsort(runs, RUNS, sizeof runs[0], compare);
    if (what) {
        printf("%-10s %-34s %7.2f ns   (%.2f to %.2f)\n", NAME, what, runs[RUNS / 2], runs[0],
               runs[RUNS - 1]);
        fflush(stdout);
    }
    return runs[RUNS / 2];
}

static void curve(void) {
    printf("%-10s %-12s %10s %10s %10s\n", NAME, "frames", "pair", "random", "refused");
    fflush(stdout);
    for (uint64_t nframes = 1000; nframes <= 10000000; nframes *= 10) {
        double paired = measure(nframes, 0, pair, NULL);
        double random = measure(nframes, 0, shuffled, NULL);
        printf("%-10s %-12llu %7.2f ns %7.2f ns %7.2f ns\n", NAME, (unsigned long long)nframes,
               paired, random, measure(nframes, 9, refused, NULL));
        fflush(stdout);
    }
}

int main(int argc, char **argv) {
    const uint64_t nframes = (uint64_t)1 << 20;
    blocks = calloc(BLOCKS_MAX, sizeof *blocks);
    if (argc > 1 && strcmp(argv[1], "curve") == 0) {
        curve();
        return 0;
    }
    measure(nframes, 0, pair, "order 0: pair");
    measure(nframes, 0, bulk, "order 0: bulk");
    measure(nframes, 0, shuffled, "order 0: random, half live");
    measure(nframes, 9, pair, "order 9: pair");
    measure(nframes, 9, bulk, "order 9: bulk");
    measure(nframes, 9, shuffled, "order 9: random, half live");
    measure(nframes, 0, mixed, "orders 0 to 2: mixed, fragmented");
    measure(nframes, 9, refused, "order 9: refused");
    return 0;
}
