/* decode.c: RV64GC, bits to kinds.
 *
 * A table for each opcode, indexed by funct3 (and funct7), is the shape of the manual's own
 * listings, so the two can be laid side by side. The alternative, one mask-and-match list searched
 * from the top, is shorter by a third and several times slower; decoding is on the path of every
 * program's start, where most code runs once.
 *
 *      bits --- low two bits 11 ---> wide(): opcode -> group -> kind
 *           '-- 00, 01, 10 --------> quadrant 0, 1, 2 of the compressed set
 *
 * A compressed instruction has no kind of its own: it becomes the one it stands for, with length 2.
 *
 * Invariants:
 *   I1  Every pattern that the manual calls reserved or leaves free becomes KIND_illegal with the
 *       bits in imm; hints become what they compute.
 *   I2  Register fields are below 32.
 *
 * Cannot fail. Called by code.c for each instruction of a block, and by tests.
 */
#include "decode.h"

/* Bits [low, low + count) of an instruction. */
static uint32_t bits_at(uint32_t bits, unsigned low, unsigned count) {
    return bits >> low & ((1u << count) - 1);
}

/* The same bits, moved to position `to`. */
static uint32_t moved(uint32_t bits, unsigned low, unsigned count, unsigned to) {
    return bits_at(bits, low, count) << to;
}

static int64_t sign_extend(uint32_t value, unsigned width) {
    return (int64_t)((uint64_t)value << (64 - width)) >> (64 - width);
}

static struct insn make(unsigned kind, uint32_t rd, uint32_t rs1, uint32_t rs2, int64_t imm) {
    return (struct insn){.kind = (uint16_t)kind,
                         .rd = (uint8_t)rd,
                         .rs1 = (uint8_t)rs1,
                         .rs2 = (uint8_t)rs2,
                         .imm = imm,
                         .length = 4};
}

static struct insn illegal(uint32_t bits) {
    return make(KIND_illegal, 0, 0, 0, (int64_t)bits);
}

/* ---- immediates of the wide formats, as the manual draws them -------------------------------- */

static int64_t imm_i(uint32_t bits) {
    return (int32_t)bits >> 20;
}

static int64_t imm_s(uint32_t bits) {
    return sign_extend(moved(bits, 25, 7, 5) | bits_at(bits, 7, 5), 12);
}

static int64_t imm_b(uint32_t bits) {
    return sign_extend(moved(bits, 31, 1, 12) | moved(bits, 7, 1, 11) | moved(bits, 25, 6, 5) |
                           moved(bits, 8, 4, 1),
                       13);
}

static int64_t imm_u(uint32_t bits) {
    return (int32_t)(bits & 0xFFFFF000u);
}

static int64_t imm_j(uint32_t bits) {
    return sign_extend(moved(bits, 31, 1, 20) | moved(bits, 12, 8, 12) | moved(bits, 20, 1, 11) |
                           moved(bits, 21, 10, 1),
                       21);
}

/* ---- groups of wide instructions. in: rd, rs1, rs2 and imm_i are set; each returns the kind -- */

#define NONE KIND_illegal

static unsigned op_imm(struct insn *in, uint32_t bits, unsigned funct3) {
    static const uint16_t kinds[8] = {KIND_addi, KIND_slli, KIND_slti, KIND_sltiu,
                                      KIND_xori, KIND_srli, KIND_ori,  KIND_andi};
    if (funct3 != 1 && funct3 != 5)
        return kinds[funct3];
    in->imm = bits_at(bits, 20, 6);
    unsigned funct6 = bits_at(bits, 26, 6);
    if (funct6 == 0)
        return kinds[funct3];
    return funct6 == 0x10 && funct3 == 5 ? KIND_srai : NONE;
}

static unsigned op_imm_32(struct insn *in, uint32_t bits, unsigned funct3) {
    unsigned funct7 = bits_at(bits, 25, 7);
    if (funct3 == 0)
        return KIND_addiw;
    in->imm = bits_at(bits, 20, 5);
    if (funct3 == 1 && funct7 == 0)
        return KIND_slliw;
    if (funct3 == 5 && funct7 == 0)
        return KIND_srliw;
    return funct3 == 5 && funct7 == 0x20 ? KIND_sraiw : NONE;
}

