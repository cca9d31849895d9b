/* policy.c: each replacement policy at work in a whole manager: nothing is lost, what is used
 * stays, what it says is true; and policies of strangers, good, lazy and mad. How well each one
 * chooses is policy_model.c's question. */
#include "rig.h"

#include <quire/policy.h>

#include "page/lru.h"

#define RAM   (8 * RIG_MIB)
#define PAGES (2 * RAM / RIG_PAGE)

static void four_in_one(struct rig *rig) {
    rig_up(rig, RAM, 4 * RAM);
    rig_space(rig, 0);
}

/* Twice the RAM, read and written at random, with failing allocations in the middle. */
static void nothing_is_lost(void **state) {
    (void)state;
    for (unsigned i = 0; (rig_policy = quire_policy_at(i)) != NULL; i++) {
        struct rig rig;
        static uint8_t version[PAGES];
        uint64_t seed = i;
        four_in_one(&rig);
        assert_ptr_equal(quire_policy(rig.q), rig_policy);
        memset(version, 0, sizeof version);
        uint64_t va = rig_map(&rig, 0, PAGES * RIG_PAGE, RIG_RW, 0);
        rig_fill(&rig, 0, va, PAGES, 0);
        quire_audit(rig.q);
        for (unsigned n = 0; n < 10000; n++) {
            uint64_t page = rig_random(&seed) % PAGES;
            if (rig_random(&seed) & 1)
                rig_fill(&rig, 0, va + page * RIG_PAGE, 1, ++version[page]);
            else
                rig_expect(&rig, 0, va + page * RIG_PAGE, 1, version[page]);
            if (n == 4000)
                quire_fail_every(rig.q, 31);
            if (n % 1000 == 0)
                quire_audit(rig.q);
        }
        quire_fail_every(rig.q, 0);
        assert_int_equal(rig.kills, 0);
        assert_true(quire_counters(rig.q)->pswpin > 1000);
        assert_int_equal(
            quire_advise(rig.spaces[0], quire_va(va), PAGES * RIG_PAGE, QUIRE_ADVISE_COLD),
            QUIRE_OK);
        quire_audit(rig.q);
        for (uint64_t page = 0; page < PAGES; page++)
            rig_expect(&rig, 0, va + page * RIG_PAGE, 1, version[page]);
        rig_down(&rig);
    }
}

/* An eighth of the memory is used between all other accesses: hardly any of it may leave. */
static void what_is_used_stays(void **state) {
    (void)state;
    for (unsigned i = 0; (rig_policy = quire_policy_at(i)) != NULL; i++) {
        struct rig rig;
        const uint64_t hot = RAM / RIG_PAGE / 8;
        uint64_t seed = 2, faults = 0, accesses = 0;
        four_in_one(&rig);
        uint64_t va = rig_map(&rig, 0, PAGES * RIG_PAGE, RIG_RW, 0);
        rig_fill(&rig, 0, va, PAGES, 0);
        for (unsigned turn = 0; turn < 120; turn++) {
            uint64_t before = quire_counters(rig.q)->pswpin;
            rig_expect(&rig, 0, va, hot, 0);
            if (turn > 20) {
                faults += quire_counters(rig.q)->pswpin - before;
                accesses += hot;
            }
            for (unsigned n = 0; n < 200; n++)
                rig_expect(&rig, 0, va + rig_random(&seed) % PAGES * RIG_PAGE, 1, 0);
        }
        if (faults * 25 >= accesses)
            fail_msg("%s: %u of %u uses of what is always used had to wait", rig_policy->name,
                     (unsigned)faults, (unsigned)accesses);
        rig_down(&rig);
    }
}

/* The same run twice takes the same decisions; another policy takes others. */
static void deterministic(void **state) {
    (void)state;
    uint64_t hashes[16];
    unsigned npolicies = 0;
    for (unsigned i = 0; (rig_policy = quire_policy_at(i / 2)) != NULL; i++) {
        struct rig rig;
        uint64_t seed = 4;
        four_in_one(&rig);
        uint64_t va = rig_map(&rig, 0, PAGES * RIG_PAGE, RIG_RW, 0);
        for (unsigned n = 0; n < 8000; n++)
            rig_fill(&rig, 0, va + rig_random(&seed) % PAGES * RIG_PAGE, 1, 0);
        hashes[i] = quire_trace_hash(rig.q);
        npolicies = i / 2 + 1;
        rig_down(&rig);
    }
    for (unsigned i = 0; i < npolicies; i++) {
        assert_true(hashes[2 * i] == hashes[2 * i + 1]);
        for (unsigned k = 0; k < i; k++)
            assert_true(hashes[2 * i] != hashes[2 * k]);
    }
}

