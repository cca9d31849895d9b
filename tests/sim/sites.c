/* sites.c: every allocation and every transfer fails, once and for ever, in a loop that nobody
 * wrote.
 *
 *     sites [--worlds N] [--steps S] [--list FILE]
 *
 * A world of the simulation is run once and its allocations, swap transfers and pager operations
 * are counted. Then it is run again for each of them: number k fails; and number k and all after it
 * fail. The model beside it says what is right: a refused call has done nothing, an access that
 * cannot be served is an error or the end of a program, never a wrong byte; afterwards everything
 * is torn down and nothing may be left.
 *
 * Is that every place? The functions that may fail are wrapped by the linker (--wrap) and note who
 * called them, and whose call failed. sites.py compares these with the calls in the program's text.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmem/slab.h"
#include "page/page.h"
#include "page/zone.h"
#include "steps.h"

#define WORLDS_DEFAULT 11
#define STEPS_DEFAULT  600
#define SITES_MAX      512
#define SETUP_STEPS    24
#define FREE_PAGES     45
#define BOOT_PAGES     1024
#define SWAP_PAGES     20
#define SEGMENT_PAGES  4
#define AUDIT_STEPS    100

/* ---- who asked, and who was refused ---------------------------------------------------------- */

static struct site {
    const void *address; /* behind the call */
    uint64_t asked, failed;
} sites[SITES_MAX];

/* The slot of a call: open addressing, by its address. */
static void note(const void *address, bool failed) {
    unsigned i = (unsigned)((uintptr_t)address * 2654435761u >> 7) % SITES_MAX;
    for (unsigned tries = 0; sites[i].address && sites[i].address != address; tries++) {
        i = (i + 1) % SITES_MAX;
        if (tries == SITES_MAX)
            abort();
    }
    sites[i].address = address;
    sites[i].asked++;
    sites[i].failed += failed;
}

/* While the manager is being made there is no switch to set yet: the wrapped call itself refuses,
 * once, or from then on. */
static uint64_t boot_left; /* calls until it does; 0: never */
static bool boot_for_ever;

static bool refused_at_boot(const void *address) {
    if (boot_left == 0 || --boot_left > 0)
        return false;
    boot_left = boot_for_ever;
    note(address, true);
    return true;
}

#define WRAPPED(function) __typeof__(function) __real_##function, __wrap_##function
#define CALLER            __builtin_return_address(0)

WRAPPED(quire_page_alloc);
WRAPPED(quire_cache_alloc_slow);
WRAPPED(quire_cache_alloc_bulk);
WRAPPED(quire_kmalloc);
WRAPPED(quire_kzalloc);
WRAPPED(quire_mach_swap_read);
WRAPPED(quire_mach_swap_write);

struct quire_page *__wrap_quire_page_alloc(struct quire *q, unsigned order, enum quire_page_use use,
                                           enum quire_alloc_mode mode) {
    if (refused_at_boot(CALLER))
        return NULL;
    struct quire_page *page = __real_quire_page_alloc(q, order, use, mode);
    note(CALLER, !page);
    return page;
}

void *__wrap_quire_cache_alloc_slow(struct quire_cache *cache) {
    if (refused_at_boot(CALLER))
        return NULL;
    void *object = __real_quire_cache_alloc_slow(cache);
    note(CALLER, !object);
    return object;
}

bool __wrap_quire_cache_alloc_bulk(struct quire_cache *cache, void **objects, size_t n) {
    if (refused_at_boot(CALLER))
        return false;
    bool good = __real_quire_cache_alloc_bulk(cache, objects, n);
    note(CALLER, !good);
    return good;
}

void *__wrap_quire_kmalloc(struct quire *q, size_t nbytes) {
    if (refused_at_boot(CALLER))
        return NULL;
    void *object = __real_quire_kmalloc(q, nbytes);
    note(CALLER, !object);
    return object;
}

void *__wrap_quire_kzalloc(struct quire *q, size_t nbytes) {
    if (refused_at_boot(CALLER))
        return NULL;
    void *object = __real_quire_kzalloc(q, nbytes);
    note(CALLER, !object);
    return object;
}

enum quire_status __wrap_quire_mach_swap_read(struct quire_machine *machine, unsigned device,
                                              uint64_t slot, const quire_frame *frames,
                                              unsigned count) {
    enum quire_status status = __real_quire_mach_swap_read(machine, device, slot, frames, count);
    note(CALLER, status != QUIRE_OK);
    return status;
}

enum quire_status __wrap_quire_mach_swap_write(struct quire_machine *machine, unsigned device,
                                               uint64_t slot, quire_frame frame) {
    enum quire_status status = __real_quire_mach_swap_write(machine, device, slot, frame);
    note(CALLER, status != QUIRE_OK);
    return status;
}

/* ---- the loop -------------------------------------------------------------------------------- */

