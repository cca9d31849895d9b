/* view.c: the texts in Linux's formats: read back as Linux's own tools read them, compared with the
 * manager's numbers, and cut at every length. */
#include "rig.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>

#define RAM (8 * RIG_MIB)

struct fixture {
    struct rig rig;
    uint64_t anon, stack, file;
    char text[65536];
};

static enum quire_status read_page(void *context, uint64_t offset, void *bytes) {
    (void)context;
    memset(bytes, (int)(offset >> 12), RIG_PAGE);
    return QUIRE_OK;
}

static uint64_t file_size(void *context) {
    (void)context;
    return 64 * RIG_PAGE;
}

static void release(void *context) {
    (void)context;
}

static const struct quire_pager pager = {.read = read_page, .size = file_size, .release = release};
static const struct quire_object_info info = {
    .name = "/lib/libx.so.1", .inode = 247498, .device_major = 0xfe, .device_minor = 1};

/* A program with text of a file, a heap, anonymous memory twice as large as RAM, a stack, a child.
 */
static void setup(struct fixture *f) {
    struct rig *rig = &f->rig;
    struct quire_object *object;
    rig_up(rig, RAM, 4 * RAM);
    struct quire_space *space = rig_space(rig, 0);
    assert_int_equal(quire_object_create_file(rig->q, &pager, NULL, &info, &object), QUIRE_OK);
    quire_vaddr va = quire_va(0x400000);
    assert_int_equal(quire_map(space, &va, 64 * RIG_PAGE, QUIRE_PROT_READ | QUIRE_PROT_EXEC,
                               QUIRE_MAP_FIXED, object, 0),
                     QUIRE_OK);
    quire_object_unref(object);
    f->file = va.value;
    quire_brk_start(space, quire_va(0x500000));
    quire_brk(space, quire_va(0x521000));
    f->anon = rig_map(rig, 0, 2 * RAM, RIG_RW, 0);
    va = quire_va(0x3fff000000);
    assert_int_equal(quire_map(space, &va, 33 * RIG_PAGE, RIG_RW,
                               QUIRE_MAP_FIXED | QUIRE_MAP_GROWSDOWN | QUIRE_MAP_STACK_TAG, NULL,
                               0),
                     QUIRE_OK);
    f->stack = va.value;
    rig_fill(rig, 0, f->anon, 2 * RAM / RIG_PAGE, 0);
    rig_fill(rig, 0, f->stack, 3, 0);
    rig_fill(rig, 0, 0x500000, 5, 0);
    uint64_t value;
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(rig_load(rig, 0, f->file + i * RIG_PAGE, &value), QUIRE_OK);
    assert_int_equal(quire_space_fork(space, &rig->spaces[1], &rig->spaces[1]), QUIRE_OK);
    rig_expect(rig, 1, f->stack, 3, 0);
}

/* The number after a label at the start of a line; the line must be as wide as Linux makes it. */
static uint64_t kb_of(const char *text, const char *label) {
    size_t length = strlen(label);
    for (const char *line = text; line && *line; line = strchr(line, '\n') + 1) {
        if (strncmp(line, label, length) != 0 || line[length] != ':')
            continue;
        const char *end = strchr(line, '\n');
        assert_memory_equal(end - 3, " kB", 3);
        assert_true(end - line >= 27); /* 16 + 8 + " kB" */
        return strtoull(line + length + 1, NULL, 10);
    }
    fail_msg("no line %s", label);
    return 0;
}

