/* fs_dir.c: directories: reading them, and the working directory.
 *
 *   getdents64 ──> listing (made whole at offset 0, sorted) ──> records; the offset counts entries
 *
 * The host lists a directory in the order of its hash tables, which depends on the directory's
 * past. Here the names are sorted, so that a program that walks a tree does the same in every run.
 * The cost is one listing in memory for each directory being read, the price that ls pays itself.
 *
 * Invariants:
 *   I1  entry i of the listing has offset i; the listing stays as it is until the program seeks to
 *       0.
 *   I2  process->cwd is the canonical path of a directory when it was set (host heap, never NULL).
 *
 * May fail: as getdents(2), chdir(2), getcwd(2); ENOMEM.
 */
#include "os/fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- listing --------------------------------------------------------------------------------- */

int64_t os_dir_list_host(struct os_file *file, struct os_listing *listing) {
    int fd = openat(file->host_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return os_host_error();
    DIR *directory = fdopendir(fd);
    if (!directory) {
        close(fd);
        return -OS_ENOMEM;
    }
    for (struct dirent *entry; (entry = readdir(directory));)
        os_listing_add(listing, entry->d_name, entry->d_ino, entry->d_type);
    closedir(directory);
    os_mount_list(os_fs(file->os), file->path, listing);
    return 0;
}

static int64_t make_listing(struct os_file *file) {
    if (file->listed)
        return 0;
    int64_t result = file->ops->list(file, &file->listing);
    if (result == 0 && file->listing.failed)
        result = -OS_ENOMEM;
    if (result < 0) {
        os_listing_free(&file->listing);
        return result;
    }
    os_listing_sort(&file->listing);
    file->listed = true;
    return 0;
}

/* One record: fixed part, name, zeros up to a multiple of 8. Returns its length. */
#define RECORD_BYTES_MAX (OS_DIRENT_NAME_OFFSET + OS_NAME_MAX + 1 + 8)

static size_t make_record(const struct os_listing_entry *entry, uint64_t next, uint8_t *record) {
    size_t name_bytes = strlen(entry->name) + 1;
    size_t length = (OS_DIRENT_NAME_OFFSET + name_bytes + 7) & ~(size_t)7;
    struct os_dirent fixed = {.inode = entry->inode, .offset = (int64_t)next, .type = entry->type};
    fixed.record_bytes = (uint16_t)length;
    memset(record, 0, length);
    memcpy(record, &fixed, OS_DIRENT_NAME_OFFSET);
    memcpy(record + OS_DIRENT_NAME_OFFSET, entry->name, name_bytes);
    return length;
}

OS_CALL(getdents64) {
    struct os_file *file = os_file_of(task->process, (int)args[0]);
    uint64_t capacity = (uint32_t)args[2], done = 0;
    if (!file || (file->flags & OS_O_PATH))
        return -OS_EBADF;
    if (!file->ops->list)
        return -OS_ENOTDIR;
    int64_t result = make_listing(file);
    if (result < 0)
        return result;
    while (file->offset < file->listing.count) { /* I1 */
        uint8_t record[RECORD_BYTES_MAX];
        const struct os_listing_entry *entry = &file->listing.entries[file->offset];
        size_t length =
            strlen(entry->name) > OS_NAME_MAX ? 0 : make_record(entry, file->offset + 1, record);
        if (done + length > capacity)
            return done ? (int64_t)done : -OS_EINVAL;
        if (length && os_copy_to_user(task, args[1] + done, record, length) < 0)
            return done ? (int64_t)done : -OS_EFAULT;
        done += length;
        file->offset++;
    }
    return (int64_t)done;
}

/* ---- the working directory ------------------------------------------------------------------- */

OS_CALL(getcwd) {
    const char *cwd = task->process->cwd;
    size_t nbytes = strlen(cwd) + 1;
    if (args[1] < nbytes)
        return -OS_ERANGE;
    int64_t result = os_copy_to_user(task, args[0], cwd, nbytes);
    return result < 0 ? result : (int64_t)nbytes;
}

static int64_t set_cwd(struct os_process *process, const char *path) {
    char *copy = strdup(path);
    if (!copy)
        return -OS_ENOMEM;
    free(process->cwd);
    process->cwd = copy; /* I2 */
    return 0;
}

/* May the program search this directory, and is it one? */
static int64_t check_directory(const struct os_place *place) {
    char link[OS_HOST_LINK_BYTES];
    int fd = os_place_fd(place);
    if (place->node.entry)
        return (place->node.entry->mode & OS_S_IFMT) == OS_S_IFDIR ? 0 : -OS_ENOTDIR;
    if (place->fd < 0 || !S_ISDIR(place->status.st_mode))
        return -OS_ENOTDIR;
    if (faccessat(AT_FDCWD, os_host_link(fd, link), X_OK, 0) < 0)
        return os_host_error();
    return 0;
}

OS_CALL(chdir) {
    struct os_place place;
    int64_t result = os_walk_user(task, OS_AT_FDCWD, args[0], 0, &place);
    if (result < 0)
        return result;
    result = check_directory(&place);
    if (result == 0)
        result = set_cwd(task->process, place.path);
    os_place_done(&place);
    return result;
}

OS_CALL(fchdir) {
    struct os_file *file = os_file_of(task->process, (int)args[0]);
    if (!file)
        return -OS_EBADF;
    if ((file->mode & OS_S_IFMT) != OS_S_IFDIR)
        return -OS_ENOTDIR;
    return set_cwd(task->process, file->path);
}

/* A directory got another name: working directories in it move along. */
void os_cwd_renamed(struct os *os, const char *from, const char *to) {
    size_t length = strlen(from);
    for (struct os_process *p = os_process_first(os); p; p = p->next) {
        if (!p->cwd || strncmp(p->cwd, from, length) || (p->cwd[length] && p->cwd[length] != '/'))
            continue;
        const char *rest = p->cwd + length;
        size_t nbytes = strlen(to) + strlen(rest) + 1;
        char *cwd = nbytes <= OS_PATH_MAX ? malloc(nbytes) : NULL;
        if (!cwd)
            continue; /* the old name stays, and leads nowhere */
        strcpy(cwd, to);
        strcat(cwd, rest);
        free(p->cwd);
        p->cwd = cwd;
    }
}

OS_CALL(umask) {
    uint32_t old = task->process->umask;
    task->process->umask = args[0] & 0777;
    return old;
}
