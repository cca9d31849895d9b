/* disk.c: the swap devices, and what waiting for them costs.
 *
 * A device is sparse host memory plus a model of time: a solid-state disk that takes a request at
 * any moment, moves pages one after the other over one transfer unit, and answers `latency` later.
 * Many requests overlap in their latency but not in their transfer.
 *
 *     request    |--(unit busy with others)--|==transfer==|-----latency-----| done
 *                now                         start        busy_until
 *
 * Whoever asks outside of quire_tick waits until done: the clock moves there and the difference is
 * stall time. Inside quire_tick nobody waits; the unit is occupied all the same, so a storm of
 * background writes makes the next program's read wait. Rejected: host files with real I/O, which
 * would make runs differ from host to host; and a seek model, which no user of today has.
 *
 * Injected failures (inject.c decides when), each as nasty as its kind allows:
 *   READ_ERROR   QUIRE_IO, and the frame is filled with junk
 *   WRITE_ERROR  QUIRE_IO, and half of the page was written: a torn write
 *   BIT_FLIP     one bit of what is read is wrong; the device keeps the right one
 *   LOST_WRITE   nothing is written
 *   MISDIRECTED  the neighbouring page of the device is overwritten instead
 *   TORN_WRITE   half of the page was written, and the device says that all is well
 *   STALE_READ   what the slot held before its last write comes back (one slot at a time)
 *   LATE_WRITE   the page waits in the device's memory: until a few operations later, or until
 *                another page is late, the slot holds what it held
 *
 * Invariants:
 *   I1  Slots are below the device's size: the manager's slot map guards that.
 *   I2  Without injections, what is read is what was last written there; zeros before that.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "machine.h"

#define JUNK_BYTE 0xA5 /* no meaning: neither zeros nor text, easy to see in a dump */

enum quire_status quire_disk_create(struct quire_machine *machine) {
    for (unsigned i = 0; i < QUIRE_SOFT_SWAPS; i++) {
        uint64_t bytes = machine->config.swap_bytes[i];
        if (bytes == 0)
            continue;
        uint8_t *host = quire_ram_reserve(bytes);
        if (!host)
            return QUIRE_NOMEM;
        machine->disks[i] = (struct soft_disk){.bytes = host, .npages = bytes >> QUIRE_PAGE_SHIFT};
    }
    return QUIRE_OK;
}

void quire_disk_destroy(struct quire_machine *machine) {
    for (unsigned i = 0; i < QUIRE_SOFT_SWAPS; i++) {
        struct soft_disk *disk = &machine->disks[i];
        if (disk->bytes)
            munmap(disk->bytes, disk->npages << QUIRE_PAGE_SHIFT);
        free(disk->late.bytes);
        free(disk->old.bytes);
        *disk = (struct soft_disk){0};
    }
}

uint64_t quire_mach_swap_pages(struct quire_machine *machine, unsigned device) {
    return device < QUIRE_SOFT_SWAPS ? machine->disks[device].npages : 0;
}

/* One page moves: see the picture. */
static void take_time(struct quire_machine *machine, struct soft_disk *disk) {
    uint64_t now = quire_mach_now_ns(machine);
    uint64_t start = disk->busy_until_ns > now ? disk->busy_until_ns : now;
    disk->busy_until_ns = start + machine->config.disk_page_ns;
    uint64_t done = disk->busy_until_ns + machine->config.disk_latency_ns;
    if (machine->in_tick) {
        machine->counters.background_ns += done - start;
        return;
    }
    machine->counters.stall_ns += done - now;
    quire_soft_charge(machine, done - now);
}

static struct soft_disk *disk_at(struct quire_machine *machine, unsigned device, uint64_t slot) {
    SOFT_CHECK(machine, device < QUIRE_SOFT_SWAPS);
    SOFT_CHECK(machine, slot < machine->disks[device].npages); /* I1 */
    return &machine->disks[device];
}

/* ---- what lies in the device's own memory: injected only ------------------------------------- */

#define LATE_OPERATIONS 8 /* a late page is on the device after at most so many more */

static uint8_t *page_at(const struct soft_disk *disk, uint64_t slot) {
    return disk->bytes + (slot << QUIRE_PAGE_SHIFT);
}

