/* zone.h: the state of page/: RAM as ranges, zones of free blocks, lists of processors, counts.
 * Internal to page/, but for quire_zone_alloc, which kmem/ may use.
 */
#ifndef QUIRE_PAGE_ZONE_H
#define QUIRE_PAGE_ZONE_H

#include "page/blockset.h"
#include "page/lru.h"
#include "page/page.h"

/* A processor's list of single frames holds at most this many for each migrate type: 1 MiB. Linux
 * lets it grow to an eighth of a thousandth of the zone; past this size a larger list won nothing
 * in bench/core.c, and each frame on it keeps its buddy from merging. */
#define QUIRE_PCP_MAX 256
/* Frames moved at once between a stack and the buddy sets: Linux's pcp batch (63). */
#define QUIRE_PCP_BATCH 64
/* Orders above this, but for page blocks, always go to the buddy sets (Linux:
 * PAGE_ALLOC_COSTLY_ORDER). */
#define QUIRE_PCP_ORDER 3
#define QUIRE_CPUS_MAX  64

/* Free blocks of one order and type, the last freed on top: what is still in the cache is handed
 * out first. */
struct quire_hot {
    uint32_t *frames; /* their heads; [0] was freed first */
    uint32_t count;
    uint32_t max; /* 0: this order is not kept here */
};

/* What a page block's frames have in common: their zone and their migrate type, as one small
 * number, so that a freed frame finds its stack by one look. */
#define QUIRE_CLASS(zone, type) ((zone) << 2 | (type))
#define QUIRE_NCLASSES          QUIRE_CLASS(QUIRE_NZONES, 0)

/* One processor's stacks, those of all zones. */
struct quire_pcp {
    struct quire_hot hot[QUIRE_NORDERS][QUIRE_NCLASSES];
};

/* A stretch of frames that are allocated from together. */
struct quire_zone {
    const char *name;
    uint32_t first, end;       /* frames; holes between RAM ranges included; equal: none */
    uint64_t present, managed; /* frames of RAM; those of them that are not RESERVED */

    uint32_t base;                     /* first, rounded down to a largest block */
    uint64_t nfree;                    /* frames in the sets of free blocks */
    uint64_t hot_most;                 /* frames that the stacks of all processors hold at most */
    uint64_t drained_at;               /* frees so far when the stacks were last sent home */
    bool refilled;                     /* and one was refilled since */
    uint32_t nonempty[QUIRE_NMIGRATE]; /* bit k: free[k] of that type has a block */
    /* Free blocks, numbered from base on. */
    struct quire_blockset free[QUIRE_NORDERS][QUIRE_NMIGRATE];

    uint64_t watermark[QUIRE_NWMARKS]; /* frames */
    uint64_t reserve[3];               /* frames that must stay free, by quire_alloc_mode */
    uint64_t protection[QUIRE_NZONES]; /* more, for requests that could go higher */
};

struct quire_phys {
    /* What each allocation and free looks at comes first. */
    struct quire_hot *fast; /* stacks of order 0 of the working processor in zone fast_zone */
    struct quire_pcp *pcp;  /* the working processor's stacks */
    uint32_t fast_class;    /* of the first of the fast stacks */
    uint32_t type_mask;     /* 0 on machines too small for page blocks of different types */
    uint32_t first, end;    /* frames of the table */
    struct quire_page *table;
    uintptr_t tags; /* a byte of each frame; as classes, where frame 0's would be */
    /* QUIRE_CLASS of each page block: where the one of block 0 would be, which may be
     * in no table, so that no number has to be taken off a block's. */
    uintptr_t classes;
    uint32_t nframes;          /* end - first */
    uint32_t floor[4];         /* blocks that must stay on such a stack, by mode */
    uint64_t out[QUIRE_NUSES]; /* frames that went into a use, and that came back: never less */
    uint64_t back[QUIRE_NUSES];

