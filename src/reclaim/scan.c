/* scan.c: how much is looked at, of which kind; who is old is the policy's to say (policies/).
 *
 * Owns the effort and its division. How many pages are looked at rises from 1/4096 of each kind
 * (priority 12) to all of them (priority 0), until enough was freed; swappiness and what the kinds
 * cost lately divide the looking between anonymous and file pages. The same for every policy, so
 * that policies stay small and can be compared.
 *
 *     target ─▶ rounds, priority 12 … 0 ─┬─▶ anonymous: looks ─▶ policy: victim ─▶ evict.c ─▶ freed
 *                                        └─▶ files:     looks ─▶ policy: victim ─▶ evict.c ─▶ freed
 *               nothing at priority 0 ───▶ sweep: every page of every queue is offered
 *     in low zones only: rounds over their frames, by a hand ─▶ evict.c ─▶ freed
 *
 * Cost is Linux's (lru_note_cost): pages that were looked at in vain or had to be written, and
 * pages that came back although they had proved their use (page/lru.c adds those). The kind that
 * costs more is looked at less.
 *
 * I1. A round ends: each look is paid from a budget of no more than the pages that there are, and
 * as many victims are tried at most, whatever a policy answers. I2. The sweep is final: uses are
 * ignored, the policy is not asked, and every page in a queue is offered to evict.c. If nothing is
 * freed then, there is nothing that could be.
 *
 * I3. No run spins for ever: where anonymous pages cannot leave and the last few file pages come
 * back as fast as they are taken, taking them is no progress. After 65,536 in a row they stay, and
 * whoever needs memory goes on to oom.c. (Linux goes on taking them; its users install daemons that
 * kill in time, earlyoom or systemd-oomd.)
 *
 * A request that only low zones can serve (a device's, the kernel's where there is HIGHMEM) is not
 * helped by pages elsewhere. Linux walks the same lists for it and skips what lies too high: past
 * all of memory for a page of the lowest 16 MiB. Here the frames of those zones are walked instead,
 * from where the last walk ended, so that it costs what the zones are large, and the pages of other
 * zones keep their age. The policy still says who is active, and is told who leaves.
 *
 * Never allocates and never fails; may do I/O. Called by kswapd.c and direct.c. Counted in pgscan_*
 * and pgsteal_*; the lists are audited by page/.
 */
#include "reclaim/scan.h"
#include "kmem/slab.h"
#include "page/lru.h"

/* DEF_PRIORITY of Linux's include/linux/mmzone.h. */
#define PRIORITY_FIRST 12
/* From here on it is serious: kernel objects that can be had again are asked for, so many of each
 * cache (Linux: SHRINK_BATCH is 128, in each round), and empty slabs given back; at the end all. */
#define PRIORITY_SLABS 6
#define SLAB_OBJECTS   1024
#define SHARE_ONE      1024 /* fixed-point one of the anonymous share */
/* File pages that hardly any program can do without, and how often in a row they may be taken. */
#define FILES_LAST 16
#define SPUN_MAX   65536

struct scan {
    struct quire *q;
    uint64_t target, freed, scanned;
    unsigned priority;
    bool background;
    bool no_slots; /* swap is full: dirty anonymous pages are not worth a try */
};

/* ---- one page -------------------------------------------------------------------------------- */

static bool is_last_file(struct quire *q) {
    return quire_lru_aging(q, QUIRE_LRU_FILE)->npages < FILES_LAST;
}

static void note_freed(struct quire *q, bool swapped) {
    bool spins = !swapped && is_last_file(q);
    q->reclaim->spun = spins ? q->reclaim->spun + 1 : 0;
    ++*(swapped ? &q->counters.pgsteal_anon : &q->counters.pgsteal_file);
}

/* True: it is free now. False: it stays where it is. */
static bool try_page(struct scan *scan, struct quire_page *page) {
    struct quire *q = scan->q;
    if (!quire_vm_reclaimable(q, page)) {
        return false;
    }
    bool swapped = page_is_swapped(page);
    if (scan->no_slots && swapped && (page->flags & QUIRE_PAGE_DIRTY)) {
        return false;
    }
    if (!swapped && q->reclaim->spun >= SPUN_MAX && is_last_file(q)) { /* I3 */
        return false;
    }
    enum evict_result result = quire_evict(q, page);
    scan->no_slots |= result == EVICT_NO_SLOT;
    if (result == EVICT_FREED) {
        scan->freed++;
        note_freed(q, swapped);
    }
    return result == EVICT_FREED;
}

/* ---- one kind -------------------------------------------------------------------------------- */

