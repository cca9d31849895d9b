/* sock_name.c: names of sockets: from and to the program, who has one, bind, getsockname.
 *
 *   AF_UNIX   a path    -> a file of the host (S_IFSOCK), found again by device and inode
 *             abstract  -> bytes, found by comparing
 *   AF_INET, AF_INET6   -> address and port; only those of the loopback exist (127/8, ::1, any)
 *
 * Both internet families share their ports, as on Linux: a version 6 socket on the unspecified
 * address also gets what is sent to version 4, unless IPV6_V6ONLY is set.
 *
 * Ports for sockets without one are given in order from 32768 on, so that a run repeats.
 * May fail: as bind(2): EADDRINUSE, EADDRNOTAVAIL, EINVAL, EAFNOSUPPORT, and what the path says.
 */
#include "os/sock.h"

#include <fcntl.h>
#include <string.h>

#define PORT_FIRST 32768u /* net.ipv4.ip_local_port_range */
#define PORT_LAST  60999u

/* struct sockaddr_in and sockaddr_in6: family, port (big-endian), then: */
#define INET_ADDRESS_AT   4
#define INET6_ADDRESS_AT  8
#define INET_BYTES        16
#define INET6_BYTES       28
#define INET6_BYTES_LEAST 24 /* without the scope id, as old programs pass it */

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};
static const uint8_t any6[16] = {0}, loopback6[16] = {[15] = 1};

static bool is_mapped(const struct os_address *address) {
    return memcmp(address->ip, mapped_prefix, sizeof mapped_prefix) == 0;
}

static bool is_any(const struct os_address *address) {
    static const uint8_t zero[4] = {0};
    return is_mapped(address) ? memcmp(address->ip + 12, zero, 4) == 0
                              : memcmp(address->ip, any6, sizeof any6) == 0;
}

static bool is_loopback(const struct os_address *address) {
    return is_mapped(address) ? address->ip[12] == 127
                              : memcmp(address->ip, loopback6, sizeof loopback6) == 0;
}

/* ---- crossing the border --------------------------------------------------------------------- */

int64_t os_address_get(struct os_task *task, uint64_t va, uint64_t length,
                       struct os_address *address) {
    uint8_t bytes[OS_SOCKADDR_MAX] = {0};
    *address = (struct os_address){0};
    if (length < sizeof address->family || length > sizeof bytes)
        return -OS_EINVAL;
    if (os_copy_from_user(task, bytes, va, length) != 0)
        return -OS_EFAULT;
    memcpy(&address->family, bytes, sizeof address->family);
    address->port = (uint16_t)(bytes[2] << 8 | bytes[3]);
    switch (address->family) {
    case OS_AF_UNIX:
        address->port = 0;
        if (length > sizeof address->family + OS_UNIX_NAME_MAX)
            return -OS_EINVAL;
        address->length = (uint8_t)(length - sizeof address->family);
        memcpy(address->name, bytes + sizeof address->family, address->length);
        if (address->length && address->name[0]) /* a path ends at its 0 */
            address->length = (uint8_t)strnlen(address->name, address->length);
        return 0;
    case OS_AF_INET:
        memcpy(address->ip, mapped_prefix, sizeof mapped_prefix);
        memcpy(address->ip + 12, bytes + INET_ADDRESS_AT, 4);
        return length < INET_BYTES ? -OS_EINVAL : 0;
    case OS_AF_INET6:
        memcpy(address->ip, bytes + INET6_ADDRESS_AT, sizeof address->ip);
        return length < INET6_BYTES_LEAST ? -OS_EINVAL : 0;
    default:
        return 0; /* AF_UNSPEC ends a connection */
    }
}

size_t os_address_bytes(const struct os_socket *socket, const struct os_address *address,
                        uint8_t bytes[OS_SOCKADDR_MAX]) {
    uint16_t family = (uint16_t)socket->family;
    memset(bytes, 0, OS_SOCKADDR_MAX);
    memcpy(bytes, &family, sizeof family);
    if (family == OS_AF_UNIX) {
        memcpy(bytes + sizeof family, address->name, address->length);
        bool path = address->length && address->name[0];
        return sizeof family + address->length + path;
    }
    bytes[2] = (uint8_t)(address->port >> 8);
    bytes[3] = (uint8_t)address->port;
    if (family == OS_AF_INET) {
        memcpy(bytes + INET_ADDRESS_AT, address->ip + 12, 4);
        return INET_BYTES;
    }
    memcpy(bytes + INET6_ADDRESS_AT, address->ip, sizeof address->ip);
    return INET6_BYTES;
}

int64_t os_address_put(struct os_task *task, const struct os_socket *socket,
                       const struct os_address *address, uint64_t va, uint64_t length_va) {
    uint8_t bytes[OS_SOCKADDR_MAX];
    int32_t room, length = (int32_t)os_address_bytes(socket, address, bytes);
    if (os_copy_from_user(task, &room, length_va, sizeof room) != 0)
        return -OS_EFAULT;
    if (room < 0)
        return -OS_EINVAL;
    if (os_copy_to_user(task, va, bytes, (size_t)(room < length ? room : length)) != 0)
        return -OS_EFAULT;
    return os_copy_to_user(task, length_va, &length, sizeof length);
}

