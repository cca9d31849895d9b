/* chrome.c: the run over time as trace events, in the JSON that Chrome brought up and that Perfetto
 * (ui.perfetto.dev) opens: docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
 *
 *     machine   counters (C): memory, swap, faults, TLB, reclaim, swap traffic, waiting
 *               slices (X): reclaim, as long as pages were taken back
 *     process   a slice for each program that it was, from its first touch of memory to its end
 *     all       instants (i): kills for want of memory
 *
 * Times are microseconds of the machine's clock. A level stands at the moment it was taken; a rate
 * from the beginning of the time that it was counted over, since a viewer draws a counter until the
 * next.
 *
 * I1  Slices of one thread lie in each other or beside each other: viewers drop others. Programs of
 *     one process follow each other by exec, so each ends where the next begins.
 */
#include <string.h>

#include "export/samples.h"

#define MACHINE_PID \
    (1 << 22) /* above every process: PID_MAX_LIMIT of Linux; 0 means idle to viewers */
#define RECLAIM_TID (MACHINE_PID + 1)
#define NS_PER_US   1000.0
#define NS_PER_S    1e9
#define STYLE       (JSON_COMPACT | JSON_REAL_PRECISION(15)) /* 15: no 0.30000000000000004 */

struct events {
    FILE *file;
    bool any, failed;
};

/* Takes the event, which may be NULL: no memory. */
static void put(struct events *events, json_t *event) {
    if (events->any)
        fputs(",\n", events->file);
    events->any = true;
    events->failed |= event == NULL || json_dumpf(event, events->file, STYLE) != 0;
    json_decref(event);
}

static void put_name(struct events *events, const char *what, json_int_t pid, json_int_t tid,
                     const char *name) {
    put(events, json_pack("{ss ss sI sI s{ss}}", "ph", "M", "name", what, "pid", pid, "tid", tid,
                          "args", "name", name));
}

static uint64_t at(const json_t *series, const char *key, size_t i) {
    json_int_t value = json_integer_value(json_array_get(json_object_get(series, key), i));
    return value > 0 ? (uint64_t)value : 0;
}

/* ---- the machine
 * ------------------------------------------------------------------------------------ */

static void put_value(struct events *events, json_t *values, const char *name, json_t *value) {
    events->failed |= json_object_set_new(values, name, value) != 0;
}

static void counter(struct events *events, const char *name, uint64_t ns, json_t *values) {
    put(events, json_pack("{ss ss sI sf so}", "ph", "C", "name", name, "pid",
                          (json_int_t)MACHINE_PID, "ts", (double)ns / NS_PER_US, "args", values));
}

static void put_levels(struct events *events, const json_t *series, size_t i, uint64_t page_bytes) {
    static const char *const rows[][3] = {{"memory (bytes)", "resident", "resident_pages"},
                                          {"memory (bytes)", "page cache", "cache_pages"},
                                          {"memory (bytes)", "free", "free_pages"},
                                          {"swap (bytes)", "used", "swapped_pages"}};
    json_t *memory = json_object(), *swap = json_object();
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)
        put_value(events, k < 3 ? memory : swap, rows[k][1],
                  json_integer((json_int_t)(at(series, rows[k][2], i) * page_bytes)));
    counter(events, rows[0][0], at(series, "end_ns", i), memory);
    counter(events, rows[3][0], at(series, "end_ns", i), swap);
}

/* Of sample i, whose time begins where that of the one before ends; behind the last: zeros. */
static void put_rates(struct events *events, const json_t *series, size_t i, uint64_t from_ns) {
    static const struct {
        const char *name, *part, *key;
        double scale;
    } rows[] = {
        {"faults (/s)", "minor", "minor_faults", 1},
        {"faults (/s)", "major", "major_faults", 1},
        {"TLB misses (/s)", "misses", "tlb_misses", 1},
        {"reclaim (pages/s)", "reclaimed", "reclaimed_pages", 1},
        {"swap traffic (pages/s)", "in", "swapped_in_pages", 1},
        {"swap traffic (pages/s)", "out", "swapped_out_pages", 1},
        {"waiting for memory (%)", "waiting", "wait_ns", 100 / NS_PER_S},
    };
    uint64_t to_ns = at(series, "end_ns", i);
    double seconds = to_ns > from_ns ? (double)(to_ns - from_ns) / NS_PER_S : 0;
    for (size_t k = 0; k < sizeof rows / sizeof rows[0];) {
        const char *name = rows[k].name;
        json_t *values = json_object();
        for (; k < sizeof rows / sizeof rows[0] && strcmp(rows[k].name, name) == 0; k++) {
            double n = (double)at(series, rows[k].key, i) * rows[k].scale;
            put_value(events, values, rows[k].part, json_real(seconds > 0 ? n / seconds : 0));
        }
        counter(events, name, from_ns, values);
    }
}

