/* distances.c: LRU stack distances of a whole run, exact, at the price of a few of its accesses.
 *
 * LRU with n frames holds the n pages touched last (Mattson, Gecsei, Slutz, Traiger, "Evaluation
 * techniques for storage hierarchies", IBM Systems Journal 9(2), 1970). So a page that is touched
 * when d - 1 others were touched since it was is a hit for all sizes from d on, and a miss below:
 * one histogram of d is the curve for all sizes. Bennett and Kruskal (IBM J. R&D 19(4), 1975) count
 * the others with a tree over time.
 *
 * Seeing each access is too dear. But one of a page that was touched a moment ago is a hit for
 * every size that a machine could have, and needs no number. So the machine keeps a window (its
 * TLB), in which touches only leave their time behind, and tells of the others:
 *
 *        touches       window          near            order
 *        unseen   -->  [ held ]  -->  [ unsorted ] --> [ ........... by last touch, old first ]
 *                        ^ enter: at depth d <---------------'    d = all that lie right of it
 *
 * The window may be of any kind; it need not be LRU itself. What makes the numbers exact is that
 * the times of the last touch are known when a page leaves, and that at each settle the window
 * gives up whatever was not touched since the oldest page that stays near (I1). A page of the order
 * is then deeper than all that are held or near, whenever those were touched (I2).
 *
 * Pages that end (munmap, exit) leave holes: their frame is free, and the next page that comes from
 * below it takes it. So all above the topmost hole sink by one and the hole goes to where the page
 * came from, for each size of RAM at once. Where holes lie among held and near ones makes no
 * difference below; they are only counted.
 *
 * For the working set (Denning, CACM 11(5), 1968) a page is in use from a touch for a span T or
 * until the next touch: the sum over all moments is that of min(interval, T). Unseen intervals are
 * shorter than the first T, so their sum is enough: last touch - first in the window.
 *
 * Invariants:
 *   I1  Every held page's last touch is later than that of any page in the order, from a settle on.
 *   I2  held + near + their holes is at most reach, and no touch of one of them has a greater
 *       depth: for sizes from reach on they are hits.
 *   I3  Positions of the order ascend with the time of the last touch.
 *   I4  live = held pages + near + those of the order; the order has settled 1s, of them nholes of
 *       nobody.
 *
 * What may fail: growing. Then broken says so and nothing is told. Called by curves.c; audited by
 * tests/watch/distances.c beside plain LRU lists and a count of every moment.
 */
#include "watch/distances.h"

#include <stdlib.h>
#include <string.h>

#define NONE      UINT32_MAX
#define HELD      UINT32_MAX
#define NEAR      (UINT32_MAX / 2 + 1) /* + place in near[] */
#define WORD_BITS 64u
/* Pages at first, and positions: twice as many. */
#define FIRST_ROOM 4096u
/* Four million instructions: longer than any page stays in the window untouched (curves.c). */
#define FIRST_SPAN ((uint64_t)1 << 22)

/* ---- the hash of pages ------------------------------------------------------------------------
 */

static uint32_t find(const struct watch_distances *d, uint64_t key) {
    uint32_t page = *watch_distances_chain(d, key);
    while (page != NONE && d->pages[page].key != key)
        page = d->pages[page].next;
    return page;
}

static void link_page(struct watch_distances *d, uint32_t page) {
    uint32_t *chain = watch_distances_chain(d, d->pages[page].key);
    d->pages[page].next = *chain;
    *chain = page;
}

static void forget(struct watch_distances *d, uint32_t page) {
    uint32_t *from = watch_distances_chain(d, d->pages[page].key);
    while (*from != page)
        from = &d->pages[*from].next;
    *from = d->pages[page].next;
    d->pages[page].next = d->free;
    d->pages[page].key = UINT64_MAX;
    d->free = page;
    d->live--;
}

/* ---- the order --------------------------------------------------------------------------------
 */

/* How many 1s: sums of 2, 4, 8 bits side by side, then of all bytes (Warren, Hacker's Delight 5-1).
 * Not every x86-64 has an instruction for it. */
static uint32_t ones(uint64_t word) {
    word -= word >> 1 & UINT64_C(0x5555555555555555);
    word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
    word = (word + (word >> 4)) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    return (uint32_t)(word * UINT64_C(0x0101010101010101) >> 56);
}

