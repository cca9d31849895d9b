/* compact.c: frames that are free but not together, and what moves to change that: private pages,
 * shared and forked ones, files, locked ones; what must not move; direct and in the background.
 * Every byte is read back, everything is recounted. */
#include "rig.h"

#include <quire/kmem.h>

#include "page/page.h"
#include "reclaim/scan.h"
#include "vm/vm.h"

#define RAM (64 * RIG_MIB)

/* Frames that a test keeps until its end. */
static struct {
    quire_frame frame;
    unsigned order;
} held[1 << 14];
static unsigned nheld;

static void hold(quire_frame frame, unsigned order) {
    held[nheld].frame = frame;
    held[nheld++].order = order;
}

/* As long as there are any lying ready. */
static void exhaust(struct rig *rig, unsigned order) {
    quire_frame frame;
    while (quire_frames_alloc(rig->q, order, &frame) == QUIRE_OK) {
        hold(frame, order);
    }
}

static void down(struct rig *rig) {
    while (nheld > 0) {
        nheld--;
        quire_frames_free(rig->q, held[nheld].frame, held[nheld].order);
    }
    rig_down(rig);
}

/* Fill most of RAM, then give every second page of it back. */
static uint64_t fragment(struct rig *rig, unsigned index, uint64_t npages, uint64_t step) {
    struct quire_space *space = rig_space(rig, index);
    uint64_t va = rig_map(rig, index, npages * RIG_PAGE, RIG_RW, 0);
    quire_advise(space, quire_va(va), npages * RIG_PAGE, QUIRE_ADVISE_NOHUGEPAGE);
    rig_fill(rig, index, va, npages, 1);
    for (uint64_t i = 0; i < npages; i += step) {
        assert_int_equal(
            quire_advise(space, quire_va(va + i * RIG_PAGE), RIG_PAGE, QUIRE_ADVISE_DONTNEED),
            QUIRE_OK);
    }
    return va;
}

static void expect_fragments(struct rig *rig, unsigned index, uint64_t va, uint64_t npages,
                             uint64_t step) {
    for (uint64_t i = 0; i < npages; i++) {
        if (i % step != 0) {
            rig_expect(rig, index, va + i * RIG_PAGE, 1, 1);
        }
    }
}

/* Order by order: refused where it lies, had after compaction, and nobody's bytes have changed. */
static void private_pages(void **state) {
    (void)state;
    static struct rig rig;
    rig_up(&rig, RAM, 0);
    const struct quire_counters *counters = quire_counters(rig.q);
    uint64_t npages = 14000, va = fragment(&rig, 0, npages, 2);
    quire_frame large;
    for (unsigned order = 5; order <= 10; order++) {
        exhaust(&rig, order);
        uint64_t success = counters->compact_success, moved = counters->pgmigrate_success;
        for (unsigned i = 0; i < QUIRE_NZONES; i++) /* where others have left off does not matter */
            rig.q->reclaim->compact[i] = (struct reclaim_compact){.source = 9000, .target = 8999};
        assert_int_equal(quire_frames_get(rig.q, order, QUIRE_ZONE_NORMAL, &large), QUIRE_OK);
        hold(large, order);
        assert_int_equal(large.number & ((1u << order) - 1), 0);
        assert_true(counters->compact_success > success);
        assert_true(counters->pgmigrate_success > moved);
        quire_audit(rig.q);
        expect_fragments(&rig, 0, va, npages, 2);
    }
    assert_int_equal(counters->compact_fail, 0);
    assert_int_equal(counters->allocstall, 0); /* nothing had to be reclaimed for it */
    assert_true(counters->compact_stall >= 6 && counters->compact_migrate_scanned > 0 &&
                counters->compact_free_scanned > 0);
    assert_true(counters->compact_free_scanned < 1000000); /* each counts up */
    down(&rig);
}

