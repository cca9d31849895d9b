/* vm_region.c: results of map, unmap, protect, remap, brk, advise, and the list of regions. */
#include "vm_fixture.h"

#define BASE ((uint64_t)0x20000000)

static enum quire_status remap(struct quire_space *space, uint64_t va, uint64_t old_pages,
                               uint64_t new_pages, bool may_move, uint64_t *to) {
    quire_vaddr new_va = quire_va(to ? *to : 0);
    enum quire_status status = quire_remap(
        space, quire_va(va), old_pages * PAGE, new_pages * PAGE,
        (may_move ? QUIRE_REMAP_MAY_MOVE : 0) | (to && *to ? QUIRE_REMAP_FIXED : 0), &new_va);
    if (status == QUIRE_OK && to) {
        *to = new_va.value;
    }
    return status;
}

static void placement(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(2 * MIB, 0);
    quire_vaddr va;
    uint64_t first = vm_map(f.space, 4, RW, 0, NULL, 0);
    assert_int_equal(first, MAP_TOP - 4 * PAGE);
    uint64_t second = vm_map(f.space, 2, QUIRE_PROT_READ, 0, NULL, 0);
    assert_int_equal(second, first - 2 * PAGE);
    uint64_t third = vm_map(f.space, 2, RW, 0, NULL, 0);
    assert_int_equal(quire_unmap(f.space, quire_va(second), 2 * PAGE), QUIRE_OK);
    assert_int_equal(vm_map(f.space, 3, RW, 0, NULL, 0), third - 3 * PAGE); /* hole too small */
    assert_int_equal(vm_map(f.space, 1, QUIRE_PROT_READ, 0, NULL, 0), second + PAGE);
    va = quire_va(BASE + 5); /* a hint is rounded and taken if free */
    assert_int_equal(quire_map(f.space, &va, PAGE, RW, 0, NULL, 0), QUIRE_OK);
    assert_int_equal(va.value, BASE + PAGE);
    va = quire_va(BASE);
    assert_int_equal(quire_map(f.space, &va, 2 * PAGE, RW, QUIRE_MAP_NOREPLACE, NULL, 0),
                     QUIRE_EXIST);
    assert_int_equal(quire_map(f.space, &va, 0, RW, 0, NULL, 0), QUIRE_INVAL);
    assert_int_equal(quire_map(f.space, &va, UINT64_MAX, RW, 0, NULL, 0), QUIRE_NOROOM);
    assert_int_equal(quire_map(f.space, &va, HIGH - LOW, RW, 0, NULL, 0), QUIRE_NOROOM);
    va = quire_va(BASE + 1);
    assert_int_equal(quire_map(f.space, &va, PAGE, RW, QUIRE_MAP_FIXED, NULL, 0), QUIRE_INVAL);
    va = quire_va(HIGH - PAGE);
    assert_int_equal(quire_map(f.space, &va, 2 * PAGE, RW, QUIRE_MAP_FIXED, NULL, 0), QUIRE_NOROOM);
    va = quire_va(0);
    assert_int_equal(quire_map(f.space, &va, PAGE, RW, QUIRE_MAP_FIXED, NULL, 0), QUIRE_PERM);
    assert_int_equal(quire_unmap(f.space, quire_va(BASE + 1), PAGE), QUIRE_INVAL);
    assert_int_equal(quire_unmap(f.space, quire_va(BASE), 0), QUIRE_INVAL);
    assert_int_equal(quire_unmap(f.space, quire_va(HIGH), PAGE), QUIRE_INVAL);
    vm_close(&f);
}

/* A stack's gap is not given away to mappings. */
static void stacks_keep_their_gap(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(2 * MIB, 0);
    uint64_t stack = MAP_TOP - 16 * PAGE;
    vm_map_at(f.space, stack, 16, RW, QUIRE_MAP_GROWSDOWN);
    assert_int_equal(vm_map(f.space, 1, RW, 0, NULL, 0), stack - MIB - PAGE);
    quire_vaddr hint = quire_va(stack - 2 * PAGE);
    assert_int_equal(quire_map(f.space, &hint, PAGE, RW, 0, NULL, 0), QUIRE_OK);
    assert_true(hint.value < stack - MIB);
    quire_audit(f.q);
    vm_close(&f);
}

