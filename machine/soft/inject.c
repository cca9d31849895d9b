/* inject.c: hardware that misbehaves, reproducibly.
 *
 * Each kind of failure draws from a random stream of its own, derived from the machine's seed, so
 * that switching one kind on does not move the failures of another: a run with one difference stays
 * comparable. The generator is splitmix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number
 * Generators", OOPSLA 2014): 64 bits of state, no seed is bad, and a dozen lines.
 *
 * What each kind does is written where it happens: disk.c and pmap.c.
 */
#include "machine.h"

static uint64_t splitmix64(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15u; /* 2^64 / golden ratio, as in the paper */
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

void quire_inject_seed(struct quire_machine *machine, uint64_t seed) {
    for (unsigned kind = 0; kind < QUIRE_SOFT_INJECTIONS; kind++) {
        machine->random[kind] = splitmix64(&seed);
        machine->one_in[kind] = 0;
    }
}

void quire_soft_inject(struct quire_machine *machine, enum quire_soft_injection what,
                       uint32_t one_in) {
    SOFT_CHECK(machine, what < QUIRE_SOFT_INJECTIONS);
    machine->one_in[what] = one_in;
}

void quire_soft_fail_io(struct quire_machine *machine, uint64_t first, uint64_t count) {
    machine->io_asked = 0;
    machine->io_first = first;
    machine->io_length = count;
}

bool quire_inject_fails_io(struct quire_machine *machine) {
    machine->io_asked++;
    return machine->io_asked >= machine->io_first &&
           machine->io_asked - machine->io_first < machine->io_length;
}

bool quire_inject_now(struct quire_machine *machine, enum quire_soft_injection what) {
    uint32_t one_in = machine->one_in[what];
    return one_in > 0 && splitmix64(&machine->random[what]) % one_in == 0;
}

uint64_t quire_inject_draw(struct quire_machine *machine, enum quire_soft_injection what,
                           uint64_t bound) {
    return splitmix64(&machine->random[what]) % bound;
}
