/* fs_pty.c: pseudo-terminals: /dev/ptmx, /dev/pts/N, /dev/tty, and whose terminal one is.
 *
 *   script, tmux, a test ── master ──[ line discipline: pty_line.c ]── slave ── a shell, its jobs
 *
 * A terminal belongs to a session, and one group of it is in the foreground: only that may read,
 * and gets the signals of ^C and ^Z. The pty knows both numbers; a process has no pointer to a
 * terminal, it has the one whose session is its own. So nothing must be told when either ends.
 * The host's terminal is another kind of file (fs_tty.c).
 *
 * Invariants:
 *   I1  a pty is in fs->ptys while an end of it is open.
 *   I2  at most one pty has a given session.
 *
 * May fail: EIO when the other side has gone, ENXIO without a terminal, ENOSPC beyond PTYS_MAX.
 * Audit: tests/run/pty_calls.c, whose output is Linux's.
 */
#include "os/process.h"
#include "os/pty.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PTYS_MAX    256
#define PTS_MAJOR   136
#define TTOU_TOSTOP 0400u /* local flag TOSTOP */

static const struct os_file_ops master_ops, slave_ops;

/* ---- whose it is ----------------------------------------------------------------------------- */

static struct os_pty *pty_of_session(const struct os_fs *fs, int session) {
    for (struct os_pty *pty = fs->ptys; pty; pty = pty->next)
        if (pty->session == session && !pty->hung_up)
            return pty;
    return NULL;
}

int os_pty_device(const struct os_fs *fs, int session, int *group) {
    const struct os_pty *pty = pty_of_session(fs, session);
    *group = pty ? pty->group : -1;
    return pty ? PTS_MAJOR << 8 | pty->number : 0;
}

void os_pty_signal(struct os_pty *pty, int signal) {
    struct os_signal_info info = {.signo = signal, .code = OS_SI_KERNEL};
    for (struct os_process *process = pty->os->processes; process; process = process->next)
        if (pty->group != 0 && process->group == pty->group && !process->reaped)
            os_signal_process(process, signal, &info);
}

static void take_session(struct os_pty *pty, const struct os_process *process) {
    pty->session = process->session;
    pty->group = process->group;
}

/* A session leader without a terminal gets the first that it opens (credentials(7)). */
static void adopt_if_leader(struct os_pty *pty, uint32_t flags) {
    const struct os_process *process = pty->os->current ? pty->os->current->process : NULL;
    if (process && !(flags & OS_O_NOCTTY) && pty->session == 0 &&
        process->session == process->pid && process != pty->os->init &&
        !pty_of_session(os_fs(pty->os), process->session))
        take_session(pty, process);
}

void os_pty_leader_exits(struct os_fs *fs, const struct os_process *leader) {
    struct os_pty *pty = pty_of_session(fs, leader->pid);
    if (!pty)
        return;
    os_pty_signal(pty, OS_SIGHUP);
    os_pty_signal(pty, OS_SIGCONT);
    pty->session = pty->group = 0;
}

/* May the running process read from, write to or change its terminal now? A background group is
 * sent the signal, and the call is made again when it is continued. */
static int64_t check_foreground(const struct os_pty *pty, int signal) {
    struct os_task *task = pty->os->current;
    if (!task || task->process->session != pty->session || pty->group == 0 ||
        task->process->group == pty->group)
        return 0;
    bool deaf = task->signal_mask & os_signal_bit(signal) ||
                task->process->actions[signal].handler == OS_SIG_IGN;
    if (deaf)
        return signal == OS_SIGTTIN ? -OS_EIO : 0;
    if (os_group_is_orphaned(task->process))
        return -OS_EIO;
    struct os_signal_info info = {.signo = signal, .code = OS_SI_KERNEL};
    for (struct os_process *process = pty->os->processes; process; process = process->next)
        if (process->group == task->process->group && !process->reaped)
            os_signal_process(process, signal, &info);
    return -OS_EINTR;
}

/* ---- the two ends ---------------------------------------------------------------------------- */

void os_pty_changed(struct os_pty *pty) {
    for (struct os_file *file = os_fs(pty->os)->files; file; file = file->next)
        if (file->pty == pty)
            os_file_notify(file);
}

static int64_t master_read(struct os_file *file, void *to, size_t nbytes, uint64_t offset) {
    struct os_pty *pty = file->pty;
    (void)offset;
    if (pty->output_count == 0)
        return pty->slaves == 0 && pty->slave_opened ? -OS_EIO : -OS_EAGAIN;
    size_t take = nbytes < pty->output_count ? nbytes : pty->output_count;
    memcpy(to, pty->output, take);
    pty->output_count -= take;
    memmove(pty->output, pty->output + take, pty->output_count);
    os_pty_changed(pty);
    return (int64_t)take;
}

