/* steps_access.c: what programs and the kernel do with bytes: load, store, sweep, copy, compare.
 *
 * A program's access goes the machine's way (TLB, table walk, fault), the kernel's copies go
 * through quire_copy_in and its kin; both must see the same bytes and be refused the same things.
 */
#include <string.h>

#include "steps.h"

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

/* ---- accesses -------------------------------------------------------------------------------- */

void sim_step_load(struct sim *sim) {
    struct range r;
    uint8_t *host;
    unsigned offset = sim_pick(sim, QUIRE_PAGE_SIZE);
    enum quire_access access = sim_chance(sim, 10) ? QUIRE_ACCESS_EXEC : QUIRE_ACCESS_READ;
    if (!sim_pick_mapped(sim, &r))
        return;
    sim_say(sim, "space %u: load page %u access %d", r.s, r.page, (int)access);
    if (sim_access(sim, r.s, r.page, offset, access, &host))
        sim_compare_page(sim, r.s, r.page, host - offset);
}

void sim_step_store(struct sim *sim) {
    struct range r;
    uint8_t *host;
    unsigned first = sim_pick(sim, MODEL_CELLS), n = 1 + sim_pick(sim, 8);
    if (first + n > MODEL_CELLS)
        n = MODEL_CELLS - first;
    if (!sim_pick_mapped(sim, &r))
        return;
    struct model_page *page = &r.model->pages[r.page];
    if (beyond_file(sim, page, first + n))
        return;
    sim_say(sim, "space %u: store page %u cells %u+%u = 0x%02x", r.s, r.page, first, n,
            sim_step_value(sim));
    unsigned offset = first * MODEL_CELL_BYTES;
    if (!sim_access(sim, r.s, r.page, offset, QUIRE_ACCESS_WRITE, &host))
        return;
    sim_compare_page(sim, r.s, r.page, host - offset); /* and settle what was lazy */
    memset(host, sim_step_value(sim), n * MODEL_CELL_BYTES);
    model_write(&sim->model, page, first, n, sim_step_value(sim));
}

