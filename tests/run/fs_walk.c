/* fs_walk.c: the path walk of os/ against the host's own, and attempts to leave the root.
 *
 * The oracle is openat2(RESOLVE_IN_ROOT) of the host's Linux: for random trees' worth of random
 * paths both must name the same file or fail with the same error. Then the cases that no oracle
 * knows: a directory moved out of the root while it is open, binds, and our own /proc and /dev.
 *
 *     fs_walk DIRECTORY [SEED]      DIRECTORY is empty and ours
 */
#include "os/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PATHS          20000
#define COMPONENTS_MAX 8
#define SKIP_STATUS    77

static unsigned failures;
#define EXPECT(condition)                                          \
    do {                                                           \
        if (!(condition)) {                                        \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            failures++;                                            \
        }                                                          \
    } while (0)

static struct os *the_os;
static struct os_process process;
static int root_fd;

static uint64_t draw(uint64_t *seed) { /* xorshift64, Marsaglia 2003 */
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    return *seed ^= *seed << 17;
}

static void put_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0) {
        perror(path);
        exit(1);
    }
}

static void put_link(const char *target, const char *path) {
    if (symlink(target, path) != 0) {
        perror(path);
        exit(1);
    }
}

static void make_tree(void) {
    mkdir("root", 0755), mkdir("root/a", 0755), mkdir("root/a/b", 0755);
    mkdir("root/a/b/c", 0755), mkdir("root/etc", 0755), mkdir("root/moved", 0755);
    mkdir("root/moved/in", 0755), mkdir("outside", 0755), mkdir("bound", 0755);
    put_file("root/etc/passwd", "inside");
    put_file("root/a/file", "a");
    put_file("outside/secret", "outside");
    put_file("bound/hello", "bound");
    put_link("/etc/passwd", "root/a/abs");
    put_link("../../../../../../etc/passwd", "root/a/up");
    put_link("/", "root/a/b/top");
    put_link("..", "root/a/b/parent");
    put_link("../outside", "root/out");
    put_link("loop", "root/loop");
    put_link("pong", "root/ping"), put_link("ping", "root/pong");
    put_link("a/b/", "root/slash");
    put_link("file/", "root/a/bad");
    put_link("none", "root/dangling");
    put_link("/a//./b/../b/c", "root/deep");
    put_link("/../../a/b/top/a", "root/far");
}

/* The host's answer: device and inode through *status, or -errno. */
static int64_t host_walk(const char *path, bool follow, struct stat *status) {
    struct open_how how = {.flags = O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW),
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof how);
    if (fd < 0)
        return -errno;
    fstat((int)fd, status);
    close((int)fd);
    return 0;
}

static void compare(const char *path, bool follow) {
    struct stat theirs;
    struct os_place place;
    int64_t want = host_walk(path, follow, &theirs);
    if (want == -EAGAIN) /* the host saw a rename elsewhere: no answer */
        return;
    int64_t got = os_walk(&process, OS_AT_FDCWD, path, follow ? 0 : OS_WALK_NOFOLLOW, &place);
    bool same = got == want;
    if (got == 0) {
        same = same && place.fd >= 0 && place.status.st_ino == theirs.st_ino &&
               place.status.st_dev == theirs.st_dev;
        os_place_done(&place);
    }
    if (same)
        return;
    printf("\"%s\" (follow %d): host %lld, ours %lld\n", path, follow, (long long)want,
           (long long)got);
    failures++;
}

static void random_paths(uint64_t seed) {
    static const char *const names[] = {
        "a",   "b",    "c",     "..",    ".",    "file", "abs",      "up",     "top",    "parent",
        "out", "loop", "slash", "bad",   "ping", "deep", "dangling", "far",    "etc",    "",
        "..",  "a",    "b",     "moved", "in",   "none", "/",        "passwd", "secret", "outside"};
    for (unsigned i = 0; i < PATHS; i++) {
        char path[256] = "";
        if (draw(&seed) % 2)
            strcat(path, "/");
        unsigned count = 1 + (unsigned)(draw(&seed) % COMPONENTS_MAX);
        for (unsigned c = 0; c < count; c++) {
            strcat(path, names[draw(&seed) % (sizeof names / sizeof names[0])]);
            if (c + 1 < count || draw(&seed) % 4 == 0)
                strcat(path, "/");
        }
        compare(path, draw(&seed) % 2);
    }
}

/* What a path leads to: the first bytes of the file, or "!" and the error. */
static const char *content(int dirfd, const char *path) {
    static char text[64];
    struct os_place place;
    struct os_file *file;
    int64_t result = os_walk(&process, dirfd, path, 0, &place);
    if (result == 0) {
        result = os_place_open(the_os, &place, OS_O_RDONLY, 0, &file);
        os_place_done(&place);
    }
    if (result < 0) {
        snprintf(text, sizeof text, "!%lld", (long long)-result);
        return text;
    }
    int64_t length = os_file_pread(file, text, sizeof text - 1, 0);
    os_file_release(file);
    text[length < 0 ? 0 : length] = 0;
    return text;
}

