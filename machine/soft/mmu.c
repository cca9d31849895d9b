/* mmu.c: the memory unit's slow path: what happens when the TLB has no answer.
 *
 *     quire_mmu_access(va, access)
 *        another way of its set -- yes: bring it to the front, done (no miss)
 *            | no
 *        a large TLB entry ------- yes: fill the small one, done (no miss)
 *            | no
 *        walk the tables ---- entry allows it? ---- yes: set A (and D), fill the TLB, done
 *            ^                     | no
 *            |                quire_fault ---- an error: the program's, done
 *            |                     | OK
 *            '---- quire_tick, once an access, if it is due
 *
 * The dirty bit is set by the walk of a store, and a store passes the TLB only where it is set, as
 * in hardware. Tables say no more than the manager told them, so every refusal is first a fault:
 * only the manager knows whether it is an error.
 *
 * The tick comes before the walk: it may evict anything, also the page that was just brought in,
 * and then the loop goes round once more. At most one tick an access, so the loop ends (I2).
 *
 * Invariants:
 *   I1  A TLB entry, small or large, is filled from a valid leaf entry with A set; it lets stores
 *       pass only with W and D.
 *   I2  An access ends after RETRIES_MAX resolved faults: the manager promised that the access can
 *       be tried again on QUIRE_OK, and mappings that vanish on purpose (inject.c) are others.
 *
 * What may fail: the access itself. Called by the processor, and by tests in its place.
 */
#include <quire/quire.h>
#include <quire/space.h>

#include "machine.h"
#include "walk.h"

/* Fault, tick evicts it, fault again: two are normal. A hundred is a manager that lies. */
#define RETRIES_MAX 100

/* The bits that an access needs to have in the entry. */
static uint64_t needed_bits(enum quire_access access) {
    return RADIX_VALID | RADIX_USER | (uint64_t)access << RADIX_PROT_SHIFT;
}

/* I1: a store may pass only where D is set; the walk of a later store sets it and comes here again.
 */
static void fill_tlb(struct quire_pmap *pmap, uint64_t page, uint64_t entry, const uint8_t *host) {
    struct tlb_entry *slot = quire_tlb_front(pmap, page);
    bool stores = (entry & RADIX_WRITE) && (entry & RADIX_DIRTY);
    slot->read_tag = entry & RADIX_READ ? page : TLB_NO_TAG;
    slot->write_tag = stores ? page : TLB_NO_TAG;
    slot->addend = (uintptr_t)host - (uintptr_t)page;
}

/* I1, for the block that the entry maps; page is one of it. */
static void fill_large(struct quire_pmap *pmap, uint64_t page, uint64_t entry,
                       const uint8_t *host) {
    struct tlb_large *slot = tlb_large_slot(pmap->tlb, page);
    slot->tag = tlb_block(pmap->tlb, page);
    slot->loads = entry & RADIX_READ;
    slot->stores = (entry & RADIX_WRITE) && (entry & RADIX_DIRTY);
    slot->addend = (uintptr_t)host - (uintptr_t)page;
    pmap->machine->counters.tlb_large_fills++;
}

/* The bank of large entries: fill the small slot of this page from it. */
static bool large_hit(struct quire_pmap *pmap, uint64_t va, enum quire_access access,
                      uint8_t **host) {
    const struct tlb_large *large = tlb_large_slot(pmap->tlb, va);
    uint64_t page = va & ~QUIRE_PAGE_MASK;
    if (large->tag != tlb_block(pmap->tlb, va) ||
        !(access == QUIRE_ACCESS_WRITE ? large->stores : large->loads))
        return false;
    struct tlb_entry *slot = quire_tlb_front(pmap, page);
    slot->read_tag = large->loads ? page : TLB_NO_TAG;
    slot->write_tag = large->stores ? page : TLB_NO_TAG;
    slot->addend = large->addend;
    *host = (uint8_t *)(uintptr_t)(va + large->addend);
    pmap->machine->counters.tlb_large_hits++;
    return true;
}

/* The access was done: who wants to know is told. */
static inline void tell_window(struct quire_pmap *pmap, uint64_t va, enum quire_access access) {
    if (__builtin_expect(!pmap->machine->every, 1))
        return;
    if (access == QUIRE_ACCESS_EXEC)
        quire_soft_window_touch(pmap, va);
    else if (pmap->machine->window.on)
        quire_window_enter(pmap, va);
}

