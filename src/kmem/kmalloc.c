/* kmalloc.c: memory of any size: the general caches, and the room's bring-up.
 *
 * A request goes to the smallest cache that holds it; the object's page leads back to its cache, so
 * nothing is stored beside the object and kfree needs no size:
 *
 *     1 … 32 │ 64 │ 96 │ 128 │ 192 │ 256 │ 512 │ 1 K │ 2 K │ 4 K │ 8 K │ … │ 128 K
 *
 * 96 and 192 are there because requests just over 64 and 128 bytes are common and would waste half
 * (Linux has them for the same reason). Powers of two are aligned to themselves, up to a page.
 *
 * The short way back from an address: the first range of RAM is kept here, and each page of a slab
 * has the number of its general cache in `index`; so kfree touches the page and the cache, not the
 * slab. All else (other ranges, other caches, no object at all) goes the long way, with checks.
 *
 * Invariants: I1 general[] ascends in size. I2 the cache of caches, the one of slab headers and the
 * one of magazines lie in struct quire_kmem itself: they are what all others are made of; their
 * slabs are on-slab and they have no magazines.
 *
 * What may fail: allocation, with NULL. Called by all rooms above. Audit: audit.c.
 */
#include "base/check.h"
#include "kmem/area.h"
#include "kmem/cache.h"
#include "page/zone.h"

static const struct {
    const char *name;
    uint32_t nbytes;
} general[NGENERAL] = {
    {"kmalloc-32", 32},     {"kmalloc-64", 64},     {"kmalloc-96", 96},
    {"kmalloc-128", 128},   {"kmalloc-192", 192},   {"kmalloc-256", 256},
    {"kmalloc-512", 512},   {"kmalloc-1k", 1024},   {"kmalloc-2k", 2048},
    {"kmalloc-4k", 4096},   {"kmalloc-8k", 8192},   {"kmalloc-16k", 16384},
    {"kmalloc-32k", 32768}, {"kmalloc-64k", 65536}, {"kmalloc-128k", QUIRE_KMALLOC_MAX},
};

/* Index in general[]: up to 1 KiB by a table of steps of 32 bytes, the others by their highest bit.
 */
#define STEP_BYTES 32
#define STEPS_MAX  1024
static unsigned size_class(size_t nbytes) {
    static const uint8_t small[STEPS_MAX / STEP_BYTES + 1] = {0, 0, 1, 2, 3, 4, 4, 5, 5, 6, 6,
                                                              6, 6, 6, 6, 6, 6, 7, 7, 7, 7, 7,
                                                              7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};
    if (nbytes <= STEPS_MAX) {
        return small[(nbytes + STEP_BYTES - 1) / STEP_BYTES];
    }
    unsigned bit = 11; /* 2^bit is the smallest power that holds it */
    while ((size_t)1 << bit < nbytes) {
        bit++;
    }
    return bit - 3; /* 2^11 is general[8] */
}

void *quire_kmalloc(struct quire *q, size_t nbytes) {
    if (__builtin_expect(nbytes > QUIRE_KMALLOC_MAX, 0)) {
        return NULL;
    }
    return quire_cache_alloc(q->kmem->general[size_class(nbytes)]);
}

void *quire_kzalloc(struct quire *q, size_t nbytes) {
    void *object = quire_kmalloc(q, nbytes);
    if (object) {
        __builtin_memset(object, 0, nbytes);
    }
    return object;
}

void *quire_kcalloc(struct quire *q, size_t count, size_t nbytes) {
    size_t product;
    if (__builtin_mul_overflow(count, nbytes, &product)) {
        return NULL;
    }
    return quire_kzalloc(q, product);
}

/* The cache of an object, whichever; panics on what is none. */
static struct quire_cache *cache_of(struct quire *q, const void *pointer) {
    struct quire_page *page = quire_page_under(q, pointer);
    CHECK(q, page && page->use == QUIRE_USE_SLAB && page->owner); /* else it never came from here */
    return ((struct slab *)page->owner)->cache;
}

static __attribute__((noinline)) void free_far(struct quire *q, void *pointer) {
    if (pointer) {
        quire_cache_free(cache_of(q, pointer), pointer);
    }
}

void quire_kfree(struct quire *q, void *pointer) {
    struct quire_kmem *kmem = q->kmem;
    uintptr_t offset = (uintptr_t)pointer - (uintptr_t)kmem->window;
    if (__builtin_expect(offset < kmem->window_bytes, 1)) {
        struct quire_page *page = &kmem->windows[offset >> QUIRE_PAGE_SHIFT];
        /* index is 1 or more in pages of slabs only when the cache is a general one */
        if (__builtin_expect(page->use == QUIRE_USE_SLAB && page->index != 0, 1)) {
            quire_cache_free(kmem->general[page->index - 1], pointer);
            return;
        }
    }
    free_far(q, pointer);
}

