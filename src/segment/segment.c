/* segment.c: which segments are in RAM, where, and what is done when there is no hole.
 *
 *     create, grow, use
 *        a hole by fit? ------------------------- yes: there
 *            | no
 *        free bytes suffice? -- compact: all to the low end, one hole: there
 *            | no
 *        the segment used longest ago -> out, whole -> again       none left: QUIRE_NOMEM
 *
 *     before   | A |  hole  | B | hole | C |hole|       external fragmentation: 1 - largest / free
 *     after    | A | B | C |        hole        |
 *
 * There is no dirty bit: a descriptor says accessed, not written, so what goes out is always
 * written, and the pages of the device are given up when it is back in. That, the copying of
 * compaction, and moving all of a segment for one byte of it is what paging saves.
 *
 * Invariants:
 *   I1  a segment is in RAM (extent, on `ages`) or on the device (on_disk, on `absent`), never both
 *   I2  its extent has nbytes rounded up to QUIRE_SEGMENT_ALIGN
 *   I3  what a new extent has beyond the segment's old bytes is zeros
 *   I4  after an error nothing of the segment asked for has changed; others may have gone out
 *
 * What may fail: see include/quire/segment.h. Called by embedders; audited by quire_segments_audit.
 */
#include <quire/kmem.h>
#include <quire/machine.h>

#include "base/check.h"
#include "segment/segments.h"

#define LENGTH_MAX ((uint32_t)1 << 31)

char *quire_segments_window(const struct quire_segments *segments, uint32_t offset) {
    const struct quire_segments_config *config = &segments->config;
    return (char *)quire_mach_window(segments->q->machine, quire_frame_at(config->start)) + offset;
}

static uint32_t round_up(uint32_t nbytes) {
    return (nbytes + QUIRE_SEGMENT_ALIGN - 1) & ~(QUIRE_SEGMENT_ALIGN - 1);
}

static quire_paddr base_of(const struct quire_segment *segment) {
    return (quire_paddr){segment->segments->config.start.value + segment->extent.start};
}

static void tell(const struct quire_segment *segment, bool present) {
    const struct quire_segments_config *config = &segment->segments->config;
    if (config->moved) {
        config->moved(config->context, segment->owner, present, base_of(segment));
    }
}

/* ---- making room ----------------------------------------------------------------------------- */

void quire_segments_compact(struct quire_segments *segments) {
    struct strip *memory = &segments->memory;
    uint32_t to = 0;
    segments->counts.compactions++;
    for (struct quire_list *link = memory->extents.next; link != &memory->extents;
         link = link->next) {
        struct extent *extent = extent_of(link);
        if (extent->start != to) {
            __builtin_memmove(quire_segments_window(segments, to),
                              quire_segments_window(segments, extent->start), extent->length);
            extent->start = to;
            segments->counts.moved++;
            segments->counts.moved_bytes += extent->length;
            tell(segment_of(extent), true);
        }
        to += extent->length;
    }
    memory->rover = to;
}

/* A hole, as memory is or after compaction. */
static bool find(struct quire_segments *segments, uint32_t need, uint32_t *start) {
    struct strip *memory = &segments->memory;
    if (quire_strip_find(memory, segments->config.fit, need, start)) {
        return true;
    }
    if (!segments->config.compact || memory->length - memory->used < need) {
        return false;
    }
    quire_segments_compact(segments);
    return quire_strip_find(memory, segments->config.fit, need, start);
}

/* The segment used longest ago, but not that one; NULL. */
static struct quire_segment *oldest_but(struct quire_segments *segments,
                                        const struct quire_segment *keep) {
    struct quire_list *link = segments->ages.next;
    if (link != &segments->ages && segment_of_age(link) == keep) {
        link = link->next;
    }
    return link == &segments->ages ? NULL : segment_of_age(link);
}

