/* sock_calls.c: a program for the guest that prints what the calls on sockets answer.
 *
 * The same program runs on the host's Linux; every line must be the same. So nothing is printed
 * that a Linux may choose: ports, process ids, inode numbers, how much a buffer takes; nor what an
 * emulator of calls answers in its own way.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void show(const char *what, long result) {
    if (result < 0)
        printf("%s: %s\n", what, strerrorname_np(errno));
    else
        printf("%s: %ld\n", what, result);
}

static void show_ok(const char *what, long result) {
    printf("%s: %s\n", what, result < 0 ? strerrorname_np(errno) : "ok");
}

static void show_poll(const char *what, int fd) {
    struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI, 0};
    int n = poll(&p, 1, 0);
    printf("%s: %d%s%s%s%s%s%s\n", what, n, p.revents & POLLIN ? " in" : "",
           p.revents & POLLOUT ? " out" : "", p.revents & POLLRDHUP ? " rdhup" : "",
           p.revents & POLLHUP ? " hup" : "", p.revents & POLLERR ? " err" : "",
           p.revents & POLLNVAL ? " nval" : "");
}

static int option(int fd, int level, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    if (getsockopt(fd, level, name, &value, &length) < 0)
        return -errno;
    return value;
}

/* ---- pairs ----------------------------------------------------------------------------------- */

static void pairs(int type, const char *name) {
    int s[2], n = 0;
    char bytes[100];
    printf("-- socketpair, %s\n", name);
    show("make", socketpair(AF_UNIX, type, 0, s));
    show_poll("fresh", s[0]);
    show("write", write(s[0], "first", 5));
    show("write", write(s[0], "second", 6));
    show("FIONREAD", ioctl(s[1], FIONREAD, &n));
    printf("waiting: %d\n", n);
    show("peek", recv(s[1], bytes, 3, MSG_PEEK));
    show("peek, true length", recv(s[1], bytes, 3, MSG_PEEK | MSG_TRUNC));
    show("read 3", read(s[1], bytes, 3));
    show("read on", read(s[1], bytes, sizeof bytes));
    show("nothing", recv(s[1], bytes, sizeof bytes, MSG_DONTWAIT));
    show("to a name", sendto(s[0], "x", 1, 0, (struct sockaddr *)"\1\0abc", 5));
    while (recv(s[1], bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ;
    struct sockaddr_un peer;
    socklen_t length = sizeof peer;
    show("getpeername", getpeername(s[0], (struct sockaddr *)&peer, &length));
    printf("length %u family %d\n", length, peer.sun_family);
    show("empty", send(s[0], "", 0, 0));
    show_poll("after empty", s[1]);
    show("shutdown", shutdown(s[0], SHUT_WR));
    show("write", send(s[0], "x", 1, MSG_NOSIGNAL));
    show_poll("here", s[0]);
    show_poll("there", s[1]);
    show("read", recv(s[1], bytes, sizeof bytes, MSG_DONTWAIT));
    show("other way", send(s[1], "back", 4, 0));
    show("arrives", read(s[0], bytes, sizeof bytes));
    send(s[1], "lost", 4, 0);
    show("close", close(s[0]));
    show_poll("left alone", s[1]);
    show("read", recv(s[1], bytes, sizeof bytes, MSG_DONTWAIT));
    show("read again", recv(s[1], bytes, sizeof bytes, MSG_DONTWAIT));
    show("write", send(s[1], "x", 1, MSG_NOSIGNAL));
    close(s[1]);
}

static void fill(void) {
    int s[2];
    static char bytes[65536];
    printf("-- full\n");
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s);
    long total = 0, got, back = 0;
    while ((got = write(s[0], bytes, sizeof bytes)) > 0)
        total += got;
    show("full", got);
    printf("more than 100000: %d\n", total > 100000);
    show_poll("full", s[0]);
    while ((got = read(s[1], bytes, sizeof bytes)) > 0)
        back += got;
    printf("all came: %d\n", back == total);
    show_poll("empty", s[0]);
    close(s[0]), close(s[1]);
    socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
    show("too long", send(s[0], NULL, 0, 0));
    char *large = calloc(1, 1 << 20);
    show("too long", send(s[0], large, 1 << 20, 0));
    free(large);
    close(s[0]), close(s[1]);
}

/* ---- descriptors in messages ----------------------------------------------------------------- */

static long pass(int to, const int *fds, int count, const char *text) {
    char control[CMSG_SPACE(300 * sizeof(int))] = {0};
    struct iovec vector = {(char *)text, strlen(text)};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control};
    message.msg_controllen = CMSG_SPACE((unsigned)count * sizeof(int));
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN((unsigned)count * sizeof(int));
    memcpy(CMSG_DATA(c), fds, (unsigned)count * sizeof(int));
    return sendmsg(to, &message, MSG_NOSIGNAL);
}

