/* scan.c: who is old: two lists for anonymous and two for file pages, and a second chance.
 *
 * Owns the replacement decision, all of it: when policies become plug-ins, this file is the first.
 * It is Linux's (mm/vmscan.c as of 6.x, without generations): an inactive list that is a queue of
 * candidates, an active list that protects what was used again, refilled from one into the other so
 * that the inactive list stays long enough for a second use to be seen. Plain CLOCK was rejected
 * because one pass over a large file would push out everything.
 *
 *       new ─▶ head ┌────────── inactive ──────────┐ tail ─▶ unused: evict
 *                ▲  └──────────────────────────────┘   │
 *      first use └──────────────── keep ◀──────────────┤
 *                   ┌─────────── active ───────────┐   │ second use
 *              head │                              │◀──┘
 *                   └──────────────────────────────┘ tail ─▶ to inactive's head, when that is short
 *
 * How much is looked at rises from 1/4096 of each list (priority 12) to all of it (priority 0),
 * until enough was freed; swappiness and what the lists cost lately divide the looking between
 * anonymous and file pages.
 *
 * I1. A pass looks at no more pages than the lists hold: whatever a page answers, it is moved away
 *     from the tail, so no loop can stay with it.
 * I2. Priority 0 is final: uses are ignored, and rounds are made until every page that was on a
 *     list has been offered to evict.c. If nothing is freed then, there is nothing that could be.
 *
 * Never allocates and never fails; may do I/O. Called by kswapd.c and direct.c. Counted in pgscan_*
 * and pgsteal_*; the lists are audited by page/.
 */
#include "reclaim/scan.h"
#include "kmem/slab.h"
#include "page/lru.h"

/* DEF_PRIORITY of Linux's include/linux/mmzone.h. */
#define PRIORITY_FIRST 12
/* From here on it is serious: empty slabs are given back too. Linux shrinks caches in every round,
 * ours are counted in the tens and have no shrinkers yet. */
#define PRIORITY_SLABS 6
/* Rounds at priority 0: deactivate, look, and once more for what the second brought up. */
#define FINAL_ROUNDS 3
#define SHARE_ONE    1024 /* fixed-point one of the anonymous share */

enum kind { KIND_ANON, KIND_FILE };

struct scan {
    struct quire *q;
    uint64_t target, freed, scanned;
    unsigned priority;
    bool background;
    bool no_slots; /* swap is full: dirty anonymous pages are not worth a try */
};

static enum kind kind_of(enum quire_lru list) {
    return list == QUIRE_LRU_INACTIVE_ANON || list == QUIRE_LRU_ACTIVE_ANON ? KIND_ANON : KIND_FILE;
}

/* Old costs fade: halved when they exceed a quarter of the pages that there are. */
static void note_cost(struct quire *q, enum kind kind, uint32_t pages) {
    struct quire_reclaim *reclaim = q->reclaim;
    uint64_t size = 0;
    for (enum quire_lru list = 0; list < QUIRE_NLRUS; list++) {
        size += quire_lru_count(q, list);
    }
    reclaim->cost[kind] += pages;
    if (reclaim->cost[KIND_ANON] + reclaim->cost[KIND_FILE] > size / 4) {
        reclaim->cost[KIND_ANON] /= 2;
        reclaim->cost[KIND_FILE] /= 2;
    }
}

/* Linux's inactive_is_low: the more memory, the smaller the part of it that has to be inactive to
 * notice a second use in time: a half below 1 GiB, then 1 to sqrt(10 * GiB). */
static bool inactive_is_low(const struct quire *q, enum kind kind) {
    uint64_t inactive =
        quire_lru_count(q, kind == KIND_ANON ? QUIRE_LRU_INACTIVE_ANON : QUIRE_LRU_INACTIVE_FILE);
    uint64_t active =
        quire_lru_count(q, kind == KIND_ANON ? QUIRE_LRU_ACTIVE_ANON : QUIRE_LRU_ACTIVE_FILE);
    uint64_t gigabytes = (inactive + active) >> (30 - QUIRE_PAGE_SHIFT);
    uint64_t ratio = 1;
    while ((ratio + 1) * (ratio + 1) <= 10 * gigabytes) {
        ratio++;
    }
    return inactive * ratio < active;
}

