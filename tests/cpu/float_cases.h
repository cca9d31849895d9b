/* float_cases.h: each floating-point instruction at its edges. The columns are those of
 * insn_cases.h.
 *
 * Numbers are bit patterns: D_ for doubles, S_ for singles in their box. rm is dynamic (7), and
 * frm is 0, to nearest even, unless the instruction says a mode of its own.
 */
#ifndef QUIRE_TESTS_CPU_FLOAT_CASES_H
#define QUIRE_TESTS_CPU_FLOAT_CASES_H

#include "assemble.h"

#define D_0     0u
#define D_NEG0  0x8000000000000000u
#define D_1     0x3FF0000000000000u
#define D_NEG1  0xBFF0000000000000u
#define D_2     0x4000000000000000u
#define D_3     0x4008000000000000u
#define D_2_5   0x4004000000000000u
#define D_MAX   0x7FEFFFFFFFFFFFFFu
#define D_MIN   0x0010000000000000u /* the smallest normal */
#define D_TINY  0x0000000000000001u
#define D_INF   0x7FF0000000000000u
#define D_NINF  0xFFF0000000000000u
#define D_QNAN  0x7FF8000000000000u
#define D_OTHER 0xFFF8000000001234u /* a quiet NaN that is not the canonical one */
#define D_SNAN  0x7FF0000000000001u
#define D_THIRD 0x3FD5555555555555u
#define BOXED(bits) (0xFFFFFFFF00000000u | (bits))
#define S_0     BOXED(0u)
#define S_NEG0  BOXED(0x80000000u)
#define S_1     BOXED(0x3F800000u)
#define S_NEG1  BOXED(0xBF800000u)
#define S_2     BOXED(0x40000000u)
#define S_3     BOXED(0x40400000u)
#define S_2_5   BOXED(0x40200000u)
#define S_MAX   BOXED(0x7F7FFFFFu)
#define S_INF   BOXED(0x7F800000u)
#define S_QNAN  BOXED(0x7FC00000u)
#define S_SNAN  BOXED(0x7F800001u)
#define S_THIRD BOXED(0x3EAAAAABu)

#define NX 1u
#define UF 2u
#define OF 4u
#define DZ 8u
#define NV 16u

#define FD(funct7, rm)    asm_r(0x53, rm, (funct7) | 1, 12, 10, 11)
#define FS(funct7, rm)    asm_r(0x53, rm, funct7, 12, 10, 11)
#define FR(funct7, rm, n) asm_r(0x53, rm, funct7, 12, 10, n)
#define FF(opcode, d)     asm_r(opcode, 7, 13 << 2 | (d), 12, 10, 11)

#define FLOAT_ARITHMETIC_CASES(T)                                                                \
    T(fadd_d, F, FD(0x00, 7), D_1, D_1, 0, D_2, 0)                                               \
    T(fadd_d, F, FD(0x00, 7), D_INF, D_NINF, 0, D_QNAN, NV)                                      \
    T(fadd_d, F, FD(0x00, 7), D_OTHER, D_1, 0, D_QNAN, 0)                                        \
    T(fadd_d, F, FD(0x00, 7), D_1, D_TINY, 0, D_1, NX)                                           \
    T(fadd_d, F, FD(0x00, 3), D_1, D_TINY, 0, D_1 + 1, NX)                                       \
    T(fadd_d, F, FD(0x00, 2), D_1, D_NEG1, 0, D_NEG0, 0)                                         \
    T(fadd_d, F, FD(0x00, 4), D_1, 0x3CA0000000000000u, 0, D_1 + 1, NX)                          \
    T(fadd_d, F, FD(0x00, 0), D_1, 0x3CA0000000000000u, 0, D_1, NX)                              \
    T(fadd_s, F, FS(0x00, 7), S_1, S_1, 0, S_2, 0)                                               \
    T(fadd_s, F, FS(0x00, 7), D_1, S_1, 0, S_QNAN, 0)                                            \
    T(fsub_d, F, FD(0x04, 7), D_1, D_1, 0, D_0, 0)                                               \
    T(fsub_d, F, FD(0x04, 7), D_INF, D_INF, 0, D_QNAN, NV)                                       \
    T(fsub_s, F, FS(0x04, 7), S_3, S_1, 0, S_2, 0)                                               \
    T(fmul_d, F, FD(0x08, 7), D_MAX, D_2, 0, D_INF, OF | NX)                                     \
    T(fmul_d, F, FD(0x08, 1), D_MAX, D_2, 0, D_MAX, OF | NX)                                     \
    T(fmul_d, F, FD(0x08, 7), D_TINY, D_TINY, 0, D_0, UF | NX)                                   \
    T(fmul_d, F, FD(0x08, 7), D_0, D_INF, 0, D_QNAN, NV)                                         \
    T(fmul_s, F, FS(0x08, 7), S_MAX, S_2, 0, S_INF, OF | NX)                                     \
    T(fdiv_d, F, FD(0x0C, 7), D_1, D_3, 0, D_THIRD, NX)                                          \
    T(fdiv_d, F, FD(0x0C, 7), D_1, D_NEG0, 0, D_NINF, DZ)                                        \
    T(fdiv_d, F, FD(0x0C, 7), D_0, D_0, 0, D_QNAN, NV)                                           \
    T(fdiv_s, F, FS(0x0C, 7), S_1, S_3, 0, S_THIRD, NX)                                          \
    T(fsqrt_d, F, FR(0x2D, 7, 0), 0x4010000000000000u, 0, 0, D_2, 0)                             \
    T(fsqrt_d, F, FR(0x2D, 7, 0), D_NEG0, 0, 0, D_NEG0, 0)                                       \
    T(fsqrt_d, F, FR(0x2D, 7, 0), D_NEG1, 0, 0, D_QNAN, NV)                                      \
    T(fsqrt_s, F, FR(0x2C, 7, 0), BOXED(0x40800000u), 0, 0, S_2, 0)                              \
    T(fmadd_d, F, FF(0x43, 1), D_2, D_3, D_1, 0x401C000000000000u, 0)                            \
    T(fmadd_d, F, FF(0x43, 1), D_INF, D_0, D_QNAN, D_QNAN, NV)                                   \
    T(fmadd_s, F, FF(0x43, 0), S_2, S_3, S_1, BOXED(0x40E00000u), 0)                             \
    T(fmsub_d, F, FF(0x47, 1), D_2, D_3, D_1, 0x4014000000000000u, 0)                            \
    T(fmsub_s, F, FF(0x47, 0), S_2, S_3, S_1, BOXED(0x40A00000u), 0)                             \
    T(fnmsub_d, F, FF(0x4B, 1), D_2, D_3, D_1, 0xC014000000000000u, 0)                           \
    T(fnmsub_s, F, FF(0x4B, 0), S_2, S_3, S_1, BOXED(0xC0A00000u), 0)                            \
    T(fnmadd_d, F, FF(0x4F, 1), D_2, D_3, D_1, 0xC01C000000000000u, 0)                           \
    T(fnmadd_s, F, FF(0x4F, 0), S_2, S_3, S_1, BOXED(0xC0E00000u), 0)

