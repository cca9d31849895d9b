/* fs_pipe.c: pipes and named pipes: bytes between programs of this machine.
 *
 *   writers ──> ring of 64 KiB ──> readers
 *
 * Pipes are ours and not the host's, because who runs next when a pipe is full or empty decides the
 * order of everything that follows: with the ring here that order is a function of the programs
 * alone.
 *
 * Invariants:
 *   I1  count <= OS_PIPE_BYTES; the bytes are ring[first], ring[first + 1], ... (modulo the size).
 *   I2  a write of at most PIPE_BUF bytes goes in whole or not at all (pipe(7)).
 *   I3  a ring lives as long as an open file is an end of it; readers and writers count open files.
 *
 * May fail: host memory; EPIPE without readers. A change wakes who sleeps on the ring.
 * Named pipes: the open file's ring is found by the host file's device and inode among open files.
 */
#include "os/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct os_pipe {
    unsigned refs, readers, writers;
    unsigned reader_opens, writer_opens; /* ever: a named pipe's open waits for the other side's */
    size_t first, count;
    uint8_t ring[OS_PIPE_BYTES];
};

static struct os_pipe *pipe_new(void) {
    return calloc(1, sizeof(struct os_pipe));
}

static void pipe_drop(struct os_pipe *pipe) {
    if (pipe && --pipe->refs == 0)
        free(pipe);
}

const void *os_file_channel(const struct os_file *file) {
    return file->rx ? (const void *)file->rx : file->tx ? (const void *)file->tx : file;
}

/* Everybody at the ring: also the other end's open files count something as having happened. */
static void changed(struct os *os, struct os_pipe *pipe) {
    for (struct os_file *file = os_fs(os)->files; file; file = file->next)
        if (file->rx == pipe || file->tx == pipe)
            file->activity++;
    os_wake(os, pipe);
}

void os_file_notify(struct os_file *file) {
    file->activity++;
    os_wake(file->os, os_file_channel(file));
}

/* ---- operations ------------------------------------------------------------------------------ */

static int64_t pipe_read(struct os_file *file, void *to, size_t nbytes, uint64_t offset) {
    struct os_pipe *pipe = file->rx;
    (void)offset;
    if (pipe->count == 0)
        return pipe->writers ? -OS_EAGAIN : 0;
    size_t take = nbytes < pipe->count ? nbytes : pipe->count;
    size_t before_end = OS_PIPE_BYTES - pipe->first;
    size_t head = take < before_end ? take : before_end;
    memcpy(to, pipe->ring + pipe->first, head);
    memcpy((uint8_t *)to + head, pipe->ring, take - head);
    pipe->first = (pipe->first + take) % OS_PIPE_BYTES;
    pipe->count -= take;
    changed(file->os, pipe);
    return (int64_t)take;
}

static int64_t pipe_write(struct os_file *file, const void *from, size_t nbytes, uint64_t offset) {
    struct os_pipe *pipe = file->tx;
    (void)offset;
    if (pipe->readers == 0)
        return -OS_EPIPE;
    size_t room = OS_PIPE_BYTES - pipe->count;
    if (room == 0 || (nbytes <= OS_PIPE_ATOMIC && room < nbytes)) /* I2 */
        return -OS_EAGAIN;
    size_t put = nbytes < room ? nbytes : room;
    size_t end = (pipe->first + pipe->count) % OS_PIPE_BYTES;
    size_t head = put < OS_PIPE_BYTES - end ? put : OS_PIPE_BYTES - end;
    memcpy(pipe->ring + end, from, head);
    memcpy(pipe->ring, (const uint8_t *)from + head, put - head);
    pipe->count += put; /* I1 */
    changed(file->os, pipe);
    return (int64_t)put;
}

static unsigned pipe_poll(struct os_file *file) {
    unsigned events = 0;
    if (file->rx && os_file_readable(file)) {
        if (file->rx->count > 0)
            events |= OS_POLLIN | OS_POLLRDNORM;
        if (file->rx->writers == 0 && file->rx->writer_opens > 0)
            events |= OS_POLLHUP;
    }
    if (file->tx && os_file_writable(file)) {
        if (OS_PIPE_BYTES - file->tx->count >= OS_PIPE_ATOMIC)
            events |= OS_POLLOUT | OS_POLLWRNORM;
        if (file->tx->readers == 0)
            events |= OS_POLLERR;
    }
    return events;
}

static int64_t pipe_stat(struct os_file *file, struct os_stat *stat) {
    *stat = (struct os_stat){.inode = file->inode,
                             .mode = file->mode,
                             .links = 1,
                             .block_size = (int32_t)OS_PIPE_ATOMIC};
    return 0;
}

static int64_t pipe_ioctl(struct os_task *task, struct os_file *file, uint64_t request,
                          uint64_t argument) {
    if (request != OS_FIONREAD)
        return -OS_ENOTTY;
    int32_t count = file->rx ? (int32_t)file->rx->count : 0;
    return os_copy_to_user(task, argument, &count, sizeof count);
}

static void pipe_release(struct os_file *file) {
    struct os_pipe *rx = file->rx, *tx = file->tx;
    bool reads = os_file_readable(file), writes = os_file_writable(file);
    file->rx = file->tx = NULL;
    if (rx && reads)
        rx->readers--;
    if (tx && writes)
        tx->writers--;
    if (rx)
        changed(file->os, rx);
    if (tx && tx != rx)
        changed(file->os, tx);
    pipe_drop(rx);
    if (tx != rx)
        pipe_drop(tx);
}

