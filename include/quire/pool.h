/* pool.h: pools of objects of one size, and arenas, for programs.
 *
 * A pool hands out objects of one size in constant time and takes them back one by one; there is no
 * header before an object, and what is freed twice or elsewhere is refused. An arena hands out
 * pieces of any size by moving a pointer, and takes them back all at once, or back to a mark. Both
 * take memory in larger pieces from a source: the heap, or whatever the program has.
 *
 * The pool is Bonwick's slab (USENIX 1994) with a bitmap in place of links, so that it never writes
 * into a free object; the arena is Hanson's (Software: Practice and Experience, 1990).
 *
 * Thread-safety: none of its own; one thread at a time for each pool or arena. Nothing here is
 * global. Sizes are in bytes; alignments are powers of two.
 */
#ifndef QUIRE_POOL_H
#define QUIRE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct quire_heap;

/* ---- where the large pieces come from ---------------------------------------------------------
 *
 * get returns `bytes` at a multiple of `align`, or NULL; put takes them back, with the same
 * numbers. The memory need not be zero.
 */
struct quire_pool_source {
    void *context;
    void *(*get)(void *context, size_t bytes, size_t align);
    void (*put)(void *context, void *piece, size_t bytes, size_t align);
};

/* From a heap that is reached by pointers. */
struct quire_pool_source quire_pool_source_heap(struct quire_heap *heap);

/* ---- pools ------------------------------------------------------------------------------------
 */

/* The caller's to keep, at one place; nothing in it is the caller's to touch. */
struct quire_pool {
    struct quire_pool_source source;
    size_t stride, slab_bytes, first, per_slab, limit; /* first: offset of a slab's first object */
    size_t objects, slabs;                             /* given out; had from the source */
    struct quire_pool_slab *partial, *full, *spare;    /* lists; spare: one that is empty */
    size_t nspare, stock; /* stock: free places that frees do not give back */
};

/* Objects of object_bytes (1 and more) at multiples of align. limit: at most so many objects at a
 * time, 0 for any number. Nothing is taken from the source yet. false: align is no power of two or
 * larger than 1 MiB, or object_bytes is larger than 2^40 or a quarter of the address space. */
bool quire_pool_init(struct quire_pool *pool, const struct quire_pool_source *source,
                     size_t object_bytes, size_t align, size_t limit);

/* Give everything back, objects that are still out included. O(slabs). */
void quire_pool_fini(struct quire_pool *pool);

/* An object, not cleared; NULL: the source has refused, or limit is reached. The lowest free place
 * of a slab first. O(1), but that a slab's bitmap of at most 64 words is searched. */
void *quire_pool_alloc(struct quire_pool *pool);

/* Take an object back. false: it is not one, or is free already; nothing has changed then. The
 * pointer's slab is looked at, so a pointer that leads nowhere is a fault. O(1). A slab that
 * becomes empty goes back to the source when there is a spare one already. */
bool quire_pool_free(struct quire_pool *pool, void *object);

/* Have `objects` free places in stock: so many quire_pool_alloc will not fail. Frees fill the stock
 * up to that number again before memory goes back; quire_pool_trim gives it up. false: the source
 * refused, or limit is less. */
bool quire_pool_reserve(struct quire_pool *pool, size_t objects);

/* Give all empty slabs back, a stock too; returns how many. */
size_t quire_pool_trim(struct quire_pool *pool);

struct quire_pool_figures {
    size_t objects, free_places, slabs; /* now */
    size_t slab_bytes, per_slab;
    size_t overhead_bytes; /* of all slabs: what is neither an object nor a free place */
};
void quire_pool_measure(const struct quire_pool *pool, struct quire_pool_figures *figures);

/* Recount everything; NULL: all is well, otherwise what is wrong. O(objects). */
const char *quire_pool_audit(const struct quire_pool *pool);

/* ---- arenas -----------------------------------------------------------------------------------
 */

struct quire_arena { /* as struct quire_pool */
    struct quire_pool_source source;
    struct quire_arena_piece *newest;
    char *next, *end; /* free bytes of the newest piece */
    size_t piece_bytes, used_bytes, held_bytes;
};

/* A place to go back to. */
struct quire_arena_place {
    struct quire_arena_piece *newest;
    char *next;
    size_t used_bytes;
};

/* piece_bytes: size of the first piece from the source, 0 for 4096; each further one is twice as
 * large, up to 1 MiB. Nothing is taken yet. */
void quire_arena_init(struct quire_arena *arena, const struct quire_pool_source *source,
                      size_t piece_bytes);

/* Give everything back. O(pieces). */
void quire_arena_fini(struct quire_arena *arena);

/* bytes (0 is as 1) at a multiple of align, not cleared. NULL: the source has refused, align is no
 * power of two, or the sum overflows. O(1). */
void *quire_arena_alloc(struct quire_arena *arena, size_t bytes, size_t align);

/* The allocation that was made last becomes longer or shorter where it is; false: it was not the
 * last, or there is no room. */
bool quire_arena_resize(struct quire_arena *arena, void *block, size_t old_bytes, size_t new_bytes);

/* Where the arena is now; and back: what was allocated since is gone, whole pieces go back to the
 * source. Marks must be used youngest first. O(pieces since). */
struct quire_arena_place quire_arena_mark(const struct quire_arena *arena);
void quire_arena_rewind(struct quire_arena *arena, struct quire_arena_place mark);

/* Everything is gone, but the newest piece, usually the largest, is kept for reuse. */
void quire_arena_reset(struct quire_arena *arena);

#ifdef __cplusplus
}
#endif

#endif
