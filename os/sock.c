/* sock.c: sockets: bytes and messages between programs of this machine.
 *
 *   send ──> [message]─>[message]─> ... queue of the receiver ──> receive
 *
 * All sockets live inside the machine, those of the internet families as well: its only network is
 * the loopback. So a web server and its client need no privilege and no network of the host, cannot
 * be seen from outside, and a run with them is a function of the programs alone. (Host sockets were
 * rejected: who is ready first would be up to the host.) What is not on the loopback is answered
 * ENETUNREACH.
 *
 * A socket has one queue: what others sent to it. Streams and datagrams differ only in how much of
 * a message one receive takes. A connection that nobody has accepted yet is a socket without an
 * open file, in its listener's row.
 *
 *      client ──peer──> server's end (pending, file NULL) ──accept──> open file
 *
 * Invariants:
 *   I1  a->peer == b of a connected stream implies b->peer == a; both are NULL once one has gone.
 *   I2  queued is the sum of nbytes - taken + OS_MESSAGE_COST over the queue.
 *   I3  nobody points to a socket that is freed: os_socket_free looks at all that could.
 *
 * May fail: host memory, and as socket(7), unix(7), tcp(7), udp(7). A change wakes who sleeps on
 * the open file. Audit: tests/run/sock_calls.c, whose output is Linux's.
 */
#include "os/sock.h"
#include "os/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 212992u /* net.core.rmem_default */

/* ---- coming and going ------------------------------------------------------------------------ */

struct os_socket *os_socket_of_file(const struct os_file *file) {
    return file->ops == &os_socket_ops || file->ops == &os_packet_ops ? file->socket : NULL;
}

struct os_socket *os_socket_of(struct os_task *task, uint64_t fd, int64_t *error) {
    struct os_file *file = os_file_of(task->process, (int)fd);
    struct os_socket *socket = file ? os_socket_of_file(file) : NULL;
    *error = !file ? -OS_EBADF : !socket ? -OS_ENOTSOCK : 0;
    return socket;
}

struct os_socket *os_socket_new(struct os *os, int family, int type, int protocol, int pid) {
    struct os_socket *socket = calloc(1, sizeof *socket);
    if (!socket)
        return NULL;
    socket->os = os;
    socket->family = family;
    socket->type = type;
    socket->protocol = protocol;
    socket->last = &socket->first;
    socket->limit = LIMIT_DEFAULT;
    socket->owner_pid = pid;
    return socket;
}

struct os_file *os_socket_file(struct os_socket *socket, uint32_t flags) {
    char path[48];
    uint64_t inode = os_fs(socket->os)->next_inode++;
    snprintf(path, sizeof path, "socket:[%llu]", (unsigned long long)inode);
    struct os_file *file =
        os_file_new(socket->os, os_socket_is_stream(socket) ? &os_socket_ops : &os_packet_ops, path,
                    OS_O_RDWR | flags, OS_S_IFSOCK | 0777);
    if (!file)
        return NULL;
    file->inode = inode;
    file->socket = socket;
    socket->file = file;
    return file;
}

void os_socket_notify(struct os_socket *socket) {
    if (socket->file)
        os_file_notify(socket->file);
}

static void free_message(struct os_message *message) {
    os_rights_drop(message->rights);
    free(message);
}

/* The other end of a stream, or of a pair, goes. lost: with bytes of ours unread, or never
 * accepted. */
static void leave_peer(struct os_socket *socket, bool lost) {
    struct os_socket *peer = socket->peer;
    if (!peer)
        return;
    socket->peer = NULL;
    if (!os_socket_connects(socket))
        return;        /* a datagram socket may have chosen one that did not choose it */
    peer->peer = NULL; /* I1 */
    peer->ended = true;
    if (peer->family == OS_AF_UNIX)
        peer->no_write = true;
    if (lost)
        peer->error = OS_ECONNRESET;
    peer->told_gone |= lost;
    os_socket_notify(peer);
}

