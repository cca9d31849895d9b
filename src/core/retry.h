/* retry.h: what the doors of core/ do when vm/ says QUIRE_NOMEM. Internal to core/. */
#ifndef QUIRE_CORE_RETRY_H
#define QUIRE_CORE_RETRY_H

#include <quire/space.h>

/* How often an operation is tried again when the attempts free memory but never enough, or when
 * memory is free and it is refused all the same (quire_fail_every). Linux: MAX_RECLAIM_RETRIES. */
#define RETRIES_MAX 16

/* One operation's tries; zero-initialised. */
struct retry {
    unsigned attempts;         /* NOMEM answers so far */
    struct quire_space *payer; /* whose program waits; NULL: nobody's in particular */
};

/* The operation answered QUIRE_NOMEM: reclaim. True: worth another try. Each attempt reclaims twice
 * as much as the one before, because what is asked for may be large (fork). */
bool quire_retry_nomem(struct quire *q, struct retry *retry);

/* The status of a call of vm/, made again while reclaim finds memory for it. payer: the space that
 * waits for that, or NULL. */
#define WITH_MEMORY(q, payer_, status, call)         \
    do {                                             \
        struct retry retry_ = {.payer = (payer_)};   \
        do                                           \
            (status) = (call);                       \
        while (quire_again((q), (status), &retry_)); \
    } while (0)

/* frames.c: is the answer for want of memory, and is there some now? */
bool quire_again(struct quire *q, enum quire_status status, struct retry *retry);

/* A fault that ends no program: quire_fault but with QUIRE_NOMEM when there is no memory. For what
 * is only a favour (populate, read-ahead). */
enum quire_status quire_fault_try(struct quire_space *space, quire_vaddr va,
                                  enum quire_access access);

/* A forced write fault (quire_vm_fault_force) with the loop of quire_fault around it. */
enum quire_status quire_fault_forced(struct quire_space *space, quire_vaddr va);

#endif
