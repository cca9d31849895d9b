/* checksum.c: the checksum that seals pages outside of RAM.
 *
 * Four lanes, each with two words of state, eat 64 bytes a round:
 *
 *      a, b: the next 16 bytes            x = (x ^ a) * K + (y + b)
 *      x, y: the lane's state             y = rotate(y + b) ^ rotate(x)
 *
 * Why so: a lane step is a one-to-one map of (x, y) for given bytes, and a one-to-one map of (a, b)
 * for given state. Hence (I1) an error within one 16-byte piece always leaves the lane in a
 * different state, and no later, correct bytes can make the states equal again. One multiplication
 * serves 16 bytes, and the four lanes do not wait for each other; that is where the speed comes
 * from. In the end the eight words are folded into one by a non-linear one-to-one mixer (I2:
 * one-to-one in each word), and there two different states meet in 64 bits once in about 2^64.
 *
 * Both turns are needed: what the highest bit of a word changed, a multiplication moves nowhere, so
 * it must lie elsewhere in y before the next word could undo it. With x unturned, three flipped
 * sign bits in the right words of a lane cancelled; with one turn for both, two did; the test
 * "signs" tries all sets of up to four and fails for either. What is left needs other bits: the
 * top ones of b and of the lane's next a, and bits TURN - 1 and TURN_X - 1 of its next b. Those
 * four flips, alone, pass one time in four; four random ones are such a set once in 10^14.
 *
 * Rejected: a folded 128-bit product (C has no such type; put together from four it is slower),
 * CRC-32C (32 bits, and fast only with an instruction not every machine has), a sum of
 * words (finds no exchanged words), sums of 32 x 32 bit products of keyed words (NH: Black et al.,
 * "UMAC", CRYPTO 1999; XXH3) in eight lanes: as plain C it took 1.6 times as long as this with gcc
 * and with clang, and even with SSE2 by hand 0.6 times, and each product leaves pairs of flips
 * that are missed once in 2^32; keyed cryptographic hashes (10 times slower for an enemy that
 * does not exist: whoever can forge a swapped page can also read the seal).
 *
 * Words are loaded as little-endian; compilers make plain loads of it where that is what they are.
 * Nothing can fail. User: swap/. Tested for avalanche, for every single-bit error of a page, for
 * exchanged words, and against fixed values so that the function cannot change unnoticed.
 */
#include "base/checksum.h"

#define STRIDE 64 /* bytes a round: 16 for each of four lanes */

/* Odd, with bits well spread: the 64-bit golden ratio. */
#define K 0x9E3779B97F4A7C15u

/* How far y turns a step: odd and not a divisor of 64, so that bits visit all places. */
#define TURN   23
#define TURN_X 41 /* the same for x, another way */

static inline uint64_t rotate(uint64_t word, unsigned n) {
    return word << n | word >> (64 - n);
}

static inline uint64_t load(const unsigned char *p) {
    return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
           (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 |
           (uint64_t)p[7] << 56;
}

/* Multipliers and shifts of splitmix64's finisher (Stafford's variant 13). */
uint64_t quire_checksum_mix(uint64_t value) {
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9u;
    value = (value ^ value >> 27) * 0x94D049BB133111EBu;
    return value ^ value >> 31;
}

struct lane {
    uint64_t x, y;
};

static inline struct lane start(uint64_t seed, unsigned number) {
    uint64_t x = quire_checksum_mix(seed + number * K);
    return (struct lane){x, x ^ K};
}

/* One step: 16 bytes into one lane (I1). By value, so that the lanes live in registers. */
static inline struct lane eat(struct lane lane, const unsigned char *p) {
    uint64_t in = lane.y + load(p + 8);
    uint64_t x = (lane.x ^ load(p)) * K + in;
    return (struct lane){x, rotate(in, TURN) ^ rotate(x, TURN_X)};
}

/* One word of a lane: one-to-one in y for given x, and in x for given y (I2). */
static inline uint64_t fold(struct lane lane) {
    return quire_checksum_mix(lane.x) + lane.y * K;
}

uint64_t quire_checksum(const void *bytes, size_t nbytes, uint64_t seed) {
    const unsigned char *p = bytes;
    const unsigned char *end = p + nbytes;
    struct lane a = start(seed, 0), b = start(seed, 1), c = start(seed, 2), d = start(seed, 3);

    for (; p != end; p += STRIDE) {
        a = eat(a, p);
        b = eat(b, p + 16);
        c = eat(c, p + 32);
        d = eat(d, p + 48);
    }
    uint64_t low = rotate(fold(a), 11) + fold(b); /* different turns: lanes are not alike */
    uint64_t high = rotate(fold(c), 29) + fold(d);
    return quire_checksum_mix(low + quire_checksum_mix(high ^ nbytes));
}
