/* functions.c: from call paths and instructions to functions with names.
 *
 * Each node and each site gets the name of its code; then all are sorted by it, and those with one
 * name become one row. Functions of one name in two files stay two rows.
 *
 * What may fail: the host's memory.
 */
#include "watch/functions.h"

#include <stdlib.h>
#include <string.h>

#define FAULT_NS 1000 /* of the modelled machine: machine/soft/soft.c */
#define WALK_NS  100

uint64_t watch_weight(const struct watch_counts *counts) {
    return counts->of[WATCH_WAIT_NS] +
           FAULT_NS * (counts->of[WATCH_MINOR] + counts->of[WATCH_MAJOR]) +
           WALK_NS * counts->of[WATCH_TLB];
}

void watch_name(const struct watch_sites *sites, struct watch_code code,
                const struct watch_symbol *symbol, char *name, size_t capacity) {
    const char *image = code.image ? sites->images[code.image] : "code without a file";
    const char *slash = strrchr(image, '/');
    if (symbol->function[0])
        snprintf(name, capacity, "%s", symbol->function);
    else
        snprintf(name, capacity, "[%s]", slash ? slash + 1 : image);
}

static int by_name(const void *a, const void *b) {
    const struct watch_function *one = a, *two = b;
    if (one->image != two->image)
        return one->image < two->image ? -1 : 1;
    return strcmp(one->name, two->name);
}

static int by_weight(const void *a, const void *b) {
    uint64_t one = watch_weight(&((const struct watch_function *)a)->counts);
    uint64_t two = watch_weight(&((const struct watch_function *)b)->counts);
    return one > two ? -1 : one < two ? 1 : by_name(a, b);
}

static void fill(struct watch_function *row, const struct watch_sites *sites,
                 struct watch_symbols *symbols, struct watch_code code) {
    *row = (struct watch_function){.image = code.image};
    row->symbol = watch_symbol_of(symbols, code);
    watch_name(sites, code, &row->symbol, row->name, sizeof row->name);
}

static void join(struct watch_function *to, const struct watch_function *more) {
    watch_add(&to->counts, &more->counts);
    if (more->line_weight > to->line_weight) {
        to->line_weight = more->line_weight;
        to->symbol = more->symbol;
    }
    if (more->site_misses > to->site_misses) {
        to->site_misses = more->site_misses;
        to->site_strided = more->site_strided;
        to->stride = more->stride;
    }
}

bool watch_functions_make(struct watch_functions *functions, const struct watch_sites *sites,
                          struct watch_symbols *symbols) {
    size_t n = 0, kept = 0;
    struct watch_function *rows = calloc(sites->nnodes + sites->nsites + 1, sizeof *rows);
    *functions = (struct watch_functions){rows, 0};
    if (!rows)
        return false;
    for (unsigned i = 1; i < sites->nnodes; i++) {
        const struct watch_node *node = &sites->nodes[i];
        fill(&rows[n], sites, symbols, node->code);
        rows[n].counts = node->counts;
        rows[n].line_weight = watch_weight(&node->counts);
        n++;
    }
    for (unsigned i = 1; i < sites->nsites; i++) {
        const struct watch_site *site = &sites->sites[i];
        fill(&rows[n], sites, symbols, site->code);
        rows[n].counts.of[WATCH_TLB] = rows[n].site_misses = site->misses;
        rows[n].line_weight = WALK_NS * site->misses;
        rows[n].site_strided = site->strided;
        rows[n].stride = site->stride;
        n++;
    }
    qsort(rows, n, sizeof *rows, by_name);
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && by_name(&rows[kept - 1], &rows[i]) == 0)
            join(&rows[kept - 1], &rows[i]);
        else
            rows[kept++] = rows[i];
    }
    qsort(rows, kept, sizeof *rows, by_weight);
    functions->count = kept;
    return true;
}

void watch_functions_end(struct watch_functions *functions) {
    free(functions->rows);
}
