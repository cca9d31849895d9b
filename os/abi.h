/* abi.h: what a RISC-V program and Linux agree on: numbers and layouts, in our own words.
 *
 * The host may be another system or another processor, so none of its headers can be asked: each
 * number here is that of Linux on riscv64 (its "generic" interface, in which all newer machines
 * agree; registers and calls are as in the psABI). A structure that crosses the border
 * is written here field by field with fixed-size types and is little-endian, as every host that we
 * build on; its size is asserted. Names have the prefix OS_ and otherwise those of the
 * manual pages.
 */
#ifndef QUIRE_OS_ABI_H
#define QUIRE_OS_ABI_H

#include <stdint.h>

/* clang-format off */ /* tables of numbers: laid out by hand */

/* ---- errors: a call returns minus one of these ----------------------------------------------- */

enum os_errno {
    OS_EPERM = 1, OS_ENOENT = 2, OS_ESRCH = 3, OS_EINTR = 4, OS_EIO = 5, OS_ENXIO = 6,
    OS_E2BIG = 7, OS_ENOEXEC = 8, OS_EBADF = 9, OS_ECHILD = 10, OS_EAGAIN = 11, OS_ENOMEM = 12,
    OS_EACCES = 13, OS_EFAULT = 14, OS_ENOTBLK = 15, OS_EBUSY = 16, OS_EEXIST = 17,
    OS_EXDEV = 18, OS_ENODEV = 19, OS_ENOTDIR = 20, OS_EISDIR = 21, OS_EINVAL = 22,
    OS_ENFILE = 23, OS_EMFILE = 24, OS_ENOTTY = 25, OS_ETXTBSY = 26, OS_EFBIG = 27,
    OS_ENOSPC = 28, OS_ESPIPE = 29, OS_EROFS = 30, OS_EMLINK = 31, OS_EPIPE = 32, OS_EDOM = 33,
    OS_ERANGE = 34, OS_EDEADLK = 35, OS_ENAMETOOLONG = 36, OS_ENOLCK = 37, OS_ENOSYS = 38,
    OS_ENOTEMPTY = 39, OS_ELOOP = 40, OS_ENOMSG = 42, OS_EIDRM = 43, OS_ENODATA = 61,
    OS_ETIME = 62, OS_EPROTO = 71,
    OS_EBADMSG = 74, OS_EOVERFLOW = 75, OS_ELIBBAD = 80, OS_EILSEQ = 84, OS_ENOTSOCK = 88,
    OS_EDESTADDRREQ = 89, OS_EMSGSIZE = 90, OS_EPROTOTYPE = 91, OS_ENOPROTOOPT = 92,
    OS_EPROTONOSUPPORT = 93, OS_ESOCKTNOSUPPORT = 94, OS_EOPNOTSUPP = 95, OS_EPFNOSUPPORT = 96,
    OS_EAFNOSUPPORT = 97, OS_EADDRINUSE = 98, OS_EADDRNOTAVAIL = 99, OS_ENETDOWN = 100,
    OS_ENETUNREACH = 101, OS_ENETRESET = 102, OS_ECONNABORTED = 103, OS_ECONNRESET = 104,
    OS_ENOBUFS = 105, OS_EISCONN = 106, OS_ENOTCONN = 107,
    OS_ETOOMANYREFS = 109, OS_ETIMEDOUT = 110,
    OS_ECONNREFUSED = 111, OS_EHOSTDOWN = 112, OS_EHOSTUNREACH = 113, OS_EALREADY = 114,
    OS_EINPROGRESS = 115, OS_ESTALE = 116, OS_EDQUOT = 122, OS_ECANCELED = 125,
    OS_EOWNERDEAD = 130, OS_ENOTRECOVERABLE = 131,
};
#define OS_EWOULDBLOCK OS_EAGAIN
#define OS_ENOTSUP OS_EOPNOTSUPP
/* A return value of a call is an error from -4095 on. */
#define OS_ERRNO_MAX 4095

/* ---- the numbers of the calls (a7) ----------------------------------------------------------- */

