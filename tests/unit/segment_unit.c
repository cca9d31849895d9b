/* segment_unit.c: the x86-like unit: descriptors as Intel's manual has them, loading, limits,
 * types, privilege, and both units in a row; and random accesses beside a second statement of the
 * rules.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <quire/kmem.h>
#include <quire/quire.h>
#include <quire/space.h>

#include "machine/soft/mmu.h"
#include "machine/soft/segment.h"
#include "random.h"

#define MIB    ((uint64_t)1 << 20)
#define GDT_AT 0x2000u
#define LDT_AT 0x3000u

/* Places in the tables. */
enum { NONE, CODE0, DATA0, CODE3, DATA3, LDT, GONE, READ3, DOWN3, SECRET3, CONFORMING, NGDT };

static const struct quire_descriptor gdt[NGDT] = {
    [CODE0] = {.limit = 0xFFFFF, .type = 10, .granular = true, .big = true, .present = true},
    [DATA0] = {.limit = 0xFFFFF, .type = 2, .granular = true, .big = true, .present = true},
    [CODE3] = {.base = 0x10000, .limit = 0xFFF, .type = 10, .dpl = 3, .present = true},
    [DATA3] = {.base = 0x20000, .limit = 0x4FFF, .type = 2, .dpl = 3, .present = true},
    [LDT] = {.base = LDT_AT, .limit = 15, .type = 2, .system = true, .present = true},
    [GONE] = {.base = 0x20000, .limit = 0xFFF, .type = 2, .dpl = 3},
    [READ3] = {.base = 0x30000, .limit = 0xFFF, .type = 0, .dpl = 3, .present = true},
    [DOWN3] = {.base = 0x40000, .limit = 1, .type = 6, .dpl = 3, .present = true, .granular = true},
    [SECRET3] = {.base = 0x10000, .limit = 0xFFF, .type = 8, .dpl = 3, .present = true},
    [CONFORMING] = {.base = 0x10000, .limit = 0xFFF, .type = 14, .present = true},
};
static const struct quire_descriptor ldt[2] = {
    {.base = 0x50000, .limit = 0xFF, .type = 2, .dpl = 3, .present = true},
    {.base = 0x60000, .limit = 0xFF, .type = 0, .dpl = 3, .present = true},
};

struct rig {
    struct quire_machine *machine;
    struct quire_segment_unit unit;
    struct quire_segment_fault fault;
};

static uint8_t *ram(const struct rig *rig, uint64_t at) {
    return (uint8_t *)quire_mach_window(rig->machine, quire_frame_at((quire_paddr){at})) +
           (at & QUIRE_PAGE_MASK);
}

static void put(struct rig *rig, uint64_t at, const struct quire_descriptor *d) {
    uint64_t bytes = quire_descriptor_pack(d);
    memcpy(ram(rig, at), &bytes, sizeof bytes);
}

/* Segments alone: linear is physical. A kernel at level 0 has loaded its segments. */
static struct rig start(void) {
    struct rig rig = {.machine = NULL};
    struct quire_soft_config config = {.ram_bytes = MIB};
    assert_int_equal(quire_soft_create(&config, &rig.machine), QUIRE_OK);
    quire_segment_init(&rig.unit, rig.machine, NULL);
    for (unsigned i = 1; i < NGDT; i++)
        put(&rig, GDT_AT + 8 * i, &gdt[i]);
    for (unsigned i = 0; i < 2; i++)
        put(&rig, LDT_AT + 8 * i, &ldt[i]);
    assert_true(quire_segment_lgdt(&rig.unit, GDT_AT, 8 * NGDT, &rig.fault));
    assert_true(quire_segment_lldt(&rig.unit, quire_selector(LDT, false, 0), &rig.fault));
    assert_true(
        quire_segment_load(&rig.unit, QUIRE_CS, quire_selector(CODE0, false, 0), &rig.fault));
    assert_true(
        quire_segment_load(&rig.unit, QUIRE_SS, quire_selector(DATA0, false, 0), &rig.fault));
    return rig;
}

static void to_user(struct rig *rig) {
    assert_true(quire_segment_return(&rig->unit, quire_selector(CODE3, false, 3),
                                     quire_selector(DATA3, false, 3), &rig->fault));
    assert_int_equal(rig->unit.cpl, 3);
}

