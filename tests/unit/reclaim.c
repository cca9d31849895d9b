/* reclaim.c: more memory than RAM: nothing is lost, the used stays, kswapd keeps programs from
 * stalling, files are dropped or written, bad disks hurt only their own pages. */
#include "rig.h"

#include "page/page.h"
#include "reclaim/scan.h"

#define RAM   (8 * RIG_MIB)
#define PAGES (4 * RAM / RIG_PAGE)

/* Four times the RAM, written and read at random; audited on the way. */
static void four_times_ram(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, RAM, 9 * RAM); /* under half: clean copies stay */
    rig_space(&rig, 0);
    uint64_t va = rig_map(&rig, 0, PAGES * RIG_PAGE, RIG_RW, 0);
    static uint8_t version[PAGES];
    memset(version, 0, sizeof version);
    rig_fill(&rig, 0, va, PAGES, 0);
    quire_audit(rig.q);
    uint64_t seed = 1;
    for (unsigned i = 0; i < 40000; i++) {
        uint64_t n = rig_random(&seed) % PAGES;
        if (rig_random(&seed) & 1)
            rig_fill(&rig, 0, va + n * RIG_PAGE, 1, ++version[n]);
        else
            rig_expect(&rig, 0, va + n * RIG_PAGE, 1, version[n]);
        if (i % 2000 == 0)
            quire_audit(rig.q);
    }
    for (uint64_t n = 0; n < PAGES; n++)
        rig_expect(&rig, 0, va + n * RIG_PAGE, 1, version[n]);
    const struct quire_counters *counters = quire_counters(rig.q);
    assert_true(counters->pswpout > PAGES / 2);
    assert_true(counters->swap_clean > 0);
    assert_true(counters->pgsteal_kswapd > 0);
    assert_int_equal(counters->oom_kill, 0);
    assert_int_equal(rig.kills, 0);
    /* Wanted at once: each page, here or on swap, and what maps them. */
    assert_in_range(rig_usage(&rig).peak_demand, PAGES, PAGES + PAGES / 256 + 8);
    rig_down(&rig);
}

/* A part that is used between all other accesses is not evicted again and again; also if swap is
 * to be avoided, where there is no file. */
static void what_is_used_stays_with(unsigned swappiness) {
    struct rig rig;
    rig_swappiness = swappiness;
    rig_up(&rig, RAM, 5 * RAM);
    rig_space(&rig, 0);
    const uint64_t hot = RAM / RIG_PAGE / 8;
    uint64_t va = rig_map(&rig, 0, PAGES * RIG_PAGE, RIG_RW, 0);
    rig_fill(&rig, 0, va, PAGES, 0);
    uint64_t hot_va = va, seed = 2, faults = 0, accesses = 0;
    for (unsigned turn = 0; turn < 200; turn++) {
        uint64_t before = quire_counters(rig.q)->pswpin;
        rig_expect(&rig, 0, hot_va, hot, 0);
        if (turn > 20) {
            faults += quire_counters(rig.q)->pswpin - before;
            accesses += hot;
        }
        for (unsigned i = 0; i < 200; i++)
            rig_expect(&rig, 0, va + rig_random(&seed) % PAGES * RIG_PAGE, 1, 0);
    }
    assert_true(faults * 50 < accesses); /* under 2 %; without aging it would be most of them */
    rig_down(&rig);
    rig_swappiness = 60;
}

static void what_is_used_stays(void **state) {
    (void)state;
    what_is_used_stays_with(60);
    what_is_used_stays_with(0);
}

/* With ticks, kswapd works ahead: hardly any fault has to reclaim by itself. */
static void kswapd_works_ahead(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, RAM, 5 * RAM);
    rig_space(&rig, 0);
    uint64_t va = rig_map(&rig, 0, PAGES * RIG_PAGE, RIG_RW, 0);
    for (uint64_t n = 0; n < PAGES; n++) {
        rig_fill(&rig, 0, va + n * RIG_PAGE, 1, 0);
        if (quire_wants_tick(rig.q))
            quire_tick(rig.q);
    }
    assert_int_equal(quire_counters(rig.q)->allocstall, 0);
    while (quire_wants_tick(rig.q))
        quire_tick(rig.q);
    struct quire_usage usage = rig_usage(&rig);
    assert_true(usage.free >= usage.watermark_low);
    rig_down(&rig);
}

