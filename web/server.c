/* server.c: who may ask, what for, and what he gets. The library is libmicrohttpd
 * (http.c says why it is called through a table).
 *
 *     GET  /WORD/                       the page
 *     GET  /WORD/moment?pid=1           one moment, JSON (moment.c)
 *     GET  /WORD/walk?pid=1&at=10000&access=r
 *     GET  /WORD/text?path=meminfo      a text as it is, for who wants to compare
 *     POST /WORD/step?n=-1              labs only
 *     POST /WORD/run?line=malloc%20100  labs only
 *     GET /WORD/labs                    labs only
 *     POST /WORD/lab?name=fork&n=1      labs only
 *
 * A page on loopback is within reach of every program of this host and, through the browser, of
 * every site that is open in it. So:
 *
 * I1  Nothing is answered but to who has the word, 128 random bits in the address that only the
 *     terminal shows; it is compared in constant time.
 * I2  Host has to be this very address: a site whose name was pointed at 127.0.0.1 (DNS rebinding)
 *     has another. Origin, where there is one, too.
 * I3  A machine that runs by itself cannot be changed: without source->step there is no POST.
 * I4  The page may load nothing and talk to nobody but this server (Content-Security-Policy), may
 *     not be framed, and tells no other site its address (Referrer-Policy).
 *
 * May fail: the port, host memory; what is wrong with a request is its answer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "web/http.h"
#include "web/room.h"

#define WORD_BYTES       16
#define WORD_DIGITS      (2 * WORD_BYTES)
#define CONNECTIONS_MAX  16
#define IDLE_S           30
#define CONNECTION_BYTES 16384
#define BACKLOG          16
#define PORT_MAX         65535
#define STEPS_MAX        1000000

struct web {
    const struct http *http;
    struct web_source source;
    struct MHD_Daemon *daemon;
    unsigned port;
    char word[WORD_DIGITS + 1], url[WEB_URL_BYTES];
    bool ended, told;
    char end_message[WEB_MESSAGE_BYTES];
};

/* ---- answers ----------------------------------------------------------------------------------
 */

static const char policy[] =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src "
    "'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/* bytes: for free() if owned. */
static enum MHD_Result answer(const struct web *web, struct MHD_Connection *to, unsigned status,
                              const char *type, char *bytes, bool owned) {
    static const char *const headers[][2] = {
        {MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
        {"Content-Security-Policy", policy},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
    };
    struct MHD_Response *response = web->http->create_response_from_buffer(
        strlen(bytes), bytes, owned ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);

    if (response == NULL) {
        if (owned) {
            free(bytes);
        }
        return MHD_NO;
    }
    bool good =
        web->http->add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        good &= web->http->add_response_header(response, headers[i][0], headers[i][1]) == MHD_YES;
    }
    enum MHD_Result result = good ? web->http->queue_response(to, status, response) : MHD_NO;
    web->http->destroy_response(response);
    return result;
}

/* One line of text: what was wrong. */
static enum MHD_Result refuse(const struct web *web, struct MHD_Connection *to, unsigned status,
                              const char *why) {
    char *line = malloc(strlen(why) + 2);

    if (line == NULL) {
        return MHD_NO;
    }
    sprintf(line, "%s\n", why);
    return answer(web, to, status, "text/plain; charset=utf-8", line, true);
}

/* The machine is gone, now or before. */
static enum MHD_Result refuse_gone(struct web *web, struct MHD_Connection *to,
                                   const char *message) {
    if (!web->ended) {
        web_end(web, message);
    }
    web->told = true;
    return refuse(web, to, MHD_HTTP_GONE, web->end_message);
}

static enum MHD_Result answer_json(struct web *web, struct MHD_Connection *to, char *json,
                                   const char *message) {
    if (json != NULL) {
        return answer(web, to, MHD_HTTP_OK, "application/json", json, true);
    }
    if (strcmp(message, "no memory") == 0) {
        return refuse(web, to, MHD_HTTP_SERVICE_UNAVAILABLE, message);
    }
    return refuse_gone(web, to, message);
}

/* ---- what is asked ----------------------------------------------------------------------------
 */

static const char *value_of(const struct web *web, struct MHD_Connection *from, const char *name) {
    const char *value = web->http->lookup_connection_value(from, MHD_GET_ARGUMENT_KIND, name);
    return value != NULL ? value : "";
}