static long take(int from, int *fds, int room, int *flags) {
    char control[CMSG_SPACE(300 * sizeof(int))] = {0}, bytes[64];
    struct iovec vector = {bytes, sizeof bytes};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control};
    message.msg_controllen = room ? CMSG_SPACE((unsigned)room * sizeof(int)) : 0;
    long got = recvmsg(from, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    *flags = message.msg_flags & ~MSG_CMSG_CLOEXEC;
    int count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); got >= 0 && c; c = CMSG_NXTHDR(&message, c))
        if (c->cmsg_type == SCM_RIGHTS) {
            count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            memcpy(fds, CMSG_DATA(c), (unsigned)count * sizeof(int));
        }
    printf("received %ld with %d descriptors, flags %x\n", got, count, *flags);
    return got;
}

static void rights(void) {
    int s[2], p[2], fds[300], flags;
    char byte;
    printf("-- descriptors\n");
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    pipe(p);
    show("two", pass(s[0], p, 2, "two"));
    show("text", send(s[0], "plain", 5, 0));
    show("one", pass(s[0], p, 1, "one"));
    take(s[1], fds, 2, &flags);
    write(fds[1], "!", 1);
    show("the same pipe", read(p[0], &byte, 1));
    printf("close on exec: %d\n", fcntl(fds[0], F_GETFD));
    close(fds[0]), close(fds[1]);
    take(s[1], fds, 2, &flags);
    take(s[1], fds, 0, &flags);
    int bad[1] = {1000};
    show("bad", pass(s[0], bad, 1, "x"));
    int many[300];
    for (int i = 0; i < 300; i++)
        many[i] = p[0];
    show("254", pass(s[0], many, 254, "x"));
    show("253", pass(s[0], many, 253, "x"));
    take(s[1], fds, 3, &flags);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    /* only the message holds it */
    show("last", pass(s[0], p, 1, "pipe"));
    close(p[0]);
    show("write", write(p[1], "kept", 4));
    take(s[1], fds, 1, &flags);
    char text[8] = {0};
    read(fds[0], text, 4);
    printf("%s\n", text);
    close(fds[0]), close(p[1]);
    for (int i = 0; i < 2000; i++) { /* circles must not stay */
        int c[2];
        socketpair(AF_UNIX, SOCK_STREAM, 0, c);
        if (pass(c[0], c, 2, "self") < 0) {
            /* Linux collects them in its own time, and lets an ordinary user wait for that. */
            if (errno != ETOOMANYREFS || geteuid() == 0)
                show("circle", -1);
            break;
        }
        close(c[0]), close(c[1]);
    }
    int one = 1;
    setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one);
    send(s[0], "who", 3, 0);
    char control[CMSG_SPACE(sizeof(struct ucred))];
    struct iovec vector = {text, sizeof text};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control};
    message.msg_controllen = sizeof control;
    show("with credentials", recvmsg(s[1], &message, 0));
    struct ucred *who = (struct ucred *)CMSG_DATA(CMSG_FIRSTHDR(&message));
    printf("mine: %d %d\n", who->pid == getpid(), who->uid == getuid());
    struct ucred peer;
    socklen_t length = sizeof peer;
    show("SO_PEERCRED", getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &peer, &length));
    printf("mine: %d, %u bytes\n", peer.pid == getpid(), length);
    close(s[0]), close(s[1]);
}

/* ---- local names ----------------------------------------------------------------------------- */

static socklen_t local(struct sockaddr_un *name, const char *path, int abstract) {
    *name = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(name->sun_path + abstract, path, strlen(path));
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (unsigned)abstract + strlen(path));
}

