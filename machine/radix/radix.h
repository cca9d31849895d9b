/* radix.h: page tables as trees of arrays in simulated RAM; their shapes are data.
 *
 * Used by the software machine's memory unit, and by labs that show other shapes. Knows nothing of
 * TLBs, faults or processors.
 */
#ifndef QUIRE_RADIX_H
#define QUIRE_RADIX_H

#include <quire/machine.h>

#define RADIX_LEVELS_MAX 5

/* One shape. All entries have the bits of the RISC-V privileged architecture (20211203), 4.3
 * to 4.5: flags in bits 0 to 7, the frame number from bit 10 on. */
struct quire_radix_format {
    const char *name;
    unsigned levels;
    unsigned bits[RADIX_LEVELS_MAX];  /* of the address that index a table, top level first */
    unsigned shift[RADIX_LEVELS_MAX]; /* where these begin: 12 + the bits of the levels below */
    unsigned entry_shift;             /* log2 of an entry's bytes */
    unsigned user_bits;               /* user addresses lie below 2^user_bits */
    unsigned leaf_levels;             /* bit l: an entry of level l may map memory by itself */
};

extern const struct quire_radix_format quire_radix_sv57; /* 9/9/9/9/9/12, user half */
extern const struct quire_radix_format quire_radix_sv48; /* 9/9/9/9/12, user half */
extern const struct quire_radix_format quire_radix_sv39; /* 9/9/9/12, user half */
extern const struct quire_radix_format quire_radix_sv32; /* 10/10/12 */
extern const struct quire_radix_format quire_radix_flat; /* 20/12: one table of 4 MiB */
/* Sv48 with leaf tables of four entries, so that blocks are 4 pages: for tests. */
extern const struct quire_radix_format quire_radix_small;

/* The formats by number, Sv48 first; NULL past the last. And by name, as in `name`. */
const struct quire_radix_format *quire_radix_format_at(unsigned index);
const struct quire_radix_format *quire_radix_format_find(const char *name);

/* A valid entry without R, W and X points to the next table; with any of them it maps a page, or
 * above the last level a block as large as what the table that it replaces would cover. */
enum quire_radix_bit {
    RADIX_VALID = 1 << 0,
    RADIX_READ = 1 << 1,
    RADIX_WRITE = 1 << 2,
    RADIX_EXEC = 1 << 3,
    RADIX_USER = 1 << 4,
    RADIX_GLOBAL = 1 << 5,
    RADIX_ACCESSED = 1 << 6,
    RADIX_DIRTY = 1 << 7,
};
#define RADIX_PROT (RADIX_READ | RADIX_WRITE | RADIX_EXEC)
/* RADIX_READ to RADIX_EXEC are QUIRE_PROT_READ to QUIRE_PROT_EXEC, shifted. */
#define RADIX_PROT_SHIFT 1
#define RADIX_PPN_SHIFT  10

/* One tree. */
struct quire_radix {
    const struct quire_radix_format *format;
    uint8_t *memory; /* where the host sees physical address 0 */
    uint64_t root;   /* physical address of the top table, which lies in one piece */
};

static inline uint64_t radix_entry(quire_frame frame, uint64_t bits) {
    return ((uint64_t)frame.number << RADIX_PPN_SHIFT) | bits;
}

static inline quire_frame radix_frame(uint64_t entry) {
    return (quire_frame){(uint32_t)(entry >> RADIX_PPN_SHIFT)};
}

static inline uint64_t radix_entries(const struct quire_radix_format *format, unsigned level) {
    return (uint64_t)1 << format->bits[level];
}

/* An entry of this level maps 2^order frames: 0 at the last, in Sv48 9 (2 MiB) and 18 (1 GiB) above
 * it. Address and first frame are multiples of that. */
static inline unsigned radix_order(const struct quire_radix_format *format, unsigned level) {
    return format->shift[level] - QUIRE_PAGE_SHIFT;
}

/* Frames of the top table: one, but 1024 (4 MiB) in the flat format. */
static inline unsigned radix_root_order(const struct quire_radix_format *format) {
    unsigned shift = format->bits[0] + format->entry_shift;
    return shift > QUIRE_PAGE_SHIFT ? shift - QUIRE_PAGE_SHIFT : 0;
}

static inline bool radix_maps(uint64_t entry) {
    return (entry & RADIX_VALID) && (entry & RADIX_PROT);
}

/* Where va's entry is in a table of this level. */
static inline uint64_t radix_index(const struct quire_radix_format *format, unsigned level,
                                   uint64_t va) {
    return (va >> format->shift[level]) & (radix_entries(format, level) - 1);
}

/* Entries are 8 bytes, or 4 in the 32-bit formats. */
static inline uint64_t radix_load(const struct quire_radix_format *format, const void *table,
                                  uint64_t index) {
    if (format->entry_shift == 3)
        return ((const uint64_t *)table)[index];
    return ((const uint32_t *)table)[index];
}

static inline void radix_store(const struct quire_radix_format *format, void *table, uint64_t index,
                               uint64_t entry) {
    if (format->entry_shift == 3)
        ((uint64_t *)table)[index] = entry;
    else
        ((uint32_t *)table)[index] = (uint32_t)entry;
}

/* The table in which the walk of va ends, and its level: va's entry there maps something or is not
 * valid. O(levels). => a user address. */
void *quire_radix_walk(const struct quire_radix *radix, uint64_t va, unsigned *level);

/* The last-level table that covers va, NULL if there is none or a larger block is mapped there. */
void *quire_radix_leaf(const struct quire_radix *radix, uint64_t va);

/* The table of this level that covers va. Tables that are missing are popped from the stash and
 * zeroed; a larger block that is in the way is split: its new table maps the same frames with the
 * same bits. NULL only when the stash ran dry; what was linked by then stays. */
void *quire_radix_grow(const struct quire_radix *radix, uint64_t va, unsigned level,
                       struct quire_stash *stash);

/* The first place at or after *va, before end, where something may be mapped: a last-level table,
 * or the table whose entry for *va maps a larger block; *level says which. *va moves up to where
 * that begins, but not down. NULL: none. Holes are skipped at the level where they are. */
void *quire_radix_next_table(const struct quire_radix *radix, uint64_t *va, uint64_t end,
                             unsigned *level);

/* What the tables cost now: how many of each level, and the bytes of all; of those that hang off
 * the first `nroot` entries of the root (the others are shared), and the root. O(tables). */
struct quire_radix_cost {
    uint64_t tables[RADIX_LEVELS_MAX];
    uint64_t mapped[RADIX_LEVELS_MAX]; /* entries that map memory, by the level they are in */
    uint64_t nbytes;
};
void quire_radix_cost(const struct quire_radix *radix, uint64_t nroot,
                      struct quire_radix_cost *cost);

/* Hand each table's frame to release, children before parents, the root last. */
void quire_radix_release(const struct quire_radix *radix,
                         void (*release)(void *context, quire_frame), void *context);

#endif