/* Text of a program: a file page that its first mapping allows to run. Everything else waits for
 * it, so what of it is in use is protected more than data is (as Linux does: VM_EXEC). */
static bool is_text(const struct quire_page *page) {
    if (page->use != QUIRE_USE_FILE || page->nmaps == 0) {
        return false;
    }
    struct quire_pmap_entry entry;
    quire_mach_pmap_query(quire_space_pmap(page->rmap.space), page->rmap.va, &entry);
    return entry.mapped && (entry.prot & QUIRE_PROT_EXEC);
}

/* The active list's tail goes to the inactive list's head, whatever its reference bits say: they
 * are cleared, so that only a use from now on counts. Text in use goes round once more. */
static void shrink_active(struct scan *scan, enum quire_lru list, uint64_t npages) {
    struct quire *q = scan->q;
    struct quire_page *page;
    for (; npages > 0 && (page = quire_lru_tail(q, list)) != NULL; npages--) {
        bool stays = !quire_vm_reclaimable(q, page);
        if (!stays && quire_vm_harvest(q, page)) {
            stays = scan->priority > 0 && is_text(page);
        }
        page->flags &= (uint8_t)~QUIRE_PAGE_REFERENCED;
        quire_lru_move(q, page, stays, true); /* I1 */
    }
}

/* What one look at a candidate came to. */
enum verdict { VERDICT_FREED, VERDICT_KEEP, VERDICT_ACTIVATE };

static enum verdict judge(struct scan *scan, struct quire_page *page) {
    struct quire *q = scan->q;
    if (!quire_vm_reclaimable(q, page)) {
        return VERDICT_ACTIVATE;
    }
    if (scan->no_slots && page_is_swapped(page) && (page->flags & QUIRE_PAGE_DIRTY)) {
        return VERDICT_ACTIVATE;
    }
    if (quire_vm_harvest(q, page) && scan->priority > 0) { /* I2 */
        /* The access that brought the page in is the first use; only the next one proves worth. */
        if ((page->flags & QUIRE_PAGE_REFERENCED) || is_text(page)) {
            page->flags &= (uint8_t)~QUIRE_PAGE_REFERENCED;
            return VERDICT_ACTIVATE;
        }
        page->flags |= QUIRE_PAGE_REFERENCED;
        return VERDICT_KEEP;
    }
    switch (quire_evict(q, page)) {
    case EVICT_FREED:
        return VERDICT_FREED;
    case EVICT_NO_SLOT:
        scan->no_slots = true;
        return VERDICT_ACTIVATE;
    case EVICT_BUSY:
        break;
    }
    return VERDICT_ACTIVATE;
}

static void shrink_inactive(struct scan *scan, enum quire_lru list, uint64_t npages) {
    struct quire *q = scan->q;
    uint64_t written = q->counters.pswpout + q->counters.file_out;
    uint32_t rotated = 0;
    struct quire_page *page;
    for (; npages > 0 && (page = quire_lru_tail(q, list)) != NULL; npages--) {
        scan->scanned++;
        enum verdict verdict = judge(scan, page);
        if (verdict == VERDICT_FREED) {
            scan->freed++;
            continue;
        }
        rotated++;
        quire_lru_move(q, page, verdict == VERDICT_ACTIVATE, true); /* I1 */
    }
    written = q->counters.pswpout + q->counters.file_out - written;
    note_cost(q, kind_of(list), rotated + (uint32_t)written);
}

/* Which part of the looking goes to anonymous pages, of SHARE_ONE. The two weights are swappiness
 * and 200 - swappiness, each divided by what its lists cost lately. */
