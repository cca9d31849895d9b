/* vmstat.c: /proc/vmstat and /proc/pressure/memory: what happened, and what it cost in time.
 *
 * Owns no state. Names and order of vmstat are Linux's (vmstat_text in mm/vmstat.c, 6.x): levels
 * first, then events. Lines for what this manager does not have (NUMA, balloons, zswap) are left
 * out, as a Linux configured without them leaves them out. What only this manager counts stands at
 * the end, under names that begin with quire_. Pressure is psi_show's of kernel/sched/psi.c.
 *
 * Cannot fail; text that does not fit is counted (view.h). Called by os/ for /proc.
 */
#include "kmem/slab.h"
#include "page/lru.h"
#include "swap/swap.h"
#include "view/lines.h"
#include "vm/vm.h"

static void line(struct quire_text *text, const char *name, uint64_t value) {
    quire_text_string(text, name);
    quire_text_char(text, ' ');
    quire_text_decimal(text, value, 0);
    quire_text_char(text, '\n');
}

static void levels(struct quire_text *text, const struct quire *q) {
    struct quire_usage usage;
    quire_usage(q, &usage);
    line(text, "nr_free_pages", usage.free);
    line(text, "nr_inactive_anon", usage.inactive_anon);
    line(text, "nr_active_anon", usage.active_anon);
    line(text, "nr_inactive_file", usage.inactive_file);
    line(text, "nr_active_file", usage.active_file);
    line(text, "nr_unevictable", quire_vm_mlocked(q));
    line(text, "nr_mlock", quire_vm_mlocked(q));
    line(text, "nr_slab_reclaimable", quire_kmem_reclaimable(q));
    line(text, "nr_slab_unreclaimable", usage.slab - quire_kmem_reclaimable(q));
    line(text, "nr_anon_pages", usage.anon);
    line(text, "nr_mapped", quire_vm_mapped_file(q));
    line(text, "nr_file_pages", usage.file + usage.shmem + view_swap_cached(q));
    line(text, "nr_dirty", usage.dirty);
    line(text, "nr_shmem", usage.shmem);
    line(text, "nr_anon_transparent_hugepages", quire_vm_blocks(q));
    line(text, "nr_page_table_pages", usage.page_tables);
    line(text, "nr_swapcached", view_swap_cached(q));
}

static void workingset(struct quire_text *text, const struct quire_counters *now) {
    line(text, "workingset_refault_anon", now->workingset_refault_anon);
    line(text, "workingset_refault_file", now->workingset_refault_file);
    line(text, "workingset_activate_anon", now->workingset_activate_anon);
    line(text, "workingset_activate_file", now->workingset_activate_file);
    line(text, "workingset_restore_anon", now->workingset_restore_anon);
    line(text, "workingset_restore_file", now->workingset_restore_file);
    line(text, "workingset_nodereclaim", now->workingset_nodereclaim);
}

static void moves(struct quire_text *text, const struct quire *q,
                  const struct quire_counters *now) {
    line(text, "pgpgin", view_kb(now->pswpin + now->file_in)); /* kilobytes, unlike the others */
    line(text, "pgpgout", view_kb(now->pswpout + now->file_out));
    line(text, "pswpin", now->pswpin);
    line(text, "pswpout", now->pswpout);
    line(text, "zswpin", now->zswpin);
    line(text, "zswpout", now->zswpout);
    line(text, "zswpwb", now->zswpwb);
    line(text, "swap_ra", now->swap_ra);
    line(text, "swap_ra_hit", now->swap_ra_hit);
    line(text, "pgalloc_normal", now->pgalloc);
    line(text, "allocstall_normal", now->allocstall);
    line(text, "pgfree", now->pgfree);
    line(text, "pgactivate", quire_lru_activated(q));
    line(text, "pgdeactivate", quire_lru_deactivated(q));
    line(text, "pglazyfree", now->pglazyfree);
    line(text, "pgfault", now->pgfault);
    line(text, "pgmajfault", now->pgmajfault);
    line(text, "pglazyfreed", now->pglazyfreed);
}

