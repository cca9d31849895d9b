/* proc_pid.c: /proc/PID: what is known of one process, in the formats of proc(5).
 *
 *   maps smaps statm pagemap, part of status    by the memory manager (quire/view.h)
 *   status stat cmdline environ oom_score ...   by us
 *   exe cwd root fd/N                           links; fd/N leads to the open file itself
 *   task/TID                                    the same files again
 *
 * What the machine does not have (effective capabilities, cgroups) is shown as
 * a Linux without them would show it, because ps and free read fields by position.
 *
 * Invariants: I1 at.pid is a process that exists: fs_node.c and find in proc.c looked.
 * A zombie has no space: its memory files are empty, as on Linux. May fail: host memory.
 */
#include "os/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct os_process *process_of(struct os *os, struct os_node at) {
    return os_process_by_pid(os, at.pid);
}

/* ---- texts of the memory manager ------------------------------------------------------------- */

#define SPACE_VIEW(name)                                                              \
    static size_t view_##name(const void *space, char *text, size_t capacity) {       \
        return quire_view_##name(space, text, capacity);                              \
    }                                                                                 \
    static void text_##name(struct os *os, struct os_node at, struct os_text *text) { \
        const struct os_process *process = process_of(os, at);                        \
        if (process && process->space)                                                \
            os_text_view(text, view_##name, process->space);                          \
    }
SPACE_VIEW(maps)
SPACE_VIEW(smaps)
SPACE_VIEW(smaps_rollup)
SPACE_VIEW(statm)

/* Binary, and far too long to be made whole: a word for each page that a program can have. */
static int64_t read_pagemap(struct os *os, struct os_node at, void *to, size_t nbytes,
                            uint64_t offset) {
    const struct os_process *process = process_of(os, at);
    uint64_t word, npages = OS_USER_HIGH >> QUIRE_PAGE_SHIFT, page = offset / sizeof word;
    size_t done = 0;
    if (offset % sizeof word || nbytes % sizeof word)
        return -OS_EINVAL;
    for (; process && process->space && done < nbytes && page < npages; page++) {
        word = quire_view_pagemap(process->space, quire_va(page << QUIRE_PAGE_SHIFT));
        memcpy((char *)to + done, &word, sizeof word);
        done += sizeof word;
    }
    return (int64_t)done;
}

static size_t view_status(const void *space, char *text, size_t capacity) {
    return quire_view_status(space, text, capacity);
}

/* ---- status, stat ---------------------------------------------------------------------------- */

static char state_letter(const struct os_process *process) {
    if (process->zombie)
        return 'Z';
    bool disk = false; /* nothing but a SIGKILL gets it out: as Linux, a parent in vfork */
    for (const struct os_task *task = process->tasks; task; task = task->next) {
        if (task->state == OS_RUNNING)
            return 'R';
        if (task->state == OS_STOPPED)
            return 'T';
        disk |= task->state == OS_SLEEPING && task->vfork_pid != 0;
    }
    return disk ? 'D' : 'S';
}

static unsigned count_tasks(const struct os_process *process) {
    unsigned count = 0;
    for (const struct os_task *task = process->tasks; task; task = task->next)
        count++;
    return count ? count : 1;
}

static void signal_masks(const struct os_process *process, uint64_t *ignored, uint64_t *caught) {
    *ignored = *caught = 0;
    for (int signal = 1; signal <= OS_NSIG; signal++) {
        uint64_t bit = 1ull << (signal - 1);
        if (process->actions[signal].handler == OS_SIG_IGN)
            *ignored |= bit;
        else if (process->actions[signal].handler != OS_SIG_DFL)
            *caught |= bit;
    }
}

static const char *state_name(char letter) {
    return letter == 'R'   ? "R (running)"
           : letter == 'S' ? "S (sleeping)"
           : letter == 'D' ? "D (disk sleep)"
           : letter == 'T' ? "T (stopped)"
                           : "Z (zombie)";
}

