/* swap.h: pages outside of RAM: areas, slots, and the seal that proves what comes back.
 *
 * A seal is a 64-bit checksum over the page's bytes, mixed with the identity of its owner and the
 * slot: another page's bytes, an older version, or a flipped bit do not match it.
 */
#ifndef QUIRE_SWAP_SWAP_H
#define QUIRE_SWAP_SWAP_H

#include "page/page.h"

/* One page on one area; the number is the area's and the page's within. */
typedef struct {
    uint32_t value;
} quire_slot;

#define QUIRE_SLOT_NONE ((quire_slot){UINT32_MAX})

static inline bool quire_slot_is_none(quire_slot slot) {
    return slot.value == UINT32_MAX;
}

/* Take a slot and write the page there. QUIRE_NOMEM: no slot is free. QUIRE_IO: the device failed;
 * nothing is taken then. identity: unique for the owner and its generation. May do I/O. */
enum quire_status quire_swap_out(struct quire *q, struct quire_page *page, uint64_t identity,
                                 quire_slot *slot, uint64_t *seal);

/* Fill the page from the slot, which stays taken. QUIRE_IO: the device failed or the seal does not
 * match; the page then holds anything. May do I/O. */
enum quire_status quire_swap_in(struct quire *q, quire_slot slot, struct quire_page *page,
                                uint64_t identity, uint64_t seal);

/* The copy on the device is not needed any more. O(1). */
void quire_swap_release(struct quire *q, quire_slot slot);

/* Where a slot is: the area's number, and the page within it. */
void quire_swap_place(quire_slot slot, unsigned *area, uint32_t *page);

uint64_t quire_swap_total(const struct quire *q); /* slots of all areas in use */
uint64_t quire_swap_free(const struct quire *q);  /* of them not taken */
/* Is this slot on that device? For swapoff. */
bool quire_swap_slot_on(const struct quire *q, quire_slot slot, unsigned device);

enum quire_status quire_swap_boot(struct quire *q);
void quire_swap_shutdown(struct quire *q);
enum quire_status quire_swap_add(struct quire *q, unsigned device, int priority);
/* Stop giving out slots of the device (draining) or, when none is taken, let it go: QUIRE_BUSY. */
void quire_swap_drain(struct quire *q, unsigned device, bool draining);
enum quire_status quire_swap_drop(struct quire *q, unsigned device);
/* Recount the maps. slots_held: how many distinct slots the rooms above hold. Panics. */
void quire_swap_audit(struct quire *q, uint64_t slots_held);

struct quire_swap_info {
    unsigned device;
    int priority;
    uint64_t total, used;
};
bool quire_swap_area(const struct quire *q, unsigned index, struct quire_swap_info *info);

#endif
