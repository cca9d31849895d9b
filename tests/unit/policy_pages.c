/* policy_pages.c: the policies on a handful of pages that are no frames: what each answers at the
 * edges, and what the words of quire/policy.h promise of all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "page/lru.h"
#include "page/zone.h"

#define NPAGES 64

static struct {
    struct quire_aging aging;
    struct quire_page pages[NPAGES];
    bool used[NPAGES];
    _Alignas(16) char state[131072];
} w;

static bool used(void *context, struct quire_page *page) {
    (void)context;
    bool was = w.used[page - w.pages];
    w.used[page - w.pages] = false;
    return was;
}

static void up(const struct quire_policy *policy) {
    const struct quire_aging_hooks hooks = {.used = used};
    memset(&w, 0, sizeof w);
    quire_aging_init(&w.aging, policy, w.state, &hooks);
    quire_aging_allow(&w.aging, 10000, false);
}

static void insert(unsigned i, unsigned order) {
    w.pages[i].use = QUIRE_USE_ANON;
    w.pages[i].order = (uint8_t)(order & 15);
    w.aging.policy->insert(&w.aging, &w.pages[i], 0);
}

static struct quire_page *victim(void) {
    return w.aging.policy->victim(&w.aging);
}

static void audit(void) {
    if (w.aging.policy->audit)
        assert_true(w.aging.policy->audit(&w.aging));
}

/* No page, no victim; and none without looks. */
static void nobody(void **state) {
    (void)state;
    for (unsigned i = 0; quire_policy_at(i); i++) {
        up(quire_policy_at(i));
        audit();
        assert_null(victim());
        for (unsigned k = 0; k < 5; k++)
            insert(k, 0);
        audit();
        quire_aging_allow(&w.aging, 0, false);
        assert_null(victim());
        quire_aging_allow(&w.aging, 100, false);
        for (unsigned k = 0; k < 5; k++) {
            struct quire_page *page = victim();
            assert_non_null(page);
            if (w.aging.policy->evict)
                assert_true(w.aging.policy->evict(&w.aging, page) <= QUIRE_SHADOW_MAX);
            quire_aging_remove(&w.aging, page);
            audit();
        }
        assert_null(victim());
        insert(7, 0); /* and it begins again */
        assert_ptr_equal(victim(), &w.pages[7]);
        audit();
    }
}

/* A victim that could not go is not offered again before others were. */
static void kept(void **state) {
    (void)state;
    for (unsigned i = 0; quire_policy_at(i); i++) {
        up(quire_policy_at(i));
        for (unsigned k = 0; k < 12; k++)
            insert(k, 0);
        struct quire_page *first = victim();
        quire_aging_keep(&w.aging, first);
        audit();
        for (unsigned k = 0; k < 5; k++) {
            struct quire_page *page = victim();
            assert_non_null(page);
            assert_ptr_not_equal(page, first);
            quire_aging_remove(&w.aging, page);
            audit();
        }
    }
}

/* A page may leave without having been asked, also the one that would have been the next. */
static void gone(void **state) {
    (void)state;
    for (unsigned i = 0; quire_policy_at(i); i++) {
        for (unsigned k = 0; k < 12; k++) {
            bool offered[12] = {false};
            up(quire_policy_at(i));
            for (unsigned n = 0; n < 12; n++)
                insert(n, 0);
            quire_aging_keep(&w.aging, victim());
            quire_aging_remove(&w.aging, &w.pages[k]);
            audit();
            for (unsigned n = 0; n < 11; n++) {
                struct quire_page *page = victim();
                assert_non_null(page);
                assert_false(offered[page - w.pages]);
                offered[page - w.pages] = true;
                quire_aging_remove(&w.aging, page);
                audit();
            }
            assert_false(offered[k]);
            assert_null(victim());
        }
    }
}

/* Sieve: who leaves beside the hand does not move it. */
static void sieve_hand(void **state) {
    (void)state;
    up(quire_policy_find("sieve"));
    for (unsigned k = 0; k < 12; k++)
        insert(k, 0);
    quire_aging_keep(&w.aging, victim());
    quire_aging_remove(&w.aging, &w.pages[6]);
    assert_ptr_equal(victim(), &w.pages[1]); /* stays: the hand is past it */
    quire_aging_remove(&w.aging, &w.pages[2]);
    assert_ptr_equal(victim(), &w.pages[3]);
    audit();
}

/* Linux: a page that comes back is active if it left no longer ago than all that is active, and all
 * of the other kind, is large. */
