/* proc_thread.c: a guest program: threads, locks, time-outs, exec and exit with threads around. */
#include "proc_test.h"

#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8
#define ROUNDS  2000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long counter, turn;
static __thread long own;

static void *count(void *argument) {
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&lock);
        long value = counter;
        if (i % 64 == 0)
            sched_yield();
        counter = value + 1;
        pthread_mutex_unlock(&lock);
        own++;
    }
    return own == ROUNDS ? argument : NULL;
}

static void *take_turns(void *argument) {
    long mine = (long)argument;
    for (int i = 0; i < 50; i++) {
        pthread_mutex_lock(&lock);
        while (turn % THREADS != mine)
            pthread_cond_wait(&changed, &lock);
        turn++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void locks(void) {
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        EXPECT(pthread_create(&threads[i], NULL, count, (void *)(i + 1)) == 0);
    for (long i = 0; i < THREADS; i++) {
        void *result;
        EXPECT(pthread_join(threads[i], &result) == 0 && result == (void *)(i + 1));
    }
    EXPECT(counter == THREADS * ROUNDS);
    for (long i = 0; i < THREADS; i++)
        EXPECT(pthread_create(&threads[i], NULL, take_turns, (void *)i) == 0);
    for (long i = 0; i < THREADS; i++)
        EXPECT(pthread_join(threads[i], NULL) == 0);
    EXPECT(turn == THREADS * 50);
}

static void timeouts(void) {
    struct timespec until, now;
    pthread_mutex_lock(&lock);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 20000000;
    if (until.tv_nsec >= 1000000000)
        until.tv_nsec -= 1000000000, until.tv_sec++;
    EXPECT(pthread_cond_timedwait(&changed, &lock, &until) == ETIMEDOUT);
    clock_gettime(CLOCK_REALTIME, &now);
    EXPECT(now.tv_sec > until.tv_sec ||
           (now.tv_sec == until.tv_sec && now.tv_nsec >= until.tv_nsec));
    pthread_mutex_unlock(&lock);
    int word = 1;
    EXPECT(syscall(SYS_futex, &word, 0, 2, NULL, NULL, 0) == -1 && errno == EAGAIN);
    EXPECT(syscall(SYS_futex, &word, 1, 5, NULL, NULL, 0) == 0);
    EXPECT(syscall(SYS_futex, (char *)&word + 1, 0, 1, NULL, NULL, 0) == -1 && errno == EINVAL);
    EXPECT(syscall(SYS_futex, &word, 9, 1, NULL, NULL, 0) == -1 && errno == EINVAL);
}

/* A semaphore in shared memory works between processes. */
static void between_processes(void) {
    sem_t *semaphores = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status, *word = (int *)(semaphores + 2);
    sem_init(&semaphores[0], 1, 0);
    sem_init(&semaphores[1], 1, 0);
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 100; i++) {
            sem_wait(&semaphores[0]);
            ++*word;
            sem_post(&semaphores[1]);
        }
        _exit(0);
    }
    for (int i = 0; i < 100; i++) {
        sem_post(&semaphores[0]);
        sem_wait(&semaphores[1]);
        EXPECT(*word == i + 1);
    }
    EXPECT(waitpid(pid, &status, 0) == pid && status == 0);
}

static void *sleep_long(void *argument) {
    sleep(100);
    return argument;
}

static void *execute(void *argument) {
    char *arguments[] = {"/proc/self/exe", "executed", NULL};
    execv(arguments[0], arguments);
    return argument;
}

static void *leave(void *argument) {
    _exit((int)(long)argument);
}

static void in_child(void *(*what)(void *), int expected) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, sleep_long, NULL);
        pthread_create(&thread, NULL, what, (void *)(long)expected);
        sleep(100);
        _exit(99);
    }
    EXPECT(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    EXPECT(WEXITSTATUS(status) == expected);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "executed") == 0)
        return getpid() == syscall(SYS_gettid) ? 43 : 44; /* the new program leads its threads */
    locks();
    timeouts();
    between_processes();
    in_child(execute, 43);
    in_child(leave, 17);
    return report("thread");
}
