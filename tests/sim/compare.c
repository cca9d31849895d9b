/* compare.c: is what the manager shows what the model says? Bytes, rights, regions, counts, files.
 *
 * A page is compared whole at each access that faults, and around the access where none did:
 * 4096 bytes against 64 cells, in words as wide as the compiler likes, since a third of the
 * simulation's time would go there otherwise.
 */
#include <string.h>

#include "sim.h"

/* Compared after an access without a fault. */
#define HIT_CELLS (MODEL_CELLS / 4)

typedef uint64_t wide __attribute__((vector_size(32), may_alias, aligned(16)));

/* True if the bytes of cells first to end - 1 are theirs; otherwise *at is where they differ first.
 */
static bool cells_are(const uint8_t *bytes, const uint8_t *cells, unsigned first, unsigned end,
                      unsigned *at) {
    wide different = {0};
    const wide *part = (const wide *)(bytes + first * MODEL_CELL_BYTES);
    for (unsigned c = first; c < end; c++, part += 2) {
        uint64_t value = cells[c] * 0x0101010101010101u;
        wide want = {value, value, value, value};
        different |= (part[0] ^ want) | (part[1] ^ want);
    }
    if (!(different[0] | different[1] | different[2] | different[3]))
        return true;
    *at = first * MODEL_CELL_BYTES;
    while (bytes[*at] == cells[*at / MODEL_CELL_BYTES])
        ++*at;
    return false;
}

static bool bytes_are(const uint8_t *bytes, const uint8_t *cells, unsigned *at) {
    return cells_are(bytes, cells, 0, MODEL_CELLS, at);
}

void sim_compare_page(struct sim *sim, unsigned s, unsigned page, unsigned offset,
                      const uint8_t *bytes) {
    static const uint8_t zeros[MODEL_CELLS];
    struct model_page *p = &sim->model.spaces[s].pages[page];
    const uint8_t *cells = model_visible(&sim->model, p);
    unsigned at, near = offset / MODEL_CELL_BYTES / HIT_CELLS * HIT_CELLS;
    if (!sim->faulted && !p->lazy ? cells_are(bytes, cells, near, near + HIT_CELLS, &at)
                                  : bytes_are(bytes, cells, &at))
        return;
    if (p->lazy && bytes_are(bytes, zeros, &at)) {
        p->own = p->lazy = false; /* it was dropped */
        return;
    }
    sim_fail(sim,
             "space %u page %u (%s%s object %d index %u) byte %u is 0x%02x, the model says 0x%02x",
             s, page, p->flags & QUIRE_MAP_SHARED ? "shared" : "private", p->own ? " own" : "",
             p->object, p->index, at, bytes[at], cells[at / MODEL_CELL_BYTES]);
}

/* A store that ended in QUIRE_BUS may have come as far as the private copy of an object's page,
 * which was then lost to a bad device on its way: whether later changes of the object show is open.
 * Close it: no copy. */
void sim_settle_copy(struct sim *sim, unsigned s, unsigned page) {
    struct model_page *p = &sim->model.spaces[s].pages[page];
    if (p->object < 0 || p->own || (p->flags & QUIRE_MAP_SHARED))
        return;
    if (p->flags &
        QUIRE_MAP_LOCKED) { /* no advice is taken for it: the program dies of the error */
        sim->killed = true;
        return;
    }
    if (quire_advise(sim->spaces[s], quire_va(sim_va(page)), QUIRE_PAGE_SIZE,
                     QUIRE_ADVISE_DONTNEED) != QUIRE_OK)
        sim_fail(sim, "space %u page %u: advice for one page was refused", s, page);
}

/* What the model says of an access. Where limits may forbid that a stack grows by it, the manager's
 * answer is followed. */