static unsigned op(uint32_t bits, unsigned funct3) {
    static const uint16_t base[8] = {KIND_add, KIND_sll, KIND_slt, KIND_sltu,
                                     KIND_xor, KIND_srl, KIND_or,  KIND_and};
    static const uint16_t multiply[8] = {KIND_mul, KIND_mulh, KIND_mulhsu, KIND_mulhu,
                                         KIND_div, KIND_divu, KIND_rem,    KIND_remu};
    switch (bits_at(bits, 25, 7)) {
    case 0:
        return base[funct3];
    case 1:
        return multiply[funct3];
    case 0x20:
        return funct3 == 0 ? KIND_sub : funct3 == 5 ? KIND_sra : NONE;
    default:
        return NONE;
    }
}

static unsigned op_32(uint32_t bits, unsigned funct3) {
    static const uint16_t base[8] = {KIND_addw, KIND_sllw, NONE, NONE, NONE, KIND_srlw, NONE, NONE};
    static const uint16_t multiply[8] = {KIND_mulw, NONE,       NONE,      NONE,
                                         KIND_divw, KIND_divuw, KIND_remw, KIND_remuw};
    switch (bits_at(bits, 25, 7)) {
    case 0:
        return base[funct3];
    case 1:
        return multiply[funct3];
    case 0x20:
        return funct3 == 0 ? KIND_subw : funct3 == 5 ? KIND_sraw : NONE;
    default:
        return NONE;
    }
}

static unsigned amo(uint32_t bits, unsigned funct3) {
    /* By funct5 (bits 27-31); the even multiples of 4 are the arithmetic ones. */
    static const uint16_t words[8] = {KIND_amoadd_w, KIND_amoxor_w, KIND_amoor_w,   KIND_amoand_w,
                                      KIND_amomin_w, KIND_amomax_w, KIND_amominu_w, KIND_amomaxu_w};
    unsigned funct5 = bits_at(bits, 27, 5);
    if (funct3 != 2 && funct3 != 3)
        return NONE;
    unsigned wide = funct3 == 3 ? KIND_amoswap_d - KIND_amoswap_w : 0;
    switch (funct5) {
    case 1:
        return KIND_amoswap_w + wide;
    case 2:
        if (bits_at(bits, 20, 5) != 0)
            return NONE;
        return wide ? KIND_lr_d : KIND_lr_w;
    case 3:
        return wide ? KIND_sc_d : KIND_sc_w;
    default:
        return funct5 % 4 == 0 ? words[funct5 / 4] + wide : NONE;
    }
}

static unsigned system_op(struct insn *in, uint32_t bits, unsigned funct3) {
    static const uint16_t csr[8] = {NONE, KIND_csrrw,  KIND_csrrs,  KIND_csrrc,
                                    NONE, KIND_csrrwi, KIND_csrrsi, KIND_csrrci};
    if (bits == 0x00000073u)
        return KIND_ecall;
    if (bits == 0x00100073u)
        return KIND_ebreak;
    in->imm = bits_at(bits, 20, 12);
    return csr[funct3];
}

/* ---- floating point. Formats: 0 single, 1 double; a double's kind follows its single's ------- */

/* Does the field rm name a rounding mode? 5 and 6 are reserved. */
static bool rounds(unsigned rm) {
    return rm != 5 && rm != 6;
}

static unsigned fused(struct insn *in, uint32_t bits, unsigned kind) {
    unsigned format = bits_at(bits, 25, 2);
    in->rs3 = (uint8_t)bits_at(bits, 27, 5);
    return format <= 1 && rounds(in->rm) ? kind + format : NONE;
}

/* rs2 chooses the integer type: w, wu, l, lu; kinds come in pairs of single and double. */
static unsigned converted(const struct insn *in, unsigned first, unsigned format) {
    return in->rs2 < 4 && rounds(in->rm) ? first + 2u * in->rs2 + format : NONE;
}

