/* world.c: the machine with its manager, up and down; accesses of programs; what a fault that
 * cannot be resolved means for a program.
 *
 * I1  A space whose program ended is destroyed as soon as nothing of it is on the stack: at once,
 *     or by lab_settle when the OOM killer chose the one that is in a fault.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lab/inside.h"
#include "machine/soft/mmu.h"

#define SIGBUS_NUMBER  7
#define SIGKILL_NUMBER 9
#define SIGSEGV_NUMBER 11

static void on_log(void *context, const char *line) {
    struct lab_world *world = context;
    if (world->log)
        lab_text_print(world->log, "  kernel: %s\n", line);
}

static void on_oom_kill(void *context, void *owner, const char *why) {
    struct lab_world *world = context;
    struct lab_process *process = owner;
    world->oom_kills++;
    world->last_killed = process->pid;
    on_log(world, why);
    if (process == world->running)
        process->killed = true;
    else
        lab_process_end(world, process, 128 + SIGKILL_NUMBER);
}

static void on_dma_cycle(void *context, const struct quire_dma_cycle *cycle) {
    (void)cycle;
    ((struct lab_world *)context)->dma_cycles++;
}

static bool create_machine(struct lab_world *world, char *error) {
    const struct lab_machine *config = &world->config;
    struct quire_soft_config soft = {.ram_bytes = config->ram_bytes,
                                     .seed = config->seed,
                                     .format = config->format,
                                     .harts = config->harts,
                                     .kernel_map = config->kernel_map,
                                     .dma = config->dma,
                                     .dma_reach_bytes = config->dma_reach_bytes,
                                     .oom_kill = on_oom_kill,
                                     .log = on_log,
                                     .context = world};
    memcpy(soft.swap_bytes, config->swap_bytes, sizeof soft.swap_bytes);
    soft.swap_step_bytes[0] = config->swap_step_bytes;
    soft.swap_max_bytes[0] = config->swap_max_bytes;
    enum quire_status status = quire_soft_create(&soft, &world->machine);
    if (status == QUIRE_OK)
        return true;
    world->machine = NULL;
    snprintf(error, LAB_ERROR_BYTES, "%s",
             status == QUIRE_NOMEM ? "the host has no memory for such a machine"
                                   : "there is no such machine: with 4-byte entries RAM ends at "
                                     "16 GiB, and one level has no kernel part");
    return false;
}

static bool create_manager(struct lab_world *world, char *error) {
    const struct lab_machine *config = &world->config;
    quire_soft_layout(world->machine, &world->layout);
    struct quire_config manager = {.machine = world->machine,
                                   .kernel_area_va = world->layout.area_base,
                                   .swappiness = config->swappiness,
                                   .page_cluster = config->page_cluster,
                                   .overcommit = (enum quire_overcommit_mode)config->overcommit,
                                   .min_free_pages = config->min_free_pages,
                                   .check_objects = config->check_objects,
                                   .policy = config->policy,
                                   .reserve_bytes = config->reserve_bytes,
                                   .thp = config->thp};
    if (config->layout32)
        manager.zone_ends = quire_layout32_zone_ends;
    enum quire_status status = quire_create(&manager, &world->q);
    if (status == QUIRE_OK)
        return true;
    world->q = NULL;
    snprintf(error, LAB_ERROR_BYTES,
             "the manager does not fit into such a machine (%s); give it "
             "more --ram, or less to --reserve",
             quire_status_name(status));
    return false;
}

static bool create_tables(struct lab_world *world, char *error) {
    world->processes = calloc(LAB_PROCESSES, sizeof *world->processes);
    world->things = calloc(LAB_THINGS, sizeof *world->things);
    if (world->processes && world->things)
        return true;
    snprintf(error, LAB_ERROR_BYTES, "the host has no memory for a session's tables");
    return false;
}

static void swap_on(struct lab_world *world) {
    for (unsigned i = 0; i < QUIRE_SOFT_SWAPS; i++) {
        if (world->config.swap_on && world->config.swap_bytes[i])
            (void)quire_swapon(world->q, i, QUIRE_SWAP_PRIORITY_AUTO);
    }
}

bool lab_world_up(struct lab_world *world, const struct lab_machine *config,
                  char error[LAB_ERROR_BYTES]) {
    struct lab_text *log = world->log;
    memset(world, 0, sizeof *world);
    world->config = *config;
    world->random = config->seed * 2 + 1;
    world->log = log;
    if (!create_tables(world, error) || !create_machine(world, error) ||
        !create_manager(world, error)) {
        lab_world_down(world);
        return false;
    }
    quire_soft_dma_probe(world->machine, on_dma_cycle, world);
    swap_on(world);
    world->next_pid = 2;
    world->processes[0] = (struct lab_process){.state = LAB_SLEEPING, .pid = 1, .name = "init"};
    return true;
}

static void free_thing(struct lab_world *world, struct lab_thing *thing);

/* A bus goes after its devices: until nothing more goes. */
static void free_things(struct lab_world *world, enum lab_thing_kind kind) {
    for (bool any = true; any;) {
        any = false;
        for (unsigned i = 0; world->things && i < LAB_THINGS; i++) {
            if (!world->things[i].used || world->things[i].kind != kind)
                continue;
            free_thing(world, &world->things[i]);
            any |= !world->things[i].used;
        }
    }
}

