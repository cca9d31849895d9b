/* page.c: the frame table's doors: a frame out, a frame back; page to frame to window; counts.
 *
 * The two fast paths are here: a block from the working processor's stack in the zone that serves,
 * and back onto one. They touch the page's struct, which is one cache line, the stack, and one
 * count; everything else waits for the moments when a stack is empty or full (pcp.c):
 *
 *     quire_page_alloc ─▶ stack has more than its floor? ── yes ─▶ pop, 3 stores
 *                               └── no ─▶ zone.c: which zone ─▶ pcp.c: refill ─▶ buddy.c
 *
 * An allocation stores only what the last user may have left: his owner and index. Mappings and
 * pins were zero when he gave it back (checked), so they are not cleared again.
 *
 * Windows are worked out from the bases that boot stored, not asked from the machine: the port
 * promises that they are linear in a range.
 *
 * Invariants: those of phys.c. What may fail: quire_page_alloc, quire_frames_alloc. Called by all
 * rooms above. Audit: audit.c.
 */
#include <quire/kmem.h>

#include "base/check.h"
#include "page/zone.h"

/* Freed frames are filled with this in audit builds: no valid pointer, and no small number. */
#define POISON 0xDB

/* ---- out ------------------------------------------------------------------------------------- */

/* What `from` says of a block: pins, mappings, flags, use and order, the last eight bytes of the
 * struct. Written and compared as one word by those who know all of it. */
static inline uint64_t state_of(const struct quire_page *from) {
    uint64_t state;
    _Static_assert(offsetof(struct quire_page, flags) - offsetof(struct quire_page, nmaps) == 6,
                   "nmaps, pins, flags, use and order are eight bytes");
    __builtin_memcpy(&state, &from->nmaps, sizeof state);
    return state;
}

/* The state of a block's head; a constant and a multiplication by one, whatever the byte order. */
static inline uint64_t head_state(unsigned order, enum quire_page_use use) {
    const struct quire_page head = {.flags = QUIRE_PAGE_HEAD, .use = (uint8_t)(use & 15)};
    const struct quire_page one = {.order = 1};
    return state_of(&head) + order * state_of(&one);
}

/* Page becomes the head of a block that is out. */
static inline struct quire_page *hand_out(struct quire_phys *phys, struct quire_page *page,
                                          unsigned order, enum quire_page_use use) {
    const size_t from = offsetof(struct quire_page, owner), to = offsetof(struct quire_page, rmap);
    uint64_t state = head_state(order, use);
    phys->out[use] += (uint64_t)1 << order;
    __builtin_memset((char *)page + from, 0, to - from); /* owner and index */
    __builtin_memcpy((char *)page + offsetof(struct quire_page, nmaps), &state, sizeof state);
    return page;
}

/* The stack's top. False: what is there is reserve. */
static inline bool pop(struct quire_phys *phys, unsigned order, unsigned type,
                       enum quire_alloc_mode mode, struct quire_page **page) {
    struct quire_hot *hot = &phys->fast[(size_t)order * QUIRE_NCLASSES + type];
    uint32_t count = quire_hot_count(hot);
    if (__builtin_expect(count <= phys->floor[mode], 0)) {
        return false;
    }
    hot->taken++;
    *page = hot->pages[count - 1];
    return true;
}

/* Out of line, as are the other slow ones: so that the fast paths save no registers. */
static __attribute__((noinline)) struct quire_page *
alloc_slow(struct quire *q, unsigned order, enum quire_page_use use, enum quire_alloc_mode mode) {
    struct quire_phys *phys = q->phys;
    struct quire_page *page = quire_zone_take(phys, order, use, mode);
    if (!page) {
        return NULL;
    }
    if (order > 0) { /* single frames show in what is done with them */
        quire_trace(&q->trace, QUIRE_EVENT_ALLOC, quire_zone_frame(phys, page), order);
    }
    return hand_out(phys, page, order, use);
}

