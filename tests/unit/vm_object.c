/* vm_object.c: files and shared memory: who sees which bytes, when they are stored, and truncation.
 */
#include "vm_fixture.h"

static struct vm_file file;

static uint8_t original(uint64_t offset) {
    return (uint8_t)(offset / PAGE * 3 + offset % 251);
}

static void shared_and_private_mappings(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 4 * MIB);
    struct quire_object *object = vm_file_object(f.q, &file, 10 * PAGE);
    struct quire_space *other = vm_space(f.q);
    uint64_t shared = vm_map(f.space, 10, RW, QUIRE_MAP_SHARED, object, 0);
    uint64_t mine = vm_map(other, 8, RW, 0, object, 2);
    uint64_t seen = vm_map(other, 10, QUIRE_PROT_READ, QUIRE_MAP_SHARED, object, 0);
    quire_object_unref(object); /* the mappings hold it */
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(vm_read(other, mine + i * PAGE + 5), original((i + 2) * PAGE + 5));
    }
    vm_write(f.space, shared + 2 * PAGE + 5, 200);
    assert_int_equal(vm_read(other, mine + 5), 200); /* no copy yet: sees the file's page */
    assert_int_equal(vm_read(other, seen + 2 * PAGE + 5), 200);
    vm_write(other, mine + 6, 201);
    vm_write(f.space, shared + 2 * PAGE + 5, 202);
    assert_int_equal(vm_read(other, mine + 5), 200); /* its own copy from now on */
    assert_int_equal(vm_read(f.space, shared + 2 * PAGE + 6), original(2 * PAGE + 6));
    quire_audit(f.q);
    assert_int_equal(quire_vm_dirty(f.q), 1);
    assert_int_equal(file.reads, 8);
    assert_int_equal(quire_sync(f.space, quire_va(shared), 10 * PAGE), QUIRE_OK);
    assert_int_equal(file.writes, 1);
    assert_int_equal(file.bytes[2 * PAGE + 5], 202);
    vm_write(f.space, shared + 2 * PAGE + 5, 203); /* dirty again, through a fault */
    quire_audit(f.q);
    assert_int_equal(quire_vm_dirty(f.q), 1);
    quire_space_destroy(other);
    assert_int_equal(file.releases, 0);
    assert_int_equal(quire_unmap(f.space, quire_va(shared), 10 * PAGE), QUIRE_OK);
    assert_int_equal(file.releases, 1);
    assert_int_equal(file.bytes[2 * PAGE + 5], 203);
    vm_close(&f);
}

/* Who holds a reference is told when nobody maps it, and finds the pages when it is mapped again.
 */
static void kept_between_mappings(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 0);
    struct quire_object *object = vm_file_object(f.q, &file, 10 * PAGE);
    assert_false(quire_object_is_mapped(object));
    uint64_t va = vm_map(f.space, 10, RW, QUIRE_MAP_SHARED, object, 0);
    uint64_t too = vm_map(f.space, 10, QUIRE_PROT_READ, 0, object, 0);
    assert_true(quire_object_is_mapped(object));
    for (unsigned i = 0; i < 10; i++) {
        vm_write(f.space, va + i * PAGE, (uint8_t)(i + 1));
    }
    assert_int_equal(quire_unmap(f.space, quire_va(va), 10 * PAGE), QUIRE_OK);
    assert_int_equal(file.unmappings, 0); /* the other one is there */
    assert_int_equal(quire_unmap(f.space, quire_va(too), 5 * PAGE), QUIRE_OK);
    assert_int_equal(file.unmappings, 0); /* half of it */
    assert_int_equal(quire_unmap(f.space, quire_va(too + 5 * PAGE), 5 * PAGE), QUIRE_OK);
    assert_int_equal(file.unmappings, 1);
    assert_false(quire_object_is_mapped(object));
    assert_int_equal(file.writes, 0);
    file.broken = true;
    assert_int_equal(quire_object_sync(object), QUIRE_IO);
    assert_int_equal(quire_vm_dirty(f.q), 10);
    file.broken = false;
    assert_int_equal(quire_object_sync(object), QUIRE_OK);
    assert_int_equal(quire_vm_dirty(f.q), 0);
    assert_int_equal(file.writes, 10);
    assert_int_equal(quire_object_sync(object), QUIRE_OK); /* nothing to do */
    assert_int_equal(file.writes, 10);
    quire_audit(f.q);
    va = vm_map(f.space, 10, QUIRE_PROT_READ, QUIRE_MAP_SHARED, object, 0);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(vm_read(f.space, va + i * PAGE), i + 1);
    }
    assert_int_equal(file.reads, 10); /* once each, when they were written */
    quire_object_unref(object);       /* the mapping's is the last one now: nobody is told */
    assert_int_equal(quire_unmap(f.space, quire_va(va), 10 * PAGE), QUIRE_OK);
    assert_int_equal(file.unmappings, 1);
    assert_int_equal(file.releases, 1);
    vm_close(&f);
}

