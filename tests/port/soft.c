/* soft.c: what only the software machine has: its configuration, costs, and failures on request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "machine/soft/mmu.h"
#include "port.h"

#define RAM_BYTES ((uint64_t)1 << 20)
#define LATENCY   1000u
#define PAGE_NS   100u
#define FAULT_NS  50u

static struct quire_soft_config plain_config(void) {
    return (struct quire_soft_config){
        .ram_bytes = RAM_BYTES,
        .swap_bytes = {16 * QUIRE_PAGE_SIZE},
        .seed = 42,
        .fault_ns = FAULT_NS,
        .disk_latency_ns = LATENCY,
        .disk_page_ns = PAGE_NS,
    };
}

static struct quire_machine *make(const struct quire_soft_config *config) {
    struct quire_machine *machine;
    assert_int_equal(quire_soft_create(config, &machine), QUIRE_OK);
    return machine;
}

static void configurations_are_checked(void **state) {
    (void)state;
    struct quire_machine *machine;
    struct quire_soft_config config = plain_config();
    config.ram_bytes = RAM_BYTES - QUIRE_PAGE_SIZE;
    assert_int_equal(quire_soft_create(&config, &machine), QUIRE_INVAL);
    config.ram_bytes = RAM_BYTES + 1;
    assert_int_equal(quire_soft_create(&config, &machine), QUIRE_INVAL);
    config.ram_bytes = UINT64_MAX & ~QUIRE_PAGE_MASK;
    assert_int_equal(quire_soft_create(&config, &machine), QUIRE_INVAL);
    config = plain_config();
    config.swap_bytes[3] = 100;
    assert_int_equal(quire_soft_create(&config, &machine), QUIRE_INVAL);
    config.swap_bytes[3] = (uint64_t)1 << 60;
    assert_int_equal(quire_soft_create(&config, &machine), QUIRE_INVAL);
}

static void waiting_is_charged(void **state) {
    (void)state;
    struct quire_soft_config config = plain_config();
    struct quire_machine *machine = make(&config);
    quire_frame frame = {5};
    quire_mach_swap_write(machine, 0, 0, frame);
    assert_int_equal(quire_mach_now_ns(machine), LATENCY + PAGE_NS);
    quire_soft_idle_until(machine, 5000);
    quire_soft_idle_until(machine, 4000); /* the past changes nothing */
    assert_int_equal(quire_mach_now_ns(machine), 5000);
    quire_mach_swap_read(machine, 0, 0, &frame, 1);
    quire_soft_charge(machine, 7);
    assert_int_equal(quire_mach_now_ns(machine), 5000 + LATENCY + PAGE_NS + 7);
    struct quire_soft_counters counters;
    quire_soft_counters(machine, &counters);
    assert_int_equal(counters.stall_ns, 2 * (LATENCY + PAGE_NS));
    assert_int_equal(counters.idle_ns, 5000 - LATENCY - PAGE_NS);
    assert_int_equal(counters.disk_reads, 1);
    assert_int_equal(counters.disk_writes, 1);
    assert_int_equal(counters.background_ns, 0);
    quire_soft_destroy(machine);
}

/* Of the programs' files: the next page in the row was on its way already. */
static void files_are_waited_for(void **state) {
    (void)state;
    struct quire_soft_config config = plain_config();
    struct quire_machine *machine = make(&config);
    quire_soft_file_read(machine, false);
    assert_int_equal(quire_mach_now_ns(machine), LATENCY + PAGE_NS);
    quire_soft_file_read(machine, true);
    assert_int_equal(quire_mach_now_ns(machine), LATENCY + 2 * PAGE_NS);
    struct quire_soft_counters counters;
    quire_soft_counters(machine, &counters);
    assert_int_equal(counters.stall_ns, LATENCY + 2 * PAGE_NS);
    assert_int_equal(quire_soft_hart_stall_ns(machine, 0), LATENCY + 2 * PAGE_NS);
    assert_int_equal(counters.disk_reads, 0); /* of swap */
    quire_soft_destroy(machine);
}

static void ticks_come_each_millisecond_or_when_wanted(void **state) {
    (void)state;
    port_double_reset();
    struct quire_soft_config config = plain_config();
    struct quire_machine *machine = make(&config);
    assert_true(quire_soft_tick_if_due(machine, NULL)); /* the first is due at once */
    assert_false(quire_soft_tick_if_due(machine, NULL));
    quire_soft_charge(machine, 999999);
    assert_false(quire_soft_tick_if_due(machine, NULL));
    quire_soft_charge(machine, 1);
    assert_true(quire_soft_tick_if_due(machine, NULL));
    assert_false(quire_soft_tick_if_due(machine, NULL));
    port_double.wants_tick = true;
    assert_true(quire_soft_tick_if_due(machine, NULL));
    assert_int_equal(port_double.ticks, 3);
    quire_soft_destroy(machine);
}

