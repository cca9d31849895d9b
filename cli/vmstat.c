/* vmstat.c: `quire vmstat`: what the machine's memory does, a line for each moment.
 *
 * Columns and options are those of vmstat(8) of procps 4.0. A rate is per second of the machine's
 * clock, as it would be for a program inside: with the virtual clock that has nothing to do with
 * the seconds between two lines. The first line is the average since the machine started.
 */
#include "cli/look.h"

#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define ROWS_DEFAULT 24 /* of a screen, between two headers */

struct vmstat {
    bool wide, active, once, statistics, no_first;
    uint64_t divisor_bytes; /* of one unit */
    const char *unit;
    unsigned lines; /* since the header */
    struct sample {
        uint64_t user, nice, system, idle, wait, irq, softirq, steal; /* ticks */
        uint64_t swapin, swapout, pagein, pageout;                    /* pages, pages, KiB, KiB */
        uint64_t interrupts, switches;
    } last;
};

enum { ACTIVE, ONE_HEADER, STATS, UNIT, WIDE, NO_FIRST, WATCH, JSON, RUN };

static const struct look_option options[] = {
    [ACTIVE] = {'a', "active", NULL, NULL, "active and inactive memory in place of buffers, cache"},
    [ONE_HEADER] = {'n', "one-header", NULL, NULL, "the header only once"},
    [STATS] = {'s', "stats", NULL, NULL, "all counters since the start, a line each"},
    [UNIT] = {'S', "unit", "k|K|m|M", "-S M", "of memory: 1000, 1024, 1000000, 1048576 bytes"},
    [WIDE] = {'w', "wide", NULL, NULL, "wide columns"},
    [NO_FIRST] = {'y', "no-first", NULL, NULL, "without the line since the start"},
    [WATCH] = LOOK_WATCH_OPTION,
    [JSON] = LOOK_JSON_OPTION,
    [RUN] = LOOK_RUN_OPTION,
};
#define NOPTIONS (sizeof options / sizeof options[0])

void cli_vmstat_help(void) {
    puts("quire vmstat [options] [DELAY [COUNT]]\n\n"
         "Memory, swap and processor of a running machine as vmstat(8) shows them, every DELAY\n"
         "seconds. Rates are per second of the machine's own clock.\n");
    look_options_print(options, NOPTIONS);
}

static void take_sample(struct look *look, struct sample *s) {
    const char *stat = live_text(look->live, "stat"), *vmstat = live_text(look->live, "vmstat");
    unsigned long long ticks[8] = {0};

    sscanf(stat, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &ticks[0], &ticks[1], &ticks[2],
           &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7]);
    *s = (struct sample){ticks[0],
                         ticks[1],
                         ticks[2],
                         ticks[3],
                         ticks[4],
                         ticks[5],
                         ticks[6],
                         ticks[7],
                         live_number(vmstat, "pswpin"),
                         live_number(vmstat, "pswpout"),
                         live_number(vmstat, "pgpgin"),
                         live_number(vmstat, "pgpgout"),
                         live_number(stat, "intr"),
                         live_number(stat, "ctxt")};
}

static uint64_t ticks_of(const struct sample *s) {
    return s->user + s->nice + s->system + s->idle + s->wait + s->irq + s->softirq + s->steal;
}

static void print_header(const struct vmstat *v) {
    if (v->wide) {
        puts("--procs-- -----------------------memory---------------------- ---swap-- -----io---- "
             "-system-- ----------cpu----------");
        printf("%4s %4s %12s %12s %12s %12s %4s %4s %5s %5s %4s %4s %3s %3s %3s %3s %3s %3s\n", "r",
               "b", "swpd", "free", v->active ? "inact" : "buff", v->active ? "active" : "cache",
               "si", "so", "bi", "bo", "in", "cs", "us", "sy", "id", "wa", "st", "gu");
        return;
    }
    puts("procs -----------memory---------- ---swap-- -----io---- -system-- ------cpu-----");
    printf("%2s %2s %6s %6s %6s %6s %4s %4s %5s %5s %4s %4s %2s %2s %2s %2s %2s\n", "r", "b",
           "swpd", "free", v->active ? "inact" : "buff", v->active ? "active" : "cache", "si", "so",
           "bi", "bo", "in", "cs", "us", "sy", "id", "wa", "st");
}

/* What a line shows, in the order of its columns. */
enum { R, B, SWPD, FREE, BUFF, CACHE, SI, SO, BI, BO, IN, CS, US, SY, ID, WA, ST, NCOLUMNS };

static const char *const names[NCOLUMNS] = {
    "procs_running", "procs_blocked", "swapped_bytes", "free_bytes",     "buffers_bytes",
    "cache_bytes",   "swap_in_bps",   "swap_out_bps",  "read_bps",       "written_bps",
    "interrupts_ps", "switches_ps",   "user_percent",  "system_percent", "idle_percent",
    "wait_percent",  "steal_percent"};

