/* pcp.c: each processor's own stacks of free frames, before the buddy sets.
 *
 * Most requests are for one frame and most were freed a moment ago by the same processor. A stack
 * of such frames gives them back while they are in its cache, without a merge that the next request
 * would split again. Blocks of 2, 4 and 8 frames and whole page blocks (huge pages) have shorter
 * stacks of their own, as in Linux since 5.13 and 5.14 (mm/page_alloc.c, pcp lists).
 *
 * A batch that comes from the buddy sets is handed out from low addresses up: machines zero frames
 * in a row a third faster than the same frames in any other order.
 *
 *     alloc ◀── [nothing, or the last freed] hot[order][type] ◀── free
 *                    ▲ empty: a batch             │ full: the oldest batch
 *                    └──────── buddy sets ◀───────┘
 *
 * The fast paths are in page.c. Here is what happens when a stack is empty or full; everything that
 * can be counted then is not counted by the fast paths: the buddy sets' frames, and how many
 * frames on the stacks are part of a reserve (phys->floor).
 *
 * Frames on a stack count as free. A request that fails first sends all of them home to merge, so
 * the stacks never hide a block.
 *
 * Invariants:
 *   I1  the tag of a block on a stack is FREE and its order, not HEAD: it merges with nothing. It
 *       lies in a page block of the stack's type, or did so when it came
 *   I2  floor[mode] blocks left on any stack of the zone that serves, with its buddy sets, are that
 *       mode's reserve at least
 *   I3  a stack holds at most its max
 *
 * What may fail: quire_pcp_take, when the zone has no block. Called by page.c and zone.c. Audit:
 * audit.c.
 */
#include "base/check.h"
#include "page/zone.h"

/* All stacks together may hold about 1/64 of a zone for each processor, so that they hide nothing
 * worth having on tiny machines. */
#define SHARE_SHIFT 6
/* Stacks of larger blocks: half as many blocks for each order; of page blocks at most this many. */
#define PAGEBLOCKS_MAX 4

/* How many blocks of an order a stack in this zone may hold. */
static uint32_t stack_max(const struct quire_phys *phys, const struct quire_zone *zone,
                          unsigned order) {
    uint64_t share = zone->managed >> SHARE_SHIFT;
    uint32_t most = QUIRE_PCP_MAX;
    for (unsigned n = phys->ncpus; n > 1; n >>= 1) {
        share >>= 1;
    }
    share >>= order > 0 ? order + 2 : 0;
    if (order > QUIRE_PCP_ORDER) {
        most = order == QUIRE_PAGEBLOCK_ORDER ? PAGEBLOCKS_MAX : 0;
    } else if (order > 0) {
        most = QUIRE_PCP_MAX / 8;
    }
    if (order == 0 && share == 0) {
        share = 1;
    }
    return share < most ? (uint32_t)share : most;
}

static struct quire_hot *stack_of(const struct quire_phys *phys, struct quire_pcp *pcp,
                                  const struct quire_zone *zone, unsigned order, unsigned type) {
    return &pcp->hot[order][QUIRE_CLASS(zone - phys->zones, type)];
}

static enum quire_status boot_zone(struct quire_phys *phys, struct quire_zone *zone,
                                   struct quire_pcp *pcp, struct quire_memblock *memblock) {
    for (unsigned order = 0; order < QUIRE_NORDERS; order++) {
        uint32_t max = stack_max(phys, zone, order);
        for (unsigned type = 0; max > 0 && type < QUIRE_NMIGRATE; type++) {
            struct quire_hot *hot = stack_of(phys, pcp, zone, order, type);
            hot->frames = quire_memblock_take(memblock, max * sizeof *hot->frames, 64);
            if (!hot->frames) {
                return QUIRE_NOMEM;
            }
            hot->max = max;
            zone->hot_most += (uint64_t)max << order;
        }
    }
    return QUIRE_OK;
}

/* That processor works, and that zone serves. */
static void use_stacks(struct quire_phys *phys, unsigned cpu, unsigned zone) {
    phys->pcp = &phys->pcps[cpu];
    phys->fast_zone = zone;
    phys->fast_class = QUIRE_CLASS(zone, 0);
    phys->fast = &phys->pcp->hot[0][phys->fast_class];
}

