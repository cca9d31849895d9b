/* zswap.c: the compressed store: what comes back, what it costs, what happens when it is full, with
 * a disk behind it and without, and when every allocation or write may fail. */
#include "rig.h"

#include <quire/kmem.h>

#include "swap/area.h"

#define RAM   (8 * RIG_MIB)
#define PAGES (2 * RAM / RIG_PAGE)

/* A page's bytes by its number and version: one in four is zeros, one in eight all of one word, one
 * in eight does not compress, the rest do, each to another size. */
static void make(uint64_t *words, uint64_t page, uint64_t version) {
    uint64_t seed = page * 77 + version;
    unsigned kind = (unsigned)(page + version) % 8;
    for (unsigned i = 0; i < 512; i++) {
        if (kind < 2)
            words[i] = 0;
        else if (kind == 2)
            words[i] = page * 0x0101010101010101u;
        else if (kind == 3)
            words[i] = rig_random(&seed);
        else
            words[i] = i % (2 + page % 13) ? page + i / 8 : rig_random(&seed);
    }
}

static uint64_t *access_page(struct rig *rig, uint64_t va, enum quire_access access) {
    uint8_t *host = NULL;
    rig->running = 0;
    enum quire_status status =
        quire_mmu_access(quire_space_pmap(rig->spaces[0]), va, access, &host);
    rig->running = -1;
    return status == QUIRE_OK ? (uint64_t *)(void *)host : NULL;
}

static void put(struct rig *rig, uint64_t va, uint64_t page, uint64_t version) {
    uint64_t *words = access_page(rig, va + page * RIG_PAGE, QUIRE_ACCESS_WRITE);
    assert_non_null(words);
    make(words, page, version);
}

static bool is_right(struct rig *rig, uint64_t va, uint64_t page, uint64_t version) {
    static uint64_t expected[512];
    const uint64_t *words = access_page(rig, va + page * RIG_PAGE, QUIRE_ACCESS_READ);
    make(expected, page, version);
    return words && memcmp(words, expected, RIG_PAGE) == 0;
}

/* A machine may have no codec; asked directly, so that the manager cannot hide behind it. */
static bool has_codec(struct rig *rig, enum quire_zswap method) {
    static uint8_t packed[RIG_PAGE];
    quire_frame frame;
    assert_int_equal(quire_frames_alloc(rig->q, 0, &frame), QUIRE_OK);
    quire_mach_zero(rig->machine, frame);
    bool has = quire_mach_compress(rig->machine, method, frame, packed, sizeof packed) > 0;
    quire_frames_free(rig->q, frame, 0);
    return has;
}

static bool up(struct rig *rig, uint64_t swap_bytes, enum quire_zswap method, unsigned percent) {
    rig_up(rig, RAM, swap_bytes);
    rig_space(rig, 0);
    bool has = method == QUIRE_ZSWAP_NONE || has_codec(rig, method);
    assert_int_equal(quire_zswap(rig->q, method, percent), has ? QUIRE_OK : QUIRE_INVAL);
    return has;
}

/* Random reads and writes over npages, with a disk behind or without. */
static void churn(struct rig *rig, uint64_t npages, unsigned steps, bool may_fail) {
    static uint16_t version[PAGES];
    uint64_t va = rig_map(rig, 0, npages * RIG_PAGE, RIG_RW, 0), seed = 3;
    memset(version, 0, sizeof version);
    for (uint64_t i = 0; i < npages; i++)
        put(rig, va, i, 0);
    quire_audit(rig->q);
    for (unsigned i = 0; i < steps; i++) {
        uint64_t page = rig_random(&seed) % npages;
        if (rig_random(&seed) % 3 == 0)
            put(rig, va, page, ++version[page]);
        else
            assert_true(is_right(rig, va, page, version[page]) || may_fail);
        if (i % 4096 == 0)
            quire_audit(rig->q);
    }
    for (uint64_t i = 0; i < npages; i++)
        assert_true(is_right(rig, va, i, version[i]) || may_fail);
    quire_audit(rig->q);
}