/* A set of harts as Linux prints lists: 0-3,6. */
static void text_list(struct os_text *text, uint64_t set) {
    const char *comma = "";
    for (unsigned first = 0, last; first < 64; first = last + 1) {
        last = first;
        if (!(set >> first & 1))
            continue;
        while (last < 63 && set >> (last + 1) & 1)
            last++;
        os_text_printf(text, first == last ? "%s%u" : "%s%u-%u", comma, first, last);
        comma = ",";
    }
}

static void text_status(struct os *os, struct os_node at, struct os_text *text) {
    const struct os_process *p = process_of(os, at);
    if (!p)
        return;
    uint64_t ignored, caught;
    signal_masks(p, &ignored, &caught);
    unsigned uid = (unsigned)getuid(), gid = (unsigned)getgid();
    os_text_printf(text, "Name:\t%s\nUmask:\t%04o\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\n",
                   p->name, p->umask, state_name(state_letter(p)), p->pid, p->pid);
    os_text_printf(text, "PPid:\t%d\nTracerPid:\t0\nUid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n",
                   p->parent_pid, uid, uid, uid, uid, gid, gid, gid, gid);
    os_text_printf(text, "FDSize:\t%d\nGroups:\t\n", OS_NFILES_MAX);
    if (p->space)
        os_text_view(text, view_status, p->space);
    const struct os_task *task = p->tasks;
    os_text_printf(text, "Threads:\t%u\nSigQ:\t%u/%u\nSigPnd:\t%016llx\nShdPnd:\t%016llx\n",
                   count_tasks(p), p->nqueued, OS_SIGQUEUE_MAX,
                   (unsigned long long)(task ? task->pending : 0), (unsigned long long)p->pending);
    os_text_printf(text, "SigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\n",
                   (unsigned long long)(task ? task->signal_mask : 0), (unsigned long long)ignored,
                   (unsigned long long)caught);
    os_text_printf(text, "Cpus_allowed:\t%llx\nCpus_allowed_list:\t",
                   (unsigned long long)(task ? task->affinity : 0));
    text_list(text, task ? task->affinity : 0);
    os_text_printf(text, "\nMems_allowed_list:\t0\n"
                         "voluntary_ctxt_switches:\t0\nnonvoluntary_ctxt_switches:\t0\n");
}

#define NS_PER_TICK (OS_NS_PER_SECOND / OS_CLOCK_TICKS)

static uint64_t cpu_ns_of(const struct os_process *process) {
    uint64_t ns = process->cpu_ns; /* of its tasks that have ended */
    for (const struct os_task *task = process->tasks; task; task = task->next)
        ns += task->cpu_ns;
    return ns;
}

/* 52 fields; proc(5) numbers them. */
static void text_stat(struct os *os, struct os_node at, struct os_text *text) {
    const struct os_process *p = process_of(os, at);
    if (!p)
        return;
    struct quire_space_usage usage = {0};
    if (p->space)
        quire_space_usage(p->space, &usage);
    int terminal_group, terminal = os_pty_device(os_fs(os), p->session, &terminal_group);
    if (!terminal && p->session == os_process_first(os)->session)
        terminal_group = os_fs(os)->foreground_group ? os_fs(os)->foreground_group : p->group;
    /* 1-8: pid (comm) state ppid pgrp session tty_nr tpgid */
    os_text_printf(text, "%d (%s) %c %d %d %d %d %d", p->pid, p->name, state_letter(p),
                   p->parent_pid, p->group, p->session, terminal, terminal_group);
    /* 9-13: flags minflt cminflt majflt cmajflt */
    os_text_printf(text, " 0 %llu 0 %llu 0", (unsigned long long)usage.minor_faults,
                   (unsigned long long)usage.major_faults);
    /* 14-22: utime stime cutime cstime priority nice num_threads itrealvalue starttime */
    os_text_printf(text, " %llu 0 %llu 0 %d %d %u 0 %llu",
                   (unsigned long long)(cpu_ns_of(p) / NS_PER_TICK),
                   (unsigned long long)(p->child_cpu_ns / NS_PER_TICK), 20 + p->nice, p->nice,
                   count_tasks(p), (unsigned long long)(p->start_ns / NS_PER_TICK));
    /* 23-25: vsize rss rsslim */
    os_text_printf(
        text, " %llu %llu %llu", (unsigned long long)(usage.virtual_pages * QUIRE_PAGE_SIZE),
        (unsigned long long)(usage.resident_anon + usage.resident_file + usage.resident_shmem),
        (unsigned long long)p->rlimits[OS_RLIMIT_RSS][0]);
    /* 26-52: addresses, masks and times that are not kept; 38 exit_signal is SIGCHLD, 39 the hart
     */
    os_text_printf(text, " 0 0 0 0 0 0 0 0 0 0 0 0 %d %u 0 0 0 0 0 0 0 0 0 0 0 0 0\n", OS_SIGCHLD,
                   p->tasks ? p->tasks->hart : 0);
}

