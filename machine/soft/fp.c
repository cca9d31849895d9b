/* fp.c: IEEE 754 in integers.
 *
 * The processor computes with the host's floating point, which is right for four of the five
 * rounding modes and fast. This file is for the rest: rounding to nearest with ties away (no host
 * has it), an instruction whose own rounding mode is not the current one (switching the host's
 * costs about as much), conversions to integers, and tests, which compare the host with it.
 *
 * Rejected: __float128 from the compiler's library. It is exact enough for one operation in single
 * precision only, and has no ties-away mode either.
 *
 *   value = sign * significand * 2^exponent      significand: 128 bits, not normalised
 *
 * Every operation makes the exact result, or one that differs from it only below a sticky last bit,
 * and hands it to round_pack, the only place that rounds:
 *
 *   |<------------- 128 bits -------------->|
 *   | kept: fraction_bits + 1 | discarded...|   round up when the mode and what is discarded say so
 *
 * Invariants:
 *   I1  What goes into round_pack is at least 2 bits longer than any format keeps, or is exact, so
 *       the sticky bit is never among those kept.
 *
 * Cannot fail. Tininess is detected after rounding, as the RISC-V manual says (11.2).
 */
#include "fp.h"

typedef unsigned __int128 wide;

const struct fp_format quire_fp_single = {23, 8};
const struct fp_format quire_fp_double = {52, 11};

/* A finite number taken apart, or a special one. */
struct parts {
    bool negative, is_nan, is_inf, is_zero;
    int exponent;
    wide significand;
};

static uint64_t sign_bit(const struct fp_format *format) {
    return (uint64_t)1 << (format->fraction_bits + format->exponent_bits);
}

static uint64_t fraction_mask(const struct fp_format *format) {
    return ((uint64_t)1 << format->fraction_bits) - 1;
}

static int bias(const struct fp_format *format) {
    return (1 << (format->exponent_bits - 1)) - 1;
}

static int exponent_max(const struct fp_format *format) {
    return (1 << format->exponent_bits) - 1;
}

static uint64_t infinity(const struct fp_format *format, bool negative) {
    uint64_t magnitude = (uint64_t)exponent_max(format) << format->fraction_bits;
    return magnitude | (negative ? sign_bit(format) : 0);
}

static uint64_t nan_of(const struct fp_format *format) {
    return infinity(format, false) | (uint64_t)1 << (format->fraction_bits - 1);
}

static uint64_t zero(const struct fp_format *format, bool negative) {
    return negative ? sign_bit(format) : 0;
}

bool quire_fp_is_nan(const struct fp_format *format, uint64_t a) {
    return (a & (sign_bit(format) - 1)) > infinity(format, false);
}

bool quire_fp_is_signaling(const struct fp_format *format, uint64_t a) {
    return quire_fp_is_nan(format, a) && !(a >> (format->fraction_bits - 1) & 1);
}

static struct parts take_apart(const struct fp_format *format, uint64_t a) {
    int exponent = (int)(a >> format->fraction_bits) & exponent_max(format);
    uint64_t fraction = a & fraction_mask(format);
    struct parts parts = {.negative = (a & sign_bit(format)) != 0};
    parts.is_nan = quire_fp_is_nan(format, a);
    parts.is_inf = exponent == exponent_max(format) && fraction == 0;
    parts.is_zero = exponent == 0 && fraction == 0;
    parts.significand = exponent ? fraction | (fraction_mask(format) + 1) : fraction;
    parts.exponent = (exponent ? exponent : 1) - bias(format) - (int)format->fraction_bits;
    return parts;
}

static uint64_t invalid(const struct fp_format *format, uint32_t *flags) {
    *flags |= FP_INVALID;
    return nan_of(format);
}

/* A NaN among the operands: the canonical one, and invalid if one of them signals. */
static uint64_t propagate(const struct fp_format *format, uint64_t a, uint64_t b, uint64_t c,
                          uint32_t *flags) {
    if (quire_fp_is_signaling(format, a) || quire_fp_is_signaling(format, b) ||
        quire_fp_is_signaling(format, c))
        *flags |= FP_INVALID;
    return nan_of(format);
}

