/* look.c: looking into a heap: figures, a walk over all chunks, and the audit that recounts.
 */
#include "heap/classic/classic.h"

static void lock(struct quire_heap *heap) {
    if (heap->port.lock != NULL) {
        heap->port.lock(heap->port.context);
    }
}

static void unlock(struct quire_heap *heap) {
    if (heap->port.unlock != NULL) {
        heap->port.unlock(heap->port.context);
    }
}

/* The largest free chunk is on the highest list that has one, or is the top. */
static uint64_t largest_free(struct quire_heap *heap) {
    uint64_t largest = heap->top_bytes;

    for (unsigned list = LISTS; list-- > 0;) {
        for (uint64_t chunk = heap->lists[list]; chunk != 0;
             chunk = get(heap, chunk + HEADER_BYTES)) {
            uint64_t bytes = chunk_bytes(heap, chunk);
            largest = bytes > largest ? bytes : largest;
        }
        if (heap->lists[list] != 0) {
            break;
        }
    }
    return largest;
}

/* part of whole in thousandths, without a 64-bit division: both are scaled down to 32 bits. */
static unsigned permille(uint64_t part, uint64_t whole) {
    while (whole >> 22 != 0) {
        whole >>= 1;
        part >>= 1;
    }
    return whole == 0 ? 0 : (unsigned)((uint32_t)part * 1000u / (uint32_t)whole);
}

void quire_heap_measure(struct quire_heap *heap, struct quire_heap_figures *figures) {
    lock(heap);
    *figures = (struct quire_heap_figures){
        .system_bytes = heap->system_bytes,
        .system_peak = heap->system_peak,
        .used_bytes = heap->used_bytes,
        .used_blocks = heap->used_blocks,
        .free_bytes = heap->free_bytes,
        .free_chunks = heap->free_chunks,
        .largest_free = largest_free(heap),
        .top_bytes = heap->top_bytes,
        .mapped_bytes = heap->mapped_bytes,
        .mapped_blocks = heap->mapped_blocks,
        .mapped_bytes_peak = heap->mapped_bytes_peak,
        .mapped_blocks_peak = heap->mapped_blocks_peak,
        .mmap_threshold = heap->mmap_threshold,
        .trim_threshold = heap->trim_threshold,
        .top_pad = heap->top_pad,
    };
    for (uint64_t at = heap->extent; at != 0; at = get(heap, at + EXTENT_NEXT)) {
        figures->extents++;
    }
    figures->fragmentation_permille =
        permille(heap->free_bytes - figures->largest_free, heap->free_bytes);
    unlock(heap);
}

static enum quire_heap_kind kind_of(const struct quire_heap *heap, uint64_t chunk, uint64_t word) {
    if (chunk == heap->top) {
        return QUIRE_HEAP_TOP;
    }
    if ((word & CHUNK_USED) == 0) {
        return QUIRE_HEAP_FREE;
    }
    return word == (HEADER_BYTES | CHUNK_USED) ? QUIRE_HEAP_FENCE : QUIRE_HEAP_USED;
}

typedef bool see_chunk(void *context, const struct quire_heap_chunk *chunk);

/* Both walks stop, with false, when see does, or when a header leads out of its extent. */
static bool walk_extent(struct quire_heap *heap, uint64_t extent, see_chunk *see, void *context) {
    uint64_t end = extent + get(heap, extent + EXTENT_BYTES);

    for (uint64_t at = extent + EXTENT_RECORD; at < end;) {
        uint64_t word = chunk_word(heap, at);
        struct quire_heap_chunk chunk = {.header = at,
                                         .bytes = word & ~CHUNK_FLAGS,
                                         .before = chunk_before(heap, at),
                                         .kind = kind_of(heap, at, word)};
        if (chunk.bytes < HEADER_BYTES || chunk.bytes > end - at || !see(context, &chunk)) {
            return false;
        }
        at += chunk.bytes;
    }
    return true;
}

static bool walk_mapped(struct quire_heap *heap, see_chunk *see, void *context) {
    for (uint64_t at = heap->mapped; at != 0; at = get(heap, at - MAPPED_LINKS)) {
        struct quire_heap_chunk chunk = {.header = at,
                                         .before = chunk_before(heap, at),
                                         .mapping = mapped_start(heap, at),
                                         .kind = QUIRE_HEAP_MAPPED};
        chunk.bytes = at + chunk_bytes(heap, at) - chunk.mapping;
        if (!heap_mapped_sound(heap, at) || !see(context, &chunk)) {
            return false;
        }
    }
    return true;
}

static bool walk(struct quire_heap *heap, see_chunk *see, void *context) {
    for (uint64_t at = heap->extent; at != 0; at = get(heap, at + EXTENT_NEXT)) {
        if (get(heap, at + EXTENT_MAGIC) != EXTENT_MAGIC_WORD ||
            !walk_extent(heap, at, see, context)) {
            return false;
        }
    }
    return walk_mapped(heap, see, context);
}

