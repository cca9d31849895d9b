/* distances.c: stack distances and working sets from a window's departures, beside what they stand
 * for: a plain LRU list of each size that sees every touch, and a count of pages at every moment.
 *
 * The window here is direct-mapped like a TLB, of a few slots, and what it does beyond what it has
 * to (giving pages up early) is drawn at random.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "watch/advice.h"

#define PAGES 300 /* that a program may touch */
#define TIMES 3000
#define SLOTS 8
#define SPAN  64 /* the first of the curve: no slot is left alone for longer */

static uint64_t state;

/* xorshift64 (Marsaglia 2003) */
static uint64_t draw(uint64_t bound) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % bound;
}

/* ---- what is tested: the window and the distances -------------------------------------------- */

struct seen {
    struct watch_distances d;
    struct {
        uint64_t key, stamp;
        uint32_t page;
        bool held;
    } slots[2][SLOTS]; /* of two processors */
};

static void give_up(struct seen *seen, unsigned w, unsigned slot) {
    if (seen->slots[w][slot].held)
        watch_distances_leave(&seen->d, seen->slots[w][slot].page, seen->slots[w][slot].stamp);
    seen->slots[w][slot].held = false;
}

static void give_up_before(struct seen *seen, uint64_t before) {
    for (unsigned w = 0; w < 2; w++) {
        for (unsigned i = 0; i < SLOTS; i++) {
            if (seen->slots[w][i].stamp < before)
                give_up(seen, w, i);
        }
    }
}

static void see(struct seen *seen, unsigned w, uint64_t key, uint64_t time) {
    unsigned slot = key % SLOTS;
    if (!seen->slots[w][slot].held || seen->slots[w][slot].key != key) {
        give_up(seen, w, slot);
        seen->slots[w][slot].page = watch_distances_enter(&seen->d, key, time);
        seen->slots[w][slot].key = key;
        seen->slots[w][slot].held = true;
    }
    seen->slots[w][slot].stamp = time;
    if (watch_distances_full(&seen->d)) {
        uint64_t before = watch_distances_limit(&seen->d);
        give_up_before(seen, before);
        watch_distances_settle(&seen->d, before);
    }
    if (time % (SPAN / 2) == 0)
        give_up_before(seen, time - SPAN / 2 < time ? time - SPAN / 2 : 0);
    if (draw(50) == 0)
        give_up(seen, (unsigned)draw(2), (unsigned)draw(SLOTS));
}

static void unsee(struct seen *seen, uint64_t key, uint64_t time) {
    for (unsigned w = 0; w < 2; w++) {
        if (seen->slots[w][key % SLOTS].key == key)
            give_up(seen, w, key % SLOTS);
    }
    watch_distances_remove(&seen->d, key, time);
}

/* ---- beside it ---------------------------------------------------------------------------------
 */

struct lru {
    uint64_t misses;
    uint32_t count, size;
    uint32_t list[PAGES]; /* the newest first */
};

static void lru_remove(struct lru *lru, uint32_t page) {
    uint32_t i = 0;
    while (i < lru->count && lru->list[i] != page)
        i++;
    if (i < lru->count)
        memmove(lru->list + i, lru->list + i + 1, (--lru->count - i) * sizeof *lru->list);
}

static void lru_touch(struct lru *lru, uint32_t page) {
    uint32_t before = lru->count;
    lru_remove(lru, page);
    lru->misses += lru->count == before;
    if (lru->count == lru->size)
        lru->count--;
    memmove(lru->list + 1, lru->list, lru->count++ * sizeof *lru->list);
    lru->list[0] = page;
}

/* When each page was touched. */
struct history {
    uint64_t last[PAGES];
    bool known[PAGES];            /* and has not gone since */
    uint64_t in_use[WATCH_SPANS]; /* summed over all moments */
};

static void count_moment(struct history *h, const struct watch_distances *d, uint64_t now) {
    for (unsigned p = 0; p < PAGES; p++) {
        for (unsigned i = 0; h->known[p] && i < WATCH_SPANS; i++)
            h->in_use[i] += now - h->last[p] < watch_distances_span(d, i);
    }
}

/* ---- programs that touch pages
 * ------------------------------------------------------------------- */

/* Loops, random ones, a moving set, one page again and again; 0 to PAGES - 1. */
static uint32_t next_page(uint64_t time) {
    static uint64_t kind, a, b;
    if (time % 700 == 0) {
        kind = draw(4);
        a = draw(PAGES);
        b = 2 + draw(PAGES - 2);
    }
    switch (kind) {
    case 0:
        return (uint32_t)((a + time % b) % PAGES);
    case 1:
        return (uint32_t)draw(b);
    case 2:
        return (uint32_t)((time / 16 + draw(20)) % PAGES);
    default:
        return (uint32_t)(draw(3) ? a : draw(b));
    }
}