/* Position of the highest one; value is not 0. */
static int top_bit(wide value) {
    uint64_t high = (uint64_t)(value >> 64), low = (uint64_t)value;
    return high ? 127 - __builtin_clzll(high) : 63 - __builtin_clzll(low);
}

/* value >> count, with a one at the bottom if anything fell out. */
static wide shift_sticky(wide value, unsigned count) {
    if (count == 0)
        return value;
    if (count > 127)
        return value != 0;
    return value >> count | ((value << (128 - count)) != 0);
}

/* Does the mode add one to what is kept? half: discarded against half a unit: -1, 0, 1. */
static bool rounds_up(enum fp_round rm, bool negative, bool odd, bool inexact, int half) {
    switch (rm) {
    case FP_RNE:
        return half > 0 || (half == 0 && odd);
    case FP_RMM:
        return half >= 0;
    case FP_RDN:
        return negative && inexact;
    case FP_RUP:
        return !negative && inexact;
    default:
        return false;
    }
}

/* value rounded to a multiple of 2^drop, in units of it. */
static wide round_at(enum fp_round rm, bool negative, wide value, unsigned drop, bool *inexact) {
    *inexact = false;
    if (drop == 0)
        return value;
    if (drop > 127) { /* all of it is far below half a unit */
        *inexact = value != 0;
        return rounds_up(rm, negative, false, *inexact, -1);
    }
    wide kept = value >> drop, rest = value << (128 - drop), half = (wide)1 << 127;
    *inexact = rest != 0;
    int compared = rest > half ? 1 : rest == half ? 0 : -1;
    return kept + (*inexact && rounds_up(rm, negative, kept & 1, *inexact, compared));
}

static uint64_t overflow(const struct fp_format *format, enum fp_round rm, bool negative,
                         uint32_t *flags) {
    *flags |= FP_OVERFLOW | FP_INEXACT;
    bool to_infinity = rm == FP_RNE || rm == FP_RMM || (rm == FP_RUP && !negative) ||
                       (rm == FP_RDN && negative);
    return infinity(format, negative) - !to_infinity;
}

/* significand * 2^exponent, not 0, rounded into the format. */
static uint64_t round_pack(const struct fp_format *format, enum fp_round rm, bool negative,
                           int exponent, wide significand, uint32_t *flags) {
    int fraction_bits = (int)format->fraction_bits;
    int top = top_bit(significand);
    int minimum = 1 - bias(format) - fraction_bits; /* exponent of the last bit of a subnormal */
    int normal = exponent + top - fraction_bits;    /* of the last bit, were there no minimum */
    int last = normal < minimum ? minimum : normal;
    if (last < exponent) { /* fewer bits than the format keeps: exact */
        significand <<= exponent - last;
        exponent = last;
    }
    bool inexact;
    wide kept = round_at(rm, negative, significand, (unsigned)(last - exponent), &inexact);
    if (inexact) {
        /* Tiny after rounding: would it be below the smallest normal with an unbounded exponent? */
        bool ignored;
        bool tiny = normal < minimum;
        if (tiny && normal == minimum - 1) {
            wide unbounded =
                round_at(rm, negative, significand, (unsigned)(normal - exponent), &ignored);
            tiny = top_bit(unbounded) <= fraction_bits;
        }
        *flags |= FP_INEXACT | (tiny ? FP_UNDERFLOW : 0);
    }
    /* A carry out of the fraction runs into the exponent field, which is then right again. */
    uint64_t biased = (uint64_t)(last - minimum + 1);
    uint64_t bits = kept >> fraction_bits ? ((biased - 1) << fraction_bits) + (uint64_t)kept
                                          : (uint64_t)kept;
    if (bits >= infinity(format, false) || biased >= (uint64_t)exponent_max(format))
        return overflow(format, rm, negative, flags);
    return bits | zero(format, negative);
}

/* ---- operations ------------------------------------------------------------------------------ */

/* Shift so that the highest one is at `to`. */
static void normalise(struct parts *p, int to) {
    int shift = to - top_bit(p->significand);
    p->significand = shift >= 0 ? p->significand << shift
                                : shift_sticky(p->significand, (unsigned)-shift);
    p->exponent -= shift;
}

