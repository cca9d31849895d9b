/* segpage.c: segment table, page table, datum.
 *
 *     segment s, offset = page p and d
 *
 *     segment table [s] --> length? rights? --> page table [p] --> rights? --> frame, d
 *          1st access                               2nd access                 3rd access
 *
 * Against pure segments: a segment need not lie in one piece, nor be in RAM as a whole. Against
 * 10/10/12: the entry of the first table says how long a segment is and what may be done with it,
 * so that an index out of an array is refused at the byte's page, not somewhere in a neighbour. The
 * associative registers repeat what both tables said; they are dropped when either changes.
 *
 * Entry of a segment: bit 0 it is there, 1 to 3 R W X, 12 to 43 the page table's frame, 44 to 63
 * its pages. Entries of pages: as radix.h's.
 *
 * Invariants:
 *   I1  a register repeats a valid entry whose accessed bit is set, and lets stores pass only if
 *       the dirty bit is
 *   I2  a segment's page table is all zeros behind its length
 *
 * What may fail: accesses. Called by labs and tests.
 */
#include "segpage.h"

#include <string.h>

#include "machine.h"

#define SEGMENT_PRESENT      1u
#define SEGMENT_TABLE_SHIFT  12
#define SEGMENT_LENGTH_SHIFT 44

static uint64_t *segment_entry(const struct quire_segpage *unit, uint32_t segment) {
    return (uint64_t *)soft_host(unit->machine, unit->table) + segment;
}

static quire_frame table_of(uint64_t entry) {
    return (quire_frame){(uint32_t)(entry >> SEGMENT_TABLE_SHIFT)};
}

static uint32_t *page_entry(const struct quire_segpage *unit, uint64_t entry, uint32_t page) {
    return (uint32_t *)soft_host(unit->machine, table_of(entry)) + page;
}

static void drop(struct quire_segpage *unit, uint32_t segment, uint32_t first, uint32_t end) {
    for (unsigned i = 0; i < QUIRE_SEGPAGE_REGISTERS; i++) {
        struct quire_segpage_register *at = &unit->registers[i];
        if (at->segment == segment && at->page >= first && at->page < end)
            at->used = 0; /* I1 */
    }
}

void quire_segpage_init(struct quire_segpage *unit, struct quire_machine *machine,
                        quire_frame table, bool associative) {
    *unit = (struct quire_segpage){.machine = machine, .table = table, .associative = associative};
    quire_mach_zero(machine, table);
}

void quire_segpage_set(struct quire_segpage *unit, uint32_t segment, quire_frame page_table,
                       uint32_t npages, unsigned prot) {
    SOFT_CHECK(unit->machine, segment < QUIRE_SEGPAGE_SEGMENTS && npages <= QUIRE_SEGPAGE_PAGES);
    drop(unit, segment, 0, QUIRE_SEGPAGE_PAGES);
    *segment_entry(unit, segment) = 0;
    if (npages == 0)
        return;
    quire_mach_zero(unit->machine, page_table); /* I2 */
    *segment_entry(unit, segment) = SEGMENT_PRESENT | (uint64_t)prot << RADIX_PROT_SHIFT |
                                    (uint64_t)page_table.number << SEGMENT_TABLE_SHIFT |
                                    (uint64_t)npages << SEGMENT_LENGTH_SHIFT;
}

void quire_segpage_enter(struct quire_segpage *unit, uint32_t segment, uint32_t page,
                         quire_frame frame, unsigned prot) {
    SOFT_CHECK(unit->machine, segment < QUIRE_SEGPAGE_SEGMENTS);
    uint64_t entry = *segment_entry(unit, segment);
    SOFT_CHECK(unit->machine, page < entry >> SEGMENT_LENGTH_SHIFT);
    uint64_t bits = RADIX_VALID | RADIX_USER | (uint64_t)prot << RADIX_PROT_SHIFT;
    *page_entry(unit, entry, page) =
        quire_frame_is_none(frame) ? 0 : (uint32_t)radix_entry(frame, bits);
    drop(unit, segment, page, page + 1);
}

/* ---- the way ----------------------------------------------------------------------------------
 */

/* Both tables, told to `walk` if there is one; *leaf: the page's entry where the walk came so far.
 */
