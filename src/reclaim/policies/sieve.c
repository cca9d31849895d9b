/* sieve.c: SIEVE: a queue that is never reordered, and a hand that leaves what is in use where it
 * is.
 *
 *     newest [ n ]-[ n ]-[ n ]-[ A ]-[ B ]-[ C ] oldest
 *                                ▲ the hand moves to newer pages, and around
 *
 * Y. Zhang et al., "SIEVE is Simpler than LRU", NSDI 2024. CLOCK moves a used page to the newest
 * end, among pages that nobody knows yet. Here it stays: newcomers gather ahead of it, the hand
 * meets them sooner (quick demotion), and what has survived is not asked again before all of them
 * were.
 *
 * The paper's visited bit is the machine's accessed bit. It is clear for a page that was just
 * inserted, as in the paper, because the manager forgets the arrival.
 *
 * I1. hand is NULL (start at the oldest) or a page in the queue: a page that leaves takes the hand
 * one further.
 */
#include <quire/policy.h>

struct sieve {
    struct quire_page *hand;
};

static void insert(struct quire_aging *aging, struct quire_page *page, uint32_t shadow) {
    (void)shadow;
    quire_aging_put(aging, page, 0, true);
}

static struct quire_page *victim(struct quire_aging *aging) {
    struct sieve *sieve = quire_aging_state(aging);
    for (;;) {
        struct quire_page *page = sieve->hand ? sieve->hand : quire_aging_oldest(aging, 0);
        if (!page) {
            return NULL;
        }
        enum quire_look look = quire_aging_look(aging, page);
        if (look == QUIRE_LOOK_ENOUGH) {
            return NULL;
        }
        sieve->hand = quire_aging_newer(aging, page); /* NULL behind the newest: around */
        if (look == QUIRE_LOOK_UNUSED) {
            return page;
        }
    }
}

/* It stays where it is: the hand is past it. */
static void keep(struct quire_aging *aging, struct quire_page *page) {
    (void)aging, (void)page;
}

static void remove_page(struct quire_aging *aging, struct quire_page *page) {
    struct sieve *sieve = quire_aging_state(aging);
    if (sieve->hand == page) { /* I1 */
        sieve->hand = quire_aging_newer(aging, page);
    }
}

/* Under the hand. */
static void cool(struct quire_aging *aging, struct quire_page *page) {
    struct sieve *sieve = quire_aging_state(aging);
    remove_page(aging, page);
    quire_aging_put(aging, page, 0, false);
    sieve->hand = page;
}

static bool audit(struct quire_aging *aging) {
    const struct sieve *sieve = quire_aging_state(aging);
    struct quire_page *page = quire_aging_oldest(aging, 0);
    while (page && page != sieve->hand) {
        page = quire_aging_newer(aging, page);
    }
    return page == sieve->hand; /* I1: found it, or looked for NULL */
}

const struct quire_policy quire_policy_sieve = {
    .name = "sieve",
    .summary = "one queue that keeps its order, quick to drop newcomers",
    .state_bytes = sizeof(struct sieve),
    .nqueues = 1,
    .forget_arrival = true,
    .insert = insert,
    .victim = victim,
    .keep = keep,
    .remove = remove_page,
    .cool = cool,
    .audit = audit,
};
