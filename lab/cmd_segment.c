/* cmd_segment.c: the segmentation unit (selectors, descriptors, six registers, privilege) in front
 * of the process's paging or alone; and memory under pure segmentation, in variable partitions.
 *
 * The unit's tables are in a frame of RAM: the GDT in its lower half, an LDT in its upper half. The
 * GDT has a kernel's own flat segments, and the LDT's descriptor, from the start:
 *
 *     1 kernel code   2 kernel data   3 user code   4 user data   5 the LDT
 */
#include <inttypes.h>
#include <string.h>

#include "lab/inside.h"

#define GDT_ENTRIES 64
#define LDT_OFFSET  2048u
#define LDT_ENTRIES 64

/* ---- the unit ---------------------------------------------------------------------------------
 */

static bool unit_fault(struct lab_call *call) {
    char text[200];
    quire_segment_fault_text(&call->world->unit_fault, text, sizeof text);
    lab_say(call, "  %s\n", text);
    return lab_value(call, -(int64_t)call->world->unit_fault.exception);
}

static void put_descriptor(struct lab_world *world, bool ldt, unsigned index,
                           const struct quire_descriptor *descriptor) {
    uint8_t *table = quire_frame_window(world->q, world->unit_tables->frame);
    uint64_t bytes = quire_descriptor_pack(descriptor);
    memcpy(table + (ldt ? LDT_OFFSET : 0) + 8 * index, &bytes, sizeof bytes);
}

static bool bring_up(struct lab_world *world, uint32_t base) {
    struct quire_segment_unit *unit = &world->unit;
    struct quire_segment_fault *fault = &world->unit_fault;
    struct quire_descriptor flat = {
        .limit = 0xFFFFF, .type = 10, .granular = true, .big = true, .present = true};
    const struct quire_descriptor ldt = {.base = base + LDT_OFFSET,
                                         .limit = 8 * LDT_ENTRIES - 1,
                                         .type = QUIRE_SEGMENT_LDT,
                                         .system = true,
                                         .present = true};
    for (unsigned i = 1; i <= 4; i++) {
        flat.type = i % 2 ? 10 : 2;
        flat.dpl = i > 2 ? 3 : 0;
        put_descriptor(world, false, i, &flat);
    }
    put_descriptor(world, false, 5, &ldt);
    return quire_segment_lgdt(unit, base, 8 * GDT_ENTRIES, fault) &&
           quire_segment_lldt(unit, quire_selector(5, false, 0), fault) &&
           quire_segment_load(unit, QUIRE_CS, quire_selector(1, false, 0), fault) &&
           quire_segment_load(unit, QUIRE_SS, quire_selector(2, false, 0), fault);
}

static bool unit(struct lab_call *call) {
    static const char *const words[] = {"alone", "paging", NULL};
    struct lab_world *world = call->world;
    int which = 0;
    if (call->argc && !lab_word(call, 0, words, &which))
        return false;
    if (which && (!world->config.layout32 || !world->current || !world->current->space))
        return lab_wrong(call, "with paging it needs 32 bits and a process: machine --format "
                               "10/10/12, then proc");
    if (!world->unit_tables) {
        world->unit_tables = lab_thing_new(world, LAB_FRAMES, "");
        if (!world->unit_tables)
            return lab_wrong(call, "no room for another of the kernel's things");
        if (quire_frames_alloc(world->q, 0, &world->unit_tables->frame) != QUIRE_OK) {
            world->unit_tables->used = false;
            world->unit_tables = NULL;
            return lab_refused(call, "no memory for the tables");
        }
        world->unit_tables->address = UINT64_MAX; /* nobody's to free */
    }
    uint8_t *tables = quire_frame_window(world->q, world->unit_tables->frame);
    memset(tables, 0, PAGE);
    quire_segment_init(&world->unit, world->machine,
                       which ? quire_space_pmap(world->current->space) : NULL);
    uint64_t base = which ? lab_kernel_address(world, tables)
                          : quire_frame_address(world->unit_tables->frame).value;
    if (!bring_up(world, (uint32_t)base))
        return unit_fault(call);
    lab_say(call,
            "  GDT at 0x%" PRIx64 ": 1, 2 kernel code and data, 3, 4 a program's, 5 the LDT; "
            "privilege 0\n",
            base);
    return true;
}

