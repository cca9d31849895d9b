/* dma.c: the states of the 8237, one a clock cycle.
 *
 *       .-----------------------------------------------------.
 *       v     DREQ                HLDA                        | TC, or single, or DREQ is gone
 *      SI ----------> S0 (HRQ) ---------> S1 -> S2 -> S3 -> S4
 *                     ^__| waits          ^     ^           |
 *                                         |     '-----------+  the next byte
 *                                         '------ every 256 bytes
 *
 * The processor of this model is polite: it answers HRQ in the cycle after, and takes the bus back
 * in the cycle after HRQ has gone. S1 is needed only when address bits 8 to 15 have changed, since
 * they leave the chip over the data lines into a latch.
 *
 * Invariants:
 *   I1  bytes move in S4 only, while HRQ, HLDA and DACK are up
 *   I2  the current count goes from the base count to 0xFFFF: base count + 1 bytes
 *   I3  the page register never changes by counting
 *
 * What may fail: nothing. An address without memory reads 0xFF and takes anything, as a bus does.
 * Called by the disk's driver (dma_disk.c) and by tests.
 */
#include "dma.h"

#include <stddef.h>
#include <string.h>

#define COMMAND_DISABLE 4u
#define CHANNEL_MASK    3u
#define SET_BIT         4u
#define KIND_MASK       (3u << 6)
#define DIRECTION_MASK  (3u << 2)

void quire_dma_init(struct quire_dma *dma, uint8_t *memory, uint64_t memory_bytes) {
    *dma = (struct quire_dma){.memory = memory, .memory_bytes = memory_bytes};
    for (unsigned i = 0; i < QUIRE_DMA_CHANNELS; i++)
        dma->channels[i].masked = true;
}

/* ---- registers ------------------------------------------------------------------------------- */

static void put_half(uint16_t *to, bool high, uint8_t value) {
    *to = high ? (uint16_t)((*to & 0xFF) | value << 8) : (uint16_t)((*to & 0xFF00) | value);
}

static void clear(struct quire_dma *dma) {
    dma->command = dma->status = 0;
    dma->high_byte = false;
    for (unsigned i = 0; i < QUIRE_DMA_CHANNELS; i++) {
        dma->channels[i].masked = true;
        dma->channels[i].requested = false;
    }
}

/* Both the base and the current register. */
static void put_word(struct quire_dma *dma, unsigned port, uint8_t value) {
    struct quire_dma_channel *channel = &dma->channels[port / 2];
    uint16_t *base = port % 2 ? &channel->base_count : &channel->base_address;
    uint16_t *current = port % 2 ? &channel->count : &channel->address;
    put_half(base, dma->high_byte, value);
    put_half(current, dma->high_byte, value);
    dma->high_byte = !dma->high_byte;
}

void quire_dma_out(struct quire_dma *dma, unsigned port, uint8_t value) {
    struct quire_dma_channel *channel = &dma->channels[value & CHANNEL_MASK];
    if (port < 2 * QUIRE_DMA_CHANNELS)
        put_word(dma, port, value);
    else if (port - QUIRE_DMA_PAGE < QUIRE_DMA_CHANNELS)
        dma->channels[port - QUIRE_DMA_PAGE].page = value;
    else if (port == QUIRE_DMA_COMMAND)
        dma->command = value;
    else if (port == QUIRE_DMA_REQUEST)
        channel->requested = value & SET_BIT;
    else if (port == QUIRE_DMA_MASK)
        channel->masked = value & SET_BIT;
    else if (port == QUIRE_DMA_MODE)
        channel->mode = value;
    else if (port == QUIRE_DMA_FLIP_FLOP)
        dma->high_byte = false;
    else if (port == QUIRE_DMA_CLEAR)
        clear(dma);
}

void quire_dma_program(struct quire_dma *dma, unsigned channel, unsigned mode, uint32_t address,
                       uint32_t nbytes) {
    uint32_t count = nbytes - 1; /* the chip ends when it goes below 0 */
    quire_dma_out(dma, QUIRE_DMA_MASK, (uint8_t)(SET_BIT | channel));
    quire_dma_out(dma, QUIRE_DMA_FLIP_FLOP, 0);
    quire_dma_out(dma, QUIRE_DMA_MODE, (uint8_t)(mode | channel));
    quire_dma_out(dma, 2 * channel, (uint8_t)address);
    quire_dma_out(dma, 2 * channel, (uint8_t)(address >> 8));
    quire_dma_out(dma, QUIRE_DMA_PAGE + channel, (uint8_t)(address >> 16));
    quire_dma_out(dma, 2 * channel + 1, (uint8_t)count);
    quire_dma_out(dma, 2 * channel + 1, (uint8_t)(count >> 8));
    quire_dma_out(dma, QUIRE_DMA_MASK, (uint8_t)channel);
}

static uint8_t read_status(struct quire_dma *dma) {
    uint8_t value = dma->status;
    for (unsigned i = 0; i < QUIRE_DMA_CHANNELS; i++)
        value |= (uint8_t)(dma->channels[i].dreq << (4 + i));
    dma->status = 0;
    return value;
}

