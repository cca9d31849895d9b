/* swappiness.c: how the looking is divided between anonymous and file pages: by swappiness, by what
 * each kind cost, and at the edges. */
#include "rig.h"

#include <quire/kmem.h>

#include "base/system.h"
#include "kmem/slab.h"
#include "page/lru.h"
#include "page/zone.h"
#include "reclaim/scan.h"

#define RAM        (8 * RIG_MIB)
#define ANON_PAGES 900u
#define FILE_PAGES 900u

static enum quire_status file_read(void *context, uint64_t offset, void *bytes) {
    (void)context, (void)offset;
    memset(bytes, 1, RIG_PAGE);
    return QUIRE_OK;
}

static uint64_t file_size(void *context) {
    (void)context;
    return 64 * RIG_MIB;
}

static void file_release(void *context) {
    (void)context;
}

static struct quire_object *data_file(struct rig *rig) {
    static const struct quire_pager pager = {
        .read = file_read, .size = file_size, .release = file_release};
    static const struct quire_object_info info = {.name = "/data", .inode = 7};
    struct quire_object *object;
    assert_int_equal(quire_object_create_file(rig->q, &pager, rig, &info, &object), QUIRE_OK);
    return object;
}

/* As many pages of each kind, none used again; then reclaim frees some hundred. */
static struct quire_counters reclaim_with(unsigned swappiness, uint32_t file_cost, bool swap) {
    struct rig rig;
    uint64_t value;
    quire_vaddr at = quire_va(0);
    rig_swappiness = swappiness;
    rig_up(&rig, RAM, swap ? 4 * RAM : 0);
    rig_space(&rig, 0);
    uint64_t va = rig_map(&rig, 0, RAM, RIG_RW, 0);
    struct quire_object *object = data_file(&rig);
    assert_int_equal(quire_map(rig.spaces[0], &at, FILE_PAGES * RIG_PAGE, QUIRE_PROT_READ,
                               QUIRE_MAP_SHARED, object, 0),
                     QUIRE_OK);
    quire_object_unref(object);
    for (unsigned n = 0; n < ANON_PAGES; n++) {
        assert_int_equal(rig_store(&rig, 0, va + n * RIG_PAGE, 1), QUIRE_OK);
        assert_int_equal(rig_load(&rig, 0, at.value + n * RIG_PAGE, &value), QUIRE_OK);
    }
    assert_int_equal(quire_counters(rig.q)->pgscan_kswapd, 0); /* so far there was room */
    quire_lru_aging(rig.q, QUIRE_LRU_FILE)->cost = file_cost;
    for (unsigned n = 0; n < 500; n++)
        assert_int_equal(rig_store(&rig, 0, va + (ANON_PAGES + n) * RIG_PAGE, 1), QUIRE_OK);
    assert_int_equal(rig.kills, 0);
    struct quire_counters counters = *quire_counters(rig.q);
    assert_true(quire_reclaim_direct(rig.q, QUIRE_NZONES - 1) > 0);
    assert_int_equal(rig.q->phys->lru.forgets, /* each page that comes takes one of these away */
                     quire_lru_aging(rig.q, QUIRE_LRU_ANON)->npages +
                         quire_lru_aging(rig.q, QUIRE_LRU_FILE)->npages);
    quire_audit(rig.q);
    rig_down(&rig);
    return counters;
}

/* Looks, not evictions: which pages go is for the policy to say when it has seen them. */
static void divides_the_looks(void **state) {
    (void)state;
    uint64_t last = 0;
    const unsigned values[5] = {0, 20, 60, 140, 200};
    for (unsigned i = 0; i < 5; i++) {
        struct quire_counters counters = reclaim_with(values[i], 0, true);
        assert_true(counters.pgsteal_anon + counters.pgsteal_file >= 100);
        if (values[i] == 0) /* files, but in a last round */
            assert_true(counters.pgscan_file > 10 * counters.pgscan_anon);
        if (values[i] == 20)
            assert_true(counters.pgscan_file > 2 * counters.pgscan_anon);
        if (values[i] == 200)
            assert_int_equal(counters.pgscan_file, 0);
        assert_true(counters.pgscan_anon > last);
        last = counters.pgscan_anon;
    }
}

/* File pages that kept coming back are left alone more. */
static void cost_counts(void **state) {
    (void)state;
    struct quire_counters cheap = reclaim_with(60, 0, true);
    struct quire_counters dear = reclaim_with(60, 300, true);
    assert_true(dear.pgscan_anon > cheap.pgscan_anon);
    assert_true(dear.pgscan_file < cheap.pgscan_file);
}