static bool unit_is_up(struct lab_call *call) {
    struct lab_world *world = call->world;
    if (!world->unit_tables)
        return lab_wrong(call, "the segmentation unit is off; switch it on: unit alone");
    if (!world->unit.pmap)
        return true;
    for (unsigned i = 0; i < LAB_PROCESSES; i++) {
        struct quire_space *space = world->processes[i].space;
        if (space && quire_space_pmap(space) == world->unit.pmap)
            return true;
    }
    return lab_wrong(call, "the process that the unit was switched on for has ended");
}

static bool table_word(struct lab_call *call, int i, int *ldt) {
    static const char *const words[] = {"gdt", "ldt", NULL};
    return lab_word(call, i, words, ldt);
}

/* descriptor gdt|ldt INDEX BASE LIMIT KIND DPL [absent|pages] */
static bool descriptor(struct lab_call *call) {
    static const char *const kinds[] = {"readonly", "data",       "down", "execute",
                                        "code",     "conforming", NULL};
    static const unsigned types[] = {0, 2, 6, 8, 10, 14};
    static const char *const flags[] = {"absent", "pages", NULL};
    int ldt, kind, flag = -1;
    int64_t index, base, limit, dpl;
    if (!unit_is_up(call) || !table_word(call, 0, &ldt) ||
        !lab_range(call, 1, ldt ? 0 : 6, 63, &index) || !lab_range(call, 2, 0, UINT32_MAX, &base) ||
        !lab_range(call, 3, 0, 0xFFFFF, &limit) || !lab_word(call, 4, kinds, &kind) ||
        !lab_range(call, 5, 0, 3, &dpl) || (call->argc > 6 && !lab_word(call, 6, flags, &flag)))
        return false;
    const struct quire_descriptor d = {.base = (uint32_t)base,
                                       .limit = (uint32_t)limit,
                                       .type = types[kind],
                                       .dpl = (unsigned)dpl,
                                       .present = flag != 0,
                                       .granular = flag == 1,
                                       .big = true};
    put_descriptor(call->world, ldt, (unsigned)index, &d);
    uint64_t bytes = quire_descriptor_pack(&d);
    lab_say(call, "  %s[%" PRId64 "] = 0x%016" PRIx64 ": base 0x%x, last offset 0x%x, level %u\n",
            ldt ? "LDT" : "GDT", index, bytes, d.base, quire_descriptor_last(&d), d.dpl);
    return true;
}

static bool segment_word(struct lab_call *call, int i, int *segment) {
    static const char *const words[] = {"cs", "ss", "ds", "es", "fs", "gs", NULL};
    return lab_word(call, i, words, segment);
}

/* load ds gdt 4 3: register, table, index, requested privilege. */
static bool load(struct lab_call *call) {
    int segment, ldt;
    int64_t index, rpl;
    if (!unit_is_up(call) || !segment_word(call, 0, &segment) || !table_word(call, 1, &ldt) ||
        !lab_range(call, 2, 0, 63, &index) || !lab_number_or(call, 3, 0, &rpl))
        return false;
    if (rpl < 0 || rpl > 3)
        return lab_wrong(call, "privilege is 0 to 3, not %" PRId64, rpl);
    uint16_t selector = quire_selector((unsigned)index, ldt, (unsigned)rpl);
    if (!quire_segment_load(&call->world->unit, (enum quire_segment_register)segment, selector,
                            &call->world->unit_fault))
        return unit_fault(call);
    lab_say(call, "  %s = selector 0x%04x: %s[%" PRId64 "], privilege %" PRId64 "\n",
            quire_segment_names[segment], selector, ldt ? "LDT" : "GDT", index, rpl);
    return lab_value(call, selector);
}