static void names(int type, int abstract, const char *what) {
    struct sockaddr_un name, from = {0};
    struct stat status;
    socklen_t length = local(&name, "sock-test", abstract), from_length = sizeof from;
    char bytes[32];
    printf("-- local names: %s\n", what);
    int a = socket(AF_UNIX, type, 0), b = socket(AF_UNIX, type, 0), c;
    show_poll("fresh", a);
    show("nobody", connect(b, (struct sockaddr *)&name, length));
    show("bind", bind(a, (struct sockaddr *)&name, length));
    show("bind twice", bind(a, (struct sockaddr *)&name, length));
    show("bind the same", bind(b, (struct sockaddr *)&name, length));
    if (!abstract) {
        show("stat", lstat("sock-test", &status));
        printf("type %o\n", status.st_mode & S_IFMT);
        show("open", open("sock-test", O_RDWR));
    }
    show("getsockname", getsockname(a, (struct sockaddr *)&from, &from_length));
    printf("%u bytes, %s\n", from_length, from.sun_path + abstract);
    if (type == SOCK_DGRAM) {
        show("sendto", sendto(b, "one", 3, 0, (struct sockaddr *)&name, length));
        show("not connected", send(b, "x", 1, 0));
        show("connect", connect(b, (struct sockaddr *)&name, length));
        show("send", send(b, "two", 3, 0));
        from_length = sizeof from;
        show("recvfrom", recvfrom(a, bytes, 2, 0, (struct sockaddr *)&from, &from_length));
        printf("from %u bytes\n", from_length);
        show("recvfrom", recv(a, bytes, sizeof bytes, 0));
        show("close", close(a));
        show("send", send(b, "x", 1, 0));
        show("send", send(b, "x", 1, 0));
    } else {
        show("refused", connect(b, (struct sockaddr *)&name, length));
        show("accept", accept(a, NULL, NULL));
        show("listen", listen(a, 1));
        show_poll("listening", a);
        show("connect", connect(b, (struct sockaddr *)&name, length));
        show("again", connect(b, (struct sockaddr *)&name, length));
        show_poll("one waits", a);
        show("write early", write(b, "early", 5));
        from_length = sizeof from;
        c = accept4(a, (struct sockaddr *)&from, &from_length, SOCK_CLOEXEC);
        show_ok("accept", c);
        printf("from %u bytes\n", from_length);
        show("read", read(c, bytes, sizeof bytes));
        from_length = sizeof from;
        show("recvfrom", (send(b, "z", 1, 0),
                          recvfrom(c, bytes, 9, 0, (struct sockaddr *)&from, &from_length)));
        printf("named by %u bytes\n", from_length);
        close(c);
        int d = socket(AF_UNIX, type | SOCK_NONBLOCK, 0),
            e = socket(AF_UNIX, type | SOCK_NONBLOCK, 0),
            f = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
        show("one", connect(d, (struct sockaddr *)&name, length));
        show("two", connect(e, (struct sockaddr *)&name, length));
        show("row full", connect(f, (struct sockaddr *)&name, length));
        show("listener goes", close(a));
        show_poll("who waited", d);
        show("read", read(d, bytes, 1));
        close(d), close(e), close(f);
        int wrong = socket(AF_UNIX, SOCK_DGRAM, 0);
        show("gone", connect(wrong, (struct sockaddr *)&name, length));
        close(wrong);
    }
    close(b);
    unlink("sock-test");
}

/* ---- the loopback ---------------------------------------------------------------------------- */

static socklen_t inet(struct sockaddr_storage *to, int family, const char *text, int port) {
    memset(to, 0, sizeof *to);
    to->ss_family = (sa_family_t)family;
    ((struct sockaddr_in *)to)->sin_port = htons((uint16_t)port);
    if (family == AF_INET) {
        inet_pton(family, text, &((struct sockaddr_in *)to)->sin_addr);
        return sizeof(struct sockaddr_in);
    }
    inet_pton(family, text, &((struct sockaddr_in6 *)to)->sin6_addr);
    return sizeof(struct sockaddr_in6);
}

