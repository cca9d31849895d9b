/* sim.c: the simulation's command: many worlds, one after the other, and what to do when one fails.
 *
 *     sim [--steps N] [--seed S] [--world-steps W] [--audit-every A] [--jobs J]
 *         [--shrink] [--verbose]
 *
 * World k has seed S + k and W steps; worlds follow until N steps are done. The figure that is
 * printed at the end is a hash of everything that happened: the same for the same numbers on every
 * host. A failure names the world's seed and the step; `--seed THAT --steps STEP+1 --shrink` then
 * looks for a short script with the same end by leaving out ever smaller runs of steps, each try in
 * a process of its own, since a broken manager panics.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"

/* Long enough for RAM to fill and swap to be used many times over, short enough to shrink. */
#define WORLD_STEPS 4000
/* Steps when none are asked for: a test's, and with QUIRE_FULL=1 (CI) what the project claims. */
#define DEFAULT_STEPS 300000
#define FULL_STEPS    10000000

struct options {
    uint64_t steps, seed, world_steps, audit_every, jobs;
    bool shrink, verbose;
};

static struct sim world; /* for the signal handler: the last words of a panic say where */

static void on_abort(int number) {
    char text[128];
    int n = snprintf(text, sizeof text, "sim: seed %llu step %llu: signal %d\n",
                     (unsigned long long)world.seed, (unsigned long long)world.step, number);
    if (write(2, text, (size_t)n) < 0)
        _exit(3);
    _exit(2);
}

static void run_world(const struct options *options, uint64_t seed, const bool *skip,
                      uint64_t nsteps) {
    sim_world_create(&world, seed, options->verbose);
    for (uint64_t step = 0; step < nsteps; step++) {
        if (skip && skip[step])
            continue;
        sim_step(&world, step);
        if (step % options->audit_every == 0)
            quire_audit(world.q);
    }
    sim_world_destroy(&world);
}

/* ---- shrinking ------------------------------------------------------------------------------- */

static bool fails(const struct options *options, const bool *skip, uint64_t nsteps, bool quiet) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct options mine = *options;
        mine.verbose = !quiet;
        mine.audit_every = 1;
        if (quiet && !freopen("/dev/null", "w", stderr))
            _exit(0);
        run_world(&mine, options->seed, skip, nsteps);
        exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static int shrink(const struct options *options) {
    uint64_t n = options->steps, left = n;
    bool *skip = calloc(n, sizeof *skip);
    if (!skip || !fails(options, skip, n, true)) {
        fprintf(stderr, "sim: seed %llu does not fail within %llu steps\n",
                (unsigned long long)options->seed, (unsigned long long)n);
        free(skip);
        return 1;
    }
    for (uint64_t run = n / 2; run > 0; run /= 2) {
        for (uint64_t start = 0; start < n; start += run) {
            uint64_t end = start + run < n ? start + run : n, removed = 0;
            bool saved[end - start];
            memcpy(saved, skip + start, sizeof saved);
            for (uint64_t i = start; i < end; i++) {
                removed += !skip[i];
                skip[i] = true;
            }
            if (removed == 0)
                continue;
            if (fails(options, skip, n, true))
                left -= removed;
            else
                memcpy(skip + start, saved, sizeof saved);
        }
    }
    printf("%llu steps are enough:\n", (unsigned long long)left);
    fails(options, skip, n, false);
    free(skip);
    return 1;
}

/* ---- the command ----------------------------------------------------------------------------- */

/* How much of everything happened: a simulation that never swaps proves nothing about swap. */
struct figures {
    uint64_t hash, worlds, nomem, bus, kills;
    uint64_t faults, major, copied, swapped_in, swapped_out, clean, file_in, file_out, stalls,
        errors;
};

/* The hash does not depend on the order of worlds: they may run side by side. */
static void add_world(struct figures *sum) {
    const struct quire_counters *c = &world.counters;
    sum->hash += (world.hash ^ world.seed) * 0x9E3779B97F4A7C15u;
    sum->worlds++;
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
}

static void add_figures(struct figures *sum, const struct figures *more) {
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)more;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
        to[i] += from[i];
}

#define ULL(value) ((unsigned long long)(value))

