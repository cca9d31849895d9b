/* view_numbers.c: the machine-wide texts with every number in its place: a world in which no two
 * columns show the same, printed a second time by printf with Linux's own formats (mm/vmstat.c,
 * fs/proc/meminfo.c), from what the manager says of itself. Names and order for people and programs
 * are kept in view.golden. */
#include "rig.h"

#include <stddef.h>
#include <stdlib.h>

#include <quire/kmem.h>

#include "base/system.h"
#include "kmem/slab.h"
#include "page/lru.h"
#include "page/page.h"
#include "swap/swap.h"
#include "vm/vm.h"

#define RAM      (24 * RIG_MIB)
#define TEXT_MAX 65536

static struct {
    struct rig rig;
    struct quire_cache *cache;
    void *objects[120];
    quire_frame frames[200];
    unsigned nframes;
    char want[TEXT_MAX], got[TEXT_MAX];
    size_t length;
} w;

static __attribute__((format(printf, 1, 2))) void want(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    w.length += (size_t)vsnprintf(w.want + w.length, TEXT_MAX - w.length, format, arguments);
    va_end(arguments);
    assert_true(w.length < TEXT_MAX);
}

static void compare(size_t (*view)(const struct quire *, char *, size_t)) {
    assert_int_equal(view(w.rig.q, w.got, TEXT_MAX), w.length);
    assert_string_equal(w.got, w.want);
    w.length = 0;
}

#define ULL(value) ((unsigned long long)(value))

/* ---- the world ------------------------------------------------------------------------------- */

static enum quire_status file_read(void *context, uint64_t offset, void *bytes) {
    (void)context;
    memset(bytes, (int)offset, RIG_PAGE);
    return QUIRE_OK;
}

static enum quire_status file_write(void *context, uint64_t offset, const void *bytes) {
    (void)context, (void)offset, (void)bytes;
    return QUIRE_OK;
}

static uint64_t file_size(void *context) {
    (void)context;
    return 400 * RIG_PAGE;
}

static void file_release(void *context) {
    (void)context;
}

static const struct quire_pager pager = {
    .read = file_read, .write = file_write, .size = file_size, .release = file_release};

static uint64_t give_nothing(void *context, uint64_t nobjects) {
    (void)context, (void)nobjects;
    return 0;
}

static uint64_t map_object(struct quire_object *object, uint64_t npages) {
    quire_vaddr va = quire_va(0);
    assert_int_equal(
        quire_map(w.rig.spaces[0], &va, npages * RIG_PAGE, RIG_RW, QUIRE_MAP_SHARED, object, 0),
        QUIRE_OK);
    quire_object_unref(object);
    return va.value;
}

/* Pages of all kinds, young and old ones, some written, some locked, some on swap, some back. */
static void programs(void) {
    struct quire_object *file, *shm;
    const struct quire_object_info info = {.name = "/file"};
    uint64_t value;
    struct quire_space *space = rig_space(&w.rig, 0);
    assert_int_equal(quire_object_create_file(w.rig.q, &pager, NULL, &info, &file), QUIRE_OK);
    assert_int_equal(quire_object_create_shm(w.rig.q, 50 * RIG_PAGE, &info, &shm), QUIRE_OK);
    uint64_t file_va = map_object(file, 400), shm_va = map_object(shm, 50);
    for (unsigned i = 0; i < 311; i++)
        assert_int_equal(rig_load(&w.rig, 0, file_va + i * RIG_PAGE, &value), QUIRE_OK);
    rig_fill(&w.rig, 0, file_va, 17, 0);
    rig_fill(&w.rig, 0, shm_va, 43, 0);
    uint64_t locked = rig_map(&w.rig, 0, 13 * RIG_PAGE, RIG_RW, QUIRE_MAP_LOCKED);
    rig_fill(&w.rig, 0, locked, 13, 0);
    uint64_t va = rig_map(&w.rig, 0, 900 * RIG_PAGE, RIG_RW, 0);
    rig_fill(&w.rig, 0, va, 700, 0);
    assert_int_equal(quire_advise(space, quire_va(va), 83 * RIG_PAGE, QUIRE_ADVISE_PAGEOUT),
                     QUIRE_OK);
    rig_expect(&w.rig, 0, va, 29, 0); /* back, and their copies on swap are good */
    quire_vaddr huge = quire_va((uint64_t)1 << 30);
    assert_int_equal(quire_map(space, &huge, 2 * RIG_MIB, RIG_RW, QUIRE_MAP_FIXED, NULL, 0),
                     QUIRE_OK);
    quire_advise(space, huge, 2 * RIG_MIB, QUIRE_ADVISE_HUGEPAGE);
    rig_fill(&w.rig, 0, huge.value, 1, 0);
    for (unsigned kind = 0; kind < QUIRE_LRU_KINDS; kind++) { /* the oldest have proved their use */
        struct quire_aging *aging = quire_lru_aging(w.rig.q, kind);
        for (unsigned n = 0; n < 90 + 7 * kind; n++)
            quire_aging_put(aging, quire_aging_oldest(aging, 0), 1, true);
    }
}

