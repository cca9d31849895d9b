/* facts.c: every number that can be asked for, by name; and functions of one number.
 *
 * A fact is a field of what lab_look copies together, so that a row is a name, a place and a line
 * of help. Looking changes nothing (I2 of session.c).
 */
#include <stdlib.h>
#include <string.h>

#include "lab/inside.h"

static const struct quire_walk_step *leaf_of(const struct quire_walk *walk) {
    for (unsigned i = walk->nsteps; i > 0; i--) {
        if (walk->steps[i - 1].kind == QUIRE_WALK_LEAF)
            return &walk->steps[i - 1];
    }
    return NULL;
}

static void look_at_walk(struct lab_world *world, struct lab_sight *sight) {
    const struct quire_walk_step *leaf = leaf_of(&world->walk);
    sight->walk_accesses = world->walk.accesses;
    sight->walk_physical = world->walk.physical;
    sight->walk_linear = world->walk.linear;
    sight->walk_fault = world->walk.fault;
    sight->walk_steps = world->walk.nsteps;
    sight->walk_entry = leaf ? leaf->value : 0;
}

static uint64_t regions_of(const struct quire_space *space) {
    struct quire_region_info info;
    uint64_t n = 0, at = 0;
    for (; quire_region_at_or_after(space, quire_va(at), false, &info); at = info.end.value)
        n++;
    return n;
}

static void look_at_processes(struct lab_world *world, struct lab_sight *sight) {
    for (unsigned i = 0; i < LAB_PROCESSES; i++) {
        struct lab_process *process = &world->processes[i];
        struct quire_radix_cost cost;
        sight->nprocesses += process->state != LAB_GONE && process->state != LAB_ZOMBIE;
        sight->zombies += process->state == LAB_ZOMBIE;
        if (process->space) {
            quire_soft_tables(quire_space_pmap(process->space), &cost);
            sight->tables_all += cost.nbytes;
        }
    }
    struct lab_process *current = world->current;
    if (!current)
        return;
    sight->pid = (uint64_t)current->pid;
    sight->heap_start = current->heap_start;
    sight->text = current->text;
    sight->data = current->data;
    sight->bss = current->bss;
    sight->stack_top = current->stack_top;
    if (!current->space)
        return;
    quire_space_usage(current->space, &sight->proc);
    sight->rss = sight->proc.resident_anon + sight->proc.resident_file + sight->proc.resident_shmem;
    sight->regions = regions_of(current->space);
    sight->oom_score = quire_space_oom_score(current->space);
    quire_soft_tables(quire_space_pmap(current->space), &sight->tables);
    if (current->heap) {
        struct quire_heap *heap = lab_heap(world, current);
        world->peeking = true;
        world->peeks = 0;
        quire_heap_measure(heap, &sight->heap);
        world->peeking = false;
    }
}

void lab_look(struct lab_world *world, struct lab_sight *sight) {
    memset(sight, 0, sizeof *sight);
    if (!world->q)
        return;
    quire_usage(world->q, &sight->mem);
    sight->vm = *quire_counters(world->q);
    quire_soft_counters(world->machine, &sight->cpu);
    look_at_processes(world, sight);
    look_at_walk(world, sight);
    if (world->segments)
        quire_segments_figures(world->segments, &sight->seg);
    sight->now_ns = quire_soft_hart_ns(world->machine, 0);
    sight->accesses = world->accesses;
    sight->tlb_hits = world->tlb_hits;
    sight->signals = world->signals;
    sight->last_signal = world->last_signal;
    sight->last_killed = (uint64_t)world->last_killed;
    sight->unit_checks = world->unit.checks;
    sight->unit_refusals = world->unit.refusals;
    sight->segpage_accesses = world->segpage.accesses;
    sight->segpage_hits = world->segpage.hits;
    sight->dma_cycles = world->dma_cycles;
    sight->user_end = world->layout.user_end;
    sight->direct_base = world->layout.direct_base;
    sight->direct_bytes = world->layout.direct_bytes;
    sight->area_base = world->layout.area_base;
    sight->page_bytes = PAGE;
    sight->ram_bytes = world->config.ram_bytes;
    for (unsigned i = 0; i < LAB_FILES; i++) {
        sight->reads += world->files[i].object ? world->files[i].reads : 0;
        sight->writes += world->files[i].object ? world->files[i].writes : 0;
    }
}

#define FACT(name, member, moves, help)                                                          \
    {                                                                                            \
        name, help, offsetof(struct lab_sight, member), sizeof(((struct lab_sight *)0)->member), \
            moves                                                                                \
    }