enum os_syscall_number {
    OS_SYS_timerfd_create = 85, OS_SYS_timerfd_settime = 86, OS_SYS_timerfd_gettime = 87,
    OS_SYS_inotify_init1 = 26, OS_SYS_inotify_add_watch = 27, OS_SYS_inotify_rm_watch = 28,
    OS_SYS_signalfd4 = 74, OS_SYS_splice = 76, OS_SYS_sync_file_range = 84, OS_SYS_capget = 90,
    OS_SYS_capset = 91, OS_SYS_timer_create = 107, OS_SYS_timer_gettime = 108,
    OS_SYS_timer_getoverrun = 109, OS_SYS_timer_settime = 110, OS_SYS_timer_delete = 111,
    OS_SYS_sched_setparam = 118, OS_SYS_sched_rr_get_interval = 127, OS_SYS_setfsuid = 151,
    OS_SYS_setfsgid = 152, OS_SYS_sethostname = 161, OS_SYS_setdomainname = 162,
    OS_SYS_msgget = 186, OS_SYS_msgctl = 187, OS_SYS_msgrcv = 188, OS_SYS_msgsnd = 189,
    OS_SYS_semget = 190, OS_SYS_semctl = 191, OS_SYS_semtimedop = 192, OS_SYS_semop = 193,
    OS_SYS_rt_tgsigqueueinfo = 240, OS_SYS_syncfs = 267, OS_SYS_sched_setattr = 274,
    OS_SYS_sched_getattr = 275, OS_SYS_preadv2 = 286, OS_SYS_pwritev2 = 287,
    OS_SYS_pidfd_send_signal = 424, OS_SYS_pidfd_open = 434, OS_SYS_epoll_pwait2 = 441,
    OS_SYS_bind = 200, OS_SYS_listen = 201, OS_SYS_accept = 202, OS_SYS_connect = 203,
    OS_SYS_sendto = 206, OS_SYS_recvfrom = 207, OS_SYS_setsockopt = 208, OS_SYS_getsockopt = 209,
    OS_SYS_shutdown = 210, OS_SYS_sendmsg = 211, OS_SYS_recvmsg = 212, OS_SYS_accept4 = 242,
    OS_SYS_recvmmsg = 243, OS_SYS_sendmmsg = 269,
    OS_SYS_getsockname = 204, OS_SYS_getpeername = 205, OS_SYS_fchmodat2 = 452,
    OS_SYS_setxattr = 5, OS_SYS_lsetxattr = 6, OS_SYS_fsetxattr = 7, OS_SYS_llistxattr = 12,
    OS_SYS_flistxattr = 13, OS_SYS_removexattr = 14, OS_SYS_lremovexattr = 15,
    OS_SYS_fremovexattr = 16,
    OS_SYS_getxattr = 8, OS_SYS_lgetxattr = 9, OS_SYS_fgetxattr = 10, OS_SYS_listxattr = 11,
    OS_SYS_getcwd = 17, OS_SYS_eventfd2 = 19, OS_SYS_epoll_create1 = 20, OS_SYS_epoll_ctl = 21,
    OS_SYS_epoll_pwait = 22, OS_SYS_dup = 23, OS_SYS_dup3 = 24, OS_SYS_fcntl = 25,
    OS_SYS_ioctl = 29, OS_SYS_flock = 32, OS_SYS_mknodat = 33, OS_SYS_mkdirat = 34,
    OS_SYS_unlinkat = 35, OS_SYS_symlinkat = 36, OS_SYS_linkat = 37, OS_SYS_statfs = 43,
    OS_SYS_fstatfs = 44, OS_SYS_truncate = 45, OS_SYS_ftruncate = 46, OS_SYS_fallocate = 47,
    OS_SYS_faccessat = 48, OS_SYS_chdir = 49, OS_SYS_fchdir = 50, OS_SYS_fchmod = 52,
    OS_SYS_fchmodat = 53, OS_SYS_fchownat = 54, OS_SYS_fchown = 55, OS_SYS_openat = 56,
    OS_SYS_close = 57, OS_SYS_pipe2 = 59, OS_SYS_getdents64 = 61, OS_SYS_lseek = 62,
    OS_SYS_read = 63, OS_SYS_write = 64, OS_SYS_readv = 65, OS_SYS_writev = 66,
    OS_SYS_pread64 = 67, OS_SYS_pwrite64 = 68, OS_SYS_preadv = 69, OS_SYS_pwritev = 70,
    OS_SYS_sendfile = 71, OS_SYS_pselect6 = 72, OS_SYS_ppoll = 73, OS_SYS_readlinkat = 78,
    OS_SYS_newfstatat = 79, OS_SYS_fstat = 80, OS_SYS_sync = 81, OS_SYS_fsync = 82,
    OS_SYS_fdatasync = 83, OS_SYS_utimensat = 88, OS_SYS_personality = 92, OS_SYS_exit = 93,
    OS_SYS_exit_group = 94, OS_SYS_waitid = 95, OS_SYS_set_tid_address = 96, OS_SYS_futex = 98,
    OS_SYS_set_robust_list = 99, OS_SYS_get_robust_list = 100, OS_SYS_nanosleep = 101,
    OS_SYS_getitimer = 102, OS_SYS_setitimer = 103, OS_SYS_clock_settime = 112,
    OS_SYS_clock_gettime = 113, OS_SYS_clock_getres = 114, OS_SYS_clock_nanosleep = 115,
    OS_SYS_sched_setscheduler = 119, OS_SYS_sched_getscheduler = 120,
    OS_SYS_sched_getparam = 121, OS_SYS_sched_setaffinity = 122, OS_SYS_sched_getaffinity = 123,
    OS_SYS_sched_yield = 124, OS_SYS_sched_get_priority_max = 125,
    OS_SYS_sched_get_priority_min = 126, OS_SYS_kill = 129, OS_SYS_tkill = 130,
    OS_SYS_tgkill = 131, OS_SYS_sigaltstack = 132, OS_SYS_rt_sigsuspend = 133,
    OS_SYS_rt_sigaction = 134, OS_SYS_rt_sigprocmask = 135, OS_SYS_rt_sigpending = 136,
    OS_SYS_rt_sigtimedwait = 137, OS_SYS_rt_sigqueueinfo = 138, OS_SYS_rt_sigreturn = 139,
    OS_SYS_setpriority = 140, OS_SYS_getpriority = 141, OS_SYS_setregid = 143,
    OS_SYS_setgid = 144, OS_SYS_setreuid = 145, OS_SYS_setuid = 146, OS_SYS_setresuid = 147,
    OS_SYS_getresuid = 148, OS_SYS_setresgid = 149, OS_SYS_getresgid = 150, OS_SYS_times = 153,
    OS_SYS_setpgid = 154, OS_SYS_getpgid = 155, OS_SYS_getsid = 156, OS_SYS_setsid = 157,
    OS_SYS_getgroups = 158, OS_SYS_setgroups = 159, OS_SYS_uname = 160, OS_SYS_getrlimit = 163,
    OS_SYS_setrlimit = 164, OS_SYS_getrusage = 165, OS_SYS_umask = 166, OS_SYS_prctl = 167,
    OS_SYS_getcpu = 168, OS_SYS_gettimeofday = 169, OS_SYS_getpid = 172, OS_SYS_getppid = 173,
    OS_SYS_getuid = 174, OS_SYS_geteuid = 175, OS_SYS_getgid = 176, OS_SYS_getegid = 177,
    OS_SYS_gettid = 178, OS_SYS_sysinfo = 179, OS_SYS_shmget = 194, OS_SYS_shmctl = 195,
    OS_SYS_shmat = 196, OS_SYS_shmdt = 197, OS_SYS_socket = 198, OS_SYS_socketpair = 199,
    OS_SYS_readahead = 213, OS_SYS_brk = 214, OS_SYS_munmap = 215, OS_SYS_mremap = 216,
    OS_SYS_clone = 220, OS_SYS_execve = 221, OS_SYS_mmap = 222, OS_SYS_fadvise64 = 223,
    OS_SYS_swapon = 224, OS_SYS_swapoff = 225,
    OS_SYS_mprotect = 226, OS_SYS_msync = 227, OS_SYS_mlock = 228, OS_SYS_munlock = 229,
    OS_SYS_mlockall = 230, OS_SYS_munlockall = 231, OS_SYS_mincore = 232, OS_SYS_madvise = 233,
    OS_SYS_riscv_hwprobe = 258, OS_SYS_riscv_flush_icache = 259, OS_SYS_wait4 = 260,
    OS_SYS_prlimit64 = 261, OS_SYS_renameat2 = 276, OS_SYS_getrandom = 278,
    OS_SYS_memfd_create = 279, OS_SYS_membarrier = 283, OS_SYS_mlock2 = 284,
    OS_SYS_copy_file_range = 285, OS_SYS_statx = 291, OS_SYS_rseq = 293, OS_SYS_clone3 = 435,
    OS_SYS_process_madvise = 440,
    OS_SYS_close_range = 436, OS_SYS_openat2 = 437, OS_SYS_faccessat2 = 439,
};
#define OS_SYSCALL_LIMIT 512 /* every number that Linux uses today is below it */

