/* zones.c: /proc/buddyinfo, pagetypeinfo and zoneinfo: RAM by zone, order and migrate type.
 *
 * Owns no state. The texts are those of mm/vmstat.c: frag_show_print, pagetypeinfo_show and
 * zoneinfo_show_print, as of Linux 6.x. Free blocks are those on the buddy lists, as there; what
 * the processors' lists hold is shown under pagesets.
 *
 * What one zone holds of the LRU lists is counted by walking them: nobody else asks by zone.
 * O(zones * orders), zoneinfo O(pages on the lists). Cannot fail; text that does not fit is counted
 * (view.h). Called by os/ for /proc.
 */
#include "page/lru.h"
#include "page/page.h"
#include "view/lines.h"

/* Linux also has HighAtomic, CMA and Isolate; they would be empty here. */
static const char *const type_names[QUIRE_NMIGRATE] = {"Unmovable", "Movable", "Reclaimable"};

static void zone_start(struct quire_text *text, const struct quire_zone_info *zone) {
    quire_text_string(text, "Node 0, zone ");
    quire_text_right(text, zone->name, 8);
}

size_t quire_view_buddyinfo(const struct quire *q, char *bytes, size_t capacity) {
    struct quire_zone_info zone;
    struct quire_text text;
    quire_text_init(&text, bytes, capacity);
    for (unsigned i = 0; quire_page_zone(q, i, &zone); i++) {
        zone_start(&text, &zone);
        quire_text_char(&text, ' ');
        for (unsigned order = 0; order < QUIRE_NORDERS; order++) {
            uint64_t blocks = 0;
            for (unsigned type = 0; type < QUIRE_NMIGRATE; type++) {
                blocks += zone.blocks[order][type];
            }
            quire_text_decimal(&text, blocks, 6);
            quire_text_char(&text, ' ');
        }
        quire_text_char(&text, '\n');
    }
    return quire_text_end(&text);
}

/* ---- pagetypeinfo ---------------------------------------------------------------------------- */

static void free_counts(struct quire_text *text, const struct quire_zone_info *zone) {
    for (unsigned type = 0; type < QUIRE_NMIGRATE; type++) {
        quire_text_string(text, "Node    0, zone ");
        quire_text_right(text, zone->name, 8);
        quire_text_string(text, ", type ");
        quire_text_right(text, type_names[type], 12);
        quire_text_char(text, ' ');
        for (unsigned order = 0; order < QUIRE_NORDERS; order++) {
            quire_text_decimal(text, zone->blocks[order][type], 6);
            quire_text_char(text, ' ');
        }
        quire_text_char(text, '\n');
    }
}

size_t quire_view_pagetypeinfo(const struct quire *q, char *bytes, size_t capacity) {
    struct quire_zone_info zone;
    struct quire_text text;
    quire_text_init(&text, bytes, capacity);
    quire_text_string(&text, "Page block order: ");
    quire_text_decimal(&text, QUIRE_PAGEBLOCK_ORDER, 0);
    quire_text_string(&text, "\nPages per block:  ");
    quire_text_decimal(&text, (uint64_t)1 << QUIRE_PAGEBLOCK_ORDER, 0);
    quire_text_string(&text, "\n\nFree pages count per migrate type at order  ");
    for (unsigned order = 0; order < QUIRE_NORDERS; order++) {
        quire_text_decimal(&text, order, 6);
        quire_text_char(&text, ' ');
    }
    quire_text_char(&text, '\n');
    for (unsigned i = 0; quire_page_zone(q, i, &zone); i++) {
        free_counts(&text, &zone);
    }
    quire_text_string(&text, "\nNumber of blocks type  ");
    for (unsigned type = 0; type < QUIRE_NMIGRATE; type++) {
        quire_text_right(&text, type_names[type], 12);
        quire_text_char(&text, ' ');
    }
    quire_text_char(&text, '\n');
    for (unsigned i = 0; quire_page_zone(q, i, &zone); i++) {
        zone_start(&text, &zone);
        quire_text_char(&text, ' ');
        for (unsigned type = 0; type < QUIRE_NMIGRATE; type++) {
            quire_text_decimal(&text, zone.pageblocks[type], 12);
            quire_text_char(&text, ' ');
        }
        quire_text_char(&text, '\n');
    }
    return quire_text_end(&text);
}

/* ---- zoneinfo -------------------------------------------------------------------------------- */

/* "      NAME VALUE" with Linux's column of names. */
static void stat_line(struct quire_text *text, const char *name, uint64_t value) {
    quire_text_string(text, "\n      ");
    quire_text_left(text, name, 12);
    quire_text_char(text, ' ');
    quire_text_decimal(text, value, 0);
}

