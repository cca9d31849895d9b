/* walk.c: translations told step by step: accesses counted, bits shown, refusals named; the
 * kernel's part of every space; and the walk beside what the memory unit itself does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <quire/kmap.h>
#include <quire/quire.h>
#include <quire/space.h>

#include "machine/soft/mmu.h"
#include "machine/soft/walk.h"
#include "random.h"

#define MIB ((uint64_t)1 << 20)
#define RW  (QUIRE_PROT_READ | QUIRE_PROT_WRITE)

struct system {
    struct quire_machine *machine;
    struct quire *q;
    struct quire_space *space;
    struct quire_pmap *pmap;
    struct quire_soft_layout layout;
};

static struct quire_space *new_space(struct system *system) {
    struct quire_space_config config = {.low = quire_va(0x1000),
                                        .high = quire_va(system->layout.user_end),
                                        .map_top = quire_va(system->layout.user_end - 16 * MIB),
                                        .stack_limit_bytes = 8 * MIB,
                                        .stack_gap_bytes = MIB};
    struct quire_space *space;
    assert_int_equal(quire_space_create(system->q, &config, &space), QUIRE_OK);
    return space;
}

static struct system start(const struct quire_radix_format *format, uint64_t ram, bool kernel_map,
                           enum quire_thp thp) {
    struct system system = {.q = NULL};
    struct quire_soft_config soft = {
        .ram_bytes = ram, .seed = 1, .format = format, .kernel_map = kernel_map};
    assert_int_equal(quire_soft_create(&soft, &system.machine), QUIRE_OK);
    struct quire_config config = {.machine = system.machine, .swappiness = 60, .thp = thp};
    assert_int_equal(quire_create(&config, &system.q), QUIRE_OK);
    quire_soft_layout(system.machine, &system.layout);
    system.space = new_space(&system);
    system.pmap = quire_space_pmap(system.space);
    return system;
}

static void stop(struct system *system) {
    quire_space_destroy(system->space);
    quire_audit(system->q);
    quire_destroy(system->q);
    quire_soft_destroy(system->machine);
}

static void map(struct quire_space *space, uint64_t at, uint64_t nbytes, unsigned prot) {
    quire_vaddr va = quire_va(at);
    assert_int_equal(quire_map(space, &va, nbytes, prot, QUIRE_MAP_FIXED, NULL, 0), QUIRE_OK);
}

static uint8_t *reach(struct quire_pmap *pmap, uint64_t va, enum quire_access access) {
    uint8_t *host;
    assert_int_equal(quire_mmu_access(pmap, va, access, &host), QUIRE_OK);
    return host;
}

static uint64_t physical(const struct system *system, const uint8_t *host) {
    return (uint64_t)(host - (uint8_t *)quire_mach_window(system->machine, (quire_frame){0}));
}

static const struct quire_walk_step *leaf_of(const struct quire_walk *walk) {
    for (unsigned i = 0; i < walk->nsteps; i++) {
        if (walk->steps[i].kind == QUIRE_WALK_LEAF)
            return &walk->steps[i];
    }
    return NULL;
}

/* One access of memory for each level, and the datum; the TLB saves all but that. */
static void levels_are_accesses(void **state) {
    (void)state;
    const struct quire_radix_format *format;
    for (unsigned f = 0; (format = quire_radix_format_at(f)) != NULL; f++) {
        struct system system = start(format, 24 * MIB, false, QUIRE_THP_NEVER);
        struct quire_walk walk;
        uint64_t va = 0x12345678;
        map(system.space, va & ~(uint64_t)4095, 4096, RW);
        quire_soft_walk(system.pmap, va, QUIRE_ACCESS_READ, false, true, &walk);
        assert_int_equal(walk.fault, QUIRE_WALK_NOT_PRESENT); /* demand: not even tables */
        uint8_t *host = reach(system.pmap, va, QUIRE_ACCESS_WRITE);
        quire_soft_walk(system.pmap, va, QUIRE_ACCESS_READ, false, false, &walk);
        assert_int_equal(walk.fault, QUIRE_WALK_OK);
        assert_int_equal(walk.accesses, format->levels + 1);
        assert_int_equal(walk.physical, physical(&system, host));
        quire_soft_walk(system.pmap, va, QUIRE_ACCESS_READ, false, true, &walk);
        assert_int_equal(walk.steps[0].kind, QUIRE_WALK_TLB);
        assert_int_equal(walk.steps[0].index, 1);
        assert_int_equal(walk.accesses, 1);
        assert_int_equal(walk.physical, physical(&system, host));
        stop(&system);
    }
}

