/* steps.c: the dice that choose a step, the table of all steps, and those on the manager itself.
 *
 * The dice of step i are a stream made of (seed, i) only. A step that can't be made now (no space
 * is alive, say) is drawn all the same and does nothing. Weights are in the table at the end;
 * accesses are the most of it, as in life. Steps on objects are in steps_object.c,
 * those on the kernel's own memory in steps_kernel.c.
 */
#include "steps.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <quire/view.h>

/* ---- dice ------------------------------------------------------------------------------------ */

unsigned sim_pick(struct sim *sim, unsigned n) {
    return (unsigned)(((sim_splitmix64(&sim->random) >> 32) * n) >> 32);
}

bool sim_chance(struct sim *sim, unsigned percent) {
    return sim_pick(sim, 100) < percent;
}

void sim_draw_range(struct sim *sim, int *a) {
    unsigned start = sim_pick(sim, MODEL_SPACES), page = sim_pick(sim, MODEL_PAGES);
    unsigned n = 1 + sim_pick(sim, RUN_PAGES_MAX);
    for (unsigned i = 0; i < MODEL_SPACES; i++) {
        a[0] = (int)((start + i) % MODEL_SPACES);
        if (sim->model.spaces[a[0]].alive)
            break;
    }
    a[1] = (int)page;
    a[2] = (int)(page + n > MODEL_PAGES ? MODEL_PAGES - page : n);
}

/* A page that is mapped, from a[1] on. */
static void next_mapped(const struct sim *sim, int *a) {
    const struct model_space *space = &sim->model.spaces[a[0]];
    for (unsigned i = 0; i < MODEL_PAGES; i++) {
        unsigned page = ((unsigned)a[1] + i) % MODEL_PAGES;
        if (!space->pages[page].mapped)
            continue;
        a[1] = (int)page;
        if (a[1] + a[2] > MODEL_PAGES)
            a[2] = MODEL_PAGES - a[1];
        return;
    }
}

void sim_draw_mapped(struct sim *sim, int *a) {
    sim_draw_range(sim, a);
    if (!sim_chance(sim, 5)) /* else wild */
        next_mapped(sim, a);
}

/* Programs come back to where they were: most accesses of a stretch of steps go to a few pages, so
 * that reclaim has something to tell apart, and that most find their mapping. */
#define HOT_PERCENT 70
#define HOT_PAGES   12
#define HOT_STEPS   512

void sim_draw_near(struct sim *sim, int *a) {
    if (!sim_chance(sim, HOT_PERCENT)) {
        sim_draw_mapped(sim, a);
        return;
    }
    uint64_t stretch = sim->plan.field[SIM_SEED] + (sim->step / HOT_STEPS << 32);
    uint64_t hot = sim_splitmix64(&stretch);
    sim_draw_range(sim, a);
    a[1] = (int)((hot >> (8 * a[0]) & 0xFF) + sim_pick(sim, HOT_PAGES)) % MODEL_PAGES;
    next_mapped(sim, a);
}

int sim_draw_value(const struct sim *sim) {
    return (int)(1 + sim->step % 255);
}

bool sim_range(struct sim *sim, const int *a, struct range *r) {
    if ((unsigned)a[0] >= MODEL_SPACES || (unsigned)a[1] >= MODEL_PAGES || a[2] < 1 ||
        a[1] + a[2] > MODEL_PAGES)
        return false;
    r->s = (unsigned)a[0];
    r->page = (unsigned)a[1];
    r->n = (unsigned)a[2];
    r->va = quire_va(sim_va(r->page));
    r->bytes = r->n * QUIRE_PAGE_SIZE;
    r->real = sim->spaces[r->s];
    r->model = &sim->model.spaces[r->s];
    if (!r->model->alive)
        return false;
    sim->in_space = (int)r->s;
    return true;
}

/* ---- the machine and the manager ------------------------------------------------------------- */

/* nanoseconds */
static void draw_tick(struct sim *sim, int *a) {
    a[0] = (int)sim_pick(sim, 2000000);
}

static void act_tick(struct sim *sim, const int *a) {
    quire_soft_charge(sim->machine, (uint64_t)(a[0] < 0 ? 0 : a[0]));
    quire_soft_tick_if_due(sim->machine, sim->q);
}

