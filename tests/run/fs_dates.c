/* fs_dates.c: a guest program: files are dated by the clock that programs read, whoever's disk they
 * lie on. Runs natively as well: there both are the host's.
 *
 *   fs_dates            in an empty directory of its own
 *   fs_dates watch      makes the file "seen", says so, and after a line tells how it is dated
 */
#include "proc_test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Linux dates files by its coarse clock. */
static struct timespec now(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME_COARSE, &t);
    return t;
}

static struct stat status_of(const char *name) {
    struct stat status = {0};
    EXPECT(fstatat(AT_FDCWD, name, &status, AT_SYMLINK_NOFOLLOW) == 0);
    return status;
}

static int between(struct timespec from, struct timespec at, struct timespec to) {
    return (at.tv_sec > from.tv_sec || (at.tv_sec == from.tv_sec && at.tv_nsec >= from.tv_nsec)) &&
           (at.tv_sec < to.tv_sec || (at.tv_sec == to.tv_sec && at.tv_nsec <= to.tv_nsec));
}

static int equal(struct timespec a, struct timespec b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* Not before anything that has a date now. (Some are finer than the coarse clock.) */
static struct timespec latest(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t;
}

/* Until the clock shows another time. */
static struct timespec later(void) {
    struct timespec begin = now(), pause = {0, 1000000};
    do
        nanosleep(&pause, NULL);
    while (equal(begin, now()));
    return now();
}

#define MODIFIED 1
#define CHANGED  2

/* Did the action, which began at that time, date the file so, and nothing else of it? */
static void dated(const char *name, const struct stat *before, struct timespec begin, int what) {
    struct stat after = status_of(name);
    struct timespec end = latest();
    EXPECT(what & MODIFIED ? between(begin, after.st_mtim, end)
                           : equal(after.st_mtim, before->st_mtim));
    EXPECT(what & CHANGED ? between(begin, after.st_ctim, end)
                          : equal(after.st_ctim, before->st_ctim));
}

/* The action dates the file, and the directory (NULL: none) as if written. */
#define DATES(name, what, directory, action)                     \
    do {                                                         \
        struct stat before = status_of(name), above = {0};       \
        struct timespec begin = later();                         \
        if (directory)                                           \
            above = status_of(directory);                        \
        EXPECT((action) >= 0);                                   \
        dated(name, &before, begin, what);                       \
        if (directory)                                           \
            dated(directory, &above, begin, MODIFIED | CHANGED); \
    } while (0)

static void made(const char *name, const char *directory, struct timespec begin) {
    struct stat status = status_of(name), above = status_of(directory);
    struct timespec end = latest();
    EXPECT(between(begin, status.st_mtim, end) && between(begin, status.st_ctim, end) &&
           between(begin, status.st_atim, end) && between(begin, above.st_mtim, end));
}

static void names(void) {
    struct timespec begin = later();
    EXPECT(mkdir("d", 0700) == 0);
    made("d", ".", begin);
    begin = later();
    int fd = open("d/f", O_RDWR | O_CREAT | O_EXCL, 0600);
    made("d/f", "d", begin);
    begin = later();
    EXPECT(symlink("f", "d/l") == 0);
    made("d/l", "d", begin);
    begin = later();
    EXPECT(mkfifo("d/p", 0600) == 0);
    made("d/p", "d", begin);
    DATES("d/f", CHANGED, "d", link("d/f", "d/second"));
    DATES("d/f", CHANGED, "d", unlink("d/second"));
    struct stat before = status_of("d/f");
    begin = later();
    EXPECT(rename("d/f", "d/g") == 0);
    dated("d/g", &before, begin, CHANGED);
    dated("d", &before, begin, MODIFIED | CHANGED);
    DATES("d", MODIFIED | CHANGED, NULL, unlink("d/g"));
    struct stat open_still = {0};
    EXPECT(fstat(fd, &open_still) == 0 && open_still.st_nlink == 0);
    close(fd);
}

static void contents(void) {
    int fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0600);
    char byte;
    DATES("f", MODIFIED | CHANGED, NULL, write(fd, "some", 4));
    DATES("f", MODIFIED | CHANGED, NULL, ftruncate(fd, 5000));
    DATES("f", MODIFIED | CHANGED, NULL, truncate("f", 6000));
    DATES("f", MODIFIED | CHANGED, NULL, close(open("f", O_WRONLY | O_TRUNC)));
    DATES("f", 0, NULL, pread(fd, &byte, 1, 0));
    DATES("f", 0, NULL, close(open("f", O_RDWR)));
    EXPECT(ftruncate(fd, 4096) == 0);
    char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    DATES("f", MODIFIED | CHANGED, NULL, (at[0] = 1, msync(at, 4096, MS_SYNC)));
    munmap(at, 4096);
    close(fd);
}

static void states(void) {
    struct timespec past[2] = {{1000000000, 5}, {1000000001, 7}};
    struct timespec now_and_not[2] = {{0, UTIME_OMIT}, {0, UTIME_NOW}};
    DATES("f", CHANGED, NULL, chmod("f", 0640));
    DATES("f", CHANGED, NULL, chown("f", getuid(), getgid()));
    struct timespec begin = later();
    EXPECT(utimensat(AT_FDCWD, "f", past, 0) == 0);
    struct stat status = status_of("f");
    EXPECT(equal(status.st_atim, past[0]) && equal(status.st_mtim, past[1]));
    EXPECT(between(begin, status.st_ctim, latest()));
    DATES("f", MODIFIED | CHANGED, NULL, utimensat(AT_FDCWD, "f", now_and_not, 0));
    EXPECT(equal(status_of("f").st_atim, past[0]));
    EXPECT(utimensat(AT_FDCWD, "d/l", past, AT_SYMLINK_NOFOLLOW) == 0);
    EXPECT(equal(status_of("d/l").st_mtim, past[1]));
}

/* More than the first table holds, some of them gone meanwhile: each keeps its own dates. */
static void many(void) {
    enum { FILES = 300, AGE = 7, EACH = 3 };
    struct timespec begin = later();
    char name[32];
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "d/%d", i);
        close(open(name, O_WRONLY | O_CREAT | O_EXCL, 0600));
        snprintf(name, sizeof name, "d/%d", i - AGE);
        if (i % EACH == 0 && i >= AGE)
            EXPECT(unlink(name) == 0);
    }
    struct timespec end = latest();
    int left = 0;
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "d/%d", i);
        struct stat status;
        if (stat(name, &status) == 0) {
            left++;
            EXPECT(between(begin, status.st_mtim, end) && between(begin, status.st_ctim, end));
        }
    }
    EXPECT(left == FILES - (FILES - AGE + EACH - 1) / EACH + 1);
}

static int watch(void) {
    char line[16];
    close(open("seen", O_WRONLY | O_CREAT | O_EXCL, 0600));
    struct timespec begin = now();
    EXPECT(between((struct timespec){begin.tv_sec - 60, 0}, status_of("seen").st_mtim, latest()));
    puts("ready");
    fflush(stdout);
    EXPECT(fgets(line, sizeof line, stdin) != NULL);
    printf("%lld\n", (long long)status_of("seen").st_mtim.tv_sec);
    return failures != 0;
}

int main(int argc, char **argv) {
    (void)argv;
    if (argc > 1)
        return watch();
    names();
    contents();
    states();
    many();
    return report("fs_dates");
}
