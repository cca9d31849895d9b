/* file.c: the pages of a file object: read in, dirtied, written back, forgotten.
 *
 * A file's frames are cached in its object by page number and shared by all who map it. They are
 * mapped without write permission until the first write through a shared mapping faults: the fault
 * marks the page dirty, so that nobody has to ask the machine which pages were modified. Writing
 * back first takes the permission away again; a write that comes later faults and marks it anew.
 *
 *     none --read--> clean --write fault--> dirty --write_back--> clean --forget--> none
 *
 * Invariants:
 *   I1  a cached page has use FILE, owner the object, index its number, and its bytes are those of
 *       the file, zeros beyond its end, but for what was written through shared mappings
 *   I2  a mapping with write permission only if QUIRE_PAGE_DIRTY
 *   I3  object->ndirty and vm->dirty count dirty pages
 *
 * What may fail: quire_file_get for memory or the pager, quire_file_write_back for the pager.
 * Called by fault.c, object.c, evict.c, change.c. Audited by audit.c.
 */
#include "base/stall.h"
#include "page/lru.h"
#include "vm/anon.h"
#include "vm/object.h"
#include "vm/rmap.h"
#include "vm/space.h"

/* The page lies wholly past the end of the file. A page number that a page cannot carry is,
 * too. */
static bool past_end(const struct quire_object *object, uint64_t index) {
    uint64_t size = object->pager.size ? object->pager.size(object->context) : UINT64_MAX;
    return index > QUIRE_INDEX_MAX || index << QUIRE_PAGE_SHIFT >= size;
}

/* Bring a page in. A slot in the sparse array is made sure of before the pager works, so that what
 * was read can't be lost for lack of memory. */
static enum quire_status read_in(struct quire_object *object, uint64_t index,
                                 struct quire_page **out) {
    struct quire *q = object->q;
    enum quire_status status = QUIRE_NOMEM;
    if (past_end(object, index)) {
        return QUIRE_BUS;
    }
    struct quire_page *page = quire_page_alloc(q, 0, QUIRE_USE_FILE, QUIRE_ALLOC_USER);
    if (!page) {
        return QUIRE_NOMEM;
    }
    if (quire_radix_reserve(&object->pages, index) != QUIRE_OK) {
        goto undo;
    }
    uint32_t shadow = quire_shadow_take(q, object->id, index);
    uint64_t began = quire_stall_begin(q);
    enum quire_status read =
        object->pager.read(object->context, index << QUIRE_PAGE_SHIFT, quire_page_window(q, page));
    if (quire_shadow_is_workingset(shadow)) { /* it had to be read only because it was evicted */
        quire_stall_end(q, began);
    }
    if (read != QUIRE_OK) {
        q->counters.io_error++;
        status = QUIRE_BUS;
        goto undo;
    }
    status = quire_radix_set(&object->pages, index, page);
    CHECK(q, status == QUIRE_OK);
    page->owner = object;
    page->index = index;
    quire_lru_add(q, page, shadow);
    q->counters.file_in++;
    quire_trace(&q->trace, QUIRE_EVENT_FILE_IN, object->id, index);
    *out = page;
    return QUIRE_OK;
undo:
    quire_radix_trim(&object->pages, index);
    quire_page_free(q, page);
    return status;
}

enum quire_status quire_file_get(struct quire_object *object, uint64_t index,
                                 struct quire_page **page, bool *major) {
    *page = quire_radix_get(&object->pages, index);
    if (*page) {
        return QUIRE_OK;
    }
    *major = true;
    return read_in(object, index, page);
}

/* I3 */
static void set_dirty(struct quire_object *object, struct quire_page *page, bool dirty) {
    if (dirty == ((page->flags & QUIRE_PAGE_DIRTY) != 0)) {
        return;
    }
    page->flags ^= QUIRE_PAGE_DIRTY;
    if (dirty) {
        object->q->vm->dirty++;
        if (object->ndirty++ == 0) {
            quire_flush_note(object, true);
        }
    } else {
        object->q->vm->dirty--;
        if (--object->ndirty == 0) {
            quire_flush_note(object, false);
        }
    }
}

void quire_file_dirty(struct quire_object *object, struct quire_page *page) {
    set_dirty(object, page, true);
}

enum quire_status quire_file_write_back(struct quire_object *object, struct quire_page *page) {
    struct quire *q = object->q;
    if (!(page->flags & QUIRE_PAGE_DIRTY)) {
        return QUIRE_OK;
    }
    quire_rmap_write_protect(page); /* I2 holds when the flag goes */
    CHECK(q, object->pager.write);  /* else nobody could map it to write */
    if (object->pager.write(object->context, (uint64_t)page->index << QUIRE_PAGE_SHIFT,
                            quire_page_window(q, page)) != QUIRE_OK) {
        q->counters.io_error++;
        return QUIRE_IO;
    }
    set_dirty(object, page, false);
    q->counters.file_out++;
    quire_trace(&q->trace, QUIRE_EVENT_FILE_OUT, object->id, page->index);
    return QUIRE_OK;
}

void quire_file_forget(struct quire_object *object, struct quire_page *page) {
    set_dirty(object, page, false);
    struct quire_page *was = quire_radix_remove(&object->pages, page->index);
    CHECK(object->q, was == page); /* I1 */
    page->owner = NULL;
}
