/* cpu_slow.c: what leaves the fast path: TLB misses, odd addresses, atomics, CSRs, traps, counters.
 *
 * A handler in cpu.c comes here when one comparison failed. Which of these it was is found out now:
 *
 *     misaligned, page in the TLB's front way ----------> bytes, done
 *     page in another way ------------------------------> it comes to the front, bytes, done
 *     within one page ------ quire_mmu_miss ------------> bytes, or a trap
 *     across two pages ----- both pages translated, then all bytes, or a trap and none of them
 *
 * Before the memory unit is asked, the machine's counters are told everything up to the instruction
 * before this one: a fault looks at the clock, and the clock is made of instructions.
 *
 * Invariants:
 *   I1  An access that traps has changed nothing: no byte, no register, no reservation.
 *   I2  A host pointer is used before the next call that may fault.
 *
 * What may fail: every access. Misaligned atomics end in QUIRE_BUS, as Linux answers them.
 */
#include <string.h>

#include "code.h"
#include "fp.h"

uint64_t quire_cpu_pc(const struct op *o) {
    return op_block(o)->page[0]->va | o->offset;
}

/* ---- counters and traps ---------------------------------------------------------------------- */

void quire_cpu_tell(struct run *r, uint64_t cost) {
    uint64_t now = r->count + cost, before = r->told;
    struct quire_soft_counters *counters = &r->machine->counters;
    int64_t left = (int64_t)now >> 2 * COUNT_BITS, left_before = (int64_t)before >> 2 * COUNT_BITS;
    soft_count_instructions(r->machine, (uint64_t)(left_before - left));
    counters->loads += (now >> COUNT_BITS & COUNT_MASK) - (before >> COUNT_BITS & COUNT_MASK);
    counters->stores += (now & COUNT_MASK) - (before & COUNT_MASK);
    r->told = now;
    r->machine->window.left = left;
}

/* Counts of a slice become times before it is over. */
void quire_cpu_window_turn(struct run *r, bool begins) {
    if (begins) {
        quire_window_select(r->machine, r->pmap->tlb);
        return;
    }
    quire_window_settle(r->machine);
    quire_window_trim_idle(r->machine);
}

/* The hart is ahead of others by now, which have to catch up first. What is left of the slice goes
 * from both counts, so that quire_cpu_tell sees no difference, and nothing is left behind it. */
NOINLINE enum quire_status quire_cpu_cut(struct run *r, enum quire_status status) {
    int64_t left = (int64_t)r->count >> 2 * COUNT_BITS;
    if (left > 0) {
        if (UNLIKELY(r->machine->window.on))
            quire_window_settle(r->machine);
        r->machine->window.left -= left;
        r->count -= (uint64_t)left * COUNT_STEP;
        r->told -= (uint64_t)left * COUNT_STEP;
    }
    r->budget = 0;
    return status;
}

/* The instruction of o is not done: what is before it is. */
static void stop_at(struct op *o, struct run *r) {
    r->count += o->cost;
    r->cpu->pc = quire_cpu_pc(o);
}

void quire_cpu_trap(struct op *o, struct run *r, enum quire_trap_kind kind) {
    stop_at(o, r);
    *r->trap = (struct quire_trap){.kind = kind};
    if (kind == QUIRE_TRAP_ILLEGAL) {
        /* From the copy of the page, so that every reason for this trap has its bits. */
        const struct block *block = op_block(o);
        const uint8_t *bytes = block->page[0]->bytes + o->offset;
        uint32_t low = bytes[0] | (uint32_t)bytes[1] << 8, high = 0;
        if (insn_length(low) == 4) {
            bytes = block->page[1] ? block->page[1]->bytes : bytes + 2;
            high = bytes[0] | (uint32_t)bytes[1] << 8;
        }
        r->trap->instruction = low | high << 16;
    }
}

void quire_cpu_fault(struct run *r, uint64_t pc, uint64_t va, enum quire_access access,
                     enum quire_status status) {
    r->cpu->pc = pc;
    *r->trap =
        (struct quire_trap){.kind = QUIRE_TRAP_FAULT, .va = va, .access = access, .status = status};
}

static bool refuse(struct op *o, struct run *r, uint64_t va, enum quire_access access,
                   enum quire_status status) {
    stop_at(o, r);
    quire_cpu_fault(r, r->cpu->pc, va, access, status);
    return false;
}

