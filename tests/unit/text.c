/* text.c: the text builder beside snprintf, in buffers that fit, nearly fit and do not. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <quire/status.h>

#include "base/text.h"
#include "random.h"

static const uint64_t edges[] = {0,
                                 1,
                                 9,
                                 10,
                                 99,
                                 100,
                                 4095,
                                 4096,
                                 UINT32_MAX,
                                 99999999999u,
                                 INT64_MAX,
                                 UINT64_MAX,
                                 1u << 31,
                                 999,
                                 1000,
                                 UINT64_MAX - 1,
                                 10000000000000000000u,
                                 9999999999999999999u};

static void line(struct quire_text *text, uint64_t value, unsigned width) {
    size_t start = text->length;
    quire_text_left(text, "name:", width);
    quire_text_decimal(text, value, width);
    quire_text_char(text, ' ');
    quire_text_decimal_left(text, value, width);
    quire_text_char(text, '|');
    quire_text_hex(text, value, width);
    quire_text_char(text, '|');
    quire_text_signed(text, (int64_t)value);
    quire_text_right(text, "kB", width);
    quire_text_pad_to(text, start, 80);
    quire_text_string(text, "end\n");
}

static void compare(uint64_t value, unsigned width) {
    char expected[400], got[400], unpadded[400];
    int w = (int)width;
    snprintf(unpadded, sizeof unpadded,
             "%-*s%*" PRIu64 " %-*" PRIu64 "|%0*" PRIx64 "|%" PRId64 "%*s", w, "name:", w, value, w,
             value, w, value, (int64_t)value, w, "kB");
    size_t length = (size_t)snprintf(expected, sizeof expected, "%-80send\n", unpadded);
    for (size_t capacity = 0; capacity <= length + 2;
         capacity += capacity < 3 || capacity >= length - 1 ? 1 : 13) {
        struct quire_text text;
        memset(got, '#', sizeof got);
        quire_text_init(&text, capacity ? got : NULL, capacity);
        line(&text, value, width);
        assert_int_equal(quire_text_end(&text), length);
        if (capacity > 0) {
            size_t kept = length < capacity ? length : capacity - 1;
            assert_memory_equal(got, expected, kept);
            assert_int_equal(got[kept], '\0');
            assert_int_equal(got[capacity], '#'); /* nothing behind */
            if (kept < capacity - 1) {
                assert_int_equal(got[capacity - 1], '#'); /* nor between */
            }
        }
    }
}

static void beside_snprintf(void **state) {
    (void)state;
    uint64_t seed = 11;
    for (unsigned i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        for (unsigned width = 1; width < 25; width++) {
            compare(edges[i], width);
        }
    }
    for (unsigned i = 0; i < 3000; i++) {
        compare(next_random(&seed) >> (next_random(&seed) % 64), 1 + (unsigned)(i % 12));
    }
}

/* The last byte is the zero's: also before quire_text_end nothing else was ever there. */
static void last_byte(void **state) {
    (void)state;
    char bytes[4] = "####";
    struct quire_text text;
    quire_text_init(&text, bytes, 3);
    quire_text_string(&text, "abc");
    assert_memory_equal(bytes, "ab##", 4);
    assert_int_equal(quire_text_end(&text), 3);
    assert_memory_equal(bytes, "ab\0#", 4);
}

/* Each status has its name, as a program's source says it; what is none has one too. */
static void status_names(void **state) {
    (void)state;
    static const struct {
        enum quire_status status;
        const char *name;
    } names[] = {{QUIRE_OK, "QUIRE_OK"},           {QUIRE_NOMEM, "QUIRE_NOMEM"},
                 {QUIRE_FAULT, "QUIRE_FAULT"},     {QUIRE_DENIED, "QUIRE_DENIED"},
                 {QUIRE_BUS, "QUIRE_BUS"},         {QUIRE_KILLED, "QUIRE_KILLED"},
                 {QUIRE_RESTART, "QUIRE_RESTART"}, {QUIRE_INVAL, "QUIRE_INVAL"},
                 {QUIRE_EXIST, "QUIRE_EXIST"},     {QUIRE_UNMAPPED, "QUIRE_UNMAPPED"},
                 {QUIRE_IO, "QUIRE_IO"},           {QUIRE_BUSY, "QUIRE_BUSY"},
                 {QUIRE_PERM, "QUIRE_PERM"},       {QUIRE_NOROOM, "QUIRE_NOROOM"}};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_string_equal(quire_status_name(names[i].status), names[i].name);
    assert_string_equal(quire_status_name((enum quire_status)99), "QUIRE_?");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(last_byte),
                                       cmocka_unit_test(beside_snprintf),
                                       cmocka_unit_test(status_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
