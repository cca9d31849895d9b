/* zones.c: which RAM serves which request: layouts, fallback, protection, watermarks, the kernel's
 * and the devices' part, processors' lists, migrate types and stealing. Audited as it goes. */
#include "port_double.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <quire/kmem.h>

#define MIB      ((uint64_t)1 << 20)
#define PAGES(x) ((uint32_t)((x) >> 12))

static struct quire_page *pages[1 << 15];

static struct quire_zone *zone_of(struct quire *q, const struct quire_page *page) {
    return quire_zone_of(q->phys, quire_page_frame(q, page).number);
}

/* RAM from 0 on, as a PC has it, in zones of these ends (MiB). */
static struct quire *boot_zones(struct quire_machine *machine, uint64_t dma, uint64_t dma32,
                                uint64_t normal, unsigned ncpus) {
    const uint64_t ends[QUIRE_NZONES] = {dma * MIB, dma32 * MIB, normal * MIB, UINT64_MAX};
    struct quire_phys_config config = {.zone_ends = ends, .ncpus = ncpus};
    return double_boot_with(machine, &config);
}

static void layouts(void **state) {
    (void)state;
    static const struct {
        uint64_t ram, dma, dma32; /* MiB */
    } cases[] = {{4, 4, 0}, {16, 16, 0}, {20, 16, 4}, {100, 16, 84}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct quire_machine *machine = double_plain(cases[i].ram * MIB);
        struct quire *q = double_boot(machine, 0);
        const struct quire_zone *zones = q->phys->zones;
        assert_int_equal(zones[QUIRE_ZONE_DMA].present, PAGES(cases[i].dma * MIB));
        assert_int_equal(zones[QUIRE_ZONE_DMA32].present, PAGES(cases[i].dma32 * MIB));
        assert_int_equal(zones[QUIRE_ZONE_NORMAL].present + zones[QUIRE_ZONE_HIGHMEM].present, 0);
        double_down(machine, q);
    }
    /* Ends that are no multiple of the largest block, and zones that there are not. */
    struct quire_machine *machine = double_machine();
    double_add_range(machine, 0x1000, 40 * MIB);
    const uint64_t ends[QUIRE_NZONES] = {17 * MIB + 4096, 5 * MIB, UINT64_MAX, 0};
    struct quire_phys_config config = {.zone_ends = ends};
    struct quire *q = double_boot_with(machine, &config);
    assert_int_equal(q->phys->zones[QUIRE_ZONE_DMA].end, PAGES(16 * MIB));
    assert_int_equal(q->phys->zones[QUIRE_ZONE_DMA32].present, 0);
    assert_int_equal(q->phys->zones[QUIRE_ZONE_NORMAL].end, PAGES(40 * MIB) + 1);
    quire_phys_audit(q);
    config.ncpus = 65;
    assert_null(double_boot_with(machine, &config));
    double_release(machine);
}

/* A zone of one frame is one all the same. */
static void smallest_zone(void **state) {
    (void)state;
    struct quire_machine *machine = double_machine();
    double_add_range(machine, 0, 16 * MIB);
    double_add_range(machine, 64 * MIB, 4096);
    struct quire *q = boot_zones(machine, 16, 32, 128, 1);
    struct quire_zone_info info;
    assert_true(quire_page_zone(q, 0, &info));
    assert_string_equal(info.name, "DMA");
    assert_true(quire_page_zone(q, 1, &info));
    assert_string_equal(info.name, "Normal");
    assert_int_equal(info.present, 1);
    assert_false(quire_page_zone(q, 2, &info));
    assert_int_equal(q->phys->zones[QUIRE_ZONE_DMA32].watermark[QUIRE_WMARK_HIGH], 0); /* empty */
    double_down(machine, q);
}