static void blocks_save_a_level(void **state) {
    (void)state;
    struct system system = start(&quire_radix_sv48, 64 * MIB, false, QUIRE_THP_ALWAYS);
    struct quire_walk walk;
    map(system.space, 64 * MIB, 4 * MIB, RW);
    uint8_t *host = reach(system.pmap, 64 * MIB + 0x12345, QUIRE_ACCESS_WRITE);
    quire_soft_walk(system.pmap, 64 * MIB + 0x12345, QUIRE_ACCESS_READ, false, false, &walk);
    assert_int_equal(walk.accesses, 4);
    assert_int_equal(leaf_of(&walk)->order, 9);
    assert_int_equal(walk.physical, physical(&system, host));
    quire_soft_walk(system.pmap, 64 * MIB + 0x54321, QUIRE_ACCESS_READ, false, true, &walk);
    assert_int_equal(walk.steps[0].index, 2); /* another page of it: the block's own entry */
    assert_int_equal(walk.accesses, 1);
    stop(&system);
}

/* V9: present, writable, user, accessed, dirty, and execution that is not allowed. */
static void entries_have_bits(void **state) {
    (void)state;
    struct system system = start(&quire_radix_sv32, 16 * MIB, true, QUIRE_THP_NEVER);
    struct quire_walk walk;
    uint8_t *host;
    uint64_t literal = 0x8049000, data = 0x804A000;
    map(system.space, literal, 4096, QUIRE_PROT_READ);
    map(system.space, data, 4096, RW);
    reach(system.pmap, data, QUIRE_ACCESS_READ);
    quire_soft_walk(system.pmap, data, QUIRE_ACCESS_READ, false, false, &walk);
    assert_int_equal(leaf_of(&walk)->value & 0xFF,
                     RADIX_VALID | RADIX_READ | RADIX_USER | RADIX_ACCESSED); /* the zero page */
    reach(system.pmap, data, QUIRE_ACCESS_WRITE);
    quire_soft_walk(system.pmap, data, QUIRE_ACCESS_WRITE, false, false, &walk);
    assert_int_equal(leaf_of(&walk)->value & 0xFF, RADIX_VALID | RADIX_READ | RADIX_WRITE |
                                                       RADIX_USER | RADIX_ACCESSED | RADIX_DIRTY);
    quire_soft_walk(system.pmap, data, QUIRE_ACCESS_EXEC, false, false, &walk);
    assert_int_equal(walk.fault, QUIRE_WALK_NOT_ALLOWED);

    /* A write to a string literal. */
    reach(system.pmap, literal, QUIRE_ACCESS_READ);
    quire_soft_walk(system.pmap, literal, QUIRE_ACCESS_WRITE, false, false, &walk);
    assert_int_equal(walk.fault, QUIRE_WALK_NOT_ALLOWED);
    assert_int_equal(quire_mmu_access(system.pmap, literal, QUIRE_ACCESS_WRITE, &host),
                     QUIRE_DENIED);

    /* The kernel's part: closed to the program, open to the kernel. */
    uint64_t kernel = system.layout.direct_base + 0x5000;
    quire_soft_walk(system.pmap, kernel, QUIRE_ACCESS_READ, false, false, &walk);
    assert_int_equal(walk.fault, QUIRE_WALK_NOT_USER);
    assert_false(leaf_of(&walk)->value & RADIX_USER);
    assert_true(leaf_of(&walk)->value & RADIX_GLOBAL);
    assert_int_equal(quire_mmu_access(system.pmap, kernel, QUIRE_ACCESS_READ, &host), QUIRE_FAULT);
    quire_soft_walk(system.pmap, kernel, QUIRE_ACCESS_READ, true, false, &walk);
    assert_int_equal(walk.fault, QUIRE_WALK_OK);
    assert_int_equal(walk.physical, 0x5000);
    assert_int_equal(quire_mmu_kernel_access(system.pmap, kernel, QUIRE_ACCESS_WRITE, &host),
                     QUIRE_OK);
    assert_int_equal(physical(&system, host), 0x5000);
    quire_soft_walk(system.pmap, kernel, QUIRE_ACCESS_READ, true, false, &walk);
    assert_int_equal(leaf_of(&walk)->value & 0xFF, RADIX_VALID | RADIX_READ | RADIX_WRITE |
                                                       RADIX_GLOBAL | RADIX_ACCESSED | RADIX_DIRTY);
    stop(&system);
}