static void reclaim(struct quire_text *text, const struct quire_counters *now) {
    line(text, "pgsteal_kswapd", now->pgsteal_kswapd);
    line(text, "pgsteal_direct", now->pgsteal_direct);
    line(text, "pgscan_kswapd", now->pgscan_kswapd);
    line(text, "pgscan_direct", now->pgscan_direct);
    line(text, "pgscan_anon", now->pgscan_anon);
    line(text, "pgscan_file", now->pgscan_file);
    line(text, "pgsteal_anon", now->pgsteal_anon);
    line(text, "pgsteal_file", now->pgsteal_file);
    line(text, "drop_pagecache", now->drop_pagecache);
    line(text, "drop_slab", now->drop_slab);
    line(text, "oom_kill", now->oom_kill);
    line(text, "unevictable_pgs_mlocked", now->unevictable_pgs_mlocked);
    line(text, "unevictable_pgs_munlocked", now->unevictable_pgs_munlocked);
    line(text, "thp_fault_alloc", now->thp_fault_alloc);
    line(text, "thp_fault_fallback", now->thp_fault_fallback);
    line(text, "thp_collapse_alloc", now->thp_collapse_alloc);
    line(text, "thp_collapse_alloc_failed", now->thp_collapse_alloc_failed);
    line(text, "thp_split_page", now->thp_split_page);
    line(text, "thp_split_pmd", now->thp_split_pmd);
}

static void compaction(struct quire_text *text, const struct quire_counters *now) {
    line(text, "pgmigrate_success", now->pgmigrate_success);
    line(text, "compact_migrate_scanned", now->compact_migrate_scanned);
    line(text, "compact_free_scanned", now->compact_free_scanned);
    line(text, "compact_stall", now->compact_stall);
    line(text, "compact_fail", now->compact_fail);
    line(text, "compact_success", now->compact_success);
}

size_t quire_view_vmstat(const struct quire *q, char *bytes, size_t capacity) {
    const struct quire_counters *now = quire_counters(q);
    struct quire_text text;
    quire_text_init(&text, bytes, capacity);
    levels(&text, q);
    workingset(&text, now);
    moves(&text, q, now);
    reclaim(&text, now);
    compaction(&text, now);
    line(&text, "quire_fault_zero", now->fault_zero);
    line(&text, "quire_fault_cow", now->fault_cow);
    line(&text, "quire_fault_swap", now->fault_swap);
    line(&text, "quire_fault_file", now->fault_file);
    line(&text, "quire_fault_refill", now->fault_refill);
    line(&text, "quire_swap_clean", now->swap_clean);
    line(&text, "quire_slab_reclaim", now->slab_reclaim);
    line(&text, "quire_stall_ns", now->stall_ns);
    line(&text, "quire_io_error", now->io_error);
    return quire_text_end(&text);
}

/* ---- pressure -------------------------------------------------------------------------------- */

/* 1234 hundredths: "12.34". */
static void average(struct quire_text *text, const char *name, unsigned hundredths) {
    quire_text_string(text, name);
    quire_text_decimal(text, hundredths / 100, 0);
    quire_text_char(text, '.');
    quire_text_char(text, (char)('0' + hundredths / 10 % 10));
    quire_text_char(text, (char)('0' + hundredths % 10));
}

size_t quire_view_pressure(const struct quire *q, char *bytes, size_t capacity) {
    struct quire_pressure pressure;
    struct quire_text text;
    quire_pressure(q, &pressure);
    quire_text_init(&text, bytes, capacity);
    for (unsigned full = 0; full < 2; full++) {
        quire_text_string(&text, full ? "full" : "some");
        average(&text, " avg10=", pressure.avg10);
        average(&text, " avg60=", pressure.avg60);
        average(&text, " avg300=", pressure.avg300);
        quire_text_string(&text, " total=");
        quire_text_decimal(&text, pressure.total_us, 0);
        quire_text_char(&text, '\n');
    }
    return quire_text_end(&text);
}
