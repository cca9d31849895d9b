/* advice.c: the account in words: what cost most, where, and what would help.
 *
 * Each cause has a price in nanoseconds that can be read off the counters; the dearest is the one
 * to talk about, and the function that paid most of it is the one to name:
 *
 *     waiting for pages   wait_ns           thrashing, or reading files
 *     copies on write     2 µs each         a fault and a copy
 *     TLB misses          100 ns each       strided when most lie equally far apart
 *     fresh pages         1 µs each         sparse, a leak, or just much memory
 *
 * Below a hundredth of the run's time nothing is said to be wrong. A function of an allocator is
 * not the one to blame: the first caller outside is (its name is a guess: stack.c).
 *
 * I1  The first line names the function and the cause.
 * I2  What is promised of RAM follows from what was counted: with peak demand, the kernel's share
 *     and the watermarks there is nothing to evict.
 */
#include "watch/advice.h"

#include <stdarg.h>
#include <string.h>

const char *const watch_cause_names[WATCH_CAUSES] = {
    [WATCH_CAUSE_NONE] = "none",          [WATCH_CAUSE_THRASHING] = "thrashing",
    [WATCH_CAUSE_FILES] = "files",        [WATCH_CAUSE_COW] = "copy-on-write storm",
    [WATCH_CAUSE_STRIDE] = "stride",      [WATCH_CAUSE_SCATTER] = "scattered accesses",
    [WATCH_CAUSE_SPARSE] = "sparse",      [WATCH_CAUSE_LEAK] = "leak",
    [WATCH_CAUSE_FRESH] = "fresh memory",
};

#define COPY_NS    2000
#define FRESH_NS   1000
#define WALK_NS    100
#define MIB        ((uint64_t)1 << 20)
#define PAGES_MIB  (MIB >> QUIRE_PAGE_SHIFT)
#define WORTH_1_IN 100 /* of the run's time: less is not worth a word */

__attribute__((format(printf, 2, 3))) static void say(struct watch_advice *advice,
                                                      const char *format, ...) {
    va_list list;
    if (advice->count == WATCH_LINES)
        return;
    va_start(list, format);
    vsnprintf(advice->lines[advice->count++], sizeof advice->lines[0], format, list);
    va_end(list);
}

static double mib(uint64_t pages) {
    return (double)pages / (double)PAGES_MIB;
}

/* ---- whom to name ---------------------------------------------------------------------------- */

