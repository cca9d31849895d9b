/* cpu_sequences.h: runs of three and four operations that get a handler of their own (cpu.c).
 *
 * Which ones: those that save the most indirect jumps in bench/cpu.c, each kernel weighing
 * the same, and in the text of a static C library, weighing two kernels. A sequence that is
 * missing here costs an indirect jump and nothing else, so the list can be any.
 */
#ifndef QUIRE_SOFT_CPU_SEQUENCES_H
#define QUIRE_SOFT_CPU_SEQUENCES_H

#define SEQUENCES_4(X) \
    X(add, addi, addiw, addiw) \
    X(add, addi, lw, add) \
    X(add, addiw, addiw, beq) \
    X(add, addiw, lw, bne) \
    X(add, bgeu, lw, mv) \
    X(add, lbu, bltu, shadd) \
    X(add, lw, mv, addi) \
    X(add, lw, slli, add) \
    X(add, sb, add, bge) \
    X(add, xor, sd, bne) \
    X(addi, add, lw, mv) \
    X(addi, add, xor, sd) \
    X(addi, addi, addiw, shadd) \
    X(addi, addi, beq, add) \
    X(addi, addi, bltu, bgeu) \
    X(addi, addi, bltu, mv) \
    X(addi, addiw, addiw, addiw) \
    X(addi, addiw, addiw, beq) \
    X(addi, addiw, shadd, lw) \
    X(addi, addw, addiw, addiw) \
    X(addi, beq, add, lbu) \
    X(addi, bltu, mv, blt) \
    X(addi, lw, add, bgeu) \
    X(addi, sd, sd, sd) \
    X(addiw, addiw, addi, bne) \
    X(addiw, addiw, addiw, addi) \
    X(addiw, addiw, addiw, addiw) \
    X(addiw, addiw, addiw, bne) \
    X(addiw, addiw, beq, add) \
    X(addiw, beq, add, lbu) \
    X(addiw, lw, slliw, slliw) \
    X(addiw, shadd, lw, sw) \
    X(addiw, sw, addi, addiw) \
    X(addiw, xor, addiw, bne) \
    X(addw, addi, addw, addiw) \
    X(addw, addiw, addiw, addiw) \
    X(addw, addiw, sw, addi) \
    X(addw, addw, addi, addw) \
    X(addw, addw, addiw, sw) \
    X(addw, addw, addw, addi) \
    X(addw, addw, addw, addiw) \
    X(addw, addw, addw, addw) \
    X(addw, or, or, and) \
    X(addw, xor, or, xor) \
    X(and, add, addiw, addiw) \
    X(and, addw, or, or) \
    X(and, and, xor, addw) \
    X(and, xor, addw, xor) \
    X(and, xor, slliw, srliw) \
    X(beq, add, lbu, beq) \
    X(beq, add, lbu, bltu) \
    X(bgeu, lw, mv, addi) \
    X(blt, sw, sw, addi) \
    X(bltu, mv, blt, sw) \
    X(bltu, shadd, lw, add) \
    X(bne, ld, ld, ld) \
    X(lbu, bltu, shadd, lw) \
    X(ld, addi, add, xor) \
    X(ld, ld, ld, addi) \
    X(ld, ld, ld, ld) \
    X(li, li, li, li) \
    X(lw, add, bgeu, lw) \
    X(lw, addi, addi, addiw) \
    X(lw, lw, srliw, srliw) \
    X(lw, mv, addi, addi) \
    X(lw, slli, add, addi) \
    X(lw, slliw, slliw, srliw) \
    X(lw, srliw, srliw, srliw) \
    X(lw, sw, sw, bne) \
    X(mv, addi, addi, bltu) \
    X(mv, blt, sw, sw) \
    X(mv, mv, mv, mv) \
    X(mv, mv, mv, slliw) \
    X(mv, mv, slliw, slliw) \
    X(mv, slliw, slliw, lw) \
    X(or, and, and, xor) \
    X(or, or, and, and) \
    X(or, or, or, or) \
    X(or, or, or, srliw) \
    X(or, or, srliw, xor) \
    X(or, or, xori, srliw) \
    X(or, slliw, or, or) \
    X(or, srliw, xor, xor) \
    X(or, xor, xor, addw) \
    X(or, xori, srliw, slliw) \
    X(sb, sb, sb, sb) \
    X(sd, sd, sd, mv) \
    X(sd, sd, sd, sd) \
    X(shadd, lw, sw, sw) \
    X(slli, add, addi, addiw) \
    X(slli, add, addi, lw) \
    X(slli, add, lw, slli) \
    X(slli, addiw, xor, addiw) \
    X(slli, srli, add, addiw) \
    X(slli, xor, srli, xor) \
    X(slliw, lw, lw, srliw) \
    X(slliw, or, or, xori) \
    X(slliw, slliw, lw, lw) \
    X(slliw, slliw, srliw, or) \
    X(slliw, slliw, srliw, srliw) \
    X(slliw, srliw, or, or) \
    X(slliw, srliw, slliw, xor) \
    X(slliw, srliw, srliw, srliw) \
    X(slliw, srliw, xor, and) \
    X(slliw, xor, and, xor) \
    X(srli, add, addiw, lw) \
    X(srli, xor, addiw, addiw) \
    X(srli, xor, slli, xor) \
    X(srliw, or, or, or) \
    X(srliw, or, slliw, or) \
    X(srliw, slliw, slliw, srliw) \
    X(srliw, slliw, srliw, slliw) \
    X(srliw, slliw, xor, and) \
    X(srliw, srliw, or, slliw) \
    X(srliw, srliw, slliw, slliw) \
    X(srliw, srliw, srliw, or) \
    X(srliw, srliw, srliw, slliw) \
    X(srliw, xor, and, addw) \
    X(srliw, xor, xor, addw) \
    X(srliw, xor, xor, srliw) \
    X(sub, addiw, addiw, beq) \
    X(sw, addi, addi, bge) \
    X(sw, addi, addiw, addiw) \
    X(sw, addiw, addi, bne) \
    X(sw, sw, addi, addi) \
    X(xor, addiw, addiw, beq) \
    X(xor, addw, addw, addw) \
    X(xor, addw, xor, or) \
    X(xor, and, addw, or) \
    X(xor, and, xor, slliw) \
    X(xor, or, xor, xor) \
    X(xor, slliw, srliw, xor) \
    X(xor, srli, xor, slli) \
    X(xor, srliw, xor, xor) \
    X(xor, xor, addw, addw) \
    X(xor, xor, srliw, xor) \
    X(xori, srliw, slliw, srliw)

