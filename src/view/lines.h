/* lines.h: the two line shapes that several views share. Internal to view/. */
#ifndef QUIRE_VIEW_LINES_H
#define QUIRE_VIEW_LINES_H

#include <quire/view.h>

#include "base/text.h"

static inline uint64_t view_kb(uint64_t pages) {
    return pages << (QUIRE_PAGE_SHIFT - 10);
}

/* "MemFree:         1234 kB": the label and its colon fill 16 columns, the number is right-aligned
 * in 8 (meminfo and smaps: show_val_kb and SEQ_PUT_DEC of Linux's fs/proc). */
static inline void view_line_kb(struct quire_text *text, const char *label, uint64_t kilobytes) {
    quire_text_left(text, label, 16);
    quire_text_decimal(text, kilobytes, 8);
    quire_text_string(text, " kB\n");
}

/* meminfo.c: pages in RAM that also have a good copy on swap. */
uint64_t view_swap_cached(const struct quire *q);

/* maps.c: the same space, for who looks for its pages. */
struct quire_space *view_same_space(const struct quire_space *space);

static inline void view_line_pages(struct quire_text *text, const char *label, uint64_t pages) {
    view_line_kb(text, label, view_kb(pages));
}

#endif
