/* cmd_kernel.c: memory for the kernel itself: frames, kmalloc, caches, pools, vmalloc, kmap,
 * devices' regions. What was given is found again by the address that was shown (things.c).
 */
#include <inttypes.h>
#include <string.h>

#include "lab/inside.h"

static struct lab_thing *new_thing(struct lab_call *call, enum lab_thing_kind kind,
                                   const char *name) {
    struct lab_thing *thing = lab_thing_new(call->world, kind, name);
    if (!thing)
        lab_wrong(call, "no room for another of the kernel's things: there are %d", LAB_THINGS);
    return thing;
}

/* The thing is there now, or was refused. */
static bool given(struct lab_call *call, struct lab_thing *thing, void *pointer, const char *what) {
    lab_settle(call->world);
    if (!pointer) {
        thing->used = false;
        return lab_refused(call, "%s: NULL: no memory for it, or larger than it can give", what);
    }
    thing->pointer = pointer;
    thing->address = lab_kernel_address(call->world, pointer);
    lab_say(call, "  %s: 0x%" PRIx64 "\n", what, thing->address);
    return lab_value(call, (int64_t)thing->address);
}

static struct lab_thing *taken(struct lab_call *call, enum lab_thing_kind kind, const char *what) {
    int64_t address;
    if (!lab_number(call, 0, &address))
        return NULL;
    struct lab_thing *thing = lab_thing_at(call->world, kind, (uint64_t)address);
    if ((uint64_t)address == UINT64_MAX) /* tables of the units */
        thing = NULL;
    if (!thing)
        lab_wrong(call, "%s gave nothing at 0x%" PRIx64 ", or it was given back", what,
                  (uint64_t)address);
    return thing;
}

/* ---- frames -----------------------------------------------------------------------------------
 */

static bool alloc_pages(struct lab_call *call) {
    static const char *const zones[] = {"dma", "dma32", "normal", NULL};
    int64_t order;
    int zone = QUIRE_ZONE_NORMAL;
    if (!lab_range(call, 0, 0, 20, &order) || (call->argc > 1 && !lab_word(call, 1, zones, &zone)))
        return false;
    struct lab_thing *thing = new_thing(call, LAB_FRAMES, "");
    if (!thing)
        return false;
    enum quire_status status = quire_frames_alloc_zone(call->world->q, (unsigned)order,
                                                       (enum quire_zone_kind)zone, &thing->frame);
    if (status != QUIRE_OK) {
        thing->used = false;
        return lab_status(call, status,
                          order >= QUIRE_NORDERS ? "alloc_pages: 1024 pages (4 MiB) are the most"
                                                 : "alloc_pages");
    }
    thing->nbytes = (uint64_t)order;
    thing->address = thing->frame.number;
    lab_say(call, "  frames 0x%" PRIx32 " to 0x%" PRIx32 "\n", thing->frame.number,
            thing->frame.number + (UINT32_C(1) << order) - 1);
    lab_settle(call->world);
    return lab_value(call, thing->frame.number);
}

/* As alloc_pages for who can wait: compacts and reclaims. */
static bool get_pages(struct lab_call *call) {
    int64_t order;
    if (!lab_range(call, 0, 0, QUIRE_NORDERS - 1, &order))
        return false;
    struct lab_thing *thing = new_thing(call, LAB_FRAMES, "");
    if (!thing)
        return false;
    enum quire_status status =
        quire_frames_get(call->world->q, (unsigned)order, QUIRE_ZONE_NORMAL, &thing->frame);
    lab_settle(call->world);
    thing->used = status == QUIRE_OK;
    if (status != QUIRE_OK)
        return lab_status(call, status, "get_pages");
    thing->nbytes = (uint64_t)order;
    thing->address = thing->frame.number;
    lab_say(call, "  frames 0x%" PRIx32 " to 0x%" PRIx32 "\n", thing->frame.number,
            thing->frame.number + (UINT32_C(1) << order) - 1);
    return lab_value(call, thing->frame.number);
}

