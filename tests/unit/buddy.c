/* buddy.c: blocks of frames against a map of who has what: alignment, no overlap, merging back to
 * the start, reserves by mode, refusal, the failing switch, misuse. Audited as it goes. */
#include "port_double.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <quire/kmem.h>

#define LIVE_MAX 3000u

struct live {
    struct quire_page *page;
    unsigned order;
    unsigned char stamp;
};

/* First and last byte of each frame: whoever overlaps another block breaks its stamps. */
static void stamp(struct quire *q, const struct live *live) {
    unsigned char *window = quire_page_window(q, live->page);
    for (size_t i = 0; i < (size_t)1 << live->order; i++) {
        window[i * 4096] = window[i * 4096 + 4095] = live->stamp;
    }
}

static void check_stamp(struct quire *q, const struct live *live) {
    const unsigned char *window = quire_page_window(q, live->page);
    for (size_t i = 0; i < (size_t)1 << live->order; i++) {
        assert_int_equal(window[i * 4096], live->stamp);
        assert_int_equal(window[i * 4096 + 4095], live->stamp);
    }
}

static bool give(struct quire *q, struct live *live, unsigned order, uint64_t random) {
    enum quire_page_use use = QUIRE_USE_KERNEL + (unsigned)(random >> 50) % 3;
    uint64_t free = quire_page_count(q, QUIRE_USE_FREE), in_use = quire_page_count(q, use);
    struct quire_page *page = quire_page_alloc(q, order, use, QUIRE_ALLOC_KERNEL);
    if (!page) {
        assert_int_equal(quire_page_count(q, QUIRE_USE_FREE), free);
        return false;
    }
    assert_int_equal(quire_page_frame(q, page).number & ((1u << order) - 1), 0);
    assert_int_equal(page->order, order);
    assert_int_equal(page->use, use);
    assert_int_equal(page->flags, 0);
    assert_null(page->owner);
    assert_null(page->rmap.space);
    assert_int_equal(page->nmaps + page->pins, 0);
    assert_int_equal(quire_page_count(q, QUIRE_USE_FREE), free - ((uint64_t)1 << order));
    assert_int_equal(quire_page_count(q, use), in_use + ((uint64_t)1 << order));
    assert_true(quire_page_count(q, QUIRE_USE_FREE) >=
                quire_page_watermark(q, QUIRE_WMARK_MIN) / 2);
    *live = (struct live){page, order, (unsigned char)(random >> 40)};
    stamp(q, live);
    return true;
}

static void blocks_of(struct quire *q, uint64_t blocks[QUIRE_NORDERS]) {
    for (unsigned order = 0; order < QUIRE_NORDERS; order++) {
        blocks[order] = quire_page_free_blocks(q, order);
    }
}

static void churn(struct quire_machine *machine, uint64_t seed, unsigned steps) {
    static struct live live[LIVE_MAX];
    struct quire *q = double_boot(machine, 0);
    assert_non_null(q);
    uint64_t before[QUIRE_NORDERS], after[QUIRE_NORDERS];
    unsigned nlive = 0, refused = 0;
    blocks_of(q, before);
    for (unsigned step = 0; step < steps; step++) {
        uint64_t random = double_random(&seed);
        bool grow = (step / 700) % 2 == 0;
        if (nlive == 0 || (nlive < LIVE_MAX && random % 8 < (grow ? 6 : 2))) {
            unsigned order = (random >> 8) % 4 ? 0 : (unsigned)(random >> 16) % QUIRE_NORDERS;
            if (give(q, &live[nlive], order, random)) {
                nlive++;
            } else {
                refused++;
            }
        } else {
            unsigned k = (unsigned)(random >> 20) % nlive;
            check_stamp(q, &live[k]);
            quire_page_free(q, live[k].page);
            live[k] = live[--nlive];
        }
        if (step % 16 == 0) {
            quire_phys_audit(q);
        }
    }
    assert_true(refused > 0); /* exhaustion was among it */
    while (nlive > 0) {
        nlive--;
        check_stamp(q, &live[nlive]);
        quire_page_free(q, live[nlive].page);
    }
    quire_phys_audit(q);
    /* The processors' stacks keep a few frames apart; without them all is merged as it was in the
     * beginning. */
    for (unsigned i = 0; i <= q->phys->top; i++) {
        quire_pcp_drain(q->phys, &q->phys->zones[i]);
    }
    quire_pcp_set_floor(q->phys);
    quire_phys_audit(q);
    blocks_of(q, after);
    assert_memory_equal(after, before, sizeof after);
    uint64_t allocated, freed;
    quire_page_traffic(q, &allocated, &freed);
    assert_true(allocated > 0 && allocated == freed);
    quire_phys_shutdown(q);
    double_release(machine);
}

