/* lab_lines_none.c: lines as the terminal gives them, where libedit is not. */
#include "cli/lab_lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/lab.h"

const char cli_lines_kind[] = "plain lines (without libedit: no history, no completion)";

struct cli_lines {
    char line[LAB_LINE_BYTES + 1];
};

struct cli_lines *cli_lines_open(struct lab *lab) {
    (void)lab;
    return calloc(1, sizeof(struct cli_lines));
}

const char *cli_lines_read(struct cli_lines *lines, const char *prompt) {
    fputs(prompt, stdout);
    fflush(stdout);
    if (fgets(lines->line, sizeof lines->line, stdin) == NULL) {
        return NULL;
    }
    lines->line[strcspn(lines->line, "\r\n")] = '\0';
    return lines->line;
}

void cli_lines_close(struct cli_lines *lines) {
    free(lines);
}
