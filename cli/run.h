/* run.h: between run.c, which has a program run, and summary.c, which tells what happened. */
#ifndef QUIRE_CLI_RUN_H
#define QUIRE_CLI_RUN_H

#include "os/os.h"

/* The summary of a finished run, on standard error. program is its first word, status what os_run
 * returned. Reads counters only: O(1). */
void cli_summary_print(struct os *os, const char *program, int status);

#endif