static void refused_load(struct rig *rig, enum quire_segment_register segment, uint16_t selector,
                         enum quire_exception exception, uint32_t error_code) {
    struct quire_loaded before = rig->unit.registers[segment];
    assert_false(quire_segment_load(&rig->unit, segment, selector, &rig->fault));
    assert_int_equal(rig->fault.exception, exception);
    assert_int_equal(rig->fault.error_code, error_code);
    assert_memory_equal(&before, &rig->unit.registers[segment], sizeof before);
}

static void loads(struct rig *rig, enum quire_segment_register segment, uint16_t selector) {
    assert_true(quire_segment_load(&rig->unit, segment, selector, &rig->fault));
    assert_int_equal(rig->unit.registers[segment].selector, selector);
}

static bool moves(struct rig *rig, enum quire_segment_register segment, uint32_t offset,
                  uint32_t nbytes, enum quire_access access) {
    static uint8_t bytes[4096];
    return quire_segment_move(&rig->unit, segment, offset, bytes, nbytes, access, &rig->fault);
}

static void refused_access(struct rig *rig, enum quire_segment_register segment, uint32_t offset,
                           uint32_t nbytes, enum quire_access access,
                           enum quire_exception exception) {
    assert_false(moves(rig, segment, offset, nbytes, access));
    assert_int_equal(rig->fault.exception, exception);
    assert_int_equal(rig->fault.error_code, 0);
}

/* Linux's own boot GDT: flat code and data of levels 0 and 3, as every 32-bit kernel has them. */
static void descriptors_are_intel_s(void **state) {
    (void)state;
    const struct {
        uint64_t bytes;
        unsigned type, dpl;
    } rows[] = {{0x00CF9A000000FFFF, 10, 0},
                {0x00CF92000000FFFF, 2, 0},
                {0x00CFFA000000FFFF, 10, 3},
                {0x00CFF2000000FFFF, 2, 3}};
    for (unsigned i = 0; i < 4; i++) {
        struct quire_descriptor d = quire_descriptor_unpack(rows[i].bytes);
        assert_int_equal(d.base, 0);
        assert_int_equal(d.limit, 0xFFFFF);
        assert_int_equal(quire_descriptor_last(&d), 0xFFFFFFFF);
        assert_int_equal(d.type, rows[i].type);
        assert_int_equal(d.dpl, rows[i].dpl);
        assert_true(d.present && d.granular && d.big && !d.system);
        assert_true(quire_descriptor_pack(&d) == rows[i].bytes);
    }
    struct quire_descriptor d = {.base = 0x12345678, .limit = 0xABCDE, .type = 2, .system = true};
    assert_true(quire_descriptor_pack(&d) == 0x120A02345678BCDE);
    assert_int_equal(quire_descriptor_last(&d), 0xABCDE);
}

