/* large.c: conformance of a machine that can map 2 MiB with one entry: mapped, split by a page
 * inside, taken away in part, replaced, and aged by one bit. Machines that can't are skipped.
 */
#include "world.h"

#define LARGE_VA ((uint64_t)1 << 30)

/* The machine's large order and an aligned block of RAM; 0: it has none, or too little RAM. */
static unsigned large_block(struct world *world, quire_frame *first) {
    unsigned order;
    struct quire_ram_range range;
    quire_mach_pmap_depth(world->machine, &order);
    quire_mach_ram_range(world->machine, 0, &range);
    uint64_t size = (uint64_t)1 << order, start = range.start.value >> QUIRE_PAGE_SHIFT;
    start = (start + size - 1) / size * size;
    *first = (quire_frame){(uint32_t)start};
    return order > 0 && start + size < world->next_frame - 16 ? order : 0;
}

/* Each page of the block begins with its number. */
static void number_pages(struct world *world, quire_frame first, unsigned order) {
    for (uint32_t i = 0; i < 1u << order; i++) {
        quire_frame frame = {first.number + i};
        memset(quire_mach_window(world->machine, frame), (int)(i % 251), QUIRE_PAGE_SIZE);
    }
}

static void enter_large(struct world *world, uint64_t va, quire_frame first, unsigned order,
                        unsigned prot) {
    fill_stash(world);
    struct quire_stash before = world->stash;
    quire_mach_pmap_enter(world->pmap, quire_va(va), first, order, prot, &world->stash);
    for (unsigned i = world->stash.count; i < before.count; i++)
        world->tables[world->ntables++] = before.frames[i].number;
    if (world->stash.count <= before.count)
        return;
    /* One table came back: it is one that was taken, and is the manager's again. */
    assert_int_equal(world->stash.count, before.count + 1);
    uint32_t back = world->stash.frames[before.count].number;
    unsigned at = 0;
    while (at < world->ntables && world->tables[at] != back)
        at++;
    assert_true(at < world->ntables);
    world->tables[at] = world->tables[--world->ntables];
}

/* A block at LARGE_VA, to read and write, its pages numbered. Ends the test where there is none. */
static unsigned map_block(struct world *world, quire_frame *first) {
    unsigned order = large_block(world, first);
    if (!order)
        skip();
    number_pages(world, *first, order);
    enter_large(world, LARGE_VA, *first, order, QUIRE_PROT_READ | QUIRE_PROT_WRITE);
    return order;
}

static void large_maps_all_its_pages(void **state) {
    struct world *world = *state;
    quire_frame first;
    unsigned order = map_block(world, &first);
    uint64_t size = QUIRE_PAGE_SIZE << order;
    for (uint32_t i = 0; i < 1u << order; i++)
        assert_int_equal(load(world, LARGE_VA + i * QUIRE_PAGE_SIZE + 8), i % 251);
    store(world, LARGE_VA + size - 1, 0xAB);
    quire_frame last = {first.number + (1u << order) - 1};
    assert_int_equal(((uint8_t *)quire_mach_window(world->machine, last))[QUIRE_PAGE_MASK], 0xAB);
    assert_int_equal(port_double.faults, 0);
    struct quire_pmap_entry entry;
    quire_mach_pmap_query(world->pmap, quire_va(LARGE_VA + 5 * QUIRE_PAGE_SIZE), &entry);
    if (entry.mapped) {
        assert_int_equal(entry.frame.number, first.number + 5);
        assert_int_equal(entry.order, order);
    }
    assert_refused(world, LARGE_VA + size, QUIRE_ACCESS_READ);
    assert_refused(world, LARGE_VA - 1, QUIRE_ACCESS_READ);
    assert_refused(world, LARGE_VA + 3, QUIRE_ACCESS_EXEC);
}

/* Over pages that were mapped one by one, and had been read and written. */
static void large_replaces_a_table(void **state) {
    struct world *world = *state;
    quire_frame first;
    unsigned order = large_block(world, &first);
    if (!order)
        skip();
    number_pages(world, first, order);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t va = LARGE_VA + i * QUIRE_PAGE_SIZE;
        enter(world, va, new_page(world, 0xEE), QUIRE_PROT_READ | QUIRE_PROT_WRITE);
        store(world, va, 0xED);
    }
    enter_large(world, LARGE_VA, first, order, QUIRE_PROT_READ);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(load(world, LARGE_VA + i * QUIRE_PAGE_SIZE), i);
    assert_refused(world, LARGE_VA, QUIRE_ACCESS_WRITE);
    /* And by another block, or itself with more permissions. */
    enter_large(world, LARGE_VA, first, order, QUIRE_PROT_READ | QUIRE_PROT_WRITE);
    store(world, LARGE_VA + QUIRE_PAGE_SIZE, 0x33);
    assert_int_equal(load(world, LARGE_VA + QUIRE_PAGE_SIZE), 0x33);
    quire_mach_pmap_destroy(world->pmap, record_release, world);
    world->pmap = NULL;
    assert_int_equal(world->nreleased,
                     world->ntables + world->nroot); /* the one that came back is not */
}

struct block {
    struct world *world;
    quire_frame first;
    unsigned order, prot;
};

