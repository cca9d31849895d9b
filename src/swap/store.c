/* store.c: pages that left, compressed, kept in RAM in front of the devices, or in place of them.
 *
 * Owns struct store. Waiting for a disk takes a hundred times as long as compressing a page, and
 * most pages shrink to a third; so a part of RAM, at most `limit` frames, is better used for three
 * times as many compressed pages than for pages as they are (Linux: zswap with zsmalloc, and zram,
 * which is the same without a disk behind it).
 *
 *     page ──▶ all words equal? ─yes─▶ the word alone
 *                 │no
 *                 ▼ compressed by the machine ──▶ too long? ─yes─▶ device
 *                 │                               pool full? ──▶ the oldest ones to a device, or
 *                 ▼                                              device, or nowhere
 *     lru  [newest]─ ... ─[oldest]    object: header, seal, compressed bytes (zpool.c)
 *
 * A page in the store has no slot of a device (other than in zswap, where it keeps one in reserve):
 * so it works with no device at all, and the limits of the two add up. In the anon, `slot` says
 * only that it is here, and `seal` is where. When it comes back, its object goes: a compressed copy
 * of what is in RAM would be the one thing in RAM that nobody needs.
 *
 * What does not shrink seldom comes alone: a program's array of random numbers, a film. After 16
 * such pages in a row the next ones go past the codec to the device, but for one in 16 that is
 * tried, and ends this when it shrinks. Where no device has room all are tried: the store is all
 * there is.
 *
 * I1. An object has one owner, whose slot is of the store and whose seal is the object's address.
 * I2. What comes back is what was given, bit for bit: the seal of the whole page is kept beside the
 *     compressed bytes, so that neither a codec nor a neighbour that writes too far goes unseen.
 * I3. The pool has no more frames than limit, unless the limit was lowered.
 *
 * May fail: every allocation, the codec, the device behind; each time the page stays where it was.
 * Called by io.c. Counted in zswpin, zswpout, zswpwb. Audited by quire_store_audit.
 */
#include <quire/kmem.h>

#include "base/check.h"
#include "swap/area.h"

/* Longest that a page may be when compressed: an object less its header. What is longer saves less
 * than a fifth and costs the same. */
#define COMPRESSED_MAX (POOL_OBJECT_MAX - OBJECT_HEADER_BYTES)

/* Older pages written back for the sake of one new one: 32, a cluster of reclaim, as blocks of
 * several objects must become empty before a frame is free. */
#define WRITE_BACK_MAX 32

/* Pages in a row that must not shrink before the next ones are taken for such; of those one in so
 * many is tried. LZ4 takes a microsecond to refuse a page: so it is a sixteenth of that. */
#define VAIN_MAX 16

#define STORE_AREA SWAP_AREAS /* the first number that is no area's */

static struct pool_object *object_of(const struct quire_anon *anon) {
    return (struct pool_object *)(uintptr_t)anon->seal;
}

/* ---- up and down -------------------------------------------------------------------------------
 */

enum quire_status quire_store_boot(struct quire *q, struct store *store) {
    quire_list_init(&store->lru);
    return quire_zpool_init(q, &store->pool);
}

/* The three pages that the store works with; what came stays for the next try. */
static bool take_pages(struct quire *q, struct store *store) {
    bool all = true;
    for (unsigned i = 0; i < STORE_PAGES; i++) {
        if (!store->pages[i]) {
            store->pages[i] = quire_page_alloc(q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_KERNEL);
        }
        all = all && store->pages[i];
    }
    return all;
}

void quire_store_shutdown(struct quire *q, struct store *store) {
    CHECK(q, store->nstored == 0);
    for (unsigned i = 0; i < STORE_PAGES; i++) {
        if (store->pages[i]) {
            quire_page_free(q, store->pages[i]);
        }
    }
    quire_zpool_fini(q, &store->pool);
}

/* Does the machine have this codec? It compresses the page, which is all zeros. */
static bool machine_can(struct quire *q, enum quire_zswap method, struct quire_page *zeros,
                        struct quire_page *to) {
    quire_mach_zero(q->machine, quire_page_frame(q, zeros));
    return quire_mach_compress(q->machine, method, quire_page_frame(q, zeros),
                               quire_page_window(q, to), COMPRESSED_MAX) > 0;
}

