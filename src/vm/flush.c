/* flush.c: dirty file pages go to their files before anybody has to wait for it.
 *
 * What programs write through shared mappings is dirty until it is stored. msync stores it, and so
 * does reclaim when it wants the frame; this file does it in between, in the tick, so that a crash
 * costs little and reclaim finds clean pages. Objects with dirty pages wait in a queue, in the
 * order in which they became dirty:
 *
 *     oldest [ A ] - [ B ] - [ C ] newest          pages of A are written from where it stopped
 *
 *     dirty pages:   0 ─────── background ─────── limit ──────▶
 *                    after 30 s      a batch a tick      whoever dirties more waits (wants_tick)
 *
 * The two marks are 10 and 20 percent of what could be dirty (free and file pages), the age 30
 * seconds, all as Linux's vm.dirty_background_ratio, _ratio and _expire_centisecs.
 *
 * Invariants:
 *   I1  an object is in vm->dirty_objects exactly if its ndirty is not 0
 *   I2  a tick writes at most a batch, unless the limit is exceeded: then what is above it too
 *   I3  an object that could not be written goes to the end of the queue, and nothing is tried for
 *       a second: a broken file holds up no other, and burns no time
 *
 * What may fail: the pagers; pages stay dirty then. Called by core/trap.c; audited by audit.c.
 */
#include "base/check.h"
#include "vm/object.h"
#include "vm/space.h"

#define BATCH_PAGES ((uint64_t)64)
#define EXPIRE_NS   ((uint64_t)30 * 1000000000)
#define BACKOFF_NS  ((uint64_t)1000000000)
/* Parts of 256: 10 and 20 percent without a division. */
#define BACKGROUND_SHARE 26
#define LIMIT_SHARE      51

static uint64_t share_of(const struct quire *q, uint64_t share) {
    uint64_t dirtyable = quire_page_count(q, QUIRE_USE_FREE) + quire_page_count(q, QUIRE_USE_FILE);
    return dirtyable * share >> 8;
}

static struct quire_object *oldest(const struct quire_vm *vm) {
    return quire_list_empty(&vm->dirty_objects)
               ? NULL
               : QUIRE_CONTAINER(vm->dirty_objects.next, struct quire_object, dirty_link);
}

void quire_flush_note(struct quire_object *object, bool dirty) {
    struct quire *q = object->q;
    if (dirty) {
        object->dirtied_ns = quire_mach_now_ns(q->machine);
        quire_list_add_before(&q->vm->dirty_objects, &object->dirty_link); /* I1 */
    } else {
        quire_list_remove(&object->dirty_link);
        object->flush_at = 0;
    }
}

/* To the end of the queue, as if it had become dirty now. */
static void requeue(struct quire_object *object, uint64_t now_ns) {
    quire_list_remove(&object->dirty_link);
    object->dirtied_ns = now_ns;
    quire_list_add_before(&object->q->vm->dirty_objects, &object->dirty_link);
}

/* Up to npages of the object's, from where the last batch ended. Fewer: it is through. */
static uint64_t flush_object(struct quire_object *object, uint64_t npages,
                             enum quire_status *status) {
    uint64_t written = 0;
    struct quire_page *page;
    *status = QUIRE_OK;
    while (written < npages && object->ndirty && *status == QUIRE_OK) {
        page = quire_radix_next(&object->pages, &object->flush_at);
        if (!page) {
            object->flush_at = 0;
            break;
        }
        if (page->flags & QUIRE_PAGE_DIRTY) {
            *status = quire_file_write_back(object, page);
            written += *status == QUIRE_OK;
        }
        object->flush_at = object->ndirty ? object->flush_at + 1 : 0;
    }
    return written;
}

/* At least npages from the oldest objects on, if there are so many. False: a file is broken. */
static bool flush_pages(struct quire *q, uint64_t npages, uint64_t now_ns) {
    struct quire_object *object;
    while (npages && (object = oldest(q->vm)) != NULL) {
        enum quire_status status;
        uint64_t written = flush_object(object, npages, &status);
        npages -= written;
        if (status != QUIRE_OK) {
            requeue(object, now_ns);
            q->vm->flush_after_ns = now_ns + BACKOFF_NS; /* I3 */
            return false;
        }
        if (object->ndirty && npages) { /* once through; these were dirtied behind us */
            requeue(object, now_ns);
        }
    }
    return true;
}

void quire_vm_flush(struct quire *q) {
    struct quire_vm *vm = q->vm;
    struct quire_object *object = oldest(vm);
    if (!object) {
        return;
    }
    uint64_t now_ns = quire_mach_now_ns(q->machine), limit = share_of(q, LIMIT_SHARE);
    if (now_ns < vm->flush_after_ns) {
        return;
    }
    uint64_t over = vm->dirty > limit ? vm->dirty - limit : 0;
    bool expired = now_ns - object->dirtied_ns >= EXPIRE_NS;
    if (over || expired || vm->dirty > share_of(q, BACKGROUND_SHARE)) {
        flush_pages(q, over > BATCH_PAGES ? over : BATCH_PAGES, now_ns); /* I2 */
    }
}

bool quire_vm_flush_wanted(const struct quire *q) {
    return q->vm->dirty && q->vm->dirty > share_of(q, LIMIT_SHARE) &&
           quire_mach_now_ns(q->machine) >= q->vm->flush_after_ns;
}

enum quire_status quire_object_sync(struct quire_object *object) {
    enum quire_status result = QUIRE_OK;
    struct quire_page *page;
    for (uint64_t i = 0; object->ndirty && (page = quire_radix_next(&object->pages, &i)); i++) {
        enum quire_status status = quire_file_write_back(object, page);
        result = result == QUIRE_OK ? status : result;
    }
    return result;
}

enum quire_status quire_sync_all(struct quire *q) {
    enum quire_status result = QUIRE_OK;
    struct quire_list *link = q->vm->dirty_objects.next;
    while (link != &q->vm->dirty_objects) {
        struct quire_object *object = QUIRE_CONTAINER(link, struct quire_object, dirty_link);
        link = link->next; /* the object leaves the queue with its last dirty page */
        enum quire_status status = quire_object_sync(object);
        result = result == QUIRE_OK ? status : result;
    }
    return result;
}