/* ---- small texts ----------------------------------------------------------------------------- */

static void text_cmdline(struct os *os, struct os_node at, struct os_text *text) {
    const struct os_process *process = process_of(os, at);
    if (process && process->command_line && !process->zombie)
        os_text_bytes(text, process->command_line, process->command_line_bytes);
}

static void text_environ(struct os *os, struct os_node at, struct os_text *text) {
    const struct os_process *process = process_of(os, at);
    if (process && process->environment && !process->zombie)
        os_text_bytes(text, process->environment, process->environment_bytes);
}

static void text_comm(struct os *os, struct os_node at, struct os_text *text) {
    const struct os_process *process = process_of(os, at);
    if (process)
        os_text_printf(text, "%s\n", process->name);
}

static int64_t write_comm(struct os *os, struct os_node at, const char *text) {
    struct os_process *process = process_of(os, at);
    size_t length = strcspn(text, "\n");
    if (length >= sizeof process->name)
        length = sizeof process->name - 1;
    memset(process->name, 0, sizeof process->name);
    memcpy(process->name, text, length);
    return 0;
}

static void text_oom_score(struct os *os, struct os_node at, struct os_text *text) {
    const struct os_process *process = process_of(os, at);
    unsigned score = process && process->space ? quire_space_oom_score(process->space) : 0;
    os_text_printf(text, "%u\n", score);
}

static void text_oom_score_adj(struct os *os, struct os_node at, struct os_text *text) {
    const struct os_process *process = process_of(os, at);
    int adj = process && process->space ? quire_space_oom_score_adj(process->space) : 0;
    os_text_printf(text, "%d\n", adj);
}

static int64_t write_oom_score_adj(struct os *os, struct os_node at, const char *text) {
    struct os_process *process = process_of(os, at);
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || (*end && *end != '\n') || !process->space || value < INT32_MIN ||
        value > INT32_MAX)
        return -OS_EINVAL;
    return quire_space_set_oom_score_adj(process->space, (int)value) == QUIRE_OK ? 0 : -OS_EINVAL;
}

/* "all" swaps the process out as a whole: the file of Android's kernels, for shells. What cannot go
 * (locked, another's as well) stays, and says nothing. */
static int64_t write_reclaim(struct os *os, struct os_node at, const char *text) {
    struct os_process *process = process_of(os, at);
    if (strcmp(text, "all") != 0 && strcmp(text, "all\n") != 0)
        return -OS_EINVAL;
    if (process->space)
        quire_space_swap_out(process->space);
    return 0;
}

