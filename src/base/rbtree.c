/* rbtree.c: red-black trees, with summaries of subtrees kept true on the way.
 *
 * What it is: the balanced tree of Guibas and Sedgewick (1978) as every textbook has it. The node
 * lies in the caller's object, so that inserting needs no memory and cannot fail, and it knows its
 * parent, so that nothing here recurses or needs a stack. A skip list would need random numbers, a
 * B-tree would need memory in the middle of an unmap; both were rejected for that.
 *
 * One code for both hands: child[side] and child[!side] instead of a mirrored copy of each case.
 *
 *        rotate(tree, a, 0)                       summaries: only a and b see other
 *            a                 b                  descendants afterwards, and the pair as
 *           / \               / \                 a whole sees the same ones. So a, then b,
 *          1   b     --->    a   3                are worked out anew, and nothing above.
 *             / \           / \
 *            2   3         1   2
 *
 * Invariants:
 *   I1  in-order is the caller's order; here only links are known
 *   I2  a child's parent is the node whose child it is; the root has none
 *   I3  the root is black, a red node has no red child
 *   I4  every way down from a node to a missing child passes as many black nodes
 *   I5  each summary is what augment makes of the node and its children now
 *
 * Nothing here can fail. Users: regions of a space (vm/), by address and by the largest gap below.
 * Audit: quire_rbtree_check holds I2 to I4; I5 is checked by the one who defines the summary.
 */
#include "base/rbtree.h"

#define RED ((uintptr_t)1)

static bool is_red(const struct quire_rbnode *node) {
    return node && (node->parent_and_colour & RED); /* a missing child is black */
}

static void set_red(struct quire_rbnode *node) {
    node->parent_and_colour |= RED;
}

static void set_black(struct quire_rbnode *node) {
    node->parent_and_colour &= ~RED;
}

static void set_parent(struct quire_rbnode *node, struct quire_rbnode *parent) {
    node->parent_and_colour = (uintptr_t)parent | (node->parent_and_colour & RED);
}

/* Let whoever pointed to old point to new, which may be NULL. */
static void replace_child(struct quire_rbtree *tree, struct quire_rbnode *parent,
                          struct quire_rbnode *old, struct quire_rbnode *new) {
    if (!parent) {
        tree->root = new;
    } else {
        parent->child[parent->child[1] == old] = new;
    }
}

/* node sinks to `side`, its child of the other side rises to its place. => that child exists. */
static void rotate(struct quire_rbtree *tree, struct quire_rbnode *node, unsigned side) {
    struct quire_rbnode *riser = node->child[!side];
    struct quire_rbnode *parent = quire_rbtree_parent(node);

    node->child[!side] = riser->child[side];
    if (node->child[!side]) {
        set_parent(node->child[!side], node);
    }
    riser->child[side] = node;
    replace_child(tree, parent, node, riser);
    set_parent(riser, parent);
    set_parent(node, riser);
    if (tree->augment) { /* I5: the lower one first */
        tree->augment(node);
        tree->augment(riser);
    }
}

void quire_rbtree_init(struct quire_rbtree *tree, bool (*augment)(struct quire_rbnode *node)) {
    tree->root = NULL;
    tree->augment = augment;
}

void quire_rbtree_update(struct quire_rbtree *tree, struct quire_rbnode *node) {
    if (!tree->augment) {
        return;
    }
    while (node && tree->augment(node)) {
        node = quire_rbtree_parent(node);
    }
}

void quire_rbtree_insert(struct quire_rbtree *tree, struct quire_rbnode *node,
                         struct quire_rbnode *parent, unsigned side) {
    node->child[0] = node->child[1] = NULL;
    node->parent_and_colour = (uintptr_t)parent | RED; /* red: I4 stays, I3 may break */
    if (parent) {
        parent->child[side] = node;
    } else {
        tree->root = node;
    }
    if (tree->augment) {
        tree->augment(node); /* whatever it says: the summary of a new node is another one */
    }
    quire_rbtree_update(tree, parent);

    while (is_red(parent)) {
        struct quire_rbnode *grand = quire_rbtree_parent(parent); /* exists: the root is black */
        unsigned line = grand->child[1] == parent;
        struct quire_rbnode *uncle = grand->child[!line];

        if (is_red(uncle)) { /* hand the red up by two levels and look again there */
            set_black(parent);
            set_black(uncle);
            set_red(grand);
            node = grand;
            parent = quire_rbtree_parent(node);
            continue;
        }
        if (parent->child[!line] == node) { /* a bend: make it a line */
            rotate(tree, parent, line);
            parent = node;
        }
        set_black(parent);
        set_red(grand);
        rotate(tree, grand, !line);
        break;
    }
    set_black(tree->root);
}

/* The way down to `node` (may be NULL) below `parent` has one black node too few: mend I4. */
static void repair_black(struct quire_rbtree *tree, struct quire_rbnode *node,
                         struct quire_rbnode *parent) {
    while (parent && !is_red(node)) {
        /* The other side has a black node more, so its top exists. */
        unsigned side = parent->child[1] == node;
        struct quire_rbnode *sibling = parent->child[!side];

        if (is_red(sibling)) { /* get a black sibling */
            set_black(sibling);
            set_red(parent);
            rotate(tree, parent, side);
            sibling = parent->child[!side];
        }
        if (!is_red(sibling->child[0]) && !is_red(sibling->child[1])) {
            set_red(sibling); /* take one from the other side too; the parent is short now */
            node = parent;
            parent = quire_rbtree_parent(node);
            continue;
        }
        if (!is_red(sibling->child[!side])) { /* turn its red child outwards */
            set_black(sibling->child[side]);
            set_red(sibling);
            rotate(tree, sibling, !side);
            sibling = parent->child[!side];
        }
        if (is_red(parent)) {
            set_red(sibling);
        }
        set_black(parent);
        set_black(sibling->child[!side]);
        rotate(tree, parent, side);
        return;
    }
    if (node) {
        set_black(node);
    }
}