static void up(void) {
    static const uint64_t ends[QUIRE_NZONES] = {4 << 20, 12 << 20, UINT64_MAX, 0};
    memset(&w, 0, sizeof w);
    w.rig.running = w.rig.last_killed = -1;
    struct quire_soft_config machine = {
        .ram_bytes = RAM, .swap_bytes = {RAM, RAM / 2}, .seed = 1, .context = &w.rig};
    assert_int_equal(quire_soft_create(&machine, &w.rig.machine), QUIRE_OK);
    struct quire_config config = {
        .machine = w.rig.machine, .swappiness = 60, .zone_ends = ends, .ncpus = 3};
    assert_int_equal(quire_create(&config, &w.rig.q), QUIRE_OK);
    assert_int_equal(quire_swapon(w.rig.q, 0, 5), QUIRE_OK);
    assert_int_equal(
        quire_swapon_file(w.rig.q, 1, 3, "/a name\\of\tmine\nthat is longer than its column"),
        QUIRE_OK);
    struct quire_cache_options options = {.name = "copies",
                                          .object_bytes = 700,
                                          .flags = QUIRE_CACHE_RECLAIMABLE,
                                          .reclaim = give_nothing};
    assert_int_equal(quire_cache_create_with(w.rig.q, &options, &w.cache), QUIRE_OK);
    for (unsigned i = 0; i < 120; i++)
        assert_non_null(w.objects[i] = quire_cache_alloc(w.cache));
    programs();
    for (unsigned cpu = 0; cpu < 3; cpu++) { /* frames of each zone on each processor's lists */
        quire_set_cpu(w.rig.q, cpu);
        for (unsigned i = 0; i < 20 + 10 * cpu; i++) {
            enum quire_zone_kind zone = (enum quire_zone_kind)(i % 3);
            quire_frame *frame = &w.frames[w.nframes++];
            assert_int_equal(quire_frames_alloc_zone(w.rig.q, 0, zone, frame), QUIRE_OK);
        }
        for (unsigned i = 0; i < 5 + 4 * cpu; i++)
            quire_frames_free(w.rig.q, w.frames[--w.nframes], 0);
    }
}

static void down(void) {
    while (w.nframes > 0)
        quire_frames_free(w.rig.q, w.frames[--w.nframes], 0);
    for (unsigned i = 0; i < 120; i++)
        quire_cache_free(w.cache, w.objects[i]);
    assert_int_equal(quire_cache_destroy(w.cache), QUIRE_OK);
    rig_down(&w.rig);
}

/* ---- zones ----------------------------------------------------------------------------------- */

static const char *const types[QUIRE_NMIGRATE] = {"Unmovable", "Movable", "Reclaimable"};

