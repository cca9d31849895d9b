/* segments.c: memory under pure segmentation: placement beside a map of bytes that knows nothing of
 * lists, every byte of every segment remembered through moving and swapping, disks that lie, and
 * what the same work costs with pages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <quire/quire.h>
#include <quire/segment.h>
#include <quire/space.h>

#include "machine/soft/mmu.h"
#include "random.h"

#define KIB   1024u
#define MIB   ((uint64_t)1 << 20)
#define SLOTS 24
#define UNITS (64 * KIB / QUIRE_SEGMENT_ALIGN) /* of the small memories */

struct slot {
    struct quire_segment *segment; /* NULL: none */
    uint32_t nbytes;
    uint8_t *bytes; /* as they must be */
    quire_paddr base;
    bool present;
};

struct rig {
    struct quire_machine *machine;
    struct quire *q;
    struct quire_segments *segments;
    quire_paddr start;
    struct slot slots[SLOTS];
    unsigned told;
};

static void moved(void *context, void *owner, bool present, quire_paddr base) {
    struct rig *rig = context;
    struct slot *slot = owner;
    slot->present = present;
    slot->base = base;
    rig->told++;
}

static struct quire_segments_config plain(struct rig *rig, uint32_t nbytes, enum quire_fit fit) {
    return (struct quire_segments_config){
        .start = rig->start, .length_bytes = nbytes, .fit = fit, .moved = moved, .context = rig};
}

static void machine_up(struct rig *rig, uint64_t seed) {
    memset(rig, 0, sizeof *rig);
    struct quire_soft_config soft = {
        .ram_bytes = 16 * MIB, .swap_bytes = {4 * MIB, 4 * MIB}, .seed = seed};
    assert_int_equal(quire_soft_create(&soft, &rig->machine), QUIRE_OK);
    struct quire_config config = {
        .machine = rig->machine, .swappiness = 60, .reserve_bytes = 8 * MIB};
    assert_int_equal(quire_create(&config, &rig->q), QUIRE_OK);
    uint64_t length;
    assert_true(quire_reserved(rig->q, &rig->start, &length));
    assert_int_equal(length, 8 * MIB);
}

static void machine_down(struct rig *rig) {
    for (unsigned i = 0; i < SLOTS; i++)
        free(rig->slots[i].bytes);
    quire_segments_destroy(rig->segments);
    quire_audit(rig->q);
    quire_destroy(rig->q);
    quire_soft_destroy(rig->machine);
}

static void rig_up(struct rig *rig, uint32_t nbytes, enum quire_fit fit, bool compact, bool swap) {
    machine_up(rig, 3);
    struct quire_segments_config config = plain(rig, nbytes, fit);
    config.compact = compact;
    config.swap = swap;
    assert_int_equal(quire_segments_create(rig->q, &config, &rig->segments), QUIRE_OK);
}

static uint8_t *at(const struct rig *rig, quire_paddr address) {
    return (uint8_t *)quire_mach_window(rig->machine, quire_frame_at(rig->start)) +
           (address.value - rig->start.value);
}

static enum quire_status create(struct rig *rig, unsigned i, uint32_t nbytes) {
    struct slot *slot = &rig->slots[i];
    enum quire_status status = quire_segment_create(rig->segments, nbytes, slot, &slot->segment);
    if (status != QUIRE_OK)
        return status;
    slot->nbytes = nbytes;
    slot->bytes = calloc(1, nbytes);
    assert_non_null(slot->bytes);
    assert_true(slot->present);
    return QUIRE_OK;
}

static void destroy(struct rig *rig, unsigned i) {
    quire_segment_destroy(rig->slots[i].segment);
    free(rig->slots[i].bytes);
    rig->slots[i] = (struct slot){.segment = NULL};
}

static uint32_t offset_of(const struct rig *rig, unsigned i) {
    struct quire_segment_info info;
    quire_segment_info(rig->slots[i].segment, &info);
    assert_true(info.present && info.owner == &rig->slots[i]);
    return info.offset;
}

static struct quire_segments_figures figures(const struct rig *rig) {
    struct quire_segments_figures f;
    quire_segments_figures(rig->segments, &f);
    return f;
}

