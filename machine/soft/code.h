/* code.h: the cache of decoded instructions of one space. The theory is in code.c. */
#ifndef QUIRE_SOFT_CODE_H
#define QUIRE_SOFT_CODE_H

#include "cpu.h"

/* Instructions of a block at most. Longer ones gain nothing (an exit costs about one instruction)
 * and decode more that never runs; an operation takes at most three slots, and index has 8 bits. */
#define BLOCK_INSNS 64
#define BLOCK_SLOTS (3 * BLOCK_INSNS + 3)

struct code_page {
    uint64_t va;
    struct code_page *next; /* in the hash chain */
    struct block *blocks;   /* all that have an instruction, or half of one, in this page */
    bool stale;             /* fetch again before use */
    uint8_t bytes[QUIRE_PAGE_SIZE];
};

struct block {
    uint64_t pc;
    struct block *next;             /* in the hash chain */
    struct code_page *page[2];      /* [1]: where a crossing instruction ends, or NULL */
    struct block *next_in_page[2];
    op_fn *entry;                   /* ops[0].fn, while that is quire_cpu_stale */
    op_fn *plain;                   /* the interpreter's entry */
    const uint8_t *kinds;           /* of ops, behind their end */
    uint32_t runs;                  /* until it is translated */
    uint8_t nops;                   /* before the stubs */
    uint8_t *host;                  /* where other blocks' host code enters; NULL: not translated */
    uint8_t *flag;                  /* there: 0 if ops[0].fn is entry, 1 if it was swapped */
    bool dead;                      /* its bytes changed: nobody finds it any more */
    struct op ops[];
};

#define CODE_PAGES  256
#define CODE_BLOCKS 4096

struct code_chunk; /* memory of blocks and pages, freed all at once */

struct code {
    struct code *next; /* of the same machine */
    struct jump jumps[JUMP_SLOTS];
    struct code_page *pages[CODE_PAGES];
    struct block *blocks[CODE_BLOCKS];
    struct code_chunk *chunks;
    uint64_t generation; /* how often everything was thrown away */
};

static inline struct block *op_block(const struct op *o) {
    uintptr_t ops = (uintptr_t)(o - o->index);
    return (struct block *)(ops - offsetof(struct block, ops));
}

/* The code of the run's pmap, made if it has none. NULL: the host has no memory. */
struct code *quire_code_of(struct quire_pmap *pmap);

/* The first operation at pc, decoded now if need be; NULL: the fetch failed, and the run's trap
 * says how. May throw away every block of the machine: operations held from before are invalid if
 * the code's generation has changed. => the counters have been told. */
struct op *quire_code_find(struct run *r, uint64_t pc);

#endif
