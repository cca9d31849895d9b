/* fs_table.c: descriptors and open files.
 *
 *   process A   table { 0: * | cloexec, 1: *, ... }──┐
 *   process B   table (a copy by fork) ──────────────┴──> open file {refs 2, offset, flags} ──> ...
 *
 * A descriptor is an index into a process's table. fork copies the table, and both tables then
 * refer to the same open files: that is how a shell and its child share an offset. CLONE_FILES
 * shares the table itself. Rejected: host descriptors as the programs' descriptors (as user-mode
 * emulators do): two processes of ours live in one host process, so their numbers would collide,
 * and pipes would block the whole machine.
 *
 * Invariants:
 *   I1  a slot that is not NULL holds exactly one reference of its open file.
 *   I2  a new descriptor is the lowest free number (POSIX); programs rely on it.
 *   I3  an open file is in fs->files from creation to its last release.
 *
 * May fail: host memory (NULL, ENOMEM), the process's RLIMIT_NOFILE (EMFILE).
 * Called by the process side (fork, exec, exit) and by every handler of a descriptor.
 */
#include "os/fs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct os_file_table {
    unsigned refs;
    struct os_file *files[OS_NFILES_MAX];
    bool cloexec[OS_NFILES_MAX];
};

/* ---- open files ------------------------------------------------------------------------------ */

struct os_file *os_file_new(struct os *os, const struct os_file_ops *ops, const char *path,
                            uint32_t flags, uint32_t mode) {
    struct os_file *file = calloc(1, sizeof *file);
    char *copy = strdup(path);
    if (!file || !copy) {
        free(file);
        free(copy);
        return NULL;
    }
    struct os_fs *fs = os_fs(os);
    *file = (struct os_file){.ops = ops, .os = os, .refs = 1, .mode = mode, .path = copy};
    file->flags = flags & ~(uint32_t)(OS_O_CREAT | OS_O_EXCL | OS_O_TRUNC | OS_O_CLOEXEC |
                                      OS_O_NOCTTY | OS_O_NOFOLLOW);
    file->host_fd = -1;
    file->next = fs->files;
    if (fs->files)
        fs->files->previous = file;
    fs->files = file; /* I3 */
    return file;
}

struct os_file *os_file_ref(struct os_file *file) {
    file->refs++;
    return file;
}

void os_file_release(struct os_file *file) {
    if (--file->refs > 0)
        return;
    struct os_fs *fs = os_fs(file->os);
    os_epoll_forget(fs, file);
    os_locks_forget_file(fs, file);
    if (file->ops->release)
        file->ops->release(file);
    if (file->host_fd >= 0 && !file->inherited)
        close(file->host_fd);
    os_text_free(&file->text);
    os_listing_free(&file->listing);
    if (file->previous)
        file->previous->next = file->next;
    else
        fs->files = file->next;
    if (file->next)
        file->next->previous = file->previous;
    if (file->lock)
        os_wake(file->os, &fs->locks);
    free(file->path);
    free(file);
}

const char *os_file_path(const struct os_file *file) {
    return file->path;
}

bool os_file_readable(const struct os_file *file) {
    unsigned access = file->flags & OS_O_ACCMODE;
    return !(file->flags & OS_O_PATH) && access != OS_O_WRONLY;
}

bool os_file_writable(const struct os_file *file) {
    unsigned access = file->flags & OS_O_ACCMODE;
    return !(file->flags & OS_O_PATH) && (access == OS_O_WRONLY || access == OS_O_RDWR);
}

/* ---- tables ---------------------------------------------------------------------------------- */

