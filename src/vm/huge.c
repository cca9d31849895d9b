/* huge.c: 2 MiB of anonymous memory behind one page-table entry, without any program knowing.
 *
 * A huge page here is a mapping, not a page. The 512 pages of a block stay what they are: each has
 * its struct, its anon, its place on an LRU list and its reverse mapping. Only two things are
 * added: their frames lie in a row, and the machine is told so with one entry. The record of that
 * is a block in space->huges; it says no more than "these may be mapped together".
 *
 *     space->anons   [A0][A1][A2] ... [A511]      512 anons, as always
 *                     |   |   |          |
 *     frames         [n ][n+1][n+2] ... [n+511]   n a multiple of 512
 *     space->huges   [ ------- record ------- ]
 *     pmap           [ ------ one entry ----- ]
 *
 * So splitting needs no memory and can't fail: the record goes, and the machine makes a table of
 * its entry (from the stash, if that holds a frame) or forgets it, as law 1 allows. Reclaim, swap,
 * migration, copy-on-write, unmapping a part: all work on pages, and each ends the block by its
 * first step (rmap.c, region.c and change.c call here). Rejected: one struct for the whole block,
 * as Linux's compound pages. It saves 32 KiB of cache lines and 512 list links a block, and every
 * room would have to know of pages that are not single; a split then takes 512 new anons at the
 * moment when memory is short.
 *
 * What one entry loses is 511 of 512 referenced bits. A block's record has a bitmap instead: when
 * the machine's bit is found set, all 512 bits become set, and each page clears its own when it is
 * asked. A used block so answers "used" once for each page and harvest, and ages like its pages
 * together.
 *
 *     first write, nothing there ---> quire_huge_fill --.                   fault.c
 *     scattered pages ----------> collapse.c -----------+--> block --> one entry
 *                                                       ^      |
 *                  forgotten, or fork's write protection |      | cleaned, unmapped, moved, cut,
 *                  taken back: quire_huge_refill --------'      v written while shared
 *                                                            512 pages
 *
 * After fork the block stays, read-only. A child that calls exec leaves all references to the
 * parent, whose next write finds no sharer and gets the whole block back by one fault.
 *
 * Reads of untouched memory get the small zero page, not a huge one: that would cost 2 MiB for
 * everybody, and most who read before they write read little.
 *
 * Invariants:
 *   I1  a record at k says: places 512k to 512k+511 of the space's array hold anons with pages, all
 *       dirty, in frames n to n+511, n a multiple of 512, each with a reverse mapping to its place;
 *       one private anonymous region covers the range
 *   I2  where the machine has one entry for a block there is a record
 *   I3  vm->nhuges counts records
 *
 * 2 MiB and 512 stand for what the machine says, its large_order; the simulation has one with
 * blocks of 4 pages, so that small worlds are full of them.
 *
 * What may fail: taking a block, and then small pages do. It never reclaims or compacts, and leaves
 * alone what is needed to stay above the high watermark. Audited by quire_huge_audit.
 */
#include "vm/huge.h"

#include "kmem/slab.h"
#include "page/lru.h"
#include "vm/anon.h"
#include "vm/lock.h"
#include "vm/rmap.h"

static uint64_t block_of(const struct quire *q, uint64_t va) {
    return va & ~(quire_huge_bytes(q) - 1);
}

/* ---- may there be one? ---------------------------------------------------------------------- */

bool quire_huge_allowed(const struct quire_region *region, uint64_t va) {
    const struct quire *q = region->space->q;
    const uint32_t never = QUIRE_MAP_SHARED | QUIRE_MAP_GROWSDOWN | QUIRE_REGION_NOHUGEPAGE;
    if (!quire_huge_wanted(region) || !q->vm->large_order) {
        return false;
    }
    return !region->object && !(region->flags & never) && (region->prot & QUIRE_PROT_WRITE) &&
           region->start <= va && region->end >= va + quire_huge_bytes(q);
}

bool quire_huge_memory_is_plenty(const struct quire *q) {
    return quire_page_count(q, QUIRE_USE_FREE) >=
           quire_page_watermark(q, QUIRE_WMARK_HIGH) + quire_huge_npages(q);
}

/* ---- taking and giving back ------------------------------------------------------------------ */

static bool is_made(const struct quire_huge_plan *plan, uint64_t i) {
    return plan->made[i / 64] >> (i % 64) & 1;
}

