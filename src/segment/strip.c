/* strip.c: who has which places of a line, and which hole is the next to be used.
 *
 *     | A |  hole  | B | C |   hole   | D |hole|
 *                            ^ rover
 *
 * One list in the order of places; holes are what lies between neighbours, so there is nothing to
 * merge and nothing to keep in step. Every search walks the list, as the systems did that this room
 * shows; a tree of holes by size would make best fit fast, and hide what it costs (looked_at).
 *
 * Invariants: I1 extents ascend, are not empty, and do not overlap. I2 used is the sum of their
 * lengths. What may fail: find. Called by segment.c and transfer.c. Audited by segment.c.
 */
#include "segment/strip.h"

void quire_strip_init(struct strip *strip, uint32_t length) {
    *strip = (struct strip){.length = length};
    quire_list_init(&strip->extents);
}

/* Where the hole before `link` ends: at its extent, or at the end of the strip. */
static uint32_t hole_end(const struct strip *strip, const struct quire_list *link) {
    return link == &strip->extents ? strip->length : extent_of((struct quire_list *)link)->start;
}

/* And where it begins. */
static uint32_t hole_start(const struct strip *strip, const struct quire_list *link) {
    const struct quire_list *before = link->prev;
    if (before == &strip->extents) {
        return 0;
    }
    const struct extent *extent = extent_of((struct quire_list *)before);
    return extent->start + extent->length;
}

/* Is a hole of `size` the one to take, when the best so far has `best`? */
static bool is_better(enum quire_fit fit, uint32_t size, uint32_t best) {
    return fit == QUIRE_FIT_BEST ? size < best : fit == QUIRE_FIT_WORST && size > best;
}

/* Holes, or what of them lies behind `from`. */
static bool search(struct strip *strip, enum quire_fit fit, uint32_t from, uint32_t need,
                   uint32_t *start) {
    uint32_t best = 0;
    const struct quire_list *link = &strip->extents;
    do {
        link = link->next;
        uint32_t begin = hole_start(strip, link), end = hole_end(strip, link);
        begin = begin < from ? from : begin;
        strip->looked_at += end > begin;
        if (end <= begin || end - begin < need) {
            continue;
        }
        if (best == 0 || is_better(fit, end - begin, best)) {
            best = end - begin;
            *start = begin;
        }
        if (fit == QUIRE_FIT_FIRST || fit == QUIRE_FIT_NEXT) {
            break;
        }
    } while (link != &strip->extents);
    return best != 0;
}

bool quire_strip_find(struct strip *strip, enum quire_fit fit, uint32_t need, uint32_t *start) {
    if (need > strip->length - strip->used) {
        return false;
    }
    if (fit == QUIRE_FIT_NEXT && search(strip, fit, strip->rover, need, start)) {
        return true;
    }
    return search(strip, fit, 0, need, start);
}

void quire_strip_place(struct strip *strip, struct extent *extent, uint32_t start,
                       uint32_t length) {
    struct quire_list *link = strip->extents.next;
    while (link != &strip->extents && extent_of(link)->start < start) {
        link = link->next;
    }
    extent->start = start;
    extent->length = length;
    quire_list_add_before(link, &extent->link);
    strip->used += length;
    strip->rover = start + length;
}

void quire_strip_remove(struct strip *strip, struct extent *extent) {
    quire_list_remove(&extent->link);
    strip->used -= extent->length;
    extent->length = 0;
}

uint32_t quire_strip_behind(const struct strip *strip, const struct extent *extent) {
    return hole_end(strip, extent->link.next) - (extent->start + extent->length);
}

void quire_strip_holes(const struct strip *strip, uint32_t *n, uint32_t *largest) {
    const struct quire_list *link = &strip->extents;
    *n = *largest = 0;
    do {
        link = link->next;
        uint32_t size = hole_end(strip, link) - hole_start(strip, link);
        *n += size > 0;
        *largest = size > *largest ? size : *largest;
    } while (link != &strip->extents);
}

struct extent *quire_strip_at(const struct strip *strip, uint32_t place) {
    for (struct quire_list *link = strip->extents.next; link != &strip->extents;
         link = link->next) {
        struct extent *extent = extent_of(link);
        if (extent->start + extent->length > place) {
            return extent;
        }
    }
    return NULL;
}
