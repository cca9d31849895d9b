/* audit.c: recount all that vm/ counts, and compare what the machine knows with the truth.
 *
 * References of anons are recounted without a field for it: a first walk over all sparse arrays
 * takes one reference off for each entry, and every anon must reach exactly zero, once; a second
 * walk puts them on again. In the moment when an anon reaches zero it is looked at: each once.
 *
 *     walk 1: refs--  -> 0: page, slot, seal, rmap     zeros == nanons     walk 2: refs++
 *
 * Then each space: regions, counters, and the machine's mappings, which may be fewer than the rmap
 * says but never others, and writable only where a write is allowed and the page dirty and
 * unshared.
 *
 * Panics at the first difference. Called by quire_audit. O(pages mapped + regions).
 */
#include "vm/anon.h"
#include "vm/commit.h"
#include "vm/huge.h"
#include "vm/object.h"
#include "vm/rmap.h"
#include "vm/space.h"

/* Regions up to this size are asked page by page what the machine has mapped, larger ones only
 * where there are pages: a reservation of terabytes would never end. 64 MiB. */
#define SWEEP_PAGES 16384

struct tally {
    struct quire *q;
    uint64_t anons, swapped, slots, anon_pages, shm_pages, file_pages, dirty, mapped_file;
    uint64_t dirty_objects, mlocked, lazyfree, locked; /* locked: pages of regions, of one space */
    uint64_t rmaps, resident, tables, committed, huges;
    uint64_t homes; /* anons that are at home somewhere, less those found there */
};

/* ---- walk 1 and 2 over the anons ----------------------------------------------------------- */

static void audit_anon(struct tally *t, const struct quire_anon *anon, enum quire_page_use use) {
    struct quire *q = t->q;
    struct quire_page *page = anon->page;
    bool slot = !quire_slot_is_none(anon->slot);
    t->anons++;
    t->slots += slot;
    t->swapped += !page;
    t->homes += anon->home != NULL;
    CHECK(q, use == QUIRE_USE_ANON || !anon->home);
    CHECK(q, page || slot); /* anon.c I1 */
    if (page) {
        CHECK(q, page->owner == anon && page->use == use); /* anon.c I3 */
        bool dirty = page->flags & QUIRE_PAGE_DIRTY, lazy = page->flags & QUIRE_PAGE_LAZYFREE;
        CHECK(q, slot + dirty + lazy == 1); /* anon.c I2 */
        t->lazyfree += lazy;
        t->mlocked += (page->flags & QUIRE_PAGE_LOCKED) != 0;
        CHECK(q, anon->shadow == 0); /* only of what left */
        quire_rmap_audit(q, page);
        t->rmaps += page->nmaps;
        *(use == QUIRE_USE_ANON ? &t->anon_pages : &t->shm_pages) += 1;
    }
}

static void walk_anons(struct tally *t, struct quire_radix *anons, enum quire_page_use use,
                       bool take) {
    struct quire_anon *anon;
    for (uint64_t i = 0; (anon = quire_radix_next(anons, &i)) != NULL; i++) {
        if (!take) {
            if (anon->refs++ == 0) {
                quire_swap_audit_owner(t->q, anon, false);
            }
            continue;
        }
        CHECK(t->q, anon->refs); /* more entries than references */
        if (--anon->refs == 0) {
            audit_anon(t, anon, use);
            quire_swap_audit_owner(t->q, anon, true);
        }
    }
}

static void walk_all_anons(struct tally *t, bool take) {
    struct quire_vm *vm = t->q->vm;
    for (struct quire_list *link = vm->spaces.next; link != &vm->spaces; link = link->next) {
        struct quire_space *space = QUIRE_CONTAINER(link, struct quire_space, link);
        walk_anons(t, &space->anons, QUIRE_USE_ANON, take);
    }
    for (struct quire_list *link = vm->objects.next; link != &vm->objects; link = link->next) {
        struct quire_object *object = QUIRE_CONTAINER(link, struct quire_object, link);
        if (object->shm) {
            walk_anons(t, &object->pages, QUIRE_USE_SHMEM, take);
        }
    }
}

/* ---- objects ------------------------------------------------------------------------------- */