static void print_name(const char *what, const struct sockaddr_storage *name, socklen_t length,
                       int port) {
    char text[64] = "";
    inet_ntop(name->ss_family,
              name->ss_family == AF_INET
                  ? (const void *)&((const struct sockaddr_in *)name)->sin_addr
                  : &((const struct sockaddr_in6 *)name)->sin6_addr,
              text, sizeof text);
    int has = ntohs(((const struct sockaddr_in *)name)->sin_port);
    printf("%s: family %d, %u bytes, %s, port %s\n", what, name->ss_family, length, text,
           has == port ? "that"
           : has       ? "another"
                       : "none");
}

#define PORT 47113

static void streams(int server, const char *at, int client, const char *to) {
    struct sockaddr_storage name, other;
    socklen_t length = inet(&name, server, at, PORT), olength = inet(&other, client, to, PORT);
    char bytes[64];
    printf("-- %s at %s, %s to %s\n", server == AF_INET ? "v4" : "v6", at,
           client == AF_INET ? "v4" : "v6", to);
    int s = socket(server, SOCK_STREAM, 0), c = socket(client, SOCK_STREAM, 0), one = 1, n;
    show_poll("fresh", c);
    show("refused", connect(c, (struct sockaddr *)&other, olength));
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    show("bind", bind(s, (struct sockaddr *)&name, length));
    show("listen", listen(s, 5));
    close(c);
    c = socket(client, SOCK_STREAM, 0);
    if (connect(c, (struct sockaddr *)&other, olength) < 0) {
        show("connect", -1);
        close(s), close(c);
        return;
    }
    show("connect again", connect(c, (struct sockaddr *)&other, olength));
    struct sockaddr_storage from;
    socklen_t flength = sizeof from;
    int a = accept(s, (struct sockaddr *)&from, &flength);
    print_name("from", &from, flength, PORT);
    flength = sizeof from;
    getsockname(a, (struct sockaddr *)&from, &flength);
    print_name("here", &from, flength, PORT);
    flength = sizeof from;
    getpeername(c, (struct sockaddr *)&from, &flength);
    print_name("there", &from, flength, PORT);
    show("send", send(c, "hello", 5, 0));
    show("recv", recv(a, bytes, sizeof bytes, 0));
    show_poll("idle", a);
    show("half", shutdown(c, SHUT_WR));
    usleep(20000);
    show_poll("half, there", a);
    show_poll("half, here", c);
    show("end", recv(a, bytes, sizeof bytes, 0));
    show("answer", send(a, "answer", 6, 0));
    show("recv", recv(c, bytes, sizeof bytes, 0));
    show("close", close(a));
    usleep(20000);
    show_poll("closed", c);
    show("end", recv(c, bytes, sizeof bytes, 0));
    close(c);
    /* without waiting */
    c = socket(client, SOCK_STREAM | SOCK_NONBLOCK, 0);
    show("not waiting", connect(c, (struct sockaddr *)&other, olength));
    usleep(20000);
    show_poll("then", c);
    printf("error %d\n", option(c, SOL_SOCKET, SO_ERROR));
    show("once more", connect(c, (struct sockaddr *)&other, olength));
    show("and again", connect(c, (struct sockaddr *)&other, olength));
    a = accept(s, NULL, NULL);
    send(c, "unread", 6, 0);
    usleep(20000);
    ioctl(a, FIONREAD, &n);
    printf("waiting %d\n", n);
    close(a); /* with bytes unread: a reset */
    usleep(20000);
    show("reset", recv(c, bytes, sizeof bytes, 0));
    show("write", send(c, "x", 1, MSG_NOSIGNAL));
    close(c), close(s);
    c = socket(client, SOCK_STREAM | SOCK_NONBLOCK, 0);
    show("not waiting, refused", connect(c, (struct sockaddr *)&other, olength));
    usleep(20000);
    show_poll("then", c);
    printf("error %d\n", option(c, SOL_SOCKET, SO_ERROR));
    close(c);
}