/* 1 if none is named; 0: it is none. */
static int pid_of(const struct web *web, struct MHD_Connection *from) {
    const char *text = value_of(web, from, "pid");
    char *end;
    long pid = text[0] == '\0' ? 1 : strtol(text, &end, 10);

    return text[0] == '\0' ? 1 : *end == '\0' && pid > 0 && pid < 0x7fffffff ? (int)pid : 0;
}

static enum MHD_Result give_moment(struct web *web, struct MHD_Connection *to) {
    char message[WEB_MESSAGE_BYTES] = "no memory";
    int pid = pid_of(web, to);

    if (pid == 0) {
        return refuse(web, to, MHD_HTTP_BAD_REQUEST, "pid: the number of a process, as in pid=1");
    }
    char *json = moment_make(&web->source, pid, message);
    return answer_json(web, to, json, message);
}

static enum MHD_Result give_walk(struct web *web, struct MHD_Connection *to) {
    char message[WEB_MESSAGE_BYTES] = "no memory", *end;
    const char *at = value_of(web, to, "at"), *access = value_of(web, to, "access");
    int pid = pid_of(web, to);

    at += at[0] == '0' && at[1] == 'x' ? 2 : 0;
    bool good =
        at[0] != '\0' && strspn(at, "0123456789abcdefABCDEF") == strlen(at) && strlen(at) <= 16;
    uint64_t va = strtoull(at, &end, 16);
    if (access[0] == '\0') {
        access = "r";
    }
    if (pid == 0 || !good || access[1] != '\0' || strchr("rwx", access[0]) == NULL) {
        return refuse(web, to, MHD_HTTP_BAD_REQUEST,
                      "a walk is pid=NUMBER, at=HEXADECIMAL and access=r, w or x");
    }
    char *json = walk_make(&web->source, pid, va, access[0], message);
    return answer_json(web, to, json, message);
}

static enum MHD_Result give_text(struct web *web, struct MHD_Connection *to) {
    char message[WEB_MESSAGE_BYTES] = "";
    const char *path = value_of(web, to, "path"), *name, *text, *error;

    if (path[0] == '\0' || strpbrk(path, " \n*") != NULL) {
        return refuse(web, to, MHD_HTTP_BAD_REQUEST, "path: one file, as in path=meminfo");
    }
    if (!web->source.read(web->source.context, path, message)) {
        return refuse_gone(web, to, message);
    }
    if (!web->source.nth(web->source.context, 0, &name, &text, &error)) {
        return refuse(web, to, MHD_HTTP_NOT_FOUND, "no such file");
    }
    if (text == NULL) {
        return refuse(web, to, MHD_HTTP_NOT_FOUND, error);
    }
    char *copy = strdup(text);
    return copy != NULL ? answer(web, to, MHD_HTTP_OK, "text/plain; charset=utf-8", copy, true)
                        : MHD_NO;
}

static enum MHD_Result do_step(struct web *web, struct MHD_Connection *to) {
    char message[WEB_MESSAGE_BYTES] = "", *end;
    const char *text = value_of(web, to, "n");
    long steps = strtol(text, &end, 10);

    if (end == text || *end != '\0' || steps == 0 || labs(steps) > STEPS_MAX) {
        return refuse(web, to, MHD_HTTP_BAD_REQUEST, "n: how many steps, as in n=1 or n=-1");
    }
    if (!web->source.step(web->source.context, steps, message)) {
        return refuse(web, to, MHD_HTTP_CONFLICT, message);
    }
    return answer(web, to, MHD_HTTP_OK, "application/json", (char *)"{}", false);
}

static enum MHD_Result do_run(struct web *web, struct MHD_Connection *to) {
    const char *line = value_of(web, to, "line");

