/* steps.h: what the files of steps share.
 *
 * A step has two halves. Its dice draw the operation's numbers, with an eye on the model so that
 * most operations mean something. Its act carries the operation out on both sides, from the numbers
 * alone: it must hold in any state, since a script that was cut shorter brings it there.
 */
#ifndef QUIRE_TESTS_SIM_STEPS_H
#define QUIRE_TESTS_SIM_STEPS_H

#include "sim.h"

#define RUN_PAGES_MAX 24 /* longest range of a call */

struct sim_step {
    const char *name; /* as scripts have it */
    unsigned nargs;
    unsigned weight; /* how often it is drawn, against the sum of all */
    void (*draw)(struct sim *sim, int *a);
    void (*act)(struct sim *sim, const int *a);
};
extern const struct sim_step sim_steps[];
extern const unsigned sim_nsteps;

/* The range that a step is about, and the space it lies in: the first three numbers of a step. */
struct range {
    unsigned s, page, n;
    quire_vaddr va;
    uint64_t bytes;
    struct quire_space *real;
    struct model_space *model;
};
/* False: the space does not live, or the numbers are none of a range. Sets sim->in_space. */
bool sim_range(struct sim *sim, const int *a, struct range *r);

/* ---- swap areas ------------------------------------------------------------------------------ */

struct sim_swaps {
    struct sim_area {
        bool in_use;
        int priority;
        unsigned pages, used;
    } area[SIM_DEVICES];
};
void sim_swaps_read(const struct sim *sim, struct sim_swaps *swaps);
/* Pages were only written since `before`, none brought back. */
void sim_judge_swaps(struct sim *sim, const struct sim_swaps *before);

/* ---- dice ------------------------------------------------------------------------------------ */

unsigned sim_pick(struct sim *sim, unsigned n); /* 0 to n-1 */
bool sim_chance(struct sim *sim, unsigned percent);
/* Any space that lives and any range in it, into a[0] to a[2]; mapped: mostly where something is
 * mapped. */
void sim_draw_range(struct sim *sim, int *a);
void sim_draw_mapped(struct sim *sim, int *a);
/* The same, mostly near where the space was used lately. */
void sim_draw_near(struct sim *sim, int *a);
/* The byte that this step stores: not 0. */
int sim_draw_value(const struct sim *sim);

/* Rows of the table (steps.c): each act is in one of steps_*.c and limits.c. */
#define SIM_STEP(name)                             \
    void sim_draw_##name(struct sim *sim, int *a); \
    void sim_act_##name(struct sim *sim, const int *a)
SIM_STEP(load);
SIM_STEP(store);
SIM_STEP(sweep);
SIM_STEP(copy_in);
SIM_STEP(copy_out);
SIM_STEP(copy_force);
SIM_STEP(verify);
SIM_STEP(drop);
SIM_STEP(map);
SIM_STEP(unmap);
SIM_STEP(protect);
SIM_STEP(advise);
SIM_STEP(brk);
SIM_STEP(remap);
SIM_STEP(spawn);
SIM_STEP(lock);
SIM_STEP(unlock);
SIM_STEP(lock_all);
SIM_STEP(exit);
SIM_STEP(fork);
SIM_STEP(sync);
SIM_STEP(file_write);
SIM_STEP(file_read);
SIM_STEP(truncate);
SIM_STEP(reopen);
SIM_STEP(keep);
SIM_STEP(incore);
SIM_STEP(sync_all);
SIM_STEP(sync_object);
SIM_STEP(kernel);
SIM_STEP(resize);
SIM_STEP(cache);
SIM_STEP(object);
SIM_STEP(pool);
SIM_STEP(view);
SIM_STEP(limit);
SIM_STEP(overcommit);
SIM_STEP(device);
SIM_STEP(fixmap);
SIM_STEP(kmap);
SIM_STEP(segments);
SIM_STEP(segment_new);
SIM_STEP(segment_use);
SIM_STEP(segment_size);
SIM_STEP(segment_out);
SIM_STEP(segment_end);
SIM_STEP(describe);
SIM_STEP(load_register);
SIM_STEP(gate);
SIM_STEP(reach);
SIM_STEP(segpage_enter);
SIM_STEP(segpage_touch);
SIM_STEP(channel);

#endif
