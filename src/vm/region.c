/* region.c: the regions of a space in a red-black tree by start address.
 *
 * Why a tree with gaps and not a list of holes: a program has regions and holes in equal number,
 * and every change of a region changes a hole; one record for both can't disagree with itself. Each
 * node holds the free room just below it (gap), and the largest gap of its subtree, so that the
 * search for room goes down one path. (A maple tree, as in today's Linux, packs more into a cache
 * line, but its gain is with many readers at once, which we don't have.)
 *
 *     low        A          B      C [stack]                high
 *      |--gap A--[####]-gap B-[###]-gap C-guard-[####]---free---|
 *                                                      ^ the one hole without a record
 *
 * Invariants:
 *   I1  regions are page-aligned, not empty, inside [low, high), ascending, and do not overlap
 *   I2  gap = room between the region before (or low) and start; a stack keeps its guard of it
 *   I3  largest_gap is no less than the greatest gap of the subtree: it promises, and may promise
 *       too much. A gap that shrinks (whenever something is mapped) would have to be told all the
 *       way up the tree; instead the search that believed a promise in vain corrects it. Each
 *       change spoils no more than one way up, and each correction ends one lie: O(log regions) for
 *       a search in the long run, and a map and its unmap side by side tell nobody anything
 *   I4  a region with an object holds one reference and is on the object's list
 *   I5  nregions counts them; last is NULL or one of them; highest is the one with none above
 *   I6  prev and next are the neighbours in order: the way to them through the tree is long
 *   I7  where touched is false no fault ever came to the region, nor to that which it was forked
 *       from: it has no anons. Where entered is false none came to itself: the machine maps nothing
 *       of it, and no frame has an rmap entry there
 *
 * What may fail: only quire_spares_take. All callers are in vm/. Audited by quire_regions_audit.
 */
#include "vm/region.h"

#include "base/check.h"
#include "kmem/slab.h"
#include "vm/huge.h"
#include "vm/object.h"

static struct quire_region *region_of(const struct quire_rbnode *node) {
    return node ? QUIRE_CONTAINER(node, struct quire_region, node) : NULL;
}

/* What the node can promise by itself and its children's promises. */
static uint64_t largest_gap(const struct quire_region *region) {
    uint64_t largest = region->gap;
    for (unsigned side = 0; side < 2; side++) {
        const struct quire_region *child = region_of(region->node.child[side]);
        if (child && child->largest_gap > largest) {
            largest = child->largest_gap;
        }
    }
    return largest;
}

/* I3: called by the tree. Only ever promises more. */
static bool augment(struct quire_rbnode *node) {
    struct quire_region *region = region_of(node);
    uint64_t largest = largest_gap(region), was = region->largest_gap;
    region->largest_gap = largest > was ? largest : was;
    return largest > was;
}

void quire_regions_init(struct quire_space *space) {
    quire_rbtree_init(&space->regions, augment);
    space->last = space->highest = NULL;
    space->nregions = 0;
}

/* ---- records taken ahead -----------------------------------------------------------------------
 */

enum quire_status quire_spares_take(struct quire_space *space, struct quire_spares *spares,
                                    unsigned count, unsigned growth) {
    CHECK(space->q, spares->count + count <= QUIRE_SPARES_MAX);
    if (growth && space->nregions + growth > space->q->vm->max_regions) {
        quire_spares_return(space, spares);
        return QUIRE_NOROOM;
    }
    for (; count; count--) {
        struct quire_region *record = quire_cache_alloc(space->q->vm->region_cache);
        if (!record) {
            quire_spares_return(space, spares);
            return QUIRE_NOMEM;
        }
        spares->records[spares->count++] = record;
    }
    return QUIRE_OK;
}

struct quire_region *quire_spares_pop(struct quire_spares *spares) {
    return spares->records[--spares->count];
}

void quire_spares_return(struct quire_space *space, struct quire_spares *spares) {
    while (spares->count) {
        quire_cache_free(space->q->vm->region_cache, spares->records[--spares->count]);
    }
}

/* ---- finding ------------------------------------------------------------------------------- */

