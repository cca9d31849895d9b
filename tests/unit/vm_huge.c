/* vm_huge.c: blocks of 2 MiB: made by a first write and by collapse, ended by everything that makes
 * their pages differ; and what happens when memory for them fails.
 */
#include "vm_fixture.h"

#include <quire/view.h>

#include "page/lru.h"
#include "vm/huge.h"

#define HUGE    (2 * MIB)
#define NPAGES  512u
#define AT      (64 * MIB) /* a multiple of a block */
#define TICK_NS 10000000u

static struct vm_fixture open_with(uint64_t ram, uint64_t swap, enum quire_thp mode) {
    struct vm_fixture f = vm_open(ram, swap);
    quire_set_thp(f.q, mode);
    return f;
}

static unsigned order_at(struct quire_space *space, uint64_t va) {
    struct quire_pmap_entry entry;
    quire_mach_pmap_query(quire_space_pmap(space), quire_va(va), &entry);
    return entry.mapped ? entry.order : 99;
}

static uint64_t blocks(struct vm_fixture *f) {
    struct quire_usage usage;
    quire_audit(f->q);
    quire_usage(f->q, &usage);
    return usage.anon_huge / NPAGES;
}

/* Every page of a block gets a byte of its own; and has it. */
static void write_all(struct quire_space *space, uint64_t va) {
    for (uint64_t i = 0; i < NPAGES; i++) {
        vm_write(space, va + i * PAGE + 5, (uint8_t)(i % 253 + 1));
    }
}

static void check_all(struct quire_space *space, uint64_t va) {
    for (uint64_t i = 0; i < NPAGES; i++) {
        assert_int_equal(vm_read(space, va + i * PAGE + 5), i % 253 + 1);
        assert_int_equal(vm_read(space, va + i * PAGE + 6), 0);
    }
}

/* One fault for 512 pages, and no leaf table. */
static void a_first_write_maps_a_block(void **state) {
    (void)state;
    struct vm_fixture f = open_with(16 * MIB, 0, QUIRE_THP_ALWAYS);
    const struct quire_counters *now = quire_counters(f.q);
    vm_map_at(f.space, AT, 2 * NPAGES, RW, 0);
    vm_write(f.space, AT + HUGE + 7 * PAGE, 3);
    assert_int_equal(now->pgfault, 1);
    assert_int_equal(now->thp_fault_alloc, 1);
    assert_int_equal(order_at(f.space, AT + HUGE), 9);
    assert_int_equal(blocks(&f), 1);
    write_all(f.space, AT + HUGE);
    assert_int_equal(now->pgfault, 1);
    check_all(f.space, AT + HUGE);
    assert_int_equal(now->workingset_refault_anon, 0); /* all new */
    struct quire_space_usage usage;
    quire_space_usage(f.space, &usage);
    assert_int_equal(usage.resident_anon, NPAGES);
    assert_int_equal(usage.page_tables, 3);
    /* A read of the other block finds the small zero page; the write after it gets a block, whose
     * place the table of that page has. */
    assert_int_equal(vm_read(f.space, AT + 9 * PAGE), 0);
    assert_int_equal(blocks(&f), 1);
    vm_write(f.space, AT + 8 * PAGE, 1);
    assert_int_equal(blocks(&f), 2);
    assert_int_equal(vm_read(f.space, AT + 9 * PAGE), 0);
    quire_space_usage(f.space, &usage);
    assert_int_equal(usage.page_tables, 3);
    vm_close(&f);
}

static void modes_and_advice_decide(void **state) {
    (void)state;
    struct vm_fixture f = open_with(32 * MIB, 0, QUIRE_THP_MADVISE);
    for (unsigned i = 0; i < 6; i++) { /* with a gap: not one region */
        vm_map_at(f.space, AT + i * 2 * HUGE, NPAGES, RW, 0);
    }
    vm_write(f.space, AT, 1);
    assert_int_equal(blocks(&f), 0);
    uint64_t second = AT + 2 * HUGE, third = AT + 4 * HUGE, fourth = AT + 6 * HUGE;
    assert_int_equal(quire_advise(f.space, quire_va(second), HUGE, QUIRE_ADVISE_HUGEPAGE),
                     QUIRE_OK);
    vm_write(f.space, second, 1);
    assert_int_equal(blocks(&f), 1);
    quire_set_thp(f.q, QUIRE_THP_ALWAYS);
    assert_int_equal(quire_thp(f.q), QUIRE_THP_ALWAYS);
    assert_int_equal(quire_advise(f.space, quire_va(third), HUGE, QUIRE_ADVISE_NOHUGEPAGE),
                     QUIRE_OK);
    vm_write(f.space, third, 1);
    assert_int_equal(blocks(&f), 1);
    vm_write(f.space, fourth, 1);
    assert_int_equal(blocks(&f), 2);
    quire_set_thp(f.q, QUIRE_THP_NEVER);
    vm_write(f.space, AT + 8 * HUGE, 1);
    assert_int_equal(blocks(&f), 2);
    /* The later advice counts. Advice for a part cuts the region, and the block in it. */
    assert_int_equal(quire_advise(f.space, quire_va(third), HUGE, QUIRE_ADVISE_HUGEPAGE), QUIRE_OK);
    assert_int_equal(quire_advise(f.space, quire_va(second + PAGE), PAGE, QUIRE_ADVISE_NOHUGEPAGE),
                     QUIRE_OK);
    assert_int_equal(blocks(&f), 1);
    assert_int_equal(vm_read(f.space, second), 1);
    vm_close(&f);
}

