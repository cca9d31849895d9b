/* page.h: the frame table: one struct quire_page for each frame of RAM.
 *
 * A frame is used for exactly one thing at a time (`use`), and each use says what the other fields
 * mean. Lists, owners and mappers hang off this struct, so that from a frame everything that knows
 * it can be found. In a block of more than one frame only the head's fields mean anything (touching
 * 512 structs to hand out 2 MiB would cost more than the rest of the allocation); a slab, whose
 * objects lie in all its frames, sets the owner of each frame by itself.
 *
 * The struct is for who has the page: it is filled between quire_page_alloc and quire_page_free,
 * and all zero (but for the link) at other times. What a frame is, free frames and those of
 * quire_frames_alloc included, is in a byte of its own (quire_page_state): to free a frame that
 * nobody had a word to keep about is then to look at a table that fits a cache, and not at one that
 * is 64 times as large.
 */
#ifndef QUIRE_PAGE_PAGE_H
#define QUIRE_PAGE_PAGE_H

#include <quire/quire.h>

#include "base/list.h"
#include "base/system.h"
#include "page/memblock.h"

enum quire_page_use {
    QUIRE_USE_RESERVED, /* no RAM, or taken at boot (the frame table itself) */
    QUIRE_USE_FREE,     /* in the buddy sets, as head or inside a block, or on a stack */
    QUIRE_USE_KERNEL,   /* quire_frames_alloc and boot */
    QUIRE_USE_SLAB,     /* owner: the slab */
    QUIRE_USE_TABLE,    /* page tables; owner: the space */
    QUIRE_USE_ANON,     /* owner: struct quire_anon */
    QUIRE_USE_FILE,     /* owner: the object, index: page number in it */
    QUIRE_USE_SHMEM,    /* owner: struct quire_anon of a shm object */
    QUIRE_NUSES
};

enum quire_page_flag {
    QUIRE_PAGE_LRU = 1 << 1,        /* in a queue of the replacement policy */
    QUIRE_PAGE_DIRTY = 1 << 3,      /* differs from swap or file, or has no copy there */
    QUIRE_PAGE_REFERENCED = 1 << 4, /* found in use when it was last looked at */
    QUIRE_PAGE_RECLAIM = 1 << 5,    /* being reclaimed now: isolated from its list */
    QUIRE_PAGE_LOCKED = 1 << 6,     /* mapped by a locked region: on no list. vm/lock.c */
    QUIRE_PAGE_LAZYFREE = 1 << 7,   /* clean without a copy: may be dropped. vm/advise.c */
};

/* One mapping of a frame; the first lies in the page, further ones are kmem objects. vm/rmap.c. */
struct quire_rmap {
    struct quire_space *space; /* NULL: none */
    quire_vaddr va;
    struct quire_rmap *next;
};

struct quire_page {
    struct quire_list link; /* LRU list, or the owner's */
    void *owner;
    /* index as its use says, at most QUIRE_INDEX_MAX; policy: lru.c. A field narrower than its
     * type: widen index before shifting it. */
    uint64_t index : 48, policy : 16;
    struct quire_rmap rmap;
    uint32_t nmaps; /* mappings in page tables, all in the rmap chain */
    uint16_t pins;  /* not to be reclaimed or moved while > 0 */
    uint8_t flags;
    uint8_t use : 4;
    uint8_t order : 4; /* of the block, valid in its head */
};

/* 2^48 pages are 2^60 bytes: more than any machine can address, and than files get. */
#define QUIRE_INDEX_MAX (((uint64_t)1 << 48) - 1)

/* One cache line on 64-bit machines: 1.6 % of RAM, and one miss to learn all about a frame. */
_Static_assert(sizeof(struct quire_page) <= 64, "struct quire_page is more than a cache line");

/* How easily a frame can be had back, which decides whom it may have for a neighbour: Linux's
 * migrate types (include/linux/mmzone.h), one a page block. mobility.c. */
enum quire_migrate_type {
    QUIRE_MIGRATE_UNMOVABLE,   /* kernel, tables, most slabs: stays where it is until it is freed */
    QUIRE_MIGRATE_MOVABLE,     /* ANON, FILE, SHMEM: contents can go to another frame */
    QUIRE_MIGRATE_RECLAIMABLE, /* kernel objects that go when the pages that they serve go */
    QUIRE_NMIGRATE
};

