/* slab.h: object caches, for the rooms above. The public half is quire/kmem.h. */
#ifndef QUIRE_KMEM_SLAB_H
#define QUIRE_KMEM_SLAB_H

#include <quire/kmem.h>

#include "base/system.h"

/* Build q->kmem: the cache of caches and the general caches behind kmalloc. checked: all caches
 * are checked ones. */
enum quire_status quire_kmem_boot(struct quire *q, bool checked);
/* => every cache of the rooms above was destroyed. Panics on objects that are still out. */
void quire_kmem_shutdown(struct quire *q);
/* Reap: magazines and empty slabs of all caches go back. Returns frames freed. O(caches + objects
 * in magazines). */
uint64_t quire_kmem_shrink(struct quire *q);
/* Background work: each second, what waits in magazines and was not needed since goes back. */
void quire_kmem_tick(struct quire *q);
/* Ask the owners of reclaimable caches to give up objects, nobjects each at most, then reap.
 * Returns frames freed. What drop_caches and reclaim in earnest call. */
uint64_t quire_kmem_reclaim(struct quire *q, uint64_t nobjects);
/* A switch that each allocation must be asked for (quire_fail_every) has been turned: close the
 * inline fast path of all caches, or open it again. */
void quire_kmem_guard(struct quire *q);
/* Recount slabs, objects and frames. Panics. */
void quire_kmem_audit(struct quire *q);

/* A cache as the node memory of a base/ structure (struct quire_radix_memory): context is the
 * cache. */
void *quire_slab_node_alloc(void *cache);
void quire_slab_node_free(void *cache, void *node);

struct quire_cache_info {
    const char *name;
    uint64_t objects_active, objects_total, slabs_active, slabs_total;
    unsigned object_bytes, objects_per_slab, pages_per_slab;
    unsigned magazine_rounds, depot_max; /* limit and sharedfactor of slabinfo's tunables */
    uint64_t depot;                      /* full magazines there: its sharedavail */
    bool reclaimable;
};
/* The index-th cache in order of creation; false past the last. */
bool quire_kmem_info(const struct quire *q, unsigned index, struct quire_cache_info *info);
/* Frames in slabs of caches marked reclaimable. */
uint64_t quire_kmem_reclaimable(const struct quire *q);

#endif
