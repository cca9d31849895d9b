/* fs_object.c: host files as memory objects: the pager, and read() and write() that agree with it.
 *
 *   mmap of a file --> struct quire_object (one a host file) --pager--> pread, pwrite
 *   read of a file --> pread, then the object's pages laid over what was read
 *   write          --> pwrite, then put into the object's pages
 *
 * A file that is mapped has its bytes twice: in the host's file and, possibly newer, in pages of
 * the simulated RAM. Linux has one page cache for both; here the host is the store and the pages
 * are the cache, so every read and write of a mapped file passes both. Files that nobody maps cost
 * one walk over a short list. Rejected: reading every file through pages of the simulated RAM, as
 * Linux does: then a `cat` of a large file would evict programs, and the numbers of a lab would
 * depend on it.
 *
 * The pages stay when the last mapping goes, as they do in Linux's page cache: the next process
 * that runs the same program finds them, if nobody wanted the frames in between.
 *
 *     mapped ──last mapping gone: stored──▶ kept ──too many others, unlinked, written to──▶ dropped
 *        ▲                                    │
 *        └────mapped again, still the same────┘
 *
 * Invariants:
 *   I1  at most one object on the list for a host (device, inode), and every one that is mapped is
 *       there: two would let two mappings disagree.
 *   I2  the list holds a reference to each quire_object; who takes an entry off gives it up.
 *   I3  read_fd stays open as long as the object lives, whatever the program closes or unlinks.
 *   I4  no page of a kept file is dirty. A program's write drops it, and one that the host has
 *       changed since (its times say so) is not mapped again; reads look at the host's file alone.
 *
 * May fail: out of host memory or descriptors (ENOMEM, EMFILE); a failed pread is QUIRE_IO, which
 * the program sees as SIGBUS. Called by mmap and exec (os_file_object) and by fs_host.c.
 */
#include "os/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { KEPT_MAX = 64 }; /* files that nobody maps: each costs a descriptor of the host */

struct os_object {
    struct os_object *next; /* the one asked for last is the first */
    struct os_fs *fs;
    uint64_t device, inode;
    struct quire_object *object;
    int read_fd, write_fd; /* write_fd -1: no open file with write access has been mapped */
    char *name;
    struct stat seen;    /* as the last mapping left it */
    uint8_t *read;       /* a bit a page: it has been read before */
    uint64_t read_bytes; /* of the bits */
    uint64_t next_index; /* after the page that was read last */
};

/* ---- the pager ------------------------------------------------------------------------------- */

/* Notes that the page was read, and says whether it was before. */
static bool was_read(struct os_object *object, uint64_t index) {
    enum { STEP = 512, MOST = 1 << 18 }; /* 8 GiB of file; a sparse one may be much longer */
    uint64_t byte = index / 8;
    if (byte >= object->read_bytes) {
        uint64_t bytes = (byte / STEP + 1) * STEP;
        uint8_t *read = bytes <= MOST ? realloc(object->read, bytes) : NULL;
        if (!read)
            return false;
        memset(read + object->read_bytes, 0, bytes - object->read_bytes);
        object->read = read;
        object->read_bytes = bytes;
    }
    bool before = object->read[byte] >> index % 8 & 1;
    object->read[byte] |= (uint8_t)(1u << index % 8);
    return before;
}

/* The first time, a page is taken to be in the host's cache, so that a run with RAM enough tells
 * what the program does and not how its files were found. One that has had to leave is on the disk.
 */
static void take_time(struct os_object *object, uint64_t index) {
    if (was_read(object, index))
        quire_soft_file_read(os_machine(object->fs->os), index == object->next_index);
    object->next_index = index + 1;
}

