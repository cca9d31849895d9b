/* sweep.c: `quire sweep`: one program, several sizes of RAM and policies, side by side.
 *
 *     options ──┬─ --ram, --policy: lists ──▶ size x policy
 *               └─ all others, PROGRAM ─────▶ words of `quire run`
 *     for each pair: fork ──▶ cli_run_measure ──pipe──▶ figures ──▶ sweep_text.c
 *
 * Each run is a process of its own: machines share nothing, and the host's cores are used. A run is
 * a function of its words, so the order and the number of processes change no figure (I1). That is
 * also why a program gets the same standard input in each: a file is opened again for each run, and
 * anything else, which can be read only once, is replaced by nothing. What the program writes to
 * its standard output and error is thrown away; the table is what this command is run for.
 *
 * I1  Same words, same table, whatever --jobs is.
 * I2  Every child that was started is waited for.
 */
#include "cli/sweep.h"

#include <quire/policy.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define JOBS_MAX  64
#define WORDS_MAX 512                 /* of options of run, copied for each */
#define RAM_MIN   ((uint64_t)4 << 20) /* as run has it */

struct job {
    pid_t pid; /* 0: free */
    int from;  /* reading end of the pipe */
    unsigned size, policy;
};

struct order {
    struct sweep sweep;
    char *rest[WORDS_MAX]; /* options of run; freed at the end */
    unsigned nrest;
    char **program;
    uint64_t jobs;
    const char *plot_path;
    FILE *plot;
    bool has_ram;
};

enum { JOBS, PLOT, OWN };
static const struct cli_option own_options[OWN] = {
    [JOBS] = {"--jobs", "NUMBER", "--jobs 4", "runs at a time; as many as there are cores"},
    [PLOT] = {"--plot", "FILE", "--plot sweep.svg", "draw the table as a picture"},
};

void cli_sweep_help(void) {
    puts(
        "quire sweep --ram LOW:HIGH [--policy NAME,...] [options of run] [--] PROGRAM ARGUMENTS\n\n"
        "Runs the program once with each size and policy, and compares: how many times slower it\n"
        "is for want of memory, the smallest RAM that keeps a promise, the policy that serves it\n"
        "best. The same words give the same table.\n\n"
        "  --ram LIST             sizes, or LOW:HIGH (each the double of the one before), or\n"
        "                         LOW:HIGH:STEP; several with commas: 8M:64M,48M\n"
        "  --policy LIST          several with commas, or all; linux if not given");
    cli_options_print(own_options, OWN);
    puts("\nOther options are those of 'quire run', but for its reports. A file as standard input "
         "is\n"
         "read anew by each run; what the program prints is thrown away.\n\n"
         "Example:\n"
         "  quire sweep --ram 8M:64M --policy linux,clock,sieve --root ~/riscv --bind . -- sort "
         "big.txt");
}

/* ---- lists -------------------------------------------------------------------------------------
 */

static bool add_size(struct sweep *sweep, uint64_t bytes) {
    unsigned at = 0;

    bytes &= ~QUIRE_PAGE_MASK;
    while (at < sweep->nsizes && sweep->sizes[at] < bytes) {
        at++;
    }
    if (at < sweep->nsizes && sweep->sizes[at] == bytes) {
        return true;
    }
    if (sweep->nsizes == SWEEP_SIZES) {
        cli_wrong("--ram: more than %d sizes; take a larger step", SWEEP_SIZES);
        return false;
    }
    memmove(sweep->sizes + at + 1, sweep->sizes + at,
            (sweep->nsizes - at) * sizeof sweep->sizes[0]);
    sweep->sizes[at] = bytes;
    sweep->nsizes++;
    return true;
}

