/* cmd_device.c: regions of physical addresses, device registers, memory for devices, and a DMA
 * controller of one's own: an 8237, cycle by cycle.
 */
#include <inttypes.h>
#include <string.h>

#include "lab/inside.h"

#define CYCLES_MAX   2000000u
#define CYCLES_SHOWN 40u
#define CHANNEL      1u

static bool request_region(struct lab_call *call) {
    static const char *const words[] = {"divisible", NULL};
    int64_t start, nbytes;
    int word = -1;
    struct quire_region_of_bus *region;
    if (strlen(call->argv[0]) >= LAB_NAME ||
        lab_thing_named(call->world, LAB_REGION, call->argv[0]))
        return lab_wrong(call, "'%.40s' is there already, or longer than %d bytes", call->argv[0],
                         LAB_NAME - 1);
    if (!lab_number(call, 1, &start) || !lab_number(call, 2, &nbytes) ||
        (call->argc > 3 && !lab_word(call, 3, words, &word)))
        return false;
    struct lab_thing *thing = lab_thing_new(call->world, LAB_REGION, call->argv[0]);
    if (!thing)
        return lab_wrong(call, "no room for another of the kernel's things");
    enum quire_status status =
        quire_request_region(call->world->q, (quire_paddr){(uint64_t)start}, (uint64_t)nbytes,
                             thing->name, word == 0, &region);
    thing->used = status == QUIRE_OK;
    thing->pointer = thing->used ? region : NULL;
    return lab_status(call, status, "request_region");
}

static struct lab_thing *region(struct lab_call *call) {
    struct lab_thing *thing = lab_thing_named(call->world, LAB_REGION, call->argv[0]);
    if (!thing)
        lab_wrong(call, "there is no region '%.40s'", call->argv[0]);
    return thing;
}

static bool release_region(struct lab_call *call) {
    struct lab_thing *thing = region(call);
    if (!thing)
        return false;
    enum quire_status status = quire_release_region(thing->pointer);
    thing->used = status != QUIRE_OK;
    return lab_status(call, status, "release_region");
}

static bool ioremap(struct lab_call *call) {
    struct lab_thing *owner = region(call);
    if (!owner)
        return false;
    if (lab_thing_named(call->world, LAB_IOREMAP, owner->name))
        return lab_wrong(call, "'%s' is mapped already", owner->name);
    struct lab_thing *thing = lab_thing_new(call->world, LAB_IOREMAP, owner->name);
    if (!thing)
        return lab_wrong(call, "no room for another of the kernel's things");
    const void *registers = quire_ioremap(owner->pointer);
    thing->used = registers != NULL;
    if (!registers)
        return lab_refused(call, "ioremap: no kernel addresses for it");
    thing->pointer = owner->pointer;
    thing->address = lab_kernel_address(call->world, registers);
    lab_say(call, "  ioremap: 0x%" PRIx64 "\n", thing->address);
    return lab_value(call, (int64_t)thing->address);
}

static bool iounmap(struct lab_call *call) {
    struct lab_thing *thing = lab_thing_named(call->world, LAB_IOREMAP, call->argv[0]);
    if (!thing)
        return lab_wrong(call, "'%.40s' is not mapped", call->argv[0]);
    quire_iounmap(thing->pointer);
    thing->used = false;
    return true;
}

/* ---- memory for devices -----------------------------------------------------------------------
 */

static bool dma_alloc(struct lab_call *call) {
    int64_t nbytes, bits;
    quire_paddr device;
    if (!lab_range(call, 0, 1, (int64_t)1 << 40, &nbytes) || !lab_number_or(call, 1, 24, &bits))
        return false;
    if (bits < 12 || bits > 63)
        return lab_wrong(call, "a device has 12 to 63 address lines, not %" PRId64, bits);
    struct lab_thing *thing = lab_thing_new(call->world, LAB_DMA_MEMORY, "");
    if (!thing)
        return lab_wrong(call, "no room for another of the kernel's things");
    thing->pointer =
        quire_dma_alloc(call->world->q, (uint64_t)nbytes, ((uint64_t)1 << bits) - 1, &device);
    thing->used = thing->pointer != NULL;
    if (!thing->used)
        return lab_refused(call, "dma_alloc: NULL: no such memory in a row that low, or more than "
                                 "4 MiB");
    thing->nbytes = (uint64_t)nbytes;
    thing->address = device.value;
    lab_say(call, "  dma_alloc: the device finds it at physical 0x%" PRIx64 "\n", device.value);
    return lab_value(call, (int64_t)device.value);
}

static struct lab_thing *dma_memory(struct lab_call *call) {
    int64_t address;
    if (!lab_number(call, 0, &address))
        return NULL;
    struct lab_thing *thing = lab_thing_at(call->world, LAB_DMA_MEMORY, (uint64_t)address);
    if (!thing)
        lab_wrong(call, "dma_alloc gave nothing at 0x%" PRIx64, (uint64_t)address);
    return thing;
}

static bool dma_free(struct lab_call *call) {
    struct lab_thing *thing = dma_memory(call);
    if (!thing)
        return false;
    quire_dma_free(call->world->q, thing->pointer, thing->nbytes);
    thing->used = false;
    return true;
}

