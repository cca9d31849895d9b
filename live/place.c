/* place.c: the names of running machines' sockets, and who may connect to them.
 *
 *     @$XDG_RUNTIME_DIR/quire/PID     else, or if that cannot be had,
 *     @$TMPDIR/quire-UID/PID          (/tmp without TMPDIR)
 *
 * The @ stands for a zero byte: an abstract name, unix(7), which looks like a path as X's does and
 * is none. It goes with the last descriptor of the socket, so whatever ends a run, a kill -9 too,
 * leaves nothing behind, and no name is ever stale. live/README.md says what was rejected.
 *
 * An abstract name has no owner and no mode. Both sides ask the kernel for the other's user
 * instead (SO_PEERCRED): a run hears its own user and root, and who looks believes only a run of
 * his own. Somebody else may bind a name first: then that run listens in the second place, or
 * cannot be looked at.
 *
 * A run takes the first place that works; who looks searches both, because the two terminals need
 * not agree on their environment. Names are found in /proc/net/unix, so runs in another network
 * namespace are not to be seen.
 *
 * I1  No descriptor leaves this file whose other end was not checked.
 */
#define _GNU_SOURCE 1 /* accept4, struct ucred */
#include "live/room.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG      8
#define SEND_LIMIT_S 10      /* a peer that takes nothing for so long is gone, or stopped */
#define LISTENS      0x10000 /* of the flags in /proc/net/unix: __SO_ACCEPTCON of linux/net.h */

/* The place as text, @ and all, which a slash and a process id follow. False: a directory that
 * makes no name, because it is too long, or has a line's end, which would hide it in the list. */
static bool name_of(unsigned place, char name[PLACE_BYTES]) {
    const char *base = getenv(place == PLACE_RUNTIME ? "XDG_RUNTIME_DIR" : "TMPDIR");
    int length;

    if (base != NULL && base[0] != '/') {
        base = NULL; /* relative ones are to be ignored, says the specification */
    }
    if (place == PLACE_RUNTIME) {
        length = base != NULL ? snprintf(name, PLACE_BYTES, "@%s/quire", base) : -1;
    } else {
        length = snprintf(name, PLACE_BYTES, "@%s/quire-%u", base != NULL ? base : "/tmp",
                          (unsigned)geteuid());
    }
    return length > 0 && length < PLACE_BYTES && strchr(name, '\n') == NULL;
}

/* How long it is; 0: there is none. */
static socklen_t address_of(struct sockaddr_un *address, unsigned place, int pid) {
    char name[PLACE_BYTES];

    if (!name_of(place, name)) {
        return 0;
    }
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(address->sun_path, sizeof address->sun_path, "%s/%d", name, pid);
    address->sun_path[0] = '\0'; /* where the @ was */
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length);
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

/* Does the other end belong to us, or to root if that will do? */
static bool is_ours(int fd, bool or_root) {
    struct ucred peer;
    socklen_t nbytes = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &nbytes) == 0 &&
           (peer.uid == geteuid() || (or_root && peer.uid == 0));
}

int place_listen(unsigned place, int pid) {
    struct sockaddr_un address;
    socklen_t nbytes = address_of(&address, place, pid);
    int fd = nbytes > 0 ? new_socket() : -1;

    if (fd >= 0 && (bind(fd, (struct sockaddr *)&address, nbytes) < 0 || listen(fd, BACKLOG) < 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

int place_accept(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0 && !is_ours(fd, true)) { /* I1 */
        close(fd);
        fd = -1;
    }
    return fd;
}

int place_connect(unsigned place, int pid) {
    struct sockaddr_un address;
    socklen_t nbytes = address_of(&address, place, pid);
    int fd = nbytes > 0 ? new_socket() : -1;

    if (fd >= 0 &&
        (connect(fd, (struct sockaddr *)&address, nbytes) < 0 || !is_ours(fd, false))) { /* I1 */
        close(fd);
        fd = -1;
    }
    return fd;
}

/* The process id that a line of /proc/net/unix ends with, if a socket listens there under the name;
 * else 0. "Num: RefCount Protocol Flags Type St Inode Path"; connections bear the name, too. */
static int pid_in(const char *line, const char *name) {
    unsigned flags = 0;
    int at = 0;
    size_t length = strlen(name);

    if (sscanf(line, "%*s %*s %*s %x %*s %*s %*s %n", &flags, &at) != 1 || at == 0 ||
        (flags & LISTENS) == 0 || strncmp(line + at, name, length) != 0 ||
        line[at + (int)length] != '/') {
        return 0;
    }
    const char *number = line + at + length + 1;
    char *end;
    long pid = number[0] >= '1' && number[0] <= '9' ? strtol(number, &end, 10) : 0;
    return pid > 0 && pid < 0x7fffffff && *end == '\n' ? (int)pid : 0;
}

size_t place_list(unsigned place, int *pids, size_t capacity) {
    char name[PLACE_BYTES], *line = NULL;
    FILE *sockets = name_of(place, name) ? fopen("/proc/net/unix", "re") : NULL;
    size_t line_bytes = 0, n = 0;

    while (sockets != NULL && getline(&line, &line_bytes, sockets) > 0) {
        int pid = pid_in(line, name);
        int fd = pid != 0 ? place_connect(place, pid) : -1;
        if (fd < 0) {
            continue; /* nobody there any more, or somebody else */
        }
        close(fd);
        if (n < capacity) {
            pids[n] = pid;
        }
        n++;
    }
    free(line);
    if (sockets != NULL) {
        fclose(sockets);
    }
    return n;
}

bool live_place(char *name, size_t capacity) {
    char where[PLACE_BYTES];

    for (unsigned place = 0; place < NPLACES; place++) {
        int fd = place_listen(place, (int)getpid());
        if (fd >= 0) {
            close(fd);
            name_of(place, where);
            snprintf(name, capacity, "%s", where);
            return true;
        }
    }
    return false;
}
