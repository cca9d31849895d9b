/* plan.c: what kind of world a seed stands for, and plans and steps as text.
 *
 *     plan seed 17 ram 300 swap0 40 ... audit 64
 *     spawn 0 12
 *     map 0 5 8 3 2 -1 0 0         # space 0, pages 5 to 12, read and write, fixed, anonymous
 *     store 0 6 1 10 2 77
 *
 * Worlds are small on purpose: a few hundred frames for four spaces that could fill twice as many,
 * so that after a few hundred steps everything is evicted, written and brought back all the time,
 * and an audit of the whole manager costs microseconds. One in two has mappings that vanish, one in
 * three fails allocations, one in five has disks that lie; the rest are healthy, and judged harder.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <quire/policy.h>

#include "steps.h"

/* sim_blocks has more of it: blocks are made while memory is plenty. */
#ifndef EXTRA_PAGES
#define EXTRA_PAGES 0
#endif
#ifndef DEFAULT_FORMAT
#define DEFAULT_FORMAT NULL
#endif
/* Worlds in a hundred that have memory in segments and its units beside; sim_segments: all. */
#ifndef SEGMENT_WORLDS
#define SEGMENT_WORLDS 10
#endif
/* RAM: what the manager itself needs, and not enough for what the programs want. */
#define RAM_PAGES_MIN   256
#define RAM_PAGES_MORE  (128 + EXTRA_PAGES)
#define SWAP_PAGES_MIN  2 /* the first page of an area is its header */
#define SWAP_PAGES_MORE 768
#define SWAP_STEP_MAX   100
#define DMA_PAGES       1024 /* a zone ends at 4 MiB, or a multiple */
#define HIGH_PAGES_MORE 60
#define MIN_FREE_MAX    24
/* What the ballast leaves for programs. They would like four times 160 pages and the objects. */
#define FREE_PAGES_MIN     50
#define FREE_PAGES_MORE    (130 + EXTRA_PAGES)
#define TALL_FREE_MORE     400
#define KERNEL_PAGES       128 /* for the tables of the kernel's part */
#define SWAPPINESS_MAX     200
#define SEGMENT_PAGES_MIN  8
#define SEGMENT_PAGES_MORE 12
/* A device for all segments whatever holes it has: three pages each, and holes of two between. */
#define SEGMENT_SWAP_AMPLE 160
/* How seldom things go wrong in worlds where they do: one in so many. */
#define PAGER_FAILS 150
#define DISK_MIN    20
#define DISK_MORE   400
#define DROP_MORE   20
/* Audits: after each step in one world of AUDIT_ALL, else every 2^8 to 2^13 steps. */
#define AUDIT_ALL   1024
#define AUDIT_SHIFT 8
#define AUDIT_MORE  6

const char *const sim_plan_names[SIM_PLAN_FIELDS] = {
    [SIM_SEED] = "seed",
    [SIM_RAM] = "ram",
    [SIM_SWAP0] = "swap0",
    [SIM_SWAP1] = "swap1",
    [SIM_SWAP_STEP] = "swap_step",
    [SIM_SWAP_MOST] = "swap_most",
    [SIM_NCPUS] = "ncpus",
    [SIM_DMA_END] = "dma_end",
    [SIM_HIGH] = "high",
    [SIM_LIMITS] = "limits",
    [SIM_THP] = "thp",
    [SIM_POLICY] = "policy",
    [SIM_CHECK_OBJECTS] = "check_objects",
    [SIM_SWAPPINESS] = "swappiness",
    [SIM_CLUSTER] = "cluster",
    [SIM_ZSWAP] = "zswap",
    [SIM_MIN_FREE] = "min_free",
    [SIM_FREE] = "free",
    [SIM_SWAPON] = "swapon",
    [SIM_FAILING] = "failing",
    [SIM_PAGER] = "pager",
    [SIM_FORMAT] = "format",
    [SIM_KERNEL] = "kernel",
    [SIM_DMA] = "dma",
    [SIM_SEGMENTS] = "segments",
    [SIM_SEGMENT_SWAP] = "segment_swap",
    [SIM_INJECT + QUIRE_SOFT_READ_ERROR] = "read_error",
    [SIM_INJECT + QUIRE_SOFT_WRITE_ERROR] = "write_error",
    [SIM_INJECT + QUIRE_SOFT_BIT_FLIP] = "bit_flip",
    [SIM_INJECT + QUIRE_SOFT_LOST_WRITE] = "lost_write",
    [SIM_INJECT + QUIRE_SOFT_MISDIRECTED] = "misdirected",
    [SIM_INJECT + QUIRE_SOFT_TORN_WRITE] = "torn_write",
    [SIM_INJECT + QUIRE_SOFT_STALE_READ] = "stale_read",
    [SIM_INJECT + QUIRE_SOFT_LATE_WRITE] = "late_write",
    [SIM_INJECT + QUIRE_SOFT_DROP_MAPPING] = "drop_mapping",
    [SIM_AUDIT] = "audit",
};

/* Set by --format; sim_blocks and sites have one from the start. */
const struct quire_radix_format *sim_format = DEFAULT_FORMAT;

