/* cache.h: what a cache, its slabs and its magazines consist of. Internal to kmem/. */
#ifndef QUIRE_KMEM_CACHE_H
#define QUIRE_KMEM_CACHE_H

#include "base/check.h"
#include "base/list.h"
#include "kmem/slab.h"
#include "page/page.h"

/* Objects of this size and more keep their slab's header elsewhere: it would cost an eighth of a
 * page, and push page-sized objects out of their pages (Bonwick 1994, section 3.2). */
#define OFF_SLAB_BYTES 512
/* Most objects that an off-slab header can tell apart: it is an object of fixed size itself. */
#define OFF_SLAB_OBJECTS 64
/* Empty slabs that a cache keeps for the next rise; quire_cache_shrink takes them too. */
#define EMPTY_MAX 1

/* A magazine is an object of the largest size below OFF_SLAB_BYTES of which eight fit in a page:
 * 496 bytes on 64-bit machines. The paper's are 15 to 143 rounds by size of object. */
#define MAGAZINE_ROUNDS 61
/* No magazine holds more memory than this; objects of more than a quarter of it have none: what
 * they save is little beside the use of their bytes, and what they keep from others is much. */
#define MAGAZINE_BYTES 32768
/* Full magazines that a depot may keep: many, but no more than a 64th of RAM for one cache. What
 * it did not need for a while goes back (quire_cache_trim), and all of it under pressure. */
#define DEPOT_MAX         4096
#define DEPOT_SHARE_SHIFT 6

struct slab {
    struct quire_list link; /* in one of the cache's three lists */
    struct quire_cache *cache;
    struct quire_page *page; /* head of its block */
    char *first;             /* object 0, after the colour */
    uint16_t in_use;         /* objects out, those in magazines included */
    uint16_t free;           /* index of the first free one, INDEX_NONE: none */
    uint16_t next[];         /* of each free object the next free one; INDEX_OUT: not free */
};

#define INDEX_NONE 0xFFFF
#define INDEX_OUT  0xFFFE
#define INDEX_HOT  0xFFFD /* in a magazine; audit builds tell it from OUT at each call */
#define INDEX_SEEN 0xFFFC /* met in a magazine, while audit.c counts */

struct magazine {
    struct magazine *next; /* in the depot */
    void *objects[MAGAZINE_ROUNDS];
};

struct quire_cache {
    struct quire_cache_front front; /* first: what kmem.h's inline calls see */
    struct magazine *loaded;        /* front.objects points into it; NULL: none yet */
    struct magazine *previous;      /* full or empty; NULL: none yet */
    uint32_t rounds;                /* of a magazine of this cache; 0: it has none */
    uint32_t nprevious;             /* objects in previous: 0 or rounds */
    uint32_t nclosed;               /* objects in loaded while the front is closed */
    uint32_t ndepot, depot_max;     /* full magazines */
    uint32_t depot_low;             /* the fewest that there were since quire_cache_trim */
    struct magazine *depot_full, *depot_empty;
    bool closed; /* each call takes the slow path, which looks */

    struct quire *q;
    struct quire_list link; /* in the list of all caches, by creation */
    const char *name;
    void (*constructor)(void *object);
    uint64_t (*reclaim)(void *context, uint64_t nobjects);
    void *context;
    unsigned flags;                /* enum quire_cache_flag */
    uint32_t general;              /* kmalloc's: index in general[] + 1; else 0 */
    uint32_t object_bytes, stride; /* as asked; with padding and red zones */
    uint32_t red_bytes;            /* before each object; 0: no red zones */
    uint32_t inverse;              /* ceil(2^32 / stride): index of an object without a division */
    uint32_t align, header_bytes;  /* header_bytes 0: off-slab */
    uint32_t objects_per_slab, order;
    uint32_t ncolours, next_colour; /* colours are align bytes apart */
    struct quire_list full, partial, empty;
    uint64_t nslabs, nempty, in_use; /* in_use: objects out of slabs, in magazines included */
};

/* kmalloc's sizes: 32 B to 128 KiB by powers of two, and the two between that Linux has as well. */
#define NGENERAL 15

#define WORDS_BYTES 160

