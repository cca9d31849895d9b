/* clock.c: the harts' clocks, and the tick that the machine owes the memory manager.
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
 * Each hart has a clock of its own, since harts work at the same time: what one does or waits for
 * takes none of the others' time. On this machine they take turns. The kernel above always lets the
 * one work whose clock is furthest behind, for a short while (quire_soft_work_until), so that
 * clocks stay close together; when a disk has thrown one far ahead, its run ends, and the others
 * catch up:
 *
 *     hart 0   |====|......disk......|            |====|
 *     hart 1   |    |====|====|====|====|====|====|          -> time
 *
 * Who asks for the time must not see it go back, though who asked before may have been on a hart
 * that is ahead. So there are two clocks to read: that of the manager and that of programs. Each
 * tells the time of the hart at work, or the latest that it has told so far, whichever is later.
 * For the manager this has a use of its own: waits that overlap on several harts are counted once,
 * as Linux's PSI counts them.
 *
 * Invariants:
 *   I1  No clock ever goes back.
 *   I2  quire_tick is not entered while it runs.
 */
#include <quire/quire.h>

#include "machine.h"

/* Period of the tick: quire.h asks for one every millisecond of machine time. */
#define TICK_NS 1000000u

uint64_t quire_mach_now_ns(struct quire_machine *machine) {
    if (machine->clock_ps > machine->core_ps)
        machine->core_ps = machine->clock_ps;
    return machine->core_ps / SOFT_PS_PER_NS;
}

uint64_t quire_soft_now_ns(struct quire_machine *machine) {
    return soft_program_ns(machine);
}

void quire_soft_hart(struct quire_machine *machine, unsigned hart) {
    SOFT_CHECK(machine, hart < machine->nharts);
    machine->harts[machine->hart].clock_ps = machine->clock_ps;
    machine->hart = hart;
    machine->clock_ps = machine->harts[hart].clock_ps;
}

uint64_t quire_soft_hart_ns(const struct quire_machine *machine, unsigned hart) {
    uint64_t clock_ps = hart == machine->hart ? machine->clock_ps : machine->harts[hart].clock_ps;
    return clock_ps / SOFT_PS_PER_NS;
}

uint64_t quire_soft_hart_idle_ns(const struct quire_machine *machine, unsigned hart) {
    return machine->harts[hart].idle_ns;
}

uint64_t quire_soft_hart_stall_ns(const struct quire_machine *machine, unsigned hart) {
    return machine->harts[hart].stall_ns;
}

void quire_soft_work_until(struct quire_machine *machine, uint64_t ns) {
    machine->horizon_ps = ns < UINT64_MAX / SOFT_PS_PER_NS ? ns * SOFT_PS_PER_NS : UINT64_MAX;
}

void quire_soft_charge(struct quire_machine *machine, uint64_t ns) {
    machine->clock_ps += ns * SOFT_PS_PER_NS;
}

void quire_soft_idle_until(struct quire_machine *machine, uint64_t ns) {
    uint64_t now = machine->clock_ps / SOFT_PS_PER_NS;
    if (ns <= now)
        return; /* I1 */
    machine->counters.idle_ns += ns - now;
    machine->harts[machine->hart].idle_ns += ns - now;
    machine->clock_ps = ns * SOFT_PS_PER_NS;
}

bool quire_soft_tick_if_due(struct quire_machine *machine, struct quire *q) {
    uint64_t now_ps = machine->clock_ps;
    if (now_ps < machine->next_tick_ps && !quire_wants_tick(q))
        return false;
    if (now_ps > machine->horizon_ps) /* what is far ahead is not yet the machine's time */
        now_ps = machine->horizon_ps;
    if (now_ps < machine->next_tick_ps && !quire_wants_tick(q))
        return false;
    SOFT_CHECK(machine, !machine->in_tick); /* I2 */
    machine->in_tick = true;
    quire_tick(q);
    machine->in_tick = false;
    /* Ticks that were missed meanwhile are not made up for: one does the work of all. */
    machine->next_tick_ps = now_ps + TICK_NS * SOFT_PS_PER_NS;
    return true;
}