/* A device's frame comes from below; what others get next does not. */
static void devices_change_nothing(void **state) {
    (void)state;
    struct quire_machine *machine = double_machine();
    double_add_range(machine, 0, 64 * MIB);
    struct quire *q = boot_zones(machine, 16, 32, 64, 1);
    quire_frame low, high;
    for (unsigned n = 0; n < 3 * QUIRE_PCP_BATCH; n++) {
        assert_int_equal(quire_frames_alloc_zone(q, 0, QUIRE_ZONE_DMA, &low), QUIRE_OK);
        assert_true(low.number < PAGES(16 * MIB));
        assert_int_equal(quire_frames_alloc(q, 0, &high), QUIRE_OK);
        assert_true(high.number >= PAGES(32 * MIB));
        quire_frames_free(q, high, 0);
        pages[n] = quire_page_alloc(q, 0, QUIRE_USE_ANON, QUIRE_ALLOC_USER);
        assert_ptr_equal(zone_of(q, pages[n]), &q->phys->zones[QUIRE_ZONE_NORMAL]);
        quire_frames_free(q, low, 0);
    }
    for (unsigned n = 0; n < 3 * QUIRE_PCP_BATCH; n++)
        quire_page_free(q, pages[n]);
    double_down(machine, q);
}

/* A program's requests go down zone by zone; what each keeps is its mark and its protection. */
static void fallback(void **state) {
    (void)state;
    struct quire_machine *machine = double_machine();
    double_add_range(machine, 0, 64 * MIB);
    struct quire *q = boot_zones(machine, 16, 32, 64, 1);
    struct quire_zone *zones = q->phys->zones;
    unsigned n = 0, seen[QUIRE_NZONES] = {0}, lowest = QUIRE_NZONES;
    assert_int_equal(zones[0].protection[QUIRE_ZONE_NORMAL],
                     (zones[1].managed + zones[2].managed) >> 8);
    assert_int_equal(zones[1].protection[QUIRE_ZONE_NORMAL], zones[2].managed >> 8);
    assert_int_equal(quire_page_shortfall(q, QUIRE_WMARK_HIGH), 0);
    while ((pages[n] = quire_page_alloc(q, 0, QUIRE_USE_ANON, QUIRE_ALLOC_USER)) != NULL) {
        unsigned at = (unsigned)(zone_of(q, pages[n]) - zones);
        if (at < lowest) { /* the one above is at its low mark, no lower */
            lowest = at;
            for (unsigned i = at + 1; i <= QUIRE_ZONE_NORMAL; i++) {
                assert_int_equal(quire_zone_nfree(q->phys, &zones[i]),
                                 zones[i].watermark[QUIRE_WMARK_LOW] +
                                     zones[i].protection[QUIRE_ZONE_NORMAL]);
            }
        }
        seen[at]++;
        n++;
    }
    assert_true(seen[0] > 3000 && seen[1] > 3000 && seen[2] > 6000);
    for (unsigned i = 0; i <= QUIRE_ZONE_NORMAL; i++) {
        assert_int_equal(quire_zone_nfree(q->phys, &zones[i]),
                         zones[i].watermark[QUIRE_WMARK_MIN] +
                             zones[i].protection[QUIRE_ZONE_NORMAL]);
    }
    quire_phys_audit(q);
    assert_true(quire_page_shortfall(q, QUIRE_WMARK_LOW) > 0);
    /* The lowest zone has kept something for those that need just it, and it is really low. */
    quire_frame frame;
    assert_int_equal(quire_frames_alloc_zone(q, 0, QUIRE_ZONE_DMA, &frame), QUIRE_OK);
    assert_true(frame.number < PAGES(16 * MIB));
    quire_frames_free(q, frame, 0);
    assert_int_equal(quire_frames_alloc_zone(q, 0, QUIRE_ZONE_HIGHMEM, &frame), QUIRE_INVAL);
    while (n > 0) {
        quire_page_free(q, pages[--n]);
    }
    /* As long as there is plenty, devices get what they reach, others get what is above. */
    for (unsigned order = 0; order < QUIRE_NORDERS; order++) {
        assert_int_equal(quire_frames_alloc_zone(q, order, QUIRE_ZONE_DMA, &frame), QUIRE_OK);
        assert_true(frame.number + (1u << order) <= PAGES(16 * MIB));
        quire_frames_free(q, frame, order);
        assert_int_equal(quire_frames_alloc_zone(q, order, QUIRE_ZONE_DMA32, &frame), QUIRE_OK);
        assert_in_range(frame.number, PAGES(16 * MIB), PAGES(32 * MIB) - 1);
        quire_frames_free(q, frame, order);
        assert_int_equal(quire_frames_alloc_zone(q, order, QUIRE_ZONE_NORMAL, &frame), QUIRE_OK);
        assert_true(frame.number >= PAGES(32 * MIB));
        quire_frames_free(q, frame, order);
    }
    double_down(machine, q);
}

