/* steps_device.c: kernel addresses for single pages: kmap, fixmap, device registers.
 *
 * Registers hold what is written to them (machine/soft), so whoever sees them, by ioremap or by a
 * slot of the fixmap, must see what the last one wrote; a frame seen by kmap must show what the
 * machine's own window of it shows, at one address as long as anybody maps it, and is refused only
 * when all slots are taken.
 */
#include <string.h>

#include "machine/soft/walk.h"
#include "steps.h"

/* ---- registers ------------------------------------------------------------------------------- */

/* Two in a page, the second of the first page reaching into the next. */
#define APART (QUIRE_PAGE_SIZE / 2 + SIM_REGISTERS / 2 * 3 / 2)

static uint64_t offset_of(unsigned region) {
    return region * APART;
}

static quire_paddr address_of(const struct sim *sim, unsigned region) {
    struct quire_soft_layout layout;
    quire_soft_layout(sim->machine, &layout);
    return (quire_paddr){quire_frame_address(layout.registers).value + offset_of(region)};
}

/* The kernel's tables, if there are any, say the same as the host's. */
static void check_tables(struct sim *sim, const void *pointer, quire_frame frame) {
    bool has_tables = sim->plan.field[SIM_KERNEL] != 0;
    uint64_t va = has_tables ? quire_soft_kernel_va(sim->machine, pointer) : 0;
    struct quire_walk walk;
    for (unsigned s = 0; va && s < MODEL_SPACES; s++) {
        if (!sim->spaces[s])
            continue;
        quire_soft_walk(quire_space_pmap(sim->spaces[s]), va, QUIRE_ACCESS_WRITE, true, false,
                        &walk);
        if (walk.fault != QUIRE_WALK_OK ||
            walk.physical >> QUIRE_PAGE_SHIFT != quire_frame_address(frame).value >> 12)
            sim_fail(sim, "kernel tables: 0x%llx is not frame %u", (unsigned long long)va,
                     frame.number);
    }
}

static void expect(struct sim *sim, const volatile uint8_t *registers, unsigned k,
                   const char *where) {
    for (unsigned i = 0; i < SIM_REGISTERS; i++) {
        if (registers[i] != sim->regions[k].value)
            sim_fail(sim, "register %u of device %u by %s: 0x%02x, not 0x%02x", i, k, where,
                     registers[i], sim->regions[k].value);
    }
}

/* device value: taken and written if nobody has it, else looked at and given back */
void sim_draw_device(struct sim *sim, int *a) {
    a[0] = (int)sim_pick(sim, SIM_REGIONS);
    a[1] = sim_draw_value(sim);
}

static void take_device(struct sim *sim, unsigned k, uint8_t value) {
    struct sim_region *region = &sim->regions[k];
    struct quire_region_of_bus *other;
    if (!sim_did(sim, "request_region",
                 quire_request_region(sim->q, address_of(sim, k), SIM_REGISTERS, "sim", false,
                                      &region->region),
                 QUIRE_OK)) {
        region->region = NULL;
        return;
    }
    quire_paddr last = {address_of(sim, k).value + SIM_REGISTERS - 1};
    sim_did(sim, "request_region again",
            quire_request_region(sim->q, last, 1, "other", false, &other), QUIRE_BUSY);
    region->registers = quire_ioremap(region->region);
    if (!region->registers) /* no addresses */
        return;
    if (((uintptr_t)region->registers ^ address_of(sim, k).value) & QUIRE_PAGE_MASK)
        sim_fail(sim, "ioremap: device %u at %p", k, (void *)(uintptr_t)region->registers);
    expect(sim, region->registers, k, "ioremap");
    region->value = value;
    for (unsigned i = 0; i < SIM_REGISTERS; i++)
        region->registers[i] = value;
}

static void give_device(struct sim *sim, unsigned k) {
    struct sim_region *region = &sim->regions[k];
    if (region->registers) {
        expect(sim, region->registers, k, "ioremap");
        check_tables(sim, (const void *)(uintptr_t)region->registers,
                     quire_frame_at(address_of(sim, k)));
        if (quire_release_region(region->region) != QUIRE_BUSY)
            sim_fail(sim, "release_region: device %u is mapped", k);
        quire_iounmap(region->region);
        region->registers = NULL;
    }
    sim_did(sim, "release_region", quire_release_region(region->region), QUIRE_OK);
    region->region = NULL;
}

void sim_act_device(struct sim *sim, const int *a) {
    unsigned k = (unsigned)a[0] % SIM_REGIONS;
    if (sim->regions[k].region)
        give_device(sim, k);
    else
        take_device(sim, k, (uint8_t)a[1]);
}

/* ---- slots ----------------------------------------------------------------------------------- */

