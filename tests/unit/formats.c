/* formats.c: the whole manager on each page-table format, and what the tables of each cost.
 *
 * The conformance suite and the simulation run on each format too (tests/port, tests/sim); here are
 * the figures of textbooks, counted by the manager that pays for the tables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <quire/quire.h>
#include <quire/space.h>

#include "machine/radix/radix.h"
#include "machine/soft/mmu.h"

#define MIB ((uint64_t)1 << 20)
#define RW  (QUIRE_PROT_READ | QUIRE_PROT_WRITE)
#define LOW ((uint64_t)0x10000)

struct system {
    struct quire_machine *machine;
    struct quire *q;
    const struct quire_radix_format *format;
};

static struct system start(const struct quire_radix_format *format, uint64_t ram_bytes,
                           enum quire_thp thp) {
    struct system system = {.format = format};
    struct quire_soft_config soft = {
        .ram_bytes = ram_bytes, .swap_bytes = {16 * MIB}, .seed = 1, .format = format};
    assert_int_equal(quire_soft_create(&soft, &system.machine), QUIRE_OK);
    struct quire_config config = {.machine = system.machine, .swappiness = 60, .thp = thp};
    assert_int_equal(quire_create(&config, &system.q), QUIRE_OK);
    assert_int_equal(quire_swapon(system.q, 0, 0), QUIRE_OK);
    return system;
}

static void stop(struct system *system) {
    quire_audit(system->q);
    quire_destroy(system->q);
    quire_soft_destroy(system->machine);
}

static struct quire_space *new_space(struct system *system) {
    uint64_t high = (uint64_t)1 << system->format->user_bits;
    struct quire_space_config config = {.low = quire_va(LOW),
                                        .high = quire_va(high),
                                        .map_top = quire_va(high - 16 * MIB),
                                        .stack_limit_bytes = 8 * MIB,
                                        .stack_gap_bytes = MIB};
    struct quire_space *space;
    assert_int_equal(quire_space_create(system->q, &config, &space), QUIRE_OK);
    return space;
}

static uint64_t table_pages(const struct system *system) {
    struct quire_usage usage;
    quire_usage(system->q, &usage);
    return usage.page_tables;
}

static uint8_t *touch(struct quire_space *space, uint64_t va, enum quire_access access) {
    uint8_t *host;
    assert_int_equal(quire_mmu_access(quire_space_pmap(space), va, access, &host), QUIRE_OK);
    return host;
}

/* V3: each process has 4 MiB of tables, whatever it uses: 400 MiB for 100 of them, and a program of
 * one page needs a thousand times its size. */
static void one_level_takes_4_mib_a_process(void **state) {
    (void)state;
    enum { N = 100 };
    struct system system = start(&quire_radix_flat, 512 * MIB, QUIRE_THP_NEVER);
    struct quire_space *spaces[N];
    for (unsigned i = 0; i < N; i++) {
        spaces[i] = new_space(&system);
        assert_int_equal(table_pages(&system) * QUIRE_PAGE_SIZE, (i + 1) * 4 * MIB);
    }
    quire_vaddr va = quire_va(0);
    assert_int_equal(quire_map(spaces[0], &va, 1, RW, 0, NULL, 0), QUIRE_OK);
    *touch(spaces[0], va.value, QUIRE_ACCESS_WRITE) = 1;
    struct quire_space_usage usage;
    quire_space_usage(spaces[0], &usage);
    assert_int_equal(usage.resident_anon, 1); /* 4095 of 4096 bytes are internal fragmentation */
    assert_int_equal(usage.page_tables * QUIRE_PAGE_SIZE, 4 * MIB);
    assert_int_equal(table_pages(&system) * QUIRE_PAGE_SIZE, 400 * MIB);
    for (unsigned i = 0; i < N; i++)
        quire_space_destroy(spaces[i]);
    assert_int_equal(table_pages(&system), 0);
    stop(&system);
}

/* V4: a fifth of the top level in use: 4 KiB + a fifth of 4 MiB, about 0.804 MiB. */
static void two_levels_take_what_is_used(void **state) {
    (void)state;
    struct system system = start(&quire_radix_sv32, 32 * MIB, QUIRE_THP_NEVER);
    struct quire_space *space = new_space(&system);
    unsigned fifth = 1024 / 5 + 1;
    assert_int_equal(table_pages(&system), 1);
    for (unsigned i = 0; i < fifth; i++) { /* 1024 * 20 % = 204.8 */
        quire_vaddr va = quire_va((uint64_t)(i + 1) << 22);
        assert_int_equal(quire_map(space, &va, 4096, RW, QUIRE_MAP_FIXED, NULL, 0), QUIRE_OK);
        *touch(space, va.value, QUIRE_ACCESS_WRITE) = (uint8_t)i;
        assert_int_equal(table_pages(&system), 2 + i);
    }
    assert_int_equal(table_pages(&system) * QUIRE_PAGE_SIZE * 1000 / MIB, 804);
    for (unsigned i = 0; i < fifth; i++)
        assert_int_equal(*touch(space, (uint64_t)(i + 1) << 22, QUIRE_ACCESS_READ), (uint8_t)i);
    quire_space_destroy(space);
    stop(&system);
}