static void mark_line(struct quire_text *text, const char *name, uint64_t value) {
    quire_text_string(text, "\n        ");
    quire_text_left(text, name, 8);
    quire_text_char(text, ' ');
    quire_text_decimal(text, value, 0);
}

static void node_stats(struct quire_text *text, const struct quire *q) {
    quire_text_string(text, "\n  per-node stats");
    stat_line(text, "nr_inactive_anon", quire_lru_count(q, QUIRE_LRU_INACTIVE_ANON));
    stat_line(text, "nr_active_anon", quire_lru_count(q, QUIRE_LRU_ACTIVE_ANON));
    stat_line(text, "nr_inactive_file", quire_lru_count(q, QUIRE_LRU_INACTIVE_FILE));
    stat_line(text, "nr_active_file", quire_lru_count(q, QUIRE_LRU_ACTIVE_FILE));
    stat_line(text, "nr_anon_pages", quire_page_count(q, QUIRE_USE_ANON));
    stat_line(text, "nr_file_pages",
              quire_page_count(q, QUIRE_USE_FILE) + quire_page_count(q, QUIRE_USE_SHMEM));
    stat_line(text, "nr_shmem", quire_page_count(q, QUIRE_USE_SHMEM));
    stat_line(text, "nr_page_table_pages", quire_page_count(q, QUIRE_USE_TABLE));
}

static void pagesets(struct quire_text *text, const struct quire *q, unsigned index,
                     unsigned ncpus) {
    quire_text_string(text, "\n  pagesets");
    for (unsigned cpu = 0; cpu < ncpus; cpu++) {
        struct quire_pcp_info pcp;
        quire_page_pcp(q, index, cpu, &pcp);
        quire_text_string(text, "\n    cpu: ");
        quire_text_decimal(text, cpu, 0);
        quire_text_string(text, "\n              count:    ");
        quire_text_decimal(text, pcp.count, 0);
        quire_text_string(text, "\n              high:     ");
        quire_text_decimal(text, pcp.high, 0);
        quire_text_string(text, "\n              batch:    ");
        quire_text_decimal(text, pcp.batch, 0);
    }
}

static void zone_marks(struct quire_text *text, const struct quire_zone_info *zone) {
    quire_text_string(text, "\n  pages free     ");
    quire_text_decimal(text, zone->free, 0);
    mark_line(text, "boost", 0);
    mark_line(text, "min", zone->watermark[QUIRE_WMARK_MIN]);
    mark_line(text, "low", zone->watermark[QUIRE_WMARK_LOW]);
    mark_line(text, "high", zone->watermark[QUIRE_WMARK_HIGH]);
    mark_line(text, "spanned", zone->end - zone->first);
    mark_line(text, "present", zone->present);
    mark_line(text, "managed", zone->managed);
    mark_line(text, "cma", 0);
    quire_text_string(text, "\n        protection: (");
    for (unsigned i = 0; i < QUIRE_NZONES; i++) {
        quire_text_string(text, i > 0 ? ", " : "");
        quire_text_decimal(text, zone->protection[i], 0);
    }
    quire_text_char(text, ')');
}

/* What of each LRU list lies in the zone. */
static void zone_lists(struct quire_text *text, const struct quire *q,
                       const struct quire_zone_info *zone) {
    static const char *const names[QUIRE_NLRUS] = {
        [QUIRE_LRU_INACTIVE_ANON] = "nr_zone_inactive_anon",
        [QUIRE_LRU_ACTIVE_ANON] = "nr_zone_active_anon",
        [QUIRE_LRU_INACTIVE_FILE] = "nr_zone_inactive_file",
        [QUIRE_LRU_ACTIVE_FILE] = "nr_zone_active_file",
    };
    stat_line(text, "nr_free_pages", zone->free);
    for (unsigned list = 0; list < QUIRE_NLRUS; list++) {
        stat_line(text, names[list], quire_lru_count_between(q, list, zone->first, zone->end));
    }
}

size_t quire_view_zoneinfo(const struct quire *q, char *bytes, size_t capacity) {
    struct quire_zone_info zone;
    struct quire_text text;
    quire_text_init(&text, bytes, capacity);
    for (unsigned i = 0; quire_page_zone(q, i, &zone); i++) {
        zone_start(&text, &zone);
        if (i == 0) {
            node_stats(&text, q);
        }
        zone_marks(&text, &zone);
        zone_lists(&text, q, &zone);
        pagesets(&text, q, i, zone.ncpus);
        quire_text_string(&text, "\n  node_unreclaimable:  0\n  start_pfn:           ");
        quire_text_decimal(&text, zone.first, 0);
        quire_text_char(&text, '\n');
    }
    return quire_text_end(&text);
}
