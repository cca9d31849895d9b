/* fs_signal.c: signals and processes as open files: signalfd, pidfd, and inotify.
 *
 *   signalfd   read takes pending signals of who reads, as rt_sigtimedwait does
 *   pidfd      ready to be read once the process has ended; a name that is never given again
 *   inotify    the host's: what happens to its files it tells itself, in order, when we make it
 *              happen
 *
 * I1  fs->nsignal_files is the number of open signalfds and pidfds: with none nothing is looked for
 *     when a signal is sent or a process ends.
 *
 * May fail: as signalfd(2), pidfd_open(2), pidfd_send_signal(2), inotify(7).
 */
#include "os/fs.h"
#include "os/process.h"

#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define UNMASKABLE (os_signal_bit(OS_SIGKILL) | os_signal_bit(OS_SIGSTOP))

/* ---- signalfd -------------------------------------------------------------------------------- */

struct signal_record { /* struct signalfd_siginfo */
    uint32_t signo;
    int32_t error, code;
    uint32_t pid, uid;
    int32_t fd;
    uint32_t tid, band, overrun, trap;
    int32_t status, value_int;
    uint64_t value, user_time, system_time, address;
    uint8_t more[48];
};
_Static_assert(sizeof(struct signal_record) == 128, "struct signalfd_siginfo");

static uint64_t waiting(const struct os_file *file) {
    const struct os_task *task = file->os->current;
    return task ? (task->pending | task->process->pending) & file->counter : 0;
}

static void fill(struct signal_record *record, const struct os_signal_info *info) {
    *record = (struct signal_record){.signo = (uint32_t)info->signo,
                                     .error = info->error,
                                     .code = info->code,
                                     .pid = (uint32_t)info->pid,
                                     .uid = (uint32_t)info->uid};
    if (info->signo == OS_SIGCHLD) {
        record->status = info->status;
    } else if (info->code == OS_SI_TIMER) {
        record->tid = (uint32_t)info->pid;
        record->overrun = (uint32_t)info->uid;
        record->pid = record->uid = 0;
    }
    if (info->code < 0) {
        record->value = info->address;
        record->value_int = (int32_t)info->address;
    }
}

static int64_t signal_read(struct os_file *file, void *to, size_t nbytes, uint64_t offset) {
    struct signal_record record;
    size_t done = 0;
    (void)offset;
    if (nbytes < sizeof record)
        return -OS_EINVAL;
    for (uint64_t set; (set = waiting(file)) && nbytes - done >= sizeof record;) {
        struct os_signal_info info;
        os_signal_dequeue(file->os->current, 1 + __builtin_ctzll(set), &info);
        fill(&record, &info);
        memcpy((uint8_t *)to + done, &record, sizeof record);
        done += sizeof record;
    }
    return done ? (int64_t)done : -OS_EAGAIN;
}

static unsigned signal_poll(struct os_file *file) {
    return waiting(file) ? OS_POLLIN | OS_POLLRDNORM : 0;
}

static void counted_release(struct os_file *file) {
    os_fs(file->os)->nsignal_files--; /* I1 */
}

static const struct os_file_ops signal_ops = {
    .name = "[signalfd]", .read = signal_read, .poll = signal_poll, .release = counted_release};

void os_files_signalled(struct os_fs *fs, int signal) {
    if (fs->nsignal_files == 0)
        return;
    for (struct os_file *file = fs->files; file; file = file->next)
        if (file->ops == &signal_ops && file->counter & os_signal_bit(signal))
            os_file_notify(file);
}

static struct os_file *new_counted(struct os *os, const struct os_file_ops *ops, const char *path,
                                   uint32_t flags) {
    struct os_file *file = os_file_new(os, ops, path, OS_O_RDWR | flags, 0600);
    os_fs(os)->nsignal_files += file != NULL;
    return file;
}

