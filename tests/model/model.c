/* model.c: an array that remembers. See model.h for why it is so plain.
 *
 * Rules are those of POSIX and Linux's manual pages, as space.h takes them over: mprotect(2)
 * changes what lies before a hole; madvise(2) passes over holes and reports them; truncate(2) takes
 * private copies beyond the new end away; a stack grows on an access below it, up to its limit and
 * keeping its gap; PROT_WRITE implies that one can read.
 */
#include "model.h"

#include <string.h>

static const uint8_t zero_cells[MODEL_CELLS];

const uint8_t *model_visible(const struct model *model, const struct model_page *page) {
    if (page->own)
        return page->cells;
    if (page->object >= 0)
        return model->objects[page->object].cells[page->index];
    return zero_cells;
}

/* ---- accesses -------------------------------------------------------------------------------- */

static bool past_end(const struct model *model, const struct model_page *page) {
    if (page->own || page->object < 0)
        return false;
    return page->index >= MODEL_OBJECT_PAGES ||
           (uint64_t)page->index * MODEL_CELLS >= model->objects[page->object].ncells;
}

/* Stores imply loads. */
static bool permits(unsigned prot, enum quire_access access) {
    return ((prot & QUIRE_PROT_WRITE ? prot | QUIRE_PROT_READ : prot) & access) != 0;
}

/* An access to an unmapped page: is there a stack above that may grow down to it? FAULT: no.
 * DENIED: yes, but it would not permit the access, and so it does not grow. */
static enum quire_status grow_stack(const struct model *model, struct model_space *space,
                                    unsigned page, enum quire_access access) {
    unsigned stack = page;
    while (stack < MODEL_PAGES && !space->pages[stack].mapped)
        stack++;
    if (stack == MODEL_PAGES || !(space->pages[stack].flags & QUIRE_MAP_GROWSDOWN))
        return QUIRE_FAULT;
    unsigned end = stack + 1;
    while (end < MODEL_PAGES && model_joined(&space->pages[end - 1], &space->pages[end]))
        end++;
    if (end - page > (space->stack_limit ? space->stack_limit : model->stack_limit_pages))
        return QUIRE_FAULT;
    for (unsigned below = page; below-- > 0;) {
        const struct model_page *neighbour = &space->pages[below];
        if (!neighbour->mapped)
            continue;
        if (neighbour->prot && !(neighbour->flags & QUIRE_MAP_GROWSDOWN) &&
            page - (below + 1) < model->stack_gap_pages)
            return QUIRE_FAULT;
        break;
    }
    if (!permits(space->pages[stack].prot, access))
        return QUIRE_DENIED;
    struct model_page fresh = space->pages[stack];
    fresh.own = fresh.lazy = fresh.held = false;
    for (unsigned i = page; i < stack; i++)
        space->pages[i] = fresh;
    return QUIRE_OK;
}

enum quire_status model_access(struct model *model, struct model_space *space, unsigned page,
                               enum quire_access access) {
    struct model_page *p = &space->pages[page];
    if (!p->mapped) {
        enum quire_status status = grow_stack(model, space, page, access);
        if (status != QUIRE_OK)
            return status;
    }
    if (!permits(p->prot, access))
        return QUIRE_DENIED;
    return past_end(model, p) ? QUIRE_BUS : QUIRE_OK;
}

void model_write(struct model *model, struct model_page *page, unsigned first, unsigned n,
                 uint8_t value) {
    uint8_t *cells = page->cells;
    if (page->flags & QUIRE_MAP_SHARED) {
        cells = model->objects[page->object].cells[page->index];
    } else if (!page->own) {
        memcpy(page->cells, model_visible(model, page), MODEL_CELLS);
        page->own = true;
    }
    page->lazy = false;
    page->held = page->held && page->prot; /* by force into PROT_NONE: its copy is mapped nowhere */
    memset(cells + first, value, n);
}

/* ---- regions --------------------------------------------------------------------------------- */

bool model_all_mapped(const struct model_space *space, unsigned page, unsigned n) {
    for (unsigned i = page; i < page + n; i++) {
        if (!space->pages[i].mapped)
            return false;
    }
    return true;
}

