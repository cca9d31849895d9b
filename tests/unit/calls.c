/* calls.c: the calls as programs see them, as far as core/ adds to vm/: populate, read-ahead,
 * page-out, brk under pressure, fork and its pages with too little memory, the doors' answers. */
#include "rig.h"

#define RAM (4 * RIG_MIB)

static struct quire_space_usage usage_of(struct rig *rig, unsigned index) {
    struct quire_space_usage usage;
    quire_space_usage(rig->spaces[index], &usage);
    return usage;
}

static void populate(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, RAM, 0);
    rig_space(&rig, 0);
    uint64_t va = rig_map(&rig, 0, 100 * RIG_PAGE, RIG_RW, QUIRE_MAP_POPULATE);
    assert_int_equal(usage_of(&rig, 0).resident_anon, 100);
    uint64_t faults = quire_counters(rig.q)->pgfault;
    rig_fill(&rig, 0, va, 100, 0);
    assert_int_equal(quire_counters(rig.q)->pgfault, faults); /* nothing is left to fault in */
    rig_map(&rig, 0, 100 * RIG_PAGE, QUIRE_PROT_NONE, QUIRE_MAP_POPULATE);
    rig_map(&rig, 0, 100 * RIG_PAGE, QUIRE_PROT_READ, QUIRE_MAP_POPULATE);
    assert_int_equal(usage_of(&rig, 0).resident_anon, 100);
    quire_audit(rig.q);
    rig_down(&rig);
}

static void page_out_and_will_need(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, RAM, RAM);
    struct quire_space *space = rig_space(&rig, 0);
    uint64_t va = rig_map(&rig, 0, 100 * RIG_PAGE, RIG_RW, 0);
    rig_fill(&rig, 0, va, 100, 0);
    quire_vaddr part = quire_va(va + 10 * RIG_PAGE);
    assert_int_equal(quire_advise(space, part, 50 * RIG_PAGE, QUIRE_ADVISE_PAGEOUT), QUIRE_OK);
    assert_int_equal(usage_of(&rig, 0).swapped, 50);
    assert_int_equal(usage_of(&rig, 0).resident_anon, 50);
    quire_audit(rig.q);
    assert_int_equal(quire_advise(space, part, 30 * RIG_PAGE, QUIRE_ADVISE_WILLNEED), QUIRE_OK);
    assert_int_equal(usage_of(&rig, 0).swapped, 20);
    rig_expect(&rig, 0, va, 100, 0);
    assert_int_equal(usage_of(&rig, 0).swapped, 0);
    /* The copies on swap are still good: going out again writes nothing. */
    uint64_t written = quire_counters(rig.q)->pswpout;
    assert_int_equal(quire_advise(space, part, 50 * RIG_PAGE, QUIRE_ADVISE_PAGEOUT), QUIRE_OK);
    assert_int_equal(quire_counters(rig.q)->pswpout, written);
    assert_int_equal(quire_counters(rig.q)->swap_clean, 50);
    rig_expect(&rig, 0, va, 100, 0);
    quire_audit(rig.q);
    rig_down(&rig);
}

/* A program as a whole: out but for what is locked or another's too, and in again. */
static void swapped_out_whole(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, RAM, RAM);
    struct quire_space *space = rig_space(&rig, 0);
    assert_int_equal(quire_space_swap_out(space), 0); /* nothing is there */
    uint64_t first = rig_map(&rig, 0, 100 * RIG_PAGE, RIG_RW, 0);
    rig_map(&rig, 0, 10 * RIG_PAGE, QUIRE_PROT_NONE, 0);
    uint64_t second = rig_map(&rig, 0, 50 * RIG_PAGE, RIG_RW, 0);
    rig_fill(&rig, 0, first, 100, 0);
    rig_fill(&rig, 0, second, 30, 0); /* 20 pages were never touched */
    assert_int_equal(quire_space_swap_out(space), 0);
    assert_int_equal(usage_of(&rig, 0).swapped, 130);
    assert_int_equal(usage_of(&rig, 0).resident_anon, 0);
    quire_audit(rig.q);
    assert_int_equal(quire_space_swap_in(space), 0);
    assert_int_equal(usage_of(&rig, 0).swapped, 0);
    assert_int_equal(usage_of(&rig, 0).resident_anon, 130);
    quire_audit(rig.q);
    assert_int_equal(quire_lock(space, quire_va(first), 7 * RIG_PAGE, false), QUIRE_OK);
    assert_int_equal(quire_space_swap_out(space), 7);
    assert_int_equal(usage_of(&rig, 0).resident_anon, 7);
    assert_int_equal(quire_unlock(space, quire_va(first), 7 * RIG_PAGE), QUIRE_OK);
    rig_expect(&rig, 0, first, 100, 0);
    rig_expect(&rig, 0, second, 30, 0);
    quire_audit(rig.q);
    rig_down(&rig);
}

