/* view.h: what the manager knows, in the formats that Linux users know (/proc).
 *
 * Every renderer writes at most capacity bytes, a terminating zero included, and returns the length
 * that the whole text has (as snprintf): call again with more when it did not fit. Read-only.
 */
#ifndef QUIRE_VIEW_H
#define QUIRE_VIEW_H

#include <quire/types.h>

size_t quire_view_meminfo(const struct quire *q, char *text, size_t capacity);
size_t quire_view_vmstat(const struct quire *q, char *text, size_t capacity);
/* /proc/pressure/memory. */
size_t quire_view_pressure(const struct quire *q, char *text, size_t capacity);
size_t quire_view_buddyinfo(const struct quire *q, char *text, size_t capacity);
size_t quire_view_pagetypeinfo(const struct quire *q, char *text, size_t capacity);
size_t quire_view_zoneinfo(const struct quire *q, char *text, size_t capacity);
size_t quire_view_slabinfo(const struct quire *q, char *text, size_t capacity);
/* Kernel mappings and who has which physical addresses. O(areas), O(regions). */
size_t quire_view_vmallocinfo(const struct quire *q, char *text, size_t capacity);
size_t quire_view_iomem(const struct quire *q, char *text, size_t capacity);
size_t quire_view_swaps(const struct quire *q, char *text, size_t capacity);

size_t quire_view_maps(const struct quire_space *space, char *text, size_t capacity);
size_t quire_view_smaps(const struct quire_space *space, char *text, size_t capacity);
/* The sums of smaps over all regions. */
size_t quire_view_smaps_rollup(const struct quire_space *space, char *text, size_t capacity);
/* The word that /proc/PID/pagemap has for the page of va (Linux's admin-guide/mm/pagemap): bits
 * 0-54 the frame's number, or on swap the area (0-4) and the slot (5-54); 56 mapped once only, 61
 * file or shared, 62 on swap, 63 in RAM. O(log regions). */
uint64_t quire_view_pagemap(const struct quire_space *space, quire_vaddr va);
size_t quire_view_statm(const struct quire_space *space, char *text, size_t capacity);
/* The memory lines of /proc/PID/status, VmPeak to VmSwap; the process lines around are os/'s. */
size_t quire_view_status(const struct quire_space *space, char *text, size_t capacity);

/* ---- for pictures: no file of Linux's -------------------------------------------------------- */

/* All frames by what they are used for, counted in at most max_cells (not 0) cells of equal size, a
 * power of two; and a space's pages, region by region, in at most so many cells unless there are
 * more regions. src/view/frames.c has the format. O(frames), a block being one; O(pages). */
size_t quire_view_frames(const struct quire *q, unsigned max_cells, char *text, size_t capacity);
size_t quire_view_pages(const struct quire_space *space, unsigned max_cells, char *text,
                        size_t capacity);

#endif
