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

/* A page of anonymous memory, in RAM or on swap or (clean) in both. The truth of a private page:
 * shared by as many spaces as fork made. refs counts the places that refer to it (the sparse arrays
 * of spaces and of shm objects), not page-table entries; so it is also the count of those who share
 * its slot, which has no other owner. Made, shared and ended by vm/anon.c; it is defined here
 * because what is behind slot and seal is this room's. Has a page, or a slot, or both. */
struct quire_anon {
    struct quire_page *page; /* NULL: only on swap */
    uint64_t id;             /* unique for ever: the identity in the seal */
    uint64_t seal;           /* proof of the copy on swap; in the store: where it is */
    quire_slot slot;
    uint32_t refs : 31;
    uint32_t kept : 1;        /* of a locked shm object: its page stays in RAM (vm/lock.c) */
    uint32_t shadow;          /* only on swap: what the policy remembers of it (page/lru.h) */
    struct quire_space *home; /* that made it, as long as it has a place there; else NULL: anon.h */
};

/* Compress the anon's page into the store, or take a slot, write the page there, note slot and seal
 * in it. QUIRE_NOMEM: no slot is free. QUIRE_IO: the device failed; nothing has changed, but that
 * slot is not given out again soon. May do I/O. => has a page and no slot */
enum quire_status quire_swap_out(struct quire *q, struct quire_anon *anon);

/* Fill page from the anon's slot, which stays taken; the anon does not change. QUIRE_IO: the device
 * failed or the seal does not match; the page then holds anything. May do I/O. => has a slot */
enum quire_status quire_swap_in(struct quire *q, const struct quire_anon *anon,
                                struct quire_page *page);

/* The same for a run of anons whose slots follow each other, in one request. good[i]: page i has
 * come and is right. Only a failure of run[must] is an error, which is counted, and for which the
 * request is repeated for that page alone; the others are guesses. count: 1 to QUIRE_RUN_MAX. */
void quire_swap_in_run(struct quire *q, struct quire_anon *const *run,
                       struct quire_page *const *pages, unsigned count, unsigned must, bool *good);

/* Is this slot `step` behind that one, on the same area? */
bool quire_swap_is_behind(quire_slot slot, quire_slot that, int32_t step);

/* Is what is there in RAM, compressed, and not on a device? */
bool quire_swap_is_stored(quire_slot slot);

/* Pages in the store; frames that they take. O(1). */
uint64_t quire_swap_stored(const struct quire *q);
uint64_t quire_swap_store_frames(const struct quire *q);
/* What quire_zswap of quire.h says, in one attempt. */
enum quire_status quire_swap_set_store(struct quire *q, enum quire_zswap method, unsigned percent);

/* More than half of the slots are taken: copies of pages that are in RAM should go. O(areas). */
bool quire_swap_is_full(const struct quire *q);

/* Its copy on the device is not needed any more: it has no slot from now on. O(1). => has a slot */
void quire_swap_release(struct quire *q, struct quire_anon *anon);

/* Where a slot is: the area's number, and the page within it. */
void quire_swap_place(quire_slot slot, unsigned *area, uint32_t *page);

uint64_t quire_swap_total(const struct quire *q); /* slots of all areas in use */
uint64_t quire_swap_free(const struct quire *q);  /* of them not taken */
/* Could a page go out at all? Counts what is kept back after failed writes, too. */
bool quire_swap_has_room(const struct quire *q);
/* Is this slot on that device? For swapoff. */
bool quire_swap_slot_on(const struct quire *q, quire_slot slot, unsigned device);

enum quire_status quire_swap_boot(struct quire *q);
void quire_swap_shutdown(struct quire *q);
/* name: for /proc/swaps, of a file; NULL: the device is one. Sleeps (reads the header). */
enum quire_status quire_swap_add(struct quire *q, unsigned device, int priority, const char *name);
/* Stop giving out slots of the device (draining) or, when none is taken, let it go: QUIRE_BUSY. */
void quire_swap_drain(struct quire *q, unsigned device, bool draining);
enum quire_status quire_swap_drop(struct quire *q, unsigned device);
/* Recount the maps. slots_held: how many distinct slots the rooms above hold. Panics. */
void quire_swap_audit(struct quire *q, uint64_t slots_held);
/* The other half of the recount: each owner's slot is taken off the map (away), then nothing may be
 * left in it (alone), then each is put back. Panics: an owner without its slot, two with one, a
 * slot without an owner. */
void quire_swap_audit_owner(struct quire *q, const struct quire_anon *anon, bool away);
void quire_swap_audit_alone(struct quire *q);

struct quire_swap_info {
    unsigned device;
    int priority;
    uint64_t total, used, spoiled; /* slots; spoiled ones are in neither of the other two */
    const char *name;              /* NULL: a device without one */
};
bool quire_swap_area(const struct quire *q, unsigned index, struct quire_swap_info *info);

#endif
