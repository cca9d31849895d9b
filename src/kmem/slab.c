/* slab.c: objects of one size, carved from blocks of frames (Bonwick, "The Slab Allocator: An
 * Object-Caching Kernel Memory Allocator", USENIX Summer 1994).
 *
 *     cache ─┬─ hot: a stack of objects, the last freed on top (no slab is looked at)
 *            ├─ partial ─▶ slab ─▶ slab        allocations come from here first
 *            ├─ full    ─▶ slab
 *            └─ empty   ─▶ slab                kept for the next rise, or reaped
 *
 *     slab   | header, next[] | colour | object 0 | object 1 | …      | unused |
 *            '--- elsewhere for objects of 512 bytes and more ---'
 *
 * Which objects are free is kept in next[], not in the objects: they stay as the constructor made
 * them, and a use after free cannot break the allocator. Colours shift object 0 by cache lines, so
 * that the same field of the first objects of all slabs does not fall on one cache line. The hot
 * stack is the later idea of magazines (Bonwick and Adams, USENIX 2001) with one processor.
 *
 * From an object's address to its slab: address → page (linear window) → page->owner. Rejected:
 * headers at the start of an aligned block, which would limit objects that must be aligned to
 * pages.
 *
 * Invariants:
 *   I1  a slab is on full, partial or empty exactly as in_use is n, between, or 0
 *   I2  in_use counts the objects with next[] == OUT; the others are one chain from `free`
 *   I3  the cache's in_use is the sum over its slabs; nhot of them are on the stack
 *   I4  every page of a slab's block has the slab as owner
 *
 * What may fail: allocation and creation, without a trace. Called by all rooms above. Audit:
 * audit.c.
 */
#include "base/check.h"
#include "kmem/cache.h"
#include "page/zone.h"

/* Largest part of a block that may be left over: an eighth (Bonwick 1994, section 3.2). */
#define WASTE_SHARE 8
#define ORDER_MAX   5 /* 128 KiB, the largest object */
#define LINE_BYTES  64
#define WORD_ALIGN  16 /* what any type needs */
/* Linux's byte for freed objects (POISON_FREE): known from its oopses. */
#define POISON 0x6B

static void *take_object(struct quire_cache *cache);

/* ---- slabs ----------------------------------------------------------------------------------- */

static uint32_t slab_header_bytes(uint32_t nobjects, uint32_t align) {
    uint32_t nbytes = (uint32_t)(sizeof(struct slab) + nobjects * sizeof(uint16_t));
    return (nbytes + align - 1) & ~(align - 1);
}

static void chain_objects(struct quire_cache *cache, struct slab *slab) {
    for (uint32_t i = 0; i < cache->objects_per_slab; i++) {
        slab->next[i] = (uint16_t)(i + 1);
        if (cache->constructor) {
            cache->constructor(slab->first + (size_t)i * cache->stride);
        }
    }
    slab->next[cache->objects_per_slab - 1] = INDEX_NONE;
    slab->free = 0;
}

/* A new slab on the empty list, or NULL. The test switch was asked before: once an allocation. */
static struct slab *grow(struct quire_cache *cache) {
    struct quire *q = cache->q;
    struct slab *slab = NULL;
    if (cache->header_bytes == 0 && !(slab = take_object(&q->kmem->slab_cache))) {
        return NULL;
    }
    struct quire_page *page = quire_zone_alloc(q, cache->order, QUIRE_USE_SLAB, QUIRE_ALLOC_KERNEL);
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
    slab->first = base + cache->header_bytes + cache->next_colour * cache->align;
    slab->in_use = 0;
    cache->next_colour = cache->next_colour + 1 < cache->ncolours ? cache->next_colour + 1 : 0;
    chain_objects(cache, slab);
    if (QUIRE_AUDITING && !cache->constructor) {
        __builtin_memset(slab->first, POISON, (size_t)cache->objects_per_slab * cache->stride);
    }
    for (uint32_t i = 0; i < 1u << cache->order; i++) {
        page[i].owner = slab; /* I4 */
        page[i].use = QUIRE_USE_SLAB;
    }
    quire_list_add_after(&cache->empty, &slab->link);
    cache->nslabs++;
    cache->nempty++;
    return slab;
}

/* => empty */
static void release_slab(struct quire_cache *cache, struct slab *slab) {
    struct quire *q = cache->q;
    struct quire_page *page = slab->page;
    CHECK(q, slab->in_use == 0);
    for (uint32_t i = 0; i < 1u << cache->order; i++) {
        page[i].owner = NULL; /* a late kfree of an object from here is found out */
    }
    quire_list_remove(&slab->link);
    cache->nslabs--;
    cache->nempty--;
    if (cache->header_bytes == 0) {
        quire_cache_free(&q->kmem->slab_cache, slab);
    }
    quire_page_free(q, page);
}