static void what_gets_no_block(void **state) {
    (void)state;
    struct vm_fixture f = open_with(24 * MIB, 0, QUIRE_THP_ALWAYS);
    static struct vm_file file;
    struct quire_object *object = vm_file_object(f.q, &file, VM_FILE_PAGES * PAGE);
    vm_map_at(f.space, AT + PAGE, NPAGES, RW, 0); /* not whole at either end */
    vm_write(f.space, AT + 4 * PAGE, 1);
    vm_write(f.space, AT + HUGE, 1);
    vm_map_at(f.space, AT + 2 * HUGE, NPAGES, RW, QUIRE_MAP_SHARED);
    vm_write(f.space, AT + 2 * HUGE, 1);
    vm_map_at(f.space, AT + 4 * HUGE, NPAGES, RW, QUIRE_MAP_GROWSDOWN);
    vm_write(f.space, AT + 4 * HUGE + PAGE, 1);
    quire_vaddr va = quire_va(AT + 6 * HUGE);
    assert_int_equal(quire_map(f.space, &va, HUGE, RW, QUIRE_MAP_FIXED, object, 0), QUIRE_OK);
    vm_write(f.space, va.value, 1);
    vm_map_at(f.space, AT + 8 * HUGE, NPAGES, RW, 0); /* one page is there before */
    quire_set_thp(f.q, QUIRE_THP_NEVER);
    vm_write(f.space, AT + 8 * HUGE + 300 * PAGE, 1);
    quire_set_thp(f.q, QUIRE_THP_ALWAYS);
    vm_write(f.space, AT + 8 * HUGE, 1);
    assert_int_equal(blocks(&f), 0);
    assert_int_equal(quire_counters(f.q)->thp_fault_fallback, 0); /* none was wanted */
    /* A machine that has none. */
    f.q->vm->large_order = 0;
    vm_map_at(f.space, AT + 10 * HUGE, NPAGES, RW, 0);
    vm_write(f.space, AT + 10 * HUGE, 1);
    quire_tick(f.q);
    assert_int_equal(blocks(&f), 0);
    quire_object_unref(object);
    vm_close(&f);
}

/* Small pages come instead, silently; and nobody had to reclaim for a block. */
static void short_memory_falls_back(void **state) {
    (void)state;
    struct vm_fixture f = open_with(6 * MIB, 8 * MIB, QUIRE_THP_ALWAYS);
    const struct quire_counters *now = quire_counters(f.q);
    vm_map_at(f.space, AT, 6 * NPAGES, RW, 0);
    for (unsigned i = 0; i < 6; i++) {
        vm_write(f.space, AT + i * HUGE + i, (uint8_t)(i + 1));
    }
    assert_true(now->thp_fault_alloc >= 1 && now->thp_fault_alloc <= 2);
    assert_int_equal(now->thp_fault_fallback, 6 - now->thp_fault_alloc);
    assert_int_equal(now->allocstall, 0);
    assert_int_equal(now->pswpout, 0);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(vm_read(f.space, AT + i * HUGE + i), i + 1);
    }
    vm_close(&f);
}

/* The nth allocation from now on fails, and no other. */
static void fail_once(struct quire *q, uint64_t nth) {
    const uint64_t far = 1000000;
    quire_fail_every(q, far);
    q->fail_count = far - nth;
}

