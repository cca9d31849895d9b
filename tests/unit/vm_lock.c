/* vm_lock.c: memory that reclaim may not take (mlock), and memory that it may drop (MADV_FREE).
 */
#include "vm_fixture.h"

#include "page/lru.h"

#define BASE ((uint64_t)0x20000000)

static struct quire_page *page_at(struct vm_fixture *f, uint64_t va) {
    return quire_vm_page_at(f->space, quire_va(va));
}

static uint64_t locked_pages(struct quire_space *space) {
    struct quire_space_usage usage;
    quire_space_usage(space, &usage);
    return usage.locked;
}

static void locked_pages_stay(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(2 * MIB, 4 * MIB);
    vm_map_at(f.space, BASE, 20, RW, 0);
    assert_int_equal(quire_lock(f.space, quire_va(BASE + 5 * PAGE + 7), 4 * PAGE, false), QUIRE_OK);
    assert_int_equal(locked_pages(f.space), 5); /* rounded to whole pages */
    assert_int_equal(quire_vm_mlocked(f.q), 5); /* and brought in */
    assert_int_equal(vm_count_regions(f.space), 3);
    for (unsigned i = 0; i < 20; i++) {
        vm_write(f.space, BASE + i * PAGE, (uint8_t)(i + 1));
    }
    vm_evict(f.space, BASE, 20);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(page_at(&f, BASE + i * PAGE) != NULL, i >= 5 && i < 10);
    }
    /* Three times the memory that there is passes by: the locked pages are where they were. */
    struct quire_page *page = page_at(&f, BASE + 5 * PAGE);
    uint64_t flood = vm_map(f.space, 1000, RW, 0, NULL, 0);
    for (unsigned i = 0; i < 1000; i++) {
        vm_write(f.space, flood + i * PAGE, 1);
    }
    assert_ptr_equal(page_at(&f, BASE + 5 * PAGE), page);
    assert_true(quire_counters(f.q)->pswpout > 500);
    quire_audit(f.q);
    assert_int_equal(quire_unlock(f.space, quire_va(BASE + 7 * PAGE), PAGE), QUIRE_OK);
    assert_int_equal(quire_vm_mlocked(f.q), 4);
    vm_evict(f.space, BASE + 5 * PAGE, 5);
    assert_null(page_at(&f, BASE + 7 * PAGE));
    assert_ptr_equal(page_at(&f, BASE + 5 * PAGE), page);
    quire_audit(f.q);
    vm_close(&f);
}

/* A page is kept while any locked region maps it, and no longer. */
static void who_keeps_a_shared_page(void **state) {
    (void)state;
    static struct vm_file file;
    struct vm_fixture f = vm_open(2 * MIB, 2 * MIB);
    struct quire_object *object = vm_file_object(f.q, &file, 4 * PAGE);
    uint64_t first = vm_map(f.space, 4, RW, QUIRE_MAP_SHARED, object, 0);
    struct quire_space *other = vm_space(f.q);
    uint64_t second =
        vm_map(other, 4, QUIRE_PROT_READ, QUIRE_MAP_SHARED | QUIRE_MAP_LOCKED, object, 0);
    assert_int_equal(quire_vm_mlocked(f.q), 4);
    for (unsigned i = 0; i < 4; i++) {
        vm_write(f.space, first + i * PAGE, 9);
    }
    assert_int_equal(quire_lock(f.space, quire_va(first), 2 * PAGE, true), QUIRE_OK);
    assert_int_equal(quire_vm_mlocked(f.q), 4);
    quire_audit(f.q);
    assert_int_equal(quire_unmap(other, quire_va(second + PAGE), 2 * PAGE), QUIRE_OK);
    assert_int_equal(quire_vm_mlocked(f.q), 3); /* the third was kept by other alone */
    quire_space_destroy(other);
    assert_int_equal(quire_vm_mlocked(f.q), 2);
    quire_audit(f.q);
    assert_int_equal(quire_unlock(f.space, quire_va(first), 4 * PAGE), QUIRE_OK);
    assert_int_equal(quire_vm_mlocked(f.q), 0);
    const struct quire_counters *now = quire_counters(f.q); /* nothing came back from anywhere */
    assert_int_equal(now->workingset_refault_file + now->workingset_restore_file, 0);
    quire_object_unref(object);
    vm_close(&f);
}

/* A locked object keeps what is in RAM, mapped or not; what was on swap stays there until it is
 * touched, and its neighbours that come with it are kept too. */
