/* inside.c: what memory operations cost, seen from inside a program.
 *
 * The same source runs natively, under `quire run` and in a virtual machine, so that the figures
 * stand side by side. Each row is the median of several repetitions, in nanoseconds an operation.
 * Under `quire run`, use --clock host: the question is what the program waits for on this host.
 *
 *   inside [repetitions [megabytes]]           the operations
 *   inside swap MEGABYTES [ACCESSES]           random read-write over that much memory
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE ((size_t)4096)
#define MIB ((size_t)1 << 20)
#define MAX_REPETITIONS 64

static size_t work_bytes = 16 * MIB;

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void die(const char *what) {
    perror(what);
    _exit(1);
}

static char *map_anonymous(size_t nbytes) {
    char *start = mmap(NULL, nbytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED)
        die("mmap");
    return start;
}

static void write_each_page(char *start, size_t nbytes) {
    for (size_t at = 0; at < nbytes; at += PAGE)
        *(volatile char *)(start + at) = 1;
}

static double system_call(void) {
    enum { CALLS = 20000 };
    double start = now_ns();
    for (int i = 0; i < CALLS; i++)
        syscall(SYS_getppid);
    return (now_ns() - start) / CALLS;
}

static double anonymous_write_fault(void) {
    char *start = map_anonymous(work_bytes);
    double begin = now_ns();
    write_each_page(start, work_bytes);
    double each = (now_ns() - begin) / (double)(work_bytes / PAGE);
    munmap(start, work_bytes);
    return each;
}

static double anonymous_read_fault(void) {
    char *start = map_anonymous(work_bytes);
    double begin = now_ns();
    for (size_t at = 0; at < work_bytes; at += PAGE)
        (void)*(volatile char *)(start + at);
    double each = (now_ns() - begin) / (double)(work_bytes / PAGE);
    munmap(start, work_bytes);
    return each;
}

static double unmap_touched_page(void) {
    char *start = map_anonymous(work_bytes);
    write_each_page(start, work_bytes);
    double begin = now_ns();
    munmap(start, work_bytes);
    return (now_ns() - begin) / (double)(work_bytes / PAGE);
}

static double map_and_unmap(void) {
    enum { ROUNDS = 5000 };
    double begin = now_ns();
    for (int i = 0; i < ROUNDS; i++)
        munmap(map_anonymous(PAGE), PAGE);
    return (now_ns() - begin) / ROUNDS;
}

static double map_touch_unmap(void) {
    enum { ROUNDS = 3000 };
    double begin = now_ns();
    for (int i = 0; i < ROUNDS; i++) {
        char *start = map_anonymous(PAGE);
        *(volatile char *)start = 1;
        munmap(start, PAGE);
    }
    return (now_ns() - begin) / ROUNDS;
}

/* fork with touched_bytes mapped; the child ends at once. The whole of fork, exit and wait. */
static double fork_exit_wait(size_t touched_bytes) {
    char *start = touched_bytes ? map_anonymous(touched_bytes) : NULL;
    write_each_page(start, touched_bytes);
    double begin = now_ns();
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    if (child < 0)
        die("fork");
    waitpid(child, NULL, 0);
    double whole = now_ns() - begin;
    if (start)
        munmap(start, touched_bytes);
    return whole;
}

static double fork_small(void) {
    return fork_exit_wait(0);
}

static double fork_large(void) {
    return fork_exit_wait(64 * MIB);
}

/* A write to a page that a child still shares. */
static double copy_on_write_fault(void) {
    int gate[2];
    if (pipe(gate) != 0)
        die("pipe");
    char *start = map_anonymous(work_bytes);
    write_each_page(start, work_bytes);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        close(gate[1]);
        _exit(read(gate[0], &byte, 1) < 0);
    }
    if (child < 0)
        die("fork");
    double begin = now_ns();
    write_each_page(start, work_bytes);
    double each = (now_ns() - begin) / (double)(work_bytes / PAGE);
    close(gate[1]);
    waitpid(child, NULL, 0);
    close(gate[0]);
    munmap(start, work_bytes);
    return each;
}

static const struct {
    const char *name;
    double (*run)(void);
} operations[] = {
    {"getppid", system_call},
    {"anonymous write fault", anonymous_write_fault},
    {"anonymous read fault", anonymous_read_fault},
    {"munmap of a touched page", unmap_touched_page},
    {"mmap + munmap 4 KiB", map_and_unmap},
    {"mmap + touch + munmap 4 KiB", map_touch_unmap},
    {"copy-on-write fault", copy_on_write_fault},
    {"fork + exit + wait, small", fork_small},
    {"fork + exit + wait, 64 MiB", fork_large},
};

static int by_value(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void run_operations(int repetitions) {
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        double results[MAX_REPETITIONS];
        for (int r = 0; r < repetitions; r++)
            results[r] = operations[i].run();
        qsort(results, (size_t)repetitions, sizeof *results, by_value);
        printf("%-28s %12.0f ns\n", operations[i].name, results[repetitions / 2]);
        fflush(stdout);
    }
}

/* Fill every page with what its address says, then read-modify-write random pages and check. */
static int run_swap(size_t nbytes, unsigned long accesses) {
    char *start = map_anonymous(nbytes);
    size_t npages = nbytes / PAGE;
    double begin = now_ns();
    for (size_t page = 0; page < npages; page++) {
        uint64_t *words = (uint64_t *)(void *)(start + page * PAGE);
        for (size_t word = 0; word < PAGE / sizeof *words; word++)
            words[word] = page * 2654435761u ^ word * 0x9E3779B97F4A7C15u;
    }
    printf("%-28s %12.0f ns\n", "first write of a page", (now_ns() - begin) / (double)npages);

    uint64_t random = 88172645463325252u; /* xorshift64, Marsaglia 2003 */
    unsigned long wrong = 0;
    begin = now_ns();
    for (unsigned long i = 0; i < accesses; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        size_t page = random % npages;
        volatile uint64_t *words = (volatile uint64_t *)(void *)(start + page * PAGE);
        words[0]++;
        wrong += words[1] != (page * 2654435761u ^ 0x9E3779B97F4A7C15u);
    }
    printf("%-28s %12.0f ns\n", "random read-write", (now_ns() - begin) / (double)accesses);
    if (wrong)
        printf("%lu wrong values\n", wrong);
    return wrong != 0;
}

int main(int argc, char **argv) {
    if (argc > 2 && strcmp(argv[1], "swap") == 0)
        return run_swap(strtoul(argv[2], NULL, 10) * MIB,
                        argc > 3 ? strtoul(argv[3], NULL, 10) : 200000);
    int repetitions = argc > 1 ? atoi(argv[1]) : 5;
    if (argc > 2)
        work_bytes = strtoul(argv[2], NULL, 10) * MIB;
    if (repetitions < 1 || repetitions > MAX_REPETITIONS || work_bytes < PAGE) {
        fprintf(stderr, "usage: inside [1-%d [megabytes]] | inside swap MEGABYTES [ACCESSES]\n",
                MAX_REPETITIONS);
        return 2;
    }
    run_operations(repetitions);
    return 0;
}
