/* kmem_rig.h: page/ and kmem/ brought up on the doubles of the port, for tests of kmem/ alone. */
#ifndef QUIRE_TESTS_KMEM_RIG_H
#define QUIRE_TESTS_KMEM_RIG_H

#include "port_double.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "kmem/cache.h"

/* checked: all caches look at each object. */
static inline struct quire *kmem_up_checked(struct quire_machine *machine, bool checked) {
    struct quire *q = double_boot(machine, 0);
    assert_non_null(q);
    assert_int_equal(quire_kmem_boot(q, checked), QUIRE_OK);
    return q;
}

static inline struct quire *kmem_up(struct quire_machine *machine) {
    return kmem_up_checked(machine, false);
}

/* Audited, and everything was given back. */
static inline void kmem_down(struct quire_machine *machine, struct quire *q) {
    quire_kmem_audit(q);
    quire_kmem_shutdown(q);
    double_down(machine, q);
}

/* The core's switch quire_fail_every, without core/. */
static inline void kmem_fail_every(struct quire *q, uint64_t nth) {
    q->fail_every = nth;
    q->fail_count = 0;
    quire_page_set_failing(q, nth != 0);
    quire_kmem_guard(q);
}

#endif
