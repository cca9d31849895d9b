/* area.h: the swap room's own state: areas, their order of use, the maps of their slots.
 * Internal to swap/.
 */
#ifndef QUIRE_SWAP_AREA_H
#define QUIRE_SWAP_AREA_H

#include "swap/swap.h"

/* A slot's number: three bits of area above 29 bits of page within it. Eight areas because
 * machine/soft has eight devices; Linux's limit is 32 less what migration takes. */
#define SWAP_AREAS      8
#define SLOT_PAGE_BITS  29
#define SLOT_PAGE_COUNT ((uint32_t)1 << SLOT_PAGE_BITS)

/* Page 0 of an area is the header that mkswap writes (union swap_header in Linux's
 * include/linux/swap.h): it is never given out, so an area of a device keeps its label. */
#define SLOT_FIRST 1

/* A map is cut in chunks of one page of bits (32768 slots, 128 MiB of swap): no single allocation
 * is large, and full stretches are skipped by their count. */
#define CHUNK_SLOTS 32768u

/* The most that one kmalloc of chunk records can describe: 8192 * 128 MiB = 1 TiB an area. What a
 * device has beyond is left unused. */
#define CHUNKS_MAX 8192u

struct swap_chunk {
    uint64_t *taken; /* a bit a slot, 1: taken, or past the end of the area */
    uint32_t free;   /* zero bits in it */
};

struct swap_area {
    bool in_use;
    bool draining; /* swapoff is on its way: gives no slots out, counts in no total */
    unsigned device;
    int priority;
    uint32_t npages; /* with the header */
    uint32_t free;   /* slots not taken */
    uint32_t hint;   /* where the next search begins */
    uint32_t reach;  /* no slot from here on was ever taken */
    uint32_t run;    /* slots given out since an equal had its turn */
    uint32_t nchunks;
    struct swap_chunk *chunks;
};

struct quire_swap {
    struct swap_area areas[SWAP_AREAS];
    uint8_t order[SWAP_AREAS]; /* indexes of the areas in use, highest priority first */
    unsigned norder;
};

static inline struct swap_area *swap_area_of(struct quire *q, quire_slot slot) {
    return &q->swap->areas[slot.value >> SLOT_PAGE_BITS];
}

static inline uint32_t swap_page_of(quire_slot slot) {
    return slot.value & (SLOT_PAGE_COUNT - 1);
}

/* slots.c: the map of one area. */
enum quire_status quire_slots_create(struct quire *q, struct swap_area *area);
void quire_slots_destroy(struct quire *q, struct swap_area *area);
/* The next free slot after the last one given out. => area->free > 0. O(chunks) at worst. */
uint32_t quire_slots_take(struct quire *q, struct swap_area *area);
void quire_slots_put(struct quire *q, struct swap_area *area, uint32_t page);
void quire_slots_audit(struct quire *q, const struct swap_area *area);

/* areas.c: a slot from the best area, QUIRE_SLOT_NONE when all are full. */
quire_slot quire_areas_take(struct quire *q);

#endif
