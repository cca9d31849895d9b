/* vm_fault.c: the cases of a fault, one by one, and who keeps which frame. */
#include "vm_fixture.h"

static const struct quire_counters *count(struct vm_fixture *f) {
    return quire_counters(f->q);
}

/* A read of untouched memory takes no frame; the write after it takes one. */
static void reads_of_nothing_share_one_frame(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 0);
    struct quire_usage before, after;
    uint64_t va = vm_map(f.space, 64, RW, 0, NULL, 0);
    vm_write(f.space, va, 1);                         /* the tables are there now, */
    assert_int_equal(vm_read(f.space, va + PAGE), 0); /* and the stash is full again */
    quire_usage(f.q, &before);
    for (unsigned i = 2; i < 64; i++) {
        assert_int_equal(vm_read(f.space, va + i * PAGE), 0);
    }
    quire_usage(f.q, &after);
    assert_int_equal(before.free, after.free);
    assert_int_equal(after.anon, 1);
    vm_write(f.space, va + 5 * PAGE + 3, 9);
    quire_usage(f.q, &after);
    assert_int_equal(after.anon, 2);
    assert_int_equal(vm_read(f.space, va + 5 * PAGE), 0);
    assert_int_equal(vm_read(f.space, va + 5 * PAGE + 3), 9);
    assert_int_equal(vm_read(f.space, va + 6 * PAGE + 3), 0);
    assert_int_equal(count(&f)->fault_zero, 1 + 63 + 1);
    vm_close(&f);
}

/* RAM need not be empty when it is taken over: what nobody wrote reads as zero all the same. */
static void ram_may_hold_anything(void **state) {
    (void)state;
    struct quire_soft_config soft = {.ram_bytes = 2 * MIB, .seed = 7};
    struct vm_fixture f;
    struct quire_ram_range range;
    assert_int_equal(quire_soft_create(&soft, &f.machine), QUIRE_OK);
    for (unsigned i = 0; quire_mach_ram_range(f.machine, i, &range); i++) {
        uint32_t first = (uint32_t)(range.start.value >> QUIRE_PAGE_SHIFT);
        for (uint32_t n = 0; n < range.length_bytes >> QUIRE_PAGE_SHIFT; n++) {
            memset(quire_mach_window(f.machine, (quire_frame){first + n}), 0xA5, PAGE);
        }
    }
    struct quire_config config = {.machine = f.machine, .swappiness = 60};
    assert_int_equal(quire_create(&config, &f.q), QUIRE_OK);
    f.space = vm_space(f.q);
    uint64_t va = vm_map(f.space, 20, RW, 0, NULL, 0);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(vm_read(f.space, va + i * PAGE + 9), 0);
        vm_write(f.space, va + i * PAGE, 1);
        assert_int_equal(vm_read(f.space, va + i * PAGE + 9), 0);
    }
    vm_close(&f);
}

/* What programs want at most: page tables are a part of it, and here they are all of it. */
static void tables_are_demand(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 0);
    for (uint64_t far = MIB; far < HIGH / 2; far *= 64) {
        uint64_t before = quire_vm_peak_demand(f.q);
        vm_map_at(f.space, far, 1, QUIRE_PROT_READ, 0);
        assert_int_equal(vm_read(f.space, far), 0); /* the page of zeros is nobody's */
        assert_true(quire_vm_peak_demand(f.q) > before);
    }
    struct quire_space_usage usage;
    quire_space_usage(f.space, &usage);
    assert_int_equal(quire_vm_peak_demand(f.q), usage.page_tables);
    static struct vm_file file; /* and pages of files are, as long as they are mapped */
    struct quire_object *object = vm_file_object(f.q, &file, 8 * PAGE);
    uint64_t va = vm_map(f.space, 8, QUIRE_PROT_READ, QUIRE_MAP_SHARED, object, 0);
    for (uint64_t i = 0; i < 8; i++) {
        vm_read(f.space, va + i * PAGE);
    }
    quire_space_usage(f.space, &usage);
    assert_int_equal(quire_vm_peak_demand(f.q), usage.page_tables + 8);
    quire_object_unref(object);
    vm_close(&f);
}

