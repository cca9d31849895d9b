/* vm.c: what the memory manager's operations cost in the core, without processor and system calls.
 *
 * Each row: median of several repetitions, nanoseconds of this thread's CPU time for one operation.
 * The machine is the software machine, so "zero a frame" and "copy a frame" are the host's memory.
 *
 *   vm [repetitions] [only rows with this in their name]
 *   vm curves            how the cost grows with 10 to 10^6 regions, 10 to 10^4 processes
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <quire/quire.h>
#include <quire/space.h>

#include "base/checksum.h"
#include "machine/soft/soft.h"
#include "reclaim/reclaim.h"
#include "vm/vm.h"

#define MIB             ((uint64_t)1 << 20)
#define PAGE            QUIRE_PAGE_SIZE
#define WORK_PAGES      ((uint64_t)8192) /* 32 MiB */
#define SMALL_OPS       20000
#define MAX_REPETITIONS 101
#define RW              (QUIRE_PROT_READ | QUIRE_PROT_WRITE)

struct bench {
    struct quire_machine *machine;
    struct quire *q;
    struct quire_space *space, *child;
    uint64_t va;
};

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void must(enum quire_status status, const char *what) {
    if (status != QUIRE_OK) {
        fprintf(stderr, "bench vm: %s: %s\n", what, quire_status_name(status));
        exit(1);
    }
}

static void open_bench(struct bench *b) {
    struct quire_soft_config soft = {.ram_bytes = 256 * MIB, .swap_bytes = {256 * MIB}, .seed = 1};
    must(quire_soft_create(&soft, &b->machine), "machine");
    struct quire_config config = {.machine = b->machine, .swappiness = 60};
    must(quire_create(&config, &b->q), "create");
    must(quire_swapon(b->q, 0, 0), "swapon");
    struct quire_space_config space = {.low = quire_va(0x10000),
                                       .high = quire_va((uint64_t)1 << 38),
                                       .map_top = quire_va(((uint64_t)1 << 38) - 64 * MIB),
                                       .stack_limit_bytes = 8 * MIB,
                                       .stack_gap_bytes = MIB};
    must(quire_space_create(b->q, &space, &b->space), "space");
}

static uint64_t map_pages(struct bench *b, uint64_t npages) {
    quire_vaddr va = quire_va(0);
    must(quire_map(b->space, &va, npages * PAGE, RW, 0, NULL, 0), "map");
    return va.value;
}

static double touch(struct bench *b, struct quire_space *space, enum quire_access access) {
    double start = now_ns();
    for (uint64_t i = 0; i < WORK_PAGES; i++) {
        must(quire_fault(space, quire_va(b->va + i * PAGE), access), "fault");
    }
    return (now_ns() - start) / WORK_PAGES;
}

static double unmap_work(struct bench *b) {
    double start = now_ns();
    must(quire_unmap(b->space, quire_va(b->va), WORK_PAGES * PAGE), "unmap");
    return (now_ns() - start) / WORK_PAGES;
}

/* Map the work area and write each page: the time for it. */
static double fill(struct bench *b) {
    b->va = map_pages(b, WORK_PAGES);
    return touch(b, b->space, QUIRE_ACCESS_WRITE);
}

static void fork_child(struct bench *b) {
    must(quire_space_fork(b->space, NULL, &b->child), "fork");
}

/* ---- the rows -------------------------------------------------------------------------------- */

/* The part of a fault that is the hardware's: zero frames that are not in the cache. */
static double zero_frames(struct bench *b) {
    double start = now_ns();
    for (uint32_t i = 0; i < WORK_PAGES; i++) {
        quire_mach_zero(b->machine, (quire_frame){40000 + i});
    }
    return (now_ns() - start) / WORK_PAGES;
}

static double write_fault(struct bench *b) {
    double each = fill(b);
    unmap_work(b);
    return each;
}

/* The same over frames that are in the processor's cache: 64 pages, given back and touched again.
 */
