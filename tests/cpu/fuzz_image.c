/* fuzz_image.c: an executable made of random sequences and a driver for them, without an assembler.
 *
 *   0x10000 | ELF header | driver | states before | pattern | sequences | bss: results, sandbox |
 *
 *     driver:  fill the sandbox; clear the reservation; load fcsr, f, x; jump to the sequence
 *     back:    store fcsr, f, x, a hash of the sandbox; next, or write(1, results) and exit(0)
 *
 * The middle of the sandbox is a page boundary, so odd addresses cross it.
 */
#include "assemble.h"
#include "fuzz.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define LOAD_VA       UINT64_C(0x10000)
#define SANDBOX_BYTES 1024
#define SLOT_BYTES    (UNITS_MAX * 8 + 16)
#define STATE_WORDS   65 /* fcsr, x0-x31, f0-f31 */
#define PAGE          UINT64_C(4096)

/* Driver variables lie right behind the sandbox, in reach of REG_SANDBOX. */
enum { VAR_STATE = 512, VAR_RESULT = 520, VAR_CODE = 528, VAR_LEFT = 536, VAR_BYTES = 64 };

struct writer {
    uint8_t *at;
    uint64_t va;
};

static void emit(struct writer *w, uint32_t word) {
    memcpy(w->at, &word, 4);
    w->at += 4;
    w->va += 4;
}

/* rd = value below 2^31 */
static void emit_li(struct writer *w, unsigned rd, uint64_t value) {
    emit(w, asm_u(OP_LUI, rd, (uint32_t)value + 0x800));
    emit(w, asm_i(OP_IMM_32, 0, rd, rd, (int)(value & 0xFFF)));
}

static void emit_load(struct writer *w, unsigned rd, unsigned base, int offset) {
    emit(w, asm_i(OP_LOAD, 3, rd, base, offset));
}

static void emit_store(struct writer *w, unsigned reg, unsigned base, int offset) {
    emit(w, asm_s(OP_STORE, 3, base, reg, offset));
}

static void emit_addi(struct writer *w, unsigned rd, unsigned rs1, int imm) {
    emit(w, asm_i(OP_IMM, 0, rd, rs1, imm));
}

struct layout {
    uint64_t states, pattern, codes, end, results, sandbox, memory;
};

static struct layout lay_out(unsigned count) {
    struct layout l;
    l.states = LOAD_VA + PAGE;
    l.pattern = l.states + (uint64_t)count * STATE_WORDS * 8;
    l.codes = l.pattern + SANDBOX_BYTES;
    l.end = l.codes + (uint64_t)count * SLOT_BYTES;
    l.results = (l.end + PAGE - 1) & ~(PAGE - 1);
    l.sandbox = (l.results + (uint64_t)count * RESULT_WORDS * 8 + 2 * PAGE) & ~(PAGE - 1);
    l.sandbox -= SANDBOX_BYTES / 2;
    l.memory = l.sandbox + SANDBOX_BYTES + PAGE;
    return l;
}

/* Sandbox words: load from x6 or the sandbox x7, n in x5; x8 gathers the hash. */
static void emit_fill(struct writer *w, const struct layout *l) {
    emit_li(w, 6, l->pattern);
    emit_addi(w, 7, REG_SANDBOX, -SANDBOX_BYTES / 2);
    emit_addi(w, 5, 0, SANDBOX_BYTES / 8);
    emit_load(w, 8, 6, 0);
    emit_store(w, 8, 7, 0);
    emit_addi(w, 6, 6, 8);
    emit_addi(w, 7, 7, 8);
    emit_addi(w, 5, 5, -1);
    emit(w, asm_b(1, 5, 0, -20));
}

static void emit_hash(struct writer *w) {
    emit_addi(w, 7, REG_SANDBOX, -SANDBOX_BYTES / 2);
    emit_addi(w, 5, 0, SANDBOX_BYTES / 8);
    emit_li(w, 10, 0x12345677);
    emit_addi(w, 8, 0, 0);
    emit_load(w, 6, 7, 0);
    emit(w, asm_r(OP_OP, 4, 0, 8, 8, 6)); /* xor, multiply, fold */
    emit(w, asm_r(OP_OP, 0, 1, 8, 8, 10));
    emit(w, asm_i(OP_IMM, 5, 6, 8, 29));
    emit(w, asm_r(OP_OP, 4, 0, 8, 8, 6));
    emit_addi(w, 7, 7, 8);
    emit_addi(w, 5, 5, -1);
    emit(w, asm_b(1, 5, 0, -28));
}

static void emit_enter(struct writer *w) {
    emit(w, asm_r(OP_AMO, 3, 3 << 2, 0, REG_SANDBOX, 0)); /* sc.d: no reservation is left */
    emit_load(w, 6, REG_SANDBOX, VAR_STATE);
    emit_load(w, 7, 6, 0);
    emit(w, asm_i(OP_SYSTEM, 1, 0, 7, 3)); /* fcsr */
    for (unsigned i = 0; i < 32; i++)
        emit(w, asm_i(OP_LOAD_FP, 3, i, 6, (int)(8 * (33 + i))));
    emit_load(w, REG_DRIVER, REG_SANDBOX, VAR_CODE);
    for (unsigned i = 1; i < 32; i++)
        if (i != REG_SANDBOX && i != REG_DRIVER && i != REG_SANDBOX2 && i != 6)
            emit_load(w, i, 6, (int)(8 * (1 + i)));
    emit_load(w, 6, 6, 8 * (1 + 6));
    emit(w, asm_i(OP_JALR, 0, 0, REG_DRIVER, 0));
}

