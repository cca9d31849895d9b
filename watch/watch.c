/* watch.c: the ears of the room: what happened, to whom, by which instruction.
 *
 *     machine (TLB misses, faults) ──┐                  ┌─▶ series   figures over time
 *     kernel (calls, turns, kills) ──┴─▶ watch.c ───────┼─▶ grid     address against time
 *                                         │ difference  ├─▶ regions  mappings
 *                     manager's counters ─┘             └─▶ sites    call paths, instructions
 *
 * The manager counts everything already. So an event is not described anew: its costs are the
 * difference of those counters between its beginning and its end, and belong to the call path that
 * caused it. What the counters gained between two events was done in the background, for nobody.
 *
 * A system call is an event of its own: a read() may fill the page cache, fault in its buffer and
 * wait, and the caller should hear of it.
 *
 * Invariants:
 *   I1  totals + background = the manager's counters; what was before the watch is background.
 *   I2  Nothing of the machine is changed: all that is asked of it is const, or a peek.
 *   I3  Mappings change in calls and faults and between turns; no miss waits for so long to be
 *       accounted for.
 *
 * What may fail: creation. Called by the machine and the kernel through their hooks; read by
 * json.c. Audited by tests/watch.
 */
#include "watch/account.h"

#include <quire/space.h>

#include <stdlib.h>
#include <string.h>

const char *const watch_kind_names[WATCH_KINDS] = {
    [WATCH_MINOR] = "minor_faults",
    [WATCH_MAJOR] = "major_faults",
    [WATCH_ZERO] = "fresh_pages",
    [WATCH_COW] = "copied_pages",
    [WATCH_SWAP_IN] = "swapped_in_pages",
    [WATCH_SWAP_OUT] = "swapped_out_pages",
    [WATCH_FILE_IN] = "file_in_pages",
    [WATCH_REFAULT] = "refaulted_pages",
    [WATCH_DIRECT] = "direct_reclaimed_pages",
    [WATCH_WAIT_NS] = "wait_ns",
    [WATCH_TLB] = "tlb_misses",
};

/* ---- the counters -------------------------------------------------------------------------- */

/* All but TLB, which is counted as it happens. */
static void look(const struct watch *watch, struct watch_counts *now) {
    const struct quire_counters *c = quire_counters(watch->quire);
    struct quire_soft_counters machine;
    quire_soft_counters(watch->machine, &machine);
    *now = (struct watch_counts){{
        [WATCH_MINOR] = c->pgfault - c->pgmajfault,
        [WATCH_MAJOR] = c->pgmajfault,
        [WATCH_ZERO] = c->fault_zero,
        [WATCH_COW] = c->fault_cow,
        [WATCH_SWAP_IN] = c->pswpin,
        [WATCH_SWAP_OUT] = c->pswpout,
        [WATCH_FILE_IN] = c->file_in,
        [WATCH_REFAULT] = c->workingset_refault_anon + c->workingset_refault_file,
        [WATCH_DIRECT] = c->pgsteal_direct,
        [WATCH_WAIT_NS] = machine.stall_ns,
    }};
}

/* What was gained since the last look; the look is taken. A counter may go back by a page at a time
 * (a fault that turns out major was first minor), never below what it was at the last look. */
static struct watch_counts gained(struct watch *watch) {
    struct watch_counts now, difference = {{0}};
    look(watch, &now);
    for (unsigned i = 0; i < WATCH_TLB; i++)
        difference.of[i] = now.of[i] - watch->before.of[i];
    watch->before = now;
    return difference;
}

/* ---- spaces ---------------------------------------------------------------------------------- */

static uint32_t space_number(struct watch *watch, const struct quire_space *space) {
    if (watch->spaces[watch->last_space].space == space)
        return watch->last_space;
    for (uint32_t i = watch->nspaces; i-- > 1;) {
        if (watch->spaces[i].space == space)
            return watch->last_space = i;
    }
    if (watch->nspaces == WATCH_SPACES)
        return 0;
    struct watch_space *row = &watch->spaces[watch->nspaces];
    *row = (struct watch_space){.space = space, .begin_ns = quire_mach_now_ns(watch->machine)};
    if (!os_space_process(watch->os, space, &row->pid, row->name))
        row->name[0] = '\0';
    return watch->last_space = watch->nspaces++;
}

/* ---- events ---------------------------------------------------------------------------------- */

static bool nothing(const struct watch_counts *counts) {
    uint64_t any = 0;
    for (unsigned i = 0; i < WATCH_KINDS; i++)
        any |= counts->of[i];
    return any == 0;
}

