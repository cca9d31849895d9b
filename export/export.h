/* export.h: a run in the formats of other tools: what the command needs of this room.
 *
 * Nothing here knows a machine: a report is the JSON that `quire run --json` writes
 * (docs/REPORT.md), figures are texts of /proc. Reports may come from anywhere: a broken one is
 * refused or shows zeros, never more. One thread for a report; nothing is shared between reports.
 */
#ifndef QUIRE_EXPORT_EXPORT_H
#define QUIRE_EXPORT_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- saved runs --------------------------------------------------------------------------------
 */

struct export_report;

/* A way to write a report. Rows of one table, for ever. */
struct export_format {
    const char *name; /* as people type it */
    const char *summary;
    const char *example; /* a usual name of such a file */
    bool (*write)(const struct export_report *report, const struct export_format *format,
                  FILE *file);
    const char *key; /* of the report: what this row counts; NULL: all */
};

/* The formats, in order; NULL behind the last one. */
const struct export_format *export_format_at(size_t i);
/* By name; NULL: there is none. */
const struct export_format *export_format_find(const char *name);
/* NULL, or what this quire was built without that the format needs. */
const char *export_lacks(const struct export_format *format);

/* Read a report from the file, to its end. NULL: it is none, or the host has no memory; message
 * says so, as the rest of a sentence. O(bytes); takes some ten times the file's size. */
struct export_report *export_load(FILE *file, char *message, size_t capacity);
/* NULL is fine. */
void export_unload(struct export_report *report);

/* Write it, and flush. False: the file cannot take it, or the host has no memory (errno); some of
 * it may be there. O(report). */
bool export_write(const struct export_report *report, const struct export_format *format,
                  FILE *file);

/* ---- figures of a moment ------------------------------------------------------------------------
 */

/* Borrowed texts; "" where there is none. */
struct export_figures {
    const char *meminfo, *vmstat, *pressure; /* of /proc; the last is pressure/memory */
    const char *policy, *command;
    uint64_t time_ns, idle_ns, stall_ns; /* the machine's clock */
    uint64_t instructions, accesses, tlb_misses, peak_bytes;
};

/* The number behind a name that begins a line ("MemFree:  12 kB", "pgfault 7"); 0 if it is not
 * there. Of a name in a name, the whole one counts. O(text). */
uint64_t export_number(const char *text, const char *name);

/* OpenMetrics 1.0 text, to its # EOF. Not flushed. False: the file could not take it so far. */
bool export_openmetrics(const struct export_figures *figures, FILE *file);
/* Files of a control group (version 2) in the form "FILE:LINE", as grep shows several. */
bool export_cgroup(const struct export_figures *figures, FILE *file);

#endif
