/* fuzz_gen.c: the random sequence of a seed: all of RV64GC that a program can run without a trap.
 *
 * Instructions come from tables of encodings, so that none is forgotten: a line is a group of
 * instructions with the same operands. Values lean to the edges: most errors of an arithmetic unit
 * live at a few hundred numbers.
 */
#include "assemble.h"
#include "fuzz.h"

#include <string.h>

#define LENGTH_MAX 28 /* units; with driver and state about as long as its surroundings */

static bool writable(unsigned reg) {
    return reg != REG_SANDBOX && reg != REG_DRIVER && reg != REG_SANDBOX2;
}

static unsigned any_reg(uint64_t *s) {
    unsigned reg = fuzz_below(s, 32);
    return reg == REG_DRIVER ? 4 : reg;
}

static unsigned dest(uint64_t *s) {
    unsigned reg = fuzz_below(s, 32);
    return writable(reg) ? reg : 10;
}

static unsigned base_reg(uint64_t *s) {
    return fuzz_below(s, 2) ? REG_SANDBOX : REG_SANDBOX2;
}

static unsigned small_dest(uint64_t *s) {
    unsigned reg = 8 + fuzz_below(s, 8);
    return (writable(reg) ? reg : 10) - 8;
}

/* Rounding modes: to zero and dynamic are what programs use. */
static unsigned rounding(uint64_t *s) {
    static const uint8_t modes[8] = {0, 1, 2, 3, 4, 7, 7, 7};
    return modes[fuzz_below(s, 8)];
}

/* ---- groups: {opcode, funct3, funct7} -------------------------------------------------------- */

struct encoding {
    uint8_t opcode, funct3, funct7;
};
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static const struct encoding registers[] = {
    {0x33, 0, 0},    {0x33, 0, 0x20}, {0x33, 1, 0}, {0x33, 2, 0}, {0x33, 3, 0}, {0x33, 4, 0},
    {0x33, 5, 0},    {0x33, 5, 0x20}, {0x33, 6, 0}, {0x33, 7, 0}, {0x3B, 0, 0}, {0x3B, 0, 0x20},
    {0x3B, 1, 0},    {0x3B, 5, 0},    {0x3B, 5, 0x20}, {0x33, 0, 1}, {0x33, 1, 1}, {0x33, 2, 1},
    {0x33, 3, 1},    {0x33, 4, 1},    {0x33, 5, 1}, {0x33, 6, 1}, {0x33, 7, 1}, {0x3B, 0, 1},
    {0x3B, 4, 1},    {0x3B, 5, 1},    {0x3B, 6, 1}, {0x3B, 7, 1}};

static const struct encoding immediates[] = {{0x13, 0, 0}, {0x13, 2, 0}, {0x13, 3, 0}, {0x13, 4, 0},
                                             {0x13, 6, 0}, {0x13, 7, 0}, {0x1B, 0, 0}};
/* funct7 holds what is above the amount; 64-bit amounts use its lowest bit. */
static const struct encoding shifts[] = {{0x13, 1, 0}, {0x13, 5, 0},    {0x13, 5, 0x20},
                                         {0x1B, 1, 0}, {0x1B, 5, 0},    {0x1B, 5, 0x20}};

/* Three-operand floating point with rounding: funct7 of the single; + 1 is the double. */
static const uint8_t float_round[] = {0x00, 0x04, 0x08, 0x0C};
static const uint8_t float_fused[] = {0x43, 0x47, 0x4B, 0x4F};
/* funct7 of the single, funct3: signs, choices */
static const struct encoding float_exact[] = {{0x53, 0, 0x10}, {0x53, 1, 0x10}, {0x53, 2, 0x10},
                                              {0x53, 0, 0x14}, {0x53, 1, 0x14}};

/* Short constants, with the edges of every width in reach. */
static int small_imm(uint64_t *s) {
    static const int edges[] = {0, 1, -1, 2047, -2048, 31, 32, 63, 255};
    return fuzz_below(s, 3) ? (int)fuzz_below(s, 4096) - 2048
                            : edges[fuzz_below(s, COUNT(edges))];
}

/* ---- units ----------------------------------------------------------------------------------- */

static void one(struct fuzz_unit *u, uint32_t word) {
    u->words[u->count++] = word;
}

