/* pmap.c: the port's page tables: Sv48 trees in simulated RAM, and what must follow each change.
 *
 * The manager says what a page shall be; this file writes it where the memory unit (mmu.c) will
 * find it, and takes back what was derived from the old entry:
 *
 *     entry changes ---> TLB entry of that page is dropped
 *                   \--> if it was executable: the processor is told that the page is stale
 *
 * Both happen only where an entry was valid before: what is not in the tables is in no TLB (I1), so
 * a fault on a fresh page pays for nothing. The last leaf table is remembered: neighbouring pages,
 * and the walk right after an enter, find their entry without descending (leaf tables live until
 * destroy or until a block of 2 MiB takes their place, which forgets it). Rejected: dropping whole
 * TLB banks for long ranges, since a direct-mapped bank answers for each page in O(1) anyway.
 *
 * Blocks of 2 MiB are entries of the level above. One that has to change in part is forgotten
 * whole, as the law allows, because making a table of it takes a frame, which only enter has; there
 * it becomes a table that maps the same.
 *
 * A mapping may be write-only or execute-only: "exactly prot" is the port's word. W without R is a
 * reserved encoding of the RISC-V manual; this memory unit takes it literally, so that forgetting a
 * mapping can never change what a program may do.
 *
 * Invariants:
 *   I1  A TLB entry, large or small, repeats a valid entry of its pmap with its accessed bit set,
 * and lets stores pass only if that has W and its dirty bit set. I2  Table frames come from the
 * stash or as the root, and each goes to release exactly once, or back to the stash when a block
 * takes its place. I3  pmap->leaf is NULL or the leaf table of addresses with va >> LEAF_SPAN ==
 * leaf_key.
 *
 * What may fail: create, when the host has no memory. Called by the manager only. Audited by
 * tests/port and by quire_audit through query.
 */
#include <stdlib.h>
#include <string.h>

#include "../radix/radix.h"
#include "machine.h"

/* Sv48 but for the size of leaf tables: see SOFT_LEAF_BITS. */
static const struct quire_radix_format small_leaves = {
    .name = "9/9/9/small",
    .levels = 4,
    .bits = {9, 9, 9, SOFT_LEAF_BITS},
    .shift = {30 + SOFT_LEAF_BITS, 21 + SOFT_LEAF_BITS, 12 + SOFT_LEAF_BITS, 12},
    .entry_shift = 3,
    .user_bits = 38 + SOFT_LEAF_BITS,
    .leaf_levels = 0xC,
};
#define FORMAT (SOFT_LEAF_BITS == 9 ? &quire_radix_sv48 : &small_leaves)
/* A leaf table covers 2^LEAF_SPAN bytes: 512 pages. */
#define LEAF_SPAN    (QUIRE_PAGE_SHIFT + SOFT_LEAF_BITS)
#define LEAF_ENTRIES (1u << SOFT_LEAF_BITS)
#define LEAF_LEVEL   (FORMAT->levels - 1)
#define LARGE_LEVEL  (FORMAT->levels - 2) /* an entry here covers 2^LEAF_SPAN bytes */
#define LARGE_BYTES  ((uint64_t)1 << LEAF_SPAN)

static struct quire_radix tree(const struct quire_pmap *pmap) {
    return (struct quire_radix){FORMAT, pmap->machine->ram, quire_frame_address(pmap->root).value};
}

static uint64_t leaf_index(uint64_t va) {
    return (va >> QUIRE_PAGE_SHIFT) & (LEAF_ENTRIES - 1);
}

static void remember_leaf(struct quire_pmap *pmap, uint64_t va, void *leaf) {
    pmap->leaf = leaf;
    pmap->leaf_key = va >> LEAF_SPAN;
}

uint64_t *quire_pmap_descend(struct quire_pmap *pmap, uint64_t va, unsigned *order) {
    struct quire_radix radix = tree(pmap);
    unsigned level;
    void *table = quire_radix_walk(&radix, va, &level);
    *order = 0;
    if (level == LARGE_LEVEL) {
        uint64_t *entry = (uint64_t *)table + radix_index(FORMAT, level, va);
        *order = SOFT_LARGE_ORDER;
        return radix_maps(*entry) ? entry : NULL;
    }
    if (level != LEAF_LEVEL)
        return NULL;
    remember_leaf(pmap, va, table); /* I3 */
    return (uint64_t *)table + leaf_index(va);
}

