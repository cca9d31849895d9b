/* process.c: the heap of this process: what malloc(3) promises, threads, fork, reports. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <quire/heap.h>

#include "../unit/random.h"

static void audit(void) {
    const char *wrong = quire_heap_audit(quire_malloc_heap());

    if (wrong != NULL) {
        fail_msg("audit: %s", wrong);
    }
}

static void refusals(void **state) {
    void *out = &out;
    volatile size_t huge = PTRDIFF_MAX, half = SIZE_MAX / 2 + 1;
    (void)state;

    errno = 0;
    assert_null(quire_malloc(huge));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(quire_calloc(half, 2));
    assert_int_equal(errno, ENOMEM);
    char *kept = quire_malloc(10);
    kept[9] = 3;
    errno = 0;
    assert_null(quire_reallocarray(kept, half, 2));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(quire_realloc(kept, huge));
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(kept[9], 3);
    assert_int_equal(quire_posix_memalign(&out, 3, 10), EINVAL);
    assert_int_equal(quire_posix_memalign(&out, 4, 10), EINVAL);
    assert_int_equal(quire_posix_memalign(&out, 64, huge), ENOMEM);
    assert_ptr_equal(out, &out); /* untouched by a refusal */
    errno = 0;
    assert_null(quire_aligned_alloc(24, 10));
    assert_int_equal(errno, EINVAL);
    errno = 0;
    assert_null(quire_memalign(half + 1, 10));
    assert_int_equal(errno, EINVAL);
    errno = 0;
    assert_null(quire_pvalloc(SIZE_MAX - 10));
    assert_int_equal(errno, ENOMEM);
    errno = 7;
    quire_free(kept);
    quire_free(NULL);
    assert_int_equal(errno, 7);
    assert_null(quire_realloc(quire_malloc(5), 0)); /* frees */
    audit();
}

static void all_kinds(void **state) {
    void *out;
    (void)state;

    assert_int_equal(quire_posix_memalign(&out, 4096, 5), 0);
    assert_int_equal((uintptr_t)out % 4096, 0);
    quire_free(out);
    out = quire_memalign(48, 5); /* the next power of two */
    assert_int_equal((uintptr_t)out % 64, 0);
    quire_free(out);
    out = quire_memalign(0, 5);
    assert_non_null(out);
    quire_free(out);
    out = quire_aligned_alloc(256, 256);
    assert_int_equal((uintptr_t)out % 256, 0);
    quire_free(out);
    out = quire_valloc(1);
    assert_int_equal((uintptr_t)out % 4096, 0);
    quire_free(out);
    out = quire_pvalloc(1);
    assert_int_equal((uintptr_t)out % 4096, 0);
    assert_true(quire_malloc_usable_size(out) >= 4096);
    quire_free(out);
    void *nothing = quire_malloc(0), *other = quire_malloc(0);
    assert_true(nothing != NULL && nothing != other);
    quire_free(nothing);
    quire_free(other);
    quire_free(quire_reallocarray(NULL, 3, 5));
    audit();
}

static void options(void **state) {
    (void)state;
    assert_int_equal(quire_mallopt(M_PERTURB, 0x15a), 1);
    unsigned char *block = quire_malloc(64);
    assert_int_equal(block[63], 0xa5);
    assert_int_equal(quire_mallopt(M_PERTURB, 0), 1);
    quire_free(block);
    assert_int_equal(quire_mallopt(M_MXFAST, 64), 1);
    assert_int_equal(quire_mallopt(M_ARENA_MAX, 1), 1);
    assert_int_equal(quire_mallopt(M_MMAP_THRESHOLD, 64 << 20), 0);
    assert_int_equal(quire_mallopt(M_MMAP_THRESHOLD, -1), 0);
    assert_int_equal(quire_mallopt(12345, 0), 0);
    assert_int_equal(quire_mallopt(M_TRIM_THRESHOLD, -1), 1);
    struct quire_heap_figures f;
    quire_heap_measure(quire_malloc_heap(), &f);
    assert_true(f.trim_threshold == UINT64_MAX);
    assert_int_equal(quire_mallopt(M_TRIM_THRESHOLD, 128 << 10), 1);
    (void)quire_malloc_trim(0);
}