static void add(struct watch_distances *d, uint32_t position, uint32_t change) {
    uint32_t nwords = d->npositions / WORD_BITS;
    d->bits[position / WORD_BITS] ^= UINT64_C(1) << position % WORD_BITS;
    for (uint32_t i = position / WORD_BITS + 1; i <= nwords; i += i & -i)
        d->sums[i] += change;
    d->settled += change;
}

/* 1s at positions below this one. */
static uint32_t below(const struct watch_distances *d, uint32_t position) {
    uint64_t word = d->bits[position / WORD_BITS];
    uint64_t mask = (UINT64_C(1) << position % WORD_BITS) - 1;
    uint32_t sum = ones(word & mask);
    for (uint32_t i = position / WORD_BITS; i > 0; i &= i - 1)
        sum += d->sums[i];
    return sum;
}

static void sum_all(struct watch_distances *d) {
    uint32_t nwords = d->npositions / WORD_BITS;
    memset(d->sums, 0, (nwords + 1) * sizeof *d->sums);
    for (uint32_t i = 1; i <= nwords; i++) {
        d->sums[i] += ones(d->bits[i - 1]);
        if (i + (i & -i) <= nwords)
            d->sums[i + (i & -i)] += d->sums[i];
    }
}

/* Positions without a 1 between: I3 stays. */
static void compact(struct watch_distances *d) {
    uint32_t to = 0;
    for (uint32_t i = 0; i < d->nholes; i++) /* the heap's order is that of positions */
        d->holes[i] = below(d, d->holes[i]);
    for (uint32_t i = 0; i < d->end; i++) {
        if (!(d->bits[i / WORD_BITS] >> i % WORD_BITS & 1))
            continue;
        d->who[to] = d->who[i];
        if (d->who[to] != NONE)
            d->pages[d->who[to]].at = to;
        to++;
    }
    memset(d->bits, 0, d->npositions / 8);
    memset(d->bits, 0xff, to / WORD_BITS * 8);
    if (to % WORD_BITS)
        d->bits[to / WORD_BITS] = (UINT64_C(1) << to % WORD_BITS) - 1;
    d->end = to;
    d->low = 0;
    sum_all(d);
}

/* ---- holes: a binary heap, the newest position on top ------------------------------------------
 */

static void push_hole(struct watch_distances *d, uint32_t position) {
    uint32_t i = d->nholes++;
    d->who[position] = NONE;
    for (; i > 0 && d->holes[(i - 1) / 2] < position; i = (i - 1) / 2)
        d->holes[i] = d->holes[(i - 1) / 2];
    d->holes[i] = position;
}

static uint32_t pop_hole(struct watch_distances *d) {
    uint32_t top = d->holes[0], last = d->holes[--d->nholes], i = 0, child;
    while ((child = 2 * i + 1) < d->nholes) {
        if (child + 1 < d->nholes && d->holes[child + 1] > d->holes[child])
            child++;
        if (d->holes[child] <= last)
            break;
        d->holes[i] = d->holes[child];
        i = child;
    }
    d->holes[i] = last;
    return top;
}

/* A page comes to the top, from this position or from nowhere (NONE): the topmost hole above where
 * it was is filled, and goes there. */
static void take_hole(struct watch_distances *d, uint32_t position) {
    bool filled = true;
    if (d->near_holes > 0)
        d->near_holes--;
    else if (d->nholes > 0 && (position == NONE || d->holes[0] > position))
        add(d, pop_hole(d), (uint32_t)-1);
    else
        filled = false;
    if (position == NONE)
        return;
    if (filled)
        push_hole(d, position);
    else
        add(d, position, (uint32_t)-1);
}

/* ---- room --------------------------------------------------------------------------------------
 */

static bool grow_to(void *array, size_t old, size_t count, size_t size) {
    char **at = array;
    char *grown = realloc(*at, count * size);
    if (!grown)
        return false;
    memset(grown + old * size, 0, (count - old) * size);
    *at = grown;
    return true;
}