uint8_t quire_dma_in(struct quire_dma *dma, unsigned port) {
    if (port == QUIRE_DMA_COMMAND)
        return read_status(dma);
    if (port - QUIRE_DMA_PAGE < QUIRE_DMA_CHANNELS)
        return dma->channels[port - QUIRE_DMA_PAGE].page;
    if (port >= 2 * QUIRE_DMA_CHANNELS)
        return 0xFF;
    const struct quire_dma_channel *channel = &dma->channels[port / 2];
    uint16_t word = port % 2 ? channel->count : channel->address;
    uint8_t value = (uint8_t)(dma->high_byte ? word >> 8 : word);
    dma->high_byte = !dma->high_byte;
    return value;
}

void quire_dma_dreq(struct quire_dma *dma, unsigned channel, bool high) {
    dma->channels[channel].dreq = high;
}

/* ---- cycles ---------------------------------------------------------------------------------- */

static bool wants(const struct quire_dma_channel *channel) {
    return channel->requested || (channel->dreq && !channel->masked);
}

static uint32_t address_of(const struct quire_dma_channel *channel) {
    return (uint32_t)channel->page << 16 | channel->address;
}

/* I1 */
static uint8_t move_byte(struct quire_dma *dma, struct quire_dma_channel *channel) {
    const struct quire_dma_device *device = &channel->device;
    uint32_t address = address_of(channel);
    bool there = address < dma->memory_bytes;
    uint8_t byte = 0xFF;
    unsigned direction = channel->mode & DIRECTION_MASK;
    if (direction == QUIRE_DMA_TO_MEMORY) {
        byte = device->give ? device->give(device->context) : 0xFF;
        if (there)
            dma->memory[address] = byte;
    } else if (direction == QUIRE_DMA_FROM_MEMORY) {
        byte = there ? dma->memory[address] : 0xFF;
        if (device->take)
            device->take(device->context, byte);
    } /* else it only counts: verify */
    dma->bytes++;
    return byte;
}

/* The count has run out: EOP. */
static void finish(struct quire_dma *dma, struct quire_dma_channel *channel) {
    dma->eop = true;
    dma->status |= (uint8_t)(1u << dma->serving);
    channel->requested = false;
    if (channel->mode & QUIRE_DMA_AUTO) {
        channel->address = channel->base_address;
        channel->count = channel->base_count;
    } else {
        channel->masked = true;
    }
    if (channel->device.done)
        channel->device.done(channel->device.context);
}

static void release(struct quire_dma *dma) {
    dma->hrq = dma->dack = false;
    dma->state = QUIRE_DMA_SI;
}

/* S4: the byte, and what comes next. */
static uint8_t transfer(struct quire_dma *dma) {
    struct quire_dma_channel *channel = &dma->channels[dma->serving];
    uint8_t byte = move_byte(dma, channel);
    uint16_t before = channel->address;
    unsigned kind = channel->mode & KIND_MASK;
    channel->address = (uint16_t)(before + (channel->mode & QUIRE_DMA_DOWN ? -1 : 1)); /* I3 */
    if (channel->count-- == 0) {                                                       /* I2 */
        finish(dma, channel);
        release(dma);
    } else if (kind == QUIRE_DMA_SINGLE || (kind == QUIRE_DMA_DEMAND && !wants(channel))) {
        release(dma);
    } else {
        dma->state = (before ^ channel->address) >> 8 ? QUIRE_DMA_S1 : QUIRE_DMA_S2;
    }
    return byte;
}

/* The lowest channel that wants something: fixed priority. */
static void sample(struct quire_dma *dma) {
    if (dma->command & COMMAND_DISABLE)
        return;
    for (unsigned i = 0; i < QUIRE_DMA_CHANNELS; i++) {
        if (wants(&dma->channels[i])) {
            dma->serving = i;
            dma->hrq = true;
            dma->state = QUIRE_DMA_S0;
            return;
        }
    }
}

static void tell(struct quire_dma *dma, enum quire_dma_state state, uint32_t address,
                 uint8_t byte) {
    if (!dma->probe)
        return;
    struct quire_dma_cycle cycle = {
        .clock = dma->clock,
        .state = state,
        .channel = dma->serving,
        .dreq = dma->channels[dma->serving].dreq,
        .hrq = dma->hrq,
        .hlda = dma->hlda,
        .dack = dma->dack,
        .eop = dma->eop,
        .irq = dma->irq,
        .address = address,
        .byte = byte,
    };
    dma->probe(dma->probe_context, &cycle);
}

void quire_dma_clock(struct quire_dma *dma) {
    enum quire_dma_state state = dma->state;
    uint32_t address = address_of(&dma->channels[dma->serving]);
    bool asked = dma->hrq; /* in the cycle before: the processor sees it now */
    uint8_t byte = 0;
    dma->clock++;
    dma->eop = false;
    switch (state) {
    case QUIRE_DMA_SI:
        sample(dma);
        break;
    case QUIRE_DMA_S0:
        if (dma->hlda)
            dma->state = QUIRE_DMA_S1;
        break;
    case QUIRE_DMA_S1:
        dma->state = QUIRE_DMA_S2;
        break;
    case QUIRE_DMA_S2:
        dma->dack = true;
        dma->state = QUIRE_DMA_S3;
        break;
    case QUIRE_DMA_S3:
        dma->state = QUIRE_DMA_S4;
        break;
    case QUIRE_DMA_S4:
        byte = transfer(dma);
        break;
    }
    dma->hlda = asked;
    dma->held += dma->hlda;
    tell(dma, state, state == QUIRE_DMA_SI ? 0 : address, byte);
}

const char *quire_dma_state_name(enum quire_dma_state state) {
    static const char *const names[] = {"SI", "S0", "S1", "S2", "S3", "S4"};
    return names[state];
}