static int64_t master_write(struct os_file *file, const void *from, size_t nbytes,
                            uint64_t offset) {
    (void)offset;
    size_t done = os_line_type(file->pty, from, nbytes);
    os_pty_changed(file->pty);
    return done ? (int64_t)done : -OS_EAGAIN;
}

static unsigned master_poll(struct os_file *file) {
    const struct os_pty *pty = file->pty;
    unsigned events = OS_POLLOUT | OS_POLLWRNORM;
    if (pty->output_count > 0)
        events |= OS_POLLIN | OS_POLLRDNORM;
    if (pty->slaves == 0 && pty->slave_opened)
        events |= OS_POLLHUP;
    return events;
}

static int64_t slave_read(struct os_file *file, void *to, size_t nbytes, uint64_t offset) {
    struct os_pty *pty = file->pty;
    (void)offset;
    if (pty->hung_up)
        return 0;
    int64_t result = check_foreground(pty, OS_SIGTTIN);
    if (result < 0)
        return result;
    result = os_line_read(pty, to, nbytes);
    if (result >= 0)
        os_pty_changed(pty);
    return result;
}

static int64_t slave_write(struct os_file *file, const void *from, size_t nbytes, uint64_t offset) {
    struct os_pty *pty = file->pty;
    (void)offset;
    if (pty->hung_up)
        return -OS_EIO;
    int64_t result = 0;
    if (pty->termios.local_flags & TTOU_TOSTOP)
        result = check_foreground(pty, OS_SIGTTOU);
    if (result < 0)
        return result;
    size_t done = os_line_print(pty, from, nbytes);
    if (done)
        os_pty_changed(pty);
    return done ? (int64_t)done : -OS_EAGAIN;
}

static unsigned slave_poll(struct os_file *file) {
    const struct os_pty *pty = file->pty;
    if (pty->hung_up)
        return OS_POLLIN | OS_POLLOUT | OS_POLLERR | OS_POLLHUP | OS_POLLRDNORM | OS_POLLWRNORM;
    unsigned events = os_line_readable(pty) ? OS_POLLIN | OS_POLLRDNORM : 0;
    if (!pty->stopped && pty->output_count < OS_PTY_OUTPUT / 2)
        events |= OS_POLLOUT | OS_POLLWRNORM;
    return events;
}

static int64_t end_stat(struct os_file *file, struct os_stat *stat) {
    os_node_stat(file->os, file->node, stat);
    return 0;
}

static void drop(struct os_pty *pty) {
    struct os_pty **link = &os_fs(pty->os)->ptys;
    if (pty->masters + pty->slaves > 0)
        return;
    while (*link != pty) /* I1 */
        link = &(*link)->next;
    *link = pty->next;
    free(pty);
}

static void hang_up(struct os_pty *pty) {
    struct os_process *leader = os_process_by_pid(pty->os, pty->session);
    pty->hung_up = true;
    if (leader && pty->session) {
        os_signal_process(leader, OS_SIGHUP, NULL);
        os_signal_process(leader, OS_SIGCONT, NULL);
    }
    os_pty_changed(pty);
}

static void end_release(struct os_file *file) {
    struct os_pty *pty = file->pty;
    file->pty = NULL;
    if (file->ops == &master_ops) {
        if (--pty->masters == 0)
            hang_up(pty);
    } else if (--pty->slaves == 0) {
        os_pty_changed(pty);
    }
    drop(pty);
}

/* ---- ioctl ----------------------------------------------------------------------------------- */

static int64_t set_modes(struct os_task *task, struct os_pty *pty, uint64_t request, uint64_t va) {
    struct os_termios wanted, old = pty->termios;
    int64_t result = os_copy_from_user(task, &wanted, va, sizeof wanted);
    if (result < 0)
        return result;
    if (request == OS_TCSETSF)
        os_line_flush_input(pty);
    pty->termios = wanted;
    os_line_modes_changed(pty, &old);
    os_pty_changed(pty);
    return 0;
}

static int64_t set_size(struct os_task *task, struct os_pty *pty, uint64_t va) {
    struct os_winsize size;
    int64_t result = os_copy_from_user(task, &size, va, sizeof size);
    if (result < 0)
        return result;
    bool changed = memcmp(&size, &pty->size, sizeof size) != 0;
    pty->size = size;
    if (changed)
        os_pty_signal(pty, OS_SIGWINCH);
    return 0;
}

static int64_t set_group(struct os_task *task, struct os_pty *pty, uint64_t va) {
    int32_t group;
    if (task->process->session != pty->session)
        return -OS_ENOTTY;
    if (os_copy_from_user(task, &group, va, sizeof group) != 0)
        return -OS_EFAULT;
    if (group < 0)
        return -OS_EINVAL;
    for (struct os_process *process = task->os->processes; process; process = process->next) {
        if (process->group != group || process->reaped)
            continue;
        if (process->session != pty->session)
            return -OS_EPERM;
        pty->group = group;
        os_pty_changed(pty);
        return 0;
    }
    return -OS_ESRCH;
}

