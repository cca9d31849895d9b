/* swap.c: the swap room by itself: slots, priorities, and the seal against every kind of bad disk.
 */
#include "rig.h"

#include "swap/swap.h"

#define SWAP_PAGES 1024 /* with the header */

struct fixture {
    struct rig rig;
    struct quire_page *page;
    uint64_t *words;
};

static void setup_with(struct fixture *f, unsigned nswaps) {
    const uint64_t bytes[] = {SWAP_PAGES * RIG_PAGE, SWAP_PAGES * RIG_PAGE, SWAP_PAGES * RIG_PAGE};
    rig_up_with(&f->rig, 4 * RIG_MIB, bytes, nswaps);
    f->page = quire_page_alloc(f->rig.q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_KERNEL);
    assert_non_null(f->page);
    f->words = quire_page_window(f->rig.q, f->page);
    for (unsigned i = 0; i < 512; i++)
        f->words[i] = rig_stamp(i, 7);
}

static void teardown(struct fixture *f) {
    quire_page_free(f->rig.q, f->page);
    rig_down(&f->rig);
}

static quire_slot out(struct fixture *f, uint64_t identity, uint64_t *seal) {
    quire_slot slot = QUIRE_SLOT_NONE;
    assert_int_equal(quire_swap_out(f->rig.q, f->page, identity, &slot, seal), QUIRE_OK);
    return slot;
}

static void evictions_are_neighbours(void **state) {
    (void)state;
    struct fixture f;
    setup_with(&f, 1);
    quire_slot slots[100];
    uint64_t seal;
    for (unsigned i = 0; i < 100; i++)
        slots[i] = out(&f, i, &seal);
    for (unsigned i = 1; i < 100; i++)
        assert_int_equal(slots[i].value, slots[0].value + i);
    assert_true((slots[0].value & 0xffffff) >= 1); /* page 0 is the header's */
    quire_swap_audit(f.rig.q, 100);
    /* A hole is not reused at once: the next one follows the last one. */
    quire_swap_release(f.rig.q, slots[3]);
    quire_slot next = out(&f, 1, &seal);
    assert_int_equal(next.value, slots[99].value + 1);
    quire_swap_release(f.rig.q, next);
    for (unsigned i = 0; i < 100; i++) {
        if (i != 3)
            quire_swap_release(f.rig.q, slots[i]);
    }
    quire_swap_audit(f.rig.q, 0);
    teardown(&f);
}

static void full_swap_and_back(void **state) {
    (void)state;
    struct fixture f;
    setup_with(&f, 1);
    static quire_slot slots[SWAP_PAGES];
    uint64_t seal;
    assert_int_equal(quire_swap_total(f.rig.q), SWAP_PAGES - 1);
    for (unsigned i = 0; i < SWAP_PAGES - 1; i++)
        slots[i] = out(&f, i, &seal);
    assert_int_equal(quire_swap_free(f.rig.q), 0);
    quire_slot none = QUIRE_SLOT_NONE;
    assert_int_equal(quire_swap_out(f.rig.q, f.page, 1, &none, &seal), QUIRE_NOMEM);
    quire_swap_audit(f.rig.q, SWAP_PAGES - 1);
    /* The only hole is found wherever it is. */
    for (unsigned i = 0; i < SWAP_PAGES - 1; i += 97) {
        quire_swap_release(f.rig.q, slots[i]);
        quire_slot again = out(&f, i, &seal);
        assert_int_equal(again.value, slots[i].value);
    }
    for (unsigned i = 0; i < SWAP_PAGES - 1; i++)
        quire_swap_release(f.rig.q, slots[i]);
    quire_swap_audit(f.rig.q, 0);
    teardown(&f);
}

static unsigned device_of(struct fixture *f, quire_slot slot) {
    for (unsigned device = 0; device < 3; device++) {
        if (quire_swap_slot_on(f->rig.q, slot, device))
            return device;
    }
    return 99;
}

static void priorities(void **state) {
    (void)state;
    struct fixture f;
    setup_with(&f, 3); /* priorities -2, -3, -4 */
    struct quire *q = f.rig.q;
    static quire_slot slots[3 * SWAP_PAGES];
    unsigned nslots = 0;
    uint64_t seal;
    for (unsigned device = 0; device < 3; device++) {
        for (unsigned i = 0; i < SWAP_PAGES - 1; i++) {
            slots[nslots] = out(&f, i, &seal);
            assert_int_equal(device_of(&f, slots[nslots]), device);
            nslots++;
        }
    }
    quire_swap_audit(q, nslots);
    assert_int_equal(quire_swap_drop(q, 1), QUIRE_BUSY);
    while (nslots > 0)
        quire_swap_release(q, slots[--nslots]);
    assert_int_equal(quire_swap_drop(q, 1), QUIRE_OK);
    assert_int_equal(quire_swap_drop(q, 1), QUIRE_INVAL);
    /* Now above the others. */
    assert_int_equal(quire_swap_add(q, 1, 5), QUIRE_OK);
    assert_int_equal(quire_swap_add(q, 1, 5), QUIRE_BUSY);
    assert_int_equal(quire_swap_add(q, 7, 5), QUIRE_INVAL);
    slots[0] = out(&f, 1, &seal);
    assert_int_equal(device_of(&f, slots[0]), 1);
    quire_swap_release(q, slots[0]);
    /* Draining: not used, not counted. */
    quire_swap_drain(q, 1, true);
    assert_int_equal(quire_swap_total(q), 2 * (SWAP_PAGES - 1));
    slots[0] = out(&f, 1, &seal);
    assert_int_equal(device_of(&f, slots[0]), 0);
    quire_swap_release(q, slots[0]);
    teardown(&f);
}