const struct lab_fact lab_facts[] = {
    /* The program. */
    FACT("pid", pid, false, "number of the process that commands are about"),
    FACT("cpu.accesses", accesses, false, "loads, stores and fetches by programs"),
    FACT("cpu.tlb_hits", tlb_hits, true, "of them answered by the TLB"),
    FACT("cpu.tlb_misses", cpu.tlb_misses, true, "of them that walked the tables"),
    FACT("cpu.tlb_flushes", cpu.tlb_flushes, true, "TLB entries dropped because a mapping changed"),
    FACT("cpu.tlb_large_fills", cpu.tlb_large_fills, true, "TLB entries of 2 MiB filled"),
    FACT("cpu.faults", cpu.faults, true, "walks that ended in a page fault"),
    FACT("cpu.signals", signals, true, "programs ended by SIGSEGV, SIGBUS, SIGKILL"),
    FACT("cpu.last_signal", last_signal, false, "7 SIGBUS, 9 SIGKILL, 11 SIGSEGV"),
    FACT("clock", now_ns, false, "the machine's time, ns"),
    FACT("cpu.stall_ns", cpu.stall_ns, true, "programs waited for the disk, ns"),
    FACT("cpu.background_ns", cpu.background_ns, true, "disk time while nobody waited, ns"),
    /* Its process. */
    FACT("proc.virtual", proc.virtual_pages, true, "pages of its regions"),
    FACT("proc.regions", regions, true, "its regions: lines of maps"),
    FACT("proc.rss", rss, true, "pages of it in RAM"),
    FACT("proc.anon", proc.resident_anon, false, "of them anonymous"),
    FACT("proc.file", proc.resident_file, false, "of them a file's"),
    FACT("proc.shmem", proc.resident_shmem, false, "of them shared memory"),
    FACT("proc.swapped", proc.swapped, true, "pages of it on swap"),
    FACT("proc.page_tables", proc.page_tables, true, "frames of its page tables"),
    FACT("proc.stack", proc.stack, true, "pages of its stack's region"),
    FACT("proc.locked", proc.locked, true, "pages of locked regions"),
    FACT("proc.minor_faults", proc.minor_faults, true, "faults without I/O"),
    FACT("proc.major_faults", proc.major_faults, true, "faults that waited for a disk"),
    FACT("proc.stalls", proc.stalls, true, "times it waited for memory"),
    FACT("proc.stall_ns", proc.stall_ns, true, "how long, ns"),
    FACT("proc.oom_score", oom_score, false, "badness, 0 to 2000"),
    FACT("proc.text", text, false, "where its text begins"),
    FACT("proc.data", data, false, "where its data begins"),
    FACT("proc.bss", bss, false, "where its zeroed data begins"),
    FACT("proc.heap_start", heap_start, false, "where its heap begins"),
    FACT("proc.stack_top", stack_top, false, "the first address above its stack"),
    FACT("processes", nprocesses, false, "that live, process 1 included"),
    FACT("zombies", zombies, true, "that ended, and nobody has waited for"),
    /* Its heap. */
    FACT("heap.system", heap.system_bytes, true, "bytes had by brk"),
    FACT("heap.used", heap.used_bytes, true, "of them in blocks, headers included"),
    FACT("heap.blocks", heap.used_blocks, true, "blocks"),
    FACT("heap.free", heap.free_bytes, true, "bytes free, the end included"),
    FACT("heap.free_chunks", heap.free_chunks, true, "free chunks"),
    FACT("heap.largest", heap.largest_free, false, "bytes of the largest free chunk"),
    FACT("heap.top", heap.top_bytes, false, "bytes of the free end"),
    FACT("heap.mapped", heap.mapped_bytes, true, "bytes had by mmap"),
    FACT("heap.mapped_blocks", heap.mapped_blocks, true, "blocks with a mapping of their own"),
    FACT("heap.threshold", heap.mmap_threshold, true, "from so many bytes on, mmap"),
    FACT("heap.fragmentation", heap.fragmentation_permille, false,
         "thousandths of free memory that are not in the largest chunk"),
    /* Page tables. */
    FACT("tables.bytes", tables.nbytes, false, "of the process's page tables"),
    FACT("tables.all", tables_all, false, "of all processes' page tables, bytes"),
    FACT("tables.level0", tables.tables[0], false, "its tables of the first level"),
    FACT("tables.level1", tables.tables[1], false, "of the second"),
    FACT("tables.level2", tables.tables[2], false, "of the third"),
    FACT("tables.level3", tables.tables[3], false, "of the fourth"),
    /* Faults. */
    FACT("vm.faults", vm.pgfault, true, "page faults resolved"),
    FACT("vm.major", vm.pgmajfault, true, "of them with I/O"),
    FACT("vm.zero", vm.fault_zero, true, "of them that got a zeroed frame"),
    FACT("vm.cow", vm.fault_cow, true, "of them that copied a frame"),
    FACT("vm.swapin_faults", vm.fault_swap, true, "of them for a page on swap"),
    FACT("vm.file_faults", vm.fault_file, true, "of them for a file's page"),
    FACT("vm.refills", vm.fault_refill, true, "of them that only lacked a table entry"),
    FACT("file.reads", reads, true, "pages read from files"),
    FACT("file.writes", writes, true, "pages written to files"),
    /* Frames. */
    FACT("mem.total", mem.total, false, "frames that the manager has"),
    FACT("mem.free", mem.free, true, "frames that are free"),
    FACT("mem.anon", mem.anon, true, "frames of anonymous pages"),
    FACT("mem.file", mem.file, true, "frames of the page cache"),
    FACT("mem.shmem", mem.shmem, true, "frames of shared memory"),
    FACT("mem.page_tables", mem.page_tables, true, "frames of page tables"),
    FACT("mem.slab", mem.slab, true, "frames of slabs"),
    FACT("mem.kernel", mem.kernel, true, "frames of the kernel otherwise"),
    FACT("mem.available", mem.available, false, "estimate of what can be had without swapping"),
    FACT("mem.active_anon", mem.active_anon, false, "on the active list of anonymous pages"),
    FACT("mem.inactive_anon", mem.inactive_anon, false, "on the inactive one"),
    FACT("mem.active_file", mem.active_file, false, "on the active list of file pages"),
    FACT("mem.inactive_file", mem.inactive_file, false, "on the inactive one"),
    FACT("mem.dirty", mem.dirty, true, "pages that a file does not have yet"),
    FACT("mem.committed", mem.committed, true, "pages promised"),
    FACT("mem.commit_limit", mem.commit_limit, false, "pages that may be, in mode never"),
    FACT("mem.min", mem.watermark_min, false, "watermark: below it who allocates reclaims"),
    FACT("mem.low", mem.watermark_low, false, "watermark: below it kswapd works"),
    FACT("mem.high", mem.watermark_high, false, "watermark: until here"),
    FACT("mem.huge", mem.anon_huge, true, "pages mapped by blocks of 2 MiB"),
    FACT("vm.alloc", vm.pgalloc, false, "frames given"),
    FACT("vm.free", vm.pgfree, false, "frames taken back"),
    /* Pressure. */
    FACT("vm.scan_kswapd", vm.pgscan_kswapd, true, "pages looked at in the background"),
    FACT("vm.scan_direct", vm.pgscan_direct, true, "by who waits"),
    FACT("vm.steal_kswapd", vm.pgsteal_kswapd, true, "pages taken in the background"),
    FACT("vm.steal_direct", vm.pgsteal_direct, true, "by who waits"),
    FACT("vm.stalls", vm.allocstall, true, "times an allocation reclaimed by itself"),
    FACT("vm.stall_ns", vm.stall_ns, true, "programs waited for memory, ns"),
    FACT("vm.oom_kills", vm.oom_kill, true, "programs killed for want of memory"),
    FACT("oom.last", last_killed, false, "the process that was killed last"),
    FACT("vm.slab_reclaim", vm.slab_reclaim, true, "frames that slabs gave back under pressure"),
    FACT("vm.drop_pagecache", vm.drop_pagecache, false, "drop_caches 1 and 3"),
    FACT("vm.drop_slab", vm.drop_slab, false, "drop_caches 2 and 3"),
    FACT("vm.compact_stall", vm.compact_stall, true, "compactions that somebody waited for"),
    FACT("vm.compact_success", vm.compact_success, true, "of them that made a block"),
    FACT("vm.migrated", vm.pgmigrate_success, true, "pages moved by compaction"),
    FACT("vm.refaults_anon", vm.workingset_refault_anon, true, "anonymous pages that came back"),
    FACT("vm.refaults_file", vm.workingset_refault_file, true, "file pages that came back"),
    FACT("vm.activated_file", vm.workingset_activate_file, true,
         "of them put among the active at once"),
    /* Swap and its disk. */
    FACT("swap.total", mem.swap_total, true, "pages of all areas"),
    FACT("swap.free", mem.swap_free, true, "of them free"),
    FACT("swap.in", vm.pswpin, true, "pages read"),
    FACT("swap.out", vm.pswpout, true, "pages written"),
    FACT("swap.clean", vm.swap_clean, true, "pages that left without a write"),
    FACT("swap.ahead", vm.swap_ra, true, "pages read ahead"),
    FACT("swap.ahead_hits", vm.swap_ra_hit, true, "of them used"),
    FACT("disk.reads", cpu.disk_reads, true, "pages"),
    FACT("disk.writes", cpu.disk_writes, true, "pages"),
    FACT("dma.interrupts", cpu.dma_interrupts, true, "pages that the DMA controller moved"),
    FACT("dma.bounced", cpu.dma_bounced, true, "of them through the bounce buffer"),
    FACT("dma.cycles", dma_cycles, true, "clock cycles of the controller"),
    /* The last walk. */
    FACT("walk.accesses", walk_accesses, false, "of memory, the datum's included"),
    FACT("walk.steps", walk_steps, false, "steps of all units"),
    FACT("walk.physical", walk_physical, false, "where it came out"),
    FACT("walk.linear", walk_linear, false, "between segmentation and paging"),
    FACT("walk.entry", walk_entry, false, "the entry that maps the page"),
    FACT("walk.fault", walk_fault, false,
         "0 none, 1 not present, 2 not allowed, 3 not a program's, 4 no address, 5 segmentation"),
    /* Segments. */
    FACT("seg.free", seg.free, true, "bytes free under pure segmentation"),
    FACT("seg.used", seg.used, true, "bytes used"),
    FACT("seg.requested", seg.requested, false, "of them asked for"),
    FACT("seg.largest_hole", seg.largest_hole, true, "bytes"),
    FACT("seg.holes", seg.nholes, true, "holes"),
    FACT("seg.segments", seg.nsegments, false, "segments"),
    FACT("seg.present", seg.npresent, false, "of them in RAM"),
    FACT("seg.external", seg.external_permille, true,
         "external fragmentation, thousandths of what is free"),
    FACT("seg.refused", seg.refused, true, "requests refused"),
    FACT("seg.compactions", seg.compactions, true, "compactions"),
    FACT("seg.moved", seg.moved, true, "segments moved"),
    FACT("seg.moved_bytes", seg.moved_bytes, true, "bytes moved"),
    FACT("seg.swapped_out", seg.swapped_out, true, "segments swapped out"),
    FACT("seg.swapped_in", seg.swapped_in, true, "segments swapped in"),
    FACT("seg.pages_out", seg.pages_out, true, "pages written for that"),
    FACT("seg.pages_in", seg.pages_in, true, "pages read for that"),
    FACT("seg.looked_at", seg.looked_at, true, "holes looked at"),
    FACT("unit.checks", unit_checks, true, "accesses that the segmentation unit judged"),
    FACT("unit.refusals", unit_refusals, true, "of them refused"),
    FACT("segpage.accesses", segpage_accesses, true, "of memory by the segmented-paging unit"),
    FACT("segpage.hits", segpage_hits, true, "of its associative registers"),
    /* What does not change. */
    FACT("page", page_bytes, false, "bytes of a page"),
    FACT("ram", ram_bytes, false, "bytes"),
    FACT("user_end", user_end, false, "user addresses lie below"),
    FACT("direct_base", direct_base, false, "the kernel's window on RAM begins here"),
    FACT("direct_bytes", direct_bytes, false, "and has so many bytes"),
    FACT("vmalloc_base", area_base, false, "the vmalloc area begins here"),
    FACT("steps", steps, false, "lines of history"),
};
const size_t lab_nfacts = sizeof lab_facts / sizeof lab_facts[0];

