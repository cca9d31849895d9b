/* io.c: a page goes out to a slot, sealed, and comes back, verified.
 *
 * Owns the moment of transfer: nothing else in the manager talks to swap devices. Transfers are one
 * page at a time and done when they return (the port sleeps); what makes them fast on a real disk
 * is that slots.c hands neighbouring slots to pages evicted one after the other.
 *
 *     page ──▶ slot taken ──▶ seal computed ──▶ written      seal is kept by the owner, in RAM
 *     page ◀── seal compared ◀── read ◀── slot (stays taken: a clean copy)
 *
 * Disks flip bits, lose writes, and put pages in the wrong place while they report success
 * (Bairavasundaram et al., "An Analysis of Data Corruption in the Storage Stack", FAST 2008). A
 * checksum of the bytes alone would find the first kind only; the owner's identity and the slot in
 * the seed find the others, because an intact page that belongs elsewhere has another seal.
 *
 * I1. A slot has an owner exactly while that may read it: a failed write spoils it (slots.c).
 * I2. QUIRE_OK from quire_swap_in means that the page holds, bit for bit, what its owner gave.
 *
 * May fail: no slot (QUIRE_NOMEM), the device or the seal (QUIRE_IO, counted in io_error). A failed
 * read leaves the slot taken and is not repeated here: the program may try again, or dies of it.
 * Called by vm/ (clean, swap-in). Counted in pswpin and pswpout, traced as SWAP_IN and SWAP_OUT.
 */
#include "base/check.h"
#include "base/checksum.h"
#include "swap/area.h"

/* Each step is one to one, so another owner, or another slot, always means another seed. */
uint64_t quire_swap_seal(const void *page_bytes, uint64_t identity, quire_slot slot) {
    uint64_t seed = quire_checksum_mix(quire_checksum_mix(identity) ^ slot.value);
    return quire_checksum(page_bytes, QUIRE_PAGE_SIZE, seed);
}

enum quire_status quire_swap_write(struct quire *q, struct quire_page *page, uint64_t identity,
                                   quire_slot *slot, uint64_t *seal) {
    quire_slot taken = quire_areas_take(q);
    if (quire_slot_is_none(taken)) {
        return QUIRE_NOMEM;
    }
    struct swap_area *area = swap_area_of(q, taken);
    quire_frame frame = quire_page_frame(q, page);
    uint64_t sum = quire_swap_seal(quire_page_window(q, page), identity, taken);
    if (quire_mach_swap_write(q->machine, area->device, swap_page_of(taken), frame) != QUIRE_OK) {
        q->counters.io_error++;
        quire_slots_spoil(q, area, swap_page_of(taken)); /* I1 */
        return QUIRE_IO;
    }
    q->counters.pswpout++;
    quire_trace(&q->trace, QUIRE_EVENT_SWAP_OUT, taken.value, frame.number);
    *slot = taken;
    *seal = sum;
    return QUIRE_OK;
}

enum quire_status quire_swap_out(struct quire *q, struct quire_anon *anon) {
    CHECK(q, anon->page && quire_slot_is_none(anon->slot));
    if (q->swap->store.method != QUIRE_ZSWAP_NONE && quire_store_out(q, anon)) {
        return QUIRE_OK;
    }
    return quire_swap_write(q, anon->page, anon->id, &anon->slot, &anon->seal);
}

enum quire_status quire_swap_in(struct quire *q, const struct quire_anon *anon,
                                struct quire_page *page) {
    CHECK(q, !quire_slot_is_none(anon->slot));
    if (quire_swap_is_stored(anon->slot)) {
        return quire_store_in(q, anon, page);
    }
    struct swap_area *area = swap_area_of(q, anon->slot);
    CHECK(q, area->in_use);
    quire_frame frame = quire_page_frame(q, page);
    uint32_t at = swap_page_of(anon->slot);
    if (quire_mach_swap_read(q->machine, area->device, at, &frame, 1) != QUIRE_OK) {
        goto bad;
    }
    if (quire_swap_seal(quire_page_window(q, page), anon->id, anon->slot) != anon->seal) { /* I2 */
        goto bad;
    }
    q->counters.pswpin++;
    quire_trace(&q->trace, QUIRE_EVENT_SWAP_IN, anon->slot.value, frame.number);
    return QUIRE_OK;

bad:
    q->counters.io_error++;
    return QUIRE_IO;
}

void quire_swap_in_run(struct quire *q, struct quire_anon *const *run,
                       struct quire_page *const *pages, unsigned count, unsigned must, bool *good) {
    struct swap_area *area = swap_area_of(q, run[0]->slot);
    quire_frame frames[QUIRE_RUN_MAX];
    bool came = count > 1;
    CHECK(q, count > 0 && count <= QUIRE_RUN_MAX && must < count);
    for (unsigned i = 0; i < count; i++) {
        frames[i] = quire_page_frame(q, pages[i]);
        good[i] = false;
    }
    if (came) {
        came = quire_mach_swap_read(q->machine, area->device, swap_page_of(run[0]->slot), frames,
                                    count) == QUIRE_OK;
    }
    for (unsigned i = 0; came && i < count; i++) {
        uint64_t seal = quire_swap_seal(quire_page_window(q, pages[i]), run[i]->id, run[i]->slot);
        good[i] = seal == run[i]->seal; /* I2 */
        if (good[i]) {
            q->counters.pswpin++;
            quire_trace(&q->trace, QUIRE_EVENT_SWAP_IN, run[i]->slot.value, frames[i].number);
        }
    }
    if (!good[must]) {
        good[must] = quire_swap_in(q, run[must], pages[must]) == QUIRE_OK;
    }
}