static void audit_file(struct tally *t, struct quire_object *object) {
    struct quire_page *page;
    uint64_t dirty = 0;
    for (uint64_t i = 0; (page = quire_radix_next(&object->pages, &i)) != NULL; i++) {
        CHECK(t->q, page->use == QUIRE_USE_FILE && page->owner == object && page->index == i);
        quire_rmap_audit(t->q, page);
        dirty += (page->flags & QUIRE_PAGE_DIRTY) != 0;
        t->file_pages++;
        t->mapped_file += page->nmaps != 0;
        t->mlocked += (page->flags & QUIRE_PAGE_LOCKED) != 0;
        t->rmaps += page->nmaps;
    }
    CHECK(t->q, dirty == object->ndirty); /* file.c I3 */
    t->dirty_objects += dirty != 0;
    t->dirty += dirty;
}

static void audit_objects(struct tally *t) {
    struct quire_vm *vm = t->q->vm;
    for (struct quire_list *link = vm->objects.next; link != &vm->objects; link = link->next) {
        struct quire_object *object = QUIRE_CONTAINER(link, struct quire_object, link);
        uint64_t regions = 0;
        const struct quire_list *each = object->regions.next;
        for (; each != &object->regions; each = each->next) {
            CHECK(t->q, QUIRE_CONTAINER(each, struct quire_region, object_link)->object == object);
            regions++;
        }
        CHECK(t->q, object->refs && object->refs >= regions); /* object.c I1 */
        CHECK(t->q, quire_radix_check(&object->pages));
        if (object->shm) {
            t->committed += object->size_pages;
        } else {
            audit_file(t, object);
        }
    }
}

/* ---- spaces -------------------------------------------------------------------------------- */

/* The machine's view of one page against the truth. */
static void audit_mapping(struct tally *t, struct quire_space *space,
                          const struct quire_region *region, uint64_t va) {
    struct quire *q = t->q;
    struct quire_pmap_entry entry = {.mapped = false};
    struct quire_page *page = quire_vm_page_at(space, quire_va(va));
    struct quire_rmap *known = page ? quire_rmap_find(page, space, va) : NULL;
    t->resident += known != NULL;
    CHECK(q, !known || region->entered); /* region.c I7 */
    quire_mach_pmap_query(space->pmap, quire_va(va), &entry);
    if (!entry.mapped) {
        return;
    }
    CHECK(q, region->entered);                              /* region.c I7 */
    CHECK(q, entry.order == 0 || quire_huge_at(space, va)); /* huge.c I2 */
    unsigned allowed =
        region->prot & QUIRE_PROT_WRITE ? region->prot | QUIRE_PROT_READ : region->prot;
    CHECK(q, !(entry.prot & ~allowed));
    if (!page) { /* fault.c I3 */
        CHECK(q, entry.frame.number == quire_page_frame(q, q->vm->zero).number);
        CHECK(q, !region->object && !(entry.prot & QUIRE_PROT_WRITE));
        CHECK(q, !quire_radix_get(&space->anons, quire_pages(va)));
        return;
    }
    CHECK(q, known && entry.frame.number == quire_page_frame(q, page).number); /* rmap.c I2 */
    if (entry.prot & QUIRE_PROT_WRITE) {                                       /* fault.c I1 */
        CHECK(q, page->flags & QUIRE_PAGE_DIRTY);
        CHECK(q, region->flags & QUIRE_MAP_SHARED ||
                     (page->use == QUIRE_USE_ANON &&
                      ((const struct quire_anon *)page->owner)->refs == 1));
    }
}

/* Only where there is something: the private pages, then the object's. */
static void audit_sparse(struct tally *t, struct quire_space *space,
                         const struct quire_region *region) {
    uint64_t first = quire_pages(region->start), end = quire_pages(region->end), i = first;
    bool shared = region->flags & QUIRE_MAP_SHARED;
    for (; quire_radix_next(&space->anons, &i) != NULL && i < end; i++) {
        audit_mapping(t, space, region, i << QUIRE_PAGE_SHIFT);
    }
    if (!region->object) {
        return;
    }
    i = region->page_offset;
    for (; quire_radix_next(&region->object->pages, &i) && i - region->page_offset < end - first;
         i++) {
        uint64_t vpn = first + (i - region->page_offset);
        if (shared || !quire_radix_get(&space->anons, vpn)) {
            audit_mapping(t, space, region, vpn << QUIRE_PAGE_SHIFT);
        }
    }
}

