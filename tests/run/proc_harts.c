/* proc_harts.c: a guest program: what several processors must agree on. Atomics of all sizes,
 * locks, barriers, and mappings that one thread changes while others have used them: nobody may get
 * through by what his processor remembers. It holds with any number of processors, and says the
 * same.
 */
#include "proc_test.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 6
#define COUNTS  20000
#define ROUNDS  60
#define PAGE    4096
#define PAGES   4

static pthread_barrier_t all;
static long failed[THREADS]; /* each thread's own: EXPECT's counter is nobody's */
#define HOLDS(me, condition)                                          \
    do {                                                              \
        if (!(condition) && failed[me]++ == 0)                        \
            printf("thread %ld: %s does not hold\n", me, #condition); \
    } while (0)

static void with_threads(void *(*work)(void *)) {
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        EXPECT(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
    for (long i = 0; i < THREADS; i++) {
        EXPECT(pthread_join(threads[i], NULL) == 0);
        failures += failed[i] != 0;
        failed[i] = 0;
    }
}

/* ---- atomics and locks ----------------------------------------------------------------------- */

static _Atomic uint64_t wide;
static _Atomic uint32_t word, swapped;
static _Atomic uint8_t bytes[8]; /* made of lr and sc on the word around */
static atomic_flag spin = ATOMIC_FLAG_INIT;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long plain, spun;

static void *count_up(void *argument) {
    long me = (long)argument;
    for (long i = 0; i < COUNTS; i++) {
        uint64_t seen = atomic_load(&wide);
        while (!atomic_compare_exchange_weak(&wide, &seen, seen + 3))
            ;
        atomic_fetch_add(&word, 1);
        atomic_fetch_xor(&swapped, (uint32_t)(i * THREADS + me));
        atomic_fetch_add(&bytes[me], 1);
        if (i % 16 == 0) {
            while (atomic_flag_test_and_set_explicit(&spin, memory_order_acquire))
                sched_yield();
            spun++;
            atomic_flag_clear_explicit(&spin, memory_order_release);
            pthread_mutex_lock(&mutex);
            plain++;
            pthread_mutex_unlock(&mutex);
        }
    }
    return NULL;
}

static void test_atomics(void) {
    with_threads(count_up);
    printf("%llu %u %x %ld %ld", (unsigned long long)wide, word, swapped, plain, spun);
    for (int i = 0; i < THREADS; i++)
        printf(" %u", bytes[i]);
    printf("\n");
}

/* Whoever waits by looking only must see it in the end, though nobody calls the kernel. */
static _Atomic int stage;

static void *relay(void *argument) {
    int me = (int)(long)argument;
    for (int round = 0; round < 20; round++) {
        while (atomic_load_explicit(&stage, memory_order_acquire) != round * THREADS + me)
            ;
        atomic_store_explicit(&stage, round * THREADS + me + 1, memory_order_release);
    }
    return NULL;
}

/* Dekker's: with a full barrier on either side, one of two sees the other. */
static _Atomic int flags[2], both_blind;

static void *dekker(void *argument) {
    long me = (long)argument;
    for (int round = 0; round < 2000; round++) {
        if (me < 2) {
            atomic_store_explicit(&flags[me], round + 1, memory_order_relaxed);
            atomic_thread_fence(memory_order_seq_cst);
            if (atomic_load_explicit(&flags[1 - me], memory_order_relaxed) <= round)
                atomic_fetch_add(&both_blind, 1);
        }
        pthread_barrier_wait(&all);
        if (me == 0) {
            HOLDS(me, atomic_load(&both_blind) <= 1);
            atomic_store(&both_blind, 0);
        }
        pthread_barrier_wait(&all);
    }
    return NULL;
}

static void test_orders(void) {
    with_threads(relay);
    EXPECT(atomic_load(&stage) == 20 * THREADS);
    with_threads(dekker);
    EXPECT(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) > 0);
    EXPECT(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0);
    EXPECT(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 1, 0) == -1 && errno == EINVAL);
    EXPECT(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0);
    EXPECT(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0);
}

/* ---- mappings -------------------------------------------------------------------------------- */

static unsigned char *pages;
static __thread sigjmp_buf back;
static _Atomic long faults, wrong_faults;

static void on_fault(int signal, siginfo_t *info, void *context) {
    uintptr_t at = (uintptr_t)info->si_addr - (uintptr_t)pages;
    (void)signal, (void)context;
    atomic_fetch_add(at < PAGES * PAGE ? &faults : &wrong_faults, 1);
    siglongjmp(back, 1);
}

/* 1 if the store got through. */
static int try_store(volatile unsigned char *at, unsigned char value) {
    if (sigsetjmp(back, 1))
        return 0;
    *at = value;
    return 1;
}

static int try_load(volatile unsigned char *at, unsigned char *value) {
    if (sigsetjmp(back, 1))
        return 0;
    *value = *at;
    return 1;
}

/* Everybody uses all pages, so that each processor knows them; then one changes them; then all
 * look.
 */
static void use_pages(long me) {
    for (int i = 0; i < PAGES; i++)
        HOLDS(me, try_store(&pages[i * PAGE + me], (unsigned char)(me + 1)));
    pthread_barrier_wait(&all);
}

#define BY_ONE(me, round, change)        \
    do {                                 \
        if ((me) == (round) % THREADS) { \
            change;                      \
        }                                \
        pthread_barrier_wait(&all);      \
    } while (0)

