/* port.h: what a machine gives to the conformance suite, and what the suite stands in for.
 *
 * The suite is linked with one machine and without the memory manager: it answers the two doors
 * itself (doubles.c), so that every fault the machine raises can be looked at.
 */
#ifndef QUIRE_TESTS_PORT_H
#define QUIRE_TESTS_PORT_H

#include <quire/machine.h>

/* ---- provided by each machine: fixture_MACHINE.c --------------------------------------------- */

/* A machine that comes in several kinds (page-table formats, say): all those made from now on are
 * of this one. NULL: its usual kind. False: there is none of that name. */
bool port_fixture_select(const char *kind);

/* A fresh machine with at least 1 MiB of RAM and at least PORT_SLOTS pages on swap device 0. */
#define PORT_SLOTS 64
struct quire_machine *port_fixture_create(void);
void port_fixture_destroy(struct quire_machine *machine);

/* A program in this address space loads, stores or executes the byte at va. A load (or fetch) puts
 * what it sees into *byte, a store takes it from there. The status is QUIRE_OK or what quire_fault
 * said. */
enum quire_status port_fixture_access(struct quire_pmap *pmap, uint64_t va,
                                      enum quire_access access, uint8_t *byte);

/* The address of the last page that a program can have. */
uint64_t port_fixture_last_page(void);
/* Does the hardware keep referenced bits at all? */
bool port_fixture_has_referenced(void);
/* How many processors it has; with one, tests/port/harts.c has nothing to do. */
unsigned port_fixture_harts(void);
/* From now on that one makes the accesses, and the calls of the port. A fresh machine: 0. */
void port_fixture_hart(struct quire_machine *machine, unsigned hart);
/* Can it forbid loads where stores or fetches are allowed? */
bool port_fixture_exact_prot(void);

/* ---- doubles.c: the manager's two doors ------------------------------------------------------ */

/* What quire_fault does next; NULL: it answers QUIRE_FAULT. context is this struct's. */
struct port_double {
    enum quire_status (*fault)(void *context, struct quire_space *space, quire_vaddr va,
                               enum quire_access access);
    void *context;
    /* What the machine asked for last, and how often. */
    unsigned faults, ticks;
    struct quire_space *space;
    uint64_t va;
    enum quire_access access;
    bool wants_tick;
};
extern struct port_double port_double;
void port_double_reset(void);

#endif
