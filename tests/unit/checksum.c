/* checksum.c: that the page checksum finds what it is there to find: every flipped bit, pairs of
 * them, exchanged and moved pieces, another seed; that its bits are even; and that it stays as it
 * is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bitmap.h"
#include "base/checksum.h"
#include "random.h"

#define PAGE 4096u

static void fill(unsigned char *page, unsigned kind) {
    uint64_t seed = 17 + kind;
    for (unsigned i = 0; i < PAGE; i++) {
        page[i] = kind == 0 ? 0 : kind == 1 ? 0xFF : (unsigned char)(next_random(&seed) >> 56);
    }
}

static void flip(unsigned char *page, unsigned bit) {
    page[bit / 8] ^= (unsigned char)(1u << bit % 8);
}

/* Each of 32768 single errors changes the sum, and changes half of its bits on average. */
static void single_bits(void **state) {
    (void)state;
    static unsigned char page[PAGE];
    for (unsigned kind = 0; kind < 3; kind++) {
        fill(page, kind);
        uint64_t sum = quire_checksum(page, PAGE, 1), changed = 0;
        unsigned least = 64;
        for (unsigned bit = 0; bit < PAGE * 8; bit++) {
            flip(page, bit);
            unsigned weight = quire_bitmap_weight(quire_checksum(page, PAGE, 1) ^ sum);
            flip(page, bit);
            changed += weight;
            least = weight < least ? weight : least;
        }
        assert_true(least > 0);
        double average = (double)changed / (PAGE * 8);
        assert_true(average > 31.5 && average < 32.5);
    }
}

/* Two errors, above all in the highest bits of words, which a multiplication moves nowhere. */
static void pairs_of_bits(void **state) {
    (void)state;
    static unsigned char page[PAGE];
    fill(page, 0);
    uint64_t sum = quire_checksum(page, PAGE, 1);
    for (unsigned a = 0; a < PAGE / 8; a += 3) {
        flip(page, a * 64 + 63);
        for (unsigned b = a + 1; b < PAGE / 8; b++) {
            flip(page, b * 64 + 63);
            assert_true(quire_checksum(page, PAGE, 1) != sum);
            flip(page, b * 64 + 63);
        }
        flip(page, a * 64 + 63);
    }
}

/* Flipped signs of up to four numbers near each other: what changes between two versions of an
 * array of numbers, and what multiplications spread least. */
static void signs(void **state) {
    (void)state;
    enum { NEAR = 26 }; /* words: three steps of each lane */
    static unsigned char page[PAGE];
    fill(page, 2);
    uint64_t sum = quire_checksum(page, 256, 1); /* what is equal after 256 bytes stays equal */
    for (uint32_t set = 1; set < (uint32_t)1 << NEAR; set++) {
        if (quire_bitmap_weight(set) > 4) {
            continue;
        }
        for (unsigned word = 0; word < NEAR; word++) {
            page[word * 8 + 7] ^= set >> word & 1 ? 0x80 : 0;
        }
        assert_true(quire_checksum(page, 256, 1) != sum);
        for (unsigned word = 0; word < NEAR; word++) {
            page[word * 8 + 7] ^= set >> word & 1 ? 0x80 : 0;
        }
    }
}

/* Words, lines and halves that change places; a page that is shifted; part of an older version. */
static void exchanged(void **state) {
    (void)state;
    static unsigned char page[PAGE], other[PAGE];
    fill(page, 2);
    uint64_t sum = quire_checksum(page, PAGE, 1);
    for (unsigned size = 8; size <= PAGE / 2; size *= 2) {
        for (unsigned at = size; at + size <= PAGE; at += size) {
            memcpy(other, page, PAGE);
            memcpy(other, page + at, size);
            memcpy(other + at, page, size);
            assert_true(quire_checksum(other, PAGE, 1) != sum);
            memcpy(other, page, PAGE);
            memset(other + at, 0, size); /* a torn write over a zeroed slot */
            assert_true(quire_checksum(other, PAGE, 1) != sum);
        }
    }
    for (unsigned shift = 1; shift < PAGE; shift++) {
        memcpy(other, page + shift, PAGE - shift);
        memcpy(other + PAGE - shift, page, shift);
        assert_true(quire_checksum(other, PAGE, 1) != sum);
    }
}

/* 200,000 sums of nearly equal pages and seeds: no two alike (2^-29 by chance). Open hashing. */
static void no_collisions(void **state) {
    (void)state;
    enum { SUMS = 200000, TABLE = 1 << 19 };
    static uint64_t table[TABLE];
    static unsigned char page[PAGE];
    fill(page, 0);
    for (unsigned i = 0; i < SUMS; i++) {
        uint64_t number = i / 2; /* even: a small number somewhere in the page; odd: as the seed */
        memcpy(page + (i % 2 ? 0 : 1024), &number, 8);
        uint64_t sum = i % 2 ? quire_checksum(page + 512, 512, number)
                             : quire_checksum(page + 1024, 64, 0x1234);
        unsigned at = (unsigned)(sum & (TABLE - 1));
        while (table[at] != 0) {
            assert_true(table[at] != sum);
            at = (at + 1) & (TABLE - 1);
        }
        table[at] = sum;
    }
}

/* Fixed values: a seal that was written must be readable by every later build. */
static void stays(void **state) {
    (void)state;
    static unsigned char page[PAGE];
    for (unsigned i = 0; i < PAGE; i++) {
        page[i] = (unsigned char)(i * 7);
    }
    assert_true(quire_checksum(page, PAGE, 0) == 0xe21f9934822f65e6u);
    assert_true(quire_checksum(page, PAGE, 0xe21f9934822f65e6u) == 0xe74e514aa45848eu);
    assert_true(quire_checksum_mix(0) == 0);
    assert_true(quire_checksum(page, 0, 1) != quire_checksum(page, 0, 2));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_bits), cmocka_unit_test(pairs_of_bits), cmocka_unit_test(signs),
        cmocka_unit_test(exchanged),   cmocka_unit_test(no_collisions), cmocka_unit_test(stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