static void meminfo(void **state) {
    (void)state;
    static struct fixture f;
    setup(&f);
    size_t length = quire_view_meminfo(f.rig.q, f.text, sizeof f.text);
    assert_int_equal(length, strlen(f.text));
    struct quire_usage usage = rig_usage(&f.rig);
    assert_memory_equal(f.text, "MemTotal:           8192 kB\n", 28);
    assert_int_equal(kb_of(f.text, "MemTotal"), usage.total * 4);
    assert_int_equal(kb_of(f.text, "MemFree"), usage.free * 4);
    assert_int_equal(kb_of(f.text, "MemAvailable"), usage.available * 4);
    assert_int_equal(kb_of(f.text, "Cached"), (usage.file + usage.shmem) * 4);
    assert_int_equal(kb_of(f.text, "Active"),
                     kb_of(f.text, "Active(anon)") + kb_of(f.text, "Active(file)"));
    assert_int_equal(kb_of(f.text, "Inactive"),
                     kb_of(f.text, "Inactive(anon)") + kb_of(f.text, "Inactive(file)"));
    assert_int_equal(kb_of(f.text, "SwapTotal"), (4 * RAM / RIG_PAGE - 1) * 4);
    assert_int_equal(kb_of(f.text, "SwapFree"), usage.swap_free * 4);
    assert_int_equal(kb_of(f.text, "AnonPages"), usage.anon * 4);
    assert_int_equal(kb_of(f.text, "Slab"), usage.slab * 4);
    assert_int_equal(kb_of(f.text, "PageTables"), usage.page_tables * 4);
    assert_int_equal(kb_of(f.text, "Committed_AS"), usage.committed * 4);
    assert_true(kb_of(f.text, "SwapCached") <= kb_of(f.text, "AnonPages"));
    rig_down(&f.rig);
}

static uint64_t value_of(const char *text, const char *name) {
    size_t length = strlen(name);
    for (const char *line = text; line && *line; line = strchr(line, '\n') + 1) {
        if (strncmp(line, name, length) == 0 && line[length] == ' ')
            return strtoull(line + length + 1, NULL, 10);
    }
    fail_msg("no line %s", name);
    return 0;
}

static void vmstat(void **state) {
    (void)state;
    static struct fixture f;
    setup(&f);
    quire_view_vmstat(f.rig.q, f.text, sizeof f.text);
    const struct quire_counters *counters = quire_counters(f.rig.q);
    assert_int_equal(value_of(f.text, "pgfault"), counters->pgfault);
    assert_int_equal(value_of(f.text, "pgmajfault"), counters->pgmajfault);
    assert_int_equal(value_of(f.text, "pswpin"), counters->pswpin);
    assert_int_equal(value_of(f.text, "pswpout"), counters->pswpout);
    assert_int_equal(value_of(f.text, "pgpgout"), 4 * (counters->pswpout + counters->file_out));
    assert_int_equal(value_of(f.text, "nr_free_pages"), rig_usage(&f.rig).free);
    assert_int_equal(value_of(f.text, "oom_kill"), 0);
    for (const char *line = f.text; *line; line = strchr(line, '\n') + 1) {
        char name[64];
        uint64_t number;
        assert_int_equal(sscanf(line, "%63[a-z_] %" SCNu64 "\n", name, &number), 2);
    }
    rig_down(&f.rig);
}

static void buddyinfo(void **state) {
    (void)state;
    static struct fixture f;
    setup(&f);
    quire_view_buddyinfo(f.rig.q, f.text, sizeof f.text);
    assert_memory_equal(f.text, "Node 0, zone      DMA ", 22);
    uint64_t pages = 0;
    char *at = f.text;
    while (*at) {
        assert_memory_equal(at, "Node 0, zone ", 13);
        at += 22;
        for (unsigned order = 0; order < QUIRE_NORDERS; order++) {
            char *start = at;
            pages += strtoull(at, &at, 10) << order;
            assert_true(at - start >= 6 && *at == ' ');
            at++;
        }
        assert_int_equal(*at++, '\n');
    }
    /* What the processors' lists hold is free too, and in zoneinfo. */
    quire_view_zoneinfo(f.rig.q, f.text, sizeof f.text);
    for (at = f.text; (at = strstr(at, "              count:    ")) != NULL; at++) {
        pages += strtoull(at + 24, NULL, 10);
    }
    assert_int_equal(pages, rig_usage(&f.rig).free);
    rig_down(&f.rig);
}

/* The sums of each column block against what the manager says of itself, and the lines that tools
 * look for. */
