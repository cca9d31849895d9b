/* classic.h: the classic heap's inside: what a chunk is, and the state of a heap.
 *
 *   header ->  +--------------------------+
 *              | before: bytes of the     |   0 for the first chunk of an extent
 *              |   chunk before this one  |
 *              +--------------------------+
 *              | bytes of this chunk, its |   a multiple of 16, header included;
 *              |   lowest bits are flags  |   CHUNK_USED, CHUNK_MAPPED
 *   block ->   +--------------------------+
 *              | the program's, if used;  |   if free: the next and the previous chunk of the
 *              | at least 16 bytes        |   same list, 8 bytes each
 *              +--------------------------+   <- header of the next chunk
 *
 * An extent is a piece of memory that was grown or mapped for the heap proper: 32 bytes that
 * describe it, then chunks without a gap. The youngest extent ends with the top: the free chunk
 * from which new ones are cut, and which grows; the others end with a fence, a used chunk of a
 * header.
 *
 * Invariants, which quire_heap_audit recounts:
 *   I1  Chunks of an extent follow each other exactly, and each one's `before` is the bytes of the
 *       chunk before it.
 *   I2  No two free chunks are neighbours; the top counts as one.
 *   I3  Each free chunk but the top is on the list of its size, and nothing else is; a list's bit
 *       is set when there is something on it.
 *   I4  Top has at least CHUNK_MIN bytes, so that it can always be made a chunk.
 *   I5  From `fresh` to the end of the top all bytes are zeros.
 *
 * Rejected: letting `before` lie in the chunk before when that is used, as dlmalloc and glibc do.
 * It saves 8 bytes a block, and costs that nothing can be checked at free: here a block that was
 * written past its end is told at once, for the next header does not fit any more. Rejected too:
 * trees for large chunks. Size classes with bitmaps (Masmano et al., TLSF, 2004) find one in a
 * constant time, for at most an eighth more memory than the best fit.
 */
#ifndef HEAP_CLASSIC_H
#define HEAP_CLASSIC_H

#include <quire/heap.h>

/* What a freestanding compiler calls anyway: all that this room wants from outside. */
void *memcpy(void *restrict to, const void *restrict from, size_t nbytes);
void *memset(void *at, int byte, size_t nbytes);

#define PAGE_BYTES   UINT64_C(4096)
#define HEADER_BYTES UINT64_C(16)
#define CHUNK_MIN    UINT64_C(32)        /* a header and two links */
#define ALIGN_BYTES  UINT64_C(16)        /* max_align_t of all our hosts */
#define REQUEST_MAX  (UINT64_C(1) << 47) /* no user address space is larger */

#define CHUNK_USED   UINT64_C(1)
#define CHUNK_MAPPED UINT64_C(2) /* and USED */
#define CHUNK_FLAGS  UINT64_C(15)

/* Lists: one a size below 1 KiB; above, eight to each doubling, up to 2^47. */
#define EXACT_LIMIT  UINT64_C(1024)
#define EXACT_LISTS  64
#define CLASS_BITS   3
#define LISTS        (EXACT_LISTS + (47 - 10) * (1 << CLASS_BITS))
#define LIST_WORDS   ((LISTS + 63) / 64)
#define SEARCH_LIMIT 16 /* chunks of the request's own class that are looked at */

/* As glibc's: malloc/malloc.c, DEFAULT_MMAP_THRESHOLD and its neighbours, for 64 bits. */
#define DEFAULT_THRESHOLD (UINT64_C(128) << 10)
#define THRESHOLD_MAX     (UINT64_C(32) << 20)
#define DEFAULT_MMAP_MAX  65536
#define MAPPED_EXTENT_MIN (UINT64_C(1) << 20) /* when growing is refused */
#define PAD_MAX           (UINT64_C(1) << 46)

/* The record at the start of an extent. */
enum { EXTENT_NEXT = 0, EXTENT_BYTES = 8, EXTENT_KIND = 16, EXTENT_MAGIC = 24, EXTENT_RECORD = 32 };
enum { EXTENT_GROWN = 1, EXTENT_MAPPED = 2 };
#define EXTENT_MAGIC_WORD UINT64_C(0x71756972652d6578) /* "quire-ex" */

/* Before the header of a mapped block: its neighbours on the list of all of them. */
#define MAPPED_LINKS UINT64_C(16)

struct quire_heap {
    struct quire_heap_port port;
    bool dead; /* memory could not be read or written: see the port's read */

    /* The heap proper. */
    uint64_t top, top_bytes; /* 0: no top */
    uint64_t fresh;          /* I5 */
    uint64_t extent;         /* the youngest, which has the top; then by EXTENT_NEXT */
    uint64_t lists[LISTS];   /* first chunk of each, or 0 */
    uint64_t list_bits[LIST_WORDS];

    /* Blocks with a mapping of their own. */
    uint64_t mapped; /* first, or 0 */

    uint64_t low, high; /* all memory that the heap ever had lies in between */

