/* lru.c: the queues of pages against arrays: order, counts, kinds, policy bits, shadows, misuse. */
#include "port_double.h"

#include "page/lru.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PAGES  200u
#define QUEUES 3u

/* ---- a policy that does what it is told ------------------------------------------------------ */

static unsigned put_queue;
static bool put_newest;
static uint32_t seen_shadow, leave_shadow;
static unsigned removed;
static bool answer_used, audit_answer;

static void insert(struct quire_aging *aging, struct quire_page *page, uint32_t shadow) {
    seen_shadow = shadow;
    quire_aging_put(aging, page, put_queue, put_newest);
}

static struct quire_page *victim(struct quire_aging *aging) {
    return quire_aging_oldest(aging, 0);
}

static uint32_t evict(struct quire_aging *aging, struct quire_page *page) {
    (void)aging, (void)page;
    return leave_shadow;
}

static void remove_page(struct quire_aging *aging, struct quire_page *page) {
    (void)aging, (void)page;
    removed++;
}

static bool audit(struct quire_aging *aging) {
    (void)aging;
    return audit_answer;
}

static const struct quire_page *asked[PAGES]; /* whose marks were looked at, in order */
static unsigned nasked;

static bool used(void *context, struct quire_page *page) {
    (void)context;
    asked[nasked++ % PAGES] = page;
    return answer_used;
}

static const struct quire_policy obedient = {.name = "obedient",
                                             .nqueues = QUEUES,
                                             .active = 1u << 2,
                                             .insert = insert,
                                             .victim = victim,
                                             .evict = evict,
                                             .remove = remove_page,
                                             .audit = audit};

static unsigned cooled, kept;

static void cool(struct quire_aging *aging, struct quire_page *page) {
    (void)aging, (void)page;
    cooled++;
}

static void keep(struct quire_aging *aging, struct quire_page *page) {
    (void)aging, (void)page;
    kept++;
}

/* Says nothing of removals, is asked about cooling and keeping, and forgets first uses. */
static const struct quire_policy forgetful = {.name = "forgetful",
                                              .nqueues = QUEUES,
                                              .active = 1u << 2,
                                              .forget_arrival = true,
                                              .insert = insert,
                                              .victim = victim,
                                              .evict = evict,
                                              .cool = cool,
                                              .keep = keep};

static struct quire *boot_with(struct quire_machine *machine, const struct quire_policy *policy) {
    void *const no_state[2] = {NULL, NULL};
    const struct quire_aging_hooks hooks = {.used = used};
    struct quire *q = double_boot(machine, 0);
    put_queue = 0;
    put_newest = audit_answer = true;
    answer_used = false;
    seen_shadow = leave_shadow = removed = nasked = cooled = kept = 0;
    quire_lru_start(q, policy, no_state, &hooks);
    return q;
}

static struct quire *boot(struct quire_machine *machine) {
    return boot_with(machine, &obedient);
}

/* ---- against arrays -------------------------------------------------------------------------- */

struct model {
    struct quire_page *list[2][QUEUES][PAGES]; /* oldest first */
    unsigned n[2][QUEUES];
};

static void model_put(struct model *model, struct quire_page *page, unsigned queue, bool newest) {
    unsigned kind = page->use == QUIRE_USE_FILE, *n = &model->n[kind][queue];
    struct quire_page **list = model->list[kind][queue];
    if (!newest) {
        memmove(&list[1], &list[0], *n * sizeof *list);
    }
    list[newest ? *n : 0] = page;
    ++*n;
}

static void model_take(struct model *model, const struct quire_page *page) {
    unsigned kind = page->use == QUIRE_USE_FILE;
    for (unsigned queue = 0; queue < QUEUES; queue++) {
        struct quire_page **list = model->list[kind][queue];
        for (unsigned i = 0; i < model->n[kind][queue]; i++) {
            if (list[i] == page) {
                model->n[kind][queue]--;
                memmove(&list[i], &list[i + 1], (model->n[kind][queue] - i) * sizeof *list);
                return;
            }
        }
    }
    fail();
}

