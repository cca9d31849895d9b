/* jit_x86.c: blocks that run often become x86-64 code.
 *
 *     entry ->  first .. load .. add .. fadd .. branch .. jump      in the arena, straight on
 *                        | miss         | odd    | taken    |
 *                        v              v        v          v
 *               handlers of cpu.c, cpu_float.c  other blocks' code, by direct jumps
 *                        |
 *                        '--> o[1].fn: back into the middle
 *
 * Host code is an op_fn like every handler: it takes the same arguments in the same registers and
 * hands over in tail position. So the two mix operation by operation. Whatever is not worth
 * translating, and everything that goes wrong (a TLB miss, a division by 0, a NaN, the end of the
 * slice), is left to the operation's own handler, from the start: host code changes nothing before
 * it is sure. The handler then goes on with the fn of the operation behind, which is host code
 * again. That is why both engines count, trap and stop alike: there is one truth, in the handlers.
 *
 * Why at all: an interpreter's indirect jump costs up to forty cycles on hosts that don't predict
 * it, and here the jumps from block to block are direct. Rejected: compiling to a better code with
 * registers kept over blocks. It is faster still, and needs a place to write registers back for
 * every fault.
 *
 * Registers: the guest's live in the run, and are always up to date there. A block keeps copies of
 * those it has used in the host's registers of `pool`, so that it stores each result but rarely
 * loads one. rsi is the run and rdx the TLB as in every handler; rax, rcx and rdi are scratch.
 *
 * Staleness: a block's code begins with a test of its byte in the arena, which says that its first
 * handler was swapped (code.c, I1); jumps that came here through that handler pass the test by.
 *
 * Invariants:
 *   I1  r->x and r->f are what the handlers want at each jump out of host code.
 *   I2  A jump from block to block goes to the test of the byte, never behind it.
 *   I3  Host code lives until the next reset, which happens only in quire_code_find.
 *
 * What may fail: the arena is full; then blocks stay interpreted. Called by cpu.c and code.c;
 * audited by tests/cpu, which run everything with both engines.
 */
#include "fp.h"
#include "jit_arena.h"
#include "jit_emit.h"

/* No operation takes more than this, its parts at the block's end included. */
#define OP_BYTES    320
#define BLOCK_ROOM  (BLOCK_SLOTS * OP_BYTES)
#define LATERS      (4 * BLOCK_SLOTS)
#define HOST_REGS   16

/* What is emitted behind the block: paths that are rarely taken. */
enum later_what { LATER_SLOW, LATER_EXIT, LATER_RESUME };
struct later {
    enum later_what what;
    unsigned index; /* of the operation */
    uint8_t *site;  /* SLOW, EXIT: the jump that comes here; RESUME: where to go on */
    int8_t guest[HOST_REGS];
};

struct translation {
    struct emit e;
    struct block *block;
    const struct op *o;
    unsigned index;
    bool stamps;              /* accesses leave their count: window.c */
    bool resumes;             /* a handler may go on behind this operation */
    int8_t guest[HOST_REGS];  /* whose copy it is, or -1 */
    uint32_t used[HOST_REGS]; /* when: the oldest goes */
    uint32_t now;
    unsigned nlaters;
    struct later laters[LATERS];
};

/* The first four are lost in handlers and the rest is not, but all are loaded again behind one. */
static const uint8_t pool[] = {R8, R9, R10, R11, RBX, R12, R13, R14, R15};
#define POOL (sizeof(pool) / sizeof(pool[0]))

#define X_AT(reg)    ((int32_t)(offsetof(struct run, x) + 8 * (size_t)(reg)))
#define F_AT(reg)    ((int32_t)(offsetof(struct run, f) + 8 * (size_t)(reg)))
#define COUNT_AT     ((int32_t)offsetof(struct run, count))
#define OP_ADD_FROM  0x03u /* reg += [place] */
#define OP_CMP_PLACE 0x39u /* [place] - reg */

