/* functions.h: the account by function, for whoever writes it down. Internal to watch/. */
#ifndef QUIRE_WATCH_FUNCTIONS_H
#define QUIRE_WATCH_FUNCTIONS_H

#include "watch/account.h"

/* A function, with what it did itself (its callees not included). */
struct watch_function {
    uint32_t image;
    struct watch_symbol symbol; /* line: of the place in it that costs most */
    char name[80];              /* to be shown: the symbol, or [file] */
    struct watch_counts counts;
    uint64_t line_weight;
    /* Of its instruction with the most TLB misses: how many, how many at the same distance. */
    uint64_t site_misses, site_strided;
    int64_t stride;
};
struct watch_functions {
    struct watch_function *rows; /* dearest first: see watch_weight */
    size_t count;
};
/* False: the host has no memory. O(n log n) in call paths and instructions. */
bool watch_functions_make(struct watch_functions *functions, const struct watch_sites *sites,
                          struct watch_symbols *symbols);
void watch_functions_end(struct watch_functions *functions);

/* What counts cost a program, in nanoseconds of the machine, as near as the model has it: waiting,
 * a microsecond a fault, and a table walk of four loads at 100 ns for a TLB miss: only for order.
 */
uint64_t watch_weight(const struct watch_counts *counts);

/* The name of code for people: its function, else [file], else [code without a file]. */
void watch_name(const struct watch_sites *sites, struct watch_code code,
                const struct watch_symbol *symbol, char *name, size_t capacity);

#endif
