/* csv.c: the report's series as a table: a line for each sample, a column for each curve, named as
 * in the report (docs/REPORT.md). RFC 4180, but for its line ends, which are those of this system:
 * all that reads CSV takes both, and tools of the shell only these. */
#include <inttypes.h>
#include <string.h>

#include "export/samples.h"

/* Is it a column? The time is the first one anyway. */
static bool is_curve(const char *key, const json_t *value) {
    return json_is_array(value) && strcmp(key, "end_ns") != 0;
}

bool export_csv(const struct export_report *report, const struct export_format *format,
                FILE *file) {
    json_t *series = json_object_get(report->root, "series"), *values;
    const json_t *ends = json_object_get(series, "end_ns");
    const char *key;
    (void)format;
    fputs("end_ns", file);
    json_object_foreach(series, key, values) {
        if (is_curve(key, values))
            fprintf(file, ",%s", key);
    }
    fputc('\n', file);
    for (size_t i = 0; i < json_array_size(ends); i++) {
        fprintf(file, "%" JSON_INTEGER_FORMAT, json_integer_value(json_array_get(ends, i)));
        json_object_foreach(series, key, values) {
            if (is_curve(key, values))
                fprintf(file, ",%" JSON_INTEGER_FORMAT,
                        json_integer_value(json_array_get(values, i)));
        }
        fputc('\n', file);
    }
    return !ferror(file);
}
