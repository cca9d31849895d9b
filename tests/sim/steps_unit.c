/* steps_unit.c: the segmentation unit of x86, in front of memory in segments or in front of paging,
 * beside the manual's rules said a second time.
 *
 * The world is its operating system: the GDT has code and data of both privileges and descriptors
 * of any kind (`describe`), the LDT one for each segment of steps_segment.c, kept true as they move
 * and go. Loads of registers, gates and accesses are judged before they are done: exception, error
 * code, linear address, byte; and after each step registers and tables must be as expected.
 *
 * In worlds with 10/10/12 tables and the kernel's part in them the unit stands before paging:
 * tables and segments then lie in the kernel's part, from 3 GiB on, closed to programs.
 */
#include <string.h>

#include "steps.h"

enum { NULL_ENTRY, CODE0, DATA0, CODE3, DATA3, LDT, SHARED_CODE, ANY }; /* of the GDT */
#define LDT_AT     1024u /* in their page; the GDT is at its start */
#define REACH_MOST 64

/* ---- tables ---------------------------------------------------------------------------------- */

/* Figure 3-8 of the manual, field by field. */
static void encode(const struct quire_descriptor *d, uint8_t *bytes) {
    bytes[0] = (uint8_t)d->limit;
    bytes[1] = (uint8_t)(d->limit >> 8);
    bytes[2] = (uint8_t)d->base;
    bytes[3] = (uint8_t)(d->base >> 8);
    bytes[4] = (uint8_t)(d->base >> 16);
    bytes[5] = (uint8_t)(d->type | !d->system << 4 | d->dpl << 5 | d->present << 7);
    bytes[6] = (uint8_t)(d->limit >> 16 | d->big << 6 | d->granular << 7);
    bytes[7] = (uint8_t)(d->base >> 24);
}

/* In front of paging the kernel sees physical 0 at 3 GiB; else linear addresses are physical. */
static uint32_t linear_of(const struct sim *sim, quire_paddr address) {
    struct quire_soft_layout layout;
    quire_soft_layout(sim->machine, &layout);
    bool paged = sim->segments.unit.pmap != NULL;
    return (uint32_t)(address.value + (paged ? layout.direct_base : 0));
}

static bool is_paged(const struct sim *sim) {
    const struct quire_radix_format *format =
        quire_radix_format_at((unsigned)sim->plan.field[SIM_FORMAT]);
    return sim->plan.field[SIM_KERNEL] && format == &quire_radix_sv32;
}

/* Paging is that of the first space; without any the unit does nothing. */
static bool ready(struct sim *sim) {
    struct sim_segments *s = &sim->segments;
    unsigned i = 0;
    if (!sim->plan.field[SIM_SEGMENTS])
        return false;
    while (is_paged(sim) && i < MODEL_SPACES && !sim->spaces[i])
        i++;
    if (i == MODEL_SPACES)
        return false;
    if (is_paged(sim))
        s->unit.pmap = quire_space_pmap(sim->spaces[i]);
    s->unit_steps++;
    return true;
}

static struct quire_descriptor *entry_of(struct sim *sim, uint16_t selector) {
    struct sim_segments *s = &sim->segments;
    unsigned index = selector >> 3;
    if (selector & QUIRE_SELECTOR_LDT)
        return s->ldt && index < SIM_SLOTS ? &s->ldt_table[index] : NULL;
    return index < SIM_DESCRIPTORS ? &s->gdt_table[index] : NULL;
}

static uint8_t *bytes_of(const struct sim *sim, bool ldt, unsigned index) {
    return sim_aside_at(sim, sim_aside(sim, 0)) + (ldt ? LDT_AT : 0) + index * 8;
}

static void write_entry(struct sim *sim, bool ldt, unsigned index) {
    struct sim_segments *s = &sim->segments;
    encode(ldt ? &s->ldt_table[index] : &s->gdt_table[index], bytes_of(sim, ldt, index));
}

static bool same(const struct quire_descriptor *a, const struct quire_descriptor *b) {
    return a->base == b->base && a->limit == b->limit && a->type == b->type && a->dpl == b->dpl &&
           a->system == b->system && a->present == b->present && a->granular == b->granular &&
           a->big == b->big;
}

