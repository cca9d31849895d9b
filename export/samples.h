/* samples.h: inside of export/: a report that was read, and its call paths. */
#ifndef QUIRE_EXPORT_SAMPLES_H
#define QUIRE_EXPORT_SAMPLES_H

#include <jansson.h>

#include "export/export.h"

struct export_report {
    json_t *root;
};

/* Values of an object; 0 and "" where there is nothing of that kind. */
uint64_t export_count(const json_t *object, const char *key);
const char *export_text(const json_t *object, const char *key);

/* What call paths are counted by. */
enum export_kind {
    EXPORT_MINOR,
    EXPORT_MAJOR,
    EXPORT_FRESH,
    EXPORT_COPIED,
    EXPORT_SWAP_IN,
    EXPORT_SWAP_OUT,
    EXPORT_FILE_IN,
    EXPORT_REFAULT,
    EXPORT_DIRECT,
    EXPORT_WAIT_NS,
    EXPORT_TLB,
    EXPORT_KINDS
};
extern const char *const export_kind_keys[EXPORT_KINDS]; /* of the report */

#define EXPORT_DEPTH 64 /* frames of a path; a report has fewer */

struct export_sample {
    unsigned depth;
    const char *frames[EXPORT_DEPTH]; /* outermost first; live as long as the report */
    uint64_t of[EXPORT_KINDS];
};

/* The call paths, one after another, in the report's order; then what lies on none of them, under
 * names in brackets. => the sum of each kind over all samples is what the run had of it. False:
 * see() returned false and was the last one. O(report). */
bool export_each(const struct export_report *report,
                 bool (*see)(void *context, const struct export_sample *sample), void *context);

/* The report's figures at its end, for the formats of moments. They live as long as the report and
 * command, which is memory of the caller. */
void export_figures_of(const struct export_report *report, char *command, size_t capacity,
                       struct export_figures *figures);

/* The writers, for the table in report.c. */
bool export_chrome(const struct export_report *report, const struct export_format *format,
                   FILE *file);
bool export_collapsed(const struct export_report *report, const struct export_format *format,
                      FILE *file);
bool export_csv(const struct export_report *report, const struct export_format *format, FILE *file);
bool export_pprof(const struct export_report *report, const struct export_format *format,
                  FILE *file);

#endif
