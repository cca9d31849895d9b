/* cpu_float.c: floating point on the host's unit.
 *
 * The host's rounding mode is the program's frm for as long as the program runs, and the host
 * gathers the sticky flags: nothing is done for them until somebody reads fcsr. What RISC-V and
 * the host see differently is mended after the operation, and only where the result shows that it
 * may differ:
 *
 *   a result that is a NaN          -> the canonical NaN
 *   a single that is not boxed      -> counts as the canonical NaN
 *   inf * 0 + quiet NaN             -> invalid here, not on every host
 *   an rm that is not the host's    -> fp.c
 *
 * The file is compiled with -frounding-math and without contraction, so that the compiler neither
 * computes with constants nor fuses; handlers read their operands from the run and write the result
 * there, so nothing can move across the jumps between them.
 *
 * Invariants:
 *   I1  direct[rm] is true only while the host rounds as rm says.
 *   I2  Whoever is called from inside a run (the memory unit, and the manager behind it) finds the
 *       host rounding to nearest. Nobody there computes with floating point, which would raise
 *       flags of the program: src/, machine/, os/ and what watch/ is called by have none
 *       (tools/tidy.py), the codecs have none (run_proc_guests, proc_float.c).
 *
 * Cannot fail, but traps on a reserved rounding mode in frm. Called by the handlers before it in a
 * block; audited by tests/cpu, which compare each operation with fp.c and with qemu.
 */
#include <fenv.h>
#include <math.h>
#include <string.h>

#include "code.h"
#include "fp.h"

/* ---- the host's floating-point state --------------------------------------------------------- */

/* On x86-64 the state is one register, read and written in a few cycles; elsewhere it is <fenv.h>.
 * Packed into 32 bits here: rounding mode of the host above, flags of fflags below. */
#if defined(__SSE2__)
#include <xmmintrin.h>

#define HOST_DEFAULT 0x1F80u /* all exceptions masked, to nearest */

static uint32_t flags_of(uint32_t csr) {
    return (csr & 1 ? FP_INVALID : 0) | (csr & 4 ? FP_DIVZERO : 0) | (csr & 8 ? FP_OVERFLOW : 0) |
           (csr & 16 ? FP_UNDERFLOW : 0) | (csr & 32 ? FP_INEXACT : 0);
}

/* To look takes 25 cycles: once where a run begins, and once where it ends. */
static uint32_t host_save(void) {
    return _mm_getcsr();
}

/* From a state that is known. To set it takes longer still, and programs that count with integers
 * leave it as it is. */
static void host_change(uint32_t from, uint32_t to) {
    if (from != to)
        _mm_setcsr(to);
}

/* Rounding as frm says, no flag raised. */
static uint32_t host_state(unsigned frm) {
    static const uint32_t modes[4] = {0, 0x6000, 0x2000, 0x4000};
    return HOST_DEFAULT | (frm < 4 ? modes[frm] : 0);
}
#else
static const int host_modes[4] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};

#define STATE_ROUND_SHIFT 5

static uint32_t flags_of(uint32_t state) {
    return state & FP_FLAGS;
}

static uint32_t host_save(void) {
    int raised = fetestexcept(FE_ALL_EXCEPT);
    return (uint32_t)fegetround() << STATE_ROUND_SHIFT | (raised & FE_INVALID ? FP_INVALID : 0) |
           (raised & FE_DIVBYZERO ? FP_DIVZERO : 0) | (raised & FE_OVERFLOW ? FP_OVERFLOW : 0) |
           (raised & FE_UNDERFLOW ? FP_UNDERFLOW : 0) | (raised & FE_INEXACT ? FP_INEXACT : 0);
}

static void host_change(uint32_t from, uint32_t to) {
    if (from == to)
        return;
    feclearexcept(FE_ALL_EXCEPT);
    feraiseexcept((to & FP_INVALID ? FE_INVALID : 0) | (to & FP_DIVZERO ? FE_DIVBYZERO : 0) |
                  (to & FP_OVERFLOW ? FE_OVERFLOW : 0) | (to & FP_UNDERFLOW ? FE_UNDERFLOW : 0) |
                  (to & FP_INEXACT ? FE_INEXACT : 0));
    fesetround((int)(to >> STATE_ROUND_SHIFT));
}

