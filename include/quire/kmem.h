/* kmem.h: memory for the kernel itself: frames, object caches, general allocation.
 *
 * All of it comes from the machine's RAM. Nothing here sleeps or reclaims: NULL or QUIRE_NOMEM
 * means that there is none now; the caller decides. Thread-safety: as quire.h says.
 *
 * Which call for what: docs/KERNEL-MEMORY.md.
 */
#ifndef QUIRE_KMEM_H
#define QUIRE_KMEM_H

#include <quire/quire.h>
#include <quire/status.h>
#include <quire/types.h>

/* ---- frames ---------------------------------------------------------------------------------- */

/* Both in one register, so that no caller waits for its own store. */
struct quire_frames {
    quire_frame first; /* QUIRE_FRAME_NONE, if the status is not QUIRE_OK */
    enum quire_status status;
};

/* 2^order frames, naturally aligned. QUIRE_INVAL for order >= QUIRE_NORDERS. O(orders). */
struct quire_frames quire_frames_take(struct quire *q, unsigned order);
/* The same, in the form of the other calls; *out is written in any case. */
static inline enum quire_status quire_frames_alloc(struct quire *q, unsigned order,
                                                   quire_frame *out) {
    struct quire_frames taken = quire_frames_take(q, order);
    *out = taken.first;
    return taken.status;
}
/* The same out of that zone or a lower one, for a device that reaches no further; QUIRE_ZONE_NORMAL
 * is quire_frames_alloc. QUIRE_INVAL for HIGHMEM, which the kernel has no direct way to. */
enum quire_status quire_frames_alloc_zone(struct quire *q, unsigned order,
                                          enum quire_zone_kind zone, quire_frame *out);
/* The same for who can wait: compacts and reclaims, and so may do I/O; not from within a port
 * function or a pager. QUIRE_NOMEM: not even then. O(frames) at worst. */
enum quire_status quire_frames_get(struct quire *q, unsigned order, enum quire_zone_kind zone,
                                   quire_frame *out);
/* Give back what these gave, with the same order. */
void quire_frames_free(struct quire *q, quire_frame frame, unsigned order);
/* Where the kernel sees a frame. */
void *quire_frame_window(struct quire *q, quire_frame frame);

/* ---- caches of objects of one size ----------------------------------------------------------- */

/* Bonwick, "The Slab Allocator: An Object-Caching Kernel Memory Allocator", USENIX Summer 1994;
 * Bonwick and Adams, "Magazines and Vmem", USENIX 2001. */
struct quire_cache;

enum quire_cache_flag {
    /* Red zones around each object, poison in free ones; a second free, a free into the wrong cache
     * and a write outside an object or after its free panic at the call that can see it first, with
     * the names of cache and object. Some ten times slower. */
    QUIRE_CACHE_CHECKED = 1,
    /* Its objects are copies that can be had again: reclaim may be called for them. */
    QUIRE_CACHE_RECLAIMABLE = 2,
};

struct quire_cache_options {
    const char *name;    /* kept by pointer; at most 31 bytes are shown */
    size_t object_bytes; /* 1 to 131072 */
    size_t align;        /* a power of two up to 4096; 0: the natural one */
    /* May be NULL. Runs once on each object when its slab is made; objects must be freed in
     * constructed state. */
    void (*constructor)(void *object);
    unsigned flags; /* of enum quire_cache_flag */
    /* With QUIRE_CACHE_RECLAIMABLE: free up to nobjects objects of the cache, the least useful
     * first, by quire_cache_free; returns how many. Must not allocate. */
    uint64_t (*reclaim)(void *context, uint64_t nobjects);
    void *context;
};

/* QUIRE_INVAL: sizes out of range, or RECLAIMABLE without a function. QUIRE_NOMEM. */
enum quire_status quire_cache_create_with(struct quire *q,
                                          const struct quire_cache_options *options,
                                          struct quire_cache **out);
/* The same without flags. */
enum quire_status quire_cache_create(struct quire *q, const char *name, size_t object_bytes,
                                     size_t align, void (*constructor)(void *object),
                                     struct quire_cache **out);
/* QUIRE_BUSY while objects are out. */
enum quire_status quire_cache_destroy(struct quire_cache *cache);
/* Give magazines and empty slabs back; returns the cache's frames that this freed. */
uint64_t quire_cache_shrink(struct quire_cache *cache);

