/* areas.c: the swap areas in use, their priorities, and which one gives the next slot.
 *
 * Owns struct quire_swap. One area is one device of the machine; up to eight are in use at once.
 * How large it is, and which of its pages are broken, its first page says (header.c); a device
 * whose first page is blank is a machine's own that nobody formatted, and is used whole.
 *
 *     order ─▶ [prio 5: sda][prio 5: sdb][prio -2: sdc]
 *               └─ equals take turns ─┘   └─ only when those above are full
 *
 * Equals take turns by runs of 256 slots, not slot by slot as one might think of striping: a run
 * keeps consecutive evictions consecutive on the device (Linux: SWAPFILE_CLUSTER, also 256).
 *
 * I1. `order` holds the index of each area in use exactly once, by falling priority.
 * I2. An area leaves only when no slot of it is taken: nothing is ever lost by swapoff.
 * I3. A draining area gives out nothing and is in no total, so that reclaim sees what can be used.
 * I4. Priorities that were left to us are negative: -2 for the first area, one less for each
 * further one (Linux: least_priority in mm/swapfile.c); when one goes, those below it move up.
 * I5. An area only gets larger while it is in use, and only one without a header, which would say
 *     something else.
 *
 * May fail: quire_swap_add (QUIRE_NOMEM and what it documents). Called by vm/ (through io.c and
 * quire_swap_release), by core/swapctl.c and by views. Audited by quire_swap_audit.
 */
#include <quire/kmem.h>
#include <quire/swapfile.h>

#include "base/check.h"
#include "base/text.h"
#include "swap/area.h"

#define RUN_SLOTS 256

/* The priority above the first one that we choose: Linux begins with -2 as well. */
#define LEAST_PRIORITY_FIRST (-1)

enum quire_status quire_swap_boot(struct quire *q) {
    q->swap = quire_kzalloc(q, sizeof *q->swap);
    if (!q->swap) {
        return QUIRE_NOMEM;
    }
    q->swap->least_priority = LEAST_PRIORITY_FIRST;
    enum quire_status status = quire_store_boot(q, &q->swap->store);
    if (status != QUIRE_OK) {
        quire_kfree(q, q->swap);
        q->swap = NULL;
    }
    return status;
}

void quire_swap_shutdown(struct quire *q) {
    for (unsigned i = 0; i < SWAP_AREAS; i++) {
        struct swap_area *area = &q->swap->areas[i];
        if (!area->in_use) {
            continue;
        }
        CHECK(q, swap_area_used(area) == 0);
        quire_slots_destroy(q, area);
    }
    quire_store_shutdown(q, &q->swap->store);
    quire_kfree(q, q->swap);
    q->swap = NULL;
}

static struct swap_area *area_on(const struct quire *q, unsigned device) {
    for (unsigned i = 0; i < SWAP_AREAS; i++) {
        struct swap_area *area = &q->swap->areas[i];
        if (area->in_use && area->device == device) {
            return area;
        }
    }
    return NULL;
}

/* Into the order behind all of the same or a higher priority. */
static void order_insert(struct quire_swap *swap, unsigned index) {
    unsigned at = swap->norder;
    while (at > 0 && swap->areas[swap->order[at - 1]].priority < swap->areas[index].priority) {
        swap->order[at] = swap->order[at - 1];
        at--;
    }
    swap->order[at] = (uint8_t)index;
    swap->norder++;
}

static void order_remove(struct quire_swap *swap, unsigned index) {
    unsigned at = 0;
    while (swap->order[at] != index) {
        at++;
    }
    swap->norder--;
    for (; at < swap->norder; at++) {
        swap->order[at] = swap->order[at + 1];
    }
}

/* ---- swapon ------------------------------------------------------------------------------------
 */

