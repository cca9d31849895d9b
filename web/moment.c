/* moment.c: the texts of one moment as one JSON object; docs/WEB.md has its fields.
 *
 *     source->read("meminfo vmstat ...") ──▶ texts ──▶ a parser each ──▶ JSON
 *
 * Nothing is computed: a number of the page is a number of a text, and texts and page can be
 * compared. A text that is missing is a field that is missing. What is too long for a page is cut
 * with its whole length told: processes, areas.
 *
 * A value that could not be made is NULL, and putting it somewhere fails; that is remembered in one
 * flag, looked at once at the end.
 *
 * May fail: the machine is gone, host memory. The library is jansson.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web/room.h"

#define LINE_BYTES    8192
#define NAME_BYTES    512
#define PROCESSES_MAX 400
#define AREAS_MAX     600

struct out {
    const struct web_source *source;
    bool failed;
};

static void put(struct out *out, json_t *object, const char *key, json_t *value) {
    if (json_object_set_new(object, key, value) != 0) {
        out->failed = true;
    }
}

static void append(struct out *out, json_t *array, json_t *value) {
    if (json_array_append_new(array, value) != 0) {
        out->failed = true;
    }
}

static void put_number(struct out *out, json_t *object, const char *key, uint64_t number) {
    put(out, object, key, json_integer((json_int_t)number));
}

/* Names of files need not be UTF-8. */
static json_t *string_of(const char *text) {
    char clean[LINE_BYTES];
    json_t *value = json_string(text);

    if (value == NULL) {
        snprintf(clean, sizeof clean, "%s", text);
        for (char *at = clean; *at != '\0'; at++) {
            *at = (signed char)*at < 0 ? '?' : *at;
        }
        value = json_string(clean);
    }
    return value;
}

static void put_text(struct out *out, json_t *object, const char *key, const char *text) {
    put(out, object, key, string_of(text));
}

/* Blanks before and behind do not count. */
static char *trim(char *text) {
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t')) {
        text[--length] = '\0';
    }
    return text;
}

/* ---- of the whole machine ---------------------------------------------------------------------
 */

/* "NAME: VALUE kB" or "NAME VALUE", all lines. A value that is no number stays a text. */
static json_t *table(struct out *out, const char *text) {
    char line[LINE_BYTES], *end;
    json_t *object = json_object();

    while (text_line(&text, line, sizeof line)) {
        size_t length = strcspn(line, ": ");
        char *value = line + length + strspn(line + length, ": ");
        line[length] = '\0';
        uint64_t number = strtoull(value, &end, 10);
        if (end == value || (*end != '\0' && strcmp(end, " kB") != 0)) {
            put_text(out, object, line, value);
        } else {
            put_number(out, object, line, number);
        }
    }
    return object;
}

/* The numbers that follow each other at text. */
static json_t *numbers(struct out *out, const char *text) {
    json_t *array = json_array();
    char *end;

    while (true) {
        uint64_t number = strtoull(text, &end, 10);
        if (end == text) {
            return array;
        }
        append(out, array, json_integer((json_int_t)number));
        text = end;
    }
}

/* buddyinfo, or the lines of pagetypeinfo that have blocks by order. */
static json_t *blocks(struct out *out, const char *text, bool by_type) {
    char line[LINE_BYTES], zone[32], type[32] = "";
    json_t *array = json_array();

    while (text_line(&text, line, sizeof line)) {
        int end = 0;
        int got = by_type ? sscanf(line, "Node %*d, zone %31[^,], type %31s%n", zone, type, &end)
                          : sscanf(line, "Node %*d, zone %31s%n", zone, &end);
        if (got < 1 + by_type || end == 0) {
            continue;
        }
        json_t *row = json_object();
        put_text(out, row, "zone", trim(zone));
        if (by_type) {
            put_text(out, row, "type", type);
        }
        put(out, row, "blocks", numbers(out, line + end));
        append(out, array, row);
    }
    return array;
}

