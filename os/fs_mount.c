/* fs_mount.c: what hangs where in the programs' tree, and the state of the file side.
 *
 *   /            --root DIR, or the host's own /
 *   /data        --bind DIR (any number)
 *   /proc        ours (proc.c)          always, whatever the root holds there
 *   /dev         ours (fs_dev.c)
 *
 * A mount is a canonical path of the program and a directory of the host, or a virtual one. The
 * walker compares the canonical path it has reached with the mounts' paths: with a handful of
 * mounts that is cheaper than any tree, and it makes "which mount is this" a question about text
 * that nothing on the host can change while we ask. Rejected: comparing device and inode numbers
 * of the directory reached; a bind over a directory that does not exist in the root would then be
 * impossible.
 *
 * Invariants:
 *   I1  mounts[0] is "/" and is a directory of the host.
 *   I2  every path is absolute, without "." or "..", double or trailing slashes.
 *
 * May fail: a directory that is not there (one clear line), host memory. The host's umask is taken
 * to 0 and SIGPIPE is ignored while a file system exists: the programs' umask is applied by us,
 * and a broken pipe of the host is an error of one call of a program, not the end of the machine.
 */
#include "os/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* I2. NULL: no memory. */
static char *canonical_text(const char *path) {
    char *out = malloc(strlen(path) + 2);
    if (!out)
        return NULL;
    size_t length = 0;
    for (const char *at = path; *at;) {
        size_t part = strcspn(at, "/");
        if (part == 2 && !memcmp(at, "..", 2)) {
            while (length > 0 && out[--length] != '/')
                ;
        } else if (part > 0 && !(part == 1 && *at == '.')) {
            out[length++] = '/';
            memcpy(out + length, at, part);
            length += part;
        }
        at += part + (at[part] == '/');
    }
    if (length == 0)
        out[length++] = '/';
    out[length] = 0;
    return out;
}

static bool add_mount(struct os_fs *fs, const char *path, int host_fd,
                      const struct os_entry *entry) {
    struct os_mount *mounts = realloc(fs->mounts, (fs->nmounts + 1) * sizeof *mounts);
    if (!mounts)
        return false;
    fs->mounts = mounts;
    char *copy = canonical_text(path);
    if (!copy)
        return false;
    mounts[fs->nmounts++] = (struct os_mount){copy, host_fd, {entry, 0, 0}};
    return true;
}

static bool add_host(struct os_fs *fs, const char *path, const char *host, char *message,
                     size_t capacity) {
    int fd = open(host, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        snprintf(message, capacity, "%s: %s (it must be a directory that can be entered)", host,
                 strerror(errno));
        return false;
    }
    if (add_mount(fs, path, fd, NULL))
        return true;
    close(fd);
    snprintf(message, capacity, "no memory for the file system's tables");
    return false;
}

static bool mount_all(struct os_fs *fs, const struct os_config *config, char *message,
                      size_t capacity) {
    if (!add_host(fs, "/", config->root ? config->root : "/", message, capacity)) /* I1 */
        return false;
    for (unsigned i = 0; i < config->nbinds; i++) {
        const struct os_bind *bind = &config->binds[i];
        if (!add_host(fs, bind->guest_path, bind->host_path, message, capacity))
            return false;
    }
    if (add_mount(fs, "/proc", -1, &os_proc_root) && add_mount(fs, "/sys", -1, &os_sys_root) &&
        add_mount(fs, "/dev", -1, &os_dev_root))
        return true;
    snprintf(message, capacity, "no memory for the file system's tables");
    return false;
}

struct os_fs *os_fs_create(struct os *os, const struct os_config *config, char *message,
                           size_t capacity) {
    struct os_fs *fs = calloc(1, sizeof *fs);
    uint8_t *bounce = malloc(OS_BOUNCE_BYTES);
    if (!fs || !bounce) {
        snprintf(message, capacity, "no memory for the file system's tables");
        free(fs);
        free(bounce);
        return NULL;
    }
    fs->os = os;
    fs->bounce = bounce;
    fs->next_inode = 1;
    fs->host_umask = umask(0);
    fs->host_sigpipe = signal(SIGPIPE, SIG_IGN);
    fs->console_saved = ioctl(0, TCGETS, &fs->console) == 0;
    if (mount_all(fs, config, message, capacity))
        return fs;
    os_fs_destroy(fs);
    return NULL;
}

void os_fs_destroy(struct os_fs *fs) {
    if (!fs)
        return;
    os_rights_collect(fs); /* what only lies in queues of sockets that nobody has any more */
    if (fs->console_saved)
        ioctl(0, TCSETS, &fs->console);
    if (fs->host_sigpipe != SIG_ERR)
        signal(SIGPIPE, fs->host_sigpipe);
    umask(fs->host_umask);
    for (unsigned i = 0; i < fs->nmounts; i++) {
        free(fs->mounts[i].path);
        if (fs->mounts[i].host_fd >= 0)
            close(fs->mounts[i].host_fd);
    }
    free(fs->mounts);
    os_locks_destroy(fs);
    os_objects_destroy(fs); /* stores what is dirty, which dates it */
    os_dates_destroy(fs);
    free(fs->bounce);
    free(fs);
}

int os_mount_at(const struct os_fs *fs, const char *path) {
    for (unsigned i = fs->nmounts; i-- > 0;) /* the latest mount covers the earlier ones */
        if (!strcmp(fs->mounts[i].path, path))
            return (int)i;
    return -1;
}

bool os_mount_below(const struct os_fs *fs, const char *path) {
    size_t length = strlen(path);
    for (unsigned i = 0; i < fs->nmounts; i++)
        if (!strncmp(fs->mounts[i].path, path, length) && fs->mounts[i].path[length] == '/')
            return true;
    return false;
}

unsigned os_mount_of(const struct os_fs *fs, const char *path) {
    unsigned best = 0;
    size_t best_length = 0;
    for (unsigned i = 1; i < fs->nmounts; i++) {
        size_t length = strlen(fs->mounts[i].path);
        bool covers = !strncmp(fs->mounts[i].path, path, length) &&
                      (path[length] == 0 || path[length] == '/');
        if (covers && length >= best_length) {
            best = i;
            best_length = length;
        }
    }
    return best;
}

void os_mount_list(const struct os_fs *fs, const char *directory, struct os_listing *listing) {
    size_t length = strcmp(directory, "/") ? strlen(directory) : 0;
    for (unsigned i = 1; i < fs->nmounts; i++) {
        const char *path = fs->mounts[i].path;
        if (strncmp(path, directory, length) || path[length] != '/')
            continue;
        char name[OS_NAME_MAX + 1];
        size_t part = strcspn(path + length + 1, "/");
        if (part == 0 || part > OS_NAME_MAX)
            continue;
        memcpy(name, path + length + 1, part);
        name[part] = 0;
        os_listing_add(listing, name, i + 1, OS_DT_DIR);
    }
}
