/* fs_path.c: from a path to what it names, as the program sees the tree.
 *
 *   todo:  "lib/../etc/passwd"          place: fd of the directory reached, its canonical path
 *           │   └ ".." : start again from the root with the parent's canonical path
 *           └ one component: a mount? virtual? else openat(directory, component, O_NOFOLLOW)
 *             a link: its text goes in front of what is left; an absolute one starts at OUR root
 *
 * The host's own resolution is never asked about more than one component, because it would follow
 * absolute links and ".." by the host's root. ".." is taken from the canonical path by text and
 * walked again from the root: it costs a few calls and can never leave the root, however
 * directories are renamed meanwhile. Rejected: openat2(RESOLVE_IN_ROOT), which does the same in
 * one call of newer Linuxes, but knows neither our mounts nor /proc; and openat(fd, ".."), which
 * leaves the root when a directory is moved out of it.
 *
 * Invariants:
 *   I1  place->fd and parent_fd are open descriptors of the host or -1, and belong to the place.
 *   I2  place->path is canonical: absolute in the programs' tree, no link, ".", "..".
 *   I3  no descriptor is ever opened but by one component below a mount's directory, without
 *       following a link; so nothing outside the root and the binds can be reached.
 *   I4  at most OS_LINKS_MAX links are followed in one walk, so that every walk ends.
 *
 * May fail: as path_resolution(7) says, with Linux's error numbers. Nothing is kept after a
 * failure. Tests: tests/run/fs_escape.c.
 */
#include "os/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What is left to walk: a program's path, in front of it the text of a link or a canonical path. */
#define TODO_BYTES (3 * OS_PATH_MAX)

struct walk {
    struct os_fs *fs;
    struct os_place *place;
    unsigned flags, links;
    char *todo; /* within buffer; always ended by 0 */
    char buffer[TODO_BYTES];
};