static void run(uint64_t seed, bool ends, uint32_t near_limit) {
    struct seen *seen = calloc(1, sizeof *seen);
    struct lru *lru = calloc(PAGES + 1, sizeof *lru);
    struct history *history = calloc(1, sizeof *history);
    assert_true(seen && lru && history);
    state = seed;
    assert_true(watch_distances_create(&seen->d));
    seen->d.near_limit = near_limit;
    seen->d.first_span = SPAN;
    for (uint32_t size = 0; size <= PAGES; size++)
        lru[size].size = size;
    for (uint64_t time = 0; time < TIMES; time++) {
        uint32_t page = next_page(time);
        unsigned w = (unsigned)(time / 100 % 2);
        see(seen, w, page, time);
        for (uint32_t size = 1; size <= PAGES; size++)
            lru_touch(&lru[size], page);
        history->last[page] = time;
        history->known[page] = true;
        count_moment(history, &seen->d, time);
        /* A stretch of pages goes, from the next moment on. */
        for (uint64_t n = ends && draw(30) == 0 ? draw(20) : 0, at = draw(PAGES); n > 0; n--) {
            page = (uint32_t)((at + n) % PAGES);
            unsee(seen, page, time + 1);
            history->known[page] = false;
            for (uint32_t size = 1; size <= PAGES; size++)
                lru_remove(&lru[size], page);
        }
    }
    for (unsigned w = 0; w < 2; w++) {
        for (unsigned i = 0; i < SLOTS; i++)
            give_up(seen, w, i);
    }
    watch_distances_finish(&seen->d, TIMES);
    assert_false(seen->d.broken);
    assert_in_range(seen->d.reach, near_limit, near_limit + 2 * SLOTS + 1);
    for (uint32_t size = seen->d.reach; size <= PAGES; size++)
        assert_int_equal(watch_distances_misses(&seen->d, size), lru[size].misses);
    for (unsigned i = 0; i < WATCH_SPANS; i++)
        assert_true(watch_distances_set(&seen->d, i) == (double)history->in_use[i]);
    watch_distances_end(&seen->d);
    free(seen);
    free(lru);
    free(history);
}

static void distances_are_exact(void **unused) {
    (void)unused;
    for (uint64_t seed = 1; seed <= 4; seed++)
        run(seed, false, 4 + (uint32_t)seed * 3);
}

static void pages_may_end(void **unused) {
    (void)unused;
    for (uint64_t seed = 5; seed <= 9; seed++)
        run(seed, true, (uint32_t)seed * 2);
}

/* A loop over more pages than there is first room for, several times round: each touch after the
 * first round is at the depth of the loop, and is still after the positions were compacted. */
static void tables_grow(void **unused) {
    (void)unused;
    enum { LOOP = 50000, ROUNDS = 5 };
    struct watch_distances d;
    assert_true(watch_distances_create(&d));
    for (uint64_t time = 0; time < (uint64_t)LOOP * ROUNDS; time++) {
        watch_distances_touch(&d, time % LOOP << 7, time);
        if (watch_distances_full(&d))
            watch_distances_settle(&d, watch_distances_limit(&d));
    }
    assert_int_equal(d.cold, LOOP);
    assert_int_equal(d.hits[LOOP], (uint64_t)LOOP * (ROUNDS - 1));
    assert_int_equal(watch_distances_misses(&d, LOOP - 1), (uint64_t)LOOP * ROUNDS);
    assert_int_equal(watch_distances_misses(&d, LOOP), LOOP);
    watch_distances_remove_range(&d, 128, (uint64_t)LOOP << 7, (uint64_t)LOOP * ROUNDS);
    assert_int_equal(d.live, 1);
    watch_distances_remove_range(&d, 0, 2, (uint64_t)LOOP * ROUNDS);
    assert_int_equal(d.live, 0);
    watch_distances_end(&d);
}

/* Beyond the pages that are remembered the oldest is forgotten: what is less deep stays exact. */
static void memory_is_bounded(void **unused) {
    (void)unused;
    enum { MOST = 1000, NEAR_LIMIT = 16 };
    struct watch_distances d;
    assert_true(watch_distances_create(&d));
    d.max_pages = MOST;
    d.near_limit = NEAR_LIMIT;
    uint64_t time = 0;
    for (unsigned round = 0; round < 20; round++) {
        for (uint64_t page = 0; page < 3 * MOST; page++) { /* never found again */
            watch_distances_touch(&d, 100000 + page, time++);
            watch_distances_touch(&d, page % 200, time++); /* at depth 400 */
            if (watch_distances_full(&d))
                watch_distances_settle(&d, watch_distances_limit(&d));
        }
    }
    assert_in_range(d.live, 1, MOST);
    assert_int_equal(d.room, 4096);
    assert_int_equal(d.hits[400], 20 * 3 * MOST - 200);
    assert_int_equal(watch_distances_misses(&d, 399) - watch_distances_misses(&d, 400),
                     20 * 3 * MOST - 200);
    assert_int_equal(watch_distances_misses(&d, 400), 20 * 3 * MOST + 200);
    assert_int_equal(d.forgotten, d.cold - d.live);
    assert_int_equal(d.unsure, d.cold - MOST - 1); /* all after the first that made one forgotten */
    watch_distances_end(&d);
}

/* As many pages as are ever remembered, and more, twice round: what is allocated stays below 100
 * MiB, and what came back after too many is told from what was new. */
static void memory_at_its_end(void **unused) {
    (void)unused;
    enum { LOOP = WATCH_PAGES + 5000 };
    struct watch_distances d;
    assert_true(watch_distances_create(&d));
    for (uint64_t time = 0; time < 2 * (uint64_t)LOOP; time++) {
        watch_distances_touch(&d, time % LOOP, time);
        if (watch_distances_full(&d))
            watch_distances_settle(&d, watch_distances_limit(&d));
    }
    const void *const tables[] = {d.pages, d.hash, d.bits,  d.sums, d.who,
                                  d.holes, d.near, d.order, d.hits};
    size_t bytes = 0;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        bytes += malloc_usable_size((void *)tables[i]);
    assert_in_range(bytes, (size_t)32 << 20, (size_t)100 << 20);
    assert_int_equal(d.live, WATCH_PAGES);
    assert_int_equal(d.cold, 2 * (uint64_t)LOOP); /* a loop that is longer than what is known */
    assert_int_equal(d.unsure, 2 * (uint64_t)LOOP - WATCH_PAGES - 1);
    assert_false(d.broken);
    watch_distances_end(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_are_exact), cmocka_unit_test(pages_may_end),
        cmocka_unit_test(tables_grow),         cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(memory_at_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
