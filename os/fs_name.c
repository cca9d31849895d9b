/* fs_name.c: names: making, removing, moving them; permissions, owners and times.
 *
 * A name is changed in the host directory that the walk found (a descriptor and one component), so
 * no path is resolved by the host. Changes to the object itself go through its O_PATH descriptor:
 * by the host's /proc/self/fd where a call takes no such descriptor.
 *
 * Between two mounts nothing is renamed or linked (EXDEV), as between two file systems, also when
 * both lie on one of the host's: programs then copy, as they do on Linux for bind mounts.
 *
 * May fail: as the manual pages say; EROFS for names in /proc and /dev, EBUSY for mounts
 * themselves.
 */
#include "os/fs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MODE_MASK 07777u

static int64_t host_result(int result) {
    return result < 0 ? os_host_error() : 0;
}

/* The place is a free name in a directory of the host? */
static int64_t check_new(const struct os_place *place) {
    if (os_place_exists(place))
        return -OS_EEXIST;
    return place->parent_fd < 0 ? -OS_EROFS : 0;
}

static int64_t walk_new(struct os_task *task, int dirfd, uint64_t va, struct os_place *place) {
    int64_t result = os_walk_user(task, dirfd, va, OS_WALK_NOFOLLOW | OS_WALK_MISSING_OK, place);
    if (result < 0)
        return result;
    result = check_new(place);
    if (result < 0)
        os_place_done(place);
    return result;
}

/* What the host said to making this name. */
static int64_t made(struct os_task *task, const struct os_place *place, int result) {
    if (result < 0)
        return os_host_error();
    os_date_made(task->os, place);
    return 0;
}

/* An existing name that may be removed or moved? */
static int64_t check_old(const struct os_place *place) {
    if (!os_place_exists(place))
        return -OS_ENOENT;
    if (place->parent_fd >= 0)
        return 0;
    return place->node.entry && place->name[0] ? -OS_EROFS : -OS_EBUSY; /* EBUSY: a mount */
}

/* ---- making ---------------------------------------------------------------------------------- */

OS_CALL(mkdirat) {
    struct os_place place;
    int64_t result = walk_new(task, (int)args[0], args[1], &place);
    if (result < 0)
        return result;
    mode_t mode = (mode_t)(args[2] & MODE_MASK & ~task->process->umask);
    result = made(task, &place, mkdirat(place.parent_fd, place.name, mode));
    os_place_done(&place);
    return result;
}

OS_CALL(mknodat) {
    uint32_t type = (uint32_t)args[2] & OS_S_IFMT;
    if (type == OS_S_IFCHR || type == OS_S_IFBLK)
        return -OS_EPERM; /* no devices of the host */
    if (type != 0 && type != OS_S_IFREG && type != OS_S_IFIFO && type != OS_S_IFSOCK)
        return -OS_EINVAL;
    struct os_place place;
    int64_t result = walk_new(task, (int)args[0], args[1], &place);
    if (result < 0)
        return result;
    mode_t mode = (mode_t)(args[2] & MODE_MASK & ~task->process->umask);
    if (place.trailing_slash)
        result = -OS_ENOENT;
    else
        result = made(task, &place, mknodat(place.parent_fd, place.name, type | mode, 0));
    os_place_done(&place);
    return result;
}

OS_CALL(symlinkat) {
    char target[OS_PATH_MAX];
    int64_t length = os_strncpy_from_user(task, target, args[0], sizeof target);
    if (length <= 0)
        return length < 0 ? length : -OS_ENOENT;
    struct os_place place;
    int64_t result = walk_new(task, (int)args[1], args[2], &place);
    if (result < 0)
        return result;
    if (place.trailing_slash)
        result = -OS_ENOENT;
    else
        result = made(task, &place, symlinkat(target, place.parent_fd, place.name));
    os_place_done(&place);
    return result;
}