/* ---- injected failures ----------------------------------------------------------------------- */

static void fill(struct quire_machine *machine, quire_frame frame, uint8_t byte) {
    memset(quire_mach_window(machine, frame), byte, QUIRE_PAGE_SIZE);
}

static unsigned count_byte(struct quire_machine *machine, quire_frame frame, uint8_t byte) {
    const uint8_t *bytes = quire_mach_window(machine, frame);
    unsigned n = 0;
    for (unsigned i = 0; i < QUIRE_PAGE_SIZE; i++)
        n += bytes[i] == byte;
    return n;
}

static void disks_fail_as_told(void **state) {
    (void)state;
    struct quire_soft_config config = plain_config();
    struct quire_machine *machine = make(&config);
    quire_frame out = {5}, in = {6};
    fill(machine, out, 1);
    for (unsigned slot = 0; slot < 16; slot++)
        assert_int_equal(quire_mach_swap_write(machine, 0, slot, out), QUIRE_OK);

    quire_soft_inject(machine, QUIRE_SOFT_READ_ERROR, 1);
    assert_int_equal(quire_mach_swap_read(machine, 0, 0, &in, 1), QUIRE_IO);
    quire_soft_inject(machine, QUIRE_SOFT_READ_ERROR, 0);
    assert_int_equal(quire_mach_swap_read(machine, 0, 0, &in, 1), QUIRE_OK);
    assert_int_equal(count_byte(machine, in, 1), QUIRE_PAGE_SIZE);

    quire_soft_inject(machine, QUIRE_SOFT_BIT_FLIP, 1);
    assert_int_equal(quire_mach_swap_read(machine, 0, 0, &in, 1), QUIRE_OK);
    assert_int_equal(count_byte(machine, in, 1), QUIRE_PAGE_SIZE - 1);
    quire_soft_inject(machine, QUIRE_SOFT_BIT_FLIP, 0);

    fill(machine, out, 2);
    quire_soft_inject(machine, QUIRE_SOFT_LOST_WRITE, 1);
    assert_int_equal(quire_mach_swap_write(machine, 0, 0, out), QUIRE_OK);
    quire_soft_inject(machine, QUIRE_SOFT_LOST_WRITE, 0);
    quire_mach_swap_read(machine, 0, 0, &in, 1);
    assert_int_equal(count_byte(machine, in, 1), QUIRE_PAGE_SIZE);

    quire_soft_inject(machine, QUIRE_SOFT_WRITE_ERROR, 1);
    assert_int_equal(quire_mach_swap_write(machine, 0, 0, out), QUIRE_IO);
    quire_soft_inject(machine, QUIRE_SOFT_WRITE_ERROR, 0);
    quire_mach_swap_read(machine, 0, 0, &in, 1);
    assert_int_equal(count_byte(machine, in, 2), QUIRE_PAGE_SIZE / 2); /* torn */

    quire_soft_inject(machine, QUIRE_SOFT_MISDIRECTED, 1);
    assert_int_equal(quire_mach_swap_write(machine, 0, 14, out), QUIRE_OK);
    assert_int_equal(quire_mach_swap_write(machine, 0, 15, out), QUIRE_OK); /* to 14 */
    quire_soft_inject(machine, QUIRE_SOFT_MISDIRECTED, 0);
    quire_mach_swap_read(machine, 0, 14, &in, 1);
    assert_int_equal(count_byte(machine, in, 2), QUIRE_PAGE_SIZE);
    quire_soft_destroy(machine);
}

/* Lies that only what was stored before can show: half a page, the old page, a page that is late.
 */
