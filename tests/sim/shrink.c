/* shrink.c: from "seed 17 fails at step 3871" to a dozen lines that fail too.
 *
 * The steps of the failing world are recorded with their numbers, and then left out in ever smaller
 * runs as long as what remains still fails (Zeller and Hildebrandt, "Simplifying and Isolating
 * Failure-Inducing Input", IEEE TSE 2002, in its plain form: complements only). Then the world's
 * own misfortunes are switched off one by one, and ranges are cut to one page. Each try runs in a
 * process of its own, since a broken manager panics; with an audit after each step, so that the
 * failure is found where it happens.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "steps.h"

/* A try that does not end is a failure too: the longest worlds take less than this. */
#define TRY_SECONDS 60

/* Audits after each step; false: it fails only without them, so they come as the plan says. */
static bool every_step = true;

/* In what the script failed at first: what is left must fail in the same. */
static char wanted[SIM_WHY_BYTES];

static void run_script(const struct sim_script *script, bool verbose, bool audit, char *why) {
    static struct sim world;
    world.why = why;
    world.audit_every = audit ? 1 : 0;
    sim_world_create(&world, &script->plan, verbose);
    for (uint64_t k = 0; k < script->nops; k++)
        sim_take(&world, k, &script->ops[k]);
    sim_world_destroy(&world);
}

bool sim_script_fails(const struct sim_script *script, bool verbose, bool audit, char *why) {
    static char *shared; /* for the child's last words */
    if (!shared)
        shared =
            mmap(NULL, SIM_WHY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return false;
    memset(shared, 0, SIM_WHY_BYTES);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(TRY_SECONDS);
        if (!verbose && !freopen("/dev/null", "w", stderr))
            _exit(0);
        run_script(script, verbose, audit, shared);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (why)
        memcpy(why, shared, SIM_WHY_BYTES);
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static bool fails_the_same(const struct sim_script *script) {
    char why[SIM_WHY_BYTES];
    return sim_script_fails(script, false, every_step, why) && strcmp(why, wanted) == 0;
}

/* ---- leaving out ----------------------------------------------------------------------------- */

/* Without the operations from start to end, if it fails without them too. */
static bool leave_out(struct sim_script *script, uint64_t start, uint64_t end) {
    struct sim_script less = *script;
    less.ops = malloc((script->nops + 1) * sizeof less.ops[0]);
    memcpy(less.ops, script->ops, start * sizeof less.ops[0]);
    memcpy(less.ops + start, script->ops + end, (script->nops - end) * sizeof less.ops[0]);
    less.nops = script->nops - (end - start);
    if (!fails_the_same(&less)) {
        free(less.ops);
        return false;
    }
    free(script->ops);
    *script = less;
    return true;
}

static void leave_out_runs(struct sim_script *script) {
    for (uint64_t run = script->nops / 2; run > 0; run /= 2) {
        for (uint64_t start = 0; start < script->nops;) {
            uint64_t end = start + run < script->nops ? start + run : script->nops;
            if (!leave_out(script, start, end))
                start = end;
        }
    }
}

static void try_number(struct sim_script *script, int *number, int value) {
    int was = *number;
    *number = value;
    if (was != value && !fails_the_same(script))
        *number = was;
}

static void simplify_numbers(struct sim_script *script) {
    for (uint64_t k = 0; k < script->nops; k++) {
        struct sim_op *op = &script->ops[k];
        if (sim_steps[op->kind].nargs > 2)
            try_number(script, &op->a[2], 1);
        for (unsigned i = 3; i < sim_steps[op->kind].nargs; i++)
            try_number(script, &op->a[i], 0);
    }
}

static void simplify_plan(struct sim_script *script) {
    for (unsigned i = SIM_FAILING; i < SIM_AUDIT; i++) {
        uint64_t was = script->plan.field[i];
        script->plan.field[i] = 0;
        if (was && !fails_the_same(script))
            script->plan.field[i] = was;
    }
}

void sim_script_shrink(struct sim_script *script) {
    uint64_t before;
    every_step = sim_script_fails(script, false, true, wanted);
    if (!every_step)
        (void)sim_script_fails(script, false, false, wanted);
    simplify_plan(script);
    do {
        before = script->nops;
        leave_out_runs(script);
    } while (script->nops < before);
    simplify_numbers(script);
    leave_out_runs(script);
    script->plan.field[SIM_AUDIT] = every_step ? 1 : script->plan.field[SIM_AUDIT];
}

/* ---- recording ------------------------------------------------------------------------------- */

bool sim_script_record(struct sim_script *script, uint64_t seed, uint64_t nsteps,
                       uint64_t audit_every) {
    size_t bytes = (nsteps + 1) * sizeof(struct sim_op);
    struct sim_op *ops;
    uint64_t *nops;
    ops = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    nops = mmap(NULL, sizeof *nops, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (ops == MAP_FAILED || nops == MAP_FAILED)
        return false;
    sim_plan_draw(&script->plan, seed);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        static struct sim world;
        world.audit_every = audit_every;
        sim_world_create(&world, &script->plan, false);
        while (*nops < nsteps) {
            struct sim_op *op = &ops[*nops];
            sim_draw(&world, *nops, op);
            sim_take(&world, (*nops)++, op);
        }
        sim_world_destroy(&world);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    script->nops = script->capacity = *nops;
    script->ops = malloc(bytes);
    memcpy(script->ops, ops, script->nops * sizeof script->ops[0]);
    munmap(ops, bytes);
    munmap(nops, sizeof *nops);
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}
