/* kmap.c: single frames, device registers, memory for devices: who gets what, who is refused, and
 * that nothing is kept. */
#include "rig.h"

#include <quire/kmap.h>
#include <quire/kmem.h>

#include "kmem/area.h"

static quire_paddr registers(uint64_t offset) {
    return (quire_paddr){((uint64_t)SOFT_REGISTERS_AT << 12) + offset};
}

/* A 32-bit machine's zones: the upper half is beyond the kernel's direct map. */
static void up_with_highmem(struct rig *rig) {
    static const uint64_t ends[QUIRE_NZONES] = {0, 0, 8 << 20, UINT64_MAX};
    struct quire_soft_config machine = {.ram_bytes = 16 * RIG_MIB, .seed = 1};
    memset(rig, 0, sizeof *rig);
    assert_int_equal(quire_soft_create(&machine, &rig->machine), QUIRE_OK);
    struct quire_config config = {.machine = rig->machine, .swappiness = 60, .zone_ends = ends};
    assert_int_equal(quire_create(&config, &rig->q), QUIRE_OK);
}

/* Frames of HIGHMEM as a test can have them: any free ones, for reading and writing only. */
static quire_frame high_frame(unsigned i) {
    return (quire_frame){(8 << 20 >> 12) + 512 + i};
}

static void kmap_slots(void **state) {
    (void)state;
    struct rig rig;
    quire_frame low;
    char *addresses[QUIRE_KMAP_SLOTS];
    up_with_highmem(&rig);
    assert_int_equal(quire_frames_alloc(rig.q, 0, &low), QUIRE_OK);
    assert_ptr_equal(quire_kmap(rig.q, low), quire_frame_window(rig.q, low)); /* no slot */
    quire_kunmap(rig.q, low);
    quire_frames_free(rig.q, low, 0);
    for (unsigned i = 0; i < QUIRE_KMAP_SLOTS; i++) {
        addresses[i] = quire_kmap(rig.q, high_frame(i));
        assert_non_null(addresses[i]);
        char *window = quire_mach_window(rig.machine, high_frame(i));
        assert_ptr_not_equal(addresses[i], window);
        addresses[i][100] = (char)(i + 1);
        assert_int_equal(window[100], i + 1);
    }
    assert_null(quire_kmap(rig.q, high_frame(QUIRE_KMAP_SLOTS)));
    quire_audit(rig.q);
    assert_ptr_equal(quire_kmap(rig.q, high_frame(5)), addresses[5]); /* the same, twice */
    quire_kunmap(rig.q, high_frame(5));
    assert_null(quire_kmap(rig.q, high_frame(99))); /* one user is left */
    quire_kunmap(rig.q, high_frame(5));
    char *other = quire_kmap(rig.q, high_frame(99));
    assert_ptr_equal(other, addresses[5]);
    other[7] = 'o';
    assert_int_equal(*((char *)quire_mach_window(rig.machine, high_frame(99)) + 7), 'o');
    assert_int_equal(*((char *)quire_mach_window(rig.machine, high_frame(5)) + 100), 6);
    quire_kunmap(rig.q, high_frame(99));
    quire_soft_fail_map(rig.machine, 1);
    assert_null(quire_kmap(rig.q, high_frame(200)));
    quire_audit(rig.q);
    for (unsigned i = 0; i < QUIRE_KMAP_SLOTS; i++) {
        if (i != 5)
            quire_kunmap(rig.q, high_frame(i));
    }
    rig_down(&rig);
}

