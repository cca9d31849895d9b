/* segment.c: selectors, descriptors, limits, privilege: what stands before paging on x86.
 *
 *     selector --index--> GDT or LDT in simulated memory --8 bytes--> checks --> register's cache
 *                                                                                   |
 *     register : offset ----------> type? limit? ----------> base + offset = linear <'
 *                                      |                            |
 *                                   #GP #SS                  paging unit (mmu.c), or physical
 *
 * The checks happen at two times, as in hardware: privilege, kind and presence when a register is
 * loaded; type and limit at each access, from the register alone. That is why segmentation cost no
 * access of memory, and why it needed six registers.
 *
 * Order of the checks on loading, from the operation of MOV, JMP far, LLDT and IRET in volume 2 of
 * the manual: null, index, kind and privilege, presence. Left out: gates and tasks in memory (enter
 * takes what an interrupt gate and the task's ss0 would say), 16-bit offsets, 64-bit mode, virtual
 * 8086 mode.
 *
 * Invariants:
 *   I1  a usable register holds a present segment that its privilege could load
 *   I2  cs, once loaded, is code, and its selector's RPL is cpl
 *   I3  linear addresses wrap at 4 GiB, as there
 *
 * What may fail: every call, with the exception that an x86 would raise.
 */
#include "segment.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "machine.h"

const char *const quire_segment_names[QUIRE_NSEGMENTS] = {"cs", "ss", "ds", "es", "fs", "gs"};

#define DESCRIPTOR_BYTES 8u
#define GDT_BYTES_MAX    65536u

/* ---- descriptors ----------------------------------------------------------------------------- */

/* Figure 3-8 of volume 3A: limit 15:0, base 23:0, type, S, DPL, P, limit 19:16, AVL, L, D/B, G,
 * base 31:24. */
uint64_t quire_descriptor_pack(const struct quire_descriptor *d) {
    uint64_t low = (d->limit & 0xFFFF) | (uint64_t)(d->base & 0xFFFFFF) << 16;
    uint64_t kind = (d->type & 15) | (d->system ? 0u : 1u) << 4 | (d->dpl & 3) << 5 |
                    (d->present ? 1u : 0u) << 7;
    uint64_t high = (d->limit >> 16 & 15) | (d->big ? 1u : 0u) << 6 | (d->granular ? 1u : 0u) << 7;
    return low | kind << 40 | high << 48 | (uint64_t)(d->base >> 24) << 56;
}

struct quire_descriptor quire_descriptor_unpack(uint64_t bytes) {
    return (struct quire_descriptor){
        .base = (uint32_t)(bytes >> 16 & 0xFFFFFF) | (uint32_t)(bytes >> 56) << 24,
        .limit = (uint32_t)(bytes & 0xFFFF) | (uint32_t)(bytes >> 48 & 15) << 16,
        .type = (unsigned)(bytes >> 40 & 15),
        .system = !(bytes >> 44 & 1),
        .dpl = (unsigned)(bytes >> 45 & 3),
        .present = bytes >> 47 & 1,
        .big = bytes >> 54 & 1,
        .granular = bytes >> 55 & 1,
    };
}

uint32_t quire_descriptor_last(const struct quire_descriptor *d) {
    return d->granular ? d->limit << QUIRE_PAGE_SHIFT | (uint32_t)QUIRE_PAGE_MASK : d->limit;
}

static bool is_code(const struct quire_descriptor *d) {
    return !d->system && (d->type & QUIRE_SEGMENT_CODE);
}

static bool is_writable_data(const struct quire_descriptor *d) {
    return !d->system && !is_code(d) && (d->type & QUIRE_SEGMENT_WRITABLE);
}

