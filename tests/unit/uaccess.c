/* uaccess.c: the kernel's copies to and from programs: across pages, up to the first refusal, with
 * pages on swap, and with pages that leave between one part and the next. */
#include "rig.h"

#include <stdlib.h>

#define RAM (4 * RIG_MIB)

static void across_pages(void **state) {
    (void)state;
    struct rig rig;
    char out[3 * 4096 + 100], in[sizeof out];
    rig_up(&rig, RAM, 0);
    rig_space(&rig, 0);
    uint64_t va = rig_map(&rig, 0, 8 * RIG_PAGE, RIG_RW, 0);
    for (size_t i = 0; i < sizeof out; i++)
        out[i] = (char)(i * 7 + i / 251);
    const uint64_t offsets[] = {0, 1, 4095, 4096, 5000};
    for (size_t i = 0; i < sizeof offsets / sizeof offsets[0]; i++) {
        quire_vaddr at = quire_va(va + offsets[i]);
        assert_int_equal(quire_copy_out(rig.spaces[0], at, out, sizeof out), 0);
        memset(in, 0, sizeof in);
        assert_int_equal(quire_copy_in(rig.spaces[0], in, at, sizeof in), 0);
        assert_memory_equal(in, out, sizeof in);
    }
    assert_int_equal(quire_copy_in(rig.spaces[0], in, quire_va(va), 0), 0);
    char one = 'a'; /* the shortest, and a last byte in another page */
    assert_int_equal(quire_copy_out(rig.spaces[0], quire_va(va), &one, 1), 0);
    one = 'b';
    assert_int_equal(quire_copy_in(rig.spaces[0], &one, quire_va(va), 1), 0);
    assert_int_equal(one, 'a');
    assert_int_equal(quire_copy_force(rig.spaces[0], quire_va(va + RIG_PAGE - 1), "yz", 2), 0);
    assert_int_equal(quire_copy_in(rig.spaces[0], in, quire_va(va + RIG_PAGE - 1), 2), 0);
    assert_memory_equal(in, "yz", 2);
    rig_down(&rig);
}

static void stops_at_the_first_refusal(void **state) {
    (void)state;
    struct rig rig;
    char bytes[4 * 4096];
    memset(bytes, 'x', sizeof bytes);
    rig_up(&rig, RAM, 0);
    struct quire_space *space = rig_space(&rig, 0);
    uint64_t va = rig_map(&rig, 0, 4 * RIG_PAGE, RIG_RW, 0);
    assert_int_equal(quire_unmap(space, quire_va(va + 2 * RIG_PAGE), RIG_PAGE), QUIRE_OK);
    assert_int_equal(quire_copy_out(space, quire_va(va + 100), bytes, sizeof bytes),
                     sizeof bytes - (2 * RIG_PAGE - 100));
    assert_int_equal(quire_copy_in(space, bytes, quire_va(va), sizeof bytes), 2 * RIG_PAGE);
    assert_int_equal(quire_copy_in(space, bytes, quire_va(0), 10), 10);
    assert_int_equal(quire_copy_in(space, bytes, quire_va(UINT64_MAX - 3), 10), 10);
    assert_int_equal(quire_copy_out(space, quire_va((uint64_t)1 << 62), bytes, 10), 10);
    /* Read-only memory refuses what the program could not do either; the loader may. */
    assert_int_equal(quire_protect(space, quire_va(va), RIG_PAGE, QUIRE_PROT_READ), QUIRE_OK);
    assert_int_equal(quire_copy_out(space, quire_va(va), bytes, 10), 10);
    assert_int_equal(quire_copy_force(space, quire_va(va + 4090), "forced", 6), 0);
    assert_int_equal(quire_copy_in(space, bytes, quire_va(va + 4090), 6), 0);
    assert_memory_equal(bytes, "forced", 6);
    uint64_t value = 1;
    assert_int_equal(rig_store(&rig, 0, va, value), QUIRE_DENIED); /* and it stays read-only */
    assert_int_equal(quire_protect(space, quire_va(va), RIG_PAGE, QUIRE_PROT_NONE), QUIRE_OK);
    assert_int_equal(quire_copy_in(space, bytes, quire_va(va), 6), 6);
    quire_audit(rig.q);
    rig_down(&rig);
}

/* A forced write into memory that fork shares changes one side only. */
static void force_copies_first(void **state) {
    (void)state;
    struct rig rig;
    char bytes[8] = "";
    rig_up(&rig, RAM, 0);
    struct quire_space *parent = rig_space(&rig, 0);
    uint64_t va = rig_map(&rig, 0, RIG_PAGE, RIG_RW, 0);
    assert_int_equal(quire_copy_out(parent, quire_va(va), "parent", 7), 0);
    assert_int_equal(quire_protect(parent, quire_va(va), RIG_PAGE, QUIRE_PROT_READ), QUIRE_OK);
    assert_int_equal(quire_space_fork(parent, &rig.spaces[1], &rig.spaces[1]), QUIRE_OK);
    assert_int_equal(quire_copy_force(rig.spaces[1], quire_va(va), "child", 6), 0);
    assert_int_equal(quire_copy_in(parent, bytes, quire_va(va), 7), 0);
    assert_string_equal(bytes, "parent");
    assert_int_equal(quire_copy_in(rig.spaces[1], bytes, quire_va(va), 6), 0);
    assert_string_equal(bytes, "child");
    quire_audit(rig.q);
    rig_down(&rig);
}

/* Copies as large as RAM itself: the first pages are on swap when the last are reached. */
static void larger_than_ram(void **state) {
    (void)state;
    struct rig rig;
    size_t nbytes = 2 * RAM;
    uint64_t *out = malloc(nbytes), *in = malloc(nbytes), seed = 5;
    rig_up(&rig, RAM, 4 * RAM);
    struct quire_space *space = rig_space(&rig, 0);
    uint64_t va = rig_map(&rig, 0, nbytes + RIG_PAGE, RIG_RW, 0);
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < nbytes / 8; i++)
            out[i] = rig_random(&seed);
        assert_int_equal(quire_copy_out(space, quire_va(va + 24), out, nbytes), 0);
        quire_audit(rig.q);
        assert_int_equal(quire_advise(space, quire_va(va), 200 * RIG_PAGE, QUIRE_ADVISE_PAGEOUT),
                         QUIRE_OK);
        assert_int_equal(quire_copy_in(space, in, quire_va(va + 24), nbytes), 0);
        assert_memory_equal(in, out, nbytes);
    }
    assert_true(quire_counters(rig.q)->pswpin > 0);
    /* A page that cannot be read ends the copy there. */
    quire_soft_inject(rig.machine, QUIRE_SOFT_READ_ERROR, 1);
    assert_true(quire_copy_in(space, in, quire_va(va + 24), nbytes) > 0);
    quire_soft_inject(rig.machine, QUIRE_SOFT_READ_ERROR, 0);
    assert_int_equal(quire_copy_in(space, in, quire_va(va + 24), nbytes), 0);
    assert_memory_equal(in, out, nbytes);
    free(out);
    free(in);
    rig_down(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(across_pages),
        cmocka_unit_test(stops_at_the_first_refusal),
        cmocka_unit_test(force_copies_first),
        cmocka_unit_test(larger_than_ram),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