static void verify_unit(struct sim *sim) {
    struct sim_segments *s = &sim->segments;
    if (s->unit.cpl != s->cpl || s->unit.ldt.usable != (s->ldt != 0))
        sim_fail(sim, "unit: privilege %u, not %u", s->unit.cpl, s->cpl);
    for (unsigned i = 0; i < QUIRE_NSEGMENTS; i++) {
        const struct quire_loaded *got = &s->unit.registers[i];
        const struct sim_register *want = &s->registers[i];
        if (got->usable != want->usable || (want->usable && got->selector != want->selector) ||
            (want->usable && !same(&got->descriptor, &want->descriptor)))
            sim_fail(sim, "unit: %s holds 0x%x, not 0x%x", quire_segment_names[i], got->selector,
                     want->selector);
    }
    for (unsigned i = 0; i < SIM_DESCRIPTORS + SIM_SLOTS; i++) {
        bool ldt = i >= SIM_DESCRIPTORS;
        unsigned index = ldt ? i - SIM_DESCRIPTORS : i;
        uint8_t want[8];
        encode(ldt ? &s->ldt_table[index] : &s->gdt_table[index], want);
        if (memcmp(want, bytes_of(sim, ldt, index), sizeof want) != 0)
            sim_fail(sim, "unit: entry %u of the %s is not what was written", index,
                     ldt ? "LDT" : "GDT");
    }
}

/* ---- the rules ------------------------------------------------------------------------------- */

struct verdict {
    enum quire_exception exception;
    uint32_t code;
};
#define FINE ((struct verdict){QUIRE_NO_EXCEPTION, 0})

static unsigned max_of(unsigned a, unsigned b) {
    return a > b ? a : b;
}

static bool is_code(const struct quire_descriptor *d) {
    return !d->system && (d->type & 8);
}

static bool for_everybody(const struct quire_descriptor *d) {
    return is_code(d) && (d->type & 4);
}

/* May this register take that descriptor at this privilege? Presence is another matter. */
static bool may_take(enum quire_segment_register segment, const struct quire_descriptor *d,
                     unsigned rpl, unsigned cpl) {
    if (d->system)
        return false;
    if (segment == QUIRE_CS && for_everybody(d))
        return d->dpl <= cpl;
    if (segment == QUIRE_CS)
        return is_code(d) && d->dpl == cpl && rpl <= cpl;
    if (segment == QUIRE_SS)
        return !is_code(d) && (d->type & 2) && d->dpl == cpl && rpl == cpl;
    if (is_code(d) && !(d->type & 2))
        return false;
    return for_everybody(d) || max_of(rpl, cpl) <= d->dpl;
}

/* What a load at privilege cpl must lead to; *out: the register then. */
static struct verdict judge_load(struct sim *sim, enum quire_segment_register segment,
                                 uint16_t selector, unsigned cpl, struct sim_register *out) {
    const uint32_t code = selector & ~3u;
    *out = (struct sim_register){.selector = selector};
    if (code == 0)
        return segment <= QUIRE_SS ? (struct verdict){QUIRE_GP, 0} : FINE;
    struct quire_descriptor *d = entry_of(sim, selector);
    if (!d || !may_take(segment, d, selector & 3, cpl))
        return (struct verdict){QUIRE_GP, code};
    if (!d->present)
        return (struct verdict){segment == QUIRE_SS ? QUIRE_SSF : QUIRE_NP, code};
    d->type |= QUIRE_SEGMENT_ACCESSED; /* in the table, too */
    out->usable = true;
    out->descriptor = *d;
    if (segment == QUIRE_CS)
        out->selector = (uint16_t)(code | cpl);
    return FINE;
}

static void compare_verdict(struct sim *sim, const char *what, bool did, struct verdict want,
                            const struct quire_segment_fault *fault) {
    bool fine = want.exception == QUIRE_NO_EXCEPTION;
    sim->hash = (sim->hash ^ (did ? 0 : fault->error_code + 1)) * 0x9E3779B97F4A7C15u;
    sim->segments.unit_refused += !did;
    if (did != fine || (!did && (fault->exception != want.exception ||
                                 (want.exception != QUIRE_PF && fault->error_code != want.code))))
        sim_fail(sim, "unit: %s: exception %d (0x%x), not %d (0x%x)", what,
                 did ? 0 : (int)fault->exception, did ? 0 : fault->error_code, (int)want.exception,
                 want.code);
}

