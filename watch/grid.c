/* grid.c: where in memory something happened, and when, on a grid of fixed size.
 *
 *     address  ▲   rows: stretches of 2^shift bytes that were ever touched, gaps left out
 *              │   columns: stretches of time
 *              └──────▶ time
 *
 * When the columns run out, two become one; when the rows do, a row covers twice the bytes, and
 * neighbours join. Both keep every count (I1), so the picture gets coarser and never wrong.
 *
 *   I1  The sum of all cells is the sum of all weights, unless a cell is full (2^32).
 *   I2  No two rows have the same space and stretch.
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
    grid->last = 0;
}

/* The row of a place: the one found last, the one that was there last, or any. Rows move when they
 * halve, so what is remembered is believed only if it is so. -1: there is none. */
static int row_of(struct watch_grid *grid, uint32_t space, uint64_t at) {
    uint16_t *near = &grid->near[(at ^ at >> 6 ^ space) % WATCH_GRID_WAYS];
    const struct watch_row *row = &grid->rows[*near];
    if (*near < grid->nrows && row->space == space && row->at == at)
        return *near;
    int found = find(grid, grid->nrows, space, at);
    *near = found < 0 ? *near : (uint16_t)found;
    return found;
}

void watch_grid_add(struct watch_grid *grid, uint32_t space, uint64_t va, uint64_t now_ns,
                    uint32_t weight) {
    while (now_ns / grid->column_ns >= WATCH_COLUMNS)
        halve_columns(grid);
    struct watch_row *row = &grid->rows[grid->last];
    if (grid->nrows == 0 || row->space != space || row->at != va >> grid->shift) {
        int found = row_of(grid, space, va >> grid->shift);
        while (found < 0 && grid->nrows == WATCH_ROWS) {
            if (grid->shift == 47) { /* more spaces than rows: the newest are told no more */
                found = WATCH_ROWS - 1;
                break;
            }
            halve_rows(grid);
            found = find(grid, grid->nrows, space, va >> grid->shift);
        }
        if (found < 0) {
            found = (int)grid->nrows++;
            memset(&grid->rows[found], 0, sizeof grid->rows[found]);
            grid->rows[found].space = space;
            grid->rows[found].at = va >> grid->shift;
        }
        grid->last = (unsigned)found;
        row = &grid->rows[found];
    }
    add_to_cell(&row->cells[now_ns / grid->column_ns], weight);
}

static int by_place(const void *a, const void *b) {
    const struct watch_row *one = a, *two = b;
    if (one->space != two->space)
        return one->space < two->space ? -1 : 1;
    return one->at < two->at ? -1 : one->at > two->at;
}

void watch_grid_sort(struct watch_grid *grid) {
    qsort(grid->rows, grid->nrows, sizeof grid->rows[0], by_place);
    grid->last = 0;
}
