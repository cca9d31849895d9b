/* place.c: where the sockets of running machines are.
 *
 *     $XDG_RUNTIME_DIR/quire/PID      else, or if that cannot be had,
 *     $TMPDIR/quire-UID/PID           (/tmp without TMPDIR)
 *
 * The directory is private (0700) and must be ours: in /tmp anybody may have made it first, and one
 * that others can write to is not used. A run makes its socket in the first place that works; who
 * looks searches both, because the two terminals need not agree on their environment.
 *
 * A name in it may be left over from a run that was killed. It says nothing by its number, which
 * another process may have by now: a socket that refuses a connection is stale, and whoever meets
 * it removes it. Between bind and listen a new one refuses as well, so both sides hold a lock.
 *
 * Paths of sockets are short (108 bytes); names are reached through /proc/self/fd/DIRECTORY/PID,
 * which is always short enough.
 *
 * I1  Nothing is ever removed but sockets that were refused, our own, and empty directories.
 */
#include "live/room.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG      8
#define NAME_BYTES   16 /* a process id in decimal */
#define SEND_LIMIT_S 10 /* a peer that takes nothing for so long is gone, or stopped */

static bool path_of(unsigned place, char path[PATH_MAX]) {
    const char *base = getenv(place == PLACE_RUNTIME ? "XDG_RUNTIME_DIR" : "TMPDIR");
    int length;

    if (base != NULL && base[0] != '/') {
        base = NULL; /* relative ones are to be ignored, says the specification */
    }
    if (place == PLACE_RUNTIME) {
        length = base != NULL ? snprintf(path, PATH_MAX, "%s/quire", base) : -1;
    } else {
        length = snprintf(path, PATH_MAX, "%s/quire-%u", base != NULL ? base : "/tmp",
                          (unsigned)geteuid());
    }
    return length > 0 && length < PATH_MAX;
}

int place_open(unsigned place, bool make) {
    char path[PATH_MAX];
    struct stat st;

    if (!path_of(place, path)) {
        return -1;
    }
    if (make && mkdir(path, 0700) < 0 && errno != EEXIST) {
        return -1;
    }
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (directory < 0) {
        return -1;
    }
    if (fstat(directory, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 077) != 0) {
        close(directory);
        return -1;
    }
    return directory;
}

void place_leave(unsigned place) {
    char path[PATH_MAX];

    if (path_of(place, path)) {
        rmdir(path);
    }
}

void place_lock(int directory) {
    while (flock(directory, LOCK_EX) < 0 && errno == EINTR) {
    }
}

void place_unlock(int directory) {
    flock(directory, LOCK_UN);
}

static void address_of(struct sockaddr_un *address, int directory, int pid) {
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%d", directory, pid);
}

static int new_socket(void) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = SEND_LIMIT_S};

    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }
    return fd;
}

void place_remove(int directory, int pid) {
    char name[NAME_BYTES];

    snprintf(name, sizeof name, "%d", pid);
    unlinkat(directory, name, 0);
}

/* => locked */
static int connect_or_remove(int directory, int pid) {
    struct sockaddr_un address;
    int fd = new_socket();

    if (fd < 0) {
        return -1;
    }
    address_of(&address, directory, pid);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        return fd;
    }
    if (errno == ECONNREFUSED) {
        place_remove(directory, pid); /* I1 */
    }
    close(fd);
    return -1;
}

int place_connect(int directory, int pid) {
    place_lock(directory);
    int fd = connect_or_remove(directory, pid);
    place_unlock(directory);
    return fd;
}

/* => locked; no socket of that name is there, unless somebody listens on it */
static int bind_and_listen(int directory, int pid) {
    struct sockaddr_un address;
    char name[NAME_BYTES];
    int fd = new_socket();

    if (fd < 0) {
        return -1;
    }
    address_of(&address, directory, pid);
    snprintf(name, sizeof name, "%d", pid);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        return -1;
    }
    if (fchmodat(directory, name, 0600, 0) < 0 || listen(fd, BACKLOG) < 0) {
        place_remove(directory, pid);
        close(fd);
        return -1;
    }
    return fd;
}

int place_listen(int directory, int pid) {
    place_lock(directory);
    int left_over = connect_or_remove(directory, pid);
    if (left_over >= 0) {
        close(left_over); /* a run of this number in another container: bind will say so */
    }
    int fd = bind_and_listen(directory, pid);
    place_unlock(directory);
    return fd;
}

bool live_place(char *path, size_t capacity) {
    char where[PATH_MAX];

    for (unsigned place = 0; place < NPLACES; place++) {
        int directory = place_open(place, true);
        if (directory < 0) {
            continue;
        }
        close(directory);
        path_of(place, where);
        place_leave(place); /* if nobody is in it */
        snprintf(path, capacity, "%s", where);
        return true;
    }
    return false;
}
