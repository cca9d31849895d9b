/* blockset.c: a set with levels against an array of bools: members, the lowest, the count, words
 * needed; and that the audit sees each single wrong bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "page/blockset.h"

#define LIMIT_MAX 300000u

static bool model[LIMIT_MAX];

static uint64_t next_random(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1Du;
}

/* Room for just what is asked for: a write past it is found by the build with ASan. */
static void *make(struct quire_blockset *set, uint64_t limit) {
    void *bytes = calloc(1, quire_blockset_bytes(limit));
    assert_non_null(bytes);
    memset(set, 0xA5, sizeof *set); /* what was there before does not matter */
    quire_blockset_init(set, limit, bytes);
    assert_int_equal(set->count, 0);
    assert_true(quire_blockset_is_sound(set, limit));
    return bytes;
}

static uint32_t lowest(uint32_t limit) {
    uint32_t at = 0;
    while (at < limit && !model[at]) {
        at++;
    }
    return at;
}

static void against_model(void **state) {
    (void)state;
    static const uint32_t limits[] = {1, 2, 63, 64, 65, 4095, 4096, 4097, 262144, LIMIT_MAX};
    uint64_t random = 88172645463325252u;
    for (unsigned i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct quire_blockset set;
        uint32_t limit = limits[i], count = 0;
        void *bytes = make(&set, limit);
        memset(model, 0, sizeof model);
        for (unsigned step = 0; step < 6000; step++) {
            /* Mostly few members, so that words become empty; at times many. */
            uint32_t at = (uint32_t)(next_random(&random) % limit);
            bool full = step % 3000 < 1000;
            at = count > 0 && !full && step % 2 ? lowest(limit) : at;
            model[at] = !model[at];
            count += model[at] ? 1 : -1u;
            if (model[at]) {
                quire_blockset_add(&set, at);
            } else {
                quire_blockset_remove(&set, at);
            }
            assert_int_equal(set.count, count);
            assert_true(quire_blockset_has(&set, at) == model[at]);
            if (count > 0 && (step % 16 == 0 || count < 4)) {
                assert_int_equal(quire_blockset_lowest(&set), lowest(limit));
            }
            if (step % 500 == 0) {
                assert_true(quire_blockset_is_sound(&set, limit));
            }
        }
        assert_true(quire_blockset_is_sound(&set, limit));
        free(bytes);
    }
}

/* A level for each factor of 64, and no word more. */
static void sizes(void **state) {
    (void)state;
    static const struct {
        uint64_t limit, words;
        unsigned levels;
    } cases[] = {{1, 1, 1},
                 {64, 1, 1},
                 {65, 2 + 1, 2},
                 {4096, 64 + 1, 2},
                 {4097, 65 + 2 + 1, 3},
                 {262144, 4096 + 64 + 1, 3}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct quire_blockset set;
        assert_int_equal(quire_blockset_bytes(cases[i].limit), 8 * cases[i].words);
        free(make(&set, cases[i].limit));
        assert_int_equal(set.nlevels, cases[i].levels);
    }
    assert_int_equal(quire_blockset_bytes((uint64_t)1 << 32) / 8,
                     (1u << 26) + (1u << 20) + (1u << 14) + (1u << 8) + 4 + 1);
}

/* One bit on any level, or one too many in the count. */
static void lies(void **state) {
    (void)state;
    struct quire_blockset set;
    void *bytes = make(&set, 5000);
    for (uint32_t at = 3; at < 5000; at += 700) {
        quire_blockset_add(&set, at);
    }
    assert_true(quire_blockset_is_sound(&set, 5000));
    set.count++;
    assert_false(quire_blockset_is_sound(&set, 5000));
    set.count--;
    for (unsigned level = 0; level < set.nlevels; level++) {
        for (unsigned bit = 0; bit < 2; bit++) {
            set.levels[level][0] ^= (uint64_t)1 << bit;
            assert_false(quire_blockset_is_sound(&set, 5000));
            set.levels[level][0] ^= (uint64_t)1 << bit;
        }
    }
    set.levels[1][1] ^= (uint64_t)1 << 14; /* the last word's */
    assert_false(quire_blockset_is_sound(&set, 5000));
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(against_model), cmocka_unit_test(sizes),
                                       cmocka_unit_test(lies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