/* Room for so many pages, a power of two. */
static bool make_room(struct watch_distances *d, uint32_t room) {
    uint32_t npositions = 2 * room, nhits = room + d->near_room + 2;
    if (!grow_to(&d->pages, d->room, room, sizeof *d->pages) ||
        !grow_to(&d->hash, d->room, room, sizeof *d->hash) ||
        !grow_to(&d->bits, d->npositions / WORD_BITS, npositions / WORD_BITS, sizeof *d->bits) ||
        !grow_to(&d->sums, d->sums ? d->npositions / WORD_BITS + 1 : 0, npositions / WORD_BITS + 1,
                 sizeof *d->sums) ||
        !grow_to(&d->who, d->npositions, npositions, sizeof *d->who) ||
        !grow_to(&d->holes, d->npositions, npositions, sizeof *d->holes) ||
        !grow_to(&d->hits, d->nhits, nhits, sizeof *d->hits))
        return false;
    d->room = room;
    d->npositions = npositions;
    d->nhits = nhits;
    memset(d->hash, 0xff, room * sizeof *d->hash);
    for (uint32_t i = 0; i < d->npages; i++) {
        if (d->pages[i].key != UINT64_MAX)
            link_page(d, i);
    }
    sum_all(d);
    return true;
}

bool watch_distances_create(struct watch_distances *d) {
    *d = (struct watch_distances){
        .max_pages = WATCH_PAGES, .near_limit = WATCH_NEAR, .first_span = FIRST_SPAN, .free = NONE};
    d->near_room = FIRST_ROOM;
    d->near = calloc(d->near_room, sizeof *d->near);
    d->order = calloc(2 * (size_t)d->near_room, sizeof *d->order);
    if (!d->near || !d->order || !make_room(d, FIRST_ROOM)) {
        watch_distances_end(d);
        return false;
    }
    return true;
}

void watch_distances_end(struct watch_distances *d) {
    free(d->pages);
    free(d->hash);
    free(d->bits);
    free(d->sums);
    free(d->who);
    free(d->holes);
    free(d->near);
    free(d->order);
    free(d->hits);
    *d = (struct watch_distances){.broken = true};
}

static uint32_t broke(struct watch_distances *d) {
    d->broken = true;
    return NONE;
}

/* ---- intervals: the working set -----------------------------------------------------------------
 */

uint64_t watch_distances_span(const struct watch_distances *d, unsigned i) {
    return d->first_span * (4 + i % 4) / 4 << i / 4;
}

/* The first span that is at least so long; WATCH_SPANS: none is. */
static void add_interval(struct watch_distances *d, uint64_t interval) {
    unsigned i = 0;
    if (interval > d->first_span) {
        i = 4 * (63 - (unsigned)__builtin_clzll(interval / d->first_span));
        while (i < WATCH_SPANS && watch_distances_span(d, i) < interval)
            i++;
        i = i < WATCH_SPANS ? i : WATCH_SPANS;
    }
    d->span_count[i]++;
    d->span_sum[i] += interval;
}

/* ---- touches ------------------------------------------------------------------------------------
 */

/* More pages than may be remembered: the one touched longest ago goes. */
static bool drop_oldest(struct watch_distances *d, uint64_t time) {
    for (; d->low < d->end; d->low++) {
        uint32_t page = d->who[d->low];
        if (!(d->bits[d->low / WORD_BITS] >> d->low % WORD_BITS & 1) || page == NONE)
            continue;
        add_interval(d, time - d->pages[page].last);
        add(d, d->low, (uint32_t)-1);
        forget(d, page);
        d->forgotten++;
        return true;
    }
    return false;
}

static uint32_t new_page(struct watch_distances *d, uint64_t key, uint64_t time) {
    uint32_t page;
    if (d->live >= d->max_pages)
        drop_oldest(d, time);
    if (d->free == NONE && d->npages == d->room && !make_room(d, 2 * d->room))
        return broke(d);
    if (d->free != NONE) {
        page = d->free;
        d->free = d->pages[page].next;
    } else {
        page = d->npages++;
    }
    d->pages[page] = (struct watch_page){.key = key};
    link_page(d, page);
    d->live++;
    return page;
}

static uint32_t comes_back(struct watch_distances *d, struct watch_page *page) {
    if (page->at >= NEAR) {
        d->near[page->at - NEAR].page = NONE;
        d->nnear_live--;
        return 0;
    }
    uint32_t above = d->settled - below(d, page->at); /* itself included */
    take_hole(d, page->at);
    return above;
}

