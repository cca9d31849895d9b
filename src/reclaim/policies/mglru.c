/* mglru.c: generations, after Linux's multi-gen LRU.
 *
 *     oldest generation                 youngest
 *     [ p ]-[ p ]-[ p ]   [ p ]-[ p ]   [ p ]-[ p ]-[ p ] ◀─ what comes, and what a look finds used
 *       │                     │
 *       └─ not used: evict    └─ aging: those used go up ──▶
 *
 * mm/vmscan.c of Linux 6.x (lru_gen). Two generations at least are kept. When no more than two are
 * left a new youngest one is opened, and the pages of the one before it are looked at: those in use
 * go up, the others stay. So pages are sorted by when they were last used, in steps of a
 * generation, and eviction finds in the oldest one hardly anything that is in use.
 *
 * Linux ages by walking page tables, which finds many used pages at a time; here the looks of aging
 * are spread over evictions, AGING_LOOKS before each, until the generation was gone round. Linux's
 * tiers are for file descriptors' reads, which never come here.
 *
 * I1. There are 2 or 3 generations once there was a page; generation g is queue g modulo 4.
 * I2. left > 0 only while the generation before the youngest is gone round.
 */
#include <quire/policy.h>

#define GENERATIONS_MIN 2 /* MIN_NR_GENS of include/linux/mmzone.h */
#define GENERATIONS_MAX 3
#define NQUEUES         4
#define AGING_LOOKS     8

struct generations {
    uint32_t oldest; /* its number, ever growing */
    uint32_t count;
    uint64_t left; /* pages that aging has not looked at */
};

static unsigned queue_of(uint32_t generation) {
    return generation % NQUEUES;
}

static uint32_t youngest(const struct generations *g) {
    return g->oldest + g->count - 1;
}

/* The two youngest are shown as active, as Linux does (lru_gen_is_active). */
static void show_active(struct quire_aging *aging, const struct generations *g) {
    quire_aging_set_active(aging, 1u << queue_of(youngest(g)) | 1u << queue_of(youngest(g) - 1));
}

static void open_youngest(struct quire_aging *aging, struct generations *g) {
    g->left = g->count > 0 ? quire_aging_length(aging, queue_of(youngest(g))) : 0;
    g->count++;
    if (g->count >= GENERATIONS_MIN) { /* I1 */
        show_active(aging, g);
    }
}

static void insert(struct quire_aging *aging, struct quire_page *page, uint32_t shadow) {
    struct generations *g = quire_aging_state(aging);
    (void)shadow;
    while (g->count < GENERATIONS_MIN) {
        open_youngest(aging, g);
    }
    quire_aging_put(aging, page, queue_of(youngest(g)), true);
}

/* Go on around the generation before the youngest. */
static void age(struct quire_aging *aging, struct generations *g) {
    unsigned queue = queue_of(youngest(g) - 1);
    for (unsigned n = 0; n < AGING_LOOKS && g->left > 0; n++) {
        struct quire_page *page = quire_aging_oldest(aging, queue);
        enum quire_look look = page ? quire_aging_look(aging, page) : QUIRE_LOOK_ENOUGH;
        if (look == QUIRE_LOOK_ENOUGH) {
            g->left = page ? g->left : 0; /* none: they left by themselves */
            return;
        }
        g->left--;
        quire_aging_put(aging, page, look == QUIRE_LOOK_USED ? queue_of(youngest(g)) : queue, true);
    }
}

static struct quire_page *victim(struct quire_aging *aging) {
    struct generations *g = quire_aging_state(aging);
    while (quire_aging_pages(aging) > 0) {
        while (g->count > GENERATIONS_MIN && !quire_aging_oldest(aging, queue_of(g->oldest))) {
            g->oldest++;
            g->count--;
        }
        if (g->count == GENERATIONS_MIN) {
            open_youngest(aging, g);
        }
        age(aging, g);
        struct quire_page *page = quire_aging_oldest(aging, queue_of(g->oldest));
        if (!page) {
            continue;
        }
        switch (quire_aging_look(aging, page)) {
        case QUIRE_LOOK_UNUSED:
            return page;
        case QUIRE_LOOK_USED:
            quire_aging_put(aging, page, queue_of(youngest(g)), true);
            break;
        case QUIRE_LOOK_ENOUGH:
            return NULL;
        }
    }
    return NULL;
}

static void keep(struct quire_aging *aging, struct quire_page *page) {
    quire_aging_put(aging, page, queue_of(youngest(quire_aging_state(aging))), true);
}

/* Only so that refaults are counted: whatever comes is of the youngest. */
static uint32_t evict(struct quire_aging *aging, struct quire_page *page) {
    const struct generations *g = quire_aging_state(aging);
    (void)page;
    return (g->oldest + 1) & QUIRE_SHADOW_MAX ? (g->oldest + 1) & QUIRE_SHADOW_MAX : 1;
}

static void cool(struct quire_aging *aging, struct quire_page *page) {
    const struct generations *g = quire_aging_state(aging);
    quire_aging_put(aging, page, queue_of(g->oldest), false);
}

static bool audit(struct quire_aging *aging) {
    const struct generations *g = quire_aging_state(aging);
    if (g->count > GENERATIONS_MAX || (quire_aging_pages(aging) && g->count < GENERATIONS_MIN)) {
        return false; /* I1 */
    }
    for (unsigned i = g->count; i < NQUEUES; i++) {
        if (quire_aging_length(aging, queue_of(g->oldest + i)) > 0) {
            return false;
        }
    }
    return true;
}

const struct quire_policy quire_policy_mglru = {
    .name = "mglru",
    .summary = "generations, after Linux's multi-gen LRU",
    .state_bytes = sizeof(struct generations),
    .nqueues = NQUEUES,
    .active = 3, /* until the first generations are opened: they are 0 and 1 */
    .forget_arrival = true,
    .insert = insert,
    .victim = victim,
    .keep = keep,
    .evict = evict,
    .cool = cool,
    .audit = audit,
};
