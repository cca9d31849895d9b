/* areas.c: the swap areas in use, their priorities, and which one gives the next slot.
 *
 * Owns struct quire_swap. One area is one device of the machine; up to eight are in use at once.
 *
 *     order ─▶ [prio 5: sda][prio 5: sdb][prio -2: sdc]
 *               └─ equals take turns ─┘   └─ only when those above are full
 *
 * Equals take turns by runs of 256 slots, not slot by slot as one might think of striping: a run
 * keeps consecutive evictions consecutive on the device (Linux: SWAPFILE_CLUSTER, also 256).
 *
 * I1. `order` holds the index of each area in use exactly once, by falling priority.
 * I2. An area leaves only when no slot of it is taken: nothing is ever lost by swapoff.
 * I3. A draining area gives out nothing and is in no total, so that reclaim sees what can be used.
 *
 * May fail: quire_swap_add (QUIRE_NOMEM and what it documents). Called by vm/ (through io.c and
 * quire_swap_release), by core/swapctl.c and by views. Audited by quire_swap_audit.
 */
#include <quire/kmem.h>

#include "base/check.h"
#include "swap/area.h"

#define RUN_SLOTS 256

enum quire_status quire_swap_boot(struct quire *q) {
    q->swap = quire_kzalloc(q, sizeof *q->swap);
    return q->swap ? QUIRE_OK : QUIRE_NOMEM;
}

void quire_swap_shutdown(struct quire *q) {
    for (unsigned i = 0; i < SWAP_AREAS; i++) {
        struct swap_area *area = &q->swap->areas[i];
        if (!area->in_use) {
            continue;
        }
        CHECK(q, area->free == area->npages - SLOT_FIRST);
        quire_slots_destroy(q, area);
    }
    quire_kfree(q, q->swap);
    q->swap = NULL;
}

static struct swap_area *area_on(const struct quire *q, unsigned device) {
    for (unsigned i = 0; i < SWAP_AREAS; i++) {
        struct swap_area *area = &q->swap->areas[i];
        if (area->in_use && area->device == device) {
            return area;
        }
    }
    return NULL;
}

/* Into the order behind all of the same or a higher priority. */
static void order_insert(struct quire_swap *swap, unsigned index) {
    unsigned at = swap->norder;
    while (at > 0 && swap->areas[swap->order[at - 1]].priority < swap->areas[index].priority) {
        swap->order[at] = swap->order[at - 1];
        at--;
    }
    swap->order[at] = (uint8_t)index;
    swap->norder++;
}

static void order_remove(struct quire_swap *swap, unsigned index) {
    unsigned at = 0;
    while (swap->order[at] != index) {
        at++;
    }
    swap->norder--;
    for (; at < swap->norder; at++) {
        swap->order[at] = swap->order[at + 1];
    }
}

enum quire_status quire_swap_add(struct quire *q, unsigned device, int priority) {
    struct quire_swap *swap = q->swap;
    uint64_t npages = quire_mach_swap_pages(q->machine, device);
    if (npages <= SLOT_FIRST) {
        return QUIRE_INVAL;
    }
    if (area_on(q, device) || swap->norder == SWAP_AREAS) {
        return QUIRE_BUSY;
    }
    unsigned index = 0;
    while (swap->areas[index].in_use) {
        index++;
    }
    const uint64_t most = (uint64_t)CHUNKS_MAX * CHUNK_SLOTS;
    struct swap_area *area = &swap->areas[index];
    *area = (struct swap_area){.device = device,
                               .priority = priority,
                               .npages = (uint32_t)(npages < most ? npages : most)};
    enum quire_status status = quire_slots_create(q, area);
    if (status != QUIRE_OK) {
        return status;
    }
    area->in_use = true;
    order_insert(swap, index);
    return QUIRE_OK;
}

void quire_swap_drain(struct quire *q, unsigned device, bool draining) {
    struct swap_area *area = area_on(q, device);
    CHECK(q, area != NULL);
    area->draining = draining;
}

