/* change.h: taking pages away from part of a region, for the files of this room. */
#ifndef QUIRE_VM_CHANGE_H
#define QUIRE_VM_CHANGE_H

#include "vm/region.h"

/* Forget all pages and mappings of [start, end), which lies in region: private pages are dropped,
 * the object's are only unmapped. The region stays. */
void quire_change_drop(struct quire_space *space, struct quire_region *region, uint64_t start,
                       uint64_t end);

/* Unmap [start, end): cut, drop, destroy. => spares hold the records for its cuts. Cannot fail. */
void quire_change_unmap(struct quire_space *space, uint64_t start, uint64_t end,
                        struct quire_spares *spares);

/* Do the same to each region of [start, end), cut for it where a border is inside: change gives
 * what is left of the region, which it may have merged. QUIRE_NOMEM, QUIRE_NOROOM: nothing was
 * done. */
typedef struct quire_region *quire_region_change(struct quire_space *space,
                                                 struct quire_region *region, unsigned argument);
enum quire_status quire_change_each(struct quire_space *space, uint64_t start, uint64_t end,
                                    quire_region_change *change, unsigned argument);

/* Is it aligned, and does [va, va + length) lie in [0, high]? *end: its end, rounded up. */
bool quire_change_range(const struct quire_space *space, uint64_t va, uint64_t length,
                        uint64_t *end);

#endif
