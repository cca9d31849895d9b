/* far.c: memory that can't be reached by pointer, through the port's read and write; and filling
 * and copying, for both kinds.
 *
 * A word that can't be had means that the heap's owner is as good as dead: a program gets SIGBUS
 * then. The heap says so by `dead` and reads zeros from then on, which end every list; nothing that
 * is done in that state matters, for all later calls are refused.
 */
#include "heap/classic/classic.h"

#define PIECE_BYTES 512 /* on the stack, a piece at a time */

static bool far_read(struct quire_heap *heap, void *to, uint64_t from, uint64_t bytes) {
    if (heap->dead || !heap->port.read(heap->port.context, to, from, bytes)) {
        heap->dead = true;
        memset(to, 0, bytes);
        return false;
    }
    return true;
}

static bool far_write(struct quire_heap *heap, uint64_t to, const void *from, uint64_t bytes) {
    if (heap->dead || !heap->port.write(heap->port.context, to, from, bytes)) {
        heap->dead = true;
        return false;
    }
    return true;
}

uint64_t heap_far_get(struct quire_heap *heap, uint64_t at) {
    uint64_t word;

    far_read(heap, &word, at, sizeof word);
    return word;
}

void heap_far_put(struct quire_heap *heap, uint64_t at, uint64_t word) {
    far_write(heap, at, &word, sizeof word);
}

void heap_fill(struct quire_heap *heap, uint64_t at, unsigned char byte, uint64_t bytes) {
    unsigned char piece[PIECE_BYTES];

    if (heap->port.write == NULL) {
        memset(pointer(at), byte, (size_t)bytes);
        return;
    }
    memset(piece, byte, sizeof piece);
    while (bytes != 0) {
        uint64_t now = bytes < PIECE_BYTES ? bytes : PIECE_BYTES;
        if (!far_write(heap, at, piece, now)) {
            return;
        }
        at += now;
        bytes -= now;
    }
}

void heap_copy(struct quire_heap *heap, uint64_t to, uint64_t from, uint64_t bytes) {
    unsigned char piece[PIECE_BYTES];

    if (heap->port.read == NULL) {
        memcpy(pointer(to), pointer(from), (size_t)bytes);
        return;
    }
    while (bytes != 0) {
        uint64_t now = bytes < PIECE_BYTES ? bytes : PIECE_BYTES;
        if (!far_read(heap, piece, from, now) || !far_write(heap, to, piece, now)) {
            return;
        }
        to += now;
        from += now;
        bytes -= now;
    }
}
