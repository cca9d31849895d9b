/* radix.c: the sparse array.
 *
 * Why a radix tree: page numbers come in long runs, so that one node of 64 serves 64 neighbours, a
 * lookup compares nothing, and the neighbour of the last one is found without walking. A hash table
 * was rejected because a space must be walked in order, in part, and with holes skipped; the
 * red-black tree because it costs a node for each page and a cache miss for each level of two.
 *
 *      root (level 1)       index 67 = 1 * 64 + 3
 *      +---+---+--- - -
 *      | 0 | 1 | .          present: one bit for each slot in use, so that holes
 *      +-|-+-|-+--- - -     are skipped by counting zeros
 *        |   +----------+
 *      leaf (level 0)  leaf (level 0)     <- hint: the leaf that was used last
 *      values 0..63    values 64..127, [3] is 67
 *
 * Invariants:
 *   I1  bit i of present is set exactly when slots[i] is not NULL
 *   I2  a child's parent, position and level say where it hangs; level falls by one
 *   I3  only leaves may be empty, and only after a reserve; other nodes have a child
 *   I4  the root is as low as its content allows: above level 0 it has a child besides slot 0
 *       (or waits for it: after a reserve)
 *   I5  count is the number of values, nodes the number of nodes
 *   I6  hint is NULL or the leaf for hint_key
 *   I7  a node that is given back has no bit and no slot set (quire_radix_construct's state)
 *
 * What may fail: reserve and set, when memory gives no node; they leave no trace then. All work is
 * O(height), and the height is at most 11. Users: vm/ (pages of spaces, shared memory, files).
 * Audit: quire_radix_check recounts I1 to I6.
 */
#include "base/radix.h"

#define SLOT_MASK ((uint64_t)QUIRE_RADIX_WAYS - 1)

/* Values of a leaf that are fetched before their turn comes: a few, as each takes some steps. */
#define AHEAD 4

/* Level 10 is the highest: 11 levels of 6 bits cover 64. */
#define TOP_LEVEL 10

/* The bits of an index that choose among nodes of this level: those above the node's own. */
static uint64_t prefix_mask(unsigned level) {
    return level >= TOP_LEVEL ? 0 : ~(uint64_t)0 << (QUIRE_RADIX_BITS * (level + 1));
}

static unsigned slot_of(unsigned level, uint64_t index) {
    return (unsigned)(index >> (QUIRE_RADIX_BITS * level) & SLOT_MASK);
}

/* The lowest set bit. => word is not 0. */
static unsigned lowest(uint64_t word) {
    return (unsigned)__builtin_ctzll(word);
}

void quire_radix_construct(void *memory) {
    struct quire_radix_node *node = memory;
    node->present = 0;
    for (unsigned i = 0; i < QUIRE_RADIX_WAYS; i++) {
        node->slots[i] = NULL;
    }
}

void quire_radix_init(struct quire_radix *tree, const struct quire_radix_memory *memory) {
    *tree = (struct quire_radix){.memory = memory};
}

static struct quire_radix_node *make_node(struct quire_radix *tree, unsigned level) {
    struct quire_radix_node *node = tree->memory->alloc(tree->memory->context);
    if (node) {
        node->parent = NULL;
        node->level = (uint8_t)level;
        tree->nodes++;
    }
    return node;
}

static void hang(struct quire_radix_node *parent, unsigned slot, struct quire_radix_node *child) {
    parent->slots[slot] = child;
    parent->present |= (uint64_t)1 << slot;
    child->parent = parent;
    child->position = (uint8_t)slot;
}

static void empty_slot(struct quire_radix_node *node, unsigned slot) {
    node->slots[slot] = NULL;
    node->present &= ~((uint64_t)1 << slot);
}

static void free_node(struct quire_radix *tree, struct quire_radix_node *node) {
    if (tree->hint == node) {
        tree->hint = NULL; /* I6 */
    }
    tree->nodes--;
    tree->memory->free(tree->memory->context, node); /* I7: the caller emptied it */
}

/* Free node if it is empty, then its ancestors as far as they become empty; lower the root (I3,
 * I4). node may be NULL. */
static void release(struct quire_radix *tree, struct quire_radix_node *node) {
    while (node && node->present == 0) {
        struct quire_radix_node *parent = node->parent;
        if (parent) {
            empty_slot(parent, node->position);
        } else {
            tree->root = NULL;
        }
        free_node(tree, node);
        node = parent;
    }
    while (tree->root && tree->root->level > 0 && tree->root->present == 1) {
        struct quire_radix_node *old = tree->root;
        tree->root = old->slots[0];
        tree->root->parent = NULL;
        empty_slot(old, 0);
        free_node(tree, old);
    }
}

/* The lowest node that exists on the way to index; NULL: none, or index is past the root. */
static struct quire_radix_node *deepest(struct quire_radix *tree, uint64_t index) {
    struct quire_radix_node *node = tree->root;
    if (!node || (index & prefix_mask(node->level)) != 0) {
        return NULL;
    }
    while (node->level > 0 && node->slots[slot_of(node->level, index)]) {
        node = node->slots[slot_of(node->level, index)];
    }
    return node;
}

