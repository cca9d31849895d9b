/* run.h: what run.c, which has a program run, shares with swap.c (its disks), mkswap.c (makes them)
 * and summary.c, which tells what happened. */
#ifndef QUIRE_CLI_RUN_H
#define QUIRE_CLI_RUN_H

#include <stdio.h>

#include "cli/cli.h"
#include "os/os.h"

/* swap.c: the areas that --swap has named so far. */
struct cli_swaps {
    struct os_swap swaps[OS_SWAPS_MAX];
    unsigned count;
    bool given;
};
/* One value of --swap. False: it is wrong, and that has been said. */
bool cli_swap_take(struct cli_swaps *swaps, const char *value);
/* One area in memory, for who names none. */
void cli_swap_default(struct cli_swaps *swaps, uint64_t bytes);
/* The value of --zswap: "lz4", "zstd:35". False: it is wrong, and that has been said. */
bool cli_zswap_take(struct os_config *config, const char *value);
void cli_swap_close(const struct os_swap *swap);
/* A file or disk for swap, open for reading and writing and locked, with its size in whole pages;
 * -1: it cannot be had, and was said why, after the option. */
int cli_swap_open(const char *option, const char *path, uint64_t *bytes);

/* progress.c: a line on the terminal while a long run goes on. NULL: there is no terminal for it.
 * visit draws it, inside a visit of the machine (os_visit); end erases it. */
struct cli_progress;
struct cli_progress *cli_progress_begin(struct os *os);
void cli_progress_visit(struct cli_progress *progress);
void cli_progress_end(struct cli_progress *progress);

/* report.c: the files that --json (and the like) have named, and what is seen of the run. */
#define CLI_EXPORTS_MAX 16
struct watch;
struct export_format;
struct cli_report {
    struct cli_report_file {
        const char *path; /* as it was said */
        FILE *file;       /* NULL: not wanted */
    } json, html, exports[CLI_EXPORTS_MAX];
    const struct export_format *formats[CLI_EXPORTS_MAX];
    unsigned nexports;
    struct watch *watch;
};
/* "FORMAT" or "FORMAT:FILE": *path is FILE, or "". NULL: there is no such format here, and that has
 * been said. */
const struct export_format *cli_export_parse(const char *word, const char **path);
/* The formats, for people, on standard output. */
void cli_export_formats(void);
/* FILE of option, FORMAT:FILE of --export: opened now, so that a wrong name costs a line and not a
 * run. False: it cannot be written, and that has been said. */
bool cli_report_take(struct cli_report *report, const char *option, const char *word);
/* A machine is there: begin to look, if a report is wanted. False: it can't be, and that has been
 * said. */
bool cli_report_begin(struct cli_report *report, struct os *os);
/* The run has ended with this status: write. Returns the exit code: the same, or CLI_EXIT_OURS
 * where it was 0 and the report could not be written, which is said. */
int cli_report_write(struct cli_report *report, const struct os_config *config, char *const *argv,
                     int status);
/* => before os_destroy */
void cli_report_end(struct cli_report *report);
void cli_report_close(struct cli_report *report);

/* run.c, for sweep.c: what is compared of runs. */
struct cli_figures {
    bool ran; /* the program was started */
    int status;
    uint64_t time_ns, wait_ns; /* without idling; of that waiting for memory */
    uint64_t major_faults, swapped_in_pages, peak_bytes, trace;
};
/* What `quire run` does with these words, its figures kept. Returns the exit code. */
int cli_run_measure(struct cli_words *words, struct cli_figures *figures);
/* Are they right? If not, it has been said. Files are opened and closed again, nothing runs. */
bool cli_run_check(struct cli_words *words);
const struct cli_option *cli_run_options(size_t *count);

/* The summary of a finished run, on standard error. program is its first word, status what os_run
 * returned. Reads counters only: O(1). */
void cli_summary_print(struct os *os, const char *program, int status);

#endif
