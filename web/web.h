/* web.h: a page that draws a machine, served to this host's own browser.
 *
 * The page asks for moments and draws them; a moment is the machine's texts (quire/view.h, and what
 * docs/LIVE.md has beside them), all read at once and turned into JSON: docs/WEB.md has the fields.
 * The room knows neither runs nor labs, only a source of texts. Names outside begin with web_.
 *
 * One thread: web_work answers what has come and never waits. It listens on 127.0.0.1 alone, and
 * whoever does not know the word in the address gets nothing.
 */
#ifndef QUIRE_WEB_WEB_H
#define QUIRE_WEB_WEB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEB_MESSAGE_BYTES 512
#define WEB_URL_BYTES     96

/* What a page wants of a lab. Texts that are not wanted are "", never NULL. */
struct web_lab {
    const char *name;             /* this one, from its beginning; else the one that is open */
    const char *language;         /* "en", "zh" */
    const char *question, *value; /* a prediction */
    int64_t steps;                /* to go, after that */
};

/* A machine as texts. context goes to each call. */
struct web_source {
    void *context;
    const char *kind; /* "run" or "lab": what the page calls it */
    /* Read files, as live_read takes them, all of one moment; what was read before is forgotten.
     * False: there is no machine any more, and message says so in one line. */
    bool (*read)(void *context, const char *paths, char message[WEB_MESSAGE_BYTES]);
    /* The nth that was read; false at the end. *text NULL: it cannot be read, and *error says why.
     */
    bool (*nth)(void *context, size_t n, const char **path, const char **text, const char **error);
    /* Forwards, or backwards if negative. False: it cannot, and message says why; nothing has
     * happened then. NULL: the machine runs by itself, and nobody can do anything to it. */
    bool (*step)(void *context, int64_t steps, char message[WEB_MESSAGE_BYTES]);
    /* Do a line of the machine's shell; what it says, and why not, until the next call. NULL: there
     * is no shell. With one, there is a text quire/history: "place N", then all lines. */
    bool (*run)(void *context, const char *line, const char **text, const char **error);
    /* Both as JSON for free(): the labs that there are (NULL: no memory); and one of them, gone
     * through: all that was said so far. NULL: message says why not. NULL functions: no labs. */
    char *(*labs)(void *context);
    char *(*lab)(void *context, const struct web_lab *wanted, char message[WEB_MESSAGE_BYTES]);
};

struct web;

/* Listen on this port of 127.0.0.1, 0: on a free one. The source is copied. NULL: message says why
 * not, and what would help. */
struct web *web_open(const struct web_source *source, unsigned port,
                     char message[WEB_MESSAGE_BYTES]);
/* Where it is: http://127.0.0.1:PORT/WORD/ */
const char *web_url(const struct web *web);
/* To wait on with poll, until there is something to do or so many ms are over (-1: no limit). */
int web_descriptor(const struct web *web);
int web_timeout_ms(const struct web *web);
/* Answer what has come. */
void web_work(struct web *web);
/* From now on every question is answered with this message: the machine is gone. */
void web_end(struct web *web, const char *message);
/* Has that been told to somebody? */
bool web_end_told(const struct web *web);
void web_close(struct web *web); /* NULL is nothing */

#endif