/* Four holes of 8, 3, 16 and 6 KiB (the last open to the end), and where 4 KiB and then 2 KiB go.
 */
static void fits_choose_their_holes(void **state) {
    (void)state;
    static const struct {
        enum quire_fit fit;
        uint32_t first, second; /* KiB from the start */
    } rows[] = {{QUIRE_FIT_FIRST, 1, 5},
                {QUIRE_FIT_BEST, 32, 36}, /* 6 KiB; then the 2 that are left of it */
                {QUIRE_FIT_WORST, 15, 19},
                {QUIRE_FIT_NEXT, 32, 36}};
    for (unsigned r = 0; r < 4; r++) {
        struct rig rig;
        rig_up(&rig, 38 * KIB, rows[r].fit, false, false);
        static const uint32_t sizes[] = {1, 8, 2, 3, 1, 16, 1};
        for (unsigned i = 0; i < 7; i++)
            assert_int_equal(create(&rig, i, sizes[i] * KIB), QUIRE_OK);
        for (unsigned i = 1; i < 7; i += 2)
            destroy(&rig, i);
        struct quire_segments_figures f = figures(&rig);
        assert_int_equal(f.nholes, 4);
        assert_int_equal(f.nsegments, 4);
        assert_int_equal(f.npresent, 4);
        assert_int_equal(f.largest_hole, 16 * KIB);
        assert_int_equal(f.free, 33 * KIB);
        assert_int_equal(f.external_permille, 17 * 1000 / 33);
        assert_int_equal(create(&rig, 20, 4 * KIB), QUIRE_OK);
        assert_int_equal(offset_of(&rig, 20), rows[r].first * KIB);
        assert_int_equal(create(&rig, 21, 2 * KIB), QUIRE_OK);
        assert_int_equal(offset_of(&rig, 21), rows[r].second * KIB);
        quire_segments_audit(rig.segments);
        machine_down(&rig);
    }
}

/* Thousandths of a free memory that has more bits than a product has to spare. */
static void large_memory(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, 8 * MIB, QUIRE_FIT_FIRST, false, false);
    assert_int_equal(figures(&rig).external_permille, 0);
    assert_int_equal(create(&rig, 0, 2 * MIB), QUIRE_OK);
    assert_int_equal(create(&rig, 1, 64 * KIB), QUIRE_OK);
    destroy(&rig, 0);
    assert_int_equal(figures(&rig).external_permille, 2048 * 1000 / (8192 - 64));
    machine_down(&rig);
}

static void compaction_closes_holes(void **state) {
    (void)state;
    for (unsigned compact = 0; compact < 2; compact++) {
        struct rig rig;
        rig_up(&rig, 64 * KIB, QUIRE_FIT_FIRST, compact, false);
        for (unsigned i = 0; i < 16; i++) {
            assert_int_equal(create(&rig, i, 4 * KIB), QUIRE_OK);
            memset(at(&rig, rig.slots[i].base), (int)i + 1, 4 * KIB);
        }
        for (unsigned i = 0; i < 16; i += 2)
            destroy(&rig, i);
        assert_int_equal(figures(&rig).external_permille, 875); /* 4 of 32 KiB in the largest */
        /* Free in all, but not in one piece. */
        assert_int_equal(create(&rig, 16, 20 * KIB), compact ? QUIRE_OK : QUIRE_NOMEM);
        struct quire_segments_figures f = figures(&rig);
        assert_int_equal(f.compactions, compact);
        assert_int_equal(f.moved, compact ? 8 : 0);
        assert_int_equal(f.moved_bytes, f.moved * 4 * KIB);
        assert_int_equal(f.refused, !compact);
        assert_int_equal(f.external_permille, compact ? 0 : 875);
        for (unsigned i = 1; i < 16; i += 2) {
            for (unsigned k = 0; k < 4 * KIB; k++)
                assert_int_equal(at(&rig, rig.slots[i].base)[k], i + 1);
        }
        quire_segments_audit(rig.segments);
        machine_down(&rig);
    }
}

