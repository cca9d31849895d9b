/* frames.c: maps of frames and of a space's pages, for pictures: a line for each run of equal
 * cells.
 *
 * Owns no state. Linux has these only as binary files of a word a page (/proc/kpageflags, pagemap).
 * A picture has so many cells and no more, so here frames are counted by cell, and neighbours that
 * count the same are one line:
 *
 *     first 0 frames 8192 cell 2                   a cell is 2 frames; the first frame is 0
 *     6 reserved 2                                 six cells of two reserved frames
 *     1 anon 1 free3 1                             one cell: a program's frame, one of a block
 *
 *     cell 4                                       a cell is 4 pages
 *     00400000-00480000 2:4/0/0 1:1/0/2 29:0/0/0   cells:anonymous/of files/on swap
 *
 * free0 to free10 are blocks on the buddy lists, by order; cached is what processors' lists hold.
 * Sums over all cells are the figures of meminfo, buddyinfo and smaps.
 *
 * Cannot fail; text that does not fit is counted (view.h). O(frames), where a block is one step;
 * O(regions + pages). Called by os/ for who looks on from outside.
 */
#include "page/page.h"
#include "view/lines.h"
#include "vm/vm.h"

/* QUIRE_NUSES uses, of which FREE is by order; then what processors hold. */
#define KIND_FREE   QUIRE_NUSES
#define KIND_CACHED (QUIRE_NUSES + QUIRE_NORDERS)
#define NKINDS      (KIND_CACHED + 1)

static const char *const use_names[QUIRE_NUSES] = {
    [QUIRE_USE_RESERVED] = "reserved", [QUIRE_USE_FREE] = "free",   [QUIRE_USE_KERNEL] = "kernel",
    [QUIRE_USE_SLAB] = "slab",         [QUIRE_USE_TABLE] = "table", [QUIRE_USE_ANON] = "anon",
    [QUIRE_USE_FILE] = "file",         [QUIRE_USE_SHMEM] = "shmem",
};

/* The least power of two, as a shift, that makes at most max_cells of so many frames. */
static unsigned frame_shift(uint32_t nframes, unsigned max_cells) {
    unsigned shift = 0;
    while ((nframes - 1) >> shift >= max_cells) {
        shift++;
    }
    return shift;
}

/* ---- frames ---------------------------------------------------------------------------------- */

struct run {
    uint64_t cells;         /* 0: none yet */
    uint32_t count[NKINDS]; /* of each of them */
};

static void put_run(struct quire_text *text, const struct run *run) {
    if (run->cells == 0) {
        return;
    }
    quire_text_decimal(text, run->cells, 0);
    for (unsigned kind = 0; kind < NKINDS; kind++) {
        if (run->count[kind] == 0) {
            continue;
        }
        quire_text_char(text, ' ');
        if (kind == KIND_CACHED) {
            quire_text_string(text, "cached");
        } else if (kind >= KIND_FREE) {
            quire_text_string(text, use_names[QUIRE_USE_FREE]);
            quire_text_decimal(text, kind - KIND_FREE, 0);
        } else {
            quire_text_string(text, use_names[kind]);
        }
        quire_text_char(text, ' ');
        quire_text_decimal(text, run->count[kind], 0);
    }
    quire_text_char(text, '\n');
}

/* One more cell, which is empty again afterwards. */
static void add_cell(struct quire_text *text, struct run *run, uint32_t cell[NKINDS]) {
    bool same = run->cells > 0;
    for (unsigned kind = 0; kind < NKINDS; kind++) {
        same = same && run->count[kind] == cell[kind];
    }
    if (!same) {
        put_run(text, run);
        run->cells = 0;
    }
    for (unsigned kind = 0; kind < NKINDS; kind++) {
        run->count[kind] = cell[kind];
        cell[kind] = 0;
    }
    run->cells++;
}

static unsigned kind_of(struct quire_page_state state) {
    if (state.use != QUIRE_USE_FREE) {
        return state.use;
    }
    return state.head ? KIND_FREE + state.order : KIND_CACHED;
}