static void loading_is_checked(void **state) {
    (void)state;
    struct rig rig = start();
    /* Level 0: its own segments, and those of programs where that is no danger. */
    refused_load(&rig, QUIRE_CS, 0, QUIRE_GP, 0);
    refused_load(&rig, QUIRE_SS, 3, QUIRE_GP, 0);
    loads(&rig, QUIRE_DS, 0);
    refused_access(&rig, QUIRE_DS, 0, 1, QUIRE_ACCESS_READ, QUIRE_GP);
    refused_load(&rig, QUIRE_DS, quire_selector(NGDT, false, 0), QUIRE_GP, NGDT * 8);
    refused_load(&rig, QUIRE_DS, quire_selector(2, true, 0), QUIRE_GP, 2 * 8 + 4);
    refused_load(&rig, QUIRE_DS, quire_selector(LDT, false, 0), QUIRE_GP, LDT * 8);
    refused_load(&rig, QUIRE_DS, quire_selector(SECRET3, false, 3), QUIRE_GP, SECRET3 * 8);
    refused_load(&rig, QUIRE_CS, quire_selector(DATA0, false, 0), QUIRE_GP, DATA0 * 8);
    refused_load(&rig, QUIRE_CS, quire_selector(CODE3, false, 3), QUIRE_GP, CODE3 * 8);
    refused_load(&rig, QUIRE_SS, quire_selector(DATA3, false, 3), QUIRE_GP, DATA3 * 8);
    refused_load(&rig, QUIRE_SS, quire_selector(CODE0, false, 0), QUIRE_GP, CODE0 * 8);
    refused_load(&rig, QUIRE_SS, quire_selector(READ3, false, 0), QUIRE_GP, READ3 * 8);
    refused_load(&rig, QUIRE_ES, quire_selector(DATA0, false, 3), QUIRE_GP, DATA0 * 8); /* RPL */
    refused_load(&rig, QUIRE_DS, quire_selector(GONE, false, 3), QUIRE_NP, GONE * 8);
    loads(&rig, QUIRE_ES, quire_selector(DATA3, false, 3));
    loads(&rig, QUIRE_FS, quire_selector(1, true, 3));
    assert_int_equal(rig.unit.registers[QUIRE_FS].descriptor.base, 0x60000);
    /* Loading marks the descriptor in memory. */
    assert_int_equal(ram(&rig, GDT_AT + DATA3 * 8)[5] & 1, 1);
    assert_int_equal(ram(&rig, GDT_AT + GONE * 8)[5] & 1, 0);
    to_user(&rig);
    refused_load(&rig, QUIRE_DS, quire_selector(DATA0, false, 0), QUIRE_GP, DATA0 * 8);
    refused_load(&rig, QUIRE_DS, quire_selector(DATA0, false, 3), QUIRE_GP, DATA0 * 8);
    refused_load(&rig, QUIRE_CS, quire_selector(CODE0, false, 0), QUIRE_GP, CODE0 * 8);
    refused_load(&rig, QUIRE_SS, quire_selector(GONE, false, 3), QUIRE_SSF, GONE * 8);
    loads(&rig, QUIRE_DS, quire_selector(CONFORMING, false, 3)); /* readable, and for everybody */
    /* A far jump to conforming code: the privilege stays, and is in cs. */
    assert_true(
        quire_segment_load(&rig.unit, QUIRE_CS, quire_selector(CONFORMING, false, 0), &rig.fault));
    assert_int_equal(rig.unit.registers[QUIRE_CS].selector, quire_selector(CONFORMING, false, 3));
    quire_soft_destroy(rig.machine);
}

static void tables_are_the_kernel_s(void **state) {
    (void)state;
    struct rig rig = start();
    assert_false(quire_segment_lgdt(&rig.unit, 0, 7, &rig.fault));
    assert_false(quire_segment_lgdt(&rig.unit, 0, 65537, &rig.fault));
    assert_false(quire_segment_lldt(&rig.unit, quire_selector(DATA0, false, 0), &rig.fault));
    assert_false(quire_segment_lldt(&rig.unit, quire_selector(0, true, 0), &rig.fault));
    /* Without an LDT its selectors lead nowhere; what was loaded stays. */
    loads(&rig, QUIRE_GS, quire_selector(0, true, 3));
    assert_true(quire_segment_lldt(&rig.unit, 0, &rig.fault));
    refused_load(&rig, QUIRE_FS, quire_selector(0, true, 3), QUIRE_GP, 4);
    assert_true(moves(&rig, QUIRE_GS, 0xFF, 1, QUIRE_ACCESS_WRITE));
    /* A register keeps its descriptor, whatever becomes of the table. */
    loads(&rig, QUIRE_ES, quire_selector(DATA3, false, 3));
    put(&rig, GDT_AT + DATA3 * 8, &gdt[GONE]);
    assert_true(moves(&rig, QUIRE_ES, 0x4FFF, 1, QUIRE_ACCESS_WRITE));
    refused_load(&rig, QUIRE_ES, quire_selector(DATA3, false, 3), QUIRE_NP, DATA3 * 8);
    put(&rig, GDT_AT + DATA3 * 8, &gdt[DATA3]);
    to_user(&rig);
    assert_false(quire_segment_lgdt(&rig.unit, 0, 8, &rig.fault));
    assert_int_equal(rig.fault.exception, QUIRE_GP);
    assert_false(quire_segment_lldt(&rig.unit, 0, &rig.fault));
    quire_soft_destroy(rig.machine);
}