enum quire_status quire_swap_set_store(struct quire *q, enum quire_zswap method, unsigned percent) {
    struct store *store = &q->swap->store;
    if (method > QUIRE_ZSWAP_ZSTD || (method != QUIRE_ZSWAP_NONE && (!percent || percent > 100))) {
        return QUIRE_INVAL;
    }
    if (method == QUIRE_ZSWAP_NONE) { /* what is stored comes back as it is asked for */
        store->method = method;
        return QUIRE_OK;
    }
    if (!take_pages(q, store)) {
        return QUIRE_NOMEM;
    }
    if (!machine_can(q, method, store->pages[STORE_WHOLE], store->pages[STORE_OUT])) {
        return QUIRE_INVAL;
    }
    store->method = method;
    store->vain = 0;
    store->limit = (uint64_t)((uint32_t)quire_page_total(q) / 100) * percent;
    return QUIRE_OK;
}

/* ---- in and out --------------------------------------------------------------------------------
 */

/* Is every word of the page the same? Most pages differ in the first few. */
static bool is_filled(const uint64_t *words, uint64_t *word) {
    for (unsigned i = 1; i < QUIRE_PAGE_SIZE / sizeof *words; i++) {
        if (words[i] != words[0]) {
            return false;
        }
    }
    *word = words[0];
    return true;
}

/* The page's bytes out of its object, verified (I2). */
static enum quire_status expand(struct quire *q, const struct pool_object *object,
                                struct quire_page *page) {
    const struct quire_anon *anon = object->anon;
    uint64_t *words = quire_page_window(q, page);
    void *bytes = quire_page_window(q, q->swap->store.pages[STORE_IN]);
    quire_zpool_get(q, object, bytes, object->nbytes);
    if (object->method == METHOD_FILL) {
        uint64_t word;
        __builtin_memcpy(&word, bytes, sizeof word);
        for (unsigned i = 0; i < QUIRE_PAGE_SIZE / sizeof word; i++) {
            words[i] = word;
        }
    } else if (!quire_mach_decompress(q->machine, object->method, bytes, object->nbytes,
                                      quire_page_frame(q, page))) {
        return QUIRE_IO;
    }
    return quire_swap_seal(words, anon->id, anon->slot) == object->seal ? QUIRE_OK : QUIRE_IO;
}

static void drop(struct quire *q, struct pool_object *object) {
    struct store *store = &q->swap->store;
    quire_list_remove(&object->link);
    quire_zpool_free(q, &store->pool, object);
    store->nstored--;
}

/* The oldest page goes to a device. False: it could not, and is the newest now if that was its own
 * fault. */
static bool write_back_oldest(struct quire *q) {
    struct store *store = &q->swap->store;
    if (quire_list_empty(&store->lru)) {
        return false;
    }
    struct pool_object *object = QUIRE_CONTAINER(store->lru.prev, struct pool_object, link);
    struct quire_anon *anon = object->anon;
    quire_slot slot;
    uint64_t seal;
    if (expand(q, object, store->pages[STORE_WHOLE]) != QUIRE_OK) {
        q->counters.io_error++; /* its owner will hear of it when it asks */
        quire_list_remove(&object->link);
        quire_list_add_after(&store->lru, &object->link);
        return false;
    }
    if (quire_swap_write(q, store->pages[STORE_WHOLE], anon->id, &slot, &seal) != QUIRE_OK) {
        return false;
    }
    drop(q, object);
    anon->slot = slot;
    anon->seal = seal;
    q->counters.zswpwb++;
    return true;
}

/* An object, with older pages written back for it if the pool has grown to its limit (I3). */
static struct pool_object *take_object(struct quire *q, unsigned nbytes) {
    struct store *store = &q->swap->store;
    for (unsigned tries = 0; tries <= WRITE_BACK_MAX; tries++) {
        unsigned needs = quire_zpool_needs(&store->pool, OBJECT_HEADER_BYTES + nbytes);
        if (needs == 0 || store->pool.nframes + needs <= store->limit) {
            return quire_zpool_alloc(q, &store->pool, OBJECT_HEADER_BYTES + nbytes);
        }
        if (!write_back_oldest(q)) {
            return NULL;
        }
    }
    return NULL;
}

