/* watch.c: what an observer of the whole machine (the room watch/) asks this kernel for.
 *
 *     observer ──os_watch──▶ struct os ··calls, turns, kills··▶ observer
 *        └── whose space is this?   what file is this code from?
 *
 * It owns nothing. The calls to the observer are made where things happen (syscalls.c, sched.c,
 * os.c), behind one comparison each; nothing here may change what a program sees.
 *
 * What may fail: a file that is gone. Called by the observer, between and after turns.
 */
#include "os/fs.h"
#include "os/process.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

void os_watch(struct os *os, const struct os_watch *watch) {
    os->watch = watch ? *watch : (struct os_watch){0};
}

bool os_space_process(const struct os *os, const struct quire_space *space, int *pid, char *name) {
    for (const struct os_process *process = os->processes; process; process = process->next) {
        if (process->space != space)
            continue;
        *pid = process->pid;
        snprintf(name, sizeof process->name, "%s", process->name);
        return true;
    }
    return false;
}

int os_image_open(const struct os *os, const char *path) {
    if (path[0] != '/')
        return -1;
    const struct os_mount *mount = &os->fs->mounts[os_mount_of(os->fs, path)];
    const char *rest = path + (strcmp(mount->path, "/") ? strlen(mount->path) : 0);
    while (*rest == '/')
        rest++;
    if (mount->host_fd < 0)
        return -1;
    /* The name is canonical: its last part is no link. */
    return openat(mount->host_fd, rest, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}
