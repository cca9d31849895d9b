/* fs_tty.c: ioctl, and the console: the host's terminal when there is one.
 *
 * Of the terminal's ioctls those pass through to the host that only describe it or set how it
 * behaves; its state is put back at the end (fs_mount.c). Job control is minimal: the foreground
 * group is a number that we keep, no process is stopped for reading in the background.
 *
 * May fail: ENOTTY for whatever is no terminal; EFAULT, EBADF.
 */
#include "os/fs.h"

#include <sys/ioctl.h>
#include <unistd.h>

/* Foreground group: what was set, or that of process 1. */
int os_console_group(struct os *os) {
    const struct os_fs *fs = os_fs(os);
    const struct os_process *first = os_process_first(os);
    return fs->foreground_group ? fs->foreground_group : first ? first->group : 1;
}

static int64_t get_termios(struct os_task *task, struct os_file *file, uint64_t va) {
    struct {
        struct os_termios termios;
        uint8_t more[64]; /* a host whose structure is longer */
    } buffer = {0};
    if (ioctl(file->host_fd, TCGETS, &buffer) < 0)
        return os_host_error();
    return os_copy_to_user(task, va, &buffer.termios, sizeof buffer.termios);
}

static int64_t set_termios(struct os_task *task, struct os_file *file, uint64_t request,
                           uint64_t va) {
    struct {
        struct os_termios termios;
        uint8_t more[64];
    } buffer = {0};
    int64_t result = os_copy_from_user(task, &buffer.termios, va, sizeof buffer.termios);
    if (result < 0)
        return result;
    unsigned long host = request == OS_TCSETS ? TCSETS : request == OS_TCSETSW ? TCSETSW : TCSETSF;
    return ioctl(file->host_fd, host, &buffer) < 0 ? os_host_error() : 0;
}

static int64_t window(struct os_task *task, struct os_file *file, uint64_t request, uint64_t va) {
    struct os_winsize size = {0};
    struct winsize host = {0};
    if (request == OS_TIOCSWINSZ)
        return os_copy_from_user(task, &size, va, sizeof size); /* the window is the host's */
    if (ioctl(file->host_fd, TIOCGWINSZ, &host) < 0)
        return os_host_error();
    size = (struct os_winsize){host.ws_row, host.ws_col, host.ws_xpixel, host.ws_ypixel};
    return os_copy_to_user(task, va, &size, sizeof size);
}

static int64_t group(struct os_task *task, uint64_t request, uint64_t va) {
    int32_t value = request == OS_TIOCGSID ? task->process->session : os_console_group(task->os);
    if (request != OS_TIOCSPGRP)
        return os_copy_to_user(task, va, &value, sizeof value);
    int64_t result = os_copy_from_user(task, &value, va, sizeof value);
    if (result < 0)
        return result;
    if (value <= 0)
        return -OS_EINVAL;
    os_fs(task->os)->foreground_group = value;
    return 0;
}

static int64_t bytes_waiting(struct os_task *task, struct os_file *file, uint64_t va) {
    int host = 0;
    if (ioctl(file->host_fd, FIONREAD, &host) < 0)
        return os_host_error();
    int32_t value = host;
    return os_copy_to_user(task, va, &value, sizeof value);
}

int64_t os_tty_ioctl(struct os_task *task, struct os_file *file, uint64_t request,
                     uint64_t argument) {
    if (request == OS_FIONREAD)
        return bytes_waiting(task, file, argument);
    if (!isatty(file->host_fd))
        return -OS_ENOTTY;
    switch (request) {
    case OS_TCGETS:
        return get_termios(task, file, argument);
    case OS_TCSETS:
    case OS_TCSETSW:
    case OS_TCSETSF:
        return set_termios(task, file, request, argument);
    case OS_TIOCGWINSZ:
    case OS_TIOCSWINSZ:
        return window(task, file, request, argument);
    case OS_TIOCGPGRP:
    case OS_TIOCSPGRP:
    case OS_TIOCGSID:
        return group(task, request, argument);
    case OS_TCSBRK:
    case OS_TCXONC:
    case OS_TIOCSCTTY:
    case OS_TIOCNOTTY:
        return 0;
    case OS_TCFLSH:
        return ioctl(file->host_fd, TCFLSH, (int)argument) < 0 ? os_host_error() : 0;
    case OS_TIOCOUTQ: {
        int32_t none = 0;
        return os_copy_to_user(task, argument, &none, sizeof none);
    }
    default:
        return -OS_ENOTTY;
    }
}

OS_CALL(ioctl) {
    struct os_file *file = os_file_of(task->process, (int)args[0]);
    uint64_t request = (uint32_t)args[1];
    int32_t on = 0;
    if (!file || (file->flags & OS_O_PATH))
        return -OS_EBADF;
    switch (request) {
    case OS_FIOCLEX:
    case OS_FIONCLEX:
        return os_fd_set_cloexec(task->process, (int)args[0], request == OS_FIOCLEX);
    case OS_FIONBIO:
        if (os_copy_from_user(task, &on, args[2], sizeof on) < 0)
            return -OS_EFAULT;
        file->flags = on ? file->flags | OS_O_NONBLOCK : file->flags & ~(uint32_t)OS_O_NONBLOCK;
        return 0;
    default:
        return file->ops->ioctl ? file->ops->ioctl(task, file, request, args[2]) : -OS_ENOTTY;
    }
}
