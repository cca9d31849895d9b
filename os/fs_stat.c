/* fs_stat.c: what is known about a file: stat, statx, statfs, access, readlink, attributes.
 *
 * Everything is asked of the place that the walk found or of the open file, never by a path again.
 * Times and inode numbers of host files are the host's; virtual files have fixed ones, so that runs
 * repeat. Extended attributes are not offered (EOPNOTSUPP): the root is unpacked without them.
 *
 * May fail: as stat(2) and its relatives. Results go out whole or not at all.
 */
#include "os/fs.h"

#include <fcntl.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

int64_t os_file_stat(struct os_file *file, struct os_stat *stat) {
    if (file->ops->stat)
        return file->ops->stat(file, stat);
    *stat = (struct os_stat){.inode = file->inode, .mode = file->mode, .links = 1};
    stat->block_size = (int32_t)QUIRE_PAGE_SIZE;
    return 0;
}

/* Walk with the AT_ flags that stat knows, and ask. */
static int64_t stat_at(struct os_task *task, int dirfd, uint64_t path_va, unsigned at_flags,
                       struct os_stat *stat) {
    unsigned flags = at_flags & OS_AT_SYMLINK_NOFOLLOW ? OS_WALK_NOFOLLOW : 0;
    if (at_flags & OS_AT_EMPTY_PATH)
        flags |= OS_WALK_EMPTY_OK;
    struct os_place place;
    int64_t result = os_walk_user(task, dirfd, path_va, flags, &place);
    if (result < 0)
        return result;
    result = os_place_stat(task->os, &place, stat);
    os_place_done(&place);
    return result;
}

#define STAT_AT_FLAGS (OS_AT_SYMLINK_NOFOLLOW | OS_AT_EMPTY_PATH | OS_AT_NO_AUTOMOUNT)

OS_CALL(newfstatat) {
    struct os_stat stat;
    if (args[3] & ~(uint64_t)STAT_AT_FLAGS)
        return -OS_EINVAL;
    int64_t result = stat_at(task, (int)args[0], args[1], (unsigned)args[3], &stat);
    return result < 0 ? result : os_copy_to_user(task, args[2], &stat, sizeof stat);
}

OS_CALL(fstat) {
    struct os_stat stat;
    struct os_file *file = os_file_of(task->process, (int)args[0]);
    if (!file)
        return -OS_EBADF;
    int64_t result = os_file_stat(file, &stat);
    return result < 0 ? result : os_copy_to_user(task, args[1], &stat, sizeof stat);
}

static struct os_statx_time statx_time(struct os_timespec time) {
    return (struct os_statx_time){time.seconds, (uint32_t)time.nanoseconds, 0};
}

#define STATX_SYNC_FLAGS 0x6000 /* AT_STATX_FORCE_SYNC, AT_STATX_DONT_SYNC: no difference here */

OS_CALL(statx) {
    struct os_stat stat;
    if ((args[2] & ~(uint64_t)(STAT_AT_FLAGS | STATX_SYNC_FLAGS)) || (args[3] & OS_STATX_RESERVED))
        return -OS_EINVAL;
    int64_t result = stat_at(task, (int)args[0], args[1], (unsigned)args[2], &stat);
    if (result < 0)
        return result;
    struct os_statx out = {
        .mask = OS_STATX_BASIC_STATS,
        .block_size = (uint32_t)stat.block_size,
        .links = stat.links,
        .uid = stat.uid,
        .gid = stat.gid,
        .mode = (uint16_t)stat.mode,
        .inode = stat.inode,
        .size = (uint64_t)stat.size,
        .blocks = (uint64_t)stat.blocks,
        .accessed = statx_time(stat.accessed),
        .modified = statx_time(stat.modified),
        .changed = statx_time(stat.changed),
        .special_major = major(stat.special_device),
        .special_minor = minor(stat.special_device),
        .device_major = major(stat.device),
        .device_minor = minor(stat.device),
    };
    return os_copy_to_user(task, args[4], &out, sizeof out);
}

/* ---- file systems ---------------------------------------------------------------------------- */

#define VIRTUAL_FS_MAGIC 0x9fa0 /* PROC_SUPER_MAGIC */

static int64_t statfs_of(struct os_task *task, int host_fd, uint64_t va) {
    struct os_statfs out = {.type = VIRTUAL_FS_MAGIC, .block_size = (int64_t)QUIRE_PAGE_SIZE};
    out.fragment_size = (int64_t)QUIRE_PAGE_SIZE;
    out.name_max = OS_NAME_MAX;
    struct statfs host;
    if (host_fd >= 0) {
        if (fstatfs(host_fd, &host) < 0)
            return os_host_error();
        out.type = host.f_type;
        out.block_size = host.f_bsize;
        out.blocks = host.f_blocks;
        out.blocks_free = host.f_bfree;
        out.blocks_available = host.f_bavail;
        out.files = host.f_files;
        out.files_free = host.f_ffree;
        out.name_max = host.f_namelen;
        out.fragment_size = host.f_frsize;
        memcpy(out.id, &host.f_fsid, sizeof out.id);
    }
    return os_copy_to_user(task, va, &out, sizeof out);
}

OS_CALL(statfs) {
    struct os_place place;
    int64_t result = os_walk_user(task, OS_AT_FDCWD, args[0], 0, &place);
    if (result < 0)
        return result;
    result = statfs_of(task, os_place_fd(&place), args[1]);
    os_place_done(&place);
    return result;
}

