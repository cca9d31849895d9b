/* steps.c: the dice that choose a step, and the steps on objects, devices and the kernel's own
 * memory.
 *
 * Each step draws its arguments, tells the manager and the model, and compares status and bytes. A
 * step that can't be made now (no space is alive, say) draws and does nothing: the other steps stay
 * as they are. Weights are in the table at the end; accesses are the most of it, as in life.
 */
#include "steps.h"

#include <string.h>

/* Any space that lives and any range in it. False: none lives. */
bool sim_pick_range(struct sim *sim, struct range *r) {
    unsigned start = sim_pick(sim, MODEL_SPACES), page = sim_pick(sim, MODEL_PAGES);
    unsigned n = 1 + sim_pick(sim, RUN_PAGES_MAX);
    r->n = page + n > MODEL_PAGES ? MODEL_PAGES - page : n;
    r->page = page;
    r->va = quire_va(sim_va(page));
    r->bytes = r->n * QUIRE_PAGE_SIZE;
    for (unsigned i = 0; i < MODEL_SPACES; i++) {
        r->s = (start + i) % MODEL_SPACES;
        if (sim->model.spaces[r->s].alive) {
            r->real = sim->spaces[r->s];
            r->model = &sim->model.spaces[r->s];
            sim->in_space = (int)r->s;
            return true;
        }
    }
    return false;
}

/* The same, but mostly where something is mapped. */
bool sim_pick_mapped(struct sim *sim, struct range *r) {
    if (!sim_pick_range(sim, r))
        return false;
    bool wild = sim_chance(sim, 10);
    for (unsigned i = 0; i < MODEL_PAGES && !wild; i++) {
        unsigned page = (r->page + i) % MODEL_PAGES;
        if (!r->model->pages[page].mapped)
            continue;
        r->page = page;
        r->va = quire_va(sim_va(page));
        if (r->page + r->n > MODEL_PAGES)
            r->n = MODEL_PAGES - r->page;
        r->bytes = r->n * QUIRE_PAGE_SIZE;
        break;
    }
    return true;
}

uint8_t sim_step_value(const struct sim *sim) {
    return (uint8_t)(1 + sim->step % 255);
}

/* ---- objects --------------------------------------------------------------------------------- */

static void step_sync(struct sim *sim) {
    struct range r;
    if (!sim_pick_mapped(sim, &r))
        return;
    enum quire_status want = model_all_mapped(r.model, r.page, r.n) ? QUIRE_OK : QUIRE_UNMAPPED;
    sim_say(sim, "space %u: sync page %u+%u", r.s, r.page, r.n);
    enum quire_status got = quire_sync(r.real, r.va, r.bytes);
    if ((got == QUIRE_IO && sim->lossy) || !sim_did(sim, "sync", got, want))
        return;
    for (unsigned i = r.page; i < r.page + r.n; i++) {
        const struct model_page *page = &r.model->pages[i];
        if (page->object >= 0 && page->object < MODEL_FILES && (page->flags & QUIRE_MAP_SHARED))
            sim_verify_file(sim, page->object, page->index, 1);
    }
}

static void step_file_write(struct sim *sim) {
    unsigned object = sim_pick(sim, MODEL_FILES), n = 1 + sim_pick(sim, 3 * MODEL_CELLS);
    unsigned cell = sim_pick(sim, MODEL_OBJECT_PAGES * MODEL_CELLS - n);
    struct sim_file *file = &sim->files[object];
    if (!sim->objects[object])
        return;
    sim_say(sim, "file %u: write cells %u+%u = 0x%02x", object, cell, n, sim_step_value(sim));
    uint64_t offset = cell * MODEL_CELL_BYTES, nbytes = n * MODEL_CELL_BYTES;
    memset(file->bytes + offset, sim_step_value(sim), nbytes);
    if (offset + nbytes > file->size_bytes)
        file->size_bytes = offset + nbytes;
    quire_object_update(sim->objects[object], offset, file->bytes + offset, nbytes);
    model_file_write(&sim->model, (int)object, cell, n, sim_step_value(sim));
}