/* Leaf tables of fewer entries are thousands for the kernel's part: more than these worlds have. */
#define KERNEL_LEAF_BITS 9

static void give_kernel_tables(struct sim_plan *plan) {
    uint64_t *f = plan->field;
    f[SIM_KERNEL] = 1;
    f[SIM_RAM] += KERNEL_PAGES;
    if (f[SIM_HIGH]) /* above what the kernel can use: as much must be left below */
        f[SIM_FREE] += KERNEL_PAGES;
}

/* Programs want Sv48; two worlds in five have another one. A single level takes 4 MiB a space. */
static void draw_format(struct sim *dice, struct sim_plan *plan) {
    uint64_t *f = plan->field;
    unsigned n = 0, drawn;
    while (quire_radix_format_at(n))
        n++;
    drawn = sim_chance(dice, 40) ? sim_pick(dice, n) : 0;
    while (sim_format && quire_radix_format_at(drawn) != sim_format)
        drawn = (drawn + 1) % n;
    uint64_t root = (uint64_t)1 << radix_root_order(quire_radix_format_at(drawn));
    if (root > 1) { /* a world whose kernel has all of RAM, and room for the tables of each space */
        uint64_t roots = root * (MODEL_SPACES + 1);
        f[SIM_HIGH] = f[SIM_DMA_END] = 0;
        f[SIM_RAM] = f[SIM_RAM] % root + roots;
        f[SIM_FREE] = f[SIM_FREE] % root + roots - root;
    }
    f[SIM_FORMAT] = drawn;
    const struct quire_radix_format *format = quire_radix_format_at(drawn);
    bool full = format->bits[format->levels - 1] >= KERNEL_LEAF_BITS;
    if (root == 1 && full && sim_chance(dice, 25))
        give_kernel_tables(plan);
}

/* RAM for them above the rest; one in four has the unit in front of paging: 32 bits, and the kernel
 * in the tables. */
static void draw_segments(struct sim *dice, struct sim_plan *plan) {
    uint64_t *f = plan->field;
    f[SIM_SEGMENTS] = SEGMENT_PAGES_MIN + sim_pick(dice, SEGMENT_PAGES_MORE);
    f[SIM_SEGMENT_SWAP] = sim_chance(dice, 70) ? SEGMENT_SWAP_AMPLE : 1 + sim_pick(dice, 20);
    f[SIM_RAM] += f[SIM_SEGMENTS] + SIM_TABLES_PAGES + 1;
    const struct quire_radix_format *format = quire_radix_format_at((unsigned)f[SIM_FORMAT]);
    unsigned sv32 = 0;
    while (quire_radix_format_at(sv32) != &quire_radix_sv32)
        sv32++;
    if (!sim_format && radix_root_order(format) == 0 && !f[SIM_KERNEL] && sim_chance(dice, 25)) {
        f[SIM_FORMAT] = sv32;
        give_kernel_tables(plan);
    }
}

