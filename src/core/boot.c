/* boot.c: the only bring-up order, and its reverse.
 *
 * Owns struct quire: it lies in the machine's own RAM like everything else, so it is the first
 * thing taken from the boot memory, before there is an allocator.
 *
 *     memblock (on our stack) ─▶ struct quire ─▶ page/ ─▶ kmem/ ─▶ swap/ ─▶ vm/ ─▶ reclaim/
 *                                                frames   objects  each needs only what is left
 *
 * I1. A room is brought up after all rooms that it calls, and taken down before them. When one
 *     fails, those before it are taken down and the machine's RAM is the machine's again: no trace
 *     is kept anywhere else.
 *
 * May fail: QUIRE_INVAL (configuration or RAM ranges), QUIRE_NOMEM (too little RAM). Each place
 * where memory can run out is met by tests/unit/boot.c, which boots with every size of RAM from one
 * page on.
 */
#include "base/check.h"
#include "kmem/area.h"
#include "kmem/slab.h"
#include "reclaim/reclaim.h"
#include "swap/swap.h"
#include "vm/vm.h"

#define THP_PRESENT_MAX  512 /* pages of a block */
#define PAGE_CLUSTER_MAX 6   /* 2^6 is QUIRE_RUN_MAX; Linux allows 31 and reads 64 pages at most */

static enum quire_status bring_up(struct quire *q, struct quire_memblock *memblock,
                                  const struct quire_config *config) {
    const struct quire_phys_config frames = {.min_free_pages = config->min_free_pages,
                                             .zone_ends = config->zone_ends,
                                             .reserve_bytes = config->reserve_bytes,
                                             .ncpus = config->ncpus};
    enum quire_status status = quire_phys_boot(q, memblock, &frames);
    if (status != QUIRE_OK) {
        return status;
    }
    if ((status = quire_kmem_boot(q, config->check_objects)) != QUIRE_OK) {
        goto undo_phys;
    }
    quire_area_show_at(q, config->kernel_area_va);
    if ((status = quire_swap_boot(q)) != QUIRE_OK) {
        goto undo_kmem;
    }
    if ((status = quire_vm_boot(q, config)) != QUIRE_OK) {
        goto undo_swap;
    }
    if ((status = quire_reclaim_boot(q, config)) != QUIRE_OK) {
        goto undo_vm;
    }
    return QUIRE_OK;

undo_vm:
    quire_vm_shutdown(q);
undo_swap:
    quire_swap_shutdown(q);
undo_kmem:
    quire_kmem_shutdown(q);
undo_phys:
    quire_phys_shutdown(q);
    return status;
}

enum quire_status quire_create(const struct quire_config *config, struct quire **out) {
    if (!config->machine || config->thp > QUIRE_THP_NEVER ||
        config->thp_min_present > THP_PRESENT_MAX || config->page_cluster > PAGE_CLUSTER_MAX ||
        (unsigned)config->overcommit > QUIRE_OVERCOMMIT_NEVER) {
        return QUIRE_INVAL;
    }
    struct quire_memblock memblock;
    enum quire_status status = quire_memblock_init(&memblock, config->machine);
    if (status != QUIRE_OK) {
        return status;
    }
    if (config->ram_limit_bytes > 0 &&
        quire_memblock_limit(&memblock, config->ram_limit_bytes) != QUIRE_OK) {
        return QUIRE_INVAL;
    }
    struct quire *q = quire_memblock_take(&memblock, sizeof *q, _Alignof(struct quire));
    if (!q) {
        return QUIRE_NOMEM;
    }
    q->machine = config->machine;
    status = bring_up(q, &memblock, config);
    if (status == QUIRE_OK) {
        struct quire_overcommit overcommit = {.mode = config->overcommit};
        status = quire_set_overcommit(q, &overcommit);
        *out = q;
    }
    return status;
}

void quire_destroy(struct quire *q) {
    quire_reclaim_shutdown(q); /* I1 */
    quire_vm_shutdown(q);
    quire_swap_shutdown(q);
    quire_kmem_shutdown(q);
    quire_phys_shutdown(q);
}

/* ---- test switches ----------------------------------------------------------------------------
 */

void quire_fail_every(struct quire *q, uint64_t nth) {
    q->fail_every = nth;
    q->fail_count = q->fail_asked = 0;
    q->fail_first = q->fail_length = 0;
    q->fail_one_in = 0;
    quire_kmem_guard(q);
    quire_page_set_failing(q, nth > 0);
}

void quire_fail_random(struct quire *q, uint32_t one_in, uint64_t seed) {
    quire_fail_every(q, UINT64_MAX);
    q->fail_one_in = one_in;
    q->fail_seed = seed;
}

void quire_fail_range(struct quire *q, uint64_t first, uint64_t count) {
    quire_fail_every(q, UINT64_MAX);
    q->fail_first = first;
    q->fail_length = count;
}

uint64_t quire_fail_asked(const struct quire *q) {
    return q->fail_asked;
}
