/* tlb.h: the software machine's TLB, and the one slow path behind it. Internal to machine/soft.
 *
 * Each hart has a TLB of its own, and in it a bank of entries for each address space that ran
 * there, so entries of different spaces can't be confused: a bank is what an ASID tag is in
 * hardware. It lies with its pmap, which knows by its list of banks which harts may remember
 * something of it (as Linux's mm_cpumask).
 *
 * A bank has sets of four ways, found by page number; the ways of a set are kept in order of use,
 * so the one that goes is the least recently used. The fast path, in host code and in the
 * interpreter, knows the front way only, which was used last and serves nearly always (caches call
 * this way prediction: Powell et al., MICRO 2001); what another way has is brought to the front by
 * the slow path, and is a hit: no walk.
 *
 * When a mapping changes, the hart at work forgets it in its own bank, and tells the others to
 * forget it in theirs: a shootdown (quire_tlb_shoot). Harts take turns, so a remote bank is emptied
 * at once, long before its hart could use it.
 *
 * The check on the fast path is one comparison: (va & ~(PAGE_MASK ^ (size-1))) == tag holds only if
 * the page matches and the access is naturally aligned within it, because a tag is page-aligned.
 * Host code lets odd addresses within a page pass as well: jit_x86.c.
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

/* Reaches 4 MiB, as the second-level TLB of Intel's cores since Haswell (Optimization Reference
 * Manual, 2.1: 1024 entries). */
#define TLB_SETS    256
#define TLB_WAYS    4
#define TLB_ENTRIES (TLB_SETS * TLB_WAYS)
/* Entries for blocks of 2 MiB: as many as the first-level data TLB of Intel's cores since Haswell
 * has. 32 of them reach 64 MiB. */
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
    uint64_t stamp;     /* of the last access, where there is a window; behind the front a time */
};

struct tlb_large {
    uint64_t tag; /* the block's address, or TLB_NO_TAG */
    uintptr_t addend;
    bool loads, stores; /* what may pass; stores: writable and already marked dirty */
};

#define TLB_NO_HART UINT32_MAX

struct tlb {
    struct tlb_entry entries[TLB_SETS]; /* front ways; first: host code looks for them there */
    struct tlb_large large[TLB_LARGE_ENTRIES];
    uint8_t nolder[TLB_SETS];  /* how many of the other ways were ever used */
    unsigned large_shift;      /* log2 of a block's bytes */
    unsigned hart;             /* whose; TLB_NO_HART: the space has not run yet */
    struct tlb *next;          /* of the same space, on another hart */
    struct tlb_window *window; /* whose last touches the stamps are; NULL: nobody asks */
    /* By their last use, youngest first. Last, and nolder says how many there are: what is not used
     * is never touched, which a fork would pay for. */
    struct tlb_entry older[TLB_SETS][TLB_WAYS - 1];
};

static inline unsigned tlb_set(uint64_t va) {
    return (unsigned)(va >> QUIRE_PAGE_SHIFT) % TLB_SETS;
}

/* The front way of va's set. */
static inline struct tlb_entry *tlb_slot(struct tlb *tlb, uint64_t va) {
    return &tlb->entries[tlb_set(va)];
}

/* Whose entry it is; TLB_NO_TAG: nobody's. */
static inline uint64_t tlb_page(const struct tlb_entry *entry) {
    uint64_t tag = entry->read_tag != TLB_NO_TAG ? entry->read_tag : entry->write_tag;
    return tag == TLB_NO_TAG ? tag : tag & ~TLB_PARKED;
}

static inline void tlb_park(struct tlb_entry *entry) {
    if (entry->read_tag != TLB_NO_TAG)
        entry->read_tag |= TLB_PARKED;
    if (entry->write_tag != TLB_NO_TAG)
        entry->write_tag |= TLB_PARKED;
}

static inline void tlb_unpark(struct tlb_entry *entry) {
    if (entry->read_tag != TLB_NO_TAG)
        entry->read_tag &= ~TLB_PARKED;
    if (entry->write_tag != TLB_NO_TAG)
        entry->write_tag &= ~TLB_PARKED;
}

/* Parked or not. */
static inline bool tlb_allows(const struct tlb_entry *entry, uint64_t page,
                              enum quire_access access) {
    uint64_t tag = access == QUIRE_ACCESS_WRITE ? entry->write_tag : entry->read_tag;
    return (tag & ~TLB_PARKED) == page;
}

/* The way of va's set that lets the access pass, parked or not. NULL: none does. */
static inline struct tlb_entry *tlb_way(struct tlb *tlb, uint64_t va, enum quire_access access) {
    uint64_t page = va & ~QUIRE_PAGE_MASK;
    struct tlb_entry *entry = tlb_slot(tlb, va), *older = tlb->older[tlb_set(va)];
    if (tlb_allows(entry, page, access))
        return entry;
    for (unsigned i = 0; i < tlb->nolder[tlb_set(va)]; i++) {
        if (tlb_allows(&older[i], page, access))
            return &older[i];
    }
    return NULL;
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
    struct tlb_entry *entry = tlb_slot(tlb, va), *older = tlb->older[tlb_set(va)];
    const struct tlb_entry *end = older + tlb->nolder[tlb_set(va)];
    if (tlb_page(entry) != va) {
        for (entry = older; entry < end && tlb_page(entry) != va; entry++)
            continue;
        if (entry == end)
            return false;
    }
    entry->read_tag = entry->write_tag = TLB_NO_TAG;
    return true;
}

static inline bool tlb_forget_large(struct tlb *tlb, uint64_t va) {
    struct tlb_large *slot = tlb_large_slot(tlb, va);
    if (slot->tag != tlb_block(tlb, va))
        return false;
    *slot = (struct tlb_large){.tag = TLB_NO_TAG};
    return true;
}

static inline void tlb_forget_between(struct tlb_entry *entry, uint64_t first, uint64_t last) {
    uint64_t page = tlb_page(entry);
    if (page >= first && page <= last)
        entry->read_tag = entry->write_tag = TLB_NO_TAG;
}

static inline bool tlb_forget_block(struct tlb *tlb, uint64_t va) {
    uint64_t first = tlb_block(tlb, va), last = first + (((uint64_t)1 << tlb->large_shift) - 1);
    for (unsigned set = 0; set < TLB_SETS; set++) {
        tlb_forget_between(&tlb->entries[set], first, last);
        for (unsigned i = 0; i < tlb->nolder[set]; i++)
            tlb_forget_between(&tlb->older[set][i], first, last);
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

/* The front way of the page's set, for its entry: the others make room. It is the page's already,
 * or to be filled at once. => page is page-aligned; pmap->tlb is the bank of the hart at work. */
struct tlb_entry *quire_tlb_front(struct quire_pmap *pmap, uint64_t page);
/* What the front way did not let pass: does another way? Or the front one, parked? Then it is at
 * the front now, a hit, and who listens is told. => access is no EXEC */
bool quire_tlb_hit(struct quire_pmap *pmap, uint64_t va, enum quire_access access, uint8_t **host);

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