/* ---- loads and stores ------------------------------------------------------------------------ */

/* Where va lies, if the TLB lets this access pass. */
static uint8_t *tlb_find(struct run *r, uint64_t va, enum quire_access access) {
    struct tlb_entry *entry = tlb_slot(r->pmap->tlb, va);
    uint64_t tag = access == QUIRE_ACCESS_WRITE ? entry->write_tag : entry->read_tag;
    return tag == (va & ~QUIRE_PAGE_MASK) ? (uint8_t *)(uintptr_t)(va + entry->addend) : NULL;
}

/* Who wants to know of each access hears of this one, which is done through the TLB's entry. With a
 * window that is a stamp: a count of the slice as host code leaves it there (window.c), or, of the
 * second page of an access, the time itself. */
static NOINLINE void tell_access(const struct op *o, struct run *r, uint64_t va, bool second) {
    struct quire_machine *machine = r->machine;
    uint64_t count = r->count + o->cost, time = soft_window_time(machine, count) + second;
    if (machine->watch.accessed)
        machine->watch.accessed(machine->watch.context, soft_page_key(r->pmap, va), time);
    if (machine->window.on)
        tlb_slot(r->pmap->tlb, va)->stamp = second ? time : count;
}

/* Ask the memory unit, which may fault. */
static bool translate(struct op *o, struct run *r, uint64_t va, enum quire_access access,
                      uint8_t **host) {
    quire_cpu_tell(r, o->cost);
    if (quire_tlb_hit(r->pmap, va, access, host))
        return true;
    if (soft_watched(r->machine)) {
        r->machine->watched_pc = quire_cpu_pc(o);
        r->machine->watched_x = r->x;
    }
    enum quire_status status = quire_cpu_access(r, va, access, host);
    return LIKELY(status == QUIRE_OK) || refuse(o, r, va, access, status);
}

/* An access that goes on in the next page. A fault for that one may take the first away: then
 * again.
 */
static NOINLINE bool locate_two(struct op *o, struct run *r, uint64_t va, enum quire_access access,
                                uint8_t **first, uint8_t **second) {
    uint64_t next = (va | QUIRE_PAGE_MASK) + 1;
    for (;;) {
        uint8_t *host;
        *first = tlb_find(r, va, access);
        *second = tlb_find(r, next, access);
        if (*first && *second)
            return true;
        if (*first && UNLIKELY(r->machine->window.on)) /* before the second page, for who listens */
            tlb_slot(r->pmap->tlb, va)->stamp = r->count + o->cost;
        if (!translate(o, r, *first ? next : va, access, &host))
            return false;
    }
}

/* The host's addresses of size bytes at va: first[] of the first page, second[] of the next one
 * (NULL if they all lie in the first). */
static bool locate(struct op *o, struct run *r, uint64_t va, unsigned size,
                   enum quire_access access, uint8_t **first, uint8_t **second) {
    *second = NULL;
    if (UNLIKELY((va & QUIRE_PAGE_MASK) + size > QUIRE_PAGE_SIZE)) {
        if (!locate_two(o, r, va, access, first, second))
            return false;
    } else {
        *first = tlb_find(r, va, access);
        if (!*first && !translate(o, r, va, access, first))
            return false;
    }
    if (UNLIKELY(r->machine->every)) {
        tell_access(o, r, va, false);
        if (*second)
            tell_access(o, r, (va | QUIRE_PAGE_MASK) + 1, true);
    }
    return true;
}

bool quire_cpu_load(struct op *o, struct run *r, uint64_t va, unsigned size) {
    uint8_t *first, *second;
    if (!locate(o, r, va, size, QUIRE_ACCESS_READ, &first, &second))
        return false;
    r->loaded = 0;
    if (UNLIKELY(second)) {
        size_t head = QUIRE_PAGE_SIZE - (va & QUIRE_PAGE_MASK);
        memcpy(&r->loaded, first, head);
        memcpy((uint8_t *)&r->loaded + head, second, size - head);
        return true;
    }
    switch (size) { /* copies of known size are one load */
    case 8:
        memcpy(&r->loaded, first, 8);
        return true;
    case 4:
        memcpy(&r->loaded, first, 4);
        return true;
    case 2:
        memcpy(&r->loaded, first, 2);
        return true;
    default:
        r->loaded = *first;
        return true;
    }
}

