/* walk.h: one translation, step by step: what the memory unit would do with an address, and why.
 *
 * A walk looks and changes nothing: no accessed or dirty bit, no TLB entry, no fault. Each step
 * says what it read where, so that the accesses of memory can be counted: a walk of Sv48 without
 * the TLB is four tables and the datum. Steps of the units before paging (segment.h, segpage.h)
 * come first. Public, as soft.h.
 */
#ifndef QUIRE_SOFT_WALK_H
#define QUIRE_SOFT_WALK_H

#include "../radix/radix.h"
#include "soft.h"

enum quire_walk_kind {
    QUIRE_WALK_SELECTOR,   /* value: the selector */
    QUIRE_WALK_DESCRIPTOR, /* value: 8 bytes of the segment's descriptor; at: where it was read,
                            * UINT64_MAX: from the register, which keeps it */
    QUIRE_WALK_SEGMENT,    /* value: an entry of a segment table (segpage.h) */
    QUIRE_WALK_CHECK,      /* value: the offset that passed (or not); index: the limit */
    QUIRE_WALK_LINEAR,     /* value: base + offset */
    QUIRE_WALK_TLB,        /* index: 0 missed, 1 the small bank, 2 that of blocks */
    QUIRE_WALK_TABLE,      /* value: an entry that points to the next table, or to nothing */
    QUIRE_WALK_LEAF,       /* value: the entry that maps */
    QUIRE_WALK_DATUM,      /* at: the physical address */
    QUIRE_WALK_FAULT,      /* value: enum quire_walk_fault */
};

enum quire_walk_fault {
    QUIRE_WALK_OK,
    QUIRE_WALK_NOT_PRESENT, /* no entry: the manager would be asked */
    QUIRE_WALK_NOT_ALLOWED, /* by the entry's R, W, X */
    QUIRE_WALK_NOT_USER,    /* a program, and the entry (or the address) is the kernel's */
    QUIRE_WALK_NO_ADDRESS,  /* the format has no such address */
    QUIRE_WALK_SEGMENTED,   /* refused before paging: limit, type, privilege, presence */
};

struct quire_walk_step {
    enum quire_walk_kind kind;
    unsigned level; /* of the table, 0 is the root */
    uint64_t index; /* in it */
    uint64_t at;    /* physical address that was read; UINT64_MAX: memory was not accessed */
    uint64_t value;
    unsigned order; /* of a leaf: it maps 2^order frames */
};

#define QUIRE_WALK_STEPS 24
struct quire_walk {
    struct quire_walk_step steps[QUIRE_WALK_STEPS];
    unsigned nsteps;
    unsigned accesses;         /* of memory, the datum's included */
    uint64_t linear, physical; /* physical: if fault is OK */
    enum quire_walk_fault fault;
};

/* The walk of a linear address, by a program or (supervisor) by the kernel; with_tlb: the TLB is
 * asked first, as the processor does, and ends it. O(levels). */
void quire_soft_walk(struct quire_pmap *pmap, uint64_t va, enum quire_access access,
                     bool supervisor, bool with_tlb, struct quire_walk *walk);

/* One line a step, and one for the sum. Returns the length of the whole text; what does not fit in
 * capacity is left out. */
size_t quire_walk_text(const struct quire_walk *walk, char *text, size_t capacity);

/* The tables that the walk of va goes through, a line each with what its entries are: walk_table.c
 * has the format. As quire_walk_text. O(entries of these tables). */
size_t quire_soft_table_text(struct quire_pmap *pmap, uint64_t va, char *text, size_t capacity);

/* All of this by name, as "walk/7ffff000/r": walk_names.c has the names. SIZE_MAX: there is no such
 * name; else as quire_walk_text. */
size_t quire_soft_walk_view(struct quire_pmap *pmap, const char *name, char *text,
                            size_t capacity);

/* What this space's tables cost now, those that all spaces share left out. O(tables). */
void quire_soft_tables(struct quire_pmap *pmap, struct quire_radix_cost *cost);

/* For the units before paging: begin anew; add a step (at UINT64_MAX: no access); end in a fault.
 */
void quire_walk_begin(struct quire_walk *walk);
struct quire_walk_step *quire_walk_add(struct quire_walk *walk, enum quire_walk_kind kind,
                                       uint64_t at, uint64_t value);
void quire_walk_refuse(struct quire_walk *walk, enum quire_walk_fault fault);
/* The paging unit's part, after what is there already. */
void quire_walk_pages(struct quire_pmap *pmap, uint64_t va, enum quire_access access,
                      bool supervisor, bool with_tlb, struct quire_walk *walk);

#endif
