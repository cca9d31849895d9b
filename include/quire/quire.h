/* quire.h: one memory manager: made on a machine's RAM, entered by faults and ticks, audited.
 *
 * Nothing here is global: all state hangs off struct quire and lies in the machine's own RAM.
 * Thread-safety: calls on one struct quire must not overlap (a kernel holds its memory lock). Two
 * managers on two machines are independent.
 */
#ifndef QUIRE_QUIRE_H
#define QUIRE_QUIRE_H

#include <quire/status.h>
#include <quire/types.h>

/* Zones of RAM, low to high: what weak devices reach is kept for them as far as it goes. */
enum quire_zone_kind {
    QUIRE_ZONE_DMA,     /* reached by devices with the fewest address lines */
    QUIRE_ZONE_DMA32,   /* reached with 32 of them */
    QUIRE_ZONE_NORMAL,
    QUIRE_ZONE_HIGHMEM, /* for programs only: a 32-bit kernel does not see it all at once */
    QUIRE_NZONES
};

/* Where private anonymous memory may be mapped by blocks of 2 MiB (machines that can): where a
 * program asked for it (QUIRE_ADVISE_HUGEPAGE), everywhere, nowhere. As Linux's
 * /sys/kernel/mm/transparent_hugepage/enabled. */
enum quire_thp { QUIRE_THP_MADVISE, QUIRE_THP_ALWAYS, QUIRE_THP_NEVER };

struct quire_policy;

struct quire_config {
    struct quire_machine *machine;
    /* Weight of anonymous against file pages in reclaim, 0 to 200; 60 is Linux's default. */
    unsigned swappiness;
    enum quire_overcommit_mode {
        QUIRE_OVERCOMMIT_HEURISTIC, /* refuse what RAM and swap together could not hold */
        QUIRE_OVERCOMMIT_ALWAYS,
        QUIRE_OVERCOMMIT_NEVER, /* promise no more than the commit limit */
    } overcommit;               /* as vm.overcommit_memory; quire_set_overcommit has the rest */
    /* Watermarks in pages. 0: derived from the size of RAM as Linux derives min_free_kbytes. */
    uint64_t min_free_pages;
    /* A fault may bring 2^page_cluster pages in from swap, its own and those that will be wanted
     * next; 0 to 6. 0: its own only; 3 is Linux's default. */
    unsigned page_cluster;
    /* All caches of kernel objects, kmalloc's too, with QUIRE_CACHE_CHECKED (kmem.h): for tests. */
    bool check_objects;
    /* Who is old: one of quire/policy.h's, found by name with quire_policy_find, or your own, which
     * must outlive the manager. NULL: the default, "linux". */
    const struct quire_policy *policy;
    /* Where each of the QUIRE_NZONES zones ends, physical, in bytes, rounded down to 4 MiB; not
     * above the one before: there is no such zone. The last that there is should be UINT64_MAX.
     * NULL: DMA, the 16 MiB from the start of RAM; DMA32 up to 4 GiB; NORMAL, the rest. */
    const uint64_t *zone_ends;
    /* Use only that much RAM, the lowest, as Linux's mem=; 0: all that the machine has. */
    uint64_t ram_limit_bytes;
    /* Set aside for a driver, in one piece, aligned to 4 MiB if it is that large and to a page
     * otherwise; quire_reserved says where. The only way to more than 4 MiB in a row. 0: none. */
    uint64_t reserve_bytes;
    /* Processors, each with its own lists of free frames; 0: one. At most 64. */
    unsigned ncpus;
    enum quire_thp thp;
    /* Pages that must be there before 2 MiB of them are copied into one block, 1 to 512; 0: one, as
     * Linux's khugepaged/max_ptes_none of 511. */
    unsigned thp_min_present;
    /* The address that views write for the first byte of the machine's kernel area, where the
     * kernel's own pointers are not the machine's addresses (a machine in software, whose kernel is
     * a process of the host). 0: as they are. */
    uint64_t kernel_area_va;
};

/* Take over the machine's RAM and bring everything up. Fails with QUIRE_INVAL (a field out of
 * range) or QUIRE_NOMEM (less RAM than the manager itself needs, about 1 MiB). O(frames). */
enum quire_status quire_create(const struct quire_config *config, struct quire **out);

/* What reserve_bytes set aside: false if nothing. The bytes are as they were at power on, and
 * never the manager's; quire_frame_window reaches them. */
bool quire_reserved(const struct quire *q, quire_paddr *start, uint64_t *length_bytes);

/* Tear down. Every space, object and cache of the embedder must be gone: leaks are panics. */
void quire_destroy(struct quire *q);

/* ---- the two doors --------------------------------------------------------------------------- */

/* An access to va in space missed or was refused by the page tables. On QUIRE_OK the access may be
 * tried again; QUIRE_FAULT, QUIRE_DENIED and QUIRE_BUS are the program's errors; QUIRE_KILLED says
 * that the space is the OOM killer's choice. Never returns NOMEM or RESTART: it waits, reclaims and
 * kills until there is memory. May do I/O. */