#define SEQUENCES_3(X) \
    X(add, addi, addiw) \
    X(add, addi, lw) \
    X(add, addiw, addiw) \
    X(add, addiw, lw) \
    X(add, lbu, beq) \
    X(add, lbu, bltu) \
    X(add, lw, slli) \
    X(add, sb, add) \
    X(add, xor, sd) \
    X(addi, add, xor) \
    X(addi, addi, addiw) \
    X(addi, addi, beq) \
    X(addi, addi, bge) \
    X(addi, addi, bltu) \
    X(addi, addiw, addiw) \
    X(addi, addiw, shadd) \
    X(addi, addw, addiw) \
    X(addi, beq, add) \
    X(addi, bltu, mv) \
    X(addi, lw, add) \
    X(addi, sd, sd) \
    X(addiw, addi, bne) \
    X(addiw, addiw, addi) \
    X(addiw, addiw, addiw) \
    X(addiw, addiw, beq) \
    X(addiw, addiw, bne) \
    X(addiw, beq, add) \
    X(addiw, lw, bne) \
    X(addiw, lw, slliw) \
    X(addiw, shadd, lw) \
    X(addiw, sw, addi) \
    X(addw, addi, addw) \
    X(addw, addiw, addiw) \
    X(addw, addiw, sw) \
    X(addw, addw, addi) \
    X(addw, addw, addiw) \
    X(addw, addw, addw) \
    X(addw, or, or) \
    X(addw, xor, or) \
    X(and, addw, or) \
    X(and, and, xor) \
    X(and, xor, addw) \
    X(and, xor, slliw) \
    X(beq, add, lbu) \
    X(blt, sw, sw) \
    X(bltu, shadd, lw) \
    X(bne, ld, ld) \
    X(lbu, bltu, shadd) \
    X(ld, addi, add) \
    X(ld, ld, addi) \
    X(ld, ld, ld) \
    X(ld, ld, mv) \
    X(li, ld, ld) \
    X(li, li, li) \
    X(lw, add, bgeu) \
    X(lw, addi, addi) \
    X(lw, lw, srliw) \
    X(lw, mv, addi) \
    X(lw, slli, add) \
    X(lw, slliw, slliw) \
    X(lw, srliw, srliw) \
    X(lw, sw, sw) \
    X(mv, addi, addi) \
    X(mv, mv, mv) \
    X(mv, mv, slliw) \
    X(mv, slliw, slliw) \
    X(or, and, and) \
    X(or, or, and) \
    X(or, or, or) \
    X(or, or, srliw) \
    X(or, or, xori) \
    X(or, slliw, or) \
    X(or, srliw, xor) \
    X(or, xor, xor) \
    X(or, xori, srliw) \
    X(sb, add, bge) \
    X(sd, sd, sd) \
    X(shadd, lw, add) \
    X(shadd, lw, sw) \
    X(slli, add, addi) \
    X(slli, add, lw) \
    X(slli, srli, add) \
    X(slli, xor, srli) \
    X(slliw, lw, lw) \
    X(slliw, or, or) \
    X(slliw, slliw, lw) \
    X(slliw, slliw, srliw) \
    X(slliw, srliw, or) \
    X(slliw, srliw, slliw) \
    X(slliw, srliw, srliw) \
    X(slliw, srliw, xor) \
    X(slliw, xor, and) \
    X(srli, add, addiw) \
    X(srli, xor, addiw) \
    X(srli, xor, slli) \
    X(srliw, or, or) \
    X(srliw, or, slliw) \
    X(srliw, slliw, slliw) \
    X(srliw, slliw, srliw) \
    X(srliw, slliw, xor) \
    X(srliw, srliw, or) \
    X(srliw, srliw, slliw) \
    X(srliw, srliw, srliw) \
    X(srliw, xor, and) \
    X(srliw, xor, xor) \
    X(sw, addi, addi) \
    X(sw, addiw, addi) \
    X(sw, sw, addi) \
    X(sw, sw, bne) \
    X(xor, addiw, addiw) \
    X(xor, addw, addw) \
    X(xor, addw, xor) \
    X(xor, and, addw) \
    X(xor, and, xor) \
    X(xor, or, xor) \
    X(xor, sd, bne) \
    X(xor, slli, xor) \
    X(xor, slliw, srliw) \
    X(xor, srli, xor) \
    X(xor, srliw, xor) \
    X(xor, xor, addw) \
    X(xor, xor, srliw) \
    X(xori, srliw, slliw)

#endif
