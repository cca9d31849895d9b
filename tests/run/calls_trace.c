/* calls_trace.c: a guest program that makes one call of each kind of argument; calls_trace.sh knows
 * what `quire run --trace-calls` must print of it. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void nothing(int signal) {
    (void)signal;
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "again") == 0)
        return 4;
    char bytes[100] = "";
    int fds[2], status, on = 1;
    struct pollfd pollfd = {0, POLLIN, 0};
    int fd = open("file\n", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    struct iovec parts[2] = {{"one \"", 5}, {"\1and two", 8}};
    writev(fd, parts, 2);
    pread(fd, bytes, 50, 1);
    lseek(fd, -3, SEEK_END);
    read(fd, bytes, 100);
    close(fd);
    unlink("file\n");
    close(77);
    open("/a path that is longer than what is shown of a string, which is sixty-four bytes",
         O_PATH);
    syscall(SYS_openat, AT_FDCWD, 8L, O_RDONLY);
    pipe2(fds, O_NONBLOCK);
    ioctl(fds[0], FIONREAD, &on);
    fcntl(fds[0], F_GETFL);
    read(fds[0], bytes, 7);
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(page, 4096, MADV_DONTNEED);
    mprotect(page, 4096, PROT_NONE);
    munmap(page, 8192);
    struct sigaction action = {.sa_handler = nothing};
    sigaction(SIGUSR1, &action, NULL);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGALRM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGUSR1);
    nanosleep(&(struct timespec){0, 1000}, NULL);
    poll(&pollfd, 0, 0);
    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (vfork() == 0)
        execv("/calls_trace", (char *[]){"calls", "again", NULL});
    wait(&status);
    if (vfork() == 0)
        _exit(3);
    waitpid(-1, &status, 0);
    syscall(500, 1, 2, 3);
    raise(SIGKILL);
    return 0;
}
