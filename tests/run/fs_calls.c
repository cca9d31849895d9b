/* fs_calls.c: a program for the guest that makes the calls on files and says what each answered.
 *
 * fs_calls.sh runs it under quire and under qemu-riscv64, each in an empty directory, and compares
 * the two outputs. So nothing is printed that may differ between two Linuxes: no times, inode
 * numbers or addresses. One section a function; each cleans up after itself.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *what, long value) {
    if (value < 0)
        printf("%s: %s\n", what, strerrorname_np(errno));
    else
        printf("%s: %ld\n", what, value);
}
#define T(call) (errno = 0, say(#call, (long)(call)))
#define BAD     ((void *)8) /* never mapped */

static void put_file(const char *name, const char *text) {
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (write(fd, text, strlen(text)) < 0)
        perror(name);
    close(fd);
}

static void show_file(const char *name) {
    char bytes[200];
    int fd = open(name, O_RDONLY);
    ssize_t n = read(fd, bytes, sizeof bytes);
    printf("%s: %zd bytes: %.*s\n", name, n, n > 0 ? (int)n : 0, bytes);
    close(fd);
}

static void opening(void) {
    char long_name[300], path[5000];
    memset(long_name, 'x', 256);
    long_name[256] = 0;
    memset(path, '/', sizeof path - 1);
    path[sizeof path - 1] = 0;
    T(open("none", O_RDONLY));
    T(open("f", O_RDWR | O_CREAT | O_EXCL, 0640));
    T(open("f", O_RDWR | O_CREAT | O_EXCL, 0640));
    T(open("f/g", O_RDONLY));
    T(open("f/", O_RDONLY));
    T(open("g/", O_RDWR | O_CREAT, 0600));
    T(open(".", O_RDWR));
    T(open(".", O_RDONLY | O_CREAT, 0600));
    T(open("f", O_RDONLY | O_DIRECTORY));
    T(open(long_name, O_RDONLY));
    T(open(path, O_RDONLY));
    T(open("", O_RDONLY));
    T(open(BAD, O_RDONLY));
    T(openat(99, "f", O_RDONLY));
    T(openat(3, "f", O_RDONLY));
    T(close(3));
    T(close(3));
    T(open("/../../..", O_RDONLY | O_DIRECTORY));
    T(close(3));
    symlink("loop", "loop");
    symlink("f", "link");
    T(open("loop", O_RDONLY));
    T(open("link", O_RDONLY | O_NOFOLLOW));
    T(open("link", O_RDONLY));
    T(close(3));
    T(open("link", O_PATH | O_NOFOLLOW));
    T(read(3, path, 1));
    T(fcntl(3, F_GETFL) & O_PATH);
    T(close(3));
    T(unlink("link/"));
    T(unlink("link"));
    T(unlink("loop"));
    T(unlink("f"));
    T(unlink("f"));
    T(open(".", O_TMPFILE | O_RDWR, 0600));
    T(write(3, "abc", 3));
    T(pread(3, path, 10, 0));
    T(close(3));
}

static void reading(void) {
    char b[64] = {0};
    int fd = open("f", O_RDWR | O_CREAT, 0600), again = dup(fd);
    T(write(fd, "hello world", 11));
    T(lseek(again, 0, SEEK_CUR));
    T(lseek(fd, 6, SEEK_SET));
    T(read(again, b, 3));
    printf("%s\n", b);
    T(pread(fd, b, sizeof b, 9));
    T(pread(fd, b, sizeof b, 100));
    T(pwrite(fd, "W", 1, 6));
    T(lseek(fd, 0, SEEK_CUR));
    T(lseek(fd, -1, SEEK_SET));
    T(lseek(fd, 0, 77));
    T(lseek(fd, 4, SEEK_END));
    T(write(fd, "!", 1));
    T(lseek(fd, 0, SEEK_END));
    T(lseek(fd, 3, SEEK_DATA));
    T(lseek(fd, 3, SEEK_HOLE));
    T(lseek(fd, 99, SEEK_DATA));
    T(pread(fd, BAD, 4, 0));
    T(write(fd, BAD, 4));
    T(read(99, b, 1));
    T(read(fd, b, 0));
    struct iovec v[3] = {{b, 2}, {b + 10, 0}, {b + 20, 3}};
    T(preadv(fd, v, 3, 0));
    printf("%.2s %.3s\n", b, b + 20);
    T(readv(fd, v, -1));
    T(readv(fd, BAD, 1));
    v[1].iov_base = BAD, v[1].iov_len = 5;
    T(preadv(fd, v, 3, 0));
    T(pwritev(fd, v, 3, 1));
    v[0].iov_len = (size_t)-1;
    T(preadv(fd, v, 3, 0));
    T(fcntl(fd, F_SETFL, O_APPEND));
    T(lseek(fd, 0, SEEK_SET));
    T(write(fd, "END", 3));
    T(lseek(fd, 0, SEEK_CUR));
    T(ftruncate(fd, 5));
    T(truncate("f", 8));
    T(truncate("none", 8));
    T(ftruncate(fd, -1));
    T(posix_fallocate(fd, 0, 20));
    T(lseek(fd, 0, SEEK_END));
    close(fd), close(again);
    fd = open("f", O_RDONLY);
    T(write(fd, "x", 1));
    T(ftruncate(fd, 1));
    T(fsync(fd));
    close(fd);
    fd = open("f", O_WRONLY | O_TRUNC);
    T(read(fd, b, 1));
    T(lseek(fd, 0, SEEK_END));
    close(fd);
    fd = open(".", O_RDONLY);
    T(read(fd, b, 1));
    close(fd);
    unlink("f");
}

