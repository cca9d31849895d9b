/* exact.c: exact RAM_MIB HARTS GUEST [ARGUMENT...]: the curves that a watch makes of a
 * run from the machine's window, beside runs in which every access is told and kept in a plain LRU
 * list of each of a hundred sizes, and every interval between two uses of a page is added up.
 *
 * Prints the sizes and misses; fails when one differs by a single miss. Used by
 * tests/run/curves.sh.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "watch/advice.h"

#define SIZES 100
#define NONE  UINT32_MAX
#define SLOTS (1u << 17) /* of the hash */
#define NODES (1u << 16) /* pages that the guest may use */

static void must(bool good, const char *what) {
    if (good)
        return;
    fprintf(stderr, "exact: %s\n", what);
    exit(1);
}

/* ---- plain LRU ----------------------------------------------------------------------------------
 */

struct lru {
    uint32_t size, count, newest, oldest;
    uint64_t misses;
    struct {
        uint32_t older, newer;
        bool in;
    } * nodes;
};

static void take_out(struct lru *lru, uint32_t n) {
    uint32_t older = lru->nodes[n].older, newer = lru->nodes[n].newer;
    *(newer == NONE ? &lru->newest : &lru->nodes[newer].older) = older;
    *(older == NONE ? &lru->oldest : &lru->nodes[older].newer) = newer;
    lru->nodes[n].in = false;
    lru->count--;
}

static void use(struct lru *lru, uint32_t n) {
    if (lru->newest == n)
        return;
    if (lru->nodes[n].in)
        take_out(lru, n);
    else
        lru->misses++;
    if (lru->count == lru->size)
        take_out(lru, lru->oldest);
    lru->nodes[n].older = lru->newest;
    lru->nodes[n].newer = NONE;
    lru->nodes[n].in = true;
    *(lru->newest == NONE ? &lru->oldest : &lru->nodes[lru->newest].newer) = n;
    lru->newest = n;
    lru->count++;
}

/* ---- every access -------------------------------------------------------------------------------
 */

struct plain {
    struct lru lists[SIZES];
    uint64_t keys[SLOTS]; /* a hash; 0: empty. A page keeps its slot when it has ended */
    uint32_t numbers[SLOTS], nnodes, last_number;
    uint64_t last_key, accesses;
    uint64_t last[NODES]; /* use of each; 0: none, or it has ended */
    double in_use[WATCH_SPANS];
    uint64_t spans[WATCH_SPANS];
    struct watch_curves curves; /* only to know what calls end which pages */
    struct os *os;
    struct {
        struct quire_space *space;
        uint64_t x[32];
    } call;
};

static uint32_t number_of(struct plain *plain, uint64_t key, bool make) {
    uint32_t slot = (uint32_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 40) % SLOTS;
    while (plain->keys[slot] && plain->keys[slot] != key)
        slot = (slot + 1) % SLOTS;
    if (!plain->keys[slot]) {
        if (!make)
            return NONE;
        must(plain->nnodes < NODES, "the guest uses too many pages for this test");
        plain->keys[slot] = key;
        plain->numbers[slot] = plain->nnodes++;
    }
    return plain->numbers[slot];
}

static void interval(struct plain *plain, uint64_t length) {
    for (unsigned i = 0; i < WATCH_SPANS; i++)
        plain->in_use[i] += (double)(length < plain->spans[i] ? length : plain->spans[i]);
}

static void accessed(void *context, uint64_t page, uint64_t time) {
    struct plain *plain = context;
    uint32_t n = page == plain->last_key ? plain->last_number : number_of(plain, page, true);
    plain->accesses++;
    if (page != plain->last_key || !plain->last[n]) {
        if (plain->last[n])
            interval(plain, time - plain->last[n]);
        for (unsigned i = 0; i < SIZES; i++)
            use(&plain->lists[i], n);
    } else {
        interval(plain, time - plain->last[n]);
    }
    plain->last_key = page;
    plain->last_number = n;
    plain->last[n] = time;
}

static void ended(void *context, uint64_t first, uint64_t npages) {
    struct plain *plain = context;
    uint64_t now = quire_soft_window_now(plain->curves.machine);
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        uint32_t n = plain->numbers[slot];
        if (!plain->keys[slot] || plain->keys[slot] - first >= npages || !plain->last[n])
            continue;
        interval(plain, now - plain->last[n]);
        plain->last[n] = 0;
        for (unsigned i = 0; i < SIZES; i++) {
            if (plain->lists[i].nodes[n].in)
                take_out(&plain->lists[i], n);
        }
    }
}

static void space_ends(void *context, const struct quire_space *space) {
    watch_curves_space_ends(&((struct plain *)context)->curves, space);
}

static void missed(void *context, const struct quire_soft_access *access) {
    (void)context, (void)access;
}

static void nothing(void *context) {
    (void)context;
}

static void fault_ends(void *context, const struct quire_soft_access *access) {
    (void)context, (void)access;
}

