/* radix.c: the same mappings in each page-table format, and what the tables cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "machine/radix/radix.h"

#define MEMORY_FRAMES 4096u

struct tree {
    struct quire_radix radix;
    uint32_t next; /* the next free frame */
    unsigned released[MEMORY_FRAMES];
    uint32_t last_released;
};

static const struct quire_radix_format *const formats[] = {&quire_radix_sv57, &quire_radix_sv48,
                                                           &quire_radix_sv39, &quire_radix_sv32,
                                                           &quire_radix_flat, &quire_radix_small};
#define NFORMATS (sizeof formats / sizeof formats[0])

static void make_tree(struct tree *tree, const struct quire_radix_format *format) {
    *tree = (struct tree){.radix = {format, calloc(MEMORY_FRAMES, QUIRE_PAGE_SIZE), 0}};
    assert_non_null(tree->radix.memory);
    uint64_t root_bytes = radix_entries(format, 0) << format->entry_shift;
    tree->next = (uint32_t)((root_bytes + QUIRE_PAGE_MASK) >> QUIRE_PAGE_SHIFT);
    /* Frames from here on are not zero. */
    uint64_t first = (uint64_t)tree->next << QUIRE_PAGE_SHIFT;
    memset(tree->radix.memory + first, 0xFF, (MEMORY_FRAMES << QUIRE_PAGE_SHIFT) - first);
}

static void map(struct tree *tree, uint64_t va, uint32_t frame) {
    const struct quire_radix_format *format = tree->radix.format;
    struct quire_stash stash = {0};
    for (unsigned i = 0; i + 1 < format->levels; i++)
        stash.frames[stash.count++] = (quire_frame){tree->next++};
    void *leaf = quire_radix_grow(&tree->radix, va, format->levels - 1, &stash);
    assert_non_null(leaf);
    tree->next -= stash.count; /* not needed after all: they were the lowest of the stash */
    if (stash.count > 0 && stash.count + 1 < format->levels)
        tree->next += stash.count; /* part of them were taken from above: skip the rest */
    radix_store(format, leaf, radix_index(format, format->levels - 1, va),
                radix_entry((quire_frame){frame}, RADIX_VALID | RADIX_READ));
}

static uint64_t lookup(struct tree *tree, uint64_t va) {
    const struct quire_radix_format *format = tree->radix.format;
    void *leaf = quire_radix_leaf(&tree->radix, va);
    return leaf ? radix_load(format, leaf, radix_index(format, format->levels - 1, va)) : 0;
}

static void rows_are_consistent(void **state) {
    (void)state;
    for (unsigned f = 0; f < NFORMATS; f++) {
        const struct quire_radix_format *format = formats[f];
        unsigned shift = QUIRE_PAGE_SHIFT;
        for (unsigned level = format->levels; level-- > 0;) {
            assert_int_equal(format->shift[level], shift);
            shift += format->bits[level];
        }
        /* The 64-bit formats give the lower half to users. */
        assert_int_equal(format->user_bits, format->entry_shift == 3 ? shift - 1 : shift);
        assert_true(format->levels <= RADIX_LEVELS_MAX);
        /* Pages can be mapped, and blocks whose alignment the entry's frame number can have. */
        assert_true(format->leaf_levels >> (format->levels - 1) == 1);
        /* Every table but the flat one is a frame. */
        if (format->levels > 1)
            assert_int_equal(radix_entries(format, 0) << format->entry_shift, QUIRE_PAGE_SIZE);
    }
}

static void each_format_maps_the_same(void **state) {
    (void)state;
    static struct tree tree;
    for (unsigned f = 0; f < NFORMATS; f++) {
        make_tree(&tree, formats[f]);
        uint64_t last = ((uint64_t)1 << formats[f]->user_bits) - QUIRE_PAGE_SIZE;
        uint64_t vas[] = {0, 0x1000, 0x400000, 0x7FF000, 0x40000000, last - 0x1000, last};
        for (unsigned i = 0; i < sizeof vas / sizeof vas[0]; i++)
            map(&tree, vas[i], 100 + i);
        for (unsigned i = 0; i < sizeof vas / sizeof vas[0]; i++) {
            assert_int_equal(radix_frame(lookup(&tree, vas[i])).number, 100 + i);
            assert_true(lookup(&tree, vas[i]) & RADIX_READ);
        }
        assert_int_equal(lookup(&tree, 0x2000), 0);
        assert_int_equal(lookup(&tree, last - 0x2000), 0);
        free(tree.radix.memory);
    }
}

