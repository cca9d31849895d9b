/* dma.c: the DMA controller's registers and cycles, and swap through it, with pages out of its
 * reach.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <quire/quire.h>
#include <quire/space.h>

#include "machine/soft/dma.h"
#include "machine/soft/mmu.h"

#define MIB    ((uint64_t)1 << 20)
#define CYCLES 200000

/* ---- the controller by itself ---------------------------------------------------------------- */

struct rig {
    struct quire_dma dma;
    uint8_t memory[1 << 18];
    uint8_t device[1 << 16]; /* what it gives, or took */
    unsigned at, ends;
    unsigned drop_after; /* bytes until the device lets DREQ go; 0: at EOP */
    struct quire_dma_cycle cycles[CYCLES];
    unsigned ncycles;
};

static uint8_t give(void *context) {
    struct rig *rig = context;
    uint8_t byte = rig->device[rig->at++];
    if (rig->at == rig->drop_after)
        quire_dma_dreq(&rig->dma, 1, false);
    return byte;
}

static void take(void *context, uint8_t byte) {
    struct rig *rig = context;
    rig->device[rig->at++] = byte;
}

static void done(void *context) {
    struct rig *rig = context;
    rig->ends++;
    quire_dma_dreq(&rig->dma, 1, false);
}

static void record(void *context, const struct quire_dma_cycle *cycle) {
    struct rig *rig = context;
    assert_true(rig->ncycles < CYCLES);
    rig->cycles[rig->ncycles++] = *cycle;
    /* I1: bytes move only with the bus in hand; the chip never holds what it did not ask for. */
    if (cycle->state == QUIRE_DMA_S4 && !cycle->eop && cycle->hrq)
        assert_true(cycle->hlda && cycle->dack);
    if (cycle->dack)
        assert_true(cycle->hrq && cycle->hlda);
}

static struct rig *start(void) {
    static struct rig rig;
    memset(&rig, 0, sizeof rig);
    quire_dma_init(&rig.dma, rig.memory, sizeof rig.memory);
    rig.dma.channels[1].device = (struct quire_dma_device){give, take, done, &rig};
    rig.dma.probe = record;
    rig.dma.probe_context = &rig;
    for (unsigned i = 0; i < sizeof rig.device; i++)
        rig.device[i] = (uint8_t)(i * 7 + i / 256);
    return &rig;
}

static void program(struct rig *rig, unsigned mode, uint32_t address, unsigned nbytes) {
    quire_dma_program(&rig->dma, 1, mode, address, nbytes);
}

static void run(struct rig *rig, unsigned ncycles) {
    for (unsigned i = 0; i < ncycles; i++)
        quire_dma_clock(&rig->dma);
}

static unsigned rising(const struct rig *rig, char line) {
    unsigned n = 0;
    bool before = false;
    for (unsigned i = 0; i < rig->ncycles; i++) {
        const struct quire_dma_cycle *c = &rig->cycles[i];
        bool now = line == 'r' ? c->hrq : line == 'a' ? c->hlda : c->dack;
        n += now && !before;
        before = now;
    }
    return n;
}

/* Two bytes in block mode, cycle by cycle, as lines. */
static void the_handshake(void **state) {
    (void)state;
    struct rig *rig = start();
    char text[400] = "";
    program(rig, QUIRE_DMA_BLOCK | QUIRE_DMA_TO_MEMORY, 0x12345, 2);
    run(rig, 1);
    quire_dma_dreq(&rig->dma, 1, true);
    run(rig, 13);
    for (unsigned i = 0; i < rig->ncycles; i++) {
        const struct quire_dma_cycle *c = &rig->cycles[i];
        size_t n = strlen(text);
        snprintf(text + n, sizeof text - n, "%s %c%c%c%c%c\n", quire_dma_state_name(c->state),
                 c->dreq ? 'D' : '-', c->hrq ? 'R' : '-', c->hlda ? 'A' : '-', c->dack ? 'K' : '-',
                 c->eop ? 'E' : '-');
    }
    assert_string_equal(text, "SI -----\n"
                              "SI DR---\n" /* DREQ -> HRQ */
                              "S0 DRA--\n" /* HRQ -> HLDA */
                              "S0 DRA--\n"
                              "S1 DRA--\n"
                              "S2 DRAK-\n" /* HLDA -> DACK */
                              "S3 DRAK-\n"
                              "S4 DRAK-\n" /* a byte */
                              "S2 DRAK-\n"
                              "S3 DRAK-\n"
                              "S4 --A-E\n" /* the last one, EOP; HRQ goes */
                              "SI -----\n" /* and then HLDA */
                              "SI -----\n"
                              "SI -----\n");
    assert_int_equal(rig->ends, 1);
    assert_int_equal(rig->cycles[7].address, 0x12345);
    assert_int_equal(rig->cycles[10].address, 0x12346);
    assert_int_equal(rig->memory[0x12345], rig->device[0]);
    assert_int_equal(rig->memory[0x12346], rig->device[1]);
    assert_int_equal(rig->memory[0x12347], 0);
    assert_int_equal(quire_dma_in(&rig->dma, QUIRE_DMA_COMMAND), 2); /* channel 1 is done */
    assert_int_equal(quire_dma_in(&rig->dma, QUIRE_DMA_COMMAND), 0);
}