static void emit_leave(struct writer *w) {
    emit_load(w, REG_DRIVER, REG_SANDBOX, VAR_RESULT);
    for (unsigned i = 1; i < 32; i++)
        if (i != REG_DRIVER)
            emit_store(w, i, REG_DRIVER, (int)(8 * (RESULT_X - 1 + i)));
    for (unsigned i = 0; i < 32; i++)
        emit(w, asm_s(OP_STORE_FP, 3, REG_DRIVER, i, (int)(8 * (RESULT_F + i))));
    emit(w, asm_i(OP_SYSTEM, 2, 5, 0, 3));
    emit_store(w, 5, REG_DRIVER, 8 * RESULT_FCSR);
    emit_hash(w);
    emit_store(w, 8, REG_DRIVER, 8 * RESULT_HASH);
}

static void emit_advance(struct writer *w, int variable, int step) {
    emit_load(w, 5, REG_SANDBOX, variable);
    emit_addi(w, 5, 5, step);
    emit_store(w, 5, REG_SANDBOX, variable);
}

/* Returns the address where sequences end up. */
static uint64_t emit_driver(struct writer *w, const struct layout *l, unsigned count) {
    const uint64_t start[4][2] = {{VAR_STATE, l->states}, {VAR_RESULT, l->results},
                                  {VAR_CODE, l->codes}, {VAR_LEFT, count}};
    emit_li(w, REG_SANDBOX, l->sandbox + SANDBOX_BYTES / 2);
    emit_addi(w, REG_SANDBOX2, REG_SANDBOX, 0);
    for (unsigned i = 0; i < 4; i++) {
        emit_li(w, 5, start[i][1]);
        emit_store(w, 5, REG_SANDBOX, (int)start[i][0]);
    }
    uint64_t loop = w->va;
    emit_fill(w, l);
    emit_enter(w);
    uint64_t back = w->va;
    emit_leave(w);
    emit_advance(w, VAR_STATE, STATE_WORDS * 8);
    emit_advance(w, VAR_RESULT, RESULT_WORDS * 8);
    emit_advance(w, VAR_CODE, SLOT_BYTES);
    emit_advance(w, VAR_LEFT, -1);
    emit(w, asm_b(1, 5, 0, (int)(loop - w->va)));
    emit_li(w, 10, 1);
    emit_li(w, 11, l->results);
    emit_li(w, 12, (uint64_t)count * RESULT_WORDS * 8);
    emit_li(w, 17, 64); /* write */
    emit(w, 0x00000073);
    emit_li(w, 10, 0);
    emit_li(w, 17, 93); /* exit */
    emit(w, 0x00000073);
    return back;
}

static void write_header(uint8_t *at, const struct layout *l, uint64_t entry) {
    Elf64_Ehdr header = {.e_ident = {0x7F, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                         .e_type = ET_EXEC,
                         .e_machine = EM_RISCV,
                         .e_version = EV_CURRENT,
                         .e_entry = entry,
                         .e_phoff = sizeof(Elf64_Ehdr),
                         .e_flags = 5, /* compressed instructions, doubles in registers */
                         .e_ehsize = sizeof(Elf64_Ehdr),
                         .e_phentsize = sizeof(Elf64_Phdr),
                         .e_phnum = 1};
    Elf64_Phdr segment = {.p_type = PT_LOAD,
                          .p_flags = PF_R | PF_W | PF_X,
                          .p_vaddr = LOAD_VA,
                          .p_paddr = LOAD_VA,
                          .p_filesz = l->end - LOAD_VA,
                          .p_memsz = l->memory - LOAD_VA,
                          .p_align = PAGE};
    memcpy(at, &header, sizeof(header));
    memcpy(at + sizeof(header), &segment, sizeof(segment));
}

void fuzz_image_make(const struct fuzz_sequence *sequences, unsigned count,
                     struct fuzz_image *image) {
    struct layout l = lay_out(count);
    uint8_t *bytes = calloc(1, l.end - LOAD_VA);
    if (!bytes)
        abort();
    uint64_t entry = LOAD_VA + sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);
    write_header(bytes, &l, entry);
    struct writer w = {bytes + (entry - LOAD_VA), entry};
    uint64_t back = emit_driver(&w, &l, count);
    if (w.va > l.states)
        abort();
    uint64_t pattern = 1;
    for (unsigned i = 0; i < SANDBOX_BYTES / 8; i++) {
        uint64_t word = fuzz_random(&pattern);
        memcpy(bytes + (l.pattern - LOAD_VA) + 8 * i, &word, 8);
    }
    for (unsigned i = 0; i < count; i++) {
        const struct fuzz_sequence *s = &sequences[i];
        uint8_t *state = bytes + (l.states - LOAD_VA) + (size_t)i * STATE_WORDS * 8;
        memcpy(state, &s->fcsr, 8);
        memcpy(state + 8, s->x, sizeof(s->x));
        memcpy(state + 8 * 33, s->f, sizeof(s->f));
        w.va = l.codes + (uint64_t)i * SLOT_BYTES;
        w.at = bytes + (w.va - LOAD_VA);
        size_t length = fuzz_encode(s, w.at);
        w.at += length;
        w.va += length;
        emit(&w, asm_u(OP_LUI, REG_DRIVER, (uint32_t)back + 0x800));
        emit(&w, asm_i(OP_JALR, 0, 0, REG_DRIVER, (int)(back & 0xFFF)));
    }
    *image = (struct fuzz_image){bytes, l.end - LOAD_VA, LOAD_VA, l.memory, entry};
}