static const enum quire_zswap methods[] = {QUIRE_ZSWAP_LZ4, QUIRE_ZSWAP_ZSTD};

static void in_front_of_a_disk(void **state) {
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct rig rig;
        if (up(&rig, 4 * RAM, methods[i], 12)) {
            churn(&rig, PAGES, 30000, false);
            const struct quire_counters *c = quire_counters(rig.q);
            struct quire_usage usage = rig_usage(&rig);
            print_message("method %u: %llu out, %llu in, %llu to disk, %llu rejected; %llu in "
                          "%llu frames\n",
                          i, (unsigned long long)c->zswpout, (unsigned long long)c->zswpin,
                          (unsigned long long)c->zswpwb, (unsigned long long)c->zswap_reject,
                          (unsigned long long)usage.zswapped, (unsigned long long)usage.zswap);
            assert_true(c->zswpout > 1000 && c->zswpin > 1000 && c->zswpwb > 100);
            assert_true(c->zswap_reject > 100 && c->pswpin > 0);
            assert_true(usage.zswap <= RAM / RIG_PAGE * 12 / 100 &&
                        usage.zswapped > 2 * usage.zswap);
            assert_int_equal(c->io_error, 0);
            assert_int_equal(rig.kills, 0);
        }
        rig_down(&rig);
    }
}

/* As zram: more than the RAM in the RAM. */
static void with_no_disk_at_all(void **state) {
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct rig rig;
        if (up(&rig, 0, methods[i], 60)) {
            churn(&rig, PAGES * 2 / 3, 20000, false);
            assert_int_equal(rig.kills, 0);
            assert_int_equal(quire_counters(rig.q)->pswpout, 0);
            assert_true(quire_counters(rig.q)->zswpin > 1000);
        }
        rig_down(&rig);
    }
}

static void cheaper_than_the_disk(void **state) {
    (void)state;
    uint64_t stall[2];
    bool there = true;
    for (unsigned with = 0; with < 2; with++) {
        struct rig rig;
        struct quire_soft_counters counters;
        there = up(&rig, 4 * RAM, with ? QUIRE_ZSWAP_LZ4 : QUIRE_ZSWAP_NONE, 50);
        churn(&rig, PAGES * 2 / 3, 20000, false);
        quire_soft_counters(rig.machine, &counters);
        stall[with] = counters.stall_ns;
        rig_down(&rig);
    }
    assert_true(!there || stall[1] * 2 < stall[0]); /* a machine may have no codec */
}

/* Switched off in the middle, another codec, a lower limit: what is stored stays readable. */
static void switched_while_full(void **state) {
    (void)state;
    struct rig rig;
    if (up(&rig, 4 * RAM, QUIRE_ZSWAP_LZ4, 50)) {
        uint64_t va = rig_map(&rig, 0, PAGES * RIG_PAGE, RIG_RW, 0);
        for (uint64_t i = 0; i < PAGES; i++)
            put(&rig, va, i, 0);
        uint64_t stored = rig_usage(&rig).zswapped;
        assert_true(stored > 100);
        assert_int_equal(quire_zswap(rig.q, QUIRE_ZSWAP_NONE, 0), QUIRE_OK);
        for (uint64_t i = 0; i < PAGES; i++)
            assert_true(is_right(&rig, va, i, 0));
        assert_int_equal(rig_usage(&rig).zswapped, 0);
        assert_int_equal(rig_usage(&rig).zswap, 0);
        if (quire_zswap(rig.q, QUIRE_ZSWAP_ZSTD, 30) == QUIRE_OK) {
            for (uint64_t i = 0; i < PAGES; i++)
                assert_true(is_right(&rig, va, i, 0));
            assert_int_equal(quire_zswap(rig.q, QUIRE_ZSWAP_LZ4, 2), QUIRE_OK);
            for (uint64_t i = 0; i < PAGES; i++)
                put(&rig, va, i, 1);
            quire_audit(rig.q);
            for (uint64_t i = 0; i < PAGES; i++)
                assert_true(is_right(&rig, va, i, 1));
        }
        /* Fork shares what is stored; swapoff brings the rest back or pushes it into the store. */
        assert_int_equal(quire_space_fork(rig.spaces[0], &rig.spaces[1], &rig.spaces[1]), QUIRE_OK);
        quire_audit(rig.q);
    }
    assert_int_equal(quire_zswap(rig.q, QUIRE_ZSWAP_LZ4, 0), QUIRE_INVAL);
    assert_int_equal(quire_zswap(rig.q, QUIRE_ZSWAP_LZ4, 101), QUIRE_INVAL);
    assert_int_equal(quire_zswap(rig.q, (enum quire_zswap)9, 10), QUIRE_INVAL);
    rig_down(&rig);
}