static void sizes_and_arguments(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, 64 * KIB, QUIRE_FIT_FIRST, false, false);
    struct quire_segments *other;
    struct quire_segments_config bad[6];
    for (unsigned i = 0; i < 6; i++)
        bad[i] = plain(&rig, 64 * KIB, QUIRE_FIT_FIRST);
    bad[0].start.value += 16;
    bad[1].length_bytes = 0;
    bad[2].length_bytes = 1u << 31;
    bad[3].length_bytes += 8;
    bad[4].fit = (enum quire_fit)4;
    bad[5].swap = true;
    bad[5].swap_device = 7;
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(quire_segments_create(rig.q, &bad[i], &other), QUIRE_INVAL);
    assert_int_equal(create(&rig, 0, 0), QUIRE_INVAL);
    assert_int_equal(create(&rig, 0, 1u << 31), QUIRE_INVAL);
    assert_int_equal(create(&rig, 0, 64 * KIB + 1), QUIRE_NOMEM);
    assert_int_equal(create(&rig, 0, 17), QUIRE_OK);
    assert_int_equal(figures(&rig).used - figures(&rig).requested, 15); /* internal */
    assert_int_equal(quire_segment_swap_out(rig.slots[0].segment), QUIRE_INVAL);
    assert_int_equal(quire_segment_resize(rig.slots[0].segment, 0), QUIRE_INVAL);
    struct quire_segment_info info;
    assert_true(quire_segments_at(rig.segments, 31, &info) && !info.hole && info.nbytes == 17);
    assert_true(quire_segments_at(rig.segments, 32, &info) && info.hole);
    assert_int_equal(info.nbytes, 64 * KIB - 32);
    assert_false(quire_segments_at(rig.segments, 64 * KIB, &info));
    /* Allocations of the manager's own that fail. */
    quire_fail_every(rig.q, 1);
    assert_int_equal(create(&rig, 1, 17), QUIRE_NOMEM);
    assert_int_equal(quire_segments_create(
                         rig.q,
                         &(struct quire_segments_config){.start = rig.start, .length_bytes = 4096},
                         &other),
                     QUIRE_NOMEM);
    quire_fail_every(rig.q, 0);
    machine_down(&rig);
}

/* ---- any order of anything ------------------------------------------------------------------- */

/* Where this fit puts `need` bytes, from a map of who has which unit; UINT32_MAX: nowhere. */
static uint32_t naive(const bool *taken, uint32_t units, enum quire_fit fit, uint32_t need) {
    uint32_t best = UINT32_MAX, best_size = 0;
    for (uint32_t i = 0; i < units;) {
        uint32_t size = 0;
        while (i + size < units && !taken[i + size])
            size++;
        bool fits = size >= need && size > 0;
        if (fits && (best == UINT32_MAX || (fit == QUIRE_FIT_BEST && size < best_size) ||
                     (fit == QUIRE_FIT_WORST && size > best_size))) {
            best = i;
            best_size = size;
        }
        i += size ? size : 1;
    }
    return best;
}

static void mark(const struct rig *rig, bool *taken) {
    memset(taken, 0, UNITS * sizeof *taken);
    for (unsigned i = 0; i < SLOTS; i++) {
        const struct slot *slot = &rig->slots[i];
        struct quire_segment_info info;
        if (!slot->segment)
            continue;
        quire_segment_info(slot->segment, &info);
        assert_int_equal(info.present, slot->present); /* the owner was told */
        assert_int_equal(info.nbytes, slot->nbytes);
        if (!info.present)
            continue;
        assert_int_equal(info.offset, slot->base.value - rig->start.value);
        for (uint32_t u = info.offset / 16; u < (info.offset + info.nbytes + 15) / 16; u++) {
            assert_false(taken[u]); /* nobody shares a byte */
            taken[u] = true;
        }
    }
}

static void random_create(struct rig *rig, unsigned i, enum quire_fit fit, uint64_t *random) {
    static bool taken[UNITS];
    uint32_t nbytes =
        1 + (uint32_t)(next_random(random) % (next_random(random) % 4 ? 4000 : 30000));
    uint64_t refused = figures(rig).refused, moves = figures(rig).compactions;
    uint64_t outs = figures(rig).swapped_out;
    mark(rig, taken);
    uint32_t want = naive(taken, UNITS, fit, (nbytes + 15) / 16);
    enum quire_status status = create(rig, i, nbytes);
    if (status != QUIRE_OK) {
        assert_true(want == UINT32_MAX);
        assert_int_equal(figures(rig).refused, refused + 1);
        return;
    }
    bool as_it_was = figures(rig).compactions == moves && figures(rig).swapped_out == outs;
    assert_int_equal(want != UINT32_MAX, as_it_was);
    if (as_it_was && fit != QUIRE_FIT_NEXT)
        assert_int_equal(offset_of(rig, i), want * 16);
}

