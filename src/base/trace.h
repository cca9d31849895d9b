/* trace.h: every decision of the manager in order, as one hash and a ring of the last ones.
 *
 * Two runs took the same decisions exactly if the hashes are equal (up to 2^-64). Arguments are
 * numbers that mean the same on every host: frame numbers, addresses, slots, numbers of objects in
 * the order of their making; never host pointers or inodes.
 */
#ifndef QUIRE_BASE_TRACE_H
#define QUIRE_BASE_TRACE_H

#include <stdint.h>

enum quire_event {
    QUIRE_EVENT_FAULT = 1, /* va | access, case */
    QUIRE_EVENT_ALLOC,     /* frame, order */
    QUIRE_EVENT_FREE,      /* frame, order */
    QUIRE_EVENT_EVICT,     /* frame, slot or file offset */
    QUIRE_EVENT_SWAP_IN,   /* slot, frame */
    QUIRE_EVENT_SWAP_OUT,  /* slot, frame */
    QUIRE_EVENT_FILE_IN,   /* object, page */
    QUIRE_EVENT_FILE_OUT,  /* object, page */
    QUIRE_EVENT_MAP,       /* va, pages */
    QUIRE_EVENT_UNMAP,     /* va, pages */
    QUIRE_EVENT_PROTECT,   /* va, pages */
    QUIRE_EVENT_FORK,      /* regions, pages */
    QUIRE_EVENT_OOM,       /* score, pages */
    QUIRE_EVENT_TICK,      /* free, wanted */
    QUIRE_EVENT_HUGE,      /* va of a block; its first frame, UINT64_MAX: split */
    QUIRE_EVENT_MIGRATE,   /* frame, frame */
};

#define QUIRE_TRACE_RING 256

struct quire_trace_entry {
    uint64_t first, second;
    uint32_t event;
};

struct quire_trace {
    uint64_t hash, count;
    struct quire_trace_entry ring[QUIRE_TRACE_RING]; /* the last ones: a debugger's first look */
};

/* O(1), a few nanoseconds: always on. The multiplier is that of splitmix64. */
static inline void quire_trace(struct quire_trace *trace, enum quire_event event, uint64_t first,
                               uint64_t second) {
    struct quire_trace_entry *entry = &trace->ring[trace->count++ % QUIRE_TRACE_RING];
    *entry = (struct quire_trace_entry){first, second, event};
    uint64_t hash = (trace->hash ^ first) * 0xBF58476D1CE4E5B9u;
    hash = (hash ^ (hash >> 29) ^ second) * 0x94D049BB133111EBu;
    trace->hash = hash ^ (hash >> 32) ^ event;
}

#endif
