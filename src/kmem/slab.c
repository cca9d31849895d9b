/* slab.c: objects of one size, carved from blocks of frames (Bonwick, "The Slab Allocator: An
 * Object-Caching Kernel Memory Allocator", USENIX Summer 1994).
 *
 *     cache ─┬─ magazines: objects that wait (magazine.c); slabs see them in batches only
 *            ├─ partial ─▶ slab ─▶ slab        objects are taken from here first
 *            ├─ full    ─▶ slab
 *            └─ empty   ─▶ slab                kept for the next rise, or reaped
 *
 *     slab   | header, next[] | colour | object 0 | object 1 | …      | unused |
 *            '--- elsewhere for objects of 512 bytes and more ---'
 *
 * Which objects are free is kept in next[], not in the objects: they stay as the constructor made
 * them, and a use after free cannot break the allocator. Colours shift object 0 by cache lines, so
 * that the same field of the first objects of all slabs does not fall on one cache line.
 *
 * From an object's address to its slab: address → page (linear window) → page->owner. Rejected:
 * headers at the start of an aligned block, which would limit objects that must be aligned to
 * pages.
 *
 * Invariants:
 *   I1  a slab is on full, partial or empty exactly as in_use is n, between, or 0
 *   I2  in_use counts the objects with next[] >= INDEX_SEEN, not NONE; the others are one chain
 *       from `free`
 *   I3  the cache's in_use is the sum over its slabs
 *   I4  every page of a slab's block has the slab as owner, and the cache's number as index
 *
 * What may fail: taking objects, without a trace. Called by magazine.c and cache.c. Audit: audit.c.
 */
#include "base/check.h"
#include "kmem/cache.h"
#include "page/zone.h"

/* What next[] says of an object that has just left its slab; audit builds see it move on. */
#define INDEX_TAKEN (QUIRE_AUDITING ? INDEX_HOT : INDEX_OUT)

/* ---- a slab's life --------------------------------------------------------------------------- */

static void chain_objects(struct quire_cache *cache, struct slab *slab) {
    for (uint32_t i = 0; i < cache->objects_per_slab; i++) {
        slab->next[i] = (uint16_t)(i + 1);
    }
    slab->next[cache->objects_per_slab - 1] = INDEX_NONE;
    slab->free = 0;
    for (uint32_t i = 0; cache->constructor && i < cache->objects_per_slab; i++) {
        cache->constructor(slab->first + (size_t)i * cache->stride);
    }
}

/* A new slab on the empty list, or NULL. The test switch was asked before: once an allocation. */
static struct slab *grow(struct quire_cache *cache) {
    struct quire *q = cache->q;
    struct slab *slab = NULL;
    if (cache->header_bytes == 0 && !(slab = quire_cache_take(&q->kmem->slab_cache))) {
        return NULL;
    }
    unsigned mode = QUIRE_ALLOC_KERNEL;
    mode |= cache->flags & QUIRE_CACHE_RECLAIMABLE ? QUIRE_ALLOC_RECLAIMABLE : 0;
    struct quire_page *page =
        quire_zone_alloc(q, cache->order, QUIRE_USE_SLAB, (enum quire_alloc_mode)mode);
    if (!page) {
        if (slab) {
            quire_cache_free(&q->kmem->slab_cache, slab);
        }
        return NULL;
    }
    char *base = quire_page_window(q, page);
    slab = slab ? slab : (struct slab *)(void *)base;
    slab->cache = cache;
    slab->page = page;
    slab->first = base + cache->header_bytes + cache->next_colour * cache->align + cache->red_bytes;
    slab->in_use = 0;
    cache->next_colour = cache->next_colour + 1 < cache->ncolours ? cache->next_colour + 1 : 0;
    chain_objects(cache, slab);
    if (quire_cache_looks(cache)) {
        quire_checked_grow(cache, slab);
    }
    for (uint32_t i = 0; i < 1u << cache->order; i++) { /* I4 */
        page[i].owner = slab;
        page[i].index = cache->general;
        page[i].use = QUIRE_USE_SLAB;
    }
    quire_list_add_after(&cache->empty, &slab->link);
    cache->nslabs++;
    cache->nempty++;
    return slab;
}

void quire_slab_release(struct quire_cache *cache, struct slab *slab) {
    struct quire *q = cache->q;
    struct quire_page *page = slab->page;
    CHECK(q, slab->in_use == 0);
    for (uint32_t i = 0; i < 1u << cache->order; i++) {
        page[i].owner = NULL; /* a late kfree of an object from here is found out */
        page[i].index = 0;
        page[i].use = i > 0 ? QUIRE_USE_RESERVED : QUIRE_USE_SLAB; /* the head's is for page/ */
    }
    quire_list_remove(&slab->link);
    cache->nslabs--;
    cache->nempty--;
    if (cache->header_bytes == 0) {
        quire_cache_free(&q->kmem->slab_cache, slab);
    }
    quire_page_free(q, page);
}