enum kind { ALLOCATION, TRANSFER, PAGER, NKINDS };
static const char *const kind_names[NKINDS] = {"allocation", "transfer", "pager operation"};

static struct {
    uint64_t seed, first, count;
    enum kind kind;
} now; /* for the last words */

static struct sim world;

static void on_abort(int number) {
    char text[160];
    int n =
        snprintf(text, sizeof text, "sites: seed %llu step %llu, %s %llu%s: signal %d\n",
                 (unsigned long long)now.seed, (unsigned long long)world.step, kind_names[now.kind],
                 (unsigned long long)now.first, now.count > 1 ? " and all after it" : "", number);
    if (write(2, text, (size_t)n) < 0)
        _exit(3);
    _exit(2);
}

/* Run it with failures of one kind; count 0: none. asked: how many of each kind there were. */
static void run(const struct sim_script *script, enum kind kind, uint64_t first, uint64_t count,
                uint64_t asked[NKINDS]) {
    struct sim_plan plan = script->plan;
    struct quire_soft_counters disk;
    now.first = first;
    now.count = count;
    now.kind = kind;
    /* A device that may fail makes a lossy world; this one fails when it is told to only. */
    plan.field[SIM_INJECT + QUIRE_SOFT_READ_ERROR] = kind == ALLOCATION ? 0 : UINT32_MAX;
    world.audit_every = AUDIT_STEPS;
    sim_world_create(&world, &plan, false);
    quire_fail_range(world.q, first, kind == ALLOCATION ? count : 0);
    quire_soft_fail_io(world.machine, first, kind == TRANSFER ? count : 0);
    world.pager_asked = 0;
    world.pager_first = first;
    world.pager_count = kind == PAGER ? count : 0;
    for (uint64_t k = 0; k < script->nops; k++)
        sim_take(&world, k, &script->ops[k]);
    quire_soft_counters(world.machine, &disk);
    asked[ALLOCATION] = quire_fail_asked(world.q);
    asked[TRANSFER] = disk.disk_reads + disk.disk_writes;
    asked[PAGER] = world.pager_asked;
    sim_world_destroy(&world);
}

static uint64_t loop(const struct sim_script *script, enum kind kind, uint64_t n) {
    uint64_t asked[NKINDS];
    for (uint64_t k = 1; k <= n; k++) {
        run(script, kind, k, 1, asked);
        run(script, kind, k, UINT64_MAX, asked);
    }
    return 2 * n;
}

/* In every fourth world pages are packed into RAM before they go to a device. */
static bool packs(uint64_t seed) {
    return seed % 4 == 0;
}

/* A world begins with programs and their memory, so that few steps do much. NULL: anything goes. */
static const char *wanted_first(uint64_t seed, uint64_t nops) {
    if (nops < MODEL_SPACES)
        return "spawn";
    if (nops == MODEL_SPACES && packs(seed))
        return "zswap";
    if (nops < SETUP_STEPS)
        return "map";
    return NULL;
}

/* A manager that is refused memory on its way up says so and leaves nothing. */
static uint64_t loop_boot(bool for_ever) {
    struct quire_soft_config soft = {.ram_bytes = BOOT_PAGES * QUIRE_PAGE_SIZE};
    enum quire_status status = QUIRE_NOMEM;
    uint64_t k = 1;
    for (boot_for_ever = for_ever; status == QUIRE_NOMEM; k++) {
        struct quire_config config = {.swappiness = 60};
        struct quire *q = NULL;
        if (quire_soft_create(&soft, &config.machine) != QUIRE_OK)
            abort();
        boot_left = k;
        status = quire_create(&config, &q);
        bool done = boot_left > 0 && !(for_ever && boot_left == 1 && status != QUIRE_OK);
        /* Only the table of shadows may be missing. */
        bool without = status == QUIRE_OK && q->phys->lru.sets == 0;
        if (status == QUIRE_OK) {
            quire_audit(q);
            quire_destroy(q);
        }
        if (status != (done || without ? QUIRE_OK : QUIRE_NOMEM))
            abort();
        status = done ? status : QUIRE_NOMEM;
        boot_left = 0;
        quire_soft_destroy(config.machine);
    }
    return k;
}

static enum quire_zswap codec; /* that some worlds pack pages by */

