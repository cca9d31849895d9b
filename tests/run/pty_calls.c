/* pty_calls.c: a program for the guest that prints what pseudo-terminals do: line editing, signals,
 * job control, ends. The same program runs on the host's Linux; every line must be the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static int master, slave;

static void show(const char *what, long result) {
    if (result < 0)
        printf("%s: %s\n", what, strerrorname_np(errno));
    else
        printf("%s: %ld\n", what, result);
}

static void show_bytes(const char *what, int fd) {
    char bytes[5000];
    struct pollfd p = {fd, POLLIN, 0};
    poll(&p, 1, 20); /* Linux hands bytes over in the background */
    long got = read(fd, bytes, sizeof bytes);
    if (got < 0) {
        printf("%s: %s\n", what, strerrorname_np(errno));
        return;
    }
    printf("%s: %ld \"", what, got);
    for (long i = 0; i < got && i < 60; i++)
        if (bytes[i] >= ' ' && bytes[i] < 0x7f)
            putchar(bytes[i]);
        else
            printf("\\%o", (unsigned char)bytes[i]);
    printf("\"\n");
}

static void show_poll(const char *what, int fd) {
    struct pollfd p = {fd, POLLIN | POLLOUT, 0};
    usleep(20000);
    int n = poll(&p, 1, 0);
    printf("%s: %d%s%s%s%s\n", what, n, p.revents & POLLIN ? " in" : "",
           p.revents & POLLOUT ? " out" : "", p.revents & POLLHUP ? " hup" : "",
           p.revents & POLLERR ? " err" : "");
}

static void type(const char *what, const char *text) {
    write(master, text, strlen(text));
    printf("-- %s\n", what);
    show_bytes("  echoed", master);
    show_bytes("  read", slave);
}

static void modes(tcflag_t off, tcflag_t on) {
    struct termios t;
    tcgetattr(slave, &t);
    t.c_lflag = (t.c_lflag & ~off) | on;
    tcsetattr(slave, TCSANOW, &t);
}

static void open_both(void) {
    int number, zero = 0;
    char name[32];
    master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
    show("locked", ioctl(master, TIOCGPTN, &number));
    snprintf(name, sizeof name, "/dev/pts/%d", number);
    show("open while locked", open(name, O_RDWR | O_NOCTTY));
    show("unlock", ioctl(master, TIOCSPTLCK, &zero));
    slave = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
    struct stat status;
    fstat(slave, &status);
    printf("character device %d, major %u, minor right %d, tty %d, named right %d\n",
           S_ISCHR(status.st_mode), major(status.st_rdev), (int)minor(status.st_rdev) == number,
           isatty(slave), ttyname(slave) && !strcmp(ttyname(slave), name));
    struct winsize size = {1, 1, 1, 1};
    ioctl(slave, TIOCGWINSZ, &size);
    printf("size %d %d\n", size.ws_row, size.ws_col);
    struct termios t;
    tcgetattr(slave, &t);
    printf("modes %x %x %x %x; ", t.c_iflag & ~IUTF8, t.c_oflag, t.c_cflag, t.c_lflag);
    for (int i = 0; i < 17; i++)
        printf("%d ", t.c_cc[i]);
    putchar('\n');
}

static void editing(void) {
    struct termios t;
    type("nothing", "");
    type("a line", "hello\n");
    type("half a line", "hal");
    type("the rest", "f\r");
    type("erase", "abc\x7f\x7fxy\n");
    type("erase too much", "a\x7f\x7f\x7f"
                           "b\n");
    type("a word", "one two  \x17three\n");
    type("kill", "wrong\x15right\n");
    type("literal", "a\x16\x03"
                    "b\n");
    type("controls", "\x01\x02\n");
    type("tab", "a\tb\n");
    type("end of file", "\x04");
    type("end of file in a line", "abc\x04");
    type("after that", "def\n\x04");
    show_bytes("  read", slave);
    type("two lines", "one\ntwo\n");
    show_bytes("  read", slave);
    modes(ECHO, 0);
    type("silently", "secret\n");
    modes(0, ECHONL);
    type("but newlines", "secret\n");
    modes(ECHONL, ECHO);
    write(master, "abc", 3);
    show_bytes("  echoed", master);
    modes(ICANON, 0);
    show_bytes("raw, after half a line", slave);
    type("raw", "x\x7f\x04");
    type("raw newline", "\r\n");
    show("output", write(slave, "a\nb\tc\r\n", 7));
    show_bytes("  printed", master);
    tcgetattr(slave, &t);
    t.c_oflag &= ~(tcflag_t)OPOST;
    tcsetattr(slave, TCSANOW, &t);
    show("plain output", write(slave, "a\nb", 3));
    show_bytes("  printed", master);
    t.c_oflag |= OPOST;
    t.c_lflag |= ICANON;
    t.c_iflag |= IGNCR;
    tcsetattr(slave, TCSANOW, &t);
    type("ignored CR", "a\rb\n");
    t.c_iflag &= ~(tcflag_t)IGNCR;
    t.c_cc[VMIN] = 0;
    t.c_lflag &= ~(tcflag_t)ICANON;
    tcsetattr(slave, TCSANOW, &t);
    show_bytes("VMIN 0", slave);
    t.c_cc[VMIN] = 1;
    t.c_lflag |= ICANON;
    tcsetattr(slave, TCSANOW, &t);
    write(master, "flushed\n", 8);
    show_bytes("  echoed", master);
    show("flush", tcflush(slave, TCIFLUSH));
    show_bytes("  read", slave);
    static char large[6000];
    memset(large, 'l', sizeof large - 1);
    modes(ECHO, 0);
    show("a line too long", write(master, large, 5000) == 5000);
    write(master, "\n", 1);
    show_bytes("  read", slave);
    modes(0, ECHO);
}

