/* trap.c: the two doors through which a machine enters: a fault and a tick.
 *
 * Owns the outermost loop: vm/ resolves a fault or says why not, and never waits or reclaims; all
 * waiting, reclaiming and killing happens here, with no work half done below. That is the cure of
 * the knot allocator → reclaim → vm → allocator (UVM's fault routine taught it).
 *
 *     quire_fault ─▶ quire_vm_fault ─┬─ OK, FAULT, DENIED, BUS, KILLED ──▶ the machine
 *           ▲                        ├─ RESTART ─────────────────────────┐
 *           │                        └─ NOMEM ─▶ direct reclaim ─ freed ─┤
 *           │                                        │ nothing           │
 *           │                                        └─▶ OOM kill ───────┤
 *           └────────────────────────────────────────────────────────────┘
 *
 * I1. The loop ends: a try follows only a change of the world (a restart) or memory freed; each
 *     kill frees a whole program and there are finitely many; when the tries of RETRIES_MAX are
 *     used up although memory was freed each time, that counts as nothing freed.
 * I2. The space may be the victim, or even be gone when the killer returns: after a kill nothing of
 *     it is touched before it was found again among the living.
 *
 * Answers: never NOMEM or RESTART. With nobody left to kill, QUIRE_BUS: the program's bytes cannot
 * be had. Called by machines and, for the kernel's own copies, by uaccess.c.
 */
#include <quire/quire.h>

#include "core/retry.h"
#include "kmem/slab.h"
#include "reclaim/reclaim.h"
#include "vm/vm.h"

bool quire_retry_nomem(struct quire *q, struct retry *retry) {
    if (retry->attempts >= RETRIES_MAX) {
        return false;
    }
    unsigned order = quire_page_failed_order(q), zone = quire_page_failed_zone(q);
    if (order > 0 && quire_compact_direct(q, order, zone)) { /* enough was free, but not together */
        retry->attempts++;
        return true;
    }
    uint64_t freed = 0;
    for (uint64_t rounds = (uint64_t)1 << retry->attempts; rounds > 0; rounds--) {
        uint64_t more = quire_reclaim_direct(q, zone);
        freed += more;
        if (more == 0) {
            break;
        }
    }
    retry->attempts++;
    quire_vm_charge_stall(q, retry->payer);
    /* Above min an allocation is refused only by a test (quire_fail_every): that passes. */
    return freed > 0 || quire_page_is_above_min(q, zone);
}

/* => space was valid before the kill. */
static bool is_alive(struct quire *q, const struct quire_space *wanted) {
    struct quire_space *space = NULL;
    while ((space = quire_vm_next_space(q, space)) != NULL) {
        if (space == wanted) {
            return !quire_vm_is_killed(space);
        }
    }
    return false;
}

static enum quire_status fault_once(struct quire_space *space, quire_vaddr va,
                                    enum quire_access access, bool forced) {
    return forced ? quire_vm_fault_force(space, va) : quire_vm_fault(space, va, access);
}

/* Out of line: most faults need no second try. status: the first one's, RESTART or NOMEM. */
static __attribute__((noinline)) enum quire_status
try_again(struct quire_space *space, quire_vaddr va, enum quire_access access, bool forced,
          bool may_kill, enum quire_status status) {
    struct quire *q = quire_space_system(space);
    struct retry retry = {.payer = space};
    for (;; status = fault_once(space, va, access, forced)) {
        if (status == QUIRE_RESTART) {
            continue;
        }
        if (status != QUIRE_NOMEM) {
            return status;
        }
        if (quire_retry_nomem(q, &retry)) { /* I1 */
            continue;
        }
        if (!may_kill) {
            return QUIRE_NOMEM;
        }
        if (!quire_reclaim_oom(q)) {
            return QUIRE_BUS;
        }
        if (!is_alive(q, space)) { /* I2 */
            return QUIRE_KILLED;
        }
        retry = (struct retry){.payer = space};
    }
}

static inline enum quire_status fault_loop(struct quire_space *space, quire_vaddr va,
                                           enum quire_access access, bool forced, bool may_kill) {
    enum quire_status status = fault_once(space, va, access, forced);
    if (__builtin_expect(status == QUIRE_RESTART || status == QUIRE_NOMEM, 0)) {
        return try_again(space, va, access, forced, may_kill, status);
    }
    return status;
}

enum quire_status quire_fault(struct quire_space *space, quire_vaddr va, enum quire_access access) {
    return fault_loop(space, va, access, false, true);
}

enum quire_status quire_fault_try(struct quire_space *space, quire_vaddr va,
                                  enum quire_access access) {
    return fault_loop(space, va, access, false, false);
}

enum quire_status quire_fault_forced(struct quire_space *space, quire_vaddr va) {
    return fault_loop(space, va, QUIRE_ACCESS_WRITE, true, true);
}

void quire_tick(struct quire *q) {
    quire_reclaim_psi_tick(q);
    quire_reclaim_background(q);
    quire_vm_flush(q);
    quire_compact_background(q);
    quire_vm_collapse(q);
    quire_kmem_tick(q);
}

bool quire_wants_tick(const struct quire *q) {
    return quire_reclaim_wanted(q) || quire_vm_flush_wanted(q);
}