static void refuses_as_linux_does(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 0);
    uint8_t byte;
    uint64_t va = vm_map(f.space, 4, QUIRE_PROT_READ, 0, NULL, 0);
    assert_int_equal(vm_try_write(f.space, va, 1), QUIRE_DENIED);
    assert_int_equal(vm_read(f.space, va), 0);
    assert_int_equal(vm_try_write(f.space, va, 1), QUIRE_DENIED);
    assert_int_equal(vm_try_read(f.space, va + 4 * PAGE, &byte), QUIRE_FAULT);
    uint64_t none = vm_map(f.space, 1, QUIRE_PROT_NONE, 0, NULL, 0);
    assert_int_equal(vm_try_read(f.space, none, &byte), QUIRE_DENIED);
    uint64_t wo = vm_map(f.space, 1, QUIRE_PROT_WRITE, 0, NULL, 0);
    vm_write(f.space, wo, 3);
    assert_int_equal(vm_read(f.space, wo), 3); /* write implies read */
    assert_int_equal(quire_fault(f.space, quire_va(wo), QUIRE_ACCESS_EXEC), QUIRE_DENIED);
    quire_vm_mark_killed(f.space);
    assert_int_equal(quire_fault(f.space, quire_va(wo), QUIRE_ACCESS_READ), QUIRE_KILLED);
    vm_close(&f);
}

/* After fork a write copies; the last owner keeps the frame without copying. */
static void last_owner_keeps_the_frame(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 0);
    struct quire_space *child;
    uint64_t va = vm_map(f.space, 2, RW, 0, NULL, 0);
    vm_write(f.space, va, 1);
    vm_write(f.space, va + PAGE, 2);
    struct quire_page *first = quire_vm_page_at(f.space, quire_va(va));
    assert_int_equal(quire_space_fork(f.space, NULL, &child), QUIRE_OK);
    quire_audit(f.q);
    assert_ptr_equal(quire_vm_page_at(child, quire_va(va)), first);
    assert_int_equal(vm_read(child, va), 1);
    uint64_t faults = count(&f)->pgfault;
    struct quire_space_usage usage;
    quire_space_usage(child, &usage);
    uint64_t minor = usage.minor_faults;
    vm_write(child, va, 7); /* copies */
    quire_space_usage(child, &usage);
    assert_int_equal(usage.minor_faults, minor + 1);
    assert_int_equal(count(&f)->pgfault, faults + 1); /* at once, to be written to */
    assert_int_equal(count(&f)->fault_cow, 1);
    assert_ptr_not_equal(quire_vm_page_at(child, quire_va(va)), first);
    assert_int_equal(vm_read(f.space, va), 1);
    vm_write(f.space, va, 8); /* alone now: keeps it */
    assert_int_equal(count(&f)->fault_cow, 1);
    assert_ptr_equal(quire_vm_page_at(f.space, quire_va(va)), first);
    assert_int_equal(vm_read(child, va), 7);
    quire_audit(f.q);
    quire_space_destroy(child);
    vm_write(f.space, va + PAGE, 3); /* was shared until the child went */
    assert_int_equal(count(&f)->fault_cow, 1);
    vm_close(&f);
}

/* Three generations, each writes its own byte on every page. */
static void generations_do_not_see_each_other(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(2 * MIB, 8 * MIB);
    struct quire_space *spaces[4] = {f.space};
    uint64_t va = vm_map(f.space, 200, RW, 0, NULL, 0);
    for (unsigned i = 0; i < 200; i++) {
        vm_write(f.space, va + i * PAGE, (uint8_t)i);
    }
    for (unsigned g = 1; g < 4; g++) {
        assert_int_equal(quire_space_fork(spaces[g - 1], NULL, &spaces[g]), QUIRE_OK);
        for (unsigned i = 0; i < 200; i++) {
            vm_write(spaces[g], va + i * PAGE + g, (uint8_t)(i + g));
        }
        quire_audit(f.q);
    }
    for (unsigned g = 0; g < 4; g++) {
        for (unsigned i = 0; i < 200; i++) {
            assert_int_equal(vm_read(spaces[g], va + i * PAGE), (uint8_t)i);
            for (unsigned h = 1; h < 4; h++) {
                assert_int_equal(vm_read(spaces[g], va + i * PAGE + h),
                                 h <= g ? (uint8_t)(i + h) : 0);
            }
        }
        quire_audit(f.q);
    }
    for (unsigned g = 1; g < 4; g++) {
        quire_space_destroy(spaces[g]);
    }
    vm_close(&f);
}