static int64_t link_places(struct os_place *from, const struct os_place *to) {
    char link[OS_HOST_LINK_BYTES];
    int fd = os_place_fd(from);
    if (from->node.entry || fd < 0 || (from->fd >= 0 && from->mount != to->mount))
        return -OS_EXDEV;
    if (from->fd >= 0 && S_ISDIR(from->status.st_mode))
        return -OS_EPERM;
    if (to->trailing_slash)
        return -OS_ENOENT;
    if (from->parent_fd >= 0) /* a link itself can have a second name as well */
        return host_result(linkat(from->parent_fd, from->name, to->parent_fd, to->name, 0));
    return host_result(
        linkat(AT_FDCWD, os_host_link(fd, link), to->parent_fd, to->name, AT_SYMLINK_FOLLOW));
}

OS_CALL(linkat) {
    if (args[4] & ~(uint64_t)(OS_AT_SYMLINK_FOLLOW | OS_AT_EMPTY_PATH))
        return -OS_EINVAL;
    unsigned flags = args[4] & OS_AT_SYMLINK_FOLLOW ? 0 : OS_WALK_NOFOLLOW;
    if (args[4] & OS_AT_EMPTY_PATH)
        flags |= OS_WALK_EMPTY_OK;
    struct os_place from, to;
    int64_t result = os_walk_user(task, (int)args[0], args[1], flags, &from);
    if (result < 0)
        return result;
    result = walk_new(task, (int)args[2], args[3], &to);
    if (result == 0) {
        result = link_places(&from, &to);
        if (result == 0) { /* an old file with a new name */
            os_date_host(task->os, to.parent_fd, "", OS_DATE_CONTENT);
            os_date_host(task->os, to.parent_fd, to.name, OS_DATE_CHANGED);
        }
        os_place_done(&to);
    }
    os_place_done(&from);
    return result;
}

/* ---- removing, moving ------------------------------------------------------------------------ */

static void name_is_gone(struct os *os, const struct os_place *place) {
    os_date_removed(os, place);
    os_object_after_unlink(os, place->status.st_dev, place->status.st_ino);
}

OS_CALL(unlinkat) {
    if (args[2] & ~(uint64_t)OS_AT_REMOVEDIR)
        return -OS_EINVAL;
    bool directory = args[2] & OS_AT_REMOVEDIR;
    struct os_place place;
    int64_t result = os_walk_user(task, (int)args[0], args[1], OS_WALK_NOFOLLOW, &place);
    if (result < 0)
        return result;
    if (place.dot && place.parent_fd < 0 && !place.name[0])
        result = directory ? -OS_EBUSY : -OS_EISDIR; /* the root */
    else if (place.dot)
        result = directory ? -OS_EINVAL : -OS_EISDIR;
    else
        result = check_old(&place);
    if (result == 0 && place.trailing_slash && !directory)
        result = S_ISDIR(place.status.st_mode) ? -OS_EISDIR : -OS_ENOTDIR;
    if (result == 0)
        result = host_result(unlinkat(place.parent_fd, place.name, directory ? AT_REMOVEDIR : 0));
    if (result == 0)
        name_is_gone(task->os, &place);
    os_place_done(&place);
    return result;
}

static int64_t rename_places(struct os_task *task, const struct os_place *from,
                             const struct os_place *to, unsigned flags) {
    if (from->dot || to->dot)
        return -OS_EBUSY;
    int64_t result = check_old(from);
    if (result < 0)
        return result;
    if (os_place_exists(to) && (flags & OS_RENAME_NOREPLACE))
        return -OS_EEXIST;
    if (to->parent_fd < 0)
        return os_place_exists(to) ? check_old(to) : -OS_EROFS;
    if (from->mount != to->mount)
        return -OS_EXDEV;
    bool directory = S_ISDIR(from->status.st_mode);
    if (to->trailing_slash && !os_place_exists(to) && !directory)
        return -OS_ENOTDIR;
    result = host_result(renameat2(from->parent_fd, from->name, to->parent_fd, to->name, flags));
    if (result < 0)
        return result;
    if (directory)
        os_cwd_renamed(task->os, from->path, to->path);
    if (os_place_exists(to) && !(flags & OS_RENAME_EXCHANGE))
        name_is_gone(task->os, to);
    os_date_host(task->os, from->parent_fd, "", OS_DATE_CONTENT);
    os_date_host(task->os, to->parent_fd, "", OS_DATE_CONTENT);
    os_date_host(task->os, to->parent_fd, to->name, OS_DATE_CHANGED);
    if (flags & OS_RENAME_EXCHANGE)
        os_date_host(task->os, from->parent_fd, from->name, OS_DATE_CHANGED);
    return 0;
}

