/* kernel_tables.c: the kernel's part of every address space, in page tables, on request.
 *
 * The kernel of this computer is host code: it needs no translation. A machine with kernel_map has
 * the tables all the same, as a kernel that ran on it would have made them, so that programs share
 * one closed upper part and every kernel address can be walked:
 *
 *     32 bit    0 ------------------ 3 GiB ------------------------------------------- 4 GiB
 *     others    lower half            upper half
 *              | user                | direct map | gap | vmalloc ... kmap | fixmap |hole|
 *                                     supervisor, global, by the largest blocks that fit
 *
 * One root (the master) is filled at creation; each new space copies its upper entries, and the
 * tables below them exist once. So they must all be there before the first space is: those of the
 * kernel area too, whose entries then follow quire_mach_kernel_map.
 *
 * Invariants:
 *   I1  no entry here has the user bit; frames of the tables are the machine's own (soft_own_frame)
 *   I2  each page of the kernel area has its entry in a leaf table, valid while it shows something
 *   I3  the upper entries of all roots are equal
 *
 * What may fail: creation, with a format that has one level only (nothing could be shared) or RAM
 * too small for the tables. Called by soft.c, pmap.c, kernel_area.c; read by walk.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <quire/kmap.h>

#include "machine.h"

#define MIB ((uint64_t)1 << 20)
/* Linux on 32 bits: PAGE_OFFSET of 3 GiB; 896 MiB are mapped directly, 8 MiB (VMALLOC_OFFSET) stay
 * empty, and vmalloc begins at 0xF8800000. */
#define KERNEL_BASE_32 0xC0000000u
#define DIRECT_MAX_32  (896 * MIB)
#define AREA_BASE_32   0xF8800000u
#define ADDRESS_END_32 ((uint64_t)1 << 32)
#define AREA_PAGES     ((ADDRESS_END_32 - AREA_BASE_32) >> QUIRE_PAGE_SHIFT)

/* Without tables vmalloc is said to begin an eighth into the kernel's half, close to where Linux
 * has it on riscv (0xffff8f8000000000 of Sv48). */
#define AREA_SHARE_64 8

static bool is_32_bit(const struct quire_radix_format *format) {
    return format->entry_shift == 2;
}

void quire_kernel_tables_shape(struct quire_machine *machine) {
    const struct quire_radix_format *format = machine->shape.format;
    struct soft_kernel_tables *kernel = &machine->tables;
    uint64_t ram = machine->config.ram_bytes;
    uint64_t half = machine->shape.user_limit;
    kernel->on = machine->config.kernel_map;
    kernel->direct_bytes = ram;
    kernel->area_npages = AREA_PAGES;
    if (is_32_bit(format)) {
        kernel->area_base = AREA_BASE_32;
    } else if (kernel->on) {
        kernel->area_base = 0 - (AREA_PAGES << QUIRE_PAGE_SHIFT);
    } else { /* in no table, and as large as the host allows */
        kernel->area_base = 0 - half + half / AREA_SHARE_64;
        kernel->area_npages = 0;
    }
    if (!kernel->on)
        return;
    kernel->direct_base = 0 - half;
    if (is_32_bit(format)) {
        kernel->direct_base = machine->shape.user_limit = KERNEL_BASE_32;
        kernel->direct_bytes = ram < DIRECT_MAX_32 ? ram : DIRECT_MAX_32;
    }
}

/* Tables below the root for a stretch of addresses, level by level. What blocks may map needs none
 * but at its end. */
static unsigned tables_for(const struct quire_radix_format *format, uint64_t first, uint64_t bytes,
                           bool blocks) {
    unsigned tables = 0;
    for (unsigned level = 0; level + 1 < format->levels; level++) {
        unsigned shift = format->shift[level];
        if (blocks && (format->leaf_levels >> level & 1)) {
            uint64_t rest = bytes & (((uint64_t)1 << shift) - 1);
            first += bytes - rest;
            bytes = rest;
        }
        if (bytes == 0)
            break;
        tables += (unsigned)(((first + bytes - 1) >> shift) - (first >> shift)) + 1;
    }
    return tables;
}