/* Each allocation of a fill fails once: a small page comes, nothing leaks, the audit holds. */
static void each_allocation_of_a_fill_fails(void **state) {
    (void)state;
    struct vm_fixture f = open_with(16 * MIB, 0, QUIRE_THP_ALWAYS);
    bool whole = false;
    unsigned nth = 1;
    for (; !whole; nth += nth < 20 ? 1 : 31) {
        struct quire_usage before, after;
        vm_map_at(f.space, AT, NPAGES, RW, 0);
        quire_usage(f.q, &before);
        fail_once(f.q, nth);
        vm_write(f.space, AT + 3 * PAGE, 9);
        quire_fail_every(f.q, 0);
        whole = blocks(&f) == 1;
        assert_int_equal(vm_read(f.space, AT + 3 * PAGE), 9);
        assert_int_equal(vm_read(f.space, AT + 4 * PAGE), 0);
        assert_int_equal(quire_unmap(f.space, quire_va(AT), HUGE), QUIRE_OK);
        quire_usage(f.q, &after);
        assert_int_equal(after.anon, 0);
        assert_int_equal(after.anon_huge, 0);
    }
    assert_true(nth > 500); /* record, nodes, frames, anons: many places */
    vm_close(&f);
}

/* ---- what ends a block ----------------------------------------------------------------------- */

struct part {
    const char *name;
    void (*act)(struct quire_space *space);
    uint64_t first, last; /* pages that the act takes away */
};

static void act_unmap(struct quire_space *space) {
    assert_int_equal(quire_unmap(space, quire_va(AT + 10 * PAGE), 5 * PAGE), QUIRE_OK);
}

static void act_dontneed(struct quire_space *space) {
    assert_int_equal(quire_advise(space, quire_va(AT + 10 * PAGE), 5 * PAGE, QUIRE_ADVISE_DONTNEED),
                     QUIRE_OK);
}

static void move(struct quire_space *space, uint64_t from, uint64_t npages, uint64_t to) {
    quire_vaddr va = quire_va(to);
    assert_int_equal(quire_remap(space, quire_va(from), npages * PAGE, npages * PAGE,
                                 QUIRE_REMAP_MAY_MOVE | QUIRE_REMAP_FIXED, &va),
                     QUIRE_OK);
}

static void act_remap(struct quire_space *space) {
    uint64_t to = AT + 8 * HUGE + PAGE;
    move(space, AT + 10 * PAGE, 5, to);
    for (uint64_t i = 10; i < 15; i++) {
        assert_int_equal(vm_read(space, to + (i - 10) * PAGE + 5), i % 253 + 1);
    }
}

static void act_protect(struct quire_space *space) {
    assert_int_equal(quire_protect(space, quire_va(AT + 10 * PAGE), 5 * PAGE, QUIRE_PROT_READ),
                     QUIRE_OK);
    assert_int_equal(vm_try_write(space, AT + 12 * PAGE, 1), QUIRE_DENIED);
}

static void act_pageout(struct quire_space *space) {
    vm_evict(space, AT + 10 * PAGE, 5);
    struct quire_space_usage usage;
    quire_space_usage(space, &usage);
    assert_int_equal(usage.swapped, 5);
}

static void parts_end_a_block(void **state) {
    (void)state;
    static const struct part parts[] = {
        {"unmap", act_unmap, 10, 14},   {"dontneed", act_dontneed, 10, 14},
        {"remap", act_remap, 10, 14},   {"protect", act_protect, 1, 0},
        {"pageout", act_pageout, 1, 0},
    };
    for (unsigned p = 0; p < sizeof parts / sizeof *parts; p++) {
        struct vm_fixture f = open_with(16 * MIB, 8 * MIB, QUIRE_THP_ALWAYS);
        const struct quire_counters *now = quire_counters(f.q);
        vm_map_at(f.space, AT, NPAGES, RW, 0);
        write_all(f.space, AT);
        assert_int_equal(blocks(&f), 1);
        uint64_t faults = now->pgfault;
        parts[p].act(f.space);
        assert_int_equal(blocks(&f), 0);
        assert_int_equal(now->thp_split_pmd, 1);
        faults = now->pgfault;
        for (uint64_t i = 0; i < NPAGES; i++) {
            uint64_t va = AT + i * PAGE + 5;
            uint8_t byte = 0;
            enum quire_status status = vm_try_read(f.space, va, &byte);
            if (i < parts[p].first || i > parts[p].last) {
                assert_int_equal(status, QUIRE_OK);
                assert_int_equal(byte, i % 253 + 1);
            } else {
                assert_int_equal(byte, 0);
            }
        }
        /* The machine made a table of its entry: those around did not fault. */
        assert_true(now->pgfault - faults <= 10);
        vm_write(f.space, AT + 400 * PAGE, 1);
        vm_close(&f);
    }
}