/* No swap: all stays where it is. */
static void swapped_out_without_room(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, RAM, 0);
    rig_space(&rig, 0);
    uint64_t va = rig_map(&rig, 0, 40 * RIG_PAGE, RIG_RW, 0);
    rig_fill(&rig, 0, va, 40, 0);
    assert_int_equal(quire_space_swap_out(rig.spaces[0]), 40);
    assert_int_equal(usage_of(&rig, 0).resident_anon, 40);
    assert_int_equal(quire_space_swap_in(rig.spaces[0]), 0);
    rig_expect(&rig, 0, va, 40, 0);
    quire_audit(rig.q);
    rig_down(&rig);
}

static void advice_on_holes(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, RAM, RAM);
    struct quire_space *space = rig_space(&rig, 0);
    uint64_t va = rig_map(&rig, 0, 30 * RIG_PAGE, RIG_RW, 0);
    rig_fill(&rig, 0, va, 30, 0);
    assert_int_equal(quire_unmap(space, quire_va(va + 10 * RIG_PAGE), 10 * RIG_PAGE), QUIRE_OK);
    const enum quire_advice both[] = {QUIRE_ADVISE_PAGEOUT, QUIRE_ADVISE_WILLNEED};
    for (unsigned i = 0; i < 2; i++) {
        enum quire_advice advice = both[i];
        assert_int_equal(quire_advise(space, quire_va(va), 30 * RIG_PAGE, advice), QUIRE_UNMAPPED);
        assert_int_equal(usage_of(&rig, 0).swapped, advice == QUIRE_ADVISE_PAGEOUT ? 20 : 0);
        assert_int_equal(quire_advise(space, quire_va(va), 10 * RIG_PAGE, advice), QUIRE_OK);
        assert_int_equal(quire_advise(space, quire_va(va + 1), RIG_PAGE, advice), QUIRE_INVAL);
        assert_int_equal(quire_advise(space, quire_va(va), UINT64_MAX, advice), QUIRE_INVAL);
        assert_int_equal(quire_advise(space, quire_va(va), 0, advice), QUIRE_OK);
    }
    rig_expect(&rig, 0, va, 10, 0);
    rig_expect(&rig, 0, va + 20 * RIG_PAGE, 10, 0);
    rig_down(&rig);
}

static void brk_moves(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, RAM, RAM);
    struct quire_space *space = rig_space(&rig, 0);
    quire_brk_start(space, quire_va(0x100000));
    assert_int_equal(quire_brk(space, quire_va(0)).value, 0x100000);
    assert_int_equal(quire_brk(space, quire_va(0x121000)).value, 0x121000); /* malloc's first */
    rig_fill(&rig, 0, 0x100000, 0x21, 0);
    assert_int_equal(quire_brk(space, quire_va(0x110000)).value, 0x110000);
    uint64_t value;
    assert_int_equal(rig_load(&rig, 0, 0x110000, &value), QUIRE_FAULT);
    assert_int_equal(quire_brk(space, quire_va((uint64_t)1 << 50)).value, 0x110000);
    assert_int_equal(quire_brk(space, quire_va(0xFFFFF)).value, 0x110000);
    /* Larger than RAM is fine: nothing is given yet. */
    assert_int_equal(quire_brk(space, quire_va(0x100000 + 2 * RAM)).value, 0x100000 + 2 * RAM);
    rig_expect(&rig, 0, 0x100000, 0x10, 0);
    assert_int_equal(quire_brk(space, quire_va(0x100000)).value, 0x100000); /* no heap at all */
    assert_int_equal(rig_load(&rig, 0, 0x100000, &value), QUIRE_FAULT);
    quire_audit(rig.q);
    rig_down(&rig);
}