OS_CALL(renameat2) {
    unsigned flags = (unsigned)args[4];
    if ((flags & ~(unsigned)(OS_RENAME_NOREPLACE | OS_RENAME_EXCHANGE)) ||
        flags == (OS_RENAME_NOREPLACE | OS_RENAME_EXCHANGE))
        return -OS_EINVAL;
    struct os_place from, to;
    int64_t result = os_walk_user(task, (int)args[0], args[1], OS_WALK_NOFOLLOW, &from);
    if (result < 0)
        return result;
    result = os_walk_user(task, (int)args[2], args[3], OS_WALK_NOFOLLOW | OS_WALK_MISSING_OK, &to);
    if (result == 0) {
        result = rename_places(task, &from, &to, flags);
        os_place_done(&to);
    }
    os_place_done(&from);
    return result;
}

/* ---- permissions, owners, times -------------------------------------------------------------- */

/* What is changed: an object of the host by descriptor. A pipe or another thing of ours has nothing
 * that could be changed, and nobody asks afterwards; virtual files refuse. */
enum change { CHANGE_MODE, CHANGE_OWNER, CHANGE_TIMES };

struct request {
    enum change change;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    struct timespec times[2];
};

/* Devices, pipes and sockets of the host reach a program only as its standard streams. They belong
 * to whoever gave them: a run as root must not change the mode of the host's /dev/null. */
static bool is_given(int fd) {
    struct stat status;
    return fstat(fd, &status) != 0 ||
           !(S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISLNK(status.st_mode));
}

static int64_t change_fd(struct os *os, int fd, bool is_link, const struct request *request) {
    char link[OS_HOST_LINK_BYTES];
    int64_t result;
    if (is_given(fd))
        return request->change == CHANGE_TIMES ? 0 : -OS_EPERM;
    os_host_link(fd, link);
    switch (request->change) {
    case CHANGE_MODE:
        result = is_link ? -OS_EOPNOTSUPP : host_result(fchmodat(AT_FDCWD, link, request->mode, 0));
        break;
    case CHANGE_OWNER:
        result = host_result(fchownat(fd, "", request->uid, request->gid, AT_EMPTY_PATH));
        break;
    default:
        if (is_link)
            return 0; /* a link's times cannot be set without its name; nobody reads them */
        result = host_result(utimensat(AT_FDCWD, link, request->times, 0));
        if (result == 0)
            os_date_set(os, fd, "", request->times);
        return result;
    }
    if (result == 0)
        os_date_host(os, fd, "", OS_DATE_CHANGED);
    return result;
}

static int64_t change_at(struct os_task *task, int dirfd, uint64_t va, unsigned at_flags,
                         const struct request *request) {
    unsigned flags = at_flags & OS_AT_SYMLINK_NOFOLLOW ? OS_WALK_NOFOLLOW : 0;
    if (at_flags & OS_AT_EMPTY_PATH)
        flags |= OS_WALK_EMPTY_OK;
    struct os_place place;
    int64_t result = os_walk_user(task, dirfd, va, flags, &place);
    if (result < 0)
        return result;
    int fd = os_place_fd(&place);
    bool is_link = place.fd >= 0 && S_ISLNK(place.status.st_mode);
    if (is_link && request->change == CHANGE_TIMES && place.parent_fd >= 0) {
        result = host_result(
            utimensat(place.parent_fd, place.name, request->times, AT_SYMLINK_NOFOLLOW));
        if (result == 0)
            os_date_set(task->os, place.parent_fd, place.name, request->times);
    } else if (fd >= 0)
        result = change_fd(task->os, fd, is_link, request);
    else
        result = place.file && !place.file->node.entry ? 0 : -OS_EPERM;
    os_place_done(&place);
    return result;
}

