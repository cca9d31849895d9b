/* fs_host.c: open files that are files, directories and streams of the host.
 *
 *   regular file      pread and pwrite at our own offset; O_APPEND is ours as well (Linux's pwrite
 *                     ignores the offset of a descriptor opened with O_APPEND)
 *   inherited file    the host's 0, 1, 2 redirected to a file: its offset is shared with whoever
 *                     started us ("(read x; quire run cat) < f", "> f 2>&1"), so read and write
 *   stream            terminal, pipe or socket inherited as 0, 1, 2: may have nothing to read now
 *   directory         listed by fs_dir.c; base of relative paths
 *   path              O_PATH: a name only
 *
 * A file is opened by its directory's descriptor and its name (O_NOFOLLOW), or, where the walk has
 * the object but no name, through the host's /proc/self/fd. Never by a path of more than one
 * component: fs_path.c says why.
 *
 * Invariants:
 *   I1  no read of the host is started that could wait; writes may (the host's pipes and terminals
 *       take what we give them in their own time), except that a signal ends them.
 *   I2  every read and write of a mapped file goes past fs_object.c.
 *
 * May fail: as the host does; numbers of errors are translated by name, not assumed equal.
 */
#include "os/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* ---- errors and small translations ----------------------------------------------------------- */

uint32_t os_host_user(void) {
    return geteuid();
}

uint32_t os_host_group(void) {
    return getegid();
}

int64_t os_host_error(void) {
#define SAME(name) \
    { name, OS_##name }
    static const struct {
        int host, ours;
    } errors[] = {
        SAME(EPERM),     SAME(ENOENT),     SAME(EINTR),        SAME(EIO),        SAME(ENXIO),
        SAME(E2BIG),     SAME(EBADF),      SAME(EAGAIN),       SAME(ENOMEM),     SAME(EACCES),
        SAME(EFAULT),    SAME(ENOTBLK),    SAME(EBUSY),        SAME(EEXIST),     SAME(EXDEV),
        SAME(ENODEV),    SAME(EISDIR),     SAME(ENOTDIR),      SAME(EINVAL),     SAME(ENFILE),
        SAME(EMFILE),    SAME(ENOTTY),     SAME(EFBIG),        SAME(ETXTBSY),    SAME(ENOSPC),
        SAME(ESPIPE),    SAME(EROFS),      SAME(EMLINK),       SAME(EPIPE),      SAME(EDOM),
        SAME(ERANGE),    SAME(EDEADLK),    SAME(ENOLCK),       SAME(ENOSYS),     SAME(ELOOP),
        SAME(ENOTEMPTY), SAME(ENODATA),    SAME(ESTALE),       SAME(EOVERFLOW),  SAME(EDQUOT),
        SAME(EILSEQ),    SAME(ECONNRESET), SAME(ENAMETOOLONG), SAME(EOPNOTSUPP),
    };
#undef SAME
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i].host == errno)
            return -errors[i].ours;
    return -OS_EIO;
}

uint8_t os_type_of_mode(uint32_t mode) {
    return (uint8_t)((mode & OS_S_IFMT) >> 12); /* DT_* are S_IF* moved down: dirent.h's IFTODT */
}

static struct os_timespec time_from_host(struct timespec time) {
    return (struct os_timespec){time.tv_sec, time.tv_nsec};
}

void os_stat_from_host(struct os *os, const struct stat *from, struct os_stat *to) {
    *to = (struct os_stat){
        .device = from->st_dev,
        .inode = from->st_ino,
        .mode = from->st_mode,
        .links = (uint32_t)from->st_nlink,
        .uid = from->st_uid,
        .gid = from->st_gid,
        .special_device = from->st_rdev,
        .size = from->st_size,
        .block_size = (int32_t)from->st_blksize,
        .blocks = from->st_blocks,
        .accessed = time_from_host(from->st_atim),
        .modified = time_from_host(from->st_mtim),
        .changed = time_from_host(from->st_ctim),
    };
    os_date_show(os, from, to);
}

#define HOST_TTY makedev(5, 0) /* /dev/tty: the controlling terminal (Linux's devices.txt) */

/* ---- operations ------------------------------------------------------------------------------ */

static int64_t result_of(ssize_t result) {
    if (result >= 0)
        return result;
    return errno == EINTR ? -OS_EAGAIN : os_host_error(); /* I1: look at signals, then again */
}

