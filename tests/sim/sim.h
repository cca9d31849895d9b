/* sim.h: one world of the simulation: a manager on a software machine, and the model beside it.
 *
 * A world is made from a plan (a dozen numbers) and then takes steps; each step is an operation
 * with up to eight numbers. Plan and operations are drawn from a seed (steps.c), or read from a
 * script (script.c): what is run is the same, so every failure can be written down, cut shorter,
 * and kept.
 */
#ifndef QUIRE_TESTS_SIM_H
#define QUIRE_TESTS_SIM_H

#include <quire/kmap.h>
#include <quire/kmem.h>
#include <quire/quire.h>
#include <quire/space.h>

#include "machine/radix/radix.h"
#include "machine/soft/mmu.h"
#include "model/model.h"
#include "segments.h"

#define FILE_BYTES_MAX (MODEL_OBJECT_PAGES * QUIRE_PAGE_SIZE)
#define SIM_DEVICES    2

/* ---- what a world is made of ----------------------------------------------------------------- */

enum sim_plan_field {
    SIM_SEED, /* of the machine's injections, the ballast's orders, the pager's failures */
    SIM_RAM,  /* pages */
    SIM_SWAP0,
    SIM_SWAP1,         /* pages of the two devices */
    SIM_SWAP_STEP,     /* the first device grows by so many pages when its end comes into use, */
    SIM_SWAP_MOST,     /* up to so many; 0: it does not */
    SIM_NCPUS,         /* processors, each with a TLB, up to SIM_CPUS */
    SIM_DMA_END,       /* pages that weak devices reach; 0: there are none */
    SIM_HIGH,          /* the page where RAM begins that is for programs only; 0: none is */
    SIM_LIMITS,        /* 1: steps may set limits of spaces and of what is promised */
    SIM_THP,           /* enum quire_thp */
    SIM_POLICY,        /* quire_policy_at */
    SIM_CHECK_OBJECTS, /* 1: red zones around the kernel's objects */
    SIM_SWAPPINESS,
    SIM_CLUSTER, /* of read-ahead from swap */
    SIM_ZSWAP,   /* percent of RAM for compressed pages, 0: none; odd: LZ4, even: zstd */
    SIM_MIN_FREE,
    SIM_FREE,     /* pages that the ballast leaves */
    SIM_SWAPON,   /* 1: the first device is in use from the start */
    SIM_FAILING,  /* 1: steps may switch failing allocations on; 2: somebody else does (sites.c) */
    SIM_PAGER,    /* one in so many operations of a file's pager fails; 0: none */
    SIM_FORMAT,   /* of page tables: quire_radix_format_at */
    SIM_KERNEL,   /* 1: tables have the kernel's part: kernel_map */
    SIM_DMA,      /* enum quire_soft_dma */
    SIM_SEGMENTS, /* pages that are divided into segments; 0: there are none, nor their units */
    SIM_SEGMENT_SWAP, /* pages of their device */
    SIM_INJECT,       /* from here on one field for each enum quire_soft_injection */
    SIM_AUDIT = SIM_INJECT + QUIRE_SOFT_INJECTIONS, /* audit every so many steps */
    SIM_PLAN_FIELDS
};
#define SIM_FAILS_OUTSIDE 2
#define SIM_CPUS          4

struct sim_plan {
    uint64_t field[SIM_PLAN_FIELDS];
};
extern const char *const sim_plan_names[SIM_PLAN_FIELDS];

#define SIM_ARGS 8
struct sim_op {
    int kind; /* index into sim_steps */
    int a[SIM_ARGS];
};

#define SIM_WHY_BYTES 256

/* ---- a world --------------------------------------------------------------------------------- */

/* What a file object's pager moves bytes to and from. */
struct sim_file {
    struct sim *sim;
    uint64_t size_bytes;
    bool released; /* the manager dropped its last reference */
    bool refused;  /* a write failed since it was opened: the last ones may be lost with it */
    _Alignas(32) uint8_t bytes[FILE_BYTES_MAX];
};

/* What the kernel holds: a block of frames, or from kmalloc, or from vmalloc. */
#define SIM_BLOCKS     64
#define SIM_BALLAST    128
#define SIM_TALL_PAGES 2048
struct sim_block {
    quire_frame frame;
    unsigned order;
    uint8_t *bytes; /* NULL: not in use */
    size_t nbytes;
    uint8_t value;
    enum sim_block_kind {
        SIM_BLOCK_FRAMES,
        SIM_BLOCK_BYTES, /* kmalloc */
        SIM_BLOCK_DMA,
        SIM_BLOCK_MOVED,  /* frames, for which others may be moved or evicted */
        SIM_BLOCK_AREA,   /* vmalloc */
        SIM_BLOCK_LOW,    /* frames that weak devices reach, for which others may be evicted */
        SIM_BLOCK_DEVICE, /* memory for a device: quire_dma_alloc */
        SIM_BLOCK_EITHER, /* kvmalloc */
        SIM_BLOCK_KINDS
    } kind;
};

