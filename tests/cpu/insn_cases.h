/* insn_cases.h: each instruction of RV64GC with values at its edges.
 *
 * T(name, where the result is, instruction, a, b, c, result, fflags)
 * Registers: a in x10 and f10, b in x11 and f11, c in f13; the result in x12 (in X) or f12 (in F),
 * or the eight bytes at DATA (in M), or the distance that pc has moved (in P). x14 is DATA, which
 * holds DATA_WORD. Compressed instructions that write their own operand take a from x12 or f12
 * (C), or x10 is both (D). Expected values are worked out by hand from the manual, not taken from
 * this program.
 */
#ifndef QUIRE_TESTS_CPU_INSN_CASES_H
#define QUIRE_TESTS_CPU_INSN_CASES_H

#include "assemble.h"

#define MIN64 0x8000000000000000u
#define MAX64 0x7FFFFFFFFFFFFFFFu
#define ONES  0xFFFFFFFFFFFFFFFFu
#define MIN32 0xFFFFFFFF80000000u

#define R(op, f3, f7)  asm_r(op, f3, f7, 12, 10, 11)
#define I(op, f3, imm) asm_i(op, f3, 12, 10, imm)

#define INTEGER_CASES(T)                                                                         \
    T(add, X, R(0x33, 0, 0), MAX64, 1, 0, MIN64, 0)                                              \
    T(add, X, R(0x33, 0, 0), ONES, ONES, 0, ONES - 1, 0)                                         \
    T(sub, X, R(0x33, 0, 0x20), 0, 1, 0, ONES, 0)                                                \
    T(sub, X, R(0x33, 0, 0x20), MIN64, 1, 0, MAX64, 0)                                           \
    T(sll, X, R(0x33, 1, 0), 1, 63, 0, MIN64, 0)                                                 \
    T(sll, X, R(0x33, 1, 0), 3, 65, 0, 6, 0)                                                     \
    T(slt, X, R(0x33, 2, 0), MIN64, MAX64, 0, 1, 0)                                              \
    T(slt, X, R(0x33, 2, 0), 5, 5, 0, 0, 0)                                                      \
    T(sltu, X, R(0x33, 3, 0), MIN64, MAX64, 0, 0, 0)                                             \
    T(sltu, X, R(0x33, 3, 0), 0, ONES, 0, 1, 0)                                                  \
    T(xor, X, R(0x33, 4, 0), 0xFF00FF00u, 0x0FF00FF0u, 0, 0xF0F0F0F0u, 0)                        \
    T(srl, X, R(0x33, 5, 0), MIN64, 63, 0, 1, 0)                                                 \
    T(srl, X, R(0x33, 5, 0), ONES, 64, 0, ONES, 0)                                               \
    T(sra, X, R(0x33, 5, 0x20), MIN64, 63, 0, ONES, 0)                                           \
    T(or, X, R(0x33, 6, 0), 0xF0, 0x0F, 0, 0xFF, 0)                                              \
    T(and, X, R(0x33, 7, 0), 0xF0, 0x3C, 0, 0x30, 0)                                             \
    T(addw, X, R(0x3B, 0, 0), 0x7FFFFFFF, 1, 0, MIN32, 0)                                        \
    T(addw, X, R(0x3B, 0, 0), 0x1FFFFFFFF, 1, 0, 0, 0)                                           \
    T(subw, X, R(0x3B, 0, 0x20), MIN32, 1, 0, 0x7FFFFFFF, 0)                                     \
    T(sllw, X, R(0x3B, 1, 0), 1, 31, 0, MIN32, 0)                                                \
    T(sllw, X, R(0x3B, 1, 0), 1, 32, 0, 1, 0)                                                    \
    T(srlw, X, R(0x3B, 5, 0), 0xFFFFFFFF80000000u, 31, 0, 1, 0)                                  \
    T(srlw, X, R(0x3B, 5, 0), 0x80000000u, 32, 0, MIN32, 0)                                      \
    T(sraw, X, R(0x3B, 5, 0x20), 0x80000000u, 31, 0, ONES, 0)                                    \
    T(addi, X, I(0x13, 0, -1), 0, 0, 0, ONES, 0)                                                 \
    T(addi, X, I(0x13, 0, 2047), MAX64, 0, 0, MIN64 + 2046, 0)                                   \
    T(slti, X, I(0x13, 2, -1), MIN64, 0, 0, 1, 0)                                                \
    T(sltiu, X, I(0x13, 3, -1), 5, 0, 0, 1, 0)                                                   \
    T(sltiu, X, I(0x13, 3, 1), 0, 0, 0, 1, 0)                                                    \
    T(xori, X, I(0x13, 4, -1), 0x55, 0, 0, ~(uint64_t)0x55, 0)                                   \
    T(ori, X, I(0x13, 6, 0x55), 0xAA, 0, 0, 0xFF, 0)                                             \
    T(andi, X, I(0x13, 7, -16), 0xFF, 0, 0, 0xF0, 0)                                             \
    T(slli, X, I(0x13, 1, 63), 3, 0, 0, MIN64, 0)                                                \
    T(srli, X, I(0x13, 5, 63), MIN64, 0, 0, 1, 0)                                                \
    T(srai, X, I(0x13, 5, 0x400 | 63), MIN64, 0, 0, ONES, 0)                                     \
    T(addiw, X, I(0x1B, 0, 1), 0x7FFFFFFF, 0, 0, MIN32, 0)                                       \
    T(slliw, X, I(0x1B, 1, 31), 1, 0, 0, MIN32, 0)                                               \
    T(srliw, X, I(0x1B, 5, 1), 0xFFFFFFFFFFFFFFFFu, 0, 0, 0x7FFFFFFF, 0)                         \
    T(sraiw, X, I(0x1B, 5, 0x400 | 31), 0x80000000u, 0, 0, ONES, 0)                              \
    T(lui, X, asm_u(0x37, 12, 0x80000000u), 0, 0, 0, MIN32, 0)                                   \
    T(auipc, X, asm_u(0x17, 12, 0x1000), 0, 0, 0, CODE + 0x1000, 0)                              \
    T(mul, X, R(0x33, 0, 1), ONES, ONES, 0, 1, 0)                                                \
    T(mul, X, R(0x33, 0, 1), MIN64, 2, 0, 0, 0)                                                  \
    T(mulh, X, R(0x33, 1, 1), MIN64, MIN64, 0, 0x4000000000000000u, 0)                           \
    T(mulh, X, R(0x33, 1, 1), ONES, 1, 0, ONES, 0)                                               \
    T(mulhsu, X, R(0x33, 2, 1), ONES, ONES, 0, ONES, 0)                                          \
    T(mulhsu, X, R(0x33, 2, 1), MIN64, 2, 0, ONES, 0)                                            \
    T(mulhu, X, R(0x33, 3, 1), ONES, ONES, 0, ONES - 1, 0)                                       \
    T(div, X, R(0x33, 4, 1), MIN64, ONES, 0, MIN64, 0)                                           \
    T(div, X, R(0x33, 4, 1), 7, 0, 0, ONES, 0)                                                   \
    T(div, X, R(0x33, 4, 1), -(uint64_t)7, 2, 0, -(uint64_t)3, 0)                                \
    T(divu, X, R(0x33, 5, 1), ONES, 0, 0, ONES, 0)                                               \
    T(divu, X, R(0x33, 5, 1), MIN64, ONES, 0, 0, 0)                                              \
    T(rem, X, R(0x33, 6, 1), MIN64, ONES, 0, 0, 0)                                               \
    T(rem, X, R(0x33, 6, 1), -(uint64_t)7, 0, 0, -(uint64_t)7, 0)                                \
    T(rem, X, R(0x33, 6, 1), -(uint64_t)7, 2, 0, ONES, 0)                                        \
    T(remu, X, R(0x33, 7, 1), 7, 0, 0, 7, 0)                                                     \
    T(remu, X, R(0x33, 7, 1), ONES, 10, 0, 5, 0)                                                 \
    T(mulw, X, R(0x3B, 0, 1), 0x40000000, 2, 0, MIN32, 0)                                        \
    T(divw, X, R(0x3B, 4, 1), MIN32, ONES, 0, MIN32, 0)                                          \
    T(divw, X, R(0x3B, 4, 1), 1, 0x100000000u, 0, ONES, 0)                                       \
    T(divuw, X, R(0x3B, 5, 1), ONES, 1, 0, ONES, 0)                                              \
    T(divuw, X, R(0x3B, 5, 1), 9, 0, 0, ONES, 0)                                                 \
    T(remw, X, R(0x3B, 6, 1), MIN32, ONES, 0, 0, 0)                                              \
    T(remw, X, R(0x3B, 6, 1), 0x80000001u, 0, 0, 0xFFFFFFFF80000001u, 0)                         \
    T(remuw, X, R(0x3B, 7, 1), 0x80000001u, 0, 0, 0xFFFFFFFF80000001u, 0)                        \
    T(fence, X, 0x0FF0000Fu, 0, 0, 0, UNTOUCHED, 0)                                              \
    T(fence_i, X, 0x0000100Fu, 0, 0, 0, UNTOUCHED, 0)