/* An allocation that fails once is no reason to refuse: the second try knows what was wanted. */
static void brk_tries_again(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, RAM, RAM);
    struct quire_space *space = rig_space(&rig, 0);
    uint64_t end = 0x100000, stalls = quire_counters(rig.q)->allocstall;
    quire_brk_start(space, quire_va(end));
    for (uint64_t nth = 1; nth <= 4; nth++) {
        end += 3 * RIG_PAGE;
        quire_fail_range(rig.q, nth, 1);
        assert_int_equal(quire_brk(space, quire_va(end)).value, end);
    }
    quire_fail_every(rig.q, 0);
    assert_true(quire_counters(rig.q)->allocstall > stalls); /* there was a second try */
    quire_audit(rig.q);
    rig_down(&rig);
}

/* fork makes room for its tables by reclaiming; parent and child then disagree page by page. */
static void fork_under_pressure(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, RAM, 6 * RAM);
    rig_space(&rig, 0);
    const uint64_t npages = 2 * RAM / RIG_PAGE;
    uint64_t va = rig_map(&rig, 0, npages * RIG_PAGE, RIG_RW, 0);
    rig_fill(&rig, 0, va, npages, 0);
    assert_int_equal(quire_space_fork(rig.spaces[0], &rig.spaces[1], &rig.spaces[1]), QUIRE_OK);
    quire_audit(rig.q);
    for (uint64_t n = 0; n < npages; n++)
        rig_fill(&rig, n % 2, va + n * RIG_PAGE, 1, 1);
    for (uint64_t n = 0; n < npages; n++) {
        rig_expect(&rig, 0, va + n * RIG_PAGE, 1, n % 2 == 0);
        rig_expect(&rig, 1, va + n * RIG_PAGE, 1, n % 2 == 1);
    }
    assert_int_equal(rig.kills, 0);
    quire_audit(rig.q);
    rig_down(&rig);
}

/* Refused allocations anywhere in map, protect, unmap, fork: the call fails or works, all else is
 * as before. */
static void calls_with_failing_allocations(void **state) {
    (void)state;
    for (uint64_t nth = 1; nth < 40; nth += 3) {
        struct rig rig;
        rig_up(&rig, RAM, RAM);
        struct quire_space *space = rig_space(&rig, 0);
        uint64_t va = rig_map(&rig, 0, 64 * RIG_PAGE, RIG_RW, 0);
        rig_fill(&rig, 0, va, 64, 0);
        quire_fail_every(rig.q, nth);
        for (unsigned i = 0; i < 16; i++) {
            quire_vaddr more = quire_va(0);
            enum quire_status status =
                quire_map(space, &more, 8 * RIG_PAGE, QUIRE_PROT_READ, 0, NULL, 0);
            assert_true(status == QUIRE_OK || status == QUIRE_NOMEM);
            quire_vaddr middle = quire_va(va + (4 * i + 1) * RIG_PAGE);
            status = quire_protect(space, middle, 2 * RIG_PAGE, QUIRE_PROT_READ);
            assert_true(status == QUIRE_OK || status == QUIRE_NOMEM);
            struct quire_space *child = NULL;
            status = quire_space_fork(space, NULL, &child);
            if (status == QUIRE_OK)
                quire_space_destroy(child);
            else
                assert_int_equal(status, QUIRE_NOMEM);
            if (i % 4 == 0)
                quire_audit(rig.q);
        }
        quire_fail_every(rig.q, 0);
        rig_expect(&rig, 0, va, 64, 0);
        assert_int_equal(rig.kills, 0);
        rig_down(&rig);
    }
}

static void answers_of_the_fault_door(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, RAM, RAM);
    struct quire_space *space = rig_space(&rig, 0);
    uint64_t va = rig_map(&rig, 0, RIG_PAGE, QUIRE_PROT_READ, 0);
    assert_int_equal(quire_fault(space, quire_va(va), QUIRE_ACCESS_READ), QUIRE_OK);
    assert_int_equal(quire_fault(space, quire_va(va), QUIRE_ACCESS_WRITE), QUIRE_DENIED);
    assert_int_equal(quire_fault(space, quire_va(va), QUIRE_ACCESS_EXEC), QUIRE_DENIED);
    assert_int_equal(quire_fault(space, quire_va(va + RIG_PAGE), QUIRE_ACCESS_READ), QUIRE_FAULT);
    assert_int_equal(quire_fault(space, quire_va(0), QUIRE_ACCESS_READ), QUIRE_FAULT);
    assert_int_equal(quire_fault(space, quire_va(UINT64_MAX), QUIRE_ACCESS_READ), QUIRE_FAULT);
    assert_false(quire_wants_tick(rig.q));
    quire_tick(rig.q);
    rig_down(&rig);
}

