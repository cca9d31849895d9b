/* room.h: what the files of this room share: where sockets are, and what goes over them. */
#ifndef QUIRE_LIVE_ROOM_H
#define QUIRE_LIVE_ROOM_H

#include "live/live.h"

/* ---- places: place.c ------------------------------------------------------------------------- */

#define PLACE_RUNTIME 0 /* @$XDG_RUNTIME_DIR/quire */
#define PLACE_PRIVATE 1 /* @$TMPDIR/quire-UID or @/tmp/quire-UID */
#define NPLACES       2
#define PLACE_BYTES   96 /* of a place's name; with a slash and a number it fits in sun_path */

/* A socket that listens, named after a process, or -1: there is no such place, or somebody else has
 * the name. It and its name are gone when the last descriptor is closed, however that comes. */
int place_listen(unsigned place, int pid);
/* The next who connects, if he is our user or root; -1: nobody waits, or he is somebody else. */
int place_accept(int listener);
/* Connected to a run of our user, or -1. */
int place_connect(unsigned place, int pid);
/* The process ids of the runs of our user in one place that answer, in no order: the first of
 * them into pids. Returns how many there are. O(sockets of the host). */
size_t place_list(unsigned place, int *pids, size_t capacity);

/* ---- answers: answer.c ----------------------------------------------------------------------- */

/* The whole answer to a line (without its end), for free(); NULL: no memory. Inside a visit only.
 */
char *answer_make(struct os *os, const char *about, const char *line, size_t *nbytes);

#endif
