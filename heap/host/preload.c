/* preload.c: malloc and its sisters under their own names, for LD_PRELOAD and for linking.
 *
 *     LD_PRELOAD=build/release/libquire-classic.so sort big.txt
 *
 * All of them, for a program that has malloc from one library and memalign from another would free
 * one's blocks in the other's heap.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include <quire/heap.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT void *malloc(size_t bytes) {
    return quire_malloc(bytes);
}

EXPORT void free(void *block) {
    quire_free(block);
}

EXPORT void *calloc(size_t count, size_t bytes) {
    return quire_calloc(count, bytes);
}

EXPORT void *realloc(void *block, size_t bytes) {
    return quire_realloc(block, bytes);
}

EXPORT void *reallocarray(void *block, size_t count, size_t bytes) {
    return quire_reallocarray(block, count, bytes);
}

EXPORT void *memalign(size_t align, size_t bytes) {
    return quire_memalign(align, bytes);
}

EXPORT void *aligned_alloc(size_t align, size_t bytes) {
    return quire_aligned_alloc(align, bytes);
}

EXPORT int posix_memalign(void **out, size_t align, size_t bytes) {
    return quire_posix_memalign(out, align, bytes);
}

EXPORT void *valloc(size_t bytes) {
    return quire_valloc(bytes);
}

EXPORT void *pvalloc(size_t bytes) {
    return quire_pvalloc(bytes);
}

EXPORT size_t malloc_usable_size(void *block) {
    return quire_malloc_usable_size(block);
}

EXPORT int malloc_trim(size_t pad_bytes) {
    return quire_malloc_trim(pad_bytes);
}

EXPORT int mallopt(int parameter, int value) {
    return quire_mallopt(parameter, value);
}

EXPORT void malloc_stats(void) {
    quire_malloc_stats();
}

EXPORT int malloc_info(int options, FILE *stream) {
    return quire_malloc_info(options, stream);
}

EXPORT struct mallinfo2 mallinfo2(void) {
    struct quire_heap_figures f;

    quire_heap_measure(quire_malloc_heap(), &f);
    return (struct mallinfo2){
        .arena = (size_t)f.system_bytes,
        .ordblks = (size_t)f.free_chunks,
        .hblks = (size_t)f.mapped_blocks,
        .hblkhd = (size_t)f.mapped_bytes,
        .uordblks = (size_t)f.used_bytes,
        .fordblks = (size_t)f.free_bytes,
        .keepcost = (size_t)f.top_bytes,
    };
}

/* The old one, whose int fields wrap around, as mallinfo(3) warns. */
EXPORT struct mallinfo mallinfo(void) {
    const struct mallinfo2 wide = mallinfo2();

    return (struct mallinfo){
        .arena = (int)wide.arena,
        .ordblks = (int)wide.ordblks,
        .hblks = (int)wide.hblks,
        .hblkhd = (int)wide.hblkhd,
        .uordblks = (int)wide.uordblks,
        .fordblks = (int)wide.fordblks,
        .keepcost = (int)wide.keepcost,
    };
}