/* Read back from swap, a page stays clean and keeps its slot until it is written. */
static void clean_pages_keep_their_slot(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 4 * MIB);
    struct quire_usage usage;
    uint64_t va = vm_map(f.space, 16, RW, 0, NULL, 0);
    for (unsigned i = 0; i < 16; i++) {
        vm_write(f.space, va + i * PAGE, (uint8_t)(i + 1));
    }
    vm_evict(f.space, va, 16);
    quire_audit(f.q);
    assert_int_equal(quire_vm_swapped(f.q), 16);
    assert_int_equal(count(&f)->pswpout, 16);
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(vm_read(f.space, va + i * PAGE), i + 1);
    }
    assert_int_equal(quire_vm_swapped(f.q), 0);
    quire_usage(f.q, &usage);
    assert_int_equal(usage.swap_total - usage.swap_free, 16);
    vm_evict(f.space, va, 16); /* no write needed */
    assert_int_equal(count(&f)->pswpout, 16);
    assert_int_equal(vm_read(f.space, va), 1);
    vm_write(f.space, va, 77);
    quire_usage(f.q, &usage);
    assert_int_equal(usage.swap_total - usage.swap_free, 15);
    vm_evict(f.space, va, 16);
    assert_int_equal(count(&f)->pswpout, 17);
    assert_int_equal(vm_read(f.space, va), 77);
    quire_audit(f.q);
    vm_close(&f);
}

/* fork, swap and both sides' writes together. */
static void swapped_pages_are_shared_too(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 4 * MIB);
    struct quire_space *child;
    uint64_t va = vm_map(f.space, 8, RW, 0, NULL, 0);
    for (unsigned i = 0; i < 8; i++) {
        vm_write(f.space, va + i * PAGE, (uint8_t)(i + 1));
    }
    vm_evict(f.space, va, 8);
    assert_int_equal(quire_space_fork(f.space, NULL, &child), QUIRE_OK);
    quire_audit(f.q);
    vm_write(child, va, 99);
    assert_int_equal(vm_read(f.space, va), 1);
    assert_int_equal(vm_read(child, va), 99);
    vm_evict(child, va, 8);
    vm_evict(f.space, va, 8);
    quire_audit(f.q);
    assert_int_equal(quire_vm_swapped(f.q), 9);
    assert_int_equal(vm_read(child, va + PAGE), 2);
    vm_write(f.space, va + PAGE, 50);
    assert_int_equal(vm_read(child, va + PAGE), 2);
    quire_space_destroy(child);
    vm_close(&f);
}

/* A page that can't be read back is QUIRE_BUS, nothing else breaks, and unmapping it is fine. */
static uint64_t on_swap(const struct quire_space *space) {
    struct quire_space_usage usage;
    quire_space_usage(space, &usage);
    return usage.swapped;
}

