/* free.c: `quire free`: how much memory the machine has, uses and could still give.
 *
 * Text and options are those of free(1) of procps 4.0, to the column: what people and their scripts
 * read is what they know. The figures are those of the machine's /proc/meminfo; "used" is all that
 * is not available.
 */
#include "cli/look.h"

#include <inttypes.h>
#include <string.h>

#define CELL_BYTES 24

struct free_options {
    unsigned unit; /* powers of 1024 (or 1000) above bytes; UNIT_HUMAN: what fits */
    bool si, wide, total, committed;
};
#define UNIT_HUMAN UINT32_MAX
#define UNIT_KIBI  1

enum {
    BYTES,
    KIBI,
    MEBI,
    GIBI,
    HUMAN,
    SI,
    TOTAL,
    COMMITTED,
    WIDE,
    SECONDS,
    COUNT,
    WATCH,
    JSON,
    RUN
};

static const struct look_option options[] = {
    [BYTES] = {'b', "bytes", NULL, NULL, "in bytes"},
    [KIBI] = {'k', "kibi", NULL, NULL, "in KiB (the default)"},
    [MEBI] = {'m', "mebi", NULL, NULL, "in MiB"},
    [GIBI] = {'g', "gibi", NULL, NULL, "in GiB"},
    [HUMAN] = {'h', "human", NULL, NULL, "in the unit that fits each"},
    [SI] = {0, "si", NULL, NULL, "units of 1000 instead of 1024"},
    [TOTAL] = {'t', "total", NULL, NULL, "a line for RAM and swap together"},
    [COMMITTED] = {'v', "committed", NULL, NULL, "a line for what has been promised"},
    [WIDE] = {'w', "wide", NULL, NULL, "buffers and cache in columns of their own"},
    [SECONDS] = {'s', "seconds", "N", "-s 2", "again every N seconds"},
    [COUNT] = {'c', "count", "N", "-c 10", "so many times"},
    [WATCH] = LOOK_WATCH_OPTION,
    [JSON] = LOOK_JSON_OPTION,
    [RUN] = LOOK_RUN_OPTION,
};
#define NOPTIONS (sizeof options / sizeof options[0])

void cli_free_help(void) {
    puts("quire free [options]\n\n"
         "Memory of a running machine, as free(1) shows it.\n");
    look_options_print(options, NOPTIONS);
}

/* KiB in the unit that was asked for; as free(1) does it: never wider than five signs if human. */
static const char *cell(const struct free_options *free_options, uint64_t kib,
                        char text[CELL_BYTES]) {
    static const char prefixes[] = "BKMGTPE";
    double base = free_options->si ? 1000 : 1024, bytes = (double)kib * 1024, power = 1;
    size_t most = free_options->si ? 4 : 5;

    if (free_options->unit != UNIT_HUMAN) {
        for (unsigned i = 0; i < free_options->unit; i++) {
            power *= base;
        }
        snprintf(text, CELL_BYTES, "%" PRIu64, (uint64_t)(bytes / power));
        return text;
    }
    if (snprintf(text, CELL_BYTES, "%.0fB", bytes) <= 4) {
        return text;
    }
    for (unsigned i = 1; prefixes[i] != '\0'; i++) {
        const char *i_of_1024 = free_options->si ? "" : "i";
        power *= base;
        if ((size_t)snprintf(text, CELL_BYTES, "%.1f%c%s", bytes / power, prefixes[i], i_of_1024) <=
            most) {
            return text;
        }
        if ((size_t)snprintf(text, CELL_BYTES, "%" PRIu64 "%c%s", (uint64_t)(bytes / power),
                             prefixes[i], i_of_1024) <= most) {
            return text;
        }
    }
    return text;
}

struct memory {
    uint64_t total, free, available, used, shared, buffers, cache;
    uint64_t swap_total, swap_free, committed, limit;
};

static void take_memory(const char *text, struct memory *m) {
    m->total = live_number(text, "MemTotal");
    m->free = live_number(text, "MemFree");
    m->available = live_number(text, "MemAvailable");
    m->available = m->available < m->total ? m->available : m->free;
    m->used = m->total - m->available;
    m->shared = live_number(text, "Shmem");
    m->buffers = live_number(text, "Buffers");
    m->cache = live_number(text, "Cached") + live_number(text, "SReclaimable");
    m->swap_total = live_number(text, "SwapTotal");
    m->swap_free = live_number(text, "SwapFree");
    m->limit = live_number(text, "CommitLimit");
    m->committed = live_number(text, "Committed_AS");
}

