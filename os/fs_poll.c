/* fs_poll.c: ppoll and pselect6: waiting until one of several files is ready.
 *
 *   ask every file ──> some ready: answer      ──> none: sleep on everything, until the deadline,
 *                                                  or in the host if a host file is among them
 *
 * Each wake-up anywhere in the machine asks again. With a few tasks that is cheaper than queues on
 * every file, and the answer depends only on the state of the files.
 *
 * The signal mask is exchanged when the call begins and put back when it ends without a signal;
 * when a signal ends it, the mask comes back after the handler (task->restore_mask, kernel.h).
 *
 * Invariants: I1 task->deadline_ns is set at the first run of the call and kept over repetitions.
 * May fail: EINVAL, EFAULT, EINTR, EBADF (pselect6).
 */
#include "os/fs.h"

#include <poll.h>
#include <string.h>

#define SIGSET_BYTES 8

unsigned os_file_poll(struct os_file *file) {
    if (file->ops->poll)
        return file->ops->poll(file);
    return OS_POLLIN | OS_POLLOUT | OS_POLLRDNORM | OS_POLLWRNORM;
}

/* ---- what both calls share ------------------------------------------------------------------- */

/* Deadline from a struct timespec of the program (NULL: none), once. */
static int64_t set_deadline(struct os_task *task, uint64_t va) {
    if (task->restarted)
        return 0; /* I1 */
    struct os_timespec time;
    task->deadline_ns = UINT64_MAX;
    if (!va)
        return 0;
    int64_t result = os_copy_from_user(task, &time, va, sizeof time);
    if (result < 0)
        return result;
    if (time.seconds < 0 || time.nanoseconds < 0 || time.nanoseconds >= OS_NS_PER_SECOND)
        return -OS_EINVAL;
    task->deadline_ns = os_deadline_after(
        task->os, (uint64_t)time.seconds > UINT64_MAX / 2 / OS_NS_PER_SECOND
                      ? UINT64_MAX / 2
                      : (uint64_t)time.seconds * OS_NS_PER_SECOND + (uint64_t)time.nanoseconds);
    return 0;
}

uint64_t os_deadline_after(struct os *os, uint64_t ns) {
    uint64_t now = os_now_ns(os);
    return ns > UINT64_MAX - 1 - now ? UINT64_MAX - 1 : now + ns;
}

#define UNBLOCKABLE ((1ull << (OS_SIGKILL - 1)) | (1ull << (OS_SIGSTOP - 1)))

int64_t os_mask_exchange(struct os_task *task, uint64_t va, uint64_t nbytes) {
    uint64_t mask;
    if (task->restarted || !va)
        return 0;
    if (nbytes != SIGSET_BYTES)
        return -OS_EINVAL;
    int64_t result = os_copy_from_user(task, &mask, va, sizeof mask);
    if (result < 0)
        return result;
    task->saved_mask = task->signal_mask;
    task->signal_mask = mask & ~UNBLOCKABLE;
    task->restore_mask = true;
    return 0;
}

int64_t os_mask_put_back(struct os_task *task, int64_t result) {
    if (task->restore_mask && result != -OS_EINTR && result != OS_WAIT) {
        task->signal_mask = task->saved_mask;
        task->restore_mask = false;
    }
    return result;
}

bool os_poll_host(const struct os_file *file, unsigned events, struct pollfd *fds, unsigned *count,
                  unsigned capacity) {
    if (!file->ops->waits_on_host || *count >= capacity)
        return false;
    fds[(*count)++] = (struct pollfd){.fd = file->host_fd, .events = (short)events};
    return true;
}

/* Nothing is ready: 0 at the deadline, or asleep. */
int64_t os_poll_sleep(struct os_task *task, struct pollfd *fds, unsigned count) {
    if (os_now_ns(task->os) >= task->deadline_ns)
        return 0;
    if (count)
        os_host_wait(task, fds, count, task->deadline_ns);
    else
        os_wait_on(task, NULL, task->deadline_ns);
    return OS_WAIT;
}

/* ---- ppoll ----------------------------------------------------------------------------------- */

/* Always told, wanted or not. */
#define ALWAYS (OS_POLLERR | OS_POLLHUP | OS_POLLNVAL)

static int64_t poll_files(struct os_task *task, uint64_t va, unsigned nfds) {
    struct os_pollfd fds[OS_NFILES_MAX];
    struct pollfd host[OS_NFILES_MAX];
    unsigned nhost = 0;
    int64_t ready = 0, result = os_copy_from_user(task, fds, va, nfds * sizeof fds[0]);
    if (result < 0)
        return result;
    for (unsigned i = 0; i < nfds; i++) {
        struct os_file *file = os_file_of(task->process, fds[i].fd);
        fds[i].returned = 0;
        if (fds[i].fd < 0)
            continue;
        unsigned wanted = (uint16_t)fds[i].events | ALWAYS;
        unsigned events = file ? os_file_poll(file) & wanted : (unsigned)OS_POLLNVAL;
        fds[i].returned = (int16_t)events;
        ready += events != 0;
        if (file)
            os_poll_host(file, wanted, host, &nhost, OS_NFILES_MAX);
    }
    if (ready == 0) {
        result = os_poll_sleep(task, host, nhost);
        if (result != 0)
            return result;
    }
    for (unsigned i = 0; i < nfds && result == 0; i++)
        result =
            os_copy_to_user(task, va + i * sizeof fds[0] + offsetof(struct os_pollfd, returned),
                            &fds[i].returned, sizeof fds[i].returned);
    return result < 0 ? result : ready;
}