/* What /proc/sys/vm/drop_caches takes; and the mode of large pages. */
static void draw_drop_caches(struct sim *sim, int *a) {
    a[0] = 1 + (int)sim_pick(sim, 3);
}

static void act_drop_caches(struct sim *sim, const int *a) {
    sim_did(sim, "drop_caches", quire_drop_caches(sim->q, 1 + ((unsigned)a[0] + 2) % 3), QUIRE_OK);
}

static void draw_thp(struct sim *sim, int *a) {
    a[0] = (int)sim_pick(sim, 3);
}

static void act_thp(struct sim *sim, const int *a) {
    quire_set_thp(sim->q, (enum quire_thp)((unsigned)a[0] % 3));
}

/* space page n | adj: whom the killer should take first */
static void draw_oom_adj(struct sim *sim, int *a) {
    sim_draw_range(sim, a);
    a[3] = (int)sim_pick(sim, 1001) - (sim_chance(sim, 50) ? 0 : 900);
}

static void act_oom_adj(struct sim *sim, const int *a) {
    struct range r;
    if (!sim_range(sim, a, &r) || a[3] < -999 || a[3] > 1000) /* -1000: never, and nothing ends */
        return;
    sim_did(sim, "oom_score_adj", quire_space_set_oom_score_adj(r.real, a[3]), QUIRE_OK);
    if (quire_space_oom_score_adj(r.real) != a[3] || quire_space_oom_score(r.real) > 2000)
        sim_fail(sim, "oom_score_adj: is not what was set");
}

static void draw_nothing(struct sim *sim, int *a) {
    (void)sim;
    (void)a;
}

static void act_usage(struct sim *sim, const int *a) {
    (void)a;
    sim_verify_usage(sim);
}

static void act_audit(struct sim *sim, const int *a) {
    (void)a;
    quire_audit(sim->q);
}

/* Who enters from now on, and whose TLB accesses go through; steps are taken by one processor after
 * the other, as a lock makes it. */
static void draw_cpu(struct sim *sim, int *a) {
    a[0] = (int)sim_pick(sim, SIM_CPUS);
}

static void act_cpu(struct sim *sim, const int *a) {
    unsigned cpu = (unsigned)a[0] % (unsigned)sim->plan.field[SIM_NCPUS];
    if (sim->plan.field[SIM_NCPUS] == 1)
        return;
    quire_soft_hart(sim->machine, cpu);
    quire_set_cpu(sim->q, cpu);
}

/* device priority */
static void draw_swapon(struct sim *sim, int *a) {
    a[0] = (int)sim_pick(sim, SIM_DEVICES);
    a[1] = (int)sim_pick(sim, 3);
}

static void act_swapon(struct sim *sim, const int *a) {
    enum quire_status got = quire_swapon(sim->q, (unsigned)a[0] % SIM_DEVICES, a[1]);
    bool misread = sim->lossy && (got == QUIRE_IO || got == QUIRE_INVAL); /* its first page */
    if (got != QUIRE_BUSY && !misread)
        sim_did(sim, "swapon", got, QUIRE_OK);
}

static void act_swapoff(struct sim *sim, const int *a) {
    enum quire_status got = quire_swapoff(sim->q, (unsigned)a[0] % SIM_DEVICES);
    if (got != QUIRE_INVAL && !(got == QUIRE_IO && sim->lossy))
        sim_did(sim, "swapoff", got, QUIRE_OK);
}

/* /proc/swaps: the areas in use, by number of their device. */
void sim_swaps_read(const struct sim *sim, struct sim_swaps *swaps) {
    char text[1024], *line = text;
    int last = INT_MAX;
    memset(swaps, 0, sizeof *swaps);
    quire_view_swaps(sim->q, text, sizeof text);
    while ((line = strchr(line, '\n')) != NULL && *++line) {
        unsigned device, size, used;
        int priority;
        if (sscanf(line, "/dev/swap%u partition %u %u %d", &device, &size, &used, &priority) != 4 ||
            device >= SIM_DEVICES || priority > last)
            continue; /* not seen then: what is on it will be missed */
        last = priority;
        swaps->area[device] = (struct sim_area){true, priority, size / 4, used / 4};
    }
}

