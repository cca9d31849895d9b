/* limits.c: how much a space may have, and how much may be promised to all: both sides judged.
 *
 * The model knows what each space has, page by page. What grew in a step must be within its limits
 * then; what was refused must have been too much, reckoned generously: a call's pages are all taken
 * for new ones. So no order of checks inside of the manager is prescribed, and neither a limit that
 * is not kept nor one that is kept where there is none goes unseen for long.
 *
 * Only worlds whose plan says `limits` set any: in the others each of these is one comparison.
 */
#include <string.h>

#include "steps.h"

/* quire_set_overcommit: with neither a ratio nor kilobytes, this. */
#define RATIO_DEFAULT 50
/* A 32nd of the space stays for the operator, in mode NEVER. */
#define RESERVE_SHIFT 5

/* ---- how things stand ------------------------------------------------------------------------ */

static void add_page(struct sim_size *size, const struct model_page *p) {
    if (!p->mapped)
        return;
    bool mine = (p->prot & QUIRE_PROT_WRITE) && !(p->flags & QUIRE_MAP_SHARED);
    size->pages++;
    size->data += mine && !(p->flags & QUIRE_MAP_GROWSDOWN);
    size->committed += mine && !(p->flags & QUIRE_MAP_NORESERVE);
}

static struct sim_size size_of(const struct sim *sim, unsigned s) {
    struct sim_size size = {0};
    for (unsigned i = 0; i < MODEL_PAGES && sim->model.spaces[s].alive; i++)
        add_page(&size, &sim->model.spaces[s].pages[i]);
    return size;
}

static uint64_t objects_pages(const struct sim *sim) {
    uint64_t pages = 0;
    for (int object = MODEL_FILES; object < MODEL_OBJECTS; object++)
        pages += sim->objects[object] ? sim->model.objects[object].ncells / MODEL_CELLS : 0;
    return pages;
}

/* Where nothing is left out: 64 bits are enough for all of these. */
static uint64_t commit_limit(const struct sim *sim) {
    struct quire_usage usage;
    quire_usage(sim->q, &usage);
    uint64_t ratio = sim->overcommit.ratio_percent, kbytes = sim->overcommit.limit_kbytes;
    if (!ratio && !kbytes)
        ratio = RATIO_DEFAULT;
    uint64_t pages = kbytes ? kbytes / 4 : usage.total * ratio / 100;
    if (usage.commit_limit != pages + usage.swap_total)
        return 0; /* that is seen when it is compared */
    return usage.commit_limit;
}

/* ---- refused --------------------------------------------------------------------------------- */

static bool exceeds(uint64_t used, uint64_t more, uint64_t limit) {
    return more > 0 && (used > limit || more > limit - used);
}

static uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* What all have: at the last judgement, or now, as a stack may have grown since. */
static uint64_t promised_at_most(const struct sim *sim) {
    uint64_t promised = 0;
    for (unsigned s = 0; s < MODEL_SPACES; s++)
        promised += size_of(sim, s).committed;
    return larger(promised + objects_pages(sim), sim->promised);
}

bool sim_may_refuse(const struct sim *sim, int s, uint64_t npages) {
    if (!sim_is_limited(sim))
        return false;
    uint64_t limit = sim->commit_limit, now = commit_limit(sim);
    uint64_t reserve = MODEL_PAGES >> RESERVE_SHIFT; /* of whom, is not said: fork, memory of all */
    if (s >= 0) {
        const struct sim_size *before = &sim->sizes[s], size = size_of(sim, (unsigned)s);
        uint64_t pages = larger(before->pages, size.pages);
        if (exceeds(pages, npages, sim->limits[s].pages) ||
            exceeds(larger(before->data, size.data), npages, sim->limits[s].data))
            return true;
        reserve = (pages + npages) >> RESERVE_SHIFT;
    }
    limit = now < limit ? now : limit;
    return sim->overcommit.mode == QUIRE_OVERCOMMIT_NEVER &&
           exceeds(promised_at_most(sim) + reserve, npages, limit);
}

bool sim_refused(struct sim *sim, enum quire_status got, int s, uint64_t npages) {
    if (got != QUIRE_NOROOM || !sim_may_refuse(sim, s, npages))
        return false;
    sim->hash = (sim->hash ^ got) * 0x9E3779B97F4A7C15u;
    return true;
}

/* ---- granted --------------------------------------------------------------------------------- */