static enum quire_status swap_out(struct quire_segment *segment) {
    struct quire_segments *segments = segment->segments;
    enum quire_status status = quire_segment_write(segment);
    if (status != QUIRE_OK) {
        return status;
    }
    segments->counts.swapped_out++;
    segments->counts.swapped_out_bytes += segment->nbytes;
    quire_strip_remove(&segments->memory, &segment->extent); /* I1 */
    quire_list_remove(&segment->age);
    quire_list_add_before(&segments->absent, &segment->age);
    tell(segment, false);
    return QUIRE_OK;
}

/* Room for `need` bytes, whatever it takes but `keep`. */
static enum quire_status make_room(struct quire_segments *segments, uint32_t need,
                                   const struct quire_segment *keep, uint32_t *start) {
    if (need > segments->memory.length) {
        segments->counts.refused++;
        return QUIRE_NOMEM;
    }
    while (!find(segments, need, start)) {
        struct quire_segment *victim = segments->config.swap ? oldest_but(segments, keep) : NULL;
        enum quire_status status = victim ? swap_out(victim) : QUIRE_NOMEM;
        if (status != QUIRE_OK) {
            segments->counts.refused++;
            return status;
        }
    }
    return QUIRE_OK;
}

/* ---- segments -------------------------------------------------------------------------------- */

static bool is_size(uint32_t nbytes) {
    return nbytes > 0 && nbytes < LENGTH_MAX;
}

static void place(struct quire_segment *segment, uint32_t start, uint32_t length) {
    struct quire_segments *segments = segment->segments;
    quire_strip_place(&segments->memory, &segment->extent, start, length);
    quire_list_remove(&segment->age);
    quire_list_add_before(&segments->ages, &segment->age);
}

enum quire_status quire_segment_create(struct quire_segments *segments, uint32_t nbytes,
                                       void *owner, struct quire_segment **out) {
    uint32_t start;
    if (!is_size(nbytes)) {
        return QUIRE_INVAL;
    }
    struct quire_segment *segment = quire_kzalloc(segments->q, sizeof *segment);
    if (!segment) {
        return QUIRE_NOMEM;
    }
    enum quire_status status = make_room(segments, round_up(nbytes), NULL, &start);
    if (status != QUIRE_OK) {
        quire_kfree(segments->q, segment);
        return status;
    }
    segment->segments = segments;
    segment->owner = owner;
    segment->nbytes = nbytes;
    segment->id = ++segments->next_id;
    quire_list_init(&segment->age);
    place(segment, start, round_up(nbytes));
    __builtin_memset(quire_segments_window(segments, start), 0, round_up(nbytes)); /* I3 */
    tell(segment, true);
    *out = segment;
    return QUIRE_OK;
}

static void forget_places(struct quire_segment *segment) {
    struct quire_segments *segments = segment->segments;
    if (segment->extent.length) {
        quire_strip_remove(&segments->memory, &segment->extent);
    }
    if (segment->on_disk.length) {
        quire_strip_remove(&segments->disk, &segment->on_disk);
    }
}

void quire_segment_destroy(struct quire_segment *segment) {
    forget_places(segment);
    quire_list_remove(&segment->age);
    quire_kfree(segment->segments->q, segment);
}

enum quire_status quire_segment_use(struct quire_segment *segment, quire_paddr *base) {
    struct quire_segments *segments = segment->segments;
    uint32_t start;
    if (segment->extent.length == 0) {
        enum quire_status status = make_room(segments, round_up(segment->nbytes), segment, &start);
        if (status != QUIRE_OK) {
            return status;
        }
        quire_strip_place(&segments->memory, &segment->extent, start, round_up(segment->nbytes));
        status = quire_segment_read(segment);
        if (status != QUIRE_OK) { /* I4 */
            quire_strip_remove(&segments->memory, &segment->extent);
            return status;
        }
        __builtin_memset(quire_segments_window(segments, start + segment->nbytes), 0,
                         segment->extent.length - segment->nbytes); /* I3 */
        quire_strip_remove(&segments->disk, &segment->on_disk);     /* I1 */
        segments->counts.swapped_in++;
        segments->counts.swapped_in_bytes += segment->nbytes;
        tell(segment, true);
    }
    quire_list_remove(&segment->age);
    quire_list_add_before(&segments->ages, &segment->age);
    *base = base_of(segment);
    return QUIRE_OK;
}

