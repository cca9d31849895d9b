/* rbtree.c: the red-black tree against a sorted array, with the summary that vm/ uses it for (the
 * largest value below) recounted after every step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/list.h"
#include "base/rbtree.h"

#define KEYS  200u /* few enough to meet every shape of small trees, many enough for deep ones */
#define STEPS 20000u

struct item {
    struct quire_rbnode node;
    unsigned key, weight, largest; /* largest: of the subtree's weights */
};

static struct item *item_of(const struct quire_rbnode *node) {
    return QUIRE_CONTAINER(node, struct item, node);
}

static unsigned largest_of(const struct quire_rbnode *node) {
    unsigned largest = item_of(node)->weight;
    for (unsigned side = 0; side < 2; side++) {
        if (node->child[side] && item_of(node->child[side])->largest > largest) {
            largest = item_of(node->child[side])->largest;
        }
    }
    return largest;
}

static bool augment(struct quire_rbnode *node) {
    unsigned was = item_of(node)->largest;
    item_of(node)->largest = largest_of(node);
    return item_of(node)->largest != was;
}

static void insert(struct quire_rbtree *tree, struct item *item) {
    struct quire_rbnode *parent = NULL, *node = tree->root;
    unsigned side = 0;
    while (node) {
        parent = node;
        side = item->key > item_of(node)->key;
        node = node->child[side];
    }
    quire_rbtree_insert(tree, &item->node, parent, side);
}

/* Balanced, in order both ways, holding exactly what present says, every summary true. */
static void check(struct quire_rbtree *tree, const struct item *items,
                  const unsigned char *present) {
    assert_true(quire_rbtree_check(tree));
    struct quire_rbnode *node = quire_rbtree_first(tree), *last = NULL;
    for (unsigned key = 0; key < KEYS; key++) {
        if (!present[key]) {
            continue;
        }
        assert_ptr_equal(node, &items[key].node);
        assert_ptr_equal(quire_rbtree_prev(node), last);
        if (tree->augment) {
            assert_int_equal(items[key].largest, largest_of(node));
        }
        last = node;
        node = quire_rbtree_next(node);
    }
    assert_null(node);
    assert_ptr_equal(quire_rbtree_last(tree), last);
}

static uint32_t next_random(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void random_against_array(void **state) {
    (void)state;
    static struct item items[KEYS];
    unsigned char present[KEYS] = {0};
    struct quire_rbtree tree;
    uint32_t seed = 2463534242u;
    quire_rbtree_init(&tree, augment);
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned key = next_random(&seed) % KEYS;
        /* Now and then more come than go, now and then fewer: the tree breathes. */
        int grow = (step / 1000) % 2 == 0;
        if (!present[key] && (grow || next_random(&seed) % 4 == 0)) {
            items[key] = (struct item){.key = key, .weight = next_random(&seed) % 1000};
            insert(&tree, &items[key]);
            present[key] = 1;
        } else if (present[key] && (!grow || next_random(&seed) % 4 == 0)) {
            quire_rbtree_remove(&tree, &items[key].node);
            present[key] = 0;
        } else if (present[key]) {
            items[key].weight = next_random(&seed) % 1000;
            quire_rbtree_update(&tree, &items[key].node);
        }
        check(&tree, items, present);
    }
}

/* Ascending, descending and from the middle outwards; then taken out in another order. */
static void ordered(void **state) {
    (void)state;
    static struct item items[KEYS];
    for (unsigned in = 0; in < 3; in++) {
        for (unsigned out = 0; out < 3; out++) {
            unsigned char present[KEYS] = {0};
            struct quire_rbtree tree;
            quire_rbtree_init(&tree, NULL);
            for (unsigned i = 0; i < 2 * KEYS; i++) {
                unsigned n = i % KEYS, how = i < KEYS ? in : out;
                unsigned key = how == 0 ? n
                               : how == 1
                                   ? KEYS - 1 - n
                                   : (KEYS / 2 + (n % 2 ? KEYS - (n + 1) / 2 : n / 2)) % KEYS;
                if (i < KEYS) {
                    items[key] = (struct item){.key = key};
                    insert(&tree, &items[key]);
                } else {
                    quire_rbtree_remove(&tree, &items[key].node);
                }
                present[key] ^= 1;
                check(&tree, items, present);
            }
            assert_null(tree.root);
        }
    }
}

/* The height stays below 2 log2(n + 1). */
static void height(void **state) {
    (void)state;
    static struct item items[4096];
    struct quire_rbtree tree;
    unsigned deepest = 0;
    quire_rbtree_init(&tree, NULL);
    for (unsigned i = 0; i < 4095; i++) {
        items[i] = (struct item){.key = i};
        insert(&tree, &items[i]);
    }
    for (unsigned i = 0; i < 4095; i++) {
        unsigned depth = 0;
        for (struct quire_rbnode *node = &items[i].node; node; node = quire_rbtree_parent(node)) {
            depth++;
        }
        deepest = depth > deepest ? depth : deepest;
    }
    assert_true(deepest <= 24);
}

/* The check sees what is wrong. */
static void check_finds(void **state) {
    (void)state;
    struct item items[5] = {{.key = 0}, {.key = 1}, {.key = 2}, {.key = 3}, {.key = 4}};
    struct quire_rbtree tree;
    quire_rbtree_init(&tree, NULL);
    for (unsigned i = 0; i < 3; i++) {
        insert(&tree, &items[i]);
    }
    assert_true(quire_rbtree_check(&tree));
    tree.root->parent_and_colour |= 1; /* a red root */
    assert_false(quire_rbtree_check(&tree));
    tree.root->parent_and_colour &= ~(uintptr_t)1;
    items[0].node.parent_and_colour ^= 1; /* one side has a black node more */
    assert_false(quire_rbtree_check(&tree));
    items[0].node.parent_and_colour ^= 1;
    assert_true(quire_rbtree_check(&tree));

    struct quire_rbnode *root = tree.root, *left = root->child[0], *right = root->child[1];
    struct quire_rbnode *sides[2] = {left, right};
    for (unsigned side = 0; side < 2; side++) { /* a child that belongs to another */
        uintptr_t own = sides[side]->parent_and_colour;
        sides[side]->parent_and_colour = (uintptr_t)sides[!side] | (own & 1);
        assert_false(quire_rbtree_check(&tree));
        sides[side]->parent_and_colour = own;
    }
    for (unsigned i = 3; i < 5; i++) { /* grandchildren are red below black ones: two reds */
        insert(&tree, &items[i]);
    }
    assert_true(quire_rbtree_check(&tree));
    for (unsigned i = 0; i < 5; i++) {
        struct quire_rbnode *parent = quire_rbtree_parent(&items[i].node);
        if (parent && parent != tree.root && (items[i].node.parent_and_colour & 1)) {
            parent->parent_and_colour ^= 1;
            assert_false(quire_rbtree_check(&tree));
            parent->parent_and_colour ^= 1;
        }
    }
    tree.root->parent_and_colour = (uintptr_t)&items[0].node; /* a root below something */
    assert_false(quire_rbtree_check(&tree));
    tree.root->parent_and_colour = 0;
    assert_true(quire_rbtree_check(&tree));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_against_array),
        cmocka_unit_test(ordered),
        cmocka_unit_test(height),
        cmocka_unit_test(check_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
