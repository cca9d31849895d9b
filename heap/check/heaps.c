/* heaps.c: where the checker's memory comes from.
 *
 * Blocks: a classic heap over this process's port, without its lock, for the checker has one.
 * The checker's own tables: mappings, remembered so that the search for leaks leaves them out.
 * Requests from inside (libdw reads files while a report is written): a heap in one reserved
 * area, so that its blocks are known by their addresses.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <quire/heap.h>

#include "heap/check/check.h"

#define INNER_BYTES ((size_t)256 << 20) /* reserved; what libdw needs for a large program */
#define OWN_MAX     512

static _Alignas(16) unsigned char storage[QUIRE_HEAP_STORAGE_BYTES];
static struct quire_heap *heap;

static struct check_range own[OWN_MAX];
static size_t nown;

static struct {
    _Alignas(16) unsigned char storage[QUIRE_HEAP_STORAGE_BYTES];
    struct quire_heap *heap;
    uintptr_t start, end;
} inner;

void *check_own(size_t bytes) {
    bytes = (bytes + 4095) & ~(size_t)4095;
    void *memory = nown < OWN_MAX ? mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
                                  : MAP_FAILED;
    if (memory == MAP_FAILED) {
        return NULL;
    }
    own[nown++] = (struct check_range){(uintptr_t)memory, (uintptr_t)memory + bytes};
    return memory;
}

void check_disown(void *memory, size_t bytes) {
    for (size_t i = 0; i < nown; i++) {
        if (own[i].from == (uintptr_t)memory) {
            own[i] = own[--nown];
            munmap(memory, (bytes + 4095) & ~(size_t)4095);
            return;
        }
    }
}

/* The heap's own headers are wrong although all red zones are looked at first: something wrote
 * far away from any block of its own. */
static void mistake(void *context, const char *what, uint64_t address) {
    (void)context;
    check_begin("the heap's headers were overwritten");
    check_say("  at 0x%llx: %s\n", (unsigned long long)address, what);
    check_end();
}

struct quire_heap *check_heap(void) {
    if (heap == NULL) {
        struct quire_heap_port port;
        quire_heap_port_host(&port);
        port.lock = port.unlock = NULL;
        port.mistake = mistake;
        heap = quire_heap_init(storage, &port);
    }
    return heap;
}

/* ---- requests from inside ---------------------------------------------------------------------
 */

static uint64_t inner_grow(void *context, int64_t delta_bytes) {
    uint64_t before = inner.end;

    (void)context;
    if (delta_bytes < 0 || (uint64_t)delta_bytes > inner.start + INNER_BYTES - before) {
        return delta_bytes == 0 ? before : 0;
    }
    inner.end += (uintptr_t)delta_bytes;
    return before;
}

static uint64_t inner_map(void *context, uint64_t bytes) {
    (void)context, (void)bytes;
    return 0;
}

static bool inner_unmap(void *context, uint64_t at, uint64_t bytes) {
    (void)context, (void)at, (void)bytes;
    return false;
}

static struct quire_heap *inner_heap(void) {
    if (inner.heap == NULL) {
        const struct quire_heap_port port = {
            .grow = inner_grow, .map = inner_map, .unmap = inner_unmap};
        inner.start = inner.end = (uintptr_t)check_own(INNER_BYTES);
        if (inner.start == 0) {
            return NULL;
        }
        inner.heap = quire_heap_init(inner.storage, &port);
        quire_heap_option(inner.heap, QUIRE_HEAP_MMAP_MAX, 0);
    }
    return inner.heap;
}

void *check_inner_alloc(size_t align, size_t bytes) {
    struct quire_heap *from = inner_heap();

    return from == NULL ? NULL : (void *)(uintptr_t)quire_heap_memalign(from, align, bytes);
}

static bool is_inner(const void *block) {
    return (uintptr_t)block >= inner.start && (uintptr_t)block < inner.end;
}

bool check_inner_free(void *block) {
    if (is_inner(block)) {
        quire_heap_free(inner.heap, (uintptr_t)block);
        return true;
    }
    return false;
}

size_t check_inner_usable(void *block) {
    return is_inner(block) ? (size_t)quire_heap_usable(inner.heap, (uintptr_t)block) : 0;
}

/* ---- what is no root --------------------------------------------------------------------------
 */

struct gather {
    struct check_range *ranges;
    size_t n, max;
};

static void add(struct gather *gather, uintptr_t from, uintptr_t to) {
    if (gather->n != 0 && gather->ranges[gather->n - 1].to == from) {
        gather->ranges[gather->n - 1].to = to;
    } else if (gather->n < gather->max) {
        gather->ranges[gather->n++] = (struct check_range){from, to};
    }
}

static bool add_chunk(void *context, const struct quire_heap_chunk *chunk) {
    uintptr_t from = (uintptr_t)(chunk->mapping != 0 ? chunk->mapping : chunk->header);

    add(context, from, from + (uintptr_t)chunk->bytes);
    return true;
}

static void add_guarded(struct check_record *record, void *context) {
    if (record->guarded) {
        add(context, record->base, record->base + record->base_bytes);
    }
}

static int by_start(const void *a, const void *b) {
    uintptr_t left = ((const struct check_range *)a)->from;
    uintptr_t right = ((const struct check_range *)b)->from;

    return (left > right) - (left < right);
}

size_t check_own_ranges(struct check_range *ranges, size_t max) {
    struct gather gather = {ranges, 0, max};

    quire_heap_walk(check_heap(), add_chunk, &gather);
    check_each(add_guarded, &gather);
    for (size_t i = 0; i < nown; i++) {
        add(&gather, own[i].from, own[i].to);
    }
    qsort(ranges, gather.n, sizeof *ranges, by_start);
    return gather.n;
}
