/* oom.c: who is killed when nothing is left, who never is, and what it says. */
#include "rig.h"

#include <quire/kmem.h>

#define RAM (8 * RIG_MIB)

/* Fill memory in a space until something else than OK happens or all is done. */
static enum quire_status eat(struct rig *rig, unsigned index, uint64_t va, uint64_t npages) {
    for (uint64_t n = 0; n < npages; n++) {
        enum quire_status status = rig_store(rig, index, va + n * RIG_PAGE, n);
        if (status != QUIRE_OK)
            return status;
    }
    return QUIRE_OK;
}

static void the_largest_dies(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, RAM, 0);
    for (unsigned i = 0; i < 3; i++)
        rig_space(&rig, i);
    uint64_t small = rig_map(&rig, 0, RAM, RIG_RW, 0);
    uint64_t large = rig_map(&rig, 1, RAM, RIG_RW, 0);
    uint64_t mine = rig_map(&rig, 2, RAM, RIG_RW, 0);
    rig_fill(&rig, 0, small, 100, 0);
    assert_int_equal(eat(&rig, 1, large, 1000), QUIRE_OK);
    assert_int_equal(eat(&rig, 2, mine, 990), QUIRE_OK); /* the bystander's fault needs memory */
    assert_int_equal(rig.kills, 1);
    assert_int_equal(rig.last_killed, 1);
    assert_int_equal(quire_counters(rig.q)->oom_kill, 1);
    assert_non_null(
        strstr(rig.why, "Out of memory: Killed process total-vm:8192kB, anon-rss:4000kB"));
    assert_non_null(strstr(rig.why, "oom_score_adj:0"));
    rig_expect(&rig, 0, small, 100, 0);
    quire_audit(rig.q);
    rig_down(&rig);
}

/* The report: memory's state, then the candidates with what they hold, the worst marked. */
static void it_says_why(void **state) {
    (void)state;
    struct rig rig;
    unsigned long total, rss, anon, file, shmem, tables, swapped;
    int adj, number;
    rig_up(&rig, RAM, 0);
    for (unsigned i = 0; i < 3; i++)
        rig_space(&rig, i);
    assert_int_equal(quire_space_set_oom_score_adj(rig.spaces[0], -500), QUIRE_OK);
    rig_fill(&rig, 0, rig_map(&rig, 0, RAM, RIG_RW, 0), 100, 0);
    assert_int_equal(eat(&rig, 1, rig_map(&rig, 1, RAM, RIG_RW, 0), 1000), QUIRE_OK);
    assert_int_equal(rig.log[0], 0);
    assert_int_equal(eat(&rig, 2, rig_map(&rig, 2, RAM, RIG_RW, 0), 990), QUIRE_OK);
    assert_int_equal(rig.kills, 1);
    const char *line = rig.log;
    assert_memory_equal(line, "out of memory: free:", 20);
    static const char *const labels[] = {"kB min:",  "kB anon:",       "kB shmem:",     "kB file:",
                                         "kB slab:", "kB pagetables:", "kB swap free:", "kB of "};
    for (unsigned i = 0; i < sizeof labels / sizeof labels[0]; i++)
        assert_non_null(strstr(line, labels[i]));
    line = strchr(line, '\n') + 1;
    assert_memory_equal(line, "[space]  total_vm", 17);
    for (int row = 1; row <= 3; row++) {
        line = strchr(line, '\n') + 1;
        assert_int_equal(sscanf(line, "[%d] %lu %lu %lu %lu %lu %lu %lu %d", &number, &total, &rss,
                                &anon, &file, &shmem, &tables, &swapped, &adj),
                         9);
        assert_int_equal(number, row);
        assert_int_equal(total, RAM / RIG_PAGE);
        assert_int_equal(rss, anon + file + shmem);
        assert_int_equal(adj, row == 1 ? -500 : 0);
        assert_true(row != 1 || anon == 100);
        assert_true(row != 2 || anon == 1000);
        const char *mark = strstr(line, "<- the worst");
        assert_true((mark && mark < strchr(line, '\n')) == (row == 2));
    }
    assert_string_equal(strchr(line, '\n'), "\n"); /* nothing behind it */
    rig_down(&rig);
}

