/* ram.c: the machine's RAM, one run of frames from physical address 0 on. The first few are the
 * machine's own if it needs any; the manager never hears of them.
 *
 * RAM is one private host mapping, so the direct map that the port asks for is a single addition.
 * The host commits it page by page; huge host pages are asked for, because the first touch of each
 * small one costs the host a fault of its own (1.5 us here) that would drown what we measure.
 * Rejected: a malloc'd block, which would cost the whole size at once with some allocators and
 * cannot be aligned to huge pages for free.
 *
 * Invariants:
 *   I1  Every frame number handed to the port is below nframes.
 *
 * What may fail: creation, when the host has no address space, or the machine's own
 * tables need all of RAM. Nothing later.
 */
#include <string.h>
#include <sys/mman.h>

#include "machine.h"

/* Alignment of the mapping: a huge page of the usual hosts (x86-64, AArch64 with 4 KiB pages). */
#define HOST_HUGE_BYTES ((uint64_t)2 << 20)

uint8_t *quire_ram_reserve(uint64_t bytes) {
    uint64_t reserve = bytes + HOST_HUGE_BYTES;
    uint8_t *raw = mmap(NULL, reserve, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED)
        return NULL;
    /* Cut what lies before and after the aligned part. */
    uint64_t skip = -(uintptr_t)raw & (HOST_HUGE_BYTES - 1);
    if (skip > 0)
        munmap(raw, skip);
    munmap(raw + skip + bytes, HOST_HUGE_BYTES - skip);
    /* Only advice: a host that has no huge pages is slower, not wrong. */
    (void)madvise(raw + skip, bytes, MADV_HUGEPAGE);
    return raw + skip;
}

enum quire_status quire_ram_create(struct quire_machine *machine) {
    machine->ram = quire_ram_reserve(machine->config.ram_bytes);
    if (!machine->ram)
        return QUIRE_NOMEM;
    machine->nframes = machine->config.ram_bytes >> QUIRE_PAGE_SHIFT;
    machine->owned = quire_kernel_tables_frames(machine) + quire_dma_frames(machine);
    return machine->owned < machine->nframes ? QUIRE_OK : QUIRE_INVAL;
}

void quire_ram_destroy(struct quire_machine *machine) {
    if (machine->ram)
        munmap(machine->ram, machine->config.ram_bytes);
    machine->ram = NULL;
}

bool quire_mach_ram_range(struct quire_machine *machine, unsigned index,
                          struct quire_ram_range *range) {
    if (index > 0)
        return false;
    quire_paddr start = quire_frame_address((quire_frame){machine->owned});
    *range = (struct quire_ram_range){start, machine->config.ram_bytes - start.value};
    return true;
}

void *quire_mach_window(struct quire_machine *machine, quire_frame frame) {
    SOFT_CHECK(machine, frame.number < machine->nframes); /* I1 */
    return soft_host(machine, frame);
}

void quire_mach_zero(struct quire_machine *machine, quire_frame frame) {
    SOFT_CHECK(machine, frame.number < machine->nframes); /* I1 */
    uint8_t *page = soft_host(machine, frame);
    bool in_a_row = frame.number == machine->zeroed + 1;
    quire_ram_zero_page(page, in_a_row ? page + QUIRE_PAGE_SIZE : NULL);
    machine->zeroed = frame.number;
}

void quire_mach_copy(struct quire_machine *machine, quire_frame to, quire_frame from) {
    SOFT_CHECK(machine, to.number < machine->nframes && from.number < machine->nframes); /* I1 */
    SOFT_CHECK(machine, to.number != from.number);
    quire_ram_copy_page(soft_host(machine, to), soft_host(machine, from));
}
