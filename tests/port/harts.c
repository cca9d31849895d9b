/* harts.c: conformance of a machine with several processors: what one changes, none may use any
 * more. Each test lets every hart use a page, so that it is in every TLB, then changes its mapping
 * from one hart and looks from all of them. Machines with one hart are skipped.
 */
#include "world.h"

#define HARTS_MAX 64
#define PAGES     4
#define RW        (QUIRE_PROT_READ | QUIRE_PROT_WRITE)

/* Ends the test where there is one hart. */
static unsigned harts_of(const struct world *world) {
    (void)world;
    unsigned n = port_fixture_harts();
    if (n < 2)
        skip();
    return n < HARTS_MAX ? n : HARTS_MAX;
}

/* Every hart has just stored to these pages, and sees what the one before it stored. */
static void all_use(struct world *world, uint64_t va, unsigned npages) {
    for (unsigned hart = 0; hart < harts_of(world); hart++) {
        port_fixture_hart(world->machine, hart);
        for (unsigned i = 0; i < npages; i++) {
            uint64_t at = va + i * QUIRE_PAGE_SIZE;
            if (hart > 0)
                assert_int_equal(load(world, at + 8 * (hart - 1)), 10 * hart + i);
            store(world, at + 8 * hart, (uint8_t)(10 * (hart + 1) + i));
        }
    }
}

static void refused_to_all(struct world *world, uint64_t va, enum quire_access access) {
    for (unsigned hart = 0; hart < harts_of(world); hart++) {
        port_fixture_hart(world->machine, hart);
        assert_refused(world, va, access);
    }
}

/* The changes are made by each hart in turn: the first one that used the space, and the others. */
#define BY_EACH_HART(world, by) for (unsigned by = 0; by < harts_of(world); by++)

static void map_pages(struct world *world, quire_frame *frames) {
    for (unsigned i = 0; i < PAGES; i++) {
        memset(quire_mach_window(world->machine, frames[i]), 0, QUIRE_PAGE_SIZE);
        enter(world, VA0 + i * QUIRE_PAGE_SIZE, frames[i], RW);
    }
    all_use(world, VA0, PAGES);
}

static void take_pages(struct world *world, quire_frame *frames) {
    for (unsigned i = 0; i < PAGES; i++)
        frames[i] = new_page(world, 0);
}

static void a_removed_page_is_gone_for_all(void **state) {
    struct world *world = *state;
    quire_frame frames[PAGES];
    take_pages(world, frames);
    BY_EACH_HART(world, by) {
        map_pages(world, frames);
        port_fixture_hart(world->machine, by);
        quire_mach_pmap_remove(world->pmap, quire_va(VA0 + QUIRE_PAGE_SIZE), 2);
        for (unsigned i = 1; i < 3; i++) {
            refused_to_all(world, VA0 + i * QUIRE_PAGE_SIZE, QUIRE_ACCESS_READ);
            refused_to_all(world, VA0 + i * QUIRE_PAGE_SIZE, QUIRE_ACCESS_WRITE);
        }
        assert_int_equal(load(world, VA0), 10);
        assert_int_equal(load(world, VA0 + 3 * QUIRE_PAGE_SIZE), 13);
    }
}

static void a_protected_page_is_so_for_all(void **state) {
    struct world *world = *state;
    quire_frame frames[PAGES];
    take_pages(world, frames);
    BY_EACH_HART(world, by) {
        map_pages(world, frames);
        port_fixture_hart(world->machine, by);
        quire_mach_pmap_protect(world->pmap, quire_va(VA0), PAGES, QUIRE_PROT_READ);
        for (unsigned i = 0; i < PAGES; i++)
            refused_to_all(world, VA0 + i * QUIRE_PAGE_SIZE, QUIRE_ACCESS_WRITE);
        for (unsigned hart = 0; hart < harts_of(world); hart++) {
            port_fixture_hart(world->machine, hart);
            assert_int_equal(load(world, VA0 + 2 * QUIRE_PAGE_SIZE), 12);
        }
    }
}

