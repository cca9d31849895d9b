/* metrics.c: `quire metrics`: figures of a running machine as OpenMetrics text, or under the names
 * of control groups. All of one text are of one moment.
 *
 * Prometheus collects such texts from files by node_exporter's textfile collector; a file that it
 * reads must change at once, so "quire metrics > x.tmp && mv x.tmp x.prom" is the usual way.
 */
#include "cli/look.h"
#include "export/export.h"

#include <string.h>

#define VALUE_BYTES 1024

enum { CGROUP, WATCH, RUN };

static const struct look_option options[] = {
    [CGROUP] = {0, "cgroup", NULL, NULL, "files of a control group (v2) instead: memory.stat ..."},
    [WATCH] = LOOK_WATCH_OPTION,
    [RUN] = LOOK_RUN_OPTION,
};
#define NOPTIONS (sizeof options / sizeof options[0])

void cli_metrics_help(void) {
    puts("quire metrics [options]\n\n"
         "Figures of a running machine as OpenMetrics text (version 1.0), for Prometheus and what\n"
         "else reads that. Counters are since the machine's start; of a run that has ended,\n"
         "'quire export RUN.json openmetrics' gives the same.\n");
    look_options_print(options, NOPTIONS);
    puts(
        "\nExample, for node_exporter's textfile collector:\n"
        "  quire metrics > quire.tmp && mv quire.tmp /var/lib/prometheus/node-exporter/quire.prom");
}

static bool show(struct look *look, void *context, bool first) {
    const bool *cgroup = context;
    char policy[VALUE_BYTES] = "", command[VALUE_BYTES] = "";
    const char *run = look_text(look, "quire"), *meminfo = look_text(look, "meminfo");
    const char *vmstat = look_text(look, "vmstat"), *pressure = look_text(look, "pressure/memory");

    if (run == NULL || meminfo == NULL || vmstat == NULL || pressure == NULL) {
        return false;
    }
    live_word(run, "policy", policy, sizeof policy);
    live_word(run, "command", command, sizeof command);
    struct export_figures figures = {.meminfo = meminfo,
                                     .vmstat = vmstat,
                                     .pressure = pressure,
                                     .policy = policy,
                                     .command = command,
                                     .time_ns = export_number(run, "machine_ns"),
                                     .idle_ns = export_number(run, "idle_ns"),
                                     .stall_ns = export_number(run, "stall_ns"),
                                     .instructions = export_number(run, "instructions"),
                                     .accesses = export_number(run, "accesses"),
                                     .tlb_misses = export_number(run, "tlb_misses"),
                                     .peak_bytes = export_number(run, "peak_bytes")};
    if (*cgroup && !first) {
        putchar('\n');
    }
    if (*cgroup) {
        export_cgroup(&figures, stdout);
    } else {
        export_openmetrics(&figures, stdout);
    }
    return true; /* a full disk is look_run's business */
}

int cli_metrics(struct cli_words *given) {
    struct look_words words = {given->at, NULL};
    struct look look = {.run = 0};
    const char *value;
    bool cgroup = false;
    int option;

    while ((option = look_option_next(&words, options, NOPTIONS, &value)) >= 0) {
        if (option == CGROUP) {
            cgroup = true;
        } else if (option == WATCH ? !look_take_delay(&look, "--watch", value)
                                   : !look_take_run(&look, value)) {
            return CLI_EXIT_OURS;
        }
    }
    if (option == CLI_OPTIONS_WRONG) {
        return CLI_EXIT_OURS;
    }
    if (words.at[0] != NULL) {
        return cli_wrong("metrics takes options only, not '%s'; --run PID says which machine",
                         words.at[0]);
    }
    return look_run(&look, "quire meminfo vmstat pressure/memory", show, &cgroup);
}
