/* alloc.c: blocks of the classic heap: had, freed, made longer and shorter.
 *
 * A request takes, in this order: a free chunk that fits (what is too much is split off); a mapping
 * of its own, if it is large; the start of the top, which grows if it is too short. (glibc asks the
 * top before it maps: whether a large block is mapped depends on what the top has left then. Here
 * it does not.) A freed chunk is joined with free neighbours at once: the one behind begins where
 * it ends, the one before is found by the length in its own header.
 *
 * Each function is entered with the lock held and a heap that is alive; heap.c sees to both.
 */
#include "heap/classic/alloc.h"

static void count_used(struct quire_heap *heap, uint64_t bytes) {
    heap->used_bytes += bytes;
    heap->used_blocks++;
}

/* Cut the used chunk after `need` bytes, and release the rest, if it can be a chunk. */
static void split(struct quire_heap *heap, uint64_t chunk, uint64_t bytes, uint64_t need) {
    if (bytes - need >= CHUNK_MIN) {
        chunk_set(heap, chunk, need, CHUNK_USED);
        put(heap, chunk + need + 8, (bytes - need) | CHUNK_USED);
        heap_release(heap, chunk + need, bytes - need);
    }
}

static uint64_t cut_top(struct quire_heap *heap, uint64_t need) {
    uint64_t chunk = heap->top;

    chunk_set(heap, chunk, need, CHUNK_USED);
    heap_set_top(heap, chunk + need, heap->top_bytes - need);
    return chunk;
}

void heap_release(struct quire_heap *heap, uint64_t chunk, uint64_t bytes) {
    uint64_t before = chunk_before(heap, chunk);

    if (before != 0 && !chunk_used(heap, chunk - before)) {
        heap_list_remove(heap, chunk - before, before);
        chunk -= before;
        bytes += before;
    }
    if (chunk + bytes == heap->top) {
        heap_set_top(heap, chunk, bytes + heap->top_bytes);
        if (heap->top_bytes >= heap->trim_threshold) {
            heap_trim_top(heap, heap->top_pad);
        }
        return;
    }
    uint64_t next = chunk_word(heap, chunk + bytes);
    if ((next & CHUNK_USED) == 0) {
        heap_list_remove(heap, chunk + bytes, next);
        bytes += next;
    }
    if (!heap_drop_extent(heap, chunk, bytes)) {
        chunk_set(heap, chunk, bytes, 0);
        heap_list_add(heap, chunk, bytes);
    }
}

/* A used chunk from the lists; 0: none is large enough. */
static uint64_t take(struct quire_heap *heap, uint64_t need) {
    uint64_t chunk = heap_list_take(heap, need);

    if (chunk != 0) {
        uint64_t bytes = chunk_bytes(heap, chunk);
        chunk_set(heap, chunk, bytes, CHUNK_USED);
        split(heap, chunk, bytes, need);
    }
    return chunk;
}

/* Of a used chunk with room enough, keep `need` bytes whose block is aligned. */
static uint64_t align_chunk(struct quire_heap *heap, uint64_t chunk, uint64_t align,
                            uint64_t need) {
    uint64_t bytes = chunk_bytes(heap, chunk);
    uint64_t block = chunk + HEADER_BYTES, aligned = round_up(block, align);

    if (aligned != block && aligned - block < CHUNK_MIN) {
        aligned += align;
    }
    uint64_t lead = aligned - block;
    if (lead != 0) {
        chunk_set(heap, chunk, lead, CHUNK_USED);
        chunk_set(heap, chunk + lead, bytes - lead, CHUNK_USED);
        heap_release(heap, chunk, lead);
    }
    split(heap, chunk + lead, bytes - lead, need);
    return chunk + lead;
}

uint64_t heap_take_block(struct quire_heap *heap, uint64_t align, uint64_t bytes, uint64_t *clean) {
    bool aligned = align > ALIGN_BYTES;
    uint64_t padded = aligned ? bytes + align + CHUNK_MIN : bytes, need = chunk_for(padded);
    uint64_t chunk = take(heap, need);

    *clean = UINT64_MAX;
    if (chunk == 0 && padded >= heap->mmap_threshold && heap->mapped_blocks < heap->mmap_max) {
        chunk = heap_map_block(heap, align, bytes);
        if (chunk != 0) {
            *clean = chunk + HEADER_BYTES;
            return chunk + HEADER_BYTES;
        }
    }
    if (chunk == 0 && heap_extend(heap, need, false)) {
        *clean = heap->fresh;
        chunk = cut_top(heap, need);
    }
    if (chunk == 0) {
        return 0;
    }
    if (aligned) {
        chunk = align_chunk(heap, chunk, align, chunk_for(bytes));
        *clean = UINT64_MAX;
    }
    count_used(heap, chunk_bytes(heap, chunk));
    return chunk + HEADER_BYTES;
}

void heap_free_block(struct quire_heap *heap, uint64_t block) {
    uint64_t chunk = block - HEADER_BYTES, word = chunk_word(heap, chunk);
    uint64_t bytes = word & ~CHUNK_FLAGS;

    if (heap->perturb != 0) {
        heap_fill(heap, block, heap->perturb, bytes - HEADER_BYTES);
    }
    if ((word & CHUNK_MAPPED) != 0) {
        heap_unmap_block(heap, chunk);
        return;
    }
    heap->used_bytes -= bytes;
    heap->used_blocks--;
    heap_release(heap, chunk, bytes);
}

/* Make the used chunk `need` bytes where it is, from the free chunk or the top behind it. */
static bool lengthen(struct quire_heap *heap, uint64_t chunk, uint64_t old, uint64_t need) {
    uint64_t next = chunk + old;

    if (next == heap->top) {
        if (!heap_extend(heap, need - old, true)) {
            return false;
        }
        uint64_t rest = heap->top_bytes - (need - old);
        chunk_set(heap, chunk, need, CHUNK_USED);
        heap_set_top(heap, chunk + need, rest);
        return true;
    }
    uint64_t word = chunk_word(heap, next);
    if ((word & CHUNK_USED) != 0 || old + word < need) {
        return false;
    }
    heap_list_remove(heap, next, word);
    chunk_set(heap, chunk, old + word, CHUNK_USED);
    split(heap, chunk, old + word, need);
    return true;
}

/* Of the heap proper: where it is, if that can be. */
static bool resize(struct quire_heap *heap, uint64_t chunk, uint64_t bytes) {
    uint64_t old = chunk_bytes(heap, chunk), need = chunk_for(bytes);

    if (need <= old) {
        split(heap, chunk, old, need);
    } else if (!lengthen(heap, chunk, old, need)) {
        return false;
    }
    heap->used_bytes += chunk_bytes(heap, chunk) - old;
    return true;
}

uint64_t heap_resize_block(struct quire_heap *heap, uint64_t block, uint64_t bytes) {
    uint64_t chunk = block - HEADER_BYTES, word = chunk_word(heap, chunk);
    uint64_t usable = (word & ~CHUNK_FLAGS) - HEADER_BYTES, clean;

    if ((word & CHUNK_MAPPED) == 0) {
        if (resize(heap, chunk, bytes)) {
            return block;
        }
    } else {
        uint64_t moved = heap_remap_block(heap, chunk, bytes);
        if (moved != 0 || bytes <= usable) {
            return moved != 0 ? moved + HEADER_BYTES : block;
        }
    }
    uint64_t other = heap_take_block(heap, ALIGN_BYTES, bytes, &clean);
    if (other != 0) {
        heap_copy(heap, other, block, usable < bytes ? usable : bytes);
        heap_free_block(heap, block);
    }
    return other;
}