/* ---- what follows a change ------------------------------------------------------------------- */

static void tlb_drop(struct quire_pmap *pmap, uint64_t va) {
    struct tlb_entry *slot = tlb_slot(&pmap->tlb, va);
    if (slot->read_tag != va && slot->write_tag != va)
        return;
    slot->read_tag = slot->write_tag = TLB_NO_TAG;
    pmap->machine->counters.tlb_flushes++;
}

/* => old was the valid entry of va and is not in the tables any more. */
static void forget_translation(struct quire_pmap *pmap, uint64_t va, uint64_t old) {
    if (old & RADIX_ACCESSED) /* I1: never accessed, never in the TLB, never fetched */
        tlb_drop(pmap, va);
    if ((old & RADIX_EXEC) && (old & RADIX_ACCESSED))
        quire_code_stale(pmap, va);
}

/* The large TLB entry of va's block. What the small bank has of it may stay only if tables still
 * say so. */
static void tlb_drop_large(struct quire_pmap *pmap, uint64_t va) {
    struct tlb_large *slot = tlb_large_slot(&pmap->tlb, va);
    if (slot->tag != va >> LEAF_SPAN << LEAF_SPAN)
        return;
    *slot = (struct tlb_large){.tag = TLB_NO_TAG};
    pmap->machine->counters.tlb_flushes++;
}

/* => old was the entry of va's block, and is not in the tables any more. */
static void forget_block(struct quire_pmap *pmap, uint64_t va, uint64_t old) {
    uint64_t first = va >> LEAF_SPAN << LEAF_SPAN;
    if (!(old & RADIX_ACCESSED))
        return; /* I1 */
    tlb_drop_large(pmap, va);
    for (unsigned i = 0; i < TLB_ENTRIES; i++) {
        struct tlb_entry *slot = &pmap->tlb.entries[i];
        uint64_t tag = slot->read_tag != TLB_NO_TAG ? slot->read_tag : slot->write_tag;
        if (tag != TLB_NO_TAG && tag >> LEAF_SPAN == first >> LEAF_SPAN)
            slot->read_tag = slot->write_tag = TLB_NO_TAG;
    }
    if (old & RADIX_EXEC) {
        for (uint64_t at = first; at < first + LARGE_BYTES; at += QUIRE_PAGE_SIZE)
            quire_code_stale(pmap, at);
    }
}

/* ---- injection: mappings that vanish --------------------------------------------------------- */

static void forget_one(struct quire_machine *machine) {
    uint64_t choice = quire_inject_draw(machine, QUIRE_SOFT_DROP_MAPPING, SOFT_DROP_RING);
    struct soft_mapping *victim = &machine->entered[choice];
    if (!victim->pmap)
        return;
    quire_mach_pmap_remove(victim->pmap, quire_va(victim->va), 1);
    victim->pmap = NULL;
}

/* Called at each enter, before it: the law says that nothing but the count of faults may change. */
static void inject_drop(struct quire_pmap *pmap, uint64_t va) {
    struct quire_machine *machine = pmap->machine;
    if (quire_inject_now(machine, QUIRE_SOFT_DROP_MAPPING))
        forget_one(machine);
    machine->entered[machine->entered_count++ & (SOFT_DROP_RING - 1)] =
        (struct soft_mapping){pmap, va};
}

/* ---- the port -------------------------------------------------------------------------------- */

unsigned quire_mach_pmap_depth(struct quire_machine *machine, unsigned *large_order) {
    (void)machine;
    *large_order = SOFT_LARGE_ORDER;
    return FORMAT->levels - 1;
}

struct quire_pmap *quire_mach_pmap_create(struct quire_machine *machine, struct quire_space *space,
                                          quire_frame root) {
    struct quire_pmap *pmap = calloc(1, sizeof *pmap);
    if (!pmap)
        return NULL;
    pmap->machine = machine;
    pmap->space = space;
    pmap->root = root;
    for (unsigned i = 0; i < TLB_ENTRIES; i++)
        pmap->tlb.entries[i] = (struct tlb_entry){TLB_NO_TAG, TLB_NO_TAG, 0};
    for (unsigned i = 0; i < TLB_LARGE_ENTRIES; i++)
        pmap->tlb.large[i] = (struct tlb_large){.tag = TLB_NO_TAG};
    quire_mach_zero(machine, root);
    return pmap;
}

