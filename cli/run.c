/* run.c: `quire run`: make a machine, put a program on it, wait, tell what happened.
 *
 * The command owns the words of the command line, the signals that a terminal sends, and the exit
 * code; all else is os/'s. Options are checked here as far as they can be without a machine, so
 * that a wrong one costs a line and not a start:
 *
 *     words --options--> struct run --os_create, os_start--> os_run --> status
 *                                        |         |             '--> summary.c
 *                                       125     126, 127
 *
 * Signals: INT, TERM, HUP and QUIT go to process 1 of the machine, which does with them what it
 * would do on any Linux; quire itself stays to report. One that was ignored when we were started
 * (nohup) stays ignored. KILL is ours alone.
 *
 * I1  Every byte on standard output comes from the program.
 * I2  The exit code is the program's, or 128 + signal, unless it is 125 to 127 and a line said why.
 */
#include "cli/run.h"

#include "cli/cli.h"

#include <quire/policy.h>

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "live/live.h"

#define MIB ((uint64_t)1 << 20)

/* Enough for every small program to run without paging, little enough to be nothing on the host. */
#define RAM_DEFAULT (256 * MIB)
/* The manager takes about 1 MiB, an idle dynamic program a little more: below this nothing runs. */
#define RAM_MIN (4 * MIB)
#define RAM_MAX ((uint64_t)1 << 43) /* what the software machine takes: machine/soft/soft.c */
/* Pages on the disk cost the host nothing until they are written: be generous by default. */
#define SWAP_TO_RAM 4

#define ABOUT_BYTES  2048 /* of what other terminals are told; command lines are cut to it */
#define BINDS_MAX    64
#define POLICIES_MAX 16 /* room for their names in a message */

/* What the command line says. */
struct run {
    struct os_config config;
    struct os_bind binds[BINDS_MAX];
    struct cli_swaps swaps;
    FILE *trace; /* of --trace-calls=FILE */
    struct cli_report report;
    struct cli_figures *figures; /* NULL: nobody wants them */
    bool check_only;             /* nothing is to run */
    bool quiet, no_live;
    bool interactive; /* sh: what a terminal sends is the shell's, ^Z as well */
    char cwd[PATH_MAX];
};

enum {
    RAM,
    HARTS,
    SWAP,
    ZSWAP,
    THP,
    OVERCOMMIT,
    POLICY,
    ROOT,
    BIND,
    CLOCK,
    SEED,
    OOM,
    TRACE_CALLS,
    CHECK_CALLS,
    REPORT,
    JSON,
    EXPORT,
    QUIET,
    NO_SUMMARY,
    NO_LIVE
};

static const struct cli_option options[] = {
    [RAM] = {"--ram", "SIZE", "--ram 64M", "memory of the machine; 256M if not given"},
    [HARTS] = {"--harts", "NUMBER", "--harts 4", "its processors, 1 to 64; 1 if not given"},
    [SWAP] = {"--swap", "SIZE|FILE|grow", "--swap 1G",
              "a swap disk, 0 for none; four times the RAM if not given; may be repeated"},
    [ZSWAP] = {"--zswap", "lz4|zstd[:PERCENT]", "--zswap lz4:20",
               "keep pages that leave compressed in RAM, in at most so much of it (20)"},
    [THP] = {"--thp", "always|madvise|never", "--thp always",
             "2 MiB pages for all that fits, where the program asks (the default), or none"},
    [OVERCOMMIT] = {"--overcommit", "0|1|2", "--overcommit 2",
                    "what may be promised: 0 all but the absurd, 1 anything, 2 what there is"},
    [POLICY] = {"--policy", "NAME", "--policy sieve",
                "which pages go first: one of those below; linux if not given"},
    [ROOT] = {"--root", "DIR", "--root ~/riscv",
              "what the program sees as /; see 'quire help root'"},
    [BIND] = {"--bind", "DIR[:GUEST]", "--bind /data",
              "show a directory of this machine to it, under GUEST or the same name"},
    [CLOCK] = {"--clock", "virtual|host", "--clock virtual",
               "its clock: virtual (the default: same run, same times) or this machine's"},
    [SEED] = {"--seed", "NUMBER", "--seed 7", "for its random numbers; 1 if not given"},
    [OOM] = {"--oom", "kill|group", "--oom group",
             "when memory is gone, end the worst process (the default) or its process group"},
    [TRACE_CALLS] = {"--trace-calls", "=FILE", NULL,
                     "print each system call as strace does, on standard error or to FILE"},
    [CHECK_CALLS] = {"--check-calls", NULL, NULL,
                     "end the run when a system call copies what its table does not declare"},
    [REPORT] = {"--report", "FILE", "--report run.html",
                "write a page that shows what memory did, when, and which code caused it"},
    [JSON] = {"--json", "FILE", "--json run.json",
              "the same for tools: docs/REPORT.md has the fields"},
    [EXPORT] = {"--export", "FORMAT:FILE", "--export chrome:run.trace.json",
                "the same for other tools, a format of 'quire help export'; may be repeated"},
    [QUIET] = {"--quiet", NULL, NULL, "no summary at the end"},
    [NO_SUMMARY] = {"--no-summary", NULL, NULL, "the same"},
    [NO_LIVE] = {"--no-live", NULL, NULL, "not to be looked at by quire top, free, ps ..."},
};
#define NOPTIONS (sizeof options / sizeof options[0])

