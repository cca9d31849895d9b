/* anon.h: pages of anonymous memory, for the files of this room; the struct itself is in vm.h. */
#ifndef QUIRE_VM_ANON_H
#define QUIRE_VM_ANON_H

#include "base/radix.h"
#include "vm/vm.h"

/* An anon with one reference around a page of use ANON or SHMEM: dirty, on no list. home: the space
 * whose place refers to it; NULL: a shm object's does. NULL: no memory, the page is still the
 * caller's. */
struct quire_anon *quire_anon_create(struct quire *q, struct quire_page *page,
                                     struct quire_space *home);

/* One reference less; the last one frees page and slot. => not mapped by whoever drops it. */
void quire_anon_put(struct quire *q, struct quire_anon *anon);

/* A place of space does not refer to it any more. The reference is still to be put, or the record
 * to be forgotten. */
void quire_anon_leave(struct quire_space *space, struct quire_anon *anon);

/* A place of space refers to it, which nobody else does: it is at home here from now on, if it was
 * nowhere. => has a page */
void quire_anon_settle(struct quire_space *space, struct quire_anon *anon);

/* It is in RAM again (delta -1), or on swap only (1): count that. */
void quire_anon_count_swapped(struct quire *q, const struct quire_anon *anon, int delta);

/* The record goes. => no page, no slot, nobody refers to it */
void quire_anon_forget(struct quire *q, struct quire_anon *anon);

/* It is about to be written: the copy on swap is stale from now on. => has a page */
void quire_anon_dirty(struct quire *q, struct quire_anon *anon);

/* Bring it back from swap into a page of this use; clean, the slot stays unless swap is half full.
 * QUIRE_NOMEM; QUIRE_BUS: the bytes cannot be had. May do I/O. => has no page */
enum quire_status quire_anon_swap_in(struct quire *q, struct quire_anon *anon,
                                     enum quire_page_use use);

/* What MADV_FREE said of the page does not hold any more: it was written, or goes. */
void quire_anon_not_lazy(struct quire *q, struct quire_page *page);

/* Where a page is wanted: its index among anons, between first and end (a region's, an object's),
 * and the state of reading ahead there, which begins as 0. */
struct quire_around {
    struct quire_radix *anons;
    uint64_t index, first, end;
    uint64_t *state;
};

/* The same, and its neighbours with it if that is likely to pay (readahead.c). */
enum quire_status quire_anon_swap_in_around(struct quire *q, struct quire_anon *anon,
                                            enum quire_page_use use,
                                            const struct quire_around *around);

/* Somebody came for a page that is in RAM: was it read ahead? O(1). */
void quire_anon_came(struct quire *q, struct quire_page *page, uint64_t index, uint64_t *state);

/* Off its list and free. => not mapped */
void quire_anon_free_page(struct quire *q, struct quire_page *page);

#endif
