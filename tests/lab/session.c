/* session.c: a session goes back and forth exactly; looking changes nothing; what is wrong, what is
 * refused and what ends a program are three things.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../unit/random.h"
#include "lab/lab.h"

static struct lab *start(const char *machine) {
    const struct lab_options options = {.machine = machine};
    char error[LAB_ERROR_BYTES];
    struct lab *lab = lab_create(&options, error);
    assert_non_null(lab);
    return lab;
}

static struct lab_result run(struct lab *lab, const char *line) {
    struct lab_result result;
    lab_run(lab, line, &result);
    return result;
}

static int64_t value(struct lab *lab, const char *expression) {
    char error[LAB_ERROR_BYTES];
    int64_t number;
    assert_true(lab_evaluate(lab, expression, &number, error));
    return number;
}

/* A session that uses a bit of everything, in little memory. */
static const char *const story[] = {
    "machine --ram 3M --swap 16M --policy linux",
    "proc a",
    "p = malloc 300K",
    "touch p 300K",
    "q = mmap 4M",
    "touch q 4M",
    "child = fork b",
    "wander q 4M 300 write",
    "proc b",
    "wander q 4M 300 read",
    "file notes 40960",
    "f = mmap 40960 rw shared file=notes",
    "touch f 40960",
    "k = kmalloc 5000",
    "cache_create mine 100",
    "repeat 50 cache_alloc mine",
    "v = alloc_pages 3",
    "free p",
    "tick 40",
    "kfree k",
    "write 0 1",
    "wait",
    "proc a",
    "drop_caches 3",
    "swapoff",
    "exit",
    "ps",
};
#define STEPS (sizeof story / sizeof story[0])

static void there_and_back(void **state) {
    (void)state;
    struct lab *lab = start(NULL);
    uint64_t hashes[STEPS + 1], random = 3;
    hashes[0] = lab_hash(lab);
    size_t places = 0;
    for (size_t i = 0; i < STEPS; i++) {
        struct lab_result result = run(lab, story[i]);
        places += result.changed;
        assert_int_equal(lab_place(lab), places);
        hashes[places] = lab_hash(lab);
    }
    assert_true(places > 20);
    for (unsigned i = 0; i < 60; i++) {
        size_t place = next_random(&random) % (places + 1);
        assert_true(lab_goto(lab, place));
        assert_int_equal(lab_place(lab), place);
        assert_int_equal(lab_length(lab), places);
        assert_true(lab_hash(lab) == hashes[place]);
    }
    /* Another future: what lay ahead is gone. */
    assert_true(lab_goto(lab, 5));
    assert_true(run(lab, "print 1").ok);
    assert_int_equal(lab_length(lab), places);
    assert_true(run(lab, "q2 = malloc 10").changed);
    assert_int_equal(lab_length(lab), 6);
    assert_true(lab_hash(lab) != hashes[6]);
    lab_destroy(lab);
}

/* Every command that is no change: by its own word, and by the hash. */
/* /proc/vmallocinfo has the machine's addresses, those that vmalloc and walk say: none of the host,
 * which are others in each run. On machines whose tables have a kernel's part, and on others. */
static void vmallocinfo_has_the_machine_s_addresses(void **state) {
    (void)state;
    static const struct {
        const char *machine;
        uint64_t base;
    } rows[] = {{"machine --ram 16M", 0xfffffffff8800000},
                {"machine --ram 16M --format 10/10/12", 0xf8800000},
                {"machine --ram 64M --format 20/12", 0xf8800000}};
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct lab *lab = start(NULL);
        char want[400];
        run(lab, rows[i].machine);
        struct lab_result one = run(lab, "v = vmalloc 9000");
        assert_true(one.ok && one.value == (int64_t)rows[i].base);
        assert_true(run(lab, "w = vmalloc 100").ok);
        snprintf(want, sizeof want,
                 "0x%016" PRIx64 "-0x%016" PRIx64 "   16384 pages=3 vmalloc\n"
                 "0x%016" PRIx64 "-0x%016" PRIx64 "    8192 pages=1 vmalloc\n",
                 rows[i].base, rows[i].base + 16384, rows[i].base + 16384, rows[i].base + 24576);
        assert_string_equal(run(lab, "vmallocinfo").text, want);
        assert_true(run(lab, "vfree v").ok && run(lab, "vfree w").ok);
        lab_destroy(lab);
    }
}