/* Look at all of it, and change some. False: it could not be had (a device that lies). */
static bool random_use(struct rig *rig, unsigned i, uint64_t *random) {
    struct slot *slot = &rig->slots[i];
    quire_paddr base;
    enum quire_status status = quire_segment_use(slot->segment, &base);
    if (status != QUIRE_OK)
        return false;
    assert_memory_equal(at(rig, base), slot->bytes, slot->nbytes);
    uint32_t from = (uint32_t)(next_random(random) % slot->nbytes);
    uint32_t n = (uint32_t)(next_random(random) % (slot->nbytes - from + 1));
    memset(slot->bytes + from, (int)next_random(random) & 255, n);
    memcpy(at(rig, base) + from, slot->bytes + from, n);
    return true;
}

static void random_resize(struct rig *rig, unsigned i, uint64_t *random) {
    struct slot *slot = &rig->slots[i];
    uint32_t nbytes = 1 + (uint32_t)(next_random(random) % 9000);
    if (quire_segment_resize(slot->segment, nbytes) != QUIRE_OK)
        return;
    uint8_t *bytes = calloc(1, nbytes);
    assert_non_null(bytes);
    memcpy(bytes, slot->bytes, nbytes < slot->nbytes ? nbytes : slot->nbytes);
    free(slot->bytes);
    slot->bytes = bytes;
    slot->nbytes = nbytes;
}

static void random_step(struct rig *rig, enum quire_fit fit, uint64_t *random, bool lies) {
    static bool taken[UNITS];
    unsigned i = (unsigned)(next_random(random) % SLOTS);
    unsigned what = (unsigned)(next_random(random) % 16);
    if (!rig->slots[i].segment)
        random_create(rig, i, fit, random);
    else if (what < 9)
        assert_true(random_use(rig, i, random) || lies || !rig->slots[i].present);
    else if (what < 11)
        random_resize(rig, i, random);
    else if (what < 12)
        (void)quire_segment_swap_out(rig->slots[i].segment);
    else if (what < 13)
        quire_segments_compact(rig->segments);
    else
        destroy(rig, i);
    mark(rig, taken);
    quire_segments_audit(rig->segments);
}

#define STEPS 2000

static void every_byte_is_remembered(void **state) {
    (void)state;
    for (unsigned world = 0; world < 16; world++) {
        struct rig rig;
        uint64_t random = world + 1;
        enum quire_fit fit = (enum quire_fit)(world % 4);
        rig_up(&rig, 64 * KIB, fit, world & 4, world & 8);
        for (unsigned step = 0; step < STEPS; step++)
            random_step(&rig, fit, &random, false);
        struct quire_segments_figures f = figures(&rig);
        assert_true((world & 4) ? f.compactions > 100 : f.refused > 100 || (world & 8));
        assert_int_equal(f.swapped_out > 100, (world & 8) != 0);
        assert_true(f.swapped_in <= f.swapped_out);
        machine_down(&rig);
    }
}

/* Disks that fail and lie: a segment may be lost, with an error, but no byte is ever wrong. */
static void bad_disks_are_caught(void **state) {
    (void)state;
    unsigned lost = 0;
    for (int kind = 0; kind < QUIRE_SOFT_DROP_MAPPING; kind++) {
        struct rig rig;
        uint64_t random = (uint64_t)kind + 77;
        rig_up(&rig, 64 * KIB, QUIRE_FIT_BEST, true, true);
        quire_soft_inject(rig.machine, (enum quire_soft_injection)kind, 12);
        for (unsigned step = 0; step < STEPS; step++) {
            random_step(&rig, QUIRE_FIT_BEST, &random, true);
            unsigned i = step % SLOTS;
            quire_paddr base;
            if (rig.slots[i].segment &&
                quire_segment_use(rig.slots[i].segment, &base) == QUIRE_BUS) {
                destroy(&rig, i); /* its program's end */
                lost++;
            }
        }
        machine_down(&rig);
    }
    assert_true(lost > 20);
}