size_t quire_kmalloc_usable(struct quire *q, const void *pointer) {
    return cache_of(q, pointer)->object_bytes;
}

void *quire_krealloc(struct quire *q, void *pointer, size_t nbytes) {
    if (!pointer) {
        return quire_kmalloc(q, nbytes);
    }
    if (nbytes == 0) {
        quire_kfree(q, pointer);
        return NULL;
    }
    size_t usable = quire_kmalloc_usable(q, pointer);
    /* Stay when the same cache would be chosen again; a smaller one gives the rest back. */
    if (nbytes <= usable && cache_of(q, pointer) == q->kmem->general[size_class(nbytes)]) {
        return pointer;
    }
    void *moved = quire_kmalloc(q, nbytes);
    if (moved) {
        __builtin_memcpy(moved, pointer, nbytes < usable ? nbytes : usable);
        quire_kfree(q, pointer);
    }
    return moved;
}

/* ---- the general caches ---------------------------------------------------------------------- */

enum quire_status quire_kmalloc_boot(struct quire *q) {
    for (unsigned i = 0; i < NGENERAL; i++) {
        uint32_t nbytes = general[i].nbytes;
        uint32_t align = nbytes & (nbytes - 1) ? STEP_BYTES : nbytes;
        align = align < QUIRE_PAGE_SIZE ? align : (uint32_t)QUIRE_PAGE_SIZE;
        CHECK(q, i == 0 || nbytes > general[i - 1].nbytes); /* I1 */
        enum quire_status status =
            quire_cache_create(q, general[i].name, nbytes, align, NULL, &q->kmem->general[i]);
        if (status != QUIRE_OK) {
            return status;
        }
        q->kmem->general[i]->general = i + 1;
    }
    return QUIRE_OK;
}

void quire_kmalloc_shutdown(struct quire *q) {
    for (unsigned i = NGENERAL; i-- > 0;) {
        if (q->kmem->general[i]) {
            enum quire_status status = quire_cache_destroy(q->kmem->general[i]);
            CHECK(q, status == QUIRE_OK); /* else a leak of a room above */
        }
    }
}

/* ---- the room -------------------------------------------------------------------------------- */

static void boot_cache(struct quire *q, struct quire_cache *cache, const char *name, size_t nbytes,
                       size_t align, bool checked) {
    struct quire_cache_options options = {.name = name,
                                          .object_bytes = nbytes,
                                          .align = align,
                                          .flags = checked ? QUIRE_CACHE_CHECKED : 0};
    enum quire_status status = quire_cache_init(q, cache, &options);
    CHECK(q, status == QUIRE_OK && cache->header_bytes > 0); /* I2 */
    cache->rounds = 0;                                       /* I2 */
    quire_list_add_before(&q->kmem->caches, &cache->link);
}

enum quire_status quire_kmem_boot(struct quire *q, bool checked) {
    struct quire_page *page = quire_page_alloc(q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_KERNEL);
    _Static_assert(sizeof(struct quire_kmem) <= QUIRE_PAGE_SIZE, "the room's state is one frame");
    if (!page) {
        return QUIRE_NOMEM;
    }
    struct quire_kmem *kmem = quire_page_window(q, page);
    __builtin_memset(kmem, 0, sizeof *kmem);
    q->kmem = kmem;
    kmem->window = q->phys->ranges[0].window;
    kmem->window_bytes = (uintptr_t)(q->phys->ranges[0].end - q->phys->ranges[0].first)
                         << QUIRE_PAGE_SHIFT;
    kmem->windows = quire_page_at(q, (quire_frame){q->phys->ranges[0].first});
    quire_list_init(&kmem->caches);
    quire_list_init(&kmem->pools);
    boot_cache(q, &kmem->cache_cache, "kmem_cache", sizeof(struct quire_cache), 64, checked);
    boot_cache(q, &kmem->slab_cache, "kmem_slab",
               sizeof(struct slab) + OFF_SLAB_OBJECTS * sizeof(uint16_t), 0, checked);
    boot_cache(q, &kmem->magazine_cache, "kmem_magazine", sizeof(struct magazine), 0, checked);
    enum quire_status status = quire_kmalloc_boot(q);
    status = status == QUIRE_OK ? quire_area_boot(q) : status;
    if (status != QUIRE_OK) {
        quire_kmem_shutdown(q);
    }
    return status;
}

void quire_kmem_shutdown(struct quire *q) {
    struct quire_kmem *kmem = q->kmem;
    CHECK(q, quire_list_empty(&kmem->pools));
    quire_area_shutdown(q);
    quire_kmalloc_shutdown(q);
    quire_cache_fini(&kmem->cache_cache);
    quire_cache_fini(&kmem->slab_cache);
    quire_cache_fini(&kmem->magazine_cache);
    CHECK(q, quire_list_empty(&kmem->caches)); /* else a room above kept a cache */
    quire_page_free(q, quire_page_under(q, kmem));
    q->kmem = NULL;
}