/* DATA_WORD is 0xFEDCBA9876543280: its bytes and halves have both signs. */
#define L(f3, imm) asm_i(0x03, f3, 12, 14, imm)
#define MEMORY_CASES(T)                                                                          \
    T(lb, X, L(0, 0), 0, 0, 0, 0xFFFFFFFFFFFFFF80u, 0)                                           \
    T(lb, X, L(0, 1), 0, 0, 0, 0x32, 0)                                                          \
    T(lh, X, L(1, 6), 0, 0, 0, 0xFFFFFFFFFFFFFEDCu, 0)                                           \
    T(lh, X, L(1, 1), 0, 0, 0, 0x5432, 0)                                                        \
    T(lw, X, L(2, 4), 0, 0, 0, 0xFFFFFFFFFEDCBA98u, 0)                                           \
    T(lw, X, L(2, 3), 0, 0, 0, 0xFFFFFFFFDCBA9876u, 0)                                           \
    T(ld, X, L(3, 0), 0, 0, 0, DATA_WORD, 0)                                                     \
    T(lbu, X, L(4, 0), 0, 0, 0, 0x80, 0)                                                         \
    T(lhu, X, L(5, 6), 0, 0, 0, 0xFEDC, 0)                                                       \
    T(lwu, X, L(6, 4), 0, 0, 0, 0xFEDCBA98u, 0)                                                  \
    T(flw, F, asm_i(0x07, 2, 12, 14, 0), 0, 0, 0, 0xFFFFFFFF76543280u, 0)                        \
    T(fld, F, asm_i(0x07, 3, 12, 14, 0), 0, 0, 0, DATA_WORD, 0)                                  \
    T(sb, M, asm_s(0x23, 0, 14, 11, 1), 0, ONES, 0, 0xFEDCBA987654FF80u, 0)                      \
    T(sh, M, asm_s(0x23, 1, 14, 11, 3), 0, 0x1234, 0, 0xFEDCBA1234543280u, 0)                    \
    T(sw, M, asm_s(0x23, 2, 14, 11, 0), 0, ONES, 0, 0xFEDCBA98FFFFFFFFu, 0)                      \
    T(sd, M, asm_s(0x23, 3, 14, 11, 0), 0, 42, 0, 42, 0)                                         \
    T(fsw, M, asm_s(0x27, 2, 14, 11, 0), 0, 0x1122334455667788u, 0, 0xFEDCBA9855667788u, 0)      \
    T(fsd, M, asm_s(0x27, 3, 14, 11, 0), 0, 0x1122334455667788u, 0, 0x1122334455667788u, 0)

