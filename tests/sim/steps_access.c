/* steps_access.c: what programs and the kernel do with bytes: load, store, sweep, copy, compare.
 *
 * A program's access goes the machine's way (TLB, table walk, fault), the kernel's copies go
 * through quire_copy_in and its kin; both must see the same bytes and be refused the same things.
 */
#include <string.h>

#include "steps.h"

#define COPY_PAGES 5 /* a copy of up to four pages' bytes touches at most so many */

static bool any_lazy(const struct range *r) {
    for (unsigned i = r->page; i < r->page + r->n; i++) {
        if (r->model->pages[i].lazy)
            return true;
    }
    return false;
}

/* A store to a shared page of a file beyond the file's last byte may be kept or not: no program may
 * rely on it, so the simulation does not make one. */
static bool beyond_file(const struct sim *sim, const struct model_page *page, unsigned end_cell) {
    return page->mapped && page->object >= 0 && page->object < MODEL_FILES &&
           (page->flags & QUIRE_MAP_SHARED) && page->index < MODEL_OBJECT_PAGES &&
           (uint64_t)page->index * MODEL_CELLS + end_cell > sim->model.objects[page->object].ncells;
}

/* ---- accesses: space page n | ... ------------------------------------------------------------ */

/* offset access */
void sim_draw_load(struct sim *sim, int *a) {
    sim_draw_near(sim, a);
    a[2] = 1;
    a[3] = (int)sim_pick(sim, QUIRE_PAGE_SIZE);
    a[4] = sim_chance(sim, 10) ? QUIRE_ACCESS_EXEC : QUIRE_ACCESS_READ;
}

void sim_act_load(struct sim *sim, const int *a) {
    struct range r;
    uint8_t *host;
    unsigned offset = (unsigned)a[3] & QUIRE_PAGE_MASK;
    enum quire_access access = a[4] == QUIRE_ACCESS_EXEC ? QUIRE_ACCESS_EXEC : QUIRE_ACCESS_READ;
    if (sim_range(sim, a, &r) && sim_access(sim, r.s, r.page, offset, access, &host))
        sim_compare_page(sim, r.s, r.page, offset, host - offset);
}

/* cell cells value */
void sim_draw_store(struct sim *sim, int *a) {
    sim_draw_near(sim, a);
    a[2] = 1;
    a[3] = (int)sim_pick(sim, MODEL_CELLS);
    a[4] = 1 + (int)sim_pick(sim, 8);
    a[5] = sim_draw_value(sim);
}

void sim_act_store(struct sim *sim, const int *a) {
    struct range r;
    uint8_t *host;
    unsigned first = (unsigned)a[3] % MODEL_CELLS, n = (unsigned)a[4];
    if (!sim_range(sim, a, &r))
        return;
    if (n > MODEL_CELLS - first)
        n = MODEL_CELLS - first;
    struct model_page *page = &r.model->pages[r.page];
    if (beyond_file(sim, page, first + n))
        return;
    unsigned offset = first * MODEL_CELL_BYTES;
    if (!sim_access(sim, r.s, r.page, offset, QUIRE_ACCESS_WRITE, &host))
        return;
    sim_compare_page(sim, r.s, r.page, offset, host - offset); /* and settle what was lazy */
    memset(host, a[5], n * MODEL_CELL_BYTES);
    model_write(&sim->model, page, first, n, (uint8_t)a[5]);
}

/* A program fills a range, or reads through it: that is where memory goes. cell value; 0: read */
void sim_draw_sweep(struct sim *sim, int *a) {
    sim_draw_mapped(sim, a);
    a[3] = (int)sim_pick(sim, MODEL_CELLS);
    a[4] = sim_chance(sim, 70) ? sim_draw_value(sim) : 0;
}

