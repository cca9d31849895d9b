/* cpu.c: the processor's fast path: handlers, pairs of them, and the run.
 *
 *     block:  | slli |  add  |   ld   |  addi  |  bne  | ...
 *                 '---------------.        '--------.
 *             run_slli_add -> run_ld_addi -> run_bne -> first handler of the next block
 *
 * Each handler does its operation and jumps to the next (cpu.h). What limits such an interpreter is
 * not the work but the indirect jumps between the pieces: a host predicts only so many. So there
 * is a handler for each pair of the operations that programs are mostly made of, about a thousand,
 * all generated from two lists, and an operation's handler does the one behind it too where it
 * can. A slot in the middle of a pair keeps a handler of its own, so that a slow path goes on
 * there.
 *
 * Rejected: one function with a thousand labels and computed goto. Compilers need minutes for its
 * million possible jumps, and spill registers around every slow path; here a slow path is a
 * function of its own in tail position, and costs the fast one nothing.
 *
 * Blocks that run often become host code where there is a translator for the host (jit_x86.c). It
 * takes the fast path only and comes back to these handlers for all the rest, so this file stays
 * the one place that says what an instruction does, and the oracle that a translator is tested
 * against.
 *
 * Nothing is counted by the instruction: an exit adds what its block has done, in one addition
 * whose sign says that the time slice is over.
 *
 * Invariants:
 *   I1  r->x[0] is 0: the block builder sends results for it to the sink, or drops them.
 *   I2  A run stops between two instructions, with everything before pc done and nothing behind it.
 *   I3  After a slow path that may have faulted, no further instruction of a stale page runs.
 *
 * What may fail: memory accesses and fetches (the run ends with the trap). Called by os/, and
 * audited by tests/cpu: one test for each instruction, and random programs beside qemu.
 */
#include "cpu_sequences.h"
#include "fp.h"
#include "jit.h"

#include <string.h>

/* ---- what an instruction does ---------------------------------------------------------------- */

INLINE uint64_t mul_high_signed_unsigned(uint64_t a, uint64_t b) {
    uint64_t high = (uint64_t)((unsigned __int128)a * b >> 64);
    return (int64_t)a < 0 ? high - b : high;
}

/* Division by 0 gives all ones and the dividend; the overflow of the most negative number by -1
 * gives itself and 0. */
INLINE uint64_t divide_signed(uint64_t a, uint64_t b) {
    if (b == 0)
        return UINT64_MAX;
    return b == UINT64_MAX ? -a : (uint64_t)((int64_t)a / (int64_t)b);
}

INLINE uint64_t remainder_signed(uint64_t a, uint64_t b) {
    if (b == 0)
        return a;
    return b == UINT64_MAX ? 0 : (uint64_t)((int64_t)a % (int64_t)b);
}

/* Each do_ returns whether the operation behind may go on: a load or store that misses the TLB has
 * done nothing yet. */
#define DO(name) INLINE bool do_##name(struct op *o, struct run *r, struct tlb *tlb)

#define DEFINE_ALU(name, value)   \
    DO(name) {                    \
        (void)tlb;                \
        r->x[o->rd] = (value);    \
        return true;              \
    }
ALU_OPS(DEFINE_ALU)

/* The address is in a page whose translation is at hand, and aligned: tlb.h. */
#define PASSES(va, size, tag) LIKELY(((va) & ~(QUIRE_PAGE_MASK ^ ((size) - 1))) == (tag))

#define DEFINE_LOAD_TO(name, type, value, file)                          \
    DO(name) {                                                           \
        uint64_t va = R1 + (uint64_t)IMM;                                \
        struct tlb_entry *entry = tlb_slot(tlb, va);                     \
        if (!PASSES(va, sizeof(type), entry->read_tag))                  \
            return false;                                                \
        type raw = *(const type *)(uintptr_t)(va + entry->addend);       \
        r->file[o->rd] = (value);                                        \
        return true;                                                     \
    }
#define DEFINE_LOAD(name, type, value)       DEFINE_LOAD_TO(name, type, value, x)
#define DEFINE_FLOAT_LOAD(name, type, value) DEFINE_LOAD_TO(name, type, value, f)
LOAD_OPS(DEFINE_LOAD)
FLOAT_LOAD_OPS(DEFINE_FLOAT_LOAD)

