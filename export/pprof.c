/* pprof.c: call paths with all that they caused, as profile.proto of pprof has them, compressed as
 * gzip does (github.com/google/pprof/blob/main/proto/profile.proto).
 *
 *     Profile ─┬─ sample_type   one for each kind: name, unit
 *              ├─ sample        locations, innermost first; a value for each kind
 *              ├─ location ───▶ function ───▶ string_table
 *              └─ mapping       one, the program; says that names are known already
 *
 * The report knows functions, not addresses, so a location is a function, with the line where it
 * cost most. Strings and functions get their numbers when they are first met, and are written at
 * once: the fields of a message may come in any order.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "export/protobuf.h"
#include "export/samples.h"

/* Numbers of fields: profile.proto. */
enum profile { SAMPLE_TYPE = 1, SAMPLE, MAPPING, LOCATION, FUNCTION, STRING_TABLE };
enum { DURATION_NANOS = 10, COMMENT = 13, DEFAULT_SAMPLE_TYPE = 14 };
enum value_type { TYPE = 1, UNIT };
enum sample { LOCATION_ID = 1, VALUE };
enum mapping { MAPPING_ID = 1, FILENAME = 5, HAS_FUNCTIONS = 7, HAS_FILENAMES, HAS_LINE_NUMBERS };
enum location { ID = 1, LOCATION_MAPPING, LINE = 4 };
enum line { FUNCTION_ID = 1, LINE_NUMBER };
enum function { NAME = 2, SYSTEM_NAME, FUNCTION_FILE };

struct profile_out {
    const struct export_report *report;
    struct protobuf profile, part, inner; /* the whole, a field of it, a field of that */
    json_t *strings, *functions;          /* from a text to its number */
    json_t *sources;                      /* from a function's name to its row of the report */
    uint64_t waited;                      /* by all samples */
    bool failed;
};

/* ---- tables
 * --------------------------------------------------------------------------------------- */

/* The number of a text, from 0; *is_new when it is met first. */
static uint64_t number_of(struct profile_out *out, json_t *table, const char *text, bool *is_new) {
    const json_t *known = json_object_get(table, text);
    *is_new = known == NULL;
    if (known)
        return (uint64_t)json_integer_value(known);
    uint64_t number = json_object_size(table);
    out->failed |= json_object_set_new(table, text, json_integer((json_int_t)number)) != 0;
    return number;
}

static uint64_t string_of(struct profile_out *out, const char *text) {
    bool is_new;
    uint64_t number = number_of(out, out->strings, text, &is_new);
    if (is_new)
        protobuf_bytes(&out->profile, STRING_TABLE, text, strlen(text));
    return number;
}

/* The location of a function, which has the same number; 0 is none. */
static uint64_t location_of(struct profile_out *out, const char *name) {
    bool is_new;
    uint64_t id = number_of(out, out->functions, name, &is_new) + 1;
    if (!is_new)
        return id;
    const json_t *row = json_object_get(out->sources, name);
    const char *source = export_text(row, "source");
    uint64_t text = string_of(out, name);
    protobuf_number(&out->part, ID, id);
    protobuf_number(&out->part, NAME, text);
    protobuf_number(&out->part, SYSTEM_NAME, text);
    protobuf_number(&out->part, FUNCTION_FILE,
                    string_of(out, source[0] ? source : export_text(row, "image")));
    protobuf_message(&out->profile, FUNCTION, &out->part);
    protobuf_number(&out->inner, FUNCTION_ID, id);
    protobuf_number(&out->inner, LINE_NUMBER, export_count(row, "line"));
    protobuf_number(&out->part, ID, id);
    protobuf_number(&out->part, LOCATION_MAPPING, 1);
    protobuf_message(&out->part, LINE, &out->inner);
    protobuf_message(&out->profile, LOCATION, &out->part);
    return id;
}

/* The dearest row of each name: rows are dearest first. */
static void find_sources(struct profile_out *out) {
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(out->report->root, "functions"), i, row) {
        const char *name = export_text(row, "function");
        if (!json_object_get(out->sources, name))
            out->failed |= json_object_set(out->sources, name, row) != 0;
    }
}

/* ---- the message
 * ------------------------------------------------------------------------------------ */