bool model_all_free(const struct model_space *space, unsigned page, unsigned n) {
    for (unsigned i = page; i < page + n; i++) {
        if (space->pages[i].mapped)
            return false;
    }
    return true;
}

bool model_joined(const struct model_page *first, const struct model_page *second) {
    return first->mapped && second->mapped && first->prot == second->prot &&
           first->flags == second->flags && first->object == second->object &&
           (first->object < 0 || first->index + 1 == second->index);
}

bool model_one_region(const struct model_space *space, unsigned page, unsigned n) {
    if (!space->pages[page].mapped)
        return false;
    for (unsigned i = page + 1; i < page + n; i++) {
        if (!model_joined(&space->pages[i - 1], &space->pages[i]))
            return false;
    }
    return true;
}

void model_map(struct model_space *space, unsigned page, unsigned n, unsigned prot, unsigned flags,
               int object, unsigned index) {
    for (unsigned i = 0; i < n; i++) {
        space->pages[page + i] = (struct model_page){
            .mapped = true,
            .prot = (unsigned char)prot,
            .flags = flags | space->lock_future,
            .object = (short)object,
            .index = object < 0 ? 0 : index + i,
        };
    }
}

void model_unmap(struct model_space *space, unsigned page, unsigned n) {
    memset(&space->pages[page], 0, n * sizeof space->pages[0]);
}

enum quire_status model_protect(struct model_space *space, unsigned page, unsigned n,
                                unsigned prot) {
    for (unsigned i = page; i < page + n; i++) {
        struct model_page *p = &space->pages[i];
        if (!p->mapped)
            return QUIRE_UNMAPPED;
        if ((prot & QUIRE_PROT_WRITE) && (p->flags & QUIRE_MAP_DENY_WRITE))
            return QUIRE_DENIED;
        p->prot = (unsigned char)prot;
    }
    return QUIRE_OK;
}

/* A page of an object is zeros for all who look through to it; nobody holds it any more. */
static void punch(struct model *model, int object, unsigned index) {
    memset(model->objects[object].cells[index], 0, MODEL_CELLS);
    for (unsigned s = 0; s < MODEL_SPACES; s++) {
        for (unsigned i = 0; i < MODEL_PAGES; i++) {
            struct model_page *page = &model->spaces[s].pages[i];
            if (page->mapped && page->object == object && page->index == index && !page->own)
                page->held = false;
        }
    }
}

/* What holds for a page holds for its region: a region that does not allow the advice ends it. */
static enum quire_status advise_page(struct model *model, struct model_space *space,
                                     struct model_page *page, enum quire_advice advice) {
    bool shared = (page->flags & QUIRE_MAP_SHARED) != 0, locked = page->flags & QUIRE_MAP_LOCKED;
    unsigned set = 0, clear = 0;
    switch (advice) {
    case QUIRE_ADVISE_DONTNEED:
        if (locked)
            return QUIRE_INVAL;
        if (!shared)
            page->own = page->lazy = false;
        return QUIRE_OK;
    case QUIRE_ADVISE_FREE:
        if (locked || page->object >= 0)
            return QUIRE_INVAL;
        page->lazy = page->own;
        return QUIRE_OK;
    case QUIRE_ADVISE_COLD:
    case QUIRE_ADVISE_PAGEOUT:
        return locked ? QUIRE_INVAL : QUIRE_OK;
    case QUIRE_ADVISE_REMOVE:
        if (locked || page->object < 0)
            return QUIRE_INVAL;
        if (!shared || (page->flags & QUIRE_MAP_DENY_WRITE))
            return QUIRE_DENIED;
        if (page->index < MODEL_OBJECT_PAGES)
            punch(model, page->object, page->index);
        return QUIRE_OK;
    case QUIRE_ADVISE_POPULATE_READ:
    case QUIRE_ADVISE_POPULATE_WRITE: {
        enum quire_access access =
            advice == QUIRE_ADVISE_POPULATE_READ ? QUIRE_ACCESS_READ : QUIRE_ACCESS_WRITE;
        if (!(page->prot & (unsigned)access))
            return QUIRE_INVAL;
        return model_access(model, space, (unsigned)(page - space->pages), access) == QUIRE_BUS
                   ? QUIRE_FAULT
                   : QUIRE_OK;
    }
    case QUIRE_ADVISE_DONTFORK:
        set = QUIRE_REGION_DONTFORK;
        break;
    case QUIRE_ADVISE_DOFORK:
        clear = QUIRE_REGION_DONTFORK;
        break;
    case QUIRE_ADVISE_WIPEONFORK:
        if (page->object >= 0)
            return QUIRE_INVAL;
        set = QUIRE_REGION_WIPEONFORK;
        break;
    case QUIRE_ADVISE_KEEPONFORK:
        clear = QUIRE_REGION_WIPEONFORK;
        break;
    case QUIRE_ADVISE_HUGEPAGE:
        set = QUIRE_REGION_HUGEPAGE;
        clear = QUIRE_REGION_NOHUGEPAGE;
        break;
    case QUIRE_ADVISE_NOHUGEPAGE:
        set = QUIRE_REGION_NOHUGEPAGE;
        clear = QUIRE_REGION_HUGEPAGE;
        break;
    default: /* the others change no byte and no right */
        break;
    }
    page->flags = (page->flags & ~clear) | set;
    return QUIRE_OK;
}

