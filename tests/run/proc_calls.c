/* proc_calls.c: a guest program: system calls with random arguments. Nothing is expected of them
 * but that the machine goes on: whatever a program asks, only the program may suffer.
 *
 *   proc_calls SEED ROUNDS
 *
 * Each round is a child that makes 40 random calls and usually dies of one. Paths are one harmless
 * name, so that the files of a scratch root are all that can be hurt.
 */
#include "proc_test.h"

#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS_A_ROUND 40
#define NUMBERS       470

static uint64_t state;

static uint64_t draw(void) {
    uint64_t x = (state += UINT64_C(0x9E3779B97F4A7C15));
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

static char *page; /* the last byte before a hole is page[4095] */

static uint64_t argument(void) {
    static const uint64_t odd[] = {
        0,    1,      2,          3,          4096,       4097,           0xfff,
        8,    100,    0x7fffffff, 0x80000000, 0xffffffff, UINT64_MAX,     UINT64_MAX - 4095,
        0x22, 0x8000, 1ul << 47,  1ul << 63,  65536,      1ul << 47 >> 1,
    };
    switch (draw() % 8) {
    case 0:
        return draw();
    case 1:
        return draw() >> draw() % 64;
    case 2:
        return (uint64_t)page + draw() % 4096;
    case 3:
        return (uint64_t)page + 4096 - draw() % 64; /* runs into the hole */
    case 4:
        return (uint64_t)page;
    case 5:
        return draw() % 12; /* a descriptor, a small number */
    default:
        return odd[draw() % (sizeof odd / sizeof odd[0])];
    }
}

/* Left out: what would only make the test wait, or end the round before it began. */
static int unwanted(uint64_t number) {
    return number == SYS_exit || number == SYS_exit_group || number == SYS_rt_sigsuspend ||
           number == SYS_ppoll || number == SYS_pselect6 || number == SYS_nanosleep ||
           number == SYS_clock_nanosleep || number == SYS_rt_sigtimedwait || number == SYS_kill ||
           number == SYS_tkill || number == SYS_tgkill || number == SYS_clone || number == SYS_sync;
}

static void one_round(void) {
    signal(SIGALRM, SIG_DFL);
    for (int i = 0; i < 5; i++)
        close(i); /* nothing to wait for, nothing to disturb */
    ualarm(200000, 0);
    for (int i = 0; i < CALLS_A_ROUND; i++) {
        uint64_t number = draw() % NUMBERS, args[6];
        for (int j = 0; j < 6; j++)
            args[j] = argument();
        for (int j = 0; j < 64; j++)
            ((uint64_t *)page)[draw() % 512] = argument();
        if (draw() % 2)
            memcpy(page, "proc_calls.file", 16);
        if (!unwanted(number))
            syscall((long)number, args[0], args[1], args[2], args[3], args[4], args[5]);
    }
    _exit(0);
}

int main(int argc, char **argv) {
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    int rounds = argc > 2 ? atoi(argv[2]) : 200;
    page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page + 4096, 4096);
    for (int i = 0; i < rounds; i++) {
        state = seed * 1000003 + (uint64_t)i;
        pid_t pid = fork();
        if (pid == 0)
            one_round();
        int status;
        EXPECT(waitpid(pid, &status, 0) == pid);
    }
    return report("calls");
}
