/* live.h: looking at a machine that runs, from another process: docs/LIVE.md says what goes over.
 *
 * A run listens on a socket for its user; who asks gets files of the machine's /proc as they are
 * at one moment. Nothing can be changed from outside, and a run that is watched is the same run.
 * Names outside the room begin with live_.
 */
#ifndef QUIRE_LIVE_LIVE_H
#define QUIRE_LIVE_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct os;

#define LIVE_REQUEST_BYTES 4096 /* a line of the protocol, its end included */
#define LIVE_MESSAGE_BYTES 512  /* enough for every message below */

/* ---- the side that runs: server.c ------------------------------------------------------------ */

struct live_server;

/* Listen, in a thread of its own. about has lines "name value" that never change; it is copied.
 * NULL: there is no place for a socket, or no memory: the run is not to be watched, and no worse
 * for it. */
struct live_server *live_listen(struct os *os, const char *about);
/* Answer what is waiting: to be called inside a visit (os_visit). NULL is nobody. */
void live_serve(struct live_server *server);
/* Nobody is heard any more, and the socket is gone. Waits for nobody. NULL is nothing. */
void live_close(struct live_server *server);

/* ---- the side that looks: client.c ----------------------------------------------------------- */

struct live;

/* Connect to the run of that process id, 0: to the only one there is. NULL: one line in message
 * says why and what would help. */
struct live *live_connect(int pid, char message[LIVE_MESSAGE_BYTES]);
void live_disconnect(struct live *live);
int live_pid(const struct live *live);
/* To wait on: it becomes readable when the run ends. */
int live_descriptor(const struct live *live);

/* Read files of the machine's /proc, words separated by spaces, all at one moment. The first part
 * of a path may be a star, which stands for every process: "meminfo 1/maps " "*" "/stat". "quire"
 * is a file about the run itself. What was read before is forgotten. False: the run has ended, or
 * does not answer: message. A file that is not there is no failure. */
bool live_read(struct live *live, const char *paths, char message[LIVE_MESSAGE_BYTES]);

/* Let time pass on the host's clock, at most so much. False: the run has ended meanwhile; message.
 */
bool live_wait(struct live *live, uint64_t ms, char message[LIVE_MESSAGE_BYTES]);

/* A file that was read; of the nth, live_nth gives NULL at the end. text NULL: it could not be
 * read, and error says why. text ends with a 0 that length does not count. */
struct live_file {
    char *path;
    char *text, *error;
    size_t length;
};
const struct live_file *live_nth(const struct live *live, size_t n);
/* The text of a path, NULL if it could not be read. */
const char *live_text(const struct live *live, const char *path);

/* The number behind a name at the beginning of a line ("MemTotal:  65536 kB"); 0 if there is none,
 * or no text. Colons and spaces between are skipped. */
uint64_t live_number(const char *text, const char *name);
/* What is behind it to the end of the line, into value. False: no such line. */
bool live_word(const char *text, const char *name, char *value, size_t capacity);

/* The name under which a run would listen now, without its number; it is tried. False: there is
 * none. */
bool live_place(char *name, size_t capacity);

/* The process ids of the runs that answer, ascending, into pids. Returns how many there are. */
size_t live_list(int *pids, size_t capacity);

#endif
