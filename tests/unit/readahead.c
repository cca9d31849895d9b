/* readahead.c: pages that come back from swap with their neighbours: for who walks, not for who
 * jumps; cheaper by the machine's clock; never a wrong byte, also from a bad disk. */
#include "rig.h"

#define RAM   (4 * RIG_MIB)
#define PAGES (3 * RAM / RIG_PAGE)

static void up(struct rig *rig, unsigned page_cluster) {
    *rig = (struct rig){.running = -1, .last_killed = -1};
    struct quire_soft_config machine = {.ram_bytes = RAM,
                                        .swap_bytes = {8 * RAM},
                                        .seed = 5,
                                        .oom_kill = rig_oom_kill,
                                        .context = rig};
    assert_int_equal(quire_soft_create(&machine, &rig->machine), QUIRE_OK);
    struct quire_config config = {
        .machine = rig->machine, .swappiness = 60, .page_cluster = page_cluster};
    assert_int_equal(quire_create(&config, &rig->q), QUIRE_OK);
    assert_int_equal(quire_swapon(rig->q, 0, QUIRE_SWAP_PRIORITY_AUTO), QUIRE_OK);
    rig_space(rig, 0);
}

/* Read every page in order, up or down; how long that took on the machine's clock. */
static uint64_t walk(struct rig *rig, uint64_t va, bool down) {
    uint64_t begin = quire_mach_now_ns(rig->machine);
    for (uint64_t i = 0; i < PAGES; i++)
        rig_expect(rig, 0, va + (down ? PAGES - 1 - i : i) * RIG_PAGE, 1, 0);
    return quire_mach_now_ns(rig->machine) - begin;
}

static void pays_for_who_walks(void **state) {
    (void)state;
    uint64_t took[2], majors[2];
    for (unsigned way = 0; way < 2; way++) {
        for (unsigned with = 0; with < 2; with++) {
            struct rig rig;
            up(&rig, with ? 3 : 0);
            uint64_t va = rig_map(&rig, 0, PAGES * RIG_PAGE, RIG_RW, 0);
            rig_fill(&rig, 0, va, PAGES, 0);
            uint64_t before = quire_counters(rig.q)->pgmajfault;
            took[with] = walk(&rig, va, way == 1);
            quire_audit(rig.q);
            took[with] += walk(&rig, va, way == 1);
            const struct quire_counters *c = quire_counters(rig.q);
            majors[with] = c->pgmajfault - before;
            struct quire_soft_counters machine; /* the wait for guesses is a wait as well */
            quire_soft_counters(rig.machine, &machine);
            assert_true(c->stall_ns >= machine.stall_ns / 10 * 9);
            if (with)
                assert_true(c->swap_ra > PAGES && c->swap_ra_hit * 10 > c->swap_ra * 9);
            else
                assert_true(c->swap_ra == 0 && c->swap_ra_hit == 0);
            rig_down(&rig);
        }
        print_message("%s: %llu major faults without, %llu with; %llu us without, %llu us with\n",
                      way ? "down" : "up", (unsigned long long)majors[0],
                      (unsigned long long)majors[1], (unsigned long long)took[0] / 1000,
                      (unsigned long long)took[1] / 1000);
        assert_true(majors[1] * 4 < majors[0]);
        assert_true(took[1] * 2 < took[0]);
    }
}

/* The second page in a row brings one more along, up or down; a jump none. */
static void small_windows(void **state) {
    (void)state;
    static const struct {
        int64_t step;
        uint64_t guessed;
    } cases[] = {{1, 1}, {-1, 1}, {2, 0}, {-2, 0}, {40, 0}};
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rig rig;
        up(&rig, 3);
        uint64_t va = rig_map(&rig, 0, 200 * RIG_PAGE, RIG_RW, 0), first = va + 100 * RIG_PAGE;
        rig_fill(&rig, 0, va, 200, 0);
        quire_advise(rig.spaces[0], quire_va(va), 200 * RIG_PAGE, QUIRE_ADVISE_PAGEOUT);
        rig_expect(&rig, 0, first, 1, 0);
        assert_int_equal(quire_counters(rig.q)->swap_ra, 0);
        rig_expect(&rig, 0, first + (uint64_t)cases[i].step * RIG_PAGE, 1, 0);
        assert_int_equal(quire_counters(rig.q)->swap_ra, cases[i].guessed);
        rig_expect(&rig, 0, va, 200, 0);
        rig_down(&rig);
    }
}

