/* fault.c: one attempt to resolve a fault. All cases are decided in resolve(), each has one helper.
 *
 *                 is there an anon at this address? (private regions)
 *                        |yes                              |no
 *          write and shared with others?         does an object lie below?
 *            |no               |yes                 |no               |yes
 *        1A own_anon       1B copy_anon       write?  read?      shared?  private?
 *        map it; a write   copy, the others     |       |           |        |write    |read
 *        makes it dirty    keep the old one   0 zero_fill |     2C shared  2B copy_    2A map_
 *            |                 |              a frame   0 zero_page         object        object
 *            +-- swap in first, if it is      of zeros  the global one,
 *                only there                             read-only
 *
 * Refill is no case of its own: what the machine forgot, or a child of fork has not touched yet, is
 * 1A, 2A or 2C with nothing to do but to enter the mapping.
 *
 * The order in each helper: first everything that can fail (frames, records, I/O), each step
 * leaving a state that is whole by itself; then what can't fail. So QUIRE_NOMEM leaves no trace but
 * pages that were read in, which the next attempt finds. Nothing here reclaims or waits for memory:
 * core/trap.c does, and calls again.
 *
 * New pages go to the inactive list, as Linux does since 5.9 (before that, anonymous pages began as
 * active): what is touched once, by a scan or a sort's output, then passes through the short list
 * without pushing the working set out; what is touched again is seen by the harvest and moves up.
 *
 * Invariants:
 *   I1  the machine gets write permission only for a page that is dirty and, if private, has one
 *       reference: so that no copy on swap or in a file gets stale unseen, and no sharer is written
 *   I2  where an anon is, the object's page below is not mapped at that address
 *   I3  the zero page is mapped without write permission and without an rmap entry
 *
 * Called by core/ only. Audited by audit.c.
 */
#include "kmem/slab.h"
#include "page/lru.h"
#include "vm/anon.h"
#include "vm/commit.h"
#include "vm/huge.h"
#include "vm/lock.h"
#include "vm/object.h"
#include "vm/rmap.h"
#include "vm/space.h"

/* What a fault turned out to be: part of its trace event. */
enum fault_case {
    CASE_ZERO_PAGE = 1,
    CASE_ZERO_FILL,
    CASE_OWN,
    CASE_SWAP,
    CASE_COW,
    CASE_OBJECT,
    CASE_OBJECT_COPY,
    CASE_SHARED,
    CASE_HUGE,
};

struct fault {
    /* Set by the callers of attempt(), from their arguments. */
    struct quire *q;
    struct quire_space *space;
    uint64_t va; /* of the page */
    enum quire_access access;
    bool forced; /* a write that a private region need not permit */
    /* Set by find_place. */
    struct quire_region *region;
    uint64_t grown_from; /* the stack's start before it grew; 0: it did not */
    /* Set by resolve. */
    bool write;
    bool shared;
    struct quire_anon *anon; /* at this address in the space's own array */
    /* Set by the helpers. */
    bool major; /* there was I/O */
    enum fault_case which;
};

static uint64_t vpn_of(const struct fault *f) {
    return quire_pages(f->va);
}

static uint64_t index_of(const struct fault *f) {
    return f->region->page_offset + quire_pages(f->va - f->region->start);
}

/* What the machine may allow. Write implies read, as in the hardware and on Linux for RISC-V. */
static unsigned machine_prot(const struct quire_region *region) {
    return region->prot & QUIRE_PROT_WRITE ? region->prot | QUIRE_PROT_READ : region->prot;
}

/* ---- where: the region, or the stack that grows -------------------------------------------- */

/* An access below a stack: Linux's expand_downwards. The stack may grow to its limit, and keeps its
 * gap to what lies below unless that is a stack too or can't be accessed at all. */
static struct quire_region *grow_stack(struct fault *f) {
    const struct quire_space_config *config = &f->space->config;
    struct quire_region *stack = quire_region_above(f->space, f->va);
    if (!stack || !(stack->flags & QUIRE_MAP_GROWSDOWN) || f->va < config->low.value ||
        stack->end - f->va > config->stack_limit_bytes) {
        return NULL;
    }
    const struct quire_region *below = quire_region_prev(stack);
    if (below && below->prot && !(below->flags & QUIRE_MAP_GROWSDOWN) &&
        f->va - below->end < config->stack_gap_bytes) {
        return NULL;
    }
    struct quire_claim claim = {0};
    quire_claim_add(&claim, stack->prot, stack->flags, quire_pages(stack->start - f->va), 1);
    if (quire_claim_check(f->space, &claim) != QUIRE_OK) {
        return NULL;
    }
    f->grown_from = stack->start;
    quire_region_resize(f->space, stack, f->va, stack->end);
    return stack;
}

