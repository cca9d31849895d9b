/* swapctl.c: swapon and swapoff under load: nothing is lost, and what does not fit stays. */
#include "rig.h"

#define RAM   (4 * RIG_MIB)
#define PAGES (2 * RAM / RIG_PAGE)

static void moves_to_the_other_area(void **state) {
    (void)state;
    struct rig rig;
    const uint64_t swap[] = {3 * RAM, 3 * RAM};
    rig_up_with(&rig, RAM, swap, 2);
    rig_space(&rig, 0);
    uint64_t va = rig_map(&rig, 0, PAGES * RIG_PAGE, RIG_RW, 0);
    uint64_t seed = 6;
    rig_fill(&rig, 0, va, PAGES, 0);
    for (unsigned round = 0; round < 6; round++) {
        unsigned device = round % 2;
        for (unsigned i = 0; i < 500; i++)
            rig_fill(&rig, 0, va + rig_random(&seed) % PAGES * RIG_PAGE, 1, 0);
        assert_int_equal(quire_swapoff(rig.q, device), QUIRE_OK);
        quire_audit(rig.q);
        assert_int_equal(rig_usage(&rig).swap_total, 3 * RAM / RIG_PAGE - 1);
        rig_expect(&rig, 0, va, PAGES, 0);
        assert_int_equal(quire_swapoff(rig.q, device), QUIRE_INVAL);
        assert_int_equal(quire_swapon(rig.q, device, 0), QUIRE_OK);
        assert_int_equal(quire_swapon(rig.q, device, 0), QUIRE_BUSY);
    }
    assert_int_equal(rig.kills, 0);
    rig_down(&rig);
}

static void what_does_not_fit_stays(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, RAM, 3 * RAM);
    rig_space(&rig, 0);
    uint64_t va = rig_map(&rig, 0, PAGES * RIG_PAGE, RIG_RW, 0);
    rig_fill(&rig, 0, va, PAGES, 0);
    assert_int_equal(quire_swapoff(rig.q, 0), QUIRE_NOMEM);
    quire_audit(rig.q);
    rig_expect(&rig, 0, va, PAGES, 0);
    /* It is used as before, and can go when there is room. */
    rig_fill(&rig, 0, va, PAGES, 1);
    assert_int_equal(quire_unmap(rig.spaces[0], quire_va(va), 3 * RAM / 2), QUIRE_OK);
    assert_int_equal(quire_swapoff(rig.q, 0), QUIRE_OK);
    quire_audit(rig.q);
    assert_int_equal(rig_usage(&rig).swap_total, 0);
    uint64_t left = (2 * RAM - 3 * RAM / 2) / RIG_PAGE;
    rig_expect(&rig, 0, va + 3 * RAM / 2, left, 1);
    rig_down(&rig);
}

static void shared_by_fork(void **state) {
    (void)state;
    struct rig rig;
    const uint64_t swap[] = {3 * RAM, 3 * RAM};
    rig_up_with(&rig, RAM, swap, 2);
    rig_space(&rig, 0);
    uint64_t va = rig_map(&rig, 0, PAGES * RIG_PAGE, RIG_RW, 0);
    rig_fill(&rig, 0, va, PAGES, 0);
    assert_int_equal(quire_space_fork(rig.spaces[0], &rig.spaces[1], &rig.spaces[1]), QUIRE_OK);
    rig_fill(&rig, 1, va, 200, 1);
    assert_int_equal(quire_swapoff(rig.q, 0), QUIRE_OK);
    quire_audit(rig.q);
    rig_expect(&rig, 0, va, PAGES, 0);
    rig_expect(&rig, 1, va, 200, 1);
    rig_expect(&rig, 1, va + 200 * RIG_PAGE, PAGES - 200, 0);
    quire_audit(rig.q);
    rig_down(&rig);
}

static void unreadable_pages_stay(void **state) {
    (void)state;
    struct rig rig;
    const uint64_t swap[] = {3 * RAM, 3 * RAM};
    rig_up_with(&rig, RAM, swap, 2);
    rig_space(&rig, 0);
    uint64_t va = rig_map(&rig, 0, PAGES * RIG_PAGE, RIG_RW, 0);
    rig_fill(&rig, 0, va, PAGES, 0);
    quire_soft_inject(rig.machine, QUIRE_SOFT_READ_ERROR, 1);
    assert_int_equal(quire_swapoff(rig.q, 0), QUIRE_IO);
    quire_soft_inject(rig.machine, QUIRE_SOFT_READ_ERROR, 0);
    quire_audit(rig.q);
    assert_int_equal(rig_usage(&rig).swap_total, 2 * (3 * RAM / RIG_PAGE - 1));
    rig_expect(&rig, 0, va, PAGES, 0);
    assert_int_equal(quire_swapoff(rig.q, 0), QUIRE_OK);
    rig_expect(&rig, 0, va, PAGES, 0);
    rig_down(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_to_the_other_area),
        cmocka_unit_test(what_does_not_fit_stays),
        cmocka_unit_test(shared_by_fork),
        cmocka_unit_test(unreadable_pages_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
