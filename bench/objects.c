/* objects.c: what one allocation or one free of a small object costs, in nanoseconds of processor
 * time, for the object caches and kmalloc of the core and, from the same source, for others.
 *
 * Each is a program of its own, as allocators that replace malloc cannot share one:
 *
 *     (nothing)           object caches (quire_cache_alloc)
 *     -DOBJECTS_KMALLOC   quire_kmalloc
 *     -DOBJECTS_MALLOC    malloc: of the C library, or one that is linked in (jemalloc, mimalloc)
 *     -DOBJECTS_UMEM      umem_alloc of libumem
 *     -DOBJECTS_NONE      a stack of pointers: what the shapes cost without any allocator
 *
 * Shapes: one object out and in again ("pair"); n out, then all in, the last first ("lifo") or the
 * first first ("fifo"); n live, of which a random one is exchanged ("random"). The first word of
 * each object is written. Allocations and frees each count as one. Median of RUNS runs with the
 * least and the most, as other programs on the host disturb single ones.
 *
 *     objects [NAME]      Run by run.sh.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define RUNS      7
#define LIVE_MAX  100000u
#define PAIRS     4000000u
#define RAM_BYTES ((uint64_t)512 << 20)

#if defined(OBJECTS_MALLOC)

#define NAME "malloc"
static size_t object_bytes;
static void setup(size_t nbytes) {
    object_bytes = nbytes;
}
static inline void *take(void) {
    return malloc(object_bytes);
}
static inline void give(void *object) {
    free(object);
}

#elif defined(OBJECTS_UMEM)

#define NAME "umem"
void *umem_alloc(size_t, int);
void umem_free(void *, size_t);
static size_t object_bytes;
static void setup(size_t nbytes) {
    object_bytes = nbytes;
}
static inline void *take(void) {
    return umem_alloc(object_bytes, 0);
}
static inline void give(void *object) {
    umem_free(object, object_bytes);
}

#elif defined(OBJECTS_NONE)

#define NAME    "none"
#define OBJECTS (100000u + 1)
static void *stack[OBJECTS];
static unsigned in_stack;
static void setup(size_t nbytes) {
    char *objects = aligned_alloc(4096, (OBJECTS * nbytes + 4095) & ~(size_t)4095);
    for (in_stack = 0; objects && in_stack < OBJECTS; in_stack++) {
        stack[OBJECTS - 1 - in_stack] = objects + in_stack * nbytes;
    }
}
static inline void *take(void) {
    return in_stack > 0 ? stack[--in_stack] : NULL;
}
static inline void give(void *object) {
    stack[in_stack++] = object;
}

#else

#include <quire/kmem.h>
#include <quire/quire.h>

#include "machine/soft/soft.h"

static struct quire *q;
static struct quire_cache *cache;
static size_t object_bytes;

static void setup(size_t nbytes) {
    struct quire_soft_config machine = {.ram_bytes = RAM_BYTES, .seed = 1};
    struct quire_config config = {.swappiness = 60};
    object_bytes = nbytes;
    if ((!q && (quire_soft_create(&machine, &config.machine) != QUIRE_OK ||
                quire_create(&config, &q) != QUIRE_OK)) ||
        quire_cache_create(q, "bench", nbytes, 0, NULL, &cache) != QUIRE_OK) {
        fputs("objects: no memory\n", stderr);
        exit(1);
    }
}
#ifdef OBJECTS_KMALLOC
#define NAME "kmalloc"
static inline void *take(void) {
    return quire_kmalloc(q, object_bytes);
}
static inline void give(void *object) {
    quire_kfree(q, object);
}
#else
#define NAME "cache"
static inline void *take(void) {
    return quire_cache_alloc(cache);
}
static inline void give(void *object) {
    quire_cache_free(cache, object);
}
#endif
#endif

static void *live[LIVE_MAX];
static uint64_t seed = 88172645463325252u;

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* xorshift64, Marsaglia 2003. */
static inline unsigned below(unsigned n) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)((seed >> 32) * n >> 32);
}

static inline void *get(void) {
    void *object = take();
    if (!object) {
        fputs("objects: an allocation failed\n", stderr);
        exit(1);
    }
    *(volatile uint64_t *)object = 1;
    return object;
}

/* Each shape returns nanoseconds an operation. */

static double pairs(unsigned unused) {
    (void)unused;
    double start = now_ns();
    for (unsigned i = 0; i < PAIRS; i++) {
        give(get());
    }
    return (now_ns() - start) / (2.0 * PAIRS);
}

static double all(unsigned n, int last_first) {
    unsigned rounds = PAIRS / n;
    double start = now_ns();
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < n; i++) {
            live[i] = get();
        }
        for (unsigned i = 0; i < n; i++) {
            give(live[last_first ? n - 1 - i : i]);
        }
    }
    return (now_ns() - start) / (2.0 * n * rounds);
}

static double lifo(unsigned n) {
    return all(n, 1);
}

static double fifo(unsigned n) {
    return all(n, 0);
}

static double exchange(unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        live[i] = get();
    }
    double start = 0;
    for (unsigned i = 0; i < 2 * n + PAIRS; i++) { /* the first are practice */
        if (i == 2 * n) {
            start = now_ns();
        }
        unsigned k = below(n);
        give(live[k]);
        live[k] = get();
    }
    double ns = (now_ns() - start) / (2.0 * PAIRS);
    for (unsigned i = 0; i < n; i++) {
        give(live[i]);
    }
    return ns;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        double (*shape)(unsigned);
        unsigned n;
    } shapes[] = {
        {"pair", pairs, 0},
        {"lifo 1000", lifo, 1000},
        {"fifo 1000", fifo, 1000},
        {"random 1000", exchange, 1000},
        {"lifo 100k", lifo, LIVE_MAX},
        {"random 100k", exchange, LIVE_MAX},
    };
    static const size_t sizes[] = {64, 256, 1024};
    for (unsigned s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        setup(sizes[s]);
        printf("%-9s %4zu B:", argc > 1 ? argv[1] : NAME, sizes[s]);
        for (unsigned w = 0; w < sizeof shapes / sizeof shapes[0]; w++) {
            double runs[RUNS];
            for (unsigned run = 0; run < RUNS; run++) {
                runs[run] = shapes[w].shape(shapes[w].n);
            }
            qsort(runs, RUNS, sizeof runs[0], compare);
            printf("  %s %.2f (%.2f-%.2f)", shapes[w].name, runs[RUNS / 2], runs[0],
                   runs[RUNS - 1]);
            fflush(stdout);
        }
        puts("");
    }
    return 0;
}