/* Atomics answer the old value, of DATA; the sum and the like are checked through M. */
#define A(f3, f5) asm_r(0x2F, f3, (f5) << 2, 12, 14, (f5) == 2 ? 0 : 11)
#define LOW32 0x0000000076543280u
#define HIGH  0xFEDCBA9800000000u
#define ATOMIC_CASES(T)                                                                          \
    T(lr_w, X, A(2, 2), 0, 0, 0, LOW32, 0)                                                       \
    T(lr_d, X, A(3, 2), 0, 0, 0, DATA_WORD, 0)                                                   \
    T(sc_w, X, A(2, 3), 0, 5, 0, 1, 0)                                                           \
    T(sc_w, M, A(2, 3), 0, 5, 0, DATA_WORD, 0)                                                   \
    T(sc_d, X, A(3, 3), 0, 5, 0, 1, 0)                                                           \
    T(sc_d, M, A(3, 3), 0, 5, 0, DATA_WORD, 0)                                                   \
    T(amoswap_w, X, A(2, 1), 0, 5, 0, LOW32, 0)                                                  \
    T(amoswap_w, M, A(2, 1), 0, 5, 0, HIGH | 5, 0)                                               \
    T(amoadd_w, M, A(2, 0), 0, 0x0FFFFFFF, 0, HIGH | 0x8654327Fu, 0)                             \
    T(amoxor_w, M, A(2, 4), 0, ONES, 0, HIGH | 0x89ABCD7Fu, 0)                                   \
    T(amoand_w, M, A(2, 12), 0, 0xFF, 0, HIGH | 0x80, 0)                                         \
    T(amoor_w, M, A(2, 8), 0, 0x0F, 0, HIGH | 0x7654328Fu, 0)                                    \
    T(amomin_w, M, A(2, 16), 0, MIN32, 0, HIGH | 0x80000000u, 0)                                 \
    T(amomax_w, M, A(2, 20), 0, MIN32, 0, DATA_WORD, 0)                                          \
    T(amominu_w, M, A(2, 24), 0, MIN32, 0, DATA_WORD, 0)                                         \
    T(amomaxu_w, M, A(2, 28), 0, MIN32, 0, HIGH | 0x80000000u, 0)                                \
    T(amoswap_d, X, A(3, 1), 0, 5, 0, DATA_WORD, 0)                                              \
    T(amoswap_d, M, A(3, 1), 0, 5, 0, 5, 0)                                                      \
    T(amoadd_d, M, A(3, 0), 0, 1, 0, DATA_WORD + 1, 0)                                           \
    T(amoxor_d, M, A(3, 4), 0, ONES, 0, ~DATA_WORD, 0)                                           \
    T(amoand_d, M, A(3, 12), 0, 0xFF, 0, 0x80, 0)                                                \
    T(amoor_d, M, A(3, 8), 0, 0x0F, 0, DATA_WORD | 0x0F, 0)                                      \
    T(amomin_d, M, A(3, 16), 0, 1, 0, DATA_WORD, 0)                                              \
    T(amomax_d, M, A(3, 20), 0, 1, 0, 1, 0)                                                      \
    T(amominu_d, M, A(3, 24), 0, 1, 0, 1, 0)                                                     \
    T(amomaxu_d, M, A(3, 28), 0, 1, 0, DATA_WORD, 0)