/* ---- copies of registers --------------------------------------------------------------------- */

static void forget_copies(struct translation *t) {
    for (unsigned i = 0; i < HOST_REGS; i++) {
        t->guest[i] = -1;
        t->used[i] = 0;
    }
}

/* A host register for a result; not one of the last few used. */
static unsigned fresh(struct translation *t) {
    unsigned oldest = pool[0];
    for (unsigned i = 1; i < POOL; i++)
        if (t->used[pool[i]] < t->used[oldest])
            oldest = pool[i];
    t->guest[oldest] = -1;
    t->used[oldest] = ++t->now;
    return oldest;
}

static unsigned get(struct translation *t, unsigned reg) {
    for (unsigned i = 0; i < POOL; i++) {
        if (t->guest[pool[i]] == (int8_t)reg) {
            t->used[pool[i]] = ++t->now;
            return pool[i];
        }
    }
    unsigned host = fresh(t);
    t->guest[host] = (int8_t)reg;
    emit_rm(&t->e, true, OP_LOAD, host, RSI, X_AT(reg));
    return host;
}

/* The result is in host, from fresh(). */
static void put(struct translation *t, unsigned reg, unsigned host) {
    for (unsigned i = 0; i < HOST_REGS; i++) {
        if (t->guest[i] == (int8_t)reg) {
            t->guest[i] = -1;
            t->used[i] = 0;
        }
    }
    t->guest[host] = (int8_t)reg;
    emit_rm(&t->e, true, OP_STORE, host, RSI, X_AT(reg));
}

/* ---- ways out -------------------------------------------------------------------------------- */

static void later(struct translation *t, enum later_what what, uint8_t *site) {
    struct later *entry = &t->laters[t->nlaters++];
    *entry = (struct later){.what = what, .index = t->index, .site = site};
    memcpy(entry->guest, t->guest, sizeof(entry->guest));
}

/* Leave the operation to its handler if so. */
static void slow_if(struct translation *t, enum host_cond cond) {
    later(t, LATER_SLOW, emit_jump_if(&t->e, cond));
}

static void to_handler(struct translation *t, unsigned index) {
    uint16_t kind = t->block->kinds[index];
    emit_constant(&t->e, RDI, (uintptr_t)&t->block->ops[index]);
    emit_jump_to(&t->e, (uintptr_t)quire_cpu_handler(&kind, 1, t->stamps));
}

/* The operation is its handler's alone. */
static void call_handler(struct translation *t) {
    to_handler(t, t->index);
    forget_copies(t);
    t->resumes = true;
}

/* What the block has done, counted, unless the slice is over. */
static void count(struct translation *t) {
    emit_constant(&t->e, RAX, t->o->cost);
    emit_rm(&t->e, true, OP_ADD_FROM, RAX, RSI, COUNT_AT);
    slow_if(t, IF_S);
    emit_rm(&t->e, true, OP_STORE, RAX, RSI, COUNT_AT);
}

static void leave(struct translation *t) {
    count(t);
    later(t, LATER_EXIT, emit_jump(&t->e));
}

/* ---- integers -------------------------------------------------------------------------------- */

static void finish_alu(struct translation *t, bool wide, unsigned host) {
    if (!wide)
        emit_sign_extend(&t->e, host, host);
    put(t, t->o->rd, host);
}

static void two(struct translation *t, bool wide, enum host_op op) {
    unsigned a = get(t, t->o->rs1), b = get(t, t->o->rs2), d = fresh(t);
    emit_move(&t->e, d, a);
    emit_rr(&t->e, wide, op, b, d);
    finish_alu(t, wide, d);
}

static void immediate(struct translation *t, enum host_imm op) {
    unsigned a = get(t, t->o->rs1), d = fresh(t);
    emit_move(&t->e, d, a);
    emit_ri(&t->e, true, op, d, (int32_t)t->o->imm);
    put(t, t->o->rd, d);
}

