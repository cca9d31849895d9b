/* sock_option.c: getsockopt and setsockopt.
 *
 * Few options mean anything on a network that neither loses nor delays: those act. Most of the
 * others are remembered, so that a program gets back what it set; unknown ones are ENOPROTOOPT.
 */
#include "os/sock.h"

#include <string.h>

enum option_level { LEVEL_IP = 0, LEVEL_SOCKET = 1, LEVEL_TCP = 6, LEVEL_IPV6 = 41 };
enum socket_option {
    SOCKET_REUSEADDR = 2,
    SOCKET_TYPE = 3,
    SOCKET_ERROR = 4,
    SOCKET_SNDBUF = 7,
    SOCKET_RCVBUF = 8,
    SOCKET_LINGER = 13,
    SOCKET_REUSEPORT = 15,
    SOCKET_PASSCRED = 16,
    SOCKET_PEERCRED = 17,
    SOCKET_RCVTIMEO = 20,
    SOCKET_SNDTIMEO = 21,
    SOCKET_ACCEPTCONN = 30,
    SOCKET_SNDBUFFORCE = 32,
    SOCKET_RCVBUFFORCE = 33,
    SOCKET_PROTOCOL = 38,
    SOCKET_DOMAIN = 39,
};
#define IPV6_V6ONLY_OPTION 26
#define LIMIT_MIN          2304u   /* SOCK_MIN_RCVBUF */
#define LIMIT_MAX          425984u /* twice net.core.rmem_max */
#define SEND_LIMIT         212992

/* Remembered: what it is at first. Its place here is its place in os_socket.options. */
static const struct {
    int level, name;
    int32_t initial;
} kept[] = {
    {LEVEL_SOCKET, 5, 0},    {LEVEL_SOCKET, 6, 0},  {LEVEL_SOCKET, 9, 0}, /* keep-alive */
    {LEVEL_SOCKET, 10, 0},   {LEVEL_SOCKET, 12, 0}, {LEVEL_SOCKET, 18, 1}, {LEVEL_SOCKET, 29, 0},
    {LEVEL_SOCKET, 1000, 0}, {LEVEL_TCP, 1, 0}, /* no delay */
    {LEVEL_TCP, 2, 65483},   {LEVEL_TCP, 3, 0},     {LEVEL_TCP, 4, 7200},  {LEVEL_TCP, 5, 75},
    {LEVEL_TCP, 6, 9},       {LEVEL_TCP, 9, 0},     {LEVEL_TCP, 12, 1},    {LEVEL_TCP, 18, 0},
    {LEVEL_TCP, 23, 0},      {LEVEL_IP, 1, 0},      {LEVEL_IP, 2, 64},     {LEVEL_IP, 8, 0},
    {LEVEL_IP, 10, 1},       {LEVEL_IP, 11, 0},     {LEVEL_IP, 33, 1},     {LEVEL_IPV6, 16, 64},
    {LEVEL_IPV6, 18, 1},     {LEVEL_IPV6, 25, 0},   {LEVEL_IPV6, 49, 0},   {LEVEL_IPV6, 66, 0},
    {LEVEL_IPV6, 67, 0},
};
#define NKEPT (sizeof kept / sizeof kept[0])
_Static_assert(NKEPT <= OS_SOCKET_OPTIONS, "room for all that are remembered");

static int find_kept(const struct os_socket *socket, int level, int name) {
    bool local = socket->family == OS_AF_UNIX, tcp = !local && os_socket_is_stream(socket);
    if ((local && level != LEVEL_SOCKET) || (level == LEVEL_TCP && !tcp) ||
        (level == LEVEL_IPV6 && socket->family != OS_AF_INET6))
        return -1;
    for (unsigned i = 0; i < NKEPT; i++)
        if (kept[i].level == level && kept[i].name == name)
            return (int)i;
    return -1;
}

static int64_t get_timeout(struct os_task *task, uint64_t va, uint64_t length, uint64_t *ns) {
    struct os_timeval time;
    if (length < sizeof time)
        return -OS_EINVAL;
    if (os_copy_from_user(task, &time, va, sizeof time) != 0)
        return -OS_EFAULT;
    if (time.microseconds < 0 || time.microseconds >= 1000000)
        return -OS_EDOM;
    bool never = time.seconds < 0 || time.seconds > INT32_MAX;
    *ns =
        never ? 0 : (uint64_t)time.seconds * OS_NS_PER_SECOND + (uint64_t)time.microseconds * 1000;
    return 0;
}

static void set_limit(struct os_socket *socket, int32_t value) {
    uint64_t wanted =
        value < 0 || value > (int32_t)LIMIT_MAX / 2 ? LIMIT_MAX : 2u * (uint32_t)value;
    socket->limit = wanted < LIMIT_MIN ? LIMIT_MIN : (size_t)wanted;
}

