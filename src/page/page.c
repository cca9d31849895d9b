/* page.c: the frame table's doors: a frame out, a frame back; page to frame to window; counts.
 *
 * The fast paths are here: a block from the working processor's stack in the zone that serves, and
 * back onto one. Everything else waits for the moments when a stack is empty or full (pcp.c):
 *
 *     quire_page_alloc ─┐
 *                       ├▶ stack has more than its floor? ── yes ─▶ pop, set the tag
 *     quire_frames_take ┘        └── no ─▶ zone.c: which zone ─▶ pcp.c: refill ─▶ buddy.c
 *
 * There are two pairs of doors. Rooms of the manager have pages: quire_page_alloc fills the frame's
 * struct and quire_page_free finds it free of mappings and pins and clears it again. Others have
 * frames: quire_frames_take and _free touch the tag, the stack and one count, and no struct. What
 * came by one pair goes back by the same: the tag alone can't tell them apart, the struct can.
 *
 * Windows are worked out from the bases that boot stored, not asked from the machine: the port
 * promises that they are linear in a range.
 *
 * Invariants: those of phys.c, and
 *   I1  a frame that is out has the tag HEAD, its use and its order; a block's other frames are no
 *       heads
 *   I2  the struct of a page says the same as its tag; that of any other frame is zero, but for the
 *       link (and the index, in which kmem/dma.c keeps a length while it has the frame)
 *
 * What may fail: quire_page_alloc, quire_frames_take. Called by all
 * rooms above. Audit: audit.c.
 */
#include <quire/kmem.h>

#include "base/check.h"
#include "page/zone.h"

/* Freed frames are filled with this in audit builds: no valid pointer, and no small number. */
#define POISON 0xDB

/* ---- out ------------------------------------------------------------------------------------- */

/* A page's state: pins, mappings, flags, use and order, the last eight bytes of the struct, written
 * as one word. A constant and a multiplication by one, whatever the byte order. */
static inline void set_state(struct quire_page *page, unsigned order, enum quire_page_use use) {
    const struct quire_page plain = {.use = (uint8_t)(use & 15)}, one = {.order = 1};
    uint64_t state, unit;
    _Static_assert(offsetof(struct quire_page, flags) - offsetof(struct quire_page, nmaps) == 6,
                   "nmaps, pins, flags, use and order are eight bytes");
    __builtin_memcpy(&state, &plain.nmaps, sizeof state);
    __builtin_memcpy(&unit, &one.nmaps, sizeof unit);
    state += order * unit;
    __builtin_memcpy(&page->nmaps, &state, sizeof state);
}

/* Block becomes one that is out. I1 */
static inline void hand_out(struct quire_phys *phys, uint32_t frame, unsigned order,
                            enum quire_page_use use) {
    phys->out[use] += (uint64_t)1 << order;
    *quire_zone_tag(phys, frame) = QUIRE_TAG_OF(use, order);
}

/* And a page: I2. */
static inline struct quire_page *hand_out_page(struct quire_phys *phys, uint32_t frame,
                                               unsigned order, enum quire_page_use use) {
    struct quire_page *page = quire_zone_page(phys, frame);
    hand_out(phys, frame, order, use);
    set_state(page, order, use);
    return page;
}

/* The stack's top. False: what is there is reserve. */
static inline bool pop(struct quire_phys *phys, unsigned order, unsigned type,
                       enum quire_alloc_mode mode, uint32_t *frame) {
    struct quire_hot *hot = &phys->fast[(size_t)order * QUIRE_NCLASSES + type];
    uint32_t count = hot->count;
    if (__builtin_expect(count <= phys->floor[mode], 0)) {
        return false;
    }
    hot->count--;
    *frame = hot->frames[(size_t)count - 1];
    return true;
}

/* Out of line, as are the other slow ones: so that the fast paths save no registers. */
static __attribute__((noinline)) uint32_t
take_slow(struct quire *q, unsigned order, enum quire_page_use use, enum quire_alloc_mode mode) {
    uint32_t frame = quire_zone_take(q->phys, order, use, mode);
    if (order > 0 && frame != QUIRE_NO_FRAME) { /* single frames show in what is done with them */
        quire_trace(&q->trace, QUIRE_EVENT_ALLOC, frame, order);
    }
    return frame;
}

