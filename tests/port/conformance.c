/* conformance.c: what quire/machine.h promises, asked of one machine, function by function.
 *
 * Frames are handed out here from the top of RAM downwards, as a manager would hand them; nothing
 * else owns RAM. The last test is the law itself: mappings are forgotten at random, and nothing may
 * change but the number of faults.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"

/* ---- memory ---------------------------------------------------------------------------------- */

static void ram_ranges_ascend(void **state) {
    struct world *world = *state;
    struct quire_ram_range range;
    uint64_t end = 0, total = 0;
    unsigned index = 0;
    for (; quire_mach_ram_range(world->machine, index, &range); index++) {
        assert_int_equal(range.start.value & QUIRE_PAGE_MASK, 0);
        assert_int_equal(range.length_bytes & QUIRE_PAGE_MASK, 0);
        assert_true(range.length_bytes > 0);
        if (index > 0)
            assert_true(range.start.value > end); /* ascending, and they do not touch */
        end = range.start.value + range.length_bytes;
        total += range.length_bytes;
    }
    assert_true(total >= (uint64_t)1 << 20);
    assert_false(quire_mach_ram_range(world->machine, index, &range));
    assert_false(quire_mach_ram_range(world->machine, index + 100, &range));
}

static void windows_are_linear(void **state) {
    struct world *world = *state;
    struct quire_ram_range range;
    quire_mach_ram_range(world->machine, 0, &range);
    quire_frame first = quire_frame_at(range.start);
    uint8_t *base = quire_mach_window(world->machine, first);
    uint64_t n = range.length_bytes >> QUIRE_PAGE_SHIFT;
    for (uint32_t i = 0; i < n; i++) {
        uint8_t *window = quire_mach_window(world->machine, (quire_frame){first.number + i});
        assert_ptr_equal(window, base + (uint64_t)i * QUIRE_PAGE_SIZE);
    }
}

static void zero_and_copy(void **state) {
    struct world *world = *state;
    quire_frame low = take_frame(world), middle = take_frame(world), high = take_frame(world);
    uint8_t *bytes = quire_mach_window(world->machine, middle);
    memset(quire_mach_window(world->machine, low), 1, QUIRE_PAGE_SIZE);
    memset(bytes, 2, QUIRE_PAGE_SIZE);
    memset(quire_mach_window(world->machine, high), 3, QUIRE_PAGE_SIZE);
    quire_mach_zero(world->machine, middle);
    for (unsigned i = 0; i < QUIRE_PAGE_SIZE; i++)
        assert_int_equal(bytes[i], 0);
    quire_mach_copy(world->machine, middle, high);
    for (unsigned i = 0; i < QUIRE_PAGE_SIZE; i++)
        assert_int_equal(bytes[i], 3);
    /* The neighbours were left alone. */
    assert_int_equal(*((uint8_t *)quire_mach_window(world->machine, low) + QUIRE_PAGE_MASK), 1);
    assert_int_equal(*(uint8_t *)quire_mach_window(world->machine, high), 3);
}

/* ---- page tables ----------------------------------------------------------------------------- */

/* Frames appear in the area in any order and more than once, and keep window and contents; another
 * frame takes the place of the first; what is forgotten can be mapped again. */