/* Once it has begun it goes on to the high mark, over more than a tick; then it waits for the low
 * one. */
static void kswapd_goes_on(void **state) {
    (void)state;
    static const uint64_t one_zone[QUIRE_NZONES] = {0, 0, UINT64_MAX, 0};
    struct rig rig;
    rig_min_free = 2048;
    rig_zone_ends = one_zone;
    rig_up(&rig, 4 * RAM, 5 * RAM);
    rig_space(&rig, 0);
    uint64_t va = rig_map(&rig, 0, PAGES * RIG_PAGE, RIG_RW, 0);
    struct quire_usage usage = rig_usage(&rig);
    for (uint64_t n = 0; !quire_wants_tick(rig.q); n++)
        rig_fill(&rig, 0, va + n * RIG_PAGE, 1, 0);
    for (unsigned ticks = 0; quire_wants_tick(rig.q); ticks++) {
        assert_true(ticks < 8);
        quire_tick(rig.q);
    }
    assert_in_range(rig_usage(&rig).free, usage.watermark_high, usage.watermark_high + 256);
    rig_down(&rig);
    rig_min_free = 0;
    rig_zone_ends = NULL;
}

/* Full swap and full RAM of one program whose data just fits: no kill while there is any room. */
static void full_swap(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, RAM, RAM);
    rig_space(&rig, 0);
    struct quire_usage usage = rig_usage(&rig);
    uint64_t npages = usage.free - usage.watermark_high - 32 + usage.swap_total - 32;
    npages -= npages / 200; /* their page tables and records */
    npages -= npages / 32;
    uint64_t va = rig_map(&rig, 0, npages * RIG_PAGE, RIG_RW, 0);
    rig_fill(&rig, 0, va, npages, 0);
    uint64_t seed = 3;
    for (unsigned i = 0; i < 5000; i++)
        rig_fill(&rig, 0, va + rig_random(&seed) % npages * RIG_PAGE, 1, 0);
    rig_expect(&rig, 0, va, npages, 0);
    assert_int_equal(rig.kills, 0);
    quire_audit(rig.q);
    rig_down(&rig);
}

/* Pages that cannot be written stay; pages that come back wrong kill nobody else's data. */
/* Swap is full, but some of it holds copies of pages that are in RAM: those can go. When it holds
 * nothing but what is nowhere else, none can. */
static void copies_may_go(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, RAM, 64 * RIG_PAGE);
    rig_space(&rig, 0);
    uint64_t total = rig_usage(&rig).swap_total, va = rig_map(&rig, 0, 80 * RIG_PAGE, RIG_RW, 0);
    rig_fill(&rig, 0, va, 80, 0);
    quire_advise(rig.spaces[0], quire_va(va), 20 * RIG_PAGE, QUIRE_ADVISE_PAGEOUT);
    rig_expect(&rig, 0, va, 20, 0); /* swap is nearly empty: clean copies stay */
    quire_advise(rig.spaces[0], quire_va(va + 20 * RIG_PAGE), (total - 20) * RIG_PAGE,
                 QUIRE_ADVISE_PAGEOUT);
    assert_int_equal(rig_usage(&rig).swap_free, 0);
    assert_true(quire_evict_anon_possible(rig.q));
    quire_advise(rig.spaces[0], quire_va(va), 20 * RIG_PAGE, QUIRE_ADVISE_PAGEOUT);
    assert_int_equal(rig_usage(&rig).swap_free, 0);
    assert_false(quire_evict_anon_possible(rig.q));
    rig_expect(&rig, 0, va, 80, 0);
    rig_down(&rig);
}