void cli_run_help(void) {
    puts(
        "quire run [options] [--] PROGRAM ARGUMENTS\n\n"
        "Runs a RISC-V 64 Linux program on a computer in software with the RAM that you give it.\n"
        "Pages that do not fit go to its swap disk and come back when they are touched. A summary\n"
        "of what the memory manager did follows on standard error.\n");
    cli_options_print(options, NOPTIONS);
    puts("\nPolicies:");
    const struct quire_policy *policy;
    for (unsigned i = 0; (policy = quire_policy_at(i)) != NULL; i++) {
        printf("  %-22s %s\n", policy->name, policy->summary);
    }
    puts(
        "\nSizes: 4096, 64K, 1.5M, 2GiB; K, M, G and T are powers of 1024. At least 4M of RAM.\n"
        "--swap FILE uses a file that 'quire mkswap' or mkswap made; --swap grow:STEP:MAX a disk\n"
        "that grows by steps (1G, at most 64 of them). ',prio=5' behind it: higher is used first.\n"
        "A statically linked program needs no --root; others need the tree with their "
        "libraries.\n\n"
        "Exit code: the program's; 128 + n if signal n ended it (137: the OOM killer);\n"
        "125 if quire itself failed, 126 if PROGRAM cannot be run, 127 if there is none.\n\n"
        "Example: a sort of a large file in a quarter of the memory that it needs\n"
        "  quire root create ~/riscv coreutils\n"
        "  quire run --ram 32M --root ~/riscv --bind . -- sort big.txt > sorted.txt");
}

/* ---- the options -------------------------------------------------------------------------------
 */

static bool is_directory(const char *path) {
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool take_root(struct run *run, const char *dir) {
    static char path[PATH_MAX]; /* lives as long as the machine */

    if (!is_directory(dir)) {
        cli_wrong("--root %s: %s; 'quire root create %s coreutils' makes one", dir,
                  access(dir, F_OK) == 0 ? "not a directory" : "there is no such directory", dir);
        return false;
    }
    if (realpath(dir, path) == NULL) {
        cli_wrong("--root %s: %s", dir, strerror(errno));
        return false;
    }
    run->config.root = path;
    return true;
}

/* DIR or DIR:GUEST. The host's path is ours, cli_run frees it; the guest's is part of it or value.
 */
static bool take_bind(struct run *run, const char *value) {
    const char *colon = strrchr(value, ':');
    char *dir = strndup(value, colon != NULL ? (size_t)(colon - value) : strlen(value));
    char *host = dir != NULL ? realpath(dir, NULL) : NULL;

    if (host == NULL || !is_directory(host)) {
        cli_wrong("--bind %s: %s is %s", value, dir != NULL ? dir : "it",
                  host != NULL ? "not a directory" : "no directory that can be found");
    } else if (colon != NULL && colon[1] != '/') {
        cli_wrong("--bind %s: the name that the program sees must begin with /", value);
    } else if (run->config.nbinds == BINDS_MAX) {
        cli_wrong("--bind %s: %d are enough", value, BINDS_MAX);
    } else {
        run->binds[run->config.nbinds].host_path = host;
        run->binds[run->config.nbinds].guest_path = colon != NULL ? colon + 1 : host;
        run->config.nbinds++;
        free(dir);
        return true;
    }
    free(host);
    free(dir);
    return false;
}

static bool take_clock(struct run *run, const char *value) {
    if (strcmp(value, "host") == 0 || strcmp(value, "virtual") == 0) {
        run->config.host_clock = value[0] == 'h';
        return true;
    }
    cli_wrong("--clock %s: there are two clocks; write --clock virtual or --clock host", value);
    return false;
}

static bool take_thp(struct run *run, const char *value) {
    static const char *const words[] = {[QUIRE_THP_MADVISE] = "madvise",
                                        [QUIRE_THP_ALWAYS] = "always",
                                        [QUIRE_THP_NEVER] = "never"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(value, words[i]) == 0) {
            run->config.thp = (enum quire_thp)i;
            return true;
        }
    }
    cli_wrong("--thp %s: 2 MiB pages are used always, where madvise asks, or never; write "
              "--thp always, --thp madvise or --thp never",
              value);
    return false;
}

