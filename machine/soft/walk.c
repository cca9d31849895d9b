/* walk.c: a translation told step by step, and the accesses that the kernel itself makes.
 *
 *     [segment unit] -> linear -> TLB? -> root -> ... -> leaf -> datum
 *                                  |       each table: one access of memory
 *                                  '- hit: the datum only
 *
 * mmu.c does the same in a few nanoseconds and says nothing; what both say of every address is
 * compared by tests/unit/walk.c. The walk is on its own because the fast path must not carry the
 * words. An entry is judged as mmu.c does: for a program it needs the user bit; the kernel may use
 * every address that a mapping allows.
 *
 * What may fail: nothing. A walk that is refused says where and why.
 */
#include "walk.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "machine.h"

#define NO_ACCESS UINT64_MAX

void quire_walk_begin(struct quire_walk *walk) {
    *walk = (struct quire_walk){.fault = QUIRE_WALK_OK};
}

struct quire_walk_step *quire_walk_add(struct quire_walk *walk, enum quire_walk_kind kind,
                                       uint64_t at, uint64_t value) {
    struct quire_walk_step *step = &walk->steps[walk->nsteps];
    if (walk->nsteps + 1 < QUIRE_WALK_STEPS)
        walk->nsteps++;
    *step = (struct quire_walk_step){.kind = kind, .at = at, .value = value};
    walk->accesses += at != NO_ACCESS;
    return step;
}

void quire_walk_refuse(struct quire_walk *walk, enum quire_walk_fault fault) {
    walk->fault = fault;
    quire_walk_add(walk, QUIRE_WALK_FAULT, NO_ACCESS, fault);
}

static void reach(struct quire_walk *walk, uint64_t physical) {
    walk->physical = physical;
    quire_walk_add(walk, QUIRE_WALK_DATUM, physical, 0);
}

/* Does a bank have the answer? Then that was the walk. */
static bool ask_tlb(struct quire_pmap *pmap, uint64_t va, enum quire_access access,
                    struct quire_walk *walk) {
    const struct tlb_large *large = tlb_large_slot(pmap->tlb, va);
    uint64_t bank = 0;
    uintptr_t addend = 0;
    if (access == QUIRE_ACCESS_EXEC)
        return false; /* fetches have the cache of decoded blocks: code.c */
    const struct tlb_entry *small = tlb_way(pmap->tlb, va, access);
    bool write = access == QUIRE_ACCESS_WRITE;
    if (small) {
        bank = 1;
        addend = small->addend;
    } else if (large->tag == tlb_block(pmap->tlb, va) && (write ? large->stores : large->loads)) {
        bank = 2;
        addend = large->addend;
    }
    quire_walk_add(walk, QUIRE_WALK_TLB, NO_ACCESS, 0)->index = bank;
    if (bank)
        reach(walk, (uintptr_t)va + addend - (uintptr_t)pmap->machine->ram);
    return bank != 0;
}

/* Is va one that this format can have at all? */
static enum quire_walk_fault judge_address(const struct quire_machine *machine, uint64_t va) {
    const struct soft_kernel_tables *kernel = &machine->tables;
    if (va < machine->shape.user_limit)
        return QUIRE_WALK_OK;
    if (!kernel->on || va < kernel->direct_base ||
        (machine->shape.format->entry_shift == 2 && va >> 32))
        return QUIRE_WALK_NO_ADDRESS;
    return QUIRE_WALK_OK; /* a program is refused by the entry, as in hardware */
}

static enum quire_walk_fault judge_entry(uint64_t entry, enum quire_access access,
                                         bool supervisor) {
    if (!(entry & RADIX_VALID))
        return QUIRE_WALK_NOT_PRESENT;
    if (!(entry & RADIX_USER) && !supervisor)
        return QUIRE_WALK_NOT_USER;
    if (!(entry & (uint64_t)access << RADIX_PROT_SHIFT))
        return QUIRE_WALK_NOT_ALLOWED;
    return QUIRE_WALK_OK;
}

void quire_walk_pages(struct quire_pmap *pmap, uint64_t va, enum quire_access access,
                      bool supervisor, bool with_tlb, struct quire_walk *walk) {
    const struct quire_machine *machine = pmap->machine;
    const struct quire_radix_format *format = machine->shape.format;
    uint64_t table = quire_frame_address(pmap->root).value;
    walk->linear = va;
    enum quire_walk_fault fault = judge_address(machine, va);
    if (fault != QUIRE_WALK_OK) {
        quire_walk_refuse(walk, fault);
        return;
    }
    if (with_tlb && !supervisor && ask_tlb(pmap, va, access, walk))
        return;
    for (unsigned level = 0; level < format->levels; level++) {
        uint64_t index = radix_index(format, level, va);
        uint64_t entry = radix_load(format, machine->ram + table, index);
        bool maps = radix_maps(entry);
        struct quire_walk_step *step =
            quire_walk_add(walk, maps ? QUIRE_WALK_LEAF : QUIRE_WALK_TABLE,
                           table + (index << format->entry_shift), entry);
        step->level = level;
        step->index = index;
        step->order = radix_order(format, level);
        if (!maps && (entry & RADIX_VALID)) {
            table = quire_frame_address(radix_frame(entry)).value;
            continue;
        }
        fault = judge_entry(entry, access, supervisor);
        if (fault != QUIRE_WALK_OK) {
            quire_walk_refuse(walk, fault);
            return;
        }
        uint64_t inside = va & (((uint64_t)1 << format->shift[level]) - 1);
        reach(walk, quire_frame_address(radix_frame(entry)).value + inside);
        return;
    }
}