struct quire_page *quire_zone_alloc(struct quire *q, unsigned order, enum quire_page_use use,
                                    enum quire_alloc_mode mode) {
    struct quire_phys *phys = q->phys;
    struct quire_page *page;
    CHECK(q, order < QUIRE_NORDERS && use > QUIRE_USE_FREE);
    if (__builtin_expect(mode <= QUIRE_ALLOC_RECLAIM, 1) &&
        pop(phys, order, quire_zone_type_of(phys, use, 0), mode, &page)) {
        return hand_out(phys, page, order, use);
    }
    return alloc_slow(q, order, use, mode);
}

/* While the switch is on, no stack has anything to give (pcp.c), so all come here. */
static __attribute__((noinline)) struct quire_page *alloc_or_fail(struct quire *q, unsigned order,
                                                                  enum quire_page_use use,
                                                                  enum quire_alloc_mode mode) {
    CHECK(q, order < QUIRE_NORDERS && use > QUIRE_USE_FREE);
    if (mode != QUIRE_ALLOC_RECLAIM && quire_page_should_fail(q)) {
        return NULL;
    }
    return alloc_slow(q, order, use, mode);
}

struct quire_page *quire_page_alloc(struct quire *q, unsigned order, enum quire_page_use use,
                                    enum quire_alloc_mode mode) {
    struct quire_phys *phys = q->phys;
    struct quire_page *page;
    if (__builtin_expect(order == 0 && use > QUIRE_USE_FREE && mode <= QUIRE_ALLOC_RECLAIM, 1) &&
        pop(phys, 0, quire_zone_type_of(phys, use, 0), mode, &page)) {
        return hand_out(phys, page, 0, use);
    }
    return alloc_or_fail(q, order, use, mode);
}

/* ---- back ------------------------------------------------------------------------------------ */

static void poison(struct quire *q, struct quire_page *page, uint64_t nframes) {
    __builtin_memset(quire_page_window(q, page), POISON, (size_t)(nframes << QUIRE_PAGE_SHIFT));
}

static __attribute__((noinline)) void free_slow(struct quire *q, struct quire_page *page,
                                                unsigned order) {
    struct quire_phys *phys = q->phys;
    uint32_t frame = quire_zone_frame(phys, page);
    if (order > 0) {
        quire_trace(&q->trace, QUIRE_EVENT_FREE, frame, order);
    }
    quire_pcp_give(phys, quire_zone_of(phys, frame), page, order);
    quire_pcp_set_floor(phys);
}

/* => checked; frame, order and use are the page's, but some callers know them without reading it */
static inline void push(struct quire *q, struct quire_page *page, uint32_t frame, unsigned order,
                        enum quire_page_use use) {
    struct quire_phys *phys = q->phys;
    size_t class = *quire_zone_class(phys, frame);
    struct quire_hot *hot = &phys->pcp->hot[order][class];
    uint32_t count = quire_hot_count(hot);

    AUDIT(q, !page->rmap.space);
    if (QUIRE_AUDITING) {
        poison(q, page, (uint64_t)1 << order);
    }
    phys->back[use] += (uint64_t)1 << order;
    if (__builtin_expect(count >= hot->max, 0)) {
        free_slow(q, page, order);
        return;
    }
    page->flags = 0;
    page->use = QUIRE_USE_FREE;
    page->order = (uint8_t)(order & 15); /* as it is: so that two bitfields are one store */
    /* Who takes and gives in turn finds it still there. Not to store it again means that the next
     * allocation need not wait for this store. */
    if (hot->pages[count] != page) {
        hot->pages[count] = page;
    }
    hot->given++;
}

void quire_page_free(struct quire *q, struct quire_page *page) {
    CHECK(q, page->use > QUIRE_USE_FREE); /* else freed twice, or never given */
    CHECK(q, (page->flags & (QUIRE_PAGE_HEAD | QUIRE_PAGE_LRU)) == QUIRE_PAGE_HEAD);
    /* One by one: as one condition they become a load that is wider than the stores before it, and
     * waits for them (measured: 5 to 10 ns of a pair). */
    CHECK(q, page->nmaps == 0);
    CHECK(q, page->pins == 0);
    push(q, page, quire_zone_frame(q->phys, page), page->order, page->use);
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
    q->phys->out[page->use]--; /* as if it had come from the new use from the beginning */
    q->phys->out[use]++;
    page->use = (uint8_t)(use & 15);
}