static void random_lifetimes(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        churn(double_holes(), seed * 7919, 6000);
        churn(double_plain((8u << 20) + seed * 4096 * 37), seed * 104729, 6000);
    }
}

/* Frame by frame to the last that each mode may have, and everything back. */
static void reserves(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(8u << 20);
    struct quire *q = double_boot(machine, 40);
    static struct quire_page *pages[2048];
    unsigned n = 0;
    static const struct {
        enum quire_alloc_mode mode;
        uint64_t left;
    } modes[] = {{QUIRE_ALLOC_USER, 40}, {QUIRE_ALLOC_KERNEL, 20}, {QUIRE_ALLOC_RECLAIM, 0}};
    for (unsigned i = 0; i < 3; i++) {
        while ((pages[n] = quire_page_alloc(q, 0, QUIRE_USE_ANON, modes[i].mode)) != NULL) {
            n++;
        }
        assert_int_equal(quire_page_count(q, QUIRE_USE_FREE), modes[i].left);
        quire_phys_audit(q);
    }
    assert_int_equal(quire_page_count(q, QUIRE_USE_ANON), n);
    for (unsigned order = 0; order < QUIRE_NORDERS; order++) {
        assert_null(quire_page_alloc(q, order, QUIRE_USE_KERNEL, QUIRE_ALLOC_RECLAIM));
    }
    while (n > 0) {
        quire_page_free(q, pages[--n]);
    }
    double_down(machine, q);
}

/* Every second frame free: half of RAM, and not one block of two. The processors' stacks hide none
 * either.
 */
static void fragmented(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(8u << 20);
    struct quire *q = double_boot(machine, 8);
    uint32_t first = quire_frame_at(machine->ranges[0].start).number;
    struct quire_page *page;
    while (quire_page_alloc(q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_RECLAIM)) {
    }
    for (uint32_t k = 0; k < 2048; k += 2) {
        page = quire_page_at(q, (quire_frame){first + k});
        if (page->use == QUIRE_USE_KERNEL) { /* else RESERVED */
            quire_page_free(q, page);
        }
    }
    assert_true(quire_page_count(q, QUIRE_USE_FREE) > 900);
    for (unsigned order = 1; order < QUIRE_NORDERS; order++) {
        assert_null(quire_page_alloc(q, order, QUIRE_USE_KERNEL, QUIRE_ALLOC_RECLAIM));
        assert_int_equal(quire_page_free_blocks(q, order), 0);
    }
    quire_phys_audit(q);
    /* One neighbour more, freed last and so on a processor's stack: now there is one. */
    page = quire_page_at(q, (quire_frame){first + 101});
    quire_page_free(q, page);
    page = quire_page_alloc(q, 1, QUIRE_USE_KERNEL, QUIRE_ALLOC_RECLAIM);
    assert_non_null(page);
    assert_int_equal(quire_page_frame(q, page).number, first + 100);
    quire_phys_audit(q);
    double_release(machine);
}

/* The failing switch: every third allocation, and none in mode RECLAIM. */
static void failing_switch(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(8u << 20);
    struct quire *q = double_boot(machine, 0);
    q->fail_every = 3;
    quire_page_set_failing(q, true);
    for (unsigned i = 1; i <= 30; i++) {
        quire_frame frame;
        enum quire_status status = quire_frames_alloc(q, i % 4, &frame);
        assert_int_equal(status, i % 3 ? QUIRE_OK : QUIRE_NOMEM);
        if (status == QUIRE_OK) {
            quire_frames_free(q, frame, i % 4);
        }
        struct quire_page *page = quire_page_alloc(q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_RECLAIM);
        assert_non_null(page);
        quire_page_free(q, page);
    }
    double_down(machine, q);
}

