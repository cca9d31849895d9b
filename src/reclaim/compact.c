/* compact.c: large free blocks, made by moving what lies between small ones.
 *
 * After a while free frames lie everywhere and nowhere together. Two scanners meet (the idea of
 * Linux's mm/compaction.c, Mel Gorman 2010): one comes from the low end of a zone and looks for
 * stretches that could be emptied, one from the high end and looks for free frames to move to.
 *
 *     low  | M . M . | U . M M | . M . . | M M M M | . . M . | . M . M |  high
 *            ▲ source: all movable                     targets ▲
 *
 *     | . . . . | U . M M | . M . . | M M M M | . M M . | M M . M |     the first block is free
 *
 * A stretch is an aligned block of the size that is wanted. One frame in it that can't move spoils
 * it, so it is looked through before anything is moved; that is what the migrate types of
 * page/mobility.c keep rare. (Linux moves first and finds out later; it cannot hold still long
 * enough to look.)
 *
 * When: an allocation of more than one frame failed although there are enough frames (direct), and,
 * for those who did not want to wait, in the background: a section of work a tick. After a scan of
 * everything without success the next few requests are spared the attempt (Linux:
 * defer_compaction).
 *
 * Invariants:
 *   I1  what is not movable is never touched; a page moves within its zone
 *   I2  the target scanner stays above the source scanner: a pass ends when they meet
 *   I3  frames taken as targets and not needed go back before a pass returns
 *
 * Never allocates from the reserves and never does I/O. O(frames of the zone), one section at a
 * time in the background. Counted in compact_*, pgmigrate_*. Called by core/ and kswapd.c.
 */
#include "base/check.h"
#include "reclaim/scan.h"

/* Largest blocks never cross sections, so a walk from a section's start sees whole blocks. */
#define SECTION_FRAMES (1u << (QUIRE_NORDERS - 1))

/* After a failure the next 2^n attempts are skipped, n up to this (COMPACT_MAX_DEFER_SHIFT). */
#define DEFER_SHIFT_MAX 6

/* One run over one zone. */
struct compaction {
    struct quire *q;
    struct quire_zone_info zone;
    struct reclaim_compact *at; /* where the scanners were */
    unsigned order;
    uint32_t budget;           /* frames that the source scanner may look at */
    struct quire_list targets; /* isolated frames, through page->link */
    uint32_t ntargets;
};

enum outcome { MADE_ONE, GO_ON, SCANNED_ALL };

static uint32_t block_frames(struct quire_page_state state) {
    return state.use == QUIRE_USE_RESERVED ? 1 : 1u << state.order;
}

/* ---- targets --------------------------------------------------------------------------------- */

/* Take the free frames of a section, but for blocks that are as large as what is wanted. */
static void isolate_section(struct compaction *run, uint32_t first, uint32_t end, uint32_t need) {
    struct quire *q = run->q;
    while (first < end && run->ntargets < need) {
        struct quire_page_state state = quire_page_state(q, (quire_frame){first});
        uint32_t nframes = block_frames(state);
        q->counters.compact_free_scanned++;
        if (state.use == QUIRE_USE_FREE && state.head && state.order < run->order) {
            quire_page_isolate(q, (quire_frame){first}, &run->targets);
            run->ntargets += nframes;
        }
        first += nframes;
    }
}

/* At least need frames in hand. False: the scanners met (I2). */
static bool find_targets(struct compaction *run, uint32_t above, uint32_t need) {
    uint32_t lowest = (above + SECTION_FRAMES - 1) & ~(SECTION_FRAMES - 1);
    while (run->ntargets < need) {
        uint32_t first = (run->at->target - 1) & ~(SECTION_FRAMES - 1);
        if (run->at->target <= lowest || first < lowest) {
            return false;
        }
        isolate_section(run, first, run->at->target, need);
        if (run->ntargets < need) {
            run->at->target = first;
        }
    }
    return true;
}

static struct quire_page *pop_target(struct compaction *run, enum quire_page_use use) {
    struct quire_page *page = QUIRE_CONTAINER(run->targets.next, struct quire_page, link);
    quire_list_remove(&page->link);
    run->ntargets--;
    quire_page_set_use(run->q, page, use);
    return page;
}

/* I3 */
static void release_targets(struct compaction *run) {
    while (run->ntargets > 0) {
        quire_page_free_home(run->q, pop_target(run, QUIRE_USE_KERNEL));
    }
}

/* ---- sources --------------------------------------------------------------------------------- */

/* How many pages of the stretch have to move; UINT32_MAX: one of them can't. */
static uint32_t pages_to_move(struct compaction *run, uint32_t first, uint32_t end) {
    struct quire *q = run->q;
    uint32_t count = 0;
    while (first < end) {
        struct quire_page_state state = quire_page_state(q, (quire_frame){first});
        q->counters.compact_migrate_scanned++;
        if (state.use != QUIRE_USE_FREE) {
            if (!quire_vm_migratable(quire_page_at(q, (quire_frame){first}))) {
                return UINT32_MAX; /* I1 */
            }
            count++;
        }
        first += block_frames(state);
    }
    return count;
}

