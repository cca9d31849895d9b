/* maps.c: /proc/PID/maps, smaps, smaps_rollup and pagemap: the regions of a space, and what of them
 * is in memory.
 *
 * Owns no state. The columns are those of Linux's fs/proc/task_mmu.c:
 *
 *     563fc555f000-563fc5561000 r--p 00000000 fe:00 247498                     /usr/bin/head
 *     start        end          perm offset   dev   inode                      ▲ column 73
 *
 * smaps looks at each resident page of a region and at who else maps it; a page is shared if it has
 * more than one mapping. Proportional size divides each page by its mappings.
 *
 * pagemap says where one page is. A private page in RAM counts as present even when the machine has
 * forgotten the mapping: the core's word is the truth, the tables are a cache of it. Of a file only
 * mapped pages count, or the whole page cache would seem to belong to the program.
 *
 * Cannot fail; text that does not fit is counted (view.h). O(regions), smaps O(pages). Called by
 * os/.
 */
#include "view/lines.h"
#include "vm/vm.h"

#define NAME_COLUMN 73

static const char *region_name(const struct quire_region_info *region) {
    if (region->object) {
        return quire_object_info(region->object)->name;
    }
    if (region->flags & QUIRE_MAP_HEAP_TAG) {
        return "[heap]";
    }
    if (region->flags & QUIRE_MAP_STACK_TAG) {
        return "[stack]";
    }
    return NULL;
}

static void region_line(struct quire_text *text, const struct quire_region_info *region,
                        const char *name) {
    static const struct quire_object_info no_object = {0};
    const struct quire_object_info *object =
        region->object ? quire_object_info(region->object) : &no_object;
    size_t start = text->length;
    quire_text_hex(text, region->start.value, 8);
    quire_text_char(text, '-');
    quire_text_hex(text, region->end.value, 8);
    quire_text_char(text, ' ');
    quire_text_char(text, region->prot & QUIRE_PROT_READ ? 'r' : '-');
    quire_text_char(text, region->prot & QUIRE_PROT_WRITE ? 'w' : '-');
    quire_text_char(text, region->prot & QUIRE_PROT_EXEC ? 'x' : '-');
    quire_text_char(text, region->flags & QUIRE_MAP_SHARED ? 's' : 'p');
    quire_text_char(text, ' ');
    quire_text_hex(text, region->offset_bytes, 8);
    quire_text_char(text, ' ');
    quire_text_hex(text, object->device_major, 2);
    quire_text_char(text, ':');
    quire_text_hex(text, object->device_minor, 2);
    quire_text_char(text, ' ');
    quire_text_decimal(text, object->inode, 0);
    quire_text_char(text, ' ');
    if (name) {
        quire_text_pad_to(text, start, NAME_COLUMN);
        quire_text_string(text, name);
    }
    quire_text_char(text, '\n');
}

size_t quire_view_maps(const struct quire_space *space, char *bytes, size_t capacity) {
    struct quire_region_info region;
    struct quire_text text;
    quire_vaddr va = quire_va(0);
    quire_text_init(&text, bytes, capacity);
    for (; quire_region_at_or_after(space, va, false, &region); va = region.end) {
        region_line(&text, &region, region_name(&region));
    }
    return quire_text_end(&text);
}

/* What one region has in memory: pages, but pss in bytes of 1/4096 (Linux: PSS_SHIFT). */
struct resident {
    uint64_t rss, anonymous, referenced, lazy;
    uint64_t shared_clean, shared_dirty, private_clean, private_dirty;
    uint64_t pss, pss_dirty, pss_anon, pss_file, pss_shmem;
    uint64_t huge;                      /* in blocks of 2 MiB */
    uint64_t swapped, swap_pss, locked; /* swap_pss in bytes of 1/4096 too */
};

#define PSS_SHIFT 12

static bool mapped_here(const struct quire_page *page, const struct quire_space *space,
                        quire_vaddr va) {
    for (const struct quire_rmap *rmap = &page->rmap; rmap && rmap->space; rmap = rmap->next) {
        if (rmap->space == space && rmap->va.value == va.value) {
            return true;
        }
    }
    return false;
}