/* Protecting all of it keeps the block, and giving the right back is one fault. */
static void a_whole_block_is_protected_as_one(void **state) {
    (void)state;
    struct vm_fixture f = open_with(16 * MIB, 0, QUIRE_THP_ALWAYS);
    const struct quire_counters *now = quire_counters(f.q);
    vm_map_at(f.space, AT, 2 * NPAGES, RW, 0);
    write_all(f.space, AT);
    assert_int_equal(quire_protect(f.space, quire_va(AT), HUGE, QUIRE_PROT_READ), QUIRE_OK);
    assert_int_equal(vm_try_write(f.space, AT, 1), QUIRE_DENIED);
    check_all(f.space, AT);
    assert_int_equal(quire_protect(f.space, quire_va(AT), HUGE, QUIRE_PROT_NONE), QUIRE_OK);
    uint8_t byte;
    assert_int_equal(vm_try_read(f.space, AT, &byte), QUIRE_DENIED);
    assert_int_equal(quire_protect(f.space, quire_va(AT), HUGE, RW), QUIRE_OK);
    uint64_t faults = now->pgfault;
    check_all(f.space, AT);
    write_all(f.space, AT);
    assert_int_equal(now->pgfault, faults + 1);
    assert_int_equal(blocks(&f), 1);
    assert_int_equal(now->thp_split_pmd, 0);
    /* Gone as a whole: that is no split. */
    assert_int_equal(quire_unmap(f.space, quire_va(AT), HUGE), QUIRE_OK);
    assert_int_equal(blocks(&f), 0);
    assert_int_equal(now->thp_split_pmd, 0);
    vm_close(&f);
}

/* What ends where a block begins leaves the block whole. */
static void a_neighbour_stays_whole(void **state) {
    (void)state;
    struct vm_fixture f = open_with(16 * MIB, 0, QUIRE_THP_ALWAYS);
    const struct quire_counters *now = quire_counters(f.q);
    vm_map_at(f.space, AT - PAGE, 2 * NPAGES + 1, RW, 0);
    vm_write(f.space, AT, 1);
    vm_write(f.space, AT + HUGE, 2);
    assert_int_equal(blocks(&f), 2);
    assert_int_equal(quire_protect(f.space, quire_va(AT), HUGE, QUIRE_PROT_READ), QUIRE_OK);
    assert_int_equal(quire_unmap(f.space, quire_va(AT - PAGE), PAGE), QUIRE_OK);
    assert_int_equal(blocks(&f), 2);
    assert_int_equal(now->thp_split_pmd, 0);
    assert_int_equal(quire_protect(f.space, quire_va(AT + HUGE), PAGE, QUIRE_PROT_READ), QUIRE_OK);
    assert_int_equal(blocks(&f), 1);
    assert_int_equal(now->thp_split_pmd, 1);
    vm_close(&f);
}

/* A write to what is shared copies one page; the last owner gets the whole block back at once. */
static void fork_shares_a_block(void **state) {
    (void)state;
    struct vm_fixture f = open_with(24 * MIB, 0, QUIRE_THP_ALWAYS);
    const struct quire_counters *now = quire_counters(f.q);
    struct quire_space *child;
    vm_map_at(f.space, AT, NPAGES, RW, 0);
    write_all(f.space, AT);
    assert_int_equal(quire_space_fork(f.space, NULL, &child), QUIRE_OK);
    assert_int_equal(blocks(&f), 1); /* the parent's */
    check_all(f.space, AT);
    check_all(child, AT);
    vm_write(child, AT + 3 * PAGE + 5, 99);
    assert_int_equal(now->fault_cow, 1);
    assert_int_equal(vm_read(f.space, AT + 3 * PAGE + 5), 4);
    assert_int_equal(blocks(&f), 1);
    quire_space_destroy(child);
    uint64_t faults = now->pgfault;
    write_all(f.space, AT);
    assert_int_equal(now->pgfault, faults + 1);
    assert_int_equal(now->fault_cow, 1);
    assert_int_equal(blocks(&f), 1);

    assert_int_equal(quire_space_fork(f.space, NULL, &child), QUIRE_OK);
    vm_write(f.space, AT + 7 * PAGE + 5, 77); /* the parent writes first: its block ends */
    assert_int_equal(blocks(&f), 0);
    assert_int_equal(now->fault_cow, 2);
    check_all(child, AT);
    assert_int_equal(vm_read(f.space, AT + 7 * PAGE + 5), 77);
    assert_int_equal(vm_read(f.space, AT + 8 * PAGE + 5), 9);
    quire_space_destroy(child);
    vm_close(&f);
}

