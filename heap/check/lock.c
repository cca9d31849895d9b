/* lock.c: one mutex around the checker, which forks well: as heap/host/port.c, and why is there. */
#include <pthread.h>

#include "heap/check/check.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static __thread char inside __attribute__((tls_model("initial-exec")));
static __thread char forking __attribute__((tls_model("initial-exec")));

bool check_enter(void) {
    if (inside) {
        return false;
    }
    if (!forking) {
        pthread_mutex_lock(&mutex);
    }
    inside = 1;
    check_start();
    return true;
}

void check_leave(void) {
    inside = 0;
    if (!forking) {
        pthread_mutex_unlock(&mutex);
    }
}

static void before_fork(void) {
    pthread_mutex_lock(&mutex);
    forking = 1;
}

static void after_fork(void) {
    forking = 0;
    pthread_mutex_unlock(&mutex);
}

static void child_of_fork(void) {
    forking = 0;
    pthread_mutex_init(&mutex, NULL);
}

__attribute__((constructor)) static void watch_forks(void) {
    pthread_atfork(before_fork, after_fork, child_of_fork);
}
