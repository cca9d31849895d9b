/* store.h: pages that left, compressed, in RAM. Internal to swap/. */
#ifndef QUIRE_SWAP_STORE_H
#define QUIRE_SWAP_STORE_H

#include "base/list.h"
#include "swap/swap.h"

/* Objects are multiples of 64 bytes, so that a header never crosses from one frame to the next. */
#define POOL_UNIT       64u
#define POOL_FRAMES_MAX 4u /* of a block */
#define POOL_OBJECT_MAX \
    (51u * POOL_UNIT) /* 3264: five in four frames; zsmalloc's huge_class_size */
#define POOL_CLASSES    (POOL_OBJECT_MAX / POOL_UNIT + 1)
#define POOL_BLOCK_NONE UINT16_MAX

/* Up to four frames that objects of one size share; an object may begin in one and end in the next.
 */
struct pool_block {
    struct quire_list link; /* in the class's list of those with a free object, or of full ones */
    struct quire_page *pages[POOL_FRAMES_MAX];
    uint16_t free;   /* index of the first free object, whose first bytes have the next one's */
    uint16_t in_use; /* objects */
    uint8_t class;
};

/* What lies before the compressed bytes: 64 bytes at most, in one frame. */
struct pool_object {
    struct quire_list link; /* store's list, the last one put in first */
    struct quire_anon *anon;
    struct pool_block *block;
    uint64_t seal; /* of the page's bytes */
    uint16_t index, nbytes;
    uint8_t method; /* METHOD_FILL: no bytes, but one word that the page is full of */
};

#define METHOD_FILL 0xFF
/* Compressed bytes begin here; a filled page's word too. */
#define OBJECT_HEADER_BYTES 56u

_Static_assert(sizeof(struct pool_object) <= OBJECT_HEADER_BYTES, "a header and a word in a unit");

struct pool_class {
    struct quire_list partial, full; /* blocks */
    uint8_t nframes;                 /* of a block; 0: no class */
    uint16_t nobjects;
};

struct zpool {
    struct quire_cache *blocks;     /* struct pool_block */
    uint64_t nframes;               /* held */
    uint64_t nobjects;              /* in use */
    uint8_t class_of[POOL_CLASSES]; /* by units: the class whose objects are used for so many */
    struct pool_class classes[POOL_CLASSES];
};

enum store_page { STORE_OUT, STORE_IN, STORE_WHOLE, STORE_PAGES };

struct store {
    enum quire_zswap method;
    uint64_t limit;           /* frames that the pool may have */
    uint32_t serial;          /* numbers the slots, for the trace */
    uint32_t vain;            /* pages in a row that did not shrink, or were taken for such */
    struct quire_list lru;    /* struct pool_object */
    uint64_t nstored, owners; /* owners: audit only */
    /* To work with, once a method was chosen: compressed bytes on their way out and in, in one
     * piece; a whole page on its way to a device. */
    struct quire_page *pages[STORE_PAGES];
    struct zpool pool;
};

/* ---- zpool.c -------------------------------------------------------------------------------- */

enum quire_status quire_zpool_init(struct quire *q, struct zpool *pool);
void quire_zpool_fini(struct quire *q, struct zpool *pool); /* => no object is in use */
/* How many frames more it would hold after an allocation of nbytes (0: there is a free object). */
unsigned quire_zpool_needs(const struct zpool *pool, unsigned nbytes);
/* An object of nbytes, at most POOL_OBJECT_MAX, with block and index set; NULL: no memory. */
struct pool_object *quire_zpool_alloc(struct quire *q, struct zpool *pool, unsigned nbytes);
void quire_zpool_free(struct quire *q, struct zpool *pool, struct pool_object *object);
/* Move nbytes behind the object's header to or from memory. */
void quire_zpool_put(struct quire *q, struct pool_object *object, const void *bytes,
                     unsigned nbytes);
void quire_zpool_get(struct quire *q, const struct pool_object *object, void *bytes,
                     unsigned nbytes);
void quire_zpool_audit(struct quire *q, const struct zpool *pool);

/* ---- store.c ------------------------------------------------------------------------------- */

enum quire_status quire_store_boot(struct quire *q, struct store *store);
void quire_store_shutdown(struct quire *q, struct store *store);
/* The anon's page, compressed, with slot and seal set. False: it does not compress, or there is no
 * room: it must go to a device. May write older pages back to one. */
bool quire_store_out(struct quire *q, struct quire_anon *anon);
enum quire_status quire_store_in(struct quire *q, const struct quire_anon *anon,
                                 struct quire_page *page);
void quire_store_release(struct quire *q, struct quire_anon *anon);
void quire_store_audit(struct quire *q);

/* ---- io.c ---------------------------------------------------------------------------------- */

/* Seal of bytes as id's, in slot. */
uint64_t quire_swap_seal(const void *page_bytes, uint64_t identity, quire_slot slot);
/* Bytes of a page of that identity to a slot of a device. QUIRE_NOMEM, QUIRE_IO as quire_swap_out.
 */
enum quire_status quire_swap_write(struct quire *q, struct quire_page *page, uint64_t identity,
                                   quire_slot *slot, uint64_t *seal);

#endif