static void split_and_merge(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(2 * MIB, 0);
    vm_map_at(f.space, BASE, 10, RW, 0);
    vm_map_at(f.space, BASE + 10 * PAGE, 10, RW, 0);
    assert_int_equal(vm_count_regions(f.space), 1);
    assert_int_equal(quire_protect(f.space, quire_va(BASE + 3 * PAGE), 4 * PAGE, QUIRE_PROT_READ),
                     QUIRE_OK);
    assert_int_equal(vm_count_regions(f.space), 3);
    quire_audit(f.q);
    assert_int_equal(quire_protect(f.space, quire_va(BASE + 3 * PAGE), 4 * PAGE, RW), QUIRE_OK);
    assert_int_equal(vm_count_regions(f.space), 1);
    assert_int_equal(quire_unmap(f.space, quire_va(BASE + 5 * PAGE), PAGE), QUIRE_OK);
    assert_int_equal(vm_count_regions(f.space), 2);
    vm_map_at(f.space, BASE + 5 * PAGE, 1, RW, 0);
    assert_int_equal(vm_count_regions(f.space), 1);
    /* What lies before a hole is changed. */
    assert_int_equal(quire_unmap(f.space, quire_va(BASE + 8 * PAGE), PAGE), QUIRE_OK);
    assert_int_equal(quire_protect(f.space, quire_va(BASE + 6 * PAGE), 6 * PAGE, QUIRE_PROT_READ),
                     QUIRE_UNMAPPED);
    assert_int_equal(vm_try_write(f.space, BASE + 6 * PAGE, 1), QUIRE_DENIED);
    assert_int_equal(vm_try_write(f.space, BASE + 9 * PAGE, 1), QUIRE_OK);
    assert_int_equal(quire_protect(f.space, quire_va(BASE), 0, RW), QUIRE_OK);
    assert_int_equal(quire_protect(f.space, quire_va(BASE + 1), PAGE, RW), QUIRE_INVAL);
    quire_audit(f.q);
    vm_close(&f);
}

static void protect_reaches_the_machine(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(2 * MIB, 2 * MIB);
    uint8_t byte;
    vm_map_at(f.space, BASE, 4, RW, 0);
    vm_write(f.space, BASE, 1);
    assert_int_equal(quire_protect(f.space, quire_va(BASE), PAGE, QUIRE_PROT_READ), QUIRE_OK);
    assert_int_equal(vm_try_write(f.space, BASE, 2), QUIRE_DENIED);
    assert_int_equal(vm_read(f.space, BASE), 1);
    assert_int_equal(quire_protect(f.space, quire_va(BASE), PAGE, QUIRE_PROT_NONE), QUIRE_OK);
    assert_int_equal(vm_try_read(f.space, BASE, &byte), QUIRE_DENIED);
    vm_evict(f.space, BASE, 1);
    quire_audit(f.q);
    assert_int_equal(quire_protect(f.space, quire_va(BASE), PAGE, RW), QUIRE_OK);
    assert_int_equal(vm_read(f.space, BASE), 1);
    vm_write(f.space, BASE, 2);
    vm_close(&f);
}

static void remap_in_place_and_away(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(2 * MIB, 2 * MIB);
    uint64_t to = 0;
    vm_map_at(f.space, BASE, 4, RW, 0);
    for (unsigned i = 0; i < 4; i++) {
        vm_write(f.space, BASE + i * PAGE, (uint8_t)(i + 1));
    }
    vm_evict(f.space, BASE + PAGE, 1);
    assert_int_equal(remap(f.space, BASE, 4, 6, false, &to), QUIRE_OK); /* grows */
    assert_int_equal(to, BASE);
    assert_int_equal(vm_read(f.space, BASE + 5 * PAGE), 0);
    to = 0;
    assert_int_equal(remap(f.space, BASE, 6, 4, false, &to), QUIRE_OK); /* shrinks */
    assert_int_equal(to, BASE);
    vm_map_at(f.space, BASE + 4 * PAGE, 1, QUIRE_PROT_READ, 0);
    assert_int_equal(remap(f.space, BASE, 4, 8, false, NULL), QUIRE_NOROOM);
    to = 0;
    assert_int_equal(remap(f.space, BASE + PAGE, 3, 8, true, &to), QUIRE_OK); /* the upper three */
    quire_audit(f.q);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(vm_read(f.space, to + i * PAGE), i + 2);
    }
    uint8_t byte;
    assert_int_equal(vm_read(f.space, BASE), 1);
    assert_int_equal(vm_try_read(f.space, BASE + PAGE, &byte), QUIRE_FAULT);
    vm_close(&f);
}