/* Goes on until there is enough: each kill frees what the victim had, and the next one follows. */
static void until_there_is_enough(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, RAM, 0);
    for (unsigned i = 0; i < 6; i++)
        rig_space(&rig, i);
    for (unsigned i = 0; i < 5; i++)
        rig_fill(&rig, i, rig_map(&rig, i, RAM, RIG_RW, 0), 300 + 10 * i, 0);
    assert_int_equal(quire_space_set_oom_score_adj(rig.spaces[5], -1000), QUIRE_OK);
    assert_int_equal(eat(&rig, 5, rig_map(&rig, 5, RAM, RIG_RW, 0), 1550), QUIRE_OK);
    assert_int_equal(rig.kills, 4);
    for (unsigned i = 0; i < 5; i++) /* the largest first */
        assert_true((rig.spaces[i] == NULL) == (i > 0));
    assert_int_equal(quire_space_oom_score(rig.spaces[5]), 0);
    quire_audit(rig.q);
    rig_down(&rig);
}

static void adj_decides(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, RAM, 0);
    for (unsigned i = 0; i < 3; i++)
        rig_space(&rig, i);
    assert_int_equal(quire_space_set_oom_score_adj(rig.spaces[0], 1000), QUIRE_OK);
    assert_int_equal(quire_space_set_oom_score_adj(rig.spaces[1], -1000), QUIRE_OK);
    assert_int_equal(quire_space_set_oom_score_adj(rig.spaces[1], -1001), QUIRE_INVAL);
    uint64_t small = rig_map(&rig, 0, RAM, RIG_RW, 0);
    uint64_t large = rig_map(&rig, 1, RAM, RIG_RW, 0);
    uint64_t mine = rig_map(&rig, 2, RAM, RIG_RW, 0);
    rig_fill(&rig, 0, small, 50, 0);
    rig_fill(&rig, 1, large, 1000, 0);
    assert_int_equal(quire_space_oom_score(rig.spaces[1]), 0);
    assert_true(quire_space_oom_score(rig.spaces[0]) > 1300);
    assert_in_range(quire_space_oom_score(rig.spaces[2]), 660, 680);
    /* First the volunteer, then the one that eats itself; never the protected one. */
    assert_int_equal(eat(&rig, 2, mine, RAM / RIG_PAGE), QUIRE_KILLED);
    assert_int_equal(rig.kills, 2);
    assert_null(rig.spaces[0]);
    assert_int_equal(rig.last_killed, 2);
    uint64_t value;
    assert_int_equal(rig_load(&rig, 2, mine, &value), QUIRE_KILLED);
    rig_expect(&rig, 1, large, 1000, 0);
    quire_audit(rig.q);
    rig_down(&rig);
}

/* What the administrator adds or takes away is a part of RAM and swap together. */
static void adj_is_of_ram_and_swap(void **state) {
    (void)state;
    for (unsigned swap = 0; swap < 3; swap++) {
        struct rig rig;
        rig_up(&rig, RAM, swap * RAM);
        rig_space(&rig, 0);
        rig_space(&rig, 1);
        assert_int_equal(quire_space_set_oom_score_adj(rig.spaces[1], -500), QUIRE_OK);
        uint64_t va = rig_map(&rig, 1, RAM, RIG_RW, 0);
        rig_fill(&rig, 1, va, RAM / RIG_PAGE * 3 / 4, 0);
        /* Three quarters of RAM are more than half of what there is where there is no swap. */
        assert_true((quire_space_oom_score(rig.spaces[1]) > quire_space_oom_score(rig.spaces[0])) ==
                    (swap == 0));
        rig_down(&rig);
    }
}

static void nobody_may_be_killed(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, RAM, 0);
    rig_space(&rig, 0);
    assert_int_equal(quire_space_set_oom_score_adj(rig.spaces[0], -1000), QUIRE_OK);
    uint64_t va = rig_map(&rig, 0, 2 * RAM, RIG_RW, 0);
    assert_int_equal(eat(&rig, 0, va, 2 * RAM / RIG_PAGE), QUIRE_BUS);
    assert_int_equal(rig.kills, 0);
    uint64_t value;
    assert_int_equal(rig_load(&rig, 0, va, &value), QUIRE_OK); /* it lives on */
    uint64_t tries = quire_counters(rig.q)->allocstall;
    assert_int_equal(rig_usage(&rig).free, rig_usage(&rig).watermark_min);
    assert_int_equal(eat(&rig, 0, va, 2 * RAM / RIG_PAGE), QUIRE_BUS);
    assert_int_equal(quire_counters(rig.q)->allocstall, tries + 1); /* in vain: once is enough */
    quire_frame frames[RAM / RIG_PAGE]; /* the kernel goes below what a program may have */
    unsigned nframes = 0;
    while (quire_frames_alloc(rig.q, 0, &frames[nframes]) == QUIRE_OK)
        nframes++;
    tries = quire_counters(rig.q)->allocstall;
    assert_int_equal(eat(&rig, 0, va, 2 * RAM / RIG_PAGE), QUIRE_BUS);
    assert_int_equal(quire_counters(rig.q)->allocstall, tries + 1); /* so below min */
    while (nframes > 0)
        quire_frames_free(rig.q, frames[--nframes], 0);
    quire_audit(rig.q);
    rig_down(&rig);
}

