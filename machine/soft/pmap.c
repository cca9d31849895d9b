/* pmap.c: the port's page tables: trees in simulated RAM, and what must follow each change.
 *
 * The manager says what a page shall be; this file writes it where the memory unit (mmu.c) will
 * find it, and takes back what was derived from the old entry:
 *
 *     entry changes ---> TLB entry of that page is dropped, on every hart (tlb.c)
 *                   \--> if it was executable: the processor is told that the page is stale
 *
 * Both happen only where an entry was valid before: what is not in the tables is in no TLB (I1), so
 * a fault on a fresh page pays for nothing. The last leaf table is remembered: neighbouring pages,
 * and the walk right after an enter, find their entry without descending (leaf tables live until
 * destroy or until a block of 2 MiB takes their place, which forgets it). Rejected: dropping whole
 * TLB banks for long ranges, since a bank answers for each page in O(1) anyway.
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
 *   I1  A TLB entry, large or small, of any hart, repeats a valid entry of its pmap with its
 *       accessed bit set, and lets stores pass only if that has W and its dirty bit set.
 *   I2  Table frames come from the stash or as the root, and each goes to release exactly once, or
 *       back to the stash when a block takes its place.
 *   I3  pmap->leaf is NULL or the leaf table of addresses with va >> leaf_span == leaf_key.
 *
 * What may fail: create, when the host has no memory. Called by the manager only. Audited by
 * tests/port and by quire_audit through query.
 */
#include <stdlib.h>
#include <string.h>

#include "machine.h"

static struct quire_radix tree(const struct quire_pmap *pmap) {
    const struct quire_machine *machine = pmap->machine;
    return (struct quire_radix){machine->shape.format, machine->ram,
                                quire_frame_address(pmap->root).value};
}

static const struct quire_radix_format *format_of(const struct quire_pmap *pmap) {
    return pmap->machine->shape.format;
}

static unsigned leaf_level(const struct quire_pmap *pmap) {
    return format_of(pmap)->levels - 1;
}

/* The entry of va in a table of this level. */
static void *entry_in(const struct quire_pmap *pmap, void *table, unsigned level, uint64_t va) {
    const struct quire_radix_format *format = format_of(pmap);
    return (uint8_t *)table + (radix_index(format, level, va) << format->entry_shift);
}

static void remember_leaf(struct quire_pmap *pmap, uint64_t va, void *leaf) {
    pmap->leaf = leaf;
    pmap->leaf_key = va >> pmap->machine->shape.leaf_span;
}

void *quire_pmap_descend(struct quire_pmap *pmap, uint64_t va, unsigned *order) {
    struct quire_radix radix = tree(pmap);
    unsigned level;
    void *table = quire_radix_walk(&radix, va, &level), *entry = entry_in(pmap, table, level, va);
    *order = radix_order(radix.format, level);
    if (level != leaf_level(pmap))
        return radix_maps(radix_load(radix.format, entry, 0)) ? entry : NULL;
    remember_leaf(pmap, va, table); /* I3 */
    return entry;
}

/* ---- what follows a change ------------------------------------------------------------------- */

/* All harts forget, which are several. */
static __attribute__((noinline)) void drop_everywhere(struct quire_pmap *pmap, uint64_t va,
                                                      enum tlb_reach reach) {
    struct tlb *own = quire_tlb_own(pmap);
    quire_tlb_shoot(pmap, va, reach);
    if (own && tlb_forget(own, va, reach))
        pmap->machine->counters.tlb_flushes++;
}

/* In all banks: I1. */
static inline void tlb_drop(struct quire_pmap *pmap, uint64_t va, enum tlb_reach reach) {
    if (__builtin_expect(pmap->machine->nharts > 1, 0))
        drop_everywhere(pmap, va, reach);
    else if (tlb_forget(pmap->tlb, va, reach))
        pmap->machine->counters.tlb_flushes++;
}

