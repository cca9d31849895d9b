/* boot.c: bring-up with every size of RAM from nothing on: each place where memory can run out on
 * the way up is met, and leaves no trace. Also the smallest machine that can stand under the
 * manager: RAM and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <quire/kmem.h>
#include <quire/machine.h>
#include <quire/quire.h>
#include <quire/space.h>
#include <quire/view.h>

#define PAGE     ((uint64_t)4096)
#define RAM_BASE ((uint64_t)0x80000000)

struct quire_machine {
    struct quire_ram_range ranges[40];
    unsigned nranges;
    char *bytes; /* of the first range on; the ranges are windows into one allocation */
    uint64_t nbytes;
};

bool quire_mach_ram_range(struct quire_machine *machine, unsigned index,
                          struct quire_ram_range *range) {
    if (index >= machine->nranges)
        return false;
    *range = machine->ranges[index];
    return true;
}

void *quire_mach_window(struct quire_machine *machine, quire_frame frame) {
    uint64_t offset = quire_frame_address(frame).value - machine->ranges[0].start.value;
    assert_true(offset < machine->nbytes);
    return machine->bytes + offset;
}

void quire_mach_zero(struct quire_machine *machine, quire_frame frame) {
    memset(quire_mach_window(machine, frame), 0, PAGE);
}

void quire_mach_copy(struct quire_machine *machine, quire_frame to, quire_frame from) {
    memcpy(quire_mach_window(machine, to), quire_mach_window(machine, from), PAGE);
}

unsigned quire_mach_pmap_depth(struct quire_machine *machine, unsigned *large_order) {
    (void)machine;
    *large_order = 0;
    return 3;
}

unsigned quire_mach_pmap_root_order(struct quire_machine *machine) {
    (void)machine;
    return 0;
}

struct quire_pmap *quire_mach_pmap_create(struct quire_machine *machine, struct quire_space *space,
                                          quire_frame root) {
    (void)machine;
    (void)space;
    (void)root;
    return NULL; /* no room, ever */
}

void quire_mach_pmap_destroy(struct quire_pmap *pmap, void (*release)(void *, quire_frame),
                             void *context) {
    (void)pmap;
    (void)release;
    (void)context;
}

void quire_mach_pmap_enter(struct quire_pmap *pmap, quire_vaddr va, quire_frame frame,
                           unsigned order, unsigned prot, struct quire_stash *stash) {
    (void)pmap;
    (void)va;
    (void)frame;
    (void)order;
    (void)prot;
    (void)stash;
}

void quire_mach_pmap_remove(struct quire_pmap *pmap, quire_vaddr va, uint64_t npages) {
    (void)pmap;
    (void)va;
    (void)npages;
}

void quire_mach_pmap_protect(struct quire_pmap *pmap, quire_vaddr va, uint64_t npages,
                             unsigned prot) {
    (void)pmap;
    (void)va;
    (void)npages;
    (void)prot;
}

void quire_mach_pmap_query(struct quire_pmap *pmap, quire_vaddr va,
                           struct quire_pmap_entry *entry) {
    (void)pmap;
    (void)va;
    *entry = (struct quire_pmap_entry){.frame = QUIRE_FRAME_NONE};
}

bool quire_mach_pmap_harvest(struct quire_pmap *pmap, quire_vaddr va) {
    (void)pmap;
    (void)va;
    return false;
}

uint64_t quire_mach_swap_pages(struct quire_machine *machine, unsigned device) {
    (void)machine;
    return device == 0 ? 100000 : 0;
}

enum quire_status quire_mach_swap_write(struct quire_machine *machine, unsigned device,
                                        uint64_t slot, quire_frame frame) {
    (void)machine;
    (void)device;
    (void)slot;
    (void)frame;
    return QUIRE_IO;
}

enum quire_status quire_mach_swap_read(struct quire_machine *machine, unsigned device,
                                       uint64_t slot, const quire_frame *frames, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        memset(quire_mach_window(machine, frames[i]), 0, PAGE); /* blank, but for writing broken */
    (void)device;
    return slot == 0 ? QUIRE_OK : QUIRE_IO;
}