static int64_t change_open(struct os_task *task, int fd, const struct request *request) {
    struct os_file *file = os_file_of(task->process, fd);
    if (!file || ((file->flags & OS_O_PATH) && request->change != CHANGE_TIMES))
        return -OS_EBADF;
    if (file->host_fd >= 0)
        return change_fd(task->os, file->host_fd, false, request);
    return file->node.entry ? -OS_EPERM : 0;
}

OS_CALL(fchmod) {
    struct request request = {.change = CHANGE_MODE, .mode = (mode_t)(args[1] & MODE_MASK)};
    return change_open(task, (int)args[0], &request);
}

OS_CALL(fchmodat) {
    struct request request = {.change = CHANGE_MODE, .mode = (mode_t)(args[2] & MODE_MASK)};
    return change_at(task, (int)args[0], args[1], 0, &request);
}

OS_CALL(fchmodat2) {
    struct request request = {.change = CHANGE_MODE, .mode = (mode_t)(args[2] & MODE_MASK)};
    if (args[3] & ~(uint64_t)(OS_AT_SYMLINK_NOFOLLOW | OS_AT_EMPTY_PATH))
        return -OS_EINVAL;
    return change_at(task, (int)args[0], args[1], (unsigned)args[3], &request);
}

OS_CALL(fchown) {
    struct request request = {.change = CHANGE_OWNER, .uid = (uid_t)args[1], .gid = (gid_t)args[2]};
    return change_open(task, (int)args[0], &request);
}

OS_CALL(fchownat) {
    struct request request = {.change = CHANGE_OWNER, .uid = (uid_t)args[2], .gid = (gid_t)args[3]};
    if (args[4] & ~(uint64_t)(OS_AT_SYMLINK_NOFOLLOW | OS_AT_EMPTY_PATH))
        return -OS_EINVAL;
    return change_at(task, (int)args[0], args[1], (unsigned)args[4], &request);
}

/* "Now" is the host's clock for the host's file; for programs it is the machine's (fs_date.c). */
static int64_t get_time(const struct os_timespec *from, struct timespec *to) {
    if (from->nanoseconds == OS_UTIME_OMIT || from->nanoseconds == OS_UTIME_NOW) {
        *to = (struct timespec){0, from->nanoseconds == OS_UTIME_NOW ? UTIME_NOW : UTIME_OMIT};
        return 0;
    }
    if (from->nanoseconds < 0 || from->nanoseconds >= OS_NS_PER_SECOND)
        return -OS_EINVAL;
    *to = (struct timespec){from->seconds, from->nanoseconds};
    return 0;
}

OS_CALL(utimensat) {
    struct request request = {.change = CHANGE_TIMES};
    struct os_timespec times[2] = {{0, OS_UTIME_NOW}, {0, OS_UTIME_NOW}};
    if (args[3] & ~(uint64_t)(OS_AT_SYMLINK_NOFOLLOW | OS_AT_EMPTY_PATH))
        return -OS_EINVAL;
    int64_t result = args[2] ? os_copy_from_user(task, times, args[2], sizeof times) : 0;
    for (int i = 0; i < 2 && result == 0; i++)
        result = get_time(&times[i], &request.times[i]);
    if (result < 0)
        return result;
    if (!args[1]) /* futimens */
        return change_open(task, (int)args[0], &request);
    return change_at(task, (int)args[0], args[1], (unsigned)args[3], &request);
}
