/* kernel_area.c: addresses of the host process in which frames can appear in any order.
 *
 * RAM is private anonymous memory, for the sake of the host's huge pages, and such memory has one
 * address only. So a frame that is to be seen elsewhere gets another backing, by itself: a page of
 * a memory file, at the offset that is the frame's address:
 *
 *     kernel area    … | file page 7 | file page 3 | PROT_NONE (guard) | …
 *                              │             │
 *     memory file    | 0 … 3 ──┼─────────────┘ … 7 … | registers |
 *                         │    │
 *     RAM            … | frame 3 (file page 3) | anonymous … | frame 7 (file page 7) | …
 *
 * The bytes are copied once and the page is mapped over the frame's own address, which stays what
 * it was: pointers into RAM, the TLB's among them, hold. The frame keeps that backing for good, as
 * a kernel that mapped it once often does so again; what it costs is the host's huge page around
 * it. Rejected: all of RAM in a memory file, which has no huge pages on many hosts and makes every
 * first touch of a frame twice as dear.
 *
 * A host allows each process so many mappings (65,530 on Linux), and neighbours in the file are
 * one. They are counted here; when HOST_MAPPINGS are in use, map says NOMEM and takes back what it
 * had done in the area, before the host says so to somebody who cannot bear it.
 *
 * Beside RAM the machine has a bank of registers, SOFT_REGISTERS pages from SOFT_REGISTERS_AT on
 * (SOFT_REGISTERS_AT_32): they hold what is written to them.
 *
 * Invariants:
 *   I1  bit i of `backed` says that frame i of RAM is a page of the file at its own address
 *   I2  nmappings is at least the host mappings that this file made: exact in RAM, and in the area
 *       one for each bit of `starts`, where a run of neighbours begins
 */
#define _GNU_SOURCE /* memfd_create */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine.h"

/* The area has room for all of RAM once, and again, with gaps between. */
#define AREA_SHARE     2
#define AREA_MIN_BYTES ((uint64_t)64 << 20)
/* Three quarters of Linux's default for vm.max_map_count; the rest is for the process itself. */
#define HOST_MAPPINGS 49152

