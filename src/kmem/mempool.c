/* mempool.c: a stock that is set aside, so that work which frees memory can always be finished.
 *
 *     alloc:  source ──ok──▶ caller              free:  reserve < least ? reserve : source
 *                └─none─▶ reserve ─▶ caller
 *
 * The source is asked first: the reserve is for the moment when there is nothing else. What comes
 * back fills the reserve before anything goes to the source, so a pool of n elements serves any
 * number of requests, n at a time, with no memory left in the machine (Linux has the same order,
 * mm/mempool.c).
 *
 * Invariants:
 *   I1  nreserve <= least, and least - nreserve elements at most are out of the reserve: those are
 *       among the nout that callers have
 *   I2  the reserve's elements are out of their source
 *
 * What may fail: creation and growth, without a trace; allocation only with the reserve used up.
 * Audit: here, called by audit.c.
 */
#include "base/check.h"
#include "kmem/cache.h"

struct quire_mempool {
    struct quire *q;
    struct quire_list link; /* in kmem->pools */
    struct quire_mempool_source source;
    size_t least, nreserve, nout;
    void **reserve; /* room for `least` */
};

/* ---- sources --------------------------------------------------------------------------------- */

static void *cache_alloc(void *context, size_t unused) {
    (void)unused;
    return quire_cache_alloc(context);
}

static void cache_free(void *context, size_t unused, void *element) {
    (void)unused;
    quire_cache_free(context, element);
}

static void *frames_alloc(void *context, size_t order) {
    quire_frame frame;
    if (quire_frames_alloc(context, (unsigned)order, &frame) != QUIRE_OK) {
        return NULL;
    }
    return quire_frame_window(context, frame);
}

static void frames_free(void *context, size_t order, void *element) {
    struct quire_page *page = quire_page_under(context, element);
    CHECK((struct quire *)context, page != NULL);
    quire_frames_free(context, quire_page_frame(context, page), (unsigned)order);
}

static void *bytes_alloc(void *context, size_t nbytes) {
    return quire_kmalloc(context, nbytes);
}

static void bytes_free(void *context, size_t nbytes, void *element) {
    (void)nbytes;
    quire_kfree(context, element);
}

struct quire_mempool_source quire_mempool_of_cache(struct quire_cache *cache) {
    return (struct quire_mempool_source){cache_alloc, cache_free, cache, 0};
}

struct quire_mempool_source quire_mempool_of_frames(struct quire *q, unsigned order) {
    return (struct quire_mempool_source){frames_alloc, frames_free, q, order};
}

struct quire_mempool_source quire_mempool_of_bytes(struct quire *q, size_t nbytes) {
    return (struct quire_mempool_source){bytes_alloc, bytes_free, q, nbytes};
}

/* ---- pools ----------------------------------------------------------------------------------- */

static void *from_source(const struct quire_mempool *pool) {
    return pool->source.alloc(pool->source.context, pool->source.argument);
}

static void to_source(const struct quire_mempool *pool, void *element) {
    pool->source.free(pool->source.context, pool->source.argument, element);
}

static void drain(struct quire_mempool *pool, size_t keep) {
    while (pool->nreserve > keep) {
        to_source(pool, pool->reserve[--pool->nreserve]);
    }
}

enum quire_status quire_mempool_resize(struct quire_mempool *pool, size_t least) {
    if (least == 0 || least > QUIRE_KMALLOC_MAX / sizeof(void *)) {
        return QUIRE_INVAL;
    }
    void **reserve = quire_kmalloc(pool->q, least * sizeof *reserve);
    if (!reserve) {
        return QUIRE_NOMEM;
    }
    drain(pool, least);
    for (size_t i = 0; i < pool->nreserve; i++) {
        reserve[i] = pool->reserve[i];
    }
    size_t had = pool->nreserve, missing = pool->least - had;
    /* Those that are out come back by themselves: the promise is for the rest. */
    while (least > pool->least && pool->nreserve + missing < least) {
        void *element = from_source(pool);
        if (!element) {
            while (pool->nreserve > had) {
                to_source(pool, reserve[--pool->nreserve]);
            }
            quire_kfree(pool->q, reserve);
            return QUIRE_NOMEM;
        }
        reserve[pool->nreserve++] = element;
    }
    quire_kfree(pool->q, pool->reserve);
    pool->reserve = reserve;
    pool->least = least;
    return QUIRE_OK;
}

enum quire_status quire_mempool_create(struct quire *q, size_t least,
                                       const struct quire_mempool_source *source,
                                       struct quire_mempool **out) {
    struct quire_mempool *pool = quire_kzalloc(q, sizeof *pool);
    if (!pool) {
        return QUIRE_NOMEM;
    }
    pool->q = q;
    pool->source = *source;
    enum quire_status status = quire_mempool_resize(pool, least);
    if (status != QUIRE_OK) {
        quire_kfree(q, pool);
        return status;
    }
    quire_list_add_before(&q->kmem->pools, &pool->link);
    *out = pool;
    return QUIRE_OK;
}

void *quire_mempool_alloc(struct quire_mempool *pool) {
    void *element = from_source(pool);
    if (!element && pool->nreserve > 0) {
        element = pool->reserve[--pool->nreserve];
    }
    pool->nout += element != NULL;
    return element;
}

void quire_mempool_free(struct quire_mempool *pool, void *element) {
    CHECK(pool->q, pool->nout > 0); /* else it never came from here */
    pool->nout--;
    if (pool->nreserve < pool->least) {
        pool->reserve[pool->nreserve++] = element;
    } else {
        to_source(pool, element);
    }
}

size_t quire_mempool_reserve(const struct quire_mempool *pool) {
    return pool->nreserve;
}

enum quire_status quire_mempool_destroy(struct quire_mempool *pool) {
    if (pool->nout > 0) {
        return QUIRE_BUSY;
    }
    drain(pool, 0);
    quire_list_remove(&pool->link);
    quire_kfree(pool->q, pool->reserve);
    quire_kfree(pool->q, pool);
    return QUIRE_OK;
}

void quire_mempool_audit(struct quire *q) {
    const struct quire_list *head = &q->kmem->pools;
    for (const struct quire_list *link = head->next; link != head; link = link->next) {
        const struct quire_mempool *pool = QUIRE_CONTAINER(link, struct quire_mempool, link);
        CHECK(q, link->next->prev == link && pool->q == q);
        CHECK(q, pool->nreserve <= pool->least);              /* I1 */
        CHECK(q, pool->least - pool->nreserve <= pool->nout); /* I1 */
        for (size_t i = 0; i < pool->nreserve; i++) {
            CHECK(q, pool->reserve[i] != NULL);
        }
    }
}