/* The leaf that exists for index, or NULL. Moves the hint to it. */
static struct quire_radix_node *find_leaf(struct quire_radix *tree, uint64_t index) {
    if (tree->hint && tree->hint_key == index >> QUIRE_RADIX_BITS) {
        return tree->hint;
    }
    struct quire_radix_node *node = deepest(tree, index);
    if (!node || node->level > 0) {
        return NULL;
    }
    tree->hint = node;
    tree->hint_key = index >> QUIRE_RADIX_BITS;
    return node;
}

void *quire_radix_find(struct quire_radix *tree, uint64_t index) {
    struct quire_radix_node *leaf = find_leaf(tree, index);
    return leaf ? leaf->slots[index & SLOT_MASK] : NULL;
}

/* Put levels on top until index fits below the root. False: no memory. */
static bool raise_root(struct quire_radix *tree, uint64_t index) {
    if (!tree->root) {
        unsigned level = 0;
        while ((index & prefix_mask(level)) != 0) {
            level++;
        }
        tree->root = make_node(tree, level);
        return tree->root != NULL;
    }
    while ((index & prefix_mask(tree->root->level)) != 0) {
        struct quire_radix_node *node = make_node(tree, tree->root->level + 1u);
        if (!node) {
            return false;
        }
        hang(node, 0, tree->root);
        tree->root = node;
    }
    return true;
}

/* The leaf for index, made with all that is missing above it. NULL: no memory, nothing is left. */
static struct quire_radix_node *make_leaf(struct quire_radix *tree, uint64_t index) {
    if (!raise_root(tree, index)) {
        release(tree, NULL); /* lowers a root that was raised in vain */
        return NULL;
    }
    struct quire_radix_node *node = tree->root;
    while (node->level > 0) {
        unsigned slot = slot_of(node->level, index);
        struct quire_radix_node *child = node->slots[slot];
        if (!child) {
            child = make_node(tree, node->level - 1u);
            if (!child) {
                release(tree, node);
                return NULL;
            }
            hang(node, slot, child);
        }
        node = child;
    }
    tree->hint = node;
    tree->hint_key = index >> QUIRE_RADIX_BITS;
    return node;
}

enum quire_status quire_radix_reserve(struct quire_radix *tree, uint64_t index) {
    return find_leaf(tree, index) || make_leaf(tree, index) ? QUIRE_OK : QUIRE_NOMEM;
}

enum quire_status quire_radix_set(struct quire_radix *tree, uint64_t index, void *value) {
    struct quire_radix_node *leaf = find_leaf(tree, index);
    if (!leaf) {
        leaf = make_leaf(tree, index);
        if (!leaf) {
            return QUIRE_NOMEM;
        }
    }
    unsigned slot = slot_of(0, index);
    tree->count += leaf->slots[slot] == NULL;
    leaf->slots[slot] = value;
    leaf->present |= (uint64_t)1 << slot;
    return QUIRE_OK;
}

void *quire_radix_remove(struct quire_radix *tree, uint64_t index) {
    struct quire_radix_node *leaf = find_leaf(tree, index);
    unsigned slot = slot_of(0, index);
    if (!leaf || !leaf->slots[slot]) {
        return NULL;
    }
    void *value = leaf->slots[slot];
    empty_slot(leaf, slot);
    tree->count--;
    if (leaf->present == 0) {
        release(tree, leaf);
    }
    return value;
}

void quire_radix_trim(struct quire_radix *tree, uint64_t index) {
    release(tree, deepest(tree, index));
}

/* The first leaf, empty or not, that has an index >= *index. *index moves up to the leaf's first
 * one if it lies before. NULL: none. */
static struct quire_radix_node *leaf_from(struct quire_radix *tree, uint64_t *index) {
    struct quire_radix_node *node = tree->root;
    if (!node || (*index & prefix_mask(node->level)) != 0) {
        return NULL;
    }
    unsigned from = slot_of(node->level, *index);
    while (node->level > 0) {
        uint64_t rest = from < QUIRE_RADIX_WAYS ? node->present >> from << from : 0;
        if (rest == 0) { /* all of this node lies before: go on behind it, one level up */
            from = node->position + 1u;
            node = node->parent;
            if (!node) {
                return NULL;
            }
            continue;
        }
        unsigned slot = lowest(rest);
        if (slot != slot_of(node->level, *index)) { /* skipped a hole: start at its end */
            *index = (*index & prefix_mask(node->level)) | (uint64_t)slot
                                                               << (QUIRE_RADIX_BITS * node->level);
        }
        node = node->slots[slot];
        from = slot_of(node->level, *index);
    }
    return node;
}

/* Start of the next leaf after the one with index; false: that was the last of all numbers. */
static bool to_next_leaf(uint64_t *index) {
    *index = (*index | SLOT_MASK) + 1;
    return *index != 0;
}

