/* audit.c: the slow truth about caches: every slab and object recounted, and what /proc shows.
 *
 * Walks each cache's three lists, each slab's chain of free objects, and all magazines. O(objects).
 * Holds the invariants of slab.c and magazine.c and panics at the first difference. Cannot fail.
 *
 * An object that lies in magazines twice was freed twice. It is found by marking each one's index
 * as seen on the way in, and taking the mark away again at the end.
 */
#include "base/check.h"
#include "kmem/area.h"
#include "kmem/cache.h"

/* ---- slabs ----------------------------------------------------------------------------------- */

static void audit_slab(struct quire_cache *cache, const struct slab *slab) {
    struct quire *q = cache->q;
    uint32_t nfree = 0, nout = 0;
    CHECK(q, slab->cache == cache && slab->page->use == QUIRE_USE_SLAB);
    CHECK(q, slab->page->order == cache->order);
    for (uint32_t i = 0; i < 1u << cache->order; i++) {
        CHECK(q, slab->page[i].owner == slab && slab->page[i].index == cache->general); /* I4 */
    }
    for (uint16_t index = slab->free; index != INDEX_NONE; index = slab->next[index]) {
        CHECK(q, index < cache->objects_per_slab && nfree < cache->objects_per_slab);
        nfree++;
    }
    for (uint32_t i = 0; i < cache->objects_per_slab; i++) {
        nout += slab->next[i] == INDEX_OUT || (QUIRE_AUDITING && slab->next[i] == INDEX_HOT);
    }
    CHECK(q, nout == slab->in_use && nfree + nout == cache->objects_per_slab); /* I2 */
    quire_checked_audit(cache, slab);
}

struct recount {
    uint64_t nslabs, in_use;
};

static void audit_list(struct quire_cache *cache, const struct quire_list *head, uint32_t least,
                       uint32_t most, struct recount *sum) {
    for (const struct quire_list *link = head->next; link != head; link = link->next) {
        const struct slab *slab = QUIRE_CONTAINER(link, struct slab, link);
        CHECK(cache->q, link->next->prev == link);
        CHECK(cache->q, slab->in_use >= least && slab->in_use <= most); /* I1 */
        audit_slab(cache, slab);
        sum->nslabs++;
        sum->in_use += slab->in_use;
    }
}

/* ---- magazines ------------------------------------------------------------------------------- */

/* Turn the index of each object from one word to another; they must all have the first. */
static void mark(struct quire_cache *cache, const struct magazine *magazine, uint32_t nobjects,
                 uint16_t from, uint16_t to) {
    for (uint32_t i = 0; i < nobjects; i++) {
        uint32_t index;
        struct slab *slab = quire_slab_find(cache, magazine->objects[i], &index);
        if (slab->next[index] != from) {
            quire_cache_complain(cache, magazine->objects[i], "was freed twice", NULL);
        }
        slab->next[index] = to;
    }
}

static void mark_all(struct quire_cache *cache, uint16_t from, uint16_t to) {
    mark(cache, cache->loaded, quire_cache_loaded(cache), from, to);
    mark(cache, cache->previous, cache->nprevious, from, to);
    for (const struct magazine *full = cache->depot_full; full; full = full->next) {
        mark(cache, full, cache->rounds, from, to);
    }
}

/* Returns the magazines of the cache. */
static uint64_t audit_magazines(struct quire_cache *cache) {
    struct quire *q = cache->q;
    uint16_t resting = QUIRE_AUDITING ? INDEX_HOT : INDEX_OUT;
    uint64_t nfull = 0, nempty = 0;
    CHECK(q,
          cache->closed ? cache->front.count == 0 && cache->front.room == 0 : cache->nclosed == 0);
    CHECK(q, cache->closed || cache->front.room == (cache->loaded ? cache->rounds : 0));
    CHECK(q, quire_cache_loaded(cache) <= (cache->loaded ? cache->rounds : 0));
    CHECK(q, cache->nprevious == 0 || (cache->previous && cache->nprevious == cache->rounds));
    CHECK(q, !cache->loaded || cache->front.objects == cache->loaded->objects);
    for (const struct magazine *full = cache->depot_full; full; full = full->next) {
        CHECK(q, ++nfull <= cache->ndepot);
    }
    for (const struct magazine *empty = cache->depot_empty; empty; empty = empty->next) {
        CHECK(q, ++nempty <= q->kmem->magazine_cache.in_use);
    }
    CHECK(q, nfull == cache->ndepot && nfull <= cache->depot_max && cache->depot_low <= nfull);
    mark_all(cache, resting, INDEX_SEEN);
    CHECK(q, quire_cache_hot(cache) <= cache->in_use);
    mark_all(cache, INDEX_SEEN, resting);
    return nfull + nempty + (cache->loaded != NULL) + (cache->previous != NULL);
}

void quire_cache_audit(struct quire_cache *cache) {
    struct recount sum = {0};
    uint32_t all = cache->objects_per_slab;
    audit_list(cache, &cache->empty, 0, 0, &sum);
    CHECK(cache->q, sum.nslabs == cache->nempty);
    audit_list(cache, &cache->partial, 1, all - 1, &sum);
    audit_list(cache, &cache->full, all, all, &sum);
    CHECK(cache->q, sum.nslabs == cache->nslabs && sum.in_use == cache->in_use); /* I3 */
}

void quire_kmem_audit(struct quire *q) {
    uint64_t frames = 0, magazines = 0;
    struct quire_list *head = &q->kmem->caches;
    for (struct quire_list *link = head->next; link != head; link = link->next) {
        struct quire_cache *cache = QUIRE_CONTAINER(link, struct quire_cache, link);
        quire_cache_audit(cache);
        magazines += audit_magazines(cache);
        frames += cache->nslabs << cache->order;
    }
    CHECK(q, frames == quire_page_count(q, QUIRE_USE_SLAB));
    CHECK(q, magazines == q->kmem->magazine_cache.in_use);
    quire_mempool_audit(q);
    quire_area_audit(q);
}

/* ---- what /proc shows ------------------------------------------------------------------------ */

bool quire_kmem_info(const struct quire *q, unsigned index, struct quire_cache_info *info) {
    const struct quire_list *head = &q->kmem->caches, *link = head->next;
    while (link != head && index-- > 0) {
        link = link->next;
    }
    if (link == head) {
        return false;
    }
    const struct quire_cache *cache = QUIRE_CONTAINER(link, struct quire_cache, link);
    *info = (struct quire_cache_info){
        .name = cache->name,
        .objects_active = cache->in_use - quire_cache_hot(cache),
        .objects_total = cache->nslabs * cache->objects_per_slab,
        .slabs_active = cache->nslabs - cache->nempty,
        .slabs_total = cache->nslabs,
        .object_bytes = cache->object_bytes,
        .objects_per_slab = cache->objects_per_slab,
        .pages_per_slab = 1u << cache->order,
        .magazine_rounds = cache->rounds,
        .depot_max = cache->depot_max,
        .depot = cache->ndepot,
        .reclaimable = cache->flags & QUIRE_CACHE_RECLAIMABLE,
    };
    return true;
}

uint64_t quire_kmem_reclaimable(const struct quire *q) {
    uint64_t frames = 0;
    struct quire_cache_info info;
    for (unsigned i = 0; quire_kmem_info(q, i, &info); i++) {
        frames += info.reclaimable ? info.slabs_total * info.pages_per_slab : 0;
    }
    return frames;
}