uint64_t lab_fact_of(const struct lab_fact *fact, const struct lab_sight *sight) {
    const char *at = (const char *)sight + fact->offset;
    uint32_t small;
    uint64_t large;
    if (fact->nbytes == sizeof small) {
        memcpy(&small, at, sizeof small);
        return small;
    }
    memcpy(&large, at, sizeof large);
    return large;
}

/* ---- functions --------------------------------------------------------------------------------
 */

static struct quire_space *current_space(struct lab *lab) {
    return lab->world.current ? lab->world.current->space : NULL;
}

static bool pagemap(struct lab *lab, int64_t va, uint64_t *word) {
    struct quire_space *space = current_space(lab);
    if (!space || (uint64_t)va >= lab->world.layout.user_end)
        return false;
    *word = quire_view_pagemap(space, quire_va((uint64_t)va));
    return true;
}

static bool f_resident(struct lab *lab, int64_t va, int64_t *value) {
    uint64_t word = 0;
    bool good = pagemap(lab, va, &word);
    *value = (int64_t)(word >> 63);
    return good;
}

static bool f_swapped(struct lab *lab, int64_t va, int64_t *value) {
    uint64_t word = 0;
    bool good = pagemap(lab, va, &word);
    *value = (int64_t)(word >> 62 & 1);
    return good;
}

