/* 2q.c: 2Q, the full version: in, out, main.
 *
 *     new ──▶ [ in, a quarter ] oldest ──▶ evict, used or not: shadow ("out", half of memory)
 *
 *     back while it is in "out" ─────────▶ [ main ] oldest ─┬─ used: round again
 *                                                           └─ not used: evict, forgotten
 *
 * T. Johnson, D. Shasha, "2Q: A Low Overhead High Performance Buffer Management Replacement
 * Algorithm", VLDB 1994. Uses soon after the first one belong together with it and prove nothing: a
 * page has to be wanted again after it left "in". The quarter and the half are the paper's. Main is
 * LRU there; with accessed bits it is a second-chance queue.
 *
 * "Out" is a number, as the ghosts in s3fifo.c are.
 */
#include <quire/policy.h>

enum { IN, MAIN };

#define IN_SHARE  4
#define OUT_SHARE 2

struct two_q {
    uint32_t departed;
};

static void insert(struct quire_aging *aging, struct quire_page *page, uint32_t shadow) {
    const struct two_q *two = quire_aging_state(aging);
    uint64_t since = (two->departed - shadow) & QUIRE_SHADOW_MAX;
    bool known = shadow != 0 && since * OUT_SHARE < quire_aging_pages(aging);
    quire_aging_put(aging, page, known ? MAIN : IN, true);
}

static struct quire_page *victim(struct quire_aging *aging) {
    while (quire_aging_pages(aging) > 0) {
        uint64_t in = quire_aging_length(aging, IN);
        bool from_in = in * IN_SHARE > quire_aging_pages(aging) || in == quire_aging_pages(aging);
        struct quire_page *page = quire_aging_oldest(aging, from_in ? IN : MAIN);
        enum quire_look look = quire_aging_look(aging, page); /* in IN only to pay for it */
        if (look == QUIRE_LOOK_ENOUGH) {
            return NULL;
        }
        if (from_in || look == QUIRE_LOOK_UNUSED) {
            return page;
        }
        quire_aging_put(aging, page, MAIN, true);
    }
    return NULL;
}

static uint32_t evict(struct quire_aging *aging, struct quire_page *page) {
    struct two_q *two = quire_aging_state(aging);
    if (quire_page_queue(page) != IN) {
        return 0;
    }
    two->departed = (two->departed + 1) & QUIRE_SHADOW_MAX;
    two->departed += two->departed == 0; /* 0 is no shadow */
    return two->departed;
}

const struct quire_policy quire_policy_2q = {
    .name = "2q",
    .summary = "newcomers have to come back before they count",
    .state_bytes = sizeof(struct two_q),
    .nqueues = 2,
    .active = 1u << MAIN,
    .forget_arrival = true,
    .insert = insert,
    .victim = victim,
    .evict = evict,
};