#define QUIRE_MIGRATE_MASK 3 /* all bits of a type */

/* A page block is what has one migrate type: 2 MiB, a huge page of the machines that there are. */
#define QUIRE_PAGEBLOCK_ORDER 9

/* How far an allocation may eat into the reserves; or-ed to it, what else is asked of the frames.
 */
enum quire_alloc_mode {
    QUIRE_ALLOC_USER,    /* leaves `min` pages free */
    QUIRE_ALLOC_KERNEL,  /* leaves half of `min`: page tables, slabs */
    QUIRE_ALLOC_RECLAIM, /* may take the last frame: what reclaim itself needs to make progress */
    QUIRE_ALLOC_DMA = 1 << 2,         /* only frames of the lowest zone */
    QUIRE_ALLOC_DMA32 = 1 << 3,       /* only frames below the end of zone DMA32 */
    QUIRE_ALLOC_RECLAIMABLE = 1 << 4, /* migrate type RECLAIMABLE instead of the use's own */
};
#define QUIRE_ALLOC_RESERVE_MASK 3 /* the bits of a mode that say how far */

/* What a frame is, whoever has it: for those who walk over frames. Only a head's use and order mean
 * anything, and those of a block on a processor's list, which is FREE and no head. O(1). */
struct quire_page_state {
    enum quire_page_use use;
    unsigned order;
    bool head; /* the first frame of a free or allocated block of `order` */
};
struct quire_page_state quire_page_state(const struct quire *q, quire_frame frame);

/* A block of 2^order frames for use, or NULL. Head's order is set, owner, index and rmap are clear.
 * The migrate type follows from the use. O(orders). Never reclaims. */
struct quire_page *quire_page_alloc(struct quire *q, unsigned order, enum quire_page_use use,
                                    enum quire_alloc_mode mode);
/* => on no LRU list, not mapped, not pinned. */
void quire_page_free(struct quire *q, struct quire_page *page);

/* Take a block apart that was just allocated: each of its frames is one of its own from now on, of
 * the same use. O(2^order). */
void quire_page_split(struct quire *q, struct quire_page *page);

struct quire_page *quire_page_at(struct quire *q, quire_frame frame); /* => a frame of RAM */
quire_frame quire_page_frame(struct quire *q, const struct quire_page *page);
void *quire_page_window(struct quire *q, const struct quire_page *page);
/* The page that a kernel address (a window, or inside one) lies in; NULL: in none. O(RAM
 * ranges). */
struct quire_page *quire_page_under(struct quire *q, const void *pointer);
/* Move a single frame from one use to another (the counts by use follow). */
void quire_page_set_use(struct quire *q, struct quire_page *page, enum quire_page_use use);

uint64_t quire_page_count(const struct quire *q, enum quire_page_use use); /* frames in that use */
/* Frames that programs made dirty or that map them: the sum of ANON, SHMEM and TABLE. */
uint64_t quire_page_count_programs(const struct quire *q);
/* Frames of RAM, those taken at boot (RESERVED) included, holes between ranges not: the counts of
 * all uses add up to it. */
uint64_t quire_page_total(const struct quire *q);
/* Free blocks of 2^order frames, those on the lists of processors too. */
uint64_t quire_page_free_blocks(const struct quire *q, unsigned order);
/* Frames handed out and taken back since boot (pgalloc, pgfree). */
void quire_page_traffic(const struct quire *q, uint64_t *allocated, uint64_t *freed);

/* Watermarks in frames, the sum of all zones; below low kswapd should run, up to high. */
enum quire_watermark { QUIRE_WMARK_MIN, QUIRE_WMARK_LOW, QUIRE_WMARK_HIGH, QUIRE_NWMARKS };
uint64_t quire_page_watermark(const struct quire *q, enum quire_watermark mark);

/* How many frames are missing until a program's request finds a zone above that mark, with what the
 * zone keeps for those that need just it (Linux: pgdat_balanced). 0: there is one. O(zones), while
 * memory is ample; O(zones * processors) near the mark. */
uint64_t quire_page_shortfall(const struct quire *q, enum quire_watermark mark);
/* The same for a request that no zone above `highest` can serve. */
uint64_t quire_page_shortfall_below(const struct quire *q, enum quire_watermark mark,
                                    unsigned highest);

/* Has a zone up to `highest` a frame more than min for a program's request? O(zones), and as above
 * near the mark. */