static void step_file_read(struct sim *sim) {
    unsigned object = sim_pick(sim, MODEL_FILES), n = 1 + sim_pick(sim, 3 * MODEL_CELLS);
    unsigned cell = sim_pick(sim, MODEL_OBJECT_PAGES * MODEL_CELLS - n);
    uint8_t buffer[3 * QUIRE_PAGE_SIZE];
    const struct model_object *model = &sim->model.objects[object];
    if (!sim->objects[object] || cell + n > model->ncells)
        return;
    sim_say(sim, "file %u: read cells %u+%u", object, cell, n);
    uint64_t offset = cell * MODEL_CELL_BYTES, nbytes = n * MODEL_CELL_BYTES;
    memcpy(buffer, sim->files[object].bytes + offset, nbytes);
    quire_object_overlay(sim->objects[object], offset, buffer, nbytes);
    for (unsigned b = 0; b < nbytes; b++) {
        uint8_t want = (&model->cells[0][0])[cell + b / MODEL_CELL_BYTES];
        if (buffer[b] != want)
            sim_fail(sim, "file %u byte %llu reads 0x%02x, the model says 0x%02x", object,
                     (unsigned long long)offset + b, buffer[b], want);
    }
}

static void step_truncate(struct sim *sim) {
    unsigned object = sim_pick(sim, MODEL_OBJECTS);
    uint64_t cells = sim_pick(sim, MODEL_OBJECT_PAGES * MODEL_CELLS);
    if (!sim->objects[object])
        return;
    if (object >= MODEL_FILES)
        cells -= cells % MODEL_CELLS; /* shared memory has whole pages */
    sim_say(sim, "object %u: truncate to %llu cells", object, (unsigned long long)cells);
    uint64_t bytes = cells * MODEL_CELL_BYTES;
    if (object < MODEL_FILES) {
        struct sim_file *file = &sim->files[object];
        memset(file->bytes + bytes, 0, FILE_BYTES_MAX - bytes);
        file->size_bytes = bytes;
    }
    quire_object_truncate(sim->objects[object], bytes);
    model_truncate(&sim->model, (int)object, cells);
}

/* The last reference goes: dirty pages are written, and the object is made anew. */
static void step_reopen(struct sim *sim) {
    int object = (int)sim_pick(sim, MODEL_OBJECTS);
    if (model_object_mapped(&sim->model, object))
        return;
    sim_say(sim, "object %d: reopen", object);
    if (sim->objects[object])
        sim_object_drop(sim, object);
    sim_object_create(sim, object);
}

/* ---- the machine and the manager ------------------------------------------------------------- */

static void step_tick(struct sim *sim) {
    quire_soft_charge(sim->machine, sim_pick(sim, 2000000));
    quire_soft_tick_if_due(sim->machine, sim->q);
}

static void step_incore(struct sim *sim) {
    struct range r;
    uint8_t resident[RUN_PAGES_MAX];
    if (!sim_pick_mapped(sim, &r))
        return;
    enum quire_status want = model_all_mapped(r.model, r.page, r.n) ? QUIRE_OK : QUIRE_UNMAPPED;
    sim_did(sim, "incore", quire_incore(r.real, r.va, r.bytes, resident), want);
}

static void step_usage(struct sim *sim) {
    struct quire_usage u;
    quire_usage(sim->q, &u);
    uint64_t sum = u.free + u.anon + u.file + u.shmem + u.page_tables + u.slab + u.kernel;
    if (sum != u.total)
        sim_fail(sim, "usage: %llu pages by use, %llu in all", (unsigned long long)sum,
                 (unsigned long long)u.total);
    sim_say(sim,
            "usage: total %llu free %llu anon %llu file %llu shmem %llu tables %llu slab %llu "
            "kernel %llu, swap %llu of %llu",
            (unsigned long long)u.total, (unsigned long long)u.free, (unsigned long long)u.anon,
            (unsigned long long)u.file, (unsigned long long)u.shmem,
            (unsigned long long)u.page_tables, (unsigned long long)u.slab,
            (unsigned long long)u.kernel, (unsigned long long)(u.swap_total - u.swap_free),
            (unsigned long long)u.swap_total);
    if (u.swap_free > u.swap_total || u.dirty > u.file)
        sim_fail(sim, "usage: swap or dirty pages are out of range");
}