#define B(f3) asm_b(f3, 10, 11, 64)
#define JUMP_CASES(T)                                                                            \
    T(beq, P, B(0), 5, 5, 0, 64, 0)                                                              \
    T(beq, P, B(0), 5, 6, 0, 4, 0)                                                               \
    T(bne, P, B(1), 5, 6, 0, 64, 0)                                                              \
    T(bne, P, B(1), 5, 5, 0, 4, 0)                                                               \
    T(blt, P, B(4), ONES, 0, 0, 64, 0)                                                           \
    T(blt, P, B(4), 0, ONES, 0, 4, 0)                                                            \
    T(bge, P, B(5), MIN64, MIN64, 0, 64, 0)                                                      \
    T(bge, P, B(5), MIN64, 0, 0, 4, 0)                                                           \
    T(bltu, P, B(6), 0, ONES, 0, 64, 0)                                                          \
    T(bltu, P, B(6), ONES, 0, 0, 4, 0)                                                           \
    T(bgeu, P, B(7), ONES, 0, 0, 64, 0)                                                          \
    T(bgeu, P, B(7), 0, 1, 0, 4, 0)                                                              \
    T(jal, P, asm_j(12, 64), 0, 0, 0, 64, 0)                                                     \
    T(jal, X, asm_j(12, 64), 0, 0, 0, CODE + 4, 0)                                               \
    T(jalr, P, I(0x67, 0, 1), CODE + 64, 0, 0, 64, 0)                                            \
    T(jalr, X, I(0x67, 0, 0), CODE + 64, 0, 0, CODE + 4, 0)                                      \
    T(c_j, P, asm_cj(64), 0, 0, 0, 64, 0)                                                        \
    T(c_beqz, P, asm_cb(6, 2, 64), 0, 0, 0, 64, 0)                                               \
    T(c_beqz, P, asm_cb(6, 2, 64), 1, 0, 0, 2, 0)                                                \
    T(c_bnez, P, asm_cb(7, 2, 64), 1, 0, 0, 64, 0)                                               \
    T(c_bnez, P, asm_cb(7, 2, 64), 0, 0, 0, 2, 0)                                                \
    T(c_jr, P, 0x8502, CODE + 64, 0, 0, 64, 0)                                                   \
    T(c_jalr, P, 0x9502, CODE + 64, 0, 0, 64, 0)