static int64_t put_number(struct os_task *task, uint64_t va, int32_t value) {
    return os_copy_to_user(task, va, &value, sizeof value);
}

static int64_t set_controlling(struct os_task *task, struct os_pty *pty) {
    struct os_process *process = task->process;
    if (process->session == pty->session && process->session == process->pid)
        return 0;
    if (process->session != process->pid || pty_of_session(os_fs(task->os), process->session) ||
        pty->session != 0)
        return -OS_EPERM;
    take_session(pty, process);
    return 0;
}

static int64_t flush(struct os_pty *pty, uint64_t which) {
    if (which > 2)
        return -OS_EINVAL;
    if (which != 1)
        os_line_flush_input(pty);
    if (which != 0)
        pty->output_count = 0;
    os_pty_changed(pty);
    return 0;
}

/* What only the session's processes, or anybody at the master's end, may ask. */
static int64_t session_ioctl(struct os_task *task, struct os_file *file, uint64_t request,
                             uint64_t argument) {
    struct os_pty *pty = file->pty;
    bool master = file->ops == &master_ops;
    switch (request) {
    case OS_TIOCGPGRP:
        if (!master && task->process->session != pty->session)
            return -OS_ENOTTY;
        return put_number(task, argument, pty->group);
    case OS_TIOCGSID:
        if ((!master && task->process->session != pty->session) || pty->session == 0)
            return -OS_ENOTTY;
        return put_number(task, argument, pty->session);
    case OS_TIOCSPGRP:
        return set_group(task, pty, argument);
    case OS_TIOCSCTTY:
        return master ? -OS_EINVAL : set_controlling(task, pty);
    case OS_TIOCNOTTY:
        if (task->process->session != pty->session)
            return -OS_ENOTTY;
        if (task->process->session == task->process->pid)
            os_pty_leader_exits(os_fs(task->os), task->process);
        return 0;
    default:
        return -OS_ENOTTY;
    }
}

static int64_t end_ioctl(struct os_task *task, struct os_file *file, uint64_t request,
                         uint64_t argument) {
    struct os_pty *pty = file->pty;
    bool master = file->ops == &master_ops;
    if (pty->hung_up)
        return request == OS_TIOCSPGRP ? -OS_ENOTTY : -OS_EIO;
    bool changes = request == OS_TCSETS || request == OS_TCSETSW || request == OS_TCSETSF ||
                   request == OS_TIOCSPGRP || request == OS_TCSBRK || request == OS_TCFLSH;
    int64_t result = changes && !master ? check_foreground(pty, OS_SIGTTOU) : 0;
    if (result < 0)
        return result;
    switch (request) {
    case OS_TCGETS:
        return os_copy_to_user(task, argument, &pty->termios, sizeof pty->termios);
    case OS_TCSETS:
    case OS_TCSETSW:
    case OS_TCSETSF:
        return set_modes(task, pty, request, argument);
    case OS_TIOCGWINSZ:
        return os_copy_to_user(task, argument, &pty->size, sizeof pty->size);
    case OS_TIOCSWINSZ:
        return set_size(task, pty, argument);
    case OS_FIONREAD:
        return put_number(task, argument,
                          (int32_t)(master ? pty->output_count : os_line_waiting(pty)));
    case OS_TIOCOUTQ:
        return put_number(task, argument, master ? 0 : (int32_t)pty->output_count);
    case OS_TCFLSH:
        return flush(pty, argument);
    case OS_TCSBRK:
        return 0;
    case OS_TCXONC:
        pty->stopped = argument == 0 || (argument != 1 && pty->stopped);
        os_pty_changed(pty);
        return 0;
    case OS_TIOCGPTN:
        return master ? put_number(task, argument, pty->number) : -OS_ENOTTY;
    case OS_TIOCSPTLCK: {
        int32_t on;
        if (!master || os_copy_from_user(task, &on, argument, sizeof on) != 0)
            return master ? -OS_EFAULT : -OS_ENOTTY;
        pty->locked = on != 0;
        return 0;
    }
    case OS_TIOCGPTLCK:
        return master ? put_number(task, argument, pty->locked) : -OS_ENOTTY;
    case OS_TIOCGPTPEER:
        return master ? os_pty_open_peer(task, file, (uint32_t)argument) : -OS_ENOTTY;
    default:
        return session_ioctl(task, file, request, argument);
    }
}