uint32_t watch_distances_enter(struct watch_distances *d, uint64_t key, uint64_t time) {
    uint32_t number, top = d->held + d->nnear_live + d->near_holes;
    if (d->broken)
        return NONE;
    number = find(d, key);
    d->events++;
    d->reach = top > d->reach ? top : d->reach; /* I2 */
    if (number == NONE) {
        d->cold++;
        d->unsure += d->forgotten > 0;
        take_hole(d, NONE);
        number = new_page(d, key, time);
        if (number == NONE)
            return NONE;
        d->short_sum -= time;
        d->held++;
    } else if (d->pages[number].at != HELD) {
        struct watch_page *page = &d->pages[number];
        uint32_t above = comes_back(d, page), depth = above ? above + top : 0;
        if (depth >= d->nhits) /* deeper than there were pages: the order is not what it was */
            return broke(d);
        d->hits[depth]++;
        d->deepest = depth > d->deepest ? depth : d->deepest;
        add_interval(d, time - page->last);
        d->short_sum -= time;
        d->held++;
    } else {
        d->pages[number].holders++;
        return number;
    }
    d->pages[number].at = HELD;
    d->pages[number].holders = 1;
    d->pages[number].last = time;
    return number;
}

/* Those that came back are no more. */
static void squeeze_near(struct watch_distances *d) {
    uint32_t to = 0;
    if (d->nnear == d->nnear_live)
        return;
    for (uint32_t i = 0; i < d->nnear; i++) {
        if (d->near[i].page == NONE)
            continue;
        d->near[to] = d->near[i];
        d->pages[d->near[to].page].at = NEAR + to;
        to++;
    }
    d->nnear = to;
}

void watch_distances_leave(struct watch_distances *d, uint32_t number, uint64_t last) {
    if (d->broken)
        return;
    struct watch_page *page = &d->pages[number];
    page->last = last > page->last ? last : page->last;
    if (--page->holders > 0)
        return;
    d->held--;
    d->short_sum += page->last;
    if (d->nnear == d->near_room)
        squeeze_near(d);
    if (d->nnear == d->near_room) {
        if (!grow_to(&d->near, d->near_room, 2 * (size_t)d->near_room, sizeof *d->near) ||
            !grow_to(&d->order, 2 * (size_t)d->near_room, 4 * (size_t)d->near_room,
                     sizeof *d->order) ||
            !grow_to(&d->hits, d->nhits, d->nhits + d->near_room, sizeof *d->hits)) {
            broke(d);
            return;
        }
        d->nhits += d->near_room;
        d->near_room *= 2;
    }
    page->at = NEAR + d->nnear;
    d->near[d->nnear] = (struct watch_near){page->last, number};
    d->nnear++;
    d->nnear_live++;
}

void watch_distances_touch(struct watch_distances *d, uint64_t key, uint64_t time) {
    uint32_t page = watch_distances_enter(d, key, time);
    if (page != NONE)
        watch_distances_leave(d, page, time);
}

/* ---- the end of pages
 * ---------------------------------------------------------------------------- */

static void remove_page(struct watch_distances *d, uint32_t number, uint64_t time) {
    struct watch_page *page = &d->pages[number];
    add_interval(d, time - page->last);
    if (page->at >= NEAR) {
        d->near[page->at - NEAR].page = NONE;
        d->nnear_live--;
        d->near_holes++;
    } else {
        push_hole(d, page->at);
    }
    forget(d, number);
}

void watch_distances_remove(struct watch_distances *d, uint64_t key, uint64_t time) {
    uint32_t page = d->broken ? NONE : find(d, key);
    if (page != NONE && d->pages[page].at != HELD)
        remove_page(d, page, time);
}

void watch_distances_remove_range(struct watch_distances *d, uint64_t key, uint64_t count,
                                  uint64_t time) {
    if (count < d->npages) {
        for (uint64_t i = 0; i < count; i++)
            watch_distances_remove(d, key + i, time);
        return;
    }
    for (uint32_t i = 0; i < d->npages && !d->broken; i++) {
        const struct watch_page *page = &d->pages[i];
        if (page->key != UINT64_MAX && page->key - key < count && page->at != HELD)
            remove_page(d, i, time);
    }
}

