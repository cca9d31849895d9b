/* zpool.c: memory for compressed pages: objects of 64 to 3264 bytes, over single frames.
 *
 * Owns the pool. A slab of such objects wants blocks of several frames, or half of each frame is
 * waste: a page compressed to 2100 bytes would take a whole frame again. But this memory is asked
 * for when there is none left, and blocks of neighbouring frames least of all. So a block here is
 * up to four frames from anywhere, and an object may begin in one and end in the next, as in
 * Linux's zsmalloc (mm/zsmalloc.c; Nitin Gupta). Whoever wants its bytes in one piece copies them.
 *
 *     class of 2432 bytes, five objects in three frames:
 *     frame a [ object 0      |  object 1 ┐   frame b └ |  object 2    | obj ┐   frame c └ 3 | 4 ]
 *
 * For each size the number of frames that wastes least is chosen once, and sizes that would put
 * equally many objects in equally many frames are one class. Rejected: a slab cache a class (frames
 * in a row), z3fold's three objects a frame (never better than a third), a log that is compacted
 * (moves memory when there is the least time for it).
 *
 * I1. A block is on its class's full list when it has no free object, else on its partial list, and
 *     is given back when it has no other.
 * I2. nframes counts the frames of all blocks, nobjects the objects in use.
 *
 * Fails for lack of frames. Frames come from the reserve that reclaim may use: each object here is
 * a whole frame that becomes free. Called by store.c. Audited by quire_zpool_audit.
 */
#include <quire/kmem.h>

#include "base/check.h"
#include "swap/store.h"

static unsigned class_bytes(unsigned class) {
    return class * POOL_UNIT;
}

/* Frames of a block for objects of so many bytes: the fewest of those that waste least. */
static unsigned best_frames(unsigned nbytes) {
    unsigned best = 1, waste = (unsigned)QUIRE_PAGE_SIZE % nbytes;
    for (unsigned frames = 2; frames <= POOL_FRAMES_MAX; frames++) {
        unsigned here = frames * (unsigned)QUIRE_PAGE_SIZE % nbytes;
        if (here * best < waste * frames) {
            best = frames;
            waste = here;
        }
    }
    return best;
}

enum quire_status quire_zpool_init(struct quire *q, struct zpool *pool) {
    for (unsigned units = POOL_CLASSES - 1; units > 0; units--) {
        unsigned frames = best_frames(class_bytes(units));
        unsigned objects = frames * (unsigned)QUIRE_PAGE_SIZE / class_bytes(units);
        /* As large as they can be without becoming fewer. */
        unsigned largest = frames * (unsigned)QUIRE_PAGE_SIZE / objects / POOL_UNIT;
        CHECK(q, largest < POOL_CLASSES); /* no block has one object alone */
        struct pool_class *class = &pool->classes[largest];
        pool->class_of[units] = (uint8_t)largest;
        if (!class->nframes) {
            class->nframes = (uint8_t)frames;
            class->nobjects = (uint16_t)objects;
            quire_list_init(&class->partial);
            quire_list_init(&class->full);
        }
    }
    return quire_cache_create(q, "zswap_block", sizeof(struct pool_block), 0, NULL, &pool->blocks);
}

void quire_zpool_fini(struct quire *q, struct zpool *pool) {
    CHECK(q, pool->nobjects == 0 && pool->nframes == 0); /* I1, I2 */
    enum quire_status status = quire_cache_destroy(pool->blocks);
    CHECK(q, status == QUIRE_OK);
}

static unsigned units_of(unsigned nbytes) {
    return (nbytes + POOL_UNIT - 1) / POOL_UNIT;
}

unsigned quire_zpool_needs(const struct zpool *pool, unsigned nbytes) {
    const struct pool_class *class = &pool->classes[pool->class_of[units_of(nbytes)]];
    return quire_list_empty(&class->partial) ? class->nframes : 0;
}

/* ---- where things are -------------------------------------------------------------------------
 */

static struct pool_object *object_at(struct quire *q, const struct pool_block *block,
                                     unsigned index) {
    unsigned offset = index * class_bytes(block->class);
    char *window = quire_page_window(q, block->pages[offset >> QUIRE_PAGE_SHIFT]);
    return (struct pool_object *)(void *)(window + (offset & QUIRE_PAGE_MASK));
}

/* Copy between memory and the bytes behind an object's header, frame by frame. */
static void move_bytes(struct quire *q, const struct pool_object *object, char *to,
                       const char *from, unsigned nbytes) {
    const struct pool_block *block = object->block;
    unsigned at = object->index * class_bytes(block->class) + OBJECT_HEADER_BYTES;
    CHECK(q, OBJECT_HEADER_BYTES + nbytes <= class_bytes(block->class));
    while (nbytes > 0) {
        unsigned inside = at & (unsigned)QUIRE_PAGE_MASK;
        unsigned piece = (unsigned)QUIRE_PAGE_SIZE - inside;
        piece = piece < nbytes ? piece : nbytes;
        char *window = (char *)quire_page_window(q, block->pages[at >> QUIRE_PAGE_SHIFT]) + inside;
        if (to) {
            __builtin_memcpy(to, window, piece);
            to += piece;
        } else {
            __builtin_memcpy(window, from, piece);
            from += piece;
        }
        at += piece;
        nbytes -= piece;
    }
}