static enum quire_status no_read(void *context, uint64_t offset, void *bytes) {
    (void)context, (void)offset, (void)bytes;
    return QUIRE_IO;
}

static uint64_t a_page(void *context) {
    (void)context;
    return RIG_PAGE;
}

/* Arguments that wrap around, or make no sense; and no memory at all. A refusal changes nothing. */
static void refusals(void **state) {
    (void)state;
    struct rig rig;
    struct quire_object *object = NULL;
    const struct quire_pager pager = {.read = no_read, .size = a_page};
    const struct quire_object_info info = {.name = "/file"};
    rig_up(&rig, RAM, RAM);
    struct quire_space *space = rig_space(&rig, 0);
    quire_brk_start(space, quire_va(0x1000000));
    uint64_t va = rig_map(&rig, 0, 4 * RIG_PAGE, RIG_RW, 0), last = UINT64_MAX - RIG_PAGE + 1;
    assert_int_equal(quire_object_create_file(rig.q, NULL, NULL, &info, &object), QUIRE_INVAL);
    assert_int_equal(quire_lock(space, quire_va(va + 5), UINT64_MAX, false), QUIRE_INVAL);
    assert_int_equal(quire_lock_all(space, 8), QUIRE_INVAL);
    for (enum quire_advice advice = QUIRE_ADVISE_WILLNEED; advice <= QUIRE_ADVISE_POPULATE_WRITE;
         advice++) {
        assert_int_equal(quire_advise(space, quire_va(va + 8), RIG_PAGE, advice), QUIRE_INVAL);
        assert_int_equal(quire_advise(space, quire_va(last), 3 * RIG_PAGE, advice), QUIRE_INVAL);
    }
    assert_int_equal(quire_advise(space, quire_va(va), UINT64_MAX, QUIRE_ADVISE_WILLNEED),
                     QUIRE_INVAL);
    /* A page that its file does not give: told as an error of the address. */
    quire_vaddr at = quire_va(0);
    assert_int_equal(quire_object_create_file(rig.q, &pager, NULL, &info, &object), QUIRE_OK);
    assert_int_equal(quire_map(space, &at, RIG_PAGE, QUIRE_PROT_READ, 0, object, 0), QUIRE_OK);
    assert_int_equal(quire_advise(space, at, RIG_PAGE, QUIRE_ADVISE_POPULATE_READ), QUIRE_FAULT);
    assert_int_equal(quire_unmap(space, at, RIG_PAGE), QUIRE_OK);
    quire_object_unref(object);
    struct quire_space_usage before = usage_of(&rig, 0);
    quire_fail_every(rig.q, 1);
    object = NULL;
    assert_int_equal(quire_object_create_file(rig.q, &pager, NULL, &info, &object), QUIRE_NOMEM);
    assert_int_equal(quire_object_create_shm(rig.q, RIG_PAGE, &info, &object), QUIRE_NOMEM);
    assert_null(object);
    assert_int_equal(quire_brk(space, quire_va(0x1000000 + 8 * RIG_PAGE)).value, 0x1000000);
    assert_int_equal(quire_advise(space, quire_va(va), RIG_PAGE, QUIRE_ADVISE_POPULATE_WRITE),
                     QUIRE_NOMEM);
    quire_fail_every(rig.q, 0);
    struct quire_space_usage after = usage_of(&rig, 0);
    assert_int_equal(after.virtual_pages, before.virtual_pages);
    assert_int_equal(after.data, before.data);
    assert_int_equal(quire_brk(space, quire_va(0x1000000 + 8 * RIG_PAGE)).value,
                     0x1000000 + 8 * RIG_PAGE);
    rig_down(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(populate),
        cmocka_unit_test(page_out_and_will_need),
        cmocka_unit_test(swapped_out_whole),
        cmocka_unit_test(swapped_out_without_room),
        cmocka_unit_test(advice_on_holes),
        cmocka_unit_test(brk_moves),
        cmocka_unit_test(brk_tries_again),
        cmocka_unit_test(fork_under_pressure),
        cmocka_unit_test(calls_with_failing_allocations),
        cmocka_unit_test(answers_of_the_fault_door),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