static void expect_equal(struct quire *q, struct model *model) {
    for (unsigned kind = 0; kind < 2; kind++) {
        struct quire_aging *aging = quire_lru_aging(q, kind);
        uint64_t all = 0;
        for (unsigned queue = 0; queue < QUEUES; queue++) {
            unsigned n = model->n[kind][queue];
            assert_int_equal(quire_aging_length(aging, queue), n);
            struct quire_page *page = quire_aging_oldest(aging, queue);
            for (unsigned i = 0; i < n; i++, page = quire_aging_newer(aging, page)) {
                assert_ptr_equal(page, model->list[kind][queue][i]);
            }
            assert_null(page);
            all += n;
        }
        assert_int_equal(quire_aging_pages(aging), all);
        assert_int_equal(quire_aging_active(aging), model->n[kind][2]);
        assert_int_equal(quire_aging_rivals(quire_aging_other(aging)), all);
    }
    assert_int_equal(quire_lru_count(q, QUIRE_LRU_ACTIVE_FILE), model->n[1][2]);
    assert_int_equal(quire_lru_count(q, QUIRE_LRU_INACTIVE_ANON), model->n[0][0] + model->n[0][1]);
}

static void random_moves(void **state) {
    (void)state;
    static const enum quire_page_use uses[] = {QUIRE_USE_ANON, QUIRE_USE_FILE, QUIRE_USE_SHMEM};
    static struct model model;
    struct quire_page *pages[PAGES];
    struct quire_machine *machine = double_plain(4u << 20);
    struct quire *q = boot(machine);
    uint64_t seed = 99;
    unsigned takes = 0;
    for (unsigned i = 0; i < PAGES; i++) {
        pages[i] = quire_page_alloc(q, 0, uses[i % 3], QUIRE_ALLOC_USER);
        assert_non_null(pages[i]);
    }
    for (unsigned step = 0; step < 20000; step++) {
        uint64_t random = double_random(&seed);
        struct quire_page *page = pages[random % PAGES];
        put_queue = random >> 20 & 1 ? 2 : random >> 21 & 1;
        put_newest = random >> 22 & 1;
        if (!(page->flags & QUIRE_PAGE_LRU)) {
            quire_lru_add(q, page, 0);
            model_put(&model, page, put_queue, put_newest);
        } else if (random >> 23 & 1) {
            quire_page_set_note(page, (unsigned)(random >> 24) & QUIRE_NOTE_MAX);
            quire_aging_put(quire_lru_aging(q, quire_lru_kind_of(page)), page, put_queue,
                            put_newest);
            model_take(&model, page);
            model_put(&model, page, put_queue, put_newest);
            assert_int_equal(quire_page_note(page), random >> 24 & QUIRE_NOTE_MAX);
            assert_int_equal(quire_page_queue(page), put_queue);
        } else if (random >> 24 & 1) {
            quire_lru_cool(q, page); /* the default: next to go */
            model_take(&model, page);
            model_put(&model, page, 0, false);
        } else {
            quire_lru_remove(q, page);
            model_take(&model, page);
            takes++;
        }
        assert_int_equal(removed, takes);
        if (step % 16 == 0) {
            expect_equal(q, &model);
            quire_phys_audit(q);
        }
    }
    expect_equal(q, &model);
    for (unsigned i = 0; i < PAGES; i++) {
        if (pages[i]->flags & QUIRE_PAGE_LRU) {
            quire_lru_remove(q, pages[i]);
        }
        quire_page_free(q, pages[i]);
    }
    double_down(machine, q);
}

/* ---- what is remembered ---------------------------------------------------------------------- */

