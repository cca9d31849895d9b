/* pool.c: objects of one size.
 *
 *   slab ->  | pool | next | previous | used | bits: 1 is free | object | object | ... |
 *            ^ at a multiple of slab_bytes
 *
 * A slab lies at a multiple of its size, so an object's slab is found by masking its address; it
 * names its pool, so a foreign object is refused; and its bitmap says what is free, so a second
 * free is refused. The pool keeps slabs on three lists:
 *
 *   P1  full: no free place. partial: some. spare: all free, none used.
 *   P2  objects is the sum of used; a slab's used is its places without a bit.
 *
 * Rejected: links through free objects. They save the bitmap, one bit an object, and would write
 * into what was freed: the last bytes of an object stay as they were, which debuggers like, and
 * nothing that a program writes there by mistake can lead the pool astray.
 */
#include <quire/heap.h>
#include <quire/pool.h>

#define SLAB_BYTES      ((size_t)64 << 10) /* as long as that is enough for OBJECTS_WANTED */
#define OBJECTS_WANTED  8
#define WORDS_MAX       64 /* 4096 objects: 64 KiB of 16 bytes */
#define ALIGN_MAX       ((size_t)1 << 20)
#define WORD_BITS       64
#define OBJECT_MAX_HALF (SIZE_MAX / 4 < ((uint64_t)1 << 40) ? SIZE_MAX / 4 : (size_t)1 << 40)

struct quire_pool_slab {
    const struct quire_pool *pool;
    struct quire_pool_slab *next, **link; /* link: what points at this one */
    size_t used;
    size_t hint; /* no bit is set in the words before it */
    uint64_t bits[WORDS_MAX];
};

static size_t round_up(size_t value, size_t to) {
    return (value + to - 1) & ~(to - 1);
}

bool quire_pool_init(struct quire_pool *pool, const struct quire_pool_source *source,
                     size_t object_bytes, size_t align, size_t limit) {
    if (align == 0 || (align & (align - 1)) != 0 || align > ALIGN_MAX || object_bytes == 0 ||
        object_bytes > OBJECT_MAX_HALF / (2 * OBJECTS_WANTED)) {
        return false;
    }
    *pool = (struct quire_pool){.source = *source, .limit = limit};
    pool->stride = round_up(object_bytes, align);
    pool->first = round_up(sizeof(struct quire_pool_slab), align);
    pool->slab_bytes = SLAB_BYTES;
    while (pool->slab_bytes - pool->first < OBJECTS_WANTED * pool->stride ||
           pool->slab_bytes <= pool->first) {
        pool->slab_bytes *= 2;
    }
    pool->per_slab = (pool->slab_bytes - pool->first) / pool->stride;
    if (pool->per_slab > WORDS_MAX * WORD_BITS) {
        pool->per_slab = WORDS_MAX * WORD_BITS;
    }
    return true;
}

/* ---- slabs and their lists --------------------------------------------------------------------
 */

static void enlist(struct quire_pool_slab **list, struct quire_pool_slab *slab) {
    slab->next = *list;
    slab->link = list;
    if (slab->next != NULL) {
        slab->next->link = &slab->next;
    }
    *list = slab;
}

static void delist(struct quire_pool_slab *slab) {
    *slab->link = slab->next;
    if (slab->next != NULL) {
        slab->next->link = slab->link;
    }
}

/* A new spare slab. */
static bool add_slab(struct quire_pool *pool) {
    struct quire_pool_slab *slab =
        pool->source.get(pool->source.context, pool->slab_bytes, pool->slab_bytes);

    if (slab == NULL) {
        return false;
    }
    slab->pool = pool;
    slab->used = slab->hint = 0;
    for (size_t word = 0; word < WORDS_MAX; word++) {
        size_t places = pool->per_slab > word * WORD_BITS ? pool->per_slab - word * WORD_BITS : 0;
        slab->bits[word] = places >= WORD_BITS ? ~(uint64_t)0 : ((uint64_t)1 << places) - 1;
    }
    enlist(&pool->spare, slab);
    pool->nspare++;
    pool->slabs++;
    return true;
}

static void drop_slab(struct quire_pool *pool, struct quire_pool_slab *slab) {
    delist(slab);
    slab->pool = NULL; /* a late free of one of its objects is told, if the memory is still there */
    pool->slabs--;
    pool->source.put(pool->source.context, slab, pool->slab_bytes, pool->slab_bytes);
}

void quire_pool_fini(struct quire_pool *pool) {
    struct quire_pool_slab **lists[] = {&pool->full, &pool->partial, &pool->spare};

    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        while (*lists[i] != NULL) {
            drop_slab(pool, *lists[i]);
        }
    }
    pool->objects = pool->nspare = 0;
}

size_t quire_pool_trim(struct quire_pool *pool) {
    size_t dropped = pool->nspare;

    while (pool->spare != NULL) {
        drop_slab(pool, pool->spare);
    }
    pool->nspare = pool->stock = 0;
    return dropped;
}

/* ---- objects ----------------------------------------------------------------------------------
 */

/* A slab with a free place, on the list of partial ones. */
static struct quire_pool_slab *slab_with_room(struct quire_pool *pool) {
    if (pool->partial == NULL) {
        if (pool->spare == NULL && !add_slab(pool)) {
            return NULL;
        }
        struct quire_pool_slab *slab = pool->spare;
        delist(slab);
        pool->nspare--;
        enlist(&pool->partial, slab);
    }
    return pool->partial;
}