struct quire_kmem {
    struct quire_list caches;
    uint64_t trimmed_ns;               /* when depots were looked at last */
    struct quire_list pools;           /* mempool.c */
    struct quire_cache cache_cache;    /* of struct quire_cache */
    struct quire_cache slab_cache;     /* of off-slab headers */
    struct quire_cache magazine_cache; /* of magazines */
    struct quire_cache *general[NGENERAL];
    char *window;                   /* of the first range of RAM, its frames and their structs: */
    uintptr_t window_bytes;         /* kfree's short way from an address to its cache */
    struct quire_page *windows;     /* struct of the first frame there */
    struct quire_kernel_area *area; /* area.h */
    char words[WORDS_BYTES];        /* the last ones of complain() */
};

/* ---- cache.c --------------------------------------------------------------------------------- */

/* Set up a cache in place. QUIRE_INVAL for sizes out of range. */
enum quire_status quire_cache_init(struct quire *q, struct quire_cache *cache,
                                   const struct quire_cache_options *options);
/* Give everything back. => no object is out */
void quire_cache_fini(struct quire_cache *cache);
void quire_cache_audit(struct quire_cache *cache);

/* ---- slab.c ---------------------------------------------------------------------------------- */

/* Up to n objects from one slab, the last in objects[0]; 0: no memory. */
unsigned quire_slab_take(struct quire_cache *cache, void **objects, unsigned n);
/* n objects home. Panics on what this cache did not give. */
void quire_slab_give(struct quire_cache *cache, void *const *objects, unsigned n);
/* The slab of an object of this cache and its index there. Panics on what is none. */
struct slab *quire_slab_find(struct quire_cache *cache, const void *object, uint32_t *index);
/* => empty */
void quire_slab_release(struct quire_cache *cache, struct slab *slab);

/* The page under a pointer; the first range of RAM without asking page/. NULL: in no range. */
static inline struct quire_page *quire_kmem_page(struct quire *q, const void *pointer) {
    uintptr_t offset = (uintptr_t)pointer - (uintptr_t)q->kmem->window;
    return offset < q->kmem->window_bytes ? &q->kmem->windows[offset >> QUIRE_PAGE_SHIFT]
                                          : quire_page_under(q, pointer);
}

/* ---- magazine.c ------------------------------------------------------------------------------ */

/* quire_cache_alloc without the test switch: for kmem/ itself. */
void *quire_cache_take(struct quire_cache *cache);
/* Close or open the front as the switches of the moment want it. */
void quire_cache_guard(struct quire_cache *cache);
/* All objects in magazines go home, the magazines too. */
void quire_cache_drain(struct quire_cache *cache);
/* The magazines that the depot has not needed since the last call go home. O(depot). */
void quire_cache_trim(struct quire_cache *cache);
/* Objects in the loaded magazine, and in all of them. */
uint32_t quire_cache_loaded(const struct quire_cache *cache);
uint64_t quire_cache_hot(const struct quire_cache *cache);

/* ---- checked.c ------------------------------------------------------------------------------- */

/* Does somebody look at each object that comes and goes? */
static inline bool quire_cache_looks(const struct quire_cache *cache) {
    return QUIRE_AUDITING || (cache->flags & QUIRE_CACHE_CHECKED);
}
/* A new slab's objects: poison, red zones. */
void quire_checked_grow(struct quire_cache *cache, struct slab *slab);
/* An object on its way out, and in. Panic on what is wrong with it. */
void quire_checked_alloc(struct quire_cache *cache, void *object);
void quire_checked_free(struct quire_cache *cache, void *object);
/* Red zones of all objects of a slab. */
void quire_checked_audit(struct quire_cache *cache, const struct slab *slab);
/* The last words: cache, object, what is wrong; other may be NULL. */
_Noreturn void quire_cache_complain(struct quire_cache *cache, const void *object, const char *what,
                                    const struct quire_cache *other);

/* ---- mempool.c ------------------------------------------------------------------------------- */

void quire_mempool_audit(struct quire *q);

/* ---- kmalloc.c ------------------------------------------------------------------------------- */

enum quire_status quire_kmalloc_boot(struct quire *q);
void quire_kmalloc_shutdown(struct quire *q);

#endif
