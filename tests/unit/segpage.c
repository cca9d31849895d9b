/* segpage.c: segmented paging: three accesses and no other number; refusals; registers; and random
 * programs whose every byte is remembered, with pages that come and go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <quire/machine.h>

#include "machine/soft/segpage.h"
#include "random.h"

#define RW (QUIRE_PROT_READ | QUIRE_PROT_WRITE)

struct rig {
    struct quire_machine *machine;
    struct quire_segpage unit;
    uint32_t next; /* frame */
};

static quire_frame take(struct rig *rig) {
    quire_frame frame = {rig->next++};
    memset(quire_mach_window(rig->machine, frame), 0xFF, QUIRE_PAGE_SIZE);
    return frame;
}

static void start(struct rig *rig, bool associative) {
    struct quire_soft_config config = {.ram_bytes = (uint64_t)8 << 20};
    *rig = (struct rig){.next = 16};
    assert_int_equal(quire_soft_create(&config, &rig->machine), QUIRE_OK);
    quire_segpage_init(&rig->unit, rig->machine, take(rig), associative);
}

static enum quire_walk_fault touch(struct rig *rig, uint32_t segment, uint32_t offset,
                                   enum quire_access access) {
    uint8_t *host;
    return quire_segpage_access(&rig->unit, segment, offset, access, &host);
}

/* V7: segment table, page table, datum. */
static void three_accesses(void **state) {
    (void)state;
    struct rig rig;
    struct quire_walk walk;
    start(&rig, false);
    quire_frame table = take(&rig), frame = take(&rig);
    quire_segpage_set(&rig.unit, 5, table, 10, RW);
    quire_segpage_enter(&rig.unit, 5, 3, frame, RW);
    quire_segpage_walk(&rig.unit, 5, 0x3123, QUIRE_ACCESS_READ, &walk);
    assert_int_equal(walk.fault, QUIRE_WALK_OK);
    assert_int_equal(walk.accesses, 3);
    static const enum quire_walk_kind kinds[] = {QUIRE_WALK_SEGMENT, QUIRE_WALK_CHECK,
                                                 QUIRE_WALK_LEAF, QUIRE_WALK_DATUM};
    assert_int_equal(walk.nsteps, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(walk.steps[i].kind, kinds[i]);
    assert_int_equal(walk.steps[0].at, quire_frame_address(rig.unit.table).value + 5 * 8);
    assert_int_equal(walk.steps[2].at, quire_frame_address(table).value + 3 * 4);
    assert_int_equal(walk.physical, quire_frame_address(frame).value + 0x123);
    for (unsigned i = 1; i <= 50; i++) {
        assert_int_equal(touch(&rig, 5, 0x3000 + i, QUIRE_ACCESS_WRITE), QUIRE_WALK_OK);
        assert_int_equal(rig.unit.accesses, 3 * i);
    }
    quire_segpage_walk(&rig.unit, 5, 0x3123, QUIRE_ACCESS_READ, &walk);
    assert_true((walk.steps[2].value & RADIX_ACCESSED) && (walk.steps[2].value & RADIX_DIRTY));
    char text[1000];
    quire_walk_text(&walk, text, sizeof text);
    assert_non_null(strstr(text, "limit     offset 0x3123 against 0x9fff\n"));
    assert_non_null(strstr(text, "\n3 accesses of memory\n"));
    quire_soft_destroy(rig.machine);
}

static void segments_and_pages_refuse(void **state) {
    (void)state;
    struct rig rig;
    struct quire_walk walk;
    start(&rig, true);
    quire_segpage_set(&rig.unit, 1, take(&rig), 2, QUIRE_PROT_READ | QUIRE_PROT_EXEC);
    quire_segpage_set(&rig.unit, 2, take(&rig), 1024, RW);
    quire_segpage_enter(&rig.unit, 1, 1, take(&rig), RW);
    quire_segpage_enter(&rig.unit, 2, 1023, take(&rig), QUIRE_PROT_READ);
    static const struct {
        uint32_t segment, offset;
        enum quire_access access;
        enum quire_walk_fault fault;
        unsigned accesses; /* up to where it is refused */
    } rows[] = {{0, 0, QUIRE_ACCESS_READ, QUIRE_WALK_SEGMENTED, 1},
                {512, 0, QUIRE_ACCESS_READ, QUIRE_WALK_SEGMENTED, 0},
                {1, 0x2000, QUIRE_ACCESS_READ, QUIRE_WALK_SEGMENTED, 1},
                {1, 0xFFFFFFFF, QUIRE_ACCESS_READ, QUIRE_WALK_SEGMENTED, 1},
                {1, 0x1FFF, QUIRE_ACCESS_WRITE, QUIRE_WALK_SEGMENTED, 1},
                {1, 0x0FFF, QUIRE_ACCESS_READ, QUIRE_WALK_NOT_PRESENT, 2},
                {1, 0x1FFF, QUIRE_ACCESS_EXEC, QUIRE_WALK_NOT_ALLOWED, 2},
                {1, 0x1FFF, QUIRE_ACCESS_READ, QUIRE_WALK_OK, 3},
                {2, 0x3FFFFF, QUIRE_ACCESS_WRITE, QUIRE_WALK_NOT_ALLOWED, 2},
                {2, 0x400000, QUIRE_ACCESS_READ, QUIRE_WALK_SEGMENTED, 1}};
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t before = rig.unit.accesses;
        quire_segpage_walk(&rig.unit, rows[i].segment, rows[i].offset, rows[i].access, &walk);
        assert_int_equal(walk.fault, rows[i].fault);
        assert_int_equal(walk.accesses, rows[i].accesses);
        assert_int_equal(touch(&rig, rows[i].segment, rows[i].offset, rows[i].access),
                         rows[i].fault);
        assert_int_equal(rig.unit.accesses - before, rows[i].accesses);
    }
    quire_soft_destroy(rig.machine);
}

