/* direct.c: reclaim by the one who needs memory.
 *
 * Owns nothing but the target. An allocation found no frame above `min`: kswapd did not keep up,
 * and the program that allocates pays by itself, a cluster of pages at a time so that its next
 * allocations are free of it. Counted in allocstall, timed in
 * stall_ns (base/stall.h). Never fails: 0 says that nothing can be had,
 * after a full and forced scan (scan.c, I2); the caller then asks oom.c.
 */
#include "base/stall.h"
#include "reclaim/scan.h"

uint64_t quire_reclaim_direct(struct quire *q, unsigned highest) {
    uint64_t began = quire_stall_begin(q);
    q->counters.allocstall++;
    uint64_t freed = quire_scan_shrink(q, RECLAIM_CLUSTER, highest, false);
    if (freed > 0) {
        q->reclaim->failures = 0; /* kswapd may try again */
    }
    quire_stall_end(q, began);
    return freed;
}