static bool is_allocator(const char *name) {
    static const char *const names[] = {
        "malloc",   "calloc",       "realloc", "memset", "memcpy", "_int_malloc", "sysmalloc",
        "__malloc", "operator new", "memmove", "mmap",   "brk",    "sbrk"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return strncmp(name, "__libc_", 7) == 0 || strncmp(name, "_int_", 5) == 0 ||
           strncmp(name, "__mem", 5) == 0 || strncmp(name, "_Zn", 3) == 0 ||
           strncmp(name, "sysmalloc", 9) == 0;
}

static const struct watch_function *most(const struct watch_functions *functions,
                                         enum watch_kind kind) {
    const struct watch_function *best = NULL;
    for (size_t i = 0; i < functions->count; i++) {
        const struct watch_function *row = &functions->rows[i];
        if (row->counts.of[kind] && (!best || row->counts.of[kind] > best->counts.of[kind]))
            best = row;
    }
    return best;
}

/* The function to name for this kind of event: of the dearest path, the innermost that is no
 * allocator. */
static void blame(const struct watch *watch, const struct watch_functions *functions,
                  struct watch_symbols *symbols, enum watch_kind kind,
                  struct watch_advice *advice) {
    const struct watch_sites *sites = &watch->sites;
    const struct watch_function *row = most(functions, kind);
    uint32_t node = 0;
    if (!row)
        return;
    advice->function = row->name;
    advice->file = row->symbol.file;
    advice->line = row->symbol.line;
    if (!is_allocator(row->name))
        return;
    for (uint32_t i = 1; i < sites->nnodes; i++) {
        if (sites->nodes[i].counts.of[kind] > sites->nodes[node].counts.of[kind])
            node = i;
    }
    for (; node; node = sites->nodes[node].parent) {
        struct watch_symbol symbol = watch_symbol_of(symbols, sites->nodes[node].code);
        if (!symbol.function[0] || is_allocator(symbol.function))
            continue;
        advice->function = symbol.function;
        advice->file = symbol.file;
        advice->line = symbol.line;
        return;
    }
}

/* ---- which cause ----------------------------------------------------------------------------- */

/* The mapping with most fresh pages. */
static const struct watch_region *freshest(const struct watch *watch) {
    const struct watch_region *best = &watch->regions.rows[0];
    for (unsigned i = 1; i < watch->regions.count; i++) {
        const struct watch_region *row = &watch->regions.rows[i];
        if (row->counts.of[WATCH_ZERO] > best->counts.of[WATCH_ZERO])
            best = row;
    }
    return best;
}

/* Of the memory that was resident at the end, how much came in the second half of the run, percent;
 * 0 when the most was not at the end. */
static unsigned late_growth(const struct watch_series *series) {
    uint64_t last, most_resident = 0, middle;
    if (series->count < 8)
        return 0;
    for (unsigned i = 0; i < series->count; i++) {
        const uint64_t *level = series->samples[i].level;
        uint64_t now = level[WATCH_RESIDENT] + level[WATCH_SWAPPED];
        most_resident = now > most_resident ? now : most_resident;
    }
    /* The last samples see the program end: before those it must still be growing. */
    const uint64_t *level = series->samples[series->count / 2].level;
    middle = level[WATCH_RESIDENT] + level[WATCH_SWAPPED];
    last = most_resident;
    return last > middle && last > 0 ? (unsigned)(100 * (last - middle) / last) : 0;
}

static enum watch_cause fresh_cause(const struct watch *watch) {
    const struct watch_region *region = freshest(watch);
    uint64_t pages = (region->end - region->start) >> QUIRE_PAGE_SHIFT;
    uint64_t fresh = region->counts.of[WATCH_ZERO];
    if (pages >= 64 * PAGES_MIB && fresh * 20 < pages)
        return WATCH_CAUSE_SPARSE;
    /* Pages that are used again miss the TLB again. */
    bool again = region->counts.of[WATCH_TLB] > 4 * fresh;
    return !again && late_growth(&watch->series) >= 30 ? WATCH_CAUSE_LEAK : WATCH_CAUSE_FRESH;
}

static enum watch_cause find_cause(const struct watch *watch,
                                   const struct watch_functions *functions) {
    const struct watch_counts *t = &watch->totals;
    const struct watch_function *misser = most(functions, WATCH_TLB);
    uint64_t walks = misser ? WALK_NS * misser->counts.of[WATCH_TLB] : 0;
    uint64_t costs[] = {t->of[WATCH_WAIT_NS], COPY_NS * t->of[WATCH_COW], walks,
                        FRESH_NS * t->of[WATCH_ZERO]};
    unsigned dearest = 0;
    for (unsigned i = 1; i < 4; i++)
        dearest = costs[i] > costs[dearest] ? i : dearest;
    if (costs[dearest] * WORTH_1_IN < quire_mach_now_ns(watch->machine))
        return WATCH_CAUSE_NONE;
    switch (dearest) {
    case 0:
        return t->of[WATCH_SWAP_IN] > 0 ? WATCH_CAUSE_THRASHING : WATCH_CAUSE_FILES;
    case 1:
        return WATCH_CAUSE_COW;
    case 2:
        return misser->site_strided > misser->site_misses / 2 &&
                       (misser->stride >= (int64_t)QUIRE_PAGE_SIZE ||
                        misser->stride <= -(int64_t)QUIRE_PAGE_SIZE)
                   ? WATCH_CAUSE_STRIDE
                   : WATCH_CAUSE_SCATTER;
    default:
        return fresh_cause(watch);
    }
}

/* ---- the words ------------------------------------------------------------------------------- */

static const enum watch_kind kind_of[WATCH_CAUSES] = {
    [WATCH_CAUSE_THRASHING] = WATCH_WAIT_NS, [WATCH_CAUSE_FILES] = WATCH_WAIT_NS,
    [WATCH_CAUSE_COW] = WATCH_COW,           [WATCH_CAUSE_STRIDE] = WATCH_TLB,
    [WATCH_CAUSE_SCATTER] = WATCH_TLB,       [WATCH_CAUSE_SPARSE] = WATCH_ZERO,
    [WATCH_CAUSE_LEAK] = WATCH_ZERO,         [WATCH_CAUSE_FRESH] = WATCH_ZERO,
};

/* Of TLB misses and of fresh pages. */
static void say_touches(const struct watch *watch, const struct watch_functions *functions,
                        struct watch_advice *advice, const char *who) {
    const struct watch_region *region = freshest(watch);
    const struct watch_function *misser = most(functions, WATCH_TLB);
    const struct watch_counts *t = &watch->totals;
    switch (advice->cause) {
    case WATCH_CAUSE_STRIDE:
        say(advice,
            "%s: a strided walk. Most of its %llu TLB misses lie %lld bytes apart: each "
            "access is on another page.",
            who, (unsigned long long)misser->counts.of[WATCH_TLB], (long long)misser->stride);
        say(advice, "Walk in the order that memory has (exchange the loops, or work in blocks); "
                    "--thp always shows what 2 MiB pages would save.");
        break;
    case WATCH_CAUSE_SCATTER:
        say(advice, "%s: scattered accesses. It missed the TLB %llu times, without a pattern.", who,
            (unsigned long long)misser->counts.of[WATCH_TLB]);
        say(advice, "Keep together what is used together; --thp always shows what 2 MiB pages "
                    "would save.");
        break;
    case WATCH_CAUSE_SPARSE:
        say(advice,
            "%s: a huge sparse array. %llu pages were touched of a mapping of %.0f MiB, a "
            "fresh one each time.",
            who, (unsigned long long)region->counts.of[WATCH_ZERO],
            mib((region->end - region->start) >> QUIRE_PAGE_SHIFT));
        say(advice, "A hash table or a tree of the keys that exist would need a page for many of "
                    "them, and no page table for each.");
        break;
    case WATCH_CAUSE_LEAK:
        say(advice,
            "%s: this looks like a leak. %.1f MiB of fresh memory, more to the very end, and "
            "hardly a page of it is touched again.",
            who, mib(region->counts.of[WATCH_ZERO]));
        say(advice, "If what it allocates is not needed any more, free it.");
        break;
    default:
        say(advice,
            "%s: a fault storm on fresh memory. %llu pages (%.1f MiB) were touched for the "
            "first time.",
            who, (unsigned long long)t->of[WATCH_ZERO], mib(t->of[WATCH_ZERO]));
        say(advice, "Use memory again instead of giving it back and asking for more; --thp always "
                    "makes 512 such faults one.");
    }
}

static void say_cause(const struct watch *watch, const struct watch_functions *functions,
                      struct watch_advice *advice) {
    const struct watch_counts *t = &watch->totals;
    uint64_t now = quire_mach_now_ns(watch->machine);
    double waited = now ? 100.0 * (double)t->of[WATCH_WAIT_NS] / (double)now : 0;
    char who[200], place[120] = "";
    const char *slash = strrchr(advice->file, '/');
    if (advice->line > 0)
        snprintf(place, sizeof place, " (%.90s:%d)", slash ? slash + 1 : advice->file,
                 advice->line);
    snprintf(who, sizeof who, "%.79s%s", advice->function, place);
    switch (advice->cause) {
    case WATCH_CAUSE_THRASHING:
        say(advice,
            "%s: thrashing. It waits for pages that it had before: %.1f MiB came back from "
            "swap, and waiting took %.0f %% of the run.",
            who, mib(t->of[WATCH_SWAP_IN]), waited);
        say(advice,
            "Give it the RAM named below, or let it work on one part of its data at a time, "
            "all that is to be done with it at once.");
        break;
    case WATCH_CAUSE_FILES:
        say(advice,
            "%s: waiting for files. %.1f MiB were read into the page cache, and waiting "
            "took %.0f %% of the run.",
            who, mib(t->of[WATCH_FILE_IN]), waited);
        say(advice, "Read what is needed once and in order; madvise(MADV_WILLNEED) reads ahead.");
        break;
    case WATCH_CAUSE_COW:
        say(advice,
            "%s: a copy-on-write storm after fork. %llu pages (%.1f MiB) were copied "
            "because parent and child both had them when one wrote.",
            who, (unsigned long long)t->of[WATCH_COW], mib(t->of[WATCH_COW]));
        say(advice, "Fork before the memory is filled, use threads or posix_spawn, or keep what is "
                    "written apart from what is shared.");
        break;
    case WATCH_CAUSE_NONE:
        say(advice, "Nothing to mend: memory cost less than 1 %% of the run.");
        break;
    default:
        say_touches(watch, functions, advice, who);
    }
}

static void say_ram(const struct watch *watch, struct watch_advice *advice) {
    struct quire_usage u;
    quire_usage(watch->quire, &u);
    uint64_t need = u.peak_demand + u.kernel + u.slab + u.page_tables + 2 * u.watermark_high;
    advice->enough_bytes = ((need + PAGES_MIB - 1) / PAGES_MIB) * MIB;
    say(advice,
        "The programs wanted %.1f MiB at once; the machine had %.1f MiB, %.1f of it for "
        "itself. With --ram %lluM nobody would have waited for swap.",
        mib(u.peak_demand), mib(u.total), mib(u.kernel + u.slab),
        (unsigned long long)(advice->enough_bytes / MIB));
}

const double watch_promises[WATCH_PROMISES] = {1.05, 1.25, 2.0};

/* What the order of accesses says (sizes.c). It errs upward, but nobody needs more than all. */
static void say_sizes(const struct watch *watch, struct watch_advice *advice) {
    uint64_t pages, saved;
    for (unsigned i = 0; i < WATCH_PROMISES; i++) {
        uint64_t bytes = watch_ram_for(watch, watch_promises[i]);
        advice->ram_bytes[i] = bytes < advice->enough_bytes ? bytes : advice->enough_bytes;
    }
    if (advice->ram_bytes[0])
        say(advice,
            "For want of memory it is at most 5 %% slower with --ram %lluM, 25 %% with %lluM, and "
            "twice as slow with %lluM.",
            (unsigned long long)(advice->ram_bytes[0] / MIB),
            (unsigned long long)(advice->ram_bytes[1] / MIB),
            (unsigned long long)(advice->ram_bytes[2] / MIB));
    if (watch->curves.distances.forgotten)
        say(advice,
            "More than %u GiB of pages were touched: one that came back after so many others "
            "counts as new in the curve, and sizes of RAM are named with that in mind, or not.",
            (unsigned)((uint64_t)WATCH_PAGES >> (30 - QUIRE_PAGE_SHIFT)));
    if (watch_policy_helps(watch, &pages, &saved))
        say(advice,
            "It goes round in more pages than it has: LRU brings %llu in again, and a policy that "
            "resists loops (sieve, arc, s3fifo) could keep %llu of them. quire sweep --policy all "
            "shows which does.",
            (unsigned long long)pages, (unsigned long long)saved);
}

/* After a kill nobody knows how much more was wanted: the next size to try is a guess, and said to
 * be one. */
static void say_kill(const struct watch *watch, struct watch_advice *advice) {
    const struct watch_oom *oom = &watch->oom;
    const struct quire_usage *u = &oom->usage;
    char swap[64] = "there was no swap";
    if (u->swap_total)
        snprintf(swap, sizeof swap, "%.1f of %.1f MiB of swap were free", mib(u->swap_free),
                 mib(u->swap_total));
    say(advice,
        "Killed for want of memory at %.3f s: %s (process %d). Programs had %.1f MiB of the "
        "machine's %.1f MiB, and %s.",
        (double)oom->at_ns / 1e9, oom->name, oom->pid, mib(u->anon + u->shmem), mib(u->total),
        swap);
    say(advice,
        "How much more it wanted is not known: try --ram %.0fM, or --swap %.0fM to see it run on.",
        2 * mib(u->total), 4 * mib(u->total));
}

void watch_advise(const struct watch *watch, const struct watch_functions *functions,
                  struct watch_symbols *symbols, struct watch_advice *advice) {
    *advice = (struct watch_advice){.function = "", .file = ""};
    advice->cause = find_cause(watch, functions);
    if (advice->cause != WATCH_CAUSE_NONE) {
        blame(watch, functions, symbols, kind_of[advice->cause], advice);
        if (!advice->function[0]) /* all of it in the background */
            advice->function = "the kernel";
    }
    say_cause(watch, functions, advice); /* I1 */
    if (watch->oom.happened) {
        say_kill(watch, advice);
    } else {
        say_ram(watch, advice);
        say_sizes(watch, advice);
    }
}