static uint32_t host_state(unsigned frm) {
    return (uint32_t)(frm < 4 ? host_modes[frm] : FE_TONEAREST) << STATE_ROUND_SHIFT;
}
#endif

/* ---- fcsr ------------------------------------------------------------------------------------ */

#define FCSR_FRM_SHIFT 5

static uint32_t fcsr_of(const struct run *r, uint32_t host) {
    return r->fflags | flags_of(host) | (uint32_t)r->frm << FCSR_FRM_SHIFT;
}

/* What the host is to be then. */
static uint32_t take_fcsr(struct run *r, uint32_t fcsr) {
    r->fflags = fcsr & FP_FLAGS;
    r->frm = (uint8_t)(fcsr >> FCSR_FRM_SHIFT & 7);
    memset(r->direct, 0, sizeof(r->direct)); /* I1 */
    r->direct[r->frm] = r->direct[ROUND_DYNAMIC] = r->frm < 4;
    return host_state(r->frm);
}

uint32_t quire_cpu_fcsr_read(struct run *r) {
    return fcsr_of(r, host_save());
}

void quire_cpu_fcsr_write(struct run *r, uint32_t fcsr) {
    uint32_t host = take_fcsr(r, fcsr);
    host_change(host_save(), host);
}

uint32_t quire_cpu_float_enter(struct run *r) {
    uint32_t host = host_save();
    host_change(host, take_fcsr(r, r->cpu->fcsr));
    return host;
}

void quire_cpu_float_leave(struct run *r, uint32_t host) {
    uint32_t now = host_save();
    r->cpu->fcsr = fcsr_of(r, now);
    host_change(now, host);
}

static NOINLINE enum quire_status access_to_nearest(struct run *r, uint64_t va,
                                                    enum quire_access access, uint8_t **host) {
    uint32_t state = host_save();
    host_change(state, host_state(FP_RNE));
    enum quire_status status = quire_mmu_miss(r->pmap, va, access, host);
    host_change(host_save(), state);
    return status;
}

enum quire_status quire_cpu_access(struct run *r, uint64_t va, enum quire_access access,
                                   uint8_t **host) {
    enum quire_status status = LIKELY(r->frm == FP_RNE) /* I2 */
                                   ? quire_mmu_miss(r->pmap, va, access, host)
                                   : access_to_nearest(r, va, access, host);
    if (UNLIKELY(r->machine->clock_ps >= r->machine->horizon_ps))
        return quire_cpu_cut(r, status);
    return status;
}

/* ---- registers ------------------------------------------------------------------------------- */

INLINE double get_d(const struct run *r, unsigned reg) {
    double value;
    memcpy(&value, &r->f[reg], sizeof(value));
    return value;
}

INLINE void set_d(struct run *r, unsigned reg, double value) {
    if (UNLIKELY(value != value))
        r->f[reg] = FP_NAN_D;
    else
        memcpy(&r->f[reg], &value, sizeof(value));
}

/* The bits of a single, or the NaN if the register holds none. */
INLINE uint32_t single_bits(uint64_t reg) {
    return LIKELY(reg >= FP_BOX) ? (uint32_t)reg : FP_NAN_S;
}