size_t quire_mach_compress(struct quire_machine *machine, enum quire_zswap method,
                           quire_frame frame, void *to, size_t capacity) {
    (void)machine, (void)method, (void)frame, (void)to, (void)capacity;
    return 0; /* no codec */
}

bool quire_mach_decompress(struct quire_machine *machine, enum quire_zswap method, const void *from,
                           size_t nbytes, quire_frame frame) {
    (void)machine, (void)method, (void)from, (void)nbytes, (void)frame;
    return false;
}

uint64_t quire_mach_now_ns(struct quire_machine *machine) {
    (void)machine;
    return 0;
}

void quire_mach_oom_kill(struct quire_machine *machine, void *owner, const char *why) {
    (void)machine;
    (void)owner;
    (void)why;
}

void quire_mach_log(struct quire_machine *machine, const char *line) {
    (void)machine;
    (void)line;
}

_Noreturn void quire_mach_panic(struct quire_machine *machine, const char *file, int line,
                                const char *condition) {
    (void)machine;
    fprintf(stderr, "panic: %s:%d: %s\n", file, line, condition);
    abort();
}

/* ---- tests ------------------------------------------------------------------------------------
 */

static void machine_up(struct quire_machine *machine, uint64_t npages) {
    *machine = (struct quire_machine){.nranges = npages > 0, .nbytes = npages * PAGE};
    machine->ranges[0] = (struct quire_ram_range){{RAM_BASE}, npages * PAGE};
    machine->bytes = aligned_alloc(PAGE, npages ? npages * PAGE : PAGE);
    memset(machine->bytes, 0xA5, npages ? npages * PAGE : PAGE); /* RAM holds anything at boot */
}

static void every_size_of_ram(void **state) {
    (void)state;
    uint64_t smallest = 0;
    for (uint64_t npages = 0; npages < 700; npages++) {
        struct quire_machine machine;
        machine_up(&machine, npages);
        struct quire_config config = {.machine = &machine, .swappiness = 60, .min_free_pages = 4};
        struct quire *q = NULL;
        enum quire_status status = quire_create(&config, &q);
        if (status == QUIRE_OK) {
            smallest = smallest ? smallest : npages;
            quire_audit(q);
            quire_destroy(q);
        } else {
            assert_true(status == QUIRE_NOMEM || status == QUIRE_INVAL);
            assert_int_equal(smallest, 0); /* more RAM never makes it worse */
            assert_null(q);
        }
        free(machine.bytes);
    }
    assert_in_range(smallest, 2, 256); /* "about 1 MiB" */
}

/* The same with room to spare, until everything that a first space and a swap area need is refused:
 * the manager says so and stays whole. */
static void refused_beyond_boot(void **state) {
    (void)state;
    for (uint64_t nth = 1; nth < 40; nth++) {
        struct quire_machine machine;
        machine_up(&machine, 1024);
        struct quire_config config = {.machine = &machine};
        struct quire *q;
        assert_int_equal(quire_create(&config, &q), QUIRE_OK);
        quire_fail_every(q, nth);
        struct quire_space_config space_config = {.low = quire_va(0x10000),
                                                  .high = quire_va(1ull << 38),
                                                  .map_top = quire_va(1ull << 37)};
        struct quire_space *space;
        assert_int_equal(quire_space_create(q, &space_config, &space), QUIRE_NOMEM);
        enum quire_status status = quire_swapon(q, 0, 1);
        assert_true(status == QUIRE_OK || status == QUIRE_NOMEM);
        quire_fail_every(q, 0);
        quire_audit(q);
        if (status == QUIRE_OK)
            assert_int_equal(quire_swapoff(q, 0), QUIRE_OK);
        struct quire_usage usage;
        quire_usage(q, &usage);
        assert_int_equal(usage.swap_total, 0);
        quire_destroy(q);
        free(machine.bytes);
    }
}

