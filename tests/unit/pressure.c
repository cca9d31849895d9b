/* pressure.c: what waiting for memory costs: the averages against a model in floating point, the
 * waits of each program, the counters of reclaim; and caches dropped on request. */
#include "rig.h"

#include <quire/kmem.h>

#include <math.h>

#include "base/system.h"

#define RAM   (8 * RIG_MIB)
#define PAGES (2 * RAM / RIG_PAGE)

/* ---- averages -------------------------------------------------------------------------------- */

#define SECOND UINT64_C(1000000000)

/* What /proc/pressure/memory should show, hundredths of a percent. */
struct model {
    double average[3];
};

static const double windows[3] = {10, 60, 300};

static void model_period(struct model *model, double share) {
    for (unsigned i = 0; i < 3; i++) {
        double keep = exp(-2.0 / windows[i]);
        model->average[i] = model->average[i] * keep + share * 10000 * (1 - keep);
    }
}

static void expect_pressure(const struct quire *q, const struct model *model, double tolerance) {
    struct quire_pressure pressure;
    quire_pressure(q, &pressure);
    const uint16_t shown[3] = {pressure.avg10, pressure.avg60, pressure.avg300};
    for (unsigned i = 0; i < 3; i++) {
        if (fabs(shown[i] - model->average[i]) > tolerance)
            fail_msg("window %g: %u, not %.1f", windows[i], shown[i], model->average[i]);
    }
}

/* Waits of every share, each for some periods; told through the counter that all waits go through.
 */
static void averages(void **state) {
    (void)state;
    struct rig rig;
    struct model model = {{0}};
    rig_up(&rig, RAM, 0);
    uint64_t now = quire_mach_now_ns(rig.machine), seed = 5;
    for (unsigned turn = 0; turn < 40; turn++) {
        uint64_t percent = turn == 7 ? 100 : rig_random(&seed) % 101;
        for (unsigned period = 0; period < 10; period++) {
            now += 2 * SECOND;
            rig.q->counters.stall_ns += 2 * SECOND * percent / 100;
            quire_soft_idle_until(rig.machine, now);
            quire_tick(rig.q);
            model_period(&model, (double)percent / 100);
        }
        expect_pressure(rig.q, &model, 120); /* eleven bits: about a percent */
    }
    /* A long silence: zeros, whoever looks and whenever. */
    now += 30 * SECOND;
    quire_soft_idle_until(rig.machine, now);
    for (unsigned period = 0; period < 15; period++)
        model_period(&model, 0);
    expect_pressure(rig.q, &model, 120);
    quire_tick(rig.q);
    expect_pressure(rig.q, &model, 120);
    quire_soft_idle_until(rig.machine, now + 100000 * SECOND);
    struct quire_pressure pressure;
    quire_pressure(rig.q, &pressure);
    assert_int_equal(pressure.avg10 + pressure.avg60 + pressure.avg300, 0);
    assert_int_equal(pressure.total_us, rig.q->counters.stall_ns / 1000);
    rig_down(&rig);
}

static void text(void **state) {
    (void)state;
    struct rig rig;
    char bytes[256], again[256];
    rig_up(&rig, RAM, 0);
    uint64_t now = quire_mach_now_ns(rig.machine);
    rig.q->counters.stall_ns = 1234567890;
    quire_soft_idle_until(rig.machine, now + 2 * SECOND);
    quire_tick(rig.q);
    size_t length = quire_view_pressure(rig.q, bytes, sizeof bytes);
    assert_int_equal(length, strlen(bytes));
    unsigned whole[6], part[6];
    unsigned long long total[2];
    int fields = sscanf(bytes,
                        "some avg10=%u.%2u avg60=%u.%2u avg300=%u.%2u total=%llu\n"
                        "full avg10=%u.%2u avg60=%u.%2u avg300=%u.%2u total=%llu\n",
                        &whole[0], &part[0], &whole[1], &part[1], &whole[2], &part[2], &total[0],
                        &whole[3], &part[3], &whole[4], &part[4], &whole[5], &part[5], &total[1]);
    assert_int_equal(fields, 14);
    assert_int_equal(total[0], 1234567);
    assert_int_equal(total[1], 1234567);
    assert_in_range(whole[0], 10, 12); /* 61 % of the first period, of ten seconds */
    assert_in_range(whole[1], 1, 2);
    snprintf(again, sizeof again,
             "some avg10=%u.%02u avg60=%u.%02u avg300=%u.%02u total=1234567\n"
             "full avg10=%u.%02u avg60=%u.%02u avg300=%u.%02u total=1234567\n",
             whole[0], part[0], whole[1], part[1], whole[2], part[2], whole[3], part[3], whole[4],
             part[4], whole[5], part[5]);
    assert_string_equal(bytes, again); /* zeros where they belong */
    assert_int_equal(quire_view_pressure(rig.q, NULL, 0), length);
    rig_down(&rig);
}