static void refaults(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(4u << 20);
    struct quire *q = boot(machine);
    struct quire_page *page = quire_page_alloc(q, 0, QUIRE_USE_ANON, QUIRE_ALLOC_USER);
    const struct quire_counters *counters = &q->counters;
    quire_lru_add(q, page, 0);
    assert_int_equal(counters->workingset_refault_anon, 0);
    assert_int_equal(quire_lru_evict(q, page), 0); /* the policy does not care */
    leave_shadow = QUIRE_SHADOW_MAX;
    quire_lru_add(q, page, 0);
    uint32_t shadow = quire_lru_evict(q, page);
    assert_false(quire_shadow_is_workingset(shadow));
    quire_lru_add(q, page, shadow);
    assert_int_equal(seen_shadow, QUIRE_SHADOW_MAX);
    assert_int_equal(counters->workingset_refault_anon, 1);
    assert_int_equal(counters->workingset_activate_anon, 0);
    /* In an active queue it is of the working set; and still is when it came out of it. */
    struct quire_aging *aging = quire_lru_aging(q, QUIRE_LRU_ANON);
    quire_aging_put(aging, page, 2, true);
    quire_aging_put(aging, page, 1, true);
    shadow = quire_lru_evict(q, page);
    assert_true(quire_shadow_is_workingset(shadow));
    put_queue = 2;
    quire_lru_add(q, page, shadow);
    assert_int_equal(counters->workingset_refault_anon, 2);
    assert_int_equal(counters->workingset_activate_anon, 1);
    assert_int_equal(counters->workingset_restore_anon, 1);
    assert_int_equal(counters->workingset_refault_file, 0);
    leave_shadow = QUIRE_SHADOW_MAX + 1u;
    assert_true(PANICS(machine, quire_lru_evict(q, page)));
    double_release(machine);
}

static void looks(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(4u << 20);
    struct quire *q = boot(machine);
    struct quire_page *page = quire_page_alloc(q, 0, QUIRE_USE_FILE, QUIRE_ALLOC_USER);
    struct quire_aging *aging = quire_lru_aging(q, QUIRE_LRU_FILE);
    quire_lru_add(q, page, 0);
    quire_aging_allow(aging, 2, false);
    answer_used = true;
    assert_int_equal(quire_aging_look(aging, page), QUIRE_LOOK_USED);
    assert_true(page->flags & QUIRE_PAGE_REFERENCED);
    answer_used = false;
    assert_int_equal(quire_aging_look(aging, page), QUIRE_LOOK_UNUSED);
    assert_false(page->flags & QUIRE_PAGE_REFERENCED);
    assert_int_equal(quire_aging_look(aging, page), QUIRE_LOOK_ENOUGH);
    answer_used = true;
    quire_aging_allow(aging, 1, true);
    assert_int_equal(quire_aging_look(aging, page), QUIRE_LOOK_UNUSED);
    assert_false(quire_aging_is_text(aging, page));
    quire_lru_remove(q, page);
    quire_page_free(q, page);
    double_release(machine);
}

/* Another frame takes a page's place between its neighbours, with all that is known of it. */
static void replaced(void **state) {
    (void)state;
    for (unsigned told = 0; told < 2; told++) {
        struct quire_machine *machine = double_plain(4u << 20);
        struct quire *q = boot_with(machine, told ? &obedient : &forgetful);
        struct quire_aging *aging = quire_lru_aging(q, QUIRE_LRU_ANON);
        struct quire_page *pages[4];
        for (unsigned i = 0; i < 4; i++) {
            pages[i] = quire_page_alloc(q, 0, QUIRE_USE_ANON, QUIRE_ALLOC_USER);
            put_queue = 2;
            if (i < 3) {
                quire_lru_add(q, pages[i], 0);
            }
        }
        quire_page_set_note(pages[1], 5);
        pages[1]->flags |= told ? QUIRE_PAGE_REFERENCED : 0;
        pages[1]->flags |= QUIRE_PAGE_DIRTY; /* not this room's: who moves the bytes says so */
        assert_false(quire_lru_is_active(q, pages[3]));
        quire_lru_replace(q, pages[1], pages[3]);
        assert_int_equal(removed, told);
        assert_int_equal(pages[1]->flags, QUIRE_PAGE_DIRTY);
        assert_int_equal(pages[3]->flags, QUIRE_PAGE_LRU | (told ? QUIRE_PAGE_REFERENCED : 0));
        assert_int_equal(quire_page_note(pages[3]), 5);
        assert_true(quire_lru_is_active(q, pages[3]));
        assert_ptr_equal(quire_aging_oldest(aging, 2), pages[0]);
        assert_ptr_equal(quire_aging_newer(aging, pages[0]), pages[3]);
        assert_ptr_equal(quire_aging_newer(aging, pages[3]), pages[2]);
        assert_int_equal(quire_aging_length(aging, 2), 3);
        quire_page_free(q, pages[1]);
        quire_phys_audit(q);
        double_release(machine);
    }
}