/* "16M", "16M:256M", "16M:64M:8M", in place. */
static bool take_range(struct sweep *sweep, char *word) {
    char *high_text = strchr(word, ':'), *step_text = NULL;
    uint64_t low, high, step = 0;

    if (high_text != NULL) {
        *high_text++ = '\0';
        step_text = strchr(high_text, ':');
        if (step_text != NULL) {
            *step_text++ = '\0';
        }
    }
    if (!cli_size_parse("--ram", word, &low) ||
        (high_text != NULL && !cli_size_parse("--ram", high_text, &high)) ||
        (step_text != NULL && !cli_size_parse("--ram", step_text, &step))) {
        return false;
    }
    if (high_text == NULL) {
        high = low;
    }
    if (low < RAM_MIN || high < low || (step_text != NULL && step < QUIRE_PAGE_SIZE)) {
        cli_wrong("--ram: %s", low < RAM_MIN ? "nothing runs in less than 4M"
                               : high < low  ? "the first size of a range is the smaller one, as "
                                               "in 16M:256M"
                                             : "a step is at least a page, as in 16M:64M:8M");
        return false;
    }
    for (uint64_t bytes = low; bytes < high; bytes = step ? bytes + step : bytes * 2) {
        if (!add_size(sweep, bytes)) {
            return false;
        }
    }
    return add_size(sweep, high);
}

/* Commas part a list; each part is handed to take. */
static bool take_list(struct sweep *sweep, const char *value,
                      bool (*take)(struct sweep *, char *)) {
    char *copy = strdup(value), *rest = copy, *word;
    bool good = copy != NULL;

    while (good && (word = strsep(&rest, ",")) != NULL) {
        good = take(sweep, word);
    }
    free(copy);
    return good;
}

static bool add_policy(struct sweep *sweep, const struct quire_policy *policy) {
    for (unsigned i = 0; i < sweep->npolicies; i++) {
        if (sweep->policies[i] == policy->name) {
            return true;
        }
    }
    if (sweep->npolicies < SWEEP_POLICIES) {
        sweep->policies[sweep->npolicies++] = policy->name;
    }
    return true;
}

static bool take_policy(struct sweep *sweep, char *word) {
    const struct quire_policy *policy = quire_policy_find(word);

    if (strcmp(word, "all") == 0) {
        for (unsigned i = 0; (policy = quire_policy_at(i)) != NULL; i++) {
            add_policy(sweep, policy);
        }
        return true;
    }
    if (policy == NULL) {
        cli_wrong("--policy %s: no such policy; 'quire help run' lists them, and all takes all",
                  word);
        return false;
    }
    return add_policy(sweep, policy);
}

/* ---- words -------------------------------------------------------------------------------------
 */

/* An option of run, kept for each run: "--name" or "--name=value". */
static bool keep(struct order *order, const char *name, const char *value) {
    size_t length = strlen(name) + (value != NULL ? strlen(value) : 0) + 2;
    char *word = malloc(length);

    if (word == NULL || order->nrest == WORDS_MAX - 8) {
        free(word);
        cli_wrong("too many options");
        return false;
    }
    snprintf(word, length, "%s%s%s", name, value != NULL ? "=" : "", value != NULL ? value : "");
    order->rest[order->nrest++] = word;
    return true;
}

static bool take_plot(struct order *order, const char *path) {
    order->plot = fopen(path, "we");
    order->plot_path = path;
    if (order->plot == NULL) {
        cli_wrong("--plot %s: %s; name a file that can be written", path, strerror(errno));
    }
    return order->plot != NULL;
}

static bool take_option(struct order *order, const char *name, const char *value) {
    static const char *const not_here[] = {"--json", "--report", "--trace-calls", "--check-calls"};

    for (size_t i = 0; i < sizeof not_here / sizeof not_here[0]; i++) {
        if (strcmp(name, not_here[i]) == 0) {
            cli_wrong("%s: one run writes it, not a sweep; take it to quire run", name);
            return false;
        }
    }
    if (strcmp(name, "--ram") == 0) {
        order->has_ram = true;
        return take_list(&order->sweep, value, take_range);
    }
    if (strcmp(name, "--policy") == 0) {
        return take_list(&order->sweep, value, take_policy);
    }
    if (strcmp(name, "--jobs") == 0) {
        if (!cli_number_parse("--jobs", value, &order->jobs)) {
            return false;
        }
        if (order->jobs < 1 || order->jobs > JOBS_MAX) {
            cli_wrong("--jobs %s: from 1 to %d", value, JOBS_MAX);
            return false;
        }
        return true;
    }
    if (strcmp(name, "--plot") == 0) {
        return take_plot(order, value);
    }
    if (strcmp(name, "--swap") == 0 && (value[0] < '0' || value[0] > '9') &&
        strncmp(value, "grow", 4) != 0) {
        cli_wrong("--swap %s: runs side by side cannot share a file; name a size", value);
        return false;
    }
    return keep(order, name, value);
}

