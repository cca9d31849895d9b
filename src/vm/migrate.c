/* migrate.c: a page's contents to another frame, with all that knows where they are.
 *
 * Compaction (reclaim/compact.c) makes large free blocks by moving what lies between the free
 * frames. Nothing is unmapped for long: calls on one manager do not overlap, so no program looks
 * while the bytes are on their way, and each mapping is replaced by one to the new frame.
 *
 *     before   owner ──▶ from ──rmap──▶ {space A, va}, {space B, va}     to: fresh
 *     copy the bytes; the owner points to the new page; the chain of mappings, the flags and the
 *     place on the list move with it; then each mapping that the machine knows is entered anew
 *     after    owner ──▶ to   ──rmap──▶ {space A, va}, {space B, va}     from: free to go
 *
 * Of a private page or one of shared memory the owner is its anon (whatever places refer to that
 * need not be touched), of a file's page the object's sparse array. A copy on swap belongs to the
 * anon, not to the frame, and stays good.
 *
 * Invariants:
 *   I1  when it returns nothing refers to the old frame
 *   I2  mappings keep their permissions: what could not be written before cannot be after
 *   I3  what has pins, no owner, or is part of a block of 2 MiB does not move (huge.c: that its
 *       frames lie in a row is worth more than what compaction would make of them)
 *
 * Nothing can fail, as nothing is allocated: what could stand in the way is asked before (I3).
 * Called by reclaim/compact.c. Audited by audit.c (page->owner, rmap against pmap_query).
 */
#include "page/lru.h"
#include "vm/anon.h"
#include "vm/huge.h"
#include "vm/object.h"
#include "vm/rmap.h"

/* I3. One entry of a page table maps more than this page, in whatever space. */
static bool in_block(const struct quire_page *page) {
    for (const struct quire_rmap *entry = &page->rmap; page->nmaps && entry; entry = entry->next) {
        if (quire_huge_at(entry->space, entry->va.value)) {
            return true;
        }
    }
    return false;
}

bool quire_vm_migratable(const struct quire_page *page) {
    return page->use >= QUIRE_USE_ANON && page->order == 0 && page->owner && !page->pins &&
           !(page->flags & QUIRE_PAGE_RECLAIM) && !in_block(page);
}

/* The owner points to the new page. Replacing an entry of a sparse array needs no memory. */
static void tell_owner(struct quire *q, struct quire_page *from, struct quire_page *to) {
    if (from->use == QUIRE_USE_FILE) {
        struct quire_object *object = from->owner;
        enum quire_status status = quire_radix_set(&object->pages, from->index, to);
        CHECK(q, status == QUIRE_OK);
    } else {
        struct quire_anon *anon = from->owner;
        CHECK(q, anon->page == from);
        anon->page = to;
    }
}

/* Each mapping that the machine has is replaced: its tables are there, so no frame is needed. One
 * that it has forgotten comes back by a fault. */
static void remap(struct quire_page *to) {
    for (struct quire_rmap *entry = &to->rmap; to->nmaps && entry; entry = entry->next) {
        struct quire_pmap_entry now = {.mapped = false};
        quire_mach_pmap_query(entry->space->pmap, entry->va, &now);
        if (now.mapped) {
            quire_space_enter(entry->space, entry->va.value, to, now.prot); /* I2 */
        }
    }
}

void quire_vm_migrate(struct quire *q, struct quire_page *from, struct quire_page *to) {
    CHECK(q, from->use == to->use && !to->owner && !to->nmaps);
    CHECK(q, quire_vm_migratable(from)); /* I3 */
    quire_mach_copy(q->machine, quire_page_frame(q, to), quire_page_frame(q, from));
    tell_owner(q, from, to);
    to->owner = from->owner;
    to->index = from->index;
    to->rmap = from->rmap;
    to->nmaps = from->nmaps;
    to->flags |= from->flags & (QUIRE_PAGE_DIRTY | QUIRE_PAGE_LOCKED | QUIRE_PAGE_LAZYFREE);
    if (from->flags & QUIRE_PAGE_LRU) {
        quire_lru_replace(q, from, to); /* and the flags of its list */
    }
    from->owner = NULL; /* I1 */
    from->nmaps = 0;
    from->rmap.space = NULL;
    from->flags = 0;
    remap(to);
    quire_trace(&q->trace, QUIRE_EVENT_MIGRATE, quire_page_frame(q, from).number,
                quire_page_frame(q, to).number);
}
