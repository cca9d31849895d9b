/* cgroup.c: figures under the names of Linux's control groups, version 2: the machine as one group.
 *
 *     memory.current:1048576
 *     memory.stat:anon 524288
 *
 * in the form in which `grep . /sys/fs/cgroup/x/memory.*` shows such files, since that is how
 * people look at them. Only names that Linux has, with its meaning
 * (Documentation/admin-guide/cgroup-v2.rst); what has no counterpart here is left out rather than
 * shown as 0. memory.current is what a group would be charged for: not what the manager itself took
 * when the machine started.
 */
#include "export/export.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define PAGE_BYTES 4096u

static void put(FILE *file, const char *name, uint64_t value) {
    fprintf(file, "%s:%" PRIu64 "\n", name, value);
}

static void put_stat(FILE *file, const char *name, uint64_t value) {
    fprintf(file, "memory.stat:%s %" PRIu64 "\n", name, value);
}

static void put_sizes(FILE *file, const char *vmstat) {
    static const struct {
        const char *name, *of; /* in pages, of vmstat */
    } rows[] = {
        {"anon", "nr_anon_pages"},
        {"file", "nr_file_pages"},
        {"pagetables", "nr_page_table_pages"},
        {"shmem", "nr_shmem"},
        {"file_mapped", "nr_mapped"},
        {"file_dirty", "nr_dirty"},
        {"swapcached", "nr_swapcached"},
        {"inactive_anon", "nr_inactive_anon"},
        {"active_anon", "nr_active_anon"},
        {"inactive_file", "nr_inactive_file"},
        {"active_file", "nr_active_file"},
        {"unevictable", "nr_unevictable"},
        {"slab_reclaimable", "nr_slab_reclaimable"},
        {"slab_unreclaimable", "nr_slab_unreclaimable"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        put_stat(file, rows[i].name, export_number(vmstat, rows[i].of) * PAGE_BYTES);
}

static void put_counts(FILE *file, const char *vmstat) {
    static const char *const rows[] = {
        "workingset_refault_anon",
        "workingset_refault_file",
        "workingset_activate_anon",
        "workingset_activate_file",
        "workingset_restore_anon",
        "workingset_restore_file",
        "workingset_nodereclaim",
        "pgscan_kswapd",
        "pgscan_direct",
        "pgsteal_kswapd",
        "pgsteal_direct",
        "pgfault",
        "pgmajfault",
        "pgactivate",
        "pgdeactivate",
        "pglazyfree",
        "pglazyfreed",
        "zswpin",
        "zswpout",
        "zswpwb",
        "thp_fault_alloc",
        "thp_collapse_alloc",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        put_stat(file, rows[i], export_number(vmstat, rows[i]));
    put_stat(file, "pgscan",
             export_number(vmstat, "pgscan_kswapd") + export_number(vmstat, "pgscan_direct"));
    put_stat(file, "pgsteal",
             export_number(vmstat, "pgsteal_kswapd") + export_number(vmstat, "pgsteal_direct"));
}

static void put_pressure(FILE *file, const char *text) {
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n");
        fprintf(file, "memory.pressure:%.*s\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
}

bool export_cgroup(const struct export_figures *figures, FILE *file) {
    const char *m = figures->meminfo, *v = figures->vmstat;
    uint64_t charged = export_number(v, "nr_anon_pages") + export_number(v, "nr_file_pages") +
                       export_number(v, "nr_page_table_pages") +
                       export_number(v, "nr_slab_reclaimable") +
                       export_number(v, "nr_slab_unreclaimable");
    errno = 0;
    put(file, "memory.current", charged * PAGE_BYTES);
    put(file, "memory.max", export_number(m, "MemTotal") * 1024);
    put(file, "memory.swap.current",
        (export_number(m, "SwapTotal") - export_number(m, "SwapFree")) * 1024);
    put(file, "memory.swap.max", export_number(m, "SwapTotal") * 1024);
    put(file, "memory.zswap.current", export_number(m, "Zswap") * 1024);
    fprintf(file, "memory.events:max %" PRIu64 "\n", export_number(v, "allocstall_normal"));
    fprintf(file, "memory.events:oom_kill %" PRIu64 "\n", export_number(v, "oom_kill"));
    put_sizes(file, v);
    put_stat(file, "anon_thp", export_number(m, "AnonHugePages") * 1024);
    put_stat(file, "zswap", export_number(m, "Zswap") * 1024);
    put_stat(file, "zswapped", export_number(m, "Zswapped") * 1024);
    put_counts(file, v);
    put_pressure(file, figures->pressure);
    return !ferror(file);
}
