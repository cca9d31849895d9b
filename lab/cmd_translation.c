/* cmd_translation.c: one translation, access by access; and the unit with segment and page tables.
 */
#include <inttypes.h>
#include <string.h>

#include "lab/inside.h"

static bool tell_walk(struct lab_call *call) {
    char text[4000];
    quire_walk_text(&call->world->walk, text, sizeof text);
    for (const char *at = text; *at;) {
        size_t n = strcspn(at, "\n");
        lab_say(call, "  %.*s\n", (int)n, at);
        at += n + (at[n] == '\n');
    }
    return lab_value(call, (int64_t)call->world->walk.physical);
}

struct walk_words {
    enum quire_access access;
    bool kernel, tlb;
};

static bool parse_words(struct lab_call *call, int from, struct walk_words *out) {
    static const char *const words[] = {"read", "write", "execute", "kernel", "tlb", NULL};
    *out = (struct walk_words){.access = QUIRE_ACCESS_READ};
    for (int i = from; i < call->argc; i++) {
        int index;
        if (!lab_word(call, i, words, &index))
            return false;
        if (index < 3)
            out->access = index == 0   ? QUIRE_ACCESS_READ
                          : index == 1 ? QUIRE_ACCESS_WRITE
                                       : QUIRE_ACCESS_EXEC;
        out->kernel |= index == 3;
        out->tlb |= index == 4;
    }
    return true;
}

/* It changes nothing of the machine, but the facts walk.* are about it from now on. */
static bool walk(struct lab_call *call) {
    int64_t va;
    struct walk_words words;
    if (!lab_number(call, 0, &va) || !parse_words(call, 1, &words))
        return false;
    quire_soft_walk(quire_space_pmap(call->world->current->space), (uint64_t)va, words.access,
                    words.kernel, words.tlb, &call->world->walk);
    return tell_walk(call);
}

static bool tables(struct lab_call *call) {
    const struct quire_radix_format *format = call->world->config.format;
    const struct quire_radix_cost *cost = &lab_now(call->lab)->tables;
    char size[32];
    for (unsigned level = 0; level < format->levels; level++)
        lab_say(call, "  level %u: %" PRIu64 " tables of %u entries; %" PRIu64 " entries map\n",
                level, cost->tables[level], 1u << format->bits[level], cost->mapped[level]);
    lab_show_bytes(size, cost->nbytes);
    lab_say(call, "  %s, format %s\n", size, format->name);
    return lab_value(call, (int64_t)cost->nbytes);
}

/* ---- segmented paging -------------------------------------------------------------------------
 */

static struct lab_thing *own_frame(struct lab_call *call) {
    struct lab_thing *thing = lab_thing_new(call->world, LAB_FRAMES, "");
    if (thing && quire_frames_alloc(call->world->q, 0, &thing->frame) == QUIRE_OK) {
        memset(quire_frame_window(call->world->q, thing->frame), 0, PAGE);
        thing->address = UINT64_MAX; /* nobody's to free */
        return thing;
    }
    if (thing)
        thing->used = false;
    lab_refused(call, "no memory for a table");
    return NULL;
}

/* segpage SEGMENT PAGES: a segment whose pages all have frames. */
static bool segpage(struct lab_call *call) {
    struct lab_world *world = call->world;
    int64_t segment, npages;
    if (!lab_range(call, 0, 0, QUIRE_SEGPAGE_SEGMENTS - 1, &segment) ||
        !lab_range(call, 1, 1, 64, &npages))
        return false;
    if (!world->segpage_on) {
        struct lab_thing *table = own_frame(call);
        if (!table)
            return false;
        quire_segpage_init(&world->segpage, world->machine, table->frame, call->argc > 2);
        world->segpage_on = true;
    }
    struct lab_thing *page_table = own_frame(call);
    if (!page_table)
        return false;
    quire_segpage_set(&world->segpage, (uint32_t)segment, page_table->frame, (uint32_t)npages,
                      QUIRE_PROT_READ | QUIRE_PROT_WRITE);
    for (int64_t i = 0; i < npages; i++) {
        struct lab_thing *frame = own_frame(call);
        if (!frame)
            return false;
        quire_segpage_enter(&world->segpage, (uint32_t)segment, (uint32_t)i, frame->frame,
                            QUIRE_PROT_READ | QUIRE_PROT_WRITE);
    }
    lab_say(call, "  segment %" PRId64 ": %" PRId64 " pages, a page table in frame 0x%" PRIx32 "\n",
            segment, npages, page_table->frame.number);
    return true;
}

static bool segpage_args(struct lab_call *call, int64_t *segment, int64_t *offset) {
    if (!call->world->segpage_on)
        return lab_wrong(call, "no segment yet; make one: segpage 3 4");
    return lab_range(call, 0, 0, QUIRE_SEGPAGE_SEGMENTS - 1, segment) &&
           lab_range(call, 1, 0, UINT32_MAX, offset);
}

static bool segpage_walk(struct lab_call *call) {
    int64_t segment, offset;
    if (!segpage_args(call, &segment, &offset))
        return false;
    quire_segpage_walk(&call->world->segpage, (uint32_t)segment, (uint32_t)offset,
                       QUIRE_ACCESS_READ, &call->world->walk);
    return tell_walk(call);
}

static bool segpage_read(struct lab_call *call) {
    int64_t segment, offset;
    uint8_t *host;
    if (!segpage_args(call, &segment, &offset))
        return false;
    uint64_t before = call->world->segpage.accesses;
    enum quire_walk_fault fault = quire_segpage_access(&call->world->segpage, (uint32_t)segment,
                                                       (uint32_t)offset, QUIRE_ACCESS_READ, &host);
    uint64_t accesses = call->world->segpage.accesses - before;
    if (fault != QUIRE_WALK_OK)
        lab_say(call, "  refused: %s\n",
                fault == QUIRE_WALK_SEGMENTED ? "no such segment, or past its end"
                                              : "the page is not there");
    lab_say(call, "  %" PRIu64 " accesses of memory\n", accesses);
    return lab_value(call, (int64_t)accesses);
}

const struct lab_command lab_translation_commands[] = {
    {"walk", "ADDR [read|write|execute] [kernel] [tlb]", "a translation, access by access", walk,
     LAB_CHANGES | LAB_PROCESS},
    {"tables", "", "what the process's page tables cost", tables, LAB_PROCESS},
    {"segpage", "SEGMENT PAGES [registers]", "segmented paging: a segment with its page table",
     segpage, LAB_CHANGES},
    {"segpage_walk", "SEGMENT OFFSET", "its translation, access by access", segpage_walk,
     LAB_CHANGES},
    {"segpage_read", "SEGMENT OFFSET", "a load through it; gives its accesses of memory",
     segpage_read, LAB_CHANGES},
    {NULL, "", "", NULL, 0}};
