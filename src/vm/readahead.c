/* readahead.c: a page comes back from swap, and those that will be wanted next come with it.
 *
 * Owns the window: how many pages a fault brings in. It is Linux's swap_vma_readahead (mm/
 * swap_state.c), which guesses by addresses: whoever walks through memory wants the pages beside
 * the one that he faults on. The window is one page for who jumps about, doubles while what was
 * read ahead is used, and shrinks by half at a time when it is not.
 *
 *     address    [ 6 ][ 7 ][ 8 ][ 9 ][10 ][11 ]      window 4, the last fault was at 7
 *                       last  ▲
 *     slots       31   32   33   34   35   90        8, 9, 10 in one request; 11 lies elsewhere
 *
 * We are stricter in one thing: only neighbours whose slots are neighbours too are taken, in one
 * request to the device. Then a page more costs its transfer, and not another wait for the device
 * (a sixtieth of it, on the disk that machine/soft has); pages that were evicted one after the
 * other, which are those that are used one after the other, lie so (slots.c). Others are not worth
 * a guess.
 *
 *   I1  what was read ahead is clean, inactive and not mapped: if nobody comes for it, it is the
 *       first to go, without a write
 *   I2  a page that comes has been verified; one that fails is left where it is, and its own fault
 *       will say so
 *   I3  nothing fails for lack of what is only a guess: QUIRE_NOMEM is about the page itself
 *
 * The mark of a page that nobody has come for yet is in rmap.va, which means nothing while a page
 * is not mapped. Counted in swap_ra and swap_ra_hit. Called by fault.c and shm.c.
 */
#include "base/stall.h"
#include "vm/anon.h"
#include "vm/lock.h"
#include "vm/space.h"

#define MARK 1u /* no page begins there */

/* struct quire_readahead is packed as Linux packs it: a word in each region. */
#define WINDOW_BITS 8
#define HITS_BITS   8
#define HITS_MAX    ((1u << HITS_BITS) - 1)

static uint64_t pack(uint64_t index, unsigned window, unsigned hits) {
    return index << (WINDOW_BITS + HITS_BITS) | (uint64_t)window << HITS_BITS | hits;
}

static uint64_t last_of(uint64_t state) {
    return state >> (WINDOW_BITS + HITS_BITS);
}

/* __swapin_nr_pages: how many pages, by what became of the last ones. */
static unsigned next_window(uint64_t state, uint64_t index, unsigned most) {
    uint64_t last = last_of(state);
    unsigned hits = (unsigned)(state & HITS_MAX);
    unsigned before = (unsigned)(state >> HITS_BITS) & ((1u << WINDOW_BITS) - 1);
    unsigned npages = hits + 2;
    if (hits == 0) {
        npages = index == last + 1 || index + 1 == last ? 2 : 1;
    } else {
        unsigned round = 4;
        while (round < npages) {
            round *= 2;
        }
        npages = round;
    }
    npages = npages < most ? npages : most;
    return npages < before / 2 ? before / 2 : npages;
}

/* The anon at index, if it is only on swap, in the slot that is `step` behind that of anon. */
static struct quire_anon *neighbour(const struct quire_around *around,
                                    const struct quire_anon *anon, uint64_t index, int32_t step) {
    if (index < around->first || index >= around->end) {
        return NULL;
    }
    struct quire_anon *other = quire_radix_get(around->anons, index);
    if (!other || other->page || quire_slot_is_none(other->slot)) {
        return NULL;
    }
    return quire_swap_is_behind(other->slot, anon->slot, step) ? other : NULL;
}

