/* blockset.c: what a set of blocks needs at boot and in the audit; the rest is in its header. */
#include "page/blockset.h"

uint64_t quire_blockset_bytes(uint64_t limit) {
    uint64_t bytes = 0;
    do {
        limit = quire_bitmap_words(limit);
        bytes += limit * sizeof(uint64_t);
    } while (limit > 1);
    return bytes;
}

void quire_blockset_init(struct quire_blockset *set, uint64_t limit, void *bytes) {
    uint64_t *words = bytes;
    *set = (struct quire_blockset){.nlevels = 0};
    do {
        limit = quire_bitmap_words(limit);
        set->levels[set->nlevels++] = words;
        words += limit;
    } while (limit > 1);
}

bool quire_blockset_is_sound(const struct quire_blockset *set, uint64_t limit) {
    if (quire_bitmap_count(set->levels[0], limit) != set->count) { /* I2 */
        return false;
    }
    for (unsigned level = 1; level < set->nlevels; level++) { /* I1 */
        limit = quire_bitmap_words(limit);
        for (uint64_t i = 0; i < limit; i++) {
            if (quire_bitmap_test(set->levels[level], i) != (set->levels[level - 1][i] != 0)) {
                return false;
            }
        }
    }
    return true;
}
