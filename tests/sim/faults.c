/* faults.c: sixteen classic faults of memory managers, each as a switch of a build of its own.
 *
 * src/ knows nothing of them: the linker puts the functions below between the rooms of the core,
 * and into the machine for those that are hardware's (another hart's TLB does not hear of a change;
 * faults_machine.c has more)
 * (--wrap=NAME: who calls NAME gets __wrap_NAME, and __real_NAME is the true one), and
 * QUIRE_SIM_FAULT in the environment chooses one. Each strikes one in so many times, as such faults
 * do, and leaves all counts right where it can: an audit alone should not be what finds it.
 * faults.sh measures how many steps of the simulation each survives.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faults.h"
#include "machine/soft/mmu.h"
#include "vm/object.h"
#include "vm/vm.h"

static const struct {
    const char *name;
    unsigned one_in;
} faults[NFAULTS] = {
    [LOST_PAGE] = {"lost-page", 100},
    [STALE_PAGE] = {"stale-page", 20},
    [BIT_FLIP] = {"bit-flip", 1000},
    [SHARED_COPY] = {"copy-on-write-shared", 20},
    [DIRTY_FRESH] = {"fresh-not-zero", 100},
    [RIGHTS_IGNORED] = {"protection-ignored", 20},
    [UNMAP_IGNORED] = {"munmap-ignored", 20},
    [DISCARD_IGNORED] = {"discard-ignored", 20},
    [REMAP_DROPS] = {"mremap-drops-page", 20},
    [SHARED_PRIVATE] = {"shared-made-private", 20},
    [NO_SHOOTDOWN] = {"shootdown-ignored", 20},
    [FIT_IGNORED] = {"fit-ignored", 20},
    [SEGMENT_STALE] = {"segment-stale", 20},
    [KERNEL_OPEN] = {"kernel-open", 1},
    [KERNEL_UNMAPPED] = {"kernel-unmapped", 20},
    [DMA_WRONG_PAGE] = {"dma-wrong-page", 100},
};

static enum fault chosen;
static unsigned chances;
static const struct quire_space *forking; /* the parent that is being forked now */
static bool protecting, unmapping, moving;

__attribute__((constructor)) static void choose(void) {
    const char *name = getenv("QUIRE_SIM_FAULT");
    if (!name)
        return;
    for (unsigned i = 1; i < NFAULTS; i++) {
        if (strcmp(name, faults[i].name) == 0)
            chosen = (enum fault)i;
    }
    if (chosen == NO_FAULT) {
        fprintf(stderr, "sim: no fault is named %s\n", name);
        exit(2);
    }
}

bool strikes(enum fault fault) {
    return chosen == fault && ++chances % faults[fault].one_in == 0;
}

WRAPPED(quire_vm_clean);
WRAPPED(quire_vm_harvest);
WRAPPED(quire_object_update);
WRAPPED(quire_vm_space_fork);
WRAPPED(quire_vm_protect);
WRAPPED(quire_vm_unmap);
WRAPPED(quire_vm_remap);
WRAPPED(quire_vm_advise);
WRAPPED(quire_vm_map);
WRAPPED(quire_radix_set);
WRAPPED(quire_mach_zero);
WRAPPED(quire_mach_pmap_protect);
WRAPPED(quire_mach_pmap_remove);
WRAPPED(quire_tlb_shoot);

/* ---- contents -------------------------------------------------------------------------------- */

enum quire_status __wrap_quire_vm_clean(struct quire *q, struct quire_page *page) {
    if (strikes(LOST_PAGE))
        memset(quire_page_window(q, page), 0, QUIRE_PAGE_SIZE);
    return __real_quire_vm_clean(q, page);
}

bool __wrap_quire_vm_harvest(struct quire *q, struct quire_page *page) {
    if (strikes(BIT_FLIP)) {
        uint8_t *bytes = quire_page_window(q, page);
        bytes[chances * 2654435761u % QUIRE_PAGE_SIZE] ^= (uint8_t)(1u << chances % 8);
    }
    return __real_quire_vm_harvest(q, page);
}

