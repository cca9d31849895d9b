/* fs_hostile.c: a program for the guest that makes the calls on files with arguments of every bad
 * kind.
 *
 *     fs_hostile SEED CALLS
 *
 * Descriptors, pointers, lengths and flags are drawn from values that are likely to break a kernel:
 * edges of pages, of the address space and of integers, next to some that are right. What the calls
 * answer does not matter; the kernel must live, and the program as well. The last line says so.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint64_t seed;
static char *page; /* one page, the next is not there */

static uint64_t draw(void) { /* xorshift64, Marsaglia 2003 */
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

/* Calls that may wait for ever (read, flock) or that end the program are not among them. */
static const int calls[] = {
    SYS_openat,
    SYS_openat2,
    SYS_close,
    SYS_close_range,
    SYS_dup,
    SYS_dup3,
    SYS_fcntl,
    SYS_write,
    SYS_writev,
    SYS_pread64,
    SYS_pwrite64,
    SYS_preadv,
    SYS_pwritev,
    SYS_lseek,
    SYS_sendfile,
    SYS_copy_file_range,
    SYS_ftruncate,
    SYS_truncate,
    SYS_fallocate,
    SYS_fsync,
    SYS_fadvise64,
    SYS_newfstatat,
    SYS_fstat,
    SYS_statx,
    SYS_statfs,
    SYS_fstatfs,
    SYS_faccessat,
    SYS_readlinkat,
    SYS_getdents64,
    SYS_getcwd,
    SYS_chdir,
    SYS_fchdir,
    SYS_umask,
    SYS_mkdirat,
    SYS_unlinkat,
    SYS_renameat2,
    SYS_linkat,
    SYS_symlinkat,
    SYS_mknodat,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_utimensat,
    SYS_pipe2,
    SYS_ioctl,
    SYS_memfd_create,
    SYS_eventfd2,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_socketpair,
    SYS_socket,
    SYS_bind,
    SYS_listen,
    SYS_accept4,
    SYS_connect,
    SYS_shutdown,
    SYS_sendto,
    SYS_sendmsg,
    SYS_sendmmsg,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_recvmmsg,
    SYS_getsockopt,
    SYS_setsockopt,
    SYS_getxattr,
    SYS_mmap,
    SYS_llistxattr,
    SYS_fsetxattr,
    SYS_fdatasync,
    SYS_getsockname,
    SYS_getpeername,
    SYS_timerfd_create,
    SYS_timerfd_settime,
    SYS_timerfd_gettime,
};

static const char *const paths[] = {
    "a",
    "b/c",
    "b",
    "../x",
    "",
    "/",
    ".",
    "..",
    "a/",
    "b/../a",
    "/proc/self/maps",
    "/dev/full",
    "/proc/self/fd/3",
    "/proc/self/fd/4",
    "/proc/1/status",
    "/proc",
    "/dev/null",
    "b/l",
    "/dev/fd/5",
    "/proc/self/cwd/a",
    "/proc/self/task",
    "b/loop",
};

static uint64_t pointer(void) {
    static const uint64_t bad[] = {0,
                                   1,
                                   8,
                                   0xfff,
                                   0x800000000000, /* past the stack */
                                   0x3ffffffff000,
                                   UINT64_MAX,
                                   UINT64_MAX - 7,
                                   1ull << 63,
                                   0x4000000000,
                                   UINT32_MAX};
    switch (draw() % 4) {
    case 0:
        return bad[draw() % (sizeof bad / sizeof bad[0])];
    case 1: /* ends at the end of the mapping, or a little past it */
        return (uint64_t)(uintptr_t)page + 4096 - draw() % 40;
    case 2:
        for (unsigned i = 0; i < 16; i++)
            ((uint32_t *)(void *)page)[draw() % 1024] = (uint32_t)(draw() % 8);
        return (uint64_t)(uintptr_t)page + draw() % 512 * 8;
    default: {
        char *to = page + 1024 + draw() % 2 * 512;
        strcpy(to, paths[draw() % (sizeof paths / sizeof paths[0])]);
        return (uint64_t)(uintptr_t)to;
    }
    }
}

static uint64_t argument(void) {
    static const uint64_t numbers[] = {
        0,          1,    2,    3,      4,          8,          63,         64,        65,
        4095,       4096, 4097, 65536,  0x7fffffff, 0x80000000, UINT32_MAX, INT64_MAX, UINT64_MAX,
        1ull << 40, 1024, 1025, 0x1000, 0x100,      0x200,      0x400,      0x541b};
    switch (draw() % 4) {
    case 0:
        return draw() % 12; /* a descriptor, flags */
    case 1:
        return numbers[draw() % (sizeof numbers / sizeof numbers[0])];
    case 2:
        return draw() % 8 == 0 ? (uint64_t)AT_FDCWD : 1ull << draw() % 24;
    default:
        return pointer();
    }
}

int main(int argc, char **argv) {
    seed = argc > 1 ? strtoull(argv[1], NULL, 0) | 1 : 1;
    long count = argc > 2 ? atol(argv[2]) : 100000, good = 0;
    page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page + 4096, 4096);
    struct rlimit limit = {1 << 20, 1 << 20}; /* the host's disk has an end */
    setrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    int out = fcntl(1, F_DUPFD, 900), home = open(".", O_RDONLY | O_DIRECTORY);
    home = fcntl(home, F_DUPFD, 901);
    mkdir("b", 0700);
    symlink("../a", "b/l");
    symlink("loop", "b/loop");
    for (long i = 0; i < count; i++) {
        int call = calls[draw() % (sizeof calls / sizeof calls[0])];
        uint64_t a[6];
        for (unsigned j = 0; j < 6; j++)
            a[j] = argument();
        if (call == SYS_openat || call == SYS_mkdirat || call == SYS_newfstatat ||
            call == SYS_readlinkat || call == SYS_unlinkat || call == SYS_symlinkat) {
            a[0] = draw() % 4 ? (uint64_t)AT_FDCWD : a[0];
            a[1] = pointer();
        }
        if (call == SYS_openat)
            a[2] |= O_NONBLOCK; /* a named pipe would wait */
        if (call == SYS_pipe2 || call == SYS_socketpair)
            a[1] |= O_NONBLOCK;
        if (call == SYS_socket)
            a[0] = draw() % 12, a[1] = draw() % 6 | SOCK_NONBLOCK, a[2] = draw() % 2 * a[2];
        bool talks = call >= SYS_bind && call <= SYS_recvmsg;
        if (talks || call == SYS_accept4 || call == SYS_recvmmsg || call == SYS_sendmmsg)
            a[0] = 3 + draw() % 20;
        if (call == SYS_write || call == SYS_writev || call == SYS_sendfile || talks ||
            call == SYS_accept4 || call == SYS_recvmmsg || call == SYS_sendmmsg)
            fcntl((int)a[0], F_SETFL, O_NONBLOCK);
        if (call == SYS_fcntl && a[1] != 1 && a[1] != 3 && a[1] > 4 && a[1] != 6)
            continue;
        if (call == SYS_close_range && ((uint32_t)a[1] >= 900 || draw() % 50)) /* not `out` */
            continue;
        if (call == SYS_mmap)
            a[0] = 0, a[1] %= 65536, a[3] = draw() % 2 ? MAP_SHARED : MAP_PRIVATE;
        if (call == SYS_ftruncate || call == SYS_truncate || call == SYS_fallocate)
            a[1] %= 1 << 20, a[2] %= 1 << 20, a[3] %= 1 << 20;
        long result = syscall(call, a[0], a[1], a[2], a[3], a[4], a[5]);
        good += result >= 0;
        if (call == SYS_mmap && result > 0)
            munmap((void *)result, a[1]); /* not a byte more: page may be next */
        if (draw() % 512 == 0) {
            for (int fd = 12; fd < 64; fd++)
                close(fd);
            fchdir(home);
        }
    }
    dprintf(out, "survived %ld calls%s\n", count,
            good > count / 50 ? "" : ", but few did anything");
    return 0;
}
