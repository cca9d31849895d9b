/* strip.h: pieces of a line of places, in order, with holes between. Internal to segment/. */
#ifndef QUIRE_SEGMENT_STRIP_H
#define QUIRE_SEGMENT_STRIP_H

#include <quire/segment.h>

#include "base/list.h"

struct extent {
    struct quire_list link; /* in the strip, by start */
    uint32_t start, length;
};

struct strip {
    struct quire_list extents;
    uint32_t length, used;
    uint32_t rover;     /* next fit: where the last one ended */
    uint64_t looked_at; /* holes */
};

void quire_strip_init(struct strip *strip, uint32_t length);
/* Where `need` places are free, by fit. False: nowhere in one piece. O(extents). */
bool quire_strip_find(struct strip *strip, enum quire_fit fit, uint32_t need, uint32_t *start);
/* => these places are free */
void quire_strip_place(struct strip *strip, struct extent *extent, uint32_t start, uint32_t length);
void quire_strip_remove(struct strip *strip, struct extent *extent);
/* Free places right behind an extent. O(1). */
uint32_t quire_strip_behind(const struct strip *strip, const struct extent *extent);
void quire_strip_holes(const struct strip *strip, uint32_t *n, uint32_t *largest);
/* The first extent that ends behind a place; NULL. */
struct extent *quire_strip_at(const struct strip *strip, uint32_t place);

static inline struct extent *extent_of(struct quire_list *link) {
    return QUIRE_CONTAINER(link, struct extent, link);
}

#endif