/* Memory that the kernel does not see at once goes to programs only, and to them first. */
static void highmem(void **state) {
    (void)state;
    struct quire_machine *machine = double_machine();
    double_add_range(machine, 0, 64 * MIB);
    struct quire *q = boot_zones(machine, 16, 0, 40, 1);
    quire_frame frame;
    assert_int_equal(q->phys->top, QUIRE_ZONE_HIGHMEM);
    assert_string_equal(q->phys->zones[QUIRE_ZONE_HIGHMEM].name, "HighMem");
    for (unsigned i = 0; i < 300; i++) {
        struct quire_page *page = quire_page_alloc(q, 0, QUIRE_USE_ANON, QUIRE_ALLOC_USER);
        assert_true(quire_page_frame(q, page).number >= PAGES(40 * MIB));
        assert_int_equal(quire_frames_alloc(q, i % 3, &frame), QUIRE_OK);
        assert_in_range(frame.number, PAGES(16 * MIB), PAGES(40 * MIB) - 1);
        quire_frames_free(q, frame, i % 3);
        quire_page_free(q, page);
    }
    double_down(machine, q);
}

/* Each processor takes back what it gave; what others hold is not lost to it. */
static void processors(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(32 * MIB);
    struct quire_phys_config config = {.ncpus = 3, .min_free_pages = 8};
    struct quire *q = double_boot_with(machine, &config);
    struct quire_page *mine[3];
    unsigned n = 0;
    for (unsigned cpu = 0; cpu < 3; cpu++) {
        quire_page_set_cpu(q, cpu);
        mine[cpu] = quire_page_alloc(q, 0, QUIRE_USE_ANON, QUIRE_ALLOC_USER);
        quire_page_free(q, mine[cpu]);
        quire_phys_audit(q);
    }
    for (unsigned cpu = 0; cpu < 3; cpu++) {
        quire_page_set_cpu(q, cpu);
        struct quire_page *again = quire_page_alloc(q, 0, QUIRE_USE_ANON, QUIRE_ALLOC_USER);
        assert_ptr_equal(again, mine[cpu]);
        quire_page_free(q, again);
    }
    while ((pages[n] = quire_page_alloc(q, 0, QUIRE_USE_ANON, QUIRE_ALLOC_RECLAIM)) != NULL) {
        n++;
    }
    assert_int_equal(quire_page_count(q, QUIRE_USE_FREE), 0);
    assert_true(PANICS(machine, quire_page_set_cpu(q, 3)));
    while (n > 0) {
        quire_page_set_cpu(q, n % 3);
        quire_page_free(q, pages[--n]);
    }
    quire_phys_audit(q);
    assert_int_equal(quire_pcp_frames(q->phys, &q->phys->zones[0]) > 0, 1);
    quire_phys_shutdown(q);
    double_release(machine);
}

/* How much a stack takes at once, keeps and sends home; and that a batch comes in a row. */
static void stacks(void **state) {
    (void)state;
    for (unsigned ncpus = 1; ncpus <= 4; ncpus++) {
        struct quire_machine *machine = double_plain(64 * MIB);
        struct quire_phys_config config = {.ncpus = ncpus, .min_free_pages = 8};
        struct quire *q = double_boot_with(machine, &config);
        const struct quire_zone *zone = &q->phys->zones[q->phys->top];
        unsigned class = QUIRE_CLASS(q->phys->top, QUIRE_MIGRATE_MOVABLE), n = 0, in_row = 0;
        const struct quire_pcp *pcp = q->phys->pcp;
        const struct quire_hot *hot = &pcp->hot[0][class];
        uint32_t max = (uint32_t)(zone->managed >> (ncpus == 4 ? 8 : ncpus > 1 ? 7 : 6));
        uint32_t batch = max / 2 < QUIRE_PCP_BATCH ? max / 2 : QUIRE_PCP_BATCH;
        assert_in_range(max, 40, QUIRE_PCP_MAX - 1);
        assert_int_equal(hot->max, max);
        assert_int_equal(pcp->hot[1][class].max, max >> 3);
        assert_int_equal(pcp->hot[3][class].max, max >> 5);
        assert_int_equal(pcp->hot[4][class].max + pcp->hot[10][class].max, 0);
        for (; n < max + 1; n++) {
            pages[n] = quire_page_alloc(q, 0, QUIRE_USE_ANON, QUIRE_ALLOC_USER);
            assert_int_equal(hot->count, batch - 1 - n % batch);
            in_row += n > 0 && pages[n] == pages[n - 1] + 1;
        }
        assert_true(in_row > n / 2); /* the ends of RAM are small pieces, and come first */
        while (hot->count > 0) {
            pages[n++] = quire_page_alloc(q, 0, QUIRE_USE_ANON, QUIRE_ALLOC_USER);
        }
        for (unsigned i = 0; i < max; i++) {
            quire_page_free(q, pages[--n]);
        }
        assert_int_equal(hot->count, max);
        quire_page_free(q, pages[--n]);
        assert_int_equal(hot->count, max - (max + 3) / 4 + 1);
        assert_ptr_equal(quire_page_alloc(q, 0, QUIRE_USE_ANON, QUIRE_ALLOC_USER), pages[n++]);
        while (n > 0) {
            quire_page_free(q, pages[--n]);
        }
        double_down(machine, q);
    }
}

