/* sock.h: what the files of sockets share (sock*.c): addresses, messages, the socket itself. */
#ifndef QUIRE_OS_SOCK_H
#define QUIRE_OS_SOCK_H

#include "os/fs.h"

#define OS_UNIX_NAME_MAX 108 /* sun_path */

enum os_socket_family { OS_AF_UNSPEC = 0, OS_AF_UNIX = 1, OS_AF_INET = 2, OS_AF_INET6 = 10 };
enum os_socket_type { OS_SOCK_STREAM = 1, OS_SOCK_DGRAM = 2, OS_SOCK_SEQPACKET = 5 };

/* A name of a socket. Internet addresses are all kept as those of version 6 (RFC 4291, 2.5.5.2). */
struct os_address {
    uint16_t family; /* 0: no name */
    uint16_t port;
    uint8_t ip[16];
    uint8_t length; /* AF_UNIX: bytes of name; an abstract name begins with 0 */
    char name[OS_UNIX_NAME_MAX];
};

/* Descriptors on their way (SCM_RIGHTS): each holds a reference. */
struct os_rights {
    unsigned count;
    struct os_file *files[];
};

/* What was sent at once. A stream's reader may take a part of it. */
struct os_message {
    struct os_message *next;
    size_t nbytes, taken;
    struct os_address from;
    struct os_rights *rights; /* NULL: none */
    int pid;                  /* the sender, for SCM_CREDENTIALS */
    uint8_t bytes[];
};

enum os_socket_state { OS_SOCKET_NEW, OS_SOCKET_LISTENING, OS_SOCKET_CONNECTED };

#define OS_SOCKET_OPTIONS 32 /* room for those that are only remembered: sock_option.c */

struct os_socket {
    struct os_file *file; /* NULL: waits to be accepted */
    struct os *os;
    int family, type, protocol;
    enum os_socket_state state;
    struct os_address local, remote;
    uint64_t device, inode; /* of the file that a path is bound to */
    struct os_socket *peer; /* NULL: none, or it is gone */
    struct os_message *first, **last;
    size_t queued; /* bytes that wait to be read, each message charged OS_MESSAGE_COST more */
    struct os_socket *pending, *next_pending; /* of a listener: who wants to be accepted */
    unsigned npending, backlog;
    bool no_read, no_write; /* shut down by us */
    bool ended;             /* nothing will come any more */
    bool told_gone;         /* the one write that TCP accepts after the other side has gone */
    bool just_connected;    /* connect said EINPROGRESS: the next one says 0 */
    int error;              /* SO_ERROR */
    size_t limit;           /* of queued: SO_RCVBUF */
    uint64_t receive_timeout_ns, send_timeout_ns; /* 0: none */
    int owner_pid;                                /* SO_PEERCRED of the other side */
    int peer_pid;
    bool bound, pass_credentials, reuse, only_v6;
    int32_t options[OS_SOCKET_OPTIONS];
};
#define OS_MESSAGE_COST 256

/* ---- sock.c ---------------------------------------------------------------------------------- */

extern const struct os_file_ops os_socket_ops, os_packet_ops; /* streams; those that keep borders */
struct os_socket *os_socket_new(struct os *os, int family, int type, int protocol, int pid);
void os_socket_free(struct os_socket *socket);
/* An open file for it, which owns it from then on. NULL: no memory. */
struct os_file *os_socket_file(struct os_socket *socket, uint32_t flags);
/* The socket of a descriptor; NULL with -EBADF or -ENOTSOCK. */
struct os_socket *os_socket_of(struct os_task *task, uint64_t fd, int64_t *error);
struct os_socket *os_socket_of_file(const struct os_file *file);
/* Something happened to it. */
void os_socket_notify(struct os_socket *socket);
/* Send bytes, to a name or (NULL) to the other end. How many went, -EAGAIN, or why not. rights, if
 * any, go with the first byte and are the receiver's then. */
int64_t os_socket_send(struct os_socket *socket, const void *bytes, size_t nbytes,
                       const struct os_address *to, struct os_rights *rights);
/* Take bytes, or look at them. What came with them: */
struct os_received {
    struct os_address from;
    struct os_rights *rights; /* the caller's now; a look gives none */
    int pid;
    size_t whole; /* of a datagram, also when less was taken */
};
int64_t os_socket_receive(struct os_socket *socket, void *to, size_t nbytes, bool peek,
                          struct os_received *received);
/* Sleep until something happens to it, at most so long (0: for ever); -EAGAIN where that is not
 * wanted, or over. (sock_message.c) */
int64_t os_socket_wait(struct os_task *task, struct os_socket *socket, bool dont,
                       uint64_t timeout_ns);
static inline bool os_socket_is_stream(const struct os_socket *socket) {
    return socket->type == OS_SOCK_STREAM;
}
static inline bool os_socket_connects(const struct os_socket *socket) {
    return socket->type != OS_SOCK_DGRAM;
}

/* ---- sock_name.c ----------------------------------------------------------------------------- */

int64_t os_address_get(struct os_task *task, uint64_t va, uint64_t length,
                       struct os_address *address);
/* As socket wants it, at most what *length_va says; then the true length there. */
int64_t os_address_put(struct os_task *task, const struct os_socket *socket,
                       const struct os_address *address, uint64_t va, uint64_t length_va);
/* The bytes of it alone: sockaddr; returns their number. */
#define OS_SOCKADDR_MAX 128
size_t os_address_bytes(const struct os_socket *socket, const struct os_address *address,
                        uint8_t bytes[OS_SOCKADDR_MAX]);
/* May this socket speak to that address at all? 0 or -errno. */
int64_t os_address_reachable(const struct os_socket *socket, const struct os_address *address);
/* Who has that name: a listener, or who gets datagrams sent there by `from`. NULL with -errno. */
struct os_socket *os_socket_find(struct os_task *task, const struct os_socket *from,
                                 const struct os_address *address, int64_t *error);
/* A name for one that has none, before it speaks. */
int64_t os_socket_autobind(struct os_socket *socket);

/* ---- sock_rights.c --------------------------------------------------------------------------- */

/* The open files of these descriptors. 0 or -errno. */
int64_t os_rights_take(struct os_task *task, const int32_t *fds, unsigned count,
                       struct os_rights **rights);
void os_rights_drop(struct os_rights *rights);
/* Files that only lie in queues of such files: nobody can ever receive them. */
void os_rights_collect(struct os_fs *fs);
extern const unsigned os_rights_max; /* in one message */

#endif
