/* lists.c: free chunks by size.
 *
 * A list for each size below 1 KiB; above, each doubling is cut into eight classes. A bit for each
 * list says if there is something on it, so that the next larger one is found by counting zeros. A
 * chunk goes on at the head and, its neighbours being joined with it, comes off anywhere: the links
 * lie in the chunk itself, at its block's first 16 bytes.
 *
 * In its own class a request may meet chunks that are too small: the first SEARCH_LIMIT are looked
 * at, and the smallest that is large enough is taken. Any chunk of any higher class is large
 * enough.
 */
#include "heap/classic/classic.h"

static uint64_t next_of(struct quire_heap *heap, uint64_t chunk) {
    return get(heap, chunk + HEADER_BYTES);
}

unsigned heap_list_of(uint64_t bytes) {
    if (bytes < EXACT_LIMIT) {
        return (unsigned)(bytes / ALIGN_BYTES);
    }
    unsigned power = 63 - (unsigned)__builtin_clzll(bytes);
    unsigned part = (unsigned)(bytes >> (power - CLASS_BITS)) & ((1 << CLASS_BITS) - 1);
    unsigned list = EXACT_LISTS + ((power - 10) << CLASS_BITS) + part;

    return list < LISTS ? list : LISTS - 1;
}

void heap_list_add(struct quire_heap *heap, uint64_t chunk, uint64_t bytes) {
    unsigned list = heap_list_of(bytes);
    uint64_t head = heap->lists[list];

    put(heap, chunk + HEADER_BYTES, head);
    put(heap, chunk + HEADER_BYTES + 8, 0);
    if (head != 0) {
        put(heap, head + HEADER_BYTES + 8, chunk);
    }
    heap->lists[list] = chunk;
    heap->list_bits[list / 64] |= UINT64_C(1) << (list % 64);
    heap->free_bytes += bytes;
    heap->free_chunks++;
}

void heap_list_remove(struct quire_heap *heap, uint64_t chunk, uint64_t bytes) {
    unsigned list = heap_list_of(bytes);
    uint64_t next = next_of(heap, chunk);
    uint64_t previous = get(heap, chunk + HEADER_BYTES + 8);

    if (next != 0) {
        put(heap, next + HEADER_BYTES + 8, previous);
    }
    if (previous != 0) {
        put(heap, previous + HEADER_BYTES, next);
    } else {
        heap->lists[list] = next;
        if (next == 0) {
            heap->list_bits[list / 64] &= ~(UINT64_C(1) << (list % 64));
        }
    }
    heap->free_bytes -= bytes;
    heap->free_chunks--;
}

/* The first list from `list` on that has something; LISTS: none. */
static unsigned first_filled(const struct quire_heap *heap, unsigned list) {
    unsigned word = list / 64;
    uint64_t bits = word < LIST_WORDS ? heap->list_bits[word] & (~UINT64_C(0) << (list % 64)) : 0;

    while (bits == 0) {
        if (++word >= LIST_WORDS) {
            return LISTS;
        }
        bits = heap->list_bits[word];
    }
    return word * 64 + (unsigned)__builtin_ctzll(bits);
}

/* The smallest chunk of at least `bytes` among the first of a list; 0: none of them. */
static uint64_t search(struct quire_heap *heap, unsigned list, uint64_t bytes) {
    uint64_t best = 0, best_bytes = UINT64_MAX, chunk = heap->lists[list];

    for (unsigned seen = 0; chunk != 0 && seen < SEARCH_LIMIT; seen++) {
        uint64_t has = chunk_bytes(heap, chunk);
        if (has >= bytes && has < best_bytes) {
            best = chunk;
            best_bytes = has;
        }
        chunk = next_of(heap, chunk);
    }
    return best;
}

uint64_t heap_list_take(struct quire_heap *heap, uint64_t bytes) {
    unsigned list = heap_list_of(bytes);
    uint64_t chunk = heap->lists[list] != 0 ? search(heap, list, bytes) : 0;

    if (chunk == 0) {
        unsigned higher = first_filled(heap, list + 1);
        chunk = higher < LISTS ? heap->lists[higher] : 0;
    }
    if (chunk != 0) {
        heap_list_remove(heap, chunk, chunk_bytes(heap, chunk));
    }
    return chunk;
}