/* A machine that cannot end the program at once: its memory is taken all the same. */
static void reaped(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, RAM, 0);
    rig.lazy = true;
    rig_space(&rig, 0);
    rig_space(&rig, 1);
    uint64_t victim = rig_map(&rig, 0, RAM, RIG_RW, 0);
    uint64_t mine = rig_map(&rig, 1, RAM, RIG_RW, 0);
    assert_int_equal(eat(&rig, 0, victim, 1000), QUIRE_OK);
    assert_int_equal(eat(&rig, 1, mine, 950), QUIRE_OK);
    assert_int_equal(rig.kills, 1);
    assert_int_equal(rig.last_killed, 0);
    struct quire_space_usage usage;
    quire_space_usage(rig.spaces[0], &usage);
    assert_int_equal(usage.resident_anon, 0);
    uint64_t value;
    assert_int_equal(rig_load(&rig, 0, victim, &value), QUIRE_KILLED);
    quire_audit(rig.q);
    rig_down(&rig);
}

/* With swap: killed only when that is full too, and everybody else's pages are intact. */
static void after_swap_is_full(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, RAM, RAM);
    rig_space(&rig, 0);
    rig_space(&rig, 1);
    uint64_t small = rig_map(&rig, 0, RAM, RIG_RW, 0);
    uint64_t mine = rig_map(&rig, 1, 4 * RAM, RIG_RW, 0);
    rig_fill(&rig, 0, small, 700, 0);
    uint64_t eaten = 0;
    while (rig_store(&rig, 1, mine + eaten * RIG_PAGE, 1) == QUIRE_OK)
        eaten++;
    assert_true(eaten + 700 > RAM / RIG_PAGE * 17 / 10);
    assert_int_equal(rig.last_killed, 1);
    quire_space_destroy(rig.spaces[1]);
    rig.spaces[1] = NULL;
    rig_expect(&rig, 0, small, 700, 0);
    quire_audit(rig.q);
    rig_down(&rig);
}

/* A call is refused, not paid for with somebody's life. */
static void calls_do_not_kill(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, RAM, 0);
    rig_space(&rig, 0);
    uint64_t va = rig_map(&rig, 0, 4 * RAM, RIG_RW, QUIRE_MAP_POPULATE);
    assert_int_equal(rig.kills, 0);
    enum quire_status status = QUIRE_OK;
    for (unsigned i = 1; i < RIG_SPACES && status == QUIRE_OK; i++)
        status = quire_space_fork(rig.spaces[0], &rig.spaces[i], &rig.spaces[i]);
    assert_int_equal(rig.kills, 0);
    quire_audit(rig.q);
    assert_int_equal(quire_unmap(rig.spaces[0], quire_va(va), 4 * RAM), QUIRE_OK);
    rig_down(&rig);
}

/* But a store by the kernel that goes past protections, as a loader's: nobody can be told that it
 * was refused. */
static void forced_stores_kill(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, RAM, 0);
    rig_space(&rig, 0);
    rig_space(&rig, 1);
    rig_map(&rig, 0, 4 * RAM, RIG_RW, QUIRE_MAP_POPULATE);
    uint64_t text = rig_map(&rig, 1, RIG_MIB, QUIRE_PROT_READ, 0);
    char byte = 7;
    for (uint64_t at = text; at < text + RIG_MIB; at += RIG_PAGE)
        assert_int_equal(quire_copy_force(rig.spaces[1], quire_va(at), &byte, 1), 0);
    assert_int_equal(rig.kills, 1);
    assert_int_equal(rig.last_killed, 0);
    quire_audit(rig.q);
    rig_down(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_why),          cmocka_unit_test(until_there_is_enough),
        cmocka_unit_test(the_largest_dies),     cmocka_unit_test(adj_decides),
        cmocka_unit_test(nobody_may_be_killed), cmocka_unit_test(reaped),
        cmocka_unit_test(after_swap_is_full),   cmocka_unit_test(calls_do_not_kill),
        cmocka_unit_test(forced_stores_kill),   cmocka_unit_test(adj_is_of_ram_and_swap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