#define LEADER_S 50 /* a session of its own is out of timeout(1)'s reach */

static volatile sig_atomic_t caught[NSIG]; /* each by itself: on a busy host two come at once */
static void handler(int signal) {
    caught[signal] = 1;
}

/* A job of the leader below: stopped for reading in the background, by ^Z, then let go. */
static void one_job(int own, int report) {
    int status, job = fork();
    char byte;
    if (job == 0) {
        signal(SIGTTOU, SIG_DFL);
        signal(SIGINT, SIG_DFL);
        setpgid(0, 0);
        read(own, &byte, 1); /* in the background: SIGTTIN */
        _exit(write(own, "got it\n", 7));
    }
    setpgid(job, job);
    waitpid(job, &status, WUNTRACED);
    printf("background reader stopped by %d\n", WIFSTOPPED(status) ? WSTOPSIG(status) : 0);
    show("to the foreground", tcsetpgrp(own, job));
    kill(-job, SIGCONT);
    write(report, "j", 1);
    waitpid(job, &status, WUNTRACED);
    printf("job stopped by %d\n", WIFSTOPPED(status) ? WSTOPSIG(status) : 0);
    kill(-job, SIGCONT);
    write(report, "k", 1);
    waitpid(job, &status, WUNTRACED);
    printf("job ended with %d\n", WEXITSTATUS(status));
    show("and back", tcsetpgrp(own, getpid()));
    show("no such group", tcsetpgrp(own, 29999));
    fflush(stdout);
    if ((job = fork()) == 0) { /* changes the modes from the background */
        signal(SIGTTOU, SIG_DFL);
        setpgid(0, 0);
        modes(0, TOSTOP);
        _exit(5);
    }
    setpgid(job, job);
    waitpid(job, &status, WUNTRACED);
    printf("modes in the background: stopped by %d\n", WIFSTOPPED(status) ? WSTOPSIG(status) : 0);
    kill(job, SIGKILL);
    waitpid(job, &status, 0);
}

/* A shell of sorts: a session of its own with this terminal. */
static void session(void) {
    int report[2], status;
    char byte;
    pipe(report);
    fflush(stdout);
    int leader = fork();
    if (leader == 0) {
        alarm(LEADER_S);
        setsid();
        show("no terminal", open("/dev/tty", O_RDWR));
        show("of no session", ioctl(slave, TIOCSPGRP, &leader));
        show("take it", ioctl(slave, TIOCSCTTY, 0));
        int own = open("/dev/tty", O_RDWR);
        show("/dev/tty", own < 0 ? -1 : 0);
        printf("group mine %d, session mine %d\n", tcgetpgrp(own) == getpid(),
               tcgetsid(own) == getpid());
        signal(SIGTTOU, SIG_IGN);
        signal(SIGINT, handler);
        signal(SIGWINCH, handler);
        write(report[1], "r", 1);
        while (!caught[SIGINT])
            usleep(1000);
        printf("interrupted\n");
        while (!caught[SIGWINCH])
            usleep(1000);
        printf("resized\n");
        fflush(stdout);
        one_job(own, report[1]);
        printf("leader goes\n");
        fflush(stdout);
        _exit(7);
    }
    read(report[0], &byte, 1);
    usleep(10000);
    write(master, "\x03", 1);
    show_bytes("^C", master);
    usleep(30000);
    struct winsize size = {30, 90, 0, 0};
    show("resize", ioctl(master, TIOCSWINSZ, &size));
    read(report[0], &byte, 1);
    write(master, "\x1a", 1);
    show_bytes("^Z", master);
    read(report[0], &byte, 1);
    write(master, "line\n", 5);
    waitpid(leader, &status, 0);
    printf("leader ended with %d\n", WEXITSTATUS(status));
    show_bytes("printed", master);
    printf("its group now: %d\n", tcgetpgrp(master));
    close(report[0]), close(report[1]);
}

static void hangup(void) {
    int status, report[2];
    char byte;
    pipe(report);
    fflush(stdout);
    int leader = fork();
    if (leader == 0) {
        alarm(LEADER_S);
        setsid();
        ioctl(slave, TIOCSCTTY, 0);
        signal(SIGHUP, handler);
        close(master);
        write(report[1], "r", 1);
        while (!caught[SIGHUP])
            usleep(1000);
        printf("hung up\n");
        show("read", read(slave, &byte, 1));
        show("write", write(slave, "x", 1));
        show_poll("poll", slave);
        struct termios t;
        show("modes", tcgetattr(slave, &t));
        fflush(stdout);
        _exit(0);
    }
    read(report[0], &byte, 1);
    usleep(10000);
    close(master);
    waitpid(leader, &status, 0);
    close(slave), close(report[0]), close(report[1]);
}

int main(void) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    if (open("/dev/ptmx", O_RDWR | O_NOCTTY) < 0) {
        printf("no pseudo-terminals\n");
        return 1;
    }
    open_both();
    fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
    show_poll("master", master);
    show_poll("slave", slave);
    editing();
    fcntl(slave, F_SETFL, O_RDWR);
    session();
    hangup();
    open_both();
    write(slave, "last words\n", 11);
    close(slave);
    show_poll("slave closed", master);
    show_bytes("left over", master);
    show_bytes("then", master);
    close(master);
    return 0;
}
