/* fs_dev.c: /dev: the few devices that programs expect anywhere.
 *
 *   null zero full random urandom tty    stdin stdout stderr fd -> /proc/self/fd...
 *   shm -> /tmp (so that shm_open has a directory)
 *   ptmx pts/N: pseudo-terminals (fs_pty.c)
 *
 * They are the same whatever the root holds: nodes of real devices cannot be made without
 * privilege, and random bytes must come from the run's seed, or no run could be repeated.
 *
 * May fail: ENOSPC of /dev/full; ENXIO of /dev/tty when the host has no terminal.
 */
#include "os/fs.h"

#include <fcntl.h>
#include <string.h>

static int64_t null_read(struct os_file *file, void *to, size_t nbytes, uint64_t offset) {
    (void)file, (void)to, (void)nbytes, (void)offset;
    return 0;
}

static int64_t null_write(struct os_file *file, const void *from, size_t nbytes, uint64_t offset) {
    (void)file, (void)from, (void)offset;
    return (int64_t)nbytes;
}

static int64_t zero_read(struct os_file *file, void *to, size_t nbytes, uint64_t offset) {
    (void)file, (void)offset;
    memset(to, 0, nbytes);
    return (int64_t)nbytes;
}

static int64_t full_write(struct os_file *file, const void *from, size_t nbytes, uint64_t offset) {
    (void)file, (void)from, (void)nbytes, (void)offset;
    return -OS_ENOSPC;
}

static int64_t random_read(struct os_file *file, void *to, size_t nbytes, uint64_t offset) {
    (void)offset;
    os_random(file->os, to, nbytes);
    return (int64_t)nbytes;
}

static int64_t device_stat(struct os_file *file, struct os_stat *stat) {
    os_node_stat(file->os, file->node, stat);
    return 0;
}

static int64_t device_seek(struct os_file *file, int64_t offset, int whence) {
    (void)file, (void)offset, (void)whence;
    return 0;
}

/* Seekable in the sense of fs_io.c: a read gives all that was asked for; lseek answers 0. */
#define DEVICE(device_read, device_write)                                               \
    {                                                                                   \
        .name = "device", .seekable = true, .read = device_read, .write = device_write, \
        .seek = device_seek, .stat = device_stat                                        \
    }

static const struct os_file_ops null_ops = DEVICE(null_read, null_write);
static const struct os_file_ops zero_ops = DEVICE(zero_read, null_write);
static const struct os_file_ops full_ops = DEVICE(zero_read, full_write);
static const struct os_file_ops random_ops = DEVICE(random_read, null_write);

/* The host's terminal. */
int64_t os_console_open(struct os *os, const char *path, uint32_t flags, struct os_file **out) {
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    return fd < 0 ? -OS_ENXIO : os_host_file(os, fd, path, flags, out);
}

#define LINK_TO(name, target)                                                  \
    static void name(struct os *os, struct os_node at, struct os_text *text) { \
        (void)os, (void)at;                                                    \
        os_text_printf(text, "%s", target);                                    \
    }
LINK_TO(link_stdin, "/proc/self/fd/0")
LINK_TO(link_stdout, "/proc/self/fd/1")
LINK_TO(link_stderr, "/proc/self/fd/2")
LINK_TO(link_fd, "/proc/self/fd")
LINK_TO(link_shm, "/tmp")
LINK_TO(link_ptmx, "pts/ptmx")

#define DEVICE_MODE (OS_S_IFCHR | 0666)
#define LINK_MODE   (OS_S_IFLNK | 0777)

/* A table of the multiplexer alone: the slaves are found by their numbers. */
static const struct os_entry pts_entries[] = {
    {.name = "ptmx",
     .mode = DEVICE_MODE,
     .open = os_pty_open_master,
     .device_major = 5,
     .device_minor = 2},
    {0},
};

/* Minor numbers: Linux's devices.txt. */
static const struct os_entry dev_entries[] = {
    {.name = "null", .mode = DEVICE_MODE, .device = &null_ops, .device_minor = 3},
    {.name = "zero", .mode = DEVICE_MODE, .device = &zero_ops, .device_minor = 5},
    {.name = "full", .mode = DEVICE_MODE, .device = &full_ops, .device_minor = 7},
    {.name = "random", .mode = DEVICE_MODE, .device = &random_ops, .device_minor = 8},
    {.name = "urandom", .mode = DEVICE_MODE, .device = &random_ops, .device_minor = 9},
    {.name = "tty", .mode = DEVICE_MODE, .open = os_tty_open},
    {.name = "console", .mode = DEVICE_MODE, .open = os_tty_open_console, .device_minor = 1},
    {.name = "ptmx", .mode = LINK_MODE, .link = link_ptmx},
    {.name = "pts",
     .mode = OS_S_IFDIR | 0755,
     .children = pts_entries,
     .find = os_pty_find,
     .list = os_pty_list},
    {.name = "stdin", .mode = LINK_MODE, .link = link_stdin},
    {.name = "stdout", .mode = LINK_MODE, .link = link_stdout},
    {.name = "stderr", .mode = LINK_MODE, .link = link_stderr},
    {.name = "fd", .mode = LINK_MODE, .link = link_fd},
    {.name = "shm", .mode = LINK_MODE, .link = link_shm},
    {0},
};

const struct os_entry os_dev_root = {
    .name = "dev", .mode = OS_S_IFDIR | 0755, .children = dev_entries};
