/* steps_segment.c: memory in segments: made, grown, used, moved together, swapped out and ended in
 * any order, and beside it a row of bytes for each segment that knows nothing of places.
 *
 * What is judged: every byte; that nobody shares one; that the owner was told of every move; the
 * hole that first, best and worst fit choose (found by looking at all holes); that nothing was
 * moved or swapped without need; and that nothing was refused that there was room for.
 */
#include <string.h>

#include "steps.h"

#define NOWHERE UINT32_MAX
/* A device with so many pages has room for all segments, whatever its holes. */
#define AMPLE_PAGES (SIM_SLOTS * (2 * (SIM_SEGMENT_BYTES / (unsigned)QUIRE_PAGE_SIZE) - 1))

quire_paddr sim_aside(const struct sim *sim, unsigned i) {
    quire_paddr start;
    uint64_t length;
    if (!quire_reserved(sim->q, &start, &length))
        start.value = 0;
    start.value += i * QUIRE_PAGE_SIZE;
    return start;
}

uint8_t *sim_aside_at(const struct sim *sim, quire_paddr address) {
    uint8_t *window = quire_mach_window(sim->machine, quire_frame_at(address));
    return window + (address.value & QUIRE_PAGE_MASK);
}

static uint64_t first_byte(const struct sim *sim) {
    return sim_aside(sim, SIM_TABLES_PAGES).value;
}

static uint32_t rounded(uint32_t nbytes) {
    return (nbytes + QUIRE_SEGMENT_ALIGN - 1) & ~(QUIRE_SEGMENT_ALIGN - 1);
}

static struct sim_slot *slot_of(struct sim *sim, int number) {
    return &sim->segments.slots[(unsigned)number % SIM_SLOTS];
}

static void moved(void *context, void *owner, bool present, quire_paddr base) {
    struct sim_slot *slot = owner;
    (void)context;
    slot->present = present;
    slot->base = base;
    slot->stale = true;
}

/* ---- holes, found by looking ----------------------------------------------------------------- */

struct holes {
    uint32_t chosen, free;
};

/* The segments in RAM, in the order of their places. */
static unsigned sorted_slots(const struct sim *sim, const struct sim_slot **out) {
    unsigned n = 0;
    for (unsigned i = 0; i < SIM_SLOTS; i++) {
        const struct sim_slot *slot = &sim->segments.slots[i];
        unsigned at = n;
        if (!slot->segment || !slot->present)
            continue;
        for (; at > 0 && out[at - 1]->base.value > slot->base.value; at--)
            out[at] = out[at - 1];
        out[at] = slot;
        n++;
    }
    return n;
}

/* Would this fit rather have a hole of that size than of the best one so far? */
static bool is_better(enum quire_fit fit, uint32_t size, uint32_t best) {
    return fit == QUIRE_FIT_BEST ? size < best : fit == QUIRE_FIT_WORST && size > best;
}

/* What is free, and where this fit puts nbytes; fails if two segments share a byte. */
static struct holes look_for_holes(struct sim *sim, uint32_t nbytes) {
    const struct sim_segments *s = &sim->segments;
    uint64_t start = first_byte(sim), at = start;
    uint64_t end = start + sim->plan.field[SIM_SEGMENTS] * QUIRE_PAGE_SIZE;
    const struct sim_slot *sorted[SIM_SLOTS];
    struct holes holes = {.chosen = NOWHERE};
    unsigned n = sorted_slots(sim, sorted);
    uint32_t best = 0, need = rounded(nbytes);
    for (unsigned i = 0; i <= n; i++) {
        uint64_t stop = i < n ? sorted[i]->base.value : end;
        if (stop < at || stop > end)
            sim_fail(sim, "segments: two share a byte, or one is behind the end");
        uint32_t size = (uint32_t)(stop - at);
        if (size >= need && size > 0 &&
            (holes.chosen == NOWHERE || is_better(s->fit, size, best))) {
            holes.chosen = (uint32_t)(at - start);
            best = size;
        }
        holes.free += size;
        at = i < n ? stop + rounded(sorted[i]->nbytes) : end;
    }
    return holes;
}

/* The figures and the owners say the same; what used to be free is what is free. */
static void verify_places(struct sim *sim) {
    struct sim_segments *s = &sim->segments;
    struct quire_segments_figures f;
    quire_segments_figures(s->memory, &f);
    uint32_t npresent = 0, nsegments = 0, requested = 0;
    for (unsigned i = 0; i < SIM_SLOTS; i++) {
        const struct sim_slot *slot = &s->slots[i];
        struct quire_segment_info info;
        if (!slot->segment)
            continue;
        quire_segment_info(slot->segment, &info);
        nsegments++;
        npresent += slot->present;
        requested += slot->present ? slot->nbytes : 0;
        if (info.present != slot->present || info.nbytes != slot->nbytes ||
            (slot->present && first_byte(sim) + info.offset != slot->base.value))
            sim_fail(sim, "segments: the owner of %u was not told where it is", i);
    }
    uint32_t free = look_for_holes(sim, 1).free;
    if (free != f.free || f.npresent != npresent || f.nsegments != nsegments ||
        f.requested != requested)
        sim_fail(sim, "segments: %u bytes free, the slots leave %u", f.free, free);
}

