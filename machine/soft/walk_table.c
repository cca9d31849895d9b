/* walk_table.c: the tables on the way of a walk, each as one line: which of its entries are in use.
 *
 *     level 2   table at 0x000812000   512 entries, 3 used   2.2d1p507.
 *
 * The last word has the entries in order, runs of equal ones with their length: . nothing, t a
 * table below, p memory, d memory that was written. A table of more than 512 entries is told in 512
 * parts, each by the last of these words that one of its entries has.
 *
 * What may fail: nothing; text that does not fit is counted.
 */
#include <inttypes.h>
#include <stdio.h>

#include "machine.h"
#include "walk.h"

#define PARTS 512

static const char marks[] = ".tpd";

static unsigned mark_of(uint64_t entry) {
    if (!(entry & RADIX_VALID))
        return 0;
    if (!radix_maps(entry))
        return 1;
    return entry & RADIX_DIRTY ? 3 : 2;
}

struct table_text {
    char *text;
    size_t capacity, length;
};

static void put(struct table_text *to, const char *piece, int nbytes) {
    for (int i = 0; i < nbytes; i++, to->length++)
        if (to->length + 1 < to->capacity)
            to->text[to->length] = piece[i];
}

static void put_run(struct table_text *to, unsigned count, unsigned mark) {
    char piece[24];
    if (count > 0)
        put(to, piece, snprintf(piece, sizeof piece, "%u%c", count, marks[mark]));
}

static void put_table(struct table_text *to, const struct quire_radix_format *format,
                      unsigned level, const uint8_t *ram, uint64_t table) {
    uint64_t nentries = radix_entries(format, level), used = 0;
    uint64_t each = nentries > PARTS ? nentries / PARTS : 1;
    uint8_t parts[PARTS] = {0};
    char piece[96];
    for (uint64_t i = 0; i < nentries; i++) {
        unsigned mark = mark_of(radix_load(format, ram + table, i));
        used += mark > 0;
        if (mark > parts[i / each])
            parts[i / each] = (uint8_t)mark;
    }
    put(to, piece,
        snprintf(piece, sizeof piece,
                 "level %u   table at 0x%09" PRIx64 "   %" PRIu64 " entries, %" PRIu64 " used   ",
                 level, table, nentries, used));
    unsigned count = 0, nparts = (unsigned)(nentries / each);
    for (unsigned i = 0; i < nparts; i++) {
        if (i > 0 && parts[i] != parts[i - 1]) {
            put_run(to, count, parts[i - 1]);
            count = 0;
        }
        count++;
    }
    put_run(to, count, parts[nparts - 1]);
    put(to, "\n", 1);
}

size_t quire_soft_table_text(struct quire_pmap *pmap, uint64_t va, char *text, size_t capacity) {
    const struct quire_machine *machine = pmap->machine;
    const struct quire_radix_format *format = machine->shape.format;
    struct table_text to = {text, capacity, 0};
    uint64_t table = quire_frame_address(pmap->root).value;
    for (unsigned level = 0; level < format->levels; level++) {
        put_table(&to, format, level, machine->ram, table);
        uint64_t entry = radix_load(format, machine->ram + table, radix_index(format, level, va));
        if (!(entry & RADIX_VALID) || radix_maps(entry))
            break;
        table = quire_frame_address(radix_frame(entry)).value;
    }
    if (capacity > 0)
        text[to.length < capacity ? to.length : capacity - 1] = '\0';
    return to.length;
}