/* Move all pages of the stretch. */
static void evacuate(struct compaction *run, uint32_t first, uint32_t end) {
    struct quire *q = run->q;
    for (; first < end; first++) {
        struct quire_page_state state = quire_page_state(q, (quire_frame){first});
        if (!state.head || state.use == QUIRE_USE_FREE) {
            continue; /* free already, or merged with what was freed here */
        }
        struct quire_page *page = quire_page_at(q, (quire_frame){first});
        quire_vm_migrate(q, page, pop_target(run, page->use));
        q->counters.pgmigrate_success++;
        quire_page_free_home(q, page);
    }
}

/* Is the stretch part of a block, free or in use, that is larger than it? */
static bool inside_block(struct compaction *run, uint32_t first) {
    for (unsigned order = run->order + 1; order < QUIRE_NORDERS; order++) {
        uint32_t head = first & ~((1u << order) - 1);
        if (head < run->zone.first) {
            return false;
        }
        struct quire_page_state state = quire_page_state(run->q, (quire_frame){head});
        if (state.head && state.order >= order) {
            return true;
        }
    }
    return false;
}

static enum outcome one_stretch(struct compaction *run, uint32_t first) {
    uint32_t end = first + (1u << run->order);
    if (inside_block(run, first)) {
        return GO_ON;
    }
    uint32_t count = pages_to_move(run, first, end);
    if (count == 0 || count == UINT32_MAX) {
        return GO_ON;
    }
    if (!find_targets(run, end, count)) {
        return SCANNED_ALL;
    }
    evacuate(run, first, end);
    return MADE_ONE;
}

static enum outcome scan(struct compaction *run) {
    uint32_t step = 1u << run->order;
    struct reclaim_compact *at = run->at;
    if (at->target == 0) { /* a new pass */
        at->source = (run->zone.first + step - 1) & ~(step - 1);
        at->target = run->zone.end;
    }
    at->source = (at->source + step - 1) & ~(step - 1); /* the order may have changed */
    while (at->source < at->target && at->target - at->source >= step) {
        enum outcome outcome = one_stretch(run, at->source);
        at->source += step;
        if (outcome != GO_ON) {
            return outcome;
        }
        if (run->budget <= step) {
            return GO_ON;
        }
        run->budget -= step;
    }
    return SCANNED_ALL; /* I2 */
}

static enum outcome compact_zone(struct quire *q, unsigned index, unsigned highest, unsigned order,
                                 uint32_t budget) {
    struct compaction run = {
        .q = q, .at = &q->reclaim->compact[index], .order = order, .budget = budget};
    if (!quire_page_zone(q, index, &run.zone) || run.zone.kind > highest) {
        return SCANNED_ALL;
    }
    /* Linux's compact_gap: room for the pages on their way, above what must stay free. */
    if (run.zone.free < run.zone.watermark[QUIRE_WMARK_MIN] + ((uint64_t)2 << order)) {
        return SCANNED_ALL;
    }
    quire_list_init(&run.targets);
    enum outcome outcome = scan(&run);
    release_targets(&run);
    if (outcome == SCANNED_ALL) {
        run.at->source = run.at->target = 0;
    }
    return outcome;
}

/* ---- when ------------------------------------------------------------------------------------ */

bool quire_compact_direct(struct quire *q, unsigned order, unsigned highest) {
    struct quire_reclaim *reclaim = q->reclaim;
    if (reclaim->compact_skip > 0) {
        reclaim->compact_skip--;
        return false;
    }
    q->counters.compact_stall++;
    quire_page_drain(q);
    for (unsigned index = QUIRE_NZONES; index-- > 0;) {
        reclaim->compact[index].source = reclaim->compact[index].target = 0;
        if (compact_zone(q, index, highest, order, UINT32_MAX) == MADE_ONE) {
            q->counters.compact_success++;
            reclaim->compact_defer = 0;
            return true;
        }
    }
    q->counters.compact_fail++;
    if (reclaim->compact_defer < DEFER_SHIFT_MAX) {
        reclaim->compact_defer++;
    }
    reclaim->compact_skip = (1u << reclaim->compact_defer) - 1;
    return false;
}

void quire_compact_background(struct quire *q) {
    struct quire_reclaim *reclaim = q->reclaim;
    unsigned order = quire_page_wanted_order(q, false);
    if (order == 0) {
        return;
    }
    quire_page_drain(q);
    enum outcome outcome =
        compact_zone(q, reclaim->compact_zone, QUIRE_NZONES, order, SECTION_FRAMES);
    if (outcome == SCANNED_ALL && ++reclaim->compact_zone < QUIRE_NZONES) {
        return; /* the next zone in the next tick */
    }
    if (outcome != GO_ON) { /* done, or nothing can be done now */
        reclaim->compact_zone = 0;
        quire_page_wanted_order(q, true);
    }
}