static void accesses_are_checked(void **state) {
    (void)state;
    struct rig rig = start();
    char text[200];
    to_user(&rig);
    loads(&rig, QUIRE_DS, quire_selector(DATA3, false, 3));
    loads(&rig, QUIRE_ES, quire_selector(READ3, false, 3));
    loads(&rig, QUIRE_FS, quire_selector(DOWN3, false, 3));
    assert_true(moves(&rig, QUIRE_DS, 0x4FFC, 4, QUIRE_ACCESS_WRITE));
    refused_access(&rig, QUIRE_DS, 0x4FFD, 4, QUIRE_ACCESS_WRITE, QUIRE_GP);
    quire_segment_fault_text(&rig.fault, text, sizeof text);
    assert_string_equal(text, "general protection fault #GP(0): ds:0x4ffd: past the limit");
    refused_access(&rig, QUIRE_DS, 0xFFFFFFFF, 2, QUIRE_ACCESS_READ, QUIRE_GP);
    refused_access(&rig, QUIRE_SS, 0x5000, 1, QUIRE_ACCESS_WRITE, QUIRE_SSF);
    refused_access(&rig, QUIRE_ES, 0, 1, QUIRE_ACCESS_WRITE, QUIRE_GP);
    assert_true(moves(&rig, QUIRE_ES, 0, 1, QUIRE_ACCESS_READ));
    refused_access(&rig, QUIRE_CS, 0, 1, QUIRE_ACCESS_WRITE, QUIRE_GP);
    assert_true(moves(&rig, QUIRE_CS, 0xFFF, 1, QUIRE_ACCESS_EXEC));
    refused_access(&rig, QUIRE_CS, 0x1000, 1, QUIRE_ACCESS_EXEC, QUIRE_GP);
    refused_access(&rig, QUIRE_DS, 0, 1, QUIRE_ACCESS_EXEC, QUIRE_GP);
    refused_access(&rig, QUIRE_GS, 0, 1, QUIRE_ACCESS_READ, QUIRE_GP);
    /* Down: above 8 KiB, up to 64 KiB. */
    refused_access(&rig, QUIRE_FS, 0x1FFF, 1, QUIRE_ACCESS_READ, QUIRE_GP);
    assert_true(moves(&rig, QUIRE_FS, 0x2000, 1, QUIRE_ACCESS_READ));
    assert_true(moves(&rig, QUIRE_FS, 0xFFFF, 1, QUIRE_ACCESS_READ));
    refused_access(&rig, QUIRE_FS, 0xFFFF, 2, QUIRE_ACCESS_READ, QUIRE_GP);
    /* And they are at base + offset. */
    *ram(&rig, 0x20123) = 0x5A;
    uint8_t byte = 0;
    assert_true(
        quire_segment_move(&rig.unit, QUIRE_DS, 0x123, &byte, 1, QUIRE_ACCESS_READ, &rig.fault));
    assert_int_equal(byte, 0x5A);
    quire_soft_destroy(rig.machine);
}

/* A gate leads in, iret leads out, and takes along nothing that is the kernel's. */
static void privilege_goes_through_gates(void **state) {
    (void)state;
    struct rig rig = start();
    uint16_t code0 = quire_selector(CODE0, false, 0), data0 = quire_selector(DATA0, false, 0);
    to_user(&rig);
    loads(&rig, QUIRE_DS, quire_selector(DATA3, false, 3));
    assert_true(quire_segment_enter(&rig.unit, code0, data0, &rig.fault));
    assert_int_equal(rig.unit.cpl, 0);
    loads(&rig, QUIRE_ES, data0);
    loads(&rig, QUIRE_FS, quire_selector(CONFORMING, false, 0));
    assert_true(moves(&rig, QUIRE_ES, 0x80000, 4, QUIRE_ACCESS_WRITE));
    assert_false(quire_segment_enter(&rig.unit, quire_selector(CODE3, false, 3),
                                     quire_selector(DATA3, false, 3), &rig.fault));
    to_user(&rig);
    assert_false(rig.unit.registers[QUIRE_ES].usable);
    assert_true(rig.unit.registers[QUIRE_DS].usable && rig.unit.registers[QUIRE_FS].usable);
    assert_false(quire_segment_return(&rig.unit, code0, data0, &rig.fault));
    assert_int_equal(rig.fault.exception, QUIRE_GP);
    assert_int_equal(rig.unit.cpl, 3);
    quire_soft_destroy(rig.machine);
}

/* Two units on one system, whose GDT lies in the kernel's part: linear 0xC0000000 and up. */
struct both {
    struct rig rig;
    struct quire *q;
    struct quire_space *space;
    quire_frame table;
    quire_vaddr data; /* where the data segment begins, linear */
};