static void locked_objects_stay(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(2 * MIB, 4 * MIB);
    struct quire_object *object;
    assert_int_equal(quire_object_create_shm(f.q, 12 * PAGE, NULL, &object), QUIRE_OK);
    uint64_t va = vm_map(f.space, 12, RW, QUIRE_MAP_SHARED, object, 0);
    for (unsigned i = 0; i < 8; i++) {
        vm_write(f.space, va + i * PAGE, (uint8_t)(i + 1));
    }
    vm_evict(f.space, va, 4);
    assert_int_equal(quire_object_lock(object, true), QUIRE_OK);
    assert_int_equal(quire_vm_mlocked(f.q), 4); /* nothing is brought in */
    assert_null(page_at(&f, va));
    quire_audit(f.q);
    assert_int_equal(vm_read(f.space, va), 1);
    vm_write(f.space, va + 9 * PAGE, 10);
    struct quire_object_usage usage;
    quire_object_usage(object, &usage);
    assert_int_equal(quire_vm_mlocked(f.q), usage.resident);
    assert_int_equal(quire_unmap(f.space, quire_va(va), 12 * PAGE), QUIRE_OK);
    assert_int_equal(quire_vm_mlocked(f.q), usage.resident); /* mapped or not */
    quire_audit(f.q);
    uint64_t flood = vm_map(f.space, 1000, RW, 0, NULL, 0);
    for (unsigned i = 0; i < 1000; i++) {
        vm_write(f.space, flood + i * PAGE, 1);
    }
    uint64_t resident = usage.resident;
    quire_object_usage(object, &usage);
    assert_int_equal(usage.resident, resident);
    va = vm_map(f.space, 12, RW, QUIRE_MAP_SHARED, object, 0);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(vm_read(f.space, va + i * PAGE), i + 1);
    }
    assert_int_equal(quire_object_truncate(object, 6 * PAGE), QUIRE_OK);
    assert_int_equal(quire_vm_mlocked(f.q), 6);
    quire_audit(f.q);
    assert_int_equal(quire_lock(f.space, quire_va(va), PAGE, false), QUIRE_OK);
    assert_int_equal(quire_object_lock(object, false), QUIRE_OK);
    assert_int_equal(quire_vm_mlocked(f.q), 1); /* the region still keeps its page */
    quire_audit(f.q);
    vm_evict(f.space, va, 6);
    assert_int_equal(vm_read(f.space, va + 5 * PAGE), 6);
    assert_int_equal(quire_object_lock(object, true), QUIRE_OK);
    quire_object_unref(object);
    vm_close(&f); /* a locked object goes as any other */
}

static void files_are_not_locked(void **state) {
    (void)state;
    static struct vm_file file;
    struct vm_fixture f = vm_open(2 * MIB, 0);
    struct quire_object *object = vm_file_object(f.q, &file, PAGE);
    assert_int_equal(quire_object_lock(object, true), QUIRE_INVAL);
    quire_object_unref(object);
    vm_close(&f);
}

static void locks_of_all(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(2 * MIB, 2 * MIB);
    vm_map_at(f.space, BASE, 4, RW, 0);
    assert_int_equal(quire_lock_all(f.space, 8), QUIRE_INVAL);
    assert_int_equal(quire_lock_all(f.space, QUIRE_LOCK_ALL_FUTURE), QUIRE_OK);
    assert_true(quire_space_locks_future(f.space));
    assert_int_equal(locked_pages(f.space), 0);
    vm_map_at(f.space, BASE + 10 * PAGE, 4, RW, 0);
    quire_brk_start(f.space, quire_va(BASE + 100 * PAGE));
    assert_int_equal(quire_brk(f.space, quire_va(BASE + 103 * PAGE)).value, BASE + 103 * PAGE);
    assert_int_equal(quire_vm_mlocked(f.q), 7);
    assert_int_equal(quire_lock_all(f.space, QUIRE_LOCK_ALL_CURRENT), QUIRE_OK);
    assert_false(quire_space_locks_future(f.space));
    assert_int_equal(quire_vm_mlocked(f.q), 11);
    struct quire_space *child;
    assert_int_equal(quire_space_fork(f.space, NULL, &child), QUIRE_OK);
    assert_int_equal(locked_pages(child), 0);
    for (unsigned i = 0; i < 4; i++) { /* the parent's copies are locked, what it left is not */
        vm_write(f.space, BASE + i * PAGE, 1);
    }
    assert_int_equal(quire_vm_mlocked(f.q), 11);
    quire_audit(f.q);
    assert_int_equal(quire_lock_all(f.space, 0), QUIRE_OK);
    assert_int_equal(quire_vm_mlocked(f.q), 0);
    assert_int_equal(locked_pages(f.space), 0);
    quire_space_destroy(child);
    vm_close(&f);
}

