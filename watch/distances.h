/* distances.h: how deep in the LRU stack each page was that a program touched. Internal to watch/.
 *
 * From it follow, for a whole run and exactly, the faults of LRU with any size of RAM (the miss
 * curve) and the pages in use over any span of time (the working-set curve). distances.c has the
 * theory. One thread; nothing is shared.
 */
#ifndef QUIRE_WATCH_DISTANCES_H
#define QUIRE_WATCH_DISTANCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Pages that are remembered: 4 GiB of them. A page that comes back after so many others counts as
 * new; distances below that stay exact. It bounds the memory: about 64 bytes a page. */
#define WATCH_PAGES (1u << 20)
/* Pages that left the window and are not in order yet, until somebody must call settle. */
#define WATCH_NEAR 192
/* Spans of the working-set curve: four to a doubling. */
#define WATCH_SPANS 112

struct watch_page {
    uint64_t key;  /* space and number of the page */
    uint64_t last; /* touch that is known */
    uint32_t next; /* in the chain of the hash, or of free ones */
    uint32_t at;   /* HELD, NEAR + place in near[], or the position in the order */
    uint32_t holders;
};

struct watch_near {
    uint64_t last;
    uint32_t page; /* NONE: it came back */
};

struct watch_distances {
    /* Set by create; tests may change them before the first touch. */
    uint32_t max_pages, near_limit;
    uint64_t first_span;

    struct watch_page *pages;
    uint32_t npages, room, free; /* ever used; allocated; first free one */
    uint32_t live;
    uint32_t *hash; /* room of them: a page or NONE */

    /* The order of pages that are neither held nor near: by last touch, old ones first. */
    uint64_t *bits; /* a 1 at each position that a page or a hole has */
    uint32_t *sums; /* Fenwick tree over the words of bits */
    uint32_t *who;  /* the page at a position; NONE: a hole, or nobody */
    uint32_t npositions, end, low, settled;
    uint32_t *holes; /* a heap of positions, the newest on top */
    uint32_t nholes;

    struct watch_near *near; /* since the last settle, oldest departure first */
    uint64_t *order;         /* room for twice as many: what settle sorts */
    uint32_t nnear, near_room, nnear_live, near_holes, held;

    /* What came of it. hits[d]: touches at stack depth d; those at depths up to reach, and of pages
     * in the window, which nobody sees, are counted at no depth: they are hits for every size from
     * reach on. */
    uint64_t *hits;
    uint32_t nhits, deepest, reach;
    uint64_t cold;      /* touches of pages that were new, or forgotten */
    uint64_t forgotten; /* pages, for want of room */
    uint64_t unsure;    /* of cold, those since the first was: one of these, or new */
    uint64_t events;
    uint64_t short_sum; /* of intervals that nobody saw */
    uint64_t span_count[WATCH_SPANS + 1], span_sum[WATCH_SPANS + 1];
    bool broken; /* the host had no memory: nothing here is right any more */
};

/* False: the host has no memory. */
bool watch_distances_create(struct watch_distances *d);
void watch_distances_end(struct watch_distances *d);

/* A touch of a page that the window does not hold (or that another window holds too). Its number,
 * for leave; UINT32_MAX: no memory, and all is broken. Times never go back. O(log n). */
uint32_t watch_distances_enter(struct watch_distances *d, uint64_t key, uint64_t time);
/* The window gives it up; last is when it was touched last there. O(1) */
void watch_distances_leave(struct watch_distances *d, uint32_t page, uint64_t last);
/* A touch by somebody without a window. */
void watch_distances_touch(struct watch_distances *d, uint64_t key, uint64_t time);
/* The page is gone, for a space or by munmap. => nobody holds it */
void watch_distances_remove(struct watch_distances *d, uint64_t key, uint64_t time);
/* All of [key, key + count). O(count) or O(pages), whichever is less. */
void watch_distances_remove_range(struct watch_distances *d, uint64_t key, uint64_t count,
                                  uint64_t time);

/* The chain of the hash that a page would be in: Fibonacci hashing (Knuth 6.4). */
static inline uint32_t *watch_distances_chain(const struct watch_distances *d, uint64_t key) {
    return &d->hash[(key * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (d->room - 1)];
}
/* It will enter: fetch what it is found by; later, when that is there, what is known of it. A
 * program that misses the TLB has mostly driven both out of the host's cache. */
static inline void watch_distances_expect(const struct watch_distances *d, uint64_t key) {
    __builtin_prefetch(watch_distances_chain(d, key));
}
static inline void watch_distances_expect_more(const struct watch_distances *d, uint64_t key) {
    uint32_t page = *watch_distances_chain(d, key);
    __builtin_prefetch(&d->pages[page < d->npages ? page : 0], 1);
}

/* Is it time to put the near ones in order? */
static inline bool watch_distances_full(const struct watch_distances *d) {
    return d->nnear_live >= d->near_limit;
}
/* A moment such that most of them left before. The caller lets all windows give up what they hold
 * that was not touched since, and then calls settle with it. */
uint64_t watch_distances_limit(struct watch_distances *d);
void watch_distances_settle(struct watch_distances *d, uint64_t before);

/* Touches that a RAM of so many pages under LRU would have had to bring a page in for, cold ones
 * included. => size >= reach. O(size of the curve) */
uint64_t watch_distances_misses(const struct watch_distances *d, uint32_t size);
/* The end of a run at this time, for the working set: the intervals that are still open. Windows
 * have given up all they held. Once. */
void watch_distances_finish(struct watch_distances *d, uint64_t time);
/* Span number i of the curve, in units of time; exact if no window kept a page untouched for longer
 * than the first. */
uint64_t watch_distances_span(const struct watch_distances *d, unsigned i);

#endif
