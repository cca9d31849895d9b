/* hostile.c: a guest program that does what it can to hurt the machine: every system call by number
 * with random arguments, fork bombs, memory bombs, storms of mappings, ways out of its root.
 *
 *   hostile SEED CALLS
 *
 * Process 1 makes children and outlives them: each makes random calls until it has made enough or
 * one of them is the end of it; what sleeps is killed after 200 ms of the machine's time. Files
 * outside the root hold the word "forbidden": whoever reads it, says so. That the machine is alive
 * and well at the end is the test; the file /result says how many calls there were.
 *
 * Children report through a page that they share with process 1, and random calls write into it
 * sooner or later: mmap fills the hole beside it, and the next read is longer than its buffer. So
 * it is made new for each child, and what cannot be true is not counted.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NUMBERS       512
#define CALLS_A_CHILD 400
#define PROCESSES_MAX 60
#define PAGE          4096

#define ESCAPED UINT64_C(0x7F4A7C159E3779B9) /* no random call writes that by chance */

static uint64_t state;
static uint8_t *scratch; /* two pages and a hole */
static volatile struct {
    long calls;
    uint64_t escaped; /* ESCAPED if so */
} * common;

static uint64_t draw(void) { /* splitmix64, Steele and others 2014 */
    uint64_t x = (state += UINT64_C(0x9E3779B97F4A7C15));
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

static const char *const paths[] = {
    "file",
    "dir",
    "dir/file",
    "../outside/secret",
    "../../outside/secret",
    "/../outside/secret",
    "up/secret",
    "absolute",
    "dir/up/secret",
    "/proc/self/root/../outside/secret",
    "/proc/1/cwd/../outside/secret",
    "/proc/self/fd/3/../outside/secret",
    "/dev/pts/ptmx",
    "/dev/fd/4",
    "/proc/self/mem",
    "/proc/self/maps",
    "/proc/1/environ",
    "/proc/sys/vm/drop_caches",
    "/dev/tty",
    "/proc/self/task/1/../../../../outside/secret",
    "loop",
    "",
    ".",
    "..",
    "socket",

    "/sys/kernel/mm",
    "/dev/shm/../../outside/secret",
    "fifo",
    "/dev/zero",
};

/* ---- arguments ------------------------------------------------------------------------------- */

static uint64_t pointer(void) {
    uint8_t *p = scratch;
    static const uint64_t odd[] = {
        0,         1,          PAGE - 1,          1ul << 47, (1ul << 47) - 8,
        1ul << 63, UINT64_MAX, UINT64_MAX - 4095, 1ul << 38, 0x10000};
    switch (draw() % 6) {
    case 0:
        return odd[draw() % (sizeof odd / sizeof odd[0])];
    case 1: /* runs into the hole */
        return (uint64_t)(uintptr_t)(p + 2 * PAGE - draw() % 200);
    case 2: /* pointers to pointers, lengths, small numbers */
        for (int i = 0; i < 24; i++)
            ((uint64_t *)(void *)p)[draw() % 256] =
                draw() % 3 ? draw() % 20 : (uint64_t)(uintptr_t)(p + draw() % (2 * PAGE));
        return (uint64_t)(uintptr_t)(p + draw() % 64 * 8);
    case 3:
        return draw() >> draw() % 64;
    default: {
        char *to = (char *)p + PAGE + draw() % 4 * 128;
        strcpy(to, paths[draw() % (sizeof paths / sizeof paths[0])]);
        return (uint64_t)(uintptr_t)to;
    }
    }
}

static uint64_t argument(void) {
    static const uint64_t numbers[] = {64,         4096,       65536,     0x7fffffff,
                                       0x80000000, UINT32_MAX, INT64_MAX, UINT64_MAX,
                                       1ul << 40,  1024,       0x22,      0x8000};
    switch (draw() % 5) {
    case 0:
        return draw() % 16; /* a descriptor, a small number */
    case 1:
        return numbers[draw() % (sizeof numbers / sizeof numbers[0])];
    case 2:
        return draw() % 6 == 0 ? (uint64_t)AT_FDCWD : 1ul << draw() % 32;
    default:
        return pointer();
    }
}

/* What would end the test and not the machine: signals to process 1, the clock run away by years.
 */
static int spared(uint64_t number, uint64_t *a) {
    switch (number) {
    case SYS_exit:
    case SYS_exit_group:
        return draw() % 50 != 0;
    case SYS_kill:
    case SYS_tkill:
    case SYS_rt_sigqueueinfo:
        return (int)a[0] == 1 || (int)a[0] == -1 || (int)a[0] == 0;
    case SYS_tgkill:
    case SYS_rt_tgsigqueueinfo:
        return (int)a[0] == 1 || (int)a[1] == 1;
    case SYS_pidfd_send_signal:
    case SYS_prlimit64: /* of process 1, too */
    case SYS_setpgid:
        return 1;
    case SYS_clone:
    case SYS_clone3:
        return draw() % 8 != 0;
    case SYS_ftruncate:
    case SYS_truncate:
    case SYS_fallocate:
        a[1] %= 1 << 20, a[2] %= 1 << 20, a[3] %= 1 << 20;
        return 0;
    default:
        return 0;
    }
}

/* Whoever has the word has been outside. */
static void look(const char *path) {
    char text[64] = {0};
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0 && read(fd, text, sizeof text - 1) > 0 && strstr(text, "forbidden"))
        common->escaped = ESCAPED;
    close(fd);
}

