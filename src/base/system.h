/* system.h: one memory manager, as a struct of its rooms' states.
 *
 * No room sees into another's state: each struct below is defined in the room that owns it.
 * Bring-up order is core/boot.c's; teardown is the reverse.
 */
#ifndef QUIRE_BASE_SYSTEM_H
#define QUIRE_BASE_SYSTEM_H

#include <quire/quire.h>

#include "base/trace.h"

struct quire {
    struct quire_machine *machine;
    struct quire_phys *phys;       /* page/  frames, zones, LRU lists */
    struct quire_kmem *kmem;       /* kmem/  object caches */
    struct quire_swap *swap;       /* swap/  areas and slots */
    struct quire_vm *vm;           /* vm/    spaces, objects, the zero page */
    struct quire_reclaim *reclaim; /* reclaim/ */
    struct quire_counters counters;
    struct quire_trace trace;
    uint64_t untold_stall_ns; /* of counters.stall_ns: no space was charged with it yet */
    /* The test switches quire_fail_...: every 0: all are off, UINT64_MAX: another one is on. */
    uint64_t fail_every, fail_count;
    uint64_t fail_asked, fail_first, fail_length, fail_seed;
    uint32_t fail_one_in;
};

#endif
