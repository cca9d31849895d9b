/* ps.c: `quire ps`: the machine's processes, in the columns of ps aux.
 *
 * One format, the one that people type: each process of the machine, in order of its number or by
 * another column. What has no meaning here is shown as a Linux without it shows it (TTY is '?').
 * START and TIME are the machine's clock, which begins at a fixed date.
 */
#include "cli/look.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum order { BY_PID, BY_CPU, BY_MEMORY, BY_VIRTUAL, BY_SWAP, BY_TIME };

struct ps {
    enum order order;
};

enum { SORT, WATCH, JSON, RUN };

static const struct look_option options[] = {
    [SORT] = {0, "sort", "pid|cpu|rss|vsz|swap|time", "--sort rss",
              "which come first; by pid if not given"},
    [WATCH] = LOOK_WATCH_OPTION,
    [JSON] = LOOK_JSON_OPTION,
    [RUN] = LOOK_RUN_OPTION,
};
#define NOPTIONS (sizeof options / sizeof options[0])

void cli_ps_help(void) {
    puts("quire ps [options]\n\n"
         "The processes of a running machine, as 'ps aux' shows them.\n");
    look_options_print(options, NOPTIONS);
}

static double key_of(const struct task *task, enum order order) {
    switch (order) {
    case BY_CPU:
        return task->cpu_percent;
    case BY_MEMORY:
        return (double)task->resident_kib;
    case BY_VIRTUAL:
        return (double)task->virtual_kib;
    case BY_SWAP:
        return (double)task->swap_kib;
    case BY_TIME:
        return (double)task->ticks;
    default:
        return -(double)task->pid;
    }
}

/* Insertion: stable, and machines have tens of processes. */
static void sort(struct tasks *tasks, enum order order) {
    for (size_t i = 1; i < tasks->count; i++) {
        struct task task = tasks->items[i];
        size_t at = i;
        for (; at > 0 && key_of(&tasks->items[at - 1], order) < key_of(&task, order); at--) {
            tasks->items[at] = tasks->items[at - 1];
        }
        tasks->items[at] = task;
    }
}

static const char *percent_text(double percent, char text[16]) {
    unsigned tenths = (unsigned)(percent * 10);

    if (tenths >= 1000) {
        snprintf(text, 16, "%u", tenths / 10 > 999 ? 999 : tenths / 10);
    } else {
        snprintf(text, 16, "%2u.%u", tenths / 10, tenths % 10);
    }
    return text;
}

/* Columns that the command may take up; 0: as many as it wants. */
static size_t room(void) {
    struct winsize size;
    const char *columns = getenv("COLUMNS");

    if (columns != NULL && atoi(columns) > 0) {
        return (size_t)atoi(columns);
    }
    return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static void print_task(const struct task *task, uint64_t boot_s, size_t columns) {
    char cpu[16], memory[16], start[16], line[256];
    time_t began = (time_t)(boot_s + task->start_ticks / TICKS_PER_SECOND);
    uint64_t seconds = task->ticks / TICKS_PER_SECOND;
    struct tm tm;

    gmtime_r(&began, &tm);
    strftime(start, sizeof start, "%H:%M", &tm);
    snprintf(line, sizeof line,
             "%-8.8s %7d %s %s %6" PRIu64 " %5" PRIu64 " %-8s %c%-3s %5s %3" PRIu64 ":%02" PRIu64
             " ",
             task->user, task->pid, percent_text(task->cpu_percent, cpu),
             percent_text(task->memory_percent, memory), task->virtual_kib, task->resident_kib, "?",
             task->state, task->nthreads > 1 ? "l" : "", start, seconds / 60, seconds % 60);
    size_t length = strlen(line);
    size_t left = columns == 0 ? strlen(task->command) : columns > length ? columns - length : 0;
    printf("%.*s%.*s\n", columns != 0 ? (int)columns : (int)length, line, (int)left, task->command);
}

static void print_json(const struct tasks *tasks) {
    putchar('[');
    for (size_t i = 0; i < tasks->count; i++) {
        const struct task *task = &tasks->items[i];
        printf("%s{\"pid\":%d,\"ppid\":%d,\"user\":", i > 0 ? "," : "", task->pid, task->ppid);
        look_json_string(stdout, task->user);
        printf(",\"state\":\"%c\",\"threads\":%d,\"cpu_percent\":%.1f,\"memory_percent\":%.1f",
               task->state, task->nthreads, task->cpu_percent, task->memory_percent);
        printf(",\"virtual_bytes\":%" PRIu64 ",\"resident_bytes\":%" PRIu64
               ",\"shared_bytes\":%" PRIu64 ",\"swapped_bytes\":%" PRIu64,
               task->virtual_kib * 1024, task->resident_kib * 1024, task->shared_kib * 1024,
               task->swap_kib * 1024);
        printf(",\"minor_faults\":%" PRIu64 ",\"major_faults\":%" PRIu64
               ",\"cpu_s\":%.2f,\"name\":",
               task->minor, task->major, (double)task->ticks / TICKS_PER_SECOND);
        look_json_string(stdout, task->name);
        fputs(",\"command\":", stdout);
        look_json_string(stdout, task->command);
        putchar('}');
    }
    puts("]");
}

static bool show(struct look *look, void *context, bool first) {
    const struct ps *ps = context;
    struct tasks tasks;
    const char *stat = look_text(look, "stat");

    if (stat == NULL) {
        return false;
    }
    if (!tasks_take(look->live, &tasks)) {
        cli_wrong("no memory for the list of processes");
        return false;
    }
    sort(&tasks, ps->order);
    if (look->json) {
        print_json(&tasks);
    } else {
        printf("%sUSER         PID %%CPU %%MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n",
               first ? "" : "\n");
        for (size_t i = 0; i < tasks.count; i++) {
            print_task(&tasks.items[i], live_number(stat, "btime"), room());
        }
    }
    tasks_free(&tasks);
    return true;
}

static bool take_sort(struct ps *ps, const char *value) {
    static const char *const names[] = {"pid", "cpu", "rss", "vsz", "swap", "time"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(value, names[i]) == 0) {
            ps->order = (enum order)i;
            return true;
        }
    }
    cli_wrong("--sort %s: by pid, cpu, rss, vsz, swap or time", value);
    return false;
}

int cli_ps(struct cli_words *given) {
    struct ps ps = {BY_PID};
    struct look_words words = {given->at, NULL};
    struct look look = {.run = 0};
    const char *value;
    int option;
    bool good = true;

    /* "ps aux" is what fingers type. */
    if (words.at[0] != NULL &&
        (strcmp(words.at[0], "aux") == 0 || strcmp(words.at[0], "-ef") == 0)) {
        words.at++;
    }
    while (good && (option = look_option_next(&words, options, NOPTIONS, &value)) >= 0) {
        switch (option) {
        case SORT:
            good = take_sort(&ps, value);
            break;
        case WATCH:
            good = look_take_delay(&look, "--watch", value);
            break;
        case JSON:
            look.json = true;
            break;
        default:
            good = look_take_run(&look, value);
            break;
        }
    }
    if (!good || option == CLI_OPTIONS_WRONG) {
        return CLI_EXIT_OURS;
    }
    if (words.at[0] != NULL) {
        return cli_wrong("ps takes options only, not '%s'", words.at[0]);
    }
    return look_run(&look, "stat " TASKS_FILES, show, &ps);
}