/* XML that names each free size, and the lines of malloc_stats. */
static void reports(void **state) {
    char text[65536];
    FILE *stream = tmpfile();
    (void)state;

    void *hole = quire_malloc(1000), *wall = quire_malloc(1000), *big = quire_malloc(4 << 20);
    quire_free(hole);
    assert_int_equal(quire_malloc_info(1, stream), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(quire_malloc_info(0, stream), 0);
    rewind(stream);
    text[fread(text, 1, sizeof text - 1, stream)] = 0;
    fclose(stream);
    assert_non_null(strstr(text, "<malloc version=\"1\">"));
    assert_non_null(strstr(text, "<total type=\"mmap\" count=\"1\""));
    assert_non_null(strstr(text, "<size from="));
    assert_non_null(strstr(text, "</malloc>\n"));

    int saved = dup(STDERR_FILENO), ends[2];
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    quire_malloc_stats();
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    ssize_t got = read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    assert_true(got > 0);
    text[got] = 0;
    assert_non_null(strstr(text, "Arena 0:\n"));
    assert_non_null(strstr(text, "max mmap regions = "));
    assert_non_null(strstr(text, "fragmentation    = "));
    quire_free(wall);
    quire_free(big);
}

/* ---- threads ----------------------------------------------------------------------------------
 */

#define THREADS 4
#define SLOTS   64

/* Blocks that all threads hand around: each slot is exchanged atomically, so that a block that one
 * thread wrote is checked and freed by another. */
static _Atomic(unsigned char *) slots[SLOTS];

static unsigned char *make(uint64_t *random) {
    size_t bytes = 2 + next_random(random) % (next_random(random) % 50 == 0 ? 300000 : 700);
    unsigned char *block = next_random(random) % 4 ? quire_malloc(bytes) : quire_calloc(1, bytes);

    if (block == NULL) {
        abort();
    }
    block[0] = (unsigned char)bytes;
    block[bytes - 1] = (unsigned char)bytes;
    return block;
}

static void *trade(void *argument) {
    uint64_t random = (uintptr_t)argument + 99;

    for (int i = 0; i < 20000; i++) {
        unsigned char *block = make(&random);
        block = atomic_exchange(&slots[next_random(&random) % SLOTS], block);
        if (block != NULL && next_random(&random) % 3 == 0) {
            unsigned char first = block[0];
            block = quire_realloc(block, 1 + next_random(&random) % 900);
            if (block == NULL || block[0] != first) {
                abort();
            }
        }
        quire_free(block);
    }
    return NULL;
}

static void threads(void **state) {
    pthread_t thread[THREADS];
    (void)state;

    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, trade, (void *)i), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
    }
    for (int i = 0; i < SLOTS; i++) {
        quire_free(atomic_exchange(&slots[i], NULL));
    }
    audit();
}

/* ---- fork -------------------------------------------------------------------------------------
 */

static atomic_bool enough;

static void *churn(void *argument) {
    uint64_t random = (uintptr_t)argument + 7;

    while (!enough) {
        quire_free(make(&random));
    }
    return NULL;
}

/* A handler that allocates while fork holds the lock. */
static void handler(void) {
    quire_free(quire_malloc(100));
}

/* Forks while others allocate: each child has a heap that is whole and not locked. */
static void forks(void **state) {
    pthread_t thread[2];
    (void)state;

    assert_int_equal(pthread_atfork(handler, handler, handler), 0);
    enough = false;
    for (uintptr_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, churn, (void *)i), 0);
    }
    for (int i = 0; i < 50; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            uint64_t random = 3;
            for (int n = 0; n < 50; n++) {
                quire_free(make(&random));
            }
            _exit(quire_heap_audit(quire_malloc_heap()) != NULL);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    enough = true;
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
    }
    audit();
}

/* A mistake ends the process, with a line that says which. */
static void mistake_ends(void **state) {
    int ends[2], status;
    char text[200];
    (void)state;

    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        char *volatile block = quire_malloc(10);
        quire_free(block);
        quire_free(block);
        _exit(0);
    }
    close(ends[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    ssize_t got = read(ends[0], text, sizeof text - 1);
    text[got < 0 ? 0 : got] = 0;
    close(ends[0]);
    assert_non_null(strstr(text, "quire: free or realloc of 0x"));
    assert_non_null(strstr(text, "freed already"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals), cmocka_unit_test(all_kinds),    cmocka_unit_test(options),
        cmocka_unit_test(reports),  cmocka_unit_test(mistake_ends), cmocka_unit_test(threads),
        cmocka_unit_test(forks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