static void buddyinfo(void **state) {
    (void)state;
    struct quire_zone_info zone;
    up();
    for (unsigned i = 0; quire_page_zone(w.rig.q, i, &zone); i++) {
        want("Node %d, zone %8s ", 0, zone.name);
        for (unsigned order = 0; order < QUIRE_NORDERS; order++)
            want("%6llu ",
                 ULL(zone.blocks[order][0] + zone.blocks[order][1] + zone.blocks[order][2]));
        want("\n");
    }
    compare(quire_view_buddyinfo);
    want("Page block order: %d\nPages per block:  %lu\n\n", 9, 512ul);
    want("%-43s ", "Free pages count per migrate type at order");
    for (unsigned order = 0; order < QUIRE_NORDERS; order++)
        want("%6d ", (int)order);
    want("\n");
    for (unsigned i = 0; quire_page_zone(w.rig.q, i, &zone); i++) {
        for (unsigned type = 0; type < QUIRE_NMIGRATE; type++) {
            want("Node %4d, zone %8s, type %12s ", 0, zone.name, types[type]);
            for (unsigned order = 0; order < QUIRE_NORDERS; order++)
                want("%6llu ", ULL(zone.blocks[order][type]));
            want("\n");
        }
    }
    want("\n%-23s", "Number of blocks type ");
    for (unsigned type = 0; type < QUIRE_NMIGRATE; type++)
        want("%12s ", types[type]);
    want("\n");
    for (unsigned i = 0; quire_page_zone(w.rig.q, i, &zone); i++) {
        want("Node %d, zone %8s ", 0, zone.name);
        for (unsigned type = 0; type < QUIRE_NMIGRATE; type++)
            want("%12llu ", ULL(zone.pageblocks[type]));
        want("\n");
    }
    compare(quire_view_pagetypeinfo);
    down();
}

static void want_stat(const char *name, uint64_t value) {
    want("\n      %-12s %llu", name, ULL(value));
}

static void node_stats(void) {
    const struct quire *q = w.rig.q;
    struct quire_usage usage = rig_usage(&w.rig);
    want("\n  per-node stats");
    want_stat("nr_inactive_anon", usage.inactive_anon);
    want_stat("nr_active_anon", usage.active_anon);
    want_stat("nr_inactive_file", usage.inactive_file);
    want_stat("nr_active_file", usage.active_file);
    want_stat("nr_anon_pages", usage.anon);
    want_stat("nr_file_pages", usage.file + usage.shmem);
    want_stat("nr_shmem", usage.shmem);
    want_stat("nr_page_table_pages", quire_page_count(q, QUIRE_USE_TABLE));
}

/* A list's pages in a zone, counted frame by frame. */
static uint64_t on_list(const struct quire_zone_info *zone, bool file, bool active) {
    uint64_t count = 0;
    for (uint32_t frame = zone->first; frame < zone->end; frame++) {
        const struct quire_page *page = quire_page_at(w.rig.q, (quire_frame){frame});
        if (page->flags & QUIRE_PAGE_LRU)
            count += (quire_lru_kind_of(page) == QUIRE_LRU_FILE) == file &&
                     quire_lru_is_active(w.rig.q, page) == active;
    }
    return count;
}

