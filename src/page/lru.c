/* lru.c: pages by age, in the queues of a policy, and the refaults that tell whether it was right.
 *
 * Only keeps lists and counts. Where a page stands is the policy's to say (reclaim/policies/, or an
 * embedder's); which frames may be here at all is vm's. The kind comes from the page's use, so that
 * a page cannot be on the wrong side.
 *
 *     aging[ANON]   queue 0  newest [ p ]-[ p ]-[ p ] oldest        page->policy, 16 bits:
 *                   queue 1  newest [ p ]-[ p ]-[ p ] oldest          0-2   queue      ours
 *     aging[FILE]   queue 0  newest [ p ]-[ p ]-[ p ] oldest          3     workingset ours
 *                   ...                                               4-15  note       the policy's
 *
 * That the lists are not the policy's own is what makes policies safe to take from strangers:
 * reclaim can walk all pages without asking one, and whatever a policy forgets is still counted,
 * found and audited.
 *
 * Invariants:
 *   I1  flag LRU is set exactly when the page is in a queue; its policy bits then say which
 *   I2  FILE pages are under aging[FILE], ANON and SHMEM pages under aging[ANON], no others at all
 *   I3  length counts the frames of each queue, npages those of all, nactive those of active queues
 *
 * A page is of the working set when it was found in use again after it had come: it stood in an
 * active queue, or a look found it used after its arrival was forgotten. Linux: PG_workingset.
 *
 * Nothing can fail. Called by vm/, reclaim/ and policies. Audit: audit.c.
 */
#include "page/lru.h"

#include "base/check.h"
#include "page/zone.h"

#define QUEUE_BITS 7u
#define WORKINGSET 8u
#define NOTE_SHIFT 4

static uint64_t span_of(const struct quire_page *page) {
    return (uint64_t)1 << page->order;
}

/* ---- what policies call ---------------------------------------------------------------------- */

void *quire_aging_state(struct quire_aging *aging) {
    return aging->state;
}

struct quire_aging *quire_aging_other(struct quire_aging *aging) {
    return aging->other;
}

unsigned quire_page_queue(const struct quire_page *page) {
    return page->policy & QUEUE_BITS;
}

unsigned quire_page_note(const struct quire_page *page) {
    return page->policy >> NOTE_SHIFT;
}

void quire_page_set_note(struct quire_page *page, unsigned note) {
    page->policy = (uint16_t)((page->policy & (QUEUE_BITS | WORKINGSET)) | (note & QUIRE_NOTE_MAX)
                                                                               << NOTE_SHIFT);
}

/* Off its list; the flag stays. */
static void take_off(struct quire_aging *aging, struct quire_page *page) {
    unsigned queue = quire_page_queue(page);
    struct quire_list *next = page->link.next, *prev = page->link.prev;
    uint64_t span = span_of(page);
    prev->next = next;
    next->prev = prev;
    aging->length[queue] -= span;
    aging->npages -= span;
    aging->nactive -= aging->active >> queue & 1 ? span : 0;
}

void quire_aging_put(struct quire_aging *aging, struct quire_page *page, unsigned queue,
                     bool newest) {
    queue &= QUEUE_BITS;
    bool active = aging->active >> queue & 1;
    if (page->flags & QUIRE_PAGE_LRU) {
        bool was_active = aging->active >> quire_page_queue(page) & 1;
        take_off(aging, page);
        aging->activated += active && !was_active;
        aging->deactivated += was_active && !active;
        page->policy |= was_active && !active ? WORKINGSET : 0;
    }
    uint64_t span = span_of(page);
    page->flags |= QUIRE_PAGE_LRU;
    page->policy = (uint16_t)((page->policy & ~QUEUE_BITS) | queue);
    if (newest) {
        quire_list_add_after(&aging->queue[queue], &page->link);
    } else {
        quire_list_add_before(&aging->queue[queue], &page->link);
    }
    aging->length[queue] += span;
    aging->npages += span;
    aging->nactive += active ? span : 0;
}

struct quire_page *quire_aging_oldest(struct quire_aging *aging, unsigned queue) {
    struct quire_list *head = &aging->queue[queue & QUEUE_BITS];
    return quire_list_empty(head) ? NULL : QUIRE_CONTAINER(head->prev, struct quire_page, link);
}

struct quire_page *quire_aging_newer(struct quire_aging *aging, struct quire_page *page) {
    struct quire_list *before = page->link.prev;
    return before == &aging->queue[quire_page_queue(page)]
               ? NULL
               : QUIRE_CONTAINER(before, struct quire_page, link);
}

uint64_t quire_aging_length(const struct quire_aging *aging, unsigned queue) {
    return aging->length[queue & QUEUE_BITS];
}

uint64_t quire_aging_pages(const struct quire_aging *aging) {
    return aging->npages;
}

uint64_t quire_aging_active(const struct quire_aging *aging) {
    return aging->nactive;
}

uint64_t quire_aging_rivals(const struct quire_aging *aging) {
    const struct quire_aging *other = aging->other;
    return other && other->evictable ? other->npages : 0;
}