static void when_things_fail(void **state) {
    (void)state;
    for (unsigned nth = 2; nth < 40; nth += 9) {
        struct rig rig;
        if (up(&rig, 4 * RAM, QUIRE_ZSWAP_LZ4, 25)) {
            quire_fail_every(rig.q, nth + 15);
            quire_soft_inject(rig.machine, QUIRE_SOFT_WRITE_ERROR, nth);
            churn(&rig, PAGES, 6000, false);
            assert_true(quire_counters(rig.q)->io_error > 0);
            assert_int_equal(rig.kills, 0);
        }
        rig_down(&rig);
    }
    struct rig rig;
    rig_up(&rig, RAM, RAM);
    quire_fail_every(rig.q, 1);
    assert_int_equal(quire_zswap(rig.q, QUIRE_ZSWAP_LZ4, 25), QUIRE_NOMEM);
    quire_fail_every(rig.q, 0);
    rig_down(&rig);
}

/* A compressed page that changed in RAM is an error to its owner, as it is on a disk. */
static void rot_is_caught(void **state) {
    (void)state;
    struct rig rig;
    if (up(&rig, 0, QUIRE_ZSWAP_LZ4, 60)) {
        struct quire_page *page = quire_page_alloc(rig.q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_KERNEL);
        assert_non_null(page);
        uint64_t *words = quire_page_window(rig.q, page);
        struct quire_anon anon = {.page = page, .id = 5, .slot = QUIRE_SLOT_NONE, .refs = 1};
        for (unsigned kind = 0; kind < 8; kind++) {
            make(words, kind, 0);
            if (kind == 3) { /* does not shrink, and there is no disk */
                assert_int_equal(quire_swap_out(rig.q, &anon), QUIRE_NOMEM);
                continue;
            }
            assert_int_equal(quire_swap_out(rig.q, &anon), QUIRE_OK);
            assert_true(quire_swap_is_stored(anon.slot));
            quire_swap_audit_owner(rig.q, &anon, true);
            quire_swap_audit_alone(rig.q);
            quire_swap_audit_owner(rig.q, &anon, false);
            quire_swap_audit(rig.q, 1);
            assert_int_equal(quire_swap_in(rig.q, &anon, page), QUIRE_OK);
            uint8_t *bytes = (uint8_t *)(uintptr_t)anon.seal + 56; /* behind the header */
            bytes[kind % 4] ^= 0x10;
            assert_int_equal(quire_swap_in(rig.q, &anon, page), QUIRE_IO);
            bytes[kind % 4] ^= 0x10;
            anon.id++; /* another owner */
            assert_int_equal(quire_swap_in(rig.q, &anon, page), QUIRE_IO);
            anon.id--;
            assert_int_equal(quire_swap_in(rig.q, &anon, page), QUIRE_OK);
            quire_swap_release(rig.q, &anon);
            assert_true(quire_slot_is_none(anon.slot));
        }
        assert_int_equal(rig_usage(&rig).zswap, 0);
        quire_page_free(rig.q, page);
    }
    rig_down(&rig);
}