static void kernel_area_shows_frames(void **state) {
    struct world *world = *state;
    void *base;
    uint64_t npages;
    if (!quire_mach_kernel_area(world->machine, &base, &npages))
        return; /* a machine without one says so */
    assert_true(npages >= 16);
    assert_int_equal((uintptr_t)base & QUIRE_PAGE_MASK, 0);
    enum { N = 8 };
    quire_frame frames[N];
    uint8_t *area = (uint8_t *)base + 4 * QUIRE_PAGE_SIZE;
    for (unsigned i = 0; i < N / 2; i++) { /* down, then up again */
        frames[i] = frames[N - 1 - i] = new_page(world, (uint8_t)(i + 1));
    }
    assert_int_equal(quire_mach_kernel_map(world->machine, area, frames, N), QUIRE_OK);
    for (unsigned i = 0; i < N; i++) {
        uint8_t *page = area + i * QUIRE_PAGE_SIZE;
        uint8_t *window = quire_mach_window(world->machine, frames[i]);
        uint8_t fill = (uint8_t)(i < N / 2 ? i + 1 : N - i);
        assert_int_equal(page[0], i < N / 2 ? fill : 100 + fill);
        assert_int_equal(page[QUIRE_PAGE_MASK], fill);
        page[0] = (uint8_t)(100 + fill);
        assert_int_equal(window[0], 100 + fill);
    }
    quire_frame other = new_page(world, 50);
    assert_int_equal(quire_mach_kernel_map(world->machine, area + QUIRE_PAGE_SIZE, &other, 1),
                     QUIRE_OK);
    assert_int_equal(area[QUIRE_PAGE_SIZE], 50);
    assert_int_equal(area[0], 101);
    assert_int_equal(area[2 * QUIRE_PAGE_SIZE], 103);
    assert_int_equal(quire_mach_kernel_map(world->machine, area, NULL, N), QUIRE_OK);
    assert_int_equal(quire_mach_kernel_map(world->machine, area, NULL, N), QUIRE_OK);
    quire_mach_zero(world->machine, other);
    assert_int_equal(quire_mach_kernel_map(world->machine, area, &other, 1), QUIRE_OK);
    assert_int_equal(area[0] | area[QUIRE_PAGE_MASK], 0);
    assert_int_equal(quire_mach_kernel_map(world->machine, area, NULL, 1), QUIRE_OK);
    assert_int_equal(*(uint8_t *)quire_mach_window(world->machine, frames[0]), 101);
}

static void empty_tables_map_nothing(void **state) {
    struct world *world = *state;
    struct quire_pmap_entry entry;
    quire_mach_pmap_query(world->pmap, quire_va(VA0), &entry);
    assert_false(entry.mapped);
    assert_false(quire_mach_pmap_harvest(world->pmap, quire_va(VA0)));
    assert_refused(world, VA0, QUIRE_ACCESS_READ);
    assert_refused(world, VA0, QUIRE_ACCESS_WRITE);
    assert_refused(world, VA0, QUIRE_ACCESS_EXEC);
    assert_refused(world, port_fixture_last_page(), QUIRE_ACCESS_READ);
}

static void enter_maps_one_page(void **state) {
    struct world *world = *state;
    unsigned large;
    assert_true(quire_mach_pmap_depth(world->machine, &large) < QUIRE_STASH_MAX);
    assert_true(large < QUIRE_NORDERS);
    quire_frame frame = new_page(world, 0x5A);
    enter(world, VA0, frame, QUIRE_PROT_READ | QUIRE_PROT_WRITE);
    assert_int_equal(load(world, VA0), 0x5A);
    store(world, VA0 + 77, 0x11);
    assert_int_equal(((uint8_t *)quire_mach_window(world->machine, frame))[77], 0x11);
    assert_int_equal(load(world, VA0 + QUIRE_PAGE_MASK), 0x5A);
    assert_int_equal(port_double.faults, 0);
    assert_refused(world, VA0 + QUIRE_PAGE_SIZE, QUIRE_ACCESS_READ);
    assert_refused(world, VA0 - 1, QUIRE_ACCESS_READ);
    struct quire_pmap_entry entry;
    quire_mach_pmap_query(world->pmap, quire_va(VA0), &entry);
    if (entry.mapped) {
        assert_int_equal(entry.frame.number, frame.number);
        assert_int_equal(entry.prot, QUIRE_PROT_READ | QUIRE_PROT_WRITE);
    }
}