void quire_mach_pmap_destroy(struct quire_pmap *pmap, void (*release)(void *context, quire_frame),
                             void *context) {
    struct quire_machine *machine = pmap->machine;
    for (unsigned i = 0; i < SOFT_DROP_RING; i++) {
        if (machine->entered[i].pmap == pmap)
            machine->entered[i].pmap = NULL;
    }
    quire_code_destroy(pmap);
    struct quire_radix radix = tree(pmap);
    quire_radix_release(&radix, release, context); /* I2 */
    free(pmap);
}

/* The entry of a page in a leaf table, which is made if need be. A block becomes a table: what the
 * small TLB bank has of it stays true. */
static uint64_t *small_entry(struct quire_pmap *pmap, uint64_t va, struct quire_stash *stash) {
    unsigned order;
    uint64_t *entry = quire_pmap_entry(pmap, va, &order);
    if (entry && order == 0)
        return entry;
    struct quire_radix radix = tree(pmap);
    void *leaf = quire_radix_grow(&radix, va, LEAF_LEVEL, stash);
    SOFT_CHECK(pmap->machine, leaf); /* the stash held fewer frames than quire_mach_pmap_depth */
    if (entry)
        tlb_drop_large(pmap, va);
    remember_leaf(pmap, va, leaf);
    return (uint64_t *)leaf + leaf_index(va);
}

/* The entry of a block, with nothing in it. A table that was there goes back to the stash. */
static uint64_t *large_entry(struct quire_pmap *pmap, uint64_t va, struct quire_stash *stash) {
    struct quire_machine *machine = pmap->machine;
    quire_mach_pmap_remove(pmap, quire_va(va), LEAF_ENTRIES);
    struct quire_radix radix = tree(pmap);
    uint64_t *table = quire_radix_grow(&radix, va, LARGE_LEVEL, stash);
    SOFT_CHECK(machine, table);
    uint64_t *entry = table + radix_index(FORMAT, LARGE_LEVEL, va);
    if (*entry & RADIX_VALID) {
        SOFT_CHECK(machine, stash->count < QUIRE_STASH_MAX);
        stash->frames[stash->count++] = radix_frame(*entry); /* I2 */
        if (pmap->leaf_key == va >> LEAF_SPAN)
            pmap->leaf = NULL; /* I3 */
    }
    *entry = 0;
    return entry;
}

void quire_mach_pmap_enter(struct quire_pmap *pmap, quire_vaddr va, quire_frame frame,
                           unsigned order, unsigned prot, struct quire_stash *stash) {
    struct quire_machine *machine = pmap->machine;
    uint32_t inside = (1u << order) - 1;
    SOFT_CHECK(machine, order == 0 || order == SOFT_LARGE_ORDER);
    SOFT_CHECK(machine, va.value < SOFT_USER_LIMIT && (va.value & QUIRE_PAGE_MASK) == 0);
    SOFT_CHECK(machine, ((va.value >> QUIRE_PAGE_SHIFT | frame.number) & inside) == 0);
    SOFT_CHECK(machine, (frame.number | inside) < machine->nframes);
    SOFT_CHECK(machine, prot != 0 && (prot << RADIX_PROT_SHIFT & ~(unsigned)RADIX_PROT) == 0);
    if (machine->one_in[QUIRE_SOFT_DROP_MAPPING] > 0)
        inject_drop(pmap, va.value);
    uint64_t *entry =
        order ? large_entry(pmap, va.value, stash) : small_entry(pmap, va.value, stash);
    uint64_t old = *entry;
    *entry = radix_entry(frame, RADIX_VALID | RADIX_USER | (uint64_t)prot << RADIX_PROT_SHIFT);
    if (old & RADIX_VALID)
        forget_translation(pmap, va.value, old);
}

/* The block at va, of which the range has [va, stop): keep at most these permission bits. In part
 * it can't change: then it goes, unless nothing would be taken away. */
static void restrict_block(struct quire_pmap *pmap, uint64_t *entry, uint64_t va, uint64_t stop,
                           uint64_t keep) {
    uint64_t old = *entry;
    if ((old & RADIX_PROT & ~keep) == 0)
        return;
    bool whole = stop - va == LARGE_BYTES;
    *entry = whole && (old & RADIX_PROT & keep) ? old & ~(RADIX_PROT & ~keep) : 0;
    forget_block(pmap, va, old);
}

