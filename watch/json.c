/* json.c: the account, written down as docs/REPORT.md says. The library is jansson.
 *
 * A value that could not be made is NULL, and putting it somewhere fails: that is remembered in one
 * flag, looked at once at the end, instead of after each of a hundred calls.
 *
 * I1  Figures are whole numbers; times are nanoseconds, sizes bytes, "pages" pages of 4096 bytes.
 */
#define _GNU_SOURCE /* qsort_r: glibc, musl 1.2.3 */
#include "watch/advice.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define FUNCTIONS_MAX 200 /* dearest first; what follows is not looked at by people */
#define STACKS_MAX    1000

struct out {
    struct watch *watch;
    const struct watch_run *run;
    struct watch_symbols *symbols;
    struct watch_functions functions;
    bool failed;
};

bool watch_has_json(void) {
    return true;
}

/* ---- values -------------------------------------------------------------------------------- */

static void put(struct out *out, json_t *object, const char *key, json_t *value) {
    if (json_object_set_new(object, key, value) != 0)
        out->failed = true;
}

static void append(struct out *out, json_t *array, json_t *value) {
    if (json_array_append_new(array, value) != 0)
        out->failed = true;
}

static void put_number(struct out *out, json_t *object, const char *key, uint64_t number) {
    put(out, object, key, json_integer((json_int_t)number));
}

/* Text from a program or a file need not be UTF-8. */
static json_t *text(const char *bytes) {
    json_t *value = json_string(bytes);
    if (value)
        return value;
    size_t length = strlen(bytes);
    char *clean = malloc(length + 1);
    if (!clean)
        return NULL;
    for (size_t i = 0; i <= length; i++)
        clean[i] = (signed char)bytes[i] < 0 ? '?' : bytes[i];
    value = json_string(clean);
    free(clean);
    return value;
}

static void put_text(struct out *out, json_t *object, const char *key, const char *bytes) {
    put(out, object, key, text(bytes));
}

/* Those that are not 0. */
static void put_counts(struct out *out, json_t *object, const struct watch_counts *counts) {
    for (unsigned i = 0; i < WATCH_KINDS; i++) {
        if (counts->of[i])
            put_number(out, object, watch_kind_names[i], counts->of[i]);
    }
}

/* ---- parts --------------------------------------------------------------------------------- */

static json_t *program(struct out *out) {
    json_t *object = json_object(), *words = json_array();
    for (char *const *word = out->run->argv; *word; word++)
        append(out, words, text(*word));
    put(out, object, "argv", words);
    put_number(out, object, "status", (uint64_t)out->run->status);
    return object;
}

static json_t *machine(struct out *out) {
    struct quire_usage usage;
    json_t *object = json_object();
    quire_usage(out->watch->quire, &usage);
    put_number(out, object, "ram_bytes", out->run->ram_bytes);
    put_number(out, object, "usable_bytes", usage.total << QUIRE_PAGE_SHIFT);
    put_number(out, object, "swap_bytes", usage.swap_total << QUIRE_PAGE_SHIFT);
    put_number(out, object, "page_bytes", QUIRE_PAGE_SIZE);
    put_text(out, object, "policy", out->run->policy);
    return object;
}