static void datagrams(void) {
    struct sockaddr_storage name, from;
    socklen_t length = inet(&name, AF_INET, "127.0.0.1", PORT), flength = sizeof from;
    char bytes[64];
    printf("-- datagrams\n");
    int s = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0);
    show_poll("fresh", s);
    show("no goal", send(c, "x", 1, 0));
    show("nobody", sendto(c, "x", 1, 0, (struct sockaddr *)&name, length));
    show("connect", connect(c, (struct sockaddr *)&name, length));
    show("into the void", send(c, "x", 1, 0));
    usleep(20000);
    show("heard", send(c, "x", 1, 0));
    show("bind", bind(s, (struct sockaddr *)&name, length));
    int t = socket(AF_INET, SOCK_DGRAM, 0);
    show("bind the same", bind(t, (struct sockaddr *)&name, length));
    recv(c, bytes, 1, MSG_DONTWAIT);
    show("send", send(c, "one", 3, 0));
    show("send", send(c, "", 0, 0));
    usleep(20000);
    show("recvfrom", recvfrom(s, bytes, 2, MSG_TRUNC, (struct sockaddr *)&from, &flength));
    print_name("from", &from, flength, PORT);
    show("empty", recv(s, bytes, sizeof bytes, MSG_DONTWAIT));
    show("none", recv(s, bytes, sizeof bytes, MSG_DONTWAIT));
    show("answer", sendto(s, "back", 4, 0, (struct sockaddr *)&from, flength));
    show("recv", recv(c, bytes, sizeof bytes, 0));
    show("other's", sendto(t, "x", 1, 0, (struct sockaddr *)&from, flength));
    usleep(20000);
    show("not for us", recv(c, bytes, sizeof bytes, MSG_DONTWAIT));
    static char large[70000];
    show("too long", send(c, large, sizeof large, 0));
    show("listen", listen(s, 1));
    show("accept", accept(s, NULL, NULL));
    struct timeval time = {0, 30000};
    show("SO_RCVTIMEO", setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
    show("waited", recv(s, bytes, 1, 0));
    struct mmsghdr many[3] = {0};
    struct iovec vectors[3] = {{"a", 1}, {"bc", 2}, {"def", 3}};
    for (int i = 0; i < 3; i++)
        many[i].msg_hdr.msg_iov = &vectors[i], many[i].msg_hdr.msg_iovlen = 1;
    show("sendmmsg", sendmmsg(c, many, 3, 0));
    printf("%u %u %u\n", many[0].msg_len, many[1].msg_len, many[2].msg_len);
    char in[3][8];
    for (int i = 0; i < 3; i++)
        vectors[i] = (struct iovec){in[i], 8}, many[i].msg_len = 0;
    usleep(20000);
    show("recvmmsg", recvmmsg(s, many, 3, MSG_DONTWAIT, NULL));
    printf("%u %u %u\n", many[0].msg_len, many[1].msg_len, many[2].msg_len);
    close(s), close(c), close(t);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void options(void) {
    int tcp = socket(AF_INET, SOCK_STREAM, 0), six = socket(AF_INET6, SOCK_DGRAM, 0), one = 1;
    int here = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    printf("-- options\n");
    printf("type %d %d %d\n", option(tcp, SOL_SOCKET, SO_TYPE), option(six, SOL_SOCKET, SO_TYPE),
           option(here, SOL_SOCKET, SO_TYPE));
    printf("domain %d %d %d\n", option(tcp, SOL_SOCKET, SO_DOMAIN),
           option(six, SOL_SOCKET, SO_DOMAIN), option(here, SOL_SOCKET, SO_DOMAIN));
    printf("protocol %d %d %d\n", option(tcp, SOL_SOCKET, SO_PROTOCOL),
           option(six, SOL_SOCKET, SO_PROTOCOL), option(here, SOL_SOCKET, SO_PROTOCOL));
    printf("nodelay %d %d %d\n", option(tcp, IPPROTO_TCP, TCP_NODELAY),
           option(six, IPPROTO_TCP, TCP_NODELAY), option(here, IPPROTO_TCP, TCP_NODELAY));
    show("set", setsockopt(tcp, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
    printf("nodelay %d\n", option(tcp, IPPROTO_TCP, TCP_NODELAY));
    show("set", setsockopt(tcp, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one));
    printf("keepalive %d %d\n", option(tcp, SOL_SOCKET, SO_KEEPALIVE),
           option(six, SOL_SOCKET, SO_KEEPALIVE));
    printf("accepts %d, error %d\n", option(tcp, SOL_SOCKET, SO_ACCEPTCONN),
           option(tcp, SOL_SOCKET, SO_ERROR));
    printf("unknown %d %d\n", option(tcp, SOL_SOCKET, 9999), option(here, 77, 1));
    show("short", setsockopt(tcp, SOL_SOCKET, SO_KEEPALIVE, &one, 2));
    show("no pointer", setsockopt(tcp, SOL_SOCKET, SO_KEEPALIVE, NULL, 4));
    int four = 4096;
    show("SO_RCVBUF", setsockopt(tcp, SOL_SOCKET, SO_RCVBUF, &four, sizeof four));
    printf("%d\n", option(tcp, SOL_SOCKET, SO_RCVBUF));
    printf("v6only %d\n", option(six, IPPROTO_IPV6, IPV6_V6ONLY));
    close(tcp), close(six), close(here);
    printf("-- refused\n");
    show("family", socket(99, SOCK_STREAM, 0));
    show("type", socket(AF_UNIX, 9, 0));
    show("protocol", socket(AF_INET, SOCK_STREAM, 17));
    int s[2], p[2];
    show("pair", socketpair(AF_INET, SOCK_STREAM, 0, s));
    pipe(p);
    show("no socket", send(p[1], "x", 1, 0));
    show("no descriptor", send(1000, "x", 1, 0));
    close(p[0]), close(p[1]);
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    show("bad pointer", send(s[0], (void *)8, 10, 0));
    show("bad header", sendmsg(s[0], (void *)8, 0));
    show("listen", listen(s[0], 1));
    show("seek", lseek(s[0], 0, SEEK_SET));
    show("pread", pread(s[0], p, 1, 0));
    close(s[0]), close(s[1]);
}

static void *writer(void *fd) {
    for (int i = 0; i < 4; i++) {
        usleep(5000);
        write(*(int *)fd, "12345", 5);
    }
    return NULL;
}

static void waiting(void) {
    int s[2], status;
    char bytes[64];
    printf("-- waiting\n");
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    pthread_t thread;
    pthread_create(&thread, NULL, writer, &s[0]);
    show("all of it", recv(s[1], bytes, 20, MSG_WAITALL));
    pthread_join(thread, NULL);
    int e = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = 7}, got;
    epoll_ctl(e, EPOLL_CTL_ADD, s[1], &event);
    show("nothing", epoll_wait(e, &got, 1, 0));
    write(s[0], "x", 1);
    show("edge", epoll_wait(e, &got, 1, 1000));
    show("told", epoll_wait(e, &got, 1, 0));
    write(s[0], "y", 1);
    show("next", epoll_wait(e, &got, 1, 0));
    read(s[1], bytes, 64);
    if (fork() == 0) { /* the child sends much, and goes */
        static char much[500000];
        memset(much, 'm', sizeof much);
        _exit(write(s[0], much, sizeof much) == sizeof much ? 3 : 4);
    }
    close(s[0]);
    long total = 0, n;
    static char buffer[10000];
    while ((n = read(s[1], buffer, sizeof buffer)) > 0)
        total += n;
    wait(&status);
    printf("%ld bytes, then %ld; the child says %d\n", total, n, WEXITSTATUS(status));
    close(s[1]), close(e);
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    pairs(SOCK_STREAM, "stream");
    pairs(SOCK_SEQPACKET, "packets");
    fill();
    rights();
    names(SOCK_STREAM, 0, "stream, path");
    names(SOCK_STREAM, 1, "stream, abstract");
    names(SOCK_SEQPACKET, 0, "packets, path");
    names(SOCK_DGRAM, 0, "datagrams, path");
    names(SOCK_DGRAM, 1, "datagrams, abstract");
    streams(AF_INET, "127.0.0.1", AF_INET, "127.0.0.1");
    streams(AF_INET, "0.0.0.0", AF_INET, "127.0.0.2");
    streams(AF_INET6, "::", AF_INET6, "::1");
    streams(AF_INET6, "::", AF_INET, "127.0.0.1");
    streams(AF_INET, "127.0.0.1", AF_INET6, "::1");
    datagrams();
    options();
    waiting();
    return 0;
}