enum quire_status quire_swap_drop(struct quire *q, unsigned device) {
    struct swap_area *area = area_on(q, device);
    if (!area) {
        return QUIRE_INVAL;
    }
    if (area->free != area->npages - SLOT_FIRST) { /* I2 */
        return QUIRE_BUSY;
    }
    order_remove(q->swap, (unsigned)(area - q->swap->areas));
    quire_slots_destroy(q, area);
    area->in_use = false;
    return QUIRE_OK;
}

/* An area whose run is over goes behind its equals; that is its own place if it has none. */
static void end_run(struct quire_swap *swap, unsigned index) {
    swap->areas[index].run = 0;
    order_remove(swap, index);
    order_insert(swap, index);
}

quire_slot quire_areas_take(struct quire *q) {
    struct quire_swap *swap = q->swap;
    for (unsigned at = 0; at < swap->norder; at++) {
        unsigned index = swap->order[at];
        struct swap_area *area = &swap->areas[index];
        if (area->draining || area->free == 0) { /* I3 */
            continue;
        }
        uint32_t page = quire_slots_take(q, area);
        if (++area->run >= RUN_SLOTS) {
            end_run(swap, index);
        }
        return (quire_slot){(uint32_t)index << SLOT_PAGE_BITS | page};
    }
    return QUIRE_SLOT_NONE;
}

void quire_swap_release(struct quire *q, quire_slot slot) {
    CHECK(q, !quire_slot_is_none(slot));
    struct swap_area *area = swap_area_of(q, slot);
    CHECK(q, area->in_use);
    quire_slots_put(q, area, swap_page_of(slot));
}

uint64_t quire_swap_total(const struct quire *q) {
    uint64_t total = 0;
    for (unsigned at = 0; at < q->swap->norder; at++) {
        const struct swap_area *area = &q->swap->areas[q->swap->order[at]];
        total += area->draining ? 0 : area->npages - SLOT_FIRST; /* I3 */
    }
    return total;
}

uint64_t quire_swap_free(const struct quire *q) {
    uint64_t free = 0;
    for (unsigned at = 0; at < q->swap->norder; at++) {
        const struct swap_area *area = &q->swap->areas[q->swap->order[at]];
        free += area->draining ? 0 : area->free;
    }
    return free;
}

void quire_swap_place(quire_slot slot, unsigned *area, uint32_t *page) {
    *area = slot.value >> SLOT_PAGE_BITS;
    *page = slot.value & (SLOT_PAGE_COUNT - 1);
}

bool quire_swap_slot_on(const struct quire *q, quire_slot slot, unsigned device) {
    if (quire_slot_is_none(slot)) {
        return false;
    }
    const struct swap_area *area = &q->swap->areas[slot.value >> SLOT_PAGE_BITS];
    return area->in_use && area->device == device;
}

bool quire_swap_area(const struct quire *q, unsigned index, struct quire_swap_info *info) {
    for (unsigned i = 0; i < SWAP_AREAS; i++) {
        const struct swap_area *area = &q->swap->areas[i];
        if (!area->in_use || index-- > 0) {
            continue;
        }
        uint64_t total = area->npages - SLOT_FIRST;
        *info = (struct quire_swap_info){.device = area->device,
                                         .priority = area->priority,
                                         .total = total,
                                         .used = total - area->free};
        return true;
    }
    return false;
}

void quire_swap_audit(struct quire *q, uint64_t slots_held) {
    const struct quire_swap *swap = q->swap;
    uint64_t taken = 0;
    unsigned in_use = 0;
    for (unsigned i = 0; i < SWAP_AREAS; i++) {
        const struct swap_area *area = &swap->areas[i];
        if (!area->in_use) {
            continue;
        }
        in_use++;
        quire_slots_audit(q, area);
        taken += area->npages - SLOT_FIRST - area->free;
        unsigned times = 0;
        for (unsigned at = 0; at < swap->norder; at++) {
            times += swap->order[at] == i;
        }
        CHECK(q, times == 1); /* I1 */
    }
    CHECK(q, in_use == swap->norder);
    for (unsigned at = 1; at < swap->norder; at++) {
        CHECK(q,
              swap->areas[swap->order[at - 1]].priority >= swap->areas[swap->order[at]].priority);
    }
    CHECK(q, taken == slots_held);
}