void os_socket_free(struct os_socket *socket) {
    struct os_fs *fs = os_fs(socket->os);
    leave_peer(socket, socket->first != NULL || !socket->file);
    while (socket->pending) {
        struct os_socket *pending = socket->pending;
        socket->pending = pending->next_pending;
        os_socket_free(pending);
    }
    while (socket->first) {
        struct os_message *message = socket->first;
        socket->first = message->next;
        free_message(message);
    }
    for (struct os_file *file = fs->files; file; file = file->next) { /* I3 */
        struct os_socket *other = os_socket_of_file(file);
        if (other && other->peer == socket) {
            other->peer = NULL;
            os_socket_notify(other);
        }
    }
    os_wake(socket->os, &socket->pending); /* who waits for a place in its row */
    free(socket);
}

/* ---- sending --------------------------------------------------------------------------------- */

static int current_pid(const struct os *os) {
    return os->current ? os->current->process->pid : 0;
}

/* Append to the queue of `to`. */
static int64_t put_message(struct os_socket *from, struct os_socket *to, const void *bytes,
                           size_t nbytes, struct os_rights *rights) {
    struct os_message *message = malloc(sizeof *message + nbytes);
    if (!message)
        return -OS_ENOBUFS;
    *message = (struct os_message){
        .nbytes = nbytes, .from = from->local, .rights = rights, .pid = current_pid(from->os)};
    memcpy(message->bytes, bytes, nbytes);
    *to->last = message;
    to->last = &message->next;
    to->queued += nbytes + OS_MESSAGE_COST; /* I2 */
    os_socket_notify(to);
    return (int64_t)nbytes;
}

/* The other side is gone, or does not listen: what TCP says of it and what the local families say
 * (RFC 9293: the first write after the end is answered by a reset). */
static int64_t send_to_nobody(struct os_socket *socket, size_t nbytes) {
    if (socket->family == OS_AF_UNIX || socket->told_gone || socket->no_write)
        return -OS_EPIPE;
    socket->told_gone = true;
    socket->error = OS_EPIPE;
    return (int64_t)nbytes;
}

static int64_t send_connected(struct os_socket *socket, const void *bytes, size_t nbytes,
                              struct os_rights *rights) {
    struct os_socket *peer = socket->peer;
    bool local = socket->family == OS_AF_UNIX;
    if (socket->state != OS_SOCKET_CONNECTED)
        return local ? -OS_ENOTCONN : -OS_EPIPE;
    if (socket->error) {
        int64_t error = -socket->error;
        socket->error = 0;
        return error;
    }
    if (socket->no_write || !peer)
        return send_to_nobody(socket, nbytes);
    if (peer->no_read)
        return local ? -OS_EPIPE : (int64_t)nbytes;
    size_t room = peer->limit > peer->queued ? peer->limit - peer->queued : 0;
    if (room <= OS_MESSAGE_COST)
        return -OS_EAGAIN;
    room -= OS_MESSAGE_COST;
    if (nbytes > room) {
        if (!os_socket_is_stream(socket))
            return peer->first ? -OS_EAGAIN : -OS_EMSGSIZE;
        nbytes = room;
    }
    if (nbytes == 0 && os_socket_is_stream(socket))
        return 0;
    return put_message(socket, peer, bytes, nbytes, rights);
}

static int64_t send_datagram(struct os_socket *socket, struct os_socket *to, const void *bytes,
                             size_t nbytes, struct os_rights *rights) {
    bool local = socket->family == OS_AF_UNIX;
    if (socket->no_write)
        return -OS_EPIPE;
    if (to->no_read && local)
        return -OS_EPIPE;
    if (nbytes + OS_MESSAGE_COST > to->limit)
        return -OS_EMSGSIZE;
    if (to->queued + nbytes + OS_MESSAGE_COST > to->limit) {
        if (local)
            return -OS_EAGAIN;
        os_rights_drop(rights);
        return (int64_t)nbytes; /* a network loses what nobody takes */
    }
    return put_message(socket, to, bytes, nbytes, rights);
}