static void *change_rights(void *argument) {
    long me = (long)argument;
    unsigned char seen;
    for (int round = 0; round < ROUNDS; round++) {
        use_pages(me);
        BY_ONE(me, round, mprotect(pages, PAGES * PAGE, PROT_READ));
        for (int i = 0; i < PAGES; i++) {
            HOLDS(me, !try_store(&pages[i * PAGE + me], 99));
            HOLDS(me, try_load(&pages[i * PAGE + me], &seen) && seen == me + 1);
        }
        pthread_barrier_wait(&all);
        BY_ONE(me, round, mprotect(pages, PAGES * PAGE, PROT_READ | PROT_WRITE));
    }
    return NULL;
}

static void *unmap_and_map(void *argument) {
    long me = (long)argument;
    unsigned char seen;
    for (int round = 0; round < ROUNDS; round++) {
        use_pages(me);
        BY_ONE(me, round, munmap(pages + PAGE, 2 * PAGE));
        HOLDS(me, !try_load(&pages[PAGE + me], &seen) && !try_store(&pages[2 * PAGE + me], 1));
        HOLDS(me, try_load(&pages[3 * PAGE + me], &seen) && seen == me + 1);
        pthread_barrier_wait(&all);
        BY_ONE(me, round,
               mmap(pages, 3 * PAGE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
        for (int i = 0; i < 3; i++)
            HOLDS(me, try_load(&pages[i * PAGE + me], &seen) && seen == 0);
        pthread_barrier_wait(&all);
        use_pages(me);
        BY_ONE(me, round + 1, madvise(pages, PAGES * PAGE, MADV_DONTNEED));
        HOLDS(me, try_load(&pages[3 * PAGE + me], &seen) && seen == 0);
        pthread_barrier_wait(&all);
    }
    return NULL;
}

/* After a fork every processor must copy before it writes: the child sees what was there. */
static void *fork_and_write(void *argument) {
    long me = (long)argument;
    static int ask[2];
    static pid_t child;
    int status = 0;
    for (int round = 0; round < ROUNDS / 4; round++) {
        char go = 0;
        use_pages(me);
        if (me == round % THREADS) {
            HOLDS(me, pipe(ask) == 0);
            child = fork();
            if (child == 0) {
                close(ask[1]);
                int good = read(ask[0], &go, 1) == 1;
                for (int i = 0; i < PAGES * THREADS; i++)
                    good &= pages[i / THREADS * PAGE + i % THREADS] == i % THREADS + 1;
                _exit(good ? 0 : 1);
            }
            close(ask[0]);
        }
        pthread_barrier_wait(&all);
        for (int i = 0; i < PAGES; i++)
            HOLDS(me, try_store(&pages[i * PAGE + me], 200));
        pthread_barrier_wait(&all);
        BY_ONE(me, round, {
            HOLDS(me, write(ask[1], &go, 1) == 1);
            HOLDS(me, waitpid(child, &status, 0) == child && status == 0);
            close(ask[1]);
        });
    }
    return NULL;
}

static void test_mappings(void) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    EXPECT(sigaction(SIGSEGV, &action, NULL) == 0);
    pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(pages != MAP_FAILED);
    with_threads(change_rights);
    printf("%ld faults by mprotect\n", atomic_exchange(&faults, 0));
    with_threads(unmap_and_map);
    printf("%ld faults by munmap\n", atomic_exchange(&faults, 0));
    with_threads(fork_and_write);
    printf("%ld faults by fork, %ld elsewhere\n", atomic_load(&faults), atomic_load(&wrong_faults));
}

/* ---- processors ------------------------------------------------------------------------------ */

static void *stay_on_one(void *argument) {
    long me = (long)argument, n = 0;
    cpu_set_t mine, one;
    HOLDS(me, sched_getaffinity(0, sizeof mine, &mine) == 0);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &mine))
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        HOLDS(me, sched_setaffinity(0, sizeof one, &one) == 0);
        for (int i = 0; i < 20; i++) {
            HOLDS(me, sched_getcpu() == cpu);
            if (i % 5 == 0)
                usleep(200);
        }
        HOLDS(me, sched_getaffinity(0, sizeof one, &one) == 0 && CPU_COUNT(&one) == 1);
        n++;
    }
    HOLDS(me, n == CPU_COUNT(&mine));
    CPU_ZERO(&one);
    HOLDS(me, sched_setaffinity(0, sizeof one, &one) == -1 && errno == EINVAL);
    HOLDS(me, sched_getaffinity(0, 4, &one) == -1 && errno == EINVAL);
    HOLDS(me, sched_setaffinity(0, sizeof mine, &mine) == 0);
    return NULL;
}

static void test_processors(void) {
    cpu_set_t mine;
    EXPECT(sched_getaffinity(0, sizeof mine, &mine) == 0);
    EXPECT(CPU_COUNT(&mine) <= sysconf(_SC_NPROCESSORS_ONLN));
    EXPECT(sysconf(_SC_NPROCESSORS_ONLN) <= sysconf(_SC_NPROCESSORS_CONF));
    with_threads(stay_on_one);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    EXPECT(pthread_barrier_init(&all, NULL, THREADS) == 0);
    test_atomics();
    test_orders();
    test_mappings();
    test_processors();
    return report("proc_harts");
}
