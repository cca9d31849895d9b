/* rig.h: a heap over a port of the test's own: an area that grows up to a limit, mappings that are
 * counted, a switch that makes the nth call of the port fail, and mistakes that are remembered
 * instead of ending the program.
 */
#ifndef QUIRE_TESTS_HEAP_RIG_H
#define QUIRE_TESTS_HEAP_RIG_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* mremap */
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <quire/heap.h>

#define AREA_BYTES ((uint64_t)64 << 20)
#define KIB        ((uint64_t)1 << 10)
#define MIB        ((uint64_t)1 << 20)

struct heap_rig {
    _Alignas(16) unsigned char storage[QUIRE_HEAP_STORAGE_BYTES];
    struct quire_heap *heap;
    uint64_t area, end, limit;         /* the growing area: start, end now, farthest end */
    uint64_t maps, unmaps, remaps;     /* calls that succeeded */
    uint64_t mapped_bytes;             /* now */
    uint64_t calls, fail_at, fail_for; /* calls number fail_at to fail_at + fail_for - 1 fail */
    uint64_t discarded_bytes;
    uint64_t intruder; /* grows by so much, for somebody else, just before each growth */
    unsigned mistakes;
    char what[128];
};

static inline bool rig_fails(struct heap_rig *rig) {
    uint64_t number = rig->calls++;

    return number >= rig->fail_at && number - rig->fail_at < rig->fail_for;
}

static inline uint64_t rig_grow(void *context, int64_t delta) {
    struct heap_rig *rig = context;
    rig->end += delta > 0 ? rig->intruder : 0;
    uint64_t before = rig->end, wanted = before + (uint64_t)delta;

    if (delta == 0) {
        return before;
    }
    if (wanted < rig->area || wanted > rig->limit || rig_fails(rig)) {
        return 0;
    }
    if (delta < 0) { /* what comes back later is zeros again, in whole pages as on Linux */
        uint64_t from = (wanted + 4095) & ~(uint64_t)4095, to = (before + 4095) & ~(uint64_t)4095;
        if (to > from) {
            madvise((void *)from, to - from, MADV_DONTNEED);
        }
    }
    rig->end = wanted;
    return before;
}

static inline uint64_t rig_map(void *context, uint64_t bytes) {
    struct heap_rig *rig = context;

    assert_int_equal(bytes % 4096, 0);
    if (rig_fails(rig)) {
        return 0;
    }
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        return 0;
    }
    rig->maps++;
    rig->mapped_bytes += bytes;
    return (uintptr_t)at;
}

static inline bool rig_unmap(void *context, uint64_t at, uint64_t bytes) {
    struct heap_rig *rig = context;

    assert_int_equal((at | bytes) % 4096, 0);
    assert_int_equal(munmap((void *)at, bytes), 0);
    rig->unmaps++;
    rig->mapped_bytes -= bytes;
    return true;
}

static inline uint64_t rig_remap(void *context, uint64_t at, uint64_t old_bytes,
                                 uint64_t new_bytes) {
    struct heap_rig *rig = context;

    if (rig_fails(rig)) {
        return 0;
    }
    /* Always elsewhere, so that nothing relies on the place. */
    void *place = mmap(NULL, new_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void *moved = mremap((void *)at, old_bytes, new_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, place);
    assert_ptr_equal(moved, place);
    rig->remaps++;
    rig->mapped_bytes += new_bytes - old_bytes;
    return (uintptr_t)moved;
}

static inline void rig_discard(void *context, uint64_t at, uint64_t bytes) {
    struct heap_rig *rig = context;

    rig->discarded_bytes += bytes;
    madvise((void *)at, bytes, MADV_DONTNEED);
}

static inline void rig_mistake(void *context, const char *what, uint64_t address) {
    struct heap_rig *rig = context;

    (void)address;
    rig->mistakes++;
    snprintf(rig->what, sizeof rig->what, "%s", what);
}

static inline struct quire_heap_port rig_port(struct heap_rig *rig) {
    return (struct quire_heap_port){.context = rig,
                                    .grow = rig_grow,
                                    .map = rig_map,
                                    .unmap = rig_unmap,
                                    .remap = rig_remap,
                                    .discard = rig_discard,
                                    .mistake = rig_mistake};
}

/* The area begins `offset` bytes after a page's start. */
static inline void rig_up_at(struct heap_rig *rig, uint64_t offset) {
    memset(rig, 0, sizeof *rig);
    void *area = mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(area, MAP_FAILED);
    rig->area = (uintptr_t)area;
    rig->end = rig->area + offset;
    rig->limit = rig->area + AREA_BYTES;
    rig->fail_at = UINT64_MAX;
    const struct quire_heap_port port = rig_port(rig);
    rig->heap = quire_heap_init(rig->storage, &port);
    assert_non_null(rig->heap);
}

static inline void rig_up(struct heap_rig *rig) {
    rig_up_at(rig, 0);
}

static inline void rig_audit(struct heap_rig *rig) {
    const char *wrong = quire_heap_audit(rig->heap);

    if (wrong != NULL) {
        fail_msg("audit: %s", wrong);
    }
}

/* Gives all back: whatever is still mapped then is a leak. */
static inline void rig_down(struct heap_rig *rig) {
    rig_audit(rig);
    quire_heap_fini(rig->heap);
    assert_int_equal(rig->mapped_bytes, 0);
    munmap((void *)rig->area, AREA_BYTES);
}

static inline struct quire_heap_figures rig_figures(struct heap_rig *rig) {
    struct quire_heap_figures figures;

    quire_heap_measure(rig->heap, &figures);
    return figures;
}

#endif
