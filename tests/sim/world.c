/* world.c: building a world from a seed, tearing it down, and comparing it with the model.
 *
 * Small on purpose: a few hundred frames for four spaces that could fill twice as many, so that
 * after a few hundred steps everything is evicted, written and brought back all the time, and an
 * audit of the whole manager costs microseconds.
 *
 *     steps.c --> calls of space.h ------> manager --> software machine --> disks
 *        |   \--> accesses (TLB, walk, fault) --^
 *        '------> the same on the model;  then: status equal?  bytes equal?  audit holds?
 *
 * The addresses of a space straddle a boundary of the third table level, so that its pages need two
 * page tables of every level but the root.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define BASE_VA ((((uint64_t)1) << 39) - (MODEL_PAGES / 2) * QUIRE_PAGE_SIZE)
/* RAM: what the manager itself needs, and not enough for what the programs want. */
#define RAM_PAGES_MIN   256
#define RAM_PAGES_MORE  128
#define SWAP_PAGES_MIN  2 /* the first page of an area is its header */
#define SWAP_PAGES_MORE 768
#define MIN_FREE_MAX    24
/* What the ballast leaves for programs. They would like four times 160 pages and the objects. */
#define FREE_PAGES_MIN  50
#define FREE_PAGES_MORE 130
#define STACK_PAGES     24
#define GAP_PAGES       3

uint64_t sim_va(unsigned page) {
    return BASE_VA + page * QUIRE_PAGE_SIZE;
}

