/* object.c: objects: made, referred to, kept coherent with read() and write(), cut, given up.
 *
 * An object is what lies behind a mapping with a name: a file, whose bytes a pager moves, or shared
 * anonymous memory. Regions and the embedder hold references; the cache of a file lives as long as
 * the object does, so an embedder who wants a cache between two mappings keeps a reference.
 *
 *     region --.                       .--> page 0   frame (file) or anon (shm)
 *     region ---+--> object: pages ---+--> page 7
 *     os, view -'        pager         '--> page 8
 *
 * Invariants:
 *   I1  refs > 0 as long as it is on vm->objects; each region on object->regions holds one
 *   I2  no page is mapped when the last reference goes: who maps it is a region
 *   I3  a shm object's size is counted in vm->committed
 *
 * What may fail: creation, and to grow shared memory. The last unref writes dirty pages; what the
 * pager refuses then is lost and logged, as there is nobody left to be told. Public calls; audited
 * by audit.c.
 */
#include "vm/object.h"

#include "kmem/slab.h"
#include "page/lru.h"
#include "vm/anon.h"
#include "vm/change.h"
#include "vm/commit.h"
#include "vm/rmap.h"
#include "vm/space.h"

enum quire_status quire_vm_object_create(struct quire *q, const struct quire_pager *pager,
                                         void *context, uint64_t shm_bytes,
                                         const struct quire_object_info *info,
                                         struct quire_object **out) {
    struct quire_vm *vm = q->vm;
    if (!pager && quire_commit_check(q, quire_pages(quire_round_up(shm_bytes)), 0) != QUIRE_OK) {
        return QUIRE_NOROOM;
    }
    struct quire_object *object = quire_cache_alloc(vm->object_cache);
    if (!object) {
        return QUIRE_NOMEM;
    }
    *object = (struct quire_object){
        .q = q, .id = ++vm->next_id, .refs = 1, .shm = !pager, .context = context};
    if (pager) {
        object->pager = *pager;
    } else {
        object->size_pages = quire_pages(quire_round_up(shm_bytes));
        vm->committed += object->size_pages; /* I3 */
    }
    if (info) {
        object->info = *info;
    }
    quire_list_init(&object->regions);
    quire_radix_init(&object->pages, &vm->nodes);
    quire_list_add_before(&vm->objects, &object->link);
    *out = object;
    return QUIRE_OK;
}

void quire_object_ref(struct quire_object *object) {
    object->refs++;
}

bool quire_object_is_mapped(const struct quire_object *object) {
    return !quire_list_empty(&object->regions);
}

/* The last reference to a file is gone: store what is dirty, drop the rest. */
static void give_up_pages(struct quire_object *object) {
    struct quire *q = object->q;
    struct quire_page *page;
    bool lost = false;
    for (uint64_t index = 0; (page = quire_radix_next(&object->pages, &index)) != NULL; index++) {
        CHECK(q, !page->nmaps); /* I2 */
        lost |= quire_file_write_back(object, page) != QUIRE_OK;
        quire_file_forget(object, page);
        quire_anon_free_page(q, page);
    }
    if (lost) {
        quire_mach_log(q->machine, "quire: a file could not be written back; data is lost");
    }
}

void quire_object_unref(struct quire_object *object) {
    struct quire *q = object->q;
    CHECK(q, object->refs); /* I1 */
    if (--object->refs) {
        if (object->refs == 1 && object->pager.unmapped && !quire_object_is_mapped(object)) {
            object->pager.unmapped(object->context); /* which may be the end of the object */
        }
        return;
    }
    CHECK(q, !quire_object_is_mapped(object)); /* I1 */
    if (object->shm) {
        quire_shm_cut(object, 0, UINT64_MAX);
        q->vm->committed -= object->size_pages;
    } else {
        give_up_pages(object);
        if (object->pager.release) {
            object->pager.release(object->context);
        }
    }
    CHECK(q, !object->pages.count);
    quire_radix_clear(&object->pages, 0, UINT64_MAX, NULL, NULL); /* empty nodes */
    quire_list_remove(&object->link);
    quire_cache_free(q->vm->object_cache, object);
}

const struct quire_object_info *quire_object_info(const struct quire_object *object) {
    return &object->info;
}

void quire_object_usage(struct quire_object *object, struct quire_object_usage *usage) {
    *usage = (struct quire_object_usage){.dirty = object->ndirty};
    for (uint64_t index = 0; quire_radix_next(&object->pages, &index) != NULL; index++) {
        const struct quire_page *page = quire_object_page(object, index);
        usage->resident += page != NULL;
        usage->swapped += page == NULL;
        usage->dirty += page && object->shm && (page->flags & QUIRE_PAGE_DIRTY);
    }
    for (struct quire_list *each = object->regions.next; each != &object->regions;
         each = each->next) {
        usage->regions++;
    }
}

struct quire_page *quire_object_page(struct quire_object *object, uint64_t index) {
    void *value = quire_radix_get(&object->pages, index);
    if (object->shm && value) {
        return ((struct quire_anon *)value)->page;
    }
    return value;
}

/* ---- coherence with read() and write() ----------------------------------------------------- */