static double write_fault_hot(struct bench *b) {
    enum { PAGES = 64, ROUNDS = 200 };
    double spent = 0;
    b->va = map_pages(b, PAGES);
    for (unsigned round = 0; round < ROUNDS; round++) {
        double start = now_ns();
        for (uint64_t i = 0; i < PAGES; i++) {
            must(quire_fault(b->space, quire_va(b->va + i * PAGE), QUIRE_ACCESS_WRITE), "fault");
        }
        spent += now_ns() - start;
        must(quire_advise(b->space, quire_va(b->va), PAGES * PAGE, QUIRE_ADVISE_DONTNEED), "drop");
    }
    must(quire_unmap(b->space, quire_va(b->va), PAGES * PAGE), "unmap");
    return spent / (PAGES * ROUNDS);
}

/* The work area by blocks of 2 MiB: a fault for each, the price of each page told. The area begins
 * where a block does. */
static double fill_blocks(struct bench *b) {
    enum { BLOCK_PAGES = 512 };
    b->va = map_pages(b, WORK_PAGES + BLOCK_PAGES);
    uint64_t first = (b->va + BLOCK_PAGES * PAGE - 1) & ~(BLOCK_PAGES * PAGE - 1);
    quire_set_thp(b->q, QUIRE_THP_ALWAYS);
    double start = now_ns();
    for (uint64_t i = 0; i < WORK_PAGES; i += BLOCK_PAGES) {
        must(quire_fault(b->space, quire_va(first + i * PAGE), QUIRE_ACCESS_WRITE), "fault");
    }
    double each = (now_ns() - start) / WORK_PAGES;
    quire_set_thp(b->q, QUIRE_THP_NEVER);
    return each;
}

static double write_fault_blocks(struct bench *b) {
    double each = fill_blocks(b);
    must(quire_unmap(b->space, quire_va(b->va), (WORK_PAGES + 512) * PAGE), "unmap");
    return each;
}

static double unmap_blocks(struct bench *b) {
    fill_blocks(b);
    double start = now_ns();
    must(quire_unmap(b->space, quire_va(b->va), (WORK_PAGES + 512) * PAGE), "unmap");
    return (now_ns() - start) / WORK_PAGES;
}

static double read_fault(struct bench *b) {
    b->va = map_pages(b, WORK_PAGES);
    double each = touch(b, b->space, QUIRE_ACCESS_READ);
    unmap_work(b);
    return each;
}

static double unmap_touched(struct bench *b) {
    fill(b);
    return unmap_work(b);
}

static double fork_each(struct bench *b) {
    fill(b);
    double start = now_ns();
    fork_child(b);
    double each = (now_ns() - start) / WORK_PAGES;
    quire_space_destroy(b->child);
    unmap_work(b);
    return each;
}

static double exit_child(struct bench *b) {
    fill(b);
    fork_child(b);
    touch(b, b->child, QUIRE_ACCESS_READ);
    double start = now_ns();
    quire_space_destroy(b->child);
    double each = (now_ns() - start) / WORK_PAGES;
    unmap_work(b);
    return each;
}

static double refill_child(struct bench *b) {
    fill(b);
    fork_child(b);
    double each = touch(b, b->child, QUIRE_ACCESS_READ);
    quire_space_destroy(b->child);
    unmap_work(b);
    return each;
}

static double copy_on_write(struct bench *b) {
    fill(b);
    fork_child(b);
    double each = touch(b, b->child, QUIRE_ACCESS_WRITE);
    quire_space_destroy(b->child);
    unmap_work(b);
    return each;
}

static double write_again(struct bench *b) {
    fill(b);
    fork_child(b);
    quire_space_destroy(b->child);
    double each = touch(b, b->space, QUIRE_ACCESS_WRITE);
    unmap_work(b);
    return each;
}

static double evict_all(struct bench *b) {
    double start = now_ns();
    for (uint64_t i = 0; i < WORK_PAGES; i++) {
        quire_reclaim_page(b->q, quire_vm_page_at(b->space, quire_va(b->va + i * PAGE)));
    }
    return (now_ns() - start) / WORK_PAGES;
}

static double evict_dirty(struct bench *b) {
    fill(b);
    double each = evict_all(b);
    unmap_work(b);
    return each;
}

static double swap_in(struct bench *b) {
    fill(b);
    evict_all(b);
    double each = touch(b, b->space, QUIRE_ACCESS_READ);
    unmap_work(b);
    return each;
}

static double evict_clean(struct bench *b) {
    fill(b);
    evict_all(b);
    touch(b, b->space, QUIRE_ACCESS_READ);
    double each = evict_all(b);
    unmap_work(b);
    return each;
}

