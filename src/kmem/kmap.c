/* kmap.c: one frame at an address of its own: kmap for a while, fixmap for an address that is known
 * beforehand.
 *
 * A frame that the direct map has needs no mapping: its window is its address. The frames that it
 * has not (zone HIGHMEM) are shown in one of 64 slots. A slot that nobody uses any more stays
 * mapped until it is needed for another frame, as the next user often wants the same one (Linux's
 * pkmap, mm/highmem.c, which for the same reason flushes all at once).
 *
 * Invariants: I1 no frame is in two slots. I2 a slot with users shows a frame.
 *
 * What may fail: kmap with NULL when 64 frames are in use; fixmap_set when the machine has no room.
 * Audit: area.c.
 */
#include "base/check.h"
#include "kmem/area.h"
#include "kmem/cache.h"
#include "page/zone.h"

/* ---- kmap ------------------------------------------------------------------------------------ */

static char *slot_address(const struct quire_kernel_area *kernel, unsigned index) {
    return kernel->base + ((kernel->limit + index) << QUIRE_PAGE_SHIFT);
}

/* The slot that shows frame, or (want_free) one that nobody uses; QUIRE_KMAP_SLOTS: none. */
static unsigned find_slot(const struct quire_kernel_area *kernel, quire_frame frame,
                          bool want_free) {
    unsigned i = 0;
    while (i < QUIRE_KMAP_SLOTS && (want_free ? kernel->kmaps[i].nusers > 0
                                              : kernel->kmaps[i].frame.number != frame.number)) {
        i++;
    }
    return i;
}

static bool in_direct_map(struct quire *q, quire_frame frame) {
    const struct quire_zone *high = &q->phys->zones[QUIRE_ZONE_HIGHMEM];
    return frame.number < high->first || frame.number >= high->end;
}

void *quire_kmap(struct quire *q, quire_frame frame) {
    struct quire_kernel_area *kernel = q->kmem->area;
    if (in_direct_map(q, frame)) {
        return quire_frame_window(q, frame);
    }
    unsigned index = find_slot(kernel, frame, false);
    if (index == QUIRE_KMAP_SLOTS) {
        index = kernel->base ? find_slot(kernel, frame, true) : QUIRE_KMAP_SLOTS;
        if (index == QUIRE_KMAP_SLOTS ||
            quire_mach_kernel_map(q->machine, slot_address(kernel, index), &frame, 1) != QUIRE_OK) {
            return NULL;
        }
        kernel->kmaps[index].frame = frame; /* what was there had no users */
    }
    kernel->kmaps[index].nusers++;
    return slot_address(kernel, index);
}

void quire_kunmap(struct quire *q, quire_frame frame) {
    struct quire_kernel_area *kernel = q->kmem->area;
    if (!in_direct_map(q, frame)) {
        unsigned index = find_slot(kernel, frame, false);
        CHECK(q, index < QUIRE_KMAP_SLOTS && kernel->kmaps[index].nusers > 0);
        kernel->kmaps[index].nusers--;
    }
}

/* ---- fixmap ---------------------------------------------------------------------------------- */

void *quire_fixmap_address(struct quire *q, unsigned index) {
    const struct quire_kernel_area *kernel = q->kmem->area;
    if (!kernel->base || index >= QUIRE_FIXMAP_SLOTS) {
        return NULL;
    }
    return slot_address(kernel, QUIRE_KMAP_SLOTS + index);
}

enum quire_status quire_fixmap_set(struct quire *q, unsigned index, quire_paddr page) {
    if (index >= QUIRE_FIXMAP_SLOTS || (page.value & QUIRE_PAGE_MASK) != 0) {
        return QUIRE_INVAL;
    }
    quire_frame frame = quire_frame_at(page);
    void *address = quire_fixmap_address(q, index);
    enum quire_status status =
        address ? quire_mach_kernel_map(q->machine, address, &frame, 1) : QUIRE_NOMEM;
    if (status == QUIRE_OK) {
        q->kmem->area->fixmaps |= (uint64_t)1 << index;
    }
    return status;
}

void quire_fixmap_clear(struct quire *q, unsigned index) {
    void *address = quire_fixmap_address(q, index);
    if (address && q->kmem->area->fixmaps >> index & 1) {
        (void)quire_mach_kernel_map(q->machine, address, NULL, 1);
        q->kmem->area->fixmaps &= ~((uint64_t)1 << index);
    }
}