/* V10: one address, two processes, two frames; the kernel's tables are the same ones. */
static void spaces_are_isolated(void **state) {
    (void)state;
    static const struct quire_radix_format *const formats[] = {&quire_radix_sv32, &quire_radix_sv39,
                                                               &quire_radix_sv48};
    for (unsigned f = 0; f < 3; f++) {
        struct system system = start(formats[f], 16 * MIB, true, QUIRE_THP_NEVER);
        struct quire_space *other = new_space(&system);
        struct quire_walk first, second;
        map(system.space, 0x400000, 4096, RW);
        map(other, 0x400000, 4096, RW);
        *reach(system.pmap, 0x400000, QUIRE_ACCESS_WRITE) = 1;
        *reach(quire_space_pmap(other), 0x400000, QUIRE_ACCESS_WRITE) = 2;
        quire_soft_walk(system.pmap, 0x400000, QUIRE_ACCESS_READ, false, false, &first);
        quire_soft_walk(quire_space_pmap(other), 0x400000, QUIRE_ACCESS_READ, false, false,
                        &second);
        assert_true(first.physical != second.physical);
        assert_int_equal(*reach(system.pmap, 0x400000, QUIRE_ACCESS_READ), 1);
        assert_int_equal(*reach(quire_space_pmap(other), 0x400000, QUIRE_ACCESS_READ), 2);

        char *area = quire_vmalloc(system.q, 8192); /* after both spaces were made */
        uint64_t va = quire_soft_kernel_va(system.machine, area);
        quire_frame frame;
        assert_true(va >= system.layout.area_base);
        assert_true(quire_vmalloc_frame(system.q, area + 4096, &frame));
        quire_soft_walk(system.pmap, va + 4096, QUIRE_ACCESS_WRITE, true, false, &first);
        quire_soft_walk(quire_space_pmap(other), va + 4096, QUIRE_ACCESS_WRITE, true, false,
                        &second);
        assert_int_equal(first.physical, quire_frame_address(frame).value);
        assert_int_equal(second.physical, first.physical);
        assert_int_equal(leaf_of(&first)->at, leaf_of(&second)->at); /* one table */
        quire_soft_walk(system.pmap, va + 8192, QUIRE_ACCESS_READ, true, false, &first);
        assert_int_equal(first.fault, QUIRE_WALK_NOT_PRESENT); /* the guard page */
        quire_soft_walk(system.pmap, va, QUIRE_ACCESS_READ, false, false, &first);
        assert_int_equal(first.fault, QUIRE_WALK_NOT_USER);
        quire_vfree(system.q, area);
        quire_soft_walk(system.pmap, va, QUIRE_ACCESS_READ, true, false, &first);
        assert_int_equal(first.fault, QUIRE_WALK_NOT_PRESENT);
        quire_space_destroy(other);
        stop(&system);
    }
}