static void add_immediate(struct translation *t, bool wide) {
    unsigned a = get(t, t->o->rs1), d = fresh(t);
    emit_lea(&t->e, d, a, (int32_t)t->o->imm);
    finish_alu(t, wide, d);
}

static void shift_immediate(struct translation *t, bool wide, enum host_shift op) {
    unsigned a = get(t, t->o->rs1), d = fresh(t);
    emit_move(&t->e, d, a);
    emit_shift(&t->e, wide, op, d, (unsigned)t->o->imm & (wide ? 63 : 31));
    finish_alu(t, wide, d);
}

static void shift(struct translation *t, bool wide, enum host_shift op) {
    unsigned a = get(t, t->o->rs1), b = get(t, t->o->rs2), d = fresh(t);
    emit_move(&t->e, RCX, b);
    emit_move(&t->e, d, a);
    emit_shift_cl(&t->e, wide, op, d);
    finish_alu(t, wide, d);
}

/* A shift by imm, another one back if there is one, and rs2 on top. */
static void shift_add(struct translation *t, bool back, bool add) {
    unsigned a = get(t, t->o->rs1), b = add ? get(t, t->o->rs2) : 0, d = fresh(t);
    emit_move(&t->e, d, a);
    emit_shift(&t->e, true, SHIFT_LEFT, d, (unsigned)t->o->imm & 63);
    if (back)
        emit_shift(&t->e, true, SHIFT_RIGHT, d, (unsigned)(t->o->imm >> 8));
    if (add)
        emit_rr(&t->e, true, OP_ADD, b, d);
    put(t, t->o->rd, d);
}

static void compare(struct translation *t, enum host_cond cond) {
    unsigned a = get(t, t->o->rs1), b = get(t, t->o->rs2), d = fresh(t);
    emit_rr(&t->e, true, OP_CMP, b, a);
    emit_set(&t->e, cond, d);
    put(t, t->o->rd, d);
}

static void compare_immediate(struct translation *t, enum host_cond cond) {
    unsigned a = get(t, t->o->rs1), d = fresh(t);
    emit_ri(&t->e, true, IMM_CMP, a, (int32_t)t->o->imm);
    emit_set(&t->e, cond, d);
    put(t, t->o->rd, d);
}

static void constant(struct translation *t) {
    unsigned d = fresh(t);
    emit_constant(&t->e, d, (uint64_t)t->o->imm);
    put(t, t->o->rd, d);
}

static void copy(struct translation *t) {
    unsigned a = get(t, t->o->rs1), d = fresh(t);
    emit_move(&t->e, d, a);
    put(t, t->o->rd, d);
}

static void multiply(struct translation *t, bool wide) {
    unsigned a = get(t, t->o->rs1), b = get(t, t->o->rs2), d = fresh(t);
    emit_move(&t->e, d, a);
    emit_0f(&t->e, wide, 0xAF, d, b);
    finish_alu(t, wide, d);
}

/* The upper half, in rdx; op of group F7: 4 unsigned, 5 signed. */
static void multiply_high(struct translation *t, unsigned op) {
    unsigned a = get(t, t->o->rs1), b = get(t, t->o->rs2), d = fresh(t);
    emit_move(&t->e, RDI, RDX);
    emit_move(&t->e, RAX, a);
    emit_f7(&t->e, true, op, b);
    emit_move(&t->e, d, RDX);
    emit_move(&t->e, RDX, RDI);
    put(t, t->o->rd, d);
}