/* For each cached page in the range: copy between it and bytes, in one direction. */
static void copy_range(struct quire_object *object, uint64_t offset, uint8_t *to_bytes,
                       const uint8_t *from_bytes, size_t nbytes) {
    if (!nbytes) {
        return;
    }
    uint64_t end = offset + nbytes, index = quire_pages(offset);
    struct quire_page *page;
    for (; (page = quire_radix_next(&object->pages, &index)) != NULL; index++) {
        uint64_t page_start = index << QUIRE_PAGE_SHIFT;
        if (page_start >= end) {
            return;
        }
        uint64_t first = page_start > offset ? page_start : offset;
        uint64_t last = end - page_start < QUIRE_PAGE_SIZE ? end : page_start + QUIRE_PAGE_SIZE;
        uint8_t *window = quire_page_window(object->q, page);
        if (to_bytes) {
            __builtin_memcpy(to_bytes + (first - offset), window + (first - page_start),
                             (size_t)(last - first));
        } else {
            __builtin_memcpy(window + (first - page_start), from_bytes + (first - offset),
                             (size_t)(last - first));
        }
    }
}

void quire_object_overlay(struct quire_object *object, uint64_t offset_bytes, void *bytes,
                          size_t nbytes) {
    CHECK(object->q, !object->shm);
    copy_range(object, offset_bytes, bytes, NULL, nbytes);
}

/* A clean page stays clean: the file has these bytes already. */
void quire_object_update(struct quire_object *object, uint64_t offset_bytes, const void *bytes,
                         size_t nbytes) {
    CHECK(object->q, !object->shm);
    copy_range(object, offset_bytes, NULL, bytes, nbytes);
}

/* ---- truncate ------------------------------------------------------------------------------ */

/* Private copies of pages past the end go too (Linux: unmap_mapping_range with even_cows), so that
 * an access there is QUIRE_BUS for everybody. */
static void cut_private_copies(struct quire_object *object, uint64_t first) {
    struct quire_list *link = object->regions.next;
    for (; link != &object->regions; link = link->next) {
        struct quire_region *region = QUIRE_CONTAINER(link, struct quire_region, object_link);
        uint64_t npages = quire_pages(region->end - region->start);
        uint64_t keep = first > region->page_offset ? first - region->page_offset : 0;
        if (!(region->flags & QUIRE_MAP_SHARED) && keep < npages) {
            quire_change_drop(region->space, region, region->start + (keep << QUIRE_PAGE_SHIFT),
                              region->end);
        }
    }
}

static void zero_tail(struct quire_object *object, uint64_t size_bytes) {
    uint64_t inside = size_bytes & QUIRE_PAGE_MASK;
    struct quire_page *page = quire_object_page(object, quire_pages(size_bytes));
    if (inside && page) {
        __builtin_memset((uint8_t *)quire_page_window(object->q, page) + inside, 0,
                         (size_t)(QUIRE_PAGE_SIZE - inside));
    }
}

/* A file's page goes, with what was written to it. */
static void discard(struct quire_object *object, struct quire_page *page) {
    quire_rmap_unmap_all(object->q, page);
    quire_file_forget(object, page);
    quire_anon_free_page(object->q, page);
}

/* A shm object's size is in whole pages: its last one keeps its bytes. */
enum quire_status quire_object_truncate(struct quire_object *object, uint64_t size_bytes) {
    struct quire *q = object->q;
    uint64_t first = quire_pages(size_bytes) + ((size_bytes & QUIRE_PAGE_MASK) != 0);
    struct quire_page *page;
    if (object->shm && quire_commit_check(q, first - object->size_pages, 0) != QUIRE_OK) {
        return QUIRE_NOROOM;
    }
    cut_private_copies(object, first);
    if (object->shm) {
        quire_shm_cut(object, first, UINT64_MAX);
        q->vm->committed += first - object->size_pages;
        object->size_pages = first;
    } else {
        uint64_t index = first;
        for (; (page = quire_radix_next(&object->pages, &index)) != NULL; index++) {
            discard(object, page);
        }
        zero_tail(object, size_bytes);
    }
    return QUIRE_OK;
}

/* A pager knows no holes: what is told it is a page of zeros, as far as the file goes. */
static enum quire_status punch_file(struct quire_object *object, uint64_t first, uint64_t end) {
    const void *zeros = quire_page_window(object->q, object->q->vm->zero);
    uint64_t size = object->pager.size ? object->pager.size(object->context) : UINT64_MAX;
    for (; first < end && first << QUIRE_PAGE_SHIFT < size; first++) {
        struct quire_page *page = quire_object_page(object, first);
        enum quire_status status =
            object->pager.write(object->context, first << QUIRE_PAGE_SHIFT, zeros);
        if (status != QUIRE_OK) {
            object->q->counters.io_error++;
            return QUIRE_IO;
        }
        if (page) {
            discard(object, page);
        }
    }
    return QUIRE_OK;
}

enum quire_status quire_object_punch(struct quire_object *object, uint64_t first, uint64_t end) {
    if (!object->shm) {
        return punch_file(object, first, end);
    }
    quire_shm_cut(object, first, end - 1);
    return QUIRE_OK;
}