/* ---- time ------------------------------------------------------------------------------------ */

struct os_timespec {
    int64_t seconds, nanoseconds;
};
struct os_timeval {
    int64_t seconds, microseconds;
};
#define OS_NS_PER_SECOND 1000000000u
#define OS_CLOCK_TICKS 100 /* AT_CLKTCK, times(), /proc/PID/stat */

enum os_clock {
    OS_CLOCK_REALTIME, OS_CLOCK_MONOTONIC, OS_CLOCK_PROCESS_CPUTIME_ID, OS_CLOCK_THREAD_CPUTIME_ID,
    OS_CLOCK_MONOTONIC_RAW, OS_CLOCK_REALTIME_COARSE, OS_CLOCK_MONOTONIC_COARSE, OS_CLOCK_BOOTTIME,
};
#define OS_TIMER_ABSTIME 1
/* utimensat: in the place of the nanoseconds. */
#define OS_UTIME_NOW 0x3fffffff
#define OS_UTIME_OMIT 0x3ffffffe

/* ---- files ----------------------------------------------------------------------------------- */

enum os_open_flags {
    OS_O_RDONLY = 0, OS_O_WRONLY = 1, OS_O_RDWR = 2, OS_O_ACCMODE = 3,
    OS_O_CREAT = 0x40, OS_O_EXCL = 0x80, OS_O_NOCTTY = 0x100, OS_O_TRUNC = 0x200,
    OS_O_APPEND = 0x400, OS_O_NONBLOCK = 0x800, OS_O_DSYNC = 0x1000, OS_O_ASYNC = 0x2000,
    OS_O_DIRECT = 0x4000, OS_O_LARGEFILE = 0x8000, OS_O_DIRECTORY = 0x10000,
    OS_O_NOFOLLOW = 0x20000, OS_O_NOATIME = 0x40000, OS_O_CLOEXEC = 0x80000,
    OS_O_SYNC = 0x101000, OS_O_PATH = 0x200000, OS_O_TMPFILE = 0x410000,
};