/* ---- who waited ------------------------------------------------------------------------------ */

static void waits_are_charged(void **state) {
    (void)state;
    struct rig rig;
    struct quire_space_usage usage[2];
    rig_up(&rig, RAM, 4 * RAM);
    rig_space(&rig, 0);
    rig_space(&rig, 1);
    uint64_t small = rig_map(&rig, 0, 16 * RIG_PAGE, RIG_RW, 0);
    uint64_t large = rig_map(&rig, 1, PAGES * RIG_PAGE, RIG_RW, 0);
    rig_fill(&rig, 0, small, 16, 0);
    quire_space_usage(rig.spaces[0], &usage[0]);
    assert_int_equal(usage[0].stalls + usage[0].stall_ns, 0); /* there was enough */
    rig_fill(&rig, 1, large, PAGES, 0);
    rig_expect(&rig, 1, large, PAGES, 0);
    const struct quire_counters *counters = quire_counters(rig.q);
    quire_space_usage(rig.spaces[0], &usage[0]);
    quire_space_usage(rig.spaces[1], &usage[1]);
    assert_int_equal(usage[0].stall_ns, 0); /* another's trouble */
    assert_true(usage[1].stalls > counters->pswpin / 2);
    assert_int_equal(counters->allocstall, 0); /* the machine's ticks were enough */
    assert_in_range(counters->fault_swap, 1, counters->pswpin); /* read ahead brought the others */
    assert_int_equal(usage[1].stall_ns, counters->stall_ns);
    for (uint64_t n = 0; n < PAGES; n++) /* without ticks who faults pays for the frames too */
        assert_int_equal(
            quire_fault(rig.spaces[1], quire_va(large + n * RIG_PAGE), QUIRE_ACCESS_WRITE),
            QUIRE_OK);
    uint64_t before = usage[1].stalls;
    quire_space_usage(rig.spaces[1], &usage[1]);
    assert_true(counters->allocstall > 10);
    assert_true(usage[1].stalls > before + 10);
    assert_int_equal(usage[1].stall_ns, counters->stall_ns);
    struct quire_soft_counters machine; /* the disk alone is most of it */
    quire_soft_counters(rig.machine, &machine);
    assert_true(counters->stall_ns >= machine.stall_ns / 2);
    /* What was counted by kind adds up to what was counted by worker. */
    assert_int_equal(counters->pgscan_anon + counters->pgscan_file,
                     counters->pgscan_kswapd + counters->pgscan_direct);
    assert_true(counters->pgsteal_anon <= counters->pgscan_anon);
    assert_true(counters->workingset_refault_anon > 0);
    assert_int_equal(counters->workingset_refault_file, 0);
    rig_down(&rig);
}

/* ---- files: thrashing, and drop_caches ------------------------------------------------------- */

#define FILE_PAGES (RAM / RIG_PAGE * 3 / 2)
#define HOT_PAGES  400

static uint64_t reads;
static struct quire_machine *slow; /* each read takes a millisecond of this machine */

static enum quire_status file_read(void *context, uint64_t offset, void *bytes) {
    (void)context;
    memset(bytes, (int)(offset / RIG_PAGE % 251), RIG_PAGE);
    quire_soft_idle_until(slow, quire_mach_now_ns(slow) + SECOND / 1000);
    reads++;
    return QUIRE_OK;
}

static enum quire_status file_write(void *context, uint64_t offset, const void *bytes) {
    (void)context, (void)offset, (void)bytes;
    return QUIRE_OK;
}

static uint64_t file_size(void *context) {
    (void)context;
    return FILE_PAGES * RIG_PAGE;
}

static void file_release(void *context) {
    (void)context;
}

static struct quire_object *map_file(struct rig *rig, uint64_t *va) {
    static const struct quire_pager pager = {
        .read = file_read, .write = file_write, .size = file_size, .release = file_release};
    static const struct quire_object_info info = {.name = "/data", .inode = 7};
    struct quire_object *object;
    quire_vaddr at = quire_va(0);
    slow = rig->machine;
    reads = 0;
    assert_int_equal(quire_object_create_file(rig->q, &pager, rig, &info, &object), QUIRE_OK);
    assert_int_equal(
        quire_map(rig->spaces[0], &at, FILE_PAGES * RIG_PAGE, RIG_RW, QUIRE_MAP_SHARED, object, 0),
        QUIRE_OK);
    *va = at.value;
    return object;
}

static void read_pages(struct rig *rig, uint64_t va, uint64_t first, uint64_t end) {
    uint64_t value;
    for (uint64_t n = first; n < end; n++) {
        assert_int_equal(rig_load(rig, 0, va + n * RIG_PAGE, &value), QUIRE_OK);
        assert_int_equal(value & 255, n % 251);
    }
}

