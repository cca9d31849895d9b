/* transfer.c: a whole segment to the device and back.
 *
 *     segment (bytes anywhere) -> stage (whole frames) -> neighbouring pages of the device
 *
 * Out, page by page, as the port writes; in, sixteen pages a request: that is what a segment has
 * over scattered pages. The last page is filled up with zeros. Each transfer is sealed as swap's
 * are (swap/io.c): a checksum over all pages under the segment's identity and its place, kept in
 * RAM, so that flipped, lost, torn, misplaced and stale pages are errors and never bytes.
 *
 * What may fail: QUIRE_NOMEM, no run of pages is free; QUIRE_IO, the device; QUIRE_BUS, the seal.
 * Called by segment.c.
 */
#include <quire/machine.h>

#include "base/checksum.h"
#include "segment/segments.h"

static uint32_t pages_of(uint32_t nbytes) {
    return (nbytes + (uint32_t)QUIRE_PAGE_MASK) >> QUIRE_PAGE_SHIFT;
}

static char *stage_page(const struct quire_segments *segments, uint32_t i) {
    return quire_mach_window(segments->q->machine, (quire_frame){segments->stage.number + i});
}

static uint64_t first_seal(const struct quire_segment *segment, uint32_t page) {
    return quire_checksum_mix(quire_checksum_mix(segment->id) ^ page);
}

static uint64_t seal_page(uint64_t seal, const void *page) {
    return quire_checksum(page, QUIRE_PAGE_SIZE, seal);
}

/* Bytes of page i of the segment. */
static uint32_t part(const struct quire_segment *segment, uint32_t i) {
    uint32_t left = segment->nbytes - (i << QUIRE_PAGE_SHIFT);
    return left < QUIRE_PAGE_SIZE ? left : (uint32_t)QUIRE_PAGE_SIZE;
}

enum quire_status quire_segment_write(struct quire_segment *segment) {
    struct quire_segments *segments = segment->segments;
    const struct quire_segments_config *config = &segments->config;
    uint32_t npages = pages_of(segment->nbytes), at;
    if (!quire_strip_find(&segments->disk, QUIRE_FIT_FIRST, npages, &at)) {
        return QUIRE_NOMEM;
    }
    char *stage = stage_page(segments, 0);
    uint64_t seal = first_seal(segment, at);
    for (uint32_t i = 0; i < npages; i++) {
        uint32_t n = part(segment, i);
        const char *from =
            quire_segments_window(segments, segment->extent.start + (i << QUIRE_PAGE_SHIFT));
        __builtin_memcpy(stage, from, n);
        __builtin_memset(stage + n, 0, QUIRE_PAGE_SIZE - n);
        seal = seal_page(seal, stage);
        if (quire_mach_swap_write(segments->q->machine, config->swap_device, at + i,
                                  segments->stage) != QUIRE_OK) {
            return QUIRE_IO;
        }
    }
    quire_strip_place(&segments->disk, &segment->on_disk, at, npages);
    segment->seal = seal;
    segments->counts.pages_out += npages;
    return QUIRE_OK;
}

enum quire_status quire_segment_read(struct quire_segment *segment) {
    struct quire_segments *segments = segment->segments;
    const struct extent *from = &segment->on_disk;
    quire_frame frames[STAGE_PAGES];
    uint64_t seal = first_seal(segment, from->start);
    for (uint32_t i = 0; i < STAGE_PAGES; i++) {
        frames[i].number = segments->stage.number + i;
    }
    for (uint32_t done = 0, run; done < from->length; done += run) {
        run = from->length - done < STAGE_PAGES ? from->length - done : STAGE_PAGES;
        if (quire_mach_swap_read(segments->q->machine, segments->config.swap_device,
                                 from->start + done, frames, run) != QUIRE_OK) {
            return QUIRE_IO;
        }
        for (uint32_t i = 0; i < run; i++) {
            uint32_t offset = segment->extent.start + ((done + i) << QUIRE_PAGE_SHIFT);
            seal = seal_page(seal, stage_page(segments, i));
            __builtin_memcpy(quire_segments_window(segments, offset), stage_page(segments, i),
                             part(segment, done + i));
        }
    }
    segments->counts.pages_in += from->length;
    return seal == segment->seal ? QUIRE_OK : QUIRE_BUS;
}