static void reclaim_writes_back(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 0);
    struct quire_object *object = vm_file_object(f.q, &file, 10 * PAGE + 100);
    uint64_t va = vm_map(f.space, 11, RW, QUIRE_MAP_SHARED, object, 0);
    for (unsigned i = 0; i < 11; i++) {
        vm_write(f.space, va + i * PAGE, (uint8_t)(i + 1));
    }
    file.broken = true;
    vm_evict(f.space, va, 11);
    assert_int_equal(quire_vm_dirty(f.q), 11);
    assert_int_equal(quire_sync(f.space, quire_va(va), 11 * PAGE), QUIRE_IO);
    assert_int_equal(vm_read(f.space, va + PAGE), 2);
    quire_audit(f.q);
    file.broken = false;
    vm_evict(f.space, va, 11);
    assert_int_equal(quire_vm_dirty(f.q), 0);
    assert_int_equal(quire_vm_mapped_file(f.q), 0);
    quire_audit(f.q);
    file.broken = true;
    uint8_t byte;
    assert_int_equal(vm_try_read(f.space, va, &byte), QUIRE_BUS);
    file.broken = false;
    for (unsigned i = 0; i < 11; i++) {
        assert_int_equal(vm_read(f.space, va + i * PAGE), i + 1);
    }
    quire_object_unref(object);
    vm_close(&f);
}

static void past_the_end_is_a_bus_error(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 0);
    struct quire_object *object = vm_file_object(f.q, &file, 2 * PAGE + 10);
    uint8_t byte;
    uint64_t va = vm_map(f.space, 5, RW, 0, object, 0);
    assert_int_equal(vm_read(f.space, va + 2 * PAGE + 9), original(2 * PAGE + 9));
    assert_int_equal(vm_read(f.space, va + 2 * PAGE + 10), 0);
    assert_int_equal(vm_try_read(f.space, va + 3 * PAGE, &byte), QUIRE_BUS);
    assert_int_equal(vm_try_write(f.space, va + 3 * PAGE, 1), QUIRE_BUS);
    quire_object_unref(object);
    vm_close(&f);
}

static void truncation_reaches_all_mappings(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 0);
    struct quire_object *object = vm_file_object(f.q, &file, 8 * PAGE);
    uint8_t byte;
    uint64_t shared = vm_map(f.space, 8, RW, QUIRE_MAP_SHARED, object, 0);
    uint64_t mine = vm_map(f.space, 8, RW, 0, object, 0);
    for (unsigned i = 0; i < 8; i++) {
        vm_write(f.space, shared + i * PAGE + 50, 1);
        vm_write(f.space, mine + i * PAGE + 60, 2);
    }
    file.size = 3 * PAGE + 20;
    quire_object_truncate(object, file.size);
    quire_audit(f.q);
    assert_int_equal(vm_try_read(f.space, shared + 4 * PAGE, &byte), QUIRE_BUS);
    assert_int_equal(vm_try_read(f.space, mine + 4 * PAGE, &byte), QUIRE_BUS);
    assert_int_equal(vm_read(f.space, shared + 3 * PAGE + 50), 0);
    assert_int_equal(vm_read(f.space, shared + 2 * PAGE + 50), 1);
    assert_int_equal(vm_read(f.space, mine + 2 * PAGE + 60), 2);
    quire_object_unref(object);
    vm_close(&f);
}

