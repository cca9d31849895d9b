/* cpu_ops.h: every instruction of RV64GC, one line each.
 *
 * The lists are expanded into the kinds that the decoder answers (decode.h), into the code that
 * runs them (cpu.c, cpu_slow.c, cpu_float.c), and into names for tests. An instruction is in one
 * list, and the list says what it can do: an ALU operation cannot trap, a load can miss the TLB, a
 * branch can leave the block.
 *
 * In the expressions o is the operation and r the run; R1, R2 and IMM are defined in cpu.h.
 * Source: The RISC-V Instruction Set Manual, Volume I, 20191213.
 */
#ifndef QUIRE_SOFT_CPU_OPS_H
#define QUIRE_SOFT_CPU_OPS_H

#define W(value) ((uint64_t)(int64_t)(int32_t)(value)) /* the W instructions sign-extend 32 bits */

/* name, value of rd. The last six are made by the decoder or by the block builder: constants
 * (lui, auipc, lui+addi), copies, and what a shift pair or a shift and an addition come to. */
#define ALU_OPS(X)                                                        \
    X(addi, R1 + (uint64_t)IMM)                                           \
    X(slti, (int64_t)R1 < IMM)                                            \
    X(sltiu, R1 < (uint64_t)IMM)                                          \
    X(xori, R1 ^ (uint64_t)IMM)                                           \
    X(ori, R1 | (uint64_t)IMM)                                            \
    X(andi, R1 & (uint64_t)IMM)                                           \
    X(slli, R1 << (IMM & 63))                                             \
    X(srli, R1 >> (IMM & 63))                                             \
    X(srai, (uint64_t)((int64_t)R1 >> (IMM & 63)))                        \
    X(addiw, W((uint32_t)R1 + (uint32_t)IMM))                             \
    X(slliw, W((uint32_t)R1 << (IMM & 31)))                               \
    X(srliw, W((uint32_t)R1 >> (IMM & 31)))                               \
    X(sraiw, W((int32_t)(uint32_t)R1 >> (IMM & 31)))                      \
    X(add, R1 + R2)                                                       \
    X(sub, R1 - R2)                                                       \
    X(sll, R1 << (R2 & 63))                                               \
    X(slt, (int64_t)R1 < (int64_t)R2)                                     \
    X(sltu, R1 < R2)                                                      \
    X(xor, R1 ^ R2)                                                       \
    X(srl, R1 >> (R2 & 63))                                               \
    X(sra, (uint64_t)((int64_t)R1 >> (R2 & 63)))                          \
    X(or, R1 | R2)                                                        \
    X(and, R1 & R2)                                                       \
    X(addw, W((uint32_t)R1 + (uint32_t)R2))                               \
    X(subw, W((uint32_t)R1 - (uint32_t)R2))                               \
    X(sllw, W((uint32_t)R1 << (R2 & 31)))                                 \
    X(srlw, W((uint32_t)R1 >> (R2 & 31)))                                 \
    X(sraw, W((int32_t)(uint32_t)R1 >> (R2 & 31)))                        \
    X(mul, R1 * R2)                                                       \
    X(mulh, (uint64_t)((__int128)(int64_t)R1 * (int64_t)R2 >> 64))        \
    X(mulhsu, mul_high_signed_unsigned(R1, R2))                           \
    X(mulhu, (uint64_t)((unsigned __int128)R1 * R2 >> 64))                \
    X(div, divide_signed(R1, R2))                                         \
    X(divu, R2 ? R1 / R2 : UINT64_MAX)                                    \
    X(rem, remainder_signed(R1, R2))                                      \
    X(remu, R2 ? R1 % R2 : R1)                                            \
    X(mulw, W((uint32_t)R1 * (uint32_t)R2))                               \
    X(divw, W(divide_signed(W(R1), W(R2))))                               \
    X(divuw, W((uint32_t)R2 ? (uint32_t)R1 / (uint32_t)R2 : UINT32_MAX))  \
    X(remw, W(remainder_signed(W(R1), W(R2))))                            \
    X(remuw, W((uint32_t)R2 ? (uint32_t)R1 % (uint32_t)R2 : (uint32_t)R1)) \
    X(li, (uint64_t)IMM)                                                  \
    X(auipc, (uint64_t)IMM)                                               \
    X(mv, R1)                                                             \
    X(field, R1 << (IMM & 63) >> (IMM >> 8))                              \
    X(fieldadd, (R1 << (IMM & 63) >> (IMM >> 8)) + R2)                    \
    X(shadd, (R1 << (IMM & 63)) + R2)