/* slot device: shown there from now on; what it showed before is looked at first; -1: none */
void sim_draw_fixmap(struct sim *sim, int *a) {
    a[0] = (int)sim_pick(sim, QUIRE_FIXMAP_SLOTS);
    a[1] = (int)sim_pick(sim, SIM_REGIONS + 2) - 1;
}

void sim_act_fixmap(struct sim *sim, const int *a) {
    unsigned slot = (unsigned)a[0] % QUIRE_FIXMAP_SLOTS;
    const volatile uint8_t *at = quire_fixmap_address(sim->q, slot);
    if (!at)
        sim_fail(sim, "fixmap: slot %u has no address", slot);
    if (sim->fixmap[slot]) {
        unsigned k = sim->fixmap[slot] - 1u;
        expect(sim, at + (offset_of(k) & QUIRE_PAGE_MASK), k, "fixmap");
    }
    if (a[1] < 0 || a[1] >= SIM_REGIONS) {
        quire_fixmap_clear(sim->q, slot);
        sim->fixmap[slot] = 0;
        return;
    }
    quire_paddr page = {address_of(sim, (unsigned)a[1]).value & ~(uint64_t)QUIRE_PAGE_MASK};
    if (sim_did(sim, "fixmap_set", quire_fixmap_set(sim->q, slot, page), QUIRE_OK))
        sim->fixmap[slot] = (uint8_t)(a[1] + 1);
}

/* user n: he and those after him each map a frame, or look at it and let it go */
void sim_draw_kmap(struct sim *sim, int *a) {
    a[0] = (int)sim_pick(sim, SIM_KMAPS);
    a[1] = 1 + (int)sim_pick(sim, 30);
}

/* The highest ones of RAM; some users share theirs. */
static quire_frame kmap_frame(const struct sim *sim, unsigned user) {
    return (quire_frame){(uint32_t)(sim->plan.field[SIM_RAM] - 1 - user % SIM_KMAP_FRAMES)};
}

/* Where somebody has that frame already, or NULL; and how many frames are mapped. */
static void *kmapped_by_others(const struct sim *sim, unsigned user, unsigned *nframes) {
    void *address = NULL;
    *nframes = 0;
    for (unsigned i = 0; i < SIM_KMAPS; i++) {
        if (!sim->kmapped[i])
            continue;
        *nframes += i < SIM_KMAP_FRAMES || !sim->kmapped[i - SIM_KMAP_FRAMES];
        if (kmap_frame(sim, i).number == kmap_frame(sim, user).number)
            address = sim->kmapped[i];
    }
    return address;
}

static void kunmap(struct sim *sim, unsigned user) {
    quire_frame frame = kmap_frame(sim, user);
    if (memcmp(sim->kmapped[user], quire_mach_window(sim->machine, frame), QUIRE_PAGE_SIZE) != 0)
        sim_fail(sim, "kmap: frame %u shows something else", frame.number);
    check_tables(sim, sim->kmapped[user], frame);
    quire_kunmap(sim->q, frame);
    sim->kmapped[user] = NULL;
}

static void kmap(struct sim *sim, unsigned user) {
    quire_frame frame = kmap_frame(sim, user);
    unsigned nframes;
    void *others = kmapped_by_others(sim, user, &nframes), *got = quire_kmap(sim->q, frame);
    bool is_high = sim->plan.field[SIM_HIGH] > 0;
    bool taken = is_high && !others && nframes == QUIRE_KMAP_SLOTS;
    if (!got != taken)
        sim_fail(sim, "kmap: frame %u %s with %u slots in use", frame.number,
                 got ? "was mapped" : "was refused", nframes);
    if (got &&
        ((others && got != others) || (got == quire_mach_window(sim->machine, frame)) == is_high))
        sim_fail(sim, "kmap: frame %u at %p", frame.number, got);
    sim->kmapped[user] = got;
}

void sim_act_kmap(struct sim *sim, const int *a) {
    for (int i = 0; i < a[1] && i < SIM_KMAPS; i++) {
        unsigned user = ((unsigned)a[0] + (unsigned)i) % SIM_KMAPS;
        if (sim->kmapped[user])
            kunmap(sim, user);
        else
            kmap(sim, user);
    }
}

void sim_device_end(struct sim *sim) {
    for (unsigned k = 0; k < SIM_REGIONS; k++) {
        if (sim->regions[k].region)
            give_device(sim, k);
    }
    for (unsigned slot = 0; slot < QUIRE_FIXMAP_SLOTS; slot++)
        quire_fixmap_clear(sim->q, slot);
    for (unsigned user = 0; user < SIM_KMAPS; user++) {
        if (sim->kmapped[user])
            kunmap(sim, user);
    }
}
