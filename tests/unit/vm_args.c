/* vm_args.c: arguments that no state of a space can make right, and those at the edge of what can:
 * each call refuses as Linux's does, and changes nothing.
 */
#include "vm_fixture.h"

#define BASE ((uint64_t)0x10000000)

static struct vm_file file;

/* Nothing has happened: the one region of eight pages and its bytes. */
static void expect_untouched(struct vm_fixture *f) {
    assert_int_equal(vm_count_regions(f->space), 1);
    assert_int_equal(vm_read(f->space, BASE + 3 * PAGE), 3);
    quire_audit(f->q);
}

static struct vm_fixture open_one(void) {
    struct vm_fixture f = vm_open(4 * MIB, 0);
    vm_map_at(f.space, BASE, 8, RW, 0);
    vm_write(f.space, BASE + 3 * PAGE, 3);
    return f;
}

static void spaces(void **state) {
    (void)state;
    struct vm_fixture f = open_one();
    const struct {
        uint64_t low, high, top;
    } wrong[] = {{LOW + 1, HIGH, MAP_TOP}, {LOW, HIGH - 1, MAP_TOP}, {LOW, HIGH, MAP_TOP + 8},
                 {HIGH, LOW, MAP_TOP},     {LOW, LOW, LOW},          {LOW, HIGH, LOW - PAGE},
                 {LOW, HIGH, HIGH + PAGE}};
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct quire_space_config config = {.low = quire_va(wrong[i].low),
                                            .high = quire_va(wrong[i].high),
                                            .map_top = quire_va(wrong[i].top)};
        struct quire_space *space;
        assert_int_equal(quire_space_create(f.q, &config, &space), QUIRE_INVAL);
    }
    assert_int_equal(quire_space_set_limit(f.space, QUIRE_LIMIT_STACK + 1, 0), QUIRE_INVAL);
    assert_int_equal(quire_space_set_oom_score_adj(f.space, 1001), QUIRE_INVAL);
    assert_int_equal(quire_space_set_oom_score_adj(f.space, -1001), QUIRE_INVAL);
    assert_int_equal(quire_space_set_oom_score_adj(f.space, -1000), QUIRE_OK);
    assert_int_equal(quire_space_oom_score_adj(f.space), -1000);
    expect_untouched(&f);
    vm_close(&f);
}

static void maps(void **state) {
    (void)state;
    struct vm_fixture f = open_one();
    struct quire_object *object = vm_file_object(f.q, &file, 4 * PAGE);
    const unsigned r = QUIRE_PROT_READ, fixed = QUIRE_MAP_FIXED, no = QUIRE_MAP_NOREPLACE;
    const struct {
        uint64_t va, length;
        unsigned prot, flags;
        bool file;
        uint64_t offset;
        enum quire_status status;
    } asked[] = {
        {0, 0, RW, 0, false, 0, QUIRE_INVAL},
        {0, PAGE, 8, 0, false, 0, QUIRE_INVAL},
        {0, PAGE, RW, 0, true, 1, QUIRE_INVAL},
        {BASE + 1, PAGE, RW, fixed, false, 0, QUIRE_INVAL},
        {BASE + 1, PAGE, RW, no, false, 0, QUIRE_INVAL},
        {0, PAGE, RW, QUIRE_MAP_GROWSDOWN, true, 0, QUIRE_INVAL},
        {0, PAGE, RW, QUIRE_MAP_GROWSDOWN | QUIRE_MAP_SHARED, false, 0, QUIRE_INVAL},
        {0, PAGE, RW, QUIRE_MAP_DENY_WRITE | QUIRE_MAP_SHARED, true, 0, QUIRE_PERM},
        {0, HIGH - LOW + 1, RW, 0, false, 0, QUIRE_NOROOM},
        {0, UINT64_MAX, RW, 0, false, 0, QUIRE_NOROOM},
        {0, 2 * PAGE, r, 0, true, UINT64_MAX & ~QUIRE_PAGE_MASK, QUIRE_INVAL},
        {LOW - PAGE, PAGE, RW, fixed, false, 0, QUIRE_PERM},
        {HIGH - PAGE, 2 * PAGE, RW, fixed, false, 0, QUIRE_NOROOM},
        {HIGH, PAGE, RW, no, false, 0, QUIRE_NOROOM},
        {BASE + 7 * PAGE, 2 * PAGE, RW, no, false, 0, QUIRE_EXIST},
    };
    for (unsigned i = 0; i < sizeof asked / sizeof *asked; i++) {
        quire_vaddr va = quire_va(asked[i].va);
        assert_int_equal(quire_map(f.space, &va, asked[i].length, asked[i].prot, asked[i].flags,
                                   asked[i].file ? object : NULL, asked[i].offset),
                         asked[i].status);
        expect_untouched(&f);
    }
    /* Nearly as large as the space, where one page is taken: nowhere. */
    struct quire_overcommit all = {.mode = QUIRE_OVERCOMMIT_ALWAYS};
    assert_int_equal(quire_set_overcommit(f.q, &all), QUIRE_OK);
    quire_vaddr va = quire_va(0);
    assert_int_equal(quire_map(f.space, &va, HIGH - LOW, RW, 0, NULL, 0), QUIRE_NOROOM);
    /* A hint in what a stack keeps free is not taken, not even near the bottom. */
    vm_map_at(f.space, LOW + 16 * PAGE, 1, RW, QUIRE_MAP_GROWSDOWN);
    va = quire_va(LOW + 8 * PAGE);
    assert_int_equal(quire_map(f.space, &va, PAGE, RW, 0, NULL, 0), QUIRE_OK);
    assert_true(va.value > BASE);
    quire_object_unref(object);
    vm_close(&f);
}

