/* layout.c: the 32-bit machine: a program's 3 GiB, its stack from arguments to overflow, the
 * kernel's 1 GiB, and high memory in use.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <quire/kmap.h>
#include <quire/kmem.h>
#include <quire/layout.h>
#include <quire/quire.h>
#include <quire/view.h>

#include "machine/soft/mmu.h"
#include "machine/soft/walk.h"

#define MIB ((uint64_t)1 << 20)

struct system {
    struct quire_machine *machine;
    struct quire *q;
    struct quire_soft_layout layout;
};

static struct system start(uint64_t ram_bytes) {
    struct system system = {.q = NULL};
    struct quire_soft_config soft = {
        .ram_bytes = ram_bytes, .seed = 1, .format = &quire_radix_sv32, .kernel_map = true};
    assert_int_equal(quire_soft_create(&soft, &system.machine), QUIRE_OK);
    struct quire_config config = {
        .machine = system.machine, .swappiness = 60, .zone_ends = quire_layout32_zone_ends};
    assert_int_equal(quire_create(&config, &system.q), QUIRE_OK);
    quire_soft_layout(system.machine, &system.layout);
    return system;
}

static void stop(struct system *system) {
    quire_audit(system->q);
    quire_destroy(system->q);
    quire_soft_destroy(system->machine);
}

static const char *const arguments[] = {"sort", "-n", "big.txt", NULL};
static const char *const environment[] = {"HOME=/root", "LANG=C", NULL};
static const struct quire_program32 sorter = {.text_bytes = 20000,
                                              .data_bytes = 5000,
                                              .bss_bytes = 9000,
                                              .path = "/usr/bin/sort",
                                              .arguments = arguments,
                                              .environment = environment};

static enum quire_status touch(struct quire_space *space, uint64_t va, enum quire_access access) {
    uint8_t *host;
    return quire_mmu_access(quire_space_pmap(space), va, access, &host);
}

static uint32_t word_at(struct quire_space *space, uint32_t va) {
    uint32_t word;
    assert_int_equal(quire_copy_in(space, &word, quire_va(va), sizeof word), 0);
    return word;
}

static void string_at(struct quire_space *space, uint32_t va, const char *want) {
    char text[64];
    assert_int_equal(quire_copy_in(space, text, quire_va(va), strlen(want) + 1), 0);
    assert_string_equal(text, want);
}

static void a_program_has_3_gib(void **state) {
    (void)state;
    struct system system = start(32 * MIB);
    struct quire_space *space;
    struct quire_image32 i;
    assert_int_equal(quire_layout32_create(system.q, &sorter, &space, &i), QUIRE_OK);
    assert_int_equal(system.layout.user_end, QUIRE_LAYOUT32_USER_END);
    /* In this order, from 0x08048000 to the last byte below 3 GiB. */
    assert_int_equal(i.text, 0x08048000);
    assert_true(i.text < i.text_end && i.text_end <= i.data && i.data < i.data_end);
    assert_true(i.data_end == i.bss && i.bss < i.bss_end && i.bss_end <= i.brk);
    assert_int_equal(i.brk & QUIRE_PAGE_MASK, 0);
    assert_true(i.stack_pointer < i.arguments && i.arguments < i.environment);
    assert_true(i.environment < i.path && i.path < i.strings_end);
    assert_int_equal(i.strings_end, 0xBFFFFFFC);
    /* What each allows. */
    assert_int_equal(touch(space, i.text, QUIRE_ACCESS_EXEC), QUIRE_OK);
    assert_int_equal(touch(space, i.text, QUIRE_ACCESS_WRITE), QUIRE_DENIED);
    assert_int_equal(touch(space, i.data, QUIRE_ACCESS_WRITE), QUIRE_OK);
    assert_int_equal(touch(space, i.bss_end - 1, QUIRE_ACCESS_WRITE), QUIRE_OK);
    assert_int_equal(touch(space, i.data, QUIRE_ACCESS_EXEC), QUIRE_DENIED);
    assert_int_equal(touch(space, 0, QUIRE_ACCESS_READ), QUIRE_FAULT);
    assert_int_equal(touch(space, i.brk, QUIRE_ACCESS_READ), QUIRE_FAULT);
    /* The heap grows up, mappings come from their top down. */
    assert_int_equal(quire_brk(space, quire_va(i.brk + 0x21000)).value, i.brk + 0x21000);
    assert_int_equal(touch(space, i.brk + 0x20FFF, QUIRE_ACCESS_WRITE), QUIRE_OK);
    quire_vaddr va = quire_va(0);
    assert_int_equal(quire_map(space, &va, MIB, 3, 0, NULL, 0), QUIRE_OK);
    assert_int_equal(va.value, QUIRE_LAYOUT32_MAP_TOP - MIB);
    /* What is the kernel's can neither be touched nor mapped. */
    assert_int_equal(touch(space, 0xC0000000, QUIRE_ACCESS_READ), QUIRE_FAULT);
    assert_int_equal(touch(space, 0xFFFFF000, QUIRE_ACCESS_READ), QUIRE_FAULT);
    va = quire_va(0xC0000000);
    assert_int_not_equal(quire_map(space, &va, 4096, 3, QUIRE_MAP_FIXED, NULL, 0), QUIRE_OK);
    quire_space_destroy(space);
    stop(&system);
}

