/* assemble.h: RISC-V instruction words from their fields, for tests. Formats as the manual draws
 * them. */
#ifndef QUIRE_TESTS_CPU_ASSEMBLE_H
#define QUIRE_TESTS_CPU_ASSEMBLE_H

#include <stdint.h>

/* Opcodes (bits 0 to 6). */
enum {
    OP_LOAD = 0x03, OP_LOAD_FP = 0x07, OP_FENCE = 0x0F, OP_IMM = 0x13, OP_AUIPC = 0x17,
    OP_IMM_32 = 0x1B, OP_STORE = 0x23, OP_STORE_FP = 0x27, OP_AMO = 0x2F, OP_OP = 0x33,
    OP_LUI = 0x37, OP_OP_32 = 0x3B, OP_FP = 0x53, OP_BRANCH = 0x63, OP_JALR = 0x67,
    OP_JAL = 0x6F, OP_SYSTEM = 0x73
};

static inline uint32_t field(uint32_t value, unsigned low, unsigned count, unsigned to) {
    return (value >> low & ((1u << count) - 1)) << to;
}

static inline uint32_t asm_r(unsigned opcode, unsigned funct3, unsigned funct7, unsigned rd,
                             unsigned rs1, unsigned rs2) {
    return opcode | rd << 7 | funct3 << 12 | rs1 << 15 | rs2 << 20 | (uint32_t)funct7 << 25;
}

static inline uint32_t asm_i(unsigned opcode, unsigned funct3, unsigned rd, unsigned rs1, int imm) {
    return opcode | rd << 7 | funct3 << 12 | rs1 << 15 | field((uint32_t)imm, 0, 12, 20);
}

static inline uint32_t asm_s(unsigned opcode, unsigned funct3, unsigned rs1, unsigned rs2,
                             int imm) {
    uint32_t value = (uint32_t)imm;
    return opcode | field(value, 0, 5, 7) | funct3 << 12 | rs1 << 15 | rs2 << 20 |
           field(value, 5, 7, 25);
}

static inline uint32_t asm_b(unsigned funct3, unsigned rs1, unsigned rs2, int distance) {
    uint32_t value = (uint32_t)distance;
    return OP_BRANCH | field(value, 11, 1, 7) | field(value, 1, 4, 8) | funct3 << 12 | rs1 << 15 |
           rs2 << 20 | field(value, 5, 6, 25) | field(value, 12, 1, 31);
}

static inline uint32_t asm_u(unsigned opcode, unsigned rd, uint32_t imm) {
    return opcode | rd << 7 | (imm & 0xFFFFF000u);
}

static inline uint32_t asm_j(unsigned rd, int distance) {
    uint32_t value = (uint32_t)distance;
    return OP_JAL | rd << 7 | field(value, 12, 8, 12) | field(value, 11, 1, 20) |
           field(value, 1, 10, 21) | field(value, 20, 1, 31);
}

/* Compressed jumps and branches: the only compressed formats whose immediate is known late. */
static inline uint32_t asm_cj(int distance) {
    uint32_t v = (uint32_t)distance;
    return 0xA001u | field(v, 11, 1, 12) | field(v, 4, 1, 11) | field(v, 8, 2, 9) |
           field(v, 10, 1, 8) | field(v, 6, 1, 7) | field(v, 7, 1, 6) | field(v, 1, 3, 3) |
           field(v, 5, 1, 2);
}

static inline uint32_t asm_cb(unsigned funct3, unsigned small_rs1, int distance) {
    uint32_t v = (uint32_t)distance;
    return 1u | funct3 << 13 | small_rs1 << 7 | field(v, 8, 1, 12) | field(v, 3, 2, 10) |
           field(v, 6, 2, 5) | field(v, 1, 2, 3) | field(v, 5, 1, 2);
}

#endif