void *quire_pool_alloc(struct quire_pool *pool) {
    if (pool->limit != 0 && pool->objects >= pool->limit) {
        return NULL;
    }
    struct quire_pool_slab *slab = slab_with_room(pool);
    if (slab == NULL) {
        return NULL;
    }
    while (slab->bits[slab->hint] == 0) {
        slab->hint++;
    }
    unsigned bit = (unsigned)__builtin_ctzll(slab->bits[slab->hint]);
    size_t place = slab->hint * WORD_BITS + bit;
    slab->bits[slab->hint] &= slab->bits[slab->hint] - 1;
    pool->objects++;
    if (++slab->used == pool->per_slab) {
        delist(slab);
        enlist(&pool->full, slab);
    }
    return (char *)slab + pool->first + place * pool->stride;
}

static size_t free_places(const struct quire_pool *pool) {
    return pool->slabs * pool->per_slab - pool->objects;
}

/* An object has come back to the slab: put it where it belongs now. */
static void settle(struct quire_pool *pool, struct quire_pool_slab *slab) {
    if (slab->used != 0 && slab->used + 1 != pool->per_slab) {
        return;
    }
    delist(slab);
    if (slab->used != 0) {
        enlist(&pool->partial, slab);
        return;
    }
    enlist(&pool->spare, slab);
    pool->nspare++;
    if (pool->nspare > 1 && free_places(pool) >= pool->stock + pool->per_slab) {
        pool->nspare--;
        drop_slab(pool, slab);
    }
}

bool quire_pool_free(struct quire_pool *pool, void *object) {
    uintptr_t at = (uintptr_t)object;
    struct quire_pool_slab *slab =
        (struct quire_pool_slab *)(at & ~(uintptr_t)(pool->slab_bytes - 1));
    size_t offset = (size_t)(at - (uintptr_t)slab) - pool->first;
    size_t place = offset / pool->stride;

    if (slab == NULL || slab->pool != pool || place >= pool->per_slab ||
        place * pool->stride != offset) {
        return false;
    }
    uint64_t bit = (uint64_t)1 << (place % WORD_BITS);
    if ((slab->bits[place / WORD_BITS] & bit) != 0) {
        return false;
    }
    slab->bits[place / WORD_BITS] |= bit;
    if (place / WORD_BITS < slab->hint) {
        slab->hint = place / WORD_BITS;
    }
    slab->used--;
    pool->objects--;
    settle(pool, slab);
    return true;
}

bool quire_pool_reserve(struct quire_pool *pool, size_t objects) {
    if (pool->limit != 0 &&
        (pool->objects > pool->limit || objects > pool->limit - pool->objects)) {
        return false;
    }
    while (free_places(pool) < objects) {
        if (!add_slab(pool)) {
            return false;
        }
    }
    pool->stock = objects > pool->stock ? objects : pool->stock;
    return true;
}

/* ---- looking in -------------------------------------------------------------------------------
 */

void quire_pool_measure(const struct quire_pool *pool, struct quire_pool_figures *figures) {
    *figures = (struct quire_pool_figures){
        .objects = pool->objects,
        .free_places = free_places(pool),
        .slabs = pool->slabs,
        .slab_bytes = pool->slab_bytes,
        .per_slab = pool->per_slab,
        .overhead_bytes = pool->slabs * (pool->slab_bytes - pool->per_slab * pool->stride),
    };
}

static size_t count_free(const struct quire_pool_slab *slab) {
    size_t bits = 0;

    for (size_t word = 0; word < WORDS_MAX; word++) {
        bits += (size_t)__builtin_popcountll(slab->bits[word]);
    }
    return bits;
}

const char *quire_pool_audit(const struct quire_pool *pool) {
    const struct quire_pool_slab *lists[] = {pool->full, pool->partial, pool->spare};
    size_t objects = 0, slabs = 0, nspare = 0;

    for (size_t list = 0; list < 3; list++) {
        for (const struct quire_pool_slab *slab = lists[list]; slab != NULL; slab = slab->next) {
            if (slab->pool != pool || *slab->link != slab) {
                return "a slab on a list is not the pool's";
            }
            if ((slab->used == pool->per_slab) != (list == 0) || (slab->used == 0) != (list == 2)) {
                return "P1: a slab is on the wrong list";
            }
            if (slab->used + count_free(slab) != pool->per_slab) {
                return "P2: a slab's bits are not what it counts";
            }
            objects += slab->used;
            slabs++;
            nspare += list == 2;
        }
    }
    return objects == pool->objects && slabs == pool->slabs && nspare == pool->nspare
               ? NULL
               : "P2: the pool's counts are not what is there";
}

static void *heap_get(void *context, size_t bytes, size_t align) {
    return (void *)(uintptr_t)quire_heap_memalign(context, align, bytes);
}

static void heap_put(void *context, void *piece, size_t bytes, size_t align) {
    (void)bytes, (void)align;
    quire_heap_free(context, (uintptr_t)piece);
}

struct quire_pool_source quire_pool_source_heap(struct quire_heap *heap) {
    return (struct quire_pool_source){.context = heap, .get = heap_get, .put = heap_put};
}