/* The entry's use: its bits are set, the TLB filled. => it allows the access */
static uint8_t *use_entry(struct quire_pmap *pmap, uint64_t va, enum quire_access access,
                          void *entry, unsigned order) {
    const struct quire_radix_format *format = pmap->machine->shape.format;
    uint64_t page = va & ~QUIRE_PAGE_MASK;
    uint64_t bits = radix_load(format, entry, 0) | RADIX_ACCESSED |
                    (access == QUIRE_ACCESS_WRITE ? RADIX_DIRTY : 0);
    quire_frame frame = radix_frame(bits);
    radix_store(format, entry, 0, bits);
    frame.number += (uint32_t)(va >> QUIRE_PAGE_SHIFT) & ((1u << order) - 1);
    uint8_t *host = soft_host(pmap->machine, frame);
    if (access != QUIRE_ACCESS_EXEC) {
        fill_tlb(pmap, page, bits, host);
        if (order > 0)
            fill_large(pmap, page, bits, host);
    }
    return host + (va & QUIRE_PAGE_MASK);
}

/* The walk: the entry of va, NULL where the tables do not allow the access. */
static void *walk(struct quire_pmap *pmap, uint64_t va, uint64_t needed, unsigned *order) {
    const struct soft_shape *shape = &pmap->machine->shape;
    if (va >= shape->user_limit)
        return NULL;
    void *entry = quire_pmap_entry(pmap, va, order);
    return entry && (radix_load(shape->format, entry, 0) & needed) == needed ? entry : NULL;
}

enum quire_status quire_mmu_kernel_access(struct quire_pmap *pmap, uint64_t va,
                                          enum quire_access access, uint8_t **host) {
    struct quire_machine *machine = pmap->machine;
    const struct quire_radix_format *format = machine->shape.format;
    struct quire_walk walk;
    if (va < machine->shape.user_limit)
        return quire_mmu_access(pmap, va, access, host);
    quire_soft_walk(pmap, va, access, true, false, &walk);
    if (walk.fault != QUIRE_WALK_OK || walk.physical >= machine->config.ram_bytes)
        return QUIRE_FAULT;
    const struct quire_walk_step *leaf = &walk.steps[walk.nsteps - 2]; /* the last is the datum */
    uint64_t bits = RADIX_ACCESSED | (access == QUIRE_ACCESS_WRITE ? RADIX_DIRTY : 0);
    radix_store(format, machine->ram + leaf->at, 0, leaf->value | bits);
    *host = machine->ram + walk.physical;
    return QUIRE_OK;
}

/* quire_fault, between two calls of who watches. */
static enum quire_status fault(struct quire_pmap *pmap, uint64_t va, enum quire_access access,
                               const struct quire_soft_access *seen) {
    struct quire_machine *machine = pmap->machine;
    if (!soft_watched(machine))
        return quire_fault(pmap->space, quire_va(va), access);
    machine->watch.fault_begins(machine->watch.context);
    enum quire_status status = quire_fault(pmap->space, quire_va(va), access);
    if (status != QUIRE_KILLED) /* else the space may be gone */
        machine->watch.fault_ends(machine->watch.context, seen);
    return status;
}

enum quire_status quire_mmu_miss(struct quire_pmap *pmap, uint64_t va, enum quire_access access,
                                 uint8_t **host) {
    struct quire_machine *machine = pmap->machine;
    uint64_t needed = needed_bits(access);
    void *entry;
    unsigned order, attempts = 0;
    bool ticked = false;
    if (access != QUIRE_ACCESS_EXEC && large_hit(pmap, va, access, host)) {
        tell_window(pmap, va, access);
        return QUIRE_OK;
    }
    machine->counters.tlb_misses++;
    struct quire_soft_access seen = {pmap->space, va, access, machine->watched_pc,
                                     machine->watched_x};
    if (soft_watched(machine))
        machine->watch.missed(machine->watch.context, &seen);
    while (!(entry = walk(pmap, va, needed, &order))) {
        SOFT_CHECK(machine, attempts++ <= RETRIES_MAX); /* I2: a resolved fault leaves a mapping */
        machine->counters.faults++;
        machine->counters.fault_ns += machine->config.fault_ns;
        quire_soft_charge(machine, machine->config.fault_ns);
        enum quire_status status = fault(pmap, va, access, &seen);
        if (status != QUIRE_OK)
            return status;
        if (!ticked)
            ticked = quire_soft_tick_if_due(machine, quire_space_system(pmap->space));
    }
    *host = use_entry(pmap, va, access, entry, order);
    tell_window(pmap, va, access);
    return QUIRE_OK;
}

/* Fetches have the cache of decoded blocks for a TLB: code.c. */
enum quire_status quire_mmu_access(struct quire_pmap *pmap, uint64_t va, enum quire_access access,
                                   uint8_t **host) {
    if (access != QUIRE_ACCESS_EXEC && quire_tlb_hit(pmap, va, access, host))
        return QUIRE_OK;
    return quire_mmu_miss(pmap, va, access, host);
}
