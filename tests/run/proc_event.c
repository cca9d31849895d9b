/* proc_event.c: a guest program: signals, processes and directories as open files, timers of
 * timer_create, locks that know their owner. Run natively and on the machine.
 */
#include "proc_test.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000l

static int readable(int fd, int timeout_ms) {
    struct pollfd p = {fd, POLLIN, 0};
    return poll(&p, 1, timeout_ms) == 1 && p.revents & POLLIN;
}

/* ---- signalfd -------------------------------------------------------------------------------- */

static void signals_as_file(void) {
    sigset_t set, old;
    struct signalfd_siginfo info[4];
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, &old);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    EXPECT(fd >= 0 && !readable(fd, 0) && read(fd, info, sizeof info) < 0 && errno == EAGAIN);
    EXPECT(read(fd, info, 10) < 0 && errno == EINVAL);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR1); /* merged */
    EXPECT(readable(fd, 0) && read(fd, info, sizeof info) == sizeof info[0]);
    EXPECT(info[0].ssi_signo == SIGUSR1 && (pid_t)info[0].ssi_pid == getpid() &&
           info[0].ssi_code == SI_USER);
    for (int i = 0; i < 3; i++)
        sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 40 + i});
    EXPECT(read(fd, info, sizeof info) == 3 * sizeof info[0] && info[2].ssi_int == 42);
    pid_t child = fork();
    if (child == 0) {
        usleep(10000);
        _exit(7);
    }
    EXPECT(readable(fd, 5000) && read(fd, info, sizeof info) == sizeof info[0]);
    EXPECT(info[0].ssi_signo == SIGCHLD && (pid_t)info[0].ssi_pid == child &&
           info[0].ssi_status == 7 && info[0].ssi_code == CLD_EXITED);
    waitpid(child, NULL, 0);
    sigdelset(&set, SIGUSR1);
    EXPECT(signalfd(fd, &set, 0) == fd);
    kill(getpid(), SIGUSR1);
    EXPECT(!readable(fd, 0));
    sigaddset(&set, SIGUSR1);
    EXPECT(signalfd(fd, &set, 0) == fd && readable(fd, 0));
    EXPECT(read(fd, info, sizeof info) == sizeof info[0]);
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN}, got;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    child = fork();
    if (child == 0) {
        usleep(5000);
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    struct timespec second = {5, 0};
    EXPECT(syscall(SYS_epoll_pwait2, epoll, &got, 1, &second, NULL, 8) == 1);
    EXPECT(read(fd, info, sizeof info[0]) == sizeof info[0] && info[0].ssi_signo == SIGUSR1);
    waitpid(child, NULL, 0);
    read(fd, info, sizeof info);
    close(fd), close(epoll);
    sigprocmask(SIG_SETMASK, &old, NULL);
}

/* ---- pidfd ----------------------------------------------------------------------------------- */

static void processes_as_files(void) {
    siginfo_t info;
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(1);
    }
    int fd = (int)syscall(SYS_pidfd_open, child, 0);
    EXPECT(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC && !readable(fd, 0));
    EXPECT(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) == 0);
    EXPECT(syscall(SYS_pidfd_send_signal, 0, 0, NULL, 0) < 0 && errno == EBADF);
    char path[32]; /* its directory in /proc does as well, for this call only */
    snprintf(path, sizeof path, "/proc/%d", (int)child);
    int directory = open(path, O_RDONLY | O_DIRECTORY);
    EXPECT(syscall(SYS_pidfd_send_signal, directory, 0, NULL, 0) == 0);
    EXPECT(waitid(P_PIDFD, (id_t)directory, &info, WEXITED | WNOHANG) < 0 && errno == EBADF);
    EXPECT(waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOHANG) == 0);
    EXPECT(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0) == 0 && readable(fd, 5000));
    EXPECT(waitid(P_PIDFD, (id_t)fd, &info, WEXITED | WNOWAIT) == 0 && info.si_pid == child &&
           info.si_status == SIGTERM && info.si_code == CLD_KILLED);
    EXPECT(waitid(P_PIDFD, (id_t)fd, &info, WEXITED) == 0 && info.si_pid == child);
    EXPECT(waitid(P_PIDFD, (id_t)fd, &info, WEXITED) < 0 && errno == ECHILD);
    EXPECT(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0) < 0 && errno == ESRCH);
    EXPECT(syscall(SYS_pidfd_send_signal, directory, 0, NULL, 0) < 0 && errno == ESRCH);
    close(directory);
    close(fd);
    EXPECT(syscall(SYS_pidfd_open, child, 0) < 0 && errno == ESRCH);
    EXPECT(syscall(SYS_pidfd_open, -1, 0) < 0 && errno == EINVAL);
    EXPECT(syscall(SYS_pidfd_open, getpid(), 1) < 0 && errno == EINVAL);
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } arguments = {.flags = 0x1000 /* CLONE_PIDFD */, .exit_signal = SIGCHLD};
    int made = -1;
    arguments.pidfd = (uint64_t)(uintptr_t)&made;
    child = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    if (child == 0)
        _exit(9);
    EXPECT(child > 0 && made >= 0 && readable(made, 5000));
    EXPECT(waitid(P_PIDFD, (id_t)made, &info, WEXITED) == 0 && info.si_status == 9);
    close(made);
}