static void neighbours_share_tables(void **state) {
    struct world *world = *state;
    enter(world, VA0, new_page(world, 1), QUIRE_PROT_READ);
    unsigned before = world->ntables;
    enter(world, VA0 + QUIRE_PAGE_SIZE, new_page(world, 2), QUIRE_PROT_READ);
    enter(world, VA0, new_page(world, 3), QUIRE_PROT_READ);
    assert_int_equal(world->ntables, before);
    assert_int_equal(load(world, VA0), 3);
    assert_int_equal(load(world, VA0 + QUIRE_PAGE_SIZE), 2);
}

/* A fresh table is empty although its frame was full of ones. */
static void table_frames_need_not_be_zero(void **state) {
    struct world *world = *state;
    uint64_t last = port_fixture_last_page();
    enter(world, last, new_page(world, 9), QUIRE_PROT_READ);
    assert_int_equal(load(world, last), 9);
    for (unsigned bit = QUIRE_PAGE_SHIFT; (uint64_t)1 << bit <= last / 2; bit++)
        assert_refused(world, last ^ (uint64_t)1 << bit, QUIRE_ACCESS_READ);
}

static void enter_replaces_and_drops_stale_translations(void **state) {
    struct world *world = *state;
    quire_frame one = new_page(world, 1), two = new_page(world, 2);
    enter(world, VA0, one, QUIRE_PROT_READ | QUIRE_PROT_WRITE);
    store(world, VA0, 4); /* now it is in whatever TLB there is, for stores */
    enter(world, VA0, two, QUIRE_PROT_READ);
    assert_int_equal(load(world, VA0), 2);
    assert_refused(world, VA0, QUIRE_ACCESS_WRITE);
    assert_int_equal(*(uint8_t *)quire_mach_window(world->machine, two), 2);
    assert_int_equal(*(uint8_t *)quire_mach_window(world->machine, one), 4);
}

static void permissions_are_exact(void **state) {
    struct world *world = *state;
    quire_frame frame = new_page(world, 7);
    for (unsigned prot = 1; prot < 8; prot++) {
        if (!port_fixture_exact_prot() && !(prot & QUIRE_PROT_READ))
            continue;
        enter(world, VA0, frame, prot);
        for (unsigned access = 1; access < 8; access <<= 1) {
            uint8_t byte = 7;
            enum quire_status want = prot & access ? QUIRE_OK : QUIRE_FAULT;
            assert_int_equal(port_fixture_access(world->pmap, VA0, access, &byte), want);
        }
    }
}

static void remove_forgets_ranges(void **state) {
    struct world *world = *state;
    for (unsigned i = 0; i < 8; i++) {
        enter(world, VA0 + i * QUIRE_PAGE_SIZE, new_page(world, (uint8_t)i), QUIRE_PROT_READ);
        load(world, VA0 + i * QUIRE_PAGE_SIZE);
    }
    quire_mach_pmap_remove(world->pmap, quire_va(VA0 + 2 * QUIRE_PAGE_SIZE), 3);
    for (unsigned i = 0; i < 8; i++) {
        uint64_t va = VA0 + i * QUIRE_PAGE_SIZE;
        if (i >= 2 && i < 5)
            assert_refused(world, va, QUIRE_ACCESS_READ);
        else
            assert_int_equal(load(world, va), i);
    }
    /* Nothing there: nothing happens. */
    quire_mach_pmap_remove(world->pmap, quire_va(VA0 + 2 * QUIRE_PAGE_SIZE), 3);
    quire_mach_pmap_remove(world->pmap, quire_va(VA0), 0);
    /* The whole user range at once: bounded by what is mapped, not by its length. */
    uint64_t end = port_fixture_last_page() + QUIRE_PAGE_SIZE;
    quire_mach_pmap_remove(world->pmap, quire_va(0), end >> QUIRE_PAGE_SHIFT);
    for (unsigned i = 0; i < 8; i++)
        assert_refused(world, VA0 + i * QUIRE_PAGE_SIZE, QUIRE_ACCESS_READ);
}