/* ---- who has it ------------------------------------------------------------------------------ */

int64_t os_address_reachable(const struct os_socket *socket, const struct os_address *address) {
    if (socket->family == OS_AF_UNIX)
        return address->family != OS_AF_UNIX || address->length == 0 ? -OS_EINVAL : 0;
    if (address->family != socket->family)
        return -OS_EAFNOSUPPORT;
    return is_any(address) || is_loopback(address) ? 0 : -OS_ENETUNREACH;
}

/* Would what is sent to `address` come to a socket that is bound to `bound`? */
static bool covers(const struct os_socket *socket, const struct os_address *address) {
    const struct os_address *bound = &socket->local;
    if (bound->port != address->port)
        return false;
    bool v4 = is_mapped(address);
    if (is_any(bound))
        return is_mapped(bound) ? v4 : !v4 || !socket->only_v6;
    if (is_any(address)) /* "any" as a goal is this machine */
        return is_mapped(bound) == v4;
    return memcmp(bound->ip, address->ip, sizeof bound->ip) == 0;
}

static struct os_socket *find_inet(const struct os_socket *from, const struct os_address *address) {
    struct os_socket *found = NULL;
    for (struct os_file *file = os_fs(from->os)->files; file; file = file->next) {
        struct os_socket *socket = os_socket_of_file(file);
        if (!socket || socket->family == OS_AF_UNIX || socket->type != from->type ||
            !socket->local.family || !covers(socket, address))
            continue;
        if (os_socket_connects(socket)) {
            if (socket->state == OS_SOCKET_LISTENING)
                return socket;
        } else if (socket->state != OS_SOCKET_CONNECTED) {
            found = found ? found : socket;
        } else if (socket->remote.port == from->local.port) {
            return socket; /* it speaks with us alone: the best there is */
        }
    }
    return found;
}

static struct os_socket *find_inode(struct os *os, uint64_t device, uint64_t inode) {
    for (struct os_file *file = os_fs(os)->files; file; file = file->next) {
        struct os_socket *socket = os_socket_of_file(file);
        if (socket && socket->inode && socket->inode == inode && socket->device == device)
            return socket;
    }
    return NULL;
}

static struct os_socket *find_abstract(struct os *os, const struct os_address *address) {
    for (struct os_file *file = os_fs(os)->files; file; file = file->next) {
        struct os_socket *socket = os_socket_of_file(file);
        if (socket && socket->family == OS_AF_UNIX && !socket->inode && socket->bound &&
            socket->local.length == address->length &&
            memcmp(socket->local.name, address->name, address->length) == 0)
            return socket;
    }
    return NULL;
}

static struct os_socket *find_path(struct os_task *task, const struct os_address *address,
                                   int64_t *error) {
    struct os_place place;
    char path[OS_UNIX_NAME_MAX + 1] = {0};
    memcpy(path, address->name, address->length);
    *error = os_walk(task->process, OS_AT_FDCWD, path, 0, &place);
    if (*error < 0)
        return NULL;
    bool socket = place.fd >= 0 && S_ISSOCK(place.status.st_mode);
    uint64_t device = place.status.st_dev, inode = place.status.st_ino;
    os_place_done(&place);
    return socket ? find_inode(task->os, device, inode) : NULL;
}

struct os_socket *os_socket_find(struct os_task *task, const struct os_socket *from,
                                 const struct os_address *address, int64_t *error) {
    struct os_socket *found;
    *error = os_address_reachable(from, address);
    if (*error < 0)
        return NULL;
    if (from->family != OS_AF_UNIX)
        found = find_inet(from, address);
    else if (address->name[0])
        found = find_path(task, address, error);
    else
        found = find_abstract(from->os, address);
    if (!found && *error == 0)
        *error = -OS_ECONNREFUSED;
    if (found && found->type != from->type) {
        *error = -OS_EPROTOTYPE;
        found = NULL;
    }
    return found;
}

/* ---- giving names ---------------------------------------------------------------------------- */

/* May `socket` have that port too? Those that both reuse it may share it, unless both listen. */
static bool port_taken(const struct os_socket *socket, const struct os_address *address) {
    for (struct os_file *file = os_fs(socket->os)->files; file; file = file->next) {
        const struct os_socket *other = os_socket_of_file(file);
        if (!other || other == socket || other->family == OS_AF_UNIX ||
            other->type != socket->type || other->local.port != address->port)
            continue;
        bool both_any = is_any(&other->local) || is_any(address);
        bool same_version = is_mapped(&other->local) == is_mapped(address) ||
                            (is_any(address) && !is_mapped(address) && !socket->only_v6) ||
                            (is_any(&other->local) && !is_mapped(&other->local) && !other->only_v6);
        if (!same_version ||
            (!both_any && memcmp(other->local.ip, address->ip, sizeof address->ip) != 0))
            continue;
        bool shared = socket->reuse && other->reuse && other->state != OS_SOCKET_LISTENING;
        if (!shared)
            return true;
    }
    return false;
}

