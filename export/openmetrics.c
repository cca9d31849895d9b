/* openmetrics.c: figures as OpenMetrics text (version 1.0), for Prometheus and all that read it.
 *
 * A family has a type, a unit that its name ends with, a help; samples of counters end in _total.
 * Families are not interleaved, and the text ends with # EOF: that is how a reader knows that it
 * has all of it. Names are of what happened, not of who counted it; sizes are bytes, times seconds.
 */
#include "export/export.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_BYTES 4096u
#define NS_PER_S   1000000000u
#define US_PER_S   1000000u

/* ---- families -----------------------------------------------------------------------------------
 */

static void family(FILE *file, const char *name, const char *type, const char *unit,
                   const char *help) {
    fprintf(file, "# TYPE quire_%s %s\n", name, type);
    if (unit)
        fprintf(file, "# UNIT quire_%s %s\n", name, unit);
    fprintf(file, "# HELP quire_%s %s\n", name, help);
}

static void gauge_bytes(FILE *file, const char *name, uint64_t bytes, const char *help) {
    family(file, name, "gauge", "bytes", help);
    fprintf(file, "quire_%s %" PRIu64 "\n", name, bytes);
}

static void counter(FILE *file, const char *name, const char *unit, uint64_t value,
                    const char *help) {
    family(file, name, "counter", unit, help);
    fprintf(file, "quire_%s_total %" PRIu64 "\n", name, value);
}

/* Seconds from a whole number of parts of one; per_s is a power of ten with that many zeros. */
static void put_seconds(FILE *file, uint64_t parts, uint64_t per_s, int zeros) {
    fprintf(file, "%" PRIu64 ".%0*" PRIu64 "\n", parts / per_s, zeros, parts % per_s);
}

static void counter_seconds(FILE *file, const char *name, uint64_t ns, const char *help) {
    family(file, name, "counter", "seconds", help);
    fprintf(file, "quire_%s_total ", name);
    put_seconds(file, ns, NS_PER_S, 9);
}

/* A family of two, told apart by a label. */
struct pair {
    const char *label, *values[2];
    uint64_t counts[2];
};

static void counter_pair(FILE *file, const char *name, const struct pair *pair, const char *help) {
    family(file, name, "counter", NULL, help);
    for (unsigned i = 0; i < 2; i++)
        fprintf(file, "quire_%s_total{%s=\"%s\"} %" PRIu64 "\n", name, pair->label, pair->values[i],
                pair->counts[i]);
}

/* A label's value: three signs are escaped; a byte that is not ASCII might not be UTF-8. */
static void put_value(FILE *file, const char *text) {
    for (; *text; text++) {
        if (*text == '\\' || *text == '"')
            fprintf(file, "\\%c", *text);
        else if (*text == '\n')
            fputs("\\n", file);
        else
            fputc((signed char)*text < ' ' || *text == 0x7f ? '?' : *text, file);
    }
}

/* ---- what there is
 * -------------------------------------------------------------------------------- */

static void put_run(FILE *file, const struct export_figures *from) {
    family(file, "run", "info", NULL, "What runs, and how.");
    fputs("quire_run_info{policy=\"", file);
    put_value(file, from->policy);
    fputs("\",command=\"", file);
    put_value(file, from->command);
    fputs("\"} 1\n", file);
    counter_seconds(file, "time_seconds", from->time_ns, "On the machine's clock.");
    counter_seconds(file, "idle_seconds", from->idle_ns, "No program could run.");
    counter_seconds(file, "stalled_seconds", from->stall_ns, "A program waited for the disk.");
    counter(file, "instructions", NULL, from->instructions, "Done by the processor.");
    counter(file, "accesses", NULL, from->accesses, "Loads and stores.");
    counter(file, "tlb_misses", NULL, from->tlb_misses, "Accesses that walked the page table.");
}