static uint64_t rate(uint64_t now, uint64_t before, uint64_t ticks) {
    return ((now - before) * TICKS_PER_SECOND + ticks / 2) / ticks;
}

static uint64_t share(uint64_t now, uint64_t before, uint64_t ticks) {
    return (100 * (now - before) + ticks / 2) / ticks;
}

/* memory in KiB, rates in KiB a second. */
static void columns_of(struct look *look, const struct vmstat *v, const struct sample *now,
                       uint64_t c[NCOLUMNS]) {
    const char *meminfo = live_text(look->live, "meminfo"), *stat = live_text(look->live, "stat");
    const struct sample *was = &v->last;
    uint64_t ticks = ticks_of(now) - ticks_of(was), page_kib = 4;

    ticks = ticks > 0 ? ticks : 1; /* not a hundredth of a second: nothing can be said of rates */
    c[R] = live_number(stat, "procs_running");
    c[B] = live_number(stat, "procs_blocked");
    c[SWPD] = live_number(meminfo, "SwapTotal") - live_number(meminfo, "SwapFree");
    c[FREE] = live_number(meminfo, "MemFree");
    c[BUFF] = live_number(meminfo, v->active ? "Inactive" : "Buffers");
    c[CACHE] = v->active ? live_number(meminfo, "Active")
                         : live_number(meminfo, "Cached") + live_number(meminfo, "SReclaimable");
    c[SI] = rate(now->swapin * page_kib, was->swapin * page_kib, ticks);
    c[SO] = rate(now->swapout * page_kib, was->swapout * page_kib, ticks);
    c[BI] = rate(now->pagein, was->pagein, ticks);
    c[BO] = rate(now->pageout, was->pageout, ticks);
    c[IN] = rate(now->interrupts, was->interrupts, ticks);
    c[CS] = rate(now->switches, was->switches, ticks);
    c[US] = share(now->user + now->nice, was->user + was->nice, ticks);
    c[SY] =
        share(now->system + now->irq + now->softirq, was->system + was->irq + was->softirq, ticks);
    c[ID] = share(now->idle, was->idle, ticks);
    c[WA] = share(now->wait, was->wait, ticks);
    c[ST] = share(now->steal, was->steal, ticks);
}

static void print_line(const struct vmstat *v, const uint64_t c[NCOLUMNS]) {
    static const int narrow[NCOLUMNS] = {2, 2, 6, 6, 6, 6, 4, 4, 5, 5, 4, 4, 2, 2, 2, 2, 2};
    static const int wide[NCOLUMNS] = {4, 4, 12, 12, 12, 12, 4, 4, 5, 5, 4, 4, 3, 3, 3, 3, 3};

    for (int i = 0; i < NCOLUMNS; i++) {
        bool memory = i >= SWPD && i <= SO;
        printf("%s%*" PRIu64, i > 0 ? " " : "", v->wide ? wide[i] : narrow[i],
               memory ? c[i] * 1024 / v->divisor_bytes : c[i]);
    }
    puts(v->wide ? "   0" : "");
}

static void print_json(const uint64_t c[NCOLUMNS], double up_s) {
    printf("{\"uptime_s\":%.2f", up_s);
    for (int i = 0; i < NCOLUMNS; i++) {
        printf(",\"%s\":%" PRIu64, names[i], i >= SWPD && i <= BO ? c[i] * 1024 : c[i]);
    }
    puts("}");
}

/* Lines between two headers: what the screen shows. */
static unsigned rows(void) {
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 3) {
        return size.ws_row - 3u;
    }
    return ROWS_DEFAULT - 3;
}

/* ---- vmstat -s --------------------------------------------------------------------------------
 */