/* To a program, with code and data of the GDT; and through a gate back to the kernel. */
static bool user_mode(struct lab_call *call) {
    int64_t code, data;
    if (!unit_is_up(call) || !lab_number_or(call, 0, 3, &code) || !lab_number_or(call, 1, 4, &data))
        return false;
    if (!quire_segment_return(&call->world->unit, quire_selector((unsigned)code & 63, false, 3),
                              quire_selector((unsigned)data & 63, false, 3),
                              &call->world->unit_fault))
        return unit_fault(call);
    lab_say(call, "  privilege %u: a program runs\n", call->world->unit.cpl);
    return lab_value(call, call->world->unit.cpl);
}

static bool kernel_mode(struct lab_call *call) {
    if (!unit_is_up(call))
        return false;
    if (!quire_segment_enter(&call->world->unit, quire_selector(1, false, 0),
                             quire_selector(2, false, 0), &call->world->unit_fault))
        return unit_fault(call);
    lab_say(call, "  privilege %u: the kernel runs\n", call->world->unit.cpl);
    return lab_value(call, call->world->unit.cpl);
}

/* Without a kernel in this computer that would mind, a flat segment reaches the manager's own
 * memory: a store goes only where the script has frames, or the segments are. */
static bool may_store(struct lab_call *call, int segment, uint32_t offset) {
    struct lab_world *world = call->world;
    struct quire_walk walk;
    quire_paddr start;
    uint64_t length;
    quire_segment_walk(&world->unit, (enum quire_segment_register)segment, offset,
                       QUIRE_ACCESS_WRITE, false, &walk);
    if (walk.fault != QUIRE_WALK_OK || (world->unit.pmap && world->unit.cpl == 3))
        return true; /* refused, or a program's page */
    if (quire_reserved(world->q, &start, &length) && walk.physical - start.value < length)
        return true;
    for (unsigned i = 0; i < LAB_THINGS; i++) {
        const struct lab_thing *thing = &world->things[i];
        uint64_t frame = walk.physical / PAGE - thing->frame.number;
        if (thing->used && thing->kind == LAB_FRAMES && thing->address != UINT64_MAX &&
            frame < (uint64_t)1 << thing->nbytes)
            return true;
    }
    return lab_wrong(call,
                     "physical 0x%" PRIx64 " is the manager's: alloc_pages gives frames to "
                     "store into, --reserve sets memory aside",
                     walk.physical);
}

static bool move(struct lab_call *call, enum quire_access access) {
    int segment;
    int64_t offset, value;
    if (!unit_is_up(call) || !segment_word(call, 0, &segment) ||
        !lab_range(call, 1, 0, UINT32_MAX, &offset) || !lab_number_or(call, 2, 0, &value))
        return false;
    if (access == QUIRE_ACCESS_WRITE && !may_store(call, segment, (uint32_t)offset))
        return false;
    uint8_t byte = (uint8_t)value;
    bool good = quire_segment_move(&call->world->unit, (enum quire_segment_register)segment,
                                   (uint32_t)offset, &byte, 1, access, &call->world->unit_fault);
    lab_settle(call->world);
    if (!good)
        return unit_fault(call);
    lab_say(call, "  %s:0x%" PRIx64 " %s %u\n", quire_segment_names[segment], (uint64_t)offset,
            access == QUIRE_ACCESS_WRITE ? "=" : "holds", byte);
    return lab_value(call, byte);
}

static bool seg_read(struct lab_call *call) {
    return move(call, QUIRE_ACCESS_READ);
}

static bool seg_write(struct lab_call *call) {
    return move(call, QUIRE_ACCESS_WRITE);
}