/* Pages went out: to an area only when those of a higher priority were full. */
void sim_judge_swaps(struct sim *sim, const struct sim_swaps *before) {
    struct sim_swaps now;
    sim_swaps_read(sim, &now);
    for (unsigned i = 0; i < SIM_DEVICES; i++) {
        for (unsigned high = 0; high < SIM_DEVICES && now.area[i].used > before->area[i].used;
             high++) {
            const struct sim_area *was = &before->area[high], *is = &now.area[high];
            if (is->in_use && is->priority > now.area[i].priority && was->used < was->pages &&
                is->used < is->pages)
                sim_fail(sim, "swap: device %u of priority %d was used, and %d had %u of %u pages",
                         i, now.area[i].priority, is->priority, is->used, is->pages);
        }
    }
}

/* Pages compressed in RAM: from now on, by the other codec, or no more. */
static void draw_zswap(struct sim *sim, int *a) {
    a[0] = (int)sim_pick(sim, 3);
    a[1] = 1 + (int)sim_pick(sim, 50);
}

static void act_zswap(struct sim *sim, const int *a) {
    enum quire_status got = quire_zswap(sim->q, (enum quire_zswap)a[0], (unsigned)a[1]);
    if (got != QUIRE_INVAL) /* a machine without the codec */
        sim_did(sim, "zswap", got, QUIRE_OK);
}

/* Failing allocations: 0: none; every a[0]th, or one in a[0] at random, or a[0] in a row. */
enum { FAIL_EVERY, FAIL_RANDOM, FAIL_ROW, FAIL_KINDS };

static void draw_fail(struct sim *sim, int *a) {
    a[0] = sim_chance(sim, 50) ? 0 : 2 + (int)sim_pick(sim, 40);
    a[1] = (int)sim_pick(sim, FAIL_KINDS);
    a[2] = 1 + (int)sim_pick(sim, 50);
}

static void act_fail(struct sim *sim, const int *a) {
    if (sim->plan.field[SIM_FAILING] != 1 || a[0] < 0)
        return;
    uint64_t n = (uint64_t)a[0];
    quire_fail_every(sim->q, 0);
    if (n == 0)
        return;
    if (a[1] == FAIL_EVERY)
        quire_fail_every(sim->q, n);
    else if (a[1] == FAIL_RANDOM)
        quire_fail_random(sim->q, n, (uint64_t)a[2]);
    else
        quire_fail_range(sim->q, (uint64_t)a[2], n);
}

/* ---- the table ------------------------------------------------------------------------------- */