static void the_stack_says_how_it_was_called(void **state) {
    (void)state;
    struct system system = start(32 * MIB);
    struct quire_space *space;
    struct quire_image32 i;
    assert_int_equal(quire_layout32_create(system.q, &sorter, &space, &i), QUIRE_OK);
    uint32_t sp = i.stack_pointer;
    assert_int_equal(sp % 16, 0);
    assert_int_equal(word_at(space, sp), 3);
    for (unsigned k = 0; k < 3; k++)
        string_at(space, word_at(space, sp + 4 + 4 * k), arguments[k]);
    assert_int_equal(word_at(space, sp + 4), i.arguments);
    assert_int_equal(word_at(space, sp + 16), 0);
    for (unsigned k = 0; k < 2; k++)
        string_at(space, word_at(space, sp + 20 + 4 * k), environment[k]);
    assert_int_equal(word_at(space, sp + 28), 0);
    string_at(space, i.path, "/usr/bin/sort");
    assert_int_equal(word_at(space, 0xBFFFFFFC), 0);
    quire_space_destroy(space);
    stop(&system);
}

/* Down by faults, to 8 MiB and not a page further; or to what somebody set. */
static void the_stack_grows_to_its_limit(void **state) {
    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        struct system system = start(32 * MIB);
        struct quire_program32 program = sorter;
        struct quire_space *space;
        struct quire_image32 i;
        uint64_t limit = round ? MIB : 8 * MIB;
        program.stack_limit_bytes = round ? limit : 0;
        assert_int_equal(quire_layout32_create(system.q, &program, &space, &i), QUIRE_OK);
        struct quire_space_usage before, after;
        quire_space_usage(space, &before);
        assert_true(before.stack * QUIRE_PAGE_SIZE < limit / 2);
        for (uint64_t down = 4096; down <= limit; down += 4096)
            assert_int_equal(touch(space, 0xC0000000 - down, QUIRE_ACCESS_WRITE), QUIRE_OK);
        quire_space_usage(space, &after);
        assert_int_equal(after.stack * QUIRE_PAGE_SIZE, limit);
        assert_int_equal(touch(space, 0xC0000000 - limit - 1, QUIRE_ACCESS_WRITE), QUIRE_FAULT);
        quire_space_destroy(space);
        stop(&system);
    }
}

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    struct system system = start(32 * MIB);
    struct quire_space *space;
    struct quire_image32 i;
    struct quire_program32 bad[4] = {sorter, sorter, sorter, sorter};
    static char huge[(128 << 10) + 1];
    static const char *huge_list[2] = {huge};
    memset(huge, 'x', sizeof huge - 1);
    bad[0].text_bytes = 0;
    bad[1].bss_bytes = 0xB0000000;
    bad[2].arguments = huge_list;
    bad[3].path = huge;
    for (unsigned k = 0; k < 4; k++)
        assert_int_equal(quire_layout32_create(system.q, &bad[k], &space, &i), QUIRE_INVAL);
    /* Every allocation on the way fails once: no space is left behind (stop audits). */
    unsigned refused = 0;
    for (uint64_t n = 1; n < 60; n++) {
        quire_fail_range(system.q, n, UINT64_MAX);
        enum quire_status status = quire_layout32_create(system.q, &sorter, &space, &i);
        quire_fail_every(system.q, 0);
        if (status == QUIRE_OK)
            quire_space_destroy(space);
        else
            refused++;
    }
    assert_true(refused > 0);
    struct quire_usage usage;
    quire_usage(system.q, &usage);
    assert_int_equal(usage.page_tables + usage.anon, 0);
    stop(&system);
}

