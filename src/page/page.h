/* page.h: the frame table: one struct quire_page for each frame of RAM.
 *
 * A frame is used for exactly one thing at a time (`use`), and each use says what the other fields
 * mean. Lists, owners and mappers hang off this struct, so that from a frame everything that knows
 * it can be found. In a block of more than one frame only the head's fields mean anything (touching
 * 512 structs to hand out 2 MiB would cost more than the rest of the allocation); a slab, whose
 * objects lie in all its frames, sets the owner of each frame by itself.
 */
#ifndef QUIRE_PAGE_PAGE_H
#define QUIRE_PAGE_PAGE_H

#include <quire/types.h>

#include "base/list.h"
#include "base/system.h"
#include "page/memblock.h"

enum quire_page_use {
    QUIRE_USE_RESERVED, /* no RAM, or taken at boot (the frame table itself) */
    QUIRE_USE_FREE,     /* in the buddy lists, as head or inside a block */
    QUIRE_USE_KERNEL,   /* quire_frames_alloc and boot */
    QUIRE_USE_SLAB,     /* owner: the slab */
    QUIRE_USE_TABLE,    /* page tables; owner: the space */
    QUIRE_USE_ANON,     /* owner: struct quire_anon */
    QUIRE_USE_FILE,     /* owner: the object, index: page number in it */
    QUIRE_USE_SHMEM,    /* owner: struct quire_anon of a shm object */
    QUIRE_NUSES
};

enum quire_page_flag {
    QUIRE_PAGE_HEAD = 1 << 0,       /* first frame of a free or allocated block of `order` */
    QUIRE_PAGE_LRU = 1 << 1,        /* on an LRU list */
    QUIRE_PAGE_ACTIVE = 1 << 2,     /* on the active one */
    QUIRE_PAGE_DIRTY = 1 << 3,      /* differs from swap or file, or has no copy there */
    QUIRE_PAGE_REFERENCED = 1 << 4, /* seen referenced once while inactive */
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
    struct quire_list link; /* buddy free list, LRU list, or the owner's */
    void *owner;
    uint64_t index;
    struct quire_rmap rmap;
    uint32_t nmaps; /* mappings in page tables, all in the rmap chain */
    uint16_t pins;  /* not to be reclaimed or moved while > 0 */
    uint8_t flags;
    uint8_t use : 4;
    uint8_t order : 4; /* of the block, valid in its head */
};

/* One cache line on 64-bit machines: 1.6 % of RAM, and one miss to learn all about a frame. */
_Static_assert(sizeof(struct quire_page) <= 64, "struct quire_page is more than a cache line");

/* How far an allocation may eat into the reserves. */
enum quire_alloc_mode {
    QUIRE_ALLOC_USER,    /* leaves `min` pages free */
    QUIRE_ALLOC_KERNEL,  /* leaves half of `min`: page tables, slabs */
    QUIRE_ALLOC_RECLAIM, /* may take the last frame: what reclaim itself needs to make progress */
};

/* A block of 2^order frames for use, or NULL. Head's order is set, owner and the rest are cleared.
 * O(orders). Never reclaims. */
struct quire_page *quire_page_alloc(struct quire *q, unsigned order, enum quire_page_use use,
                                    enum quire_alloc_mode mode);
/* => on no LRU list, not mapped, not pinned. */
void quire_page_free(struct quire *q, struct quire_page *page);

struct quire_page *quire_page_at(struct quire *q, quire_frame frame); /* => a frame of RAM */
quire_frame quire_page_frame(struct quire *q, const struct quire_page *page);
void *quire_page_window(struct quire *q, const struct quire_page *page);
/* The page that a kernel address (a window, or inside one) lies in; NULL: in none. O(RAM
 * ranges). */
struct quire_page *quire_page_under(struct quire *q, const void *pointer);
/* Move a single frame from one use to another (the counts by use follow). */
void quire_page_set_use(struct quire *q, struct quire_page *page, enum quire_page_use use);

uint64_t quire_page_count(const struct quire *q, enum quire_page_use use); /* frames in that use */
/* Frames of RAM, those taken at boot (RESERVED) included, holes between ranges not: the counts of
 * all uses add up to it. */
uint64_t quire_page_total(const struct quire *q);
/* Free blocks of 2^order frames; order 0 counts those on the hot list too. For /proc/buddyinfo. */
uint64_t quire_page_free_blocks(const struct quire *q, unsigned order);

/* Watermarks in frames; below low kswapd should run, up to high. */
enum quire_watermark { QUIRE_WMARK_MIN, QUIRE_WMARK_LOW, QUIRE_WMARK_HIGH, QUIRE_NWMARKS };
uint64_t quire_page_watermark(const struct quire *q, enum quire_watermark mark);

/* A test switch is on: does this allocation fail? */
bool quire_page_fails_now(struct quire *q);

/* True if a test switch (quire_fail_...) says that this allocation fails. Frame and slab allocation
 * ask it once each (not twice when a slab needs a frame, not for mode RECLAIM). */
static inline bool quire_page_should_fail(struct quire *q) {
    return __builtin_expect(q->fail_every != 0, 0) && quire_page_fails_now(q);
}

/* Boot: build q->phys over the RAM that memblock describes; takes the frame table from it and all
 * that is not taken then. min_free_pages 0: derived. QUIRE_NOMEM: no range can hold the frame
 * table; QUIRE_INVAL: min_free_pages leaves no frame to use. */
enum quire_status quire_phys_boot(struct quire *q, struct quire_memblock *memblock,
                                  uint64_t min_free_pages);
/* => everything was given back. Panics on frames that are still in use. */
void quire_phys_shutdown(struct quire *q);
/* Recount: free lists against uses, buddies merged, counters, LRU lists. Panics. */
void quire_phys_audit(struct quire *q);

#endif