bool quire_page_is_above_min(const struct quire *q, unsigned highest);

/* The processor that works from now on: its lists are used. O(1). => cpu < ncpus of boot */
void quire_page_set_cpu(struct quire *q, unsigned cpu);

/* What /proc/zoneinfo and the like show of one zone; index counts zones that have frames. */
struct quire_zone_info {
    const char *name;
    unsigned kind;                   /* enum quire_zone_kind */
    uint32_t first, end;             /* frames; holes included: spanned */
    uint64_t present, managed, free; /* frames */
    uint64_t watermark[QUIRE_NWMARKS];
    uint64_t protection[QUIRE_NZONES]; /* lowmem_reserve for requests of each zone above */
    uint64_t blocks[QUIRE_NORDERS][QUIRE_NMIGRATE]; /* in the buddy sets */
    uint64_t pageblocks[QUIRE_NMIGRATE];
    unsigned ncpus;
};
bool quire_page_zone(const struct quire *q, unsigned index, struct quire_zone_info *info);
/* The lists of one processor in that zone: frames on them, most, batch. */
struct quire_pcp_info {
    uint32_t count, high, batch;
};
void quire_page_pcp(const struct quire *q, unsigned index, unsigned cpu,
                    struct quire_pcp_info *info);

/* A test switch is on: does this allocation fail? */
bool quire_page_fails_now(struct quire *q);

/* For compaction: the frames of a free block, whose head this is, become 2^order single ones of use
 * KERNEL, on the list through their links. */
void quire_page_isolate(struct quire *q, quire_frame head, struct quire_list *list);
/* As quire_page_free of a single frame, but past the processors' lists: it merges now. */
void quire_page_free_home(struct quire *q, struct quire_page *page);
/* Send what the lists of all processors hold home. */
void quire_page_drain(struct quire *q);
/* The order of the last request that was refused although there were frames enough; 0: that was not
 * why. */
unsigned quire_page_failed_order(const struct quire *q);
/* The largest such order since it was last forgotten; 0: none. */
unsigned quire_page_wanted_order(struct quire *q, bool forget);
/* The highest zone: every request for a program's page may use it. */
unsigned quire_page_top_zone(const struct quire *q);
/* The highest zone that the last refused request could use, as long as nobody asked: the top one if
 * it was not for want of frames. */
unsigned quire_page_failed_zone(struct quire *q);
/* The highest zone that serves a request which found all that could serve it at their low marks,
 * the lowest of all such since it was last forgotten; QUIRE_NZONES: none. Requests that may use any
 * zone are not noted: quire_page_shortfall tells of them. */
unsigned quire_page_wanted_zone(const struct quire *q);
void quire_page_forget_zone(struct quire *q);
/* Frames first to end - 1 are those of zones up to `highest`, holes included. */
void quire_page_bounds(const struct quire *q, unsigned highest, uint32_t *first, uint32_t *end);

/* True if a test switch (quire_fail_...) says that this allocation fails. Frame and slab allocation
 * ask it once each (not twice when a slab needs a frame, not for mode RECLAIM). */
static inline bool quire_page_should_fail(struct quire *q) {
    return __builtin_expect(q->fail_every != 0, 0) && quire_page_fails_now(q);
}
/* The switch was turned on or off: frames from now on ask it, or no longer. */
void quire_page_set_failing(struct quire *q, bool failing);

/* Boot: build q->phys over the RAM that memblock describes; takes the frame table from it and all
 * that is not taken then. QUIRE_NOMEM: no range can hold the frame table; QUIRE_INVAL: a bad field,
 * or min_free_pages leaves no frame to use. */
struct quire_phys_config {
    uint64_t min_free_pages;   /* 0: derived */
    const uint64_t *zone_ends; /* QUIRE_NZONES addresses as struct quire_config has them, or NULL */
    unsigned ncpus;            /* 0: 1 */
    uint64_t reserve_bytes;    /* set aside, 0: nothing */
};
enum quire_status quire_phys_boot(struct quire *q, struct quire_memblock *memblock,
                                  const struct quire_phys_config *config);
/* => everything was given back. Panics on frames that are still in use. */
void quire_phys_shutdown(struct quire *q);
/* Recount: free blocks against uses, buddies merged, counters, LRU lists. Panics. */
void quire_phys_audit(struct quire *q);

#endif
