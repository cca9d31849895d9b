/* json.h: what play.c tells tools, an object a line. Internal to lab/. */
#ifndef LAB_JSON_H
#define LAB_JSON_H

#include "lab/inside.h"

struct lab_event {
    const char *kind, *name, *text; /* name: may be NULL */
    bool graded, answered, right;   /* of an answer */
    int64_t value, given;
    const char *explained;      /* what the wrong answer came from; may be NULL */
    const char *const *choices; /* of a question; none: a number is asked for */
    unsigned nchoices;
};
void lab_event_json(FILE *to, const struct lab_event *event);

#endif
