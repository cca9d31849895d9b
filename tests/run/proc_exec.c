/* proc_exec.c: a guest program: execve: what survives it, what does not, and when it fails. */
#include "proc_test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[] = "/tmp/proc_exec.XXXXXX";

static char *in(const char *name) {
    static char path[4][128];
    static int next;
    char *at = path[next++ % 4];
    snprintf(at, 128, "%s/%s", directory, name);
    return at;
}

static void write_file(const char *name, const char *text, size_t length, int mode) {
    int fd = open(in(name), O_CREAT | O_WRONLY | O_TRUNC, mode);
    EXPECT(fd >= 0 && write(fd, text, length) == (ssize_t)length);
    EXPECT(fchmod(fd, (mode_t)mode) == 0);
    close(fd);
}

/* The errno of execve, or the exit status of what it ran + 1000. */
static int try(const char *path, char *const argv[], char *const envp[]) {
    int status;
    static volatile int error; /* the child of vfork writes it in our memory */
    error = 0;
    pid_t pid = vfork();
    if (pid == 0) {
        execve(path, argv, envp);
        error = errno;
        _exit(0);
    }
    EXPECT(waitpid(pid, &status, 0) == pid);
    return error ? error : 1000 + WEXITSTATUS(status);
}

static void errors(const char *self) {
    char *argv[] = {"x", NULL}, *none[] = {NULL};
    write_file("text", "just text\n", 10, 0755);
    write_file("plain", "#!/bin/sh\n", 10, 0644);
    write_file("short", "\177ELF\2\1\1", 7, 0755);
    write_file("empty", "", 0, 0755);
    write_file("noname", "#!\n", 3, 0755);
    write_file("gone", "#!/no/such/interpreter\n", 23, 0755);
    EXPECT(try("/no/such/file", argv, none) == ENOENT);
    EXPECT(try("", argv, none) == ENOENT);
    EXPECT(try(in("text"), argv, none) == ENOEXEC);
    EXPECT(getuid() == 0 || try(in("plain"), argv, none) == EACCES);
    EXPECT(try(in("short"), argv, none) == ENOEXEC);
    EXPECT(try(in("empty"), argv, none) == ENOEXEC);
    EXPECT(try(in("noname"), argv, none) == ENOEXEC);
    EXPECT(try(in("gone"), argv, none) == ENOENT);
    EXPECT(try(directory, argv, none) == EACCES);
    EXPECT(try(in("text/deeper"), argv, none) == ENOTDIR);
    static char large[200 << 10];
    memset(large, 'a', sizeof large - 1);
    char *too_large[] = {"x", large, NULL};
    EXPECT(try(self, too_large, none) == E2BIG);
    large[100 << 10] = 0;
    char *good[] = {"x", "length", large, NULL};
    EXPECT(try(self, good, none) == 1000 + 100);
}

/* A file is written to, or run, but not both. */
static void busy(const char *self) {
    char *argv[] = {"x", "script", "two", NULL}, *none[] = {NULL};
    static char bytes[4 << 20];
    int fd = open(self, O_RDONLY);
    ssize_t nbytes = read(fd, bytes, sizeof bytes);
    EXPECT(nbytes > 0 && (size_t)nbytes < sizeof bytes && close(fd) == 0);
    write_file("own", bytes, (size_t)nbytes, 0755);
    fd = open(in("own"), O_WRONLY | O_APPEND);
    EXPECT(try(in("own"), argv, none) == ETXTBSY);
    EXPECT(close(fd) == 0 && try(in("own"), argv, none) == 1000 + 3);
    EXPECT(open(self, O_WRONLY) == -1 && errno == ETXTBSY);
    EXPECT(open(self, O_RDONLY | O_TRUNC) == -1 && errno == ETXTBSY);
    EXPECT(truncate(self, 1) == -1 && errno == ETXTBSY);
    EXPECT(chmod(self, 0755) == 0); /* only its bytes are kept */
}

static void scripts(const char *self) {
    char text[256], *argv[] = {"x", "two", NULL}, *none[] = {NULL};
    int length = snprintf(text, sizeof text, "#! %s  script  \nrest\n", self);
    write_file("one", text, (size_t)length, 0755);
    EXPECT(try(in("one"), argv, none) == 1000 + 4); /* self, script, path, two */
    length = snprintf(text, sizeof text, "#!%s\n", in("one"));
    write_file("nested", text, (size_t)length, 0755);
    EXPECT(try(in("nested"), argv, none) == 1000 + 5);
    length = snprintf(text, sizeof text, "#!%s\n", in("loop"));
    write_file("loop", text, (size_t)length, 0755);
    EXPECT(try(in("loop"), argv, none) == ELOOP);
}

static void on_signal(int number) {
    (void)number;
}

static void survivors(const char *self) {
    char *argv[] = {"x", "look", NULL}, *envp[] = {"KEY=value", NULL};
    sigset_t set;
    EXPECT(dup2(open("/dev/null", O_RDONLY), 70) == 70);
    EXPECT(dup2(open("/dev/null", O_RDONLY), 71) == 71 && fcntl(71, F_SETFD, FD_CLOEXEC) == 0);
    signal(SIGUSR1, on_signal);
    signal(SIGUSR2, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    EXPECT(try(self, argv, envp) == 1000 + 50);
}

/* What the new program finds: 50 if all is as it must be, else what is not. */
static int look(void) {
    struct sigaction action;
    sigset_t set;
    if (fcntl(70, F_GETFD) != 0)
        return 1;
    if (fcntl(71, F_GETFD) != -1)
        return 2;
    if (sigaction(SIGUSR1, NULL, &action) != 0 || action.sa_handler != SIG_DFL)
        return 3;
    if (sigaction(SIGUSR2, NULL, &action) != 0 || action.sa_handler != SIG_IGN)
        return 4;
    if (sigprocmask(SIG_BLOCK, NULL, &set) != 0 || !sigismember(&set, SIGHUP))
        return 5;
    if (!getenv("KEY") || strcmp(getenv("KEY"), "value") != 0)
        return 6;
    return 50;
}

int main(int argc, char **argv) {
    static char self[256];
    if (argc > 1 && strcmp(argv[1], "look") == 0)
        return look();
    if (argc > 1 && strcmp(argv[1], "script") == 0)
        return argc;
    if (argc > 2 && strcmp(argv[1], "length") == 0)
        return (int)(strlen(argv[2]) >> 10);
    EXPECT(mkdtemp(directory) != NULL);
    EXPECT(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    errors(self);
    busy(self);
    scripts(self);
    survivors(self);
    char command[160];
    snprintf(command, sizeof command, "%s", directory);
    const char *names[] = {"text", "plain", "short",  "empty", "noname",
                           "gone", "one",   "nested", "loop",  "own"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(in(names[i]));
    EXPECT(rmdir(directory) == 0);
    return report("exec");
}
