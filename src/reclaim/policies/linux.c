/* linux.c: Linux's two lists, with the distance of refaults: the default.
 *
 * mm/vmscan.c and mm/workingset.c of Linux 6.x, without generations. An inactive list is a queue of
 * candidates, an active list protects what was used again, refilled from one into the other so that
 * the inactive list stays long enough for a second use to be seen.
 *
 *       new ─▶ newest ┌────────── inactive ──────────┐ oldest ─▶ unused: evict, shadow = age now
 *                  ▲  └──────────────────────────────┘   │
 *        first use └──────────────── stay ◀──────────────┤
 *                     ┌─────────── active ───────────┐   │ second use, or text in use
 *              newest │                              │◀──┘
 *                     └──────────────────────────────┘ oldest ─▶ to inactive, when that is short
 *
 * age counts evictions and activations, each of which makes the pages of the inactive list one
 * place older. A page that comes back was away for (age - shadow) of them: had the inactive list
 * been so much longer, it would still be here. If the active pages are at least as many, they are
 * its competitors, and it goes among them at once.
 *
 * The access that brings a page in marks it as used, so one mark proves nothing: pages are looked
 * at twice, and the note remembers the first. (That is what forget_arrival does elsewhere.)
 */
#include <quire/policy.h>

enum { INACTIVE, ACTIVE };

#define NOTE_USED 1u

/* Pages taken from the active list at a time: SWAP_CLUSTER_MAX of Linux's include/linux/swap.h. */
#define CLUSTER 32

struct two_lists {
    uint32_t age;
};

/* Both kinds compete for the same frames, so both make a page older. */
static uint32_t age_of(struct quire_aging *aging) {
    const struct two_lists *mine = quire_aging_state(aging);
    struct quire_aging *other = quire_aging_other(aging);
    return mine->age + (other ? ((const struct two_lists *)quire_aging_state(other))->age : 0);
}

static void activate(struct quire_aging *aging, struct quire_page *page) {
    ((struct two_lists *)quire_aging_state(aging))->age++;
    quire_page_set_note(page, 0);
    quire_aging_put(aging, page, ACTIVE, true);
}

/* Would it have stayed, had all that is active now been inactive too? */
static bool came_back_soon(struct quire_aging *aging, uint32_t shadow) {
    uint64_t competitors = quire_aging_active(aging) + quire_aging_rivals(aging);
    return ((age_of(aging) - shadow) & QUIRE_SHADOW_MAX) <= competitors;
}

static void insert(struct quire_aging *aging, struct quire_page *page, uint32_t shadow) {
    if (shadow != 0 && came_back_soon(aging, shadow)) {
        activate(aging, page);
    } else {
        quire_aging_put(aging, page, INACTIVE, true);
    }
}

/* The more memory, the smaller the part of it that has to be inactive to notice a second use in
 * time: a half below 1 GiB, then 1 to sqrt(10 * GiB). Linux: inactive_is_low. */
static bool inactive_is_low(const struct quire_aging *aging) {
    uint64_t gigabytes = quire_aging_pages(aging) >> (30 - QUIRE_PAGE_SHIFT), ratio = 1;
    while ((ratio + 1) * (ratio + 1) <= 10 * gigabytes) {
        ratio++;
    }
    return quire_aging_length(aging, INACTIVE) * ratio < quire_aging_length(aging, ACTIVE);
}

/* The oldest active pages become inactive, whatever their marks say: those are cleared, so that
 * only a use from now on counts. Text in use goes round once more. */
static void deactivate(struct quire_aging *aging) {
    struct quire_page *page;
    for (unsigned n = 0; n < CLUSTER && (page = quire_aging_oldest(aging, ACTIVE)) != NULL; n++) {
        enum quire_look look = quire_aging_look(aging, page);
        if (look == QUIRE_LOOK_ENOUGH) {
            return;
        }
        bool stays = look == QUIRE_LOOK_USED && quire_aging_is_text(aging, page);
        quire_aging_put(aging, page, stays ? ACTIVE : INACTIVE, true);
    }
}

static struct quire_page *victim(struct quire_aging *aging) {
    struct quire_page *page;
    if (inactive_is_low(aging)) {
        deactivate(aging);
    }
    while ((page = quire_aging_oldest(aging, INACTIVE)) != NULL) {
        switch (quire_aging_look(aging, page)) {
        case QUIRE_LOOK_UNUSED:
            return page;
        case QUIRE_LOOK_USED:
            if (quire_page_note(page) == NOTE_USED || quire_aging_is_text(aging, page)) {
                activate(aging, page);
            } else {
                quire_page_set_note(page, NOTE_USED);
                quire_aging_put(aging, page, INACTIVE, true);
            }
            break;
        case QUIRE_LOOK_ENOUGH:
            return NULL;
        }
    }
    return NULL;
}

static void keep(struct quire_aging *aging, struct quire_page *page) {
    quire_page_set_note(page, 0);
    quire_aging_put(aging, page, ACTIVE, true);
}

static uint32_t evict(struct quire_aging *aging, struct quire_page *page) {
    (void)page;
    ((struct two_lists *)quire_aging_state(aging))->age++;
    uint32_t shadow = age_of(aging) & QUIRE_SHADOW_MAX;
    return shadow ? shadow : QUIRE_SHADOW_MAX; /* 0 would be nothing */
}

static void cool(struct quire_aging *aging, struct quire_page *page) {
    quire_page_set_note(page, 0);
    quire_aging_put(aging, page, INACTIVE, false);
}

const struct quire_policy quire_policy_linux = {
    .name = "linux",
    .summary = "Linux's active and inactive lists, with refault distance",
    .state_bytes = sizeof(struct two_lists),
    .nqueues = 2,
    .active = 1u << ACTIVE,
    .insert = insert,
    .victim = victim,
    .keep = keep,
    .evict = evict,
    .cool = cool,
};