static void failing_disk(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, RAM, 5 * RAM);
    rig_space(&rig, 0);
    uint64_t npages = 2 * RAM / RIG_PAGE;
    uint64_t va = rig_map(&rig, 0, npages * RIG_PAGE, RIG_RW, 0);
    quire_soft_inject(rig.machine, QUIRE_SOFT_WRITE_ERROR, 3);
    rig_fill(&rig, 0, va, npages, 0);
    rig_expect(&rig, 0, va, npages, 0); /* write errors are never seen by the program */
    assert_true(quire_counters(rig.q)->io_error > 0);
    quire_soft_inject(rig.machine, QUIRE_SOFT_WRITE_ERROR, 0);
    quire_soft_inject(rig.machine, QUIRE_SOFT_BIT_FLIP, 10);
    unsigned bad = 0;
    for (uint64_t n = 0; n < npages; n++) {
        uint64_t value, page = va + n * RIG_PAGE;
        enum quire_status status = rig_load(&rig, 0, page, &value);
        if (status == QUIRE_OK)
            assert_true(value == rig_stamp(page, 0));
        else
            assert_int_equal(status, QUIRE_BUS);
        bad += status != QUIRE_OK;
    }
    assert_true(bad > 0);
    quire_soft_inject(rig.machine, QUIRE_SOFT_BIT_FLIP, 0);
    rig_expect(&rig, 0, va, npages, 0); /* the disk's own copies were right: all is still there */
    rig_down(&rig);
}

/* ---- files ---------------------------------------------------------------------------------- */

#define FILE_PAGES (2 * RAM / RIG_PAGE)

struct file {
    uint64_t reads, writes;
    uint64_t *stamps; /* the version of each page as it is on the disk */
};

static enum quire_status file_read(void *context, uint64_t offset, void *bytes) {
    struct file *file = context;
    uint64_t *words = bytes;
    memset(bytes, 0, RIG_PAGE);
    words[0] = rig_stamp(offset, file->stamps[offset / RIG_PAGE]);
    file->reads++;
    return QUIRE_OK;
}

static enum quire_status file_write(void *context, uint64_t offset, const void *bytes) {
    struct file *file = context;
    const uint64_t *words = bytes;
    file->writes++;
    for (uint64_t version = 0; version < 4; version++) {
        if (words[0] == rig_stamp(offset, version)) {
            file->stamps[offset / RIG_PAGE] = version;
            return QUIRE_OK;
        }
    }
    fail_msg("a page was written that nobody stored");
    return QUIRE_IO;
}

static uint64_t file_size(void *context) {
    (void)context;
    return FILE_PAGES * RIG_PAGE;
}

static void file_release(void *context) {
    (void)context;
}

static const struct quire_pager pager = {
    .read = file_read, .write = file_write, .size = file_size, .release = file_release};
static const struct quire_object_info file_info = {.name = "/data", .inode = 7};

/* A shared file mapping larger than RAM, without any swap. */
static void files_need_no_swap(void **state) {
    (void)state;
    struct rig rig;
    static uint64_t stamps[FILE_PAGES];
    memset(stamps, 0, sizeof stamps);
    struct file file = {.stamps = stamps};
    struct quire_object *object;
    rig_up(&rig, RAM, 0);
    rig_space(&rig, 0);
    assert_int_equal(quire_object_create_file(rig.q, &pager, &file, &file_info, &object), QUIRE_OK);
    quire_vaddr va = quire_va(0);
    assert_int_equal(
        quire_map(rig.spaces[0], &va, FILE_PAGES * RIG_PAGE, RIG_RW, QUIRE_MAP_SHARED, object, 0),
        QUIRE_OK);
    quire_object_unref(object);
    for (uint64_t n = 0; n < FILE_PAGES; n++) {
        uint64_t offset = n * RIG_PAGE, value = 0;
        assert_int_equal(rig_load(&rig, 0, va.value + offset, &value), QUIRE_OK);
        assert_true(value == rig_stamp(offset, 0));
        if (n % 3 == 0)
            assert_int_equal(rig_store(&rig, 0, va.value + offset, rig_stamp(offset, 1)), QUIRE_OK);
    }
    for (uint64_t n = 0; n < FILE_PAGES; n++) {
        uint64_t offset = n * RIG_PAGE, value = 0;
        assert_int_equal(rig_load(&rig, 0, va.value + offset, &value), QUIRE_OK);
        assert_true(value == rig_stamp(offset, n % 3 == 0));
    }
    quire_audit(rig.q);
    assert_true(file.reads > FILE_PAGES);
    assert_int_equal(rig.kills, 0);
    quire_space_destroy(rig.spaces[0]);
    rig.spaces[0] = NULL;
    for (uint64_t n = 0; n < FILE_PAGES; n++)
        assert_int_equal(stamps[n], n % 3 == 0);
    rig_down(&rig);
}

