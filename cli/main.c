/* main.c: the command `quire`: choose a command, say what there is.
 *
 * A command is a row of the table below, with a function that gets the words after its name. Adding
 * a command is adding a file and a row. The words are not handed to getopt: its messages can't say
 * what would have been right, and with two dozen wrong lines as tests (tests/run/cli_wrong.sh) that
 * is the better half of a message.
 *
 *     quire  run     [options] [--] PROGRAM ARGUMENTS     run.c, summary.c
 *            sh      [options] DIR [ARGUMENTS]            run.c
 *            sweep   [options] [--] PROGRAM ARGUMENTS     sweep.c, sweep_text.c
 *            top     [options]                            top.c
 *            list|free|vmstat|ps|maps|proc  [options]     proc.c, free.c, vmstat.c, ps.c
 *            metrics [options]                            metrics.c
 *            export  RUN.json FORMAT[:FILE]...            export.c
 *            mkswap  [options] FILE                       mkswap.c
 *            lab     [options] [LAB...|FILE]              lab.c
 *            root    create|add|list|remove               root.c, root_create.sh
 *            doctor                                       doctor.c
 *            help    [COMMAND]                            here
 *            --version, --help                            here
 */
#include "cli/cli.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define KEPT_BYTES (16 << 20)

#ifndef QUIRE_VERSION /* the build gives it: project(VERSION) of CMakeLists.txt */
#define QUIRE_VERSION "unknown"
#endif

static int help(struct cli_words *words);
static void help_help(void);

static const struct cli_command commands[] = {
    {"run", "run a Linux program in little memory, and see what happens", cli_run, cli_run_help},
    {"sh", "a shell inside a tree of RISC-V programs", cli_sh, cli_sh_help},
    {"sweep", "run a program with several sizes of RAM and policies, and compare", cli_sweep,
     cli_sweep_help},
    {"top", "a machine that runs: its memory and processes", cli_top, cli_top_help},
    {"list", "which machines run, and what on them", cli_list, cli_list_help},
    {"free", "memory of a machine that runs, as free(1)", cli_free, cli_free_help},
    {"vmstat", "what its memory does, as vmstat(8)", cli_vmstat, cli_vmstat_help},
    {"ps", "its processes, as ps(1)", cli_ps, cli_ps_help},
    {"maps", "the regions of one of them", cli_maps, cli_maps_help},
    {"proc", "any file of its /proc", cli_proc, cli_proc_help},
    {"metrics", "its figures as OpenMetrics, for Prometheus", cli_metrics, cli_metrics_help},
    {"export", "a saved run in the formats of other tools", cli_export, cli_export_help},
    {"mkswap", "make a file a swap area for run", cli_mkswap, cli_mkswap_help},
    {"root", "make a directory of RISC-V programs for run", cli_root, cli_root_help},
    {"lab", "try memory management out, with questions or by hand", cli_lab, cli_lab_help},
    {"doctor", "what this host has and lacks", cli_doctor, cli_doctor_help},
    {"help", "say more about a command", help, help_help},
};
#define NCOMMANDS (sizeof commands / sizeof commands[0])

int cli_wrong(const char *format, ...) {
    va_list arguments;

    va_start(arguments, format);
    fputs("quire: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return CLI_EXIT_OURS;
}

static void print_overview(FILE *to) {
    fputs("quire runs Linux programs on a small computer in software, whose memory manager you can "
          "see.\n\n"
          "  quire run [--ram SIZE] [--root DIR] -- PROGRAM ARGUMENTS\n"
          "  quire root create DIR PACKAGE...\n\n"
          "Commands:\n",
          to);
    for (size_t i = 0; i < NCOMMANDS; i++) {
        fprintf(to, "  %-7s %s\n", commands[i].name, commands[i].summary);
    }
    fputs("\n'quire help COMMAND' says more.\n", to);
}

static const struct cli_command *find(const char *name) {
    for (size_t i = 0; i < NCOMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0) {
            return &commands[i];
        }
    }
    return NULL;
}

/* There is no such command: name the one that was probably meant. */
static int unknown(const char *name) {
    const char *names[NCOMMANDS];

    for (size_t i = 0; i < NCOMMANDS; i++) {
        names[i] = commands[i].name;
    }
    const char *nearest = cli_nearest(name, names, NCOMMANDS);
    if (nearest != NULL) {
        return cli_wrong("there is no command '%s'; did you mean '%s'?", name, nearest);
    }
    return cli_wrong("there is no command '%s'; 'quire help' lists them", name);
}

static int help(struct cli_words *words) {
    const char *name = words->at[0];

    if (name == NULL) {
        print_overview(stdout);
        return 0;
    }
    if (words->at[1] != NULL) {
        return cli_wrong("help takes one command, not '%s' as well", words->at[1]);
    }
    const struct cli_command *command = find(name);
    if (command == NULL) {
        return unknown(name);
    }
    command->help();
    return 0;
}

static void help_help(void) {
    puts("quire help            what commands there are\n"
         "quire help COMMAND    what a command does and takes");
}

/* A standard stream that was closed gets something that cannot be used either: else the first file
 * that is opened would take its number, and what the program prints would go into a report. */
static void fill_streams(void) {
    static const int unusable[] = {O_WRONLY, O_RDONLY, O_RDONLY};

    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", unusable[fd]) != fd) {
            return; /* no /dev here: then as it is */
        }
    }
}

/* Processes on the software machine come and go, and their TLBs and decoded code with them. What
 * one leaves, the next one wants: memory that goes back to the host comes again by page faults of
 * the host, which were a third of a short process's time. */
static void keep_freed_memory(void) {
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
}

int main(int argc, char *argv[]) {
    fill_streams();
    keep_freed_memory();
    if (argc < 2) {
        print_overview(stderr);
        return CLI_EXIT_OURS;
    }
    const char *name = argv[1];
    struct cli_words words = {argv + 2};
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        return help(&words);
    }
    if (strcmp(name, "--version") == 0) {
        puts("quire " QUIRE_VERSION);
        return 0;
    }
    const struct cli_command *command = find(name);
    if (command == NULL) {
        return unknown(name);
    }
    /* To free, -h is another thing. */
    if (words.at[0] != NULL && (strcmp(words.at[0], "--help") == 0 ||
                                (strcmp(words.at[0], "-h") == 0 && command->run != cli_free))) {
        command->help();
        return 0;
    }
    return command->run(&words);
}