static unsigned chosen(unsigned funct3, unsigned count, unsigned first, unsigned format) {
    return funct3 < count ? first + 2 * funct3 + format : NONE;
}

static unsigned op_fp(const struct insn *in, uint32_t bits) {
    unsigned format = bits_at(bits, 25, 2), rm = in->rm;
    if (format > 1)
        return NONE;
    switch (bits_at(bits, 27, 5)) {
    case 0x00:
        return rounds(rm) ? KIND_fadd_s + format : NONE;
    case 0x01:
        return rounds(rm) ? KIND_fsub_s + format : NONE;
    case 0x02:
        return rounds(rm) ? KIND_fmul_s + format : NONE;
    case 0x03:
        return rounds(rm) ? KIND_fdiv_s + format : NONE;
    case 0x04:
        return chosen(rm, 3, KIND_fsgnj_s, format);
    case 0x05:
        return chosen(rm, 2, KIND_fmin_s, format);
    case 0x08: /* the other format is in rs2 */
        if (in->rs2 != 1 - format || !rounds(rm))
            return NONE;
        return format ? KIND_fcvt_d_s : KIND_fcvt_s_d;
    case 0x0B:
        return in->rs2 == 0 && rounds(rm) ? KIND_fsqrt_s + format : NONE;
    case 0x14: /* fle 0, flt 1, feq 2 */
        return rm < 3 ? chosen(2 - rm, 3, KIND_feq_s, format) : NONE;
    case 0x18:
        return converted(in, KIND_fcvt_w_s, format);
    case 0x1A:
        return converted(in, KIND_fcvt_from_w_s, format);
    case 0x1C:
        if (in->rs2 != 0 || rm > 1)
            return NONE;
        return rm == 1 ? KIND_fclass_s + format : format ? KIND_fmv_x_d : KIND_fmv_x_w;
    case 0x1E:
        if (in->rs2 != 0 || rm != 0)
            return NONE;
        return format ? KIND_fmv_d_x : KIND_fmv_w_x;
    default:
        return NONE;
    }
}

/* ---- wide instructions by opcode ------------------------------------------------------------- */

static unsigned wide_kind(struct insn *in, uint32_t bits) {
    static const uint16_t loads[8] = {KIND_lb,  KIND_lh,  KIND_lw,  KIND_ld,
                                      KIND_lbu, KIND_lhu, KIND_lwu, NONE};
    static const uint16_t branches[8] = {KIND_beq, KIND_bne, NONE,      NONE,
                                         KIND_blt, KIND_bge, KIND_bltu, KIND_bgeu};
    unsigned funct3 = bits_at(bits, 12, 3);
    switch (bits_at(bits, 2, 5)) {
    case 0x00:
        return loads[funct3];
    case 0x01:
        return funct3 == 2 ? KIND_flw : funct3 == 3 ? KIND_fld : NONE;
    case 0x03: /* every fence orders everything: one hart runs at a time */
        return funct3 == 0 ? KIND_fence : funct3 == 1 ? KIND_fence_i : NONE;
    case 0x04:
        return op_imm(in, bits, funct3);
    case 0x05: /* auipc: the block builder adds pc */
        in->imm = imm_u(bits);
        return KIND_auipc;
    case 0x06:
        return op_imm_32(in, bits, funct3);
    case 0x08:
        in->imm = imm_s(bits);
        return funct3 < 4 ? KIND_sb + funct3 : NONE;
    case 0x09:
        in->imm = imm_s(bits);
        return funct3 == 2 ? KIND_fsw : funct3 == 3 ? KIND_fsd : NONE;
    case 0x0B:
        in->imm = 0;
        return amo(bits, funct3);
    case 0x0C:
        return op(bits, funct3);
    case 0x0D:
        in->imm = imm_u(bits);
        return KIND_li;
    case 0x0E:
        return op_32(bits, funct3);
    case 0x10:
        return fused(in, bits, KIND_fmadd_s);
    case 0x11:
        return fused(in, bits, KIND_fmsub_s);
    case 0x12:
        return fused(in, bits, KIND_fnmsub_s);
    case 0x13:
        return fused(in, bits, KIND_fnmadd_s);
    case 0x14:
        return op_fp(in, bits);
    case 0x18:
        in->imm = imm_b(bits);
        return branches[funct3];
    case 0x19:
        return funct3 == 0 ? KIND_jalr : NONE;
    case 0x1B:
        in->imm = imm_j(bits);
        return KIND_jal;
    case 0x1C:
        return system_op(in, bits, funct3);
    default:
        return NONE;
    }
}

