/* arena.c: pieces of any size by moving a pointer, given back all at once.
 *
 *   newest ->  | older | bytes | used used used |next        free        end|
 *                  │
 *                  ▼   | older | bytes | used used ... rest that was too short |
 *
 * What is left of a piece when a request does not fit is lost until reset: at most the size of a
 * request for each piece. A request that is larger than a piece gets one of its own size.
 */
#include <quire/pool.h>

#define PIECE_BYTES     4096
#define PIECE_BYTES_MAX ((size_t)1 << 20)
#define PIECE_ALIGN     16

struct quire_arena_piece {
    struct quire_arena_piece *older;
    size_t bytes; /* all of it */
};

void quire_arena_init(struct quire_arena *arena, const struct quire_pool_source *source,
                      size_t piece_bytes) {
    *arena = (struct quire_arena){.source = *source};
    arena->piece_bytes = piece_bytes != 0 ? piece_bytes : PIECE_BYTES;
}

static void drop_newest(struct quire_arena *arena) {
    struct quire_arena_piece *piece = arena->newest;

    arena->newest = piece->older;
    arena->held_bytes -= piece->bytes;
    arena->source.put(arena->source.context, piece, piece->bytes, PIECE_ALIGN);
}

void quire_arena_fini(struct quire_arena *arena) {
    while (arena->newest != NULL) {
        drop_newest(arena);
    }
    arena->next = arena->end = NULL;
    arena->used_bytes = 0;
}

/* A piece with room for `need` bytes wherever they must be aligned. */
static bool add_piece(struct quire_arena *arena, size_t need) {
    size_t bytes = arena->piece_bytes;

    if (need > SIZE_MAX - sizeof(struct quire_arena_piece)) {
        return false;
    }
    if (bytes < need + sizeof(struct quire_arena_piece)) {
        bytes = need + sizeof(struct quire_arena_piece);
    }
    struct quire_arena_piece *piece = arena->source.get(arena->source.context, bytes, PIECE_ALIGN);
    if (piece == NULL) {
        return false;
    }
    piece->older = arena->newest;
    piece->bytes = bytes;
    arena->newest = piece;
    arena->next = (char *)(piece + 1);
    arena->end = (char *)piece + bytes;
    arena->held_bytes += bytes;
    if (arena->piece_bytes <= PIECE_BYTES_MAX / 2) {
        arena->piece_bytes *= 2;
    }
    return true;
}

/* How many bytes to leave out so that the next one is aligned. */
static size_t gap(const struct quire_arena *arena, size_t align) {
    return (size_t)(-(uintptr_t)arena->next & (align - 1));
}

void *quire_arena_alloc(struct quire_arena *arena, size_t bytes, size_t align) {
    if (bytes == 0) {
        bytes = 1;
    }
    if (align == 0 || (align & (align - 1)) != 0 || bytes > SIZE_MAX - align) {
        return NULL;
    }
    size_t room = (size_t)(arena->end - arena->next), skip = gap(arena, align);
    if (arena->newest == NULL || skip > room || room - skip < bytes) {
        if (!add_piece(arena, bytes + align)) {
            return NULL;
        }
        skip = gap(arena, align);
    }
    char *block = arena->next + skip;
    arena->next = block + bytes;
    arena->used_bytes += bytes;
    return block;
}

bool quire_arena_resize(struct quire_arena *arena, void *block, size_t old_bytes,
                        size_t new_bytes) {
    char *start = block;

    if (start == NULL || arena->newest == NULL || start + old_bytes != arena->next ||
        new_bytes > (size_t)(arena->end - start)) {
        return false;
    }
    arena->next = start + new_bytes;
    arena->used_bytes += new_bytes - old_bytes;
    return true;
}

struct quire_arena_place quire_arena_mark(const struct quire_arena *arena) {
    return (struct quire_arena_place){
        .newest = arena->newest, .next = arena->next, .used_bytes = arena->used_bytes};
}

void quire_arena_rewind(struct quire_arena *arena, struct quire_arena_place mark) {
    while (arena->newest != mark.newest) {
        drop_newest(arena);
    }
    arena->next = mark.next;
    arena->end = arena->newest != NULL ? (char *)arena->newest + arena->newest->bytes : NULL;
    arena->used_bytes = mark.used_bytes;
}

void quire_arena_reset(struct quire_arena *arena) {
    struct quire_arena_piece *kept = arena->newest;

    if (kept == NULL) {
        return;
    }
    while (kept->older != NULL) {
        struct quire_arena_piece *piece = kept->older;
        kept->older = piece->older;
        arena->held_bytes -= piece->bytes;
        arena->source.put(arena->source.context, piece, piece->bytes, PIECE_ALIGN);
    }
    arena->next = (char *)(kept + 1);
    arena->end = (char *)kept + kept->bytes;
    arena->used_bytes = 0;
}
