/* tlb.c: which hart's TLB remembers what of a space, and shootdowns.
 *
 *     pmap->first --> bank of hart 2 --> bank of hart 0        (pmap->tlb: the one in use now)
 *
 * A space has one bank for each hart that it ran on, made when it first runs there. The list is
 * what Linux calls mm_cpumask: a change of a mapping is told to these harts and to no others. The
 * first bank is part of the pmap and belongs to whoever comes first, so that with one hart, and for
 * most processes with many, there is nothing to make.
 *
 * A shootdown costs the hart that asks for it: it interrupts the others and waits for their answer.
 * The others' time is not charged. A call of the port is one shootdown however many pages it
 * changes, as Linux gathers them (struct mmu_gather). The harts cannot know what is in each other's
 * TLBs, so all are told that the page may be in; that is also what is counted.
 *
 * Rejected: a generation for each space, looked at when a hart takes its turn, and the bank emptied
 * if it is old. It is lazier, but one unmapped page would cost every hart all it remembers.
 *
 * A set in order of use, and what happens to it when page x comes (quire_tlb_front):
 *
 *     front | older[0] older[1] older[2]        x was older[1]:  x | front older[0] older[2]
 *                                               x is new:        x | front older[0] older[1]
 *
 * An entry that was forgotten on the way leaves a gap, which is the first to be filled.
 *
 * Invariants:
 *   I1  No two banks of a pmap belong to the same hart.
 *   I2  A bank has entries only of a space that ran on its hart: others need not be told.
 *   I3  A page has at most one entry in its set.
 *
 * What may fail: making a bank, when the host has no memory. Called by pmap.c (changes), cpu.c (the
 * space runs) and tests in its place. Audited by tests/port and, with shootdowns left out on
 * purpose, by tests/sim.
 */
#include <stdlib.h>
#include <string.h>

#include "machine.h"

/* ---- sets ------------------------------------------------------------------------------------ */

struct tlb_entry *quire_tlb_front(struct quire_pmap *pmap, uint64_t page) {
    struct tlb *tlb = pmap->tlb;
    struct tlb_entry *front = tlb_slot(tlb, page), *older = tlb->older[tlb_set(page)];
    uint8_t *nolder = &tlb->nolder[tlb_set(page)];
    unsigned goes = *nolder;
    bool known = false;
    if (tlb_page(front) == page) /* I3 */
        return front;
    for (unsigned i = *nolder; i-- > 0 && !known;) {
        uint64_t has = tlb_page(&older[i]);
        known = has == page;
        if (known || has == TLB_NO_TAG)
            goes = i;
    }
    if (!known && tlb_page(front) == TLB_NO_TAG)
        return front;
    if (goes == TLB_WAYS - 1)
        goes--;
    else if (goes == *nolder)
        ++*nolder;
    if (__builtin_expect(pmap->machine->window.on, 0))
        quire_window_shift(pmap, page, goes);
    for (unsigned i = goes; i > 0; i--)
        older[i] = older[i - 1];
    older[0] = *front;
    return front;
}

bool quire_tlb_hit(struct quire_pmap *pmap, uint64_t va, enum quire_access access, uint8_t **host) {
    struct tlb_entry *front = tlb_slot(pmap->tlb, va);
    const struct tlb_entry *way = tlb_way(pmap->tlb, va, access);
    if (!way)
        return false;
    if (way != front) {
        struct tlb_entry entry = *way;
        *quire_tlb_front(pmap, va & ~QUIRE_PAGE_MASK) = entry;
    }
    tlb_unpark(front);
    if (__builtin_expect(pmap->machine->window.on, 0))
        quire_window_enter(pmap, va);
    *host = (uint8_t *)(uintptr_t)(va + front->addend);
    return true;
}

/* ---- banks ----------------------------------------------------------------------------------- */

static void clear(const struct quire_machine *machine, struct tlb *tlb, unsigned hart) {
    for (unsigned i = 0; i < TLB_SETS; i++)
        tlb->entries[i] = (struct tlb_entry){TLB_NO_TAG, TLB_NO_TAG, 0, 0};
    memset(tlb->nolder, 0, sizeof tlb->nolder);
    for (unsigned i = 0; i < TLB_LARGE_ENTRIES; i++)
        tlb->large[i] = (struct tlb_large){.tag = TLB_NO_TAG};
    tlb->large_shift = machine->shape.leaf_span;
    tlb->hart = hart;
    tlb->next = NULL;
    tlb->window = NULL;
}

void quire_tlb_init(struct quire_pmap *pmap) {
    clear(pmap->machine, &pmap->first, TLB_NO_HART);
    pmap->tlb = &pmap->first;
}

void quire_tlb_destroy(struct quire_pmap *pmap) {
    while (pmap->first.next) {
        struct tlb *bank = pmap->first.next;
        pmap->first.next = bank->next;
        free(bank->window);
        free(bank);
    }
    free(pmap->first.window);
}

struct tlb *quire_tlb_own(struct quire_pmap *pmap) {
    struct tlb *bank = &pmap->first;
    while (bank && bank->hart != pmap->machine->hart)
        bank = bank->next;
    return bank;
}

bool quire_tlb_select(struct quire_pmap *pmap) {
    unsigned hart = pmap->machine->hart;
    if (pmap->tlb->hart == hart)
        return true;
    struct tlb *bank = quire_tlb_own(pmap);
    if (!bank && pmap->first.hart == TLB_NO_HART) {
        bank = &pmap->first;
        bank->hart = hart;
    }
    if (!bank) {
        bank = malloc(sizeof *bank);
        if (!bank)
            return false;
        clear(pmap->machine, bank, hart); /* I1 */
        bank->next = pmap->first.next;
        pmap->first.next = bank;
    }
    pmap->tlb = bank;
    return true;
}

void quire_tlb_shoot(struct quire_pmap *pmap, uint64_t va, enum tlb_reach reach) {
    struct quire_machine *machine = pmap->machine;
    for (struct tlb *bank = &pmap->first; bank; bank = bank->next) {
        if (bank->hart == machine->hart || bank->hart == TLB_NO_HART)
            continue;
        tlb_forget(bank, va, reach);
        machine->shot |= UINT64_C(1) << bank->hart;
    }
}

void quire_tlb_shot(struct quire_machine *machine) {
    uint64_t told = 0;
    for (; machine->shot; machine->shot &= machine->shot - 1)
        told++;
    machine->counters.tlb_shootdowns++;
    machine->counters.tlb_shootdowns_received += told;
    if (!machine->in_tick) /* in background work nobody waits */
        quire_soft_charge(machine, machine->config.shootdown_ns +
                                       (told - 1) * machine->config.shootdown_hart_ns);
}