static bool take_overcommit(struct run *run, const char *value) {
    if (value[0] >= '0' && value[0] <= '2' && value[1] == '\0') {
        run->config.overcommit = (unsigned)(value[0] - '0');
        return true;
    }
    cli_wrong("--overcommit %s: there are three ways: 0, 1 and 2, as vm.overcommit_memory has them",
              value);
    return false;
}

/* All names, since there are few, and a guess if one is near. */
static bool take_policy(struct run *run, const char *value) {
    const struct quire_policy *policy;
    const char *names[POLICIES_MAX];
    char list[POLICIES_MAX * 16] = "";
    unsigned n = 0;

    run->config.policy = quire_policy_find(value);
    if (run->config.policy != NULL) {
        return true;
    }
    while (n < POLICIES_MAX && (policy = quire_policy_at(n)) != NULL) {
        size_t length = strlen(list);
        snprintf(list + length, sizeof list - length, "%s%s", n > 0 ? ", " : "", policy->name);
        names[n++] = policy->name;
    }
    const char *nearest = cli_nearest(value, names, n);
    if (nearest != NULL) {
        cli_wrong("--policy %s: did you mean %s? All are %s", value, nearest, list);
    } else {
        cli_wrong("--policy %s: no such policy; there are %s", value, list);
    }
    return false;
}

static bool take_oom(struct run *run, const char *value) {
    if (strcmp(value, "kill") == 0 || strcmp(value, "group") == 0) {
        run->config.oom_group = value[0] == 'g';
        return true;
    }
    cli_wrong("--oom %s: when memory is gone, one process ends, or its process group; write "
              "--oom kill or --oom group",
              value);
    return false;
}

/* Lines as they come: a run may be killed. */
static bool take_trace(struct run *run, const char *path) {
    run->config.trace = stderr;
    if (run->trace != NULL) {
        fclose(run->trace); /* given twice: the last one counts */
        run->trace = NULL;
    }
    if (path == NULL) {
        return true;
    }
    run->config.trace = run->trace = fopen(path, "we");
    if (run->trace == NULL) {
        cli_wrong("--trace-calls=%s: it cannot be written: %s", path, strerror(errno));
        return false;
    }
    setvbuf(run->trace, NULL, _IOLBF, BUFSIZ);
    return true;
}

static bool take_option(struct run *run, int option, const char *value) {
    switch (option) {
    case RAM:
        return cli_size_parse("--ram", value, &run->config.ram_bytes);
    case HARTS:
        return cli_harts_parse(value, &run->config.harts);
    case SWAP:
        return cli_swap_take(&run->swaps, value);
    case ZSWAP:
        return cli_zswap_take(&run->config, value);
    case THP:
        return take_thp(run, value);
    case POLICY:
        return take_policy(run, value);
    case OVERCOMMIT:
        return take_overcommit(run, value);
    case ROOT:
        return take_root(run, value);
    case BIND:
        return take_bind(run, value);
    case CLOCK:
        return take_clock(run, value);
    case REPORT:
        return cli_report_take(&run->report, "--report", value);
    case JSON:
        return cli_report_take(&run->report, "--json", value);
    case EXPORT:
        return cli_report_take(&run->report, "--export", value);
    case SEED:
        return cli_number_parse("--seed", value, &run->config.seed);
    case OOM:
        return take_oom(run, value);
    case TRACE_CALLS:
        return take_trace(run, value);
    case CHECK_CALLS:
        run->config.check_calls = true;
        return true;
    case NO_LIVE:
        run->no_live = true;
        return true;
    default:
        run->quiet = true;
        return true;
    }
}