/* Above map_top if there is no room below it. */
static void the_last_room(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 0);
    struct quire_overcommit all = {.mode = QUIRE_OVERCOMMIT_ALWAYS};
    assert_int_equal(quire_set_overcommit(f.q, &all), QUIRE_OK);
    vm_map_at(f.space, LOW, (MAP_TOP - LOW) / PAGE - 1, RW, QUIRE_MAP_NORESERVE);
    assert_int_equal(vm_map(f.space, 1, QUIRE_PROT_READ, 0, NULL, 0), MAP_TOP - PAGE);
    assert_int_equal(vm_map(f.space, 2, QUIRE_PROT_READ, 0, NULL, 0), HIGH - 2 * PAGE);
    assert_int_equal(vm_map(f.space, 1, QUIRE_PROT_READ, 0, NULL, 0), HIGH - 3 * PAGE);
    assert_int_equal(quire_unmap(f.space, quire_va(MAP_TOP - PAGE), PAGE), QUIRE_OK);
    assert_int_equal(vm_map(f.space, 1, QUIRE_PROT_READ, 0, NULL, 0), MAP_TOP - PAGE);
    quire_vaddr va = quire_va(0);
    assert_int_equal(quire_map(f.space, &va, 64 * MIB, RW, 0, NULL, 0), QUIRE_NOROOM);
    vm_close(&f);
}

static void changes(void **state) {
    (void)state;
    struct vm_fixture f = open_one();
    struct quire_space *space = f.space;
    const quire_vaddr odd = quire_va(BASE + 1), base = quire_va(BASE), high = quire_va(HIGH),
                      above = quire_va(HIGH + PAGE);
    uint8_t resident[8];
    assert_int_equal(quire_unmap(space, base, 0), QUIRE_INVAL);
    assert_int_equal(quire_unmap(space, odd, PAGE), QUIRE_INVAL);
    assert_int_equal(quire_unmap(space, above, PAGE), QUIRE_INVAL);
    assert_int_equal(quire_unmap(space, base, UINT64_MAX), QUIRE_INVAL);
    assert_int_equal(quire_unmap(space, quire_va(HIGH - PAGE), PAGE), QUIRE_OK); /* a hole */
    assert_int_equal(quire_protect(space, base, PAGE, 8), QUIRE_INVAL);
    assert_int_equal(quire_protect(space, odd, PAGE, RW), QUIRE_INVAL);
    assert_int_equal(quire_protect(space, high, PAGE, RW), QUIRE_UNMAPPED);
    assert_int_equal(quire_protect(space, above, PAGE, RW), QUIRE_UNMAPPED);
    assert_int_equal(quire_protect(space, base, 0, QUIRE_PROT_READ), QUIRE_OK);
    assert_int_equal(quire_incore(space, odd, PAGE, resident), QUIRE_INVAL);
    assert_int_equal(quire_incore(space, high, PAGE, resident), QUIRE_UNMAPPED);
    assert_int_equal(quire_incore(space, above, PAGE, resident), QUIRE_UNMAPPED);
    assert_int_equal(quire_sync(space, odd, PAGE), QUIRE_INVAL);
    assert_int_equal(quire_sync(space, high, PAGE), QUIRE_UNMAPPED);
    assert_int_equal(quire_lock(space, high, PAGE, false), QUIRE_UNMAPPED);
    assert_int_equal(quire_lock(space, base, UINT64_MAX, false), QUIRE_UNMAPPED);
    assert_int_equal(quire_lock(space, odd, UINT64_MAX, false), QUIRE_INVAL);
    assert_int_equal(quire_lock_all(space, 8), QUIRE_INVAL);
    assert_int_equal(quire_advise(space, odd, PAGE, QUIRE_ADVISE_COLD), QUIRE_INVAL);
    assert_int_equal(quire_advise(space, base, 0, QUIRE_ADVISE_DONTNEED), QUIRE_OK);
    assert_int_equal(quire_advise(space, base, PAGE, QUIRE_ADVISE_REMOVE + 1), QUIRE_INVAL);
    expect_untouched(&f);
    vm_close(&f);
}

