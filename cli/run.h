/* run.h: what run.c, which has a program run, shares with swap.c (its disks), mkswap.c (makes them)
 * and summary.c, which tells what happened. */
#ifndef QUIRE_CLI_RUN_H
#define QUIRE_CLI_RUN_H

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

/* The summary of a finished run, on standard error. program is its first word, status what os_run
 * returned. Reads counters only: O(1). */
void cli_summary_print(struct os *os, const char *program, int status);

#endif