/* Remember a page. False: the host has no memory for it. */
static bool hold(struct soft_held *held, const void *bytes, uint64_t slot, unsigned left) {
    if (!held->bytes)
        held->bytes = aligned_alloc(QUIRE_PAGE_SIZE, QUIRE_PAGE_SIZE);
    if (!held->bytes)
        return false;
    memcpy(held->bytes, bytes, QUIRE_PAGE_SIZE);
    held->slot = slot;
    held->left = left;
    return true;
}

static void settle_late(struct soft_disk *disk) {
    if (disk->late.left > 0)
        memcpy(page_at(disk, disk->late.slot), disk->late.bytes, QUIRE_PAGE_SIZE);
    disk->late.left = 0;
}

/* An operation begins. True: it must fail. */
static bool begin(struct quire_machine *machine, struct soft_disk *disk) {
    take_time(machine, disk);
    if (disk->late.left == 1)
        settle_late(disk);
    else if (disk->late.left > 0)
        disk->late.left--;
    return quire_inject_fails_io(machine);
}

/* A write that will not be seen, or not yet. True: nothing is left to do. */
static bool write_goes_astray(struct quire_machine *machine, struct soft_disk *disk, uint64_t slot,
                              const void *from) {
    if (disk->late.left > 0 && disk->late.slot == slot)
        disk->late.left = 0; /* overtaken by this one */
    if (quire_inject_now(machine, QUIRE_SOFT_STALE_READ))
        (void)hold(&disk->old, page_at(disk, slot), slot, 1);
    else if (disk->old.left > 0 && disk->old.slot == slot)
        disk->old.left = 0;
    if (quire_inject_now(machine, QUIRE_SOFT_LOST_WRITE))
        return true;
    if (!quire_inject_now(machine, QUIRE_SOFT_LATE_WRITE))
        return false;
    settle_late(disk);
    return hold(&disk->late, from, slot, LATE_OPERATIONS);
}

/* ---- the port -------------------------------------------------------------------------------- */

enum quire_status quire_mach_swap_write(struct quire_machine *machine, unsigned device,
                                        uint64_t slot, quire_frame frame) {
    struct soft_disk *disk = disk_at(machine, device, slot);
    const void *from = quire_mach_window(machine, frame);
    bool fails = begin(machine, disk);
    machine->counters.disk_writes++;
    if (!fails && write_goes_astray(machine, disk, slot, from))
        return QUIRE_OK;
    if (disk->npages > 1 && quire_inject_now(machine, QUIRE_SOFT_MISDIRECTED))
        slot = slot + 1 < disk->npages ? slot + 1 : slot - 1;
    bool torn = quire_inject_now(machine, QUIRE_SOFT_TORN_WRITE);
    if (fails || torn || quire_inject_now(machine, QUIRE_SOFT_WRITE_ERROR)) {
        memcpy(page_at(disk, slot), from, QUIRE_PAGE_SIZE / 2);
        return torn && !fails ? QUIRE_OK : QUIRE_IO;
    }
    quire_ram_copy_page(page_at(disk, slot), from);
    return QUIRE_OK;
}

enum quire_status quire_mach_swap_read(struct quire_machine *machine, unsigned device,
                                       uint64_t slot, quire_frame frame) {
    struct soft_disk *disk = disk_at(machine, device, slot);
    uint8_t *to = quire_mach_window(machine, frame);
    bool fails = begin(machine, disk);
    machine->counters.disk_reads++;
    if (fails || quire_inject_now(machine, QUIRE_SOFT_READ_ERROR)) {
        memset(to, JUNK_BYTE, QUIRE_PAGE_SIZE);
        return QUIRE_IO;
    }
    bool stale = disk->old.left > 0 && disk->old.slot == slot;
    quire_ram_copy_page(to, stale ? disk->old.bytes : page_at(disk, slot));
    disk->old.left = stale ? 0 : disk->old.left;
    if (quire_inject_now(machine, QUIRE_SOFT_BIT_FLIP)) {
        uint64_t bit = quire_inject_draw(machine, QUIRE_SOFT_BIT_FLIP, QUIRE_PAGE_SIZE * 8);
        to[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    return QUIRE_OK;
}
