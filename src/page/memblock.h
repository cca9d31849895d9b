/* memblock.h: memory before there is an allocator: the RAM ranges and what was taken of them.
 *
 * Lives in whatever memory the boot code has (its stack). Use: init, take as often as needed (first
 * of all struct quire itself), hand over to quire_phys_boot. Never used after that.
 */
#ifndef QUIRE_PAGE_MEMBLOCK_H
#define QUIRE_PAGE_MEMBLOCK_H

#include <quire/machine.h>

/* As many runs of RAM as we accept: PC firmware maps have fewer than 32 usable ones. */
#define QUIRE_MEMBLOCK_RANGES 32

struct quire_memblock {
    struct quire_machine *machine;
    unsigned nranges;
    struct {
        uint64_t start, end; /* bytes, physical, whole pages, as the machine says */
        uint64_t limit;      /* start <= limit <= end: [limit, end) is taken, but for: */
    } ranges[QUIRE_MEMBLOCK_RANGES];
    struct {
        uint64_t start, limit; /* free above what was reserved, start a whole page; equal: none */
    } spare;
};

/* Read the machine's ranges. QUIRE_INVAL: none, too many, unaligned or not ascending. */
enum quire_status quire_memblock_init(struct quire_memblock *memblock,
                                      struct quire_machine *machine);

/* Zeroed bytes, aligned to align (a power of two up to a page), from the top of the highest range
 * with room. NULL: no range has. There is no giving back. */
void *quire_memblock_take(struct quire_memblock *memblock, uint64_t nbytes, uint64_t align);

/* Forget all RAM past the lowest nbytes, whole pages, as if it were not there (Linux: mem=).
 * QUIRE_INVAL: nothing would be left. => nothing was taken yet */
enum quire_status quire_memblock_limit(struct quire_memblock *memblock, uint64_t nbytes);

/* Set nbytes aside, rounded up to pages, in one piece and for ever: bytes are as they are. Aligned
 * to align, a power of two. *start: where. QUIRE_NOMEM: no range has room. */
enum quire_status quire_memblock_reserve(struct quire_memblock *memblock, uint64_t nbytes,
                                         uint64_t align, quire_paddr *start);

/* Bytes of all ranges; bytes taken, rounded up to the frames that they keep from the allocator. */
uint64_t quire_memblock_total(const struct quire_memblock *memblock);
uint64_t quire_memblock_taken(const struct quire_memblock *memblock);

#endif
