/* malloc.c: the heap of this process: quire_malloc and its sisters.
 *
 * One heap in static storage, made at the first call, which may come before any constructor: from
 * the dynamic linker, say. That first call comes while there is one thread. Errors are errno's, as
 * malloc(3) has them.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* secure_getenv */
#endif
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "heap/host/host.h"

static _Alignas(16) unsigned char storage[QUIRE_HEAP_STORAGE_BYTES];
static struct quire_heap *process_heap;

static void *to_pointer(uint64_t block) {
    return (void *)(uintptr_t)block;
}

static uint64_t address(const void *block) {
    return (uintptr_t)block;
}

/* A number from the environment, if there is one and it is one. */
static void option_of(struct quire_heap *heap, const char *name, enum quire_heap_option option) {
    const char *text = secure_getenv(name);
    uint64_t value = 0;

    if (text == NULL || *text == 0) {
        return;
    }
    for (; *text >= '0' && *text <= '9' && value < UINT64_MAX / 16; text++) {
        value = value * 10 + (uint64_t)(*text - '0');
    }
    if (*text == 0) {
        (void)quire_heap_option(heap, option, value);
    }
}

static struct quire_heap *first(void) {
    struct quire_heap_port port;
    struct quire_heap *heap;

    quire_heap_port_host(&port);
    heap = quire_heap_init(storage, &port);
    option_of(heap, "MALLOC_MMAP_THRESHOLD_", QUIRE_HEAP_MMAP_THRESHOLD);
    option_of(heap, "MALLOC_TRIM_THRESHOLD_", QUIRE_HEAP_TRIM_THRESHOLD);
    option_of(heap, "MALLOC_TOP_PAD_", QUIRE_HEAP_TOP_PAD);
    option_of(heap, "MALLOC_MMAP_MAX_", QUIRE_HEAP_MMAP_MAX);
    option_of(heap, "MALLOC_PERTURB_", QUIRE_HEAP_PERTURB);
    process_heap = heap;
    return heap;
}

struct quire_heap *quire_malloc_heap(void) {
    return process_heap != NULL ? process_heap : first();
}

/* Before threads can exist, whether or not anybody has allocated by then. */
__attribute__((constructor)) static void make(void) {
    (void)quire_malloc_heap();
}

static void *answer(uint64_t block) {
    if (block == 0) {
        errno = ENOMEM;
    }
    return to_pointer(block);
}

void *quire_malloc(size_t bytes) {
    return answer(quire_heap_alloc(quire_malloc_heap(), bytes));
}

void *quire_calloc(size_t count, size_t bytes) {
    return answer(quire_heap_calloc(quire_malloc_heap(), count, bytes));
}

void *quire_realloc(void *block, size_t bytes) {
    if (block != NULL && bytes == 0) {
        quire_free(block);
        return NULL;
    }
    return answer(quire_heap_realloc(quire_malloc_heap(), address(block), bytes));
}

void *quire_reallocarray(void *block, size_t count, size_t bytes) {
    size_t total;

    if (__builtin_mul_overflow(count, bytes, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return quire_realloc(block, total);
}

static bool power_of_two(size_t align) {
    return align != 0 && (align & (align - 1)) == 0;
}

void *quire_memalign(size_t align, size_t bytes) {
    /* As glibc: what is no power of two is taken to be the next one. */
    while (!power_of_two(align)) {
        if (align > SIZE_MAX / 2) {
            errno = EINVAL;
            return NULL;
        }
        align = align == 0 ? 1 : (align | (align - 1)) + 1;
    }
    return answer(quire_heap_memalign(quire_malloc_heap(), align, bytes));
}

void *quire_aligned_alloc(size_t align, size_t bytes) {
    if (!power_of_two(align)) {
        errno = EINVAL;
        return NULL;
    }
    return quire_memalign(align, bytes);
}

int quire_posix_memalign(void **out, size_t align, size_t bytes) {
    if (!power_of_two(align) || align % sizeof(void *) != 0) {
        return EINVAL;
    }
    uint64_t block = quire_heap_memalign(quire_malloc_heap(), align, bytes);
    if (block == 0) {
        return ENOMEM;
    }
    *out = to_pointer(block);
    return 0;
}

void *quire_valloc(size_t bytes) {
    return quire_memalign((size_t)sysconf(_SC_PAGESIZE), bytes);
}

void *quire_pvalloc(size_t bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    if (bytes > SIZE_MAX - page) {
        errno = ENOMEM;
        return NULL;
    }
    return quire_memalign(page, (bytes + page - 1) / page * page);
}

void quire_free(void *block) {
    int kept = errno; /* munmap's is nobody's business */

    quire_heap_free(quire_malloc_heap(), address(block));
    errno = kept;
}

size_t quire_malloc_usable_size(void *block) {
    return (size_t)quire_heap_usable(quire_malloc_heap(), address(block));
}

int quire_malloc_trim(size_t pad_bytes) {
    return quire_heap_trim(quire_malloc_heap(), pad_bytes);
}

int quire_mallopt(int parameter, int value) {
    static const struct {
        int parameter;
        enum quire_heap_option option;
    } known[] = {
        {M_MMAP_THRESHOLD, QUIRE_HEAP_MMAP_THRESHOLD},
        {M_TRIM_THRESHOLD, QUIRE_HEAP_TRIM_THRESHOLD},
        {M_TOP_PAD, QUIRE_HEAP_TOP_PAD},
        {M_MMAP_MAX, QUIRE_HEAP_MMAP_MAX},
        {M_PERTURB, QUIRE_HEAP_PERTURB},
    };

    /* A threshold of -1 is "never" (mallopt(3)). */
    uint64_t wide = parameter == M_TRIM_THRESHOLD && value < 0 ? UINT64_MAX : (uint64_t)value;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].parameter == parameter) {
            wide = parameter == M_PERTURB ? (uint64_t)value & 0xff : wide;
            return quire_heap_option(quire_malloc_heap(), known[i].option, wide);
        }
    }
    /* What this heap has no use for, for it has neither fast bins nor several arenas. */
    return parameter == M_MXFAST || parameter == M_ARENA_TEST || parameter == M_ARENA_MAX;
}

static void to_stderr(void *context, const char *text, size_t nbytes) {
    (void)context;
    while (nbytes != 0) {
        ssize_t wrote = write(STDERR_FILENO, text, nbytes);
        if (wrote <= 0) {
            return;
        }
        text += wrote;
        nbytes -= (size_t)wrote;
    }
}

void quire_malloc_stats(void) {
    host_stats(quire_malloc_heap(), to_stderr, NULL);
}

static void to_stream(void *context, const char *text, size_t nbytes) {
    (void)fwrite(text, 1, nbytes, context);
}

int quire_malloc_info(int options, void *stream) {
    if (options != 0) {
        errno = EINVAL;
        return -1;
    }
    host_info(quire_malloc_heap(), to_stream, stream);
    return 0;
}