/* Sizes that make a machine: whole pages, enough to start anything, not more than there can be. */
static bool settle_sizes(struct run *run) {
    struct os_config *config = &run->config;
    char text[CLI_TEXT_BYTES];

    if (config->ram_bytes < RAM_MIN) {
        /* A bare number below a page was meant in megabytes more often than in bytes. */
        bool bare = config->ram_bytes < QUIRE_PAGE_SIZE;
        cli_wrong("--ram: %s is too little, nothing runs in less than 4M%s",
                  cli_size_text(config->ram_bytes, text), bare ? "; did you leave out the M?" : "");
        return false;
    }
    if (config->ram_bytes > RAM_MAX) {
        cli_wrong("--ram: %s is too much, 8T is the end", cli_size_text(config->ram_bytes, text));
        return false;
    }
    config->ram_bytes &= ~QUIRE_PAGE_MASK;
    if (!run->swaps.given) {
        cli_swap_default(&run->swaps, config->ram_bytes * SWAP_TO_RAM);
    }
    return true;
}

/* Where the program starts: here, if it can see here; / otherwise. */
static void settle_cwd(struct run *run) {
    char here[PATH_MAX];

    run->config.cwd = "/";
    if (getcwd(here, sizeof here) == NULL) {
        return;
    }
    if (run->config.root == NULL) {
        memcpy(run->cwd, here, sizeof here);
        run->config.cwd = run->cwd;
        return;
    }
    for (unsigned i = 0; i < run->config.nbinds; i++) {
        const struct os_bind *bind = &run->binds[i];
        size_t n = strcmp(bind->host_path, "/") == 0 ? 0 : strlen(bind->host_path);
        if (strncmp(here, bind->host_path, n) == 0 && (here[n] == '/' || here[n] == '\0')) {
            const char *guest = strcmp(bind->guest_path, "/") == 0 ? "" : bind->guest_path;
            int length = snprintf(run->cwd, sizeof run->cwd, "%s%s", guest, here + n);
            if (length > 0 && (size_t)length < sizeof run->cwd) {
                run->config.cwd = run->cwd;
            }
        }
    }
}

/* The options. False when one is wrong, and that has been said. */
static bool take_options(struct run *run, struct cli_words *words) {
    const char *value;
    int option;

    *run = (struct run){.config = {.ram_bytes = RAM_DEFAULT, .seed = 1}};
    while ((option = cli_option_next(words, options, NOPTIONS, &value)) >= 0) {
        if (!take_option(run, option, value)) {
            return false;
        }
    }
    return option != CLI_OPTIONS_WRONG && settle_sizes(run);
}

/* What was said is what the machine is made of. */
static void settle(struct run *run) {
    run->config.binds = run->binds;
    run->config.swaps = run->swaps.swaps;
    run->config.nswaps = run->swaps.count;
    settle_cwd(run);
}

/* Everything before PROGRAM. False when it is wrong, and has been said. */
static bool take_words(struct run *run, struct cli_words *words) {
    if (!take_options(run, words)) {
        return false;
    }
    if (words->at[0] == NULL || words->at[0][0] == '\0') {
        cli_wrong("run needs a program, as in quire run --ram 64M -- ./program");
        return false;
    }
    settle(run);
    return true;
}

/* ---- signals -----------------------------------------------------------------------------------
 */

/* The machine that signals go to: a handler has no other way to know. Set while they are caught. */
static struct os *running;

/* The last two only to a shell: else ^Z stops quire itself, as it would any program. */
static const int forwarded[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};
#define NFORWARDED       (sizeof forwarded / sizeof forwarded[0])
#define FORWARDED_ALWAYS 4u

static void forward(int signal) {
    os_interrupt(running, signal);
}

static void catch_signals(struct os *os, bool interactive) {
    struct sigaction ours = {.sa_handler = forward}, theirs;

    running = os;
    sigemptyset(&ours.sa_mask);
    for (size_t i = 0; i < (interactive ? NFORWARDED : FORWARDED_ALWAYS); i++) {
        if (sigaction(forwarded[i], NULL, &theirs) == 0 && theirs.sa_handler != SIG_IGN) {
            sigaction(forwarded[i], &ours, NULL);
        }
    }
    /* A reader that went away is the program's business: write() tells it. */
    ours.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &ours, NULL);
}