static void leaves_alone_who_jumps(void **state) {
    (void)state;
    struct rig rig;
    up(&rig, 3);
    uint64_t va = rig_map(&rig, 0, PAGES * RIG_PAGE, RIG_RW, 0), seed = 9;
    rig_fill(&rig, 0, va, PAGES, 0);
    uint64_t before = quire_counters(rig.q)->swap_ra, majors = quire_counters(rig.q)->pgmajfault;
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t page = va + rig_random(&seed) % PAGES * RIG_PAGE;
        if (i % 2)
            rig_fill(&rig, 0, page, 1, 0);
        else
            rig_expect(&rig, 0, page, 1, 0);
    }
    quire_audit(rig.q);
    majors = quire_counters(rig.q)->pgmajfault - majors;
    assert_true((quire_counters(rig.q)->swap_ra - before) * 50 < majors);
    rig_down(&rig);
}

/* Hits are counted up to 255: one more changes nothing. */
static void as_many_as_you_like(void **state) {
    (void)state;
    struct rig rig;
    up(&rig, 6);
    uint64_t va = rig_map(&rig, 0, PAGES * RIG_PAGE, RIG_RW, 0), hits = 0, at = 0;
    static uint64_t guessed[PAGES];
    unsigned n = 0;
    const struct quire_counters *c = quire_counters(rig.q);
    rig_fill(&rig, 0, va, PAGES, 0);
    quire_advise(rig.spaces[0], quire_va(va), PAGES * RIG_PAGE, QUIRE_ADVISE_PAGEOUT);
    for (unsigned turn = 0; turn < 5; turn++) { /* a walk, then six jumps that use no guess */
        for (unsigned i = 0; i < 130; i++, at++)
            rig_expect(&rig, 0, va + at * RIG_PAGE, 1, 0);
        quire_advise(rig.spaces[0], quire_va(va + (at - 130) * RIG_PAGE), 130 * RIG_PAGE,
                     QUIRE_ADVISE_PAGEOUT);
        for (unsigned jump = 0; jump < 6; jump++) {
            uint64_t window = c->swap_ra;
            at += 70;
            rig_expect(&rig, 0, va + at * RIG_PAGE, 1, 0);
            window = c->swap_ra - window;
            for (unsigned i = 1; i <= window; i++)
                guessed[n++] = va + (at + i) * RIG_PAGE;
        }
        at += 10;
    }
    assert_true(n > 256);
    hits = c->swap_ra_hit;
    for (unsigned i = 0; i < 256; i++)
        rig_expect(&rig, 0, guessed[i], 1, 0);
    assert_int_equal(c->swap_ra_hit - hits, 256);
    hits = c->swap_ra;
    rig_expect(&rig, 0, va + (at + 70) * RIG_PAGE, 1, 0);
    assert_int_equal(c->swap_ra - hits, 63); /* the largest window */
    rig_down(&rig);
}

static void shared_memory_too(void **state) {
    (void)state;
    struct rig rig;
    struct quire_object *object;
    up(&rig, 4);
    assert_int_equal(quire_object_create_shm(rig.q, PAGES * RIG_PAGE, NULL, &object), QUIRE_OK);
    quire_vaddr va = quire_va(0);
    assert_int_equal(
        quire_map(rig.spaces[0], &va, PAGES * RIG_PAGE, RIG_RW, QUIRE_MAP_SHARED, object, 0),
        QUIRE_OK);
    quire_object_unref(object);
    rig_fill(&rig, 0, va.value, PAGES, 0);
    (void)walk(&rig, va.value, false);
    quire_audit(rig.q);
    assert_true(quire_counters(rig.q)->swap_ra_hit > PAGES / 2);
    rig_down(&rig);
}