/* The page's bytes, compressed into STORE_OUT: how many. 0: it does not shrink, or those
 * before it did not. */
static size_t compress(struct quire *q, const struct quire_page *page) {
    struct store *store = &q->swap->store;
    struct quire_page *out = store->pages[STORE_OUT];
    size_t nbytes = 0;
    if (store->vain < VAIN_MAX || store->vain % VAIN_MAX == 0 || quire_swap_free(q) == 0) {
        nbytes = quire_mach_compress(q->machine, store->method, quire_page_frame(q, page),
                                     quire_page_window(q, out), COMPRESSED_MAX);
    }
    store->vain = nbytes > 0 ? 0 : store->vain + 1;
    q->counters.zswap_reject += nbytes == 0;
    return nbytes;
}

bool quire_store_out(struct quire *q, struct quire_anon *anon) {
    struct store *store = &q->swap->store;
    const uint64_t *words = quire_page_window(q, anon->page);
    uint64_t word;
    size_t nbytes = sizeof word;
    unsigned method = METHOD_FILL;
    const void *bytes = &word;
    if (!is_filled(words, &word)) {
        method = store->method;
        bytes = quire_page_window(q, store->pages[STORE_OUT]);
        nbytes = compress(q, anon->page);
        if (nbytes == 0) {
            return false;
        }
    }
    struct pool_object *object = take_object(q, (unsigned)nbytes);
    if (!object) {
        return false;
    }
    anon->slot = (quire_slot){(uint32_t)STORE_AREA << SLOT_PAGE_BITS |
                              (store->serial++ & (SLOT_PAGE_COUNT - 1))};
    anon->seal = (uint64_t)(uintptr_t)object;
    object->anon = anon;
    object->seal = quire_swap_seal(words, anon->id, anon->slot);
    object->nbytes = (uint16_t)nbytes;
    object->method = (uint8_t)method;
    quire_zpool_put(q, object, bytes, (unsigned)nbytes);
    quire_list_add_after(&store->lru, &object->link);
    store->nstored++;
    q->counters.zswpout++;
    quire_trace(&q->trace, QUIRE_EVENT_SWAP_OUT, anon->slot.value, nbytes);
    return true;
}

enum quire_status quire_store_in(struct quire *q, const struct quire_anon *anon,
                                 struct quire_page *page) {
    CHECK(q, object_of(anon)->anon == anon); /* I1 */
    if (expand(q, object_of(anon), page) != QUIRE_OK) {
        q->counters.io_error++;
        return QUIRE_IO;
    }
    q->counters.zswpin++;
    quire_trace(&q->trace, QUIRE_EVENT_SWAP_IN, anon->slot.value, object_of(anon)->nbytes);
    return QUIRE_OK;
}

void quire_store_release(struct quire *q, struct quire_anon *anon) {
    CHECK(q, object_of(anon)->anon == anon); /* I1 */
    drop(q, object_of(anon));
    anon->slot = QUIRE_SLOT_NONE;
}

/* ---- for others --------------------------------------------------------------------------------
 */

bool quire_swap_is_stored(quire_slot slot) {
    return slot.value >> SLOT_PAGE_BITS == STORE_AREA;
}

uint64_t quire_swap_stored(const struct quire *q) {
    return q->swap->store.nstored;
}

uint64_t quire_swap_store_frames(const struct quire *q) {
    return q->swap->store.pool.nframes;
}

void quire_store_audit(struct quire *q) {
    const struct store *store = &q->swap->store;
    uint64_t objects = 0;
    quire_zpool_audit(q, &store->pool);
    for (const struct quire_list *at = store->lru.next; at != &store->lru; at = at->next) {
        const struct pool_object *object = QUIRE_CONTAINER(at, struct pool_object, link);
        CHECK(q, object_of(object->anon) == object); /* I1 */
        CHECK(q, quire_swap_is_stored(object->anon->slot));
        objects++;
    }
    CHECK(q, objects == store->nstored && objects == store->pool.nobjects);
}
