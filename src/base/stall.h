/* stall.h: how long programs wait for memory. Whoever makes one wait says so where it waits.
 *
 * What counts is Linux's (psi_memstall_enter): reclaim done by the one who needs the frame,
 * swap-in, and reading a file page back that had been of the working set. Background work is no
 * wait, and the first read of a file is not memory's fault. Waits do not overlap and do not nest:
 * the manager does one thing at a time.
 */
#ifndef QUIRE_BASE_STALL_H
#define QUIRE_BASE_STALL_H

#include <quire/machine.h>

#include "base/system.h"

static inline uint64_t quire_stall_begin(const struct quire *q) {
    return quire_mach_now_ns(q->machine);
}

static inline void quire_stall_end(struct quire *q, uint64_t began_ns) {
    uint64_t waited = quire_mach_now_ns(q->machine) - began_ns;
    q->counters.stall_ns += waited;
    q->untold_stall_ns += waited;
}

#endif
