/* room.h: what the files of this room share. */
#ifndef QUIRE_WEB_ROOM_H
#define QUIRE_WEB_ROOM_H

#include "web/web.h"

/* The page, made by the build of machine.html, machine.css, machine.js and uPlot. */
extern const char web_page[];

/* JSON of one moment, with the space of this process, for free(). NULL: message says that the
 * machine is gone, or is empty: no memory. */
char *moment_make(const struct web_source *source, int pid, char message[WEB_MESSAGE_BYTES]);

/* The same of what a line led to. */
char *result_make(const struct web_source *source, const char *line);

/* The same of one translation. access: r, w or x. */
char *walk_make(const struct web_source *source, int pid, uint64_t va, char access,
                char message[WEB_MESSAGE_BYTES]);

/* ---- reading texts: texts.c ------------------------------------------------------------------ */

/* A text that was read; NULL: it could not be. */
const char *text_of(const struct web_source *source, const char *path);
/* The next line of *at, without its end, cut to capacity; false at the end. */
bool text_line(const char **at, char *line, size_t capacity);
/* The number behind a name at the beginning of a line; 0 if there is none. */
uint64_t text_number(const char *text, const char *name);
/* What follows it, to the end of the line. Empty if there is none. */
void text_word(const char *text, const char *name, char *word, size_t capacity);

#endif
