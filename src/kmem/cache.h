/* cache.h: what a cache and its slabs consist of. Internal to kmem/. */
#ifndef QUIRE_KMEM_CACHE_H
#define QUIRE_KMEM_CACHE_H

#include "base/list.h"
#include "kmem/slab.h"
#include "page/page.h"

/* Objects of this size and more keep their slab's header elsewhere: it would cost an eighth of a
 * page, and push page-sized objects out of their pages (Bonwick 1994, section 3.2). */
#define OFF_SLAB_BYTES 512
/* Most objects that an off-slab header can tell apart: it is an object of fixed size itself. */
#define OFF_SLAB_OBJECTS 64
/* Objects of a cache that wait, constructed, on its stack. 32: half a page of pointers would be no
 * faster, and each keeps its slab from being given back. */
#define HOT_MAX 32
/* Empty slabs that a cache keeps for the next rise; quire_cache_shrink takes them too. */
#define EMPTY_MAX 1

struct slab {
    struct quire_list link; /* in one of the cache's three lists */
    struct quire_cache *cache;
    struct quire_page *page; /* head of its block */
    char *first;             /* object 0, after the colour */
    uint16_t in_use;         /* objects out, those on the hot stack included */
    uint16_t free;           /* index of the first free one, INDEX_NONE: none */
    uint16_t next[];         /* of each free object the next free one; INDEX_OUT: not free */
};

#define INDEX_NONE 0xFFFF
#define INDEX_OUT  0xFFFE

struct quire_cache {
    struct quire *q;
    struct quire_list link; /* in the cache of caches' list, by creation */
    const char *name;
    void (*constructor)(void *object);
    uint32_t object_bytes, stride; /* as asked; with padding */
    uint32_t inverse;              /* ceil(2^32 / stride): index of an object without a division */
    uint32_t align, header_bytes;  /* header_bytes 0: off-slab */
    uint32_t objects_per_slab, order;
    uint32_t ncolours, next_colour; /* colours are align bytes apart */
    struct quire_list full, partial, empty;
    uint64_t nslabs, nempty, in_use; /* in_use: objects out of slabs, hot ones included */
    unsigned nhot;
    void *hot[HOT_MAX];
};

/* kmalloc's sizes: 32 B to 128 KiB by powers of two, and the two between that Linux has as well. */
#define NGENERAL 15

struct quire_kmem {
    struct quire_list caches;
    struct quire_cache cache_cache; /* of struct quire_cache */
    struct quire_cache slab_cache;  /* of off-slab headers */
    struct quire_cache *general[NGENERAL];
};

/* Set up a cache in place. QUIRE_INVAL for sizes out of range. */
enum quire_status quire_cache_init(struct quire *q, struct quire_cache *cache, const char *name,
                                   size_t object_bytes, size_t align,
                                   void (*constructor)(void *object));
/* Give everything back. => no object is out */
void quire_cache_fini(struct quire_cache *cache);
void quire_cache_audit(struct quire_cache *cache);

enum quire_status quire_kmalloc_boot(struct quire *q);
void quire_kmalloc_shutdown(struct quire *q);

#endif