/* A register spares both tables, sixteen pages long; the first store comes by for the dirty bit. */
static void registers_spare_the_tables(void **state) {
    (void)state;
    struct rig rig;
    start(&rig, true);
    quire_segpage_set(&rig.unit, 1, take(&rig), 32, RW);
    for (uint32_t page = 0; page < 32; page++)
        quire_segpage_enter(&rig.unit, 1, page, take(&rig), RW);
    for (unsigned round = 0; round < 10; round++) {
        for (uint32_t page = 0; page < 16; page++)
            touch(&rig, 1, page << 12, QUIRE_ACCESS_READ);
    }
    assert_int_equal(rig.unit.misses, 16);
    assert_int_equal(rig.unit.accesses, 16 * 3 + 144);
    touch(&rig, 1, 0, QUIRE_ACCESS_WRITE);
    assert_int_equal(rig.unit.misses, 17);
    touch(&rig, 1, 8, QUIRE_ACCESS_WRITE);
    assert_int_equal(rig.unit.misses, 17);
    touch(&rig, 1, 16 << 12, QUIRE_ACCESS_READ); /* takes the place of page 1 */
    touch(&rig, 1, 2 << 12, QUIRE_ACCESS_READ);
    assert_int_equal(rig.unit.misses, 18);
    touch(&rig, 1, 1 << 12, QUIRE_ACCESS_READ);
    assert_int_equal(rig.unit.misses, 19);
    uint64_t hits = rig.unit.hits; /* one page too many, in turn: none helps any more */
    for (unsigned round = 0; round < 3; round++) {
        for (uint32_t page = 0; page < 17; page++)
            touch(&rig, 1, page << 12, QUIRE_ACCESS_READ);
    }
    assert_true(rig.unit.hits - hits < 17);
    quire_soft_destroy(rig.machine);
}

/* Some segments of any length; pages change frames and rights, vanish and come back. */
#define SEGMENTS 4
#define PAGES    24
static void any_order_of_anything(void **state) {
    (void)state;
    for (unsigned associative = 0; associative < 2; associative++) {
        struct rig rig;
        uint64_t random = 21;
        quire_frame frames[SEGMENTS][PAGES];
        uint8_t value[SEGMENTS][PAGES];
        unsigned prot[SEGMENTS][PAGES], length[SEGMENTS];
        start(&rig, associative);
        for (unsigned s = 0; s < SEGMENTS; s++) {
            length[s] = PAGES - s;
            quire_segpage_set(&rig.unit, s, take(&rig), length[s], RW);
            for (unsigned p = 0; p < PAGES; p++) {
                frames[s][p] = take(&rig);
                value[s][p] = 0xFF;
                prot[s][p] = 0;
            }
        }
        for (unsigned step = 0; step < 100000; step++) {
            unsigned s = next_random(&random) % SEGMENTS, p = next_random(&random) % PAGES;
            uint8_t *host;
            if (next_random(&random) % 8 == 0 && p < length[s]) { /* also: moved */
                quire_frame old = frames[s][p];
                unsigned other = next_random(&random) % PAGES;
                if (prot[s][other] == 0) { /* an unmapped page's frame and bytes change places */
                    frames[s][p] = frames[s][other];
                    frames[s][other] = old;
                    uint8_t byte = value[s][p];
                    value[s][p] = value[s][other];
                    value[s][other] = byte;
                }
                prot[s][p] = (unsigned)(next_random(&random) % 4);
                if (other != p && prot[s][other] == 0 && other < length[s])
                    quire_segpage_enter(&rig.unit, s, other, QUIRE_FRAME_NONE, 0);
                quire_segpage_enter(&rig.unit, s, p, prot[s][p] ? frames[s][p] : QUIRE_FRAME_NONE,
                                    prot[s][p]);
                continue;
            }
            enum quire_access access =
                next_random(&random) % 2 ? QUIRE_ACCESS_READ : QUIRE_ACCESS_WRITE;
            enum quire_walk_fault want = p >= length[s]           ? QUIRE_WALK_SEGMENTED
                                         : prot[s][p] == 0        ? QUIRE_WALK_NOT_PRESENT
                                         : !(prot[s][p] & access) ? QUIRE_WALK_NOT_ALLOWED
                                                                  : QUIRE_WALK_OK;
            assert_int_equal(quire_segpage_access(&rig.unit, s, p << 12, access, &host), want);
            if (want != QUIRE_WALK_OK)
                continue;
            assert_ptr_equal(host, quire_mach_window(rig.machine, frames[s][p]));
            if (access == QUIRE_ACCESS_READ)
                assert_int_equal(*host, value[s][p]);
            else
                *host = value[s][p] = (uint8_t)step;
        }
        assert_int_equal(rig.unit.hits > 1000, associative);
        quire_soft_destroy(rig.machine);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_accesses),
        cmocka_unit_test(segments_and_pages_refuse),
        cmocka_unit_test(registers_spare_the_tables),
        cmocka_unit_test(any_order_of_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
