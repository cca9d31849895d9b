/* space.c: address spaces: made, destroyed, counted; and the state of vm/ itself.
 *
 * A space is regions (what may be there), a sparse array of anons (what is there and is its own),
 * and a pmap (what the machine was told of it). The first two are the truth; the third can be
 * thrown away at any time.
 *
 *     space --> regions      [text]  [data]  [heap]          [libs] [stack]
 *           --> anons         .  .    A  A    A A A            A      A A
 *           --> pmap         whatever was touched lately
 *
 * The stash: entering a mapping may need page-table frames, and must not fail in its middle. So vm/
 * keeps as many as one enter may pop, filled up before a fault does anything; tables that a dying
 * space gives back go there first.
 *
 * Invariants:
 *   I1  every space on vm->spaces has a pmap and its root is one of space->tables frames
 *   I2  stash_pages[i] is the page of stash.frames[i], use KERNEL, for i < stash.count <= depth
 *   I3  virtual_pages, data, stack, text and vm->committed are sums over the regions
 *   I4  peak_demand is the highest sum of quire_space_note_demand's parts ever seen by it; every
 *       path that makes the sum larger calls it
 *
 * What may fail: creation and boot. Audited by audit.c.
 */
#include "vm/space.h"

#include "kmem/slab.h"
#include "vm/anon.h"
#include "vm/change.h"
#include "vm/commit.h"
#include "vm/huge.h"
#include "vm/object.h"
#include "vm/rmap.h"

/* ---- table frames -------------------------------------------------------------------------- */

static void stash_push(struct quire *q, struct quire_page *page) {
    struct quire_vm *vm = q->vm;
    vm->stash_pages[vm->stash.count] = page;
    vm->stash.frames[vm->stash.count++] = quire_page_frame(q, page);
}

enum quire_status quire_space_refill_stash(struct quire *q) {
    struct quire_vm *vm = q->vm;
    while (vm->stash.count < vm->depth) {
        struct quire_page *page = quire_page_alloc(q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_KERNEL);
        if (!page) {
            return QUIRE_NOMEM;
        }
        stash_push(q, page);
    }
    return QUIRE_OK;
}

/* The machine has used stash frames from count to before: they are the space's now. */
static void charge_tables(struct quire_space *space, unsigned before) {
    struct quire_vm *vm = space->q->vm;
    for (unsigned i = vm->stash.count; i < before; i++) {
        quire_page_set_use(space->q, vm->stash_pages[i], QUIRE_USE_TABLE);
        vm->stash_pages[i]->owner = space;
        space->tables++;
    }
    quire_space_note_demand(space->q);
}

void quire_space_enter(struct quire_space *space, uint64_t va, struct quire_page *page,
                       unsigned prot) {
    struct quire *q = space->q;
    struct quire_stash *stash = &q->vm->stash;
    unsigned before = stash->count;
    quire_mach_pmap_enter(space->pmap, quire_va(va), quire_page_frame(q, page), 0, prot, stash);
    if (stash->count != before) {
        charge_tables(space, before);
    }
}

static void release_table(void *context, quire_frame frame);

void quire_space_enter_block(struct quire_space *space, uint64_t va, struct quire_page *page,
                             unsigned order, unsigned prot) {
    struct quire *q = space->q;
    struct quire_stash *stash = &q->vm->stash;
    unsigned before = stash->count;
    quire_mach_pmap_enter(space->pmap, quire_va(va), quire_page_frame(q, page), order, prot, stash);
    if (stash->count > before) { /* the block took a table's place */
        release_table(space, stash->frames[--stash->count]);
    } else {
        charge_tables(space, before);
    }
}

