/* area.c: the kernel's own addresses: who has which pages of the machine's kernel area.
 *
 *     | vmalloc |g|   free   | ioremap |g| vmalloc   |g|        free        | kmap | fixmap |hole|
 *                                                       ▲ hint
 *
 * Each area is followed by a guard page (g) that is never mapped: who runs over the end of one
 * faults instead of writing into the next. Areas are a tree by address. The search for room goes on
 * where the last one ended and wraps once (next fit): addresses come back late, so that a late use
 * of a freed area faults too. Rejected: a tree of free ranges by size as Linux has since 5.2, which
 * pays when there are 10^5 areas; here there are hundreds.
 *
 * Invariants:
 *   I1  areas, guard page included, are disjoint and end at or below limit
 *   I2  nareas and nmapped are the sums over the tree
 *   I3  pages of vmalloc are QUIRE_USE_KERNEL frames whose owner is the area
 *
 * What may fail: taking an area, with NULL. Called by vmalloc.c and ioremap.c. Audit: here.
 */
#include "kmem/area.h"

#include "base/check.h"
#include "kmem/cache.h"

#define GUARD_PAGES 1
#define HOLE_PAGES  1

static struct area *area_of(struct quire_rbnode *node) {
    return node ? QUIRE_CONTAINER(node, struct area, node) : NULL;
}

struct area *quire_area_first(const struct quire *q) {
    return area_of(quire_rbtree_first(&q->kmem->area->areas));
}

struct area *quire_area_next(const struct area *area) {
    return area_of(quire_rbtree_next(&area->node));
}

char *quire_area_address(const struct quire *q, const struct area *area) {
    return q->kmem->area->base + (area->first << QUIRE_PAGE_SHIFT);
}

uint64_t quire_area_shown(const struct quire *q, const struct area *area) {
    return q->kmem->area->shown_base + (area->first << QUIRE_PAGE_SHIFT);
}

void quire_area_show_at(struct quire *q, uint64_t va) {
    struct quire_kernel_area *kernel = q->kmem->area;
    kernel->shown_base = va ? va : (uintptr_t)kernel->base;
}

/* The first area that ends behind page, guard included; NULL. */
static struct area *first_behind(const struct quire_kernel_area *kernel, uint64_t page) {
    struct area *best = NULL;
    for (struct quire_rbnode *node = kernel->areas.root; node;) {
        struct area *area = area_of(node);
        bool behind = area->first + area->npages + GUARD_PAGES > page;
        best = behind ? area : best;
        node = node->child[!behind];
    }
    return best;
}

struct area *quire_area_at(const struct quire *q, uint64_t page) {
    struct area *area = first_behind(q->kmem->area, page);
    return area && page >= area->first && page < area->first + area->npages ? area : NULL;
}

struct area *quire_area_under(const struct quire *q, const void *pointer) {
    const struct quire_kernel_area *kernel = q->kmem->area;
    uintptr_t page = ((uintptr_t)pointer - (uintptr_t)kernel->base) >> QUIRE_PAGE_SHIFT;
    return kernel->base && page < kernel->npages ? quire_area_at(q, page) : NULL;
}

/* Room for `need` pages between from and the limit; limit: there is none. */
static uint64_t find_room(const struct quire_kernel_area *kernel, uint64_t from, uint64_t need) {
    for (struct area *area = first_behind(kernel, from); area; area = quire_area_next(area)) {
        if (area->first >= from && area->first - from >= need) {
            break;
        }
        from = area->first + area->npages + GUARD_PAGES;
    }
    return from < kernel->limit && kernel->limit - from >= need ? from : kernel->limit;
}

static void link_area(struct quire_kernel_area *kernel, struct area *area) {
    struct quire_rbnode *parent = NULL, *node = kernel->areas.root;
    unsigned side = 0;
    while (node) {
        parent = node;
        side = area->first > area_of(node)->first;
        node = node->child[side];
    }
    quire_rbtree_insert(&kernel->areas, &area->node, parent, side);
}