/* Of zoneinfo, a zone's marks and what of each list lies in it. */
static json_t *zones(struct out *out, const char *text) {
    char line[LINE_BYTES], name[32];
    json_t *array = json_array(), *zone = NULL;
    unsigned long long number;

    while (text_line(&text, line, sizeof line)) {
        int end = 0;
        if (sscanf(line, "Node %*d, zone %31s%n", name, &end) == 1) {
            zone = json_object();
            put_text(out, zone, "zone", name);
            append(out, array, zone);
        } else if (zone != NULL && sscanf(line, " pages free %llu", &number) == 1) {
            put_number(out, zone, "free", number);
        } else if (zone != NULL && sscanf(line, " %31[a-z_] %llu%n", name, &number, &end) == 2 &&
                   line[end] == '\0') {
            put_number(out, zone, name, number);
        }
    }
    return array;
}

static json_t *slabs(struct out *out, const char *text) {
    char line[LINE_BYTES], name[NAME_BYTES];
    json_t *array = json_array();
    unsigned long long of[7];

    while (text_line(&text, line, sizeof line)) {
        if (sscanf(line,
                   "%511s %llu %llu %llu %llu %llu : tunables %*u %*u %*u : slabdata %llu %llu",
                   name, &of[0], &of[1], &of[2], &of[3], &of[4], &of[5], &of[6]) != 8) {
            continue;
        }
        static const char *const keys[] = {"active",   "objects",        "object_bytes",
                                           "per_slab", "pages_per_slab", "active_slabs",
                                           "slabs"};
        json_t *row = json_object();
        put_text(out, row, "name", name);
        for (unsigned i = 0; i < 7; i++) {
            put_number(out, row, keys[i], of[i]);
        }
        append(out, array, row);
    }
    return array;
}

static json_t *swaps(struct out *out, const char *text) {
    char line[LINE_BYTES], name[NAME_BYTES], type[32];
    json_t *array = json_array();
    unsigned long long size, used;
    int priority;

    while (text_line(&text, line, sizeof line)) {
        if (sscanf(line, "%511s %31s %llu %llu %d", name, type, &size, &used, &priority) != 5) {
            continue;
        }
        json_t *row = json_object();
        put_text(out, row, "name", name);
        put_text(out, row, "type", type);
        put_number(out, row, "size_kb", size);
        put_number(out, row, "used_kb", used);
        put(out, row, "priority", json_integer(priority));
        append(out, array, row);
    }
    return array;
}

/* "some avg10=0.00 avg60=..." */
static json_t *pressure(struct out *out, const char *text) {
    char line[LINE_BYTES], *at;
    json_t *object = json_object();

    while (text_line(&text, line, sizeof line)) {
        json_t *row = json_object();
        char *name = strtok_r(line, " ", &at);
        for (char *word; (word = strtok_r(NULL, " ", &at)) != NULL;) {
            char *value = strchr(word, '=');
            if (value != NULL) {
                *value++ = '\0';
                put(out, row, word, json_real(strtod(value, NULL)));
            }
        }
        put(out, object, name != NULL ? name : "", row);
    }
    return object;
}

/* The map of frames: cells that follow each other and count the same are one run. */
static json_t *frames(struct out *out, const char *text) {
    char line[LINE_BYTES], *at;
    unsigned long long first = 0, nframes = 0, cell = 0;
    json_t *object = json_object(), *runs = json_array();

    if (text_line(&text, line, sizeof line)) {
        sscanf(line, "first %llu frames %llu cell %llu", &first, &nframes, &cell);
    }
    put_number(out, object, "first", first);
    put_number(out, object, "frames", nframes);
    put_number(out, object, "cell", cell);
    while (text_line(&text, line, sizeof line)) {
        json_t *run = json_array();
        for (char *word = strtok_r(line, " ", &at); word != NULL; word = strtok_r(NULL, " ", &at)) {
            append(out, run,
                   word[0] >= '0' && word[0] <= '9' ? json_integer(strtoll(word, NULL, 10))
                                                    : json_string(word));
        }
        append(out, runs, run);
    }
    put(out, object, "runs", runs);
    return object;
}