/* Nowhere to go: no anonymous page is even looked at, whatever swappiness says. */
static void without_swap(void **state) {
    (void)state;
    struct quire_counters counters = reclaim_with(200, 0, false);
    assert_int_equal(counters.pgscan_anon, 0);
    assert_true(counters.pgsteal_file >= 100);
}

static void forget_uses(struct rig *rig, uint64_t va, unsigned npages) {
    for (unsigned n = 0; n < npages; n++)
        quire_vm_harvest(rig->q, quire_vm_page_at(rig->spaces[0], quire_va(va + n * RIG_PAGE)));
}

/* Pages of both kinds, not used for a while. Returns the counters after a scan that frees one page.
 */
static struct quire_counters scan_for_one(struct rig *rig, unsigned anon, unsigned files,
                                          uint64_t free) {
    struct quire_object *object = data_file(rig);
    quire_vaddr at = quire_va(0);
    static quire_frame frames[RAM / RIG_PAGE];
    unsigned nframes = 0;
    uint64_t value, bytes = files * RIG_PAGE, va = rig_map(rig, 0, anon * RIG_PAGE, RIG_RW, 0);
    assert_int_equal(
        quire_map(rig->spaces[0], &at, bytes, QUIRE_PROT_READ, QUIRE_MAP_SHARED, object, 0),
        QUIRE_OK);
    quire_object_unref(object);
    rig_fill(rig, 0, va, anon, 0);
    for (unsigned n = 0; n < files; n++)
        assert_int_equal(rig_load(rig, 0, at.value + n * RIG_PAGE, &value), QUIRE_OK);
    forget_uses(rig, va, anon);
    forget_uses(rig, at.value, files);
    (void)quire_kmem_reclaim(rig->q, UINT64_MAX); /* so that it must be a page */
    while (rig_usage(rig).free > free)            /* the kernel has the rest */
        assert_int_equal(quire_frames_alloc(rig->q, 0, &frames[nframes++]), QUIRE_OK);
    assert_int_equal(quire_scan_shrink(rig->q, 1, QUIRE_NZONES - 1, true), 1);
    while (nframes > 0)
        quire_frames_free(rig->q, frames[--nframes], 0);
    return *quire_counters(rig->q);
}

/* Few pages of files are left, and little is free: they stay as soon as there is one anonymous page
 * to look at. Unless swap is to be avoided. */
static void last_files_stay(void **state) {
    (void)state;
    static const unsigned values[] = {0, 1, 60};
    for (unsigned i = 0; i < 3; i++) {
        struct rig rig;
        rig_swappiness = values[i];
        rig_up(&rig, RAM, 4 * RAM);
        rig_space(&rig, 0);
        uint64_t free = rig_usage(&rig).watermark_high - 20;
        struct quire_counters counters = scan_for_one(&rig, 12, 20, free);
        assert_int_equal(counters.pgsteal_file, values[i] == 0);
        assert_int_equal(counters.pgscan_file == 0, values[i] > 0);
        assert_int_equal(counters.pgsteal_anon, values[i] > 0);
        rig_down(&rig);
    }
}

/* The first look is at a 4096th: of 2 pages of each kind, the file's that swappiness leaves. */
static void begins_small(void **state) {
    (void)state;
    struct rig rig;
    rig_swappiness = 60;
    rig_up(&rig, 12 * RAM, RAM);
    rig_space(&rig, 0);
    struct quire_counters counters = scan_for_one(&rig, 8200, 8200, UINT64_MAX);
    assert_int_equal(counters.pgscan_anon, 0);
    assert_int_equal(counters.pgscan_file, 1);
    rig_down(&rig);
}

/* The division of reclaim_ratio, which has no 64-bit division to do it with. */
static void ratios(void **state) {
    (void)state;
    uint64_t seed = 5;
    assert_int_equal(reclaim_ratio(0, 0, 1024), 0);
    assert_int_equal(reclaim_ratio(1, 3, 1000), 333);
    assert_int_equal(reclaim_ratio((1 << 20) - 1, (1 << 20) - 1, 4096), 4096);
    assert_int_equal(reclaim_ratio(1 << 20, 1 << 20, 4096), 4096);
    assert_int_equal(reclaim_ratio(UINT64_MAX, UINT64_MAX, 2000), 2000);
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t whole = rig_random(&seed) >> rig_random(&seed) % 60;
        uint64_t part = whole ? rig_random(&seed) % whole : 0;
        double want = whole ? (double)part / (double)whole * 1024 : 0;
        double got = reclaim_ratio(part, whole, 1024);
        assert_true(got <= want + 0.01 && got > want - 1.01);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ratios),          cmocka_unit_test(divides_the_looks),
        cmocka_unit_test(cost_counts),     cmocka_unit_test(without_swap),
        cmocka_unit_test(last_files_stay), cmocka_unit_test(begins_small)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
