/* faults_machine.c: the faults of segments, of the kernel's part and of devices: faults.c. */
#include "faults.h"
#include "machine/soft/dma.h"
#include "machine/soft/machine.h"
#include "machine/soft/mmu.h"
#include "machine/soft/segment.h"
#include "segment/segments.h"

WRAPPED(quire_strip_find);
WRAPPED(quire_segment_read);
WRAPPED(quire_segment_move);
WRAPPED(quire_mmu_access);
WRAPPED(quire_kernel_tables_enter);
WRAPPED(quire_dma_out);

static bool reaching; /* through the segmentation unit */

bool __wrap_quire_strip_find(struct strip *strip, enum quire_fit fit, uint32_t need,
                             uint32_t *start) {
    return __real_quire_strip_find(strip, strikes(FIT_IGNORED) ? QUIRE_FIT_FIRST : fit, need,
                                   start);
}

enum quire_status __wrap_quire_segment_read(struct quire_segment *segment) {
    return strikes(SEGMENT_STALE) ? QUIRE_OK : __real_quire_segment_read(segment);
}

bool __wrap_quire_segment_move(struct quire_segment_unit *unit, enum quire_segment_register segment,
                               uint32_t offset, void *bytes, uint32_t nbytes,
                               enum quire_access access, struct quire_segment_fault *fault) {
    reaching = true;
    bool moved = __real_quire_segment_move(unit, segment, offset, bytes, nbytes, access, fault);
    reaching = false;
    return moved;
}

enum quire_status __wrap_quire_mmu_access(struct quire_pmap *pmap, uint64_t va,
                                          enum quire_access access, uint8_t **host) {
    return reaching && strikes(KERNEL_OPEN) ? quire_mmu_kernel_access(pmap, va, access, host)
                                            : __real_quire_mmu_access(pmap, va, access, host);
}

void __wrap_quire_kernel_tables_enter(struct quire_machine *machine, uint64_t page,
                                      const quire_frame *frames, uint64_t npages) {
    if (!machine->tables.on || !frames || !strikes(KERNEL_UNMAPPED))
        __real_quire_kernel_tables_enter(machine, page, frames, npages);
}

void __wrap_quire_dma_out(struct quire_dma *dma, unsigned port, uint8_t value) {
    bool page = port >= QUIRE_DMA_PAGE && port < QUIRE_DMA_PAGE + QUIRE_DMA_CHANNELS;
    __real_quire_dma_out(dma, port, page && strikes(DMA_WRONG_PAGE) ? value & ~1u : value);
}