static enum quire_status find_place(struct fault *f) {
    f->region = quire_region_find(f->space, f->va);
    if (!f->region) {
        f->region = grow_stack(f);
    }
    if (!f->region) {
        return QUIRE_FAULT;
    }
    if (f->forced && !(f->region->flags & QUIRE_MAP_SHARED)) {
        return QUIRE_OK;
    }
    return machine_prot(f->region) & f->access ? QUIRE_OK : QUIRE_DENIED;
}

/* ---- the common ends of the cases ---------------------------------------------------------- */

/* Take the record that mapping page here will need. QUIRE_NOMEM. */
static enum quire_status take_record(struct fault *f, struct quire_page *page,
                                     struct quire_rmap **record) {
    *record = NULL;
    if (quire_rmap_needs_record(page, f->space, f->va)) {
        *record = quire_cache_alloc(f->q->vm->rmap_cache);
        return *record ? QUIRE_OK : QUIRE_NOMEM;
    }
    return QUIRE_OK;
}

/* Tell the machine. Cannot fail. => record as take_record gave it, stash filled */
static enum quire_status map_page(struct fault *f, struct quire_page *page, bool writable,
                                  struct quire_rmap *record, enum fault_case which) {
    unsigned prot = machine_prot(f->region);
    if (!writable) {
        prot &= ~(unsigned)QUIRE_PROT_WRITE; /* I1 */
    }
    if (prot) { /* a forced write may be to a region of PROT_NONE */
        quire_rmap_add(page, f->space, f->va, &record);
        quire_space_enter(f->space, f->va, page, prot);
        if (f->region->flags & QUIRE_MAP_LOCKED) {
            quire_lock_page(f->q, page);
        }
    }
    if (record) {
        quire_cache_free(f->q->vm->rmap_cache, record);
    }
    f->which = which;
    return QUIRE_OK;
}

/* The existing page, whoever else maps it. QUIRE_NOMEM. */
static enum quire_status map_existing(struct fault *f, struct quire_page *page, bool writable,
                                      enum fault_case which) {
    struct quire_rmap *record;
    if (take_record(f, page, &record) != QUIRE_OK) {
        return QUIRE_NOMEM;
    }
    return map_page(f, page, writable, record, which);
}

/* A new page for this address with an anon around it, in the array; its bytes are the caller's to
 * fill, which can't fail. f->anon, if there is one, loses this place. NULL: no memory. */
static struct quire_page *own_page(struct fault *f) {
    struct quire *q = f->q;
    struct quire_page *page = quire_page_alloc(q, 0, QUIRE_USE_ANON, QUIRE_ALLOC_USER);
    if (!page) {
        return NULL;
    }
    struct quire_anon *anon = quire_anon_create(q, page, f->space);
    if (!anon) {
        quire_page_free(q, page);
        return NULL;
    }
    if (quire_radix_set(&f->space->anons, vpn_of(f), anon) != QUIRE_OK) {
        quire_anon_put(q, anon);
        return NULL;
    }
    page->index = vpn_of(f);
    quire_lru_add(q, page, 0);
    return page;
}

/* ---- the cases ----------------------------------------------------------------------------- */

/* 0, read: the global page of zeros. */
static enum quire_status zero_page(struct fault *f) {
    unsigned prot = machine_prot(f->region) & ~(unsigned)QUIRE_PROT_WRITE;
    quire_space_enter(f->space, f->va, f->q->vm->zero, prot); /* I3 */
    f->q->counters.fault_zero++;
    f->which = CASE_ZERO_PAGE;
    return QUIRE_OK;
}

/* 0, write: a page of zeros of its own. The shortest path, as it is the commonest fault. */
static enum quire_status zero_fill(struct fault *f) {
    struct quire_page *page = own_page(f);
    if (!page) {
        return QUIRE_NOMEM;
    }
    quire_mach_zero(f->q->machine, quire_page_frame(f->q, page));
    f->q->counters.fault_zero++;
    quire_space_note_demand(f->q);
    return map_page(f, page, true, NULL, CASE_ZERO_FILL);
}

/* Bring the anon of this address back from swap if it is there. */
static enum quire_status make_resident(struct fault *f) {
    if (f->anon->page) {
        quire_anon_came(f->q, f->anon->page, vpn_of(f), &f->region->readahead);
        return QUIRE_OK;
    }
    const struct quire_around around = {&f->space->anons, vpn_of(f), quire_pages(f->region->start),
                                        quire_pages(f->region->end), &f->region->readahead};
    enum quire_status status = quire_anon_swap_in_around(f->q, f->anon, QUIRE_USE_ANON, &around);
    if (status == QUIRE_OK) {
        f->major = true;
        f->q->counters.fault_swap++;
    }
    return status;
}

/* 1A: the space's own page, or a read of a shared one. The last owner keeps the frame: nobody
 * copies when refs is 1. */
