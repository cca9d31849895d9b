/* object.h: what can be mapped: files (frames cached by offset) and shared anonymous memory (anons
 * by offset). For the files of this room; users see quire/space.h.
 */
#ifndef QUIRE_VM_OBJECT_H
#define QUIRE_VM_OBJECT_H

#include <quire/space.h>

#include "base/list.h"
#include "base/radix.h"
#include "page/page.h"
#include "vm/vm.h"

struct quire_object {
    struct quire *q;
    struct quire_list link;    /* vm->objects */
    struct quire_list regions; /* that map it: struct quire_region.object_link */
    uint64_t id;               /* never used twice: what shadows are found by */
    uint64_t refs;
    bool shm;
    bool locked;              /* shm: its pages stay in RAM */
    struct quire_pager pager; /* a file's */
    void *context;
    struct quire_object_info info;
    struct quire_radix pages; /* page number -> struct quire_page (file), struct quire_anon (shm) */
    uint64_t size_pages;      /* shm */
    uint64_t readahead;       /* shm: readahead.c's own */
    uint64_t ndirty;          /* file: pages with QUIRE_PAGE_DIRTY */
    /* flush.c: while ndirty is not 0 */
    struct quire_list dirty_link; /* vm->dirty_objects */
    uint64_t dirtied_ns;          /* since when */
    uint64_t flush_at;            /* page number where the flusher goes on */
};

/* The resident page, or NULL. O(1) near the last one. */
struct quire_page *quire_object_page(struct quire_object *object, uint64_t index);

/* The pages from first on, below end, are zeros from now on, for all who map or read the object.
 * Copies that private mappings made stay. QUIRE_IO: a file's pager could not store zeros; what lies
 * before that page is done. => shm, or the pager can write. O(pages of the range). */
enum quire_status quire_object_punch(struct quire_object *object, uint64_t first, uint64_t end);

/* ---- file.c -------------------------------------------------------------------------------- */

/* The page, read in if need be (*major is set then). QUIRE_NOMEM, QUIRE_BUS. May do I/O. */
enum quire_status quire_file_get(struct quire_object *object, uint64_t index,
                                 struct quire_page **page, bool *major);
/* It is about to be written through a shared mapping. */
void quire_file_dirty(struct quire_object *object, struct quire_page *page);
/* Take write permission from its mappings and store it, if it is dirty. QUIRE_IO: still dirty. */
enum quire_status quire_file_write_back(struct quire_object *object, struct quire_page *page);
/* The object forgets the page, whose bytes are the caller's to give up. => not mapped */
void quire_file_forget(struct quire_object *object, struct quire_page *page);

/* ---- flush.c ------------------------------------------------------------------------------- */

/* The object has its first dirty page now, or lost its last. */
void quire_flush_note(struct quire_object *object, bool dirty);

/* ---- shm.c --------------------------------------------------------------------------------- */

/* The anon of a page, made and filled with zeros, or swapped in if need be. QUIRE_NOMEM, QUIRE_BUS.
 */
enum quire_status quire_shm_get(struct quire_object *object, uint64_t index,
                                struct quire_anon **anon, bool *major);
/* Drop all pages from index first to last. Unmaps them. */
void quire_shm_cut(struct quire_object *object, uint64_t first, uint64_t last);

#endif
