/* clock.c: CLOCK, the second chance: the simplest policy that is any good, and the one to read
 * first.
 *
 *     newest [ p ]-[ p ]-[ p ]-[ p ] oldest ── used: mark cleared, back to newest
 *                                     └─────── not used: the next to go
 *
 * F. J. Corbató, "A Paging Experiment with the Multics System", 1968. The ring and the hand of the
 * original are a queue here: what the hand passes goes from the oldest end to the newest.
 *
 * Weak against a scan: a page that is used once gets a whole round, like one that is used always.
 */
#include <quire/policy.h>

static void insert(struct quire_aging *aging, struct quire_page *page, uint32_t shadow) {
    (void)shadow;
    quire_aging_put(aging, page, 0, true);
}

static struct quire_page *victim(struct quire_aging *aging) {
    struct quire_page *page;
    while ((page = quire_aging_oldest(aging, 0)) != NULL) {
        switch (quire_aging_look(aging, page)) {
        case QUIRE_LOOK_UNUSED:
            return page;
        case QUIRE_LOOK_USED:
            quire_aging_put(aging, page, 0, true);
            break;
        case QUIRE_LOOK_ENOUGH:
            return NULL;
        }
    }
    return NULL;
}

const struct quire_policy quire_policy_clock = {
    .name = "clock",
    .summary = "one ring, a second chance for what was used",
    .nqueues = 1,
    .forget_arrival = true,
    .insert = insert,
    .victim = victim,
};
