/* sweep.h: what sweep.c, which has a program run many times, shares with sweep_text.c, which tells.
 */
#ifndef QUIRE_CLI_SWEEP_H
#define QUIRE_CLI_SWEEP_H

#include <stdio.h>

#include "cli/run.h"

#define SWEEP_SIZES    64
#define SWEEP_POLICIES 16

struct sweep {
    uint64_t sizes[SWEEP_SIZES]; /* ascending, each once */
    unsigned nsizes;
    const char *policies[SWEEP_POLICIES]; /* as quire/policy.h names them */
    unsigned npolicies;
    struct cli_figures figures[SWEEP_SIZES][SWEEP_POLICIES];
};

/* The machine's time against that without waiting for memory: 1.0 is none. => it ran */
double sweep_slowdown(const struct cli_figures *figures);
/* One row a size, one column a policy; then in words: the smallest size for each promise, the best
 * policy. */
void sweep_print(const struct sweep *sweep, FILE *to);
/* The same as a picture, SVG. False: the file cannot take it, errno says why. */
bool sweep_plot(const struct sweep *sweep, const char *title, FILE *to);

#endif
