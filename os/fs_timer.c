/* fs_timer.c: timerfd: a clock's alarm as an open file, for programs that poll everything.
 *
 * A timer is the moment at which it rings next and how often after that; how often it has rung
 * since the last read is the file's counter. Nothing happens at that moment by itself: whoever
 * looks (read, poll, gettime) counts first what has rung meanwhile, and the scheduler looks between
 * two turns, to wake who sleeps. (A list of all timers in order was rejected: programs have few.)
 *
 *      timerfd_settime ─▶ timer_next_ns ─▶ settle(now): counter += rings, next moves on ─▶ read
 *
 * I1  timer_next_ns is 0 in a timer that is not armed, and in every other file.
 * I2  fs->ntimers is the number of open timer files: with none the scheduler looks at no file.
 *
 * Both clocks run alike (os_realtime_ns is os_now_ns plus a constant), so an absolute time on
 * CLOCK_REALTIME is moved to the monotonic one when it is set. May fail: EINVAL, EFAULT, EMFILE.
 */
#include "os/fs.h"

#include <string.h>

#define TIMER_ABSOLUTE      1 /* TFD_TIMER_ABSTIME */
#define TIMER_CANCEL_ON_SET 2 /* the clock is never set here */

struct timer_value { /* struct itimerspec */
    struct os_timespec interval, value;
};

static void settle(struct os_file *file) {
    uint64_t now = os_now_ns(file->os), interval = file->timer_interval_ns;
    if (file->timer_next_ns == 0 || file->timer_next_ns > now)
        return;
    uint64_t rings = interval ? 1 + (now - file->timer_next_ns) / interval : 1;
    file->counter += rings;
    file->timer_next_ns = interval ? file->timer_next_ns + rings * interval : 0;
    os_file_notify(file);
}

static int64_t timer_read(struct os_file *file, void *to, size_t nbytes, uint64_t offset) {
    (void)offset;
    if (nbytes < sizeof file->counter)
        return -OS_EINVAL;
    settle(file);
    if (file->counter == 0)
        return -OS_EAGAIN;
    memcpy(to, &file->counter, sizeof file->counter);
    file->counter = 0;
    return sizeof file->counter;
}

static unsigned timer_poll(struct os_file *file) {
    settle(file);
    return file->counter > 0 ? OS_POLLIN | OS_POLLRDNORM : 0;
}

static void timer_release(struct os_file *file) {
    os_fs(file->os)->ntimers--; /* I2 */
}

static const struct os_file_ops timer_ops = {
    .name = "[timerfd]", .read = timer_read, .poll = timer_poll, .release = timer_release};

/* ---- for the scheduler ----------------------------------------------------------------------- */

void os_files_timers_run(struct os_fs *fs) {
    if (fs->ntimers == 0)
        return;
    for (struct os_file *file = fs->files; file; file = file->next)
        settle(file);
}

uint64_t os_files_timers_next(const struct os_fs *fs) {
    uint64_t next = UINT64_MAX;
    if (fs->ntimers == 0)
        return next;
    for (const struct os_file *file = fs->files; file; file = file->next)
        if (file->timer_next_ns != 0 && file->timer_next_ns < next)
            next = file->timer_next_ns;
    return next;
}

/* ---- the calls ------------------------------------------------------------------------------- */

OS_CALL(timerfd_create) {
    bool realtime = args[0] == OS_CLOCK_REALTIME;
    if ((!realtime && args[0] != OS_CLOCK_MONOTONIC && args[0] != OS_CLOCK_BOOTTIME) ||
        args[1] & ~(uint64_t)(OS_O_CLOEXEC | OS_O_NONBLOCK))
        return -OS_EINVAL;
    struct os_file *file = os_file_new(task->os, &timer_ops, "anon_inode:[timerfd]",
                                       OS_O_RDWR | (args[1] & OS_O_NONBLOCK), 0600);
    if (!file)
        return -OS_ENOMEM;
    file->timer_realtime = realtime;
    os_fs(task->os)->ntimers++;
    return os_fd_install(task->process, file, (args[1] & OS_O_CLOEXEC) != 0, 0);
}

/* The timer file of a descriptor; NULL with what to answer. */
static struct os_file *timer_of(struct os_task *task, uint64_t fd, int64_t *error) {
    struct os_file *file = os_file_of(task->process, (int)fd);
    *error = !file ? -OS_EBADF : file->ops != &timer_ops ? -OS_EINVAL : 0;
    return *error ? NULL : file;
}

static int64_t put_timer(struct os_task *task, struct os_file *file, uint64_t va) {
    settle(file);
    uint64_t now = os_now_ns(task->os), next = file->timer_next_ns;
    struct timer_value value = {os_timespec_of(file->timer_interval_ns),
                                os_timespec_of(next > now ? next - now : 0)};
    return os_copy_to_user(task, va, &value, sizeof value);
}

OS_CALL(timerfd_settime) {
    int64_t error;
    uint64_t first, interval;
    struct timer_value wanted;
    struct os_file *file = timer_of(task, args[0], &error);
    if (os_copy_from_user(task, &wanted, args[2], sizeof wanted) != 0)
        return -OS_EFAULT;
    if (args[1] & ~(uint64_t)(TIMER_ABSOLUTE | TIMER_CANCEL_ON_SET) ||
        !os_timer_ns(&wanted.value, &first) || !os_timer_ns(&wanted.interval, &interval))
        return -OS_EINVAL;
    if (!file)
        return error;
    if (args[3] && (error = put_timer(task, file, args[3])) != 0)
        return error;
    uint64_t now = os_now_ns(task->os), ahead = os_realtime_ns(task->os) - now;
    if (first != 0 && !(args[1] & TIMER_ABSOLUTE))
        first += now;
    else if (first != 0 && file->timer_realtime)
        first = first > ahead ? first - ahead : 1; /* I1: long ago, but armed */
    file->timer_next_ns = first;
    file->timer_interval_ns = interval;
    file->counter = 0;
    return 0;
}

OS_CALL(timerfd_gettime) {
    int64_t error;
    struct os_file *file = timer_of(task, args[0], &error);
    return file ? put_timer(task, file, args[1]) : error;
}