static void start_both(struct both *both) {
    struct rig *rig = &both->rig;
    struct quire_soft_config soft = {
        .ram_bytes = 16 * MIB, .format = &quire_radix_sv32, .kernel_map = true};
    assert_int_equal(quire_soft_create(&soft, &rig->machine), QUIRE_OK);
    struct quire_config config = {.machine = rig->machine, .swappiness = 60};
    assert_int_equal(quire_create(&config, &both->q), QUIRE_OK);
    struct quire_space_config limits = {
        .low = quire_va(0x1000), .high = quire_va(0xC0000000), .map_top = quire_va(0xB0000000)};
    assert_int_equal(quire_space_create(both->q, &limits, &both->space), QUIRE_OK);
    assert_int_equal(quire_frames_alloc(both->q, 0, &both->table), QUIRE_OK);
    uint64_t at = quire_frame_address(both->table).value;
    struct quire_descriptor data = {
        .base = 0x400000, .limit = 0x1FFF, .type = 2, .dpl = 3, .present = true};
    put(rig, at + 8, &data);
    put(rig, at + 16, &gdt[CODE0]);
    put(rig, at + 24, &gdt[DATA0]);
    put(rig, at + 32, &gdt[CODE3]);
    quire_segment_init(&rig->unit, rig->machine, quire_space_pmap(both->space));
    assert_true(quire_segment_lgdt(&rig->unit, (uint32_t)(0xC0000000 + at), 40, &rig->fault));
    assert_true(quire_segment_load(&rig->unit, QUIRE_CS, 16, &rig->fault));
    assert_true(quire_segment_load(&rig->unit, QUIRE_SS, 24, &rig->fault));
    assert_true(quire_segment_return(&rig->unit, 32 | 3, 8 | 3, &rig->fault));
    assert_true(quire_segment_load(&rig->unit, QUIRE_DS, 8 | 3, &rig->fault));
    both->data = quire_va(0x400000);
    assert_int_equal(quire_map(both->space, &both->data, 4096, 3, QUIRE_MAP_FIXED, NULL, 0),
                     QUIRE_OK);
}

static void stop_both(struct both *both) {
    quire_frames_free(both->q, both->table, 0);
    quire_space_destroy(both->space);
    quire_audit(both->q);
    quire_destroy(both->q);
    quire_soft_destroy(both->rig.machine);
}

/* V8: logical -> linear -> physical. */
static void both_units_in_a_row(void **state) {
    (void)state;
    struct both both;
    start_both(&both);
    struct rig *rig = &both.rig;
    uint32_t word = 0x600DF00D, back = 0;
    assert_true(
        quire_segment_move(&rig->unit, QUIRE_DS, 0x10, &word, 4, QUIRE_ACCESS_WRITE, &rig->fault));
    assert_true(
        quire_segment_move(&rig->unit, QUIRE_DS, 0x10, &back, 4, QUIRE_ACCESS_READ, &rig->fault));
    assert_int_equal(back, word);
    struct quire_walk walk;
    quire_segment_walk(&rig->unit, QUIRE_DS, 0x10, QUIRE_ACCESS_READ, false, &walk);
    static const enum quire_walk_kind kinds[] = {
        QUIRE_WALK_SELECTOR, QUIRE_WALK_DESCRIPTOR, QUIRE_WALK_CHECK, QUIRE_WALK_LINEAR,
        QUIRE_WALK_TABLE,    QUIRE_WALK_LEAF,       QUIRE_WALK_DATUM};
    assert_int_equal(walk.nsteps, 7);
    for (unsigned i = 0; i < walk.nsteps; i++)
        assert_int_equal(walk.steps[i].kind, kinds[i]);
    assert_int_equal(walk.linear, 0x400010);
    assert_int_equal(walk.accesses, 3); /* the descriptor is in the register */
    assert_memory_equal(ram(rig, walk.physical), &word, 4);
    stop_both(&both);
}

