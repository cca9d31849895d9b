/* collapsed.c: call paths as lines "outer;inner COUNT", which flamegraph.pl brought into the world.
 *
 * A semicolon parts frames and the last space the count, so neither may be in a name: signs that
 * would be misread become '_'. Paths that became equal are written twice; readers add them up.
 */
#include <inttypes.h>
#include <string.h>

#include "export/samples.h"

#define FAULTS "faults" /* minor and major together: no key of the report */

struct out {
    const char *key;
    FILE *file;
};

static void put_name(const char *name, FILE *file) {
    for (; *name; name++)
        fputc(*name == ';' || (*name >= 0 && *name <= ' ') || *name == 0x7f ? '_' : *name, file);
}

static bool put_sample(void *context, const struct export_sample *sample) {
    struct out *out = context;
    uint64_t count = 0;
    for (unsigned i = 0; i < EXPORT_KINDS; i++) {
        bool fault = i == EXPORT_MINOR || i == EXPORT_MAJOR;
        if (strcmp(out->key, export_kind_keys[i]) == 0 || (fault && strcmp(out->key, FAULTS) == 0))
            count += sample->of[i];
    }
    if (count == 0)
        return true;
    for (unsigned i = 0; i < sample->depth; i++) {
        if (i)
            fputc(';', out->file);
        put_name(sample->frames[i][0] ? sample->frames[i] : "(unknown)", out->file);
    }
    fprintf(out->file, " %" PRIu64 "\n", count);
    return !ferror(out->file);
}

bool export_collapsed(const struct export_report *report, const struct export_format *format,
                      FILE *file) {
    struct out out = {format->key, file};
    return export_each(report, put_sample, &out);
}
