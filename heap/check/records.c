/* records.c: what is known of each block, found by its address.
 *
 * A hash table with open addresses and linear probing (Knuth 3, 6.4, algorithms L and R: what is
 * taken out leaves no gap behind), at most half full, in memory of the checker's own.
 */
#include <string.h>

#include "heap/check/check.h"

#define PLACES_FIRST ((size_t)1 << 14)

static struct check_record *table;
static size_t places, used;

static size_t home(uintptr_t at, size_t of) {
    return (size_t)(((uint64_t)at >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (of - 1);
}

static struct check_record *place_of(struct check_record *in, size_t of, uintptr_t at) {
    size_t i = home(at, of);

    while (in[i].at != 0 && in[i].at != at) {
        i = (i + 1) & (of - 1);
    }
    return &in[i];
}

static bool grow(void) {
    size_t more = places == 0 ? PLACES_FIRST : places * 2;
    struct check_record *larger = check_own(more * sizeof *larger);

    if (larger == NULL) {
        return false;
    }
    for (size_t i = 0; i < places; i++) {
        if (table[i].at != 0) {
            *place_of(larger, more, table[i].at) = table[i];
        }
    }
    if (table != NULL) {
        check_disown(table, places * sizeof *table);
    }
    table = larger;
    places = more;
    return true;
}

struct check_record *check_find(uintptr_t at) {
    if (table == NULL || at == 0) {
        return NULL;
    }
    struct check_record *record = place_of(table, places, at);
    return record->at != 0 ? record : NULL;
}

struct check_record *check_add(uintptr_t at) {
    if (used >= places / 2 && !grow()) {
        return NULL;
    }
    struct check_record *record = place_of(table, places, at);
    *record = (struct check_record){.at = at};
    used++;
    return record;
}

void check_forget(uintptr_t at) {
    struct check_record *record = check_find(at);

    if (record == NULL) {
        return;
    }
    size_t hole = (size_t)(record - table);
    for (size_t i = (hole + 1) & (places - 1); table[i].at != 0; i = (i + 1) & (places - 1)) {
        /* Who lies behind the hole may move there, unless its home is in between. */
        size_t from_home = (i - home(table[i].at, places)) & (places - 1);
        if (from_home >= ((i - hole) & (places - 1))) {
            table[hole] = table[i];
            hole = i;
        }
    }
    table[hole].at = 0;
    used--;
}

struct check_record *check_around(uintptr_t address) {
    for (size_t i = 0; i < places; i++) {
        size_t guard = table[i].guarded ? 4096 : 0;
        if (table[i].at != 0 && address >= table[i].base &&
            address - table[i].base < table[i].base_bytes + guard) {
            return &table[i];
        }
    }
    return NULL;
}

void check_each(void (*see)(struct check_record *record, void *context), void *context) {
    for (size_t i = 0; i < places; i++) {
        if (table[i].at != 0) {
            see(&table[i], context);
        }
    }
}

size_t check_count(void) {
    return used;
}