static bool free_pages(struct lab_call *call) {
    struct lab_thing *thing = taken(call, LAB_FRAMES, "alloc_pages");
    if (!thing)
        return false;
    quire_frames_free(call->world->q, thing->frame, (unsigned)thing->nbytes);
    thing->used = false;
    return true;
}

/* ---- kmalloc ----------------------------------------------------------------------------------
 */

static bool kmalloc_call(struct lab_call *call) {
    int64_t nbytes;
    struct lab_thing *thing;
    if (!lab_number(call, 0, &nbytes) || !(thing = new_thing(call, LAB_KMALLOC, "")))
        return false;
    return given(call, thing, quire_kmalloc(call->world->q, (size_t)nbytes), "kmalloc");
}

static bool kfree_call(struct lab_call *call) {
    struct lab_thing *thing = taken(call, LAB_KMALLOC, "kmalloc");
    if (!thing)
        return false;
    quire_kfree(call->world->q, thing->pointer);
    thing->used = false;
    return true;
}

static bool ksize(struct lab_call *call) {
    struct lab_thing *thing = taken(call, LAB_KMALLOC, "kmalloc");
    if (!thing)
        return false;
    size_t nbytes = quire_kmalloc_usable(call->world->q, thing->pointer);
    lab_say(call, "  an object of %zu bytes\n", nbytes);
    return lab_value(call, (int64_t)nbytes);
}

/* ---- caches -----------------------------------------------------------------------------------
 */

static struct lab_thing *named(struct lab_call *call, enum lab_thing_kind kind, const char *what) {
    struct lab_thing *thing = lab_thing_named(call->world, kind, call->argv[0]);
    if (!thing)
        lab_wrong(call, "there is no %s '%.40s'", what, call->argv[0]);
    return thing;
}

static bool name_free(struct lab_call *call, enum lab_thing_kind kind) {
    if (strlen(call->argv[0]) >= LAB_NAME)
        return lab_wrong(call, "a name has at most %d bytes", LAB_NAME - 1);
    if (lab_thing_named(call->world, kind, call->argv[0]))
        return lab_wrong(call, "'%s' is there already", call->argv[0]);
    return true;
}

static bool cache_create(struct lab_call *call) {
    int64_t nbytes, align;
    struct quire_cache *cache;
    if (!name_free(call, LAB_CACHE) || !lab_range(call, 1, 1, QUIRE_KMALLOC_MAX, &nbytes) ||
        !lab_number_or(call, 2, 0, &align))
        return false;
    struct lab_thing *thing = new_thing(call, LAB_CACHE, call->argv[0]);
    if (!thing)
        return false;
    enum quire_status status = quire_cache_create(call->world->q, thing->name, (size_t)nbytes,
                                                  (size_t)align, NULL, &cache);
    thing->used = status == QUIRE_OK;
    thing->pointer = thing->used ? cache : NULL;
    return lab_status(call, status, "cache_create");
}

static bool cache_alloc(struct lab_call *call) {
    struct lab_thing *cache = named(call, LAB_CACHE, "cache"), *thing;
    if (!cache || !(thing = new_thing(call, LAB_OBJECT, "")))
        return false;
    thing->owner = cache;
    return given(call, thing, quire_cache_alloc(cache->pointer), "cache_alloc");
}

static bool cache_free(struct lab_call *call) {
    struct lab_thing *thing = taken(call, LAB_OBJECT, "cache_alloc");
    if (!thing)
        return false;
    quire_cache_free(thing->owner->pointer, thing->pointer);
    thing->used = false;
    return true;
}

/* All objects of a cache, or every Nth in the order in which they were taken. */
static bool cache_drop(struct lab_call *call) {
    struct lab_thing *cache = named(call, LAB_CACHE, "cache");
    int64_t every, n = 0, seen = 0;
    if (!cache || !lab_number_or(call, 1, 1, &every))
        return false;
    if (every < 1)
        return lab_wrong(call, "every %" PRId64 "th object; write 1 (all) or more", every);
    for (unsigned i = 0; i < LAB_THINGS; i++) {
        struct lab_thing *thing = &call->world->things[i];
        if (!thing->used || thing->kind != LAB_OBJECT || thing->owner != cache ||
            seen++ % every != 0)
            continue;
        quire_cache_free(cache->pointer, thing->pointer);
        thing->used = false;
        n++;
    }
    lab_say(call, "  %" PRId64 " objects given back\n", n);
    return lab_value(call, n);
}

