/* world.h: one machine with one address space and no manager, for the conformance tests.
 *
 * Frames are handed out here from the top of RAM downwards, as a manager would hand them; nothing
 * else owns RAM.
 */
#ifndef QUIRE_TESTS_PORT_WORLD_H
#define QUIRE_TESTS_PORT_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "port.h"

#define VA0        ((uint64_t)0x10000)
#define RELEASED_N 2200 /* two tables of 1024 frames, and some of one */

struct world {
    struct quire_machine *machine;
    struct quire_pmap *pmap;
    struct quire_stash stash;
    quire_frame root;
    unsigned nroot;      /* frames that a root takes */
    uint32_t next_frame; /* the last one that was handed out */
    uint32_t tables[RELEASED_N], released[RELEASED_N];
    unsigned ntables, nreleased;
};

static inline quire_frame take_frame(struct world *world) {
    return (quire_frame){--world->next_frame};
}

/* Frames for the top level, in a row and aligned; "not yet zeroed". */
static inline quire_frame new_root(struct world *world) {
    world->nroot = 1u << quire_mach_pmap_root_order(world->machine);
    world->next_frame = world->next_frame / world->nroot * world->nroot - world->nroot;
    quire_frame first = {world->next_frame};
    memset(quire_mach_window(world->machine, first), 0xFF, world->nroot * QUIRE_PAGE_SIZE);
    return first;
}

/* A stash as full as a fault would bring it, of frames that are anything but zero. */
static inline void fill_stash(struct world *world) {
    unsigned large, depth = quire_mach_pmap_depth(world->machine, &large);
    while (world->stash.count < depth) {
        quire_frame frame = take_frame(world);
        memset(quire_mach_window(world->machine, frame), 0xFF, QUIRE_PAGE_SIZE);
        world->stash.frames[world->stash.count++] = frame;
    }
}

static inline void enter(struct world *world, uint64_t va, quire_frame frame, unsigned prot) {
    fill_stash(world);
    struct quire_stash before = world->stash;
    quire_mach_pmap_enter(world->pmap, quire_va(va), frame, 0, prot, &world->stash);
    /* It is a stack: what is gone was on top. */
    assert_true(world->stash.count <= before.count);
    for (unsigned i = 0; i < world->stash.count; i++)
        assert_int_equal(world->stash.frames[i].number, before.frames[i].number);
    for (unsigned i = world->stash.count; i < before.count; i++)
        world->tables[world->ntables++] = before.frames[i].number;
}

static inline quire_frame new_page(struct world *world, uint8_t fill) {
    quire_frame frame = take_frame(world);
    memset(quire_mach_window(world->machine, frame), fill, QUIRE_PAGE_SIZE);
    return frame;
}

static inline uint8_t load(struct world *world, uint64_t va) {
    uint8_t byte = 0;
    assert_int_equal(port_fixture_access(world->pmap, va, QUIRE_ACCESS_READ, &byte), QUIRE_OK);
    return byte;
}

static inline void store(struct world *world, uint64_t va, uint8_t byte) {
    assert_int_equal(port_fixture_access(world->pmap, va, QUIRE_ACCESS_WRITE, &byte), QUIRE_OK);
}

static inline void assert_refused(struct world *world, uint64_t va, enum quire_access access) {
    uint8_t byte = 0x77;
    unsigned before = port_double.faults;
    assert_int_equal(port_fixture_access(world->pmap, va, access, &byte), QUIRE_FAULT);
    assert_int_equal(port_double.faults, before + 1);
    assert_int_equal(port_double.va & ~QUIRE_PAGE_MASK, va & ~QUIRE_PAGE_MASK);
    assert_int_equal(port_double.access, access);
    assert_ptr_equal(port_double.space, (struct quire_space *)world);
}

static inline int set_up(void **state) {
    static struct world world;
    port_double_reset();
    world = (struct world){.machine = port_fixture_create()};
    struct quire_ram_range range;
    assert_true(quire_mach_ram_range(world.machine, 0, &range));
    world.next_frame = (uint32_t)((range.start.value + range.length_bytes) >> QUIRE_PAGE_SHIFT);
    world.root = new_root(&world);
    /* The machine hands the space back in faults and never looks into it. */
    world.pmap = quire_mach_pmap_create(world.machine, (struct quire_space *)&world, world.root);
    assert_non_null(world.pmap);
    *state = &world;
    return 0;
}

static inline void record_release(void *context, quire_frame frame) {
    struct world *world = context;
    assert_true(world->nreleased < RELEASED_N);
    world->released[world->nreleased++] = frame.number;
}

/* The kind of machine that the command asks for. */
static inline bool select_kind(int argc, char **argv) {
    if (port_fixture_select(argc > 1 ? argv[1] : NULL))
        return true;
    fprintf(stderr, "no machine is called %s\n", argv[1]);
    return false;
}

static inline int tear_down(void **state) {
    struct world *world = *state;
    if (world->pmap)
        quire_mach_pmap_destroy(world->pmap, record_release, world);
    port_fixture_destroy(world->machine);
    return 0;
}

#endif
