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
 * Invariants: I1 general[] ascends in size. I2 the cache of caches and the one of slab headers lie
 * in struct quire_kmem itself: they are what all others are made of, and their slabs are on-slab.
 *
 * What may fail: allocation, with NULL. Called by all rooms above. Audit: audit.c.
 */
#include "base/check.h"
#include "kmem/cache.h"

static const struct {
    const char *name;
    uint32_t nbytes;
} general[NGENERAL] = {
    {"kmalloc-32", 32},     {"kmalloc-64", 64},     {"kmalloc-96", 96},
    {"kmalloc-128", 128},   {"kmalloc-192", 192},   {"kmalloc-256", 256},
    {"kmalloc-512", 512},   {"kmalloc-1k", 1024},   {"kmalloc-2k", 2048},
    {"kmalloc-4k", 4096},   {"kmalloc-8k", 8192},   {"kmalloc-16k", 16384},
    {"kmalloc-32k", 32768}, {"kmalloc-64k", 65536}, {"kmalloc-128k", 131072},
};

/* Index in general[]: the small ones by eighths of a line, the large ones by their highest bit. */
static unsigned size_class(size_t nbytes) {
    static const uint8_t small[7] = {0, 0, 1, 2, 3, 4, 4}; /* up to 32, 32, 64, 96, 128, 160, 192 */
    if (nbytes <= 192) {
        return small[(nbytes + 31) / 32];
    }
    unsigned bit = 0; /* 2^bit is the smallest power that holds it */
    while ((size_t)1 << bit < nbytes) {
        bit++;
    }
    return bit - 3; /* 2^8 is general[5] */
}

void *quire_kmalloc(struct quire *q, size_t nbytes) {
    if (nbytes > general[NGENERAL - 1].nbytes) {
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

void quire_kfree(struct quire *q, void *pointer) {
    if (!pointer) {
        return;
    }
    struct quire_page *page = quire_page_under(q, pointer);
    CHECK(q, page && page->use == QUIRE_USE_SLAB && page->owner); /* else it never came from here */
    struct slab *slab = page->owner;
    quire_cache_free(slab->cache, pointer);
}

enum quire_status quire_kmalloc_boot(struct quire *q) {
    for (unsigned i = 0; i < NGENERAL; i++) {
        uint32_t nbytes = general[i].nbytes;
        uint32_t align = nbytes & (nbytes - 1) ? 32 : nbytes;
        align = align < QUIRE_PAGE_SIZE ? align : (uint32_t)QUIRE_PAGE_SIZE;
        CHECK(q, i == 0 || nbytes > general[i - 1].nbytes); /* I1 */
        enum quire_status status =
            quire_cache_create(q, general[i].name, nbytes, align, NULL, &q->kmem->general[i]);
        if (status != QUIRE_OK) {
            return status;
        }
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

enum quire_status quire_kmem_boot(struct quire *q) {
    struct quire_page *page = quire_page_alloc(q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_KERNEL);
    _Static_assert(sizeof(struct quire_kmem) <= QUIRE_PAGE_SIZE, "the room's state is one frame");
    if (!page) {
        return QUIRE_NOMEM;
    }
    struct quire_kmem *kmem = quire_page_window(q, page);
    __builtin_memset(kmem, 0, sizeof *kmem);
    q->kmem = kmem;
    quire_list_init(&kmem->caches);
    quire_cache_init(q, &kmem->cache_cache, "kmem_cache", sizeof(struct quire_cache), 0, NULL);
    quire_cache_init(q, &kmem->slab_cache, "kmem_slab",
                     sizeof(struct slab) + OFF_SLAB_OBJECTS * sizeof(uint16_t), 0, NULL);
    CHECK(q, kmem->slab_cache.header_bytes > 0); /* I2 */
    quire_list_add_before(&kmem->caches, &kmem->cache_cache.link);
    quire_list_add_before(&kmem->caches, &kmem->slab_cache.link);
    enum quire_status status = quire_kmalloc_boot(q);
    if (status != QUIRE_OK) {
        quire_kmem_shutdown(q);
    }
    return status;
}

void quire_kmem_shutdown(struct quire *q) {
    struct quire_kmem *kmem = q->kmem;
    quire_kmalloc_shutdown(q);
    quire_cache_fini(&kmem->cache_cache);
    quire_cache_fini(&kmem->slab_cache);
    CHECK(q, quire_list_empty(&kmem->caches)); /* else a room above kept a cache */
    quire_page_free(q, quire_page_under(q, kmem));
    q->kmem = NULL;
}

uint64_t quire_kmem_shrink(struct quire *q) {
    uint64_t freed = 0;
    struct quire_list *head = &q->kmem->caches;
    for (struct quire_list *link = head->prev; link != head; link = link->prev) {
        freed += quire_cache_shrink(QUIRE_CONTAINER(link, struct quire_cache, link));
    }
    return freed;
}
