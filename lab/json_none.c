/* json_none.c: without jansson there is no JSON; lab_has_json says so. */
#include "lab/json.h"

bool lab_has_json(void) {
    return false;
}

char *lab_result_json(struct lab *lab, const struct lab_result *result) {
    (void)lab;
    (void)result;
    return NULL;
}

char *lab_state_json(struct lab *lab) {
    (void)lab;
    return NULL;
}

char *lab_builtins_json(void) {
    return NULL;
}

void lab_event_json(FILE *to, const struct lab_event *event) {
    (void)to;
    (void)event;
}
