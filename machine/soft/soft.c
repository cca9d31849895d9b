/* soft.c: making and ending a software machine; what its parts cost; its last words.
 *
 * The machine is one host object: no globals, two machines live side by side. Its files, in the
 * order of a memory access:
 *
 *     cpu*, code*  instructions -> tlb.h (hit) ................................-> ram.c
 *                                  | miss
 *                                  mmu.c  walks tables (pmap.c, ../radix) -> ram.c
 *                                  | no entry
 *                                  quire_fault, quire_tick (the memory manager) -> disk.c
 *     clock.c  time for all of them          inject.c  when which of them fails
 *
 * What may fail: creation, for a bad configuration or a host without memory.
 */
#include <stdio.h>
#include <stdlib.h>

#include "compress.h"
#include "jit.h"
#include "machine.h"

/* The manager needs about 1 MiB for itself; less RAM is not a machine. */
#define RAM_MIN_BYTES ((uint64_t)1 << 20)
/* Frame numbers have 32 bits and the last is QUIRE_FRAME_NONE; 8 TiB also fits what 64-bit hosts
 * with 47-bit addresses can map beside everything else. */
#define RAM_MAX_BYTES ((uint64_t)1 << 43)
/* Swap slots have 32 bits over all areas (swap.h): 4 TiB a device is far below that. */
#define SWAP_MAX_BYTES ((uint64_t)1 << 42)

/* Default costs. They model a plain in-order core of today with a fast solid-state disk:
 * one instruction a nanosecond: 1 GHz at one instruction a cycle, an embedded RV64 board */
#define DEFAULT_INSTRUCTION_PS 1000u
/* a fault, trap to return: Linux on a 3 GHz x86-64 takes 1.5 to 2 us for an anonymous page under a
 * hypervisor and about 1 us on bare metal (measured by us with a loop over fresh pages) */
#define DEFAULT_FAULT_NS 1000u
/* latency of a 4 KiB random read of an NVMe disk with TLC flash: 60 to 100 us in vendors' data
 * sheets */
#define DEFAULT_DISK_LATENCY_NS 80000u
/* 4096 bytes at 3.2 GB/s, such a disk's sequential rate behind four PCIe 3.0 lanes */
#define DEFAULT_DISK_PAGE_NS 1280u

/* A TLB shootdown: an interrupt and the wait for its answer. "LATR: Lazy Translation Coherence"
 * (ASPLOS 2018) measures up to 6 us for 16 cores on two sockets. */
#define DEFAULT_SHOOTDOWN_NS      1000u
#define DEFAULT_SHOOTDOWN_HART_NS 300u /* for each hart beyond the first */
/* an 8237 on a PC's bus of 8 MHz */
#define DEFAULT_DMA_CYCLE_NS 125u

/* Where a page's number and a space's go into one: soft.h. */
#define MAX_WINDOW_VA ((uint64_t)1 << 48)

static bool whole_pages(uint64_t bytes) {
    return (bytes & QUIRE_PAGE_MASK) == 0;
}

/* 4-byte entries have 22 bits for a frame's number. */
#define RAM_MAX_32_BYTES ((uint64_t)SOFT_REGISTERS_AT_32 << QUIRE_PAGE_SHIFT)

static void take_shape(struct soft_shape *shape, const struct quire_radix_format *format) {
    unsigned leaf = format->levels - 1;
    bool blocks = leaf > 0 && format->leaf_levels >> (leaf - 1) & 1;
    *shape = (struct soft_shape){
        .format = format,
        .leaf_bits = format->bits[leaf],
        .leaf_span = format->shift[leaf] + format->bits[leaf],
        .large_order = blocks ? radix_order(format, leaf - 1) : 0,
        .user_limit = (uint64_t)1 << format->user_bits,
    };
}

static bool config_ok(const struct quire_soft_config *config) {
    if (!whole_pages(config->ram_bytes) || config->ram_bytes < RAM_MIN_BYTES ||
        config->ram_bytes > RAM_MAX_BYTES || config->harts > QUIRE_SOFT_HARTS)
        return false;
    if (config->format && config->format->entry_shift == 2 && config->ram_bytes > RAM_MAX_32_BYTES)
        return false;
    if ((unsigned)config->dma > QUIRE_SOFT_DMA_DEMAND ||
        config->dma_reach_bytes > QUIRE_DMA_REACH_BYTES)
        return false;
    if (config->kernel_map && config->format && config->format->levels == 1)
        return false;
    for (unsigned i = 0; i < QUIRE_SOFT_SWAPS; i++) {
        if (!whole_pages(config->swap_bytes[i]) || config->swap_bytes[i] > SWAP_MAX_BYTES)
            return false;
        if (!whole_pages(config->swap_step_bytes[i]) || !whole_pages(config->swap_max_bytes[i]) ||
            config->swap_max_bytes[i] > SWAP_MAX_BYTES)
            return false;
        if (config->swap_max_bytes[i] > config->swap_bytes[i] && !config->swap_step_bytes[i])
            return false;
    }
    return true;
}