/* ---- timer_create ---------------------------------------------------------------------------- */

static volatile sig_atomic_t rung, value, overrun, code;

static void ring(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    rung++;
    value = info->si_value.sival_int;
    code = info->si_code;
    overrun = info->si_overrun;
}

static void thread_ring(union sigval v) {
    value = v.sival_int;
    __atomic_store_n(&rung, 100, __ATOMIC_SEQ_CST);
}

static void timers(void) {
    struct sigaction action = {.sa_sigaction = ring, .sa_flags = SA_SIGINFO};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 2};
    struct itimerspec often = {{0, 5 * MS}, {0, 5 * MS}}, none = {0}, now;
    sigset_t set;
    timer_t timer, other;
    event.sigev_value.sival_int = 1234;
    sigaction(SIGRTMIN + 2, &action, NULL);
    EXPECT(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    EXPECT(timer_create(CLOCK_REALTIME, NULL, &other) == 0 && timer_delete(other) == 0);
    EXPECT(timer_gettime(timer, &now) == 0 && now.it_value.tv_nsec == 0);
    EXPECT(timer_settime(timer, 0, &often, NULL) == 0 && timer_gettime(timer, &now) == 0);
    EXPECT(now.it_interval.tv_nsec == 5 * MS && now.it_value.tv_nsec <= 5 * MS);
    while (rung < 3)
        pause();
    EXPECT(value == 1234 && code == SI_TIMER);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    usleep(40000);
    rung = 0;
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    EXPECT(rung >= 1 && overrun >= 3 && timer_getoverrun(timer) >= 0);
    EXPECT(timer_settime(timer, 0, &none, &now) == 0 && now.it_interval.tv_nsec == 5 * MS);
    rung = 0;
    usleep(20000);
    EXPECT(rung == 0);
    struct itimerspec past = {.it_value = {0, 1}};
    EXPECT(timer_settime(timer, TIMER_ABSTIME, &past, NULL) == 0);
    usleep(2000);
    EXPECT(rung == 1);
    EXPECT(timer_delete(timer) == 0);
    event.sigev_notify = 77;
    EXPECT(timer_create(CLOCK_MONOTONIC, &event, &timer) < 0 && errno == EINVAL);
    event.sigev_notify = SIGEV_THREAD;
    event.sigev_notify_function = thread_ring;
    event.sigev_value.sival_int = 77;
    EXPECT(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    often.it_interval.tv_nsec = 0;
    EXPECT(timer_settime(timer, 0, &often, NULL) == 0);
    for (int i = 0; i < 500 && rung != 100; i++)
        usleep(1000);
    EXPECT(rung == 100 && value == 77);
    timer_delete(timer);
}

/* ---- inotify --------------------------------------------------------------------------------- */

static void directories(void) {
    char bytes[4096], name[] = "/tmp/quire-event.XXXXXX", path[64];
    if (!mkdtemp(name))
        return; /* the tree has no /tmp */
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    int watch = inotify_add_watch(fd, name, IN_CREATE | IN_DELETE | IN_CLOSE_WRITE | IN_MOVED_TO);
    EXPECT(fd >= 0 && watch == 1 && read(fd, bytes, sizeof bytes) < 0 && errno == EAGAIN);
    snprintf(path, sizeof path, "%s/file", name);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    long got = readable(fd, 1000) ? read(fd, bytes, sizeof bytes) : 0;
    struct inotify_event *event = (struct inotify_event *)(void *)bytes;
    EXPECT(got == 2 * (long)(sizeof *event + 16) && event->mask == IN_CREATE &&
           !strcmp(event->name, "file") && event->wd == watch);
    event = (struct inotify_event *)(void *)(bytes + sizeof *event + 16);
    EXPECT(event->mask == IN_CLOSE_WRITE);
    unlink(path);
    EXPECT(readable(fd, 1000) && read(fd, bytes, sizeof bytes) > 0 &&
           ((struct inotify_event *)(void *)bytes)->mask == IN_DELETE);
    EXPECT(inotify_rm_watch(fd, watch) == 0 && inotify_rm_watch(fd, 99) < 0 && errno == EINVAL);
    EXPECT(inotify_add_watch(fd, "/tmp/none/at/all", IN_CREATE) < 0 && errno == ENOENT);
    EXPECT(inotify_add_watch(0, name, IN_CREATE) < 0 && errno == EINVAL);
    close(fd);
    rmdir(name);
}

/* ---- locks with an owner --------------------------------------------------------------------- */

struct shared {
    pthread_mutex_t lock, robust;
    int came[4], n;
    volatile int owned; /* the child has the robust lock */
};

static struct shared *common;

static void *contender(void *number) {
    pthread_mutex_lock(&common->lock);
    common->came[(intptr_t)number]++;
    common->n++;
    pthread_mutex_unlock(&common->lock);
    return NULL;
}

static void owned_locks(void) {
    pthread_mutexattr_t attributes;
    common = mmap(NULL, sizeof *common, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
    EXPECT(pthread_mutex_init(&common->lock, &attributes) == 0);
    pthread_t threads[4];
    EXPECT(pthread_mutex_lock(&common->lock) == 0 && pthread_mutex_lock(&common->lock) == EDEADLK &&
           pthread_mutex_trylock(&common->lock) != 0);
    for (intptr_t i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, contender, (void *)i);
    usleep(30000);
    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    EXPECT(common->n == 0 && pthread_mutex_unlock(&common->lock) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    EXPECT(common->n == 4 && common->came[0] == 1 && common->came[3] == 1);
    EXPECT(pthread_mutex_unlock(&common->lock) == EPERM);
    /* an owner that dies */
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    EXPECT(pthread_mutex_init(&common->robust, &attributes) == 0);
    pid_t child = fork();
    if (child == 0) {
        pthread_mutex_lock(&common->robust);
        common->owned = 1;
        while (common->owned == 1)
            usleep(1000);
        _exit(0);
    }
    while (common->owned == 0)
        usleep(1000);
    soon.tv_nsec = 0; /* long ago */
    EXPECT(pthread_mutex_timedlock(&common->robust, &soon) == ETIMEDOUT);
    common->owned = 2;
    EXPECT(pthread_mutex_lock(&common->robust) == EOWNERDEAD);
    EXPECT(pthread_mutex_consistent(&common->robust) == 0 &&
           pthread_mutex_unlock(&common->robust) == 0);
    EXPECT(pthread_mutex_lock(&common->robust) == 0 && pthread_mutex_unlock(&common->robust) == 0);
    waitpid(child, NULL, 0);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void pieces(void) {
    int p[2], q[2];
    char bytes[16] = {0};
    struct iovec vectors[2] = {{bytes, 3}, {bytes + 3, 8}};
    char name[] = "/tmp/quire-event.XXXXXX";
    int file = mkstemp(name);
    pipe(p), pipe(q);
    EXPECT(write(p[1], "splice me", 9) == 9 && splice(p[0], NULL, q[1], NULL, 6, 0) == 6);
    EXPECT(read(q[0], bytes, 16) == 6 && !memcmp(bytes, "splice", 6));
    if (file >= 0) {
        off_t at = 2;
        unlink(name);
        EXPECT(splice(p[0], NULL, file, &at, 100, 0) == 3 && at == 5);
        EXPECT(preadv2(file, vectors, 2, 2, 0) == 3 && !memcmp(bytes, " me", 3));
        EXPECT(preadv2(file, vectors, 2, -1, 0) == 5 && lseek(file, 0, SEEK_CUR) == 5);
        EXPECT(pwritev2(file, vectors, 1, -1, 0) == 3 && lseek(file, 0, SEEK_END) == 8);
        at = 0;
        EXPECT(splice(file, &at, q[1], NULL, 4, 0) == 4 && at == 4);
        EXPECT(sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WRITE) == 0 && syncfs(file) == 0);
        close(file);
    }
    EXPECT(splice(p[0], &(off_t){0}, q[1], NULL, 4, 0) < 0 && errno == ESPIPE);
    struct sched_param parameter = {0};
    EXPECT(sched_setparam(0, &parameter) == 0);
    close(p[0]), close(p[1]), close(q[0]), close(q[1]);
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    signals_as_file();
    processes_as_files();
    timers();
    directories();
    owned_locks();
    pieces();
    return report("proc_event");
}