/* A larger zone: the stacks have an upper bound for each order. */
static void largest_stacks(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(160 * MIB);
    struct quire *q = double_boot(machine, 8);
    const struct quire_zone *zone = &q->phys->zones[q->phys->top];
    const struct quire_pcp *pcp = q->phys->pcp;
    unsigned class = QUIRE_CLASS(q->phys->top, QUIRE_MIGRATE_MOVABLE);
    assert_true(zone->managed >> 6 > QUIRE_PCP_MAX && zone->managed >> 9 > QUIRE_PCP_MAX / 8);
    assert_int_equal(pcp->hot[0][class].max, QUIRE_PCP_MAX);
    assert_int_equal(pcp->hot[1][class].max, QUIRE_PCP_MAX / 8);
    assert_int_equal(pcp->hot[3][class].max, zone->managed >> 11);
    struct quire_zone_info info;
    assert_true(quire_page_zone(q, 0, &info)); /* and what the views are told of the lowest zone */
    assert_int_equal(info.protection[q->phys->top], zone->managed >> 8);
    assert_int_equal(info.pageblocks[QUIRE_MIGRATE_MOVABLE], 16 * MIB >> 21);
    quire_phys_shutdown(q);
    double_release(machine);
}

/* A refusal sends the stacks home once, and again when anything came back since, of any use. */
static void refused_again(void **state) {
    (void)state;
    for (enum quire_page_use use = QUIRE_USE_KERNEL; use < QUIRE_NUSES; use++) {
        struct quire_machine *machine = double_plain(16 * MIB);
        struct quire *q = double_boot(machine, 8);
        unsigned n = 0;
        while ((pages[n] = quire_page_alloc(q, 0, use, QUIRE_ALLOC_RECLAIM)) != NULL) {
            n++;
        }
        struct quire_page *even = quire_page_at(q, (quire_frame){q->phys->first});
        quire_page_free(q, even);
        quire_page_free(q, even + 2);
        assert_null(quire_page_alloc(q, 1, use, QUIRE_ALLOC_RECLAIM)); /* enough, but apart */
        quire_page_free(q, even + 1);
        assert_ptr_equal(quire_page_alloc(q, 1, use, QUIRE_ALLOC_RECLAIM), even);
        quire_phys_audit(q);
        double_release(machine);
    }
}

/* Page blocks that lie in a row on a processor's stack go home as the largest blocks that there
 * are. It takes a large machine for stacks that hold some. */