/* Pages of one word each take its eight bytes, and come back whole. */
static void one_word_each(void **state) {
    (void)state;
    struct rig rig;
    if (up(&rig, 0, QUIRE_ZSWAP_LZ4, 60)) {
        uint64_t va = rig_map(&rig, 0, 400 * RIG_PAGE, RIG_RW, 0);
        for (uint64_t page = 0; page < 400; page++) {
            uint64_t *words = access_page(&rig, va + page * RIG_PAGE, QUIRE_ACCESS_WRITE);
            for (unsigned i = 0; i < 512; i++)
                words[i] = (page + 1) * 0x9E3779B97F4A7C15u;
        }
        quire_advise(rig.spaces[0], quire_va(va), 400 * RIG_PAGE, QUIRE_ADVISE_PAGEOUT);
        struct quire_usage usage = rig_usage(&rig);
        assert_int_equal(usage.zswapped, 400);
        assert_in_range(usage.zswap, 1, 400 * 64 / RIG_PAGE + 1); /* and a header */
        for (uint64_t page = 0; page < 400; page++) {
            const uint64_t *words = access_page(&rig, va + page * RIG_PAGE, QUIRE_ACCESS_READ);
            for (unsigned i = 0; i < 512; i++)
                assert_true(words[i] == (page + 1) * 0x9E3779B97F4A7C15u);
        }
    }
    rig_down(&rig);
}

/* Blocks of several frames, so that the largest objects do not take a frame each. */
static void five_in_four_frames(void **state) {
    (void)state;
    struct rig rig;
    struct pool_object *objects[6];
    rig_up(&rig, RAM, 0);
    struct zpool *pool = &rig.q->swap->store.pool;
    const unsigned most = POOL_OBJECT_MAX;
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(quire_zpool_needs(pool, most), i % 5 == 0 ? 4 : 0);
        assert_non_null(objects[i] = quire_zpool_alloc(rig.q, pool, most));
        assert_int_equal(pool->nframes, i < 5 ? 4 : 8);
    }
    quire_zpool_audit(rig.q, pool);
    for (unsigned i = 0; i < 6; i++)
        quire_zpool_free(rig.q, pool, objects[i]);
    assert_int_equal(pool->nframes, 0);
    rig_down(&rig);
}

/* A page that changed in the store is not sealed anew on its way to a disk: it stays, its owner
 * hears of it, and the others go. */
static void rot_is_not_written_back(void **state) {
    (void)state;
    struct rig rig;
    static struct quire_anon anons[400];
    if (up(&rig, 4 * RAM, QUIRE_ZSWAP_LZ4, 1)) {
        struct quire_page *page = quire_page_alloc(rig.q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_KERNEL);
        assert_non_null(page);
        unsigned bad = 0;
        for (unsigned i = 0; i < 400; i++) {
            make(quire_page_window(rig.q, page), 4 + 8 * i, 0);
            anons[i] = (struct quire_anon){page, .id = i + 1, .slot = QUIRE_SLOT_NONE, .refs = 1};
            assert_int_equal(quire_swap_out(rig.q, &anons[i]), QUIRE_OK);
            if (i == 3)
                *((uint8_t *)(uintptr_t)anons[bad].seal + 60) ^= 0x40;
        }
        const struct quire_counters *counters = quire_counters(rig.q);
        assert_true(counters->io_error > 0);
        assert_true(counters->zswpwb > 200);
        uint64_t errors = counters->io_error;
        assert_true(quire_swap_is_stored(anons[bad].slot));
        for (unsigned i = 0; i < 400; i++) {
            uint64_t expected[512];
            make(expected, 4 + 8 * i, 0);
            enum quire_status status = quire_swap_in(rig.q, &anons[i], page);
            assert_int_equal(status, i == bad ? QUIRE_IO : QUIRE_OK);
            if (i != bad)
                assert_memory_equal(quire_page_window(rig.q, page), expected, RIG_PAGE);
            quire_swap_release(rig.q, &anons[i]);
        }
        assert_int_equal(quire_counters(rig.q)->io_error, errors + 1);
        quire_page_free(rig.q, page);
    }
    rig_down(&rig);
}