enum quire_status quire_segment_swap_out(struct quire_segment *segment) {
    if (!segment->segments->config.swap) {
        return QUIRE_INVAL;
    }
    return segment->extent.length ? swap_out(segment) : QUIRE_OK;
}

/* The extent ends elsewhere: into the hole behind, or before. => the hole behind suffices */
static void stretch(struct quire_segment *segment, uint32_t length) {
    struct quire_segments *segments = segment->segments;
    segments->memory.used += length - segment->extent.length;
    segment->extent.length = length;
}

/* To a larger hole. Compaction on the way may have moved it, or put room behind it. */
static enum quire_status relocate(struct quire_segment *segment, uint32_t length) {
    struct quire_segments *segments = segment->segments;
    uint32_t start, old = segment->extent.length;
    enum quire_status status = make_room(segments, length, segment, &start);
    if (status != QUIRE_OK) {
        return status;
    }
    __builtin_memcpy(quire_segments_window(segments, start),
                     quire_segments_window(segments, segment->extent.start), old);
    quire_strip_remove(&segments->memory, &segment->extent);
    quire_strip_place(&segments->memory, &segment->extent, start, length);
    segments->counts.moved++;
    segments->counts.moved_bytes += old;
    tell(segment, true);
    return QUIRE_OK;
}

