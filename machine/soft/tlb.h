/* tlb.h: the software machine's TLB, and the one slow path behind it. Internal to machine/soft.
 *
 * Each hart has a TLB of its own, and in it a bank of entries for each address space that ran
 * there, so entries of different spaces can't be confused: a bank is what an ASID tag is in
 * hardware. It lies with its pmap, which knows by its list of banks which harts may remember
 * something of it (as Linux's mm_cpumask). Direct-mapped by page number.
 *
 * When a mapping changes, the hart at work forgets it in its own bank, and tells the others to
 * forget it in theirs: a shootdown (quire_tlb_shoot). Harts take turns, so a remote bank is emptied
 * at once, long before its hart could use it.
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

struct quire_machine;

#define TLB_ENTRIES 256
/* Entries for blocks of 2 MiB: as many as the first-level data TLB of Intel's cores since Haswell
 * has (Optimization Reference Manual, 2.1). 32 of them reach 64 MiB, the others together 1 MiB. */
#define TLB_LARGE_ENTRIES 32
#define TLB_NO_TAG        UINT64_MAX /* not page-aligned, so it matches no access */
/* In a tag, instead of TLB_NO_TAG: the translation is good, but its next use is to be told first
 * (window.c). Neither alignment nor page bits: it matches no access either. */
#define TLB_PARKED UINT64_C(0x800)

struct tlb_entry {
    /* page address if loads may pass, or TLB_NO_TAG. The alignment makes an entry 32 bytes, so that
     * it is found by a shift and a mask. */
    _Alignas(16) uint64_t read_tag;
    uint64_t write_tag; /* page address if stores may pass: writable and already marked dirty */
    uintptr_t addend;   /* host address = va + addend */
    uint64_t stamp;     /* of the last access, where there is a window */
};

struct tlb_large {
    uint64_t tag; /* the block's address, or TLB_NO_TAG */
    uintptr_t addend;
    bool loads, stores; /* what may pass; stores: writable and already marked dirty */
};

#define TLB_NO_HART UINT32_MAX

struct tlb {
    struct tlb_entry entries[TLB_ENTRIES]; /* first: host code looks for them there */
    struct tlb_large large[TLB_LARGE_ENTRIES];
    unsigned large_shift;      /* log2 of a block's bytes */
    unsigned hart;             /* whose; TLB_NO_HART: the space has not run yet */
    struct tlb *next;          /* of the same space, on another hart */
    struct tlb_window *window; /* whose last touches the stamps are; NULL: nobody asks */
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

/* ---- forgetting ------------------------------------------------------------------------------ */

enum tlb_reach {
    TLB_PAGE,  /* the small entry of this page */
    TLB_LARGE, /* the large entry of its block: what the small bank has of it stays true */
    TLB_BLOCK, /* both, of the whole block */
};

static inline bool tlb_forget_page(struct tlb *tlb, uint64_t va) {
    struct tlb_entry *slot = tlb_slot(tlb, va);
    if ((slot->read_tag & ~TLB_PARKED) != va && (slot->write_tag & ~TLB_PARKED) != va)
        return false;
    slot->read_tag = slot->write_tag = TLB_NO_TAG;
    return true;
}

static inline bool tlb_forget_large(struct tlb *tlb, uint64_t va) {
    struct tlb_large *slot = tlb_large_slot(tlb, va);
    if (slot->tag != tlb_block(tlb, va))
        return false;
    *slot = (struct tlb_large){.tag = TLB_NO_TAG};
    return true;
}

static inline bool tlb_forget_block(struct tlb *tlb, uint64_t va) {
    uint64_t first = tlb_block(tlb, va), last = first + (((uint64_t)1 << tlb->large_shift) - 1);
    for (unsigned i = 0; i < TLB_ENTRIES; i++) {
        struct tlb_entry *slot = &tlb->entries[i];
        uint64_t tag = slot->read_tag != TLB_NO_TAG ? slot->read_tag : slot->write_tag;
        if (tag >= first && tag <= last)
            slot->read_tag = slot->write_tag = TLB_NO_TAG;
    }
    return tlb_forget_large(tlb, va);
}

/* One bank forgets. Was there an entry of just this reach? => va is page-aligned */
static inline bool tlb_forget(struct tlb *tlb, uint64_t va, enum tlb_reach reach) {
    return reach == TLB_PAGE    ? tlb_forget_page(tlb, va)
           : reach == TLB_LARGE ? tlb_forget_large(tlb, va)
                                : tlb_forget_block(tlb, va);
}

/* ---- banks: tlb.c ---------------------------------------------------------------------------- */

struct quire_pmap;

/* The pmap's first bank, empty and nobody's. */
void quire_tlb_init(struct quire_pmap *pmap);
/* The other banks go. */
void quire_tlb_destroy(struct quire_pmap *pmap);
/* From now on pmap->tlb is the bank of the hart at work, which is made if need be. False: the host
 * has no memory for it. O(harts that the space ran on), O(1) if it is already. */
bool quire_tlb_select(struct quire_pmap *pmap);
/* The bank of the hart at work, NULL if it has none. */
struct tlb *quire_tlb_own(struct quire_pmap *pmap);
/* The banks of all other harts forget, and the harts are noted as told. */
void quire_tlb_shoot(struct quire_pmap *pmap, uint64_t va, enum tlb_reach reach);
/* The call that changed mappings is over: count its shootdown, and charge for it. => some hart was
 * told */
void quire_tlb_shot(struct quire_machine *machine);

#endif
