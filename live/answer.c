/* answer.c: from a line of the protocol to its answer, in the machine's own thread.
 *
 *     read meminfo 1/maps [star]/stat
 *       '--> for each path   file PATH LENGTH, and so many bytes   |   none PATH: WHY
 *            end
 *
 * All of one line is read at one moment: the files agree with each other, as they never quite do on
 * a real machine. "quire" is a file that /proc does not have: the run itself, and what its
 * processor has counted; below "quire/" is what pictures need (os/visit_picture.c).
 *
 * May fail: host memory. Anything else that is wrong with a line is part of the answer.
 */
#include "live/room.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/os.h"

static void put_file(FILE *to, const char *path, const char *bytes, size_t nbytes) {
    fprintf(to, "file %s %zu\n", path, nbytes);
    fwrite(bytes, 1, nbytes, to);
}

/* Names and numbers, one a line: docs/LIVE.md explains them. */
static void put_about(FILE *to, struct os *os, const char *path, const char *about) {
    struct quire_soft_counters counters;
    struct quire_usage usage;
    char *text = NULL;
    size_t length = 0;
    FILE *own = open_memstream(&text, &length);

    if (own == NULL) {
        fprintf(to, "none %s: %s\n", path, "no memory");
        return;
    }
    quire_soft_counters(os_machine(os), &counters);
    quire_usage(os_quire(os), &usage);
    fprintf(own, "pid %d\n%s", (int)getpid(), about);
    fprintf(own, "machine_ns %" PRIu64 "\n", quire_mach_now_ns(os_machine(os)));
    fprintf(own, "idle_ns %" PRIu64 "\n", counters.idle_ns);
    fprintf(own, "stall_ns %" PRIu64 "\n", counters.stall_ns);
    fprintf(own, "instructions %" PRIu64 "\n", counters.instructions);
    fprintf(own, "accesses %" PRIu64 "\n", counters.loads + counters.stores);
    fprintf(own, "tlb_misses %" PRIu64 "\n", counters.tlb_misses);
    fprintf(own, "peak_bytes %" PRIu64 "\n", usage.peak_demand << QUIRE_PAGE_SHIFT);
    if (fclose(own) == 0) {
        put_file(to, path, text, length);
    } else {
        fprintf(to, "none %s: %s\n", path, "no memory");
    }
    free(text);
}

static void put_path(FILE *to, struct os *os, const char *path, const char *about) {
    char *bytes;
    size_t nbytes;

    if (strcmp(path, "quire") == 0) {
        put_about(to, os, path, about);
        return;
    }
    int error = strncmp(path, "quire/", 6) == 0 ? os_picture_read(os, path + 6, &bytes, &nbytes)
                                                : os_proc_read(os, path, &bytes, &nbytes);
    if (error != 0) {
        fprintf(to, "none %s: %s\n", path, strerror(error));
        return;
    }
    put_file(to, path, bytes, nbytes);
    free(bytes);
}

/* The same path for each process: names of /proc that are numbers. */
static void put_each(FILE *to, struct os *os, const char *rest, const char *about) {
    char *names, *at;
    size_t nbytes;

    if (os_proc_read(os, "", &names, &nbytes) != 0) {
        return;
    }
    char *name = strtok_r(names, "\n", &at);
    for (; name != NULL; name = strtok_r(NULL, "\n", &at)) {
        char path[LIVE_REQUEST_BYTES + 32];
        if (name[0] >= '0' && name[0] <= '9') {
            snprintf(path, sizeof path, "%s%s", name, rest);
            put_path(to, os, path, about);
        }
    }
    free(names);
}

char *answer_make(struct os *os, const char *about, const char *line, size_t *nbytes) {
    char words[LIVE_REQUEST_BYTES], *at, *text = NULL;
    FILE *to = open_memstream(&text, nbytes);

    if (to == NULL) {
        return NULL;
    }
    snprintf(words, sizeof words, "%s", line);
    const char *verb = strtok_r(words, " ", &at);
    if (verb == NULL || strcmp(verb, "read") != 0) {
        fputs("none : the one request is: read PATH...\n", to);
    } else {
        for (const char *path; (path = strtok_r(NULL, " ", &at)) != NULL;) {
            if (path[0] == '*' && path[1] == '/') {
                put_each(to, os, path + 1, about);
            } else {
                put_path(to, os, path, about);
            }
        }
    }
    fputs("end\n", to);
    bool good = ferror(to) == 0;
    if (fclose(to) != 0 || !good) {
        free(text);
        return NULL;
    }
    return text;
}