static void protect_only_takes_away(void **state) {
    struct world *world = *state;
    uint64_t second = VA0 + QUIRE_PAGE_SIZE;
    enter(world, VA0, new_page(world, 1), QUIRE_PROT_READ | QUIRE_PROT_WRITE);
    enter(world, second, new_page(world, 2), QUIRE_PROT_READ);
    store(world, VA0, 1);
    load(world, second);
    quire_mach_pmap_protect(world->pmap, quire_va(VA0), 2, QUIRE_PROT_READ | QUIRE_PROT_WRITE);
    store(world, VA0, 3);
    assert_refused(world, second, QUIRE_ACCESS_WRITE); /* never adds */
    quire_mach_pmap_protect(world->pmap, quire_va(VA0), 2, QUIRE_PROT_READ | QUIRE_PROT_EXEC);
    assert_refused(world, VA0, QUIRE_ACCESS_WRITE);
    assert_refused(world, VA0, QUIRE_ACCESS_EXEC);
    assert_int_equal(load(world, VA0), 3);
    quire_mach_pmap_protect(world->pmap, quire_va(second), 1, 0);
    assert_refused(world, second, QUIRE_ACCESS_READ);
    assert_int_equal(load(world, VA0), 3);
}

static void harvest_sees_each_access_once(void **state) {
    struct world *world = *state;
    quire_vaddr va = quire_va(VA0);
    enter(world, VA0, new_page(world, 1), QUIRE_PROT_READ | QUIRE_PROT_WRITE);
    (void)quire_mach_pmap_harvest(world->pmap, va); /* enter may count as an access */
    assert_false(quire_mach_pmap_harvest(world->pmap, va));
    bool bits = port_fixture_has_referenced();
    load(world, VA0);
    assert_int_equal(quire_mach_pmap_harvest(world->pmap, va), bits);
    assert_false(quire_mach_pmap_harvest(world->pmap, va));
    load(world, VA0); /* the stale translation is gone, or this would not be seen */
    assert_int_equal(quire_mach_pmap_harvest(world->pmap, va), bits);
    store(world, VA0, 2);
    assert_int_equal(quire_mach_pmap_harvest(world->pmap, va), bits);
    assert_int_equal(load(world, VA0), 2);
    assert_int_equal(port_double.faults, 0);
    quire_mach_pmap_remove(world->pmap, va, 1);
    assert_false(quire_mach_pmap_harvest(world->pmap, va));
}

static void spaces_are_apart(void **state) {
    struct world *world = *state;
    quire_frame root = new_root(world);
    struct quire_pmap *other =
        quire_mach_pmap_create(world->machine, (struct quire_space *)world, root);
    struct quire_pmap *first = world->pmap;
    assert_non_null(other);
    enter(world, VA0, new_page(world, 1), QUIRE_PROT_READ | QUIRE_PROT_WRITE);
    store(world, VA0, 10);
    world->pmap = other;
    assert_refused(world, VA0, QUIRE_ACCESS_READ);
    unsigned tables = world->ntables;
    enter(world, VA0, new_page(world, 2), QUIRE_PROT_READ | QUIRE_PROT_WRITE);
    tables = world->ntables - tables; /* these are the other's */
    assert_int_equal(load(world, VA0), 2);
    store(world, VA0, 20);
    world->pmap = first;
    assert_int_equal(load(world, VA0), 10);
    quire_mach_pmap_destroy(other, record_release, world);
    assert_int_equal(world->nreleased, tables + world->nroot);
    assert_int_equal(world->released[world->nreleased - 1], root.number);
    assert_int_equal(load(world, VA0), 10);
    world->nreleased = 0;
}

