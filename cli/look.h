/* look.h: what the commands that look at a running machine share: short options as procps has them,
 * which run is meant, doing it again and again, JSON. */
#ifndef QUIRE_CLI_LOOK_H
#define QUIRE_CLI_LOOK_H

#include <stdio.h>

#include "cli/cli.h"
#include "live/live.h"

#define LOOK_EXIT_GONE 1 /* no such run, or it ended, or a file of it is not there */

/* One option, with a letter as well as a name: these commands have those of free, vmstat and top.
 */
struct look_option {
    int letter;        /* 0: only the name */
    const char *name;  /* without dashes */
    const char *value; /* what it takes, NULL: nothing; "=N": a number, which may be left out */
    const char *example;
    const char *help;
};

/* Those of every command that looks. */
#define LOOK_RUN_OPTION                                                                   \
    {                                                                                     \
        0, "run", "PID", "--run 4711",                                                    \
            "which machine: the process id of its quire run; needed if there are several" \
    }
#define LOOK_JSON_OPTION \
    { 0, "json", NULL, NULL, "as one line of JSON (one for each time)" }
#define LOOK_WATCH_OPTION \
    { 0, "watch", "SECONDS", "--watch 2", "again and again, until the run ends" }

/* A command line: at is the next word, in_word the next letter of a word like -hw. */
struct look_words {
    char **at;
    const char *in_word;
};

/* The next option: its index, or CLI_OPTIONS_END (at[0] is the first other word, or NULL) or
 * CLI_OPTIONS_WRONG (said). */
int look_option_next(struct look_words *words, const struct look_option *options, size_t noptions,
                     const char **value);
void look_options_print(const struct look_option *options, size_t noptions);

/* What all have in common. */
struct look {
    int run; /* 0: the only one */
    bool json;
    double delay_s; /* 0: once */
    uint64_t count; /* 0: for ever */
    struct live *live;
};

/* Values of options. False: wrong, and said. */
bool look_take_run(struct look *look, const char *value);
bool look_take_delay(struct look *look, const char *option, const char *value);
bool look_take_count(struct look *look, const char *option, const char *value);

/* Do show(context, first) once, or as often as look says. Connects before, disconnects after. files
 * are read each time (live_read). Returns an exit code. show: false to stop with
 * LOOK_EXIT_GONE, after having said why. */
int look_run(struct look *look, const char *files, bool (*show)(struct look *, void *, bool first),
             void *context);

/* A file that was read; NULL, and one line said why not. */
const char *look_text(struct look *look, const char *path);

/* ---- JSON ------------------------------------------------------------------------------------ */

/* A string with its quotes. Bytes that are no UTF-8 become U+FFFD. */
void look_json_string(FILE *to, const char *text);

/* ---- processes: tasks.c ---------------------------------------------------------------------- */

struct task {
    int pid, ppid, priority, nice, nthreads;
    char state, name[32], user[32];
    uint64_t minor, major;       /* faults so far */
    uint64_t ticks, start_ticks; /* of the processor; when it began */
    uint64_t virtual_kib, resident_kib, shared_kib, swap_kib;
    double cpu_percent, memory_percent;
    char *command; /* with arguments; its name in brackets if there are none */
};

/* Files that tasks_take needs, for live_read. */
#define TASKS_FILES      "uptime meminfo */stat */status */cmdline"
#define TICKS_PER_SECOND 100 /* of the machine: USER_HZ */

struct tasks {
    struct task *items;
    size_t count;
    double up_s;
    uint64_t total_kib;
};

/* From what was read; in order of pid. cpu_percent is that since the start of each. False: no
 * memory. */
bool tasks_take(const struct live *live, struct tasks *tasks);
void tasks_free(struct tasks *tasks);

#endif