static void make_integer(uint64_t *s, struct fuzz_unit *u) {
    unsigned what = fuzz_below(s, 10);
    if (what < 5) {
        const struct encoding *e = &registers[fuzz_below(s, COUNT(registers))];
        one(u, asm_r(e->opcode, e->funct3, e->funct7, dest(s), any_reg(s), any_reg(s)));
    } else if (what < 7) {
        const struct encoding *e = &immediates[fuzz_below(s, COUNT(immediates))];
        one(u, asm_i(e->opcode, e->funct3, dest(s), any_reg(s), small_imm(s)));
    } else if (what < 9) {
        const struct encoding *e = &shifts[fuzz_below(s, COUNT(shifts))];
        unsigned high = e->opcode == 0x13 ? fuzz_below(s, 2) : 0;
        one(u, asm_r(e->opcode, e->funct3, e->funct7 | high, dest(s), any_reg(s),
                     fuzz_below(s, 32)));
    } else {
        one(u, asm_u(fuzz_below(s, 2) ? OP_LUI : OP_AUIPC, dest(s), (uint32_t)fuzz_random(s)));
    }
}

/* The pairs that block builders like to melt: constants, bit fields, scaled additions. */
static void make_idiom(uint64_t *s, struct fuzz_unit *u) {
    unsigned rd = dest(s), rs = any_reg(s);
    switch (fuzz_below(s, 4)) {
    case 0:
        one(u, asm_u(fuzz_below(s, 2) ? OP_LUI : OP_AUIPC, rd, (uint32_t)fuzz_random(s)));
        one(u, asm_i(fuzz_below(s, 2) ? OP_IMM : OP_IMM_32, 0, rd, rd, small_imm(s)));
        break;
    case 1:
        one(u, asm_r(OP_IMM, 1, fuzz_below(s, 2), rd, rs, fuzz_below(s, 32)));
        one(u, asm_r(OP_IMM, 5, fuzz_below(s, 2), rd, rd, fuzz_below(s, 32)));
        break;
    case 2:
        one(u, asm_r(OP_IMM, 1, 0, rd, rs, fuzz_below(s, 5)));
        one(u, asm_r(OP_OP, 0, 0, rd, rd, any_reg(s)));
        break;
    default:
        one(u, asm_r(OP_IMM, 1, 0, rd, rs, fuzz_below(s, 5)));
        one(u, asm_r(OP_OP, 0, 0, rd, any_reg(s), rd));
        break;
    }
}

static void make_memory(uint64_t *s, struct fuzz_unit *u) {
    int offset = (int)fuzz_below(s, 504) - 256;
    if (fuzz_below(s, 2))
        offset &= ~7;
    unsigned base = base_reg(s);
    switch (fuzz_below(s, 5)) {
    case 0:
    case 1:
        one(u, asm_i(OP_LOAD, fuzz_below(s, 7), dest(s), base, offset));
        break;
    case 2:
    case 3:
        one(u, asm_s(OP_STORE, fuzz_below(s, 4), base, any_reg(s), offset));
        break;
    default:
        if (fuzz_below(s, 2))
            one(u, asm_i(OP_LOAD_FP, 2 + fuzz_below(s, 2), fuzz_below(s, 32), base, offset));
        else
            one(u, asm_s(OP_STORE_FP, 2 + fuzz_below(s, 2), base, fuzz_below(s, 32), offset));
    }
}

/* With an address of its own now and then: the two base registers alone would be one place.
 *
 * Known deviation of qemu 7.2, kept out of its way: an sc.w behind an lr.d of the same address
 * stores its word and answers that it failed, because it compares 32 bits of memory in one place
 * and 64 of the register in the other. So a sequence has reservations of one width. */
static void make_atomic(uint64_t *s, struct fuzz_unit *u, bool wide) {
    static const uint8_t funct5[] = {0, 1, 4, 8, 12, 16, 20, 24, 28, 2, 3, 3};
    unsigned base = base_reg(s), which = funct5[fuzz_below(s, COUNT(funct5))];
    if (fuzz_below(s, 3) == 0) {
        unsigned address = 11 + fuzz_below(s, 5);
        one(u, asm_i(OP_IMM, 0, address, base, ((int)fuzz_below(s, 60) - 30) * 8));
        base = address;
    }
    unsigned rs2 = which == 2 ? 0 : any_reg(s);
    unsigned funct3 = which == 2 || which == 3 ? 2u + wide : 2 + fuzz_below(s, 2);
    one(u, asm_r(OP_AMO, funct3, which << 2 | fuzz_below(s, 4), dest(s), base, rs2));
}

