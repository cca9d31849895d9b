/* options.c: QUIRE_CHECK=name=value:name=value, read once at the start. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* secure_getenv */
#endif
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap/check/check.h"

#define LOG_FD 200 /* and above */

struct check_options check_options = {
    .leaks = true,
    .fill = true,
    .stop = true,
    .mismatch = true,
    .segv = true,
    .exit_code = 99,
    .depth = 16,
    .redzone = 32,
    .quarantine = (size_t)64 << 20,
    .log = STDERR_FILENO,
};

static void say(const char *text) {
    (void)!write(STDERR_FILENO, text, strlen(text));
}

static _Noreturn void refuse(const char *item, size_t length) {
    say("quire-check: QUIRE_CHECK: '");
    (void)!write(STDERR_FILENO, item, length);
    say("' is not an option; they are leaks=0|1 guard=0|1 fill=0|1 stop=0|1 abort=0|1 segv=0|1\n"
        "mismatch=0|1 exitcode=0..255 depth=1..64 redzone=16..4096 quarantine=BYTES every=CALLS\n"
        "log=FILE, with ':' in between; sizes may end in K, M or G\n");
    _exit(2);
}

/* Digits, and K, M or G behind them. */
static bool number(const char *text, size_t length, uint64_t least, uint64_t most,
                   uint64_t *value) {
    uint64_t n = 0;
    size_t i = 0;

    for (; i < length && text[i] >= '0' && text[i] <= '9' && n < UINT64_MAX / 16; i++) {
        n = n * 10 + (uint64_t)(text[i] - '0');
    }
    unsigned shift = 0;
    if (i != 0 && i + 1 == length) {
        const char *unit = strchr("KMG", text[i]);
        shift = unit != NULL ? 10 * (unsigned)(unit - "KMG" + 1) : 0;
        i += unit != NULL;
    }
    *value = n << shift;
    return length != 0 && i == length && *value >> shift == n && *value >= least && *value <= most;
}

static bool set_log(const char *name, size_t length) {
    char path[4096];

    if (length == 0 || length >= sizeof path) {
        return false;
    }
    memcpy(path, name, length);
    path[length] = 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, LOG_FD) : -1;
    if (copy >= 0) {
        close(fd);
        fd = copy;
    }
    if (fd < 0) {
        say("quire-check: QUIRE_CHECK: the log cannot be opened: ");
        say(path);
        say("\n");
        _exit(2);
    }
    check_options.log = fd;
    return true;
}

static bool set_switch(const char *name, size_t length, bool on) {
    static const struct {
        const char *name;
        bool *value;
    } switches[] = {
        {"leaks", &check_options.leaks}, {"guard", &check_options.guard},
        {"fill", &check_options.fill},   {"stop", &check_options.stop},
        {"abort", &check_options.abort}, {"mismatch", &check_options.mismatch},
        {"segv", &check_options.segv},
    };

    for (size_t i = 0; i < sizeof switches / sizeof *switches; i++) {
        if (strlen(switches[i].name) == length && memcmp(switches[i].name, name, length) == 0) {
            *switches[i].value = on;
            return true;
        }
    }
    return false;
}

static bool set(const char *name, size_t name_length, const char *text, size_t length) {
    uint64_t value;
    static const struct {
        const char *name;
        uint64_t least, most;
        unsigned *small;
        size_t *large;
    } numbers[] = {
        {"exitcode", 0, 255, &check_options.exit_code, NULL},
        {"depth", 1, DEPTH_MAX, &check_options.depth, NULL},
        {"redzone", 16, 4096, NULL, &check_options.redzone},
        {"quarantine", 0, (uint64_t)1 << 40, NULL, &check_options.quarantine},
        {"every", 0, (uint64_t)1 << 40, NULL, &check_options.every},
    };

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strlen(numbers[i].name) == name_length &&
            memcmp(numbers[i].name, name, name_length) == 0) {
            if (!number(text, length, numbers[i].least, numbers[i].most, &value)) {
                return false;
            }
            if (numbers[i].small != NULL) {
                *numbers[i].small = (unsigned)value;
            } else {
                *numbers[i].large = (size_t)value;
            }
            return true;
        }
    }
    if (name_length == 3 && memcmp(name, "log", 3) == 0) {
        return set_log(text, length);
    }
    return number(text, length, 0, 1, &value) && set_switch(name, name_length, value != 0);
}

/* Many programs close standard error before they end: reports go to a copy of it, out of the way.
 */
static void keep_stderr(void) {
    int copy = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, LOG_FD);

    if (copy < 0) {
        copy = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    }
    if (copy >= 0) {
        check_options.log = copy;
    }
}

void check_options_read(void) {
    const char *text = secure_getenv("QUIRE_CHECK");

    keep_stderr();
    while (text != NULL && *text != 0) {
        size_t length = strcspn(text, ":");
        const char *equals = memchr(text, '=', length);
        if (length != 0 && (equals == NULL || !set(text, (size_t)(equals - text), equals + 1,
                                                   length - (size_t)(equals + 1 - text)))) {
            refuse(text, length);
        }
        text += length;
        text += *text == ':';
    }
    check_options.redzone = (check_options.redzone + 15) & ~(size_t)15;
}