OS_CALL(ppoll) {
    uint32_t nfds = (uint32_t)args[1];
    if (nfds > OS_NFILES_MAX)
        return -OS_EINVAL;
    int64_t result = set_deadline(task, args[2]);
    if (result == 0)
        result = os_mask_exchange(task, args[3], args[4]);
    if (result == 0)
        result = poll_files(task, args[0], nfds);
    return os_mask_put_back(task, result);
}

/* ---- pselect6 -------------------------------------------------------------------------------- */

#define SET_WORDS (OS_FD_SETSIZE / 64)

enum { SET_READ, SET_WRITE, SET_EXCEPT, SETS };
static const unsigned set_events[SETS] = {OS_POLLIN | OS_POLLRDNORM | OS_POLLHUP | OS_POLLERR,
                                          OS_POLLOUT | OS_POLLWRNORM | OS_POLLERR, OS_POLLPRI};

struct sets {
    uint64_t wanted[SETS][SET_WORDS], ready[SETS][SET_WORDS];
    struct pollfd host[OS_NFILES_MAX];
    unsigned nhost;
};

/* One descriptor of a select: which of its sets are ready. Returns how many, or -EBADF. */
static int64_t select_one(struct os_task *task, struct sets *sets, int fd) {
    uint64_t bit = 1ull << (fd % 64);
    unsigned word = (unsigned)fd / 64;
    unsigned wanted = 0;
    for (int s = 0; s < SETS; s++)
        if (sets->wanted[s][word] & bit)
            wanted |= set_events[s];
    if (!wanted)
        return 0;
    struct os_file *file = os_file_of(task->process, fd);
    if (!file)
        return -OS_EBADF;
    unsigned events = os_file_poll(file);
    int64_t count = 0;
    for (int s = 0; s < SETS; s++) {
        if (!(sets->wanted[s][word] & bit) || !(events & set_events[s]))
            continue;
        sets->ready[s][word] |= bit;
        count++;
    }
    os_poll_host(file, wanted, sets->host, &sets->nhost, OS_NFILES_MAX);
    return count;
}

static int64_t select_files(struct os_task *task, const uint64_t args[6], unsigned nfds) {
    struct sets sets;
    memset(sets.wanted, 0, sizeof sets.wanted);
    memset(sets.ready, 0, sizeof sets.ready);
    sets.nhost = 0;
    size_t nbytes = (nfds + 63) / 64 * 8;
    int64_t result = 0, ready = 0;
    for (int s = 0; s < SETS && result == 0; s++)
        if (args[1 + s])
            result = os_copy_from_user(task, sets.wanted[s], args[1 + s], nbytes);
    for (unsigned fd = 0; fd < nfds && result >= 0; fd++) {
        result = select_one(task, &sets, (int)fd);
        ready += result;
    }
    if (result < 0)
        return result;
    if (ready == 0) {
        result = os_poll_sleep(task, sets.host, sets.nhost);
        if (result != 0)
            return result;
    }
    result = 0;
    for (int s = 0; s < SETS && result == 0; s++)
        if (args[1 + s])
            result = os_copy_to_user(task, args[1 + s], sets.ready[s], nbytes);
    return result < 0 ? result : ready;
}

/* Linux tells how much of the time was left. */
static void put_time_left(struct os_task *task, uint64_t va) {
    uint64_t now = os_now_ns(task->os), end = task->deadline_ns;
    uint64_t left = end > now ? end - now : 0;
    struct os_timespec time = {(int64_t)(left / OS_NS_PER_SECOND),
                               (int64_t)(left % OS_NS_PER_SECOND)};
    os_copy_to_user(task, va, &time, sizeof time); /* a failure changes nothing, as on Linux */
}

OS_CALL(pselect6) {
    struct {
        uint64_t va, nbytes;
    } mask = {0, 0};
    if ((int)args[0] < 0)
        return -OS_EINVAL;
    unsigned nfds = (unsigned)args[0] < OS_FD_SETSIZE ? (unsigned)args[0] : OS_FD_SETSIZE;
    int64_t result = set_deadline(task, args[4]);
    if (result == 0 && args[5])
        result = os_copy_from_user(task, &mask, args[5], sizeof mask);
    if (result == 0)
        result = os_mask_exchange(task, mask.va, mask.nbytes);
    if (result == 0)
        result = select_files(task, args, nfds);
    if (result != OS_WAIT && args[4])
        put_time_left(task, args[4]);
    return os_mask_put_back(task, result);
}