static void *take_from_slab(struct quire_cache *cache, struct slab *slab) {
    uint16_t index = slab->free;
    slab->free = slab->next[index];
    slab->next[index] = INDEX_OUT; /* I2 */
    cache->in_use++;
    if (slab->in_use++ == 0) {
        cache->nempty--;
    }
    if (slab->in_use == 1 || slab->free == INDEX_NONE) { /* I1 */
        quire_list_remove(&slab->link);
        quire_list_add_after(slab->free == INDEX_NONE ? &cache->full : &cache->partial,
                             &slab->link);
    }
    return slab->first + (size_t)index * cache->stride;
}

static void give_to_slab(struct quire_cache *cache, void *object) {
    struct quire *q = cache->q;
    struct quire_page *page = quire_page_under(q, object);
    CHECK(q, page && page->use == QUIRE_USE_SLAB && page->owner);
    struct slab *slab = page->owner;
    uint32_t offset = (uint32_t)((char *)object - slab->first);
    uint32_t index = (uint32_t)((uint64_t)offset * cache->inverse >> 32);
    CHECK(q, slab->cache == cache && index < cache->objects_per_slab);
    CHECK(q, index * cache->stride == offset && slab->next[index] == INDEX_OUT); /* freed twice? */
    bool was_full = slab->free == INDEX_NONE;
    slab->next[index] = slab->free; /* I2 */
    slab->free = (uint16_t)index;
    slab->in_use--;
    cache->in_use--;
    if (slab->in_use > 0 && !was_full) {
        return;
    }
    quire_list_remove(&slab->link); /* I1 */
    quire_list_add_after(slab->in_use == 0 ? &cache->empty : &cache->partial, &slab->link);
    if (slab->in_use == 0 && ++cache->nempty > EMPTY_MAX) {
        release_slab(cache, slab);
    }
}

/* ---- objects --------------------------------------------------------------------------------- */

/* An object from a slab, when none waits on the stack. Out of line: the fast path stays short. */
static __attribute__((noinline)) void *alloc_slow(struct quire_cache *cache) {
    struct slab *slab;
    if (!quire_list_empty(&cache->partial)) {
        slab = QUIRE_CONTAINER(cache->partial.next, struct slab, link);
    } else if (!quire_list_empty(&cache->empty)) {
        slab = QUIRE_CONTAINER(cache->empty.next, struct slab, link);
    } else if (!(slab = grow(cache))) {
        return NULL;
    }
    return take_from_slab(cache, slab);
}

static void *take_object(struct quire_cache *cache) {
    return cache->nhot > 0 ? cache->hot[--cache->nhot] : alloc_slow(cache);
}

/* In audit builds free objects of caches without a constructor hold POISON throughout: a write
 * after the free is found when the object is given out again. */
static bool is_poisoned(const struct quire_cache *cache, const void *object) {
    const unsigned char *bytes = object;
    for (uint32_t i = 0; i < cache->object_bytes; i++) {
        if (bytes[i] != POISON) {
            return false;
        }
    }
    return true;
}

void *quire_cache_alloc(struct quire_cache *cache) {
    if (quire_page_should_fail(cache->q)) {
        return NULL;
    }
    void *object = take_object(cache);
    if (QUIRE_AUDITING && object && !cache->constructor) {
        CHECK(cache->q, is_poisoned(cache, object)); /* written after it was freed */
    }
    return object;
}

static void cool(struct quire_cache *cache, unsigned nobjects) {
    for (unsigned i = 0; i < nobjects; i++) {
        give_to_slab(cache, cache->hot[i]);
    }
    cache->nhot -= nobjects;
    __builtin_memmove(cache->hot, cache->hot + nobjects, cache->nhot * sizeof cache->hot[0]);
}

/* The stack is full: half of it goes home. */
static __attribute__((noinline)) void free_slow(struct quire_cache *cache, void *object) {
    cool(cache, HOT_MAX / 2);
    cache->hot[cache->nhot++] = object;
}

static bool is_hot(const struct quire_cache *cache, const void *object) {
    for (unsigned i = 0; i < cache->nhot; i++) {
        if (cache->hot[i] == object) {
            return true;
        }
    }
    return false;
}

void quire_cache_free(struct quire_cache *cache, void *object) {
    CHECK(cache->q, !QUIRE_AUDITING || !is_hot(cache, object)); /* freed twice */
    if (QUIRE_AUDITING && !cache->constructor) {
        __builtin_memset(object, POISON, cache->object_bytes);
    }
    if (cache->nhot < HOT_MAX) {
        cache->hot[cache->nhot++] = object;
    } else {
        free_slow(cache, object);
    }
}