static int64_t bind_inet(struct os_socket *socket, struct os_address *address) {
    struct os_fs *fs = os_fs(socket->os);
    if (address->port == 0) {
        for (unsigned tries = 0; tries <= PORT_LAST - PORT_FIRST; tries++) {
            if (fs->last_port < PORT_FIRST || fs->last_port >= PORT_LAST)
                fs->last_port = PORT_FIRST - 1;
            address->port = ++fs->last_port;
            if (!port_taken(socket, address))
                break;
            address->port = 0;
        }
    }
    if (address->port == 0 || port_taken(socket, address))
        return -OS_EADDRINUSE;
    socket->local = *address;
    socket->bound = true;
    return 0;
}

int64_t os_socket_autobind(struct os_socket *socket) {
    struct os_address address = {.family = (uint16_t)socket->family};
    if (socket->family == OS_AF_UNIX || socket->local.port)
        return 0;
    if (socket->family == OS_AF_INET)
        memcpy(address.ip, mapped_prefix, sizeof mapped_prefix);
    return bind_inet(socket, &address) < 0 ? -OS_EAGAIN : 0;
}

/* Make the file that stands for the socket. */
static int64_t bind_path(struct os_task *task, struct os_socket *socket,
                         const struct os_address *address) {
    struct os_place place;
    struct stat status;
    char path[OS_UNIX_NAME_MAX + 1] = {0};
    memcpy(path, address->name, address->length);
    int64_t result =
        os_walk(task->process, OS_AT_FDCWD, path, OS_WALK_MISSING_OK | OS_WALK_NOFOLLOW, &place);
    if (result < 0)
        return result;
    mode_t mode = S_IFSOCK | (0777 & ~task->process->umask);
    if (os_place_exists(&place))
        result = -OS_EADDRINUSE;
    else if (socket->bound)
        result = -OS_EINVAL;
    else if (place.parent_fd < 0)
        result = -OS_EACCES;
    else if (mknodat(place.parent_fd, place.name, mode, 0) < 0 ||
             fstatat(place.parent_fd, place.name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        result = os_host_error();
    os_place_done(&place);
    if (result < 0)
        return result;
    socket->device = status.st_dev;
    socket->inode = status.st_ino;
    return 0;
}

OS_CALL(bind) {
    int64_t error;
    struct os_address address;
    struct os_socket *socket = os_socket_of(task, args[0], &error);
    if (!socket)
        return error;
    error = os_address_get(task, args[1], (uint32_t)args[2], &address);
    if (error < 0)
        return error;
    if (socket->family != OS_AF_UNIX) {
        if (address.family != socket->family)
            return address.family == OS_AF_UNSPEC ? -OS_EINVAL : -OS_EAFNOSUPPORT;
        if (!is_any(&address) && !is_loopback(&address))
            return -OS_EADDRNOTAVAIL;
        return socket->local.port ? -OS_EINVAL : bind_inet(socket, &address);
    }
    if (address.family != OS_AF_UNIX || (socket->bound && !address.name[0]))
        return -OS_EINVAL;
    if (address.length == 0) { /* unix(7), autobind: five hexadecimal digits */
        static const char digits[] = "0123456789abcdef";
        uint64_t number = os_fs(task->os)->next_inode++;
        address.length = 6;
        for (unsigned i = 0; i < 5; i++)
            address.name[1 + i] = digits[number >> (16 - 4 * i) & 15];
    }
    if (address.name[0])
        error = bind_path(task, socket, &address);
    else if (find_abstract(task->os, &address))
        error = -OS_EADDRINUSE;
    if (error < 0)
        return error;
    socket->local = address;
    socket->bound = true;
    return 0;
}

OS_CALL(getsockname) {
    int64_t error;
    struct os_socket *socket = os_socket_of(task, args[0], &error);
    if (!socket)
        return error;
    struct os_address address = socket->local;
    if (address.family == OS_AF_UNSPEC && socket->family == OS_AF_INET)
        memcpy(address.ip, mapped_prefix, sizeof mapped_prefix);
    return os_address_put(task, socket, &address, args[1], args[2]);
}

OS_CALL(getpeername) {
    int64_t error;
    struct os_socket *socket = os_socket_of(task, args[0], &error);
    if (!socket)
        return error;
    if (socket->state != OS_SOCKET_CONNECTED ||
        (!socket->peer && os_socket_connects(socket) && socket->family != OS_AF_UNIX))
        return -OS_ENOTCONN;
    return os_address_put(task, socket, &socket->remote, args[1], args[2]);
}
