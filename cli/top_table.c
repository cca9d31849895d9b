/* top_table.c: what `quire top` shows, as lines of text: the same on a screen and in a file.
 *
 * Above are figures of the whole machine, of the time since the last look, below its processes. All
 * rates are per second of the machine's clock. Every line fits the width that it is made for: of a
 * line above, the parts that do not fit are left out, from the right; of the table, whole columns,
 * the least telling first, until there is room for a command.
 *
 *     width 80   PID USER  VIRT  RES  SHR SWAP S %CPU %MEM minF majF TIME+ COMMAND
 *     width 40   PID  RES SWAP S %CPU majF COMMAND
 */
#include "cli/top.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND_ROOM 10 /* columns that a command should have before others are shown */
#define HEAD_LINES   7 /* lines above the processes, the empty one and the columns' names with it */
#define NS_PER_S     1e9

static const struct {
    const char *name;
    int width;     /* negative: to the left */
    unsigned rank; /* of two, that with the larger goes first */
} columns[TOP_NCOLUMNS] = {
    [TOP_PID] = {"PID", 6, 0},         [TOP_USER] = {"USER", -8, 9}, [TOP_VIRT] = {"VIRT", 6, 6},
    [TOP_RES] = {"RES", 6, 1},         [TOP_SHR] = {"SHR", 6, 8},    [TOP_SWAP] = {"SWAP", 6, 3},
    [TOP_STATE] = {"S", 1, 2},         [TOP_CPU] = {"%CPU", 5, 4},   [TOP_MEM] = {"%MEM", 5, 5},
    [TOP_MINOR] = {"minF", 5, 10},     [TOP_MAJOR] = {"majF", 5, 7}, [TOP_TIME] = {"TIME+", 8, 11},
    [TOP_COMMAND] = {"COMMAND", 0, 0},
};

/* ---- a moment ---------------------------------------------------------------------------------
 */

static void take_system(const struct live *live, struct top_moment *now) {
    const char *about = live_text(live, "quire"), *vmstat = live_text(live, "vmstat");
    const char *meminfo = live_text(live, "meminfo");
    uint64_t all = live_number(vmstat, "pgfault");

    now->machine_ns = live_number(about, "machine_ns");
    now->idle_ns = live_number(about, "idle_ns");
    now->stall_ns = live_number(about, "stall_ns");
    now->accesses = live_number(about, "accesses");
    now->tlb_misses = live_number(about, "tlb_misses");
    now->major = live_number(vmstat, "pgmajfault");
    now->minor = all > now->major ? all - now->major : 0;
    now->swapin = live_number(vmstat, "pswpin");
    now->swapout = live_number(vmstat, "pswpout");
    now->total = live_number(meminfo, "MemTotal");
    now->free = live_number(meminfo, "MemFree");
    now->available = live_number(meminfo, "MemAvailable");
    now->cache = live_number(meminfo, "Buffers") + live_number(meminfo, "Cached") +
                 live_number(meminfo, "SReclaimable");
    now->swap_total = live_number(meminfo, "SwapTotal");
    now->swap_free = live_number(meminfo, "SwapFree");
    live_word(about, "command", now->command, sizeof now->command);
    live_word(about, "policy", now->policy, sizeof now->policy);
}

static const struct task *task_before(const struct top *top, const struct task *task) {
    for (size_t i = 0; i < top->before.tasks.count; i++) {
        const struct task *other = &top->before.tasks.items[i];
        if (other->pid == task->pid && other->start_ticks == task->start_ticks) {
            return other;
        }
    }
    return NULL;
}

bool top_take(struct top *top) {
    struct tasks tasks;

    if (!tasks_take(top->look.live, &tasks)) {
        return false;
    }
    tasks_free(&top->before.tasks);
    top->before = top->now;
    top->now.tasks = tasks;
    take_system(top->look.live, &top->now);
    double passed_s = top->now.tasks.up_s - top->before.tasks.up_s;
    for (size_t i = 0; i < tasks.count && passed_s > 0; i++) {
        struct task *task = &top->now.tasks.items[i];
        const struct task *before = task_before(top, task);
        if (before != NULL) { /* else it is since it began, as tasks_take says */
            double used_s = (double)(task->ticks - before->ticks) / TICKS_PER_SECOND;
            task->cpu_percent = 100 * used_s / passed_s;
        }
    }
    return true;
}

void top_done(struct top *top) {
    tasks_free(&top->before.tasks);
    tasks_free(&top->now.tasks);
}