#define END_OPERATIONS .name = "tty", .stat = end_stat, .ioctl = end_ioctl, .release = end_release
static const struct os_file_ops master_ops = {END_OPERATIONS, .read = master_read,
                                              .write = master_write, .poll = master_poll};
static const struct os_file_ops slave_ops = {END_OPERATIONS, .read = slave_read,
                                             .write = slave_write, .poll = slave_poll};

/* ---- opening --------------------------------------------------------------------------------- */

static struct os_pty *find_number(const struct os_fs *fs, int number) {
    for (struct os_pty *pty = fs->ptys; pty; pty = pty->next)
        if (pty->number == number)
            return pty;
    return NULL;
}

static struct os_file *new_end(struct os_pty *pty, const struct os_file_ops *ops,
                               struct os_node node, const char *path, uint32_t flags) {
    struct os_file *file = os_file_new(pty->os, ops, path, flags, node.entry->mode);
    if (!file)
        return NULL;
    file->pty = pty;
    file->node = node;
    return file;
}

int64_t os_pty_open_master(struct os *os, struct os_node node, const char *path, uint32_t flags,
                           struct os_file **out) {
    struct os_fs *fs = os_fs(os);
    int number = 0;
    while (number < PTYS_MAX && find_number(fs, number))
        number++;
    if (number == PTYS_MAX)
        return -OS_ENOSPC;
    struct os_pty *pty = calloc(1, sizeof *pty);
    if (!pty)
        return -OS_ENOMEM;
    pty->os = os;
    pty->number = number;
    pty->locked = true;
    os_line_init(pty);
    *out = new_end(pty, &master_ops, node, path, flags);
    if (!*out) {
        free(pty);
        return -OS_ENOMEM;
    }
    pty->masters = 1;
    pty->next = fs->ptys;
    fs->ptys = pty; /* I1 */
    return 0;
}

static int64_t open_pty(struct os_pty *pty, struct os_node node, const char *path, uint32_t flags,
                        struct os_file **out) {
    if (pty->locked || pty->hung_up)
        return -OS_EIO;
    *out = new_end(pty, &slave_ops, node, path, flags);
    if (!*out)
        return -OS_ENOMEM;
    pty->slaves++;
    pty->slave_opened = true;
    adopt_if_leader(pty, flags);
    os_pty_changed(pty);
    return 0;
}

static int64_t open_slave(struct os *os, struct os_node node, const char *path, uint32_t flags,
                          struct os_file **out) {
    struct os_pty *pty = find_number(os_fs(os), node.number);
    return pty ? open_pty(pty, node, path, flags, out) : -OS_ENXIO;
}

/* /dev/tty: the terminal of who asks: a pty, or the host's for the first session. */
int64_t os_tty_open(struct os *os, struct os_node node, const char *path, uint32_t flags,
                    struct os_file **out) {
    const struct os_process *process = os->current ? os->current->process : NULL;
    struct os_pty *pty = process ? pty_of_session(os_fs(os), process->session) : NULL;
    if (pty)
        return open_pty(pty, node, path, flags | OS_O_NOCTTY, out);
    if (process && os->init && process->session != os->init->session)
        return -OS_ENXIO;
    return os_console_open(os, path, flags, out);
}

int64_t os_tty_open_console(struct os *os, struct os_node node, const char *path, uint32_t flags,
                            struct os_file **out) {
    (void)node;
    return os_console_open(os, path, flags, out);
}

/* ---- /dev/pts -------------------------------------------------------------------------------- */

static const struct os_entry slave_entry = {
    .name = "pts", .mode = OS_S_IFCHR | 0620, .open = open_slave, .device_major = PTS_MAJOR};
int64_t os_pty_open_peer(struct os_task *task, struct os_file *master, uint32_t flags) {
    char path[24];
    struct os_file *file;
    struct os_node node = {&slave_entry, 0, master->pty->number};
    snprintf(path, sizeof path, "/dev/pts/%d", node.number);
    int64_t result = open_pty(master->pty, node, path, flags, &file);
    return result < 0 ? result : os_fd_install(task->process, file, (flags & OS_O_CLOEXEC) != 0, 0);
}

bool os_pty_find(struct os *os, struct os_node at, const char *name, struct os_node *out) {
    int number;
    (void)at;
    if (!os_proc_number(name, &number) || !find_number(os_fs(os), number))
        return false;
    *out = (struct os_node){&slave_entry, 0, number};
    return true;
}

void os_pty_list(struct os *os, struct os_node at, struct os_listing *listing) {
    (void)at;
    for (const struct os_pty *pty = os_fs(os)->ptys; pty; pty = pty->next) {
        char name[16];
        snprintf(name, sizeof name, "%d", pty->number);
        os_listing_add(listing, name, os_node_inode((struct os_node){&slave_entry, 0, pty->number}),
                       OS_DT_CHR);
    }
}
