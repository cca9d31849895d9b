/* kernel_map.c: /proc/vmallocinfo and /proc/iomem: the kernel's own addresses and the machine's.
 *
 * Owns no state. The columns are those of vmalloc_info_show in mm/vmalloc.c (without the caller:
 * there are no names of functions here) and of r_show in kernel/resource.c. Sizes of areas include
 * the guard page, as there.
 *
 * Cannot fail; text that does not fit is counted (view.h). Called by os/ for /proc.
 */
#include "kmem/area.h"
#include "view/lines.h"

#define POINTER_DIGITS 16 /* %p of a 64-bit kernel */
#define IOMEM_DIGITS   8  /* r_show: at least, when addresses go beyond 64 KiB */
#define GUARD_BYTES    QUIRE_PAGE_SIZE

static void area_line(struct quire_text *text, const struct quire *q, const struct area *area) {
    static const char *const kinds[] = {" vmalloc", " vmap", " ioremap"};
    uint64_t at = quire_area_shown(q, area);
    uint64_t nbytes = (area->npages << QUIRE_PAGE_SHIFT) + GUARD_BYTES;
    quire_text_string(text, "0x");
    quire_text_hex(text, at, POINTER_DIGITS);
    quire_text_string(text, "-0x");
    quire_text_hex(text, at + nbytes, POINTER_DIGITS);
    quire_text_char(text, ' ');
    quire_text_decimal(text, nbytes, 7);
    if (area->kind == AREA_IOREMAP) {
        quire_text_string(text, " phys=0x");
        quire_text_hex(text, area->start.value, POINTER_DIGITS);
    } else {
        quire_text_string(text, " pages=");
        quire_text_decimal(text, area->npages, 0);
    }
    quire_text_string(text, kinds[area->kind]);
    quire_text_char(text, '\n');
}

size_t quire_view_vmallocinfo(const struct quire *q, char *bytes, size_t capacity) {
    struct quire_text text;
    quire_text_init(&text, bytes, capacity);
    for (struct area *area = quire_area_first(q); area; area = quire_area_next(area)) {
        area_line(&text, q, area);
    }
    return quire_text_end(&text);
}

size_t quire_view_iomem(const struct quire *q, char *bytes, size_t capacity) {
    const struct quire_region_of_bus *region = NULL;
    unsigned depth = 0;
    struct quire_text text;
    quire_text_init(&text, bytes, capacity);
    while ((region = quire_resource_next(q, region, &depth)) != NULL) {
        for (unsigned i = 0; i < depth; i++) {
            quire_text_string(&text, "  ");
        }
        quire_text_hex(&text, region->start, IOMEM_DIGITS);
        quire_text_char(&text, '-');
        quire_text_hex(&text, region->last, IOMEM_DIGITS);
        quire_text_string(&text, " : ");
        quire_text_string(&text, region->name);
        quire_text_char(&text, '\n');
    }
    return quire_text_end(&text);
}