/* Goes out: is it in the store? It leaves no slot behind. */
static bool stores(struct rig *rig, struct quire_page *page, uint64_t number) {
    struct quire_anon anon = {.page = page, .id = 1, .slot = QUIRE_SLOT_NONE, .refs = 1};
    uint64_t expected[512];
    make(expected, number, 0);
    memcpy(quire_page_window(rig->q, page), expected, RIG_PAGE);
    if (quire_swap_out(rig->q, &anon) != QUIRE_OK)
        return false;
    bool stored = quire_swap_is_stored(anon.slot);
    assert_int_equal(quire_swap_in(rig->q, &anon, page), QUIRE_OK);
    assert_memory_equal(quire_page_window(rig->q, page), expected, RIG_PAGE);
    quire_swap_release(rig->q, &anon);
    return stored;
}

/* After sixteen pages in a row that do not shrink one in sixteen is tried, until one shrinks; a
 * page of one word needs no trying. Where there is no disk, all are tried. */
static void past_the_codec(void **state) {
    (void)state;
    for (unsigned disk = 0; disk < 2; disk++) {
        struct rig rig;
        if (up(&rig, disk * RAM, QUIRE_ZSWAP_LZ4, 50)) {
            struct quire_page *page =
                quire_page_alloc(rig.q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_KERNEL);
            assert_non_null(page);
            for (unsigned i = 0; i < 15; i++)
                assert_false(stores(&rig, page, 3 + 8 * i));
            assert_true(stores(&rig, page, 4)); /* fifteen are not enough */
            for (unsigned i = 0; i < 33; i++)
                assert_false(stores(&rig, page, 3 + 8 * i));
            assert_true(stores(&rig, page, 2)); /* of one word */
            for (unsigned i = 33; disk && i < 48; i++)
                assert_false(stores(&rig, page, 4 + 8 * i));
            for (unsigned i = 48; i < 80; i++)
                assert_true(stores(&rig, page, 4 + 8 * i));
            assert_int_equal(quire_counters(rig.q)->zswap_reject, 15 + 33 + disk * 15);
            quire_page_free(rig.q, page);
        }
        rig_down(&rig);
    }
}

/* With every frame taken but a few, also those of the reserve: a block that does not come leaves no
 * trace. */
static void to_the_last_frame(void **state) {
    (void)state;
    struct rig rig;
    static struct quire_page *taken[RAM / RIG_PAGE];
    if (up(&rig, 0, QUIRE_ZSWAP_LZ4, 60)) {
        struct quire_page *page = quire_page_alloc(rig.q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_KERNEL);
        struct quire_anon anon = {.page = page, .id = 5, .slot = QUIRE_SLOT_NONE, .refs = 1};
        unsigned n = 0, stored = 0, refused = 0;
        make(quire_page_window(rig.q, page), 5, 0);
        assert_int_equal(quire_swap_out(rig.q, &anon), QUIRE_OK); /* the cache of blocks is warm */
        quire_swap_release(rig.q, &anon);
        while ((taken[n] = quire_page_alloc(rig.q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_RECLAIM)))
            n++;
        for (unsigned left = 0; left < 6; left++) {
            for (unsigned kind = 4; kind < 24; kind++) {
                make(quire_page_window(rig.q, page), kind, 0);
                enum quire_status status = quire_swap_out(rig.q, &anon);
                quire_swap_audit(rig.q, status == QUIRE_OK);
                stored += status == QUIRE_OK;
                refused += status == QUIRE_NOMEM;
                if (status == QUIRE_OK)
                    quire_swap_release(rig.q, &anon);
                assert_int_equal(rig_usage(&rig).zswap, 0);
                assert_int_equal(rig_usage(&rig).free, left);
            }
            quire_page_free(rig.q, taken[--n]);
        }
        assert_true(stored > 20 && refused > 20);
        while (n > 0)
            quire_page_free(rig.q, taken[--n]);
        quire_page_free(rig.q, page);
    }
    rig_down(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_front_of_a_disk),    cmocka_unit_test(with_no_disk_at_all),
        cmocka_unit_test(cheaper_than_the_disk), cmocka_unit_test(switched_while_full),
        cmocka_unit_test(when_things_fail),      cmocka_unit_test(rot_is_caught),
        cmocka_unit_test(to_the_last_frame),     cmocka_unit_test(rot_is_not_written_back),
        cmocka_unit_test(one_word_each),         cmocka_unit_test(five_in_four_frames),
        cmocka_unit_test(past_the_codec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
