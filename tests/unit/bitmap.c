/* bitmap.c: word-wise searches against bit by bit ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bitmap.h"
#include "random.h"

#define BITS_MAX 300u

static uint64_t slow_next(const uint64_t *words, uint64_t nbits, uint64_t from, int value) {
    while (from < nbits && quire_bitmap_test(words, from) != value) {
        from++;
    }
    return from < nbits ? from : nbits;
}

static void check(const uint64_t *words, uint64_t nbits) {
    uint64_t count = 0;
    for (uint64_t from = 0; from <= nbits + 1; from++) {
        assert_int_equal(quire_bitmap_next_set(words, nbits, from),
                         slow_next(words, nbits, from, 1));
        assert_int_equal(quire_bitmap_next_clear(words, nbits, from),
                         slow_next(words, nbits, from, 0));
        count += from < nbits && quire_bitmap_test(words, from);
    }
    assert_int_equal(quire_bitmap_count(words, nbits), count);
}

static void against_slow(void **state) {
    (void)state;
    uint64_t words[BITS_MAX / 64 + 1];
    uint64_t seed = 3;
    for (uint64_t nbits = 1; nbits < BITS_MAX; nbits++) {
        assert_int_equal(quire_bitmap_words(nbits), (nbits + 63) / 64);
        assert_int_equal(quire_bitmap_bytes(nbits), 8 * ((nbits + 63) / 64));
        memset(words, 0, sizeof words);
        check(words, nbits);
        memset(words, 0xFF, sizeof words); /* also past nbits: must not be seen */
        check(words, nbits);
        for (unsigned step = 0; step < 20; step++) {
            uint64_t bit = next_random(&seed) % nbits;
            bool was = quire_bitmap_test(words, bit);
            (was ? quire_bitmap_clear : quire_bitmap_set)(words, bit);
            assert_int_equal(quire_bitmap_test(words, bit), !was);
        }
        check(words, nbits);
    }
}

static void weight(void **state) {
    (void)state;
    uint64_t seed = 5;
    assert_int_equal(quire_bitmap_weight(0), 0);
    assert_int_equal(quire_bitmap_weight(UINT64_MAX), 64);
    for (unsigned step = 0; step < 10000; step++) {
        uint64_t word = next_random(&seed) & next_random(&seed);
        unsigned bits = 0;
        for (unsigned i = 0; i < 64; i++) {
            bits += word >> i & 1;
        }
        assert_int_equal(quire_bitmap_weight(word), bits);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(against_slow), cmocka_unit_test(weight)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
