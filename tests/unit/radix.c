/* radix.c: the sparse array against a plain one, over indices that are dense here and astronomical
 * there, with memory that fails. Every step is checked by the tree's own recount. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/radix.h"
#include "random.h"

#define STEPS 20000u

struct source {
    uint64_t out;  /* nodes that are with the tree */
    unsigned left; /* allocations until the next one fails; 0: fails now */
};

#define PLENTY 1000000u

static void *node_alloc(void *context) {
    struct source *source = context;
    if (source->left == 0) {
        return NULL;
    }
    source->left--;
    source->out++;
    struct quire_radix_node *node = malloc(sizeof *node);
    assert_non_null(node);
    quire_radix_construct(node);
    return node;
}

static void node_free(void *context, void *memory) {
    struct source *source = context;
    struct quire_radix_node *node = memory;
    assert_int_equal(node->present, 0); /* given back as it was handed over */
    for (unsigned i = 0; i < QUIRE_RADIX_WAYS; i++) {
        assert_null(node->slots[i]);
    }
    source->out--;
    free(node);
}

struct tree {
    struct source source;
    struct quire_radix_memory memory;
    struct quire_radix radix;
};

static void tree_init(struct tree *tree) {
    tree->source = (struct source){.left = PLENTY};
    tree->memory = (struct quire_radix_memory){node_alloc, node_free, &tree->source};
    quire_radix_init(&tree->radix, &tree->memory);
}

static void tree_check(struct tree *tree) {
    assert_true(quire_radix_check(&tree->radix));
    assert_int_equal(tree->radix.nodes, tree->source.out);
}

/* The model: places[] ascend, values[i] is what lies at places[i]. */
#define PLACES 600u

static uint64_t place(unsigned i) {
    static const uint64_t bases[] = {0, 0x10000, 0x7FFFFFFFu, (uint64_t)1 << 36, UINT64_MAX - 99};
    unsigned group = i / 100; /* 0 to 4 in a row; the last group is thin */
    return group < 4    ? bases[group] + i % 100
           : group == 4 ? ((uint64_t)1 << 50) + (uint64_t)(i % 100) * 0x123456789u
                        : bases[4] + i % 100;
}

static void random_against_model(void **state) {
    (void)state;
    struct tree tree;
    static int things[PLACES];
    void *model[PLACES] = {0};
    uint64_t seed = 88172645463325252u, count = 0;
    tree_init(&tree);
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned i = (unsigned)(next_random(&seed) % PLACES);
        tree.source.left =
            next_random(&seed) % 4 == 0 ? (unsigned)(next_random(&seed) % 4) : PLENTY;
        switch (next_random(&seed) % 8) {
        case 0:
        case 1:
        case 2: {
            void *value = &things[next_random(&seed) % PLACES];
            uint64_t nodes = tree.radix.nodes;
            enum quire_status status = quire_radix_set(&tree.radix, place(i), value);
            if (status == QUIRE_OK) {
                count += model[i] == NULL;
                model[i] = value;
            } else { /* no trace */
                assert_int_equal(status, QUIRE_NOMEM);
                assert_int_equal(tree.radix.nodes, nodes);
            }
            break;
        }
        case 3:
        case 4:
            assert_ptr_equal(quire_radix_remove(&tree.radix, place(i)), model[i]);
            count -= model[i] != NULL;
            model[i] = NULL;
            break;
        case 5: /* after a reserve a set needs no memory */
            if (quire_radix_reserve(&tree.radix, place(i)) == QUIRE_OK) {
                tree.source.left = 0;
                if (next_random(&seed) % 2) {
                    assert_int_equal(quire_radix_set(&tree.radix, place(i), &things[i]), QUIRE_OK);
                    count += model[i] == NULL;
                    model[i] = &things[i];
                } else {
                    quire_radix_trim(&tree.radix, place(i));
                }
            }
            break;
        case 6: { /* the next one from anywhere */
            uint64_t at = place(i) - next_random(&seed) % 3;
            at = at > place(i) ? 0 : at;
            unsigned expected = 0;
            while (expected < PLACES && (place(expected) < at || !model[expected])) {
                expected++;
            }
            void *value = quire_radix_next(&tree.radix, &at);
            assert_ptr_equal(value, expected < PLACES ? model[expected] : NULL);
            if (value) {
                assert_int_equal(at, place(expected));
            }
            break;
        }
        default:
            assert_ptr_equal(quire_radix_get(&tree.radix, place(i)), model[i]);
            assert_ptr_equal(quire_radix_get(&tree.radix, place(i) ^ (uint64_t)1 << 40), NULL);
        }
        assert_int_equal(tree.radix.count, count);
        tree_check(&tree);
    }
    quire_radix_clear(&tree.radix, 0, UINT64_MAX, NULL, NULL);
    assert_int_equal(tree.source.out, 0);
    assert_null(tree.radix.root);
}

