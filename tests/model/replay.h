/* replay.h: a trace of page numbers through a replacement policy, on pages that are not there.
 *
 * The policies of src/reclaim/policies/ run unchanged: their queues are the manager's own
 * (page/lru.c), only frames, marks and shadows are arrays here. The idea is NetBSD's pdsim. A hit
 * costs a load and a store, as on hardware; a miss evicts exactly one page when the memory is full.
 *
 * The access that brings a page in leaves no mark, as under quire_policy.forget_arrival, unless the
 * policy reckons with it.
 */
#ifndef QUIRE_TESTS_MODEL_REPLAY_H
#define QUIRE_TESTS_MODEL_REPLAY_H

#include <stdlib.h>
#include <string.h>

#include "page/lru.h"

enum { REPLAY_HERE = 1, REPLAY_USED = 2 };

struct replay {
    struct quire_aging aging;
    void *state;
    struct quire_page *frames; /* index: the page number that is in it */
    uint8_t *pages;            /* REPLAY_ bits of each page number */
    uint32_t *shadows;         /* of each page number */
    uint32_t nframes, taken;   /* frames */
    uint64_t misses;
};

static inline bool replay_used(void *context, struct quire_page *page) {
    struct replay *replay = context;
    uint8_t *bits = &replay->pages[page->index];
    bool used = *bits & REPLAY_USED;
    *bits &= (uint8_t)~REPLAY_USED;
    return used;
}

static inline void replay_up(struct replay *replay, const struct quire_policy *policy,
                             uint32_t nframes, uint32_t npages) {
    const struct quire_aging_hooks hooks = {.used = replay_used, .context = replay};
    memset(replay, 0, sizeof *replay);
    replay->state = calloc(1, policy->state_bytes + 1);
    replay->frames = aligned_alloc(64, nframes * sizeof *replay->frames);
    memset(replay->frames, 0, nframes * sizeof *replay->frames);
    replay->pages = calloc(npages, 1);
    replay->shadows = calloc(npages, sizeof *replay->shadows);
    replay->nframes = nframes;
    quire_aging_init(&replay->aging, policy, replay->state, &hooks);
}

static inline void replay_down(struct replay *replay) {
    free(replay->state);
    free(replay->frames);
    free(replay->pages);
    free(replay->shadows);
}

static inline struct quire_page *replay_evict(struct replay *replay) {
    const struct quire_policy *policy = replay->aging.policy;
    quire_aging_allow(&replay->aging, UINT64_MAX, false);
    struct quire_page *page = policy->victim(&replay->aging);
    replay->pages[page->index] = 0;
    replay->shadows[page->index] = policy->evict ? policy->evict(&replay->aging, page) : 0;
    quire_aging_remove(&replay->aging, page);
    return page;
}

static inline void replay_miss(struct replay *replay, uint32_t number) {
    const struct quire_policy *policy = replay->aging.policy;
    struct quire_page *page =
        replay->taken < replay->nframes ? &replay->frames[replay->taken++] : replay_evict(replay);
    page->index = number;
    page->policy = 0;
    policy->insert(&replay->aging, page, replay->shadows[number]);
    replay->shadows[number] = 0;
    replay->pages[number] = policy->forget_arrival ? REPLAY_HERE : REPLAY_HERE | REPLAY_USED;
    replay->misses++;
}

/* True: a hit. */
static inline bool replay_refer(struct replay *replay, uint32_t number) {
    if (replay->pages[number]) {
        replay->pages[number] |= REPLAY_USED;
        return true;
    }
    replay_miss(replay, number);
    return false;
}

#endif
