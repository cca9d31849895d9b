/* memblock.c: boot memory: what ranges are accepted, what is taken from where, and the frame table
 * that grows out of it on machines of many shapes. */
#include "port_double.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void take(void **state) {
    (void)state;
    struct quire_machine *machine = double_holes();
    struct quire_memblock memblock;
    assert_int_equal(quire_memblock_init(&memblock, machine), QUIRE_OK);
    assert_int_equal(memblock.nranges, 3);
    assert_int_equal(quire_memblock_total(&memblock), 0x9E000 + 0x503000 + 0x301000);
    assert_int_equal(quire_memblock_taken(&memblock), 0);

    char *first = quire_memblock_take(&memblock, 100, 64); /* from the top of the highest range */
    assert_ptr_equal(first, machine->memory[2] + 0x301000 - 128);
    assert_int_equal(quire_memblock_taken(&memblock), 4096);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(first[i], 0);
    }
    char *second = quire_memblock_take(&memblock, 3, 1);
    assert_ptr_equal(second, first - 3);
    char *page = quire_memblock_take(&memblock, 4096, 4096);
    assert_int_equal((uintptr_t)page & 4095, 0);
    assert_int_equal(quire_memblock_taken(&memblock), 8192);

    /* Too large for what is left of the highest range: the next lower one gives it. */
    char *large = quire_memblock_take(&memblock, 0x301000, 4096);
    assert_ptr_equal(large, machine->memory[1] + 0x503000 - 0x301000);
    assert_null(quire_memblock_take(&memblock, 0x400000, 4096));
    /* All of a range, to the last byte, and then nothing more from it. */
    assert_ptr_equal(quire_memblock_take(&memblock, 0x2FF000, 16), machine->memory[2]);
    assert_ptr_equal(quire_memblock_take(&memblock, 0x202000, 4096), machine->memory[1]);
    assert_ptr_equal(quire_memblock_take(&memblock, 0x9E000, 8), machine->memory[0]);
    assert_null(quire_memblock_take(&memblock, 1, 1));
    assert_int_equal(quire_memblock_taken(&memblock), quire_memblock_total(&memblock));
    double_release(machine);
}

/* What does not fit at its alignment is had from a lower range; a size near the largest number is
 * no small one. */
static void aligned(void **state) {
    (void)state;
    struct quire_machine *machine = double_holes();
    struct quire_memblock memblock;
    quire_paddr start = {7};
    assert_int_equal(quire_memblock_init(&memblock, machine), QUIRE_OK);
    assert_int_equal(quire_memblock_reserve(&memblock, UINT64_MAX, 1, &start), QUIRE_NOMEM);
    assert_int_equal(quire_memblock_reserve(&memblock, UINT64_MAX - 4095, 1, &start), QUIRE_NOMEM);
    assert_int_equal(quire_memblock_taken(&memblock), 0);
    /* The highest range has room, but not from 16 MiB on: it begins a page above. */
    assert_int_equal(quire_memblock_reserve(&memblock, 0x300000, 1u << 24, &start), QUIRE_NOMEM);
    assert_int_equal(quire_memblock_reserve(&memblock, 0x300000, 1u << 21, &start), QUIRE_OK);
    assert_int_equal(start.value, 0x200000);
    assert_int_equal(memblock.ranges[2].limit, 0x1001000 + 0x301000);
    assert_int_equal(quire_memblock_reserve(&memblock, 1, 1, &start), QUIRE_OK);
    assert_int_equal(start.value, 0x1001000 + 0x300000); /* whole pages */
    double_release(machine);
}

/* However much RAM and whatever is set aside: what is not a table is managed, the rest reserved. */
static void each_place_of_a_reservation(void) {
    for (uint64_t npages = 2300; npages < 4500; npages += 37) {
        struct quire_machine *machine = double_plain(npages * 4096);
        const struct quire_phys_config config = {.reserve_bytes = (4u << 20) + 4096 * (npages % 9)};
        struct quire *q = double_boot_with(machine, &config);
        quire_paddr start;
        uint64_t length;
        assert_non_null(q);
        assert_true(quire_reserved(q, &start, &length));
        assert_in_range(quire_page_count(q, QUIRE_USE_RESERVED), length >> 12,
                        (length >> 12) + npages / 40);
        assert_int_equal(start.value % (4u << 20), 0);
        double_down(machine, q);
    }
}