static double map_unmap(struct bench *b) {
    double start = now_ns();
    for (unsigned i = 0; i < SMALL_OPS; i++) {
        uint64_t va = map_pages(b, 1);
        must(quire_unmap(b->space, quire_va(va), PAGE), "unmap");
    }
    return (now_ns() - start) / SMALL_OPS;
}

/* The same with ten thousand regions there, none of which can be merged. */
static double map_unmap_crowded(struct bench *b) {
    enum { REGIONS = 10000 };
    uint64_t base = 0x10000000;
    for (unsigned i = 0; i < REGIONS; i++) {
        quire_vaddr va = quire_va(base + i * 2 * PAGE);
        must(quire_map(b->space, &va, PAGE, RW, QUIRE_MAP_FIXED, NULL, 0), "map");
    }
    double each = map_unmap(b);
    must(quire_unmap(b->space, quire_va(base), REGIONS * 2 * PAGE), "unmap");
    return each;
}

static double map_touch_unmap(struct bench *b) {
    double start = now_ns();
    for (unsigned i = 0; i < SMALL_OPS; i++) {
        uint64_t va = map_pages(b, 1);
        must(quire_fault(b->space, quire_va(va), QUIRE_ACCESS_WRITE), "fault");
        must(quire_unmap(b->space, quire_va(va), PAGE), "unmap");
    }
    return (now_ns() - start) / SMALL_OPS;
}

static double split_merge(struct bench *b) {
    uint64_t va = map_pages(b, 3);
    double start = now_ns();
    for (unsigned i = 0; i < SMALL_OPS; i++) {
        unsigned prot = i % 2 ? RW : QUIRE_PROT_READ;
        must(quire_protect(b->space, quire_va(va + PAGE), PAGE, prot), "protect");
    }
    double each = (now_ns() - start) / SMALL_OPS;
    must(quire_unmap(b->space, quire_va(va), 3 * PAGE), "unmap");
    return each;
}

static double remap_64(struct bench *b) {
    enum { MOVES = 500, PAGES = 64 };
    uint64_t va = map_pages(b, PAGES);
    for (unsigned i = 0; i < PAGES; i++) {
        must(quire_fault(b->space, quire_va(va + i * PAGE), QUIRE_ACCESS_WRITE), "fault");
    }
    double start = now_ns();
    for (unsigned i = 0; i < MOVES; i++) {
        quire_vaddr to = quire_va((uint64_t)0x20000000 + i % 2 * MIB);
        must(quire_remap(b->space, quire_va(va), PAGES * PAGE, PAGES * PAGE,
                         QUIRE_REMAP_MAY_MOVE | QUIRE_REMAP_FIXED, &to),
             "remap");
        va = to.value;
    }
    double each = (now_ns() - start) / MOVES;
    must(quire_unmap(b->space, quire_va(va), PAGES * PAGE), "unmap");
    return each;
}

/* What seals a page on its way to swap. */
static double seal_page(struct bench *b) {
    static unsigned char page[PAGE] __attribute__((aligned(64)));
    uint64_t sum = 0;
    (void)b;
    double start = now_ns();
    for (unsigned i = 0; i < SMALL_OPS; i++) {
        sum = quire_checksum(page, PAGE, sum);
    }
    *(volatile unsigned char *)page = (unsigned char)(sum & 1);
    return (now_ns() - start) / SMALL_OPS;
}

static const struct row {
    const char *name;
    double (*measure)(struct bench *b);
} rows[] = {
    {"zero a frame (the machine's)", zero_frames},
    {"anonymous write fault", write_fault},
    {"the same, frames in cache", write_fault_hot},
    {"the same by 2 MiB, per page", write_fault_blocks},
    {"anonymous read fault", read_fault},
    {"unmap, per touched page", unmap_touched},
    {"the same, mapped by 2 MiB", unmap_blocks},
    {"fork, per page", fork_each},
    {"child exits, per mapped page", exit_child},
    {"refill after fork", refill_child},
    {"copy on write", copy_on_write},
    {"write by the last owner", write_again},
    {"evict a dirty page", evict_dirty},
    {"its checksum", seal_page},
    {"swap in", swap_in},
    {"evict a clean page", evict_clean},
    {"map + unmap", map_unmap},
    {"map + unmap, 10000 regions", map_unmap_crowded},
    {"map + touch + unmap", map_touch_unmap},
    {"protect: split or merge", split_merge},
    {"move 64 pages", remap_64},
};

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* ---- curves: what must not grow faster than the logarithm ------------------------------------ */

