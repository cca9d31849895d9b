/* space.c: the classic heap directly over an address space of a manager: its headers and lists lie
 * in the simulated machine's memory, are swapped out and come back, and are copied by fork.
 */
#include "../unit/random.h"
#include "../unit/rig.h"

#include <quire/heap.h>

#define HEAP_START ((uint64_t)0x10000000)
#define BLOCKS     64

struct world {
    struct rig rig;
    _Alignas(16) unsigned char storage[QUIRE_HEAP_STORAGE_BYTES];
    struct quire_heap *heap;
};

static void world_up(struct world *world, uint64_t ram_bytes, uint64_t swap_bytes) {
    struct quire_heap_port port;

    rig_up(&world->rig, ram_bytes, swap_bytes);
    struct quire_space *space = rig_space(&world->rig, 0);
    quire_brk_start(space, quire_va(HEAP_START));
    quire_heap_port_space(&port, space);
    world->heap = quire_heap_init(world->storage, &port);
    assert_non_null(world->heap);
}

/* malloc(1): a heap of 132 KiB, of which one page has a frame; 200 KiB: a mapping that goes back.
 */
static void facts(void **state) {
    static struct world world;
    struct quire_region_info info;
    struct quire_space_usage usage;
    (void)state;

    world_up(&world, 16 * RIG_MIB, 0);
    struct quire_space *space = world.rig.spaces[0];
    uint64_t block = quire_heap_alloc(world.heap, 1);
    assert_true(quire_region_at_or_after(space, quire_va(HEAP_START), true, &info));
    assert_int_equal(info.start.value, HEAP_START);
    assert_int_equal(info.end.value - info.start.value, 0x21000);
    assert_int_equal(info.resident_anon, 1);
    assert_true(block > HEAP_START && block < HEAP_START + 4096);

    quire_space_usage(space, &usage);
    uint64_t before = usage.virtual_pages;
    uint64_t large = quire_heap_calloc(world.heap, 200, 1024);
    quire_space_usage(space, &usage);
    assert_int_equal(usage.virtual_pages - before, 51);
    assert_int_equal(usage.resident_anon, 2); /* calloc touched the header's page only */
    large = quire_heap_realloc(world.heap, large, 400 * 1024);
    assert_int_not_equal(large, 0);
    quire_heap_free(world.heap, large);
    quire_space_usage(space, &usage);
    assert_int_equal(usage.virtual_pages, before);
    assert_null(quire_heap_audit(world.heap));
    rig_down(&world.rig);
}

static void put_word(struct world *world, uint64_t at, uint64_t word) {
    assert_int_equal(quire_copy_out(world->rig.spaces[0], quire_va(at), &word, sizeof word), 0);
}

static uint64_t get_word(struct world *world, uint64_t at) {
    uint64_t word;

    assert_int_equal(quire_copy_in(world->rig.spaces[0], &word, quire_va(at), sizeof word), 0);
    return word;
}

/* A heap of five times the RAM: the lists themselves go to the swap disk and come back. */
static void swapped(void **state) {
    static struct world world;
    uint64_t blocks[BLOCKS] = {0}, random = 5;
    (void)state;

    world_up(&world, 4 * RIG_MIB, 64 * RIG_MIB);
    for (int i = 0; i < 3000; i++) {
        uint64_t *block = &blocks[next_random(&random) % BLOCKS];
        uint64_t bytes = 8 + next_random(&random) % 600000;
        if (*block != 0) {
            assert_int_equal(get_word(&world, *block), *block ^ 0x1234);
            bytes = next_random(&random) % 2 ? bytes : 0;
        }
        if (bytes == 0) {
            quire_heap_free(world.heap, *block);
            *block = 0;
            continue;
        }
        uint64_t moved = quire_heap_realloc(world.heap, *block, bytes);
        assert_int_not_equal(moved, 0);
        if (*block != 0) {
            assert_int_equal(get_word(&world, moved), *block ^ 0x1234);
        }
        *block = moved;
        put_word(&world, moved, moved ^ 0x1234);
        put_word(&world, moved + bytes - 8, ~moved);
        put_word(&world, moved, moved ^ 0x1234); /* both, when bytes is 8 */
        if (i % 500 == 0) {
            assert_null(quire_heap_audit(world.heap));
        }
    }
    assert_true(quire_counters(world.rig.q)->pswpin > 0);
    assert_null(quire_heap_audit(world.heap));
    quire_heap_fini(world.heap);
    rig_down(&world.rig);
}

static bool refuse_read(void *context, void *to, uint64_t from, uint64_t bytes) {
    (void)context, (void)to, (void)from, (void)bytes;
    return false;
}

/* Memory that can't be had: the heap says no from then on, and does not run wild. */
static void dead(void **state) {
    static struct world world;
    struct quire_heap_port port;
    (void)state;

    world_up(&world, 16 * RIG_MIB, 0);
    quire_heap_port_space(&port, world.rig.spaces[0]);
    port.read = refuse_read;
    struct quire_heap *heap = quire_heap_init(world.storage, &port);
    uint64_t block = quire_heap_alloc(heap, 1);
    if (block != 0) {
        quire_heap_free(heap, block);
        block = quire_heap_alloc(heap, 1);
    }
    assert_int_equal(block, 0);
    assert_int_equal(quire_heap_alloc(heap, 1), 0);
    assert_int_equal(quire_heap_calloc(heap, 1, 1), 0);
    assert_int_equal(quire_heap_memalign(heap, 64, 1), 0);
    assert_int_equal(quire_heap_realloc(heap, HEAP_START + 48, 1), 0);
    assert_int_equal(quire_heap_usable(heap, HEAP_START + 48), 0);
    assert_false(quire_heap_trim(heap, 0));
    quire_heap_free(heap, HEAP_START + 48);
    quire_heap_fini(heap);
    rig_down(&world.rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts),
        cmocka_unit_test(swapped),
        cmocka_unit_test(dead),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
