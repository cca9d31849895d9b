/* sim.c: the simulation's command: many worlds, one after the other, and what to do when one fails.
 *
 *     sim [--steps N] [--full-steps N] [--hours H] [--seed S] [--world-steps W] [--audit-every A]
 * [--jobs J] [--format NAME] sim --seed S --shrink | --print         the failing world's steps, few
 * or all, as a script sim --script FILE [--verbose]           run a script
 *
 * Without --steps a test's are done, or --test-steps, and with QUIRE_FULL=1 in the environment what
 * CI does, or --full-steps. World k has seed S + k and W steps; worlds follow until N steps are
 * done or H hours are over. The figure that is printed at the end is a hash of everything that
 * happened: the same for the same numbers on every host. A difference ends the run: it names the
 * world's seed, and prints a short script with the same end (shrink.c), unless --brief asks for the
 * seed only.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "steps.h"

/* Long enough for RAM to fill and swap to be used many times over, short enough to shrink. */
#define WORLD_STEPS 20000
/* Steps when none are asked for: a test's, with an audit after each; and with QUIRE_FULL=1 (CI)
 * what the project claims, with audits as the plans say. */
#define DEFAULT_STEPS    200000
#define FULL_STEPS       300000000
#define PROGRESS_SECONDS 60

struct options {
    uint64_t steps, test_steps, full_steps, hours, seed, world_steps, audit_every, jobs;
    bool shrink, print, brief, verbose;
    const char *script;
};

/* How much of everything happened: a simulation that never swaps proves nothing about swap. */
struct figures {
    uint64_t hash, steps, worlds, accesses, nomem, bus, kills;
    uint64_t faults, major, copied, swapped_in, swapped_out, clean, file_in, file_out, stalls,
        errors, moved, blocks, locked, lazy;
    /* Worlds of this kind, and what was done on the parts beside paging. */
    uint64_t with_high, with_kernel, with_32_bits, with_dma, with_segments;
    uint64_t dma_pages, bounced, segments, used, shifted, segments_out, segments_in, units,
        refusals, paged, channel_bytes;
};

/* What a job tells the others: shared memory. */
struct share {
    struct figures figures;
    uint64_t seed; /* the world that it is in */
    uint64_t step; /* where that ended */
    bool in_world; /* still so when the job has ended: it failed there */
    bool stop;     /* another one failed */
};

static struct sim world;    /* for the signal handler: the last words of a panic say where */
static struct share *stage; /* this job's */

static void on_abort(int number) {
    char text[128];
    int n = snprintf(text, sizeof text, "sim: seed %llu step %llu: signal %d\n",
                     (unsigned long long)world.plan.field[SIM_SEED], (unsigned long long)world.step,
                     number);
    if (write(2, text, (size_t)n) < 0)
        _exit(3);
    _exit(2);
}

static void run_world(const struct options *options, uint64_t seed, uint64_t nsteps) {
    struct sim_plan plan;
    struct sim_op op;
    sim_plan_draw(&plan, seed);
    world.audit_every = options->audit_every;
    sim_world_create(&world, &plan, options->verbose);
    for (uint64_t step = 0; step < nsteps; step++) {
        if (stage)
            stage->step = step;
        sim_draw(&world, step, &op);
        sim_take(&world, step, &op);
    }
    sim_world_destroy(&world);
}

/* ---- figures --------------------------------------------------------------------------------- */

static void add_parts(struct figures *sum) {
    const uint64_t *f = world.plan.field;
    const struct sim_segments *s = &world.segments;
    sum->with_high += f[SIM_HIGH] != 0;
    sum->with_kernel += f[SIM_KERNEL] != 0;
    sum->with_32_bits += quire_radix_format_at((unsigned)f[SIM_FORMAT])->entry_shift == 2;
    sum->with_dma += f[SIM_DMA] != 0;
    sum->with_segments += f[SIM_SEGMENTS] != 0;
    sum->dma_pages += world.disk.dma_interrupts;
    sum->bounced += world.disk.dma_bounced;
    sum->segments += s->made;
    sum->used += s->used;
    sum->shifted += s->before.moved;
    sum->segments_out += s->before.swapped_out;
    sum->segments_in += s->before.swapped_in;
    sum->units += s->unit_steps;
    sum->refusals += s->unit_refused;
    sum->paged += s->paged;
    sum->channel_bytes += s->moved_by_dma;
}

