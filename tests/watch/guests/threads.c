/* threads: four of them, each with pages of its own and pages that all use; on several harts a page
 * is then in several TLBs. Run by tests/run/curves.sh. */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#define PAGE    4096
#define PAGES   1200
#define THREADS 4

static char *array;

static void *work(void *argument) {
    uint64_t state = 88172645463325252u + (uintptr_t)argument;
    for (unsigned i = 0; i < 6000; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        __atomic_fetch_add(&array[state % PAGES * PAGE], 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&array[state % 7 * PAGE], 1, __ATOMIC_RELAXED);
        array[(i % 300 + 300 * (uintptr_t)argument) * PAGE + 8]++;
    }
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    array = malloc((PAGES + 1) * PAGE);
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, (void *)i);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}