static enum quire_status own_anon(struct fault *f) {
    struct quire_anon *anon = f->anon;
    struct quire_rmap *record;
    enum quire_status status = make_resident(f);
    if (status != QUIRE_OK) {
        return status;
    }
    if (take_record(f, anon->page, &record) != QUIRE_OK) {
        return QUIRE_NOMEM;
    }
    if (anon->refs == 1) {
        quire_anon_settle(f->space, anon);
    }
    if (f->write) {
        quire_anon_dirty(f->q, anon);
    }
    f->q->counters.fault_refill += !f->major;
    return map_page(f, anon->page, anon->refs == 1 && (anon->page->flags & QUIRE_PAGE_DIRTY),
                    record, f->major ? CASE_SWAP : CASE_OWN); /* I1 */
}

/* 1B: copy-on-write after fork. */
static enum quire_status copy_anon(struct fault *f) {
    struct quire *q = f->q;
    struct quire_anon *old = f->anon;
    enum quire_status status = make_resident(f);
    if (status != QUIRE_OK) {
        return status;
    }
    struct quire_page *page = own_page(f);
    if (!page) {
        return QUIRE_NOMEM;
    }
    quire_mach_copy(q->machine, quire_page_frame(q, page), quire_page_frame(q, old->page));
    quire_rmap_remove(old->page, f->space, f->va);
    quire_anon_leave(f->space, old);
    quire_anon_put(q, old);
    q->counters.fault_cow++;
    quire_space_note_demand(q);
    return map_page(f, page, true, NULL, CASE_COW);
}

/* The object's page for this address, brought in if need be. */
static enum quire_status object_page(struct fault *f, struct quire_page **page) {
    struct quire_object *object = f->region->object;
    struct quire_anon *anon;
    if (!object->shm) {
        return quire_file_get(object, index_of(f), page, &f->major);
    }
    enum quire_status status = quire_shm_get(object, index_of(f), &anon, &f->major);
    if (status == QUIRE_OK) {
        *page = anon->page;
        f->q->counters.fault_swap += f->major;
    }
    return status;
}

/* 2A: read of a private mapping: the object's own page, never writable. */
static enum quire_status map_object(struct fault *f) {
    struct quire_page *page;
    enum quire_status status = object_page(f, &page);
    if (status == QUIRE_OK) {
        status = map_existing(f, page, false, CASE_OBJECT);
    }
    f->q->counters.fault_file += status == QUIRE_OK;
    quire_space_note_demand(f->q);
    return status;
}

/* 2B: write to a private mapping: a copy of the object's page. */
static enum quire_status copy_object(struct fault *f) {
    struct quire *q = f->q;
    struct quire_page *below;
    enum quire_status status = object_page(f, &below);
    if (status != QUIRE_OK) {
        return status;
    }
    struct quire_page *page = own_page(f);
    if (!page) {
        return QUIRE_NOMEM;
    }
    quire_mach_copy(q->machine, quire_page_frame(q, page), quire_page_frame(q, below));
    quire_rmap_remove(below, f->space, f->va); /* I2 */
    q->counters.fault_cow++;
    quire_space_note_demand(q);
    return map_page(f, page, true, NULL, CASE_OBJECT_COPY);
}

/* 2C: shared mapping: all see the object's page; who writes makes it dirty first. */
static enum quire_status map_shared(struct fault *f) {
    struct quire_page *page;
    struct quire_rmap *record;
    enum quire_status status = object_page(f, &page);
    if (status != QUIRE_OK) {
        return status;
    }
    if (take_record(f, page, &record) != QUIRE_OK) {
        return QUIRE_NOMEM;
    }
    if (f->write && f->region->object->shm) {
        quire_anon_dirty(f->q, page->owner);
    } else if (f->write) {
        quire_file_dirty(f->region->object, page);
    }
    status = map_page(f, page, page->flags & QUIRE_PAGE_DIRTY, record, CASE_SHARED); /* I1 */
    f->q->counters.fault_file++;
    quire_space_note_demand(f->q);
    return status;
}

/* With one entry for 2 MiB, where that can be had: huge.c. */
static bool resolve_block(struct fault *f) {
    struct quire_counters *counters = &f->q->counters;
    if (f->anon ? quire_huge_refill(f->region, f->va, f->write)
                : quire_huge_fill(f->region, f->va)) {
        ++*(f->anon ? &counters->fault_refill : &counters->fault_zero);
        f->which = CASE_HUGE;
        return true;
    }
    return false;
}

