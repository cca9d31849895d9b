/* proc_timer.c: a guest program: timers as open files, niceness, names of sockets, fchmodat2. Run
 * natively and on the machine.
 */
#include "proc_test.h"

#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000l

static uint64_t rings(int fd) {
    uint64_t count = 0;
    return read(fd, &count, sizeof count) == 8 ? count : 0;
}

static void relative(void) {
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct itimerspec once = {.it_value = {0, 20 * MS}}, often = {{0, 10 * MS}, {0, 5 * MS}}, now;
    struct pollfd watch = {.fd = fd, .events = POLLIN};
    EXPECT(fd >= 0 && rings(fd) == 0 && errno == EAGAIN && poll(&watch, 1, 0) == 0);
    EXPECT(timerfd_settime(fd, 0, &once, NULL) == 0 && rings(fd) == 0);
    EXPECT(timerfd_gettime(fd, &now) == 0 && now.it_value.tv_nsec > 0 &&
           now.it_value.tv_nsec <= 20 * MS && now.it_interval.tv_nsec == 0);
    EXPECT(poll(&watch, 1, 5000) == 1 && watch.revents == POLLIN && rings(fd) == 1);
    EXPECT(timerfd_gettime(fd, &now) == 0 && now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
    EXPECT(timerfd_settime(fd, 0, &often, &now) == 0 && now.it_value.tv_nsec == 0);
    nanosleep(&(struct timespec){0, 40 * MS}, NULL);
    EXPECT(rings(fd) >= 4); /* at 5, 15, 25, 35 */
    EXPECT(timerfd_settime(fd, 0, &(struct itimerspec){0}, &now) == 0);
    EXPECT(now.it_interval.tv_nsec == 10 * MS && now.it_value.tv_nsec <= 10 * MS);
    EXPECT(poll(&watch, 1, 30) == 0);
    close(fd);
}

static void absolute(void) {
    static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_REALTIME};
    for (unsigned i = 0; i < 2; i++) {
        struct itimerspec at = {0};
        int fd = timerfd_create(clocks[i], 0);
        clock_gettime(clocks[i], &at.it_value);
        at.it_value.tv_sec /= 2; /* long ago: rings at once */
        EXPECT(timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, NULL) == 0 && rings(fd) == 1);
        clock_gettime(clocks[i], &at.it_value);
        at.it_value.tv_nsec += 10 * MS;
        if (at.it_value.tv_nsec >= 1000 * MS)
            at.it_value.tv_sec++, at.it_value.tv_nsec -= 1000 * MS;
        EXPECT(timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, NULL) == 0);
        EXPECT(rings(fd) == 1); /* sleeps until then */
        pid_t pid = fork();     /* and the file is the child's as well */
        if (pid == 0)
            _exit(timerfd_settime(fd, 0, &(struct itimerspec){{0, 0}, {0, 10 * MS}}, NULL) != 0);
        EXPECT(rings(fd) == 1 && waitpid(pid, NULL, 0) == pid);
        close(fd);
    }
}

static void refusals(void) {
    struct itimerspec bad = {.it_value = {0, 1000 * MS}}, good = {.it_value = {1, 0}};
    int fd = timerfd_create(CLOCK_MONOTONIC, 0), fds[2];
    char small[4];
    EXPECT(timerfd_create(77, 0) == -1 && errno == EINVAL);
    EXPECT(timerfd_create(CLOCK_MONOTONIC, 5) == -1 && errno == EINVAL);
    EXPECT(timerfd_settime(fd, 0, &bad, NULL) == -1 && errno == EINVAL);
    EXPECT(timerfd_settime(fd, 64, &good, NULL) == -1 && errno == EINVAL);
    EXPECT(timerfd_settime(1000, 0, &good, NULL) == -1 && errno == EBADF);
    EXPECT(pipe(fds) == 0 && timerfd_settime(fds[0], 0, &good, NULL) == -1 && errno == EINVAL);
    EXPECT(syscall(SYS_timerfd_settime, fd, 0, 16, 0) == -1 && errno == EFAULT);
    EXPECT(read(fd, small, sizeof small) == -1 && errno == EINVAL);
    EXPECT(write(fd, "12345678", 8) == -1 && errno == EINVAL);
    close(fd);
}

static void niceness(void) {
    int status;
    EXPECT(getpriority(PRIO_PROCESS, 0) == 0 && nice(3) == 3);
    pid_t pid = fork();
    if (pid == 0)
        _exit(getpriority(PRIO_PROCESS, 0) + (nice(100) == 19));
    EXPECT(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 4);
    EXPECT(getpriority(PRIO_PROCESS, getpid()) == 3);
    EXPECT(setpriority(7, 0, 0) == -1 && errno == EINVAL);
    errno = 0;
    EXPECT(getpriority(PRIO_PROCESS, 31999) == -1 && errno == ESRCH);
}

static void names(void) {
    int fds[2], other[2];
    struct sockaddr address;
    socklen_t length = sizeof address;
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0 && pipe(other) == 0);
    EXPECT(getsockname(fds[0], &address, &length) == 0 && length == 2);
    EXPECT(address.sa_family == AF_UNIX);
    length = sizeof address;
    EXPECT(getpeername(fds[1], &address, &length) == 0 && length == 2);
    EXPECT(getpeername(other[0], &address, &length) == -1 && errno == ENOTSOCK);
    EXPECT(getsockname(1000, &address, &length) == -1 && errno == EBADF);
}

/* Kernels before 6.6 have no fchmodat2; where it is, it does the same as fchmodat. */
static void modes(void) {
    char name[] = "/tmp/proc_timer.XXXXXX";
    struct stat status;
    int fd = mkstemp(name);
    long result = syscall(452, AT_FDCWD, name, 0640, AT_SYMLINK_NOFOLLOW);
    EXPECT(result == 0 || errno == ENOSYS);
    EXPECT(fstat(fd, &status) == 0 && (status.st_mode & 0777) == (result == 0 ? 0640 : 0600));
    unlink(name);
}

int main(void) {
    relative();
    absolute();
    refusals();
    niceness();
    names();
    modes();
    return report("timer");
}
