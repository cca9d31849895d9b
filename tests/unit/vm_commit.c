/* vm_commit.c: what may be promised: the three modes of overcommit, and the limits of a space. The
 * textbook's 8 GiB on 4 GiB, a thousand times smaller: 8 MiB on a machine of 4.
 */
#include "vm_fixture.h"

#define BASE  ((uint64_t)0x20000000)
#define PAGES ((uint64_t)2048) /* 8 MiB */

static void set_mode(struct vm_fixture *f, enum quire_overcommit_mode mode, uint64_t ratio,
                     uint64_t kbytes) {
    struct quire_overcommit rule = {mode, ratio, kbytes};
    assert_int_equal(quire_set_overcommit(f->q, &rule), QUIRE_OK);
}

static enum quire_status map(struct quire_space *space, uint64_t npages, unsigned prot,
                             unsigned flags, uint64_t *at) {
    quire_vaddr va = quire_va(0);
    enum quire_status status = quire_map(space, &va, npages * PAGE, prot, flags, NULL, 0);
    *at = va.value;
    return status;
}

static uint64_t commit_limit(struct vm_fixture *f) {
    struct quire_usage usage;
    quire_usage(f->q, &usage);
    return usage.commit_limit;
}

/* Mode 0: one request that could never be held is refused, many that could are not. */
static void heuristic(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 0);
    uint64_t va;
    assert_int_equal(map(f.space, PAGES, RW, 0, &va), QUIRE_NOROOM);
    assert_int_equal(map(f.space, PAGES, RW, QUIRE_MAP_NORESERVE, &va), QUIRE_OK);
    assert_int_equal(map(f.space, PAGES, QUIRE_PROT_NONE, 0, &va), QUIRE_OK);
    assert_int_equal(quire_protect(f.space, quire_va(va), PAGES * PAGE, RW), QUIRE_NOROOM);
    assert_int_equal(quire_protect(f.space, quire_va(va), PAGES / 4 * PAGE, RW), QUIRE_OK);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(map(f.space, PAGES / 4, RW, 0, &va), QUIRE_OK);
    }
    quire_brk_start(f.space, quire_va(BASE));
    assert_int_equal(quire_brk(f.space, quire_va(BASE + PAGES * PAGE)).value, BASE);
    assert_int_equal(quire_brk(f.space, quire_va(BASE + PAGES / 4 * PAGE)).value,
                     BASE + PAGES / 4 * PAGE);
    quire_audit(f.q);
    vm_close(&f);
}

/* With swap to hold it the same request is granted, and can be filled. */
static void heuristic_with_swap(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 8 * MIB);
    uint64_t va;
    assert_int_equal(map(f.space, PAGES, RW, 0, &va), QUIRE_OK);
    for (uint64_t i = 0; i < PAGES; i++) {
        vm_write(f.space, va + i * PAGE, (uint8_t)(i % 251));
    }
    for (uint64_t i = 0; i < PAGES; i++) {
        assert_int_equal(vm_read(f.space, va + i * PAGE), i % 251);
    }
    assert_int_equal(quire_counters(f.q)->oom_kill, 0);
    vm_close(&f);
}

/* Mode 1 without swap: granted, untouched it stays; touched, it ends in the OOM killer. */
static void always(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 0);
    uint64_t va, i;
    set_mode(&f, QUIRE_OVERCOMMIT_ALWAYS, 0, 0);
    assert_int_equal(map(f.space, PAGES, RW, 0, &va), QUIRE_OK);
    assert_true(quire_vm_committed(f.q) >= PAGES);
    enum quire_status status = QUIRE_OK;
    for (i = 0; i < PAGES && status == QUIRE_OK; i++) {
        status = vm_try_write(f.space, va + i * PAGE, 1);
    }
    assert_int_equal(status, QUIRE_KILLED);
    assert_in_range(i, PAGES / 4, PAGES / 2);
    assert_int_equal(quire_counters(f.q)->oom_kill, 1);
    vm_close(&f);
}

