/* grid.c: where in memory something happened, and when, on a grid of fixed size.
 *
 *     address  ▲   rows: stretches of 2^shift bytes that were ever touched, gaps left out
 *              │   columns: stretches of time
 *              └──────▶ time
 *
 * When the columns run out, two become one; when the rows do, a row covers twice the bytes, and
 * neighbours join. Both keep every count (I1), so the picture gets coarser and never wrong.
 *
 *   I1  The sum of all cells and of the present column is the sum of all weights, unless a cell is
 *       full (2^32).
 *   I2  No two rows have the same space and stretch.
 *   I3  A place that is remembered has the row that it says: rows that move are forgotten.
 *
 * Each miss of the TLB comes here. So the present column is kept by itself, in a few lines of the
 * host's cache, and becomes cells when time goes on; and the row of a place is found by a hash.
 */
#include "watch/account.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SHIFT     14 /* four pages a row: small programs show their pages */
#define FIRST_COLUMN_NS 1000000

void watch_grid_begin(struct watch_grid *grid) {
    grid->shift = FIRST_SHIFT;
    grid->column_ns = FIRST_COLUMN_NS;
}

static void add_to_cell(uint32_t *cell, uint32_t weight) {
    *cell = *cell > UINT32_MAX - weight ? UINT32_MAX : *cell + weight;
}

/* What the present column has goes to its cells. */
static void settle(struct watch_grid *grid) {
    for (unsigned r = 0; r < grid->nrows; r++) {
        add_to_cell(&grid->rows[r].cells[grid->column], grid->now[r]);
        grid->now[r] = 0;
    }
}

static void halve_columns(struct watch_grid *grid) {
    for (unsigned r = 0; r < grid->nrows; r++) {
        uint32_t *cells = grid->rows[r].cells;
        for (unsigned c = 0; c < WATCH_COLUMNS / 2; c++) {
            uint32_t late = cells[2 * c + 1];
            cells[c] = cells[2 * c];
            add_to_cell(&cells[c], late);
        }
        memset(cells + WATCH_COLUMNS / 2, 0, WATCH_COLUMNS / 2 * sizeof *cells);
    }
    grid->column_ns *= 2;
}

static int find(const struct watch_grid *grid, unsigned nrows, uint32_t space, uint64_t at) {
    for (unsigned r = nrows; r-- > 0;) {
        if (grid->rows[r].at == at && grid->rows[r].space == space)
            return (int)r;
    }
    return -1;
}

static void halve_rows(struct watch_grid *grid) {
    unsigned kept = 0;
    settle(grid);
    grid->shift++;
    for (unsigned r = 0; r < grid->nrows; r++) {
        struct watch_row *row = &grid->rows[r];
        row->at >>= 1;
        int same = find(grid, kept, row->space, row->at);
        if (same < 0) {
            grid->rows[kept++] = *row; /* onto itself, or one before */
            continue;
        }
        for (unsigned c = 0; c < WATCH_COLUMNS; c++)
            add_to_cell(&grid->rows[same].cells[c], row->cells[c]);
    }
    grid->nrows = kept;
    memset(grid->places, 0, sizeof grid->places); /* I3 */
}

/* The number of the row that a place has; there is one from now on. */
static unsigned row_of(struct watch_grid *grid, uint32_t space, uint64_t va) {
    int found = find(grid, grid->nrows, space, va >> grid->shift);
    while (found < 0 && grid->nrows == WATCH_ROWS) {
        if (grid->shift == 47) /* more spaces than rows: the newest are told no more */
            return WATCH_ROWS - 1;
        halve_rows(grid);
        found = find(grid, grid->nrows, space, va >> grid->shift);
    }
    if (found >= 0)
        return (unsigned)found;
    memset(&grid->rows[grid->nrows], 0, sizeof grid->rows[grid->nrows]);
    grid->rows[grid->nrows].space = space;
    grid->rows[grid->nrows].at = va >> grid->shift;
    return grid->nrows++;
}

/* Where a place is remembered, or should be instead of another one. */
static struct watch_place *place_of(struct watch_grid *grid, uint32_t space, uint64_t at) {
    struct watch_place *set = grid->places[(at ^ at >> 6 ^ space) % WATCH_GRID_SETS];
    for (unsigned i = 0; i < WATCH_GRID_WAYS; i++) {
        if ((set[i].at == at && set[i].space == space) || set[i].row == 0)
            return &set[i];
    }
    return &set[at >> 6 & (WATCH_GRID_WAYS - 1)];
}

/* Another column begins, a later one or, where harts have clocks of their own, an earlier one. */
static void turn_to(struct watch_grid *grid, uint64_t now_ns) {
    settle(grid);
    while (now_ns / grid->column_ns >= WATCH_COLUMNS)
        halve_columns(grid);
    grid->column = (unsigned)(now_ns / grid->column_ns);
    grid->column_begins_ns = grid->column * grid->column_ns;
}

void watch_grid_add(struct watch_grid *grid, uint32_t space, uint64_t va, uint64_t now_ns,
                    uint32_t weight) {
    uint64_t at = va >> grid->shift;
    struct watch_place *place = place_of(grid, space, at);
    if (now_ns - grid->column_begins_ns >= grid->column_ns)
        turn_to(grid, now_ns);
    if (place->row == 0 || place->at != at || place->space != space) {
        unsigned row = row_of(grid, space, va);
        at = va >> grid->shift; /* rows may have been halved */
        place = place_of(grid, space, at);
        *place = (struct watch_place){at, space, row + 1};
    }
    add_to_cell(&grid->now[place->row - 1], weight);
}

static int by_place(const void *a, const void *b) {
    const struct watch_row *one = a, *two = b;
    if (one->space != two->space)
        return one->space < two->space ? -1 : 1;
    return one->at < two->at ? -1 : one->at > two->at;
}

void watch_grid_sort(struct watch_grid *grid) {
    settle(grid);
    qsort(grid->rows, grid->nrows, sizeof grid->rows[0], by_place);
    memset(grid->places, 0, sizeof grid->places); /* I3 */
}