/* Beside the region found last? Then *above is the answer. */
static inline bool near_last(const struct quire_space *space, uint64_t va,
                             struct quire_region **above) {
    struct quire_region *last = space->last;
    if (!last) {
        return false;
    }
    if (va < last->end) {
        *above = last;
        return va >= last->start || !last->prev || last->prev->end <= va;
    }
    *above = last->next;
    return !last->next || va < last->next->end;
}

struct quire_region *quire_region_above(const struct quire_space *space, uint64_t va) {
    struct quire_rbnode *node = space->regions.root;
    struct quire_region *best = NULL;
    if (near_last(space, va, &best)) {
        return best;
    }
    best = NULL;
    while (node) {
        struct quire_region *region = region_of(node);
        if (region->end > va) {
            best = region;
            if (region->start <= va) {
                break;
            }
        }
        node = node->child[region->end <= va];
    }
    return best;
}

struct quire_region *quire_region_find(struct quire_space *space, uint64_t va) {
    struct quire_region *region = space->last;
    if (region && region->start <= va && va < region->end) {
        return region;
    }
    region = quire_region_above(space, va);
    if (!region || region->start > va) {
        return NULL;
    }
    space->last = region;
    return region;
}

bool quire_region_range_free(const struct quire_space *space, uint64_t start, uint64_t end) {
    const struct quire_region *region = quire_region_above(space, start);
    return !region || region->start >= end;
}

uint64_t quire_region_reach(const struct quire_space *space, uint64_t start, uint64_t end) {
    const struct quire_region *region = quire_region_above(space, start);
    while (start < end && region && region->start <= start) {
        start = region->end;
        region = quire_region_next(region);
    }
    return start < end ? start : end;
}

/* ---- changing the tree -------------------------------------------------------------------------
 */

/* I2: what may be taken below region, given where the room below it begins. */
static uint64_t gap_of(const struct quire_space *space, const struct quire_region *region,
                       const struct quire_region *prev) {
    uint64_t below = prev ? prev->end : space->config.low.value;
    uint64_t room = region->start - below;
    uint64_t guard = region->flags & QUIRE_MAP_GROWSDOWN ? space->config.stack_gap_bytes : 0;
    return room > guard ? room - guard : 0;
}

/* Something changed around region: mend its gap and the summaries above it. NULL is fine. */
static void mend_gap(struct quire_space *space, struct quire_region *region,
                     const struct quire_region *prev) {
    if (region) {
        region->gap = gap_of(space, region, prev);
        quire_rbtree_update(&space->regions, &region->node);
    }
}

/* Between its neighbours; where they are in the tree says where it belongs: the lower one has no
 * right child, or the higher one no left child. */
static void link_region(struct quire_space *space, struct quire_region *region,
                        struct quire_region *prev, struct quire_region *next) {
    struct quire_rbnode *parent = prev ? &prev->node : NULL;
    unsigned side = 1;
    if (next && !next->node.child[0]) {
        parent = &next->node;
        side = 0;
    }
    region->prev = prev;
    region->next = next;
    if (prev) {
        prev->next = region;
    }
    if (next) {
        next->prev = region;
    } else {
        space->highest = region;
    }
    region->gap = gap_of(space, region, prev);
    region->largest_gap = 0; /* nothing is promised yet */
    quire_rbtree_insert(&space->regions, &region->node, parent, side);
}

void quire_region_insert(struct quire_space *space, struct quire_region *region) {
    struct quire_region *next = quire_region_above(space, region->start);
    struct quire_region *prev = next ? next->prev : space->highest;
    CHECK(space->q, region->start < region->end);         /* I1 */
    CHECK(space->q, !prev || prev->end <= region->start); /* I1 */
    CHECK(space->q, !next || region->end <= next->start); /* I1 */
    link_region(space, region, prev, next);
    mend_gap(space, next, region);
    space->nregions++;
    space->last = region; /* what is mapped is touched or changed next */
    if (region->object) {
        quire_list_add_before(&region->object->regions, &region->object_link);
    }
    quire_space_account(space, region, 1);
}