static void remaps(void **state) {
    (void)state;
    struct vm_fixture f = open_one();
    const unsigned may = QUIRE_REMAP_MAY_MOVE, fixed = may | QUIRE_REMAP_FIXED,
                   keep = may | QUIRE_REMAP_DONT_UNMAP;
    const uint64_t all = 8 * PAGE, far = BASE + MIB;
    const struct {
        uint64_t va, old_bytes, new_bytes;
        unsigned flags;
        uint64_t to;
        enum quire_status status;
    } asked[] = {
        {BASE, all, all, 8, 0, QUIRE_INVAL},
        {BASE, all, all, QUIRE_REMAP_FIXED, far, QUIRE_INVAL},
        {BASE, all, all, QUIRE_REMAP_DONT_UNMAP, far, QUIRE_INVAL},
        {BASE, all, all + PAGE, keep, far, QUIRE_INVAL},
        {BASE + 1, all, all, may, 0, QUIRE_INVAL},
        {BASE, all, 0, may, 0, QUIRE_INVAL},
        {BASE, all, all, fixed, far + 1, QUIRE_INVAL},
        {BASE, all, HIGH + PAGE, fixed, far, QUIRE_INVAL},
        {BASE, all, all, fixed, HIGH - all + PAGE, QUIRE_INVAL},
        {BASE, all, all, fixed, LOW - PAGE, QUIRE_INVAL},
        {BASE, all, all, fixed, BASE + all - PAGE, QUIRE_INVAL},
        {BASE, all, all, fixed, BASE - all + PAGE, QUIRE_INVAL},
        {BASE, 0, PAGE, may, 0, QUIRE_INVAL}, /* a second mapping, of what is not shared */
        {BASE - PAGE, PAGE, 2 * PAGE, may, 0, QUIRE_FAULT},
        {BASE, all + PAGE, all + 2 * PAGE, may, 0, QUIRE_FAULT},
        {BASE, all, HIGH - LOW + PAGE, may, 0, QUIRE_NOROOM},
        {BASE, PAGE, 2 * PAGE, 0, 0, QUIRE_NOROOM}, /* its own next page is in the way */
    };
    for (unsigned i = 0; i < sizeof asked / sizeof *asked; i++) {
        quire_vaddr to = quire_va(asked[i].to);
        assert_int_equal(quire_remap(f.space, quire_va(asked[i].va), asked[i].old_bytes,
                                     asked[i].new_bytes, asked[i].flags, &to),
                         asked[i].status);
        expect_untouched(&f);
    }
    /* In place up to the end of the space, and no page further. */
    vm_map_at(f.space, HIGH - 2 * PAGE, 1, RW, 0);
    quire_vaddr to = quire_va(0);
    assert_int_equal(quire_remap(f.space, quire_va(HIGH - 2 * PAGE), PAGE, 2 * PAGE, 0, &to),
                     QUIRE_OK);
    assert_int_equal(quire_remap(f.space, quire_va(HIGH - 2 * PAGE), 2 * PAGE, 3 * PAGE, 0, &to),
                     QUIRE_NOROOM);
    vm_close(&f);
}

