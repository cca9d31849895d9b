/* uaccess.c: copies between the kernel and a program's memory (copy_from_user, copy_to_user).
 *
 * Owns no state. The kernel does not run on the program's page tables here (it may not even run on
 * the same processor), so each page is looked up and reached through the direct map:
 *
 *     va ─▶ quire_vm_frame_at ── yes ─▶ window + offset ─▶ memcpy up to the page's end ─▶ next page
 *              ▲      └── no ─▶ quire_fault (reads in, copies on write, marks dirty, may evict) ─┐
 *              └─────────────────────────────────────────────────────────────────────────────────┘
 *
 * I1. Between the answer of quire_vm_frame_at and the end of the memcpy nothing else runs, so the
 *     frame cannot be evicted or given away under the copy. No frame is remembered over a fault.
 * I2. A write goes only to a frame that is the space's own and already marked dirty: that is what
 *     frame_at demands for QUIRE_ACCESS_WRITE, as the program's own store would.
 *
 * Returns what could not be copied; whole pages before the failing one are copied, and of that page
 * nothing. Called by os/ for every system call with a buffer.
 */
#include "base/check.h"
#include "core/retry.h"
#include "vm/vm.h"

/* The kernel's address of a byte of the space, NULL if the program may not do that access. */
static char *reach(struct quire_space *space, quire_vaddr va, enum quire_access access,
                   bool forced) {
    struct quire *q = quire_space_system(space);
    quire_frame frame;
    if (!quire_vm_frame_at(space, va, access, forced, &frame)) {
        enum quire_status status =
            forced ? quire_fault_forced(space, va) : quire_fault(space, va, access);
        if (status != QUIRE_OK) {
            return NULL;
        }
        bool found = quire_vm_frame_at(space, va, access, forced, &frame);
        CHECK(q, found);
    }
    char *window = quire_mach_window(q->machine, frame);
    return window + (va.value & QUIRE_PAGE_MASK);
}

/* Bytes from va on that lie in its page, at most nbytes. */
static size_t within_page(quire_vaddr va, size_t nbytes) {
    uint64_t left = QUIRE_PAGE_SIZE - (va.value & QUIRE_PAGE_MASK);
    return nbytes < left ? nbytes : (size_t)left;
}

size_t quire_copy_in(struct quire_space *space, void *to, quire_vaddr from, size_t nbytes) {
    char *kernel = to;
    while (nbytes > 0) {
        size_t part = within_page(from, nbytes);
        const char *user = reach(space, from, QUIRE_ACCESS_READ, false);
        if (!user) {
            break;
        }
        __builtin_memcpy(kernel, user, part); /* I1 */
        kernel += part;
        from.value += part;
        nbytes -= part;
    }
    return nbytes;
}

static size_t copy_to(struct quire_space *space, quire_vaddr to, const char *kernel, size_t nbytes,
                      bool forced) {
    while (nbytes > 0) {
        size_t part = within_page(to, nbytes);
        char *user = reach(space, to, QUIRE_ACCESS_WRITE, forced); /* I2 */
        if (!user) {
            break;
        }
        __builtin_memcpy(user, kernel, part); /* I1 */
        kernel += part;
        to.value += part;
        nbytes -= part;
    }
    return nbytes;
}

size_t quire_copy_out(struct quire_space *space, quire_vaddr to, const void *from, size_t nbytes) {
    return copy_to(space, to, from, nbytes, false);
}

size_t quire_copy_force(struct quire_space *space, quire_vaddr to, const void *from,
                        size_t nbytes) {
    return copy_to(space, to, from, nbytes, true);
}
