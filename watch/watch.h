/* watch.h: see what memory did with the programs of a run: what the command needs of this room.
 *
 * A watch listens to a machine and its kernel, keeps a bounded account of what it hears (whatever
 * the run's length), and tells it when asked. Watching changes nothing: the same run, the same
 * counters, the same trace. One thread; not thread-safe.
 */
#ifndef QUIRE_WATCH_WATCH_H
#define QUIRE_WATCH_WATCH_H

#include <stdio.h>

#include "os/os.h"

struct watch;

/* Begin to listen. NULL: the host has no memory. O(1), about 10 MiB. */
struct watch *watch_create(struct os *os);
/* Stop and forget. NULL is fine. */
void watch_destroy(struct watch *watch);

/* What the report says of the run itself. */
struct watch_run {
    char *const *argv; /* NULL-ended */
    int status;        /* as os_run returned it */
    const char *policy;
    uint64_t ram_bytes;
};

/* All as one JSON object (docs/REPORT.md), text for free(). NULL: the host has no memory. Reads
 * symbols of the programs' files, so it is called after the run, before os_destroy; that and
 * sorting are the dearest parts. */
char *watch_json(struct watch *watch, const struct watch_run *run);

/* Such a text as a page for people, one HTML file with all in it. False: the file cannot take it
 * (errno says why); some of it may be there. O(text). */
bool watch_html(const char *json, FILE *file);

/* Was this quire built with what watch_json needs (libjansson), and what watch_html needs on top of
 * that (uPlot)? */
bool watch_has_json(void);
bool watch_has_html(void);

#endif
