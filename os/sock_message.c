/* sock_message.c: sendto, sendmsg, sendmmsg and their opposites: bytes, names and descriptors in
 * one call.
 *
 *   msghdr ──> name, vectors, control ──> bounce (64 KiB) ──> os_socket_send
 *
 * A datagram crosses the bounce buffer whole, so it is at most 64 KiB (Linux: a little more for
 * local ones); a stream goes in as many rounds as it takes, and is continued where it was when the
 * call is made again (task->progress).
 *
 * I1  Descriptors travel with the first byte of a stream's message, once.
 * I2  A receiver that has no room for control data loses it, and is told so (MSG_CTRUNC); then no
 *     descriptor of it is left open.
 *
 * May fail: as sendmsg(2), recvmsg(2).
 */
#include "os/sock.h"

#include <string.h>

enum message_flags {
    MESSAGE_OOB = 1,
    MESSAGE_PEEK = 2,
    MESSAGE_CTRUNC = 8,
    MESSAGE_TRUNC = 0x20,
    MESSAGE_DONTWAIT = 0x40,
    MESSAGE_WAITALL = 0x100,
    MESSAGE_ERRQUEUE = 0x2000,
    MESSAGE_NOSIGNAL = 0x4000,
    MESSAGE_WAITFORONE = 0x10000,
    MESSAGE_CLOEXEC = 0x40000000,
};

struct message_header { /* struct msghdr */
    uint64_t name;
    uint32_t name_bytes, pad0;
    uint64_t vectors, nvectors, control, control_bytes;
    uint32_t flags, pad1;
};
_Static_assert(sizeof(struct message_header) == 56, "struct msghdr of 64-bit machines");

struct control_header { /* struct cmsghdr */
    uint64_t length;
    int32_t level, type;
};
#define LEVEL_SOCKET       1
#define CONTROL_RIGHTS     1
#define CONTROL_CREDENTIAL 2
#define CONTROL_MAX        20480 /* net.core.optmem_max */
#define CONTROL_ALIGN(n)   (((n) + 7) & ~UINT64_C(7))
#define CREDENTIAL_BYTES   12 /* struct ucred: pid, uid, gid */

#define MANY_MAX          1024 /* messages of sendmmsg: UIO_MAXIOV */
#define MANY_LENGTH_AT    sizeof(struct message_header)
#define MANY_RECORD_BYTES (sizeof(struct message_header) + 8)

/* One call in progress. */
struct exchange {
    struct os_task *task;
    struct os_socket *socket;
    unsigned flags;
    struct message_header header; /* va of everything */
    struct os_vectors vectors;
};

/* ---- waiting --------------------------------------------------------------------------------- */

int64_t os_socket_wait(struct os_task *task, struct os_socket *socket, bool dont,
                       uint64_t timeout_ns) {
    if (dont || (socket->file->flags & OS_O_NONBLOCK))
        return -OS_EAGAIN;
    if (!task->restarted)
        task->deadline_ns = timeout_ns ? os_deadline_after(task->os, timeout_ns) : UINT64_MAX;
    if (task->deadline_ns <= os_now_ns(task->os))
        return -OS_EAGAIN;
    os_wait_on(task, os_file_channel(socket->file), task->deadline_ns);
    return OS_WAIT;
}