unsigned quire_kernel_tables_frames(const struct quire_machine *machine) {
    const struct quire_radix_format *format = machine->shape.format;
    const struct soft_kernel_tables *kernel = &machine->tables;
    if (!kernel->on)
        return 0;
    unsigned path = format->levels - 1; /* table_for takes one first, and gives back what is left */
    return 1 + path + tables_for(format, kernel->direct_base, kernel->direct_bytes, true) +
           tables_for(format, kernel->area_base, kernel->area_npages << QUIRE_PAGE_SHIFT, false);
}

static struct quire_radix master(const struct quire_machine *machine) {
    return (struct quire_radix){machine->shape.format, machine->ram,
                                quire_frame_address(machine->tables.root).value};
}

/* A table of this level that covers va, made if need be from the machine's own frames. */
static void *table_for(struct quire_machine *machine, uint64_t va, unsigned level) {
    struct quire_radix radix = master(machine);
    struct quire_stash stash = {.count = level};
    for (unsigned i = level; i-- > 0;) /* the top of the stack first: what is left was taken last */
        stash.frames[i] = soft_own_frame(machine);
    void *table = quire_radix_grow(&radix, va, level, &stash);
    SOFT_CHECK(machine, table);
    machine->owned_next -= stash.count;
    return table;
}

/* The largest piece that one entry may map at `at` of what is left. */
static unsigned level_for(const struct quire_radix_format *format, uint64_t at, uint64_t left) {
    unsigned level = 0;
    for (; level + 1 < format->levels; level++) {
        uint64_t span = (uint64_t)1 << format->shift[level];
        if ((format->leaf_levels >> level & 1) && at % span == 0 && left >= span)
            break;
    }
    return level;
}

static void map_directly(struct quire_machine *machine) {
    const struct quire_radix_format *format = machine->shape.format;
    const struct soft_kernel_tables *kernel = &machine->tables;
    for (uint64_t at = 0; at < kernel->direct_bytes;) {
        uint64_t va = kernel->direct_base + at;
        unsigned level = level_for(format, at, kernel->direct_bytes - at);
        void *table = table_for(machine, va, level);
        quire_frame frame = quire_frame_at((quire_paddr){at});
        radix_store(format, table, radix_index(format, level, va),
                    radix_entry(frame, RADIX_VALID | RADIX_READ | RADIX_WRITE | RADIX_GLOBAL));
        at += (uint64_t)1 << format->shift[level];
    }
}

void quire_kernel_tables_create(struct quire_machine *machine) {
    const struct quire_radix_format *format = machine->shape.format;
    struct soft_kernel_tables *kernel = &machine->tables;
    if (!kernel->on)
        return;
    kernel->root = soft_own_frame(machine);
    memset(soft_host(machine, kernel->root), 0, QUIRE_PAGE_SIZE);
    map_directly(machine);
    uint64_t end = kernel->area_base + (kernel->area_npages << QUIRE_PAGE_SHIFT) - 1;
    uint64_t span = (uint64_t)1 << machine->shape.leaf_span;
    for (uint64_t va = kernel->area_base;; va = (va | (span - 1)) + 1) { /* I2 */
        (void)table_for(machine, va, format->levels - 1);
        if ((va | (span - 1)) >= end)
            break;
    }
}

/* Entries of a root that are the user's: those before the kernel's. */
static uint64_t user_entries(const struct quire_machine *machine) {
    return machine->shape.user_limit >> machine->shape.format->shift[0];
}

void quire_kernel_tables_share(struct quire_machine *machine, quire_frame root) {
    if (!machine->tables.on)
        return;
    size_t skip = user_entries(machine) << machine->shape.format->entry_shift;
    memcpy(soft_host(machine, root) + skip, soft_host(machine, machine->tables.root) + skip,
           QUIRE_PAGE_SIZE - skip);
}

void quire_kernel_tables_unshare(struct quire_machine *machine, quire_frame root) {
    if (!machine->tables.on)
        return;
    size_t skip = user_entries(machine) << machine->shape.format->entry_shift;
    memset(soft_host(machine, root) + skip, 0, QUIRE_PAGE_SIZE - skip);
}