    struct quire_zone zones[QUIRE_NZONES];
    unsigned top;        /* index of the highest zone with frames */
    unsigned kernel_top; /* and of the highest that the kernel may use */
    unsigned fast_zone;  /* the one that served last: the highest that had enough then */
    bool fast_above_low; /* enough for its low mark, that is */
    unsigned ncpus;
    struct quire_pcp *pcps; /* of each processor */
    quire_paddr aside;      /* what reserve_bytes set aside, and how much */
    uint64_t aside_bytes;
    uint64_t total, reserved; /* frames of RAM; those taken at boot */
    bool failing;             /* quire_fail_every is on: the stacks give nothing */
    unsigned wanted_order;    /* the highest order that failed so, until the background knows */
    unsigned failed_order; /* of the last request that failed for want of a block, not of frames */
    unsigned failed_zone;  /* the highest that it could use */
    unsigned wanted_zone;  /* the lowest of those since the background asked; QUIRE_NZONES: none */
    struct quire_queues lru;
    unsigned nranges;
    struct {
        uint32_t first, end; /* frames */
        char *window;        /* of the first; the others follow it */
    } ranges[QUIRE_MEMBLOCK_RANGES];
};

/* ---- frames, page structs, page blocks ------------------------------------------------------- */

static inline struct quire_page *quire_zone_page(const struct quire_phys *phys, uint32_t frame) {
    return &phys->table[frame - phys->first];
}

static inline uint32_t quire_zone_frame(const struct quire_phys *phys,
                                        const struct quire_page *page) {
    return phys->first + (uint32_t)(page - phys->table);
}

/* Blocks of an order that may lie in the zone: numbers below this. => it has frames */
static inline uint64_t quire_zone_numbers(const struct quire_zone *zone, unsigned order) {
    return (uint64_t)((zone->end - 1 - zone->base) >> order) + 1;
}

/* ---- tags: what each frame is, in one byte ----------------------------------------------------
 */

#define QUIRE_TAG_ORDER          15       /* bits of the order */
#define QUIRE_TAG_HEAD           (1 << 4) /* a block's first frame, but not on a stack */
#define QUIRE_TAG_USE_SHIFT      5
#define QUIRE_TAG(use, order)    ((uint8_t)((use) << QUIRE_TAG_USE_SHIFT | (order)))
#define QUIRE_TAG_OF(use, order) ((uint8_t)(QUIRE_TAG(use, order) | QUIRE_TAG_HEAD))

_Static_assert(QUIRE_NUSES << QUIRE_TAG_USE_SHIFT <= 256 && QUIRE_NORDERS <= QUIRE_TAG_ORDER + 1,
               "use, head and order are one byte");

static inline uint8_t *quire_zone_tag(const struct quire_phys *phys, uint32_t frame) {
    return (uint8_t *)(phys->tags + frame);
}

static inline unsigned quire_tag_use(uint8_t tag) {
    return tag >> QUIRE_TAG_USE_SHIFT;
}

static inline unsigned quire_tag_order(uint8_t tag) {
    return tag & QUIRE_TAG_ORDER;
}

/* The frames that a walk over blocks goes on by. => a head, on a stack, or RESERVED (which is 0) */
static inline uint32_t quire_tag_frames(uint8_t tag) {
    return 1u << quire_tag_order(tag);
}

static inline uint8_t *quire_zone_class(const struct quire_phys *phys, uint32_t frame) {
    return (uint8_t *)(phys->classes + (frame >> QUIRE_PAGEBLOCK_ORDER));
}

static inline unsigned quire_zone_type(const struct quire_phys *phys, uint32_t frame) {
    return *quire_zone_class(phys, frame) & QUIRE_MIGRATE_MASK;
}

static inline struct quire_zone *quire_zone_of(struct quire_phys *phys, uint32_t frame) {
    struct quire_zone *zone = &phys->zones[phys->top];
    while (frame < zone->first) {
        zone--;
    }
    return zone;
}

/* The migrate type of a use. */
static inline unsigned quire_zone_type_of(const struct quire_phys *phys, enum quire_page_use use,
                                          unsigned mode) {
    unsigned type = use >= QUIRE_USE_ANON ? QUIRE_MIGRATE_MOVABLE : QUIRE_MIGRATE_UNMOVABLE;
    return (mode & QUIRE_ALLOC_RECLAIMABLE ? QUIRE_MIGRATE_RECLAIMABLE : type) & phys->type_mask;
}

/* ---- page.c ---------------------------------------------------------------------------------- */

/* The last look at a page's struct before its frame is free: nobody may hold it. Clears it; returns
 * the use that it had. */