enum quire_status quire_segment_resize(struct quire_segment *segment, uint32_t nbytes) {
    struct quire_segments *segments = segment->segments;
    quire_paddr base;
    if (!is_size(nbytes)) {
        return QUIRE_INVAL;
    }
    enum quire_status status = quire_segment_use(segment, &base);
    uint32_t length = round_up(nbytes), old = segment->nbytes;
    if (status != QUIRE_OK) {
        return status;
    }
    if (length <= segment->extent.length ||
        length - segment->extent.length <=
            quire_strip_behind(&segments->memory, &segment->extent)) {
        stretch(segment, length);
    } else {
        status = relocate(segment, length);
    }
    if (status != QUIRE_OK) {
        return status;
    }
    uint32_t from = nbytes < old ? nbytes : old; /* I3 */
    __builtin_memset(quire_segments_window(segments, segment->extent.start + from), 0,
                     length - from);
    segment->nbytes = nbytes;
    return QUIRE_OK;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static bool is_valid(struct quire *q, const struct quire_segments_config *config) {
    return !(config->start.value & QUIRE_PAGE_MASK) && is_size(config->length_bytes) &&
           config->length_bytes % QUIRE_SEGMENT_ALIGN == 0 &&
           (unsigned)config->fit <= QUIRE_FIT_NEXT &&
           (!config->swap || quire_mach_swap_pages(q->machine, config->swap_device) > 0);
}

enum quire_status quire_segments_create(struct quire *q, const struct quire_segments_config *config,
                                        struct quire_segments **out) {
    if (!is_valid(q, config)) {
        return QUIRE_INVAL;
    }
    struct quire_segments *segments = quire_kzalloc(q, sizeof *segments);
    if (!segments) {
        return QUIRE_NOMEM;
    }
    if (config->swap && quire_frames_alloc(q, STAGE_ORDER, &segments->stage) != QUIRE_OK) {
        quire_kfree(q, segments);
        return QUIRE_NOMEM;
    }
    segments->q = q;
    segments->config = *config;
    quire_strip_init(&segments->memory, config->length_bytes);
    uint64_t npages = config->swap ? quire_mach_swap_pages(q->machine, config->swap_device) : 0;
    quire_strip_init(&segments->disk, npages < LENGTH_MAX ? (uint32_t)npages : LENGTH_MAX);
    quire_list_init(&segments->ages);
    quire_list_init(&segments->absent);
    *out = segments;
    return QUIRE_OK;
}

static void destroy_all(struct quire_list *list) {
    while (!quire_list_empty(list)) {
        quire_segment_destroy(segment_of_age(list->next));
    }
}

void quire_segments_destroy(struct quire_segments *segments) {
    struct quire *q = segments->q;
    destroy_all(&segments->ages);
    destroy_all(&segments->absent);
    if (segments->config.swap) {
        quire_frames_free(q, segments->stage, STAGE_ORDER);
    }
    quire_kfree(q, segments);
}

/* ---- looking --------------------------------------------------------------------------------- */

void quire_segment_info(const struct quire_segment *segment, struct quire_segment_info *info) {
    *info = (struct quire_segment_info){.present = segment->extent.length > 0,
                                        .offset = segment->extent.start,
                                        .nbytes = segment->nbytes,
                                        .owner = segment->owner};
}

bool quire_segments_at(const struct quire_segments *segments, uint32_t offset,
                       struct quire_segment_info *info) {
    struct extent *extent = quire_strip_at(&segments->memory, offset);
    uint32_t end = extent ? extent->start : segments->memory.length;
    if (extent && extent->start <= offset) {
        quire_segment_info(segment_of(extent), info);
        return true;
    }
    *info = (struct quire_segment_info){.hole = true, .offset = offset, .nbytes = end - offset};
    return offset < end;
}

/* part * 1000 / whole, rounded down to what 32 bits hold. => part <= whole */
static unsigned permille(uint32_t part, uint32_t whole) {
    while (whole >= (uint32_t)1 << 22) { /* 1000 needs ten bits */
        part >>= 1;
        whole >>= 1;
    }
    return whole ? part * 1000 / whole : 0;
}

void quire_segments_figures(const struct quire_segments *segments,
                            struct quire_segments_figures *f) {
    const struct strip *memory = &segments->memory;
    *f = segments->counts;
    f->total = memory->length;
    f->used = memory->used;
    f->free = memory->length - memory->used;
    f->looked_at = memory->looked_at;
    quire_strip_holes(memory, &f->nholes, &f->largest_hole);
    f->external_permille = permille(f->free - f->largest_hole, f->free);
    for (struct quire_list *link = segments->ages.next; link != &segments->ages;
         link = link->next) {
        f->requested += segment_of_age(link)->nbytes;
        f->npresent++;
    }
    f->nsegments = f->npresent;
    for (struct quire_list *link = segments->absent.next; link != &segments->absent;
         link = link->next) {
        f->nsegments++;
    }
}

static void audit_strip(struct quire *q, const struct strip *strip) {
    uint32_t end = 0, used = 0;
    for (struct quire_list *link = strip->extents.next; link != &strip->extents;
         link = link->next) {
        const struct extent *extent = extent_of(link);
        CHECK(q, extent->length > 0 && extent->start >= end);
        end = extent->start + extent->length;
        used += extent->length;
    }
    CHECK(q, end <= strip->length && used == strip->used);
}

void quire_segments_audit(struct quire_segments *segments) {
    struct quire *q = segments->q;
    uint32_t used = 0, pages = 0;
    audit_strip(q, &segments->memory);
    audit_strip(q, &segments->disk);
    for (struct quire_list *link = segments->ages.next; link != &segments->ages;
         link = link->next) {
        const struct quire_segment *segment = segment_of_age(link);
        CHECK(q, segment->extent.length == round_up(segment->nbytes)); /* I2 */
        CHECK(q, segment->on_disk.length == 0);                        /* I1 */
        used += segment->extent.length;
    }
    for (struct quire_list *link = segments->absent.next; link != &segments->absent;
         link = link->next) {
        const struct quire_segment *segment = segment_of_age(link);
        CHECK(q, segment->extent.length == 0 && segment->on_disk.length > 0); /* I1 */
        pages += segment->on_disk.length;
    }
    CHECK(q, used == segments->memory.used && pages == segments->disk.used);
}