enum quire_status quire_fault(struct quire_space *space, quire_vaddr va, enum quire_access access);

/* Time passes: background reclaim (kswapd) does a bounded batch of work if free memory is below
 * `low` and it has not yet reached `high`. Call it often: every millisecond of the machine's time,
 * and whenever quire_wants_tick() says so after a fault. */
void quire_tick(struct quire *q);
bool quire_wants_tick(const struct quire *q);

/* The processor that enters from now on, 0 to ncpus - 1, if there are several: its lists of free
 * frames are used, so that what one freed is still in its cache when it takes it again. O(1). */
void quire_set_cpu(struct quire *q, unsigned cpu);

/* Change the mode; blocks that are there stay until something splits them. */
void quire_set_thp(struct quire *q, enum quire_thp mode);
enum quire_thp quire_thp(const struct quire *q);

/* ---- swap areas ------------------------------------------------------------------------------ */

/* A priority below all others so far: -2, -3, ... as Linux gives when swapon(8) names none. */
#define QUIRE_SWAP_PRIORITY_AUTO INT32_MIN

/* Use a machine's swap device. Higher priority is filled first, equal ones in turn. Its first page
 * says what part of it is the area (swapfile.h); a device with a blank first page is used whole.
 * QUIRE_INVAL: no such device, or its first page is something else (a line in the log says what);
 * QUIRE_BUSY: in use already, or eight others are; QUIRE_NOMEM: no room for the slot map; QUIRE_IO:
 * it cannot be read. May do I/O. O(size of the device / 32768 pages). */
enum quire_status quire_swapon(struct quire *q, unsigned device, int priority);

/* The same for a device that is a file of this name, which /proc/swaps shows. Copied. */
enum quire_status quire_swapon_file(struct quire *q, unsigned device, int priority,
                                    const char *name);

/* Bring back what lies on it and let it go. QUIRE_INVAL: not in use. QUIRE_NOMEM when it does not
 * fit, QUIRE_IO when a page of it cannot be read: the area then stays in use, and nothing is lost.
 * O(pages in use). */
enum quire_status quire_swapoff(struct quire *q, unsigned device);

/* Keep pages that leave compressed in RAM, in at most percent (1 to 100) of it, in front of the
 * swap areas or in place of them; when that is full, the oldest go to an area. NONE: no more of
 * them; those that are there come back as they are asked for. QUIRE_INVAL: the machine has no such
 * codec, or percent is out of range; QUIRE_NOMEM: not even three pages to work with. */
enum quire_status quire_zswap(struct quire *q, enum quire_zswap method, unsigned percent);

/* ---- promises -------------------------------------------------------------------------------- */

/* How much memory may be promised: Linux's vm.overcommit_memory, _ratio and _kbytes. In mode NEVER
 * the limit is swap plus ratio_percent of RAM, or plus limit_kbytes if that is not 0; both 0 is a
 * ratio of 50. QUIRE_INVAL: no such mode, or a ratio over 10000. What was promised stays. */
struct quire_overcommit {
    enum quire_overcommit_mode mode;
    uint64_t ratio_percent, limit_kbytes;
};
enum quire_status quire_set_overcommit(struct quire *q, const struct quire_overcommit *overcommit);
void quire_overcommit(const struct quire *q, struct quire_overcommit *overcommit);

/* Regions that one space may have (vm.max_map_count), 65530 at first. QUIRE_INVAL: 0. */
enum quire_status quire_set_max_regions(struct quire *q, uint64_t max_regions);
uint64_t quire_max_regions(const struct quire *q);

/* ---- on request ------------------------------------------------------------------------------ */

/* Give back what can be had again, as /proc/sys/vm/drop_caches: 1 file pages that are clean and
 * mapped by nobody, 2 kernel objects that can be had again (kmem.h: QUIRE_CACHE_RECLAIMABLE) and
 * empty slabs, 3 both. QUIRE_INVAL: none of these. Writes nothing. O(file pages + slabs). */
enum quire_status quire_drop_caches(struct quire *q, unsigned what);

/* ---- what happened ----------------------------------------------------------------------------
 */

