/* steps_map.c: calls on the address space: map, unmap, protect, advise, brk, remap, fork.
 *
 * Where the manager may choose (an address without a hint, how much of a refused call was done),
 * the model checks that the choice was allowed and follows it; everything else must be as it says.
 */
#include "steps.h"

/* ---- mapping --------------------------------------------------------------------------------- */

struct mapping {
    unsigned prot, flags, index;
    int object;
};

static unsigned pick_prot(struct sim *sim) {
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

static struct mapping pick_mapping(struct sim *sim) {
    struct mapping m = {.prot = pick_prot(sim), .object = -1};
    unsigned kind = sim_pick(sim, 100), object = sim_pick(sim, MODEL_OBJECTS);
    unsigned index = sim_pick(sim, MODEL_OBJECT_PAGES);
    bool deny = sim_chance(sim, 20), grows = sim_chance(sim, 8), noreserve = sim_chance(sim, 10);
    if (kind >= 55 && sim->objects[object]) {
        m.object = (int)object;
        m.index = index;
        if (kind >= 75)
            m.flags |= QUIRE_MAP_SHARED;
        if (kind >= 75 && deny && !(m.prot & QUIRE_PROT_WRITE))
            m.flags |= QUIRE_MAP_DENY_WRITE;
    } else if (grows) {
        m.flags |= QUIRE_MAP_GROWSDOWN;
    } else if (noreserve) {
        m.flags |= QUIRE_MAP_NORESERVE;
    }
    return m;
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

void sim_step_map(struct sim *sim) {
    struct range r;
    struct mapping m = pick_mapping(sim);
    unsigned how = sim_pick(sim, 100);
    bool populate = sim_chance(sim, 10);
    if (!sim_pick_range(sim, &r))
        return;
    /* Populating private pages of a file copies them, now or later: seen from the file, no promise.
     */
    if (m.object >= 0 && !(m.flags & QUIRE_MAP_SHARED) && (m.prot & QUIRE_PROT_WRITE))
        populate = false;
    unsigned place = how < 60 ? QUIRE_MAP_FIXED : how < 75 ? QUIRE_MAP_NOREPLACE : 0;
    quire_vaddr va = place || how < 85 ? r.va : quire_va(0);
    enum quire_status want = QUIRE_OK;
    if (place == QUIRE_MAP_NOREPLACE && !model_all_free(r.model, r.page, r.n))
        want = QUIRE_EXIST;
    sim_say(sim, "space %u: map page %u+%u prot %u flags 0x%x object %d index %u", r.s,
            va.value ? r.page : 999, r.n, m.prot, m.flags | place, m.object, m.index);
    enum quire_status got = quire_map(
        r.real, &va, r.bytes, m.prot, m.flags | place | (populate ? QUIRE_MAP_POPULATE : 0),
        m.object < 0 ? NULL : sim->objects[m.object], m.index * QUIRE_PAGE_SIZE);
    if (got == QUIRE_NOROOM && place == 0 && !has_hole(r.model, r.n))
        return;
    if (!sim_did(sim, "map", got, want))
        return;
    unsigned page = r.page;
    if (place == 0)
        page = page_of(sim, r.model, va, r.n);
    else if (va.value != r.va.value)
        sim_fail(sim, "map: not where it was asked for");
    model_map(r.model, page, r.n, m.prot, m.flags, m.object, m.index);
}

void sim_step_unmap(struct sim *sim) {
    struct range r;
    if (!sim_pick_range(sim, &r))
        return;
    sim_say(sim, "space %u: unmap page %u+%u", r.s, r.page, r.n);
    if (sim_did(sim, "unmap", quire_unmap(r.real, r.va, r.bytes), QUIRE_OK))
        model_unmap(r.model, r.page, r.n);
}

void sim_step_protect(struct sim *sim) {
    struct range r;
    unsigned prot = pick_prot(sim);
    if (!sim_pick_mapped(sim, &r))
        return;
    sim_say(sim, "space %u: protect page %u+%u prot %u", r.s, r.page, r.n, prot);
    struct model_space before = *r.model;
    enum quire_status want = model_protect(r.model, r.page, r.n, prot);
    enum quire_status got = quire_protect(r.real, r.va, r.bytes, prot);
    sim_did(sim, "protect", got, want);
    if (got == QUIRE_NOMEM)
        *r.model = before;
}

void sim_step_advise(struct sim *sim) {
    struct range r;
    enum quire_advice advice = (enum quire_advice)sim_pick(sim, QUIRE_ADVISE_DOFORK + 1);
    if (!sim_pick_mapped(sim, &r))
        return;
    for (unsigned i = r.page; i < r.page + r.n && advice == QUIRE_ADVISE_FREE; i++) {
        if (r.model->pages[i].mapped && r.model->pages[i].object >= 0)
            return; /* for anonymous memory only: EINVAL on Linux */
    }
    sim_say(sim, "space %u: advise page %u+%u %d", r.s, r.page, r.n, (int)advice);
    struct model_space before = *r.model;
    enum quire_status want = model_advise(r.model, r.page, r.n, advice);
    enum quire_status got = quire_advise(r.real, r.va, r.bytes, advice);
    sim_did(sim, "advise", got, want);
    if (got == QUIRE_NOMEM)
        *r.model = before;
}

void sim_step_brk(struct sim *sim) {
    struct range r;
    unsigned percent = sim_pick(sim, 100);
    uint64_t length = sim_pick(sim, 20 * QUIRE_PAGE_SIZE);
    if (!sim_pick_range(sim, &r))
        return;
    struct model_space *space = r.model;
    uint64_t start = sim_va(space->brk_page), old = start + space->brk_bytes;
    uint64_t want = percent < 10 ? start - 1 : start + length;
    uint64_t got = quire_brk(r.real, quire_va(want)).value;
    sim_say(sim, "space %u: brk %lld -> %lld", r.s, (long long)(want - start),
            (long long)(got - start));
    unsigned old_end = space->brk_page + (unsigned)(quire_round_up(space->brk_bytes) >> 12);
    if (got == old && got != want) {
        /* Refused: below the start, something in the way (or right behind), or no memory. */
        unsigned end = space->brk_page + (unsigned)(quire_round_up(length) >> 12) + 1;
        bool in_the_way =
            end > MODEL_PAGES || (end > old_end && !model_all_free(space, old_end, end - old_end));
        if (want >= start && !in_the_way && !has_stack(space) && !sim->failing &&
            sim->refused_nomem == 0)
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
}

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

static void remap_fixed(struct sim *sim, struct range *r, unsigned n_new, unsigned to) {
    bool overlap = to < r->page + r->n && r->page < to + n_new;
    enum quire_status want = overlap                                     ? QUIRE_INVAL
                             : model_one_region(r->model, r->page, r->n) ? QUIRE_OK
                                                                         : QUIRE_FAULT;
    quire_vaddr new_va = quire_va(sim_va(to));
    enum quire_status got =
        quire_remap(r->real, r->va, r->bytes, n_new * QUIRE_PAGE_SIZE, true, true, &new_va);
    struct quire_region_info info;
    if (got == QUIRE_NOMEM && want == QUIRE_OK &&
        (!quire_region_at_or_after(r->real, quire_va(sim_va(to)), false, &info) ||
         info.start.value >= sim_va(to + n_new)))
        model_unmap(r->model, to, n_new); /* the target may be gone already, as on Linux */
    if (!sim_did(sim, "remap fixed", got, want))
        return;
    if (new_va.value != sim_va(to))
        sim_fail(sim, "remap: not where it was asked for");
    model_unmap(r->model, to, n_new);
    model_remap(r->model, r->page, r->n, to, n_new);
}

void sim_step_remap(struct sim *sim) {
    struct range r;
    unsigned n_new = 1 + sim_pick(sim, RUN_PAGES_MAX), to = sim_pick(sim, MODEL_PAGES);
    bool may_move = sim_chance(sim, 70), fixed = sim_chance(sim, 25), cut = sim_chance(sim, 70);
    if (!sim_pick_mapped(sim, &r))
        return;
    /* Mostly a range that is one region, or it would nearly always be refused. */
    while (cut && r.n > 1 && !model_one_region(r.model, r.page, r.n))
        r.n--;
    r.bytes = r.n * QUIRE_PAGE_SIZE;
    sim_say(sim, "space %u: remap page %u+%u to %u+%u%s%s", r.s, r.page, r.n, to, n_new,
            may_move ? " may move" : "", fixed ? " fixed" : "");
    if (fixed) {
        if (to + n_new <= MODEL_PAGES)
            remap_fixed(sim, &r, n_new, to);
        return;
    }
    quire_vaddr new_va = quire_va(0);
    enum quire_status want = QUIRE_FAULT;
    if (model_one_region(r.model, r.page, r.n))
        want = remap_rule(&r, n_new, may_move, &to);
    enum quire_status got =
        quire_remap(r.real, r.va, r.bytes, n_new * QUIRE_PAGE_SIZE, may_move, false, &new_va);
    if (want == QUIRE_OK && got == QUIRE_NOROOM && to == MODEL_PAGES && !has_hole(r.model, n_new))
        return;
    if (!sim_did(sim, "remap", got, want))
        return;
    if (to == MODEL_PAGES)
        to = page_of(sim, r.model, new_va, n_new);
    else if (new_va.value != sim_va(to))
        sim_fail(sim, "remap: moved without need");
    model_remap(r.model, r.page, r.n, to, n_new);
}

/* ---- spaces ---------------------------------------------------------------------------------- */

void sim_step_spawn(struct sim *sim) {
    unsigned s = sim_pick(sim, MODEL_SPACES);
    if (sim->model.spaces[s].alive)
        return;
    sim_say(sim, "space %u: create", s);
    sim_space_create(sim, s);
}

void sim_step_exit(struct sim *sim) {
    struct range r;
    if (!sim_pick_range(sim, &r))
        return;
    sim_say(sim, "space %u: destroy", r.s);
    sim_space_destroy(sim, r.s);
    sim->in_space = -1;
}

void sim_step_fork(struct sim *sim) {
    struct range r;
    unsigned child = sim_pick(sim, MODEL_SPACES);
    if (!sim_pick_range(sim, &r) || sim->model.spaces[child].alive)
        return;
    sim_say(sim, "space %u: fork to %u", r.s, child);
    sim->owners[child] = (struct sim_owner){sim, child};
    enum quire_status got = quire_space_fork(r.real, &sim->owners[child], &sim->spaces[child]);
    if (sim_did(sim, "fork", got, QUIRE_OK))
        model_fork(r.model, &sim->model.spaces[child]);
}
