/* cmd_heap.c: the process's malloc and its sisters, and a look at what they keep: headers, free
 * chunks, the end of the heap.
 */
#include <inttypes.h>
#include <string.h>

#include "lab/inside.h"

#define CHUNKS_SHOWN 200

static bool gave(struct lab_call *call, const char *what, uint64_t address) {
    lab_settle(call->world);
    if (!address)
        return lab_refused(call, "%s: NULL (no memory, or not a size)", what);
    lab_say(call, "  0x%" PRIx64 "\n", address);
    return lab_value(call, (int64_t)address);
}

static bool malloc_call(struct lab_call *call) {
    int64_t nbytes;
    return lab_number(call, 0, &nbytes) &&
           gave(call, "malloc",
                quire_heap_alloc(lab_heap(call->world, call->world->current), (uint64_t)nbytes));
}

static bool calloc_call(struct lab_call *call) {
    int64_t count, nbytes;
    return lab_number(call, 0, &count) && lab_number(call, 1, &nbytes) &&
           gave(call, "calloc",
                quire_heap_calloc(lab_heap(call->world, call->world->current), (uint64_t)count,
                                  (uint64_t)nbytes));
}

static bool realloc_call(struct lab_call *call) {
    int64_t address, nbytes;
    return lab_number(call, 0, &address) && lab_number(call, 1, &nbytes) &&
           gave(call, "realloc",
                quire_heap_realloc(lab_heap(call->world, call->world->current), (uint64_t)address,
                                   (uint64_t)nbytes));
}

static bool memalign_call(struct lab_call *call) {
    int64_t align, nbytes;
    return lab_number(call, 0, &align) && lab_number(call, 1, &nbytes) &&
           gave(call, "memalign",
                quire_heap_memalign(lab_heap(call->world, call->world->current), (uint64_t)align,
                                    (uint64_t)nbytes));
}

static bool free_call(struct lab_call *call) {
    int64_t address;
    if (!lab_number(call, 0, &address))
        return false;
    struct lab_text *log = call->world->log;
    size_t said = log ? log->length : 0;
    quire_heap_free(lab_heap(call->world, call->world->current), (uint64_t)address);
    lab_settle(call->world);
    if (log && log->length > said && strstr(log->bytes + said, "malloc:"))
        return lab_refused(call, "free: not done");
    return true;
}

static bool trim(struct lab_call *call) {
    int64_t pad;
    if (!lab_number_or(call, 0, 0, &pad))
        return false;
    bool any = quire_heap_trim(lab_heap(call->world, call->world->current), (uint64_t)pad);
    lab_settle(call->world);
    lab_say(call, "  %s\n", any ? "memory went back" : "nothing could go back");
    return lab_value(call, any);
}

static bool mallopt_call(struct lab_call *call) {
    static const char *const words[] = {"mmap_threshold", "trim_threshold", "top_pad",
                                        "mmap_max",       "perturb",        NULL};
    int option;
    int64_t value;
    if (!lab_word(call, 0, words, &option) || !lab_number(call, 1, &value))
        return false;
    if (quire_heap_option(lab_heap(call->world, call->world->current),
                          (enum quire_heap_option)option, (uint64_t)value))
        return true;
    return lab_refused(call, "mallopt: %s cannot be %" PRId64, words[option], value);
}

static bool usable(struct lab_call *call) {
    int64_t address;
    if (!lab_number(call, 0, &address))
        return false;
    uint64_t nbytes =
        quire_heap_usable(lab_heap(call->world, call->world->current), (uint64_t)address);
    lab_say(call, "  %" PRIu64 " bytes may be used\n", nbytes);
    return lab_value(call, (int64_t)nbytes);
}

struct listing {
    struct lab_call *call;
    unsigned shown;
};

static bool show_chunk(void *context, const struct quire_heap_chunk *chunk) {
    static const char *const kinds[] = {"used", "free", "top", "fence", "mapped"};
    struct listing *listing = context;
    if (listing->shown++ >= CHUNKS_SHOWN)
        return false;
    lab_say(listing->call,
            "  header 0x%012" PRIx64 "  block 0x%012" PRIx64 "  %8" PRIu64
            " bytes  before %8" PRIu64 "  %s\n",
            chunk->header, chunk->header + 16, chunk->bytes, chunk->before, kinds[chunk->kind]);
    return true;
}

static bool chunks(struct lab_call *call) {
    struct lab_world *world = call->world;
    struct listing listing = {call, 0};
    if (!world->current->heap) { /* to make one would be a change */
        lab_say(call, "  the program has not used malloc yet\n");
        return true;
    }
    struct quire_heap *heap = lab_heap(world, world->current);
    world->peeking = true;
    world->peeks = 0;
    quire_heap_walk(heap, show_chunk, &listing);
    world->peeking = false;
    if (listing.shown > CHUNKS_SHOWN)
        lab_say(call, "  ... the first %d\n", CHUNKS_SHOWN);
    const struct quire_heap_figures *figures = &lab_now(call->lab)->heap;
    lab_say(call,
            "  %" PRIu64 " bytes from brk: %" PRIu64 " in %" PRIu64 " blocks, %" PRIu64
            " free in %" PRIu64 " chunks; %" PRIu64 " bytes by mmap\n",
            figures->system_bytes, figures->used_bytes, figures->used_blocks, figures->free_bytes,
            figures->free_chunks, figures->mapped_bytes);
    return true;
}

const struct lab_command lab_heap_commands[] = {
    {"malloc", "BYTES", "gives the block's address", malloc_call, LAB_CHANGES | LAB_PROCESS},
    {"calloc", "COUNT BYTES", "zeroed", calloc_call, LAB_CHANGES | LAB_PROCESS},
    {"realloc", "ADDR BYTES", "in place, or elsewhere", realloc_call, LAB_CHANGES | LAB_PROCESS},
    {"memalign", "ALIGN BYTES", "at a multiple of ALIGN", memalign_call, LAB_CHANGES | LAB_PROCESS},
    {"free", "ADDR", "give a block back", free_call, LAB_CHANGES | LAB_PROCESS},
    {"trim", "[PAD]", "malloc_trim", trim, LAB_CHANGES | LAB_PROCESS},
    {"mallopt", "OPTION VALUE", "mmap_threshold, trim_threshold, top_pad, mmap_max, perturb",
     mallopt_call, LAB_CHANGES | LAB_PROCESS},
    {"usable", "ADDR", "malloc_usable_size", usable, LAB_CHANGES | LAB_PROCESS},
    {"chunks", "", "the heap, chunk by chunk", chunks, LAB_PROCESS},
    {NULL, "", "", NULL, 0}};