/* Every page that comes is verified; one that is wrong stays where it is. */
static void from_a_bad_disk(void **state) {
    (void)state;
    static const enum quire_soft_injection kinds[] = {
        QUIRE_SOFT_BIT_FLIP, QUIRE_SOFT_READ_ERROR, QUIRE_SOFT_MISDIRECTED, QUIRE_SOFT_LOST_WRITE};
    for (unsigned kind = 0; kind < 4; kind++) {
        struct rig rig;
        up(&rig, 3);
        uint64_t va = rig_map(&rig, 0, PAGES * RIG_PAGE, RIG_RW, 0), wrong = 0;
        quire_soft_inject(rig.machine, kinds[kind], 40);
        for (uint64_t i = 0; i < PAGES; i++) {
            uint64_t page = va + i * RIG_PAGE;
            assert_int_equal(rig_store(&rig, 0, page, rig_stamp(page, 0)), QUIRE_OK);
        }
        for (unsigned round = 0; round < 3; round++) {
            for (uint64_t i = 0; i < PAGES; i++) {
                uint64_t page = va + i * RIG_PAGE, value = 0;
                enum quire_status status = rig_load(&rig, 0, page, &value);
                assert_true(status == QUIRE_OK || status == QUIRE_BUS);
                if (status == QUIRE_OK)
                    assert_true(value == rig_stamp(page, 0));
                wrong += status != QUIRE_OK;
            }
            quire_audit(rig.q);
        }
        assert_true(wrong > 0 && quire_counters(rig.q)->swap_ra > 0);
        rig_down(&rig);
    }
}

/* A guess that finds no memory is no error. */
static void without_memory(void **state) {
    (void)state;
    struct rig rig;
    up(&rig, 6);
    uint64_t va = rig_map(&rig, 0, PAGES * RIG_PAGE, RIG_RW, 0);
    rig_fill(&rig, 0, va, PAGES, 0);
    quire_fail_every(rig.q, 3);
    (void)walk(&rig, va, false);
    quire_audit(rig.q);
    quire_fail_every(rig.q, 0);
    assert_int_equal(rig.kills, 0);
    rig_down(&rig);
    struct quire *q;
    struct quire_soft_config machine = {.ram_bytes = RAM, .seed = 5};
    assert_int_equal(quire_soft_create(&machine, &rig.machine), QUIRE_OK);
    struct quire_config config = {.machine = rig.machine, .page_cluster = 7};
    assert_int_equal(quire_create(&config, &q), QUIRE_INVAL);
    quire_soft_destroy(rig.machine);
}

/* Copies on swap of pages in RAM are kept while there is room, and given up when it gets scarce. */
static void copies_go_when_swap_is_full(void **state) {
    (void)state;
    for (unsigned scarce = 0; scarce < 2; scarce++) {
        struct rig rig;
        rig_up(&rig, RAM, scarce ? 3 * RAM : 8 * RAM);
        rig_space(&rig, 0);
        uint64_t va = rig_map(&rig, 0, PAGES * RIG_PAGE, RIG_RW, 0);
        rig_fill(&rig, 0, va, PAGES, 0);
        uint64_t before = quire_counters(rig.q)->swap_clean;
        (void)walk(&rig, va, false);
        (void)walk(&rig, va, false);
        uint64_t clean = quire_counters(rig.q)->swap_clean - before;
        assert_true(scarce ? clean < PAGES / 4 : clean > PAGES);
        quire_audit(rig.q);
        rig_down(&rig);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pays_for_who_walks),  cmocka_unit_test(leaves_alone_who_jumps),
        cmocka_unit_test(as_many_as_you_like), cmocka_unit_test(small_windows),
        cmocka_unit_test(shared_memory_too),   cmocka_unit_test(from_a_bad_disk),
        cmocka_unit_test(without_memory),      cmocka_unit_test(copies_go_when_swap_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
