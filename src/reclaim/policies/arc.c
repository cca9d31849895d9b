/* arc.c: ARC with clocks: recency and frequency share the memory as their ghosts tell them to.
 *
 *     new ──▶ [ once ] oldest ── used ──▶ [ often ] oldest ── used: round again
 *               ▲       └─ not used: evict, ghost 1            └─ not used: evict, ghost 2
 *               │ once gets `target` frames:
 *               │   a page comes back as ghost 1: more, it left too soon   ─┐ and either
 *               └   a page comes back as ghost 2: less                     ─┴▶ goes to [ often ]
 *
 * N. Megiddo, D. Modha, "ARC: A Self-Tuning, Low Overhead Replacement Cache", FAST 2003, in the
 * form for accessed bits: S. Bansal, D. Modha, "CAR: Clock with Adaptive Replacement", FAST 2004.
 *
 * The ghost lists are numbers: each has a count of pages that left for it, a shadow is list and
 * count at that time, and the youngest `window` of a list are remembered: as many as make once and
 * its ghosts one memory, and everything two (the papers' bounds). Ghosts that came back leave a gap
 * in the window, where the papers' lists would keep an older one instead.
 *
 * I1. target <= the pages that there were when it was last changed.
 */
#include <quire/policy.h>

enum { ONCE, OFTEN, NLISTS };

/* A shadow: the list in its lowest bit, the count above. */
#define COUNT_MAX (QUIRE_SHADOW_MAX >> 1)

struct arc {
    uint64_t target;           /* frames that once should have */
    uint32_t departed[NLISTS]; /* modulo COUNT_MAX + 1 */
    uint32_t ghosts[NLISTS];   /* remembered, about */
};

static uint64_t window(struct quire_aging *aging, const struct arc *arc, unsigned list) {
    uint64_t pages = quire_aging_pages(aging);
    uint64_t taken = list == ONCE ? quire_aging_length(aging, ONCE) : arc->ghosts[ONCE];
    return pages > taken ? pages - taken : 0;
}

/* How far one return moves the target: further when its ghosts are the fewer. */
static uint64_t step(const struct arc *arc, unsigned list) {
    uint32_t mine = arc->ghosts[list], others = arc->ghosts[1 - list];
    return mine == 0 || others < mine ? 1 : others / mine;
}

static void insert(struct quire_aging *aging, struct quire_page *page, uint32_t shadow) {
    struct arc *arc = quire_aging_state(aging);
    unsigned list = shadow & 1;
    uint32_t since = (arc->departed[list] - (shadow >> 1)) & COUNT_MAX;
    if (shadow == 0 || since >= window(aging, arc, list)) {
        quire_aging_put(aging, page, ONCE, true);
        return;
    }
    uint64_t move = step(arc, list), pages = quire_aging_pages(aging);
    if (list == ONCE) {
        arc->target = arc->target + move < pages ? arc->target + move : pages;
    } else {
        arc->target = arc->target > move ? arc->target - move : 0;
    }
    arc->ghosts[list] -= arc->ghosts[list] > 0;
    quire_aging_put(aging, page, OFTEN, true);
}

static struct quire_page *victim(struct quire_aging *aging) {
    const struct arc *arc = quire_aging_state(aging);
    while (quire_aging_pages(aging) > 0) {
        uint64_t once = quire_aging_length(aging, ONCE), often = quire_aging_length(aging, OFTEN);
        bool from_once = often == 0 || (once > 0 && once >= arc->target);
        struct quire_page *page = quire_aging_oldest(aging, from_once ? ONCE : OFTEN);
        switch (quire_aging_look(aging, page)) {
        case QUIRE_LOOK_UNUSED:
            return page;
        case QUIRE_LOOK_USED:
            quire_aging_put(aging, page, OFTEN, true);
            break;
        case QUIRE_LOOK_ENOUGH:
            return NULL;
        }
    }
    return NULL;
}

static uint32_t evict(struct quire_aging *aging, struct quire_page *page) {
    struct arc *arc = quire_aging_state(aging);
    unsigned list = quire_page_queue(page);
    uint64_t most = window(aging, arc, list);
    arc->departed[list] = (arc->departed[list] + 1) & COUNT_MAX;
    arc->departed[list] += arc->departed[list] == 0; /* 0 is no shadow */
    arc->ghosts[list] = arc->ghosts[list] < most ? arc->ghosts[list] + 1 : (uint32_t)most;
    return arc->departed[list] << 1 | list;
}

const struct quire_policy quire_policy_arc = {
    .name = "arc",
    .summary = "recent against frequent pages, balanced by what comes back",
    .state_bytes = sizeof(struct arc),
    .nqueues = NLISTS,
    .active = 1u << OFTEN,
    .forget_arrival = true,
    .insert = insert,
    .victim = victim,
    .evict = evict,
};
