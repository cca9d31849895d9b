/* cpu.h: a run of the processor, its operations, and how one hands over to the next.
 *
 * An operation is a decoded instruction. Its handler does the work and then calls the handler of
 * the operation behind it, in tail position: the compiler makes a jump of it, so the chain of
 * handlers is a threaded interpreter, and the three arguments live in registers from one end of it
 * to the other.
 */
#ifndef QUIRE_SOFT_CPU_H
#define QUIRE_SOFT_CPU_H

#include "decode.h"
#include "machine.h"

struct op;
struct run;

/* => tlb is pmap->tlb, always: an argument so that it stays in a register. */
typedef void op_fn(struct op *o, struct run *r, struct tlb *tlb);

/* x[SINK] takes the results that go to x0. */
#define SINK 32

struct op {
    op_fn *fn;
    /* What the block has done before this operation (packed, see below); an exit counts itself too.
     * In the slot of an unresolved exit: the address it wants to go to. */
    uint64_t cost;
    union {
        int64_t imm;
        struct op *link; /* exits: the first operation there, or the slot that resolves it */
    };
    uint8_t rd, rs1, rs2, rs3;
    uint16_t offset; /* of the instruction in its page */
    uint8_t index;   /* in the block's array: how the block is found from here */
    uint8_t length;  /* bytes */
};
_Static_assert(sizeof(struct op) == 32, "two operations a cache line");

/* Counts travel packed: instructions left in this slice in the upper 22 bits, loads and stores done
 * in the lower 21 each. One addition a block counts all three, and its sign says that the slice is
 * over. A slice is 2^20 instructions and a block at most BLOCK_MAX, so no field runs into the next:
 * an instruction is at most one load and one store. */
#define COUNT_BITS       SOFT_COUNT_BITS
#define COUNT_MASK       ((UINT64_C(1) << COUNT_BITS) - 1)
#define COUNT_STORE      UINT64_C(1)
#define COUNT_LOAD       (UINT64_C(1) << COUNT_BITS)
#define COUNT_STEP       (UINT64_C(1) << 2 * COUNT_BITS)
#define COUNT_INSN       (-COUNT_STEP) /* one fewer left */
#define SLICE_INSNS      (UINT64_C(1) << 20)

struct jump {
    uint64_t pc; /* odd: empty */
    struct op *entry;
};
#define JUMP_SLOTS 2048

static inline struct jump *jump_slot(struct jump *jumps, uint64_t pc) {
    return &jumps[(pc >> 1) % JUMP_SLOTS];
}

/* A struct quire_cpu that runs: registers are where they were, the rest is in its room for that. */
struct run {
    uint64_t x[33];
    uint64_t f[32];
    unsigned char rest[offsetof(struct quire_cpu, running) - offsetof(struct quire_cpu, pc)];
    uint64_t count;     /* packed, of this slice */
    struct jump *jumps; /* the code's cache of indirect jumps */
    bool direct[8];     /* by rm: the host's rounding mode is this one now */
    uint8_t frm;
    uint32_t fflags;    /* raised by our own code; the host's flags come on top */
    /* ---- beyond here the fast paths never look ---- */
    uint64_t loaded;                /* what quire_cpu_load brought */
    uint64_t budget;                /* instructions left after this slice */
    uint64_t told;                  /* packed: what of this slice the machine's counters know */
    struct quire_machine *machine;
    struct quire_pmap *pmap;
    struct quire_cpu *cpu;          /* pc, and the reservation; registers are here until the end */
    struct quire_trap *trap;
    bool translates; /* blocks become host code */
};

_Static_assert(offsetof(struct run, f) == offsetof(struct quire_cpu, f) &&
                   offsetof(struct run, count) == offsetof(struct quire_cpu, running) &&
                   sizeof(struct run) <= sizeof(struct quire_cpu),
               "a run fits where its registers are");

#define R1  r->x[o->rs1]
#define R2  r->x[o->rs2]
#define IMM o->imm

#define LIKELY(condition)   __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define INLINE              static inline __attribute__((always_inline))
#define NOINLINE            __attribute__((noinline))