/* The program has ended, and how it ended is our exit code: from here on a signal comes too late.
 * (timeout(1) sends each one twice, to us and to our group.) */
static void ignore_signals(void) {
    for (size_t i = 0; i < NFORWARDED; i++) {
        struct sigaction now;
        if (sigaction(forwarded[i], NULL, &now) == 0 && now.sa_handler == forward) {
            signal(forwarded[i], SIG_IGN);
        }
    }
}

/* What other terminals are told of the run: lines "name value" (docs/LIVE.md). A command line that
 * does not fit is cut. */
static void describe(const struct run *run, char *const words[], char *about, size_t capacity) {
    const struct quire_policy *policy =
        run->config.policy != NULL ? run->config.policy : quire_policy_at(0);
    size_t length = (size_t)snprintf(about, capacity, "policy %s\ncommand", policy->name);

    for (; *words != NULL && length + 1 < capacity; words++) {
        length += (size_t)snprintf(about + length, capacity - length, " %s", *words);
    }
    length = strlen(about);
    for (char *at = strchr(about, '\n') + 1; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f) {
            *at = '?';
        }
    }
    about[length < capacity - 1 ? length : capacity - 2] = '\n';
    about[length < capacity - 1 ? length + 1 : capacity - 1] = '\0';
}

/* Who may look on between two turns. */
struct visitors {
    struct live_server *server;
    struct cli_progress *progress;
};

static void visit(void *context) {
    struct visitors *visitors = context;

    live_serve(visitors->server);
    cli_progress_visit(visitors->progress);
}

/* Run what was started, to be looked at meanwhile unless that is not wanted. */
static int run_started(const struct run *run, struct os *os, char *const words[]) {
    char about[ABOUT_BYTES];
    struct visitors visitors = {NULL, NULL};

    if (!run->no_live) {
        describe(run, words, about, sizeof about);
        visitors.server = live_listen(os, about);
    }
    if (!run->quiet) {
        visitors.progress = cli_progress_begin(os);
    }
    os_visit(os, visit, &visitors);
    catch_signals(os, run->interactive);
    int status = os_run(os);
    ignore_signals();
    os_visit(os, NULL, NULL);
    cli_progress_end(visitors.progress);
    live_close(visitors.server);
    return status;
}

static void take_figures(struct os *os, int status, struct cli_figures *figures) {
    struct quire_soft_counters machine;
    struct quire_usage usage;
    struct os_summary summary;

    quire_soft_counters(os_machine(os), &machine);
    quire_usage(os_quire(os), &usage);
    os_summary(os, &summary);
    *figures = (struct cli_figures){
        .ran = true,
        .status = status,
        .time_ns = summary.wall_ns - machine.idle_ns,
        .wait_ns = machine.stall_ns,
        .major_faults = quire_counters(os_quire(os))->pgmajfault,
        .swapped_in_pages = quire_counters(os_quire(os))->pswpin,
        .peak_bytes = usage.peak_demand << QUIRE_PAGE_SHIFT,
        .trace = quire_trace_hash(os_quire(os)),
    };
}

/* A program that is here, but not where the machine looks. */
static const char *hint(const struct run *run, const char *program, int exit_code) {
    bool here = strchr(program, '/') != NULL && access(program, F_OK) == 0;
    return exit_code == CLI_EXIT_NOT_FOUND && run->config.root != NULL && here
               ? " in the tree; --bind DIR shows a directory of this machine to it"
               : "";
}

/* A machine for run, and on it the program of words. Returns the exit code. */
static int run_on_machine(struct run *run, struct cli_words *words) {
    extern char **environ;
    struct os_start_error error;
    char message[512];
    int status;

    struct os *os = os_create(&run->config, message, sizeof message);
    if (os == NULL) {
        return cli_wrong("%s", message);
    }
    if (!cli_report_begin(&run->report, os)) {
        status = CLI_EXIT_OURS;
    } else if (os_start(os, words->at, environ, &error)) {
        status = run_started(run, os, words->at);
        if (!run->quiet) {
            cli_summary_print(os, words->at[0], status);
        }
        if (run->figures != NULL) {
            take_figures(os, status, run->figures);
        }
        status = cli_report_write(&run->report, &run->config, words->at, status);
    } else {
        cli_wrong("%s%s", error.message, hint(run, words->at[0], error.exit_code));
        status = error.exit_code;
    }
    cli_report_end(&run->report);
    os_destroy(os);
    return status;
}