static void linux_distance(void **state) {
    (void)state;
    static struct quire_aging other;
    static uint64_t other_state[16];
    const struct quire_policy *policy = quire_policy_find("linux");
    for (unsigned distance = 0; distance < 20; distance++) {
        up(policy);
        quire_aging_init(&other, policy, other_state, &w.aging.hooks);
        w.aging.other = &other;
        other.npages = 5;
        for (unsigned k = 0; k < 30; k++)
            insert(k, 0);
        for (unsigned k = 27; k < 30; k++)
            quire_aging_put(&w.aging, &w.pages[k], 1, true); /* three are active */
        uint32_t shadow = policy->evict(&w.aging, &w.pages[0]);
        quire_aging_remove(&w.aging, &w.pages[0]);
        for (unsigned k = 1; k <= distance; k++)
            assert_int_equal(policy->evict(&w.aging, &w.pages[k]), shadow + k);
        policy->insert(&w.aging, &w.pages[0], shadow);
        bool active = distance <= 3 + 5;
        assert_int_equal(quire_page_queue(&w.pages[0]), active);
        assert_int_equal(policy->evict(&w.aging, &w.pages[20]), shadow + distance + 1 + active);
    }
}

/* What a program does not need soon goes next. */
static void cooled(void **state) {
    (void)state;
    for (unsigned i = 0; quire_policy_at(i); i++) {
        for (unsigned k = 0; k < 12; k++) {
            up(quire_policy_at(i));
            for (unsigned n = 0; n < 12; n++)
                insert(n, 0);
            if (k % 2)
                quire_aging_keep(&w.aging, victim());
            if (w.aging.policy->cool)
                w.aging.policy->cool(&w.aging, &w.pages[k]);
            else
                quire_aging_put(&w.aging, &w.pages[k], 0, false);
            audit();
            if (victim() != &w.pages[k])
                fail_msg("%s: page %u was cooled and did not go", w.aging.policy->name, k);
        }
    }
}

/* Nobody goes who was used since the last look; where all are, the looks come to an end. */
static void used_stay(void **state) {
    (void)state;
    for (unsigned i = 0; quire_policy_at(i); i++) {
        up(quire_policy_at(i));
        for (unsigned k = 0; k < 20; k++)
            insert(k, 0);
        for (unsigned turn = 0; turn < 30; turn++) {
            for (unsigned k = 0; k < 20; k++)
                w.used[k] = true;
            quire_aging_allow(&w.aging, 10, false);
            struct quire_page *page = victim();
            audit();
            assert_true(!page || !w.used[page - w.pages]);
        }
    }
}

/* Linux's inactive_is_low: the larger the memory, the smaller the part of it that is inactive.
 * Pages of 128 MiB each. */
static void linux_ratio(void **state) {
    (void)state;
    static const struct {
        unsigned pages, ratio; /* floor of sqrt(10 * GiB), 1 below a GiB */
    } cases[] = {{6, 1}, {8, 3}, {16, 4}, {24, 5}, {40, 7}, {56, 8}};
    const struct quire_policy *policy = quire_policy_find("linux");
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (unsigned inactive = 1; inactive < cases[i].pages; inactive++) {
            unsigned active = cases[i].pages - inactive;
            up(policy);
            for (unsigned k = 0; k < cases[i].pages; k++) {
                insert(k, 15);
                if (k < active)
                    quire_aging_put(&w.aging, &w.pages[k], 1, true);
            }
            uint64_t before = w.aging.deactivated;
            assert_non_null(victim());
            assert_int_equal(w.aging.deactivated > before, inactive * cases[i].ratio < active);
        }
    }
}

/* Linux: where too few are inactive, 32 at a time become it, the oldest, and one of them goes. */
static void linux_cluster(void **state) {
    (void)state;
    up(quire_policy_find("linux"));
    for (unsigned k = 0; k < NPAGES; k++) {
        insert(k, 0);
        quire_aging_put(&w.aging, &w.pages[k], 1, true);
    }
    assert_ptr_equal(victim(), &w.pages[0]);
    assert_int_equal(w.aging.deactivated, 32);
    for (unsigned k = 0; k < NPAGES; k++)
        assert_int_equal(quire_page_queue(&w.pages[k]), k >= 32);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody),        cmocka_unit_test(kept),
        cmocka_unit_test(cooled),        cmocka_unit_test(used_stay),
        cmocka_unit_test(linux_ratio),   cmocka_unit_test(gone),
        cmocka_unit_test(sieve_hand),    cmocka_unit_test(linux_distance),
        cmocka_unit_test(linux_cluster),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
