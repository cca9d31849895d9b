/* fs_node.c: virtual nodes: finding, listing and opening what proc*.c and fs_dev.c describe.
 *
 *   os_entry  (constant: name, type, how to make the text)   +  pid, number  =  os_node
 *
 * A virtual tree is a constant table plus functions for what changes (processes, descriptors). A
 * node is a value, not an allocated thing: nothing must be kept alive, and a process that ended is
 * simply not found any more. The text of a file is made when it is read at offset 0 and stays
 * until it is read there again, so that a file read in pieces is one consistent picture.
 *
 * Invariants: I1 a node of a process is used only after os_process_by_pid found the process.
 * May fail: ENOENT (the process is gone: ESRCH when reading), EACCES, EPERM, ENOMEM.
 */
#include "os/fs.h"

#include <stdlib.h>
#include <string.h>

#define NODE_DEVICE      1 /* st_dev of virtual files: a number that no host file system has */
#define NODE_WRITE_BYTES 256
#define MEMORY_MAJOR     1 /* of /dev/null and its family: Linux's devices.txt */
#define TTY_MAJOR        5 /* of /dev/tty and /dev/console */

const struct os_entry os_mount_parent = {.name = "", .mode = OS_S_IFDIR | 0755};

/* FNV-1a over what makes the node: stable over runs. */
uint64_t os_node_inode(struct os_node node) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char *at = node.entry->name; *at; at++)
        hash = (hash ^ (uint8_t)*at) * 0x100000001b3u;
    hash = (hash ^ (uint32_t)node.pid) * 0x100000001b3u;
    hash = (hash ^ (uint32_t)node.number) * 0x100000001b3u;
    hash = (hash ^ node.entry->mode) * 0x100000001b3u;
    return (hash >> 16) | 1;
}

bool os_node_find(struct os *os, struct os_node at, const char *name, struct os_node *out) {
    for (const struct os_entry *entry = at.entry->children; entry && entry->name; entry++) {
        if (strcmp(entry->name, name))
            continue;
        *out = (struct os_node){entry, at.pid, at.number};
        return true;
    }
    return at.entry->find && at.entry->find(os, at, name, out);
}

void os_node_list(struct os *os, struct os_node at, struct os_listing *listing) {
    os_listing_add(listing, ".", os_node_inode(at), OS_DT_DIR);
    os_listing_add(listing, "..", os_node_inode(at), OS_DT_DIR);
    for (const struct os_entry *entry = at.entry->children; entry && entry->name; entry++)
        os_listing_add(listing, entry->name,
                       os_node_inode((struct os_node){entry, at.pid, at.number}),
                       os_type_of_mode(entry->mode));
    if (at.entry->list)
        at.entry->list(os, at, listing);
}

static uint64_t major_of(const struct os_entry *entry) {
    return entry->device_major ? entry->device_major : entry->device ? MEMORY_MAJOR : TTY_MAJOR;
}

void os_node_stat(struct os *os, struct os_node node, struct os_stat *stat) {
    uint64_t born = os_realtime_ns(os) - os_now_ns(os); /* the machine's start: fixed */
    struct os_timespec time = {(int64_t)(born / OS_NS_PER_SECOND), 0};
    *stat = (struct os_stat){.device = NODE_DEVICE, .mode = node.entry->mode, .links = 1};
    stat->inode = os_node_inode(node);
    stat->block_size = (int32_t)QUIRE_PAGE_SIZE;
    stat->accessed = stat->modified = stat->changed = time;
    if ((node.entry->mode & OS_S_IFMT) == OS_S_IFCHR)
        stat->special_device =
            major_of(node.entry) << 8 | (node.entry->device_minor + (unsigned)node.number);
    if ((node.entry->mode & OS_S_IFMT) == OS_S_IFDIR)
        stat->links = 2;
}

/* ---- open files of virtual nodes ------------------------------------------------------------- */

static bool is_gone(const struct os_file *file) {
    return file->node.pid && !os_process_by_pid(file->os, file->node.pid); /* I1 */
}