static void print_statistics(struct look *look, const struct vmstat *v) {
    const char *meminfo = live_text(look->live, "meminfo"), *stat = live_text(look->live, "stat");
    uint64_t total = live_number(meminfo, "MemTotal"), swap = live_number(meminfo, "SwapTotal");
    uint64_t available = live_number(meminfo, "MemAvailable");
    uint64_t swap_free = live_number(meminfo, "SwapFree");
    const struct {
        uint64_t kib;
        const char *name;
    } memory[] = {
        {total, "total memory"},
        {total - available, "used memory"},
        {live_number(meminfo, "Active"), "active memory"},
        {live_number(meminfo, "Inactive"), "inactive memory"},
        {live_number(meminfo, "MemFree"), "free memory"},
        {live_number(meminfo, "Buffers"), "buffer memory"},
        {live_number(meminfo, "Cached") + live_number(meminfo, "SReclaimable"), "swap cache"},
        {swap, "total swap"},
        {swap - swap_free, "used swap"},
        {swap_free, "free swap"},
    };
    struct sample s;

    take_sample(look, &s);
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++) {
        printf("%13" PRIu64 " %s %s\n", memory[i].kib * 1024 / v->divisor_bytes, v->unit,
               memory[i].name);
    }
    const struct {
        uint64_t count;
        const char *name;
    } counts[] = {
        {s.user, "non-nice user cpu ticks"},
        {s.nice, "nice user cpu ticks"},
        {s.system, "system cpu ticks"},
        {s.idle, "idle cpu ticks"},
        {s.wait, "IO-wait cpu ticks"},
        {s.irq, "IRQ cpu ticks"},
        {s.softirq, "softirq cpu ticks"},
        {s.steal, "stolen cpu ticks"},
        {0, "non-nice guest cpu ticks"},
        {0, "nice guest cpu ticks"},
        {s.pagein, "K paged in"},
        {s.pageout, "K paged out"},
        {s.swapin, "pages swapped in"},
        {s.swapout, "pages swapped out"},
        {s.interrupts, "interrupts"},
        {s.switches, "CPU context switches"},
        {live_number(stat, "btime"), "boot time"},
        {live_number(stat, "processes"), "forks"},
    };
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        printf("%13" PRIu64 " %s\n", counts[i].count, counts[i].name);
    }
}

static bool show(struct look *look, void *context, bool first) {
    struct vmstat *v = context;
    struct sample now;
    uint64_t columns[NCOLUMNS];
    const char *uptime = look_text(look, "uptime");

    if (uptime == NULL || look_text(look, "stat") == NULL || look_text(look, "vmstat") == NULL ||
        look_text(look, "meminfo") == NULL) {
        return false;
    }
    if (v->statistics) {
        print_statistics(look, v);
        return true;
    }
    take_sample(look, &now);
    columns_of(look, v, &now, columns);
    v->last = now;
    double up_s = 0;
    sscanf(uptime, "%lf", &up_s);
    if (!look->json && (first || (!v->once && v->lines >= rows()))) {
        print_header(v);
        v->lines = 0;
    }
    if (first && v->no_first) {
        return true;
    }
    if (look->json) {
        print_json(columns, up_s);
    } else {
        print_line(v, columns);
    }
    v->lines++;
    return true;
}

/* ---- the command line --------------------------------------------------------------------------
 */

static bool take_unit(struct vmstat *v, const char *value) {
    static const char letters[] = "kKmM";
    static const uint64_t divisors[] = {1000, 1024, 1000000, 1048576};
    static const char *const words[] = {"k", "K", "m", "M"};
    const char *found = value[1] == '\0' ? strchr(letters, value[0]) : NULL;

    if (found == NULL) {
        cli_wrong("-S %s: there are k, K, m and M", value);
        return false;
    }
    v->divisor_bytes = divisors[found - letters];
    v->unit = words[found - letters];
    return true;
}

static bool take_option(struct look *look, struct vmstat *v, int option, const char *value) {
    switch (option) {
    case ACTIVE:
        v->active = true;
        return true;
    case ONE_HEADER:
        v->once = true;
        return true;
    case STATS:
        v->statistics = true;
        return true;
    case UNIT:
        return take_unit(v, value);
    case WIDE:
        v->wide = true;
        return true;
    case NO_FIRST:
        v->no_first = true;
        return true;
    case WATCH:
        return look_take_delay(look, "--watch", value);
    case JSON:
        look->json = true;
        return true;
    default:
        return look_take_run(look, value);
    }
}

int cli_vmstat(struct cli_words *given) {
    struct vmstat v = {.divisor_bytes = 1024, .unit = "K"};
    struct look_words words = {given->at, NULL};
    struct look look = {.run = 0};
    const char *value;
    int option;

    while ((option = look_option_next(&words, options, NOPTIONS, &value)) >= 0) {
        if (!take_option(&look, &v, option, value)) {
            return CLI_EXIT_OURS;
        }
    }
    if (option == CLI_OPTIONS_WRONG) {
        return CLI_EXIT_OURS;
    }
    if (words.at[0] != NULL && !look_take_delay(&look, "vmstat", words.at[0])) {
        return CLI_EXIT_OURS;
    }
    if (words.at[0] != NULL && words.at[1] != NULL) {
        if (!look_take_count(&look, "vmstat DELAY", words.at[1])) {
            return CLI_EXIT_OURS;
        }
        if (words.at[2] != NULL) {
            return cli_wrong("vmstat takes a delay and a count, not '%s' as well", words.at[2]);
        }
        look.count += v.no_first; /* that many lines are wanted */
    }
    if (v.no_first && look.delay_s == 0) {
        return cli_wrong("-y needs a delay, as in quire vmstat -y 1");
    }
    return look_run(&look, "uptime meminfo vmstat stat", show, &v);
}
