/* progress.c: one line on the terminal that says what a long run is doing, and is gone in time.
 *
 * The terminal is the program's. So the line shows itself only where it can do no harm, and leaves
 * before anybody else writes:
 *
 *   - standard error is a terminal that understands how to erase a line, we are in its foreground,
 *     and --quiet was not said;
 *   - the run has gone on for two seconds, and nobody wrote to the terminal in the last one;
 *   - the cursor is at the beginning of a line: what was written last ended with a newline;
 *   - nobody has read from the terminal, or set it up: after that it is the program's for good.
 *
 * A thread says twice a second that it is time, and does nothing else; the line is drawn by the
 * machine's thread, between two turns, and erased by the same, so that the two can't cross.
 *
 * I1  shown means that the cursor's line has our text and nothing else.
 */
#include "cli/run.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"

#define PERIOD_MS   500
#define FIRST_MS    2000 /* of a run: shorter ones need no line */
#define QUIET_MS    1000 /* since somebody wrote */
#define LINE_BYTES  256
#define STACK_BYTES (64 * 1024)

struct cli_progress {
    struct os *os;
    /* ---- the machine's thread's ---- */
    bool shown, never, line_open;
    uint64_t start_ms, written_ms;
    uint64_t last_ns, last_stall_ns; /* of the machine, at the last line */
    /* ---- shared; away from the others, which may be read in one with their neighbours ---- */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping; /* under the lock */
    atomic_bool due;
};

static uint64_t now_ms(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void write_all(const char *bytes, size_t nbytes) {
    while (nbytes > 0) {
        ssize_t n = write(STDERR_FILENO, bytes, nbytes);
        if (n < 0 && errno != EINTR) {
            return; /* the terminal is gone: nobody misses the line */
        }
        bytes += n > 0 ? n : 0;
        nbytes -= n > 0 ? (size_t)n : 0;
    }
}

static void erase(struct cli_progress *progress) {
    static const char line[] = "\r\033[K";

    if (progress->shown) {
        write_all(line, sizeof line - 1);
        progress->shown = false;
    }
}

/* Somebody is about to use the terminal. */
static void touched(void *context, const char *bytes, size_t nbytes) {
    struct cli_progress *progress = context;

    erase(progress);
    if (bytes == NULL) {
        progress->never = true;
    } else if (nbytes > 0) {
        progress->line_open = bytes[nbytes - 1] != '\n';
        progress->written_ms = now_ms();
    }
}

/* ---- the line ----------------------------------------------------------------------------------
 */

static void part(char line[LINE_BYTES], size_t width, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Put a part behind the others if it fits whole. */
static void part(char line[LINE_BYTES], size_t width, const char *format, ...) {
    char text[LINE_BYTES];
    size_t length = strlen(line);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length + strlen(text) <= width && length + strlen(text) < LINE_BYTES) {
        memcpy(line + length, text, strlen(text) + 1);
    }
}

static void make_line(struct cli_progress *progress, char line[LINE_BYTES], size_t width) {
    struct quire_soft_counters machine;
    struct quire_usage usage;
    char used[CLI_TEXT_BYTES], total[CLI_TEXT_BYTES], swap[CLI_TEXT_BYTES], count[CLI_TEXT_BYTES];
    uint64_t now_ns = quire_mach_now_ns(os_machine(progress->os));

    quire_soft_counters(os_machine(progress->os), &machine);
    quire_usage(os_quire(progress->os), &usage);
    uint64_t passed = now_ns - progress->last_ns,
             stall = machine.stall_ns - progress->last_stall_ns;
    progress->last_ns = now_ns;
    progress->last_stall_ns = machine.stall_ns;
    line[0] = '\0';
    part(line, width, "quire: %.1f s", (double)now_ns / 1e9);
    part(line, width, ", RAM %s of %s",
         cli_size_text((usage.total - usage.available) << QUIRE_PAGE_SHIFT, used),
         cli_size_text(usage.total << QUIRE_PAGE_SHIFT, total));
    if (usage.swap_total > usage.swap_free) {
        part(line, width, ", swap %s",
             cli_size_text((usage.swap_total - usage.swap_free) << QUIRE_PAGE_SHIFT, swap));
    }
    if (passed > stall && stall > 0) {
        part(line, width, ", slowdown %.1f", (double)passed / (double)(passed - stall));
    }
    part(line, width, ", %s instructions", cli_count_text(machine.instructions, count));
}

void cli_progress_visit(struct cli_progress *progress) {
    char line[LINE_BYTES];
    struct winsize size;

    if (progress == NULL || !atomic_exchange(&progress->due, false) || progress->never ||
        progress->line_open) {
        return;
    }
    uint64_t now = now_ms();
    if (now - progress->start_ms < FIRST_MS || now - progress->written_ms < QUIET_MS ||
        tcgetpgrp(STDERR_FILENO) != getpgrp()) {
        return;
    }
    size_t width =
        ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u : 79;
    make_line(progress, line, width < LINE_BYTES ? width : LINE_BYTES - 1);
    erase(progress);
    write_all(line, strlen(line));
    progress->shown = true; /* I1 */
}

/* ---- the clock ---------------------------------------------------------------------------------
 */

static void *ask_again(void *context) {
    struct cli_progress *progress = context;

    pthread_mutex_lock(&progress->lock);
    while (!progress->stopping) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += PERIOD_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        pthread_cond_timedwait(&progress->wake, &progress->lock, &until);
        atomic_store(&progress->due, true);
        os_visit_ask(progress->os);
    }
    pthread_mutex_unlock(&progress->lock);
    return NULL;
}

static bool start(struct cli_progress *progress) {
    pthread_attr_t attributes;
    sigset_t all, before;

    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all); /* signals are the run's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool good = pthread_create(&progress->thread, &attributes, ask_again, progress) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return good;
}

struct cli_progress *cli_progress_begin(struct os *os) {
    const char *term = getenv("TERM");

    if (!isatty(STDERR_FILENO) || term == NULL || term[0] == '\0' || strcmp(term, "dumb") == 0) {
        return NULL;
    }
    struct cli_progress *progress = calloc(1, sizeof *progress);
    if (progress == NULL) {
        return NULL;
    }
    progress->os = os;
    progress->start_ms = now_ms();
    pthread_mutex_init(&progress->lock, NULL);
    pthread_cond_init(&progress->wake, NULL);
    if (!start(progress)) {
        free(progress);
        return NULL;
    }
    os_console_watch(os, touched, progress);
    return progress;
}

void cli_progress_end(struct cli_progress *progress) {
    if (progress == NULL) {
        return;
    }
    pthread_mutex_lock(&progress->lock);
    progress->stopping = true;
    pthread_cond_signal(&progress->wake);
    pthread_mutex_unlock(&progress->lock);
    pthread_join(progress->thread, NULL);
    os_console_watch(progress->os, NULL, NULL);
    erase(progress);
    pthread_cond_destroy(&progress->wake);
    pthread_mutex_destroy(&progress->lock);
    free(progress);
}