static void modes_hold_the_bus_differently(void **state) {
    (void)state;
    static const unsigned modes[] = {QUIRE_DMA_SINGLE, QUIRE_DMA_BLOCK, QUIRE_DMA_DEMAND};
    for (unsigned m = 0; m < 3; m++) {
        struct rig *rig = start();
        rig->drop_after = m == 2 ? 600 : 0;
        program(rig, modes[m] | QUIRE_DMA_TO_MEMORY, 0x10F00, 1000);
        quire_dma_dreq(&rig->dma, 1, true);
        while (rig->ends == 0) {
            quire_dma_clock(&rig->dma);
            if (m == 2 && rig->at == 600 && !rig->dma.hrq)
                quire_dma_dreq(&rig->dma, 1, true); /* more has come */
        }
        run(rig, 5);
        assert_memory_equal(rig->memory + 0x10F00, rig->device, 1000);
        assert_int_equal(rig->dma.bytes, 1000);
        unsigned asked = m == 0 ? 1000 : m == 1 ? 1 : 2;
        assert_int_equal(rising(rig, 'r'), asked);
        assert_int_equal(rising(rig, 'a'), asked);
        assert_int_equal(rising(rig, 'k'), asked);
        assert_false(rig->dma.hrq || rig->dma.hlda || rig->dma.dack);
        if (m == 1) { /* 4 upper addresses; SI, two S0 */
            uint64_t held = 3 * 1000 + 4 + 2;
            assert_int_equal(rig->dma.held, held);
        } else {
            assert_true(rig->dma.clock > rig->dma.held);
        }
    }
}

static void registers_are_the_chip_s(void **state) {
    (void)state;
    struct rig *rig = start();
    /* Masked, disabled: nothing happens. */
    program(rig, QUIRE_DMA_BLOCK | QUIRE_DMA_FROM_MEMORY, 0x20000, 4);
    quire_dma_out(&rig->dma, QUIRE_DMA_MASK, 5);
    quire_dma_dreq(&rig->dma, 1, true);
    run(rig, 20);
    assert_int_equal(rig->dma.bytes, 0);
    assert_int_equal(quire_dma_in(&rig->dma, QUIRE_DMA_COMMAND), 1 << 5); /* it asks */
    quire_dma_out(&rig->dma, QUIRE_DMA_MASK, 1);
    quire_dma_out(&rig->dma, QUIRE_DMA_COMMAND, 4);
    run(rig, 20);
    assert_int_equal(rig->dma.bytes, 0);
    quire_dma_out(&rig->dma, QUIRE_DMA_COMMAND, 0);
    memcpy(rig->memory + 0x20000, "ABCD", 4);
    run(rig, 40);
    assert_memory_equal(rig->device, "ABCD", 4);
    /* Both registers have counted; the channel has masked itself. */
    assert_int_equal(quire_dma_in(&rig->dma, 2), 4);
    assert_int_equal(quire_dma_in(&rig->dma, 2), 0);
    assert_int_equal(quire_dma_in(&rig->dma, 3), 0xFF);
    assert_int_equal(quire_dma_in(&rig->dma, 3), 0xFF);
    assert_int_equal(quire_dma_in(&rig->dma, QUIRE_DMA_PAGE + 1), 2);
    assert_int_equal(quire_dma_in(&rig->dma, 0x7F), 0xFF);
    quire_dma_dreq(&rig->dma, 1, true);
    run(rig, 20);
    assert_int_equal(rig->dma.bytes, 4);
    /* Autoinitialise: ready for the same again; downwards. */
    program(rig, QUIRE_DMA_BLOCK | QUIRE_DMA_TO_MEMORY | QUIRE_DMA_AUTO | QUIRE_DMA_DOWN, 0x30003,
            4);
    rig->at = 100;
    run(rig, 40);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(rig->memory[0x30003 - i], rig->device[100 + i]);
    assert_int_equal(quire_dma_in(&rig->dma, 2), 3);
    quire_dma_dreq(&rig->dma, 1, true);
    run(rig, 40);
    assert_int_equal(rig->ends, 3);
    assert_int_equal(rig->memory[0x30003], rig->device[104]);
    quire_dma_out(&rig->dma, QUIRE_DMA_CLEAR, 0);
    quire_dma_dreq(&rig->dma, 1, true);
    run(rig, 20);
    assert_int_equal(rig->ends, 3);
}