/* Under pressure the marks of the page that came eight pages ago are cleared, of as many arrivals
 * as reclaim said, and not of one that has left. */
static void arrivals(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(4u << 20);
    struct quire *q = boot_with(machine, &forgetful);
    struct quire_page *pages[32];
    for (unsigned i = 0; i < 32; i++) {
        pages[i] =
            quire_page_alloc(q, 0, i % 2 ? QUIRE_USE_ANON : QUIRE_USE_FILE, QUIRE_ALLOC_USER);
    }
    quire_lru_add(q, pages[0], 0);
    assert_int_equal(nasked, 0);
    quire_lru_forget_arrivals(q, 21);
    for (unsigned i = 1; i < 32; i++) {
        quire_lru_add(q, pages[i], 0);
        if (i == 5) {
            quire_lru_remove(q, pages[3]);
        }
    }
    assert_int_equal(q->phys->lru.forgets, 0);
    assert_int_equal(nasked, 21 - 8 - 1);
    for (unsigned i = 0; i < nasked; i++) {
        assert_ptr_equal(asked[i], pages[i < 2 ? i + 1 : i + 2]);
    }
    /* A use that is found after that makes it one of the working set. */
    struct quire_aging *aging = quire_lru_aging(q, QUIRE_LRU_ANON);
    quire_aging_allow(aging, 2, false);
    leave_shadow = 9;
    assert_int_equal(quire_aging_look(aging, pages[5]), QUIRE_LOOK_UNUSED);
    answer_used = true;
    assert_int_equal(quire_aging_look(aging, pages[7]), QUIRE_LOOK_USED);
    assert_int_equal(aging->found_used, 1);
    assert_int_equal(quire_lru_evict(q, pages[5]), 9 << 1);
    assert_int_equal(quire_lru_evict(q, pages[7]), 9 << 1 | 1);
    quire_phys_audit(q);
    double_release(machine);
}

/* What a policy wants to be asked about, it is asked; and what moves is counted. */
static void told_of(void **state) {
    (void)state;
    for (unsigned told = 0; told < 2; told++) {
        struct quire_machine *machine = double_plain(4u << 20);
        struct quire *q = boot_with(machine, told ? &forgetful : &obedient);
        struct quire_aging *aging = quire_lru_aging(q, QUIRE_LRU_FILE);
        struct quire_page *page = quire_page_alloc(q, 0, QUIRE_USE_FILE, QUIRE_ALLOC_USER);
        struct quire_page *block = quire_page_alloc(q, 1, QUIRE_USE_FILE, QUIRE_ALLOC_USER);
        put_queue = 2;
        quire_lru_add(q, page, 0);
        quire_lru_add(q, block, 0);
        page->flags |= QUIRE_PAGE_REFERENCED;
        quire_lru_cool(q, page);
        assert_ptr_equal(asked[0], page);
        assert_false(page->flags & QUIRE_PAGE_REFERENCED);
        assert_int_equal(cooled, told);
        assert_int_equal(quire_page_queue(page), told ? 2 : 0);
        quire_aging_keep(aging, block);
        assert_int_equal(kept, told);
        assert_int_equal(quire_lru_deactivated(q), told ? 0 : 1);
        assert_int_equal(quire_lru_activated(q), 0);
        quire_aging_put(aging, page, 1, true);
        quire_aging_put(aging, page, 2, true);
        assert_int_equal(quire_lru_activated(q), 1);
        assert_int_equal(quire_lru_deactivated(q), 1);
        quire_aging_put(aging, page, 0, true);
        /* Three frames in two blocks: which of them lie where. */
        uint32_t at = quire_page_frame(q, block).number, single = quire_page_frame(q, page).number;
        assert_int_equal(quire_lru_count_between(q, QUIRE_LRU_ACTIVE_FILE, at, at + 1), 2);
        assert_int_equal(quire_lru_count_between(q, QUIRE_LRU_ACTIVE_FILE, at + 1, at + 9), 0);
        assert_int_equal(quire_lru_count_between(q, QUIRE_LRU_ACTIVE_FILE, 0, at), 0);
        assert_int_equal(quire_lru_count_between(q, QUIRE_LRU_INACTIVE_FILE, 0, UINT32_MAX), 1);
        assert_int_equal(quire_lru_count_between(q, QUIRE_LRU_INACTIVE_FILE, single, single + 1),
                         1);
        assert_int_equal(quire_lru_count_between(q, QUIRE_LRU_ACTIVE_ANON, 0, UINT32_MAX), 0);
        quire_aging_set_active(aging, 1u << 0);
        assert_int_equal(quire_lru_count(q, QUIRE_LRU_ACTIVE_FILE), 1);
        assert_int_equal(quire_lru_count(q, QUIRE_LRU_INACTIVE_FILE), 2);
        assert_int_equal(quire_aging_rivals(quire_lru_aging(q, QUIRE_LRU_ANON)), 3);
        aging->evictable = false;
        assert_int_equal(quire_aging_rivals(quire_lru_aging(q, QUIRE_LRU_ANON)), 0);
        quire_phys_audit(q);
        double_release(machine);
    }
}