int64_t os_socket_send(struct os_socket *socket, const void *bytes, size_t nbytes,
                       const struct os_address *to, struct os_rights *rights) {
    if (os_socket_connects(socket))
        return send_connected(socket, bytes, nbytes, rights);
    if (socket->error) {
        int64_t error = -socket->error;
        socket->error = 0;
        return error;
    }
    bool connected = socket->state == OS_SOCKET_CONNECTED;
    if (!to && !connected)
        return socket->family == OS_AF_UNIX ? -OS_ENOTCONN : -OS_EDESTADDRREQ;
    int64_t result = os_socket_autobind(socket);
    if (result < 0)
        return result;
    struct os_socket *target = socket->peer;
    if (to || (!target && socket->family != OS_AF_UNIX))
        target = os_socket_find(socket->os->current, socket, to ? to : &socket->remote, &result);
    if (!target && socket->family != OS_AF_UNIX && result == -OS_ECONNREFUSED) {
        os_rights_drop(rights); /* the answer "nobody here" comes later, to who is connected */
        socket->error = connected ? OS_ECONNREFUSED : 0;
        return (int64_t)nbytes;
    }
    if (!target && !to)
        socket->state = OS_SOCKET_NEW; /* told once; then it has no peer */
    if (!target)
        return result < 0 ? result : -OS_ECONNREFUSED;
    return send_datagram(socket, target, bytes, nbytes, rights);
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* There is room again: who waits to send to this socket looks. */
static void room_made(struct os_socket *socket) {
    if (os_socket_connects(socket)) {
        if (socket->peer)
            os_socket_notify(socket->peer);
        return;
    }
    if (socket->family != OS_AF_UNIX)
        return;
    for (struct os_file *file = os_fs(socket->os)->files; file; file = file->next) {
        struct os_socket *other = os_socket_of_file(file);
        if (other && other->family == OS_AF_UNIX && other->type == OS_SOCK_DGRAM && other != socket)
            os_socket_notify(other);
    }
}

static void unlink_first(struct os_socket *socket) {
    struct os_message *message = socket->first;
    socket->queued -= message->nbytes - message->taken + OS_MESSAGE_COST; /* I2 */
    socket->first = message->next;
    if (!socket->first)
        socket->last = &socket->first;
    free_message(message);
}

/* A stream: bytes of several messages, but no further than to one with descriptors. */
static int64_t take_stream(struct os_socket *socket, uint8_t *to, size_t nbytes, bool peek,
                           struct os_received *received) {
    size_t done = 0;
    struct os_message *message = socket->first;
    received->pid = message->pid;
    while (message && done < nbytes) {
        if (done > 0 && (message->rights || message->pid != received->pid))
            break;
        if (!peek && message->rights) {
            received->rights = message->rights;
            message->rights = NULL;
        }
        size_t left = message->nbytes - message->taken;
        size_t take = left < nbytes - done ? left : nbytes - done;
        memcpy(to + done, message->bytes + message->taken, take);
        done += take;
        struct os_message *next = message->next;
        if (!peek) {
            message->taken += take;
            socket->queued -= take;
            if (message->taken == message->nbytes)
                unlink_first(socket);
        }
        message = next;
        if (received->rights)
            break;
    }
    return (int64_t)done;
}

static int64_t take_message(struct os_socket *socket, uint8_t *to, size_t nbytes, bool peek,
                            struct os_received *received) {
    struct os_message *message = socket->first;
    size_t take = message->nbytes < nbytes ? message->nbytes : nbytes;
    memcpy(to, message->bytes, take);
    received->from = message->from;
    received->pid = message->pid;
    received->whole = message->nbytes;
    if (!peek) {
        received->rights = message->rights;
        message->rights = NULL;
        unlink_first(socket);
    }
    return (int64_t)take;
}

static int64_t nothing_there(struct os_socket *socket) {
    bool local = socket->family == OS_AF_UNIX, connects = os_socket_connects(socket);
    if (connects && socket->state != OS_SOCKET_CONNECTED)
        return local && os_socket_is_stream(socket) ? -OS_EINVAL : -OS_ENOTCONN;
    if (socket->error) {
        int64_t error = -socket->error;
        socket->error = 0;
        return error;
    }
    return socket->no_read || (connects && socket->ended) ? 0 : -OS_EAGAIN;
}

int64_t os_socket_receive(struct os_socket *socket, void *to, size_t nbytes, bool peek,
                          struct os_received *received) {
    *received = (struct os_received){0};
    if (!socket->first)
        return nothing_there(socket);
    int64_t result = os_socket_is_stream(socket) ? take_stream(socket, to, nbytes, peek, received)
                                                 : take_message(socket, to, nbytes, peek, received);
    if (!peek)
        room_made(socket);
    return result;
}

/* ---- as open files --------------------------------------------------------------------------- */

static int64_t file_read(struct os_file *file, void *to, size_t nbytes, uint64_t offset) {
    struct os_received received;
    (void)offset;
    int64_t result = os_socket_receive(file->socket, to, nbytes, false, &received);
    os_rights_drop(received.rights); /* read has no place for them */
    return result;
}

static int64_t file_write(struct os_file *file, const void *from, size_t nbytes, uint64_t offset) {
    (void)offset;
    return os_socket_send(file->socket, from, nbytes, NULL, NULL);
}

static unsigned file_poll(struct os_file *file) {
    struct os_socket *socket = file->socket;
    unsigned events = socket->error ? OS_POLLERR : 0;
    if (socket->state == OS_SOCKET_LISTENING)
        return events | (socket->pending ? OS_POLLIN | OS_POLLRDNORM : 0);
    bool connects = os_socket_connects(socket), connected = socket->state == OS_SOCKET_CONNECTED;
    bool in_ends = socket->no_read || (connects && socket->ended);
    if (socket->first || in_ends || socket->error)
        events |= OS_POLLIN | OS_POLLRDNORM;
    if (in_ends)
        events |= OS_POLLRDHUP;
    if (connects && (!connected || (in_ends && socket->no_write)))
        events |= OS_POLLHUP;
    const struct os_socket *peer = socket->peer; /* unix(7): writable while a quarter is used */
    if (!peer || peer->queued * 4 <= peer->limit)
        events |= OS_POLLOUT | OS_POLLWRNORM;
    return events;
}

static int64_t file_stat(struct os_file *file, struct os_stat *stat) {
    *stat = (struct os_stat){.inode = file->inode,
                             .mode = file->mode,
                             .links = 1,
                             .block_size = (int32_t)QUIRE_PAGE_SIZE};
    return 0;
}

static int64_t file_ioctl(struct os_task *task, struct os_file *file, uint64_t request,
                          uint64_t argument) {
    struct os_socket *socket = file->socket;
    if (request != OS_FIONREAD)
        return -OS_ENOTTY;
    if (socket->state == OS_SOCKET_LISTENING)
        return -OS_EINVAL;
    int32_t count = 0;
    for (struct os_message *message = socket->first; message; message = message->next) {
        count += (int32_t)(message->nbytes - message->taken);
        if (!os_socket_connects(socket))
            break; /* of the next one */
    }
    return os_copy_to_user(task, argument, &count, sizeof count);
}

static void file_release(struct os_file *file) {
    os_socket_free(file->socket);
    file->socket = NULL;
}

#define SOCKET_OPERATIONS                                                        \
    .name = "socket", .read = file_read, .write = file_write, .poll = file_poll, \
    .stat = file_stat, .ioctl = file_ioctl, .release = file_release
const struct os_file_ops os_socket_ops = {SOCKET_OPERATIONS};
const struct os_file_ops os_packet_ops = {SOCKET_OPERATIONS, .message = true};
