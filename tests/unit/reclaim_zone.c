/* reclaim_zone.c: who can use only low zones is helped there, and nobody else pays for it: direct
 * reclaim, compaction, kswapd; under each policy; and what cannot be had is refused at once. */
#include "rig.h"

#include <quire/kmem.h>
#include <quire/policy.h>

#include "page/page.h"
#include "reclaim/scan.h"

#define DMA_BYTES (8 * RIG_MIB)
#define RAM       (32 * RIG_MIB)
#define PAGES     (2 * RAM / RIG_PAGE)
#define HELD_MAX  4096

static const uint64_t two_zones[QUIRE_NZONES] = {DMA_BYTES, 0, UINT64_MAX, 0};

static struct {
    quire_frame frame;
    unsigned order;
} held[HELD_MAX];
static unsigned nheld;

static void hold(struct rig *rig, quire_frame frame, unsigned order) {
    assert_true(frame.number + (1u << order) <= DMA_BYTES / RIG_PAGE);
    memset(quire_frame_window(rig->q, frame), 0xDA, RIG_PAGE << order);
    held[nheld].frame = frame;
    held[nheld++].order = order;
}

static void let_go(struct rig *rig) {
    while (nheld > 0) {
        nheld--;
        quire_frames_free(rig->q, held[nheld].frame, held[nheld].order);
    }
}

/* A program's pages fill both zones, and as much lies on swap. */
static uint64_t full(struct rig *rig, const uint64_t *ends) {
    rig_zone_ends = ends;
    rig_up(rig, RAM, 3 * RAM);
    rig_space(rig, 0);
    uint64_t va = rig_map(rig, 0, PAGES * RIG_PAGE, RIG_RW, 0);
    rig_fill(rig, 0, va, PAGES, 0);
    return va;
}

static void down(struct rig *rig) {
    let_go(rig);
    rig_down(rig);
    rig_zone_ends = NULL;
}

static uint64_t evicted(const struct rig *rig) {
    const struct quire_counters *counters = quire_counters(rig->q);
    return counters->pgsteal_anon + counters->pgsteal_file;
}

static struct quire_zone_info zone_of(const struct rig *rig, unsigned index) {
    struct quire_zone_info zone;
    assert_true(quire_page_zone(rig->q, index, &zone));
    return zone;
}

/* Three of four frames of the zone: each evicts about one page, and none of another zone. */
static void frames_of_a_zone(void **state) {
    (void)state;
    for (unsigned i = 0; (rig_policy = quire_policy_at(i)) != NULL; i++) {
        struct rig rig;
        quire_frame frame;
        uint64_t va = full(&rig, two_zones), before = evicted(&rig);
        uint64_t above = zone_of(&rig, 1).free;
        for (unsigned n = 0; n < 1500; n++) {
            if (n % 64 == 0) /* where the hand comes to the end: the next frame is another zone's */
                rig.q->reclaim->hand = DMA_BYTES / RIG_PAGE;
            assert_int_equal(quire_frames_get(rig.q, 0, QUIRE_ZONE_DMA, &frame), QUIRE_OK);
            hold(&rig, frame, 0);
        }
        assert_true(evicted(&rig) - before < 1500 + 64);
        const struct quire_counters *counters = quire_counters(rig.q);
        assert_in_range(counters->pgsteal_direct + counters->pgsteal_kswapd, evicted(&rig),
                        evicted(&rig) + counters->slab_reclaim);
        assert_true(counters->pgscan_direct + counters->pgscan_kswapd >= evicted(&rig));
        assert_int_equal(zone_of(&rig, 1).free, above);
        quire_audit(rig.q);
        rig_expect(&rig, 0, va, PAGES, 0);
        assert_int_equal(rig.kills, 0);
        down(&rig);
    }
    rig_policy = NULL;
}

/* What is used between the requests stays. */
static void what_is_used_stays(void **state) {
    (void)state;
    struct rig rig;
    quire_frame frame;
    uint64_t va = full(&rig, two_zones), low = 0, hot[200];
    unsigned nhot = 0;
    for (uint64_t n = 0; n < PAGES && nhot < 200; n++) {
        uint64_t entry = quire_view_pagemap(rig.spaces[0], quire_va(va + n * RIG_PAGE));
        low = entry & ((UINT64_C(1) << 55) - 1);
        if (entry >> 63 && low < DMA_BYTES / RIG_PAGE)
            hot[nhot++] = va + n * RIG_PAGE;
    }
    assert_int_equal(nhot, 200);
    uint64_t faults = quire_counters(rig.q)->pgmajfault;
    for (unsigned n = 0; n < 600; n++) {
        for (unsigned i = 0; i < nhot; i++)
            rig_expect(&rig, 0, hot[i], 1, 0);
        assert_int_equal(quire_frames_get(rig.q, 0, QUIRE_ZONE_DMA, &frame), QUIRE_OK);
        hold(&rig, frame, 0);
    }
    assert_int_equal(quire_counters(rig.q)->pgmajfault, faults);
    down(&rig);
}