static struct insn wide(uint32_t bits) {
    struct insn in = make(NONE, bits_at(bits, 7, 5), bits_at(bits, 15, 5), bits_at(bits, 20, 5),
                          imm_i(bits));
    in.rm = (uint8_t)bits_at(bits, 12, 3);
    in.kind = (uint16_t)wide_kind(&in, bits);
    return in.kind == NONE ? illegal(bits) : in; /* I1 */
}

/* ---- compressed instructions ----------------------------------------------------------------- */

/* The three-bit register fields name x8-x15. */
static uint32_t small(uint32_t bits, unsigned low) {
    return 8 + bits_at(bits, low, 3);
}

/* The six-bit immediate of most of quadrants 1 and 2. */
static int64_t imm_6(uint32_t bits) {
    return sign_extend(moved(bits, 12, 1, 5) | bits_at(bits, 2, 5), 6);
}

static struct insn quadrant0(uint32_t bits) {
    uint32_t high = small(bits, 7), low = small(bits, 2);
    int64_t word = moved(bits, 10, 3, 3) | moved(bits, 6, 1, 2) | moved(bits, 5, 1, 6);
    int64_t twice = moved(bits, 10, 3, 3) | moved(bits, 5, 2, 6);
    int64_t stack = moved(bits, 11, 2, 4) | moved(bits, 7, 4, 6) | moved(bits, 6, 1, 2) |
                    moved(bits, 5, 1, 3);
    switch (bits_at(bits, 13, 3)) {
    case 0: /* c.addi4spn; 0 is reserved, and all zeros is the defined illegal instruction */
        return stack ? make(KIND_addi, low, 2, 0, stack) : illegal(bits);
    case 1:
        return make(KIND_fld, low, high, 0, twice);
    case 2:
        return make(KIND_lw, low, high, 0, word);
    case 3:
        return make(KIND_ld, low, high, 0, twice);
    case 5:
        return make(KIND_fsd, 0, high, low, twice);
    case 6:
        return make(KIND_sw, 0, high, low, word);
    case 7:
        return make(KIND_sd, 0, high, low, twice);
    default:
        return illegal(bits);
    }
}

/* funct3 100: shifts, c.andi, and register with register. */
static struct insn quadrant1_arithmetic(uint32_t bits) {
    static const uint16_t kinds[8] = {KIND_sub,  KIND_xor,  KIND_or, KIND_and,
                                      KIND_subw, KIND_addw, NONE,    NONE};
    uint32_t rd = small(bits, 7);
    switch (bits_at(bits, 10, 2)) {
    case 0:
        return make(KIND_srli, rd, rd, 0, imm_6(bits) & 63);
    case 1:
        return make(KIND_srai, rd, rd, 0, imm_6(bits) & 63);
    case 2:
        return make(KIND_andi, rd, rd, 0, imm_6(bits));
    default:
        break;
    }
    unsigned kind = kinds[moved(bits, 12, 1, 2) | bits_at(bits, 5, 2)];
    return kind == NONE ? illegal(bits) : make(kind, rd, rd, small(bits, 2), 0);
}

/* c.lui, and c.addi16sp where rd is the stack pointer; immediate 0 is reserved in both. */
static struct insn quadrant1_upper(uint32_t bits, uint32_t rd) {
    uint32_t stack = moved(bits, 12, 1, 9) | moved(bits, 6, 1, 4) | moved(bits, 5, 1, 6) |
                     moved(bits, 3, 2, 7) | moved(bits, 2, 1, 5);
    if (imm_6(bits) == 0)
        return illegal(bits);
    if (rd == 2)
        return make(KIND_addi, 2, 2, 0, sign_extend(stack, 10));
    return make(KIND_li, rd, 0, 0, imm_6(bits) * 4096);
}

