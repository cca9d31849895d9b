/* report.c: a report as it was saved, and the table of what can be made of it.
 *
 * The texts of reports come from files, so nothing in them is believed: a value of another kind
 * than expected is 0 or "", a list that is not there is empty.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export/samples.h"

#define VERSION      1 /* docs/REPORT.md: grows when a field changes its meaning */
#define COMMAND_SIZE 4096

/* ---- values -------------------------------------------------------------------------------------
 */

uint64_t export_count(const json_t *object, const char *key) {
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (uint64_t)value : 0;
}

const char *export_text(const json_t *object, const char *key) {
    const char *value = json_string_value(json_object_get(object, key));
    return value ? value : "";
}

/* ---- the formats of moments
 * ----------------------------------------------------------------------- */

static void join_words(const json_t *words, char *text, size_t capacity) {
    size_t i, length = 0;
    json_t *word;
    text[0] = '\0';
    json_array_foreach(words, i, word) {
        const char *value = json_string_value(word);
        int n =
            snprintf(text + length, capacity - length, "%s%s", i ? " " : "", value ? value : "");
        length += n > 0 ? (size_t)n : 0;
        if (length >= capacity)
            return; /* cut */
    }
}

void export_figures_of(const struct export_report *report, char *command, size_t capacity,
                       struct export_figures *figures) {
    const json_t *proc = json_object_get(report->root, "proc");
    const json_t *totals = json_object_get(report->root, "totals");
    const json_t *program = json_object_get(report->root, "program");
    join_words(json_object_get(program, "argv"), command, capacity);
    *figures = (struct export_figures){
        .meminfo = export_text(proc, "meminfo"),
        .vmstat = export_text(proc, "vmstat"),
        .pressure = export_text(proc, "pressure/memory"),
        .policy = export_text(json_object_get(report->root, "machine"), "policy"),
        .command = command,
        .time_ns = export_count(totals, "time_ns"),
        .idle_ns = export_count(totals, "idle_ns"),
        .stall_ns = export_count(totals, "wait_ns"),
        .instructions = export_count(totals, "instructions"),
        .accesses = export_count(totals, "accesses"),
        .tlb_misses = export_count(totals, "tlb_misses"),
        .peak_bytes = export_count(totals, "peak_demand_bytes"),
    };
}

static bool write_openmetrics(const struct export_report *report,
                              const struct export_format *format, FILE *file) {
    char command[COMMAND_SIZE];
    struct export_figures figures;
    (void)format;
    export_figures_of(report, command, sizeof command, &figures);
    return export_openmetrics(&figures, file);
}

static bool write_cgroup(const struct export_report *report, const struct export_format *format,
                         FILE *file) {
    char command[COMMAND_SIZE];
    struct export_figures figures;
    (void)format;
    export_figures_of(report, command, sizeof command, &figures);
    return export_cgroup(&figures, file);
}

/* ---- the table
 * ------------------------------------------------------------------------------------ */

#define FOLDED "run.folded"

/* Of collapsed stacks, flamegraph.pl and its kin take one count a file: a row for each. */
static const struct export_format formats[] = {
    {"chrome", "trace events over time, for ui.perfetto.dev", "run.trace.json", export_chrome,
     NULL},
    {"pprof", "call paths with all counts, for go tool pprof", "run.pb.gz", export_pprof, NULL},
    {"collapsed", "call paths by faults, for flamegraph.pl", FOLDED, export_collapsed, "faults"},
    {"collapsed.minor", "by minor faults", FOLDED, export_collapsed, "minor_faults"},
    {"collapsed.major", "by major faults", FOLDED, export_collapsed, "major_faults"},
    {"collapsed.wait", "by nanoseconds of waiting for memory", FOLDED, export_collapsed, "wait_ns"},
    {"collapsed.swap", "by pages from swap", FOLDED, export_collapsed, "swapped_in_pages"},
    {"collapsed.fresh", "by pages touched first", FOLDED, export_collapsed, "fresh_pages"},
    {"collapsed.copied", "by pages copied on write", FOLDED, export_collapsed, "copied_pages"},
    {"collapsed.file", "by pages read from files", FOLDED, export_collapsed, "file_in_pages"},
    {"collapsed.tlb", "functions by TLB misses", FOLDED, export_collapsed, "tlb_misses"},
    {"csv", "the curves as a table", "run.csv", export_csv, NULL},
    {"openmetrics", "all counters at the end, for Prometheus", "run.prom", write_openmetrics, NULL},
    {"cgroup", "the same under the names of cgroup v2", "run.cgroup", write_cgroup, NULL},
};
#define NFORMATS (sizeof formats / sizeof formats[0])

const struct export_format *export_format_at(size_t i) {
    return i < NFORMATS ? &formats[i] : NULL;
}

const struct export_format *export_format_find(const char *name) {
    for (size_t i = 0; i < NFORMATS; i++) {
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    }
    return NULL;
}

/* ---- up and down
 * ------------------------------------------------------------------------------------ */

struct export_report *export_load(FILE *file, char *message, size_t capacity) {
    json_error_t error;
    struct export_report *report = malloc(sizeof *report);
    json_t *root = report ? json_loadf(file, 0, &error) : NULL;
    const char *wrong = NULL;
    if (!report)
        wrong = "the host has no memory for it";
    else if (!root)
        snprintf(message, capacity, "line %d: %s; a report of quire run --json is wanted",
                 error.line, error.text);
    else if (strcmp(export_text(root, "schema"), "quire-report") != 0)
        wrong = "it is JSON, but not of quire run --json";
    else if (export_count(root, "version") != VERSION)
        wrong = "it is a report of another version of quire; write it again with this one";
    if (wrong)
        snprintf(message, capacity, "%s", wrong);
    if (!root || wrong) {
        json_decref(root);
        free(report);
        return NULL;
    }
    report->root = root;
    return report;
}

void export_unload(struct export_report *report) {
    if (!report)
        return;
    json_decref(report->root);
    free(report);
}

bool export_write(const struct export_report *report, const struct export_format *format,
                  FILE *file) {
    errno = 0;
    bool good = format->write(report, format, file);
    good &= fflush(file) == 0 && !ferror(file);
    errno = good || errno ? errno : ENOMEM; /* the one failure that says nothing */
    return good;
}
