/* steps_object.c: steps on files and shared memory: write, read, sync, truncate, keep, reopen.
 *
 * A file is an array of bytes behind a pager (world.c). Who writes to it with a call (file_write)
 * tells the manager, who keeps its cached pages in step; who reads (file_read) lays the cached
 * pages over what is stored. Either way the model's array must come out.
 */
#include <string.h>

#include "steps.h"

#define WRITE_CELLS_MAX (3 * MODEL_CELLS)

/* space page n */
void sim_draw_sync(struct sim *sim, int *a) {
    sim_draw_mapped(sim, a);
}

void sim_act_sync(struct sim *sim, const int *a) {
    struct range r;
    if (!sim_range(sim, a, &r))
        return;
    enum quire_status want = model_all_mapped(r.model, r.page, r.n) ? QUIRE_OK : QUIRE_UNMAPPED;
    enum quire_status got = quire_sync(r.real, r.va, r.bytes);
    if ((got == QUIRE_IO && sim->lossy) || !sim_did(sim, "sync", got, want))
        return;
    for (unsigned i = r.page; i < r.page + r.n; i++) {
        const struct model_page *page = &r.model->pages[i];
        if (page->object >= 0 && page->object < MODEL_FILES && (page->flags & QUIRE_MAP_SHARED))
            sim_verify_file(sim, page->object, page->index, 1);
    }
}

/* All files: what is stored is what the mappings show. */
void sim_draw_sync_all(struct sim *sim, int *a) {
    (void)sim;
    (void)a;
}

void sim_act_sync_all(struct sim *sim, const int *a) {
    (void)a;
    enum quire_status got = quire_sync_all(sim->q);
    if ((got == QUIRE_IO && sim->lossy) || !sim_did(sim, "sync_all", got, QUIRE_OK))
        return;
    for (int object = 0; object < MODEL_FILES; object++) {
        if (sim->objects[object])
            sim_verify_file(sim, object, 0, MODEL_OBJECT_PAGES);
    }
}

/* One file, or shared memory, which has nowhere to go. */
void sim_draw_sync_object(struct sim *sim, int *a) {
    a[0] = (int)sim_pick(sim, MODEL_OBJECTS);
}

void sim_act_sync_object(struct sim *sim, const int *a) {
    if ((unsigned)a[0] >= MODEL_OBJECTS || !sim->objects[a[0]])
        return;
    enum quire_status got = quire_object_sync(sim->objects[a[0]]);
    if ((got == QUIRE_IO && sim->lossy) || !sim_did(sim, "sync_object", got, QUIRE_OK))
        return;
    if (a[0] < MODEL_FILES)
        sim_verify_file(sim, a[0], 0, MODEL_OBJECT_PAGES);
}

void sim_draw_incore(struct sim *sim, int *a) {
    sim_draw_mapped(sim, a);
}

void sim_act_incore(struct sim *sim, const int *a) {
    struct range r;
    uint8_t resident[MODEL_PAGES];
    if (!sim_range(sim, a, &r))
        return;
    enum quire_status want = model_all_mapped(r.model, r.page, r.n) ? QUIRE_OK : QUIRE_UNMAPPED;
    if (!sim_did(sim, "incore", quire_incore(r.real, r.va, r.bytes, resident), want))
        return;
    for (unsigned i = 0; i < r.n; i++) {
        if (r.model->pages[r.page + i].held && !resident[i])
            sim_fail(sim, "space %u page %u is locked and was accessed, but is not in RAM", r.s,
                     r.page + i);
    }
}

/* object cell cells value */
void sim_draw_file_write(struct sim *sim, int *a) {
    a[0] = (int)sim_pick(sim, MODEL_FILES);
    a[2] = 1 + (int)sim_pick(sim, sim_chance(sim, 75) ? MODEL_CELLS : WRITE_CELLS_MAX);
    a[1] = (int)sim_pick(sim, MODEL_OBJECT_PAGES * MODEL_CELLS - (unsigned)a[2]);
    a[3] = sim_draw_value(sim);
}

/* The file, and the bytes that a step is about. False: there is none. */
static bool file_range(struct sim *sim, const int *a, uint64_t *offset, uint64_t *nbytes) {
    if ((unsigned)a[0] >= MODEL_FILES || !sim->objects[a[0]] || a[1] < 0 || a[2] < 1 ||
        a[2] > WRITE_CELLS_MAX || a[1] + a[2] > MODEL_OBJECT_PAGES * MODEL_CELLS)
        return false;
    *offset = (uint64_t)a[1] * MODEL_CELL_BYTES;
    *nbytes = (uint64_t)a[2] * MODEL_CELL_BYTES;
    return true;
}