static enum quire_status file_read(void *context, uint64_t offset, void *bytes) {
    (void)context;
    for (unsigned i = 0; i < 512; i++) {
        ((uint64_t *)bytes)[i] = rig_stamp(offset + i, 7);
    }
    return QUIRE_OK;
}

static uint64_t file_size(void *context) {
    (void)context;
    return 16 * RIG_MIB;
}

/* Pages of all kinds, each mapped in several places: parent and child, two spaces on one object. */
static void all_kinds(void **state) {
    (void)state;
    static struct rig rig;
    static const struct quire_object_info info = {.name = "/file", .inode = 1};
    const struct quire_pager pager = {.read = file_read, .size = file_size};
    struct quire_object *file, *shm;
    const uint64_t n = 1200;
    enum { NPAGES = 12000 };
    rig_up(&rig, RAM, 0);
    uint64_t va = fragment(&rig, 0, NPAGES, 3);
    assert_int_equal(quire_object_create_file(rig.q, &pager, NULL, &info, &file), QUIRE_OK);
    assert_int_equal(quire_object_create_shm(rig.q, n * RIG_PAGE, &info, &shm), QUIRE_OK);
    quire_vaddr at[2] = {quire_va(0), quire_va(0)};
    assert_int_equal(
        quire_map(rig.spaces[0], &at[0], n * RIG_PAGE, RIG_RW, QUIRE_MAP_SHARED, shm, 0), QUIRE_OK);
    assert_int_equal(quire_map(rig.spaces[0], &at[1], n * RIG_PAGE, QUIRE_PROT_READ, 0, file, 0),
                     QUIRE_OK);
    rig_fill(&rig, 0, at[0].value, n, 2);
    assert_int_equal(quire_lock(rig.spaces[0], quire_va(va + RIG_PAGE), RIG_PAGE, false), QUIRE_OK);
    assert_int_equal(quire_space_fork(rig.spaces[0], &rig.spaces[1], &rig.spaces[1]), QUIRE_OK);
    for (unsigned round = 0; round < 40; round++) {
        uint64_t value;
        for (uint64_t i = 0; i < n; i += 3) { /* the machine knows some mappings of each */
            assert_int_equal(rig_load(&rig, round % 2, at[1].value + i * RIG_PAGE, &value),
                             QUIRE_OK);
            assert_true(value == rig_stamp(i * RIG_PAGE, 7));
        }
        quire_frame frame;
        if (quire_frames_get(rig.q, 7, QUIRE_ZONE_NORMAL, &frame) == QUIRE_OK) {
            hold(frame, 7);
        }
        quire_audit(rig.q);
        rig_expect(&rig, round % 2, at[0].value, n, 2);
        expect_fragments(&rig, 0, va, NPAGES, 3);
        expect_fragments(&rig, 1, va, NPAGES, 3);
    }
    assert_true(quire_counters(rig.q)->pgmigrate_success > 500);
    /* Copy-on-write still works on what has moved. */
    uint64_t one = 1;
    assert_int_equal(rig_store(&rig, 1, va + 2 * RIG_PAGE, one), QUIRE_OK);
    rig_expect(&rig, 0, va + 2 * RIG_PAGE, 1, 1);
    quire_audit(rig.q);
    quire_space_destroy(rig.spaces[0]);
    quire_space_destroy(rig.spaces[1]);
    rig.spaces[0] = rig.spaces[1] = NULL;
    quire_object_unref(file);
    quire_object_unref(shm);
    down(&rig);
}

/* Each page of a file and of shared memory, mapped twice, to another frame: one by one, so that
 * none is left out. */