void quire_zpool_put(struct quire *q, struct pool_object *object, const void *bytes,
                     unsigned nbytes) {
    move_bytes(q, object, NULL, bytes, nbytes);
}

void quire_zpool_get(struct quire *q, const struct pool_object *object, void *bytes,
                     unsigned nbytes) {
    move_bytes(q, object, bytes, NULL, nbytes);
}

/* ---- blocks ------------------------------------------------------------------------------------
 */

static void block_destroy(struct quire *q, struct zpool *pool, struct pool_block *block) {
    for (unsigned i = 0; i < POOL_FRAMES_MAX && block->pages[i]; i++) {
        quire_page_free(q, block->pages[i]);
        pool->nframes--;
    }
    quire_cache_free(pool->blocks, block);
}

static struct pool_block *block_create(struct quire *q, struct zpool *pool, unsigned number) {
    const struct pool_class *class = &pool->classes[number];
    struct pool_block *block = quire_cache_alloc(pool->blocks);
    if (!block) {
        return NULL;
    }
    *block = (struct pool_block){.class = (uint8_t)number};
    for (unsigned i = 0; i < class->nframes; i++) {
        block->pages[i] = quire_page_alloc(q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_RECLAIM);
        if (!block->pages[i]) {
            block_destroy(q, pool, block);
            return NULL;
        }
        pool->nframes++;
    }
    for (unsigned i = 0; i < class->nobjects; i++) {
        uint16_t next = i + 1 < class->nobjects ? (uint16_t)(i + 1) : POOL_BLOCK_NONE;
        __builtin_memcpy(object_at(q, block, i), &next, sizeof next);
    }
    return block;
}

struct pool_object *quire_zpool_alloc(struct quire *q, struct zpool *pool, unsigned nbytes) {
    unsigned number = pool->class_of[units_of(nbytes)];
    struct pool_class *class = &pool->classes[number];
    struct pool_block *block;
    CHECK(q, nbytes <= POOL_OBJECT_MAX);
    if (!quire_list_empty(&class->partial)) {
        block = QUIRE_CONTAINER(class->partial.next, struct pool_block, link);
    } else {
        block = block_create(q, pool, number);
        if (!block) {
            return NULL;
        }
        quire_list_add_after(&class->partial, &block->link);
    }
    uint16_t index = block->free;
    struct pool_object *object = object_at(q, block, index);
    __builtin_memcpy(&block->free, object, sizeof block->free);
    block->in_use++;
    pool->nobjects++;
    if (block->free == POOL_BLOCK_NONE) { /* I1 */
        quire_list_remove(&block->link);
        quire_list_add_after(&class->full, &block->link);
    }
    object->block = block;
    object->index = index;
    return object;
}

void quire_zpool_free(struct quire *q, struct zpool *pool, struct pool_object *object) {
    struct pool_block *block = object->block;
    struct pool_class *class = &pool->classes[block->class];
    uint16_t index = object->index;
    CHECK(q, block->in_use > 0 && index < class->nobjects);
    __builtin_memcpy(object, &block->free, sizeof block->free);
    block->free = index;
    pool->nobjects--;
    quire_list_remove(&block->link);
    if (--block->in_use == 0) { /* I1 */
        block_destroy(q, pool, block);
    } else {
        quire_list_add_after(&class->partial, &block->link);
    }
}

/* ---- audit ------------------------------------------------------------------------------------
 */

static void audit_block(struct quire *q, const struct zpool *pool, const struct pool_block *block,
                        bool full) {
    const struct pool_class *class = &pool->classes[block->class];
    unsigned free = 0;
    for (uint16_t at = block->free; at != POOL_BLOCK_NONE; free++) {
        CHECK(q, at < class->nobjects && free < class->nobjects);
        __builtin_memcpy(&at, object_at(q, block, at), sizeof at);
    }
    CHECK(q, free + block->in_use == class->nobjects && block->in_use > 0);
    CHECK(q, full == (free == 0)); /* I1 */
    for (unsigned i = 0; i < POOL_FRAMES_MAX; i++) {
        CHECK(q, (block->pages[i] != NULL) == (i < class->nframes));
        CHECK(q, !block->pages[i] || block->pages[i]->use == QUIRE_USE_KERNEL);
    }
}

void quire_zpool_audit(struct quire *q, const struct zpool *pool) {
    uint64_t frames = 0, objects = 0;
    for (unsigned i = 0; i < POOL_CLASSES; i++) {
        const struct pool_class *class = &pool->classes[i];
        for (unsigned full = 0; class->nframes && full < 2; full++) {
            const struct quire_list *head = full ? &class->full : &class->partial;
            for (const struct quire_list *at = head->next; at != head; at = at->next) {
                const struct pool_block *block = QUIRE_CONTAINER(at, struct pool_block, link);
                CHECK(q, block->class == i);
                audit_block(q, pool, block, full);
                frames += class->nframes;
                objects += block->in_use;
            }
        }
    }
    CHECK(q, frames == pool->nframes && objects == pool->nobjects); /* I2 */
}
