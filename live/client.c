/* client.c: find a run, ask it, keep its answer.
 *
 * An answer is taken whole before anything of it is used, so that a run which ends in the middle is
 * one clear message and not half a table. What comes over the socket is not believed: lengths are
 * compared with what is there.
 *
 * I1  Each live_file has exactly one of text and error.
 *
 * May fail: nobody there, gone, silent (SIGSTOP), host memory. Each has its message.
 */
#define _GNU_SOURCE 1 /* memrchr */
#include "live/room.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_FIRST  16384
#define ANSWER_MAX    ((size_t)1 << 30) /* /proc of a machine that is gone mad */
#define RUNS_MAX      1024
#define LISTED        4 /* of several runs, so many are named in a message */
#define COMMAND_BYTES 40
#define WAIT_TURN_MS  1000000

struct live {
    int fd, pid;
    struct live_file *files;
    size_t nfiles, capacity;
};

/* ---- the answer --------------------------------------------------------------------------------
 */

static void forget(struct live *live) {
    for (size_t i = 0; i < live->nfiles; i++) {
        free(live->files[i].path);
        free(live->files[i].text);
        free(live->files[i].error);
    }
    live->nfiles = 0;
}

static char *copy(const char *bytes, size_t nbytes) {
    char *to = malloc(nbytes + 1);

    if (to != NULL) {
        memcpy(to, bytes, nbytes);
        to[nbytes] = '\0';
    }
    return to;
}

static bool keep(struct live *live, char *path, char *text, char *error, size_t length) {
    if (live->nfiles == live->capacity) {
        size_t capacity = live->capacity == 0 ? 8 : 2 * live->capacity;
        struct live_file *files = realloc(live->files, capacity * sizeof *files);
        if (files != NULL) {
            live->files = files;
            live->capacity = capacity;
        }
    }
    if (path == NULL || (text == NULL && error == NULL) || live->nfiles == live->capacity) {
        free(path);
        free(text);
        free(error);
        return false;
    }
    live->files[live->nfiles++] = (struct live_file){path, text, error, length}; /* I1 */
    return true;
}

/* One "file PATH LENGTH" with its bytes, or one "none PATH: WHY". Returns what follows; NULL: it
 * is not whole, or *broken. */
static const char *take_item(struct live *live, const char *at, const char *end, bool *broken) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));

    if (newline == NULL) {
        return NULL;
    }
    size_t line_bytes = (size_t)(newline - at);
    if (line_bytes > 5 && memcmp(at, "file ", 5) == 0) {
        const char *space = memrchr(at, ' ', line_bytes);
        size_t length = (size_t)strtoull(space + 1, NULL, 10);
        if (space < at + 5 || length > ANSWER_MAX) {
            *broken = true;
            return NULL;
        }
        if ((size_t)(end - newline - 1) < length) {
            return NULL;
        }
        *broken = !keep(live, copy(at + 5, (size_t)(space - at) - 5), copy(newline + 1, length),
                        NULL, length);
        return newline + 1 + length;
    }
    if (line_bytes > 5 && memcmp(at, "none ", 5) == 0) {
        const char *colon = memchr(at, ':', line_bytes);
        colon = colon != NULL ? colon : newline;
        const char *why = colon + 2 < newline ? colon + 2 : newline;
        *broken = !keep(live, copy(at + 5, (size_t)(colon - at) - 5), NULL,
                        copy(why, (size_t)(newline - why)), 0);
        return newline + 1;
    }
    *broken = true;
    return NULL;
}

/* Is it all there? Then it is kept. */
static bool take_answer(struct live *live, const char *bytes, size_t nbytes, bool *broken) {
    const char *at = bytes, *end = bytes + nbytes;

    forget(live);
    while (at != NULL && !*broken) {
        if (end - at == 4 && memcmp(at, "end\n", 4) == 0) {
            return true;
        }
        if (end - at < 4 || memcmp(at, "end\n", 4) == 0) {
            return false;
        }
        at = take_item(live, at, end, broken);
    }
    return false;
}