/* The page register does not count: a transfer wraps inside its 64 KiB. */
static void transfers_wrap_at_64_kib(void **state) {
    (void)state;
    struct rig *rig = start();
    program(rig, QUIRE_DMA_BLOCK | QUIRE_DMA_TO_MEMORY, 0x1FFFE, 4);
    quire_dma_dreq(&rig->dma, 1, true);
    run(rig, 60);
    assert_memory_equal(rig->memory + 0x1FFFE, rig->device, 2);
    assert_memory_equal(rig->memory + 0x10000, rig->device + 2, 2);
    assert_int_equal(rig->memory[0x20000], 0);
    /* And where there is no memory, nothing is written. */
    rig->at = 0;
    program(rig, QUIRE_DMA_BLOCK | QUIRE_DMA_TO_MEMORY, 0xFF0000, 4);
    quire_dma_dreq(&rig->dma, 1, true);
    run(rig, 60);
    assert_int_equal(rig->ends, 2);
}

/* Lower channels first; who has the bus keeps it. */
static void channels_have_priorities(void **state) {
    (void)state;
    struct rig *rig = start();
    unsigned last = 9, order[4], n = 0;
    for (unsigned c = 0; c < 4; c++) {
        quire_dma_out(&rig->dma, QUIRE_DMA_MODE, (uint8_t)(QUIRE_DMA_BLOCK | c)); /* verify */
        quire_dma_out(&rig->dma, 2 * c + 1, 2);
        quire_dma_out(&rig->dma, 2 * c + 1, 0);
        quire_dma_out(&rig->dma, QUIRE_DMA_MASK, (uint8_t)c);
    }
    quire_dma_out(&rig->dma, QUIRE_DMA_REQUEST, 4 | 3);
    run(rig, 3);
    quire_dma_out(&rig->dma, QUIRE_DMA_REQUEST, 4 | 2);
    quire_dma_out(&rig->dma, QUIRE_DMA_REQUEST, 4 | 0);
    run(rig, 60);
    for (unsigned i = 0; i < rig->ncycles; i++) {
        if (rig->cycles[i].dack && rig->cycles[i].channel != last)
            order[n++] = last = rig->cycles[i].channel;
    }
    assert_int_equal(n, 3);
    assert_true(order[0] == 3 && order[1] == 0 && order[2] == 2);
    assert_int_equal(rig->dma.bytes, 9);
}

/* ---- swap through it ------------------------------------------------------------------------- */

struct log {
    uint64_t clocks, bytes, irqs;
    uint32_t highest;
};

static void count(void *context, const struct quire_dma_cycle *cycle) {
    struct log *log = context;
    log->clocks++;
    log->bytes += cycle->state == QUIRE_DMA_S4;
    log->irqs += cycle->eop && cycle->irq;
    log->highest = cycle->address > log->highest ? cycle->address : log->highest;
}

static void fill(struct quire_machine *machine, uint32_t frame, unsigned value) {
    uint8_t *bytes = quire_mach_window(machine, (quire_frame){frame});
    for (unsigned i = 0; i < QUIRE_PAGE_SIZE; i++)
        bytes[i] = (uint8_t)(value * 31 + i * 3 + i / 256);
}

