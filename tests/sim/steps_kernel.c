/* steps_kernel.c: steps on the kernel's own memory: frames, kmalloc, caches, pools; and the views.
 *
 * Whatever the kernel holds is filled with a byte of its own and looked at when it is given back:
 * who else writes there is found out. A pool's promise is kept whatever happens to the rest of
 * memory.
 */
#include <string.h>

#include <quire/view.h>

#include "steps.h"

/* The kernel's needs come and go; they leave this many frames to the programs. */
#define KERNEL_LEAVES 24

static bool may_take(const struct sim *sim) {
    struct quire_usage usage;
    quire_usage(sim->q, &usage);
    return usage.free > KERNEL_LEAVES;
}

/* A block for which others make room: one at a time, and not more than half of what there is. */
static bool may_move(const struct sim *sim, unsigned order) {
    for (unsigned i = 0; i < SIM_BLOCKS; i++) {
        if (sim->kernel[i].bytes &&
            (sim->kernel[i].kind == SIM_BLOCK_MOVED || sim->kernel[i].kind == SIM_BLOCK_LOW))
            return false;
    }
    return (uint64_t)2 << order <= sim->plan.field[SIM_FREE];
}

/* ---- blocks: block kind order bytes value ---------------------------------------------------- */

static bool has_length(int kind) {
    return kind == SIM_BLOCK_BYTES || kind == SIM_BLOCK_AREA || kind == SIM_BLOCK_DEVICE ||
           kind == SIM_BLOCK_EITHER;
}

void sim_draw_kernel(struct sim *sim, int *a) {
    unsigned kind = sim_pick(sim, 100);
    bool moved = sim_chance(sim, 50);
    a[0] = moved ? 0 : (int)sim_pick(sim, SIM_BLOCKS);
    a[1] = kind < 78   ? SIM_BLOCK_BYTES
           : kind < 84 ? SIM_BLOCK_FRAMES
           : kind < 88 ? SIM_BLOCK_DMA
           : kind < 92 ? SIM_BLOCK_AREA
           : kind < 94 ? SIM_BLOCK_LOW
           : kind < 97 ? SIM_BLOCK_DEVICE
                       : SIM_BLOCK_EITHER;
    a[2] = (int)sim_pick(sim, 3);
    if (moved) {
        a[1] = SIM_BLOCK_MOVED;
        a[2] = 1 + (int)sim_pick(sim, 7);
    }
    a[3] = 1 << sim_pick(sim, 12);
    a[3] += (int)sim_pick(sim, (unsigned)a[3]);
    if (!has_length(a[1]))
        a[3] = 0; /* all of it is marked */
    a[4] = sim_draw_value(sim);
}

void sim_act_kernel(struct sim *sim, const int *a) {
    struct sim_block *block = &sim->kernel[(unsigned)a[0] % SIM_BLOCKS];
    if (block->bytes) {
        sim_block_free(sim, block);
        return;
    }
    if (may_take(sim) && (unsigned)a[1] < SIM_BLOCK_KINDS && (unsigned)a[2] < QUIRE_NORDERS &&
        (a[3] > 0 || !has_length(a[1])) &&
        ((a[1] != SIM_BLOCK_MOVED && a[1] != SIM_BLOCK_LOW) || may_move(sim, (unsigned)a[2])))
        (void)sim_block_alloc(sim, block, (enum sim_block_kind)a[1], (unsigned)a[2], (size_t)a[3],
                              (uint8_t)a[4]);
}

/* block bytes: krealloc */
void sim_draw_resize(struct sim *sim, int *a) {
    a[0] = (int)sim_pick(sim, SIM_BLOCKS);
    a[1] = 1 + (int)sim_pick(sim, 6000);
}

void sim_act_resize(struct sim *sim, const int *a) {
    struct sim_block *block = &sim->kernel[(unsigned)a[0] % SIM_BLOCKS];
    if (!block->bytes || block->kind != SIM_BLOCK_BYTES || a[1] < 1 || !may_take(sim))
        return;
    size_t nbytes = (size_t)a[1], kept = nbytes < block->nbytes ? nbytes : block->nbytes;
    uint8_t *moved = quire_krealloc(sim->q, block->bytes, nbytes);
    if (!moved)
        return; /* the next look at the block finds it as it was */
    size_t at;
    if (!sim_all_bytes(moved, kept, block->value, &at))
        sim_fail(sim, "krealloc: byte %zu of %zu changed", at, kept);
    block->bytes = moved;
    block->nbytes = nbytes;
    memset(moved, block->value, nbytes);
}

