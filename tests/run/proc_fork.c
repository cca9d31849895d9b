/* proc_fork.c: a guest program: fork, vfork, wait in all common forms, orphans, groups, stopping.
 */
#include "proc_test.h"

#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* A tree of processes, three a level, each adding its children's sums. */
static int tree(int depth) {
    int sum = 1;
    for (int i = 0; depth > 0 && i < 3; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(tree(depth - 1));
        int status;
        EXPECT(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
        sum += WEXITSTATUS(status);
    }
    return sum;
}

static void exits_and_signals(void) {
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(300); /* only the low byte is seen */
    EXPECT(wait(&status) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 44);
    pid = fork();
    if (pid == 0) {
        raise(SIGTERM);
        _exit(1);
    }
    EXPECT(wait(&status) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    EXPECT(wait(&status) == -1 && errno == ECHILD);
    EXPECT(waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD);
    EXPECT(waitpid(1 << 20, &status, 0) == -1 && errno == ECHILD);
    EXPECT(waitpid(-1, &status, 0x123450) == -1 && errno == EINVAL);
}

static void nohang_and_waitid(void) {
    int fds[2], status;
    siginfo_t info;
    EXPECT(pipe(fds) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        char c;
        close(fds[1]);
        _exit(read(fds[0], &c, 1) == 1 ? c : 99);
    }
    close(fds[0]);
    EXPECT(waitpid(pid, &status, WNOHANG) == 0);
    info.si_pid = 77;
    EXPECT(waitid(P_PID, pid, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0);
    EXPECT(write(fds[1], "\7", 1) == 1);
    EXPECT(waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0);
    EXPECT(info.si_pid == pid && info.si_status == 7 && info.si_code == CLD_EXITED);
    EXPECT(info.si_signo == SIGCHLD);
    EXPECT(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7);
    close(fds[1]);
}

static void memory_is_copied(void) {
    static int word = 5;
    int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status;
    EXPECT(shared != MAP_FAILED);
    pid_t pid = fork();
    if (pid == 0) {
        word = 6;
        *shared = 7;
        _exit(word);
    }
    EXPECT(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 6);
    EXPECT(word == 5 && *shared == 7);
    munmap(shared, 4096);
}

static void vfork_and_spawn(void) {
    volatile int word = 1;
    int status;
    pid_t pid = vfork();
    if (pid == 0) {
        word = 2; /* in the parent's memory, which sleeps */
        _exit(3);
    }
    EXPECT(word == 2);
    EXPECT(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 3);
    char *arguments[] = {"/proc/self/exe", "spawned", NULL};
    EXPECT(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ) == 0);
    EXPECT(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 42);
    EXPECT(posix_spawn(&pid, "/no/such/program", NULL, NULL, arguments, environ) == ENOENT);
}

/* The grandchild outlives the child; who adopts it is not ours to say outside, but not the child.
 */
static void orphans(void) {
    int fds[2], status;
    pid_t seen[2];
    EXPECT(pipe(fds) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        pid_t self = getpid();
        if (fork() == 0) {
            for (int i = 0; i < 1000 && getppid() == self; i++)
                usleep(1000);
            pid_t ids[2] = {getpid(), getppid()};
            _exit(write(fds[1], ids, sizeof ids) != sizeof ids);
        }
        _exit(0);
    }
    EXPECT(waitpid(pid, &status, 0) == pid && status == 0);
    EXPECT(read(fds[0], seen, sizeof seen) == sizeof seen);
    EXPECT(seen[1] != pid);
    close(fds[0]);
    close(fds[1]);
    if (getpid() == 1) /* it is ours now */
        EXPECT(wait(&status) == seen[0] && status == 0);
}

static void groups_and_stopping(void) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        setpgid(0, 0);
        for (;;)
            pause();
    }
    setpgid(pid, pid);
    EXPECT(getpgid(pid) == pid && getsid(pid) == getsid(0));
    if (getpgrp() != 1) /* -1 would be everybody */
        EXPECT(waitpid(-getpgrp(), &status, WNOHANG) == -1 && errno == ECHILD);
    EXPECT(kill(pid, SIGSTOP) == 0);
    EXPECT(waitpid(-pid, &status, WUNTRACED) == pid && WIFSTOPPED(status));
    EXPECT(WSTOPSIG(status) == SIGSTOP);
    EXPECT(waitpid(pid, &status, WNOHANG | WUNTRACED) == 0);
    EXPECT(kill(pid, SIGCONT) == 0);
    EXPECT(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
    EXPECT(kill(-pid, SIGKILL) == 0);
    EXPECT(waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGKILL);
    EXPECT(kill(pid, 0) == -1 && errno == ESRCH);
    EXPECT(setpgid(1 << 20, 0) == -1 && errno == ESRCH);
}

static void ignored_children(void) {
    signal(SIGCHLD, SIG_IGN);
    if (fork() == 0)
        _exit(0);
    EXPECT(wait(NULL) == -1 && errno == ECHILD); /* after all have gone */
    signal(SIGCHLD, SIG_DFL);
}

static void usage(void) {
    struct rusage usage;
    pid_t pid = fork();
    if (pid == 0) {
        volatile char *bytes = malloc(4 << 20);
        for (int i = 0; i < 4 << 20; i += 4096)
            bytes[i] = 1;
        _exit(0);
    }
    EXPECT(wait4(pid, NULL, 0, &usage) == pid);
    EXPECT(usage.ru_maxrss >= 4096 && usage.ru_minflt >= 1000);
    EXPECT(getrusage(RUSAGE_CHILDREN, &usage) == 0 && usage.ru_minflt >= 1000);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "spawned") == 0)
        return 42;
    EXPECT(tree(3) == 40);
    exits_and_signals();
    nohang_and_waitid();
    memory_is_copied();
    vfork_and_spawn();
    orphans();
    groups_and_stopping();
    ignored_children();
    usage();
    return report("fork");
}
