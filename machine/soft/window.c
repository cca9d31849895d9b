/* window.c: which pages programs use, to the access, at the price of a store an access.
 *
 * Who wants to know the order in which pages were last used (watch/distances.c) cannot be called at
 * each access. But a page that has its translation in the TLB was used a moment ago, and of such
 * pages it is enough to know when that was:
 *
 *      access ── TLB hit ──▶ stamp in the entry: the count that the slice has come to
 *         │
 *         └── miss, or a parked entry ──▶ page_leaves (whose slot it was, last used then)
 *                                         page_enters (this one)
 *
 * The window holds what its slots say, one for each entry of the TLB: a page stays until another
 * one takes its slot, also when its translation is forgotten in between. Who listens may have pages
 * leave early (quire_soft_window_trim). Their entries are parked then: still a hit to the machine,
 * which counts no miss, but not without coming by here.
 *
 * Stamps are counts of the present slice (cpu.h), because that is what host code has at hand. When
 * the slice or the run is over they become times: instructions since the machine began, twice.
 *
 * Each bank of the TLB has a window of its own, and only so many banks hold pages at a time: what
 * they hold together is the depth below which the listener's distances say nothing (I2).
 *
 * A parked hit comes back before the memory unit is asked, because a run may end behind a miss
 * (cpu_float.c) and must not behind a hit.
 *
 * Invariants:
 *   I1  A slot that holds a page has the time of its last use in the entry's stamp.
 *   I2  At most window.most banks hold pages, and they are those used last.
 *   I3  With a window or without one the machine does and counts the same.
 *
 * What may fail: memory of the host for a bank's window; its pages are then told each time they
 * miss, as by one without slots. Called by mmu.c, cpu*.c; audited by tests/watch/exact.c, beside a
 * list of every access.
 */
#include <stdlib.h>
#include <string.h>

#include "machine.h"

#define NO_PAGE UINT32_MAX
/* Instructions: how often, and after how many without a use, pages are told to go. A run ends up to
 * a slice late, so together they stay below QUIRE_SOFT_WINDOW_IDLE. */
#define TRIM_EVERY ((uint64_t)1 << 20)
#define TRIM_AFTER ((uint64_t)1 << 20)

struct tlb_window {
    uint64_t keys[TLB_ENTRIES];
    uint32_t numbers[TLB_ENTRIES]; /* of who listens; NO_PAGE: the slot holds nothing */
};

uint64_t quire_soft_window_now(const struct quire_machine *machine) {
    return SOFT_WINDOW_TIME | QUIRE_SOFT_TIMES * machine->counters.instructions;
}

uint32_t quire_soft_space_number(const struct quire_pmap *pmap) {
    return pmap->number;
}

static void leave(struct quire_machine *machine, struct tlb *bank, unsigned slot) {
    struct tlb_window *window = bank->window;
    uint64_t last = soft_window_time(machine, bank->entries[slot].stamp);
    uint32_t number = window->numbers[slot];
    window->numbers[slot] = NO_PAGE;
    machine->watch.page_leaves(machine->watch.context, number, last);
}

/* I3: what the entry lets pass is not forgotten. */
static void park(struct tlb_entry *entry) {
    if (entry->read_tag != TLB_NO_TAG)
        entry->read_tag |= TLB_PARKED;
    if (entry->write_tag != TLB_NO_TAG)
        entry->write_tag |= TLB_PARKED;
}

static void trim_bank(struct quire_machine *machine, struct tlb *bank, uint64_t before) {
    for (unsigned i = 0; i < TLB_ENTRIES; i++) {
        if (bank->window->numbers[i] == NO_PAGE ||
            soft_window_time(machine, bank->entries[i].stamp) >= before)
            continue;
        leave(machine, bank, i);
        park(&bank->entries[i]);
    }
}

void quire_soft_window_trim(struct quire_machine *machine, uint64_t before) {
    for (unsigned i = 0; i < machine->window.nbanks; i++)
        trim_bank(machine, machine->window.banks[i], before);
}

void quire_window_trim_idle(struct quire_machine *machine) {
    uint64_t now = machine->counters.instructions;
    if (now < machine->window.next_trim)
        return;
    machine->window.next_trim = now + TRIM_EVERY;
    if (now > TRIM_AFTER)
        quire_soft_window_trim(machine, SOFT_WINDOW_TIME | QUIRE_SOFT_TIMES * (now - TRIM_AFTER));
}

/* ---- banks --------------------------------------------------------------------------------------
 */

static bool make(struct tlb *bank) {
    bank->window = malloc(sizeof *bank->window);
    if (bank->window)
        memset(bank->window->numbers, 0xff, sizeof bank->window->numbers);
    return bank->window != NULL;
}

