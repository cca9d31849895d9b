/* region.h: the regions (VMAs) of a space: find, insert, split, merge, search for room.
 *
 * Only records: nothing here touches pages. All addresses are page-aligned bytes, ranges half open.
 */
#ifndef QUIRE_VM_REGION_H
#define QUIRE_VM_REGION_H

#include <quire/space.h>

#include "base/list.h"
#include "base/rbtree.h"

#define QUIRE_REGION_LOCKS (QUIRE_MAP_LOCKED | QUIRE_MAP_LOCK_ON_FAULT)
/* The map flags that stay with a region; the rest say how to place it. */
#define QUIRE_REGION_KEPT                                                                \
    (QUIRE_MAP_SHARED | QUIRE_MAP_GROWSDOWN | QUIRE_MAP_STACK_TAG | QUIRE_MAP_HEAP_TAG | \
     QUIRE_MAP_NORESERVE | QUIRE_MAP_DENY_WRITE | QUIRE_REGION_LOCKS)

/* Linux's default of vm.max_map_count (include/linux/mm.h, DEFAULT_MAX_MAP_COUNT). */
#define QUIRE_REGIONS_DEFAULT 65530

struct quire_region {
    struct quire_rbnode node;
    struct quire_space *space;
    uint64_t start, end;
    struct quire_region *prev, *next; /* by address */
    uint64_t gap;                     /* free bytes just below start that a mapping may take */
    uint64_t largest_gap;             /* what this node's subtree promises: none is larger */
    uint32_t prot, flags;
    bool touched; /* a fault came here, or to what it was forked from: there may be pages */
    bool entered; /* a fault came here: the machine may have mappings, and frames know of them */
    struct quire_object *object;   /* NULL: anonymous; else one reference */
    uint64_t page_offset;          /* page of the object at start; 0 if anonymous */
    struct quire_list object_link; /* object's list of regions */
    uint64_t readahead;            /* readahead.c's own: what it last read ahead here */
};

/* Records taken before an operation, so that it can't fail in its middle. Five is what a remap to a
 * fixed place needs at most: two cuts at each end's range and the new region. */
#define QUIRE_SPARES_MAX 5
struct quire_spares {
    unsigned count;
    struct quire_region *records[QUIRE_SPARES_MAX];
};

void quire_regions_init(struct quire_space *space);

/* Take count more records for an operation that leaves growth more regions than there were.
 * QUIRE_NOMEM, QUIRE_NOROOM (too many regions): none are held then. */
enum quire_status quire_spares_take(struct quire_space *space, struct quire_spares *spares,
                                    unsigned count, unsigned growth);
struct quire_region *quire_spares_pop(struct quire_spares *spares);
void quire_spares_return(struct quire_space *space, struct quire_spares *spares);

/* The region around va, or NULL. O(1) when it is the one found last, else O(log regions). */
struct quire_region *quire_region_find(struct quire_space *space, uint64_t va);
/* The first region that ends above va, or NULL. O(1) beside the one found last. */
struct quire_region *quire_region_above(const struct quire_space *space, uint64_t va);
static inline struct quire_region *quire_region_next(const struct quire_region *region) {
    return region->next;
}
static inline struct quire_region *quire_region_prev(const struct quire_region *region) {
    return region->prev;
}
bool quire_region_range_free(const struct quire_space *space, uint64_t start, uint64_t end);
/* How far from start the range is in regions without a hole: end, or where the first hole begins.
 */
uint64_t quire_region_reach(const struct quire_space *space, uint64_t start, uint64_t end);

/* => the range is free; fields but node, neighbours, gaps and link are set. Takes over the object
 * reference. */
void quire_region_insert(struct quire_space *space, struct quire_region *region);
/* Out of the tree; the record and its object reference are the caller's. */
void quire_region_remove(struct quire_space *space, struct quire_region *region);
/* Out of the tree, reference dropped, record freed. */
void quire_region_destroy(struct quire_space *space, struct quire_region *region);
/* New borders, over free addresses or its own. => start moves only without an object. */
void quire_region_resize(struct quire_space *space, struct quire_region *region, uint64_t start,
                         uint64_t end);

/* How many cuts quire_region_cut makes for this range: 0, 1 or 2. */
unsigned quire_region_cuts(const struct quire_space *space, uint64_t start, uint64_t end);
/* By how many an unmapping of this range makes the regions more: 1 if it is inside one, else 0. */
unsigned quire_region_unmap_growth(const struct quire_space *space, uint64_t start, uint64_t end);
/* Split regions so that start and end are borders. => spares hold quire_region_cuts records; none:
 * the range needs no cut, and nothing is looked up. */
void quire_region_cut(struct quire_space *space, uint64_t start, uint64_t end,
                      struct quire_spares *spares);
/* Join region with a neighbour on each side where they match. Returns the record that is left. */
struct quire_region *quire_region_merge(struct quire_space *space, struct quire_region *region);

/* Room for length bytes: at hint if that is free (0: no hint), else as high as possible below
 * map_top, else anywhere. False: none. O(log regions), in the long run. Moves space->last there.
 * => length fits between low and high */
bool quire_region_search(struct quire_space *space, uint64_t length, uint64_t hint,
                         uint64_t *start);

/* Order, alignment, gaps, summaries, tree. Panics. O(regions). */
void quire_regions_audit(struct quire_space *space);

#endif