#define OS_AT_FDCWD (-100)
enum os_at_flags {
    OS_AT_SYMLINK_NOFOLLOW = 0x100,
    OS_AT_REMOVEDIR = 0x200, /* unlinkat */
    OS_AT_EACCESS = 0x200,   /* faccessat */
    OS_AT_SYMLINK_FOLLOW = 0x400,
    OS_AT_NO_AUTOMOUNT = 0x800,
    OS_AT_EMPTY_PATH = 0x1000,
};

enum os_mode {
    OS_S_IFMT = 0170000, OS_S_IFSOCK = 0140000, OS_S_IFLNK = 0120000, OS_S_IFREG = 0100000,
    OS_S_IFBLK = 0060000, OS_S_IFDIR = 0040000, OS_S_IFCHR = 0020000, OS_S_IFIFO = 0010000,
    OS_S_ISUID = 04000, OS_S_ISGID = 02000, OS_S_ISVTX = 01000,
};

enum os_seek { OS_SEEK_SET, OS_SEEK_CUR, OS_SEEK_END, OS_SEEK_DATA, OS_SEEK_HOLE };
enum os_access { OS_F_OK = 0, OS_X_OK = 1, OS_W_OK = 2, OS_R_OK = 4 };
enum os_file_type { OS_DT_UNKNOWN = 0, OS_DT_FIFO = 1, OS_DT_CHR = 2, OS_DT_DIR = 4, OS_DT_BLK = 6,
                    OS_DT_REG = 8, OS_DT_LNK = 10, OS_DT_SOCK = 12 };
#define OS_PATH_MAX 4096 /* with the final 0 */
#define OS_NAME_MAX 255
#define OS_IOV_MAX 1024
#define OS_RW_MAX 0x7ffff000u /* read and write move at most this much at once */

enum os_fcntl {
    OS_F_DUPFD = 0, OS_F_GETFD = 1, OS_F_SETFD = 2, OS_F_GETFL = 3, OS_F_SETFL = 4,
    OS_F_GETLK = 5, OS_F_SETLK = 6, OS_F_SETLKW = 7, OS_F_SETOWN = 8, OS_F_GETOWN = 9,
    OS_F_SETSIG = 10, OS_F_GETSIG = 11, OS_F_OFD_GETLK = 36, OS_F_OFD_SETLK = 37,
    OS_F_OFD_SETLKW = 38, OS_F_DUPFD_CLOEXEC = 1030, OS_F_SETPIPE_SZ = 1031,
    OS_F_GETPIPE_SZ = 1032, OS_F_ADD_SEALS = 1033, OS_F_GET_SEALS = 1034,
};
#define OS_FD_CLOEXEC 1
enum os_lock_type { OS_F_RDLCK, OS_F_WRLCK, OS_F_UNLCK };
enum os_flock { OS_LOCK_SH = 1, OS_LOCK_EX = 2, OS_LOCK_NB = 4, OS_LOCK_UN = 8 };
#define OS_CLOSE_RANGE_CLOEXEC 4
#define OS_RENAME_NOREPLACE 1
#define OS_RENAME_EXCHANGE 2
#define OS_FALLOC_FL_KEEP_SIZE 1
#define OS_FALLOC_FL_PUNCH_HOLE 2
#define OS_MFD_CLOEXEC 1
#define OS_MFD_ALLOW_SEALING 2
#define OS_EFD_SEMAPHORE 1 /* EFD_CLOEXEC and EFD_NONBLOCK are those of open */