void quire_region_remove(struct quire_space *space, struct quire_region *region) {
    struct quire_region *prev = region->prev, *next = region->next;
    quire_space_account(space, region, -1);
    quire_rbtree_remove(&space->regions, &region->node);
    if (prev) {
        prev->next = next;
    }
    if (next) {
        next->prev = prev;
    } else {
        space->highest = prev;
    }
    mend_gap(space, next, prev);
    space->nregions--;
    if (space->last == region) {
        space->last = prev ? prev : next; /* what follows is often beside it */
    }
    if (region->object) {
        quire_list_remove(&region->object_link);
    }
}

void quire_region_destroy(struct quire_space *space, struct quire_region *region) {
    struct quire_object *object = region->object;
    quire_region_remove(space, region);
    quire_cache_free(space->q->vm->region_cache, region);
    if (object) {
        quire_object_unref(object);
    }
}

void quire_region_resize(struct quire_space *space, struct quire_region *region, uint64_t start,
                         uint64_t end) {
    struct quire_region *prev = quire_region_prev(region), *next = quire_region_next(region);
    CHECK(space->q, start < end);                               /* I1 */
    CHECK(space->q, !prev || prev->end <= start);               /* I1 */
    CHECK(space->q, !next || end <= next->start);               /* I1 */
    CHECK(space->q, !region->object || start == region->start); /* only stacks move their start */
    quire_space_account(space, region, -1);
    region->start = start;
    region->end = end;
    quire_space_account(space, region, 1);
    mend_gap(space, region, prev);
    mend_gap(space, next, region);
}

/* ---- split and merge ---------------------------------------------------------------------------
 */

/* Does a region have va inside it, not at a border? */
static struct quire_region *straddles(const struct quire_space *space, uint64_t va) {
    struct quire_region *region = quire_region_above(space, va);
    return region && region->start < va ? region : NULL;
}

unsigned quire_region_cuts(const struct quire_space *space, uint64_t start, uint64_t end) {
    const struct quire_region *region = quire_region_above(space, start);
    if (!region) {
        return 0;
    }
    unsigned cuts = region->start < start;
    if (region->end > end) { /* the usual case: all in one region, one descent */
        return cuts + (region->start < end);
    }
    return cuts + (region->end < end && straddles(space, end) != NULL);
}

unsigned quire_region_unmap_growth(const struct quire_space *space, uint64_t start, uint64_t end) {
    const struct quire_region *region = quire_region_above(space, start);
    return region && region->start < start && region->end > end;
}

/* Split region at va: it keeps the lower part. */
static void split(struct quire_space *space, struct quire_region *region, uint64_t va,
                  struct quire_region *upper) {
    quire_huge_cut(space, va);
    *upper = *region;
    upper->start = va; /* touched and entered, too, if region is: nobody knows where */
    if (region->object) {
        upper->page_offset += quire_pages(va - region->start);
        quire_object_ref(region->object);
    }
    quire_region_resize(space, region, region->start, va);
    quire_region_insert(space, upper);
}

void quire_region_cut(struct quire_space *space, uint64_t start, uint64_t end,
                      struct quire_spares *spares) {
    struct quire_region *region = spares->count ? straddles(space, start) : NULL;
    if (region) {
        split(space, region, start, quire_spares_pop(spares));
    }
    region = spares->count ? straddles(space, end) : NULL;
    if (region) {
        split(space, region, end, quire_spares_pop(spares));
    }
}

/* Could left and right be one region? Anonymous neighbours always can: their pages are found by
 * address, not by an offset. */
static bool matches(const struct quire_region *left, const struct quire_region *right) {
    return left->end == right->start && left->prot == right->prot && left->flags == right->flags &&
           left->object == right->object &&
           (!left->object ||
            left->page_offset + quire_pages(left->end - left->start) == right->page_offset);
}

/* right's pages become left's. */
static void absorb(struct quire_space *space, struct quire_region *left,
                   struct quire_region *right) {
    uint64_t end = right->end;
    left->touched |= right->touched; /* I7 */
    left->entered |= right->entered;
    quire_region_destroy(space, right); /* left holds a reference of its own: not the last */
    quire_region_resize(space, left, left->start, end);
}

/* Upwards as far as it goes: a cut may have left two that match region and each other. */
struct quire_region *quire_region_merge(struct quire_space *space, struct quire_region *region) {
    struct quire_region *next = quire_region_next(region);
    while (next && matches(region, next)) {
        absorb(space, region, next);
        next = quire_region_next(region);
    }
    struct quire_region *prev = quire_region_prev(region);
    if (prev && matches(prev, region)) {
        absorb(space, prev, region);
        region = prev;
    }
    return region;
}