void sim_act_sweep(struct sim *sim, const int *a) {
    struct range r;
    uint8_t *host;
    unsigned offset = (unsigned)a[3] % MODEL_CELLS * MODEL_CELL_BYTES;
    enum quire_access access = a[4] ? QUIRE_ACCESS_WRITE : QUIRE_ACCESS_READ;
    if (!sim_range(sim, a, &r))
        return;
    for (unsigned i = r.page; i < r.page + r.n && !sim->killed; i++) {
        struct model_page *page = &r.model->pages[i];
        if (!page->mapped || beyond_file(sim, page, MODEL_CELLS))
            continue;
        if (!sim_access(sim, r.s, i, offset, access, &host))
            continue;
        sim_compare_page(sim, r.s, i, offset, host - offset);
        if (!a[4])
            continue;
        memset(host, a[4], MODEL_CELL_BYTES);
        model_write(&sim->model, page, offset / MODEL_CELL_BYTES, 1, (uint8_t)a[4]);
    }
}

/* The machine forgets mappings, as the law allows it to at any time: nothing may change by it. */
void sim_draw_drop(struct sim *sim, int *a) {
    sim_draw_mapped(sim, a);
}

void sim_act_drop(struct sim *sim, const int *a) {
    struct range r;
    if (sim_range(sim, a, &r))
        quire_mach_pmap_remove(quire_space_pmap(r.real), r.va, r.n);
}

/* ---- the kernel's copies: space page n | cell cells value ------------------------------------ */

void sim_draw_copy_in(struct sim *sim, int *a) {
    sim_draw_mapped(sim, a);
    a[2] = COPY_PAGES;
    if (a[1] + COPY_PAGES > MODEL_PAGES)
        a[1] = MODEL_PAGES - COPY_PAGES;
    a[3] = (int)sim_pick(sim, MODEL_CELLS);
    /* Mostly short, as system calls' buffers are. */
    a[4] = 1 + (int)sim_pick(sim, sim_chance(sim, 75) ? MODEL_CELLS : 4 * MODEL_CELLS);
    a[5] = sim_draw_value(sim);
}

void sim_draw_copy_out(struct sim *sim, int *a) {
    sim_draw_copy_in(sim, a);
}

void sim_draw_copy_force(struct sim *sim, int *a) {
    sim_draw_copy_in(sim, a);
}

/* How many cells from (page, cell) on the model lets through; n at most. */
static unsigned model_reach(struct sim *sim, struct range *r, unsigned cell, unsigned n,
                            enum quire_access access, bool forced) {
    unsigned done = 0;
    while (done < n) {
        unsigned at = cell + done, page = r->page + at / MODEL_CELLS;
        if (page >= MODEL_PAGES)
            break;
        if (!(forced && r->model->pages[page].mapped) &&
            model_access(&sim->model, r->model, page, access) != QUIRE_OK)
            break;
        done += MODEL_CELLS - at % MODEL_CELLS;
    }
    return done < n ? done : n;
}

/* How many cells a copy of n must come to; a stack that the copy runs into grows. lossy worlds may
 * copy less (got), and what was not reached has not grown. */
static unsigned judge_reach(struct sim *sim, struct range *r, unsigned cell, unsigned n,
                            unsigned got, enum quire_access access, bool forced) {
    static struct model_space before;
    if (!sim->lossy && !sim_is_limited(sim))
        return model_reach(sim, r, cell, n, access, forced);
    before = *r->model;
    unsigned want = model_reach(sim, r, cell, n, access, forced);
    if (got < want) {
        *r->model = before;
        (void)model_reach(sim, r, cell, got, access, forced);
        unsigned page = r->page + (cell + got) / MODEL_CELLS;
        if (sim_is_limited(sim) && page < MODEL_PAGES && !r->model->pages[page].mapped)
            return got; /* a limit kept the stack from growing there */
    }
    return want;
}

/* Compare what was left over; lossy worlds may copy less, and a kill may cut a copy short: what was
 * copied by then stays, and others may see it. */
static void copied_cells(struct sim *sim, const char *what, unsigned n, size_t left, unsigned got,
                         unsigned want) {
    if (left % MODEL_CELL_BYTES != 0 || got > want || (got < want && !sim->lossy && !sim->killed))
        sim_fail(sim, "%s: %zu bytes of %u left, the model says %u", what, left,
                 n * MODEL_CELL_BYTES, (n - want) * MODEL_CELL_BYTES);
}