/* ---- what may be refused --------------------------------------------------------------------- */

/* For want of a hole: nothing in the way could be moved or swapped. `besides`: a segment that has
 * to stay meanwhile. */
static void judge_refusal(struct sim *sim, uint32_t nbytes, const struct sim_slot *besides) {
    const struct sim_segments *s = &sim->segments;
    struct holes holes = look_for_holes(sim, nbytes);
    uint32_t total = (uint32_t)(sim->plan.field[SIM_SEGMENTS] * QUIRE_PAGE_SIZE);
    uint32_t stays = besides && besides->present ? rounded(besides->nbytes) : 0;
    if (holes.chosen != NOWHERE)
        sim_fail(sim, "segments: %u bytes refused, there is a hole", nbytes);
    if (s->compact && holes.free >= rounded(nbytes))
        sim_fail(sim, "segments: %u bytes refused, %u could be moved together", nbytes, holes.free);
    if (s->swap && !sim->lossy && sim->plan.field[SIM_SEGMENT_SWAP] >= AMPLE_PAGES && !stays &&
        rounded(nbytes) <= total)
        sim_fail(sim, "segments: %u bytes refused, others could be swapped", nbytes);
}

/* False: refused, and rightly; the model has nothing to do. */
static bool had(struct sim *sim, enum quire_status got, uint32_t nbytes, uint64_t refused_before,
                const struct sim_slot *besides) {
    struct quire_segments_figures f;
    sim->hash = (sim->hash ^ got) * 0x9E3779B97F4A7C15u;
    quire_segments_figures(sim->segments.memory, &f);
    if (got == QUIRE_OK)
        return true;
    if (got == QUIRE_NOMEM && f.refused > refused_before)
        judge_refusal(sim, nbytes, besides);
    else if (got != QUIRE_NOMEM && !(sim->lossy && (got == QUIRE_IO || got == QUIRE_BUS)))
        sim_fail(sim, "segments: %s", quire_status_name(got));
    sim->refused_nomem += got == QUIRE_NOMEM;
    return false;
}

static uint64_t refused(const struct sim *sim) {
    struct quire_segments_figures f;
    quire_segments_figures(sim->segments.memory, &f);
    return f.refused;
}

/* ---- the memory itself ----------------------------------------------------------------------- */

static void forget(struct sim_slot *slot) {
    slot->segment = NULL;
    slot->present = false;
    slot->stale = true;
}

static void add_figures(struct quire_segments_figures *sum,
                        const struct quire_segments_figures *more) {
    sum->compactions += more->compactions;
    sum->moved += more->moved;
    sum->swapped_out += more->swapped_out;
    sum->swapped_in += more->swapped_in;
    sum->refused += more->refused;
}

static void end_memory(struct sim *sim) {
    struct sim_segments *s = &sim->segments;
    struct quire_segments_figures f;
    quire_segments_audit(s->memory);
    quire_segments_figures(s->memory, &f);
    add_figures(&s->before, &f);
    for (unsigned i = 0; i < SIM_SLOTS; i++) /* every other one by itself */
        if (s->slots[i].segment && i % 2)
            quire_segment_destroy(s->slots[i].segment);
    quire_segments_destroy(s->memory);
    s->memory = NULL;
    for (unsigned i = 0; i < SIM_SLOTS; i++)
        forget(&s->slots[i]);
    sim_unit_stale(sim);
}

/* fit compact swap: ended if it is there, else made; a new one must be all hole */
void sim_draw_segments(struct sim *sim, int *a) {
    a[0] = (int)sim_pick(sim, QUIRE_FIT_NEXT + 1);
    a[1] = sim_chance(sim, 60);
    a[2] = sim_chance(sim, 70);
}

static void make_memory(struct sim *sim, const int *a) {
    struct sim_segments *s = &sim->segments;
    struct quire_segments_config config = {
        .start = sim_aside(sim, SIM_TABLES_PAGES),
        .length_bytes = (uint32_t)(sim->plan.field[SIM_SEGMENTS] * QUIRE_PAGE_SIZE),
        .fit = (enum quire_fit)((unsigned)a[0] % (QUIRE_FIT_NEXT + 1)),
        .compact = a[1] != 0,
        .swap = a[2] != 0,
        .swap_device = SIM_SEGMENT_DEVICE,
        .moved = moved,
        .context = sim,
    };
    s->fit = config.fit;
    s->compact = config.compact;
    s->swap = config.swap;
    bool none = config.swap && sim->plan.field[SIM_SEGMENT_SWAP] == 0;
    if (!sim_did(sim, "segments_create", quire_segments_create(sim->q, &config, &s->memory),
                 none ? QUIRE_INVAL : QUIRE_OK))
        s->memory = NULL;
}

