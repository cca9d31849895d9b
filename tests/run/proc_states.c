/* proc_states.c: a guest program: processes in each state, orphans, and a process swapped out as a
 * whole. The states are those of the host's Linux too; the rest is asked of the machine only.
 *
 *   states           R S D T Z, as /proc/PID/stat says it, and what brings them back
 *   orphans          are adopted by process 1, or by whom Linux chose; zombies of theirs go
 *   machine          swapped out by /proc/PID/reclaim, in by process_madvise; nothing is lost
 */
#include "proc_test.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB                 (1ul << 20)
#define SYS_PROCESS_MADVISE 440
#define ADVICE_WILLNEED     3
#define ADVICE_PAGEOUT      21
#define AREAS_MAX           64

static char state_of(pid_t pid) {
    char path[64], line[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY);
    if (fd < 0 || read(fd, line, sizeof line - 1) <= 0)
        return '-';
    close(fd);
    char *end = strrchr(line, ')');
    return end ? end[2] : '?';
}

/* It comes to that state; who never does hangs here, and the test's time-out says so. */
static void await_state(const char *what, pid_t pid, char wanted) {
    while (state_of(pid) != wanted)
        sched_yield();
    printf("%s: %c\n", what, wanted);
}

static int fork_vfork(void *end) {
    (void)end;
    if (vfork() == 0) {
        pause(); /* the parent cannot go on before this one has ended */
        _exit(0);
    }
    _exit(0);
}

static void states(void) {
    int status;
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    await_state("asleep", pid, 'S');
    kill(pid, SIGSTOP);
    await_state("stopped", pid, 'T');
    kill(pid, SIGCONT);
    await_state("continued", pid, 'S');
    kill(pid, SIGKILL);
    await_state("killed, not waited for", pid, 'Z');
    EXPECT(kill(pid, 0) == 0); /* a zombie is there, and dies no more */
    EXPECT(kill(pid, SIGTERM) == 0 && state_of(pid) == 'Z');
    EXPECT(waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGKILL);
    printf("waited for: %c\n", state_of(pid));
    printf("itself: %c\n", state_of(getpid()));
    pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        fork_vfork(NULL);
    }
    setpgid(pid, pid);
    await_state("in vfork", pid, 'D');
    kill(-pid, SIGKILL);
    EXPECT(waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGKILL);
}

static void orphans(void) {
    int up[2], down[2];
    pid_t parents[2] = {0};
    char byte;
    EXPECT(pipe(up) == 0 && pipe(down) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (fork() == 0) {
            close(down[1]);
            parents[0] = getppid();
            EXPECT(read(down[0], &byte, 1) == 0); /* until the parent is gone and waited for */
            parents[1] = getppid();
            _exit(write(up[1], parents, sizeof parents) != sizeof parents);
        }
        _exit(0);
    }
    EXPECT(waitpid(pid, NULL, 0) == pid);
    close(down[1]);
    close(up[1]);
    EXPECT(read(up[0], parents, sizeof parents) == sizeof parents);
    EXPECT(parents[0] == pid || parents[0] == parents[1]); /* it may have ended before */
    EXPECT(parents[1] != pid && parents[1] > 0);
    printf("orphan: adopted\n");
}

/* ---- swapped out as a whole ------------------------------------------------------------------ */

static long field(pid_t pid, const char *name) {
    char path[64], line[256];
    long value = -1;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, name, strlen(name)) == 0)
            value = atol(line + strlen(name));
    if (file)
        fclose(file);
    return value;
}

static int areas_of(pid_t pid, struct iovec areas[AREAS_MAX]) {
    char path[64], line[512];
    int count = 0;
    unsigned long start, end;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *file = fopen(path, "r");
    while (file && count < AREAS_MAX && fgets(line, sizeof line, file))
        if (sscanf(line, "%lx-%lx", &start, &end) == 2)
            areas[count++] = (struct iovec){(void *)start, end - start};
    if (file)
        fclose(file);
    return count;
}