static void one_by_one(void **state) {
    (void)state;
    static struct rig rig;
    static const struct quire_object_info info = {.name = "/file", .inode = 1};
    const struct quire_pager pager = {.read = file_read, .size = file_size};
    struct quire_object *objects[2];
    const uint64_t n = 50;
    quire_vaddr at[2][2];
    rig_up(&rig, RAM, 0);
    assert_int_equal(quire_object_create_file(rig.q, &pager, NULL, &info, &objects[0]), QUIRE_OK);
    assert_int_equal(quire_object_create_shm(rig.q, n * RIG_PAGE, &info, &objects[1]), QUIRE_OK);
    for (unsigned i = 0; i < 2; i++) {
        rig_space(&rig, i);
        for (unsigned k = 0; k < 2; k++) {
            at[i][k] = quire_va(0);
            assert_int_equal(quire_map(rig.spaces[i], &at[i][k], n * RIG_PAGE,
                                       k == 0 ? QUIRE_PROT_READ : RIG_RW, QUIRE_MAP_SHARED,
                                       objects[k], 0),
                             QUIRE_OK);
        }
    }
    for (uint64_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < 4; k++) {
            uint64_t va = at[k % 2][k / 2].value + i * RIG_PAGE, value = i + 1;
            assert_int_equal(k == 2 ? rig_store(&rig, 0, va, value)
                                    : rig_load(&rig, k % 2, va, &value),
                             QUIRE_OK);
        }
    }
    uint64_t faults = quire_counters(rig.q)->pgfault;
    for (uint64_t i = 0; i < 2 * n; i++) {
        quire_vaddr va = quire_va(at[0][i % 2].value + i / 2 * RIG_PAGE);
        struct quire_page *from = quire_vm_page_at(rig.spaces[0], va);
        struct quire_page *to = quire_page_alloc(rig.q, 0, from->use, QUIRE_ALLOC_USER);
        assert_true(quire_vm_migratable(from));
        quire_vm_migrate(rig.q, from, to);
        memset(quire_page_window(rig.q, from), 0xEE, RIG_PAGE);
        quire_page_free_home(rig.q, from);
        assert_ptr_equal(
            quire_vm_page_at(rig.spaces[1], quire_va(at[1][i % 2].value + i / 2 * RIG_PAGE)), to);
        quire_audit(rig.q);
    }
    for (uint64_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < 4; k++) {
            uint64_t value = 0, va = at[k % 2][k / 2].value + i * RIG_PAGE;
            assert_int_equal(rig_load(&rig, k % 2, va, &value), QUIRE_OK);
            assert_true(value == (k < 2 ? rig_stamp(i * RIG_PAGE, 7) : i + 1));
        }
    }
    assert_int_equal(quire_counters(rig.q)->pgfault, faults); /* no mapping was lost by it */
    for (unsigned i = 0; i < 2; i++) {
        quire_space_destroy(rig.spaces[i]);
        rig.spaces[i] = NULL;
    }
    quire_object_unref(objects[0]);
    quire_object_unref(objects[1]);
    down(&rig);
}

/* What must not move does not, and makes the attempt fail without a trace; soon it is not even
 * made. */
static void unmovable(void **state) {
    (void)state;
    static struct rig rig;
    static quire_frame frames[1 << 15];
    rig_up(&rig, 16 * RIG_MIB, 0);
    const struct quire_counters *counters = quire_counters(rig.q);
    unsigned n = 0;
    while (quire_frames_alloc(rig.q, 0, &frames[n]) == QUIRE_OK) {
        memset(quire_frame_window(rig.q, frames[n]), (int)n, 4096);
        n++;
    }
    unsigned kept = 0;
    for (unsigned i = 0; i < n; i++) { /* one stays in each four neighbours */
        if (frames[i].number % 4 == 1) {
            frames[kept++] = frames[i];
        } else {
            quire_frames_free(rig.q, frames[i], 0);
        }
    }
    quire_frame frame;
    exhaust(&rig, 4); /* what was kept free till now */
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(quire_frames_get(rig.q, 4, QUIRE_ZONE_NORMAL, &frame), QUIRE_NOMEM);
    }
    assert_int_equal(counters->pgmigrate_success, 0);
    assert_int_equal(counters->compact_success, 0);
    assert_true(counters->compact_fail > 0);
    assert_true(counters->compact_fail < 100); /* put off, longer each time */
    quire_audit(rig.q);
    while (kept > 0) {
        kept--;
        quire_frames_free(rig.q, frames[kept], 0);
    }
    assert_int_equal(quire_frames_get(rig.q, 9, QUIRE_ZONE_NORMAL, &frame), QUIRE_OK);
    hold(frame, 9);
    down(&rig);
}