/* The kernel's own needs come and go; it leaves this many frames to the programs. */
#define KERNEL_LEAVES 24

static void step_kernel(struct sim *sim) {
    struct sim_block *block = &sim->kernel[sim_pick(sim, SIM_BLOCKS)];
    bool small = sim_chance(sim, 90);
    unsigned order = sim_pick(sim, 3);
    size_t nbytes = (size_t)1 << sim_pick(sim, 12);
    nbytes += sim_pick(sim, (unsigned)nbytes);
    struct quire_usage usage;
    quire_usage(sim->q, &usage);
    if (block->bytes)
        sim_block_free(sim, block);
    else if (usage.free > KERNEL_LEAVES)
        (void)sim_block_alloc(sim, block, small, order, nbytes);
}

static void step_swapon(struct sim *sim) {
    unsigned device = sim_pick(sim, SIM_DEVICES);
    int priority = (int)sim_pick(sim, 3);
    enum quire_status got = quire_swapon(sim->q, device, priority);
    sim_say(sim, "swapon %u: %s", device, quire_status_name(got));
    if (got != QUIRE_BUSY)
        sim_did(sim, "swapon", got, QUIRE_OK);
}

static void step_swapoff(struct sim *sim) {
    unsigned device = sim_pick(sim, SIM_DEVICES);
    enum quire_status got = quire_swapoff(sim->q, device);
    sim_say(sim, "swapoff %u: %s", device, quire_status_name(got));
    if (got != QUIRE_INVAL && !(got == QUIRE_IO && sim->lossy))
        sim_did(sim, "swapoff", got, QUIRE_OK);
}

static void step_fail(struct sim *sim) {
    unsigned nth = sim_chance(sim, 50) ? 0 : 2 + sim_pick(sim, 40);
    if (sim->failing) {
        sim_say(sim, "every allocation number %u fails", nth);
        quire_fail_every(sim->q, nth);
    }
}

/* ---- dice ------------------------------------------------------------------------------------ */

static const struct {
    unsigned weight; /* of about 1000 */
    void (*step)(struct sim *sim);
} steps[] = {
    {230, sim_step_load},
    {270, sim_step_store},
    {40, sim_step_copy_in},
    {50, sim_step_copy_out},
    {10, sim_step_copy_force},
    {3, sim_step_verify},
    {20, sim_step_regions},
    {80, sim_step_map},
    {35, sim_step_unmap},
    {40, sim_step_protect},
    {40, sim_step_advise},
    {20, sim_step_brk},
    {30, sim_step_remap},
    {25, sim_step_spawn},
    {5, sim_step_exit},
    {12, sim_step_fork},
    {15, step_sync},
    {15, step_file_write},
    {10, step_file_read},
    {6, step_truncate},
    {5, step_reopen},
    {20, step_tick},
    {8, step_incore},
    {8, step_usage},
    {60, sim_step_sweep},
    {30, step_kernel},
    {3, step_swapon},
    {2, step_swapoff},
    {3, step_fail},
};
#define NSTEPS (sizeof steps / sizeof steps[0])

void sim_step(struct sim *sim, uint64_t step) {
    unsigned total = 0;
    sim->step = step;
    sim->random = (sim->seed * 0xD1342543DE82EF95u + step) * 0xBF58476D1CE4E5B9u;
    for (unsigned i = 0; i < NSTEPS; i++)
        total += steps[i].weight;
    unsigned choice = sim_pick(sim, total), i = 0;
    while (choice >= steps[i].weight)
        choice -= steps[i++].weight;
    steps[i].step(sim);
    sim_reap(sim);
}