/* ---- objects --------------------------------------------------------------------------------- */

/* Up to n objects of one slab. Lowest addresses end up last: a magazine hands them out first. */
static unsigned take_from_slab(struct quire_cache *cache, struct slab *slab, void **objects,
                               unsigned n) {
    unsigned nfree = cache->objects_per_slab - slab->in_use;
    unsigned taken = n < nfree ? n : nfree;
    uint16_t index = slab->free;
    for (unsigned i = taken; i-- > 0;) {
        uint16_t next = slab->next[index];
        objects[i] = slab->first + (size_t)index * cache->stride;
        slab->next[index] = INDEX_TAKEN; /* I2 */
        index = next;
    }
    slab->free = index;
    cache->in_use += taken;
    if (slab->in_use == 0) {
        cache->nempty--;
    }
    bool was_partial = slab->in_use > 0;
    slab->in_use = (uint16_t)(slab->in_use + taken);
    if (!was_partial || index == INDEX_NONE) { /* I1 */
        quire_list_remove(&slab->link);
        quire_list_add_after(index == INDEX_NONE ? &cache->full : &cache->partial, &slab->link);
    }
    return taken;
}

unsigned quire_slab_take(struct quire_cache *cache, void **objects, unsigned n) {
    struct slab *slab;
    if (!quire_list_empty(&cache->partial)) {
        slab = QUIRE_CONTAINER(cache->partial.next, struct slab, link);
    } else if (!quire_list_empty(&cache->empty)) {
        slab = QUIRE_CONTAINER(cache->empty.next, struct slab, link);
    } else if (!(slab = grow(cache))) {
        return 0;
    }
    return take_from_slab(cache, slab, objects, n);
}

/* The index of an object in its slab; objects_per_slab: it is none of that slab's. */
static inline uint32_t index_in(const struct quire_cache *cache, const struct slab *slab,
                                const void *object) {
    uintptr_t offset = (uintptr_t)object - (uintptr_t)slab->first;
    uint32_t index = (uint32_t)((uint64_t)(uint32_t)offset * cache->inverse >> 32);
    bool inside = offset < (uintptr_t)cache->objects_per_slab * cache->stride;
    return inside && index * cache->stride == (uint32_t)offset ? index : cache->objects_per_slab;
}

struct slab *quire_slab_find(struct quire_cache *cache, const void *object, uint32_t *index) {
    struct quire_page *page = quire_kmem_page(cache->q, object);
    if (!page || page->use != QUIRE_USE_SLAB) {
        quire_cache_complain(cache, object, "is no object", NULL);
    }
    struct slab *slab = page->owner;
    if (slab->cache != cache) {
        quire_cache_complain(cache, object, "belongs to", slab->cache);
    }
    *index = index_in(cache, slab, object);
    if (*index == cache->objects_per_slab) {
        quire_cache_complain(cache, object, "is not the start of an object", NULL);
    }
    return slab;
}

/* An object home. Returns its slab, NULL if that is gone. last: one that may be it, or NULL. */
static struct slab *give_to_slab(struct quire_cache *cache, struct slab *last, void *object) {
    struct slab *slab = last;
    uint32_t index = last ? index_in(cache, last, object) : cache->objects_per_slab;
    if (index == cache->objects_per_slab) {
        slab = quire_slab_find(cache, object, &index);
    }
    if (slab->next[index] != INDEX_TAKEN) {
        quire_cache_complain(cache, object, "was freed twice", NULL);
    }
    bool was_full = slab->free == INDEX_NONE;
    slab->next[index] = slab->free; /* I2 */
    slab->free = (uint16_t)index;
    slab->in_use--;
    cache->in_use--;
    if (slab->in_use > 0 && !was_full) {
        return slab;
    }
    quire_list_remove(&slab->link); /* I1 */
    quire_list_add_after(slab->in_use == 0 ? &cache->empty : &cache->partial, &slab->link);
    if (slab->in_use == 0 && ++cache->nempty > EMPTY_MAX) {
        quire_slab_release(cache, slab);
        return NULL;
    }
    return slab;
}

/* Those freed together often lie together: the way from an address to its slab is then spared. */
void quire_slab_give(struct quire_cache *cache, void *const *objects, unsigned n) {
    struct slab *last = NULL;
    for (unsigned i = 0; i < n; i++) {
        last = give_to_slab(cache, last, objects[i]);
    }
}