/* Caches, and a pool with a promise. */
#define SIM_CACHES       3
#define SIM_OBJECTS      40
#define SIM_CONSTRUCTED  0xC5
#define SIM_POOLED       12
#define SIM_POOL_LEAST   6
#define SIM_POOLED_BYTES 300
struct sim_cache {
    struct quire_cache *cache; /* NULL: not made */
    size_t nbytes;
    uint8_t *objects[SIM_OBJECTS];
};

/* Kernel addresses for single pages: more frames to be seen than there are slots. */
#define SIM_KMAPS          80
#define SIM_KMAP_FRAMES    (QUIRE_KMAP_SLOTS + 3)
#define SIM_HIGH_PAGES_MIN 72
#define SIM_REGIONS        6
#define SIM_REGISTERS      64 /* bytes of one */
struct sim_region {
    struct quire_region_of_bus *region; /* NULL: nobody has it */
    volatile uint8_t *registers;
    uint8_t value; /* of all its bytes */
};

/* What a space has, in pages, and what it may have: quire_space_set_limit. */
struct sim_size {
    uint64_t pages, data, committed;
};
struct sim_limits {
    uint64_t pages, data; /* UINT64_MAX: any */
};

struct sim_owner { /* of a space: what the manager hands back when it wants it killed */
    struct sim *sim;
    unsigned index;
};

struct sim {
    struct sim_plan plan;
    bool lossy; /* disks lie and fail: a page may be lost, with QUIRE_BUS, but never be wrong */
    /* ---- the two that are compared ---- */
    struct quire_machine *machine;
    struct quire *q;
    struct quire_space *spaces[MODEL_SPACES];
    struct quire_object *objects[MODEL_OBJECTS];
    struct sim_owner owners[MODEL_SPACES];
    struct sim_file files[MODEL_FILES];
    struct model model;
    /* Frames that the kernel sits on, so that RAM is as small as wanted; and kernel memory in use.
     */
    struct sim_block ballast[SIM_BALLAST], kernel[SIM_BLOCKS];
    unsigned nballast;
    struct sim_cache caches[SIM_CACHES];
    struct quire_mempool *pool;
    struct quire_cache *pool_cache; /* what it is made of, or NULL */
    uint8_t *pooled[SIM_POOLED];
    void *kmapped[SIM_KMAPS];
    struct sim_region regions[SIM_REGIONS];
    struct sim_segments segments;
    uint8_t fixmap[QUIRE_FIXMAP_SLOTS]; /* 1 + the region that is shown; 0: nothing */
    /* ---- limits, and how things stood after the last step: limits.c ---- */
    struct quire_overcommit overcommit;
    struct sim_limits limits[MODEL_SPACES];
    struct sim_size sizes[MODEL_SPACES];
    uint64_t promised, commit_limit;
    /* ---- the step in progress ---- */
    uint64_t step, random;
    int in_space;          /* the space that the manager is working for, -1: none */
    bool killed;           /* it was chosen by the OOM killer: destroyed when the call is back */
    uint64_t pager_random; /* decides which of the pager's operations fail */
    /* Their number; and number first and those after it, count in all, fail as well. */
    uint64_t pager_asked, pager_first, pager_count;
    bool faulted;         /* the last access did */
    uint64_t regions_due; /* a bit a space: its regions changed in this step */
    /* ---- figures ---- */
    uint64_t hash, refused_nomem, lost_bus, oom_kills, accesses;
    struct quire_counters counters; /* the manager's last ones */
    struct quire_soft_counters disk;
    bool verbose;
    char *why;            /* shrink.c: where to note what went wrong; NULL: nowhere */
    uint64_t audit_every; /* overrides the plan's; 0: the plan's */
};

/* world.c */
void sim_world_create(struct sim *sim, const struct sim_plan *plan, bool verbose);
void sim_world_destroy(struct sim *sim); /* checks that nothing is left */
bool sim_block_alloc(struct sim *sim, struct sim_block *block, enum sim_block_kind kind,
                     unsigned order, size_t nbytes, uint8_t value);
void sim_block_free(struct sim *sim, struct sim_block *block); /* checks its bytes */
bool sim_space_create(struct sim *sim, unsigned s, unsigned brk_page);
void sim_space_destroy(struct sim *sim, unsigned s);
void sim_reap(struct sim *sim); /* after each step: end the space that the killer chose */
void sim_object_create(struct sim *sim, int object);
/* Drop the last reference and compare what the file holds then. => no region maps it */
void sim_object_drop(struct sim *sim, int object);