#define DEFINE_STORE(name, type, file)                                   \
    DO(name) {                                                           \
        uint64_t va = R1 + (uint64_t)IMM;                                \
        struct tlb_entry *entry = tlb_slot(tlb, va);                     \
        if (!PASSES(va, sizeof(type), entry->write_tag))                 \
            return false;                                                \
        *(type *)(uintptr_t)(va + entry->addend) = (type)r->file[o->rs2]; \
        return true;                                                     \
    }
STORE_OPS(DEFINE_STORE)
FLOAT_STORE_OPS(DEFINE_STORE)

/* A branch goes on when it is not taken. */
#define DEFINE_BRANCH(name, taken)  \
    DO(name) {                      \
        (void)tlb;                  \
        return !(taken);            \
    }
BRANCH_OPS(DEFINE_BRANCH)

/* A plain jump never does: the block ends with it. */
DO(jump) {
    (void)o, (void)r, (void)tlb;
    return false;
}

/* ---- what happens when it cannot go on ------------------------------------------------------- */

#define HANDLER(name) void name(struct op *o, struct run *r, struct tlb *tlb)

/* The slice is over, and o is the first operation of what comes next, or the slot that will find
 * it. Begin another, or stop there. */
static NOINLINE HANDLER(end_slice) {
    uint64_t pc = o->fn == quire_cpu_resolve ? o->cost : op_block(o)->pc;
    uint64_t left = r->budget;
    quire_cpu_tell(r, 0);
    quire_cpu_window(r, false);
    int64_t over = -1 - ((int64_t)r->count >> 2 * COUNT_BITS); /* instructions beyond the slice */
    if ((uint64_t)over >= left) {
        r->cpu->pc = pc;
        *r->trap = (struct quire_trap){.kind = QUIRE_TRAP_BUDGET};
        return;
    }
    left -= (uint64_t)over;
    uint64_t slice = left < SLICE_INSNS ? left : SLICE_INSNS;
    r->budget = left - slice;
    r->count = r->told = (slice - 1) * COUNT_STEP;
    quire_cpu_tell(r, 0); /* for the window: stamps are of this slice now */
    GO(o);
}

/* Along the link of an exit. */
INLINE HANDLER(leave) {
    uint64_t count = r->count + o->cost;
    o = o->link;
    r->count = count;
    if (UNLIKELY((int64_t)count < 0)) {
        TAIL end_slice(o, r, tlb);
    }
    GO(o);
}

/* Go on at cpu->pc, wherever that is. => r->count is up to date; o is not used */
static NOINLINE HANDLER(go_on_at_pc) {
    quire_cpu_tell(r, 0);
    o = quire_code_find(r, r->cpu->pc);
    if (!o)
        return;
    *jump_slot(r->jumps, r->cpu->pc) = (struct jump){r->cpu->pc, o};
    if ((int64_t)r->count < 0) {
        TAIL end_slice(o, r, tlb);
    }
    GO(o);
}

/* A run begins at cpu->pc, where the one before often ended: in a system call. => the counters know
 * all; o is not used */
static HANDLER(begin) {
    const struct jump *jump = jump_slot(r->jumps, r->cpu->pc);
    o = jump->entry;
    if (UNLIKELY(jump->pc != r->cpu->pc)) {
        TAIL go_on_at_pc(o, r, tlb);
    }
    GO(o);
}

/* o is done, and did it in a slow path: its page may be stale now (I3). Its memory is there all the
 * same (code.c, I2). own: what o adds to the counts. */
#define AFTER_MISS(own)                                  \
    do {                                                 \
        if (UNLIKELY(op_block(o)->page[0]->stale)) {     \
            r->count += o->cost + (own);                 \
            r->cpu->pc = quire_cpu_pc(o) + o->length;    \
            TAIL go_on_at_pc(o, r, tlb);                 \
        }                                                \
        GO(o + 1);                                       \
    } while (0)

#define DEFINE_LOAD_MISS_TO(name, type, value, file)                      \
    static NOINLINE HANDLER(else_##name) {                                \
        if (!quire_cpu_load(o, r, R1 + (uint64_t)IMM, sizeof(type)))      \
            return;                                                       \
        type raw = (type)r->loaded;                                       \
        r->file[o->rd] = (value);                                         \
        AFTER_MISS(COUNT_INSN + COUNT_LOAD);                              \
    }
#define DEFINE_LOAD_MISS(name, type, value)       DEFINE_LOAD_MISS_TO(name, type, value, x)
#define DEFINE_FLOAT_LOAD_MISS(name, type, value) DEFINE_LOAD_MISS_TO(name, type, value, f)
LOAD_OPS(DEFINE_LOAD_MISS)
FLOAT_LOAD_OPS(DEFINE_FLOAT_LOAD_MISS)