static json_t *totals(struct out *out) {
    struct quire_usage usage;
    struct quire_soft_counters machine;
    const struct quire_counters *c = quire_counters(out->watch->quire);
    json_t *object = json_object();
    quire_usage(out->watch->quire, &usage);
    quire_soft_counters(out->watch->machine, &machine);
    put_number(out, object, "time_ns", quire_mach_now_ns(out->watch->machine));
    put_number(out, object, "idle_ns", machine.idle_ns);
    put_number(out, object, "wait_ns", machine.stall_ns);
    put_number(out, object, "peak_demand_bytes", usage.peak_demand << QUIRE_PAGE_SHIFT);
    put_number(out, object, "instructions", machine.instructions);
    put_number(out, object, "accesses", machine.loads + machine.stores);
    put_number(out, object, "tlb_misses", machine.tlb_misses);
    put_number(out, object, "minor_faults", c->pgfault - c->pgmajfault);
    put_number(out, object, "major_faults", c->pgmajfault);
    put_number(out, object, "fresh_pages", c->fault_zero);
    put_number(out, object, "copied_pages", c->fault_cow);
    put_number(out, object, "swapped_in_pages", c->pswpin);
    put_number(out, object, "swapped_out_pages", c->pswpout);
    put_number(out, object, "file_in_pages", c->file_in);
    put_number(out, object, "file_out_pages", c->file_out);
    put_number(out, object, "reclaimed_pages", c->pgsteal_kswapd + c->pgsteal_direct);
    put_number(out, object, "direct_reclaimed_pages", c->pgsteal_direct);
    put_number(out, object, "refaulted_pages",
               c->workingset_refault_anon + c->workingset_refault_file);
    put_number(out, object, "oom_kills", c->oom_kill);
    char hash[24];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)quire_trace_hash(out->watch->quire));
    put_text(out, object, "trace", hash);
    return object;
}

static json_t *series(struct out *out) {
    static const char *const levels[WATCH_LEVELS] = {"resident_pages", "cache_pages",
                                                     "swapped_pages", "free_pages"};
    static const char *const rates[WATCH_RATES] = {
        "minor_faults",     "major_faults",      "tlb_misses", "reclaimed_pages",
        "swapped_in_pages", "swapped_out_pages", "wait_ns"};
    const struct watch_series *from = &out->watch->series;
    json_t *object = json_object(), *ends = json_array();
    put_number(out, object, "step_ns", from->step_ns);
    for (unsigned i = 0; i < from->count; i++)
        append(out, ends, json_integer((json_int_t)from->samples[i].end_ns));
    put(out, object, "end_ns", ends);
    for (unsigned k = 0; k < WATCH_LEVELS + WATCH_RATES; k++) {
        json_t *values = json_array();
        for (unsigned i = 0; i < from->count; i++) {
            const struct watch_sample *sample = &from->samples[i];
            uint64_t value = k < WATCH_LEVELS ? sample->level[k] : sample->rate[k - WATCH_LEVELS];
            append(out, values, json_integer((json_int_t)value));
        }
        put(out, object, k < WATCH_LEVELS ? levels[k] : rates[k - WATCH_LEVELS], values);
    }
    return object;
}

static json_t *functions(struct out *out) {
    json_t *array = json_array();
    for (size_t i = 0; i < out->functions.count && i < FUNCTIONS_MAX; i++) {
        const struct watch_function *row = &out->functions.rows[i];
        json_t *object = json_object();
        put_text(out, object, "function", row->name);
        put_text(out, object, "image", row->image ? out->watch->sites.images[row->image] : "");
        if (row->symbol.line > 0) {
            put_text(out, object, "source", row->symbol.file);
            put_number(out, object, "line", (uint64_t)row->symbol.line);
        }
        put_number(out, object, "cost_ns", watch_weight(&row->counts));
        put_counts(out, object, &row->counts);
        if (row->site_strided > row->site_misses / 2)
            put(out, object, "stride_bytes", json_integer((json_int_t)row->stride));
        append(out, array, object);
    }
    return array;
}

/* ---- call paths ---------------------------------------------------------------------------- */

static int by_cost(const void *a, const void *b, void *context) {
    const struct watch_sites *sites = context;
    uint32_t one = *(const uint32_t *)a, two = *(const uint32_t *)b;
    uint64_t x = watch_weight(&sites->nodes[one].counts);
    uint64_t y = watch_weight(&sites->nodes[two].counts);
    return x > y ? -1 : x < y ? 1 : one < two ? -1 : one > two;
}

/* Outermost first. A function that follows itself is one frame: ra may still point into the
 * function that is running, behind its last call. */
