/* steps_map.c: calls on the address space: map, unmap, protect, advise, brk, remap, fork.
 *
 * Where the manager may choose (an address without a hint, how much of a refused call was done),
 * the model checks that the choice was allowed and follows it; everything else must be as it says.
 */
#include <string.h>

#include "steps.h"

/* The regions of this space changed: they are compared at the end of the step. */
static void note_change(struct sim *sim, unsigned s) {
    sim->regions_due |= (uint64_t)1 << s;
}

/* ---- mapping --------------------------------------------------------------------------------- */

static int draw_prot(struct sim *sim) {
    static const unsigned char prots[] = {
        QUIRE_PROT_READ | QUIRE_PROT_WRITE,
        QUIRE_PROT_READ | QUIRE_PROT_WRITE,
        QUIRE_PROT_READ | QUIRE_PROT_WRITE,
        QUIRE_PROT_READ,
        QUIRE_PROT_READ | QUIRE_PROT_EXEC,
        QUIRE_PROT_READ | QUIRE_PROT_WRITE | QUIRE_PROT_EXEC,
        QUIRE_PROT_NONE,
        QUIRE_PROT_WRITE,
        QUIRE_PROT_EXEC,
    };
    return prots[sim_pick(sim, sizeof prots)];
}

/* What a new mapping is of: a[3] prot, a[4] flags, a[5] object, a[6] index. */
static void draw_mapping(struct sim *sim, int *a) {
    unsigned kind = sim_pick(sim, 100), object = sim_pick(sim, MODEL_OBJECTS);
    bool deny = sim_chance(sim, 20), grows = sim_chance(sim, 8), noreserve = sim_chance(sim, 10);
    a[3] = draw_prot(sim);
    a[4] = 0;
    a[5] = -1;
    if (kind >= 55 && sim->objects[object]) {
        a[5] = (int)object;
        a[6] = (int)sim_pick(sim, MODEL_OBJECT_PAGES);
        if (kind >= 75)
            a[4] |= QUIRE_MAP_SHARED;
        if (kind >= 75 && deny && !(a[3] & QUIRE_PROT_WRITE))
            a[4] |= QUIRE_MAP_DENY_WRITE;
    } else if (grows) {
        a[4] |= QUIRE_MAP_GROWSDOWN;
    } else if (noreserve) {
        a[4] |= QUIRE_MAP_NORESERVE;
    }
}

/* Where the manager put it must have been free. */
static unsigned page_of(struct sim *sim, const struct model_space *space, quire_vaddr va,
                        unsigned n) {
    uint64_t page = (va.value - sim_va(0)) >> QUIRE_PAGE_SHIFT;
    if (va.value < sim_va(0) || (va.value & QUIRE_PAGE_MASK) || page + n > MODEL_PAGES ||
        !model_all_free(space, (unsigned)page, n))
        sim_fail(sim, "%u pages were put at 0x%llx", n, (unsigned long long)va.value);
    return (unsigned)page;
}

static bool has_stack(const struct model_space *space) {
    for (unsigned page = 0; page < MODEL_PAGES; page++) {
        if (space->pages[page].mapped && (space->pages[page].flags & QUIRE_MAP_GROWSDOWN))
            return true;
    }
    return false;
}

/* Room for n pages that a search must find. Where there is a stack, its gap is not for others. */
static bool has_hole(const struct model_space *space, unsigned n) {
    if (has_stack(space))
        return false;
    for (unsigned page = 0; page + n <= MODEL_PAGES; page++) {
        if (model_all_free(space, page, n))
            return true;
    }
    return false;
}

#define PLACES     ((unsigned)(QUIRE_MAP_FIXED | QUIRE_MAP_NOREPLACE))
#define NO_HINT    1 /* a[7]: anywhere, and no wish either */
#define NOT_STAYED (PLACES | (unsigned)QUIRE_MAP_POPULATE)

/* space page n prot flags object index nohint */
void sim_draw_map(struct sim *sim, int *a) {
    unsigned how = sim_pick(sim, 100);
    sim_draw_range(sim, a);
    draw_mapping(sim, a);
    if (sim_chance(sim, 10))
        a[4] |= QUIRE_MAP_POPULATE;
    if (sim_chance(sim, 3))
        a[4] |= QUIRE_MAP_LOCKED | (sim_chance(sim, 70) ? QUIRE_MAP_LOCK_ON_FAULT : 0);
    a[4] |= how < 60 ? QUIRE_MAP_FIXED : how < 75 ? QUIRE_MAP_NOREPLACE : 0;
    a[7] = how >= 85 ? NO_HINT : 0;
}

