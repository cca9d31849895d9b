/* soft_harts.c: the software machine's harts: clocks of their own, TLBs of their own, and what a
 * shootdown counts and costs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "machine/soft/mmu.h"
#include "port.h"

#define VA           ((uint64_t)0x7000)
#define LATENCY      100000u
#define PAGE_NS      1000u
#define SHOOTDOWN_NS 500u
#define EACH_NS      50u
#define HARTS        4
#define RW           (QUIRE_PROT_READ | QUIRE_PROT_WRITE)

static struct quire_machine *make(unsigned harts) {
    struct quire_soft_config config = {
        .ram_bytes = (uint64_t)1 << 20,
        .swap_bytes = {16 * QUIRE_PAGE_SIZE},
        .harts = harts,
        .disk_latency_ns = LATENCY,
        .disk_page_ns = PAGE_NS,
        .shootdown_ns = SHOOTDOWN_NS,
        .shootdown_hart_ns = EACH_NS,
    };
    struct quire_machine *machine;
    port_double_reset();
    assert_int_equal(quire_soft_create(&config, &machine), QUIRE_OK);
    return machine;
}

static void harts_are_1_to_64(void **state) {
    (void)state;
    struct quire_soft_config config = {.ram_bytes = (uint64_t)1 << 20, .harts = 65};
    struct quire_machine *machine;
    assert_int_equal(quire_soft_create(&config, &machine), QUIRE_INVAL);
    machine = make(QUIRE_SOFT_HARTS);
    quire_soft_hart(machine, QUIRE_SOFT_HARTS - 1);
    quire_soft_charge(machine, 5);
    assert_int_equal(quire_soft_hart_ns(machine, QUIRE_SOFT_HARTS - 1), 5);
    quire_soft_destroy(machine);
}

/* What one waits for is nobody else's time; what was told does not go back. */
static void each_has_its_own_clock(void **state) {
    (void)state;
    struct quire_machine *machine = make(2);
    quire_frame frame = {5};
    quire_soft_charge(machine, 300);
    assert_int_equal(quire_soft_now_ns(machine), 300);
    quire_mach_swap_read(machine, 0, 0, &frame, 1);
    assert_int_equal(quire_soft_hart_ns(machine, 0), 300 + LATENCY + PAGE_NS);
    quire_soft_hart(machine, 1);
    assert_int_equal(quire_soft_hart_ns(machine, 1), 0);
    assert_int_equal(quire_soft_hart_ns(machine, 0), 300 + LATENCY + PAGE_NS);
    assert_int_equal(quire_soft_now_ns(machine), 300); /* not the 0 that it is here */
    quire_soft_charge(machine, 200);
    assert_int_equal(quire_soft_now_ns(machine), 300);
    quire_soft_charge(machine, 200);
    assert_int_equal(quire_soft_now_ns(machine), 400);
    assert_int_equal(quire_mach_now_ns(machine), 400); /* the manager has not asked yet */
    /* The disk is one: this read waits for the transfer of that one, but not for its latency. */
    quire_mach_swap_read(machine, 0, 1, &frame, 1);
    assert_int_equal(quire_soft_hart_ns(machine, 1),
                     400 + LATENCY + PAGE_NS + (300 + PAGE_NS - 400));
    uint64_t told = quire_mach_now_ns(machine);
    quire_soft_hart(machine, 0);
    assert_int_equal(quire_mach_now_ns(machine), told);
    quire_soft_idle_until(machine, told + 70);
    assert_int_equal(quire_soft_hart_idle_ns(machine, 0), told + 70 - (300 + LATENCY + PAGE_NS));
    assert_int_equal(quire_soft_hart_idle_ns(machine, 1), 0);
    quire_soft_destroy(machine);
}

/* A hart that is far ahead of the horizon does not make the machine's next tick wait for it. */
static void ticks_keep_to_the_horizon(void **state) {
    (void)state;
    struct quire_machine *machine = make(2);
    quire_soft_work_until(machine, 2000000);
    quire_soft_charge(machine, 50000000);
    assert_true(quire_soft_tick_if_due(machine, NULL));
    assert_false(quire_soft_tick_if_due(machine, NULL));
    quire_soft_hart(machine, 1);
    quire_soft_work_until(machine, UINT64_MAX);
    quire_soft_charge(machine, 2999999);
    assert_false(quire_soft_tick_if_due(machine, NULL));
    quire_soft_charge(machine, 1);
    assert_true(quire_soft_tick_if_due(machine, NULL));
    quire_soft_destroy(machine);
}

static void access_by(struct quire_machine *machine, struct quire_pmap *pmap, unsigned hart) {
    uint8_t *host;
    quire_soft_hart(machine, hart);
    assert_true(quire_tlb_select(pmap));
    if (tlb_slot(pmap->tlb, VA)->write_tag != VA)
        assert_int_equal(quire_mmu_access(pmap, VA, QUIRE_ACCESS_WRITE, &host), QUIRE_OK);
}

