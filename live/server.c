/* server.c: a thread that listens, and hands each question over to the machine.
 *
 *     client ── line ──▶ thread ── ASKED, os_visit_ask ──▶ machine, between two turns
 *                          ▲                                      │ live_serve
 *                          '────── ANSWERED, one whole text ◀─────'
 *
 * The thread never touches the machine: it knows sockets and one text in, one text out. The machine
 * never touches a socket: a client that is slow, stopped or hostile costs it nothing. While nobody
 * asks, the thread sleeps in poll and the machine reads one flag a turn.
 *
 * I1  state, request and answer are the lock's; the machine holds it while it answers.
 * I2  All signals are blocked in the thread: they are the program's, and its run's.
 * I3  live_close waits for the thread only as long as the thread computes, never for a client.
 *
 * Clients that send nonsense are answered; those that send too long a line, or do not take their
 * answer in time, are dropped. May fail: only at the start, and then nobody listens.
 */
#include "live/room.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/os.h"

#define NCLIENTS_MAX 16
#define SEND_MS      2000 /* what a client may need until it takes some bytes */
#define STACK_BYTES  (256 * 1024)

struct client {
    int fd; /* -1: none */
    size_t nbytes;
    char line[LIVE_REQUEST_BYTES];
};

struct live_server {
    struct os *os;
    char *about;
    int listener, wake; /* wake: an eventfd that says that stopping was set */
    pthread_t thread;
    struct client clients[NCLIENTS_MAX];
    pthread_mutex_t lock;
    pthread_cond_t answered;
    /* ---- under the lock (I1) ---- */
    enum { NOTHING, ASKED, ANSWERED } state;
    bool stopping;
    const char *request;
    char *answer; /* NULL: no memory for one */
    size_t answer_bytes;
};

/* ---- the machine's side ------------------------------------------------------------------------
 */

void live_serve(struct live_server *server) {
    if (server == NULL) {
        return;
    }
    pthread_mutex_lock(&server->lock);
    if (server->state == ASKED) {
        server->answer =
            answer_make(server->os, server->about, server->request, &server->answer_bytes);
        server->state = ANSWERED;
        pthread_cond_signal(&server->answered);
    }
    pthread_mutex_unlock(&server->lock);
}

/* ---- the thread's side -------------------------------------------------------------------------
 */

/* The answer, for free(), or NULL: no memory, or the run is over. */
static char *hand_over(struct live_server *server, const char *request, size_t *nbytes) {
    char *answer = NULL;

    pthread_mutex_lock(&server->lock);
    server->request = request;
    server->state = ASKED;
    os_visit_ask(server->os);
    while (server->state == ASKED && !server->stopping) {
        pthread_cond_wait(&server->answered, &server->lock);
    }
    if (server->state == ANSWERED) {
        answer = server->answer;
        *nbytes = server->answer_bytes;
    }
    server->state = NOTHING;
    pthread_mutex_unlock(&server->lock);
    return answer;
}

static void drop(struct client *client) {
    close(client->fd);
    client->fd = -1;
    client->nbytes = 0;
}

/* False: the client did not take it, or all is over. */
static bool send_all(struct live_server *server, int fd, const char *bytes, size_t nbytes) {
    while (nbytes > 0) {
        ssize_t sent = send(fd, bytes, nbytes, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            bytes += sent;
            nbytes -= (size_t)sent;
            continue;
        }
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            return false;
        }
        struct pollfd fds[] = {{fd, POLLOUT, 0}, {server->wake, POLLIN, 0}};
        if (poll(fds, 2, SEND_MS) <= 0 || fds[1].revents != 0) { /* I3 */
            return false;
        }
    }
    return true;
}

/* Answer the lines that have come whole. False: the client is to be dropped. */
static bool answer_lines(struct live_server *server, struct client *client) {
    char *end;

    while ((end = memchr(client->line, '\n', client->nbytes)) != NULL) {
        size_t length = 0, line_bytes = (size_t)(end - client->line) + 1;
        *end = '\0';
        char *answer = hand_over(server, client->line, &length);
        bool good = answer != NULL && send_all(server, client->fd, answer, length);
        free(answer);
        if (!good) {
            return false;
        }
        client->nbytes -= line_bytes;
        memmove(client->line, client->line + line_bytes, client->nbytes);
    }
    return client->nbytes < sizeof client->line;
}