static void call_begins(void *context, struct quire_space *space, const struct quire_cpu *cpu) {
    struct plain *plain = context;
    plain->call.space = space;
    memcpy(plain->call.x, cpu->x, sizeof plain->call.x);
}

static void call_ends(void *context, struct quire_space *space) {
    struct plain *plain = context;
    if (space && space == plain->call.space)
        watch_curves_called(&plain->curves, space, plain->call.x);
}

static void copied(void *context, struct quire_space *space, uint64_t va, size_t nbytes) {
    watch_curves_copied(&((struct plain *)context)->curves, space, va, nbytes);
}

static void oom(void *context, int pid, const char *name, const char *why) {
    (void)context, (void)pid, (void)name, (void)why;
}

/* ---- runs
 * ---------------------------------------------------------------------------------------- */

static struct os *start(char **argv) {
    char message[256], *environment[] = {NULL};
    struct os_start_error error;
    struct os_swap swap = {.fd = -1, .bytes = 256 << 20, .priority = QUIRE_SWAP_PRIORITY_AUTO};
    struct os_config config = {.ram_bytes = strtoull(argv[2], NULL, 10) << 20,
                               .harts = (unsigned)strtoul(argv[3], NULL, 10),
                               .swaps = &swap,
                               .nswaps = 1,
                               .cwd = getcwd((char[4096]){0}, 4096)};
    struct os *os = os_create(&config, message, sizeof message);
    must(os != NULL, "no machine");
    char **guest = argv + 4; /* behind RAM and harts */
    must(os_start(os, guest, environment, &error), "the guest does not start");
    return os;
}

static void run_plain(struct plain *plain, char **argv, uint64_t *trace) {
    struct os *os = start(argv);
    struct quire_soft_watch machine = {.context = plain,
                                       .missed = missed,
                                       .fault_begins = nothing,
                                       .fault_ends = fault_ends,
                                       .space_ends = space_ends,
                                       .page_touched = accessed,
                                       .accessed = accessed};
    struct os_watch kernel = {.context = plain,
                              .call_begins = call_begins,
                              .call_ends = call_ends,
                              .turn_ends = nothing,
                              .oom = oom,
                              .copied = copied};
    must(watch_curves_begin(&plain->curves, os_machine(os)), "no memory");
    plain->curves.ended = ended;
    plain->curves.context = plain;
    quire_soft_watch(os_machine(os), &machine);
    os_watch(os, &kernel);
    must(os_run(os) == 0, "the guest failed");
    for (uint32_t n = 0; n < plain->nnodes; n++) {
        if (plain->last[n])
            interval(plain, quire_soft_window_now(os_machine(os)) - plain->last[n]);
    }
    *trace = quire_trace_hash(os_quire(os));
    quire_soft_watch(os_machine(os), NULL);
    os_watch(os, NULL);
    os_destroy(os);
}

static void compare(const struct watch_distances *d, struct plain *plain) {
    uint64_t different = 0;
    for (unsigned i = 0; i < SIZES; i++) {
        uint64_t misses = watch_distances_misses(d, plain->lists[i].size);
        printf("%u pages: %llu misses, in a run of its own %llu\n", plain->lists[i].size,
               (unsigned long long)misses, (unsigned long long)plain->lists[i].misses);
        different += misses != plain->lists[i].misses;
    }
    for (unsigned i = 0; i < WATCH_SPANS; i++) {
        double of = watch_distances_set(d, i);
        different += of < plain->in_use[i] || of > plain->in_use[i];
    }
    printf("%llu events of %llu references; exact from %u pages on, to %u\n",
           (unsigned long long)d->events, (unsigned long long)plain->accesses, d->reach,
           d->deepest);
    must(different == 0, "the curves differ");
}

int main(int argc, char **argv) {
    struct plain *plain = calloc(1, sizeof *plain);
    uint64_t trace, plain_trace;
    must(argc >= 4 && plain, "usage: exact RAM_MIB HARTS GUEST...");
    argv--; /* argv[2]: RAM */
    struct os *os = start(argv);
    struct watch *watch = watch_create(os);
    must(watch && os_run(os) == 0, "the guest failed");
    watch_curves_finish(&watch->curves);
    struct watch_distances *d = &watch->curves.distances;
    trace = quire_trace_hash(os_quire(os));
    must(!d->broken, "no memory for distances");
    uint32_t deepest = d->deepest > d->reach ? d->deepest : d->reach + SIZES;
    for (unsigned i = 0; i < SIZES; i++) {
        struct lru *lru = &plain->lists[i];
        lru->size = d->reach + (deepest - d->reach) * i / (SIZES - 1);
        lru->newest = lru->oldest = NONE;
        lru->nodes = calloc(NODES, sizeof *lru->nodes);
        must(lru->nodes != NULL, "no memory");
    }
    for (unsigned i = 0; i < WATCH_SPANS; i++)
        plain->spans[i] = watch_distances_span(d, i);
    run_plain(plain, argv, &plain_trace);
    must(trace == plain_trace, "it is not the same run");
    compare(d, plain);
    watch_destroy(watch);
    os_destroy(os);
    return 0;
}
