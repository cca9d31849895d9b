/* report.c: the files that a run leaves for people and tools: --report, --json and --export.
 *
 *     word ──open──▶ FILE      before the machine is made: a wrong name is found at once
 *     os ──watch/──▶ account   while it runs
 *     account ─────▶ JSON ──▶ FILE     at the end, however the program ended: also when it was
 *                     ├─page─▶ FILE    killed for want of memory
 *                     └─export/─▶ FILE
 *
 * The watch changes nothing: the summary and the trace are those of a run without a report.
 *
 * I1  A report that could not be written whole is said to be so, and never changes a program's own
 *     bad exit code into ours.
 */
#include "cli/run.h"

#include "cli/cli.h"
#include "export/export.h"
#include "watch/watch.h"

#include <quire/policy.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define JSON_OPTION   "--json"
#define HTML_OPTION   "--report"
#define EXPORT_OPTION "--export"
#define FORMATS_MAX   32 /* room for their names in a message */

/* ---- before the run ----------------------------------------------------------------------------
 */

/* What this quire was built without. */
static bool can_write(const char *option, const char *path) {
    if (!watch_has_json()) {
        cli_wrong("%s %s: this quire was built without libjansson (Debian: libjansson-dev), which "
                  "writes reports",
                  option, path);
        return false;
    }
    if (strcmp(option, HTML_OPTION) == 0 && !watch_has_html()) {
        cli_wrong("%s %s: this quire was built without uPlot, which draws the page; build it again "
                  "with npm and a network, or take --json",
                  option, path);
        return false;
    }
    return true;
}

/* No such format: name the nearest, or all. */
static void unknown_format(const char *word, const char *name) {
    const struct export_format *format;
    const char *names[FORMATS_MAX];
    char list[FORMATS_MAX * 18] = "";
    size_t n = 0;

    for (; n < FORMATS_MAX && (format = export_format_at(n)) != NULL; n++) {
        names[n] = format->name;
        if (strchr(format->name, '.') == NULL) {
            size_t length = strlen(list);
            snprintf(list + length, sizeof list - length, "%s%s", n > 0 ? ", " : "", format->name);
        }
    }
    const char *nearest = cli_nearest(name, names, n);
    if (nearest != NULL) {
        cli_wrong("%s: there is no format '%s'; did you mean %s?", word, name, nearest);
    } else {
        cli_wrong("%s: there is no format '%s'; there are %s", word, name, list);
    }
}

const struct export_format *cli_export_parse(const char *word, const char **path) {
    char name[32];
    size_t length = strcspn(word, ":");
    const struct export_format *format;

    snprintf(name, sizeof name, "%.*s", (int)length, word);
    format = length < sizeof name ? export_format_find(name) : NULL;
    if (export_format_at(0) == NULL) {
        cli_wrong("%s: this quire was built without libjansson (Debian: libjansson-dev), which "
                  "reads reports",
                  word);
        return NULL;
    }
    if (format == NULL) {
        unknown_format(word, name);
        return NULL;
    }
    if (export_lacks(format) != NULL) {
        cli_wrong("%s: this quire was built without %s", word, export_lacks(format));
        return NULL;
    }
    *path = word[length] == ':' ? word + length + 1 : "";
    return format;
}

void cli_export_formats(void) {
    const struct export_format *format;

    puts("\nFormats:");
    for (size_t i = 0; (format = export_format_at(i)) != NULL; i++) {
        printf("  %-22s %s\n", format->name, format->summary);
    }
}

/* FORMAT:FILE. NULL: it is wrong, and that has been said. */
static struct cli_report_file *take_export(struct cli_report *report, const char *word,
                                           const char **path) {
    const struct export_format *format = cli_export_parse(word, path);

    if (format == NULL) {
        return NULL;
    }
    if (**path == '\0') {
        cli_wrong("%s %s: to which file? Write %s %s:%s", EXPORT_OPTION, word, EXPORT_OPTION,
                  format->name, format->example);
        return NULL;
    }
    if (report->nexports == CLI_EXPORTS_MAX) {
        cli_wrong("%s %s: %d are enough; 'quire export' makes more of the file of --json",
                  EXPORT_OPTION, word, CLI_EXPORTS_MAX);
        return NULL;
    }
    report->formats[report->nexports] = format;
    return &report->exports[report->nexports++];
}