/* A page that moves is never without its lock. */
static void moved_locks(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(2 * MIB, 2 * MIB);
    quire_vaddr to = quire_va(BASE + 50 * PAGE);
    vm_map_at(f.space, BASE, 4, RW, QUIRE_MAP_LOCKED);
    struct quire_page *page = page_at(&f, BASE + PAGE);
    assert_int_equal(quire_remap(f.space, quire_va(BASE + PAGE), 2 * PAGE, 5 * PAGE,
                                 QUIRE_REMAP_MAY_MOVE | QUIRE_REMAP_FIXED, &to),
                     QUIRE_OK);
    assert_ptr_equal(page_at(&f, to.value), page);
    assert_int_equal(quire_vm_mlocked(f.q), 7);
    assert_int_equal(locked_pages(f.space), 7);
    quire_audit(f.q);
    uint64_t from = to.value;
    to = quire_va(BASE + 80 * PAGE);
    assert_int_equal(quire_remap(f.space, quire_va(from), 5 * PAGE, 5 * PAGE,
                                 QUIRE_REMAP_MAY_MOVE | QUIRE_REMAP_FIXED | QUIRE_REMAP_DONT_UNMAP,
                                 &to),
                     QUIRE_OK);
    assert_ptr_equal(page_at(&f, to.value), page);
    assert_int_equal(locked_pages(f.space), 7);
    quire_audit(f.q);
    assert_int_equal(vm_read(f.space, from), 0); /* still mapped, empty, not locked */
    assert_int_equal(quire_advise(f.space, quire_va(from), 5 * PAGE, QUIRE_ADVISE_DONTNEED),
                     QUIRE_OK);
    assert_int_equal(quire_advise(f.space, to, PAGE, QUIRE_ADVISE_DONTNEED), QUIRE_INVAL);
    vm_close(&f);
}

/* All of it while memory is short: locked, as far as it goes. */
static void no_room_to_lock(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(2 * MIB, 0);
    uint64_t va = vm_map(f.space, 1000, RW, QUIRE_MAP_NORESERVE, NULL, 0);
    assert_int_equal(quire_lock(f.space, quire_va(va), 1000 * PAGE, false), QUIRE_BUSY);
    assert_int_equal(locked_pages(f.space), 1000);
    quire_audit(f.q);
    assert_int_equal(quire_unlock(f.space, quire_va(va), 1000 * PAGE), QUIRE_OK);
    assert_int_equal(quire_lock(f.space, quire_va(BASE), PAGE, false), QUIRE_UNMAPPED);
    vm_close(&f);
}

/* ---- MADV_FREE ------------------------------------------------------------------------------- */

static void freed_pages_may_go(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(2 * MIB, 2 * MIB);
    vm_map_at(f.space, BASE, 8, RW, 0);
    for (unsigned i = 0; i < 8; i++) {
        vm_write(f.space, BASE + i * PAGE, (uint8_t)(i + 1));
    }
    vm_evict(f.space, BASE + 7 * PAGE, 1);
    assert_int_equal(quire_advise(f.space, quire_va(BASE + 2 * PAGE), 6 * PAGE, QUIRE_ADVISE_FREE),
                     QUIRE_OK);
    assert_int_equal(quire_vm_lazyfree(f.q), 5);
    assert_int_equal(quire_advise(f.space, quire_va(BASE + 2 * PAGE), 6 * PAGE, QUIRE_ADVISE_FREE),
                     QUIRE_OK); /* said twice */
    assert_int_equal(quire_vm_lazyfree(f.q), 5);
    assert_int_equal(quire_vm_swapped(f.q), 0); /* the swapped one went at once */
    assert_int_equal(vm_read(f.space, BASE + 7 * PAGE), 0);
    quire_audit(f.q);
    vm_write(f.space, BASE + 3 * PAGE, 44);                 /* wanted again */
    assert_int_equal(vm_read(f.space, BASE + 4 * PAGE), 5); /* reading is not wanting */
    assert_int_equal(quire_vm_lazyfree(f.q), 4);
    uint64_t written = quire_counters(f.q)->pswpout;
    vm_evict(f.space, BASE + 2 * PAGE, 5);
    assert_int_equal(quire_counters(f.q)->pglazyfreed, 4);
    assert_int_equal(quire_counters(f.q)->pswpout, written + 1);
    quire_audit(f.q);
    const uint8_t after[8] = {1, 2, 0, 44, 0, 0, 0, 0};
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(vm_read(f.space, BASE + i * PAGE), after[i]);
    }
    vm_close(&f);
}

