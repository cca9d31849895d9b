/* doubles.c: stands in for the memory manager behind a machine that is under test. */
#include <quire/quire.h>
#include <quire/space.h>

#include "port.h"

struct port_double port_double;

void port_double_reset(void) {
    port_double = (struct port_double){0};
}

enum quire_status quire_fault(struct quire_space *space, quire_vaddr va, enum quire_access access) {
    port_double.faults++;
    port_double.space = space;
    port_double.va = va.value;
    port_double.access = access;
    if (!port_double.fault)
        return QUIRE_FAULT;
    return port_double.fault(port_double.context, space, va, access);
}

void quire_tick(struct quire *q) {
    (void)q;
    port_double.ticks++;
    port_double.wants_tick = false;
}

bool quire_wants_tick(const struct quire *q) {
    (void)q;
    return port_double.wants_tick;
}

struct quire *quire_space_system(const struct quire_space *space) {
    (void)space;
    return NULL;
}
