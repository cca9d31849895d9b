/* alloc.h: blocks, with the lock held: what heap.c stands on. */
#ifndef HEAP_ALLOC_H
#define HEAP_ALLOC_H

#include "heap/classic/classic.h"

/* A block, 0 if refused; from *clean on it is zeros. align: a power of two from 16 on; both below
 * REQUEST_MAX. */
uint64_t heap_take_block(struct quire_heap *heap, uint64_t align, uint64_t bytes, uint64_t *clean);

/* block is one of the heap's: heap_sound has said so. */
void heap_free_block(struct quire_heap *heap, uint64_t block);
uint64_t heap_resize_block(struct quire_heap *heap, uint64_t block, uint64_t bytes);

#endif