/* Which of 100 allocations of a frame fail, as a set of the first 64, and how many of all. */
static uint64_t failed_frames(struct quire *q, unsigned *nfailed) {
    uint64_t set = 0;
    *nfailed = 0;
    for (unsigned i = 0; i < 100; i++) {
        quire_frame frame;
        if (quire_frames_alloc(q, 0, &frame) == QUIRE_OK) {
            quire_frames_free(q, frame, 0);
            continue;
        }
        ++*nfailed;
        set |= i < 64 ? (uint64_t)1 << i : 0;
    }
    return set;
}

static void allocations_fail_as_told(void **state) {
    (void)state;
    struct quire_machine machine;
    machine_up(&machine, 1024);
    struct quire_config config = {.machine = &machine};
    struct quire *q;
    unsigned n;
    assert_int_equal(quire_create(&config, &q), QUIRE_OK);
    quire_fail_range(q, UINT64_MAX, 1);
    assert_true(failed_frames(q, &n) == 0);
    assert_int_equal(quire_fail_asked(q), 100);
    quire_fail_range(q, 3, 2);
    assert_true(failed_frames(q, &n) == 0xC);
    quire_fail_range(q, 64, UINT64_MAX);
    assert_true(failed_frames(q, &n) == (uint64_t)1 << 63);
    assert_int_equal(n, 37);
    quire_fail_random(q, 5, 1);
    uint64_t set = failed_frames(q, &n);
    assert_in_range(n, 8, 40);
    quire_fail_random(q, 5, 1);
    assert_true(failed_frames(q, &n) == set);
    quire_fail_random(q, 5, 2);
    assert_true(failed_frames(q, &n) != set);
    quire_fail_every(q, 50);
    assert_true(failed_frames(q, &n) == (uint64_t)1 << 49);
    assert_int_equal(n, 2);
    quire_fail_every(q, 0);
    assert_true(failed_frames(q, &n) == 0);
    quire_destroy(q);
    free(machine.bytes);
}

static void bad_configuration(void **state) {
    (void)state;
    struct quire_machine machine;
    struct quire *q = NULL;
    machine_up(&machine, 1024);
    struct quire_config config = {.machine = &machine, .swappiness = 201};
    assert_int_equal(quire_create(&config, &q), QUIRE_INVAL);
    config = (struct quire_config){.swappiness = 60};
    assert_int_equal(quire_create(&config, &q), QUIRE_INVAL);
    config = (struct quire_config){.machine = &machine, .min_free_pages = 100000};
    assert_int_equal(quire_create(&config, &q), QUIRE_INVAL);
    machine.ranges[0].start.value += 5;
    config = (struct quire_config){.machine = &machine};
    assert_int_equal(quire_create(&config, &q), QUIRE_INVAL);
    assert_null(q);
    machine.ranges[0].start.value -= 5;
    config = (struct quire_config){.machine = &machine, .ram_limit_bytes = PAGE - 1};
    assert_int_equal(quire_create(&config, &q), QUIRE_INVAL);
    config = (struct quire_config){.machine = &machine, .ncpus = 1000};
    assert_int_equal(quire_create(&config, &q), QUIRE_INVAL);
    config = (struct quire_config){.machine = &machine, .thp = (enum quire_thp)3};
    assert_int_equal(quire_create(&config, &q), QUIRE_INVAL);
    config = (struct quire_config){.machine = &machine, .thp_min_present = 513};
    assert_int_equal(quire_create(&config, &q), QUIRE_INVAL);
    config = (struct quire_config){.machine = &machine, .page_cluster = 7};
    assert_int_equal(quire_create(&config, &q), QUIRE_INVAL);
    config =
        (struct quire_config){.machine = &machine, .overcommit = (enum quire_overcommit_mode)3};
    assert_int_equal(quire_create(&config, &q), QUIRE_INVAL);
    config = (struct quire_config){.machine = &machine, .overcommit = QUIRE_OVERCOMMIT_NEVER};
    assert_int_equal(quire_create(&config, &q), QUIRE_OK); /* the last that there is */
    quire_destroy(q);
    q = NULL;
    config = (struct quire_config){.machine = NULL};
    assert_int_equal(quire_create(&config, &q), QUIRE_INVAL);
    config = (struct quire_config){.machine = &machine, .reserve_bytes = 1u << 30};
    assert_int_equal(quire_create(&config, &q), QUIRE_NOMEM);
    assert_null(q);
    free(machine.bytes);
}