/* An anon around pages[i] at its place. */
static bool make_anon(struct quire_huge_plan *plan, uint64_t i) {
    struct quire *q = plan->space->q;
    struct quire_radix *anons = &plan->space->anons;
    uint64_t vpn = quire_pages(plan->va) + i;
    if (quire_radix_reserve(anons, vpn) != QUIRE_OK) {
        return false;
    }
    struct quire_anon *anon = quire_anon_create(q, &plan->pages[i], plan->space);
    if (!anon) {
        return false;
    }
    enum quire_status status = quire_radix_set(anons, vpn, anon);
    CHECK(q, status == QUIRE_OK); /* it was reserved */
    plan->pages[i].index = vpn;
    plan->made[i / 64] |= (uint64_t)1 << (i % 64);
    return true;
}

/* => pages that were not made are on no list and nobody's */
void quire_huge_give_back(struct quire_huge_plan *plan) {
    struct quire *q = plan->space->q;
    uint64_t first = quire_pages(plan->va);
    for (uint64_t i = 0; i < quire_huge_npages(q); i++) {
        if (is_made(plan, i)) {
            struct quire_anon *anon = quire_radix_remove(&plan->space->anons, first + i);
            quire_anon_leave(plan->space, anon);
            quire_anon_put(q, anon);
        } else {
            quire_page_free(q, &plan->pages[i]);
            quire_radix_trim(&plan->space->anons, first + i); /* what was only reserved */
        }
    }
    quire_radix_trim(&plan->space->huges, quire_huge_key(q, plan->va));
    quire_cache_free(q->vm->huge_cache, plan->record);
}

bool quire_huge_take(struct quire_huge_plan *plan, struct quire_space *space, uint64_t va,
                     struct quire_page *pages) {
    struct quire *q = space->q;
    *plan = (struct quire_huge_plan){.space = space, .va = va};
    if (!pages && !quire_huge_memory_is_plenty(q)) {
        return false;
    }
    plan->record = quire_cache_alloc(q->vm->huge_cache);
    if (!plan->record) {
        return false;
    }
    *plan->record = (struct quire_huge){.used = {0}};
    if (quire_radix_reserve(&space->huges, quire_huge_key(q, va)) == QUIRE_OK) {
        plan->pages =
            pages ? pages
                  : quire_page_alloc(q, q->vm->large_order, QUIRE_USE_ANON, QUIRE_ALLOC_USER);
    }
    if (!plan->pages) {
        quire_radix_trim(&space->huges, quire_huge_key(q, va));
        quire_cache_free(q->vm->huge_cache, plan->record);
        return false;
    }
    if (pages) {
        return true;
    }
    quire_page_split(q, plan->pages);
    uint64_t first = quire_pages(va);
    for (uint64_t i = 0; i < quire_huge_npages(q); i++) {
        if (!quire_radix_get(&space->anons, first + i) && !make_anon(plan, i)) {
            quire_huge_give_back(plan);
            return false;
        }
    }
    return true;
}

/* Tell the machine of the whole block. */
static void enter_block(struct quire_space *space, uint64_t va, struct quire_page *pages,
                        unsigned prot) {
    quire_space_enter_block(space, va, pages, space->q->vm->large_order, prot);
}

void quire_huge_finish(struct quire_huge_plan *plan, const struct quire_region *region) {
    struct quire_space *space = plan->space;
    struct quire *q = space->q;
    for (uint64_t i = 0; i < quire_huge_npages(q); i++) {
        struct quire_rmap *none = NULL;
        quire_rmap_add(&plan->pages[i], space, plan->va + (i << QUIRE_PAGE_SHIFT), &none);
    }
    enum quire_status status =
        quire_radix_set(&space->huges, quire_huge_key(q, plan->va), plan->record);
    CHECK(q, status == QUIRE_OK); /* it was reserved */
    q->vm->nhuges++;              /* I3 */
    enter_block(space, plan->va, plan->pages, region->prot | QUIRE_PROT_READ);
    quire_trace(&q->trace, QUIRE_EVENT_HUGE, plan->va, quire_page_frame(q, plan->pages).number);
    quire_space_note_demand(q);
}

/* ---- faults ---------------------------------------------------------------------------------- */

static bool is_empty(struct quire_space *space, uint64_t va) {
    uint64_t index = quire_pages(va), end = index + quire_huge_npages(space->q);
    return !space->anons.count || !quire_radix_next(&space->anons, &index) || index >= end;
}

