/* curves.c: from the machine's window to distances: who comes, who goes, and which pages end.
 *
 *     machine/soft/window.c ──enters, leaves──▶ distances.c ──▶ faults by size of RAM, working set
 *     kernel: copies, calls ──touches, ends ────────┘
 *
 * The string of references is: every load and store of a program, each page that instructions are
 * fetched from to be decoded, and each page that the kernel copies from or to for a call. A page is
 * one of a space: what two processes share counts for each, and what fork gave the child is new
 * when the child first uses it.
 *
 * A page ends with its space, and by the calls that give it back: munmap, madvise (DONTNEED), brk
 * downwards, mremap, and mmap over something. Its frame would be free then, with any size of RAM.
 *
 * I1  Pages that end are held by no window any more (quire_soft_window_forget comes first).
 */
#include "watch/account.h"

#include <quire/space.h>

#include <string.h>

#define PAGES_OF_A_SPACE ((uint64_t)1 << 36)

bool watch_curves_begin(struct watch_curves *curves, struct quire_machine *machine) {
    curves->machine = machine;
    if (!watch_distances_create(&curves->distances))
        return false;
    curves->distances.first_span = QUIRE_SOFT_TIMES * QUIRE_SOFT_WINDOW_IDLE;
    return true;
}

void watch_curves_end(struct watch_curves *curves) {
    watch_distances_end(&curves->distances);
}

/* ---- touches ----------------------------------------------------------------------------------
 */

static void settle_if_full(struct watch_curves *curves) {
    struct watch_distances *d = &curves->distances;
    if (!watch_distances_full(d))
        return;
    uint64_t before = watch_distances_limit(d);
    quire_soft_window_trim(curves->machine, before);
    watch_distances_settle(d, before);
}

uint32_t watch_curves_enter(struct watch_curves *curves, uint64_t page, uint64_t time) {
    uint32_t number = watch_distances_enter(&curves->distances, page, time);
    settle_if_full(curves);
    return number;
}

void watch_curves_leave(struct watch_curves *curves, uint32_t number, uint64_t last) {
    watch_distances_leave(&curves->distances, number, last);
}

void watch_curves_touch(struct watch_curves *curves, uint64_t page, uint64_t time) {
    watch_distances_touch(&curves->distances, page, time);
    settle_if_full(curves);
}

void watch_curves_copied(struct watch_curves *curves, struct quire_space *space, uint64_t va,
                         size_t nbytes) {
    uint64_t end = va + nbytes;
    (void)curves;
    for (va &= ~QUIRE_PAGE_MASK; va < end; va += QUIRE_PAGE_SIZE)
        quire_soft_window_touch(quire_space_pmap(space), va);
}

/* ---- ends -------------------------------------------------------------------------------------
 */

static void pages_end(struct watch_curves *curves, const struct quire_space *space, uint64_t first,
                      uint64_t npages) {
    struct quire_pmap *pmap = quire_space_pmap(space);
    uint64_t key = (uint64_t)quire_soft_space_number(pmap) * PAGES_OF_A_SPACE + first;
    quire_soft_window_forget(pmap, first, npages); /* I1 */
    if (curves->ended)
        curves->ended(curves->context, key, npages);
    watch_distances_remove_range(&curves->distances, key, npages,
                                 quire_soft_window_now(curves->machine));
}

void watch_curves_space_ends(struct watch_curves *curves, const struct quire_space *space) {
    pages_end(curves, space, 0, PAGES_OF_A_SPACE);
}

/* Whole pages of [va, va + nbytes), if no mapping begins there any more, or although. */
static void range_ends(struct watch_curves *curves, struct quire_space *space, uint64_t va,
                       uint64_t nbytes, bool although) {
    struct quire_region_info info;
    uint64_t npages = (nbytes + QUIRE_PAGE_MASK) >> QUIRE_PAGE_SHIFT;
    if ((va & QUIRE_PAGE_MASK) || nbytes == 0 || nbytes > PAGES_OF_A_SPACE << QUIRE_PAGE_SHIFT)
        return; /* the call has refused that */
    bool mapped =
        quire_region_at_or_after(space, quire_va(va), false, &info) && info.start.value <= va;
    if (mapped == although)
        pages_end(curves, space, va >> QUIRE_PAGE_SHIFT, npages);
}

/* The heap ends somewhere else now; where it ended before is remembered for as many spaces as there
 * is room, by number. */
static void heap_moved(struct watch_curves *curves, struct quire_space *space, uint64_t end) {
    uint32_t number = quire_soft_space_number(quire_space_pmap(space));
    struct watch_break *last = &curves->breaks[number % WATCH_BREAKS];
    end = (end + QUIRE_PAGE_MASK) & ~QUIRE_PAGE_MASK;
    if (last->space == number && end < last->end && end > 0)
        range_ends(curves, space, end, last->end - end, false);
    if (end > 0)
        *last = (struct watch_break){number, end};
}

void watch_curves_called(struct watch_curves *curves, struct quire_space *space,
                         const uint64_t *x) {
    /* Linux's numbers, for RISC-V; arguments from a0 = x10 on */
    enum { BRK = 214, MUNMAP, MREMAP, MMAP = 222, MADVISE = 233 };
    enum { DONTNEED = 4, FIXED = 0x10 };
    switch (x[17]) { /* a7 */
    case BRK:
        heap_moved(curves, space, x[10]);
        break;
    case MUNMAP:
    case MREMAP:
        range_ends(curves, space, x[10], x[11], false);
        break;
    case MMAP:
        if (x[13] & FIXED)
            range_ends(curves, space, x[10], x[11], true);
        break;
    case MADVISE:
        if (x[12] == DONTNEED)
            range_ends(curves, space, x[10], x[11], true);
        break;
    default:
        break;
    }
}

uint64_t watch_curves_time(const struct watch_curves *curves) {
    struct quire_soft_counters counters;
    quire_soft_counters(curves->machine, &counters);
    return QUIRE_SOFT_TIMES * counters.instructions;
}

void watch_curves_finish(struct watch_curves *curves) {
    if (curves->finished)
        return;
    curves->finished = true;
    quire_soft_window_trim(curves->machine, UINT64_MAX);
    watch_distances_finish(&curves->distances, quire_soft_window_now(curves->machine));
}