void quire_heap_walk(struct quire_heap *heap, see_chunk *see, void *context) {
    lock(heap);
    if (!heap->dead) {
        (void)walk(heap, see, context);
    }
    unlock(heap);
}

/* ---- the audit --------------------------------------------------------------------------------
 */

struct recount { /* filled by count_chunk */
    struct quire_heap *heap;
    uint64_t before; /* bytes of the chunk seen last in this extent; 0 at its start */
    uint64_t end;    /* where that chunk ended */
    bool before_free;
    uint64_t used_bytes, used_blocks, free_bytes, free_chunks, other_bytes;
    uint64_t mapped_bytes, mapped_blocks;
    const char *wrong;
};

static bool count_chunk(void *context, const struct quire_heap_chunk *chunk) {
    struct recount *count = context;

    if (chunk->kind == QUIRE_HEAP_MAPPED) {
        count->mapped_bytes += chunk->bytes;
        count->mapped_blocks++;
        return true;
    }
    if (chunk->header != count->end) { /* the next extent */
        count->before = 0;
        count->before_free = false;
    }
    bool is_free = chunk->kind == QUIRE_HEAP_FREE || chunk->kind == QUIRE_HEAP_TOP;
    if (chunk->before != count->before) {
        count->wrong = "I1: a header's `before` is not the length of the chunk before it";
    } else if (is_free && count->before_free) {
        count->wrong = "I2: two free chunks are neighbours";
    } else if (chunk->kind != QUIRE_HEAP_FENCE && chunk->bytes < CHUNK_MIN) {
        count->wrong = "I4: a chunk is too short";
    }
    count->used_bytes += chunk->kind == QUIRE_HEAP_USED ? chunk->bytes : 0;
    count->used_blocks += chunk->kind == QUIRE_HEAP_USED;
    count->free_bytes += is_free ? chunk->bytes : 0;
    count->free_chunks += is_free;
    count->other_bytes += chunk->kind == QUIRE_HEAP_FENCE ? chunk->bytes : 0;
    count->before = chunk->bytes;
    count->before_free = is_free;
    count->end = chunk->header + chunk->bytes;
    return count->wrong == NULL;
}

static const char *audit_lists(struct quire_heap *heap) {
    uint64_t bytes = heap->top_bytes, chunks = heap->top != 0;

    for (unsigned list = 0; list < LISTS; list++) {
        uint64_t previous = 0;
        bool bit = (heap->list_bits[list / 64] >> (list % 64) & 1) != 0;
        if (bit != (heap->lists[list] != 0)) {
            return "I3: the bit of a list is wrong";
        }
        for (uint64_t at = heap->lists[list]; at != 0; at = get(heap, at + HEADER_BYTES)) {
            if (chunk_used(heap, at) || heap_list_of(chunk_bytes(heap, at)) != list ||
                get(heap, at + HEADER_BYTES + 8) != previous || chunks > heap->free_chunks) {
                return "I3: a list has a chunk that does not belong there";
            }
            bytes += chunk_bytes(heap, at);
            chunks++;
            previous = at;
        }
    }
    return bytes == heap->free_bytes && chunks == heap->free_chunks
               ? NULL
               : "I3: a free chunk is on no list";
}

static const char *audit_fresh(struct quire_heap *heap) {
    if (heap->top == 0) {
        return NULL;
    }
    if (heap->fresh < heap->top + HEADER_BYTES) {
        return "I5: fresh memory begins before the top's header ends";
    }
    for (uint64_t at = round_up(heap->fresh, 8); at < heap->top + heap->top_bytes; at += 8) {
        if (get(heap, at) != 0) {
            return "I5: fresh memory is not zero";
        }
    }
    return NULL;
}

static const char *audit(struct quire_heap *heap) {
    struct recount count = {.heap = heap};
    uint64_t extents = 0;

    if (!walk(heap, count_chunk, &count)) {
        return count.wrong != NULL ? count.wrong : "a header leads nowhere";
    }
    for (uint64_t at = heap->extent; at != 0; at = get(heap, at + EXTENT_NEXT)) {
        extents += EXTENT_RECORD;
    }
    if (count.used_bytes != heap->used_bytes || count.used_blocks != heap->used_blocks ||
        count.free_bytes != heap->free_bytes || count.free_chunks != heap->free_chunks ||
        count.mapped_bytes != heap->mapped_bytes || count.mapped_blocks != heap->mapped_blocks) {
        return "the figures are not what is there";
    }
    if (count.used_bytes + count.free_bytes + count.other_bytes + extents != heap->system_bytes) {
        return "the chunks are not all memory that was had";
    }
    const char *wrong = audit_lists(heap);
    return wrong != NULL ? wrong : audit_fresh(heap);
}

const char *quire_heap_audit(struct quire_heap *heap) {
    const char *wrong = NULL;

    lock(heap);
    if (!heap->dead) {
        wrong = audit(heap);
    }
    unlock(heap);
    return wrong;
}