void *quire_radix_next(struct quire_radix *tree, uint64_t *index) {
    uint64_t at = *index;
    struct quire_radix_node *leaf = find_leaf(tree, at); /* mostly we go on where we were */
    do {
        if (!leaf) {
            leaf = leaf_from(tree, &at);
            if (!leaf) {
                return NULL;
            }
        }
        unsigned from = slot_of(0, at);
        uint64_t rest = leaf->present >> from << from;
        if (rest != 0) {
            unsigned slot = lowest(rest);
            *index = (at & ~SLOT_MASK) | slot;
            tree->hint = leaf;
            tree->hint_key = *index >> QUIRE_RADIX_BITS;
            return leaf->slots[slot];
        }
        leaf = NULL;
    } while (to_next_leaf(&at));
    return NULL;
}

void quire_radix_clear(struct quire_radix *tree, uint64_t first, uint64_t last,
                       void (*drop)(void *context, uint64_t index, void *value), void *context) {
    uint64_t at = first;
    do {
        struct quire_radix_node *leaf = leaf_from(tree, &at);
        if (!leaf || at > last) {
            return;
        }
        uint64_t base = at & ~SLOT_MASK;
        uint64_t rest = leaf->present >> (at - base) << (at - base);
        for (; rest != 0 && base + lowest(rest) <= last; rest &= rest - 1) {
            unsigned slot = lowest(rest);
            void *value = leaf->slots[slot];
            __builtin_prefetch(leaf->slots[(slot + AHEAD) & SLOT_MASK], 1); /* drop will write */
            empty_slot(leaf, slot);
            tree->count--;
            if (drop) {
                drop(context, base + slot, value);
            }
        }
        if (leaf->present == 0) {
            release(tree, leaf); /* also one that was reserved and never used */
        }
    } while (to_next_leaf(&at));
}

enum quire_status quire_radix_copy(struct quire_radix *to, struct quire_radix *from, uint64_t first,
                                   uint64_t last,
                                   void (*share)(void *const *values, uint64_t present)) {
    uint64_t at = first;
    do {
        const struct quire_radix_node *source = leaf_from(from, &at);
        if (!source || at > last) {
            return QUIRE_OK;
        }
        uint64_t base = at & ~SLOT_MASK;
        uint64_t rest = source->present >> (at - base) << (at - base);
        if (last - base < SLOT_MASK) {
            rest &= ((uint64_t)2 << (last - base)) - 1;
        }
        if (rest == 0) {
            continue;
        }
        struct quire_radix_node *leaf = find_leaf(to, base);
        if (!leaf && !(leaf = make_leaf(to, base))) {
            return QUIRE_NOMEM;
        }
        leaf->present |= rest;
        uint64_t copied = 0;
        void *const *value = source->slots;
        void **copy = leaf->slots;
        for (uint64_t left = rest; left != 0; left >>= 1, value++, copy++) {
            if (left & 1) {
                *copy = *value;
                __builtin_prefetch(*value, 1); /* share will write there */
                copied++;
            }
        }
        to->count += copied;
        share(source->slots, rest);
    } while (to_next_leaf(&at));
    return QUIRE_OK;
}

/* One node by itself; counts what is in it. */
static bool check_node(const struct quire_radix_node *node, uint64_t *values) {
    for (unsigned slot = 0; slot < QUIRE_RADIX_WAYS; slot++) {
        if ((node->present >> slot & 1) != (node->slots[slot] != NULL)) {
            return false; /* I1 */
        }
        if (!node->slots[slot]) {
            continue;
        }
        if (node->level == 0) {
            ++*values;
            continue;
        }
        const struct quire_radix_node *child = node->slots[slot];
        if (child->parent != node || child->position != slot || child->level + 1 != node->level) {
            return false; /* I2 */
        }
    }
    return node->level == 0 || node->present != 0; /* I3 */
}

/* The node after this one in the walk "node, then its children": NULL at the end. */
static const struct quire_radix_node *walk(const struct quire_radix_node *node) {
    unsigned from = 0;
    if (node->level == 0) { /* no children: up, to the next sibling */
        from = node->position + 1u;
        node = node->parent;
    }
    while (node) {
        uint64_t rest = from < QUIRE_RADIX_WAYS ? node->present >> from << from : 0;
        if (rest != 0) {
            return node->slots[lowest(rest)];
        }
        from = node->position + 1u;
        node = node->parent;
    }
    return NULL;
}

bool quire_radix_check(struct quire_radix *tree) {
    uint64_t values = 0, nodes = 0;
    if (tree->root && tree->root->parent) {
        return false; /* I2 */
    }
    for (const struct quire_radix_node *node = tree->root; node; node = walk(node)) {
        nodes++;
        if (!check_node(node, &values)) {
            return false;
        }
    }
    struct quire_radix_node *hint = tree->hint;
    if (hint) { /* I6: the walk from the root, without the hint, ends at it */
        tree->hint = NULL;
        if (find_leaf(tree, tree->hint_key << QUIRE_RADIX_BITS) != hint) {
            return false;
        }
    }
    return values == tree->count && nodes == tree->nodes; /* I5 */
}