static void heaps(void **state) {
    (void)state;
    struct vm_fixture f = open_one();
    assert_int_equal(quire_brk(f.space, quire_va(BASE + MIB)).value, 0); /* there is no heap */
    quire_brk_start(f.space, quire_va(BASE + MIB));
    assert_int_equal(quire_brk(f.space, quire_va(BASE)).value, BASE + MIB);
    assert_int_equal(quire_brk(f.space, quire_va(HIGH + 1)).value, BASE + MIB);
    expect_untouched(&f);
    assert_int_equal(quire_brk(f.space, quire_va(BASE + MIB + 1)).value, BASE + MIB + 1);
    assert_int_equal(vm_count_regions(f.space), 2);
    vm_close(&f);
}

/* Limits that sink below what is there refuse what is more, and nothing else. */
static void limits(void **state) {
    (void)state;
    struct vm_fixture f = open_one();
    assert_int_equal(quire_space_set_limit(f.space, QUIRE_LIMIT_ADDRESS, 2 * PAGE), QUIRE_OK);
    quire_vaddr va = quire_va(0);
    assert_int_equal(quire_map(f.space, &va, PAGE, RW, 0, NULL, 0), QUIRE_NOROOM);
    va = quire_va(BASE); /* in the place of another: not more */
    assert_int_equal(quire_map(f.space, &va, PAGE, RW, QUIRE_MAP_FIXED, NULL, 0), QUIRE_OK);
    assert_int_equal(quire_unmap(f.space, quire_va(BASE), 8 * PAGE), QUIRE_OK);
    assert_int_equal(quire_space_set_limit(f.space, QUIRE_LIMIT_ADDRESS, UINT64_MAX), QUIRE_OK);
    /* What one program may not take is at most all: a reserve larger than the limit. */
    struct quire_overcommit never = {.mode = QUIRE_OVERCOMMIT_NEVER, .limit_kbytes = 4};
    vm_map_at(f.space, BASE, 64, QUIRE_PROT_READ, 0);
    assert_int_equal(quire_set_overcommit(f.q, &never), QUIRE_OK);
    va = quire_va(0);
    assert_int_equal(quire_map(f.space, &va, PAGE, RW, 0, NULL, 0), QUIRE_NOROOM);
    assert_int_equal(quire_unmap(f.space, quire_va(BASE), 64 * PAGE), QUIRE_OK);
    assert_int_equal(quire_map(f.space, &va, PAGE, RW, 0, NULL, 0), QUIRE_OK);
    vm_close(&f);
}

static void usage_of_objects(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 4 * MIB);
    struct quire_object *shm, *object = vm_file_object(f.q, &file, 8 * PAGE);
    struct quire_object_usage usage;
    assert_int_equal(quire_object_create_shm(f.q, 8 * PAGE, NULL, &shm), QUIRE_OK);
    uint64_t a = vm_map(f.space, 8, RW, QUIRE_MAP_SHARED, shm, 0);
    uint64_t b = vm_map(f.space, 8, RW, QUIRE_MAP_SHARED, object, 0);
    vm_map(f.space, 1, QUIRE_PROT_READ, QUIRE_MAP_SHARED, object, 2);
    for (unsigned i = 0; i < 5; i++) {
        vm_write(f.space, a + i * PAGE, 1);
        vm_read(f.space, b + i * PAGE);
    }
    vm_write(f.space, b, 9);
    vm_evict(f.space, a, 3);
    vm_read(f.space, a); /* back, and clean: its slot is as good */
    quire_object_usage(shm, &usage);
    assert_int_equal(usage.resident, 3);
    assert_int_equal(usage.dirty, 2);
    assert_int_equal(usage.swapped, 2);
    assert_int_equal(usage.regions, 1);
    quire_object_usage(object, &usage);
    assert_int_equal(usage.resident, 5);
    assert_int_equal(usage.dirty, 1);
    assert_int_equal(usage.swapped, 0);
    assert_int_equal(usage.regions, 2);
    quire_object_unref(shm);
    quire_object_unref(object);
    vm_close(&f);
}