/* What may be forgotten comes back page by page. */
static enum quire_status refill_page(void *context, struct quire_space *space, quire_vaddr va,
                                     enum quire_access access) {
    struct block *block = context;
    uint64_t page = (va.value - LARGE_VA) >> QUIRE_PAGE_SHIFT;
    (void)space;
    if (va.value < LARGE_VA || page >> block->order || !(block->prot & access))
        return QUIRE_DENIED;
    enter(block->world, va.value & ~QUIRE_PAGE_MASK,
          (quire_frame){block->first.number + (uint32_t)page}, block->prot);
    return QUIRE_OK;
}

static void a_page_inside_splits_it(void **state) {
    struct world *world = *state;
    quire_frame first;
    unsigned order = map_block(world, &first);
    struct block block = {world, first, order, QUIRE_PROT_READ | QUIRE_PROT_WRITE};
    for (unsigned i = 0; i < 6; i++)
        store(world, LARGE_VA + i * QUIRE_PAGE_SIZE, (uint8_t)(i + 1));
    quire_frame other = new_page(world, 0x99);
    enter(world, LARGE_VA + 3 * QUIRE_PAGE_SIZE, other, QUIRE_PROT_READ);
    port_double.fault = refill_page;
    port_double.context = &block;
    assert_int_equal(load(world, LARGE_VA + 3 * QUIRE_PAGE_SIZE), 0x99);
    for (unsigned i = 0; i < 6; i++) {
        if (i != 3)
            assert_int_equal(load(world, LARGE_VA + i * QUIRE_PAGE_SIZE), i + 1);
    }
    store(world, LARGE_VA + 4 * QUIRE_PAGE_SIZE, 77);
    quire_frame fourth = {first.number + 4};
    assert_int_equal(*(uint8_t *)quire_mach_window(world->machine, fourth), 77);
}

static void parts_are_taken_away(void **state) {
    struct world *world = *state;
    quire_frame first;
    unsigned order = map_block(world, &first);
    struct block block = {world, first, order, QUIRE_PROT_READ | QUIRE_PROT_WRITE};
    uint64_t part = LARGE_VA + 7 * QUIRE_PAGE_SIZE, size = QUIRE_PAGE_SIZE << order;
    store(world, part, 1);
    quire_mach_pmap_remove(world->pmap, quire_va(part), 1);
    assert_refused(world, part, QUIRE_ACCESS_READ);
    port_double.fault = refill_page;
    port_double.context = &block;
    assert_int_equal(load(world, LARGE_VA + 8 * QUIRE_PAGE_SIZE), 8);
    /* Protecting a part takes the permission from it, whatever becomes of the rest. */
    enter_large(world, LARGE_VA, first, order, block.prot);
    store(world, part, 2);
    quire_mach_pmap_protect(world->pmap, quire_va(part), 2, QUIRE_PROT_READ);
    port_double.fault = NULL;
    assert_refused(world, part, QUIRE_ACCESS_WRITE);
    port_double.fault = refill_page;
    assert_int_equal(load(world, part), 2);
    /* All of it. */
    enter_large(world, LARGE_VA, first, order, block.prot);
    store(world, part, 3);
    quire_mach_pmap_protect(world->pmap, quire_va(LARGE_VA), 1u << order, QUIRE_PROT_READ);
    port_double.fault = NULL;
    assert_refused(world, part, QUIRE_ACCESS_WRITE);
    assert_refused(world, LARGE_VA, QUIRE_ACCESS_WRITE);
    port_double.fault = refill_page;
    assert_int_equal(load(world, part), 3);
    quire_mach_pmap_remove(world->pmap, quire_va(LARGE_VA), 1u << order);
    port_double.fault = NULL;
    assert_refused(world, part, QUIRE_ACCESS_READ);
    assert_refused(world, LARGE_VA, QUIRE_ACCESS_READ);
    assert_refused(world, LARGE_VA + size - 1, QUIRE_ACCESS_READ);
}

static void one_bit_for_all_pages(void **state) {
    struct world *world = *state;
    quire_frame first;
    map_block(world, &first);
    uint64_t far = LARGE_VA + 300 * QUIRE_PAGE_SIZE;
    bool bits = port_fixture_has_referenced();
    (void)quire_mach_pmap_harvest(world->pmap, quire_va(LARGE_VA));
    for (unsigned round = 0; round < 3; round++) {
        assert_false(quire_mach_pmap_harvest(world->pmap, quire_va(LARGE_VA)));
        load(world, far);
        store(world, far + QUIRE_PAGE_SIZE, 1);
        /* Asked through any of them; then it is clear for all. */
        quire_vaddr ask = quire_va(LARGE_VA + round * 100 * QUIRE_PAGE_SIZE);
        assert_int_equal(quire_mach_pmap_harvest(world->pmap, ask), bits);
        assert_false(quire_mach_pmap_harvest(world->pmap, quire_va(far)));
    }
    assert_int_equal(port_double.faults, 0);
}

int main(int argc, char **argv) {
    if (!select_kind(argc, argv))
        return 2;
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(large_maps_all_its_pages), TEST(large_replaces_a_table), TEST(a_page_inside_splits_it),
        TEST(parts_are_taken_away),     TEST(one_bit_for_all_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
