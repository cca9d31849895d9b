/* advice.h: the account in words. Internal to watch/. */
#ifndef QUIRE_WATCH_ADVICE_H
#define QUIRE_WATCH_ADVICE_H

#include "watch/functions.h"

enum watch_cause {
    WATCH_CAUSE_NONE,      /* memory cost next to nothing */
    WATCH_CAUSE_THRASHING, /* pages that left come back, again and again */
    WATCH_CAUSE_FILES,     /* waiting for files to be read */
    WATCH_CAUSE_COW,       /* fork, then writes on both sides */
    WATCH_CAUSE_STRIDE,    /* TLB misses at equal distances */
    WATCH_CAUSE_SCATTER,   /* TLB misses without a pattern */
    WATCH_CAUSE_SPARSE,    /* fresh pages far apart in a large mapping */
    WATCH_CAUSE_LEAK,      /* fresh memory to the end, hardly touched again */
    WATCH_CAUSE_FRESH,     /* fresh memory, otherwise */
    WATCH_CAUSES
};
extern const char *const watch_cause_names[WATCH_CAUSES]; /* as in the JSON */

#define WATCH_LINES 8
/* Slowdowns that sizes are named for. */
#define WATCH_PROMISES 3
extern const double watch_promises[WATCH_PROMISES];

struct watch_advice {
    enum watch_cause cause;
    const char *function; /* "" with NONE; lives as long as the functions */
    const char *file;
    int line;                           /* 0: unknown */
    uint64_t enough_bytes;              /* RAM with which nobody would have waited for swap */
    uint64_t ram_bytes[WATCH_PROMISES]; /* for a slowdown of at most so much; 0: not known */
    char lines[WATCH_LINES][320];
    unsigned count;
};
/* O(functions + call paths). functions: of this watch. */
void watch_advise(const struct watch *watch, const struct watch_functions *functions,
                  struct watch_symbols *symbols, struct watch_advice *advice);

/* sizes.c: pages touched in a span (number i of distances.h), as a sum over all moments: divide by
 * the time of the run. => finished */
double watch_distances_set(const struct watch_distances *d, unsigned i);
/* The least RAM, whole MiB, with which a run is at most so many times slower for want of
 * memory (1.05: 5 %); 0: not known. => the curves are finished */
uint64_t watch_ram_for(const struct watch *watch, double slowdown);
/* Would a policy that resists loops help with the RAM of this run? How many pages LRU brings in
 * again, and how many of them such a one could save. */
bool watch_policy_helps(const struct watch *watch, uint64_t *pages, uint64_t *saved);

#endif