/* read() and write() of the embedder and the cached pages agree. */
static void overlay_and_update(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 0);
    struct quire_object *object = vm_file_object(f.q, &file, 8 * PAGE);
    static uint8_t bytes[5 * QUIRE_PAGE_SIZE];
    uint64_t va = vm_map(f.space, 8, RW, QUIRE_MAP_SHARED, object, 0);
    vm_write(f.space, va + 2 * PAGE, 99);
    vm_write(f.space, va + 4 * PAGE + 4095, 98);
    memcpy(bytes, file.bytes + PAGE + 100, sizeof bytes);
    quire_object_overlay(object, PAGE + 100, bytes, sizeof bytes);
    assert_int_equal(bytes[PAGE - 100], 99);
    assert_int_equal(bytes[3 * PAGE + 4095 - 100], 98);
    memset(bytes, 7, sizeof bytes);
    quire_object_update(object, 2 * PAGE + 4000, bytes, 2 * PAGE);
    memset(file.bytes + 2 * PAGE + 4000, 7, 2 * PAGE);
    assert_int_equal(vm_read(f.space, va + 2 * PAGE + 3999), original(2 * PAGE + 3999));
    for (uint64_t at = 2 * PAGE + 4000; at < 4 * PAGE + 4000; at += 48) {
        assert_int_equal(vm_read(f.space, va + at), 7);
    }
    assert_int_equal(vm_read(f.space, va + 4 * PAGE + 4095), 98);
    quire_object_overlay(object, 0, bytes, 0);
    quire_object_unref(object);
    vm_close(&f);
}

static void shared_memory_is_shared_and_swapped(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 4 * MIB);
    struct quire_object *shm;
    struct quire_space *child;
    uint8_t byte;
    assert_int_equal(quire_object_create_shm(f.q, 6 * PAGE, NULL, &shm), QUIRE_OK);
    uint64_t va = vm_map(f.space, 8, RW, QUIRE_MAP_SHARED, shm, 0);
    uint64_t priv = vm_map(f.space, 6, RW, 0, shm, 0);
    assert_int_equal(quire_space_fork(f.space, NULL, &child), QUIRE_OK);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(vm_read(child, va + i * PAGE), 0);
        vm_write(f.space, va + i * PAGE, (uint8_t)(i + 1));
        assert_int_equal(vm_read(child, va + i * PAGE), i + 1);
    }
    assert_int_equal(vm_read(child, priv + PAGE), 2);
    vm_write(child, priv + PAGE, 60);
    assert_int_equal(vm_read(f.space, priv + PAGE), 2);
    assert_int_equal(vm_try_read(child, va + 6 * PAGE, &byte), QUIRE_BUS);
    quire_audit(f.q);
    vm_evict(f.space, va, 6);
    quire_audit(f.q);
    assert_int_equal(quire_vm_swapped(f.q), 6);
    uint64_t from_swap = quire_counters(f.q)->fault_swap;
    assert_int_equal(vm_read(child, va + 3 * PAGE), 4);
    assert_int_equal(quire_counters(f.q)->fault_swap, from_swap + 1);
    vm_write(child, va + 3 * PAGE, 44);
    assert_int_equal(quire_counters(f.q)->fault_swap, from_swap + 1);
    assert_int_equal(vm_read(f.space, va + 3 * PAGE), 44);
    assert_int_equal(quire_swapoff(f.q, 0), QUIRE_OK);
    assert_int_equal(quire_vm_swapped(f.q), 0);
    assert_int_equal(vm_read(child, priv + PAGE), 60);
    quire_audit(f.q);
    quire_object_unref(shm);
    quire_space_destroy(child);
    vm_close(&f);
}

