/* extent.c: where the heap proper is: growing it, giving its end back.
 *
 * The port's growing area is Linux's brk: one piece that ends somewhere, and the end moves. The
 * heap shares it with whoever else moves the end. As long as nobody does, there is one extent, and
 * each growth extends its top. If somebody did, the top is closed with a fence, and a new extent
 * begins behind the stranger's memory. If growing is refused (a limit, a mapping in the way), an
 * extent is mapped, of 1 MiB at least.
 *
 *   | record | chunk | chunk | ... | chunk | fence |  stranger's  | record | chunk | ... |    top |
 *
 * What is asked for is what is needed, and top_pad beyond, up to a whole page: malloc(1) makes a
 * heap of 132 KiB, as glibc's does. At free, a top of trim_threshold or more shrinks to top_pad.
 */
#include "heap/classic/classic.h"

void heap_saw_memory(struct quire_heap *heap, uint64_t from, uint64_t bytes) {
    if (heap->low == 0 || from < heap->low) {
        heap->low = from;
    }
    if (from + bytes > heap->high) {
        heap->high = from + bytes;
    }
}

void heap_set_top(struct quire_heap *heap, uint64_t top, uint64_t bytes) {
    heap->free_bytes += bytes - heap->top_bytes;
    heap->free_chunks += (uint64_t)(top != 0) - (uint64_t)(heap->top != 0);
    heap->top = top;
    heap->top_bytes = bytes;
    if (top != 0) {
        put(heap, top + 8, bytes);
        if (heap->fresh < top + HEADER_BYTES) {
            heap->fresh = top + HEADER_BYTES;
        }
    }
}

static void count_system(struct quire_heap *heap, uint64_t bytes) {
    heap->system_bytes += bytes;
    if (heap->system_bytes > heap->system_peak) {
        heap->system_peak = heap->system_bytes;
    }
}

/* The top becomes a free chunk with a fence behind it; if there is no room for both, two fences. */
static void close_top(struct quire_heap *heap) {
    uint64_t top = heap->top, rest = heap->top_bytes - HEADER_BYTES;

    if (top == 0) {
        return;
    }
    heap_set_top(heap, 0, 0);
    put(heap, top + rest + 8, HEADER_BYTES | CHUNK_USED);
    if (rest >= CHUNK_MIN) {
        chunk_set(heap, top, rest, 0);
        heap_list_add(heap, top, rest);
    } else {
        chunk_set(heap, top, rest, CHUNK_USED);
    }
}

static void new_extent(struct quire_heap *heap, uint64_t start, uint64_t bytes, uint64_t kind) {
    close_top(heap);
    put(heap, start + EXTENT_NEXT, heap->extent);
    put(heap, start + EXTENT_BYTES, bytes);
    put(heap, start + EXTENT_KIND, kind);
    put(heap, start + EXTENT_MAGIC, EXTENT_MAGIC_WORD);
    heap->extent = start;
    heap->fresh = 0;
    put(heap, start + EXTENT_RECORD, 0);
    heap_set_top(heap, start + EXTENT_RECORD, bytes - EXTENT_RECORD);
    count_system(heap, bytes);
    heap_saw_memory(heap, start, bytes);
}

static void stretch_extent(struct quire_heap *heap, uint64_t more) {
    uint64_t bytes = get(heap, heap->extent + EXTENT_BYTES);

    put(heap, heap->extent + EXTENT_BYTES, bytes + more);
    heap_set_top(heap, heap->top, heap->top_bytes + more);
    count_system(heap, more);
    heap_saw_memory(heap, heap->extent, bytes + more);
}

/* The top ends where the growing area does. */
static bool top_at(struct quire_heap *heap, uint64_t end) {
    return heap->top != 0 && heap->top + heap->top_bytes == end &&
           get(heap, heap->extent + EXTENT_KIND) == EXTENT_GROWN;
}

/* Grow by at least `more`, so that the end is a page's. Returns by how much, 0: refused. */
static uint64_t grow_from(struct quire_heap *heap, uint64_t end, uint64_t more, uint64_t *from) {
    uint64_t bytes = round_up(end + more, PAGE_BYTES) - end;

    *from = heap->port.grow(heap->port.context, (int64_t)bytes);
    return *from != 0 ? bytes : 0;
}

