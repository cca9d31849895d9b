/* port.c: the port over this process: sbrk, mmap, one mutex.
 *
 * The lock. Between fork's preparation and its end the forking thread holds the lock, so that the
 * child gets a heap that nobody is in the middle of changing; the other handlers of pthread_atfork
 * that run meanwhile may allocate, in that thread. So the lock knows the thread that forks, and
 * lets it pass. The child makes the mutex anew, for it has no other threads. While the process has
 * only one thread, and the C library says so (glibc from 2.32 on), there is nobody to be locked
 * out.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* mremap, sbrk */
#endif
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "heap/host/host.h"

#if defined __has_include
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define ALONE() (__libc_single_threaded != 0)
#endif
#endif
#ifndef ALONE
#define ALONE() 0
#endif

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* The thread that is inside fork: its own mark, in storage that exists before any allocation. */
static __thread char forking __attribute__((tls_model("initial-exec")));

static void lock(void *context) {
    (void)context;
    if (!forking && !ALONE()) {
        pthread_mutex_lock(&mutex);
    }
}

static void unlock(void *context) {
    (void)context;
    if (!forking && !ALONE()) {
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

/* Early, so that these are the last handlers before fork and the first after it. */
__attribute__((constructor)) static void watch_forks(void) {
    pthread_atfork(before_fork, after_fork, child_of_fork);
}

static uint64_t grow(void *context, int64_t delta_bytes) {
    (void)context;
    if (delta_bytes > INTPTR_MAX || delta_bytes < -INTPTR_MAX) {
        return 0;
    }
    void *end = sbrk((intptr_t)delta_bytes);
    return end == (void *)-1 ? 0 : (uintptr_t)end;
}

static uint64_t map(void *context, uint64_t bytes) {
    (void)context;
    if (bytes > PTRDIFF_MAX) {
        return 0;
    }
    void *at =
        mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return at == MAP_FAILED ? 0 : (uintptr_t)at;
}

static bool unmap(void *context, uint64_t at, uint64_t bytes) {
    (void)context;
    return munmap((void *)(uintptr_t)at, (size_t)bytes) == 0;
}

static uint64_t remap(void *context, uint64_t at, uint64_t old_bytes, uint64_t new_bytes) {
    (void)context;
    if (new_bytes > PTRDIFF_MAX) {
        return 0;
    }
    void *moved =
        mremap((void *)(uintptr_t)at, (size_t)old_bytes, (size_t)new_bytes, MREMAP_MAYMOVE);
    return moved == MAP_FAILED ? 0 : (uintptr_t)moved;
}

static void discard(void *context, uint64_t at, uint64_t bytes) {
    (void)context;
    (void)madvise((void *)(uintptr_t)at, (size_t)bytes, MADV_DONTNEED);
}

/* With write(2), for stdio may allocate. */
static void mistake(void *context, const char *what, uint64_t address) {
    char line[160] = "quire: free or realloc of 0x";
    size_t length = strlen(line);

    (void)context;
    for (int shift = 60; shift >= 0; shift -= 4) {
        if (address >> shift != 0 || shift == 0) {
            line[length++] = "0123456789abcdef"[address >> shift & 15];
        }
    }
    length += (size_t)(stpncpy(line + length, ": ", 3) - (line + length));
    length += (size_t)(stpncpy(line + length, what, sizeof line - length - 1) - (line + length));
    line[length++] = '\n';
    (void)!write(STDERR_FILENO, line, length);
    abort();
}

void quire_heap_port_host(struct quire_heap_port *port) {
    *port = (struct quire_heap_port){
        .grow = grow,
        .map = map,
        .unmap = unmap,
        .remap = remap,
        .discard = discard,
        .lock = lock,
        .unlock = unlock,
        .mistake = mistake,
    };
}