static void descriptors(void) {
    int fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    T(fcntl(fd, F_GETFD));
    T(dup(fd));
    T(fcntl(4, F_GETFD));
    T(fcntl(fd, F_DUPFD, 40));
    T(fcntl(fd, F_DUPFD_CLOEXEC, 40));
    T(fcntl(41, F_GETFD));
    T(fcntl(fd, F_DUPFD, -1));
    T(fcntl(fd, 12345));
    T(dup2(fd, 20));
    T(dup2(fd, fd));
    T(dup3(fd, fd, 0));
    T(dup3(fd, 21, 1));
    T(dup2(99, 5));
    T(dup2(fd, -1));
    T(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK));
    T(fcntl(fd, F_SETFL, O_NONBLOCK | O_RDONLY));
    T(fcntl(20, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK));
    T(ioctl(fd, FIONCLEX));
    T(fcntl(fd, F_GETFD));
    T(ioctl(fd, TCGETS, (char[64]){0}));
    T(isatty(fd));
    T(close_range(3, 60, 0));
    T(fcntl(20, F_GETFD));
    T(close_range(5, 4, 0));
    unlink("f");
}

static void show_stat(const char *name, int flags) {
    struct stat s;
    errno = 0;
    if (fstatat(AT_FDCWD, name, &s, flags) < 0)
        printf("stat %s: %s\n", name, strerrorname_np(errno));
    else
        printf("stat %s: mode %o links %u size %ld\n", name, s.st_mode, (unsigned)s.st_nlink,
               S_ISDIR(s.st_mode) ? 0L : (long)s.st_size);
}

static void names(void) {
    char b[100];
    umask(027);
    T(mkdir("d", 0777));
    T(mkdir("d", 0777));
    T(mkdir("d/e/", 0700));
    T(mkdir("x/y", 0700));
    show_stat("d", 0);
    put_file("d/f", "text");
    T(rmdir("d"));
    T(rmdir("d/f"));
    T(rmdir("d/e/."));
    T(unlink("d"));
    T(link("d/f", "d/g"));
    T(link("d/f", "d/g"));
    T(link("d", "d2"));
    show_stat("d/g", 0);
    T(symlink("../d/f", "d/s"));
    T(symlink("", "d/t"));
    T(readlink("d/s", b, sizeof b));
    T(readlink("d/s", b, 3));
    T(readlink("d/f", b, 3));
    T(readlink("d/s", b, 0));
    show_stat("d/s", 0);
    show_stat("d/s", AT_SYMLINK_NOFOLLOW);
    show_stat("d/f/", 0);
    show_stat("none", 0);
    T(rename("d/f", "d/h"));
    T(rename("d/f", "d/h"));
    T(rename("d", "d/e/d"));
    T(rename("d/h", "d/e"));
    T(rename("d/e", "d/h"));
    T(rename("d/.", "q"));
    T(renameat2(AT_FDCWD, "d/h", AT_FDCWD, "d/g", RENAME_NOREPLACE));
    T(renameat2(AT_FDCWD, "d/h", AT_FDCWD, "d/e", RENAME_EXCHANGE));
    show_stat("d/e", 0);
    T(renameat2(AT_FDCWD, "d/h", AT_FDCWD, "d/e", RENAME_EXCHANGE));
    T(chmod("d/h", 0604));
    show_stat("d/g", 0);
    T(chmod("none", 0));
    T(access("d/h", R_OK | W_OK));
    T(access("d/h", 99));
    T(access("d/none", F_OK));
    T(mknod("d/p", S_IFIFO | 0666, 0));
    show_stat("d/p", 0);
    struct timespec times[2] = {{1000, 5}, {2000, 6}};
    T(utimensat(AT_FDCWD, "d/h", times, 0));
    struct stat s;
    stat("d/h", &s);
    printf("%ld.%ld %ld.%ld\n", s.st_atim.tv_sec, s.st_atim.tv_nsec, s.st_mtim.tv_sec,
           s.st_mtim.tv_nsec);
    times[0].tv_nsec = UTIME_OMIT, times[1].tv_nsec = 2000000000;
    T(utimensat(AT_FDCWD, "d/h", times, 0));
    struct statx x;
    T(statx(AT_FDCWD, "d/h", 0, STATX_BASIC_STATS, &x));
    printf("statx mode %o size %llu mtime %lld\n", x.stx_mode, (unsigned long long)x.stx_size,
           (long long)x.stx_mtime.tv_sec);
    struct statfs fs;
    T(statfs("d", &fs));
    T(fs.f_bsize > 0 && fs.f_namelen == 255);
    T(unlink("d/p") | unlink("d/g") | unlink("d/h") | unlink("d/s") | rmdir("d/e") | rmdir("d"));
    printf("umask %o\n", umask(022));
}

