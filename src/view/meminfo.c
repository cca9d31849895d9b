/* meminfo.c: /proc/meminfo: where the memory is.
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

uint64_t view_swap_cached(const struct quire *q) {
    uint64_t taken = 0;
    struct quire_swap_info area;
    for (unsigned i = 0; quire_swap_area(q, i, &area); i++) {
        taken += area.used;
    }
    return taken + quire_swap_stored(q) - quire_vm_swapped(q);
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
    view_line_pages(&text, "SwapCached:", view_swap_cached(q));
    view_line_pages(&text, "Active:", usage.active_anon + usage.active_file);
    view_line_pages(&text, "Inactive:", usage.inactive_anon + usage.inactive_file);
    view_line_pages(&text, "Active(anon):", usage.active_anon);
    view_line_pages(&text, "Inactive(anon):", usage.inactive_anon);
    view_line_pages(&text, "Active(file):", usage.active_file);
    view_line_pages(&text, "Inactive(file):", usage.inactive_file);
    view_line_pages(&text, "Unevictable:", usage.mlocked);
    view_line_pages(&text, "Mlocked:", usage.mlocked);
    view_line_pages(&text, "SwapTotal:", usage.swap_total);
    view_line_pages(&text, "SwapFree:", usage.swap_free);
    view_line_pages(&text, "Zswap:", usage.zswap);
    view_line_pages(&text, "Zswapped:", usage.zswapped);
    view_line_pages(&text, "Dirty:", usage.dirty);
    view_line_pages(&text, "AnonPages:", usage.anon);
    view_line_pages(&text, "Mapped:", quire_vm_mapped_file(q));
    view_line_pages(&text, "Shmem:", usage.shmem);
    view_line_pages(&text, "Slab:", usage.slab);
    view_line_pages(&text, "SReclaimable:", quire_kmem_reclaimable(q));
    view_line_pages(&text, "SUnreclaim:", usage.slab - quire_kmem_reclaimable(q));
    view_line_pages(&text, "PageTables:", usage.page_tables);
    view_line_pages(&text, "CommitLimit:", usage.commit_limit);
    view_line_pages(&text, "Committed_AS:", usage.committed);
    view_line_pages(&text, "AnonHugePages:", usage.anon_huge);
    return quire_text_end(&text);
}