/* ---- caches ---------------------------------------------------------------------------------- */

static void construct(void *object) {
    *(uint8_t *)object = SIM_CONSTRUCTED;
}

static bool any_object(const struct sim_cache *cache) {
    for (unsigned i = 0; i < SIM_OBJECTS; i++) {
        if (cache->objects[i])
            return true;
    }
    return false;
}

/* cache bytes flags: made if it is not there, unmade if it is */
void sim_draw_cache(struct sim *sim, int *a) {
    a[0] = (int)sim_pick(sim, SIM_CACHES);
    a[1] = 1 << sim_pick(sim, 10);
    a[1] += (int)sim_pick(sim, (unsigned)a[1]);
    a[2] = sim_chance(sim, 20) ? QUIRE_CACHE_CHECKED : 0;
}

void sim_act_cache(struct sim *sim, const int *a) {
    struct sim_cache *cache = &sim->caches[(unsigned)a[0] % SIM_CACHES];
    if (cache->cache) {
        enum quire_status want = any_object(cache) ? QUIRE_BUSY : QUIRE_OK;
        if (sim_did(sim, "cache_destroy", quire_cache_destroy(cache->cache), want))
            cache->cache = NULL;
        return;
    }
    if (a[1] < 1)
        return;
    struct quire_cache_options options = {.name = "sim",
                                          .object_bytes = (size_t)a[1],
                                          .constructor = construct,
                                          .flags = (unsigned)a[2] & QUIRE_CACHE_CHECKED};
    cache->nbytes = (size_t)a[1];
    if (!sim_did(sim, "cache_create", quire_cache_create_with(sim->q, &options, &cache->cache),
                 QUIRE_OK))
        cache->cache = NULL;
}

/* Constructed again, as a cache wants its objects back. */
static void free_object(struct sim *sim, struct sim_cache *cache, unsigned i) {
    uint8_t *object = cache->objects[i];
    size_t b;
    if (!sim_all_bytes(object, cache->nbytes, object[0], &b))
        sim_fail(sim, "object of %zu bytes: byte %zu changed", cache->nbytes, b);
    object[0] = SIM_CONSTRUCTED;
    quire_cache_free(cache->cache, object);
    cache->objects[i] = NULL;
}

/* cache object value: taken if it is not there, given back if it is */
void sim_draw_object(struct sim *sim, int *a) {
    a[0] = (int)sim_pick(sim, SIM_CACHES);
    a[1] = (int)sim_pick(sim, SIM_OBJECTS);
    a[2] = sim_draw_value(sim);
}

void sim_act_object(struct sim *sim, const int *a) {
    struct sim_cache *cache = &sim->caches[(unsigned)a[0] % SIM_CACHES];
    unsigned i = (unsigned)a[1] % SIM_OBJECTS;
    if (!cache->cache)
        return;
    if (cache->objects[i]) {
        free_object(sim, cache, i);
        return;
    }
    uint8_t *object = may_take(sim) ? quire_cache_alloc(cache->cache) : NULL;
    if (!object)
        return;
    if (*object != SIM_CONSTRUCTED)
        sim_fail(sim, "an object of a cache begins with 0x%02x, not as constructed", *object);
    memset(object, a[2], cache->nbytes);
    cache->objects[i] = object;
}

/* ---- a pool ---------------------------------------------------------------------------------- */

/* Of bytes, or of a cache of its own. */
static void make_pool(struct sim *sim, bool of_cache) {
    struct quire_mempool_source source = quire_mempool_of_bytes(sim->q, SIM_POOLED_BYTES);
    if (of_cache) {
        if (!sim_did(
                sim, "cache_create",
                quire_cache_create(sim->q, "sim pool", SIM_POOLED_BYTES, 0, NULL, &sim->pool_cache),
                QUIRE_OK)) {
            sim->pool_cache = NULL;
            return;
        }
        source = quire_mempool_of_cache(sim->pool_cache);
    }
    if (sim_did(sim, "mempool_create",
                quire_mempool_create(sim->q, SIM_POOL_LEAST, &source, &sim->pool), QUIRE_OK))
        return;
    sim->pool = NULL;
    if (of_cache && quire_cache_destroy(sim->pool_cache) != QUIRE_OK)
        sim_fail(sim, "a refused pool keeps objects");
    sim->pool_cache = NULL;
}

