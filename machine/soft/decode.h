/* decode.h: from the bits of an instruction to its kind and operands. Pure: knows no machine. */
#ifndef QUIRE_SOFT_DECODE_H
#define QUIRE_SOFT_DECODE_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu_ops.h"

#define KIND_VALUE(name, ...) KIND_##name,
#define KIND_BOTH(name) KIND_##name##_s, KIND_##name##_d,

/* One kind an instruction. The order within a list is the order of the opcode's own field where the
 * decoder computes a kind by adding to the first. */
enum insn_kind {
    ALU_OPS(KIND_VALUE) LOAD_OPS(KIND_VALUE) FLOAT_LOAD_OPS(KIND_VALUE) STORE_OPS(KIND_VALUE)
    FLOAT_STORE_OPS(KIND_VALUE) BRANCH_OPS(KIND_VALUE) AMO_OPS(KIND_VALUE) RESERVE_OPS(KIND_VALUE)
    JUMP_OPS(KIND_VALUE) SYSTEM_OPS(KIND_VALUE) FLOAT_ROUND_OPS(KIND_BOTH)
    FLOAT_EXACT_OPS(KIND_BOTH) FLOAT_TO_OPS(KIND_BOTH) FLOAT_FROM_OPS(KIND_BOTH)
    FLOAT_MOVE_OPS(KIND_VALUE) KIND_COUNT
};

#define ROUND_DYNAMIC 7 /* rm: as frm says */

struct insn {
    uint16_t kind;
    uint8_t rd, rs1, rs2, rs3;
    uint8_t rm;     /* floating point: the rounding-mode field */
    uint8_t length; /* bytes: 2 or 4 */
    int64_t imm;    /* also a jump's distance, a CSR's number, an illegal one's bits */
};

/* The low two bits of the first halfword tell the length. */
static inline unsigned insn_length(uint32_t first_half) {
    return (first_half & 3) == 3 ? 4 : 2;
}

/* Decode bits (of a 2-byte instruction: the low half). Reserved and unknown ones become illegal. */
struct insn quire_decode(uint32_t bits);

#endif