void sim_act_segments(struct sim *sim, const int *a) {
    if (!sim->plan.field[SIM_SEGMENTS])
        return;
    if (sim->segments.memory)
        end_memory(sim);
    else
        make_memory(sim, a);
}

/* ---- segments -------------------------------------------------------------------------------- */

static int draw_size(struct sim *sim) {
    return 1 + (int)sim_pick(sim, sim_chance(sim, 75) ? 2500 : SIM_SEGMENT_BYTES);
}

/* A slot that is in use, if there is one; free: one that is not. */
static int draw_slot(struct sim *sim, bool in_use) {
    unsigned first = sim_pick(sim, SIM_SLOTS);
    for (unsigned i = 0; i < SIM_SLOTS; i++) {
        if ((sim->segments.slots[(first + i) % SIM_SLOTS].segment != NULL) == in_use)
            return (int)((first + i) % SIM_SLOTS);
    }
    return (int)first;
}

/* No memory: the first segment makes it, of the kind that its size says. */
static bool ready(struct sim *sim, int nbytes) {
    const int kind[3] = {nbytes & 3, (nbytes >> 2) % 3 != 0, (nbytes >> 4) % 8 != 0};
    if (sim->plan.field[SIM_SEGMENTS] && !sim->segments.memory)
        make_memory(sim, kind);
    return sim->segments.memory != NULL;
}

/* slot bytes */
void sim_draw_segment_new(struct sim *sim, int *a) {
    a[0] = draw_slot(sim, false);
    a[1] = draw_size(sim);
}

void sim_act_segment_new(struct sim *sim, const int *a) {
    struct sim_slot *slot = slot_of(sim, a[0]);
    struct sim_segments *s = &sim->segments;
    struct quire_segments_figures before, after;
    uint32_t nbytes = (uint32_t)a[1] % (SIM_SEGMENT_BYTES + 1);
    if (!ready(sim, a[1]) || slot->segment || nbytes == 0)
        return;
    struct holes holes = look_for_holes(sim, nbytes);
    quire_segments_figures(s->memory, &before);
    enum quire_status status = quire_segment_create(s->memory, nbytes, slot, &slot->segment);
    if (status != QUIRE_OK)
        slot->segment = NULL;
    if (!had(sim, status, nbytes, before.refused, NULL)) {
        sim_unit_stale(sim);
        return;
    }
    slot->nbytes = nbytes;
    memset(slot->bytes, 0, nbytes);
    s->made++;
    quire_segments_figures(s->memory, &after);
    bool as_it_was =
        after.compactions == before.compactions && after.swapped_out == before.swapped_out;
    if (as_it_was != (holes.chosen != NOWHERE))
        sim_fail(sim, "segments: room was made %s need", as_it_was ? "without" : "beyond");
    if (as_it_was && s->fit != QUIRE_FIT_NEXT && slot->base.value != first_byte(sim) + holes.chosen)
        sim_fail(sim, "segments: %u bytes at %llu, not at %u", nbytes,
                 (unsigned long long)(slot->base.value - first_byte(sim)), holes.chosen);
    verify_places(sim);
    sim_unit_stale(sim);
}

static void compare_segment(struct sim *sim, const struct sim_slot *slot) {
    const uint8_t *bytes = sim_aside_at(sim, slot->base);
    if (memcmp(bytes, slot->bytes, slot->nbytes) == 0)
        return;
    uint32_t i = 0;
    while (bytes[i] == slot->bytes[i])
        i++;
    sim_fail(sim, "segments: byte %u of %u is 0x%02x, not 0x%02x", i, slot->nbytes, bytes[i],
             slot->bytes[i]);
}

/* slot from bytes value: all of it is looked at, and some of it changed */
void sim_draw_segment_use(struct sim *sim, int *a) {
    a[0] = draw_slot(sim, true);
    uint32_t nbytes = slot_of(sim, a[0])->nbytes;
    a[1] = nbytes ? (int)sim_pick(sim, nbytes) : 0;
    a[2] = 1 + (int)sim_pick(sim, 300);
    a[3] = sim_draw_value(sim);
}