static int64_t host_stat(struct os_file *file, struct os_stat *stat) {
    struct stat status;
    if (fstat(file->host_fd, &status) < 0)
        return os_host_error();
    os_stat_from_host(file->os, &status, stat);
    return 0;
}

static int64_t regular_read(struct os_file *file, void *to, size_t nbytes, uint64_t offset) {
    int64_t result = result_of(pread(file->host_fd, to, nbytes, (off_t)offset));
    if (result > 0)
        os_object_after_read(file, offset, to, (size_t)result); /* I2 */
    return result;
}

static int64_t regular_write(struct os_file *file, const void *from, size_t nbytes,
                             uint64_t offset) {
    int64_t result = result_of(pwrite(file->host_fd, from, nbytes, (off_t)offset));
    if (result > 0) {
        os_object_after_write(file, offset, from, (size_t)result);
        os_date(file->os, file->device, file->inode, OS_DATE_CONTENT);
    }
    return result;
}

static int64_t regular_truncate(struct os_file *file, uint64_t size) {
    if (ftruncate(file->host_fd, (off_t)size) < 0)
        return os_host_error();
    os_object_after_truncate(file->os, file->device, file->inode, size);
    os_date(file->os, file->device, file->inode, OS_DATE_CONTENT);
    return 0;
}

static unsigned always_ready(struct os_file *file) {
    (void)file;
    return OS_POLLIN | OS_POLLOUT | OS_POLLRDNORM | OS_POLLWRNORM;
}

static int64_t regular_ioctl(struct os_task *task, struct os_file *file, uint64_t request,
                             uint64_t argument) {
    struct os_stat stat = {0};
    if (request != OS_FIONREAD)
        return -OS_ENOTTY;
    int64_t result = host_stat(file, &stat);
    if (result < 0)
        return result;
    int32_t left =
        stat.size > (int64_t)file->offset ? (int32_t)(stat.size - (int64_t)file->offset) : 0;
    return os_copy_to_user(task, argument, &left, sizeof left);
}

static const struct os_file_ops regular_ops = {
    .name = "file",
    .seekable = true,
    .read = regular_read,
    .write = regular_write,
    .poll = always_ready,
    .truncate = regular_truncate,
    .stat = host_stat,
    .ioctl = regular_ioctl,
};

/* An inherited file: offset is the host's; where it is must be known for I2. pread and pwrite leave
 * it where it is, as for any file. */
static int64_t inherited_read(struct os_file *file, void *to, size_t nbytes, uint64_t offset) {
    (void)offset;
    off_t at = lseek(file->host_fd, 0, SEEK_CUR);
    int64_t result = result_of(read(file->host_fd, to, nbytes));
    if (result > 0 && at >= 0)
        os_object_after_read(file, (uint64_t)at, to, (size_t)result);
    return result;
}

static int64_t inherited_write(struct os_file *file, const void *from, size_t nbytes,
                               uint64_t offset) {
    (void)offset;
    int64_t result = result_of(write(file->host_fd, from, nbytes));
    off_t end = lseek(file->host_fd, 0, SEEK_CUR);
    if (result > 0 && end >= result)
        os_object_after_write(file, (uint64_t)(end - result), from, (size_t)result);
    return result;
}

static int64_t inherited_seek(struct os_file *file, int64_t offset, int whence) {
    off_t result = lseek(file->host_fd, offset, whence); /* SEEK_* have the same numbers */
    return result < 0 ? os_host_error() : result;
}

static const struct os_file_ops inherited_ops = {
    .name = "file",
    .positioned = &regular_ops,
    .read = inherited_read,
    .write = inherited_write,
    .seek = inherited_seek,
    .poll = always_ready,
    .truncate = regular_truncate,
    .stat = host_stat,
    .ioctl = regular_ioctl,
};

/* Streams. */
unsigned os_host_poll(int host_fd, unsigned events) {
    struct pollfd fd = {.fd = host_fd, .events = (short)events}; /* POLL* have the same numbers */
    return poll(&fd, 1, 0) == 1 ? (unsigned)fd.revents & 0xffff : 0;
}

static unsigned stream_poll(struct os_file *file) {
    return os_host_poll(file->host_fd, OS_POLLIN | OS_POLLOUT | OS_POLLRDHUP);
}