void sim_act_map(struct sim *sim, const int *a) {
    struct range r;
    unsigned prot = (unsigned)a[3], flags = (unsigned)a[4], place = flags & PLACES;
    unsigned locks;
    unsigned index = a[6] < 0 ? 0 : (unsigned)a[6];
    int object = a[5];
    if (!sim_range(sim, a, &r) || object >= MODEL_OBJECTS)
        return;
    if (object >= 0 && (!sim->objects[object] || (flags & QUIRE_MAP_GROWSDOWN)))
        return;
    locks = (flags & MODEL_LOCKS) | r.model->lock_future;
    /* Populating private pages of a file copies them, now or later: seen from the file, no promise.
     */
    if (object >= 0 && !(flags & QUIRE_MAP_SHARED) &&
        (locks == QUIRE_MAP_LOCKED || ((flags & QUIRE_MAP_POPULATE) && (prot & QUIRE_PROT_WRITE))))
        return;
    quire_vaddr va = !place && a[7] == NO_HINT ? quire_va(0) : r.va;
    enum quire_status want = QUIRE_OK;
    if (place == QUIRE_MAP_NOREPLACE && !model_all_free(r.model, r.page, r.n))
        want = QUIRE_EXIST;
    enum quire_status got =
        quire_map(r.real, &va, r.bytes, prot, flags, object < 0 ? NULL : sim->objects[object],
                  index * QUIRE_PAGE_SIZE);
    if (got == QUIRE_NOROOM && place == 0 && !has_hole(r.model, r.n))
        return;
    if (sim_refused(sim, got, (int)r.s, r.n))
        return;
    if (!sim_did(sim, "map", got, want))
        return;
    unsigned page = r.page;
    if (place == 0)
        page = page_of(sim, r.model, va, r.n);
    else if (va.value != r.va.value)
        sim_fail(sim, "map: not where it was asked for");
    if (sim->overcommit.mode == QUIRE_OVERCOMMIT_NEVER) /* then everything is reserved */
        flags &= ~(unsigned)QUIRE_MAP_NORESERVE;
    model_map(r.model, page, r.n, prot, flags & ~NOT_STAYED, object, index);
    note_change(sim, r.s);
}

void sim_draw_unmap(struct sim *sim, int *a) {
    sim_draw_range(sim, a);
}

void sim_act_unmap(struct sim *sim, const int *a) {
    struct range r;
    if (!sim_range(sim, a, &r))
        return;
    if (sim_did(sim, "unmap", quire_unmap(r.real, r.va, r.bytes), QUIRE_OK))
        model_unmap(r.model, r.page, r.n);
    note_change(sim, r.s);
}

/* The model's pages of a range as they were, in case that the manager had no memory. */
struct saved {
    struct model_page pages[MODEL_PAGES];
};

static void save(const struct range *r, struct saved *saved) {
    memcpy(saved->pages, &r->model->pages[r->page], r->n * sizeof saved->pages[0]);
}

static void restore(const struct range *r, const struct saved *saved) {
    memcpy(&r->model->pages[r->page], saved->pages, r->n * sizeof saved->pages[0]);
}

/* A limit stopped it: what lies before the region that was refused is done. */
static void protect_refused(struct range *r, const struct saved *before) {
    unsigned at = r->page, end = r->page + r->n;
    struct quire_region_info info;
    while (at < end && quire_region_at_or_after(r->real, quire_va(sim_va(at)), false, &info) &&
           info.start.value <= sim_va(at) && info.prot == r->model->pages[at].prot) {
        uint64_t reach = (info.end.value - sim_va(0)) >> QUIRE_PAGE_SHIFT;
        at = reach < end ? (unsigned)reach : end;
    }
    memcpy(&r->model->pages[at], &before->pages[at - r->page],
           (end - at) * sizeof before->pages[0]);
}

/* space page n prot */
void sim_draw_protect(struct sim *sim, int *a) {
    sim_draw_mapped(sim, a);
    a[3] = draw_prot(sim);
}

