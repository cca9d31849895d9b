/* ioremap.c: device registers in kernel addresses.
 *
 * Registers are not RAM: no frame of the frame table stands behind them, and the direct map need
 * not reach them. They are mapped by physical page number, through the same port call as everything
 * else in the kernel area, for as long as their driver holds the region (resource.c): who has not
 * requested registers can't map them, and who has mapped them can't let them go.
 *
 * Registers that share a page are mapped once for each driver.
 *
 * What may fail: ioremap, with NULL and without a trace. Audit: area.c, resource.c.
 */
#include "base/check.h"
#include "kmem/area.h"
#include "kmem/cache.h"

/* Pages that are handed to the port at once: a list on the stack instead of one that may fail. */
#define BATCH 32

static enum quire_status show(struct quire *q, const struct area *area) {
    char *address = quire_area_address(q, area);
    uint32_t first = quire_frame_at(area->start).number;
    for (uint64_t done = 0; done < area->npages; done += BATCH) {
        quire_frame frames[BATCH];
        uint64_t n = area->npages - done < BATCH ? area->npages - done : BATCH;
        for (uint32_t i = 0; i < n; i++) {
            frames[i] = (quire_frame){first + (uint32_t)done + i};
        }
        char *at = address + (done << QUIRE_PAGE_SHIFT);
        enum quire_status status = quire_mach_kernel_map(q->machine, at, frames, n);
        if (status != QUIRE_OK) {
            (void)quire_mach_kernel_map(q->machine, address, NULL, done);
            return status;
        }
    }
    return QUIRE_OK;
}

void *quire_ioremap(struct quire_region_of_bus *region) {
    struct quire *q = region->q;
    uint64_t offset = region->start & QUIRE_PAGE_MASK;
    uint64_t last_page = region->last >> QUIRE_PAGE_SHIFT;
    uint64_t npages = last_page - (region->start >> QUIRE_PAGE_SHIFT) + 1;
    if (region->area || last_page >= UINT32_MAX) { /* beyond what a frame number can say */
        return NULL;
    }
    struct area *area = quire_area_take(q, npages, AREA_IOREMAP);
    if (!area) {
        return NULL;
    }
    area->start = (quire_paddr){region->start - offset};
    if (show(q, area) != QUIRE_OK) {
        quire_area_give(q, area);
        return NULL;
    }
    region->area = area;
    return quire_area_address(q, area) + offset;
}

void quire_iounmap(struct quire_region_of_bus *region) {
    struct quire *q = region->q;
    CHECK(q, region->area);
    enum quire_status status = quire_mach_kernel_map(
        q->machine, quire_area_address(q, region->area), NULL, region->area->npages);
    CHECK(q, status == QUIRE_OK);
    quire_area_give(q, region->area);
    region->area = NULL;
}