/* L3: lowmem, vmalloc, pkmap, fixmap, the hole; each address of them is where the text says. */
static void the_kernel_has_1_gib(void **state) {
    (void)state;
    struct system system = start(1024 * MIB);
    char text[1000];
    size_t n = quire_soft_layout_text(system.machine, text, sizeof text);
    assert_int_equal(n, strlen(text));
    assert_string_equal(text, "virtual kernel memory layout:\n"
                              "    hole    : 0xfffff000 - 0xffffffff   (   4 KiB)\n"
                              "    fixmap  : 0xfffef000 - 0xffffefff   (  64 KiB)\n"
                              "    pkmap   : 0xfffaf000 - 0xfffeefff   ( 256 KiB)\n"
                              "    vmalloc : 0xf8800000 - 0xfffaefff   ( 119 MiB)\n"
                              "    lowmem  : 0xc0000000 - 0xf7ffffff   ( 896 MiB)\n"
                              "    user    : 0x00000000 - 0xbfffffff   (3072 MiB)\n");
    assert_int_equal(quire_soft_layout_text(system.machine, text, 10), n);
    void *area = quire_vmalloc(system.q, 100000), *fixed = quire_fixmap_address(system.q, 0);
    assert_non_null(area);
    assert_int_equal(quire_soft_kernel_va(system.machine, area), 0xf8800000);
    assert_int_equal(quire_soft_kernel_va(system.machine, fixed), 0xfffef000);
    void *low = quire_kmalloc(system.q, 100);
    assert_true(quire_soft_kernel_va(system.machine, low) >= 0xc0000000);
    assert_true(quire_soft_kernel_va(system.machine, low) < 0xf8000000);
    assert_int_equal(quire_soft_kernel_va(system.machine, &area), 0);
    quire_kfree(system.q, low);
    quire_vfree(system.q, area);
    stop(&system);
}

/* Programs get what the kernel can't see; it sees such a page through a slot. */
static void high_memory_is_used(void **state) {
    (void)state;
    struct system system = start(1024 * MIB);
    struct quire_space *space;
    struct quire_image32 i;
    struct quire_walk walk;
    uint32_t word = 0xABCD1234;
    assert_int_equal(quire_layout32_create(system.q, &sorter, &space, &i), QUIRE_OK);
    assert_int_equal(quire_copy_out(space, quire_va(i.data), &word, sizeof word), 0);
    assert_int_equal(touch(space, i.data, QUIRE_ACCESS_READ), QUIRE_OK);
    struct quire_pmap *pmap = quire_space_pmap(space);
    quire_soft_walk(pmap, i.data, QUIRE_ACCESS_READ, false, false, &walk);
    assert_int_equal(walk.fault, QUIRE_WALK_OK);
    assert_true(walk.physical >= QUIRE_LAYOUT32_LOW_BYTES);   /* HIGHMEM */
    assert_true(walk.steps[0].at < QUIRE_LAYOUT32_LOW_BYTES); /* tables are the kernel's */
    assert_true(walk.steps[1].at < QUIRE_LAYOUT32_LOW_BYTES);
    quire_frame frame = quire_frame_at((quire_paddr){walk.physical});
    uint8_t *window = quire_mach_window(system.machine, frame);
    assert_int_equal(quire_soft_kernel_va(system.machine, window), 0);

    char *slot = quire_kmap(system.q, frame);
    uint64_t va = quire_soft_kernel_va(system.machine, slot);
    assert_int_equal(va, 0xfffaf000);
    assert_memory_equal(slot + (i.data & QUIRE_PAGE_MASK), &word, sizeof word);
    uint64_t physical = walk.physical;
    quire_soft_walk(pmap, va + (i.data & QUIRE_PAGE_MASK), QUIRE_ACCESS_READ, true, false, &walk);
    assert_int_equal(walk.physical, physical);
    quire_soft_walk(pmap, va, QUIRE_ACCESS_READ, false, false, &walk);
    assert_int_equal(walk.fault, QUIRE_WALK_NOT_USER);
    quire_kunmap(system.q, frame);
    char text[8000];
    quire_view_zoneinfo(system.q, text, sizeof text);
    assert_non_null(strstr(text, "HighMem"));
    quire_space_destroy(space);
    stop(&system);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_program_has_3_gib),
        cmocka_unit_test(the_stack_says_how_it_was_called),
        cmocka_unit_test(the_stack_grows_to_its_limit),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(the_kernel_has_1_gib),
        cmocka_unit_test(high_memory_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