static void count_page(struct resident *sum, struct quire_space *space, quire_vaddr va,
                       const struct quire_page *page) {
    struct quire_pmap_entry entry;
    bool dirty = page->flags & QUIRE_PAGE_DIRTY;
    bool shared = page->nmaps > 1;
    uint32_t part = (uint32_t)(QUIRE_PAGE_SIZE << PSS_SHIFT) / page->nmaps;
    quire_mach_pmap_query(quire_space_pmap(space), va, &entry);
    sum->rss++;
    sum->anonymous += page->use == QUIRE_USE_ANON;
    sum->referenced += entry.referenced || (page->flags & QUIRE_PAGE_REFERENCED);
    sum->shared_clean += shared && !dirty;
    sum->shared_dirty += shared && dirty;
    sum->private_clean += !shared && !dirty;
    sum->private_dirty += !shared && dirty;
    sum->pss += part;
    sum->pss_dirty += dirty ? part : 0;
    sum->lazy += (page->flags & QUIRE_PAGE_LAZYFREE) != 0;
    *(page->use == QUIRE_USE_ANON   ? &sum->pss_anon
      : page->use == QUIRE_USE_FILE ? &sum->pss_file
                                    : &sum->pss_shmem) += part;
}

static void count_region(struct quire_space *space, const struct quire_region_info *region,
                         struct resident *sum) {
    struct quire_place place;
    quire_vaddr va = region->start;
    uint64_t pss = sum->pss;
    for (; quire_vm_next_place(space, va, region->end, &place);
         va = quire_va(place.va.value + QUIRE_PAGE_SIZE)) {
        if (place.page) {
            count_page(sum, space, place.va, place.page);
        } else {
            sum->swapped++;
            sum->swap_pss += (uint32_t)(QUIRE_PAGE_SIZE << PSS_SHIFT) / place.sharers;
        }
    }
    sum->huge += quire_vm_block_pages(space, region->start, region->end);
    if (region->flags & QUIRE_MAP_LOCKED) {
        sum->locked += sum->pss - pss;
    }
}

/* Linux's VM_ACCOUNT: private memory that is or was writable and is promised. */
static bool commits(const struct quire_region_info *region) {
    return (region->prot & QUIRE_PROT_WRITE) &&
           !(region->flags & (QUIRE_MAP_SHARED | QUIRE_MAP_NORESERVE));
}

/* In the order of Linux's show_smap_vma_flags. */
static void vm_flags(struct quire_text *text, const struct quire_region_info *region) {
    bool shared = region->flags & QUIRE_MAP_SHARED;
    quire_text_string(text, "VmFlags: ");
    quire_text_string(text, region->prot & QUIRE_PROT_READ ? "rd " : "");
    quire_text_string(text, region->prot & QUIRE_PROT_WRITE ? "wr " : "");
    quire_text_string(text, region->prot & QUIRE_PROT_EXEC ? "ex " : "");
    quire_text_string(text, shared ? "sh " : "");
    quire_text_string(text, "mr ");
    quire_text_string(text, region->flags & QUIRE_MAP_DENY_WRITE ? "" : "mw ");
    quire_text_string(text, "me ");
    quire_text_string(text, shared ? "ms " : "");
    quire_text_string(text, region->flags & QUIRE_MAP_GROWSDOWN ? "gd " : "");
    quire_text_string(text, region->flags & QUIRE_MAP_LOCKED ? "lo " : "");
    quire_text_string(text, region->flags & QUIRE_REGION_DONTFORK ? "dc " : "");
    quire_text_string(text, commits(region) ? "ac " : "");
    quire_text_string(text, region->flags & QUIRE_MAP_NORESERVE ? "nr " : "");
    quire_text_string(text, region->flags & QUIRE_REGION_WIPEONFORK ? "wf " : "");
    quire_text_string(text, region->flags & QUIRE_REGION_HUGEPAGE ? "hg " : "");
    quire_text_string(text, region->flags & QUIRE_REGION_NOHUGEPAGE ? "nh " : "");
    quire_text_char(text, '\n');
}

static void pss_line(struct quire_text *text, const char *label, uint64_t pss) {
    view_line_kb(text, label, pss >> (10 + PSS_SHIFT));
}

/* rollup: the three parts of Pss are told for the whole only, as on Linux. Of huge pages there is
 * none in a file, and none from hugetlbfs. */
static void resident_lines(struct quire_text *text, const struct resident *sum, bool rollup) {
    view_line_pages(text, "Rss:", sum->rss);
    pss_line(text, "Pss:", sum->pss);
    pss_line(text, "Pss_Dirty:", sum->pss_dirty);
    if (rollup) {
        pss_line(text, "Pss_Anon:", sum->pss_anon);
        pss_line(text, "Pss_File:", sum->pss_file);
        pss_line(text, "Pss_Shmem:", sum->pss_shmem);
    }
    view_line_pages(text, "Shared_Clean:", sum->shared_clean);
    view_line_pages(text, "Shared_Dirty:", sum->shared_dirty);
    view_line_pages(text, "Private_Clean:", sum->private_clean);
    view_line_pages(text, "Private_Dirty:", sum->private_dirty);
    view_line_pages(text, "Referenced:", sum->referenced);
    view_line_pages(text, "Anonymous:", sum->anonymous);
    view_line_pages(text, "LazyFree:", sum->lazy);
    view_line_pages(text, "AnonHugePages:", sum->huge);
    view_line_pages(text, "ShmemPmdMapped:", 0);
    view_line_pages(text, "FilePmdMapped:", 0);
    view_line_pages(text, "Shared_Hugetlb:", 0);
    view_line_pages(text, "Private_Hugetlb:", 0);
    view_line_pages(text, "Swap:", sum->swapped);
    pss_line(text, "SwapPss:", sum->swap_pss);
    pss_line(text, "Locked:", sum->locked);
}