static int by_name(const void *a, const void *b) {
    return strcmp(a, b);
}

static void directories(void) {
    char name[32], cwd[4096], found[64][32];
    mkdir("d", 0700);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "d/file-%d", i * 7919 % 100);
        put_file(name, "");
    }
    DIR *d = opendir("d");
    int n = 0;
    for (struct dirent *e; n < 64 && (e = readdir(d));)
        snprintf(found[n++], sizeof found[0], "%s", e->d_name);
    qsort(found, (size_t)n, sizeof found[0], by_name);
    for (int i = 0; i < n; i++)
        printf("%s%s", found[i], i + 1 < n ? " " : "\n");
    rewinddir(d);
    T(readdir(d) != NULL);
    closedir(d);
    T(getdents64(0, cwd, sizeof cwd) < 0);
    int fd = open("d", O_RDONLY | O_DIRECTORY);
    T(getdents64(fd, cwd, 1));
    T(fchdir(fd));
    T(access("file-0", F_OK));
    getcwd(cwd, sizeof cwd);
    printf("in %s\n", strrchr(cwd, '/'));
    T(getcwd(cwd, 2) != NULL);
    T(rename("../d", "../d9"));
    getcwd(cwd, sizeof cwd);
    printf("in %s\n", strrchr(cwd, '/'));
    T(chdir("file-0"));
    T(chdir("none"));
    T(chdir(".."));
    T(openat(fd, "file-0", O_RDONLY));
    close(fd + 1);
    T(unlinkat(fd, "file-0", 0));
    T(unlinkat(fd, "file-0", 0));
    T(fstatat(fd, "", &(struct stat){0}, AT_EMPTY_PATH));
    T(fstatat(fd, "", &(struct stat){0}, 0));
    close(fd);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "d9/file-%d", i);
        unlink(name);
    }
    T(rmdir("d9"));
}

static void nothing(int signal) {
    (void)signal;
}

