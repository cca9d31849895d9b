/* regions.c: what happened in each mapping that the programs ever had.
 *
 * The manager's regions come and go, split and merge; a reader wants "the heap", "libc's data",
 * "the array of 64 MiB". So a row is kept for what had one name in one space, and a region that
 * lies beside or over such a row, with the same name and protection, is part of it. Few
 * regions are used at a time: those found last are tried first, then the rows of the space, the
 * newest first.
 *
 *   I1  Row 0 takes what has no room.
 *   I2  A row's range only grows.
 */
#include "watch/account.h"

#include <quire/space.h>

#include <string.h>

void watch_regions_begin(struct watch_regions *regions) {
    regions->count = 1;
    memcpy(regions->rows[0].name, "(others)", sizeof "(others)");
}

static const char *name_of(const struct quire_region_info *info) {
    if (info->object)
        return quire_object_info(info->object)->name;
    if (info->flags & QUIRE_MAP_HEAP_TAG)
        return "[heap]";
    return info->flags & (QUIRE_MAP_STACK_TAG | QUIRE_MAP_GROWSDOWN) ? "[stack]" : "";
}

static bool is_part(const struct watch_region *row, uint32_t number, const char *name,
                    const struct quire_region_info *info) {
    return row->space == number && row->prot == info->prot && info->start.value <= row->end &&
           row->start <= info->end.value && strncmp(row->name, name, WATCH_NAME_MAX - 1) == 0;
}

static struct watch_region *row_for(struct watch_regions *regions, uint32_t number,
                                    const struct quire_region_info *info) {
    const char *name = name_of(info);
    for (unsigned i = regions->newest[number]; i != 0; i = regions->rows[i].older) {
        struct watch_region *row = &regions->rows[i];
        if (!is_part(row, number, name ? name : "", info))
            continue;
        row->start = info->start.value < row->start ? info->start.value : row->start;
        row->end = info->end.value > row->end ? info->end.value : row->end; /* I2 */
        return row;
    }
    if (regions->count == WATCH_REGIONS)
        return &regions->rows[0]; /* I1 */
    struct watch_region *row = &regions->rows[regions->count];
    *row = (struct watch_region){.space = number,
                                 .older = regions->newest[number],
                                 .start = info->start.value,
                                 .end = info->end.value,
                                 .prot = info->prot};
    regions->newest[number] = (uint16_t)regions->count++;
    snprintf(row->name, sizeof row->name, "%s", name ? name : "");
    return row;
}

void watch_regions_forget(struct watch_regions *regions) {
    memset(regions->recent, 0, sizeof regions->recent);
}

struct watch_region *watch_region_of(struct watch_regions *regions, uint32_t number,
                                     const struct quire_space *space, uint64_t va) {
    for (unsigned i = 0; i < WATCH_RECENT; i++) {
        const struct watch_range *range = &regions->recent[i];
        if (va - range->start < range->end - range->start && range->space == number)
            return &regions->rows[range->row];
    }
    struct quire_region_info info;
    if (!quire_region_at_or_after(space, quire_va(va), false, &info) || info.start.value > va)
        return &regions->rows[0];
    struct watch_region *row = row_for(regions, number, &info);
    regions->recent[regions->nrecent++ % WATCH_RECENT] = (struct watch_range){
        info.start.value, info.end.value, number, (uint32_t)(row - regions->rows)};
    return row;
}