static void destroy_releases_each_table_once(void **state) {
    struct world *world = *state;
    quire_frame frame = new_page(world, 1);
    uint64_t last = port_fixture_last_page();
    for (uint64_t va = VA0; va < last; va = va * 8)
        enter(world, va & ~QUIRE_PAGE_MASK, frame, QUIRE_PROT_READ);
    enter(world, last, frame, QUIRE_PROT_READ);
    quire_mach_pmap_remove(world->pmap, quire_va(VA0), 1);
    quire_mach_pmap_destroy(world->pmap, record_release, world);
    world->pmap = NULL;
    assert_int_equal(world->nreleased, world->ntables + world->nroot);
    /* the root last */
    assert_int_equal(world->released[world->nreleased - 1], world->root.number);
    for (unsigned i = 0; i < world->ntables; i++) {
        unsigned times = 0;
        for (unsigned j = 0; j < world->ntables; j++)
            times += world->released[j] == world->tables[i];
        assert_int_equal(times, 1);
    }
}

/* ---- the door -------------------------------------------------------------------------------- */

struct lazy {
    struct world *world;
    quire_frame frame;
};

static enum quire_status enter_now(void *context, struct quire_space *space, quire_vaddr va,
                                   enum quire_access access) {
    struct lazy *lazy = context;
    (void)space;
    enter(lazy->world, va.value & ~QUIRE_PAGE_MASK, lazy->frame,
          QUIRE_PROT_READ | (access & QUIRE_PROT_WRITE));
    return QUIRE_OK;
}

static void access_is_tried_again_after_a_fault(void **state) {
    struct world *world = *state;
    struct lazy lazy = {world, new_page(world, 6)};
    port_double.fault = enter_now;
    port_double.context = &lazy;
    assert_int_equal(load(world, VA0 + 5), 6);
    assert_int_equal(port_double.faults, 1);
    assert_int_equal(load(world, VA0 + 6), 6);
    assert_int_equal(port_double.faults, 1);
    store(world, VA0 + 5, 8); /* read-only until now */
    assert_int_equal(port_double.faults, 2);
    assert_int_equal(port_double.access, QUIRE_ACCESS_WRITE);
    assert_int_equal(load(world, VA0 + 5), 8);
    assert_int_equal(port_double.faults, 2);
}

static enum quire_status answer(void *context, struct quire_space *space, quire_vaddr va,
                                enum quire_access access) {
    (void)space;
    (void)va;
    (void)access;
    return *(enum quire_status *)context;
}

static void errors_come_back_unchanged(void **state) {
    struct world *world = *state;
    enum quire_status errors[] = {QUIRE_FAULT, QUIRE_DENIED, QUIRE_BUS, QUIRE_KILLED};
    port_double.fault = answer;
    for (unsigned i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        uint8_t byte = 0;
        port_double.context = &errors[i];
        assert_int_equal(port_fixture_access(world->pmap, VA0, QUIRE_ACCESS_WRITE, &byte),
                         errors[i]);
    }
}

/* ---- swap devices, time, words --------------------------------------------------------------- */

static void swap_gives_back_what_it_got(void **state) {
    struct world *world = *state;
    quire_frame frame = take_frame(world);
    uint8_t *bytes = quire_mach_window(world->machine, frame);
    assert_true(quire_mach_swap_pages(world->machine, 0) >= PORT_SLOTS);
    assert_int_equal(quire_mach_swap_pages(world->machine, 1000), 0);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned slot = 0; slot < PORT_SLOTS; slot++) {
            for (unsigned i = 0; i < QUIRE_PAGE_SIZE; i++)
                bytes[i] = (uint8_t)(slot * 31 + i * 7 + round);
            assert_int_equal(quire_mach_swap_write(world->machine, 0, slot, frame), QUIRE_OK);
        }
        for (unsigned slot = PORT_SLOTS; slot-- > 0;) {
            memset(bytes, 0xEE, QUIRE_PAGE_SIZE);
            assert_int_equal(quire_mach_swap_read(world->machine, 0, slot, &frame, 1), QUIRE_OK);
            for (unsigned i = 0; i < QUIRE_PAGE_SIZE; i++)
                assert_int_equal(bytes[i], (uint8_t)(slot * 31 + i * 7 + round));
        }
    }
}