static bool cache_shrink(struct lab_call *call) {
    struct lab_thing *cache = named(call, LAB_CACHE, "cache");
    if (!cache)
        return false;
    uint64_t frames = quire_cache_shrink(cache->pointer);
    lab_say(call, "  %" PRIu64 " frames went back\n", frames);
    return lab_value(call, (int64_t)frames);
}

static bool cache_destroy(struct lab_call *call) {
    struct lab_thing *cache = named(call, LAB_CACHE, "cache");
    if (!cache)
        return false;
    enum quire_status status = quire_cache_destroy(cache->pointer);
    cache->used = status != QUIRE_OK;
    return lab_status(call, status, "cache_destroy");
}

/* ---- pools ------------------------------------------------------------------------------------
 */

static bool mempool_create(struct lab_call *call) {
    int64_t least, nbytes;
    struct quire_mempool *pool;
    if (!name_free(call, LAB_POOL) || !lab_range(call, 1, 1, 16384, &least) ||
        !lab_range(call, 2, 1, QUIRE_KMALLOC_MAX, &nbytes))
        return false;
    struct quire_mempool_source source = quire_mempool_of_bytes(call->world->q, (size_t)nbytes);
    struct lab_thing *thing = new_thing(call, LAB_POOL, call->argv[0]);
    if (!thing)
        return false;
    enum quire_status status = quire_mempool_create(call->world->q, (size_t)least, &source, &pool);
    thing->used = status == QUIRE_OK;
    thing->pointer = thing->used ? pool : NULL;
    return lab_status(call, status, "mempool_create");
}

static bool mempool_alloc(struct lab_call *call) {
    struct lab_thing *pool = named(call, LAB_POOL, "pool"), *thing;
    if (!pool || !(thing = new_thing(call, LAB_ELEMENT, "")))
        return false;
    thing->owner = pool;
    return given(call, thing, quire_mempool_alloc(pool->pointer), "mempool_alloc");
}

static bool mempool_free(struct lab_call *call) {
    struct lab_thing *thing = taken(call, LAB_ELEMENT, "mempool_alloc");
    if (!thing)
        return false;
    quire_mempool_free(thing->owner->pointer, thing->pointer);
    thing->used = false;
    return true;
}

static bool mempool_reserve(struct lab_call *call) {
    struct lab_thing *pool = named(call, LAB_POOL, "pool");
    if (!pool)
        return false;
    size_t n = quire_mempool_reserve(pool->pointer);
    lab_say(call, "  %zu elements in the reserve\n", n);
    return lab_value(call, (int64_t)n);
}

static bool mempool_destroy(struct lab_call *call) {
    struct lab_thing *pool = named(call, LAB_POOL, "pool");
    if (!pool)
        return false;
    enum quire_status status = quire_mempool_destroy(pool->pointer);
    pool->used = status != QUIRE_OK;
    return lab_status(call, status, "mempool_destroy");
}

/* ---- kernel addresses -------------------------------------------------------------------------
 */

static bool vmalloc_call(struct lab_call *call) {
    int64_t nbytes;
    struct lab_thing *thing;
    if (!lab_number(call, 0, &nbytes) || !(thing = new_thing(call, LAB_VMALLOC, "")))
        return false;
    thing->nbytes = (uint64_t)nbytes;
    return given(call, thing, quire_vmalloc(call->world->q, (uint64_t)nbytes), "vmalloc");
}

static bool vfree_call(struct lab_call *call) {
    struct lab_thing *thing = taken(call, LAB_VMALLOC, "vmalloc");
    if (!thing)
        return false;
    quire_vfree(call->world->q, thing->pointer);
    thing->used = false;
    return true;
}