/* A table frame comes back: the stash first, so that space and stash are as before they met. */
static void release_table(void *context, quire_frame frame) {
    struct quire_space *space = context;
    struct quire *q = space->q;
    struct quire_page *page = quire_page_at(q, frame);
    CHECK(q, page->use == QUIRE_USE_TABLE && page->owner == space && space->tables);
    space->tables--;
    page->owner = NULL;
    if (q->vm->stash.count < q->vm->depth) {
        quire_page_set_use(q, page, QUIRE_USE_KERNEL);
        stash_push(q, page);
    } else {
        quire_page_free(q, page);
    }
}

/* Frames for the top level, the space's from now on. I1 */
static bool take_root(struct quire_space *space, quire_frame *first) {
    struct quire *q = space->q;
    unsigned order = q->vm->root_order;
    struct quire_page *root = quire_page_alloc(q, order, QUIRE_USE_TABLE, QUIRE_ALLOC_KERNEL);
    if (!root) {
        return false;
    }
    if (order > 0) {
        quire_page_split(q, root); /* they go back one by one */
    }
    for (uint32_t i = 0; i < 1u << order; i++) {
        root[i].owner = space;
    }
    *first = quire_page_frame(q, root);
    space->tables = 1u << order;
    return true;
}

/* ---- counting ------------------------------------------------------------------------------ */

void quire_space_note_demand(struct quire *q) {
    struct quire_vm *vm = q->vm;
    uint64_t demand = quire_page_count_programs(q) + vm->mapped_file + vm->swapped;
    if (demand > vm->peak_demand) {
        vm->peak_demand = demand;
    }
}

void quire_space_account(struct quire_space *space, const struct quire_region *region, int sign) {
    uint64_t pages = quire_pages(region->end - region->start);
    uint64_t change = sign > 0 ? pages : 0 - pages;
    bool write = region->prot & QUIRE_PROT_WRITE;
    space->virtual_pages += change;
    if (space->virtual_pages > space->peak_virtual) {
        space->peak_virtual = space->virtual_pages;
    }
    if (region->flags & QUIRE_MAP_GROWSDOWN) { /* as Linux's is_stack_mapping and its sisters */
        space->stack += change;
    } else if (quire_region_is_data(region->prot, region->flags)) {
        space->data += change;
    } else if (!write && (region->prot & QUIRE_PROT_EXEC)) {
        space->text += change;
    }
    if (quire_region_commits(region->prot, region->flags)) {
        space->q->vm->committed += change;
    }
    if (region->flags & QUIRE_MAP_LOCKED) {
        space->locked += change;
    }
}

/* Places of the space whose pages are on swap only: its own are counted, what it inherited is
 * looked at. O(1) if that is nothing, or nothing is on swap at all; else O(pages). */
static uint64_t count_swapped(struct quire_space *space) {
    uint64_t swapped = space->swapped, left = space->inherited;
    const struct quire_anon *anon;
    if (swapped == space->q->vm->swapped) {
        return swapped; /* nobody has more */
    }
    for (uint64_t i = 0; left && (anon = quire_radix_next(&space->anons, &i)) != NULL; i++) {
        left -= anon->home != space;
        swapped += anon->home != space && !anon->page;
    }
    return swapped;
}

void quire_space_usage(const struct quire_space *space, struct quire_space_usage *usage) {
    *usage = (struct quire_space_usage){
        .virtual_pages = space->virtual_pages,
        .peak_virtual = space->peak_virtual,
        .resident_anon = space->resident[QUIRE_USE_ANON - QUIRE_USE_ANON],
        .resident_file = space->resident[QUIRE_USE_FILE - QUIRE_USE_ANON],
        .resident_shmem = space->resident[QUIRE_USE_SHMEM - QUIRE_USE_ANON],
        .peak_resident = space->peak_resident,
        .swapped = count_swapped((struct quire_space *)space), /* moves the array's hint only */
        .page_tables = space->tables,
        .data = space->data,
        .stack = space->stack,
        .text = space->text,
        .locked = space->locked,
        .minor_faults = space->minor_faults,
        .major_faults = space->major_faults,
        .stalls = space->stalls,
        .stall_ns = space->stall_ns,
    };
}

