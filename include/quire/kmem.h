/* kmem.h: memory for the kernel itself: frames, object caches, general allocation.
 *
 * All of it comes from the machine's RAM. Nothing here sleeps or reclaims: NULL or QUIRE_NOMEM
 * means that there is none now; the caller decides. Thread-safety: as quire.h says.
 */
#ifndef QUIRE_KMEM_H
#define QUIRE_KMEM_H

#include <quire/status.h>
#include <quire/types.h>

/* 2^order frames, naturally aligned. QUIRE_INVAL for order >= QUIRE_NORDERS. O(orders). */
enum quire_status quire_frames_alloc(struct quire *q, unsigned order, quire_frame *out);
/* Give back what quire_frames_alloc gave, with the same order. */
void quire_frames_free(struct quire *q, quire_frame frame, unsigned order);
/* Where the kernel sees a frame. */
void *quire_frame_window(struct quire *q, quire_frame frame);

/* A cache of objects of one size (Bonwick, "The Slab Allocator", USENIX Summer 1994). */
struct quire_cache;

/* name is kept by pointer, at most 31 bytes are shown. object_bytes 1 to 131072; align a power of
 * two up to 4096, 0 for the natural one. constructor may be NULL; it runs once on each object when
 * its slab is made, and objects must be freed in constructed state. */
enum quire_status quire_cache_create(struct quire *q, const char *name, size_t object_bytes,
                                     size_t align, void (*constructor)(void *object),
                                     struct quire_cache **out);
/* QUIRE_BUSY while objects are out. */
enum quire_status quire_cache_destroy(struct quire_cache *cache);
/* Contents are what the last user or the constructor left. O(1). */
void *quire_cache_alloc(struct quire_cache *cache);
void quire_cache_free(struct quire_cache *cache, void *object);
/* Give empty slabs back; returns frames freed. */
uint64_t quire_cache_shrink(struct quire_cache *cache);

/* General allocation, 1 byte to 131072, 16-byte aligned (powers of two: aligned to their size).
 * kfree(NULL) is fine; kfree finds the cache from the address. */
void *quire_kmalloc(struct quire *q, size_t nbytes);
void *quire_kzalloc(struct quire *q, size_t nbytes);
void quire_kfree(struct quire *q, void *pointer);

#endif