static enum quire_status judge_growth(struct sim *sim, unsigned s, unsigned page,
                                      enum quire_access access, enum quire_status got) {
    static struct model_space before;
    struct model_space *space = &sim->model.spaces[s];
    bool grows = !space->pages[page].mapped && sim_may_refuse(sim, (int)s, MODEL_PAGES - page);
    if (grows)
        before = *space;
    enum quire_status want = model_access(&sim->model, space, page, access);
    if (grows && got == QUIRE_FAULT) {
        *space = before;
        return QUIRE_FAULT;
    }
    return want;
}

bool sim_access(struct sim *sim, unsigned s, unsigned page, unsigned offset,
                enum quire_access access, uint8_t **host) {
    struct quire_pmap *pmap = quire_space_pmap(sim->spaces[s]);
    uint64_t va = sim_va(page) + offset;
    if (!quire_tlb_select(pmap))
        sim_fail(sim, "the host has no memory for a TLB");
    struct tlb_entry *slot = tlb_slot(pmap->tlb, va);
    enum quire_status got = QUIRE_OK;
    sim->accesses++;
    if ((access == QUIRE_ACCESS_READ && slot->read_tag == sim_va(page)) ||
        (access == QUIRE_ACCESS_WRITE && slot->write_tag == sim_va(page))) {
        *host = (uint8_t *)(va + slot->addend);
        sim->faulted = false;
    } else {
        uint64_t faults = quire_counters(sim->q)->pgfault;
        got = quire_mmu_access(pmap, va, access, host);
        sim->faulted = faults != quire_counters(sim->q)->pgfault;
    }
    sim->hash = (sim->hash ^ got) * 0x9E3779B97F4A7C15u;
    if (sim->killed)
        return false;
    enum quire_status want = judge_growth(sim, s, page, access, got);
    if (got == QUIRE_BUS && want == QUIRE_OK && sim->lossy) {
        sim->lost_bus++;
        if (access == QUIRE_ACCESS_WRITE)
            sim_settle_copy(sim, s, page);
        return false;
    }
    if (got != want)
        sim_fail(sim, "space %u page %u access %d: %s, the model says %s", s, page, (int)access,
                 quire_status_name(got), quire_status_name(want));
    struct model_page *p = &sim->model.spaces[s].pages[page];
    if (got == QUIRE_OK && (p->flags & QUIRE_MAP_LOCKED) && !p->lazy &&
        (access == QUIRE_ACCESS_WRITE || p->own || p->object >= 0))
        p->held = true;
    return got == QUIRE_OK;
}

void sim_verify_space(struct sim *sim, unsigned s) {
    for (unsigned page = 0; page < MODEL_PAGES && !sim->killed; page++) {
        const struct model_page *p = &sim->model.spaces[s].pages[page];
        enum quire_access access = QUIRE_ACCESS_READ;
        uint8_t *host;
        if (p->prot == QUIRE_PROT_EXEC)
            access = QUIRE_ACCESS_EXEC;
        if (!p->mapped) /* no access: a stack could grow by it */
            continue;
        if (sim_access(sim, s, page, 0, access, &host))
            sim_compare_page(sim, s, page, 0, host);
    }
}

/* The manager's regions are the model's runs of pages: no more, no fewer, merged where they match.
 */
void sim_verify_regions(struct sim *sim, unsigned s) {
    const struct model_space *space = &sim->model.spaces[s];
    struct quire_region_info info;
    quire_vaddr at = quire_va(sim_va(0));
    unsigned page = 0;
    while (quire_region_at_or_after(sim->spaces[s], at, false, &info)) {
        unsigned first = (unsigned)((info.start.value - sim_va(0)) >> QUIRE_PAGE_SHIFT);
        unsigned end = (unsigned)((info.end.value - sim_va(0)) >> QUIRE_PAGE_SHIFT);
        if (first < page || end > MODEL_PAGES || end <= first)
            sim_fail(sim, "space %u: a region from page %u to %u", s, first, end);
        if (!model_all_free(space, page, first - page))
            sim_fail(sim, "space %u: no region in pages %u to %u", s, page, first);
        const struct model_page *p = &space->pages[first];
        if (!model_one_region(space, first, end - first) || info.prot != p->prot ||
            info.flags != p->flags ||
            info.object != (p->object < 0 ? NULL : sim->objects[p->object]) ||
            (p->object >= 0 && info.offset_bytes >> QUIRE_PAGE_SHIFT != p->index))
            sim_fail(sim, "space %u: region of pages %u to %u is not the model's", s, first, end);
        if (first > 0 && model_joined(&space->pages[first - 1], p))
            sim_fail(sim, "space %u: regions not merged at page %u", s, first);
        page = end;
        at = info.end;
    }
    if (!model_all_free(space, page, MODEL_PAGES - page))
        sim_fail(sim, "space %u: no region from page %u on", s, page);
}