static void disks_lie_as_told(void **state) {
    (void)state;
    struct quire_soft_config config = plain_config();
    struct quire_machine *machine = make(&config);
    quire_frame out = {5}, in = {6};
    fill(machine, out, 1);
    for (unsigned slot = 0; slot < 16; slot++)
        assert_int_equal(quire_mach_swap_write(machine, 0, slot, out), QUIRE_OK);
    fill(machine, out, 2);

    quire_soft_inject(machine, QUIRE_SOFT_TORN_WRITE, 1);
    assert_int_equal(quire_mach_swap_write(machine, 0, 0, out), QUIRE_OK);
    quire_soft_inject(machine, QUIRE_SOFT_TORN_WRITE, 0);
    assert_int_equal(quire_mach_swap_read(machine, 0, 0, &in, 1), QUIRE_OK);
    assert_int_equal(count_byte(machine, in, 2), QUIRE_PAGE_SIZE / 2);

    quire_soft_inject(machine, QUIRE_SOFT_STALE_READ, 1);
    assert_int_equal(quire_mach_swap_write(machine, 0, 1, out), QUIRE_OK);
    quire_soft_inject(machine, QUIRE_SOFT_STALE_READ, 0);
    quire_mach_swap_read(machine, 0, 1, &in, 1);
    assert_int_equal(count_byte(machine, in, 1), QUIRE_PAGE_SIZE);
    quire_mach_swap_read(machine, 0, 1, &in, 1); /* but once only */
    assert_int_equal(count_byte(machine, in, 2), QUIRE_PAGE_SIZE);

    quire_soft_inject(machine, QUIRE_SOFT_LATE_WRITE, 1);
    assert_int_equal(quire_mach_swap_write(machine, 0, 2, out), QUIRE_OK);
    quire_soft_inject(machine, QUIRE_SOFT_LATE_WRITE, 0);
    quire_mach_swap_read(machine, 0, 2, &in, 1);
    assert_int_equal(count_byte(machine, in, 1), QUIRE_PAGE_SIZE);
    for (unsigned i = 0; i < 16; i++)
        quire_mach_swap_read(machine, 0, 2, &in, 1);
    assert_int_equal(count_byte(machine, in, 2), QUIRE_PAGE_SIZE);
    quire_soft_destroy(machine);
}

static void the_nth_operation_fails(void **state) {
    (void)state;
    struct quire_soft_config config = plain_config();
    struct quire_machine *machine = make(&config);
    quire_frame frame = {5};
    quire_soft_fail_io(machine, 2, 2);
    assert_int_equal(quire_mach_swap_write(machine, 0, 0, frame), QUIRE_OK);
    assert_int_equal(quire_mach_swap_write(machine, 0, 0, frame), QUIRE_IO);
    assert_int_equal(quire_mach_swap_read(machine, 0, 0, &frame, 1), QUIRE_IO);
    assert_int_equal(quire_mach_swap_read(machine, 0, 0, &frame, 1), QUIRE_OK);
    quire_soft_fail_io(machine, 1, UINT64_MAX);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(quire_mach_swap_read(machine, 0, 0, &frame, 1), QUIRE_IO);
    quire_soft_fail_io(machine, 1, 0);
    assert_int_equal(quire_mach_swap_read(machine, 0, 0, &frame, 1), QUIRE_OK);
    quire_soft_destroy(machine);
}

/* The same seed fails in the same places; about one in n; kinds do not disturb each other. */
static uint64_t failures(uint64_t seed, bool flips_too) {
    struct quire_soft_config config = plain_config();
    config.seed = seed;
    struct quire_machine *machine = make(&config);
    quire_soft_inject(machine, QUIRE_SOFT_WRITE_ERROR, 4);
    if (flips_too)
        quire_soft_inject(machine, QUIRE_SOFT_LOST_WRITE, 0);
    uint64_t set = 0;
    for (unsigned i = 0; i < 64; i++) {
        if (flips_too)
            quire_mach_swap_read(machine, 0, 0, &(quire_frame){5}, 1);
        if (quire_mach_swap_write(machine, 0, 0, (quire_frame){5}) == QUIRE_IO)
            set |= (uint64_t)1 << i;
    }
    quire_soft_destroy(machine);
    return set;
}

static void failures_follow_the_seed(void **state) {
    (void)state;
    uint64_t first = failures(1, false);
    assert_true(first == failures(1, false));
    assert_true(first == failures(1, true));
    assert_true(first != failures(2, false));
    int n = __builtin_popcountll(first);
    assert_true(n > 4 && n < 32);
}

static void release(void *context, quire_frame frame) {
    (void)frame;
    (*(unsigned *)context)++;
}