/* The hash does not depend on the order of worlds: they may run side by side. */
static void add_world(struct figures *sum, uint64_t nsteps) {
    const struct quire_counters *c = &world.counters;
    sum->hash += (world.hash ^ world.plan.field[SIM_SEED]) * 0x9E3779B97F4A7C15u;
    sum->steps += nsteps;
    sum->worlds++;
    sum->accesses += world.accesses;
    sum->nomem += world.refused_nomem;
    sum->bus += world.lost_bus;
    sum->kills += world.oom_kills;
    sum->faults += c->pgfault;
    sum->major += c->pgmajfault;
    sum->copied += c->fault_cow;
    sum->swapped_in += c->pswpin;
    sum->swapped_out += c->pswpout;
    sum->clean += c->swap_clean;
    sum->file_in += c->file_in;
    sum->file_out += c->file_out;
    sum->stalls += c->allocstall;
    sum->errors += c->io_error;
    sum->moved += c->pgmigrate_success;
    sum->blocks += c->thp_fault_alloc + c->thp_collapse_alloc;
    sum->locked += c->unevictable_pgs_mlocked;
    sum->lazy += c->pglazyfreed;
    add_parts(sum);
}

static struct figures add_shares(const struct share *shares, uint64_t jobs) {
    struct figures sum = {0};
    for (uint64_t job = 0; job < jobs; job++) {
        uint64_t *to = (uint64_t *)&sum;
        const uint64_t *from = (const uint64_t *)&shares[job].figures;
        for (size_t i = 0; i < sizeof sum / sizeof *to; i++)
            to[i] += from[i];
    }
    return sum;
}

#define ULL(value) ((unsigned long long)(value))

static void print_parts(const struct figures *f) {
    printf(
        "sim: worlds with high memory %llu, the kernel in their tables %llu, 32-bit tables %llu, "
        "swap by DMA %llu (%llu pages, %llu bounced), segments %llu\n",
        ULL(f->with_high), ULL(f->with_kernel), ULL(f->with_32_bits), ULL(f->with_dma),
        ULL(f->dma_pages), ULL(f->bounced), ULL(f->with_segments));
    if (f->with_segments)
        printf("sim: %llu segments made, %llu used, %llu moved, %llu out, %llu in; %llu calls of "
               "segmentation units, %llu refused; %llu accesses by segmented paging; %llu bytes "
               "over a DMA channel\n",
               ULL(f->segments), ULL(f->used), ULL(f->shifted), ULL(f->segments_out),
               ULL(f->segments_in), ULL(f->units), ULL(f->refusals), ULL(f->paged),
               ULL(f->channel_bytes));
}