struct quire_page *quire_zone_alloc(struct quire *q, unsigned order, enum quire_page_use use,
                                    enum quire_alloc_mode mode) {
    struct quire_phys *phys = q->phys;
    uint32_t frame;
    CHECK(q, order < QUIRE_NORDERS && use > QUIRE_USE_FREE);
    if (mode > QUIRE_ALLOC_RECLAIM ||
        !pop(phys, order, quire_zone_type_of(phys, use, 0), mode, &frame)) {
        frame = take_slow(q, order, use, mode);
    }
    return frame == QUIRE_NO_FRAME ? NULL : hand_out_page(phys, frame, order, use);
}

/* While the switch is on, no stack has anything to give (pcp.c), so all come here. */
static __attribute__((noinline)) uint32_t
take_or_fail(struct quire *q, unsigned order, enum quire_page_use use, enum quire_alloc_mode mode) {
    CHECK(q, order < QUIRE_NORDERS && use > QUIRE_USE_FREE);
    if (mode != QUIRE_ALLOC_RECLAIM && quire_page_should_fail(q)) {
        return QUIRE_NO_FRAME;
    }
    return take_slow(q, order, use, mode);
}

static __attribute__((noinline)) struct quire_page *page_alloc_slow(struct quire *q, unsigned order,
                                                                    enum quire_page_use use,
                                                                    enum quire_alloc_mode mode) {
    uint32_t frame = take_or_fail(q, order, use, mode);
    return frame == QUIRE_NO_FRAME ? NULL : hand_out_page(q->phys, frame, order, use);
}

/* Who takes pages will soon take the next, and write to its struct, which may be far away. */
static inline void prefetch_next(const struct quire_phys *phys, unsigned type) {
    const struct quire_hot *hot = &phys->fast[type];
    uint32_t count = hot->count;
    __builtin_prefetch(quire_zone_page(phys, hot->frames[count > 0 ? count - 1 : 0]), 1);
}

struct quire_page *quire_page_alloc(struct quire *q, unsigned order, enum quire_page_use use,
                                    enum quire_alloc_mode mode) {
    struct quire_phys *phys = q->phys;
    uint32_t frame;
    if (__builtin_expect(order == 0 && use > QUIRE_USE_FREE && mode <= QUIRE_ALLOC_RECLAIM, 1)) {
        unsigned type = quire_zone_type_of(phys, use, 0);
        if (pop(phys, 0, type, mode, &frame)) {
            prefetch_next(phys, type);
            return hand_out_page(phys, frame, 0, use);
        }
    }
    return page_alloc_slow(q, order, use, mode);
}

/* ---- back ------------------------------------------------------------------------------------ */

static void poison(struct quire *q, uint32_t frame, uint64_t nframes) {
    void *window = quire_frame_window(q, (quire_frame){frame});
    __builtin_memset(window, POISON, (size_t)(nframes << QUIRE_PAGE_SHIFT));
}

static __attribute__((noinline)) void free_slow(struct quire *q, uint32_t frame, unsigned order) {
    struct quire_phys *phys = q->phys;
    if (order > 0) {
        quire_trace(&q->trace, QUIRE_EVENT_FREE, frame, order);
    }
    quire_pcp_give(phys, quire_zone_of(phys, frame), frame, order);
    quire_pcp_set_floor(phys);
}

/* Onto a stack, which is the one of its class. => checked; order and use are the frame's, but some
 * callers know them without reading its tag */
static inline void push(struct quire *q, struct quire_hot *hot, uint32_t frame, unsigned order,
                        enum quire_page_use use) {
    struct quire_phys *phys = q->phys;
    uint32_t count = hot->count;
    if (QUIRE_AUDITING) {
        poison(q, frame, (uint64_t)1 << order);
    }
    phys->back[use] += (uint64_t)1 << order;
    if (__builtin_expect(count >= hot->max, 0)) {
        free_slow(q, frame, order);
        return;
    }
    *quire_zone_tag(phys, frame) = QUIRE_TAG(QUIRE_USE_FREE, order); /* no head: pcp.c I1 */
    hot->frames[count] = frame;
    hot->count = count + 1;
}