static void text_limits(struct os *os, struct os_node at, struct os_text *text) {
    static const char *const names[OS_RLIMITS] = {
        "Max cpu time",       "Max file size",     "Max data size",         "Max stack size",
        "Max core file size", "Max resident set",  "Max processes",         "Max open files",
        "Max locked memory",  "Max address space", "Max file locks",        "Max pending signals",
        "Max msgqueue size",  "Max nice priority", "Max realtime priority", "Max realtime timeout"};
    const struct os_process *process = process_of(os, at);
    os_text_printf(text, "%-26s%-21s%-21s%-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (int i = 0; process && i < OS_RLIMITS; i++) {
        os_text_printf(text, "%-26s", names[i]);
        for (int side = 0; side < 2; side++) {
            uint64_t value = process->rlimits[i][side];
            char number[24];
            snprintf(number, sizeof number, "%llu", (unsigned long long)value);
            os_text_printf(text, "%-21s", value == OS_RLIM_INFINITY ? "unlimited" : number);
        }
        os_text_printf(text, "\n");
    }
}

static void text_mountinfo(struct os *os, struct os_node at, struct os_text *text) {
    const struct os_fs *fs = os_fs(os);
    (void)at;
    for (unsigned i = 0; i < fs->nmounts; i++)
        os_text_printf(text, "%u %u 0:%u / %s rw - %s none rw\n", i + 1, i ? 1 : 0, i + 1,
                       fs->mounts[i].path, fs->mounts[i].node.entry ? "virtual" : "hostfs");
}

/* ---- links ----------------------------------------------------------------------------------- */

static void link_exe(struct os *os, struct os_node at, struct os_text *text) {
    const struct os_process *process = process_of(os, at);
    os_text_printf(text, "%s", process && process->exe ? process->exe : "");
}

static void link_cwd(struct os *os, struct os_node at, struct os_text *text) {
    const struct os_process *process = process_of(os, at);
    os_text_printf(text, "%s", process && process->cwd ? process->cwd : "/");
}

static void link_root(struct os *os, struct os_node at, struct os_text *text) {
    (void)os, (void)at;
    os_text_printf(text, "/");
}

static struct os_file *file_of_fd(struct os *os, struct os_node at) {
    struct os_process *process = process_of(os, at);
    return process ? os_file_of(process, at.number) : NULL;
}

static void link_of_fd(struct os *os, struct os_node at, struct os_text *text) {
    const struct os_file *file = file_of_fd(os, at);
    os_text_printf(text, "%s", file ? os_file_path(file) : "");
}

static const struct os_entry fd_entry = {
    .name = "fd-link", .mode = OS_S_IFLNK | 0700, .link = link_of_fd, .file = file_of_fd};

static bool find_fd(struct os *os, struct os_node at, const char *name, struct os_node *out) {
    int fd;
    if (!os_proc_number(name, &fd))
        return false;
    *out = (struct os_node){&fd_entry, at.pid, fd};
    return file_of_fd(os, *out) != NULL;
}

static void list_fds(struct os *os, struct os_node at, struct os_listing *listing) {
    for (int fd = 0; fd < OS_NFILES_MAX; fd++) {
        struct os_node node = {&fd_entry, at.pid, fd};
        if (!file_of_fd(os, node))
            continue;
        char name[16];
        snprintf(name, sizeof name, "%d", fd);
        os_listing_add(listing, name, os_node_inode(node), OS_DT_LNK);
    }
}

static void text_fdinfo(struct os *os, struct os_node at, struct os_text *text) {
    const struct os_file *file = file_of_fd(os, at);
    if (file)
        os_text_printf(text, "pos:\t%llu\nflags:\t0%o\nmnt_id:\t1\nino:\t%llu\n",
                       (unsigned long long)file->offset, file->flags,
                       (unsigned long long)file->inode);
}

static const struct os_entry fdinfo_entry = {
    .name = "fdinfo-file", .mode = OS_S_IFREG | 0444, .text = text_fdinfo};

