/* bitmap.c: searches in bit sets, a word at a time.
 *
 * Owns nothing. One level of words is enough here: a swap area of 1 GiB is 4096 words, and searches
 * start at a hint, so that they rarely look at more than a few. A summary level would make every
 * set and clear dearer to speed up the rare search in a nearly full area.
 *
 * Invariant I1: no result names a bit at or past nbits, whatever the last word holds there.
 * Nothing can fail. Users: swap/ (slots), tests.
 */
#include "base/bitmap.h"

/* The first set bit at or after from, where each word is seen through the mask `flip`: all zeros
 * finds set bits, all ones finds clear ones. */
static uint64_t search(const uint64_t *words, uint64_t nbits, uint64_t from, uint64_t flip) {
    if (from >= nbits) {
        return nbits;
    }
    uint64_t at = from / QUIRE_BITMAP_WORD;
    uint64_t nwords = quire_bitmap_words(nbits);
    uint64_t word = (words[at] ^ flip) & ~(uint64_t)0 << (from % QUIRE_BITMAP_WORD);

    while (word == 0) {
        if (++at == nwords) {
            return nbits;
        }
        word = words[at] ^ flip;
    }
    uint64_t bit = at * QUIRE_BITMAP_WORD + (unsigned)__builtin_ctzll(word);
    return bit < nbits ? bit : nbits; /* I1 */
}

uint64_t quire_bitmap_next_set(const uint64_t *words, uint64_t nbits, uint64_t from) {
    return search(words, nbits, from, 0);
}

uint64_t quire_bitmap_next_clear(const uint64_t *words, uint64_t nbits, uint64_t from) {
    return search(words, nbits, from, ~(uint64_t)0);
}

unsigned quire_bitmap_weight(uint64_t word) {
    /* Sums of neighbours: 32 of 2 bits, 16 of 4, 8 of 8, then all by one multiplication. */
    word -= word >> 1 & 0x5555555555555555u;
    word = (word & 0x3333333333333333u) + (word >> 2 & 0x3333333333333333u);
    word = (word + (word >> 4)) & 0x0F0F0F0F0F0F0F0Fu;
    return (unsigned)(word * 0x0101010101010101u >> 56);
}

uint64_t quire_bitmap_count(const uint64_t *words, uint64_t nbits) {
    uint64_t sum = 0;
    uint64_t whole = nbits / QUIRE_BITMAP_WORD;
    for (uint64_t i = 0; i < whole; i++) {
        sum += quire_bitmap_weight(words[i]);
    }
    if (nbits % QUIRE_BITMAP_WORD != 0) { /* I1 */
        uint64_t mask = ((uint64_t)1 << (nbits % QUIRE_BITMAP_WORD)) - 1;
        sum += quire_bitmap_weight(words[whole] & mask);
    }
    return sum;
}