void sim_act_protect(struct sim *sim, const int *a) {
    struct range r;
    struct saved before;
    if (!sim_range(sim, a, &r))
        return;
    save(&r, &before);
    enum quire_status want = model_protect(r.model, r.page, r.n, (unsigned)a[3]);
    enum quire_status got = quire_protect(r.real, r.va, r.bytes, (unsigned)a[3]);
    if (sim_refused(sim, got, (int)r.s, r.n)) {
        protect_refused(&r, &before);
        note_change(sim, r.s);
        return;
    }
    sim_did(sim, "protect", got, want);
    if (got == QUIRE_NOMEM)
        restore(&r, &before);
    note_change(sim, r.s);
}

/* space page n advice */
void sim_draw_advise(struct sim *sim, int *a) {
    sim_draw_mapped(sim, a);
    a[3] = (int)sim_pick(sim, QUIRE_ADVISE_REMOVE + 1);
}

static bool any_file(const struct range *r) {
    for (unsigned i = r->page; i < r->page + r->n; i++) {
        const struct model_page *page = &r->model->pages[i];
        if (page->mapped && page->object >= 0 && page->object < MODEL_FILES)
            return true;
    }
    return false;
}

void sim_act_advise(struct sim *sim, const int *a) {
    struct range r;
    struct saved before;
    enum quire_advice advice = (enum quire_advice)a[3];
    if (!sim_range(sim, a, &r))
        return;
    if (advice == QUIRE_ADVISE_POPULATE_WRITE && model_any_private_object(r.model, r.page, r.n))
        return; /* as in sim_act_map */
    if (advice == QUIRE_ADVISE_REMOVE && sim->lossy && any_file(&r))
        return; /* it might be done in part */
    struct sim_swaps swaps;
    bool watched = advice == QUIRE_ADVISE_PAGEOUT && !sim->lossy;
    if (watched)
        sim_swaps_read(sim, &swaps);
    save(&r, &before);
    enum quire_status want = model_advise(&sim->model, r.model, r.page, r.n, advice);
    enum quire_status got = quire_advise(r.real, r.va, r.bytes, advice);
    if (watched)
        sim_judge_swaps(sim, &swaps);
    if (got == QUIRE_FAULT && sim->lossy)
        return; /* a page was lost, and it stopped there */
    sim_did(sim, "advise", got, want);
    if (got == QUIRE_NOMEM)
        restore(&r, &before);
    note_change(sim, r.s);
}

/* space page n | bytes; -1: below the heap */
void sim_draw_brk(struct sim *sim, int *a) {
    sim_draw_range(sim, a);
    a[3] = sim_chance(sim, 10) ? -1 : (int)sim_pick(sim, 20 * QUIRE_PAGE_SIZE);
}

void sim_act_brk(struct sim *sim, const int *a) {
    struct range r;
    if (!sim_range(sim, a, &r))
        return;
    struct model_space *space = r.model;
    struct quire_usage usage;
    uint64_t length = a[3] < 0 ? 0 : (uint64_t)a[3];
    uint64_t start = sim_va(space->brk_page), old = start + space->brk_bytes;
    uint64_t want = a[3] < 0 ? start - 1 : start + length;
    uint64_t got = quire_brk(r.real, quire_va(want)).value;
    unsigned old_end = space->brk_page + (unsigned)(quire_round_up(space->brk_bytes) >> 12);
    if (got == old && got != want) {
        /* Refused: below the start, something in the way (or right behind), or no memory. */
        unsigned end = space->brk_page + (unsigned)(quire_round_up(length) >> 12) + 1;
        bool in_the_way =
            end > MODEL_PAGES || (end > old_end && !model_all_free(space, old_end, end - old_end));
        quire_usage(sim->q, &usage);
        if (want >= start && !in_the_way && !has_stack(space) && !sim->plan.field[SIM_FAILING] &&
            !sim->lossy && !sim_may_refuse(sim, (int)r.s, r.n + end - old_end) &&
            sim->refused_nomem == 0 && usage.free > usage.watermark_high)
            sim_fail(sim, "brk: refused to go from %llu to %llu bytes",
                     (unsigned long long)space->brk_bytes, (unsigned long long)length);
        return;
    }
    if (got != want || want < start)
        sim_fail(sim, "brk: is at %llx", (unsigned long long)got);
    unsigned new_end = space->brk_page + (unsigned)(quire_round_up(length) >> 12);
    if (new_end > old_end) {
        if (!model_all_free(space, old_end, new_end - old_end))
            sim_fail(sim, "brk: grew over a mapping");
        model_map(space, old_end, new_end - old_end, QUIRE_PROT_READ | QUIRE_PROT_WRITE,
                  QUIRE_MAP_HEAP_TAG, -1, 0);
    } else {
        model_unmap(space, new_end, old_end - new_end);
    }
    space->brk_bytes = length;
    note_change(sim, r.s);
}