/* Counters since creation, named as in Linux's /proc/vmstat where it has them. */
struct quire_counters {
    uint64_t pgfault, pgmajfault;         /* all faults resolved; those that needed I/O */
    uint64_t fault_zero, fault_cow, fault_swap, fault_file, fault_refill; /* by case */
    uint64_t pgalloc, pgfree;             /* frames given and taken back */
    uint64_t pswpin, pswpout;             /* pages moved from and to swap devices */
    uint64_t swap_clean;                  /* evicted without a write: the copy on swap was good */
    uint64_t zswpin, zswpout, zswpwb;     /* pages from and to the store in RAM; of it to swap */
    uint64_t zswap_reject;                /* pages that did not get shorter enough for it */
    uint64_t swap_ra, swap_ra_hit;        /* pages read ahead from swap; of them used */
    uint64_t pgscan_kswapd, pgscan_direct, pgsteal_kswapd, pgsteal_direct;
    uint64_t file_in, file_out;           /* pages read from and written back to files */
    uint64_t pgscan_anon, pgscan_file, pgsteal_anon, pgsteal_file; /* the same, by kind */
    uint64_t allocstall;                  /* times an allocation had to reclaim by itself */
    uint64_t stall_ns;                    /* programs waited for memory: see quire_pressure */
    uint64_t oom_kill;
    uint64_t slab_reclaim;                /* frames that object caches gave back under pressure */
    uint64_t drop_pagecache, drop_slab;   /* calls of quire_drop_caches */
    /* Attempts to make a large block by moving pages, for someone who waits; frames looked at;
     * pages moved. */
    uint64_t compact_stall, compact_success, compact_fail;
    uint64_t compact_migrate_scanned, compact_free_scanned, pgmigrate_success;
    uint64_t pglazyfree, pglazyfreed;     /* pages that MADV_FREE was said of; of them dropped */
    uint64_t unevictable_pgs_mlocked, unevictable_pgs_munlocked;
    /* Blocks of 2 MiB: mapped by a first write, refused there for want of memory, made by copying,
     * given up in that; splits, and those of them by which a page left its place. */
    uint64_t thp_fault_alloc, thp_fault_fallback, thp_collapse_alloc, thp_collapse_alloc_failed;
    uint64_t thp_split_pmd, thp_split_page;
    /* Pages that came back while something was remembered of them; of these, put among the active
     * at once; and those that had been of the working set when they left: thrashing. */
    uint64_t workingset_refault_anon, workingset_refault_file;
    uint64_t workingset_activate_anon, workingset_activate_file;
    uint64_t workingset_restore_anon, workingset_restore_file;
    uint64_t workingset_nodereclaim;      /* forgotten for want of room */
    uint64_t io_error;                    /* failed device operations and bad checksums */
};
const struct quire_counters *quire_counters(const struct quire *q);

/* Pages now, by use. The sum of all but `total` and `available` is `total`. */
struct quire_usage {
    uint64_t total, free;
    uint64_t anon, file, shmem;          /* on the LRU lists or pinned by an object */
    uint64_t anon_huge;                  /* of anon: mapped by blocks of 2 MiB */
    uint64_t page_tables, slab, kernel;  /* kernel: frame table, boot allocations, the rest */
    uint64_t available;                  /* estimate of what could be had without swapping */
    uint64_t active_anon, inactive_anon, active_file, inactive_file, dirty;
    uint64_t swap_total, swap_free;      /* pages on swap areas */
    uint64_t zswap, zswapped;            /* frames of the store (in kernel); pages in it */
    uint64_t committed;                  /* pages promised to private writable mappings */
    uint64_t commit_limit;               /* how many may be, in mode NEVER */
    uint64_t mlocked;                    /* pages that locked regions keep: on no LRU list */
    uint64_t watermark_min, watermark_low, watermark_high;
    /* The largest value that (anon + shmem + file mapped + swapped + page_tables) ever had: the
     * memory that the programs wanted at once, whatever they got. */
    uint64_t peak_demand;
};
void quire_usage(const struct quire *q, struct quire_usage *usage);

/* Pressure: the share of the last 10, 60 and 300 seconds, in hundredths of a percent, in which a
 * program waited for memory, and the whole time since creation. Waits are: reclaim by the one who
 * needs a frame, swap-in, and reading back file pages of the working set. Running averages as
 * Linux's PSI has them; its "some" and "full" are the same here: nobody else runs during a wait. */
struct quire_pressure {
    uint16_t avg10, avg60, avg300; /* 0 to 10000 */
    uint64_t total_us;
};
void quire_pressure(const struct quire *q, struct quire_pressure *pressure);

/* A hash of every decision taken so far (faults, evictions, I/O, in order). Equal for equal runs.
 */
uint64_t quire_trace_hash(const struct quire *q);

/* Recount everything from the bottom and compare with the fast counters, lists and tables; panics
 * on the first difference. O(frames + regions + pages mapped). For tests and for the suspicious. */
void quire_audit(struct quire *q);

/* Test switches: allocations of frames and kernel objects that fail on purpose. Deterministic; each
 * call replaces what the one before it set. What reclaim needs to make progress never fails.
 *
 * Every nth one; 0: none. An operation that needs n of them fails however often it is tried. */
void quire_fail_every(struct quire *q, uint64_t nth);
/* One in `one_in` (1 to 2^32 - 1) on average, drawn from the seed. */
void quire_fail_random(struct quire *q, uint32_t one_in, uint64_t seed);
/* Number `first` from now on (1 is the next) and those after it, `count` in all; UINT64_MAX: for
 * ever. first UINT64_MAX: none, they are only counted. */
void quire_fail_range(struct quire *q, uint64_t first, uint64_t count);
/* How many were asked for since one of the three was called with a number other than 0. */
uint64_t quire_fail_asked(const struct quire *q);

#endif