/* ---- sorting and filtering --------------------------------------------------------------------
 */

static double key_of(const struct task *task, enum top_column order) {
    switch (order) {
    case TOP_VIRT:
        return (double)task->virtual_kib;
    case TOP_RES:
    case TOP_MEM:
        return (double)task->resident_kib;
    case TOP_SHR:
        return (double)task->shared_kib;
    case TOP_SWAP:
        return (double)task->swap_kib;
    case TOP_CPU:
        return task->cpu_percent;
    case TOP_MINOR:
        return (double)task->minor;
    case TOP_MAJOR:
        return (double)task->major;
    case TOP_TIME:
        return (double)task->ticks;
    case TOP_STATE:
        return (double)-task->state;
    default:
        return -(double)task->pid;
    }
}

static const char *command_of(const struct top *top, const struct task *task) {
    return top->names_only ? task->name : task->command;
}

/* Large numbers first, words by the alphabet, equals by pid: an order that stays. */
static bool belongs_before(const struct top *top, const struct task *a, const struct task *b) {
    int words = top->order == TOP_USER      ? strcmp(a->user, b->user)
                : top->order == TOP_COMMAND ? strcmp(command_of(top, a), command_of(top, b))
                                            : 0;
    double one = words != 0 ? -words : key_of(a, top->order);
    double other = words != 0 ? words : key_of(b, top->order);

    if (one == other) {
        return a->pid < b->pid;
    }
    return top->reverse ? one < other : one > other;
}

static void sort(struct top *top) {
    struct tasks *tasks = &top->now.tasks;

    for (size_t i = 1; i < tasks->count; i++) {
        struct task task = tasks->items[i];
        size_t at = i;
        for (; at > 0 && belongs_before(top, &task, &tasks->items[at - 1]); at--) {
            tasks->items[at] = tasks->items[at - 1];
        }
        tasks->items[at] = task;
    }
}

static bool passes(const struct top *top, const struct task *task) {
    char pid[16];

    snprintf(pid, sizeof pid, "%d", task->pid);
    return top->filter[0] == '\0' || strstr(task->command, top->filter) != NULL ||
           strstr(task->name, top->filter) != NULL || strcmp(task->user, top->filter) == 0 ||
           strcmp(pid, top->filter) == 0;
}

/* ---- lines above ------------------------------------------------------------------------------
 */

/* Put a part behind the others, if it fits whole (the first is cut). */
static void part(struct top_line *line, unsigned width, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void part(struct top_line *line, unsigned width, const char *format, ...) {
    char text[TOP_LINE_BYTES];
    va_list arguments;
    size_t length = strlen(line->text);

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length == 0) {
        snprintf(line->text, sizeof line->text, "%.*s", (int)width, text);
    } else if (length + strlen(text) <= width) {
        memcpy(line->text + length, text, strlen(text) + 1);
    }
}

static double per_second(const struct top *top, uint64_t now, uint64_t before) {
    double passed_s = (double)(top->now.machine_ns - top->before.machine_ns) / NS_PER_S;
    return passed_s > 0 ? (double)(now - before) / passed_s : 0;
}

static void line_of_run(const struct top *top, struct top_line *line, unsigned width) {
    uint64_t hundredths = top->now.machine_ns / 10000000;

    line->style = TOP_STRONG;
    part(line, width, "top - %d", live_pid(top->look.live));
    part(line, width, " up %" PRIu64 ":%02" PRIu64 ".%02" PRIu64, hundredths / 6000,
         hundredths / 100 % 60, hundredths % 100);
    part(line, width, ", policy %s", top->now.policy);
    size_t room = width > strlen(line->text) + 3 ? width - strlen(line->text) - 2 : 0;
    if (room > 8) {
        part(line, width, ": %.*s", (int)room, top->now.command);
    }
}

static void line_of_tasks(const struct top *top, struct top_line *line, unsigned width) {
    unsigned running = 0, sleeping = 0, stopped = 0, zombies = 0;

    for (size_t i = 0; i < top->now.tasks.count; i++) {
        char state = top->now.tasks.items[i].state;
        running += state == 'R';
        sleeping += state == 'S' || state == 'D';
        stopped += state == 'T' || state == 't';
        zombies += state == 'Z';
    }
    part(line, width, "Tasks: %3zu total", top->now.tasks.count);
    part(line, width, ", %3u running", running);
    part(line, width, ", %3u sleeping", sleeping);
    part(line, width, ", %3u stopped", stopped);
    part(line, width, ", %3u zombie", zombies);
}