/* VmSwap of parent and child, who share what is on swap, and how it falls to the one that stays. */
static void swapped_pages_are_counted(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 4 * MIB);
    struct quire_space *child, *grandchild;
    uint64_t va = vm_map(f.space, 16, RW, 0, NULL, 0), ram = vm_map(f.space, 1, RW, 0, NULL, 0);
    for (unsigned i = 0; i < 16; i++) {
        vm_write(f.space, va + i * PAGE, (uint8_t)(i + 1));
    }
    vm_write(f.space, ram, 1);
    vm_evict(f.space, va, 12);
    assert_int_equal(on_swap(f.space), 12);
    assert_int_equal(quire_space_fork(f.space, NULL, &child), QUIRE_OK);
    assert_int_equal(on_swap(child), 12);
    vm_read(child, va);             /* in RAM again: for both */
    vm_write(child, va + PAGE, 40); /* the old one came in, and is the parent's alone */
    vm_evict(child, va + PAGE, 1);  /* and this the child's */
    assert_int_equal(on_swap(f.space), 10);
    assert_int_equal(on_swap(child), 11);
    quire_audit(f.q);
    vm_evict(f.space, va + 12 * PAGE, 4); /* never touched by the child */
    assert_int_equal(on_swap(f.space), 14);
    assert_int_equal(on_swap(child), 15);
    assert_int_equal(
        quire_advise(f.space, quire_va(va + 8 * PAGE), 2 * PAGE, QUIRE_ADVISE_DONTNEED), QUIRE_OK);
    assert_int_equal(on_swap(f.space), 12);
    assert_int_equal(on_swap(child), 15);
    assert_int_equal(quire_space_fork(child, NULL, &grandchild), QUIRE_OK);
    quire_space_destroy(f.space);
    f.space = child; /* nobody made what it has, but for one page */
    quire_audit(f.q);
    assert_int_equal(on_swap(grandchild), 15);
    quire_space_destroy(grandchild);
    assert_int_equal(on_swap(child), 15);
    vm_read(child, va + 2 * PAGE); /* it makes this one its own */
    vm_evict(child, va + 2 * PAGE, 1);
    assert_int_equal(on_swap(child), 15);
    quire_audit(f.q);
    assert_int_equal(vm_read(child, va + 2 * PAGE), 3);
    vm_close(&f);
}

static void lost_pages_are_bus_errors(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 4 * MIB);
    uint8_t byte;
    uint64_t va = vm_map(f.space, 8, RW, 0, NULL, 0);
    for (unsigned i = 0; i < 8; i++) {
        vm_write(f.space, va + i * PAGE, (uint8_t)(i + 1));
    }
    vm_evict(f.space, va, 8);
    quire_soft_inject(f.machine, QUIRE_SOFT_READ_ERROR, 1);
    assert_int_equal(vm_try_read(f.space, va, &byte), QUIRE_BUS);
    assert_int_equal(vm_try_write(f.space, va, 3), QUIRE_BUS);
    quire_audit(f.q);
    quire_soft_inject(f.machine, QUIRE_SOFT_READ_ERROR, 0);
    quire_soft_inject(f.machine, QUIRE_SOFT_BIT_FLIP, 1);
    assert_int_equal(vm_try_read(f.space, va + PAGE, &byte), QUIRE_BUS);
    quire_soft_inject(f.machine, QUIRE_SOFT_BIT_FLIP, 0);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(vm_read(f.space, va + i * PAGE), i + 1);
    }
    quire_audit(f.q);
    vm_close(&f);
}

/* The machine forgets mappings at random: only the count of faults may change. */
static void forgotten_mappings_come_back(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 4 * MIB);
    struct quire_space *child;
    uint64_t va = vm_map(f.space, 64, RW, 0, NULL, 0);
    quire_soft_inject(f.machine, QUIRE_SOFT_DROP_MAPPING, 2);
    for (unsigned pass = 0; pass < 8; pass++) {
        for (unsigned i = 0; i < 64; i++) {
            assert_int_equal(vm_read(f.space, va + i * PAGE), pass ? (uint8_t)(pass * 64 + i) : 0);
            vm_write(f.space, va + i * PAGE, (uint8_t)((pass + 1) * 64 + i));
        }
        assert_int_equal(quire_space_fork(f.space, NULL, &child), QUIRE_OK);
        vm_write(child, va, 1);
        quire_audit(f.q);
        quire_space_destroy(child);
        quire_audit(f.q);
    }
    quire_soft_inject(f.machine, QUIRE_SOFT_DROP_MAPPING, 0);
    vm_close(&f);
}