/* Which pages of the device are the area, by its first page, which is read into buffer. */
static enum quire_status read_header(struct quire *q, struct swap_area *area, uint64_t npages,
                                     struct quire_page *buffer) {
    const uint64_t most = (uint64_t)CHUNKS_MAX * CHUNK_SLOTS;
    quire_frame frame = quire_page_frame(q, buffer);
    struct quire_swap_header header = {.npages = npages};
    if (quire_mach_swap_read(q->machine, area->device, 0, &frame, 1) != QUIRE_OK) {
        q->counters.io_error++;
        return QUIRE_IO;
    }
    enum quire_swap_verdict verdict =
        quire_swap_inspect(quire_page_window(q, buffer), QUIRE_PAGE_SIZE, npages, &header);
    if (verdict != QUIRE_SWAP_GOOD && verdict != QUIRE_SWAP_BLANK) {
        struct quire_text text;
        char line[128];
        quire_text_init(&text, line, sizeof line);
        quire_text_string(&text, "swap device ");
        quire_text_decimal(&text, area->device, 0);
        quire_text_string(&text, " is refused: ");
        quire_text_string(&text, quire_swap_verdict_text(verdict));
        quire_text_end(&text);
        quire_mach_log(q->machine, line);
        return QUIRE_INVAL;
    }
    area->npages = (uint32_t)(header.npages < most ? header.npages : most);
    area->may_grow = verdict == QUIRE_SWAP_BLANK;
    return QUIRE_OK;
}

/* The header's list, from the page that read_header has read. */
static void mark_bad_pages(struct swap_area *area, const void *page, uint64_t device_pages) {
    struct quire_swap_header header;
    if (quire_swap_inspect(page, QUIRE_PAGE_SIZE, device_pages, &header) != QUIRE_SWAP_GOOD) {
        return;
    }
    for (unsigned i = 0; i < header.nbad; i++) {
        uint32_t bad = quire_swap_bad_page(page, i);
        if (bad < area->npages) {
            quire_slots_mark_bad(area, bad);
        }
    }
}

/* The end of a path says more than its beginning. => the name is all zeros */
static void set_name(struct swap_area *area, const char *name) {
    size_t length = 0, i = 0;
    while (name[length]) {
        length++;
    }
    const char *from = length < AREA_NAME_BYTES ? name : name + length - AREA_NAME_BYTES + 1;
    for (; from[i]; i++) {
        area->name[i] = from[i];
    }
    area->is_file = true;
}

static enum quire_status area_create(struct quire *q, struct swap_area *area, uint64_t npages) {
    struct quire_page *buffer = quire_page_alloc(q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_KERNEL);
    if (!buffer) {
        return QUIRE_NOMEM;
    }
    enum quire_status status = read_header(q, area, npages, buffer);
    if (status == QUIRE_OK) {
        status = quire_slots_create(q, area);
    }
    if (status == QUIRE_OK) {
        mark_bad_pages(area, quire_page_window(q, buffer), npages);
    }
    quire_page_free(q, buffer);
    if (status == QUIRE_OK && area->free == 0) { /* all bad */
        quire_slots_destroy(q, area);
        status = QUIRE_INVAL;
    }
    return status;
}

enum quire_status quire_swap_add(struct quire *q, unsigned device, int priority, const char *name) {
    struct quire_swap *swap = q->swap;
    uint64_t npages = quire_mach_swap_pages(q->machine, device);
    if (npages <= SLOT_FIRST) {
        return QUIRE_INVAL;
    }
    if (area_on(q, device) || swap->norder == SWAP_AREAS) {
        return QUIRE_BUSY;
    }
    unsigned index = 0;
    while (swap->areas[index].in_use) {
        index++;
    }
    struct swap_area *area = &swap->areas[index];
    *area = (struct swap_area){.device = device, .priority = priority};
    if (name) {
        set_name(area, name);
    }
    enum quire_status status = area_create(q, area, npages);
    if (status != QUIRE_OK) {
        return status;
    }
    if (priority == QUIRE_SWAP_PRIORITY_AUTO) {
        area->priority = --swap->least_priority; /* I4 */
    }
    area->in_use = true;
    order_insert(swap, index);
    return QUIRE_OK;
}

/* ---- swapoff -----------------------------------------------------------------------------------
 */