bool quire_huge_fill(struct quire_region *region, uint64_t va) {
    struct quire_space *space = region->space;
    struct quire *q = space->q;
    struct quire_huge_plan plan;
    va = block_of(q, va);
    if (!quire_huge_allowed(region, va) || !is_empty(space, va)) {
        return false;
    }
    if (!quire_huge_take(&plan, space, va, NULL)) {
        q->counters.thp_fault_fallback++;
        return false;
    }
    for (uint64_t i = 0; i < quire_huge_npages(q); i++) {
        quire_mach_zero(q->machine, quire_page_frame(q, &plan.pages[i]));
        if (region->flags & QUIRE_MAP_LOCKED) {
            quire_lock_page(q, &plan.pages[i]);
        } else {
            quire_lru_add(q, &plan.pages[i], 0);
        }
    }
    quire_huge_finish(&plan, region);
    q->counters.thp_fault_alloc++;
    return true;
}

/* The head's page, and whether nobody else refers to any of the 512. */
static struct quire_page *look_at(struct quire_space *space, uint64_t va, bool *unshared) {
    uint64_t first = quire_pages(va);
    const struct quire_anon *head = quire_radix_get(&space->anons, first);
    *unshared = true;
    for (uint64_t i = 0; i < quire_huge_npages(space->q) && *unshared; i++) {
        const struct quire_anon *anon = quire_radix_get(&space->anons, first + i);
        *unshared = anon->refs == 1;
    }
    return head->page;
}

bool quire_huge_refill(struct quire_region *region, uint64_t va, bool write) {
    struct quire_space *space = region->space;
    unsigned prot = region->prot;
    bool unshared;
    struct quire_page *pages = look_at(space, block_of(space->q, va), &unshared);
    if (write && !unshared) {
        quire_huge_split(space, va, true);
        return false;
    }
    if (prot & QUIRE_PROT_WRITE) {
        prot = unshared ? prot | QUIRE_PROT_READ
                        : (prot | QUIRE_PROT_READ) & ~(unsigned)QUIRE_PROT_WRITE;
    }
    if (prot) { /* a forced write may be to a region of PROT_NONE */
        enter_block(space, block_of(space->q, va), pages, prot);
    }
    return true;
}

/* ---- splitting ------------------------------------------------------------------------------- */

/* The record of the block at va goes. */
static void end_record(struct quire_space *space, uint64_t va) {
    struct quire_vm *vm = space->q->vm;
    struct quire_huge *record = quire_radix_remove(&space->huges, quire_huge_key(space->q, va));
    CHECK(space->q, record && vm->nhuges);
    vm->nhuges--;
    quire_cache_free(vm->huge_cache, record);
}

/* Let the machine make a table of its entry: to map the first page by itself as it is mapped now.
 * Without a frame for that table it forgets the block. */
static void demote(struct quire_space *space, uint64_t va) {
    struct quire *q = space->q;
    struct quire_pmap_entry entry;
    quire_mach_pmap_query(space->pmap, quire_va(va), &entry);
    if (!entry.mapped) {
        return;
    }
    CHECK(q, entry.order == q->vm->large_order); /* I2, and nothing else is entered in a block */
    if (q->vm->stash.count) {
        quire_space_enter(space, va, quire_page_at(q, entry.frame), entry.prot);
    } else {
        quire_mach_pmap_remove(space->pmap, quire_va(va), quire_huge_npages(q));
    }
}

void quire_huge_split(struct quire_space *space, uint64_t va, bool page_leaves) {
    struct quire *q = space->q;
    if (!quire_huge_at(space, va)) {
        return;
    }
    va = block_of(q, va);
    end_record(space, va);
    demote(space, va); /* I2 */
    q->counters.thp_split_pmd++;
    q->counters.thp_split_page += page_leaves;
    quire_trace(&q->trace, QUIRE_EVENT_HUGE, va, UINT64_MAX);
}

void quire_huge_cut(struct quire_space *space, uint64_t va) {
    if (va & (quire_huge_bytes(space->q) - 1)) {
        quire_huge_split(space, va, false);
    }
}

void quire_huge_leave(struct quire_space *space, uint64_t start, uint64_t end) {
    uint64_t key = quire_huge_key(space->q, start);
    if (!space->huges.count) {
        return;
    }
    for (; quire_radix_next(&space->huges, &key) && quire_huge_va(space->q, key) < end; key++) {
        uint64_t va = quire_huge_va(space->q, key);
        if (va >= start && va + quire_huge_bytes(space->q) <= end) {
            end_record(space, va);
            quire_mach_pmap_remove(space->pmap, quire_va(va), quire_huge_npages(space->q)); /* I2 */
        } else {
            quire_huge_split(space, va, true);
        }
    }
}