/* Twice as much as there is RAM goes through blocks and swap, and comes back as it was. */
static void blocks_are_swapped_page_by_page(void **state) {
    (void)state;
    struct vm_fixture f = open_with(8 * MIB, 32 * MIB, QUIRE_THP_ALWAYS);
    const struct quire_counters *now = quire_counters(f.q);
    vm_map_at(f.space, AT, 8 * NPAGES, RW, 0);
    for (unsigned b = 0; b < 8; b++) {
        write_all(f.space, AT + b * HUGE);
    }
    assert_true(now->thp_fault_alloc > 0 && now->thp_split_page > 0 && now->pswpout > 1000);
    quire_audit(f.q);
    for (unsigned b = 0; b < 8; b++) {
        check_all(f.space, AT + b * HUGE);
    }
    assert_true(now->pswpin > 1000);
    assert_int_equal(quire_swapoff(f.q, 0), QUIRE_NOMEM);
    for (unsigned b = 8; b-- > 0;) {
        check_all(f.space, AT + b * HUGE);
    }
    vm_close(&f);
}

/* One bit in the machine, 512 answers: each page is told once that the block was used. */
static void pages_of_a_block_age_together(void **state) {
    (void)state;
    struct vm_fixture f = open_with(16 * MIB, 0, QUIRE_THP_ALWAYS);
    vm_map_at(f.space, AT, NPAGES, RW, 0);
    vm_write(f.space, AT + 77 * PAGE, 1);
    for (unsigned round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < NPAGES; i++) {
            struct quire_page *page = quire_vm_page_at(f.space, quire_va(AT + i * PAGE));
            assert_true(quire_vm_harvest(f.q, page));
            assert_false(quire_vm_harvest(f.q, page));
        }
        vm_read(f.space, AT + 500 * PAGE);
    }
    struct quire_page *page = quire_vm_page_at(f.space, quire_va(AT));
    assert_true(quire_vm_in_block(page));
    assert_int_equal(quire_unmap(f.space, quire_va(AT + HUGE - PAGE), PAGE), QUIRE_OK);
    assert_false(quire_vm_in_block(page));
    vm_close(&f);
}

/* ---- collapse -------------------------------------------------------------------------------- */

static void ticks(struct vm_fixture *f, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        quire_soft_charge(f->machine, TICK_NS);
        quire_tick(f->q);
    }
}

/* Pages from first on, every step-th, one by one. */
static void scatter(struct vm_fixture *f, uint64_t first, uint64_t step) {
    quire_set_thp(f->q, QUIRE_THP_NEVER);
    for (uint64_t i = first; i < NPAGES; i += step) {
        vm_write(f->space, AT + i * PAGE + 5, (uint8_t)(i % 253 + 1));
    }
    quire_set_thp(f->q, QUIRE_THP_ALWAYS);
}

static void scattered_pages_become_a_block(void **state) {
    (void)state;
    struct vm_fixture f = open_with(16 * MIB, 8 * MIB, QUIRE_THP_ALWAYS);
    const struct quire_counters *now = quire_counters(f.q);
    vm_map_at(f.space, AT - PAGE, NPAGES + 2, RW, 0);
    scatter(&f, 3, 5);
    vm_evict(f.space, AT + 3 * PAGE, 1);
    ticks(&f, 4);
    assert_int_equal(blocks(&f), 0); /* a page on swap is not fetched for it */
    assert_int_equal(vm_read(f.space, AT + 3 * PAGE + 5), 4);
    ticks(&f, 4); /* now it is here, clean, with a slot: that goes */
    assert_int_equal(blocks(&f), 1);
    assert_int_equal(now->thp_collapse_alloc, 1);
    assert_int_equal(order_at(f.space, AT), 9);
    for (uint64_t i = 0; i < NPAGES; i++) {
        bool there = i >= 3 && (i - 3) % 5 == 0;
        assert_int_equal(vm_read(f.space, AT + i * PAGE + 5), there ? i % 253 + 1 : 0);
    }
    uint64_t faults = now->pgfault;
    write_all(f.space, AT);
    assert_int_equal(now->pgfault, faults);
    struct quire_usage usage;
    quire_usage(f.q, &usage);
    assert_int_equal(usage.swap_free, usage.swap_total);
    assert_int_equal(usage.active_anon + usage.inactive_anon, usage.anon); /* each can be evicted */
    vm_close(&f);
}