/* As copy-on-write and reclaim do it: another frame at the same address. */
static void a_replaced_page_is_so_for_all(void **state) {
    struct world *world = *state;
    quire_frame frames[PAGES], other = new_page(world, 0);
    take_pages(world, frames);
    BY_EACH_HART(world, by) {
        map_pages(world, frames);
        memset(quire_mach_window(world->machine, other), 0x77, QUIRE_PAGE_SIZE);
        port_fixture_hart(world->machine, by);
        enter(world, VA0, other, QUIRE_PROT_READ);
        refused_to_all(world, VA0, QUIRE_ACCESS_WRITE);
        for (unsigned hart = 0; hart < harts_of(world); hart++) {
            port_fixture_hart(world->machine, hart);
            assert_int_equal(load(world, VA0), 0x77);
        }
        assert_int_equal(*(uint8_t *)quire_mach_window(world->machine, frames[0]), 10);
    }
}

/* Clearing the bit takes the translation from all, so that the next use by any sets it again. */
static void a_harvest_asks_all(void **state) {
    struct world *world = *state;
    quire_frame frames[PAGES];
    take_pages(world, frames);
    bool bits = port_fixture_has_referenced();
    BY_EACH_HART(world, by) {
        map_pages(world, frames);
        for (unsigned hart = 0; hart < harts_of(world); hart++) {
            port_fixture_hart(world->machine, by);
            assert_int_equal(quire_mach_pmap_harvest(world->pmap, quire_va(VA0)), bits);
            assert_false(quire_mach_pmap_harvest(world->pmap, quire_va(VA0)));
            port_fixture_hart(world->machine, hart);
            assert_int_equal(load(world, VA0), 10);
        }
        quire_mach_pmap_remove(world->pmap, quire_va(VA0), PAGES);
    }
}

/* A large mapping is forgotten by all: whole, in part, and by a page that is entered inside. */
static void a_block_is_forgotten_by_all(void **state) {
    struct world *world = *state;
    struct quire_ram_range range;
    unsigned order;
    quire_mach_pmap_depth(world->machine, &order);
    quire_mach_ram_range(world->machine, 0, &range);
    uint64_t size = (uint64_t)1 << order, va = (uint64_t)1 << 30;
    uint64_t first = (range.start.value / QUIRE_PAGE_SIZE + size - 1) / size * size;
    if (order == 0 || first + size >= world->next_frame - 16)
        skip();
    BY_EACH_HART(world, by) {
        for (unsigned how = 0; how < 4; how++) {
            fill_stash(world);
            quire_mach_pmap_enter(world->pmap, quire_va(va), (quire_frame){(uint32_t)first}, order,
                                  RW, &world->stash);
            all_use(world, va, PAGES);
            port_fixture_hart(world->machine, by);
            if (how == 0)
                quire_mach_pmap_remove(world->pmap, quire_va(va), size);
            else if (how == 1)
                quire_mach_pmap_protect(world->pmap, quire_va(va), size, QUIRE_PROT_READ);
            else if (how == 2)
                quire_mach_pmap_protect(world->pmap, quire_va(va), 1, QUIRE_PROT_READ);
            else
                enter(world, va, new_page(world, 0x55), QUIRE_PROT_READ);
            refused_to_all(world, va, QUIRE_ACCESS_WRITE);
            if (how < 2)
                refused_to_all(world, va + 3 * QUIRE_PAGE_SIZE, QUIRE_ACCESS_WRITE);
            quire_mach_pmap_remove(world->pmap, quire_va(va), size);
            refused_to_all(world, va + QUIRE_PAGE_SIZE, QUIRE_ACCESS_READ);
        }
    }
}

/* Other spaces keep what they have at the same address. */
static void other_spaces_are_left_alone(void **state) {
    struct world *world = *state;
    quire_frame frames[PAGES], other = new_page(world, 0x42), root = new_page(world, 0xFF);
    take_pages(world, frames);
    struct quire_pmap *first = world->pmap;
    struct quire_pmap *second =
        quire_mach_pmap_create(world->machine, (struct quire_space *)world, root);
    assert_non_null(second);
    world->pmap = second;
    enter(world, VA0, other, RW);
    all_use(world, VA0, 1);
    world->pmap = first;
    map_pages(world, frames);
    port_fixture_hart(world->machine, 1);
    quire_mach_pmap_remove(first, quire_va(VA0), PAGES);
    refused_to_all(world, VA0, QUIRE_ACCESS_READ);
    world->pmap = second;
    unsigned before = port_double.faults;
    for (unsigned hart = 0; hart < harts_of(world); hart++) {
        port_fixture_hart(world->machine, hart);
        assert_int_equal(load(world, VA0 + 8), 20);
    }
    assert_int_equal(port_double.faults, before);
    world->pmap = first;
    unsigned released = world->nreleased;
    quire_mach_pmap_destroy(second, record_release, world);
    assert_int_equal(world->released[world->nreleased - 1], root.number);
    world->nreleased = released; /* tear_down counts only the first's */
}