void sim_act_segment_use(struct sim *sim, const int *a) {
    struct sim_slot *slot = slot_of(sim, a[0]);
    quire_paddr base;
    if (!sim->segments.memory || !slot->segment)
        return;
    bool was_present = slot->present;
    uint64_t before = refused(sim);
    enum quire_status status = quire_segment_use(slot->segment, &base);
    if (status != QUIRE_OK && was_present)
        sim_fail(sim, "segments: one in RAM can't be used: %s", quire_status_name(status));
    if (had(sim, status, slot->nbytes, before, NULL)) {
        if (!slot->present || base.value != slot->base.value)
            sim_fail(sim, "segments: one is used where its owner does not know it");
        compare_segment(sim, slot);
        uint32_t from = (uint32_t)a[1] % slot->nbytes, left = slot->nbytes - from;
        uint32_t n = (uint32_t)a[2] < left ? (uint32_t)a[2] : left;
        memset(slot->bytes + from, a[3], n);
        memset(sim_aside_at(sim, base) + from, a[3], n);
        sim->segments.used++;
    } else if (status == QUIRE_BUS) { /* lost, and said so: its program ends */
        sim->lost_bus++;
        quire_segment_destroy(slot->segment);
        forget(slot);
    }
    verify_places(sim);
    sim_unit_stale(sim);
}

/* slot bytes */
void sim_draw_segment_size(struct sim *sim, int *a) {
    a[0] = draw_slot(sim, true);
    a[1] = draw_size(sim);
}

void sim_act_segment_size(struct sim *sim, const int *a) {
    struct sim_slot *slot = slot_of(sim, a[0]);
    uint32_t nbytes = (uint32_t)a[1] % (SIM_SEGMENT_BYTES + 1), old = slot->nbytes;
    if (!sim->segments.memory || !slot->segment || nbytes == 0)
        return;
    bool was_present = slot->present;
    uint64_t before = refused(sim);
    enum quire_status status = quire_segment_resize(slot->segment, nbytes);
    if (status != QUIRE_OK && was_present && nbytes <= old)
        sim_fail(sim, "segments: one can't shrink: %s", quire_status_name(status));
    /* Refused: it was to come in, or, being in, to lie twice for a moment. */
    if (had(sim, status, slot->present ? nbytes : old, before, slot)) {
        if (nbytes > old)
            memset(slot->bytes + old, 0, nbytes - old);
        slot->nbytes = nbytes;
        compare_segment(sim, slot);
    } else if (status == QUIRE_BUS) {
        sim->lost_bus++;
        quire_segment_destroy(slot->segment);
        forget(slot);
    }
    slot->stale = true;
    verify_places(sim);
    sim_unit_stale(sim);
}

/* slot; without one all are moved together */
void sim_draw_segment_out(struct sim *sim, int *a) {
    a[0] = sim_chance(sim, 80) ? draw_slot(sim, true) : -1;
}

void sim_act_segment_out(struct sim *sim, const int *a) {
    struct sim_segments *s = &sim->segments;
    if (!s->memory)
        return;
    if (a[0] < 0) {
        quire_segments_compact(s->memory);
        struct quire_segments_figures f;
        quire_segments_figures(s->memory, &f);
        if (f.nholes > 1 || f.external_permille != 0)
            sim_fail(sim, "segments: %u holes after all were moved together", f.nholes);
    } else if (slot_of(sim, a[0])->segment) {
        struct sim_slot *slot = slot_of(sim, a[0]);
        enum quire_status status = quire_segment_swap_out(slot->segment);
        bool room = sim->plan.field[SIM_SEGMENT_SWAP] >= AMPLE_PAGES;
        bool right = !s->swap                ? status == QUIRE_INVAL
                     : status == QUIRE_NOMEM ? !room
                     : status == QUIRE_IO    ? sim->lossy
                                             : status == QUIRE_OK;
        if (!right || (status == QUIRE_OK) == slot->present)
            sim_fail(sim, "segments: swap_out: %s", quire_status_name(status));
    }
    verify_places(sim);
    sim_unit_stale(sim);
}

/* slot */
void sim_draw_segment_end(struct sim *sim, int *a) {
    a[0] = draw_slot(sim, true);
}

void sim_act_segment_end(struct sim *sim, const int *a) {
    struct sim_slot *slot = slot_of(sim, a[0]);
    if (!sim->segments.memory || !slot->segment)
        return;
    quire_segment_destroy(slot->segment);
    forget(slot);
    verify_places(sim);
    sim_unit_stale(sim);
}

/* ---- begin, end ------------------------------------------------------------------------------ */

void sim_segments_begin(struct sim *sim) {
    sim_unit_begin(sim);
    sim_units_begin(sim);
}

void sim_segments_end(struct sim *sim) {
    struct sim_segments *s = &sim->segments;
    for (unsigned i = 0; s->memory && i < SIM_SLOTS; i++) {
        if (s->slots[i].segment && s->slots[i].present)
            compare_segment(sim, &s->slots[i]);
    }
    if (s->memory)
        end_memory(sim);
    sim_unit_end(sim);
    sim_units_end(sim);
}