static bool grow(struct quire_heap *heap, uint64_t need, uint64_t pad, bool in_place) {
    uint64_t end = heap->port.grow != NULL ? heap->port.grow(heap->port.context, 0) : 0, from;

    if (end == 0 || (in_place && !top_at(heap, end))) {
        return false;
    }
    uint64_t least = need + CHUNK_MIN + EXTENT_RECORD + ALIGN_BYTES;
    if (top_at(heap, end)) {
        least = need + CHUNK_MIN > heap->top_bytes ? need + CHUNK_MIN - heap->top_bytes : 0;
    }
    uint64_t bytes = grow_from(heap, end, least + pad, &from);
    if (bytes == 0 && pad != 0) {
        bytes = grow_from(heap, end, least, &from);
    }
    if (bytes == 0) {
        return false;
    }
    if (from == end && top_at(heap, end)) {
        stretch_extent(heap, bytes);
        return true;
    }
    /* A stranger's memory lies before it, perhaps had since the question: then it may be too short,
     * and stays as it is, unused, for what lies behind it is somebody's. */
    uint64_t start = round_up(from, ALIGN_BYTES), stop = (from + bytes) & ~(ALIGN_BYTES - 1);
    if (in_place || stop - start < EXTENT_RECORD + need + CHUNK_MIN) {
        return false;
    }
    new_extent(heap, start, stop - start, EXTENT_GROWN);
    return true;
}

static bool map(struct quire_heap *heap, uint64_t need) {
    uint64_t bytes = round_up(need + CHUNK_MIN + EXTENT_RECORD, PAGE_BYTES);

    if (bytes < MAPPED_EXTENT_MIN) {
        bytes = MAPPED_EXTENT_MIN;
    }
    uint64_t start = heap->port.map(heap->port.context, bytes);
    if (start == 0) {
        return false;
    }
    new_extent(heap, start, bytes, EXTENT_MAPPED);
    return true;
}

bool heap_extend(struct quire_heap *heap, uint64_t need, bool in_place) {
    if (heap->top != 0 && heap->top_bytes >= need + CHUNK_MIN) {
        return true;
    }
    return grow(heap, need, heap->top_pad, in_place) || (!in_place && map(heap, need));
}

/* Take an extent off the list of extents and unmap it. Its chunks are on no list any more. */
static bool unmap_extent(struct quire_heap *heap, uint64_t extent) {
    uint64_t bytes = get(heap, extent + EXTENT_BYTES), next = get(heap, extent + EXTENT_NEXT);
    uint64_t before = 0;

    for (uint64_t at = heap->extent; at != extent; at = get(heap, at + EXTENT_NEXT)) {
        if (at == 0) {
            return false;
        }
        before = at;
    }
    if (!heap->port.unmap(heap->port.context, extent, bytes)) {
        return false;
    }
    if (before == 0) {
        heap->extent = next;
    } else {
        put(heap, before + EXTENT_NEXT, next);
    }
    heap->system_bytes -= bytes;
    return true;
}

bool heap_drop_extent(struct quire_heap *heap, uint64_t chunk, uint64_t bytes) {
    uint64_t extent = chunk - EXTENT_RECORD;

    /* One fence behind it, or two. What lies before the top never gets here: it joins the top. */
    return chunk_before(heap, chunk) == 0 && get(heap, extent + EXTENT_KIND) == EXTENT_MAPPED &&
           chunk + bytes + 2 * HEADER_BYTES >= extent + get(heap, extent + EXTENT_BYTES) &&
           unmap_extent(heap, extent);
}

/* Shorten the extent of the top by `less`, a number of pages. */
static bool shrink(struct quire_heap *heap, uint64_t less) {
    uint64_t end = heap->top + heap->top_bytes, extent = heap->extent;

    if (get(heap, extent + EXTENT_KIND) == EXTENT_MAPPED) {
        if (!heap->port.unmap(heap->port.context, end - less, less)) {
            return false;
        }
    } else if (heap->port.grow == NULL || heap->port.grow(heap->port.context, 0) != end ||
               heap->port.grow(heap->port.context, -(int64_t)less) != end) {
        return false;
    }
    put(heap, extent + EXTENT_BYTES, get(heap, extent + EXTENT_BYTES) - less);
    heap->system_bytes -= less;
    heap_set_top(heap, heap->top, heap->top_bytes - less);
    if (heap->fresh > end - less) {
        heap->fresh = end - less;
    }
    return true;
}

bool heap_trim_top(struct quire_heap *heap, uint64_t pad_bytes) {
    uint64_t top = heap->top, extent = heap->extent;

    if (top == 0 || heap->top_bytes <= pad_bytes + CHUNK_MIN) {
        return false;
    }
    if (top == extent + EXTENT_RECORD && get(heap, extent + EXTENT_KIND) == EXTENT_MAPPED) {
        uint64_t bytes = heap->top_bytes;
        heap_set_top(heap, 0, 0);
        if (unmap_extent(heap, extent)) {
            return true;
        }
        heap_set_top(heap, top, bytes);
        return false;
    }
    uint64_t less = (heap->top_bytes - pad_bytes - CHUNK_MIN) & ~(PAGE_BYTES - 1);
    return less != 0 && shrink(heap, less);
}
