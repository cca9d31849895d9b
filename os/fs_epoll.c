/* fs_epoll.c: epoll: a set of files to wait for that the kernel keeps.
 *
 *   open file (epoll) ──> watches: [descriptor, open file, events, data] ...
 *
 * A wait asks each watched file, as ppoll does; keeping ready lists would need hooks in every kind
 * of file. Edge-triggered watches compare the file's count of happenings with the one of the last
 * report.
 *
 * Invariants:
 *   I1  a watch refers to an open file without holding it: when the last descriptor of that file is
 *       closed, os_epoll_forget takes the watch away (epoll(7), Q6).
 *   I2  watches are in the order they were added; a full answer goes on after the last one
 *       reported.
 *
 * May fail: as epoll_ctl(2), epoll_wait(2). An epoll may watch another epoll, not itself.
 */
#include "os/fs.h"
#include "os/process.h"

#include <poll.h>
#include <stdlib.h>

struct watch {
    struct os_file *file;
    int fd;
    uint32_t events;
    uint64_t data;
    uint64_t seen;     /* the file's activity at the last report */
    unsigned reported; /* what was told then */
    bool disabled;     /* EPOLLONESHOT has fired */
};

struct os_epoll {
    struct watch *watches;
    unsigned count, capacity, next;
};

#define EPOLL_EVENTS_MASK 0x3fffu /* those that poll has as well */
#define EPOLL_ALWAYS      (OS_POLLERR | OS_POLLHUP)
#define EPOLL_DEPTH       4 /* of epolls in epolls: Linux allows 5 */
#define EPOLL_REPORT_MAX  64

/* ---- state ----------------------------------------------------------------------------------- */

static unsigned ready_events(struct watch *watch) {
    if (watch->disabled)
        return 0;
    unsigned events =
        os_file_poll(watch->file) & ((watch->events & EPOLL_EVENTS_MASK) | EPOLL_ALWAYS);
    bool edge = watch->events & OS_EPOLLET;
    if (!events)
        watch->reported = 0;
    if (edge && watch->seen == watch->file->activity && !(events & ~watch->reported))
        return 0; /* nothing new since the last report */
    return events;
}

static unsigned epoll_poll(struct os_file *file) {
    for (unsigned i = 0; i < file->epoll->count; i++)
        if (ready_events(&file->epoll->watches[i]))
            return OS_POLLIN | OS_POLLRDNORM;
    return 0;
}

static void epoll_release(struct os_file *file) {
    free(file->epoll->watches);
    free(file->epoll);
    file->epoll = NULL;
}

static const struct os_file_ops epoll_ops = {
    .name = "[eventpoll]", .poll = epoll_poll, .release = epoll_release};

static void remove_watch(struct os_epoll *epoll, unsigned index) {
    epoll->count--;
    for (unsigned i = index; i < epoll->count; i++)
        epoll->watches[i] = epoll->watches[i + 1];
}

void os_epoll_forget(struct os_fs *fs, const struct os_file *file) {
    for (struct os_file *other = fs->files; other; other = other->next) {
        if (!other->epoll)
            continue;
        for (unsigned i = other->epoll->count; i-- > 0;)
            if (other->epoll->watches[i].file == file) /* I1 */
                remove_watch(other->epoll, i);
    }
}

OS_CALL(epoll_create1) {
    if (args[0] & ~(uint64_t)OS_O_CLOEXEC)
        return -OS_EINVAL;
    struct os_epoll *epoll = calloc(1, sizeof *epoll);
    if (!epoll)
        return -OS_ENOMEM;
    struct os_file *file =
        os_file_new(task->os, &epoll_ops, "anon_inode:[eventpoll]", OS_O_RDWR, 0600);
    if (!file) {
        free(epoll);
        return -OS_ENOMEM;
    }
    file->epoll = epoll;
    return os_fd_install(task->process, file, (args[0] & OS_O_CLOEXEC) != 0, 0);
}

/* ---- changing the set ------------------------------------------------------------------------ */

static int find_watch(const struct os_epoll *epoll, const struct os_file *file, int fd) {
    for (unsigned i = 0; i < epoll->count; i++)
        if (epoll->watches[i].file == file && epoll->watches[i].fd == fd)
            return (int)i;
    return -1;
}

/* Would watching file make a circle, or a chain that is too long? */
static bool reaches(const struct os_file *file, const struct os_file *goal, unsigned depth) {
    if (file == goal || depth == 0)
        return true;
    for (unsigned i = 0; file->epoll && i < file->epoll->count; i++)
        if (file->epoll->watches[i].file->epoll &&
            reaches(file->epoll->watches[i].file, goal, depth - 1))
            return true;
    return false;
}

static int64_t add_watch(struct os_epoll *epoll, const struct watch *watch) {
    if (epoll->count == epoll->capacity) {
        unsigned capacity = epoll->capacity ? 2 * epoll->capacity : 8;
        struct watch *watches = realloc(epoll->watches, capacity * sizeof *watches);
        if (!watches)
            return -OS_ENOMEM;
        epoll->watches = watches;
        epoll->capacity = capacity;
    }
    epoll->watches[epoll->count++] = *watch;
    return 0;
}