void sim_act_file_write(struct sim *sim, const int *a) {
    uint64_t offset, nbytes;
    if (!file_range(sim, a, &offset, &nbytes))
        return;
    struct sim_file *file = &sim->files[a[0]];
    memset(file->bytes + offset, a[3], nbytes);
    if (offset + nbytes > file->size_bytes)
        file->size_bytes = offset + nbytes;
    quire_object_update(sim->objects[a[0]], offset, file->bytes + offset, nbytes);
    model_file_write(&sim->model, a[0], (uint64_t)a[1], (unsigned)a[2], (uint8_t)a[3]);
}

/* object cell cells */
void sim_draw_file_read(struct sim *sim, int *a) {
    sim_draw_file_write(sim, a);
}

void sim_act_file_read(struct sim *sim, const int *a) {
    uint8_t buffer[WRITE_CELLS_MAX * MODEL_CELL_BYTES];
    uint64_t offset, nbytes;
    if (!file_range(sim, a, &offset, &nbytes))
        return;
    const struct model_object *model = &sim->model.objects[a[0]];
    if ((uint64_t)(a[1] + a[2]) > model->ncells)
        return;
    memcpy(buffer, sim->files[a[0]].bytes + offset, nbytes);
    quire_object_overlay(sim->objects[a[0]], offset, buffer, nbytes);
    for (int i = 0; i < a[2]; i++) {
        uint8_t want[MODEL_CELL_BYTES];
        memset(want, (&model->cells[0][0])[a[1] + i], sizeof want);
        if (memcmp(buffer + i * MODEL_CELL_BYTES, want, sizeof want) != 0)
            sim_fail(sim, "file %d cell %d reads 0x%02x..., the model says 0x%02x", a[0], a[1] + i,
                     buffer[i * MODEL_CELL_BYTES], want[0]);
    }
}

/* object cells */
void sim_draw_truncate(struct sim *sim, int *a) {
    a[0] = (int)sim_pick(sim, MODEL_OBJECTS);
    a[1] = (int)sim_pick(sim, MODEL_OBJECT_PAGES * MODEL_CELLS);
    if (a[0] >= MODEL_FILES)
        a[1] -= a[1] % MODEL_CELLS; /* shared memory has whole pages */
}

void sim_act_truncate(struct sim *sim, const int *a) {
    uint64_t cells = (unsigned)a[1];
    if ((unsigned)a[0] >= MODEL_OBJECTS || !sim->objects[a[0]] ||
        cells > MODEL_OBJECT_PAGES * MODEL_CELLS)
        return;
    uint64_t bytes = cells * MODEL_CELL_BYTES;
    if (a[0] < MODEL_FILES) {
        struct sim_file *file = &sim->files[a[0]];
        memset(file->bytes + bytes, 0, FILE_BYTES_MAX - bytes);
        file->size_bytes = bytes;
    }
    uint64_t had = sim->model.objects[a[0]].ncells, more = cells > had ? cells - had : 0;
    enum quire_status got = quire_object_truncate(sim->objects[a[0]], bytes);
    if (a[0] >= MODEL_FILES && sim_refused(sim, got, -1, more / MODEL_CELLS))
        return;
    if (got != QUIRE_OK)
        sim_fail(sim, "a length is refused: %s", quire_status_name(got));
    model_truncate(&sim->model, a[0], cells);
}

/* Shared memory is locked in RAM, or not any more; nothing that programs see changes by it. */
void sim_draw_keep(struct sim *sim, int *a) {
    a[0] = (int)sim_pick(sim, MODEL_OBJECTS);
    a[1] = sim_chance(sim, 40);
}

void sim_act_keep(struct sim *sim, const int *a) {
    struct quire_object_usage before, after;
    if ((unsigned)a[0] >= MODEL_OBJECTS || !sim->objects[a[0]])
        return;
    quire_object_usage(sim->objects[a[0]], &before);
    sim_did(sim, "keep", quire_object_lock(sim->objects[a[0]], a[1] != 0),
            a[0] < MODEL_FILES ? QUIRE_INVAL : QUIRE_OK);
    quire_object_usage(sim->objects[a[0]], &after);
    if (after.resident != before.resident || after.swapped != before.swapped)
        sim_fail(sim, "to lock object %d moved its pages", a[0]);
}

/* The last reference goes: dirty pages are written, and the object is made anew. */
void sim_draw_reopen(struct sim *sim, int *a) {
    a[0] = (int)sim_pick(sim, MODEL_OBJECTS);
}

void sim_act_reopen(struct sim *sim, const int *a) {
    if ((unsigned)a[0] >= MODEL_OBJECTS || model_object_mapped(&sim->model, a[0]))
        return;
    if (sim->objects[a[0]])
        sim_object_drop(sim, a[0]);
    sim_object_create(sim, a[0]);
}