struct os_flock_record {
    int16_t type, whence;
    int32_t pad0;
    int64_t start, length;
    int32_t pid, pad1;
};

struct os_stat {
    uint64_t device, inode;
    uint32_t mode, links, uid, gid;
    uint64_t special_device, pad0;
    int64_t size;
    int32_t block_size, pad1;
    int64_t blocks; /* of 512 bytes */
    struct os_timespec accessed, modified, changed;
    uint32_t unused[2];
};
_Static_assert(sizeof(struct os_stat) == 128, "struct stat of the generic interface");

struct os_statx_time {
    int64_t seconds;
    uint32_t nanoseconds;
    int32_t pad;
};
struct os_statx {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t links, uid, gid;
    uint16_t mode, pad0;
    uint64_t inode, size, blocks, attributes_mask;
    struct os_statx_time accessed, born, changed, modified;
    uint32_t special_major, special_minor, device_major, device_minor;
    uint64_t mount_id, spare[13];
};
_Static_assert(sizeof(struct os_statx) == 256, "struct statx");
#define OS_STATX_BASIC_STATS 0x7ff
#define OS_STATX_BTIME 0x800
#define OS_STATX_RESERVED 0x80000000u

struct os_statfs {
    int64_t type, block_size;
    uint64_t blocks, blocks_free, blocks_available, files, files_free;
    int32_t id[2];
    int64_t name_max, fragment_size, flags, spare[4];
};
_Static_assert(sizeof(struct os_statfs) == 120, "struct statfs of 64-bit machines");

/* One entry of getdents64; the name, ended by 0, follows, and then padding to 8 bytes. */
struct os_dirent {
    uint64_t inode;
    int64_t offset; /* a cookie: where the next entry is */
    uint16_t record_bytes;
    uint8_t type;
    char name[];
};
#define OS_DIRENT_NAME_OFFSET 19

struct os_iovec {
    uint64_t base, length;
};

struct os_open_how { /* openat2 */
    uint64_t flags, mode, resolve;
};

struct os_pollfd {
    int32_t fd;
    int16_t events, returned;
};
enum os_poll_events {
    OS_POLLIN = 1, OS_POLLPRI = 2, OS_POLLOUT = 4, OS_POLLERR = 8, OS_POLLHUP = 16,
    OS_POLLNVAL = 32,
    OS_POLLRDNORM = 64, OS_POLLRDBAND = 128, OS_POLLWRNORM = 256, OS_POLLWRBAND = 512,
    OS_POLLRDHUP = 0x2000,
};
#define OS_FD_SETSIZE 1024

struct os_epoll_event { /* not packed on riscv64 */
    uint32_t events, pad;
    uint64_t data;
};
enum os_epoll_operation { OS_EPOLL_CTL_ADD = 1, OS_EPOLL_CTL_DEL = 2, OS_EPOLL_CTL_MOD = 3 };
#define OS_EPOLLONESHOT (1u << 30)
#define OS_EPOLLET (1u << 31)

enum os_ioctl {
    OS_TCGETS = 0x5401, OS_TCSETS = 0x5402, OS_TCSETSW = 0x5403, OS_TCSETSF = 0x5404,
    OS_TCSBRK = 0x5409, OS_TCXONC = 0x540a, OS_TCFLSH = 0x540b, OS_TIOCSCTTY = 0x540e,
    OS_TIOCGPGRP = 0x540f, OS_TIOCSPGRP = 0x5410, OS_TIOCOUTQ = 0x5411, OS_TIOCGWINSZ = 0x5413,
    OS_TIOCSWINSZ = 0x5414, OS_FIONREAD = 0x541b, OS_FIONBIO = 0x5421, OS_TIOCNOTTY = 0x5422,
    OS_TIOCGPTPEER = 0x5441, OS_TIOCSPTLCK = 0x40045431,
    OS_TIOCGSID = 0x5429, OS_FIONCLEX = 0x5450, OS_FIOCLEX = 0x5451,
};
#define OS_TIOCGPTN   0x80045430u
#define OS_TIOCGPTLCK 0x80045439u
#define OS_NCCS 19
struct os_termios {
    uint32_t input_flags, output_flags, control_flags, local_flags;
    uint8_t line, control_characters[OS_NCCS];
};
_Static_assert(sizeof(struct os_termios) == 36, "struct termios of the kernel");
struct os_winsize {
    uint16_t rows, columns, x_pixels, y_pixels;
};