static bool seg_walk(struct lab_call *call) {
    static const char *const words[] = {"read", "write", "execute", NULL};
    static const enum quire_access accesses[] = {QUIRE_ACCESS_READ, QUIRE_ACCESS_WRITE,
                                                 QUIRE_ACCESS_EXEC};
    int segment, access = 0;
    int64_t offset;
    char text[4000];
    if (!unit_is_up(call) || !segment_word(call, 0, &segment) ||
        !lab_range(call, 1, 0, UINT32_MAX, &offset) ||
        (call->argc > 2 && !lab_word(call, 2, words, &access)))
        return false;
    quire_segment_walk(&call->world->unit, (enum quire_segment_register)segment, (uint32_t)offset,
                       accesses[access], false, &call->world->walk);
    quire_walk_text(&call->world->walk, text, sizeof text);
    for (const char *at = text; *at;) {
        size_t n = strcspn(at, "\n");
        lab_say(call, "  %.*s\n", (int)n, at);
        at += n + (at[n] == '\n');
    }
    return lab_value(call, (int64_t)call->world->walk.physical);
}

/* ---- variable partitions ----------------------------------------------------------------------
 */

static bool segments(struct lab_call *call) {
    static const char *const fits[] = {"first", "best", "worst", "next", NULL};
    static const char *const words[] = {"compact", "swap", NULL};
    struct lab_world *world = call->world;
    struct quire_segments_config config = {.fit = QUIRE_FIT_FIRST};
    uint64_t length;
    int fit, word;
    if (!lab_word(call, 0, fits, &fit))
        return false;
    config.fit = (enum quire_fit)fit;
    for (int i = 1; i < call->argc; i++) {
        if (!lab_word(call, i, words, &word))
            return false;
        config.compact |= word == 0;
        config.swap |= word == 1;
    }
    if (world->segments)
        return lab_wrong(call, "memory is divided into segments already; another: machine ...");
    if (!quire_reserved(world->q, &config.start, &length) || length >= (uint64_t)2 << 30)
        return lab_wrong(call, "segments need memory set aside at boot: machine --reserve 1M");
    if (config.swap && (!world->config.swap_bytes[0] || world->config.swap_on))
        return lab_wrong(call, "segments swap to a device of their own: machine --reserve 1M "
                               "--swap 8M --swap-off");
    config.length_bytes = (uint32_t)length;
    enum quire_status status = quire_segments_create(world->q, &config, &world->segments);
    if (status != QUIRE_OK)
        world->segments = NULL;
    world->segments_swap = world->segments && config.swap;
    return lab_status(call, status, "segments");
}

static struct lab_thing *named(struct lab_call *call) {
    struct lab_thing *thing = lab_thing_named(call->world, LAB_SEGMENT, call->argv[0]);
    if (!thing)
        lab_wrong(call, "there is no segment '%.40s'", call->argv[0]);
    return thing;
}

static bool segment(struct lab_call *call) {
    int64_t nbytes;
    struct quire_segment *made;
    if (!call->world->segments)
        return lab_wrong(call, "memory is not divided into segments: segments first");
    if (lab_thing_named(call->world, LAB_SEGMENT, call->argv[0]) ||
        strlen(call->argv[0]) >= LAB_NAME)
        return lab_wrong(call, "'%.40s' is there already, or longer than %d bytes", call->argv[0],
                         LAB_NAME - 1);
    if (!lab_range(call, 1, 1, INT32_MAX, &nbytes))
        return false;
    struct lab_thing *thing = lab_thing_new(call->world, LAB_SEGMENT, call->argv[0]);
    if (!thing)
        return lab_wrong(call, "no room for another of the kernel's things");
    enum quire_status status =
        quire_segment_create(call->world->segments, (uint32_t)nbytes, thing, &made);
    thing->used = status == QUIRE_OK;
    if (status != QUIRE_OK)
        return lab_status(call, status, "segment");
    thing->pointer = made;
    struct quire_segment_info info;
    quire_segment_info(made, &info);
    lab_say(call, "  %s: %u bytes at offset %u\n", thing->name, info.nbytes, info.offset);
    return lab_value(call, info.offset);
}

static bool segment_free(struct lab_call *call) {
    struct lab_thing *thing = named(call);
    if (!thing)
        return false;
    quire_segment_destroy(thing->pointer);
    thing->used = false;
    return true;
}

