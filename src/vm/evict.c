/* evict.c: what reclaim can do with one page: was it used, make it clean, take it away; and
 * swapoff.
 *
 *     reclaim: tail of a list -> harvest -> clean (swap or file) -> detach -> free
 *                                  |used       |QUIRE_IO, NOMEM
 *                                  v           v
 *                               keep it     keep it, it is whole
 *
 * Clean first takes write permission everywhere, then writes: whoever writes after that faults,
 * which makes the page dirty again (fault.c I1); so a page that is clean when it is detached has
 * the same bytes in its slot or file. A page is detached only when the copy is safe.
 *
 * What may fail: clean and swap_back, as vm.h says. Called by reclaim/ and core/. Audited by
 * audit.c.
 */
#include "page/lru.h"
#include "vm/anon.h"
#include "vm/object.h"
#include "vm/rmap.h"
#include "vm/space.h"

bool quire_vm_harvest(struct quire *q, struct quire_page *page) {
    (void)q;
    return quire_rmap_harvest(page);
}

bool quire_vm_reclaimable(struct quire *q, struct quire_page *page) {
    (void)q;
    bool ours =
        page->use == QUIRE_USE_ANON || page->use == QUIRE_USE_SHMEM || page->use == QUIRE_USE_FILE;
    return ours && page->owner && !page->pins && !(page->flags & QUIRE_PAGE_LOCKED);
}

/* A page that MADV_FREE was said of, and that is still the space's own: it needs no copy. */
static bool may_be_dropped(const struct quire_page *page) {
    const struct quire_anon *anon = page->owner;
    return (page->flags & QUIRE_PAGE_LAZYFREE) && anon->refs == 1 && page->nmaps == 1;
}

static enum quire_status clean_anon(struct quire *q, struct quire_page *page) {
    struct quire_anon *anon = page->owner;
    if (may_be_dropped(page)) {
        return QUIRE_OK;
    }
    if (page->flags & QUIRE_PAGE_LAZYFREE) { /* fork shares it: the other never agreed */
        quire_anon_dirty(q, anon);
    }
    if (!(page->flags & QUIRE_PAGE_DIRTY)) {
        return QUIRE_OK;
    }
    quire_rmap_write_protect(page);
    enum quire_status status = quire_swap_out(q, anon);
    if (status == QUIRE_OK) {
        page->flags &= (uint8_t)~QUIRE_PAGE_DIRTY;
    }
    return status;
}

enum quire_status quire_vm_clean(struct quire *q, struct quire_page *page) {
    CHECK(q, quire_vm_reclaimable(q, page));
    if (page->use == QUIRE_USE_FILE) {
        return quire_file_write_back(page->owner, page);
    }
    return clean_anon(q, page);
}

/* Its place becomes empty again: the next access finds zeros. The reverse map knows the place. */
static void drop_lazy(struct quire *q, struct quire_page *page) {
    struct quire_anon *anon = page->owner;
    struct quire_space *space = page->rmap.space;
    uint64_t vpn = quire_pages(page->rmap.va.value);
    CHECK(q, may_be_dropped(page));
    quire_rmap_unmap_all(q, page);
    void *was = quire_radix_remove(&space->anons, vpn);
    CHECK(q, was == anon);
    quire_anon_leave(space, anon);
    quire_anon_not_lazy(q, page);
    page->owner = NULL;
    anon->page = NULL;
    quire_anon_forget(q, anon);
    q->counters.pglazyfreed++;
}

void quire_vm_leave_shadow(struct quire *q, struct quire_page *page, uint32_t shadow) {
    if (page->use != QUIRE_USE_FILE) {
        ((struct quire_anon *)page->owner)->shadow = shadow;
    } else if (shadow != 0) {
        quire_shadow_put(q, ((const struct quire_object *)page->owner)->id, page->index, shadow);
    }
}

/* Text of a program: a file page that its first mapping allows to run. Everything else waits for
 * it, so what of it is in use is protected more than data is (as Linux does: VM_EXEC). */
bool quire_vm_is_text(const struct quire_page *page) {
    if (page->use != QUIRE_USE_FILE || page->nmaps == 0) {
        return false;
    }
    struct quire_pmap_entry entry;
    quire_mach_pmap_query(quire_space_pmap(page->rmap.space), page->rmap.va, &entry);
    return entry.mapped && (entry.prot & QUIRE_PROT_EXEC);
}

void quire_vm_detach(struct quire *q, struct quire_page *page) {
    CHECK(q, quire_vm_reclaimable(q, page));
    CHECK(q, !(page->flags & (QUIRE_PAGE_DIRTY | QUIRE_PAGE_LRU)));
    if (page->flags & QUIRE_PAGE_LAZYFREE) {
        drop_lazy(q, page);
        return;
    }
    quire_rmap_unmap_all(q, page);
    if (page->use == QUIRE_USE_FILE) {
        quire_file_forget(page->owner, page);
    } else {
        struct quire_anon *anon = page->owner;
        CHECK(q, anon->page == page && !quire_slot_is_none(anon->slot));
        anon->page = NULL;
        page->owner = NULL;
        quire_anon_count_swapped(q, anon, 1);
    }
}

/* ---- swapoff ------------------------------------------------------------------------------- */

/* One anon off the device: into a page if it has none, and the slot goes. */
static enum quire_status bring_back(struct quire *q, struct quire_anon *anon, unsigned device,
                                    enum quire_page_use use) {
    if (quire_slot_is_none(anon->slot) || !quire_swap_slot_on(q, anon->slot, device)) {
        return QUIRE_OK;
    }
    if (!anon->page) {
        enum quire_status status = quire_anon_swap_in(q, anon, use);
        if (status != QUIRE_OK) {
            return status == QUIRE_BUS ? QUIRE_IO : status;
        }
    }
    quire_anon_dirty(q, anon);
    return QUIRE_OK;
}

/* All anons of one array. A page that can't be read is passed over, so that the others are saved.
 */
static enum quire_status bring_back_all(struct quire *q, struct quire_radix *anons, unsigned device,
                                        enum quire_page_use use) {
    enum quire_status result = QUIRE_OK;
    struct quire_anon *anon;
    for (uint64_t i = 0; (anon = quire_radix_next(anons, &i)) != NULL; i++) {
        enum quire_status status = bring_back(q, anon, device, use);
        if (status == QUIRE_NOMEM) {
            return status;
        }
        result = result == QUIRE_OK ? status : result;
    }
    return result;
}

enum quire_status quire_vm_swap_back(struct quire *q, unsigned device) {
    enum quire_status result = QUIRE_OK, status = QUIRE_OK;
    struct quire_list *link = q->vm->spaces.next;
    for (; link != &q->vm->spaces && status != QUIRE_NOMEM; link = link->next) {
        struct quire_space *space = QUIRE_CONTAINER(link, struct quire_space, link);
        status = bring_back_all(q, &space->anons, device, QUIRE_USE_ANON);
        result = status == QUIRE_OK ? result : status;
    }
    link = q->vm->objects.next;
    for (; link != &q->vm->objects && status != QUIRE_NOMEM; link = link->next) {
        struct quire_object *object = QUIRE_CONTAINER(link, struct quire_object, link);
        if (object->shm) {
            status = bring_back_all(q, &object->pages, device, QUIRE_USE_SHMEM);
            result = status == QUIRE_OK ? result : status;
        }
    }
    quire_vm_charge_stall(q, NULL); /* no program waited */
    return result;
}
