/* fuzz.h: random programs, and a file that runs many of them. */
#ifndef QUIRE_TESTS_CPU_FUZZ_H
#define QUIRE_TESTS_CPU_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A stream of random numbers: splitmix64. */
static inline uint64_t fuzz_random(uint64_t *state) {
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static inline unsigned fuzz_below(uint64_t *state, unsigned bound) {
    return (unsigned)(fuzz_random(state) >> 33) % bound;
}

/* One or two instructions that belong together. */
enum fuzz_jump { NO_JUMP, JUMP_BRANCH, JUMP_JAL, JUMP_JALR, JUMP_CJ, JUMP_CB };
struct fuzz_unit {
    uint32_t words[2]; /* low half only, if compressed */
    unsigned count;    /* of words */
    enum fuzz_jump jump;
    unsigned target;   /* jumps: index of the unit to go to, always a later one */
    bool removed;      /* by shrinking: takes no space */
};

#define UNITS_MAX 40

struct fuzz_sequence {
    uint64_t seed;
    unsigned count;
    struct fuzz_unit units[UNITS_MAX];
    uint64_t x[32], f[32], fcsr; /* before */
};

/* Registers that a sequence leaves alone: two that point at the middle of the sandbox, one that the
 * driver keeps for itself. */
#define REG_SANDBOX  2
#define REG_DRIVER   3
#define REG_SANDBOX2 9

/* The sequence of a seed. */
void fuzz_generate(struct fuzz_sequence *sequence, uint64_t seed);

/* Its code; returns the bytes. => room for UNITS_MAX * 8 */
size_t fuzz_encode(const struct fuzz_sequence *sequence, uint8_t *code);

/* What a sequence leaves: x (2, 3 and 9 are not compared), f, fcsr, and a hash of the sandbox. */
#define RESULT_WORDS 66
#define RESULT_FCSR  0
#define RESULT_X     1  /* x1 is word 1 */
#define RESULT_F     33
#define RESULT_HASH  65 /* f31 is word 64 */

/* A static RISC-V executable that runs these sequences one after another, writes RESULT_WORDS words
 * for each to standard output and exits with 0. */
struct fuzz_image {
    uint8_t *bytes; /* the file; the caller frees it */
    size_t size;
    uint64_t load_va; /* the file lies there in memory, whole */
    uint64_t memory;  /* bytes to be mapped from 0 on */
    uint64_t entry;
};
void fuzz_image_make(const struct fuzz_sequence *sequences, unsigned count,
                     struct fuzz_image *image);

#endif
