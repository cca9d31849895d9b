/* vm_fixture.h: a software machine with a manager and one space, for the tests of vm/.
 *
 * Bytes are read and written as the processor does it: TLB, table walk, fault. Every test ends in
 * vm_close, which audits and tears down: a leak is a panic there.
 */
#ifndef QUIRE_TEST_VM_FIXTURE_H
#define QUIRE_TEST_VM_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <quire/quire.h>
#include <quire/space.h>

#include "machine/soft/mmu.h"
#include "reclaim/reclaim.h"
#include "vm/vm.h"

#define PAGE    QUIRE_PAGE_SIZE
#define RW      (QUIRE_PROT_READ | QUIRE_PROT_WRITE)
#define MIB     ((uint64_t)1 << 20)
#define LOW     ((uint64_t)0x10000)
#define HIGH    ((uint64_t)1 << 38)
#define MAP_TOP (HIGH - 64 * MIB)

struct vm_fixture {
    struct quire_machine *machine;
    struct quire *q;
    struct quire_space *space;
};

static inline struct quire_space *vm_space(struct quire *q) {
    struct quire_space_config config = {.low = quire_va(LOW),
                                        .high = quire_va(HIGH),
                                        .map_top = quire_va(MAP_TOP),
                                        .stack_limit_bytes = 8 * MIB,
                                        .stack_gap_bytes = MIB};
    struct quire_space *space;
    assert_int_equal(quire_space_create(q, &config, &space), QUIRE_OK);
    return space;
}

static inline struct vm_fixture vm_open(uint64_t ram_bytes, uint64_t swap_bytes) {
    struct vm_fixture f;
    struct quire_soft_config soft = {.ram_bytes = ram_bytes, .swap_bytes = {swap_bytes}, .seed = 7};
    assert_int_equal(quire_soft_create(&soft, &f.machine), QUIRE_OK);
    struct quire_config config = {.machine = f.machine, .swappiness = 60};
    assert_int_equal(quire_create(&config, &f.q), QUIRE_OK);
    if (swap_bytes) {
        assert_int_equal(quire_swapon(f.q, 0, 0), QUIRE_OK);
    }
    f.space = vm_space(f.q);
    return f;
}

static inline void vm_close(struct vm_fixture *f) {
    quire_audit(f->q);
    if (f->space) {
        quire_space_destroy(f->space);
    }
    quire_audit(f->q);
    assert_int_equal(quire_vm_committed(f->q), 0);
    assert_int_equal(quire_vm_swapped(f->q), 0);
    quire_destroy(f->q);
    quire_soft_destroy(f->machine);
}

/* One access to one byte, as the processor does it. */
static inline enum quire_status vm_access(struct quire_space *space, uint64_t va,
                                          enum quire_access access, uint8_t **host) {
    struct quire_pmap *pmap = quire_space_pmap(space);
    struct tlb_entry *slot = tlb_slot(pmap->tlb, va);
    uint64_t page = va & ~QUIRE_PAGE_MASK;
    if ((access == QUIRE_ACCESS_READ && slot->read_tag == page) ||
        (access == QUIRE_ACCESS_WRITE && slot->write_tag == page)) {
        *host = (uint8_t *)(va + slot->addend);
        return QUIRE_OK;
    }
    return quire_mmu_access(pmap, va, access, host);
}

static inline enum quire_status vm_try_write(struct quire_space *space, uint64_t va, uint8_t byte) {
    uint8_t *host;
    enum quire_status status = vm_access(space, va, QUIRE_ACCESS_WRITE, &host);
    if (status == QUIRE_OK) {
        *host = byte;
    }
    return status;
}

static inline enum quire_status vm_try_read(struct quire_space *space, uint64_t va, uint8_t *byte) {
    uint8_t *host;
    enum quire_status status = vm_access(space, va, QUIRE_ACCESS_READ, &host);
    if (status == QUIRE_OK) {
        *byte = *host;
    }
    return status;
}

static inline void vm_write(struct quire_space *space, uint64_t va, uint8_t byte) {
    assert_int_equal(vm_try_write(space, va, byte), QUIRE_OK);
}