static void each_unit_refuses_its_own(void **state) {
    (void)state;
    struct both both;
    struct quire_walk walk;
    char text[200];
    uint32_t word = 0;
    start_both(&both);
    struct rig *rig = &both.rig;
    /* In the segment, but nothing is mapped there: paging refuses, as a program's access. */
    assert_false(moves(rig, QUIRE_DS, 0x1FFF, 1, QUIRE_ACCESS_READ));
    assert_int_equal(rig->fault.exception, QUIRE_PF);
    assert_int_equal(rig->fault.error_code, 4);
    assert_int_equal(rig->fault.address, 0x401FFF);
    /* Past the limit, although a page could be there. */
    assert_false(moves(rig, QUIRE_DS, 0x2000, 1, QUIRE_ACCESS_READ));
    assert_int_equal(rig->fault.exception, QUIRE_GP);
    quire_segment_walk(&rig->unit, QUIRE_DS, 0x2000, QUIRE_ACCESS_READ, false, &walk);
    assert_int_equal(walk.fault, QUIRE_WALK_SEGMENTED);
    /* Read-only pages: present and written by a program is 7. */
    assert_true(
        quire_segment_move(&rig->unit, QUIRE_DS, 0, &word, 4, QUIRE_ACCESS_WRITE, &rig->fault));
    assert_int_equal(quire_protect(both.space, both.data, 4096, QUIRE_PROT_READ), QUIRE_OK);
    assert_false(
        quire_segment_move(&rig->unit, QUIRE_DS, 0, &word, 4, QUIRE_ACCESS_WRITE, &rig->fault));
    assert_int_equal(rig->fault.error_code, 7);
    quire_segment_fault_text(&rig->fault, text, sizeof text);
    assert_string_equal(text,
                        "page fault #PF(0x7): ds:0x0, linear 0x400000: not allowed by the page");
    stop_both(&both);
}

/* ---- random segments, and the rules said once more ------------------------------------------- */

static bool may(const struct quire_descriptor *d, enum quire_segment_register segment,
                uint64_t offset, uint64_t n, enum quire_access access) {
    uint64_t size = d->granular ? ((uint64_t)d->limit + 1) * 4096 : (uint64_t)d->limit + 1;
    bool code = d->type & 8, second = d->type & 2, down = !code && (d->type & 4);
    uint64_t low = down ? size : 0, high = down ? (d->big ? (uint64_t)1 << 32 : 1 << 16) : size;
    if (offset < low || offset + n > high)
        return false;
    if (access == QUIRE_ACCESS_EXEC)
        return segment == QUIRE_CS;
    return access == QUIRE_ACCESS_WRITE ? !code && second : !code || second;
}

static void random_segments(void **state) {
    (void)state;
    struct rig rig = start();
    uint64_t random = 11;
    unsigned allowed = 0;
    for (unsigned i = 0; i < 200000; i++) {
        struct quire_descriptor d = {
            .base = (uint32_t)next_random(&random),
            .limit = (uint32_t)(next_random(&random) >> (12 + next_random(&random) % 20)) & 0xFFFFF,
            .type = (unsigned)next_random(&random) % 16,
            .present = true,
            .granular = next_random(&random) % 2,
            .big = next_random(&random) % 2};
        enum quire_segment_register segment = (enum quire_segment_register)(i % QUIRE_NSEGMENTS);
        put(&rig, GDT_AT + DATA3 * 8, &d);
        if (!quire_segment_load(&rig.unit, segment, DATA3 * 8, &rig.fault))
            continue;
        uint32_t edge = quire_descriptor_last(&d) + (uint32_t)(next_random(&random) % 16) - 8;
        uint32_t offset = i % 3 ? edge : (uint32_t)next_random(&random);
        uint32_t n = 1 + (uint32_t)next_random(&random) % 8, linear;
        static const enum quire_access accesses[] = {QUIRE_ACCESS_READ, QUIRE_ACCESS_WRITE,
                                                     QUIRE_ACCESS_EXEC};
        enum quire_access access = accesses[next_random(&random) % 3];
        bool got =
            quire_segment_translate(&rig.unit, segment, offset, n, access, &linear, &rig.fault);
        assert_int_equal(got, may(&d, segment, offset, n, access));
        allowed += got;
        if (got)
            assert_int_equal(linear, (uint32_t)(d.base + offset));
    }
    assert_true(allowed > 10000);
    assert_int_equal(rig.unit.checks - rig.unit.refusals, allowed);
    quire_soft_destroy(rig.machine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_are_intel_s),      cmocka_unit_test(loading_is_checked),
        cmocka_unit_test(tables_are_the_kernel_s),      cmocka_unit_test(accesses_are_checked),
        cmocka_unit_test(privilege_goes_through_gates), cmocka_unit_test(both_units_in_a_row),
        cmocka_unit_test(each_unit_refuses_its_own),    cmocka_unit_test(random_segments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