/* ---- an operating system's part -------------------------------------------------------------- */

static void load(struct sim *sim, enum quire_segment_register segment, uint16_t selector) {
    struct sim_segments *s = &sim->segments;
    struct quire_segment_fault fault;
    struct sim_register loaded;
    struct verdict want = judge_load(sim, segment, selector, s->cpl, &loaded);
    bool did = quire_segment_load(&s->unit, segment, selector, &fault);
    compare_verdict(sim, "load", did, want, &fault);
    if (did)
        s->registers[segment] = loaded;
}

/* The descriptor of a slot's segment: data, some of it read-only, and code. */
static void describe_slot(struct sim *sim, unsigned i) {
    struct sim_segments *s = &sim->segments;
    const struct sim_slot *slot = &s->slots[i];
    unsigned type = i % 5 == 4 ? 0 : i % 4 == 3 ? 10 : 2;
    s->ldt_table[i] = (struct quire_descriptor){
        .base = slot->present ? linear_of(sim, slot->base) : 0,
        .limit = slot->segment ? slot->nbytes - 1 : 0,
        .type = type,
        .dpl = 3,
        .present = slot->present,
    };
    write_entry(sim, true, i);
}

/* Registers that hold it take it again, or, if it is out, what is always there. */
static void reload(struct sim *sim, unsigned i) {
    struct sim_segments *s = &sim->segments;
    for (unsigned r = 0; r < QUIRE_NSEGMENTS; r++) {
        struct sim_register *held = &s->registers[r];
        uint16_t selector = held->selector, usual = s->cpl ? DATA3 : DATA0;
        if (!held->usable || selector >> 3 != i || !(selector & QUIRE_SELECTOR_LDT))
            continue;
        if (r == QUIRE_CS)
            usual = s->cpl ? CODE3 : CODE0;
        if (!s->slots[i].present || !s->ldt)
            selector = quire_selector(usual, false, s->cpl);
        load(sim, (enum quire_segment_register)r, selector);
    }
}

static void follow(struct sim *sim) {
    struct sim_segments *s = &sim->segments;
    for (unsigned i = 0; i < SIM_SLOTS; i++) {
        if (!s->slots[i].stale)
            continue;
        describe_slot(sim, i);
        reload(sim, i);
        s->slots[i].stale = false;
    }
}

/* Without a space to walk in the unit waits for the next one: begun. */
void sim_unit_stale(struct sim *sim) {
    if (ready(sim))
        follow(sim);
}

/* The tables as they are at first, and the unit at privilege 0, with flat segments. */
static void boot(struct sim *sim) {
    struct sim_segments *s = &sim->segments;
    struct quire_segment_fault fault;
    uint32_t tables = linear_of(sim, sim_aside(sim, 0));
    const struct quire_descriptor flat = {
        .limit = 0xFFFFF, .present = true, .granular = true, .big = true};
    static const unsigned types[] = {[CODE0] = 10, [DATA0] = 2, [CODE3] = 10, [DATA3] = 2};
    for (unsigned i = CODE0; i <= DATA3; i++) {
        s->gdt_table[i] = flat;
        s->gdt_table[i].type = types[i];
        s->gdt_table[i].dpl = i >= CODE3 ? 3 : 0;
    }
    s->gdt_table[SHARED_CODE] = s->gdt_table[CODE0];
    s->gdt_table[SHARED_CODE].type = 14; /* conforming */
    s->gdt_table[LDT] = (struct quire_descriptor){.base = tables + LDT_AT,
                                                  .limit = SIM_SLOTS * 8 - 1,
                                                  .type = QUIRE_SEGMENT_LDT,
                                                  .system = true,
                                                  .present = true};
    for (unsigned i = 0; i < SIM_DESCRIPTORS; i++)
        write_entry(sim, false, i);
    for (unsigned i = 0; i < SIM_SLOTS; i++)
        describe_slot(sim, i);
    s->ldt = quire_selector(LDT, false, 0);
    if (!quire_segment_lgdt(&s->unit, tables, SIM_DESCRIPTORS * 8, &fault) ||
        !quire_segment_lldt(&s->unit, s->ldt, &fault))
        sim_fail(sim, "unit: it has no tables");
    load(sim, QUIRE_CS, quire_selector(CODE0, false, 0));
    load(sim, QUIRE_SS, quire_selector(DATA0, false, 0));
    load(sim, QUIRE_DS, quire_selector(DATA0, false, 0));
}

