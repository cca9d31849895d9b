/* account.c: the bounded tables of watch/, filled beyond their ends, against plain counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "watch/account.h"

static uint64_t state = 1;

/* xorshift64 (Marsaglia 2003) */
static uint64_t draw(uint64_t bound) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % bound;
}

/* Ten times as many samples as there is room: every rate's sum is its total, time goes forward, and
 * the levels are some that were there. */
static void series_keep_sums(void **unused) {
    (void)unused;
    struct watch_series *series = calloc(1, sizeof *series);
    uint64_t now = 0, totals[WATCH_RATES] = {0}, levels[WATCH_LEVELS] = {0};
    assert_non_null(series);
    watch_series_begin(series);
    for (unsigned i = 0; i < 10 * WATCH_SAMPLES; i++) {
        now += draw(3) * 700000; /* some at the same moment */
        for (unsigned r = 0; r < WATCH_RATES; r++)
            totals[r] += draw(1000);
        levels[WATCH_FREE] = now;
        watch_series_add(series, now, levels, totals);
    }
    assert_in_range(series->count, WATCH_SAMPLES / 2, WATCH_SAMPLES);
    uint64_t sums[WATCH_RATES] = {0};
    for (unsigned i = 0; i < series->count; i++) {
        assert_true(i == 0 || series->samples[i].end_ns > series->samples[i - 1].end_ns);
        assert_int_equal(series->samples[i].level[WATCH_FREE], series->samples[i].end_ns);
        for (unsigned r = 0; r < WATCH_RATES; r++)
            sums[r] += series->samples[i].rate[r];
    }
    assert_memory_equal(sums, totals, sizeof sums);
    assert_int_equal(series->samples[series->count - 1].end_ns, now);
    free(series);
}

/* Three spaces, a wide range of addresses, a long time: the cells' sum by space and by column is
 * that of a plain count at the final resolution. */
static void grid_keeps_counts(void **unused) {
    (void)unused;
    enum { EVENTS = 20000 };
    struct watch_grid *grid = calloc(1, sizeof *grid);
    uint64_t(*events)[3] = calloc(EVENTS, sizeof *events);
    assert_true(grid && events);
    watch_grid_begin(grid);
    for (unsigned i = 0; i < EVENTS; i++) {
        events[i][0] = 1 + draw(3);
        events[i][1] = draw(2) ? 0x10000 + draw(1 << 24) : 0x3f00000000 + draw(1 << 26);
        events[i][2] = i * UINT64_C(900000); /* 18 s: the columns run out several times */
        watch_grid_add(grid, (uint32_t)events[i][0], events[i][1], events[i][2], 2);
    }
    watch_grid_sort(grid);
    for (unsigned r = 0; r < grid->nrows; r++) {
        const struct watch_row *row = &grid->rows[r];
        uint32_t plain[WATCH_COLUMNS] = {0};
        for (unsigned i = 0; i < EVENTS; i++) {
            if (events[i][0] == row->space && events[i][1] >> grid->shift == row->at)
                plain[events[i][2] / grid->column_ns] += 2;
        }
        assert_memory_equal(plain, row->cells, sizeof plain);
        assert_true(r == 0 || row[-1].space < row->space ||
                    (row[-1].space == row->space && row[-1].at < row->at));
    }
    uint64_t sum = 0;
    for (unsigned r = 0; r < grid->nrows; r++) {
        for (unsigned c = 0; c < WATCH_COLUMNS; c++)
            sum += grid->rows[r].cells[c];
    }
    assert_int_equal(sum, 2 * EVENTS); /* no row is missing */
    free(events);
    free(grid);
}

/* More spaces than rows: nothing is lost, and it ends. */
static void grid_of_many_spaces(void **unused) {
    (void)unused;
    struct watch_grid *grid = calloc(1, sizeof *grid);
    uint64_t sum = 0;
    assert_non_null(grid);
    watch_grid_begin(grid);
    for (uint32_t i = 0; i < 2 * WATCH_ROWS; i++)
        watch_grid_add(grid, i, 0x10000, 0, 1);
    watch_grid_sort(grid);
    for (unsigned r = 0; r < grid->nrows; r++)
        sum += grid->rows[r].cells[0];
    assert_int_equal(sum, 2 * WATCH_ROWS);
    free(grid);
}

/* More paths and more instructions than there is room for: sums stay right. */
static void sites_keep_counts(void **unused) {
    (void)unused;
    struct watch_sites *sites = calloc(1, sizeof *sites);
    uint64_t costs = 0, misses = 0;
    assert_non_null(sites);
    watch_sites_begin(sites);
    for (unsigned i = 0; i < 2 * WATCH_NODES; i++) {
        struct watch_code path[3] = {{1, i}, {1, i % 100}, {2, i % 10}};
        watch_node_of(sites, path, 3)->counts.of[WATCH_MAJOR] += i;
        watch_site_miss(sites, watch_site_of(sites, path[0]), i);
    }
    for (unsigned i = 0; i < sites->nnodes; i++)
        costs += sites->nodes[i].counts.of[WATCH_MAJOR];
    assert_int_equal(sites->nsites, WATCH_SITES);
    for (unsigned i = 0; i < WATCH_SITES; i++)
        misses += sites->sites[i].misses;
    assert_int_equal(sites->nnodes, WATCH_NODES);
    assert_int_equal(costs, (uint64_t)WATCH_NODES * (2 * WATCH_NODES - 1));
    assert_int_equal(misses + sites->sites_lost, 2 * WATCH_NODES);
    struct watch_code known[3] = {{1, 5}, {1, 5}, {2, 5}};
    struct watch_node *node = watch_node_of(sites, known, 3);
    assert_int_equal(node->counts.of[WATCH_MAJOR], 5);
    assert_ptr_equal(watch_node_of(sites, known, 3), node);
    watch_sites_end(sites);
    free(sites);
}

/* A walk is told from random misses. */
static void strides_are_seen(void **unused) {
    (void)unused;
    struct watch_sites *sites = calloc(1, sizeof *sites);
    assert_non_null(sites);
    watch_sites_begin(sites);
    for (uint64_t i = 0; i < 1000; i++) {
        watch_site_miss(sites, watch_site_of(sites, (struct watch_code){1, 1}),
                        0x1000000 - i * 8192);
        watch_site_miss(sites, watch_site_of(sites, (struct watch_code){1, 2}),
                        draw(1 << 20) * 4096);
    }
    assert_int_equal(sites->nsites, 3); /* with none */
    for (unsigned i = 1; i < sites->nsites; i++) {
        const struct watch_site *site = &sites->sites[i];
        assert_int_equal(site->misses, 1000);
        if (site->code.offset == 1) {
            assert_int_equal(site->strided, 998);
            assert_int_equal(site->stride, -8192);
        } else {
            assert_in_range(site->strided, 0, 10);
        }
    }
    watch_sites_end(sites);
    free(sites);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(series_keep_sums),    cmocka_unit_test(grid_keeps_counts),
        cmocka_unit_test(grid_of_many_spaces), cmocka_unit_test(sites_keep_counts),
        cmocka_unit_test(strides_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
