/* proc_threads.c: a guest program for harts.sh: threads that compute, sleep or spin, and what the
 * system says of its processors. Prints microseconds of the clock.
 *
 *     busy N     N threads compute the same; how long until all have
 *     sleep N    N threads sleep a millisecond
 *     pinned H   on each of H processors two that spin, and one that must get its share
 *     count H    H processors, wherever one asks
 */
#include "proc_test.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 200
#define LOOPS       3000000L

static uint64_t now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static void *compute(void *argument) {
    volatile long sum = 0;
    for (long i = 0; i < LOOPS; i++)
        sum += i;
    return argument;
}

static void *sleep_a_while(void *argument) {
    struct timespec time = {0, 1000000};
    nanosleep(&time, NULL);
    return argument;
}

static void run(int n, void *(*work)(void *)) {
    pthread_t threads[THREADS_MAX];
    uint64_t begin = now_us();
    for (int i = 0; i < n; i++)
        EXPECT(pthread_create(&threads[i], NULL, work, NULL) == 0);
    for (int i = 0; i < n; i++)
        EXPECT(pthread_join(threads[i], NULL) == 0);
    printf("%llu\n", (unsigned long long)(now_us() - begin));
}

/* ---- pinned ---------------------------------------------------------------------------------- */

static _Atomic int done, stop;

static void pin(long cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((int)cpu, &set);
    EXPECT(sched_setaffinity(0, sizeof set, &set) == 0);
}

static void *spin(void *argument) {
    if ((long)argument >= 0)
        pin((long)argument);
    while (!atomic_load_explicit(&stop, memory_order_relaxed))
        ;
    return NULL;
}

static void *share(void *argument) {
    pin((long)argument);
    compute(NULL);
    EXPECT(sched_getcpu() == (long)argument);
    atomic_fetch_add(&done, 1);
    return NULL;
}

/* Two that spin on each processor, one of them anywhere, and one with work. */
static void pinned(long n) {
    pthread_t threads[THREADS_MAX];
    for (long i = 0; i < n; i++) {
        EXPECT(pthread_create(&threads[3 * i], NULL, spin, (void *)i) == 0);
        EXPECT(pthread_create(&threads[3 * i + 1], NULL, spin, (void *)-1L) == 0);
        EXPECT(pthread_create(&threads[3 * i + 2], NULL, share, (void *)i) == 0);
    }
    while (atomic_load(&done) < n)
        ;
    atomic_store(&stop, 1);
    for (long i = 0; i < 3 * n; i++)
        EXPECT(pthread_join(threads[i], NULL) == 0);
}

/* ---- count ----------------------------------------------------------------------------------- */

static long lines_with(const char *path, const char *start) {
    char line[4096];
    long count = 0;
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        count += strncmp(line, start, strlen(start)) == 0;
    if (file)
        fclose(file);
    return count;
}

static void expect_text(const char *path, const char *want) {
    char text[100] = "";
    FILE *file = fopen(path, "r");
    EXPECT(file && fgets(text, sizeof text, file) && strcmp(text, want) == 0);
    if (file)
        fclose(file);
}

static void count(long n) {
    cpu_set_t set;
    char list[32], status[64];
    unsigned cpu = 99, node = 99;
    EXPECT(sysconf(_SC_NPROCESSORS_ONLN) == n && sysconf(_SC_NPROCESSORS_CONF) == n);
    EXPECT(sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) == n);
    EXPECT(getcpu(&cpu, &node) == 0 && cpu < n && node == 0);
    EXPECT(lines_with("/proc/cpuinfo", "processor") == n);
    EXPECT(lines_with("/proc/stat", "cpu") == n + 1);
    EXPECT(lines_with("/proc/vmstat", "nr_tlb_remote_flush ") == 1);
    snprintf(list, sizeof list, n == 1 ? "0\n" : "0-%ld\n", n - 1);
    expect_text("/sys/devices/system/cpu/online", list);
    expect_text("/sys/devices/system/cpu/possible", list);
    snprintf(status, sizeof status, "Cpus_allowed_list:\t%s", list);
    EXPECT(lines_with("/proc/self/status", status) == 1);
    DIR *directory = opendir("/sys/devices/system/cpu");
    long directories = 0;
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        directories += strncmp(entry->d_name, "cpu", 3) == 0;
    EXPECT(directories == n);
    snprintf(list, sizeof list, "%ld\n", n - 1);
    snprintf(status, sizeof status, "/sys/devices/system/cpu/cpu%ld/topology/core_id", n - 1);
    expect_text(status, list);
    snprintf(status, sizeof status, "/sys/devices/system/cpu/cpu%ld", n);
    EXPECT(access(status, F_OK) == -1);
}

int main(int argc, char **argv) {
    long n = argc > 2 ? atol(argv[2]) : 0;
    if (n < 1 || n > THREADS_MAX / 3)
        return 2;
    if (strcmp(argv[1], "busy") == 0)
        run((int)n, compute);
    else if (strcmp(argv[1], "sleep") == 0)
        run((int)n, sleep_a_while);
    else if (strcmp(argv[1], "pinned") == 0)
        pinned(n);
    else
        count(n);
    return failures != 0;
}
