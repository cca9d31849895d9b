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

/* A device that grows by 64 pages when its end comes into use: programs never see it full. */
static void grows_by_steps(void **state) {
    (void)state;
    const uint64_t step = 64 * RIG_PAGE;
    struct rig rig = {.running = -1, .last_killed = -1};
    struct quire_soft_config machine = {.ram_bytes = RAM,
                                        .swap_bytes = {step},
                                        .swap_step_bytes = {step},
                                        .swap_max_bytes = {40 * RIG_MIB},
                                        .seed = 1,
                                        .oom_kill = rig_oom_kill,
                                        .context = &rig};
    assert_int_equal(quire_soft_create(&machine, &rig.machine), QUIRE_OK);
    struct quire_config config = {.machine = rig.machine,
                                  .swappiness = 60,
                                  .overcommit = QUIRE_OVERCOMMIT_ALWAYS}; /* it will grow */
    assert_int_equal(quire_create(&config, &rig.q), QUIRE_OK);
    assert_int_equal(quire_swapon(rig.q, 0, QUIRE_SWAP_PRIORITY_AUTO), QUIRE_OK);
    assert_int_equal(rig_usage(&rig).swap_total, 63);
    rig_space(&rig, 0);
    uint64_t va = rig_map(&rig, 0, 4 * RAM, RIG_RW, 0), last = 63;
    unsigned steps = 0;
    for (uint64_t i = 0; i < 4 * RAM / RIG_PAGE; i++) {
        rig_fill(&rig, 0, va + i * RIG_PAGE, 1, 0);
        uint64_t total = rig_usage(&rig).swap_total;
        assert_true(total >= last && (total + 1) % 64 == 0);
        if (total > last)
            quire_audit(rig.q);
        steps += total > last;
        last = total;
    }
    assert_true(steps > 20); /* across the end of the first bitmap word and of none */
    rig_expect(&rig, 0, va, 4 * RAM / RIG_PAGE, 0);
    assert_int_equal(rig.kills, 0);
    assert_int_equal(quire_unmap(rig.spaces[0], quire_va(va), 7 * RAM / 2), QUIRE_OK);
    assert_int_equal(quire_swapoff(rig.q, 0), QUIRE_OK);
    rig_expect(&rig, 0, va + 7 * RAM / 2, RAM / 2 / RIG_PAGE, 0);
    rig_down(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_to_the_other_area), cmocka_unit_test(what_does_not_fit_stays),
        cmocka_unit_test(shared_by_fork),          cmocka_unit_test(unreadable_pages_stay),
        cmocka_unit_test(grows_by_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