/* A line of up to seven figures. */
static void line(const struct free_options *free_options, const char *name, size_t n,
                 const uint64_t *kib) {
    char text[CELL_BYTES];

    printf("%-8s", name);
    for (size_t i = 0; i < n; i++) {
        printf("%12s", cell(free_options, kib[i], text));
    }
    putchar('\n');
}

static void print_text(const struct free_options *o, const struct memory *m) {
    uint64_t both = m->buffers + m->cache, swap_used = m->swap_total - m->swap_free;

    printf("%8s%12s%12s%12s%12s", "", "total", "used", "free", "shared");
    if (o->wide) {
        printf("%12s%12s%12s\n", "buffers", "cache", "available");
        line(o, "Mem:", 7,
             (uint64_t[]){m->total, m->used, m->free, m->shared, m->buffers, m->cache,
                          m->available});
    } else {
        printf("%12s%12s\n", "buff/cache", "available");
        line(o, "Mem:", 6, (uint64_t[]){m->total, m->used, m->free, m->shared, both, m->available});
    }
    line(o, "Swap:", 3, (uint64_t[]){m->swap_total, swap_used, m->swap_free});
    if (o->total) {
        line(o, "Total:", 3,
             (uint64_t[]){m->total + m->swap_total, m->used + swap_used, m->free + m->swap_free});
    }
    if (o->committed) {
        uint64_t left = m->limit - m->committed; /* as free(1): it wraps when more was promised */
        line(o, "Comm:", 3, (uint64_t[]){m->limit, m->committed, left});
    }
}

static void print_json(const struct memory *m) {
    printf("{\"total_bytes\":%" PRIu64 ",\"used_bytes\":%" PRIu64 ",\"free_bytes\":%" PRIu64
           ",\"shared_bytes\":%" PRIu64 ",\"buffers_bytes\":%" PRIu64 ",\"cache_bytes\":%" PRIu64
           ",\"available_bytes\":%" PRIu64,
           m->total * 1024, m->used * 1024, m->free * 1024, m->shared * 1024, m->buffers * 1024,
           m->cache * 1024, m->available * 1024);
    printf(",\"swap_total_bytes\":%" PRIu64 ",\"swap_used_bytes\":%" PRIu64
           ",\"commit_limit_bytes\":%" PRIu64 ",\"committed_bytes\":%" PRIu64 "}\n",
           m->swap_total * 1024, (m->swap_total - m->swap_free) * 1024, m->limit * 1024,
           m->committed * 1024);
}

static bool show(struct look *look, void *context, bool first) {
    const struct free_options *free_options = context;
    struct memory memory;
    const char *text = look_text(look, "meminfo");

    if (text == NULL) {
        return false;
    }
    take_memory(text, &memory);
    if (look->json) {
        print_json(&memory);
        return true;
    }
    if (!first) {
        putchar('\n');
    }
    print_text(free_options, &memory);
    return true;
}

static bool take_option(struct look *look, struct free_options *free_options, int option,
                        const char *value) {
    switch (option) {
    case BYTES:
    case KIBI:
    case MEBI:
    case GIBI:
        free_options->unit = (unsigned)(option - BYTES);
        return true;
    case HUMAN:
        free_options->unit = UNIT_HUMAN;
        return true;
    case SI:
        free_options->si = true;
        return true;
    case TOTAL:
        free_options->total = true;
        return true;
    case COMMITTED:
        free_options->committed = true;
        return true;
    case WIDE:
        free_options->wide = true;
        return true;
    case SECONDS:
    case WATCH:
        return look_take_delay(look, option == WATCH ? "--watch" : "-s", value);
    case COUNT:
        return look_take_count(look, "-c", value);
    case JSON:
        look->json = true;
        return true;
    default:
        return look_take_run(look, value);
    }
}

int cli_free(struct cli_words *given) {
    struct free_options free_options = {.unit = UNIT_KIBI};
    struct look_words words = {given->at, NULL};
    struct look look = {.run = 0};
    const char *value;
    int option;

    while ((option = look_option_next(&words, options, NOPTIONS, &value)) >= 0) {
        if (!take_option(&look, &free_options, option, value)) {
            return CLI_EXIT_OURS;
        }
    }
    if (option == CLI_OPTIONS_WRONG) {
        return CLI_EXIT_OURS;
    }
    if (words.at[0] != NULL) {
        return cli_wrong("free takes options only, not '%s'", words.at[0]);
    }
    if (look.count > 0 && look.delay_s == 0) {
        look.delay_s = 1; /* as free(1): -c alone means every second */
    }
    return look_run(&look, "meminfo", show, &free_options);
}