static void zoneinfo(void **state) {
    (void)state;
    struct quire_zone_info zone;
    up();
    for (unsigned i = 0; quire_page_zone(w.rig.q, i, &zone); i++) {
        want("Node %d, zone %8s", 0, zone.name);
        if (i == 0)
            node_stats();
        want("\n  pages free     %llu\n        boost    0\n        min      %llu"
             "\n        low      %llu\n        high     %llu\n        spanned  %llu"
             "\n        present  %llu\n        managed  %llu\n        cma      0",
             ULL(zone.free), ULL(zone.watermark[0]), ULL(zone.watermark[1]), ULL(zone.watermark[2]),
             ULL(zone.end - zone.first), ULL(zone.present), ULL(zone.managed));
        want("\n        protection: (%llu, %llu, %llu, %llu)", ULL(zone.protection[0]),
             ULL(zone.protection[1]), ULL(zone.protection[2]), ULL(zone.protection[3]));
        want_stat("nr_free_pages", zone.free);
        want_stat("nr_zone_inactive_anon", on_list(&zone, false, false));
        want_stat("nr_zone_active_anon", on_list(&zone, false, true));
        want_stat("nr_zone_inactive_file", on_list(&zone, true, false));
        want_stat("nr_zone_active_file", on_list(&zone, true, true));
        want("\n  pagesets");
        for (unsigned cpu = 0; cpu < 3; cpu++) {
            struct quire_pcp_info pcp;
            quire_page_pcp(w.rig.q, i, cpu, &pcp);
            want("\n    cpu: %u\n              count:    %u\n              high:     %u"
                 "\n              batch:    %u",
                 cpu, pcp.count, pcp.high, pcp.batch);
        }
        want("\n  node_unreclaimable:  %u\n  start_pfn:           %u\n", 0, zone.first);
    }
    compare(quire_view_zoneinfo);
    down();
}

/* ---- levels ---------------------------------------------------------------------------------- */

static uint64_t swap_cached(void) {
    uint64_t used = 0;
    struct quire_swap_info area;
    for (unsigned i = 0; quire_swap_area(w.rig.q, i, &area); i++)
        used += area.used;
    return used - quire_vm_swapped(w.rig.q);
}

static void want_kb(const char *name, uint64_t pages) {
    want("%-16s%8llu kB\n", name, ULL(pages * 4));
}

static void meminfo(void **state) {
    (void)state;
    up();
    struct quire_usage u = rig_usage(&w.rig);
    uint64_t copies = quire_kmem_reclaimable(w.rig.q), mapped = quire_vm_mapped_file(w.rig.q);
    assert_true(copies > 10 && mapped > 300 && swap_cached() == 29 && u.mlocked == 13);
    assert_true(u.shmem == 43 && u.dirty == 17 && u.anon_huge == 512 && u.commit_limit > 0);
    /* si_mem_available: free above the marks, and file pages but for a half or the low mark. */
    uint64_t cache = u.active_file + u.inactive_file;
    assert_true(cache / 2 < u.watermark_low);
    assert_int_equal(u.available, u.free + cache - cache / 2 - u.watermark_high);
    want_kb("MemTotal:", u.total);
    want_kb("MemFree:", u.free);
    want_kb("MemAvailable:", u.available);
    want_kb("Buffers:", 0);
    want_kb("Cached:", u.file + u.shmem);
    want_kb("SwapCached:", swap_cached());
    want_kb("Active:", u.active_anon + u.active_file);
    want_kb("Inactive:", u.inactive_anon + u.inactive_file);
    want_kb("Active(anon):", u.active_anon);
    want_kb("Inactive(anon):", u.inactive_anon);
    want_kb("Active(file):", u.active_file);
    want_kb("Inactive(file):", u.inactive_file);
    want_kb("Unevictable:", u.mlocked);
    want_kb("Mlocked:", u.mlocked);
    want_kb("SwapTotal:", u.swap_total);
    want_kb("SwapFree:", u.swap_free);
    want_kb("Zswap:", u.zswap);
    want_kb("Zswapped:", u.zswapped);
    want_kb("Dirty:", u.dirty);
    want_kb("AnonPages:", u.anon);
    want_kb("Mapped:", mapped);
    want_kb("Shmem:", u.shmem);
    want_kb("Slab:", u.slab);
    want_kb("SReclaimable:", copies);
    want_kb("SUnreclaim:", u.slab - copies);
    want_kb("PageTables:", u.page_tables);
    want_kb("CommitLimit:", u.commit_limit);
    want_kb("Committed_AS:", u.committed);
    want_kb("AnonHugePages:", u.anon_huge);
    compare(quire_view_meminfo);
    down();
}

