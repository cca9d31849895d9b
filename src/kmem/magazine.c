/* magazine.c: objects that wait, constructed, to be used again: two magazines a cache, and a depot
 * (Bonwick and Adams, "Magazines and Vmem: Extending the Slab Allocator to Many CPUs and Arbitrary
 * Resources", USENIX 2001).
 *
 *        alloc ▲ │ free                inline in kmem.h: pop and push
 *          ┌───┴─▼────┐  ┌──────────┐
 *          │  loaded  │◀▶│ previous │  full or empty: swapped with loaded, whichever is wanted
 *          └────┬─────┘  └────┬─────┘
 *               │             ▼
 *               │      depot: full ─ full ─ full     empty ─ empty
 *               ▼             │
 *             slabs ◀─────────┘        when not needed for a while, and under pressure
 *
 * With two magazines a program at the edge of one does not go to the depot at every call. Calls on
 * a struct quire never overlap, so that one pair serves all processors, and needs no lock. Counting
 * is left to who asks: in_use of a cache says how many objects are out of slabs, and what of those
 * lies in magazines is worked out (quire_cache_hot).
 *
 * The fast path asks nothing: no test switch, no poison. Where something must be asked, the front
 * is *closed*: it claims to be empty (for alloc) and full (for free), and the slow path works on
 * the same magazines with the true count. So a test sees the objects in the same order as a user
 * does.
 *
 * The depot grows as the program needs and shrinks by its working set, as the paper has it (section
 * 3.5): magazines that lay there for a whole second without being wanted go home.
 *
 * A cache gets its first magazine when it has had a magazine full of objects, or one back: those
 * with a handful of objects for ever (boot) have none.
 *
 * Invariants:
 *   I1  closed: front.count = front.room = 0, nclosed is the count. Open: front.count is, and
 *       front.room = rounds once there is a loaded magazine
 *   I2  previous is full or empty; the depot's lists are full, and empty, without exception
 *   I3  an object in a magazine is out of its slab
 *
 * What may fail: allocation, with NULL; a magazine that cannot be had is done without. Audit:
 * audit.c.
 */
#include "base/check.h"
#include "kmem/cache.h"

static uint32_t *count_of(struct quire_cache *cache) {
    return cache->closed ? &cache->nclosed : &cache->front.count; /* I1 */
}

uint32_t quire_cache_loaded(const struct quire_cache *cache) {
    return cache->closed ? cache->nclosed : cache->front.count;
}

uint64_t quire_cache_hot(const struct quire_cache *cache) {
    return quire_cache_loaded(cache) + cache->nprevious + (uint64_t)cache->ndepot * cache->rounds;
}

/* ---- magazines ------------------------------------------------------------------------------- */

/* Load this one. => the count is set by the caller */
static void load(struct quire_cache *cache, struct magazine *magazine) {
    cache->loaded = magazine;
    cache->front.objects = magazine->objects;
    cache->front.room = cache->closed ? 0 : cache->rounds; /* I1 */
}

static void swap_magazines(struct quire_cache *cache) {
    struct magazine *loaded = cache->loaded;
    uint32_t nloaded = *count_of(cache);
    load(cache, cache->previous);
    *count_of(cache) = cache->nprevious;
    cache->previous = loaded;
    cache->nprevious = nloaded;
}

static void push(struct magazine **list, struct magazine *magazine) {
    magazine->next = *list;
    *list = magazine;
}

static struct magazine *pop(struct magazine **list) {
    struct magazine *magazine = *list;
    if (magazine) {
        *list = magazine->next;
    }
    return magazine;
}

static struct magazine *new_magazine(struct quire_cache *cache) {
    return quire_cache_take(&cache->q->kmem->magazine_cache);
}

static bool first_magazine(struct quire_cache *cache) {
    struct magazine *magazine = cache->rounds > 0 ? new_magazine(cache) : NULL;
    if (magazine) {
        load(cache, magazine);
    }
    return magazine != NULL;
}

/* Objects for a loaded magazine that is empty. False: there are none to be had, or no magazine. */
static bool refill(struct quire_cache *cache) {
    if (!cache->loaded) {
        if (cache->in_use < cache->rounds || !first_magazine(cache)) {
            return false;
        }
    } else if (cache->nprevious > 0) {
        swap_magazines(cache);
        return true;
    } else if (cache->ndepot > 0) {
        push(&cache->depot_empty, cache->loaded);
        load(cache, pop(&cache->depot_full));
        cache->ndepot--;
        cache->depot_low = cache->ndepot < cache->depot_low ? cache->ndepot : cache->depot_low;
        *count_of(cache) = cache->rounds;
        return true;
    }
    unsigned taken = quire_slab_take(cache, cache->loaded->objects, cache->rounds);
    *count_of(cache) = taken;
    return taken > 0;
}

/* Room for one more in a loaded magazine that is full. False: there is no magazine at all. */
static bool make_room(struct quire_cache *cache) {
    uint32_t rounds = cache->rounds;
    if (!cache->loaded) {
        return first_magazine(cache);
    }
    if (!cache->previous) {
        cache->previous = new_magazine(cache); /* empty: nprevious is 0 */
    }
    if (!cache->previous) { /* no memory: the older half goes home */
        unsigned half = (rounds + 1) / 2;
        quire_slab_give(cache, cache->loaded->objects, half);
        __builtin_memmove(cache->loaded->objects, cache->loaded->objects + half,
                          (rounds - half) * sizeof cache->loaded->objects[0]);
        *count_of(cache) = rounds - half;
        return true;
    }
    if (cache->nprevious > 0 && cache->ndepot < cache->depot_max) {
        struct magazine *fresh = pop(&cache->depot_empty);
        if (fresh || (fresh = new_magazine(cache)) != NULL) {
            push(&cache->depot_full, cache->previous);
            cache->ndepot++;
            cache->previous = fresh;
            cache->nprevious = 0;
        }
    }
    if (cache->nprevious > 0) { /* what was freed longest ago goes home */
        quire_slab_give(cache, cache->previous->objects, rounds);
        cache->nprevious = 0;
    }
    swap_magazines(cache);
    return true;
}

