/* s3fifo.c: S3-FIFO: a small queue that sorts out what is used once, a main one, and ghosts.
 *
 *     new ───────▶ [ small, a tenth ] oldest ── used ──────▶ [ main ] oldest ── used: round again
 *                                       └────── not used: evict, shadow       └─ not used: evict
 *     back while its ghost is remembered ──────────────────▶ [ main ]
 *
 * J. Yang et al., "FIFO Queues are All You Need for Cache Eviction", SOSP 2023. Most pages of most
 * programs' scans are used once in a long time: they go through a tenth of the memory and leave the
 * rest alone. Who was thrown out wrongly comes back soon, and is known.
 *
 * The paper counts uses up to three. A look tells of one, so main keeps the count itself: a look
 * that finds a use adds one, one that finds none takes one off, and a page leaves at zero.
 *
 * The ghost queue is a number: `departed` counts pages that left from small, a shadow is the count
 * at that time, and a ghost is remembered as long as no more have followed it than there are pages.
 */
#include <quire/policy.h>

enum { SMALL, MAIN };

#define SMALL_SHARE 10 /* one part of these: the paper's figure */
#define USES_MAX    3

struct s3fifo {
    uint32_t departed;
};

static void insert(struct quire_aging *aging, struct quire_page *page, uint32_t shadow) {
    const struct s3fifo *s = quire_aging_state(aging);
    uint32_t since = (s->departed - shadow) & QUIRE_SHADOW_MAX;
    bool known = shadow != 0 && since < quire_aging_pages(aging);
    quire_aging_put(aging, page, known ? MAIN : SMALL, true);
}

/* One look at the oldest page of main: true when it is the victim. */
static bool leaves_main(struct quire_aging *aging, struct quire_page *page, enum quire_look look) {
    unsigned uses = quire_page_note(page);
    if (look == QUIRE_LOOK_UNUSED && uses == 0) {
        return true;
    }
    if (look == QUIRE_LOOK_USED) {
        uses = uses < USES_MAX ? uses + 1 : uses;
    } else {
        uses--;
    }
    quire_page_set_note(page, uses);
    quire_aging_put(aging, page, MAIN, true);
    return false;
}

static struct quire_page *victim(struct quire_aging *aging) {
    while (quire_aging_pages(aging) > 0) {
        uint64_t small = quire_aging_length(aging, SMALL);
        bool from_small =
            small * SMALL_SHARE >= quire_aging_pages(aging) || small == quire_aging_pages(aging);
        struct quire_page *page = quire_aging_oldest(aging, from_small ? SMALL : MAIN);
        enum quire_look look = quire_aging_look(aging, page);
        if (look == QUIRE_LOOK_ENOUGH) {
            return NULL;
        }
        if (from_small && look == QUIRE_LOOK_USED) {
            quire_aging_put(aging, page, MAIN, true);
        } else if (from_small || leaves_main(aging, page, look)) {
            return page;
        }
    }
    return NULL;
}

static uint32_t evict(struct quire_aging *aging, struct quire_page *page) {
    struct s3fifo *s = quire_aging_state(aging);
    if (quire_page_queue(page) != SMALL) {
        return 0;
    }
    s->departed = (s->departed + 1) & QUIRE_SHADOW_MAX;
    s->departed += s->departed == 0; /* 0 is no shadow */
    return s->departed;
}

const struct quire_policy quire_policy_s3fifo = {
    .name = "s3fifo",
    .summary = "a small queue for newcomers, a main one, ghosts",
    .state_bytes = sizeof(struct s3fifo),
    .nqueues = 2,
    .active = 1u << MAIN,
    .forget_arrival = true,
    .insert = insert,
    .victim = victim,
    .evict = evict,
};