struct area *quire_area_take(struct quire *q, uint64_t npages, enum area_kind kind) {
    struct quire_kernel_area *kernel = q->kmem->area;
    if (!kernel->base || npages == 0 || npages > kernel->limit) {
        return NULL;
    }
    uint64_t first = find_room(kernel, kernel->hint, npages + GUARD_PAGES);
    if (first == kernel->limit) {
        first = find_room(kernel, 0, npages + GUARD_PAGES);
    }
    struct area *area = first < kernel->limit ? quire_kzalloc(q, sizeof *area) : NULL;
    if (!area) {
        return NULL;
    }
    area->first = first;
    area->npages = npages;
    area->kind = kind;
    link_area(kernel, area);
    kernel->nareas++;
    kernel->nmapped += npages;
    kernel->hint = first + npages + GUARD_PAGES;
    return area;
}

void quire_area_give(struct quire *q, struct area *area) {
    struct quire_kernel_area *kernel = q->kmem->area;
    quire_rbtree_remove(&kernel->areas, &area->node);
    kernel->nareas--;
    kernel->nmapped -= area->npages;
    quire_kfree(q, area);
}

/* ---- the room's part ------------------------------------------------------------------------- */

enum quire_status quire_area_boot(struct quire *q) {
    uint64_t npages = 0, top = HOLE_PAGES + QUIRE_FIXMAP_SLOTS + QUIRE_KMAP_SLOTS;
    void *base = NULL;
    struct quire_kernel_area *kernel = quire_kzalloc(q, sizeof *kernel);
    if (!kernel) {
        return QUIRE_NOMEM;
    }
    q->kmem->area = kernel;
    if (quire_mach_kernel_area(q->machine, &base, &npages) && npages > top) {
        kernel->base = base;
        kernel->npages = npages;
        kernel->limit = npages - top;
    }
    quire_area_show_at(q, 0);
    quire_rbtree_init(&kernel->areas, NULL);
    for (unsigned i = 0; i < QUIRE_KMAP_SLOTS; i++) {
        kernel->kmaps[i].frame = QUIRE_FRAME_NONE;
    }
    return quire_resource_boot(q);
}

void quire_area_shutdown(struct quire *q) {
    struct quire_kernel_area *kernel = q->kmem->area;
    if (!kernel) {
        return; /* boot did not come so far */
    }
    CHECK(q, kernel->nareas == 0); /* else somebody forgot a vfree or an iounmap */
    for (unsigned i = 0; i < QUIRE_KMAP_SLOTS; i++) {
        CHECK(q, kernel->kmaps[i].nusers == 0);
    }
    if (kernel->base) { /* kmaps that are kept for reuse, and fixmaps */
        char *top = kernel->base + (kernel->limit << QUIRE_PAGE_SHIFT);
        (void)quire_mach_kernel_map(q->machine, top, NULL, kernel->npages - kernel->limit);
    }
    quire_resource_shutdown(q);
    quire_kfree(q, kernel);
    q->kmem->area = NULL;
}

static void audit_frames(struct quire *q, const struct area *area) {
    for (uint64_t i = 0; area->kind == AREA_VMALLOC && i < area->npages; i++) {
        const struct quire_page *page = quire_page_at(q, area->frames[i]);
        CHECK(q, page->use == QUIRE_USE_KERNEL && page->owner == area); /* I3 */
    }
}

void quire_area_audit(struct quire *q) {
    const struct quire_kernel_area *kernel = q->kmem->area;
    uint64_t nareas = 0, nmapped = 0, end = 0;
    CHECK(q, quire_rbtree_check(&kernel->areas));
    for (struct area *area = quire_area_first(q); area; area = quire_area_next(area)) {
        CHECK(q, area->npages > 0 && (nareas == 0 || area->first >= end)); /* I1 */
        end = area->first + area->npages + GUARD_PAGES;
        CHECK(q, end <= kernel->limit); /* I1 */
        CHECK(q, (area->frames != NULL) == (area->kind != AREA_IOREMAP));
        nareas++;
        nmapped += area->npages;
        audit_frames(q, area);
    }
    CHECK(q, nareas == kernel->nareas && nmapped == kernel->nmapped); /* I2 */
    for (unsigned i = 0; i < QUIRE_KMAP_SLOTS; i++) {
        const struct kmap_slot *slot = &kernel->kmaps[i];
        CHECK(q, slot->nusers == 0 || !quire_frame_is_none(slot->frame));
        for (unsigned k = 0; k < i && !quire_frame_is_none(slot->frame); k++) {
            CHECK(q, kernel->kmaps[k].frame.number != slot->frame.number);
        }
    }
    quire_resource_audit(q);
}
