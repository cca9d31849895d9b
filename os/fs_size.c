/* fs_size.c: how long a file is, and whether it is on the disk: truncate, fallocate, sync, advice.
 *
 * A size that changes must be told to the pages of the file that are mapped (fs_object.c): what
 * lies past the new end is then no longer there for the program either.
 *
 * fsync first writes what shared mappings made dirty into the host's file (what write() gave is
 * there already), then asks the host to bring that to its disk. sync does neither: it would be
 * about files of the host that are none of ours. Advice about reading ahead is taken and ignored:
 * the host has its own opinion. May fail: as the manual pages say.
 */
#include "os/fs.h"

#include <fcntl.h>
#include <unistd.h>

int64_t os_size_refused(struct os_task *task) {
    struct os_signal_info info = {.signo = OS_SIGXFSZ, .code = OS_SI_USER};
    info.pid = task->process->pid;
    os_signal_task(task, OS_SIGXFSZ, &info);
    return -OS_EFBIG;
}

/* May a file of that size become so long? RLIMIT_FSIZE is about growing only. */
static bool may_grow(const struct os_task *task, uint64_t from, uint64_t to) {
    return to <= from || to <= task->process->rlimits[OS_RLIMIT_FSIZE][0];
}

int64_t os_file_truncate(struct os_file *file, uint64_t size) {
    return file->ops->truncate ? file->ops->truncate(file, size) : -OS_EINVAL;
}

OS_CALL(ftruncate) {
    struct os_file *file = os_file_of(task->process, (int)args[0]);
    if (!file || (file->flags & OS_O_PATH))
        return -OS_EBADF;
    if ((int64_t)args[1] < 0 || !os_file_writable(file))
        return -OS_EINVAL;
    struct os_stat stat;
    int64_t result = os_file_stat(file, &stat);
    if (result == 0 && !may_grow(task, (uint64_t)stat.size, args[1]))
        result = os_size_refused(task);
    return result < 0 ? result : os_file_truncate(file, args[1]);
}

OS_CALL(truncate) {
    if ((int64_t)args[1] < 0)
        return -OS_EINVAL;
    struct os_place place;
    int64_t result = os_walk_user(task, OS_AT_FDCWD, args[0], 0, &place);
    if (result < 0)
        return result;
    char link[OS_HOST_LINK_BYTES];
    if (place.fd < 0)
        result = place.node.entry ? -OS_EACCES : -OS_EINVAL;
    else if (S_ISDIR(place.status.st_mode))
        result = -OS_EISDIR;
    else if (os_is_running(task->os, place.status.st_dev, place.status.st_ino))
        result = -OS_ETXTBSY;
    else if (!may_grow(task, (uint64_t)place.status.st_size, args[1]))
        result = os_size_refused(task);
    else if (truncate(os_host_link(place.fd, link), (off_t)args[1]) < 0)
        result = os_host_error();
    else {
        os_object_after_truncate(task->os, place.status.st_dev, place.status.st_ino, args[1]);
        os_date(task->os, place.status.st_dev, place.status.st_ino, OS_DATE_CONTENT);
    }
    os_place_done(&place);
    return result;
}

OS_CALL(fallocate) {
    struct os_file *file = os_file_of(task->process, (int)args[0]);
    uint64_t mode = args[1], offset = args[2], length = args[3];
    if (!file || !os_file_writable(file))
        return -OS_EBADF;
    if ((int64_t)offset < 0 || (int64_t)length <= 0)
        return -OS_EINVAL;
    if (length > INT64_MAX - offset)
        return -OS_EFBIG;
    if (file->host_fd < 0 || !file->ops->truncate)
        return file->rx ? -OS_ESPIPE : -OS_ENODEV;
    /* Holes would have to be cut out of mapped pages as well: nobody needs them enough. */
    if (mode & ~(uint64_t)OS_FALLOC_FL_KEEP_SIZE)
        return -OS_EOPNOTSUPP;
    int host_mode = mode & OS_FALLOC_FL_KEEP_SIZE ? FALLOC_FL_KEEP_SIZE : 0;
    struct os_stat stat;
    int64_t result = os_file_stat(file, &stat);
    if (result < 0)
        return result;
    if (!host_mode && !may_grow(task, (uint64_t)stat.size, offset + length))
        return os_size_refused(task);
    if (fallocate(file->host_fd, host_mode, (off_t)offset, (off_t)length) < 0)
        return os_host_error();
    os_date(file->os, file->device, file->inode, OS_DATE_CONTENT);
    return 0;
}

static int64_t synced(struct os_task *task, int fd, bool data_only) {
    struct os_file *file = os_file_of(task->process, fd);
    if (!file || (file->flags & OS_O_PATH))
        return -OS_EBADF;
    uint32_t type = file->mode & OS_S_IFMT;
    if (file->host_fd < 0 || (type != OS_S_IFREG && type != OS_S_IFDIR))
        return -OS_EINVAL;
    int64_t result = os_object_store(file);
    if (result == 0 && (data_only ? fdatasync(file->host_fd) : fsync(file->host_fd)) < 0)
        result = os_host_error();
    return result;
}

OS_CALL(fsync) {
    return synced(task, (int)args[0], false);
}

OS_CALL(fdatasync) {
    return synced(task, (int)args[0], true);
}

/* All mapped pages of all files; that it cannot fail is Linux's promise, not ours. */
OS_CALL(sync) {
    (void)args;
    (void)quire_sync_all(os_quire(task->os));
    return 0;
}

OS_CALL(syncfs) {
    if (!os_file_of(task->process, (int)args[0]))
        return -OS_EBADF;
    return os_sys_sync(task, args);
}

#define SYNC_RANGE_FLAGS 7u

OS_CALL(sync_file_range) {
    if (args[3] & ~(uint64_t)SYNC_RANGE_FLAGS || args[1] > INT64_MAX || args[2] > INT64_MAX)
        return -OS_EINVAL;
    return synced(task, (int)args[0], true);
}

#define FADVISE_LAST 5 /* POSIX_FADV_NOREUSE */

OS_CALL(fadvise64) {
    struct os_file *file = os_file_of(task->process, (int)args[0]);
    if (!file)
        return -OS_EBADF;
    if (file->rx || file->tx)
        return -OS_ESPIPE;
    return args[3] > FADVISE_LAST ? -OS_EINVAL : 0;
}

OS_CALL(readahead) {
    struct os_file *file = os_file_of(task->process, (int)args[0]);
    if (!file || !os_file_readable(file))
        return -OS_EBADF;
    return (file->mode & OS_S_IFMT) == OS_S_IFREG ? 0 : -OS_EINVAL;
}