enum quire_status model_advise(struct model *model, struct model_space *space, unsigned page,
                               unsigned n, enum quire_advice advice) {
    enum quire_status status = QUIRE_OK;
    bool populates = advice == QUIRE_ADVISE_POPULATE_READ || advice == QUIRE_ADVISE_POPULATE_WRITE;
    for (unsigned i = page; i < page + n; i++) {
        if (!space->pages[i].mapped) {
            status = QUIRE_UNMAPPED;
            if (populates)
                return status;
            continue;
        }
        enum quire_status refused = advise_page(model, space, &space->pages[i], advice);
        if (refused != QUIRE_OK)
            return refused;
    }
    return status;
}

/* ---- locks ----------------------------------------------------------------------------------- */

static void set_locks(struct model_page *page, unsigned locks) {
    page->flags = (page->flags & ~MODEL_LOCKS) | locks;
    page->held = page->held && locks;
}

/* What a locked page is faulted in with. */
static enum quire_access fill_access(const struct model_page *page) {
    if ((page->prot & QUIRE_PROT_WRITE) && !(page->flags & QUIRE_MAP_SHARED))
        return QUIRE_ACCESS_WRITE;
    return page->prot & QUIRE_PROT_READ ? QUIRE_ACCESS_READ : QUIRE_ACCESS_EXEC;
}

enum quire_status model_lock(struct model *model, struct model_space *space, unsigned page,
                             unsigned n, unsigned locks) {
    enum quire_status status = QUIRE_OK;
    unsigned i = page;
    for (; i < page + n && space->pages[i].mapped; i++)
        set_locks(&space->pages[i], locks);
    if (i < page + n)
        return QUIRE_UNMAPPED;
    for (i = page; i < page + n && locks == QUIRE_MAP_LOCKED; i++) {
        if (model_access(model, space, i, fill_access(&space->pages[i])) != QUIRE_OK)
            status = QUIRE_UNMAPPED;
    }
    return status;
}

void model_lock_all(struct model_space *space, unsigned flags) {
    unsigned locks = QUIRE_MAP_LOCKED;
    if (flags & QUIRE_LOCK_ALL_ON_FAULT)
        locks |= QUIRE_MAP_LOCK_ON_FAULT;
    space->lock_future = flags & QUIRE_LOCK_ALL_FUTURE ? locks : 0;
    if (!(flags & (QUIRE_LOCK_ALL_CURRENT | QUIRE_LOCK_ALL_FUTURE)))
        locks = 0;
    else if (!(flags & QUIRE_LOCK_ALL_CURRENT))
        return;
    for (unsigned i = 0; i < MODEL_PAGES; i++) {
        if (space->pages[i].mapped)
            set_locks(&space->pages[i], locks);
    }
}

bool model_any_private_object(const struct model_space *space, unsigned page, unsigned n) {
    for (unsigned i = page; i < page + n; i++) {
        const struct model_page *p = &space->pages[i];
        if (p->mapped && p->object >= 0 && !(p->flags & QUIRE_MAP_SHARED))
            return true;
    }
    return false;
}