#define DEFINE_STORE_MISS(name, type, file)                                                   \
    static NOINLINE HANDLER(else_##name) {                                                    \
        if (!quire_cpu_store(o, r, R1 + (uint64_t)IMM, sizeof(type), r->file[o->rs2]))        \
            return;                                                                           \
        AFTER_MISS(COUNT_INSN + COUNT_STORE);                                                 \
    }
STORE_OPS(DEFINE_STORE_MISS)
FLOAT_STORE_OPS(DEFINE_STORE_MISS)

/* An ALU operation always goes on. */
#define DEFINE_ALU_MISS(name, value)      \
    INLINE HANDLER(else_##name) {         \
        (void)o, (void)r, (void)tlb;      \
        __builtin_unreachable();          \
    }
ALU_OPS(DEFINE_ALU_MISS)

#define DEFINE_BRANCH_TAKEN(name, taken)  \
    INLINE HANDLER(else_##name) {         \
        TAIL leave(o, r, tlb);            \
    }
BRANCH_OPS(DEFINE_BRANCH_TAKEN)

INLINE HANDLER(else_jump) {
    TAIL leave(o, r, tlb);
}

/* ---- single handlers ------------------------------------------------------------------------- */

#define DEFINE_RUN(name, ...)                 \
    static HANDLER(run_##name) {              \
        if (!do_##name(o, r, tlb)) {          \
            TAIL else_##name(o, r, tlb);      \
        }                                     \
        GO(o + 1);                            \
    }
ALU_OPS(DEFINE_RUN)
LOAD_OPS(DEFINE_RUN)
FLOAT_LOAD_OPS(DEFINE_RUN)
STORE_OPS(DEFINE_RUN)
FLOAT_STORE_OPS(DEFINE_RUN)
BRANCH_OPS(DEFINE_RUN)
DEFINE_RUN(jump)

/* Jumps. The slot behind one that is linked holds the return address. */
static HANDLER(run_jal) {
    r->x[o->rd] = (uint64_t)o[1].imm;
    TAIL leave(o, r, tlb);
}

static HANDLER(run_jalr) {
    uint64_t pc = (R1 + (uint64_t)IMM) & ~UINT64_C(1);
    struct jump *jump = jump_slot(r->jumps, pc);
    r->x[o->rd] = (uint64_t)o[1].imm; /* after rs1 was read: they may be the same */
    uint64_t count = r->count + o->cost;
    r->count = count;
    if (UNLIKELY(jump->pc != pc)) {
        r->cpu->pc = pc;
        TAIL go_on_at_pc(o, r, tlb);
    }
    o = jump->entry;
    if (UNLIKELY((int64_t)count < 0)) {
        TAIL end_slice(o, r, tlb);
    }
    GO(o);
}

/* ---- atomics. One hart runs at a time, so an AMO is a load and a store ----------------------- */

/* Where there are several, a reservation ends when another one takes its turn (take_hart): nothing
 * that was stored in between is missed, whatever the value is afterwards. */

#define DEFINE_AMO(name, type, value)                                                     \
    static HANDLER(run_##name) {                                                          \
        type *where = quire_cpu_atomic(o, r, R1, sizeof(type), QUIRE_ACCESS_WRITE);       \
        if (!where)                                                                       \
            return;                                                                       \
        type old = *where, new = (type)R2;                                                \
        (void)new;                                                                        \
        *where = (value);                                                                 \
        r->x[o->rd] = sizeof(type) == 4 ? W(old) : (uint64_t)old;                         \
        AFTER_MISS(COUNT_INSN + COUNT_LOAD + COUNT_STORE);                                \
    }
AMO_OPS(DEFINE_AMO)

#define DEFINE_LR(name, type)                                                             \
    static HANDLER(run_##name) {                                                          \
        const type *where = quire_cpu_atomic(o, r, R1, sizeof(type), QUIRE_ACCESS_READ);  \
        if (!where)                                                                       \
            return;                                                                       \
        uint64_t value = sizeof(type) == 4 ? W(*where) : (uint64_t)*where;                \
        r->cpu->reserved = true;                                                          \
        r->cpu->reserved_va = R1;                                                         \
        r->cpu->reserved_value = value;                                                   \
        r->x[o->rd] = value;                                                              \
        AFTER_MISS(COUNT_INSN + COUNT_LOAD);                                              \
    }
