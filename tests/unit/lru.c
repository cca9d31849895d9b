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

static bool used(void *context, struct quire_page *page) {
    (void)context, (void)page;
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

static struct quire *boot(struct quire_machine *machine) {
    void *const no_state[2] = {NULL, NULL};
    const struct quire_aging_hooks hooks = {.used = used};
    struct quire *q = double_boot(machine, 0);
    put_queue = 0;
    put_newest = audit_answer = true;
    answer_used = false;
    seen_shadow = leave_shadow = removed = 0;
    quire_lru_start(q, &obedient, no_state, &hooks);
    return q;
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
    quire_phys_audit(q);
    quire_phys_shutdown(q);
    double_release(machine);
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
    quire_phys_audit(q);
    quire_phys_shutdown(q);
    double_release(machine);
}

static void misuse(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(4u << 20);
    struct quire *q = boot(machine);
    struct quire_page *kernel = quire_page_alloc(q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_USER);
    struct quire_page *page = quire_page_alloc(q, 0, QUIRE_USE_FILE, QUIRE_ALLOC_USER);
    assert_true(PANICS(machine, quire_lru_add(q, kernel, 0)));
    assert_true(PANICS(machine, quire_lru_remove(q, page)));
    quire_lru_add(q, page, 0);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_moves), cmocka_unit_test(refaults),
                                       cmocka_unit_test(looks), cmocka_unit_test(shadows),
                                       cmocka_unit_test(misuse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