bool quire_cpu_store(struct op *o, struct run *r, uint64_t va, unsigned size, uint64_t value) {
    uint8_t *first, *second;
    if (!locate(o, r, va, size, QUIRE_ACCESS_WRITE, &first, &second))
        return false; /* I1: no byte is stored before all pages are there */
    if (UNLIKELY(second)) {
        size_t head = QUIRE_PAGE_SIZE - (va & QUIRE_PAGE_MASK);
        memcpy(first, &value, head);
        memcpy(second, (uint8_t *)&value + head, size - head);
        return true;
    }
    switch (size) { /* copies of known size are one store */
    case 8:
        memcpy(first, &value, 8);
        return true;
    case 4:
        memcpy(first, &value, 4);
        return true;
    case 2:
        memcpy(first, &value, 2);
        return true;
    default:
        *first = (uint8_t)value;
        return true;
    }
}

void *quire_cpu_atomic(struct op *o, struct run *r, uint64_t va, unsigned size,
                       enum quire_access access) {
    uint8_t *first, *second;
    if (va % size != 0) {
        refuse(o, r, va, access, QUIRE_BUS);
        return NULL;
    }
    return locate(o, r, va, size, access, &first, &second) ? first : NULL;
}

/* ---- control and status registers ------------------------------------------------------------ */

enum csr {
    CSR_FFLAGS = 0x001,
    CSR_FRM = 0x002,
    CSR_FCSR = 0x003,
    CSR_CYCLE = 0xC00,
    CSR_TIME = 0xC01,
    CSR_INSTRET = 0xC02,
};

#define FCSR_FRM_SHIFT 5
#define FCSR_FRM_MASK  7u

/* One instruction a cycle; the time counter runs at 1 GHz. */
static bool csr_read(struct op *o, struct run *r, uint64_t csr, uint64_t *value) {
    uint32_t fcsr;
    switch (csr) {
    case CSR_FFLAGS:
    case CSR_FRM:
    case CSR_FCSR:
        fcsr = quire_cpu_fcsr_read(r);
        *value = csr == CSR_FFLAGS ? fcsr & FP_FLAGS
                 : csr == CSR_FRM  ? fcsr >> FCSR_FRM_SHIFT
                                   : fcsr;
        return true;
    case CSR_CYCLE:
    case CSR_INSTRET:
        quire_cpu_tell(r, o->cost);
        *value = r->machine->counters.instructions;
        return true;
    case CSR_TIME:
        quire_cpu_tell(r, o->cost);
        *value = soft_program_ns(r->machine);
        return true;
    default:
        return false;
    }
}

static void csr_write(struct run *r, uint64_t csr, uint64_t value) {
    uint32_t fcsr = quire_cpu_fcsr_read(r);
    if (csr == CSR_FFLAGS)
        fcsr = (fcsr & ~FP_FLAGS) | ((uint32_t)value & FP_FLAGS);
    else if (csr == CSR_FRM)
        fcsr = (fcsr & FP_FLAGS) | ((uint32_t)value & FCSR_FRM_MASK) << FCSR_FRM_SHIFT;
    else
        fcsr = (uint32_t)value & (FP_FLAGS | FCSR_FRM_MASK << FCSR_FRM_SHIFT);
    quire_cpu_fcsr_write(r, fcsr);
}

bool quire_cpu_csr(struct op *o, struct run *r, unsigned kind) {
    uint64_t csr = (uint64_t)o->imm, old;
    bool immediate = kind >= KIND_csrrwi;
    unsigned how = kind - (immediate ? KIND_csrrwi : KIND_csrrw); /* write, set, clear */
    uint64_t operand = immediate ? o->rs1 : r->x[o->rs1];
    bool writes = how == 0 || o->rs1 != 0;
    if ((writes && csr >= CSR_CYCLE) || !csr_read(o, r, csr, &old)) {
        quire_cpu_trap(o, r, QUIRE_TRAP_ILLEGAL);
        return false;
    }
    if (writes)
        csr_write(r, csr, how == 0 ? operand : how == 1 ? old | operand : old & ~operand);
    r->x[o->rd] = old;
    return true;
}