/* Far more room than pages: audits look at what is there, private copies and pages of the object.
 */
static void sparse_mappings(void **state) {
    (void)state;
    const uint64_t npages = 100000;
    struct vm_fixture f = vm_open(4 * MIB, 4 * MIB);
    struct quire_object *object = vm_file_object(f.q, &file, VM_FILE_PAGES * PAGE), *shm;
    assert_int_equal(quire_object_create_shm(f.q, 1000 * PAGE, NULL, &shm), QUIRE_OK);
    uint64_t priv = vm_map(f.space, npages, RW, QUIRE_MAP_NORESERVE, object, 1);
    uint64_t shared = vm_map(f.space, npages, RW, QUIRE_MAP_SHARED, object, 0);
    uint64_t memory = vm_map(f.space, npages, RW, QUIRE_MAP_SHARED, shm, 0);
    uint64_t anon = vm_map(f.space, npages, RW, QUIRE_MAP_NORESERVE, NULL, 0);
    quire_audit(f.q);
    for (unsigned i = 0; i < 40; i++) {
        if (i % 3 == 0) {
            vm_write(f.space, priv + i * PAGE, 7);
        } else {
            assert_int_equal(vm_read(f.space, priv + i * PAGE),
                             (uint8_t)((i + 1) * 3 + (i + 1) * PAGE % 251));
        }
        vm_write(f.space, shared + i * PAGE + 1, (uint8_t)i);
        vm_write(f.space, memory + i * 25 * PAGE, (uint8_t)i);
        vm_write(f.space, anon + i * i * 60 * PAGE, (uint8_t)i);
    }
    quire_audit(f.q);
    vm_evict(f.space, anon, 20 * 20 * 60);
    vm_evict(f.space, shared, 9);
    quire_audit(f.q);
    struct quire_space_usage usage;
    quire_space_usage(f.space, &usage);
    assert_int_equal(usage.swapped, 20);
    for (unsigned i = 0; i < 40; i++) {
        assert_int_equal(vm_read(f.space, memory + i * 25 * PAGE), i);
        assert_int_equal(vm_read(f.space, anon + i * i * 60 * PAGE), i);
    }
    quire_object_unref(object);
    quire_object_unref(shm);
    vm_close(&f);
}

static void shared_without_a_name(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 0);
    struct quire_space *child;
    struct quire_region_info info;
    uint64_t va = vm_map(f.space, 2, RW, QUIRE_MAP_SHARED, NULL, 0);
    assert_int_equal(quire_space_fork(f.space, NULL, &child), QUIRE_OK);
    vm_write(child, va, 5);
    assert_int_equal(vm_read(f.space, va), 5);
    assert_true(quire_region_at_or_after(f.space, quire_va(va), true, &info));
    assert_int_equal(info.resident_file, 1);
    quire_space_destroy(child);
    assert_int_equal(vm_read(f.space, va), 5);
    vm_close(&f);
}

/* MADV_REMOVE: a hole in what is shared. */
static void holes_are_seen_by_all(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 4 * MIB);
    struct quire_space *other = vm_space(f.q);
    struct quire_object *shm;
    assert_int_equal(quire_object_create_shm(f.q, 8 * PAGE, NULL, &shm), QUIRE_OK);
    uint64_t mine = vm_map(f.space, 8, RW, QUIRE_MAP_SHARED, shm, 0);
    uint64_t theirs = vm_map(other, 6, RW, QUIRE_MAP_SHARED, shm, 2);
    uint64_t copy = vm_map(other, 8, RW, 0, shm, 0);
    for (unsigned i = 0; i < 8; i++) {
        vm_write(f.space, mine + i * PAGE, (uint8_t)(i + 1));
    }
    vm_write(other, copy + 3 * PAGE + 1, 99);
    assert_int_equal(vm_read(other, theirs + PAGE), 4);
    vm_evict(f.space, mine + 4 * PAGE, 1);
    assert_int_equal(
        quire_advise(f.space, quire_va(mine + 3 * PAGE), 2 * PAGE, QUIRE_ADVISE_REMOVE), QUIRE_OK);
    quire_audit(f.q);
    const uint8_t left[8] = {1, 2, 3, 0, 0, 6, 7, 8};
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(vm_read(f.space, mine + i * PAGE), left[i]);
        assert_true(i < 2 || vm_read(other, theirs + (i - 2) * PAGE) == left[i]);
    }
    assert_int_equal(vm_read(other, copy + 3 * PAGE), 4); /* its own since it wrote */
    assert_int_equal(vm_read(other, copy + 3 * PAGE + 1), 99);
    assert_int_equal(vm_read(other, copy + 4 * PAGE), 0);
    assert_int_equal(quire_vm_swapped(f.q), 0);
    quire_object_unref(shm);
    quire_space_destroy(other);
    vm_close(&f);
}