/* What must not be done is caught where it is done. */
static void misuse(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(8u << 20);
    struct quire *q = double_boot(machine, 0);
    quire_frame frame;
    assert_int_equal(quire_frames_alloc(q, QUIRE_NORDERS, &frame), QUIRE_INVAL);
    assert_int_equal(quire_frames_alloc(q, 3, &frame), QUIRE_OK);
    assert_true(PANICS(machine, quire_frames_free(q, frame, 2)));
    frame.number += 1;
    assert_true(PANICS(machine, quire_frames_free(q, frame, 0))); /* inside of a block */
    frame.number -= 1;
    assert_true(PANICS(machine, quire_phys_shutdown(q))); /* a leak */
    quire_frames_free(q, frame, 3);
    assert_true(PANICS(machine, quire_frames_free(q, frame, 3))); /* twice */

    struct quire_page *page = quire_page_alloc(q, 0, QUIRE_USE_ANON, QUIRE_ALLOC_USER);
    page->pins = 1;
    assert_true(PANICS(machine, quire_page_free(q, page)));
    page->pins = 0;
    page->nmaps = 1;
    assert_true(PANICS(machine, quire_page_free(q, page)));
    page->nmaps = 0;
    quire_page_set_use(q, page, QUIRE_USE_SHMEM);
    assert_int_equal(quire_page_count(q, QUIRE_USE_SHMEM), 1);
    assert_true(PANICS(machine, quire_page_set_use(q, page, QUIRE_USE_FREE)));
    quire_page_free(q, page);
    assert_true(PANICS(machine, quire_page_free(q, page)));
    quire_phys_shutdown(q);
    double_release(machine);
}

/* The audit notices each single lie. */
static void audit_finds(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(8u << 20);
    struct quire *q = double_boot(machine, 0);
    struct quire_page *page = quire_page_alloc(q, 0, QUIRE_USE_ANON, QUIRE_ALLOC_USER);
    struct quire_zone *zone = &q->phys->zones[q->phys->top];
    unsigned type = 0;
    while (!(zone->nonempty[type] >> 10 & 1)) {
        type++;
    }
    uint32_t head = quire_buddy_lowest(zone, 10, type);
    uint8_t *tags = quire_zone_tag(q->phys, head);
    uint64_t *tens = zone->free[10][type].levels[0], *nines = zone->free[9][type].levels[0];
    uint64_t *above = zone->free[0][type].levels[1], lowest = tens[0] & -tens[0];
    quire_phys_audit(q);

    zone->nfree++;
    assert_true(PANICS(machine, quire_phys_audit(q)));
    zone->nfree--;
    q->phys->out[QUIRE_USE_FILE]++;
    assert_true(PANICS(machine, quire_phys_audit(q)));
    q->phys->out[QUIRE_USE_FILE]--;
    *quire_zone_class(q->phys, head) ^= 1;
    assert_true(PANICS(machine, quire_phys_audit(q)));
    *quire_zone_class(q->phys, head) ^= 1;
    page->use = QUIRE_USE_TABLE;
    assert_true(PANICS(machine, quire_phys_audit(q)));
    page->use = QUIRE_USE_ANON;
    page->flags |= QUIRE_PAGE_LRU;
    assert_true(PANICS(machine, quire_phys_audit(q)));
    page->flags = 0;
    tags[5] |= QUIRE_TAG_HEAD;
    assert_true(PANICS(machine, quire_phys_audit(q)));
    tags[5] &= (uint8_t)~QUIRE_TAG_HEAD;
    tags[0] ^= 1; /* 10 becomes 11 */
    assert_true(PANICS(machine, quire_phys_audit(q)));
    tags[0] ^= 1 | QUIRE_TAG_HEAD;
    assert_true(PANICS(machine, quire_phys_audit(q)));
    tags[0] ^= QUIRE_TAG_HEAD;
    quire_zone_page(q->phys, head + 7)->pins = 1; /* nobody's */
    assert_true(PANICS(machine, quire_phys_audit(q)));
    quire_zone_page(q->phys, head + 7)->pins = 0;
    tens[0] ^= lowest; /* in no set */
    assert_true(PANICS(machine, quire_phys_audit(q)));
    tens[0] ^= lowest;
    nines[0] ^= 1; /* in two */
    assert_true(PANICS(machine, quire_phys_audit(q)));
    nines[0] ^= 1;
    *above ^= 1; /* a level that does not know what is below */
    assert_true(PANICS(machine, quire_phys_audit(q)));
    *above ^= 1;
    zone->nonempty[type] ^= 1u << 10;
    assert_true(PANICS(machine, quire_phys_audit(q)));
    zone->nonempty[type] ^= 1u << 10;
    quire_phys_audit(q);
    double_release(machine);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_lifetimes), cmocka_unit_test(reserves),
        cmocka_unit_test(fragmented),       cmocka_unit_test(failing_switch),
        cmocka_unit_test(misuse),           cmocka_unit_test(audit_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
