/* embed.c: a memory manager of one's own, in a page.
 *
 * A machine with 8 MiB of RAM and 64 MiB of swap; one process that maps 32 MiB, fills them, forks;
 * a child that changes one page. Each byte is read back and compared: three quarters of them have
 * been on the disk meanwhile. A kernel does the same, with its own machine under
 * include/quire/machine.h.
 */
#include <inttypes.h>
#include <stdio.h>

#include <quire/quire.h>
#include <quire/space.h>
#include <quire/view.h>

#include "machine/soft/soft.h"

#define MIB       ((uint64_t)1 << 20)
#define MAP_BYTES (32 * MIB)

/* What this program writes into the page at offset. */
static uint64_t stamp(uint64_t offset) {
    return offset * 0x9E3779B97F4A7C15u + 1;
}

static int fill(struct quire_space *space, quire_vaddr start) {
    for (uint64_t offset = 0; offset < MAP_BYTES; offset += QUIRE_PAGE_SIZE) {
        uint64_t word = stamp(offset);
        if (quire_copy_out(space, quire_va(start.value + offset), &word, sizeof word) != 0) {
            return 1;
        }
    }
    return 0;
}

/* Pages whose word is not what was written; `changed` is one that another process has changed. */
static unsigned count_wrong(struct quire_space *space, quire_vaddr start, uint64_t changed) {
    unsigned wrong = 0;

    for (uint64_t offset = 0; offset < MAP_BYTES; offset += QUIRE_PAGE_SIZE) {
        uint64_t word = 0, want = offset == changed ? 42 : stamp(offset);
        size_t left = quire_copy_in(space, &word, quire_va(start.value + offset), sizeof word);
        wrong += left != 0 || word != want;
    }
    return wrong;
}

static int live(struct quire *q) {
    const struct quire_space_config config = {
        .low = quire_va(0x10000), .high = quire_va(1 << 30), .map_top = quire_va(1 << 30)};
    struct quire_space *parent, *child;
    quire_vaddr start = quire_va(0);
    uint64_t word = 42;

    if (quire_space_create(q, &config, &parent) != QUIRE_OK ||
        quire_map(parent, &start, MAP_BYTES, QUIRE_PROT_READ | QUIRE_PROT_WRITE, 0, NULL, 0) !=
            QUIRE_OK ||
        fill(parent, start) != 0 || quire_space_fork(parent, NULL, &child) != QUIRE_OK) {
        return 1;
    }
    /* The child changes a page: it gets a copy, the parent keeps its own. */
    if (quire_copy_out(child, quire_va(start.value + 5 * QUIRE_PAGE_SIZE), &word, sizeof word)) {
        return 1;
    }
    unsigned wrong =
        count_wrong(parent, start, UINT64_MAX) + count_wrong(child, start, 5 * QUIRE_PAGE_SIZE);
    quire_audit(q);

    char text[2048];
    quire_view_meminfo(q, text, sizeof text);
    fputs(text, stdout);
    const struct quire_counters *c = quire_counters(q);
    printf("%u pages wrong; %" PRIu64 " faults, %" PRIu64 " pages out, %" PRIu64 " in\n", wrong,
           c->pgfault, c->pswpout, c->pswpin);
    quire_space_destroy(child);
    quire_space_destroy(parent);
    return wrong != 0 || c->pswpin == 0;
}

int main(void) {
    const struct quire_soft_config hardware = {.ram_bytes = 8 * MIB, .swap_bytes = {64 * MIB}};
    struct quire_machine *machine;
    struct quire *q;

    if (quire_soft_create(&hardware, &machine) != QUIRE_OK) {
        return 1;
    }
    const struct quire_config config = {.machine = machine, .swappiness = 60};
    int status = quire_create(&config, &q) != QUIRE_OK || quire_swapon(q, 0, 0) != QUIRE_OK;
    if (status == 0) {
        status = live(q);
        quire_destroy(q);
    }
    quire_soft_destroy(machine);
    return status;
}
