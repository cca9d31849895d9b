/* boot.c: the room's beginning and end: its state, the policy's state, the table of shadows.
 *
 * Owns struct quire_reclaim. A policy comes from the configuration, perhaps from an embedder, so it
 * is looked at before it is let near a page.
 *
 * May fail: QUIRE_INVAL for a swappiness or a policy out of range, QUIRE_NOMEM; then all is as it
 * was before. That the table of shadows finds less memory than it wants is no failure. Called by
 * core/boot.c.
 */
#include <quire/kmem.h>

#include "page/lru.h"
#include "reclaim/scan.h"

#define SWAPPINESS_MAX  200 /* as Linux since 5.8 */
#define STATE_BYTES_MAX 131072
#define POLICY_DEFAULT  0 /* in quire_policy_at's order */

static bool used(void *context, struct quire_page *page) {
    return quire_vm_harvest(context, page);
}

static bool is_text(void *context, const struct quire_page *page) {
    (void)context;
    return quire_vm_is_text(page);
}

static bool is_usable(const struct quire_policy *policy) {
    return policy->name && policy->insert && policy->victim && policy->nqueues > 0 &&
           policy->nqueues <= QUIRE_POLICY_QUEUES && policy->active >> policy->nqueues == 0 &&
           policy->state_bytes <= STATE_BYTES_MAX;
}

static enum quire_status make_states(struct quire *q, const struct quire_policy *policy) {
    void **states = q->reclaim->policy_state;
    for (unsigned kind = 0; policy->state_bytes > 0 && kind < QUIRE_LRU_KINDS; kind++) {
        states[kind] = quire_kzalloc(q, policy->state_bytes);
        if (!states[kind]) {
            return QUIRE_NOMEM;
        }
    }
    return QUIRE_OK;
}

enum quire_status quire_reclaim_boot(struct quire *q, const struct quire_config *config) {
    const struct quire_policy *policy =
        config->policy ? config->policy : quire_policy_at(POLICY_DEFAULT);
    if (config->swappiness > SWAPPINESS_MAX || !is_usable(policy)) {
        return QUIRE_INVAL;
    }
    q->reclaim = quire_kzalloc(q, sizeof *q->reclaim);
    if (!q->reclaim) {
        return QUIRE_NOMEM;
    }
    q->reclaim->swappiness = config->swappiness;
    if (make_states(q, policy) != QUIRE_OK) {
        quire_reclaim_shutdown(q);
        return QUIRE_NOMEM;
    }
    const struct quire_aging_hooks hooks = {used, is_text, q};
    quire_lru_start(q, policy, q->reclaim->policy_state, &hooks);
    quire_shadow_start(q);
    quire_reclaim_psi_start(q);
    return QUIRE_OK;
}

void quire_reclaim_shutdown(struct quire *q) {
    quire_shadow_stop(q);
    for (unsigned kind = 0; kind < QUIRE_LRU_KINDS; kind++) {
        quire_kfree(q, q->reclaim->policy_state[kind]);
    }
    quire_kfree(q, q->reclaim);
    q->reclaim = NULL;
}