void sim_plan_draw(struct sim_plan *plan, uint64_t seed) {
    static struct sim dice; /* only its stream is used */
    uint64_t *f = plan->field;
    unsigned npolicies = 0;
    dice.random = seed * 0x9E3779B97F4A7C15u + 1;
    memset(plan, 0, sizeof *plan);
    f[SIM_SEED] = seed;
    f[SIM_RAM] = RAM_PAGES_MIN + sim_pick(&dice, RAM_PAGES_MORE);
    f[SIM_SWAP0] = SWAP_PAGES_MIN + sim_pick(&dice, SWAP_PAGES_MORE);
    f[SIM_SWAP1] = SWAP_PAGES_MIN + sim_pick(&dice, SWAP_PAGES_MORE);
    if (sim_chance(&dice, 25)) {
        f[SIM_SWAP_MOST] = f[SIM_SWAP0];
        f[SIM_SWAP0] = SWAP_PAGES_MIN + f[SIM_SWAP0] / 8;
        f[SIM_SWAP_STEP] = 1 + sim_pick(&dice, SWAP_STEP_MAX);
    }
    f[SIM_NCPUS] = 1 + sim_pick(&dice, SIM_CPUS);
    if (sim_chance(&dice, 6)) { /* more RAM than weak devices reach */
        f[SIM_DMA_END] = DMA_PAGES;
        f[SIM_RAM] += DMA_PAGES;
    } else if (sim_chance(&dice, 15)) {
        f[SIM_RAM] += SIM_TALL_PAGES;
        f[SIM_FREE] += sim_pick(&dice, TALL_FREE_MORE);
    }
    if (f[SIM_RAM] < SIM_TALL_PAGES &&
        sim_chance(&dice, 6)) { /* a zone ends there, as the first does */
        unsigned more = SIM_HIGH_PAGES_MIN + sim_pick(&dice, HIGH_PAGES_MORE);
        f[SIM_HIGH] = f[SIM_DMA_END] + DMA_PAGES;
        f[SIM_RAM] = f[SIM_HIGH] + more;
        f[SIM_FREE] += more;
    }
    f[SIM_LIMITS] = sim_chance(&dice, 15);
    f[SIM_THP] = sim_pick(&dice, 3);
    while (quire_policy_at(npolicies))
        npolicies++;
    f[SIM_POLICY] = sim_chance(&dice, 50) ? 0 : sim_pick(&dice, npolicies);
    f[SIM_CHECK_OBJECTS] = sim_chance(&dice, 5);
    f[SIM_SWAPPINESS] = sim_pick(&dice, SWAPPINESS_MAX + 1);
    f[SIM_MIN_FREE] = 1 + sim_pick(&dice, MIN_FREE_MAX);
    f[SIM_FREE] += FREE_PAGES_MIN + sim_pick(&dice, FREE_PAGES_MORE);
    f[SIM_SWAPON] = sim_chance(&dice, 80);
    f[SIM_FAILING] = sim_chance(&dice, 30);
    if (sim_chance(&dice, 50))
        f[SIM_INJECT + QUIRE_SOFT_DROP_MAPPING] = 1 + sim_pick(&dice, DROP_MORE);
    bool lossy = sim_chance(&dice, 20);
    for (int kind = 0; kind < QUIRE_SOFT_INJECTIONS; kind++) {
        unsigned one_in = DISK_MIN + sim_pick(&dice, DISK_MORE);
        if (kind != QUIRE_SOFT_DROP_MAPPING && lossy && sim_chance(&dice, 50))
            f[SIM_INJECT + kind] = one_in;
    }
    f[SIM_PAGER] = lossy ? PAGER_FAILS : 0;
    f[SIM_AUDIT] = (uint64_t)1 << (AUDIT_SHIFT + sim_pick(&dice, AUDIT_MORE));
    if (sim_pick(&dice, AUDIT_ALL) == 0)
        f[SIM_AUDIT] = 1;
    f[SIM_CLUSTER] = sim_pick(&dice, 7);
    f[SIM_ZSWAP] = sim_chance(&dice, 40) ? 1 + sim_pick(&dice, 50) : 0;
    draw_format(&dice, plan);
    if (sim_chance(&dice, 5))
        f[SIM_DMA] = 1 + sim_pick(&dice, QUIRE_SOFT_DMA_DEMAND);
    if (sim_chance(&dice, SEGMENT_WORLDS))
        draw_segments(&dice, plan);
}

/* ---- text ------------------------------------------------------------------------------------ */

void sim_script_print(const struct sim_script *script, void *file) {
    fprintf(file, "plan");
    for (unsigned i = 0; i < SIM_PLAN_FIELDS; i++)
        fprintf(file, " %s %llu", sim_plan_names[i], (unsigned long long)script->plan.field[i]);
    fprintf(file, "\n");
    for (uint64_t k = 0; k < script->nops; k++) {
        const struct sim_op *op = &script->ops[k];
        fprintf(file, "%s", sim_steps[op->kind].name);
        for (unsigned i = 0; i < sim_steps[op->kind].nargs; i++)
            fprintf(file, " %d", op->a[i]);
        fprintf(file, "\n");
    }
}

static bool read_plan(struct sim_plan *plan, char **words) {
    char *name, *value;
    while ((name = strtok_r(NULL, " \t\n", words)) && (value = strtok_r(NULL, " \t\n", words))) {
        unsigned i = 0;
        while (i < SIM_PLAN_FIELDS && strcmp(name, sim_plan_names[i]) != 0)
            i++;
        if (i == SIM_PLAN_FIELDS)
            return false;
        plan->field[i] = strtoull(value, NULL, 0);
    }
    return !name;
}

static bool read_op(struct sim_op *op, const char *name, char **words) {
    unsigned kind = 0;
    while (kind < sim_nsteps && strcmp(name, sim_steps[kind].name) != 0)
        kind++;
    if (kind == sim_nsteps)
        return false;
    *op = (struct sim_op){.kind = (int)kind};
    for (unsigned i = 0; i < sim_steps[kind].nargs; i++) {
        char *value = strtok_r(NULL, " \t\n", words);
        if (!value)
            return false;
        op->a[i] = (int)strtol(value, NULL, 0);
    }
    return true;
}

bool sim_script_read(struct sim_script *script, const char *path) {
    FILE *file = fopen(path, "r");
    char line[1000];
    unsigned number = 0;
    bool good = file != NULL;
    *script = (struct sim_script){.ops = NULL};
    while (good && fgets(line, sizeof line, file)) {
        char *words, *comment = strchr(line, '#');
        number++;
        if (comment)
            *comment = '\0';
        char *name = strtok_r(line, " \t\n", &words);
        if (!name)
            continue;
        if (strcmp(name, "plan") == 0) {
            good = read_plan(&script->plan, &words);
            continue;
        }
        if (script->nops == script->capacity) {
            script->capacity = script->capacity * 2 + 64;
            script->ops = realloc(script->ops, script->capacity * sizeof script->ops[0]);
        }
        good = script->ops && read_op(&script->ops[script->nops++], name, &words);
    }
    if (!good)
        fprintf(stderr, "sim: %s:%u: not a script\n", path, number);
    if (file)
        fclose(file);
    return good;
}
