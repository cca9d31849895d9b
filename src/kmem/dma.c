/* dma.c: whole blocks of frames by their address: for the kernel, and for devices.
 *
 * A device finds memory by physical address, reaches as far as it has address lines (its mask), and
 * wants what it works on in one piece. So a request goes to the zones that end where the mask does:
 * DMA, DMA32, or anywhere; a mask between two zones' ends takes the lower zone, and what lies
 * beyond the mask all the same is given back. The block's length is kept in its first page: a free
 * with another length is found.
 *
 * What may fail: allocation, with NULL. Called by drivers of the embedder. Frames are counted as
 * QUIRE_USE_KERNEL and audited by page/.
 */
#include <quire/kmap.h>

#include "base/check.h"
#include "kmem/cache.h"
#include "page/zone.h"

/* ---- blocks ---------------------------------------------------------------------------------- */

static void *block(struct quire *q, unsigned order, enum quire_zone_kind zone, bool zeroed) {
    quire_frame frame;
    if (quire_frames_alloc_zone(q, order, zone, &frame) != QUIRE_OK) {
        return NULL;
    }
    for (uint32_t i = 0; zeroed && i < 1u << order; i++) {
        quire_mach_zero(q->machine, (quire_frame){frame.number + i});
    }
    return quire_frame_window(q, frame);
}

void *quire_get_free_pages(struct quire *q, unsigned order) {
    return block(q, order, QUIRE_ZONE_NORMAL, false);
}

void *quire_get_zeroed_pages(struct quire *q, unsigned order) {
    return block(q, order, QUIRE_ZONE_NORMAL, true);
}

void quire_free_pages(struct quire *q, void *pointer, unsigned order) {
    struct quire_page *page = quire_page_under(q, pointer);
    CHECK(q, page && quire_page_window(q, page) == pointer);
    quire_frames_free(q, quire_page_frame(q, page), order);
}

/* ---- for devices ----------------------------------------------------------------------------- */

/* Smallest order that holds nbytes; QUIRE_NORDERS: none does. */
static unsigned order_of(uint64_t nbytes) {
    unsigned order = 0;
    while (order < QUIRE_NORDERS && QUIRE_PAGE_SIZE << order < nbytes) {
        order++;
    }
    return order;
}

/* The highest zone that lies below the mask as a whole; DMA when none does. */
static enum quire_zone_kind zone_below(struct quire *q, uint64_t mask) {
    unsigned kind = QUIRE_ZONE_NORMAL;
    const struct quire_zone *zone = &q->phys->zones[kind];
    for (; kind > QUIRE_ZONE_DMA; kind--, zone--) {
        bool some = zone->first < zone->end;
        if (some && ((uint64_t)zone->end << QUIRE_PAGE_SHIFT) - 1 <= mask) {
            break;
        }
    }
    return (enum quire_zone_kind)kind;
}

void *quire_dma_alloc(struct quire *q, uint64_t nbytes, uint64_t mask, quire_paddr *device) {
    unsigned order = order_of(nbytes);
    if (nbytes == 0 || order == QUIRE_NORDERS) {
        return NULL;
    }
    void *pointer = block(q, order, zone_below(q, mask), true);
    if (!pointer) {
        return NULL;
    }
    struct quire_page *page = quire_page_under(q, pointer);
    *device = quire_frame_address(quire_page_frame(q, page));
    if (device->value + nbytes - 1 > mask) {
        quire_free_pages(q, pointer, order);
        return NULL;
    }
    page->index = nbytes;
    return pointer;
}

void quire_dma_free(struct quire *q, void *pointer, uint64_t nbytes) {
    struct quire_page *page = quire_page_under(q, pointer);
    CHECK(q, page && page->index == nbytes);
    page->index = 0;
    quire_free_pages(q, pointer, order_of(nbytes));
}