static int64_t stream_read(struct os_file *file, void *to, size_t nbytes, uint64_t offset) {
    (void)offset;
    if (!os_host_poll(file->host_fd, OS_POLLIN))
        return -OS_EAGAIN;
    return result_of(read(file->host_fd, to, nbytes));
}

static int64_t stream_write(struct os_file *file, const void *from, size_t nbytes,
                            uint64_t offset) {
    (void)offset;
    return result_of(write(file->host_fd, from, nbytes));
}

static const struct os_file_ops stream_ops = {
    .name = "stream",
    .waits_on_host = true,
    .read = stream_read,
    .write = stream_write,
    .poll = stream_poll,
    .stat = host_stat,
    .ioctl = os_tty_ioctl,
};

/* The console is what programs find at /dev/tty, whatever the host calls it: ttyname compares the
 * two. */
static int64_t console_stat(struct os_file *file, struct os_stat *stat) {
    struct os_node node;
    if (!os_node_find(file->os, (struct os_node){.entry = &os_dev_root}, "tty", &node))
        return host_stat(file, stat);
    os_node_stat(file->os, node, stat);
    return 0;
}

static int64_t console_read(struct os_file *file, void *to, size_t nbytes, uint64_t offset) {
    os_console_touched(file->os, NULL, 0);
    return stream_read(file, to, nbytes, offset);
}

static int64_t console_write(struct os_file *file, const void *from, size_t nbytes,
                             uint64_t offset) {
    os_console_touched(file->os, from, nbytes);
    return stream_write(file, from, nbytes, offset);
}

static int64_t console_ioctl(struct os_task *task, struct os_file *file, uint64_t request,
                             uint64_t argument) {
    if (request == OS_TCSETS || request == OS_TCSETSW || request == OS_TCSETSF)
        os_console_touched(file->os, NULL, 0);
    return os_tty_ioctl(task, file, request, argument);
}

static const struct os_file_ops console_ops = {
    .name = "stream",
    .waits_on_host = true,
    .read = console_read,
    .write = console_write,
    .poll = stream_poll,
    .stat = console_stat,
    .ioctl = console_ioctl,
};

static const struct os_file_ops directory_ops = {
    .name = "directory", .poll = always_ready, .stat = host_stat, .list = os_dir_list_host};

static const struct os_file_ops path_ops = {.name = "path", .stat = host_stat};

/* ---- opening --------------------------------------------------------------------------------- */

static const struct os_file_ops *ops_for(uint32_t mode, uint32_t flags) {
    if (flags & OS_O_PATH)
        return &path_ops;
    switch (mode & OS_S_IFMT) {
    case OS_S_IFDIR:
        return &directory_ops;
    case OS_S_IFREG:
        return &regular_ops;
    default:
        return &stream_ops;
    }
}

int64_t os_host_file(struct os *os, int host_fd, const char *path, uint32_t flags,
                     struct os_file **out) {
    struct stat status;
    if (fstat(host_fd, &status) < 0) {
        int64_t result = os_host_error();
        close(host_fd);
        return result;
    }
    struct os_file *file =
        os_file_new(os, ops_for(status.st_mode, flags), path, flags, status.st_mode);
    if (!file) {
        close(host_fd);
        return -OS_ENOMEM;
    }
    if (file->ops == &stream_ops && status.st_rdev == HOST_TTY)
        file->ops = &console_ops;
    file->host_fd = host_fd;
    file->device = status.st_dev;
    file->inode = status.st_ino;
    *out = file;
    return 0;
}

int64_t os_host_inherit(struct os *os, int host_fd, const char *path, struct os_file **out) {
    struct stat status;
    int flags = fcntl(host_fd, F_GETFL);
    *out = NULL;
    if (flags < 0 || fstat(host_fd, &status) < 0)
        return -OS_EBADF;
    uint32_t access = (uint32_t)flags & OS_O_ACCMODE;
    bool regular = S_ISREG(status.st_mode);
    const struct os_file_ops *ops = regular ? &inherited_ops : &stream_ops;
    if (isatty(host_fd)) {
        path = "/dev/tty";
        ops = &console_ops;
    } else if (S_ISFIFO(status.st_mode)) {
        path = "pipe:[0]"; /* ours are counted from 1 */
    }
    struct os_file *file = os_file_new(os, ops, path, access, status.st_mode);
    if (!file)
        return -OS_ENOMEM;
    file->host_fd = host_fd;
    file->inherited = true;
    if (regular) {
        file->device = status.st_dev;
        file->inode = status.st_ino;
    }
    *out = file;
    return 0;
}