/* I4. => the area has left the order. Moving all of them by one keeps the order. */
static void close_gap(struct quire_swap *swap, int priority) {
    if (priority >= LEAST_PRIORITY_FIRST || priority < swap->least_priority) {
        return;
    }
    for (unsigned i = 0; i < SWAP_AREAS; i++) {
        struct swap_area *area = &swap->areas[i];
        if (area->in_use && area->priority < priority) {
            area->priority++;
        }
    }
    swap->least_priority++;
}

void quire_swap_drain(struct quire *q, unsigned device, bool draining) {
    struct swap_area *area = area_on(q, device);
    CHECK(q, area != NULL);
    area->draining = draining;
}

enum quire_status quire_swap_drop(struct quire *q, unsigned device) {
    struct swap_area *area = area_on(q, device);
    if (!area) {
        return QUIRE_INVAL;
    }
    if (swap_area_used(area) != 0) { /* I2 */
        return QUIRE_BUSY;
    }
    order_remove(q->swap, (unsigned)(area - q->swap->areas));
    quire_slots_destroy(q, area);
    area->in_use = false;
    close_gap(q->swap, area->priority);
    return QUIRE_OK;
}

/* ---- slots -------------------------------------------------------------------------------------
 */

/* An area whose run is over goes behind its equals; that is its own place if it has none. */
static void end_run(struct quire_swap *swap, unsigned index) {
    swap->areas[index].run = 0;
    order_remove(swap, index);
    order_insert(swap, index);
}

/* Swap that grows: is the device larger than it was? Asked when an eighth is left or less, so
 * that the larger map is made while there is memory for it; when there is none, the next time. */
static void grow_if_full(struct quire *q, struct swap_area *area) {
    const uint64_t most = (uint64_t)CHUNKS_MAX * CHUNK_SLOTS;
    if (!area->may_grow || area->free > area->npages / 8) {
        return;
    }
    uint64_t npages = quire_mach_swap_pages(q->machine, area->device);
    npages = npages < most ? npages : most;
    if (npages > area->npages) {
        (void)quire_slots_grow(q, area, (uint32_t)npages);
    }
}

static quire_slot take_from_best(struct quire *q) {
    struct quire_swap *swap = q->swap;
    for (unsigned at = 0; at < swap->norder; at++) {
        unsigned index = swap->order[at];
        struct swap_area *area = &swap->areas[index];
        if (area->draining) { /* I3 */
            continue;
        }
        grow_if_full(q, area);
        if (area->free == 0) {
            continue;
        }
        uint32_t page = quire_slots_take(q, area);
        if (++area->run >= RUN_SLOTS) {
            end_run(swap, index);
        }
        return (quire_slot){(uint32_t)index << SLOT_PAGE_BITS | page};
    }
    return QUIRE_SLOT_NONE;
}

/* When nothing else is left, slots whose write failed once are better than none. */
quire_slot quire_areas_take(struct quire *q) {
    quire_slot slot = take_from_best(q);
    bool again = false;
    for (unsigned i = 0; quire_slot_is_none(slot) && i < SWAP_AREAS; i++) {
        struct swap_area *area = &q->swap->areas[i];
        if (area->in_use && !area->draining && area->nspoiled > 0) {
            quire_slots_forgive(area);
            again = true;
        }
    }
    return again ? take_from_best(q) : slot;
}

void quire_swap_release(struct quire *q, struct quire_anon *anon) {
    CHECK(q, !quire_slot_is_none(anon->slot));
    if (quire_swap_is_stored(anon->slot)) {
        quire_store_release(q, anon);
        return;
    }
    struct swap_area *area = swap_area_of(q, anon->slot);
    CHECK(q, area->in_use);
    quire_slots_put(q, area, swap_page_of(anon->slot));
    anon->slot = QUIRE_SLOT_NONE;
}

uint64_t quire_swap_total(const struct quire *q) {
    uint64_t total = 0;
    for (unsigned at = 0; at < q->swap->norder; at++) {
        const struct swap_area *area = &q->swap->areas[q->swap->order[at]];
        total += area->draining ? 0 : swap_area_total(area); /* I3 */
    }
    return total;
}

uint64_t quire_swap_free(const struct quire *q) {
    uint64_t free = 0;
    for (unsigned at = 0; at < q->swap->norder; at++) {
        const struct swap_area *area = &q->swap->areas[q->swap->order[at]];
        free += area->draining ? 0 : area->free;
    }
    return free;
}

