/* heap.h: malloc for programs, over any provider of memory.
 *
 * Two ways in. `quire_malloc` and its sisters are the heap of this process, over Linux's brk and
 * mmap, as the preload library exports them. `quire_heap_*` is the same heap as an object: over a
 * port of the embedder's, over an address space of a manager (quire_heap_port_space), several side
 * by side.
 *
 * The classic heap is the textbook's, as Knuth (The Art of Computer Programming 1, 2.5) and Lea
 * (dlmalloc) describe it: a header of 16 bytes before each block that says how long it is and how
 * long its neighbour is (boundary tags), lists of free chunks by size, neighbours joined at once.
 * heap/README.md draws it.
 *
 * Addresses are 64-bit numbers, for the memory may be another machine's; 0 is none. Blocks are
 * aligned to 16 bytes. Sizes are in bytes.
 *
 * Thread-safety: one lock around each call, if the port has one. For a heap whose every call takes
 * less time than a lock's hand-over that is right; threads that share it wait for each other, and
 * who wants more takes a heap that caches for each thread.
 *
 * Costs: O(1) but for calloc and realloc, which may clear or copy (O(bytes)), and for what says
 * otherwise: of the chunks of a request's own size class at most 16 are looked at.
 */
#ifndef QUIRE_HEAP_H
#define QUIRE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct quire_heap;
struct quire_space;

/* ---- where memory comes from ------------------------------------------------------------------
 *
 * All that a heap asks of the world. Calls are made with the heap's lock held, and must not call
 * the heap. New memory reads as zeros. Memory is mapped and unmapped in multiples of 4096 bytes,
 * and grown so that it ends at one.
 */
struct quire_heap_port {
    void *context; /* handed back as the first argument of all */

    /* As sbrk: move the end of the growing area, return where it was before, 0 if it can't be
     * moved. delta 0 asks where it is. Somebody else may move it too. NULL: there is none, and
     * all memory is mapped. */
    uint64_t (*grow)(void *context, int64_t delta_bytes);

    /* As mmap, munmap, mremap with MAYMOVE, of private memory. map and remap return 0, unmap
     * false, when refused. Part of a mapping may be unmapped. remap NULL: blocks are copied. */
    uint64_t (*map)(void *context, uint64_t bytes);
    bool (*unmap)(void *context, uint64_t at, uint64_t bytes);
    uint64_t (*remap)(void *context, uint64_t at, uint64_t old_bytes, uint64_t new_bytes);

    /* As madvise(DONTNEED): contents may go. Optional. */
    void (*discard)(void *context, uint64_t at, uint64_t bytes);

    /* Around each call of the heap. Optional, both or neither. */
    void (*lock)(void *context);
    void (*unlock)(void *context);

    /* Memory that the caller can't reach by pointer: copy from it and to it, false when the bytes
     * can't be had (the heap is then dead: it refuses all). NULL, both: memory is reached by
     * pointer. */
    bool (*read)(void *context, void *to, uint64_t from, uint64_t bytes);
    bool (*write)(void *context, uint64_t to, const void *from, uint64_t bytes);

    /* The program made a mistake with the block at `address`, as `what` says in one line. May
     * return: the call is then given up, with nothing changed. NULL: mistakes are ignored. */
    void (*mistake)(void *context, const char *what, uint64_t address);
};

/* Over an address space: brk, map, unmap and remap of space.h, bytes by its copies. One thread at a
 * time, as the manager. The space must outlive the heap. No mistake handler is set. */
void quire_heap_port_space(struct quire_heap_port *port, struct quire_space *space);

/* Over this process: sbrk, mmap, a mutex that stays usable across fork. A mistake is written to
 * stderr and ends the process by abort(). */
void quire_heap_port_host(struct quire_heap_port *port);

/* ---- a heap -----------------------------------------------------------------------------------
 */

/* What a heap's own state needs, beside the memory that it manages. */
#define QUIRE_HEAP_STORAGE_BYTES 4096

/* A heap that has no memory yet. storage: QUIRE_HEAP_STORAGE_BYTES, aligned to 16. The port is
 * copied. NULL when map or unmap is missing, or half of a pair is. */
struct quire_heap *quire_heap_init(void *storage, const struct quire_heap_port *port);

/* Give all memory back to the port; all blocks are gone. Grown memory goes back only where nobody
 * else has grown since. O(extents + mapped blocks). */
void quire_heap_fini(struct quire_heap *heap);

/* A block of at least `bytes` (0 is as 1), or 0: the port refused, or bytes is 2^47 or more. */
uint64_t quire_heap_alloc(struct quire_heap *heap, uint64_t bytes);

/* The same of count * bytes, all zeros; 0 also when the product overflows. Pages that come fresh
 * from the port are not touched. */
uint64_t quire_heap_calloc(struct quire_heap *heap, uint64_t count, uint64_t bytes);

/* The same at a multiple of align, a power of two; others are refused with 0. */
uint64_t quire_heap_memalign(struct quire_heap *heap, uint64_t align, uint64_t bytes);

/* The block with another length, where it is when there is room, elsewhere if not; the bytes that
 * both lengths have stay. 0: refused, and the old block is untouched. address 0: as alloc. */
uint64_t quire_heap_realloc(struct quire_heap *heap, uint64_t address, uint64_t bytes);