/* The head of every struct quire_cache, so that the two calls below are a few instructions in their
 * caller: a stack of free objects that hold what their last user or the constructor left. Only
 * kmem/ writes it otherwise. */
struct quire_cache_front {
    void **objects; /* objects[count - 1] was freed last */
    uint32_t count; /* 0 as well when each call must be looked at (tests) */
    uint32_t room;
};

void *quire_cache_alloc_slow(struct quire_cache *cache);
void quire_cache_free_slow(struct quire_cache *cache, void *object);

/* NULL: no memory. Contents are what the last user or the constructor left. O(1). */
static inline void *quire_cache_alloc(struct quire_cache *cache) {
    struct quire_cache_front *front = (struct quire_cache_front *)(void *)cache;
    uint32_t count = front->count;
    if (__builtin_expect(count == 0, 0)) {
        return quire_cache_alloc_slow(cache);
    }
    front->count = --count;
    return front->objects[count];
}

/* => object is of this cache. O(1). */
static inline void quire_cache_free(struct quire_cache *cache, void *object) {
    struct quire_cache_front *front = (struct quire_cache_front *)(void *)cache;
    uint32_t count = front->count;
    if (__builtin_expect(count >= front->room, 0)) {
        quire_cache_free_slow(cache, object);
        return;
    }
    front->objects[count] = object;
    front->count = count + 1;
}

/* n objects at once: all or none, false: none. Cheaper than n calls when n is more than a few. */
bool quire_cache_alloc_bulk(struct quire_cache *cache, void **objects, size_t n);
void quire_cache_free_bulk(struct quire_cache *cache, void *const *objects, size_t n);

/* ---- memory of any size ---------------------------------------------------------------------- */

/* 1 byte to 131072, 16-byte aligned (powers of two: aligned to their size, up to 4096).
 * kfree(NULL) is fine; kfree finds the cache from the address. */
#define QUIRE_KMALLOC_MAX 131072
void *quire_kmalloc(struct quire *q, size_t nbytes);
void *quire_kzalloc(struct quire *q, size_t nbytes);
void quire_kfree(struct quire *q, void *pointer);
/* count elements of nbytes each, zeroed; NULL too when the product is more than a size_t. */
void *quire_kcalloc(struct quire *q, size_t count, size_t nbytes);
/* Bytes that may be used behind a pointer from kmalloc: the size of its cache. */
size_t quire_kmalloc_usable(struct quire *q, const void *pointer);
/* Change the size, moving if need be; the old contents stay, up to the smaller size. On NULL (no
 * memory, or too large) the old object is untouched. pointer NULL: kmalloc; nbytes 0: kfree, NULL.
 */
void *quire_krealloc(struct quire *q, void *pointer, size_t nbytes);

/* ---- pools with a reserve -------------------------------------------------------------------- */

/* Elements from a source, and a guarantee: `least` of them can be out at once whatever happens to
 * the rest of memory. For work that must be finished so that memory comes free. */
struct quire_mempool;

struct quire_mempool_source {
    void *(*alloc)(void *context, size_t argument); /* NULL: none now */
    void (*free)(void *context, size_t argument, void *element);
    void *context;
    size_t argument;
};
/* The usual ones: objects of a cache, blocks of 2^order frames (their window), kmalloc's bytes. */
struct quire_mempool_source quire_mempool_of_cache(struct quire_cache *cache);
struct quire_mempool_source quire_mempool_of_frames(struct quire *q, unsigned order);
struct quire_mempool_source quire_mempool_of_bytes(struct quire *q, size_t nbytes);

/* least: 1 to 16384. QUIRE_INVAL, QUIRE_NOMEM. O(least). */
enum quire_status quire_mempool_create(struct quire *q, size_t least,
                                       const struct quire_mempool_source *source,
                                       struct quire_mempool **out);
/* From the source, or, when that has none, from the reserve; NULL when `least` elements are out
 * that the source would not have given. O(1) beside the source. */
void *quire_mempool_alloc(struct quire_mempool *pool);
/* The reserve is filled first. */
void quire_mempool_free(struct quire_mempool *pool, void *element);
/* Elements in the reserve now. */
size_t quire_mempool_reserve(const struct quire_mempool *pool);
/* Another guarantee. On QUIRE_NOMEM the old one stands. */
enum quire_status quire_mempool_resize(struct quire_mempool *pool, size_t least);
/* QUIRE_BUSY while elements are out. */
enum quire_status quire_mempool_destroy(struct quire_mempool *pool);

#endif