/* What was split and is still in a row needs no copy. */
static void a_split_block_is_joined_in_place(void **state) {
    (void)state;
    struct vm_fixture f = open_with(16 * MIB, 0, QUIRE_THP_ALWAYS);
    vm_map_at(f.space, AT, NPAGES, RW, 0);
    write_all(f.space, AT);
    quire_frame before = quire_page_frame(f.q, quire_vm_page_at(f.space, quire_va(AT)));
    assert_int_equal(quire_protect(f.space, quire_va(AT), PAGE, QUIRE_PROT_READ), QUIRE_OK);
    ticks(&f, 4);
    assert_int_equal(blocks(&f), 0); /* two regions */
    assert_int_equal(quire_protect(f.space, quire_va(AT), PAGE, RW), QUIRE_OK);
    check_all(f.space, AT);
    ticks(&f, 4);
    assert_int_equal(blocks(&f), 1);
    quire_frame after = quire_page_frame(f.q, quire_vm_page_at(f.space, quire_va(AT)));
    assert_int_equal(before.number, after.number);
    assert_int_equal(quire_counters(f.q)->thp_collapse_alloc, 0);
    write_all(f.space, AT);
    vm_close(&f);
}

static uint32_t frame_at(struct vm_fixture *f, uint64_t va) {
    return quire_page_frame(f->q, quire_vm_page_at(f->space, quire_va(va))).number;
}

/* Frames in a row that do not begin where a block may are copied, as scattered ones are: those of
 * two neighbouring blocks, but for the first and the last, moved to where a block may begin. */
static void a_row_that_begins_elsewhere(void **state) {
    (void)state;
    struct vm_fixture f = open_with(32 * MIB, 0, QUIRE_THP_ALWAYS);
    quire_vaddr to = quire_va(AT + 8 * HUGE);
    uint64_t low = 0, high = 0, end = AT + 6 * HUGE;
    vm_map_at(f.space, AT, 6 * NPAGES, RW, 0);
    for (uint64_t va = AT; va < end; va += HUGE)
        vm_write(f.space, va, 1);
    for (uint64_t va = AT; va < end; va += HUGE) {
        for (uint64_t other = AT; other < end; other += HUGE) {
            if (frame_at(&f, va) + NPAGES == frame_at(&f, other) && !(frame_at(&f, va) & NPAGES))
                low = va, high = other;
        }
    }
    assert_true(low != 0 && high != 0);
    quire_set_thp(f.q, QUIRE_THP_NEVER);
    move(f.space, low + PAGE, NPAGES - 1, to.value);
    move(f.space, high, 1, to.value + HUGE - PAGE);
    assert_int_equal(frame_at(&f, to.value) + NPAGES - 1, frame_at(&f, to.value + HUGE - PAGE));
    assert_int_equal(frame_at(&f, to.value) % NPAGES, 1);
    quire_set_thp(f.q, QUIRE_THP_ALWAYS);
    vm_write(f.space, to.value, 2); /* in use */
    ticks(&f, 100);
    assert_int_equal(blocks(&f), 5); /* the four others, too */
    assert_int_equal(frame_at(&f, to.value) % NPAGES, 0);
    assert_int_equal(quire_counters(f.q)->thp_collapse_alloc, 1);
    vm_close(&f);
}

static void what_is_not_collapsed(void **state) {
    (void)state;
    struct vm_fixture f = open_with(24 * MIB, 0, QUIRE_THP_ALWAYS);
    struct quire_space *child;
    vm_map_at(f.space, AT, NPAGES, RW, 0);
    scatter(&f, 0, 2);
    f.q->vm->collapse_min = NPAGES / 2 + 1; /* one too few */
    ticks(&f, 4);
    assert_int_equal(blocks(&f), 0);
    f.q->vm->collapse_min = NPAGES / 2;
    assert_int_equal(quire_space_fork(f.space, NULL, &child), QUIRE_OK);
    ticks(&f, 4);
    assert_int_equal(blocks(&f), 0); /* shared */
    quire_space_destroy(child);
    struct quire_page *page = quire_vm_page_at(f.space, quire_va(AT + 2 * PAGE));
    page->pins++;
    ticks(&f, 4);
    assert_int_equal(blocks(&f), 0);
    page->pins--;
    for (uint64_t i = 0; i < NPAGES; i += 2) { /* nobody used any of it */
        page = quire_vm_page_at(f.space, quire_va(AT + i * PAGE));
        quire_vm_harvest(f.q, page);
    }
    ticks(&f, 4);
    assert_int_equal(blocks(&f), 0);
    page->flags |= QUIRE_PAGE_REFERENCED; /* but one: so the policy found when it looked */
    quire_set_thp(f.q, QUIRE_THP_NEVER);
    ticks(&f, 4);
    assert_int_equal(blocks(&f), 0);
    quire_set_thp(f.q, QUIRE_THP_ALWAYS);
    quire_tick(f.q); /* too soon after the last */
    f.q->vm->collapse_next_ns = quire_mach_now_ns(f.machine) + 1;
    quire_tick(f.q);
    ticks(&f, 4);
    assert_int_equal(blocks(&f), 1);
    vm_close(&f);
}

