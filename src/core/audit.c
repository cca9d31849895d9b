/* audit.c: recount everything and compare with what is counted fast.
 *
 * Owns no state. Each room recounts itself; what no single room can see is compared here:
 *
 *     vm/ slots held by anons  ══  swap/ slots taken
 *     vm/ tables of all spaces ══  page/ frames in use as tables
 *     sum of all uses          ══  total          (usage.c, I1)
 *     LRU lists                ══  at most the frames in use as anon, shmem, file
 *
 * Panics at the first difference. O(frames + regions + pages mapped). Called by tests after every
 * step, and by whoever suspects.
 */
#include "base/check.h"
#include "kmem/slab.h"
#include "page/lru.h"
#include "swap/swap.h"
#include "vm/vm.h"

static void audit_usage(struct quire *q) {
    struct quire_usage usage;
    quire_usage(q, &usage);
    CHECK(q, usage.free + usage.anon + usage.file + usage.shmem + usage.page_tables + usage.slab +
                     usage.kernel ==
                 usage.total);
    CHECK(q, usage.active_anon + usage.inactive_anon <= usage.anon + usage.shmem);
    CHECK(q, usage.active_file + usage.inactive_file <= usage.file);
    CHECK(q, usage.anon_huge <= usage.anon);
    CHECK(q, usage.swap_free <= usage.swap_total);
    CHECK(q, usage.watermark_min <= usage.watermark_low);
    CHECK(q, usage.watermark_low <= usage.watermark_high);
}

static void audit_spaces(struct quire *q) {
    uint64_t tables = 0;
    struct quire_space *space = NULL;
    while ((space = quire_vm_next_space(q, space)) != NULL) {
        struct quire_space_usage usage;
        quire_space_usage(space, &usage);
        tables += usage.page_tables;
    }
    CHECK(q, tables == quire_page_count(q, QUIRE_USE_TABLE));
}

void quire_audit(struct quire *q) {
    uint64_t slots_held = 0;
    quire_phys_audit(q);
    quire_kmem_audit(q);
    quire_vm_audit(q, &slots_held);
    quire_swap_audit(q, slots_held);
    audit_usage(q);
    audit_spaces(q);
}
