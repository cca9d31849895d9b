/* commit.c: what may be promised: overcommit and the limits of a space.
 *
 * Memory is promised when it is mapped and given when it is touched. Who promises more than there
 * is must take it back by killing somebody; how far that may go is the operator's choice:
 *
 *     mode        refuses                                            Linux's vm.overcommit_memory
 *     HEURISTIC   one request larger than RAM and swap together      0
 *     ALWAYS      nothing                                            1
 *     NEVER       what would make the sum larger than the limit:     2
 *                 swap + ratio % of RAM (or so many KiB), less a reserve
 *
 * The reserve of mode NEVER is 1/32 of the asking space, at most 128 MiB, so that one program that
 * takes all leaves something for the operator's shell (Linux: user_reserve_kbytes). Linux's second
 * reserve, for processes without privilege, has no counterpart: there are no users here.
 *
 * Every change that lets a space grow makes a claim first: pages that come, less those that go in
 * the same call. A claim changes nothing; the counting is quire_space_account's.
 *
 * Invariant:
 *   I1  in mode NEVER, vm->committed grew only by claims that were within the limit at that moment
 *       (a limit that sinks later takes nothing back)
 *
 * Cannot fail but by refusing. Called by map.c, change.c, remap.c, fork.c, fault.c, object.c.
 */
#include "vm/commit.h"

#include "swap/swap.h"
#include "vm/space.h"

/* DEFAULT_OVERCOMMIT_RATIO of Linux's mm/util.c. */
#define RATIO_DEFAULT 50
#define RATIO_MAX     10000 /* a hundred times the RAM is enough for anybody */
/* user_reserve_kbytes: at most 128 MiB, and 3 % of the space, both as Linux. */
#define RESERVE_MAX_PAGES ((uint64_t)1 << (27 - QUIRE_PAGE_SHIFT))
#define RESERVE_SHIFT     5

/* ---- the operator's side ------------------------------------------------------------------- */

/* pages * ratio / 100 by subtraction, as 32-bit targets have no 64-bit division. A ratio is a small
 * number and pages are below 2^40, so nothing overflows; the loop has 53 turns. */
static uint64_t percent(uint64_t pages, uint64_t ratio) {
    uint64_t product = pages * ratio, quotient = 0;
    for (unsigned bit = 53; bit-- > 0;) {
        if (product >> bit >= 100) {
            product -= (uint64_t)100 << bit;
            quotient |= (uint64_t)1 << bit;
        }
    }
    return quotient;
}

enum quire_status quire_set_overcommit(struct quire *q, const struct quire_overcommit *overcommit) {
    if ((unsigned)overcommit->mode > QUIRE_OVERCOMMIT_NEVER ||
        overcommit->ratio_percent > RATIO_MAX) {
        return QUIRE_INVAL;
    }
    q->vm->overcommit = *overcommit;
    if (!overcommit->ratio_percent && !overcommit->limit_kbytes) {
        q->vm->overcommit.ratio_percent = RATIO_DEFAULT;
    }
    return QUIRE_OK;
}

void quire_overcommit(const struct quire *q, struct quire_overcommit *overcommit) {
    *overcommit = q->vm->overcommit;
}

uint64_t quire_vm_commit_limit(const struct quire *q) {
    const struct quire_overcommit *rule = &q->vm->overcommit;
    uint64_t pages = rule->limit_kbytes ? rule->limit_kbytes >> (QUIRE_PAGE_SHIFT - 10)
                                        : percent(quire_page_total(q), rule->ratio_percent);
    return pages + quire_swap_total(q);
}

enum quire_status quire_set_max_regions(struct quire *q, uint64_t max_regions) {
    if (!max_regions) {
        return QUIRE_INVAL;
    }
    q->vm->max_regions = max_regions;
    return QUIRE_OK;
}

uint64_t quire_max_regions(const struct quire *q) {
    return q->vm->max_regions;
}

enum quire_status quire_space_set_limit(struct quire_space *space, enum quire_space_limit which,
                                        uint64_t bytes) {
    if ((unsigned)which > QUIRE_LIMIT_STACK) {
        return QUIRE_INVAL;
    }
    if (which == QUIRE_LIMIT_STACK) {
        space->config.stack_limit_bytes = bytes;
    } else {
        space->limit_pages[which] = quire_pages(bytes);
    }
    return QUIRE_OK;
}

/* ---- claims -------------------------------------------------------------------------------- */

void quire_claim_less_range(struct quire_claim *claim, const struct quire_space *space,
                            uint64_t start, uint64_t end) {
    const struct quire_region *region = quire_region_above(space, start);
    for (; region && region->start < end; region = quire_region_next(region)) {
        uint64_t first = region->start > start ? region->start : start;
        uint64_t last = region->end < end ? region->end : end;
        quire_claim_add(claim, region->prot, region->flags, quire_pages(last - first), -1);
    }
}

/* Would more (as a signed number) take used over limit? What does not grow is never refused. */
static bool exceeds(uint64_t used, uint64_t more, uint64_t limit) {
    return (int64_t)more > 0 && (used > limit || more > limit - used);
}

enum quire_status quire_commit_check(struct quire *q, uint64_t npages, uint64_t virtual_pages) {
    const struct quire_vm *vm = q->vm;
    if (vm->overcommit.mode == QUIRE_OVERCOMMIT_ALWAYS || (int64_t)npages <= 0) {
        return QUIRE_OK;
    }
    if (vm->overcommit.mode == QUIRE_OVERCOMMIT_HEURISTIC) {
        uint64_t ram = quire_page_total(q); /* mostly it is enough, and swap is not asked */
        return npages > ram && npages - ram > quire_swap_total(q) ? QUIRE_NOROOM : QUIRE_OK;
    }
    uint64_t limit = quire_vm_commit_limit(q), reserve = virtual_pages >> RESERVE_SHIFT;
    reserve = reserve < RESERVE_MAX_PAGES ? reserve : RESERVE_MAX_PAGES;
    limit = limit > reserve ? limit - reserve : 0;
    return exceeds(vm->committed, npages, limit) ? QUIRE_NOROOM : QUIRE_OK;
}

enum quire_status quire_claim_check(const struct quire_space *space,
                                    const struct quire_claim *claim) {
    if (exceeds(space->virtual_pages, claim->pages, space->limit_pages[QUIRE_LIMIT_ADDRESS]) ||
        exceeds(space->data, claim->data, space->limit_pages[QUIRE_LIMIT_DATA])) {
        return QUIRE_NOROOM;
    }
    return quire_commit_check(space->q, claim->committed, space->virtual_pages);
}