/* A pinned page stays where it is, with its neighbours. */
static void pinned(void **state) {
    (void)state;
    static struct rig rig;
    rig_up(&rig, RAM, 0);
    uint64_t va = fragment(&rig, 0, 14000, 2);
    static quire_frame where[14000];
    for (uint64_t i = 1; i < 14000; i += 2) {
        struct quire_page *page = quire_vm_page_at(rig.spaces[0], quire_va(va + i * RIG_PAGE));
        where[i] = quire_page_frame(rig.q, page);
        page->pins = i % 64 == 1;
    }
    quire_frame frame;
    exhaust(&rig, 4);
    for (unsigned i = 0; i < 20; i++) {
        if (quire_frames_get(rig.q, 4, QUIRE_ZONE_NORMAL, &frame) == QUIRE_OK) {
            hold(frame, 4);
        }
    }
    quire_audit(rig.q);
    unsigned moved = 0;
    for (uint64_t i = 1; i < 14000; i += 2) {
        struct quire_page *page = quire_vm_page_at(rig.spaces[0], quire_va(va + i * RIG_PAGE));
        bool same = quire_page_frame(rig.q, page).number == where[i].number;
        assert_true(same || i % 64 != 1);
        moved += !same;
        page->pins = 0;
    }
    assert_true(moved > 50);
    expect_fragments(&rig, 0, va, 14000, 2);
    down(&rig);
}

/* What asks for a page to be left where it is, one reason at a time; and one that is locked in RAM,
 * which is no reason: it takes the lock along. */
static void who_may_move(void **state) {
    (void)state;
    static struct rig rig;
    rig_up(&rig, RAM, 0);
    struct quire_space *space = rig_space(&rig, 0);
    quire_set_thp(rig.q, QUIRE_THP_NEVER);
    quire_vaddr va = quire_va(rig_map(&rig, 0, 4 * RIG_PAGE, RIG_RW, 0));
    rig_fill(&rig, 0, va.value, 4, 1);
    struct quire_page *page = quire_vm_page_at(space, va);
    assert_true(quire_vm_migratable(page));
    page->pins = 1;
    assert_false(quire_vm_migratable(page));
    page->pins = 0;
    struct quire_page *block = quire_page_alloc(rig.q, 1, QUIRE_USE_ANON, QUIRE_ALLOC_USER);
    assert_false(quire_vm_migratable(block)); /* more than one frame, and nobody's */
    quire_page_free(rig.q, block);
    struct quire_page *alone = quire_page_alloc(rig.q, 0, QUIRE_USE_ANON, QUIRE_ALLOC_USER);
    assert_false(quire_vm_migratable(alone));
    quire_page_free(rig.q, alone);
    struct quire_page *kernel = quire_page_alloc(rig.q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_KERNEL);
    assert_false(quire_vm_migratable(kernel));
    quire_page_free(rig.q, kernel);

    assert_int_equal(quire_lock(space, va, RIG_PAGE, false), QUIRE_OK);
    assert_true(quire_vm_migratable(page));
    struct quire_page *to = quire_page_alloc(rig.q, 0, QUIRE_USE_ANON, QUIRE_ALLOC_USER);
    quire_vm_migrate(rig.q, page, to);
    quire_page_free(rig.q, page);
    quire_audit(rig.q);
    assert_ptr_equal(quire_vm_page_at(space, va), to);
    assert_int_equal(quire_vm_mlocked(rig.q), 1);
    assert_false(quire_vm_reclaimable(rig.q, to));
    rig_expect(&rig, 0, va.value, 4, 1);

    quire_set_thp(rig.q, QUIRE_THP_ALWAYS);
    va = quire_va(rig_map(&rig, 0, 4 * RIG_MIB, RIG_RW, 0));
    rig_fill(&rig, 0, va.value, 1024, 1);
    struct quire_page *inside = quire_vm_page_at(space, quire_va(va.value + 2 * RIG_MIB));
    assert_true(quire_vm_in_block(inside));
    assert_false(quire_vm_migratable(inside));
    assert_int_equal(quire_advise(space, va, 4 * RIG_MIB, QUIRE_ADVISE_FREE), QUIRE_OK);
    assert_true(quire_vm_migratable(inside)); /* its block is no more */
    down(&rig);
}

