/* vmalloc.c: memory that is contiguous in kernel addresses only.
 *
 *     kernel area   | page 0 | page 1 | page 2 | guard |
 *                       │        │        '──────────────┐
 *     RAM           … [frame]   [frame]  …            [frame] …
 *
 * For what is larger than contiguous frames can be had, or may be: single frames are always to be
 * had while there is memory at all. What it costs is a mapping for each page, made and taken away
 * through the port. The list of frames of a large area (above 128 MiB) is vmalloc'd itself, as
 * Linux does it (mm/vmalloc.c); it ends there, as 4 bytes stand for 4096.
 *
 * Invariants: I3 of area.c: a frame here is QUIRE_USE_KERNEL and its owner is the area.
 *
 * What may fail: all allocations, without a trace. Called by embedders. Audit: area.c.
 */
#include "base/check.h"
#include "kmem/area.h"
#include "kmem/cache.h"

static void *list_alloc(struct quire *q, uint64_t npages) {
    return quire_kvmalloc(q, npages * sizeof(quire_frame));
}

/* Map an area whose frames are known. */
static enum quire_status show(struct quire *q, const struct area *area) {
    return quire_mach_kernel_map(q->machine, quire_area_address(q, area), area->frames,
                                 area->npages);
}

static void hide(struct quire *q, const struct area *area) {
    enum quire_status status =
        quire_mach_kernel_map(q->machine, quire_area_address(q, area), NULL, area->npages);
    CHECK(q, status == QUIRE_OK);
}

static void free_frames(struct quire *q, const quire_frame *frames, uint64_t n) {
    for (uint64_t i = 0; i < n; i++) {
        struct quire_page *page = quire_page_at(q, frames[i]);
        page->owner = NULL;
        quire_page_free(q, page);
    }
}

static uint64_t alloc_frames(struct quire *q, struct area *area, bool zeroed) {
    for (uint64_t i = 0; i < area->npages; i++) {
        struct quire_page *page = quire_page_alloc(q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_KERNEL);
        if (!page) {
            return i;
        }
        page->owner = area;
        area->frames[i] = quire_page_frame(q, page);
        if (zeroed) {
            quire_mach_zero(q->machine, area->frames[i]);
        }
    }
    return area->npages;
}

static void *alloc_area(struct quire *q, uint64_t nbytes, bool zeroed) {
    uint64_t npages = quire_round_up(nbytes) >> QUIRE_PAGE_SHIFT, n;
    struct area *area = quire_area_take(q, npages, AREA_VMALLOC);
    if (!area) {
        return NULL;
    }
    area->frames = list_alloc(q, npages);
    if (!area->frames) {
        goto undo_area;
    }
    n = alloc_frames(q, area, zeroed);
    if (n < npages || show(q, area) != QUIRE_OK) {
        goto undo_frames;
    }
    return quire_area_address(q, area);

undo_frames:
    free_frames(q, area->frames, n);
    quire_kvfree(q, area->frames);
undo_area:
    quire_area_give(q, area);
    return NULL;
}

void *quire_vmalloc(struct quire *q, uint64_t nbytes) {
    return alloc_area(q, nbytes, false);
}

void *quire_vzalloc(struct quire *q, uint64_t nbytes) {
    return alloc_area(q, nbytes, true);
}

/* The area that begins at pointer; panics when none of that kind does. */
static struct area *area_from(struct quire *q, const void *pointer, enum area_kind kind) {
    struct area *area = quire_area_under(q, pointer);
    CHECK(q, area && area->kind == kind && quire_area_address(q, area) == pointer);
    return area;
}

static void end_area(struct quire *q, struct area *area) {
    quire_kvfree(q, area->frames);
    quire_area_give(q, area);
}

void quire_vfree(struct quire *q, void *pointer) {
    if (pointer) {
        struct area *area = area_from(q, pointer, AREA_VMALLOC);
        hide(q, area);
        free_frames(q, area->frames, area->npages);
        end_area(q, area);
    }
}

void *quire_vmap(struct quire *q, const quire_frame *frames, uint64_t npages) {
    struct area *area = quire_area_take(q, npages, AREA_VMAP);
    if (!area) {
        return NULL;
    }
    area->frames = list_alloc(q, npages);
    for (uint64_t i = 0; area->frames && i < npages; i++) {
        area->frames[i] = frames[i];
    }
    if (!area->frames || show(q, area) != QUIRE_OK) {
        end_area(q, area);
        return NULL;
    }
    return quire_area_address(q, area);
}

void quire_vunmap(struct quire *q, void *pointer) {
    struct area *area = area_from(q, pointer, AREA_VMAP);
    hide(q, area);
    end_area(q, area);
}

bool quire_vmalloc_frame(struct quire *q, const void *pointer, quire_frame *out) {
    const struct area *area = quire_area_under(q, pointer);
    if (!area || area->kind == AREA_IOREMAP) {
        return false;
    }
    const char *base = quire_area_address(q, area);
    *out = area->frames[((const char *)pointer - base) >> QUIRE_PAGE_SHIFT];
    return true;
}

void *quire_kvmalloc(struct quire *q, uint64_t nbytes) {
    void *pointer = nbytes <= QUIRE_KMALLOC_MAX ? quire_kmalloc(q, (size_t)nbytes) : NULL;
    return pointer ? pointer : quire_vmalloc(q, nbytes);
}

void quire_kvfree(struct quire *q, void *pointer) {
    if (quire_area_under(q, pointer)) {
        quire_vfree(q, pointer);
    } else {
        quire_kfree(q, pointer);
    }
}
