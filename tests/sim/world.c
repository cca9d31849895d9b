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
 * The addresses of a space straddle a boundary of the table level below the root, so that its pages
 * need two page tables of every level but the root.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <quire/policy.h>
#include <quire/view.h>

#include "sim.h"

#define STACK_PAGES    24
#define GAP_PAGES      3
#define BALLAST_ORDERS 6
#define AREA_FACTOR    5 /* vmalloc gets so many times the bytes that kmalloc would: to 10 pages */
#define BALLAST_LARGE  512 /* when more than this is left, blocks are larger than all these */

static uint64_t base_va; /* of the world that is */

/* The boundary: 2^39 of Sv48's 2^47. */
static void set_base(const struct quire_radix_format *format) {
    uint64_t boundary = (uint64_t)1 << (format->user_bits - 8);
    base_va = boundary - (MODEL_PAGES / 2) * QUIRE_PAGE_SIZE;
}

uint64_t sim_va(unsigned page) {
    return base_va + page * QUIRE_PAGE_SIZE;
}

uint64_t sim_splitmix64(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static void sim_note(struct sim *sim, const char *why) {
    if (sim->why)
        snprintf(sim->why, SIM_WHY_BYTES, "%s", why);
}

_Noreturn void sim_fail(struct sim *sim, const char *format, ...) {
    va_list arguments;
    sim_note(sim, format);
    fprintf(stderr, "sim: seed %llu step %llu: ", (unsigned long long)sim->plan.field[SIM_SEED],
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

static bool pager_fails(struct sim *sim) {
    sim->pager_asked++;
    if (sim->pager_asked >= sim->pager_first &&
        sim->pager_asked - sim->pager_first < sim->pager_count)
        return true;
    return sim->plan.field[SIM_PAGER] &&
           sim_splitmix64(&sim->pager_random) % sim->plan.field[SIM_PAGER] == 0;
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

/* Every other file is stored at once, as files of the host are. */
static void file_unmapped(void *context) {
    struct sim_file *file = context;
    int object = (int)(file - file->sim->files);
    if (quire_object_is_mapped(file->sim->objects[object]))
        sim_fail(file->sim, "file %d is said to be mapped by nobody, and is mapped", object);
    if (object % 2 == 0)
        (void)quire_object_sync(file->sim->objects[object]);
}

static const struct quire_pager pager = {
    .read = file_read,
    .write = file_write,
    .size = file_size,
    .release = file_release,
    .unmapped = file_unmapped,
};

/* Pages that could still have been taken from programs. A kill with more of them, room on healthy
 * devices for all of them, and no allocation failing on purpose, is a kill without need. */
#define KILL_PAGES_MAX 32

/* Pages on lists in zones that serve every request: HIGHMEM helps no page table. */
static uint64_t pages_in_reach(const struct sim *sim) {
    static char text[1 << 16];
    uint64_t pages = 0;
    bool high = false;
    quire_view_zoneinfo(sim->q, text, sizeof text);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        unsigned long long count;
        line += *line == '\n';
        if (strncmp(line, "Node", 4) == 0)
            high = strstr(line, "HighMem") && strstr(line, "HighMem") < strchr(line, '\n');
        if (!high && (sscanf(line, " nr_zone_inactive_%*[a-z] %llu", &count) == 1 ||
                      sscanf(line, " nr_zone_active_%*[a-z] %llu", &count) == 1))
            pages += count;
    }
    return pages;
}

static void judge_kill(struct sim *sim) {
    struct quire_usage u;
    quire_usage(sim->q, &u);
    uint64_t mine = u.anon + u.shmem;
    for (unsigned s = 0; s < MODEL_SPACES; s++) { /* what is locked can't be taken */
        for (unsigned i = 0; i < MODEL_PAGES; i++) {
            if (sim->model.spaces[s].pages[i].flags & QUIRE_MAP_LOCKED)
                return;
        }
    }
    if (!sim->plan.field[SIM_FAILING] && !sim->lossy && u.swap_free >= mine &&
        pages_in_reach(sim) > KILL_PAGES_MAX)
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
    if (strncmp(line, "panic", 5) == 0)
        sim_note(context, line);
    sim_say(context, "  log: %s", line);
}

/* ---- building and ending --------------------------------------------------------------------- */

static void inject(struct sim *sim) {
    for (int kind = 0; kind < QUIRE_SOFT_INJECTIONS; kind++) {
        uint32_t one_in = (uint32_t)sim->plan.field[SIM_INJECT + kind];
        quire_soft_inject(sim->machine, (enum quire_soft_injection)kind, one_in);
        sim->lossy |= one_in > 0 && kind != QUIRE_SOFT_DROP_MAPPING;
    }
    sim->lossy |= sim->plan.field[SIM_PAGER] > 0;
}

/* Fill a block so that whoever else writes to it is found out. */
static void mark_block(struct sim_block *block, uint8_t value) {
    block->value = value;
    memset(block->bytes, block->value, block->nbytes);
}

/* Each byte is as the one before it: memcmp is the fastest loop that there is. */
bool sim_all_bytes(const uint8_t *bytes, size_t nbytes, uint8_t value, size_t *at) {
    if (nbytes == 0 || (bytes[0] == value && memcmp(bytes, bytes + 1, nbytes - 1) == 0))
        return true;
    for (*at = 0; bytes[*at] == value;)
        ++*at;
    return false;
}

void sim_block_free(struct sim *sim, struct sim_block *block) {
    size_t at;
    if (!sim_all_bytes(block->bytes, block->nbytes, block->value, &at))
        sim_fail(sim, "kernel memory: byte %zu of %zu is 0x%02x, not 0x%02x", at, block->nbytes,
                 block->bytes[at], block->value);
    switch (block->kind) {
    case SIM_BLOCK_BYTES:
        quire_kfree(sim->q, block->bytes);
        break;
    case SIM_BLOCK_AREA:
        quire_vfree(sim->q, block->bytes);
        break;
    case SIM_BLOCK_EITHER:
        quire_kvfree(sim->q, block->bytes);
        break;
    case SIM_BLOCK_DEVICE:
        quire_dma_free(sim->q, block->bytes, block->nbytes);
        break;
    default:
        quire_frames_free(sim->q, block->frame, block->order);
    }
    block->bytes = NULL;
}

/* 2^order frames, as high as the kind of the block may lie, aligned to their number. */
static void take_frames(struct sim *sim, struct sim_block *block) {
    uint64_t end = sim->plan.field[SIM_RAM], dma_end = sim->plan.field[SIM_DMA_END];
    enum quire_zone_kind zone = QUIRE_ZONE_NORMAL;
    enum quire_status status;
    end = sim->plan.field[SIM_HIGH] ? sim->plan.field[SIM_HIGH] : end;
    if (block->kind == SIM_BLOCK_DMA || block->kind == SIM_BLOCK_LOW) {
        zone = QUIRE_ZONE_DMA;
        end = dma_end ? dma_end : end;
    }
    if (block->kind == SIM_BLOCK_MOVED || block->kind == SIM_BLOCK_LOW)
        status = quire_frames_get(sim->q, block->order, zone, &block->frame);
    else
        status = quire_frames_alloc_zone(sim->q, block->order, zone, &block->frame);
    if (status != QUIRE_OK)
        return;
    unsigned nframes = 1u << block->order;
    if (block->frame.number % nframes != 0 || block->frame.number + nframes > end)
        sim_fail(sim, "order %u at frame %u of %llu", block->order, block->frame.number,
                 (unsigned long long)end);
    block->bytes = quire_frame_window(sim->q, block->frame);
    if (!block->nbytes || block->nbytes > QUIRE_PAGE_SIZE << block->order)
        block->nbytes = QUIRE_PAGE_SIZE << block->order;
}

/* Where weak devices reach, or the kernel; zeroed, and where it says. */
static void take_device(struct sim *sim, struct sim_block *block) {
    uint64_t end =
        sim->plan.field[SIM_DMA_END] ? sim->plan.field[SIM_DMA_END] : sim->plan.field[SIM_RAM];
    uint64_t mask = end * QUIRE_PAGE_SIZE - 1;
    quire_paddr device;
    size_t at;
    block->bytes = quire_dma_alloc(sim->q, block->nbytes, mask, &device);
    if (!block->bytes)
        return;
    if (device.value + block->nbytes - 1 > mask ||
        block->bytes !=
            quire_mach_window(sim->machine, (quire_frame){(uint32_t)(device.value >> 12)}))
        sim_fail(sim, "dma: %zu bytes at 0x%llx", block->nbytes, (unsigned long long)device.value);
    if (!sim_all_bytes(block->bytes, block->nbytes, 0, &at))
        sim_fail(sim, "dma: byte %zu of %zu is not zero", at, block->nbytes);
}

bool sim_block_alloc(struct sim *sim, struct sim_block *block, enum sim_block_kind kind,
                     unsigned order, size_t nbytes, uint8_t value) {
    *block = (struct sim_block){.kind = kind, .order = order, .nbytes = nbytes};
    if (kind == SIM_BLOCK_BYTES)
        block->bytes = quire_kmalloc(sim->q, nbytes);
    else if (kind == SIM_BLOCK_AREA) {
        block->nbytes = nbytes * AREA_FACTOR;
        block->bytes = quire_vmalloc(sim->q, block->nbytes);
    } else if (kind == SIM_BLOCK_EITHER) {
        block->bytes = quire_kvmalloc(sim->q, nbytes);
    } else if (kind == SIM_BLOCK_DEVICE) {
        take_device(sim, block);
    } else
        take_frames(sim, block);
    if (block->bytes)
        mark_block(block, value);
    return block->bytes != NULL;
}

static uint64_t free_pages(const struct sim *sim) {
    struct quire_usage usage;
    quire_usage(sim->q, &usage);
    return usage.free;
}

/* Tall worlds, whose RAM has several sections: what is left lies scattered over all of them, so
 * that there is something to move together. */
static void scatter_ballast(struct sim *sim, uint64_t *random) {
    while (sim->nballast < SIM_BALLAST &&
           sim_block_alloc(sim, &sim->ballast[sim->nballast], SIM_BLOCK_FRAMES, BALLAST_ORDERS - 1,
                           QUIRE_PAGE_SIZE, (uint8_t)*random))
        sim->nballast++;
    while (sim->nballast > 0 && free_pages(sim) < sim->plan.field[SIM_FREE]) {
        struct sim_block *block = &sim->ballast[sim_splitmix64(random) % sim->nballast];
        sim_block_free(sim, block);
        *block = sim->ballast[--sim->nballast];
        sim->ballast[sim->nballast].bytes = NULL;
    }
}

static void take_ballast(struct sim *sim) {
    uint64_t random = sim->plan.field[SIM_SEED], target = sim->plan.field[SIM_FREE];
    if (sim->plan.field[SIM_RAM] >= SIM_TALL_PAGES && sim->plan.field[SIM_DMA_END] == 0)
        scatter_ballast(sim, &random);
    while (free_pages(sim) > target && sim->nballast < SIM_BALLAST) {
        uint64_t more = free_pages(sim) - target;
        unsigned order = sim_splitmix64(&random) % BALLAST_ORDERS;
        order = more > BALLAST_LARGE ? BALLAST_ORDERS : order;
        while (order > 0 && more < 1u << order)
            order--;
        struct sim_block *block = &sim->ballast[sim->nballast];
        if (!sim_block_alloc(sim, block, SIM_BLOCK_FRAMES, order, QUIRE_PAGE_SIZE, (uint8_t)random))
            break;
        sim->nballast++;
    }
}

static void start_machine(struct sim *sim) {
    const uint64_t *plan = sim->plan.field;
    struct quire_soft_config soft = {
        .ram_bytes = plan[SIM_RAM] * QUIRE_PAGE_SIZE,
        .swap_bytes = {plan[SIM_SWAP0] * QUIRE_PAGE_SIZE, plan[SIM_SWAP1] * QUIRE_PAGE_SIZE,
                       plan[SIM_SEGMENT_SWAP] * QUIRE_PAGE_SIZE},
        .swap_step_bytes = {plan[SIM_SWAP_STEP] * QUIRE_PAGE_SIZE},
        .swap_max_bytes = {plan[SIM_SWAP_MOST] * QUIRE_PAGE_SIZE},
        .seed = plan[SIM_SEED],
        .dma = (enum quire_soft_dma)plan[SIM_DMA],
        .dma_reach_bytes = (uint64_t)1 << 20, /* part of RAM: the rest is bounced */
        .kernel_map = plan[SIM_KERNEL] != 0,
        .format = quire_radix_format_at((unsigned)plan[SIM_FORMAT]),
        .harts = (unsigned)plan[SIM_NCPUS],
        .oom_kill = oom_kill,
        .log = say_log,
        .context = sim,
    };
    set_base(soft.format);
    if (quire_soft_create(&soft, &sim->machine) != QUIRE_OK)
        sim_fail(sim, "no machine");
    const uint64_t high = plan[SIM_HIGH] * QUIRE_PAGE_SIZE;
    const uint64_t zone_ends[QUIRE_NZONES] = {plan[SIM_DMA_END] * QUIRE_PAGE_SIZE, 0,
                                              high ? high : UINT64_MAX, high ? UINT64_MAX : 0};
    struct quire_config config = {
        .zone_ends = plan[SIM_DMA_END] || high ? zone_ends : NULL,
        .check_objects = plan[SIM_CHECK_OBJECTS] != 0,
        .thp = (enum quire_thp)plan[SIM_THP],
        .policy = quire_policy_at((unsigned)plan[SIM_POLICY]),
        .ncpus = (unsigned)plan[SIM_NCPUS],
        .machine = sim->machine,
        .swappiness = (unsigned)plan[SIM_SWAPPINESS],
        .min_free_pages = plan[SIM_MIN_FREE],
        .page_cluster = (unsigned)plan[SIM_CLUSTER],
        .reserve_bytes =
            plan[SIM_SEGMENTS] ? (plan[SIM_SEGMENTS] + SIM_TABLES_PAGES) * QUIRE_PAGE_SIZE : 0,
    };
    enum quire_status status = quire_create(&config, &sim->q);
    if (status != QUIRE_OK)
        sim_fail(sim, "quire_create: %s with %llu pages", quire_status_name(status),
                 (unsigned long long)plan[SIM_RAM]);
    if (plan[SIM_ZSWAP] > 0) /* a machine without the codec refuses: then there is none */
        (void)quire_zswap(sim->q, plan[SIM_ZSWAP] % 2 ? QUIRE_ZSWAP_LZ4 : QUIRE_ZSWAP_ZSTD,
                          (unsigned)plan[SIM_ZSWAP]);
}

void sim_world_create(struct sim *sim, const struct sim_plan *plan, bool verbose) {
    uint64_t audit_every = sim->audit_every;
    char *why = sim->why;
    memset(sim, 0, sizeof *sim);
    sim->audit_every = audit_every;
    sim->why = why;
    sim->plan = *plan;
    sim->pager_random = ~plan->field[SIM_SEED];
    sim->in_space = -1;
    sim->verbose = verbose;
    start_machine(sim);
    sim->model.stack_limit_pages = STACK_PAGES;
    sim->model.stack_gap_pages = GAP_PAGES;
    for (int object = 0; object < MODEL_OBJECTS; object++)
        sim_object_create(sim, object);
    take_ballast(sim);
    if (plan->field[SIM_SEGMENTS])
        sim_segments_begin(sim);
    sim_limits_begin(sim);
    if (plan->field[SIM_SWAPON])
        (void)quire_swapon(sim->q, 0, 1);
    inject(sim);
}

bool sim_space_create(struct sim *sim, unsigned s, unsigned brk_page) {
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
    space->brk_page = brk_page;
    sim_limits_of_new(sim, s, -1);
    quire_brk_start(sim->spaces[s], quire_va(sim_va(space->brk_page)));
    return true;
}

void sim_space_destroy(struct sim *sim, unsigned s) {
    quire_space_destroy(sim->spaces[s]);
    sim->spaces[s] = NULL;
    memset(&sim->model.spaces[s], 0, sizeof sim->model.spaces[s]);
    sim->sizes[s] = (struct sim_size){0}; /* the next one here may be a large child */
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
        if (!sim->plan.field[SIM_FAILING] && !sim_refused(sim, status, -1, MODEL_OBJECT_PAGES / 2))
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
    quire_soft_fail_io(sim->machine, 1, 0);
    sim->pager_count = 0;
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
    }
    for (unsigned i = 0; i < SIM_BALLAST; i++) {
        if (sim->ballast[i].bytes)
            sim_block_free(sim, &sim->ballast[i]);
    }
    sim_kernel_end(sim);
    sim_device_end(sim);
    if (sim->plan.field[SIM_SEGMENTS])
        sim_segments_end(sim);
    quire_audit(sim->q);
    verify_empty(sim);
    for (unsigned device = 0; device < SIM_DEVICES; device++)
        (void)quire_swapoff(sim->q, device);
    sim->hash ^= quire_trace_hash(sim->q);
    sim->counters = *quire_counters(sim->q);
    quire_soft_counters(sim->machine, &sim->disk);
    quire_destroy(sim->q);
    quire_soft_destroy(sim->machine);
}