static void region_details(struct quire_text *text, struct quire_space *space,
                           const struct quire_region_info *region) {
    struct resident sum = {0};
    count_region(space, region, &sum);
    view_line_kb(text, "Size:", (region->end.value - region->start.value) >> 10);
    view_line_pages(text, "KernelPageSize:", 1);
    view_line_pages(text, "MMUPageSize:", 1);
    resident_lines(text, &sum, false);
    quire_text_left(text, "THPeligible:", 16);
    quire_text_decimal(text, quire_vm_block_eligible(space, region->start), 8);
    quire_text_char(text, '\n');
    vm_flags(text, region);
}

/* The manager that a space belongs to is not const, and looking for a page moves its search hints;
 * nothing that can be seen changes. */
struct quire_space *view_same_space(const struct quire_space *space) {
    struct quire *q = quire_space_system(space);
    struct quire_space *each = quire_vm_next_space(q, NULL);
    while (each != space) {
        each = quire_vm_next_space(q, each);
    }
    return each;
}

size_t quire_view_smaps(const struct quire_space *space, char *bytes, size_t capacity) {
    struct quire_region_info region;
    struct quire_text text;
    quire_vaddr va = quire_va(0);
    struct quire_space *writable = view_same_space(space);
    quire_text_init(&text, bytes, capacity);
    for (; quire_region_at_or_after(space, va, false, &region); va = region.end) {
        region_line(&text, &region, region_name(&region));
        region_details(&text, writable, &region);
    }
    return quire_text_end(&text);
}

/* One header line from the first region's start to the last one's end, as Linux's [rollup]. */
size_t quire_view_smaps_rollup(const struct quire_space *space, char *bytes, size_t capacity) {
    struct quire_region_info region, whole = {0};
    struct resident total = {0};
    struct quire_text text;
    quire_vaddr va = quire_va(0);
    struct quire_space *writable = view_same_space(space);
    quire_text_init(&text, bytes, capacity);
    for (; quire_region_at_or_after(space, va, false, &region); va = region.end) {
        count_region(writable, &region, &total);
        whole.start = whole.end.value ? whole.start : region.start;
        whole.end = region.end;
    }
    region_line(&text, &whole, "[rollup]"); /* of no region: from 0 to 0, as Linux since 6.0 */
    resident_lines(&text, &total, true);
    return quire_text_end(&text);
}

/* ---- pagemap -----------------------------------------------------------------------------------
 */

#define PAGEMAP_SLOT_SHIFT 5
#define PAGEMAP_EXCLUSIVE  ((uint64_t)1 << 56)
#define PAGEMAP_FILE       ((uint64_t)1 << 61)
#define PAGEMAP_SWAPPED    ((uint64_t)1 << 62)
#define PAGEMAP_PRESENT    ((uint64_t)1 << 63)

uint64_t quire_view_pagemap(const struct quire_space *space, quire_vaddr va) {
    struct quire_space *writable = view_same_space(space);
    struct quire_pmap_entry entry;
    quire_slot slot;
    va.value &= ~QUIRE_PAGE_MASK;
    if (quire_vm_slot_at(writable, va, &slot)) {
        unsigned area;
        uint32_t page;
        quire_swap_place(slot, &area, &page);
        return PAGEMAP_SWAPPED | (uint64_t)page << PAGEMAP_SLOT_SHIFT | area;
    }
    const struct quire_page *page = quire_vm_page_at(writable, va);
    if (!page) { /* nothing, or the page of zeros that a read found */
        quire_mach_pmap_query(quire_space_pmap(space), va, &entry);
        return entry.mapped ? PAGEMAP_PRESENT | entry.frame.number : 0;
    }
    if (page->use != QUIRE_USE_ANON && !mapped_here(page, space, va)) {
        return 0;
    }
    return PAGEMAP_PRESENT | quire_page_frame(quire_space_system(space), page).number |
           (page->use != QUIRE_USE_ANON ? PAGEMAP_FILE : 0) |
           (page->nmaps == 1 ? PAGEMAP_EXCLUSIVE : 0);
}