static void put_types(struct profile_out *out) {
    for (unsigned i = 0; i < EXPORT_KINDS; i++) {
        bool wait = i == EXPORT_WAIT_NS;
        protobuf_number(&out->part, TYPE, string_of(out, wait ? "wait" : export_kind_keys[i]));
        protobuf_number(&out->part, UNIT, string_of(out, wait ? "nanoseconds" : "count"));
        protobuf_message(&out->profile, SAMPLE_TYPE, &out->part);
    }
}

static bool put_sample(void *context, const struct export_sample *sample) {
    struct profile_out *out = context;
    uint64_t locations[EXPORT_DEPTH];
    for (unsigned i = 0; i < sample->depth; i++)
        locations[i] = location_of(out, sample->frames[sample->depth - 1 - i]);
    protobuf_packed(&out->part, LOCATION_ID, locations, sample->depth);
    protobuf_packed(&out->part, VALUE, sample->of, EXPORT_KINDS);
    protobuf_message(&out->profile, SAMPLE, &out->part);
    out->waited += sample->of[EXPORT_WAIT_NS];
    return !out->failed;
}

/* => false: the host has no memory. */
static bool make_profile(struct profile_out *out) {
    const json_t *root = out->report->root;
    const json_t *words = json_object_get(json_object_get(root, "program"), "argv");
    const json_t *totals = json_object_get(root, "totals");
    const char *program = json_string_value(json_array_get(words, 0));
    string_of(out, ""); /* number 0 must be the empty one */
    find_sources(out);
    put_types(out);
    protobuf_number(&out->part, MAPPING_ID, 1);
    protobuf_number(&out->part, FILENAME, string_of(out, program ? program : ""));
    protobuf_number(&out->part, HAS_FUNCTIONS, 1);
    protobuf_number(&out->part, HAS_FILENAMES, 1);
    protobuf_number(&out->part, HAS_LINE_NUMBERS, 1);
    protobuf_message(&out->profile, MAPPING, &out->part);
    export_each(out->report, put_sample, out);
    protobuf_number(&out->profile, DURATION_NANOS, export_count(totals, "time_ns"));
    protobuf_number(&out->profile, COMMENT, string_of(out, "quire run, on the machine's clock"));
    protobuf_number(&out->profile, DEFAULT_SAMPLE_TYPE,
                    string_of(out, out->waited ? "wait" : export_kind_keys[EXPORT_MINOR]));
    return !out->failed && !out->profile.failed && !out->part.failed && !out->inner.failed;
}

/* ---- gzip
 * ------------------------------------------------------------------------------------------- */

#define GZIP_WINDOW (15 + 16) /* zlib.h: the largest window, and gzip's header around it */
#define GZIP_MEMORY 8         /* zlib.h: its default */

static bool put_gzip(const struct protobuf *message, FILE *file) {
    unsigned char bytes[1 << 14];
    z_stream stream = {.next_in = message->bytes, .avail_in = (uInt)message->size};
    int answer = Z_OK;
    if (message->size != stream.avail_in ||
        deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        errno = ENOMEM;
        return false;
    }
    while (answer == Z_OK) {
        stream.next_out = bytes;
        stream.avail_out = sizeof bytes;
        answer = deflate(&stream, Z_FINISH);
        size_t n = sizeof bytes - stream.avail_out;
        if (fwrite(bytes, 1, n, file) != n)
            answer = Z_ERRNO;
    }
    deflateEnd(&stream);
    return answer == Z_STREAM_END;
}

bool export_pprof(const struct export_report *report, const struct export_format *format,
                  FILE *file) {
    struct profile_out out = {.report = report,
                              .strings = json_object(),
                              .functions = json_object(),
                              .sources = json_object()};
    (void)format;
    out.failed = !out.strings || !out.functions || !out.sources;
    bool made = !out.failed && make_profile(&out);
    bool good = made && put_gzip(&out.profile, file);
    int why = made ? errno : ENOMEM;
    json_decref(out.strings);
    json_decref(out.functions);
    json_decref(out.sources);
    protobuf_free(&out.profile);
    protobuf_free(&out.part);
    protobuf_free(&out.inner);
    errno = why;
    return good;
}

const char *export_lacks(const struct export_format *format) {
    (void)format;
    return NULL;
}
