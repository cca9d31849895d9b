/* cmd_pool.c: a program's own pools (quire/pool.h): objects of one size, without headers.
 *
 * They lie in memory of the host, which is the program here. Objects are known by numbers, and stay
 * known after they were freed, so that a second free can be tried: pieces that a pool gives back
 * are therefore kept until the world ends.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lab/inside.h"

#define PIECES_MOST ((size_t)32 << 20)

static void *get(void *context, size_t nbytes, size_t align) {
    struct lab_world *world = context;
    for (struct lab_piece *piece = world->pieces; piece; piece = piece->next) {
        if (piece->idle && piece->nbytes == nbytes && piece->align == align) {
            piece->idle = false;
            return piece->memory;
        }
    }
    struct lab_piece *piece = calloc(1, sizeof *piece);
    if (!piece || world->pool_bytes + nbytes > PIECES_MOST ||
        posix_memalign(&piece->memory, align < sizeof(void *) ? sizeof(void *) : align, nbytes)) {
        free(piece);
        return NULL;
    }
    *piece = (struct lab_piece){world->pieces, piece->memory, nbytes, align, false};
    world->pieces = piece;
    world->pool_bytes += nbytes;
    return piece->memory;
}

static void put(void *context, void *memory, size_t nbytes, size_t align) {
    struct lab_world *world = context;
    (void)nbytes;
    (void)align;
    for (struct lab_piece *piece = world->pieces; piece; piece = piece->next)
        piece->idle |= piece->memory == memory;
}

void lab_pools_end(struct lab_world *world) {
    while (world->pieces) {
        struct lab_piece *piece = world->pieces;
        world->pieces = piece->next;
        free(piece->memory);
        free(piece);
    }
    for (unsigned i = 0; world->things && i < LAB_THINGS; i++) {
        if (world->things[i].used && world->things[i].kind == LAB_USER_POOL)
            free(world->things[i].pointer);
    }
}

static struct lab_thing *named(struct lab_call *call) {
    struct lab_thing *thing = lab_thing_named(call->world, LAB_USER_POOL, call->argv[0]);
    if (!thing)
        lab_wrong(call, "there is no pool '%.40s' of a program; pool_create makes one",
                  call->argv[0]);
    return thing;
}

static bool pool_create(struct lab_call *call) {
    int64_t nbytes, align, limit;
    if (strlen(call->argv[0]) >= LAB_NAME ||
        lab_thing_named(call->world, LAB_USER_POOL, call->argv[0]))
        return lab_wrong(call, "'%.40s' is there already, or longer than %d bytes", call->argv[0],
                         LAB_NAME - 1);
    if (!lab_range(call, 1, 1, 1 << 20, &nbytes) || !lab_number_or(call, 2, 16, &align) ||
        !lab_number_or(call, 3, 0, &limit))
        return false;
    struct lab_thing *thing = lab_thing_new(call->world, LAB_USER_POOL, call->argv[0]);
    struct quire_pool *pool = calloc(1, sizeof *pool);
    struct quire_pool_source source = {call->world, get, put};
    if (thing && pool && align > 0 && limit >= 0 &&
        quire_pool_init(pool, &source, (size_t)nbytes, (size_t)align, (size_t)limit)) {
        thing->pointer = pool;
        return true;
    }
    free(pool);
    if (thing)
        thing->used = false;
    return lab_wrong(call, "no such pool: the alignment is a power of two up to 1M, a limit is 0 "
                           "(none) or more");
}

static bool pool_alloc(struct lab_call *call) {
    struct lab_thing *pool = named(call), *thing;
    if (!pool)
        return false;
    thing = lab_thing_new(call->world, LAB_USER_OBJECT, "");
    if (!thing)
        return lab_wrong(call, "no room for another thing: there are %d", LAB_THINGS);
    thing->pointer = quire_pool_alloc(pool->pointer);
    thing->used = thing->pointer != NULL;
    if (!thing->used)
        return lab_refused(call, "pool_alloc: NULL: the limit is reached, or no memory");
    thing->owner = pool;
    thing->address = (uint64_t)(thing - call->world->things) + 1;
    lab_say(call, "  object %" PRIu64 "\n", thing->address);
    return lab_value(call, (int64_t)thing->address);
}

static bool pool_free(struct lab_call *call) {
    struct lab_thing *pool = named(call);
    int64_t number;
    if (!pool || !lab_number(call, 1, &number))
        return false;
    struct lab_thing *thing = lab_thing_at(call->world, LAB_USER_OBJECT, (uint64_t)number);
    if (!thing)
        return lab_wrong(call, "there never was an object %" PRId64, number);
    /* A pool looks at the multiple of its slabs' size below: it must be the host's memory there. */
    const struct quire_pool *own = thing->owner->pointer, *other = pool->pointer;
    if (own->slab_bytes >= other->slab_bytes && quire_pool_free(pool->pointer, thing->pointer))
        return true;
    return lab_refused(call,
                       "pool_free: refused: object %" PRId64 " is free already, or another "
                       "pool's; nothing has changed",
                       number);
}

static bool pool_info(struct lab_call *call) {
    struct lab_thing *thing = named(call);
    struct quire_pool_figures figures;
    if (!thing)
        return false;
    quire_pool_measure(thing->pointer, &figures);
    lab_say(call,
            "  %zu objects, %zu free places, %zu slabs of %zu bytes for %zu objects each; %zu "
            "bytes are neither\n",
            figures.objects, figures.free_places, figures.slabs, figures.slab_bytes,
            figures.per_slab, figures.overhead_bytes);
    (void)lab_variable_set(call->lab, "pool_objects", (int64_t)figures.objects);
    (void)lab_variable_set(call->lab, "pool_per_slab", (int64_t)figures.per_slab);
    (void)lab_variable_set(call->lab, "pool_slab", (int64_t)figures.slab_bytes);
    return lab_value(call, (int64_t)figures.overhead_bytes);
}

const struct lab_command lab_pool_commands[] = {
    {"pool_create", "NAME BYTES [ALIGN [LIMIT]]", "a program's pool of objects of one size",
     pool_create, LAB_CHANGES},
    {"pool_alloc", "NAME", "an object of it: its number", pool_alloc, LAB_CHANGES},
    {"pool_free", "NAME OBJECT", "give it back", pool_free, LAB_CHANGES},
    {"pool_info", "NAME", "its slabs; sets pool_objects, pool_per_slab, pool_slab", pool_info,
     LAB_CHANGES},
    {NULL, "", "", NULL, 0}};