/* ---- processes --------------------------------------------------------------------------------
 */

static json_t *process(struct out *out, int pid, const char *status) {
    static const char *const fields[][2] = {
        {"virtual_kb", "VmSize"}, {"resident_kb", "VmRSS"}, {"anon_kb", "RssAnon"},
        {"file_kb", "RssFile"},   {"shmem_kb", "RssShmem"}, {"swapped_kb", "VmSwap"},
        {"tables_kb", "VmPTE"},   {"locked_kb", "VmLck"},   {"threads", "Threads"},
    };
    char word[NAME_BYTES];
    json_t *object = json_object();

    put_number(out, object, "pid", (uint64_t)pid);
    put_number(out, object, "ppid", text_number(status, "PPid"));
    text_word(status, "Name", word, sizeof word);
    put_text(out, object, "name", word);
    text_word(status, "State", word, sizeof word);
    word[1] = '\0'; /* its letter */
    put_text(out, object, "state", word);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        put_number(out, object, fields[i][0], text_number(status, fields[i][1]));
    }
    return object;
}

static json_t *processes(struct out *out, uint64_t *count) {
    const char *path, *text, *error;
    json_t *array = json_array();

    *count = 0;
    for (size_t i = 0; out->source->nth(out->source->context, i, &path, &text, &error); i++) {
        const char *name = strchr(path, '/');
        if (name == NULL || strcmp(name, "/status") != 0 || text == NULL) {
            continue;
        }
        if (++*count <= PROCESSES_MAX) {
            append(out, array, process(out, atoi(path), text));
        }
    }
    return array;
}

/* ---- one space --------------------------------------------------------------------------------
 */

/* "29:0/0/0 1:1/0/2 ..." as [[29,0,0,0],[1,1,0,2],...] */
static json_t *cells(struct out *out, const char *text) {
    json_t *array = json_array();
    unsigned long long count, anon, file, swapped;

    for (int used = 0;
         sscanf(text, " %llu:%llu/%llu/%llu%n", &count, &anon, &file, &swapped, &used) == 4;
         text += used) {
        append(out, array,
               json_pack("[IIII]", (json_int_t)count, (json_int_t)anon, (json_int_t)file,
                         (json_int_t)swapped));
    }
    return array;
}

/* The first line of an area in smaps; NULL: this line is none. */
static json_t *area_of(struct out *out, const char *line) {
    char start[24], end[24], perm[8], name[LINE_BYTES];
    int at = 0;

    if (sscanf(line, "%16[0-9a-f]-%16[0-9a-f] %4s %*x %*s %*u%n", start, end, perm, &at) != 3) {
        return NULL;
    }
    snprintf(name, sizeof name, "%s", line + at);
    json_t *area = json_object();
    put_text(out, area, "start", start);
    put_text(out, area, "end", end);
    put_text(out, area, "perm", perm);
    put_text(out, area, "name", trim(name));
    return area;
}

/* From smaps, and cells for each from pages: both have the same areas in the same order. */
static json_t *areas(struct out *out, const char *smaps, const char *pages, uint64_t *count) {
    static const char *const fields[][2] = {
        {"Size:", "size_kb"},     {"Rss:", "resident_kb"},   {"Pss:", "proportional_kb"},
        {"Swap:", "swapped_kb"},  {"Anonymous:", "anon_kb"}, {"AnonHugePages:", "huge_kb"},
        {"Locked:", "locked_kb"},
    };
    char line[LINE_BYTES];
    json_t *array = json_array(), *area = NULL;

    *count = 0;
    text_line(&pages, line, sizeof line); /* "cell N" */
    while (text_line(&smaps, line, sizeof line)) {
        json_t *next = area_of(out, line);
        if (next != NULL) {
            size_t skip = pages != NULL ? strcspn(pages, " \n") : 0;
            area = ++*count <= AREAS_MAX ? next : NULL;
            if (area == NULL) {
                json_decref(next);
                continue;
            }
            put(out, area, "cells", cells(out, pages != NULL ? pages + skip : ""));
            pages = pages != NULL ? strchr(pages, '\n') : NULL;
            pages += pages != NULL;
            append(out, array, area);
            continue;
        }
        for (size_t i = 0; area != NULL && i < sizeof fields / sizeof fields[0]; i++) {
            if (strncmp(line, fields[i][0], strlen(fields[i][0])) == 0) {
                put_number(out, area, fields[i][1], text_number(line, fields[i][0]));
            }
        }
    }
    return array;
}