static void zones(void **state) {
    (void)state;
    static struct fixture f;
    setup(&f);
    uint64_t listed = 0, from_types = 0, blocks = 0, free = 0, managed = 0, present = 0, high = 0;
    quire_view_buddyinfo(f.rig.q, f.text, sizeof f.text);
    for (char *at = f.text; *at; at = strchr(at, '\n') + 1) {
        char *cell = at + 21;
        for (unsigned order = 0; order < QUIRE_NORDERS; order++) {
            listed += strtoull(cell, &cell, 10) << order;
        }
    }
    quire_view_pagetypeinfo(f.rig.q, f.text, sizeof f.text);
    assert_memory_equal(f.text,
                        "Page block order: 9\nPages per block:  512\n\nFree pages count per "
                        "migrate type at order ",
                        84);
    char *line = f.text;
    while ((line = strstr(line, ", type ")) != NULL) {
        assert_memory_equal(line - 24, "Node    0, zone ", 16);
        char *cell = line + 20;
        for (unsigned order = 0; order < QUIRE_NORDERS; order++) {
            from_types += strtoull(cell, &cell, 10) << order;
        }
        line = cell;
    }
    assert_int_equal(from_types, listed);
    line = strstr(f.text, "\nNumber of blocks type     Unmovable      Movable  Reclaimable \n");
    assert_non_null(line);
    for (line = strchr(line + 1, '\n') + 1; *line; line = strchr(line, '\n') + 1) {
        char *cell = line + 21;
        for (unsigned type = 0; type < 3; type++) {
            blocks += strtoull(cell, &cell, 10);
        }
    }
    struct quire_usage usage = rig_usage(&f.rig);
    assert_int_equal(blocks, (usage.total + 511) / 512);

    quire_view_zoneinfo(f.rig.q, f.text, sizeof f.text);
    assert_memory_equal(f.text, "Node 0, zone      DMA\n  per-node stats\n", 39);
    static const char *const names[] = {"\n  pages free     ", "\n        managed  ",
                                        "\n        present  ", "\n        high     "};
    uint64_t *const sums[] = {&free, &managed, &present, &high};
    for (unsigned i = 0; i < 4; i++) {
        for (char *at = f.text; (at = strstr(at, names[i])) != NULL; at++) {
            *sums[i] += strtoull(at + strlen(names[i]), NULL, 10);
        }
    }
    assert_int_equal(free, usage.free);
    assert_int_equal(present, usage.total);
    assert_true(managed < present && managed > free);
    assert_int_equal(high, usage.watermark_high);
    uint64_t inactive = 0;
    for (char *at = f.text; (at = strstr(at, "nr_zone_inactive_anon ")) != NULL; at++) {
        inactive += strtoull(at + 22, NULL, 10);
    }
    assert_int_equal(inactive, usage.inactive_anon);
    assert_non_null(strstr(f.text, "\n        protection: ("));
    assert_non_null(strstr(f.text, "\n  pagesets\n    cpu: 0\n              count:    "));
    assert_non_null(strstr(f.text, "\n  start_pfn:           "));
    rig_down(&f.rig);
}

static void slabinfo(void **state) {
    (void)state;
    static struct fixture f;
    setup(&f);
    quire_view_slabinfo(f.rig.q, f.text, sizeof f.text);
    const char *line = f.text;
    assert_memory_equal(line, "slabinfo - version: 2.1\n# name ", 31);
    line = strchr(strchr(line, '\n') + 1, '\n') + 1;
    uint64_t slab_pages = 0;
    unsigned caches = 0;
    for (; *line; line = strchr(line, '\n') + 1) {
        char name[32];
        unsigned active, total, bytes, objects, pages, slabs_active, slabs;
        unsigned limit, batch, factor, depot;
        assert_int_equal(sscanf(line,
                                "%31s %u %u %u %u %u : tunables %u %u %u : slabdata %u %u %u\n",
                                name, &active, &total, &bytes, &objects, &pages, &limit, &batch,
                                &factor, &slabs_active, &slabs, &depot),
                         12);
        assert_true(batch == limit && depot <= factor);
        assert_true(active <= total && slabs_active <= slabs);
        assert_int_equal(total, slabs * objects);
        slab_pages += (uint64_t)slabs * pages;
        caches++;
    }
    assert_true(caches >= 10);
    assert_true(slab_pages <= rig_usage(&f.rig).slab);
    rig_down(&f.rig);
}