static void judge_space(struct sim *sim, unsigned s, const struct sim_size *now) {
    const struct sim_size *was = &sim->sizes[s];
    const struct sim_limits *limits = &sim->limits[s];
    if ((now->pages > was->pages && now->pages > limits->pages) ||
        (now->data > was->data && now->data > limits->data))
        sim_fail(sim, "space %u has %llu pages, %llu of data; its limits are %llu and %llu", s,
                 (unsigned long long)now->pages, (unsigned long long)now->data,
                 (unsigned long long)limits->pages, (unsigned long long)limits->data);
}

void sim_judge_limits(struct sim *sim) {
    uint64_t promised = 0, limit = commit_limit(sim);
    if (limit == 0)
        sim_fail(sim, "the commit limit is not what was set");
    for (unsigned s = 0; s < MODEL_SPACES; s++) {
        struct sim_size now = size_of(sim, s);
        if (sim->sizes[s].pages > 0) /* else it may be a child: limits come with it, pages too */
            judge_space(sim, s, &now);
        sim->sizes[s] = now;
        promised += now.committed;
    }
    promised += objects_pages(sim);
    uint64_t most = limit > sim->commit_limit ? limit : sim->commit_limit;
    if (sim->overcommit.mode == QUIRE_OVERCOMMIT_NEVER && promised > sim->promised &&
        promised > most)
        sim_fail(sim, "%llu pages are promised, and the limit is %llu",
                 (unsigned long long)promised, (unsigned long long)most);
    sim->promised = promised;
    sim->commit_limit = limit;
}

/* ---- setting them ---------------------------------------------------------------------------- */

void sim_limits_begin(struct sim *sim) {
    for (unsigned s = 0; s < MODEL_SPACES; s++)
        sim->limits[s] = (struct sim_limits){UINT64_MAX, UINT64_MAX};
    if (sim_is_limited(sim))
        sim_judge_limits(sim);
}

void sim_limits_of_new(struct sim *sim, unsigned s, int parent) {
    sim->limits[s] = parent < 0 ? (struct sim_limits){UINT64_MAX, UINT64_MAX} : sim->limits[parent];
}

/* space page n | which pages; 0 pages: none */
void sim_draw_limit(struct sim *sim, int *a) {
    sim_draw_range(sim, a);
    a[3] = (int)sim_pick(sim, QUIRE_LIMIT_STACK + 1);
    a[4] = sim_chance(sim, 40) ? 0 : 1 + (int)sim_pick(sim, a[3] == QUIRE_LIMIT_STACK ? 30 : 120);
}

void sim_act_limit(struct sim *sim, const int *a) {
    struct range r;
    if (!sim_is_limited(sim) || !sim_range(sim, a, &r) || a[4] < 0 || a[3] < 0 ||
        a[3] > QUIRE_LIMIT_STACK)
        return;
    sim_judge_limits(sim);
    uint64_t pages = a[4] ? (uint64_t)a[4] : UINT64_MAX, most = UINT64_MAX;
    uint64_t bytes = a[4] ? pages * QUIRE_PAGE_SIZE : most;
    enum quire_space_limit which = (enum quire_space_limit)a[3];
    if (which == QUIRE_LIMIT_STACK && !a[4]) {
        pages = sim->model.stack_limit_pages;
        bytes = pages * QUIRE_PAGE_SIZE;
    }
    sim_did(sim, "set_limit", quire_space_set_limit(r.real, which, bytes), QUIRE_OK);
    if (which == QUIRE_LIMIT_ADDRESS)
        sim->limits[r.s].pages = pages;
    else if (which == QUIRE_LIMIT_DATA)
        sim->limits[r.s].data = pages;
    else
        r.model->stack_limit = (unsigned)pages;
}

/* mode ratio kbytes */
void sim_draw_overcommit(struct sim *sim, int *a) {
    a[0] = sim_chance(sim, 60) ? QUIRE_OVERCOMMIT_NEVER : (int)sim_pick(sim, 2);
    a[1] = (int)sim_pick(sim, 80);
    a[2] = sim_chance(sim, 30) ? (int)sim_pick(sim, 1200) : 0;
}

void sim_act_overcommit(struct sim *sim, const int *a) {
    struct quire_overcommit rule = {.mode = (enum quire_overcommit_mode)((unsigned)a[0] % 3)};
    rule.ratio_percent = (unsigned)a[1] % 100;
    rule.limit_kbytes = a[2] < 0 ? 0 : (unsigned)a[2] & ~3u;
    if (!sim_is_limited(sim))
        return;
    sim_judge_limits(sim);
    sim_did(sim, "set_overcommit", quire_set_overcommit(sim->q, &rule), QUIRE_OK);
    sim->overcommit = rule;
    sim->promised = UINT64_MAX; /* whatever there is by now stays */
}