int64_t os_host_seals(struct os_file *file, int command, uint32_t seals) {
    if (file->host_fd < 0)
        return -OS_EINVAL;
    int result = fcntl(file->host_fd, command == OS_F_ADD_SEALS ? F_ADD_SEALS : F_GET_SEALS, seals);
    return result < 0 ? os_host_error() : result;
}

/* The host's flags for opening a regular file or directory with these of a program. */
static int host_flags(uint32_t flags) {
    static const struct {
        uint32_t ours;
        int host;
    } map[] = {
        {OS_O_CREAT, O_CREAT},         {OS_O_EXCL, O_EXCL}, {OS_O_TRUNC, O_TRUNC},
        {OS_O_DIRECTORY, O_DIRECTORY}, {OS_O_PATH, O_PATH}, {OS_O_DSYNC, O_DSYNC},
    };
    int host = O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    switch (flags & OS_O_ACCMODE) {
    case OS_O_RDONLY:
        host |= O_RDONLY;
        break;
    case OS_O_WRONLY:
        host |= O_WRONLY;
        break;
    default:
        host |= O_RDWR;
        break;
    }
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++)
        if (flags & map[i].ours)
            host |= map[i].host;
    return host;
}

/* Open the host's object of an existing place again, now for real. */
static int open_existing(struct os_place *place, uint32_t flags) {
    int host = host_flags(flags & ~(uint32_t)(OS_O_CREAT | OS_O_EXCL));
    if (S_ISDIR(place->status.st_mode))
        return openat(place->fd, ".", host);
    if (place->parent_fd >= 0)
        return openat(place->parent_fd, place->name, host);
    char link[OS_HOST_LINK_BYTES];
    return open(os_host_link(place->fd, link), host & ~O_NOFOLLOW);
}

/* A nameless file in a directory (O_TMPFILE). */
static int64_t open_nameless(struct os *os, struct os_place *place, uint32_t flags, uint32_t mode,
                             struct os_file **out) {
    if (!S_ISDIR(place->status.st_mode))
        return -OS_ENOTDIR;
    if ((flags & OS_O_ACCMODE) == OS_O_RDONLY)
        return -OS_EINVAL;
    int access = (flags & OS_O_ACCMODE) == OS_O_WRONLY ? O_WRONLY : O_RDWR;
    int exclusive = flags & OS_O_EXCL ? O_EXCL : 0;
    int fd = openat(place->fd, ".", O_TMPFILE | O_CLOEXEC | access | exclusive, mode);
    if (fd < 0)
        return os_host_error();
    os_date_host(os, fd, "", OS_DATE_ALL);
    return os_host_file(os, fd, place->path, flags & ~(uint32_t)OS_O_TMPFILE, out);
}

/* What open refuses because of what is there, before the host is asked. */
static int64_t check_existing(const struct os *os, const struct os_place *place, uint32_t flags) {
    uint32_t type = place->status.st_mode & OS_S_IFMT;
    bool writes = (flags & OS_O_ACCMODE) != OS_O_RDONLY;
    if ((flags & OS_O_CREAT) && (flags & OS_O_EXCL))
        return -OS_EEXIST;
    if (flags & OS_O_PATH)
        return (flags & OS_O_DIRECTORY) && type != OS_S_IFDIR ? -OS_ENOTDIR : 0;
    if (type == OS_S_IFLNK)
        return flags & OS_O_DIRECTORY ? -OS_ENOTDIR : -OS_ELOOP;
    if (type == OS_S_IFDIR)
        return writes || (flags & OS_O_CREAT) ? -OS_EISDIR : 0;
    if (flags & OS_O_DIRECTORY)
        return -OS_ENOTDIR;
    if (type == OS_S_IFSOCK || type == OS_S_IFCHR || type == OS_S_IFBLK)
        return -OS_ENXIO; /* devices are in our /dev; others of the host are not for programs */
    if ((writes || (flags & OS_O_TRUNC)) &&
        os_is_running(os, place->status.st_dev, place->status.st_ino))
        return -OS_ETXTBSY;
    return 0;
}

