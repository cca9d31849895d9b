/* slots.c: the map of one area: which of its pages are taken.
 *
 * Owns struct swap_chunk. Two bits a slot: taken, and spoiled. How many share what lies in a slot
 * is not counted here but in the slot's one owner, struct quire_anon (swap.h); Linux, whose
 * page-table entries point at slots directly, needs a byte of count a slot for the same.
 *
 *     chunks ─▶ [ free 0 ][ free 17 ][ free 32768 ] …     a full chunk is skipped by its count
 *                          │
 *                          ▼ taken:   11111101 11111111 …   searched from the hint, by words
 *                            spoiled: 00000100 00000000 …   a subset: a write there failed
 *
 * The search goes on where the last one ended: pages evicted one after the other lie one after the
 * other on the device, which is what a disk can do fast, and what read-ahead brings back in one
 * request. First-fit from the start was rejected: it scatters them over the holes of old evictions.
 * But walking on over the whole device was too: a file or a thin disk behind it would grow to its
 * full size for a few pages in use. So the search turns back at `reach`, the end of what was ever
 * used, as long as less than half of that is taken: runs stay long, and the device's used part
 * within twice the pages.
 *
 * I1. area->free is the sum of the chunks' free, and each of those the number of zero bits.
 * I2. Page 0 (the header) and bad pages are taken for ever.
 * I3. No page from reach on was ever taken, but bad ones; hint <= reach.
 * I4. What is spoiled is taken, has no owner, and is counted in nspoiled.
 *
 * Only create and grow can fail (QUIRE_NOMEM). Called by areas.c and io.c; audited by
 * quire_slots_audit.
 */
#include <quire/kmem.h>

#include "base/bitmap.h"
#include "base/check.h"
#include "swap/area.h"

/* Slots that chunk i covers in an area of npages; only the last may be short. */
static uint32_t slots_of(uint32_t npages, uint32_t i) {
    uint32_t left = npages - i * CHUNK_SLOTS;
    return left < CHUNK_SLOTS ? left : CHUNK_SLOTS;
}

static uint32_t chunk_slots(const struct swap_area *area, uint32_t i) {
    return slots_of(area->npages, i);
}

static uint32_t chunks_of(uint32_t npages) {
    return (npages + CHUNK_SLOTS - 1) / CHUNK_SLOTS;
}

static uint64_t *spoiled_of(const struct swap_chunk *chunk, uint32_t slots) {
    return chunk->taken + quire_bitmap_words(slots);
}

/* Both bitmaps of a chunk, all zeros. */
static uint64_t *bitmaps_alloc(struct quire *q, uint32_t slots) {
    return quire_kzalloc(q, 2 * (size_t)quire_bitmap_bytes(slots));
}

/* Chunks from first on for an area of npages, into an array that has room. False: none are left. */
static bool chunks_alloc(struct quire *q, struct swap_chunk *chunks, uint32_t first,
                         uint32_t npages) {
    uint32_t end = chunks_of(npages);
    for (uint32_t i = first; i < end; i++) {
        chunks[i].free = slots_of(npages, i);
        chunks[i].taken = bitmaps_alloc(q, chunks[i].free);
        if (!chunks[i].taken) {
            while (i > first) {
                quire_kfree(q, chunks[--i].taken);
            }
            return false;
        }
    }
    return true;
}

enum quire_status quire_slots_create(struct quire *q, struct swap_area *area) {
    area->nchunks = chunks_of(area->npages);
    area->chunks = quire_kzalloc(q, area->nchunks * sizeof *area->chunks);
    if (!area->chunks) {
        return QUIRE_NOMEM;
    }
    if (!chunks_alloc(q, area->chunks, 0, area->npages)) {
        quire_kfree(q, area->chunks);
        area->chunks = NULL;
        return QUIRE_NOMEM;
    }
    quire_bitmap_set(area->chunks[0].taken, 0); /* I2 */
    area->chunks[0].free -= SLOT_FIRST;
    area->free = area->npages - SLOT_FIRST;
    area->hint = area->reach = SLOT_FIRST;
    return QUIRE_OK;
}

void quire_slots_destroy(struct quire *q, struct swap_area *area) {
    for (uint32_t i = 0; i < area->nchunks; i++) {
        quire_kfree(q, area->chunks[i].taken);
    }
    quire_kfree(q, area->chunks);
    area->chunks = NULL;
    area->nchunks = 0;
}

/* The last chunk gets longer bitmaps; everything is allocated before anything changes. */
enum quire_status quire_slots_grow(struct quire *q, struct swap_area *area, uint32_t npages) {
    uint32_t last = area->nchunks - 1, nchunks = chunks_of(npages);
    uint32_t before = chunk_slots(area, last), after = slots_of(npages, last);
    struct swap_chunk *chunks = quire_kzalloc(q, nchunks * sizeof *chunks);
    uint64_t *longer = bitmaps_alloc(q, after);
    if (!chunks || !longer || !chunks_alloc(q, chunks, area->nchunks, npages)) {
        quire_kfree(q, longer);
        quire_kfree(q, chunks);
        return QUIRE_NOMEM;
    }
    __builtin_memcpy(chunks, area->chunks, area->nchunks * sizeof *chunks);
    struct swap_chunk *chunk = &chunks[last];
    __builtin_memcpy(longer, chunk->taken, (size_t)quire_bitmap_bytes(before));
    __builtin_memcpy(longer + quire_bitmap_words(after), spoiled_of(chunk, before),
                     (size_t)quire_bitmap_bytes(before));
    quire_kfree(q, chunk->taken);
    chunk->taken = longer;
    chunk->free += after - before;
    quire_kfree(q, area->chunks);
    area->chunks = chunks;
    area->nchunks = nchunks;
    area->free += npages - area->npages;
    area->npages = npages;
    return QUIRE_OK;
}