/* Every second frame of the zone is written out: no two that are free are neighbours. */
static void thin_out(const struct rig *rig, uint64_t va) {
    for (uint64_t at = va; at < va + PAGES * RIG_PAGE; at += RIG_PAGE) {
        uint64_t entry = quire_view_pagemap(rig->spaces[0], quire_va(at));
        uint64_t low = entry & ((UINT64_C(1) << 55) - 1);
        if (entry >> 63 && low < DMA_BYTES / RIG_PAGE && low % 2 == 1)
            assert_int_equal(
                quire_advise(rig->spaces[0], quire_va(at), RIG_PAGE, QUIRE_ADVISE_PAGEOUT),
                QUIRE_OK);
    }
}

/* Blocks, for which the pages of the zone move together. */
static void blocks_of_a_zone(void **state) {
    (void)state;
    struct rig rig;
    quire_frame frame;
    uint64_t va = full(&rig, two_zones);
    thin_out(&rig, va);
    uint64_t above = zone_of(&rig, 1).free;
    for (unsigned n = 0; n < 40; n++) {
        assert_int_equal(quire_frames_get(rig.q, 4, QUIRE_ZONE_DMA, &frame), QUIRE_OK);
        hold(&rig, frame, 4);
    }
    assert_int_equal(zone_of(&rig, 1).free, above);
    assert_true(quire_counters(rig.q)->pgmigrate_success > 0);
    quire_audit(rig.q);
    rig_expect(&rig, 0, va, PAGES, 0);
    down(&rig);
}

/* Whoever found the zone low wakes kswapd for it: up to its high mark, and no further. */
static void kswapd_of_a_zone_with(uint64_t min_free) {
    struct rig rig;
    quire_frame frame;
    rig_min_free = min_free;
    full(&rig, two_zones);
    while (quire_wants_tick(rig.q))
        quire_tick(rig.q);
    assert_true(quire_frames_get(rig.q, 0, QUIRE_ZONE_DMA, &frame) == QUIRE_OK);
    hold(&rig, frame, 0);
    while (quire_frames_alloc_zone(rig.q, 0, QUIRE_ZONE_DMA, &frame) == QUIRE_OK)
        hold(&rig, frame, 0);
    struct quire_zone_info dma = zone_of(&rig, 0);
    assert_true(dma.free < dma.watermark[QUIRE_WMARK_MIN]);
    assert_true(quire_wants_tick(rig.q));
    uint64_t before = evicted(&rig), free = dma.free;
    unsigned ticks = 0;
    for (; quire_wants_tick(rig.q); ticks++)
        quire_tick(rig.q);
    dma = zone_of(&rig, 0);
    assert_true(dma.free >= dma.watermark[QUIRE_WMARK_HIGH]);
    assert_true(dma.free < dma.watermark[QUIRE_WMARK_HIGH] + 128);
    assert_true(evicted(&rig) - before == dma.free - free);
    assert_true(ticks < 8);
    /* Who gave back what made it low has helped himself. */
    while (quire_frames_alloc_zone(rig.q, 0, QUIRE_ZONE_DMA, &frame) == QUIRE_OK)
        hold(&rig, frame, 0);
    assert_true(quire_wants_tick(rig.q));
    let_go(&rig);
    before = evicted(&rig);
    quire_tick(rig.q);
    assert_false(quire_wants_tick(rig.q));
    assert_int_equal(evicted(&rig), before);
    down(&rig);
    rig_min_free = 0;
}

static void kswapd_of_a_zone(void **state) {
    (void)state;
    kswapd_of_a_zone_with(0);
    kswapd_of_a_zone_with(2048); /* the zone lacks more than a tick gives back */
}

