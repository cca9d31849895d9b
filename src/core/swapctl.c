/* swapctl.c: swapon and swapoff.
 *
 * Owns no state; joins swap/ (which area) with vm/ (whose pages lie there) and reclaim/ (room for
 * them).
 *
 *     swapoff:  drain ─▶ swap_back ─┬─ OK ─▶ drop ─▶ gone
 *     (no new      ▲                ├─ NOMEM ─▶ reclaim: other areas, files ─┐
 *      slots)      │                └─ IO ─▶ in use as before                │
 *                  └──────────────────────────────────────────────────────────┘
 *
 * I1. Nothing is lost: an area goes only when no slot of it is taken, and a failure at any point
 *     leaves it in use with what is still on it.
 * I2. The loop ends: draining, no slot of the area is taken anew, so pages that lie there only
 *     become fewer; a try that brought none back counts towards RETRIES_MAX.
 *
 * May fail: as quire.h says, and swapoff also with QUIRE_INVAL (not in use) and QUIRE_IO (a page on
 * it cannot be read). No program is killed for a swapoff.
 */
#include "base/check.h"
#include "core/retry.h"
#include "swap/swap.h"
#include "vm/vm.h"

enum quire_status quire_swapon_file(struct quire *q, unsigned device, int priority,
                                    const char *name) {
    enum quire_status status;
    WITH_MEMORY(q, NULL, status, quire_swap_add(q, device, priority, name));
    return status;
}

enum quire_status quire_swapon(struct quire *q, unsigned device, int priority) {
    return quire_swapon_file(q, device, priority, NULL);
}

enum quire_status quire_zswap(struct quire *q, enum quire_zswap method, unsigned percent) {
    enum quire_status status;
    WITH_MEMORY(q, NULL, status, quire_swap_set_store(q, method, percent));
    return status;
}

/* swap_back begins anew at each try, so a try should be worth it: 2^5 clusters of 32 pages are
 * reclaimed for each, and not only what the next page needs. */
#define FIRST_ATTEMPT 5

static bool area_on(const struct quire *q, unsigned device, struct quire_swap_info *info) {
    for (unsigned i = 0; quire_swap_area(q, i, info); i++) {
        if (info->device == device) {
            return true;
        }
    }
    return false;
}

enum quire_status quire_swapoff(struct quire *q, unsigned device) {
    struct quire_swap_info area;
    if (!area_on(q, device, &area)) {
        return QUIRE_INVAL;
    }
    struct retry retry = {.attempts = FIRST_ATTEMPT};
    enum quire_status status;
    quire_swap_drain(q, device, true);
    for (;;) {
        uint64_t used_before = area.used;
        status = quire_vm_swap_back(q, device);
        if (status != QUIRE_NOMEM) {
            break;
        }
        area_on(q, device, &area);
        if (area.used < used_before) {
            retry = (struct retry){.attempts = FIRST_ATTEMPT}; /* I2 */
        }
        if (!quire_retry_nomem(q, &retry)) {
            break;
        }
    }
    if (status == QUIRE_OK) {
        status = quire_swap_drop(q, device); /* I1 */
        CHECK(q, status == QUIRE_OK);
        return QUIRE_OK;
    }
    quire_swap_drain(q, device, false);
    return status;
}