/* All of low RAM is mapped by the largest blocks that fit, and no byte more. */
static void the_direct_map_is_exact(void **state) {
    (void)state;
    static const struct {
        const struct quire_radix_format *format;
        uint64_t ram, direct;
        unsigned order; /* of the first block */
    } rows[] = {{&quire_radix_sv32, 1024 * MIB, 896 * MIB, 10},
                {&quire_radix_sv32, 21 * MIB + 4096, 21 * MIB + 4096, 10},
                {&quire_radix_sv39, 1025 * MIB, 1025 * MIB, 18},
                {&quire_radix_sv48, 3 * MIB, 3 * MIB, 9},
                {&quire_radix_sv57, 1024 * MIB, 1024 * MIB, 18}};
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct system system = start(rows[i].format, rows[i].ram, true, QUIRE_THP_NEVER);
        struct quire_walk walk;
        uint64_t base = system.layout.direct_base, last = rows[i].direct - 1;
        assert_int_equal(system.layout.direct_bytes, rows[i].direct);
        quire_soft_walk(system.pmap, base, QUIRE_ACCESS_READ, true, false, &walk);
        assert_int_equal(leaf_of(&walk)->order, rows[i].order);
        quire_soft_walk(system.pmap, base + last, QUIRE_ACCESS_READ, true, false, &walk);
        assert_int_equal(walk.physical, last);
        quire_soft_walk(system.pmap, base + last + 1, QUIRE_ACCESS_READ, true, false, &walk);
        assert_int_equal(walk.fault, QUIRE_WALK_NOT_PRESENT);
        quire_soft_walk(system.pmap, base - 1, QUIRE_ACCESS_READ, true, false, &walk);
        assert_int_not_equal(walk.fault, QUIRE_WALK_OK);
        struct quire_radix_cost cost;
        quire_soft_tables(system.pmap, &cost);
        assert_int_equal(cost.nbytes, QUIRE_PAGE_SIZE); /* the kernel's are nobody's */
        stop(&system);
    }
    struct quire_soft_config flat = {
        .ram_bytes = 64 * MIB, .format = &quire_radix_flat, .kernel_map = true};
    struct quire_machine *machine;
    assert_int_equal(quire_soft_create(&flat, &machine), QUIRE_INVAL);
}

/* Any address, any access: the walk and the unit come to the same. */
static void the_walk_agrees_with_the_unit(void **state) {
    (void)state;
    const struct quire_radix_format *format;
    uint64_t random = 5;
    for (unsigned f = 0; (format = quire_radix_format_at(f)) != NULL; f++) {
        struct system system = start(format, 24 * MIB, false, (enum quire_thp)(f % 3));
        for (unsigned i = 0; i < 64; i++)
            map(system.space, 0x100000 + i * 0x21000, 0x11000, 1 + next_random(&random) % 7);
        for (unsigned i = 0; i < 20000; i++) {
            static const enum quire_access accesses[] = {QUIRE_ACCESS_READ, QUIRE_ACCESS_WRITE,
                                                         QUIRE_ACCESS_EXEC};
            enum quire_access access = accesses[next_random(&random) % 3];
            uint64_t va = 0xFF000 + next_random(&random) % (64 * 0x21000);
            struct quire_walk before, after;
            struct quire_soft_counters then, now;
            uint8_t *host;
            quire_soft_walk(system.pmap, va, access, false, false, &before);
            quire_soft_counters(system.machine, &then);
            enum quire_status status = quire_mmu_access(system.pmap, va, access, &host);
            quire_soft_counters(system.machine, &now);
            /* A fault for the manager is what the walk says would be one. */
            assert_int_equal(now.faults != then.faults, before.fault != QUIRE_WALK_OK);
            quire_soft_walk(system.pmap, va, access, false, i % 2, &after);
            assert_int_equal(after.fault == QUIRE_WALK_OK, status == QUIRE_OK);
            if (status == QUIRE_OK)
                assert_int_equal(after.physical, physical(&system, host));
        }
        stop(&system);
    }
}

/* V6: one set of the TLB beside a list in order of use. Eight pages of the same set are read and
 * written at random, some forgotten; what misses is what the list of four does not have. */