/* ---- a shell inside ----------------------------------------------------------------------------
 */

void cli_sh_help(void) {
    puts("quire sh [options of run] DIR [ARGUMENTS]\n\n"
         "A shell inside the tree DIR, that of 'quire root create': its bash, or its sh. This\n"
         "directory is visible under its own name, and is where the shell starts; --bind shows\n"
         "others. ARGUMENTS are the shell's. No summary at the end.\n\n"
         "Example:\n"
         "  quire root create ~/riscv bash coreutils procps\n"
         "  quire sh --ram 64M ~/riscv\n"
         "  quire sh ~/riscv -c 'free; ps aux'");
}

/* The tree's best shell. */
static const char *shell_of(const char *root) {
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/bin/bash", root);
    bool bash = length > 0 && (size_t)length < sizeof path && access(path, X_OK) == 0;
    return bash ? "/bin/bash" : "/bin/sh";
}

/* This directory under its own name would hide what the tree has there: not so good for /usr. */
static bool may_show_here(void) {
    static const char *const of_the_tree[] = {"/usr", "/etc", "/bin", "/sbin", "/lib", "/var"};
    char here[PATH_MAX];

    if (getcwd(here, sizeof here) == NULL || strcmp(here, "/") == 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof of_the_tree / sizeof of_the_tree[0]; i++) {
        if (strncmp(here, of_the_tree[i], strlen(of_the_tree[i])) == 0) {
            return false;
        }
    }
    return true;
}

/* The words of the shell, in place: DIR becomes its name, or the word before the first does. False
 * when something is wrong, and has been said. */
static bool take_shell(struct run *run, struct cli_words *words) {
    if (!take_options(run, words)) {
        return false;
    }
    if (run->config.root == NULL) {
        if (words->at[0] == NULL) {
            cli_wrong("sh needs a tree, as in quire sh ~/riscv; 'quire root create' makes one");
            return false;
        }
        if (!take_option(run, ROOT, words->at[0])) {
            return false;
        }
    } else {
        words->at--;
    }
    words->at[0] = (char *)shell_of(run->config.root);
    if (run->config.nbinds == 0 && may_show_here() && !take_option(run, BIND, ".")) {
        return false;
    }
    run->quiet = run->interactive = true;
    settle(run);
    return true;
}

/* Run it if the words were good; then everything goes back. Returns the exit code. */
static int run_and_close(struct run *run, struct cli_words *words, bool good) {
    int status = !good ? CLI_EXIT_OURS : run->check_only ? 0 : run_on_machine(run, words);

    for (unsigned i = 0; i < run->config.nbinds; i++) {
        free((char *)run->binds[i].host_path);
    }
    if (run->trace != NULL && fclose(run->trace) != 0 && status == 0) {
        status = cli_wrong("--trace-calls: the file could not be written to its end: %s",
                           strerror(errno));
    }
    cli_report_close(&run->report);
    for (unsigned i = 0; i < run->swaps.count; i++) {
        cli_swap_close(&run->swaps.swaps[i]);
    }
    return status;
}

int cli_sh(struct cli_words *words) {
    struct run run;
    bool good = take_shell(&run, words);

    return run_and_close(&run, words, good);
}

int cli_run(struct cli_words *words) {
    struct run run;
    bool good = take_words(&run, words);

    return run_and_close(&run, words, good);
}

/* ---- for sweep ---------------------------------------------------------------------------------
 */

const struct cli_option *cli_run_options(size_t *count) {
    *count = NOPTIONS;
    return options;
}

int cli_run_measure(struct cli_words *words, struct cli_figures *figures) {
    struct run run;
    bool good = take_words(&run, words);

    *figures = (struct cli_figures){0};
    run.figures = figures;
    return run_and_close(&run, words, good);
}

bool cli_run_check(struct cli_words *words) {
    struct run run;
    bool good = take_words(&run, words);

    run.check_only = true;
    return run_and_close(&run, words, good) == 0;
}
