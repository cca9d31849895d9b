/* tlb.h: the software machine's TLB, and the one slow path behind it. Internal to machine/soft.
 *
 * Each pmap has its own bank of entries, so entries of different address spaces can't be confused:
 * a bank is what an ASID tag is in hardware. Direct-mapped by page number.
 *
 * The check on the fast path is one comparison: (va & ~(PAGE_MASK ^ (size-1))) == tag holds only if
 * the page matches and the access is naturally aligned within it, because a tag is page-aligned.
 *
 * Blocks (2 MiB in Sv48; tlb.large_shift says what they are in the machine's format) have a bank of
 * their own, which the fast path does not know: it stays one comparison. An access that misses the
 * small bank asks the large one before the tables are walked, and copies its answer for this page
 * into the small one. To the program of the machine that is a hit: no walk, and no miss is counted
 * (tlb_large_hits says how often it was).
 */
#ifndef QUIRE_SOFT_TLB_H
#define QUIRE_SOFT_TLB_H

#include <quire/types.h>

#define TLB_ENTRIES 256
/* Entries for blocks of 2 MiB: as many as the first-level data TLB of Intel's cores since Haswell
 * has (Optimization Reference Manual, 2.1). 32 of them reach 64 MiB, the others together 1 MiB. */
#define TLB_LARGE_ENTRIES 32
#define TLB_NO_TAG        UINT64_MAX /* not page-aligned, so it matches no access */

struct tlb_entry {
    /* page address if loads may pass, or TLB_NO_TAG. The alignment makes an entry 32 bytes, so that
     * it is found by a shift and a mask. */
    _Alignas(16) uint64_t read_tag;
    uint64_t write_tag; /* page address if stores may pass: writable and already marked dirty */
    uintptr_t addend;   /* host address = va + addend */
};

struct tlb_large {
    uint64_t tag; /* the block's address, or TLB_NO_TAG */
    uintptr_t addend;
    bool loads, stores; /* what may pass; stores: writable and already marked dirty */
};

struct tlb {
    unsigned large_shift; /* log2 of a block's bytes */
    struct tlb_entry entries[TLB_ENTRIES];
    struct tlb_large large[TLB_LARGE_ENTRIES];
};

static inline struct tlb_entry *tlb_slot(struct tlb *tlb, uint64_t va) {
    return &tlb->entries[(va >> QUIRE_PAGE_SHIFT) % TLB_ENTRIES];
}

/* The address of va's block. */
static inline uint64_t tlb_block(const struct tlb *tlb, uint64_t va) {
    return va >> tlb->large_shift << tlb->large_shift;
}

static inline struct tlb_large *tlb_large_slot(struct tlb *tlb, uint64_t va) {
    return &tlb->large[(va >> tlb->large_shift) % TLB_LARGE_ENTRIES];
}

#endif
