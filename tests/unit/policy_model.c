/* policy_model.c: each policy against its paper, reference by reference, and against what all of
 * them promise: no better than OPT, not much worse than what they mean to improve.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "model/policies.h"
#include "model/replay.h"
#include "model/traces.h"

#define LENGTH 60000u
#define NPAGES 1000u

static uint32_t trace[LENGTH];

/* Where there is a model, every single reference must hit or miss as in the model. */
static void as_in_the_paper(void **state) {
    (void)state;
    const uint32_t frames[] = {1, 2, 7, 50, 200, 999};
    unsigned compared = 0;
    for (unsigned kind = 0; kind < TRACE_KINDS; kind++) {
        trace_make(kind, trace, LENGTH, NPAGES);
        for (unsigned f = 0; f < sizeof frames / sizeof frames[0]; f++) {
            const struct quire_policy *policy;
            for (unsigned i = 0; (policy = quire_policy_at(i)) != NULL; i++) {
                struct replay replay;
                if (!policies_model_has(policy->name))
                    continue;
                struct policies_model *model =
                    policies_model_create(policy->name, frames[f], NPAGES);
                replay_up(&replay, policy, frames[f], NPAGES);
                for (uint32_t at = 0; at < LENGTH; at++) {
                    bool hit = replay_refer(&replay, trace[at]);
                    if (hit != policies_model_refer(model, trace[at]))
                        fail_msg("%s, %u frames, %s: reference %u", policy->name, frames[f],
                                 trace_names[kind], at);
                }
                compared++;
                replay_down(&replay);
                policies_model_destroy(model);
            }
        }
    }
    assert_int_equal(compared, 4 * TRACE_KINDS * 6); /* clock, sieve, 2q, s3fifo */
}

static uint64_t misses_of(const char *name, uint32_t frames) {
    struct replay replay;
    replay_up(&replay, quire_policy_find(name), frames, NPAGES);
    for (uint32_t at = 0; at < LENGTH; at++)
        replay_refer(&replay, trace[at]);
    assert_int_equal(quire_aging_pages(&replay.aging), replay.taken);
    if (replay.aging.policy->audit)
        assert_true(replay.aging.policy->audit(&replay.aging));
    uint64_t misses = replay.misses;
    replay_down(&replay);
    return misses;
}

static void never_better_than_opt(void **state) {
    (void)state;
    for (unsigned kind = 0; kind < TRACE_KINDS; kind++) {
        trace_make(kind, trace, LENGTH, NPAGES);
        uint64_t opt = policies_model_opt(trace, LENGTH, 200, NPAGES);
        const struct quire_policy *policy;
        for (unsigned i = 0; (policy = quire_policy_at(i)) != NULL; i++) {
            uint64_t misses = misses_of(policy->name, 200);
            if (misses < opt || misses > LENGTH)
                fail_msg("%s: %u misses, OPT %u", policy->name, (unsigned)misses, (unsigned)opt);
            /* With all the memory wanted a page is missed once. */
            assert_true(misses_of(policy->name, NPAGES) <= NPAGES);
        }
    }
}

/* Popular pages and scans: who sorts newcomers out is better than CLOCK, which gives each a round,
 * by more than a twentieth. */
static void scans_are_resisted(void **state) {
    (void)state;
    static const char *const resistant[] = {"2q", "arc", "s3fifo", "sieve"};
    trace_make(TRACE_SCAN, trace, LENGTH, NPAGES);
    uint64_t clock = misses_of("clock", 200);
    for (unsigned i = 0; i < sizeof resistant / sizeof resistant[0]; i++) {
        uint64_t misses = misses_of(resistant[i], 200);
        if (misses * 20 >= clock * 19)
            fail_msg("%s: %u misses, clock %u", resistant[i], (unsigned)misses, (unsigned)clock);
    }
}

/* Popular pages beside a loop that does not fit: CLOCK lets the loop push them out. */
static void loops_are_resisted(void **state) {
    (void)state;
    static const char *const resistant[] = {"linux", "2q", "arc", "s3fifo", "sieve"};
    trace_make(TRACE_MIX, trace, LENGTH, NPAGES);
    uint64_t clock = misses_of("clock", 200);
    for (unsigned i = 0; i < sizeof resistant / sizeof resistant[0]; i++) {
        uint64_t misses = misses_of(resistant[i], 200);
        if (misses > clock)
            fail_msg("%s: %u misses, clock %u", resistant[i], (unsigned)misses, (unsigned)clock);
    }
}

/* Popular pages alone: nobody is more than a tenth worse than LRU. */
static void popular_pages_stay(void **state) {
    (void)state;
    trace_make(TRACE_ZIPF, trace, LENGTH, NPAGES);
    struct policies_model *lru = policies_model_create("lru", 200, NPAGES);
    uint64_t misses = 0;
    for (uint32_t at = 0; at < LENGTH; at++)
        misses += !policies_model_refer(lru, trace[at]);
    policies_model_destroy(lru);
    const struct quire_policy *policy;
    for (unsigned i = 0; (policy = quire_policy_at(i)) != NULL; i++) {
        uint64_t own = misses_of(policy->name, 200);
        if (own * 10 > misses * 11)
            fail_msg("%s: %u misses, LRU %u", policy->name, (unsigned)own, (unsigned)misses);
    }
}

/* ARC moves its target: to recency when all is new, to frequency when some comes back. Seen by what
 * it does after a change: it is never far behind the better of two fixed splits. */
static void arc_adapts(void **state) {
    (void)state;
    trace_make(TRACE_PHASES, trace, LENGTH, NPAGES);
    uint64_t arc = misses_of("arc", 100), clock = misses_of("clock", 100);
    assert_true(arc * 20 < clock * 21);
    trace_make(TRACE_SCAN, trace, LENGTH, NPAGES);
    assert_true(misses_of("arc", 100) * 100 < misses_of("clock", 100) * 97);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_in_the_paper),    cmocka_unit_test(never_better_than_opt),
        cmocka_unit_test(scans_are_resisted), cmocka_unit_test(loops_are_resisted),
        cmocka_unit_test(popular_pages_stay), cmocka_unit_test(arc_adapts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
