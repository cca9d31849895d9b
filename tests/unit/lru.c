/* lru.c: the four lists against arrays: order, counts, kinds, misuse. */
#include "port_double.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define PAGES 200u

struct model {
    struct quire_page *list[QUIRE_NLRUS][PAGES]; /* tail first */
    unsigned n[QUIRE_NLRUS];
};

static enum quire_lru list_for(const struct quire_page *page, bool active) {
    return page->use == QUIRE_USE_FILE ? (active ? QUIRE_LRU_ACTIVE_FILE : QUIRE_LRU_INACTIVE_FILE)
                                       : (active ? QUIRE_LRU_ACTIVE_ANON : QUIRE_LRU_INACTIVE_ANON);
}

static void model_put(struct model *model, struct quire_page *page, bool active, bool to_head) {
    enum quire_lru list = list_for(page, active);
    if (!to_head) {
        memmove(&model->list[list][1], &model->list[list][0],
                model->n[list] * sizeof model->list[list][0]);
    }
    model->list[list][to_head ? model->n[list] : 0] = page;
    model->n[list]++;
}

static void model_take(struct model *model, const struct quire_page *page) {
    for (unsigned list = 0; list < QUIRE_NLRUS; list++) {
        for (unsigned i = 0; i < model->n[list]; i++) {
            if (model->list[list][i] == page) {
                model->n[list]--;
                memmove(&model->list[list][i], &model->list[list][i + 1],
                        (model->n[list] - i) * sizeof model->list[list][0]);
                return;
            }
        }
    }
    fail();
}

static void random_moves(void **state) {
    (void)state;
    static const enum quire_page_use uses[] = {QUIRE_USE_ANON, QUIRE_USE_FILE, QUIRE_USE_SHMEM};
    static struct model model;
    struct quire_page *pages[PAGES];
    struct quire_machine *machine = double_plain(4u << 20);
    struct quire *q = double_boot(machine, 0);
    uint64_t seed = 99;
    for (unsigned i = 0; i < PAGES; i++) {
        pages[i] = quire_page_alloc(q, 0, uses[i % 3], QUIRE_ALLOC_USER);
        assert_non_null(pages[i]);
    }
    for (unsigned step = 0; step < 20000; step++) {
        uint64_t random = double_random(&seed);
        struct quire_page *page = pages[random % PAGES];
        bool active = random >> 20 & 1, to_head = random >> 21 & 1;
        if (!(page->flags & QUIRE_PAGE_LRU)) {
            quire_lru_add(q, page, active);
            model_put(&model, page, active, true);
        } else if (random >> 22 & 1) {
            quire_lru_move(q, page, active, to_head);
            model_take(&model, page);
            model_put(&model, page, active, to_head);
        } else {
            quire_lru_remove(q, page);
            model_take(&model, page);
        }
        for (unsigned list = 0; list < QUIRE_NLRUS; list++) {
            assert_int_equal(quire_lru_count(q, list), model.n[list]);
            assert_ptr_equal(quire_lru_tail(q, list), model.n[list] ? model.list[list][0] : NULL);
        }
        if (step % 16 == 0) {
            quire_phys_audit(q);
        }
    }
    for (unsigned list = 0; list < QUIRE_NLRUS; list++) { /* drained as reclaim does it: in order */
        for (unsigned i = 0; i < model.n[list]; i++) {
            struct quire_page *page = quire_lru_tail(q, list);
            assert_ptr_equal(page, model.list[list][i]);
            quire_lru_remove(q, page);
        }
        assert_null(quire_lru_tail(q, list));
    }
    for (unsigned i = 0; i < PAGES; i++) {
        quire_page_free(q, pages[i]);
    }
    quire_phys_audit(q);
    quire_phys_shutdown(q);
    double_release(machine);
}

static void misuse(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(4u << 20);
    struct quire *q = double_boot(machine, 0);
    struct quire_page *kernel = quire_page_alloc(q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_USER);
    struct quire_page *page = quire_page_alloc(q, 0, QUIRE_USE_FILE, QUIRE_ALLOC_USER);
    assert_true(PANICS(machine, quire_lru_add(q, kernel, false)));
    assert_true(PANICS(machine, quire_lru_remove(q, page)));
    quire_lru_add(q, page, true);
    assert_true(PANICS(machine, quire_lru_add(q, page, true)));
    assert_true(PANICS(machine, quire_page_free(q, page)));
    assert_true(PANICS(machine, quire_page_set_use(q, page, QUIRE_USE_ANON)));
    quire_phys_audit(q);
    q->phys->nlru[QUIRE_LRU_ACTIVE_FILE]++;
    assert_true(PANICS(machine, quire_phys_audit(q)));
    double_release(machine);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_moves), cmocka_unit_test(misuse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
