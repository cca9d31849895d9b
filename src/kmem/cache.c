/* cache.c: caches from creation to destruction: the shape of their slabs, the cache of caches.
 *
 * A cache's shape is settled when it is made: the smallest block of which less than an eighth is
 * left over (Bonwick 1994, section 3.2), where the header of a slab goes, how many colours the rest
 * allows, how many objects a magazine takes. struct quire_cache is an object itself, of the cache
 * of caches, which lies in struct quire_kmem.
 *
 * Invariants: those of slab.c and magazine.c. What may fail: creation, without a trace. Called by
 * all rooms above. Audit: audit.c.
 */
#include "kmem/cache.h"

#include <quire/machine.h>

#include "base/check.h"

/* Largest part of a block that may be left over: an eighth (Bonwick 1994, section 3.2). */
#define WASTE_SHARE 8
#define ORDER_MAX   5 /* 128 KiB, the largest object */
/* With red zones an object of 128 KiB needs more than 128 KiB. */
#define ORDER_CHECKED_MAX 6
#define LINE_BYTES        64
#define WORD_ALIGN        16 /* what any type needs */
#define RED_MIN           16 /* bytes of a red zone at least: two words */
#define TRIM_NS           UINT64_C(1000000000)

/* ---- shape ----------------------------------------------------------------------------------- */

static uint32_t slab_header_bytes(uint32_t nobjects, uint32_t align) {
    uint32_t nbytes = (uint32_t)(sizeof(struct slab) + nobjects * sizeof(uint16_t));
    return (nbytes + align - 1) & ~(align - 1);
}