/* A call of the port is over. */
static void finish(struct quire_machine *machine) {
    if (__builtin_expect(machine->shot != 0, 0))
        quire_tlb_shot(machine);
}

/* => old was the valid entry of va and is not in the tables any more. */
static void forget_translation(struct quire_pmap *pmap, uint64_t va, uint64_t old) {
    if (old & RADIX_ACCESSED) /* I1: never accessed, never in the TLB, never fetched */
        tlb_drop(pmap, va, TLB_PAGE);
    if ((old & RADIX_EXEC) && (old & RADIX_ACCESSED))
        quire_code_stale(pmap, va);
}

static uint64_t block_bytes(const struct quire_pmap *pmap) {
    return (uint64_t)1 << pmap->machine->shape.leaf_span;
}

/* => old was the entry of va's block, and is not in the tables any more. */
static void forget_block(struct quire_pmap *pmap, uint64_t va, uint64_t old) {
    uint64_t first = tlb_block(pmap->tlb, va), end = first + block_bytes(pmap);
    if (!(old & RADIX_ACCESSED))
        return; /* I1 */
    tlb_drop(pmap, va, TLB_BLOCK);
    if (old & RADIX_EXEC) {
        for (uint64_t at = first; at < end; at += QUIRE_PAGE_SIZE)
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
    *large_order = machine->shape.large_order;
    return machine->shape.format->levels - 1;
}

unsigned quire_mach_pmap_root_order(struct quire_machine *machine) {
    return radix_root_order(machine->shape.format);
}

struct quire_pmap *quire_mach_pmap_create(struct quire_machine *machine, struct quire_space *space,
                                          quire_frame root) {
    struct quire_pmap *pmap = malloc(sizeof *pmap);
    if (!pmap)
        return NULL;
    memset(pmap, 0, offsetof(struct quire_pmap, first)); /* that is quire_tlb_init's */
    pmap->machine = machine;
    pmap->space = space;
    pmap->number = ++machine->npmaps;
    pmap->root = root;
    quire_tlb_init(pmap);
    uint32_t nframes = (uint32_t)1 << radix_root_order(machine->shape.format);
    for (uint32_t i = 0; i < nframes; i++)
        quire_mach_zero(machine, (quire_frame){root.number + i});
    quire_kernel_tables_share(machine, root);
    return pmap;
}

void quire_mach_pmap_destroy(struct quire_pmap *pmap, void (*release)(void *context, quire_frame),
                             void *context) {
    struct quire_machine *machine = pmap->machine;
    for (unsigned i = 0; i < SOFT_DROP_RING; i++) {
        if (machine->entered[i].pmap == pmap)
            machine->entered[i].pmap = NULL;
    }
    if (machine->window.on)
        quire_soft_window_forget(pmap, 0, UINT64_MAX);
    quire_window_drop_banks(pmap);
    if (soft_watched(machine))
        machine->watch.space_ends(machine->watch.context, pmap->space);
    quire_code_destroy(pmap);
    quire_tlb_destroy(pmap);
    struct quire_radix radix = tree(pmap);
    quire_kernel_tables_unshare(machine, pmap->root);
    quire_radix_release(&radix, release, context); /* I2 */
    free(pmap);
}

/* The entry of a page in a leaf table, which is made if need be. A block becomes a table: what the
 * small TLB bank has of it stays true. */
static void *small_entry(struct quire_pmap *pmap, uint64_t va, struct quire_stash *stash) {
    unsigned order;
    void *entry = quire_pmap_entry(pmap, va, &order);
    if (entry && order == 0)
        return entry;
    struct quire_radix radix = tree(pmap);
    void *leaf = quire_radix_grow(&radix, va, leaf_level(pmap), stash);
    SOFT_CHECK(pmap->machine, leaf); /* the stash held fewer frames than quire_mach_pmap_depth */
    if (entry)
        tlb_drop(pmap, va, TLB_LARGE);
    remember_leaf(pmap, va, leaf);
    return entry_in(pmap, leaf, leaf_level(pmap), va);
}

/* The entry of a block, with nothing in it. A table that was there goes back to the stash. */
static void *large_entry(struct quire_pmap *pmap, uint64_t va, struct quire_stash *stash) {
    struct quire_machine *machine = pmap->machine;
    unsigned level = leaf_level(pmap) - 1;
    quire_mach_pmap_remove(pmap, quire_va(va), (uint64_t)1 << machine->shape.large_order);
    struct quire_radix radix = tree(pmap);
    void *table = quire_radix_grow(&radix, va, level, stash);
    SOFT_CHECK(machine, table);
    void *entry = entry_in(pmap, table, level, va);
    uint64_t old = radix_load(radix.format, entry, 0);
    if (old & RADIX_VALID) {
        SOFT_CHECK(machine, stash->count < QUIRE_STASH_MAX);
        stash->frames[stash->count++] = radix_frame(old); /* I2 */
        if (pmap->leaf_key == va >> machine->shape.leaf_span)
            pmap->leaf = NULL; /* I3 */
    }
    radix_store(radix.format, entry, 0, 0);
    return entry;
}

void quire_mach_pmap_enter(struct quire_pmap *pmap, quire_vaddr va, quire_frame frame,
                           unsigned order, unsigned prot, struct quire_stash *stash) {
    struct quire_machine *machine = pmap->machine;
    uint32_t inside = (1u << order) - 1;
    SOFT_CHECK(machine, order == 0 || order == machine->shape.large_order);
    SOFT_CHECK(machine, va.value < machine->shape.user_limit && (va.value & QUIRE_PAGE_MASK) == 0);
    SOFT_CHECK(machine, ((va.value >> QUIRE_PAGE_SHIFT | frame.number) & inside) == 0);
    SOFT_CHECK(machine, (frame.number | inside) < machine->nframes);
    SOFT_CHECK(machine, prot != 0 && (prot << RADIX_PROT_SHIFT & ~(unsigned)RADIX_PROT) == 0);
    if (machine->one_in[QUIRE_SOFT_DROP_MAPPING] > 0)
        inject_drop(pmap, va.value);
    void *entry = order ? large_entry(pmap, va.value, stash) : small_entry(pmap, va.value, stash);
    const struct quire_radix_format *format = machine->shape.format;
    uint64_t old = radix_load(format, entry, 0);
    radix_store(format, entry, 0,
                radix_entry(frame, RADIX_VALID | RADIX_USER | (uint64_t)prot << RADIX_PROT_SHIFT));
    if (old & RADIX_VALID)
        forget_translation(pmap, va.value, old);
    finish(machine);
}

/* The block at va, of which the range has [va, stop): keep at most these permission bits. In part
 * it can't change: then it goes, unless nothing would be taken away. */
static void restrict_block(struct quire_pmap *pmap, void *entry, uint64_t va, uint64_t stop,
                           uint64_t keep) {
    const struct quire_radix_format *format = format_of(pmap);
    uint64_t old = radix_load(format, entry, 0);
    if ((old & RADIX_PROT & ~keep) == 0)
        return;
    bool whole = stop - va == block_bytes(pmap);
    radix_store(format, entry, 0,
                whole && (old & RADIX_PROT & keep) ? old & ~(RADIX_PROT & ~keep) : 0);
    forget_block(pmap, va, old);
}

static void restrict_leaf(struct quire_pmap *pmap, void *leaf, uint64_t va, uint64_t stop,
                          uint64_t keep) {
    const struct quire_radix_format *format = format_of(pmap);
    uint64_t lost = RADIX_PROT & ~keep, index = radix_index(format, leaf_level(pmap), va);
    for (; va < stop; va += QUIRE_PAGE_SIZE, index++) {
        uint64_t old = radix_load(format, leaf, index);
        if ((old & lost) == 0) /* nor has it if it is not valid: then it is 0 */
            continue;
        uint64_t left = old & ~lost;
        radix_store(format, leaf, index, left & RADIX_PROT ? left : 0);
        if (old & RADIX_ACCESSED) /* fork comes by here: most calls would do nothing */
            forget_translation(pmap, va, old);
    }
}

/* Change each valid entry of the range: keep at most these permission bits, none: remove it. */
static void restrict_range(struct quire_pmap *pmap, quire_vaddr va, uint64_t npages,
                           uint64_t keep) {
    SOFT_CHECK(pmap->machine, (va.value & QUIRE_PAGE_MASK) == 0);
    uint64_t limit = pmap->machine->shape.user_limit, span = block_bytes(pmap);
    SOFT_CHECK(pmap->machine,
               va.value <= limit && npages <= (limit - va.value) >> QUIRE_PAGE_SHIFT);
    struct quire_radix radix = tree(pmap);
    uint64_t at = va.value, end = va.value + (npages << QUIRE_PAGE_SHIFT);
    void *table;
    unsigned level;
    while ((table = quire_radix_next_table(&radix, &at, end, &level)) != NULL) {
        uint64_t leaf_end = (at | (span - 1)) + 1;
        uint64_t stop = leaf_end < end ? leaf_end : end;
        if (level == leaf_level(pmap)) {
            remember_leaf(pmap, at, table);
            restrict_leaf(pmap, table, at, stop, keep);
        } else {
            restrict_block(pmap, entry_in(pmap, table, level, at), at, stop, keep);
        }
        at = stop;
    }
    finish(pmap->machine);
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
    if (va.value >= pmap->machine->shape.user_limit)
        return;
    unsigned order;
    const void *found = quire_pmap_entry(pmap, va.value, &order);
    uint64_t bits = found ? radix_load(format_of(pmap), found, 0) : 0;
    if (!(bits & RADIX_VALID))
        return;
    entry->frame = radix_frame(bits);
    entry->frame.number += (uint32_t)(va.value >> QUIRE_PAGE_SHIFT) & ((1u << order) - 1);
    entry->order = order;
    entry->prot = (unsigned)((bits & RADIX_PROT) >> RADIX_PROT_SHIFT);
    entry->mapped = true;
    entry->referenced = (bits & RADIX_ACCESSED) != 0;
    entry->modified = (bits & RADIX_DIRTY) != 0;
}

bool quire_soft_peek(struct quire_pmap *pmap, uint64_t va, void *to, size_t nbytes) {
    struct quire_pmap_entry entry;
    uint64_t offset = va & QUIRE_PAGE_MASK;
    quire_mach_pmap_query(pmap, quire_va(va - offset), &entry);
    if (!entry.mapped || !(entry.prot & QUIRE_PROT_READ) || nbytes > QUIRE_PAGE_SIZE - offset)
        return false;
    memcpy(to, soft_host(pmap->machine, entry.frame) + offset, nbytes);
    return true;
}

bool quire_mach_pmap_harvest(struct quire_pmap *pmap, quire_vaddr va) {
    const struct soft_shape *shape = &pmap->machine->shape;
    SOFT_CHECK(pmap->machine, va.value < shape->user_limit && (va.value & QUIRE_PAGE_MASK) == 0);
    unsigned order;
    void *entry = quire_pmap_entry(pmap, va.value, &order);
    uint64_t old = entry ? radix_load(shape->format, entry, 0) : 0;
    if (!(old & RADIX_VALID) || !(old & RADIX_ACCESSED))
        return false;
    radix_store(shape->format, entry, 0, old & ~(uint64_t)RADIX_ACCESSED);
    if (order > 0)
        forget_block(pmap, va.value, old);
    else
        forget_translation(pmap, va.value, old);
    finish(pmap->machine);
    return true;
}