#define FLOAT_EXACT_CASES(T)                                                                     \
    T(fsgnj_d, F, FD(0x10, 0), D_SNAN, D_NEG0, 0, D_SNAN | D_NEG0, 0)                            \
    T(fsgnj_s, F, FS(0x10, 0), S_1, S_NEG0, 0, S_NEG1, 0)                                        \
    T(fsgnjn_d, F, FD(0x10, 1), D_1, D_1, 0, D_NEG1, 0)                                          \
    T(fsgnjn_s, F, FS(0x10, 1), S_1, S_1, 0, S_NEG1, 0)                                          \
    T(fsgnjx_d, F, FD(0x10, 2), D_NEG1, D_NEG1, 0, D_1, 0)                                       \
    T(fsgnjx_s, F, FS(0x10, 2), S_NEG1, S_NEG1, 0, S_1, 0)                                       \
    T(fmin_d, F, FD(0x14, 0), D_0, D_NEG0, 0, D_NEG0, 0)                                         \
    T(fmin_d, F, FD(0x14, 0), D_SNAN, D_1, 0, D_1, NV)                                           \
    T(fmin_s, F, FS(0x14, 0), S_NEG0, S_0, 0, S_NEG0, 0)                                         \
    T(fmax_d, F, FD(0x14, 1), D_NEG0, D_0, 0, D_0, 0)                                            \
    T(fmax_d, F, FD(0x14, 1), D_QNAN, D_OTHER, 0, D_QNAN, 0)                                     \
    T(fmax_s, F, FS(0x14, 1), S_1, S_QNAN, 0, S_1, 0)                                            \
    T(feq_d, X, FD(0x50, 2), D_0, D_NEG0, 0, 1, 0)                                               \
    T(feq_d, X, FD(0x50, 2), D_QNAN, D_1, 0, 0, 0)                                               \
    T(feq_d, X, FD(0x50, 2), D_SNAN, D_1, 0, 0, NV)                                              \
    T(feq_s, X, FS(0x50, 2), S_1, S_1, 0, 1, 0)                                                  \
    T(flt_d, X, FD(0x50, 1), D_NEG1, D_TINY, 0, 1, 0)                                            \
    T(flt_d, X, FD(0x50, 1), D_QNAN, D_1, 0, 0, NV)                                              \
    T(flt_s, X, FS(0x50, 1), S_NEG0, S_0, 0, 0, 0)                                               \
    T(fle_d, X, FD(0x50, 0), D_NEG0, D_0, 0, 1, 0)                                               \
    T(fle_d, X, FD(0x50, 0), D_1, D_QNAN, 0, 0, NV)                                              \
    T(fle_s, X, FS(0x50, 0), S_1, S_2, 0, 1, 0)                                                  \
    T(fclass_d, X, FR(0x71, 1, 0), D_NINF, 0, 0, 1, 0)                                           \
    T(fclass_d, X, FR(0x71, 1, 0), D_TINY, 0, 0, 1 << 5, 0)                                      \
    T(fclass_d, X, FR(0x71, 1, 0), D_SNAN, 0, 0, 1 << 8, 0)                                      \
    T(fclass_s, X, FR(0x70, 1, 0), S_NEG0, 0, 0, 1 << 3, 0)                                      \
    T(fclass_s, X, FR(0x70, 1, 0), D_1, 0, 0, 1 << 9, 0)                                         \
    T(fmv_x_w, X, FR(0x70, 0, 0), 0x11223344F5667788u, 0, 0, 0xFFFFFFFFF5667788u, 0)             \
    T(fmv_x_d, X, FR(0x71, 0, 0), D_SNAN, 0, 0, D_SNAN, 0)                                       \
    T(fmv_w_x, F, FR(0x78, 0, 0), 0x1122334455667788u, 0, 0, BOXED(0x55667788u), 0)              \
    T(fmv_d_x, F, FR(0x79, 0, 0), D_SNAN, 0, 0, D_SNAN, 0)