/* The exact sum of two numbers that are not 0. Both are brought up to bit 125, the smaller is
 * shifted down: what falls out is then below 2^-70 of the result, or nothing (I1). */
static uint64_t sum(const struct fp_format *format, enum fp_round rm, struct parts p,
                    struct parts c, uint32_t *flags) {
    normalise(&p, 125);
    normalise(&c, 125);
    if (c.exponent > p.exponent || (c.exponent == p.exponent && c.significand > p.significand)) {
        struct parts swap = p;
        p = c;
        c = swap;
    }
    c.significand = shift_sticky(c.significand, (unsigned)(p.exponent - c.exponent));
    wide total = p.negative == c.negative ? p.significand + c.significand
                                          : p.significand - c.significand;
    if (total == 0)
        return zero(format, rm == FP_RDN);
    return round_pack(format, rm, p.negative, p.exponent, total, flags);
}

/* p + c where p may be a product. */
static uint64_t add_parts(const struct fp_format *format, enum fp_round rm, struct parts p,
                          struct parts c, uint32_t *flags) {
    if (p.is_inf && c.is_inf && p.negative != c.negative)
        return invalid(format, flags);
    if (p.is_inf || c.is_inf)
        return infinity(format, p.is_inf ? p.negative : c.negative);
    if (p.is_zero && c.is_zero)
        return zero(format, p.negative == c.negative ? p.negative : rm == FP_RDN);
    if (p.is_zero)
        return round_pack(format, rm, c.negative, c.exponent, c.significand, flags);
    if (c.is_zero)
        return round_pack(format, rm, p.negative, p.exponent, p.significand, flags);
    return sum(format, rm, p, c, flags);
}

uint64_t quire_fp_fma(const struct fp_format *format, enum fp_round rm, uint64_t a, uint64_t b,
                      uint64_t c, uint32_t *flags) {
    struct parts x = take_apart(format, a), y = take_apart(format, b), z = take_apart(format, c);
    if ((x.is_inf && y.is_zero) || (x.is_zero && y.is_inf))
        return invalid(format, flags); /* also when c is a quiet NaN */
    if (x.is_nan || y.is_nan || z.is_nan)
        return propagate(format, a, b, c, flags);
    struct parts product = {.negative = x.negative != y.negative,
                            .is_inf = x.is_inf || y.is_inf,
                            .is_zero = x.is_zero || y.is_zero,
                            .exponent = x.exponent + y.exponent,
                            .significand = x.significand * y.significand};
    return add_parts(format, rm, product, z, flags);
}

uint64_t quire_fp_add(const struct fp_format *format, enum fp_round rm, uint64_t a, uint64_t b,
                      uint32_t *flags) {
    struct parts x = take_apart(format, a), y = take_apart(format, b);
    if (x.is_nan || y.is_nan)
        return propagate(format, a, b, 0, flags);
    return add_parts(format, rm, x, y, flags);
}

uint64_t quire_fp_mul(const struct fp_format *format, enum fp_round rm, uint64_t a, uint64_t b,
                      uint32_t *flags) {
    /* A zero of the product's sign changes neither the value nor the sign of a zero. */
    return quire_fp_fma(format, rm, a, b, (a ^ b) & sign_bit(format), flags);
}

uint64_t quire_fp_div(const struct fp_format *format, enum fp_round rm, uint64_t a, uint64_t b,
                      uint32_t *flags) {
    struct parts x = take_apart(format, a), y = take_apart(format, b);
    bool negative = x.negative != y.negative;
    if (x.is_nan || y.is_nan)
        return propagate(format, a, b, 0, flags);
    if ((x.is_inf && y.is_inf) || (x.is_zero && y.is_zero))
        return invalid(format, flags);
    if (x.is_inf || y.is_inf || x.is_zero)
        return x.is_inf ? infinity(format, negative) : zero(format, negative);
    if (y.is_zero) {
        *flags |= FP_DIVZERO;
        return infinity(format, negative);
    }
    /* 127 bits over at most 53: the quotient has at least 74. */
    normalise(&x, 126);
    wide quotient = x.significand / y.significand;
    bool rest = x.significand % y.significand != 0;
    return round_pack(format, rm, negative, x.exponent - y.exponent - 1, quotient << 1 | rest,
                      flags);
}

