/* proc_oom.c: a guest program: memory runs out at awkward places. It needs a machine of 16 MiB
 * without swap, so it is not for other Linuxes.
 *
 *   share    a child of vfork, in its parent's memory, uses it all up: both are killed
 *   asleep   the same two hold most memory and sleep: they are chosen while another one runs
 *   fork     a process forks again and again beside one that holds most of the memory
 *   exec     programs are started, with long arguments, while nothing is left
 *   copy     the kernel copies to a program (a pipe, clone's tid) while nothing is left
 *   files    after all that: pressure/memory and drop_caches
 *
 * Whatever the killer chooses: who is left goes on, and is told the truth of who died.
 */
#include "proc_test.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096ul
#define MIB  (1ul << 20)

static char *take(size_t nbytes) {
    char *at = mmap(NULL, nbytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    for (size_t i = 0; i < nbytes; i += PAGE)
        at[i] = (char)(i / PAGE);
    return at;
}

static void score(int adj) {
    char text[16];
    int fd = open("/proc/self/oom_score_adj", O_WRONLY);
    int length = snprintf(text, sizeof text, "%d", adj);
    EXPECT(write(fd, text, (size_t)length) == length);
    close(fd);
}

static int status_of(pid_t pid) {
    int status = -1;
    EXPECT(waitpid(pid, &status, 0) == pid);
    return status;
}

static int killed(int status) {
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* In a process of its own: vfork, and the child does this in our memory. */
static char child_stack[64 << 10] __attribute__((aligned(16)));

static int use_all_up(void *argument) {
    (void)argument;
    take(64 * MIB);
    return 0;
}

static int hold_and_sleep(void *argument) {
    struct timespec long_time = {100, 0};
    *(volatile int *)argument = take(9 * MIB) != NULL;
    nanosleep(&long_time, NULL);
    return 0;
}

static void share(void) {
    pid_t pid = fork();
    if (pid == 0) {
        clone(use_all_up, child_stack + sizeof child_stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
        _exit(0); /* never: we were in that memory too */
    }
    EXPECT(killed(status_of(pid)));
}

static void asleep(void) {
    volatile int *ready =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = fork();
    if (pid == 0) {
        score(500);
        clone(hold_and_sleep, child_stack + sizeof child_stack, CLONE_VM | CLONE_VFORK | SIGCHLD,
              (void *)ready);
        _exit(0);
    }
    while (!*ready)
        sched_yield();
    char *at = take(8 * MIB);
    EXPECT(at && at[5 * PAGE] == 5);
    EXPECT(killed(status_of(pid)));
    munmap(at, 8 * MIB);
    munmap((void *)ready, PAGE);
}

/* A process that holds much and may not be chosen, until its pipe is closed. */
static pid_t start_hog(size_t nbytes, int adj, int *until) {
    int fds[2], told[2];
    char byte;
    EXPECT(pipe(fds) == 0 && pipe(told) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[1]);
        score(adj);
        char *at = take(nbytes);
        write(told[1], "x", 1);
        read(fds[0], &byte, 1);
        _exit(at && at[9 * PAGE] == 9 ? 0 : 1);
    }
    close(fds[0]);
    close(told[1]);
    EXPECT(read(told[0], &byte, 1) == 1);
    close(told[0]);
    *until = fds[1];
    return pid;
}

static void end_hog(pid_t pid, int until) {
    close(until);
    EXPECT(status_of(pid) == 0);
}

static void fork_beside(void) {
    int until, refused = 0, dead = 0, good = 0;
    pid_t hog = start_hog(8 * MIB, -1000, &until);
    char *own = take(2 * MIB);
    for (int i = 0; i < 40; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            score(1000);
            for (size_t at = 0; at < 2 * MIB; at += PAGE)
                own[at]++;
            take((size_t)i * MIB / 4);
            _exit(own[7 * PAGE] == 8 ? 0 : 1);
        }
        if (pid < 0) {
            EXPECT(errno == ENOMEM || errno == EAGAIN);
            refused++;
            continue;
        }
        int status = status_of(pid);
        EXPECT(status == 0 || killed(status));
        dead += killed(status);
        good += status == 0;
        EXPECT(own[7 * PAGE] == 7);
    }
    EXPECT(good > 0 && dead > 0);
    munmap(own, 2 * MIB);
    end_hog(hog, until);
    (void)refused;
}

/* Arguments fill the new program's stack: its space is the worst one while it is being built. */
static void exec_without_memory(const char *self, size_t hold, int ways[3]) {
    enum { NARGS = 20, ARG_BYTES = 100000 };
    static char *arguments[NARGS + 3];
    static char text[ARG_BYTES + 1];
    int until;
    memset(text, 'a', ARG_BYTES);
    arguments[0] = (char *)self;
    arguments[1] = "nothing";
    for (int i = 0; i < NARGS; i++)
        arguments[2 + i] = text;
    pid_t hog = start_hog(hold, -1000, &until);
    pid_t pid = fork();
    if (pid == 0) {
        execv(self, arguments);
        _exit(errno == ENOMEM || errno == E2BIG ? 42 : 43);
    }
    if (pid < 0) {
        EXPECT(errno == ENOMEM || errno == EAGAIN);
        ways[0]++;
    } else {
        int status = status_of(pid);
        EXPECT(killed(status) || (WIFEXITED(status) && WEXITSTATUS(status) != 43));
        ways[killed(status) ? 1 : WEXITSTATUS(status) == 42 ? 0 : 2]++;
    }
    end_hog(hog, until);
}

static void copies(void) {
    int until, fds[2];
    pid_t hog = start_hog(11 * MIB, 0, &until);
    score(-1000);
    static char bytes[3 * MIB];
    EXPECT(pipe(fds) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        for (size_t done = 0; done < sizeof bytes; done += 65536)
            if (write(fds[1], bytes, 65536) != 65536)
                _exit(1);
        _exit(0);
    }
    close(fds[1]);
    size_t all = 0;
    for (ssize_t got; (got = read(fds[0], bytes + all % sizeof bytes, 65536)) > 0;)
        all += (size_t)got;
    EXPECT(all == sizeof bytes);
    close(fds[0]);
    EXPECT(pid < 0 || status_of(pid) == 0);
    close(until);
    int status = status_of(hog);
    EXPECT(status == 0 || killed(status));
}

/* What is said of a process stays when its program changes. */
static void score_stays(const char *self) {
    pid_t pid = fork();
    if (pid == 0) {
        score(300);
        execl(self, self, "score", NULL);
        _exit(1);
    }
    EXPECT(status_of(pid) == 0);
}

static int read_score(void) {
    char text[16] = {0};
    int fd = open("/proc/self/oom_score_adj", O_RDONLY);
    EXPECT(read(fd, text, sizeof text - 1) > 0);
    return atoi(text);
}

static long long pressure_us(void) {
    long long total[2] = {-1, -1};
    FILE *file = fopen("/proc/pressure/memory", "r");
    EXPECT(file &&
           fscanf(file, "some avg10=%*f avg60=%*f avg300=%*f total=%lld\n", &total[0]) == 1);
    EXPECT(file &&
           fscanf(file, "full avg10=%*f avg60=%*f avg300=%*f total=%lld\n", &total[1]) == 1);
    EXPECT(total[0] == total[1]);
    if (file)
        fclose(file);
    return total[0];
}

static int write_text(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_TRUNC), error = 0;
    EXPECT(fd >= 0);
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        error = errno;
    close(fd);
    return error;
}