void quire_window_select(struct quire_machine *machine, struct tlb *bank) {
    struct soft_window *window = &machine->window;
    unsigned at = 0;
    if (window->nbanks > 0 && window->banks[0] == bank)
        return;
    if (!bank->window && !make(bank))
        return;
    window->most = machine->nharts + 1;
    while (at < window->nbanks && window->banks[at] != bank)
        at++;
    if (at == window->nbanks && window->nbanks == window->most) { /* I2 */
        at--;
        trim_bank(machine, window->banks[at], UINT64_MAX);
    } else if (at == window->nbanks) {
        window->nbanks++;
    }
    memmove(window->banks + 1, window->banks, at * sizeof window->banks[0]);
    window->banks[0] = bank;
}

void quire_window_drop_banks(struct quire_pmap *pmap) {
    struct soft_window *window = &pmap->machine->window;
    unsigned kept = 0;
    for (unsigned i = 0; i < window->nbanks; i++) {
        bool ends = false;
        for (const struct tlb *bank = &pmap->first; bank; bank = bank->next)
            ends |= bank == window->banks[i];
        if (!ends)
            window->banks[kept++] = window->banks[i];
    }
    window->nbanks = kept;
}

/* ---- pages --------------------------------------------------------------------------------------
 */

void quire_window_settle(struct quire_machine *machine) {
    if (machine->window.nbanks == 0)
        return;
    struct tlb *bank = machine->window.banks[0]; /* the only one that runs */
    for (unsigned i = 0; i < TLB_ENTRIES; i++)
        bank->entries[i].stamp = soft_window_time(machine, bank->entries[i].stamp);
}

void quire_window_enter(struct quire_pmap *pmap, uint64_t va) {
    struct quire_machine *machine = pmap->machine;
    struct tlb *bank = pmap->tlb;
    uint64_t key = soft_page_key(pmap, va), now = quire_soft_window_now(machine);
    unsigned slot = (unsigned)(tlb_slot(bank, va) - bank->entries);
    quire_window_select(machine, bank);
    struct tlb_window *window = bank->window;
    if (!window) {
        machine->watch.page_touched(machine->watch.context, key, now);
        return;
    }
    bool held = window->numbers[slot] != NO_PAGE;
    if (!held || window->keys[slot] != key) {
        if (held)
            leave(machine, bank, slot);
        window->numbers[slot] = machine->watch.page_enters(machine->watch.context, key, now);
        window->keys[slot] = key;
    }
    bank->entries[slot].stamp = now; /* I1 */
}

bool quire_window_parked(struct quire_pmap *pmap, uint64_t va, enum quire_access access,
                         uint8_t **host) {
    struct tlb_entry *slot = tlb_slot(pmap->tlb, va);
    uint64_t tag = access == QUIRE_ACCESS_WRITE ? slot->write_tag : slot->read_tag;
    if (tag != ((va & ~QUIRE_PAGE_MASK) | TLB_PARKED))
        return false;
    if (slot->read_tag != TLB_NO_TAG)
        slot->read_tag &= ~TLB_PARKED;
    if (slot->write_tag != TLB_NO_TAG)
        slot->write_tag &= ~TLB_PARKED;
    *host = (uint8_t *)(uintptr_t)(va + slot->addend);
    if (pmap->machine->window.on)
        quire_window_enter(pmap, va);
    return true;
}

void quire_soft_window_forget(struct quire_pmap *pmap, uint64_t first, uint64_t npages) {
    struct quire_machine *machine = pmap->machine;
    for (struct tlb *bank = &pmap->first; bank; bank = bank->next) {
        for (unsigned i = 0; bank->window && i < TLB_ENTRIES; i++) {
            uint64_t page = bank->window->keys[i] & (((uint64_t)1 << 36) - 1);
            if (bank->window->numbers[i] != NO_PAGE && page >= first && page - first < npages) {
                leave(machine, bank, i);
                park(&bank->entries[i]);
            }
        }
    }
}

void quire_soft_window_touch(struct quire_pmap *pmap, uint64_t va) {
    struct quire_machine *machine = pmap->machine;
    struct tlb *bank = pmap->tlb;
    uint64_t key = soft_page_key(pmap, va), now = quire_soft_window_now(machine);
    unsigned slot = (unsigned)(tlb_slot(bank, va) - bank->entries);
    if (machine->window.on && bank->window && bank->window->numbers[slot] != NO_PAGE &&
        bank->window->keys[slot] == key)
        bank->entries[slot].stamp = now;
    else if (machine->watch.page_touched)
        machine->watch.page_touched(machine->watch.context, key, now);
}