/* A region among as many others, none of which can be merged: mapped, found, taken away. */
static void regions_curve(struct bench *b) {
    const uint64_t base = (uint64_t)1 << 34;
    unsigned there = 0;
    uint64_t random = 1;
    must(quire_set_max_regions(b->q, 2000000), "regions");
    printf("%-12s %22s %22s\n", "regions", "map + unmap, ns", "fault in any, ns");
    for (unsigned n = 10; n <= 1000000; n *= 10) {
        for (; there < n; there++) {
            quire_vaddr va = quire_va(base + (uint64_t)there * 2 * PAGE);
            must(quire_map(b->space, &va, PAGE, QUIRE_PROT_READ, QUIRE_MAP_FIXED, NULL, 0), "map");
        }
        double times[9], start;
        for (unsigned i = 0; i < 9; i++) {
            times[i] = map_unmap(b);
        }
        qsort(times, 9, sizeof *times, by_size);
        start = now_ns();
        for (unsigned i = 0; i < SMALL_OPS; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            uint64_t any = (random >> 33) % n;
            must(quire_fault(b->space, quire_va(base + any * 2 * PAGE), QUIRE_ACCESS_READ),
                 "fault");
        }
        printf("%-12u %22.1f %22.1f\n", n, times[4], (now_ns() - start) / SMALL_OPS);
    }
    must(quire_unmap(b->space, quire_va(base), (uint64_t)there * 2 * PAGE), "unmap");
}

/* fork and exit of a process of 64 pages, while others are there. */
static void processes_curve(struct bench *b) {
    enum { MOST = 10000, PAGES = 64, FORKS = 500 };
    static struct quire_space *others[MOST];
    unsigned there = 0;
    b->va = map_pages(b, PAGES);
    for (unsigned i = 0; i < PAGES; i++) {
        must(quire_fault(b->space, quire_va(b->va + i * PAGE), QUIRE_ACCESS_WRITE), "fault");
    }
    printf("%-12s %22s %22s\n", "processes", "fork + exit, us", "write fault, ns");
    for (unsigned n = 10; n <= MOST; n *= 10) {
        for (; there < n; there++) {
            must(quire_space_fork(b->space, NULL, &others[there]), "fork");
        }
        double start = now_ns();
        for (unsigned i = 0; i < FORKS; i++) {
            fork_child(b);
            quire_space_destroy(b->child);
        }
        double forks = (now_ns() - start) / FORKS / 1000;
        printf("%-12u %22.2f %22.1f\n", n, forks, write_fault_hot(b));
    }
    while (there > 0) {
        quire_space_destroy(others[--there]);
    }
    must(quire_unmap(b->space, quire_va(b->va), PAGES * PAGE), "unmap");
}

static void curves(struct bench *b) {
    regions_curve(b);
    processes_curve(b);
}

int main(int argc, char **argv) {
    int repetitions = argc > 1 ? atoi(argv[1]) : 9;
    struct bench b;
    double times[MAX_REPETITIONS];
    if (repetitions < 1 || repetitions > MAX_REPETITIONS) {
        repetitions = 9;
    }
    open_bench(&b);
    bool only_curves = argc > 1 && strcmp(argv[1], "curves") == 0;
    if (only_curves) {
        curves(&b);
    }
    for (unsigned i = 0; i < sizeof rows / sizeof *rows && !only_curves; i++) {
        if (argc > 2 && !strstr(rows[i].name, argv[2])) {
            continue;
        }
        for (int n = 0; n < repetitions; n++) {
            times[n] = rows[i].measure(&b);
        }
        qsort(times, (size_t)repetitions, sizeof *times, by_size);
        printf("%-30s %10.1f ns\n", rows[i].name, times[repetitions / 2]);
    }
    quire_audit(b.q);
    quire_space_destroy(b.space);
    quire_destroy(b.q);
    quire_soft_destroy(b.machine);
    return 0;
}
