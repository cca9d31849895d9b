/* collapse.c: what Linux calls khugepaged: 2 MiB of scattered pages become a block, afterwards.
 *
 * A heap that grows by 132 KiB never offers a whole empty block to its first write, and a block
 * that was split stays so. The tick lends a little time to look at what is there:
 *
 *     tick ---> some ranges further through all regions of all spaces, round and round
 *                  range: no page on swap, shared, pinned, locked; enough; one used lately?
 *                     in a row already ---> one entry again
 *                     else: a block, copies, zeros between ---> one entry
 *
 * "Used lately" keeps it from gathering what nobody needs. Pages on swap are not fetched for it
 * (Linux fetches up to 64): the machine is small here, and what was pushed out was not missed.
 *
 * Invariants:
 *   I1  a tick looks at no more than STEPS_A_TICK / RANGE_STEPS ranges and copies one block
 *   I2  vm->collapse_space is a living space or NULL (huge.c clears it)
 *   I3  until everything is taken nothing has changed
 *
 * What may fail: taking the block (thp_collapse_alloc_failed); it is tried again the next time
 * round. Never reclaims. Called by core/trap.c.
 */
#include "page/lru.h"
#include "vm/anon.h"
#include "vm/huge.h"
#include "vm/rmap.h"

/* Linux: 4096 pages each 10 s, on machines that are up for months. Programs here run for seconds,
 * so the same piece of work each 10 ms of the machine's time. */
#define PERIOD_NS    10000000u
#define STEPS_A_TICK 64
#define RANGE_STEPS  8 /* looking at 512 pages against passing by a region */

/* What is in a range. */
struct sight {
    uint64_t present;
    struct quire_page *first; /* of page 0 */
    bool in_row;              /* all 512, in the frames from first on */
    bool used;
};

/* May this page be copied away from where it is? No others look at it, and nobody holds it. */
static bool is_free_to_go(const struct quire_anon *anon) {
    const unsigned known = QUIRE_PAGE_LRU | QUIRE_PAGE_DIRTY | QUIRE_PAGE_REFERENCED;
    const struct quire_page *page = anon->page;
    return page && anon->refs == 1 && !page->pins && (page->flags & QUIRE_PAGE_LRU) &&
           !(page->flags & ~known);
}

static bool is_used(struct quire_space *space, uint64_t vpn, const struct quire_page *page) {
    struct quire_pmap_entry entry;
    if ((page->flags & QUIRE_PAGE_REFERENCED) || quire_lru_is_active(space->q, page)) {
        return true;
    }
    quire_mach_pmap_query(space->pmap, quire_va(vpn << QUIRE_PAGE_SHIFT), &entry);
    return entry.mapped && entry.referenced;
}

/* False: something in it forbids a block. */
static bool look_at(struct quire_space *space, uint64_t va, struct sight *sight) {
    uint64_t first = quire_pages(va), index = first;
    const struct quire_anon *anon;
    *sight = (struct sight){.in_row = true};
    for (; (anon = quire_radix_next(&space->anons, &index)) &&
           index < first + quire_huge_npages(space->q);
         index++) {
        if (!is_free_to_go(anon)) {
            return false;
        }
        if (!sight->present++) {
            uint32_t frame = quire_page_frame(space->q, anon->page).number;
            sight->first = anon->page;
            sight->in_row = index == first && !(frame & (quire_huge_npages(space->q) - 1));
        }
        sight->in_row = sight->in_row && anon->page == sight->first + (index - first);
        sight->used = sight->used || is_used(space, index, anon->page);
    }
    sight->in_row = sight->in_row && sight->present == quire_huge_npages(space->q);
    return sight->present >= space->q->vm->collapse_min && sight->used;
}

/* The page of a place moves into its frame of the block. */
static void move_page(struct quire_huge_plan *plan, uint64_t i) {
    struct quire_space *space = plan->space;
    struct quire *q = space->q;
    struct quire_anon *anon = quire_radix_get(&space->anons, quire_pages(plan->va) + i);
    struct quire_page *old = anon->page, *page = &plan->pages[i];
    quire_mach_copy(q->machine, quire_page_frame(q, page), quire_page_frame(q, old));
    quire_rmap_remove(old, space, plan->va + (i << QUIRE_PAGE_SHIFT));
    CHECK(q, !old->nmaps); /* one reference, one place */
    page->owner = anon;
    page->index = old->index;
    anon->page = page;
    quire_anon_dirty(q, anon);
    quire_lru_replace(q, old, page);
    quire_anon_free_page(q, old);
}

static bool is_made(const struct quire_huge_plan *plan, uint64_t i) {
    return plan->made[i / 64] >> (i % 64) & 1;
}

static void collapse(struct quire_region *region, uint64_t va, const struct sight *sight) {
    struct quire_space *space = region->space;
    struct quire *q = space->q;
    struct quire_huge_plan plan;
    if (quire_space_fill_stash(q) != QUIRE_OK ||
        !quire_huge_take(&plan, space, va, sight->in_row ? sight->first : NULL)) {
        q->counters.thp_collapse_alloc_failed++;
        return;
    }
    quire_mach_pmap_remove(space->pmap, quire_va(va),
                           quire_huge_npages(q)); /* no writes meanwhile */
    for (uint64_t i = 0; i < quire_huge_npages(q); i++) {
        if (sight->in_row) {
            quire_anon_dirty(q, plan.pages[i].owner);
        } else if (is_made(&plan, i)) {
            quire_mach_zero(q->machine, quire_page_frame(q, &plan.pages[i]));
            quire_lru_add(q, &plan.pages[i], 0);
        } else {
            move_page(&plan, i);
        }
    }
    region->entered = true; /* region.c I7: all that is there may have come by fork */
    quire_huge_finish(&plan, region);
    q->counters.thp_collapse_alloc += !sight->in_row;
}

/* One step from where the last one ended. Its price in steps; *done: a block was tried. */
static unsigned step(struct quire *q, bool *done) {
    struct quire_vm *vm = q->vm;
    struct sight sight;
    struct quire_space *space = vm->collapse_space;
    struct quire_region *region = space ? quire_region_above(space, vm->collapse_va) : NULL;
    if (!region || space->killed) {
        vm->collapse_space = quire_vm_next_space(q, space); /* NULL: the round begins anew */
        vm->collapse_va = 0;
        return 1;
    }
    uint64_t from = region->start > vm->collapse_va ? region->start : vm->collapse_va;
    uint64_t va = (from + quire_huge_bytes(q) - 1) & ~(quire_huge_bytes(q) - 1);
    if (!quire_huge_allowed(region, va) || (region->flags & QUIRE_MAP_LOCKED)) {
        vm->collapse_va = region->end;
        return 1;
    }
    vm->collapse_va = va + quire_huge_bytes(q);
    if (quire_huge_at(space, va)) {
        return 1;
    }
    *done = look_at(space, va, &sight);
    if (*done) {
        collapse(region, va, &sight);
    }
    return RANGE_STEPS;
}

void quire_vm_collapse(struct quire *q) {
    struct quire_vm *vm = q->vm;
    bool done = false;
    if (vm->thp == QUIRE_THP_NEVER || !vm->large_order) {
        return;
    }
    uint64_t now = quire_mach_now_ns(q->machine);
    if (now < vm->collapse_next_ns || !quire_huge_memory_is_plenty(q)) {
        return;
    }
    vm->collapse_next_ns = now + PERIOD_NS;
    for (unsigned steps = 0; steps < STEPS_A_TICK && !done;) { /* I1 */
        steps += step(q, &done);
    }
}