/* clang promises the jump. gcc has no such promise before 15, but makes it at -O2, which is why the
 * build compiles these files with it whatever the build type; a call would be seen at once, as an
 * overflow of the stack in the first test. */
#if defined(__has_attribute)
#if __has_attribute(musttail)
#define TAIL __attribute__((musttail)) return
#endif
#endif
#ifndef TAIL
#define TAIL return
#endif

#define GO(next)                                 \
    do {                                         \
        struct op *next_ = (next);               \
        TAIL next_->fn(next_, r, tlb);           \
    } while (0)

/* A jal that writes no register. It is not an instruction of its own, so it has no kind in the
 * decoder; KIND_DATA marks a slot of a block that is not run. */
#define KIND_jump KIND_COUNT
#define KIND_DATA (KIND_COUNT + 1)

/* cpu.c: the handler for the first of these count kinds, which follow each other in a block, or
 * for as many of them as one handler can do. every: one that tells of each load and store. */
op_fn *quire_cpu_handler(const uint16_t *kinds, unsigned count, bool every);

/* cpu.c: handlers that the code cache puts in front of blocks: not linked yet, to be fetched again,
 * replaced by another block, not run often enough yet to be translated. */
op_fn quire_cpu_resolve, quire_cpu_stale, quire_cpu_dead, quire_cpu_warm;

/* cpu_slow.c: loads, stores and the rest that leaves the fast path. false: trapped, the run is
 * over. size: 1, 2, 4, 8. A load's value goes to r->loaded: a pointer to a local of the handler
 * would keep the compiler from jumping on. */
bool quire_cpu_load(struct op *o, struct run *r, uint64_t va, unsigned size);
bool quire_cpu_store(struct op *o, struct run *r, uint64_t va, unsigned size, uint64_t value);

/* cpu_slow.c: where an aligned atomic may work; NULL: trapped. */
void *quire_cpu_atomic(struct op *o, struct run *r, uint64_t va, unsigned size,
                       enum quire_access access);

/* cpu_slow.c: a CSR instruction. false: trapped. */
bool quire_cpu_csr(struct op *o, struct run *r, unsigned kind);

/* cpu_slow.c: stop at o, or at pc, for this reason. */
void quire_cpu_trap(struct op *o, struct run *r, enum quire_trap_kind kind);
void quire_cpu_fault(struct run *r, uint64_t pc, uint64_t va, enum quire_access access,
                     enum quire_status status);

/* cpu_slow.c: let the machine's counters and clock know all that is done, with what the current
 * block has done on top. Needed before each call that may look at them. */
void quire_cpu_tell(struct run *r, uint64_t cost);

/* cpu_slow.c: the run ends with the block that it is in. Gives status back. */
enum quire_status quire_cpu_cut(struct run *r, enum quire_status status);

/* cpu_slow.c: a slice or a run begins, or ends: the window (window.c) is told, if there is one. */
void quire_cpu_window_turn(struct run *r, bool begins);
static inline void quire_cpu_window(struct run *r, bool begins) {
    if (__builtin_expect(r->machine->window.on, 0))
        quire_cpu_window_turn(r, begins);
}

/* cpu_float.c: quire_mmu_miss, with the host's floating-point state put aside. */
enum quire_status quire_cpu_access(struct run *r, uint64_t va, enum quire_access access,
                                   uint8_t **host);

/* cpu_float.c: handlers of kinds from KIND_fadd_s on, but not loads and stores. */
op_fn *quire_cpu_float_handler(unsigned kind);
/* Begin and end the use of the host's floating point with cpu->fcsr; returns the host's old
 * state. */
uint32_t quire_cpu_float_enter(struct run *r);
void quire_cpu_float_leave(struct run *r, uint32_t host);
uint32_t quire_cpu_fcsr_read(struct run *r);
void quire_cpu_fcsr_write(struct run *r, uint32_t fcsr);

/* The address of the instruction of o. */
uint64_t quire_cpu_pc(const struct op *o);

#endif