/* Sums over the regions, and that every entry of the array is in a private region. */
static void audit_regions(struct tally *t, struct quire_space *space) {
    uint64_t pages = 0, entries = 0;
    struct quire_region *region = quire_region_above(space, 0);
    for (; region; region = quire_region_next(region)) {
        uint64_t first = quire_pages(region->start), end = quire_pages(region->end);
        pages += end - first;
        t->committed += quire_region_commits(region->prot, region->flags) ? end - first : 0;
        t->locked += region->flags & QUIRE_MAP_LOCKED ? end - first : 0;
        CHECK(t->q, region->space == space);
        for (uint64_t i = first; quire_radix_next(&space->anons, &i) != NULL && i < end; i++) {
            CHECK(t->q, !(region->flags & QUIRE_MAP_SHARED) && region->touched);
            entries++;
        }
        if (end - first > SWEEP_PAGES) {
            audit_sparse(t, space, region);
            continue;
        }
        for (uint64_t vpn = first; vpn < end; vpn++) {
            audit_mapping(t, space, region, vpn << QUIRE_PAGE_SHIFT);
        }
    }
    CHECK(t->q, pages == space->virtual_pages); /* space.c I3 */
    CHECK(t->q, t->locked == space->locked);    /* lock.c I3 */
    CHECK(t->q, entries == space->anons.count);
}

/* anon.c I6 */
static void audit_places(struct tally *t, struct quire_space *space) {
    uint64_t own = 0, swapped = 0;
    const struct quire_anon *anon;
    for (uint64_t i = 0; (anon = quire_radix_next(&space->anons, &i)) != NULL; i++) {
        own += anon->home == space;
        swapped += anon->home == space && !anon->page;
    }
    CHECK(t->q, own + space->inherited == space->anons.count);
    CHECK(t->q, swapped == space->swapped);
    CHECK(t->q, t->homes >= own);
    t->homes -= own;
}

static void audit_space(struct tally *t, struct quire_space *space) {
    struct quire *q = t->q;
    quire_regions_audit(space);
    CHECK(q, quire_radix_check(&space->anons));
    t->resident = t->locked = 0;
    audit_regions(t, space);
    CHECK(q, t->resident == space->resident[0] + space->resident[1] + space->resident[2]);
    CHECK(q, t->resident == space->resident_all && t->resident <= space->peak_resident);
    t->huges += quire_huge_audit(space);
    audit_places(t, space);
    CHECK(q, t->rmaps >= t->resident);
    t->rmaps -= t->resident; /* every entry is some space's: none is left at the end */
    t->tables += space->tables;
}

void quire_vm_audit(struct quire *q, uint64_t *slots_held) {
    struct quire_vm *vm = q->vm;
    struct tally t = {.q = q};
    walk_all_anons(&t, true);
    CHECK(q, t.anons == vm->nanons); /* none with references that nobody has: anon.c I5 */
    quire_swap_audit_alone(q);
    walk_all_anons(&t, false);
    audit_objects(&t);
    for (struct quire_list *link = vm->spaces.next; link != &vm->spaces; link = link->next) {
        audit_space(&t, QUIRE_CONTAINER(link, struct quire_space, link));
    }
    CHECK(q, t.rmaps == 0 && t.homes == 0);
    for (struct quire_list *link = vm->dirty_objects.next; link != &vm->dirty_objects;
         link = link->next) { /* flush.c I1 */
        CHECK(q, QUIRE_CONTAINER(link, struct quire_object, dirty_link)->ndirty);
        CHECK(q, t.dirty_objects-- > 0);
    }
    CHECK(q, t.dirty_objects == 0);
    CHECK(q, t.huges == vm->nhuges); /* huge.c I3 */
    CHECK(q, t.swapped == vm->swapped && t.dirty == vm->dirty);
    CHECK(q, t.mlocked == vm->mlocked && t.lazyfree == vm->lazyfree);
    CHECK(q, t.mapped_file == vm->mapped_file && t.committed == vm->committed);
    CHECK(q, t.anon_pages == quire_page_count(q, QUIRE_USE_ANON));
    CHECK(q, t.shm_pages == quire_page_count(q, QUIRE_USE_SHMEM));
    CHECK(q, t.file_pages == quire_page_count(q, QUIRE_USE_FILE));
    CHECK(q, t.tables == quire_page_count(q, QUIRE_USE_TABLE));
    for (unsigned i = 0; i < vm->stash.count; i++) { /* space.c I2 */
        CHECK(q, vm->stash_pages[i]->use == QUIRE_USE_KERNEL);
        CHECK(q, quire_page_frame(q, vm->stash_pages[i]).number == vm->stash.frames[i].number);
    }
    *slots_held = t.slots;
}