/* Ascending addresses and slots: run[at] is the page that was asked for. Returns how many. */
static unsigned gather(const struct quire_around *around, struct quire_anon *anon, unsigned window,
                       struct quire_anon *run[QUIRE_RUN_MAX], unsigned *at) {
    bool down = last_of(*around->state) == around->index + 1;
    struct quire_anon *other;
    unsigned count = 1, behind = 0;
    run[0] = anon;
    while (!down && count < window &&
           (other = neighbour(around, anon, around->index + count, (int32_t)count)) != NULL) {
        run[count++] = other;
    }
    while (down && behind + 1 < window && /* below 0 is past the end: no neighbour */
           neighbour(around, anon, around->index - behind - 1, -(int32_t)behind - 1) != NULL) {
        behind++;
    }
    for (unsigned i = 0; down && i <= behind; i++) {
        run[behind - i] = i == 0 ? anon : neighbour(around, anon, around->index - i, -(int32_t)i);
    }
    *at = behind;
    return count + behind;
}

/* Frames for the run, which lies to one side of run[at]: for that one first. *first and *count
 * shrink to what there is memory for (I3). False: not even for the page itself. */
static bool take_frames(struct quire *q, enum quire_page_use use, unsigned at, unsigned *first,
                        unsigned *count, struct quire_page *pages[QUIRE_RUN_MAX]) {
    unsigned taken = 0;
    for (; taken < *count; taken++) {
        struct quire_page *page = quire_page_alloc(q, 0, use, QUIRE_ALLOC_USER);
        if (!page) {
            break;
        }
        pages[at > 0 ? at - taken : taken] = page;
    }
    *first = at > 0 ? at + 1 - taken : 0;
    *count = taken;
    return taken > 0;
}

/* I1. */
static void settle(struct quire *q, struct quire_anon *anon, struct quire_page *page,
                   uint64_t index, bool guessed) {
    page->owner = anon;
    page->index = index;
    if (guessed) {
        page->rmap.va = quire_va(MARK);
        q->counters.swap_ra++;
    }
    anon->page = page;
    quire_anon_count_swapped(q, anon, -1);
    /* A guess proves no second use: the shadow of its eviction is forgotten. */
    quire_lock_or_list(q, anon, guessed ? 0 : anon->shadow);
    anon->shadow = 0;
}

enum quire_status quire_anon_swap_in_around(struct quire *q, struct quire_anon *anon,
                                            enum quire_page_use use,
                                            const struct quire_around *around) {
    struct quire_anon *run[QUIRE_RUN_MAX];
    struct quire_page *pages[QUIRE_RUN_MAX];
    bool good[QUIRE_RUN_MAX];
    unsigned most = 1u << q->vm->page_cluster, at, first = 0;
    if (most == 1 || quire_swap_is_stored(anon->slot)) {
        return quire_anon_swap_in(q, anon, use);
    }
    unsigned window = next_window(*around->state, around->index, most);
    unsigned count = gather(around, anon, window, run, &at);
    if (!take_frames(q, use, at, &first, &count, pages)) {
        return QUIRE_NOMEM;
    }
    uint64_t began = quire_stall_begin(q); /* the guesses come in the same request */
    quire_swap_in_run(q, run + first, pages + first, count, at - first, good + first);
    quire_stall_end(q, began);
    for (unsigned i = first; i < first + count; i++) {
        if (good[i]) {
            settle(q, run[i], pages[i], around->index + i - at, i != at);
        } else {
            quire_page_free(q, pages[i]); /* I2 */
        }
    }
    *around->state = pack(around->index, window, 0);
    if (!good[at]) {
        return QUIRE_BUS;
    }
    if (quire_swap_is_full(q)) {
        quire_anon_dirty(q, anon);
    }
    return QUIRE_OK;
}

void quire_anon_came(struct quire *q, struct quire_page *page, uint64_t index, uint64_t *state) {
    if (page->nmaps || page->rmap.va.value != MARK) {
        return;
    }
    unsigned hits = (unsigned)(*state & HITS_MAX);
    unsigned window = (unsigned)(*state >> HITS_BITS) & ((1u << WINDOW_BITS) - 1);
    page->rmap.va = quire_va(0);
    q->counters.swap_ra_hit++;
    *state = pack(index, window, hits < HITS_MAX ? hits + 1 : hits);
}
