/* disk.c: the swap devices, and what waiting for them costs.
 *
 * A device is sparse host memory, or a file of the host's, plus a model of time: a solid-state disk
 * that takes a request at any moment, moves its pages one after the other over one transfer unit,
 * and answers `latency` later. Many requests overlap in their latency but not in their transfer; a
 * request of several neighbouring pages waits for the latency once.
 *
 *     request    |--(unit busy with others)--|==transfer==|-----latency-----| done
 *                now                         start        busy_until
 *
 * Whoever asks outside of quire_tick waits until done: the clock moves there and the difference is
 * stall time. Inside quire_tick nobody waits; the unit is occupied all the same, so a storm of
 * background writes makes the next program's read wait. Rejected: the host's time for real I/O,
 * which would make runs differ from host to host; and a seek model, which no user of today has. A
 * file keeps the same time as memory, so a run is the same with either.
 *
 * A device may grow: when a write comes near its end (the last half of a step), it is a step
 * longer, up to its limit. The manager sees it when it asks for the size again.
 *
 * With config.dma the bytes go through the DMA controller, which takes its own time (dma_disk.c).
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
 *   I2  Without injections, what is read is what was last written there; zeros before that, or what
 *       the file has.
 *   I3  A host file that fails, or is shorter than it was, is QUIRE_IO, never a guess.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine.h"

#define JUNK_BYTE 0xA5 /* no meaning: neither zeros nor text, easy to see in a dump */

enum quire_status quire_disk_create(struct quire_machine *machine) {
    const struct quire_soft_config *config = &machine->config;
    for (unsigned i = 0; i < QUIRE_SOFT_SWAPS; i++) {
        uint64_t bytes = config->swap_bytes[i], most = config->swap_max_bytes[i];
        if (bytes == 0)
            continue;
        most = most > bytes ? most : bytes;
        uint8_t *host = quire_ram_reserve(most);
        if (!host)
            return QUIRE_NOMEM;
        machine->disks[i] =
            (struct soft_disk){.bytes = host,
                               .npages = bytes >> QUIRE_PAGE_SHIFT,
                               .most = most >> QUIRE_PAGE_SHIFT,
                               .step = config->swap_step_bytes[i] >> QUIRE_PAGE_SHIFT};
    }
    return QUIRE_OK;
}

void quire_disk_destroy(struct quire_machine *machine) {
    for (unsigned i = 0; i < QUIRE_SOFT_SWAPS; i++) {
        struct soft_disk *disk = &machine->disks[i];
        if (disk->bytes)
            munmap(disk->bytes, disk->most << QUIRE_PAGE_SHIFT);
        else if (disk->npages)
            close(disk->fd);
        free(disk->late.bytes);
        free(disk->old.bytes);
        *disk = (struct soft_disk){0};
    }
}

uint64_t quire_mach_swap_pages(struct quire_machine *machine, unsigned device) {
    return device < QUIRE_SOFT_SWAPS ? machine->disks[device].npages : 0;
}

/* Some pages move in one request: see the picture. */
static void take_time(struct quire_machine *machine, uint64_t *busy_until_ns, unsigned npages,
                      uint64_t latency_ns) {
    uint64_t now = machine->clock_ps / SOFT_PS_PER_NS; /* of the hart that asks */
    uint64_t start = *busy_until_ns > now ? *busy_until_ns : now;
    *busy_until_ns = start + npages * machine->config.disk_page_ns;
    uint64_t done = *busy_until_ns + latency_ns;
    if (machine->in_tick) {
        machine->counters.background_ns += done - start;
        return;
    }
    machine->counters.stall_ns += done - now;
    machine->harts[machine->hart].stall_ns += done - now;
    quire_soft_charge(machine, done - now);
}

void quire_soft_file_read(struct quire_machine *machine, bool next) {
    take_time(machine, &machine->files_busy_until_ns, 1,
              next ? 0 : machine->config.disk_latency_ns);
}