static void close_fd(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void os_place_done(struct os_place *place) {
    close_fd(&place->fd);
    close_fd(&place->parent_fd);
}

bool os_place_exists(const struct os_place *place) {
    return place->fd >= 0 || place->node.entry || place->file;
}

int os_place_fd(const struct os_place *place) {
    return place->fd >= 0 ? place->fd : place->file ? place->file->host_fd : -1;
}

/* Paths are checked for their length where they grow (step); this only bounds the copy. */
static void set_path(struct os_place *place, const char *path) {
    size_t length = strnlen(path, sizeof place->path - 1);
    memcpy(place->path, path, length);
    place->path[length] = 0;
}

/* Stand on this descriptor (taken over). */
static int64_t stand_on(struct os_place *place, int fd) {
    if (fd < 0)
        return os_host_error();
    close_fd(&place->fd);
    place->fd = fd;
    place->node.entry = NULL;
    if (fstat(fd, &place->status) == 0)
        return 0;
    return os_host_error();
}

static int64_t stand_on_node(struct os_place *place, struct os_node node) {
    os_place_done(place);
    place->node = node;
    return 0;
}

static int64_t enter_mount(struct walk *walk, unsigned index) {
    const struct os_mount *mount = &walk->fs->mounts[index];
    struct os_place *place = walk->place;
    close_fd(&place->parent_fd);
    set_path(place, mount->path);
    place->mount = index;
    place->name[0] = 0;
    if (mount->node.entry)
        return stand_on_node(place, mount->node);
    return stand_on(place, fcntl(mount->host_fd, F_DUPFD_CLOEXEC, 0));
}

/* Stand on an open file that a descriptor or a link of /proc means. */
static int64_t enter_file(struct walk *walk, struct os_file *file) {
    struct os_place *place = walk->place;
    os_place_done(place);
    set_path(place, file->path);
    place->name[0] = 0;
    place->node.entry = NULL;
    uint32_t type = file->mode & OS_S_IFMT;
    if (file->node.entry)
        return stand_on_node(place, file->node);
    if (file->host_fd >= 0 && (type == OS_S_IFREG || type == OS_S_IFDIR)) {
        place->mount = os_mount_of(walk->fs, place->path);
        return stand_on(place, fcntl(file->host_fd, F_DUPFD_CLOEXEC, 0));
    }
    place->file = file;
    return 0;
}

static bool is_directory(const struct os_place *place) {
    if (place->node.entry)
        return (place->node.entry->mode & OS_S_IFMT) == OS_S_IFDIR;
    return place->fd >= 0 && S_ISDIR(place->status.st_mode);
}

/* Put text in front of what is left. */
static int64_t prepend(struct walk *walk, const char *text) {
    size_t length = strlen(text), rest = strlen(walk->todo);
    if (length + 1 + rest + 1 > TODO_BYTES)
        return -OS_ENAMETOOLONG;
    memmove(walk->buffer + length + (rest > 0), walk->todo, rest + 1);
    memcpy(walk->buffer, text, length);
    if (rest > 0)
        walk->buffer[length] = '/';
    else
        walk->buffer[length] = 0;
    walk->todo = walk->buffer;
    return 0;
}

/* ".." of the directory that we stand on: again from the root with its parent's path (I2, I3). */
static int64_t go_up(struct walk *walk) {
    char parent[OS_PATH_MAX];
    snprintf(parent, sizeof parent, "%s", walk->place->path);
    char *slash = strrchr(parent, '/');
    if (!slash)
        return -OS_ENOENT; /* a deleted or nameless directory */
    *slash = 0;
    int64_t result = prepend(walk, parent);
    return result < 0 ? result : enter_mount(walk, 0);
}

static int64_t count_link(struct walk *walk) {
    return (walk->flags & OS_WALK_NO_LINKS) || ++walk->links > OS_LINKS_MAX ? -OS_ELOOP
                                                                            : 0; /* I4 */
}

/* Go where the text of a link says; we still stand on the directory that holds the link. */
static int64_t follow_text(struct walk *walk, const char *text) {
    int64_t result = count_link(walk);
    if (result == 0 && !*text)
        result = -OS_ENOENT;
    if (result == 0)
        result = prepend(walk, text);
    if (result == 0 && *text == '/')
        result = enter_mount(walk, 0);
    return result;
}

static int64_t follow_node(struct walk *walk, struct os_node node) {
    struct os *os = walk->fs->os;
    struct os_file *file = node.entry->file ? node.entry->file(os, node) : NULL;
    if (node.entry->file) {
        if (!file)
            return -OS_ENOENT;
        int64_t result = count_link(walk);
        if (result < 0 || (walk->flags & OS_WALK_NO_MAGIC))
            return -OS_ELOOP;
        return enter_file(walk, file);
    }
    struct os_text text = {0};
    node.entry->link(os, node, &text);
    int64_t result = text.failed ? -OS_ENOMEM : follow_text(walk, text.bytes ? text.bytes : "");
    os_text_free(&text);
    return result;
}

/* The component does not exist: fine if it may be made here. */
static int64_t missing(struct walk *walk, bool last) {
    struct os_place *place = walk->place;
    if (!last || !(walk->flags & OS_WALK_MISSING_OK))
        return -OS_ENOENT;
    close_fd(&place->parent_fd);
    place->parent_fd = place->fd;
    place->fd = -1;
    place->node.entry = NULL;
    return 0;
}

/* One component in a virtual directory. */
static int64_t step_virtual(struct walk *walk, const char *name, const char *path, bool last,
                            bool follow) {
    struct os_place *place = walk->place;
    struct os_node child;
    if (place->node.entry == &os_mount_parent && os_mount_below(walk->fs, path))
        child = place->node;
    else if (!os_node_find(walk->fs->os, place->node, name, &child)) {
        set_path(place, path);
        return missing(walk, last);
    }
    if ((child.entry->mode & OS_S_IFMT) == OS_S_IFLNK && follow)
        return follow_node(walk, child);
    set_path(place, path);
    return stand_on_node(place, child);
}

/* One component in a directory of the host (I3). */
static int64_t step_host(struct walk *walk, const char *name, const char *path, bool last,
                         bool follow) {
    struct os_place *place = walk->place;
    int fd = openat(place->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        if (os_mount_below(walk->fs, path)) {
            set_path(place, path);
            return stand_on_node(place, (struct os_node){&os_mount_parent, 0, 0});
        }
        set_path(place, path);
        return missing(walk, last);
    }
    if (fd < 0)
        return os_host_error();
    struct stat status;
    if (fstat(fd, &status) < 0) {
        close(fd);
        return os_host_error();
    }
    if (S_ISLNK(status.st_mode) && follow) {
        char text[OS_PATH_MAX];
        ssize_t length = readlinkat(fd, "", text, sizeof text - 1);
        close(fd);
        if (length < 0)
            return os_host_error();
        text[length] = 0;
        return follow_text(walk, text);
    }
    close_fd(&place->parent_fd);
    place->parent_fd = place->fd;
    place->fd = fd;
    place->status = status;
    set_path(place, path);
    return 0;
}

/* Take one step: a component that is neither "." nor "..". */
static int64_t step(struct walk *walk, const char *name, bool last, bool slash) {
    struct os_place *place = walk->place;
    char path[OS_PATH_MAX + OS_NAME_MAX + 2];
    const char *base = strcmp(place->path, "/") ? place->path : "";
    if (snprintf(path, sizeof path, "%s/%s", base, name) >= OS_PATH_MAX)
        return -OS_ENAMETOOLONG;
    snprintf(place->name, sizeof place->name, "%s", name);
    place->trailing_slash = last && slash;
    int mount = os_mount_at(walk->fs, path);
    if (mount >= 0)
        return enter_mount(walk, (unsigned)mount);
    bool follow = !last || slash || !(walk->flags & OS_WALK_NOFOLLOW);
    if (place->node.entry)
        return step_virtual(walk, name, path, last, follow);
    return step_host(walk, name, path, last, follow);
}

/* The loop over components. */
static int64_t go(struct walk *walk) {
    struct os_place *place = walk->place;
    for (;;) {
        walk->todo += strspn(walk->todo, "/");
        size_t length = strcspn(walk->todo, "/");
        if (length == 0)
            break;
        if (length > OS_NAME_MAX)
            return -OS_ENAMETOOLONG;
        char name[OS_NAME_MAX + 1];
        memcpy(name, walk->todo, length);
        name[length] = 0;
        walk->todo += length;
        bool slash = *walk->todo == '/';
        bool last = walk->todo[strspn(walk->todo, "/")] == 0;
        if (!is_directory(place))
            return -OS_ENOTDIR;
        bool dot = !strcmp(name, "."), up = !strcmp(name, "..");
        place->dot |= last && (dot || up);
        if (dot) {
            /* searching a directory needs permission for it, also to stay in it */
            if (place->fd >= 0 && faccessat(place->fd, ".", F_OK, 0) < 0)
                return os_host_error();
            continue;
        }
        int64_t result = up ? go_up(walk) : step(walk, name, last, slash);
        if (result < 0)
            return result;
        if (!up && last && slash && os_place_exists(place) && *walk->todo == 0 &&
            !is_directory(place))
            return -OS_ENOTDIR;
    }
    if (place->trailing_slash && os_place_exists(place) && !is_directory(place))
        return -OS_ENOTDIR;
    if (!place->name[0])
        place->dot = true;
    return 0;
}

/* Where the walk begins: the root, a directory's descriptor, or the working directory. */
static int64_t begin(struct walk *walk, struct os_process *process, int dirfd, const char *path) {
    size_t length = strlen(path);
    if (length >= OS_PATH_MAX)
        return -OS_ENAMETOOLONG;
    memcpy(walk->buffer, path, length + 1);
    walk->todo = walk->buffer;
    if (length == 0 && !(walk->flags & OS_WALK_EMPTY_OK))
        return -OS_ENOENT;
    if (path[0] == '/')
        return enter_mount(walk, 0);
    if (dirfd == OS_AT_FDCWD) {
        int64_t result = prepend(walk, process->cwd ? process->cwd : "/");
        return result < 0 ? result : enter_mount(walk, 0);
    }
    struct os_file *file = os_file_of(process, dirfd);
    if (!file)
        return -OS_EBADF;
    if (length == 0) {
        snprintf(walk->place->path, sizeof walk->place->path, "%s", file->path);
        walk->place->file = file;
        walk->place->dot = true;
        return 0;
    }
    if ((file->mode & OS_S_IFMT) != OS_S_IFDIR)
        return -OS_ENOTDIR;
    return enter_file(walk, file);
}

int64_t os_walk(struct os_process *process, int dirfd, const char *path, unsigned flags,
                struct os_place *place) {
    struct walk walk = {.fs = os_fs(process->os), .place = place, .flags = flags};
    *place = (struct os_place){.fd = -1, .parent_fd = -1};
    walk.fs->self = process->pid;
    int64_t result = begin(&walk, process, dirfd, path);
    if (result == 0 && !place->file)
        result = go(&walk);
    if (result < 0)
        os_place_done(place);
    return result;
}

int64_t os_walk_user(struct os_task *task, int dirfd, uint64_t path_va, unsigned flags,
                     struct os_place *place) {
    char path[OS_PATH_MAX];
    int64_t length = os_strncpy_from_user(task, path, path_va, sizeof path);
    if (length < 0)
        return length;
    return os_walk(task->process, dirfd, path, flags, place);
}

const char *os_host_link(int host_fd, char text[OS_HOST_LINK_BYTES]) {
    snprintf(text, OS_HOST_LINK_BYTES, "/proc/self/fd/%d", host_fd);
    return text;
}

int64_t os_place_stat(struct os *os, const struct os_place *place, struct os_stat *stat) {
    if (place->file)
        return os_file_stat(place->file, stat);
    if (place->node.entry)
        os_node_stat(os, place->node, stat);
    else
        os_stat_from_host(os, &place->status, stat);
    return 0;
}