/* ---- the law, with harts --------------------------------------------------------------------- */

#define LAW_STEPS 40000

struct truth {
    struct world *world;
    quire_frame frames[PAGES];
    unsigned prot[PAGES];
};

static uint64_t next_random(uint64_t *seed) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static enum quire_status refill(void *context, struct quire_space *space, quire_vaddr va,
                                enum quire_access access) {
    struct truth *truth = context;
    uint64_t page = (va.value - VA0) >> QUIRE_PAGE_SHIFT;
    (void)space;
    if (va.value < VA0 || page >= PAGES || !(truth->prot[page] & access))
        return QUIRE_DENIED;
    enter(truth->world, va.value & ~QUIRE_PAGE_MASK, truth->frames[page], truth->prot[page]);
    return QUIRE_OK;
}

/* Frames change places, rights come and go, by any hart; each access of any other is judged. */
static void any_order_of_changes_by_any_hart(void **state) {
    struct world *world = *state;
    struct truth truth = {.world = world};
    uint64_t seed = 11;
    take_pages(world, truth.frames);
    for (unsigned i = 0; i < PAGES; i++)
        truth.prot[i] = RW;
    port_double.fault = refill;
    port_double.context = &truth;
    for (unsigned step = 0; step < LAW_STEPS; step++) {
        unsigned page = (unsigned)(next_random(&seed) % PAGES);
        uint64_t va = VA0 + page * QUIRE_PAGE_SIZE;
        uint8_t byte = (uint8_t)step,
                *there = quire_mach_window(world->machine, truth.frames[page]);
        enum quire_access access = next_random(&seed) % 2 ? QUIRE_ACCESS_WRITE : QUIRE_ACCESS_READ;
        port_fixture_hart(world->machine, (unsigned)(next_random(&seed) % harts_of(world)));
        switch (next_random(&seed) % 16) {
        case 0:
            quire_mach_pmap_remove(world->pmap, quire_va(va), 1);
            break;
        case 1:
            truth.prot[page] = QUIRE_PROT_READ | (next_random(&seed) % 2 ? QUIRE_PROT_WRITE : 0);
            quire_mach_pmap_protect(world->pmap, quire_va(va), 1, truth.prot[page]);
            break;
        case 2:
            (void)quire_mach_pmap_harvest(world->pmap, quire_va(va));
            break;
        case 3: { /* it changes places with another page */
            unsigned with = (unsigned)(next_random(&seed) % PAGES);
            quire_frame frame = truth.frames[with];
            quire_mach_pmap_remove(world->pmap, quire_va(VA0 + with * QUIRE_PAGE_SIZE), 1);
            truth.frames[with] = truth.frames[page];
            truth.frames[page] = frame;
            enter(world, va, frame, truth.prot[page]);
            if (with != page)
                enter(world, VA0 + with * QUIRE_PAGE_SIZE, truth.frames[with], truth.prot[with]);
            break;
        }
        default:
            assert_int_equal(port_fixture_access(world->pmap, va + 9, access, &byte),
                             truth.prot[page] & access ? QUIRE_OK : QUIRE_DENIED);
            if (truth.prot[page] & access)
                assert_int_equal(there[9], byte);
        }
    }
}

int main(int argc, char **argv) {
    if (!select_kind(argc, argv))
        return 2;
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_removed_page_is_gone_for_all),   TEST(a_protected_page_is_so_for_all),
        TEST(a_replaced_page_is_so_for_all),    TEST(a_harvest_asks_all),
        TEST(a_block_is_forgotten_by_all),      TEST(other_spaces_are_left_alone),
        TEST(any_order_of_changes_by_any_hart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