static void holes_in_files(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 0);
    struct quire_object *object = vm_file_object(f.q, &file, 5 * PAGE + 100);
    uint64_t va = vm_map(f.space, 8, RW, QUIRE_MAP_SHARED, object, 0);
    vm_write(f.space, va + PAGE, 77); /* dirty, and not in the file yet */
    assert_int_equal(vm_read(f.space, va + 3 * PAGE + 9), original(3 * PAGE + 9));
    assert_int_equal(quire_advise(f.space, quire_va(va + PAGE), 2 * PAGE, QUIRE_ADVISE_REMOVE),
                     QUIRE_OK);
    assert_int_equal(file.writes, 2);
    assert_int_equal(quire_vm_dirty(f.q), 0);
    for (uint64_t at = 0; at < 5 * PAGE + 100; at += 50) {
        uint8_t byte = at >= PAGE && at < 3 * PAGE ? 0 : original(at);
        assert_int_equal(file.bytes[at], byte);
        assert_int_equal(vm_read(f.space, va + at), byte);
    }
    /* Past the end there is nothing to remove; the last page is cut at it. */
    assert_int_equal(quire_advise(f.space, quire_va(va + 5 * PAGE), 3 * PAGE, QUIRE_ADVISE_REMOVE),
                     QUIRE_OK);
    assert_int_equal(file.writes, 3);
    assert_int_equal(file.bytes[5 * PAGE + 99], 0);
    file.broken = true;
    vm_write(f.space, va + PAGE, 5);
    assert_int_equal(quire_advise(f.space, quire_va(va), 2 * PAGE, QUIRE_ADVISE_REMOVE), QUIRE_IO);
    assert_int_equal(vm_read(f.space, va + PAGE), 5); /* nothing is lost */
    file.broken = false;
    quire_object_unref(object);
    vm_close(&f);
}

/* A device has no size: whatever is mapped of it is there. */
static void holes_in_what_has_no_end(void **state) {
    (void)state;
    static const struct quire_pager endless = {.read = vm_file_read, .write = vm_file_write};
    static const struct quire_object_info info = {"/test/device", 43, 8, 1};
    struct vm_fixture f = vm_open(4 * MIB, 0);
    struct quire_object *object;
    memset(&file, 0x5A, sizeof file);
    file.size = sizeof file.bytes;
    file.broken = false;
    assert_int_equal(quire_object_create_file(f.q, &endless, &file, &info, &object), QUIRE_OK);
    uint64_t va = vm_map(f.space, 4, RW, QUIRE_MAP_SHARED, object, 50);
    assert_int_equal(quire_advise(f.space, quire_va(va + PAGE), 2 * PAGE, QUIRE_ADVISE_REMOVE),
                     QUIRE_OK);
    for (uint64_t at = 0; at < 4 * PAGE; at += 100) {
        uint8_t byte = at >= PAGE && at < 3 * PAGE ? 0 : 0x5A;
        assert_int_equal(file.bytes[50 * PAGE + at], byte);
        assert_int_equal(vm_read(f.space, va + at), byte);
    }
    quire_object_unref(object);
    vm_close(&f);
}

