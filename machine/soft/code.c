/* code.c: the cache of decoded instructions: pages, blocks, links between them, and their
 * staleness.
 *
 *     struct code (one a pmap)
 *       pages  ---> code_page: a copy of the 4096 bytes that were decoded, and its blocks
 *       blocks ---> block: | op | op | branch | op | jump |  stub  |  stub  |
 *                                       |             |        ^        ^
 *                                       '-- link -----|--------'        |
 *                                                     '-- link ---------'
 *       jumps: pc -> first op, for jumps through registers
 *
 * A block is a straight run of instructions; not-taken branches fall through inside it. It ends at
 * a jump, at a trap, at BLOCK_INSNS, and at the end of its page. An exit's link points at first to
 * a stub, an operation that finds or decodes the block it wants and then makes the link point
 * there, so that the next time costs nothing.
 *
 * A page that the memory unit calls stale must be fetched again before another of its instructions
 * runs: the accessed bit must be set again, and its frame may hold other bytes by now. The handler
 * of the first operation of each of its blocks is swapped for quire_cpu_stale, so the fast path
 * pays nothing. Bytes that are still the same (nearly always: the page was only aged or brought
 * back) bring the blocks back to life; others kill them. Rejected: throwing the blocks away at
 * once, which makes reclaim's aging of a code page cost a decoding of it all.
 *
 * Memory comes from chunks and is freed all at once, when the machine's blocks together reach
 * CODE_LIMIT: finding out which blocks are linked to a victim would need a list for each link.
 * Everything is thrown away at a moment when no block is running.
 *
 * Invariants:
 *   I1  The first operation of every live block of a stale page is quire_cpu_stale; of a dead
 *       block, quire_cpu_dead. The flag of a block that has host code says so too.
 *   I2  A block's memory lives until the next throw-away, and that happens only in quire_code_find.
 *   I3  What is decoded comes from code_page.bytes, never from a host pointer that might have gone.
 *
 * What may fail: a fetch, and the host's memory (the run ends with QUIRE_BUS). Called by the
 * handlers in cpu.c, and by the memory unit, which may call quire_code_stale from inside an access
 * of the very block that it makes stale.
 */
#include "jit.h"

#include <stdlib.h>
#include <string.h>

/* Decoded blocks of one machine at most: about four times what python3 or gcc run through. */
#define CODE_LIMIT       (UINT64_C(64) << 20)
#define CHUNK_BYTES      (UINT64_C(64) << 10)
#define BLOCK_BYTES_MAX  (sizeof(struct block) + BLOCK_SLOTS * (sizeof(struct op) + 1))

/* What one quire_code_find takes at most: a page or two, and a block. */
#define ALIGNMENT 64
#define FETCH_TRIES 16 /* of two pages that may evict each other */
#define FIND_BYTES_MAX (2 * sizeof(struct code_page) + BLOCK_BYTES_MAX + 3 * ALIGNMENT)

struct code_chunk {
    struct code_chunk *next;
    uint64_t used;
    _Alignas(ALIGNMENT) uint8_t bytes[CHUNK_BYTES];
};

static unsigned page_bucket(uint64_t va) {
    return (va >> QUIRE_PAGE_SHIFT) % CODE_PAGES;
}

static unsigned block_bucket(uint64_t pc) {
    return (pc >> 1) % CODE_BLOCKS;
}