static void make_float_arithmetic(uint64_t *s, struct fuzz_unit *u) {
    unsigned format = fuzz_below(s, 2), rm = rounding(s);
    unsigned rd = fuzz_below(s, 32), rs1 = fuzz_below(s, 32), rs2 = fuzz_below(s, 32);
    unsigned what = fuzz_below(s, 9);
    if (what < 4)
        one(u, asm_r(OP_FP, rm, float_round[what] | format, rd, rs1, rs2));
    else if (what < 8)
        one(u, asm_r(float_fused[what - 4], rm, fuzz_below(s, 32) << 2 | format, rd, rs1, rs2));
    else
        one(u, asm_r(OP_FP, rm, 0x2C | format, rd, rs1, 0));
}

static void make_float_other(uint64_t *s, struct fuzz_unit *u) {
    unsigned format = fuzz_below(s, 2), fd = fuzz_below(s, 32), fs = fuzz_below(s, 32);
    const struct encoding *e;
    switch (fuzz_below(s, 8)) {
    case 0:
    case 1:
        e = &float_exact[fuzz_below(s, COUNT(float_exact))];
        one(u, asm_r(OP_FP, e->funct3, e->funct7 | format, fd, fs, fuzz_below(s, 32)));
        break;
    case 2: /* compare */
        one(u, asm_r(OP_FP, fuzz_below(s, 3), 0x50 | format, dest(s), fs, fuzz_below(s, 32)));
        break;
    case 3: /* to integer */
        one(u, asm_r(OP_FP, rounding(s), 0x60 | format, dest(s), fs, fuzz_below(s, 4)));
        break;
    case 4: /* from integer */
        one(u, asm_r(OP_FP, rounding(s), 0x68 | format, fd, any_reg(s), fuzz_below(s, 4)));
        break;
    case 5: /* between the formats */
        one(u, asm_r(OP_FP, rounding(s), 0x20 | format, fd, fs, 1 - format));
        break;
    case 6: /* move to integer, class */
        one(u, asm_r(OP_FP, fuzz_below(s, 2), 0x70 | format, dest(s), fs, 0));
        break;
    default:
        one(u, asm_r(OP_FP, 0, 0x78 | format, fd, any_reg(s), 0));
    }
}

/* frm is only given modes that exist: others make the next instruction illegal. */
static void make_csr(uint64_t *s, struct fuzz_unit *u) {
    unsigned rd = dest(s);
    switch (fuzz_below(s, 6)) {
    case 0:
        one(u, asm_i(OP_SYSTEM, 5, rd, fuzz_below(s, 5), 2));
        break;
    case 1:
        one(u, asm_i(OP_SYSTEM, 5 + fuzz_below(s, 3), rd, fuzz_below(s, 32), 1));
        break;
    case 2:
        one(u, asm_i(OP_SYSTEM, 1 + fuzz_below(s, 3), rd, any_reg(s), 1));
        break;
    case 3:
        one(u, asm_i(OP_SYSTEM, 2, rd, 0, 1 + (int)fuzz_below(s, 3)));
        break;
    case 4:
        one(u, asm_i(OP_SYSTEM, 5, rd, fuzz_below(s, 32), 3));
        break;
    default:
        one(u, fuzz_below(s, 40) ? 0x0FF0000Fu : 0x0000100Fu); /* fence, fence.i */
    }
}

static void make_jump(uint64_t *s, struct fuzz_unit *u, unsigned index) {
    static const uint8_t conditions[6] = {0, 1, 4, 5, 6, 7};
    u->target = index + 1 + fuzz_below(s, 10);
    switch (fuzz_below(s, 8)) {
    case 0:
        u->jump = JUMP_JAL;
        one(u, asm_j(dest(s), 0));
        break;
    case 1: /* auipc, jalr */
        u->jump = JUMP_JALR;
        one(u, asm_u(OP_AUIPC, 12, 0));
        one(u, asm_i(OP_JALR, 0, dest(s), 12, 0));
        break;
    case 2:
        u->jump = JUMP_CJ;
        one(u, asm_cj(0));
        break;
    case 3:
    case 4:
        u->jump = JUMP_CB;
        one(u, asm_cb(6 + fuzz_below(s, 2), fuzz_below(s, 8), 0));
        break;
    default:
        u->jump = JUMP_BRANCH;
        one(u, asm_b(conditions[fuzz_below(s, 6)], any_reg(s), any_reg(s), 0));
    }
}

