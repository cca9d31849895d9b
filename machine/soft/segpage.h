/* segpage.h: segmented paging: a segment number, a page number, an offset; each segment has a page
 * table of its own. Three accesses of memory for a datum, one where an associative register helps.
 *
 * As GE 645 (MULTICS) had it: Bensoussan, Clingen, Daley, "The Multics Virtual Memory", CACM 15(5),
 * 1972. A unit by itself, beside the one that runs programs. Public, as soft.h.
 */
#ifndef QUIRE_SOFT_SEGPAGE_H
#define QUIRE_SOFT_SEGPAGE_H

#include "soft.h"
#include "walk.h"

#define QUIRE_SEGPAGE_SEGMENTS  512  /* entries of 8 bytes: the table is a frame */
#define QUIRE_SEGPAGE_PAGES     1024 /* of 4 bytes in each page table, also a frame: 4 MiB */
#define QUIRE_SEGPAGE_REGISTERS 16   /* associative, as the GE 645 had */

struct quire_segpage {
    struct quire_machine *machine;
    quire_frame table; /* of segments */
    bool associative;  /* use the registers */
    struct quire_segpage_register {
        uint32_t segment, page;
        quire_frame frame;
        unsigned prot; /* stores only if the page is marked dirty already */
        uint64_t used; /* when; 0: empty */
    } registers[QUIRE_SEGPAGE_REGISTERS];
    uint64_t accesses, hits, misses; /* of memory; of the registers */
};

/* table: a frame of RAM for the segment table, old contents. */
void quire_segpage_init(struct quire_segpage *unit, struct quire_machine *machine,
                        quire_frame table, bool associative);

/* Segment number `segment` has npages (1 to 1024) with at most prot (enum quire_prot), its page
 * table is this frame, old contents; npages 0: it is gone. => segment < 512 */
void quire_segpage_set(struct quire_segpage *unit, uint32_t segment, quire_frame page_table,
                       uint32_t npages, unsigned prot);
/* A page of it; frame NONE: nothing. => the segment is there, page is in it */
void quire_segpage_enter(struct quire_segpage *unit, uint32_t segment, uint32_t page,
                         quire_frame frame, unsigned prot);

/* One access: *host is where the byte lies. SEGMENTED: no such segment, past its length, or not
 * allowed by it; NOT_PRESENT, NOT_ALLOWED: the page. */
enum quire_walk_fault quire_segpage_access(struct quire_segpage *unit, uint32_t segment,
                                           uint32_t offset, enum quire_access access,
                                           uint8_t **host);

/* The same for the eye; changes nothing and asks no register. */
void quire_segpage_walk(const struct quire_segpage *unit, uint32_t segment, uint32_t offset,
                        enum quire_access access, struct quire_walk *walk);

#endif
