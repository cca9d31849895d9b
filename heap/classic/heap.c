/* heap.c: the doors of the classic heap: lock, check the arguments, leave the work to alloc.c.
 *
 * A block that is handed in is checked first, before anything is changed (heap_sound). What a
 * header can tell: that it lies where the heap ever had memory; that it is not free already; that
 * the next header's copy of its length is the same, and that its copy of the length before it is
 * too. A block that was written past its end is found out here, for that destroys the next header.
 */
#include "heap/classic/alloc.h"

static void enter(struct quire_heap *heap) {
    if (heap->port.lock != NULL) {
        heap->port.lock(heap->port.context);
    }
}

static void leave(struct quire_heap *heap) {
    if (heap->port.unlock != NULL) {
        heap->port.unlock(heap->port.context);
    }
}

struct quire_heap *quire_heap_init(void *storage, const struct quire_heap_port *port) {
    struct quire_heap *heap = storage;

    if (port->map == NULL || port->unmap == NULL ||
        (port->lock == NULL) != (port->unlock == NULL) ||
        (port->read == NULL) != (port->write == NULL)) {
        return NULL;
    }
    memset(heap, 0, sizeof *heap);
    heap->port = *port;
    heap->mmap_threshold = DEFAULT_THRESHOLD;
    heap->trim_threshold = DEFAULT_THRESHOLD;
    heap->top_pad = DEFAULT_THRESHOLD;
    heap->mmap_max = DEFAULT_MMAP_MAX;
    heap->adapts = true;
    return heap;
}

void quire_heap_fini(struct quire_heap *heap) {
    enter(heap);
    while (heap->mapped != 0 && !heap->dead) {
        heap_unmap_block(heap, heap->mapped);
    }
    for (uint64_t extent = heap->extent, next; extent != 0 && !heap->dead; extent = next) {
        uint64_t bytes = get(heap, extent + EXTENT_BYTES);
        next = get(heap, extent + EXTENT_NEXT);
        if (get(heap, extent + EXTENT_KIND) == EXTENT_MAPPED) {
            (void)heap->port.unmap(heap->port.context, extent, bytes);
        } else if (heap->port.grow(heap->port.context, 0) == extent + bytes) {
            (void)heap->port.grow(heap->port.context, -(int64_t)bytes);
        }
    }
    heap->dead = true;
    leave(heap);
}

bool heap_mistake(struct quire_heap *heap, const char *what, uint64_t address) {
    if (heap->port.mistake != NULL) {
        heap->port.mistake(heap->port.context, what, address);
    }
    return false;
}

/* The chunk of the heap proper fits between its neighbours. */
static bool fits(struct quire_heap *heap, uint64_t chunk) {
    uint64_t bytes = chunk_bytes(heap, chunk), before = chunk_before(heap, chunk);

    if (bytes < CHUNK_MIN || bytes >= heap->high - chunk || get(heap, chunk + bytes) != bytes) {
        return false;
    }
    return before == 0 || (before % ALIGN_BYTES == 0 && before <= chunk - heap->low &&
                           chunk_bytes(heap, chunk - before) == before);
}

static bool sound(struct quire_heap *heap, uint64_t block) {
    uint64_t chunk = block - HEADER_BYTES;

    if (block % ALIGN_BYTES != 0 || chunk < heap->low || block >= heap->high) {
        return heap_mistake(heap, "not a block of this heap", block);
    }
    uint64_t word = chunk_word(heap, chunk);
    if ((word & CHUNK_USED) == 0) {
        return heap_mistake(heap, "freed already, or not the start of a block", block);
    }
    if ((word & CHUNK_MAPPED) != 0 ? !heap_mapped_sound(heap, chunk) : !fits(heap, chunk)) {
        return heap_mistake(heap, "written past its end or before its start, or not a block",
                            block);
    }
    return true;
}

uint64_t quire_heap_alloc(struct quire_heap *heap, uint64_t bytes) {
    return quire_heap_memalign(heap, ALIGN_BYTES, bytes);
}

