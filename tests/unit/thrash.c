/* thrash.c: random read-modify-write over four times the RAM, by the program's own accesses and by
 * the kernel's copies: no count may be lost on the way to swap and back. How long it takes is
 * bench/'s to say (`make bench`: swap).
 */
#include "rig.h"

#define RAM      (8 * RIG_MIB)
#define PAGES    (4 * RAM / RIG_PAGE)
#define ACCESSES 100000u

/* Every page's word began as its number; each access added one to one of them. */
static void expect_sum(struct rig *rig, uint64_t va, uint64_t accesses) {
    uint64_t sum = 0;
    for (uint64_t n = 0; n < PAGES; n++) {
        uint64_t value = 0;
        assert_int_equal(rig_load(rig, 0, va + n * RIG_PAGE, &value), QUIRE_OK);
        assert_true(value >= n);
        sum += value - n;
    }
    assert_int_equal(sum, accesses);
}

static void nothing_is_lost(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, RAM, 5 * RAM);
    rig_space(&rig, 0);
    uint64_t va = rig_map(&rig, 0, PAGES * RIG_PAGE, RIG_RW, 0), seed = 9;
    for (uint64_t n = 0; n < PAGES; n++)
        assert_int_equal(rig_store(&rig, 0, va + n * RIG_PAGE, n), QUIRE_OK);
    for (unsigned i = 0; i < ACCESSES; i++) {
        uint64_t at = va + rig_random(&seed) % PAGES * RIG_PAGE, value = 0;
        assert_int_equal(rig_load(&rig, 0, at, &value), QUIRE_OK);
        assert_int_equal(rig_store(&rig, 0, at, value + 1), QUIRE_OK);
    }
    expect_sum(&rig, va, ACCESSES);
    for (unsigned i = 0; i < ACCESSES; i++) {
        quire_vaddr at = quire_va(va + rig_random(&seed) % PAGES * RIG_PAGE);
        uint64_t value = 0;
        assert_int_equal(quire_copy_in(rig.spaces[0], &value, at, sizeof value), 0);
        value++;
        assert_int_equal(quire_copy_out(rig.spaces[0], at, &value, sizeof value), 0);
    }
    expect_sum(&rig, va, 2 * ACCESSES);
    const struct quire_counters *counters = quire_counters(rig.q);
    assert_true(counters->pswpin > ACCESSES && counters->pswpout > PAGES - RAM / RIG_PAGE);
    quire_audit(rig.q);
    rig_down(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_lost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