/* Levels of the page tables. */
static json_t *tables(struct out *out, const char *text) {
    char line[LINE_BYTES];
    unsigned long long level, count, mapped;
    json_t *array = json_array();

    while (text_line(&text, line, sizeof line)) {
        if (sscanf(line, "level %llu %llu tables, %llu entries", &level, &count, &mapped) == 3) {
            append(out, array,
                   json_pack("{s:I,s:I,s:I}", "level", (json_int_t)level, "tables",
                             (json_int_t)count, "mapped", (json_int_t)mapped));
        }
    }
    return array;
}

static json_t *space(struct out *out, int pid) {
    char path[64];
    uint64_t count;
    json_t *object = json_object();

    snprintf(path, sizeof path, "%d/smaps", pid);
    const char *smaps = text_of(out->source, path);
    snprintf(path, sizeof path, "quire/%d/pages", pid);
    const char *pages = text_of(out->source, path);
    snprintf(path, sizeof path, "quire/%d/tables", pid);
    const char *levels = text_of(out->source, path);
    put_number(out, object, "pid", (uint64_t)pid);
    put_number(out, object, "cell_pages", text_number(pages, "cell"));
    put(out, object, "areas", areas(out, smaps, pages, &count));
    put_number(out, object, "areas_count", count);
    put(out, object, "tables", tables(out, levels));
    return object;
}

/* ---- a shell's lines -------------------------------------------------------------------------
 */

static json_t *history(struct out *out, const char *text) {
    char line[LINE_BYTES];
    json_t *object = json_object(), *lines = json_array();

    put_number(out, object, "place", text_number(text, "place"));
    for (bool first = true; text_line(&text, line, sizeof line); first = false) {
        if (!first) {
            append(out, lines, string_of(line));
        }
    }
    put(out, object, "lines", lines);
    return object;
}

/* ---- together ---------------------------------------------------------------------------------
 */

static char *finish(struct out *out, json_t *object, char message[WEB_MESSAGE_BYTES]) {
    char *text = out->failed ? NULL : json_dumps(object, JSON_COMPACT);

    json_decref(object);
    if (text == NULL) {
        snprintf(message, WEB_MESSAGE_BYTES, "no memory");
    }
    return text;
}

char *moment_make(const struct web_source *source, int pid, char message[WEB_MESSAGE_BYTES]) {
    struct out out = {source, false};
    char paths[256];
    uint64_t count;

    snprintf(paths, sizeof paths,
             "quire meminfo vmstat buddyinfo pagetypeinfo zoneinfo slabinfo swaps pressure/memory "
             "quire/frames */status %d/smaps quire/%d/pages quire/%d/tables%s",
             pid, pid, pid, source->run != NULL ? " quire/history" : "");
    if (!source->read(source->context, paths, message)) {
        return NULL;
    }
    json_t *moment = json_object();
    put_text(&out, moment, "kind", source->kind);
    put(&out, moment, "steps", json_boolean(source->step != NULL));
    put(&out, moment, "machine", table(&out, text_of(source, "quire")));
    put(&out, moment, "meminfo", table(&out, text_of(source, "meminfo")));
    put(&out, moment, "vmstat", table(&out, text_of(source, "vmstat")));
    put(&out, moment, "pressure", pressure(&out, text_of(source, "pressure/memory")));
    put(&out, moment, "buddyinfo", blocks(&out, text_of(source, "buddyinfo"), false));
    put(&out, moment, "pagetypes", blocks(&out, text_of(source, "pagetypeinfo"), true));
    put(&out, moment, "zones", zones(&out, text_of(source, "zoneinfo")));
    put(&out, moment, "slabs", slabs(&out, text_of(source, "slabinfo")));
    put(&out, moment, "swaps", swaps(&out, text_of(source, "swaps")));
    put(&out, moment, "frames", frames(&out, text_of(source, "quire/frames")));
    put(&out, moment, "processes", processes(&out, &count));
    put_number(&out, moment, "processes_count", count);
    if (source->run != NULL) {
        put(&out, moment, "history", history(&out, text_of(source, "quire/history")));
    }
    put(&out, moment, "space", space(&out, pid));
    return finish(&out, moment, message);
}