void quire_soft_walk(struct quire_pmap *pmap, uint64_t va, enum quire_access access,
                     bool supervisor, bool with_tlb, struct quire_walk *walk) {
    quire_walk_begin(walk);
    quire_walk_pages(pmap, va, access, supervisor, with_tlb, walk);
}

void quire_soft_tables(struct quire_pmap *pmap, struct quire_radix_cost *cost) {
    const struct soft_shape *shape = &pmap->machine->shape;
    struct quire_radix radix = {shape->format, pmap->machine->ram,
                                quire_frame_address(pmap->root).value};
    quire_radix_cost(&radix, shape->user_limit >> shape->format->shift[0], cost);
}

/* ---- text ------------------------------------------------------------------------------------ */

struct writer {
    char *text;
    size_t capacity, length;
};

static __attribute__((format(printf, 2, 3))) void say(struct writer *to, const char *format, ...) {
    va_list arguments;
    size_t left = to->length < to->capacity ? to->capacity - to->length : 0;
    va_start(arguments, format);
    int n = vsnprintf(left ? to->text + to->length : NULL, left, format, arguments);
    va_end(arguments);
    to->length += n > 0 ? (size_t)n : 0;
}

static void say_bits(struct writer *to, uint64_t entry) {
    static const char names[] = "vrwxugad"; /* bit 0 first: enum quire_radix_bit */
    for (unsigned bit = 0; names[bit]; bit++)
        say(to, "%c", entry >> bit & 1 ? names[bit] : '-');
}

static void say_entry(struct writer *to, const struct quire_walk_step *step) {
    say(to, "level %u   entry %4" PRIu64 " at 0x%09" PRIx64 "   0x%08" PRIx64 "  ", step->level,
        step->index, step->at, step->value);
    say_bits(to, step->value);
    if (!(step->value & RADIX_VALID))
        return;
    say(to, "  %s 0x%" PRIx64, step->kind == QUIRE_WALK_LEAF ? "frame" : "table",
        (uint64_t)radix_frame(step->value).number);
    if (step->kind == QUIRE_WALK_LEAF && step->order > 0)
        say(to, ", a block of %" PRIu64 " KiB", (uint64_t)4 << step->order);
}

static const char *fault_text(enum quire_walk_fault fault) {
    static const char *const texts[] = {
        [QUIRE_WALK_OK] = "none",
        [QUIRE_WALK_NOT_PRESENT] = "page fault: nothing is mapped there now",
        [QUIRE_WALK_NOT_ALLOWED] = "page fault: the entry does not allow this access",
        [QUIRE_WALK_NOT_USER] = "page fault: the page is the kernel's, the access a program's",
        [QUIRE_WALK_NO_ADDRESS] = "page fault: the format has no such address",
        [QUIRE_WALK_SEGMENTED] = "refused by the segmentation unit",
    };
    return texts[fault];
}

static void say_step(struct writer *to, const struct quire_walk_step *step) {
    static const char *const banks[] = {"miss", "hit", "hit, by a block's entry"};
    switch (step->kind) {
    case QUIRE_WALK_SELECTOR:
        say(to, "selector  0x%04" PRIx64 ": entry %" PRIu64 " of the %s, RPL %" PRIu64, step->value,
            step->value >> 3, step->value & 4 ? "LDT" : "GDT", step->value & 3);
        break;
    case QUIRE_WALK_DESCRIPTOR:
        say(to, "segment   descriptor 0x%016" PRIx64 ", %s", step->value,
            step->at == NO_ACCESS ? "kept in the register" : "read from the table");
        break;
    case QUIRE_WALK_SEGMENT:
        say(to, "segment   entry %4" PRIu64 " at 0x%09" PRIx64 "   0x%016" PRIx64, step->index,
            step->at, step->value);
        break;
    case QUIRE_WALK_CHECK:
        say(to, "limit     offset 0x%" PRIx64 " against 0x%" PRIx64, step->value, step->index);
        break;
    case QUIRE_WALK_LINEAR:
        say(to, "linear    0x%" PRIx64, step->value);
        break;
    case QUIRE_WALK_TLB:
        say(to, "TLB       %s", banks[step->index]);
        break;
    case QUIRE_WALK_TABLE:
    case QUIRE_WALK_LEAF:
        say_entry(to, step);
        break;
    case QUIRE_WALK_DATUM:
        say(to, "datum     at 0x%09" PRIx64, step->at);
        break;
    case QUIRE_WALK_FAULT:
        say(to, "fault     %s", fault_text((enum quire_walk_fault)step->value));
        break;
    }
    say(to, "\n");
}

size_t quire_walk_text(const struct quire_walk *walk, char *text, size_t capacity) {
    struct writer to = {text, capacity, 0};
    if (capacity)
        text[0] = '\0';
    for (unsigned i = 0; i < walk->nsteps; i++)
        say_step(&to, &walk->steps[i]);
    say(&to, "%u access%s of memory\n", walk->accesses, walk->accesses == 1 ? "" : "es");
    return to.length;
}