static bool find_fdinfo(struct os *os, struct os_node at, const char *name, struct os_node *out) {
    if (!find_fd(os, at, name, out))
        return false;
    out->entry = &fdinfo_entry;
    return true;
}

/* ---- the tables ------------------------------------------------------------------------------ */

#define FILE_MODE      (OS_S_IFREG | 0444)
#define DIRECTORY_MODE (OS_S_IFDIR | 0555)
#define LINK_MODE      (OS_S_IFLNK | 0777)

#define COMMON_ENTRIES                                                                       \
    {.name = "maps", .mode = FILE_MODE, .text = text_maps},                                  \
        {.name = "smaps", .mode = FILE_MODE, .text = text_smaps},                            \
        {.name = "smaps_rollup", .mode = FILE_MODE, .text = text_smaps_rollup},              \
        {.name = "pagemap", .mode = OS_S_IFREG | 0400, .read = read_pagemap},                \
        {.name = "environ", .mode = OS_S_IFREG | 0400, .text = text_environ},                \
        {.name = "statm", .mode = FILE_MODE, .text = text_statm},                            \
        {.name = "status", .mode = FILE_MODE, .text = text_status},                          \
        {.name = "stat", .mode = FILE_MODE, .text = text_stat},                              \
        {.name = "cmdline", .mode = FILE_MODE, .text = text_cmdline},                        \
        {.name = "comm", .mode = OS_S_IFREG | 0644, .text = text_comm, .write = write_comm}, \
        {.name = "exe", .mode = LINK_MODE, .link = link_exe},                                \
        {.name = "cwd", .mode = LINK_MODE, .link = link_cwd},                                \
        {.name = "root", .mode = LINK_MODE, .link = link_root},                              \
        {.name = "limits", .mode = FILE_MODE, .text = text_limits},                          \
        {.name = "mounts", .mode = FILE_MODE, .text = os_proc_text_mounts},                  \
        {.name = "mountinfo", .mode = FILE_MODE, .text = text_mountinfo},                    \
        {.name = "oom_score", .mode = FILE_MODE, .text = text_oom_score},                    \
        {.name = "oom_score_adj",                                                            \
         .mode = OS_S_IFREG | 0644,                                                          \
         .text = text_oom_score_adj,                                                         \
         .write = write_oom_score_adj},                                                      \
        {.name = "reclaim", .mode = OS_S_IFREG | 0200, .write = write_reclaim},              \
        {.name = "fd", .mode = DIRECTORY_MODE, .find = find_fd, .list = list_fds}, {         \
        .name = "fdinfo", .mode = DIRECTORY_MODE, .find = find_fdinfo, .list = list_fds      \
    }

static const struct os_entry task_entries[] = {COMMON_ENTRIES, {0}};
static const struct os_entry task_directory = {
    .name = "tid", .mode = DIRECTORY_MODE, .children = task_entries};

static bool find_task(struct os *os, struct os_node at, const char *name, struct os_node *out) {
    int tid;
    const struct os_process *process = process_of(os, at);
    if (!process || !os_proc_number(name, &tid))
        return false;
    for (const struct os_task *task = process->tasks; task; task = task->next) {
        if (task->tid != tid)
            continue;
        *out = (struct os_node){&task_directory, at.pid, tid};
        return true;
    }
    return false;
}

static void list_tasks(struct os *os, struct os_node at, struct os_listing *listing) {
    const struct os_process *process = process_of(os, at);
    for (const struct os_task *task = process ? process->tasks : NULL; task; task = task->next) {
        char name[16];
        snprintf(name, sizeof name, "%d", task->tid);
        os_listing_add(listing, name,
                       os_node_inode((struct os_node){&task_directory, at.pid, task->tid}),
                       OS_DT_DIR);
    }
}

const struct os_entry os_proc_pid_entries[] = {
    COMMON_ENTRIES,
    {.name = "task", .mode = DIRECTORY_MODE, .find = find_task, .list = list_tasks},
    {0},
};
