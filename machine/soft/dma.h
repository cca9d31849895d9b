/* dma.h: a DMA controller, cycle by cycle: an 8237 with page registers, as the PC had it.
 *
 *     device --DREQ--> controller --HRQ--> processor         I want the bus
 *     device <--DACK-- controller <--HLDA-- processor        it is yours
 *     device <--------- bytes ---------> memory              S1 to S4, a byte each
 *     device <--EOP--- controller (TC), then device --IRQ--> processor
 *
 * Intel 8237A data sheet (231466): registers, modes, states. Channels 0 to 3, 8 bits wide. Address
 * bits 16 to 23 come from a page register outside the chip, which does not count: memory above
 * 16 MiB is out of reach, and a transfer wraps inside its 64 KiB. Left out: cascade,
 * memory-to-memory, compressed timing. Public, as soft.h.
 */
#ifndef QUIRE_SOFT_DMA_H
#define QUIRE_SOFT_DMA_H

#include <stdbool.h>
#include <stdint.h>

#define QUIRE_DMA_CHANNELS    4
#define QUIRE_DMA_REACH_BYTES ((uint64_t)16 << 20) /* 24 address lines */

/* I/O ports: address and count of channel c at 2c and 2c + 1 (low byte, then high byte), and: */
enum quire_dma_port {
    QUIRE_DMA_COMMAND = 0x08, /* written: bit 2 disables the controller; read: status */
    QUIRE_DMA_REQUEST = 0x09, /* bits 0-1 channel, bit 2: as if DREQ were high */
    QUIRE_DMA_MASK = 0x0A,    /* bits 0-1 channel, bit 2: masked */
    QUIRE_DMA_MODE = 0x0B,
    QUIRE_DMA_FLIP_FLOP = 0x0C, /* the next byte of an address or a count is the low one */
    QUIRE_DMA_CLEAR = 0x0D,     /* as reset */
};
#define QUIRE_DMA_PAGE 0x80 /* + c: page register (the PC scattered them over 0x81 to 0x87) */

/* Mode: bits 0-1 channel, 2-3 direction, 4 autoinitialise, 5 downwards, 6-7 how the bus is held. */
#define QUIRE_DMA_TO_MEMORY   (1u << 2)
#define QUIRE_DMA_FROM_MEMORY (2u << 2)
#define QUIRE_DMA_AUTO        (1u << 4)
#define QUIRE_DMA_DOWN        (1u << 5)
#define QUIRE_DMA_DEMAND      (0u << 6) /* as long as DREQ is high */
#define QUIRE_DMA_SINGLE      (1u << 6) /* given back after each byte */
#define QUIRE_DMA_BLOCK       (2u << 6) /* until the count is done */

enum quire_dma_state {
    QUIRE_DMA_SI, /* idle: DREQ is sampled */
    QUIRE_DMA_S0, /* HRQ is up, HLDA awaited */
    QUIRE_DMA_S1, /* the upper address is latched */
    QUIRE_DMA_S2, /* address out, DACK */
    QUIRE_DMA_S3, /* read line active */
    QUIRE_DMA_S4, /* write line active: the byte is moved, the count goes down */
};

/* The lines at the end of one clock cycle. */
struct quire_dma_cycle {
    uint64_t clock;
    enum quire_dma_state state; /* that was done in it */
    unsigned channel;           /* that is served, from S0 on */
    bool dreq, hrq, hlda, dack, eop, irq;
    uint32_t address; /* in S1 to S4 */
    uint8_t byte;     /* in S4 */
};

/* What stands at a channel. give: the next byte for memory; take: one from it; done: EOP came. */
struct quire_dma_device {
    uint8_t (*give)(void *context);
    void (*take)(void *context, uint8_t byte);
    void (*done)(void *context);
    void *context;
};

struct quire_dma {
    uint8_t *memory; /* of which 16 MiB, or all if it is less, are in reach */
    uint64_t memory_bytes;
    struct quire_dma_channel {
        uint16_t base_address, base_count, address, count;
        uint8_t page, mode;
        bool masked, dreq, requested; /* requested: by the register */
        struct quire_dma_device device;
    } channels[QUIRE_DMA_CHANNELS];
    uint8_t command, status; /* status: bits 0-3 the count is done; cleared when read */
    bool high_byte;          /* the flip-flop */
    enum quire_dma_state state;
    unsigned serving;
    bool hrq, hlda, dack, eop;
    bool irq;             /* the device's, until it is acknowledged */
    uint64_t clock;       /* cycles since reset */
    uint64_t bytes, held; /* moved; cycles in which the processor had no bus */
    /* Sees every cycle; NULL: nobody looks. */
    void (*probe)(void *context, const struct quire_dma_cycle *cycle);
    void *probe_context;
};

/* After power-on: all channels masked, nothing attached. */
void quire_dma_init(struct quire_dma *dma, uint8_t *memory, uint64_t memory_bytes);

/* As out and in of the processor; ports that are not there take anything and give 0xFF. */
void quire_dma_out(struct quire_dma *dma, unsigned port, uint8_t value);
uint8_t quire_dma_in(struct quire_dma *dma, unsigned port);

/* What a driver writes for one transfer: the channel masked, mode (which names no channel), address
 * and count set, the channel unmasked. nbytes: 1 to 65536; address: of the first, below 16 MiB. */
void quire_dma_program(struct quire_dma *dma, unsigned channel, unsigned mode, uint32_t address,
                       uint32_t nbytes);

/* The device's line. */
void quire_dma_dreq(struct quire_dma *dma, unsigned channel, bool high);

/* One clock cycle. */
void quire_dma_clock(struct quire_dma *dma);

const char *quire_dma_state_name(enum quire_dma_state state);

#endif