/* steps_kernel.c: caches and pools are given back; steps_device.c: addresses and registers. */
void sim_kernel_end(struct sim *sim);
void sim_device_end(struct sim *sim);

/* steps_segment.c, steps_unit.c, steps_units.c: => the world has SIM_SEGMENTS */
void sim_segments_begin(struct sim *sim);
void sim_segments_end(struct sim *sim);
void sim_unit_begin(struct sim *sim);
void sim_unit_stale(struct sim *sim); /* segments moved: the LDT and the registers follow */
void sim_unit_end(struct sim *sim);
void sim_units_begin(struct sim *sim);
void sim_units_end(struct sim *sim);
/* The physical address of page i of what was set aside, and where the host has it. */
quire_paddr sim_aside(const struct sim *sim, unsigned i);
uint8_t *sim_aside_at(const struct sim *sim, quire_paddr address);

/* limits.c. The world has limits at all. */
static inline bool sim_is_limited(const struct sim *sim) {
    return sim->plan.field[SIM_LIMITS] != 0;
}
/* May a limit refuse that so many pages, or fewer, come to a space (-1: to nobody's)? */
bool sim_may_refuse(const struct sim *sim, int s, uint64_t npages);
/* A call ended in QUIRE_NOROOM, and a limit is to blame; then nothing has happened. */
bool sim_refused(struct sim *sim, enum quire_status got, int s, uint64_t npages);
/* After each step: nothing grew beyond a limit. */
void sim_judge_limits(struct sim *sim);
void sim_limits_begin(struct sim *sim);
void sim_limits_of_new(struct sim *sim, unsigned s, int parent);

/* compare.c. The state of every page of a space is compared, by reading it all. */
void sim_verify_space(struct sim *sim, unsigned s);
void sim_verify_regions(struct sim *sim, unsigned s);
/* The counts that the model can say too: virtual pages of each space, promised pages, sums. */
void sim_verify_usage(struct sim *sim);
/* What the pager stored is what the model holds, page by page. */
void sim_verify_file(struct sim *sim, int object, unsigned index, unsigned n);

/* A program's access to a page. True: the model agrees that it succeeds, and *host is its byte. */
bool sim_access(struct sim *sim, unsigned s, unsigned page, unsigned offset,
                enum quire_access access, uint8_t **host);
void sim_settle_copy(struct sim *sim, unsigned s, unsigned page);
/* Compare 4096 bytes with what the model sees there; settles what ADVISE_FREE left open. Only the
 * quarter around offset where the last access did not fault: nothing has moved since it did.
 */
void sim_compare_page(struct sim *sim, unsigned s, unsigned page, unsigned offset,
                      const uint8_t *bytes);

/* Helpers of all. */
/* All bytes are that; otherwise *at is the first that is not. */
bool sim_all_bytes(const uint8_t *bytes, size_t nbytes, uint8_t value, size_t *at);
uint64_t sim_va(unsigned page);
uint64_t sim_splitmix64(uint64_t *state);
/* Compare a call's answer with the model's. QUIRE_NOMEM is always allowed and means that nothing
 * has happened. Returns whether the call did its work. */
bool sim_did(struct sim *sim, const char *what, enum quire_status got, enum quire_status want);
_Noreturn void sim_fail(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sim_say(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* steps.c: the plan of world `seed`; draw step number `step` of it, given where the world stands;
 * take a step. */
void sim_plan_draw(struct sim_plan *plan, uint64_t seed);
/* If not NULL, all worlds that are drawn have it. */
extern const struct quire_radix_format *sim_format;
void sim_draw(struct sim *sim, uint64_t step, struct sim_op *op);
void sim_take(struct sim *sim, uint64_t step, const struct sim_op *op);

/* script.c: plan and operations as text: one a line, `name number ...`; # begins a comment. */
struct sim_script {
    struct sim_plan plan;
    struct sim_op *ops;
    uint64_t nops, capacity;
};
void sim_script_print(const struct sim_script *script, void *file);
bool sim_script_read(struct sim_script *script, const char *path);

/* shrink.c: run a script in a process of its own. */
/* why, SIM_WHY_BYTES, NULL: not wanted: in what it failed, without numbers. */
bool sim_script_fails(const struct sim_script *script, bool verbose, bool audit, char *why);
/* Leave out what is not needed for it to fail in the same way. => it fails */
void sim_script_shrink(struct sim_script *script);
/* The operations of world `seed` up to its failure or nsteps. False: it does not fail. Audits as
 * given, 0: as its plan says. */
bool sim_script_record(struct sim_script *script, uint64_t seed, uint64_t nsteps,
                       uint64_t audit_every);

#endif