static void pipes(void) {
    int p[2];
    char b[70000];
    memset(b, 'a', sizeof b);
    T(pipe2(p, O_NONBLOCK));
    T(pipe2(BAD, 0));
    T(read(p[0], b, 5));
    T(write(p[1], b, 65536));
    T(write(p[1], b, 1));
    T(read(p[0], b, 100));
    T(write(p[1], b, 4096));
    T(read(p[0], b, 3996));
    T(write(p[1], b, 4096));
    int count = 0;
    T(ioctl(p[0], FIONREAD, &count));
    T(count);
    T(lseek(p[0], 0, SEEK_SET));
    T(pread(p[0], b, 1, 0));
    T(write(p[0], b, 1));
    T(read(p[1], b, 1));
    T(fcntl(p[0], F_GETPIPE_SZ));
    close(p[1]);
    T(read(p[0], b, sizeof b));
    T(read(p[0], b, sizeof b));
    close(p[0]);
    signal(SIGPIPE, nothing);
    pipe(p);
    close(p[0]);
    T(write(p[1], "x", 1));
    close(p[1]);
    /* More than a pipe holds, through a child. */
    pipe(p);
    if (fork() == 0) {
        close(p[0]);
        for (int i = 0; i < 5; i++)
            if (write(p[1], b, sizeof b) != sizeof b)
                _exit(1);
        _exit(0);
    }
    close(p[1]);
    long total = 0;
    for (ssize_t n; (n = read(p[0], b, 1000)) > 0;)
        total += n;
    int status;
    wait(&status);
    printf("through a pipe: %ld, status %d\n", total, status);
    close(p[0]);
    T(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
    T(write(p[0], "ping", 4));
    T(read(p[1], b, 10));
    T(write(p[1], "pong!", 5));
    T(read(p[0], b, 10));
    close(p[1]);
    T(read(p[0], b, 10));
    close(p[0]);
    T(mkfifo("fifo", 0600));
    T(open("fifo", O_WRONLY | O_NONBLOCK));
    if (fork() == 0) {
        int fd = open("fifo", O_WRONLY);
        _exit(write(fd, "through a fifo\n", 15) != 15);
    }
    int fd = open("fifo", O_RDONLY);
    T(read(fd, b, 100));
    printf("%.14s\n", b);
    wait(&status);
    T(read(fd, b, 100));
    close(fd);
    unlink("fifo");
}

static void polling(void) {
    int p[2];
    char b[10];
    pipe(p);
    struct pollfd f[3] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}, {-1, POLLIN, 0}};
    T(poll(f, 3, 0));
    printf("%x %x %x\n", f[0].revents, f[1].revents, f[2].revents);
    T(poll(f, 1, 20));
    write(p[1], "x", 1);
    T(poll(f, 3, -1));
    printf("%x %x\n", f[0].revents, f[1].revents);
    f[2].fd = 77;
    T(poll(f, 3, -1));
    printf("%x\n", f[2].revents);
    fd_set r, w;
    FD_ZERO(&r);
    FD_ZERO(&w);
    FD_SET(p[0], &r), FD_SET(p[1], &w);
    T(select(p[1] + 1, &r, &w, NULL, NULL));
    T(FD_ISSET(p[0], &r) + 2 * FD_ISSET(p[1], &w));
    /* Linux looks no further than the table of files reaches, and how far it reaches depends on
       the parent: a descriptor above 77, once there, makes the answer the same everywhere. */
    T(dup2(p[0], 200));
    close(200);
    FD_SET(77, &r);
    T(select(78, &r, NULL, NULL, NULL));
    read(p[0], b, 1);
    FD_ZERO(&r);
    FD_SET(p[0], &r);
    struct timeval t = {0, 10000};
    T(select(p[0] + 1, &r, NULL, NULL, &t));
    T(FD_ISSET(p[0], &r));
    int e = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = {EPOLLIN, {.u64 = 42}}, out[4];
    T(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev));
    T(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev));
    T(epoll_ctl(e, EPOLL_CTL_ADD, e, &ev));
    T(epoll_ctl(e, EPOLL_CTL_DEL, p[1], &ev));
    T(epoll_wait(e, out, 4, 5));
    write(p[1], "y", 1);
    T(epoll_wait(e, out, 4, -1));
    printf("%x %lu\n", out[0].events, (unsigned long)out[0].data.u64);
    ev.events = EPOLLIN | EPOLLET;
    T(epoll_ctl(e, EPOLL_CTL_MOD, p[0], &ev));
    T(epoll_wait(e, out, 4, 0));
    T(epoll_wait(e, out, 4, 0));
    write(p[1], "z", 1);
    T(epoll_wait(e, out, 4, 0));
    ev.events = EPOLLIN | EPOLLONESHOT;
    T(epoll_ctl(e, EPOLL_CTL_MOD, p[0], &ev));
    T(epoll_wait(e, out, 4, 0));
    T(epoll_wait(e, out, 4, 0));
    close(p[1]);
    f[0].revents = 0;
    T(poll(f, 1, 0));
    printf("%x\n", f[0].revents);
    close(p[0]);
    T(epoll_wait(e, out, 4, 0));
    close(e);
}

static void events(void) {
    int p[2];
    int v = eventfd(3, EFD_NONBLOCK);
    unsigned long n = 5;
    T(write(v, &n, 8));
    T(read(v, &n, 8));
    T((long)n);
    T(read(v, &n, 8));
    T(read(v, &n, 7));
    close(v);
    /* a wait that a child ends */
    pipe(p);
    struct pollfd f = {p[0], POLLIN, 0};
    if (fork() == 0) {
        usleep(10000);
        _exit(write(p[1], "!", 1) != 1);
    }
    T(poll(&f, 1, -1));
    wait(NULL);
    close(p[0]), close(p[1]);
}

