/* json_none.c: for a build without libjansson: there is no report. */
#include "watch/watch.h"

#include <errno.h>

bool watch_has_json(void) {
    return false;
}

bool watch_has_html(void) {
    return false;
}

bool watch_html(struct watch *watch, const struct watch_run *run, FILE *file) {
    return watch_json(watch, run, file);
}

bool watch_json(struct watch *watch, const struct watch_run *run, FILE *file) {
    (void)watch, (void)run, (void)file;
    errno = ENOSYS;
    return false;
}