/* name, type in memory, value of the register from `raw` */
#define LOAD_OPS(X)                                  \
    X(lb, int8_t, (uint64_t)(int64_t)raw)            \
    X(lh, int16_t, (uint64_t)(int64_t)raw)           \
    X(lw, int32_t, (uint64_t)(int64_t)raw)           \
    X(ld, uint64_t, raw)                             \
    X(lbu, uint8_t, raw)                             \
    X(lhu, uint16_t, raw)                            \
    X(lwu, uint32_t, raw)

#define FLOAT_LOAD_OPS(X)                            \
    X(flw, uint32_t, raw | FP_BOX)                   \
    X(fld, uint64_t, raw)

/* name, type in memory, file of registers */
#define STORE_OPS(X)                                 \
    X(sb, uint8_t, x)                                \
    X(sh, uint16_t, x)                               \
    X(sw, uint32_t, x)                               \
    X(sd, uint64_t, x)
#define FLOAT_STORE_OPS(X)                           \
    X(fsw, uint32_t, f)                              \
    X(fsd, uint64_t, f)

/* name, taken when */
#define BRANCH_OPS(X)                                \
    X(beq, R1 == R2)                                 \
    X(bne, R1 != R2)                                 \
    X(blt, (int64_t)R1 < (int64_t)R2)                \
    X(bge, (int64_t)R1 >= (int64_t)R2)               \
    X(bltu, R1 < R2)                                 \
    X(bgeu, R1 >= R2)

/* name, type, what is stored; old and R2 (as the type) go in */
#define AMO_OPS(X)                                                   \
    X(amoswap_w, uint32_t, new)                                      \
    X(amoadd_w, uint32_t, old + new)                                 \
    X(amoxor_w, uint32_t, old ^ new)                                 \
    X(amoand_w, uint32_t, old & new)                                 \
    X(amoor_w, uint32_t, old | new)                                  \
    X(amomin_w, uint32_t, (int32_t)old < (int32_t)new ? old : new)   \
    X(amomax_w, uint32_t, (int32_t)old > (int32_t)new ? old : new)   \
    X(amominu_w, uint32_t, old < new ? old : new)                    \
    X(amomaxu_w, uint32_t, old > new ? old : new)                    \
    X(amoswap_d, uint64_t, new)                                      \
    X(amoadd_d, uint64_t, old + new)                                 \
    X(amoxor_d, uint64_t, old ^ new)                                 \
    X(amoand_d, uint64_t, old & new)                                 \
    X(amoor_d, uint64_t, old | new)                                  \
    X(amomin_d, uint64_t, (int64_t)old < (int64_t)new ? old : new)   \
    X(amomax_d, uint64_t, (int64_t)old > (int64_t)new ? old : new)   \
    X(amominu_d, uint64_t, old < new ? old : new)                    \
    X(amomaxu_d, uint64_t, old > new ? old : new)

/* Loads and stores with a reservation; jumps; the rest of the integer instructions. */
#define RESERVE_OPS(X) X(lr_w) X(lr_d) X(sc_w) X(sc_d)
#define JUMP_OPS(X) X(jal) X(jalr)
#define SYSTEM_OPS(X)                                                              \
    X(fence) X(fence_i) X(ecall) X(ebreak) X(csrrw) X(csrrs) X(csrrc) X(csrrwi)    \
    X(csrrsi) X(csrrci) X(illegal)

/* Rounded arithmetic: name, operation of fp.h, in both precisions. */
#define FLOAT_ROUND_OPS(X)                                         \
    X(fadd) X(fsub) X(fmul) X(fdiv) X(fsqrt) X(fmadd) X(fmsub) X(fnmsub) X(fnmadd)

/* Not rounded: sign injection, choice, comparison, class. */
#define FLOAT_EXACT_OPS(X)                                         \
    X(fsgnj) X(fsgnjn) X(fsgnjx) X(fmin) X(fmax) X(feq) X(flt) X(fle) X(fclass)

/* To integers and from integers, in both precisions. */
#define FLOAT_TO_OPS(X) X(fcvt_w) X(fcvt_wu) X(fcvt_l) X(fcvt_lu)
#define FLOAT_FROM_OPS(X) X(fcvt_from_w) X(fcvt_from_wu) X(fcvt_from_l) X(fcvt_from_lu)

#define FLOAT_MOVE_OPS(X)                                          \
    X(fcvt_s_d) X(fcvt_d_s) X(fmv_x_w) X(fmv_w_x) X(fmv_x_d) X(fmv_d_x)

#endif