static bool is_conforming(const struct quire_descriptor *d) {
    return is_code(d) && (d->type & QUIRE_SEGMENT_CONFORMING);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static bool refuse(struct quire_segment_fault *fault, enum quire_exception exception,
                   uint32_t error_code, const char *why) {
    *fault = (struct quire_segment_fault){
        .exception = exception, .error_code = error_code, .why = why, .status = QUIRE_FAULT};
    return false;
}

static bool refuse_selector(struct quire_segment_fault *fault, enum quire_exception exception,
                            uint16_t selector, const char *why) {
    bool refused = refuse(fault, exception, selector & ~QUIRE_SELECTOR_RPL, why);
    fault->selector = selector;
    return refused;
}

/* ---- memory behind linear addresses ---------------------------------------------------------- */

#define PF_PRESENT 1u
#define PF_WRITE   2u
#define PF_USER    4u
#define PF_FETCH   16u

static bool page_fault(const struct quire_segment_unit *unit, uint32_t linear,
                       enum quire_access access, unsigned cpl, enum quire_status status,
                       struct quire_segment_fault *fault) {
    struct quire_walk walk = {.fault = QUIRE_WALK_NO_ADDRESS};
    if (unit->pmap)
        quire_soft_walk(unit->pmap, linear, access, cpl < 3, false, &walk);
    bool present = walk.fault == QUIRE_WALK_NOT_ALLOWED || walk.fault == QUIRE_WALK_NOT_USER;
    uint32_t code = (present ? PF_PRESENT : 0) | (cpl == 3 ? PF_USER : 0) |
                    (access == QUIRE_ACCESS_WRITE ? PF_WRITE : 0) |
                    (access == QUIRE_ACCESS_EXEC ? PF_FETCH : 0);
    refuse(fault, QUIRE_PF, code, present ? "not allowed by the page" : "no page is there");
    fault->address = linear;
    fault->status = status;
    return false;
}

/* Some bytes within a page, as privilege cpl. */
static bool move_in_page(struct quire_segment_unit *unit, uint32_t linear, void *bytes, size_t n,
                         enum quire_access access, unsigned cpl,
                         struct quire_segment_fault *fault) {
    uint8_t *host = NULL;
    enum quire_status status = QUIRE_OK;
    if (!unit->pmap)
        status = linear + n <= unit->machine->config.ram_bytes ? QUIRE_OK : QUIRE_FAULT;
    else if (cpl < 3)
        status = quire_mmu_kernel_access(unit->pmap, linear, access, &host);
    else
        status = quire_mmu_access(unit->pmap, linear, access, &host);
    if (status != QUIRE_OK)
        return page_fault(unit, linear, access, cpl, status, fault);
    host = unit->pmap ? host : unit->machine->ram + linear;
    if (access == QUIRE_ACCESS_WRITE)
        memcpy(host, bytes, n);
    else
        memcpy(bytes, host, n);
    return true;
}

static bool move_linear(struct quire_segment_unit *unit, uint32_t linear, void *bytes, size_t n,
                        enum quire_access access, unsigned cpl, struct quire_segment_fault *fault) {
    for (size_t done = 0, part; done < n; done += part, linear += (uint32_t)part) { /* I3 */
        size_t left = QUIRE_PAGE_SIZE - (linear & QUIRE_PAGE_MASK);
        part = n - done < left ? n - done : left;
        if (!move_in_page(unit, linear, (uint8_t *)bytes + done, part, access, cpl, fault))
            return false;
    }
    return true;
}

/* ---- tables ---------------------------------------------------------------------------------- */

/* Where the descriptor lies; false: past the end of its table, or there is no LDT. */
static bool locate(const struct quire_segment_unit *unit, uint16_t selector, uint32_t *linear) {
    uint32_t at = selector & ~7u, last = unit->gdt.last, base = unit->gdt.base;
    if (selector & QUIRE_SELECTOR_LDT) {
        if (!unit->ldt.usable)
            return false;
        last = quire_descriptor_last(&unit->ldt.descriptor);
        base = unit->ldt.descriptor.base;
    }
    *linear = base + at;
    return last != 0 && at + DESCRIPTOR_BYTES - 1 <= last;
}

/* Tables are read and written as the processor itself, whatever the program's privilege. */
static bool fetch(struct quire_segment_unit *unit, uint16_t selector, uint32_t *linear,
                  struct quire_descriptor *out, struct quire_segment_fault *fault) {
    uint64_t bytes;
    if (!locate(unit, selector, linear))
        return refuse_selector(fault, QUIRE_GP, selector, "the selector is past its table's end");
    if (!move_linear(unit, *linear, &bytes, sizeof bytes, QUIRE_ACCESS_READ, 0, fault))
        return false;
    *out = quire_descriptor_unpack(bytes);
    return true;
}

static bool mark_accessed(struct quire_segment_unit *unit, uint32_t linear,
                          struct quire_descriptor *d, struct quire_segment_fault *fault) {
    if (d->type & QUIRE_SEGMENT_ACCESSED)
        return true;
    d->type |= QUIRE_SEGMENT_ACCESSED;
    uint64_t bytes = quire_descriptor_pack(d);
    return move_linear(unit, linear, &bytes, sizeof bytes, QUIRE_ACCESS_WRITE, 0, fault);
}

void quire_segment_init(struct quire_segment_unit *unit, struct quire_machine *machine,
                        struct quire_pmap *pmap) {
    *unit = (struct quire_segment_unit){.machine = machine, .pmap = pmap};
}

bool quire_segment_lgdt(struct quire_segment_unit *unit, uint32_t base, uint32_t nbytes,
                        struct quire_segment_fault *fault) {
    if (unit->cpl != 0)
        return refuse(fault, QUIRE_GP, 0, "lgdt is for privilege 0");
    if (nbytes < DESCRIPTOR_BYTES || nbytes > GDT_BYTES_MAX)
        return refuse(fault, QUIRE_GP, 0, "a GDT has 8 to 65536 bytes");
    unit->gdt.base = base;
    unit->gdt.last = nbytes - 1;
    return true;
}

bool quire_segment_lldt(struct quire_segment_unit *unit, uint16_t selector,
                        struct quire_segment_fault *fault) {
    struct quire_descriptor d;
    uint32_t linear;
    if (unit->cpl != 0)
        return refuse(fault, QUIRE_GP, 0, "lldt is for privilege 0");
    if ((selector & ~QUIRE_SELECTOR_RPL) == 0) {
        unit->ldt.usable = false;
        return true;
    }
    if (selector & QUIRE_SELECTOR_LDT)
        return refuse_selector(fault, QUIRE_GP, selector, "an LDT is described in the GDT");
    if (!fetch(unit, selector, &linear, &d, fault))
        return false;
    if (!d.system || d.type != QUIRE_SEGMENT_LDT)
        return refuse_selector(fault, QUIRE_GP, selector, "this is not an LDT's descriptor");
    if (!d.present)
        return refuse_selector(fault, QUIRE_NP, selector, "the LDT is not present");
    unit->ldt = (struct quire_loaded){selector, true, d};
    return true;
}

/* ---- loading --------------------------------------------------------------------------------- */

/* Why this privilege may not have that descriptor in this register; NULL: it may. */
static const char *judge_load(enum quire_segment_register segment, uint16_t selector,
                              const struct quire_descriptor *d, unsigned cpl) {
    unsigned rpl = selector & QUIRE_SELECTOR_RPL;
    if (segment == QUIRE_CS) {
        if (!is_code(d))
            return "cs takes code only";
        if (is_conforming(d))
            return d->dpl > cpl ? "conforming code of less privilege" : NULL;
        return rpl > cpl || d->dpl != cpl ? "code of another privilege" : NULL;
    }
    if (segment == QUIRE_SS) {
        if (!is_writable_data(d))
            return "a stack is writable data";
        return rpl != cpl || d->dpl != cpl ? "a stack of another privilege" : NULL;
    }
    if (d->system || (is_code(d) && !(d->type & QUIRE_SEGMENT_READABLE)))
        return "neither data nor readable code";
    if (!is_conforming(d) && (rpl > d->dpl || cpl > d->dpl))
        return "the segment is for more privilege";
    return NULL;
}

/* The register takes the segment, judged at privilege cpl, which becomes the unit's if all is well
 * with cs. */
static bool load(struct quire_segment_unit *unit, enum quire_segment_register segment,
                 uint16_t selector, unsigned cpl, struct quire_loaded *out,
                 struct quire_segment_fault *fault) {
    struct quire_descriptor d;
    uint32_t linear;
    bool null = (selector & ~QUIRE_SELECTOR_RPL) == 0;
    if (null && (segment == QUIRE_CS || segment == QUIRE_SS))
        return refuse(fault, QUIRE_GP, 0, "cs and ss can't be null");
    *out = (struct quire_loaded){.selector = selector};
    if (null)
        return true;
    if (!fetch(unit, selector, &linear, &d, fault))
        return false;
    const char *why = judge_load(segment, selector, &d, cpl);
    if (why)
        return refuse_selector(fault, QUIRE_GP, selector, why);
    if (!d.present)
        return refuse_selector(fault, segment == QUIRE_SS ? QUIRE_SSF : QUIRE_NP, selector,
                               "the segment is not present");
    if (!mark_accessed(unit, linear, &d, fault))
        return false;
    if (segment == QUIRE_CS) /* I2 */
        selector = (uint16_t)((selector & ~QUIRE_SELECTOR_RPL) | cpl);
    *out = (struct quire_loaded){selector, true, d}; /* I1 */
    return true;
}

static bool blame(struct quire_segment_fault *fault, enum quire_segment_register segment) {
    fault->segment = segment;
    return false;
}

bool quire_segment_load(struct quire_segment_unit *unit, enum quire_segment_register segment,
                        uint16_t selector, struct quire_segment_fault *fault) {
    struct quire_loaded loaded;
    if (!load(unit, segment, selector, unit->cpl, &loaded, fault))
        return blame(fault, segment);
    unit->registers[segment] = loaded;
    return true;
}

/* cs and ss together, at another privilege. */
static bool load_pair(struct quire_segment_unit *unit, uint16_t cs, uint16_t ss, unsigned cpl,
                      struct quire_segment_fault *fault) {
    struct quire_loaded code, stack;
    if (!load(unit, QUIRE_CS, cs, cpl, &code, fault))
        return blame(fault, QUIRE_CS);
    if (!load(unit, QUIRE_SS, ss, cpl, &stack, fault))
        return blame(fault, QUIRE_SS);
    unit->registers[QUIRE_CS] = code;
    unit->registers[QUIRE_SS] = stack;
    unit->cpl = cpl;
    return true;
}

bool quire_segment_enter(struct quire_segment_unit *unit, uint16_t cs, uint16_t ss,
                         struct quire_segment_fault *fault) {
    if ((cs & QUIRE_SELECTOR_RPL) > unit->cpl)
        return refuse_selector(fault, QUIRE_GP, cs, "a gate never leads to less privilege");
    return load_pair(unit, cs, ss, cs & QUIRE_SELECTOR_RPL, fault);
}

bool quire_segment_return(struct quire_segment_unit *unit, uint16_t cs, uint16_t ss,
                          struct quire_segment_fault *fault) {
    unsigned cpl = cs & QUIRE_SELECTOR_RPL;
    if (cpl < unit->cpl)
        return refuse_selector(fault, QUIRE_GP, cs, "iret never leads to more privilege");
    if (!load_pair(unit, cs, ss, cpl, fault))
        return false;
    for (unsigned i = QUIRE_DS; i < QUIRE_NSEGMENTS; i++) {
        struct quire_loaded *loaded = &unit->registers[i];
        if (loaded->usable && !is_conforming(&loaded->descriptor) && loaded->descriptor.dpl < cpl)
            *loaded = (struct quire_loaded){.selector = 0};
    }
    return true;
}

/* ---- accesses -------------------------------------------------------------------------------- */

static bool in_limit(const struct quire_descriptor *d, uint32_t offset, uint32_t nbytes) {
    uint64_t end = (uint64_t)offset + nbytes - 1;
    uint32_t last = quire_descriptor_last(d);
    if (is_code(d) || !(d->type & QUIRE_SEGMENT_DOWN))
        return end <= last;
    return offset > last && end <= (d->big ? UINT32_MAX : UINT16_MAX);
}

static const char *judge_access(const struct quire_loaded *loaded,
                                enum quire_segment_register segment, enum quire_access access) {
    const struct quire_descriptor *d = &loaded->descriptor;
    if (!loaded->usable)
        return "the register is null";
    if (access == QUIRE_ACCESS_EXEC)
        return segment == QUIRE_CS ? NULL : "instructions come from cs only";
    if (access == QUIRE_ACCESS_WRITE)
        return is_writable_data(d) ? NULL : "the segment can't be written";
    return is_code(d) && !(d->type & QUIRE_SEGMENT_READABLE) ? "the segment can't be read" : NULL;
}

bool quire_segment_translate(struct quire_segment_unit *unit, enum quire_segment_register segment,
                             uint32_t offset, uint32_t nbytes, enum quire_access access,
                             uint32_t *linear, struct quire_segment_fault *fault) {
    const struct quire_loaded *loaded = &unit->registers[segment];
    SOFT_CHECK(unit->machine, nbytes > 0 && nbytes <= QUIRE_PAGE_SIZE);
    const char *why = judge_access(loaded, segment, access);
    enum quire_exception exception = QUIRE_GP;
    unit->checks++;
    if (!why && !in_limit(&loaded->descriptor, offset, nbytes)) {
        why = "past the limit";
        exception = segment == QUIRE_SS ? QUIRE_SSF : QUIRE_GP;
    }
    *linear = loaded->descriptor.base + offset; /* I3 */
    if (!why)
        return true;
    unit->refusals++;
    refuse(fault, exception, 0, why);
    fault->segment = segment;
    fault->offset = offset;
    fault->selector = loaded->selector;
    return false;
}

bool quire_segment_move(struct quire_segment_unit *unit, enum quire_segment_register segment,
                        uint32_t offset, void *bytes, uint32_t nbytes, enum quire_access access,
                        struct quire_segment_fault *fault) {
    uint32_t linear;
    if (!quire_segment_translate(unit, segment, offset, nbytes, access, &linear, fault))
        return false;
    if (move_linear(unit, linear, bytes, nbytes, access, unit->cpl, fault))
        return true;
    fault->segment = segment;
    fault->offset = offset;
    return false;
}

/* ---- for the eye ----------------------------------------------------------------------------- */

void quire_segment_walk(struct quire_segment_unit *unit, enum quire_segment_register segment,
                        uint32_t offset, enum quire_access access, bool with_tlb,
                        struct quire_walk *walk) {
    const struct quire_loaded *loaded = &unit->registers[segment];
    uint32_t linear = loaded->descriptor.base + offset;
    quire_walk_begin(walk);
    quire_walk_add(walk, QUIRE_WALK_SELECTOR, UINT64_MAX, loaded->selector);
    if (loaded->usable)
        quire_walk_add(walk, QUIRE_WALK_DESCRIPTOR, UINT64_MAX,
                       quire_descriptor_pack(&loaded->descriptor));
    quire_walk_add(walk, QUIRE_WALK_CHECK, UINT64_MAX, offset)->index =
        quire_descriptor_last(&loaded->descriptor);
    if (judge_access(loaded, segment, access) || !in_limit(&loaded->descriptor, offset, 1)) {
        quire_walk_refuse(walk, QUIRE_WALK_SEGMENTED);
        return;
    }
    walk->linear = linear;
    quire_walk_add(walk, QUIRE_WALK_LINEAR, UINT64_MAX, linear);
    if (unit->pmap) {
        quire_walk_pages(unit->pmap, linear, access, unit->cpl < 3, with_tlb, walk);
    } else if (linear < unit->machine->config.ram_bytes) {
        walk->physical = linear;
        quire_walk_add(walk, QUIRE_WALK_DATUM, linear, 0);
    } else {
        quire_walk_refuse(walk, QUIRE_WALK_NO_ADDRESS);
    }
}

size_t quire_segment_fault_text(const struct quire_segment_fault *f, char *text, size_t capacity) {
    static const char *const kinds[] = {[QUIRE_NP] = "segment not present #NP",
                                        [QUIRE_SSF] = "stack segment fault #SS",
                                        [QUIRE_GP] = "general protection fault #GP",
                                        [QUIRE_PF] = "page fault #PF"};
    int n;
    if (f->exception == QUIRE_NO_EXCEPTION)
        n = snprintf(text, capacity, "no fault");
    else if (f->exception == QUIRE_PF)
        n = snprintf(text, capacity,
                     "%s(0x%" PRIx32 "): %s:0x%" PRIx32 ", linear 0x%" PRIx64 ": %s",
                     kinds[f->exception], f->error_code, quire_segment_names[f->segment], f->offset,
                     f->address, f->why);
    else if (f->error_code)
        n = snprintf(text, capacity, "%s(0x%04" PRIx32 "): selector 0x%04x into %s: %s",
                     kinds[f->exception], f->error_code, f->selector,
                     quire_segment_names[f->segment], f->why);
    else
        n = snprintf(text, capacity, "%s(0): %s:0x%" PRIx32 ": %s", kinds[f->exception],
                     quire_segment_names[f->segment], f->offset, f->why);
    return n > 0 ? (size_t)n : 0;
}