    if (line[0] == '\0' || strpbrk(line, "\r\n") != NULL) {
        return refuse(web, to, MHD_HTTP_BAD_REQUEST, "line: one line, as in line=help");
    }
    char *json = result_make(&web->source, line);
    return json != NULL ? answer(web, to, MHD_HTTP_OK, "application/json", json, true)
                        : refuse(web, to, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory");
}

static enum MHD_Result give_labs(struct web *web, struct MHD_Connection *to) {
    if (web->source.labs == NULL) {
        return refuse(web, to, MHD_HTTP_NOT_FOUND, "there are no labs here");
    }
    char *json = web->source.labs(web->source.context);
    return json != NULL ? answer(web, to, MHD_HTTP_OK, "application/json", json, true)
                        : refuse(web, to, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory");
}

static enum MHD_Result do_lab(struct web *web, struct MHD_Connection *to) {
    char message[WEB_MESSAGE_BYTES] = "", *end;
    const char *steps = value_of(web, to, "n");
    const struct web_lab wanted = {.name = value_of(web, to, "name"),
                                   .language = value_of(web, to, "lang"),
                                   .question = value_of(web, to, "question"),
                                   .value = value_of(web, to, "value"),
                                   .steps = strtol(steps, &end, 10)};

    if (*end != '\0' || labs(wanted.steps) > STEPS_MAX) {
        return refuse(web, to, MHD_HTTP_BAD_REQUEST, "n: how many steps, as in n=1 or n=-1");
    }
    if (web->source.lab == NULL) {
        return refuse(web, to, MHD_HTTP_NOT_FOUND, "there are no labs here");
    }
    char *json = web->source.lab(web->source.context, &wanted, message);
    return json != NULL ? answer(web, to, MHD_HTTP_OK, "application/json", json, true)
                        : refuse(web, to, MHD_HTTP_CONFLICT, message);
}

/* ---- who asks ---------------------------------------------------------------------------------
 */

/* "127.0.0.1:8080" or "localhost:8080". */
static bool is_here(const struct web *web, const char *host) {
    static const char *const names[] = {"127.0.0.1", "localhost"};
    char expected[32];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(expected, sizeof expected, "%s:%u", names[i], web->port);
        if (strcmp(host, expected) == 0) {
            return true;
        }
    }
    return false;
}

/* I2 */
static bool may_ask(const struct web *web, struct MHD_Connection *from, bool post) {
    static const char scheme[] = "http://";
    const char *host =
        web->http->lookup_connection_value(from, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    const char *origin =
        web->http->lookup_connection_value(from, MHD_HEADER_KIND, MHD_HTTP_HEADER_ORIGIN);

    if (host == NULL || !is_here(web, host)) {
        return false;
    }
    if (origin == NULL) { /* browsers send it with each POST */
        return !post;
    }
    return strncmp(origin, scheme, sizeof scheme - 1) == 0 &&
           is_here(web, origin + sizeof scheme - 1);
}

/* What follows "/WORD/"; NULL: he does not know it. I1 */
static const char *behind_word(const struct web *web, const char *path) {
    unsigned char differs = 0;

    if (strlen(path) < WORD_DIGITS + 2 || path[0] != '/' || path[WORD_DIGITS + 1] != '/') {
        return NULL;
    }
    for (size_t i = 0; i < WORD_DIGITS; i++) {
        differs |= (unsigned char)(path[i + 1] ^ web->word[i]);
    }
    return differs == 0 ? path + WORD_DIGITS + 2 : NULL;
}

static enum MHD_Result give(struct web *web, struct MHD_Connection *to, const char *name,
                            bool post) {
    static const struct {
        const char *name;
        bool post;
        enum MHD_Result (*give)(struct web *, struct MHD_Connection *);
    } answers[] = {{"moment", false, give_moment}, {"walk", false, give_walk},
                   {"text", false, give_text},     {"step", true, do_step},
                   {"run", true, do_run},          {"labs", false, give_labs},
                   {"lab", true, do_lab}};

    if (name[0] == '\0' && !post) {
        return answer(web, to, MHD_HTTP_OK, "text/html; charset=utf-8", (char *)web_page, false);
    }
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        if (strcmp(name, answers[i].name) != 0 ||
            (answers[i].post && (web->source.step == NULL || web->source.run == NULL))) {
            continue; /* I3 */
        }
        if (answers[i].post != post) {
            return refuse(web, to, MHD_HTTP_METHOD_NOT_ALLOWED, "not by this method");
        }
        return web->ended ? refuse_gone(web, to, web->end_message) : answers[i].give(web, to);
    }
    return refuse(web, to, post ? MHD_HTTP_METHOD_NOT_ALLOWED : MHD_HTTP_NOT_FOUND,
                  post ? "nothing can be changed here" : "there is no such thing");
}

/* Called first with a request's head, then with pieces of its body, of which nothing is wanted. */
static enum MHD_Result asked(void *context, struct MHD_Connection *from, const char *path,
                             const char *method, const char *version, const char *body,
                             size_t *nbytes, void **seen) {
    struct web *web = context;
    bool get = strcmp(method, MHD_HTTP_METHOD_GET) == 0;
    bool post = strcmp(method, MHD_HTTP_METHOD_POST) == 0;

    (void)version;
    (void)body;
    if (*seen == NULL) {
        *seen = web;
        return MHD_YES;
    }
    if (*nbytes > 0) {
        *nbytes = 0;
        return MHD_YES;
    }
    if (!may_ask(web, from, post)) {
        return refuse(web, from, MHD_HTTP_FORBIDDEN,
                      "this is for the address that quire named only");
    }
    const char *name = behind_word(web, path);
    if (name == NULL) {
        return refuse(web, from, MHD_HTTP_NOT_FOUND,
                      "the address is the whole one that quire named");
    }
    if (!get && !post) {
        return refuse(web, from, MHD_HTTP_METHOD_NOT_ALLOWED, "nothing can be changed here");
    }
    return give(web, from, name, post);
}

/* ---- open and closed --------------------------------------------------------------------------
 */

/* A socket that listens there, or -1. *port becomes the real one. */
static int listen_on(unsigned *port, char message[WEB_MESSAGE_BYTES]) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)*port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind(fd, (struct sockaddr *)&address, length) == 0 && listen(fd, BACKLOG) == 0 &&
        getsockname(fd, (struct sockaddr *)&address, &length) == 0) {
        *port = ntohs(address.sin_port);
        return fd;
    }
    int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    snprintf(message, WEB_MESSAGE_BYTES, "--web %u: %s%s", *port,
             error == EADDRINUSE ? "that port is in use" : strerror(error),
             error == EADDRINUSE ? "; without a number a free one is taken"
             : error == EACCES   ? "; ports from 1024 on need no privilege"
                                 : "");
    return -1;
}

