/* segments.h: what the files of segment/ share. */
#ifndef QUIRE_SEGMENT_SEGMENTS_H
#define QUIRE_SEGMENT_SEGMENTS_H

#include "base/system.h"
#include "segment/strip.h"

/* Pages that one request of the device brings in; a buffer of so many frames lies between it and
 * segments, which are not aligned to pages. */
#define STAGE_ORDER 4u
#define STAGE_PAGES (1u << STAGE_ORDER)
_Static_assert(STAGE_PAGES <= 64, "QUIRE_RUN_MAX pages a request");

struct quire_segment {
    struct extent extent;  /* in RAM; length 0: it is not */
    struct extent on_disk; /* pages of the device; length 0: none */
    struct quire_list age; /* segments->ages if it is in RAM, else segments->absent */
    struct quire_segments *segments;
    void *owner;
    uint32_t nbytes;   /* asked for */
    uint64_t id, seal; /* seal: of what is on the device */
};

struct quire_segments {
    struct quire *q;
    struct quire_segments_config config;
    struct strip memory, disk; /* in bytes; in pages */
    struct quire_list ages;    /* of those in RAM, the one used longest ago first */
    struct quire_list absent;
    quire_frame stage; /* if config.swap */
    uint64_t next_id;
    struct quire_segments_figures counts; /* only what is counted since creation */
};

static inline struct quire_segment *segment_of_age(struct quire_list *link) {
    return QUIRE_CONTAINER(link, struct quire_segment, age);
}

static inline struct quire_segment *segment_of(struct extent *extent) {
    return QUIRE_CONTAINER(extent, struct quire_segment, extent);
}

/* Where the kernel sees a byte of the memory. */
char *quire_segments_window(const struct quire_segments *segments, uint32_t offset);

/* transfer.c. Its bytes to pages of the device that are taken for them; QUIRE_NOMEM, QUIRE_IO. */
enum quire_status quire_segment_write(struct quire_segment *segment);
/* And back, to where it is placed; QUIRE_IO, QUIRE_BUS. The pages stay taken. */
enum quire_status quire_segment_read(struct quire_segment *segment);

#endif
