/* machine.c: the options of a machine, from words; and their defaults.
 *
 * The default is small enough that every page counts: 16 MiB, Sv48, the kernel's part in all
 * tables, no swap, 4 KiB pages only. Linux's values where Linux has one (swappiness, page-cluster).
 */
#include <inttypes.h>
#include <string.h>

#include "lab/inside.h"

#define DEFAULT_RAM (16 * (uint64_t)(1 << 20))
#define RAM_LEAST   (2 * (uint64_t)(1 << 20))
#define RAM_MOST    ((uint64_t)64 << 30)
#define SWAP_MOST   ((uint64_t)1 << 40)

void lab_machine_defaults(struct lab_machine *machine) {
    *machine = (struct lab_machine){.ram_bytes = DEFAULT_RAM,
                                    .seed = 1,
                                    .swap_on = true,
                                    .format = &quire_radix_sv48,
                                    .kernel_map = true,
                                    .harts = 1,
                                    .swappiness = 60,
                                    .page_cluster = 3,
                                    .thp = QUIRE_THP_NEVER,
                                    .policy = quire_policy_at(0)};
}

/* One option being read. */
struct reading {
    struct lab *lab;
    const char *option, *value; /* value NULL: the line ends */
    char *error;
};

static bool wrong(struct reading *reading, const char *right) {
    if (!reading->value)
        snprintf(reading->error, LAB_ERROR_BYTES, "%.40s needs a value: %s", reading->option,
                 right);
    else
        snprintf(reading->error, LAB_ERROR_BYTES, "%.40s %.60s: write %s", reading->option,
                 reading->value, right);
    return false;
}

static bool size(struct reading *reading, uint64_t least, uint64_t most, uint64_t *bytes) {
    const char *end;
    int64_t value;
    if (!reading->value || !lab_parse_size(reading->value, &end, &value) || *end)
        return wrong(reading, "a size, as 64M or 1G");
    *bytes = (uint64_t)value;
    if (*bytes < least || *bytes > most || *bytes % PAGE)
        return wrong(reading, "whole pages, not fewer and not more than such a machine can have "
                              "(RAM: 2M to 64G)");
    return true;
}

static bool number(struct reading *reading, uint64_t most, unsigned *out) {
    const char *end;
    int64_t value;
    if (!reading->value || !lab_parse_size(reading->value, &end, &value) || *end ||
        (uint64_t)value > most) {
        char right[60];
        snprintf(right, sizeof right, "a number from 0 to %" PRIu64, most);
        return wrong(reading, right);
    }
    *out = (unsigned)value;
    return true;
}

static bool choice(struct reading *reading, const char *const words[], const char *right,
                   unsigned *out) {
    for (unsigned i = 0; reading->value && words[i]; i++) {
        if (strcmp(words[i], reading->value) == 0) {
            *out = i;
            return true;
        }
    }
    return wrong(reading, right);
}

/* ---- the options ------------------------------------------------------------------------------
 */

typedef bool option_reader(struct reading *reading, struct lab_machine *machine);

static bool read_ram(struct reading *reading, struct lab_machine *machine) {
    return size(reading, RAM_LEAST, RAM_MOST, &machine->ram_bytes);
}

/* Each --swap is another device; "grow:STEP:MAX" begins empty but for a step. */
static bool read_swap(struct reading *reading, struct lab_machine *machine) {
    unsigned i = 0;
    while (i < QUIRE_SOFT_SWAPS && machine->swap_bytes[i])
        i++;
    if (i == QUIRE_SOFT_SWAPS)
        return wrong(reading, "eight areas at most");
    return size(reading, PAGE * 4, SWAP_MOST, &machine->swap_bytes[i]);
}

static bool read_swap_step(struct reading *reading, struct lab_machine *machine) {
    return size(reading, PAGE, SWAP_MOST, &machine->swap_step_bytes);
}

static bool read_swap_max(struct reading *reading, struct lab_machine *machine) {
    return size(reading, PAGE, SWAP_MOST, &machine->swap_max_bytes);
}

static bool read_format(struct reading *reading, struct lab_machine *machine) {
    const struct quire_radix_format *format =
        reading->value ? quire_radix_format_find(reading->value) : NULL;
    if (!format)
        return wrong(reading, "one of Sv48, Sv57, Sv39, 10/10/12 (32 bits) and 20/12 (32 bits, "
                              "one level)");
    machine->format = format;
    machine->kernel_map = format->levels > 1;
    machine->layout32 = format == &quire_radix_sv32;
    return true;
}

static bool read_policy(struct reading *reading, struct lab_machine *machine) {
    machine->policy = reading->value ? quire_policy_find(reading->value) : NULL;
    return machine->policy ||
           wrong(reading, "one of linux, mglru, clock, 2q, arc, s3fifo and sieve");
}

static bool read_seed(struct reading *reading, struct lab_machine *machine) {
    unsigned seed;
    if (!number(reading, UINT32_MAX, &seed))
        return false;
    machine->seed = seed;
    return true;
}

