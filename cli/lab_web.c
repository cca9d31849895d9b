/* lab_web.c: `quire lab --web`: the lab's machine as a page in this host's browser, where lines are
 * typed too, and the machine steps forwards and backwards through them.
 *
 *     browser ── HTTP ──▶ web/ ── source: texts, step, run ──▶ lab/
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/lab_tour.h"
#include "cli/lab_web.h"
#include "web/web.h"

#define FILES_MAX 256 /* of one moment: each process has one */

struct lab_web {
    struct lab *lab;
    struct lab_tour *tour;
    char *paths[FILES_MAX], *texts[FILES_MAX];
    size_t nfiles;
};

static volatile sig_atomic_t stopped;

static void stop(int signal) {
    (void)signal;
    stopped = 1;
}

static void forget(struct lab_web *seen) {
    for (size_t i = 0; i < seen->nfiles; i++) {
        free(seen->paths[i]);
        free(seen->texts[i]);
    }
    seen->nfiles = 0;
}

static void take(struct lab_web *seen, const char *path) {
    char *copy = seen->nfiles < FILES_MAX ? strdup(path) : NULL;
    if (copy != NULL) {
        seen->paths[seen->nfiles] = copy;
        seen->texts[seen->nfiles++] = lab_read(seen->lab, path);
    }
}

static bool read_lab(void *context, const char *paths, char message[WEB_MESSAGE_BYTES]) {
    struct lab_web *seen = context;
    char words[4096], *at;

    (void)message;
    forget(seen);
    snprintf(words, sizeof words, "%s", paths);
    for (char *path = strtok_r(words, " ", &at); path != NULL; path = strtok_r(NULL, " ", &at)) {
        int pid = 0;
        bool each = path[0] == '*' && path[1] == '/';
        for (size_t i = 0; each && (pid = lab_pid(seen->lab, i)) != 0; i++) {
            char one[64];
            snprintf(one, sizeof one, "%d%.48s", pid, path + 1);
            take(seen, one);
        }
        if (!each) {
            take(seen, path);
        }
    }
    return true;
}

static bool nth_lab(void *context, size_t n, const char **path, const char **text,
                    const char **error) {
    struct lab_web *seen = context;

    if (n >= seen->nfiles) {
        return false;
    }
    *path = seen->paths[n];
    *text = seen->texts[n];
    *error = "no such file";
    return true;
}

static bool step_lab(void *context, int64_t steps, char message[WEB_MESSAGE_BYTES]) {
    struct lab_web *seen = context;
    int64_t place = (int64_t)lab_place(seen->lab), to = place + steps;

    if (to < 0 || to > (int64_t)lab_length(seen->lab)) {
        snprintf(message, WEB_MESSAGE_BYTES,
                 steps < 0 ? "This is the beginning: nothing was done before."
                           : "Nothing was done after this; type a line.");
        return false;
    }
    if (!lab_goto(seen->lab, (size_t)to)) {
        snprintf(message, WEB_MESSAGE_BYTES, "No memory for another machine.");
        return false;
    }
    return true;
}

static bool run_lab(void *context, const char *line, const char **text, const char **error) {
    struct lab_web *seen = context;
    struct lab_result result;
    bool ok = lab_run(seen->lab, line, &result);

    *text = result.text;
    *error = ok ? "" : result.error;
    return ok;
}

static char *list_labs(void *context) {
    (void)context;
    return lab_builtins_json();
}

static char *do_lab(void *context, const struct web_lab *wanted, char message[WEB_MESSAGE_BYTES]) {
    struct lab_web *seen = context;
    return lab_tour_do(seen->tour, wanted, message);
}

int lab_web(struct lab *lab, unsigned port, enum lab_language language) {
    const struct sigaction action = {.sa_handler = stop};
    struct lab_web seen = {.lab = lab, .tour = lab_tour_new(lab, language)};
    const struct web_source source = {.context = &seen,
                                      .kind = "lab",
                                      .read = read_lab,
                                      .nth = nth_lab,
                                      .step = step_lab,
                                      .run = run_lab,
                                      .labs = list_labs,
                                      .lab = do_lab};
    char message[WEB_MESSAGE_BYTES] = "no memory";
    struct web *web = seen.tour != NULL ? web_open(&source, port, message) : NULL;

    if (web == NULL) {
        lab_tour_free(seen.tour);
        return cli_wrong("%s", message);
    }
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    puts(web_url(web));
    int status = fflush(stdout) == 0 ? 0 : cli_wrong("standard output cannot be written");
    while (status == 0 && !stopped) {
        struct pollfd fd = {web_descriptor(web), POLLIN, 0};
        if (poll(&fd, 1, web_timeout_ms(web)) < 0 && errno != EINTR) {
            break;
        }
        web_work(web);
    }
    web_close(web);
    lab_tour_free(seen.tour);
    forget(&seen);
    return status;
}