static int64_t text_read(struct os_file *file, void *to, size_t nbytes, uint64_t offset) {
    if (file->node.entry->read)
        return is_gone(file) ? -OS_ESRCH
                             : file->node.entry->read(file->os, file->node, to, nbytes, offset);
    if (!file->text_made || offset == 0) {
        os_text_free(&file->text);
        if (is_gone(file))
            return -OS_ESRCH;
        if (file->node.entry->text)
            file->node.entry->text(file->os, file->node, &file->text);
        file->text_made = true;
    }
    if (file->text.failed)
        return -OS_ENOMEM;
    if (offset >= file->text.length)
        return 0;
    size_t left = file->text.length - (size_t)offset;
    size_t take = nbytes < left ? nbytes : left;
    memcpy(to, file->text.bytes + offset, take);
    return (int64_t)take;
}

static int64_t text_write(struct os_file *file, const void *from, size_t nbytes, uint64_t offset) {
    char text[NODE_WRITE_BYTES];
    (void)offset;
    if (!file->node.entry->write)
        return -OS_EACCES;
    if (nbytes >= sizeof text)
        return -OS_EINVAL;
    if (is_gone(file))
        return -OS_ESRCH;
    memcpy(text, from, nbytes);
    text[nbytes] = 0;
    int64_t result = file->node.entry->write(file->os, file->node, text);
    return result < 0 ? result : (int64_t)nbytes;
}

static int64_t node_stat(struct os_file *file, struct os_stat *stat) {
    os_node_stat(file->os, file->node, stat);
    return 0;
}

static int64_t node_list(struct os_file *file, struct os_listing *listing) {
    if (is_gone(file))
        return -OS_ENOENT;
    os_node_list(file->os, file->node, listing);
    os_mount_list(os_fs(file->os), file->path, listing);
    return 0;
}

/* Opening for writing with O_TRUNC must not fail: "echo 5 > oom_score_adj". */
static int64_t text_truncate(struct os_file *file, uint64_t size) {
    (void)file;
    (void)size;
    return 0;
}

static const struct os_file_ops text_ops = {
    .name = "text",
    .seekable = true,
    .read = text_read,
    .write = text_write,
    .truncate = text_truncate,
    .stat = node_stat,
};

static const struct os_file_ops node_directory_ops = {
    .name = "directory", .stat = node_stat, .list = node_list};

static const struct os_file_ops node_path_ops = {.name = "path", .stat = node_stat};

int64_t os_node_open(struct os *os, struct os_node node, const char *path, uint32_t flags,
                     struct os_file **out) {
    uint32_t type = node.entry->mode & OS_S_IFMT;
    bool writes = (flags & OS_O_ACCMODE) != OS_O_RDONLY;
    if ((flags & OS_O_CREAT) && (flags & OS_O_EXCL))
        return -OS_EEXIST;
    if ((flags & OS_O_DIRECTORY) && type != OS_S_IFDIR)
        return -OS_ENOTDIR;
    const struct os_file_ops *ops = &text_ops;
    if (flags & OS_O_PATH) {
        ops = &node_path_ops;
    } else if (type == OS_S_IFLNK) {
        return -OS_ELOOP;
    } else if (type == OS_S_IFDIR) {
        if (writes || (flags & OS_O_CREAT))
            return -OS_EISDIR;
        ops = &node_directory_ops;
    } else if (type == OS_S_IFCHR) {
        if (node.entry->open)
            return node.entry->open(os, node, path, flags, out);
        ops = node.entry->device;
    } else if (writes && !node.entry->write) {
        return -OS_EACCES;
    }
    struct os_file *file = os_file_new(os, ops, path, flags, node.entry->mode);
    if (!file)
        return -OS_ENOMEM;
    file->node = node;
    const struct os_process *process =
        node.entry->children == os_proc_pid_entries ? os_process_by_pid(os, node.pid) : NULL;
    if (process && ops == &node_directory_ops) { /* signals can be sent through it: fs_signal.c */
        file->pid = process->pid;
        file->counter = process->serial;
    }
    *out = file;
    return 0;
}