/* ---- objects --------------------------------------------------------------------------------- */

void *quire_cache_take(struct quire_cache *cache) {
    uint32_t *count = count_of(cache);
    void *object = NULL;
    if (*count > 0 || refill(cache)) {
        object = cache->loaded->objects[--*count];
    } else {
        (void)quire_slab_take(cache, &object, 1);
    }
    if (object && quire_cache_looks(cache)) {
        quire_checked_alloc(cache, object);
    }
    return object;
}

__attribute__((noinline)) void *quire_cache_alloc_slow(struct quire_cache *cache) {
    return quire_page_should_fail(cache->q) ? NULL : quire_cache_take(cache);
}

__attribute__((noinline)) void quire_cache_free_slow(struct quire_cache *cache, void *object) {
    if (quire_cache_looks(cache)) {
        quire_checked_free(cache, object);
    }
    uint32_t *count = count_of(cache);
    if (cache->loaded ? *count < cache->rounds || make_room(cache) : make_room(cache)) {
        cache->loaded->objects[(*count)++] = object;
    } else {
        quire_slab_give(cache, &object, 1);
    }
}

/* ---- many at once ---------------------------------------------------------------------------- */

/* From the loaded magazine while it has any, then from slabs, a slab at a time: magazines of the
 * depot stay for those who come one by one. */
bool quire_cache_alloc_bulk(struct quire_cache *cache, void **objects, size_t n) {
    size_t done = 0;
    if (quire_page_should_fail(cache->q)) {
        return false;
    }
    uint32_t *count = count_of(cache);
    bool more = true;
    while (done < n && more) {
        for (; *count > 0 && done < n; done++) {
            objects[done] = cache->loaded->objects[--*count];
        }
        size_t want = n - done < INDEX_SEEN ? n - done : INDEX_SEEN;
        unsigned taken = want > 0 ? quire_slab_take(cache, objects + done, (unsigned)want) : 0;
        done += taken;
        more = taken > 0 || (done < n && refill(cache)); /* the last ones: the depot's */
    }
    for (size_t i = 0; i < done && quire_cache_looks(cache); i++) {
        quire_checked_alloc(cache, objects[i]);
    }
    if (done < n) {
        quire_cache_free_bulk(cache, objects, done);
    }
    return done == n;
}

void quire_cache_free_bulk(struct quire_cache *cache, void *const *objects, size_t n) {
    for (size_t i = 0; i < n; i++) {
        quire_cache_free(cache, objects[i]);
    }
}

/* ---- guard and drain ------------------------------------------------------------------------- */

void quire_cache_guard(struct quire_cache *cache) {
    bool close = quire_cache_looks(cache) || cache->q->fail_every != 0;
    uint32_t count = quire_cache_loaded(cache);
    cache->closed = close;
    cache->nclosed = close ? count : 0;
    cache->front.count = close ? 0 : count; /* I1 */
    cache->front.room = close || !cache->loaded ? 0 : cache->rounds;
}

void quire_kmem_guard(struct quire *q) {
    struct quire_list *head = &q->kmem->caches;
    for (struct quire_list *link = head->next; link != head; link = link->next) {
        quire_cache_guard(QUIRE_CONTAINER(link, struct quire_cache, link));
    }
}

static void drop_magazine(struct quire_cache *cache, struct magazine *magazine, unsigned nobjects) {
    if (magazine) {
        quire_slab_give(cache, magazine->objects, nobjects);
        quire_cache_free(&cache->q->kmem->magazine_cache, magazine);
    }
}

void quire_cache_drain(struct quire_cache *cache) {
    struct magazine *magazine;
    drop_magazine(cache, cache->loaded, *count_of(cache));
    *count_of(cache) = 0;
    cache->loaded = NULL;
    cache->front.objects = NULL;
    cache->front.room = 0;
    drop_magazine(cache, cache->previous, cache->nprevious);
    cache->previous = NULL;
    cache->nprevious = 0;
    while ((magazine = pop(&cache->depot_full)) != NULL) {
        cache->ndepot--;
        drop_magazine(cache, magazine, cache->rounds);
    }
    cache->depot_low = 0;
    while ((magazine = pop(&cache->depot_empty)) != NULL) {
        drop_magazine(cache, magazine, 0);
    }
}

void quire_cache_trim(struct quire_cache *cache) {
    struct magazine **cut = &cache->depot_full, *magazine;
    for (uint32_t n = cache->ndepot - cache->depot_low; n > 0; n--) {
        cut = &(*cut)->next;
    }
    magazine = *cut; /* from here on: the bottom of the stack, which nobody came to */
    *cut = NULL;
    cache->ndepot -= cache->depot_low;
    cache->depot_low = cache->ndepot;
    while (magazine) {
        struct magazine *next = magazine->next;
        drop_magazine(cache, magazine, cache->rounds);
        magazine = next;
    }
    while ((magazine = pop(&cache->depot_empty)) != NULL) {
        drop_magazine(cache, magazine, 0);
    }
}

/* ---- for base/: nodes of sparse arrays ------------------------------------------------------- */

void *quire_slab_node_alloc(void *cache) {
    return quire_cache_alloc(cache);
}

void quire_slab_node_free(void *cache, void *node) {
    quire_cache_free(cache, node);
}
