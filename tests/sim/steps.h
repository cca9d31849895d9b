/* steps.h: what the files of steps share. */
#ifndef QUIRE_TESTS_SIM_STEPS_H
#define QUIRE_TESTS_SIM_STEPS_H

#include "sim.h"

#define RUN_PAGES_MAX 24 /* longest range of a call */

/* The range that a step is about, and the space it lies in. */
struct range {
    unsigned s, page, n;
    quire_vaddr va;
    uint64_t bytes;
    struct quire_space *real;
    struct model_space *model;
};

/* steps.c. Any space that lives and any range in it; mapped: mostly where something is mapped.
 * False: none lives. */
bool sim_pick_range(struct sim *sim, struct range *r);
bool sim_pick_mapped(struct sim *sim, struct range *r);
/* The byte that this step stores: not 0. */
uint8_t sim_step_value(const struct sim *sim);

/* steps_access.c */
void sim_step_load(struct sim *sim);
void sim_step_store(struct sim *sim);
void sim_step_sweep(struct sim *sim);
void sim_step_copy_in(struct sim *sim);
void sim_step_copy_out(struct sim *sim);
void sim_step_copy_force(struct sim *sim);
void sim_step_verify(struct sim *sim);
void sim_step_regions(struct sim *sim);

/* steps_map.c */
void sim_step_map(struct sim *sim);
void sim_step_unmap(struct sim *sim);
void sim_step_protect(struct sim *sim);
void sim_step_advise(struct sim *sim);
void sim_step_brk(struct sim *sim);
void sim_step_remap(struct sim *sim);
void sim_step_spawn(struct sim *sim);
void sim_step_exit(struct sim *sim);
void sim_step_fork(struct sim *sim);

#endif