static void swaps(void **state) {
    (void)state;
    static struct fixture f;
    setup(&f);
    quire_view_swaps(f.rig.q, f.text, sizeof f.text);
    const char *line = strchr(f.text, '\n') + 1;
    assert_memory_equal(f.text, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n", 39);
    struct quire_usage usage = rig_usage(&f.rig);
    char expected[128];
    snprintf(expected, sizeof expected, "%-40spartition\t%" PRIu64 "\t\t%" PRIu64 "\t\t-2\n",
             "/dev/swap0", usage.swap_total * 4, (usage.swap_total - usage.swap_free) * 4);
    assert_string_equal(line, expected);
    rig_down(&f.rig);
}

static void maps(void **state) {
    (void)state;
    static struct fixture f;
    setup(&f);
    size_t length = quire_view_maps(f.rig.spaces[0], f.text, sizeof f.text);
    assert_int_equal(length, strlen(f.text));
    char expected[1024];
    snprintf(expected, sizeof expected,
             "00400000-00440000 r-xp 00000000 fe:01 247498                             "
             "/lib/libx.so.1\n"
             "00500000-00521000 rw-p 00000000 00:00 0                                  [heap]\n"
             "%08" PRIx64 "-%08" PRIx64 " rw-p 00000000 00:00 0 \n"
             "3fff000000-3fff021000 rw-p 00000000 00:00 0                              [stack]\n",
             f.anon, f.anon + 2 * RAM);
    assert_string_equal(f.text, expected);
    rig_down(&f.rig);
}

static void smaps(void **state) {
    (void)state;
    static struct fixture f;
    setup(&f);
    uint64_t value;
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned k = 0; k < 2; k++)
            assert_int_equal(rig_load(&f.rig, k, f.file + i * RIG_PAGE, &value), QUIRE_OK);
    }
    for (unsigned i = 0; i < 2; i++) {
        quire_view_smaps(f.rig.spaces[i], f.text, sizeof f.text);
        struct quire_space_usage usage;
        quire_space_usage(f.rig.spaces[i], &usage);
        uint64_t rss = 0, swap = 0, size = 0, pss = 0, split = 0, anonymous = 0, clean = 0;
        for (char *line = f.text; *line; line = strchr(line, '\n') + 1) {
            char label[32];
            uint64_t number;
            if (sscanf(line, "%31[A-Za-z_]: %" SCNu64 " kB\n", label, &number) != 2)
                continue;
            rss += strcmp(label, "Rss") ? 0 : number;
            pss += strcmp(label, "Pss") ? 0 : number;
            swap += strcmp(label, "Swap") ? 0 : number;
            size += strcmp(label, "Size") ? 0 : number;
            anonymous += strcmp(label, "Anonymous") ? 0 : number;
            clean += strcmp(label, "Shared_Clean") ? 0 : number;
            if (!strncmp(label, "Shared_", 7) || !strncmp(label, "Private_", 8))
                split += number;
        }
        assert_int_equal(size, usage.virtual_pages * 4);
        assert_int_equal(rss, 4 * (usage.resident_anon + usage.resident_file));
        assert_int_equal(anonymous, 4 * usage.resident_anon);
        assert_int_equal(split, rss);
        assert_int_equal(clean, 3 * 4); /* text that both have read */
        assert_int_equal(swap, 4 * usage.swapped);
        assert_true(pss <= rss);
    }
    rig_down(&f.rig);
}

