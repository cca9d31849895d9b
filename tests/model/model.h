/* model.h: what memory must look like, in the plainest C that can say it.
 *
 * No frames, no page tables, no sharing tricks: each page of each space is a struct with its own
 * copy of its bytes, and fork copies them all. Only mappings of objects look through to the
 * object's array. It is slow and dull on purpose: the simulation (tests/sim) believes it and doubts
 * the manager.
 *
 * A page's 4096 bytes are kept as 64 cells: all bytes of a cell have one value. The simulation
 * writes whole cells, so nothing is lost by that, and a whole space is copied in a microsecond.
 */
#ifndef QUIRE_TESTS_MODEL_H
#define QUIRE_TESTS_MODEL_H

#include <quire/space.h>

#define MODEL_SPACES       4
#define MODEL_PAGES        160 /* addresses of a space: pages 0 to 159 */
#define MODEL_FILES        2
#define MODEL_OBJECTS      4 /* the first two are files, the others shared memory */
#define MODEL_OBJECT_PAGES 40
#define MODEL_CELLS        64
#define MODEL_CELL_BYTES   64

struct model_page {
    bool mapped;
    bool own;  /* private: has bytes of its own; otherwise the object's, or zeros, show through */
    bool lazy; /* ADVISE_FREE: what it shows is its own bytes or zeros, until the next write */
    bool held; /* locked, and the program accessed it since: it must stay in RAM */
    unsigned char prot;
    short object;   /* -1: anonymous */
    unsigned flags; /* quire_map_flags and quire_region_flags that stay with a region */
    unsigned index; /* page in the object; in anonymous memory 0 */
    uint8_t cells[MODEL_CELLS];
};

struct model_space {
    bool alive;
    unsigned brk_page;    /* where the heap begins */
    uint64_t brk_bytes;   /* its length */
    unsigned stack_limit; /* pages; 0: the model's */
    unsigned lock_future; /* QUIRE_MAP_LOCKED... that every new mapping gets */
    struct model_page pages[MODEL_PAGES];
};

struct model_object {
    uint64_t ncells; /* size; of shared memory in whole pages */
    uint8_t cells[MODEL_OBJECT_PAGES][MODEL_CELLS];
};

struct model {
    unsigned stack_limit_pages, stack_gap_pages;
    struct model_space spaces[MODEL_SPACES];
    struct model_object objects[MODEL_OBJECTS];
};

/* The cells that a program would read there. => mapped, and not past the object's end */
const uint8_t *model_visible(const struct model *model, const struct model_page *page);

/* What an access to a page ends in: OK, FAULT, DENIED, BUS. A stack may grow by it. */
enum quire_status model_access(struct model *model, struct model_space *space, unsigned page,
                               enum quire_access access);

/* A store of n cells from `first` on. => the access is OK */
void model_write(struct model *model, struct model_page *page, unsigned first, unsigned n,
                 uint8_t value);

/* Ranges of pages are inside of the space: page + n <= MODEL_PAGES. */
void model_map(struct model_space *space, unsigned page, unsigned n, unsigned prot, unsigned flags,
               int object, unsigned index);
void model_unmap(struct model_space *space, unsigned page, unsigned n);
enum quire_status model_protect(struct model_space *space, unsigned page, unsigned n,
                                unsigned prot);
enum quire_status model_advise(struct model *model, struct model_space *space, unsigned page,
                               unsigned n, enum quire_advice advice);
/* mlock: the pages up to the first hole get these locks, 0: none. Then what populating them comes
 * to: QUIRE_UNMAPPED where a page may not be accessed. */
#define MODEL_LOCKS ((unsigned)(QUIRE_MAP_LOCKED | QUIRE_MAP_LOCK_ON_FAULT))
enum quire_status model_lock(struct model *model, struct model_space *space, unsigned page,
                             unsigned n, unsigned locks);
void model_lock_all(struct model_space *space, unsigned flags);
/* The range holds private pages of objects: populating them may copy them or not yet. */
bool model_any_private_object(const struct model_space *space, unsigned page, unsigned n);

/* Move n_old pages to `to`, cut or extended to n_new. => the old pages are one region; the new
 * range does not overlap the old one, unless it begins there too and what follows is free or is cut
 */
void model_remap(struct model_space *space, unsigned from, unsigned n_old, unsigned to,
                 unsigned n_new);
/* n pages move to `to`, and their old place stays mapped without them: MREMAP_DONTUNMAP. */
void model_remap_keep(struct model_space *space, unsigned from, unsigned n, unsigned to);
/* A second mapping of shared pages, n_new from that of page `from` on. */
void model_remap_double(struct model_space *space, unsigned from, unsigned to, unsigned n_new);
void model_fork(const struct model_space *parent, struct model_space *child);

/* All mapped, or all free. */
bool model_all_mapped(const struct model_space *space, unsigned page, unsigned n);
bool model_all_free(const struct model_space *space, unsigned page, unsigned n);
/* Would these two neighbours be one region: second follows first. */
bool model_joined(const struct model_page *first, const struct model_page *second);
/* Mapped and one region. */
bool model_one_region(const struct model_space *space, unsigned page, unsigned n);

/* Write n cells of a file, which grows if need be; cut or extend an object. */
void model_file_write(struct model *model, int object, uint64_t cell, unsigned n, uint8_t value);
void model_truncate(struct model *model, int object, uint64_t ncells);
bool model_object_mapped(const struct model *model, int object);

#endif
