/* radix.h: a sparse array of pointers, indexed by any 64-bit number.
 *
 * A 64-way radix tree that is only as high as its largest index needs. Made for page numbers:
 * neighbours are found in O(1) through the last leaf, holes are skipped by bit scans, and memory
 * can be gathered before it is needed (reserve), so that a set can be made unable to fail.
 */
#ifndef QUIRE_BASE_RADIX_H
#define QUIRE_BASE_RADIX_H

#include <quire/status.h>
#include <quire/types.h>

#define QUIRE_RADIX_BITS 6
#define QUIRE_RADIX_WAYS 64 /* 2^6: one presence bit each in one word */

struct quire_radix_node {
    uint64_t present; /* bit i: slots[i] is not NULL */
    struct quire_radix_node *parent;
    uint8_t position; /* in the parent */
    uint8_t level;    /* 0: a leaf, slots are values; else slots are nodes of level - 1 */
    void *slots[QUIRE_RADIX_WAYS];
};

/* Where nodes come from. base/ knows no allocator, so the owner says. Nodes are handed over empty,
 * as quire_radix_construct makes them, and are given back in that state: a cache whose constructor
 * it is need not clear anything. */
struct quire_radix_memory {
    void *(*alloc)(void *context); /* sizeof(struct quire_radix_node), or NULL */
    void (*free)(void *context, void *node);
    void *context;
};

struct quire_radix {
    const struct quire_radix_memory *memory; /* outlives the tree */
    struct quire_radix_node *root;           /* NULL: no node at all */
    struct quire_radix_node *hint;           /* the leaf used last, or NULL */
    uint64_t hint_key;                       /* its index >> QUIRE_RADIX_BITS */
    uint64_t count;                          /* values stored */
    uint64_t nodes;                          /* nodes held, empty ones included */
};

/* Constructor for a cache of nodes. */
void quire_radix_construct(void *node);

void quire_radix_init(struct quire_radix *tree, const struct quire_radix_memory *memory);

/* The slow half of quire_radix_get: walks down and moves the hint. */
void *quire_radix_find(struct quire_radix *tree, uint64_t index);

/* The value at index, or NULL. O(1) near the last one, else O(height) (6 for 36-bit indices). */
static inline void *quire_radix_get(struct quire_radix *tree, uint64_t index) {
    if (tree->hint && tree->hint_key == index >> QUIRE_RADIX_BITS) {
        return tree->hint->slots[index & (QUIRE_RADIX_WAYS - 1)];
    }
    return quire_radix_find(tree, index);
}

/* Make sure that quire_radix_set at this index cannot fail: until the next remove, clear or trim.
 * QUIRE_NOMEM: some nodes may have been made; trim, or a later use, takes care of them. */
enum quire_status quire_radix_reserve(struct quire_radix *tree, uint64_t index);

/* Store value (not NULL), replacing what was there. QUIRE_NOMEM: nothing has changed. */
enum quire_status quire_radix_set(struct quire_radix *tree, uint64_t index, void *value);

/* Take the value out and return it (NULL: there was none). Frees nodes that become empty. */
void *quire_radix_remove(struct quire_radix *tree, uint64_t index);

/* Free the nodes on the way to index that hold nothing: undoes a reserve that was not used. */
void quire_radix_trim(struct quire_radix *tree, uint64_t index);

/* The first value at or after *index; *index becomes its place. NULL: none. Skips holes by nodes.
 *     for (i = 0; (value = quire_radix_next(tree, &i)) != NULL; i++) ...
 * (which does not end by itself after index 2^64 - 1: page numbers are smaller) */
void *quire_radix_next(struct quire_radix *tree, uint64_t *index);

/* Remove all values with first <= index <= last and hand each to drop (may be NULL), ascending.
 * drop must not touch this tree. O(values + nodes). */
void quire_radix_clear(struct quire_radix *tree, uint64_t first, uint64_t last,
                       void (*drop)(void *context, uint64_t index, void *value), void *context);

/* Put all values of from with first <= index <= last at the same places of to, which are empty
 * there. Leaf by leaf: one look-up, and one call of share, for 64 neighbours; share is told where
 * they lie, and bit i of present says that values[i] is one of them. QUIRE_NOMEM: those below some
 * index have been copied and shared, the others have not. O(values + nodes). */
enum quire_status quire_radix_copy(struct quire_radix *to, struct quire_radix *from, uint64_t first,
                                   uint64_t last,
                                   void (*share)(void *const *values, uint64_t present));

/* Recount: presence bits, levels, parents, count, nodes, the hint. False at the first lie. */
bool quire_radix_check(struct quire_radix *tree);

#endif