uint64_t quire_heap_calloc(struct quire_heap *heap, uint64_t count, uint64_t bytes) {
    uint64_t total, block = 0, clean;

    if (__builtin_mul_overflow(count, bytes, &total) || total >= REQUEST_MAX) {
        return 0;
    }
    enter(heap);
    if (!heap->dead) {
        block = heap_take_block(heap, ALIGN_BYTES, total, &clean);
        if (block != 0 && clean > block) {
            uint64_t dirty = clean - block;
            heap_fill(heap, block, 0, dirty < total ? dirty : total);
        }
    }
    if (heap->dead) {
        block = 0;
    }
    leave(heap);
    return block;
}

uint64_t quire_heap_memalign(struct quire_heap *heap, uint64_t align, uint64_t bytes) {
    uint64_t block = 0, clean;

    if (align == 0 || (align & (align - 1)) != 0 || align >= REQUEST_MAX || bytes >= REQUEST_MAX) {
        return 0;
    }
    enter(heap);
    if (!heap->dead) {
        block = heap_take_block(heap, align < ALIGN_BYTES ? ALIGN_BYTES : align, bytes, &clean);
        if (block != 0 && heap->perturb != 0) {
            heap_fill(heap, block, (unsigned char)~heap->perturb, bytes);
        }
    }
    if (heap->dead) {
        block = 0;
    }
    leave(heap);
    return block;
}

uint64_t quire_heap_realloc(struct quire_heap *heap, uint64_t address, uint64_t bytes) {
    uint64_t block = 0;

    if (address == 0) {
        return quire_heap_alloc(heap, bytes);
    }
    if (bytes >= REQUEST_MAX) {
        return 0;
    }
    enter(heap);
    if (!heap->dead && sound(heap, address)) {
        block = heap_resize_block(heap, address, bytes);
    }
    if (heap->dead) {
        block = 0;
    }
    leave(heap);
    return block;
}

void quire_heap_free(struct quire_heap *heap, uint64_t address) {
    if (address == 0) {
        return;
    }
    enter(heap);
    if (!heap->dead && sound(heap, address)) {
        heap_free_block(heap, address);
    }
    leave(heap);
}

uint64_t quire_heap_usable(struct quire_heap *heap, uint64_t address) {
    uint64_t usable = 0;

    if (address == 0) {
        return 0;
    }
    enter(heap);
    if (!heap->dead && sound(heap, address)) {
        usable = chunk_bytes(heap, address - HEADER_BYTES) - HEADER_BYTES;
    }
    leave(heap);
    return usable;
}

/* Discard the whole pages that lie in free chunks, but for their headers and links. */
static bool discard_pages(struct quire_heap *heap) {
    bool any = false;

    for (unsigned list = heap_list_of(PAGE_BYTES); list < LISTS; list++) {
        for (uint64_t chunk = heap->lists[list]; chunk != 0;
             chunk = get(heap, chunk + HEADER_BYTES)) {
            uint64_t from = round_up(chunk + CHUNK_MIN, PAGE_BYTES);
            uint64_t to = (chunk + chunk_bytes(heap, chunk)) & ~(PAGE_BYTES - 1);
            if (from < to) {
                heap->port.discard(heap->port.context, from, to - from);
                any = true;
            }
        }
    }
    return any;
}

bool quire_heap_trim(struct quire_heap *heap, uint64_t pad_bytes) {
    bool any = false;

    enter(heap);
    if (!heap->dead) {
        any = heap->port.discard != NULL && discard_pages(heap);
        any = (pad_bytes <= PAD_MAX && heap_trim_top(heap, pad_bytes)) || any;
    }
    leave(heap);
    return any;
}

bool quire_heap_option(struct quire_heap *heap, enum quire_heap_option option, uint64_t value) {
    bool set = true;

    enter(heap);
    if (option == QUIRE_HEAP_MMAP_THRESHOLD && value <= THRESHOLD_MAX) {
        heap->mmap_threshold = value;
    } else if (option == QUIRE_HEAP_TRIM_THRESHOLD) {
        heap->trim_threshold = value;
    } else if (option == QUIRE_HEAP_TOP_PAD && value <= PAD_MAX) {
        heap->top_pad = value;
    } else if (option == QUIRE_HEAP_MMAP_MAX) {
        heap->mmap_max = value;
    } else if (option == QUIRE_HEAP_PERTURB && value <= UINT8_MAX) {
        heap->perturb = (unsigned char)value;
    } else {
        set = false;
    }
    if (set && option != QUIRE_HEAP_PERTURB) {
        heap->adapts = false;
    }
    leave(heap);
    return set;
}
