/* bitmap.h: sets of small numbers as bits in 64-bit words. The owner brings the words and the size.
 *
 * Searches look at a word at a time. Bits past nbits in the last word may hold anything.
 */
#ifndef QUIRE_BASE_BITMAP_H
#define QUIRE_BASE_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUIRE_BITMAP_WORD 64

/* Words, and bytes, that nbits need. */
static inline uint64_t quire_bitmap_words(uint64_t nbits) {
    return (nbits + QUIRE_BITMAP_WORD - 1) / QUIRE_BITMAP_WORD;
}

static inline uint64_t quire_bitmap_bytes(uint64_t nbits) {
    return quire_bitmap_words(nbits) * sizeof(uint64_t);
}

static inline bool quire_bitmap_test(const uint64_t *words, uint64_t bit) {
    return words[bit / QUIRE_BITMAP_WORD] >> (bit % QUIRE_BITMAP_WORD) & 1;
}

static inline void quire_bitmap_set(uint64_t *words, uint64_t bit) {
    words[bit / QUIRE_BITMAP_WORD] |= (uint64_t)1 << (bit % QUIRE_BITMAP_WORD);
}

static inline void quire_bitmap_clear(uint64_t *words, uint64_t bit) {
    words[bit / QUIRE_BITMAP_WORD] &= ~((uint64_t)1 << (bit % QUIRE_BITMAP_WORD));
}

/* The first set, or clear, bit at or after from; nbits if there is none. No wrap-around. */
uint64_t quire_bitmap_next_set(const uint64_t *words, uint64_t nbits, uint64_t from);
uint64_t quire_bitmap_next_clear(const uint64_t *words, uint64_t nbits, uint64_t from);

/* How many of nbits are set. */
uint64_t quire_bitmap_count(const uint64_t *words, uint64_t nbits);

/* Set bits of one word: portable, as the builtin may be a library call. */
unsigned quire_bitmap_weight(uint64_t word);

#endif
