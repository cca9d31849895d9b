/* top.h: what the files of `quire top` share: what is known of a moment, and its lines. */
#ifndef QUIRE_CLI_TOP_H
#define QUIRE_CLI_TOP_H

#include "cli/look.h"

#define TOP_FILTER_BYTES 48
#define TOP_LINE_BYTES   1024 /* a line that is longer is cut: no terminal is so wide */
#define TOP_WIDTH_MAX    (TOP_LINE_BYTES - 1)

/* Columns, from left to right; the sort key is one of them. */
enum top_column {
    TOP_PID,
    TOP_USER,
    TOP_VIRT,
    TOP_RES,
    TOP_SHR,
    TOP_SWAP,
    TOP_STATE,
    TOP_CPU,
    TOP_MEM,
    TOP_MINOR,
    TOP_MAJOR,
    TOP_TIME,
    TOP_COMMAND,
    TOP_NCOLUMNS
};

/* How a line is to look where there are colours. */
enum top_style { TOP_PLAIN, TOP_STRONG, TOP_WARNING, TOP_HEAD };

struct top_line {
    char text[TOP_LINE_BYTES];
    enum top_style style;
    int from, to; /* columns of the text with the sort key's name, in TOP_HEAD */
};

struct top {
    struct look look;
    bool batch, names_only, reverse, web;
    unsigned port;          /* of the page; 0: a free one */
    const char *beside_web; /* an option that means nothing to it */
    enum top_column order;
    char filter[TOP_FILTER_BYTES];
    size_t scroll; /* processes that are above the screen */
    /* Of the moment before and of now; before.tasks is empty at first. */
    struct top_moment {
        struct tasks tasks;
        uint64_t machine_ns, idle_ns, stall_ns, accesses, tlb_misses;
        uint64_t minor, major, swapin, swapout;                        /* pages */
        uint64_t total, free, available, cache, swap_total, swap_free; /* KiB */
        char command[TOP_LINE_BYTES], policy[32];
    } before, now;
};

/* Files for live_read. */
#define TOP_FILES "quire vmstat " TASKS_FILES

/* What was read becomes now, and now before. False: no memory. */
bool top_take(struct top *top);
void top_done(struct top *top);

/* Make the lines of a screen so wide and high (0: as long as the list is), sorted, filtered,
 * scrolled. NULL: no memory. For free(). */
struct top_line *top_lines(struct top *top, unsigned width, unsigned height, size_t *nlines);

/* The column that is sorted by, one to the left or right of what is shown at this width. */
void top_order_move(struct top *top, int step, unsigned width);

/* top_screen.c: until q, or the run ends. Returns an exit code. (top_screen_none.c says that there
 * is no ncurses.) */
int top_screen(struct top *top);

/* top_web.c: until Ctrl-C, or the run ends. run as in struct look, port 0: a free one. Returns an
 * exit code. */
int top_web(int run, unsigned port);

#endif