static void restrict_leaf(struct quire_pmap *pmap, uint64_t *leaf, uint64_t va, uint64_t stop,
                          uint64_t keep) {
    uint64_t lost = RADIX_PROT & ~keep, *entry = leaf + leaf_index(va);
    for (; va < stop; va += QUIRE_PAGE_SIZE, entry++) {
        uint64_t old = *entry;
        if ((old & lost) == 0) /* nor has it if it is not valid: then it is 0 */
            continue;
        uint64_t left = old & ~lost;
        *entry = left & RADIX_PROT ? left : 0;
        if (old & RADIX_ACCESSED) /* fork comes by here: most calls would do nothing */
            forget_translation(pmap, va, old);
    }
}

/* Change each valid entry of the range: keep at most these permission bits, none: remove it. */
static void restrict_range(struct quire_pmap *pmap, quire_vaddr va, uint64_t npages,
                           uint64_t keep) {
    SOFT_CHECK(pmap->machine, (va.value & QUIRE_PAGE_MASK) == 0);
    SOFT_CHECK(pmap->machine, va.value <= SOFT_USER_LIMIT &&
                                  npages <= (SOFT_USER_LIMIT - va.value) >> QUIRE_PAGE_SHIFT);
    struct quire_radix radix = tree(pmap);
    uint64_t at = va.value, end = va.value + (npages << QUIRE_PAGE_SHIFT);
    uint64_t *table;
    unsigned level;
    while ((table = quire_radix_next_table(&radix, &at, end, &level)) != NULL) {
        uint64_t leaf_end = ((at >> LEAF_SPAN) + 1) << LEAF_SPAN;
        uint64_t stop = leaf_end < end ? leaf_end : end;
        if (level == LEAF_LEVEL) {
            remember_leaf(pmap, at, table);
            restrict_leaf(pmap, table, at, stop, keep);
        } else {
            restrict_block(pmap, table + radix_index(FORMAT, level, at), at, stop, keep);
        }
        at = stop;
    }
}

void quire_mach_pmap_remove(struct quire_pmap *pmap, quire_vaddr va, uint64_t npages) {
    restrict_range(pmap, va, npages, 0);
}

void quire_mach_pmap_protect(struct quire_pmap *pmap, quire_vaddr va, uint64_t npages,
                             unsigned prot) {
    restrict_range(pmap, va, npages, (uint64_t)prot << RADIX_PROT_SHIFT & RADIX_PROT);
}

void quire_mach_pmap_query(struct quire_pmap *pmap, quire_vaddr va,
                           struct quire_pmap_entry *entry) {
    *entry = (struct quire_pmap_entry){.frame = QUIRE_FRAME_NONE};
    if (va.value >= SOFT_USER_LIMIT)
        return;
    unsigned order;
    const uint64_t *found = quire_pmap_entry(pmap, va.value, &order);
    if (!found || !(*found & RADIX_VALID))
        return;
    entry->frame = radix_frame(*found);
    entry->frame.number += (uint32_t)(va.value >> QUIRE_PAGE_SHIFT) & ((1u << order) - 1);
    entry->order = order;
    entry->prot = (unsigned)((*found & RADIX_PROT) >> RADIX_PROT_SHIFT);
    entry->mapped = true;
    entry->referenced = (*found & RADIX_ACCESSED) != 0;
    entry->modified = (*found & RADIX_DIRTY) != 0;
}

bool quire_mach_pmap_harvest(struct quire_pmap *pmap, quire_vaddr va) {
    SOFT_CHECK(pmap->machine, va.value < SOFT_USER_LIMIT && (va.value & QUIRE_PAGE_MASK) == 0);
    unsigned order;
    uint64_t *entry = quire_pmap_entry(pmap, va.value, &order);
    if (!entry || !(*entry & RADIX_VALID) || !(*entry & RADIX_ACCESSED))
        return false;
    uint64_t old = *entry;
    *entry = old & ~(uint64_t)RADIX_ACCESSED;
    if (order > 0)
        forget_block(pmap, va.value, old);
    else
        forget_translation(pmap, va.value, old);
    return true;
}