/* ---- moving ---------------------------------------------------------------------------------- */

/* mremap's rules, for a range that is one region. Returns the status; *to is where it must be, or
 * MODEL_PAGES: anywhere that is free. */
static enum quire_status remap_rule(const struct range *r, unsigned n_new, bool may_move,
                                    unsigned *to) {
    const struct model_space *space = r->model;
    unsigned end = r->page + r->n, new_end = r->page + n_new;
    *to = r->page;
    if (n_new <= r->n)
        return QUIRE_OK;
    bool at_its_end =
        end == MODEL_PAGES || !model_joined(&space->pages[end - 1], &space->pages[end]);
    if (at_its_end && new_end <= MODEL_PAGES && model_all_free(space, end, new_end - end))
        return QUIRE_OK;
    *to = MODEL_PAGES;
    return may_move ? QUIRE_OK : QUIRE_NOROOM;
}

/* remap_copy and sim_draw_remap: what becomes of the old place. */
enum { REMAP_STAY, REMAP_MAY_MOVE, REMAP_FIXED, REMAP_KEEP, REMAP_KEEP_FIXED, REMAP_DOUBLE };

/* Refused for memory, but the fixed target may be gone already, as on Linux. */
static void forget_target(struct range *r, enum quire_status got, enum quire_status want,
                          bool fixed, unsigned n_new, unsigned to) {
    struct quire_region_info info;
    if (got == QUIRE_NOMEM && want == QUIRE_OK && fixed &&
        (!quire_region_at_or_after(r->real, quire_va(sim_va(to)), false, &info) ||
         info.start.value >= sim_va(to + n_new)))
        model_unmap(r->model, to, n_new);
}

static void remap_fixed(struct sim *sim, struct range *r, unsigned n_new, unsigned to) {
    bool overlap = to < r->page + r->n && r->page < to + n_new;
    enum quire_status want = overlap ? QUIRE_INVAL
                             : model_one_region(r->model, r->page, r->n < n_new ? r->n : n_new)
                                 ? QUIRE_OK
                                 : QUIRE_FAULT;
    quire_vaddr new_va = quire_va(sim_va(to));
    enum quire_status got = quire_remap(r->real, r->va, r->bytes, n_new * QUIRE_PAGE_SIZE,
                                        QUIRE_REMAP_MAY_MOVE | QUIRE_REMAP_FIXED, &new_va);
    forget_target(r, got, want, true, n_new, to);
    if (sim_refused(sim, got, (int)r->s, n_new) || !sim_did(sim, "remap fixed", got, want))
        return;
    if (new_va.value != sim_va(to))
        sim_fail(sim, "remap: not where it was asked for");
    model_unmap(r->model, to, n_new);
    model_remap(r->model, r->page, r->n, to, n_new);
}

/* What mremap says to DONTUNMAP, and to an old length of 0, which makes a second mapping. */
static enum quire_status copy_rule(const struct range *r, unsigned n_new, unsigned to, int how) {
    const struct model_page *page = &r->model->pages[r->page];
    if (how == REMAP_KEEP_FIXED && to < r->page + r->n && r->page < to + n_new)
        return QUIRE_INVAL;
    if (!page->mapped)
        return QUIRE_FAULT;
    if (how == REMAP_DOUBLE)
        return page->flags & QUIRE_MAP_SHARED ? QUIRE_OK : QUIRE_INVAL;
    return model_one_region(r->model, r->page, r->n) ? QUIRE_OK : QUIRE_FAULT;
}

