/* space.h: the state of vm/ and of one address space, for the files of this room only. */
#ifndef QUIRE_VM_SPACE_H
#define QUIRE_VM_SPACE_H

#include "base/check.h"
#include "base/radix.h"
#include "base/rbtree.h"
#include "vm/region.h"
#include "vm/vm.h"

struct quire_vm {
    struct quire_list spaces, objects; /* in order of creation */
    struct quire_list dirty_objects;   /* in the order in which they became dirty: flush.c */
    uint64_t flush_after_ns;           /* a file is broken: nothing is tried before */
    struct quire_cache *space_cache, *region_cache, *anon_cache, *rmap_cache, *object_cache;
    struct quire_cache *huge_cache;
    struct quire_cache *node_cache; /* radix nodes of all sparse arrays */
    struct quire_radix_memory nodes;
    struct quire_page *zero; /* what a read of untouched anonymous memory sees; never written */

    /* Frames for page tables, taken before they are needed. stash_pages[i] is stash.frames[i]: what
     * pmap_enter popped is found by the count. use is KERNEL here, TABLE once in a space. */
    struct quire_stash stash;
    struct quire_page *stash_pages[QUIRE_STASH_MAX];
    unsigned depth;       /* how many one pmap_enter may pop */
    unsigned root_order;  /* of the frames that a space's top table takes */
    unsigned large_order; /* what the machine can map with one entry; 0: only pages */

    uint64_t next_id; /* of anons and objects */
    struct quire_overcommit overcommit;
    uint64_t max_regions;
    unsigned page_cluster; /* log2 of the most pages that a fault brings in from swap */

    /* Counted fast here, recounted by audit.c. */
    uint64_t nanons;      /* struct quire_anon alive */
    uint64_t swapped;     /* of them without a page */
    uint64_t committed;   /* pages promised */
    uint64_t dirty;       /* FILE pages with QUIRE_PAGE_DIRTY */
    uint64_t mapped_file; /* FILE pages with nmaps > 0 */
    uint64_t peak_demand;
    uint64_t mlocked;  /* pages with QUIRE_PAGE_LOCKED */
    uint64_t lazyfree; /* pages with QUIRE_PAGE_LAZYFREE */

    /* huge.c and collapse.c. */
    enum quire_thp thp;
    uint64_t nhuges;                    /* blocks of all spaces */
    unsigned collapse_min;              /* pages that must be there, 1 to 512 */
    struct quire_space *collapse_space; /* where collapse.c goes on looking; NULL: at the first */
    uint64_t collapse_va;
    uint64_t collapse_next_ns; /* not before */
};

struct quire_space {
    struct quire *q;
    struct quire_pmap *pmap;
    struct quire_list link; /* vm->spaces */
    struct quire_space_config config;

    /* region.c */
    struct quire_rbtree regions; /* by start, augmented by the largest gap */
    struct quire_region *last;   /* what was found last: faults come in crowds */
    struct quire_region *highest;
    uint64_t nregions;

    /* The truth of private pages: va / page size -> struct quire_anon. fault.c, fork.c, change.c */
    struct quire_radix anons;
    /* What of them one entry maps: va / 2 MiB -> struct quire_huge. huge.c */
    struct quire_radix huges;

    uint64_t brk_start, brk_end;                /* bytes, end not rounded */
    uint64_t limit_pages[QUIRE_LIMIT_DATA + 1]; /* by enum quire_space_limit */
    uint32_t lock_future;                       /* QUIRE_REGION_LOCKS that every new region gets */
    int oom_score_adj;
    bool killed;

    /* Pages. resident counts rmap entries by what they map: see quire_space_resident. */
    uint64_t resident[3], resident_all, peak_resident; /* by use, their sum, the highest sum */
    uint64_t swapped, inherited; /* places: of its own that are on swap only; not its own. anon.c */
    uint64_t tables, virtual_pages, peak_virtual, data, stack, text, locked;
    uint64_t minor_faults, major_faults;
    uint64_t stalls, stall_ns; /* waits for memory */
};

/* The counter of resident pages of one use: ANON, FILE and SHMEM follow each other in the enum. */
static inline uint64_t *quire_space_resident(struct quire_space *space, enum quire_page_use use) {
    return &space->resident[use - QUIRE_USE_ANON];
}

static inline uint64_t quire_pages(uint64_t bytes) {
    return bytes >> QUIRE_PAGE_SHIFT;
}

/* The region came into the space (sign 1) or is about to change or go (sign -1): count its pages as
 * virtual, data, stack, text, committed. */
void quire_space_account(struct quire_space *space, const struct quire_region *region, int sign);

/* Fill the stash for one pmap_enter. QUIRE_NOMEM: what came stays for the next try. */
enum quire_status quire_space_refill_stash(struct quire *q);
static inline enum quire_status quire_space_fill_stash(struct quire *q) {
    return q->vm->stash.count < q->vm->depth ? quire_space_refill_stash(q) : QUIRE_OK;
}

/* pmap_enter out of the stash, charging popped frames to the space.
 * => the stash is full enough: quire_space_fill_stash was OK and nothing was entered since. */
void quire_space_enter(struct quire_space *space, uint64_t va, struct quire_page *page,
                       unsigned prot);

/* The same for a block of 2^order pages: one entry. */
void quire_space_enter_block(struct quire_space *space, uint64_t va, struct quire_page *page,
                             unsigned order, unsigned prot);

/* Demand may have a new peak. O(1). */
void quire_space_note_demand(struct quire *q);

#endif
