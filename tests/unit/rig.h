/* rig.h: a software machine, a manager on it, spaces, and a program's accesses, for tests that look
 * at the manager from outside. One struct, no globals; each test makes its own.
 */
#ifndef QUIRE_TESTS_RIG_H
#define QUIRE_TESTS_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <quire/quire.h>
#include <quire/space.h>
#include <quire/view.h>

#include "machine/soft/mmu.h"

#define RIG_PAGE   ((uint64_t)4096)
#define RIG_MIB    ((uint64_t)1 << 20)
#define RIG_SPACES 8

/* NULL: the default. For tests that go through all of them. */
static const struct quire_policy *rig_policy;
static unsigned rig_swappiness = 60;
static const uint64_t *rig_zone_ends; /* as struct quire_config has them; NULL: the usual */
static uint64_t rig_min_free;         /* the same; 0: by the size of RAM */

struct rig {
    struct quire_machine *machine;
    struct quire *q;
    struct quire_space *spaces[RIG_SPACES]; /* the owner of each is its place here */
    bool lazy;   /* the machine does not end a program at once when told to */
    int running; /* the space whose program is in a fault now: cannot be ended at once */
    unsigned kills;
    int last_killed;
    char why[256];
    char log[4096];      /* what the manager told the operator, a line each */
    unsigned trespasses; /* accesses that were refused */
};

static inline void rig_oom_kill(void *context, void *owner, const char *why) {
    struct rig *rig = context;
    struct quire_space **place = owner;
    rig->kills++;
    rig->last_killed = (int)(place - rig->spaces);
    snprintf(rig->why, sizeof rig->why, "%s", why);
    if (rig->lazy || rig->last_killed == rig->running)
        return;
    quire_space_destroy(*place);
    *place = NULL;
}

static inline void rig_log(void *context, const char *line) {
    struct rig *rig = context;
    size_t n = strlen(rig->log);
    snprintf(rig->log + n, sizeof rig->log - n, "%s\n", line);
}

static inline void rig_up_with(struct rig *rig, uint64_t ram_bytes, const uint64_t *swap_bytes,
                               unsigned nswaps) {
    memset(rig, 0, sizeof *rig);
    rig->running = rig->last_killed = -1;
    struct quire_soft_config machine = {.ram_bytes = ram_bytes,
                                        .seed = 1,
                                        .oom_kill = rig_oom_kill,
                                        .log = rig_log,
                                        .context = rig};
    for (unsigned i = 0; i < nswaps; i++)
        machine.swap_bytes[i] = swap_bytes[i];
    assert_int_equal(quire_soft_create(&machine, &rig->machine), QUIRE_OK);
    struct quire_config config = {.machine = rig->machine,
                                  .swappiness = rig_swappiness,
                                  .policy = rig_policy,
                                  .zone_ends = rig_zone_ends,
                                  .min_free_pages = rig_min_free,
                                  .overcommit = QUIRE_OVERCOMMIT_ALWAYS};
    assert_int_equal(quire_create(&config, &rig->q), QUIRE_OK);
    for (unsigned i = 0; i < nswaps; i++)
        assert_int_equal(quire_swapon(rig->q, i, -2 - (int)i), QUIRE_OK);
}

static inline void rig_up(struct rig *rig, uint64_t ram_bytes, uint64_t swap_bytes) {
    rig_up_with(rig, ram_bytes, &swap_bytes, swap_bytes > 0);
}

static inline struct quire_space *rig_space(struct rig *rig, unsigned index) {
    struct quire_space_config config = {.low = quire_va(0x10000),
                                        .high = quire_va((uint64_t)1 << 38),
                                        .map_top = quire_va((uint64_t)1 << 37),
                                        .stack_limit_bytes = 8 * RIG_MIB,
                                        .stack_gap_bytes = RIG_MIB,
                                        .owner = &rig->spaces[index]};
    assert_int_equal(quire_space_create(rig->q, &config, &rig->spaces[index]), QUIRE_OK);
    return rig->spaces[index];
}