static bool lost(const struct live *live, char message[LIVE_MESSAGE_BYTES]) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        snprintf(message, LIVE_MESSAGE_BYTES, "the run %d does not answer; is it stopped?",
                 live->pid);
    } else if (errno == ENOMEM) {
        snprintf(message, LIVE_MESSAGE_BYTES, "no memory for the answer of the run %d", live->pid);
    } else {
        snprintf(message, LIVE_MESSAGE_BYTES, "the run %d has ended", live->pid);
    }
    return false;
}

/* Receive until the answer is whole. False: errno says why. */
static bool receive(struct live *live) {
    size_t capacity = ANSWER_FIRST, nbytes = 0;
    char *bytes = malloc(capacity);
    bool whole = false, broken = false;

    errno = ENOMEM;
    while (bytes != NULL && !whole && !broken) {
        if (nbytes == capacity) {
            char *more = capacity < ANSWER_MAX ? realloc(bytes, 2 * capacity) : NULL;
            if (more == NULL) {
                errno = ENOMEM;
                break;
            }
            bytes = more;
            capacity *= 2;
        }
        ssize_t got = recv(live->fd, bytes + nbytes, capacity - nbytes, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            errno = got == 0 ? ECONNRESET : errno;
            break;
        }
        nbytes += (size_t)got;
        /* Only an answer that may be whole is looked through: each byte is compared few times. */
        if (nbytes >= 4 && memcmp(bytes + nbytes - 4, "end\n", 4) == 0) {
            whole = take_answer(live, bytes, nbytes, &broken);
            errno = ECONNRESET;
        }
    }
    free(bytes);
    return whole;
}

bool live_read(struct live *live, const char *paths, char message[LIVE_MESSAGE_BYTES]) {
    char line[LIVE_REQUEST_BYTES];
    int length = snprintf(line, sizeof line, "read %s\n", paths);

    forget(live);
    if (length < 0 || (size_t)length >= sizeof line || strchr(paths, '\n') != NULL) {
        snprintf(message, LIVE_MESSAGE_BYTES,
                 "names of files have less than %d bytes and no "
                 "line's end",
                 LIVE_REQUEST_BYTES);
        return false;
    }
    for (int sent = 0; sent < length;) {
        ssize_t n = send(live->fd, line + sent, (size_t)(length - sent), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return lost(live, message);
        }
        sent += (int)n;
    }
    return receive(live) || lost(live, message);
}

bool live_wait(struct live *live, uint64_t ms, char message[LIVE_MESSAGE_BYTES]) {
    struct pollfd fd = {live->fd, POLLIN, 0};

    while (ms > 0) { /* nothing was asked: all that can come is the end */
        int turn_ms = ms > WAIT_TURN_MS ? WAIT_TURN_MS : (int)ms;
        int ready = poll(&fd, 1, turn_ms);
        if (ready < 0 && errno == EINTR) {
            return true; /* a signal is somebody's wish that we look again */
        }
        if (ready > 0) {
            errno = ECONNRESET;
            return lost(live, message);
        }
        ms -= (uint64_t)turn_ms;
    }
    return true;
}

const struct live_file *live_nth(const struct live *live, size_t n) {
    return n < live->nfiles ? &live->files[n] : NULL;
}

const char *live_text(const struct live *live, const char *path) {
    for (size_t i = 0; i < live->nfiles; i++) {
        if (strcmp(live->files[i].path, path) == 0) {
            return live->files[i].text;
        }
    }
    return NULL;
}

/* What is behind the name, NULL if no line begins with it. */
static const char *behind(const char *text, const char *name) {
    size_t length = strlen(name);

    while (text != NULL && *text != '\0') {
        if (strncmp(text, name, length) == 0 &&
            (text[length] == ':' || text[length] == ' ' || text[length] == '\t')) {
            return text + length + strspn(text + length, ": \t");
        }
        text = strchr(text, '\n');
        text += text != NULL;
    }
    return NULL;
}