static inline struct quire_hot *stack_for(const struct quire_phys *phys, uint32_t frame,
                                          unsigned order) {
    return &phys->pcp->hot[order][*quire_zone_class(phys, frame)];
}

enum quire_page_use quire_zone_retire(struct quire *q, struct quire_page *page, uint32_t frame) {
    enum quire_page_use use = page->use;
    CHECK(q, use > QUIRE_USE_FREE); /* else freed twice, or never given */
    CHECK(q, *quire_zone_tag(q->phys, frame) == QUIRE_TAG_OF(use, page->order)); /* I2 */
    CHECK(q, !(page->flags & QUIRE_PAGE_LRU));
    /* One by one: as one condition they become a load that is wider than the stores before it, and
     * waits for them (measured: 5 to 10 ns of a pair). */
    CHECK(q, page->nmaps == 0);
    CHECK(q, page->pins == 0);
    AUDIT(q, !page->rmap.space);
    page->owner = NULL;
    page->index = 0;
    page->policy = 0;
    set_state(page, 0, QUIRE_USE_RESERVED); /* all zero */
    return use;
}

void quire_page_free(struct quire *q, struct quire_page *page) {
    uint32_t frame = quire_zone_frame(q->phys, page);
    unsigned order = page->order;
    push(q, stack_for(q->phys, frame, order), frame, order, quire_zone_retire(q, page, frame));
}

/* Does the switch say so? */
static bool chosen_to_fail(struct quire *q) {
    q->fail_asked++;
    if (q->fail_length > 0 && q->fail_asked >= q->fail_first &&
        q->fail_asked - q->fail_first < q->fail_length) {
        return true;
    }
    if (q->fail_one_in >
        0) { /* the upper bits of a product are as random as it: Fibonacci hashing */
        uint64_t hash = (q->fail_seed ^ q->fail_asked) * 0x9E3779B97F4A7C15u;
        hash = (hash ^ (hash >> 32)) * 0xBF58476D1CE4E5B9u;
        return (hash >> 32) * q->fail_one_in >> 32 == 0;
    }
    if (++q->fail_count < q->fail_every) {
        return false;
    }
    q->fail_count = 0;
    return true;
}

bool quire_page_fails_now(struct quire *q) {
    bool fails = chosen_to_fail(q);
    if (fails) { /* and no zone, and no want of a block, is to blame */
        q->phys->failed_order = 0;
        q->phys->failed_zone = q->phys->top;
    }
    return fails;
}

struct quire_page *quire_page_at(struct quire *q, quire_frame frame) {
    struct quire_phys *phys = q->phys;
    CHECK(q, frame.number - phys->first < phys->nframes);
    return &phys->table[frame.number - phys->first];
}

struct quire_page_state quire_page_state(const struct quire *q, quire_frame frame) {
    CHECK(q, frame.number - q->phys->first < q->phys->nframes);
    uint8_t tag = *quire_zone_tag(q->phys, frame.number);
    return (struct quire_page_state){.use = (enum quire_page_use)quire_tag_use(tag),
                                     .order = quire_tag_order(tag),
                                     .head = tag & QUIRE_TAG_HEAD};
}

quire_frame quire_page_frame(struct quire *q, const struct quire_page *page) {
    return (quire_frame){q->phys->first + (uint32_t)(page - q->phys->table)};
}

void *quire_page_window(struct quire *q, const struct quire_page *page) {
    return quire_frame_window(q, quire_page_frame(q, page));
}

void *quire_frame_window(struct quire *q, quire_frame frame) {
    const struct quire_phys *phys = q->phys;
    unsigned i = 0;
    while (frame.number >= phys->ranges[i].end) {
        i++;
        CHECK(q, i < phys->nranges);
    }
    CHECK(q, frame.number >= phys->ranges[i].first); /* else a hole */
    return phys->ranges[i].window +
           ((size_t)(frame.number - phys->ranges[i].first) << QUIRE_PAGE_SHIFT);
}

