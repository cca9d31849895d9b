/* size.c: sizes and numbers, from words and to words.
 *
 * K, M, G and T are powers of 1024, with or without "iB", in either case. "MB" is refused rather
 * than guessed: to some it is 10^6, to some 2^20, and nobody should have to know which we meant.
 */
#include "cli/cli.h"
#include "os/os.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Bits that a unit shifts by; -1 if it is no unit. */
static int unit_shift(const char *unit) {
    static const char letters[] = "KMGT";

    if (*unit == '\0' || strcmp(unit, "B") == 0) {
        return 0;
    }
    const char *found = strchr(letters, toupper((unsigned char)*unit));
    if (found == NULL || (unit[1] != '\0' && strcmp(unit + 1, "iB") != 0)) {
        return -1;
    }
    return 10 * (int)(found - letters + 1);
}

/* The digits before and after a point: whole, and the fraction in 2^-20ths (finer than a page of a
 * gigabyte). Returns what follows, NULL if there is no number or it is too large. */
static const char *parse_decimal(const char *text, uint64_t *whole, uint64_t *fraction) {
    const char *at = text;
    uint64_t scale = 1, digits = 0;

    *whole = 0;
    for (; isdigit((unsigned char)*at); at++) {
        if (*whole > (UINT64_MAX - 9) / 10) {
            return NULL;
        }
        *whole = *whole * 10 + (uint64_t)(*at - '0');
    }
    if (at == text) {
        return NULL;
    }
    if (*at == '.' && isdigit((unsigned char)at[1])) {
        for (at++; isdigit((unsigned char)*at); at++) {
            if (scale < 1000000) { /* further digits change nothing that counts */
                scale *= 10;
                digits = digits * 10 + (uint64_t)(*at - '0');
            }
        }
    }
    *fraction = (digits << 20) / scale;
    return at;
}

bool cli_size_parse(const char *option, const char *text, uint64_t *bytes) {
    uint64_t whole, fraction;
    const char *unit = parse_decimal(text, &whole, &fraction);

    if (unit == NULL) {
        cli_wrong("%s %s: '%s' is not a size; write 64M or 2G", option, text, text);
        return false;
    }
    int shift = unit_shift(unit);
    if (shift < 0) {
        int ndigits = (int)(unit - text);
        bool decimal_unit = strlen(unit) == 2 && toupper((unsigned char)unit[1]) == 'B' &&
                            strchr("KMGT", toupper((unsigned char)unit[0])) != NULL;
        if (decimal_unit) {
            cli_wrong("%s %s: '%s' can mean two things; write %.*s%c for the power of 1024", option,
                      text, unit, ndigits, text, toupper((unsigned char)unit[0]));
        } else {
            cli_wrong("%s %s: '%s' is not a unit; write 64M or 2G", option, text, unit);
        }
        return false;
    }
    if (shift > 0 && whole >= UINT64_MAX >> shift) {
        cli_wrong("%s %s: larger than any machine", option, text);
        return false;
    }
    *bytes = (whole << shift) + (shift >= 20 ? fraction << (shift - 20) : fraction >> (20 - shift));
    return true;
}

bool cli_number_parse(const char *option, const char *text, uint64_t *number) {
    unsigned base = 10;
    const char *at = text;
    uint64_t n = 0;
    bool good = true;

    if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X')) {
        base = 16;
        at += 2;
    }
    good = *at != '\0';
    for (; good && *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        unsigned digit = isdigit(c)    ? (unsigned)(c - '0')
                         : isxdigit(c) ? (unsigned)(tolower(c) - 'a' + 10)
                                       : base;
        good = digit < base && n <= (UINT64_MAX - digit) / base;
        n = n * base + digit;
    }
    if (!good) {
        cli_wrong("%s %s: '%s' is not a number from 0 to 2^64 - 1", option, text, text);
        return false;
    }
    *number = n;
    return true;
}

bool cli_harts_parse(const char *text, unsigned *harts) {
    uint64_t number;

    if (!cli_number_parse("--harts", text, &number)) {
        return false;
    }
    if (number < 1 || number > QUIRE_SOFT_HARTS) {
        cli_wrong("--harts %s: a machine has 1 to %d processors; write --harts 4", text,
                  QUIRE_SOFT_HARTS);
        return false;
    }
    *harts = (unsigned)number;
    return true;
}

const char *cli_size_text(uint64_t bytes, char text[CLI_TEXT_BYTES]) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    unsigned unit = 0;
    double value = (double)bytes;

    while (value >= 1023.5 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        unit++;
    }
    /* Three digits that mean something; none after the point when there is nothing after it. */
    int places = value >= 100 || value == (double)(uint64_t)value ? 0 : value >= 10 ? 1 : 2;
    snprintf(text, CLI_TEXT_BYTES, "%.*f %s", places, value, units[unit]);
    return text;
}

const char *cli_count_text(uint64_t count, char text[CLI_TEXT_BYTES]) {
    char digits[CLI_TEXT_BYTES];
    int n = snprintf(digits, sizeof digits, "%" PRIu64, count);
    char *out = text;

    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0) {
            *out++ = ',';
        }
        *out++ = digits[i];
    }
    *out = '\0';
    return text;
}