#define ROW(name, nargs, weight) \
    { #name, nargs, weight, sim_draw_##name, sim_act_##name }

const struct sim_step sim_steps[] = {
    ROW(load, 5, 800),
    ROW(store, 6, 900),
    ROW(sweep, 5, 25),
    ROW(copy_in, 6, 30),
    ROW(copy_out, 6, 40),
    ROW(copy_force, 6, 8),
    ROW(verify, 3, 1),
    ROW(drop, 3, 10),
    ROW(map, 8, 60),
    ROW(unmap, 3, 27),
    ROW(protect, 4, 35),
    ROW(advise, 4, 35),
    ROW(brk, 4, 15),
    ROW(remap, 6, 30),
    ROW(lock, 4, 8),
    ROW(unlock, 3, 10),
    ROW(lock_all, 4, 3),
    ROW(spawn, 2, 20),
    ROW(exit, 3, 4),
    ROW(fork, 4, 10),
    ROW(sync, 3, 10),
    ROW(file_write, 4, 12),
    ROW(file_read, 3, 8),
    ROW(truncate, 2, 5),
    ROW(reopen, 1, 4),
    ROW(keep, 2, 3),
    ROW(incore, 3, 6),
    ROW(sync_all, 0, 1),
    ROW(sync_object, 1, 3),
    {"tick", 1, 20, draw_tick, act_tick},
    {"usage", 0, 6, draw_nothing, act_usage},
    {"audit", 0, 0, draw_nothing, act_audit},
    {"cpu", 1, 150, draw_cpu, act_cpu},
    {"drop_caches", 1, 2, draw_drop_caches, act_drop_caches},
    {"thp", 1, 2, draw_thp, act_thp},
    {"oom_adj", 4, 4, draw_oom_adj, act_oom_adj},
    ROW(kernel, 5, 35),
    ROW(resize, 2, 6),
    ROW(cache, 3, 4),
    ROW(object, 3, 20),
    ROW(pool, 2, 10),
    ROW(view, 2, 1),
    ROW(device, 2, 4),
    ROW(fixmap, 2, 4),
    ROW(kmap, 2, 4),
    ROW(limit, 5, 4),
    ROW(overcommit, 3, 1),
    {"swapon", 2, 3, draw_swapon, act_swapon},
    {"swapoff", 1, 2, draw_swapon, act_swapoff},
    {"zswap", 2, 1, draw_zswap, act_zswap},
    {"fail", 3, 3, draw_fail, act_fail},
    /* Drawn in worlds with segments only: the last SEGMENT_ROWS. */
    ROW(segments, 3, 4),
    ROW(segment_new, 2, 300),
    ROW(segment_use, 4, 600),
    ROW(segment_size, 2, 80),
    ROW(segment_out, 1, 40),
    ROW(segment_end, 1, 60),
    ROW(describe, 8, 60),
    ROW(load_register, 2, 200),
    ROW(gate, 3, 60),
    ROW(reach, 5, 500),
    ROW(segpage_enter, 4, 80),
    ROW(segpage_touch, 4, 300),
    ROW(channel, 5, 20),
};
#define SEGMENT_ROWS 13
const unsigned sim_nsteps = sizeof sim_steps / sizeof sim_steps[0];

/* Of a hundred steps of a world with segments, so many are theirs; sim_segments has more. */
#ifndef SEGMENT_STEPS
#define SEGMENT_STEPS 30
#endif

static unsigned sum_of_weights(unsigned first, unsigned end) {
    unsigned total = 0;
    for (unsigned i = first; i < end; i++)
        total += sim_steps[i].weight;
    return total;
}

void sim_draw(struct sim *sim, uint64_t step, struct sim_op *op) {
    static unsigned totals[2];
    const unsigned common = sim_nsteps - SEGMENT_ROWS;
    if (totals[0] == 0) {
        totals[0] = sum_of_weights(0, common);
        totals[1] = sum_of_weights(common, sim_nsteps);
    }
    *op = (struct sim_op){0};
    sim->step = step;
    sim->random = (sim->plan.field[SIM_SEED] * 0xD1342543DE82EF95u + step) * 0xBF58476D1CE4E5B9u;
    bool theirs = sim->plan.field[SIM_SEGMENTS] && sim_chance(sim, SEGMENT_STEPS);
    unsigned choice = sim_pick(sim, totals[theirs]), i = theirs ? common : 0;
    while (choice >= sim_steps[i].weight)
        choice -= sim_steps[i++].weight;
    op->kind = (int)i;
    sim_steps[i].draw(sim, op->a);
}

static void say_step(struct sim *sim, const struct sim_op *op) {
    char text[200];
    int n = snprintf(text, sizeof text, "%s", sim_steps[op->kind].name);
    for (unsigned i = 0; i < sim_steps[op->kind].nargs; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, " %d", op->a[i]);
    sim_say(sim, "%s", text);
}

void sim_take(struct sim *sim, uint64_t step, const struct sim_op *op) {
    uint64_t every = sim->audit_every ? sim->audit_every : sim->plan.field[SIM_AUDIT];
    sim->step = step;
    if (sim->verbose)
        say_step(sim, op);
    sim_steps[op->kind].act(sim, op->a);
    sim_reap(sim);
    for (unsigned s = 0; sim->regions_due >> s; s++) {
        if ((sim->regions_due >> s & 1) && sim->model.spaces[s].alive)
            sim_verify_regions(sim, s);
    }
    sim->regions_due = 0;
    if (sim_is_limited(sim) && sim_steps[op->kind].act != sim_act_load &&
        sim_steps[op->kind].act != sim_act_store) /* a stack that they grew waits for the next */
        sim_judge_limits(sim);
    if (every && step % every == 0)
        quire_audit(sim->q);
    if (every && step % every == 0 && sim->segments.memory)
        quire_segments_audit(sim->segments.memory);
}