static void put_levels(FILE *file, const struct export_figures *from) {
    static const struct {
        const char *name, *of, *help;
    } rows[] = {
        {"memory_total_bytes", "MemTotal", "RAM of the machine."},
        {"memory_free_bytes", "MemFree", "Nobody has it."},
        {"memory_available_bytes", "MemAvailable", "Could be given without swapping."},
        {"memory_anonymous_bytes", "AnonPages", "Heaps, stacks and other pages of no file."},
        {"memory_page_cache_bytes", "Cached", "Pages of files."},
        {"memory_shared_bytes", "Shmem", "Shared memory and tmpfs."},
        {"memory_dirty_bytes", "Dirty", "Pages of files that are not written yet."},
        {"memory_slab_bytes", "Slab", "Objects of the kernel."},
        {"memory_page_tables_bytes", "PageTables", "What translates addresses."},
        {"memory_huge_pages_bytes", "AnonHugePages", "Anonymous memory in blocks of 2 MiB."},
        {"memory_committed_bytes", "Committed_AS", "Promised to programs."},
        {"swap_size_bytes", "SwapTotal", "All swap areas."},
        {"swap_free_bytes", "SwapFree", "Of them, free."},
        {"zswap_bytes", "Zswap", "RAM that the compressed store takes."},
        {"zswapped_bytes", "Zswapped", "What is in it, uncompressed."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        gauge_bytes(file, rows[i].name, export_number(from->meminfo, rows[i].of) * 1024,
                    rows[i].help);
    gauge_bytes(file, "memory_peak_demand_bytes", from->peak_bytes,
                "The most that programs wanted at once.");
}

static void put_events(FILE *file, const struct export_figures *from) {
    const char *v = from->vmstat;
    uint64_t major = export_number(v, "pgmajfault"), all = export_number(v, "pgfault");
    struct pair faults = {"type", {"minor", "major"}, {all - major, major}};
    struct pair reclaimed = {
        "by",
        {"kswapd", "direct"},
        {export_number(v, "pgsteal_kswapd"), export_number(v, "pgsteal_direct")}};
    struct pair scanned = {"by",
                           {"kswapd", "direct"},
                           {export_number(v, "pgscan_kswapd"), export_number(v, "pgscan_direct")}};
    struct pair refaults = {
        "type",
        {"anonymous", "file"},
        {export_number(v, "workingset_refault_anon"), export_number(v, "workingset_refault_file")}};
    counter_pair(file, "page_faults", &faults, "Minor took a frame only, major waited for a disk.");
    counter_pair(file, "reclaimed_pages", &reclaimed, "Taken back, by whom.");
    counter_pair(file, "scanned_pages", &scanned, "Looked at for that, by whom.");
    counter_pair(file, "refaulted_pages", &refaults, "Came back too soon.");
    counter(file, "swapped_in_bytes", "bytes", export_number(v, "pswpin") * PAGE_BYTES,
            "Read from swap areas.");
    counter(file, "swapped_out_bytes", "bytes", export_number(v, "pswpout") * PAGE_BYTES,
            "Written to swap areas.");
    counter(file, "paged_in_bytes", "bytes", export_number(v, "pgpgin") * 1024,
            "Read from disks, files included.");
    counter(file, "paged_out_bytes", "bytes", export_number(v, "pgpgout") * 1024,
            "Written to disks, files included.");
    counter(file, "direct_reclaims", NULL, export_number(v, "allocstall_normal"),
            "Times that a program had to reclaim for itself.");
    counter(file, "oom_kills", NULL, export_number(v, "oom_kill"),
            "Processes ended for want of memory.");
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=N", in microseconds. */
static uint64_t pressure_us(const char *text, const char *kind) {
    const char *line = strstr(text, kind), *total = line ? strstr(line, "total=") : NULL;
    return total ? strtoull(total + 6, NULL, 10) : 0;
}

static void put_pressure(FILE *file, const struct export_figures *from) {
    static const char *const kinds[] = {"some", "full"};
    family(file, "pressure_memory_seconds", "counter", "seconds",
           "Some or all programs waited for memory.");
    for (unsigned i = 0; i < 2; i++) {
        fprintf(file, "quire_pressure_memory_seconds_total{type=\"%s\"} ", kinds[i]);
        put_seconds(file, pressure_us(from->pressure, kinds[i]), US_PER_S, 6);
    }
}

bool export_openmetrics(const struct export_figures *figures, FILE *file) {
    errno = 0;
    put_run(file, figures);
    put_levels(file, figures);
    put_events(file, figures);
    put_pressure(file, figures);
    fputs("# EOF\n", file);
    return !ferror(file);
}