static bool dma_byte(struct lab_call *call) {
    struct lab_thing *thing = dma_memory(call);
    int64_t offset;
    if (!thing || !lab_range(call, 1, 0, (int64_t)thing->nbytes - 1, &offset))
        return false;
    uint8_t byte = ((const uint8_t *)thing->pointer)[offset];
    lab_say(call, "  byte %" PRId64 " is %u\n", offset, byte);
    return lab_value(call, byte);
}

/* ---- the controller ---------------------------------------------------------------------------
 */

struct disk {
    struct lab_call *call;
    struct quire_dma dma;
    unsigned sent, ends, shown, bus_asked;
    bool hrq;
};

static uint8_t give(void *context) {
    return (uint8_t)(((struct disk *)context)->sent++ + 1);
}

static void done(void *context) {
    ((struct disk *)context)->ends++;
}

static void probe(void *context, const struct quire_dma_cycle *cycle) {
    struct disk *disk = context;
    disk->bus_asked += cycle->hrq && !disk->hrq;
    disk->hrq = cycle->hrq;
    if (disk->shown++ >= CYCLES_SHOWN)
        return;
    lab_say(disk->call, "  clock %3" PRIu64 "  %s  %s %s %s %s %s %s", cycle->clock,
            quire_dma_state_name(cycle->state), cycle->dreq ? "DREQ" : "----",
            cycle->hrq ? "HRQ" : "---", cycle->hlda ? "HLDA" : "----",
            cycle->dack ? "DACK" : "----", cycle->eop ? "EOP" : "---", cycle->irq ? "IRQ" : "---");
    if (cycle->state == QUIRE_DMA_S4)
        lab_say(disk->call, "  byte %3u to 0x%06" PRIx32, cycle->byte, cycle->address);
    lab_say(disk->call, "\n");
}

/* dma_run ADDR BYTES single|block|demand: a disk gives bytes 1, 2, 3, ... */
static bool dma_run(struct lab_call *call) {
    static const char *const words[] = {"single", "block", "demand", NULL};
    static const unsigned modes[] = {QUIRE_DMA_SINGLE, QUIRE_DMA_BLOCK, QUIRE_DMA_DEMAND};
    struct lab_thing *thing = dma_memory(call);
    struct disk disk = {.call = call};
    int64_t nbytes;
    int mode;
    if (!thing || !lab_range(call, 1, 1, 65536, &nbytes) || !lab_word(call, 2, words, &mode))
        return false;
    if ((uint64_t)nbytes > thing->nbytes || thing->address >> 24 ||
        (thing->address & 0xFFFF) + (uint64_t)nbytes > 65536)
        return lab_wrong(call, "the controller reaches 16 MiB, and does not leave its 64 KiB: ask "
                               "dma_alloc for 24 lines, and for no fewer bytes than that");
    quire_dma_init(&disk.dma, quire_mach_window(call->world->machine, (quire_frame){0}),
                   call->world->config.ram_bytes);
    disk.dma.channels[CHANNEL].device =
        (struct quire_dma_device){.give = give, .done = done, .context = &disk};
    disk.dma.probe = probe;
    disk.dma.probe_context = &disk;
    quire_dma_program(&disk.dma, CHANNEL, modes[mode] | QUIRE_DMA_TO_MEMORY,
                      (uint32_t)thing->address, (uint32_t)nbytes);
    quire_dma_dreq(&disk.dma, CHANNEL, true);
    while (!disk.ends && disk.dma.clock < CYCLES_MAX)
        quire_dma_clock(&disk.dma);
    if (disk.shown > CYCLES_SHOWN)
        lab_say(call, "  ...\n");
    lab_say(call,
            "  %" PRIu64 " bytes in %" PRIu64 " clock cycles; the processor had no bus in %" PRIu64
            " of them; HRQ rose %u times\n",
            disk.dma.bytes, disk.dma.clock, disk.dma.held, disk.bus_asked);
    (void)lab_variable_set(call->lab, "dma_held", (int64_t)disk.dma.held);
    (void)lab_variable_set(call->lab, "dma_asked", (int64_t)disk.bus_asked);
    return lab_value(call, (int64_t)disk.dma.clock);
}

const struct lab_command lab_device_commands[] = {
    {"request_region", "NAME START BYTES [divisible]", "physical addresses for a device",
     request_region, LAB_CHANGES},
    {"release_region", "NAME", "", release_region, LAB_CHANGES},
    {"ioremap", "NAME", "its registers, at a kernel address", ioremap, LAB_CHANGES},
    {"iounmap", "NAME", "", iounmap, LAB_CHANGES},
    {"dma_alloc", "BYTES [LINES]", "memory that a device with so many address lines reaches",
     dma_alloc, LAB_CHANGES},
    {"dma_free", "ADDR", "", dma_free, LAB_CHANGES},
    {"dma_byte", "ADDR OFFSET", "what lies there", dma_byte, 0},
    {"dma_run", "ADDR BYTES single|block|demand",
     "a disk's bytes to memory: the handshake; sets dma_held, dma_asked", dma_run, LAB_CHANGES},
    {NULL, "", "", NULL, 0}};
