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
    uint64_t fail_every, fail_count; /* quire_fail_every */
};

#endif