static void mapping(void) {
    char b[8] = {0};
    int fd = open("m", O_RDWR | O_CREAT, 0600);
    ftruncate(fd, 10000);
    char *m = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *q = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    T(m[5000]);
    m[5000] = 'a';
    T(pread(fd, b, 1, 5000));
    printf("read sees %c, private sees %c\n", b[0], q[5000]);
    q[5000] = 'p';
    T(pwrite(fd, "bc", 2, 4095));
    printf("map sees %c%c, private %c\n", m[4095], m[4096], q[5000]);
    m[5001] = 'd';
    T(ftruncate(fd, 4096));
    T(ftruncate(fd, 10000));
    printf("after truncate: %d %d %c\n", m[5000], m[4096], m[4095]);
    m[9999] = 'z';
    T(munmap(m, 10000));
    T(pread(fd, b, 1, 9999));
    printf("after munmap: %c\n", b[0]);
    close(fd);
    T(q[9999]);
    munmap(q, 10000);
    unlink("m");
    fd = memfd_create("name", MFD_CLOEXEC);
    T(ftruncate(fd, 4096));
    m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    strcpy(m, "memory");
    if (fork() == 0) {
        m[0] = 'M';
        _exit(0);
    }
    wait(NULL);
    T(pread(fd, b, 6, 0));
    printf("%.6s\n", b);
    close(fd);
    munmap(m, 4096);
}

static void locks(void) {
    int fd = open("l", O_RDWR | O_CREAT, 0600), other = open("l", O_RDWR);
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10};
    T(fcntl(fd, F_SETLK, &l));
    fflush(stdout);
    if (fork() == 0) {
        struct flock mine = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 15, .l_len = 1};
        T(fcntl(fd, F_SETLK, &mine));
        mine.l_start = 0, mine.l_len = 0;
        T(fcntl(fd, F_GETLK, &mine));
        printf("type %d start %ld length %ld parent %d\n", mine.l_type, (long)mine.l_start,
               (long)mine.l_len, mine.l_pid == getppid());
        fflush(stdout);
        mine.l_type = F_WRLCK, mine.l_start = 30, mine.l_len = 5;
        T(fcntl(fd, F_SETLKW, &mine));
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
    T(flock(fd, LOCK_EX));
    T(flock(other, LOCK_SH | LOCK_NB));
    T(flock(fd, LOCK_UN));
    T(flock(other, LOCK_SH | LOCK_NB));
    close(fd), close(other);
    unlink("l");
}

static void copying(void) {
    put_file("from", "0123456789");
    int in = open("from", O_RDONLY), out = open("to", O_RDWR | O_CREAT, 0600);
    off_t at = 3;
    T(sendfile(out, in, &at, 4));
    T((long)at);
    T(lseek(in, 0, SEEK_CUR));
    T(sendfile(out, in, NULL, 2));
    T(copy_file_range(in, NULL, out, NULL, 100, 0));
    T(sendfile(in, out, NULL, 2));
    show_file("to");
    close(in), close(out);
    unlink("from"), unlink("to");
}

static void devices(void) {
    char b[16] = "xxxxxxxx";
    int fd = open("/dev/null", O_RDWR);
    T(write(fd, b, 8));
    T(read(fd, b, 8));
    close(fd);
    fd = open("/dev/zero", O_RDONLY);
    T(read(fd, b, 8));
    T(b[7]);
    close(fd);
    fd = open("/dev/full", O_WRONLY);
    T(write(fd, b, 8));
    close(fd);
    T(access("/proc/self/stat", R_OK));
    T(readlink("/proc/self/fd/99", b, sizeof b));
    fd = open("f", O_RDWR | O_CREAT, 0600);
    snprintf(b, sizeof b, "/dev/fd/%d", fd);
    write(fd, "text", 4);
    int again = open(b, O_RDONLY);
    T(read(again, b, 8));
    close(fd), close(again);
    unlink("f");
}

int main(void) {
    opening();
    reading();
    descriptors();
    names();
    directories();
    fflush(stdout);
    pipes();
    fflush(stdout);
    polling();
    events();
    fflush(stdout);
    mapping();
    fflush(stdout);
    locks();
    copying();
    devices();
    return 0;
}
