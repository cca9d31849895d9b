/* sock_calls.c: making sockets and connections: socket, socketpair, listen, accept, connect,
 * shutdown.
 *
 *   connect:  client ──finds──> listener; a server's end is made and put in its row ──> both can
 *             speak at once; accept only gives the end an open file
 *
 * A connection on this machine takes no time: connect succeeds or fails at once. For a program that
 * asked not to wait, TCP says EINPROGRESS all the same, as Linux does, and the result comes by poll
 * and SO_ERROR.
 *
 * May fail: as the manual pages of the calls.
 */
#include "os/sock.h"

#include <string.h>

#define TYPE_MASK    0xfu
#define BACKLOG_MAX  4096 /* net.core.somaxconn */
#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17
#define SHUT_READ    0
#define SHUT_BOTH    2

/* ---- new ones -------------------------------------------------------------------------------- */

/* The protocol that a socket of this kind has; or -errno. */
static int64_t check_kind(int family, unsigned type, int protocol) {
    bool stream = type == OS_SOCK_STREAM, datagram = type == OS_SOCK_DGRAM;
    if (type == 0 || type > OS_SOCK_SEQPACKET + 5u)
        return -OS_EINVAL;
    switch (family) {
    case OS_AF_UNIX:
        if (protocol != 0 && protocol != OS_AF_UNIX)
            return -OS_EPROTONOSUPPORT;
        return stream || datagram || type == OS_SOCK_SEQPACKET ? 0 : -OS_ESOCKTNOSUPPORT;
    case OS_AF_INET:
    case OS_AF_INET6:
        if (!stream && !datagram)
            return type == 3 ? -OS_EPERM : -OS_ESOCKTNOSUPPORT; /* raw ones want privilege */
        if (protocol == 0 || protocol == (stream ? PROTOCOL_TCP : PROTOCOL_UDP))
            return stream ? PROTOCOL_TCP : PROTOCOL_UDP;
        return -OS_EPROTONOSUPPORT;
    default:
        return -OS_EAFNOSUPPORT;
    }
}

static struct os_file *new_file(struct os_task *task, int family, unsigned type, int protocol,
                                uint64_t flags) {
    struct os_socket *socket =
        os_socket_new(task->os, family, (int)type, protocol, task->process->pid);
    struct os_file *file = socket ? os_socket_file(socket, flags & OS_O_NONBLOCK) : NULL;
    if (socket && !file)
        os_socket_free(socket);
    return file;
}

static int64_t check_flags(uint64_t type) {
    return (uint32_t)type & ~(TYPE_MASK | OS_O_CLOEXEC | OS_O_NONBLOCK) ? -OS_EINVAL : 0;
}

OS_CALL(socket) {
    unsigned type = args[1] & TYPE_MASK;
    int64_t protocol = check_flags(args[1]);
    if (protocol == 0)
        protocol = check_kind((int)args[0], type, (int)args[2]);
    if (protocol < 0)
        return protocol;
    struct os_file *file = new_file(task, (int)args[0], type, (int)protocol, args[1]);
    return file ? os_fd_install(task->process, file, (args[1] & OS_O_CLOEXEC) != 0, 0) : -OS_ENOMEM;
}

static void join(struct os_socket *a, struct os_socket *b) {
    a->peer = b;
    b->peer = a;
    a->state = b->state = OS_SOCKET_CONNECTED;
    a->peer_pid = b->owner_pid;
    b->peer_pid = a->owner_pid;
}

OS_CALL(socketpair) {
    unsigned type = args[1] & TYPE_MASK;
    int64_t result = check_flags(args[1]);
    if (result == 0)
        result = check_kind((int)args[0], type, (int)args[2]);
    if (result < 0)
        return result;
    if ((int)args[0] != OS_AF_UNIX)
        return -OS_EOPNOTSUPP;
    struct os_file *ends[2] = {new_file(task, OS_AF_UNIX, type, 0, args[1]),
                               new_file(task, OS_AF_UNIX, type, 0, args[1])};
    if (ends[0] && ends[1]) {
        join(ends[0]->socket, ends[1]->socket);
        return os_fd_install_pair(task, ends, (args[1] & OS_O_CLOEXEC) != 0, args[3]);
    }
    for (unsigned i = 0; i < 2; i++)
        if (ends[i])
            os_file_release(ends[i]);
    return -OS_ENOMEM;
}

/* ---- listen and accept ----------------------------------------------------------------------- */