static void stacks_grow_to_their_limit(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 0);
    struct quire_overcommit all = {.mode = QUIRE_OVERCOMMIT_ALWAYS}; /* 8 MiB at once, on 2 */
    assert_int_equal(quire_set_overcommit(f.q, &all), QUIRE_OK);
    struct quire_region_info info;
    uint8_t byte;
    uint64_t top = HIGH - PAGE;
    vm_map_at(f.space, top - 4 * PAGE, 4, RW, QUIRE_MAP_GROWSDOWN | QUIRE_MAP_STACK_TAG);
    vm_write(f.space, top - 5 * PAGE, 5);
    assert_true(quire_region_at_or_after(f.space, quire_va(top - 5 * PAGE), false, &info));
    assert_int_equal(info.start.value, top - 5 * PAGE);
    assert_int_equal(info.end.value, top);
    assert_int_equal(vm_read(f.space, top - 8 * MIB), 0); /* exactly the limit */
    assert_int_equal(vm_try_read(f.space, top - 8 * MIB - 1, &byte), QUIRE_FAULT);
    struct quire_space_usage usage;
    quire_space_usage(f.space, &usage);
    assert_int_equal(usage.stack, 8 * MIB / PAGE);
    quire_audit(f.q);
    /* A neighbour below keeps it at a distance, unless nobody can use that neighbour. */
    uint64_t second = top - 32 * MIB;
    vm_map_at(f.space, second - PAGE, 1, RW, QUIRE_MAP_GROWSDOWN);
    vm_map_at(f.space, second - 3 * MIB, 1, RW, 0);
    vm_write(f.space, second - 3 * MIB + PAGE + MIB, 1);
    assert_int_equal(vm_try_write(f.space, second - 3 * MIB + MIB, 1), QUIRE_FAULT);
    assert_int_equal(quire_protect(f.space, quire_va(second - 3 * MIB), PAGE, QUIRE_PROT_NONE),
                     QUIRE_OK);
    vm_write(f.space, second - 3 * MIB + MIB, 1);
    vm_close(&f);
}

static void copies_by_the_kernel(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 0);
    struct quire_space *child;
    char text[2 * 4096], back[2 * 4096];
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (char)(i * 7);
    }
    uint64_t va = vm_map(f.space, 4, RW, 0, NULL, 0);
    assert_int_equal(quire_copy_out(f.space, quire_va(va + 100), text, sizeof text), 0);
    assert_int_equal(quire_space_fork(f.space, NULL, &child), QUIRE_OK);
    assert_int_equal(quire_copy_out(child, quire_va(va + 100), "zz", 2), 0);
    assert_int_equal(quire_copy_in(f.space, back, quire_va(va + 100), sizeof back), 0);
    assert_memory_equal(text, back, sizeof back);
    assert_int_equal(quire_copy_in(f.space, back, quire_va(va + 3 * PAGE), 2 * PAGE), PAGE);
    uint64_t ro = vm_map(f.space, 1, QUIRE_PROT_READ, 0, NULL, 0);
    assert_int_equal(quire_copy_out(f.space, quire_va(ro), "x", 1), 1);
    assert_int_equal(quire_copy_force(f.space, quire_va(ro), "x", 1), 0);
    assert_int_equal(vm_read(f.space, ro), 'x');
    assert_int_equal(vm_try_write(f.space, ro, 1), QUIRE_DENIED);
    quire_audit(f.q);
    quire_space_destroy(child);
    vm_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_of_nothing_share_one_frame),
        cmocka_unit_test(ram_may_hold_anything),
        cmocka_unit_test(tables_are_demand),
        cmocka_unit_test(refuses_as_linux_does),
        cmocka_unit_test(last_owner_keeps_the_frame),
        cmocka_unit_test(generations_do_not_see_each_other),
        cmocka_unit_test(clean_pages_keep_their_slot),
        cmocka_unit_test(swapped_pages_are_shared_too),
        cmocka_unit_test(swapped_pages_are_counted),
        cmocka_unit_test(lost_pages_are_bus_errors),
        cmocka_unit_test(forgotten_mappings_come_back),
        cmocka_unit_test(stacks_grow_to_their_limit),
        cmocka_unit_test(copies_by_the_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