struct dropped {
    uint64_t n, last;
};

static void count_drop(void *context, uint64_t index, void *value) {
    struct dropped *dropped = context;
    assert_non_null(value);
    assert_true(dropped->n == 0 || index > dropped->last);
    dropped->last = index;
    dropped->n++;
}

/* A whole range at once: exactly what lies in it goes, in order, and empty reserved nodes too. */
static void clear_ranges(void **state) {
    (void)state;
    static int thing;
    uint64_t seed = 7;
    for (unsigned round = 0; round < 500; round++) {
        struct tree tree;
        tree_init(&tree);
        uint64_t base = round % 2 ? UINT64_MAX - 1999 : (uint64_t)round << 20;
        uint64_t first = next_random(&seed) % 2000,
                 last = first + next_random(&seed) % (2000 - first);
        uint64_t inside = 0, all = 0;
        for (uint64_t i = 0; i < 2000; i++) {
            if (next_random(&seed) % (round % 5 + 1) == 0) {
                assert_int_equal(quire_radix_set(&tree.radix, base + i, &thing), QUIRE_OK);
                inside += i >= first && i <= last;
                all++;
            }
        }
        assert_int_equal(quire_radix_reserve(&tree.radix, base + first), QUIRE_OK);
        struct dropped dropped = {0};
        quire_radix_clear(&tree.radix, base + first, base + last, count_drop, &dropped);
        assert_int_equal(dropped.n, inside);
        assert_int_equal(tree.radix.count, all - inside);
        tree_check(&tree);
        for (uint64_t i = first; i <= last; i++) {
            assert_null(quire_radix_get(&tree.radix, base + i));
        }
        quire_radix_clear(&tree.radix, 0, UINT64_MAX, NULL, NULL);
        assert_int_equal(tree.source.out, 0);
    }
}

/* Only as high as needed, and lower again. */
static void share_each(void *const *values, uint64_t present) {
    for (unsigned i = 0; i < QUIRE_RADIX_WAYS; i++) {
        if (present >> i & 1) {
            ++*(unsigned *)values[i];
        }
    }
}

/* Ranges copied from one tree to an empty one; when memory fails, a part that begins at the start.
 */
static void copy_ranges(void **state) {
    (void)state;
    static unsigned shares[1000];
    uint64_t random = 99;
    for (unsigned round = 0; round < 300; round++) {
        struct tree from, to;
        tree_init(&from);
        tree_init(&to);
        uint64_t base = round % 3 ? (uint64_t)1 << 30 : 0;
        unsigned first = (unsigned)(next_random(&random) % 500);
        unsigned last = first + (unsigned)(next_random(&random) % 400), expected = 0;
        for (unsigned i = 0; i < 1000; i++) {
            shares[i] = 0;
            if (round % 2 || next_random(&random) % 3 == 0) {
                assert_int_equal(quire_radix_set(&from.radix, base + i, &shares[i]), QUIRE_OK);
            }
        }
        to.source.left = round % 4 ? PLENTY : (unsigned)(next_random(&random) % 8);
        enum quire_status status =
            quire_radix_copy(&to.radix, &from.radix, base + first, base + last, share_each);
        tree_check(&to);
        assert_true(status == QUIRE_OK || (status == QUIRE_NOMEM && to.source.left == 0));
        bool ended = false;
        for (unsigned i = 0; i < 1000; i++) {
            void *value = quire_radix_get(&from.radix, base + i);
            void *copy = quire_radix_get(&to.radix, base + i);
            bool wanted = value && i >= first && i <= last;
            ended |= wanted && !copy;
            assert_ptr_equal(copy, wanted && !ended ? value : NULL);
            assert_int_equal(shares[i], copy != NULL);
            expected += copy != NULL;
        }
        assert_int_equal(ended, status == QUIRE_NOMEM);
        assert_int_equal(to.radix.count, expected);
        quire_radix_clear(&from.radix, 0, UINT64_MAX, NULL, NULL);
        quire_radix_clear(&to.radix, 0, UINT64_MAX, NULL, NULL);
        tree_check(&to);
    }
}