/* Give a block back. address 0: nothing. */
void quire_heap_free(struct quire_heap *heap, uint64_t address);

/* How many bytes of the block may be used: what was asked for, or a little more. */
uint64_t quire_heap_usable(struct quire_heap *heap, uint64_t address);

/* Give the end of the heap back but for pad_bytes, and whole free pages inside of it as far as the
 * port can discard. Returns if anything went back. O(free chunks). */
bool quire_heap_trim(struct quire_heap *heap, uint64_t pad_bytes);

/* Settings, as mallopt's of these names. false: refused. Setting one of the first four ends the
 * adapting of the threshold. */
enum quire_heap_option {
    QUIRE_HEAP_MMAP_THRESHOLD, /* requests from here on are mapped: 128 KiB; at most 32 MiB */
    QUIRE_HEAP_TRIM_THRESHOLD, /* free memory at the end from which it goes back: 128 KiB */
    QUIRE_HEAP_TOP_PAD,        /* grown beyond what is needed: 128 KiB; at most 2^46 */
    QUIRE_HEAP_MMAP_MAX,       /* at most so many mapped blocks: 65536; 0: none */
    QUIRE_HEAP_PERTURB, /* 1..255: new blocks are filled with its complement, freed with it */
};
bool quire_heap_option(struct quire_heap *heap, enum quire_heap_option option, uint64_t value);

/* ---- looking in -------------------------------------------------------------------------------
 */

struct quire_heap_figures {
    uint64_t system_bytes, system_peak; /* had from the port for the heap proper */
    uint64_t used_bytes, used_blocks;   /* of it in blocks, headers included */
    uint64_t free_bytes, free_chunks;   /* of it free, top included; 16 bytes of each are header */
    uint64_t largest_free, top_bytes;
    uint64_t mapped_bytes, mapped_blocks, mapped_bytes_peak, mapped_blocks_peak; /* by map */
    uint64_t mmap_threshold, trim_threshold, top_pad;
    uint64_t extents; /* pieces that the heap proper is in: 1 unless somebody else grows too */
    /* External fragmentation in thousandths: the share of free memory that is not in the largest
     * free chunk. 0: all of it could be had in one block. */
    unsigned fragmentation_permille;
};
/* O(chunks of the largest size class). */
void quire_heap_measure(struct quire_heap *heap, struct quire_heap_figures *figures);

enum quire_heap_kind { /* of a chunk */
                       QUIRE_HEAP_USED,
                       QUIRE_HEAP_FREE,
                       QUIRE_HEAP_TOP,    /* the end of the heap, which the next growth extends */
                       QUIRE_HEAP_FENCE,  /* where an extent ends because another one follows */
                       QUIRE_HEAP_MAPPED, /* a block with a mapping of its own */
};
struct quire_heap_chunk {
    uint64_t header;  /* where its header is; the block begins 16 bytes further */
    uint64_t bytes;   /* header included; of a mapped one, the whole mapping */
    uint64_t before;  /* what the header says of the chunk before it: its bytes, 0 if none */
    uint64_t mapping; /* of a mapped one: where the mapping begins */
    enum quire_heap_kind kind;
};
/* Call see for each chunk by extent and address, then for each mapped block; it must not call the
 * heap. Ends early when see returns false. O(chunks). */
void quire_heap_walk(struct quire_heap *heap,
                     bool (*see)(void *context, const struct quire_heap_chunk *chunk),
                     void *context);

/* Walk everything and compare headers, lists and figures with each other. NULL: all is well;
 * otherwise what is wrong, in one line. O(chunks). */
const char *quire_heap_audit(struct quire_heap *heap);

/* ---- the heap of this process -----------------------------------------------------------------
 *
 * As malloc(3) and its manual pages say: NULL and ENOMEM (EINVAL for a wrong alignment) when
 * refused; errno is kept by free. Ready before any constructor has run; usable in a child of fork.
 * The environment is read at the first call: MALLOC_MMAP_THRESHOLD_, MALLOC_TRIM_THRESHOLD_,
 * MALLOC_TOP_PAD_, MALLOC_MMAP_MAX_, MALLOC_PERTURB_, as glibc has them.
 */
void *quire_malloc(size_t bytes);
void *quire_calloc(size_t count, size_t bytes);
void *quire_realloc(void *block, size_t bytes); /* bytes 0 frees the block and returns NULL */
void *quire_reallocarray(void *block, size_t count, size_t bytes);
void *quire_memalign(size_t align, size_t bytes);
void *quire_aligned_alloc(size_t align, size_t bytes);
int quire_posix_memalign(void **out, size_t align, size_t bytes);
void *quire_valloc(size_t bytes);
void *quire_pvalloc(size_t bytes);
void quire_free(void *block);
size_t quire_malloc_usable_size(void *block);
int quire_malloc_trim(size_t pad_bytes);
int quire_mallopt(int parameter, int value); /* M_* of <malloc.h>; 0: refused or not known here */
void quire_malloc_stats(void);               /* to stderr */
/* XML; options must be 0. stream is a FILE *. Returns 0, or -1 with EINVAL. */
int quire_malloc_info(int options, void *stream);
/* The object itself, for the functions above: the same heap. */
struct quire_heap *quire_malloc_heap(void);

#ifdef __cplusplus
}
#endif

#endif
