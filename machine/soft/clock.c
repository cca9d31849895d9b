/* clock.c: the machine's clock, and the tick that it owes the memory manager.
 *
 * Time is what the machine did: instructions, faults and waiting for the disk each add their
 * modelled cost. The host's clock is never read, so a run takes the same machine time on every host
 * and the trace hash can depend on it.
 *
 *     clock ---+--------- fault ----+----- disk ----------+------->
 *              | instructions       | the program waits   |
 *     ticks    ^      ^      ^      (due, but given at the next safe place)
 *
 * Ticks are given from the slow paths only (after a resolved fault, between time slices), because
 * quire_tick may evict any page and thereby any translation that a fast path still holds.
 *
 * Invariants:
 *   I1  The clock never goes back.
 *   I2  quire_tick is not entered while it runs.
 */
#include <quire/quire.h>

#include "machine.h"

#define PS_PER_NS 1000u

/* Period of the tick: quire.h asks for one every millisecond of machine time. */
#define TICK_NS 1000000u

uint64_t quire_mach_now_ns(struct quire_machine *machine) {
    return machine->clock_ps / PS_PER_NS;
}

void quire_soft_charge(struct quire_machine *machine, uint64_t ns) {
    machine->clock_ps += ns * PS_PER_NS;
}

void quire_soft_idle_until(struct quire_machine *machine, uint64_t ns) {
    uint64_t now = quire_mach_now_ns(machine);
    if (ns <= now)
        return; /* I1 */
    machine->counters.idle_ns += ns - now;
    machine->clock_ps = ns * PS_PER_NS;
}

bool quire_soft_tick_if_due(struct quire_machine *machine, struct quire *q) {
    if (machine->clock_ps < machine->next_tick_ps && !quire_wants_tick(q))
        return false;
    uint64_t now_ps = machine->clock_ps;
    SOFT_CHECK(machine, !machine->in_tick); /* I2 */
    machine->in_tick = true;
    quire_tick(q);
    machine->in_tick = false;
    /* Ticks that were missed meanwhile are not made up for: one does the work of all. */
    machine->next_tick_ps = now_ps + TICK_NS * PS_PER_NS;
    return true;
}