/* The old place stays. */
static void remap_copy(struct sim *sim, struct range *r, unsigned n_new, unsigned to, int how) {
    bool fixed = how == REMAP_KEEP_FIXED;
    if (how != REMAP_DOUBLE)
        n_new = r->n;
    if (fixed && to + n_new > MODEL_PAGES)
        return;
    enum quire_status want = copy_rule(r, n_new, to, how);
    quire_vaddr new_va = quire_va(fixed ? sim_va(to) : 0);
    unsigned flags = QUIRE_REMAP_MAY_MOVE | (fixed ? QUIRE_REMAP_FIXED : 0) |
                     (how == REMAP_DOUBLE ? 0 : QUIRE_REMAP_DONT_UNMAP);
    enum quire_status got = quire_remap(r->real, r->va, how == REMAP_DOUBLE ? 0 : r->bytes,
                                        n_new * QUIRE_PAGE_SIZE, flags, &new_va);
    if (want == QUIRE_OK && got == QUIRE_NOROOM && !fixed && !has_hole(r->model, n_new))
        return;
    forget_target(r, got, want, fixed, n_new, to);
    if (sim_refused(sim, got, (int)r->s, n_new) || !sim_did(sim, "remap copy", got, want))
        return;
    if (fixed)
        model_unmap(r->model, to, n_new);
    else
        to = page_of(sim, r->model, new_va, n_new);
    if (how == REMAP_DOUBLE)
        model_remap_double(r->model, r->page, to, n_new);
    else
        model_remap_keep(r->model, r->page, n_new, to);
}

/* space page n | pages to how */
void sim_draw_remap(struct sim *sim, int *a) {
    bool may_move = sim_chance(sim, 70), fixed = sim_chance(sim, 25);
    sim_draw_mapped(sim, a);
    /* Mostly a range that is one region, or it would nearly always be refused. */
    const struct model_space *space = &sim->model.spaces[a[0]];
    while (sim_chance(sim, 90) && a[2] > 1 &&
           !model_one_region(space, (unsigned)a[1], (unsigned)a[2]))
        a[2]--;
    a[3] = 1 + (int)sim_pick(sim, RUN_PAGES_MAX);
    a[4] = (int)sim_pick(sim, MODEL_PAGES);
    a[5] = fixed ? REMAP_FIXED : may_move ? REMAP_MAY_MOVE : REMAP_STAY;
    if (sim_chance(sim, 25)) {
        a[5] = REMAP_KEEP + (int)sim_pick(sim, 3);
        a[3] = a[5] == REMAP_DOUBLE ? a[3] : a[2];
    }
}

void sim_act_remap(struct sim *sim, const int *a) {
    struct range r;
    unsigned n_new = (unsigned)a[3], to = (unsigned)a[4];
    bool may_move = a[5] == REMAP_MAY_MOVE;
    if (!sim_range(sim, a, &r) || n_new == 0 || n_new > MODEL_PAGES)
        return;
    note_change(sim, r.s);
    if (a[5] >= REMAP_KEEP) {
        remap_copy(sim, &r, n_new, to, a[5]);
        return;
    }
    if (a[5] == REMAP_FIXED) {
        if (to + n_new <= MODEL_PAGES)
            remap_fixed(sim, &r, n_new, to);
        return;
    }
    quire_vaddr new_va = quire_va(0);
    enum quire_status want = QUIRE_FAULT;
    if (n_new <= r.n ? r.model->pages[r.page].mapped : model_one_region(r.model, r.page, r.n))
        want = remap_rule(&r, n_new, may_move, &to);
    enum quire_status got = quire_remap(r.real, r.va, r.bytes, n_new * QUIRE_PAGE_SIZE,
                                        may_move ? QUIRE_REMAP_MAY_MOVE : 0, &new_va);
    if (want == QUIRE_OK && got == QUIRE_NOROOM && to == MODEL_PAGES && !has_hole(r.model, n_new))
        return;
    if (sim_refused(sim, got, (int)r.s, n_new) || !sim_did(sim, "remap", got, want))
        return;
    if (to == MODEL_PAGES)
        to = page_of(sim, r.model, new_va, n_new);
    else if (new_va.value != sim_va(to))
        sim_fail(sim, "remap: moved without need");
    model_remap(r.model, r.page, r.n, to, n_new);
}

/* ---- locks ----------------------------------------------------------------------------------- */

/* space page n on_fault */
void sim_draw_lock(struct sim *sim, int *a) {
    sim_draw_mapped(sim, a);
    a[2] = 1 + a[2] / 4;
    a[3] = sim_chance(sim, 50);
}

