/* scan.h: the reclaim room's own state, and what its files want from each other. Internal. */
#ifndef QUIRE_RECLAIM_SCAN_H
#define QUIRE_RECLAIM_SCAN_H

#include "reclaim/reclaim.h"
#include "vm/vm.h"

/* Pages looked at, and freed, in one go: SWAP_CLUSTER_MAX in Linux's include/linux/swap.h. */
#define RECLAIM_CLUSTER 32

/* psi.c: averages over 10, 60 and 300 seconds, percent in fixed point. */
#define RECLAIM_NWINDOWS 3
struct reclaim_psi {
    uint64_t last_ns, next_ns; /* of the machine's clock: the last update, the next one due */
    uint64_t told_ns;          /* of counters.stall_ns: in the averages already */
    uint32_t average[RECLAIM_NWINDOWS];
};

/* Where the scanners of compact.c are in one zone, in frames; both 0: at the beginning. */
struct reclaim_compact {
    uint32_t source, target;
};

struct quire_reclaim {
    struct reclaim_compact compact[QUIRE_NZONES];
    unsigned compact_zone;                /* the background's */
    unsigned compact_skip, compact_defer; /* attempts to be spared, and how many next time, log2 */
    uint32_t hand;       /* scan.c: the frame where the next look at low zones begins */
    unsigned swappiness; /* 0 to 200 */
    bool background;     /* kswapd is at work: free fell below low and has not reached high */
    unsigned failures;   /* kswapd's batches in a row that freed nothing */
    uint32_t spun;       /* scan.c: of the last file pages, taken in a row */
    struct reclaim_psi psi;
    void *policy_state[2]; /* of the policy, for each kind of pages; NULL: it has none */
};

/* scan.c: who is old. Free target pages of zones up to `highest`, or as many as can be had; returns
 * how many frames were freed. 0 means that a full forced scan of everything found nothing. */
uint64_t quire_scan_shrink(struct quire *q, uint64_t target, unsigned highest, bool background);

/* psi.c */
void quire_reclaim_psi_start(struct quire *q);

/* evict.c: how a page leaves. */
enum evict_result {
    EVICT_FREED,
    EVICT_NO_SLOT, /* dirty, and swap is full: no sense in trying its like */
    EVICT_BUSY,    /* the device failed: it stays, dirty, where it is */
};
enum evict_result quire_evict(struct quire *q, struct quire_page *page);
/* Could evicting anonymous pages give anything at all? O(1). */
bool quire_evict_anon_possible(const struct quire *q);

static inline bool page_is_swapped(const struct quire_page *page) {
    return page->use == QUIRE_USE_ANON || page->use == QUIRE_USE_SHMEM;
}

/* part * scale / whole for part <= whole, scale <= 4096, without 64-bit division (which
 * freestanding 32-bit targets do not have); right to about one in a million. */
static inline uint32_t reclaim_ratio(uint64_t part, uint64_t whole, uint32_t scale) {
    while (whole >= (uint64_t)1 << 20) {
        part >>= 1;
        whole >>= 1;
    }
    return whole == 0 ? 0 : (uint32_t)part * scale / (uint32_t)whole;
}

#endif