static const struct os_file_ops pipe_ops = {
    .name = "pipe",
    .read = pipe_read,
    .write = pipe_write,
    .poll = pipe_poll,
    .stat = pipe_stat,
    .ioctl = pipe_ioctl,
    .release = pipe_release,
};

/* ---- making them ----------------------------------------------------------------------------- */

/* An open file that reads from rx and writes to tx (either may be NULL). */
static struct os_file *end_new(struct os *os, struct os_pipe *rx, struct os_pipe *tx,
                               uint32_t flags, uint32_t mode, const char *path) {
    struct os_file *file = os_file_new(os, &pipe_ops, path, flags, mode);
    if (!file)
        return NULL;
    file->rx = rx;
    file->tx = tx;
    if (rx) {
        rx->refs++;
        rx->readers += os_file_readable(file);
        rx->reader_opens += os_file_readable(file);
    }
    if (tx) {
        tx->refs += tx != rx;
        tx->writers += os_file_writable(file);
        tx->writer_opens += os_file_writable(file);
    }
    return file;
}

static int64_t pair_new(struct os *os, uint32_t flags, struct os_file *ends[2]) {
    uint64_t inode = os_fs(os)->next_inode++;
    struct os_pipe *pipe = pipe_new();
    char path[48];
    snprintf(path, sizeof path, "pipe:[%llu]", (unsigned long long)inode);
    if (!pipe)
        return -OS_ENOMEM;
    pipe->refs = 1; /* ours until both ends stand */
    ends[0] = end_new(os, pipe, NULL, flags | OS_O_RDONLY, OS_S_IFIFO | 0600, path);
    ends[1] = end_new(os, NULL, pipe, flags | OS_O_WRONLY, OS_S_IFIFO | 0600, path);
    for (unsigned i = 0; i < 2 && !(ends[0] && ends[1]); i++)
        if (ends[i])
            os_file_release(ends[i]);
    bool good = ends[0] && ends[1];
    if (good)
        ends[0]->inode = ends[1]->inode = inode;
    pipe_drop(pipe);
    return good ? 0 : -OS_ENOMEM;
}

int64_t os_fd_install_pair(struct os_task *task, struct os_file *ends[2], bool cloexec,
                           uint64_t va) {
    int64_t first = os_fd_install(task->process, ends[0], cloexec, 0);
    if (first < 0) {
        os_file_release(ends[1]);
        return first;
    }
    int64_t second = os_fd_install(task->process, ends[1], cloexec, 0);
    int32_t fds[2] = {(int32_t)first, (int32_t)second};
    int64_t result = second < 0 ? second : os_copy_to_user(task, va, fds, sizeof fds);
    if (result == 0)
        return 0;
    os_sys_close(task, (uint64_t[6]){(uint64_t)first});
    if (second >= 0)
        os_sys_close(task, (uint64_t[6]){(uint64_t)second});
    return result;
}

OS_CALL(pipe2) {
    struct os_file *ends[2];
    if (args[1] & ~(uint64_t)(OS_O_CLOEXEC | OS_O_NONBLOCK | OS_O_DIRECT))
        return -OS_EINVAL;
    int64_t result = pair_new(task->os, args[1] & OS_O_NONBLOCK, ends);
    return result < 0 ? result
                      : os_fd_install_pair(task, ends, (args[1] & OS_O_CLOEXEC) != 0, args[0]);
}

/* ---- named pipes ----------------------------------------------------------------------------- */

static struct os_pipe *find_fifo(struct os_fs *fs, uint64_t device, uint64_t inode) {
    for (struct os_file *file = fs->files; file; file = file->next)
        if (file->rx && file->rx == file->tx && file->inode == inode && file->device == device)
            return file->rx;
    return NULL;
}

int64_t os_fifo_open(struct os *os, const struct stat *status, const char *path, uint32_t flags,
                     struct os_file **out) {
    struct os_pipe *pipe = find_fifo(os_fs(os), status->st_dev, status->st_ino);
    bool fresh = !pipe;
    if (fresh && !(pipe = pipe_new()))
        return -OS_ENOMEM;
    bool writes_only = (flags & OS_O_ACCMODE) == OS_O_WRONLY;
    if (writes_only && (flags & OS_O_NONBLOCK) && pipe->readers == 0) {
        if (fresh)
            free(pipe);
        return -OS_ENXIO;
    }
    struct os_file *file = end_new(os, pipe, pipe, flags, status->st_mode, path);
    if (!file) {
        if (fresh)
            free(pipe);
        return -OS_ENOMEM;
    }
    file->device = status->st_dev;
    file->inode = status->st_ino;
    /* The other side may come and go before we look again: count its openings, not only who is
     * there. */
    file->counter = writes_only ? pipe->reader_opens : pipe->writer_opens;
    changed(os, pipe);
    *out = file;
    return 0;
}

bool os_fifo_must_wait(const struct os_file *file) {
    const struct os_pipe *pipe = file->rx;
    if (!pipe || pipe != file->tx || (file->flags & OS_O_NONBLOCK))
        return false;
    switch (file->flags & OS_O_ACCMODE) {
    case OS_O_RDONLY:
        return pipe->writers == 0 && pipe->writer_opens == file->counter;
    case OS_O_WRONLY:
        return pipe->readers == 0 && pipe->reader_opens == file->counter;
    default:
        return false;
    }
}