static void swaps(void **state) {
    (void)state;
    up();
    struct quire_usage u = rig_usage(&w.rig);
    uint64_t kb = RAM / 1024;
    want("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    want("%-40s%s\t%llu\t\t%llu\t\t%d\n", "/dev/swap0", "partition", ULL(kb - 4),
         ULL(4 * (u.swap_total - u.swap_free)), 5);
    want("%s %s\t\t%llu\t\t%llu\t\t%d\n",
         "/a\\040name\\134of\\011mine\\012that\\040is\\040longer\\040than\\040its\\040column",
         "file", ULL(kb / 2 - 4), 0ull, 3);
    compare(quire_view_swaps);
    down();
}

/* cache_show of mm/slab_common.c. */
static void slabinfo(void **state) {
    (void)state;
    struct quire_cache_info c;
    up();
    want("slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> "
         "<objperslab> "
         "<pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> "
         "<num_slabs> <sharedavail>\n");
    for (unsigned i = 0; quire_kmem_info(w.rig.q, i, &c); i++) {
        want("%-17s %6llu %6llu %6u %4u %4u", c.name, ULL(c.objects_active), ULL(c.objects_total),
             c.object_bytes, c.objects_per_slab, c.pages_per_slab);
        want(" : tunables %4u %4u %4u", c.magazine_rounds, c.magazine_rounds, c.depot_max);
        want(" : slabdata %6llu %6llu %6llu\n", ULL(c.slabs_active), ULL(c.slabs_total),
             ULL(c.depot));
    }
    compare(quire_view_slabinfo);
    down();
}

/* A block of 2 MiB in the texts of a process. */
static void large_pages(void **state) {
    (void)state;
    up();
    assert_true(quire_view_smaps_rollup(w.rig.spaces[0], w.got, TEXT_MAX) < TEXT_MAX);
    assert_non_null(strstr(w.got, "\nAnonHugePages:      2048 kB\n"));
    assert_true(quire_view_smaps(w.rig.spaces[0], w.got, TEXT_MAX) < TEXT_MAX);
    const char *block = strstr(w.got, "40000000-40200000 rw-p");
    assert_non_null(block);
    const char *line = strstr(block, "\nAnonHugePages:");
    assert_int_equal(strncmp(line, "\nAnonHugePages:      2048 kB\n", 29), 0);
    down();
}

/* ---- events ---------------------------------------------------------------------------------- */

#define FIELD(name, member) \
    { name, offsetof(struct quire_counters, member) }
#define SAME(member) FIELD(#member, member)

static const struct {
    const char *name;
    size_t offset;
} events[] = {
    SAME(workingset_refault_anon),
    SAME(workingset_refault_file),
    SAME(workingset_activate_anon),
    SAME(workingset_activate_file),
    SAME(workingset_restore_anon),
    SAME(workingset_restore_file),
    SAME(workingset_nodereclaim),
    SAME(pswpin),
    SAME(pswpout),
    SAME(zswpin),
    SAME(zswpout),
    SAME(zswpwb),
    SAME(swap_ra),
    SAME(swap_ra_hit),
    FIELD("allocstall_normal", allocstall),
    SAME(pglazyfree),
    SAME(pgfault),
    SAME(pgmajfault),
    SAME(pglazyfreed),
    SAME(pgsteal_kswapd),
    SAME(pgsteal_direct),
    SAME(pgscan_kswapd),
    SAME(pgscan_direct),
    SAME(pgscan_anon),
    SAME(pgscan_file),
    SAME(pgsteal_anon),
    SAME(pgsteal_file),
    SAME(drop_pagecache),
    SAME(drop_slab),
    SAME(oom_kill),
    SAME(unevictable_pgs_mlocked),
    SAME(unevictable_pgs_munlocked),
    SAME(thp_fault_alloc),
    SAME(thp_fault_fallback),
    SAME(thp_collapse_alloc),
    SAME(thp_collapse_alloc_failed),
    SAME(thp_split_page),
    SAME(thp_split_pmd),
    SAME(pgmigrate_success),
    SAME(compact_migrate_scanned),
    SAME(compact_free_scanned),
    SAME(compact_stall),
    SAME(compact_fail),
    SAME(compact_success),
    FIELD("quire_fault_zero", fault_zero),
    FIELD("quire_fault_cow", fault_cow),
    FIELD("quire_fault_swap", fault_swap),
    FIELD("quire_fault_file", fault_file),
    FIELD("quire_fault_refill", fault_refill),
    FIELD("quire_swap_clean", swap_clean),
    FIELD("quire_slab_reclaim", slab_reclaim),
    FIELD("quire_stall_ns", stall_ns),
    FIELD("quire_io_error", io_error),
};

