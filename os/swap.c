/* swap.c: swapon(2) and swapoff(2): files of the programs' tree as swap areas.
 *
 * The manager knows devices by number, a program knows paths: this file has the table between them.
 *
 *     path ─▶ host file ─▶ header looked at, file locked ─▶ device n ─▶ quire_swapon_file
 *
 * What is read and written of a file is the manager's swap traffic and nothing else. Areas of the
 * machine's own memory have no file; their names are those that /proc/swaps shows (/dev/swap0), and
 * both calls take them, so that `swapoff -a` does what it says.
 *
 * I1  os->swaps[n].file is set exactly while device n is a file; its lock (flock) is held so long.
 *
 * Errors are Linux's (mm/swapfile.c): EPERM without privilege, EINVAL for what has no good header,
 * EBUSY for what is in use, ENOMEM for what does not fit. A swapoff that fails has lost nothing.
 */
#include "os/fs.h"
#include "os/process.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <quire/swapfile.h>

#define SWAP_FLAG_PREFER    0x8000u
#define SWAP_FLAG_PRIO_MASK 0x7fffu
#define SWAP_FLAGS_DISCARD  0x70000u /* discarding is advice: taken, and nothing happens */
#define MEMORY_NAME         "/dev/swap"

void os_swap_note(struct os *os, unsigned device, int fd) {
    struct stat status;
    if (fstat(fd, &status) == 0) {
        os->swaps[device].file = true;
        os->swaps[device].host_device = status.st_dev;
        os->swaps[device].inode = status.st_ino;
    }
}

/* The device that is this file, or -1. */
static int device_of(const struct os *os, const struct stat *status) {
    for (int i = 0; i < OS_SWAPS_MAX; i++)
        if (os->swaps[i].file && os->swaps[i].host_device == status->st_dev &&
            os->swaps[i].inode == status->st_ino)
            return i;
    return -1;
}

/* The device of the machine's own that has this name, or -1. */
static int memory_device(struct os *os, const char *path) {
    size_t length = strlen(MEMORY_NAME);
    if (strncmp(path, MEMORY_NAME, length) != 0 || path[length] < '0' || path[length + 1])
        return -1;
    int device = path[length] - '0';
    bool there = device < OS_SWAPS_MAX && !os->swaps[device].file &&
                 quire_mach_swap_pages(os->machine, (unsigned)device) > 0;
    return there ? device : -1;
}

/* A host descriptor for reading and writing the file, or -errno. */
static int64_t open_file(struct os_task *task, const char *path, struct stat *status) {
    struct os_place place;
    int64_t result = os_walk(task->process, OS_AT_FDCWD, path, 0, &place);
    if (result < 0)
        return result;
    char link[OS_HOST_LINK_BYTES];
    int host = os_place_fd(&place);
    result = host < 0 ? -OS_EINVAL : open(os_host_link(host, link), O_RDWR | O_CLOEXEC);
    if (host >= 0 && result < 0)
        result = os_host_error();
    if (result >= 0 && fstat((int)result, status) < 0) {
        close((int)result);
        result = -OS_EIO;
    }
    os_place_done(&place);
    return result;
}

/* What the file's first pages say, as Linux's errors; *npages of it are the device. */
static int64_t judge(int fd, const struct stat *status, uint64_t *npages) {
    static const size_t look = QUIRE_SWAP_LOOK_BYTES;
    struct quire_swap_header header;
    if (!S_ISREG(status->st_mode))
        return -OS_EINVAL;
    *npages = (uint64_t)status->st_size >> QUIRE_PAGE_SHIFT;
    uint8_t *bytes = malloc(look);
    if (!bytes)
        return -OS_ENOMEM;
    ssize_t nbytes = pread(fd, bytes, look, 0);
    bool good = nbytes >= (ssize_t)QUIRE_PAGE_SIZE &&
                quire_swap_inspect(bytes, (size_t)nbytes, *npages, &header) == QUIRE_SWAP_GOOD;
    free(bytes);
    return good ? 0 : -OS_EINVAL;
}

static int64_t use_file(struct os *os, int fd, uint64_t npages, int priority, const char *path) {
    unsigned device = 0;
    while (device < OS_SWAPS_MAX && quire_mach_swap_pages(os->machine, device) > 0)
        device++;
    if (device == OS_SWAPS_MAX)
        return -OS_EPERM; /* as Linux says it when there are MAX_SWAPFILES */
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return -OS_EBUSY;
    enum quire_status status = quire_soft_swap_attach(os->machine, device, fd, npages);
    if (status != QUIRE_OK)
        return os_errno(status);
    status = quire_swapon_file(os->quire, device, priority, path);
    if (status == QUIRE_OK)
        os_swap_note(os, device, fd);
    else
        quire_soft_swap_detach(os->machine, device);
    return os_errno(status);
}

OS_CALL(swapon) {
    uint64_t flags = args[1];
    int priority =
        flags & SWAP_FLAG_PREFER ? (int)(flags & SWAP_FLAG_PRIO_MASK) : QUIRE_SWAP_PRIORITY_AUTO;
    char path[OS_PATH_MAX];
    struct stat status;
    uint64_t npages = 0;
    if (flags & ~(uint64_t)(SWAP_FLAG_PREFER | SWAP_FLAG_PRIO_MASK | SWAP_FLAGS_DISCARD))
        return -OS_EINVAL;
    if (geteuid() != 0)
        return -OS_EPERM;
    int64_t result = os_strncpy_from_user(task, path, args[0], sizeof path);
    if (result < 0)
        return result;
    int memory = memory_device(task->os, path);
    if (memory >= 0)
        return os_errno(quire_swapon(task->os->quire, (unsigned)memory, priority));
    int64_t fd = open_file(task, path, &status);
    if (fd < 0)
        return fd;
    result = judge((int)fd, &status, &npages);
    if (device_of(task->os, &status) >= 0)
        result = -OS_EBUSY;
    if (result == 0)
        result = use_file(task->os, (int)fd, npages, priority, path);
    close((int)fd); /* the machine has its own */
    return result;
}

OS_CALL(swapoff) {
    struct os *os = task->os;
    char path[OS_PATH_MAX];
    struct stat status;
    if (geteuid() != 0)
        return -OS_EPERM;
    int64_t result = os_strncpy_from_user(task, path, args[0], sizeof path);
    if (result < 0)
        return result;
    int device = memory_device(os, path);
    if (device < 0) {
        int64_t fd = open_file(task, path, &status);
        if (fd < 0)
            return fd;
        close((int)fd);
        device = device_of(os, &status);
    }
    if (device < 0)
        return -OS_EINVAL;
    result = os_errno(quire_swapoff(os->quire, (unsigned)device));
    if (result == 0 && os->swaps[device].file) { /* I1 */
        os->swaps[device].file = false;
        quire_soft_swap_detach(os->machine, (unsigned)device);
    }
    return result;
}
