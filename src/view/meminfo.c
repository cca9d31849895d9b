/* meminfo.c: /proc/meminfo and /proc/vmstat: where the memory is, and what happened.
 *
 * Owns no state and computes nothing that quire_usage does not know. The formats are those of
 * Linux's fs/proc/meminfo.c and mm/vmstat.c, so that free, vmstat, top and node_exporter read them.
 * Lines for what this manager does not have (hugetlbfs, NUMA, zswap) are left out, as a Linux
 * configured without them leaves them out.
 *
 * Cannot fail; text that does not fit is counted (view.h). Called by os/ for /proc.
 */
#include "kmem/slab.h"
#include "swap/swap.h"
#include "view/lines.h"
#include "vm/vm.h"

/* Pages in RAM that also have a good copy on swap. */
static uint64_t swap_cached(const struct quire *q) {
    uint64_t taken = 0;
    struct quire_swap_info area;
    for (unsigned i = 0; quire_swap_area(q, i, &area); i++) {
        taken += area.used;
    }
    return taken - quire_vm_swapped(q);
}

size_t quire_view_meminfo(const struct quire *q, char *bytes, size_t capacity) {
    struct quire_usage usage;
    struct quire_text text;
    quire_usage(q, &usage);
    quire_text_init(&text, bytes, capacity);
    view_line_pages(&text, "MemTotal:", usage.total);
    view_line_pages(&text, "MemFree:", usage.free);
    view_line_pages(&text, "MemAvailable:", usage.available);
    view_line_pages(&text, "Buffers:", 0); /* pages of block devices: there is no cache of those */
    view_line_pages(&text, "Cached:", usage.file + usage.shmem);
    view_line_pages(&text, "SwapCached:", swap_cached(q));
    view_line_pages(&text, "Active:", usage.active_anon + usage.active_file);
    view_line_pages(&text, "Inactive:", usage.inactive_anon + usage.inactive_file);
    view_line_pages(&text, "Active(anon):", usage.active_anon);
    view_line_pages(&text, "Inactive(anon):", usage.inactive_anon);
    view_line_pages(&text, "Active(file):", usage.active_file);
    view_line_pages(&text, "Inactive(file):", usage.inactive_file);
    view_line_pages(&text, "SwapTotal:", usage.swap_total);
    view_line_pages(&text, "SwapFree:", usage.swap_free);
    view_line_pages(&text, "Dirty:", usage.dirty);
    view_line_pages(&text, "AnonPages:", usage.anon);
    view_line_pages(&text, "Mapped:", quire_vm_mapped_file(q));
    view_line_pages(&text, "Shmem:", usage.shmem);
    view_line_pages(&text, "Slab:", usage.slab);
    view_line_pages(&text, "SReclaimable:", quire_kmem_reclaimable(q));
    view_line_pages(&text, "SUnreclaim:", usage.slab - quire_kmem_reclaimable(q));
    view_line_pages(&text, "PageTables:", usage.page_tables);
    /* overcommit_ratio of 50 %, Linux's default. */
    view_line_pages(&text, "CommitLimit:", usage.total / 2 + usage.swap_total);
    view_line_pages(&text, "Committed_AS:", usage.committed);
    view_line_pages(&text, "AnonHugePages:", usage.anon_huge);
    return quire_text_end(&text);
}

static void line(struct quire_text *text, const char *name, uint64_t value) {
    quire_text_string(text, name);
    quire_text_char(text, ' ');
    quire_text_decimal(text, value, 0);
    quire_text_char(text, '\n');
}

static void vmstat_levels(struct quire_text *text, const struct quire *q) {
    struct quire_usage usage;
    quire_usage(q, &usage);
    line(text, "nr_free_pages", usage.free);
    line(text, "nr_inactive_anon", usage.inactive_anon);
    line(text, "nr_active_anon", usage.active_anon);
    line(text, "nr_inactive_file", usage.inactive_file);
    line(text, "nr_active_file", usage.active_file);
    line(text, "nr_slab_reclaimable", quire_kmem_reclaimable(q));
    line(text, "nr_slab_unreclaimable", usage.slab - quire_kmem_reclaimable(q));
    line(text, "nr_anon_pages", usage.anon);
    line(text, "nr_mapped", quire_vm_mapped_file(q));
    line(text, "nr_file_pages", usage.file + usage.shmem + swap_cached(q));
    line(text, "nr_dirty", usage.dirty);
    line(text, "nr_shmem", usage.shmem);
    line(text, "nr_anon_transparent_hugepages", usage.anon_huge >> 9); /* blocks of 2 MiB */
    line(text, "nr_page_table_pages", usage.page_tables);
    line(text, "nr_swapcached", swap_cached(q));
}

size_t quire_view_vmstat(const struct quire *q, char *bytes, size_t capacity) {
    const struct quire_counters *now = quire_counters(q);
    struct quire_text text;
    quire_text_init(&text, bytes, capacity);
    vmstat_levels(&text, q);
    line(&text, "pgpgin", view_kb(now->pswpin + now->file_in)); /* kilobytes, unlike the others */
    line(&text, "pgpgout", view_kb(now->pswpout + now->file_out));
    line(&text, "pswpin", now->pswpin);
    line(&text, "pswpout", now->pswpout);
    line(&text, "pgalloc_normal", now->pgalloc);
    line(&text, "allocstall_normal", now->allocstall);
    line(&text, "pgfree", now->pgfree);
    line(&text, "pgfault", now->pgfault);
    line(&text, "pgmajfault", now->pgmajfault);
    line(&text, "pgsteal_kswapd", now->pgsteal_kswapd);
    line(&text, "pgsteal_direct", now->pgsteal_direct);
    line(&text, "pgscan_kswapd", now->pgscan_kswapd);
    line(&text, "pgscan_direct", now->pgscan_direct);
    line(&text, "oom_kill", now->oom_kill);
    line(&text, "thp_fault_alloc", now->thp_fault_alloc);
    line(&text, "thp_fault_fallback", now->thp_fault_fallback);
    line(&text, "thp_collapse_alloc", now->thp_collapse_alloc);
    line(&text, "thp_collapse_alloc_failed", now->thp_collapse_alloc_failed);
    line(&text, "thp_split_page", now->thp_split_page);
    line(&text, "thp_split_pmd", now->thp_split_pmd);
    /* Not Linux's: what only this manager counts. */
    line(&text, "quire_fault_zero", now->fault_zero);
    line(&text, "quire_fault_cow", now->fault_cow);
    line(&text, "quire_fault_swap", now->fault_swap);
    line(&text, "quire_fault_file", now->fault_file);
    line(&text, "quire_fault_refill", now->fault_refill);
    line(&text, "quire_swap_clean", now->swap_clean);
    line(&text, "quire_io_error", now->io_error);
    return quire_text_end(&text);
}