DEFINE_LR(lr_w, uint32_t)
DEFINE_LR(lr_d, uint64_t)

/* Succeeds if the reservation is of this address and the value is still there. A failing one stores
 * nothing, and takes back the store that its block counts. */
#define DEFINE_SC(name, type)                                                             \
    static HANDLER(run_##name) {                                                          \
        bool stored = false;                                                              \
        if (r->cpu->reserved && r->cpu->reserved_va == R1) {                              \
            type *where = quire_cpu_atomic(o, r, R1, sizeof(type), QUIRE_ACCESS_WRITE);   \
            if (!where)                                                                   \
                return;                                                                   \
            uint64_t value = sizeof(type) == 4 ? W(*where) : (uint64_t)*where;            \
            stored = value == r->cpu->reserved_value;                                     \
            if (stored)                                                                   \
                *where = (type)R2;                                                        \
        }                                                                                 \
        r->cpu->reserved = false;                                                         \
        r->x[o->rd] = !stored;                                                            \
        r->count -= stored ? 0 : COUNT_STORE;                                             \
        AFTER_MISS(COUNT_INSN + COUNT_STORE);                                             \
    }
DEFINE_SC(sc_w, uint32_t)
DEFINE_SC(sc_d, uint64_t)

/* ---- system ---------------------------------------------------------------------------------- */

/* The block builder drops fences; this is for the table. */
static HANDLER(run_fence) {
    GO(o + 1);
}

static HANDLER(run_fence_i) {
    (void)tlb;
    r->count += o->cost + COUNT_INSN;
    r->cpu->pc = quire_cpu_pc(o) + o->length;
    quire_code_stale_all(r->pmap);
    TAIL go_on_at_pc(o, r, tlb);
}

static HANDLER(run_ecall) {
    (void)tlb;
    quire_cpu_trap(o, r, QUIRE_TRAP_ECALL);
}

static HANDLER(run_ebreak) {
    (void)tlb;
    quire_cpu_trap(o, r, QUIRE_TRAP_EBREAK);
}

static HANDLER(run_illegal) {
    (void)tlb;
    quire_cpu_trap(o, r, QUIRE_TRAP_ILLEGAL);
}