static uint32_t anon_share(const struct scan *scan) {
    const struct quire *q = scan->q;
    const struct quire_reclaim *reclaim = q->reclaim;
    if (!quire_evict_anon_possible(q)) {
        return 0;
    }
    uint64_t file =
        quire_lru_count(q, QUIRE_LRU_INACTIVE_FILE) + quire_lru_count(q, QUIRE_LRU_ACTIVE_FILE);
    if (file == 0) {
        return SHARE_ONE;
    }
    /* At the very end both are taken in full, swappiness or not. */
    if (scan->priority == 0) {
        return SHARE_ONE / 2;
    }
    /* Hardly any file pages left: taking the last ones would only make the programs read their own
     * text again and again (Linux: file_is_tiny). */
    uint64_t free = quire_page_count(q, QUIRE_USE_FREE);
    uint64_t idle_anon = quire_lru_count(q, QUIRE_LRU_INACTIVE_ANON) >> scan->priority;
    if (reclaim->swappiness > 0 && idle_anon > 0 &&
        file + free <= quire_page_watermark(q, QUIRE_WMARK_HIGH)) {
        return SHARE_ONE;
    }
    uint64_t both = (uint64_t)reclaim->cost[KIND_ANON] + reclaim->cost[KIND_FILE];
    uint64_t anon_cost = both + reclaim->cost[KIND_ANON] + 1;
    uint64_t file_cost = both + reclaim->cost[KIND_FILE] + 1;
    uint64_t anon_weight = reclaim->swappiness * file_cost;
    uint64_t file_weight = (200 - reclaim->swappiness) * anon_cost;
    return reclaim_ratio(anon_weight, anon_weight + file_weight, SHARE_ONE);
}

static uint64_t look_at(const struct scan *scan, enum quire_lru list, uint32_t share) {
    uint64_t npages = quire_lru_count(scan->q, list) >> scan->priority;
    return scan->priority == 0 ? (share > 0 ? npages : 0) : npages * share / SHARE_ONE;
}

/* Look at each list's share in clusters, in turn, until all is seen or enough is freed. */
static void shrink_round(struct scan *scan) {
    struct quire *q = scan->q;
    uint32_t anon = anon_share(scan);
    uint64_t left[QUIRE_NLRUS];
    bool more = true;
    for (enum quire_lru list = 0; list < QUIRE_NLRUS; list++) {
        left[list] = look_at(scan, list, kind_of(list) == KIND_ANON ? anon : SHARE_ONE - anon);
    }
    while (more && scan->freed < scan->target) {
        more = false;
        for (enum quire_lru list = 0; list < QUIRE_NLRUS; list++) {
            uint64_t npages = left[list] < RECLAIM_CLUSTER ? left[list] : RECLAIM_CLUSTER;
            if (npages == 0) {
                continue;
            }
            more = true;
            left[list] -= npages;
            if (list == QUIRE_LRU_INACTIVE_ANON || list == QUIRE_LRU_INACTIVE_FILE) {
                shrink_inactive(scan, list, npages);
            } else if (inactive_is_low(q, kind_of(list))) {
                shrink_active(scan, list, npages);
            }
        }
    }
    /* Anonymous pages age even when only files were looked at, so that there are candidates. */
    if (anon > 0 && inactive_is_low(q, KIND_ANON)) {
        shrink_active(scan, QUIRE_LRU_ACTIVE_ANON, RECLAIM_CLUSTER);
    }
}

uint64_t quire_scan_shrink(struct quire *q, uint64_t target, bool background) {
    struct scan scan = {.q = q, .target = target, .background = background};
    for (unsigned down = 0; down <= PRIORITY_FIRST && scan.freed < target; down++) {
        scan.priority = PRIORITY_FIRST - down;
        if (scan.priority == PRIORITY_SLABS) {
            scan.freed += quire_kmem_shrink(q);
        }
        shrink_round(&scan);
    }
    for (unsigned round = 1; round < FINAL_ROUNDS && scan.freed == 0; round++) {
        shrink_round(&scan); /* I2 */
    }
    uint64_t *scanned = background ? &q->counters.pgscan_kswapd : &q->counters.pgscan_direct;
    uint64_t *stolen = background ? &q->counters.pgsteal_kswapd : &q->counters.pgsteal_direct;
    *scanned += scan.scanned;
    *stolen += scan.freed;
    return scan.freed;
}