static bool read_swappiness(struct reading *reading, struct lab_machine *machine) {
    return number(reading, 200, &machine->swappiness);
}

static bool read_cluster(struct reading *reading, struct lab_machine *machine) {
    return number(reading, 6, &machine->page_cluster);
}

static bool read_min_free(struct reading *reading, struct lab_machine *machine) {
    unsigned pages;
    if (!number(reading, 1 << 20, &pages))
        return false;
    machine->min_free_pages = pages;
    return true;
}

static bool read_overcommit(struct reading *reading, struct lab_machine *machine) {
    static const char *const words[] = {"heuristic", "always", "never", NULL};
    return choice(reading, words, "heuristic, always or never", &machine->overcommit);
}

static bool read_thp(struct reading *reading, struct lab_machine *machine) {
    static const char *const words[] = {"madvise", "always", "never", NULL};
    unsigned thp;
    if (!choice(reading, words, "madvise, always or never", &thp))
        return false;
    machine->thp = (enum quire_thp)thp;
    return true;
}

static bool read_dma(struct reading *reading, struct lab_machine *machine) {
    static const char *const words[] = {"none", "single", "block", "demand", NULL};
    unsigned dma;
    if (!choice(reading, words, "none, single, block or demand", &dma))
        return false;
    machine->dma = (enum quire_soft_dma)dma;
    return true;
}

static bool read_dma_reach(struct reading *reading, struct lab_machine *machine) {
    return size(reading, PAGE, QUIRE_DMA_REACH_BYTES, &machine->dma_reach_bytes);
}

static bool read_reserve(struct reading *reading, struct lab_machine *machine) {
    return size(reading, PAGE, RAM_MOST, &machine->reserve_bytes);
}

/* Without a value: no swapon at boot; objects checked; no kernel part in the tables. */
static bool read_swap_off(struct reading *reading, struct lab_machine *machine) {
    (void)reading;
    machine->swap_on = false;
    return true;
}

static bool read_check(struct reading *reading, struct lab_machine *machine) {
    (void)reading;
    machine->check_objects = true;
    return true;
}

static bool read_no_kernel(struct reading *reading, struct lab_machine *machine) {
    (void)reading;
    machine->kernel_map = machine->layout32 = false;
    return true;
}

static const struct option {
    const char *name;
    bool takes;
    option_reader *read;
} options[] = {
    {"--ram", true, read_ram},
    {"--swap", true, read_swap},
    {"--swap-step", true, read_swap_step},
    {"--swap-max", true, read_swap_max},
    {"--swap-off", false, read_swap_off},
    {"--format", true, read_format},
    {"--policy", true, read_policy},
    {"--seed", true, read_seed},
    {"--swappiness", true, read_swappiness},
    {"--page-cluster", true, read_cluster},
    {"--min-free", true, read_min_free},
    {"--overcommit", true, read_overcommit},
    {"--thp", true, read_thp},
    {"--dma", true, read_dma},
    {"--dma-reach", true, read_dma_reach},
    {"--reserve", true, read_reserve},
    {"--check-objects", false, read_check},
    {"--no-kernel-map", false, read_no_kernel},
};
#define NOPTIONS (sizeof options / sizeof options[0])

static bool unknown(struct lab *lab, const char *word, char *error) {
    const char *names[NOPTIONS];
    for (size_t i = 0; i < NOPTIONS; i++)
        names[i] = options[i].name;
    const char *nearest = lab_nearest(lab, word, names, NOPTIONS);
    if (nearest)
        snprintf(error, LAB_ERROR_BYTES, "a machine has no %.40s; did you mean %s?", word, nearest);
    else
        snprintf(error, LAB_ERROR_BYTES,
                 "a machine has no %.40s; it has --ram, --swap, --format, --policy, --seed and "
                 "others: `help machine`",
                 word);
    return false;
}

bool lab_machine_parse(struct lab *lab, int argc, char **argv, struct lab_machine *machine,
                       char error[LAB_ERROR_BYTES]) {
    for (int i = 0; i < argc; i++) {
        const struct option *option = NULL;
        for (size_t k = 0; k < NOPTIONS; k++) {
            if (strcmp(options[k].name, argv[i]) == 0)
                option = &options[k];
        }
        if (!option)
            return unknown(lab, argv[i], error);
        struct reading reading = {lab, argv[i], NULL, error};
        if (option->takes && i + 1 < argc)
            reading.value = argv[++i];
        if (!option->read(&reading, machine))
            return false;
    }
    if (machine->swap_step_bytes && !machine->swap_bytes[0])
        machine->swap_bytes[0] = machine->swap_step_bytes;
    if (machine->swap_step_bytes && machine->swap_max_bytes < machine->swap_bytes[0]) {
        snprintf(error, LAB_ERROR_BYTES,
                 "swap that grows wants --swap-max, not less than it begins with");
        return false;
    }
    return true;
}