/* What a file does not take when its last reference goes is lost, and the operator is told. */
static enum quire_status refuse(void *context, uint64_t offset, const void *frame) {
    (void)context, (void)offset, (void)frame;
    return QUIRE_IO;
}

static void lost_at_the_end(void **state) {
    (void)state;
    struct rig rig;
    static const struct quire_object_info info = {.name = "/f", .inode = 2};
    static uint64_t stamps[FILE_PAGES];
    struct file file = {.stamps = stamps};
    for (unsigned dirty = 0; dirty < 2; dirty++) {
        struct quire_pager broken = pager;
        struct quire_object *object;
        broken.write = refuse;
        rig_up(&rig, RAM, 0);
        rig_space(&rig, 0);
        assert_int_equal(quire_object_create_file(rig.q, &broken, &file, &info, &object), QUIRE_OK);
        quire_vaddr va = quire_va(0);
        assert_int_equal(
            quire_map(rig.spaces[0], &va, 8 * RIG_PAGE, RIG_RW, QUIRE_MAP_SHARED, object, 0),
            QUIRE_OK);
        quire_object_unref(object);
        uint64_t word;
        assert_int_equal(rig_load(&rig, 0, va.value, &word), QUIRE_OK);
        if (dirty)
            assert_int_equal(rig_store(&rig, 0, va.value + 3 * RIG_PAGE, 1), QUIRE_OK);
        assert_int_equal(quire_unmap(rig.spaces[0], va, 8 * RIG_PAGE), QUIRE_OK);
        assert_int_equal(strstr(rig.log, "could not be written back; data is lost") != NULL, dirty);
        rig_down(&rig);
    }
}

static quire_vaddr map_text(struct rig *rig, struct file *file, uint64_t npages) {
    struct quire_object *object;
    quire_vaddr text = quire_va(0);
    assert_int_equal(quire_object_create_file(rig->q, &pager, file, &file_info, &object), QUIRE_OK);
    assert_int_equal(quire_map(rig->spaces[0], &text, npages * RIG_PAGE,
                               QUIRE_PROT_READ | QUIRE_PROT_EXEC, 0, object, 0),
                     QUIRE_OK);
    quire_object_unref(object);
    return text;
}

/* Text that runs all the time stays, although anonymous memory is thrashing around it. */
static void text_stays(void **state) {
    (void)state;
    struct rig rig;
    static uint64_t stamps[FILE_PAGES];
    memset(stamps, 0, sizeof stamps);
    struct file file = {.stamps = stamps};
    const uint64_t text_pages = 128;
    rig_up(&rig, RAM, 5 * RAM);
    rig_space(&rig, 0);
    quire_vaddr text = map_text(&rig, &file, text_pages);
    uint64_t va = rig_map(&rig, 0, PAGES * RIG_PAGE, RIG_RW, 0), seed = 8, reads = 0;
    const unsigned turns = 400, settled = 40;
    for (unsigned turn = 0; turn < turns; turn++) {
        if (turn == settled)
            reads = file.reads;
        for (uint64_t n = 0; n < text_pages; n++) {
            uint64_t value;
            assert_int_equal(rig_load(&rig, 0, text.value + n * RIG_PAGE, &value), QUIRE_OK);
        }
        for (unsigned i = 0; i < 100; i++) {
            uint64_t at = va + rig_random(&seed) % PAGES * RIG_PAGE;
            assert_int_equal(rig_store(&rig, 0, at, 1), QUIRE_OK);
        }
    }
    reads = file.reads - reads;
    assert_true(reads * 50 < (turns - settled) * text_pages);
    rig_down(&rig);
}