static bool ready(struct quire_machine *machine) {
    struct soft_kernel_area *area = &machine->kernel;
    if (area->base)
        return true;
    uint64_t nbytes = machine->config.ram_bytes * AREA_SHARE;
    nbytes = nbytes < AREA_MIN_BYTES ? AREA_MIN_BYTES : nbytes;
    if (machine->tables.area_npages) /* as many as there are kernel addresses for */
        nbytes = machine->tables.area_npages << QUIRE_PAGE_SHIFT;
    if (nbytes > SIZE_MAX / 2)
        return false;
    void *base = mmap(NULL, nbytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return false;
    area->base = base;
    area->npages = nbytes >> QUIRE_PAGE_SHIFT;
    area->file = -1;
    return true;
}

/* The file, and the note of what lies in it, are made when the first frame is mapped. */
static bool open_file(struct quire_machine *machine) {
    struct soft_kernel_area *area = &machine->kernel;
    if (area->file >= 0)
        return true;
    area->backed = calloc(1, machine->nframes / 8 + 1);
    area->starts = calloc(1, area->npages / 8 + 1);
    area->file = area->backed && area->starts ? memfd_create("quire-ram", MFD_CLOEXEC) : -1;
    uint64_t nbytes = machine->config.ram_bytes + SOFT_REGISTERS * QUIRE_PAGE_SIZE;
    if (area->file >= 0 && ftruncate(area->file, (off_t)nbytes) == 0)
        return true;
    if (area->file >= 0)
        close(area->file);
    area->file = -1;
    free(area->backed);
    free(area->starts);
    area->backed = area->starts = NULL;
    return false;
}

void quire_kernel_area_destroy(struct quire_machine *machine) {
    struct soft_kernel_area *area = &machine->kernel;
    if (!area->base)
        return;
    munmap(area->base, area->npages << QUIRE_PAGE_SHIFT);
    if (area->file >= 0)
        close(area->file);
    free(area->backed);
    free(area->starts);
    area->base = NULL;
}

static bool is_ram(const struct quire_machine *machine, quire_frame frame) {
    return frame.number < machine->nframes;
}

static uint32_t register_of(const struct quire_machine *machine, quire_frame frame) {
    bool small = machine->shape.format->entry_shift == 2;
    return frame.number - (small ? SOFT_REGISTERS_AT_32 : SOFT_REGISTERS_AT);
}

static bool is_register(const struct quire_machine *machine, quire_frame frame) {
    return register_of(machine, frame) < SOFT_REGISTERS;
}

static off_t offset_of(const struct quire_machine *machine, quire_frame frame) {
    uint64_t page =
        is_ram(machine, frame) ? frame.number : machine->nframes + register_of(machine, frame);
    return (off_t)(page << QUIRE_PAGE_SHIFT);
}

static bool map_file(struct quire_machine *machine, void *at, quire_frame first, uint64_t n) {
    return mmap(at, n << QUIRE_PAGE_SHIFT, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                machine->kernel.file, offset_of(machine, first)) != MAP_FAILED;
}

static bool has_bit(const uint8_t *bits, uint64_t i) {
    return bits[i / 8] >> (i % 8) & 1;
}

static bool is_backed(const struct quire_machine *machine, uint64_t frame) {
    return frame < machine->nframes && has_bit(machine->kernel.backed, frame);
}

/* Host mappings more (or fewer) when RAM's frames first to first + n - 1 move into the file: a run
 * with the file on neither side cuts one mapping into three, one between two joins three to one. */
static int added_mappings(const struct quire_machine *machine, uint64_t first, uint64_t n) {
    int left = first == 0 ? 0 : is_backed(machine, first - 1) ? -1 : 1;
    int right = first + n == machine->nframes ? 0 : is_backed(machine, first + n) ? -1 : 1;
    return left + right; /* -1: joins the file there; 1: another mapping there */
}

static bool may_add(const struct quire_machine *machine, int n) {
    return machine->kernel.nmappings + n <= HOST_MAPPINGS;
}

/* Give frames of RAM their page in the file, n in a row. */
static bool back(struct quire_machine *machine, quire_frame first, uint64_t n) {
    struct soft_kernel_area *area = &machine->kernel;
    for (uint64_t i = 0; i < n;) {
        uint32_t start = first.number + (uint32_t)i;
        uint64_t run = 0;
        while (i + run < n && !is_backed(machine, start + (uint32_t)run))
            run++;
        if (run == 0) {
            i++;
            continue;
        }
        quire_frame frame = {start};
        size_t nbytes = run << QUIRE_PAGE_SHIFT;
        int added = added_mappings(machine, start, run);
        if (!may_add(machine, added) ||
            pwrite(area->file, soft_host(machine, frame), nbytes, offset_of(machine, frame)) !=
                (ssize_t)nbytes ||
            !map_file(machine, soft_host(machine, frame), frame, run))
            return false;
        for (uint64_t k = 0; k < run; k++) /* I1 */
            area->backed[(start + k) / 8] |= (uint8_t)(1u << ((start + k) % 8));
        area->nmappings += added;
        i += run;
    }
    return true;
}

/* Note, or forget, where runs begin in the area. */
static void note_start(struct quire_machine *machine, const void *at) {
    struct soft_kernel_area *area = &machine->kernel;
    uint64_t page = (uint64_t)((const uint8_t *)at - area->base) >> QUIRE_PAGE_SHIFT;
    area->nmappings += !has_bit(area->starts, page);
    area->starts[page / 8] |= (uint8_t)(1u << (page % 8));
}

static void forget_starts(struct quire_machine *machine, const void *at, uint64_t n) {
    struct soft_kernel_area *area = &machine->kernel;
    uint64_t page = (uint64_t)((const uint8_t *)at - area->base) >> QUIRE_PAGE_SHIFT;
    for (uint64_t i = page; area->starts && i < page + n; i++) {
        area->nmappings -= has_bit(area->starts, i);
        area->starts[i / 8] &= (uint8_t) ~(1u << (i % 8));
    }
}

static bool forget(struct quire_machine *machine, void *at, uint64_t n) {
    forget_starts(machine, at, n);
    return n == 0 ||
           mmap(at, n << QUIRE_PAGE_SHIFT, PROT_NONE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED;
}

void quire_soft_fail_map(struct quire_machine *machine, uint64_t nth) {
    machine->kernel.fail_next = nth;
}

/* A call may have several runs: it is refused at one of them, what was mapped before is undone. */
static bool refused(struct quire_machine *machine) {
    return machine->kernel.fail_next > 0 && --machine->kernel.fail_next == 0;
}

bool quire_mach_kernel_area(struct quire_machine *machine, void **base, uint64_t *npages) {
    if (!ready(machine))
        return false;
    *base = machine->kernel.base;
    *npages = machine->kernel.npages;
    return true;
}

enum quire_status quire_mach_kernel_map(struct quire_machine *machine, void *at,
                                        const quire_frame *frames, uint64_t npages) {
    struct soft_kernel_area *area = &machine->kernel;
    uint8_t *address = at;
    SOFT_CHECK(machine, area->base && ((uintptr_t)at & QUIRE_PAGE_MASK) == 0);
    SOFT_CHECK(machine, npages <= area->npages && address >= area->base &&
                            address <= area->base + ((area->npages - npages) << QUIRE_PAGE_SHIFT));
    uint64_t page = (uint64_t)(address - area->base) >> QUIRE_PAGE_SHIFT;
    quire_kernel_tables_enter(machine, page, NULL, npages);
    if (!frames)
        return forget(machine, address, npages) ? QUIRE_OK : QUIRE_NOMEM;
    if (!open_file(machine))
        return QUIRE_NOMEM;
    for (uint64_t done = 0, run; done < npages; done += run) {
        quire_frame first = frames[done];
        SOFT_CHECK(machine, is_ram(machine, first) || is_register(machine, first));
        for (run = 1; done + run < npages; run++) { /* neighbours are mapped in one go */
            quire_frame next = frames[done + run];
            if (next.number != first.number + run ||
                !(is_ram(machine, first) ? is_ram(machine, next) : is_register(machine, next)))
                break;
        }
        uint8_t *here = address + (done << QUIRE_PAGE_SHIFT);
        if (refused(machine) || !may_add(machine, 1) ||
            (is_ram(machine, first) && !back(machine, first, run)) ||
            !map_file(machine, here, first, run)) {
            (void)forget(machine, address, npages);
            return QUIRE_NOMEM;
        }
        note_start(machine, here);
    }
    quire_kernel_tables_enter(machine, page, frames, npages);
    return QUIRE_OK;
}