/* A healthy world without chance, but for its format: what fails is the loop's to say. */
static void record(struct sim_script *script, uint64_t seed, uint64_t nsteps) {
    now.seed = seed;
    sim_plan_draw(&script->plan, seed);
    uint64_t format = script->plan.field[SIM_FORMAT];
    for (unsigned i = SIM_PAGER; i < SIM_AUDIT; i++)
        script->plan.field[i] = 0;
    script->plan.field[SIM_FORMAT] = format;
    script->plan.field[SIM_FAILING] = SIM_FAILS_OUTSIDE;
    /* Transfers begin soon; with a little more, pages are read ahead in runs. */
    script->plan.field[SIM_FREE] = seed % 3 ? FREE_PAGES : 2 * FREE_PAGES;
    script->plan.field[SIM_SWAPON] = 1;
    script->plan.field[SIM_POLICY] = 0;
    script->plan.field[SIM_CLUSTER] = 6;
    script->plan.field[SIM_ZSWAP] = 0;
    script->plan.field[SIM_THP] = QUIRE_THP_ALWAYS;
    script->plan.field[SIM_RAM] -= script->plan.field[SIM_DMA_END]; /* one zone: quick to make */
    script->plan.field[SIM_DMA_END] = 0;
    if (seed % 2 == 0) { /* a device that grows as it fills */
        script->plan.field[SIM_SWAP0] = SWAP_PAGES;
        script->plan.field[SIM_SWAP_STEP] = SWAP_PAGES / 4;
        script->plan.field[SIM_SWAP_MOST] = 20 * SWAP_PAGES;
    }
    if (seed % 4 == 1) { /* memory in segments, with a small device */
        script->plan.field[SIM_SEGMENTS] = SEGMENT_PAGES;
        script->plan.field[SIM_SEGMENT_SWAP] = 10 * SEGMENT_PAGES;
        script->plan.field[SIM_RAM] += SEGMENT_PAGES + SIM_TABLES_PAGES + 1;
    }
    script->ops = malloc(nsteps * sizeof script->ops[0]);
    script->nops = 0;
    uint64_t number = 0; /* of the dice's throw */
    world.audit_every = AUDIT_STEPS;
    sim_world_create(&world, &script->plan, false);
    while (script->ops && script->nops < nsteps) {
        struct sim_op *op = &script->ops[script->nops];
        do
            sim_draw(&world, number++, op);
        while (wanted_first(seed, script->nops) &&
               strcmp(sim_steps[op->kind].name, wanted_first(seed, script->nops)) != 0);
        if (packs(seed) && strcmp(sim_steps[op->kind].name, "zswap") == 0)
            op->a[0] = (int)codec;
        sim_take(&world, script->nops++, op);
    }
    sim_world_destroy(&world);
}

/* The first codec that this host has; NONE: pages are never packed, and whoever would take memory
 * for that is never asked. */
static enum quire_zswap find_codec(void) {
    struct sim_plan plan;
    enum quire_zswap found = QUIRE_ZSWAP_NONE;
    sim_plan_draw(&plan, 0);
    sim_world_create(&world, &plan, false);
    if (quire_zswap(world.q, QUIRE_ZSWAP_LZ4, 10) == QUIRE_OK)
        found = QUIRE_ZSWAP_LZ4;
    else if (quire_zswap(world.q, QUIRE_ZSWAP_ZSTD, 10) == QUIRE_OK)
        found = QUIRE_ZSWAP_ZSTD;
    sim_world_destroy(&world);
    return found;
}

/* A line of its own for the codec, as if it were a site at address 0. */
static bool print_sites(const char *path) {
    FILE *file = fopen(path, "w");
    if (file)
        fprintf(file, "0 %d 0\n", codec != QUIRE_ZSWAP_NONE);
    for (unsigned i = 0; file && i < SITES_MAX; i++) {
        if (sites[i].address)
            fprintf(file, "%llx %llu %llu\n", (unsigned long long)(uintptr_t)sites[i].address,
                    (unsigned long long)sites[i].asked, (unsigned long long)sites[i].failed);
    }
    return file && fclose(file) == 0;
}

int main(int argc, char **argv) {
    uint64_t worlds = WORLDS_DEFAULT, steps = STEPS_DEFAULT, runs = 0;
    const char *list = NULL;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--worlds") == 0)
            worlds = strtoull(argv[i + 1], NULL, 0);
        else if (strcmp(argv[i], "--steps") == 0)
            steps = strtoull(argv[i + 1], NULL, 0);
        else if (strcmp(argv[i], "--list") == 0)
            list = argv[i + 1];
        else
            return 2;
    }
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    codec = find_codec();
    runs += loop_boot(false) + loop_boot(true);
    printf("sites: %llu boots\n", (unsigned long long)runs);
    for (uint64_t seed = 1; seed <= worlds; seed++) {
        struct sim_script script;
        uint64_t asked[NKINDS];
        record(&script, seed, steps);
        run(&script, ALLOCATION, UINT64_MAX, 0, asked);
        printf("sites: seed %llu: %llu allocations, %llu transfers, %llu pager operations\n",
               (unsigned long long)seed, (unsigned long long)asked[ALLOCATION],
               (unsigned long long)asked[TRANSFER], (unsigned long long)asked[PAGER]);
        fflush(stdout);
        for (enum kind kind = 0; kind < NKINDS; kind++)
            runs += loop(&script, kind, asked[kind]);
        free(script.ops);
    }
    printf("sites: %llu worlds run, 0 differences\n", (unsigned long long)runs);
    return list && !print_sites(list) ? 2 : 0;
}