void quire_huge_end_space(struct quire_space *space) {
    struct quire_vm *vm = space->q->vm;
    CHECK(space->q, !space->huges.count);
    quire_radix_clear(&space->huges, 0, UINT64_MAX, NULL, NULL); /* empty nodes */
    if (vm->collapse_space == space) {
        vm->collapse_space = NULL;
    }
}

/* ---- age, counts ----------------------------------------------------------------------------- */

bool quire_huge_harvest(struct quire_space *space, uint64_t va) {
    bool used = quire_mach_pmap_harvest(space->pmap, quire_va(va));
    struct quire_huge *huge =
        space->huges.count ? quire_radix_get(&space->huges, quire_huge_key(space->q, va)) : NULL;
    if (!huge) {
        return used;
    }
    uint64_t page = (va >> QUIRE_PAGE_SHIFT) & (quire_huge_npages(space->q) - 1);
    if (used) {
        __builtin_memset(huge->used, 0xFF, sizeof huge->used);
    }
    used = huge->used[page / 64] >> (page % 64) & 1;
    huge->used[page / 64] &= ~((uint64_t)1 << (page % 64));
    return used;
}

uint64_t quire_vm_block_pages(const struct quire_space *space, quire_vaddr start, quire_vaddr end) {
    struct quire_radix *huges = (struct quire_radix *)&space->huges; /* moves its hint only */
    uint64_t key = quire_huge_key(space->q, start.value), pages = 0;
    for (; quire_radix_next(huges, &key) && quire_huge_va(space->q, key) < end.value; key++) {
        pages += quire_huge_npages(space->q);
    }
    return pages;
}

bool quire_vm_block_eligible(const struct quire_space *space, quire_vaddr va) {
    const struct quire_region *region = quire_region_above(space, va.value);
    return region &&
           quire_huge_allowed(region,
                              block_of(space->q, region->start + quire_huge_bytes(space->q) - 1));
}

bool quire_vm_in_block(struct quire_page *page) {
    for (struct quire_rmap *entry = page->nmaps ? &page->rmap : NULL; entry; entry = entry->next) {
        if (quire_huge_at(entry->space, entry->va.value)) {
            return true;
        }
    }
    return false;
}

uint64_t quire_vm_huge_pages(const struct quire *q) {
    return q->vm->nhuges << q->vm->large_order;
}

uint64_t quire_vm_blocks(const struct quire *q) {
    return q->vm->nhuges;
}

void quire_set_thp(struct quire *q, enum quire_thp mode) {
    CHECK(q, mode <= QUIRE_THP_NEVER);
    q->vm->thp = mode;
}

enum quire_thp quire_thp(const struct quire *q) {
    return q->vm->thp;
}

/* I1, for one block. */
static void audit_block(struct quire_space *space, uint64_t va) {
    struct quire *q = space->q;
    struct quire_region *region = quire_region_find(space, va);
    CHECK(q, region && region->end >= va + quire_huge_bytes(q) && !region->object);
    CHECK(q, !(region->flags & QUIRE_MAP_SHARED));
    uint32_t first = 0;
    for (uint64_t i = 0; i < quire_huge_npages(q); i++) {
        uint64_t at = va + (i << QUIRE_PAGE_SHIFT);
        struct quire_anon *anon = quire_radix_get(&space->anons, quire_pages(at));
        CHECK(q, anon && anon->page && (anon->page->flags & QUIRE_PAGE_DIRTY));
        uint32_t frame = quire_page_frame(q, anon->page).number;
        first = i ? first : frame;
        CHECK(q, (first & (quire_huge_npages(q) - 1)) == 0 && frame == first + i);
        CHECK(q, quire_rmap_find(anon->page, space, at));
    }
}

uint64_t quire_huge_audit(struct quire_space *space) {
    uint64_t blocks = 0;
    CHECK(space->q, quire_radix_check(&space->huges));
    for (uint64_t key = 0; quire_radix_next(&space->huges, &key) != NULL; key++) {
        audit_block(space, quire_huge_va(space->q, key));
        blocks++;
    }
    CHECK(space->q, blocks == space->huges.count);
    return blocks;
}