/* The kernel has it all: a refusal evicts nobody, and kswapd does not go on trying. */
static void nothing_to_give(void **state) {
    (void)state;
    struct rig rig;
    quire_frame frame;
    rig_zone_ends = two_zones;
    rig_up(&rig, RAM, RAM);
    while (quire_frames_alloc_zone(rig.q, 0, QUIRE_ZONE_DMA, &frame) == QUIRE_OK)
        hold(&rig, frame, 0);
    rig_space(&rig, 0);
    uint64_t va = rig_map(&rig, 0, RAM, RIG_RW, 0);
    rig_fill(&rig, 0, va, RAM / 2 / RIG_PAGE, 0);
    uint64_t before = evicted(&rig);
    assert_int_equal(quire_frames_get(rig.q, 0, QUIRE_ZONE_DMA, &frame), QUIRE_NOMEM);
    assert_int_equal(quire_frames_get(rig.q, 3, QUIRE_ZONE_DMA, &frame), QUIRE_NOMEM);
    for (unsigned ticks = 0; quire_wants_tick(rig.q); ticks++) {
        quire_tick(rig.q);
        assert_true(ticks < 2);
    }
    assert_int_equal(evicted(&rig), before);
    assert_int_equal(rig.kills, 0);
    rig_fill(&rig, 0, va, RAM / RIG_PAGE, 1); /* the others are not hindered by it */
    rig_expect(&rig, 0, va, RAM / RIG_PAGE, 1);
    down(&rig);
}

/* The kernel of a machine with HIGHMEM is such a one too, and its pages come from below. */
static void below_highmem(void **state) {
    (void)state;
    static const uint64_t ends[QUIRE_NZONES] = {0, 0, DMA_BYTES, UINT64_MAX};
    struct rig rig;
    quire_frame frame;
    uint64_t va = full(&rig, ends), above = zone_of(&rig, 1).free;
    for (unsigned n = 0; n < 1000; n++) {
        assert_int_equal(quire_frames_get(rig.q, 0, QUIRE_ZONE_NORMAL, &frame), QUIRE_OK);
        hold(&rig, frame, 0);
    }
    assert_int_equal(zone_of(&rig, 1).free, above);
    rig_expect(&rig, 0, va, PAGES, 0);
    down(&rig);
}

/* Anonymous pages stay as long as there is a file's page, if swappiness is 0. */
static enum quire_status file_read(void *context, uint64_t offset, void *bytes) {
    (void)context;
    memset(bytes, (int)(offset >> 12), RIG_PAGE);
    return QUIRE_OK;
}

static uint64_t file_size(void *context) {
    (void)context;
    return 64 * RIG_MIB;
}

static void file_release(void *context) {
    (void)context;
}

static const struct quire_pager pager = {
    .read = file_read, .size = file_size, .release = file_release};

static void unswappable(void **state) {
    (void)state;
    struct rig rig;
    quire_frame frame;
    struct quire_object *file;
    const struct quire_object_info info = {.name = "/file"};
    rig_zone_ends = two_zones;
    rig_swappiness = 0;
    rig_up(&rig, RAM, RAM);
    rig_space(&rig, 0);
    assert_int_equal(quire_object_create_file(rig.q, &pager, NULL, &info, &file), QUIRE_OK);
    quire_vaddr at = quire_va(0);
    assert_int_equal(quire_map(rig.spaces[0], &at, 64 * RIG_MIB, QUIRE_PROT_READ, 0, file, 0),
                     QUIRE_OK);
    quire_object_unref(file);
    uint64_t va = rig_map(&rig, 0, RAM, RIG_RW, 0), value;
    for (uint64_t n = 0; n < 7 * RAM / 16 / RIG_PAGE; n++) { /* turn by turn, in both zones */
        rig_fill(&rig, 0, va + n * RIG_PAGE, 1, 0);
        assert_int_equal(rig_load(&rig, 0, at.value + n * RIG_PAGE, &value), QUIRE_OK);
    }
    for (uint64_t n = 7 * RAM / 16 / RIG_PAGE; n < RAM / RIG_PAGE; n++)
        assert_int_equal(rig_load(&rig, 0, at.value + n * RIG_PAGE, &value), QUIRE_OK);
    uint64_t before = quire_counters(rig.q)->pgsteal_anon;
    for (unsigned n = 0; n < 500; n++) {
        assert_int_equal(quire_frames_get(rig.q, 0, QUIRE_ZONE_DMA, &frame), QUIRE_OK);
        hold(&rig, frame, 0);
    }
    assert_int_equal(quire_counters(rig.q)->pgsteal_anon, before);
    while (quire_frames_get(rig.q, 0, QUIRE_ZONE_DMA, &frame) == QUIRE_OK)
        hold(&rig, frame, 0); /* and go when there is no other way */
    assert_true(quire_counters(rig.q)->pgsteal_anon > before);
    rig_swappiness = 60;
    down(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_of_a_zone), cmocka_unit_test(what_is_used_stays),
        cmocka_unit_test(blocks_of_a_zone), cmocka_unit_test(kswapd_of_a_zone),
        cmocka_unit_test(nothing_to_give),  cmocka_unit_test(below_highmem),
        cmocka_unit_test(unswappable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