/* Samples beside each other in which pages were taken back: one slice. */
static void put_reclaim(struct events *events, const json_t *series, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint64_t pages = 0, from_ns = i ? at(series, "end_ns", i - 1) : 0;
        for (; i < n && at(series, "reclaimed_pages", i); i++)
            pages += at(series, "reclaimed_pages", i);
        if (pages == 0)
            continue;
        double us = (double)(at(series, "end_ns", i - 1) - from_ns) / NS_PER_US;
        put(events,
            json_pack("{ss ss ss sI sI sf sf s{sI}}", "ph", "X", "name", "reclaim", "cat", "memory",
                      "pid", (json_int_t)MACHINE_PID, "tid", (json_int_t)RECLAIM_TID, "ts",
                      (double)from_ns / NS_PER_US, "dur", us, "args", "pages", (json_int_t)pages));
    }
}

static void put_machine(struct events *events, const json_t *root) {
    const json_t *series = json_object_get(root, "series");
    uint64_t page_bytes = export_count(json_object_get(root, "machine"), "page_bytes");
    size_t n = json_array_size(json_object_get(series, "end_ns"));
    put_name(events, "process_name", MACHINE_PID, MACHINE_PID, "machine");
    put_name(events, "thread_name", MACHINE_PID, RECLAIM_TID, "reclaim");
    for (size_t i = 0; i < n; i++) {
        put_levels(events, series, i, page_bytes);
        put_rates(events, series, i, i ? at(series, "end_ns", i - 1) : 0);
    }
    if (n)
        put_rates(events, series, n, at(series, "end_ns", n - 1));
    put_reclaim(events, series, n);
}

/* ---- programs
 * --------------------------------------------------------------------------------------- */

/* I1: where the next program of the same process begins. */
static uint64_t end_of(const json_t *processes, size_t i, uint64_t last_ns) {
    const json_t *row = json_array_get(processes, i);
    uint64_t end = export_count(row, "end_ns"), pid = export_count(row, "pid");
    end = end && end < last_ns ? end : last_ns;
    for (i++; i < json_array_size(processes); i++) {
        const json_t *next = json_array_get(processes, i);
        if (export_count(next, "pid") == pid)
            return export_count(next, "begin_ns") < end ? export_count(next, "begin_ns") : end;
    }
    return end;
}

static void put_processes(struct events *events, const json_t *root) {
    const json_t *processes = json_object_get(root, "processes");
    uint64_t last_ns = export_count(json_object_get(root, "totals"), "time_ns");
    for (size_t i = 0; i < json_array_size(processes); i++) {
        json_t *row = json_array_get(processes, i), *counts = json_object();
        json_int_t pid = (json_int_t)export_count(row, "pid");
        const char *name = export_text(row, "name");
        uint64_t begin = export_count(row, "begin_ns"), end = end_of(processes, i, last_ns);
        for (unsigned k = 0; k < EXPORT_KINDS; k++) {
            json_t *count = json_object_get(row, export_kind_keys[k]);
            events->failed |= count && json_object_set(counts, export_kind_keys[k], count) != 0;
        }
        if (pid == 0) { /* others: no time of its own */
            json_decref(counts);
            continue;
        }
        put_name(events, "process_name", pid, pid, name);
        put(events,
            json_pack("{ss ss ss sI sI sf sf so}", "ph", "X", "name", name, "cat", "program", "pid",
                      pid, "tid", pid, "ts", (double)begin / NS_PER_US, "dur",
                      (double)(end > begin ? end - begin : 0) / NS_PER_US, "args", counts));
    }
}

static void put_kills(struct events *events, const json_t *root) {
    const json_t *oom = json_object_get(root, "oom");
    const json_t *victims = json_object_get(oom, "victims");
    for (size_t i = 0; i < json_array_size(victims); i++) {
        const json_t *row = json_array_get(victims, i);
        json_int_t pid = (json_int_t)export_count(row, "pid");
        bool last = i + 1 == json_array_size(victims);
        put(events,
            json_pack("{ss ss ss ss sI sI sf s{ss ss}}", "ph", "i", "s", "g", "name", "OOM kill",
                      "cat", "memory", "pid", pid, "tid", pid, "ts",
                      (double)export_count(row, "at_ns") / NS_PER_US, "args", "process",
                      export_text(row, "name"), "why", last ? export_text(oom, "why") : ""));
    }
}

bool export_chrome(const struct export_report *report, const struct export_format *format,
                   FILE *file) {
    const json_t *root = report->root;
    struct events events = {.file = file};
    (void)format;
    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", file);
    put_machine(&events, root);
    put_processes(&events, root);
    put_kills(&events, root);
    fputs("\n],\"otherData\":", file);
    json_t *other = json_pack("{sO? sO? ss}", "program", json_object_get(root, "program"),
                              "machine", json_object_get(root, "machine"), "trace",
                              export_text(json_object_get(root, "totals"), "trace"));
    events.failed |= other == NULL || json_dumpf(other, file, STYLE) != 0;
    json_decref(other);
    fputs("}\n", file);
    return !events.failed;
}