/* Mode 2: never more than the limit, whoever asks and however; and what is granted can be had. */
static void never(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 4 * MIB);
    struct quire_space *child;
    struct quire_object *object;
    uint64_t va, more;
    set_mode(&f, QUIRE_OVERCOMMIT_NEVER, 0, 0);
    uint64_t half = commit_limit(&f);
    assert_in_range(half, 1024 / 2 - 16 + 1024 - 16, 1024 / 2 + 1024); /* 50 % and swap */
    set_mode(&f, QUIRE_OVERCOMMIT_NEVER, 100, 0);
    assert_in_range(commit_limit(&f), half + 490, half + 512);
    set_mode(&f, QUIRE_OVERCOMMIT_NEVER, 0, 2048);
    assert_in_range(commit_limit(&f), 512 + 1024 - 16, 512 + 1024);
    set_mode(&f, QUIRE_OVERCOMMIT_NEVER, 0, 0);
    assert_int_equal(map(f.space, half + 1, RW, 0, &va), QUIRE_NOROOM);
    assert_int_equal(map(f.space, half + 1, RW, QUIRE_MAP_NORESERVE, &va), QUIRE_NOROOM);
    assert_int_equal(map(f.space, half + 1, QUIRE_PROT_READ, 0, &va), QUIRE_OK);
    assert_int_equal(quire_unmap(f.space, quire_va(va), (half + 1) * PAGE), QUIRE_OK);
    assert_int_equal(map(f.space, half * 3 / 4, RW, 0, &va), QUIRE_OK);
    assert_int_equal(map(f.space, half / 4 + 1, RW, 0, &more), QUIRE_NOROOM);
    /* In the place of what is there it adds nothing. */
    quire_vaddr same = quire_va(va);
    assert_int_equal(quire_map(f.space, &same, half * 3 / 4 * PAGE, RW, QUIRE_MAP_FIXED, NULL, 0),
                     QUIRE_OK);
    assert_int_equal(quire_space_fork(f.space, NULL, &child), QUIRE_NOROOM);
    assert_int_equal(quire_object_create_shm(f.q, half / 2 * PAGE, NULL, &object), QUIRE_NOROOM);
    assert_int_equal(quire_object_create_shm(f.q, PAGE, NULL, &object), QUIRE_OK);
    assert_int_equal(quire_object_truncate(object, half / 2 * PAGE),
                     QUIRE_NOROOM); /* nor grows so */
    quire_audit(f.q);
    quire_object_unref(object);
    quire_vaddr to = quire_va(0);
    assert_int_equal(quire_remap(f.space, quire_va(va), half * 3 / 4 * PAGE, half * 2 * PAGE,
                                 QUIRE_REMAP_MAY_MOVE, &to),
                     QUIRE_NOROOM);
    assert_int_equal(quire_remap(f.space, quire_va(va), half * 3 / 4 * PAGE, half * 3 / 4 * PAGE,
                                 QUIRE_REMAP_MAY_MOVE | QUIRE_REMAP_DONT_UNMAP, &to),
                     QUIRE_NOROOM);
    assert_int_equal(quire_remap(f.space, quire_va(va), half * 3 / 4 * PAGE, half / 4 * PAGE,
                                 QUIRE_REMAP_MAY_MOVE, &to),
                     QUIRE_OK);
    assert_int_equal(quire_space_fork(f.space, NULL, &child), QUIRE_OK);
    quire_audit(f.q);
    for (uint64_t i = 0; i < half / 4; i++) { /* every promise is kept */
        vm_write(f.space, va + i * PAGE, 1);
        vm_write(child, va + i * PAGE, 2);
    }
    assert_int_equal(quire_counters(f.q)->oom_kill, 0);
    quire_space_destroy(child);
    vm_close(&f);
}

static void settings(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 0);
    struct quire_overcommit rule = {(enum quire_overcommit_mode)3, 50, 0};
    uint64_t va;
    assert_int_equal(quire_set_overcommit(f.q, &rule), QUIRE_INVAL);
    rule.mode = QUIRE_OVERCOMMIT_ALWAYS;
    rule.ratio_percent = 1000000;
    assert_int_equal(quire_set_overcommit(f.q, &rule), QUIRE_INVAL);
    quire_overcommit(f.q, &rule);
    assert_int_equal(rule.mode, QUIRE_OVERCOMMIT_HEURISTIC);
    assert_int_equal(rule.ratio_percent, 50);
    assert_int_equal(quire_set_max_regions(f.q, 0), QUIRE_INVAL);
    assert_int_equal(quire_max_regions(f.q), 65530);
    assert_int_equal(quire_set_max_regions(f.q, 3), QUIRE_OK);
    assert_int_equal(map(f.space, 9, RW, 0, &va), QUIRE_OK);
    assert_int_equal(quire_unmap(f.space, quire_va(va + 2 * PAGE), PAGE), QUIRE_OK);
    assert_int_equal(quire_unmap(f.space, quire_va(va + 4 * PAGE), PAGE), QUIRE_OK);
    assert_int_equal(quire_unmap(f.space, quire_va(va + 6 * PAGE), PAGE), QUIRE_NOROOM);
    assert_int_equal(quire_protect(f.space, quire_va(va), PAGE, QUIRE_PROT_READ), QUIRE_NOROOM);
    assert_int_equal(quire_lock(f.space, quire_va(va), PAGE, true), QUIRE_NOROOM);
    assert_int_equal(vm_count_regions(f.space), 3);
    quire_audit(f.q);
    vm_close(&f);
}