static bool take_words(struct order *order, struct cli_words *words) {
    struct cli_option all[64];
    size_t count;
    const struct cli_option *of_run = cli_run_options(&count);
    const char *value;
    int option;

    memcpy(all, of_run, count * sizeof *all);
    memcpy(all + count, own_options, sizeof own_options);
    while ((option = cli_option_next(words, all, count + OWN, &value)) >= 0) {
        if (!take_option(order, all[option].name, value)) {
            return false;
        }
    }
    if (option == CLI_OPTIONS_WRONG) {
        return false;
    }
    if (!order->has_ram || words->at[0] == NULL) {
        cli_wrong("sweep needs %s, as in quire sweep --ram 8M:64M -- ./program",
                  order->has_ram ? "a program" : "sizes");
        return false;
    }
    if (order->sweep.npolicies == 0) {
        add_policy(&order->sweep, quire_policy_at(0));
    }
    order->program = words->at;
    return true;
}

/* The words of one run, NULL-ended; the caller frees the array, not the words. NULL: no memory. */
static char **words_of(const struct order *order, char *ram, char *policy) {
    unsigned nprogram = 0, n = 0;

    while (order->program[nprogram] != NULL) {
        nprogram++;
    }
    char **words = calloc(order->nrest + nprogram + 6, sizeof *words);
    if (words == NULL) {
        return NULL;
    }
    for (unsigned i = 0; i < order->nrest; i++) {
        words[n++] = order->rest[i];
    }
    words[n++] = ram;
    words[n++] = policy;
    words[n++] = (char *)"--quiet";
    words[n++] = (char *)"--no-live";
    words[n++] = (char *)"--";
    memcpy(words + n, order->program, nprogram * sizeof *words);
    return words;
}

/* ---- runs --------------------------------------------------------------------------------------
 */

static void name_size(const struct order *order, unsigned size, char ram[48]) {
    snprintf(ram, 48, "--ram=%llu", (unsigned long long)order->sweep.sizes[size]);
}

/* In the child: standard streams that disturb nobody, and a beginning of input of its own. */
static void settle_streams(void) {
    struct stat st;
    int nothing = open("/dev/null", O_RDWR);
    int input = nothing;

    if (fstat(0, &st) == 0 && S_ISREG(st.st_mode)) {
        input = open("/proc/self/fd/0", O_RDONLY);
    }
    if (nothing < 0 || input < 0 || dup2(input, 0) < 0 || dup2(nothing, 1) < 0 ||
        dup2(nothing, 2) < 0) {
        _exit(CLI_EXIT_OURS);
    }
}

static void run_child(const struct order *order, const struct job *job, int to) {
    char ram[48], policy[64];
    struct cli_figures figures;

    settle_streams();
    name_size(order, job->size, ram);
    snprintf(policy, sizeof policy, "--policy=%s", order->sweep.policies[job->policy]);
    struct cli_words words = {words_of(order, ram, policy)};
    if (words.at == NULL) {
        _exit(CLI_EXIT_OURS);
    }
    int status = cli_run_measure(&words, &figures);
    figures.status = status;
    bool told = write(to, &figures, sizeof figures) == sizeof figures;
    _exit(told ? 0 : CLI_EXIT_OURS);
}

