/* text.c: the bounded text builder.
 *
 * Why not a format string: the core has no printf, and a small one of our own would be the largest
 * parser in the core. Views are columns of names and numbers; four appends say all of them.
 *
 * Invariants:
 *   I1  nothing is written at or past bytes + capacity
 *   I2  length counts every character appended, also those that did not fit
 *   I3  after quire_text_end there is a zero within capacity (if capacity > 0)
 *
 * Nothing can fail. Users: view/, core's messages. Tested beside snprintf.
 */
#include "base/text.h"

/* 2^64 - 1 has 20 decimal digits and 16 hexadecimal ones. */
#define DIGITS_MAX 20

void quire_text_init(struct quire_text *text, char *bytes, size_t capacity) {
    *text = (struct quire_text){.bytes = bytes, .capacity = capacity};
}

void quire_text_char(struct quire_text *text, char c) {
    if (text->length + 1 < text->capacity) { /* I1, and room for the zero */
        text->bytes[text->length] = c;
    }
    text->length++; /* I2 */
}

static void blanks(struct quire_text *text, size_t have, size_t width) {
    for (; have < width; have++) {
        quire_text_char(text, ' ');
    }
}

static size_t length_of(const char *string) {
    size_t n = 0;
    while (string[n] != '\0') {
        n++;
    }
    return n;
}

void quire_text_string(struct quire_text *text, const char *string) {
    for (; *string != '\0'; string++) {
        quire_text_char(text, *string);
    }
}

void quire_text_right(struct quire_text *text, const char *string, unsigned width) {
    blanks(text, length_of(string), width);
    quire_text_string(text, string);
}

void quire_text_left(struct quire_text *text, const char *string, unsigned width) {
    quire_text_string(text, string);
    blanks(text, length_of(string), width);
}

/* value / 10 by shifts: 64-bit division would be a library call on 32-bit processors. The sum of
 * shifts is n * 0.8 from below, an eighth of it at most one too small (Warren, Hacker's
 * Delight). */
static uint64_t divide_by_ten(uint64_t value) {
    uint64_t q = (value >> 1) + (value >> 2);
    q += q >> 4;
    q += q >> 8;
    q += q >> 16;
    q += q >> 32;
    q >>= 3;
    return q + (value - q * 10 > 9);
}

/* The digits of value as a string that ends at digits[DIGITS_MAX]; returns its start. */
static const char *to_decimal(char digits[DIGITS_MAX + 1], uint64_t value) {
    char *at = digits + DIGITS_MAX;
    *at = '\0';
    do {
        uint64_t rest = divide_by_ten(value);
        *--at = (char)('0' + (unsigned)(value - rest * 10));
        value = rest;
    } while (value != 0);
    return at;
}

void quire_text_decimal(struct quire_text *text, uint64_t value, unsigned width) {
    char digits[DIGITS_MAX + 1];
    quire_text_right(text, to_decimal(digits, value), width);
}

void quire_text_decimal_left(struct quire_text *text, uint64_t value, unsigned width) {
    char digits[DIGITS_MAX + 1];
    quire_text_left(text, to_decimal(digits, value), width);
}

void quire_text_signed(struct quire_text *text, int64_t value) {
    uint64_t magnitude = (uint64_t)value;
    if (value < 0) {
        quire_text_char(text, '-');
        magnitude = 0 - magnitude; /* right for INT64_MIN too */
    }
    quire_text_decimal(text, magnitude, 0);
}

void quire_text_hex(struct quire_text *text, uint64_t value, unsigned width) {
    unsigned digits = 1;
    while (digits < 16 && value >> (4 * digits) != 0) {
        digits++;
    }
    for (unsigned have = digits; have < width; have++) {
        quire_text_char(text, '0');
    }
    while (digits-- > 0) {
        quire_text_char(text, "0123456789abcdef"[value >> (4 * digits) & 15]);
    }
}

void quire_text_pad_to(struct quire_text *text, size_t line_start, unsigned width) {
    blanks(text, text->length - line_start, width);
}

size_t quire_text_end(struct quire_text *text) {
    if (text->capacity > 0) { /* I3 */
        size_t last = text->capacity - 1;
        text->bytes[text->length < last ? text->length : last] = '\0';
    }
    return text->length;
}
