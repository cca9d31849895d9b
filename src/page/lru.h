/* lru.h: the page queues that reclaim works on, of anonymous and of file pages, under a policy.
 *
 * vm/ says what came and what goes; the policy (quire/policy.h) says where it stands; this room
 * keeps the lists and counts them. SHMEM pages are anonymous (they go to swap).
 */
#ifndef QUIRE_PAGE_LRU_H
#define QUIRE_PAGE_LRU_H

#include <quire/policy.h>

#include "page/page.h"

enum quire_lru_kind { QUIRE_LRU_ANON, QUIRE_LRU_FILE, QUIRE_LRU_KINDS };

/* What a look at a page asks of the rooms above; a simulation has its own. */
struct quire_aging_hooks {
    bool (*used)(void *context, struct quire_page *page); /* and clear the marks */
    bool (*is_text)(void *context, const struct quire_page *page);
    void *context;
};

struct quire_aging {
    const struct quire_policy *policy;
    struct quire_aging *other;       /* the other kind; NULL: there is only one */
    void *state;                     /* the policy's */
    unsigned active;                 /* bit k: queue k counts as active */
    uint64_t npages, nactive;        /* frames */
    uint64_t activated, deactivated; /* moves between queues, so far */
    uint64_t length[QUIRE_POLICY_QUEUES];
    struct quire_list queue[QUIRE_POLICY_QUEUES]; /* head.next is the newest */

    /* Of one round of reclaim: set by quire_aging_allow, counted down by looks. */
    uint64_t looks;
    bool forced;         /* uses do not count */
    bool evictable;      /* pages of this kind have somewhere to go */
    uint32_t found_used; /* looks that did find the page in use */
    uint32_t cost;       /* what this kind cost lately: reclaim/scan.c */
    struct quire_aging_hooks hooks;
};

/* Pages whose first use is not forgotten yet, see quire_policy.forget_arrival. Eight, because a
 * program works on a handful of new pages at a time. */
#define QUIRE_LRU_ARRIVALS 8

/* Shadows of file pages, found by object and index. A set is one half of a cache line, the newest
 * first. Those of anonymous pages lie in their anons. */
#define QUIRE_SHADOW_WAYS 4
struct quire_shadow_entry {
    uint32_t tag, shadow; /* shadow 0: free */
};

struct quire_queues {
    struct quire_aging aging[QUIRE_LRU_KINDS];
    struct quire_page *arrivals[QUIRE_LRU_ARRIVALS];
    unsigned next_arrival;
    uint64_t forgets; /* arrivals still to be forgotten: there was pressure lately */
    uint64_t shadows; /* entries in use */
    uint64_t sets;    /* power of two, or 0: no table */
    struct quire_page **chunks;
    unsigned nchunks;
};

/* Begin and end. state: one for each kind, zeroed, or NULLs if the policy has none.
 * => before the first quire_lru_add */
void quire_lru_start(struct quire *q, const struct quire_policy *policy, void *const state[],
                     const struct quire_aging_hooks *hooks);
/* One kind alone, for a simulation. */
void quire_aging_init(struct quire_aging *aging, const struct quire_policy *policy, void *state,
                      const struct quire_aging_hooks *hooks);

/* A page came; shadow: what quire_lru_evict said when it left (0: it is new). Counts refaults. The
 * page's policy bits are set. => on no list */
void quire_lru_add(struct quire *q, struct quire_page *page, uint32_t shadow);
void quire_lru_remove(struct quire *q, struct quire_page *page); /* => on a list */
/* It is not needed soon: next to go. => on a list */
void quire_lru_cool(struct quire *q, struct quire_page *page);
/* Another frame holds its bytes now: takes its place, in the policy's eyes too. => old is on a
 * list, page on none; both of the same kind */
void quire_lru_replace(struct quire *q, struct quire_page *old, struct quire_page *page);
/* Is it among the active ones? => on a list */
bool quire_lru_is_active(const struct quire *q, const struct quire_page *page);
/* Take a page that is being evicted off its list; what to remember of it, 0: nothing. */
uint32_t quire_lru_evict(struct quire *q, struct quire_page *page);

/* The shadow's page had proved to be of use before it left: its return is thrashing. */
static inline bool quire_shadow_is_workingset(uint32_t shadow) {
    return shadow & 1;
}

static inline enum quire_lru_kind quire_lru_kind_of(const struct quire_page *page) {
    return page->use == QUIRE_USE_FILE ? QUIRE_LRU_FILE : QUIRE_LRU_ANON;
}
struct quire_aging *quire_lru_aging(struct quire *q, enum quire_lru_kind kind);
/* Budget of the next round; forced: looks answer UNUSED. */
void quire_aging_allow(struct quire_aging *aging, uint64_t looks, bool forced);
/* Off its queue. => in a queue */
void quire_aging_remove(struct quire_aging *aging, struct quire_page *page);
/* The victim could not go. */
void quire_aging_keep(struct quire_aging *aging, struct quire_page *page);
/* Reclaim is at work: the next `arrivals` pages that come are looked at soon after. */
void quire_lru_forget_arrivals(struct quire *q, uint64_t arrivals);

/* What /proc/meminfo calls them; frames. */
enum quire_lru {
    QUIRE_LRU_INACTIVE_ANON,
    QUIRE_LRU_ACTIVE_ANON,
    QUIRE_LRU_INACTIVE_FILE,
    QUIRE_LRU_ACTIVE_FILE,
    QUIRE_NLRUS
};
uint64_t quire_lru_count(const struct quire *q, enum quire_lru list);
/* Moves into and out of active queues, so far (pgactivate, pgdeactivate). */
uint64_t quire_lru_activated(const struct quire *q);
uint64_t quire_lru_deactivated(const struct quire *q);
/* How many of a list's pages are frames first to end - 1. O(pages on the list). */
uint64_t quire_lru_count_between(const struct quire *q, enum quire_lru list, uint32_t first,
                                 uint32_t end);

/* lru_audit.c: recount queues and shadows; frames: how many of each kind carry the flag. Panics. */
void quire_lru_audit(struct quire *q, const uint64_t frames[QUIRE_LRU_KINDS]);

/* ---- shadow.c: shadows of file pages ----------------------------------------------------------
 */

/* Room for about one shadow a frame; less, or none, when there is no memory. */
void quire_shadow_start(struct quire *q);
void quire_shadow_stop(struct quire *q);
/* Remember (shadow not 0), pushing out the oldest of its set; take: the shadow, or 0. O(1). */
void quire_shadow_put(struct quire *q, uint64_t object_id, uint64_t index, uint32_t shadow);
uint32_t quire_shadow_take(struct quire *q, uint64_t object_id, uint64_t index);
/* For the audit. => number < sets */
struct quire_shadow_entry *quire_shadow_set(struct quire *q, uint64_t number);

#endif