/* Pages that are promised: private writable ones but for NORESERVE, and all of shared memory. */
static uint64_t promised_pages(const struct sim *sim, unsigned s) {
    uint64_t npages = 0;
    for (unsigned i = 0; i < MODEL_PAGES; i++) {
        const struct model_page *p = &sim->model.spaces[s].pages[i];
        npages += p->mapped && (p->prot & QUIRE_PROT_WRITE) &&
                  !(p->flags & (QUIRE_MAP_SHARED | QUIRE_MAP_NORESERVE));
    }
    return npages;
}

void sim_verify_usage(struct sim *sim) {
    struct quire_usage u;
    uint64_t promised = 0;
    quire_usage(sim->q, &u);
    uint64_t sum = u.free + u.anon + u.file + u.shmem + u.page_tables + u.slab + u.kernel;
    if (sum != u.total)
        sim_fail(sim, "usage: %llu pages by use, %llu in all", (unsigned long long)sum,
                 (unsigned long long)u.total);
    if (u.swap_free > u.swap_total || u.dirty > u.file)
        sim_fail(sim, "usage: swap or dirty pages are out of range");
    for (unsigned s = 0; s < MODEL_SPACES; s++) {
        struct quire_space_usage usage;
        uint64_t mapped = 0, locked = 0;
        if (!sim->model.spaces[s].alive)
            continue;
        quire_space_usage(sim->spaces[s], &usage);
        for (unsigned i = 0; i < MODEL_PAGES; i++) {
            mapped += sim->model.spaces[s].pages[i].mapped;
            locked += (sim->model.spaces[s].pages[i].flags & QUIRE_MAP_LOCKED) != 0;
        }
        if (usage.virtual_pages != mapped || usage.locked != locked)
            sim_fail(sim, "usage: space %u has %llu pages, %llu locked; the model %llu, %llu", s,
                     (unsigned long long)usage.virtual_pages, (unsigned long long)usage.locked,
                     (unsigned long long)mapped, (unsigned long long)locked);
        promised += promised_pages(sim, s);
    }
    for (int object = MODEL_FILES; object < MODEL_OBJECTS; object++)
        promised += sim->objects[object] ? sim->model.objects[object].ncells / MODEL_CELLS : 0;
    if (u.committed != promised)
        sim_fail(sim, "usage: %llu pages are promised, the model says %llu",
                 (unsigned long long)u.committed, (unsigned long long)promised);
}

void sim_verify_file(struct sim *sim, int object, unsigned index, unsigned n) {
    const struct model_object *model = &sim->model.objects[object];
    const struct sim_file *file = &sim->files[object];
    if (file->size_bytes != model->ncells * MODEL_CELL_BYTES)
        sim_fail(sim, "file %d has %llu bytes", object, (unsigned long long)file->size_bytes);
    for (unsigned i = index; i < index + n && i < MODEL_OBJECT_PAGES; i++) {
        unsigned at;
        if (!bytes_are(file->bytes + i * QUIRE_PAGE_SIZE, model->cells[i], &at))
            sim_fail(sim, "file %d page %u byte %u: stored 0x%02x, the model says 0x%02x", object,
                     i, at, file->bytes[i * QUIRE_PAGE_SIZE + at],
                     model->cells[i][at / MODEL_CELL_BYTES]);
    }
}