static void height(void **state) {
    (void)state;
    static int thing;
    struct tree tree;
    tree_init(&tree);
    assert_null(quire_radix_get(&tree.radix, 5));
    assert_int_equal(quire_radix_set(&tree.radix, 5, &thing), QUIRE_OK);
    assert_int_equal(tree.radix.nodes, 1);
    assert_int_equal(quire_radix_set(&tree.radix, UINT64_MAX, &thing), QUIRE_OK);
    assert_int_equal(tree.radix.root->level, 10);
    tree_check(&tree);
    assert_ptr_equal(quire_radix_remove(&tree.radix, UINT64_MAX), &thing);
    assert_int_equal(tree.radix.nodes, 1);
    assert_ptr_equal(quire_radix_get(&tree.radix, 5), &thing);
    tree_check(&tree);
    assert_ptr_equal(quire_radix_remove(&tree.radix, 5), &thing);
    assert_int_equal(tree.source.out, 0);
}

/* A reserve that was not used leaves nothing behind, and takes nothing else along. */
static void trim(void **state) {
    (void)state;
    static int thing;
    struct tree tree;
    tree_init(&tree);
    assert_int_equal(quire_radix_reserve(&tree.radix, 1u << 20), QUIRE_OK);
    assert_true(tree.source.out > 0);
    quire_radix_trim(&tree.radix, 1u << 20);
    assert_int_equal(tree.source.out, 0);
    assert_int_equal(quire_radix_set(&tree.radix, 5, &thing), QUIRE_OK);
    assert_int_equal(quire_radix_set(&tree.radix, 1u << 20, &thing), QUIRE_OK);
    uint64_t before = tree.source.out;
    assert_int_equal(quire_radix_reserve(&tree.radix, 1u << 10), QUIRE_OK);
    assert_true(tree.source.out > before);
    quire_radix_trim(&tree.radix, 1u << 10);
    assert_int_equal(tree.source.out, before);
    quire_radix_trim(&tree.radix, 5); /* in use: nothing to free */
    assert_int_equal(tree.source.out, before);
    tree_check(&tree);
    quire_radix_clear(&tree.radix, 0, UINT64_MAX, NULL, NULL);
}

/* The recount sees what is wrong: each damage is done, seen, and undone. */
static void check_finds(void **state) {
    (void)state;
    static int thing;
    struct tree tree;
    tree_init(&tree);
    assert_int_equal(quire_radix_set(&tree.radix, 5, &thing), QUIRE_OK);
    assert_int_equal(quire_radix_set(&tree.radix, 70, &thing), QUIRE_OK);
    struct quire_radix_node *root = tree.radix.root, *leaf = root->slots[1],
                            *other = root->slots[0];
    tree_check(&tree);

    leaf->present ^= 1u << 6; /* a value that nobody announces */
    assert_false(quire_radix_check(&tree.radix));
    leaf->present ^= 1u << 6;
    leaf->present ^= 1u << 7; /* announced, and not there */
    assert_false(quire_radix_check(&tree.radix));
    leaf->present ^= 1u << 7;
    leaf->parent = other;
    assert_false(quire_radix_check(&tree.radix));
    leaf->parent = root;
    leaf->position = 2;
    assert_false(quire_radix_check(&tree.radix));
    leaf->position = 1;
    root->level = 2; /* a child of the wrong height */
    assert_false(quire_radix_check(&tree.radix));
    root->level = 1;
    root->parent = leaf;
    assert_false(quire_radix_check(&tree.radix));
    root->parent = NULL;
    tree.radix.count++;
    assert_false(quire_radix_check(&tree.radix));
    tree.radix.count--;
    tree.radix.nodes++;
    assert_false(quire_radix_check(&tree.radix));
    tree.radix.nodes--;
    struct quire_radix_node *hint = tree.radix.hint;
    assert_non_null(hint);
    tree.radix.hint = hint == leaf ? other : leaf; /* it would answer for other indices */
    assert_false(quire_radix_check(&tree.radix));
    tree.radix.hint = hint;
    tree_check(&tree);
    quire_radix_clear(&tree.radix, 0, UINT64_MAX, NULL, NULL);
    assert_int_equal(tree.source.out, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_against_model),
        cmocka_unit_test(clear_ranges),
        cmocka_unit_test(copy_ranges),
        cmocka_unit_test(height),
        cmocka_unit_test(trim),
        cmocka_unit_test(check_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