/* On a large machine the table is in chunks, and as much of it is used as there is. */
static void chunks_of_shadows(void **state) {
    (void)state;
    struct quire_machine *machine = double_machine();
    double_add_unfilled(machine, 0, (uint64_t)5 << 30);
    struct quire *q = boot(machine);
    uint64_t before = quire_page_count(q, QUIRE_USE_FREE);
    const struct quire_queues *lru = &q->phys->lru;
    static const struct {
        unsigned fail_every;
        uint64_t sets;
    } cases[] = {{0, 1 << 18}, {3, 1 << 17}, {2, 0}};
    for (unsigned i = 0; i < 3; i++) {
        quire_page_set_failing(q, cases[i].fail_every != 0);
        q->fail_every = cases[i].fail_every;
        q->fail_count = 0;
        quire_shadow_start(q);
        quire_page_set_failing(q, false);
        q->fail_every = 0;
        assert_int_equal(lru->sets, cases[i].sets);
        assert_int_equal(lru->nchunks, cases[i].sets >> 17);
        assert_int_equal(quire_page_count(q, QUIRE_USE_FREE),
                         before - (cases[i].sets > 0) - (lru->nchunks << 10));
        for (uint32_t k = 1; k <= 3000; k++) {
            quire_shadow_put(q, 7, k * UINT64_C(1000003), k);
        }
        assert_int_equal(lru->shadows, cases[i].sets ? 3000 : 0);
        for (uint32_t k = 1; k <= 3000; k++) {
            uint32_t expected = cases[i].sets ? k : 0;
            assert_int_equal(quire_shadow_take(q, 7, k * UINT64_C(1000003)), expected);
        }
        quire_shadow_stop(q);
        assert_int_equal(quire_page_count(q, QUIRE_USE_FREE), before);
    }
    double_down(machine, q);
}