/* The first read of a file is nobody's pressure; reading again what was evicted although it had
 * been in use is. */
static void file_thrashing(void **state) {
    (void)state;
    struct rig rig;
    uint64_t va;
    rig_up(&rig, RAM, 0);
    rig_space(&rig, 0);
    quire_object_unref(map_file(&rig, &va));
    const struct quire_counters *counters = quire_counters(rig.q);
    read_pages(&rig, va, 0, 100);
    assert_int_equal(counters->stall_ns, 0);
    for (unsigned turn = 0; turn < 6; turn++)
        read_pages(&rig, va, 0, FILE_PAGES);
    assert_true(counters->workingset_refault_file > FILE_PAGES);
    /* Hot pages beside others become active; then all others push them out; then they return. */
    for (unsigned turn = 0; turn < 8; turn++) {
        for (uint64_t part = 0; part < 60; part++) {
            uint64_t other = HOT_PAGES + part % 9 * 200;
            read_pages(&rig, va, 0, HOT_PAGES);
            read_pages(&rig, va, other, other + 200);
        }
        for (unsigned again = 0; again < 4; again++)
            read_pages(&rig, va, HOT_PAGES, FILE_PAGES);
    }
    assert_true(counters->workingset_activate_file > 0);
    assert_true(counters->workingset_restore_file > 0);
    assert_true(counters->stall_ns >= counters->workingset_restore_file * (SECOND / 1000));
    assert_true(counters->stall_ns < reads * (SECOND / 1000)); /* not all reads were that */
    quire_audit(rig.q);
    rig_down(&rig);
}

/* Pages read again after each of `npages` was read twice and then all of the file once, from what
 * has that protection: how many of those reads went to the file. */
static uint64_t read_again(unsigned prot, uint64_t npages) {
    struct rig rig;
    uint64_t stream;
    rig_up(&rig, RAM, 0);
    rig_space(&rig, 0);
    struct quire_object *object = map_file(&rig, &stream);
    quire_vaddr at = quire_va(0);
    assert_int_equal(quire_map(rig.spaces[0], &at, npages * RIG_PAGE, prot, 0, object, 0),
                     QUIRE_OK);
    read_pages(&rig, at.value, 0, npages);
    read_pages(&rig, stream, npages, FILE_PAGES);
    reads = 0;
    read_pages(&rig, at.value, 0, npages);
    quire_object_unref(object);
    rig_down(&rig);
    return reads;
}

/* What runs is kept where what was read as often is not. */
static void text_waits_longest(void **state) {
    (void)state;
    assert_true(read_again(QUIRE_PROT_READ, 300) > 200);
    assert_true(read_again(QUIRE_PROT_READ | QUIRE_PROT_EXEC, 300) < 100);
}

static void drop_caches(void **state) {
    (void)state;
    struct rig rig;
    uint64_t va;
    const uint64_t npages = 300;
    rig_up(&rig, RAM, 0);
    rig_space(&rig, 0);
    struct quire_object *object = map_file(&rig, &va);
    read_pages(&rig, va, 0, npages);
    for (uint64_t n = 0; n < 10; n++) /* dirty: these must stay */
        assert_int_equal(rig_store(&rig, 0, va + n * RIG_PAGE, n % 251), QUIRE_OK);
    assert_int_equal(quire_drop_caches(rig.q, 0), QUIRE_INVAL);
    assert_int_equal(quire_drop_caches(rig.q, 4), QUIRE_INVAL);
    assert_int_equal(quire_drop_caches(rig.q, 1), QUIRE_OK);
    assert_int_equal(rig_usage(&rig).file, npages); /* all mapped */
    assert_int_equal(quire_unmap(rig.spaces[0], quire_va(va), FILE_PAGES * RIG_PAGE), QUIRE_OK);
    assert_int_equal(quire_drop_caches(rig.q, 2), QUIRE_OK);
    assert_int_equal(rig_usage(&rig).file, npages); /* not asked for */
    uint64_t free = rig_usage(&rig).free;
    assert_int_equal(quire_drop_caches(rig.q, 3), QUIRE_OK);
    assert_int_equal(rig_usage(&rig).file, rig_usage(&rig).dirty);
    assert_in_range(rig_usage(&rig).file, 1, 10);
    assert_true(rig_usage(&rig).free >= free + npages - 10);
    const struct quire_counters *counters = quire_counters(rig.q);
    assert_int_equal(counters->fault_file, npages + 10); /* read, and written to when read before */
    assert_int_equal(counters->drop_pagecache, 2);
    assert_int_equal(counters->drop_slab, 2);
    /* Dropped is not evicted: coming back is no refault. */
    quire_vaddr at = quire_va(0);
    assert_int_equal(quire_map(rig.spaces[0], &at, npages * RIG_PAGE, QUIRE_PROT_READ,
                               QUIRE_MAP_SHARED, object, 0),
                     QUIRE_OK);
    read_pages(&rig, at.value, 0, npages);
    assert_int_equal(counters->workingset_refault_file, 0);
    quire_audit(rig.q);
    quire_object_unref(object);
    rig_down(&rig);
}