void quire_aging_set_active(struct quire_aging *aging, unsigned active) {
    aging->active = active;
    aging->nactive = 0;
    for (unsigned queue = 0; queue < QUIRE_POLICY_QUEUES; queue++) {
        aging->nactive += active >> queue & 1 ? aging->length[queue] : 0;
    }
}

enum quire_look quire_aging_look(struct quire_aging *aging, struct quire_page *page) {
    if (aging->looks == 0) {
        return QUIRE_LOOK_ENOUGH;
    }
    aging->looks--;
    if (aging->forced || !aging->hooks.used(aging->hooks.context, page)) {
        page->flags &= (uint8_t)~QUIRE_PAGE_REFERENCED;
        return QUIRE_LOOK_UNUSED;
    }
    aging->found_used++;
    page->flags |= QUIRE_PAGE_REFERENCED;
    page->policy |= aging->policy->forget_arrival ? WORKINGSET : 0;
    return QUIRE_LOOK_USED;
}

bool quire_aging_is_text(struct quire_aging *aging, struct quire_page *page) {
    return aging->hooks.is_text && aging->hooks.is_text(aging->hooks.context, page);
}

/* ---- what reclaim calls ---------------------------------------------------------------------- */

void quire_aging_init(struct quire_aging *aging, const struct quire_policy *policy, void *state,
                      const struct quire_aging_hooks *hooks) {
    *aging = (struct quire_aging){.policy = policy,
                                  .state = state,
                                  .active = policy->active,
                                  .evictable = true,
                                  .hooks = *hooks};
    for (unsigned queue = 0; queue < QUIRE_POLICY_QUEUES; queue++) {
        quire_list_init(&aging->queue[queue]);
    }
}

void quire_lru_start(struct quire *q, const struct quire_policy *policy, void *const state[],
                     const struct quire_aging_hooks *hooks) {
    struct quire_queues *lru = &q->phys->lru;
    for (unsigned kind = 0; kind < QUIRE_LRU_KINDS; kind++) {
        quire_aging_init(&lru->aging[kind], policy, state[kind], hooks);
        lru->aging[kind].other = &lru->aging[1 - kind];
    }
}

struct quire_aging *quire_lru_aging(struct quire *q, enum quire_lru_kind kind) {
    return &q->phys->lru.aging[kind];
}

const struct quire_policy *quire_policy(const struct quire *q) {
    return q->phys->lru.aging[QUIRE_LRU_ANON].policy;
}

void quire_aging_allow(struct quire_aging *aging, uint64_t looks, bool forced) {
    aging->looks = looks;
    aging->forced = forced;
    aging->found_used = 0;
}

void quire_aging_remove(struct quire_aging *aging, struct quire_page *page) {
    if (aging->policy->remove) {
        aging->policy->remove(aging, page);
    }
    take_off(aging, page);
    quire_list_init(&page->link);
    page->flags &= (uint8_t) ~(QUIRE_PAGE_LRU | QUIRE_PAGE_REFERENCED);
}

void quire_aging_keep(struct quire_aging *aging, struct quire_page *page) {
    if (aging->policy->keep) {
        aging->policy->keep(aging, page);
    } else {
        quire_aging_put(aging, page, quire_page_queue(page), true);
    }
}

void quire_lru_forget_arrivals(struct quire *q, uint64_t arrivals) {
    q->phys->lru.forgets = arrivals;
}

uint64_t quire_lru_count(const struct quire *q, enum quire_lru list) {
    bool file = list == QUIRE_LRU_INACTIVE_FILE || list == QUIRE_LRU_ACTIVE_FILE;
    const struct quire_aging *aging = &q->phys->lru.aging[file ? QUIRE_LRU_FILE : QUIRE_LRU_ANON];
    bool active = list == QUIRE_LRU_ACTIVE_ANON || list == QUIRE_LRU_ACTIVE_FILE;
    return active ? aging->nactive : aging->npages - aging->nactive;
}

/* ---- what vm/ calls -------------------------------------------------------------------------- */

/* A page is back. Linux: workingset_refault. */
static void count_refault(struct quire *q, struct quire_aging *aging, struct quire_page *page,
                          uint32_t shadow) {
    struct quire_counters *counters = &q->counters;
    bool file = page->use == QUIRE_USE_FILE;
    ++*(file ? &counters->workingset_refault_file : &counters->workingset_refault_anon);
    if (aging->active >> quire_page_queue(page) & 1) {
        ++*(file ? &counters->workingset_activate_file : &counters->workingset_activate_anon);
    }
    if (quire_shadow_is_workingset(shadow)) {
        ++*(file ? &counters->workingset_restore_file : &counters->workingset_restore_anon);
        page->policy |= WORKINGSET;
        aging->cost++; /* it should not have been evicted: this kind was scanned too hard */
    }
}

/* Under pressure: clear the marks of the page that came eight pages ago. It may have left since,
 * and its frame serve something else in a queue: that one loses a mark, which costs nothing. */