OS_CALL(signalfd4) {
    uint64_t mask;
    if (args[2] != sizeof mask || args[3] & ~(uint64_t)(OS_O_CLOEXEC | OS_O_NONBLOCK))
        return -OS_EINVAL;
    if (os_copy_from_user(task, &mask, args[1], sizeof mask) != 0)
        return -OS_EFAULT;
    struct os_file *file = NULL;
    if ((int)args[0] != -1) {
        file = os_file_of(task->process, (int)args[0]);
        if (!file || file->ops != &signal_ops)
            return file ? -OS_EINVAL : -OS_EBADF;
        file->counter = mask & ~UNMASKABLE;
        os_file_notify(file);
        return (int)args[0];
    }
    file = new_counted(task->os, &signal_ops, "anon_inode:[signalfd]", args[3] & OS_O_NONBLOCK);
    if (!file)
        return -OS_ENOMEM;
    file->counter = mask & ~UNMASKABLE;
    return os_fd_install(task->process, file, (args[3] & OS_O_CLOEXEC) != 0, 0);
}

/* ---- pidfd ----------------------------------------------------------------------------------- */

#define PIDFD_NONBLOCK OS_O_NONBLOCK

/* Its process; NULL: it was waited for. A pid that was given anew began later. */
static struct os_process *process_of(const struct os_file *file) {
    struct os_process *process = os_process_by_pid(file->os, file->pid);
    return process && process->serial == file->counter ? process : NULL;
}

static unsigned pid_poll(struct os_file *file) {
    const struct os_process *process = process_of(file);
    return !process          ? OS_POLLIN | OS_POLLRDNORM | OS_POLLHUP
           : process->zombie ? OS_POLLIN | OS_POLLRDNORM
                             : 0;
}

static const struct os_file_ops pid_ops = {
    .name = "[pidfd]", .poll = pid_poll, .release = counted_release};

void os_files_process_ended(struct os_fs *fs, int pid) {
    if (fs->nsignal_files == 0)
        return;
    for (struct os_file *file = fs->files; file; file = file->next)
        if (file->ops == &pid_ops && file->pid == pid)
            os_file_notify(file);
}

int64_t os_pidfd_new(struct os_task *task, const struct os_process *process, uint32_t flags) {
    struct os_file *file = new_counted(task->os, &pid_ops, "anon_inode:[pidfd]", flags);
    if (!file)
        return -OS_ENOMEM;
    file->pid = process->pid;
    file->counter = process->serial;
    return os_fd_install(task->process, file, true, 0);
}

OS_CALL(pidfd_open) {
    if (args[1] & ~(uint64_t)PIDFD_NONBLOCK || (int)args[0] <= 0)
        return -OS_EINVAL;
    struct os_process *process = os_process_by_pid(task->os, (int)args[0]);
    if (!process)
        return os_task_by_tid(task->os, (int)args[0]) ? -OS_EINVAL : -OS_ESRCH;
    return os_pidfd_new(task, process, args[1] & PIDFD_NONBLOCK);
}

int64_t os_pidfd_process(struct os_task *task, uint64_t fd, struct os_process **process) {
    struct os_file *file = os_file_of(task->process, (int)fd);
    *process = NULL;
    if (!file || file->ops != &pid_ops)
        return -OS_EBADF;
    *process = process_of(file);
    return *process ? 0 : -OS_ESRCH;
}

/* A pidfd, or as on Linux, /proc/PID opened as a directory (killall does it). */
static int64_t receiver_of(struct os_task *task, uint64_t fd, struct os_process **process) {
    const struct os_file *file = os_file_of(task->process, (int)fd);
    if (!file || file->pid == 0 || file->ops == &pid_ops)
        return os_pidfd_process(task, fd, process);
    *process = process_of(file);
    return *process ? 0 : -OS_ESRCH;
}

