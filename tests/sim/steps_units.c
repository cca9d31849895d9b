/* steps_units.c: two units by themselves: segmented paging, and the DMA controller.
 *
 * Segmented paging: pages of four segments come, change frames and rights and go, and each access
 * must find the byte that was stored last, or the refusal that is due, after as many accesses of
 * memory as the tables have levels. The controller: transfers of any mode, direction, length and
 * place, with a device that lets go of DREQ in between; the bus must hold what a loop over bytes
 * would have put there, wrapped inside 64 KiB, and no byte may move without the handshake.
 */
#include <string.h>

#include "steps.h"

#define CHANNEL_BYTES 200
#define BANK          (1u << 16)

/* ---- segmented paging ------------------------------------------------------------------------ */

static quire_frame table_frame(const struct sim *sim, unsigned i) {
    return quire_frame_at(sim_aside(sim, 1 + i)); /* 0: of segments */
}

static quire_frame page_frame(const struct sim *sim, unsigned i) {
    return quire_frame_at(sim_aside(sim, 2 + SIM_SEGPAGE_TABLES + i));
}

static uint32_t *word_of(const struct sim *sim, unsigned frame) {
    return quire_mach_window(sim->machine, page_frame(sim, frame));
}

/* segment page frame rights: the frame is taken from whoever has it; length: of the segment */
void sim_draw_segpage_enter(struct sim *sim, int *a) {
    a[0] = (int)sim_pick(sim, SIM_SEGPAGE_TABLES);
    a[1] = (int)sim_pick(sim, SIM_SEGPAGES);
    a[2] = (int)sim_pick(sim, SIM_SEGPAGES + 4);
    a[3] = (int)sim_pick(sim, 4);
}

/* The segment is made anew, with so many pages, none of them there. */
static void set_length(struct sim *sim, unsigned segment, unsigned npages) {
    struct sim_segments *s = &sim->segments;
    memset(quire_mach_window(sim->machine, table_frame(sim, 1 + segment)), 0xFF, QUIRE_PAGE_SIZE);
    quire_segpage_set(&s->segpage, segment, table_frame(sim, 1 + segment), npages,
                      QUIRE_PROT_READ | QUIRE_PROT_WRITE);
    s->lengths[segment] = npages;
    for (unsigned page = 0; page < SIM_SEGPAGES; page++)
        s->pages[segment][page] = (struct sim_segpage){SIM_SEGPAGES, 0};
}

/* Nobody else has it any more. */
static void take_away(struct sim *sim, unsigned frame) {
    struct sim_segments *s = &sim->segments;
    for (unsigned segment = 0; segment < SIM_SEGPAGE_TABLES; segment++) {
        for (unsigned page = 0; page < SIM_SEGPAGES; page++) {
            if (s->pages[segment][page].frame != frame)
                continue;
            quire_segpage_enter(&s->segpage, segment, page, QUIRE_FRAME_NONE, 0);
            s->pages[segment][page] = (struct sim_segpage){SIM_SEGPAGES, 0};
        }
    }
}

void sim_act_segpage_enter(struct sim *sim, const int *a) {
    struct sim_segments *s = &sim->segments;
    unsigned segment = (unsigned)a[0] % SIM_SEGPAGE_TABLES, page = (unsigned)a[1] % SIM_SEGPAGES;
    unsigned frame = (unsigned)a[2], prot = (unsigned)a[3] & 3;
    if (!sim->plan.field[SIM_SEGMENTS])
        return;
    if (frame >= SIM_SEGPAGES + 3) { /* page 0: gone altogether */
        set_length(sim, segment, page);
        return;
    }
    if (page >= s->lengths[segment])
        return;
    bool none = frame >= SIM_SEGPAGES || prot == 0;
    if (!none)
        take_away(sim, frame);
    quire_segpage_enter(&s->segpage, segment, page,
                        none ? QUIRE_FRAME_NONE : page_frame(sim, frame), none ? 0 : prot);
    s->pages[segment][page] =
        none ? (struct sim_segpage){SIM_SEGPAGES, 0} : (struct sim_segpage){frame, prot};
}

/* segment page offset write */
void sim_draw_segpage_touch(struct sim *sim, int *a) {
    a[0] = (int)sim_pick(sim, SIM_SEGPAGE_TABLES);
    a[1] = (int)sim_pick(sim, SIM_SEGPAGES);
    a[2] = sim_chance(sim, 80) ? 0 : (int)sim_pick(sim, QUIRE_PAGE_SIZE);
    a[3] = sim_chance(sim, 40);
}