static void fixmap_slots(void **state) {
    (void)state;
    struct rig rig;
    quire_frame frame;
    rig_up(&rig, 4 * RIG_MIB, 0);
    assert_int_equal(quire_frames_alloc(rig.q, 0, &frame), QUIRE_OK);
    char *window = quire_frame_window(rig.q, frame);
    char *address = quire_fixmap_address(rig.q, 3);
    assert_ptr_equal(address + 4096, quire_fixmap_address(rig.q, 4));
    assert_null(quire_fixmap_address(rig.q, QUIRE_FIXMAP_SLOTS));
    assert_int_equal(quire_fixmap_set(rig.q, QUIRE_FIXMAP_SLOTS, registers(0)), QUIRE_INVAL);
    assert_int_equal(quire_fixmap_set(rig.q, 3, registers(8)), QUIRE_INVAL);
    assert_int_equal(quire_fixmap_set(rig.q, 3, quire_frame_address(frame)), QUIRE_OK);
    address[9] = 'a';
    assert_int_equal(window[9], 'a');
    assert_int_equal(quire_fixmap_set(rig.q, 3, registers(0)), QUIRE_OK); /* instead */
    address[9] = 'b';
    assert_int_equal(window[9], 'a');
    assert_ptr_equal(quire_fixmap_address(rig.q, 3), address);
    quire_soft_fail_map(rig.machine, 1);
    assert_int_equal(quire_fixmap_set(rig.q, 4, registers(0)), QUIRE_NOMEM);
    assert_true(rig_readable(address));
    quire_fixmap_clear(rig.q, 3);
    assert_false(rig_readable(address));
    quire_fixmap_clear(rig.q, 3);
    quire_fixmap_clear(rig.q, QUIRE_FIXMAP_SLOTS);
    quire_frames_free(rig.q, frame, 0);
    rig_down(&rig);
}

static void regions(void **state) {
    (void)state;
    struct rig rig;
    struct quire_region_of_bus *bus, *uart, *timer, *none;
    char text[1000];
    rig_up(&rig, 4 * RIG_MIB, 0);
    struct quire *q = rig.q;
    quire_paddr zero = {0}, high = {UINT64_MAX - 10}, base = {0x10000000};
    assert_int_equal(quire_request_region(q, zero, 0, "none", false, &none), QUIRE_INVAL);
    assert_int_equal(quire_request_region(q, high, 20, "none", false, &none), QUIRE_INVAL);
    assert_int_equal(quire_request_region(q, zero, 4096, "none", false, &none), QUIRE_BUSY);
    assert_int_equal(quire_request_region(q, base, 0x10000, "bus", true, &bus), QUIRE_OK);
    base.value += 0x1000;
    assert_int_equal(quire_request_region(q, base, 0x100, "timer", false, &timer), QUIRE_OK);
    base.value -= 0x800;
    assert_int_equal(quire_request_region(q, base, 0x800, "uart", false, &uart), QUIRE_OK);
    /* One byte too far on each side, a part of what cannot be divided, across the bus's end. */
    assert_int_equal(quire_request_region(q, base, 1, "none", true, &none), QUIRE_BUSY);
    base.value += 0x7FF;
    assert_int_equal(quire_request_region(q, base, 2, "none", true, &none), QUIRE_BUSY);
    base.value -= 0x800;
    assert_int_equal(quire_request_region(q, base, 2, "none", true, &none), QUIRE_BUSY);
    base.value = 0x0FFFFFFF;
    assert_int_equal(quire_request_region(q, base, 2, "none", true, &none), QUIRE_BUSY);
    base.value = 0x1000FFFF;
    assert_int_equal(quire_request_region(q, base, 2, "none", true, &none), QUIRE_BUSY);
    quire_fail_every(q, 1);
    base.value = 0x20000000;
    assert_int_equal(quire_request_region(q, base, 2, "none", true, &none), QUIRE_NOMEM);
    quire_fail_every(q, 0);
    quire_audit(q);
    assert_int_equal(quire_view_iomem(q, text, sizeof text),
                     strlen("00000000-003fffff : System RAM\n10000000-1000ffff : bus\n"
                            "  10000800-10000fff : uart\n  10001000-100010ff : timer\n"));
    assert_string_equal(text, "00000000-003fffff : System RAM\n10000000-1000ffff : bus\n"
                              "  10000800-10000fff : uart\n  10001000-100010ff : timer\n");
    struct quire_region_of_bus *clock;
    base.value = 0x20000000;
    assert_int_equal(quire_request_region(q, base, 0x100, "clock", false, &clock), QUIRE_OK);
    (void)quire_view_iomem(q, text, sizeof text);
    assert_string_equal(strstr(text, "timer"), "timer\n20000000-200000ff : clock\n");
    assert_int_equal(quire_release_region(clock), QUIRE_OK);
    assert_int_equal(quire_release_region(bus), QUIRE_BUSY);
    assert_int_equal(quire_release_region(uart), QUIRE_OK);
    assert_int_equal(quire_release_region(timer), QUIRE_OK);
    assert_int_equal(quire_release_region(bus), QUIRE_OK);
    rig_down(&rig);
}

