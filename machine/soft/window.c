/* window.c: which pages programs use, to the access, at the price of a store an access.
 *
 * Who wants to know the order in which pages were last used (watch/distances.c) cannot be called at
 * each access. But a page that has its translation in the TLB was used a moment ago, and of such
 * pages it is enough to know when that was:
 *
 *      access ── TLB hit ──▶ stamp in the entry: the count that the slice has come to
 *         │
 *         └── miss, or a parked entry ──▶ page_leaves (whose entry went, last used then)
 *                                         page_enters (this one)
 *
 * The window holds what its slots say, one for each entry of the TLB, and a slot goes with its
 * entry from way to way (quire_window_shift). A page stays until its entry falls off the end of its
 * set, also when its translation is forgotten in between. Who listens may have pages leave early
 * (quire_soft_window_trim). Their entries are parked then: still a hit to the machine, which counts
 * no miss, but not without coming by here.
 *
 * Stamps are counts of the present slice (cpu.h), because that is what host code has at hand. When
 * an entry goes behind the front, or the slice or the run is over, they become times: instructions
 * since the machine began, twice.
 *
 * Each bank of the TLB has a window of its own, and only so many banks hold pages at a time. What
 * they hold together is the depth below which the listener's distances say nothing, so it is far
 * less than the TLB has entries for: beyond that, those used longest ago leave early (I2).
 *
 * A parked hit comes back before the memory unit is asked, because a run may end behind a miss
 * (cpu_float.c) and must not behind a hit.
 *
 * Invariants:
 *   I1  A slot that holds a page has the time of its last use in the entry's stamp. Only stamps of
 *       front ways are counts.
 *   I2  At most window.most banks hold pages, and they are those used last; together they hold at
 *       most HELD_OF_A_BANK for each, and window.held says how many.
 *   I3  With a window or without one the machine does and counts the same.
 *   I4  No two pages that are held were last used at the same time. So what has the time of others
 *       is told at once and not held: all that a system call copies, and the fetch of an
 *       instruction that uses a page.
 *
 * What may fail: memory of the host for a bank's window; its pages are then told each time they
 * miss, as by one without slots. Called by tlb.c, mmu.c, cpu*.c; audited by tests/watch/exact.c,
 * beside a list of every access.
 */
#include <stdlib.h>
#include <string.h>

#include "machine.h"

#define NO_PAGE UINT32_MAX
/* Instructions: how often, and after how many without a use, pages are told to go. A run ends up to
 * a slice late, so together they stay below QUIRE_SOFT_WINDOW_IDLE. */
#define TRIM_EVERY ((uint64_t)1 << 20)
#define TRIM_AFTER ((uint64_t)1 << 20)
/* Pages. More would spare events, and the curves would begin at a larger size of RAM. */
#define HELD_OF_A_BANK 256u

struct slot {
    uint64_t key;
    uint32_t number; /* of who listens; NO_PAGE: the slot holds nothing */
};

struct tlb_window {
    struct slot slots[TLB_SETS][TLB_WAYS]; /* the front way first, as in the TLB */
};

uint64_t quire_soft_window_now(const struct quire_machine *machine) {
    return SOFT_WINDOW_TIME | QUIRE_SOFT_TIMES * machine->counters.instructions;
}

uint32_t quire_soft_space_number(const struct quire_pmap *pmap) {
    return pmap->number;
}

static struct tlb_entry *entry_of(struct tlb *bank, unsigned set, unsigned way) {
    return way == 0 ? &bank->entries[set] : &bank->older[set][way - 1];
}

static void leave(struct quire_machine *machine, struct slot *slot, const struct tlb_entry *entry) {
    uint32_t number = slot->number;
    slot->number = NO_PAGE;
    machine->window.held--;
    machine->watch.page_leaves(machine->watch.context, number,
                               soft_window_time(machine, entry->stamp));
}

/* I3: what the entry lets pass is not forgotten. */
static void leave_early(struct quire_machine *machine, struct slot *slot, struct tlb_entry *entry) {
    leave(machine, slot, entry);
    tlb_park(entry);
}

static void trim_bank(struct quire_machine *machine, struct tlb *bank, uint64_t before) {
    for (unsigned set = 0; set < TLB_SETS; set++) {
        for (unsigned way = 0; way <= bank->nolder[set]; way++) {
            struct slot *slot = &bank->window->slots[set][way];
            struct tlb_entry *entry = entry_of(bank, set, way);
            if (slot->number != NO_PAGE && soft_window_time(machine, entry->stamp) < before)
                leave_early(machine, slot, entry);
        }
    }
}

void quire_soft_window_trim(struct quire_machine *machine, uint64_t before) {
    for (unsigned i = 0; i < machine->window.nbanks; i++)
        trim_bank(machine, machine->window.banks[i], before);
}

