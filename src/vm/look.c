/* look.c: what is where, for those who only look: views, and embedders that walk regions.
 *
 * A region's pages come from two sparse arrays: the space's own anons, and behind them the object's
 * pages. Both are walked together, upwards, the own ones hiding the object's:
 *
 *     own      .  A  .  .  A  .      a place is told if the space maps a page there (the
 *     object   P  P  .  P  .  .      reverse map knows), or if what it has there lies on swap
 *     told     P  A  .  P  A  .
 *
 * Changes nothing but the arrays' hints. Cannot fail. O(places), whatever the regions' sizes.
 */
#include "vm/anon.h"
#include "vm/object.h"
#include "vm/rmap.h"
#include "vm/space.h"

/* What the space has at va, if it is anything to tell of. */
static bool look_at(struct quire_space *space, uint64_t va, struct quire_page *page,
                    const struct quire_anon *anon, struct quire_place *place) {
    *place = (struct quire_place){.va = quire_va(va), .page = page, .slot = QUIRE_SLOT_NONE};
    if (page) {
        return quire_rmap_find(page, space, va) != NULL;
    }
    place->slot = anon->slot;
    place->sharers = anon->refs;
    return true;
}

/* The first of the region's places with index (a page number of the space) >= *vpn, or false. */
static bool next_in_region(struct quire_space *space, const struct quire_region *region,
                           uint64_t vpn, struct quire_place *place) {
    uint64_t end = quire_pages(region->end), first = quire_pages(region->start);
    bool shared = region->flags & QUIRE_MAP_SHARED;
    while (vpn < end) {
        uint64_t own = vpn, below = region->page_offset + (vpn - first);
        struct quire_anon *anon = shared ? NULL : quire_radix_next(&space->anons, &own);
        void *value = region->object ? quire_radix_next(&region->object->pages, &below) : NULL;
        uint64_t other = value ? first + (below - region->page_offset) : UINT64_MAX;
        own = anon ? own : UINT64_MAX;
        vpn = own <= other ? own : other;
        if (vpn >= end) {
            return false;
        }
        uint64_t va = vpn << QUIRE_PAGE_SHIFT;
        if (own == vpn) {
            if (look_at(space, va, anon->page, anon, place)) {
                return true;
            }
        } else if (region->object->shm) {
            const struct quire_anon *theirs = value;
            if (look_at(space, va, theirs->page, theirs, place)) {
                return true;
            }
        } else if (look_at(space, va, value, NULL, place)) {
            return true;
        }
        vpn++;
    }
    return false;
}

bool quire_vm_next_place(struct quire_space *space, quire_vaddr va, quire_vaddr end,
                         struct quire_place *place) {
    const struct quire_region *region = quire_region_above(space, va.value);
    for (; region && region->start < end.value; region = quire_region_next(region)) {
        uint64_t from = region->start > va.value ? region->start : va.value;
        if (next_in_region(space, region, quire_pages(from), place)) {
            return place->va.value < end.value;
        }
    }
    return false;
}

static void count_places(struct quire_space *space, struct quire_region_info *info) {
    struct quire_place place;
    quire_vaddr va = info->start;
    for (; quire_vm_next_place(space, va, info->end, &place);
         va = quire_va(place.va.value + QUIRE_PAGE_SIZE)) {
        if (!place.page) {
            info->swapped++;
        } else if (place.page->use == QUIRE_USE_ANON) {
            info->resident_anon++;
        } else {
            info->resident_file++;
        }
    }
}

/* Pages are counted as space's own counters do: resident is what is mapped. */
bool quire_region_at_or_after(const struct quire_space *space, quire_vaddr va, bool with_pages,
                              struct quire_region_info *info) {
    const struct quire_region *region = quire_region_above(space, va.value);
    if (!region) {
        return false;
    }
    *info = (struct quire_region_info){.start = quire_va(region->start),
                                       .end = quire_va(region->end),
                                       .prot = region->prot,
                                       .flags = region->flags,
                                       .object = region->object,
                                       .offset_bytes = region->page_offset << QUIRE_PAGE_SHIFT};
    if (with_pages) {
        count_places(region->space, info);
    }
    return true;
}