/* => a device that is there, and a run of its pages: I1 */
static struct soft_disk *disk_at(struct quire_machine *machine, unsigned device, uint64_t slot,
                                 unsigned count) {
    SOFT_CHECK(machine, device < QUIRE_SOFT_SWAPS);
    SOFT_CHECK(machine, count > 0 && count <= QUIRE_RUN_MAX);
    SOFT_CHECK(machine, slot + count <= machine->disks[device].npages);
    return &machine->disks[device];
}

/* I3: the whole, or nothing. */
static bool file_moves(int fd, uint8_t *bytes, size_t nbytes, uint64_t offset, bool out) {
    while (nbytes > 0) {
        ssize_t n = out ? pwrite(fd, bytes, nbytes, (off_t)offset)
                        : pread(fd, bytes, nbytes, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        offset += (uint64_t)n;
        nbytes -= (size_t)n;
    }
    return true;
}

static bool put_bytes(struct soft_disk *disk, uint64_t slot, const uint8_t *from, size_t nbytes) {
    if (!disk->bytes)
        return file_moves(disk->fd, (uint8_t *)from, nbytes, slot << QUIRE_PAGE_SHIFT, true);
    if (nbytes == QUIRE_PAGE_SIZE)
        quire_ram_copy_page(disk->bytes + (slot << QUIRE_PAGE_SHIFT), from);
    else
        memcpy(disk->bytes + (slot << QUIRE_PAGE_SHIFT), from, nbytes);
    return true;
}

static bool get_page(const struct soft_disk *disk, uint64_t slot, uint8_t *to) {
    if (!disk->bytes)
        return file_moves(disk->fd, to, QUIRE_PAGE_SIZE, slot << QUIRE_PAGE_SHIFT, false);
    quire_ram_copy_page(to, disk->bytes + (slot << QUIRE_PAGE_SHIFT));
    return true;
}

/* The end comes into use: it moves on. */
static void grow_if_near(struct soft_disk *disk, uint64_t slot) {
    if (disk->npages < disk->most && slot + disk->step / 2 >= disk->npages) {
        uint64_t room = disk->most - disk->npages;
        disk->npages += disk->step < room ? disk->step : room;
    }
}

/* ---- what lies in the device's own memory: injected only ------------------------------------- */

#define LATE_OPERATIONS 8 /* a late page is on the device after at most so many more */

/* Room to remember a page in. False: the host has no memory for it. */
static bool has_room(struct soft_held *held) {
    if (!held->bytes)
        held->bytes = aligned_alloc(QUIRE_PAGE_SIZE, QUIRE_PAGE_SIZE); /* as ram.c wants it */
    return held->bytes != NULL;
}

static void settle_late(struct soft_disk *disk) {
    if (disk->late.left > 0)
        (void)put_bytes(disk, disk->late.slot, disk->late.bytes, QUIRE_PAGE_SIZE);
    disk->late.left = 0;
}

static void remember_old(struct soft_disk *disk, uint64_t slot) {
    if (has_room(&disk->old) && get_page(disk, slot, disk->old.bytes)) {
        disk->old.slot = slot;
        disk->old.left = 1;
    }
}

/* An operation on some pages begins. True: it must fail. */
static bool begin(struct quire_machine *machine, struct soft_disk *disk, unsigned npages) {
    take_time(machine, &disk->busy_until_ns, npages, machine->config.disk_latency_ns);
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
        remember_old(disk, slot);
    else if (disk->old.left > 0 && disk->old.slot == slot)
        disk->old.left = 0;
    if (quire_inject_now(machine, QUIRE_SOFT_LOST_WRITE))
        return true;
    if (!quire_inject_now(machine, QUIRE_SOFT_LATE_WRITE))
        return false;
    settle_late(disk);
    if (!has_room(&disk->late))
        return false;
    memcpy(disk->late.bytes, from, QUIRE_PAGE_SIZE);
    disk->late.slot = slot;
    disk->late.left = LATE_OPERATIONS;
    return true;
}

/* ---- the port -------------------------------------------------------------------------------- */

enum quire_status quire_mach_swap_write(struct quire_machine *machine, unsigned device,
                                        uint64_t slot, quire_frame frame) {
    struct soft_disk *disk = disk_at(machine, device, slot, 1);
    bool fails = begin(machine, disk, 1);
    machine->counters.disk_writes++;
    const uint8_t *from = machine->config.dma ? quire_dma_page_out(machine, frame)
                                              : quire_mach_window(machine, frame);
    grow_if_near(disk, slot);
    if (!fails && write_goes_astray(machine, disk, slot, from))
        return QUIRE_OK;
    if (disk->npages > 1 && quire_inject_now(machine, QUIRE_SOFT_MISDIRECTED))
        slot = slot + 1 < disk->npages ? slot + 1 : slot - 1;
    bool torn = quire_inject_now(machine, QUIRE_SOFT_TORN_WRITE);
    if (fails || torn || quire_inject_now(machine, QUIRE_SOFT_WRITE_ERROR)) {
        (void)put_bytes(disk, slot, from, QUIRE_PAGE_SIZE / 2);
        return torn && !fails ? QUIRE_OK : QUIRE_IO;
    }
    return put_bytes(disk, slot, from, QUIRE_PAGE_SIZE) ? QUIRE_OK : QUIRE_IO;
}

static enum quire_status read_page(struct quire_machine *machine, struct soft_disk *disk,
                                   uint64_t slot, uint8_t *to) {
    if (quire_inject_now(machine, QUIRE_SOFT_READ_ERROR))
        return QUIRE_IO;
    bool stale = disk->old.left > 0 && disk->old.slot == slot;
    if (stale)
        quire_ram_copy_page(to, disk->old.bytes);
    else if (!get_page(disk, slot, to))
        return QUIRE_IO;
    disk->old.left = stale ? 0 : disk->old.left;
    if (quire_inject_now(machine, QUIRE_SOFT_BIT_FLIP)) {
        uint64_t bit = quire_inject_draw(machine, QUIRE_SOFT_BIT_FLIP, QUIRE_PAGE_SIZE * 8);
        to[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    return QUIRE_OK;
}

enum quire_status quire_mach_swap_read(struct quire_machine *machine, unsigned device,
                                       uint64_t slot, const quire_frame *frames, unsigned count) {
    struct soft_disk *disk = disk_at(machine, device, slot, count);
    bool fails = begin(machine, disk, count);
    machine->counters.disk_reads += count;
    for (unsigned i = 0; i < count; i++) {
        uint8_t *window = quire_mach_window(machine, frames[i]);
        uint8_t *to = machine->config.dma ? machine->dma.page : window;
        if (fails || read_page(machine, disk, slot + i, to) != QUIRE_OK) {
            fails = true;
            memset(window, JUNK_BYTE, QUIRE_PAGE_SIZE);
        } else if (machine->config.dma) {
            quire_dma_page_in(machine, frames[i]);
        }
    }
    return fails ? QUIRE_IO : QUIRE_OK;
}

/* ---- files as devices ------------------------------------------------------------------------ */

enum quire_status quire_soft_swap_attach(struct quire_machine *machine, unsigned device, int fd,
                                         uint64_t npages) {
    if (device >= QUIRE_SOFT_SWAPS || npages == 0)
        return QUIRE_INVAL;
    if (machine->disks[device].npages)
        return QUIRE_BUSY;
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0)
        return QUIRE_NOMEM;
    machine->disks[device] = (struct soft_disk){.fd = own, .npages = npages, .most = npages};
    return QUIRE_OK;
}

void quire_soft_swap_detach(struct quire_machine *machine, unsigned device) {
    struct soft_disk *disk = &machine->disks[device];
    SOFT_CHECK(machine, device < QUIRE_SOFT_SWAPS && disk->npages && !disk->bytes);
    if (disk->late.left > 0)
        settle_late(disk);
    close(disk->fd);
    free(disk->late.bytes);
    free(disk->old.bytes);
    *disk = (struct soft_disk){0};
}