/* => zones laid out, managed frames estimated, nothing donated yet */
enum quire_status quire_pcp_boot(struct quire *q, struct quire_memblock *memblock) {
    struct quire_phys *phys = q->phys;
    phys->pcps = quire_memblock_take(memblock, phys->ncpus * sizeof *phys->pcps, 64);
    if (!phys->pcps) {
        return QUIRE_NOMEM;
    }
    for (unsigned i = 0; i < QUIRE_NZONES; i++) {
        struct quire_zone *zone = &phys->zones[i];
        for (unsigned cpu = 0; zone->first < zone->end && cpu < phys->ncpus; cpu++) {
            if (boot_zone(phys, zone, &phys->pcps[cpu], memblock) != QUIRE_OK) {
                return QUIRE_NOMEM;
            }
        }
    }
    phys->fast_above_low = true;
    use_stacks(phys, 0, phys->top);
    return QUIRE_OK;
}

void quire_page_set_cpu(struct quire *q, unsigned cpu) {
    CHECK(q, cpu < q->phys->ncpus);
    use_stacks(q->phys, cpu, q->phys->fast_zone);
}

uint64_t quire_pcp_frames(const struct quire_phys *phys, const struct quire_zone *zone) {
    uint64_t sum = 0;
    for (unsigned cpu = 0; cpu < phys->ncpus; cpu++) {
        struct quire_pcp *pcp = &phys->pcps[cpu];
        for (unsigned order = 0; order <= QUIRE_PAGEBLOCK_ORDER; order++) {
            uint64_t blocks = 0;
            for (unsigned type = 0; type < QUIRE_NMIGRATE; type++) {
                blocks += stack_of(phys, pcp, zone, order, type)->count;
            }
            sum += blocks << order;
        }
    }
    return sum;
}

/* I2. What of a mode's reserve the buddy sets do not hold must stay on the stacks. */
void quire_pcp_set_floor(struct quire_phys *phys) {
    const struct quire_zone *zone = &phys->zones[phys->fast_zone];
    bool lower = zone->first > phys->first; /* zones that come before this one's reserve */
    for (unsigned mode = 0; mode < 3; mode++) {
        unsigned highest = mode == QUIRE_ALLOC_USER ? phys->top : phys->kernel_top;
        uint64_t stays = zone->reserve[mode];
        if (mode != QUIRE_ALLOC_RECLAIM) {
            if (lower && phys->fast_above_low && stays < zone->watermark[QUIRE_WMARK_LOW]) {
                stays = zone->watermark[QUIRE_WMARK_LOW];
            }
            stays += zone->protection[highest];
        }
        uint64_t missing = stays > zone->nfree ? stays - zone->nfree : 0;
        phys->floor[mode] = missing < UINT32_MAX ? (uint32_t)missing : UINT32_MAX;
        if (phys->failing || phys->fast_zone > highest) {
            phys->floor[mode] = UINT32_MAX; /* not at all */
        }
    }
}

void quire_pcp_set_zone(struct quire_phys *phys, unsigned zone, bool above_low) {
    phys->fast_above_low = above_low;
    use_stacks(phys, (unsigned)(phys->pcp - phys->pcps), zone);
}

/* ---- refill and drain ------------------------------------------------------------------------ */

/* A block of that order, or of the largest below it that any other type still has: if it has to be
 * stolen, then much at once, as looking for it is dear. *have becomes its order. => there is one */
static uint32_t steal_most(struct quire_phys *phys, struct quire_zone *zone, unsigned *have,
                           enum quire_migrate_type type) {
    uint32_t frame = quire_mobility_steal(phys, zone, *have, type);
    while (frame == QUIRE_NO_FRAME) {
        frame = quire_mobility_steal(phys, zone, --*have, type);
    }
    return frame;
}

/* So that the first is handed out first. */
static void reverse(uint32_t *frames, uint32_t n) {
    for (uint32_t i = 0; i < n / 2; i++) {
        uint32_t frame = frames[i];
        frames[i] = frames[n - 1 - i];
        frames[n - 1 - i] = frame;
    }
}

/* A batch onto an empty stack, small blocks first, so that large ones last; those of one size from
 * low addresses up. => any type has a block that is large enough */
static void refill(struct quire_phys *phys, struct quire_zone *zone, struct quire_hot *hot,
                   unsigned order, enum quire_migrate_type type) {
    uint32_t batch = order == 0 ? QUIRE_PCP_BATCH : QUIRE_PCP_BATCH / 8, n = 0;
    batch = hot->max < 2 ? 1 : hot->max / 2 < batch ? hot->max / 2 : batch;
    while (n < batch) {
        unsigned have = order + 31 - (unsigned)__builtin_clz(batch - n);
        uint32_t there = zone->nonempty[type] >> order;
        if (there != 0 && order + (unsigned)__builtin_ctz(there) < have) {
            have = order + (unsigned)__builtin_ctz(there);
        }
        uint32_t frame = quire_buddy_take(phys, zone, have, type);
        if (frame == QUIRE_NO_FRAME && n == 0) {
            frame = steal_most(phys, zone, &have, type);
        }
        if (frame == QUIRE_NO_FRAME) {
            break;
        }
        for (uint32_t end = frame + (1u << have); frame < end; frame += 1u << order) {
            *quire_zone_tag(phys, frame) = QUIRE_TAG(QUIRE_USE_FREE, order); /* I1 */
            hot->frames[n++] = frame;
        }
    }
    reverse(hot->frames, n);
    hot->count += n;
    zone->refilled = true;
}