static uint64_t number_of(const char *name) {
    size_t length = strlen(name);
    for (const char *line = w.got; *line; line = strchr(line, '\n') + 1) {
        if (strncmp(line, name, length) == 0 && line[length] == ' ')
            return strtoull(line + length + 1, NULL, 10);
    }
    fail_msg("no line %s", name);
    return 0;
}

/* Every counter has a number of its own. */
static void vmstat(void **state) {
    (void)state;
    up();
    struct quire_counters kept = w.rig.q->counters, *now = &w.rig.q->counters;
    for (size_t i = 0; i < sizeof kept / 8; i++)
        ((uint64_t *)now)[i] = 1000000 + 17 * i;
    assert_true(quire_view_vmstat(w.rig.q, w.got, TEXT_MAX) < TEXT_MAX);
    for (unsigned i = 0; i < sizeof events / sizeof events[0]; i++) {
        uint64_t value;
        memcpy(&value, (char *)now + events[i].offset, sizeof value);
        if (number_of(events[i].name) != value)
            fail_msg("%s", events[i].name);
    }
    assert_int_equal(number_of("pgpgin"), 4 * (now->pswpin + now->file_in));
    assert_int_equal(number_of("pgpgout"), 4 * (now->pswpout + now->file_out));
    uint64_t out, back;
    quire_page_traffic(w.rig.q, &out, &back);
    assert_int_equal(number_of("pgalloc_normal"), quire_counters(w.rig.q)->pgalloc);
    assert_int_equal(number_of("pgfree"), quire_counters(w.rig.q)->pgfree);
    assert_true(out > back && back > 0);
    assert_int_equal(number_of("pgactivate"), quire_lru_activated(w.rig.q));
    assert_int_equal(number_of("pgdeactivate"), quire_lru_deactivated(w.rig.q));
    struct quire_usage u = rig_usage(&w.rig);
    uint64_t copies = quire_kmem_reclaimable(w.rig.q);
    assert_int_equal(number_of("nr_free_pages"), u.free);
    assert_int_equal(number_of("nr_inactive_anon"), u.inactive_anon);
    assert_int_equal(number_of("nr_active_anon"), u.active_anon);
    assert_int_equal(number_of("nr_inactive_file"), u.inactive_file);
    assert_int_equal(number_of("nr_active_file"), u.active_file);
    assert_int_equal(number_of("nr_unevictable"), 13);
    assert_int_equal(number_of("nr_mlock"), 13);
    assert_int_equal(number_of("nr_slab_reclaimable"), copies);
    assert_int_equal(number_of("nr_slab_unreclaimable"), u.slab - copies);
    assert_int_equal(number_of("nr_anon_pages"), u.anon);
    assert_int_equal(number_of("nr_mapped"), quire_vm_mapped_file(w.rig.q));
    assert_int_equal(number_of("nr_file_pages"), u.file + u.shmem + swap_cached());
    assert_int_equal(number_of("nr_dirty"), 17);
    assert_int_equal(number_of("nr_shmem"), 43);
    assert_int_equal(number_of("nr_anon_transparent_hugepages"), 1);
    *now = kept;
    down();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buddyinfo), cmocka_unit_test(zoneinfo),    cmocka_unit_test(meminfo),
        cmocka_unit_test(slabinfo),  cmocka_unit_test(large_pages), cmocka_unit_test(swaps),
        cmocka_unit_test(vmstat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