static void free_thing(struct lab_world *world, struct lab_thing *thing) {
    struct quire *q = world->q;
    thing->used = false;
    switch (thing->kind) {
    case LAB_FRAMES:
        quire_frames_free(q, thing->frame, (unsigned)thing->nbytes);
        break;
    case LAB_KMALLOC:
        quire_kfree(q, thing->pointer);
        break;
    case LAB_OBJECT:
        quire_cache_free(thing->owner->pointer, thing->pointer);
        break;
    case LAB_CACHE:
        (void)quire_cache_destroy(thing->pointer);
        break;
    case LAB_VMALLOC:
        quire_vfree(q, thing->pointer);
        break;
    case LAB_ELEMENT:
        quire_mempool_free(thing->owner->pointer, thing->pointer);
        break;
    case LAB_POOL:
        (void)quire_mempool_destroy(thing->pointer);
        break;
    case LAB_KMAP:
        quire_kunmap(q, thing->frame);
        break;
    case LAB_IOREMAP:
        quire_iounmap(thing->pointer);
        break;
    case LAB_REGION:
        thing->used = quire_release_region(thing->pointer) != QUIRE_OK;
        break;
    case LAB_DMA_MEMORY:
        quire_dma_free(q, thing->pointer, thing->nbytes);
        break;
    default:
        break; /* segments go with their memory */
    }
}

void lab_world_down(struct lab_world *world) {
    static const enum lab_thing_kind order[] = {LAB_OBJECT,  LAB_ELEMENT,    LAB_POOL,  LAB_CACHE,
                                                LAB_IOREMAP, LAB_REGION,     LAB_KMAP,  LAB_VMALLOC,
                                                LAB_KMALLOC, LAB_DMA_MEMORY, LAB_FRAMES};
    world->log = NULL;
    for (unsigned i = 0; world->processes && i < LAB_PROCESSES; i++) {
        if (world->processes[i].space)
            quire_space_destroy(world->processes[i].space);
    }
    if (world->segments)
        quire_segments_destroy(world->segments);
    for (unsigned i = 0; world->q && i < sizeof order / sizeof order[0]; i++)
        free_things(world, order[i]);
    for (unsigned i = 0; i < LAB_FILES; i++) {
        if (world->files[i].object)
            quire_object_unref(world->files[i].object);
        free(world->files[i].bytes);
    }
    lab_pools_end(world);
    if (world->q)
        quire_destroy(world->q);
    if (world->machine)
        quire_soft_destroy(world->machine);
    free(world->processes);
    free(world->things);
    memset(world, 0, sizeof *world);
}

/* ---- accesses ---------------------------------------------------------------------------------
 */

void lab_settle(struct lab_world *world) {
    for (unsigned i = 0; i < LAB_PROCESSES; i++) {
        struct lab_process *process = &world->processes[i];
        if (process->killed && process->space)
            lab_process_end(world, process, 128 + SIGKILL_NUMBER);
        process->killed = false;
    }
    (void)quire_soft_tick_if_due(world->machine, world->q);
}

static int signal_of(enum quire_status status) {
    return status == QUIRE_BUS      ? SIGBUS_NUMBER
           : status == QUIRE_KILLED ? SIGKILL_NUMBER
                                    : SIGSEGV_NUMBER;
}

enum quire_status lab_access(struct lab_world *world, struct lab_process *process, uint64_t va,
                             enum quire_access access, uint8_t **host) {
    struct quire_pmap *pmap = quire_space_pmap(process->space);
    if (!quire_tlb_select(pmap))
        return QUIRE_NOMEM;
    world->accesses++;
    quire_soft_charge(world->machine, 1);
    struct tlb_entry *slot = tlb_slot(pmap->tlb, va);
    uint64_t tag = access == QUIRE_ACCESS_WRITE ? slot->write_tag : slot->read_tag;
    if (access != QUIRE_ACCESS_EXEC && tag == (va & ~QUIRE_PAGE_MASK)) {
        world->tlb_hits++;
        *host = (uint8_t *)(uintptr_t)(va + slot->addend);
        return QUIRE_OK;
    }
    world->running = process;
    enum quire_status status = quire_mmu_access(pmap, va, access, host);
    world->running = NULL;
    if (status != QUIRE_OK && status != QUIRE_NOMEM) {
        world->signals++;
        world->last_signal = (uint64_t)signal_of(status);
        process->killed = false;
        lab_process_end(world, process, 128 + signal_of(status));
    }
    return status;
}