/* The frame of RAM; anything else would be no page of the direct map. */
static bool kmap_call(struct lab_call *call) {
    int64_t number;
    struct lab_thing *thing;
    if (!lab_number(call, 0, &number))
        return false;
    if (!lab_is_ram(call->world, (uint64_t)number))
        return lab_wrong(call, "0x%" PRIx64 " is no frame of the manager's RAM", (uint64_t)number);
    if (!(thing = new_thing(call, LAB_KMAP, "")))
        return false;
    thing->frame = (quire_frame){(uint32_t)number};
    return given(call, thing, quire_kmap(call->world->q, thing->frame), "kmap");
}

static bool kunmap_call(struct lab_call *call) {
    struct lab_thing *thing = taken(call, LAB_KMAP, "kmap");
    if (!thing)
        return false;
    quire_kunmap(call->world->q, thing->frame);
    thing->used = false;
    return true;
}

static bool fixmap(struct lab_call *call) {
    int64_t index, page;
    if (!lab_range(call, 0, 0, QUIRE_FIXMAP_SLOTS - 1, &index) || !lab_number(call, 1, &page))
        return false;
    if ((uint64_t)page % PAGE || !lab_is_ram(call->world, (uint64_t)page / PAGE))
        return lab_wrong(call, "0x%" PRIx64 " is no page of this machine's RAM", (uint64_t)page);
    enum quire_status status =
        quire_fixmap_set(call->world->q, (unsigned)index, (quire_paddr){(uint64_t)page});
    if (status != QUIRE_OK)
        return lab_status(call, status, "fixmap");
    uint64_t address =
        lab_kernel_address(call->world, quire_fixmap_address(call->world->q, (unsigned)index));
    lab_say(call, "  fixmap: 0x%" PRIx64 "\n", address);
    return lab_value(call, (int64_t)address);
}

const struct lab_command lab_kernel_commands[] = {
    {"alloc_pages", "ORDER [dma|dma32|normal]", "2^ORDER frames in a row", alloc_pages,
     LAB_CHANGES},
    {"get_pages", "ORDER", "the same for who can wait: compacts, reclaims", get_pages, LAB_CHANGES},
    {"free_pages", "FRAME", "give them back", free_pages, LAB_CHANGES},
    {"kmalloc", "BYTES", "1 to 131072", kmalloc_call, LAB_CHANGES},
    {"kfree", "ADDR", "", kfree_call, LAB_CHANGES},
    {"ksize", "ADDR", "bytes of the object that kmalloc gave", ksize, 0},
    {"cache_create", "NAME BYTES [ALIGN]", "objects of one size (kmem_cache_create)", cache_create,
     LAB_CHANGES},
    {"cache_alloc", "NAME", "an object of it", cache_alloc, LAB_CHANGES},
    {"cache_free", "ADDR", "give it back", cache_free, LAB_CHANGES},
    {"cache_drop", "NAME [EVERY]", "give back all its objects, or every so-manieth", cache_drop,
     LAB_CHANGES},
    {"cache_shrink", "NAME", "empty slabs go back", cache_shrink, LAB_CHANGES},
    {"cache_destroy", "NAME", "", cache_destroy, LAB_CHANGES},
    {"mempool_create", "NAME LEAST BYTES", "a pool with a reserve", mempool_create, LAB_CHANGES},
    {"mempool_alloc", "NAME", "an element of it", mempool_alloc, LAB_CHANGES},
    {"mempool_free", "ADDR", "", mempool_free, LAB_CHANGES},
    {"mempool_reserve", "NAME", "elements in its reserve", mempool_reserve, 0},
    {"mempool_destroy", "NAME", "", mempool_destroy, LAB_CHANGES},
    {"vmalloc", "BYTES", "contiguous in kernel addresses only", vmalloc_call, LAB_CHANGES},
    {"vfree", "ADDR", "", vfree_call, LAB_CHANGES},
    {"kmap", "FRAME", "where the kernel sees a frame", kmap_call, LAB_CHANGES},
    {"kunmap", "ADDR", "", kunmap_call, LAB_CHANGES},
    {"fixmap", "SLOT PHYSICAL", "show a page at an address that never changes", fixmap,
     LAB_CHANGES},
    {NULL, "", "", NULL, 0}};