/* ---- room for a new region ---------------------------------------------------------------------
 */

/* The highest start of length free bytes that end at or below top, in the holes below the regions
 * of this subtree. Recursion is as deep as the tree: 2 log2(max_regions): 32 for 65530. A subtree
 * that promises a gap of the size disappoints at the border of top, or if it lied: then it is
 * corrected (I3). So one path is gone down, and what was changed since. */
static bool search_tree(struct quire_space *space, const struct quire_rbnode *node, uint64_t top,
                        uint64_t length, uint64_t *start) {
    struct quire_region *region = region_of(node);
    if (!region || region->largest_gap < length) {
        return false;
    }
    if (region->end + length <= top && search_tree(space, node->child[1], top, length, start)) {
        return true;
    }
    if (region->gap >= length) {
        uint64_t guard = region->flags & QUIRE_MAP_GROWSDOWN ? space->config.stack_gap_bytes : 0;
        uint64_t gap_end = region->start - guard, gap_start = gap_end - region->gap;
        uint64_t end = gap_end < top ? gap_end : top;
        if (end >= gap_start && end - gap_start >= length) {
            *start = end - length;
            space->last = region; /* whoever maps there is its neighbour */
            return true;
        }
    }
    if (search_tree(space, node->child[0], top, length, start)) {
        return true;
    }
    region->largest_gap = largest_gap(region);
    return false;
}

static bool search_below(struct quire_space *space, uint64_t top, uint64_t length,
                         uint64_t *start) {
    struct quire_region *last = space->highest;
    uint64_t free_from = last ? last->end : space->config.low.value;
    if (top >= free_from && top - free_from >= length) { /* the hole above all regions */
        *start = top - length;
        space->last = last;
        return true;
    }
    return search_tree(space, space->regions.root, top, length, start);
}

bool quire_region_search(struct quire_space *space, uint64_t length, uint64_t hint,
                         uint64_t *start) {
    if (hint >= space->config.low.value && hint <= space->config.high.value - length) {
        const struct quire_region *above = quire_region_above(space, hint);
        uint64_t limit = space->config.high.value;
        if (above) {
            limit = above->start;
            if (above->flags & QUIRE_MAP_GROWSDOWN) {
                limit = limit > space->config.stack_gap_bytes
                            ? limit - space->config.stack_gap_bytes
                            : 0;
            }
        }
        if (hint + length <= limit) {
            *start = hint;
            return true;
        }
    }
    return search_below(space, space->config.map_top.value, length, start) ||
           search_below(space, space->config.high.value, length, start);
}

/* ---- audit --------------------------------------------------------------------------------- */

void quire_regions_audit(struct quire_space *space) {
    const struct quire_region *prev = NULL;
    uint64_t count = 0;
    bool last_seen = space->last == NULL;
    CHECK(space->q, quire_rbtree_check(&space->regions));
    for (struct quire_region *region = region_of(quire_rbtree_first(&space->regions)); region;
         region = region_of(quire_rbtree_next(&region->node))) {
        CHECK(space->q, region->prev == prev && (!prev || prev->next == region));       /* I6 */
        CHECK(space->q, region->start < region->end);                                   /* I1 */
        CHECK(space->q, !((region->start | region->end) & QUIRE_PAGE_MASK));            /* I1 */
        CHECK(space->q, region->start >= (prev ? prev->end : space->config.low.value)); /* I1 */
        CHECK(space->q, region->end <= space->config.high.value);                       /* I1 */
        CHECK(space->q, region->gap == gap_of(space, region, prev));                    /* I2 */
        CHECK(space->q, region->largest_gap >= largest_gap(region));                    /* I3 */
        CHECK(space->q, !region->object || !quire_list_empty(&region->object_link));    /* I4 */
        last_seen = last_seen || space->last == region;
        count++;
        prev = region;
    }
    CHECK(space->q, count == space->nregions && last_seen);            /* I5 */
    CHECK(space->q, space->highest == prev && (!prev || !prev->next)); /* I5, I6 */
}