static bool begun(struct sim *sim) {
    struct sim_segments *s = &sim->segments;
    if (!ready(sim))
        return false;
    if (!s->registers[QUIRE_CS].usable)
        boot(sim);
    follow(sim);
    return true;
}

void sim_unit_begin(struct sim *sim) {
    struct sim_segments *s = &sim->segments;
    memset(sim_aside_at(sim, sim_aside(sim, 0)), 0, QUIRE_PAGE_SIZE);
    quire_segment_init(&s->unit, sim->machine, NULL);
}

void sim_unit_end(struct sim *sim) {
    if (sim->segments.registers[QUIRE_CS].usable)
        verify_unit(sim);
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* entry base limit type dpl flags table kind: a descriptor of any kind, or (table 1) the LDT is
 * taken away or given back. Only entries that nothing depends on. */
void sim_draw_describe(struct sim *sim, int *a) {
    a[0] = ANY + (int)sim_pick(sim, SIM_DESCRIPTORS - ANY);
    uint32_t base = sim_pick(sim, 1u << 30) * 4u, limit = sim_pick(sim, 1u << 20);
    a[1] = (int)(base >> sim_pick(sim, 20));
    a[2] = (int)(limit >> sim_pick(sim, 20));
    a[3] = (int)sim_pick(sim, 16);
    a[4] = (int)sim_pick(sim, 4);
    a[5] = (int)sim_pick(sim, 16);
    a[5] |= sim_chance(sim, 70) ? 1 : 0; /* a statement a throw: no compiler may change the order */
    a[6] = sim_chance(sim, 15);
}

/* lldt, with the LDT's selector or another, at whatever privilege. */
static void change_ldt(struct sim *sim, int choice) {
    static const unsigned choices[] = {0, LDT, LDT, LDT, CODE0, ANY};
    struct sim_segments *s = &sim->segments;
    struct quire_segment_fault fault;
    uint16_t selector = quire_selector(choices[(unsigned)choice % 6], false, 0);
    const struct quire_descriptor *d = &s->gdt_table[selector >> 3];
    bool is_ldt = d->system && d->type == QUIRE_SEGMENT_LDT && selector;
    if (is_ldt && selector >> 3 != LDT) /* a table somewhere: not one of this world */
        return;
    struct verdict want = s->cpl != 0           ? (struct verdict){QUIRE_GP, 0}
                          : is_ldt || !selector ? FINE
                                                : (struct verdict){QUIRE_GP, selector};
    bool did = quire_segment_lldt(&s->unit, selector, &fault);
    compare_verdict(sim, "lldt", did, want, &fault);
    if (did)
        s->ldt = selector;
}

void sim_act_describe(struct sim *sim, const int *a) {
    struct sim_segments *s = &sim->segments;
    unsigned index = ANY + (unsigned)a[0] % (SIM_DESCRIPTORS - ANY);
    if (!begun(sim))
        return;
    if (a[6]) {
        change_ldt(sim, a[3]);
    } else {
        s->gdt_table[index] = (struct quire_descriptor){.base = (uint32_t)a[1],
                                                        .limit = (uint32_t)a[2] & 0xFFFFF,
                                                        .type = (unsigned)a[3] & 15,
                                                        .dpl = (unsigned)a[4] & 3,
                                                        .present = a[5] & 1,
                                                        .granular = a[5] & 2,
                                                        .big = a[5] & 4,
                                                        .system = (a[5] & 8) && (a[3] & 1)};
        write_entry(sim, false, index);
    }
    verify_unit(sim);
}

/* A selector of any kind: mostly of a segment or of what programs have. */
static int draw_selector(struct sim *sim) {
    unsigned rpl = sim_chance(sim, 60) ? sim->segments.cpl : sim_pick(sim, 4);
    if (sim_chance(sim, 60))
        return quire_selector(sim_pick(sim, SIM_SLOTS + 1), true, rpl);
    return quire_selector(sim_pick(sim, SIM_DESCRIPTORS + 1), false, rpl);
}

/* register selector */
void sim_draw_load_register(struct sim *sim, int *a) {
    a[0] = (int)(sim_chance(sim, 80) ? QUIRE_DS + sim_pick(sim, 4) : sim_pick(sim, 2));
    a[1] = draw_selector(sim);
}

void sim_act_load_register(struct sim *sim, const int *a) {
    if (!begun(sim))
        return;
    load(sim, (enum quire_segment_register)((unsigned)a[0] % QUIRE_NSEGMENTS), (uint16_t)a[1]);
    verify_unit(sim);
}

/* cs ss out: through a gate to more privilege, or by iret to less */
void sim_draw_gate(struct sim *sim, int *a) {
    unsigned to = sim_chance(sim, 50) ? 3 : 0;
    a[2] = to == 3;
    a[0] = quire_selector(to ? CODE3 : CODE0, false, to);
    a[1] = quire_selector(to ? DATA3 : DATA0, false, to);
    int other = draw_selector(sim);
    if (sim_chance(sim, 30))
        a[sim_pick(sim, 2)] = other;
}

/* Both registers, at the privilege that cs says. */
static struct verdict judge_pair(struct sim *sim, uint16_t cs, uint16_t ss, bool out,
                                 struct sim_register *pair) {
    unsigned cpl = cs & 3, now = sim->segments.cpl;
    if (out ? cpl < now : cpl > now)
        return (struct verdict){QUIRE_GP, cs & ~3u};
    struct verdict want = judge_load(sim, QUIRE_CS, cs, cpl, &pair[0]);
    if (want.exception == QUIRE_NO_EXCEPTION)
        want = judge_load(sim, QUIRE_SS, ss, cpl, &pair[1]);
    return want;
}

void sim_act_gate(struct sim *sim, const int *a) {
    struct sim_segments *s = &sim->segments;
    uint16_t cs = (uint16_t)a[0], ss = (uint16_t)a[1];
    struct sim_register pair[2];
    struct quire_segment_fault fault;
    if (!begun(sim))
        return;
    struct verdict want = judge_pair(sim, cs, ss, a[2], pair);
    bool did = a[2] ? quire_segment_return(&s->unit, cs, ss, &fault)
                    : quire_segment_enter(&s->unit, cs, ss, &fault);
    compare_verdict(sim, a[2] ? "iret" : "gate", did, want, &fault);
    if (did) {
        memcpy(s->registers, pair, sizeof pair);
        s->cpl = cs & 3;
    }
    for (unsigned r = QUIRE_DS; did && a[2] && r < QUIRE_NSEGMENTS; r++) {
        struct sim_register *held = &s->registers[r];
        if (held->usable && !for_everybody(&held->descriptor) && held->descriptor.dpl < s->cpl)
            held->usable = false;
    }
    verify_unit(sim);
}

/* ---- accesses -------------------------------------------------------------------------------- */

/* register offset bytes access value: around the limit, or anywhere */
void sim_draw_reach(struct sim *sim, int *a) {
    a[0] = (int)sim_pick(sim, QUIRE_NSEGMENTS);
    const struct sim_register *held = &sim->segments.registers[a[0]];
    uint32_t last = held->descriptor.limit;
    last = held->descriptor.granular ? last << 12 | 0xFFF : last;
    a[1] = (int)(sim_chance(sim, 30)       ? last + sim_pick(sim, 16) - 8
                 : last && last < 1u << 30 ? sim_pick(sim, last)
                                           : sim_pick(sim, 1u << 31));
    a[2] = 1 + (int)sim_pick(sim, sim_chance(sim, 80) ? 8 : REACH_MOST);
    a[3] = (int)sim_pick(sim, 3);
    a[4] = sim_draw_value(sim);
}

/* The bounds of an access: from low to high - 1. */
static bool in_bounds(const struct quire_descriptor *d, uint64_t offset, uint64_t n) {
    uint64_t size = ((uint64_t)d->limit + 1) * (d->granular ? 4096 : 1);
    bool down = !(d->type & 8) && (d->type & 4);
    uint64_t low = down ? size : 0, high = down ? (d->big ? (uint64_t)1 << 32 : 1 << 16) : size;
    return offset >= low && offset + n <= high;
}

static struct verdict judge_access(const struct sim_register *held,
                                   enum quire_segment_register segment, uint32_t offset, uint32_t n,
                                   enum quire_access access) {
    const struct quire_descriptor *d = &held->descriptor;
    bool fine = held->usable;
    if (access == QUIRE_ACCESS_EXEC)
        fine = fine && segment == QUIRE_CS;
    else if (access == QUIRE_ACCESS_WRITE)
        fine = fine && !(d->type & 8) && (d->type & 2);
    else
        fine = fine && (!(d->type & 8) || (d->type & 2));
    if (!fine)
        return (struct verdict){QUIRE_GP, 0};
    if (!in_bounds(d, offset, n))
        return (struct verdict){segment == QUIRE_SS ? QUIRE_SSF : QUIRE_GP, 0};
    return FINE;
}

/* The slot whose segment that register holds, through the LDT; NULL. */
static struct sim_slot *held_slot(struct sim *sim, const struct sim_register *held) {
    unsigned index = held->selector >> 3;
    bool one = held->usable && (held->selector & QUIRE_SELECTOR_LDT) && index < SIM_SLOTS;
    return one && sim->segments.slots[index].present ? &sim->segments.slots[index] : NULL;
}

/* Bytes of a segment, through the unit: what the model has; in front of paging a program may not,
 * as they lie in the kernel's part. */
static void move_bytes(struct sim *sim, enum quire_segment_register r, struct sim_slot *slot,
                       uint32_t offset, uint32_t n, enum quire_access access, int value) {
    struct sim_segments *s = &sim->segments;
    uint8_t bytes[REACH_MOST];
    struct quire_segment_fault fault;
    bool closed = s->unit.pmap && s->cpl == 3;
    memset(bytes, value, sizeof bytes);
    bool did = quire_segment_move(&s->unit, r, offset, bytes, n, access, &fault);
    struct verdict want = closed ? (struct verdict){QUIRE_PF, 0} : FINE;
    compare_verdict(sim, "access", did, want, &fault);
    uint32_t write = access == QUIRE_ACCESS_WRITE ? 2 : 0;
    uint32_t fetch = access == QUIRE_ACCESS_EXEC ? 16 : 0;
    if (!did && (fault.error_code != (5 | write | fetch) ||
                 fault.address >> 12 != (s->registers[r].descriptor.base + offset) >> 12))
        sim_fail(sim, "unit: page fault 0x%x at 0x%llx", fault.error_code,
                 (unsigned long long)fault.address);
    if (!did)
        return;
    if (access == QUIRE_ACCESS_WRITE)
        memcpy(slot->bytes + offset, bytes, n);
    else if (memcmp(bytes, slot->bytes + offset, n) != 0)
        sim_fail(sim, "unit: %u bytes at %s:0x%x are not what was stored", n,
                 quire_segment_names[r], offset);
}

void sim_act_reach(struct sim *sim, const int *a) {
    static const enum quire_access accesses[] = {QUIRE_ACCESS_READ, QUIRE_ACCESS_WRITE,
                                                 QUIRE_ACCESS_EXEC};
    struct sim_segments *s = &sim->segments;
    enum quire_segment_register r = (enum quire_segment_register)((unsigned)a[0] % QUIRE_NSEGMENTS);
    const struct sim_register *held = &s->registers[r];
    uint32_t offset = (uint32_t)a[1], n = 1 + (uint32_t)a[2] % REACH_MOST, linear;
    enum quire_access access = accesses[(unsigned)a[3] % 3];
    struct quire_segment_fault fault;
    if (!begun(sim))
        return;
    struct verdict want = judge_access(held, r, offset, n, access);
    bool did = quire_segment_translate(&s->unit, r, offset, n, access, &linear, &fault);
    compare_verdict(sim, "translate", did, want, &fault);
    if (!did)
        return;
    if (linear != (uint32_t)(held->descriptor.base + offset))
        sim_fail(sim, "unit: %s:0x%x is linear 0x%x", quire_segment_names[r], offset, linear);
    struct sim_slot *slot = held_slot(sim, held);
    bool executes = slot && access == QUIRE_ACCESS_EXEC && s->unit.pmap; /* no code lies there */
    if (slot && !executes)
        move_bytes(sim, r, slot, offset, n, access, a[4]);
}
