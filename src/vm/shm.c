/* shm.c: shared anonymous memory: an object whose pages are anons.
 *
 * What MAP_SHARED without a file, memfd and System V segments stand on. The object's sparse array
 * is the one place that refers to each anon (refs = 1); every mapping looks through it, so that all
 * see the same page, in RAM or on swap. A page comes at its first access, read or write: unlike
 * private memory it can't stand for the zero page, since a later write of another space must be
 * seen here.
 *
 * A locked object keeps what is in RAM there (lock.c).
 *
 * What may fail: quire_shm_get. Called by fault.c and object.c; audited by audit.c.
 */
#include "vm/anon.h"
#include "vm/lock.h"
#include "vm/object.h"
#include "vm/rmap.h"
#include "vm/space.h"

/* First access: a page of zeros. */
static enum quire_status create(struct quire_object *object, uint64_t index,
                                struct quire_anon **out) {
    struct quire *q = object->q;
    struct quire_page *page = quire_page_alloc(q, 0, QUIRE_USE_SHMEM, QUIRE_ALLOC_USER);
    if (!page) {
        return QUIRE_NOMEM;
    }
    struct quire_anon *anon = quire_anon_create(q, page, NULL);
    if (!anon) {
        quire_page_free(q, page);
        return QUIRE_NOMEM;
    }
    if (quire_radix_set(&object->pages, index, anon) != QUIRE_OK) {
        quire_anon_put(q, anon);
        return QUIRE_NOMEM;
    }
    page->index = index;
    quire_mach_zero(q->machine, quire_page_frame(q, page));
    anon->kept = object->locked;
    quire_lock_or_list(q, anon, 0);
    quire_space_note_demand(q);
    *out = anon;
    return QUIRE_OK;
}

enum quire_status quire_shm_get(struct quire_object *object, uint64_t index,
                                struct quire_anon **out, bool *major) {
    struct quire_anon *anon = quire_radix_get(&object->pages, index);
    enum quire_status status = QUIRE_OK;
    if (index >= object->size_pages) {
        return QUIRE_BUS;
    }
    if (!anon) {
        return create(object, index, out);
    }
    if (!anon->page) {
        const struct quire_around around = {&object->pages, index, 0, object->size_pages,
                                            &object->readahead};
        status = quire_anon_swap_in_around(object->q, anon, QUIRE_USE_SHMEM, &around);
        *major = true;
    } else {
        quire_anon_came(object->q, anon->page, index, &object->readahead);
    }
    *out = anon;
    return status;
}

static void drop(void *context, uint64_t index, void *value) {
    struct quire *q = context;
    struct quire_anon *anon = value;
    (void)index;
    anon->kept = false;
    if (anon->page) {
        quire_rmap_unmap_all(q, anon->page);
        quire_lock_review(q, anon->page);
    }
    quire_anon_put(q, anon);
}

enum quire_status quire_object_lock(struct quire_object *object, bool locked) {
    struct quire_anon *anon;
    if (!object->shm) {
        return QUIRE_INVAL;
    }
    object->locked = locked;
    for (uint64_t index = 0; (anon = quire_radix_next(&object->pages, &index)) != NULL; index++) {
        anon->kept = locked;
        if (anon->page && locked) {
            quire_lock_page(object->q, anon->page);
        } else if (anon->page) {
            quire_lock_review(object->q, anon->page);
        }
    }
    return QUIRE_OK;
}

void quire_shm_cut(struct quire_object *object, uint64_t first, uint64_t last) {
    quire_radix_clear(&object->pages, first, last, drop, object->q);
}