static void who_may_make_holes(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 0);
    struct quire_object *object = vm_file_object(f.q, &file, 4 * PAGE);
    uint64_t nameless = vm_map(f.space, 1, RW, 0, NULL, 0);
    uint64_t own = vm_map(f.space, 1, RW, 0, object, 0);
    uint64_t never =
        vm_map(f.space, 1, QUIRE_PROT_READ, QUIRE_MAP_SHARED | QUIRE_MAP_DENY_WRITE, object, 0);
    uint64_t now_not = vm_map(f.space, 1, QUIRE_PROT_READ, QUIRE_MAP_SHARED, object, 1);
    uint64_t locked = vm_map(f.space, 2, RW, QUIRE_MAP_SHARED, NULL, 0);
    vm_write(f.space, locked, 1);
    assert_int_equal(quire_lock(f.space, quire_va(locked), PAGE, true), QUIRE_OK);
    const struct {
        uint64_t va;
        enum quire_status status;
    } asked[] = {{nameless, QUIRE_INVAL}, {own, QUIRE_DENIED},   {never, QUIRE_DENIED},
                 {now_not, QUIRE_OK},     {locked, QUIRE_INVAL}, {locked + PAGE, QUIRE_OK}};
    for (unsigned i = 0; i < sizeof asked / sizeof *asked; i++) {
        assert_int_equal(quire_advise(f.space, quire_va(asked[i].va), PAGE, QUIRE_ADVISE_REMOVE),
                         asked[i].status);
    }
    assert_int_equal(vm_read(f.space, locked), 1);
    assert_int_equal(file.writes, 1);
    assert_int_equal(quire_advise(f.space, quire_va(LOW), PAGE, QUIRE_ADVISE_REMOVE),
                     QUIRE_UNMAPPED);
    quire_object_unref(object);
    vm_close(&f);
}

static void who_may_write(void **state) {
    (void)state;
    static const struct quire_object_info info = {"/test/ro", 1, 8, 1};
    static const struct quire_pager read_only = {.read = vm_file_read, .size = vm_file_size};
    struct vm_fixture f = vm_open(4 * MIB, 0);
    struct quire_object *object;
    quire_vaddr va = quire_va(0);
    memset(&file, 0, sizeof file);
    file.size = 4 * PAGE;
    assert_int_equal(quire_object_create_file(f.q, &read_only, &file, &info, &object), QUIRE_OK);
    assert_int_equal(quire_map(f.space, &va, PAGE, RW, QUIRE_MAP_SHARED, object, 0), QUIRE_PERM);
    uint64_t ro = vm_map(f.space, 4, QUIRE_PROT_READ, QUIRE_MAP_SHARED, object, 0);
    assert_int_equal(quire_protect(f.space, quire_va(ro), PAGE, RW), QUIRE_DENIED);
    uint64_t cow = vm_map(f.space, 4, RW, 0, object, 0);
    vm_write(f.space, cow, 1); /* a private copy is nobody's business */
    assert_int_equal(vm_read(f.space, ro), 0);
    uint64_t deny = vm_map(f.space, 4, QUIRE_PROT_READ, QUIRE_MAP_DENY_WRITE, object, 0);
    assert_int_equal(quire_protect(f.space, quire_va(deny), PAGE, RW), QUIRE_DENIED);
    quire_object_unref(object);
    vm_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shared_and_private_mappings),
        cmocka_unit_test(kept_between_mappings),
        cmocka_unit_test(reclaim_writes_back),
        cmocka_unit_test(past_the_end_is_a_bus_error),
        cmocka_unit_test(truncation_reaches_all_mappings),
        cmocka_unit_test(overlay_and_update),
        cmocka_unit_test(shared_memory_is_shared_and_swapped),
        cmocka_unit_test(sparse_mappings),
        cmocka_unit_test(shared_without_a_name),
        cmocka_unit_test(holes_are_seen_by_all),
        cmocka_unit_test(holes_in_files),
        cmocka_unit_test(holes_in_what_has_no_end),
        cmocka_unit_test(who_may_make_holes),
        cmocka_unit_test(who_may_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