/* The sums of smaps in one record; pagemap's words, page by page, add up to what usage counts. */
static void rollup_and_pagemap(void **state) {
    (void)state;
    static struct fixture f;
    setup(&f);
    for (unsigned i = 0; i < 2; i++) {
        struct quire_space *space = f.rig.spaces[i];
        struct quire_space_usage usage;
        struct quire_region_info region;
        quire_space_usage(space, &usage);
        quire_view_smaps_rollup(space, f.text, sizeof f.text);
        assert_non_null(strstr(f.text, "[rollup]\n"));
        assert_int_equal(kb_of(f.text, "Rss"), 4 * (usage.resident_anon + usage.resident_file));
        assert_int_equal(kb_of(f.text, "Swap"), 4 * usage.swapped);
        uint64_t files = 0, swapped = 0;
        for (quire_vaddr va = {0}; quire_region_at_or_after(space, va, false, &region);) {
            for (va = region.start; va.value < region.end.value; va.value += RIG_PAGE) {
                uint64_t word = quire_view_pagemap(space, va);
                assert_true(word >> 62 != 3); /* never in RAM and on swap alike */
                files += (word >> 63) & (word >> 61) & 1;
                swapped += (word >> 62) & 1;
                assert_true((word & (UINT64_C(1) << 63)) == 0 ||
                            (word & ((UINT64_C(1) << 55) - 1)) < RAM / RIG_PAGE + 0x80000);
            }
        }
        assert_int_equal(files, usage.resident_file);
        assert_int_equal(swapped, usage.swapped);
    }
    assert_int_equal(quire_view_pagemap(f.rig.spaces[0], quire_va(0x3000)), 0);
    rig_down(&f.rig);
}

static void statm_and_status(void **state) {
    (void)state;
    static struct fixture f;
    setup(&f);
    struct quire_space_usage usage;
    quire_space_usage(f.rig.spaces[0], &usage);
    uint64_t n[7];
    quire_view_statm(f.rig.spaces[0], f.text, sizeof f.text);
    assert_int_equal(sscanf(f.text,
                            "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
                            " %" SCNu64 "\n",
                            &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6]),
                     7);
    assert_int_equal(n[0], usage.virtual_pages);
    assert_int_equal(n[1], usage.resident_anon + usage.resident_file + usage.resident_shmem);
    assert_int_equal(n[2], usage.resident_file + usage.resident_shmem);
    assert_int_equal(n[3], usage.text);
    assert_int_equal(n[5], usage.data + usage.stack);

    quire_view_status(f.rig.spaces[0], f.text, sizeof f.text);
    const struct {
        const char *label;
        uint64_t pages;
    } lines[] = {
        {"VmPeak", usage.peak_virtual},   {"VmSize", usage.virtual_pages},
        {"VmHWM", usage.peak_resident},   {"VmRSS", n[1]},
        {"RssAnon", usage.resident_anon}, {"RssFile", usage.resident_file},
        {"VmData", usage.data},           {"VmStk", usage.stack},
        {"VmPTE", usage.page_tables},     {"VmSwap", usage.swapped},
    };
    for (unsigned i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char expected[64];
        snprintf(expected, sizeof expected, "%s:\t%8" PRIu64 " kB\n", lines[i].label,
                 lines[i].pages * 4);
        assert_non_null(strstr(f.text, expected));
    }
    rig_down(&f.rig);
}

/* Whatever the capacity: never past it, always ended, always the whole length returned. */
static void cut_anywhere(void **state) {
    (void)state;
    static struct fixture f;
    static char whole[65536];
    setup(&f);
    size_t length = quire_view_maps(f.rig.spaces[0], whole, sizeof whole);
    assert_int_equal(quire_view_maps(f.rig.spaces[0], NULL, 0), length);
    for (size_t capacity = 1; capacity <= length + 1; capacity++) {
        memset(f.text, '#', length + 2);
        assert_int_equal(quire_view_maps(f.rig.spaces[0], f.text, capacity), length);
        assert_int_equal(strlen(f.text), capacity - 1);
        assert_memory_equal(f.text, whole, capacity - 1);
        assert_int_equal(f.text[capacity], '#');
    }
    assert_int_equal(quire_view_meminfo(f.rig.q, f.text, 10),
                     quire_view_meminfo(f.rig.q, whole, sizeof whole));
    assert_int_equal(strlen(f.text), 9);
    rig_down(&f.rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(meminfo),
        cmocka_unit_test(vmstat),
        cmocka_unit_test(zones),
        cmocka_unit_test(buddyinfo),
        cmocka_unit_test(slabinfo),
        cmocka_unit_test(swaps),
        cmocka_unit_test(maps),
        cmocka_unit_test(smaps),
        cmocka_unit_test(statm_and_status),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(rollup_and_pagemap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