/* ---- memory ---------------------------------------------------------------------------------- */

enum os_prot { OS_PROT_READ = 1, OS_PROT_WRITE = 2, OS_PROT_EXEC = 4, OS_PROT_GROWSDOWN = 0x1000000,
               OS_PROT_GROWSUP = 0x2000000 };
enum os_map_flags {
    OS_MAP_SHARED = 1, OS_MAP_PRIVATE = 2, OS_MAP_SHARED_VALIDATE = 3, OS_MAP_TYPE = 0xf,
    OS_MAP_FIXED = 0x10, OS_MAP_ANONYMOUS = 0x20, OS_MAP_GROWSDOWN = 0x100,
    OS_MAP_DENYWRITE = 0x800, OS_MAP_EXECUTABLE = 0x1000, OS_MAP_LOCKED = 0x2000,
    OS_MAP_NORESERVE = 0x4000, OS_MAP_POPULATE = 0x8000, OS_MAP_NONBLOCK = 0x10000,
    OS_MAP_STACK = 0x20000, OS_MAP_HUGETLB = 0x40000, OS_MAP_SYNC = 0x80000,
    OS_MAP_FIXED_NOREPLACE = 0x100000,
};
enum os_mremap_flags { OS_MREMAP_MAYMOVE = 1, OS_MREMAP_FIXED = 2, OS_MREMAP_DONTUNMAP = 4 };
enum os_msync_flags { OS_MS_ASYNC = 1, OS_MS_INVALIDATE = 2, OS_MS_SYNC = 4 };
enum os_madvice {
    OS_MADV_NORMAL = 0, OS_MADV_RANDOM = 1, OS_MADV_SEQUENTIAL = 2, OS_MADV_WILLNEED = 3,
    OS_MADV_DONTNEED = 4, OS_MADV_FREE = 8, OS_MADV_REMOVE = 9, OS_MADV_DONTFORK = 10,
    OS_MADV_DOFORK = 11, OS_MADV_MERGEABLE = 12, OS_MADV_UNMERGEABLE = 13, OS_MADV_HUGEPAGE = 14,
    OS_MADV_NOHUGEPAGE = 15, OS_MADV_DONTDUMP = 16, OS_MADV_DODUMP = 17, OS_MADV_WIPEONFORK = 18,
    OS_MADV_KEEPONFORK = 19, OS_MADV_COLD = 20, OS_MADV_PAGEOUT = 21, OS_MADV_POPULATE_READ = 22,
    OS_MADV_POPULATE_WRITE = 23,
};

/* ---- System V shared memory ------------------------------------------------------------------ */

#define OS_IPC_PRIVATE 0
#define OS_IPC_64      0x100 /* old C libraries add it to commands */
enum os_ipc_flags { OS_IPC_CREAT = 01000, OS_IPC_EXCL = 02000, OS_SHM_HUGETLB = 04000 };
enum os_ipc_commands {
    OS_IPC_RMID = 0, OS_IPC_SET = 1, OS_IPC_STAT = 2, OS_IPC_INFO = 3, OS_SHM_LOCK = 11,
    OS_SHM_UNLOCK = 12, OS_SHM_STAT = 13, OS_SHM_INFO = 14, OS_SHM_STAT_ANY = 15,
};
enum os_shmat_flags {
    OS_SHM_RDONLY = 010000, OS_SHM_RND = 020000, OS_SHM_REMAP = 040000, OS_SHM_EXEC = 0100000,
};
#define OS_SHM_DEST   UINT32_C(01000) /* in a segment's mode: it goes with the last attachment */
#define OS_SHM_LOCKED UINT32_C(02000) /* and: its pages stay in RAM */

/* ---- processes ------------------------------------------------------------------------------- */