OS_CALL(pidfd_send_signal) {
    struct os_process *process;
    int signal = (int)args[1];
    if (args[3])
        return -OS_EINVAL;
    int64_t result = receiver_of(task, args[0], &process);
    if (result < 0)
        return result;
    if (signal < 0 || signal > OS_NSIG)
        return -OS_EINVAL;
    struct os_signal_info info = {.signo = signal, .code = OS_SI_USER, .pid = task->process->pid};
    struct os_siginfo given;
    if (args[2]) {
        if (os_copy_from_user(task, &given, args[2], sizeof given) != 0)
            return -OS_EFAULT;
        if (given.signo != signal)
            return -OS_EINVAL;
        if (process != task->process && given.code >= 0)
            return -OS_EPERM;
        info = (struct os_signal_info){
            signal, given.code,         given.error, given.is.user.pid, given.is.user.uid,
            0,      given.is.user.value};
    }
    if (signal != 0 && !os_signal_process(process, signal, &info))
        return -OS_EAGAIN;
    return 0;
}

/* ---- inotify --------------------------------------------------------------------------------- */

static int64_t notify_read(struct os_file *file, void *to, size_t nbytes, uint64_t offset) {
    (void)offset;
    int64_t got = read(file->host_fd, to, nbytes);
    return got < 0 ? os_host_error() : got;
}

static unsigned notify_poll(struct os_file *file) {
    return os_host_poll(file->host_fd, OS_POLLIN) & OS_POLLIN ? OS_POLLIN | OS_POLLRDNORM : 0;
}

static int64_t notify_ioctl(struct os_task *task, struct os_file *file, uint64_t request,
                            uint64_t argument) {
    return request == OS_FIONREAD ? os_tty_ioctl(task, file, request, argument) : -OS_ENOTTY;
}

static const struct os_file_ops notify_ops = {.name = "inotify",
                                              .waits_on_host = true,
                                              .read = notify_read,
                                              .poll = notify_poll,
                                              .ioctl = notify_ioctl};

OS_CALL(inotify_init1) {
    if (args[0] & ~(uint64_t)(OS_O_CLOEXEC | OS_O_NONBLOCK))
        return -OS_EINVAL;
    int host_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (host_fd < 0)
        return os_host_error();
    struct os_file *file = os_file_new(task->os, &notify_ops, "anon_inode:inotify",
                                       OS_O_RDONLY | (args[0] & OS_O_NONBLOCK), 0600);
    if (!file) {
        close(host_fd);
        return -OS_ENOMEM;
    }
    file->host_fd = host_fd;
    return os_fd_install(task->process, file, (args[0] & OS_O_CLOEXEC) != 0, 0);
}

static struct os_file *notify_of(struct os_task *task, uint64_t fd, int64_t *error) {
    struct os_file *file = os_file_of(task->process, (int)fd);
    *error = !file ? -OS_EBADF : file->ops != &notify_ops ? -OS_EINVAL : 0;
    return *error ? NULL : file;
}

OS_CALL(inotify_add_watch) {
    int64_t error;
    char link[OS_HOST_LINK_BYTES];
    struct os_place place;
    uint32_t mask = (uint32_t)args[2];
    struct os_file *file = notify_of(task, args[0], &error);
    if (!file)
        return error;
    error = os_walk_user(task, OS_AT_FDCWD, args[1], mask & IN_DONT_FOLLOW ? OS_WALK_NOFOLLOW : 0,
                         &place);
    if (error < 0)
        return error;
    int fd = os_place_fd(&place);
    if (fd < 0) {
        error = -OS_ENOSPC; /* of /proc and /dev nothing is told; tail polls then */
    } else if (mask & IN_ONLYDIR && !(place.fd >= 0 && S_ISDIR(place.status.st_mode))) {
        error = -OS_ENOTDIR;
    } else {
        int watch = inotify_add_watch(file->host_fd, os_host_link(fd, link),
                                      mask & ~(uint32_t)(IN_DONT_FOLLOW | IN_ONLYDIR));
        error = watch < 0 ? os_host_error() : watch;
    }
    os_place_done(&place);
    return error;
}

OS_CALL(inotify_rm_watch) {
    int64_t error;
    struct os_file *file = notify_of(task, args[0], &error);
    if (!file)
        return error;
    return inotify_rm_watch(file->host_fd, (int)args[1]) < 0 ? os_host_error() : 0;
}