uint64_t live_number(const char *text, const char *name) {
    const char *at = behind(text, name);
    return at != NULL ? strtoull(at, NULL, 10) : 0;
}

bool live_word(const char *text, const char *name, char *value, size_t capacity) {
    const char *at = behind(text, name);

    if (at == NULL) {
        return false;
    }
    snprintf(value, capacity, "%.*s", (int)strcspn(at, "\n"), at);
    return true;
}

/* ---- finding a run -----------------------------------------------------------------------------
 */

static int connect_to(int pid) {
    int fd = -1;

    for (unsigned place = 0; place < NPLACES && fd < 0; place++) {
        fd = place_connect(place, pid);
    }
    return fd;
}

static int compare(const void *a, const void *b) {
    int one = *(const int *)a, other = *(const int *)b;
    return (one > other) - (one < other);
}

size_t live_list(int *pids, size_t capacity) {
    size_t n = 0;

    for (unsigned place = 0; place < NPLACES; place++) {
        size_t kept = n < capacity ? n : capacity;
        n += place_list(place, pids + kept, capacity - kept);
    }
    qsort(pids, n < capacity ? n : capacity, sizeof *pids, compare);
    return n;
}

static struct live *new_live(int fd, int pid, char message[LIVE_MESSAGE_BYTES]) {
    struct live *live = calloc(1, sizeof *live);

    if (live == NULL) {
        snprintf(message, LIVE_MESSAGE_BYTES, "no memory");
        close(fd);
        return NULL;
    }
    live->fd = fd;
    live->pid = pid;
    return live;
}

/* "two runs: 17 (sort), 23 (python3)": which is meant? */
static void say_several(const int *pids, size_t n, char message[LIVE_MESSAGE_BYTES]) {
    int length = snprintf(message, LIVE_MESSAGE_BYTES, "%zu machines run:", n);

    for (size_t i = 0; i < n && i < LISTED; i++) {
        char command[COMMAND_BYTES] = "?", why[LIVE_MESSAGE_BYTES];
        struct live *live = live_connect(pids[i], why);
        if (live != NULL && live_read(live, "quire", why)) {
            live_word(live_text(live, "quire"), "command", command, sizeof command);
        }
        live_disconnect(live);
        length += snprintf(message + length, (size_t)(LIVE_MESSAGE_BYTES - length), "%s %d (%s)",
                           i > 0 ? "," : "", pids[i], command);
    }
    snprintf(message + length, (size_t)(LIVE_MESSAGE_BYTES - length),
             "%s; say which, as in --run %d", n > LISTED ? ", ..." : "", pids[0]);
}

struct live *live_connect(int pid, char message[LIVE_MESSAGE_BYTES]) {
    static int pids[RUNS_MAX];

    if (pid == 0) {
        size_t n = live_list(pids, RUNS_MAX);
        if (n == 0) {
            snprintf(message, LIVE_MESSAGE_BYTES,
                     "no machine runs that could be looked at; "
                     "'quire run -- PROGRAM' starts one");
            return NULL;
        }
        if (n > 1) {
            say_several(pids, n < RUNS_MAX ? n : RUNS_MAX, message);
            return NULL;
        }
        pid = pids[0];
    }
    int fd = connect_to(pid);
    if (fd < 0) {
        snprintf(message, LIVE_MESSAGE_BYTES,
                 "no machine runs as process %d; 'quire list' names those that do", pid);
        return NULL;
    }
    return new_live(fd, pid, message);
}

void live_disconnect(struct live *live) {
    if (live == NULL) {
        return;
    }
    forget(live);
    free(live->files);
    close(live->fd);
    free(live);
}

int live_pid(const struct live *live) {
    return live->pid;
}

int live_descriptor(const struct live *live) {
    return live->fd;
}
