/* shadow.c: what is remembered of file pages that were evicted: a table that forgets by itself.
 *
 * A policy wants to know of a page that comes back when it left. An anonymous page has an anon that
 * outlives its frame, and the shadow lies there. A file page has nothing: Linux leaves the shadow
 * in the object's sparse array, where the page was. That was rejected here: each walk over an array
 * would have to step around entries that are no pages, nodes that hold nothing but shadows add up
 * to a part of whatever was ever read, and so they need a shrinker and an order of their own.
 * Instead, one hashed table of fixed size, made at boot: 8 bytes a frame, O(1), unable to fail in
 * the middle of reclaim. As many shadows as there are frames is also all that any policy can use: a
 * page that left longer ago than memory is large was rightly evicted.
 *
 *     hash(object id, index) ── low bits ─▶ set: [newest][   ][   ][oldest] ─▶ pushed out
 *                            └─ high bits ▶ tag, compared
 *
 * A stranger with the same set and tag (one in 2^30) makes a page look as if it came back:
 * harmless. Ids of objects are never used twice, so what an object leaves behind is never found
 * again.
 *
 * Invariants: I1 shadows counts the entries in use; I2 in a set, those in use come first, or behind
 * ones that were taken.
 *
 * Nothing fails: without memory the table is smaller, or there is none and every page is new.
 * Called by vm/; audit: audit.c.
 */
#include "base/check.h"
#include "page/zone.h"

/* A chunk is the largest block that there is, but for the last. */
#define CHUNK_ORDER    (QUIRE_NORDERS - 1)
#define SET_BYTES      (QUIRE_SHADOW_WAYS * sizeof(struct quire_shadow_entry))
#define SETS_PER_CHUNK ((QUIRE_PAGE_SIZE << CHUNK_ORDER) / SET_BYTES)

struct quire_shadow_entry *quire_shadow_set(struct quire *q, uint64_t number) {
    const struct quire_queues *lru = &q->phys->lru;
    struct quire_shadow_entry *entries = quire_page_window(q, lru->chunks[number / SETS_PER_CHUNK]);
    return entries + number % SETS_PER_CHUNK * QUIRE_SHADOW_WAYS;
}

/* The finaliser of splitmix64 over both numbers. */
static uint64_t hash_of(uint64_t object_id, uint64_t index) {
    uint64_t hash = (object_id * 0x9E3779B97F4A7C15u) ^ index;
    hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9u;
    hash = (hash ^ (hash >> 27)) * 0x94D049BB133111EBu;
    return hash ^ (hash >> 31);
}

/* Clear and adopt a block of 2^order frames; false: there is none. */
static bool add_chunk(struct quire *q, unsigned order) {
    struct quire_queues *lru = &q->phys->lru;
    struct quire_page *page = quire_page_alloc(q, order, QUIRE_USE_KERNEL, QUIRE_ALLOC_USER);
    if (!page) {
        return false;
    }
    __builtin_memset(quire_page_window(q, page), 0, (size_t)(QUIRE_PAGE_SIZE << order));
    lru->chunks[lru->nchunks++] = page;
    return true;
}

/* The list of chunks lies in one block too: 131072 pointers on 64-bit machines, more than the 4096
 * that 2^32 frames want. */
static bool make_directory(struct quire *q, uint64_t nchunks) {
    unsigned order = 0;
    while (QUIRE_PAGE_SIZE << order < nchunks * sizeof(struct quire_page *)) {
        order++;
    }
    struct quire_page *page = quire_page_alloc(q, order, QUIRE_USE_KERNEL, QUIRE_ALLOC_USER);
    q->phys->lru.chunks = page ? quire_page_window(q, page) : NULL;
    return page != NULL;
}

void quire_shadow_start(struct quire *q) {
    struct quire_queues *lru = &q->phys->lru;
    uint64_t frames = quire_page_count(q, QUIRE_USE_FREE), sets = 1;
    unsigned order = 0;
    while (sets * 2 * QUIRE_SHADOW_WAYS <= frames) {
        sets *= 2;
    }
    while (order < CHUNK_ORDER && QUIRE_PAGE_SIZE << order < sets * SET_BYTES) {
        order++;
    }
    uint64_t wanted = sets > SETS_PER_CHUNK ? sets / SETS_PER_CHUNK : 1;
    if (!make_directory(q, wanted)) {
        return;
    }
    while (lru->nchunks < wanted && add_chunk(q, order)) {
    }
    /* As much of it as a power of two can use. */
    lru->sets = lru->nchunks == wanted ? sets : 0;
    for (uint64_t half = wanted / 2; lru->sets == 0 && half > 0; half /= 2) {
        lru->sets = lru->nchunks >= half ? half * SETS_PER_CHUNK : 0;
    }
    if (lru->sets == 0) {
        quire_shadow_stop(q);
    }
}

void quire_shadow_stop(struct quire *q) {
    struct quire_queues *lru = &q->phys->lru;
    while (lru->nchunks > 0) {
        quire_page_free(q, lru->chunks[--lru->nchunks]);
    }
    if (lru->chunks) {
        quire_page_free(q, quire_page_under(q, lru->chunks));
    }
    lru->chunks = NULL;
    lru->sets = lru->shadows = 0;
}

void quire_shadow_put(struct quire *q, uint64_t object_id, uint64_t index, uint32_t shadow) {
    struct quire_queues *lru = &q->phys->lru;
    if (lru->sets == 0) {
        return;
    }
    CHECK(q, shadow != 0);
    uint64_t hash = hash_of(object_id, index);
    struct quire_shadow_entry *set = quire_shadow_set(q, hash & (lru->sets - 1));
    unsigned way = 0;
    while (way < QUIRE_SHADOW_WAYS - 1 && set[way].shadow != 0) {
        way++;
    }
    if (set[way].shadow != 0) {
        q->counters.workingset_nodereclaim++;
    } else {
        lru->shadows++; /* I1 */
    }
    for (; way > 0; way--) {
        set[way] = set[way - 1];
    }
    set[0] = (struct quire_shadow_entry){(uint32_t)(hash >> 32), shadow};
}

uint32_t quire_shadow_take(struct quire *q, uint64_t object_id, uint64_t index) {
    struct quire_queues *lru = &q->phys->lru;
    if (lru->shadows == 0) {
        return 0;
    }
    uint64_t hash = hash_of(object_id, index);
    struct quire_shadow_entry *set = quire_shadow_set(q, hash & (lru->sets - 1));
    for (unsigned way = 0; way < QUIRE_SHADOW_WAYS; way++) {
        uint32_t shadow = set[way].shadow;
        if (shadow != 0 && set[way].tag == (uint32_t)(hash >> 32)) {
            set[way].shadow = 0;
            lru->shadows--;
            return shadow;
        }
    }
    return 0;
}
