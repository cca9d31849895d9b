/* random.h: the numbers that unit tests draw. */
#ifndef QUIRE_TESTS_RANDOM_H
#define QUIRE_TESTS_RANDOM_H

#include <stdint.h>

/* xorshift64* (Vigna 2016): a seed, which must not be 0, is a test. */
static inline uint64_t next_random(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1Du;
}

#endif