static void sets_forget_the_least_recent(void **state) {
    (void)state;
    enum { PAGES = 2 * TLB_WAYS, STEPS = 20000 };
    struct system system = start(&quire_radix_sv48, 16 * MIB, false, QUIRE_THP_NEVER);
    struct quire_soft_counters counters;
    unsigned list[PAGES], length = 0, random = 1, hits_behind = 0;
    uint64_t base = 64 * MIB, stride = TLB_SETS * QUIRE_PAGE_SIZE;
    map(system.space, base, PAGES * stride, RW);
    for (unsigned i = 0; i < PAGES; i++) { /* there and dirty: a miss is a walk, nothing else */
        reach(system.pmap, base + i * stride, QUIRE_ACCESS_WRITE);
        tlb_forget_page(system.pmap->tlb, base + i * stride);
    }
    quire_soft_counters(system.machine, &counters);
    for (unsigned step = 0; step < STEPS; step++) {
        random = random * 1103515245 + 12345;
        unsigned page = random >> 16 & (PAGES - 1), at = 0;
        uint64_t va = base + page * stride, misses = counters.tlb_misses;
        while (at < length && list[at] != page)
            at++;
        bool known = at < length;
        if (random >> 20 & 15) {
            if (tlb_page(tlb_slot(system.pmap->tlb, va)) != va)
                reach(system.pmap, va, random >> 24 & 1 ? QUIRE_ACCESS_WRITE : QUIRE_ACCESS_READ);
            length += !known && length < TLB_WAYS;
            at = at < length ? at : length - 1;
            memmove(list + 1, list, at * sizeof *list);
            list[0] = page;
            hits_behind += known && at > 0;
        } else { /* a change of its mapping */
            assert_int_equal(tlb_forget_page(system.pmap->tlb, va), known);
            memmove(list + at, list + at + 1, known ? (length - at - 1) * sizeof *list : 0);
            length -= known;
            known = true;
        }
        quire_soft_counters(system.machine, &counters);
        assert_int_equal(counters.tlb_misses - misses, !known);
    }
    assert_true(hits_behind > STEPS / 10);
    stop(&system);
}

/* V6: what locality is worth. A table of 8 MiB, more than the TLB reaches, read along its rows, a
 * page each, and down its columns: the same bytes, one walk a page or one a byte. */
static void locality_is_worth_walks(void **state) {
    (void)state;
    enum { ROWS = 2 * TLB_ENTRIES, COLUMNS = 64 };
    for (unsigned columns_first = 0; columns_first < 2; columns_first++) {
        struct system system = start(&quire_radix_sv48, 16 * MIB, false, QUIRE_THP_NEVER);
        struct quire_soft_counters before, after;
        uint64_t base = 64 * MIB;
        map(system.space, base, ROWS * QUIRE_PAGE_SIZE, RW);
        for (unsigned row = 0; row < ROWS; row++)
            reach(system.pmap, base + row * QUIRE_PAGE_SIZE, QUIRE_ACCESS_WRITE);
        quire_soft_counters(system.machine, &before);
        for (unsigned i = 0; i < ROWS * COLUMNS; i++) {
            unsigned row = columns_first ? i % ROWS : i / COLUMNS;
            unsigned column = columns_first ? i / ROWS : i % COLUMNS;
            uint64_t va = base + row * QUIRE_PAGE_SIZE + column;
            if (tlb_slot(system.pmap->tlb, va)->read_tag != (va & ~QUIRE_PAGE_MASK))
                reach(system.pmap, va, QUIRE_ACCESS_READ); /* as the processor asks first */
        }
        quire_soft_counters(system.machine, &after);
        assert_int_equal(after.tlb_misses - before.tlb_misses,
                         columns_first ? ROWS * COLUMNS : ROWS);
        assert_int_equal(after.faults, before.faults);
        stop(&system);
    }
}

