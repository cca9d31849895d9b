/* report.c: the files that a run leaves for people and tools: --report and --json.
 *
 *     word ──open──▶ FILE      before the machine is made: a wrong name is found at once
 *     os ──watch/──▶ account   while it runs
 *     account ──────▶ FILE     at the end, however the program ended: also when it was killed for
 *                              want of memory
 *
 * The watch changes nothing: the summary and the trace are those of a run without a report.
 *
 * I1  A report that could not be written whole is said to be so, and never changes a program's own
 *     bad exit code into ours.
 */
#include "cli/run.h"

#include "cli/cli.h"
#include "watch/watch.h"

#include <quire/policy.h>

#include <errno.h>
#include <string.h>

#define JSON_OPTION "--json"
#define HTML_OPTION "--report"

/* What this quire was built without. */
static bool can_write(const char *option, const char *path, bool html) {
    if (!watch_has_json()) {
        cli_wrong("%s %s: this quire was built without libjansson (Debian: libjansson-dev), which "
                  "writes reports",
                  option, path);
        return false;
    }
    if (html && !watch_has_html()) {
        cli_wrong("%s %s: this quire was built without uPlot, which draws the page; build it again "
                  "with npm and a network, or take --json",
                  option, path);
        return false;
    }
    return true;
}

bool cli_report_take(struct cli_report *report, const char *option, const char *path) {
    bool html = strcmp(option, HTML_OPTION) == 0;
    struct cli_report_file *to = html ? &report->html : &report->json;
    if (!can_write(option, path, html)) {
        return false;
    }
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        cli_wrong("%s %s: %s; name a file that can be written", option, path, strerror(errno));
        return false;
    }
    if (to->file != NULL) {
        fclose(to->file); /* named twice: the last one counts, as with all options */
    }
    *to = (struct cli_report_file){path, file};
    return true;
}

bool cli_report_begin(struct cli_report *report, struct os *os) {
    if (report->json.file == NULL && report->html.file == NULL) {
        return true;
    }
    report->watch = watch_create(os);
    if (report->watch == NULL) {
        cli_wrong("the host has no memory for a report");
    }
    return report->watch != NULL;
}

static bool write_file(struct watch *watch, const struct watch_run *run,
                       struct cli_report_file *to, bool html) {
    if (to->file == NULL) {
        return true;
    }
    bool good = html ? watch_html(watch, run, to->file) : watch_json(watch, run, to->file);
    int why = errno;
    if (fclose(to->file) != 0 && good) { /* some disks say only now that they are full */
        good = false;
        why = errno;
    }
    to->file = NULL;
    if (!good) {
        cli_wrong("%s %s: %s; the file is not whole", html ? HTML_OPTION : JSON_OPTION, to->path,
                  strerror(why));
    }
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
    bool good = write_file(report->watch, &run, &report->json, false);
    good &= write_file(report->watch, &run, &report->html, true);
    return !good && status == 0 ? CLI_EXIT_OURS : status;
}

void cli_report_end(struct cli_report *report) {
    watch_destroy(report->watch);
    report->watch = NULL;
}

void cli_report_close(struct cli_report *report) {
    if (report->json.file != NULL) {
        fclose(report->json.file);
    }
    if (report->html.file != NULL) {
        fclose(report->html.file);
    }
    report->json.file = report->html.file = NULL;
}