/* One in sixteen is any number; the others are of those that riscv64 has. */
static uint64_t number_of_call(void) {
    uint64_t number = draw() % NUMBERS;
    while (draw() % 16 != 0 && number > SYS_statx && (number < 424 || number > 462))
        number = draw() % NUMBERS;
    return number;
}

static void child_calls(void) {
    struct rlimit size = {1 << 20, 1 << 20}, memory = {64 << 20, 64 << 20};
    setrlimit(RLIMIT_FSIZE, &size);
    setrlimit(RLIMIT_AS, &memory);
    signal(SIGPIPE, draw() % 2 ? SIG_IGN : SIG_DFL);
    setpgid(0, 0);
    int fds[2];
    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds);
    pipe2(fds, O_NONBLOCK);
    open("/dev/ptmx", O_RDWR | O_NONBLOCK);
    open("dir", O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < CALLS_A_CHILD; i++) {
        uint64_t number = number_of_call(), a[6];
        for (int j = 0; j < 6; j++)
            a[j] = argument();
        if (spared(number, a))
            continue;
        common->calls++;
        long result = syscall((long)number, a[0], a[1], a[2], a[3], a[4], a[5]);
        if (result == -1 && errno == ENOSYS)
            common->calls--; /* nothing was tried */
        if ((number == SYS_clone || number == SYS_clone3) && result == 0)
            _exit(0);
    }
    for (unsigned i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (!strncmp(paths[i] + strlen(paths[i]) - 6, "secret", 6))
            look(paths[i]);
    _exit(0);
}

/* ---- storms ---------------------------------------------------------------------------------- */

static void bomb(int depth) {
    struct rlimit processes = {PROCESSES_MAX, PROCESSES_MAX};
    setrlimit(RLIMIT_NPROC, &processes);
    setpgid(0, 0);
    for (;;) {
        pid_t pid = fork();
        if (pid < 0)
            break;
        if (pid == 0)
            depth++;
        if (draw() % 3 == 0)
            memset(scratch, depth, 2 * PAGE);
    }
    for (;;)
        pause();
}

static void map_storm(void) {
    setpgid(0, 0);
    struct rlimit memory = {48 << 20, 48 << 20};
    setrlimit(RLIMIT_AS, &memory);
    uint8_t *where[64] = {0};
    size_t length[64] = {0};
    for (int i = 0; i < 3000; i++) {
        unsigned at = draw() % 64;
        size_t bytes = (1 + draw() % 64) * PAGE;
        if (where[at] && draw() % 2) {
            mprotect(where[at] + draw() % length[at] / PAGE * PAGE, PAGE, (int)(draw() % 8));
            mremap(where[at], length[at], bytes, 0) != MAP_FAILED ? length[at] = bytes : 0;
            continue;
        }
        if (where[at])
            munmap(where[at], length[at]);
        where[at] = mmap(NULL, bytes, (int)(draw() % 8) | PROT_WRITE | PROT_READ,
                         MAP_ANONYMOUS | (draw() % 2 ? MAP_SHARED : MAP_PRIVATE), -1, 0);
        length[at] = bytes;
        if (where[at] == MAP_FAILED)
            where[at] = NULL;
        else if (draw() % 2)
            where[at][draw() % bytes] = 1;
        if (where[at] && draw() % 8 == 0)
            madvise(where[at], bytes, (int)(draw() % 26));
    }
    _exit(0);
}