static void forget_arrival(struct quire_queues *lru, struct quire_aging *aging,
                           struct quire_page *page) {
    struct quire_page *old = lru->arrivals[lru->next_arrival];
    lru->arrivals[lru->next_arrival] = page;
    lru->next_arrival = (lru->next_arrival + 1) % QUIRE_LRU_ARRIVALS;
    lru->forgets--;
    if (old && (old->flags & QUIRE_PAGE_LRU)) {
        aging->hooks.used(aging->hooks.context, old);
    }
}

void quire_lru_add(struct quire *q, struct quire_page *page, uint32_t shadow) {
    struct quire_queues *lru = &q->phys->lru;
    struct quire_aging *aging = &lru->aging[quire_lru_kind_of(page)];
    CHECK(q, !(page->flags & QUIRE_PAGE_LRU));
    CHECK(q, page->use >= QUIRE_USE_ANON);
    page->policy = 0;
    aging->policy->insert(aging, page, shadow >> 1);
    if (__builtin_expect(shadow != 0, 0)) {
        count_refault(q, aging, page, shadow);
    }
    if (__builtin_expect(lru->forgets != 0, 0) && aging->policy->forget_arrival) {
        forget_arrival(lru, aging, page);
    }
}

void quire_lru_remove(struct quire *q, struct quire_page *page) {
    struct quire_aging *aging = &q->phys->lru.aging[quire_lru_kind_of(page)];
    CHECK(q, page->flags & QUIRE_PAGE_LRU);
    quire_aging_remove(aging, page);
}

void quire_lru_replace(struct quire *q, struct quire_page *old, struct quire_page *page) {
    struct quire_aging *aging = &q->phys->lru.aging[quire_lru_kind_of(old)];
    CHECK(q, (old->flags & QUIRE_PAGE_LRU) && !(page->flags & QUIRE_PAGE_LRU));
    CHECK(q, quire_lru_kind_of(page) == quire_lru_kind_of(old) && page->order == old->order);
    if (aging->policy->remove) {
        aging->policy->remove(aging, old);
    }
    const uint8_t flags = QUIRE_PAGE_LRU | QUIRE_PAGE_REFERENCED;
    page->policy = old->policy;
    page->flags |= old->flags & flags;
    old->flags &= (uint8_t)~flags;
    quire_list_add_after(&old->link, &page->link);
    quire_list_remove(&old->link);
}

bool quire_lru_is_active(const struct quire *q, const struct quire_page *page) {
    const struct quire_aging *aging = &q->phys->lru.aging[quire_lru_kind_of(page)];
    return aging->active >> quire_page_queue(page) & 1;
}

void quire_lru_cool(struct quire *q, struct quire_page *page) {
    struct quire_aging *aging = &q->phys->lru.aging[quire_lru_kind_of(page)];
    CHECK(q, page->flags & QUIRE_PAGE_LRU);
    aging->hooks.used(aging->hooks.context, page);
    page->flags &= (uint8_t)~QUIRE_PAGE_REFERENCED;
    if (aging->policy->cool) {
        aging->policy->cool(aging, page);
    } else {
        quire_aging_put(aging, page, 0, false);
    }
}

uint32_t quire_lru_evict(struct quire *q, struct quire_page *page) {
    struct quire_aging *aging = &q->phys->lru.aging[quire_lru_kind_of(page)];
    uint32_t shadow = aging->policy->evict ? aging->policy->evict(aging, page) : 0;
    bool workingset = (page->policy & WORKINGSET) || (aging->active >> quire_page_queue(page) & 1);
    CHECK(q, shadow <= QUIRE_SHADOW_MAX);
    quire_lru_remove(q, page);
    return shadow == 0 ? 0 : shadow << 1 | workingset;
}

uint64_t quire_lru_activated(const struct quire *q) {
    const struct quire_aging *aging = q->phys->lru.aging;
    return aging[QUIRE_LRU_ANON].activated + aging[QUIRE_LRU_FILE].activated;
}

uint64_t quire_lru_deactivated(const struct quire *q) {
    const struct quire_aging *aging = q->phys->lru.aging;
    return aging[QUIRE_LRU_ANON].deactivated + aging[QUIRE_LRU_FILE].deactivated;
}

uint64_t quire_lru_count_between(const struct quire *q, enum quire_lru list, uint32_t first,
                                 uint32_t end) {
    bool file = list == QUIRE_LRU_INACTIVE_FILE || list == QUIRE_LRU_ACTIVE_FILE;
    bool active = list == QUIRE_LRU_ACTIVE_ANON || list == QUIRE_LRU_ACTIVE_FILE;
    const struct quire_aging *aging = &q->phys->lru.aging[file ? QUIRE_LRU_FILE : QUIRE_LRU_ANON];
    uint64_t count = 0;
    for (unsigned queue = 0; queue < QUIRE_POLICY_QUEUES; queue++) {
        const struct quire_list *head = &aging->queue[queue], *link = head->next;
        for (; (aging->active >> queue & 1) == active && link != head; link = link->next) {
            const struct quire_page *page = QUIRE_CONTAINER(link, struct quire_page, link);
            uint32_t frame = quire_zone_frame(q->phys, page);
            count += frame >= first && frame < end ? span_of(page) : 0;
        }
    }
    return count;
}