static void take_defaults(struct quire_soft_config *config) {
    if (!config->format)
        config->format = &quire_radix_sv48;
    if (config->instruction_ps == 0)
        config->instruction_ps = DEFAULT_INSTRUCTION_PS;
    if (config->fault_ns == 0)
        config->fault_ns = DEFAULT_FAULT_NS;
    if (config->disk_latency_ns == 0)
        config->disk_latency_ns = DEFAULT_DISK_LATENCY_NS;
    if (config->dma_reach_bytes == 0)
        config->dma_reach_bytes = QUIRE_DMA_REACH_BYTES;
    if (config->dma_cycle_ns == 0)
        config->dma_cycle_ns = DEFAULT_DMA_CYCLE_NS;
    if (config->disk_page_ns == 0)
        config->disk_page_ns = DEFAULT_DISK_PAGE_NS;
    if (config->shootdown_ns == 0)
        config->shootdown_ns = DEFAULT_SHOOTDOWN_NS;
    if (config->shootdown_hart_ns == 0)
        config->shootdown_hart_ns = DEFAULT_SHOOTDOWN_HART_NS;
    if (config->harts == 0)
        config->harts = 1;
}

enum quire_status quire_soft_create(const struct quire_soft_config *config,
                                    struct quire_machine **out) {
    if (!config_ok(config))
        return QUIRE_INVAL;
    struct quire_machine *machine = calloc(1, sizeof *machine);
    if (!machine)
        return QUIRE_NOMEM;
    machine->config = *config;
    take_defaults(&machine->config);
    take_shape(&machine->shape, machine->config.format);
    machine->nharts = machine->config.harts;
    machine->horizon_ps = UINT64_MAX;
    quire_kernel_tables_shape(machine);
    quire_inject_seed(machine, config->seed);
    enum quire_status status = quire_ram_create(machine);
    if (status != QUIRE_OK)
        goto undo;
    quire_kernel_tables_create(machine);
    status = quire_dma_create(machine);
    if (status != QUIRE_OK)
        goto undo;
    status = quire_disk_create(machine);
    if (status != QUIRE_OK)
        goto undo;
    *out = machine;
    return QUIRE_OK;
undo:
    quire_soft_destroy(machine);
    return status;
}

void quire_soft_destroy(struct quire_machine *machine) {
    quire_jit_close(machine);
    quire_disk_destroy(machine);
    quire_dma_destroy(machine);
    quire_zstd_end(&machine->codec);
    quire_kernel_area_destroy(machine);
    quire_ram_destroy(machine);
    free(machine);
}

void quire_soft_counters(const struct quire_machine *machine, struct quire_soft_counters *out) {
    *out = machine->counters;
}

void quire_soft_watch(struct quire_machine *machine, const struct quire_soft_watch *watch) {
    machine->watch = watch ? *watch : (struct quire_soft_watch){0};
    machine->window.on = watch && watch->page_enters && machine->shape.user_limit <= MAX_WINDOW_VA;
    machine->every = machine->window.on || (watch && watch->accessed);
}

void quire_mach_oom_kill(struct quire_machine *machine, void *owner, const char *why) {
    if (machine->config.oom_kill)
        machine->config.oom_kill(machine->config.context, owner, why);
}

void quire_mach_log(struct quire_machine *machine, const char *line) {
    if (machine->config.log)
        machine->config.log(machine->config.context, line);
}

/* A broken invariant is never survived: state beyond it means nothing. The host's abort leaves a
 * core file for the debugger, with the manager's trace ring in it. */
_Noreturn void quire_mach_panic(struct quire_machine *machine, const char *file, int line,
                                const char *condition) {
    char text[256];
    snprintf(text, sizeof text, "panic: %s:%d: %s", file, line, condition);
    quire_mach_log(machine, text);
    fprintf(stderr, "quire: %s\n", text);
    abort();
}
