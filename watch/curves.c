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
 * Who uses so many pages that the window tells of them has also driven out of the host's cache what
 * distances.c keeps. So events are gathered, and told together: what one of them fetches serves the
 * next. The window gets a ticket for a page at once, and the page its number when it is told.
 *
 * I1  Pages that end are held by no window any more (quire_soft_window_forget comes first), and all
 *     events before are told.
 * I2  Events are told in the order in which they happened; near pages are put in order only when
 *     none waits, for the window is asked about now.
 */
#include "watch/account.h"

#include <quire/space.h>

#include <stdlib.h>

#define PAGES_OF_A_SPACE ((uint64_t)1 << 36)
#define NO_TICKET        UINT32_MAX
#define FIRST_TICKETS    512 /* as many as the window of one hart holds, and its former one */

bool watch_curves_begin(struct watch_curves *curves, struct quire_machine *machine) {
    curves->machine = machine;
    if (!watch_distances_create(&curves->distances))
        return false;
    curves->distances.first_span = QUIRE_SOFT_TIMES * QUIRE_SOFT_WINDOW_IDLE;
    return true;
}

void watch_curves_end(struct watch_curves *curves) {
    free(curves->numbers);
    free(curves->free_tickets);
    watch_distances_end(&curves->distances);
}

/* ---- touches ----------------------------------------------------------------------------------
 */

/* Tell distances what happened, in order. What that takes lies all over the memory of the host, and
 * is fetched while those before are told. */
static void tell(struct watch_curves *curves) {
    enum { SOON = 4 };
    struct watch_distances *d = &curves->distances;
    const struct watch_event *event = curves->pending, *end = event + curves->npending;
    for (unsigned i = 0; i < SOON && i < curves->npending; i++)
        watch_distances_expect(d, curves->pending[i].page);
    for (; event < end; event++) {
        if (end - event > 2 * SOON)
            watch_distances_expect(d, event[2 * SOON].page);
        if (end - event > SOON)
            watch_distances_expect_more(d, event[SOON].page);
        if (event->ticket == NO_TICKET)
            watch_distances_touch(d, event->page, event->time);
        else if (event->leaves)
            watch_distances_leave(d, curves->numbers[event->ticket], event->time);
        else
            curves->numbers[event->ticket] = watch_distances_enter(d, event->page, event->time);
    }
    curves->npending = 0;
}

static void happened(struct watch_curves *curves, struct watch_event event) {
    curves->pending[curves->npending++] = event;
    if (curves->npending == WATCH_PENDING)
        tell(curves);
}

/* Near pages are put in order if there are many: all is told then, and the window gives up its
 * old ones. => not while a page leaves, when the window is being changed */
static void settle_if_full(struct watch_curves *curves) {
    struct watch_distances *d = &curves->distances;
    if (!watch_distances_full(d))
        return;
    tell(curves);
    uint64_t before = watch_distances_limit(d);
    quire_soft_window_trim(curves->machine, before);
    tell(curves);
    watch_distances_settle(d, before);
}

/* A ticket for a page that is held; NO_TICKET: no memory. */
static uint32_t take_ticket(struct watch_curves *curves) {
    if (curves->nfree > 0)
        return curves->free_tickets[--curves->nfree];
    uint32_t more = curves->ntickets ? 2 * curves->ntickets : FIRST_TICKETS;
    uint32_t *numbers = realloc(curves->numbers, more * sizeof *numbers);
    curves->numbers = numbers ? numbers : curves->numbers;
    uint32_t *stack = numbers ? realloc(curves->free_tickets, more * sizeof *stack) : NULL;
    curves->free_tickets = stack ? stack : curves->free_tickets;
    if (!stack)
        return NO_TICKET;
    for (uint32_t ticket = more - 1; ticket > curves->ntickets; ticket--)
        stack[curves->nfree++] = ticket;
    more -= curves->ntickets;
    curves->ntickets += more;
    return curves->ntickets - more;
}

uint32_t watch_curves_enter(struct watch_curves *curves, uint64_t page, uint64_t time) {
    uint32_t ticket = curves->distances.broken ? NO_TICKET : take_ticket(curves);
    if (ticket == NO_TICKET)
        curves->distances.broken = true;
    else
        happened(curves, (struct watch_event){page, time, ticket, false});
    settle_if_full(curves);
    return ticket;
}

void watch_curves_leave(struct watch_curves *curves, uint32_t ticket, uint64_t last) {
    if (ticket == NO_TICKET)
        return;
    curves->free_tickets[curves->nfree++] = ticket; /* events are told in order */
    happened(curves, (struct watch_event){0, last, ticket, true});
}

void watch_curves_touch(struct watch_curves *curves, uint64_t page, uint64_t time) {
    happened(curves, (struct watch_event){page, time, NO_TICKET, false});
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
    tell(curves);
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
    tell(curves);
    watch_distances_finish(&curves->distances, quire_soft_window_now(curves->machine));
}