/* ---- an embedder's own ----------------------------------------------------------------------- */

static void first_in(struct quire_aging *aging, struct quire_page *page, uint32_t shadow) {
    (void)shadow;
    quire_aging_put(aging, page, 0, true);
}

static struct quire_page *first_out(struct quire_aging *aging) {
    struct quire_page *page = quire_aging_oldest(aging, 0);
    return page && quire_aging_look(aging, page) != QUIRE_LOOK_ENOUGH ? page : NULL;
}

/* Never anything: the sweep has to do it. */
static struct quire_page *nobody(struct quire_aging *aging) {
    (void)aging;
    return NULL;
}

/* Always the newest, without a look; and nothing that cannot go is put away. */
static struct quire_page *newest(struct quire_aging *aging) {
    struct quire_page *page = quire_aging_oldest(aging, 0);
    for (struct quire_page *next = page; next; next = quire_aging_newer(aging, next))
        page = next;
    return page;
}

static void leave_there(struct quire_aging *aging, struct quire_page *page) {
    (void)aging, (void)page;
}

static void strangers(void **state) {
    (void)state;
    const struct quire_policy own[] = {
        {.name = "fifo", .nqueues = 1, .insert = first_in, .victim = first_out},
        {.name = "lazy", .nqueues = 1, .insert = first_in, .victim = nobody},
        {.name = "mad", .nqueues = 1, .insert = first_in, .victim = newest, .keep = leave_there},
    };
    for (unsigned i = 0; i < sizeof own / sizeof own[0]; i++) {
        struct rig rig;
        rig_policy = &own[i];
        four_in_one(&rig);
        uint64_t va = rig_map(&rig, 0, PAGES * RIG_PAGE, RIG_RW, 0);
        rig_fill(&rig, 0, va, PAGES, 0);
        quire_audit(rig.q);
        rig_expect(&rig, 0, va, PAGES, 0);
        assert_int_equal(rig.kills, 0);
        assert_true(quire_counters(rig.q)->pswpout > PAGES / 4);
        rig_down(&rig);
    }
}

static void refused(void **state) {
    (void)state;
    const struct quire_policy right = {
        .name = "right", .nqueues = QUIRE_POLICY_QUEUES, .insert = first_in, .victim = first_out};
    struct quire_policy wrong[6];
    struct quire_soft_config soft = {.ram_bytes = 4 * RIG_MIB};
    for (unsigned i = 0; i < 6; i++)
        wrong[i] = right;
    wrong[0].insert = NULL;
    wrong[1].victim = NULL;
    wrong[2].nqueues = 0;
    wrong[3].nqueues = QUIRE_POLICY_QUEUES + 1;
    wrong[4].nqueues = 1, wrong[4].active = 2; /* a queue that it does not have */
    wrong[5].state_bytes = 131073;
    for (unsigned i = 0; i < 7; i++) {
        struct quire *q = NULL;
        struct quire_config config = {.policy = i < 6 ? &wrong[i] : &right};
        assert_int_equal(quire_soft_create(&soft, &config.machine), QUIRE_OK);
        assert_int_equal(quire_create(&config, &q), i < 6 ? QUIRE_INVAL : QUIRE_OK);
        if (q)
            quire_destroy(q);
        quire_soft_destroy(config.machine);
    }
}

static void names(void **state) {
    (void)state;
    unsigned n = 0;
    for (const struct quire_policy *policy; (policy = quire_policy_at(n)) != NULL; n++) {
        assert_ptr_equal(quire_policy_find(policy->name), policy);
        assert_non_null(policy->summary);
    }
    assert_int_equal(n, 7);
    assert_string_equal(quire_policy_at(0)->name, "linux");
    assert_null(quire_policy_find("lru"));
    assert_null(quire_policy_find("cloc"));
    assert_null(quire_policy_find("clock2"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(nothing_is_lost),
        cmocka_unit_test(what_is_used_stays),
        cmocka_unit_test(deterministic),
        cmocka_unit_test(strangers),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