static size_t total(const struct iovec *areas, int count) {
    size_t bytes = 0;
    for (int i = 0; i < count; i++)
        bytes += areas[i].iov_len;
    return bytes;
}

static void write_reclaim(pid_t pid, const char *word, int good) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/reclaim", (int)pid);
    int fd = open(path, O_WRONLY);
    EXPECT(fd >= 0);
    EXPECT((write(fd, word, strlen(word)) == (ssize_t)strlen(word)) == good);
    close(fd);
}

static void hold(size_t bytes, int ready, int go) {
    char byte = 1;
    unsigned char *at =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < bytes; i++)
        at[i] = (unsigned char)(i * 31 >> 7);
    if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 1)
        _exit(2);
    for (size_t i = 0; i < bytes; i++)
        if (at[i] != (unsigned char)(i * 31 >> 7))
            _exit(3);
    _exit(0);
}

static void swapped_out(void) {
    int ready[2], go[2], status;
    char byte = 1;
    struct iovec areas[AREAS_MAX];
    EXPECT(pipe(ready) == 0 && pipe(go) == 0);
    pid_t pid = fork();
    if (pid == 0)
        hold(4 * MIB, ready[1], go[0]);
    EXPECT(read(ready[0], &byte, 1) == 1);
    EXPECT(field(pid, "RssAnon:") >= 4096 && field(pid, "VmSwap:") == 0);
    write_reclaim(pid, "everything", 0);
    EXPECT(field(pid, "VmSwap:") == 0);
    write_reclaim(pid, "all\n", 1);
    EXPECT(field(pid, "VmSwap:") >= 4096 && field(pid, "RssAnon:") < 256);
    EXPECT(state_of(pid) == 'S'); /* it sleeps, and knows nothing of it */
    int fd = (int)syscall(SYS_pidfd_open, pid, 0), count = areas_of(pid, areas);
    long done = syscall(SYS_PROCESS_MADVISE, fd, areas, count, ADVICE_WILLNEED, 0);
    EXPECT(done == (long)total(areas, count));
    EXPECT(field(pid, "VmSwap:") == 0 && field(pid, "RssAnon:") >= 4000);
    done = syscall(SYS_PROCESS_MADVISE, fd, areas, count, ADVICE_PAGEOUT, 0);
    EXPECT(done == (long)total(areas, count) && field(pid, "VmSwap:") >= 4096);
    EXPECT(syscall(SYS_PROCESS_MADVISE, fd, areas, count, MADV_DONTNEED, 0) == -1 &&
           errno == EINVAL);
    EXPECT(syscall(SYS_PROCESS_MADVISE, fd, areas, count, ADVICE_PAGEOUT, 1) == -1 &&
           errno == EINVAL);
    EXPECT(syscall(SYS_PROCESS_MADVISE, 0, areas, count, ADVICE_PAGEOUT, 0) == -1 &&
           errno == EBADF);
    EXPECT(syscall(SYS_PROCESS_MADVISE, fd, 8, 1, ADVICE_PAGEOUT, 0) == -1 && errno == EFAULT);
    EXPECT(write(go[1], &byte, 1) == 1);
    EXPECT(waitpid(pid, &status, 0) == pid && status == 0);
    EXPECT(syscall(SYS_PROCESS_MADVISE, fd, areas, count, ADVICE_PAGEOUT, 0) == -1 &&
           errno == ESRCH);
    close(fd);
}

/* It writes about itself: what it is just now at work with comes back at once. */
static void swaps_itself_out(void) {
    static unsigned char bytes[MIB];
    memset(bytes, 7, sizeof bytes);
    write_reclaim(getpid(), "all", 1);
    EXPECT(field(getpid(), "VmSwap:") >= 900);
    for (size_t i = 0; i < sizeof bytes; i++)
        if (bytes[i] != 7) {
            EXPECT(bytes[i] == 7);
            break;
        }
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IONBF, 0);
    states();
    orphans();
    if (argc > 1 && strcmp(argv[1], "machine") == 0) {
        EXPECT(getpid() == 1);
        swapped_out();
        swaps_itself_out();
    }
    return report("states");
}