static void device_registers(void **state) {
    (void)state;
    struct rig rig;
    struct quire_region_of_bus *one, *two;
    rig_up(&rig, 4 * RIG_MIB, 0);
    struct quire *q = rig.q;
    assert_int_equal(quire_request_region(q, registers(0x100), 0x1000, "one", false, &one),
                     QUIRE_OK);
    assert_int_equal(quire_request_region(q, registers(0x1100), 0x10, "two", false, &two),
                     QUIRE_OK);
    volatile uint32_t *a = quire_ioremap(one), *b = quire_ioremap(two);
    assert_non_null((const void *)(uintptr_t)a);
    assert_int_equal((uintptr_t)a & 4095, 0x100);
    assert_int_equal((uintptr_t)b & 4095, 0x100);
    assert_null(quire_ioremap(one)); /* twice */
    quire_frame none;
    assert_false(quire_vmalloc_frame(q, (const void *)(uintptr_t)a, &none)); /* no RAM there */
    assert_int_equal(quire_release_region(one), QUIRE_BUSY);
    /* `one` reaches into the page that `two` begins in: both see the same registers there. */
    a[0] = 0x12345678;
    b[0] = 0x9ABCDEF0;
    assert_int_equal(a[0], 0x12345678);
    assert_int_equal(a[0x1000 / 4], 0x9ABCDEF0);
    quire_audit(q);
    char text[500], expected[500];
    uint64_t at = (uintptr_t)a - 0x100;
    snprintf(expected, sizeof expected, "0x%016llx-0x%016llx   12288 phys=0x%016llx ioremap\n",
             (unsigned long long)at, (unsigned long long)at + 12288,
             (unsigned long long)registers(0).value);
    quire_view_vmallocinfo(q, text, sizeof text);
    assert_memory_equal(text, expected, strlen(expected));
    quire_iounmap(one);
    volatile uint32_t *again = quire_ioremap(one);
    assert_int_equal(again[0], 0x12345678); /* the device's own */
    quire_iounmap(one);
    quire_iounmap(two);
    quire_fail_every(q, 1);
    assert_null(quire_ioremap(one));
    quire_fail_every(q, 0);
    quire_soft_fail_map(rig.machine, 1);
    assert_null(quire_ioremap(one));
    quire_audit(q);
    assert_int_equal(quire_release_region(one), QUIRE_OK);
    assert_int_equal(quire_release_region(two), QUIRE_OK);
    /* Beyond what a frame number can say. */
    quire_paddr far = {(uint64_t)1 << 50};
    assert_int_equal(quire_request_region(q, far, 16, "far", false, &one), QUIRE_OK);
    assert_null(quire_ioremap(one));
    assert_int_equal(quire_release_region(one), QUIRE_OK);
    rig_down(&rig);
}

static void whole_blocks(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, 16 * RIG_MIB, 0);
    for (unsigned order = 0; order < QUIRE_NORDERS; order++) {
        uint64_t nbytes = RIG_PAGE << order;
        unsigned char *bytes = quire_get_free_pages(rig.q, order);
        assert_non_null(bytes);
        memset(bytes, 0xFF, nbytes);
        quire_free_pages(rig.q, bytes, order);
        bytes = quire_get_zeroed_pages(rig.q, order);
        assert_non_null(bytes);
        for (uint64_t i = 0; i < nbytes; i++)
            assert_int_equal(bytes[i], 0);
        quire_free_pages(rig.q, bytes, order);
    }
    assert_null(quire_get_free_pages(rig.q, QUIRE_NORDERS)); /* 4 MiB is the most */
    quire_audit(rig.q);
    rig_down(&rig);
}