/* A program fills a range, or reads through it: that is where memory goes. */
void sim_step_sweep(struct sim *sim) {
    struct range r;
    uint8_t *host;
    bool write = sim_chance(sim, 70);
    unsigned cell = sim_pick(sim, MODEL_CELLS);
    if (!sim_pick_mapped(sim, &r))
        return;
    sim_say(sim, "space %u: %s page %u+%u cell %u = 0x%02x", r.s, write ? "fill" : "scan", r.page,
            r.n, cell, sim_step_value(sim));
    for (unsigned i = r.page; i < r.page + r.n && !sim->killed; i++) {
        struct model_page *page = &r.model->pages[i];
        if (!page->mapped || beyond_file(sim, page, MODEL_CELLS))
            continue;
        enum quire_access access = write ? QUIRE_ACCESS_WRITE : QUIRE_ACCESS_READ;
        unsigned offset = cell * MODEL_CELL_BYTES;
        if (!sim_access(sim, r.s, i, offset, access, &host))
            continue;
        sim_compare_page(sim, r.s, i, host - offset);
        if (!write)
            continue;
        memset(host, sim_step_value(sim), MODEL_CELL_BYTES);
        model_write(&sim->model, page, cell, 1, sim_step_value(sim));
    }
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

/* Compare what was left over; lossy worlds may copy less, and a kill may cut a copy short: what was
 * copied by then stays, and others may see it. Returns how many cells were copied. */
static unsigned copied_cells(struct sim *sim, const char *what, unsigned n, size_t left,
                             unsigned want) {
    unsigned got = n - (unsigned)(left / MODEL_CELL_BYTES);
    if (left % MODEL_CELL_BYTES != 0 || got > want || (got < want && !sim->lossy && !sim->killed))
        sim_fail(sim, "%s: %zu bytes of %u left, the model says %u", what, left,
                 n * MODEL_CELL_BYTES, (n - want) * MODEL_CELL_BYTES);
    return got;
}

void sim_step_copy_in(struct sim *sim) {
    struct range r;
    uint8_t buffer[4 * QUIRE_PAGE_SIZE];
    unsigned cell = sim_pick(sim, MODEL_CELLS), n = 1 + sim_pick(sim, 4 * MODEL_CELLS);
    if (!sim_pick_mapped(sim, &r) || any_lazy(&r))
        return;
    if (r.page + 5 > MODEL_PAGES)
        return;
    r.n = 5;
    if (any_lazy(&r))
        return;
    sim_say(sim, "space %u: copy_in page %u cells %u+%u", r.s, r.page, cell, n);
    size_t left = quire_copy_in(r.real, buffer, quire_va(r.va.value + cell * MODEL_CELL_BYTES),
                                n * MODEL_CELL_BYTES);
    unsigned want = model_reach(sim, &r, cell, n, QUIRE_ACCESS_READ, false);
    unsigned got = copied_cells(sim, "copy_in", n, left, want);
    for (unsigned i = 0; i < got; i++) {
        unsigned at = cell + i;
        const struct model_page *page = &r.model->pages[r.page + at / MODEL_CELLS];
        uint8_t value = model_visible(&sim->model, page)[at % MODEL_CELLS];
        for (unsigned b = 0; b < MODEL_CELL_BYTES; b++) {
            if (buffer[i * MODEL_CELL_BYTES + b] != value)
                sim_fail(sim, "copy_in page %u byte %u: 0x%02x, the model says 0x%02x",
                         r.page + at / MODEL_CELLS, at % MODEL_CELLS * MODEL_CELL_BYTES + b,
                         buffer[i * MODEL_CELL_BYTES + b], value);
        }
    }
}

static void copy_out(struct sim *sim, bool forced) {
    struct range r;
    uint8_t buffer[4 * QUIRE_PAGE_SIZE];
    unsigned cell = sim_pick(sim, MODEL_CELLS), n = 1 + sim_pick(sim, 4 * MODEL_CELLS);
    if (!sim_pick_mapped(sim, &r) || r.page + 5 > MODEL_PAGES)
        return;
    r.n = 5;
    if (any_lazy(&r))
        return;
    for (unsigned i = r.page; i < r.page + r.n; i++) {
        const struct model_page *page = &r.model->pages[i];
        if (beyond_file(sim, page, MODEL_CELLS))
            return;
        /* By force only where nobody else can see it: a debugger's breakpoint, a loader's fixup. */
        if (forced && (!page->mapped || page->object >= 0))
            return;
    }
    sim_say(sim, "space %u: copy_%s page %u cells %u+%u = 0x%02x", r.s, forced ? "force" : "out",
            r.page, cell, n, sim_step_value(sim));
    memset(buffer, sim_step_value(sim), sizeof buffer);
    quire_vaddr to = quire_va(r.va.value + cell * MODEL_CELL_BYTES);
    size_t left = forced ? quire_copy_force(r.real, to, buffer, n * MODEL_CELL_BYTES)
                         : quire_copy_out(r.real, to, buffer, n * MODEL_CELL_BYTES);
    unsigned want = model_reach(sim, &r, cell, n, QUIRE_ACCESS_WRITE, forced);
    unsigned got = copied_cells(sim, "copy_out", n, left, want);
    if (got < want && !sim->killed)
        sim_settle_copy(sim, r.s, r.page + (cell + got) / MODEL_CELLS);
    for (unsigned i = 0; i < got; i++) {
        unsigned at = cell + i;
        model_write(&sim->model, &r.model->pages[r.page + at / MODEL_CELLS], at % MODEL_CELLS, 1,
                    sim_step_value(sim));
    }
}

void sim_step_copy_out(struct sim *sim) {
    copy_out(sim, false);
}

void sim_step_copy_force(struct sim *sim) {
    copy_out(sim, true);
}

void sim_step_verify(struct sim *sim) {
    struct range r;
    if (!sim_pick_range(sim, &r))
        return;
    sim_say(sim, "space %u: verify everything", r.s);
    sim_verify_space(sim, r.s);
}

void sim_step_regions(struct sim *sim) {
    struct range r;
    if (sim_pick_range(sim, &r))
        sim_verify_regions(sim, r.s);
}