static void print_figures(const struct figures *f, double seconds) {
    printf("sim: %llu accesses, %llu faults (%llu major, %llu copied), %llu pages out to swap, "
           "%llu in, %llu evicted clean, files %llu in %llu out\n",
           ULL(f->accesses), ULL(f->faults), ULL(f->major), ULL(f->copied), ULL(f->swapped_out),
           ULL(f->swapped_in), ULL(f->clean), ULL(f->file_in), ULL(f->file_out));
    printf("sim: %llu direct reclaims, %llu calls refused for memory, %llu kills, %llu device "
           "errors, %llu accesses to lost pages\n",
           ULL(f->stalls), ULL(f->nomem), ULL(f->kills), ULL(f->errors), ULL(f->bus));
    printf(
        "sim: %llu pages moved to make room, %llu large pages made, %llu pages locked, %llu freed "
        "lazily\n",
        ULL(f->moved), ULL(f->blocks), ULL(f->locked), ULL(f->lazy));
    print_parts(f);
    printf("sim: %.0f steps/s\n", (double)f->steps / seconds);
    printf("sim: %llu steps in %llu worlds, 0 differences, hash %016llx\n", ULL(f->steps),
           ULL(f->worlds), ULL(f->hash));
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- jobs ------------------------------------------------------------------------------------ */

/* The worlds are functions of their seeds: the first one again must come to the same hash. */
static void repeat_first(const struct options *options) {
    uint64_t n = options->world_steps < 1000 ? options->world_steps : 1000;
    stage->in_world = true;
    run_world(options, options->seed, n);
    uint64_t hash = world.hash;
    run_world(options, options->seed, n);
    if (hash != world.hash)
        sim_fail(&world, "the same world again took other decisions");
    stage->in_world = false;
}

/* Every jobs-th world, from number `first` on, until all are done or the time is over. */
static void run_share(const struct options *options, struct share *shares, uint64_t first) {
    double start = seconds_now(), end = start + (double)options->hours * 3600, said = start;
    stage = &shares[first];
    stage->seed = options->seed;
    if (first == 0)
        repeat_first(options);
    for (uint64_t k = first;; k += options->jobs) {
        uint64_t done = k * options->world_steps;
        if (options->hours ? seconds_now() >= end : done >= options->steps)
            return;
        if (__atomic_load_n(&stage->stop, __ATOMIC_RELAXED))
            return;
        uint64_t n = options->world_steps;
        if (!options->hours && options->steps - done < n)
            n = options->steps - done;
        stage->seed = options->seed + k;
        stage->in_world = true;
        run_world(options, stage->seed, n);
        add_world(&stage->figures, n);
        stage->in_world = false;
        if (first == 0 && seconds_now() - said >= PROGRESS_SECONDS) {
            struct figures sum = add_shares(shares, options->jobs);
            said = seconds_now();
            printf("sim: %llu steps, %llu worlds, next seed %llu, %.0f steps/s\n", ULL(sum.steps),
                   ULL(sum.worlds), ULL(stage->seed + options->jobs),
                   (double)sum.steps / (said - start));
            fflush(stdout);
        }
    }
}

static int shrink(const struct options *options) {
    struct sim_script script;
    bool fails = sim_script_record(&script, options->seed, options->world_steps, 1);
    if (!fails && !options->print) {
        free(script.ops);
        fails = sim_script_record(&script, options->seed, options->world_steps, 0);
    }
    if (!fails && !options->print) {
        fprintf(stderr, "sim: seed %llu does not fail within %llu steps\n", ULL(options->seed),
                ULL(options->world_steps));
        return 1;
    }
    if (options->shrink) {
        printf("# seed %llu, step %llu\n", ULL(options->seed), ULL(script.nops - 1));
        sim_script_shrink(&script);
    }
    sim_script_print(&script, stdout);
    if (options->shrink)
        sim_script_fails(&script, true, false, NULL);
    free(script.ops);
    return options->shrink ? 1 : 0;
}

static int run_worlds(const struct options *options) {
    int failed = 0;
    size_t bytes = options->jobs * sizeof(struct share);
    struct share *shares =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shares == MAP_FAILED)
        return 2;
    double start = seconds_now();
    for (uint64_t job = 0; job < options->jobs; job++) {
        fflush(NULL);
        if (fork() == 0) {
            run_share(options, shares, job);
            exit(0); /* with what a coverage build has to write at the end */
        }
    }
    for (int status; wait(&status) > 0;) {
        failed |= !WIFEXITED(status) || WEXITSTATUS(status) != 0;
        for (uint64_t job = 0; failed && job < options->jobs; job++)
            __atomic_store_n(&shares[job].stop, true, __ATOMIC_RELAXED);
    }
    struct figures sum = add_shares(shares, options->jobs);
    if (!failed) {
        print_figures(&sum, seconds_now() - start);
        return 0;
    }
    for (uint64_t job = 0; job < options->jobs; job++)
        sum.steps += shares[job].in_world ? shares[job].step + 1 : 0;
    printf("sim: FAILED after %llu steps\n", ULL(sum.steps));
    for (uint64_t job = 0; job < options->jobs; job++) {
        struct options failing = *options;
        failing.seed = shares[job].seed;
        failing.shrink = true;
        if (!shares[job].in_world || options->brief)
            continue;
        printf("sim: a short script that fails too:\n");
        shrink(&failing);
        break;
    }
    return 1;
}