struct quire_page *quire_page_under(struct quire *q, const void *pointer) {
    const struct quire_phys *phys = q->phys;
    for (unsigned i = 0; i < phys->nranges; i++) {
        uintptr_t offset = (uintptr_t)pointer - (uintptr_t)phys->ranges[i].window;
        uintptr_t number = offset >> QUIRE_PAGE_SHIFT;
        if (number < phys->ranges[i].end - phys->ranges[i].first) {
            return &phys->table[phys->ranges[i].first - phys->first + number];
        }
    }
    return NULL;
}

void quire_page_set_use(struct quire *q, struct quire_page *page, enum quire_page_use use) {
    CHECK(q, page->use > QUIRE_USE_FREE && use > QUIRE_USE_FREE && page->order == 0);
    CHECK(q, !(page->flags & QUIRE_PAGE_LRU)); /* the list depends on the use */
    *quire_zone_tag(q->phys, quire_zone_frame(q->phys, page)) = QUIRE_TAG_OF(use, 0);
    q->phys->out[page->use]--; /* as if it had come from the new use from the beginning */
    q->phys->out[use]++;
    page->use = (uint8_t)(use & 15);
}

void quire_page_split(struct quire *q, struct quire_page *page) {
    uint32_t nframes = 1u << page->order, frame = quire_zone_frame(q->phys, page);
    uint8_t use = page->use;
    CHECK(q, page->flags == 0 && page->use > QUIRE_USE_FREE && !page->owner);
    for (uint32_t i = 0; i < nframes; i++) {
        *quire_zone_tag(q->phys, frame + i) = QUIRE_TAG_OF(use, 0);
        page[i] = (struct quire_page){.use = use & 15};
        quire_list_init(&page[i].link);
    }
}

/* ---- counts ---------------------------------------------------------------------------------- */

uint64_t quire_page_count(const struct quire *q, enum quire_page_use use) {
    const struct quire_phys *phys = q->phys;
    uint64_t sum = 0;
    if (use > QUIRE_USE_FREE) {
        return phys->out[use] - phys->back[use];
    }
    if (use == QUIRE_USE_RESERVED) {
        return phys->reserved;
    }
    for (unsigned other = QUIRE_USE_FREE + 1; other < QUIRE_NUSES; other++) {
        sum += phys->out[other] - phys->back[other];
    }
    return phys->total - phys->reserved - sum;
}

uint64_t quire_page_count_programs(const struct quire *q) {
    const struct quire_phys *phys = q->phys;
    return phys->out[QUIRE_USE_ANON] + phys->out[QUIRE_USE_SHMEM] + phys->out[QUIRE_USE_TABLE] -
           (phys->back[QUIRE_USE_ANON] + phys->back[QUIRE_USE_SHMEM] + phys->back[QUIRE_USE_TABLE]);
}

void quire_page_traffic(const struct quire *q, uint64_t *allocated, uint64_t *freed) {
    *allocated = *freed = 0;
    for (unsigned use = QUIRE_USE_FREE + 1; use < QUIRE_NUSES; use++) {
        *allocated += q->phys->out[use];
        *freed += q->phys->back[use];
    }
}

uint64_t quire_page_total(const struct quire *q) {
    return q->phys->total;
}

uint64_t quire_page_free_blocks(const struct quire *q, unsigned order) {
    const struct quire_phys *phys = q->phys;
    uint64_t blocks = 0;
    for (unsigned i = 0; i < QUIRE_NZONES; i++) {
        const struct quire_zone *zone = &phys->zones[i];
        for (unsigned type = 0; type < QUIRE_NMIGRATE; type++) {
            blocks += zone->free[order][type].count;
            for (unsigned cpu = 0; cpu < phys->ncpus; cpu++) {
                blocks += phys->pcps[cpu].hot[order][QUIRE_CLASS(i, type)].count;
            }
        }
    }
    return blocks;
}

/* ---- the public calls ------------------------------------------------------------------------ */