static json_t *frames(struct out *out, uint32_t node) {
    const struct watch_sites *sites = &out->watch->sites;
    json_t *array = json_array();
    char name[80], inner[80] = "";
    for (; node; node = sites->nodes[node].parent) {
        struct watch_symbol symbol = watch_symbol_of(out->symbols, sites->nodes[node].code);
        watch_name(sites, sites->nodes[node].code, &symbol, name, sizeof name);
        if (strcmp(name, inner) != 0 && json_array_insert_new(array, 0, text(name)) != 0)
            out->failed = true;
        memcpy(inner, name, sizeof inner);
    }
    return array;
}

/* Paths that differ in addresses only have the same frames: one row. */
static bool join_equal(struct out *out, json_t *array, json_t *names,
                       const struct watch_counts *counts) {
    size_t i;
    json_t *row;
    json_array_foreach(array, i, row) {
        if (!json_equal(json_object_get(row, "frames"), names))
            continue;
        for (unsigned k = 0; k < WATCH_KINDS; k++) {
            uint64_t old = (uint64_t)json_integer_value(json_object_get(row, watch_kind_names[k]));
            if (counts->of[k])
                put_number(out, row, watch_kind_names[k], old + counts->of[k]);
        }
        return true;
    }
    return false;
}

static json_t *stacks(struct out *out) {
    struct watch_sites *sites = &out->watch->sites;
    json_t *array = json_array();
    uint32_t *order = calloc(sites->nnodes, sizeof *order);
    unsigned count = 0;
    if (!order) {
        out->failed = true;
        return array;
    }
    for (uint32_t i = 1; i < sites->nnodes; i++) {
        if (watch_weight(&sites->nodes[i].counts))
            order[count++] = i;
    }
    qsort_r(order, count, sizeof *order, by_cost, sites);
    for (unsigned i = 0; i < count && i < STACKS_MAX; i++) {
        json_t *names = frames(out, order[i]);
        if (join_equal(out, array, names, &sites->nodes[order[i]].counts)) {
            json_decref(names);
            continue;
        }
        json_t *object = json_object();
        put(out, object, "frames", names);
        put_counts(out, object, &sites->nodes[order[i]].counts);
        append(out, array, object);
    }
    free(order);
    return array;
}

/* ---- places ---------------------------------------------------------------------------------- */

static json_t *processes(struct out *out) {
    json_t *array = json_array();
    for (unsigned i = 0; i < out->watch->nspaces; i++) {
        const struct watch_space *row = &out->watch->spaces[i];
        json_t *object = json_object();
        put_number(out, object, "space", i);
        put_number(out, object, "pid", (uint64_t)row->pid);
        put_text(out, object, "name", i ? row->name : "(others)");
        put_number(out, object, "begin_ns", row->begin_ns);
        if (row->end_ns)
            put_number(out, object, "end_ns", row->end_ns);
        put_counts(out, object, &row->counts);
        append(out, array, object);
    }
    return array;
}

static json_t *regions(struct out *out) {
    json_t *array = json_array();
    for (unsigned i = 1; i <= out->watch->regions.count; i++) {
        const struct watch_region *row = &out->watch->regions.rows[i % out->watch->regions.count];
        char prot[4] = "---";
        json_t *object = json_object();
        prot[0] = row->prot & QUIRE_PROT_READ ? 'r' : '-';
        prot[1] = row->prot & QUIRE_PROT_WRITE ? 'w' : '-';
        prot[2] = row->prot & QUIRE_PROT_EXEC ? 'x' : '-';
        put_number(out, object, "space", row->space);
        put_text(out, object, "name", row->name);
        put_text(out, object, "prot", prot);
        put_number(out, object, "start", row->start);
        put_number(out, object, "end", row->end);
        put_counts(out, object, &row->counts);
        append(out, array, object);
    }
    return array;
}

static json_t *map(struct out *out) {
    struct watch_grid *grid = &out->watch->grid;
    json_t *object = json_object(), *rows = json_array();
    watch_grid_sort(grid);
    uint64_t now = quire_mach_now_ns(out->watch->machine);
    unsigned columns = (unsigned)(now / grid->column_ns) + 1;
    columns = columns < WATCH_COLUMNS ? columns : WATCH_COLUMNS;
    put_number(out, object, "column_ns", grid->column_ns);
    put_number(out, object, "row_bytes", (uint64_t)1 << grid->shift);
    for (unsigned r = 0; r < grid->nrows; r++) {
        json_t *row = json_object(), *cells = json_array();
        put_number(out, row, "space", grid->rows[r].space);
        put_number(out, row, "start", grid->rows[r].at << grid->shift);
        for (unsigned c = 0; c < columns; c++)
            append(out, cells, json_integer(grid->rows[r].cells[c]));
        put(out, row, "counts", cells);
        append(out, rows, row);
    }
    put(out, object, "rows", rows);
    return object;
}

