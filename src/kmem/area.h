/* area.h: the kernel's own addresses and who has them. Internal to kmem/ (and its views).
 *
 *     base                                                                          npages
 *     | areas: vmalloc, vmap, ioremap, each with a guard page | kmap slots | fixmap | hole |
 *
 * as a 32-bit Linux lays it out; the hole makes small negative addresses fault there.
 */
#ifndef QUIRE_KMEM_AREA_H
#define QUIRE_KMEM_AREA_H

#include <quire/kmap.h>

#include "base/list.h"
#include "base/rbtree.h"
#include "kmem/slab.h"

enum area_kind { AREA_VMALLOC, AREA_VMAP, AREA_IOREMAP };

struct area {
    struct quire_rbnode node; /* by first */
    uint64_t first, npages;   /* in pages from the base; without the guard page */
    enum area_kind kind;
    quire_frame *frames; /* vmalloc, vmap: of each page; from kmalloc or vmalloc itself */
    quire_paddr start;   /* ioremap: of the first page */
};

struct kmap_slot {
    quire_frame frame; /* NONE: nothing is mapped */
    uint32_t nusers;   /* 0: stays mapped until somebody needs the slot */
};

struct quire_region_of_bus {
    struct quire *q;
    struct quire_list link;  /* in the parent's parts, by address */
    struct quire_list parts; /* of it */
    struct quire_region_of_bus *parent;
    uint64_t start, last;
    const char *name;
    bool divisible;
    struct area *area; /* mapped by ioremap */
};

struct quire_kernel_area {
    char *base;             /* NULL: the machine has none */
    uint64_t npages, limit; /* limit: end of the areas */
    uint64_t shown_base;    /* the address that views write for base */
    struct quire_rbtree areas;
    uint64_t nareas, nmapped,
        hint; /* nmapped: pages of areas; hint: where the next search starts */
    struct kmap_slot kmaps[QUIRE_KMAP_SLOTS];
    uint64_t fixmaps;               /* bit i: slot i shows something */
    struct quire_region_of_bus bus; /* all physical addresses */
};

/* Room for npages and a guard page, entered in the tree, nothing mapped. NULL: no memory for the
 * record, or no room. */
struct area *quire_area_take(struct quire *q, uint64_t npages, enum area_kind kind);
/* => nothing is mapped there */
void quire_area_give(struct quire *q, struct area *area);
/* The area that page of the kernel area lies in; NULL. */
struct area *quire_area_at(const struct quire *q, uint64_t page);
struct area *quire_area_under(const struct quire *q, const void *pointer);
char *quire_area_address(const struct quire *q, const struct area *area);
/* What views write for it: a pointer of the host would be another one in each run. */
uint64_t quire_area_shown(const struct quire *q, const struct area *area);
/* The base is shown as va from now on; 0: as what it is. */
void quire_area_show_at(struct quire *q, uint64_t va);
struct area *quire_area_first(const struct quire *q);
struct area *quire_area_next(const struct area *area);

/* The next region in the order of /proc/iomem (NULL: the first); depth, 0 at first, follows. */
const struct quire_region_of_bus *quire_resource_next(const struct quire *q,
                                                      const struct quire_region_of_bus *region,
                                                      unsigned *depth);

/* Bring-up and end of all that is in struct quire_kernel_area. */
enum quire_status quire_area_boot(struct quire *q);
void quire_area_shutdown(struct quire *q);
enum quire_status quire_resource_boot(struct quire *q);
void quire_resource_shutdown(struct quire *q);

void quire_area_audit(struct quire *q);
void quire_resource_audit(struct quire *q);

#endif