static void limits(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 0);
    struct quire_space *child;
    uint64_t va, more, stack = BASE + 100 * PAGE;
    assert_int_equal(quire_space_set_limit(f.space, (enum quire_space_limit)3, 1), QUIRE_INVAL);
    assert_int_equal(quire_space_set_limit(f.space, QUIRE_LIMIT_ADDRESS, 20 * PAGE), QUIRE_OK);
    assert_int_equal(map(f.space, 21, QUIRE_PROT_NONE, 0, &va), QUIRE_NOROOM);
    assert_int_equal(map(f.space, 20, QUIRE_PROT_READ, 0, &va), QUIRE_OK);
    assert_int_equal(map(f.space, 1, QUIRE_PROT_READ, 0, &more), QUIRE_NOROOM);
    quire_vaddr same = quire_va(va);
    assert_int_equal(quire_map(f.space, &same, 20 * PAGE, RW, QUIRE_MAP_FIXED, NULL, 0), QUIRE_OK);
    assert_int_equal(quire_space_fork(f.space, NULL, &child), QUIRE_OK);
    assert_int_equal(map(child, 1, QUIRE_PROT_READ, 0, &more), QUIRE_NOROOM);
    quire_space_destroy(child);
    assert_int_equal(quire_space_set_limit(f.space, QUIRE_LIMIT_ADDRESS, UINT64_MAX), QUIRE_OK);
    assert_int_equal(quire_space_set_limit(f.space, QUIRE_LIMIT_DATA, 25 * PAGE), QUIRE_OK);
    assert_int_equal(map(f.space, 6, RW, 0, &more), QUIRE_NOROOM);
    assert_int_equal(map(f.space, 6, RW, QUIRE_MAP_SHARED, &more), QUIRE_OK);
    assert_int_equal(map(f.space, 6, QUIRE_PROT_READ, 0, &more), QUIRE_OK);
    assert_int_equal(quire_protect(f.space, quire_va(more), 6 * PAGE, RW), QUIRE_NOROOM);
    assert_int_equal(quire_protect(f.space, quire_va(more), 5 * PAGE, RW), QUIRE_OK);
    vm_map_at(f.space, stack, 2, RW, QUIRE_MAP_GROWSDOWN); /* a stack is no data */
    assert_int_equal(quire_space_set_limit(f.space, QUIRE_LIMIT_STACK, 4 * PAGE), QUIRE_OK);
    assert_int_equal(vm_try_write(f.space, stack - 3 * PAGE, 1), QUIRE_FAULT);
    assert_int_equal(vm_try_write(f.space, stack - 2 * PAGE, 1), QUIRE_OK);
    struct quire_space_usage usage;
    quire_space_usage(f.space, &usage);
    assert_int_equal(quire_space_set_limit(f.space, QUIRE_LIMIT_STACK, MIB), QUIRE_OK);
    assert_int_equal(
        quire_space_set_limit(f.space, QUIRE_LIMIT_ADDRESS, (usage.virtual_pages + 1) * PAGE),
        QUIRE_OK);
    assert_int_equal(vm_try_write(f.space, stack - 4 * PAGE, 1), QUIRE_FAULT);
    assert_int_equal(vm_try_write(f.space, stack - 3 * PAGE, 1), QUIRE_OK);
    quire_audit(f.q);
    vm_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heuristic), cmocka_unit_test(heuristic_with_swap),
        cmocka_unit_test(always),    cmocka_unit_test(never),
        cmocka_unit_test(settings),  cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
