/* top_web.c: `quire top --web`: a running machine as a page in this host's browser.
 *
 *     browser ── HTTP ──▶ web/ ── source ──▶ live/ ── socket ──▶ quire run
 *
 * One loop waits for the browser, for the end of the run, and for Ctrl-C. When the run has ended
 * the page is told, and then this command ends too.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "cli/top.h"
#include "web/web.h"

#define TELL_MS  5000 /* after the end: as long as a page may take to ask again */
#define LEAVE_MS 300  /* and then to get its answer */

static volatile sig_atomic_t stopped;

static void stop(int signal) {
    (void)signal;
    stopped = 1;
}

static bool read_live(void *context, const char *paths, char message[WEB_MESSAGE_BYTES]) {
    _Static_assert((int)LIVE_MESSAGE_BYTES <= (int)WEB_MESSAGE_BYTES, "messages are handed on");
    return live_read(context, paths, message);
}

static bool nth_live(void *context, size_t n, const char **path, const char **text,
                     const char **error) {
    const struct live_file *file = live_nth(context, n);

    if (file == NULL) {
        return false;
    }
    *path = file->path;
    *text = file->text;
    *error = file->error;
    return true;
}

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Until Ctrl-C, or the run has ended and that was told. */
static void serve(struct live *live, struct web *web) {
    uint64_t end_ms = 0; /* when to leave; 0: not yet */
    bool told = false;

    while (!stopped && (end_ms == 0 || now_ms() < end_ms)) {
        struct pollfd fds[] = {{web_descriptor(web), POLLIN, 0},
                               {end_ms == 0 ? live_descriptor(live) : -1, POLLIN, 0}};
        int timeout_ms = web_timeout_ms(web);
        if (end_ms != 0 && (timeout_ms < 0 || timeout_ms > LEAVE_MS)) {
            timeout_ms = LEAVE_MS;
        }
        if (poll(fds, 2, timeout_ms) < 0 && errno != EINTR) {
            return;
        }
        if (fds[1].revents != 0) { /* nothing was asked: all that can come is the end */
            char message[LIVE_MESSAGE_BYTES];
            snprintf(message, sizeof message, "the run %d has ended", live_pid(live));
            web_end(web, message);
            end_ms = now_ms() + TELL_MS;
        }
        web_work(web);
        if (!told && web_end_told(web)) {
            told = true;
            end_ms = now_ms() + LEAVE_MS;
        }
    }
}

int top_web(int run, unsigned port) {
    const struct sigaction action = {.sa_handler = stop};
    char message[WEB_MESSAGE_BYTES];
    struct live *live = live_connect(run, message);

    if (live == NULL) {
        cli_wrong("%s", message);
        return LOOK_EXIT_GONE;
    }
    struct web_source source = {.context = live, .kind = "run", .read = read_live, .nth = nth_live};
    struct web *web = web_open(&source, port, message);
    if (web == NULL) {
        live_disconnect(live);
        return cli_wrong("%s", message);
    }
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    puts(web_url(web));
    int status = 0;
    if (fflush(stdout) != 0) {
        status = cli_wrong("standard output cannot be written");
    } else {
        serve(live, web);
    }
    if (status == 0 && !stopped) {
        cli_wrong("the run %d has ended", live_pid(live));
    }
    web_close(web);
    live_disconnect(live);
    return status;
}