/* The range of a copy, its first cell and how many; false: not a copy that can be judged. */
static bool copy_range(struct sim *sim, const int *a, struct range *r, unsigned *cell,
                       unsigned *n) {
    *cell = (unsigned)a[3] % MODEL_CELLS;
    *n = (unsigned)a[4];
    if (*n == 0 || *n > (COPY_PAGES - 1) * MODEL_CELLS)
        return false;
    return sim_range(sim, a, r) && r->n == COPY_PAGES && !any_lazy(r);
}

void sim_act_copy_in(struct sim *sim, const int *a) {
    struct range r;
    uint8_t buffer[(COPY_PAGES - 1) * QUIRE_PAGE_SIZE];
    unsigned cell, n;
    if (!copy_range(sim, a, &r, &cell, &n))
        return;
    size_t left = quire_copy_in(r.real, buffer, quire_va(r.va.value + cell * MODEL_CELL_BYTES),
                                n * MODEL_CELL_BYTES);
    unsigned got = n - (unsigned)(left / MODEL_CELL_BYTES);
    unsigned want = judge_reach(sim, &r, cell, n, got, QUIRE_ACCESS_READ, false);
    copied_cells(sim, "copy_in", n, left, got, want);
    for (unsigned i = 0; i < got; i++) {
        unsigned at = cell + i;
        const struct model_page *page = &r.model->pages[r.page + at / MODEL_CELLS];
        uint8_t expected[MODEL_CELL_BYTES];
        memset(expected, model_visible(&sim->model, page)[at % MODEL_CELLS], sizeof expected);
        if (memcmp(buffer + i * MODEL_CELL_BYTES, expected, sizeof expected) != 0)
            sim_fail(sim, "copy_in page %u cell %u: 0x%02x..., the model says 0x%02x",
                     r.page + at / MODEL_CELLS, at % MODEL_CELLS, buffer[i * MODEL_CELL_BYTES],
                     expected[0]);
    }
}

static void copy_out(struct sim *sim, const int *a, bool forced) {
    struct range r;
    uint8_t buffer[(COPY_PAGES - 1) * QUIRE_PAGE_SIZE];
    unsigned cell, n;
    if (!copy_range(sim, a, &r, &cell, &n))
        return;
    for (unsigned i = r.page; i < r.page + r.n; i++) {
        const struct model_page *page = &r.model->pages[i];
        if (beyond_file(sim, page, MODEL_CELLS))
            return;
        /* By force only where nobody else can see it: a debugger's breakpoint, a loader's fixup. */
        if (forced && (!page->mapped || page->object >= 0))
            return;
    }
    size_t nbytes = n * MODEL_CELL_BYTES;
    memset(buffer, a[5], nbytes);
    quire_vaddr to = quire_va(r.va.value + cell * MODEL_CELL_BYTES);
    size_t left = forced ? quire_copy_force(r.real, to, buffer, nbytes)
                         : quire_copy_out(r.real, to, buffer, nbytes);
    unsigned got = n - (unsigned)(left / MODEL_CELL_BYTES);
    unsigned want = judge_reach(sim, &r, cell, n, got, QUIRE_ACCESS_WRITE, forced);
    copied_cells(sim, "copy_out", n, left, got, want);
    if (got < want && !sim->killed)
        sim_settle_copy(sim, r.s, r.page + (cell + got) / MODEL_CELLS);
    for (unsigned i = 0; i < got; i++) {
        unsigned at = cell + i;
        model_write(&sim->model, &r.model->pages[r.page + at / MODEL_CELLS], at % MODEL_CELLS, 1,
                    (uint8_t)a[5]);
    }
}

void sim_act_copy_out(struct sim *sim, const int *a) {
    copy_out(sim, a, false);
}

void sim_act_copy_force(struct sim *sim, const int *a) {
    copy_out(sim, a, true);
}

/* ---- looking at everything ------------------------------------------------------------------- */

void sim_draw_verify(struct sim *sim, int *a) {
    sim_draw_range(sim, a);
}

void sim_act_verify(struct sim *sim, const int *a) {
    struct range r;
    if (sim_range(sim, a, &r))
        sim_verify_space(sim, r.s);
}
