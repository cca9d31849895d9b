/* fs_given.c: a guest program: files that come as standard streams have an offset which they share
 * with others, and one that pread and pwrite are given; no file grows past RLIMIT_FSIZE, theirs
 * neither. It says what each call answers; natively it must say the same. Its streams are files.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static volatile int signals;
static char bytes[256];

static void count(int signal) {
    (void)signal;
    signals++;
}

/* To standard error, which is a file of its own. */
static void say(const char *what, long long result) {
    dprintf(2, "%s: %lld %s, %d signals\n", what, result, result < 0 ? strerrorname_np(errno) : "",
            signals);
}
#define SAY(call) say(#call, call)

static void say_read(const char *what, long long result) {
    dprintf(2, "%s: %lld '%.*s'\n", what, result, result > 0 ? (int)result : 0, bytes);
}
#define SAY_READ(call) say_read(#call, call)

static void offsets(void) {
    struct iovec vector = {bytes, 3};
    SAY_READ(read(0, bytes, 2));
    SAY_READ(pread(0, bytes, 3, 5));
    SAY_READ(preadv(0, &vector, 1, 6));
    SAY_READ(pread(0, bytes, 3, 100));
    SAY(lseek(0, 0, SEEK_CUR));
    SAY_READ(read(0, bytes, 2));
    SAY(write(1, "first", 5));
    SAY(pwrite(1, "XYZ", 3, 2));
    SAY(pwrite(1, "end", 3, 20));
    SAY(lseek(1, 0, SEEK_CUR));
    SAY(write(1, "second", 6));
}

static void limits(int fd) {
    SAY(ftruncate(fd, 0));
    SAY(lseek(fd, 98, SEEK_SET));
    SAY(write(fd, bytes, 10));
    SAY(write(fd, bytes, 10));
    SAY(pwrite(fd, bytes, 1, 99));
    SAY(pwrite(fd, bytes, 1, 100));
    SAY(ftruncate(fd, 101));
    SAY(ftruncate(fd, 100));
    SAY(fallocate(fd, 0, 50, 51));
    SAY(fallocate(fd, 0, 50, 50));
    SAY(lseek(fd, 99, SEEK_SET));
    SAY(sendfile(fd, 0, (off_t[]){0}, 5));
    SAY(sendfile(fd, 0, (off_t[]){0}, 5));
    struct stat status;
    SAY(fstat(fd, &status));
    SAY(status.st_size);
}

int main(void) {
    int own = open("own", O_RDWR | O_CREAT | O_TRUNC, 0600), pipes[2];
    struct rlimit limit = {100, RLIM_INFINITY}, wide = {RLIM_INFINITY, RLIM_INFINITY};
    offsets();
    signal(SIGXFSZ, count);
    memset(bytes, 'b', sizeof bytes);
    setrlimit(RLIMIT_FSIZE, &limit);
    /* What it says is longer than that: each line by itself, from the beginning. */
    int said = fcntl(2, F_DUPFD, 10);
    if (pipe(pipes) == 0 && write(pipes[1], "pipe", 4) == 4) {
        dup2(pipes[1], 2);
        SAY(lseek(own, 100, SEEK_SET));
        SAY(splice(pipes[0], NULL, own, NULL, 4, 0));
        limits(own);
        SAY(truncate("own", 101));
        limits(1);
    }
    setrlimit(RLIMIT_FSIZE, &wide);
    ssize_t n;
    fcntl(pipes[0], F_SETFL, O_NONBLOCK);
    while ((n = read(pipes[0], bytes, sizeof bytes)) > 0)
        write(said, bytes, (size_t)n);
    return 0;
}
