/* kswapd.c: background reclaim, so that programs find frames free when they need them.
 *
 * Owns the hysteresis between two watermarks; there is no thread, the machine's tick lends its
 * time.
 *
 *     free:  high ── rest ─────────────────────────╮   ╭── rest
 *                                                   ╲ ╱
 *            low  ───────────── wake ────────────────╳── work, a batch a tick, up to high
 *            min  ───────────── programs reclaim by themselves (direct.c) ──────────────
 *
 * I1. A tick does at most one batch: the time a tick takes is bounded.
 * I2. After sixteen batches in a row that freed nothing it gives up (Linux: MAX_RECLAIM_RETRIES in
 *     mm/internal.h) until direct reclaim succeeds or memory becomes free by itself: an impossible
 *     goal must not burn the machine's time in every tick.
 * I3. Who can use only low zones and found them low (page/zone.c notes it) is worked for when the
 *     rest is well, in those zones, until they are at high or a batch freed nothing: his next
 *     request asks again.
 *
 * Never fails. Called by core/trap.c only. Traced as TICK when it works.
 */
#include "reclaim/scan.h"

/* Pages a tick: a few clusters. Ticks come every millisecond; a device that writes a page in 20
 * microseconds can do no more than 50 in that time, and one much faster is helped by direct
 * reclaim. */
#define BATCH_PAGES (4 * RECLAIM_CLUSTER)

#define FAILURES_MAX 16

/* Zones are balanced together, as on Linux: it is enough that one of them, which any program's
 * request may use, is above the mark. */
static bool is_low(const struct quire *q) {
    return q->reclaim->failures < FAILURES_MAX && /* I2 */
           quire_page_shortfall(q, q->reclaim->background ? QUIRE_WMARK_HIGH : QUIRE_WMARK_LOW) > 0;
}

bool quire_reclaim_wanted(const struct quire *q) {
    return is_low(q) || quire_page_wanted_zone(q) < QUIRE_NZONES;
}

/* Towards high, a batch at most (I1). Returns the frames freed. */
static uint64_t batch(struct quire *q, unsigned highest) {
    uint64_t missing = quire_page_shortfall_below(q, QUIRE_WMARK_HIGH, highest);
    uint64_t target = missing < BATCH_PAGES ? missing : BATCH_PAGES;
    quire_trace(&q->trace, QUIRE_EVENT_TICK, quire_page_count(q, QUIRE_USE_FREE), target);
    return quire_scan_shrink(q, target, highest, true);
}

static void balance_all(struct quire *q) {
    struct quire_reclaim *reclaim = q->reclaim;
    reclaim->background = true;
    if (batch(q, quire_page_top_zone(q)) > 0) {
        reclaim->failures = 0;
    } else {
        reclaim->failures++;
    }
    if (quire_page_shortfall(q, QUIRE_WMARK_HIGH) == 0) {
        reclaim->background = false;
    }
}

/* I3 */
static void balance_low(struct quire *q) {
    unsigned highest = quire_page_wanted_zone(q);
    if (quire_page_shortfall_below(q, QUIRE_WMARK_HIGH, highest) == 0 || batch(q, highest) == 0 ||
        quire_page_shortfall_below(q, QUIRE_WMARK_HIGH, highest) == 0) {
        quire_page_forget_zone(q);
    }
}

void quire_reclaim_background(struct quire *q) {
    if (quire_page_shortfall(q, QUIRE_WMARK_LOW) == 0) {
        q->reclaim->failures = 0; /* I2 */
    }
    if (is_low(q)) {
        balance_all(q);
        return;
    }
    q->reclaim->background = false;
    if (quire_page_wanted_zone(q) < QUIRE_NZONES) {
        balance_low(q);
    }
}