struct os_file_table *os_files_create_stdio(struct os *os) {
    static const char *const names[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
    struct os_file_table *table = calloc(1, sizeof *table);
    if (!table)
        return NULL;
    table->refs = 1;
    for (int fd = 0; fd < 3; fd++) {
        /* A descriptor that the host closed stays closed for the program. */
        if (os_host_inherit(os, fd, names[fd], &table->files[fd]) == -OS_ENOMEM) {
            os_files_release(table);
            return NULL;
        }
    }
    return table;
}

struct os_file_table *os_files_copy(struct os_file_table *files) {
    struct os_file_table *copy = malloc(sizeof *copy);
    if (!copy)
        return NULL;
    *copy = *files;
    copy->refs = 1;
    for (int fd = 0; fd < OS_NFILES_MAX; fd++)
        if (copy->files[fd])
            os_file_ref(copy->files[fd]); /* I1 */
    return copy;
}

struct os_file_table *os_files_share(struct os_file_table *files) {
    files->refs++;
    return files;
}

void os_files_release(struct os_file_table *files) {
    if (!files || --files->refs > 0)
        return;
    for (int fd = 0; fd < OS_NFILES_MAX; fd++)
        if (files->files[fd])
            os_file_release(files->files[fd]);
    free(files);
}

void os_files_close_on_exec(struct os_file_table *files) {
    for (int fd = 0; fd < OS_NFILES_MAX; fd++) {
        struct os_file *file = files->files[fd];
        if (!file || !files->cloexec[fd])
            continue;
        files->files[fd] = NULL;
        files->cloexec[fd] = false;
        os_file_release(file);
    }
}

struct os_file *os_file_of(struct os_process *process, int fd) {
    if (fd < 0 || fd >= OS_NFILES_MAX || !process->files)
        return NULL;
    return process->files->files[fd];
}

bool os_fd_cloexec(const struct os_process *process, int fd) {
    return process->files->cloexec[fd];
}

int64_t os_fd_set_cloexec(struct os_process *process, int fd, bool cloexec) {
    process->files->cloexec[fd] = cloexec;
    return 0;
}

int os_files_count(const struct os_process *process) {
    int count = 0;
    for (int fd = 0; process->files && fd < OS_NFILES_MAX; fd++)
        count += process->files->files[fd] != NULL;
    return count;
}

/* How many descriptors the process may have: RLIMIT_NOFILE, at most the table. */
static int descriptor_limit(const struct os_process *process) {
    uint64_t limit = process->rlimits[OS_RLIMIT_NOFILE][0];
    return limit < OS_NFILES_MAX ? (int)limit : OS_NFILES_MAX;
}

int64_t os_fd_install(struct os_process *process, struct os_file *file, bool cloexec, int lowest) {
    int limit = descriptor_limit(process);
    for (int fd = lowest; fd < limit; fd++) { /* I2 */
        if (process->files->files[fd])
            continue;
        process->files->files[fd] = file;
        process->files->cloexec[fd] = cloexec;
        return fd;
    }
    os_file_release(file);
    return -OS_EMFILE;
}

/* ---- calls ----------------------------------------------------------------------------------- */

/* Closing also drops the process's record locks on that file, whichever descriptor set them: so
 * POSIX wants it. */
static int64_t close_fd(struct os_process *process, int fd) {
    struct os_file *file = os_file_of(process, fd);
    if (!file)
        return -OS_EBADF;
    process->files->files[fd] = NULL;
    process->files->cloexec[fd] = false;
    if (file->inode)
        os_locks_forget(os_fs(process->os), process->pid, file->device, file->inode);
    os_file_release(file);
    return 0;
}

OS_CALL(close) {
    return close_fd(task->process, (int)args[0]);
}

OS_CALL(close_range) {
    uint32_t first = (uint32_t)args[0], last = (uint32_t)args[1];
    if (first > last || (args[2] & ~(uint64_t)(OS_CLOSE_RANGE_CLOEXEC | OS_CLOSE_RANGE_UNSHARE)))
        return -OS_EINVAL;
    for (uint32_t fd = first; fd <= last && fd < OS_NFILES_MAX; fd++) {
        if (!os_file_of(task->process, (int)fd))
            continue;
        if (args[2] & OS_CLOSE_RANGE_CLOEXEC)
            task->process->files->cloexec[fd] = true;
        else
            close_fd(task->process, (int)fd);
    }
    return 0;
}

static int64_t duplicate(struct os_process *process, int fd, bool cloexec, int lowest) {
    struct os_file *file = os_file_of(process, fd);
    if (!file)
        return -OS_EBADF;
    return os_fd_install(process, os_file_ref(file), cloexec, lowest);
}

OS_CALL(dup) {
    return duplicate(task->process, (int)args[0], false, 0);
}

OS_CALL(dup3) {
    struct os_process *process = task->process;
    int from = (int)args[0], to = (int)args[1];
    struct os_file *file = os_file_of(process, from);
    if (from == to || (args[2] & ~(uint64_t)OS_O_CLOEXEC))
        return -OS_EINVAL;
    if (!file || to < 0 || to >= descriptor_limit(process))
        return -OS_EBADF;
    os_file_ref(file);
    close_fd(process, to); /* it may well not be open */
    process->files->files[to] = file;
    process->files->cloexec[to] = (args[2] & OS_O_CLOEXEC) != 0;
    return to;
}

/* The status flags that F_SETFL may change. */
#define SETFL_MASK \
    ((uint32_t)(OS_O_APPEND | OS_O_NONBLOCK | OS_O_ASYNC | OS_O_DIRECT | OS_O_NOATIME))

static int64_t set_flags(struct os_file *file, uint32_t flags) {
    file->flags = (file->flags & ~SETFL_MASK) | (flags & SETFL_MASK);
    return 0;
}

OS_CALL(fcntl) {
    struct os_process *process = task->process;
    int fd = (int)args[0];
    struct os_file *file = os_file_of(process, fd);
    if (!file)
        return -OS_EBADF;
    switch ((int)args[1]) {
    case OS_F_DUPFD:
    case OS_F_DUPFD_CLOEXEC:
        if (args[2] >= (uint64_t)descriptor_limit(process))
            return -OS_EINVAL;
        return duplicate(process, fd, args[1] == OS_F_DUPFD_CLOEXEC, (int)args[2]);
    case OS_F_GETFD:
        return process->files->cloexec[fd] ? OS_FD_CLOEXEC : 0;
    case OS_F_SETFD:
        process->files->cloexec[fd] = (args[2] & OS_FD_CLOEXEC) != 0;
        return 0;
    case OS_F_GETFL:
        return file->flags | OS_O_LARGEFILE;
    case OS_F_SETFL:
        return set_flags(file, (uint32_t)args[2]);
    case OS_F_GETLK:
    case OS_F_SETLK:
    case OS_F_SETLKW:
    case OS_F_OFD_GETLK:
    case OS_F_OFD_SETLK:
    case OS_F_OFD_SETLKW:
        return os_lock_fcntl(task, file, (int)args[1], args[2]);
    case OS_F_GETOWN:
    case OS_F_SETOWN:
    case OS_F_GETSIG:
    case OS_F_SETSIG:
        return 0; /* nobody is sent SIGIO */
    case OS_F_GETPIPE_SZ:
    case OS_F_SETPIPE_SZ:
        return file->rx || file->tx ? (int64_t)OS_PIPE_BYTES : -OS_EBADF;
    case OS_F_ADD_SEALS:
    case OS_F_GET_SEALS:
        return os_host_seals(file, (int)args[1], (uint32_t)args[2]);
    default:
        return -OS_EINVAL;
    }
}
