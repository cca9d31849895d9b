/* commit.h: asking before a space grows, for the files of this room. */
#ifndef QUIRE_VM_COMMIT_H
#define QUIRE_VM_COMMIT_H

#include "vm/space.h"

/* What a change would add to a space, in pages; each may be negative (as two's complement). */
struct quire_claim {
    uint64_t pages, data, committed;
};

/* What lies in the range goes. O(regions in it). */
void quire_claim_less_range(struct quire_claim *claim, const struct quire_space *space,
                            uint64_t start, uint64_t end);

/* QUIRE_NOROOM: over a limit of the space, or more than may be promised. Changes nothing. O(swap
 * areas). */
enum quire_status quire_claim_check(const struct quire_space *space,
                                    const struct quire_claim *claim);

/* May npages more be promised to a space of this size (0: to nobody's)? QUIRE_NOROOM. */
enum quire_status quire_commit_check(struct quire *q, uint64_t npages, uint64_t virtual_pages);

/* What is counted as VmData, and what is promised: private and writable. */
static inline bool quire_region_is_data(unsigned prot, unsigned flags) {
    return (prot & QUIRE_PROT_WRITE) && !(flags & (QUIRE_MAP_SHARED | QUIRE_MAP_GROWSDOWN));
}
static inline bool quire_region_commits(unsigned prot, unsigned flags) {
    return (prot & QUIRE_PROT_WRITE) && !(flags & (QUIRE_MAP_SHARED | QUIRE_MAP_NORESERVE));
}

/* npages of this kind come (sign 1) or go (-1). */
static inline void quire_claim_add(struct quire_claim *claim, unsigned prot, unsigned flags,
                                   uint64_t npages, int sign) {
    uint64_t change = sign > 0 ? npages : 0 - npages;
    claim->pages += change;
    claim->data += quire_region_is_data(prot, flags) ? change : 0;
    claim->committed += quire_region_commits(prot, flags) ? change : 0;
}

#endif
