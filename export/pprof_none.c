/* pprof_none.c: in pprof.c's place where the host has no zlib. */
#include <errno.h>

#include "export/samples.h"

bool export_pprof(const struct export_report *report, const struct export_format *format,
                  FILE *file) {
    (void)report, (void)format, (void)file;
    errno = ENOSYS;
    return false;
}

const char *export_lacks(const struct export_format *format) {
    return format->write == export_pprof ? "zlib (Debian: zlib1g-dev)" : NULL;
}
