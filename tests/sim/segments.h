/* segments.h: what a world has of machines without pages, or with more than pages: memory in
 * segments, a segmentation unit in front of it (or in front of paging), segmented paging, and a DMA
 * controller by itself; and beside each what must be true of it.
 *
 * They live in RAM that the manager set aside, in frames from quire_reserved on:
 *
 *     | GDT, LDT | segment table | page tables | pages | memory in segments ...            |
 *       page 0     page 1          4             24      SIM_SEGMENTS pages
 */
#ifndef QUIRE_TESTS_SIM_SEGMENTS_H
#define QUIRE_TESTS_SIM_SEGMENTS_H

#include <quire/segment.h>

#include "machine/soft/dma.h"
#include "machine/soft/segment.h"
#include "machine/soft/segpage.h"

#define SIM_SEGMENT_DEVICE 2 /* of swap, theirs alone */
#define SIM_SLOTS          24
#define SIM_SEGMENT_BYTES  12288 /* the largest segment */
#define SIM_DESCRIPTORS    16    /* in the GDT; the LDT has one for each slot */
#define SIM_SEGPAGES       24
#define SIM_SEGPAGE_TABLES 4
#define SIM_TABLES_PAGES   (2 + SIM_SEGPAGE_TABLES + SIM_SEGPAGES)
#define SIM_BUS_BYTES      (3u << 16)

/* A segment as its program sees it: a row of bytes, wherever it lies. */
struct sim_slot {
    struct quire_segment *segment; /* NULL: none */
    uint32_t nbytes;
    quire_paddr base; /* as the owner was told last */
    bool present;
    bool stale; /* the LDT's descriptor is not true any more */
    uint8_t bytes[SIM_SEGMENT_BYTES];
};

/* A register of the unit, as the manual's rules have it. */
struct sim_register {
    uint16_t selector;
    bool usable;
    struct quire_descriptor descriptor;
};

struct sim_segments {
    struct quire_segments *memory; /* NULL: not made */
    enum quire_fit fit;
    bool compact, swap;
    struct sim_slot slots[SIM_SLOTS];

    struct quire_segment_unit unit;
    unsigned cpl;
    uint16_t ldt; /* 0: none */
    struct sim_register registers[QUIRE_NSEGMENTS];
    struct quire_descriptor gdt_table[SIM_DESCRIPTORS], ldt_table[SIM_SLOTS];

    struct quire_segpage segpage;
    struct sim_segpage {
        unsigned frame; /* of the 24, or SIM_SEGPAGES: none */
        unsigned prot;
    } pages[SIM_SEGPAGE_TABLES][SIM_SEGPAGES];
    unsigned lengths[SIM_SEGPAGE_TABLES];
    uint32_t values[SIM_SEGPAGES]; /* of each frame, in its first word */

    struct quire_dma dma;
    uint8_t bus[SIM_BUS_BYTES], wanted[SIM_BUS_BYTES];

    uint64_t made, used, unit_steps, unit_refused, paged, moved_by_dma;
    struct quire_segments_figures before; /* of memories that were ended */
};

#endif