/* RAM that is left alone, and a piece larger than any block set aside; the rest is managed. */
static void limit_and_reserve(void **state) {
    (void)state;
    struct quire_machine *machine = double_holes();
    struct quire_memblock memblock;
    quire_paddr start;
    assert_int_equal(quire_memblock_init(&memblock, machine), QUIRE_OK);
    assert_int_equal(quire_memblock_limit(&memblock, 0x9E000 + 0x2FFFFF), QUIRE_OK);
    assert_int_equal(memblock.nranges, 2);
    assert_int_equal(quire_memblock_total(&memblock), 0x9E000 + 0x2FF000);
    assert_int_equal(memblock.ranges[1].end, 0x100000 + 0x2FF000);
    assert_int_equal(quire_memblock_limit(&memblock, 0xFFF), QUIRE_INVAL);
    double_release(machine);

    machine = double_plain((uint64_t)40 << 20);
    const struct quire_phys_config config = {.reserve_bytes = (9u << 20) + 5};
    struct quire *q = double_boot_with(machine, &config);
    uint64_t length;
    assert_true(quire_reserved(q, &start, &length));
    assert_int_equal(length, (9u << 20) + 4096);
    assert_int_equal(start.value & 0x3FFFFF, 0);
    uint32_t first = quire_frame_at(start).number, end = first + (uint32_t)(length >> 12);
    for (uint32_t i = first; i < end; i++) { /* nobody touched it, nobody will get it */
        assert_int_equal(*(unsigned char *)quire_frame_window(q, (quire_frame){i}), 0xA5);
        assert_int_equal(quire_page_at(q, (quire_frame){i})->use, QUIRE_USE_RESERVED);
    }
    assert_int_equal(quire_page_total(q), 40 << 8);
    /* What lies above it up to the frame table is managed as well: the alignment costs nothing. */
    assert_in_range(quire_page_count(q, QUIRE_USE_RESERVED), end - first, end - first + 400);
    uint64_t above = 0;
    struct quire_page *page;
    while ((page = quire_page_alloc(q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_RECLAIM)) != NULL) {
        uint32_t frame = quire_page_frame(q, page).number;
        assert_true(frame < first || frame >= end);
        above += frame >= end;
    }
    uint64_t gap = 3 * 1024 - (end - first); /* below 40 MiB, the frame table is taken from it */
    assert_in_range(above, gap - 200, gap);
    quire_phys_audit(q);
    double_release(machine);
    each_place_of_a_reservation();

    machine = double_plain((uint64_t)8 << 20);
    const struct quire_phys_config none = {.reserve_bytes = 5}, most = {.reserve_bytes = 9 << 20};
    q = double_boot_with(machine, &none);
    assert_true(quire_reserved(q, &start, &length) && length == 4096);
    assert_null(double_boot_with(machine, &most));
    q = double_boot(machine, 0);
    assert_false(quire_reserved(q, &start, &length));
    double_release(machine);
}

/* Maps that break the port's promise are refused, not repaired. */
static void bad_maps(void **state) {
    (void)state;
    static const struct quire_ram_range bad[][2] = {
        {{{0x1000}, 0x1001}, {{0}, 0}},
        {{{0x1001}, 0x1000}, {{0}, 0}},
        {{{0x1000}, 0x1000}, {{0x2000}, 0x1000}}, /* they touch */
        {{{0x9000}, 0x1000}, {{0x1000}, 0x1000}}, /* they descend */
        {{{0x1000}, 0x9000}, {{0x3000}, 0x1000}}, /* they overlap */
        {{{(uint64_t)UINT32_MAX << 12}, 0x1000}, {{0}, 0}},
        {{{0xFFFFFFFFFFFFF000u}, 0x1000}, {{0}, 0}},
        {{{0}, 0}, {{0}, 0}},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct quire_machine machine = {.nranges = bad[i][1].length_bytes ? 2 : 1};
        machine.ranges[0] = bad[i][0];
        machine.ranges[1] = bad[i][1];
        struct quire_memblock memblock;
        assert_int_equal(quire_memblock_init(&memblock, &machine), QUIRE_INVAL);
    }
    struct quire_machine none = {.nranges = 0};
    struct quire_memblock memblock;
    assert_int_equal(quire_memblock_init(&memblock, &none), QUIRE_INVAL);
}