static void looking_changes_nothing(void **state) {
    (void)state;
    static const char *const looks[] = {"help",
                                        "facts",
                                        "changes",
                                        "history",
                                        "hash",
                                        "ps",
                                        "meminfo",
                                        "vmstat",
                                        "pressure",
                                        "buddyinfo",
                                        "pagetypeinfo",
                                        "zoneinfo",
                                        "slabinfo",
                                        "vmallocinfo",
                                        "iomem",
                                        "swaps",
                                        "maps",
                                        "smaps",
                                        "rollup",
                                        "status",
                                        "pagemap q 1000",
                                        "layout",
                                        "chunks",
                                        "tables",
                                        "files",
                                        "print mem.free",
                                        "expect mem.free > 0",
                                        "ksize k",
                                        "disk_byte notes 3"};
    struct lab *lab = start(NULL);
    for (size_t i = 0; i < 17; i++)
        run(lab, story[i]);
    uint64_t before = lab_hash(lab);
    size_t place = lab_place(lab);
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        struct lab_result result = run(lab, looks[i]);
        if (!result.ok)
            fail_msg("%s: %s", looks[i], result.error);
        assert_false(result.changed);
        if (lab_hash(lab) != before)
            fail_msg("%s changes something", looks[i]);
    }
    char *json = lab_state_json(lab);
    assert_true(lab_hash(lab) == before);
    free(json);
    assert_int_equal(lab_place(lab), place);
    lab_destroy(lab);
}

static void three_kinds_of_no(void **state) {
    (void)state;
    struct lab *lab = start("--ram 4M --overcommit never");
    struct lab_result result = run(lab, "malloc 1");
    assert_false(result.ok || result.changed); /* nobody is there: the line was wrong */
    assert_non_null(strstr(result.error, "proc NAME"));
    run(lab, "proc a");
    result = run(lab, "mmap 100M");
    assert_false(result.ok); /* the machine said no */
    assert_true(result.changed);
    assert_non_null(strstr(result.error, "ENOMEM"));
    result = run(lab, "write 4096");
    assert_true(result.ok); /* the program is ended: that is what such a write does */
    assert_int_equal(result.value, -11);
    assert_non_null(strstr(result.text, "SIGSEGV"));
    assert_int_equal(value(lab, "alive(2)"), 0);
    static const char *const wrong[] = {"mallco 3",
                                        "malloc",
                                        "malloc 1 2",
                                        "print 1 +",
                                        "print (1",
                                        "print x",
                                        "print 1/0",
                                        "print frame(",
                                        "let 1 = 2",
                                        "let a 2",
                                        "= malloc 1",
                                        "1x = malloc 1",
                                        "a = ",
                                        "proc b\tc d",
                                        "repeat 3",
                                        "repeat -1 ps",
                                        "goto 99",
                                        "back 99",
                                        "machine --rma 3M",
                                        "machine --ram",
                                        "machine --ram 3",
                                        "machine --format Sv99",
                                        "free_pages 3",
                                        "kfree 0x1000",
                                        "swapon",
                                        "print 99999999999999999999",
                                        "print 20000000000T",
                                        "oom_score_adj 1 5",
                                        "kill 1 9"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        size_t place = lab_place(lab);
        result = run(lab, wrong[i]);
        if (result.ok || result.changed || !result.error[0] || strchr(result.error, '\n'))
            fail_msg("%s: ok %d, changed %d, '%s'", wrong[i], result.ok, result.changed,
                     result.error);
        assert_int_equal(lab_place(lab), place);
    }
    lab_destroy(lab);
}

static void numbers(void **state) {
    (void)state;
    struct lab *lab = start(NULL);
    run(lab, "let x = 7");
    assert_int_equal(value(lab, "1 + 2 * 3 - 4 / 2 % 3"), 5);
    assert_int_equal(value(lab, "-(2 - 5) * -x"), -21);
    assert_int_equal(value(lab, "4K + 0x10 + 1MiB"), 4096 + 16 + (1 << 20));
    assert_int_equal(value(lab, "x == 7 && !(x < 7) || 1/1 == 0"), 1);
    assert_int_equal(value(lab, "x != 7 || x >= 8 || x <= 6"), 0);
    assert_int_equal(value(lab, "0xFFFFFFFFFFFFFFFF"), -1);
    assert_int_equal(value(lab, "ram"), 16 << 20);
    assert_int_equal(value(lab, "blocks(10) * 4M + blocks(0) * 4096 <= ram"), 1);
    lab_destroy(lab);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(looking_changes_nothing),
        cmocka_unit_test(vmallocinfo_has_the_machine_s_addresses),
        cmocka_unit_test(three_kinds_of_no),
        cmocka_unit_test(numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
