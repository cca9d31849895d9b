/* start.c: the checker begins at the first request for memory, and ends with the program.
 *
 * The end: this library's destructor, which runs after those of the program and of the libraries
 * that need it. First every block that is still there is verified, freed ones too, then what
 * nothing points at is searched for. If that found something the exit code changes, so stdio is
 * flushed here: nobody comes after.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <unistd.h>

#include "heap/check/check.h"

void check_start(void) {
    static bool started;

    if (!started) {
        started = true;
        check_options_read();
    }
}

__attribute__((constructor)) static void begin(void) {
    if (check_enter()) {
        if (check_options.segv || check_options.guard) {
            check_watch_faults();
        }
        check_leave();
    }
}

__attribute__((destructor)) static void end(void) {
    /* Another thread may hold standard output for ever, waiting: it is flushed if it is free. */
    if (ftrylockfile(stdout) == 0) {
        fflush_unlocked(stdout);
        funlockfile(stdout);
    }
    if (!check_enter()) {
        return;
    }
    check_verify_all();
    if (check_options.leaks && !check_reported) {
        check_leaks();
    }
    bool wrong = check_reported && check_options.exit_code != 0;
    check_leave();
    if (wrong) {
        fflush(NULL);
        _exit((int)check_options.exit_code);
    }
}