/* Nothing can be moved now: what was moved is the answer, or it waits. */
static int64_t pause_exchange(struct exchange *call, uint64_t done, uint64_t timeout_ns) {
    if (done && os_signal_pending(call->task))
        return (int64_t)done;
    int64_t result =
        os_socket_wait(call->task, call->socket, call->flags & MESSAGE_DONTWAIT, timeout_ns);
    if (result == OS_WAIT)
        call->task->progress = done;
    return result == -OS_EAGAIN && done ? (int64_t)done : result;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Descriptors that the control data names. */
static int64_t get_rights(struct exchange *call, struct os_rights **rights) {
    struct control_header control;
    int32_t fds[256];
    uint64_t at = call->header.control, left = call->header.control_bytes;
    *rights = NULL;
    if (left > CONTROL_MAX)
        return -OS_ENOBUFS;
    while (left >= sizeof control) {
        if (os_copy_from_user(call->task, &control, at, sizeof control) != 0)
            return -OS_EFAULT;
        if (control.length < sizeof control || control.length > left)
            return -OS_EINVAL;
        uint64_t nbytes = control.length - sizeof control;
        if (control.level == LEVEL_SOCKET && control.type == CONTROL_RIGHTS) {
            uint64_t count = nbytes / sizeof fds[0];
            if (call->socket->family != OS_AF_UNIX || *rights || count > os_rights_max)
                return -OS_EINVAL;
            if (os_copy_from_user(call->task, fds, at + sizeof control, count * sizeof fds[0]) != 0)
                return -OS_EFAULT;
            int64_t result = os_rights_take(call->task, fds, (unsigned)count, rights);
            if (result < 0)
                return result;
        } else if (control.level == LEVEL_SOCKET && control.type != CONTROL_CREDENTIAL) {
            return -OS_EINVAL;
        }
        uint64_t step = CONTROL_ALIGN(control.length);
        at += step;
        left = left > step ? left - step : 0;
    }
    return 0;
}

static int64_t broken(struct exchange *call) {
    struct os_signal_info info = {.signo = OS_SIGPIPE, .code = OS_SI_USER};
    info.pid = call->task->process->pid;
    if (!(call->flags & MESSAGE_NOSIGNAL) && os_socket_is_stream(call->socket))
        os_signal_task(call->task, OS_SIGPIPE, &info);
    return -OS_EPIPE;
}

/* Move the bytes; *rights is NULL once the receiver has them (I1). */
static int64_t send_bytes(struct exchange *call, const struct os_address *to,
                          struct os_rights **rights) {
    uint8_t *bounce = os_fs(call->task->os)->bounce;
    struct os_vectors *vectors = &call->vectors;
    bool stream = os_socket_is_stream(call->socket);
    uint64_t done = call->task->restarted ? call->task->progress : 0;
    if (!stream && vectors->total > OS_BOUNCE_BYTES)
        return -OS_EMSGSIZE;
    do {
        uint64_t chunk = vectors->total - done;
        if (chunk > OS_BOUNCE_BYTES)
            chunk = OS_BOUNCE_BYTES;
        uint64_t copied = os_vectors_copy(call->task, vectors, done, bounce, chunk, false);
        if (copied < chunk && (copied == 0 || !stream))
            return done ? (int64_t)done : -OS_EFAULT;
        int64_t put = os_socket_send(call->socket, bounce, copied, to, *rights);
        if (put == -OS_EAGAIN)
            return pause_exchange(call, done, call->socket->send_timeout_ns);
        if (put < 0 && done)
            return (int64_t)done;
        if (put == -OS_EPIPE)
            return broken(call);
        if (put < 0)
            return put;
        if (!stream || put > 0)
            *rights = NULL;
        done += (uint64_t)put;
    } while (done < vectors->total && stream);
    return (int64_t)done;
}

static int64_t send_exchange(struct exchange *call) {
    struct os_address to;
    struct os_rights *rights = NULL;
    bool named = call->header.name && call->header.name_bytes;
    if (call->flags & MESSAGE_OOB)
        return -OS_EOPNOTSUPP;
    if (named && os_socket_connects(call->socket)) {
        named = false; /* a name given to who is connected: as Linux */
        if (call->socket->family == OS_AF_UNIX && os_socket_is_stream(call->socket))
            return call->socket->state == OS_SOCKET_CONNECTED ? -OS_EISCONN : -OS_EOPNOTSUPP;
    }
    int64_t result = 0;
    if (named)
        result = os_address_get(call->task, call->header.name, call->header.name_bytes, &to);
    if (result == 0 && call->header.control && !(call->task->restarted && call->task->progress))
        result = get_rights(call, &rights);
    if (result == 0)
        result = send_bytes(call, named ? &to : NULL, &rights);
    os_rights_drop(rights);
    return result;
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* Append one piece of control data; false: no room (I2). */
static bool put_control(struct exchange *call, uint64_t *used, int32_t type, const void *data,
                        size_t nbytes) {
    struct control_header control = {sizeof control + nbytes, LEVEL_SOCKET, type};
    uint64_t at = call->header.control + *used;
    if (*used + control.length > call->header.control_bytes ||
        os_copy_to_user(call->task, at, &control, sizeof control) != 0 ||
        os_copy_to_user(call->task, at + sizeof control, data, nbytes) != 0)
        return false;
    *used += CONTROL_ALIGN(control.length);
    if (*used > call->header.control_bytes)
        *used = call->header.control_bytes;
    return true;
}

/* Give the program descriptors for as many as it has room for. Returns flags. */
static uint32_t put_rights(struct exchange *call, uint64_t *used, struct os_rights *rights) {
    int32_t fds[256];
    uint64_t room = call->header.control_bytes - *used;
    unsigned fit = room <= sizeof(struct control_header)
                       ? 0
                       : (unsigned)((room - sizeof(struct control_header)) / sizeof fds[0]);
    unsigned count = 0;
    for (; count < rights->count && count < fit; count++) {
        int64_t fd = os_fd_install(call->task->process, os_file_ref(rights->files[count]),
                                   (call->flags & MESSAGE_CLOEXEC) != 0, 0);
        if (fd < 0)
            break;
        fds[count] = (int32_t)fd;
    }
    bool whole = count == rights->count;
    if (count > 0 && !put_control(call, used, CONTROL_RIGHTS, fds, count * sizeof fds[0])) {
        for (unsigned i = 0; i < count; i++)
            os_sys_close(call->task, (uint64_t[6]){(uint64_t)fds[i]});
        whole = false;
    }
    return whole ? 0 : MESSAGE_CTRUNC;
}

static uint32_t put_controls(struct exchange *call, struct os_received *received) {
    uint64_t used = 0;
    uint32_t flags = 0;
    if (!call->header.control)
        call->header.control_bytes = 0;
    if (call->socket->pass_credentials) {
        uint32_t credential[3] = {(uint32_t)received->pid, os_host_user(), os_host_group()};
        if (!put_control(call, &used, CONTROL_CREDENTIAL, credential, CREDENTIAL_BYTES))
            flags |= MESSAGE_CTRUNC;
    }
    if (received->rights)
        flags |= put_rights(call, &used, received->rights);
    call->header.control_bytes = used;
    return flags;
}

/* Bytes to the vectors, and what came with the first of them. */
static int64_t receive_bytes(struct exchange *call, struct os_received *first) {
    uint8_t *bounce = os_fs(call->task->os)->bounce;
    struct os_vectors *vectors = &call->vectors;
    bool peek = call->flags & MESSAGE_PEEK, stream = os_socket_is_stream(call->socket);
    bool all = stream && !peek && (call->flags & MESSAGE_WAITALL);
    uint64_t done = call->task->restarted && all ? call->task->progress : 0;
    *first = (struct os_received){0};
    if (stream && vectors->total == 0)
        return 0;
    do {
        struct os_received received;
        uint64_t chunk = vectors->total - done;
        if (chunk > OS_BOUNCE_BYTES)
            chunk = OS_BOUNCE_BYTES;
        int64_t got = os_socket_receive(call->socket, bounce, chunk, peek, &received);
        if (got == -OS_EAGAIN && (done == 0 || all))
            return pause_exchange(call, done, call->socket->receive_timeout_ns);
        if (got <= 0 && done)
            return (int64_t)done;
        if (got < 0)
            return got;
        *first = received;
        uint64_t copied = os_vectors_copy(call->task, vectors, done, bounce, (uint64_t)got, true);
        if (copied < (uint64_t)got)
            return -OS_EFAULT; /* a message that could not be given is gone */
        done += copied;
        if (!stream || peek || got == 0 || received.rights)
            break;
    } while (done < vectors->total);
    return (int64_t)done;
}

static int64_t receive_exchange(struct exchange *call, uint32_t *flags, struct os_address *from) {
    struct os_received received;
    *flags = 0;
    if (call->flags & MESSAGE_OOB)
        return call->socket->family == OS_AF_UNIX ? -OS_EOPNOTSUPP : -OS_EINVAL;
    if (call->flags & MESSAGE_ERRQUEUE)
        return -OS_EAGAIN;
    int64_t result = receive_bytes(call, &received);
    if (result == OS_WAIT)
        return result;
    if (result >= 0) {
        *from = received.from;
        *flags = put_controls(call, &received);
        if (!os_socket_is_stream(call->socket) && received.whole > (size_t)result) {
            *flags |= MESSAGE_TRUNC;
            if (call->flags & MESSAGE_TRUNC)
                result = (int64_t)received.whole;
        }
    }
    os_rights_drop(received.rights);
    return result;
}

/* ---- the calls ------------------------------------------------------------------------------- */

static int64_t begin(struct exchange *call, struct os_task *task, uint64_t fd, uint64_t flags) {
    int64_t error;
    memset(&call->header, 0, sizeof call->header);
    call->task = task;
    call->flags = (uint32_t)flags;
    call->socket = os_socket_of(task, fd, &error);
    return error;
}

/* With a header in the program's memory. */
static int64_t begin_message(struct exchange *call, uint64_t va) {
    if (os_copy_from_user(call->task, &call->header, va, sizeof call->header) != 0)
        return -OS_EFAULT;
    if ((int32_t)call->header.name_bytes < 0)
        return -OS_EINVAL;
    if (call->header.name_bytes > OS_SOCKADDR_MAX)
        call->header.name_bytes = OS_SOCKADDR_MAX;
    if (call->header.nvectors > OS_IOV_MAX)
        return -OS_EMSGSIZE;
    return os_vectors_get(call->task, &call->vectors, call->header.vectors, call->header.nvectors);
}

OS_CALL(sendto) {
    struct exchange call;
    int64_t result = begin(&call, task, args[0], args[3]);
    if (result == 0)
        result = os_vectors_one(&call.vectors, args[1], args[2]);
    if (result < 0)
        return result;
    call.header.name = args[4];
    call.header.name_bytes = (uint32_t)args[5];
    return send_exchange(&call);
}

OS_CALL(recvfrom) {
    struct exchange call;
    struct os_address from;
    uint32_t flags;
    int64_t result = begin(&call, task, args[0], args[3]);
    if (result == 0)
        result = os_vectors_one(&call.vectors, args[1], args[2]);
    if (result < 0)
        return result;
    bool credentials = call.socket->pass_credentials;
    call.socket->pass_credentials = false; /* no place for them here */
    result = receive_exchange(&call, &flags, &from);
    call.socket->pass_credentials = credentials;
    if (result < 0 || !args[4])
        return result;
    int32_t none = 0; /* of a stream, or of one without */
    int64_t error = from.family ? os_address_put(task, call.socket, &from, args[4], args[5])
                                : os_copy_to_user(task, args[5], &none, sizeof none);
    return error < 0 ? error : result;
}

static int64_t send_message(struct os_task *task, uint64_t fd, uint64_t va, uint64_t flags) {
    struct exchange call;
    int64_t result = begin(&call, task, fd, flags);
    if (result == 0)
        result = begin_message(&call, va);
    return result < 0 ? result : send_exchange(&call);
}

static int64_t receive_message(struct os_task *task, uint64_t fd, uint64_t va, uint64_t flags) {
    struct exchange call;
    struct os_address from;
    uint8_t name[OS_SOCKADDR_MAX];
    int64_t result = begin(&call, task, fd, flags);
    if (result == 0)
        result = begin_message(&call, va);
    if (result < 0)
        return result;
    uint32_t told;
    result = receive_exchange(&call, &told, &from);
    if (result < 0)
        return result;
    uint32_t room = call.header.name ? call.header.name_bytes : 0, length = 0;
    if (room && from.family)
        length = (uint32_t)os_address_bytes(call.socket, &from, name);
    if (length && os_copy_to_user(task, call.header.name, name, length < room ? length : room) != 0)
        return -OS_EFAULT;
    call.header.name_bytes = length;
    call.header.flags = told | (call.flags & MESSAGE_CLOEXEC);
    int64_t error = os_copy_to_user(task, va, &call.header, sizeof call.header);
    return error < 0 ? error : result;
}

OS_CALL(sendmsg) {
    return send_message(task, args[0], args[1], args[2]);
}

OS_CALL(recvmsg) {
    return receive_message(task, args[0], args[1], args[2]);
}

/* Several messages: how many went; an error only if the first did not. What was done before a wait
 * is told at once: the program calls again for the rest, as it must on Linux. */
static int64_t many(struct os_task *task, const uint64_t args[6], bool sends) {
    uint32_t count = (uint32_t)args[2] > MANY_MAX ? MANY_MAX : (uint32_t)args[2], done = 0;
    uint64_t flags = args[3] & ~(uint64_t)MESSAGE_WAITFORONE;
    for (; done < count; done++) {
        uint64_t at = args[1] + done * MANY_RECORD_BYTES;
        uint64_t now = flags | (done ? MESSAGE_DONTWAIT : 0);
        int64_t result =
            sends ? send_message(task, args[0], at, now) : receive_message(task, args[0], at, now);
        if (result < 0)
            return done ? (int64_t)done : result;
        uint32_t length = (uint32_t)result;
        if (os_copy_to_user(task, at + MANY_LENGTH_AT, &length, sizeof length) != 0)
            return done ? (int64_t)done : -OS_EFAULT;
        task->restarted = false; /* progress was that of one message */
        task->progress = 0;
    }
    return done;
}

OS_CALL(sendmmsg) {
    return many(task, args, true);
}

OS_CALL(recvmmsg) {
    return many(task, args, false);
}
