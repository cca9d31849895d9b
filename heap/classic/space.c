/* space.c: the port over an address space of a manager: brk, map, unmap, remap, and bytes by the
 * copies that fault pages in as the program's own accesses would.
 *
 * So a laboratory can run malloc in a process that has no program: the heap's code is here, its
 * headers are there, in the machine's RAM or on its swap disk.
 */
#include <quire/heap.h>
#include <quire/space.h>

static uint64_t grow(void *context, int64_t delta_bytes) {
    struct quire_space *space = context;
    uint64_t end = quire_brk(space, quire_va(0)).value;
    uint64_t wanted = end + (uint64_t)delta_bytes;

    if (delta_bytes != 0 && quire_brk(space, quire_va(wanted)).value != wanted) {
        return 0;
    }
    return end;
}

static uint64_t map(void *context, uint64_t bytes) {
    quire_vaddr at = quire_va(0);

    return quire_map(context, &at, bytes, QUIRE_PROT_READ | QUIRE_PROT_WRITE, 0, NULL, 0) ==
                   QUIRE_OK
               ? at.value
               : 0;
}

static bool unmap(void *context, uint64_t at, uint64_t bytes) {
    return quire_unmap(context, quire_va(at), bytes) == QUIRE_OK;
}

static uint64_t remap(void *context, uint64_t at, uint64_t old_bytes, uint64_t new_bytes) {
    quire_vaddr moved = quire_va(0);

    return quire_remap(context, quire_va(at), old_bytes, new_bytes, QUIRE_REMAP_MAY_MOVE, &moved) ==
                   QUIRE_OK
               ? moved.value
               : 0;
}

static void discard(void *context, uint64_t at, uint64_t bytes) {
    (void)quire_advise(context, quire_va(at), bytes, QUIRE_ADVISE_DONTNEED);
}

static bool read(void *context, void *to, uint64_t from, uint64_t bytes) {
    return quire_copy_in(context, to, quire_va(from), (size_t)bytes) == 0;
}

static bool write(void *context, uint64_t to, const void *from, uint64_t bytes) {
    return quire_copy_out(context, quire_va(to), from, (size_t)bytes) == 0;
}

void quire_heap_port_space(struct quire_heap_port *port, struct quire_space *space) {
    *port = (struct quire_heap_port){
        .context = space,
        .grow = grow,
        .map = map,
        .unmap = unmap,
        .remap = remap,
        .discard = discard,
        .read = read,
        .write = write,
    };
}