static void each_allocation_of_a_collapse_fails(void **state) {
    (void)state;
    unsigned refused = 0;
    for (unsigned nth = 1; nth < 600; nth += nth < 20 ? 1 : 53) {
        struct vm_fixture f = open_with(16 * MIB, 0, QUIRE_THP_ALWAYS);
        vm_map_at(f.space, AT, NPAGES, RW, 0);
        scatter(&f, 1, 7);
        fail_once(f.q, nth);
        ticks(&f, 1);
        quire_fail_every(f.q, 0);
        refused += blocks(&f) == 0;
        assert_int_equal(quire_counters(f.q)->thp_collapse_alloc_failed, blocks(&f) == 0);
        for (uint64_t i = 0; i < NPAGES; i++) {
            bool there = i >= 1 && (i - 1) % 7 == 0;
            assert_int_equal(vm_read(f.space, AT + i * PAGE + 5), there ? i % 253 + 1 : 0);
        }
        ticks(&f, 4);
        assert_int_equal(blocks(&f), 1);
        vm_close(&f);
    }
    assert_true(refused > 10);
}

/* Several spaces and regions: all of it is found, round and round; a space may go in between. */
static void the_scan_goes_round(void **state) {
    (void)state;
    struct vm_fixture f = open_with(32 * MIB, 0, QUIRE_THP_ALWAYS);
    struct quire_space *other = vm_space(f.q);
    quire_set_thp(f.q, QUIRE_THP_NEVER);
    for (unsigned i = 0; i < 40; i++) { /* regions too small for any block */
        vm_map_at(f.space, LOW + i * 2 * PAGE, 1, RW, 0);
    }
    vm_map_at(f.space, AT, 3 * NPAGES, RW, 0);
    vm_map_at(other, AT + PAGE, 2 * NPAGES, RW, 0);
    for (unsigned b = 0; b < 3; b++) {
        vm_write(f.space, AT + b * HUGE + b * PAGE, 1);
    }
    vm_write(other, AT + HUGE + 5 * PAGE, 2);
    quire_set_thp(f.q, QUIRE_THP_ALWAYS);
    ticks(&f, 12);
    assert_int_equal(blocks(&f), 4);
    f.q->vm->collapse_space = other;
    quire_space_destroy(other);
    ticks(&f, 3);
    assert_int_equal(blocks(&f), 3);
    vm_close(&f);
}

/* The kernel's copies see the same bytes, and may write where the program may not. */
static void kernel_copies_work_in_blocks(void **state) {
    (void)state;
    struct vm_fixture f = open_with(16 * MIB, 0, QUIRE_THP_ALWAYS);
    static uint8_t bytes[3 * QUIRE_PAGE_SIZE], back[3 * QUIRE_PAGE_SIZE];
    memset(bytes, 0x5C, sizeof bytes);
    vm_map_at(f.space, AT, NPAGES, RW, 0);
    assert_int_equal(quire_copy_out(f.space, quire_va(AT + 100), bytes, sizeof bytes), 0);
    assert_int_equal(blocks(&f), 1);
    assert_int_equal(quire_copy_in(f.space, back, quire_va(AT + 100), sizeof back), 0);
    assert_memory_equal(bytes, back, sizeof back);
    assert_int_equal(quire_protect(f.space, quire_va(AT), HUGE, QUIRE_PROT_NONE), QUIRE_OK);
    assert_int_equal(quire_copy_force(f.space, quire_va(AT + 7 * PAGE), bytes, 10), 0);
    assert_int_equal(order_at(f.space, AT), 99); /* nobody may use it: the machine is not told */
    assert_int_equal(quire_protect(f.space, quire_va(AT), HUGE, QUIRE_PROT_READ), QUIRE_OK);
    assert_int_equal(vm_read(f.space, AT + 7 * PAGE + 9), 0x5C);
    assert_int_equal(vm_read(f.space, AT + 7 * PAGE + 10), 0);
    struct quire_space *child;
    assert_int_equal(quire_space_fork(f.space, NULL, &child), QUIRE_OK);
    assert_int_equal(quire_copy_force(f.space, quire_va(AT + 8 * PAGE), bytes, 10), 0);
    assert_int_equal(vm_read(child, AT + 8 * PAGE), 0);
    assert_int_equal(vm_read(f.space, AT + 8 * PAGE), 0x5C);
    quire_space_destroy(child);
    vm_close(&f);
}