/* Costs of an event, to all who pay. va 0: no page in particular. */
static void charge(struct watch *watch, struct quire_space *space, uint64_t va, uint64_t pc,
                   const uint64_t *x, const struct watch_counts *costs) {
    struct watch_code path[WATCH_DEPTH];
    uint32_t number = space_number(watch, space);
    unsigned depth = watch_stack(&watch->codes, &watch->sites, space, pc, x, path);
    watch_add(&watch_node_of(&watch->sites, path, depth)->counts, costs);
    watch_add(&watch->spaces[number].counts, costs);
    watch_add(&watch->totals, costs);
    if (va) {
        watch_add(&watch_region_of(&watch->regions, number, space, va)->counts, costs);
        watch_grid_add(&watch->grid, number, va, quire_mach_now_ns(watch->machine), 1);
    }
}

/* Misses that were remembered become figures. gone: the space that ends, whose mappings nobody can
 * ask for any more; NULL: none does. */
static void charge_misses(struct watch *watch, const struct quire_space *gone) {
    for (unsigned i = 0; i < watch->nmisses; i++) {
        const struct watch_miss *miss = &watch->misses[i];
        uint32_t number = space_number(watch, miss->space);
        struct watch_region *region = &watch->regions.rows[0];
        struct watch_site *site;
        if (miss->space == gone) {
            site = watch_site_of(&watch->sites, (struct watch_code){0, miss->pc});
        } else {
            region = watch_region_of(&watch->regions, number, miss->space, miss->va);
            site = watch_misser(&watch->codes, &watch->sites, miss->space, miss->pc);
        }
        watch->spaces[number].counts.of[WATCH_TLB]++;
        region->counts.of[WATCH_TLB]++;
        watch_grid_add(&watch->grid, number, miss->va, miss->now_ns, 1);
        watch_site_miss(&watch->sites, site, miss->va);
    }
    watch->totals.of[WATCH_TLB] += watch->nmisses;
    watch->nmisses = 0;
}

/* Comes a hundred times as often as faults, and from programs that use so much memory that the
 * host's cache has none of what is kept here. So misses are only noted, and accounted for when
 * there are many, or something else happens (I3). */
static void missed(void *context, const struct quire_soft_access *access) {
    struct watch *watch = context;
    uint64_t now = quire_mach_now_ns(watch->machine);
    watch->misses[watch->nmisses++] =
        (struct watch_miss){access->space, access->va, access->pc, now};
    if (watch->nmisses == WATCH_MISSES)
        charge_misses(watch, NULL);
}

/* Code and mappings may lie elsewhere from now on. */
static void forget_places(struct watch *watch) {
    watch_codes_forget(&watch->codes);
    watch_regions_forget(&watch->regions);
}

static void space_ends(void *context, const struct quire_space *space) {
    struct watch *watch = context;
    charge_misses(watch, space); /* none, unless the program was killed in its turn */
    for (uint32_t i = 1; i < watch->nspaces; i++) {
        if (watch->spaces[i].space != space)
            continue;
        watch->spaces[i].space = NULL;
        watch->spaces[i].end_ns = quire_mach_now_ns(watch->machine);
    }
    watch_curves_space_ends(&watch->curves, space);
    forget_places(watch);
}

/* I1: whatever was gained since the last event is nobody's. */
static void begin(struct watch *watch) {
    struct watch_counts past = gained(watch);
    charge_misses(watch, NULL);
    watch_add(&watch->background, &past);
}

static void fault_begins(void *context) {
    begin(context);
}

static void fault_ends(void *context, const struct quire_soft_access *access) {
    struct watch *watch = context;
    struct watch_counts costs = gained(watch);
    charge(watch, access->space, access->va, access->pc, access->x, &costs);
}

/* Calls of Linux that may put other code where some was. What the call maps in a free place is
 * found when it is first run. */
static bool may_move_code(const struct quire_cpu *cpu) {
    enum { SHMAT = 196, SHMDT, MUNMAP = 215, MREMAP, EXECVE = 221, MMAP, MPROTECT = 226 };
    enum { EXECVEAT = 281, MAP_FIXED = 0x10 };
    switch (cpu->x[17]) { /* a7 */
    case MMAP:
        return cpu->x[13] & MAP_FIXED; /* a3 */
    case SHMAT:
    case SHMDT:
    case MUNMAP:
    case MREMAP:
    case EXECVE:
    case EXECVEAT:
    case MPROTECT:
        return true;
    default:
        return false;
    }
}

static void call_begins(void *context, struct quire_space *space, const struct quire_cpu *cpu) {
    struct watch *watch = context;
    begin(watch);
    if (may_move_code(cpu))
        forget_places(watch);
    watch->call.space = space;
    watch->call.pc = cpu->pc;
    memcpy(watch->call.x, cpu->x, sizeof watch->call.x);
}