static void remap_to_a_fixed_place(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(2 * MIB, 2 * MIB);
    uint64_t to = BASE + 20 * PAGE + 2 * PAGE;
    uint8_t byte;
    vm_map_at(f.space, BASE, 8, RW, 0);
    vm_map_at(f.space, BASE + 20 * PAGE, 10, RW, 0);
    for (unsigned i = 0; i < 8; i++) {
        vm_write(f.space, BASE + i * PAGE, (uint8_t)(i + 1));
    }
    for (unsigned i = 0; i < 10; i++) {
        vm_write(f.space, BASE + (20 + i) * PAGE, (uint8_t)(100 + i));
    }
    assert_int_equal(remap(f.space, BASE + 2 * PAGE, 4, 3, true, &to), QUIRE_OK);
    quire_audit(f.q);
    const uint8_t after[10] = {100, 101, 3, 4, 5, 105, 106, 107, 108, 109};
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(vm_read(f.space, BASE + (20 + i) * PAGE), after[i]);
    }
    for (unsigned i = 2; i < 6; i++) { /* the fourth went with the shrinking */
        assert_int_equal(vm_try_read(f.space, BASE + i * PAGE, &byte), QUIRE_FAULT);
    }
    assert_int_equal(vm_read(f.space, BASE + 6 * PAGE), 7);
    to = BASE + 6 * PAGE;
    assert_int_equal(remap(f.space, BASE + 6 * PAGE, 2, 2, true, &to), QUIRE_INVAL); /* overlap */
    to = BASE + 50 * PAGE;
    assert_int_equal(remap(f.space, BASE + 2 * PAGE, 2, 2, true, &to), QUIRE_FAULT); /* nothing */
    assert_int_equal(remap(f.space, BASE, 4, 4, true, &to), QUIRE_FAULT); /* runs into a hole */
    assert_int_equal(remap(f.space, BASE, 2, 0, true, NULL), QUIRE_INVAL);
    assert_int_equal(remap(f.space, BASE, 2, 2, false, &to), QUIRE_INVAL);
    assert_int_equal(remap(f.space, BASE, 0, 2, true, NULL), QUIRE_INVAL); /* private */
    vm_close(&f);
}

static void remap_of_shared_and_file(void **state) {
    (void)state;
    static struct vm_file file;
    struct vm_fixture f = vm_open(2 * MIB, 2 * MIB);
    struct quire_object *object = vm_file_object(f.q, &file, 12 * PAGE);
    struct quire_region_info info;
    vm_map(f.space, 1, QUIRE_PROT_READ, 0, NULL, 0); /* no room to grow in place */
    uint64_t va = vm_map(f.space, 6, RW, QUIRE_MAP_SHARED, object, 1), to = 0, again = 0;
    quire_object_unref(object);
    vm_write(f.space, va + PAGE, 77);
    assert_int_equal(remap(f.space, va, 6, 10, true, &to), QUIRE_OK);
    assert_int_not_equal(to, va);
    assert_int_equal(vm_read(f.space, to + PAGE), 77);
    assert_int_equal(vm_read(f.space, to + 7 * PAGE), (uint8_t)(8 * 3 + 8 * PAGE % 251));
    assert_int_equal(remap(f.space, to + 2 * PAGE, 0, 3, true, &again), QUIRE_OK); /* twice */
    vm_write(f.space, again, 78);
    assert_int_equal(vm_read(f.space, to + 2 * PAGE), 78);
    assert_true(quire_region_at_or_after(f.space, quire_va(again), true, &info));
    assert_int_equal(info.offset_bytes, 3 * PAGE);
    assert_int_equal(info.resident_file, 1);
    vm_close(&f);
    assert_int_equal(file.releases, 1);
    assert_int_equal(file.bytes[3 * PAGE], 78);
}

