/* proc_group.c: a guest program: a job of several processes of which one takes all memory. Which of
 * them are alive after the OOM killer has been there?
 *
 *   1 (looks on) ── leader ─┬─ worker ── grandchild
 *     │                     ├─ other      in a group of its own
 *     │                     ├─ protected  oom_score_adj -1000
 *     └─ bystander          └─ hog        takes memory until it dies
 *
 * All but `other`, the bystander and process 1 are in the leader's process group. Each holds the
 * end of a pipe that nobody else has: it is at its end when the process is dead.
 */
#include "proc_test.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB (1ul << 20)

enum who { LEADER, WORKER, GRANDCHILD, OTHER, PROTECTED, HOG, BYSTANDER, PEOPLE };
static const char *const names[] = {"leader",    "worker", "grandchild", "other",
                                    "protected", "hog",    "bystander"};
static int pipes[PEOPLE][2], ready[2], go[2];

static void score(const char *adj) {
    int fd = open("/proc/self/oom_score_adj", O_WRONLY);
    EXPECT(write(fd, adj, strlen(adj)) == (ssize_t)strlen(adj));
    close(fd);
}

/* I am this one: hold my end only, and say that I am there. */
static void become(enum who me) {
    char byte = (char)me;
    for (int i = 0; i < PEOPLE; i++) {
        close(pipes[i][0]);
        if (i != (int)me)
            close(pipes[i][1]);
    }
    if (write(ready[1], &byte, 1) != 1)
        _exit(1);
}

static void rest(void) {
    for (;;)
        pause();
}

static void take_all(void) {
    char byte;
    become(HOG);
    if (read(go[0], &byte, 1) != 1) /* a word from process 1: all are there */
        _exit(1);
    for (;;) {
        char *at = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (size_t i = 0; at != MAP_FAILED && i < MIB; i += 4096)
            at[i] = 1;
    }
}

static void lead(void) {
    setpgid(0, 0);
    if (fork() == 0) {
        if (fork() == 0) {
            become(GRANDCHILD);
            rest();
        }
        become(WORKER);
        rest();
    }
    if (fork() == 0) {
        setpgid(0, 0);
        become(OTHER);
        rest();
    }
    if (fork() == 0) {
        score("-1000");
        become(PROTECTED);
        rest();
    }
    if (fork() == 0)
        take_all();
    become(LEADER);
    rest();
}

int main(void) {
    char byte;
    setvbuf(stdout, NULL, _IONBF, 0);
    score("-1000");
    EXPECT(pipe(ready) == 0 && pipe(go) == 0);
    for (int i = 0; i < PEOPLE; i++)
        EXPECT(pipe(pipes[i]) == 0);
    if (fork() == 0) {
        score("0");
        lead();
    }
    if (fork() == 0) {
        score("0");
        become(BYSTANDER);
        rest();
    }
    for (int i = 0; i < PEOPLE; i++) {
        close(pipes[i][1]);
        EXPECT(read(ready[0], &byte, 1) == 1);
    }
    EXPECT(write(go[1], &byte, 1) == 1);
    EXPECT(read(pipes[HOG][0], &byte, 1) == 0); /* it has died */
    for (int i = 0; i < PEOPLE; i++) {
        struct pollfd end = {.fd = pipes[i][0], .events = POLLIN};
        poll(&end, 1, 1000); /* of the machine's clock: a killed one ends when its turn comes */
        printf("%s %s\n", names[i], end.revents & POLLHUP ? "dead" : "alive");
    }
    kill(-1, SIGKILL);
    while (wait(NULL) > 0)
        ;
    return failures != 0;
}