static uint64_t splitmix64(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

uint32_t sim_random(struct sim *sim) {
    return (uint32_t)(splitmix64(&sim->random) >> 32);
}

unsigned sim_pick(struct sim *sim, unsigned n) {
    return (unsigned)(((uint64_t)sim_random(sim) * n) >> 32);
}

bool sim_chance(struct sim *sim, unsigned percent) {
    return sim_pick(sim, 100) < percent;
}

_Noreturn void sim_fail(struct sim *sim, const char *format, ...) {
    va_list arguments;
    fprintf(stderr, "sim: seed %llu step %llu: ", (unsigned long long)sim->seed,
            (unsigned long long)sim->step);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    exit(1);
}

void sim_say(struct sim *sim, const char *format, ...) {
    va_list arguments;
    if (!sim->verbose)
        return;
    printf("%6llu  ", (unsigned long long)sim->step);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    fflush(stdout);
}

bool sim_did(struct sim *sim, const char *what, enum quire_status got, enum quire_status want) {
    sim->hash = (sim->hash ^ got) * 0x9E3779B97F4A7C15u;
    if (got == QUIRE_NOMEM) {
        sim->refused_nomem++;
        return false;
    }
    if (got != want)
        sim_fail(sim, "%s: %s, the model says %s", what, quire_status_name(got),
                 quire_status_name(want));
    return got == QUIRE_OK;
}

/* ---- what the manager calls ------------------------------------------------------------------ */

/* In lossy worlds one in so many operations of a pager fails. */
#define PAGER_FAILS_ONE_IN 150

static bool pager_fails(struct sim *sim) {
    return sim->lossy && splitmix64(&sim->pager_random) % PAGER_FAILS_ONE_IN == 0;
}

static enum quire_status file_read(void *context, uint64_t offset_bytes, void *frame_bytes) {
    struct sim_file *file = context;
    memset(frame_bytes, 0, QUIRE_PAGE_SIZE);
    if (pager_fails(file->sim))
        return QUIRE_IO;
    if (offset_bytes < file->size_bytes) {
        uint64_t left = file->size_bytes - offset_bytes;
        memcpy(frame_bytes, file->bytes + offset_bytes,
               left < QUIRE_PAGE_SIZE ? left : QUIRE_PAGE_SIZE);
    }
    return QUIRE_OK;
}

static enum quire_status file_write(void *context, uint64_t offset_bytes, const void *frame_bytes) {
    struct sim_file *file = context;
    if (pager_fails(file->sim)) {
        file->refused = true;
        return QUIRE_IO;
    }
    if (offset_bytes < file->size_bytes) {
        uint64_t left = file->size_bytes - offset_bytes;
        memcpy(file->bytes + offset_bytes, frame_bytes,
               left < QUIRE_PAGE_SIZE ? left : QUIRE_PAGE_SIZE);
    }
    return QUIRE_OK;
}

static uint64_t file_size(void *context) {
    return ((struct sim_file *)context)->size_bytes;
}

static void file_release(void *context) {
    ((struct sim_file *)context)->released = true;
}

static const struct quire_pager pager = {file_read, file_write, file_size, file_release};

/* Pages that could still have been taken from programs. A kill with more of them, room on healthy
 * devices for all of them, and no allocation failing on purpose, is a kill without need. */
#define KILL_PAGES_MAX 32

static void judge_kill(struct sim *sim) {
    struct quire_usage u;
    quire_usage(sim->q, &u);
    uint64_t mine = u.anon + u.shmem;
    if (!sim->failing && !sim->lossy && u.swap_free >= mine && mine + u.file > KILL_PAGES_MAX)
        sim_fail(sim, "killed with %llu anonymous and %llu file pages in RAM, %llu free swap slots",
                 (unsigned long long)mine, (unsigned long long)u.file,
                 (unsigned long long)u.swap_free);
}

/* A victim that is not at work is destroyed at once; the one at work when its call is back. */
static void oom_kill(void *context, void *owner, const char *why) {
    struct sim *sim = context;
    struct sim_owner *victim = owner;
    sim->oom_kills++;
    judge_kill(sim);
    sim_say(sim, "  oom: space %u: %s", victim->index, why);
    if ((int)victim->index == sim->in_space)
        sim->killed = true;
    else
        sim_space_destroy(sim, victim->index);
}

static void say_log(void *context, const char *line) {
    sim_say(context, "  log: %s", line);
}

/* ---- building and ending --------------------------------------------------------------------- */

static void draw_machine(struct sim *sim) {
    sim->ram_bytes = (RAM_PAGES_MIN + sim_pick(sim, RAM_PAGES_MORE)) * QUIRE_PAGE_SIZE;
    for (unsigned i = 0; i < SIM_DEVICES; i++)
        sim->swap_bytes[i] = (SWAP_PAGES_MIN + sim_pick(sim, SWAP_PAGES_MORE)) * QUIRE_PAGE_SIZE;
    sim->dropping = sim_chance(sim, 50);
    sim->failing = sim_chance(sim, 30);
    sim->lossy = sim_chance(sim, 20);
}

static void inject(struct sim *sim) {
    if (sim->dropping)
        quire_soft_inject(sim->machine, QUIRE_SOFT_DROP_MAPPING, 1 + sim_pick(sim, 20));
    if (!sim->lossy)
        return;
    for (int kind = 0; kind < QUIRE_SOFT_DROP_MAPPING; kind++) {
        if (sim_chance(sim, 50))
            quire_soft_inject(sim->machine, (enum quire_soft_injection)kind,
                              20 + sim_pick(sim, 400));
    }
}

/* Fill a block so that whoever else writes to it is found out. */
static void mark_block(struct sim *sim, struct sim_block *block) {
    block->value = (uint8_t)sim_random(sim);
    memset(block->bytes, block->value, block->nbytes);
}

void sim_block_free(struct sim *sim, struct sim_block *block) {
    for (size_t i = 0; i < block->nbytes; i++) {
        if (block->bytes[i] != block->value)
            sim_fail(sim, "kernel memory: byte %zu of %zu is 0x%02x, not 0x%02x", i, block->nbytes,
                     block->bytes[i], block->value);
    }
    if (block->small)
        quire_kfree(sim->q, block->bytes);
    else
        quire_frames_free(sim->q, block->frame, block->order);
    block->bytes = NULL;
}

bool sim_block_alloc(struct sim *sim, struct sim_block *block, bool small, unsigned order,
                     size_t nbytes) {
    *block = (struct sim_block){.small = small, .order = order, .nbytes = nbytes};
    if (small) {
        block->bytes = quire_kmalloc(sim->q, nbytes);
    } else if (quire_frames_alloc(sim->q, order, &block->frame) == QUIRE_OK) {
        block->bytes = quire_frame_window(sim->q, block->frame);
        block->nbytes = QUIRE_PAGE_SIZE << order;
    }
    if (block->bytes)
        mark_block(sim, block);
    return block->bytes != NULL;
}

static void take_ballast(struct sim *sim) {
    uint64_t target = FREE_PAGES_MIN + sim_pick(sim, FREE_PAGES_MORE);
    struct quire_usage usage;
    quire_usage(sim->q, &usage);
    while (usage.free > target && sim->nballast < SIM_BLOCKS) {
        unsigned order = sim_pick(sim, 6);
        while (order > 0 && usage.free < target + (1u << order))
            order--;
        if (!sim_block_alloc(sim, &sim->ballast[sim->nballast], false, order, 0))
            break;
        sim->nballast++;
        quire_usage(sim->q, &usage);
    }
}

void sim_world_create(struct sim *sim, uint64_t seed, bool verbose) {
    memset(sim, 0, sizeof *sim);
    sim->seed = seed;
    sim->random = seed * 0x9E3779B97F4A7C15u + 1;
    sim->pager_random = ~sim->random;
    sim->in_space = -1;
    sim->verbose = verbose;
    draw_machine(sim);
    struct quire_soft_config soft = {
        .ram_bytes = sim->ram_bytes,
        .swap_bytes = {sim->swap_bytes[0], sim->swap_bytes[1]},
        .seed = seed,
        .oom_kill = oom_kill,
        .log = say_log,
        .context = sim,
    };
    if (quire_soft_create(&soft, &sim->machine) != QUIRE_OK)
        sim_fail(sim, "no machine");
    struct quire_config config = {
        .machine = sim->machine,
        .swappiness = sim_pick(sim, 201),
        .min_free_pages = 1 + sim_pick(sim, MIN_FREE_MAX),
    };
    enum quire_status status = quire_create(&config, &sim->q);
    if (status != QUIRE_OK)
        sim_fail(sim, "quire_create: %s with %llu KiB", quire_status_name(status),
                 (unsigned long long)sim->ram_bytes / 1024);
    sim->model.stack_limit_pages = STACK_PAGES;
    sim->model.stack_gap_pages = GAP_PAGES;
    for (int object = 0; object < MODEL_OBJECTS; object++)
        sim_object_create(sim, object);
    take_ballast(sim);
    if (sim_chance(sim, 80))
        (void)quire_swapon(sim->q, 0, 1);
    inject(sim);
    sim_say(sim, "world: %llu KiB RAM, swap %llu+%llu KiB%s%s%s",
            (unsigned long long)sim->ram_bytes / 1024,
            (unsigned long long)sim->swap_bytes[0] / 1024,
            (unsigned long long)sim->swap_bytes[1] / 1024, sim->dropping ? ", dropping" : "",
            sim->failing ? ", failing" : "", sim->lossy ? ", lossy" : "");
}

bool sim_space_create(struct sim *sim, unsigned s) {
    sim->owners[s] = (struct sim_owner){sim, s};
    struct quire_space_config config = {
        .low = quire_va(sim_va(0)),
        .high = quire_va(sim_va(MODEL_PAGES)),
        .map_top = quire_va(sim_va(MODEL_PAGES)),
        .stack_limit_bytes = STACK_PAGES * QUIRE_PAGE_SIZE,
        .stack_gap_bytes = GAP_PAGES * QUIRE_PAGE_SIZE,
        .owner = &sim->owners[s],
    };
    enum quire_status status = quire_space_create(sim->q, &config, &sim->spaces[s]);
    if (!sim_did(sim, "space_create", status, QUIRE_OK))
        return false;
    struct model_space *space = &sim->model.spaces[s];
    memset(space, 0, sizeof *space);
    space->alive = true;
    space->brk_page = 4 + sim_pick(sim, 60);
    quire_brk_start(sim->spaces[s], quire_va(sim_va(space->brk_page)));
    return true;
}

void sim_space_destroy(struct sim *sim, unsigned s) {
    quire_space_destroy(sim->spaces[s]);
    sim->spaces[s] = NULL;
    memset(&sim->model.spaces[s], 0, sizeof sim->model.spaces[s]);
}

void sim_reap(struct sim *sim) {
    if (sim->killed)
        sim_space_destroy(sim, (unsigned)sim->in_space);
    sim->killed = false;
    sim->in_space = -1;
}

void sim_object_create(struct sim *sim, int object) {
    struct quire_object_info info = {.name = "/sim", .inode = (uint64_t)object + 1};
    enum quire_status status;
    struct model_object *model = &sim->model.objects[object];
    if (object < MODEL_FILES) {
        struct sim_file *file = &sim->files[object];
        file->sim = sim;
        file->released = file->refused = false;
        status = quire_object_create_file(sim->q, &pager, file, &info, &sim->objects[object]);
    } else {
        *model = (struct model_object){.ncells = MODEL_OBJECT_PAGES / 2 * MODEL_CELLS};
        status = quire_object_create_shm(sim->q, model->ncells * MODEL_CELL_BYTES, &info,
                                         &sim->objects[object]);
    }
    if (status != QUIRE_OK) {
        if (!sim->failing)
            sim_fail(sim, "object_create: %s", quire_status_name(status));
        sim->objects[object] = NULL;
    }
}

void sim_object_drop(struct sim *sim, int object) {
    quire_object_unref(sim->objects[object]);
    sim->objects[object] = NULL;
    if (object >= MODEL_FILES)
        return;
    struct sim_file *file = &sim->files[object];
    if (!file->released)
        sim_fail(sim, "file %d was not released", object);
    if (!file->refused) {
        sim_verify_file(sim, object, 0, MODEL_OBJECT_PAGES);
        return;
    }
    /* There was nobody left to be told: what is stored is what the file is. */
    for (unsigned i = 0; i < MODEL_OBJECT_PAGES * MODEL_CELLS; i++)
        (&sim->model.objects[object].cells[0][0])[i] = file->bytes[i * MODEL_CELL_BYTES];
}

/* Every page is free or the kernel's again, every slot too. */
static void verify_empty(struct sim *sim) {
    struct quire_usage usage;
    quire_usage(sim->q, &usage);
    if (usage.anon || usage.file || usage.shmem || usage.page_tables || usage.dirty ||
        usage.committed || usage.swap_free != usage.swap_total)
        sim_fail(sim,
                 "left over: anon %llu file %llu shmem %llu tables %llu dirty %llu committed %llu "
                 "swap %llu",
                 (unsigned long long)usage.anon, (unsigned long long)usage.file,
                 (unsigned long long)usage.shmem, (unsigned long long)usage.page_tables,
                 (unsigned long long)usage.dirty, (unsigned long long)usage.committed,
                 (unsigned long long)(usage.swap_total - usage.swap_free));
}

void sim_world_destroy(struct sim *sim) {
    quire_fail_every(sim->q, 0);
    for (unsigned s = 0; s < MODEL_SPACES; s++) {
        if (sim->model.spaces[s].alive) {
            sim_verify_regions(sim, s);
            sim->in_space = (int)s;
            sim_verify_space(sim, s);
            sim_reap(sim);
        }
    }
    quire_audit(sim->q);
    for (unsigned s = 0; s < MODEL_SPACES; s++) {
        if (sim->model.spaces[s].alive)
            sim_space_destroy(sim, s);
    }
    for (int object = 0; object < MODEL_OBJECTS; object++) {
        if (sim->objects[object])
            sim_object_drop(sim, object);
    }
    for (unsigned i = 0; i < SIM_BLOCKS; i++) {
        if (sim->kernel[i].bytes)
            sim_block_free(sim, &sim->kernel[i]);
        if (sim->ballast[i].bytes)
            sim_block_free(sim, &sim->ballast[i]);
    }
    quire_audit(sim->q);
    verify_empty(sim);
    for (unsigned device = 0; device < SIM_DEVICES; device++)
        (void)quire_swapoff(sim->q, device);
    sim->hash ^= quire_trace_hash(sim->q);
    sim->counters = *quire_counters(sim->q);
    quire_destroy(sim->q);
    quire_soft_destroy(sim->machine);
}

/* ---- comparing ------------------------------------------------------------------------------- */

/* True if the bytes are those of the cells; otherwise *at is where they differ first. */
static bool bytes_are(const uint8_t *bytes, const uint8_t *cells, unsigned *at) {
    for (unsigned c = 0; c < MODEL_CELLS; c++) {
        const uint8_t *cell = bytes + c * MODEL_CELL_BYTES;
        uint8_t want[MODEL_CELL_BYTES];
        memset(want, cells[c], sizeof want);
        if (memcmp(cell, want, sizeof want) == 0)
            continue;
        *at = c * MODEL_CELL_BYTES;
        while (bytes[*at] == cells[c])
            ++*at;
        return false;
    }
    return true;
}

void sim_compare_page(struct sim *sim, unsigned s, unsigned page, const uint8_t *bytes) {
    static const uint8_t zeros[MODEL_CELLS];
    struct model_page *p = &sim->model.spaces[s].pages[page];
    const uint8_t *cells = model_visible(&sim->model, p);
    unsigned at;
    if (bytes_are(bytes, cells, &at))
        return;
    if (p->lazy && bytes_are(bytes, zeros, &at)) {
        p->own = p->lazy = false; /* it was dropped */
        return;
    }
    sim_fail(sim,
             "space %u page %u (%s%s object %d index %u) byte %u is 0x%02x, the model says 0x%02x",
             s, page, p->flags & QUIRE_MAP_SHARED ? "shared" : "private", p->own ? " own" : "",
             p->object, p->index, at, bytes[at], cells[at / MODEL_CELL_BYTES]);
}

/* A store that ended in QUIRE_BUS may have come as far as the private copy of an object's page,
 * which was then lost to a bad device on its way: whether later changes of the object show is open.
 * Close it: no copy. */
void sim_settle_copy(struct sim *sim, unsigned s, unsigned page) {
    struct model_page *p = &sim->model.spaces[s].pages[page];
    if (p->object < 0 || p->own || (p->flags & QUIRE_MAP_SHARED))
        return;
    if (quire_advise(sim->spaces[s], quire_va(sim_va(page)), QUIRE_PAGE_SIZE,
                     QUIRE_ADVISE_DONTNEED) != QUIRE_OK)
        sim_fail(sim, "space %u page %u: advice for one page was refused", s, page);
}

bool sim_access(struct sim *sim, unsigned s, unsigned page, unsigned offset,
                enum quire_access access, uint8_t **host) {
    struct quire_pmap *pmap = quire_space_pmap(sim->spaces[s]);
    uint64_t va = sim_va(page) + offset;
    struct tlb_entry *slot = tlb_slot(&pmap->tlb, va);
    enum quire_status got = QUIRE_OK;
    if ((access == QUIRE_ACCESS_READ && slot->read_tag == sim_va(page)) ||
        (access == QUIRE_ACCESS_WRITE && slot->write_tag == sim_va(page)))
        *host = (uint8_t *)(va + slot->addend);
    else
        got = quire_mmu_access(pmap, va, access, host);
    sim->hash = (sim->hash ^ got) * 0x9E3779B97F4A7C15u;
    if (sim->killed)
        return false;
    enum quire_status want = model_access(&sim->model, &sim->model.spaces[s], page, access);
    if (got == QUIRE_BUS && want == QUIRE_OK && sim->lossy) {
        sim->lost_bus++;
        if (access == QUIRE_ACCESS_WRITE)
            sim_settle_copy(sim, s, page);
        return false;
    }
    if (got != want)
        sim_fail(sim, "space %u page %u access %d: %s, the model says %s", s, page, (int)access,
                 quire_status_name(got), quire_status_name(want));
    return got == QUIRE_OK;
}

void sim_verify_space(struct sim *sim, unsigned s) {
    for (unsigned page = 0; page < MODEL_PAGES && !sim->killed; page++) {
        const struct model_page *p = &sim->model.spaces[s].pages[page];
        enum quire_access access = QUIRE_ACCESS_READ;
        uint8_t *host;
        if (p->prot == QUIRE_PROT_EXEC)
            access = QUIRE_ACCESS_EXEC;
        if (!p->mapped) /* no access: a stack could grow by it */
            continue;
        if (sim_access(sim, s, page, 0, access, &host))
            sim_compare_page(sim, s, page, host);
    }
}

/* The manager's regions are the model's runs of pages: no more, no fewer, merged where they match.
 */
void sim_verify_regions(struct sim *sim, unsigned s) {
    const struct model_space *space = &sim->model.spaces[s];
    struct quire_region_info info;
    quire_vaddr at = quire_va(sim_va(0));
    unsigned page = 0;
    while (quire_region_at_or_after(sim->spaces[s], at, false, &info)) {
        unsigned first = (unsigned)((info.start.value - sim_va(0)) >> QUIRE_PAGE_SHIFT);
        unsigned end = (unsigned)((info.end.value - sim_va(0)) >> QUIRE_PAGE_SHIFT);
        if (first < page || end > MODEL_PAGES || end <= first)
            sim_fail(sim, "space %u: a region from page %u to %u", s, first, end);
        if (!model_all_free(space, page, first - page))
            sim_fail(sim, "space %u: no region in pages %u to %u", s, page, first);
        const struct model_page *p = &space->pages[first];
        if (!model_one_region(space, first, end - first) || info.prot != p->prot ||
            info.object != (p->object < 0 ? NULL : sim->objects[p->object]) ||
            (p->object >= 0 && info.offset_bytes >> QUIRE_PAGE_SHIFT != p->index))
            sim_fail(sim, "space %u: region of pages %u to %u is not the model's", s, first, end);
        if (first > 0 && model_joined(&space->pages[first - 1], p))
            sim_fail(sim, "space %u: regions not merged at page %u", s, first);
        page = end;
        at = info.end;
    }
    if (!model_all_free(space, page, MODEL_PAGES - page))
        sim_fail(sim, "space %u: no region from page %u on", s, page);
}

void sim_verify_file(struct sim *sim, int object, unsigned index, unsigned n) {
    const struct model_object *model = &sim->model.objects[object];
    const struct sim_file *file = &sim->files[object];
    if (file->size_bytes != model->ncells * MODEL_CELL_BYTES)
        sim_fail(sim, "file %d has %llu bytes", object, (unsigned long long)file->size_bytes);
    for (unsigned i = index; i < index + n && i < MODEL_OBJECT_PAGES; i++) {
        unsigned at;
        if (!bytes_are(file->bytes + i * QUIRE_PAGE_SIZE, model->cells[i], &at))
            sim_fail(sim, "file %d page %u byte %u: stored 0x%02x, the model says 0x%02x", object,
                     i, at, file->bytes[i * QUIRE_PAGE_SIZE + at],
                     model->cells[i][at / MODEL_CELL_BYTES]);
    }
}