static bool f_frame(struct lab *lab, int64_t va, int64_t *value) {
    uint64_t word = 0;
    bool good = pagemap(lab, va, &word);
    *value = word >> 63 ? (int64_t)(word & (((uint64_t)1 << 55) - 1)) : -1;
    return good;
}

static bool f_entry(struct lab *lab, int64_t va, int64_t *value) {
    struct quire_walk walk;
    if (!current_space(lab))
        return false;
    quire_soft_walk(quire_space_pmap(current_space(lab)), (uint64_t)va, QUIRE_ACCESS_READ, true,
                    false, &walk);
    const struct quire_walk_step *leaf = leaf_of(&walk);
    *value = leaf ? (int64_t)leaf->value : 0;
    return true;
}

/* Eight bytes of the process, looked at without a fault. */
static bool f_word(struct lab *lab, int64_t va, int64_t *value) {
    struct quire_space *space = current_space(lab);
    return space && (uint64_t)va < lab->world.layout.user_end &&
           quire_soft_peek(quire_space_pmap(space), (uint64_t)va, value, sizeof *value);
}

/* The frame behind an address that vmalloc gave. */
static bool f_kframe(struct lab *lab, int64_t va, int64_t *value) {
    for (unsigned i = 0; i < LAB_THINGS; i++) {
        const struct lab_thing *thing = &lab->world.things[i];
        uint64_t offset = (uint64_t)va - thing->address;
        quire_frame frame;
        if (!thing->used || thing->kind != LAB_VMALLOC || offset >= thing->nbytes)
            continue;
        if (!quire_vmalloc_frame(lab->world.q, (const char *)thing->pointer + offset, &frame))
            return false;
        *value = frame.number;
        return true;
    }
    return false;
}