static json_t *answer(struct out *out) {
    struct watch_advice advice;
    json_t *object = json_object(), *lines = json_array();
    watch_advise(out->watch, &out->functions, out->symbols, &advice);
    put_text(out, object, "cause", watch_cause_names[advice.cause]);
    put_text(out, object, "function", advice.function);
    if (advice.line > 0) {
        put_text(out, object, "source", advice.file);
        put_number(out, object, "line", (uint64_t)advice.line);
    }
    put_number(out, object, "enough_ram_bytes", advice.enough_bytes);
    put_number(out, object, "ram_bytes_5_percent", advice.ram_bytes[0]);
    put_number(out, object, "ram_bytes_25_percent", advice.ram_bytes[1]);
    put_number(out, object, "ram_bytes_twice", advice.ram_bytes[2]);
    for (unsigned i = 0; i < advice.count; i++)
        append(out, lines, text(advice.lines[i]));
    put(out, object, "lines", lines);
    return object;
}

/* The first of those that were killed. */
static json_t *victims(struct out *out) {
    const struct watch_oom *from = &out->watch->oom;
    json_t *array = json_array();
    for (unsigned i = 0; i < from->times && i < WATCH_VICTIMS; i++) {
        json_t *object = json_object();
        put_number(out, object, "at_ns", from->victims[i].at_ns);
        put_number(out, object, "pid", (uint64_t)from->victims[i].pid);
        put_text(out, object, "name", from->victims[i].name);
        append(out, array, object);
    }
    return array;
}

/* Texts of the machine's /proc at the end, for who knows Linux's names (export/). */
static json_t *proc(struct out *out) {
    static const char *const names[] = {"meminfo", "vmstat", "pressure/memory"};
    json_t *object = json_object();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *bytes;
        size_t nbytes;
        if (os_proc_read(out->watch->os, names[i], &bytes, &nbytes) != 0)
            continue;
        put(out, object, names[i], json_stringn(bytes, nbytes));
        free(bytes);
    }
    return object;
}

static json_t *oom(struct out *out) {
    const struct watch_oom *from = &out->watch->oom;
    if (!from->happened)
        return json_null();
    json_t *object = json_object();
    put_number(out, object, "kills", from->times);
    put_number(out, object, "at_ns", from->at_ns);
    put_number(out, object, "pid", (uint64_t)from->pid);
    put_text(out, object, "name", from->name);
    put_text(out, object, "why", from->why);
    put(out, object, "victims", victims(out));
    put_number(out, object, "free_pages", from->usage.free);
    put_number(out, object, "anon_pages", from->usage.anon);
    put_number(out, object, "file_pages", from->usage.file);
    put_number(out, object, "shmem_pages", from->usage.shmem);
    put_number(out, object, "page_table_pages", from->usage.page_tables);
    put_number(out, object, "swap_free_pages", from->usage.swap_free);
    return object;
}

/* ---- curves: what follows from the order of accesses -------------------------------------------
 */

#define CURVE_POINTS 240

/* LRU's misses for sizes from the first that is exact to the first with which nothing comes back.
 */
static void miss_curve(struct out *out, json_t *object) {
    const struct watch_distances *d = &out->watch->curves.distances;
    json_t *sizes = json_array(), *misses = json_array();
    uint32_t first = d->reach > 0 ? d->reach : 1,
             span = d->deepest > first ? d->deepest - first : 0;
    uint32_t points = span < CURVE_POINTS ? span : CURVE_POINTS;
    for (uint32_t i = 0; i <= points; i++) {
        uint32_t size = first + (points ? (uint32_t)((uint64_t)span * i / points) : 0);
        append(out, sizes, json_integer(size));
        append(out, misses, json_integer((json_int_t)watch_distances_misses(d, size)));
    }
    put(out, object, "ram_pages", sizes);
    put(out, object, "misses", misses);
}