static bool segment_resize(struct lab_call *call) {
    struct lab_thing *thing = named(call);
    int64_t nbytes;
    return thing && lab_range(call, 1, 1, INT32_MAX, &nbytes) &&
           lab_status(call, quire_segment_resize(thing->pointer, (uint32_t)nbytes),
                      "segment_resize");
}

static bool segment_use(struct lab_call *call) {
    struct lab_thing *thing = named(call);
    quire_paddr base;
    if (!thing)
        return false;
    enum quire_status status = quire_segment_use(thing->pointer, &base);
    if (status != QUIRE_OK)
        return lab_status(call, status, "segment_use");
    lab_say(call, "  %s is at physical 0x%" PRIx64 "\n", thing->name, base.value);
    return lab_value(call, (int64_t)base.value);
}

static bool segment_out(struct lab_call *call) {
    struct lab_thing *thing = named(call);
    return thing && lab_status(call, quire_segment_swap_out(thing->pointer), "segment_out");
}

static bool compact(struct lab_call *call) {
    if (!call->world->segments)
        return lab_wrong(call, "memory is not divided into segments: segments first");
    quire_segments_compact(call->world->segments);
    return true;
}

static bool segment_map(struct lab_call *call) {
    struct quire_segment_info info;
    if (!call->world->segments)
        return lab_wrong(call, "memory is not divided into segments: segments first");
    for (uint32_t at = 0; quire_segments_at(call->world->segments, at, &info);) {
        const struct lab_thing *owner = info.owner;
        lab_say(call, "  %10u  %10u bytes  %s\n", info.offset, info.nbytes,
                info.hole ? "-- hole --" : owner->name);
        uint32_t length = info.nbytes + (info.hole ? 0 : 15);
        at = info.offset + (info.hole ? length : length & ~15u);
    }
    const struct quire_segments_figures *seg = &lab_now(call->lab)->seg;
    lab_say(call, "  %u bytes free in %u holes, the largest %u; external fragmentation %u.%u %%\n",
            seg->free, seg->nholes, seg->largest_hole, seg->external_permille / 10,
            seg->external_permille % 10);
    return true;
}

const struct lab_command lab_segment_commands[] = {
    {"unit", "[alone|paging]", "the segmentation unit, without paging or before it", unit,
     LAB_CHANGES},
    {"descriptor", "gdt|ldt INDEX BASE LIMIT KIND DPL [absent|pages]",
     "KIND: readonly, data, down, execute, code, conforming", descriptor, LAB_CHANGES},
    {"load", "cs|ss|ds|es|fs|gs gdt|ldt INDEX [RPL]", "a selector into a segment register", load,
     LAB_CHANGES},
    {"user_mode", "[CODE [DATA]]", "to privilege 3, with descriptors of the GDT (3, 4)", user_mode,
     LAB_CHANGES},
    {"kernel_mode", "", "through a gate to privilege 0", kernel_mode, LAB_CHANGES},
    {"seg_read", "SEGMENT OFFSET", "a byte through the unit", seg_read, LAB_CHANGES},
    {"seg_write", "SEGMENT OFFSET VALUE", "", seg_write, LAB_CHANGES},
    {"seg_walk", "SEGMENT OFFSET [read|write|execute]", "logical, linear, physical: each step",
     seg_walk, LAB_CHANGES},
    {"segments", "first|best|worst|next [compact] [swap]", "memory in variable partitions",
     segments, LAB_CHANGES},
    {"segment", "NAME BYTES", "a segment of it", segment, LAB_CHANGES},
    {"segment_free", "NAME", "", segment_free, LAB_CHANGES},
    {"segment_resize", "NAME BYTES", "", segment_resize, LAB_CHANGES},
    {"segment_use", "NAME", "into RAM, if it is not there", segment_use, LAB_CHANGES},
    {"segment_out", "NAME", "to the device, whole", segment_out, LAB_CHANGES},
    {"compact", "", "all segments to the low end", compact, LAB_CHANGES},
    {"segment_map", "", "segments and holes, by address", segment_map, 0},
    {NULL, "", "", NULL, 0}};
