/* sim.h: one world of the simulation: a manager on a software machine, and the model beside it.
 *
 * A world is a function of its seed; step number i of it draws from a stream made of (seed, i)
 * only, so that leaving steps out (shrink.c) does not change what the others do.
 */
#ifndef QUIRE_TESTS_SIM_H
#define QUIRE_TESTS_SIM_H

#include <quire/kmem.h>
#include <quire/quire.h>
#include <quire/space.h>

#include "machine/soft/mmu.h"
#include "model/model.h"

#define FILE_BYTES_MAX (MODEL_OBJECT_PAGES * QUIRE_PAGE_SIZE)
#define SIM_DEVICES    2

/* What a file object's pager moves bytes to and from. */
struct sim_file {
    struct sim *sim;
    uint64_t size_bytes;
    bool released; /* the manager dropped its last reference */
    bool refused;  /* a write failed since it was opened: the last ones may be lost with it */
    uint8_t bytes[FILE_BYTES_MAX];
};

/* What the kernel holds: a block of frames, or from kmalloc. */
#define SIM_BLOCKS 64
struct sim_block {
    quire_frame frame;
    unsigned order;
    uint8_t *bytes; /* NULL: not in use */
    size_t nbytes;
    uint8_t value;
    bool small; /* from kmalloc */
};

struct sim_owner { /* of a space: what the manager hands back when it wants it killed */
    struct sim *sim;
    unsigned index;
};

struct sim {
    /* ---- set at creation, from the seed ---- */
    uint64_t seed;
    uint64_t ram_bytes, swap_bytes[SIM_DEVICES];
    bool lossy;    /* disks lie and fail: a page may be lost, with QUIRE_BUS, but never be wrong */
    bool failing;  /* allocations fail now and then */
    bool dropping; /* mappings vanish */
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
    struct sim_block ballast[SIM_BLOCKS], kernel[SIM_BLOCKS];
    unsigned nballast;
    /* ---- the step in progress ---- */
    uint64_t step, random;
    int in_space;          /* the space that the manager is working for, -1: none */
    bool killed;           /* it was chosen by the OOM killer: destroyed when the call is back */
    uint64_t pager_random; /* decides which of the pager's operations fail */
    /* ---- figures ---- */
    uint64_t hash, refused_nomem, lost_bus, oom_kills;
    struct quire_counters counters; /* the manager's last ones */
    bool verbose;
};

/* world.c */
void sim_world_create(struct sim *sim, uint64_t seed, bool verbose);
void sim_world_destroy(struct sim *sim); /* checks that nothing is left */
bool sim_block_alloc(struct sim *sim, struct sim_block *block, bool small, unsigned order,
                     size_t nbytes);
void sim_block_free(struct sim *sim, struct sim_block *block); /* checks its bytes */
bool sim_space_create(struct sim *sim, unsigned s);
void sim_space_destroy(struct sim *sim, unsigned s);
void sim_reap(struct sim *sim); /* after each step: end the space that the killer chose */
void sim_object_create(struct sim *sim, int object);
/* Drop the last reference and compare what the file holds then. => no region maps it */
void sim_object_drop(struct sim *sim, int object);

/* The state of every page of a space is compared, by reading it all. */
void sim_verify_space(struct sim *sim, unsigned s);
void sim_verify_regions(struct sim *sim, unsigned s);
/* What the pager stored is what the model holds, page by page. */
void sim_verify_file(struct sim *sim, int object, unsigned index, unsigned n);

/* A program's access to a page. True: the model agrees that it succeeds, and *host is its byte. */
bool sim_access(struct sim *sim, unsigned s, unsigned page, unsigned offset,
                enum quire_access access, uint8_t **host);
void sim_settle_copy(struct sim *sim, unsigned s, unsigned page);
/* Compare 4096 bytes with what the model sees there; settles what ADVISE_FREE left open. */
void sim_compare_page(struct sim *sim, unsigned s, unsigned page, const uint8_t *bytes);

/* steps.c */
void sim_step(struct sim *sim, uint64_t step);

/* Helpers of all. */
uint64_t sim_va(unsigned page);
uint32_t sim_random(struct sim *sim);
unsigned sim_pick(struct sim *sim, unsigned n); /* 0 to n-1 */
bool sim_chance(struct sim *sim, unsigned percent);
/* Compare a call's answer with the model's. QUIRE_NOMEM is always allowed and means that nothing
 * has happened. Returns whether the call did its work. */
bool sim_did(struct sim *sim, const char *what, enum quire_status got, enum quire_status want);
_Noreturn void sim_fail(struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void sim_say(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
