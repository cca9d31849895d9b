/* jit_arena.h: the memory of host code, shared by jit_x86.c and jit_x86_arena.c. */
#ifndef QUIRE_SOFT_JIT_ARENA_H
#define QUIRE_SOFT_JIT_ARENA_H

#include "jit.h"

/* Host code of one machine: about 130 bytes an operation, so this is half a million of them, all
 * run often. The host commits what is touched. */
#define ARENA_BYTES (UINT64_C(64) << 20)
/* Its beginning: one byte a block. */
#define FLAG_BYTES  (UINT64_C(1) << 18)

struct quire_jit {
    uint8_t *arena;        /* NULL: the host refused */
    uint64_t used, flags;  /* bytes from the beginning: of code, of flags */
    bool full;
};

#endif