/* us: programs; wa: they waited for the swap disk; id: nobody wanted anything. The slowdown is time
 * with waiting by time without. */
static void line_of_time(const struct top *top, struct top_line *line, unsigned width) {
    const struct top_moment *now = &top->now, *was = &top->before;
    double all = (double)(now->machine_ns - was->machine_ns);
    double idle = (double)(now->idle_ns - was->idle_ns);
    double stall = (double)(now->stall_ns - was->stall_ns);

    all = all > 0 ? all : 1;
    double busy = all - idle - stall > 0 ? all - idle - stall : 0;
    part(line, width, "%%Cpu: %5.1f us", 100 * busy / all);
    part(line, width, ", %5.1f id", 100 * idle / all);
    part(line, width, ", %5.1f wa", 100 * stall / all);
    if (busy > 0) {
        part(line, width, ", slowdown %.2f", (busy + stall) / busy);
    }
    line->style = stall > busy ? TOP_WARNING : TOP_PLAIN;
}

static void lines_of_memory(const struct top *top, struct top_line *memory, struct top_line *swap,
                            unsigned width) {
    const struct top_moment *now = &top->now;
    const double mib = 1024;

    part(memory, width, "MiB Mem : %8.1f total", (double)now->total / mib);
    part(memory, width, ", %8.1f free", (double)now->free / mib);
    part(memory, width, ", %8.1f used", (double)(now->total - now->available) / mib);
    part(memory, width, ", %8.1f buff/cache", (double)now->cache / mib);
    memory->style = now->available * 16 < now->total ? TOP_WARNING : TOP_PLAIN;
    part(swap, width, "MiB Swap: %8.1f total", (double)now->swap_total / mib);
    part(swap, width, ", %8.1f free", (double)now->swap_free / mib);
    part(swap, width, ", %8.1f used.", (double)(now->swap_total - now->swap_free) / mib);
    part(swap, width, " %8.1f avail Mem", (double)now->available / mib);
    swap->style = now->swap_free < now->swap_total ? TOP_STRONG : TOP_PLAIN;
}

static void line_of_paging(const struct top *top, struct top_line *line, unsigned width) {
    const struct top_moment *now = &top->now, *was = &top->before;
    uint64_t accesses = now->accesses - was->accesses;

    part(line, width, "Faults/s: %.0f minor", per_second(top, now->minor, was->minor));
    part(line, width, ", %.0f major", per_second(top, now->major, was->major));
    part(line, width, "; KiB/s %.0f in", 4 * per_second(top, now->swapin, was->swapin));
    part(line, width, ", %.0f out", 4 * per_second(top, now->swapout, was->swapout));
    if (accesses > 0) {
        part(line, width, "; TLB misses %.2f %%",
             100 * (double)(now->tlb_misses - was->tlb_misses) / (double)accesses);
    }
}

/* ---- the table --------------------------------------------------------------------------------
 */

static int width_of(unsigned column) {
    return abs(columns[column].width);
}

/* Which columns there is room for: a bit each. */
static unsigned choose(unsigned width) {
    unsigned chosen = 1u << TOP_COMMAND;
    int left = (int)width - COMMAND_ROOM;

    for (unsigned rank = 0; rank < TOP_NCOLUMNS; rank++) {
        for (unsigned i = 0; i < TOP_COMMAND; i++) {
            if (columns[i].rank == rank && left >= width_of(i) + 1) {
                left -= width_of(i) + 1;
                chosen |= 1u << i;
            }
        }
    }
    return chosen;
}

void top_order_move(struct top *top, int step, unsigned width) {
    unsigned chosen = choose(width);

    for (int at = (int)top->order + step; at >= 0 && at < TOP_NCOLUMNS; at += step) {
        if ((chosen & 1u << at) != 0) {
            top->order = (enum top_column)at;
            return;
        }
    }
}

/* KiB in at most six columns: 123456, 120.6m, 9.5g. */
static void size_cell(uint64_t kib, char *cell, size_t capacity) {
    if (kib < 100000) {
        snprintf(cell, capacity, "%" PRIu64, kib);
    } else if (kib < 1024 * 1024) {
        snprintf(cell, capacity, "%.0fm", (double)kib / 1024);
    } else {
        snprintf(cell, capacity, "%.1fg", (double)kib / (1024 * 1024));
    }
}

