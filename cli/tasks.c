/* tasks.c: the processes of a machine, from its /proc: for ps and top.
 *
 * The formats are those of proc(5). Fields of stat are counted from behind the last ')', because a
 * name may have spaces and brackets of its own.
 */
#include "cli/look.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

static bool take_stat(const char *text, struct task *task) {
    const char *open = strchr(text, '('), *close = strrchr(text, ')');
    unsigned long long minor, major, user, system, start, bytes;

    if (open == NULL || close == NULL || close < open) {
        return false;
    }
    snprintf(task->name, sizeof task->name, "%.*s", (int)(close - open - 1), open + 1);
    task->pid = atoi(text);
    int n = sscanf(close + 1,
                   " %c %d %*d %*d %*d %*d %*u %llu %*u %llu %*u %llu %llu %*d %*d %d %d %d %*d "
                   "%llu %llu",
                   &task->state, &task->ppid, &minor, &major, &user, &system, &task->priority,
                   &task->nice, &task->nthreads, &start, &bytes);
    if (n != 11) {
        return false;
    }
    task->minor = minor;
    task->major = major;
    task->ticks = user + system;
    task->start_ticks = start;
    task->virtual_kib = bytes / 1024;
    return true;
}

static void take_status(const char *text, struct task *task) {
    unsigned uid = (unsigned)live_number(text, "Uid");
    const struct passwd *user = getpwuid(uid);

    task->resident_kib = live_number(text, "VmRSS");
    task->shared_kib = live_number(text, "RssFile") + live_number(text, "RssShmem");
    task->swap_kib = live_number(text, "VmSwap");
    if (user != NULL) {
        snprintf(task->user, sizeof task->user, "%s", user->pw_name);
    } else {
        snprintf(task->user, sizeof task->user, "%u", uid);
    }
}

/* Arguments with a space between, what is not to be printed as '?'; "[name]" if there are none. */
static char *take_command(const struct live_file *file, const struct task *task) {
    size_t length = file != NULL && file->text != NULL ? file->length : 0;
    char *command;

    while (length > 0 && file->text[length - 1] == '\0') {
        length--;
    }
    if (length == 0) {
        command = malloc(sizeof task->name + 3);
        if (command != NULL) {
            snprintf(command, sizeof task->name + 3, "[%s]", task->name);
        }
        return command;
    }
    command = malloc(length + 1);
    for (size_t i = 0; command != NULL && i < length; i++) {
        unsigned char c = (unsigned char)file->text[i];
        command[i] = c == 0 ? ' ' : c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    if (command != NULL) {
        command[length] = '\0';
    }
    return command;
}

static const struct live_file *file_of(const struct live *live, int pid, const char *name) {
    char path[48];
    const struct live_file *file;

    snprintf(path, sizeof path, "%d/%s", pid, name);
    for (size_t i = 0; (file = live_nth(live, i)) != NULL; i++) {
        if (strcmp(file->path, path) == 0) {
            return file;
        }
    }
    return NULL;
}

static bool add(struct tasks *tasks, struct task *task) {
    struct task *items = realloc(tasks->items, (tasks->count + 1) * sizeof *items);

    if (items == NULL || task->command == NULL) {
        free(task->command);
        tasks->items = items != NULL ? items : tasks->items;
        return false;
    }
    tasks->items = items;
    items[tasks->count++] = *task;
    return true;
}

static bool take_one(const struct live *live, const struct live_file *stat, struct tasks *tasks) {
    struct task task = {.pid = 0};

    if (stat->text == NULL || !take_stat(stat->text, &task)) {
        return true; /* it has just gone */
    }
    const struct live_file *status = file_of(live, task.pid, "status");
    if (status != NULL && status->text != NULL) {
        take_status(status->text, &task);
    }
    double alive_s = tasks->up_s - (double)task.start_ticks / TICKS_PER_SECOND;
    task.cpu_percent = alive_s > 0 ? 100.0 * (double)task.ticks / TICKS_PER_SECOND / alive_s : 0;
    task.memory_percent =
        tasks->total_kib > 0 ? 100.0 * (double)task.resident_kib / (double)tasks->total_kib : 0;
    task.command = take_command(file_of(live, task.pid, "cmdline"), &task);
    return add(tasks, &task);
}

bool tasks_take(const struct live *live, struct tasks *tasks) {
    const struct live_file *file;
    const char *uptime = live_text(live, "uptime");

    *tasks = (struct tasks){.up_s = uptime != NULL ? strtod(uptime, NULL) : 0};
    tasks->total_kib = live_number(live_text(live, "meminfo"), "MemTotal");
    for (size_t i = 0; (file = live_nth(live, i)) != NULL; i++) {
        const char *slash = strchr(file->path, '/');
        if (slash != NULL && strcmp(slash, "/stat") == 0 && !take_one(live, file, tasks)) {
            tasks_free(tasks);
            return false;
        }
    }
    return true;
}

void tasks_free(struct tasks *tasks) {
    for (size_t i = 0; i < tasks->count; i++) {
        free(tasks->items[i].command);
    }
    free(tasks->items);
    *tasks = (struct tasks){.items = NULL};
}