/* Shadows of files: found once, by their own name only, the oldest of a full table forgotten. */
static void shadows(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(4u << 20);
    struct quire *q = boot(machine);
    quire_shadow_put(q, 1, 1, 7); /* no table yet: nothing happens */
    assert_int_equal(quire_shadow_take(q, 1, 1), 0);
    uint64_t before = quire_page_count(q, QUIRE_USE_FREE);
    quire_shadow_start(q);
    quire_shadow_put(q, 1, 1, 7);
    quire_shadow_put(q, 1, 2, 8);
    quire_phys_audit(q);
    assert_int_equal(quire_shadow_take(q, 2, 1), 0);
    assert_int_equal(quire_shadow_take(q, 1, 1), 7);
    assert_int_equal(quire_shadow_take(q, 1, 1), 0);
    assert_int_equal(quire_shadow_take(q, 1, 2), 8);
    unsigned found = 0;
    for (uint32_t i = 0; i < 5000; i++) { /* of a table for less than 1024 frames */
        quire_shadow_put(q, 9, i, i + 1);
    }
    quire_phys_audit(q);
    assert_in_range(q->phys->lru.shadows, 400, 1024);
    assert_int_equal(q->counters.workingset_nodereclaim, 5000 - q->phys->lru.shadows);
    for (uint32_t i = 0; i < 5000; i++) {
        uint32_t shadow = quire_shadow_take(q, 9, i);
        assert_true(shadow == 0 || shadow == i + 1);
        assert_true(shadow != 0 || i < 4950); /* the youngest are there */
        found += shadow != 0;
    }
    assert_in_range(found, 400, 1024);
    assert_int_equal(q->phys->lru.shadows, 0);
    quire_phys_audit(q);
    quire_shadow_stop(q);
    assert_int_equal(quire_page_count(q, QUIRE_USE_FREE), before);
    /* Without memory there is no table, and nobody minds. */
    quire_page_set_failing(q, true);
    q->fail_every = 1;
    quire_shadow_start(q);
    assert_int_equal(q->phys->lru.sets, 0);
    q->fail_every = 2; /* the list of chunks, but no chunk */
    q->fail_count = 0;
    quire_shadow_start(q);
    assert_int_equal(q->phys->lru.sets, 0);
    q->fail_every = 0;
    quire_page_set_failing(q, false);
    quire_shadow_put(q, 1, 1, 7);
    assert_int_equal(quire_shadow_take(q, 1, 1), 0);
    assert_int_equal(quire_page_count(q, QUIRE_USE_FREE), before);
    double_down(machine, q);
}

static void misuse(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(4u << 20);
    struct quire *q = boot(machine);
    struct quire_page *kernel = quire_page_alloc(q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_USER);
    struct quire_page *page = quire_page_alloc(q, 0, QUIRE_USE_FILE, QUIRE_ALLOC_USER);
    assert_true(PANICS(machine, quire_lru_add(q, kernel, 0)));
    assert_true(PANICS(machine, quire_lru_remove(q, page)));
    assert_true(PANICS(machine, quire_lru_replace(q, page, kernel)));
    quire_lru_add(q, page, 0);
    assert_true(PANICS(machine, quire_lru_replace(q, page, page)));
    assert_true(PANICS(machine, quire_lru_add(q, page, 0)));
    assert_true(PANICS(machine, quire_page_free(q, page)));
    assert_true(PANICS(machine, quire_page_set_use(q, page, QUIRE_USE_ANON)));
    quire_phys_audit(q);
    struct quire_aging *aging = quire_lru_aging(q, QUIRE_LRU_FILE);
    aging->nactive++;
    assert_true(PANICS(machine, quire_phys_audit(q)));
    aging->nactive--;
    aging->length[0]++;
    assert_true(PANICS(machine, quire_phys_audit(q)));
    aging->length[0]--;
    page->policy ^= 1; /* says another queue */
    assert_true(PANICS(machine, quire_phys_audit(q)));
    page->policy ^= 1;
    audit_answer = false;
    assert_true(PANICS(machine, quire_phys_audit(q)));
    audit_answer = true;
    q->phys->lru.shadows++;
    assert_true(PANICS(machine, quire_phys_audit(q)));
    q->phys->lru.shadows--;
    quire_phys_audit(q);
    double_release(machine);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_moves),
                                       cmocka_unit_test(refaults),
                                       cmocka_unit_test(looks),
                                       cmocka_unit_test(shadows),
                                       cmocka_unit_test(misuse),
                                       cmocka_unit_test(replaced),
                                       cmocka_unit_test(arrivals),
                                       cmocka_unit_test(told_of),
                                       cmocka_unit_test(chunks_of_shadows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
