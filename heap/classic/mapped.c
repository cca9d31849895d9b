/* mapped.c: large blocks, each with a mapping of its own.
 *
 *   mapping ->  | lead, so that the block is aligned | links: 16 | header: 16 | block ... | end
 *
 * The header's first word is the lead, its second the bytes from the header to the mapping's end,
 * with CHUNK_USED and CHUNK_MAPPED. The links join all mapped blocks in a list, so that they can be
 * walked and audited, and so that a pointer that merely looks like one is found out: its neighbours
 * do not know it.
 *
 * Free gives the memory back at once. To a program that has and frees large blocks again and again
 * that is dear: the kernel clears each page anew. So the threshold adapts, as glibc's does since
 * 2006: freeing a mapped block raises it to that block's size, up to 32 MiB, and the next one of
 * that size comes from the heap proper, which keeps twice as much before it trims.
 */
#include "heap/classic/classic.h"

static uint64_t next_of(struct quire_heap *heap, uint64_t chunk) {
    return get(heap, chunk - MAPPED_LINKS);
}

static uint64_t previous_of(struct quire_heap *heap, uint64_t chunk) {
    return get(heap, chunk - MAPPED_LINKS + 8);
}

/* Tell the neighbours where the chunk is. */
static void link_chunk(struct quire_heap *heap, uint64_t chunk) {
    uint64_t next = next_of(heap, chunk), previous = previous_of(heap, chunk);

    if (next != 0) {
        put(heap, next - MAPPED_LINKS + 8, chunk);
    }
    if (previous != 0) {
        put(heap, previous - MAPPED_LINKS, chunk);
    } else {
        heap->mapped = chunk;
    }
}

static void unlink_chunk(struct quire_heap *heap, uint64_t chunk) {
    uint64_t next = next_of(heap, chunk), previous = previous_of(heap, chunk);

    if (next != 0) {
        put(heap, next - MAPPED_LINKS + 8, previous);
    }
    if (previous != 0) {
        put(heap, previous - MAPPED_LINKS, next);
    } else {
        heap->mapped = next;
    }
}

static void count_mapped(struct quire_heap *heap, uint64_t more, uint64_t less) {
    heap->mapped_bytes += more - less;
    if (heap->mapped_bytes > heap->mapped_bytes_peak) {
        heap->mapped_bytes_peak = heap->mapped_bytes;
    }
    if (heap->mapped_blocks > heap->mapped_blocks_peak) {
        heap->mapped_blocks_peak = heap->mapped_blocks;
    }
}

uint64_t heap_map_block(struct quire_heap *heap, uint64_t align, uint64_t bytes) {
    const uint64_t front = MAPPED_LINKS + HEADER_BYTES;
    uint64_t total = round_up(bytes + front + (align > front ? align : 0), PAGE_BYTES);
    uint64_t start = heap->port.map(heap->port.context, total);

    if (start == 0) {
        return 0;
    }
    uint64_t lead = round_up(start + front, align) - (start + front);
    uint64_t chunk = start + lead + MAPPED_LINKS;
    put(heap, chunk, lead);
    put(heap, chunk + 8, (start + total - chunk) | CHUNK_USED | CHUNK_MAPPED);
    put(heap, chunk - MAPPED_LINKS, heap->mapped);
    put(heap, chunk - MAPPED_LINKS + 8, 0);
    link_chunk(heap, chunk);
    heap->mapped_blocks++;
    count_mapped(heap, total, 0);
    heap_saw_memory(heap, start, total);
    return chunk;
}

void heap_unmap_block(struct quire_heap *heap, uint64_t chunk) {
    uint64_t start = mapped_start(heap, chunk);
    uint64_t total = chunk + chunk_bytes(heap, chunk) - start;

    unlink_chunk(heap, chunk);
    heap->mapped_blocks--;
    count_mapped(heap, 0, total);
    if (heap->adapts && total > heap->mmap_threshold && total <= THRESHOLD_MAX) {
        heap->mmap_threshold = total;
        heap->trim_threshold = 2 * total;
    }
    /* Refused, it would be a leak of the kernel's making: nothing better can be done with it. */
    (void)heap->port.unmap(heap->port.context, start, total);
}

uint64_t heap_remap_block(struct quire_heap *heap, uint64_t chunk, uint64_t bytes) {
    uint64_t start = mapped_start(heap, chunk), front = chunk + HEADER_BYTES - start;
    uint64_t old = chunk + chunk_bytes(heap, chunk) - start;
    uint64_t total = round_up(front + bytes, PAGE_BYTES);

    if (total == old) {
        return chunk;
    }
    if (heap->port.remap == NULL) {
        return 0;
    }
    uint64_t moved = heap->port.remap(heap->port.context, start, old, total);
    if (moved == 0) {
        return 0;
    }
    chunk = moved + (front - HEADER_BYTES);
    put(heap, chunk + 8, (moved + total - chunk) | CHUNK_USED | CHUNK_MAPPED);
    link_chunk(heap, chunk);
    count_mapped(heap, total, old);
    heap_saw_memory(heap, moved, total);
    return chunk;
}

bool heap_mapped_sound(struct quire_heap *heap, uint64_t chunk) {
    uint64_t start = mapped_start(heap, chunk), end = chunk + chunk_bytes(heap, chunk);

    if (start % PAGE_BYTES != 0 || end % PAGE_BYTES != 0 || start < heap->low || end > heap->high ||
        start > chunk || end <= chunk) {
        return false;
    }
    uint64_t next = next_of(heap, chunk), previous = previous_of(heap, chunk);
    if (previous != 0 ? previous < heap->low || previous >= heap->high || previous % 16 != 0
                      : heap->mapped != chunk) {
        return false;
    }
    return (previous == 0 || next_of(heap, previous) == chunk) &&
           (next == 0 || (next >= heap->low && next < heap->high && next % 16 == 0 &&
                          previous_of(heap, next) == chunk));
}
