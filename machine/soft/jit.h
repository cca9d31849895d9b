/* jit.h: host code for blocks that run often. jit_x86.c has the theory; on hosts without a
 * translator jit_none.c says no to everything, and the interpreter does the work alone.
 * Internal to machine/soft.
 */
#ifndef QUIRE_SOFT_JIT_H
#define QUIRE_SOFT_JIT_H

#include "code.h"

/* How often a block is interpreted before it is translated, if the configuration doesn't say: most
 * blocks of a program's start run less often than this, and translating costs about as much as
 * interpreting a block a hundred times. */
#define TRANSLATE_AFTER 24

/* Make the machine's memory for host code, unless it has it. false: interpret. */
bool quire_jit_open(struct quire_machine *machine);
void quire_jit_close(struct quire_machine *machine);

/* All host code may go: no block has any. => none is running */
void quire_jit_reset(struct quire_machine *machine);

/* The memory is full: time for a reset. */
bool quire_jit_full(const struct quire_machine *machine);

/* Host code for the block: what block->entry shall be, NULL if there is no room. The handlers of
 * some operations in its middle become host code too.
 * => the block is alive, and none of its pages is stale */
op_fn *quire_jit_translate(struct quire_machine *machine, struct block *block);

/* Let the jump at site go to target's host code from now on, if it has any. */
void quire_jit_link(uint8_t *site, const struct op *target);

/* Call o's handler, and keep the host's registers that host code uses. */
void quire_jit_run(struct op *o, struct run *r, struct tlb *tlb, op_fn *first);

/* cpu.c: an exit of host code whose jump is at site: go along o's link, and let the jump do that
 * itself the next time. The exit has counted. */
void quire_cpu_exit(struct op *o, struct run *r, struct tlb *tlb, uint8_t *site);

#endif
