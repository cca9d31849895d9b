/* lab_lines.h: lines that a person types, with history and completion where libedit is. */
#ifndef QUIRE_CLI_LAB_LINES_H
#define QUIRE_CLI_LAB_LINES_H

#include <stdbool.h>

struct lab;
struct cli_lines;

/* lab: whose names are completed; may be NULL. NULL: no memory. */
struct cli_lines *cli_lines_open(struct lab *lab);
/* The next line without its end, valid until the next call; NULL: the end. */
const char *cli_lines_read(struct cli_lines *lines, const char *prompt);
void cli_lines_close(struct cli_lines *lines);
/* In words, for those who wonder: "libedit", or that lines are plain. */
extern const char cli_lines_kind[];

#endif
