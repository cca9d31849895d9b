/* memblock.c: the allocator before the allocator.
 *
 * The frame table must lie in RAM before there is anything that could allocate it, and struct
 * quire, which everything hangs off, before even that. This does the least that serves: it
 * remembers the machine's ranges and takes from their tops.
 *
 *     range 0                              range 1
 *     |start                  end=limit|   |start       limit|######end|
 *      ------------- free -------------     ----- free ------  taken
 *
 * What is set aside for a driver begins at a multiple of its alignment, so there may be room above
 * it, up to 4 MiB. That is the spare piece: taken from first, and what is left of it handed over.
 *
 *     |start          limit|== aside ==| spare |###|end
 *
 * From the top of the highest range, because low memory is what weak DMA controllers reach: it
 * should go to the zones, not to tables that live for ever. General free lists with merging (as
 * Linux's memblock) were rejected: boot takes a handful of things and gives none back.
 *
 * What is larger than the largest block of the buddy system (4 MiB) can only be had here, before
 * the frames are handed over: a frame buffer, a ring of a network card (quire_memblock_reserve).
 * And RAM can be left alone altogether, for somebody else on the machine (quire_memblock_limit).
 *
 * Invariants:
 *   I1  ranges ascend, do not touch, consist of whole pages, and end below frame 2^32 - 1
 *   I2  start <= limit <= end; what is taken lies in [limit, end) of its range, and not in the
 *       spare piece, which does, and begins with a page
 *   I3  nothing taken crosses a range: windows are linear only within one
 *
 * What may fail: init on a map that breaks I1; take and reserve, when no range has room. Called by
 * core/boot.c and phys.c. The frame table's audit counts what was taken here as RESERVED.
 */
#include "page/memblock.h"

/* Frame numbers are 32 bits, and the last one means "none". */
#define ADDRESS_END ((uint64_t)UINT32_MAX << QUIRE_PAGE_SHIFT)

enum quire_status quire_memblock_init(struct quire_memblock *memblock,
                                      struct quire_machine *machine) {
    struct quire_ram_range range;
    uint64_t previous_end = 0;

    memblock->machine = machine;
    memblock->nranges = 0;
    memblock->spare.start = memblock->spare.limit = 0;
    for (unsigned i = 0; quire_mach_ram_range(machine, i, &range); i++) {
        uint64_t start = range.start.value, length = range.length_bytes;
        if (i == QUIRE_MEMBLOCK_RANGES || length == 0 || ((start | length) & QUIRE_PAGE_MASK) ||
            start > ADDRESS_END || length > ADDRESS_END - start ||
            (i > 0 && start <= previous_end)) {
            return QUIRE_INVAL; /* I1 */
        }
        previous_end = start + length;
        memblock->ranges[i].start = start;
        memblock->ranges[i].end = memblock->ranges[i].limit = previous_end;
        memblock->nranges = i + 1;
    }
    return memblock->nranges > 0 ? QUIRE_OK : QUIRE_INVAL;
}

/* Where nbytes fit below *limit, from its top; they are taken. */
static bool fits(uint64_t start, uint64_t *limit, uint64_t nbytes, uint64_t align) {
    uint64_t place = (*limit - nbytes) & ~(align - 1);
    if (nbytes > *limit - start || place < start) { /* rounding down left the piece: I2 */
        return false;
    }
    *limit = place;
    return true;
}

/* The same in the highest range with room, in its spare piece first; *was: the limit before. */
static bool find_place(struct quire_memblock *memblock, uint64_t nbytes, uint64_t align,
                       uint64_t *place, uint64_t *was) {
    uint64_t spare = memblock->spare.start, *limit = NULL;
    bool found = false;
    for (unsigned i = memblock->nranges; !found && i-- > 0;) {
        if (spare < memblock->spare.limit && spare >= memblock->ranges[i].start &&
            spare < memblock->ranges[i].end) {
            limit = &memblock->spare.limit;
            *was = *limit;
            found = fits(spare, limit, nbytes, align);
        }
        if (!found) {
            limit = &memblock->ranges[i].limit;
            *was = *limit;
            found = fits(memblock->ranges[i].start, limit, nbytes, align);
        }
    }
    *place = found ? *limit : 0;
    return found;
}

void *quire_memblock_take(struct quire_memblock *memblock, uint64_t nbytes, uint64_t align) {
    uint64_t place, was;
    if (!find_place(memblock, nbytes, align, &place, &was)) {
        return NULL;
    }
    char *window = quire_mach_window(memblock->machine, quire_frame_at((quire_paddr){place}));
    window += place & QUIRE_PAGE_MASK;
    __builtin_memset(window, 0, (size_t)nbytes); /* I3 */
    return window;
}

enum quire_status quire_memblock_reserve(struct quire_memblock *memblock, uint64_t nbytes,
                                         uint64_t align, quire_paddr *start) {
    uint64_t rounded = quire_round_up(nbytes), was;
    align = align > QUIRE_PAGE_SIZE ? align : QUIRE_PAGE_SIZE;
    if (rounded < nbytes || !find_place(memblock, rounded, align, &start->value, &was)) {
        return QUIRE_NOMEM;
    }
    uint64_t end = start->value + rounded;
    if (was - end > memblock->spare.limit - memblock->spare.start) { /* the larger one is kept */
        memblock->spare.start = end;
        memblock->spare.limit = was;
    }
    return QUIRE_OK;
}

enum quire_status quire_memblock_limit(struct quire_memblock *memblock, uint64_t nbytes) {
    uint64_t left = nbytes & ~QUIRE_PAGE_MASK;
    unsigned nranges = 0;
    for (unsigned i = 0; i < memblock->nranges && left > 0; i++) {
        uint64_t length = memblock->ranges[i].end - memblock->ranges[i].start;
        length = length < left ? length : left;
        memblock->ranges[i].end = memblock->ranges[i].limit = memblock->ranges[i].start + length;
        left -= length;
        nranges = i + 1;
    }
    memblock->nranges = nranges;
    return nranges > 0 ? QUIRE_OK : QUIRE_INVAL;
}

uint64_t quire_memblock_total(const struct quire_memblock *memblock) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < memblock->nranges; i++) {
        sum += memblock->ranges[i].end - memblock->ranges[i].start;
    }
    return sum;
}

uint64_t quire_memblock_taken(const struct quire_memblock *memblock) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < memblock->nranges; i++) {
        sum += memblock->ranges[i].end - (memblock->ranges[i].limit & ~QUIRE_PAGE_MASK);
    }
    return sum - ((memblock->spare.limit & ~QUIRE_PAGE_MASK) - memblock->spare.start);
}