/* A count in at most five columns: 99999, 123k, 45m. */
static void count_cell(uint64_t count, char *cell, size_t capacity) {
    const char *unit = count < 100000 ? "" : count < 10000000 ? "k" : "m";
    snprintf(cell, capacity, "%" PRIu64 "%s",
             count < 100000     ? count
             : count < 10000000 ? count / 1000
                                : count / 1000000,
             unit);
}

static void cell_of(const struct top *top, const struct task *task, unsigned column, char *cell,
                    size_t capacity) {
    uint64_t hundredths = task->ticks * 100 / TICKS_PER_SECOND;

    switch (column) {
    case TOP_PID:
        snprintf(cell, capacity, "%d", task->pid);
        break;
    case TOP_USER:
        snprintf(cell, capacity, "%.8s", task->user);
        break;
    case TOP_VIRT:
        size_cell(task->virtual_kib, cell, capacity);
        break;
    case TOP_RES:
        size_cell(task->resident_kib, cell, capacity);
        break;
    case TOP_SHR:
        size_cell(task->shared_kib, cell, capacity);
        break;
    case TOP_SWAP:
        size_cell(task->swap_kib, cell, capacity);
        break;
    case TOP_STATE:
        snprintf(cell, capacity, "%c", task->state);
        break;
    case TOP_CPU:
        snprintf(cell, capacity, "%.1f", task->cpu_percent);
        break;
    case TOP_MEM:
        snprintf(cell, capacity, "%.1f", task->memory_percent);
        break;
    case TOP_MINOR:
        count_cell(task->minor, cell, capacity);
        break;
    case TOP_MAJOR:
        count_cell(task->major, cell, capacity);
        break;
    case TOP_TIME:
        snprintf(cell, capacity, "%" PRIu64 ":%02" PRIu64 ".%02" PRIu64, hundredths / 6000,
                 hundredths / 100 % 60, hundredths % 100);
        break;
    default:
        snprintf(cell, capacity, "%s", command_of(top, task));
        break;
    }
}

/* A line of the table; task NULL: the names of the columns. */
static void row(const struct top *top, const struct task *task, unsigned width,
                struct top_line *line) {
    unsigned chosen = choose(width);
    size_t length = 0;
    char cell[TOP_LINE_BYTES];

    for (unsigned i = 0; i < TOP_NCOLUMNS; i++) {
        if ((chosen & 1u << i) == 0) {
            continue;
        }
        if (task == NULL) {
            snprintf(cell, sizeof cell, "%s", columns[i].name);
        } else {
            cell_of(top, task, i, cell, sizeof cell);
        }
        int n = snprintf(line->text + length, sizeof line->text - length, "%s%*s",
                         length > 0 ? " " : "", columns[i].width, cell);
        if (i == (unsigned)top->order) {
            line->from = (int)length + (length > 0);
            line->to = (int)length + n;
        }
        length = strlen(line->text);
    }
    line->text[length < width ? length : width] = '\0';
    for (char *at = line->text; *at != '\0'; at++) {
        *at = *at < ' ' || *at > '~' ? '?' : *at; /* a terminal takes nothing else for itself */
    }
    line->style = task == NULL ? TOP_HEAD : task->state == 'R' ? TOP_STRONG : TOP_PLAIN;
}

struct top_line *top_lines(struct top *top, unsigned width, unsigned height, size_t *nlines) {
    struct top_line *lines = calloc(HEAD_LINES + 1 + top->now.tasks.count, sizeof *lines);
    size_t n = HEAD_LINES + 1, skipped = 0;

    if (lines == NULL) {
        return NULL;
    }
    width = width < TOP_WIDTH_MAX ? width : TOP_WIDTH_MAX;
    sort(top);
    line_of_run(top, &lines[0], width);
    line_of_tasks(top, &lines[1], width);
    line_of_time(top, &lines[2], width);
    lines_of_memory(top, &lines[3], &lines[4], width);
    line_of_paging(top, &lines[5], width);
    if (top->filter[0] != '\0') {
        part(&lines[6], width, "only '%s'; = shows all", top->filter);
    }
    row(top, NULL, width, &lines[HEAD_LINES]);
    for (size_t i = 0; i < top->now.tasks.count && (height == 0 || n < height); i++) {
        const struct task *task = &top->now.tasks.items[i];
        if (passes(top, task) && skipped++ >= top->scroll) {
            row(top, task, width, &lines[n++]);
        }
    }
    *nlines = height == 0 || n < height ? n : height;
    return lines;
}
