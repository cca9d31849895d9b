/* sizes.c: what the curves say of RAM: how little is enough, and what another policy could save.
 *
 *     --ram M ──less the kernel's, the reserve, code──▶ frames for data ──curve──▶ pages again
 *                                                                                     │
 *     slowdown = 1 + pages again x what one costs / time without waiting  ◀───────────┘
 *
 * The curve is LRU's and the machine's policies are not: they look at accessed bits now and then
 * and evict ahead of need. Against that, each page costs more here than one read does (I1). The
 * other way, pages that are read ahead cost less, and nothing is taken off for that: a size that is
 * named is enough, and hardly one MiB above the smallest that is.
 *
 * I1  A promise is kept: tests/run/promise.sh runs what is promised.
 * I2  Below the size from which on the curve is exact nothing is said to be enough.
 * I3  Where more pages were touched than the curve has room for, one that seems new may have been
 *     there before: it is charged as if it had.
 */
#include "watch/advice.h"

#include <math.h>

#define MIB_PAGES (((uint64_t)1 << 20) >> QUIRE_PAGE_SHIFT)
/* A read of one page from the default machine's disk, and the fault (machine/soft/soft.c), times
 * what policies lose against LRU: up to a third on the programs of tests/run. */
#define AGAIN_NS 107000u
/* Of what the kernel takes, what does not grow with RAM. */
#define KERNEL_PAGES 64u
/* Frames beyond the high watermark that stay free or on their way. */
#define RESERVE   1.5
#define RAM_LEAST ((uint64_t)4) /* MiB: what the command allows */
#define RAM_MOST  ((uint64_t)1 << 20)

/* That of distances.c, min(interval, T), for the spans T. */
double watch_distances_set(const struct watch_distances *d, unsigned i) {
    double sum = (double)d->short_sum, span = (double)watch_distances_span(d, i);
    for (unsigned k = 0; k <= WATCH_SPANS; k++)
        sum += k <= i ? (double)d->span_sum[k] : span * (double)d->span_count[k];
    return sum;
}

/* Pages of code that was run: they are used without being seen (curves.c), so all stay. */
static uint64_t code_pages(const struct watch *watch) {
    uint64_t sum = 0;
    for (unsigned i = 1; i < watch->regions.count; i++) {
        const struct watch_region *row = &watch->regions.rows[i];
        uint64_t faults = row->counts.of[WATCH_MINOR] + row->counts.of[WATCH_MAJOR];
        uint64_t pages = (row->end - row->start) >> QUIRE_PAGE_SHIFT;
        if (row->prot & QUIRE_PROT_EXEC)
            sum += faults < pages ? faults : pages;
    }
    return sum;
}

/* Frames that are left for data with so much RAM. */
static uint32_t data_frames(const struct watch *watch, uint64_t ram_mib) {
    struct quire_usage u;
    quire_usage(watch->quire, &u);
    double ram = (double)(ram_mib * MIB_PAGES), part = ram / (double)u.total;
    double kernel = (double)(u.kernel + u.slab - u.zswap);
    double fixed = kernel < KERNEL_PAGES ? kernel : KERNEL_PAGES;
    double left = ram - fixed - (kernel - fixed) * part -
                  RESERVE * (double)u.watermark_high * sqrt(part) - (double)code_pages(watch);
    return left < 0 ? 0 : left < UINT32_MAX ? (uint32_t)left : UINT32_MAX;
}

/* What the run would have taken without waiting, ns: of all harts together. */
static double work_ns(const struct watch *watch) {
    struct os_summary summary;
    struct quire_soft_counters machine;
    double all = 0;
    os_summary(watch->os, &summary);
    quire_soft_counters(watch->machine, &machine);
    for (unsigned i = 0; i < summary.harts; i++)
        all += (double)(quire_soft_hart_ns(watch->machine, i) -
                        quire_soft_hart_idle_ns(watch->machine, i));
    all -= (double)machine.stall_ns;
    return all > 1 ? all : 1;
}

/* Pages that are brought in again; UINT64_MAX: not known (I2). A page that fork shared is new to
 * the curve when the child first uses it, and is not in fact: where the programs want more than
 * there is, each copy on write may find its page gone. */
static uint64_t again(const struct watch *watch, uint64_t ram_mib) {
    const struct watch_distances *d = &watch->curves.distances;
    struct quire_usage u;
    quire_usage(watch->quire, &u);
    uint32_t frames = data_frames(watch, ram_mib);
    uint64_t copies = frames < u.peak_demand ? quire_counters(watch->quire)->fault_cow : 0;
    return frames < d->reach
               ? UINT64_MAX
               : watch_distances_misses(d, frames) - d->cold + d->unsure /* I3 */ + copies;
}

uint64_t watch_ram_for(const struct watch *watch, double slowdown) {
    uint64_t low = RAM_LEAST, high = RAM_MOST;
    double most = (slowdown - 1) * work_ns(watch) / AGAIN_NS;
    if (watch->curves.distances.broken || watch->oom.happened)
        return 0;
    while (low < high) { /* fewer come again with more RAM */
        uint64_t middle = (low + high) / 2;
        if ((double)again(watch, middle) <= most)
            high = middle;
        else
            low = middle + 1;
    }
    return low < RAM_MOST ? low << 20 : 0;
}

/* A policy can have what lies on a straight line between two points of LRU's curve, by treating a
 * part of the pages as if there were little RAM and the rest as if there were much (Beckmann and
 * Sanchez, "Talus", HPCA 2015). How far the curve is above the lowest such line shows loops that
 * are longer than RAM. */
bool watch_policy_helps(const struct watch *watch, uint64_t *pages, uint64_t *saved) {
    const struct watch_distances *d = &watch->curves.distances;
    struct quire_usage u;
    enum { POINTS = 64 };
    uint64_t misses[POINTS + 1];
    uint32_t sizes[POINTS + 1];
    quire_usage(watch->quire, &u);
    uint32_t now = data_frames(watch, (u.total + MIB_PAGES - 1) / MIB_PAGES);
    *pages = *saved = 0;
    if (d->broken || now <= d->reach || now >= d->deepest)
        return false;
    for (uint32_t i = 0; i <= POINTS; i++) {
        sizes[i] = d->reach + (uint32_t)((uint64_t)(d->deepest - d->reach) * i / POINTS);
        misses[i] = watch_distances_misses(d, sizes[i]) - d->cold;
    }
    *pages = watch_distances_misses(d, now) - d->cold;
    double best = (double)*pages;
    for (unsigned a = 0; a < POINTS; a++) {
        for (unsigned b = a + 1; sizes[a] <= now && b <= POINTS; b++) {
            if (sizes[b] < now)
                continue;
            double part = (double)(now - sizes[a]) / (double)(sizes[b] - sizes[a]);
            double line = (double)misses[a] + part * ((double)misses[b] - (double)misses[a]);
            best = line < best ? line : best;
        }
    }
    *saved = *pages - (uint64_t)best;
    return (double)*pages * AGAIN_NS > work_ns(watch) / 100 && *saved * 5 >= *pages;
}