/* Division by 0, and signed by -1, which may overflow, are the handler's. */
static void divide(struct translation *t, bool wide, bool is_signed, bool remainder) {
    unsigned a = get(t, t->o->rs1), b = get(t, t->o->rs2), d = fresh(t);
    emit_rr(&t->e, wide, OP_TEST, b, b);
    slow_if(t, IF_E);
    if (is_signed) {
        emit_ri(&t->e, wide, IMM_CMP, b, -1);
        slow_if(t, IF_E);
    }
    emit_move(&t->e, RDI, RDX);
    emit_move(&t->e, RAX, a);
    if (is_signed) {
        put_rex(&t->e, wide, 0, 0);
        put8(&t->e, 0x99); /* rax's sign to rdx */
    } else {
        emit_rr(&t->e, false, OP_XOR, RDX, RDX);
    }
    emit_f7(&t->e, wide, is_signed ? 7 : 6, b);
    emit_move(&t->e, d, remainder ? RDX : RAX);
    emit_move(&t->e, RDX, RDI);
    finish_alu(t, wide, d);
    t->resumes = true;
}

static bool shift_op(struct translation *t, unsigned kind) {
    switch (kind) {
    case KIND_slli: shift_immediate(t, true, SHIFT_LEFT); return true;
    case KIND_srli: shift_immediate(t, true, SHIFT_RIGHT); return true;
    case KIND_srai: shift_immediate(t, true, SHIFT_SIGNED); return true;
    case KIND_slliw: shift_immediate(t, false, SHIFT_LEFT); return true;
    case KIND_srliw: shift_immediate(t, false, SHIFT_RIGHT); return true;
    case KIND_sraiw: shift_immediate(t, false, SHIFT_SIGNED); return true;
    case KIND_sll: shift(t, true, SHIFT_LEFT); return true;
    case KIND_srl: shift(t, true, SHIFT_RIGHT); return true;
    case KIND_sra: shift(t, true, SHIFT_SIGNED); return true;
    case KIND_sllw: shift(t, false, SHIFT_LEFT); return true;
    case KIND_srlw: shift(t, false, SHIFT_RIGHT); return true;
    case KIND_sraw: shift(t, false, SHIFT_SIGNED); return true;
    case KIND_field: shift_add(t, true, false); return true;
    case KIND_fieldadd: shift_add(t, true, true); return true;
    case KIND_shadd: shift_add(t, false, true); return true;
    default: return false;
    }
}

static bool product_op(struct translation *t, unsigned kind) {
    switch (kind) {
    case KIND_mul: multiply(t, true); return true;
    case KIND_mulw: multiply(t, false); return true;
    case KIND_mulh: multiply_high(t, 5); return true;
    case KIND_mulhu: multiply_high(t, 4); return true;
    case KIND_div: divide(t, true, true, false); return true;
    case KIND_divu: divide(t, true, false, false); return true;
    case KIND_rem: divide(t, true, true, true); return true;
    case KIND_remu: divide(t, true, false, true); return true;
    case KIND_divw: divide(t, false, true, false); return true;
    case KIND_divuw: divide(t, false, false, false); return true;
    case KIND_remw: divide(t, false, true, true); return true;
    case KIND_remuw: divide(t, false, false, true); return true;
    default: return false;
    }
}