uint64_t quire_cache_shrink(struct quire_cache *cache) {
    uint64_t before = cache->nslabs;
    cool(cache, cache->nhot);
    while (!quire_list_empty(&cache->empty)) {
        release_slab(cache, QUIRE_CONTAINER(cache->empty.next, struct slab, link));
    }
    return (before - cache->nslabs) << cache->order;
}

/* ---- caches ---------------------------------------------------------------------------------- */

/* How many objects fit behind their header, and whether the rest is small enough. */
static bool fits(struct quire_cache *cache, uint32_t order) {
    uint32_t block = (uint32_t)QUIRE_PAGE_SIZE << order;
    bool off_slab = cache->object_bytes >= OFF_SLAB_BYTES;
    uint32_t nobjects = block / cache->stride;
    if (off_slab && nobjects > OFF_SLAB_OBJECTS) {
        nobjects = OFF_SLAB_OBJECTS;
    }
    uint32_t header = 0;
    while (!off_slab && nobjects > 0 &&
           (header = slab_header_bytes(nobjects, cache->align)) + nobjects * cache->stride >
               block) {
        nobjects--;
    }
    uint32_t rest = block - (nobjects > 0 ? header + nobjects * cache->stride : 0);
    cache->order = order;
    cache->objects_per_slab = nobjects;
    cache->header_bytes = off_slab ? 0 : header;
    cache->ncolours = rest / cache->align + 1;
    return nobjects > 0 && rest <= block / WASTE_SHARE;
}

enum quire_status quire_cache_init(struct quire *q, struct quire_cache *cache, const char *name,
                                   size_t object_bytes, size_t align,
                                   void (*constructor)(void *object)) {
    if (object_bytes == 0 || object_bytes > (QUIRE_PAGE_SIZE << ORDER_MAX) ||
        align > QUIRE_PAGE_SIZE || (align & (align - 1)) != 0) {
        return QUIRE_INVAL;
    }
    if (align < WORD_ALIGN) {
        align = object_bytes >= LINE_BYTES ? LINE_BYTES : WORD_ALIGN;
        align = object_bytes >= LINE_BYTES && object_bytes % LINE_BYTES ? WORD_ALIGN : align;
    }
    *cache = (struct quire_cache){.q = q,
                                  .name = name,
                                  .constructor = constructor,
                                  .object_bytes = (uint32_t)object_bytes,
                                  .align = (uint32_t)align};
    cache->stride = (uint32_t)((object_bytes + align - 1) & ~(align - 1));
    cache->inverse = UINT32_MAX / cache->stride + 1;
    quire_list_init(&cache->link);
    quire_list_init(&cache->full);
    quire_list_init(&cache->partial);
    quire_list_init(&cache->empty);
    for (uint32_t order = 0; order <= ORDER_MAX && !fits(cache, order); order++) {
    }
    return cache->objects_per_slab > 0 ? QUIRE_OK : QUIRE_INVAL;
}

void quire_cache_fini(struct quire_cache *cache) {
    quire_cache_shrink(cache);
    CHECK(cache->q, cache->in_use == 0 && cache->nslabs == 0);
    quire_list_remove(&cache->link);
}

enum quire_status quire_cache_create(struct quire *q, const char *name, size_t object_bytes,
                                     size_t align, void (*constructor)(void *object),
                                     struct quire_cache **out) {
    struct quire_cache *cache = quire_cache_alloc(&q->kmem->cache_cache);
    if (!cache) {
        return QUIRE_NOMEM;
    }
    enum quire_status status = quire_cache_init(q, cache, name, object_bytes, align, constructor);
    if (status != QUIRE_OK) {
        quire_cache_free(&q->kmem->cache_cache, cache);
        return status;
    }
    quire_list_add_before(&q->kmem->caches, &cache->link);
    *out = cache;
    return QUIRE_OK;
}

enum quire_status quire_cache_destroy(struct quire_cache *cache) {
    struct quire *q = cache->q;
    if (cache->in_use > cache->nhot) {
        return QUIRE_BUSY;
    }
    quire_cache_fini(cache);
    quire_cache_free(&q->kmem->cache_cache, cache);
    return QUIRE_OK;
}

/* ---- for base/: nodes of sparse arrays ------------------------------------------------------- */

void *quire_slab_node_alloc(void *cache) {
    return quire_cache_alloc(cache);
}

void quire_slab_node_free(void *cache, void *node) {
    quire_cache_free(cache, node);
}
