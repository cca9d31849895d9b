/* report_none.c: in the place of all that reads reports, where the host has no jansson. */
#include "export/export.h"

const struct export_format *export_format_at(size_t i) {
    (void)i;
    return NULL;
}

const struct export_format *export_format_find(const char *name) {
    (void)name;
    return NULL;
}

const char *export_lacks(const struct export_format *format) {
    (void)format;
    return "libjansson (Debian: libjansson-dev)";
}

struct export_report *export_load(FILE *file, char *message, size_t capacity) {
    (void)file;
    snprintf(message, capacity, "this quire was built without libjansson (Debian: libjansson-dev)");
    return NULL;
}

void export_unload(struct export_report *report) {
    (void)report;
}

bool export_write(const struct export_report *report, const struct export_format *format,
                  FILE *file) {
    (void)report, (void)format, (void)file;
    return false;
}