static bool needs_fetch(const struct block *block) {
    return block->page[0]->stale || (block->page[1] && block->page[1]->stale);
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void free_chunks(struct quire_machine *machine, struct code *code) {
    while (code->chunks) {
        struct code_chunk *chunk = code->chunks;
        code->chunks = chunk->next;
        machine->code_bytes -= sizeof(*chunk);
        free(chunk);
    }
}

/* Nothing is decoded. 70 KiB are written: a good part of what a small process costs. */
static void clear(struct code *code) {
    memset(code->pages, 0, sizeof(code->pages));
    memset(code->blocks, 0, sizeof(code->blocks));
    for (unsigned i = 0; i < JUMP_SLOTS; i++)
        code->jumps[i] = (struct jump){.pc = 1};
}

static void forget_all(struct quire_machine *machine) {
    for (struct code *code = machine->codes; code; code = code->next) {
        free_chunks(machine, code);
        clear(code);
        code->generation++;
    }
    quire_jit_reset(machine);
}

/* The interpreter's handlers again, as the block builder set them. */
static void set_handlers(struct block *block, bool every) {
    for (unsigned i = 0; i < block->nops; i++) {
        uint16_t kinds[4];
        unsigned left = block->nops - i;
        for (unsigned k = 0; k < 4 && k < left; k++)
            kinds[k] = block->kinds[i + k];
        if (kinds[0] != KIND_DATA)
            block->ops[i].fn = quire_cpu_handler(kinds, left < 4 ? left : 4, every);
    }
}

/* The memory of host code is full: all of it goes, and hot blocks will come back. The blocks stay,
 * since decoding them again would set accessed bits that the interpreter alone would not set, and
 * the run would differ. => none is running */
static void untranslate_all(struct quire_machine *machine) {
    for (struct code *code = machine->codes; code; code = code->next)
        for (unsigned i = 0; i < CODE_BLOCKS; i++)
            for (struct block *block = code->blocks[i]; block; block = block->next) {
                set_handlers(block, machine->every);
                block->host = block->flag = NULL;
                block->runs = 0;
                block->entry = quire_cpu_warm;
                block->ops[0].fn = needs_fetch(block) ? quire_cpu_stale : block->entry;
            }
    quire_jit_reset(machine);
}

/* Make sure that the next FIND_BYTES_MAX can be taken without failing. */
static bool reserve(struct quire_machine *machine, struct code *code) {
    if (quire_jit_full(machine))
        untranslate_all(machine);
    struct code_chunk *chunk = code->chunks;
    if (chunk && chunk->used + FIND_BYTES_MAX <= CHUNK_BYTES)
        return true;
    if (machine->code_bytes + sizeof(*chunk) > CODE_LIMIT)
        forget_all(machine);
    chunk = malloc(sizeof(*chunk));
    if (!chunk) {
        forget_all(machine);
        chunk = malloc(sizeof(*chunk));
    }
    if (!chunk)
        return false;
    chunk->used = 0;
    chunk->next = code->chunks;
    code->chunks = chunk;
    machine->code_bytes += sizeof(*chunk);
    return true;
}

/* => reserve has answered true, and FIND_BYTES_MAX are not yet taken since. */
static void *take(struct code *code, uint64_t bytes) {
    struct code_chunk *chunk = code->chunks;
    void *start = chunk->bytes + chunk->used;
    chunk->used += (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return start;
}

struct code *quire_code_of(struct quire_pmap *pmap) {
    if (pmap->code)
        return pmap->code;
    struct code *code = malloc(sizeof(*code));
    if (!code)
        return NULL;
    clear(code);
    code->chunks = NULL;
    code->generation = 1;
    code->next = pmap->machine->codes;
    pmap->machine->codes = code;
    pmap->code = code;
    return code;
}

void quire_code_destroy(struct quire_pmap *pmap) {
    struct code *code = pmap->code;
    if (!code)
        return;
    struct code **link = &pmap->machine->codes;
    while (*link != code)
        link = &(*link)->next;
    *link = code->next;
    free_chunks(pmap->machine, code);
    free(code);
    pmap->code = NULL;
}

/* ---- staleness ------------------------------------------------------------------------------- */

/* Which of the two page lists of block is the one of page? */
static unsigned list_of(const struct block *block, const struct code_page *page) {
    return block->page[1] == page;
}

/* I1: the first handler, and what host code looks at instead. */
static void set_entry(struct block *block, op_fn *fn) {
    block->ops[0].fn = fn;
    if (block->flag)
        *block->flag = fn != block->entry;
}

/* I1, after page->stale has changed. */
static void set_entries(struct code_page *page) {
    for (struct block *block = page->blocks; block;
         block = block->next_in_page[list_of(block, page)])
        if (!block->dead)
            set_entry(block, needs_fetch(block) ? quire_cpu_stale : block->entry);
}

static void make_stale(struct code_page *page) {
    if (page->stale)
        return;
    page->stale = true;
    set_entries(page);
}

static struct code_page *lookup_page(const struct code *code, uint64_t va) {
    struct code_page *page = code->pages[page_bucket(va)];
    while (page && page->va != va)
        page = page->next;
    return page;
}

void quire_code_stale(struct quire_pmap *pmap, uint64_t va) {
    struct code_page *page =
        pmap->code ? lookup_page(pmap->code, va & ~QUIRE_PAGE_MASK) : NULL;
    if (page)
        make_stale(page);
}

void quire_code_stale_all(struct quire_pmap *pmap) {
    for (unsigned i = 0; pmap->code && i < CODE_PAGES; i++)
        for (struct code_page *page = pmap->code->pages[i]; page; page = page->next)
            make_stale(page);
}

static void kill_block(struct code *code, struct block *block) {
    struct block **link = &code->blocks[block_bucket(block->pc)];
    while (*link != block)
        link = &(*link)->next;
    *link = block->next;
    block->dead = true;
    set_entry(block, quire_cpu_dead);
    block->host = block->flag = NULL; /* no exit shall be linked to it any more */
}

/* The page's bytes are others now. Dead blocks leave this list; a crossing one stays in its
 * other. */
static void kill_blocks(struct code *code, struct code_page *page) {
    struct block *block = page->blocks;
    while (block) {
        struct block *next = block->next_in_page[list_of(block, page)];
        if (!block->dead)
            kill_block(code, block);
        block = next;
    }
    page->blocks = NULL;
}

/* Fetch the page: it is fresh on true. pc, and va in the page, are for the trap. */
static bool fetch(struct run *r, struct code *code, struct code_page *page, uint64_t pc,
                  uint64_t va) {
    uint8_t *host;
    if (soft_watched(r->machine)) {
        r->machine->watched_pc = r->cpu->pc;
        r->machine->watched_x = r->x;
    }
    enum quire_status status = quire_cpu_access(r, va, QUIRE_ACCESS_EXEC, &host);
    if (status != QUIRE_OK) {
        quire_cpu_fault(r, pc, va, QUIRE_ACCESS_EXEC, status);
        return false;
    }
    host -= va & QUIRE_PAGE_MASK;
    if (memcmp(page->bytes, host, QUIRE_PAGE_SIZE) != 0) {
        kill_blocks(code, page);
        memcpy(page->bytes, host, QUIRE_PAGE_SIZE);
    }
    page->stale = false;
    set_entries(page);
    return true;
}

static struct code_page *page_at(struct code *code, uint64_t va) {
    struct code_page *page = lookup_page(code, va);
    if (page)
        return page;
    page = take(code, sizeof(*page));
    page->va = va;
    page->blocks = NULL;
    page->stale = true;
    memset(page->bytes, 0, sizeof(page->bytes));
    page->next = code->pages[page_bucket(va)];
    code->pages[page_bucket(va)] = page;
    return page;
}

static uint32_t half_at(const struct code_page *page, uint64_t offset) {
    return page->bytes[offset] | (uint32_t)page->bytes[offset + 1] << 8;
}

/* Does the instruction at this offset go on in the next page? */
static bool crosses(const struct code_page *page, uint64_t offset) {
    return offset == QUIRE_PAGE_SIZE - 2 && insn_length(half_at(page, offset)) == 4;
}

/* Both pages that the instruction at pc lies in, fresh at the same time. Fetching the second may
 * evict the first: then again, as a processor would that restarts the instruction. Where each
 * always evicts the other, the turn ends: memory comes from ticks and from others that go on. */
static bool fetch_pages(struct run *r, struct code *code, uint64_t pc, struct code_page *pages[2]) {
    uint64_t va = pc & ~QUIRE_PAGE_MASK;
    pages[0] = page_at(code, va);
    pages[1] = NULL;
    for (unsigned tries = 0; tries < FETCH_TRIES; tries++) {
        if (pages[0]->stale && !fetch(r, code, pages[0], pc, pc))
            return false;
        if (!crosses(pages[0], pc & QUIRE_PAGE_MASK)) {
            pages[1] = NULL;
            return true;
        }
        pages[1] = page_at(code, va + QUIRE_PAGE_SIZE);
        if (pages[1]->stale && !fetch(r, code, pages[1], pc, va + QUIRE_PAGE_SIZE))
            return false;
        if (!pages[0]->stale)
            return true;
    }
    r->cpu->pc = pc;
    *r->trap = (struct quire_trap){.kind = QUIRE_TRAP_BUDGET};
    return false;
}

/* ---- building -------------------------------------------------------------------------------- */

struct build {
    uint64_t pc;   /* of the instruction being added */
    uint64_t cost; /* of all before it */
    unsigned count;
    uint16_t kinds[BLOCK_SLOTS];
    bool exits[BLOCK_SLOTS];      /* has a link that wants a stub for targets[] */
    uint64_t targets[BLOCK_SLOTS];
    struct op ops[BLOCK_SLOTS];
};

static struct op *add_op(struct build *b, unsigned kind, const struct insn *in) {
    struct op *o = &b->ops[b->count];
    *o = (struct op){.cost = b->cost,
                     .imm = in->imm,
                     .rd = in->rd,
                     .rs1 = in->rs1,
                     .rs2 = in->rs2,
                     .rs3 = in->rs3,
                     .offset = (uint16_t)(b->pc & QUIRE_PAGE_MASK),
                     .index = (uint8_t)b->count,
                     .length = in->length};
    b->kinds[b->count] = (uint16_t)kind;
    b->exits[b->count] = false;
    b->count++;
    return o;
}

/* The simplest kind that computes the same. */
static unsigned simplified(unsigned kind, struct insn *in) {
    if (kind == KIND_addi && in->rs1 == 0)
        return KIND_li;
    if (kind == KIND_addi && in->imm == 0)
        return KIND_mv;
    if (kind == KIND_add && in->rs2 == 0)
        return KIND_mv;
    if ((kind == KIND_add || kind == KIND_or) && in->rs1 == 0) {
        in->rs1 = in->rs2;
        return KIND_mv;
    }
    if (kind == KIND_addiw && in->rs1 == 0)
        return KIND_li;
    return kind;
}

/* Can the instruction melt into the one before it, which leaves no other trace than the register
 * that this one overwrites? */
static bool melted(struct build *b, unsigned kind, const struct insn *in) {
    if (b->count == 0)
        return false;
    struct op *last = &b->ops[b->count - 1];
    uint16_t *last_kind = &b->kinds[b->count - 1];
    if (in->rd != last->rd)
        return false;
    if (*last_kind == KIND_li && in->rs1 == in->rd && (kind == KIND_addi || kind == KIND_addiw)) {
        uint64_t sum = (uint64_t)last->imm + (uint64_t)in->imm;
        last->imm = kind == KIND_addi ? (int64_t)sum : (int64_t)(int32_t)(uint32_t)sum;
        return true;
    }
    if (*last_kind == KIND_slli && kind == KIND_srli && in->rs1 == in->rd) {
        *last_kind = KIND_field;
        last->imm |= in->imm << 8;
        return true;
    }
    bool sum = kind == KIND_add && (in->rs1 == in->rd) != (in->rs2 == in->rd);
    if (sum && (*last_kind == KIND_slli || *last_kind == KIND_field)) {
        *last_kind = *last_kind == KIND_slli ? KIND_shadd : KIND_fieldadd;
        last->rs2 = in->rs1 == in->rd ? in->rs2 : in->rs1;
        return true;
    }
    return false;
}

static void add_alu(struct build *b, struct insn *in) {
    unsigned kind = in->kind;
    if (in->rd == 0)
        return; /* a hint: it counts, and that is all */
    if (kind == KIND_auipc) {
        kind = KIND_li;
        in->imm = (int64_t)(b->pc + (uint64_t)in->imm);
    }
    kind = simplified(kind, in);
    if (!melted(b, kind, in))
        add_op(b, kind, in);
}

static void add_exit(struct build *b, unsigned kind, const struct insn *in, uint64_t target) {
    struct op *o = add_op(b, kind, in);
    b->exits[o->index] = true;
    b->targets[o->index] = target;
}

/* Leave for pc without an instruction: the block is long enough. */
static void add_goto(struct build *b) {
    struct insn in = {.rd = 0};
    add_exit(b, KIND_jump, &in, b->pc);
}

/* The slot behind a jump that writes a register holds the return address. */
static void add_return_address(struct build *b, const struct insn *in) {
    struct insn data = {.imm = (int64_t)(b->pc + in->length)};
    add_op(b, KIND_DATA, &data);
}

/* What an instruction adds to the counts. */
static uint64_t cost_of(unsigned kind) {
    uint64_t cost = COUNT_INSN;
    if ((kind >= KIND_lb && kind <= KIND_fld) || kind == KIND_lr_w || kind == KIND_lr_d)
        cost += COUNT_LOAD;
    if ((kind >= KIND_sb && kind <= KIND_fsd) || kind == KIND_sc_w || kind == KIND_sc_d)
        cost += COUNT_STORE;
    if (kind >= KIND_amoswap_w && kind <= KIND_amomaxu_d)
        cost += COUNT_LOAD + COUNT_STORE;
    return cost;
}

/* Registers 0 that are written go to the sink; in floating-point registers 0 is like any other. */
static bool writes_x(unsigned kind) {
    return (kind >= KIND_lb && kind <= KIND_lwu) ||
           (kind >= KIND_amoswap_w && kind <= KIND_sc_d) || kind == KIND_jalr || kind == KIND_jal ||
           (kind >= KIND_csrrw && kind <= KIND_csrrci) ||
           (kind >= KIND_feq_s && kind <= KIND_fcvt_lu_d) || kind == KIND_fmv_x_w ||
           kind == KIND_fmv_x_d;
}

/* A jump within the page need not end the block: decoding goes on at its target, and all that is
 * left of it is the return address, if it wants one. Loops are unrolled by this, up to
 * BLOCK_INSNS. */
static bool follow_jump(struct build *b, struct insn *in) {
    uint64_t target = b->pc + (uint64_t)in->imm;
    if ((target ^ b->pc) & ~QUIRE_PAGE_MASK ||
        (b->pc & QUIRE_PAGE_MASK) + in->length > QUIRE_PAGE_SIZE)
        return false;
    if (in->rd != 0) {
        struct insn link = {.rd = in->rd, .imm = (int64_t)(b->pc + in->length)};
        add_op(b, KIND_li, &link);
    }
    b->cost += COUNT_INSN;
    b->pc = target - in->length; /* the caller goes on behind this instruction */
    return true;
}

/* Add one instruction; false: it ends the block. */
static bool add_insn(struct build *b, struct insn in) {
    unsigned kind = in.kind;
    bool goes_on = true;
    if (kind <= KIND_mv) {
        add_alu(b, &in);
        b->cost += COUNT_INSN;
        return true;
    }
    if (kind == KIND_fence) {
        b->cost += COUNT_INSN;
        return true;
    }
    if (kind >= KIND_fadd_s && kind < KIND_COUNT)
        in.imm = in.rm;
    if (kind == KIND_jal && follow_jump(b, &in))
        return true;
    if (kind == KIND_jal && in.rd == 0)
        kind = KIND_jump;
    if (in.rd == 0 && writes_x(kind))
        in.rd = SINK;
    if (kind >= KIND_beq && kind <= KIND_bgeu) {
        b->cost += COUNT_INSN; /* exits count themselves */
        add_exit(b, kind, &in, b->pc + (uint64_t)in.imm);
        return true;
    }
    if (kind == KIND_jump || kind == KIND_jal || kind == KIND_jalr) {
        b->cost += COUNT_INSN;
        if (kind == KIND_jalr)
            add_op(b, kind, &in);
        else
            add_exit(b, kind, &in, b->pc + (uint64_t)in.imm);
        add_return_address(b, &in);
        return false;
    }
    if (kind == KIND_ecall || kind == KIND_ebreak || kind == KIND_illegal || kind == KIND_fence_i)
        goes_on = false;
    add_op(b, kind, &in);
    b->cost += cost_of(kind);
    return goes_on;
}

static void add_stubs(struct build *b) {
    unsigned count = b->count;
    for (unsigned i = 0; i < count; i++) {
        if (!b->exits[i])
            continue;
        struct insn none = {.rd = 0};
        struct op *stub = add_op(b, KIND_DATA, &none);
        stub->fn = quire_cpu_resolve;
        stub->cost = b->targets[i];
    }
}

/* Handlers, and links within the final array: stubs come in the order of their exits. */
static void finish(const struct build *b, struct block *block, unsigned first_stub,
                   bool every) {
    memcpy(block->ops, b->ops, b->count * sizeof(struct op));
    unsigned stub = first_stub;
    for (unsigned i = 0; i < first_stub; i++) {
        struct op *o = &block->ops[i];
        if (b->exits[i]) {
            o->link = &block->ops[stub];
            block->ops[stub++].link = o;
        }
        if (b->kinds[i] != KIND_DATA)
            o->fn = quire_cpu_handler(&b->kinds[i], first_stub - i, every);
    }
    block->plain = block->ops[0].fn;
}

static void decode_block(struct build *b, struct code_page *const pages[2]) {
    uint64_t page_end = pages[0]->va + QUIRE_PAGE_SIZE;
    for (unsigned i = 0; i < BLOCK_INSNS; i++) {
        if (b->pc == page_end || (i && crosses(pages[0], b->pc & QUIRE_PAGE_MASK)))
            break;
        uint64_t offset = b->pc & QUIRE_PAGE_MASK;
        uint32_t bits = half_at(pages[0], offset);
        if (insn_length(bits) == 4)
            bits |= (offset + 2 < QUIRE_PAGE_SIZE ? half_at(pages[0], offset + 2)
                                                  : half_at(pages[1], 0))
                    << 16;
        struct insn in = quire_decode(bits);
        if (!add_insn(b, in))
            return;
        b->pc += in.length;
        if (b->pc > page_end)
            break;
    }
    add_goto(b);
}

static struct block *build_block(struct run *r, uint64_t pc, struct code_page *const pages[2]) {
    struct code *code = r->pmap->code;
    struct build b; /* 10 KiB: only what is used is written */
    b.pc = pc;
    b.cost = 0;
    b.count = 0;
    decode_block(&b, pages);
    unsigned first_stub = b.count;
    add_stubs(&b);
    struct block *block = take(code, sizeof(*block) + b.count * (sizeof(struct op) + 1));
    *block = (struct block){.pc = pc, .page = {pages[0], pages[1]}};
    finish(&b, block, first_stub, r->machine->every);
    uint8_t *kinds = (uint8_t *)(block->ops + b.count);
    for (unsigned i = 0; i < b.count; i++)
        kinds[i] = (uint8_t)b.kinds[i];
    block->kinds = kinds;
    block->nops = (uint8_t)first_stub;
    block->entry = r->translates ? quire_cpu_warm : block->plain;
    block->ops[0].fn = block->entry;
    block->next = code->blocks[block_bucket(pc)];
    code->blocks[block_bucket(pc)] = block;
    for (unsigned i = 0; i < 2 && pages[i]; i++) {
        block->next_in_page[i] = pages[i]->blocks;
        pages[i]->blocks = block;
    }
    return block;
}

struct op *quire_code_find(struct run *r, uint64_t pc) {
    struct code *code = r->pmap->code;
    for (;;) {
        struct block *block = code->blocks[block_bucket(pc)];
        while (block && block->pc != pc)
            block = block->next;
        if (block && !needs_fetch(block))
            return block->ops;
        if (!reserve(r->machine, code)) {
            quire_cpu_fault(r, pc, pc, QUIRE_ACCESS_EXEC, QUIRE_BUS);
            return NULL;
        }
        struct code_page *pages[2];
        if (!fetch_pages(r, code, pc, pages))
            return NULL;
        if (!block)
            return build_block(r, pc, pages)->ops;
        /* The block was there but stale: it is alive again now, or it was killed, or reserve threw
         * it away: look again. */
    }
}
