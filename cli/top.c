/* top.c: `quire top`: a running machine, again and again: its memory, its paging, its processes.
 *
 * On a terminal it is top_screen.c's; with -b it is text, a screen after the other, for files and
 * pipes. What is shown is top_table.c's in both. With --web it is a page: top_web.c.
 */
#include "cli/top.h"

#include <stdlib.h>
#include <string.h>

#define DELAY_S 1.0

enum { BATCH, COUNT, DELAY, ORDER, FILTER, NAMES, WIDTH, WEB, RUN };

static const struct look_option options[] = {
    [BATCH] = {'b', "batch", NULL, NULL, "text for a file or a pipe, no keys"},
    [COUNT] = {'n', "iterations", "N", "-n 10", "so many times, then end"},
    [DELAY] = {'d', "delay", "SECONDS", "-d 0.5", "between two looks; 1 if not given"},
    [ORDER] = {'o', "sort", "COLUMN", "-o SWAP", "by which column; %CPU if not given"},
    [FILTER] = {0, "filter", "TEXT", "--filter sort", "only processes with this in their command"},
    [NAMES] = {'c', "names", NULL, NULL, "names instead of command lines"},
    [WIDTH] = {'w', "width", "COLUMNS", "-w 120", "of the lines with -b; as long as they are else"},
    [WEB] = {0, "web", "=PORT", "--web=8080",
             "as a page for this host's browser; its address is written"},
    [RUN] = LOOK_RUN_OPTION,
};
#define NOPTIONS (sizeof options / sizeof options[0])

void cli_top_help(void) {
    puts(
        "quire top [options]\n\n"
        "A running machine from another terminal: memory, faults, swap, processes. Keys are those\n"
        "of top(1): q leaves, h lists them.\n");
    look_options_print(options, NOPTIONS);
    puts(
        "\nColumns: PID USER VIRT RES SHR SWAP S %CPU %MEM minF majF TIME+ COMMAND. Rates are per\n"
        "second of the machine's clock; the first look shows the time since its start.");
}

static bool take_order(struct top *top, const char *value) {
    static const char *const names[TOP_NCOLUMNS] = {"PID",  "USER",  "VIRT",   "RES",  "SHR",
                                                    "SWAP", "S",     "%CPU",   "%MEM", "minF",
                                                    "majF", "TIME+", "COMMAND"};

    for (size_t i = 0; i < TOP_NCOLUMNS; i++) {
        if (strcmp(value, names[i]) == 0) {
            top->order = (enum top_column)i;
            return true;
        }
    }
    cli_wrong("-o %s: no such column; there are PID USER VIRT RES SHR SWAP S %%CPU %%MEM minF majF "
              "TIME+ COMMAND",
              value);
    return false;
}

/* What --web has: a port, or none. */
static bool take_port(struct top *top, const char *value) {
    uint64_t port = 0;

    if (value != NULL && !cli_number_parse("--web", value, &port)) {
        return false;
    }
    if (port > 65535 || (value != NULL && port == 0)) {
        cli_wrong("--web %s: ports are 1 to 65535; without a number a free one is taken", value);
        return false;
    }
    top->web = true;
    top->port = (unsigned)port;
    return true;
}

static bool take_option(struct top *top, int option, const char *value, uint64_t *width) {
    if (option != WEB && option != RUN) {
        top->beside_web = options[option].name;
    }
    switch (option) {
    case BATCH:
        top->batch = true;
        return true;
    case COUNT:
        return look_take_count(&top->look, "-n", value);
    case DELAY:
        return look_take_delay(&top->look, "-d", value);
    case ORDER:
        return take_order(top, value);
    case FILTER:
        snprintf(top->filter, sizeof top->filter, "%s", value);
        return true;
    case NAMES:
        top->names_only = true;
        return true;
    case WIDTH:
        if (!cli_number_parse("-w", value, width)) {
            return false;
        }
        if (*width < 10 || *width > TOP_WIDTH_MAX) {
            cli_wrong("-w %s: from 10 to %d columns", value, TOP_WIDTH_MAX);
            return false;
        }
        return true;
    case WEB:
        return take_port(top, value);
    default:
        return look_take_run(&top->look, value);
    }
}

struct batch {
    struct top *top;
    unsigned width;
};

static bool show(struct look *look, void *context, bool first) {
    struct batch *batch = context;
    size_t n = 0;

    batch->top->look.live = look->live;
    struct top_line *lines =
        top_take(batch->top) ? top_lines(batch->top, batch->width, 0, &n) : NULL;
    if (lines == NULL) {
        cli_wrong("top: no memory");
        return false;
    }
    if (!first) {
        putchar('\n');
    }
    for (size_t i = 0; i < n; i++) {
        puts(lines[i].text);
    }
    free(lines);
    return true;
}

static int run_batch(struct top *top, unsigned width) {
    struct batch batch = {top, width};
    return look_run(&top->look, TOP_FILES, show, &batch);
}

static int run_screen(struct top *top) {
    char message[LIVE_MESSAGE_BYTES];

    top->look.live = live_connect(top->look.run, message);
    if (top->look.live == NULL) {
        cli_wrong("%s", message);
        return LOOK_EXIT_GONE;
    }
    int status = top_screen(top);
    live_disconnect(top->look.live);
    return status;
}

int cli_top(struct cli_words *given) {
    struct top *top = calloc(1, sizeof *top);
    struct look_words words = {given->at, NULL};
    uint64_t width = TOP_WIDTH_MAX;
    const char *value;
    int option;

    if (top == NULL) {
        return cli_wrong("top: no memory");
    }
    top->order = TOP_CPU;
    top->look.delay_s = DELAY_S;
    int status = CLI_EXIT_OURS;
    while ((option = look_option_next(&words, options, NOPTIONS, &value)) >= 0) {
        if (!take_option(top, option, value, &width)) {
            goto out;
        }
    }
    if (option == CLI_OPTIONS_WRONG) {
        goto out;
    }
    if (words.at[0] != NULL) {
        cli_wrong("top takes options only, not '%s'", words.at[0]);
        goto out;
    }
    if (top->web && top->beside_web != NULL) {
        cli_wrong("--web goes with --run only, not with --%s", top->beside_web);
        goto out;
    }
    if (top->web) {
        status = top_web(top->look.run, top->port);
        goto out;
    }
    status = top->batch ? run_batch(top, (unsigned)width) : run_screen(top);
    top_done(top);
out:
    free(top);
    return status;
}
