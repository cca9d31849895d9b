/* things.c: what the kernel has taken on somebody's command, by the address that was shown for it.
 *
 * Pointers of the host never leave this room: they differ from run to run, and a script that hands
 * one back may hand in anything. A thing is found by its address or name, or it is not there.
 */
#include <string.h>

#include "lab/inside.h"

uint64_t lab_kernel_address(struct lab_world *world, const void *pointer) {
    if (!pointer)
        return 0;
    uint64_t va = quire_soft_kernel_va(world->machine, pointer);
    if (va)
        return va;
    const uint8_t *ram = quire_mach_window(world->machine, (quire_frame){0});
    uint64_t physical = (uint64_t)((const uint8_t *)pointer - ram);
    return physical < world->config.ram_bytes ? physical : 0;
}

bool lab_is_ram(struct lab_world *world, uint64_t frame) {
    struct quire_ram_range range;
    for (unsigned i = 0; quire_mach_ram_range(world->machine, i, &range); i++) {
        uint64_t first = range.start.value / PAGE;
        if (frame >= first && frame - first < range.length_bytes / PAGE)
            return true;
    }
    return false;
}

struct lab_thing *lab_thing_new(struct lab_world *world, enum lab_thing_kind kind,
                                const char *name) {
    for (unsigned i = 0; i < LAB_THINGS; i++) {
        struct lab_thing *thing = &world->things[i];
        if (thing->used)
            continue;
        memset(thing, 0, sizeof *thing);
        thing->kind = kind;
        thing->used = true;
        snprintf(thing->name, sizeof thing->name, "%s", name);
        return thing;
    }
    return NULL;
}

struct lab_thing *lab_thing_at(struct lab_world *world, enum lab_thing_kind kind,
                               uint64_t address) {
    for (unsigned i = 0; i < LAB_THINGS; i++) {
        struct lab_thing *thing = &world->things[i];
        if (thing->used && thing->kind == kind && thing->address == address)
            return thing;
    }
    return NULL;
}

struct lab_thing *lab_thing_named(struct lab_world *world, enum lab_thing_kind kind,
                                  const char *name) {
    for (unsigned i = 0; i < LAB_THINGS; i++) {
        struct lab_thing *thing = &world->things[i];
        if (thing->used && thing->kind == kind && strcmp(thing->name, name) == 0)
            return thing;
    }
    return NULL;
}
