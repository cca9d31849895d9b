/* audit.c: the slow truth about caches: every slab and object recounted, and what /proc shows.
 *
 * Walks each cache's three lists and each slab's chain of free objects. O(objects). Holds the
 * invariants of slab.c and panics at the first difference. Cannot fail.
 */
#include "base/check.h"
#include "kmem/cache.h"

static void audit_slab(struct quire_cache *cache, const struct slab *slab) {
    struct quire *q = cache->q;
    uint32_t nfree = 0, nout = 0;
    CHECK(q, slab->cache == cache && slab->page->use == QUIRE_USE_SLAB);
    CHECK(q, slab->page->order == cache->order);
    for (uint32_t i = 0; i < 1u << cache->order; i++) {
        CHECK(q, slab->page[i].owner == slab); /* I4 */
    }
    for (uint16_t index = slab->free; index != INDEX_NONE; index = slab->next[index]) {
        CHECK(q, index < cache->objects_per_slab && nfree < cache->objects_per_slab);
        nfree++;
    }
    for (uint32_t i = 0; i < cache->objects_per_slab; i++) {
        nout += slab->next[i] == INDEX_OUT;
    }
    CHECK(q, nout == slab->in_use && nfree + nout == cache->objects_per_slab); /* I2 */
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

static void audit_hot(struct quire_cache *cache) {
    for (unsigned i = 0; i < cache->nhot; i++) {
        struct quire_page *page = quire_page_under(cache->q, cache->hot[i]);
        CHECK(cache->q, page && page->owner);
        struct slab *slab = page->owner;
        CHECK(cache->q, slab->cache == cache);
        for (unsigned other = 0; other < i; other++) {
            CHECK(cache->q, cache->hot[other] != cache->hot[i]); /* freed twice */
        }
    }
}

void quire_cache_audit(struct quire_cache *cache) {
    struct recount sum = {0};
    uint32_t all = cache->objects_per_slab;
    audit_list(cache, &cache->empty, 0, 0, &sum);
    CHECK(cache->q, sum.nslabs == cache->nempty);
    audit_list(cache, &cache->partial, 1, all - 1, &sum);
    audit_list(cache, &cache->full, all, all, &sum);
    CHECK(cache->q, sum.nslabs == cache->nslabs && sum.in_use == cache->in_use); /* I3 */
    CHECK(cache->q, cache->nhot <= HOT_MAX && cache->nhot <= cache->in_use);
    audit_hot(cache);
}

void quire_kmem_audit(struct quire *q) {
    uint64_t frames = 0;
    struct quire_list *head = &q->kmem->caches;
    for (struct quire_list *link = head->next; link != head; link = link->next) {
        struct quire_cache *cache = QUIRE_CONTAINER(link, struct quire_cache, link);
        quire_cache_audit(cache);
        frames += cache->nslabs << cache->order;
    }
    CHECK(q, frames == quire_page_count(q, QUIRE_USE_SLAB));
}

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
        .objects_active = cache->in_use - cache->nhot,
        .objects_total = cache->nslabs * cache->objects_per_slab,
        .slabs_active = cache->nslabs - cache->nempty,
        .slabs_total = cache->nslabs,
        .object_bytes = cache->object_bytes,
        .objects_per_slab = cache->objects_per_slab,
        .pages_per_slab = 1u << cache->order,
    };
    return true;
}
