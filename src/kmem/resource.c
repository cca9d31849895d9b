/* resource.c: who has which physical addresses: RAM, buses, devices' registers.
 *
 *     0 … 2^64-1 ─┬─ System RAM
 *                 ├─ bus (divisible) ─┬─ uart
 *                 │                   '─ timer
 *                 └─ disk
 *
 * A request goes down the tree through divisible regions that hold it whole, and is refused where
 * it meets anything else: two drivers never have the same registers, and none has RAM. The idea and
 * the text of /proc/iomem are Linux's (kernel/resource.c).
 *
 * Invariants: I1 parts lie inside their region, ascend and are disjoint. I2 what has parts is
 * divisible.
 *
 * What may fail: requests. Called by drivers of the embedder. Audit: here, called by area.c.
 */
#include "base/check.h"
#include "kmem/area.h"
#include "kmem/cache.h"

static struct quire_region_of_bus *part_at(const struct quire_list *link) {
    return QUIRE_CONTAINER(link, struct quire_region_of_bus, link);
}

/* Enter the region below parent, in order. False: it overlaps with *other. */
static bool insert(struct quire_region_of_bus *parent, struct quire_region_of_bus *region,
                   struct quire_region_of_bus **other) {
    struct quire_list *link = parent->parts.next;
    while (link != &parent->parts && part_at(link)->last < region->start) {
        link = link->next;
    }
    if (link != &parent->parts && part_at(link)->start <= region->last) {
        *other = part_at(link);
        return false;
    }
    region->parent = parent;
    quire_list_add_before(link, &region->link);
    return true;
}

enum quire_status quire_request_region(struct quire *q, quire_paddr start, uint64_t nbytes,
                                       const char *name, bool divisible,
                                       struct quire_region_of_bus **out) {
    uint64_t last = start.value + nbytes - 1;
    if (nbytes == 0 || last < start.value) {
        return QUIRE_INVAL;
    }
    struct quire_region_of_bus *region = quire_kzalloc(q, sizeof *region);
    if (!region) {
        return QUIRE_NOMEM;
    }
    region->q = q;
    region->start = start.value;
    region->last = last;
    region->name = name;
    region->divisible = divisible;
    quire_list_init(&region->parts);
    struct quire_region_of_bus *parent = &q->kmem->area->bus, *other = NULL;
    while (!insert(parent, region, &other)) {
        bool whole = other->start <= region->start && region->last <= other->last;
        if (!whole || !other->divisible) {
            quire_kfree(q, region);
            return QUIRE_BUSY;
        }
        parent = other;
    }
    *out = region;
    return QUIRE_OK;
}

enum quire_status quire_release_region(struct quire_region_of_bus *region) {
    if (region->area || !quire_list_empty(&region->parts)) {
        return QUIRE_BUSY;
    }
    quire_list_remove(&region->link);
    quire_kfree(region->q, region);
    return QUIRE_OK;
}

/* ---- the room's part ------------------------------------------------------------------------- */

enum quire_status quire_resource_boot(struct quire *q) {
    struct quire_region_of_bus *bus = &q->kmem->area->bus, *ram;
    struct quire_ram_range range;
    quire_list_init(&bus->parts);
    bus->q = q;
    bus->last = UINT64_MAX;
    bus->divisible = true;
    for (unsigned i = 0; quire_mach_ram_range(q->machine, i, &range); i++) {
        enum quire_status status =
            quire_request_region(q, range.start, range.length_bytes, "System RAM", false, &ram);
        if (status != QUIRE_OK) {
            return status;
        }
    }
    return QUIRE_OK;
}

/* RAM goes; a device that is still there is a leak. */
void quire_resource_shutdown(struct quire *q) {
    struct quire_list *head = &q->kmem->area->bus.parts;
    unsigned nram = 0;
    struct quire_ram_range range;
    while (quire_mach_ram_range(q->machine, nram, &range)) {
        nram++;
    }
    for (unsigned i = 0; !quire_list_empty(head); i++) {
        CHECK(q, i < nram);
        (void)quire_release_region(part_at(head->next));
    }
}

static void audit_parts(struct quire *q, const struct quire_region_of_bus *parent) {
    const struct quire_list *head = &parent->parts;
    for (const struct quire_list *link = head->next; link != head; link = link->next) {
        const struct quire_region_of_bus *region = part_at(link);
        CHECK(q, link->next->prev == link && region->parent == parent);
        CHECK(q, parent->divisible); /* I2 */
        CHECK(q, region->start <= region->last && region->start >= parent->start &&
                     region->last <= parent->last);                                /* I1 */
        CHECK(q, link->next == head || region->last < part_at(link->next)->start); /* I1 */
        CHECK(q, !region->area || region->area->kind == AREA_IOREMAP);
    }
}

/* The next region in the order of /proc/iomem: down, along, up. */
const struct quire_region_of_bus *quire_resource_next(const struct quire *q,
                                                      const struct quire_region_of_bus *region,
                                                      unsigned *depth) {
    const struct quire_region_of_bus *bus = &q->kmem->area->bus;
    if (!region || !quire_list_empty(&region->parts)) {
        *depth += region != NULL;
        const struct quire_list *parts = region ? &region->parts : &bus->parts;
        return part_at(parts->next); /* the bus has RAM at least */
    }
    while (region != bus && region->link.next == &region->parent->parts) {
        region = region->parent;
        *depth -= region != bus;
    }
    return region == bus ? NULL : part_at(region->link.next);
}

void quire_resource_audit(struct quire *q) {
    unsigned depth = 0;
    audit_parts(q, &q->kmem->area->bus);
    const struct quire_region_of_bus *region = NULL;
    while ((region = quire_resource_next(q, region, &depth)) != NULL) {
        audit_parts(q, region);
    }
}