static int open_directory(const char *path) {
    struct os_place place;
    struct os_file *file;
    if (os_walk(&process, OS_AT_FDCWD, path, 0, &place) != 0)
        return -1;
    int64_t result = os_place_open(the_os, &place, OS_O_RDONLY | OS_O_DIRECTORY, 0, &file);
    os_place_done(&place);
    return result < 0 ? -1 : (int)os_fd_install(&process, file, false, 3);
}

static void escapes(void) {
    EXPECT(!strcmp(content(OS_AT_FDCWD, "/a/abs"), "inside"));
    EXPECT(!strcmp(content(OS_AT_FDCWD, "/a/up"), "inside"));
    EXPECT(!strcmp(content(OS_AT_FDCWD, "/../../../outside/secret"), "!2"));
    EXPECT(!strcmp(content(OS_AT_FDCWD, "/out/secret"), "!2"));
    /* A directory that is open is moved out of the root behind our back: ".." of it is still ours.
     */
    int fd = open_directory("/moved/in");
    EXPECT(fd >= 0);
    EXPECT(!strcmp(content(fd, "../../etc/passwd"), "inside"));
    EXPECT(rename("root/moved", "outside/moved") == 0);
    EXPECT(!strcmp(content(fd, "../secret"), "!2"));
    EXPECT(!strcmp(content(fd, "../../secret"), "!2"));
    EXPECT(!strcmp(content(fd, "../../etc/passwd"), "!2") ||
           !strcmp(content(fd, "../../etc/passwd"), "inside"));
    EXPECT(rename("outside/moved", "root/moved") == 0);
    EXPECT(!strcmp(content(fd, "../../etc/passwd"), "inside"));
    /* A component becomes a link to the outside between two walks. */
    EXPECT(rename("root/a/b", "root/a/b2") == 0);
    put_link("../../outside", "root/a/b");
    EXPECT(!strcmp(content(OS_AT_FDCWD, "/a/b/secret"), "!2"));
    EXPECT(unlink("root/a/b") == 0);
    EXPECT(rename("root/a/b2", "root/a/b") == 0);
}

static void mounts(void) {
    EXPECT(!strcmp(content(OS_AT_FDCWD, "/mnt/data/hello"), "bound"));
    EXPECT(!strcmp(content(OS_AT_FDCWD, "/mnt/data/../../etc/passwd"), "inside"));
    EXPECT(!strcmp(content(OS_AT_FDCWD, "/mnt/data/../../../outside/secret"), "!2"));
    EXPECT(!strcmp(content(OS_AT_FDCWD, "/mnt/none"), "!2"));
    EXPECT(!strcmp(content(OS_AT_FDCWD, "/proc/sys/kernel/ostype"), "Linux\n"));
    EXPECT(!strcmp(content(OS_AT_FDCWD, "/proc/../etc/passwd"), "inside"));
    EXPECT(!strcmp(content(OS_AT_FDCWD, "/dev/null"), ""));
    EXPECT(!strcmp(content(OS_AT_FDCWD, "/dev/sda"), "!2"));
    EXPECT(!strcmp(content(OS_AT_FDCWD, "/proc/1/environ"), "!2"));
}

static void link_limit(void) {
    char name[32], target[32];
    put_link("etc/passwd", "root/l1");
    for (int i = 2; i <= OS_LINKS_MAX + 1; i++) {
        snprintf(name, sizeof name, "root/l%d", i);
        snprintf(target, sizeof target, "l%d", i - 1);
        put_link(target, name);
    }
    EXPECT(!strcmp(content(OS_AT_FDCWD, "/l40"), "inside"));
    EXPECT(!strcmp(content(OS_AT_FDCWD, "/l41"), "!40"));
    compare("/l40", true);
    compare("/l41", true);
}

int main(int argc, char **argv) {
    char here[3072], root[4096], bound[4096], message[256];
    if (argc < 2 || chdir(argv[1]) != 0 || !getcwd(here, sizeof here)) {
        fprintf(stderr, "usage: fs_walk DIRECTORY [SEED]\n");
        return 2;
    }
    make_tree();
    snprintf(root, sizeof root, "%s/root", here);
    snprintf(bound, sizeof bound, "%s/bound", here);
    struct os_bind bind = {.host_path = bound, .guest_path = "/mnt/data"};
    struct os_config config = {.root = root, .binds = &bind, .nbinds = 1, .ram_bytes = 16u << 20};
    the_os = os_create(&config, message, sizeof message);
    if (!the_os) {
        printf("%s\n", message);
        return 1;
    }
    process = (struct os_process){.os = the_os, .pid = 1, .cwd = (char[]){"/"}};
    process.files = os_files_create_stdio(the_os);
    process.rlimits[OS_RLIMIT_NOFILE][0] = OS_NFILES_MAX;
    root_fd = open("root", O_PATH | O_CLOEXEC);
    struct stat status;
    bool oracle = host_walk("/", true, &status) == 0;
    if (oracle)
        random_paths(argc > 2 ? strtoull(argv[2], NULL, 0) | 1 : 20250611);
    escapes();
    mounts();
    link_limit();
    os_files_release(process.files);
    os_destroy(the_os);
    printf("%u paths, %u failures\n", oracle ? PATHS : 0, failures);
    return failures ? 1 : oracle ? 0 : SKIP_STATUS;
}
