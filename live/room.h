/* room.h: what the files of this room share: where sockets are, and what goes over them. */
#ifndef QUIRE_LIVE_ROOM_H
#define QUIRE_LIVE_ROOM_H

#include "live/live.h"

/* ---- places: place.c ------------------------------------------------------------------------- */

#define PLACE_RUNTIME 0 /* $XDG_RUNTIME_DIR/quire */
#define PLACE_PRIVATE 1 /* $TMPDIR/quire-UID or /tmp/quire-UID */
#define NPLACES       2

/* The directory of sockets there, ours alone: a descriptor, or -1. make: if it is not there. */
int place_open(unsigned place, bool make);
/* Remove the directory if it is empty. */
void place_leave(unsigned place);
/* Wait until nobody else makes or removes sockets in it, or keep them waiting no more. */
void place_lock(int directory);
void place_unlock(int directory);

/* A socket named after a process: bound and listening, or -1 (one of another run is there). */
int place_listen(int directory, int pid);
/* Connected, or -1. One that nobody listens on is removed. */
int place_connect(int directory, int pid);
void place_remove(int directory, int pid);

/* ---- answers: answer.c ----------------------------------------------------------------------- */

/* The whole answer to a line (without its end), for free(); NULL: no memory. Inside a visit only.
 */
char *answer_make(struct os *os, const char *about, const char *line, size_t *nbytes);

#endif