static void release(void *context, quire_frame frame) {
    (void)context, (void)frame;
}

/* Each hart misses once; a change is told to those that ran here, and not to the one that makes it,
 * and costs that one alone. */
static void shootdowns_are_counted_and_charged(void **state) {
    (void)state;
    struct quire_machine *machine = make(HARTS);
    struct quire_pmap *pmap = quire_mach_pmap_create(machine, NULL, (quire_frame){255});
    struct quire_stash stash = {.count = 3, .frames = {{254}, {253}, {252}}};
    struct quire_soft_counters counters;
    quire_mach_pmap_enter(pmap, quire_va(VA), (quire_frame){9}, 0, RW, &stash);
    for (unsigned round = 0; round < 2; round++)
        for (unsigned hart = 0; hart < 3; hart++)
            access_by(machine, pmap, hart);
    quire_soft_counters(machine, &counters);
    assert_int_equal(counters.tlb_misses, 3);
    assert_int_equal(counters.tlb_shootdowns, 0);

    uint64_t before = quire_soft_hart_ns(machine, 2), other = quire_soft_hart_ns(machine, 1);
    quire_mach_pmap_protect(pmap, quire_va(VA), 1, QUIRE_PROT_READ); /* by 2, of 0 and 1 */
    quire_soft_counters(machine, &counters);
    assert_int_equal(counters.tlb_shootdowns, 1);
    assert_int_equal(counters.tlb_shootdowns_received, 2);
    assert_int_equal(quire_soft_hart_ns(machine, 2), before + SHOOTDOWN_NS + EACH_NS);
    assert_int_equal(quire_soft_hart_ns(machine, 1), other);
    quire_mach_pmap_protect(pmap, quire_va(VA), 1, QUIRE_PROT_READ); /* nothing changes */
    quire_soft_counters(machine, &counters);
    assert_int_equal(counters.tlb_shootdowns, 1);
    quire_soft_hart(machine, 3); /* it never ran there: three to be told, as reclaim does it */
    quire_mach_pmap_remove(pmap, quire_va(VA), 1);
    quire_soft_counters(machine, &counters);
    assert_int_equal(counters.tlb_shootdowns, 2);
    assert_int_equal(counters.tlb_shootdowns_received, 5);
    assert_int_equal(quire_soft_hart_ns(machine, 3), SHOOTDOWN_NS + 2 * EACH_NS);
    quire_mach_pmap_destroy(pmap, release, NULL);
    quire_soft_destroy(machine);
}

/* A range is one shootdown; what only its own hart used is none; in a tick nobody waits for it. */
static void shootdowns_are_gathered(void **state) {
    (void)state;
    struct quire_machine *machine = make(HARTS);
    struct quire_pmap *pmap = quire_mach_pmap_create(machine, NULL, (quire_frame){255});
    struct quire_stash stash = {.count = 3, .frames = {{254}, {253}, {252}}};
    struct quire_soft_counters counters;
    uint8_t *host;
    quire_soft_hart(machine, 2);
    assert_true(quire_tlb_select(pmap));
    for (unsigned i = 0; i < 8; i++) {
        uint64_t va = VA + i * QUIRE_PAGE_SIZE;
        quire_mach_pmap_enter(pmap, quire_va(va), (quire_frame){9 + i}, 0, RW, &stash);
        assert_int_equal(quire_mmu_access(pmap, va, QUIRE_ACCESS_READ, &host), QUIRE_OK);
    }
    quire_mach_pmap_remove(pmap, quire_va(VA), 2);
    quire_soft_counters(machine, &counters);
    assert_int_equal(counters.tlb_shootdowns, 0);
    assert_int_equal(counters.tlb_flushes, 2);
    quire_soft_hart(machine, 0);
    quire_mach_pmap_remove(pmap, quire_va(VA), 8);
    quire_soft_counters(machine, &counters);
    assert_int_equal(counters.tlb_shootdowns, 1);
    assert_int_equal(counters.tlb_shootdowns_received, 1);
    assert_int_equal(quire_soft_hart_ns(machine, 0), SHOOTDOWN_NS);
    for (unsigned i = 0; i < TLB_SETS; i++)
        assert_true(pmap->tlb->entries[i].read_tag == TLB_NO_TAG);
    quire_mach_pmap_destroy(pmap, release, NULL);
    quire_soft_destroy(machine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(harts_are_1_to_64),
        cmocka_unit_test(each_has_its_own_clock),
        cmocka_unit_test(ticks_keep_to_the_horizon),
        cmocka_unit_test(shootdowns_are_counted_and_charged),
        cmocka_unit_test(shootdowns_are_gathered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