/* Free blocks of an order, in all zones: the columns of buddyinfo. */
static bool f_blocks(struct lab *lab, int64_t order, int64_t *value) {
    struct lab_text text = {0};
    *value = 0;
    if (order < 0 || order >= QUIRE_NORDERS)
        return false;
    lab_show_system(&text, lab->world.q, quire_view_buddyinfo);
    char *rest = text.bytes;
    for (char *line; rest && (line = strsep(&rest, "\n")) && *line;) {
        char *at = strstr(line, "zone");
        at += strcspn(at, " ");
        at += strspn(at, " ");
        at += strcspn(at, " ");
        for (int64_t i = 0; i <= order; i++) {
            int64_t count = (int64_t)strtoull(at, &at, 10);
            *value += i == order ? count : 0;
        }
    }
    free(text.bytes);
    return true;
}

static bool state_of(struct lab *lab, int64_t pid, int64_t *value) {
    struct lab_process *process = NULL;
    for (unsigned i = 0; i < LAB_PROCESSES; i++) {
        if (lab->world.processes[i].pid == pid && lab->world.processes[i].state != LAB_GONE)
            process = &lab->world.processes[i];
    }
    if (!process)
        return false;
    *value = process->state;
    return true;
}

static bool f_alive(struct lab *lab, int64_t pid, int64_t *value) {
    bool known = state_of(lab, pid, value);
    *value = known && *value != LAB_ZOMBIE;
    return true;
}

static bool f_zombie(struct lab *lab, int64_t pid, int64_t *value) {
    bool known = state_of(lab, pid, value);
    *value = known && *value == LAB_ZOMBIE;
    return true;
}

static bool f_parent(struct lab *lab, int64_t pid, int64_t *value) {
    for (unsigned i = 0; i < LAB_PROCESSES; i++) {
        if (lab->world.processes[i].pid == pid && lab->world.processes[i].state != LAB_GONE) {
            *value = lab->world.processes[i].parent;
            return true;
        }
    }
    return false;
}

const struct lab_function lab_functions[] = {
    {"resident", "1: the page of this address has a frame", f_resident},
    {"swapped", "1: it lies on swap", f_swapped},
    {"frame", "the number of its frame, -1: none", f_frame},
    {"kframe", "the number of the frame behind this address of vmalloc", f_kframe},
    {"word", "the 8 bytes there, looked at without a fault", f_word},
    {"entry", "the bits of its page-table entry, 0: none", f_entry},
    {"blocks", "free blocks of this order (0 to 10), as in buddyinfo", f_blocks},
    {"alive", "1: this process lives", f_alive},
    {"zombie", "1: this process has ended and was not waited for", f_zombie},
    {"parent", "the number of this process's parent", f_parent},
};
const size_t lab_nfunctions = sizeof lab_functions / sizeof lab_functions[0];