static bool start(struct order *order, struct job *job, unsigned size, unsigned policy) {
    int ends[2];

    if (pipe(ends) != 0) {
        cli_wrong("no pipe for a run: %s", strerror(errno));
        return false;
    }
    *job = (struct job){.from = ends[0], .size = size, .policy = policy};
    job->pid = fork();
    if (job->pid == 0) {
        close(ends[0]);
        run_child(order, job, ends[1]);
    }
    close(ends[1]);
    if (job->pid < 0) {
        close(ends[0]);
        job->pid = 0;
        cli_wrong("no process for a run: %s", strerror(errno));
        return false;
    }
    return true;
}

/* Wait for any of the jobs and take its figures. */
static bool finish(struct order *order, struct job *jobs) {
    int status;
    pid_t pid = wait(&status);

    for (unsigned i = 0; i < order->jobs; i++) {
        struct job *job = &jobs[i];
        if (job->pid != pid || pid <= 0) {
            continue;
        }
        struct cli_figures *figures = &order->sweep.figures[job->size][job->policy];
        bool good = read(job->from, figures, sizeof *figures) == sizeof *figures && figures->ran;
        close(job->from);
        job->pid = 0;
        if (!good) {
            char text[CLI_TEXT_BYTES];
            cli_wrong("--ram %s --policy %s: the program could not be run; quire run says why",
                      cli_size_text(order->sweep.sizes[job->size], text),
                      order->sweep.policies[job->policy]);
        }
        return good;
    }
    return pid > 0 || errno == EINTR;
}

/* All pairs, so many at a time. The largest sizes go first: the smallest take longest, but a
 * program that cannot run at all is found soonest where it needs least. */
static bool run_all(struct order *order) {
    unsigned total = order->sweep.nsizes * order->sweep.npolicies, next = 0, active = 0;
    struct job jobs[JOBS_MAX] = {{0}};
    bool good = true;

    while (active > 0 || (good && next < total)) {
        if (good && next < total && active < order->jobs) {
            unsigned free_job = 0;
            while (jobs[free_job].pid != 0) {
                free_job++;
            }
            unsigned size = order->sweep.nsizes - 1 - next / order->sweep.npolicies;
            good = start(order, &jobs[free_job], size, next % order->sweep.npolicies);
            active += good;
            next++;
            continue;
        }
        good &= finish(order, jobs);
        active--; /* I2 */
    }
    return good;
}

/* ---- the command -------------------------------------------------------------------------------
 */

static int write_plot(struct order *order, char *const *program) {
    bool good = sweep_plot(&order->sweep, program[0], order->plot);
    int why = errno;

    if (fclose(order->plot) != 0 && good) {
        good = false;
        why = errno;
    }
    order->plot = NULL;
    return good
               ? 0
               : cli_wrong("--plot %s: %s; the file is not whole", order->plot_path, strerror(why));
}

static int sweep_all(struct order *order, struct cli_words *words) {
    if (!take_words(order, words)) {
        return CLI_EXIT_OURS;
    }
    char ram[48];
    name_size(order, order->sweep.nsizes - 1, ram);
    struct cli_words first = {words_of(order, ram, (char *)"--quiet")};
    char **array = first.at;
    bool right = array != NULL && cli_run_check(&first);
    free(array);
    if (!right || !run_all(order)) {
        return CLI_EXIT_OURS;
    }
    sweep_print(&order->sweep, stdout);
    return order->plot != NULL ? write_plot(order, order->program) : 0;
}

int cli_sweep(struct cli_words *words) {
    struct order *order = calloc(1, sizeof *order);

    if (order == NULL) {
        return cli_wrong("the host has no memory");
    }
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    order->jobs = cores < 1 ? 1 : cores > JOBS_MAX ? JOBS_MAX : (uint64_t)cores;
    int status = sweep_all(order, words);
    for (unsigned i = 0; i < order->nrest; i++) {
        free(order->rest[i]);
    }
    if (order->plot != NULL) {
        fclose(order->plot);
    }
    free(order);
    return status;
}