static bool alu_op(struct translation *t, unsigned kind) {
    switch (kind) {
    case KIND_addi: add_immediate(t, true); return true;
    case KIND_addiw: add_immediate(t, false); return true;
    case KIND_xori: immediate(t, IMM_XOR); return true;
    case KIND_ori: immediate(t, IMM_OR); return true;
    case KIND_andi: immediate(t, IMM_AND); return true;
    case KIND_slti: compare_immediate(t, IF_L); return true;
    case KIND_sltiu: compare_immediate(t, IF_B); return true;
    case KIND_slt: compare(t, IF_L); return true;
    case KIND_sltu: compare(t, IF_B); return true;
    case KIND_add: two(t, true, OP_ADD); return true;
    case KIND_sub: two(t, true, OP_SUB); return true;
    case KIND_addw: two(t, false, OP_ADD); return true;
    case KIND_subw: two(t, false, OP_SUB); return true;
    case KIND_xor: two(t, true, OP_XOR); return true;
    case KIND_or: two(t, true, OP_OR); return true;
    case KIND_and: two(t, true, OP_AND); return true;
    case KIND_li: constant(t); return true;
    case KIND_mv: copy(t); return true;
    default: return shift_op(t, kind) || product_op(t, kind);
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

_Static_assert(sizeof(struct tlb_entry) == 32 && TLB_SETS == 256, "the shift and mask below");
_Static_assert(offsetof(struct tlb, entries) == 0, "the TLB's address is that of its entries");
#define ENTRY_SHIFT (QUIRE_PAGE_SHIFT - 5)
#define ENTRY_MASK  ((TLB_SETS - 1) << 5)

/* op reg, [rdx + rcx + offset]: a field of the TLB's entry. */
static void tlb_field(struct translation *t, unsigned op, unsigned reg, size_t offset) {
    put_rex(&t->e, true, reg, RDX);
    put8(&t->e, op);
    put8(&t->e, 0x44u | (reg & 7) << 3);
    put8(&t->e, RCX << 3 | RDX);
    put8(&t->e, (unsigned)offset);
}

/* The count before o, which is a time of the slice, into the TLB's entry. */
static void stamp(struct translation *t) {
    emit_constant(&t->e, RDI, t->o->cost);
    emit_rm(&t->e, true, OP_ADD_FROM, RDI, RSI, COUNT_AT);
    tlb_field(t, OP_STORE, RDI, offsetof(struct tlb_entry, stamp));
}

/* rax: the host's address of what o wants, if the TLB lets it pass. The set is that of the first
 * byte and the page that of the last: where they lie in two pages, no tag of the set is that page.
 * So odd addresses pass as well, which this host's loads and stores take. */
static void address(struct translation *t, unsigned size, size_t tag) {
    unsigned base = get(t, t->o->rs1);
    emit_lea(&t->e, RAX, base, (int32_t)t->o->imm);
    emit_rr(&t->e, false, OP_STORE, RAX, RCX);
    emit_shift(&t->e, false, SHIFT_RIGHT, RCX, ENTRY_SHIFT);
    emit_ri(&t->e, false, IMM_AND, RCX, ENTRY_MASK);
    emit_lea(&t->e, RDI, RAX, (int32_t)size - 1);
    emit_ri(&t->e, true, IMM_AND, RDI, ~(int32_t)QUIRE_PAGE_MASK);
    tlb_field(t, OP_CMP, RDI, tag);
    slow_if(t, IF_NE);
    if (t->stamps)
        stamp(t);
    tlb_field(t, OP_ADD_FROM, RAX, offsetof(struct tlb_entry, addend));
    t->resumes = true;
}

/* reg = [rax], by this opcode, behind 0F if so. */
static void load(struct translation *t, unsigned size, bool wide, bool escape, unsigned op) {
    address(t, size, offsetof(struct tlb_entry, read_tag));
    unsigned d = fresh(t);
    put_rex(&t->e, wide, d, RAX);
    if (escape)
        put8(&t->e, 0x0F);
    put8(&t->e, op);
    put8(&t->e, (d & 7) << 3);
    put(t, t->o->rd, d);
}

static void store_reg(struct translation *t, unsigned size, unsigned reg) {
    if (size == 2)
        put8(&t->e, 0x66);
    put_rex(&t->e, size == 8, reg, RAX);
    put8(&t->e, size == 1 ? 0x88 : OP_STORE);
    put8(&t->e, (reg & 7) << 3);
}

static void store(struct translation *t, unsigned size) {
    unsigned value = get(t, t->o->rs2);
    address(t, size, offsetof(struct tlb_entry, write_tag));
    store_reg(t, size, value);
}

static void float_load(struct translation *t, unsigned size) {
    address(t, size, offsetof(struct tlb_entry, read_tag));
    put_rex(&t->e, size == 8, RCX, RAX);
    put8(&t->e, OP_LOAD);
    put8(&t->e, RCX << 3);
    if (size == 4) {
        emit_constant(&t->e, RDI, FP_BOX);
        emit_rr(&t->e, true, OP_OR, RDI, RCX);
    }
    emit_rm(&t->e, true, OP_STORE, RCX, RSI, F_AT(t->o->rd));
}

static void float_store(struct translation *t, unsigned size) {
    address(t, size, offsetof(struct tlb_entry, write_tag));
    emit_rm(&t->e, true, OP_LOAD, RCX, RSI, F_AT(t->o->rs2));
    store_reg(t, size, RCX);
}

static bool memory_op(struct translation *t, unsigned kind) {
    switch (kind) {
    case KIND_lb: load(t, 1, true, true, 0xBE); return true;
    case KIND_lh: load(t, 2, true, true, 0xBF); return true;
    case KIND_lw: load(t, 4, true, false, 0x63); return true;
    case KIND_ld: load(t, 8, true, false, OP_LOAD); return true;
    case KIND_lbu: load(t, 1, false, true, 0xB6); return true;
    case KIND_lhu: load(t, 2, false, true, 0xB7); return true;
    case KIND_lwu: load(t, 4, false, false, OP_LOAD); return true;
    case KIND_sb: store(t, 1); return true;
    case KIND_sh: store(t, 2); return true;
    case KIND_sw: store(t, 4); return true;
    case KIND_sd: store(t, 8); return true;
    case KIND_flw: float_load(t, 4); return true;
    case KIND_fld: float_load(t, 8); return true;
    case KIND_fsw: float_store(t, 4); return true;
    case KIND_fsd: float_store(t, 8); return true;
    default: return false;
    }
}

/* ---- doubles --------------------------------------------------------------------------------- */

#define SSE_DOUBLE  0xF2u
#define SSE_COMPARE 0x66u
#define SSE_LOAD    0x10u
#define SSE_STORE   0x11u

/* The host's rounding mode must be o's, and the result no NaN: RISC-V has only one of those. */
static void arithmetic(struct translation *t, unsigned op, unsigned second) {
    emit_rm(&t->e, false, 0x80, IMM_CMP, RSI,
            (int32_t)(offsetof(struct run, direct) + (size_t)t->o->imm));
    put8(&t->e, 0);
    slow_if(t, IF_E);
    emit_sse(&t->e, SSE_DOUBLE, SSE_LOAD, F_AT(t->o->rs1));
    emit_sse(&t->e, SSE_DOUBLE, op, F_AT(second));
    put8(&t->e, SSE_COMPARE); /* ucomisd xmm0, xmm0: parity says NaN */
    put8(&t->e, 0x0F);
    put8(&t->e, 0x2E);
    put_pair(&t->e, 0, 0);
    slow_if(t, IF_P);
    emit_sse(&t->e, SSE_DOUBLE, SSE_STORE, F_AT(t->o->rd));
    t->resumes = true;
}

/* first against second; op: 2E quiet, 2F finds every NaN invalid. A NaN is the handler's. */
static void float_compare(struct translation *t, unsigned op, unsigned first, unsigned second,
                          enum host_cond cond) {
    unsigned d = fresh(t);
    emit_sse(&t->e, SSE_DOUBLE, SSE_LOAD, F_AT(first));
    emit_sse(&t->e, SSE_COMPARE, op, F_AT(second));
    slow_if(t, IF_P);
    emit_set(&t->e, cond, d);
    put(t, t->o->rd, d);
    t->resumes = true;
}

static bool float_op(struct translation *t, unsigned kind) {
    const struct op *o = t->o;
    unsigned host;
    switch (kind) {
    case KIND_fadd_d: arithmetic(t, 0x58, o->rs2); return true;
    case KIND_fmul_d: arithmetic(t, 0x59, o->rs2); return true;
    case KIND_fsub_d: arithmetic(t, 0x5C, o->rs2); return true;
    case KIND_fdiv_d: arithmetic(t, 0x5E, o->rs2); return true;
    case KIND_fsqrt_d: arithmetic(t, 0x51, o->rs1); return true;
    case KIND_feq_d: float_compare(t, 0x2E, o->rs1, o->rs2, IF_E); return true;
    case KIND_flt_d: float_compare(t, 0x2F, o->rs2, o->rs1, IF_A); return true;
    case KIND_fle_d: float_compare(t, 0x2F, o->rs2, o->rs1, IF_AE); return true;
    case KIND_fmv_x_d:
        host = fresh(t);
        emit_rm(&t->e, true, OP_LOAD, host, RSI, F_AT(o->rs1));
        put(t, o->rd, host);
        return true;
    case KIND_fmv_d_x:
        emit_rm(&t->e, true, OP_STORE, get(t, o->rs1), RSI, F_AT(o->rd));
        return true;
    case KIND_fsgnj_d:
        if (o->rs1 != o->rs2)
            return false;
        emit_rm(&t->e, true, OP_LOAD, RCX, RSI, F_AT(o->rs1));
        emit_rm(&t->e, true, OP_STORE, RCX, RSI, F_AT(o->rd));
        return true;
    default:
        return false;
    }
}

/* ---- control --------------------------------------------------------------------------------- */

/* not_taken: go on behind it. */
static void branch(struct translation *t, enum host_cond not_taken) {
    unsigned a = get(t, t->o->rs1), b = get(t, t->o->rs2);
    emit_rr(&t->e, true, OP_CMP, b, a);
    uint8_t *site = emit_jump_if(&t->e, not_taken);
    leave(t);
    set_distance(site, t->e.at);
}

static void jal(struct translation *t) {
    emit_constant(&t->e, RAX, (uint64_t)t->o[1].imm);
    emit_rm(&t->e, true, OP_STORE, RAX, RSI, X_AT(t->o->rd));
    leave(t);
}

_Static_assert(sizeof(struct jump) == 16, "the shift below");
#define JUMP_MASK ((JUMP_SLOTS - 1) << 4)

/* Where the space's cache of jumps says; a miss is the handler's. */
static void jalr(struct translation *t) {
    emit_lea(&t->e, RAX, get(t, t->o->rs1), (int32_t)t->o->imm);
    emit_ri(&t->e, true, IMM_AND, RAX, -2);
    emit_rr(&t->e, false, OP_STORE, RAX, RDI);
    emit_shift(&t->e, false, SHIFT_LEFT, RDI, 3);
    emit_ri(&t->e, false, IMM_AND, RDI, JUMP_MASK);
    emit_rm(&t->e, true, OP_ADD_FROM, RDI, RSI, (int32_t)offsetof(struct run, jumps));
    emit_rm(&t->e, true, OP_CMP_PLACE, RAX, RDI, (int32_t)offsetof(struct jump, pc));
    slow_if(t, IF_NE);
    count(t);
    emit_constant(&t->e, RAX, (uint64_t)t->o[1].imm);
    emit_rm(&t->e, true, OP_STORE, RAX, RSI, X_AT(t->o->rd));
    emit_rm(&t->e, true, OP_LOAD, RDI, RDI, (int32_t)offsetof(struct jump, entry));
    emit_jump_handler(&t->e);
}

/* false: the block ends here. */
static bool control_op(struct translation *t, unsigned kind) {
    switch (kind) {
    case KIND_beq: branch(t, IF_NE); return true;
    case KIND_bne: branch(t, IF_E); return true;
    case KIND_blt: branch(t, IF_GE); return true;
    case KIND_bge: branch(t, IF_L); return true;
    case KIND_bltu: branch(t, IF_AE); return true;
    case KIND_bgeu: branch(t, IF_B); return true;
    case KIND_jump: leave(t); return false;
    case KIND_jal: jal(t); return false;
    case KIND_jalr: jalr(t); return false;
    case KIND_ecall:
    case KIND_ebreak:
    case KIND_illegal:
    case KIND_fence_i: to_handler(t, t->index); return false;
    default: call_handler(t); return true;
    }
}

/* ---- a block --------------------------------------------------------------------------------- */

static void translate_ops(struct translation *t) {
    bool goes_on = true;
    for (unsigned i = 0; goes_on; i++) {
        unsigned kind = t->block->kinds[i];
        t->index = i;
        t->o = &t->block->ops[i];
        if (t->resumes)
            later(t, LATER_RESUME, t->e.at);
        t->resumes = false;
        if (!alu_op(t, kind) && !memory_op(t, kind) && !float_op(t, kind))
            goes_on = control_op(t, kind);
    }
}

/* Back from a handler: the copies that the code behind counts on. */
static void resume(struct translation *t, const struct later *entry) {
    uint8_t *start = t->e.at;
    for (unsigned i = 0; i < HOST_REGS; i++)
        if (entry->guest[i] >= 0)
            emit_rm(&t->e, true, OP_LOAD, i, RSI, X_AT(entry->guest[i]));
    set_distance(emit_jump(&t->e), entry->site);
    t->block->ops[entry->index].fn = (op_fn *)(uintptr_t)start;
}

static void translate_laters(struct translation *t) {
    for (unsigned i = 0; i < t->nlaters; i++) {
        const struct later *entry = &t->laters[i];
        if (entry->what == LATER_RESUME) {
            resume(t, entry);
            continue;
        }
        set_distance(entry->site, t->e.at);
        if (entry->what == LATER_SLOW) {
            to_handler(t, entry->index);
            continue;
        }
        emit_constant(&t->e, RDI, (uintptr_t)&t->block->ops[entry->index]);
        emit_constant(&t->e, RCX, (uintptr_t)entry->site);
        emit_jump_to(&t->e, (uintptr_t)quire_cpu_exit);
    }
}

/* cmp byte [flag], 0; not 0: to whatever the first handler is now. */
static void test_flag(struct translation *t, const uint8_t *flag) {
    put8(&t->e, 0x80);
    put8(&t->e, 0x3D);
    put32(&t->e, (uint32_t)(flag - (t->e.at + 5)));
    put8(&t->e, 0);
    uint8_t *site = emit_jump_if(&t->e, IF_E);
    emit_constant(&t->e, RDI, (uintptr_t)t->block->ops);
    emit_jump_handler(&t->e);
    set_distance(site, t->e.at);
}

op_fn *quire_jit_translate(struct quire_machine *machine, struct block *block) {
    struct quire_jit *jit = machine->jit;
    if (jit->used + BLOCK_ROOM > ARENA_BYTES || jit->flags == FLAG_BYTES) {
        jit->full = true;
        return NULL;
    }
    struct translation t; /* 25 KiB: only what is used is written */
    t.e.at = jit->arena + jit->used;
    t.block = block;
    t.stamps = machine->window.on;
    t.resumes = false;
    t.now = 0;
    t.nlaters = 0;
    forget_copies(&t);
    block->flag = jit->arena + jit->flags++;
    *block->flag = 0;
    block->host = t.e.at;
    test_flag(&t, block->flag);
    uint8_t *entry = t.e.at;
    translate_ops(&t);
    translate_laters(&t);
    jit->used = ((uint64_t)(t.e.at - jit->arena) + 15) & ~UINT64_C(15);
    return (op_fn *)(uintptr_t)entry;
}

void quire_jit_link(uint8_t *site, const struct op *target) {
    const struct block *block = op_block(target);
    if (block->host)
        set_distance(site, block->host); /* I2 */
}

/* ---- in and out ------------------------------------------------------------------------------ */

/* Handlers give rbx and the others back as they found them, as any function does, so that host code
 * may leave its copies there; our caller wants its own. The compiler saves them here. */
__attribute__((noinline)) void quire_jit_run(struct op *o, struct run *r, struct tlb *tlb,
                                             op_fn *first) {
    first(o, r, tlb);
    __asm__ volatile("" ::: "rbx", "r12", "r13", "r14", "r15", "memory");
}
