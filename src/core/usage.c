/* usage.c: what happened, and where the memory is now. Read-only.
 *
 * Owns no state: gathers what the rooms count. One place, so that the sum can be checked against
 * the whole (quire_audit does) and every view shows the same numbers.
 *
 * I1. free + anon + file + shmem + page_tables + slab + kernel = total, always.
 *
 * Cannot fail. O(areas). Called by views, os/ and tests.
 */
#include "page/lru.h"
#include "swap/swap.h"
#include "vm/vm.h"

/* Frames are counted by use, so that the paths that take and give them need not count twice. */
const struct quire_counters *quire_counters(const struct quire *q) {
    struct quire_counters *counters = &((struct quire *)q)->counters; /* q is no constant object */
    quire_page_traffic(q, &counters->pgalloc, &counters->pgfree);
    return counters;
}

uint64_t quire_trace_hash(const struct quire *q) {
    return q->trace.hash;
}

/* MemAvailable as Linux estimates it (si_mem_available in mm/show_mem.c): what is free above the
 * reserve, and the file pages, of which half or `low`, whichever is less, should stay for use. */
static uint64_t available(const struct quire_usage *usage) {
    uint64_t cache = usage->active_file + usage->inactive_file;
    uint64_t stays = cache / 2 < usage->watermark_low ? cache / 2 : usage->watermark_low;
    uint64_t sum = usage->free + cache - stays;
    return sum > usage->watermark_high ? sum - usage->watermark_high : 0;
}

void quire_usage(const struct quire *q, struct quire_usage *usage) {
    *usage = (struct quire_usage){
        .total = quire_page_total(q),
        .free = quire_page_count(q, QUIRE_USE_FREE),
        .anon = quire_page_count(q, QUIRE_USE_ANON),
        .anon_huge = quire_vm_huge_pages(q),
        .file = quire_page_count(q, QUIRE_USE_FILE),
        .shmem = quire_page_count(q, QUIRE_USE_SHMEM),
        .page_tables = quire_page_count(q, QUIRE_USE_TABLE),
        .slab = quire_page_count(q, QUIRE_USE_SLAB),
        .kernel = quire_page_count(q, QUIRE_USE_KERNEL) + quire_page_count(q, QUIRE_USE_RESERVED),
        .active_anon = quire_lru_count(q, QUIRE_LRU_ACTIVE_ANON),
        .inactive_anon = quire_lru_count(q, QUIRE_LRU_INACTIVE_ANON),
        .active_file = quire_lru_count(q, QUIRE_LRU_ACTIVE_FILE),
        .inactive_file = quire_lru_count(q, QUIRE_LRU_INACTIVE_FILE),
        .dirty = quire_vm_dirty(q),
        .swap_total = quire_swap_total(q),
        .swap_free = quire_swap_free(q),
        .zswap = quire_swap_store_frames(q),
        .zswapped = quire_swap_stored(q),
        .committed = quire_vm_committed(q),
        .commit_limit = quire_vm_commit_limit(q),
        .mlocked = quire_vm_mlocked(q),
        .watermark_min = quire_page_watermark(q, QUIRE_WMARK_MIN),
        .watermark_low = quire_page_watermark(q, QUIRE_WMARK_LOW),
        .watermark_high = quire_page_watermark(q, QUIRE_WMARK_HIGH),
        .peak_demand = quire_vm_peak_demand(q),
    };
    usage->available = available(usage);
}