static void working_set(struct out *out, json_t *object) {
    const struct watch_distances *d = &out->watch->curves.distances;
    json_t *spans = json_array(), *sizes = json_array();
    double run = (double)watch_curves_time(&out->watch->curves);
    for (unsigned i = 0; i < WATCH_SPANS && run > 0; i++) {
        uint64_t span = watch_distances_span(d, i);
        append(out, spans, json_integer((json_int_t)(span / QUIRE_SOFT_TIMES)));
        append(out, sizes,
               json_integer((json_int_t)(watch_distances_set(d, i) / run * QUIRE_PAGE_SIZE + 0.5)));
        if ((double)span >= run)
            break;
    }
    put(out, object, "span_instructions", spans);
    put(out, object, "working_set_bytes", sizes);
}

static json_t *curves(struct out *out) {
    const struct watch_distances *d = &out->watch->curves.distances;
    if (d->broken)
        return json_null();
    json_t *object = json_object();
    put_number(out, object, "exact_from_pages", d->reach);
    put_number(out, object, "new_pages", d->cold);
    put_number(out, object, "forgotten_pages", d->forgotten);
    miss_curve(out, object);
    working_set(out, object);
    return object;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static json_t *report(struct out *out) {
    json_t *root = json_object(), *background = json_object();
    put_text(out, root, "schema", "quire-report");
    put_number(out, root, "version", 1);
    put(out, root, "program", program(out));
    put(out, root, "machine", machine(out));
    put(out, root, "answer", answer(out));
    put(out, root, "totals", totals(out));
    put_counts(out, background, &out->watch->background);
    put(out, root, "background", background);
    put(out, root, "oom", oom(out));
    put(out, root, "functions", functions(out));
    put(out, root, "stacks", stacks(out));
    put(out, root, "processes", processes(out));
    put(out, root, "regions", regions(out));
    put(out, root, "series", series(out));
    put(out, root, "map", map(out));
    put(out, root, "curves", curves(out));
    put(out, root, "proc", proc(out));
    return root;
}

/* NULL: the host has no memory. */
static json_t *make(struct watch *watch, const struct watch_run *run) {
    struct out out = {.watch = watch, .run = run};
    watch_finish(watch);
    out.symbols = watch_symbols_create(watch->os, &watch->sites);
    out.failed = !watch_functions_make(&out.functions, &watch->sites, out.symbols);
    json_t *root = report(&out);
    watch_functions_end(&out.functions);
    watch_symbols_destroy(out.symbols);
    if (out.failed) {
        json_decref(root);
        return NULL;
    }
    return root;
}

char *watch_json(struct watch *watch, const struct watch_run *run) {
    json_t *root = make(watch, run);
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    return text;
}

/* ---- the page -------------------------------------------------------------------------------- */

extern const char watch_page[]; /* web/, put together by the build; empty: without uPlot */
#define DATA_MARK "@DATA@"

bool watch_has_html(void) {
    return watch_page[0] != 0;
}

/* In a page no text may look like the end of a script: < is written as JSON's escape. */
static bool put_escaped(const char *text, FILE *file) {
    while (*text) {
        size_t plain = strcspn(text, "<");
        if (fwrite(text, 1, plain, file) != plain)
            return false;
        text += plain;
        if (*text && fputs("\\u003c", file) == EOF)
            return false;
        text += *text != '\0';
    }
    return true;
}

bool watch_html(const char *json, FILE *file) {
    const char *mark = strstr(watch_page, DATA_MARK);
    size_t head = mark ? (size_t)(mark - watch_page) : 0;
    return mark && fwrite(watch_page, 1, head, file) == head && put_escaped(json, file) &&
           fputs(mark + strlen(DATA_MARK), file) != EOF && fflush(file) == 0;
}
