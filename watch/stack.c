/* stack.c: from an instruction to the calls that led to it, without stopping or changing anything.
 *
 *     pc             where it happened
 *     ra             who called, if this function has not called anybody since
 *     s0 -> [ra][s0] -> [ra][s0] -> ...    the chain of frame pointers, where code keeps one
 *
 * RISC-V compilers keep frame pointers when told to (-fno-omit-frame-pointer); the layout is the
 * one of the psABI: the return address at s0 - 8, the caller's s0 at s0 - 16. Elsewhere s0 is a
 * register like any other, so nothing is believed: a frame must lie on the stack, above the one
 * before, and a return address must lie in code, behind an instruction that calls. Where the chain
 * is broken, the words on top of the stack are looked through for such addresses: those of the
 * callers are among them, in order, sometimes with one that an earlier call left behind. So a path
 * is a good guess; its innermost function is certain. Rejected: unwinding by the tables of
 * .eh_frame at each fault, which costs more than the fault.
 *
 * Memory is only peeked at: a page that is not there is not brought in.
 */
#include "watch/account.h"

#include <quire/space.h>

#include <string.h>

#define REG_RA 1
#define REG_SP 2
#define REG_S0 8
/* Frames further apart than this are no frames: the default limit of a stack. */
#define STACK_SPAN ((uint64_t)8 << 20)
/* Words of the stack that are looked through for callers, and calls that are believed of them. */
#define SCAN_WORDS 64
#define SCAN_DEPTH 6

static bool fill(struct watch_code_range *way, struct watch_sites *sites,
                 const struct quire_space *space, uint64_t pc) {
    struct quire_region_info info;
    if (!quire_region_at_or_after(space, quire_va(pc), false, &info) || info.start.value > pc)
        return false;
    const char *name = info.object ? quire_object_info(info.object)->name : NULL;
    *way = (struct watch_code_range){.space = space,
                                     .start = info.start.value,
                                     .end = info.end.value,
                                     .executable = (info.prot & QUIRE_PROT_EXEC) != 0};
    if (name && name[0] && way->executable) {
        way->image = watch_image(sites, name);
        way->bias = way->image ? info.start.value - info.offset_bytes : 0;
    }
    return true;
}

static void remember_text(struct watch_codes *codes, const struct watch_code_range *way) {
    for (unsigned i = 0; i < WATCH_TEXTS; i++) {
        if (codes->texts[i].space == way->space && codes->texts[i].start == way->start)
            return;
    }
    codes->texts[codes->ntexts++ % WATCH_TEXTS] = *way;
}

bool watch_code_at(struct watch_codes *codes, struct watch_sites *sites,
                   const struct quire_space *space, uint64_t pc, struct watch_code *code) {
    struct watch_code_range *way = &codes->ways[(pc >> 12) % WATCH_CODE_WAYS];
    if (way->space != space || pc < way->start || pc >= way->end) {
        if (!fill(way, sites, space, pc))
            return false;
        if (way->executable)
            remember_text(codes, way);
    }
    *code = (struct watch_code){way->image, pc - way->bias};
    return way->executable;
}

void watch_codes_forget(struct watch_codes *codes) {
    memset(codes, 0, sizeof *codes);
}

/* Misses are many and come from few instructions: what was found for one is kept as long as the
 * place of its code is. */
struct watch_site *watch_misser(struct watch_codes *codes, struct watch_sites *sites,
                                const struct quire_space *space, uint64_t pc) {
    struct watch_misser *way = &codes->missers[(pc >> 1 ^ pc >> 9) % WATCH_MISSERS];
    struct watch_code code = {0, pc};
    if (way->pc == pc && way->space == space && way->site)
        return way->site;
    bool known = watch_code_at(codes, sites, space, pc, &code);
    struct watch_site *site = watch_site_of(sites, code);
    if (known)
        *way = (struct watch_misser){space, pc, site};
    return site;
}

