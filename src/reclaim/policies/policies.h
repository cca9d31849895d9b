/* policies.h: every policy of this folder, for the table in choose.c. Internal. */
#ifndef QUIRE_RECLAIM_POLICIES_POLICIES_H
#define QUIRE_RECLAIM_POLICIES_POLICIES_H

#include <quire/policy.h>

extern const struct quire_policy quire_policy_linux, quire_policy_mglru, quire_policy_clock,
    quire_policy_2q, quire_policy_arc, quire_policy_s3fifo, quire_policy_sieve;

#endif