/* The picture above. => find_place was OK, the stash is full */
static enum quire_status resolve(struct fault *f) {
    f->write = f->access == QUIRE_ACCESS_WRITE;
    f->shared = f->region->flags & QUIRE_MAP_SHARED;
    f->region->touched = f->region->entered = true;
    if (f->shared) {
        return map_shared(f);
    }
    f->anon = quire_radix_get(&f->space->anons, vpn_of(f));
    bool block =
        f->anon ? quire_huge_at(f->space, f->va) : f->write && quire_huge_wanted(f->region);
    if (block && resolve_block(f)) {
        return QUIRE_OK;
    }
    if (f->anon) {
        return f->write && f->anon->refs > 1 ? copy_anon(f) : own_anon(f);
    }
    if (f->region->object) {
        return f->write ? copy_object(f) : map_object(f);
    }
    return f->write ? zero_fill(f) : zero_page(f);
}

/* ---- the doors of this file ---------------------------------------------------------------- */

static void count_fault(struct fault *f) {
    f->q->counters.pgfault++;
    if (f->major) {
        f->q->counters.pgmajfault++;
        f->space->major_faults++;
        quire_vm_charge_stall(f->q, f->space);
    } else {
        f->space->minor_faults++;
    }
    quire_trace(&f->q->trace, QUIRE_EVENT_FAULT, f->va | f->access, f->which);
}

static enum quire_status attempt(struct fault *f) {
    if (f->space->killed) {
        return QUIRE_KILLED;
    }
    enum quire_status status = find_place(f);
    if (status == QUIRE_OK) {
        status = quire_space_fill_stash(f->q);
    }
    if (status == QUIRE_OK) {
        status = resolve(f);
    }
    if (status == QUIRE_OK) {
        count_fault(f);
        if (f->grown_from) { /* it may have reached a region like itself */
            f->region = quire_region_merge(f->space, f->region);
        }
    } else if (f->grown_from) { /* no trace */
        quire_region_resize(f->space, f->region, f->grown_from, f->region->end);
    }
    return status;
}

enum quire_status quire_vm_fault(struct quire_space *space, quire_vaddr va,
                                 enum quire_access access) {
    struct fault f = {
        .q = space->q, .space = space, .va = quire_page_of(va).value, .access = access};
    return attempt(&f);
}

enum quire_status quire_vm_fault_force(struct quire_space *space, quire_vaddr va) {
    struct fault f = {.q = space->q,
                      .space = space,
                      .va = quire_page_of(va).value,
                      .access = QUIRE_ACCESS_WRITE,
                      .forced = true};
    return attempt(&f);
}

/* ---- looking without faulting -------------------------------------------------------------- */

struct quire_page *quire_vm_page_at(struct quire_space *space, quire_vaddr va) {
    struct quire_region *region = quire_region_find(space, va.value);
    if (!region) {
        return NULL;
    }
    if (!(region->flags & QUIRE_MAP_SHARED)) {
        const struct quire_anon *anon = quire_radix_get(&space->anons, quire_pages(va.value));
        if (anon) {
            return anon->page;
        }
    }
    if (!region->object) {
        return NULL;
    }
    return quire_object_page(region->object,
                             region->page_offset + quire_pages(va.value - region->start));
}

bool quire_vm_slot_at(struct quire_space *space, quire_vaddr va, quire_slot *slot) {
    const struct quire_region *region = quire_region_find(space, va.value);
    if (!region || (region->flags & QUIRE_MAP_SHARED)) {
        return false;
    }
    const struct quire_anon *anon = quire_radix_get(&space->anons, quire_pages(va.value));
    if (!anon || anon->page) {
        return false;
    }
    *slot = anon->slot;
    return true;
}

/* May page be written as it is: would a write fault have nothing to do? */
static bool ready_for_write(const struct quire_region *region, const struct quire_page *page) {
    if (!(page->flags & QUIRE_PAGE_DIRTY)) {
        return false;
    }
    if (region->flags & QUIRE_MAP_SHARED) {
        return true;
    }
    return page->use == QUIRE_USE_ANON && ((const struct quire_anon *)page->owner)->refs == 1;
}

bool quire_vm_frame_at(struct quire_space *space, quire_vaddr va, enum quire_access access,
                       bool forced, quire_frame *frame) {
    struct quire *q = space->q;
    const struct quire_region *region = quire_region_find(space, va.value);
    if (!region || space->killed) {
        return false;
    }
    forced = forced && !(region->flags & QUIRE_MAP_SHARED);
    if (!forced && !(machine_prot(region) & access)) {
        return false;
    }
    struct quire_page *page = quire_vm_page_at(space, va);
    bool write = access == QUIRE_ACCESS_WRITE;
    if (!page) {
        bool untouched = !region->object && !write && !(region->flags & QUIRE_MAP_SHARED) &&
                         !quire_radix_get(&space->anons, quire_pages(va.value));
        *frame = quire_page_frame(q, q->vm->zero);
        return untouched;
    }
    *frame = quire_page_frame(q, page);
    return !write || ready_for_write(region, page);
}