enum os_clone_flags {
    OS_CSIGNAL = 0xff, OS_CLONE_VM = 0x100, OS_CLONE_FS = 0x200, OS_CLONE_FILES = 0x400,
    OS_CLONE_SIGHAND = 0x800, OS_CLONE_PIDFD = 0x1000, OS_CLONE_PTRACE = 0x2000,
    OS_CLONE_VFORK = 0x4000,
    OS_CLONE_PARENT = 0x8000, OS_CLONE_THREAD = 0x10000, OS_CLONE_NEWNS = 0x20000,
    OS_CLONE_SYSVSEM = 0x40000, OS_CLONE_SETTLS = 0x80000, OS_CLONE_PARENT_SETTID = 0x100000,
    OS_CLONE_CHILD_CLEARTID = 0x200000, OS_CLONE_DETACHED = 0x400000,
    OS_CLONE_UNTRACED = 0x800000, OS_CLONE_CHILD_SETTID = 0x1000000,
    OS_CLONE_NEWANY = 0x7e020000, /* all the flags that make new namespaces */
};
enum os_wait_options {
    OS_WNOHANG = 1, OS_WUNTRACED = 2, OS_WSTOPPED = 2, OS_WEXITED = 4, OS_WCONTINUED = 8,
    OS_WNOWAIT = 0x1000000, OS_WNOTHREAD = 0x20000000, OS_WALL = 0x40000000,
    OS_WCLONE = (int)0x80000000,
};
enum os_wait_id { OS_P_ALL, OS_P_PID, OS_P_PGID, OS_P_PIDFD };

enum os_rlimit {
    OS_RLIMIT_CPU, OS_RLIMIT_FSIZE, OS_RLIMIT_DATA, OS_RLIMIT_STACK, OS_RLIMIT_CORE, OS_RLIMIT_RSS,
    OS_RLIMIT_NPROC, OS_RLIMIT_NOFILE, OS_RLIMIT_MEMLOCK, OS_RLIMIT_AS, OS_RLIMIT_LOCKS,
    OS_RLIMIT_SIGPENDING, OS_RLIMIT_MSGQUEUE, OS_RLIMIT_NICE, OS_RLIMIT_RTPRIO, OS_RLIMIT_RTTIME,
    OS_RLIMITS
};
#define OS_RLIM_INFINITY UINT64_MAX

struct os_rusage {
    struct os_timeval user, system;
    int64_t max_resident_kb, shared, data, stack, minor_faults, major_faults, swaps, blocks_in,
        blocks_out, messages_sent, messages_received, signals, voluntary, involuntary;
};
_Static_assert(sizeof(struct os_rusage) == 144, "struct rusage");

struct os_utsname {
    char system[65], node[65], release[65], version[65], machine[65], domain[65];
};

struct os_sysinfo {
    int64_t uptime;
    uint64_t loads[3], total_ram, free_ram, shared_ram, buffer_ram, total_swap, free_swap;
    uint16_t processes, pad0;
    uint32_t pad1;
    uint64_t total_high, free_high;
    uint32_t unit_bytes, pad2;
};
_Static_assert(sizeof(struct os_sysinfo) == 112, "struct sysinfo of 64-bit machines");

enum os_auxv_type {
    OS_AT_NULL = 0, OS_AT_PHDR = 3, OS_AT_PHENT = 4, OS_AT_PHNUM = 5, OS_AT_PAGESZ = 6,
    OS_AT_BASE = 7, OS_AT_FLAGS = 8, OS_AT_ENTRY = 9, OS_AT_UID = 11, OS_AT_EUID = 12,
    OS_AT_GID = 13, OS_AT_EGID = 14, OS_AT_PLATFORM = 15, OS_AT_HWCAP = 16, OS_AT_CLKTCK = 17,
    OS_AT_SECURE = 23, OS_AT_RANDOM = 25, OS_AT_EXECFN = 31, OS_AT_MINSIGSTKSZ = 51,
};
/* AT_HWCAP: one bit a letter of the ISA string. */
#define OS_HWCAP_IMAFDC ((1u << 8) | (1u << 12) | (1u << 0) | (1u << 5) | (1u << 3) | (1u << 2))

enum os_futex_operation {
    OS_FUTEX_WAIT = 0, OS_FUTEX_WAKE = 1, OS_FUTEX_REQUEUE = 3, OS_FUTEX_CMP_REQUEUE = 4,
    OS_FUTEX_WAKE_OP = 5, OS_FUTEX_LOCK_PI = 6, OS_FUTEX_UNLOCK_PI = 7, OS_FUTEX_TRYLOCK_PI = 8,
    OS_FUTEX_WAIT_BITSET = 9,
    OS_FUTEX_WAKE_BITSET = 10, OS_FUTEX_LOCK_PI2 = 13, OS_FUTEX_PRIVATE_FLAG = 128,
    OS_FUTEX_CLOCK_REALTIME = 256,
};

/* ---- signals --------------------------------------------------------------------------------- */