OS_CALL(listen) {
    int64_t error;
    struct os_socket *socket = os_socket_of(task, args[0], &error);
    if (!socket)
        return error;
    if (!os_socket_connects(socket))
        return -OS_EOPNOTSUPP;
    if (socket->state == OS_SOCKET_CONNECTED || (socket->family == OS_AF_UNIX && !socket->bound))
        return -OS_EINVAL;
    error = os_socket_autobind(socket);
    if (error < 0)
        return -OS_EADDRINUSE;
    socket->state = OS_SOCKET_LISTENING;
    socket->backlog = (uint32_t)args[1] > BACKLOG_MAX ? BACKLOG_MAX : (uint32_t)args[1];
    socket->owner_pid = task->process->pid;
    os_socket_notify(socket);
    return 0;
}

static int64_t accept_one(struct os_task *task, const uint64_t args[6], uint64_t flags) {
    int64_t error;
    struct os_socket *socket = os_socket_of(task, args[0], &error);
    if (!socket)
        return error;
    if ((uint32_t)flags & ~(uint32_t)(OS_O_CLOEXEC | OS_O_NONBLOCK))
        return -OS_EINVAL;
    if (!os_socket_connects(socket))
        return -OS_EOPNOTSUPP;
    if (socket->state != OS_SOCKET_LISTENING)
        return -OS_EINVAL;
    struct os_socket *taken = socket->pending;
    if (!taken)
        return os_socket_wait(task, socket, false, socket->receive_timeout_ns);
    struct os_file *file = os_socket_file(taken, flags & OS_O_NONBLOCK);
    if (!file)
        return -OS_ENOMEM;
    socket->pending = taken->next_pending;
    socket->npending--;
    taken->next_pending = NULL;
    if (taken->peer)
        os_socket_notify(taken->peer);
    os_socket_notify(socket); /* there is a place in its row again */
    os_wake(task->os, &socket->pending);
    int64_t fd = os_fd_install(task->process, file, (flags & OS_O_CLOEXEC) != 0, 0);
    if (fd < 0 || !args[1])
        return fd;
    error = os_address_put(task, taken, &taken->remote, args[1], args[2]);
    if (error < 0)
        os_sys_close(task, (uint64_t[6]){(uint64_t)fd});
    return error < 0 ? error : fd;
}

OS_CALL(accept) {
    return accept_one(task, args, 0);
}

OS_CALL(accept4) {
    return accept_one(task, args, args[3]);
}

/* ---- connect --------------------------------------------------------------------------------- */

static const struct os_address any_v4 = {.ip = {[10] = 255, 255}};

/* The address by which a socket that is bound to any is spoken to. */
static void become_loopback(struct os_address *address, const struct os_address *goal) {
    static const uint8_t zero[16] = {0}, loop4[16] = {[10] = 255, 255, 127, 0, 0, 1},
                         any4[16] = {[10] = 255, 255}, loop6[16] = {[15] = 1};
    bool any = !memcmp(address->ip, zero, 16) || !memcmp(address->ip, any4, 16);
    if (!any)
        return;
    bool goal_any = !memcmp(goal->ip, zero, 16) || !memcmp(goal->ip, any4, 16);
    bool v4 = goal->ip[10] == 255;
    memcpy(address->ip, !goal_any ? goal->ip : v4 ? loop4 : loop6, 16);
}

static int64_t make_connection(struct os_task *task, struct os_socket *client,
                               struct os_socket *listener, const struct os_address *address) {
    struct os_socket *end = os_socket_new(task->os, listener->family, listener->type,
                                          listener->protocol, listener->owner_pid);
    if (!end)
        return -OS_ENOMEM;
    int64_t result = os_socket_autobind(client);
    if (result < 0) {
        os_socket_free(end);
        return -OS_EADDRNOTAVAIL;
    }
    client->owner_pid = task->process->pid;
    client->remote = client->family == OS_AF_UNIX ? listener->local : *address;
    end->local = listener->local;
    if (client->family != OS_AF_UNIX) {
        static const struct os_address nothing = {0};
        become_loopback(&client->remote, address);
        become_loopback(&client->local, client->remote.ip[10] ? &any_v4 : &nothing);
        end->local = client->remote;
    }
    end->remote = client->local;
    end->pass_credentials = listener->pass_credentials;
    join(client, end);
    memcpy(end->options, listener->options, sizeof end->options);
    end->limit = listener->limit;
    struct os_socket **last = &listener->pending;
    while (*last)
        last = &(*last)->next_pending;
    *last = end;
    listener->npending++;
    os_socket_notify(listener);
    os_socket_notify(client);
    return 0;
}