/* A run comes back as its pages would one by one, wherever the frames lie. */
static void swap_reads_runs(void **state) {
    struct world *world = *state;
    quire_frame frames[PORT_SLOTS];
    for (unsigned slot = 0; slot < PORT_SLOTS; slot++) {
        frames[slot] = take_frame(world);
        memset(quire_mach_window(world->machine, frames[slot]), (int)slot + 1, QUIRE_PAGE_SIZE);
        assert_int_equal(quire_mach_swap_write(world->machine, 0, slot, frames[slot]), QUIRE_OK);
    }
    for (unsigned count = 1; count <= PORT_SLOTS; count++) {
        unsigned first = (count * 7) % (PORT_SLOTS - count + 1);
        quire_frame order[PORT_SLOTS];
        for (unsigned i = 0; i < count; i++) {
            order[i] = frames[count - 1 - i];
            memset(quire_mach_window(world->machine, order[i]), 0, QUIRE_PAGE_SIZE);
        }
        assert_int_equal(quire_mach_swap_read(world->machine, 0, first, order, count), QUIRE_OK);
        for (unsigned i = 0; i < count; i++) {
            const uint8_t *bytes = quire_mach_window(world->machine, order[i]);
            for (unsigned k = 0; k < QUIRE_PAGE_SIZE; k++)
                assert_int_equal(bytes[k], first + i + 1);
        }
    }
}

static void clock_never_goes_back(void **state) {
    struct world *world = *state;
    quire_frame frame = new_page(world, 1);
    uint64_t last = quire_mach_now_ns(world->machine);
    for (unsigned i = 0; i < 100; i++) {
        uint8_t byte = 0;
        quire_mach_swap_write(world->machine, 0, i % PORT_SLOTS, frame);
        port_fixture_access(world->pmap, VA0, QUIRE_ACCESS_READ, &byte);
        uint64_t now = quire_mach_now_ns(world->machine);
        assert_true(now >= last);
        last = now;
    }
}

static void words_are_taken(void **state) {
    struct world *world = *state;
    quire_mach_log(world->machine, "conformance: one line for the operator");
}

/* A panic says its words and is the end: of a process of its own here. */
static void a_panic_does_not_return(void **state) {
    struct world *world = *state;
    /* By a pointer: the compiler would not believe that it may come back. */
    void (*volatile panic)(struct quire_machine *, const char *, int, const char *) =
        quire_mach_panic;
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        if (!freopen("/dev/null", "w", stderr))
            _exit(0);
        panic(world->machine, "conformance.c", 1, "a panic does not return");
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void machines_live_side_by_side(void **state) {
    struct world *world = *state;
    struct quire_machine *other = port_fixture_create();
    quire_frame frame = take_frame(world);
    memset(quire_mach_window(world->machine, frame), 1, QUIRE_PAGE_SIZE);
    memset(quire_mach_window(other, frame), 2, QUIRE_PAGE_SIZE);
    quire_mach_swap_write(world->machine, 0, 3, frame);
    quire_mach_swap_write(other, 0, 3, frame);
    quire_mach_swap_read(world->machine, 0, 3, &frame, 1);
    assert_int_equal(*(uint8_t *)quire_mach_window(world->machine, frame), 1);
    port_fixture_destroy(other);
    assert_int_equal(*(uint8_t *)quire_mach_window(world->machine, frame), 1);
}

/* ---- the law --------------------------------------------------------------------------------- */

#define LAW_PAGES 32
#define LAW_STEPS 20000

/* The manager in small: each page has a frame and a permission, and a fault restores the mapping.
 */
struct truth {
    struct world *world;
    quire_frame frame[LAW_PAGES];
    unsigned prot[LAW_PAGES];
    uint8_t value[LAW_PAGES];
};

static uint64_t law_va(unsigned page) {
    /* Spread over several tables. */
    return VA0 + page * QUIRE_PAGE_SIZE + (uint64_t)(page % 4) * ((uint64_t)1 << 30);
}

static enum quire_status restore(void *context, struct quire_space *space, quire_vaddr va,
                                 enum quire_access access) {
    struct truth *truth = context;
    (void)space;
    for (unsigned page = 0; page < LAW_PAGES; page++) {
        if (law_va(page) != (va.value & ~QUIRE_PAGE_MASK))
            continue;
        if (!(truth->prot[page] & access))
            return QUIRE_DENIED;
        enter(truth->world, law_va(page), truth->frame[page], truth->prot[page]);
        return QUIRE_OK;
    }
    return QUIRE_FAULT;
}

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u; /* Numerical Recipes' LCG: enough for a test */
    return *state >> 8;
}