bool quire_swap_has_room(const struct quire *q) {
    const struct store *store = &q->swap->store;
    if (store->method != QUIRE_ZSWAP_NONE && store->pool.nframes < store->limit) {
        return true;
    }
    for (unsigned at = 0; at < q->swap->norder; at++) {
        const struct swap_area *area = &q->swap->areas[q->swap->order[at]];
        if (!area->draining && area->free + area->nspoiled > 0) {
            return true;
        }
    }
    return false;
}

bool quire_swap_is_full(const struct quire *q) {
    return quire_swap_free(q) * 2 < quire_swap_total(q);
}

bool quire_swap_is_behind(quire_slot slot, quire_slot that, int32_t step) {
    return slot.value >> SLOT_PAGE_BITS == that.value >> SLOT_PAGE_BITS &&
           slot.value == that.value + (uint32_t)step;
}

void quire_swap_place(quire_slot slot, unsigned *area, uint32_t *page) {
    *area = slot.value >> SLOT_PAGE_BITS;
    *page = swap_page_of(slot);
}

bool quire_swap_slot_on(const struct quire *q, quire_slot slot, unsigned device) {
    if (quire_slot_is_none(slot) || quire_swap_is_stored(slot)) {
        return false;
    }
    const struct swap_area *area = &q->swap->areas[slot.value >> SLOT_PAGE_BITS];
    return area->in_use && area->device == device;
}

bool quire_swap_area(const struct quire *q, unsigned index, struct quire_swap_info *info) {
    for (unsigned i = 0; i < SWAP_AREAS; i++) {
        const struct swap_area *area = &q->swap->areas[i];
        if (!area->in_use || index-- > 0) {
            continue;
        }
        *info = (struct quire_swap_info){.device = area->device,
                                         .priority = area->priority,
                                         .total = swap_area_total(area),
                                         .used = swap_area_used(area),
                                         .spoiled = area->nspoiled,
                                         .name = area->is_file ? area->name : NULL};
        return true;
    }
    return false;
}

void quire_swap_audit(struct quire *q, uint64_t slots_held) {
    const struct quire_swap *swap = q->swap;
    uint64_t taken = 0;
    unsigned in_use = 0;
    for (unsigned i = 0; i < SWAP_AREAS; i++) {
        const struct swap_area *area = &swap->areas[i];
        if (!area->in_use) {
            continue;
        }
        in_use++;
        quire_slots_audit(q, area, swap_area_used(area));
        taken += swap_area_used(area);
        unsigned times = 0;
        for (unsigned at = 0; at < swap->norder; at++) {
            times += swap->order[at] == i;
        }
        CHECK(q, times == 1); /* I1 */
    }
    CHECK(q, in_use == swap->norder);
    for (unsigned at = 1; at < swap->norder; at++) {
        CHECK(q,
              swap->areas[swap->order[at - 1]].priority >= swap->areas[swap->order[at]].priority);
    }
    quire_store_audit(q);
    CHECK(q, taken + swap->store.nstored == slots_held);
}

void quire_swap_audit_owner(struct quire *q, const struct quire_anon *anon, bool away) {
    if (quire_slot_is_none(anon->slot)) {
        return;
    }
    if (quire_swap_is_stored(anon->slot)) { /* that it is this one's object, the store checks */
        q->swap->store.owners += away ? 1 : (uint64_t)-1;
        return;
    }
    struct swap_area *area = swap_area_of(q, anon->slot);
    uint32_t page = swap_page_of(anon->slot);
    CHECK(q, area->in_use && page < area->npages);
    CHECK(q, quire_slots_is_owned(area, page) == away); /* else another one has it, too */
    quire_slots_toggle(area, page, !away);
}

void quire_swap_audit_alone(struct quire *q) {
    CHECK(q, q->swap->store.owners == q->swap->store.nstored);
    for (unsigned i = 0; i < SWAP_AREAS; i++) {
        if (q->swap->areas[i].in_use) {
            quire_slots_audit(q, &q->swap->areas[i], 0);
        }
    }
}
