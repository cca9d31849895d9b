/* port_double.h: the least machine that page/ and kmem/ need: RAM in ranges with holes, and a panic
 * that a test can expect. The software machine has one range and more behind it than these tests
 * want; this one is a test's own, in one file that includes this header.
 *
 * Windows of different ranges are not neighbours: each range is an allocation of its own.
 */
#ifndef QUIRE_TESTS_PORT_DOUBLE_H
#define QUIRE_TESTS_PORT_DOUBLE_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <quire/machine.h>

#include "base/check.h"
#include "base/system.h"
#include "kmem/slab.h"
#include "page/page.h"
#include "page/zone.h"

#define DOUBLE_RANGES 4

struct quire_machine {
    unsigned nranges;
    struct quire_ram_range ranges[DOUBLE_RANGES];
    char *memory[DOUBLE_RANGES];
    uint64_t now_ns;       /* the clock: it stands, but for who moves it */
    uint64_t kernel_pages; /* of addresses at `machine`, never touched; 0: it has none */
    jmp_buf *expected;     /* where a panic goes, NULL: to the ground */
    const char *panic;     /* the condition of the last one */
};

bool quire_mach_ram_range(struct quire_machine *machine, unsigned index,
                          struct quire_ram_range *range) {
    if (index >= machine->nranges) {
        return false;
    }
    *range = machine->ranges[index];
    return true;
}

void *quire_mach_window(struct quire_machine *machine, quire_frame frame) {
    uint64_t at = quire_frame_address(frame).value;
    for (unsigned i = 0; i < machine->nranges; i++) {
        uint64_t start = machine->ranges[i].start.value;
        if (at >= start && at < start + machine->ranges[i].length_bytes) {
            return machine->memory[i] + (at - start);
        }
    }
    abort();
}

uint64_t quire_mach_now_ns(struct quire_machine *machine) {
    return machine->now_ns;
}

/* As a rule no kernel area: vmalloc and its like are refused. */
bool quire_mach_kernel_area(struct quire_machine *machine, void **base, uint64_t *npages) {
    *base = machine;
    *npages = machine->kernel_pages;
    return machine->kernel_pages > 0;
}

enum quire_status quire_mach_kernel_map(struct quire_machine *machine, void *at,
                                        const quire_frame *frames, uint64_t npages) {
    (void)machine, (void)at, (void)frames, (void)npages;
    abort();
}

_Noreturn void quire_mach_panic(struct quire_machine *machine, const char *file, int line,
                                const char *condition) {
    machine->panic = condition;
    if (machine->expected) {
        longjmp(*machine->expected, 1);
    }
    fprintf(stderr, "panic: %s:%d: %s\n", file, line, condition);
    abort();
}

/* Run statement; true if it panicked. */
#define PANICS(machine_, statement)    \
    (__extension__({                   \
        jmp_buf here;                  \
        bool volatile panicked = true; \
        (machine_)->expected = &here;  \
        if (setjmp(here) == 0) {       \
            statement;                 \
            panicked = false;          \
        }                              \
        (machine_)->expected = NULL;   \
        panicked;                      \
    }))

/* Of gigabytes the host gives what is touched, as long as nobody fills them. */
static unsigned double_add_unfilled(struct quire_machine *machine, uint64_t start,
                                    uint64_t length) {
    unsigned i = machine->nranges++;
    machine->ranges[i] = (struct quire_ram_range){{start}, length};
    machine->memory[i] = aligned_alloc(4096, length);
    return i;
}

static void double_add_range(struct quire_machine *machine, uint64_t start, uint64_t length) {
    unsigned i = double_add_unfilled(machine, start, length);
    memset(machine->memory[i], 0xA5, length); /* RAM is not zero at power on */
}

static void double_release(struct quire_machine *machine) {
    for (unsigned i = 0; i < machine->nranges; i++) {
        free(machine->memory[i]);
    }
    free(machine);
}

__attribute__((unused)) static struct quire_machine *double_machine(void) {
    return calloc(1, sizeof(struct quire_machine));
}

/* One range from 2 GiB on, as the software machine has it. */
__attribute__((noinline, unused)) static struct quire_machine *double_plain(uint64_t ram_bytes) {
    struct quire_machine *machine = double_machine();
    double_add_range(machine, (uint64_t)2 << 30, ram_bytes);
    return machine;
}

/* Three ranges with odd ends and holes between them: 8.6 MiB together. */
__attribute__((noinline, unused)) static struct quire_machine *double_holes(void) {
    struct quire_machine *machine = double_machine();
    double_add_range(machine, 0x1000, 0x9E000);
    double_add_range(machine, 0x100000, 0x503000);
    double_add_range(machine, 0x1001000, 0x301000);
    return machine;
}

/* What core/boot.c does for the two lowest rooms. */
__attribute__((noinline, unused)) static struct quire *
double_boot_with(struct quire_machine *machine, const struct quire_phys_config *config) {
    struct quire_memblock memblock;
    if (quire_memblock_init(&memblock, machine) != QUIRE_OK) {
        return NULL;
    }
    struct quire *q = quire_memblock_take(&memblock, sizeof *q, _Alignof(max_align_t));
    if (!q) {
        return NULL;
    }
    q->machine = machine;
    return quire_phys_boot(q, &memblock, config) == QUIRE_OK ? q : NULL;
}

__attribute__((noinline, unused)) static struct quire *double_boot(struct quire_machine *machine,
                                                                   uint64_t min_free_pages) {
    struct quire_phys_config config = {.min_free_pages = min_free_pages};
    return double_boot_with(machine, &config);
}

/* The end of both, audited. => q was booted on the machine */
__attribute__((unused)) static void double_down(struct quire_machine *machine, struct quire *q) {
    quire_phys_audit(q);
    quire_phys_shutdown(q);
    double_release(machine);
}

/* A small generator of numbers (xorshift64*, Vigna 2016): a seed is a test. */
static inline uint64_t double_random(uint64_t *state) {
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1Du;
}

#endif