static inline uint8_t vm_read(struct quire_space *space, uint64_t va) {
    uint8_t byte = 0;
    assert_int_equal(vm_try_read(space, va, &byte), QUIRE_OK);
    return byte;
}

/* Map where the manager likes; the address. */
static inline uint64_t vm_map(struct quire_space *space, uint64_t npages, unsigned prot,
                              unsigned flags, struct quire_object *object, uint64_t page) {
    quire_vaddr va = quire_va(0);
    assert_int_equal(quire_map(space, &va, npages * PAGE, prot, flags, object, page * PAGE),
                     QUIRE_OK);
    return va.value;
}

static inline uint64_t vm_map_at(struct quire_space *space, uint64_t at, uint64_t npages,
                                 unsigned prot, unsigned flags) {
    quire_vaddr va = quire_va(at);
    assert_int_equal(quire_map(space, &va, npages * PAGE, prot, flags | QUIRE_MAP_FIXED, NULL, 0),
                     QUIRE_OK);
    assert_int_equal(va.value, at);
    return at;
}

static inline unsigned vm_count_regions(struct quire_space *space) {
    struct quire_region_info info;
    unsigned count = 0;
    for (quire_vaddr at = quire_va(0); quire_region_at_or_after(space, at, false, &info);
         at = info.end) {
        count++;
    }
    return count;
}

/* Evict everything of the range that can be, also what others map (PAGEOUT spares that). */
static inline void vm_evict(struct quire_space *space, uint64_t va, uint64_t npages) {
    for (uint64_t i = 0; i < npages; i++) {
        struct quire_page *page = quire_vm_page_at(space, quire_va(va + i * PAGE));
        if (page) {
            quire_reclaim_page(quire_space_system(space), page);
        }
    }
}

/* A random number less than below (xorshift64). => *random is not 0 */
static inline uint64_t vm_draw(uint64_t *random, uint64_t below) {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return (*random >> 11) % below;
}

/* ---- a file in memory ---------------------------------------------------------------------- */

#define VM_FILE_PAGES 64

struct vm_file {
    uint8_t bytes[VM_FILE_PAGES * QUIRE_PAGE_SIZE];
    uint64_t size;
    unsigned reads, writes, releases, unmappings;
    bool broken; /* every operation answers QUIRE_IO */
};

static enum quire_status vm_file_read(void *context, uint64_t offset, void *frame) {
    struct vm_file *file = context;
    if (file->broken) {
        return QUIRE_IO;
    }
    file->reads++;
    memcpy(frame, file->bytes + offset, PAGE);
    return QUIRE_OK;
}

static enum quire_status vm_file_write(void *context, uint64_t offset, const void *frame) {
    struct vm_file *file = context;
    if (file->broken) {
        return QUIRE_IO;
    }
    file->writes++;
    memcpy(file->bytes + offset, frame, file->size - offset < PAGE ? file->size - offset : PAGE);
    return QUIRE_OK;
}

static uint64_t vm_file_size(void *context) {
    return ((struct vm_file *)context)->size;
}

static void vm_file_release(void *context) {
    ((struct vm_file *)context)->releases++;
}

static void vm_file_unmapped(void *context) {
    ((struct vm_file *)context)->unmappings++;
}

static inline struct quire_object *vm_file_object(struct quire *q, struct vm_file *file,
                                                  uint64_t size) {
    static const struct quire_pager pager = {.read = vm_file_read,
                                             .write = vm_file_write,
                                             .size = vm_file_size,
                                             .release = vm_file_release,
                                             .unmapped = vm_file_unmapped};
    static const struct quire_object_info info = {"/test/file", 42, 8, 1};
    struct quire_object *object;
    memset(file, 0, sizeof *file);
    file->size = size;
    for (uint64_t i = 0; i < size; i++) {
        file->bytes[i] = (uint8_t)(i / PAGE * 3 + i % 251);
    }
    assert_int_equal(quire_object_create_file(q, &pager, file, &info, &object), QUIRE_OK);
    return object;
}

#endif
