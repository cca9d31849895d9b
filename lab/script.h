/* script.h: a script after parsing: a list of items, as script.c makes it and play.c plays it.
 * Internal to lab/.
 */
#ifndef LAB_SCRIPT_H
#define LAB_SCRIPT_H

#include "lab/inside.h"

#define LAB_CHOICES 6

enum lab_item_kind {
    LAB_TITLE,
    LAB_ROWS,    /* expression: the rows of system.md that it shows */
    LAB_COMMAND, /* expression: the line */
    LAB_SAY,
    LAB_ASK,    /* name; choices, or a number */
    LAB_WRONG,  /* name; expression: the value that somebody may believe in */
    LAB_ANSWER, /* name; expression; within */
};

struct lab_item {
    enum lab_item_kind kind;
    unsigned line;
    bool quiet, refused; /* of a command: not shown; must be refused */
    char *name, *expression;
    char *choices[LAB_CHOICES];
    unsigned nchoices; /* 0: a number */
    int64_t within;    /* percent */
    struct lab_text text[LAB_NLANGUAGES];
};

struct lab_script {
    char *name;
    struct lab_item *items;
    size_t nitems, room;
};

/* The item of this kind with this name, at or after `from`; NULL. */
const struct lab_item *lab_script_item(const struct lab_script *script, size_t from,
                                       enum lab_item_kind kind, const char *name);

#endif