/* Compressed: random bits within a format, with the fields that have rules put right. */
static void make_compressed(uint64_t *s, struct fuzz_unit *u) {
    uint32_t bits = (uint32_t)fuzz_random(s) & 0x1FFC;
    uint32_t rd = dest(s) ? dest(s) : 5, six = (bits & 0x107C) ? bits & 0x107C : 4;
    if (rd == 0)
        rd = 5;
    switch (fuzz_below(s, 16)) {
    case 0: /* c.addi4spn: any but 0 */
        one(u, (bits & 0x1FE0) | 0x20 | small_dest(s) << 2);
        break;
    case 1: /* c.fld, c.lw, c.ld with the sandbox pointer */
        one(u, (1 + fuzz_below(s, 3)) << 13 | (bits & 0x1C60) | (REG_SANDBOX2 - 8) << 7 |
                   small_dest(s) << 2);
        break;
    case 2: /* c.fsd, c.sw, c.sd */
        one(u, (5 + fuzz_below(s, 3)) << 13 | (bits & 0x1C7C) | (REG_SANDBOX2 - 8) << 7);
        break;
    case 3: /* c.addi, c.addiw, c.li */
        one(u, fuzz_below(s, 3) << 13 | (bits & 0x107C) | rd << 7 | 1);
        break;
    case 4: /* c.lui */
        one(u, 3u << 13 | six | rd << 7 | 1);
        break;
    case 5:
    case 6: /* c.srli, c.srai, c.andi */
        one(u, 4u << 13 | fuzz_below(s, 3) << 10 | (bits & 0x107C) | small_dest(s) << 7 | 1);
        break;
    case 7:
    case 8:
    case 9: /* c.sub, c.xor, c.or, c.and, c.subw, c.addw */
        one(u, 4u << 13 | 3u << 10 | small_dest(s) << 7 | fuzz_below(s, 8) << 2 |
                   (fuzz_below(s, 3) ? fuzz_below(s, 4) << 5 : 0x1000 | fuzz_below(s, 2) << 5) | 1);
        break;
    case 10: /* c.slli */
        one(u, (bits & 0x107C) | rd << 7 | 2);
        break;
    case 11: /* c.fldsp, c.lwsp, c.ldsp */
        one(u, (1 + fuzz_below(s, 3)) << 13 | (bits & 0x107C) | rd << 7 | 2);
        break;
    case 12: /* c.fsdsp, c.swsp, c.sdsp */
        one(u, (5 + fuzz_below(s, 3)) << 13 | (bits & 0x1FFC) | 2);
        break;
    case 13:
    case 14: /* c.mv, c.add */
        one(u, 4u << 13 | fuzz_below(s, 2) << 12 | rd << 7 | (1 + fuzz_below(s, 31)) << 2 | 2);
        break;
    default: /* c.nop */
        one(u, 1);
    }
    if ((u->words[0] & 0xE003) == 0x8002 && (u->words[0] >> 2 & 31) == REG_DRIVER)
        u->words[0] ^= 4 << 2; /* c.mv and c.add do not read the driver's register */
    bool store = (u->words[0] & 0x8003) == 0x8002 && (u->words[0] >> 13) >= 6;
    if (store && (u->words[0] >> 2 & 31) == REG_DRIVER)
        u->words[0] ^= 4 << 2;
}

/* ---- states ---------------------------------------------------------------------------------- */

static uint64_t edge_integer(uint64_t *s) {
    static const uint64_t edges[] = {0, 1, 2, UINT64_MAX, INT64_MAX, (uint64_t)INT64_MIN, INT32_MAX,
                                     (uint64_t)(int64_t)INT32_MIN, UINT32_MAX, 0x80000000u};
    switch (fuzz_below(s, 4)) {
    case 0:
        return edges[fuzz_below(s, COUNT(edges))];
    case 1:
        return fuzz_random(s) >> fuzz_below(s, 64);
    case 2:
        return edges[fuzz_below(s, COUNT(edges))] + fuzz_below(s, 5) - 2;
    default:
        return fuzz_random(s);
    }
}