char *result_make(const struct web_source *source, const char *line) {
    char message[WEB_MESSAGE_BYTES];
    struct out out = {source, false};
    const char *text = "", *error = "";
    bool ok = source->run(source->context, line, &text, &error);
    json_t *object = json_object();

    put(&out, object, "ok", json_boolean(ok));
    put_text(&out, object, "text", text);
    put_text(&out, object, "error", error);
    return finish(&out, object, message);
}

/* ---- a walk -----------------------------------------------------------------------------------
 */

/* "level 3   entry 16 at 0x000009080   0x001f485b  vr-xu-a-  frame 0x7d2": beside the line itself.
 */
static json_t *step_of(struct out *out, const char *line) {
    char at[24], value[24], bits[12], what[12], next[24] = "";
    unsigned level, index;
    json_t *step = json_object();

    put_text(out, step, "text", line);
    if (sscanf(line, "level %u entry %u at %23s %23s %11s %11s %23[0-9a-fx]", &level, &index, at,
               value, bits, what, next) < 5) {
        return step;
    }
    put_number(out, step, "level", level);
    put_number(out, step, "index", index);
    put_text(out, step, "at", at);
    put_text(out, step, "value", value);
    put_text(out, step, "bits", bits);
    if (next[0] != '\0') {
        put_text(out, step, what, next); /* "table" or "frame" */
    }
    return step;
}

static json_t *steps(struct out *out, const char *text) {
    char line[LINE_BYTES];
    json_t *array = json_array();

    while (text_line(&text, line, sizeof line)) {
        append(out, array, step_of(out, line));
    }
    return array;
}

/* "level 2   table at 0x000812000   512 entries, 3 used   2.2d1p507." */
static json_t *walk_tables(struct out *out, const char *text) {
    char line[LINE_BYTES], at[24];
    unsigned long long entries, used;
    json_t *array = json_array();
    int end;

    while (text_line(&text, line, sizeof line)) {
        if (sscanf(line, "level %*u table at %23s %llu entries, %llu used %n", at, &entries, &used,
                   &end) != 3) {
            continue;
        }
        json_t *row = json_object();
        put_text(out, row, "at", at);
        put_number(out, row, "entries", entries);
        put_number(out, row, "used", used);
        put_text(out, row, "marks", line + end);
        append(out, array, row);
    }
    return array;
}

char *walk_make(const struct web_source *source, int pid, uint64_t va, char access,
                char message[WEB_MESSAGE_BYTES]) {
    struct out out = {source, false};
    char walk[96], tlb[96], table_path[96], paths[320];

    snprintf(walk, sizeof walk, "quire/%d/walk/%" PRIx64 "/%c", pid, va, access);
    snprintf(tlb, sizeof tlb, "quire/%d/tlb/%" PRIx64 "/%c", pid, va, access);
    snprintf(table_path, sizeof table_path, "quire/%d/table/%" PRIx64, pid, va);
    snprintf(paths, sizeof paths, "%s %s %s", walk, tlb, table_path);
    if (!source->read(source->context, paths, message)) {
        return NULL;
    }
    json_t *object = json_object();
    put_number(&out, object, "pid", (uint64_t)pid);
    put(&out, object, "steps", steps(&out, text_of(source, walk)));
    put(&out, object, "tlb", steps(&out, text_of(source, tlb)));
    put(&out, object, "tables", walk_tables(&out, text_of(source, table_path)));
    return finish(&out, object, message);
}
