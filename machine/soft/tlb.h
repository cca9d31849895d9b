/* tlb.h: the software machine's TLB, and the one slow path behind it. Internal to machine/soft.
 *
 * Each pmap has its own bank of entries, so entries of different address spaces can't be confused:
 * a bank is what an ASID tag is in hardware. Direct-mapped by page number.
 *
 * The check on the fast path is one comparison: (va & ~(PAGE_MASK ^ (size-1))) == tag holds only if
 * the page matches and the access is naturally aligned within it, because a tag is page-aligned.
 */
#ifndef QUIRE_SOFT_TLB_H
#define QUIRE_SOFT_TLB_H

#include <quire/types.h>

#define TLB_ENTRIES 256
#define TLB_NO_TAG UINT64_MAX /* not page-aligned, so it matches no access */

struct tlb_entry {
    /* page address if loads may pass, or TLB_NO_TAG. The alignment makes an entry 32 bytes, so that
     * it is found by a shift and a mask. */
    _Alignas(16) uint64_t read_tag;
    uint64_t write_tag; /* page address if stores may pass: writable and already marked dirty */
    uintptr_t addend;   /* host address = va + addend */
};

struct tlb {
    struct tlb_entry entries[TLB_ENTRIES];
};

static inline struct tlb_entry *tlb_slot(struct tlb *tlb, uint64_t va) {
    return &tlb->entries[(va >> QUIRE_PAGE_SHIFT) % TLB_ENTRIES];
}

#endif