/* More memory than there is, in all kinds, in two processes, locked as far as that goes: the end is
 * the OOM killer's. */
static void memory_bomb(void) {
    setpgid(0, 0);
    int score = open("/proc/self/oom_score_adj", O_WRONLY);
    write(score, "1000", 4);
    fork();
    for (unsigned round = 0;; round++) {
        size_t bytes = (1 + draw() % 256) * PAGE;
        int fd = round % 4 == 1 ? memfd_create("bomb", 0) : -1;
        int id = round % 4 == 2 ? shmget(IPC_PRIVATE, bytes, 0600) : -1;
        if (fd >= 0)
            ftruncate(fd, (off_t)bytes);
        uint8_t *at = id >= 0 ? shmat(id, NULL, 0)
                              : mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                                     fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS, fd, 0);
        if (id >= 0)
            shmctl(id, IPC_RMID, NULL);
        if (at == MAP_FAILED)
            continue;
        if (round % 8 == 3)
            mlock(at, bytes);
        for (size_t i = 0; i < bytes; i += PAGE)
            memset(at + i, (int)(draw() % 256), PAGE / 2);
    }
}

/* Directories change places while others walk through them. */
static void swap_storm(void) {
    setpgid(0, 0);
    if (fork() == 0)
        for (;;) {
            look("swap/a/b/../../../outside/secret");
            look("swap/a/b/../../../../outside/secret");
        }
    for (int i = 0; i < 300; i++) {
        mkdir("swap", 0700), mkdir("swap/a", 0700), mkdir("swap/a/b", 0700);
        rename("swap/a/b", "moved");
        rename("moved", "swap/b");
        symlink("../../outside", "swap/a/b");
        unlink("swap/a/b"), rmdir("swap/b"), rmdir("swap/a");
        if (i % 16 == 0)
            sched_yield();
    }
    _exit(0);
}

/* ---- process 1 ------------------------------------------------------------------------------- */

static void run(void (*what)(void)) {
    pid_t pid = fork();
    if (pid == 0)
        what();
    if (pid < 0)
        return;
    struct timespec step = {0, 2000000};
    for (int i = 0; i < 100 && waitpid(pid, NULL, WNOHANG) != pid; i++)
        nanosleep(&step, NULL);
    for (int i = 0; i < 200; i++) { /* it, its group, and what is left of it in other groups */
        kill(-1, SIGKILL);
        kill(-1, SIGCONT);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        if (kill(-1, 0) < 0)
            return;
        nanosleep(&step, NULL);
    }
    printf("cannot get rid of a child\n");
    exit(1);
}

static void bomb_once(void) {
    bomb(0);
}

/* The turn of one child. True: it has been outside. */
static int turn(int round, long *calls) {
    common = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (common == MAP_FAILED)
        return 0;
    run(round % 40 == 7    ? bomb_once
        : round % 40 == 27 ? memory_bomb
        : round % 10 == 3  ? map_storm
        : round % 40 == 15 ? swap_storm
                           : child_calls);
    if (common->calls > 0 && common->calls <= CALLS_A_CHILD)
        *calls += common->calls;
    int escaped = common->escaped == ESCAPED;
    munmap((void *)common, PAGE);
    return escaped;
}

int main(int argc, char **argv) {
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    long wanted = argc > 2 ? atol(argv[2]) : 100000, calls = 0;
    int escapes = 0;
    scratch = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(scratch + 2 * PAGE, PAGE);
    mkdir("dir", 0700), symlink("../../outside", "dir/up"), symlink("../outside", "up");
    symlink("/outside/secret", "absolute"), symlink("loop", "loop");
    mkfifo("fifo", 0600);
    for (int round = 0; calls < wanted && round < wanted; round++) {
        state = seed * 1000003 + (uint64_t)round;
        escapes += turn(round, &calls);
    }
    chmod("/", 0700); /* where it is not root, it may have locked itself out */
    int result = open("/result", O_WRONLY | O_CREAT | O_EXCL, 0600);
    dprintf(result, "survived %s calls, escaped %d times\n", calls >= wanted ? "all" : "few",
            escapes);
    return escapes != 0 || calls < wanted;
}