static enum quire_status pager_read(void *context, uint64_t offset, void *frame) {
    struct os_object *object = context;
    uint8_t *bytes = frame;
    take_time(object, offset >> QUIRE_PAGE_SHIFT);
    size_t done = 0;
    while (done < QUIRE_PAGE_SIZE) {
        ssize_t got =
            pread(object->read_fd, bytes + done, QUIRE_PAGE_SIZE - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return QUIRE_IO;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    memset(bytes + done, 0, QUIRE_PAGE_SIZE - done);
    return QUIRE_OK;
}

static uint64_t pager_size(void *context) {
    struct os_object *object = context;
    struct stat status;
    return fstat(object->read_fd, &status) == 0 && status.st_size > 0 ? (uint64_t)status.st_size
                                                                      : 0;
}

static enum quire_status pager_write(void *context, uint64_t offset, const void *frame) {
    struct os_object *object = context;
    uint64_t size = pager_size(context);
    if (object->write_fd < 0)
        return QUIRE_IO;
    /* Mapping never makes a file longer: what lies past the end is dropped. */
    uint64_t left = offset >= size ? 0 : size - offset;
    size_t nbytes = left < QUIRE_PAGE_SIZE ? (size_t)left : (size_t)QUIRE_PAGE_SIZE;
    const uint8_t *bytes = frame;
    for (size_t done = 0; done < nbytes;) {
        ssize_t put = pwrite(object->write_fd, bytes + done, nbytes - done, (off_t)(offset + done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return QUIRE_IO;
        done += (size_t)put;
    }
    os_date(object->fs->os, object->device, object->inode, OS_DATE_CONTENT);
    return QUIRE_OK;
}

static void object_free(struct os_object *object) {
    if (object->read_fd >= 0)
        close(object->read_fd);
    if (object->write_fd >= 0)
        close(object->write_fd);
    free(object->name);
    free(object->read);
    free(object);
}

static void pager_release(void *context) {
    object_free(context);
}

static void unlist(struct os_object *object) {
    struct os_object **link = &object->fs->objects;
    while (*link != object)
        link = &(*link)->next;
    *link = object->next;
}

static void drop(struct os_object *object) {
    unlist(object);
    quire_object_unref(object->object); /* I2 */
}

/* What can't be stored, the last reference tries once more, and says so. A file that is open to be
 * written could not be run on the host. */
static void pager_unmapped(void *context) {
    struct os_object *object = context;
    if (quire_object_sync(object->object) != QUIRE_OK || /* I4 */
        fstat(object->read_fd, &object->seen) < 0 || object->seen.st_nlink == 0) {
        drop(object);
    } else if (object->write_fd >= 0) {
        close(object->write_fd);
        object->write_fd = -1;
    }
}

static const struct quire_pager file_pager = {
    .read = pager_read,
    .write = pager_write,
    .size = pager_size,
    .release = pager_release,
    .unmapped = pager_unmapped,
};

/* ---- one object a file ----------------------------------------------------------------------- */

static struct os_object *find(struct os_fs *fs, uint64_t device, uint64_t inode) {
    for (struct os_object *object = fs->objects; object; object = object->next)
        if (object->inode == inode && object->device == device)
            return object;
    return NULL;
}

static bool is_kept(const struct os_object *object) {
    return !quire_object_is_mapped(object->object);
}

static bool same_time(struct timespec a, struct timespec b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* The host has changed the kept file, or it goes by another name now. I4 */
static bool has_changed(const struct os_object *object, const struct os_file *file) {
    struct stat now;
    return fstat(object->read_fd, &now) < 0 || now.st_size != object->seen.st_size ||
           !same_time(now.st_mtim, object->seen.st_mtim) ||
           !same_time(now.st_ctim, object->seen.st_ctim) || strcmp(object->name, file->path) != 0;
}

/* Room for one more. */
static void drop_oldest(struct os_fs *fs) {
    unsigned kept = 0;
    for (struct os_object *object = fs->objects, *next; object; object = next) {
        next = object->next;
        if (is_kept(object) && ++kept >= KEPT_MAX)
            drop(object);
    }
}

/* A mapping may want to write later than the first one that only read. */
static void gain_write(struct os_object *object, struct os_file *file) {
    bool both = (file->flags & OS_O_ACCMODE) == OS_O_RDWR;
    if (object->write_fd < 0 && both)
        object->write_fd = fcntl(file->host_fd, F_DUPFD_CLOEXEC, 0);
}

static int64_t make(struct os_file *file, struct os_object **out) {
    struct os_fs *fs = os_fs(file->os);
    struct os_object *object = calloc(1, sizeof *object);
    if (!object)
        return -OS_ENOMEM;
    *object = (struct os_object){.fs = fs, .device = file->device, .inode = file->inode};
    object->write_fd = -1;
    object->read_fd = fcntl(file->host_fd, F_DUPFD_CLOEXEC, 0);
    object->name = strdup(file->path);
    if (object->read_fd < 0 || !object->name) {
        int64_t result = object->read_fd < 0 ? os_host_error() : -OS_ENOMEM;
        object_free(object);
        return result;
    }
    struct quire_object_info info = {object->name, file->inode, major(file->device),
                                     minor(file->device)};
    if (quire_object_create_file(os_quire(file->os), &file_pager, object, &info, &object->object) !=
        QUIRE_OK) {
        object_free(object);
        return -OS_ENOMEM;
    }
    *out = object;
    return 0;
}

int64_t os_file_object(struct os_file *file, struct quire_object **out) {
    if ((file->mode & OS_S_IFMT) != OS_S_IFREG || file->host_fd < 0 || (file->flags & OS_O_PATH))
        return -OS_ENODEV;
    struct os_fs *fs = os_fs(file->os);
    struct os_object *object = find(fs, file->device, file->inode);
    if (object && is_kept(object) && has_changed(object, file)) {
        drop(object);
        object = NULL;
    }
    if (object) {
        unlist(object);
    } else {
        drop_oldest(fs);
        int64_t result = make(file, &object);
        if (result < 0)
            return result;
    }
    object->next = fs->objects;
    fs->objects = object; /* I1 */
    gain_write(object, file);
    quire_object_ref(object->object);
    *out = object->object;
    return 0;
}

/* ---- reads and writes of a mapped file ------------------------------------------------------- */

void os_object_after_read(struct os_file *file, uint64_t offset, void *bytes, size_t nbytes) {
    struct os_object *object = find(os_fs(file->os), file->device, file->inode);
    if (object && !is_kept(object)) /* I4 */
        quire_object_overlay(object->object, offset, bytes, nbytes);
}

/* The file was changed: its object, if it has pages to be changed too. */
static struct os_object *changed(struct os *os, uint64_t device, uint64_t inode) {
    struct os_object *object = find(os_fs(os), device, inode);
    if (object && is_kept(object)) { /* I4 */
        drop(object);
        return NULL;
    }
    return object;
}

void os_object_after_write(struct os_file *file, uint64_t offset, const void *bytes,
                           size_t nbytes) {
    struct os_object *object = changed(file->os, file->device, file->inode);
    if (object)
        quire_object_update(object->object, offset, bytes, nbytes);
}

void os_object_after_truncate(struct os *os, uint64_t device, uint64_t inode, uint64_t size) {
    struct os_object *object = changed(os, device, inode);
    if (object)
        (void)quire_object_truncate(object->object, size); /* a file is never refused */
}

/* A kept file without a name is one that nobody can map again. */
void os_object_after_unlink(struct os *os, uint64_t device, uint64_t inode) {
    struct os_object *object = find(os_fs(os), device, inode);
    struct stat status;
    if (object && is_kept(object) && (fstat(object->read_fd, &status) < 0 || status.st_nlink == 0))
        drop(object);
}

int64_t os_object_store(struct os_file *file) {
    struct os_object *object = find(os_fs(file->os), file->device, file->inode);
    return object && quire_object_sync(object->object) != QUIRE_OK ? -OS_EIO : 0;
}

void os_objects_destroy(struct os_fs *fs) {
    while (fs->objects)
        drop(fs->objects);
}