void sim_act_segpage_touch(struct sim *sim, const int *a) {
    struct sim_segments *s = &sim->segments;
    unsigned segment = (unsigned)a[0] % SIM_SEGPAGE_TABLES, page = (unsigned)a[1] % SIM_SEGPAGES;
    uint32_t offset = (uint32_t)a[2] % (uint32_t)QUIRE_PAGE_SIZE;
    enum quire_access access = a[3] ? QUIRE_ACCESS_WRITE : QUIRE_ACCESS_READ;
    uint8_t *host = NULL;
    if (!sim->plan.field[SIM_SEGMENTS])
        return;
    const struct sim_segpage *held = &s->pages[segment][page];
    enum quire_walk_fault want = page >= s->lengths[segment]   ? QUIRE_WALK_SEGMENTED
                                 : held->frame >= SIM_SEGPAGES ? QUIRE_WALK_NOT_PRESENT
                                 : !(held->prot & access)      ? QUIRE_WALK_NOT_ALLOWED
                                                               : QUIRE_WALK_OK;
    uint64_t accesses = s->segpage.accesses, hits = s->segpage.hits;
    enum quire_walk_fault got =
        quire_segpage_access(&s->segpage, segment, page << 12 | offset, access, &host);
    sim->hash = (sim->hash ^ got) * 0x9E3779B97F4A7C15u;
    s->paged++;
    if (got != want)
        sim_fail(sim, "segpage: %u:%u is answered %d, not %d", segment, page, (int)got, (int)want);
    unsigned levels = want == QUIRE_WALK_OK ? 3 : want == QUIRE_WALK_SEGMENTED ? 1 : 2;
    unsigned due = s->segpage.hits > hits ? 1 : levels;
    if (s->segpage.accesses - accesses != due)
        sim_fail(sim, "segpage: %llu accesses of memory, not %u",
                 (unsigned long long)(s->segpage.accesses - accesses), due);
    if (got != QUIRE_WALK_OK)
        return;
    if (host != (uint8_t *)word_of(sim, held->frame) + offset)
        sim_fail(sim, "segpage: %u:%u is another frame's", segment, page);
    if (*word_of(sim, held->frame) != s->values[held->frame])
        sim_fail(sim, "segpage: frame %u is not as it was left", held->frame);
    if (a[3])
        *word_of(sim, held->frame) = s->values[held->frame] = (uint32_t)sim->step + 1;
}

/* ---- the controller -------------------------------------------------------------------------- */

/* What stands at its channel. */
struct device {
    struct sim *sim;
    unsigned channel, moved, nbytes, pause; /* DREQ is let go after so many bytes; 0: not */
    uint8_t seed;
    bool ended;
};

static uint8_t nth_byte(const struct device *device, unsigned n) {
    return (uint8_t)(device->seed + n * 7);
}

static void rest(struct device *device) {
    if (++device->moved == device->pause)
        quire_dma_dreq(&device->sim->segments.dma, device->channel, false);
}

static uint8_t give(void *context) {
    struct device *device = context;
    uint8_t byte = nth_byte(device, device->moved);
    rest(device);
    return byte;
}

static uint32_t nth_address(const struct device *device, uint32_t start, bool down, unsigned n) {
    (void)device;
    uint32_t low = down ? start - n : start + n;
    return (start & ~(BANK - 1)) | (low & (BANK - 1));
}

static void take(void *context, uint8_t byte) {
    struct device *device = context;
    const struct sim_segments *s = &device->sim->segments;
    const struct quire_dma_channel *channel = &s->dma.channels[device->channel];
    uint32_t start = (uint32_t)channel->page << 16 | channel->base_address;
    uint32_t at = nth_address(device, start, channel->mode & QUIRE_DMA_DOWN, device->moved);
    if (byte != s->wanted[at])
        sim_fail(device->sim, "dma: byte %u is 0x%02x, not 0x%02x", device->moved, byte,
                 s->wanted[at]);
    rest(device);
}

static void done(void *context) {
    struct device *device = context;
    device->ended = true;
    quire_dma_dreq(&device->sim->segments.dma, device->channel, false);
}

static void probe(void *context, const struct quire_dma_cycle *cycle) {
    struct sim *sim = context;
    if ((cycle->dack && !(cycle->hrq || cycle->eop)) || (cycle->dack && !cycle->hlda) ||
        (cycle->state >= QUIRE_DMA_S1 && !cycle->hlda))
        sim_fail(sim, "dma: the bus is used in state %s without having been given",
                 quire_dma_state_name(cycle->state));
}

/* channel mode address bytes pause */
void sim_draw_channel(struct sim *sim, int *a) {
    static const unsigned holds[] = {QUIRE_DMA_DEMAND, QUIRE_DMA_SINGLE, QUIRE_DMA_BLOCK};
    a[0] = (int)sim_pick(sim, QUIRE_DMA_CHANNELS);
    unsigned mode = holds[sim_pick(sim, 3)]; /* a statement a throw, in this order */
    mode |= sim_chance(sim, 50) ? QUIRE_DMA_TO_MEMORY : QUIRE_DMA_FROM_MEMORY;
    mode |= sim_chance(sim, 20) ? QUIRE_DMA_DOWN : 0;
    mode |= sim_chance(sim, 20) ? QUIRE_DMA_AUTO : 0;
    unsigned bank = BANK * (1 + sim_pick(sim, 2)), edge = sim_pick(sim, 64);
    a[1] = (int)mode;
    a[2] = (int)(sim_chance(sim, 30) ? bank + edge - 32 : sim_pick(sim, SIM_BUS_BYTES));
    a[3] = 1 + (int)sim_pick(sim, sim_chance(sim, 80) ? 24 : CHANNEL_BYTES);
    a[4] = sim_chance(sim, 50) ? 0 : 1 + (int)sim_pick(sim, (unsigned)a[3]);
}

