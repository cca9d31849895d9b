/* proc_signal.c: a guest program: handlers, masks, frames, restarting, timers, alternate stacks. */
#include "proc_test.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile int count, last;
static volatile siginfo_t seen;
static sigjmp_buf escape;

static void on_signal(int signal_number) {
    count++;
    last = signal_number;
}

static void on_info(int signal_number, siginfo_t *info, void *context) {
    (void)context;
    count++;
    last = signal_number;
    memcpy((void *)&seen, info, sizeof *info);
}

static void on_fault(int signal_number, siginfo_t *info, void *context) {
    on_info(signal_number, info, context);
    siglongjmp(escape, 1);
}

static void install(int signal_number, void (*handler)(int, siginfo_t *, void *), int flags) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};
    EXPECT(sigaction(signal_number, &action, NULL) == 0);
}

static void handlers_and_masks(void) {
    sigset_t set, old, pending;
    install(SIGUSR1, on_info, 0);
    count = 0;
    EXPECT(kill(getpid(), SIGUSR1) == 0 && count == 1 && last == SIGUSR1);
    EXPECT(seen.si_code == SI_USER && seen.si_pid == getpid());
    EXPECT(raise(SIGUSR1) == 0 && count == 2 && seen.si_code == SI_TKILL);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    EXPECT(sigprocmask(SIG_BLOCK, &set, &old) == 0);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR1);
    EXPECT(count == 2);
    EXPECT(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) == 1);
    EXPECT(sigsuspend(&old) == -1 && errno == EINTR && count == 3); /* two became one */
    EXPECT(sigprocmask(SIG_SETMASK, &old, &set) == 0 && sigismember(&set, SIGUSR1) == 1);
    EXPECT(kill(1 << 20, 0) == -1 && errno == ESRCH);
    EXPECT(kill(getpid(), 65) == -1 && errno == EINVAL);
    struct sigaction action = {.sa_handler = on_signal};
    EXPECT(sigaction(SIGKILL, &action, NULL) == -1 && errno == EINVAL);
    signal(SIGUSR1, SIG_DFL);
}

/* A handler may not disturb what it interrupts, floating point least of all. */
static void on_tick(int signal_number) {
    volatile double x = 1e300;
    count++;
    (void)signal_number;
    for (int i = 0; i < 50; i++)
        x = x / 3.7 + i;
}

static void registers_survive(void) {
    struct itimerval timer = {{0, 300}, {0, 300}}, off = {{0, 0}, {0, 0}};
    signal(SIGALRM, on_tick);
    count = 0;
    EXPECT(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    double sum = 0, expected = 0;
    for (int round = 0; round < 200 && count < 20; round++) {
        sum = 0;
        for (int i = 1; i < 20000; i++)
            sum += 1.0 / ((double)i * i);
        if (round == 0)
            expected = sum;
        EXPECT(sum == expected);
    }
    EXPECT(setitimer(ITIMER_REAL, &off, NULL) == 0 && count > 2);
    signal(SIGALRM, SIG_DFL);
}

static void restarting(void) {
    int fds[2], status;
    char c;
    EXPECT(pipe(fds) == 0);
    for (int restart = 0; restart < 2; restart++) {
        install(SIGUSR1, on_info, restart ? SA_RESTART : 0);
        count = 0;
        pid_t parent = getpid(), pid = fork();
        if (pid == 0) {
            usleep(20000);
            kill(parent, SIGUSR1);
            usleep(20000);
            _exit(write(fds[1], "x", 1) != 1);
        }
        ssize_t got = read(fds[0], &c, 1);
        EXPECT(count == 1);
        if (restart)
            EXPECT(got == 1);
        else
            EXPECT(got == -1 && errno == EINTR && read(fds[0], &c, 1) == 1);
        while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
            ;
    }
    struct timespec second = {1, 0}, rest = {9, 9};
    struct itimerval soon = {{0, 0}, {0, 50000}};
    install(SIGALRM, on_info, SA_RESTART);
    setitimer(ITIMER_REAL, &soon, NULL);
    EXPECT(nanosleep(&second, &rest) == -1 && errno == EINTR && rest.tv_sec == 0);
    EXPECT(rest.tv_nsec > 900000000 && rest.tv_nsec < 960000000);
    close(fds[0]);
    close(fds[1]);
}

static void faults(void) {
    char *volatile page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    install(SIGSEGV, on_fault, 0);
    install(SIGILL, on_fault, 0);
    install(SIGTRAP, on_fault, 0);
    install(SIGBUS, on_fault, 0);
    if (sigsetjmp(escape, 1) == 0)
        *(volatile char *)(page + 5) = 1;
    EXPECT(last == SIGSEGV && seen.si_code == SEGV_ACCERR && seen.si_addr == page + 5);
    munmap(page, 4096);
    if (sigsetjmp(escape, 1) == 0)
        (void)*(volatile char *)(page + 6);
    EXPECT(last == SIGSEGV && seen.si_code == SEGV_MAPERR && seen.si_addr == page + 6);
    FILE *file = tmpfile();
    EXPECT(file && ftruncate(fileno(file), 10) == 0);
    page = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fileno(file), 0);
    last = 0;
    if (sigsetjmp(escape, 1) == 0)
        (void)*(volatile char *)(page + 4096);
    EXPECT(last == SIGBUS && seen.si_code == BUS_ADRERR && seen.si_addr == page + 4096);
    fclose(file);
#ifdef __riscv
    if (sigsetjmp(escape, 1) == 0)
        __asm__ volatile(".word 0xffffffff" ::: "memory");
    EXPECT(last == SIGILL && seen.si_code == ILL_ILLOPC);
    if (sigsetjmp(escape, 1) == 0)
        __asm__ volatile("ebreak" ::: "memory");
    EXPECT(last == SIGTRAP && seen.si_code == TRAP_BRKPT);
#endif
    signal(SIGSEGV, SIG_DFL);
}