#define FLOAT_CONVERT_CASES(T)                                                                   \
    T(fcvt_w_d, X, FR(0x61, 1, 0), 0xC1E0000000000000u, 0, 0, 0xFFFFFFFF80000000u, 0)            \
    T(fcvt_w_d, X, FR(0x61, 1, 0), D_MAX, 0, 0, 0x7FFFFFFF, NV)                                  \
    T(fcvt_w_d, X, FR(0x61, 0, 0), D_2_5, 0, 0, 2, NX)                                           \
    T(fcvt_w_d, X, FR(0x61, 4, 0), D_2_5, 0, 0, 3, NX)                                           \
    T(fcvt_w_s, X, FR(0x60, 1, 0), S_2_5, 0, 0, 2, NX)                                           \
    T(fcvt_w_s, X, FR(0x60, 3, 0), S_2_5, 0, 0, 3, NX)                                           \
    T(fcvt_wu_d, X, FR(0x61, 1, 1), D_NEG1, 0, 0, 0, NV)                                         \
    T(fcvt_wu_d, X, FR(0x61, 1, 1), D_QNAN, 0, 0, 0xFFFFFFFFFFFFFFFFu, NV)                       \
    T(fcvt_wu_s, X, FR(0x60, 1, 1), S_3, 0, 0, 3, 0)                                             \
    T(fcvt_l_d, X, FR(0x61, 1, 2), D_NINF, 0, 0, 0x8000000000000000u, NV)                        \
    T(fcvt_l_d, X, FR(0x61, 2, 2), 0xC004000000000000u, 0, 0, -(uint64_t)3, NX)                  \
    T(fcvt_l_s, X, FR(0x60, 1, 2), S_QNAN, 0, 0, 0x7FFFFFFFFFFFFFFFu, NV)                        \
    T(fcvt_lu_d, X, FR(0x61, 1, 3), 0x43E0000000000000u, 0, 0, 0x8000000000000000u, 0)           \
    T(fcvt_lu_s, X, FR(0x60, 1, 3), S_NEG1, 0, 0, 0, NV)                                         \
    T(fcvt_d_w, F, FR(0x69, 0, 0), 0xFFFFFFFFu, 0, 0, D_NEG1, 0)                                 \
    T(fcvt_d_wu, F, FR(0x69, 0, 1), 0xFFFFFFFFu, 0, 0, 0x41EFFFFFFFE00000u, 0)                   \
    T(fcvt_d_l, F, FR(0x69, 7, 2), 0x7FFFFFFFFFFFFFFFu, 0, 0, 0x43E0000000000000u, NX)           \
    T(fcvt_d_l, F, FR(0x69, 1, 2), 0x7FFFFFFFFFFFFFFFu, 0, 0, 0x43DFFFFFFFFFFFFFu, NX)           \
    T(fcvt_d_lu, F, FR(0x69, 7, 3), 0xFFFFFFFFFFFFFFFFu, 0, 0, 0x43F0000000000000u, NX)          \
    T(fcvt_s_w, F, FR(0x68, 7, 0), 0x01000001u, 0, 0, BOXED(0x4B800000u), NX)                    \
    T(fcvt_s_wu, F, FR(0x68, 7, 1), 2, 0, 0, S_2, 0)                                             \
    T(fcvt_s_l, F, FR(0x68, 7, 2), 0xFFFFFFFFFFFFFFFFu, 0, 0, S_NEG1, 0)                         \
    T(fcvt_s_lu, F, FR(0x68, 7, 3), 0xFFFFFFFFFFFFFFFFu, 0, 0, BOXED(0x5F800000u), NX)           \
    T(fcvt_s_d, F, FR(0x20, 7, 1), D_THIRD, 0, 0, S_THIRD, NX)                                   \
    T(fcvt_s_d, F, FR(0x20, 7, 1), D_SNAN, 0, 0, S_QNAN, NV)                                     \
    T(fcvt_s_d, F, FR(0x20, 7, 1), D_MAX, 0, 0, S_INF, OF | NX)                                  \
    T(fcvt_d_s, F, FR(0x21, 0, 0), S_2_5, 0, 0, D_2_5, 0)                                        \
    T(fcvt_d_s, F, FR(0x21, 0, 0), D_1, 0, 0, D_QNAN, 0)

#endif
