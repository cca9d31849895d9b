/* page_x86.c: a page zeroed or copied by an x86-64 host.
 *
 * Zeroing is the larger part of a fault on fresh memory, so it is worth its own file. Measured for
 * zeros, nanoseconds a page in L2, in L3, and in neither (AMD EPYC, a shared virtual machine):
 *
 *     32-byte stores  81  198  389        rep stosb   97  216  394 (on another host 910 cold)
 *     16-byte stores 209  315  453        streaming  373  335  274, and the program then waits for
 *                                                    memory at its first touch
 *
 * Frames are often zeroed in a row, one a fault. While one is, the lines of the next are fetched,
 * and arrive while the program runs to its next fault: the whole fault, seen from inside, took 485
 * ns without and 383 with it on a busy host, 326 and 290 on a quieter one (medians of 480 runs).
 * For copies, which fetch two pages, it won nothing.
 *
 * Every x86-64 host has 16-byte stores; most have 32-byte ones (AVX2), which is asked at each call:
 * a load and a branch that is always predicted. The loops may not be turned back into memset or
 * memcpy, which use rep stosb for this size.
 *
 * What may fail: nothing. Called by ram.c and disk.c.
 */
#include "machine.h"

#define KEEP_LOOP() __asm__ volatile("" ::: "memory")

typedef uint64_t wide16 __attribute__((vector_size(16), may_alias));
typedef uint64_t wide32 __attribute__((vector_size(32), may_alias));
#define WIDE16_IN_PAGE (QUIRE_PAGE_SIZE / sizeof(wide16))
#define WIDE32_IN_PAGE (QUIRE_PAGE_SIZE / sizeof(wide32))

/* Two cache lines a round in each loop: what the loop itself costs hides behind its stores. */

__attribute__((target("avx2"))) static void zero_by_32(wide32 *to, const wide32 *next) {
    for (const wide32 *end = to + WIDE32_IN_PAGE; to < end; to += 4, next += 4) {
        __builtin_prefetch(next, 1);
        __builtin_prefetch(next + 2, 1);
        to[0] = to[1] = to[2] = to[3] = (wide32){0};
        KEEP_LOOP();
    }
}

__attribute__((target("avx2"))) static void copy_by_32(wide32 *restrict to,
                                                       const wide32 *restrict from) {
    for (const wide32 *end = to + WIDE32_IN_PAGE; to < end; to += 4, from += 4) {
        wide32 a = from[0], b = from[1], c = from[2], d = from[3];
        to[0] = a, to[1] = b, to[2] = c, to[3] = d;
        KEEP_LOOP();
    }
}

static void zero_by_16(wide16 *to) {
    for (const wide16 *end = to + WIDE16_IN_PAGE; to < end; to += 8) {
        to[0] = to[1] = to[2] = to[3] = (wide16){0};
        to[4] = to[5] = to[6] = to[7] = (wide16){0};
        KEEP_LOOP();
    }
}

static void copy_by_16(wide16 *restrict to, const wide16 *restrict from) {
    for (const wide16 *end = to + WIDE16_IN_PAGE; to < end; to += 4, from += 4) {
        wide16 a = from[0], b = from[1], c = from[2], d = from[3];
        to[0] = a, to[1] = b, to[2] = c, to[3] = d;
        KEEP_LOOP();
    }
}

void quire_ram_zero_page(void *page, const void *next) {
    if (__builtin_cpu_supports("avx2"))
        zero_by_32(page, next ? next : page); /* itself: no harm */
    else
        zero_by_16(page);
}

void quire_ram_copy_page(void *restrict target, const void *restrict source) {
    if (__builtin_cpu_supports("avx2"))
        copy_by_32(target, source);
    else
        copy_by_16(target, source);
}