/* Who did not wait finds his block some ticks later. */
static void background(void **state) {
    (void)state;
    static struct rig rig;
    rig_up(&rig, RAM, 0);
    uint64_t va = fragment(&rig, 0, 14000, 2);
    quire_frame frame;
    exhaust(&rig, 9);
    for (unsigned i = 0; i < 64 && quire_counters(rig.q)->pgmigrate_success == 0; i++) {
        quire_tick(rig.q);
        quire_audit(rig.q);
    }
    assert_int_equal(quire_frames_alloc(rig.q, 9, &frame), QUIRE_OK);
    hold(frame, 9);
    assert_int_equal(quire_counters(rig.q)->compact_stall, 0);
    assert_true(quire_counters(rig.q)->pgmigrate_success <= 512); /* one block's worth */
    expect_fragments(&rig, 0, va, 14000, 2);
    uint64_t moved = quire_counters(rig.q)->pgmigrate_success;
    for (unsigned i = 0; i < 64; i++) { /* nobody asks for more: nothing is moved */
        quire_tick(rig.q);
    }
    assert_int_equal(quire_counters(rig.q)->pgmigrate_success, moved);
    down(&rig);
}

/* Where every stretch holds what can't move: a tick looks at as many as 4 MiB have, and goes on
 * there in the next one. */
static void a_piece_each_tick(void **state) {
    (void)state;
    static struct rig rig;
    rig_up(&rig, 64 * RIG_MIB, 0);
    quire_frame frame;
    exhaust(&rig, 0);
    unsigned kept = 0;
    for (unsigned i = 0; i < nheld; i++) { /* what begins a pair stays */
        if (held[i].frame.number % 2 == 0) {
            held[kept++] = held[i];
        } else {
            quire_frames_free(rig.q, held[i].frame, 0);
        }
    }
    nheld = kept;
    assert_int_equal(quire_frames_alloc(rig.q, 9, &frame), QUIRE_NOMEM);
    const struct quire_counters *now = quire_counters(rig.q);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t before = now->compact_migrate_scanned;
        quire_tick(rig.q);
        assert_int_equal(now->compact_migrate_scanned - before, 2); /* of 2 MiB */
    }
    for (unsigned i = 0; i < 64; i++) { /* to the end of all zones: nothing can be done */
        quire_tick(rig.q);
    }
    assert_int_equal(now->pgmigrate_success, 0);
    /* That is no reason to give up for ever: now there is something that moves. */
    while (nheld > 0) {
        nheld--;
        quire_frames_free(rig.q, held[nheld].frame, held[nheld].order);
    }
    uint64_t va = fragment(&rig, 0, 14000, 2);
    exhaust(&rig, 9);
    for (unsigned i = 0; i < 64 && now->pgmigrate_success == 0; i++) {
        quire_tick(rig.q);
    }
    assert_true(now->pgmigrate_success > 0);
    assert_int_equal(quire_frames_alloc(rig.q, 9, &frame), QUIRE_OK);
    hold(frame, 9);
    expect_fragments(&rig, 0, va, 14000, 2);
    down(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_by_one), cmocka_unit_test(private_pages),
        cmocka_unit_test(all_kinds),  cmocka_unit_test(unmovable),
        cmocka_unit_test(pinned),     cmocka_unit_test(who_may_move),
        cmocka_unit_test(background), cmocka_unit_test(a_piece_each_tick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