static void call_ends(void *context, struct quire_space *space) {
    struct watch *watch = context;
    struct watch_counts costs = gained(watch);
    if (!nothing(&costs) && space == watch->call.space && space)
        charge(watch, space, 0, watch->call.pc, watch->call.x, &costs);
    else
        watch_add(&watch->background, &costs);
    if (space == watch->call.space && space)
        watch_curves_called(&watch->curves, space, watch->call.x);
}

static uint32_t page_enters(void *context, uint64_t page, uint64_t time) {
    return watch_curves_enter(&((struct watch *)context)->curves, page, time);
}

static void page_leaves(void *context, uint32_t number, uint64_t last) {
    watch_curves_leave(&((struct watch *)context)->curves, number, last);
}

static void page_touched(void *context, uint64_t page, uint64_t time) {
    watch_curves_touch(&((struct watch *)context)->curves, page, time);
}

static void copied(void *context, struct quire_space *space, uint64_t va, size_t nbytes) {
    watch_curves_copied(&((struct watch *)context)->curves, space, va, nbytes);
}

static void sample(struct watch *watch) {
    struct quire_usage u;
    quire_usage(watch->quire, &u);
    const struct quire_counters *c = quire_counters(watch->quire);
    struct quire_soft_counters machine;
    quire_soft_counters(watch->machine, &machine);
    uint64_t levels[WATCH_LEVELS] = {
        [WATCH_RESIDENT] = u.anon + u.shmem + u.file,
        [WATCH_CACHE] = u.file,
        [WATCH_SWAPPED] = u.swap_total - u.swap_free + u.zswapped,
        [WATCH_FREE] = u.free,
    };
    uint64_t totals[WATCH_RATES] = {
        [WATCH_R_MINOR] = c->pgfault - c->pgmajfault,
        [WATCH_R_MAJOR] = c->pgmajfault,
        [WATCH_R_TLB] = machine.tlb_misses,
        [WATCH_R_RECLAIM] = c->pgsteal_kswapd + c->pgsteal_direct,
        [WATCH_R_SWAP_IN] = c->pswpin,
        [WATCH_R_SWAP_OUT] = c->pswpout,
        [WATCH_R_WAIT_NS] = machine.stall_ns,
    };
    watch_series_add(&watch->series, quire_mach_now_ns(watch->machine), levels, totals);
}

static void turn_ends(void *context) {
    struct watch *watch = context;
    charge_misses(watch, NULL);
    if (quire_mach_now_ns(watch->machine) >= watch->series.next_ns)
        sample(watch);
}

static void oom(void *context, int pid, const char *name, const char *why) {
    struct watch *watch = context;
    struct watch_oom *oom = &watch->oom;
    oom->happened = true;
    if (oom->times < WATCH_VICTIMS) {
        struct watch_victim *victim = &oom->victims[oom->times];
        *victim = (struct watch_victim){.pid = pid, .at_ns = quire_mach_now_ns(watch->machine)};
        snprintf(victim->name, sizeof victim->name, "%s", name);
    }
    oom->times++;
    oom->pid = pid;
    oom->at_ns = quire_mach_now_ns(watch->machine);
    snprintf(oom->name, sizeof oom->name, "%s", name);
    snprintf(oom->why, sizeof oom->why, "%s", why);
    quire_usage(watch->quire, &oom->usage);
    sample(watch);
}

void watch_finish(struct watch *watch) {
    begin(watch);
    sample(watch);
    watch_curves_finish(&watch->curves);
}

/* ---- up and down ----------------------------------------------------------------------------- */

struct watch *watch_create(struct os *os) {
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return NULL;
    watch->os = os;
    watch->quire = os_quire(os);
    watch->machine = os_machine(os);
    watch->nspaces = 1;
    watch_series_begin(&watch->series);
    watch_grid_begin(&watch->grid);
    watch_regions_begin(&watch->regions);
    watch_sites_begin(&watch->sites);
    if (!watch_curves_begin(&watch->curves, watch->machine)) {
        watch_sites_end(&watch->sites);
        free(watch);
        return NULL;
    }
    struct quire_soft_watch soft = {.context = watch,
                                    .missed = missed,
                                    .fault_begins = fault_begins,
                                    .fault_ends = fault_ends,
                                    .space_ends = space_ends,
                                    .page_enters = page_enters,
                                    .page_leaves = page_leaves,
                                    .page_touched = page_touched};
    struct os_watch kernel = {.context = watch,
                              .call_begins = call_begins,
                              .call_ends = call_ends,
                              .turn_ends = turn_ends,
                              .oom = oom,
                              .copied = copied};
    quire_soft_watch(watch->machine, &soft);
    os_watch(os, &kernel);
    return watch;
}

void watch_destroy(struct watch *watch) {
    if (!watch)
        return;
    quire_soft_watch(watch->machine, NULL);
    os_watch(watch->os, NULL);
    watch_sites_end(&watch->sites);
    watch_curves_end(&watch->curves);
    free(watch);
}
