/* sites.c: which code it was: a tree of call paths, and a table of instructions.
 *
 *     main ── load ── read          nodes: costs of faults and calls, on the innermost
 *        └─── sort ── merge
 *     0x1234 in merge: 10^6 misses, mostly 4096 bytes apart      sites: TLB misses
 *
 * Faults are dear, so that their path of calls is worth its price. TLB misses are a hundred times
 * as many and are kept by instruction, with the distance of each from the one before: equal
 * distances are a walk with a stride, the cause that a program can do something about.
 *
 *   I1  Node 0 is the root and takes what has no room; sites_lost counts misses without one.
 *   I2  Both hashes are at most half full, and their entries are numbers below 2^16.
 */
#include "watch/account.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(WATCH_NODES <= UINT16_MAX && WATCH_SITES <= WATCH_SITE_INDEX / 2, "I2");

void watch_sites_begin(struct watch_sites *sites) {
    sites->nimages = 1; /* [0]: code that lies in no file */
    sites->nnodes = 1;
    sites->nsites = 1;
}

void watch_sites_end(struct watch_sites *sites) {
    for (unsigned i = 1; i < sites->nimages; i++)
        free(sites->images[i]);
}

uint32_t watch_image(struct watch_sites *sites, const char *name) {
    for (unsigned i = 1; i < sites->nimages; i++) {
        if (strcmp(sites->images[i], name) == 0)
            return i;
    }
    if (sites->nimages == WATCH_IMAGES)
        return 0;
    char *copy = strdup(name);
    if (!copy)
        return 0;
    sites->images[sites->nimages] = copy;
    return sites->nimages++;
}

/* Fibonacci hashing (Knuth, TAOCP 3, 6.4): the upper bits of a product by 2^64 / phi. */
static uint32_t hash(uint64_t a, uint64_t b, unsigned size) {
    uint64_t mixed = (a * UINT64_C(0x9E3779B97F4A7C15) ^ b) * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(mixed >> 32) & (size - 1);
}

static uint64_t code_key(struct watch_code code) {
    return (uint64_t)code.image << 48 ^ code.offset;
}

static uint32_t child_of(struct watch_sites *sites, uint32_t parent, struct watch_code code) {
    uint32_t at = hash(code_key(code), parent, 2 * WATCH_NODES);
    for (;; at = (at + 1) & (2 * WATCH_NODES - 1)) {
        uint32_t number = sites->node_index[at];
        const struct watch_node *node = &sites->nodes[number];
        if (number == 0)
            break;
        if (node->parent == parent && node->code.image == code.image &&
            node->code.offset == code.offset)
            return number;
    }
    if (sites->nnodes == WATCH_NODES)
        return 0; /* I1 */
    sites->nodes[sites->nnodes] = (struct watch_node){.parent = parent, .code = code};
    sites->node_index[at] = (uint16_t)sites->nnodes; /* I2 */
    return sites->nnodes++;
}

struct watch_node *watch_node_of(struct watch_sites *sites, const struct watch_code *path,
                                 unsigned depth) {
    uint32_t node = 0;
    for (unsigned i = depth; i-- > 0;) {
        uint32_t child = child_of(sites, node, path[i]);
        if (child == 0)
            break; /* no room: its caller pays */
        node = child;
    }
    return &sites->nodes[node];
}

struct watch_site *watch_site_of(struct watch_sites *sites, struct watch_code code) {
    uint32_t at = hash(code_key(code), 0, WATCH_SITE_INDEX);
    struct watch_site *site;
    for (;; at = (at + 1) & (WATCH_SITE_INDEX - 1)) {
        site = &sites->sites[sites->site_index[at]];
        if (site == sites->sites ||
            (site->code.image == code.image && site->code.offset == code.offset))
            break;
    }
    if (site == sites->sites && sites->nsites < WATCH_SITES) {
        sites->site_index[at] = (uint16_t)sites->nsites;
        site = &sites->sites[sites->nsites++];
        *site = (struct watch_site){.code = code};
    }
    return site;
}

void watch_site_miss(struct watch_sites *sites, struct watch_site *site, uint64_t va) {
    if (site == sites->sites) { /* I1 */
        sites->sites_lost++;
        return;
    }
    int64_t stride = (int64_t)(va - site->last_va);
    site->strided += site->misses > 1 && stride == site->stride;
    site->stride = stride;
    site->last_va = va;
    site->misses++;
}