/* x12 = s(4), x10 = s(2), x11 = s(3), x14 = s(6) among the eight registers that have short
 * names. */
#define COMPRESSED_CASES(T)                                                                      \
    T(c_addi4spn, X, 0x0050, 0, 0, 0, STACK + 4, 0)                                              \
    T(c_lw, X, 0x4310, 0, 0, 0, LOW32, 0)                                                        \
    T(c_ld, X, 0x6310, 0, 0, 0, DATA_WORD, 0)                                                    \
    T(c_fld, F, 0x2310, 0, 0, 0, DATA_WORD, 0)                                                   \
    T(c_sw, M, 0xC30C, 0, 7, 0, HIGH | 7, 0)                                                     \
    T(c_sd, M, 0xE30C, 0, 7, 0, 7, 0)                                                            \
    T(c_fsd, M, 0xA30C, 0, 7, 0, 7, 0)                                                           \
    T(c_nop, X, 0x0001, 0, 0, 0, UNTOUCHED, 0)                                                   \
    T(c_addi, C, 0x167D, 5, 0, 0, 4, 0)                                                          \
    T(c_addiw, C, 0x367D, 0x80000000u, 0, 0, 0x7FFFFFFF, 0)                                      \
    T(c_li, X, 0x567D, 0, 0, 0, ONES, 0)                                                         \
    T(c_lui, X, 0x767D, 0, 0, 0, 0xFFFFFFFFFFFFF000u, 0)                                         \
    T(c_srli, C, 0x9205, MIN64, 0, 0, 0x40000000u, 0)                                            \
    T(c_srai, C, 0x967D, MIN64, 0, 0, ONES, 0)                                                   \
    T(c_andi, C, 0x8A3D, 0xFF, 0, 0, 0x0F, 0)                                                    \
    T(c_sub, C, 0x8E0D, 3, 5, 0, -(uint64_t)2, 0)                                                \
    T(c_xor, C, 0x8E2D, 3, 5, 0, 6, 0)                                                           \
    T(c_or, C, 0x8E4D, 3, 5, 0, 7, 0)                                                            \
    T(c_and, C, 0x8E6D, 3, 5, 0, 1, 0)                                                           \
    T(c_subw, C, 0x9E0D, MIN32, 1, 0, 0x7FFFFFFF, 0)                                             \
    T(c_addw, C, 0x9E2D, 0x7FFFFFFF, 1, 0, MIN32, 0)                                             \
    T(c_slli, C, 0x167E, 3, 0, 0, MIN64, 0)                                                      \
    T(c_lwsp, X, 0x4602, 0, 0, 0, 0xFFFFFFFFDEADBEEFu, 0)                                        \
    T(c_ldsp, X, 0x6602, 0, 0, 0, STACK_WORD, 0)                                                 \
    T(c_fldsp, F, 0x2602, 0, 0, 0, STACK_WORD, 0)                                                \
    T(c_mv, X, 0x862E, 0, 9, 0, 9, 0)                                                            \
    T(c_add, C, 0x962E, 1, 9, 0, 10, 0)

#endif