uint64_t quire_fp_sqrt(const struct fp_format *format, enum fp_round rm, uint64_t a,
                       uint32_t *flags) {
    struct parts x = take_apart(format, a);
    if (x.is_nan)
        return propagate(format, a, 0, 0, flags);
    if (x.is_zero)
        return a;
    if (x.negative)
        return invalid(format, flags);
    if (x.is_inf)
        return a;
    normalise(&x, 126);
    if (x.exponent & 1) {
        x.significand >>= 1; /* exact: the low bits are 0 */
        x.exponent++;
    }
    /* The schoolbook root, bit by bit: 64 bits of root of 128 of radicand. */
    wide root = 0, rest = x.significand;
    for (wide bit = (wide)1 << 126; bit; bit >>= 2) {
        wide trial = root + bit;
        root >>= 1;
        if (rest >= trial) {
            rest -= trial;
            root += bit;
        }
    }
    return round_pack(format, rm, false, x.exponent / 2 - 1, root << 1 | (rest != 0), flags);
}

uint64_t quire_fp_convert(const struct fp_format *to, const struct fp_format *from,
                          enum fp_round rm, uint64_t a, uint32_t *flags) {
    struct parts x = take_apart(from, a);
    if (x.is_nan) {
        *flags |= quire_fp_is_signaling(from, a) ? FP_INVALID : 0;
        return nan_of(to);
    }
    if (x.is_inf || x.is_zero)
        return x.is_inf ? infinity(to, x.negative) : zero(to, x.negative);
    return round_pack(to, rm, x.negative, x.exponent, x.significand, flags);
}

/* The largest magnitude that fits. */
static uint64_t magnitude_limit(bool negative, bool is_signed, unsigned bits) {
    if (!is_signed)
        return negative ? 0 : UINT64_MAX >> (64 - bits);
    uint64_t half = (uint64_t)1 << (bits - 1);
    return negative ? half : half - 1;
}

uint64_t quire_fp_to_int(const struct fp_format *format, enum fp_round rm, uint64_t a,
                         bool is_signed, unsigned bits, uint32_t *flags) {
    struct parts x = take_apart(format, a);
    bool negative = x.negative && !x.is_nan;
    uint64_t limit = magnitude_limit(negative, is_signed, bits);
    bool inexact = false, fits = !x.is_nan && !x.is_inf;
    wide magnitude = 0;
    if (fits && x.exponent > 64)
        fits = x.is_zero; /* at least 2^65 */
    else if (fits && x.exponent >= 0)
        magnitude = x.significand << x.exponent;
    else if (fits)
        magnitude = round_at(rm, negative, x.significand, (unsigned)-x.exponent, &inexact);
    uint64_t value;
    if (!fits || magnitude > limit) {
        *flags |= FP_INVALID;
        value = limit;
    } else {
        *flags |= inexact ? FP_INEXACT : 0;
        value = (uint64_t)magnitude;
    }
    value = negative ? -value : value;
    return bits == 32 ? (uint64_t)(int64_t)(int32_t)(uint32_t)value : value;
}

uint64_t quire_fp_from_int(const struct fp_format *format, enum fp_round rm, uint64_t magnitude,
                           bool negative, uint32_t *flags) {
    return magnitude ? round_pack(format, rm, negative, 0, magnitude, flags) : 0;
}

unsigned quire_fp_class(const struct fp_format *format, uint64_t a) {
    struct parts x = take_apart(format, a);
    bool subnormal = !(a & infinity(format, false)) && !x.is_zero;
    if (x.is_nan)
        return quire_fp_is_signaling(format, a) ? 1u << 8 : 1u << 9;
    unsigned size = x.is_inf ? 0 : x.is_zero ? 3 : subnormal ? 2 : 1; /* from -inf to -0 */
    return 1u << (x.negative ? size : 7 - size);
}