/* What was dropped is its taker's alone: as reclaim takes it. */
static void freed_pages_are_nobodys(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(2 * MIB, 0);
    vm_map_at(f.space, BASE, 1, RW, 0);
    vm_write(f.space, BASE, 1);
    assert_int_equal(quire_advise(f.space, quire_va(BASE), PAGE, QUIRE_ADVISE_FREE), QUIRE_OK);
    struct quire_page *page = quire_vm_page_at(f.space, quire_va(BASE));
    quire_lru_remove(f.q, page);
    quire_vm_detach(f.q, page);
    assert_null(page->owner);
    assert_int_equal(page->nmaps, 0);
    assert_null(quire_vm_page_at(f.space, quire_va(BASE)));
    quire_page_free(f.q, page);
    vm_close(&f);
}

/* ---- MADV_COLD ------------------------------------------------------------------------------- */

/* The youngest pages go first when they are said to be cold, and nothing of them is lost. */
static void cold_pages_go_first(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(2 * MIB, 8 * MIB);
    vm_map_at(f.space, BASE, 300, RW, 0);
    for (unsigned i = 0; i < 200; i++) {
        vm_write(f.space, BASE + i * PAGE, (uint8_t)(i + 1));
    }
    assert_int_equal(quire_counters(f.q)->pswpout, 0);
    assert_int_equal(
        quire_advise(f.space, quire_va(BASE + 190 * PAGE), 10 * PAGE, QUIRE_ADVISE_COLD), QUIRE_OK);
    for (unsigned i = 0; quire_counters(f.q)->pswpout < 10; i++) {
        quire_reclaim_direct(f.q, QUIRE_NZONES - 1);
        assert_true(i < 100);
    }
    for (unsigned i = 190; i < 200; i++) {
        assert_null(quire_vm_page_at(f.space, quire_va(BASE + i * PAGE)));
    }
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(vm_read(f.space, BASE + i * PAGE), (uint8_t)(i + 1));
    }
    vm_close(&f);
}

/* Without swap they are what anonymous memory has to give. */
static void freed_pages_without_swap(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(2 * MIB, 0);
    uint64_t va = vm_map(f.space, 200, RW, 0, NULL, 0);
    for (unsigned i = 0; i < 200; i++) {
        vm_write(f.space, va + i * PAGE, 1);
    }
    assert_int_equal(quire_advise(f.space, quire_va(va), 200 * PAGE, QUIRE_ADVISE_FREE), QUIRE_OK);
    uint64_t more = vm_map(f.space, 300, RW, 0, NULL, 0);
    for (unsigned i = 0; i < 300; i++) {
        vm_write(f.space, more + i * PAGE, 2);
    }
    assert_in_range(quire_counters(f.q)->pglazyfreed, 20, 200);
    assert_int_equal(quire_counters(f.q)->oom_kill, 0);
    quire_audit(f.q);
    vm_close(&f);
}

/* A child that came later never agreed: it keeps what it was given. */
static void freed_pages_and_fork(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(2 * MIB, 2 * MIB);
    struct quire_space *child;
    vm_map_at(f.space, BASE, 4, RW, 0);
    for (unsigned i = 0; i < 4; i++) {
        vm_write(f.space, BASE + i * PAGE, 7);
    }
    assert_int_equal(quire_advise(f.space, quire_va(BASE), 4 * PAGE, QUIRE_ADVISE_FREE), QUIRE_OK);
    assert_int_equal(quire_space_fork(f.space, NULL, &child), QUIRE_OK);
    vm_write(child, BASE + PAGE, 8);
    quire_audit(f.q);
    vm_evict(f.space, BASE, 3);
    quire_audit(f.q);
    assert_int_equal(vm_read(child, BASE), 7);
    assert_int_equal(vm_read(child, BASE + PAGE), 8);
    assert_int_equal(quire_advise(f.space, quire_va(BASE), 4 * PAGE, QUIRE_ADVISE_FREE), QUIRE_OK);
    quire_space_destroy(child);
    quire_audit(f.q);
    vm_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(locked_pages_stay),
        cmocka_unit_test(who_keeps_a_shared_page),
        cmocka_unit_test(locked_objects_stay),
        cmocka_unit_test(files_are_not_locked),
        cmocka_unit_test(locks_of_all),
        cmocka_unit_test(moved_locks),
        cmocka_unit_test(no_room_to_lock),
        cmocka_unit_test(cold_pages_go_first),
        cmocka_unit_test(freed_pages_may_go),
        cmocka_unit_test(freed_pages_are_nobodys),
        cmocka_unit_test(freed_pages_without_swap),
        cmocka_unit_test(freed_pages_and_fork),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
