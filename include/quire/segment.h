/* segment.h: memory under pure segmentation: no pages, variable partitions of one piece of RAM.
 *
 * What operating systems did before paging, and what paging is to be measured against: each segment
 * lies in one piece, so free memory falls into holes (external fragmentation), which are searched
 * by first, best, worst or next fit, closed by moving segments together, or made by swapping whole
 * segments out. Knuth, The Art of Computer Programming, volume 1, 2.5; Randell, "A Note on Storage
 * Fragmentation and Program Segmentation", CACM 12(7), 1969.
 *
 * The addresses that come out are physical: bases for a segmentation unit (machine/soft/segment.h),
 * which `moved` keeps true. Thread-safety: as quire.h says. Sizes are in bytes, below 2 GiB.
 */
#ifndef QUIRE_SEGMENT_H
#define QUIRE_SEGMENT_H

#include <quire/status.h>
#include <quire/types.h>

struct quire_segments; /* one piece of RAM, divided */
struct quire_segment;  /* one segment, in RAM or swapped out */

/* Which hole a segment is put into: the lowest that holds it, the smallest, the largest, the first
 * after the last one used. */
enum quire_fit { QUIRE_FIT_FIRST, QUIRE_FIT_BEST, QUIRE_FIT_WORST, QUIRE_FIT_NEXT };

/* Segments begin at multiples of this: x86's paragraph. What it rounds up is internal
 * fragmentation. */
#define QUIRE_SEGMENT_ALIGN 16u

struct quire_segments_config {
    quire_paddr start; /* RAM that the caller owns, in one piece, page-aligned: quire_reserved */
    uint32_t length_bytes;
    enum quire_fit fit;
    bool compact; /* move segments together when there is room enough, but not in one hole */
    /* Swap whole segments out when there is not: on this machine's device, which nobody else uses.
     */
    bool swap;
    unsigned swap_device;
    /* A segment has a new place, or (present false) is in RAM no more; owner is the one that
     * quire_segment_create got. Must not call back. May be NULL. */
    void (*moved)(void *context, void *owner, bool present, quire_paddr base);
    void *context;
};

/* QUIRE_INVAL: not aligned, no length, a length of 2 GiB or more, no such fit, or no such device;
 * QUIRE_NOMEM. */
enum quire_status quire_segments_create(struct quire *q, const struct quire_segments_config *config,
                                        struct quire_segments **out);
/* All segments go too. */
void quire_segments_destroy(struct quire_segments *segments);

/* A segment of zeros. QUIRE_INVAL: 0 bytes or 2 GiB; QUIRE_NOMEM: no hole is large enough, whatever
 * may be moved and swapped; QUIRE_IO: the swap device failed on the way. O(segments), and what is
 * moved and swapped. */
enum quire_status quire_segment_create(struct quire_segments *segments, uint32_t nbytes,
                                       void *owner, struct quire_segment **out);
void quire_segment_destroy(struct quire_segment *segment);

/* More bytes (zeros) or fewer: in place where the hole behind suffices, else in another. As create;
 * after an error it is as it was. */
enum quire_status quire_segment_resize(struct quire_segment *segment, uint32_t nbytes);

/* In RAM now, and the most recently used: where. True until the next call that may move or swap.
 * QUIRE_NOMEM; QUIRE_IO: the device failed, may be tried again; QUIRE_BUS: what came back is not
 * what went out. */
enum quire_status quire_segment_use(struct quire_segment *segment, quire_paddr *base);

/* Out to the device, whole. QUIRE_INVAL: no swap was configured; QUIRE_NOMEM: the device is full;
 * QUIRE_IO: it stays in RAM. */
enum quire_status quire_segment_swap_out(struct quire_segment *segment);

/* All segments to the low end, one hole behind. O(bytes). */
void quire_segments_compact(struct quire_segments *segments);

struct quire_segment_info {
    bool hole; /* else a segment */
    bool present;
    uint32_t offset; /* from the start of the memory */
    uint32_t nbytes; /* of a segment as it was asked for; of a hole all */
    void *owner;
};
void quire_segment_info(const struct quire_segment *segment, struct quire_segment_info *info);
/* What lies at an offset, or begins next, in the order of addresses; false: nothing up to the end.
 * O(segments). */
bool quire_segments_at(const struct quire_segments *segments, uint32_t offset,
                       struct quire_segment_info *info);

struct quire_segments_figures {
    uint32_t total, used, free; /* bytes; used with what is rounded up */
    uint32_t requested; /* of used: what was asked for; the rest is internal fragmentation */
    uint32_t largest_hole, nholes, nsegments, npresent;
    /* External fragmentation in thousandths: the share of free memory that the largest hole has
     * not. 0 when all is in one hole. */
    unsigned external_permille;
    /* Since creation. */
    uint64_t looked_at; /* holes */
    uint64_t refused;   /* creations, growths and uses */
    uint64_t compactions, moved, moved_bytes;
    uint64_t swapped_out, swapped_out_bytes, swapped_in, swapped_in_bytes;
    uint64_t pages_out, pages_in; /* of the device: for a comparison with paging */
};
void quire_segments_figures(const struct quire_segments *segments,
                            struct quire_segments_figures *figures);

/* Recount everything; panics on a difference. */
void quire_segments_audit(struct quire_segments *segments);

#endif