/* ---- beside paging --------------------------------------------------------------------------- */

/* A program of 16 tables of 64 KiB, of which half fit, looks up one word in one of them at a time.
 * Segments: 64 KiB move for it. Pages: what was touched, 4 KiB. */
#define TABLES  16
#define LOOKUPS 400

static uint64_t stall_of(const struct rig *rig) {
    struct quire_soft_counters counters;
    quire_soft_counters(rig->machine, &counters);
    return counters.stall_ns;
}

static void paging_moves_less(void **state) {
    (void)state;
    struct rig rig;
    uint64_t random = 9;
    rig_up(&rig, 512 * KIB, QUIRE_FIT_FIRST, true, true);
    for (unsigned i = 0; i < TABLES; i++)
        assert_int_equal(create(&rig, i, 64 * KIB), QUIRE_OK);
    for (unsigned i = 0; i < LOOKUPS; i++) {
        quire_paddr base;
        struct quire_segment *table = rig.slots[next_random(&random) % TABLES].segment;
        assert_int_equal(quire_segment_use(table, &base), QUIRE_OK);
        at(&rig, base)[next_random(&random) % (64 * KIB)]++;
    }
    struct quire_segments_figures f = figures(&rig);
    uint64_t by_segments = f.pages_in + f.pages_out, stalled = stall_of(&rig);
    machine_down(&rig);

    struct quire_machine *machine;
    struct quire *q;
    struct quire_space *space;
    struct quire_soft_config soft = {.ram_bytes = 4 * MIB, .swap_bytes = {4 * MIB}, .seed = 3};
    assert_int_equal(quire_soft_create(&soft, &machine), QUIRE_OK);
    struct quire_config config = {.machine = machine, .swappiness = 60};
    assert_int_equal(quire_create(&config, &q), QUIRE_OK);
    assert_int_equal(quire_swapon(q, 0, 0), QUIRE_OK);
    struct quire_space_config limits = {.low = quire_va(0x10000),
                                        .high = quire_va((uint64_t)1 << 30),
                                        .map_top = quire_va((uint64_t)1 << 29)};
    assert_int_equal(quire_space_create(q, &limits, &space), QUIRE_OK);
    struct quire_usage usage;
    quire_usage(q, &usage);
    /* As much RAM as above: the rest is taken away. */
    quire_vaddr rest = quire_va(0), tables = quire_va(0);
    uint64_t spare = (usage.free << 12) - 512 * KIB;
    assert_int_equal(quire_map(space, &rest, spare, 3, QUIRE_MAP_LOCKED, NULL, 0), QUIRE_OK);
    assert_int_equal(quire_map(space, &tables, TABLES * 64 * KIB, 3, 0, NULL, 0), QUIRE_OK);
    random = 9;
    for (unsigned i = 0; i < LOOKUPS; i++) {
        uint64_t table = next_random(&random) % TABLES, byte = next_random(&random) % (64 * KIB);
        uint8_t *host;
        assert_int_equal(quire_mmu_access(quire_space_pmap(space),
                                          tables.value + table * 64 * KIB + byte,
                                          QUIRE_ACCESS_WRITE, &host),
                         QUIRE_OK);
        ++*host;
    }
    const struct quire_counters *c = quire_counters(q);
    struct quire_soft_counters counters;
    quire_soft_counters(machine, &counters);
    assert_true(by_segments > LOOKUPS * 8); /* a page each, at 16 pages a miss, half of them hits */
    assert_true(c->pswpout > 0 && c->pswpin > 0);
    assert_true((c->pswpin + c->pswpout) * 5 < by_segments);
    assert_true(counters.stall_ns * 5 < stalled);
    quire_space_destroy(space);
    quire_destroy(q);
    quire_soft_destroy(machine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fits_choose_their_holes),
        cmocka_unit_test(compaction_closes_holes),
        cmocka_unit_test(sizes_and_arguments),
        cmocka_unit_test(every_byte_is_remembered),
        cmocka_unit_test(bad_disks_are_caught),
        cmocka_unit_test(paging_moves_less),
        cmocka_unit_test(large_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