static inline void rig_down(struct rig *rig) {
    for (unsigned i = 0; i < RIG_SPACES; i++) {
        if (rig->spaces[i])
            quire_space_destroy(rig->spaces[i]);
    }
    quire_audit(rig->q);
    quire_destroy(rig->q);
    quire_soft_destroy(rig->machine);
}

/* Anonymous private memory at an address of the manager's choice. */
static inline uint64_t rig_map(struct rig *rig, unsigned index, uint64_t bytes, unsigned prot,
                               unsigned flags) {
    quire_vaddr va = quire_va(0);
    assert_int_equal(quire_map(rig->spaces[index], &va, bytes, prot, flags, NULL, 0), QUIRE_OK);
    return va.value;
}

#define RIG_RW (QUIRE_PROT_READ | QUIRE_PROT_WRITE)

/* One load or store of eight bytes by the program, through the machine's memory unit. */
static inline enum quire_status rig_access(struct rig *rig, unsigned index, uint64_t va,
                                           enum quire_access access, uint64_t *value) {
    uint8_t *host = NULL;
    rig->running = (int)index;
    enum quire_status status =
        quire_mmu_access(quire_space_pmap(rig->spaces[index]), va, access, &host);
    rig->running = -1;
    if (status != QUIRE_OK) {
        rig->trespasses++;
        return status;
    }
    if (access == QUIRE_ACCESS_WRITE)
        memcpy(host, value, sizeof *value);
    else
        memcpy(value, host, sizeof *value);
    return QUIRE_OK;
}

static inline enum quire_status rig_store(struct rig *rig, unsigned index, uint64_t va,
                                          uint64_t value) {
    return rig_access(rig, index, va, QUIRE_ACCESS_WRITE, &value);
}

static inline enum quire_status rig_load(struct rig *rig, unsigned index, uint64_t va,
                                         uint64_t *value) {
    return rig_access(rig, index, va, QUIRE_ACCESS_READ, value);
}

/* What the tests store: every page's words say which page they are of, at which version. */
static inline uint64_t rig_stamp(uint64_t va, uint64_t version) {
    return (va ^ version << 48) * UINT64_C(0x9E3779B97F4A7C15) + 1;
}

/* Stamp the first and last word of each page. */
static inline void rig_fill(struct rig *rig, unsigned index, uint64_t va, uint64_t npages,
                            uint64_t version) {
    for (uint64_t i = 0; i < npages; i++) {
        uint64_t page = va + i * RIG_PAGE;
        assert_int_equal(rig_store(rig, index, page, rig_stamp(page, version)), QUIRE_OK);
        assert_int_equal(rig_store(rig, index, page + 4088, ~rig_stamp(page, version)), QUIRE_OK);
    }
}

static inline void rig_expect(struct rig *rig, unsigned index, uint64_t va, uint64_t npages,
                              uint64_t version) {
    for (uint64_t i = 0; i < npages; i++) {
        uint64_t page = va + i * RIG_PAGE, first = 0, last = 0;
        assert_int_equal(rig_load(rig, index, page, &first), QUIRE_OK);
        assert_int_equal(rig_load(rig, index, page + 4088, &last), QUIRE_OK);
        assert_true(first == rig_stamp(page, version));
        assert_true(last == ~rig_stamp(page, version));
    }
}

/* splitmix64: the tests' own random numbers. */
static inline uint64_t rig_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static inline struct quire_usage rig_usage(const struct rig *rig) {
    struct quire_usage usage;
    quire_usage(rig->q, &usage);
    return usage;
}

/* Does the host let this byte be read? Asked of a system call: it answers instead of a signal. */
static inline bool rig_readable(const void *at) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    ssize_t n = write(ends[1], at, 1);
    close(ends[0]);
    close(ends[1]);
    return n == 1;
}

#endif