/* Is there a call just before this address? jal and jalr that write ra, or c.jalr. */
static bool behind_call(const struct quire_space *space, uint64_t va) {
    struct quire_pmap *pmap = quire_space_pmap(space);
    uint16_t low, high;
    if (!quire_soft_peek(pmap, va - 2, &high, 2))
        return false;
    if ((high & 0xF07F) == 0x9002 && (high & 0x0F80) != 0)
        return true; /* c.jalr */
    if (!quire_soft_peek(pmap, va - 4, &low, 2))
        return false;
    unsigned opcode = low & 0x7F, rd = low >> 7 & 31;
    return (opcode == 0x6F || opcode == 0x67) && rd == REG_RA;
}

/* A return address becomes the call in front of it: its line is the one to show. */
static bool add_call(struct watch_codes *codes, struct watch_sites *sites,
                     const struct quire_space *space, uint64_t ra, struct watch_code *path,
                     unsigned *depth) {
    if (ra < 4 || (ra & 1) || !watch_code_at(codes, sites, space, ra, &path[*depth]) ||
        !behind_call(space, ra))
        return false;
    path[*depth].offset -= 2;
    ++*depth;
    return true;
}

static bool in_text(const struct watch_codes *codes, const struct quire_space *space, uint64_t va) {
    for (unsigned i = 0; i < WATCH_TEXTS; i++) {
        const struct watch_code_range *text = &codes->texts[i];
        if (text->space == space && text->start < va && va < text->end)
            return true;
    }
    return false;
}

/* Callers from the words on top of the stack: see the top of this file. */
static void look_through(struct watch_codes *codes, struct watch_sites *sites,
                         const struct quire_space *space, uint64_t sp, struct watch_code *path,
                         unsigned *depth) {
    struct quire_pmap *pmap = quire_space_pmap(space);
    uint64_t words[SCAN_WORDS];
    size_t room = (QUIRE_PAGE_SIZE - (sp & QUIRE_PAGE_MASK)) / sizeof *words, first = SCAN_WORDS;
    first = room < first ? room : first;
    if ((sp & 7) || !quire_soft_peek(pmap, sp, words, first * sizeof *words))
        return;
    size_t count = first;
    if (first < SCAN_WORDS && quire_soft_peek(pmap, sp + first * sizeof *words, words + first,
                                              (SCAN_WORDS - first) * sizeof *words))
        count = SCAN_WORDS;
    for (size_t i = 0; i < count && *depth < SCAN_DEPTH; i++) {
        if (in_text(codes, space, words[i]))
            add_call(codes, sites, space, words[i], path, depth);
    }
}

unsigned watch_stack(struct watch_codes *codes, struct watch_sites *sites,
                     const struct quire_space *space, uint64_t pc, const uint64_t *x,
                     struct watch_code *path) {
    unsigned depth = 0;
    if (!watch_code_at(codes, sites, space, pc, &path[0]))
        path[0] = (struct watch_code){0, pc};
    depth = 1;
    if (!x)
        return depth;
    uint64_t frame = x[REG_S0], below = x[REG_SP], words[2];
    struct quire_pmap *pmap = quire_space_pmap(space);
    bool framed = frame > below && frame - below < STACK_SPAN && (frame & 7) == 0 &&
                  quire_soft_peek(pmap, frame - 16, words, sizeof words);
    /* A leaf keeps no ra on the stack: ra is the caller, and s0 perhaps already the caller's. */
    if (!framed || words[1] != x[REG_RA])
        add_call(codes, sites, space, x[REG_RA], path, &depth);
    if (!framed)
        look_through(codes, sites, space, x[REG_SP], path, &depth);
    while (framed && depth < WATCH_DEPTH && add_call(codes, sites, space, words[1], path, &depth)) {
        below = frame;
        frame = words[0];
        framed = frame > below && frame - below < STACK_SPAN && (frame & 7) == 0 &&
                 quire_soft_peek(pmap, frame - 16, words, sizeof words);
    }
    return depth;
}