static void next_leaf_skips_holes(void **state) {
    (void)state;
    static struct tree tree;
    make_tree(&tree, &quire_radix_sv48);
    uint64_t far = (uint64_t)5 << 39, span = (uint64_t)1 << 21;
    map(&tree, 3 * QUIRE_PAGE_SIZE, 1);
    map(&tree, far + span, 2);
    uint64_t va = 0, end = (uint64_t)1 << 47;
    unsigned level;
    assert_ptr_equal(quire_radix_next_table(&tree.radix, &va, end, &level),
                     quire_radix_leaf(&tree.radix, 0));
    assert_int_equal(level, 3);
    assert_int_equal(va, 0);
    va = span;
    assert_ptr_equal(quire_radix_next_table(&tree.radix, &va, end, &level),
                     quire_radix_leaf(&tree.radix, far + span));
    assert_int_equal(va, far + span);
    va = span;
    assert_null(quire_radix_next_table(&tree.radix, &va, far + span, &level));
    free(tree.radix.memory);
}

static void a_dry_stash_is_told(void **state) {
    (void)state;
    static struct tree tree;
    make_tree(&tree, &quire_radix_sv39);
    struct quire_stash stash = {.count = 1, .frames = {{tree.next}}};
    assert_null(quire_radix_grow(&tree.radix, 0x1000, 2, &stash));
    assert_int_equal(stash.count, 0);
    free(tree.radix.memory);
}

/* A block at each level that the format allows: found by the walk, passed by next at its own level,
 * split into a table of the level below that maps the same. */
static void blocks_are_mapped_and_split(void **state) {
    (void)state;
    static struct tree tree;
    static const uint64_t bits = RADIX_VALID | RADIX_READ | RADIX_WRITE | RADIX_ACCESSED;
    for (unsigned f = 0; f < NFORMATS; f++) {
        const struct quire_radix_format *format = formats[f];
        for (unsigned level = 0; level + 1 < format->levels; level++) {
            if (!(format->leaf_levels >> level & 1))
                continue;
            make_tree(&tree, format);
            uint32_t page = radix_order(format, level) > 2 ? 5 : 3;
            uint64_t va = 3 * ((uint64_t)1 << format->shift[level]);
            uint64_t inside = va + page * QUIRE_PAGE_SIZE;
            quire_frame first = {2u << radix_order(format, level)};
            struct quire_stash stash = {.count = 4};
            for (unsigned i = 0; i < stash.count; i++)
                stash.frames[i] = (quire_frame){tree.next++};
            void *table = quire_radix_grow(&tree.radix, va, level, &stash);
            assert_int_equal(stash.count, 4 - level);
            radix_store(format, table, radix_index(format, level, va), radix_entry(first, bits));

            unsigned found;
            assert_ptr_equal(quire_radix_walk(&tree.radix, inside, &found), table);
            assert_int_equal(found, level);
            assert_null(quire_radix_leaf(&tree.radix, inside));
            uint64_t at = 0, end = (uint64_t)1 << format->user_bits;
            assert_ptr_equal(quire_radix_next_table(&tree.radix, &at, end, &found), table);
            assert_int_equal(at, va);
            at = inside;
            assert_ptr_equal(quire_radix_next_table(&tree.radix, &at, end, &found), table);
            assert_int_equal(at, inside); /* not down to where the block begins */

            unsigned last = format->levels - 1;
            assert_non_null(quire_radix_grow(&tree.radix, inside, last, &stash));
            assert_int_equal(stash.count, 4 - last);
            assert_int_equal(radix_frame(lookup(&tree, inside)).number, first.number + page);
            assert_int_equal(lookup(&tree, inside) & 0xFF, bits);
            assert_int_equal(radix_frame(lookup(&tree, va)).number, first.number);
            /* The far end of the block, whose tables are still to come. */
            uint64_t edge = va + ((uint64_t)1 << format->shift[level]) - QUIRE_PAGE_SIZE;
            table = quire_radix_walk(&tree.radix, edge, &found);
            uint64_t entry = radix_load(format, table, radix_index(format, found, edge));
            uint32_t rest = (uint32_t)(edge >> QUIRE_PAGE_SHIFT) &
                            (uint32_t)(((uint64_t)1 << radix_order(format, found)) - 1);
            assert_int_equal(radix_frame(entry).number + rest,
                             first.number + (1u << radix_order(format, level)) - 1);
            assert_int_equal(entry & 0xFF, bits);
            free(tree.radix.memory);
        }
    }
}

