/* walk_names.c: what there is to see of a space's page tables, each by a name, for whoever hands
 * texts on (os/, labs) and need not know what they are made of.
 *
 *     tables              how many tables of each level there are, and what they cost
 *     walk/ADDR/ACCESS    each step of a translation: quire_walk_text
 *     tlb/ADDR/ACCESS     the same, with the TLB asked first
 *     table/ADDR          the tables on the way: quire_soft_table_text
 *
 * ADDR is hexadecimal, ACCESS r, w or x. What may fail: a name that is none of these.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "walk.h"

/* 0 if it is none. */
static unsigned access_of(const char *word) {
    return strcmp(word, "r") == 0   ? QUIRE_ACCESS_READ
           : strcmp(word, "w") == 0 ? QUIRE_ACCESS_WRITE
           : strcmp(word, "x") == 0 ? QUIRE_ACCESS_EXEC
                                    : 0;
}

static size_t tables_text(struct quire_pmap *pmap, char *text, size_t capacity) {
    struct quire_radix_cost cost;
    size_t length = 0;
    quire_soft_tables(pmap, &cost);
    for (unsigned level = 0; level <= RADIX_LEVELS_MAX; level++) {
        char line[96];
        int n = 0;
        if (level == RADIX_LEVELS_MAX)
            n = snprintf(line, sizeof line, "%" PRIu64 " bytes\n", cost.nbytes);
        else if (cost.tables[level] || cost.mapped[level])
            n = snprintf(line, sizeof line,
                         "level %u   %" PRIu64 " tables, %" PRIu64 " entries that map memory\n",
                         level, cost.tables[level], cost.mapped[level]);
        if (length < capacity)
            snprintf(text + length, capacity - length, "%.*s", n, line);
        length += (size_t)n;
    }
    return length;
}

size_t quire_soft_walk_view(struct quire_pmap *pmap, const char *name, char *text,
                            size_t capacity) {
    struct quire_walk walk;
    char kind[8], *end;
    size_t length = strcspn(name, "/");
    if (strcmp(name, "tables") == 0)
        return tables_text(pmap, text, capacity);
    if (length >= sizeof kind || name[length] != '/')
        return SIZE_MAX;
    memcpy(kind, name, length);
    kind[length] = '\0';
    const char *address = name + length + 1;
    errno = 0;
    uint64_t va = strtoull(address, &end, 16);
    if (errno || end == address || strspn(address, "0123456789abcdefABCDEFx") == 0)
        return SIZE_MAX;
    if (strcmp(kind, "table") == 0)
        return *end == '\0' ? quire_soft_table_text(pmap, va, text, capacity) : SIZE_MAX;
    unsigned access = *end == '/' ? access_of(end + 1) : 0;
    bool with_tlb = strcmp(kind, "tlb") == 0;
    if (access == 0 || (!with_tlb && strcmp(kind, "walk") != 0))
        return SIZE_MAX;
    quire_soft_walk(pmap, va, (enum quire_access)access, false, with_tlb, &walk);
    return quire_walk_text(&walk, text, capacity);
}