static void mappings_vanish_as_told(void **state) {
    (void)state;
    port_double_reset();
    struct quire_soft_config config = plain_config();
    struct quire_machine *machine = make(&config);
    struct quire_pmap *pmap = quire_mach_pmap_create(machine, NULL, (quire_frame){255});
    struct quire_stash stash = {.count = 3, .frames = {{254}, {253}, {252}}};
    quire_soft_inject(machine, QUIRE_SOFT_DROP_MAPPING, 1);
    for (unsigned i = 0; i < 200; i++) {
        quire_mach_pmap_enter(pmap, quire_va(i * QUIRE_PAGE_SIZE), (quire_frame){i}, 0,
                              QUIRE_PROT_READ, &stash);
        struct quire_pmap_entry entry;
        quire_mach_pmap_query(pmap, quire_va(i * QUIRE_PAGE_SIZE), &entry);
        assert_true(entry.mapped); /* never the one that was asked for */
    }
    unsigned there = 0, tables = 0;
    for (unsigned i = 0; i < 200; i++) {
        struct quire_pmap_entry entry;
        quire_mach_pmap_query(pmap, quire_va(i * QUIRE_PAGE_SIZE), &entry);
        there += entry.mapped;
    }
    assert_true(there > 100 && there < 190);
    quire_mach_pmap_destroy(pmap, release, &tables);
    assert_int_equal(tables, 4);
    quire_soft_destroy(machine);
}

/* ---- the memory unit ------------------------------------------------------------------------- */

static void bits_and_tlb_follow_accesses(void **state) {
    (void)state;
    port_double_reset();
    struct quire_soft_config config = plain_config();
    struct quire_machine *machine = make(&config);
    struct quire_pmap *pmap = quire_mach_pmap_create(machine, NULL, (quire_frame){255});
    struct quire_stash stash = {.count = 3, .frames = {{254}, {253}, {252}}};
    uint64_t va = 0x7000;
    struct quire_pmap_entry entry;
    struct tlb_entry *slot = tlb_slot(pmap->tlb, va);
    uint8_t *host;
    quire_mach_pmap_enter(pmap, quire_va(va), (quire_frame){9}, 0,
                          QUIRE_PROT_READ | QUIRE_PROT_WRITE, &stash);
    assert_int_equal(quire_mmu_access(pmap, va + 3, QUIRE_ACCESS_READ, &host), QUIRE_OK);
    assert_ptr_equal(host, (uint8_t *)quire_mach_window(machine, (quire_frame){9}) + 3);
    assert_int_equal(slot->read_tag, va);
    assert_true(slot->write_tag == TLB_NO_TAG); /* the first store has to come by for the D bit */
    assert_ptr_equal((uint8_t *)(va + 3 + slot->addend), host);
    quire_mach_pmap_query(pmap, quire_va(va), &entry);
    assert_true(entry.referenced && !entry.modified);
    assert_int_equal(quire_mmu_access(pmap, va, QUIRE_ACCESS_WRITE, &host), QUIRE_OK);
    assert_int_equal(slot->write_tag, va);
    quire_mach_pmap_query(pmap, quire_va(va), &entry);
    assert_true(entry.referenced && entry.modified);
    quire_mach_pmap_protect(pmap, quire_va(va), 1, QUIRE_PROT_READ);
    assert_true(slot->read_tag == TLB_NO_TAG && slot->write_tag == TLB_NO_TAG);
    /* Kernel half, beyond, and last byte of the address space: a fault like any other. */
    uint64_t wild[] = {(uint64_t)1 << 47, (uint64_t)1 << 63, UINT64_MAX};
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(quire_mmu_access(pmap, wild[i], QUIRE_ACCESS_READ, &host), QUIRE_FAULT);
    struct quire_soft_counters counters;
    quire_soft_counters(machine, &counters);
    assert_int_equal(counters.tlb_misses, 5);
    assert_int_equal(counters.faults, 3);
    assert_int_equal(counters.fault_ns, 3 * FAULT_NS);
    assert_int_equal(quire_mach_now_ns(machine), 3 * FAULT_NS);
    unsigned tables = 0;
    quire_mach_pmap_destroy(pmap, release, &tables);
    quire_soft_destroy(machine);
}