static void page_blocks_in_a_row(void **state) {
    (void)state;
    struct quire_machine *machine = double_machine();
    double_add_unfilled(machine, 0, (uint64_t)5 << 30);
    struct quire *q = boot_zones(machine, 16, 16, 5 * 1024, 1);
    /* Two page blocks that went out of one block of 4 MiB merge again at once. */
    quire_page_drain(q);
    uint64_t largest = quire_page_free_blocks(q, 10), second = quire_page_free_blocks(q, 9);
    struct quire_page *low = quire_page_alloc(q, 9, QUIRE_USE_ANON, QUIRE_ALLOC_USER);
    struct quire_page *high = quire_page_alloc(q, 9, QUIRE_USE_ANON, QUIRE_ALLOC_USER);
    assert_ptr_equal(high, low + 512);
    assert_int_equal(quire_page_free_blocks(q, 10), largest - 1);
    struct quire_pcp_info before, info;
    struct quire_zone_info zone;
    unsigned index = 0;
    while (quire_page_zone(q, index, &zone) && zone.kind != quire_page_top_zone(q)) {
        index++;
    }
    quire_page_pcp(q, index, 0, &before);
    quire_page_free(q, low);
    quire_page_free(q, high);
    assert_int_equal(quire_page_free_blocks(q, 9), second + 2); /* on the processor's stack */
    quire_page_pcp(q, index, 0, &info);
    assert_int_equal(info.count, before.count + 2 * 512);
    uint32_t high_mark = 0;
    for (unsigned i = 0; i < QUIRE_NORDERS * QUIRE_NMIGRATE; i++) {
        unsigned order = i / QUIRE_NMIGRATE, class = QUIRE_CLASS(zone.kind, i % QUIRE_NMIGRATE);
        high_mark += q->phys->pcp->hot[order][class].max << order;
    }
    assert_int_equal(info.high, high_mark);
    quire_page_drain(q);
    assert_int_equal(quire_page_free_blocks(q, 10), largest);
    assert_int_equal(quire_page_free_blocks(q, 9), second);
    /* Four in a row, the first where 8 MiB begin, make two: there is nothing larger. */
    static struct quire_page *blocks[16];
    unsigned first = 16;
    for (unsigned i = 0; i < 16; i++) {
        blocks[i] = quire_page_alloc(q, 9, QUIRE_USE_ANON, QUIRE_ALLOC_USER);
    }
    for (unsigned i = 0; i + 3 < 16; i++) {
        bool at_8_mib = (quire_page_frame(q, blocks[i]).number & 2047) == 0;
        first = at_8_mib && blocks[i + 3] == blocks[i] + 3 * 512 ? i : first;
    }
    assert_in_range(first, 0, 12);
    for (unsigned i = 0; i < 4; i++) {
        quire_page_free(q, blocks[first + i]);
    }
    quire_page_drain(q);
    quire_phys_audit(q);
    for (unsigned i = 0; i < 16; i++) {
        if (i < first || i >= first + 4) {
            quire_page_free(q, blocks[i]);
        }
    }
    quire_page_drain(q);
    assert_int_equal(quire_page_free_blocks(q, 10), largest);
    double_down(machine, q);
}

/* A block that is taken apart: each frame is a page of its own, on no list. */
static void split(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(16 * MIB);
    struct quire *q = double_boot(machine, 8);
    struct quire_page *block = quire_page_alloc(q, 3, QUIRE_USE_ANON, QUIRE_ALLOC_USER);
    quire_page_split(q, block);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(block[i].use, QUIRE_USE_ANON);
        assert_int_equal(block[i].order, 0);
        assert_true(quire_list_empty(&block[i].link));
    }
    quire_phys_audit(q);
    assert_int_equal(quire_page_count(q, QUIRE_USE_ANON), 8);
    for (unsigned i = 0; i < 8; i++) {
        quire_page_free(q, &block[(i * 3) % 8]);
    }
    double_down(machine, q);
}

/* ---- migrate types --------------------------------------------------------------------------- */

/* Who steals from a page block of which the rest is another's leaves it its type; of which half is
 * free, or like his own, takes it all. */