/* Masks of 24 bits and more on a machine whose DMA zone is the first 4 MiB. */
static void device_memory(void **state) {
    (void)state;
    static const uint64_t ends[QUIRE_NZONES] = {4 << 20, 16 << 20, UINT64_MAX, UINT64_MAX};
    struct rig rig;
    struct quire_soft_config machine = {.ram_bytes = 32 * RIG_MIB, .seed = 1};
    memset(&rig, 0, sizeof rig);
    assert_int_equal(quire_soft_create(&machine, &rig.machine), QUIRE_OK);
    struct quire_config config = {.machine = rig.machine, .swappiness = 60, .zone_ends = ends};
    assert_int_equal(quire_create(&config, &rig.q), QUIRE_OK);
    static const uint64_t masks[] = {(4 << 20) - 1, (16 << 20) - 1, (1 << 23) - 1, UINT64_MAX};
    for (unsigned m = 0; m < 4; m++) {
        for (uint64_t nbytes = 1; nbytes <= 2 * RIG_MIB; nbytes = nbytes * 3 + 1) {
            quire_paddr device;
            unsigned char *bytes = quire_dma_alloc(rig.q, nbytes, masks[m], &device);
            assert_non_null(bytes);
            assert_true(device.value + nbytes - 1 <= masks[m]);
            assert_ptr_equal(bytes, quire_mach_window(rig.machine, quire_frame_at(device)));
            for (uint64_t i = 0; i < nbytes; i++)
                assert_int_equal(bytes[i], 0);
            memset(bytes, 0xFF, nbytes);
            quire_dma_free(rig.q, bytes, nbytes);
        }
    }
    quire_paddr device;
    assert_null(quire_dma_alloc(rig.q, 0, UINT64_MAX, &device));
    assert_null(quire_dma_alloc(rig.q, (4 << 20) + 1, UINT64_MAX, &device));
    assert_null(quire_dma_alloc(rig.q, 1 << 20, (1 << 19) - 1, &device)); /* no zone so low */
    void *whole = quire_dma_alloc(rig.q, 4 << 20, UINT64_MAX, &device);
    assert_non_null(whole);
    quire_dma_free(rig.q, whole, 4 << 20);
    quire_fail_every(rig.q, 1);
    assert_null(quire_dma_alloc(rig.q, 100, UINT64_MAX, &device));
    quire_fail_every(rig.q, 0);
    quire_audit(rig.q);
    rig_down(&rig);
}

/* Nothing of DMA32 here: a device that reaches further than DMA gets DMA's. */
static void zones_left_out(void **state) {
    (void)state;
    static const uint64_t ends[QUIRE_NZONES] = {4 << 20, 4 << 20, UINT64_MAX, UINT64_MAX};
    struct rig rig;
    quire_paddr device;
    rig_zone_ends = ends;
    rig_up(&rig, 16 * RIG_MIB, 0);
    rig_zone_ends = NULL;
    void *bytes = quire_dma_alloc(rig.q, 5000, (16 << 20) - 2, &device);
    assert_non_null(bytes);
    assert_true(device.value + 5000 <= 4 << 20);
    quire_dma_free(rig.q, bytes, 5000);
    bytes = quire_dma_alloc(rig.q, 5000, (16 << 20) - 1, &device); /* just all of RAM */
    assert_non_null(bytes);
    assert_true(device.value >= 4 << 20);
    quire_dma_free(rig.q, bytes, 5000);
    rig_down(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kmap_slots),     cmocka_unit_test(fixmap_slots),
        cmocka_unit_test(regions),        cmocka_unit_test(device_registers),
        cmocka_unit_test(whole_blocks),   cmocka_unit_test(device_memory),
        cmocka_unit_test(zones_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