/* I2: about a quarter goes. Which time that is, a few of them tell. */
static __attribute__((noinline)) void make_room(struct quire_machine *machine) {
    enum { SAMPLES = 32 };
    uint64_t times[SAMPLES];
    unsigned count = 0, step = machine->window.held / SAMPLES, skipped = 0;
    for (unsigned i = 0; i < machine->window.nbanks; i++) {
        struct tlb *bank = machine->window.banks[i];
        for (unsigned s = 0; s < TLB_SETS * TLB_WAYS && count < SAMPLES; s++) {
            unsigned set = s / TLB_WAYS, way = s % TLB_WAYS;
            if (bank->window->slots[set][way].number == NO_PAGE || ++skipped < step)
                continue;
            skipped = 0;
            uint64_t time = soft_window_time(machine, entry_of(bank, set, way)->stamp);
            unsigned k = count++;
            for (; k > 0 && times[k - 1] > time; k--)
                times[k] = times[k - 1];
            times[k] = time;
        }
    }
    quire_soft_window_trim(machine, times[count / 4]);
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
        memset(bank->window, 0xff, sizeof *bank->window); /* NO_PAGE */
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

static unsigned held(const struct tlb *bank) {
    unsigned count = 0;
    for (unsigned s = 0; s < TLB_SETS * TLB_WAYS; s++)
        count += bank->window->slots[s / TLB_WAYS][s % TLB_WAYS].number != NO_PAGE;
    return count;
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
        else
            window->held -= held(window->banks[i]);
    }
    window->nbanks = kept;
}

/* ---- pages --------------------------------------------------------------------------------------
 */

void quire_window_settle(struct quire_machine *machine) {
    if (machine->window.nbanks == 0)
        return;
    struct tlb *bank = machine->window.banks[0];  /* the only one that runs */
    for (unsigned set = 0; set < TLB_SETS; set++) /* I1 */
        bank->entries[set].stamp = soft_window_time(machine, bank->entries[set].stamp);
}

void quire_window_shift(struct quire_pmap *pmap, uint64_t page, unsigned goes) {
    struct quire_machine *machine = pmap->machine;
    unsigned set = tlb_set(page);
    struct tlb_entry *front = &pmap->tlb->entries[set];
    front->stamp = soft_window_time(machine, front->stamp); /* I1: it goes behind */
    if (!pmap->tlb->window)
        return;
    struct slot *slots = pmap->tlb->window->slots[set], last = slots[goes + 1];
    if (last.number != NO_PAGE && last.key != soft_page_key(pmap, page))
        leave(machine, &last, &pmap->tlb->older[set][goes]);
    memmove(slots + 1, slots, (goes + 1) * sizeof *slots);
    slots[0] = last;
}

void quire_window_enter(struct quire_pmap *pmap, uint64_t va) {
    struct quire_machine *machine = pmap->machine;
    struct tlb *bank = pmap->tlb;
    uint64_t key = soft_page_key(pmap, va), now = quire_soft_window_now(machine);
    struct tlb_entry *front = tlb_slot(bank, va);
    quire_window_select(machine, bank);
    if (!bank->window) {
        machine->watch.page_touched(machine->watch.context, key, now);
        return;
    }
    struct slot *slot = &bank->window->slots[tlb_set(va)][0];
    if (slot->number == NO_PAGE || slot->key != key) {
        if (slot->number != NO_PAGE)
            leave(machine, slot, front);
        slot->number = machine->watch.page_enters(machine->watch.context, key, now);
        slot->key = key;
        machine->window.held += slot->number != NO_PAGE;
    }
    front->stamp = now; /* I1 */
    if (machine->window.held >= HELD_OF_A_BANK * machine->window.most)
        make_room(machine);
}

static void forget_in_set(struct quire_machine *machine, struct tlb *bank, unsigned set,
                          uint64_t first, uint64_t npages) {
    for (unsigned way = 0; way <= bank->nolder[set]; way++) {
        struct slot *slot = &bank->window->slots[set][way];
        uint64_t page = slot->key & (((uint64_t)1 << 36) - 1);
        if (slot->number != NO_PAGE && page >= first && page - first < npages)
            leave_early(machine, slot, entry_of(bank, set, way));
    }
}

void quire_soft_window_forget(struct quire_pmap *pmap, uint64_t first, uint64_t npages) {
    unsigned nsets = npages < TLB_SETS ? (unsigned)npages : TLB_SETS;
    for (struct tlb *bank = &pmap->first; bank; bank = bank->next) {
        for (unsigned i = 0; bank->window && i < nsets; i++)
            forget_in_set(pmap->machine, bank, (unsigned)(first + i) % TLB_SETS, first, npages);
    }
}

void quire_soft_window_touch(struct quire_pmap *pmap, uint64_t va) {
    struct quire_machine *machine = pmap->machine;
    uint64_t key = soft_page_key(pmap, va), now = quire_soft_window_now(machine);
    if (machine->window.on) /* I4 */
        quire_soft_window_forget(pmap, va >> QUIRE_PAGE_SHIFT, 1);
    if (machine->watch.page_touched)
        machine->watch.page_touched(machine->watch.context, key, now);
}
