/* choose.c: the policies by name. A new one is a file beside this one, a line in policies.h, and a
 * line here: tests, the command's help and docs/POLICIES.md's figures take it from this table. */
#include "reclaim/policies/policies.h"

static const struct quire_policy *const policies[] = {
    &quire_policy_linux, /* the default comes first */
    &quire_policy_mglru, &quire_policy_clock,  &quire_policy_2q,
    &quire_policy_arc,   &quire_policy_s3fifo, &quire_policy_sieve,
};
#define NPOLICIES (sizeof policies / sizeof policies[0])

static bool same(const char *a, const char *b) {
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

const struct quire_policy *quire_policy_at(unsigned index) {
    return index < NPOLICIES ? policies[index] : NULL;
}

const struct quire_policy *quire_policy_find(const char *name) {
    for (unsigned i = 0; i < NPOLICIES; i++) {
        if (same(policies[i]->name, name)) {
            return policies[i];
        }
    }
    return NULL;
}