static void not_worth_it(void **state) {
    (void)state;
    static const struct {
        enum quire_page_use owner, thief;
        unsigned nfree,
            own; /* pages of the page block that are free, and that are the thief's kind */
        bool taken;
    } cases[] = {
        {QUIRE_USE_ANON, QUIRE_USE_KERNEL, 64, 0, false},
        {QUIRE_USE_ANON, QUIRE_USE_KERNEL, 255, 0, false},
        {QUIRE_USE_ANON, QUIRE_USE_KERNEL, 256, 0, true},
        {QUIRE_USE_ANON, QUIRE_USE_KERNEL, 64, 192, true},
        {QUIRE_USE_ANON, QUIRE_USE_KERNEL, 64, 191, false},
        {QUIRE_USE_KERNEL, QUIRE_USE_ANON, 64, 0, false},
        {QUIRE_USE_KERNEL, QUIRE_USE_FILE, 64, 192, true},
        {QUIRE_USE_KERNEL, QUIRE_USE_ANON, 8, 400, false}, /* a small piece is just taken */
        {QUIRE_USE_KERNEL, QUIRE_USE_SHMEM, 16, 400, true},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct quire_machine *machine = double_plain(16 * MIB);
        struct quire *q = double_boot(machine, 8);
        enum quire_page_use owner = cases[i].owner, thief = cases[i].thief;
        while (quire_page_alloc(q, 0, owner, QUIRE_ALLOC_RECLAIM)) {
        }
        struct quire_page *block = quire_page_at(q, (quire_frame){q->phys->first + 1024});
        uint32_t frame = quire_page_frame(q, block).number;
        unsigned before = quire_zone_type(q->phys, frame);
        for (unsigned k = 0; k < cases[i].nfree + cases[i].own; k++) {
            assert_int_equal(block[k].use, owner);
            if (k < cases[i].nfree) {
                quire_page_free(q, &block[k]);
            } else {
                quire_page_set_use(q, &block[k], thief);
            }
        }
        quire_page_drain(q);
        struct quire_page *page = quire_page_alloc(q, 0, thief, QUIRE_ALLOC_RECLAIM);
        assert_in_range(page - block, 0, cases[i].nfree - 1);
        assert_int_equal(quire_zone_type(q->phys, frame) != before, cases[i].taken);
        quire_phys_audit(q);
        double_release(machine);
    }
}

/* How many page blocks hold something that can't move. */
static unsigned spoilt_blocks(struct quire *q) {
    const struct quire_phys *phys = q->phys;
    unsigned spoilt = 0;
    for (uint32_t first = phys->first; first < phys->end; first += 512) {
        bool kernel = false;
        for (uint32_t i = first; i < first + 512 && i < phys->end; i++) {
            kernel |= quire_zone_page(phys, i)->use == QUIRE_USE_KERNEL;
        }
        spoilt += kernel;
    }
    return spoilt;
}

/* One kernel frame in eight allocations, mixed with pages of programs: they stay together. */
static void kept_apart(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(64 * MIB);
    struct quire *q = double_boot(machine, 0);
    unsigned n = 0, kernel = 0;
    for (; n < 12000; n++) {
        enum quire_page_use use = n % 8 == 0 ? QUIRE_USE_KERNEL : QUIRE_USE_ANON;
        pages[n] = quire_page_alloc(q, 0, use, QUIRE_ALLOC_USER);
        assert_non_null(pages[n]);
        kernel += use == QUIRE_USE_KERNEL;
    }
    assert_int_equal(kernel, 1500);
    assert_in_range(spoilt_blocks(q), 3, 6); /* 1500 frames are three page blocks */
    quire_phys_audit(q);
    /* All programs end: nearly all page blocks are whole again. */
    for (unsigned i = 0; i < n; i++) {
        if (pages[i]->use == QUIRE_USE_ANON) {
            quire_page_free(q, pages[i]);
        }
    }
    unsigned large = 0;
    while (quire_page_alloc(q, 9, QUIRE_USE_TABLE, QUIRE_ALLOC_KERNEL)) {
        large++;
    }
    assert_true(large >= 22); /* of 31 */
    quire_phys_audit(q);
    double_release(machine);
}

/* Who steals takes the largest block and its page block; a movable page takes the smallest. */
static void stealing(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(64 * MIB);
    struct quire *q = double_boot(machine, 8);
    struct quire_zone_info info;
    struct quire_page *page = quire_page_alloc(q, 4, QUIRE_USE_KERNEL, QUIRE_ALLOC_KERNEL);
    unsigned before[QUIRE_NMIGRATE] = {0}, n = 0;
    for (unsigned i = 0; quire_page_zone(q, i, &info); i++) {
        for (unsigned type = 0; type < QUIRE_NMIGRATE; type++) {
            before[type] += (unsigned)info.pageblocks[type];
        }
    }
    assert_int_equal(before[QUIRE_MIGRATE_UNMOVABLE], 2); /* the halves of a block of 4 MiB */
    quire_page_free(q, page);
    page = quire_page_alloc(q, 4, QUIRE_USE_SLAB, QUIRE_ALLOC_KERNEL | QUIRE_ALLOC_RECLAIMABLE);
    unsigned type = quire_zone_type(q->phys, quire_page_frame(q, page).number);
    assert_true(type == QUIRE_MIGRATE_RECLAIMABLE);
    quire_page_free(q, page);
    /* Programs take everything, page blocks of other types too; then the kernel needs some back. */
    while ((pages[n] = quire_page_alloc(q, 0, QUIRE_USE_ANON, QUIRE_ALLOC_RECLAIM)) != NULL) {
        n++;
    }
    quire_phys_audit(q);
    for (unsigned i = 0; i < n; i += 2) {
        quire_page_free(q, pages[i]);
        pages[i] = NULL;
    }
    quire_phys_audit(q);
    for (unsigned i = 0; i < n; i += 2) {
        pages[i] = quire_page_alloc(q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_RECLAIM);
        assert_non_null(pages[i]); /* not one is hidden by its type */
    }
    assert_null(quire_page_alloc(q, 0, QUIRE_USE_ANON, QUIRE_ALLOC_RECLAIM));
    quire_phys_audit(q);
    while (n > 0) {
        quire_page_free(q, pages[--n]);
    }
    double_down(machine, q);
}

