/* anon.h: pages of anonymous memory, for the files of this room; the struct itself is in vm.h. */
#ifndef QUIRE_VM_ANON_H
#define QUIRE_VM_ANON_H

#include "vm/vm.h"

/* An anon with one reference around a page of use ANON or SHMEM: dirty, on no list. NULL: no
 * memory, the page is still the caller's. */
struct quire_anon *quire_anon_create(struct quire *q, struct quire_page *page);

/* One reference less; the last one frees page and slot. => not mapped by whoever drops it. */
void quire_anon_put(struct quire *q, struct quire_anon *anon);

/* The record goes. => no page, no slot, nobody refers to it */
void quire_anon_forget(struct quire *q, struct quire_anon *anon);

/* It is about to be written: the copy on swap is stale from now on. => has a page */
void quire_anon_dirty(struct quire *q, struct quire_anon *anon);

/* Bring it back from swap into a page of this use; clean, the slot stays. QUIRE_NOMEM; QUIRE_BUS:
 * the bytes cannot be had. May do I/O. => has no page */
enum quire_status quire_anon_swap_in(struct quire *q, struct quire_anon *anon,
                                     enum quire_page_use use);

/* What MADV_FREE said of the page does not hold any more: it was written, or goes. */
void quire_anon_not_lazy(struct quire *q, struct quire_page *page);

/* Off its list and free. => not mapped */
void quire_anon_free_page(struct quire *q, struct quire_page *page);

#endif
