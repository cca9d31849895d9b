/* json_none.c: for a build without libjansson: there is no report. */
#include "watch/watch.h"

bool watch_has_json(void) {
    return false;
}

bool watch_has_html(void) {
    return false;
}

char *watch_json(struct watch *watch, const struct watch_run *run) {
    (void)watch, (void)run;
    return NULL;
}

bool watch_html(const char *json, FILE *file) {
    (void)json, (void)file;
    return false;
}