/* A block in locked memory is on no list; what is unlocked of it is again. */
static void blocks_can_be_locked(void **state) {
    (void)state;
    struct vm_fixture f = open_with(16 * MIB, 16 * MIB, QUIRE_THP_ALWAYS);
    assert_int_equal(quire_lock_all(f.space, QUIRE_LOCK_ALL_FUTURE | QUIRE_LOCK_ALL_ON_FAULT),
                     QUIRE_OK);
    vm_map_at(f.space, AT, NPAGES, RW, 0);
    assert_int_equal(quire_vm_mlocked(f.q), 0);
    write_all(f.space, AT);
    assert_int_equal(blocks(&f), 1);
    assert_int_equal(quire_vm_mlocked(f.q), NPAGES);
    vm_evict(f.space, AT, NPAGES);
    assert_int_equal(quire_counters(f.q)->pswpout, 0);
    assert_int_equal(quire_unlock(f.space, quire_va(AT), PAGE), QUIRE_OK); /* cuts the block */
    assert_int_equal(quire_vm_mlocked(f.q), NPAGES - 1);
    assert_int_equal(blocks(&f), 0);
    vm_evict(f.space, AT, NPAGES);
    assert_int_equal(quire_counters(f.q)->pswpout, 1);
    check_all(f.space, AT);
    vm_close(&f);
}

/* The number behind a label, in the n-th place where it stands; -1: it is not there. */
static long told(const char *text, const char *label, unsigned n) {
    for (const char *at = strstr(text, label); at; at = strstr(at + 1, label)) {
        if (n-- == 0) {
            return strtol(at + strlen(label), NULL, 10);
        }
    }
    return -1;
}

static void views_tell_of_blocks(void **state) {
    (void)state;
    static char text[16384];
    struct vm_fixture f = open_with(16 * MIB, 0, QUIRE_THP_ALWAYS);
    vm_map_at(f.space, AT, 2 * NPAGES, RW, 0);
    vm_map_at(f.space, AT + 4 * HUGE, 8, RW, 0); /* too small for one */
    vm_write(f.space, AT, 1);
    vm_write(f.space, AT + HUGE, 1);
    vm_write(f.space, AT + 4 * HUGE, 1);
    assert_true(quire_view_smaps(f.space, text, sizeof text) < sizeof text);
    assert_int_equal(told(text, "AnonHugePages:", 0), 4096);
    assert_int_equal(told(text, "AnonHugePages:", 1), 0);
    assert_int_equal(told(text, "THPeligible:", 0), 1);
    assert_int_equal(told(text, "THPeligible:", 1), 0);
    assert_int_equal(told(text, "FilePmdMapped:", 0), 0); /* files never have blocks */
    assert_true(quire_view_smaps_rollup(f.space, text, sizeof text) < sizeof text);
    assert_int_equal(told(text, "AnonHugePages:", 0), 4096);
    assert_true(quire_view_meminfo(f.q, text, sizeof text) < sizeof text);
    assert_int_equal(told(text, "AnonHugePages:", 0), 4096);
    assert_int_equal(quire_advise(f.space, quire_va(AT + PAGE), PAGE, QUIRE_ADVISE_DONTNEED),
                     QUIRE_OK);
    assert_true(quire_view_smaps(f.space, text, sizeof text) < sizeof text);
    assert_int_equal(told(text, "AnonHugePages:", 0), 2048);
    assert_true(quire_view_meminfo(f.q, text, sizeof text) < sizeof text);
    assert_int_equal(told(text, "AnonHugePages:", 0), 2048);
    assert_false(quire_vm_block_eligible(f.space, quire_va(HIGH - PAGE))); /* nothing is there */
    vm_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_write_maps_a_block),
        cmocka_unit_test(modes_and_advice_decide),
        cmocka_unit_test(what_gets_no_block),
        cmocka_unit_test(short_memory_falls_back),
        cmocka_unit_test(each_allocation_of_a_fill_fails),
        cmocka_unit_test(parts_end_a_block),
        cmocka_unit_test(a_whole_block_is_protected_as_one),
        cmocka_unit_test(a_neighbour_stays_whole),
        cmocka_unit_test(fork_shares_a_block),
        cmocka_unit_test(blocks_are_swapped_page_by_page),
        cmocka_unit_test(pages_of_a_block_age_together),
        cmocka_unit_test(scattered_pages_become_a_block),
        cmocka_unit_test(a_split_block_is_joined_in_place),
        cmocka_unit_test(a_row_that_begins_elsewhere),
        cmocka_unit_test(what_is_not_collapsed),
        cmocka_unit_test(each_allocation_of_a_collapse_fails),
        cmocka_unit_test(the_scan_goes_round),
        cmocka_unit_test(kernel_copies_work_in_blocks),
        cmocka_unit_test(blocks_can_be_locked),
        cmocka_unit_test(views_tell_of_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