void __wrap_quire_object_update(struct quire_object *object, uint64_t offset_bytes,
                                const void *bytes, size_t nbytes) {
    if (!strikes(STALE_PAGE))
        __real_quire_object_update(object, offset_bytes, bytes, nbytes);
}

void __wrap_quire_mach_zero(struct quire_machine *machine, quire_frame frame) {
    if (!strikes(DIRTY_FRESH))
        __real_quire_mach_zero(machine, frame);
}

/* ---- rights and mappings --------------------------------------------------------------------- */

enum quire_status __wrap_quire_vm_space_fork(struct quire_space *parent, void *owner,
                                             struct quire_space **child) {
    forking = parent;
    enum quire_status status = __real_quire_vm_space_fork(parent, owner, child);
    forking = NULL;
    return status;
}

enum quire_status __wrap_quire_vm_protect(struct quire_space *space, quire_vaddr va,
                                          uint64_t length_bytes, unsigned prot) {
    protecting = true;
    enum quire_status status = __real_quire_vm_protect(space, va, length_bytes, prot);
    protecting = false;
    return status;
}

enum quire_status __wrap_quire_vm_unmap(struct quire_space *space, quire_vaddr va,
                                        uint64_t length_bytes) {
    unmapping = true;
    enum quire_status status = __real_quire_vm_unmap(space, va, length_bytes);
    unmapping = false;
    return status;
}

void __wrap_quire_mach_pmap_protect(struct quire_pmap *pmap, quire_vaddr va, uint64_t npages,
                                    unsigned prot) {
    if ((forking && strikes(SHARED_COPY)) || (protecting && strikes(RIGHTS_IGNORED)))
        return;
    __real_quire_mach_pmap_protect(pmap, va, npages, prot);
}

void __wrap_quire_mach_pmap_remove(struct quire_pmap *pmap, quire_vaddr va, uint64_t npages) {
    if (!unmapping || !strikes(UNMAP_IGNORED))
        __real_quire_mach_pmap_remove(pmap, va, npages);
}

void __wrap_quire_tlb_shoot(struct quire_pmap *pmap, uint64_t va, enum tlb_reach reach) {
    if (!strikes(NO_SHOOTDOWN))
        __real_quire_tlb_shoot(pmap, va, reach);
}

/* ---- calls ----------------------------------------------------------------------------------- */

enum quire_status __wrap_quire_vm_advise(struct quire_space *space, quire_vaddr va,
                                         uint64_t length_bytes, enum quire_advice advice) {
    if (advice == QUIRE_ADVISE_DONTNEED && strikes(DISCARD_IGNORED))
        return QUIRE_OK;
    return __real_quire_vm_advise(space, va, length_bytes, advice);
}

enum quire_status __wrap_quire_vm_remap(struct quire_space *space, quire_vaddr old_va,
                                        uint64_t old_bytes, uint64_t new_bytes, unsigned flags,
                                        quire_vaddr *new_va) {
    moving = true;
    enum quire_status status =
        __real_quire_vm_remap(space, old_va, old_bytes, new_bytes, flags, new_va);
    moving = false;
    return status;
}

enum quire_status __wrap_quire_radix_set(struct quire_radix *radix, uint64_t index, void *value) {
    if (moving && strikes(REMAP_DROPS))
        return QUIRE_OK;
    return __real_quire_radix_set(radix, index, value);
}

enum quire_status __wrap_quire_vm_map(struct quire_space *space, quire_vaddr *va,
                                      uint64_t length_bytes, unsigned prot, unsigned flags,
                                      struct quire_object *object, uint64_t offset_bytes) {
    if ((flags & QUIRE_MAP_SHARED) && strikes(SHARED_PRIVATE))
        flags &= ~(unsigned)QUIRE_MAP_SHARED;
    return __real_quire_vm_map(space, va, length_bytes, prot, flags, object, offset_bytes);
}