static void print_figures(const struct options *options, const struct figures *f, double seconds) {
    printf("sim: %llu faults (%llu major, %llu copied), %llu pages out to swap, %llu in, "
           "%llu evicted clean, files %llu in %llu out\n",
           ULL(f->faults), ULL(f->major), ULL(f->copied), ULL(f->swapped_out), ULL(f->swapped_in),
           ULL(f->clean), ULL(f->file_in), ULL(f->file_out));
    printf(
        "sim: %llu direct reclaims, %llu calls refused for memory, %llu kills, %llu device errors, "
        "%llu accesses to lost pages\n",
        ULL(f->stalls), ULL(f->nomem), ULL(f->kills), ULL(f->errors), ULL(f->bus));
    printf("sim: %.0f steps/s\n", (double)options->steps / seconds);
    printf("sim: %llu steps in %llu worlds, 0 differences, hash %016llx\n", ULL(options->steps),
           ULL(f->worlds), ULL(f->hash));
}

/* Every jobs-th world, from number `first` on. */
static void run_share(const struct options *options, uint64_t first, struct figures *figures) {
    for (uint64_t k = first; k * options->world_steps < options->steps; k += options->jobs) {
        uint64_t left = options->steps - k * options->world_steps;
        uint64_t n = left < options->world_steps ? left : options->world_steps;
        run_world(options, options->seed + k, NULL, n);
        add_world(figures);
        if (k > 0)
            continue;
        uint64_t hash = world.hash;
        run_world(options, options->seed, NULL, n);
        if (hash != world.hash)
            sim_fail(&world, "the same world again took other decisions");
    }
}

static int run_worlds(const struct options *options) {
    struct timespec start, end;
    struct figures sum = {0}, *shares;
    int failed = 0;
    size_t bytes = options->jobs * sizeof *shares;
    shares = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shares == MAP_FAILED)
        return 2;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (uint64_t job = 0; job < options->jobs; job++) {
        if (options->jobs == 1 || fork() == 0) {
            run_share(options, job, &shares[job]);
            if (options->jobs > 1)
                exit(0);
        }
    }
    for (int status; wait(&status) > 0;)
        failed |= !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    clock_gettime(CLOCK_MONOTONIC, &end);
    for (uint64_t job = 0; job < options->jobs; job++)
        add_figures(&sum, &shares[job]);
    munmap(shares, bytes);
    if (!failed)
        print_figures(options, &sum,
                      (double)(end.tv_sec - start.tv_sec) +
                          (double)(end.tv_nsec - start.tv_nsec) / 1e9);
    return failed;
}

static bool number(const char *text, uint64_t *out) {
    char *end;
    *out = strtoull(text, &end, 0);
    return *text && !*end;
}

int main(int argc, char **argv) {
    const char *full = getenv("QUIRE_FULL");
    struct options options = {
        .steps = full && strcmp(full, "1") == 0 ? FULL_STEPS : DEFAULT_STEPS,
        .seed = 1,
        .world_steps = WORLD_STEPS,
        .audit_every = 1,
        .jobs = 1,
    };
    struct {
        const char *name;
        uint64_t *value;
    } numbers[] = {{"--steps", &options.steps},
                   {"--seed", &options.seed},
                   {"--world-steps", &options.world_steps},
                   {"--audit-every", &options.audit_every},
                   {"--jobs", &options.jobs}};
    for (int i = 1; i < argc; i++) {
        bool known = false;
        for (unsigned k = 0; k < sizeof numbers / sizeof numbers[0] && i + 1 < argc && !known;
             k++) {
            if (strcmp(argv[i], numbers[k].name) == 0)
                known = number(argv[++i], numbers[k].value) && (k == 1 || *numbers[k].value > 0);
        }
        if (!known && strcmp(argv[i], "--shrink") == 0)
            known = options.shrink = true;
        if (!known && strcmp(argv[i], "--verbose") == 0)
            known = options.verbose = true;
        if (!known) {
            fprintf(stderr, "usage: sim [--steps N] [--seed S] [--world-steps W] [--audit-every A] "
                            "[--jobs J] [--shrink] [--verbose]\n");
            return 2;
        }
    }
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    return options.shrink ? shrink(&options) : run_worlds(&options);
}
