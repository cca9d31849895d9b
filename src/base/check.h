/* check.h: assertions. CHECK is cheap and always on; AUDIT is for debug builds (QUIRE_AUDIT). */
#ifndef QUIRE_BASE_CHECK_H
#define QUIRE_BASE_CHECK_H

#include <quire/machine.h>

/* => q is a struct quire * whose machine can say the last words. */
#define CHECK(q, condition)                                                       \
    do {                                                                          \
        if (__builtin_expect(!(condition), 0))                                    \
            quire_mach_panic((q)->machine, __FILE__, __LINE__, #condition);       \
    } while (0)

/* QUIRE_AUDITING lets code that is more than one condition say if (QUIRE_AUDITING). */
#ifdef QUIRE_AUDIT
#define QUIRE_AUDITING      1
#define AUDIT(q, condition) CHECK(q, condition)
#else
#define QUIRE_AUDITING      0
#define AUDIT(q, condition) ((void)0)
#endif

#endif