static void it_is_told_in_words(void **state) {
    (void)state;
    struct system system = start(&quire_radix_sv32, 16 * MIB, true, QUIRE_THP_NEVER);
    struct quire_walk walk;
    char text[2000], want[2000];
    map(system.space, 0x400000, 4096, RW);
    reach(system.pmap, 0x400123, QUIRE_ACCESS_WRITE);
    quire_soft_walk(system.pmap, 0x400123, QUIRE_ACCESS_READ, false, false, &walk);
    unsigned root = (unsigned)(walk.steps[0].at >> 12), table = (unsigned)(walk.steps[1].at >> 12);
    unsigned frame = (unsigned)(walk.physical >> 12);
    snprintf(want, sizeof want,
             "level 0   entry    1 at 0x%09x   0x%08x  v-------  table 0x%x\n"
             "level 1   entry    0 at 0x%09x   0x%08x  vrw-u-ad  frame 0x%x\n"
             "datum     at 0x%09x\n"
             "3 accesses of memory\n",
             (root << 12) + 4, table << 10 | 1, table, table << 12, frame << 10 | 0xD7, frame,
             (frame << 12) + 0x123);
    assert_int_equal(quire_walk_text(&walk, text, sizeof text), strlen(want));
    assert_string_equal(text, want);
    assert_int_equal(quire_walk_text(&walk, text, 20), strlen(want));
    assert_int_equal(strlen(text), 19);
    quire_soft_walk(system.pmap, 0x400123, QUIRE_ACCESS_READ, false, true, &walk);
    quire_walk_text(&walk, text, sizeof text);
    assert_non_null(strstr(text, "TLB       hit\n"));
    assert_non_null(strstr(text, "1 access of memory\n"));
    quire_soft_walk(system.pmap, 0xC0000000, QUIRE_ACCESS_READ, false, true, &walk);
    quire_walk_text(&walk, text, sizeof text);
    assert_non_null(strstr(text, "v"));
    assert_non_null(strstr(text, "the page is the kernel's, the access a program's\n"));
    stop(&system);
}

/* Tables on the way, entry by entry; of more than 512, in 512 parts. */
static void tables_are_told(void **state) {
    (void)state;
    char text[4096], want[4096];
    struct system system = start(&quire_radix_sv32, 16 * MIB, false, QUIRE_THP_NEVER);
    struct quire_walk walk;
    map(system.space, 0x400000, 8 * 4096, RW);
    map(system.space, 0x3FFFF000, 4096, RW);
    for (unsigned page = 0; page < 4; page++)
        reach(system.pmap, 0x400000 + page * 4096, QUIRE_ACCESS_WRITE);
    reach(system.pmap, 0x407000, QUIRE_ACCESS_READ);
    reach(system.pmap, 0x3FFFF000, QUIRE_ACCESS_READ);
    quire_soft_walk(system.pmap, 0x400000, QUIRE_ACCESS_READ, false, false, &walk);
    unsigned root = (unsigned)walk.steps[0].at & ~0xFFFu;
    unsigned table = (unsigned)(walk.steps[0].value >> 10) << 12;
    snprintf(want, sizeof want, /* entry 1 is in part 0, entry 255 in part 127; pages 0-3, 7 */
             "level 0   table at 0x%09x   1024 entries, 2 used   1t126.1t384.\n"
             "level 1   table at 0x%09x   1024 entries, 5 used   2d1.1p508.\n",
             root, table);
    size_t length = quire_soft_table_text(system.pmap, 0x400000, text, sizeof text);
    assert_int_equal(length, strlen(want));
    assert_string_equal(text, want);
    quire_soft_table_text(system.pmap, 0x10000000, text, sizeof text); /* the root only */
    assert_int_equal(strchr(text, '\n')[1], 0);
    for (size_t capacity = 1; capacity <= length + 1; capacity++) {
        assert_int_equal(quire_soft_table_text(system.pmap, 0x400000, text, capacity), length);
        assert_int_equal(text[capacity - 1], 0);
        assert_memory_equal(text, want, capacity - 1);
    }
    stop(&system);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_are_accesses),
        cmocka_unit_test(blocks_save_a_level),
        cmocka_unit_test(entries_have_bits),
        cmocka_unit_test(spaces_are_isolated),
        cmocka_unit_test(the_direct_map_is_exact),
        cmocka_unit_test(the_walk_agrees_with_the_unit),
        cmocka_unit_test(sets_forget_the_least_recent),
        cmocka_unit_test(locality_is_worth_walks),
        cmocka_unit_test(it_is_told_in_words),
        cmocka_unit_test(tables_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
