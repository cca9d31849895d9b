/* fixture_soft.c: the software machine for the conformance suite. */
#include <stdlib.h>
#include <string.h>

#include "machine/radix/radix.h"
#include "machine/soft/mmu.h"
#include "port.h"

#define HARTS 3

static const struct quire_radix_format *format = &quire_radix_sv48;

static bool with_dma, with_kernel;

/* A format's name; "dma": swap through the DMA controller; "kernel": the kernel's part in tables.
 */
bool port_fixture_select(const char *kind) {
    with_dma = kind && strcmp(kind, "dma") == 0;
    with_kernel = kind && strcmp(kind, "kernel") == 0;
    if (with_dma || with_kernel)
        return true;
    format = kind ? quire_radix_format_find(kind) : &quire_radix_sv48;
    return format != NULL;
}

struct quire_machine *port_fixture_create(void) {
    struct quire_soft_config config = {
        .ram_bytes = (uint64_t)16 << 20, /* two tables of 4 MiB, or a block of it */
        .format = format,
        .kernel_map = with_kernel,
        .dma = with_dma ? QUIRE_SOFT_DMA_SINGLE : QUIRE_SOFT_DMA_NONE,
        .dma_reach_bytes = (uint64_t)15 << 20, /* frames are taken from the top: some are bounced */
        .swap_bytes = {PORT_SLOTS * QUIRE_PAGE_SIZE, 8 * QUIRE_PAGE_SIZE},
        .seed = 1,
        .harts = HARTS,
    };
    struct quire_machine *machine;
    if (quire_soft_create(&config, &machine) != QUIRE_OK)
        abort();
    return machine;
}

void port_fixture_destroy(struct quire_machine *machine) {
    quire_soft_destroy(machine);
}

/* As the processor does it: first the TLB, then the slow path. */
enum quire_status port_fixture_access(struct quire_pmap *pmap, uint64_t va,
                                      enum quire_access access, uint8_t *byte) {
    if (!quire_tlb_select(pmap))
        abort();
    struct tlb_entry *slot = tlb_slot(pmap->tlb, va);
    uint64_t page = va & ~QUIRE_PAGE_MASK;
    uint8_t *host;
    if ((access == QUIRE_ACCESS_READ && slot->read_tag == page) ||
        (access == QUIRE_ACCESS_WRITE && slot->write_tag == page)) {
        host = (uint8_t *)(va + slot->addend);
    } else {
        enum quire_status status = quire_mmu_access(pmap, va, access, &host);
        if (status != QUIRE_OK)
            return status;
    }
    if (access == QUIRE_ACCESS_WRITE)
        *host = *byte;
    else
        *byte = *host;
    return QUIRE_OK;
}

uint64_t port_fixture_last_page(void) {
    return ((uint64_t)1 << format->user_bits) - QUIRE_PAGE_SIZE;
}

bool port_fixture_has_referenced(void) {
    return true;
}

bool port_fixture_exact_prot(void) {
    return true;
}

unsigned port_fixture_harts(void) {
    return HARTS;
}

void port_fixture_hart(struct quire_machine *machine, unsigned hart) {
    quire_soft_hart(machine, hart);
}
