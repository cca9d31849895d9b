/* huge.h: blocks (2 MiB, or what the machine has) that a space maps with one entry; for the files
 * of this room. The theory is in huge.c.
 */
#ifndef QUIRE_VM_HUGE_H
#define QUIRE_VM_HUGE_H

#include "vm/space.h"

/* The largest block that there can be is the largest that can be allocated. */
#define QUIRE_HUGE_PAGES_MAX (1u << (QUIRE_NORDERS - 1))

/* One block of one space: space->huges[quire_huge_key(va)]. */
struct quire_huge {
    /* Bit i: the block was accessed, as far as the machine knows, and page i has not been asked
     * about it since. One referenced bit for all of them, made into one each. */
    uint64_t used[QUIRE_HUGE_PAGES_MAX / 64];
};

/* A block being made: everything that can fail has been taken. huge.c, collapse.c. */
struct quire_huge_plan {
    struct quire_space *space;
    uint64_t va;              /* of the block */
    struct quire_page *pages; /* single frames in a row */
    struct quire_huge *record;
    uint64_t
        made[QUIRE_HUGE_PAGES_MAX / 64]; /* bit i: the anon of page i is new, around pages[i] */
};

/* Pages and bytes of a block, and its number; all by the machine's large_order, 9 for 2 MiB. */
static inline uint64_t quire_huge_npages(const struct quire *q) {
    return (uint64_t)1 << q->vm->large_order;
}

static inline uint64_t quire_huge_bytes(const struct quire *q) {
    return QUIRE_PAGE_SIZE << q->vm->large_order;
}

static inline uint64_t quire_huge_key(const struct quire *q, uint64_t va) {
    return va >> QUIRE_PAGE_SHIFT >> q->vm->large_order;
}

static inline uint64_t quire_huge_va(const struct quire *q, uint64_t key) {
    return key << q->vm->large_order << QUIRE_PAGE_SHIFT;
}

/* Does the mode, or the region's advice, ask for blocks there? */
static inline bool quire_huge_wanted(const struct quire_region *region) {
    enum quire_thp mode = region->space->q->vm->thp;
    return mode == QUIRE_THP_ALWAYS ||
           (mode == QUIRE_THP_MADVISE && (region->flags & QUIRE_REGION_HUGEPAGE));
}

/* May there be a block at this (aligned) address, by the region, the mode and the machine? */
bool quire_huge_allowed(const struct quire_region *region, uint64_t va);

/* Is there a block, and enough beside it that nobody has to reclaim for it? */
bool quire_huge_memory_is_plenty(const struct quire *q);

/* Take record, frames, and a new anon for each page that has none. False: nothing was taken. pages:
 * those that are there, in a row already; else NULL. */
bool quire_huge_take(struct quire_huge_plan *plan, struct quire_space *space, uint64_t va,
                     struct quire_page *pages);
/* Give back what was taken. */
void quire_huge_give_back(struct quire_huge_plan *plan);
/* All its pages are the space's, dirty, on their lists: map them. Cannot fail.
 * => the stash is full; no page of the block is mapped */
void quire_huge_finish(struct quire_huge_plan *plan, const struct quire_region *region);

/* A first write to anonymous memory at va: with a block, if one is allowed, the range is empty and
 * memory is plenty. True: mapped. False: nothing has changed. => stash filled */
bool quire_huge_fill(struct quire_region *region, uint64_t va);

/* A fault inside a block. True: it is mapped again, with what the region allows. False: there is no
 * block any more: a write to a page that fork shares ended it. => in a block, stash filled */
bool quire_huge_refill(struct quire_region *region, uint64_t va, bool write);

/* The pages of [start, end) are about to leave their places, or to differ in rights from those
 * around: blocks inside end, those cut by a border become pages. */
void quire_huge_leave(struct quire_space *space, uint64_t start, uint64_t end);
/* Only the blocks that a border at va cuts. */
void quire_huge_cut(struct quire_space *space, uint64_t va);

/* The page at va is about to differ from its neighbours: the block becomes pages. page_leaves: it
 * will not even be at this place any more (thp_split_page). */
void quire_huge_split(struct quire_space *space, uint64_t va, bool page_leaves);

/* Was the page at va used since it was last asked? For a page in a block, else as the machine says.
 */
bool quire_huge_harvest(struct quire_space *space, uint64_t va);

/* The space goes. => it has no region any more */
void quire_huge_end_space(struct quire_space *space);

/* Recount one space's blocks; the number of them. Panics. */
uint64_t quire_huge_audit(struct quire_space *space);

/* Is va in a block? O(1) where the space has none. */
static inline bool quire_huge_at(struct quire_space *space, uint64_t va) {
    return space->huges.count && quire_radix_get(&space->huges, quire_huge_key(space->q, va));
}

#endif