OS_CALL(setsockopt) {
    int64_t error;
    int level = (int)args[1], name = (int)args[2];
    int32_t value = 0;
    struct os_socket *socket = os_socket_of(task, args[0], &error);
    if (!socket)
        return error;
    if ((int32_t)args[4] < 0)
        return -OS_EINVAL;
    if (level == LEVEL_SOCKET && (name == SOCKET_RCVTIMEO || name == SOCKET_SNDTIMEO))
        return get_timeout(task, args[3], args[4],
                           name == SOCKET_RCVTIMEO ? &socket->receive_timeout_ns
                                                   : &socket->send_timeout_ns);
    if (args[4] < sizeof value)
        return -OS_EINVAL;
    if (os_copy_from_user(task, &value, args[3], sizeof value) != 0)
        return -OS_EFAULT;
    if (level == LEVEL_IPV6 && name == IPV6_V6ONLY_OPTION && socket->family == OS_AF_INET6) {
        socket->only_v6 = value != 0;
        return socket->bound ? -OS_EINVAL : 0;
    }
    int index = find_kept(socket, level, name);
    if (index >= 0)
        socket->options[index] = value - kept[index].initial;
    if (index >= 0 || level != LEVEL_SOCKET)
        return index >= 0 ? 0 : socket->family == OS_AF_UNIX ? -OS_EOPNOTSUPP : -OS_ENOPROTOOPT;
    switch (name) {
    case SOCKET_REUSEADDR:
    case SOCKET_REUSEPORT:
        socket->reuse = value != 0;
        return 0;
    case SOCKET_RCVBUF:
    case SOCKET_RCVBUFFORCE:
        set_limit(socket, value);
        return 0;
    case SOCKET_SNDBUF: /* what is sent lies in the receiver's queue at once */
    case SOCKET_SNDBUFFORCE:
    case SOCKET_LINGER:
        return 0;
    case SOCKET_PASSCRED:
        socket->pass_credentials = value != 0;
        return 0;
    default:
        return -OS_ENOPROTOOPT;
    }
}

/* The value of an option that is a number; false: there is no such one. */
static bool number_of(struct os_socket *socket, int level, int name, int32_t *value) {
    int index = find_kept(socket, level, name);
    if (index >= 0) {
        *value = socket->options[index] + kept[index].initial;
        return true;
    }
    if (level == LEVEL_IPV6 && name == IPV6_V6ONLY_OPTION && socket->family == OS_AF_INET6) {
        *value = socket->only_v6;
        return true;
    }
    if (level != LEVEL_SOCKET)
        return false;
    switch (name) {
    case SOCKET_REUSEADDR:
    case SOCKET_REUSEPORT:
        *value = socket->reuse;
        return true;
    case SOCKET_TYPE:
        *value = socket->type;
        return true;
    case SOCKET_ERROR:
        *value = socket->error;
        socket->error = 0;
        return true;
    case SOCKET_RCVBUF:
        *value = (int32_t)socket->limit;
        return true;
    case SOCKET_SNDBUF:
        *value = SEND_LIMIT;
        return true;
    case SOCKET_PASSCRED:
        *value = socket->pass_credentials;
        return true;
    case SOCKET_ACCEPTCONN:
        *value = socket->state == OS_SOCKET_LISTENING;
        return true;
    case SOCKET_PROTOCOL:
        *value = socket->protocol;
        return true;
    case SOCKET_DOMAIN:
        *value = socket->family;
        return true;
    default:
        return false;
    }
}

/* Options that are structures: their bytes; 0: it is none of them. */
static size_t structure_of(struct os_socket *socket, int level, int name, uint8_t bytes[16]) {
    memset(bytes, 0, 16);
    if (level != LEVEL_SOCKET)
        return 0;
    if (name == SOCKET_LINGER)
        return 8;
    if (name == SOCKET_RCVTIMEO || name == SOCKET_SNDTIMEO) {
        uint64_t ns =
            name == SOCKET_RCVTIMEO ? socket->receive_timeout_ns : socket->send_timeout_ns;
        struct os_timeval time = {(int64_t)(ns / OS_NS_PER_SECOND),
                                  (int64_t)(ns % OS_NS_PER_SECOND / 1000)};
        memcpy(bytes, &time, sizeof time);
        return sizeof time;
    }
    if (name == SOCKET_PEERCRED) {
        bool known = socket->family == OS_AF_UNIX && socket->peer_pid != 0;
        uint32_t who[3] = {(uint32_t)socket->peer_pid, known ? os_host_user() : UINT32_MAX,
                           known ? os_host_group() : UINT32_MAX};
        memcpy(bytes, who, sizeof who);
        return sizeof who;
    }
    return 0;
}

OS_CALL(getsockopt) {
    int64_t error;
    int level = (int)args[1], name = (int)args[2];
    int32_t room, value = 0;
    uint8_t bytes[16];
    struct os_socket *socket = os_socket_of(task, args[0], &error);
    if (!socket)
        return error;
    if (os_copy_from_user(task, &room, args[4], sizeof room) != 0)
        return -OS_EFAULT;
    if (room < 0)
        return -OS_EINVAL;
    size_t length = structure_of(socket, level, name, bytes);
    if (length == 0) {
        if (!number_of(socket, level, name, &value))
            return socket->family == OS_AF_UNIX && level != LEVEL_SOCKET ? -OS_EOPNOTSUPP
                                                                         : -OS_ENOPROTOOPT;
        memcpy(bytes, &value, sizeof value);
        length = sizeof value;
    }
    if ((size_t)room < length)
        length = (size_t)room;
    room = (int32_t)length;
    if (os_copy_to_user(task, args[3], bytes, length) != 0)
        return -OS_EFAULT;
    return os_copy_to_user(task, args[4], &room, sizeof room);
}