void quire_kernel_tables_enter(struct quire_machine *machine, uint64_t page,
                               const quire_frame *frames, uint64_t npages) {
    const struct quire_radix_format *format = machine->shape.format;
    struct quire_radix radix = master(machine);
    for (uint64_t i = 0; machine->tables.on && i < npages; i++) {
        uint64_t va = machine->tables.area_base + ((page + i) << QUIRE_PAGE_SHIFT);
        void *leaf = quire_radix_leaf(&radix, va);
        uint64_t entry =
            frames ? radix_entry(frames[i], RADIX_VALID | RADIX_READ | RADIX_WRITE | RADIX_GLOBAL)
                   : 0;
        radix_store(format, leaf, radix_index(format, format->levels - 1, va), entry);
    }
}

/* ---- for users ------------------------------------------------------------------------------- */

uint64_t quire_soft_kernel_va(const struct quire_machine *machine, const void *pointer) {
    const struct soft_kernel_tables *kernel = &machine->tables;
    uintptr_t at = (uintptr_t)pointer;
    uint64_t window = at - (uintptr_t)machine->ram;
    uint64_t area = at - (uintptr_t)machine->kernel.base;
    if (kernel->on && window < kernel->direct_bytes)
        return kernel->direct_base + window;
    if (machine->kernel.base && area < machine->kernel.npages << QUIRE_PAGE_SHIFT)
        return kernel->area_base + area;
    return 0;
}

void quire_soft_layout(const struct quire_machine *machine, struct quire_soft_layout *out) {
    const struct soft_kernel_tables *kernel = &machine->tables;
    *out = (struct quire_soft_layout){
        .user_end = machine->shape.user_limit,
        .direct_bytes = kernel->direct_bytes,
        .registers = {is_32_bit(machine->shape.format) ? SOFT_REGISTERS_AT_32 : SOFT_REGISTERS_AT},
    };
    out->area_base = kernel->area_base;
    if (!kernel->on)
        return;
    out->direct_base = kernel->direct_base;
    out->area_bytes = kernel->area_npages << QUIRE_PAGE_SHIFT;
}

/* One line: a range and its size, in MiB where it has some. */
static size_t say_range(char *text, size_t capacity, size_t length, const char *name,
                        uint64_t start, uint64_t nbytes) {
    bool large = nbytes >= MIB;
    size_t left = length < capacity ? capacity - length : 0;
    int n =
        snprintf(left ? text + length : NULL, left,
                 "    %-7s : 0x%08" PRIx64 " - 0x%08" PRIx64 "   (%4" PRIu64 " %s)\n", name, start,
                 start + nbytes - 1, large ? nbytes / MIB : nbytes >> 10, large ? "MiB" : "KiB");
    return length + (n > 0 ? (size_t)n : 0);
}

size_t quire_soft_layout_text(const struct quire_machine *machine, char *text, size_t capacity) {
    const struct soft_kernel_tables *kernel = &machine->tables;
    const uint64_t hole = QUIRE_PAGE_SIZE, fixmap = QUIRE_FIXMAP_SLOTS * QUIRE_PAGE_SIZE;
    const uint64_t kmap = QUIRE_KMAP_SLOTS * QUIRE_PAGE_SIZE;
    uint64_t top = kernel->area_base + (kernel->area_npages << QUIRE_PAGE_SHIFT);
    int n = snprintf(text, capacity, "virtual kernel memory layout:\n");
    size_t length = n > 0 ? (size_t)n : 0;
    length = say_range(text, capacity, length, "hole", top - hole, hole);
    top -= hole + fixmap;
    length = say_range(text, capacity, length, "fixmap", top, fixmap);
    top -= kmap;
    length = say_range(text, capacity, length, "pkmap", top, kmap);
    length =
        say_range(text, capacity, length, "vmalloc", kernel->area_base, top - kernel->area_base);
    length = say_range(text, capacity, length, "lowmem", kernel->direct_base, kernel->direct_bytes);
    return say_range(text, capacity, length, "user", 0, machine->shape.user_limit);
}