static enum quire_walk_fault descend(const struct quire_segpage *unit, uint32_t segment,
                                     uint32_t offset, enum quire_access access, uint32_t **leaf,
                                     struct quire_walk *walk) {
    uint32_t page = offset >> QUIRE_PAGE_SHIFT;
    uint64_t needed = (uint64_t)access << RADIX_PROT_SHIFT;
    if (segment >= QUIRE_SEGPAGE_SEGMENTS)
        return QUIRE_WALK_SEGMENTED; /* before any access */
    uint64_t entry = *segment_entry(unit, segment);
    uint64_t length = (entry >> SEGMENT_LENGTH_SHIFT) << QUIRE_PAGE_SHIFT;
    if (walk) {
        uint64_t at = quire_frame_address(unit->table).value + segment * sizeof entry;
        quire_walk_add(walk, QUIRE_WALK_SEGMENT, at, entry)->index = segment;
        quire_walk_add(walk, QUIRE_WALK_CHECK, UINT64_MAX, offset)->index = length ? length - 1 : 0;
    }
    if (!(entry & SEGMENT_PRESENT) || offset >= length || !(entry & needed))
        return QUIRE_WALK_SEGMENTED;
    *leaf = page_entry(unit, entry, page);
    if (walk) {
        uint64_t at = quire_frame_address(table_of(entry)).value + page * sizeof **leaf;
        struct quire_walk_step *step = quire_walk_add(walk, QUIRE_WALK_LEAF, at, **leaf);
        step->level = 1;
        step->index = page;
    }
    if (!(**leaf & RADIX_VALID))
        return QUIRE_WALK_NOT_PRESENT;
    return **leaf & needed ? QUIRE_WALK_OK : QUIRE_WALK_NOT_ALLOWED;
}

void quire_segpage_walk(const struct quire_segpage *unit, uint32_t segment, uint32_t offset,
                        enum quire_access access, struct quire_walk *walk) {
    uint32_t *leaf = NULL;
    quire_walk_begin(walk);
    enum quire_walk_fault fault = descend(unit, segment, offset, access, &leaf, walk);
    if (fault != QUIRE_WALK_OK) {
        quire_walk_refuse(walk, fault);
        return;
    }
    walk->physical = quire_frame_address(radix_frame(*leaf)).value + (offset & QUIRE_PAGE_MASK);
    quire_walk_add(walk, QUIRE_WALK_DATUM, walk->physical, 0);
}

static struct quire_segpage_register *find(struct quire_segpage *unit, uint32_t segment,
                                           uint32_t page) {
    for (unsigned i = 0; i < QUIRE_SEGPAGE_REGISTERS; i++) {
        struct quire_segpage_register *at = &unit->registers[i];
        if (at->used && at->segment == segment && at->page == page)
            return at;
    }
    return NULL;
}

/* The one that was used longest ago, or its own. */
static void remember(struct quire_segpage *unit, uint32_t segment, uint32_t page, uint64_t leaf,
                     uint64_t rights) {
    struct quire_segpage_register *to = find(unit, segment, page);
    if (!to) {
        to = unit->registers;
        for (unsigned i = 1; i < QUIRE_SEGPAGE_REGISTERS; i++)
            to = unit->registers[i].used < to->used ? &unit->registers[i] : to;
    }
    unsigned prot = (unsigned)((leaf & rights & RADIX_PROT) >> RADIX_PROT_SHIFT);
    if (!(leaf & RADIX_DIRTY))
        prot &= ~(unsigned)QUIRE_PROT_WRITE; /* I1 */
    *to = (struct quire_segpage_register){segment, page, radix_frame(leaf), prot,
                                          unit->hits + unit->misses};
}

enum quire_walk_fault quire_segpage_access(struct quire_segpage *unit, uint32_t segment,
                                           uint32_t offset, enum quire_access access,
                                           uint8_t **host) {
    uint32_t page = offset >> QUIRE_PAGE_SHIFT, *leaf = NULL;
    uint64_t inside = offset & QUIRE_PAGE_MASK;
    struct quire_segpage_register *hit = unit->associative ? find(unit, segment, page) : NULL;
    if (hit && (hit->prot & access)) {
        unit->hits++;
        unit->accesses++;
        hit->used = unit->hits + unit->misses;
        *host = soft_host(unit->machine, hit->frame) + inside;
        return QUIRE_WALK_OK;
    }
    unit->misses++;
    enum quire_walk_fault fault = descend(unit, segment, offset, access, &leaf, NULL);
    unit->accesses += segment < QUIRE_SEGPAGE_SEGMENTS; /* the segment table */
    unit->accesses += leaf != NULL;                     /* the page table */
    if (fault != QUIRE_WALK_OK)
        return fault;
    unit->accesses++; /* the datum */
    *leaf |= RADIX_ACCESSED | (access == QUIRE_ACCESS_WRITE ? RADIX_DIRTY : 0u);
    if (unit->associative)
        remember(unit, segment, page, *leaf, *segment_entry(unit, segment));
    *host = soft_host(unit->machine, radix_frame(*leaf)) + inside;
    return QUIRE_WALK_OK;
}