/* Every frame count from 3 on: either it boots and adds up, or it says that it cannot. */
static void small_machines(void **state) {
    (void)state;
    unsigned booted = 0;
    for (uint64_t npages = 1; npages < 400; npages++) {
        struct quire_machine *machine = double_plain(npages * 4096);
        struct quire *q = double_boot(machine, 0);
        if (q) {
            booted++;
            quire_phys_audit(q);
            assert_int_equal(quire_page_total(q), npages);
            assert_int_equal(quire_page_count(q, QUIRE_USE_FREE) +
                                 quire_page_count(q, QUIRE_USE_RESERVED),
                             npages);
            assert_true(quire_page_watermark(q, QUIRE_WMARK_MIN) >= 8);
            assert_true(quire_page_watermark(q, QUIRE_WMARK_LOW) >
                        quire_page_watermark(q, QUIRE_WMARK_MIN));
            assert_true(quire_page_watermark(q, QUIRE_WMARK_HIGH) >
                        quire_page_watermark(q, QUIRE_WMARK_LOW));
            quire_phys_shutdown(q);
        } else {
            assert_true(npages < 32);
        }
        double_release(machine);
    }
    assert_true(booted > 360);
}

/* Two ranges so far apart that the tables, which are for holes too, hardly fit: what lacks room is
 * now one table and now another, and each time boot says so. */
static void hardly_room(void **state) {
    (void)state;
    unsigned booted = 0, refused = 0;
    for (uint64_t apart = 2000; apart < 4100; apart += 3) {
        struct quire_machine *machine = double_machine();
        struct quire_phys_config config = {.min_free_pages = 2, .ncpus = 3};
        double_add_range(machine, 0x1000, 0x1000);
        double_add_range(machine, apart << 12, 256 << 10);
        struct quire *q = double_boot_with(machine, &config);
        if (q) {
            assert_int_equal(refused, 0);
            booted++;
            quire_phys_audit(q);
            quire_phys_shutdown(q);
        } else {
            refused++;
        }
        double_release(machine);
    }
    assert_true(booted > 100 && refused > 100);
}

/* The same with a range for the frame table that has a page or less to spare: then it is the tags,
 * or the sets of free blocks, or the stacks of 64 processors for which nothing is left. */
static void tables_one_by_one(void **state) {
    (void)state;
    unsigned booted = 0, refused = 0;
    for (uint64_t table = 56; table <= 64; table += 8) { /* pages */
        for (uint64_t frames = table * 4096 / 64 - 130; frames < table * 64 + 4; frames++) {
            struct quire_machine *machine = double_machine();
            double_add_range(machine, 0, table << 12);
            double_add_range(machine, (frames - 5) << 12, 5 << 12);
            struct quire_phys_config config = {.min_free_pages = 2};
            struct quire *q = double_boot_with(machine, &config);
            booted += q != NULL;
            refused += q == NULL;
            double_release(machine);
        }
    }
    assert_true(refused > 100 && booted == 0);
    for (uint64_t npages = 30; npages < 130; npages++) {
        struct quire_machine *machine = double_plain(npages * 4096);
        struct quire_phys_config config = {.min_free_pages = 2, .ncpus = QUIRE_CPUS_MAX};
        struct quire *q = double_boot_with(machine, &config);
        if (q) {
            booted++;
            quire_phys_audit(q);
            for (unsigned cpu = 0; cpu < QUIRE_CPUS_MAX; cpu++) { /* each has a stack of one */
                quire_page_set_cpu(q, cpu);
                struct quire_page *page =
                    quire_page_alloc(q, 0, QUIRE_USE_ANON, QUIRE_ALLOC_RECLAIM);
                if (page) {
                    quire_page_free(q, page);
                }
            }
            quire_phys_audit(q);
            quire_phys_shutdown(q);
        } else {
            assert_int_equal(booted, 0); /* more RAM never makes it worse */
        }
        double_release(machine);
    }
    assert_true(booted > 30 && booted < 95);
}