OS_CALL(fstatfs) {
    struct os_file *file = os_file_of(task->process, (int)args[0]);
    return file ? statfs_of(task, file->host_fd, args[1]) : -OS_EBADF;
}

/* ---- access ---------------------------------------------------------------------------------- */

static int64_t access_at(struct os_task *task, int dirfd, uint64_t path_va, uint64_t mode,
                         unsigned at_flags) {
    if (mode & ~(uint64_t)(OS_R_OK | OS_W_OK | OS_X_OK))
        return -OS_EINVAL;
    unsigned flags = at_flags & OS_AT_SYMLINK_NOFOLLOW ? OS_WALK_NOFOLLOW : 0;
    if (at_flags & OS_AT_EMPTY_PATH)
        flags |= OS_WALK_EMPTY_OK;
    struct os_place place;
    int64_t result = os_walk_user(task, dirfd, path_va, flags, &place);
    if (result < 0)
        return result;
    char link[OS_HOST_LINK_BYTES];
    int fd = os_place_fd(&place);
    struct os_stat stat;
    if (fd >= 0 && !S_ISLNK(place.status.st_mode)) {
        if (faccessat(AT_FDCWD, os_host_link(fd, link), (int)mode, 0) < 0)
            result = os_host_error();
    } else if (os_place_stat(task->os, &place, &stat) == 0) {
        /* virtual: no owner but everybody's, so any bit will do */
        bool denied =
            ((mode & OS_W_OK) && !(stat.mode & 0222)) || ((mode & OS_X_OK) && !(stat.mode & 0111));
        result = denied ? -OS_EACCES : 0;
    }
    os_place_done(&place);
    return result;
}

OS_CALL(faccessat) {
    return access_at(task, (int)args[0], args[1], args[2], 0);
}

OS_CALL(faccessat2) {
    if (args[3] & ~(uint64_t)(OS_AT_EACCESS | OS_AT_SYMLINK_NOFOLLOW | OS_AT_EMPTY_PATH))
        return -OS_EINVAL;
    return access_at(task, (int)args[0], args[1], args[2], (unsigned)args[3]);
}

/* ---- links ----------------------------------------------------------------------------------- */

static int64_t link_text(struct os *os, const struct os_place *place, struct os_text *text) {
    if (place->node.entry) {
        if (!place->node.entry->link)
            return -OS_EINVAL;
        place->node.entry->link(os, place->node, text);
    } else {
        int fd = os_place_fd(place);
        char bytes[OS_PATH_MAX];
        ssize_t length = fd < 0 ? -1 : readlinkat(fd, "", bytes, sizeof bytes);
        if (length < 0) /* the host says ENOENT of what is no link, when the path is empty */
            return -OS_EINVAL;
        os_text_bytes(text, bytes, (size_t)length);
    }
    return text->failed ? -OS_ENOMEM : 0;
}

OS_CALL(readlinkat) {
    if ((int64_t)args[3] <= 0)
        return -OS_EINVAL;
    struct os_place place;
    int64_t result =
        os_walk_user(task, (int)args[0], args[1], OS_WALK_NOFOLLOW | OS_WALK_EMPTY_OK, &place);
    if (result < 0)
        return result;
    struct os_text text = {0};
    result = link_text(task->os, &place, &text);
    if (result == 0) {
        size_t length = text.length < args[3] ? text.length : (size_t)args[3];
        result = os_copy_to_user(task, args[2], text.bytes, length);
        if (result == 0)
            result = (int64_t)length;
    }
    os_text_free(&text);
    os_place_done(&place);
    return result;
}

/* ---- extended attributes: none --------------------------------------------------------------- */

static int64_t no_attributes(struct os_task *task, uint64_t path_va, unsigned flags) {
    struct os_place place;
    int64_t result = os_walk_user(task, OS_AT_FDCWD, path_va, flags, &place);
    if (result < 0)
        return result;
    os_place_done(&place);
    return -OS_EOPNOTSUPP;
}

OS_CALL(getxattr) {
    return no_attributes(task, args[0], 0);
}

OS_CALL(lgetxattr) {
    return no_attributes(task, args[0], OS_WALK_NOFOLLOW);
}

OS_CALL(listxattr) {
    return no_attributes(task, args[0], 0);
}

OS_CALL(llistxattr) {
    return no_attributes(task, args[0], OS_WALK_NOFOLLOW);
}

OS_CALL(setxattr) {
    return no_attributes(task, args[0], 0);
}

OS_CALL(lsetxattr) {
    return no_attributes(task, args[0], OS_WALK_NOFOLLOW);
}

OS_CALL(removexattr) {
    return no_attributes(task, args[0], 0);
}

OS_CALL(lremovexattr) {
    return no_attributes(task, args[0], OS_WALK_NOFOLLOW);
}

OS_CALL(fgetxattr) {
    return os_file_of(task->process, (int)args[0]) ? -OS_EOPNOTSUPP : -OS_EBADF;
}

OS_CALL(flistxattr) {
    return os_sys_fgetxattr(task, args);
}

OS_CALL(fsetxattr) {
    return os_sys_fgetxattr(task, args);
}

OS_CALL(fremovexattr) {
    return os_sys_fgetxattr(task, args);
}