/* The same program on each format: sparse memory, fork, copies on write, more than there is RAM.
 * The pages hold the same bytes; tables are what the format says. */
static void the_same_program_on_each(void **state) {
    (void)state;
    static const uint64_t tables[] = {
        /* a page in each of 8 stretches of 64 MiB, by format */
        [0] = 1 + 1 + 1 + 8, [1] = 1 + 1 + 8,         [2] = 1 + 8,
        [3] = 1024,          [4] = 1 + 1 + 1 + 1 + 8, [5] = 1 + 1 + 512 / 8 + 8};
    const struct quire_radix_format *format;
    for (unsigned f = 0; (format = quire_radix_format_at(f)) != NULL; f++) {
        struct system system = start(format, 24 * MIB, QUIRE_THP_NEVER);
        struct quire_space *parent = new_space(&system), *child;
        for (unsigned i = 0; i < 8; i++) {
            quire_vaddr va = quire_va((uint64_t)(i + 1) << 26);
            assert_int_equal(quire_map(parent, &va, MIB, RW, QUIRE_MAP_FIXED, NULL, 0), QUIRE_OK);
            *touch(parent, va.value + 5, QUIRE_ACCESS_WRITE) = (uint8_t)(i + 1);
        }
        if (f != 5) /* the small format's levels cover 8 MiB and 4 GiB */
            assert_int_equal(table_pages(&system), tables[f]);
        assert_int_equal(quire_space_fork(parent, NULL, &child), QUIRE_OK);
        for (unsigned i = 0; i < 8 * 256; i++) { /* all pages, of which half fit */
            uint64_t va = ((uint64_t)(i % 8 + 1) << 26) + i / 8 * QUIRE_PAGE_SIZE + 5;
            *touch(child, va, QUIRE_ACCESS_WRITE) = (uint8_t)(i % 199);
            *touch(parent, va + 1, QUIRE_ACCESS_WRITE) = (uint8_t)(i % 197);
        }
        for (unsigned i = 0; i < 8 * 256; i++) {
            uint64_t va = ((uint64_t)(i % 8 + 1) << 26) + i / 8 * QUIRE_PAGE_SIZE + 5;
            assert_int_equal(*touch(child, va, QUIRE_ACCESS_READ), i % 199);
            assert_int_equal(*touch(parent, va, QUIRE_ACCESS_READ), i < 8 ? i + 1 : 0);
            assert_int_equal(*touch(parent, va + 1, QUIRE_ACCESS_READ), i % 197);
        }
        quire_space_destroy(child);
        quire_space_destroy(parent);
        stop(&system);
    }
}

/* Transparent blocks are as large as one entry above the last level maps: 2 MiB, or 4 MiB. */
static void blocks_are_the_format_s(void **state) {
    (void)state;
    static const struct {
        const struct quire_radix_format *format;
        uint64_t bytes;
    } rows[] = {{&quire_radix_sv57, 2 * MIB}, {&quire_radix_sv48, 2 * MIB},
                {&quire_radix_sv39, 2 * MIB}, {&quire_radix_sv32, 4 * MIB},
                {&quire_radix_flat, 4096},    {&quire_radix_small, 16384}};
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct system system = start(rows[i].format, 64 * MIB, QUIRE_THP_ALWAYS);
        struct quire_space *space = new_space(&system);
        struct quire_space_usage usage;
        quire_vaddr va = quire_va(64 * MIB);
        assert_int_equal(quire_map(space, &va, 8 * MIB, RW, QUIRE_MAP_FIXED, NULL, 0), QUIRE_OK);
        *touch(space, va.value + 4 * MIB, QUIRE_ACCESS_WRITE) = 7;
        quire_space_usage(space, &usage);
        assert_int_equal(usage.resident_anon * QUIRE_PAGE_SIZE, rows[i].bytes);
        quire_space_destroy(space);
        stop(&system);
    }
}

static void formats_have_names(void **state) {
    (void)state;
    unsigned n = 0;
    for (; quire_radix_format_at(n); n++)
        assert_ptr_equal(quire_radix_format_find(quire_radix_format_at(n)->name),
                         quire_radix_format_at(n));
    assert_int_equal(n, 6);
    assert_null(quire_radix_format_find("Sv64"));
    /* 4-byte entries have 22 bits for a frame. */
    struct quire_soft_config soft = {.ram_bytes = ((uint64_t)16 << 30) + QUIRE_PAGE_SIZE,
                                     .format = &quire_radix_sv32};
    struct quire_machine *machine;
    assert_int_equal(quire_soft_create(&soft, &machine), QUIRE_INVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_level_takes_4_mib_a_process),
        cmocka_unit_test(two_levels_take_what_is_used),
        cmocka_unit_test(the_same_program_on_each),
        cmocka_unit_test(blocks_are_the_format_s),
        cmocka_unit_test(formats_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