bool cli_report_take(struct cli_report *report, const char *option, const char *word) {
    const char *path = word;
    struct cli_report_file *to = strcmp(option, HTML_OPTION) == 0 ? &report->html : &report->json;

    if (!can_write(option, word)) {
        return false;
    }
    if (strcmp(option, EXPORT_OPTION) == 0) {
        to = take_export(report, word, &path);
        if (to == NULL) {
            return false;
        }
    }
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        cli_wrong("%s %s: %s; name a file that can be written", option, word, strerror(errno));
        return false;
    }
    if (to->file != NULL) {
        fclose(to->file); /* named twice: the last one counts, as with all options */
    }
    *to = (struct cli_report_file){word, file};
    return true;
}

bool cli_report_begin(struct cli_report *report, struct os *os) {
    if (report->json.file == NULL && report->html.file == NULL && report->nexports == 0) {
        return true;
    }
    report->watch = watch_create(os);
    if (report->watch == NULL) {
        cli_wrong("the host has no memory for a report");
    }
    return report->watch != NULL;
}

/* ---- after it ----------------------------------------------------------------------------------
 */

/* The end of a file that was written, good or not. */
static bool finish(struct cli_report_file *to, const char *option, bool good) {
    int why = good ? 0 : errno;

    if (fclose(to->file) != 0 && good) { /* some disks say only now that they are full */
        good = false;
        why = errno;
    }
    to->file = NULL;
    if (!good) {
        cli_wrong("%s %s: %s; the file is not whole", option, to->path,
                  strerror(why != 0 ? why : EIO));
    }
    return good;
}

static bool write_exports(struct cli_report *report, char *json) {
    char message[256];
    FILE *text = report->nexports > 0 ? fmemopen(json, strlen(json), "r") : NULL;
    struct export_report *loaded = text != NULL ? export_load(text, message, sizeof message) : NULL;
    bool good = true;

    for (unsigned i = 0; i < report->nexports; i++) {
        struct cli_report_file *to = &report->exports[i];
        errno = ENOMEM;
        good &= finish(to, EXPORT_OPTION,
                       loaded != NULL && export_write(loaded, report->formats[i], to->file));
    }
    export_unload(loaded);
    if (text != NULL) {
        fclose(text);
    }
    return good;
}

static bool write_all(struct cli_report *report, const struct watch_run *run) {
    char *json = watch_json(report->watch, run);
    bool good = true;

    if (json == NULL) {
        cli_wrong("the host has no memory to write a report");
        return false;
    }
    errno = 0;
    if (report->json.file != NULL) {
        FILE *file = report->json.file;
        good &= finish(&report->json, JSON_OPTION,
                       fputs(json, file) != EOF && fputc('\n', file) != EOF && fflush(file) == 0);
    }
    if (report->html.file != NULL) {
        good &= finish(&report->html, HTML_OPTION, watch_html(json, report->html.file));
    }
    good &= write_exports(report, json);
    free(json);
    return good;
}

int cli_report_write(struct cli_report *report, const struct os_config *config, char *const *argv,
                     int status) {
    const struct quire_policy *policy = config->policy;
    struct watch_run run = {.argv = argv,
                            .status = status,
                            .policy = policy != NULL ? policy->name : quire_policy_at(0)->name,
                            .ram_bytes = config->ram_bytes};
    if (report->watch == NULL) {
        return status;
    }
    return !write_all(report, &run) && status == 0 ? CLI_EXIT_OURS : status;
}

void cli_report_end(struct cli_report *report) {
    watch_destroy(report->watch);
    report->watch = NULL;
}

static void close_file(struct cli_report_file *file) {
    if (file->file != NULL) {
        fclose(file->file);
    }
    file->file = NULL;
}

void cli_report_close(struct cli_report *report) {
    close_file(&report->json);
    close_file(&report->html);
    for (unsigned i = 0; i < report->nexports; i++) {
        close_file(&report->exports[i]);
    }
}
