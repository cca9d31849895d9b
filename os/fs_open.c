/* fs_open.c: openat and openat2, and opening a program for the loader.
 *
 *   path ──walk──> place ──os_place_open──> open file ──install──> the lowest free descriptor
 *
 * One call sleeps here: opening one side of a named pipe waits for the other. The open file must
 * exist meanwhile (the other side waits for us as well), so it already has its descriptor, which
 * task->progress keeps over the repetitions of the call, plus one.
 *
 * May fail: as open(2).
 */
#include "os/fs.h"

#define OPEN_MODE_MASK     07777u
#define RESOLVE_NO_MAGIC   0x02 /* openat2(2) */
#define RESOLVE_NO_LINKS   0x04
#define OPEN_HOW_BYTES_MAX 4096

/* The rest of an open that may wait: descriptor fd is there. */
static int64_t finish(struct os_task *task, int64_t fd) {
    struct os_file *file = os_file_of(task->process, (int)fd);
    if (!file || !os_fifo_must_wait(file))
        return fd;
    if (os_signal_pending(task)) {
        os_sys_close(task, (uint64_t[6]){(uint64_t)fd});
        return -OS_EINTR;
    }
    task->progress = (uint64_t)fd + 1;
    os_wait_on(task, os_file_channel(file), UINT64_MAX);
    return OS_WAIT;
}

static int64_t open_at(struct os_task *task, int dirfd, uint64_t path_va, uint32_t flags,
                       uint32_t mode, unsigned walk_flags) {
    if (task->restarted && task->progress)
        return finish(task, (int64_t)task->progress - 1);
    if (flags & OS_O_PATH) /* open(2): the other flags are ignored */
        flags &= OS_O_PATH | OS_O_DIRECTORY | OS_O_NOFOLLOW | OS_O_CLOEXEC;
    bool exclusive = (flags & OS_O_CREAT) && (flags & OS_O_EXCL);
    if ((flags & OS_O_NOFOLLOW) || exclusive)
        walk_flags |= OS_WALK_NOFOLLOW;
    if (flags & OS_O_CREAT)
        walk_flags |= OS_WALK_MISSING_OK;
    if ((flags & OS_O_CREAT) && (flags & OS_O_DIRECTORY))
        return -OS_EINVAL;
    struct os_place place;
    int64_t result = os_walk_user(task, dirfd, path_va, walk_flags, &place);
    if (result < 0)
        return result;
    struct os_file *file = NULL;
    mode &= OPEN_MODE_MASK & ~task->process->umask;
    result = os_place_open(task->os, &place, flags, mode, &file);
    os_place_done(&place);
    if (result < 0)
        return result;
    result = os_fd_install(task->process, file, (flags & OS_O_CLOEXEC) != 0, 0);
    return result < 0 ? result : finish(task, result);
}

OS_CALL(openat) {
    return open_at(task, (int)args[0], args[1], (uint32_t)args[2], (uint32_t)args[3], 0);
}

OS_CALL(openat2) {
    struct os_open_how how = {0};
    if (args[3] < sizeof how)
        return -OS_EINVAL;
    if (args[3] > OPEN_HOW_BYTES_MAX)
        return -OS_E2BIG;
    int64_t result = os_copy_from_user(task, &how, args[2], sizeof how);
    if (result < 0)
        return result;
    if (how.flags > UINT32_MAX || how.mode > OPEN_MODE_MASK)
        return -OS_EINVAL;
    if (how.resolve & ~(uint64_t)(RESOLVE_NO_MAGIC | RESOLVE_NO_LINKS))
        return -OS_ENOSYS; /* as on an older Linux: the caller walks by itself then */
    unsigned walk_flags = how.resolve & RESOLVE_NO_LINKS ? OS_WALK_NO_LINKS : 0;
    if (how.resolve & RESOLVE_NO_MAGIC)
        walk_flags |= OS_WALK_NO_MAGIC;
    return open_at(task, (int)args[0], args[1], (uint32_t)how.flags, (uint32_t)how.mode,
                   walk_flags);
}

/* ---- for the loader -------------------------------------------------------------------------- */

int64_t os_open_program(struct os_process *process, const char *path, struct os_file **out) {
    struct os_place place;
    int64_t result = os_walk(process, OS_AT_FDCWD, path, 0, &place);
    if (result < 0)
        return result;
    result = os_place_open(process->os, &place, OS_O_RDONLY, 0, out);
    os_place_done(&place);
    return result;
}

int64_t os_file_pread(struct os_file *file, void *to, size_t nbytes, uint64_t offset) {
    if (file->ops->list)
        return -OS_EISDIR;
    if (!file->ops->read || !file->ops->seekable)
        return -OS_EINVAL;
    uint8_t *bytes = to;
    size_t done = 0;
    while (done < nbytes) {
        int64_t got = file->ops->read(file, bytes + done, nbytes - done, offset + done);
        if (got < 0)
            return got;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (int64_t)done;
}

uint64_t os_file_size(struct os_file *file) {
    struct os_stat stat;
    return os_file_stat(file, &stat) < 0 || stat.size < 0 ? 0 : (uint64_t)stat.size;
}

bool os_file_is_executable(const struct os_file *file) {
    return (file->mode & OS_S_IFMT) == OS_S_IFREG && (file->mode & 0111) != 0;
}

void os_file_identity(const struct os_file *file, uint64_t *device, uint64_t *inode) {
    *device = file->device;
    *inode = file->inode;
}

bool os_file_is_written(const struct os_file *file) {
    for (const struct os_file *each = os_fs(file->os)->files; each; each = each->next)
        if (each->inode == file->inode && each->device == file->device && each->host_fd >= 0 &&
            os_file_writable(each))
            return true;
    return false;
}