void sim_act_lock(struct sim *sim, const int *a) {
    struct range r;
    struct saved before;
    if (!sim_range(sim, a, &r))
        return;
    bool on_fault = a[3] || model_any_private_object(r.model, r.page, r.n);
    unsigned locks = QUIRE_MAP_LOCKED | (on_fault ? QUIRE_MAP_LOCK_ON_FAULT : 0);
    save(&r, &before);
    enum quire_status want = model_lock(&sim->model, r.model, r.page, r.n, locks);
    enum quire_status got = quire_lock(r.real, r.va, r.bytes, on_fault);
    note_change(sim, r.s);
    if (got == QUIRE_BUSY || (got == QUIRE_UNMAPPED && want == QUIRE_OK && sim->lossy)) {
        sim->refused_nomem += got == QUIRE_BUSY; /* locked, but not all of it is in RAM */
        return;
    }
    if (got == QUIRE_KILLED && sim->killed)
        return;
    sim_did(sim, "lock", got, want);
    if (got == QUIRE_NOMEM)
        restore(&r, &before);
}

void sim_draw_unlock(struct sim *sim, int *a) {
    sim_draw_mapped(sim, a);
}

void sim_act_unlock(struct sim *sim, const int *a) {
    struct range r;
    struct saved before;
    if (!sim_range(sim, a, &r))
        return;
    save(&r, &before);
    enum quire_status want = model_lock(&sim->model, r.model, r.page, r.n, 0);
    enum quire_status got = quire_unlock(r.real, r.va, r.bytes);
    sim_did(sim, "unlock", got, want);
    if (got == QUIRE_NOMEM)
        restore(&r, &before);
    note_change(sim, r.s);
}

/* space page n | flags */
void sim_draw_lock_all(struct sim *sim, int *a) {
    sim_draw_range(sim, a);
    a[3] = sim_chance(sim, 60) ? 0 : (int)sim_pick(sim, 8);
}

void sim_act_lock_all(struct sim *sim, const int *a) {
    struct range r;
    unsigned flags = (unsigned)a[3] & 7;
    if (!sim_range(sim, a, &r))
        return;
    if (model_any_private_object(r.model, 0, MODEL_PAGES))
        flags |= QUIRE_LOCK_ALL_ON_FAULT;
    if (sim_did(sim, "lock_all", quire_lock_all(r.real, flags), QUIRE_OK))
        model_lock_all(r.model, flags);
    note_change(sim, r.s);
}

/* ---- spaces ---------------------------------------------------------------------------------- */

/* space brk_page */
void sim_draw_spawn(struct sim *sim, int *a) {
    a[0] = (int)sim_pick(sim, MODEL_SPACES);
    a[1] = 4 + (int)sim_pick(sim, 60);
}

void sim_act_spawn(struct sim *sim, const int *a) {
    if ((unsigned)a[0] >= MODEL_SPACES || (unsigned)a[1] >= MODEL_PAGES ||
        sim->model.spaces[a[0]].alive)
        return;
    sim_space_create(sim, (unsigned)a[0], (unsigned)a[1]);
}

void sim_draw_exit(struct sim *sim, int *a) {
    sim_draw_range(sim, a);
}

void sim_act_exit(struct sim *sim, const int *a) {
    struct range r;
    if (!sim_range(sim, a, &r))
        return;
    sim_space_destroy(sim, r.s);
    sim->in_space = -1;
}

/* space page n | child */
void sim_draw_fork(struct sim *sim, int *a) {
    sim_draw_range(sim, a);
    a[3] = (int)sim_pick(sim, MODEL_SPACES);
}

void sim_act_fork(struct sim *sim, const int *a) {
    struct range r;
    unsigned child = (unsigned)a[3];
    if (!sim_range(sim, a, &r) || child >= MODEL_SPACES || sim->model.spaces[child].alive)
        return;
    sim->owners[child] = (struct sim_owner){sim, child};
    enum quire_status got = quire_space_fork(r.real, &sim->owners[child], &sim->spaces[child]);
    if (sim_refused(sim, got, -1, sim->sizes[r.s].committed))
        return;
    if (sim_did(sim, "fork", got, QUIRE_OK)) {
        sim_limits_of_new(sim, child, (int)r.s);
        model_fork(r.model, &sim->model.spaces[child]);
        note_change(sim, child);
    }
}