static int64_t connect_datagram(struct os_task *task, struct os_socket *socket,
                                const struct os_address *address) {
    int64_t error = 0;
    struct os_socket *peer = NULL;
    if (address->family == OS_AF_UNSPEC) { /* dissolve the association */
        socket->state = OS_SOCKET_NEW;
        socket->peer = NULL;
        return 0;
    }
    if (socket->family == OS_AF_UNIX) {
        peer = os_socket_find(task, socket, address, &error);
        if (!peer)
            return error;
    } else {
        error = os_address_reachable(socket, address);
        if (error == 0)
            error = os_socket_autobind(socket);
        if (error < 0)
            return error;
    }
    socket->peer = peer;
    socket->remote = *address;
    if (!peer) {
        become_loopback(&socket->remote, address);
        become_loopback(&socket->local, &socket->remote);
    }
    socket->state = OS_SOCKET_CONNECTED;
    return 0;
}

/* What a second connect of a stream answers. */
static int64_t connect_again(struct os_socket *socket) {
    bool just = socket->just_connected;
    socket->just_connected = false;
    if (socket->error) {
        int64_t error = -socket->error;
        socket->error = 0;
        return error;
    }
    return just ? 0 : -OS_EISCONN;
}

OS_CALL(connect) {
    int64_t error;
    struct os_address address;
    struct os_socket *socket = os_socket_of(task, args[0], &error);
    if (!socket)
        return error;
    error = os_address_get(task, args[1], (uint32_t)args[2], &address);
    if (error < 0)
        return error;
    if (!os_socket_connects(socket))
        return connect_datagram(task, socket, &address);
    if (socket->state == OS_SOCKET_CONNECTED || socket->just_connected)
        return connect_again(socket);
    if (socket->state == OS_SOCKET_LISTENING)
        return socket->family == OS_AF_UNIX ? -OS_EINVAL : -OS_EISCONN;
    struct os_socket *listener = os_socket_find(task, socket, &address, &error);
    bool local = socket->family == OS_AF_UNIX;
    if (listener && listener->state != OS_SOCKET_LISTENING)
        error = -OS_ECONNREFUSED;
    else if (listener && listener->npending > (local ? listener->backlog : BACKLOG_MAX)) {
        if (!local)
            return -OS_ECONNREFUSED;
        if (socket->file->flags & OS_O_NONBLOCK)
            return -OS_EAGAIN;
        os_wait_on(task, &listener->pending, UINT64_MAX);
        return OS_WAIT;
    } else if (listener) {
        error = make_connection(task, socket, listener, &address);
    }
    bool refused = error == -OS_ECONNREFUSED;
    if (local || !(socket->file->flags & OS_O_NONBLOCK) || (error < 0 && !refused))
        return error;
    socket->just_connected = true;
    socket->error = refused ? OS_ECONNREFUSED : 0;
    if (refused)
        socket->ended = socket->no_write = true;
    os_socket_notify(socket);
    return -OS_EINPROGRESS;
}

/* ---- shutdown -------------------------------------------------------------------------------- */

OS_CALL(shutdown) {
    int64_t error;
    int how = (int)args[1];
    struct os_socket *socket = os_socket_of(task, args[0], &error);
    if (!socket)
        return error;
    if (how < SHUT_READ || how > SHUT_BOTH)
        return -OS_EINVAL;
    if (socket->state == OS_SOCKET_LISTENING && socket->family != OS_AF_UNIX) {
        if (how != 1) { /* tcp: it listens no more, and who waits in accept hears of it */
            socket->state = OS_SOCKET_NEW;
            os_socket_notify(socket);
        }
        return 0;
    }
    if (socket->state != OS_SOCKET_CONNECTED)
        return -OS_ENOTCONN;
    bool local = socket->family == OS_AF_UNIX;
    socket->no_read |= how != 1;
    socket->no_write |= how != 0;
    struct os_socket *peer = os_socket_connects(socket) ? socket->peer : NULL;
    if (peer) {
        peer->ended |= how != 0;
        peer->no_write |= local && how != 1;
        os_socket_notify(peer);
    }
    os_socket_notify(socket);
    return 0;
}