void quire_page_split(struct quire *q, struct quire_page *page) {
    uint32_t nframes = 1u << page->order;
    uint8_t use = page->use;
    CHECK(q, page->flags == QUIRE_PAGE_HEAD && page->use > QUIRE_USE_FREE && !page->owner);
    for (uint32_t i = 0; i < nframes; i++) {
        page[i] = (struct quire_page){.use = use & 15, .flags = QUIRE_PAGE_HEAD};
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
                blocks += quire_hot_count(&phys->pcps[cpu].hot[order][QUIRE_CLASS(i, type)]);
            }
        }
    }
    return blocks;
}

/* ---- the public calls ------------------------------------------------------------------------ */

static __attribute__((noinline)) enum quire_status
frames_alloc_slow(struct quire *q, unsigned order, unsigned mode, quire_frame *out) {
    if (order >= QUIRE_NORDERS) {
        return QUIRE_INVAL;
    }
    struct quire_page *page = alloc_or_fail(q, order, QUIRE_USE_KERNEL, mode);
    if (!page) {
        return QUIRE_NOMEM;
    }
    *out = quire_page_frame(q, page);
    return QUIRE_OK;
}

enum quire_status quire_frames_alloc(struct quire *q, unsigned order, quire_frame *out) {
    struct quire_phys *phys = q->phys;
    struct quire_page *page;
    if (order == 0 && pop(phys, 0, QUIRE_MIGRATE_UNMOVABLE, QUIRE_ALLOC_KERNEL, &page)) {
        hand_out(phys, page, 0, QUIRE_USE_KERNEL); /* with nothing to work out from the order */
        *out = (quire_frame){quire_zone_frame(phys, page)};
        return QUIRE_OK;
    }
    if (order - 1 < QUIRE_NORDERS - 1 &&
        pop(phys, order, QUIRE_MIGRATE_UNMOVABLE, QUIRE_ALLOC_KERNEL, &page)) {
        hand_out(phys, page, order, QUIRE_USE_KERNEL);
        *out = (quire_frame){quire_zone_frame(phys, page)};
        return QUIRE_OK;
    }
    return frames_alloc_slow(q, order, QUIRE_ALLOC_KERNEL, out);
}

enum quire_status quire_frames_alloc_zone(struct quire *q, unsigned order,
                                          enum quire_zone_kind zone, quire_frame *out) {
    unsigned mode = QUIRE_ALLOC_KERNEL;
    if (order >= QUIRE_NORDERS || zone > QUIRE_ZONE_NORMAL) {
        return QUIRE_INVAL;
    }
    mode |= zone == QUIRE_ZONE_DMA ? QUIRE_ALLOC_DMA : 0;
    mode |= zone == QUIRE_ZONE_DMA32 ? QUIRE_ALLOC_DMA32 : 0;
    return frames_alloc_slow(q, order, mode, out);
}

static __attribute__((noinline)) void frames_free_large(struct quire *q, quire_frame frame,
                                                        unsigned order) {
    struct quire_page *page = quire_page_at(q, frame);
    CHECK(q, order < QUIRE_NORDERS && state_of(page) == head_state(order, QUIRE_USE_KERNEL));
    push(q, page, frame.number, order, QUIRE_USE_KERNEL);
}

void quire_frames_free(struct quire *q, quire_frame frame, unsigned order) {
    if (order > 0) {
        frames_free_large(q, frame, order);
        return;
    }
    struct quire_page *page = quire_page_at(q, frame);
    CHECK(q, state_of(page) == head_state(0, QUIRE_USE_KERNEL));
    push(q, page, frame.number, 0, QUIRE_USE_KERNEL);
}

void quire_page_set_failing(struct quire *q, bool failing) {
    q->phys->failing = failing;
    quire_pcp_set_floor(q->phys);
}

void quire_set_cpu(struct quire *q, unsigned cpu) {
    quire_page_set_cpu(q, cpu);
}