static void hear(struct live_server *server, struct client *client) {
    ssize_t got = recv(client->fd, client->line + client->nbytes,
                       sizeof client->line - client->nbytes, MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got > 0) {
        client->nbytes += (size_t)got;
    }
    if (got <= 0 || !answer_lines(server, client)) {
        drop(client);
    }
}

static void welcome(struct live_server *server) {
    int fd = place_accept(server->listener);

    for (size_t i = 0; fd >= 0 && i < NCLIENTS_MAX; i++) {
        if (server->clients[i].fd < 0) {
            server->clients[i].fd = fd;
            return;
        }
    }
    if (fd >= 0) {
        close(fd); /* too many look on already */
    }
}

static void *listen_on(void *argument) {
    struct live_server *server = argument;
    struct pollfd fds[2 + NCLIENTS_MAX];

    while (true) {
        fds[0] = (struct pollfd){server->wake, POLLIN, 0};
        fds[1] = (struct pollfd){server->listener, POLLIN, 0};
        for (size_t i = 0; i < NCLIENTS_MAX; i++) {
            fds[2 + i] = (struct pollfd){server->clients[i].fd, POLLIN, 0};
        }
        if (poll(fds, 2 + NCLIENTS_MAX, -1) < 0 && errno != EINTR) {
            break;
        }
        if (fds[0].revents != 0) {
            break;
        }
        for (size_t i = 0; i < NCLIENTS_MAX; i++) {
            if (fds[2 + i].revents != 0) {
                hear(server, &server->clients[i]);
            }
        }
        if (fds[1].revents != 0) {
            welcome(server);
        }
    }
    for (size_t i = 0; i < NCLIENTS_MAX; i++) {
        if (server->clients[i].fd >= 0) {
            drop(&server->clients[i]);
        }
    }
    return NULL;
}

/* ---- beginning and end -------------------------------------------------------------------------
 */

static bool start_thread(struct live_server *server) {
    pthread_attr_t attributes;
    sigset_t all, before;

    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* I2: it inherits the mask */
    bool good = pthread_create(&server->thread, &attributes, listen_on, server) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return good;
}

static bool find_place(struct live_server *server) {
    for (unsigned place = 0; place < NPLACES && server->listener < 0; place++) {
        server->listener = place_listen(place, (int)getpid());
    }
    return server->listener >= 0;
}

static void leave(struct live_server *server) {
    if (server->listener >= 0) {
        close(server->listener); /* its name goes with it */
    }
    if (server->wake >= 0) {
        close(server->wake);
    }
    pthread_cond_destroy(&server->answered);
    pthread_mutex_destroy(&server->lock);
    free(server->about);
    free(server);
}

struct live_server *live_listen(struct os *os, const char *about) {
    struct live_server *server = calloc(1, sizeof *server);

    if (server == NULL) {
        return NULL;
    }
    server->os = os;
    server->listener = -1;
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->answered, NULL);
    for (size_t i = 0; i < NCLIENTS_MAX; i++) {
        server->clients[i].fd = -1;
    }
    server->about = strdup(about);
    server->wake = eventfd(0, EFD_CLOEXEC);
    if (server->about == NULL || server->wake < 0 || !find_place(server) || !start_thread(server)) {
        leave(server);
        return NULL;
    }
    return server;
}

void live_close(struct live_server *server) {
    uint64_t one = 1;

    if (server == NULL) {
        return;
    }
    pthread_mutex_lock(&server->lock);
    server->stopping = true;
    pthread_cond_signal(&server->answered);
    pthread_mutex_unlock(&server->lock);
    while (write(server->wake, &one, sizeof one) < 0 && errno == EINTR) {
    }
    pthread_join(server->thread, NULL);
    leave(server);
}