#define DEFINE_CSR(name)                          \
    static HANDLER(run_##name) {                  \
        if (!quire_cpu_csr(o, r, KIND_##name))    \
            return;                               \
        GO(o + 1);                                \
    }
DEFINE_CSR(csrrw)
DEFINE_CSR(csrrs)
DEFINE_CSR(csrrc)
DEFINE_CSR(csrrwi)
DEFINE_CSR(csrrsi)
DEFINE_CSR(csrrci)

/* ---- entries that the code cache puts in place of the real ones ------------------------------ */

/* The link of an exit, taken for the first time: o->link is the exit, o->cost the address. */
HANDLER(quire_cpu_resolve) {
    struct op *exit = o->link;
    uint64_t generation = r->pmap->code->generation;
    r->cpu->pc = o->cost;
    quire_cpu_tell(r, 0);
    o = quire_code_find(r, r->cpu->pc);
    if (!o)
        return;
    if (r->pmap->code->generation == generation)
        exit->link = o;
    GO(o);
}

/* The first operation of a block whose page is to be fetched again, or whose bytes changed. */
HANDLER(quire_cpu_stale) {
    r->cpu->pc = op_block(o)->pc;
    TAIL go_on_at_pc(o, r, tlb);
}

HANDLER(quire_cpu_dead) {
    r->cpu->pc = op_block(o)->pc;
    TAIL go_on_at_pc(o, r, tlb);
}

/* The first operation of a block that is not translated yet. */
HANDLER(quire_cpu_warm) {
    struct block *block = op_block(o);
    uint32_t after = r->machine->config.translate_after;
    if (++block->runs >= (after ? after : TRANSLATE_AFTER)) {
        op_fn *host = quire_jit_translate(r->machine, block);
        block->entry = host ? host : block->plain;
        block->ops[0].fn = block->entry;
        TAIL block->entry(o, r, tlb);
    }
    TAIL block->plain(o, r, tlb);
}

/* Not TAIL: clang promises the jump only between functions of one signature. With fewer arguments
 * than its own, all in registers, either compiler makes it one at -O2. */
void quire_cpu_exit(struct op *o, struct run *r, struct tlb *tlb, uint8_t *site) {
    o = o->link;
    if (o->fn != quire_cpu_resolve)
        quire_jit_link(site, o);
    o->fn(o, r, tlb);
}

/* ---- pairs ----------------------------------------------------------------------------------- */

/* The operations that make up nine tenths of what compilers emit, by counting the benchmarks and
 * python3: those that may be first in a pair, and those that may be second. */
#define PAIR_FIRST(X)                                                                    \
    X(addi) X(addiw) X(li) X(mv) X(add) X(sub) X(addw) X(subw) X(and) X(or) X(xor)       \
    X(andi) X(xori) X(slli) X(srli) X(srai) X(slliw) X(srliw) X(sraiw) X(field)          \
    X(shadd) X(mul) X(sltu) X(sltiu) X(lb) X(lbu) X(lhu) X(lw) X(lwu) X(ld) X(sb) X(sw)  \
    X(sd) X(fld)
#define PAIR_SECOND(X, first)                                                            \
    X(first, addi) X(first, addiw) X(first, li) X(first, mv) X(first, add) X(first, sub) \
    X(first, addw) X(first, subw) X(first, and) X(first, or) X(first, xor)               \
    X(first, andi) X(first, xori) X(first, slli) X(first, srli) X(first, srai)           \
    X(first, slliw) X(first, srliw) X(first, sraiw) X(first, field) X(first, shadd)      \
    X(first, mul) X(first, sltu) X(first, sltiu) X(first, lb) X(first, lbu)              \
    X(first, lhu) X(first, lw) X(first, lwu) X(first, ld) X(first, sb) X(first, sw)      \
    X(first, sd) X(first, fld) X(first, beq) X(first, bne) X(first, blt) X(first, bge)   \
    X(first, bltu) X(first, bgeu) X(first, jump)

/* One of several operations of a handler. */
#define STEP(name)                          \
    if (!do_##name(o, r, tlb)) {            \
        TAIL else_##name(o, r, tlb);        \
    }                                       \
    o++;

#define DEFINE_PAIR(first, second)                  \
    static HANDLER(run_##first##_##second) {        \
        STEP(first) STEP(second) GO(o);             \
    }
#define DEFINE_PAIRS(first) PAIR_SECOND(DEFINE_PAIR, first)
PAIR_FIRST(DEFINE_PAIRS)

/* Longer ones: cpu_sequences.h. */
#define DEFINE_3(a, b, c)                                          \
    static HANDLER(run_##a##_##b##_##c) {                          \
        STEP(a) STEP(b) STEP(c) GO(o);                             \
    }
#define DEFINE_4(a, b, c, d)                                       \
    static HANDLER(run_##a##_##b##_##c##_##d) {                    \
        STEP(a) STEP(b) STEP(c) STEP(d) GO(o);                     \
    }
SEQUENCES_3(DEFINE_3)
SEQUENCES_4(DEFINE_4)

/* ---- the tables ------------------------------------------------------------------------------ */

#define FIRST_VALUE(name)         FIRST_##name,
#define SECOND_VALUE(first, name) SECOND_##name,
enum pair_first { FIRST_NONE, PAIR_FIRST(FIRST_VALUE) FIRST_COUNT };
enum pair_second { SECOND_NONE, PAIR_SECOND(SECOND_VALUE, 0) SECOND_COUNT };

#define PAIR_ENTRY(first, second) [SECOND_##second] = run_##first##_##second,
#define PAIR_ROW(first)           [FIRST_##first] = {PAIR_SECOND(PAIR_ENTRY, first)},
static op_fn *const pairs[FIRST_COUNT][SECOND_COUNT] = {PAIR_FIRST(PAIR_ROW)};

#define FIRST_OF(name)            [KIND_##name] = FIRST_##name,
#define SECOND_OF(first, name)    [KIND_##name] = SECOND_##name,
static const uint8_t first_of[KIND_COUNT + 1] = {PAIR_FIRST(FIRST_OF)};
static const uint8_t second_of[KIND_COUNT + 1] = {PAIR_SECOND(SECOND_OF, 0)};

#define SINGLE(name, ...) [KIND_##name] = run_##name,
static op_fn *const singles[KIND_COUNT + 1] = {
    ALU_OPS(SINGLE) LOAD_OPS(SINGLE) FLOAT_LOAD_OPS(SINGLE) STORE_OPS(SINGLE)
    FLOAT_STORE_OPS(SINGLE) BRANCH_OPS(SINGLE) AMO_OPS(SINGLE) RESERVE_OPS(SINGLE)
    JUMP_OPS(SINGLE) SYSTEM_OPS(SINGLE) SINGLE(jump)};

/* Kinds of up to four operations in one number, the first lowest: what sequences are found by. */
#define KEY(a, b, c, d) \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
_Static_assert(KIND_DATA < 256, "a kind is a byte of a key");

#define CASE_3(a, b, c)                                  \
    case KEY(KIND_##a, KIND_##b, KIND_##c, KIND_DATA):   \
        return run_##a##_##b##_##c;
#define CASE_4(a, b, c, d)                               \
    case KEY(KIND_##a, KIND_##b, KIND_##c, KIND_##d):    \
        return run_##a##_##b##_##c##_##d;

static op_fn *find_sequence(uint32_t key) {
    switch (key) {
        SEQUENCES_4(CASE_4)
        SEQUENCES_3(CASE_3)
    default:
        return NULL;
    }
}

/* Loads and stores that always take the slow path, which tells who listens of them. */
#define SLOW(name, ...) [KIND_##name] = else_##name,
static op_fn *const slow[KIND_COUNT + 1] = {
    LOAD_OPS(SLOW) FLOAT_LOAD_OPS(SLOW) STORE_OPS(SLOW) FLOAT_STORE_OPS(SLOW)};

op_fn *quire_cpu_handler(const uint16_t *kinds, unsigned count, bool every) {
    op_fn *found = NULL;
    unsigned kind = kinds[0];
    if (UNLIKELY(every)) { /* each for itself */
        found = slow[kind];
        count = 1;
    }
    if (count >= 4)
        found = find_sequence(KEY(kinds[0], kinds[1], kinds[2], kinds[3]));
    if (!found && count >= 3)
        found = find_sequence(KEY(kinds[0], kinds[1], kinds[2], KIND_DATA));
    if (!found && count >= 2 && kinds[1] <= KIND_jump)
        found = pairs[first_of[kind]][second_of[kinds[1]]];
    if (found)
        return found;
    return kind >= KIND_fadd_s && kind < KIND_COUNT ? quire_cpu_float_handler(kind) : singles[kind];
}

/* ---- the run --------------------------------------------------------------------------------- */

/* One of several harts begins to work: by its own TLB, and without a reservation if others ran
 * since these registers did. False: the host has no memory for the TLB. */
static NOINLINE bool take_hart(struct quire_machine *machine, struct quire_pmap *pmap,
                               struct quire_cpu *cpu) {
    cpu->reserved &= machine->ran == cpu;
    machine->ran = cpu;
    return quire_tlb_select(pmap);
}

uint64_t quire_soft_run(struct quire_machine *machine, struct quire_pmap *pmap,
                        struct quire_cpu *cpu, uint64_t max_instructions,
                        struct quire_trap *trap) {
    struct run *r = (struct run *)(void *)cpu;
    uint64_t before = machine->counters.instructions;
    bool several = UNLIKELY(machine->nharts > 1);
    if (UNLIKELY((several && !take_hart(machine, pmap, cpu)) || !quire_code_of(pmap))) {
        *trap = (struct quire_trap){.kind = QUIRE_TRAP_FAULT,
                                    .va = cpu->pc,
                                    .access = QUIRE_ACCESS_EXEC,
                                    .status = QUIRE_BUS};
        return 0;
    }
    if (max_instructions == 0) {
        *trap = (struct quire_trap){.kind = QUIRE_TRAP_BUDGET};
        return 0;
    }
    r->x[0] = 0; /* I1 */
    r->machine = machine;
    r->pmap = pmap;
    r->cpu = cpu;
    r->trap = trap;
    r->jumps = pmap->code->jumps;
    r->translates =
        machine->config.translate_after != QUIRE_SOFT_INTERPRET && !machine->watch.accessed &&
        quire_jit_open(machine);
    uint64_t slice = max_instructions < SLICE_INSNS ? max_instructions : SLICE_INSNS;
    r->budget = max_instructions - slice;
    r->count = r->told = (slice - 1) * COUNT_STEP;
    machine->window.left = (int64_t)slice - 1; /* as quire_cpu_tell says it */
    quire_cpu_window(r, true);
    uint32_t host = quire_cpu_float_enter(r);
    quire_jit_run(NULL, r, pmap->tlb, begin);
    quire_cpu_float_leave(r, host);
    quire_cpu_tell(r, 0); /* what the last block did before it stopped */
    quire_cpu_window(r, false);
    return machine->counters.instructions - before;
}
