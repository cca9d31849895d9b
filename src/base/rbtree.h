/* rbtree.h: the intrusive red-black tree, with an optional summary of each subtree.
 *
 * The caller compares (no callbacks on a search) and links; the tree keeps itself balanced and,
 * when an augment function is given, keeps what each node says about its subtree true. No
 * recursion, no memory. To insert:
 *
 *     struct quire_rbnode *parent = NULL, *node = tree->root;
 *     unsigned side = 0;
 *     while (node) {
 *         parent = node;
 *         side = key > key_of(node);   // 0: left, 1: right
 *         node = node->child[side];
 *     }
 *     quire_rbtree_insert(tree, &new->node, parent, side);
 */
#ifndef QUIRE_BASE_RBTREE_H
#define QUIRE_BASE_RBTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct quire_rbnode {
    uintptr_t parent_and_colour; /* bit 0: red */
    struct quire_rbnode *child[2]; /* left: lesser, right: greater */
};

struct quire_rbtree {
    struct quire_rbnode *root;
    /* Work out the node's summary from itself and its children's summaries, and say whether it is
     * another one now; NULL: there is none. */
    bool (*augment)(struct quire_rbnode *node);
};

void quire_rbtree_init(struct quire_rbtree *tree, bool (*augment)(struct quire_rbnode *node));

/* Link node below parent (NULL: the tree is empty) at a side that is free, and rebalance. */
void quire_rbtree_insert(struct quire_rbtree *tree, struct quire_rbnode *node,
                         struct quire_rbnode *parent, unsigned side);
void quire_rbtree_remove(struct quire_rbtree *tree, struct quire_rbnode *node);

/* Something that the summary is made of changed in node: mend it upwards, as far as it shows. */
void quire_rbtree_update(struct quire_rbtree *tree, struct quire_rbnode *node);

/* In order; NULL at the end. */
struct quire_rbnode *quire_rbtree_first(const struct quire_rbtree *tree);
struct quire_rbnode *quire_rbtree_last(const struct quire_rbtree *tree);
struct quire_rbnode *quire_rbtree_next(const struct quire_rbnode *node);
struct quire_rbnode *quire_rbtree_prev(const struct quire_rbnode *node);

static inline struct quire_rbnode *quire_rbtree_parent(const struct quire_rbnode *node) {
    return (struct quire_rbnode *)(node->parent_and_colour & ~(uintptr_t)1);
}

/* Parents match children, no red node has a red child, all paths have as many black nodes. Order
 * and summaries are the caller's to check. O(nodes log nodes). */
bool quire_rbtree_check(const struct quire_rbtree *tree);

#endif
