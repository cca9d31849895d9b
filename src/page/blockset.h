/* blockset.h: a set of block numbers that gives its lowest member in a handful of steps.
 *
 * Bits, 64 to a word, and above each level of words a smaller one that says which of them are not
 * zero, up to a single word:
 *
 *     level 2                                 1
 *     level 1                 1 1 . 1                              64 words of level 0 each
 *     level 0      . 1 . 1    1 . . .    . . . .    . . 1 1        one bit a block
 *
 * Adding and removing rarely leave level 0. Free blocks are kept so because a bit costs nothing to
 * reach: lists through the frames' structs, as in Linux, touch three cold cache lines (the block's
 * and its neighbours') for each block that comes or goes, and hand out by the order of frees. This
 * one hands out from low addresses up, first fit, which keeps what lives long together (Wilson et
 * al., "Dynamic Storage Allocation", 1995) and gives programs frames that ascend.
 *
 * Invariants:
 *   I1  a bit above level 0 is set exactly when the word below it is not zero
 *   I2  count is the number of members
 *
 * Nothing can fail once it has its words. O(log64 of the limit). Users: the free blocks of a zone,
 * by order and type (zone.h). Audit: quire_blockset_is_sound.
 */
#ifndef QUIRE_PAGE_BLOCKSET_H
#define QUIRE_PAGE_BLOCKSET_H

#include "base/bitmap.h"

/* 64^6 > 2^32, the frames that there can be. */
#define QUIRE_BLOCKSET_LEVELS 6

struct quire_blockset {
    uint64_t *levels[QUIRE_BLOCKSET_LEVELS];
    unsigned nlevels;
    uint64_t count;
};

/* Bytes of all levels for members 0 to limit - 1. => limit > 0 */
uint64_t quire_blockset_bytes(uint64_t limit);
/* An empty set in so many bytes, which are zero and aligned for uint64_t. */
void quire_blockset_init(struct quire_blockset *set, uint64_t limit, void *bytes);
/* I1 and I2, by looking at every word. */
bool quire_blockset_is_sound(const struct quire_blockset *set, uint64_t limit);

/* => not a member, below the limit */
static inline void quire_blockset_add(struct quire_blockset *set, uint32_t member) {
    set->count++;
    for (unsigned level = 0; level < set->nlevels; level++) {
        uint64_t *word = &set->levels[level][member / QUIRE_BITMAP_WORD], before = *word;
        *word = before | (uint64_t)1 << (member % QUIRE_BITMAP_WORD);
        if (before != 0) { /* I1 holds above */
            return;
        }
        member /= QUIRE_BITMAP_WORD;
    }
}

/* => a member */
static inline void quire_blockset_remove(struct quire_blockset *set, uint32_t member) {
    set->count--;
    for (unsigned level = 0; level < set->nlevels; level++) {
        uint64_t *word = &set->levels[level][member / QUIRE_BITMAP_WORD];
        *word &= ~((uint64_t)1 << (member % QUIRE_BITMAP_WORD));
        if (*word != 0) {
            return;
        }
        member /= QUIRE_BITMAP_WORD;
    }
}

static inline bool quire_blockset_has(const struct quire_blockset *set, uint32_t member) {
    return quire_bitmap_test(set->levels[0], member);
}

/* => not empty */
static inline uint32_t quire_blockset_lowest(const struct quire_blockset *set) {
    uint32_t at = 0;
    for (unsigned level = set->nlevels; level-- > 0;) {
        uint64_t word = set->levels[level][at];
        at = at * QUIRE_BITMAP_WORD + (uint32_t)__builtin_ctzll(word);
    }
    return at;
}

#endif