/* Old costs fade: halved when they exceed a quarter of the pages that there are. */
static void note_cost(struct quire *q, enum quire_lru_kind kind, uint32_t pages) {
    struct quire_aging *anon = quire_lru_aging(q, QUIRE_LRU_ANON);
    struct quire_aging *file = quire_lru_aging(q, QUIRE_LRU_FILE);
    quire_lru_aging(q, kind)->cost += pages;
    if ((uint64_t)anon->cost + file->cost > (anon->npages + file->npages) / 4) {
        anon->cost /= 2;
        file->cost /= 2;
    }
}

static void count_scan(struct scan *scan, enum quire_lru_kind kind, uint64_t pages) {
    struct quire_counters *counters = &scan->q->counters;
    scan->scanned += pages;
    *(kind == QUIRE_LRU_ANON ? &counters->pgscan_anon : &counters->pgscan_file) += pages;
}

/* Let the policy spend up to `looks` looks. */
static void shrink_kind(struct scan *scan, enum quire_lru_kind kind, uint64_t looks) {
    struct quire *q = scan->q;
    struct quire_aging *aging = quire_lru_aging(q, kind);
    uint64_t written = q->counters.pswpout + q->counters.file_out;
    uint64_t tries = looks; /* I1 */
    uint32_t in_vain = 0;
    struct quire_page *page;
    quire_aging_allow(aging, looks, scan->priority == 0);
    while (tries > 0 && scan->freed < scan->target &&
           (page = aging->policy->victim(aging)) != NULL) {
        tries--;
        if (!try_page(scan, page)) {
            in_vain++;
            quire_aging_keep(aging, page);
        }
    }
    uint64_t looked = looks - aging->looks, tried = looks - tries;
    count_scan(scan, kind, looked > tried ? looked : tried);
    written = q->counters.pswpout + q->counters.file_out - written;
    note_cost(q, kind, aging->found_used + in_vain + (uint32_t)written);
}

/* I2 */
static void sweep_kind(struct scan *scan, enum quire_lru_kind kind) {
    struct quire_aging *aging = quire_lru_aging(scan->q, kind);
    for (unsigned queue = 0; queue < QUIRE_POLICY_QUEUES; queue++) {
        struct quire_page *page = quire_aging_oldest(aging, queue), *newer;
        for (; page && scan->freed < scan->target; page = newer) {
            newer = quire_aging_newer(aging, page);
            count_scan(scan, kind, 1);
            try_page(scan, page);
        }
    }
}

/* ---- both kinds ------------------------------------------------------------------------------ */

/* Which part of the looking goes to anonymous pages, of SHARE_ONE. The two weights are swappiness
 * and 200 - swappiness, each divided by what its pages cost lately. */
static uint32_t anon_share(const struct scan *scan) {
    struct quire *q = scan->q;
    const struct quire_aging *anon = quire_lru_aging(q, QUIRE_LRU_ANON);
    const struct quire_aging *files = quire_lru_aging(q, QUIRE_LRU_FILE);
    unsigned swappiness = q->reclaim->swappiness;
    if (!anon->evictable || anon->npages == 0) {
        return 0;
    }
    if (files->npages == 0) {
        return SHARE_ONE;
    }
    /* At the very end both are taken in full, swappiness or not. */
    if (scan->priority == 0) {
        return SHARE_ONE / 2;
    }
    /* Hardly any file pages left: taking the last ones would only make the programs read their own
     * text again and again (Linux: file_is_tiny). */
    uint64_t free = quire_page_count(q, QUIRE_USE_FREE);
    if (swappiness > 0 && (anon->npages - anon->nactive) >> scan->priority > 0 &&
        files->npages + free <= quire_page_watermark(q, QUIRE_WMARK_HIGH)) {
        return SHARE_ONE;
    }
    uint64_t both = (uint64_t)anon->cost + files->cost;
    uint64_t anon_weight = swappiness * (both + files->cost + 1);
    uint64_t file_weight = (200 - swappiness) * (both + anon->cost + 1);
    return reclaim_ratio(anon_weight, anon_weight + file_weight, SHARE_ONE);
}

static uint64_t looks_at(const struct scan *scan, enum quire_lru_kind kind, uint32_t share) {
    uint64_t npages = quire_lru_aging(scan->q, kind)->npages;
    return scan->priority == 0 ? (share > 0 ? npages : 0)
                               : (npages >> scan->priority) * share / SHARE_ONE;
}