/* Pages that a program can have until it is killed for it, after others came and went or not. */
static uint64_t pages_until_killed(bool others, uint64_t *reaped) {
    struct rig rig;
    rig_up(&rig, RAM, 0);
    for (unsigned i = 1; others && i < RIG_SPACES; i++) { /* objects of all kinds come */
        rig_space(&rig, i);
        uint64_t va = rig_map(&rig, i, 256 * RIG_MIB, RIG_RW, 0);
        for (uint64_t n = 0; n < 100; n++)
            assert_int_equal(rig_store(&rig, i, va + n * 2 * RIG_MIB, 1), QUIRE_OK);
    }
    for (unsigned i = 1; others && i < RIG_SPACES; i++) { /* and go */
        quire_space_destroy(rig.spaces[i]);
        rig.spaces[i] = NULL;
    }
    rig_space(&rig, 0);
    uint64_t va = rig_map(&rig, 0, RAM, RIG_RW, 0), npages = 0;
    while (rig_store(&rig, 0, va + npages * RIG_PAGE, 1) == QUIRE_OK)
        npages++;
    *reaped = quire_counters(rig.q)->slab_reclaim;
    rig_down(&rig);
    return npages;
}

/* Empty slabs go back when memory is short, before anybody is killed for it. */
static void slabs_are_reaped(void **state) {
    (void)state;
    uint64_t reaped;
    uint64_t fresh = pages_until_killed(false, &reaped);
    assert_true(pages_until_killed(true, &reaped) + 8 >= fresh);
    assert_true(reaped > 0);
}

/* Copies that somebody keeps in a cache as long as nobody needs the memory. */
struct copies {
    struct quire_cache *cache;
    void *objects[2000];
    unsigned n, asked;
};

static uint64_t give_up(void *context, uint64_t nobjects) {
    struct copies *copies = context;
    uint64_t given = 0;
    copies->asked++;
    for (; copies->n > 0 && given < nobjects; given++)
        quire_cache_free(copies->cache, copies->objects[--copies->n]);
    return given;
}

static void fill(struct rig *rig, struct copies *copies) {
    const struct quire_cache_options options = {.name = "copies",
                                                .object_bytes = 1000,
                                                .flags = QUIRE_CACHE_RECLAIMABLE,
                                                .reclaim = give_up,
                                                .context = copies};
    memset(copies, 0, sizeof *copies);
    assert_int_equal(quire_cache_create_with(rig->q, &options, &copies->cache), QUIRE_OK);
    for (; copies->n < 2000; copies->n++)
        assert_non_null(copies->objects[copies->n] = quire_cache_alloc(copies->cache));
}

/* Kernel objects that can be had again: for drop_caches 2 all of them, for one who needs memory as
 * many as he needs, and before anybody is killed the last. */
static void copies_are_given_up(void **state) {
    (void)state;
    static struct copies copies;
    struct rig rig;
    rig_up(&rig, RAM, 0);
    fill(&rig, &copies);
    uint64_t free = rig_usage(&rig).free;
    assert_int_equal(quire_drop_caches(rig.q, 1), QUIRE_OK);
    assert_int_equal(copies.n, 2000);
    assert_int_equal(quire_drop_caches(rig.q, 2), QUIRE_OK);
    assert_int_equal(copies.n, 0);
    assert_true(rig_usage(&rig).free >= free + 500);
    assert_int_equal(quire_cache_destroy(copies.cache), QUIRE_OK);
    fill(&rig, &copies);
    rig_space(&rig, 0);
    uint64_t va = rig_map(&rig, 0, RAM, RIG_RW, 0), npages = 0, some = 0;
    while (rig_store(&rig, 0, va + npages * RIG_PAGE, 1) == QUIRE_OK) {
        npages++;
        some += copies.n > 0 && copies.n < 2000;
    }
    assert_int_equal(copies.n, 0);
    assert_true(some > 100); /* not all at once */
    assert_true(quire_counters(rig.q)->slab_reclaim >= 500);
    assert_int_equal(quire_cache_destroy(copies.cache), QUIRE_OK);
    rig_down(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(averages),           cmocka_unit_test(text),
        cmocka_unit_test(waits_are_charged),  cmocka_unit_test(file_thrashing),
        cmocka_unit_test(text_waits_longest), cmocka_unit_test(drop_caches),
        cmocka_unit_test(slabs_are_reaped),   cmocka_unit_test(copies_are_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