/* ---- from near to the order
 * ----------------------------------------------------------------------- */

/* Time and place in one number, so that equals stay in the order in which they left. Times may then
 * lie 2^48 apart (a day and a half of instructions); places are as many as all windows may hold. */
#define PLACE_BITS 16u

/* Merges the sorted from[0, half) and from[half, count) to where to points, without a branch that
 * would be guessed wrong every other time. */
static void merge(const uint64_t *from, size_t half, size_t count, uint64_t *to) {
    size_t a = 0, b = half;
    while (a < half && b < count) {
        bool second = from[b] < from[a];
        *to++ = second ? from[b] : from[a];
        a += !second;
        b += second;
    }
    memcpy(to, from + a, (half - a) * sizeof *to);
    memcpy(to + (half - a), from + b, (count - b) * sizeof *to);
}

/* Runs of one, two, four ... become one (Knuth 5.2.4); other has as much room. The sorted ones are
 * where the result says. */
static uint64_t *sort(uint64_t *numbers, uint64_t *other, size_t count) {
    for (size_t run = 1; run < count; run *= 2) {
        for (size_t i = 0; i < count; i += 2 * run) {
            size_t left = count - i, half = left < run ? left : run;
            merge(numbers + i, half, left < 2 * run ? left : 2 * run, other + i);
        }
        uint64_t *sorted = other;
        other = numbers;
        numbers = sorted;
    }
    return numbers;
}

/* Any moment will do: that of the third quarter of a few is near that of all. */
uint64_t watch_distances_limit(struct watch_distances *d) {
    enum { SAMPLES = 16 };
    uint64_t some[SAMPLES];
    squeeze_near(d);
    if (d->nnear == 0)
        return 0;
    for (uint32_t i = 0; i < SAMPLES; i++) {
        uint64_t last = d->near[(uint64_t)i * d->nnear / SAMPLES].last;
        uint32_t k = i;
        for (; k > 0 && some[k - 1] > last; k--)
            some[k] = some[k - 1];
        some[k] = last;
    }
    return some[SAMPLES * 3 / 4];
}

static void append(struct watch_distances *d, uint32_t place) {
    uint32_t page = d->near[place].page;
    d->pages[page].at = d->end;
    d->who[d->end] = page;
    add(d, d->end++, 1);
    d->near[place].page = NONE;
    d->nnear_live--;
}

/* Positions for so many more. */
static bool extend(struct watch_distances *d, uint32_t count) {
    if (d->npositions - d->end < count)
        compact(d);
    while (d->npositions - d->end < count || d->settled > d->npositions / 4 * 3) {
        if (!make_room(d, 2 * d->room))
            return false;
    }
    return true;
}

void watch_distances_settle(struct watch_distances *d, uint64_t before) {
    uint32_t count = 0;
    uint64_t oldest = before;
    if (d->broken)
        return;
    squeeze_near(d);
    for (uint32_t i = 0; i < d->nnear; i++)
        oldest = d->near[i].last < oldest ? d->near[i].last : oldest;
    for (uint32_t i = 0; i < d->nnear; i++) {
        if (d->near[i].last < before)
            d->order[count++] = (d->near[i].last - oldest) << PLACE_BITS | i;
    }
    if (!extend(d, count) || d->nnear >> PLACE_BITS || (before - oldest) >> (64 - PLACE_BITS)) {
        broke(d);
        return;
    }
    const uint64_t *order = sort(d->order, d->order + d->near_room, count);
    for (uint32_t i = 0; i < count; i++)
        append(d, (uint32_t)order[i] & ((1u << PLACE_BITS) - 1));
    squeeze_near(d);
}

/* ---- what came of it
 * -------------------------------------------------------------------------------- */

uint64_t watch_distances_misses(const struct watch_distances *d, uint32_t size) {
    uint64_t misses = d->cold;
    for (uint32_t depth = d->deepest; depth > size; depth--)
        misses += d->hits[depth];
    return misses;
}

void watch_distances_finish(struct watch_distances *d, uint64_t time) {
    for (uint32_t i = 0; i < d->npages && !d->broken; i++) {
        if (d->pages[i].key != UINT64_MAX)
            add_interval(d, time - d->pages[i].last);
    }
}
