/* vm_flush.c: dirty file pages reach their file by themselves: by age, by number, and at once when
 * there are too many; a file that can't be written holds up no other.
 */
#include "vm_fixture.h"

#define SECOND ((uint64_t)1000000000)

static void pass(struct vm_fixture *f, uint64_t ns) {
    quire_soft_idle_until(f->machine, quire_mach_now_ns(f->machine) + ns);
}

static void dirty(struct quire_space *space, uint64_t va, unsigned npages, uint8_t byte) {
    for (unsigned i = 0; i < npages; i++) {
        vm_write(space, va + i * PAGE, byte);
    }
}

static void by_age(void **state) {
    (void)state;
    static struct vm_file file;
    struct vm_fixture f = vm_open(8 * MIB, 0);
    struct quire_object *object = vm_file_object(f.q, &file, 20 * PAGE);
    uint64_t va = vm_map(f.space, 20, RW, QUIRE_MAP_SHARED, object, 0);
    dirty(f.space, va, 5, 77);
    quire_tick(f.q);
    pass(&f, 29 * SECOND);
    quire_tick(f.q);
    assert_int_equal(file.writes, 0);
    pass(&f, SECOND);
    quire_tick(f.q);
    assert_int_equal(file.writes, 5);
    assert_int_equal(file.bytes[4 * PAGE], 77);
    assert_int_equal(quire_vm_dirty(f.q), 0);
    quire_audit(f.q);
    vm_write(f.space, va, 78); /* clean pages are write-protected: this one is dirty again */
    assert_int_equal(quire_vm_dirty(f.q), 1);
    assert_int_equal(quire_sync_all(f.q), QUIRE_OK);
    assert_int_equal(file.bytes[0], 78);
    quire_object_unref(object);
    vm_close(&f);
}

/* 4 MiB have about 800 pages to be dirty: 80 start the flusher, 160 are the limit. */
static void by_number(void **state) {
    (void)state;
    static struct vm_file files[4];
    struct quire_object *objects[4];
    struct vm_fixture f = vm_open(4 * MIB, 0);
    for (unsigned i = 0; i < 4; i++) {
        objects[i] = vm_file_object(f.q, &files[i], VM_FILE_PAGES * PAGE);
        uint64_t va = vm_map(f.space, VM_FILE_PAGES, RW, QUIRE_MAP_SHARED, objects[i], 0);
        dirty(f.space, va, VM_FILE_PAGES, (uint8_t)(i + 1));
        quire_tick(f.q);
        quire_audit(f.q);
        if (i == 0) { /* 64 are below the first mark */
            assert_int_equal(quire_vm_dirty(f.q), 64);
        }
        assert_false(quire_vm_flush_wanted(f.q));
    }
    assert_int_equal(files[0].writes, 64); /* the oldest first */
    assert_int_equal(files[3].writes, 0);
    assert_int_equal(quire_vm_dirty(f.q), 64);
    for (unsigned i = 0; i < 4; i++) {
        quire_object_unref(objects[i]);
    }
    vm_close(&f);
}

/* Nobody ticks: who dirties too much is told to. */
static void the_limit(void **state) {
    (void)state;
    static struct vm_file files[4];
    struct quire_object *objects[4];
    struct vm_fixture f = vm_open(4 * MIB, 0);
    unsigned wanted = 0;
    for (unsigned i = 0; i < 4; i++) {
        objects[i] = vm_file_object(f.q, &files[i], VM_FILE_PAGES * PAGE);
        uint64_t va = vm_map(f.space, VM_FILE_PAGES, RW, QUIRE_MAP_SHARED, objects[i], 0);
        for (unsigned page = 0; page < VM_FILE_PAGES; page++) {
            assert_int_equal(quire_fault(f.space, quire_va(va + page * PAGE), QUIRE_ACCESS_WRITE),
                             QUIRE_OK);
            wanted += quire_vm_flush_wanted(f.q);
        }
    }
    assert_in_range(wanted, 1, 150);
    assert_true(quire_wants_tick(f.q));
    assert_in_range(quire_vm_dirty(f.q), 150, 256);
    quire_tick(f.q);
    assert_false(quire_vm_flush_wanted(f.q));
    assert_true(quire_vm_dirty(f.q) < 200);
    quire_audit(f.q);
    for (unsigned i = 0; i < 4; i++) {
        quire_object_unref(objects[i]);
    }
    vm_close(&f);
}

/* A page that gets dirty again behind the flusher waits until the other files had their turn. */
static void behind_the_flusher(void **state) {
    (void)state;
    static struct vm_file files[3];
    static const unsigned npages[3] = {40, VM_FILE_PAGES, VM_FILE_PAGES};
    struct quire_object *objects[3];
    uint64_t va[3];
    struct vm_fixture f = vm_open(8 * MIB, 0);
    for (unsigned i = 0; i < 3; i++) {
        objects[i] = vm_file_object(f.q, &files[i], npages[i] * PAGE);
        va[i] = vm_map(f.space, npages[i], RW, QUIRE_MAP_SHARED, objects[i], 0);
        dirty(f.space, va[i], npages[i], 1);
    }
    pass(&f, 31 * SECOND);
    quire_tick(f.q); /* 64 pages */
    assert_int_equal(files[0].writes, 40);
    assert_int_equal(files[1].writes, 24);
    assert_int_equal(quire_fault(f.space, quire_va(va[1]), QUIRE_ACCESS_WRITE), QUIRE_OK);
    quire_tick(f.q);
    assert_int_equal(files[1].writes, 64);
    assert_int_equal(files[2].writes, 24);
    quire_tick(f.q);
    assert_int_equal(files[1].writes, 65);
    assert_int_equal(files[2].writes, 64);
    assert_int_equal(quire_vm_dirty(f.q), 0);
    for (unsigned i = 0; i < 3; i++) {
        quire_object_unref(objects[i]);
    }
    vm_close(&f);
}

static void a_broken_file(void **state) {
    (void)state;
    static struct vm_file bad, good;
    struct vm_fixture f = vm_open(8 * MIB, 0);
    struct quire_object *first = vm_file_object(f.q, &bad, 8 * PAGE);
    struct quire_object *second = vm_file_object(f.q, &good, 8 * PAGE);
    dirty(f.space, vm_map(f.space, 8, RW, QUIRE_MAP_SHARED, first, 0), 8, 1);
    dirty(f.space, vm_map(f.space, 8, RW, QUIRE_MAP_SHARED, second, 0), 8, 2);
    bad.broken = true;
    pass(&f, 31 * SECOND);
    uint64_t errors = quire_counters(f.q)->io_error;
    quire_tick(f.q);
    quire_tick(f.q);
    assert_int_equal(quire_counters(f.q)->io_error, errors + 1); /* not again for a while */
    pass(&f, 2 * SECOND);
    quire_tick(f.q);
    assert_int_equal(good.writes, 8);
    assert_int_equal(quire_vm_dirty(f.q), 8);
    assert_int_equal(quire_sync_all(f.q), QUIRE_IO);
    quire_audit(f.q);
    bad.broken = false;
    pass(&f, 31 * SECOND);
    quire_tick(f.q);
    assert_int_equal(bad.writes, 8);
    assert_int_equal(quire_vm_dirty(f.q), 0);
    quire_object_unref(first);
    quire_object_unref(second);
    vm_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_age),        cmocka_unit_test(by_number),
        cmocka_unit_test(the_limit),     cmocka_unit_test(behind_the_flusher),
        cmocka_unit_test(a_broken_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