static int run_script(const struct options *options) {
    struct sim_script script;
    if (!sim_script_read(&script, options->script))
        return 2;
    bool fails = sim_script_fails(&script, true, options->audit_every != 0, NULL);
    printf("sim: %s: %llu steps, %s\n", options->script, ULL(script.nops),
           fails ? "FAILED" : "0 differences");
    free(script.ops);
    return fails;
}

/* ---- the command ----------------------------------------------------------------------------- */

static bool number(const char *text, uint64_t *out) {
    char *end;
    *out = strtoull(text, &end, 0);
    return *text && !*end;
}

static int usage(void) {
    fprintf(
        stderr,
        "usage: sim [--steps N] [--test-steps N] [--full-steps N] [--hours H] [--seed S] "
        "[--world-steps W] "
        "[--audit-every A] [--jobs J] [--format NAME] [--shrink | --print] [--brief] [--verbose]\n"
        "       sim --script FILE\n");
    return 2;
}

int main(int argc, char **argv) {
    const char *full = getenv("QUIRE_FULL");
    bool is_full = full && strcmp(full, "1") == 0;
    struct options options = {
        .test_steps = DEFAULT_STEPS,
        .full_steps = FULL_STEPS,
        .seed = 1,
        .world_steps = WORLD_STEPS,
        .audit_every = is_full ? 0 : 1,
        .jobs = 1,
    };
    const struct {
        const char *name;
        uint64_t *value;
    } numbers[] = {{"--steps", &options.steps},
                   {"--test-steps", &options.test_steps},
                   {"--full-steps", &options.full_steps},
                   {"--hours", &options.hours},
                   {"--seed", &options.seed},
                   {"--world-steps", &options.world_steps},
                   {"--audit-every", &options.audit_every},
                   {"--jobs", &options.jobs}};
    const struct {
        const char *name;
        bool *value;
    } switches[] = {{"--shrink", &options.shrink},
                    {"--print", &options.print},
                    {"--brief", &options.brief},
                    {"--verbose", &options.verbose}};
    for (int i = 1; i < argc; i++) {
        bool known = false;
        for (unsigned k = 0; k < sizeof switches / sizeof switches[0]; k++) {
            if (strcmp(argv[i], switches[k].name) == 0)
                known = *switches[k].value = true;
        }
        for (unsigned k = 0; k < sizeof numbers / sizeof numbers[0] && i + 1 < argc && !known;
             k++) {
            if (strcmp(argv[i], numbers[k].name) == 0)
                known = number(argv[++i], numbers[k].value);
        }
        if (!known && strcmp(argv[i], "--script") == 0 && i + 1 < argc)
            known = (options.script = argv[++i]) != NULL;
        if (!known && strcmp(argv[i], "--format") == 0 && i + 1 < argc)
            known = (sim_format = quire_radix_format_find(argv[++i])) != NULL;
        if (!known)
            return usage();
    }
    if (options.steps == 0)
        options.steps = is_full ? options.full_steps : options.test_steps;
    if (options.jobs == 0 || options.world_steps == 0)
        return usage();
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    if (options.script)
        return run_script(&options);
    return options.shrink || options.print ? shrink(&options) : run_worlds(&options);
}