/* Half of RAM left alone, a quarter of a megabyte set aside in what is left. */
static void limited(void **state) {
    (void)state;
    struct quire_machine machine;
    machine_up(&machine, 2048);
    struct quire_config config = {.machine = &machine,
                                  .swappiness = 60,
                                  .ram_limit_bytes = 1024 * PAGE,
                                  .reserve_bytes = 64 * PAGE,
                                  .ncpus = 2};
    struct quire *q;
    struct quire_usage usage;
    quire_paddr start;
    uint64_t length;
    assert_int_equal(quire_create(&config, &q), QUIRE_OK);
    quire_usage(q, &usage);
    assert_int_equal(usage.total, 1024);
    assert_true(quire_reserved(q, &start, &length));
    assert_int_equal(start.value % PAGE, 0);
    assert_in_range(start.value, RAM_BASE, RAM_BASE + (1024 - 64) * PAGE);
    assert_int_equal(length, 64 * PAGE);
    quire_set_cpu(q, 1);
    quire_audit(q);
    quire_destroy(q);
    for (uint64_t i = 1024 * PAGE; i < machine.nbytes; i++)
        assert_int_equal((uint8_t)machine.bytes[i], 0xA5);
    free(machine.bytes);
}

/* RAM in pieces, as firmware reports it. */
static void several_ranges(void **state) {
    (void)state;
    struct quire_machine machine;
    machine_up(&machine, 2048);
    machine.nranges = 3;
    machine.ranges[0].length_bytes = 100 * PAGE;
    machine.ranges[1] = (struct quire_ram_range){{RAM_BASE + 300 * PAGE}, 7 * PAGE};
    machine.ranges[2] = (struct quire_ram_range){{RAM_BASE + 1000 * PAGE}, 1048 * PAGE};
    struct quire_config config = {.machine = &machine, .swappiness = 60};
    struct quire *q;
    struct quire_usage usage;
    assert_int_equal(quire_create(&config, &q), QUIRE_OK);
    quire_usage(q, &usage);
    assert_int_equal(usage.total, 100 + 7 + 1048);
    quire_audit(q);
    quire_destroy(q);
    free(machine.bytes);
}

/* Two managers in one process know nothing of each other. */
static void two_side_by_side(void **state) {
    (void)state;
    struct quire_machine machine[2];
    struct quire *q[2];
    for (unsigned i = 0; i < 2; i++) {
        machine_up(&machine[i], 1024 * (i + 1));
        struct quire_config config = {.machine = &machine[i], .swappiness = 60};
        assert_int_equal(quire_create(&config, &q[i]), QUIRE_OK);
    }
    uint64_t hash = quire_trace_hash(q[1]);
    assert_int_equal(quire_swapon(q[0], 0, 1), QUIRE_OK);
    assert_true(quire_trace_hash(q[1]) == hash);
    for (unsigned i = 0; i < 2; i++) {
        struct quire_usage usage;
        quire_usage(q[i], &usage);
        assert_int_equal(usage.total, 1024 * (i + 1));
        assert_int_equal(usage.swap_total, i == 0 ? 99999 : 0);
    }
    assert_int_equal(quire_swapoff(q[0], 0), QUIRE_OK);
    for (unsigned i = 0; i < 2; i++) {
        quire_audit(q[i]);
        quire_destroy(q[i]);
        free(machine[i].bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size_of_ram),
        cmocka_unit_test(refused_beyond_boot),
        cmocka_unit_test(allocations_fail_as_told),
        cmocka_unit_test(bad_configuration),
        cmocka_unit_test(limited),
        cmocka_unit_test(several_ranges),
        cmocka_unit_test(two_side_by_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