static int64_t open_host(struct os *os, struct os_place *place, uint32_t flags,
                         struct os_file **out) {
    int64_t result = check_existing(os, place, flags);
    if (result < 0)
        return result;
    if (flags & OS_O_PATH) {
        int fd = fcntl(place->fd, F_DUPFD_CLOEXEC, 0);
        return fd < 0 ? os_host_error() : os_host_file(os, fd, place->path, OS_O_PATH, out);
    }
    if (S_ISFIFO(place->status.st_mode))
        return os_fifo_open(os, &place->status, place->path, flags, out);
    int fd = open_existing(place, flags);
    if (fd < 0)
        return os_host_error();
    if (flags & OS_O_TRUNC) {
        os_object_after_truncate(os, place->status.st_dev, place->status.st_ino, 0);
        os_date(os, place->status.st_dev, place->status.st_ino, OS_DATE_CONTENT);
    }
    return os_host_file(os, fd, place->path, flags, out);
}

static int64_t create_file(struct os *os, struct os_place *place, uint32_t flags, uint32_t mode,
                           struct os_file **out) {
    if (place->trailing_slash)
        return -OS_EISDIR;
    if (place->parent_fd < 0)
        return -OS_EACCES; /* in /proc or /dev */
    int fd =
        openat(place->parent_fd, place->name, host_flags(flags | OS_O_CREAT | OS_O_EXCL), mode);
    if (fd < 0)
        return os_host_error();
    os_date_made(os, place);
    return os_host_file(os, fd, place->path, flags, out);
}

int64_t os_place_open(struct os *os, struct os_place *place, uint32_t flags, uint32_t mode,
                      struct os_file **out) {
    if (!os_place_exists(place))
        return flags & OS_O_CREAT ? create_file(os, place, flags, mode, out) : -OS_ENOENT;
    if (place->file) { /* /dev/stdin, /proc/self/fd/N of a pipe, ...: that open file itself */
        if ((flags & OS_O_DIRECTORY) != 0)
            return -OS_ENOTDIR;
        *out = os_file_ref(place->file);
        return 0;
    }
    if (place->node.entry)
        return os_node_open(os, place->node, place->path, flags, out);
    if ((flags & OS_O_TMPFILE) == OS_O_TMPFILE)
        return open_nameless(os, place, flags, mode, out);
    return open_host(os, place, flags, out);
}

/* ---- waiting for the host -------------------------------------------------------------------- */

/* Could another task do something before the host does? A task that sleeps with a near end is one
 * that itself only asks the host again and again. */
static bool others_can_run(const struct os_task *self, uint64_t now) {
    for (struct os_process *p = os_process_first(self->os); p; p = p->next) {
        for (struct os_task *task = p->tasks; task; task = task->next) {
            if (task == self)
                continue;
            if (task->state == OS_RUNNING)
                return true;
            if (task->state == OS_SLEEPING && task->wake_ns != UINT64_MAX &&
                task->wake_ns > now + OS_HOST_RETRY_NS)
                return true;
        }
    }
    return false;
}

/* The host is asked in turns of this length, because a signal to us may come between our looking
 * for one and the host's sleep. */
#define HOST_TURN_MS 100
#define NS_PER_MS    1000000u

void os_host_wait(struct os_task *task, struct pollfd *fds, unsigned count, uint64_t deadline_ns) {
    uint64_t now = os_now_ns(task->os);
    if (os_signal_pending(task)) {
        os_wait_on(task, NULL, now);
        return;
    }
    if (others_can_run(task, now)) {
        uint64_t retry = now + OS_HOST_RETRY_NS;
        os_wait_on(task, NULL, retry < deadline_ns ? retry : deadline_ns);
        return;
    }
    int turn_ms = HOST_TURN_MS;
    if (deadline_ns != UINT64_MAX) {
        uint64_t left = deadline_ns > now ? (deadline_ns - now + NS_PER_MS - 1) / NS_PER_MS : 0;
        if (left < HOST_TURN_MS)
            turn_ms = (int)left;
    }
    if (poll(fds, count, turn_ms) == 0 &&
        turn_ms > 0) /* real time has passed: so did the clock's */
        quire_soft_idle_until(os_machine(task->os), now + (uint64_t)turn_ms * NS_PER_MS);
    os_wait_on(task, NULL, os_now_ns(task->os));
}