static volatile int depth;
static char altstack[65536];

__attribute__((noinline)) static int overflow(int n) {
    volatile char room[4096];
    room[0] = (char)n;
    if (n > 1 << 20)
        return n;
    depth = n;
    return overflow(n + 1) + room[0];
}

static void alternate_stack(void) {
    stack_t stack = {.ss_sp = altstack, .ss_size = sizeof altstack}, old;
    EXPECT(sigaltstack(&stack, NULL) == 0);
    EXPECT(sigaltstack(NULL, &old) == 0 && old.ss_sp == altstack && old.ss_flags == 0);
    install(SIGSEGV, on_fault, SA_ONSTACK);
    last = 0;
    if (sigsetjmp(escape, 1) == 0)
        overflow(0);
    EXPECT(last == SIGSEGV && depth > 1500 && depth < 2600); /* of a limit of 8 MiB */
    stack.ss_size = 100;
    EXPECT(sigaltstack(&stack, NULL) == -1 && errno == ENOMEM);
    signal(SIGSEGV, SIG_DFL);
}

static void waiting(void) {
    sigset_t set;
    siginfo_t info;
    struct timespec soon = {0, 10000000};
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGUSR2);
    EXPECT(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    EXPECT(sigtimedwait(&set, &info, &soon) == -1 && errno == EAGAIN);
    pid_t pid = fork();
    if (pid == 0)
        _exit(5);
    EXPECT(sigwaitinfo(&set, &info) == SIGCHLD && info.si_pid == pid && info.si_status == 5);
    EXPECT(info.si_code == CLD_EXITED && waitpid(pid, NULL, 0) == pid);
    union sigval value = {.sival_int = 1234};
    EXPECT(sigqueue(getpid(), SIGUSR2, value) == 0);
    EXPECT(sigwaitinfo(&set, &info) == SIGUSR2 && info.si_code == SI_QUEUE);
    EXPECT(info.si_value.sival_int == 1234);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void broken_pipe(void) {
    int fds[2], status;
    EXPECT(pipe(fds) == 0);
    close(fds[0]);
    pid_t pid = fork();
    if (pid == 0)
        _exit(write(fds[1], "x", 1) == 1);
    EXPECT(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
    signal(SIGPIPE, SIG_IGN);
    EXPECT(write(fds[1], "x", 1) == -1 && errno == EPIPE);
    close(fds[1]);
}

/* Instances of one number queue in order; lower numbers come first. */
static int order[16], norder;

static void on_realtime(int signal, siginfo_t *info, void *context) {
    (void)context;
    EXPECT(info->si_signo == signal && info->si_code == SI_QUEUE);
    if (norder < 16)
        order[norder++] = (signal - SIGRTMIN) * 100 + info->si_value.sival_int;
}

static void realtime(void) {
    struct sigaction action = {.sa_sigaction = on_realtime, .sa_flags = SA_SIGINFO};
    sigset_t set;
    siginfo_t info;
    sigfillset(&action.sa_mask);
    sigemptyset(&set);
    for (int i = 0; i < 2; i++) {
        EXPECT(sigaction(SIGRTMIN + i, &action, NULL) == 0);
        sigaddset(&set, SIGRTMIN + i);
    }
    EXPECT(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    for (int i = 0; i < 6; i++)
        EXPECT(sigqueue(getpid(), SIGRTMIN + 1 - i % 2, (union sigval){.sival_int = i}) == 0);
    EXPECT(norder == 0);
    EXPECT(sigwaitinfo(&set, &info) == SIGRTMIN && info.si_value.sival_int == 1);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    printf("real-time signals:");
    for (int i = 0; i < norder; i++)
        printf(" %d", order[i]);
    printf("\n");
    sigprocmask(SIG_BLOCK, &set, NULL); /* what is queued is forgotten with the handler */
    for (int i = 0; i < 3; i++)
        EXPECT(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i}) == 0);
    signal(SIGRTMIN, SIG_IGN);
    EXPECT(sigtimedwait(&set, &info, &(struct timespec){0}) == -1 && errno == EAGAIN);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    for (int i = 0; i < 2; i++)
        signal(SIGRTMIN + i, SIG_DFL);
}

int main(void) {
    handlers_and_masks();
    registers_survive();
    restarting();
    faults();
    alternate_stack();
    waiting();
    realtime();
    broken_pipe();
    return report("signal");
}