    /* Settings. */
    uint64_t mmap_threshold, trim_threshold, top_pad, mmap_max;
    bool adapts;
    unsigned char perturb;

    /* Figures; audited. */
    uint64_t system_bytes, system_peak, used_bytes, used_blocks, free_bytes, free_chunks;
    uint64_t mapped_bytes, mapped_blocks, mapped_bytes_peak, mapped_blocks_peak;
};

_Static_assert(sizeof(struct quire_heap) <= QUIRE_HEAP_STORAGE_BYTES, "storage is too small");

/* ---- words of the heap's memory ---------------------------------------------------------------
 */

/* The pointer for an address of memory that is reached by pointers. */
static inline void *pointer(uint64_t at) {
    return (void *)(uintptr_t)at;
}

uint64_t heap_far_get(struct quire_heap *heap, uint64_t at);
void heap_far_put(struct quire_heap *heap, uint64_t at, uint64_t word);

static inline uint64_t get(struct quire_heap *heap, uint64_t at) {
    return heap->port.read == NULL ? *(const uint64_t *)pointer(at) : heap_far_get(heap, at);
}

static inline void put(struct quire_heap *heap, uint64_t at, uint64_t word) {
    if (heap->port.write == NULL) {
        *(uint64_t *)pointer(at) = word;
    } else {
        heap_far_put(heap, at, word);
    }
}

void heap_fill(struct quire_heap *heap, uint64_t at, unsigned char byte, uint64_t bytes);
void heap_copy(struct quire_heap *heap, uint64_t to, uint64_t from, uint64_t bytes);

/* ---- chunks -----------------------------------------------------------------------------------
 */

static inline uint64_t chunk_word(struct quire_heap *heap, uint64_t chunk) {
    return get(heap, chunk + 8);
}

static inline uint64_t chunk_bytes(struct quire_heap *heap, uint64_t chunk) {
    return chunk_word(heap, chunk) & ~CHUNK_FLAGS;
}

static inline bool chunk_used(struct quire_heap *heap, uint64_t chunk) {
    return (chunk_word(heap, chunk) & CHUNK_USED) != 0;
}

static inline uint64_t chunk_before(struct quire_heap *heap, uint64_t chunk) {
    return get(heap, chunk);
}

/* Write the chunk's own length, and the copy of it in the next header (I1). */
static inline void chunk_set(struct quire_heap *heap, uint64_t chunk, uint64_t bytes,
                             uint64_t flags) {
    put(heap, chunk + 8, bytes | flags);
    put(heap, chunk + bytes, bytes);
}

static inline uint64_t round_up(uint64_t value, uint64_t to) {
    return (value + to - 1) & ~(to - 1);
}

/* The chunk for a request: header and rounding. bytes < REQUEST_MAX. */
static inline uint64_t chunk_for(uint64_t bytes) {
    uint64_t need = round_up(bytes + HEADER_BYTES, ALIGN_BYTES);

    return need < CHUNK_MIN ? CHUNK_MIN : need;
}

/* Tell the embedder; the caller gives up. Returns false. */
bool heap_mistake(struct quire_heap *heap, const char *what, uint64_t address);

/* lists.c */
unsigned heap_list_of(uint64_t bytes);
void heap_list_add(struct quire_heap *heap, uint64_t chunk, uint64_t bytes);
void heap_list_remove(struct quire_heap *heap, uint64_t chunk, uint64_t bytes);
/* Take the chunk that fits best, of those that are looked at, off its list; 0: none. */
uint64_t heap_list_take(struct quire_heap *heap, uint64_t bytes);

/* extent.c */
void heap_saw_memory(struct quire_heap *heap, uint64_t from, uint64_t bytes);
/* The top is here and so long now; 0, 0: there is none. Keeps the figures. */
void heap_set_top(struct quire_heap *heap, uint64_t top, uint64_t bytes);
/* Make the top at least `need` bytes and CHUNK_MIN more. in_place: only by extending it. */
bool heap_extend(struct quire_heap *heap, uint64_t need, bool in_place);
/* Give the top's end back but for pad bytes. */
bool heap_trim_top(struct quire_heap *heap, uint64_t pad_bytes);
/* The free chunk fills an extent that was mapped: give it back. */
bool heap_drop_extent(struct quire_heap *heap, uint64_t chunk, uint64_t bytes);

/* mapped.c */
uint64_t heap_map_block(struct quire_heap *heap, uint64_t align, uint64_t bytes);
void heap_unmap_block(struct quire_heap *heap, uint64_t chunk);
/* The chunk with room for `bytes`, perhaps elsewhere; 0: refused. */
uint64_t heap_remap_block(struct quire_heap *heap, uint64_t chunk, uint64_t bytes);
bool heap_mapped_sound(struct quire_heap *heap, uint64_t chunk);
static inline uint64_t mapped_start(struct quire_heap *heap, uint64_t chunk) {
    return chunk - MAPPED_LINKS - chunk_before(heap, chunk);
}

/* alloc.c */
void heap_release(struct quire_heap *heap, uint64_t chunk, uint64_t bytes);

#endif
