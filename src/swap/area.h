/* area.h: the swap room's own state: areas, their order of use, the maps of their slots.
 * Internal to swap/.
 */
#ifndef QUIRE_SWAP_AREA_H
#define QUIRE_SWAP_AREA_H

#include "swap/store.h"

/* A slot's number: four bits of area above 28 bits of page within it. Eight areas because
 * machine/soft has eight devices; Linux's limit is 32 less what migration takes. The other eight
 * numbers are for what is no area: SLOT_STORE. */
#define SWAP_AREAS      8
#define SLOT_PAGE_BITS  28
#define SLOT_PAGE_COUNT ((uint32_t)1 << SLOT_PAGE_BITS)

/* Page 0 of an area is the header that mkswap writes (header.c): it is never given out. */
#define SLOT_FIRST 1

/* A map is cut in chunks of 32768 slots (128 MiB of swap, two bits each in 8 KiB): no single
 * allocation is large, and full stretches are skipped by their count. */
#define CHUNK_SLOTS 32768u

/* The most that one kmalloc of chunk records can describe: 8192 * 128 MiB = 1 TiB an area, which is
 * also what the slot's number can. What a device has beyond is left unused. */
#define CHUNKS_MAX 8192u

struct swap_chunk {
    /* Two bitmaps one after the other, of as many bits as the chunk has slots: taken (in use, bad,
     * or spoiled), and spoiled. */
    uint64_t *taken;
    uint32_t free; /* zero bits in taken */
};

#define AREA_NAME_BYTES 96 /* of /proc/swaps; a longer path keeps its end */

struct swap_area {
    bool in_use;
    bool draining; /* swapoff is on its way: gives no slots out, counts in no total */
    bool is_file;
    bool may_grow; /* used whole, without a header: it is as large as the device is */
    unsigned device;
    int priority;
    uint32_t npages;   /* with the header */
    uint32_t free;     /* slots not taken */
    uint32_t nbad;     /* taken for ever: the header says that they are broken */
    uint32_t nspoiled; /* a write to them failed: not given out while there are others */
    uint32_t hint;     /* where the next search begins */
    uint32_t reach;    /* no slot from here on was ever taken, but bad ones */
    uint32_t run;      /* slots given out since an equal had its turn */
    uint32_t nchunks;
    struct swap_chunk *chunks;
    char name[AREA_NAME_BYTES];
};

struct quire_swap {
    struct swap_area areas[SWAP_AREAS];
    uint8_t order[SWAP_AREAS]; /* indexes of the areas in use, highest priority first */
    unsigned norder;
    struct store store; /* pages compressed in RAM */
    int least_priority; /* of those that were left to us; the next one gets one less */
};

static inline struct swap_area *swap_area_of(struct quire *q, quire_slot slot) {
    return &q->swap->areas[slot.value >> SLOT_PAGE_BITS];
}

static inline uint32_t swap_page_of(quire_slot slot) {
    return slot.value & (SLOT_PAGE_COUNT - 1);
}

/* Slots that can hold pages now; of them those that do. */
static inline uint32_t swap_area_total(const struct swap_area *area) {
    return area->npages - SLOT_FIRST - area->nbad - area->nspoiled;
}

static inline uint32_t swap_area_used(const struct swap_area *area) {
    return swap_area_total(area) - area->free;
}

/* slots.c: the map of one area. create: of area->npages. */
enum quire_status quire_slots_create(struct quire *q, struct swap_area *area);
void quire_slots_destroy(struct quire *q, struct swap_area *area);
/* The area has npages now, more than before. QUIRE_NOMEM: it stays as it was. */
enum quire_status quire_slots_grow(struct quire *q, struct swap_area *area, uint32_t npages);
/* Never to be given out; twice is once. => nothing was given out yet */
void quire_slots_mark_bad(struct swap_area *area, uint32_t page);
/* The next free slot after the last one given out. => area->free > 0. O(chunks) at worst. */
uint32_t quire_slots_take(struct quire *q, struct swap_area *area);
void quire_slots_put(struct quire *q, struct swap_area *area, uint32_t page);
/* In place of put, after a failed write. */
void quire_slots_spoil(struct quire *q, struct swap_area *area, uint32_t page);
/* All spoiled slots are free again. */
void quire_slots_forgive(struct swap_area *area);
/* Is it in an owner's hands (taken, and neither spoiled nor the header)? */
bool quire_slots_is_owned(const struct swap_area *area, uint32_t page);
/* For the recount: an owner's bit off or on, without any count. */
void quire_slots_toggle(struct swap_area *area, uint32_t page, bool taken);
/* owners: how many slots have an owner whose bit is on now. */
void quire_slots_audit(struct quire *q, const struct swap_area *area, uint64_t owners);

/* areas.c: a slot from the best area, QUIRE_SLOT_NONE when all are full. */
quire_slot quire_areas_take(struct quire *q);

#endif