static int64_t imm_cj(uint32_t bits) {
    return sign_extend(moved(bits, 12, 1, 11) | moved(bits, 11, 1, 4) | moved(bits, 9, 2, 8) |
                           moved(bits, 8, 1, 10) | moved(bits, 7, 1, 6) | moved(bits, 6, 1, 7) |
                           moved(bits, 3, 3, 1) | moved(bits, 2, 1, 5),
                       12);
}

static int64_t imm_cb(uint32_t bits) {
    return sign_extend(moved(bits, 12, 1, 8) | moved(bits, 10, 2, 3) | moved(bits, 5, 2, 6) |
                           moved(bits, 3, 2, 1) | moved(bits, 2, 1, 5),
                       9);
}

static struct insn quadrant1(uint32_t bits) {
    uint32_t rd = bits_at(bits, 7, 5);
    switch (bits_at(bits, 13, 3)) {
    case 0:
        return make(KIND_addi, rd, rd, 0, imm_6(bits));
    case 1:
        return rd ? make(KIND_addiw, rd, rd, 0, imm_6(bits)) : illegal(bits);
    case 2:
        return make(KIND_li, rd, 0, 0, imm_6(bits));
    case 3:
        return quadrant1_upper(bits, rd);
    case 4:
        return quadrant1_arithmetic(bits);
    case 5:
        return make(KIND_jal, 0, 0, 0, imm_cj(bits));
    case 6:
        return make(KIND_beq, 0, small(bits, 7), 0, imm_cb(bits));
    default:
        return make(KIND_bne, 0, small(bits, 7), 0, imm_cb(bits));
    }
}

/* funct3 100 of quadrant 2: jumps, c.mv, c.add, c.ebreak, told apart by which fields are 0. */
static struct insn quadrant2_registers(uint32_t bits, uint32_t rd, uint32_t rs2) {
    bool high = bits_at(bits, 12, 1);
    if (rs2)
        return high ? make(KIND_add, rd, rd, rs2, 0) : make(KIND_mv, rd, rs2, 0, 0);
    if (rd)
        return make(KIND_jalr, high ? 1 : 0, rd, 0, 0);
    return high ? make(KIND_ebreak, 0, 0, 0, 0) : illegal(bits);
}

static struct insn quadrant2(uint32_t bits) {
    uint32_t rd = bits_at(bits, 7, 5), rs2 = bits_at(bits, 2, 5);
    int64_t load_word = moved(bits, 12, 1, 5) | moved(bits, 4, 3, 2) | moved(bits, 2, 2, 6);
    int64_t load_twice = moved(bits, 12, 1, 5) | moved(bits, 5, 2, 3) | moved(bits, 2, 3, 6);
    int64_t store_word = moved(bits, 9, 4, 2) | moved(bits, 7, 2, 6);
    int64_t store_twice = moved(bits, 10, 3, 3) | moved(bits, 7, 3, 6);
    switch (bits_at(bits, 13, 3)) {
    case 0:
        return make(KIND_slli, rd, rd, 0, imm_6(bits) & 63);
    case 1:
        return make(KIND_fld, rd, 2, 0, load_twice);
    case 2:
        return rd ? make(KIND_lw, rd, 2, 0, load_word) : illegal(bits);
    case 3:
        return rd ? make(KIND_ld, rd, 2, 0, load_twice) : illegal(bits);
    case 4:
        return quadrant2_registers(bits, rd, rs2);
    case 5:
        return make(KIND_fsd, 0, 2, rs2, store_twice);
    case 6:
        return make(KIND_sw, 0, 2, rs2, store_word);
    default:
        return make(KIND_sd, 0, 2, rs2, store_twice);
    }
}

struct insn quire_decode(uint32_t bits) {
    if (insn_length(bits) == 4)
        return wide(bits);
    uint32_t half = bits & 0xFFFFu;
    struct insn in = (bits & 3) == 0   ? quadrant0(half)
                     : (bits & 3) == 1 ? quadrant1(half)
                                       : quadrant2(half);
    in.length = 2;
    return in;
}