void quire_slots_mark_bad(struct swap_area *area, uint32_t page) {
    struct swap_chunk *chunk = &area->chunks[page / CHUNK_SLOTS];
    if (!quire_bitmap_test(chunk->taken, page % CHUNK_SLOTS)) {
        quire_bitmap_set(chunk->taken, page % CHUNK_SLOTS);
        chunk->free--;
        area->free--;
        area->nbad++;
    }
}

uint32_t quire_slots_take(struct quire *q, struct swap_area *area) {
    CHECK(q, area->free > 0);
    if (area->hint >= area->reach && swap_area_used(area) < area->reach / 2) {
        area->hint = SLOT_FIRST;
    }
    uint32_t first = area->hint / CHUNK_SLOTS;
    uint32_t from = area->hint % CHUNK_SLOTS;
    /* One turn more than there are chunks: the last one looks at what lies before the hint. */
    for (uint32_t turn = 0; turn <= area->nchunks; turn++) {
        uint32_t i = first + turn < area->nchunks ? first + turn : first + turn - area->nchunks;
        struct swap_chunk *chunk = &area->chunks[i];
        uint32_t slots = chunk_slots(area, i);
        uint32_t bit = slots;
        if (chunk->free > 0) {
            bit = (uint32_t)quire_bitmap_next_clear(chunk->taken, slots, from);
        }
        from = 0;
        if (bit >= slots) {
            continue;
        }
        quire_bitmap_set(chunk->taken, bit);
        chunk->free--;
        area->free--;
        uint32_t page = i * CHUNK_SLOTS + bit;
        area->hint = page + 1 < area->npages ? page + 1 : SLOT_FIRST;
        area->reach = page >= area->reach ? page + 1 : area->reach; /* I3 */
        return page;
    }
    CHECK(q, !"I1: free slots are counted that no chunk has");
    return 0;
}

void quire_slots_put(struct quire *q, struct swap_area *area, uint32_t page) {
    CHECK(q, page >= SLOT_FIRST && page < area->npages);
    struct swap_chunk *chunk = &area->chunks[page / CHUNK_SLOTS];
    CHECK(q, quire_slots_is_owned(area, page));
    quire_bitmap_clear(chunk->taken, page % CHUNK_SLOTS);
    chunk->free++;
    area->free++;
}

void quire_slots_spoil(struct quire *q, struct swap_area *area, uint32_t page) {
    struct swap_chunk *chunk = &area->chunks[page / CHUNK_SLOTS];
    CHECK(q, quire_slots_is_owned(area, page));
    quire_bitmap_set(spoiled_of(chunk, chunk_slots(area, page / CHUNK_SLOTS)), page % CHUNK_SLOTS);
    area->nspoiled++;
}

void quire_slots_forgive(struct swap_area *area) {
    for (uint32_t i = 0; i < area->nchunks && area->nspoiled > 0; i++) {
        struct swap_chunk *chunk = &area->chunks[i];
        uint32_t slots = chunk_slots(area, i), bit = 0;
        uint64_t *spoiled = spoiled_of(chunk, slots);
        while ((bit = (uint32_t)quire_bitmap_next_set(spoiled, slots, bit)) < slots) {
            quire_bitmap_clear(spoiled, bit);
            quire_bitmap_clear(chunk->taken, bit);
            chunk->free++;
            area->free++;
            area->nspoiled--;
        }
    }
}

bool quire_slots_is_owned(const struct swap_area *area, uint32_t page) {
    const struct swap_chunk *chunk = &area->chunks[page / CHUNK_SLOTS];
    uint32_t bit = page % CHUNK_SLOTS;
    return page >= SLOT_FIRST && page < area->npages && quire_bitmap_test(chunk->taken, bit) &&
           !quire_bitmap_test(spoiled_of(chunk, chunk_slots(area, page / CHUNK_SLOTS)), bit);
}

void quire_slots_toggle(struct swap_area *area, uint32_t page, bool taken) {
    uint64_t *words = area->chunks[page / CHUNK_SLOTS].taken;
    if (taken) {
        quire_bitmap_set(words, page % CHUNK_SLOTS);
    } else {
        quire_bitmap_clear(words, page % CHUNK_SLOTS);
    }
}

void quire_slots_audit(struct quire *q, const struct swap_area *area, uint64_t owners) {
    uint64_t free = 0, taken = 0, spoiled = 0;
    for (uint32_t i = 0; i < area->nchunks; i++) {
        const struct swap_chunk *chunk = &area->chunks[i];
        uint32_t slots = chunk_slots(area, i);
        const uint64_t *marks = spoiled_of(chunk, slots);
        uint64_t here = quire_bitmap_count(chunk->taken, slots);
        CHECK(q, owners < swap_area_used(area) || slots - here == chunk->free); /* I1 */
        taken += here;
        spoiled += quire_bitmap_count(marks, slots);
        free += chunk->free;
        for (uint64_t word = 0; word < quire_bitmap_words(slots); word++) {
            CHECK(q, !(marks[word] & ~chunk->taken[word])); /* I4 */
        }
    }
    CHECK(q, free == area->free);
    CHECK(q, spoiled == area->nspoiled);
    CHECK(q, taken == SLOT_FIRST + area->nbad + spoiled + owners);
    CHECK(q, quire_bitmap_test(area->chunks[0].taken, 0)); /* I2 */
    CHECK(q, area->hint >= SLOT_FIRST && area->hint < area->npages);
    CHECK(q, area->hint <= area->reach && area->reach <= area->npages); /* I3 */
}