/* sync goes on behind what could not be written, and tells of the first error. */
static void syncs(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 0);
    struct quire_object *object = vm_file_object(f.q, &file, 8 * PAGE);
    quire_vaddr va = quire_va(BASE);
    for (unsigned i = 0; i < 2; i++, va.value += 4 * PAGE) { /* two regions: not side by side */
        assert_int_equal(quire_map(f.space, &va, PAGE, RW, QUIRE_MAP_SHARED | QUIRE_MAP_FIXED,
                                   object, i * 4 * PAGE),
                         QUIRE_OK);
        vm_write(f.space, va.value, 1);
    }
    file.broken = true;
    assert_int_equal(quire_sync(f.space, quire_va(BASE), 5 * PAGE), QUIRE_IO);
    assert_int_equal(quire_vm_dirty(f.q), 2);
    file.broken = false;
    assert_int_equal(quire_sync(f.space, quire_va(BASE), 5 * PAGE), QUIRE_UNMAPPED);
    assert_int_equal(quire_vm_dirty(f.q), 0); /* done nevertheless */
    quire_object_unref(object);
    vm_close(&f);
}

static enum quire_status read_ones(void *context, uint64_t offset, void *frame) {
    (void)context, (void)offset;
    memset(frame, 1, PAGE);
    return QUIRE_OK;
}

/* A pager with nothing but read: never written, and as long as pages can be counted. */
static void least_pager(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 0);
    static const struct quire_pager pager = {.read = read_ones};
    struct quire_object *object;
    assert_int_equal(quire_object_create_file(f.q, &pager, NULL, NULL, &object), QUIRE_OK);
    quire_vaddr va = quire_va(0);
    assert_int_equal(quire_map(f.space, &va, PAGE, RW, QUIRE_MAP_SHARED, object, 0), QUIRE_PERM);
    uint64_t seen = vm_map(f.space, 1, QUIRE_PROT_READ, QUIRE_MAP_SHARED, object, 1 << 20);
    uint8_t byte;
    assert_int_equal(vm_read(f.space, seen), 1);
    assert_int_equal(quire_protect(f.space, quire_va(seen), PAGE, RW), QUIRE_DENIED);
    assert_int_equal(quire_advise(f.space, quire_va(seen), PAGE, QUIRE_ADVISE_REMOVE),
                     QUIRE_DENIED);
    uint64_t own = vm_map(f.space, 1, RW, 0, object, 1 << 20);
    vm_write(f.space, own, 2);
    assert_int_equal(vm_read(f.space, seen), 1);
    uint64_t beyond = vm_map(f.space, 1, QUIRE_PROT_READ, 0, object, (uint64_t)1 << 50);
    assert_int_equal(vm_try_read(f.space, beyond, &byte), QUIRE_BUS);
    quire_object_unref(object);
    vm_close(&f);
}

/* Nobody copies to or from a program that is to end, nor past a shared mapping's protection. */
static void forbidden_copies(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 0);
    uint64_t shared = vm_map(f.space, 1, QUIRE_PROT_READ, QUIRE_MAP_SHARED, NULL, 0);
    uint64_t own = vm_map(f.space, 1, QUIRE_PROT_NONE, 0, NULL, 0);
    char text[2] = "x";
    assert_int_equal(vm_read(f.space, shared), 0);
    assert_int_equal(quire_copy_force(f.space, quire_va(shared), text, 2), 2);
    assert_int_equal(quire_copy_force(f.space, quire_va(own), text, 2), 0);
    assert_int_equal(quire_copy_in(f.space, text, quire_va(own), 2), 2);
    assert_int_equal(quire_protect(f.space, quire_va(own), PAGE, RW), QUIRE_OK);
    assert_int_equal(vm_read(f.space, own), 'x');
    quire_vm_mark_killed(f.space);
    assert_int_equal(quire_copy_out(f.space, quire_va(own), text, 2), 2);
    assert_int_equal(quire_copy_in(f.space, text, quire_va(own), 2), 2);
    vm_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spaces),
        cmocka_unit_test(maps),
        cmocka_unit_test(the_last_room),
        cmocka_unit_test(changes),
        cmocka_unit_test(remaps),
        cmocka_unit_test(heaps),
        cmocka_unit_test(limits),
        cmocka_unit_test(usage_of_objects),
        cmocka_unit_test(syncs),
        cmocka_unit_test(least_pager),
        cmocka_unit_test(forbidden_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
