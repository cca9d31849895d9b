/* kernel.c: /proc/slabinfo and /proc/swaps: the rooms below as Linux shows them.
 *
 * Owns no state. One line a cache, an area; the columns are those of cache_show in
 * mm/slab_common.c and swap_show in mm/swapfile.c.
 *
 * Cannot fail; text that does not fit is counted (view.h). Called by os/ for /proc.
 */
#include "kmem/slab.h"
#include "page/page.h"
#include "swap/swap.h"
#include "view/lines.h"

static void slab_line(struct quire_text *text, const struct quire_cache_info *cache) {
    quire_text_left(text, cache->name, 17);
    quire_text_char(text, ' ');
    quire_text_decimal(text, cache->objects_active, 6);
    quire_text_char(text, ' ');
    quire_text_decimal(text, cache->objects_total, 6);
    quire_text_char(text, ' ');
    quire_text_decimal(text, cache->object_bytes, 6);
    quire_text_char(text, ' ');
    quire_text_decimal(text, cache->objects_per_slab, 4);
    quire_text_char(text, ' ');
    quire_text_decimal(text, cache->pages_per_slab, 4);
    /* As a kernel with per-processor arrays shows them: their length, what one trip to the slabs
     * moves, how many of them may lie in the depot; at the end those that do. */
    quire_text_string(text, " : tunables ");
    quire_text_decimal(text, cache->magazine_rounds, 4);
    quire_text_char(text, ' ');
    quire_text_decimal(text, cache->magazine_rounds, 4);
    quire_text_char(text, ' ');
    quire_text_decimal(text, cache->depot_max, 4);
    quire_text_string(text, " : slabdata ");
    quire_text_decimal(text, cache->slabs_active, 6);
    quire_text_char(text, ' ');
    quire_text_decimal(text, cache->slabs_total, 6);
    quire_text_char(text, ' ');
    quire_text_decimal(text, cache->depot, 6);
    quire_text_char(text, '\n');
}

size_t quire_view_slabinfo(const struct quire *q, char *bytes, size_t capacity) {
    struct quire_cache_info cache;
    struct quire_text text;
    quire_text_init(&text, bytes, capacity);
    quire_text_string(&text, "slabinfo - version: 2.1\n"
                             "# name            <active_objs> <num_objs> <objsize> <objperslab> "
                             "<pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : "
                             "slabdata <active_slabs> <num_slabs> <sharedavail>\n");
    for (unsigned i = 0; quire_kmem_info(q, i, &cache); i++) {
        slab_line(&text, &cache);
    }
    return quire_text_end(&text);
}

/* Names of swap devices, which have no other: as a Linux would call its nth disk. */
#define SWAP_NAME       "/dev/swap"
#define SWAP_NAME_WIDTH 40 /* swap_show pads the name to this column */
/* Numbers of fewer digits get a second tab (swap_show: bytes < 10000000). */
#define SWAP_WIDE_KB 10000000

/* As seq_file_path writes it: blanks, line ends and backslashes as three octal digits. */
static void swap_name(struct quire_text *text, const char *name) {
    for (; *name; name++) {
        unsigned char c = (unsigned char)*name;
        if (c == ' ' || c == '\t' || c == '\n' || c == '\\') {
            quire_text_char(text, '\\');
            quire_text_char(text, (char)('0' + (c >> 6)));
            quire_text_char(text, (char)('0' + (c >> 3 & 7)));
            quire_text_char(text, (char)('0' + (c & 7)));
        } else {
            quire_text_char(text, *name);
        }
    }
}

static void swap_line(struct quire_text *text, const struct quire_swap_info *area) {
    size_t start = text->length;
    if (area->name) {
        swap_name(text, area->name);
    } else {
        quire_text_string(text, SWAP_NAME);
        quire_text_decimal(text, area->device, 0);
    }
    if (text->length - start >= SWAP_NAME_WIDTH) {
        quire_text_char(text, ' ');
    }
    quire_text_pad_to(text, start, SWAP_NAME_WIDTH);
    quire_text_string(text, area->name ? "file\t\t" : "partition\t");
    quire_text_decimal(text, view_kb(area->total), 0);
    quire_text_string(text, view_kb(area->total) < SWAP_WIDE_KB ? "\t\t" : "\t");
    quire_text_decimal(text, view_kb(area->used), 0);
    quire_text_string(text, view_kb(area->used) < SWAP_WIDE_KB ? "\t\t" : "\t");
    quire_text_signed(text, area->priority);
    quire_text_char(text, '\n');
}

size_t quire_view_swaps(const struct quire *q, char *bytes, size_t capacity) {
    struct quire_swap_info area;
    struct quire_text text;
    quire_text_init(&text, bytes, capacity);
    quire_text_string(&text, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    for (unsigned i = 0; quire_swap_area(q, i, &area); i++) {
        swap_line(&text, &area);
    }
    return quire_text_end(&text);
}