static void the_heap(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(2 * MIB, 0);
    struct quire_region_info info;
    vm_map_at(f.space, BASE - PAGE, 1, RW, 0); /* the program's bss */
    quire_brk_start(f.space, quire_va(BASE));
    assert_int_equal(quire_brk(f.space, quire_va(0)).value, BASE);
    assert_int_equal(quire_brk(f.space, quire_va(BASE + 132 * 1024)).value, BASE + 132 * 1024);
    vm_write(f.space, BASE + 132 * 1024 - 1, 1);
    assert_true(quire_region_at_or_after(f.space, quire_va(BASE), false, &info));
    assert_int_equal(info.start.value, BASE);
    assert_int_equal(info.end.value, BASE + 132 * 1024);
    assert_true(info.flags & QUIRE_MAP_HEAP_TAG);
    assert_int_equal(quire_brk(f.space, quire_va(BASE + 10)).value, BASE + 10);
    assert_int_equal(quire_brk(f.space, quire_va(BASE + 5000)).value, BASE + 5000);
    vm_write(f.space, BASE + 8191, 1);
    assert_int_equal(vm_try_write(f.space, BASE + 8192, 1), QUIRE_FAULT);
    vm_map_at(f.space, BASE + 20 * PAGE, 1, RW, 0);
    assert_int_equal(quire_brk(f.space, quire_va(BASE + 19 * PAGE)).value, BASE + 19 * PAGE);
    assert_int_equal(quire_brk(f.space, quire_va(BASE + 19 * PAGE + 1)).value, BASE + 19 * PAGE);
    assert_int_equal(quire_brk(f.space, quire_va(BASE - 1)).value, BASE + 19 * PAGE);
    vm_close(&f);
}

static void advice(void **state) {
    (void)state;
    static struct vm_file file;
    struct vm_fixture f = vm_open(2 * MIB, 2 * MIB);
    struct quire_object *object = vm_file_object(f.q, &file, 4 * PAGE);
    struct quire_space *child;
    uint8_t byte, resident[4];
    vm_map_at(f.space, BASE, 4, RW, 0);
    vm_write(f.space, BASE + PAGE, 5);
    assert_int_equal(quire_incore(f.space, quire_va(BASE), 4 * PAGE, resident), QUIRE_OK);
    assert_int_equal(resident[0] + 2 * resident[1] + 4 * resident[2], 2);
    assert_int_equal(quire_incore(f.space, quire_va(BASE), 5 * PAGE, resident), QUIRE_UNMAPPED);
    assert_int_equal(quire_advise(f.space, quire_va(BASE), 5 * PAGE, QUIRE_ADVISE_DONTNEED),
                     QUIRE_UNMAPPED);
    assert_int_equal(vm_read(f.space, BASE + PAGE), 0); /* done nevertheless */
    uint64_t map = vm_map(f.space, 4, RW, 0, object, 0);
    vm_write(f.space, map, 9);
    assert_int_equal(quire_advise(f.space, quire_va(map), PAGE, QUIRE_ADVISE_DONTNEED), QUIRE_OK);
    assert_int_equal(vm_read(f.space, map), file.bytes[0]);
    assert_int_equal(quire_advise(f.space, quire_va(map), PAGE, QUIRE_ADVISE_FREE), QUIRE_INVAL);
    assert_int_equal(quire_advise(f.space, quire_va(BASE), PAGE, QUIRE_ADVISE_DONTFORK), QUIRE_OK);
    assert_int_equal(quire_advise(f.space, quire_va(BASE), 4 * PAGE, QUIRE_ADVISE_COLD), QUIRE_OK);
    assert_int_equal(quire_space_fork(f.space, NULL, &child), QUIRE_OK);
    assert_int_equal(vm_try_read(child, BASE, &byte), QUIRE_FAULT);
    assert_int_equal(vm_read(child, BASE + PAGE), 0);
    assert_int_equal(quire_advise(f.space, quire_va(BASE), PAGE, QUIRE_ADVISE_DOFORK), QUIRE_OK);
    assert_int_equal(vm_count_regions(f.space), 2);
    assert_int_equal(quire_sync(f.space, quire_va(BASE), 5 * PAGE), QUIRE_UNMAPPED);
    quire_space_destroy(child);
    quire_object_unref(object);
    vm_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(placement),
        cmocka_unit_test(stacks_keep_their_gap),
        cmocka_unit_test(split_and_merge),
        cmocka_unit_test(protect_reaches_the_machine),
        cmocka_unit_test(remap_in_place_and_away),
        cmocka_unit_test(remap_to_a_fixed_place),
        cmocka_unit_test(remap_of_shared_and_file),
        cmocka_unit_test(the_heap),
        cmocka_unit_test(advice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
