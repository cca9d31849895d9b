/* dma_disk.c: swap devices behind the DMA controller, and the driver's half of it.
 *
 *     out    RAM --(out of reach: the processor copies to a bounce buffer)--> DMA --> disk's page
 *     in     disk's page --> DMA --(bounce buffer, copied on)--> RAM
 *
 * For each page the driver programs channel 2 over its ports, as for a PC's disk, the device raises
 * DREQ, bytes move cycle by cycle, and at EOP the device drops DREQ and interrupts; the driver
 * acknowledges. What that takes is added to the device's own time. Frames at 16 MiB and above have
 * addresses that the controller can't put out: they go through a frame of the machine's own, as
 * Linux's swiotlb does.
 *
 * Invariants:
 *   I1  a transfer never crosses 64 KiB: a page is aligned
 *   I2  the line IRQ is down between transfers
 *
 * What may fail: nothing here; disks do (disk.c). Called by disk.c.
 */
#include <stdlib.h>
#include <string.h>

#include "machine.h"

#define CHANNEL 2u

static uint8_t give(void *context) {
    struct soft_dma *disk = context;
    return disk->page[disk->at++];
}

static void take(void *context, uint8_t byte) {
    struct soft_dma *disk = context;
    disk->page[disk->at++] = byte;
}

/* The device has seen EOP. */
static void done(void *context) {
    struct soft_dma *disk = context;
    quire_dma_dreq(&disk->controller, CHANNEL, false);
    disk->controller.irq = true;
}

unsigned quire_dma_frames(const struct quire_machine *machine) {
    return machine->config.dma ? 1 : 0;
}

enum quire_status quire_dma_create(struct quire_machine *machine) {
    struct soft_dma *disk = &machine->dma;
    if (!machine->config.dma)
        return QUIRE_OK;
    disk->page = aligned_alloc(QUIRE_PAGE_SIZE, QUIRE_PAGE_SIZE); /* as ram.c wants it */
    if (!disk->page)
        return QUIRE_NOMEM;
    disk->bounce = soft_own_frame(machine);
    quire_dma_init(&disk->controller, machine->ram, machine->config.ram_bytes);
    disk->controller.channels[CHANNEL].device =
        (struct quire_dma_device){.give = give, .take = take, .done = done, .context = disk};
    return QUIRE_OK;
}

void quire_dma_destroy(struct quire_machine *machine) {
    free(machine->dma.page);
    machine->dma.page = NULL;
}

static void program(struct quire_machine *machine, uint64_t address, unsigned direction) {
    static const unsigned kinds[] = {[QUIRE_SOFT_DMA_SINGLE] = QUIRE_DMA_SINGLE,
                                     [QUIRE_SOFT_DMA_BLOCK] = QUIRE_DMA_BLOCK,
                                     [QUIRE_SOFT_DMA_DEMAND] = QUIRE_DMA_DEMAND};
    quire_dma_program(&machine->dma.controller, CHANNEL, kinds[machine->config.dma] | direction,
                      (uint32_t)address, QUIRE_PAGE_SIZE);
}

/* The device has a page to move: until its interrupt. */
static void transfer(struct quire_machine *machine, uint64_t address, unsigned direction) {
    struct soft_dma *disk = &machine->dma;
    struct quire_dma *dma = &disk->controller;
    uint64_t before = dma->clock;
    program(machine, address, direction);
    disk->at = 0;
    SOFT_CHECK(machine, !dma->irq); /* I2 */
    quire_dma_dreq(dma, CHANNEL, true);
    while (!dma->irq || dma->hlda) /* and the bus is the processor's again, to take it */
        quire_dma_clock(dma);
    SOFT_CHECK(machine, quire_dma_in(dma, QUIRE_DMA_COMMAND) & 1u << CHANNEL);
    dma->irq = false;
    machine->counters.dma_interrupts++;
    uint64_t ns = (dma->clock - before) * machine->config.dma_cycle_ns;
    if (machine->in_tick) {
        machine->counters.background_ns += ns;
        return;
    }
    machine->counters.stall_ns += ns;
    quire_soft_charge(machine, ns);
}

static bool in_reach(const struct quire_machine *machine, quire_frame frame) {
    uint64_t end = quire_frame_address(frame).value + QUIRE_PAGE_SIZE;
    return end <= machine->config.dma_reach_bytes;
}

const uint8_t *quire_dma_page_out(struct quire_machine *machine, quire_frame frame) {
    struct soft_dma *disk = &machine->dma;
    quire_frame from = frame;
    if (!in_reach(machine, frame)) {
        quire_mach_copy(machine, disk->bounce, frame);
        from = disk->bounce;
        machine->counters.dma_bounced++;
    }
    transfer(machine, quire_frame_address(from).value, QUIRE_DMA_FROM_MEMORY);
    return disk->page;
}

void quire_dma_page_in(struct quire_machine *machine, quire_frame frame) {
    struct soft_dma *disk = &machine->dma;
    quire_frame to = in_reach(machine, frame) ? frame : disk->bounce;
    transfer(machine, quire_frame_address(to).value, QUIRE_DMA_TO_MEMORY);
    if (to.number != frame.number) {
        quire_mach_copy(machine, frame, to);
        machine->counters.dma_bounced++;
    }
}

void quire_soft_dma_probe(struct quire_machine *machine,
                          void (*probe)(void *context, const struct quire_dma_cycle *cycle),
                          void *context) {
    machine->dma.controller.probe = probe;
    machine->dma.controller.probe_context = context;
}
