/* flat.h: a memory unit for tests: one run of host memory from address 0 on, rights for each page.
 *
 * It stands in for machine/soft/mmu.c, so that the processor is tested alone. It honours the same
 * contract: fills the TLB, marks nothing, answers QUIRE_DENIED and QUIRE_FAULT.
 */
#ifndef QUIRE_TESTS_CPU_FLAT_H
#define QUIRE_TESTS_CPU_FLAT_H

#include "machine/soft/machine.h"

struct flat {
    struct quire_machine machine;
    struct quire_pmap pmap;
    uint8_t *memory;
    uint64_t size;      /* bytes, whole pages */
    uint8_t *rights;    /* enum quire_prot for each page; 0: no region there */
    uint64_t fetches;   /* EXEC accesses so far */
    /* Called before each access is answered, if set: tests change the world in it. */
    void (*before)(struct flat *flat, uint64_t va, enum quire_access access);
    void *context;
};

/* The engine of all that are made from now on: quire_soft_config's translate_after. At first 1, so
 * that everything is translated. */
void flat_set_engine(uint32_t translate_after);

/* The engine that an argument of a test names (interpret, or anything else: translate). */
void flat_take_engine(const char *argument);

/* size bytes of zeros at address 0 with these rights. Ends the test if the host has no memory. */
struct flat *flat_create(uint64_t size, unsigned rights);
void flat_destroy(struct flat *flat);

/* Change the rights of a range and forget its translations, as the memory unit would. */
void flat_protect(struct flat *flat, uint64_t va, uint64_t size, unsigned rights);

#endif