static void swap_goes_through_it(void **state) {
    (void)state;
    for (int mode = QUIRE_SOFT_DMA_NONE; mode <= QUIRE_SOFT_DMA_DEMAND; mode++) {
        struct quire_soft_config config = {.ram_bytes = 32 * MIB,
                                           .swap_bytes = {MIB},
                                           .dma = (enum quire_soft_dma)mode,
                                           .disk_latency_ns = 1000,
                                           .disk_page_ns = 10,
                                           .dma_cycle_ns = 2};
        struct quire_machine *machine;
        struct quire_soft_counters c;
        struct log log = {.clocks = 0};
        assert_int_equal(quire_soft_create(&config, &machine), QUIRE_OK);
        quire_soft_dma_probe(machine, count, &log);
        uint32_t low = 100, high = 5000; /* 20 MB: out of reach */
        fill(machine, low, 1);
        fill(machine, high, 2);
        assert_int_equal(quire_mach_swap_write(machine, 0, 7, (quire_frame){low}), QUIRE_OK);
        assert_int_equal(quire_mach_swap_write(machine, 0, 8, (quire_frame){high}), QUIRE_OK);
        const quire_frame back[] = {{high + 1}, {low + 1}};
        assert_int_equal(quire_mach_swap_read(machine, 0, 7, back, 2), QUIRE_OK);
        assert_memory_equal(quire_mach_window(machine, back[0]),
                            quire_mach_window(machine, (quire_frame){low}), QUIRE_PAGE_SIZE);
        assert_memory_equal(quire_mach_window(machine, back[1]),
                            quire_mach_window(machine, (quire_frame){high}), QUIRE_PAGE_SIZE);
        quire_soft_counters(machine, &c);
        bool on = mode != QUIRE_SOFT_DMA_NONE;
        assert_int_equal(c.dma_interrupts, on ? 4 : 0);
        assert_int_equal(c.dma_bounced, on ? 2 : 0);
        assert_int_equal(log.bytes, on ? 4 * QUIRE_PAGE_SIZE : 0);
        assert_int_equal(log.irqs, c.dma_interrupts);
        assert_true(log.highest < QUIRE_DMA_REACH_BYTES);
        assert_int_equal(c.stall_ns, 3 * 1000 + 4 * 10 + 2 * log.clocks);
        assert_int_equal(quire_mach_now_ns(machine), c.stall_ns);
        /* A failing read brings nothing in. */
        quire_soft_fail_io(machine, 1, 1);
        assert_int_equal(quire_mach_swap_read(machine, 0, 7, back, 2), QUIRE_IO);
        quire_soft_counters(machine, &c);
        assert_int_equal(c.dma_interrupts, on ? 4 : 0);
        quire_soft_destroy(machine);
    }
    struct quire_machine *machine;
    struct quire_soft_config bad = {.ram_bytes = MIB, .dma = (enum quire_soft_dma)4};
    assert_int_equal(quire_soft_create(&bad, &machine), QUIRE_INVAL);
}

/* A program with more memory than there is RAM, half of which the controller does not reach. */
static void a_program_swaps_through_it(void **state) {
    (void)state;
    struct quire_soft_config soft = {.ram_bytes = 8 * MIB,
                                     .swap_bytes = {16 * MIB},
                                     .dma = QUIRE_SOFT_DMA_BLOCK,
                                     .dma_reach_bytes = 4 * MIB};
    struct quire_machine *machine;
    struct quire *q;
    struct quire_space *space;
    struct quire_space_config limits = {.low = quire_va(0x10000),
                                        .high = quire_va((uint64_t)1 << 30),
                                        .map_top = quire_va((uint64_t)1 << 29)};
    assert_int_equal(quire_soft_create(&soft, &machine), QUIRE_OK);
    struct quire_config config = {.machine = machine, .swappiness = 60};
    assert_int_equal(quire_create(&config, &q), QUIRE_OK);
    assert_int_equal(quire_swapon(q, 0, 0), QUIRE_OK);
    assert_int_equal(quire_space_create(q, &limits, &space), QUIRE_OK);
    quire_vaddr va = quire_va(0);
    assert_int_equal(quire_map(space, &va, 10 * MIB, 3, 0, NULL, 0), QUIRE_OK);
    for (unsigned round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < 10 * MIB; i += QUIRE_PAGE_SIZE) {
            uint8_t *host;
            assert_int_equal(quire_mmu_access(quire_space_pmap(space),
                                              va.value + i + i / 4096 % 4000, QUIRE_ACCESS_WRITE,
                                              &host),
                             QUIRE_OK);
            assert_int_equal(*host, round ? (uint8_t)(i / 4096) : 0);
            *host = (uint8_t)(i / 4096);
        }
    }
    struct quire_soft_counters c;
    quire_soft_counters(machine, &c);
    assert_int_equal(c.dma_interrupts, c.disk_reads + c.disk_writes);
    assert_true(c.dma_bounced > 100 && c.dma_bounced < c.dma_interrupts);
    quire_space_destroy(space);
    quire_audit(q);
    quire_destroy(q);
    quire_soft_destroy(machine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_handshake),
        cmocka_unit_test(modes_hold_the_bus_differently),
        cmocka_unit_test(registers_are_the_chip_s),
        cmocka_unit_test(transfers_wrap_at_64_kib),
        cmocka_unit_test(channels_have_priorities),
        cmocka_unit_test(swap_goes_through_it),
        cmocka_unit_test(a_program_swaps_through_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