OS_CALL(epoll_ctl) {
    struct os_file *self = os_file_of(task->process, (int)args[0]);
    struct os_file *file = os_file_of(task->process, (int)args[2]);
    struct os_epoll_event event = {0};
    if (args[1] != OS_EPOLL_CTL_DEL) {
        int64_t result = os_copy_from_user(task, &event, args[3], sizeof event);
        if (result < 0)
            return result;
    }
    if (!self || !file)
        return -OS_EBADF;
    if (!self->epoll || self == file)
        return -OS_EINVAL;
    if (!file->ops->poll || file->ops->seekable || file->ops->list)
        return -OS_EPERM; /* files and directories are always ready */
    int index = find_watch(self->epoll, file, (int)args[2]);
    struct watch watch = {.file = file,
                          .fd = (int)args[2],
                          .events = event.events,
                          .data = event.data,
                          .seen = file->activity};
    switch ((int)args[1]) {
    case OS_EPOLL_CTL_ADD:
        if (index >= 0)
            return -OS_EEXIST;
        if (file->epoll && reaches(file, self, EPOLL_DEPTH))
            return -OS_ELOOP;
        break;
    case OS_EPOLL_CTL_MOD:
    case OS_EPOLL_CTL_DEL:
        if (index < 0)
            return -OS_ENOENT;
        if (args[1] == OS_EPOLL_CTL_DEL)
            remove_watch(self->epoll, (unsigned)index);
        else
            self->epoll->watches[index] = watch;
        os_file_notify(self);
        return 0;
    default:
        return -OS_EINVAL;
    }
    int64_t result = add_watch(self->epoll, &watch);
    os_file_notify(self); /* who waits looks again */
    return result;
}

/* ---- waiting --------------------------------------------------------------------------------- */

static int64_t report(struct os_task *task, struct os_epoll *epoll, uint64_t va,
                      unsigned capacity) {
    unsigned count = epoll->count, told = 0;
    for (unsigned i = 0; i < count && told < capacity; i++) {
        struct watch *watch = &epoll->watches[(epoll->next + i) % count]; /* I2 */
        unsigned events = ready_events(watch);
        if (!events)
            continue;
        struct os_epoll_event event = {.events = events, .data = watch->data};
        if (os_copy_to_user(task, va + told * sizeof event, &event, sizeof event) < 0)
            return told ? (int64_t)told : -OS_EFAULT;
        watch->seen = watch->file->activity;
        watch->reported = events;
        watch->disabled = (watch->events & OS_EPOLLONESHOT) != 0;
        if (++told == capacity)
            epoll->next = (epoll->next + i + 1) % count;
    }
    return told;
}

static int64_t wait_files(struct os_task *task, struct os_epoll *epoll, uint64_t va,
                          unsigned capacity) {
    struct pollfd host[EPOLL_REPORT_MAX];
    unsigned nhost = 0;
    int64_t told = report(task, epoll, va, capacity);
    if (told != 0)
        return told;
    for (unsigned i = 0; i < epoll->count; i++)
        if (!epoll->watches[i].disabled)
            os_poll_host(epoll->watches[i].file, epoll->watches[i].events & EPOLL_EVENTS_MASK, host,
                         &nhost, EPOLL_REPORT_MAX);
    return os_poll_sleep(task, host, nhost);
}

#define NS_PER_MS 1000000u

static int64_t wait_until(struct os_task *task, const uint64_t args[6], uint64_t deadline_ns) {
    struct os_file *file = os_file_of(task->process, (int)args[0]);
    int capacity = (int)args[2];
    if (!file)
        return -OS_EBADF;
    if (!file->epoll || capacity <= 0)
        return -OS_EINVAL;
    if (!task->restarted)
        task->deadline_ns = deadline_ns;
    int64_t result = os_mask_exchange(task, args[4], args[5]);
    if (result == 0)
        result = wait_files(task, file->epoll, args[1], (unsigned)capacity);
    return os_mask_put_back(task, result);
}

OS_CALL(epoll_pwait) {
    int timeout_ms = (int)args[3];
    uint64_t deadline =
        timeout_ms < 0 ? UINT64_MAX : os_deadline_after(task->os, (uint64_t)timeout_ms * NS_PER_MS);
    return wait_until(task, args, deadline);
}

OS_CALL(epoll_pwait2) {
    struct os_timespec time;
    uint64_t deadline = UINT64_MAX;
    if (args[3]) {
        if (os_copy_from_user(task, &time, args[3], sizeof time) != 0)
            return -OS_EFAULT;
        if (time.seconds < 0 || (uint64_t)time.nanoseconds >= OS_NS_PER_SECOND)
            return -OS_EINVAL;
        deadline = os_deadline(task->os, &time);
    }
    return wait_until(task, args, deadline);
}