static __attribute__((noinline)) struct quire_frames
frames_take_slow(struct quire *q, unsigned order, unsigned mode) {
    if (order >= QUIRE_NORDERS) {
        return (struct quire_frames){QUIRE_FRAME_NONE, QUIRE_INVAL};
    }
    uint32_t frame = take_or_fail(q, order, QUIRE_USE_KERNEL, mode);
    if (frame == QUIRE_NO_FRAME) {
        return (struct quire_frames){QUIRE_FRAME_NONE, QUIRE_NOMEM};
    }
    hand_out(q->phys, frame, order, QUIRE_USE_KERNEL);
    return (struct quire_frames){{frame}, QUIRE_OK};
}

struct quire_frames quire_frames_take(struct quire *q, unsigned order) {
    struct quire_phys *phys = q->phys;
    uint32_t frame;
    if (__builtin_expect(order == 0, 1) &&
        pop(phys, 0, QUIRE_MIGRATE_UNMOVABLE, QUIRE_ALLOC_KERNEL, &frame)) {
        hand_out(phys, frame, 0, QUIRE_USE_KERNEL); /* with nothing to work out from the order */
        return (struct quire_frames){{frame}, QUIRE_OK};
    }
    if (order - 1 < QUIRE_NORDERS - 1 &&
        pop(phys, order, QUIRE_MIGRATE_UNMOVABLE, QUIRE_ALLOC_KERNEL, &frame)) {
        hand_out(phys, frame, order, QUIRE_USE_KERNEL);
        return (struct quire_frames){{frame}, QUIRE_OK};
    }
    return frames_take_slow(q, order, QUIRE_ALLOC_KERNEL);
}

enum quire_status quire_frames_alloc_zone(struct quire *q, unsigned order,
                                          enum quire_zone_kind zone, quire_frame *out) {
    unsigned mode = QUIRE_ALLOC_KERNEL;
    if (order >= QUIRE_NORDERS || zone > QUIRE_ZONE_NORMAL) {
        return QUIRE_INVAL;
    }
    mode |= zone == QUIRE_ZONE_DMA ? QUIRE_ALLOC_DMA : 0;
    mode |= zone == QUIRE_ZONE_DMA32 ? QUIRE_ALLOC_DMA32 : 0;
    struct quire_frames taken = frames_take_slow(q, order, mode);
    *out = taken.first;
    return taken.status;
}

/* May this block be given back by quire_frames_free? */
static inline bool is_out(const struct quire_phys *phys, quire_frame frame, unsigned order) {
    return frame.number - phys->first < phys->nframes &&
           *quire_zone_tag(phys, frame.number) == QUIRE_TAG_OF(QUIRE_USE_KERNEL, order);
}

/* Larger blocks, and what is wrong: the fast path need not prepare for a panic. */
static __attribute__((noinline)) void frames_free_slow(struct quire *q, quire_frame frame,
                                                       unsigned order) {
    CHECK(q,
          order < QUIRE_NORDERS && is_out(q->phys, frame, order)); /* else never given, or twice */
    AUDIT(q, quire_page_at(q, frame)->use == QUIRE_USE_RESERVED);  /* I2 */
    struct quire_hot *hot = stack_for(q->phys, frame.number, order);
    push(q, hot, frame.number, order, QUIRE_USE_KERNEL);
}

/* The stack is the one that the next request looks at, but for frames of other zones or page blocks
 * of another type. A branch, and not the address worked out as in stack_for: then that next request
 * need not wait for it (measured: 10 % of a pair). */
void quire_frames_free(struct quire *q, quire_frame frame, unsigned order) {
    if (__builtin_expect(order > 0 || QUIRE_AUDITING || !is_out(q->phys, frame, 0), 0)) {
        frames_free_slow(q, frame, order);
        return;
    }
    const struct quire_phys *phys = q->phys;
    struct quire_hot *hot = phys->fast;
    if (__builtin_expect(*quire_zone_class(phys, frame.number) != phys->fast_class, 0)) {
        hot = stack_for(phys, frame.number, 0);
    }
    push(q, hot, frame.number, 0, QUIRE_USE_KERNEL);
}

void quire_page_set_failing(struct quire *q, bool failing) {
    q->phys->failing = failing;
    quire_pcp_set_floor(q->phys);
}

void quire_set_cpu(struct quire *q, unsigned cpu) {
    quire_page_set_cpu(q, cpu);
}