void quire_vm_charge_stall(struct quire *q, struct quire_space *space) {
    if (space && q->untold_stall_ns > 0) {
        space->stalls++;
        space->stall_ns += q->untold_stall_ns;
    }
    q->untold_stall_ns = 0;
}

/* ---- life ---------------------------------------------------------------------------------- */

static bool config_is_valid(const struct quire_space_config *config) {
    uint64_t low = config->low.value, high = config->high.value, top = config->map_top.value;
    return !((low | high | top) & QUIRE_PAGE_MASK) && low < high && low <= top && top <= high;
}

enum quire_status quire_vm_space_create(struct quire *q, const struct quire_space_config *config,
                                        struct quire_space **out) {
    struct quire_vm *vm = q->vm;
    if (!config_is_valid(config)) {
        return QUIRE_INVAL;
    }
    struct quire_space *space = quire_cache_alloc(vm->space_cache);
    if (!space) {
        return QUIRE_NOMEM;
    }
    *space =
        (struct quire_space){.q = q, .config = *config, .limit_pages = {UINT64_MAX, UINT64_MAX}};
    quire_regions_init(space);
    quire_radix_init(&space->anons, &vm->nodes);
    quire_radix_init(&space->huges, &vm->nodes);
    quire_frame root;
    if (!take_root(space, &root)) {
        goto undo_space;
    }
    space->pmap = quire_mach_pmap_create(q->machine, space, root);
    if (!space->pmap) {
        goto undo_root;
    }
    quire_list_add_before(&vm->spaces, &space->link);
    quire_space_note_demand(q);
    *out = space;
    return QUIRE_OK;
undo_root:
    for (uint32_t i = 0; i < 1u << vm->root_order; i++) {
        release_table(space, (quire_frame){root.number + i});
    }
undo_space:
    quire_cache_free(vm->space_cache, space);
    return QUIRE_NOMEM;
}

void quire_space_destroy(struct quire_space *space) {
    struct quire *q = space->q;
    struct quire_region *region;
    while ((region = quire_region_above(space, 0)) != NULL) {
        quire_change_drop(space, region, region->start, region->end);
        quire_region_destroy(space, region);
    }
    CHECK(q, !space->anons.count && !space->virtual_pages);
    CHECK(q, !space->swapped && !space->inherited);
    quire_radix_clear(&space->anons, 0, UINT64_MAX, NULL, NULL); /* nodes that were only reserved */
    quire_huge_end_space(space);
    quire_mach_pmap_destroy(space->pmap, release_table, space);
    CHECK(q, !space->tables);
    quire_list_remove(&space->link);
    quire_cache_free(q->vm->space_cache, space);
}

struct quire_pmap *quire_space_pmap(const struct quire_space *space) {
    return space->pmap;
}

void *quire_space_owner(const struct quire_space *space) {
    return space->config.owner;
}

struct quire *quire_space_system(const struct quire_space *space) {
    return space->q;
}

enum quire_status quire_space_set_oom_score_adj(struct quire_space *space, int adj) {
    if (adj < -1000 || adj > 1000) { /* OOM_SCORE_ADJ_MIN and _MAX of Linux */
        return QUIRE_INVAL;
    }
    space->oom_score_adj = adj;
    return QUIRE_OK;
}

int quire_space_oom_score_adj(const struct quire_space *space) {
    return space->oom_score_adj;
}

struct quire_space *quire_vm_next_space(struct quire *q, struct quire_space *previous) {
    struct quire_list *head = &q->vm->spaces;
    struct quire_list *link = previous ? previous->link.next : head->next;
    return link == head ? NULL : QUIRE_CONTAINER(link, struct quire_space, link);
}

void quire_vm_mark_killed(struct quire_space *space) {
    space->killed = true;
}

bool quire_vm_is_killed(const struct quire_space *space) {
    return space->killed;
}