enum os_signal_number {
    OS_SIGHUP = 1, OS_SIGINT = 2, OS_SIGQUIT = 3, OS_SIGILL = 4, OS_SIGTRAP = 5, OS_SIGABRT = 6,
    OS_SIGBUS = 7, OS_SIGFPE = 8, OS_SIGKILL = 9, OS_SIGUSR1 = 10, OS_SIGSEGV = 11, OS_SIGUSR2 = 12,
    OS_SIGPIPE = 13, OS_SIGALRM = 14, OS_SIGTERM = 15, OS_SIGSTKFLT = 16, OS_SIGCHLD = 17,
    OS_SIGCONT = 18, OS_SIGSTOP = 19, OS_SIGTSTP = 20, OS_SIGTTIN = 21, OS_SIGTTOU = 22,
    OS_SIGURG = 23, OS_SIGXCPU = 24, OS_SIGXFSZ = 25, OS_SIGVTALRM = 26, OS_SIGPROF = 27,
    OS_SIGWINCH = 28, OS_SIGIO = 29, OS_SIGPWR = 30, OS_SIGSYS = 31, OS_SIGRTMIN = 32,
};
enum os_sigaction_flags {
    OS_SA_NOCLDSTOP = 1, OS_SA_NOCLDWAIT = 2, OS_SA_SIGINFO = 4, OS_SA_ONSTACK = 0x08000000,
    OS_SA_RESTART = 0x10000000, OS_SA_NODEFER = 0x40000000, OS_SA_RESETHAND = (int)0x80000000,
};
#define OS_SIG_DFL 0
#define OS_SIG_IGN 1
enum os_sigmask_how { OS_SIG_BLOCK, OS_SIG_UNBLOCK, OS_SIG_SETMASK };
enum os_sigcode { /* si_code, by signal */
    OS_SI_USER = 0, OS_SI_KERNEL = 0x80, OS_SI_QUEUE = -1, OS_SI_TIMER = -2, OS_SI_TKILL = -6,
    OS_SEGV_MAPERR = 1, OS_SEGV_ACCERR = 2, OS_BUS_ADRALN = 1, OS_BUS_ADRERR = 2,
    OS_ILL_ILLOPC = 1, OS_TRAP_BRKPT = 1,
    OS_CLD_EXITED = 1, OS_CLD_KILLED = 2, OS_CLD_DUMPED = 3, OS_CLD_STOPPED = 5,
    OS_CLD_CONTINUED = 6,
};
enum os_itimer { OS_ITIMER_REAL, OS_ITIMER_VIRTUAL, OS_ITIMER_PROF, OS_ITIMERS };
struct os_itimerval {
    struct os_timeval interval, value;
};

struct os_sigaction_record { /* of rt_sigaction on riscv64: it has no restorer */
    uint64_t handler, flags, mask;
};
struct os_stack_record { /* stack_t */
    uint64_t base;
    int32_t flags, pad;
    uint64_t bytes;
};
enum os_sigaltstack_flags { OS_SS_ONSTACK = 1, OS_SS_DISABLE = 2 };
#define OS_SS_AUTODISARM 0x80000000u
#define OS_MINSIGSTKSZ 2048

/* siginfo_t: 128 bytes; the union behind the first 16 is laid out by signal. */
struct os_siginfo {
    int32_t signo, error, code, pad0;
    union {
        struct {
            int32_t pid, uid;
            uint64_t value;
        } user; /* kill, sigqueue */
        struct {
            int32_t pid, uid, status, pad;
            int64_t user_ticks, system_ticks;
        } child;
        uint64_t address; /* SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP */
        uint8_t bytes[112];
    } is;
};
_Static_assert(sizeof(struct os_siginfo) == 128, "siginfo_t");

/* ucontext_t of riscv64: general registers (pc in the place of x0), then the floating-point state,
 * of which the largest form (quad precision) sets the size and alignment. */
struct os_ucontext {
    uint64_t flags, link;
    struct os_stack_record stack;
    uint64_t mask;
    uint8_t unused[120]; /* glibc's sigset_t is 1024 bits */
    uint64_t pad;        /* the machine context is aligned to 16 */
    uint64_t registers[32];
    uint64_t f[32];
    uint32_t fcsr;
    uint8_t reserved[268]; /* up to the 528 bytes of the quad form */
};
_Static_assert(sizeof(struct os_ucontext) == 176 + 256 + 528, "ucontext_t");

struct os_signal_frame {
    struct os_siginfo info;
    struct os_ucontext context;
};

/* clang-format on */

#endif