static void equals_take_turns(void **state) {
    (void)state;
    struct fixture f;
    setup_with(&f, 2);
    struct quire *q = f.rig.q;
    assert_int_equal(quire_swap_drop(q, 1), QUIRE_OK);
    assert_int_equal(quire_swap_add(q, 1, -2), QUIRE_OK); /* as device 0 */
    static quire_slot slots[1000];
    unsigned on[2] = {0}, changes = 0;
    uint64_t seal;
    for (unsigned i = 0; i < 1000; i++) {
        slots[i] = out(&f, i, &seal);
        on[device_of(&f, slots[i])]++;
        changes += i > 0 && device_of(&f, slots[i]) != device_of(&f, slots[i - 1]);
    }
    assert_in_range(on[0], 400, 600);
    assert_true(changes <= 4);
    for (unsigned i = 0; i < 1000; i++)
        quire_swap_release(q, slots[i]);
    teardown(&f);
}

static void seal_knows_owner_and_place(void **state) {
    (void)state;
    struct fixture f;
    setup_with(&f, 1);
    struct quire *q = f.rig.q;
    uint64_t seal_a, seal_b;
    quire_slot a = out(&f, 10, &seal_a);
    f.words[100]++;
    quire_slot b = out(&f, 11, &seal_b);
    assert_int_equal(quire_swap_in(q, a, f.page, 10, seal_a), QUIRE_OK);
    assert_true(f.words[100] == rig_stamp(100, 7));
    assert_int_equal(quire_swap_in(q, a, f.page, 11, seal_a), QUIRE_IO); /* another owner */
    assert_int_equal(quire_swap_in(q, b, f.page, 10, seal_a), QUIRE_IO); /* another place */
    assert_int_equal(quire_swap_in(q, b, f.page, 11, seal_a), QUIRE_IO); /* another version */
    assert_int_equal(quire_swap_in(q, b, f.page, 11, seal_b), QUIRE_OK);
    assert_int_equal(quire_counters(q)->io_error, 3);
    assert_int_equal(quire_counters(q)->pswpin, 2);
    quire_swap_release(q, a);
    quire_swap_release(q, b);
    teardown(&f);
}

static void bad_disks_are_caught(void **state) {
    (void)state;
    struct fixture f;
    setup_with(&f, 1);
    struct quire *q = f.rig.q;
    uint64_t seal, seal_next;
    quire_slot slot = out(&f, 1, &seal);
    for (unsigned i = 0; i < 500; i++) { /* one bit of 32768, another each time */
        quire_soft_inject(f.rig.machine, QUIRE_SOFT_BIT_FLIP, 1);
        assert_int_equal(quire_swap_in(q, slot, f.page, 1, seal), QUIRE_IO);
    }
    quire_soft_inject(f.rig.machine, QUIRE_SOFT_BIT_FLIP, 0);
    quire_soft_inject(f.rig.machine, QUIRE_SOFT_READ_ERROR, 1);
    assert_int_equal(quire_swap_in(q, slot, f.page, 1, seal), QUIRE_IO);
    quire_soft_inject(f.rig.machine, QUIRE_SOFT_READ_ERROR, 0);
    assert_int_equal(quire_swap_in(q, slot, f.page, 1, seal), QUIRE_OK); /* nothing was lost */

    /* A write that fails takes no slot. */
    uint64_t free = quire_swap_free(q);
    quire_slot none = QUIRE_SLOT_NONE;
    quire_soft_inject(f.rig.machine, QUIRE_SOFT_WRITE_ERROR, 1);
    assert_int_equal(quire_swap_out(q, f.page, 2, &none, &seal_next), QUIRE_IO);
    quire_soft_inject(f.rig.machine, QUIRE_SOFT_WRITE_ERROR, 0);
    assert_true(quire_slot_is_none(none));
    assert_int_equal(quire_swap_free(q), free);

    /* A lost write, and one that went elsewhere, are found when the page comes back. */
    f.words[0] = 42;
    quire_soft_inject(f.rig.machine, QUIRE_SOFT_LOST_WRITE, 1);
    quire_slot lost = out(&f, 3, &seal_next);
    quire_soft_inject(f.rig.machine, QUIRE_SOFT_LOST_WRITE, 0);
    assert_int_equal(quire_swap_in(q, lost, f.page, 3, seal_next), QUIRE_IO);
    f.words[0] = 43;
    quire_soft_inject(f.rig.machine, QUIRE_SOFT_MISDIRECTED, 1);
    quire_slot astray = out(&f, 4, &seal_next);
    quire_soft_inject(f.rig.machine, QUIRE_SOFT_MISDIRECTED, 0);
    assert_int_equal(quire_swap_in(q, astray, f.page, 4, seal_next), QUIRE_IO);
    assert_int_equal(quire_counters(q)->io_error, 500 + 4);
    quire_swap_release(q, slot);
    quire_swap_release(q, lost);
    quire_swap_release(q, astray);
    teardown(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evictions_are_neighbours),
        cmocka_unit_test(full_swap_and_back),
        cmocka_unit_test(priorities),
        cmocka_unit_test(equals_take_turns),
        cmocka_unit_test(seal_knows_owner_and_place),
        cmocka_unit_test(bad_disks_are_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