/* One walk for 512 pages, however the small bank forgets them; and what takes it away. */
static void a_large_entry_reaches_far(void **state) {
    (void)state;
    port_double_reset();
    struct quire_soft_config config = plain_config();
    config.ram_bytes = (uint64_t)8 << 20;
    struct quire_machine *machine = make(&config);
    struct quire_pmap *pmap = quire_mach_pmap_create(machine, NULL, (quire_frame){255});
    struct quire_stash stash = {.count = 3, .frames = {{254}, {253}, {252}}};
    struct quire_soft_counters counters;
    struct quire_pmap_entry entry;
    uint64_t va = (uint64_t)6 << 21;
    uint8_t *host;
    quire_mach_pmap_enter(pmap, quire_va(va), (quire_frame){512}, 9,
                          QUIRE_PROT_READ | QUIRE_PROT_WRITE, &stash);
    assert_int_equal(stash.count, 1); /* no leaf table */
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 512; i++) {
            uint64_t at = va + i * QUIRE_PAGE_SIZE + 3;
            assert_int_equal(quire_mmu_access(pmap, at, QUIRE_ACCESS_READ, &host), QUIRE_OK);
            uint8_t *window = quire_mach_window(machine, (quire_frame){512 + i});
            assert_ptr_equal(host, window + 3);
            assert_ptr_equal((uint8_t *)(at + tlb_slot(pmap->tlb, at)->addend), host);
        }
    }
    quire_soft_counters(machine, &counters);
    assert_int_equal(counters.tlb_misses, 1);
    assert_int_equal(counters.tlb_large_fills, 1);
    assert_int_equal(counters.tlb_large_hits, 511); /* then each page has an entry of its own */

    /* The first store has to come by for the D bit, the next ones not. */
    for (unsigned i = 0; i < 512; i++)
        quire_mmu_access(pmap, va + i * QUIRE_PAGE_SIZE, QUIRE_ACCESS_WRITE, &host);
    quire_soft_counters(machine, &counters);
    assert_int_equal(counters.tlb_misses, 2);
    quire_mach_pmap_query(pmap, quire_va(va + 9 * QUIRE_PAGE_SIZE), &entry);
    assert_true(entry.modified && entry.referenced && entry.order == 9);

    /* A fetch fills no data entry, nor asks the large one. */
    assert_int_equal(quire_mmu_access(pmap, va, QUIRE_ACCESS_EXEC, &host), QUIRE_FAULT);

    /* After a harvest nothing of the block is in either bank. */
    assert_true(quire_mach_pmap_harvest(pmap, quire_va(va + 5 * QUIRE_PAGE_SIZE)));
    for (unsigned i = 0; i < TLB_SETS; i++) {
        assert_true(tlb_page(&pmap->tlb->entries[i]) == TLB_NO_TAG);
        for (unsigned way = 0; way < pmap->tlb->nolder[i]; way++)
            assert_true(tlb_page(&pmap->tlb->older[i][way]) == TLB_NO_TAG);
    }
    for (unsigned i = 0; i < TLB_LARGE_ENTRIES; i++)
        assert_true(pmap->tlb->large[i].tag == TLB_NO_TAG);

    /* A page of its own: the others keep their bits, and what the small bank has of them. */
    quire_mmu_access(pmap, va + 7 * QUIRE_PAGE_SIZE, QUIRE_ACCESS_WRITE, &host);
    quire_mach_pmap_enter(pmap, quire_va(va), (quire_frame){3}, 0, QUIRE_PROT_READ, &stash);
    assert_int_equal(stash.count, 0);
    quire_mach_pmap_query(pmap, quire_va(va + 7 * QUIRE_PAGE_SIZE), &entry);
    assert_true(entry.mapped && entry.order == 0 && entry.modified && entry.referenced);
    assert_int_equal(entry.frame.number, 519);
    assert_true(tlb_large_slot(pmap->tlb, va)->tag == TLB_NO_TAG);
    struct tlb_entry *slot = tlb_slot(pmap->tlb, va + 7 * QUIRE_PAGE_SIZE);
    assert_int_equal(slot->write_tag, va + 7 * QUIRE_PAGE_SIZE);
    /* And a block again: the table comes back. */
    quire_mach_pmap_enter(pmap, quire_va(va), (quire_frame){1024}, 9, QUIRE_PROT_READ, &stash);
    assert_int_equal(stash.count, 1);
    assert_int_equal(stash.frames[0].number, 254);
    assert_true(slot->write_tag == TLB_NO_TAG);
    unsigned tables = 0;
    quire_mach_pmap_destroy(pmap, release, &tables);
    assert_int_equal(tables, 3);
    quire_soft_destroy(machine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(configurations_are_checked),
        cmocka_unit_test(waiting_is_charged),
        cmocka_unit_test(files_are_waited_for),
        cmocka_unit_test(ticks_come_each_millisecond_or_when_wanted),
        cmocka_unit_test(disks_fail_as_told),
        cmocka_unit_test(disks_lie_as_told),
        cmocka_unit_test(the_nth_operation_fails),
        cmocka_unit_test(failures_follow_the_seed),
        cmocka_unit_test(mappings_vanish_as_told),
        cmocka_unit_test(bits_and_tlb_follow_accesses),
        cmocka_unit_test(a_large_entry_reaches_far),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