/* Watermarks are Linux's where Linux has them: 4 * sqrt(KiB) KiB. */
static void watermarks(void **state) {
    (void)state;
    static const struct {
        uint64_t mib, least, most; /* of min, in pages */
    } cases[] = {{1, 8, 8}, {4, 30, 32}, {16, 120, 128}, {64, 250, 256}, {256, 500, 512}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct quire_machine *machine = double_plain(cases[i].mib << 20);
        struct quire *q = double_boot(machine, 0);
        assert_non_null(q);
        uint64_t min = quire_page_watermark(q, QUIRE_WMARK_MIN);
        assert_in_range(min, cases[i].least, cases[i].most);
        assert_int_equal(quire_page_watermark(q, QUIRE_WMARK_LOW), min + min / 4);
        assert_int_equal(quire_page_watermark(q, QUIRE_WMARK_HIGH), min + 2 * (min / 4));
        double_release(machine);
    }
    struct quire_machine *machine = double_plain((uint64_t)1 << 20);
    assert_null(double_boot(machine, 240)); /* nothing would be left */
    assert_null(double_boot(machine, 1000000));
    struct quire *q = double_boot(machine, 20);
    assert_non_null(q);
    assert_int_equal(quire_page_watermark(q, QUIRE_WMARK_MIN), 20);
    double_release(machine);
}

/* Page, frame, window and address lead to each other, across holes too. */
static void frames_and_windows(void **state) {
    (void)state;
    struct quire_machine *machine = double_holes();
    struct quire *q = double_boot(machine, 0);
    assert_non_null(q);
    for (unsigned i = 0; i < machine->nranges; i++) {
        uint32_t first = quire_frame_at(machine->ranges[i].start).number;
        uint32_t n = (uint32_t)(machine->ranges[i].length_bytes >> 12);
        for (uint32_t k = 0; k < n; k++) {
            quire_frame frame = {first + k};
            struct quire_page *page = quire_page_at(q, frame);
            char *window = machine->memory[i] + (size_t)k * 4096;
            assert_int_equal(quire_page_frame(q, page).number, frame.number);
            assert_ptr_equal(quire_page_window(q, page), window);
            assert_ptr_equal(quire_frame_window(q, frame), window);
            assert_ptr_equal(quire_page_under(q, window), page);
            assert_ptr_equal(quire_page_under(q, window + 4095), page);
        }
        assert_null(quire_page_under(q, machine->memory[i] + machine->ranges[i].length_bytes));
    }
    assert_null(quire_page_under(q, &machine));
    assert_true(PANICS(machine, quire_frame_window(q, (quire_frame){0x700}))); /* in a hole */
    assert_true(PANICS(machine, quire_page_at(q, (quire_frame){0x9000})));
    assert_true(PANICS(machine, quire_page_at(q, (quire_frame){0})));
    double_release(machine);
}

/* A frame that is none is not given back by mistake: beyond the table, and in a hole. */
static void strangers(void **state) {
    (void)state;
    struct quire_machine *machine = double_machine();
    double_add_range(machine, 0, 4 << 20);
    double_add_range(machine, 16 << 20, 0x1000);
    struct quire *q = double_boot(machine, 0);
    assert_int_equal(q->phys->end, (16 << 8) + 1);
    assert_true(PANICS(machine, quire_frames_free(q, (quire_frame){(16 << 8) + 1}, 0)));
    assert_true(PANICS(machine, quire_frames_free(q, (quire_frame){(4 << 8) + 1}, 0)));
    quire_phys_audit(q);
    double_release(machine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(take),        cmocka_unit_test(limit_and_reserve),
        cmocka_unit_test(bad_maps),    cmocka_unit_test(small_machines),
        cmocka_unit_test(watermarks),  cmocka_unit_test(frames_and_windows),
        cmocka_unit_test(hardly_room), cmocka_unit_test(aligned),
        cmocka_unit_test(strangers),   cmocka_unit_test(tables_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