/* ---- moving ---------------------------------------------------------------------------------- */

/* The tags of heap and stack stay where these are; an object's page comes by an access again. */
static void carry(struct model_page *page) {
    page->flags &= ~(unsigned)(QUIRE_MAP_HEAP_TAG | QUIRE_MAP_STACK_TAG);
    page->held = page->held && page->own;
}

void model_remap(struct model_space *space, unsigned from, unsigned n_old, unsigned to,
                 unsigned n_new) {
    struct model_page moved[MODEL_PAGES];
    unsigned n_kept = n_old < n_new ? n_old : n_new;
    memcpy(moved, &space->pages[from], n_kept * sizeof moved[0]);
    for (unsigned i = n_kept; i < n_new; i++) {
        moved[i] = moved[i - 1];
        moved[i].own = moved[i].lazy = moved[i].held = false;
        if (moved[i].object >= 0)
            moved[i].index++;
    }
    for (unsigned i = 0; i < n_new && to != from; i++)
        carry(&moved[i]);
    model_unmap(space, from, n_old);
    memcpy(&space->pages[to], moved, n_new * sizeof moved[0]);
}

void model_remap_keep(struct model_space *space, unsigned from, unsigned n, unsigned to) {
    struct model_page moved[MODEL_PAGES];
    unsigned start = from, end = from + n;
    memcpy(moved, &space->pages[from], n * sizeof moved[0]);
    for (unsigned i = 0; i < n; i++) {
        carry(&moved[i]);
        space->pages[from + i].own = space->pages[from + i].lazy = false;
    }
    /* As on Linux the whole region loses its locks: the pages took them along. */
    while (start > 0 && model_joined(&space->pages[start - 1], &space->pages[start]))
        start--;
    while (end < MODEL_PAGES && model_joined(&space->pages[end - 1], &space->pages[end]))
        end++;
    for (unsigned i = start; i < end; i++)
        set_locks(&space->pages[i], 0);
    memcpy(&space->pages[to], moved, n * sizeof moved[0]);
}

void model_remap_double(struct model_space *space, unsigned from, unsigned to, unsigned n_new) {
    struct model_page page = space->pages[from];
    carry(&page);
    page.held = false;
    for (unsigned i = 0; i < n_new; i++, page.index++)
        space->pages[to + i] = page;
}

void model_fork(const struct model_space *parent, struct model_space *child) {
    *child = *parent;
    child->lock_future = 0;
    for (unsigned i = 0; i < MODEL_PAGES; i++) {
        struct model_page *page = &child->pages[i];
        set_locks(page, 0);
        if (page->flags & QUIRE_REGION_DONTFORK)
            model_unmap(child, i, 1);
        if (page->flags & QUIRE_REGION_WIPEONFORK)
            page->own = page->lazy = false;
    }
}

/* ---- objects --------------------------------------------------------------------------------- */

void model_file_write(struct model *model, int object, uint64_t cell, unsigned n, uint8_t value) {
    struct model_object *file = &model->objects[object];
    memset(&file->cells[0][0] + cell, value, n);
    if (cell + n > file->ncells)
        file->ncells = cell + n;
}

void model_truncate(struct model *model, int object, uint64_t ncells) {
    struct model_object *o = &model->objects[object];
    uint8_t *cells = &o->cells[0][0];
    memset(cells + ncells, 0, sizeof o->cells - ncells);
    o->ncells = ncells;
    uint64_t npages = (ncells + MODEL_CELLS - 1) / MODEL_CELLS;
    for (unsigned s = 0; s < MODEL_SPACES; s++) {
        for (unsigned i = 0; i < MODEL_PAGES; i++) {
            struct model_page *page = &model->spaces[s].pages[i];
            if (page->mapped && page->object == object && page->index >= npages)
                page->own = page->lazy = page->held = false;
        }
    }
}

bool model_object_mapped(const struct model *model, int object) {
    for (unsigned s = 0; s < MODEL_SPACES; s++) {
        for (unsigned i = 0; i < MODEL_PAGES; i++) {
            const struct model_page *page = &model->spaces[s].pages[i];
            if (model->spaces[s].alive && page->mapped && page->object == object)
                return true;
        }
    }
    return false;
}
