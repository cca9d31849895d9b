/* flat.c: a memory unit for tests of the processor. See flat.h.
 *
 * The port's functions that the processor calls besides (the clock, the panic) are here as well, so
 * that nothing else of the machine is linked.
 */
#include "flat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "machine/soft/jit.h"

static uint32_t engine = 1;

void flat_set_engine(uint32_t translate_after) {
    engine = translate_after;
}

void flat_take_engine(const char *argument) {
    flat_set_engine(argument && strcmp(argument, "interpret") == 0 ? QUIRE_SOFT_INTERPRET : 1);
}

static void drop(struct flat *flat, uint64_t va) {
    for (struct tlb *bank = &flat->pmap.first; bank; bank = bank->next)
        tlb_forget(bank, va, TLB_PAGE);
}

struct flat *flat_create(uint64_t size, unsigned rights) {
    struct flat *flat = calloc(1, sizeof(*flat));
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint8_t *pages = malloc(size >> QUIRE_PAGE_SHIFT);
    if (!flat || memory == MAP_FAILED || !pages)
        abort();
    flat->memory = memory;
    flat->rights = pages;
    flat->size = size;
    flat->machine.config.instruction_ps = 1000;
    flat->machine.config.translate_after = engine;
    flat->pmap.machine = &flat->machine;
    for (uint64_t page = 0; page < size >> QUIRE_PAGE_SHIFT; page++)
        flat->rights[page] = (uint8_t)rights;
    flat->machine.nharts = 1;
    flat->machine.horizon_ps = UINT64_MAX;
    quire_tlb_init(&flat->pmap);
    return flat;
}

void flat_destroy(struct flat *flat) {
    quire_code_destroy(&flat->pmap);
    quire_tlb_destroy(&flat->pmap);
    quire_jit_close(&flat->machine);
    munmap(flat->memory, flat->size);
    free(flat->rights);
    free(flat);
}

void flat_protect(struct flat *flat, uint64_t va, uint64_t size, unsigned rights) {
    for (uint64_t page = va; page < va + size; page += QUIRE_PAGE_SIZE) {
        flat->rights[page >> QUIRE_PAGE_SHIFT] = (uint8_t)rights;
        drop(flat, page);
        quire_code_stale(&flat->pmap, page);
    }
}

enum quire_status quire_mmu_miss(struct quire_pmap *pmap, uint64_t va, enum quire_access access,
                                 uint8_t **host) {
    struct flat *flat = (struct flat *)(void *)((char *)pmap - offsetof(struct flat, pmap));
    pmap->machine->counters.tlb_misses++;
    flat->fetches += access == QUIRE_ACCESS_EXEC;
    if (flat->before)
        flat->before(flat, va, access);
    unsigned rights = va < flat->size ? flat->rights[va >> QUIRE_PAGE_SHIFT] : 0;
    if (!(rights & access))
        return rights ? QUIRE_DENIED : QUIRE_FAULT;
    *host = flat->memory + va;
    if (access != QUIRE_ACCESS_EXEC) {
        struct tlb_entry *entry = tlb_slot(pmap->tlb, va);
        uint64_t page = va & ~QUIRE_PAGE_MASK;
        entry->read_tag = rights & QUIRE_PROT_READ ? page : TLB_NO_TAG;
        entry->write_tag = rights & QUIRE_PROT_WRITE ? page : TLB_NO_TAG;
        entry->addend = (uintptr_t)flat->memory;
    }
    return QUIRE_OK;
}

uint64_t quire_mach_now_ns(struct quire_machine *machine) {
    return machine->clock_ps / 1000;
}

void quire_soft_charge(struct quire_machine *machine, uint64_t ns) {
    machine->clock_ps += ns * SOFT_PS_PER_NS;
}

_Noreturn void quire_mach_panic(struct quire_machine *machine, const char *file, int line,
                                const char *condition) {
    (void)machine;
    fprintf(stderr, "%s:%d: %s\n", file, line, condition);
    abort();
}