/* Memory full of what cannot leave, but for `left` frames: does a program whose text is twice that
 * go on for ever, or is it killed? */
static bool goes_on_with(uint64_t left) {
    struct rig rig;
    static uint64_t stamps[FILE_PAGES];
    struct file file = {.stamps = stamps};
    rig_up(&rig, RAM, 0);
    rig_space(&rig, 0);
    quire_vaddr text = map_text(&rig, &file, 2 * left);
    uint64_t va = rig_map(&rig, 0, PAGES * RIG_PAGE, RIG_RW, 0), n = 0;
    struct quire_usage usage = rig_usage(&rig);
    for (; rig_usage(&rig).free > usage.watermark_min + left; n++)
        rig_fill(&rig, 0, va + n * RIG_PAGE, 1, 0);
    for (uint64_t i = 0; i < 200000 && rig.kills == 0; i++) {
        uint64_t value;
        rig_load(&rig, 0, text.value + i % (2 * left) * RIG_PAGE, &value);
        if (quire_wants_tick(rig.q))
            quire_tick(rig.q);
    }
    quire_audit(rig.q);
    assert_true(file.reads > 65536); /* neither gave up early */
    bool alive = rig.kills == 0;
    rig_down(&rig);
    return alive;
}

/* Reading the same few pages again and again is no progress; many pages may be a long file. */
static void spinning_ends(void **state) {
    (void)state;
    assert_false(goes_on_with(8));
    assert_true(goes_on_with(200));
}

/* Every nth allocation fails: slower, never wrong. A fault makes up to a dozen allocations and
 * gives them all back when one fails, so with a smaller n it could never succeed. */
static void failing_allocations(void **state) {
    (void)state;
    for (uint64_t nth = 17; nth < 60; nth += 13) {
        struct rig rig;
        rig_up(&rig, RAM, 5 * RAM);
        rig_space(&rig, 0);
        uint64_t va = rig_map(&rig, 0, PAGES / 2 * RIG_PAGE, RIG_RW, 0);
        quire_fail_every(rig.q, nth);
        rig_fill(&rig, 0, va, PAGES / 2, 0);
        rig_expect(&rig, 0, va, PAGES / 2, 0);
        assert_int_equal(rig.kills, 0);
        quire_fail_every(rig.q, 0);
        quire_audit(rig.q);
        rig_down(&rig);
    }
}

/* The same run twice takes the same decisions. */
static void deterministic(void **state) {
    (void)state;
    uint64_t hashes[2];
    for (unsigned i = 0; i < 2; i++) {
        struct rig rig;
        rig_up(&rig, RAM, 5 * RAM);
        rig_space(&rig, 0);
        uint64_t va = rig_map(&rig, 0, PAGES / 2 * RIG_PAGE, RIG_RW, 0), seed = 4;
        for (unsigned n = 0; n < 10000; n++)
            rig_fill(&rig, 0, va + rig_random(&seed) % (PAGES / 2) * RIG_PAGE, 1, 0);
        hashes[i] = quire_trace_hash(rig.q);
        rig_down(&rig);
    }
    assert_true(hashes[0] == hashes[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_times_ram),     cmocka_unit_test(what_is_used_stays),
        cmocka_unit_test(kswapd_works_ahead), cmocka_unit_test(full_swap),
        cmocka_unit_test(kswapd_goes_on),     cmocka_unit_test(copies_may_go),
        cmocka_unit_test(failing_disk),       cmocka_unit_test(files_need_no_swap),
        cmocka_unit_test(lost_at_the_end),    cmocka_unit_test(text_stays),
        cmocka_unit_test(spinning_ends),      cmocka_unit_test(failing_allocations),
        cmocka_unit_test(deterministic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