static bool make_word(struct web *web) {
    unsigned char bytes[WORD_BYTES];

    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
        return false;
    }
    for (size_t i = 0; i < WORD_BYTES; i++) {
        sprintf(web->word + 2 * i, "%02x", bytes[i]);
    }
    return true;
}

struct web *web_open(const struct web_source *source, unsigned port,
                     char message[WEB_MESSAGE_BYTES]) {
    struct web *web = calloc(1, sizeof *web);
    int fd = -1;

    snprintf(message, WEB_MESSAGE_BYTES, "--web: no memory");
    if (web == NULL || (web->http = http_load(message)) == NULL || !make_word(web) ||
        (fd = listen_on(&port, message)) < 0) {
        free(web);
        return NULL;
    }
    web->source = *source;
    web->port = port;
    web->daemon = web->http->start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, asked, web, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (web->daemon == NULL) {
        snprintf(message, WEB_MESSAGE_BYTES, "--web: the server does not start: %s",
                 strerror(errno));
        close(fd);
        free(web);
        return NULL;
    }
    snprintf(web->url, sizeof web->url, "http://127.0.0.1:%u/%s/", port, web->word);
    return web;
}

const char *web_url(const struct web *web) {
    return web->url;
}

int web_descriptor(const struct web *web) {
    return web->http->get_daemon_info(web->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

int web_timeout_ms(const struct web *web) {
    MHD_UNSIGNED_LONG_LONG ms;
    if (web->http->get_timeout(web->daemon, &ms) != MHD_YES) {
        return -1;
    }
    return ms > 60000 ? 60000 : (int)ms;
}

void web_work(struct web *web) {
    web->http->run(web->daemon);
}

void web_end(struct web *web, const char *message) {
    web->ended = true;
    snprintf(web->end_message, sizeof web->end_message, "%s", message);
}

bool web_end_told(const struct web *web) {
    return web->told;
}

void web_close(struct web *web) {
    if (web != NULL) {
        web->http->stop_daemon(web->daemon);
        free(web);
    }
}