enum quire_page_use quire_zone_retire(struct quire *q, struct quire_page *page, uint32_t frame);

/* ---- buddy.c --------------------------------------------------------------------------------- */

/* What those who look for a block answer when there is none; no frame has this number. */
#define QUIRE_NO_FRAME UINT32_MAX

/* Into, and out of, the set of its order and its page block's type. */
void quire_buddy_list(struct quire_phys *phys, struct quire_zone *zone, uint32_t frame,
                      unsigned order);
void quire_buddy_unlist(struct quire_phys *phys, struct quire_zone *zone, uint32_t frame,
                        unsigned order);
/* The lowest block of just that order and type. => there is one */
uint32_t quire_buddy_lowest(const struct quire_zone *zone, unsigned order, unsigned type);
/* The lowest of the smallest blocks of the type that are large enough, split down; or
 * QUIRE_NO_FRAME. */
uint32_t quire_buddy_take(struct quire_phys *phys, struct quire_zone *zone, unsigned order,
                          enum quire_migrate_type type);
/* Take a block out of its set, keep its lowest 2^order frames and list the rest. */
void quire_buddy_carve(struct quire_phys *phys, struct quire_zone *zone, uint32_t frame,
                       unsigned have, unsigned order);
/* A block back, merged with its buddies as far as they are free. */
void quire_buddy_give(struct quire_phys *phys, struct quire_zone *zone, uint32_t frame,
                      unsigned order);

/* ---- mobility.c ------------------------------------------------------------------------------ */

/* A block of another type, when its own has none: QUIRE_NO_FRAME if nobody has. */
uint32_t quire_mobility_steal(struct quire_phys *phys, struct quire_zone *zone, unsigned order,
                              enum quire_migrate_type type);

/* ---- pcp.c ----------------------------------------------------------------------------------- */

enum quire_status quire_pcp_boot(struct quire *q, struct quire_memblock *memblock);
/* A block from the processor's list, refilled, or from the buddy sets; or QUIRE_NO_FRAME.
 * => watermarks asked */
uint32_t quire_pcp_take(struct quire_phys *phys, struct quire_zone *zone, unsigned order,
                        enum quire_migrate_type type);
/* A block for a stack that is full, or to the buddy sets if there is none for its order. */
void quire_pcp_give(struct quire_phys *phys, struct quire_zone *zone, uint32_t frame,
                    unsigned order);
/* Send all that the lists of all processors hold home to merge. False: they were empty. */
bool quire_pcp_drain(struct quire_phys *phys, struct quire_zone *zone);
/* Frames on the lists of all processors. */
uint64_t quire_pcp_frames(const struct quire_phys *phys, const struct quire_zone *zone);
/* The buddy sets, the marks or the zone that serves changed: how much of a stack is reserve. */
void quire_pcp_set_floor(struct quire_phys *phys);
/* That zone served: above its low mark, or below. */
void quire_pcp_set_zone(struct quire_phys *phys, unsigned zone, bool above_low);

/* ---- zone.c ---------------------------------------------------------------------------------- */

/* Which frames go to which zone. */
void quire_zone_layout(struct quire_phys *phys, const uint64_t *ends);
/* => managed frames are known. False: `min` leaves nothing. */
bool quire_zone_set_watermarks(struct quire_phys *phys, uint64_t min_free_pages);
/* Has the zone that many free frames? */
bool quire_zone_has(const struct quire_phys *phys, const struct quire_zone *zone, uint64_t nframes);
uint64_t quire_zone_nfree(const struct quire_phys *phys, const struct quire_zone *zone);

/* Memory for the sets of free blocks. */
enum quire_status quire_zone_boot(struct quire_phys *phys, struct quire_memblock *memblock);
/* A block for use from where it may come from, not yet handed out; or QUIRE_NO_FRAME. */
uint32_t quire_zone_take(struct quire_phys *phys, unsigned order, enum quire_page_use use,
                         unsigned mode);

/* quire_page_alloc without the test switch: for kmem/, whose allocations ask it themselves. */
struct quire_page *quire_zone_alloc(struct quire *q, unsigned order, enum quire_page_use use,
                                    enum quire_alloc_mode mode);

#endif