/* Past the stacks. */
static uint32_t take_home(struct quire_phys *phys, struct quire_zone *zone, unsigned order,
                          enum quire_migrate_type type) {
    uint32_t frame = quire_buddy_take(phys, zone, order, type);
    return frame != QUIRE_NO_FRAME ? frame : quire_mobility_steal(phys, zone, order, type);
}

uint32_t quire_pcp_take(struct quire_phys *phys, struct quire_zone *zone, unsigned order,
                        enum quire_migrate_type type) {
    struct quire_hot *hot = stack_of(phys, phys->pcp, zone, order, type);
    uint32_t there = 0;
    for (unsigned any = 0; any < QUIRE_NMIGRATE; any++) {
        there |= zone->nonempty[any];
    }
    if (hot->count == 0 && hot->max > 0 && there >> order != 0) {
        refill(phys, zone, hot, order, type);
    }
    if (hot->count > 0) {
        hot->count--;
        return hot->frames[hot->count];
    }
    if (there >> order == 0 && !quire_pcp_drain(phys, zone)) {
        return QUIRE_NO_FRAME;
    }
    return take_home(phys, zone, order, type);
}

/* The first 2^k of n blocks may follow each other in memory just as they would in one larger block:
 * how large k is. What was taken in a row is often freed in a row. */
static unsigned merged(const uint32_t *frames, uint32_t n, unsigned order) {
    uint32_t step = 1u << order, length = 1;
    unsigned k = 0;
    while (order + k + 1 < QUIRE_NORDERS && (frames[0] & (step << k)) == 0 && n >> k >= 2) {
        while (length < 2u << k && frames[length] == frames[0] + length * step) {
            length++;
        }
        if (length < 2u << k) {
            break;
        }
        k++;
    }
    return k;
}

/* Send the n blocks that lie on the stack longest home. */
static void cool(struct quire_phys *phys, struct quire_zone *zone, struct quire_hot *hot,
                 unsigned order, uint32_t n) {
    for (uint32_t i = 0; i < n;) {
        unsigned k = merged(&hot->frames[i], n - i, order);
        quire_buddy_give(phys, zone, hot->frames[i], order + k);
        i += 1u << k;
    }
    hot->count -= n;
    __builtin_memmove(hot->frames, hot->frames + n, hot->count * sizeof hot->frames[0]);
}

void quire_pcp_give(struct quire_phys *phys, struct quire_zone *zone, uint32_t frame,
                    unsigned order) {
    unsigned class = *quire_zone_class(phys, frame);
    struct quire_hot *hot = &phys->pcp->hot[order][class];
    if (hot->max == 0) {
        quire_buddy_give(phys, zone, frame, order);
        return;
    }
    cool(phys, zone, hot, order, order == 0 ? (hot->max + 3) / 4 : (hot->max + 1) / 2);
    *quire_zone_tag(phys, frame) = QUIRE_TAG(QUIRE_USE_FREE, order); /* I1 */
    hot->frames[hot->count] = frame;
    hot->count++;
}

bool quire_pcp_drain(struct quire_phys *phys, struct quire_zone *zone) {
    bool any = false;
    uint64_t frees = 1; /* not what a zone starts with */
    for (unsigned use = QUIRE_USE_FREE + 1; use < QUIRE_NUSES; use++) {
        frees += phys->back[use];
    }
    if (zone->drained_at == frees && !zone->refilled) {
        return false; /* nothing came since: so that refusals in a row are cheap */
    }
    zone->drained_at = frees;
    zone->refilled = false;
    for (unsigned cpu = 0; cpu < phys->ncpus; cpu++) {
        for (unsigned order = 0; order <= QUIRE_PAGEBLOCK_ORDER; order++) {
            for (unsigned type = 0; type < QUIRE_NMIGRATE; type++) {
                struct quire_hot *hot = stack_of(phys, &phys->pcps[cpu], zone, order, type);
                if (hot->count > 0) {
                    cool(phys, zone, hot, order, hot->count);
                    any = true;
                }
            }
        }
    }
    if (any) {
        quire_pcp_set_floor(phys);
    }
    return any;
}