INLINE float get_s(const struct run *r, unsigned reg) {
    uint32_t bits = single_bits(r->f[reg]);
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

INLINE void set_s(struct run *r, unsigned reg, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    r->f[reg] = FP_BOX | (UNLIKELY(value != value) ? FP_NAN_S : bits);
}

/* Bits of an operand for fp.c. */
INLINE uint64_t bits_of(const struct run *r, unsigned reg, bool is_double) {
    return is_double ? r->f[reg] : single_bits(r->f[reg]);
}

static const struct fp_format *format_of(bool is_double) {
    return is_double ? &quire_fp_double : &quire_fp_single;
}

/* ---- arithmetic whose rounding mode is not the host's ---------------------------------------- */

/* The mode that the operation wants; false: it is a reserved one, and the run has trapped. */
static bool rounding(struct op *o, struct run *r, enum fp_round *rm) {
    unsigned wanted = o->imm == ROUND_DYNAMIC ? r->frm : (unsigned)o->imm;
    *rm = (enum fp_round)wanted;
    if (wanted <= FP_RMM)
        return true;
    quire_cpu_trap(o, r, QUIRE_TRAP_ILLEGAL);
    return false;
}

enum arithmetic { ADD, SUB, MUL, DIV, SQRT, MADD, MSUB, NMSUB, NMADD };

static NOINLINE bool compute(struct op *o, struct run *r, enum arithmetic what, bool is_double) {
    const struct fp_format *format = format_of(is_double);
    uint64_t sign = is_double ? UINT64_C(1) << 63 : UINT64_C(1) << 31;
    uint64_t a = bits_of(r, o->rs1, is_double), b = bits_of(r, o->rs2, is_double);
    uint64_t c = bits_of(r, o->rs3, is_double), result = 0;
    enum fp_round rm;
    if (!rounding(o, r, &rm))
        return false;
    if (what == NMSUB || what == NMADD)
        a ^= sign;
    if (what == MSUB || what == NMADD)
        c ^= sign;
    if (what == ADD)
        result = quire_fp_add(format, rm, a, b, &r->fflags);
    else if (what == SUB)
        result = quire_fp_add(format, rm, a, b ^ sign, &r->fflags);
    else if (what == MUL)
        result = quire_fp_mul(format, rm, a, b, &r->fflags);
    else if (what == DIV)
        result = quire_fp_div(format, rm, a, b, &r->fflags);
    else if (what == SQRT)
        result = quire_fp_sqrt(format, rm, a, &r->fflags);
    else
        result = quire_fp_fma(format, rm, a, b, c, &r->fflags);
    r->f[o->rd] = is_double ? result : FP_BOX | result;
    return true;
}

/* ---- arithmetic on the host ------------------------------------------------------------------ */

/* The host need not find that the product is invalid if the addend is a quiet NaN; RISC-V does. */
static NOINLINE void check_product(struct run *r, double a, double b) {
    if ((isinf(a) && b == 0) || (a == 0 && isinf(b)))
        r->fflags |= FP_INVALID;
}

INLINE void fused_d(struct op *o, struct run *r, double a, double b, double c) {
    double result = fma(a, b, c);
    if (UNLIKELY(result != result))
        check_product(r, a, b);
    set_d(r, o->rd, result);
}

INLINE void fused_s(struct op *o, struct run *r, float a, float b, float c) {
    float result = fmaf(a, b, c);
    if (UNLIKELY(result != result) && a == a && b == b)
        check_product(r, a, b);
    set_s(r, o->rd, result);
}

#define A(p) get_##p(r, o->rs1)
#define B(p) get_##p(r, o->rs2)
#define C(p) get_##p(r, o->rs3)

/* name, what for compute(), the same on the host in precision p */
#define ARITHMETIC(X, p, root)                                   \
    X(fadd, ADD, p, set_##p(r, o->rd, A(p) + B(p)))              \
    X(fsub, SUB, p, set_##p(r, o->rd, A(p) - B(p)))              \
    X(fmul, MUL, p, set_##p(r, o->rd, A(p) * B(p)))              \
    X(fdiv, DIV, p, set_##p(r, o->rd, A(p) / B(p)))              \
    X(fsqrt, SQRT, p, set_##p(r, o->rd, root(A(p))))             \
    X(fmadd, MADD, p, fused_##p(o, r, A(p), B(p), C(p)))         \
    X(fmsub, MSUB, p, fused_##p(o, r, A(p), B(p), -C(p)))        \
    X(fnmsub, NMSUB, p, fused_##p(o, r, -A(p), B(p), C(p)))      \
    X(fnmadd, NMADD, p, fused_##p(o, r, -A(p), B(p), -C(p)))

#define IS_s false
#define IS_d true

#define DEFINE_ARITHMETIC(name, what, p, on_host)                            \
    static void other_##name##_##p(struct op *o, struct run *r, struct tlb *tlb) { \
        if (!compute(o, r, what, IS_##p))                                    \
            return;                                                          \
        GO(o + 1);                                                           \
    }                                                                        \
    static void run_##name##_##p(struct op *o, struct run *r, struct tlb *tlb) { \
        if (UNLIKELY(!r->direct[o->imm])) {                                  \
            TAIL other_##name##_##p(o, r, tlb);                              \
        }                                                                    \
        on_host;                                                             \
        GO(o + 1);                                                           \
    }
ARITHMETIC(DEFINE_ARITHMETIC, s, sqrtf)
ARITHMETIC(DEFINE_ARITHMETIC, d, sqrt)

/* ---- signs, choices, comparisons, classes: on bits ------------------------------------------- */

/* Order of two numbers that are no NaNs, in a sign-magnitude world made linear. Zeros are equal. */
INLINE int64_t ordered(uint64_t bits, bool is_double) {
    int64_t value = is_double ? (int64_t)bits : (int64_t)(int32_t)(uint32_t)bits;
    int64_t magnitude = is_double ? value & INT64_MAX : value & INT32_MAX;
    return value < 0 ? -magnitude : magnitude;
}

/* fmin and fmax: -0 below +0; of a number and a NaN the number; invalid if one signals. */
static NOINLINE uint64_t choose(struct run *r, uint64_t a, uint64_t b, bool is_double,
                                bool larger) {
    const struct fp_format *format = format_of(is_double);
    bool a_nan = quire_fp_is_nan(format, a), b_nan = quire_fp_is_nan(format, b);
    if (quire_fp_is_signaling(format, a) || quire_fp_is_signaling(format, b))
        r->fflags |= FP_INVALID;
    if (a_nan && b_nan)
        return is_double ? FP_NAN_D : FP_NAN_S;
    if (a_nan || b_nan)
        return a_nan ? b : a;
    int64_t x = ordered(a, is_double), y = ordered(b, is_double);
    if (x == y) { /* equal, or the two zeros: the sign bit decides */
        uint64_t less = a > b ? a : b, more = a > b ? b : a;
        return larger ? more : less;
    }
    return (x < y) != larger ? a : b;
}

enum comparison { EQ, LT, LE };

/* A NaN compares false; feq finds only a signaling one invalid, the others any. */
static NOINLINE void unordered(struct run *r, uint64_t a, uint64_t b, bool is_double,
                               enum comparison what) {
    const struct fp_format *format = format_of(is_double);
    if (what != EQ || quire_fp_is_signaling(format, a) || quire_fp_is_signaling(format, b))
        r->fflags |= FP_INVALID;
}

INLINE bool compare(struct run *r, uint64_t a, uint64_t b, bool is_double, enum comparison what) {
    uint64_t limit = is_double ? UINT64_C(0x7FF) << 52 : UINT64_C(0xFF) << 23;
    uint64_t mask = is_double ? INT64_MAX : INT32_MAX;
    if (UNLIKELY((a & mask) > limit || (b & mask) > limit)) {
        unordered(r, a, b, is_double, what);
        return false;
    }
    int64_t x = ordered(a, is_double), y = ordered(b, is_double);
    return what == EQ ? x == y : what == LT ? x < y : x <= y;
}

#define SIGN_s UINT64_C(0x80000000)
#define SIGN_d UINT64_C(0x8000000000000000)
#define BOX_s  FP_BOX
#define BOX_d  0
#define ABITS(p) bits_of(r, o->rs1, IS_##p)
#define BBITS(p) bits_of(r, o->rs2, IS_##p)
#define SET_F(p, bits) r->f[o->rd] = BOX_##p | (bits)
#define SET_X(value)   r->x[o->rd] = (value)

#define EXACT(X, p)                                                                         \
    X(fsgnj, p, SET_F(p, (ABITS(p) & ~SIGN_##p) | (BBITS(p) & SIGN_##p)))                   \
    X(fsgnjn, p, SET_F(p, (ABITS(p) & ~SIGN_##p) | (~BBITS(p) & SIGN_##p)))                 \
    X(fsgnjx, p, SET_F(p, ABITS(p) ^ (BBITS(p) & SIGN_##p)))                                \
    X(fmin, p, SET_F(p, choose(r, ABITS(p), BBITS(p), IS_##p, false)))                      \
    X(fmax, p, SET_F(p, choose(r, ABITS(p), BBITS(p), IS_##p, true)))                       \
    X(feq, p, SET_X(compare(r, ABITS(p), BBITS(p), IS_##p, EQ)))                            \
    X(flt, p, SET_X(compare(r, ABITS(p), BBITS(p), IS_##p, LT)))                            \
    X(fle, p, SET_X(compare(r, ABITS(p), BBITS(p), IS_##p, LE)))                            \
    X(fclass, p, SET_X(quire_fp_class(format_of(IS_##p), ABITS(p))))

#define DEFINE_EXACT(name, p, body)                                              \
    static void run_##name##_##p(struct op *o, struct run *r, struct tlb *tlb) { \
        body;                                                                    \
        GO(o + 1);                                                               \
    }
EXACT(DEFINE_EXACT, s)
EXACT(DEFINE_EXACT, d)

/* Moves of bits: no rounding mode, no NaN is changed, nothing needs a box. */
#define MOVES(X)                                                   \
    X(fmv_x, w, SET_X(W(r->f[o->rs1])))                            \
    X(fmv_x, d, SET_X(r->f[o->rs1]))                               \
    X(fmv_w, x, r->f[o->rd] = FP_BOX | (uint32_t)R1)               \
    X(fmv_d, x, r->f[o->rd] = R1)
MOVES(DEFINE_EXACT)

/* ---- conversions ----------------------------------------------------------------------------- */

static NOINLINE bool to_int(struct op *o, struct run *r, bool is_double, bool is_signed,
                            unsigned bits) {
    enum fp_round rm;
    if (!rounding(o, r, &rm))
        return false;
    r->x[o->rd] = quire_fp_to_int(format_of(is_double), rm, bits_of(r, o->rs1, is_double),
                                  is_signed, bits, &r->fflags);
    return true;
}

static NOINLINE bool from_int(struct op *o, struct run *r, bool is_double, bool is_signed,
                              unsigned bits) {
    enum fp_round rm;
    if (!rounding(o, r, &rm))
        return false;
    uint64_t value = bits == 64 ? R1 : is_signed ? W(R1) : (uint32_t)R1;
    bool negative = is_signed && (int64_t)value < 0;
    uint64_t result = quire_fp_from_int(format_of(is_double), rm, negative ? -value : value,
                                        negative, &r->fflags);
    r->f[o->rd] = is_double ? result : FP_BOX | result;
    return true;
}

/* What C compiles to: to zero, of a value whose result fits. The host's conversion then raises
 * inexact as it should, and nothing else. From 32 bits everything is exact in a double. */
INLINE bool easy_to_w(struct op *o, struct run *r, double value) {
    if (o->imm != FP_RTZ || !(value > -2147483649.0 && value < 2147483648.0))
        return false;
    r->x[o->rd] = (uint64_t)(int64_t)(int32_t)value;
    return true;
}

INLINE bool easy_to_l(struct op *o, struct run *r, double value) {
    if (o->imm != FP_RTZ || !(value >= -0x1p63 && value < 0x1p63))
        return false;
    r->x[o->rd] = (uint64_t)(int64_t)value;
    return true;
}

/* A NaN would raise invalid in the comparison too, as it should, but fp.c raises it as well. */
#define EASY_fcvt_w_d easy_to_w(o, r, get_d(r, o->rs1))
#define EASY_fcvt_w_s easy_to_w(o, r, (double)get_s(r, o->rs1))
#define EASY_fcvt_l_d easy_to_l(o, r, get_d(r, o->rs1))
#define EASY_fcvt_l_s easy_to_l(o, r, (double)get_s(r, o->rs1))
#define EASY_fcvt_wu_d false
#define EASY_fcvt_wu_s false
#define EASY_fcvt_lu_d false
#define EASY_fcvt_lu_s false

/* Signed integers convert on the host if it rounds as wanted. */
#define EASY_FROM(type, p) (r->direct[o->imm] && (set_##p(r, o->rd, (type)), true))
#define EASY_fcvt_from_w_d EASY_FROM((double)(int32_t)R1, d)
#define EASY_fcvt_from_l_d EASY_FROM((double)(int64_t)R1, d)
#define EASY_fcvt_from_wu_d EASY_FROM((double)(int64_t)(uint32_t)R1, d)
#define EASY_fcvt_from_w_s EASY_FROM((float)(int32_t)R1, s)
#define EASY_fcvt_from_l_s EASY_FROM((float)(int64_t)R1, s)
#define EASY_fcvt_from_wu_s EASY_FROM((float)(int64_t)(uint32_t)R1, s)
#define EASY_fcvt_from_lu_d false
#define EASY_fcvt_from_lu_s false

/* name, the slow function, signed, bits */
#define CONVERSIONS(X)                   \
    X(fcvt_w, to_int, true, 32)          \
    X(fcvt_wu, to_int, false, 32)        \
    X(fcvt_l, to_int, true, 64)          \
    X(fcvt_lu, to_int, false, 64)        \
    X(fcvt_from_w, from_int, true, 32)   \
    X(fcvt_from_wu, from_int, false, 32) \
    X(fcvt_from_l, from_int, true, 64)   \
    X(fcvt_from_lu, from_int, false, 64)

#define DEFINE_CONVERSION_IN(name, p, slow, is_signed, bits)                     \
    static void run_##name##_##p(struct op *o, struct run *r, struct tlb *tlb) { \
        if (!(EASY_##name##_##p) && !slow(o, r, IS_##p, is_signed, bits))        \
            return;                                                              \
        GO(o + 1);                                                               \
    }
#define DEFINE_CONVERSION(name, slow, is_signed, bits)     \
    DEFINE_CONVERSION_IN(name, s, slow, is_signed, bits)   \
    DEFINE_CONVERSION_IN(name, d, slow, is_signed, bits)
CONVERSIONS(DEFINE_CONVERSION)

static NOINLINE bool convert(struct op *o, struct run *r, bool to_double) {
    enum fp_round rm;
    if (!rounding(o, r, &rm))
        return false;
    uint64_t result = quire_fp_convert(format_of(to_double), format_of(!to_double), rm,
                                       bits_of(r, o->rs1, !to_double), &r->fflags);
    r->f[o->rd] = to_double ? result : FP_BOX | result;
    return true;
}

static void run_fcvt_s_d(struct op *o, struct run *r, struct tlb *tlb) {
    if (LIKELY(r->direct[o->imm]))
        set_s(r, o->rd, (float)get_d(r, o->rs1));
    else if (!convert(o, r, false))
        return;
    GO(o + 1);
}

static void run_fcvt_d_s(struct op *o, struct run *r, struct tlb *tlb) {
    if (LIKELY(o->imm <= FP_RMM || r->direct[o->imm])) /* exact, whatever the mode */
        set_d(r, o->rd, (double)get_s(r, o->rs1));
    else if (!convert(o, r, true))
        return;
    GO(o + 1);
}

/* ---- the table ------------------------------------------------------------------------------- */

#define HANDLER_BOTH(name)                            \
    [KIND_##name##_s - KIND_fadd_s] = run_##name##_s, \
    [KIND_##name##_d - KIND_fadd_s] = run_##name##_d,
#define HANDLER_MOVE(name) [KIND_##name - KIND_fadd_s] = run_##name,

op_fn *quire_cpu_float_handler(unsigned kind) {
    static op_fn *const handlers[KIND_COUNT - KIND_fadd_s] = {
        FLOAT_ROUND_OPS(HANDLER_BOTH) FLOAT_EXACT_OPS(HANDLER_BOTH) FLOAT_TO_OPS(HANDLER_BOTH)
            FLOAT_FROM_OPS(HANDLER_BOTH) FLOAT_MOVE_OPS(HANDLER_MOVE)};
    return handlers[kind - KIND_fadd_s];
}