/* Bits of a number of this format whose exponent leans to the middle and to the ends. */
static uint64_t edge_float(uint64_t *s, unsigned fraction_bits, unsigned exponent_bits) {
    uint64_t max = (UINT64_C(1) << exponent_bits) - 1, middle = max / 2;
    uint64_t fraction = fuzz_random(s) & ((UINT64_C(1) << fraction_bits) - 1), exponent;
    switch (fuzz_below(s, 8)) {
    case 0:
        exponent = 0;
        break;
    case 1:
        exponent = max;
        break;
    case 2:
        exponent = fuzz_below(s, 3) ? 1 : max - 1;
        break;
    case 3:
        exponent = fuzz_random(s) & max;
        break;
    case 4:
        exponent = middle + fuzz_below(s, 70);
        break;
    default:
        exponent = middle - 3 + fuzz_below(s, 7);
    }
    if (fuzz_below(s, 3) == 0)
        fraction = 0;
    else if (fuzz_below(s, 3) == 0)
        fraction &= UINT64_MAX << fuzz_below(s, fraction_bits);
    else if (fuzz_below(s, 8) == 0)
        fraction = (UINT64_C(1) << fraction_bits) - 1 - fuzz_below(s, 2);
    uint64_t sign = fuzz_below(s, 2);
    return sign << (fraction_bits + exponent_bits) | exponent << fraction_bits | fraction;
}

static uint64_t edge_register(uint64_t *s) {
    switch (fuzz_below(s, 16)) {
    case 0:
        return edge_float(s, 23, 8); /* not boxed */
    case 1:
        return fuzz_random(s);
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
        return UINT64_C(0xFFFFFFFF00000000) | edge_float(s, 23, 8);
    default:
        return edge_float(s, 52, 11);
    }
}

/* ---- sequences ------------------------------------------------------------------------------- */

static void make_unit(uint64_t *s, struct fuzz_unit *unit, unsigned index, bool wide) {
    unsigned what = fuzz_below(s, 100);
    if (what < 20)
        make_integer(s, unit);
    else if (what < 27)
        make_idiom(s, unit);
    else if (what < 40)
        make_memory(s, unit);
    else if (what < 47)
        make_atomic(s, unit, wide);
    else if (what < 62)
        make_float_arithmetic(s, unit);
    else if (what < 74)
        make_float_other(s, unit);
    else if (what < 79)
        make_csr(s, unit);
    else if (what < 86)
        make_jump(s, unit, index);
    else
        make_compressed(s, unit);
}

void fuzz_generate(struct fuzz_sequence *sequence, uint64_t seed) {
    uint64_t s = seed;
    memset(sequence, 0, sizeof(*sequence));
    sequence->seed = seed;
    sequence->count = 4 + fuzz_below(&s, LENGTH_MAX - 3);
    for (unsigned i = 0; i < sequence->count; i++)
        make_unit(&s, &sequence->units[i], i, seed & 1);
    for (unsigned i = 0; i < 32; i++) {
        sequence->x[i] = edge_integer(&s);
        sequence->f[i] = edge_register(&s);
    }
    sequence->fcsr = fuzz_below(&s, 32) | (fuzz_below(&s, 2) ? fuzz_below(&s, 5) : 0) << 5;
}

static unsigned word_bytes(uint32_t word) {
    return (word & 3) == 3 ? 4 : 2;
}

static unsigned unit_bytes(const struct fuzz_unit *u) {
    unsigned bytes = 0;
    for (unsigned i = 0; i < u->count && !u->removed; i++)
        bytes += word_bytes(u->words[i]);
    return bytes;
}

/* Put the distance into the last word of a jump. */
static uint32_t aimed(const struct fuzz_unit *u, unsigned word, int distance) {
    uint32_t bits = u->words[word];
    switch (word + 1 == u->count ? u->jump : NO_JUMP) {
    case JUMP_BRANCH:
        return bits | asm_b(0, 0, 0, distance);
    case JUMP_JAL:
        return bits | asm_j(0, distance);
    case JUMP_JALR:
        return bits | field((uint32_t)distance, 0, 12, 20);
    case JUMP_CJ:
        return bits | asm_cj(distance);
    case JUMP_CB:
        return bits | asm_cb(6, 0, distance);
    default:
        return bits;
    }
}

size_t fuzz_encode(const struct fuzz_sequence *sequence, uint8_t *code) {
    unsigned starts[UNITS_MAX + 1] = {0}, at = 0;
    for (unsigned i = 0; i < sequence->count; i++)
        starts[i + 1] = starts[i] + unit_bytes(&sequence->units[i]);
    for (unsigned i = 0; i < sequence->count; i++) {
        const struct fuzz_unit *u = &sequence->units[i];
        unsigned target = u->target < sequence->count ? u->target : sequence->count;
        for (unsigned word = 0; word < u->count && !u->removed; word++) {
            /* jalr's distance is from the auipc before it, which is where the unit starts */
            uint32_t bits = aimed(u, word, (int)starts[target] - (int)starts[i]);
            memcpy(code + at, &bits, word_bytes(bits));
            at += word_bytes(bits);
        }
    }
    return at;
}