/* What was waited for so far is told; the caches go when they are told to, and only then. */
static void kernel_files(void) {
    static const char *const wrong[] = {"0\n", "4", "-1", "x", "3x"};
    EXPECT(pressure_us() >= 0);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        EXPECT(write_text("/proc/sys/vm/drop_caches", wrong[i]) == EINVAL);
    EXPECT(write_text("/proc/sys/vm/drop_caches", "1") == 0);
    EXPECT(write_text("/proc/sys/vm/drop_caches", "3\n") == 0);
    long long dropped = -1;
    char line[128];
    FILE *file = fopen("/proc/vmstat", "r");
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "drop_pagecache %lld", &dropped);
    EXPECT(dropped == 2);
    if (file)
        fclose(file);
}

int main(int argc, char **argv) {
    if (argc > 1)
        return strcmp(argv[1], "score") == 0 && read_score() != 300;
    setvbuf(stdout, NULL, _IONBF, 0);
    score(-1000); /* the one that looks on; children say for themselves */
    pid_t pid = fork();
    if (pid == 0) {
        score(0);
        share();
        asleep();
        fork_beside();
        int ways[3] = {0};
        for (size_t hold = 8 * MIB; hold <= 14 * MIB; hold += MIB / 8)
            exec_without_memory(argv[0], hold, ways);
        printf("exec: %d refused, %d killed, %d ran\n", ways[0], ways[1], ways[2]);
        copies();
        kernel_files();
        score_stays(argv[0]);
        return report("oom");
    }
    return status_of(pid) != 0;
}