/* element value; the value also says what a new pool is made of */
void sim_draw_pool(struct sim *sim, int *a) {
    a[0] = (int)sim_pick(sim, SIM_POOLED);
    a[1] = sim_draw_value(sim);
}

void sim_act_pool(struct sim *sim, const int *a) {
    unsigned i = (unsigned)a[0] % SIM_POOLED, out = 0;
    if (!sim->pool) {
        make_pool(sim, a[1] & 1);
        return;
    }
    if (sim->pooled[i]) {
        for (unsigned b = 1; b < SIM_POOLED_BYTES; b++) {
            if (sim->pooled[i][b] != sim->pooled[i][0])
                sim_fail(sim, "element %u of the pool: byte %u changed", i, b);
        }
        quire_mempool_free(sim->pool, sim->pooled[i]);
        sim->pooled[i] = NULL;
        return;
    }
    for (unsigned k = 0; k < SIM_POOLED; k++)
        out += sim->pooled[k] != NULL;
    sim->pooled[i] = quire_mempool_alloc(sim->pool);
    if (sim->pooled[i])
        memset(sim->pooled[i], a[1], SIM_POOLED_BYTES);
    else if (out < SIM_POOL_LEAST)
        sim_fail(sim, "the pool refuses element %u of the %u it promised", out + 1, SIM_POOL_LEAST);
}

void sim_kernel_end(struct sim *sim) {
    for (unsigned c = 0; c < SIM_CACHES; c++) {
        struct sim_cache *cache = &sim->caches[c];
        for (unsigned i = 0; i < SIM_OBJECTS; i++) {
            if (cache->objects[i])
                free_object(sim, cache, i);
        }
        if (cache->cache && quire_cache_destroy(cache->cache) != QUIRE_OK)
            sim_fail(sim, "an empty cache is busy");
    }
    for (unsigned i = 0; i < SIM_POOLED; i++) {
        if (sim->pooled[i])
            quire_mempool_free(sim->pool, sim->pooled[i]);
    }
    if (sim->pool && quire_mempool_destroy(sim->pool) != QUIRE_OK)
        sim_fail(sim, "a pool with nothing out is busy");
    if (sim->pool_cache && quire_cache_destroy(sim->pool_cache) != QUIRE_OK)
        sim_fail(sim, "a pool that is gone keeps objects");
}

/* ---- views: which, of which space ------------------------------------------------------------ */

#define VIEW_BYTES 16384

void sim_draw_view(struct sim *sim, int *a) {
    a[0] = (int)sim_pick(sim, 16);
    a[1] = (int)sim_pick(sim, MODEL_SPACES);
}

/* A text that ends within its length, and the same twice: a view changes nothing. */
void sim_act_view(struct sim *sim, const int *a) {
    static size_t (*const of_system[])(const struct quire *, char *, size_t) = {
        quire_view_meminfo, quire_view_vmstat,       quire_view_buddyinfo, quire_view_slabinfo,
        quire_view_swaps,   quire_view_pagetypeinfo, quire_view_zoneinfo,
    };
    static size_t (*const of_space[])(const struct quire_space *, char *, size_t) = {
        quire_view_maps,  quire_view_smaps,  quire_view_smaps_rollup,
        quire_view_statm, quire_view_status,
    };
    static char text[VIEW_BYTES], again[VIEW_BYTES];
    const unsigned nsystem = sizeof of_system / sizeof of_system[0];
    unsigned which = (unsigned)a[0], s = (unsigned)a[1] % MODEL_SPACES;
    size_t first, second;
    if (which < nsystem) {
        first = of_system[which](sim->q, text, sizeof text);
        second = of_system[which](sim->q, again, sizeof again);
    } else if (which - nsystem < sizeof of_space / sizeof of_space[0] && sim->spaces[s]) {
        first = of_space[which - nsystem](sim->spaces[s], text, sizeof text);
        second = of_space[which - nsystem](sim->spaces[s], again, sizeof again);
    } else {
        return;
    }
    if (first != second || strcmp(text, again) != 0 ||
        (first < sizeof text && strlen(text) != first))
        sim_fail(sim, "view %u: %zu bytes, then %zu", which, first, second);
}
