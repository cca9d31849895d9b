/* jit_x86_arena.c: the memory of host code.
 *
 *     | flags, a byte a block | block | block | block |    free    |
 *                                                     ^ used
 *
 * One arena a machine, made at its first run, filled from the left and emptied at once: when the
 * blocks go, or when it is full (code.c). It lies near our own code, so that jumps to handlers are
 * direct.
 *
 * The arena is writable and executable at once. Two mappings of the same memory would not be, but
 * then each change of a jump needs a serialising instruction. If the host refuses such memory, the
 * machine interprets; it is not asked again. No address of host code ever reaches the guest, and a
 * store of the guest reaches simulated RAM only.
 *
 * Invariants:
 *   I1  A reset happens only while no host code runs, and no block has any afterwards.
 *
 * What may fail: the host's memory. Called by cpu.c, code.c and soft.c; audited with jit_x86.c.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "jit_arena.h"

bool quire_jit_open(struct quire_machine *machine) {
    if (machine->jit)
        return machine->jit->arena != NULL;
    struct quire_jit *jit = calloc(1, sizeof(*jit));
    if (!jit)
        return false;
    machine->jit = jit;
    /* Near our own code, so that jumps to handlers are direct; only a wish. */
    uintptr_t wish = ((uintptr_t)quire_cpu_exit & ~(uintptr_t)QUIRE_PAGE_MASK) - 4 * ARENA_BYTES;
    void *arena = mmap((void *)wish, ARENA_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (arena == MAP_FAILED)
        return false;
    jit->arena = arena;
    quire_jit_reset(machine);
    return true;
}

void quire_jit_close(struct quire_machine *machine) {
    struct quire_jit *jit = machine->jit;
    if (jit && jit->arena)
        munmap(jit->arena, ARENA_BYTES);
    free(jit);
    machine->jit = NULL;
}

void quire_jit_reset(struct quire_machine *machine) {
    struct quire_jit *jit = machine->jit;
    if (!jit)
        return;
    jit->used = FLAG_BYTES;
    jit->flags = 0;
    jit->full = false;
}

bool quire_jit_full(const struct quire_machine *machine) {
    return machine->jit && machine->jit->full;
}