/* Below 8 MiB there is one type. */
static void ungrouped(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(6 * MIB);
    struct quire *q = double_boot(machine, 0);
    struct quire_page *anon = quire_page_alloc(q, 0, QUIRE_USE_ANON, QUIRE_ALLOC_USER);
    quire_page_free(q, anon);
    assert_ptr_equal(quire_page_alloc(q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_USER), anon);
    quire_page_free(q, anon);
    assert_int_equal(q->phys->zones[0].nonempty[QUIRE_MIGRATE_MOVABLE], 0);
    double_down(machine, q);
}

/* Random requests of all kinds on three processors, with everything given back in between. */
static void random_kinds(void **state) {
    (void)state;
    static const unsigned extra[] = {
        0, 0, 0, QUIRE_ALLOC_DMA, QUIRE_ALLOC_DMA32, QUIRE_ALLOC_RECLAIMABLE};
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct quire_machine *machine = double_machine();
        double_add_range(machine, 0x1000, 23 * MIB);
        double_add_range(machine, 30 * MIB, 9 * MIB + 0x5000);
        struct quire *q = boot_zones(machine, 8, 16, seed == 2 ? 32 : 64, 3);
        uint64_t random = seed * 7919;
        unsigned n = 0;
        for (unsigned step = 0; step < 30000; step++) {
            uint64_t r = double_random(&random);
            quire_page_set_cpu(q, (unsigned)(r >> 60) % 3);
            if (n > 0 && (r % 16 < ((step / 5000) % 2 ? 9 : 6) || n == 1 << 14)) {
                unsigned k = (unsigned)(r >> 20) % n;
                quire_page_free(q, pages[k]);
                pages[k] = pages[--n];
            } else {
                unsigned order = (r >> 8) % 4 ? 0 : (unsigned)(r >> 16) % QUIRE_NORDERS;
                unsigned mode = (unsigned)(r >> 24) % 3 | extra[(r >> 28) % 6];
                enum quire_page_use use = QUIRE_USE_KERNEL + (unsigned)(r >> 32) % 6;
                pages[n] = quire_page_alloc(q, order, use, mode);
                if (pages[n]) {
                    unsigned at = (unsigned)(zone_of(q, pages[n]) - q->phys->zones);
                    assert_true(!(mode & QUIRE_ALLOC_DMA) || at == QUIRE_ZONE_DMA);
                    assert_true(!(mode & QUIRE_ALLOC_DMA32) || at <= QUIRE_ZONE_DMA32);
                    assert_true((mode & 3) == QUIRE_ALLOC_USER || at != QUIRE_ZONE_HIGHMEM);
                    n++;
                }
            }
            if (step % 64 == 0) {
                quire_phys_audit(q);
            }
        }
        while (n > 0) {
            quire_page_free(q, pages[--n]);
        }
        double_down(machine, q);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layouts),
        cmocka_unit_test(smallest_zone),
        cmocka_unit_test(devices_change_nothing),
        cmocka_unit_test(fallback),
        cmocka_unit_test(highmem),
        cmocka_unit_test(stacks),
        cmocka_unit_test(largest_stacks),
        cmocka_unit_test(refused_again),
        cmocka_unit_test(processors),
        cmocka_unit_test(kept_apart),
        cmocka_unit_test(stealing),
        cmocka_unit_test(ungrouped),
        cmocka_unit_test(random_kinds),
        cmocka_unit_test(not_worth_it),
        cmocka_unit_test(split),
        cmocka_unit_test(page_blocks_in_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