static void access_and_compare(struct truth *truth, unsigned page, enum quire_access access,
                               uint8_t value) {
    uint8_t byte = value;
    enum quire_status status =
        port_fixture_access(truth->world->pmap, law_va(page) + page, access, &byte);
    if (!(truth->prot[page] & access)) {
        assert_int_equal(status, QUIRE_DENIED);
        return;
    }
    assert_int_equal(status, QUIRE_OK);
    if (access == QUIRE_ACCESS_WRITE)
        truth->value[page] = value;
    else
        assert_int_equal(byte, truth->value[page]);
}

static void forgotten_mappings_change_nothing(void **state) {
    struct world *world = *state;
    static struct truth truth;
    truth = (struct truth){.world = world};
    uint32_t seed = 12345;
    for (unsigned page = 0; page < LAW_PAGES; page++) {
        truth.frame[page] = new_page(world, 0);
        truth.prot[page] = QUIRE_PROT_READ | QUIRE_PROT_WRITE;
    }
    port_double.fault = restore;
    port_double.context = &truth;
    for (unsigned step = 0; step < LAW_STEPS; step++) {
        unsigned page = next_random(&seed) % LAW_PAGES;
        quire_vaddr va = quire_va(law_va(page));
        switch (next_random(&seed) % 8) {
        case 0: /* forgotten by the machine */
            quire_mach_pmap_remove(world->pmap, va, 1 + next_random(&seed) % 4);
            break;
        case 1: /* the manager changes the permission */
            truth.prot[page] = QUIRE_PROT_READ | (next_random(&seed) % 2 ? QUIRE_PROT_WRITE : 0);
            quire_mach_pmap_protect(world->pmap, va, 1, truth.prot[page]);
            break;
        case 2:
            (void)quire_mach_pmap_harvest(world->pmap, va);
            break;
        case 3:
        case 4:
            access_and_compare(&truth, page, QUIRE_ACCESS_WRITE, (uint8_t)step);
            break;
        default:
            access_and_compare(&truth, page, QUIRE_ACCESS_READ, 0);
        }
    }
}

int main(int argc, char **argv) {
    if (!select_kind(argc, argv))
        return 2;
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(ram_ranges_ascend),
        TEST(windows_are_linear),
        TEST(zero_and_copy),
        TEST(kernel_area_shows_frames),
        TEST(empty_tables_map_nothing),
        TEST(enter_maps_one_page),
        TEST(neighbours_share_tables),
        TEST(table_frames_need_not_be_zero),
        TEST(enter_replaces_and_drops_stale_translations),
        TEST(permissions_are_exact),
        TEST(remove_forgets_ranges),
        TEST(protect_only_takes_away),
        TEST(harvest_sees_each_access_once),
        TEST(spaces_are_apart),
        TEST(destroy_releases_each_table_once),
        TEST(access_is_tried_again_after_a_fault),
        TEST(errors_come_back_unchanged),
        TEST(swap_gives_back_what_it_got),
        TEST(swap_reads_runs),
        TEST(clock_never_goes_back),
        TEST(words_are_taken),
        TEST(a_panic_does_not_return),
        TEST(machines_live_side_by_side),
        TEST(forgotten_mappings_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