/* Put the next greater node, which has no left child, into the place and colour of node, so that
 * one with at most one child is what has to go. Returns the parent of the place that it left. */
static struct quire_rbnode *swap_with_next(struct quire_rbtree *tree, struct quire_rbnode *node,
                                           struct quire_rbnode **orphan, bool *black_gone,
                                           struct quire_rbnode **out) {
    struct quire_rbnode *heir = node->child[1];
    while (heir->child[0]) {
        heir = heir->child[0];
    }
    struct quire_rbnode *place = quire_rbtree_parent(heir);
    *orphan = heir->child[1];
    *black_gone = !is_red(heir);

    if (place == node) {
        place = heir; /* it keeps its right child and only moves up */
    } else {
        place->child[0] = *orphan;
        if (*orphan) {
            set_parent(*orphan, place);
        }
        heir->child[1] = node->child[1];
        set_parent(heir->child[1], heir);
    }
    heir->child[0] = node->child[0];
    set_parent(heir->child[0], heir);
    heir->parent_and_colour = node->parent_and_colour;
    replace_child(tree, quire_rbtree_parent(node), node, heir);
    *out = heir;
    return place;
}

void quire_rbtree_remove(struct quire_rbtree *tree, struct quire_rbnode *node) {
    struct quire_rbnode *parent, *orphan, *heir = NULL;
    bool black_gone;

    if (node->child[0] && node->child[1]) {
        parent = swap_with_next(tree, node, &orphan, &black_gone, &heir);
    } else {
        parent = quire_rbtree_parent(node);
        orphan = node->child[node->child[0] == NULL];
        black_gone = !is_red(node);
        replace_child(tree, parent, node, orphan);
        if (orphan) {
            set_parent(orphan, parent);
        }
    }
    quire_rbtree_update(tree, parent);
    if (heir && tree->augment) { /* its summary is that of where it was: says nothing of a change */
        tree->augment(heir);
        quire_rbtree_update(tree, quire_rbtree_parent(heir));
    }
    if (black_gone) {
        repair_black(tree, orphan, parent);
    }
}

/* The last node to be met when always going to one side. */
static struct quire_rbnode *outermost(struct quire_rbnode *node, unsigned side) {
    while (node && node->child[side]) {
        node = node->child[side];
    }
    return node;
}

/* The neighbour in order: the nearest one below that side, or the first ancestor that has us on its
 * other side. */
static struct quire_rbnode *step(const struct quire_rbnode *node, unsigned side) {
    if (node->child[side]) {
        return outermost(node->child[side], !side);
    }
    struct quire_rbnode *parent = quire_rbtree_parent(node);
    while (parent && parent->child[side] == node) {
        node = parent;
        parent = quire_rbtree_parent(node);
    }
    return parent;
}

struct quire_rbnode *quire_rbtree_first(const struct quire_rbtree *tree) {
    return outermost(tree->root, 0);
}

struct quire_rbnode *quire_rbtree_last(const struct quire_rbtree *tree) {
    return outermost(tree->root, 1);
}

struct quire_rbnode *quire_rbtree_next(const struct quire_rbnode *node) {
    return step(node, 1);
}

struct quire_rbnode *quire_rbtree_prev(const struct quire_rbnode *node) {
    return step(node, 0);
}

/* The node after this one in the walk "node, then its children". => the children on the way here
 * know their parents: so it ends, whatever else is wrong */
static const struct quire_rbnode *walk(const struct quire_rbnode *node) {
    for (unsigned side = 0; side < 2; side++) {
        if (node->child[side]) {
            return node->child[side];
        }
    }
    const struct quire_rbnode *up;
    while ((up = quire_rbtree_parent(node)) != NULL) {
        if (node == up->child[0] && up->child[1]) {
            return up->child[1];
        }
        node = up;
    }
    return NULL;
}

static bool children_fit(const struct quire_rbnode *node) {
    for (unsigned side = 0; side < 2; side++) {
        const struct quire_rbnode *child = node->child[side];
        if (child && quire_rbtree_parent(child) != node) {
            return false; /* I2 */
        }
        if (is_red(node) && is_red(child)) {
            return false; /* I3 */
        }
    }
    return true;
}

bool quire_rbtree_check(const struct quire_rbtree *tree) {
    unsigned depth = 0; /* black nodes on each way down; 0: not known yet */

    if (is_red(tree->root) || (tree->root && quire_rbtree_parent(tree->root))) {
        return false; /* I2, I3 */
    }
    for (const struct quire_rbnode *node = tree->root; node; node = walk(node)) {
        if (!children_fit(node)) {
            return false;
        }
        if (node->child[0] && node->child[1]) {
            continue;
        }
        unsigned black = 0; /* a way down ends here: I4 */
        for (const struct quire_rbnode *up = node; up; up = quire_rbtree_parent(up)) {
            black += !is_red(up);
        }
        if (depth != 0 && black != depth) {
            return false;
        }
        depth = black;
    }
    return true;
}