static void release(void *context, quire_frame frame) {
    struct tree *tree = context;
    tree->released[frame.number]++;
    tree->last_released = frame.number;
}

/* A block is not a table: its frame is nobody's to release. */
static void blocks_are_not_released(void **state) {
    (void)state;
    static struct tree tree;
    make_tree(&tree, &quire_radix_sv48);
    uint32_t first = tree.next;
    struct quire_stash stash = {.count = 2, .frames = {{first}, {first + 1}}};
    void *table = quire_radix_grow(&tree.radix, 0, 2, &stash);
    radix_store(&quire_radix_sv48, table, 0,
                radix_entry((quire_frame){512}, RADIX_VALID | RADIX_READ));
    quire_radix_release(&tree.radix, release, &tree);
    for (uint32_t i = 0; i < MEMORY_FRAMES; i++)
        assert_int_equal(tree.released[i], i == 0 || i == first || i == first + 1);
    free(tree.radix.memory);
}

/* The textbook's figure: a fifth of the top level in use takes 4 KiB + a fifth of 4 MiB, about
 * 0.804 MiB, where one level always takes 4 MiB. */
static void two_levels_cost_what_is_used(void **state) {
    (void)state;
    static struct tree tree;
    make_tree(&tree, &quire_radix_sv32);
    unsigned used = 1024 / 5 + 1;
    for (unsigned i = 0; i < used; i++)
        map(&tree, (uint64_t)i << 22, 1);
    struct quire_radix_cost cost;
    quire_radix_cost(&tree.radix, radix_entries(tree.radix.format, 0), &cost);
    assert_int_equal(cost.nbytes, (4 << 10) + used * (4 << 10));
    assert_int_equal(cost.nbytes * 1000 >> 20, 804);
    assert_int_equal(cost.tables[0], 1);
    assert_int_equal(cost.tables[1], used);
    assert_int_equal(cost.mapped[1], used);
    quire_radix_release(&tree.radix, release, &tree);
    unsigned frames = 0;
    for (unsigned i = 0; i < MEMORY_FRAMES; i++) {
        assert_true(tree.released[i] <= 1);
        frames += tree.released[i];
    }
    assert_int_equal(frames, 1 + used);
    assert_int_equal(tree.last_released, 0); /* the root */
    free(tree.radix.memory);

    make_tree(&tree, &quire_radix_flat);
    quire_radix_cost(&tree.radix, radix_entries(tree.radix.format, 0), &cost);
    assert_int_equal(cost.nbytes, 4 << 20);
    quire_radix_release(&tree.radix, release, &tree);
    for (unsigned i = 0; i < 1024; i++)
        assert_int_equal(tree.released[i], 1);
    assert_int_equal(tree.released[1024], 0);
    free(tree.radix.memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_consistent),
        cmocka_unit_test(each_format_maps_the_same),
        cmocka_unit_test(next_leaf_skips_holes),
        cmocka_unit_test(a_dry_stash_is_told),
        cmocka_unit_test(two_levels_cost_what_is_used),
        cmocka_unit_test(blocks_are_mapped_and_split),
        cmocka_unit_test(blocks_are_not_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