/* How many objects fit behind their header, and whether the rest is small enough. */
static bool fits(struct quire_cache *cache, uint32_t order) {
    uint32_t block = (uint32_t)QUIRE_PAGE_SIZE << order;
    bool off_slab = cache->object_bytes >= OFF_SLAB_BYTES;
    uint32_t nobjects = block / cache->stride;
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

static uint32_t natural_align(size_t object_bytes) {
    return object_bytes >= LINE_BYTES && object_bytes % LINE_BYTES == 0 ? LINE_BYTES : WORD_ALIGN;
}

/* Magazines of at most MAGAZINE_BYTES, a depot of at most DEPOT_SHARE of RAM. */
static void size_magazines(struct quire_cache *cache) {
    uint32_t rounds = MAGAZINE_BYTES / cache->stride;
    if (rounds < 4 || (cache->flags & QUIRE_CACHE_CHECKED)) {
        rounds = 0;
    }
    cache->rounds = rounds < MAGAZINE_ROUNDS ? rounds : MAGAZINE_ROUNDS;
    uint64_t share = quire_page_total(cache->q) << QUIRE_PAGE_SHIFT >> DEPOT_SHARE_SHIFT;
    uint32_t full = cache->rounds * cache->stride;
    if (full > 0) {
        uint32_t most = (uint32_t)(share < INT32_MAX ? share : INT32_MAX) / full;
        cache->depot_max = most < DEPOT_MAX ? most : DEPOT_MAX;
    }
}

/* ---- creation -------------------------------------------------------------------------------- */

static bool options_ok(const struct quire_cache_options *options) {
    return options->object_bytes > 0 && options->object_bytes <= QUIRE_KMALLOC_MAX &&
           options->align <= QUIRE_PAGE_SIZE && (options->align & (options->align - 1)) == 0 &&
           (options->flags & ~(unsigned)(QUIRE_CACHE_CHECKED | QUIRE_CACHE_RECLAIMABLE)) == 0 &&
           !!(options->flags & QUIRE_CACHE_RECLAIMABLE) == (options->reclaim != NULL);
}

enum quire_status quire_cache_init(struct quire *q, struct quire_cache *cache,
                                   const struct quire_cache_options *options) {
    if (!options_ok(options)) {
        return QUIRE_INVAL;
    }
    uint32_t nbytes = (uint32_t)options->object_bytes;
    uint32_t align = (uint32_t)options->align;
    align = align < WORD_ALIGN ? natural_align(nbytes) : align;
    *cache = (struct quire_cache){.q = q,
                                  .name = options->name,
                                  .constructor = options->constructor,
                                  .reclaim = options->reclaim,
                                  .context = options->context,
                                  .flags = options->flags,
                                  .object_bytes = nbytes,
                                  .align = align};
    bool checked = cache->flags & QUIRE_CACHE_CHECKED;
    cache->red_bytes = checked ? (align > RED_MIN ? align : RED_MIN) : 0;
    cache->stride = cache->red_bytes + nbytes + (checked ? RED_MIN : 0);
    cache->stride = (cache->stride + align - 1) & ~(align - 1);
    cache->inverse = UINT32_MAX / cache->stride + 1;
    quire_list_init(&cache->link);
    quire_list_init(&cache->full);
    quire_list_init(&cache->partial);
    quire_list_init(&cache->empty);
    uint32_t most = checked ? ORDER_CHECKED_MAX : ORDER_MAX;
    for (uint32_t order = 0; order <= most && !fits(cache, order); order++) {
    }
    /* The largest order holds one of the largest; and who has room for eight fits, for then the
     * rest is less than one, so twice that many are never needed. */
    CHECK(q, cache->objects_per_slab > 0);
    CHECK(q, cache->header_bytes > 0 || cache->objects_per_slab <= OFF_SLAB_OBJECTS);
    size_magazines(cache);
    quire_cache_guard(cache);
    return QUIRE_OK;
}

enum quire_status quire_cache_create_with(struct quire *q,
                                          const struct quire_cache_options *options,
                                          struct quire_cache **out) {
    struct quire_cache_options own = *options;
    own.flags |= q->kmem->cache_cache.flags & QUIRE_CACHE_CHECKED; /* if one is, all are */
    struct quire_cache *cache = quire_cache_alloc(&q->kmem->cache_cache);
    if (!cache) {
        return QUIRE_NOMEM;
    }
    enum quire_status status = quire_cache_init(q, cache, &own);
    if (status != QUIRE_OK) {
        quire_cache_free(&q->kmem->cache_cache, cache);
        return status;
    }
    quire_list_add_before(&q->kmem->caches, &cache->link);
    *out = cache;
    return QUIRE_OK;
}

enum quire_status quire_cache_create(struct quire *q, const char *name, size_t object_bytes,
                                     size_t align, void (*constructor)(void *object),
                                     struct quire_cache **out) {
    struct quire_cache_options options = {
        .name = name, .object_bytes = object_bytes, .align = align, .constructor = constructor};
    return quire_cache_create_with(q, &options, out);
}

/* ---- reaping and the end --------------------------------------------------------------------- */

uint64_t quire_cache_shrink(struct quire_cache *cache) {
    uint64_t before = cache->nslabs;
    quire_cache_drain(cache);
    while (!quire_list_empty(&cache->empty)) {
        quire_slab_release(cache, QUIRE_CONTAINER(cache->empty.next, struct slab, link));
    }
    return (before - cache->nslabs) << cache->order;
}

/* From the youngest to the oldest: the caches that all others are made of come last. */
uint64_t quire_kmem_shrink(struct quire *q) {
    uint64_t freed = 0;
    struct quire_list *head = &q->kmem->caches;
    for (struct quire_list *link = head->prev; link != head; link = link->prev) {
        freed += quire_cache_shrink(QUIRE_CONTAINER(link, struct quire_cache, link));
    }
    return freed;
}

void quire_kmem_tick(struct quire *q) {
    uint64_t now_ns = quire_mach_now_ns(q->machine);
    if (now_ns - q->kmem->trimmed_ns < TRIM_NS) {
        return;
    }
    q->kmem->trimmed_ns = now_ns;
    struct quire_list *head = &q->kmem->caches;
    for (struct quire_list *link = head->prev; link != head; link = link->prev) {
        quire_cache_trim(QUIRE_CONTAINER(link, struct quire_cache, link));
    }
}

/* Slabs come free while the owners give as well as at the end: free frames are what counts. */
uint64_t quire_kmem_reclaim(struct quire *q, uint64_t nobjects) {
    uint64_t before = quire_page_count(q, QUIRE_USE_FREE);
    struct quire_list *head = &q->kmem->caches;
    for (struct quire_list *link = head->prev; link != head; link = link->prev) {
        struct quire_cache *cache = QUIRE_CONTAINER(link, struct quire_cache, link);
        if (cache->reclaim) {
            (void)cache->reclaim(cache->context, nobjects);
        }
    }
    (void)quire_kmem_shrink(q);
    return quire_page_count(q, QUIRE_USE_FREE) - before;
}

void quire_cache_fini(struct quire_cache *cache) {
    quire_cache_shrink(cache);
    CHECK(cache->q, cache->in_use == 0 && cache->nslabs == 0);
    quire_list_remove(&cache->link);
}

enum quire_status quire_cache_destroy(struct quire_cache *cache) {
    struct quire *q = cache->q;
    if (cache->in_use > quire_cache_hot(cache)) {
        return QUIRE_BUSY;
    }
    quire_cache_fini(cache);
    quire_cache_free(&q->kmem->cache_cache, cache);
    return QUIRE_OK;
}
