/* fp.h: IEEE 754 arithmetic in integers, as RISC-V wants it: every rounding mode, every flag, the
 * canonical NaN. Exact and slow. Pure: knows no machine.
 */
#ifndef QUIRE_SOFT_FP_H
#define QUIRE_SOFT_FP_H

#include <stdbool.h>
#include <stdint.h>

/* fflags: bits 0 to 4 of fcsr. */
#define FP_INEXACT   1u
#define FP_UNDERFLOW 2u
#define FP_OVERFLOW  4u
#define FP_DIVZERO   8u
#define FP_INVALID   16u
#define FP_FLAGS     31u

/* rm: to nearest even, to zero, down, up, to nearest away from zero. */
enum fp_round { FP_RNE, FP_RTZ, FP_RDN, FP_RUP, FP_RMM };

/* A single lies in the low half of a register, under ones; otherwise it counts as the NaN. */
#define FP_BOX    0xFFFFFFFF00000000u
#define FP_NAN_S  0x7FC00000u
#define FP_NAN_D  0x7FF8000000000000u

/* The two formats. Bits of a single are in the low half of a uint64_t, unboxed. */
struct fp_format {
    unsigned fraction_bits, exponent_bits;
};
extern const struct fp_format quire_fp_single, quire_fp_double;

/* rounded(a * b + c); the flags it raises are added to *flags. Add, subtract and multiply too. */
uint64_t quire_fp_fma(const struct fp_format *format, enum fp_round rm, uint64_t a, uint64_t b,
                      uint64_t c, uint32_t *flags);
uint64_t quire_fp_add(const struct fp_format *format, enum fp_round rm, uint64_t a, uint64_t b,
                      uint32_t *flags);
uint64_t quire_fp_mul(const struct fp_format *format, enum fp_round rm, uint64_t a, uint64_t b,
                      uint32_t *flags);
uint64_t quire_fp_div(const struct fp_format *format, enum fp_round rm, uint64_t a, uint64_t b,
                      uint32_t *flags);
uint64_t quire_fp_sqrt(const struct fp_format *format, enum fp_round rm, uint64_t a,
                       uint32_t *flags);

/* From one format to the other. */
uint64_t quire_fp_convert(const struct fp_format *to, const struct fp_format *from,
                          enum fp_round rm, uint64_t a, uint32_t *flags);

/* To an integer type, saturating; 32-bit results are sign-extended, also unsigned ones. */
uint64_t quire_fp_to_int(const struct fp_format *format, enum fp_round rm, uint64_t a,
                         bool is_signed, unsigned bits, uint32_t *flags);

/* From an integer: magnitude and sign. */
uint64_t quire_fp_from_int(const struct fp_format *format, enum fp_round rm, uint64_t magnitude,
                           bool negative, uint32_t *flags);

/* The ten classes of fclass, one bit set. */
unsigned quire_fp_class(const struct fp_format *format, uint64_t a);

/* Tests on bits. */
bool quire_fp_is_nan(const struct fp_format *format, uint64_t a);
bool quire_fp_is_signaling(const struct fp_format *format, uint64_t a);

#endif
