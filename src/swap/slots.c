/* slots.c: the map of one area: which of its pages are taken.
 *
 * Owns struct swap_chunk. A bit a slot is enough because sharing is counted above, in struct
 * quire_anon: a slot has exactly one owner here (Linux needs a byte of count a slot for the same).
 *
 *     chunks ─▶ [ free 0 ][ free 17 ][ free 32768 ] …     a full chunk is skipped by its count
 *                          │
 *                          ▼ taken: 11111101 11111111 …    searched from the hint, a word at a time
 *
 * The search goes on where the last one ended: pages evicted one after the other lie one after the
 * other on the device, which is what a disk can do fast, and what read-ahead will want. First-fit
 * from the start was rejected: it scatters them over the holes of old evictions. But walking on
 * over the whole device was too: a file or a thin disk behind it would grow to its full size for a
 * few pages in use. So the search turns back at `reach`, the end of what was ever used, as long as
 * less than half of that is taken: runs stay long, and the device's used part within twice the
 * pages.
 *
 * I1. area->free is the sum of the chunks' free, and each of those the number of zero bits.
 * I2. Page 0 (the header) and the bits past the end are taken for ever.
 * I3. No page from reach on was ever taken; hint <= reach.
 *
 * Only create can fail (QUIRE_NOMEM). Called by areas.c and io.c; audited by quire_slots_audit.
 */
#include <quire/kmem.h>

#include "base/bitmap.h"
#include "base/check.h"
#include "swap/area.h"

/* Slots that chunk i covers; only the last may be short. */
static uint32_t chunk_slots(const struct swap_area *area, uint32_t i) {
    uint32_t left = area->npages - i * CHUNK_SLOTS;
    return left < CHUNK_SLOTS ? left : CHUNK_SLOTS;
}

enum quire_status quire_slots_create(struct quire *q, struct swap_area *area) {
    area->nchunks = (area->npages + CHUNK_SLOTS - 1) / CHUNK_SLOTS;
    area->chunks = quire_kzalloc(q, area->nchunks * sizeof *area->chunks);
    if (!area->chunks) {
        return QUIRE_NOMEM;
    }
    for (uint32_t i = 0; i < area->nchunks; i++) {
        uint32_t slots = chunk_slots(area, i);
        area->chunks[i].free = slots;
        area->chunks[i].taken = quire_kzalloc(q, (size_t)quire_bitmap_bytes(slots));
        if (!area->chunks[i].taken) {
            quire_slots_destroy(q, area);
            return QUIRE_NOMEM;
        }
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

uint32_t quire_slots_take(struct quire *q, struct swap_area *area) {
    CHECK(q, area->free > 0);
    if (area->hint >= area->reach && (area->npages - area->free) < area->reach / 2) {
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
    CHECK(q, quire_bitmap_test(chunk->taken, page % CHUNK_SLOTS));
    quire_bitmap_clear(chunk->taken, page % CHUNK_SLOTS);
    chunk->free++;
    area->free++;
}

void quire_slots_audit(struct quire *q, const struct swap_area *area) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < area->nchunks; i++) {
        uint32_t slots = chunk_slots(area, i);
        CHECK(q, slots - quire_bitmap_count(area->chunks[i].taken, slots) == area->chunks[i].free);
        sum += area->chunks[i].free;
    }
    CHECK(q, sum == area->free);                           /* I1 */
    CHECK(q, quire_bitmap_test(area->chunks[0].taken, 0)); /* I2 */
    CHECK(q, area->hint >= SLOT_FIRST && area->hint < area->npages);
    CHECK(q, area->hint <= area->reach && area->reach <= area->npages); /* I3 */
}