size_t quire_view_frames(const struct quire *q, unsigned max_cells, char *bytes, size_t capacity) {
    struct quire_text text;
    struct run run = {0};
    uint32_t cell[NKINDS] = {0}, first, end;
    quire_page_bounds(q, quire_page_top_zone(q), &first, &end);
    uint32_t per_cell = 1u << frame_shift(end - first, max_cells), room = per_cell;
    quire_text_init(&text, bytes, capacity);
    quire_text_string(&text, "first ");
    quire_text_decimal(&text, first, 0);
    quire_text_string(&text, " frames ");
    quire_text_decimal(&text, end - first, 0);
    quire_text_string(&text, " cell ");
    quire_text_decimal(&text, per_cell, 0);
    quire_text_char(&text, '\n');
    for (uint32_t frame = first; frame < end;) {
        struct quire_page_state state = quire_page_state(q, (quire_frame){frame});
        uint32_t nframes = state.use == QUIRE_USE_RESERVED ? 1 : 1u << state.order;
        frame += nframes;
        while (nframes > 0) {
            uint32_t part = nframes < room ? nframes : room;
            cell[kind_of(state)] += part;
            nframes -= part;
            room -= part;
            if (room == 0) {
                add_cell(&text, &run, cell);
                room = per_cell;
            }
        }
    }
    if (room < per_cell) {
        add_cell(&text, &run, cell);
    }
    put_run(&text, &run);
    return quire_text_end(&text);
}

/* ---- pages ----------------------------------------------------------------------------------- */

struct cell {
    uint64_t anon, file, swapped; /* pages */
};

struct strip {
    struct quire_text *text;
    uint64_t cells; /* a run of equal ones; 0: none */
    struct cell each;
};

static void put_strip(struct strip *strip) {
    if (strip->cells > 0) {
        quire_text_char(strip->text, ' ');
        quire_text_decimal(strip->text, strip->cells, 0);
        quire_text_char(strip->text, ':');
        quire_text_decimal(strip->text, strip->each.anon, 0);
        quire_text_char(strip->text, '/');
        quire_text_decimal(strip->text, strip->each.file, 0);
        quire_text_char(strip->text, '/');
        quire_text_decimal(strip->text, strip->each.swapped, 0);
    }
    strip->cells = 0;
}

static void add_cells(struct strip *strip, uint64_t cells, struct cell cell) {
    if (strip->each.anon != cell.anon || strip->each.file != cell.file ||
        strip->each.swapped != cell.swapped) {
        put_strip(strip);
    }
    strip->cells += cells;
    strip->each = cell;
}

static void region_strip(struct quire_text *text, struct quire_space *space,
                         const struct quire_region_info *region, unsigned shift) {
    struct strip strip = {.text = text};
    struct cell cell = {0};
    struct quire_place place;
    quire_vaddr va = region->start;
    uint64_t at = 0, pages = (region->end.value - region->start.value) >> QUIRE_PAGE_SHIFT;
    uint64_t ncells = ((pages - 1) >> shift) + 1;
    for (; quire_vm_next_place(space, va, region->end, &place);
         va = quire_va(place.va.value + QUIRE_PAGE_SIZE)) {
        uint64_t to = (place.va.value - region->start.value) >> QUIRE_PAGE_SHIFT >> shift;
        if (to != at) {
            add_cells(&strip, 1, cell);
            cell = (struct cell){0};
            if (to > at + 1) {
                add_cells(&strip, to - at - 1, cell);
            }
            at = to;
        }
        *(!place.page                         ? &cell.swapped
          : place.page->use == QUIRE_USE_ANON ? &cell.anon
                                              : &cell.file) += 1;
    }
    add_cells(&strip, 1, cell);
    if (at + 1 < ncells) {
        add_cells(&strip, ncells - at - 1, (struct cell){0});
    }
    put_strip(&strip);
}

/* As for frames, but each region has whole cells. */
static unsigned page_shift(const struct quire_space *space, unsigned max_cells) {
    struct quire_region_info region;
    for (unsigned shift = 0;; shift++) {
        uint64_t ncells = 0, nregions = 0;
        quire_vaddr va = quire_va(0);
        for (; quire_region_at_or_after(space, va, false, &region); va = region.end) {
            uint64_t pages = (region.end.value - region.start.value) >> QUIRE_PAGE_SHIFT;
            ncells += ((pages - 1) >> shift) + 1;
            nregions++;
        }
        if (ncells <= max_cells || ncells == nregions) {
            return shift;
        }
    }
}

size_t quire_view_pages(const struct quire_space *space, unsigned max_cells, char *bytes,
                        size_t capacity) {
    struct quire_region_info region;
    struct quire_text text;
    quire_vaddr va = quire_va(0);
    struct quire_space *writable = view_same_space(space);
    unsigned shift = page_shift(space, max_cells);
    quire_text_init(&text, bytes, capacity);
    quire_text_string(&text, "cell ");
    quire_text_decimal(&text, (uint64_t)1 << shift, 0);
    quire_text_char(&text, '\n');
    for (; quire_region_at_or_after(space, va, false, &region); va = region.end) {
        quire_text_hex(&text, region.start.value, 8);
        quire_text_char(&text, '-');
        quire_text_hex(&text, region.end.value, 8);
        region_strip(&text, writable, &region, shift);
        quire_text_char(&text, '\n');
    }
    return quire_text_end(&text);
}