static void program(struct quire_dma *dma, unsigned channel, unsigned mode, uint32_t address,
                    unsigned nbytes) {
    quire_dma_out(dma, QUIRE_DMA_FLIP_FLOP, 0);
    quire_dma_out(dma, QUIRE_DMA_MODE, (uint8_t)(mode | channel));
    quire_dma_out(dma, 2 * channel, (uint8_t)address);
    quire_dma_out(dma, 2 * channel, (uint8_t)(address >> 8));
    quire_dma_out(dma, QUIRE_DMA_PAGE + channel, (uint8_t)(address >> 16));
    quire_dma_out(dma, 2 * channel + 1, (uint8_t)(nbytes - 1));
    quire_dma_out(dma, 2 * channel + 1, (uint8_t)((nbytes - 1) >> 8));
    quire_dma_out(dma, QUIRE_DMA_MASK, (uint8_t)channel);
}

/* Until EOP and the bus is back; DREQ comes again whenever the device had let it go. */
static void run(struct sim *sim, struct device *device) {
    struct quire_dma *dma = &sim->segments.dma;
    quire_dma_dreq(dma, device->channel, true);
    for (unsigned clocks = 0; !device->ended || dma->hrq || dma->hlda; clocks++) {
        if (clocks > 20 * CHANNEL_BYTES)
            sim_fail(sim, "dma: %u of %u bytes after %u cycles", device->moved, device->nbytes,
                     clocks);
        quire_dma_clock(dma);
        if (!device->ended && !dma->hrq && device->pause && device->moved >= device->pause) {
            device->pause = 0;
            quire_dma_dreq(dma, device->channel, true);
        }
    }
    quire_dma_clock(dma);
}

void sim_act_channel(struct sim *sim, const int *a) {
    struct sim_segments *s = &sim->segments;
    unsigned channel = (unsigned)a[0] % QUIRE_DMA_CHANNELS, mode = (unsigned)a[1] & 0xFCu;
    uint32_t address = (uint32_t)a[2] % SIM_BUS_BYTES;
    struct device device = {.sim = sim,
                            .channel = channel,
                            .nbytes = 1 + (unsigned)a[3] % CHANNEL_BYTES,
                            .pause = (unsigned)a[4] % CHANNEL_BYTES,
                            .seed = (uint8_t)sim->step};
    bool in = (mode & 0xC) == QUIRE_DMA_TO_MEMORY, out = (mode & 0xC) == QUIRE_DMA_FROM_MEMORY;
    if (!sim->plan.field[SIM_SEGMENTS] || !(in || out) || mode >> 6 == 3)
        return;
    s->dma.channels[channel].device = (struct quire_dma_device){give, take, done, &device};
    for (unsigned n = 0; in && n < device.nbytes; n++)
        s->wanted[nth_address(&device, address, mode & QUIRE_DMA_DOWN, n)] = nth_byte(&device, n);
    program(&s->dma, channel, mode, address, device.nbytes);
    run(sim, &device);
    if (device.moved != device.nbytes || !(quire_dma_in(&s->dma, QUIRE_DMA_COMMAND) >> channel & 1))
        sim_fail(sim, "dma: %u bytes moved, not %u", device.moved, device.nbytes);
    quire_dma_out(&s->dma, QUIRE_DMA_MASK, (uint8_t)(4 | channel));
    s->moved_by_dma += device.moved;
    uint32_t bank = address & ~(BANK - 1);
    if (memcmp(s->bus + bank, s->wanted + bank, BANK) != 0)
        sim_fail(sim, "dma: the bus does not hold what was moved");
}

/* ---- begin, end ------------------------------------------------------------------------------ */

void sim_units_begin(struct sim *sim) {
    struct sim_segments *s = &sim->segments;
    quire_segpage_init(&s->segpage, sim->machine, table_frame(sim, 0),
                       sim->plan.field[SIM_SEED] & 1);
    for (unsigned segment = 0; segment < SIM_SEGPAGE_TABLES; segment++)
        set_length(sim, segment, SIM_SEGPAGES - segment);
    for (unsigned frame = 0; frame < SIM_SEGPAGES; frame++)
        *word_of(sim, frame) = 0;
    quire_dma_init(&s->dma, s->bus, sizeof s->bus);
    s->dma.probe = probe;
    s->dma.probe_context = sim;
}

void sim_units_end(struct sim *sim) {
    const struct sim_segments *s = &sim->segments;
    for (unsigned frame = 0; frame < SIM_SEGPAGES; frame++) {
        if (*word_of(sim, frame) != s->values[frame])
            sim_fail(sim, "segpage: frame %u is not as it was left", frame);
    }
    if (memcmp(s->bus, s->wanted, sizeof s->bus) != 0)
        sim_fail(sim, "dma: the bus does not hold what was moved");
}
