/* jit_emit.h: the bytes of x86-64 instructions. Internal to jit_x86.c and jit_x86_ops.c.
 *
 * A REX prefix is always written: one byte too many here and there, and no case to forget. Source
 * of the encodings: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2.
 */
#ifndef QUIRE_SOFT_JIT_EMIT_H
#define QUIRE_SOFT_JIT_EMIT_H

#include <string.h>

#include "jit.h"

enum host_reg { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

/* Opcodes: "rm op= reg" for the first group, as two registers. */
enum host_op { OP_ADD = 0x01, OP_OR = 0x09, OP_AND = 0x21, OP_SUB = 0x29, OP_XOR = 0x31,
               OP_CMP = 0x39, OP_TEST = 0x85, OP_STORE = 0x89, OP_LOAD = 0x8B };
/* With an immediate, and shifts: the number in the reg field. */
enum host_imm { IMM_ADD = 0, IMM_OR = 1, IMM_AND = 4, IMM_XOR = 6, IMM_CMP = 7 };
enum host_shift { SHIFT_LEFT = 4, SHIFT_RIGHT = 5, SHIFT_SIGNED = 7 };
/* In jumps and SETcc. */
enum host_cond { IF_B = 2, IF_AE = 3, IF_E = 4, IF_NE = 5, IF_A = 7, IF_S = 8, IF_P = 10,
                 IF_NP = 11, IF_L = 12, IF_GE = 13 };

struct emit {
    uint8_t *at;
};

static inline void put8(struct emit *e, unsigned byte) {
    *e->at++ = (uint8_t)byte;
}

static inline void put32(struct emit *e, uint32_t value) {
    memcpy(e->at, &value, 4);
    e->at += 4;
}

static inline void put64(struct emit *e, uint64_t value) {
    memcpy(e->at, &value, 8);
    e->at += 8;
}

static inline void put_rex(struct emit *e, bool wide, unsigned reg, unsigned rm) {
    put8(e, 0x40u | (unsigned)wide << 3 | reg >> 3 << 2 | rm >> 3);
}

/* The ModRM byte of two registers. */
static inline void put_pair(struct emit *e, unsigned reg, unsigned rm) {
    put8(e, 0xC0u | (reg & 7) << 3 | (rm & 7));
}

/* ModRM and displacement of [base + offset]; rsp and r12 as a base need a SIB byte. */
static inline void put_place(struct emit *e, unsigned reg, unsigned base, int32_t offset) {
    bool near = offset >= -128 && offset < 128;
    put8(e, (near ? 0x40u : 0x80u) | (reg & 7) << 3 | (base & 7));
    if ((base & 7) == RSP)
        put8(e, 0x24);
    if (near)
        put8(e, (uint8_t)offset);
    else
        put32(e, (uint32_t)offset);
}

/* rm op= reg (for OP_LOAD: reg = rm) */
static inline void emit_rr(struct emit *e, bool wide, enum host_op op, unsigned reg, unsigned rm) {
    put_rex(e, wide, reg, rm);
    put8(e, op);
    put_pair(e, reg, rm);
}

static inline void emit_move(struct emit *e, unsigned to, unsigned from) {
    emit_rr(e, true, OP_STORE, from, to);
}

static inline void emit_rm(struct emit *e, bool wide, unsigned op, unsigned reg, unsigned base,
                           int32_t offset) {
    put_rex(e, wide, reg, base);
    put8(e, op);
    put_place(e, reg, base, offset);
}

static inline void emit_lea(struct emit *e, unsigned reg, unsigned base, int32_t offset) {
    emit_rm(e, true, 0x8D, reg, base, offset);
}

static inline void emit_ri(struct emit *e, bool wide, enum host_imm op, unsigned rm, int32_t imm) {
    put_rex(e, wide, 0, rm);
    put8(e, 0x81);
    put_pair(e, op, rm);
    put32(e, (uint32_t)imm);
}

static inline void emit_shift(struct emit *e, bool wide, enum host_shift op, unsigned rm,
                              unsigned by) {
    put_rex(e, wide, 0, rm);
    put8(e, 0xC1);
    put_pair(e, op, rm);
    put8(e, by);
}

/* By cl. */
static inline void emit_shift_cl(struct emit *e, bool wide, enum host_shift op, unsigned rm) {
    put_rex(e, wide, 0, rm);
    put8(e, 0xD3);
    put_pair(e, op, rm);
}

/* An opcode behind 0F, two registers. */
static inline void emit_0f(struct emit *e, bool wide, unsigned op, unsigned reg, unsigned rm) {
    put_rex(e, wide, reg, rm);
    put8(e, 0x0F);
    put8(e, op);
    put_pair(e, reg, rm);
}

/* One of the group F7: 3 negates, 4 and 5 multiply, 6 and 7 divide rdx:rax; the even unsigned. */
static inline void emit_f7(struct emit *e, bool wide, unsigned op, unsigned rm) {
    put_rex(e, wide, 0, rm);
    put8(e, 0xF7);
    put_pair(e, op, rm);
}

static inline void emit_sign_extend(struct emit *e, unsigned to, unsigned from) {
    put_rex(e, true, to, from);
    put8(e, 0x63);
    put_pair(e, to, from);
}

/* reg = 0 or 1 */
static inline void emit_set(struct emit *e, enum host_cond cond, unsigned reg) {
    emit_0f(e, false, 0x90u + cond, 0, RAX);
    emit_0f(e, false, 0xB6, reg, RAX);
}

static inline void emit_constant(struct emit *e, unsigned reg, uint64_t value) {
    if (value <= UINT32_MAX) {
        put_rex(e, false, 0, reg);
        put8(e, 0xB8u | (reg & 7));
        put32(e, (uint32_t)value);
    } else if ((int64_t)value == (int32_t)(uint32_t)value) {
        put_rex(e, true, 0, reg);
        put8(e, 0xC7);
        put_pair(e, 0, reg);
        put32(e, (uint32_t)value);
    } else {
        put_rex(e, true, 0, reg);
        put8(e, 0xB8u | (reg & 7));
        put64(e, value);
    }
}

/* xmm0 and [rsi + offset]: prefix F2 (double) or 66, opcode behind 0F. */
static inline void emit_sse(struct emit *e, unsigned prefix, unsigned op, int32_t offset) {
    put8(e, prefix);
    put8(e, 0x0F);
    put8(e, op);
    put_place(e, 0, RSI, offset);
}

/* ---- jumps: the distance is 32 bits, filled in now or later --------------------------------- */

/* site: of the distance's 4 bytes. */
static inline void set_distance(uint8_t *site, const uint8_t *target) {
    int32_t distance = (int32_t)(target - (site + 4));
    memcpy(site, &distance, 4);
}

static inline uint8_t *emit_jump(struct emit *e) {
    put8(e, 0xE9);
    put32(e, 0);
    return e->at - 4;
}

static inline uint8_t *emit_jump_if(struct emit *e, enum host_cond cond) {
    put8(e, 0x0F);
    put8(e, 0x80u + cond);
    put32(e, 0);
    return e->at - 4;
}

/* To a function of ours, which may be too far for a distance. Destroys rax. */
static inline void emit_jump_to(struct emit *e, uintptr_t target) {
    int64_t distance = (int64_t)(target - (uintptr_t)(e->at + 5));
    if (distance == (int32_t)distance) {
        put8(e, 0xE9);
        put32(e, (uint32_t)distance);
        return;
    }
    emit_constant(e, RAX, target);
    put8(e, 0xFF); /* jmp rax */
    put8(e, 0xE0);
}

/* jmp [rdi + offset of fn]: to the handler of the operation in rdi. */
static inline void emit_jump_handler(struct emit *e) {
    put8(e, 0xFF);
    put_place(e, 4, RDI, (int32_t)offsetof(struct op, fn));
}

#endif
