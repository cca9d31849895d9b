/* exports.c: malloc and its sisters, and C++'s operators new and delete, under their own names.
 *
 * The operators are exported too, although libstdc++'s would come to malloc: only so can it be
 * told by which function a block was had and freed. Their names are mangled as the Itanium C++ ABI
 * says; this file is C, so that C programs need no C++ library. Where new must throw, it calls
 * libstdc++'s own function for that, which a C++ program has.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <quire/heap.h>

#include "heap/check/check.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT void *malloc(size_t bytes) {
    return check_alloc(CHECK_MALLOC, 16, bytes, false);
}

EXPORT void free(void *block) {
    check_free(CHECK_MALLOC, block);
}

EXPORT void *calloc(size_t count, size_t bytes) {
    size_t total;

    if (__builtin_mul_overflow(count, bytes, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return check_alloc(CHECK_MALLOC, 16, total, true);
}

EXPORT void *realloc(void *block, size_t bytes) {
    if (block != NULL && bytes == 0) {
        check_free(CHECK_MALLOC, block);
        return NULL;
    }
    return check_realloc(block, bytes);
}

EXPORT void *reallocarray(void *block, size_t count, size_t bytes) {
    size_t total;

    if (__builtin_mul_overflow(count, bytes, &total)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(block, total);
}

static bool power_of_two(size_t align) {
    return align != 0 && (align & (align - 1)) == 0;
}

EXPORT void *memalign(size_t align, size_t bytes) {
    if (!power_of_two(align)) {
        errno = EINVAL;
        return NULL;
    }
    return check_alloc(CHECK_MALLOC, align, bytes, false);
}

EXPORT void *aligned_alloc(size_t align, size_t bytes) {
    return memalign(align, bytes);
}

EXPORT int posix_memalign(void **out, size_t align, size_t bytes) {
    int kept = errno;

    if (!power_of_two(align) || align % sizeof(void *) != 0) {
        return EINVAL;
    }
    void *block = check_alloc(CHECK_MALLOC, align, bytes, false);
    errno = kept;
    if (block == NULL) {
        return ENOMEM;
    }
    *out = block;
    return 0;
}

EXPORT void *valloc(size_t bytes) {
    return memalign((size_t)sysconf(_SC_PAGESIZE), bytes);
}

EXPORT void *pvalloc(size_t bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return bytes > SIZE_MAX - page ? (errno = ENOMEM, NULL)
                                   : memalign(page, (bytes + page - 1) / page * page);
}

EXPORT size_t malloc_usable_size(void *block) {
    return check_usable(block);
}

/* What is checked is not tuned, and its figures are the checker's more than the program's. */
EXPORT int malloc_trim(size_t pad_bytes) {
    (void)pad_bytes;
    return 0;
}

EXPORT int mallopt(int parameter, int value) {
    (void)parameter, (void)value;
    return 1;
}

EXPORT struct mallinfo2 mallinfo2(void) {
    struct quire_heap_figures f = {0};

    if (check_enter()) {
        quire_heap_measure(check_heap(), &f);
        check_leave();
    }
    return (struct mallinfo2){.arena = (size_t)f.system_bytes,
                              .ordblks = (size_t)f.free_chunks,
                              .hblks = (size_t)f.mapped_blocks,
                              .hblkhd = (size_t)f.mapped_bytes,
                              .uordblks = (size_t)f.used_bytes,
                              .fordblks = (size_t)f.free_bytes};
}

/* ---- C++ --------------------------------------------------------------------------------------
 */

typedef void new_handler(void);
extern new_handler *get_new_handler(void) __asm__("_ZSt15get_new_handlerv") __attribute__((weak));
extern void throw_bad_alloc(void) __asm__("_ZSt17__throw_bad_allocv") __attribute__((weak));

static void *new_of(enum check_kind kind, size_t align, size_t bytes) {
    for (;;) {
        void *block = check_alloc(kind, align, bytes, false);
        new_handler *handler = block == NULL && get_new_handler != NULL ? get_new_handler() : NULL;
        if (block != NULL) {
            return block;
        }
        if (handler == NULL) {
            if (throw_bad_alloc != NULL) {
                throw_bad_alloc();
            }
            abort();
        }
        handler();
    }
}

/* operator new and new[]: (size), (size, align), and with nothrow, whose argument is not looked at;
 * size_t is m (unsigned long) on 64-bit machines. */
#define NEW(mangled, kind)                                      \
    EXPORT void *new_##mangled(size_t bytes) __asm__(#mangled); \
    void *new_##mangled(size_t bytes) {                         \
        return new_of(kind, 16, bytes);                         \
    }
#define NEW_ALIGNED(mangled, kind)                                            \
    EXPORT void *new_##mangled(size_t bytes, size_t align) __asm__(#mangled); \
    void *new_##mangled(size_t bytes, size_t align) {                         \
        return new_of(kind, align, bytes);                                    \
    }
#define NEW_NOTHROW(mangled, kind)                                               \
    EXPORT void *new_##mangled(size_t bytes, const void *tag) __asm__(#mangled); \
    void *new_##mangled(size_t bytes, const void *tag) {                         \
        (void)tag;                                                               \
        return check_alloc(kind, 16, bytes, false);                              \
    }
#define NEW_ALIGNED_NOTHROW(mangled, kind)                                                     \
    EXPORT void *new_##mangled(size_t bytes, size_t align, const void *tag) __asm__(#mangled); \
    void *new_##mangled(size_t bytes, size_t align, const void *tag) {                         \
        (void)tag;                                                                             \
        return check_alloc(kind, align, bytes, false);                                         \
    }
/* Further arguments (size, alignment, nothrow) change nothing, and lie in registers: unread. */
#define DELETE(mangled, kind)                                    \
    EXPORT void delete_##mangled(void *block) __asm__(#mangled); \
    void delete_##mangled(void *block) {                         \
        check_free(kind, block);                                 \
    }

NEW(_Znwm, CHECK_NEW)
NEW(_Znam, CHECK_NEW_ARRAY)
NEW_ALIGNED(_ZnwmSt11align_val_t, CHECK_NEW)
NEW_ALIGNED(_ZnamSt11align_val_t, CHECK_NEW_ARRAY)
NEW_NOTHROW(_ZnwmRKSt9nothrow_t, CHECK_NEW)
NEW_NOTHROW(_ZnamRKSt9nothrow_t, CHECK_NEW_ARRAY)
NEW_ALIGNED_NOTHROW(_ZnwmSt11align_val_tRKSt9nothrow_t, CHECK_NEW)
NEW_ALIGNED_NOTHROW(_ZnamSt11align_val_tRKSt9nothrow_t, CHECK_NEW_ARRAY)
DELETE(_ZdlPv, CHECK_NEW)
DELETE(_ZdaPv, CHECK_NEW_ARRAY)
DELETE(_ZdlPvm, CHECK_NEW)
DELETE(_ZdaPvm, CHECK_NEW_ARRAY)
DELETE(_ZdlPvSt11align_val_t, CHECK_NEW)
DELETE(_ZdaPvSt11align_val_t, CHECK_NEW_ARRAY)
DELETE(_ZdlPvmSt11align_val_t, CHECK_NEW)
DELETE(_ZdaPvmSt11align_val_t, CHECK_NEW_ARRAY)
DELETE(_ZdlPvRKSt9nothrow_t, CHECK_NEW)
DELETE(_ZdaPvRKSt9nothrow_t, CHECK_NEW_ARRAY)
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, CHECK_NEW)
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, CHECK_NEW_ARRAY)