/* Spend each kind's share in clusters, in turn, until all is spent or enough is freed. */
static void shrink_round(struct scan *scan) {
    uint32_t anon = anon_share(scan);
    uint64_t left[QUIRE_LRU_KINDS];
    left[QUIRE_LRU_ANON] = looks_at(scan, QUIRE_LRU_ANON, anon);
    left[QUIRE_LRU_FILE] = looks_at(scan, QUIRE_LRU_FILE, SHARE_ONE - anon);
    while (left[QUIRE_LRU_ANON] + left[QUIRE_LRU_FILE] > 0) {
        for (enum quire_lru_kind kind = 0; kind < QUIRE_LRU_KINDS; kind++) {
            uint64_t looks = left[kind] < RECLAIM_CLUSTER ? left[kind] : RECLAIM_CLUSTER;
            left[kind] -= looks;
            if (looks > 0) {
                shrink_kind(scan, kind, looks);
            }
            if (scan->freed >= scan->target) {
                return;
            }
        }
    }
}

static void shrink_slabs(struct scan *scan) {
    if (scan->priority == PRIORITY_SLABS || scan->priority == 0) {
        uint64_t freed = quire_kmem_reclaim(scan->q, scan->priority ? SLAB_OBJECTS : UINT64_MAX);
        scan->q->counters.slab_reclaim += freed;
        scan->freed += freed;
    }
}

static void shrink_all(struct scan *scan) {
    for (unsigned down = 0; down <= PRIORITY_FIRST && scan->freed < scan->target; down++) {
        scan->priority = PRIORITY_FIRST - down;
        shrink_slabs(scan);
        shrink_round(scan);
    }
    for (enum quire_lru_kind kind = 0; kind < QUIRE_LRU_KINDS && scan->freed == 0; kind++) {
        sweep_kind(scan, kind);
    }
}

/* ---- low zones only -------------------------------------------------------------------------- */

/* Whom a walk takes; each takes what those before it would take. */
enum walk { WALK_INACTIVE, WALK_UNUSED, WALK_ANY, WALKS };

static bool is_wanted(struct quire *q, struct quire_page *page, enum walk walk) {
    bool anon = page_is_swapped(page);
    if (!(page->flags & QUIRE_PAGE_LRU)) {
        return false;
    }
    if (walk == WALK_ANY) { /* I2 */
        return true;
    }
    if (anon && (q->reclaim->swappiness == 0 || !quire_lru_aging(q, QUIRE_LRU_ANON)->evictable)) {
        return false;
    }
    if (walk == WALK_INACTIVE && quire_lru_is_active(q, page)) {
        return false;
    }
    return !quire_vm_harvest(q, page);
}

/* Once around, from the hand on, until enough is freed. */
static void walk_frames(struct scan *scan, uint32_t first, uint32_t end, enum walk walk) {
    struct quire *q = scan->q;
    uint32_t *hand = &q->reclaim->hand;
    for (uint32_t left = end - first; left > 0 && scan->freed < scan->target; left--) {
        if (*hand < first || *hand >= end) {
            *hand = first;
        }
        struct quire_page *page = quire_page_at(q, (quire_frame){(*hand)++});
        if (is_wanted(q, page, walk)) {
            count_scan(scan, quire_lru_kind_of(page), 1);
            try_page(scan, page);
        }
    }
}

static void shrink_below(struct scan *scan, unsigned highest) {
    uint32_t first, end;
    quire_page_bounds(scan->q, highest, &first, &end);
    for (enum walk walk = 0; walk < WALKS && scan->freed == 0; walk++) {
        walk_frames(scan, first, end, walk);
    }
    if (scan->freed == 0) { /* which zone it helps only the caller's next try can tell */
        scan->q->counters.slab_reclaim += quire_kmem_reclaim(scan->q, UINT64_MAX);
    }
}

uint64_t quire_scan_shrink(struct quire *q, uint64_t target, unsigned highest, bool background) {
    struct scan scan = {.q = q, .target = target, .background = background};
    struct quire_aging *anon = quire_lru_aging(q, QUIRE_LRU_ANON);
    anon->evictable = quire_evict_anon_possible(q);
    if (highest >= quire_page_top_zone(q)) {
        shrink_all(&scan);
    } else {
        shrink_below(&scan, highest);
    }
    uint64_t *scanned = background ? &q->counters.pgscan_kswapd : &q->counters.pgscan_direct;
    uint64_t *stolen = background ? &q->counters.pgsteal_kswapd : &q->counters.pgsteal_direct;
    *scanned += scan.scanned;
    *stolen += scan.freed;
    quire_lru_forget_arrivals(q, anon->npages + quire_lru_aging(q, QUIRE_LRU_FILE)->npages);
    return scan.freed;
}
