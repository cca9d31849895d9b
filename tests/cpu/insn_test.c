/* insn_test.c: one test for each instruction, by name; and what no single instruction shows: traps,
 * pages, staleness, budgets, counters.
 *
 * The program under test is one instruction at CODE with an ebreak behind it and one at its target.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fenv.h>
#include <stdio.h>
#include <string.h>

#define CODE       UINT64_C(0x1000)
#define DATA       UINT64_C(0x4100)
#define STACK      UINT64_C(0x5000)
#define MEMORY     UINT64_C(0x10000)
#define DATA_WORD  UINT64_C(0xFEDCBA9876543280)
#define STACK_WORD UINT64_C(0x01234567DEADBEEF)
#define UNTOUCHED  UINT64_C(0x5555555555555555)
#define EBREAK     0x00100073u
#define ECALL      0x00000073u
#define ALL        (QUIRE_PROT_READ | QUIRE_PROT_WRITE | QUIRE_PROT_EXEC)

#include "flat.h"
#include "float_cases.h"
#include "insn_cases.h"

/* ---- one instruction ------------------------------------------------------------------------- */

enum place { IN_X, IN_F, IN_M, IN_P, IN_C };

struct insn_case {
    const char *name;
    enum place place;
    uint32_t word;
    uint64_t a, b, c, expected;
    uint32_t flags;
};

#define CASES_MAX 400
struct insn_cases {
    struct insn_case cases[CASES_MAX];
    unsigned count;
};

#define CASE(name, place, word, a, b, c, expected, flags) \
    all->cases[all->count++] =                            \
        (struct insn_case){#name, IN_##place, word, a, b, c, expected, flags};

static void collect(struct insn_cases *all) {
    INTEGER_CASES(CASE)
    MEMORY_CASES(CASE)
    ATOMIC_CASES(CASE)
    JUMP_CASES(CASE)
    COMPRESSED_CASES(CASE)
    FLOAT_ARITHMETIC_CASES(CASE)
    FLOAT_EXACT_CASES(CASE)
    FLOAT_CONVERT_CASES(CASE)
}

static void put(struct flat *flat, uint64_t va, uint32_t word) {
    memcpy(flat->memory + va, &word, (word & 3) == 3 ? 4 : 2);
}

static uint64_t word_at(const struct flat *flat, uint64_t va) {
    uint64_t word;
    memcpy(&word, flat->memory + va, sizeof(word));
    return word;
}

static void run_case(const struct insn_case *test) {
    struct flat *flat = flat_create(MEMORY, ALL);
    unsigned length = (test->word & 3) == 3 ? 4 : 2;
    uint64_t data = DATA_WORD, stack = STACK_WORD;
    put(flat, CODE, test->word);
    put(flat, CODE + length, EBREAK);
    put(flat, CODE + 64, EBREAK);
    memcpy(flat->memory + DATA, &data, sizeof(data));
    memcpy(flat->memory + STACK, &stack, sizeof(stack));
    struct quire_cpu cpu = {.pc = CODE};
    cpu.x[2] = STACK;
    cpu.x[10] = test->a;
    cpu.x[11] = test->b;
    cpu.x[12] = test->place == IN_C ? test->a : UNTOUCHED;
    cpu.x[14] = DATA;
    cpu.f[10] = test->a;
    cpu.f[11] = test->b;
    cpu.f[12] = UNTOUCHED;
    cpu.f[13] = test->c;
    struct quire_trap trap;
    quire_soft_run(&flat->machine, &flat->pmap, &cpu, 100, &trap);
    uint64_t result = test->place == IN_F   ? cpu.f[12]
                      : test->place == IN_M ? word_at(flat, DATA)
                      : test->place == IN_P ? cpu.pc - CODE
                                            : cpu.x[12];
    if (result != test->expected || cpu.fcsr != test->flags)
        print_error("%s: %#llx, expected %#llx; fflags %#x, expected %#x\n", test->name,
                    (unsigned long long)result, (unsigned long long)test->expected, cpu.fcsr,
                    test->flags);
    assert_int_equal(trap.kind, QUIRE_TRAP_EBREAK);
    assert_true(result == test->expected);
    assert_int_equal(cpu.fcsr, test->flags);
    assert_int_equal(cpu.x[0], 0);
    assert_int_equal(flat->machine.counters.instructions, 1);
    flat_destroy(flat);
}

/* state: the first case of an instruction; the ones behind it with the same name are its too. */
static void test_instruction(void **state) {
    const struct insn_case *test = *state;
    for (const char *name = test->name; test->name && strcmp(test->name, name) == 0; test++)
        run_case(test);
}

/* ---- small programs -------------------------------------------------------------------------- */

static void put_program(struct flat *flat, uint64_t va, const uint32_t *words, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        put(flat, va, words[i]);
        va += (words[i] & 3) == 3 ? 4 : 2;
    }
}

/* Run words at CODE with cpu; the machine is the caller's to destroy. */
static struct flat *run_program(const uint32_t *words, unsigned count, struct quire_cpu *cpu,
                                struct quire_trap *trap) {
    struct flat *flat = flat_create(MEMORY, ALL);
    put_program(flat, CODE, words, count);
    cpu->pc = CODE;
    quire_soft_run(&flat->machine, &flat->pmap, cpu, 1000, trap);
    return flat;
}

#define COUNT(words) (sizeof(words) / sizeof((words)[0]))

static void test_illegal(void **state) {
    (void)state;
    static const uint32_t words[] = {
        0x00000000, /* the defined one */
        0x0004,     /* c.addi4spn with 0 */
        0x6101,     /* c.addi16sp with 0 */
        0x6601,     /* c.lui with 0 */
        0x2001,     /* c.addiw of x0 */
        0x4002,     /* c.lwsp to x0 */
        0x6002,     /* c.ldsp to x0 */
        0x8002,     /* c.jr x0 */
        0x9C41,     /* reserved in quadrant 1 */
        0x8000,     /* reserved in quadrant 0 */
        0xFFFFFFFF, 0x0000007F, 0x00007003, 0x00004023, 0x00002063, 0x00001067,
        0x04001013, 0x0200101B, 0x40001033, 0x0000003F, 0x1010202F, 0x0000402F, 0x30200073,
        0x10500073, 0x00200073, 0x00055053, /* fadd.s with rm 5 */
        0x00056053, 0x04007053, 0xC0407053, 0xE0002053, 0xC0101073, /* writes time */
        0xC0301073, 0x30002073, 0xC0302073};
    for (unsigned i = 0; i < COUNT(words); i++) {
        uint32_t program[] = {asm_i(0x13, 0, 5, 0, 7), words[i]};
        struct quire_cpu cpu = {.pc = 0};
        struct quire_trap trap;
        struct flat *flat = run_program(program, 2, &cpu, &trap);
        if (trap.kind != QUIRE_TRAP_ILLEGAL)
            print_error("%#x is not illegal\n", words[i]);
        assert_int_equal(trap.kind, QUIRE_TRAP_ILLEGAL);
        assert_int_equal(cpu.pc, CODE + 4);
        assert_int_equal(cpu.x[5], 7);
        assert_int_equal(trap.instruction, words[i]);
        assert_int_equal(flat->machine.counters.instructions, 1);
        flat_destroy(flat);
    }
}

static void test_illegal_frm(void **state) {
    (void)state;
    uint32_t program[] = {asm_i(0x73, 5, 0, 5, 2), FD(0, 0), FD(0, 7)};
    struct quire_cpu cpu = {.pc = 0};
    struct quire_trap trap;
    struct flat *flat = run_program(program, 3, &cpu, &trap);
    assert_int_equal(trap.kind, QUIRE_TRAP_ILLEGAL); /* only the dynamic one */
    assert_int_equal(cpu.pc, CODE + 8);
    flat_destroy(flat);
}

static void test_ecall_ebreak(void **state) {
    (void)state;
    static const uint32_t words[] = {ECALL, EBREAK, 0x9002};
    static const enum quire_trap_kind kinds[] = {QUIRE_TRAP_ECALL, QUIRE_TRAP_EBREAK,
                                                 QUIRE_TRAP_EBREAK};
    for (unsigned i = 0; i < 3; i++) {
        struct quire_cpu cpu = {.pc = 0};
        struct quire_trap trap;
        struct flat *flat = run_program(&words[i], 1, &cpu, &trap);
        assert_int_equal(trap.kind, kinds[i]);
        assert_int_equal(cpu.pc, CODE);
        flat_destroy(flat);
    }
}

static void test_csr(void **state) {
    (void)state;
    uint32_t program[] = {
        asm_i(0x73, 1, 12, 10, 3),     /* csrrw x12, fcsr, x10 */
        asm_i(0x73, 2, 13, 0, 1),      /* csrrs x13, fflags, x0 */
        asm_i(0x73, 3, 14, 11, 1),     /* csrrc x14, fflags, x11 */
        asm_i(0x73, 5, 15, 2, 2),      /* csrrwi x15, frm, 2 */
        asm_i(0x73, 6, 16, 1, 2),      /* csrrsi x16, frm, 1 */
        asm_i(0x73, 7, 17, 2, 2),      /* csrrci x17, frm, 2 */
        asm_i(0x73, 2, 18, 0, 3),      /* csrrs x18, fcsr, x0 */
        asm_i(0x73, 2, 19, 0, 0xC02 - 0x1000), /* instret */
        asm_i(0x73, 2, 20, 0, 0xC00 - 0x1000), /* cycle */
        asm_i(0x73, 2, 21, 0, 0xC01 - 0x1000), /* time: 1 ns an instruction here */
        EBREAK};
    struct quire_cpu cpu = {.fcsr = 0x21};
    cpu.x[10] = 0xFFFFFFFFFFFFFF9Fu;
    cpu.x[11] = 3;
    struct quire_trap trap;
    struct flat *flat = run_program(program, COUNT(program), &cpu, &trap);
    static const uint64_t expected[] = {0x21, 0x1F, 0x1F, 4, 2, 3, 0x3C, 7, 8, 9};
    for (unsigned i = 0; i < COUNT(expected); i++)
        assert_int_equal(cpu.x[12 + i], expected[i]);
    assert_int_equal(cpu.fcsr, 0x3C);
    flat_destroy(flat);
}

/* Who calls may round as it likes and have flags of its own: neither the program sees them, nor
 * they the program's. */
static void test_float_of_caller(void **state) {
    (void)state;
    uint32_t program[] = {FD(0x0C, 7), FD(0x0C, 7), ECALL, FD(0x0C, 2), EBREAK}; /* fdiv.d */
    struct quire_cpu cpu = {.pc = 0};
    struct quire_trap trap;
    cpu.f[10] = D_1;
    cpu.f[11] = D_3;
    fesetround(FE_UPWARD);
    feclearexcept(FE_ALL_EXCEPT);
    feraiseexcept(FE_OVERFLOW);
    struct flat *flat = run_program(program, COUNT(program), &cpu, &trap);
    assert_true(cpu.f[12] == D_THIRD);
    assert_int_equal(cpu.fcsr, 1);
    cpu.pc += 4;
    quire_soft_run(&flat->machine, &flat->pmap, &cpu, 1000, &trap);
    assert_int_equal(fegetround(), FE_UPWARD);
    assert_int_equal(fetestexcept(FE_ALL_EXCEPT), FE_OVERFLOW);
    fesetround(FE_TONEAREST);
    feclearexcept(FE_ALL_EXCEPT);
    assert_int_equal(trap.kind, QUIRE_TRAP_EBREAK);
    assert_true(cpu.f[12] == D_THIRD); /* downward: the same */
    assert_int_equal(cpu.fcsr, 1);
    flat_destroy(flat);
}

static void test_reservation(void **state) {
    (void)state;
    uint32_t program[] = {
        asm_r(0x2F, 3, 2 << 2, 5, 10, 0),  /* lr.d x5 */
        asm_r(0x2F, 3, 3 << 2, 6, 10, 11), /* sc.d: stores */
        asm_r(0x2F, 3, 3 << 2, 7, 10, 0),  /* again: nothing is reserved any more */
        asm_r(0x2F, 2, 2 << 2, 8, 10, 0),  /* lr.w */
        asm_s(0x23, 0, 10, 0, 0),          /* somebody else's store */
        asm_r(0x2F, 2, 3 << 2, 9, 10, 0),  /* sc.w: the value is another */
        asm_r(0x2F, 2, 2 << 2, 0, 10, 0),
        asm_i(0x13, 0, 12, 10, 8),
        asm_r(0x2F, 2, 3 << 2, 13, 12, 0), /* sc.w elsewhere */
        EBREAK};
    struct quire_cpu cpu = {.pc = 0};
    cpu.x[10] = DATA;
    cpu.x[11] = 0x1234;
    struct quire_trap trap;
    struct flat *flat = run_program(program, COUNT(program), &cpu, &trap);
    assert_int_equal(cpu.x[6], 0);
    assert_int_equal(cpu.x[7], 1);
    assert_int_equal(cpu.x[8], 0x1234);
    assert_int_equal(cpu.x[9], 1);
    assert_int_equal(cpu.x[13], 1);
    assert_int_equal(word_at(flat, DATA), 0x1200);
    assert_int_equal(flat->machine.counters.loads, 3);
    assert_int_equal(flat->machine.counters.stores, 2); /* a failed sc stores nothing */
    flat_destroy(flat);
}

/* Between a hart's lr and sc another one stores, and stores the old value again. */
static void test_reservation_between_harts(void **state) {
    (void)state;
    uint32_t program[] = {asm_r(0x2F, 3, 2 << 2, 5, 10, 0),  /* lr.d x5 */
                          ECALL,                             /* the other hart's turn, or not */
                          asm_r(0x2F, 3, 3 << 2, 6, 10, 11), /* sc.d */
                          EBREAK,
                          asm_s(0x23, 3, 10, 0, 0), /* the other: 0, and back */
                          asm_s(0x23, 3, 10, 12, 0), EBREAK};
    for (unsigned between = 0; between < 2; between++) {
        struct quire_cpu cpu = {.pc = 0}, other = {.pc = CODE + 16};
        struct quire_trap trap;
        cpu.x[10] = other.x[10] = DATA;
        cpu.x[11] = 7;
        struct flat *flat = flat_create(MEMORY, ALL);
        flat->machine.nharts = 2;
        put_program(flat, CODE, program, COUNT(program));
        cpu.pc = CODE;
        quire_soft_run(&flat->machine, &flat->pmap, &cpu, 10, &trap);
        assert_int_equal(trap.kind, QUIRE_TRAP_ECALL);
        other.x[12] = cpu.x[5];
        if (between) {
            flat->machine.hart = 1;
            quire_soft_run(&flat->machine, &flat->pmap, &other, 10, &trap);
            assert_int_equal(trap.kind, QUIRE_TRAP_EBREAK);
        }
        assert_int_equal(word_at(flat, DATA), cpu.x[5]);
        cpu.pc += 4;
        flat->machine.hart = 0;
        quire_soft_run(&flat->machine, &flat->pmap, &cpu, 10, &trap);
        assert_int_equal(trap.kind, QUIRE_TRAP_EBREAK);
        assert_int_equal(cpu.x[6], between);
        assert_int_equal(word_at(flat, DATA), between ? cpu.x[5] : 7);
        flat_destroy(flat);
    }
}

/* ---- traps are precise ----------------------------------------------------------------------- */

/* An access at va, behind an instruction that counts: it must fail like this, with no effect. */
static void expect_fault(uint32_t word, uint64_t va, uint64_t fault_va, enum quire_access access,
                         enum quire_status status) {
    uint32_t program[] = {asm_i(0x13, 0, 5, 5, 1), word, asm_i(0x13, 0, 5, 5, 1), EBREAK};
    struct quire_cpu cpu = {.pc = CODE};
    struct quire_trap trap;
    struct flat *flat = flat_create(MEMORY, ALL);
    put_program(flat, CODE, program, COUNT(program));
    flat_protect(flat, DATA & ~QUIRE_PAGE_MASK, QUIRE_PAGE_SIZE, QUIRE_PROT_READ);
    cpu.x[10] = va;
    cpu.x[11] = ONES;
    cpu.x[12] = UNTOUCHED;
    cpu.f[12] = UNTOUCHED;
    quire_soft_run(&flat->machine, &flat->pmap, &cpu, 1000, &trap);
    assert_int_equal(trap.kind, QUIRE_TRAP_FAULT);
    assert_int_equal(trap.va, fault_va);
    assert_int_equal(trap.access, access);
    assert_int_equal(trap.status, status);
    assert_int_equal(cpu.pc, CODE + 4);
    assert_int_equal(cpu.x[5], 1);
    assert_true(cpu.x[12] == UNTOUCHED && cpu.f[12] == UNTOUCHED);
    assert_int_equal(word_at(flat, DATA & ~QUIRE_PAGE_MASK), 0);
    assert_int_equal(word_at(flat, (DATA & ~QUIRE_PAGE_MASK) - 8), 0);
    assert_int_equal(flat->machine.counters.instructions, 1);
    assert_int_equal(flat->machine.counters.loads + flat->machine.counters.stores, 0);
    flat_destroy(flat);
}

static void test_faults(void **state) {
    (void)state;
    uint64_t page = DATA & ~QUIRE_PAGE_MASK;
    uint32_t ld = asm_i(0x03, 3, 12, 10, 0), sd = asm_s(0x23, 3, 10, 11, 0);
    expect_fault(ld, MEMORY, MEMORY, QUIRE_ACCESS_READ, QUIRE_FAULT);
    expect_fault(ld, MEMORY - 4, MEMORY, QUIRE_ACCESS_READ, QUIRE_FAULT);
    expect_fault(sd, page, page, QUIRE_ACCESS_WRITE, QUIRE_DENIED);
    expect_fault(sd, page - 3, page, QUIRE_ACCESS_WRITE, QUIRE_DENIED); /* no byte before it */
    expect_fault(asm_i(0x07, 2, 12, 10, 0), MEMORY, MEMORY, QUIRE_ACCESS_READ, QUIRE_FAULT);
    expect_fault(asm_r(0x2F, 3, 0, 12, 10, 11), page, page, QUIRE_ACCESS_WRITE, QUIRE_DENIED);
    expect_fault(asm_r(0x2F, 3, 0, 12, 10, 11), 0x6004, 0x6004, QUIRE_ACCESS_WRITE, QUIRE_BUS);
    expect_fault(asm_r(0x2F, 2, 2 << 2, 12, 10, 0), 0x6002, 0x6002, QUIRE_ACCESS_READ, QUIRE_BUS);
}

static void test_fetch_faults(void **state) {
    (void)state;
    struct flat *flat = flat_create(MEMORY, ALL);
    struct quire_trap trap;
    struct quire_cpu cpu = {.pc = MEMORY + 2};
    quire_soft_run(&flat->machine, &flat->pmap, &cpu, 10, &trap);
    assert_int_equal(trap.kind, QUIRE_TRAP_FAULT);
    assert_int_equal(trap.va, MEMORY + 2);
    assert_int_equal(trap.access, QUIRE_ACCESS_EXEC);
    /* An instruction whose second half may not be fetched. */
    uint64_t end = 0x3000;
    put(flat, end - 4, 0x0001);
    memcpy(flat->memory + end - 2, &(uint32_t){asm_i(0x13, 0, 12, 0, 5)}, 4);
    put(flat, end + 2, EBREAK);
    flat_protect(flat, end, QUIRE_PAGE_SIZE, QUIRE_PROT_READ);
    cpu.pc = end - 4;
    quire_soft_run(&flat->machine, &flat->pmap, &cpu, 10, &trap);
    assert_int_equal(trap.kind, QUIRE_TRAP_FAULT);
    assert_int_equal(trap.va, end);
    assert_int_equal(trap.status, QUIRE_DENIED);
    assert_int_equal(cpu.pc, end - 2);
    flat_protect(flat, end, QUIRE_PAGE_SIZE, ALL);
    quire_soft_run(&flat->machine, &flat->pmap, &cpu, 10, &trap);
    assert_int_equal(trap.kind, QUIRE_TRAP_EBREAK);
    assert_int_equal(cpu.x[12], 5);
    /* Its second half becomes another. */
    memcpy(flat->memory + end - 2, &(uint32_t){asm_i(0x13, 0, 12, 0, 6 + 1024)}, 4);
    quire_code_stale(&flat->pmap, end);
    quire_code_stale(&flat->pmap, end - 2);
    cpu.pc = end - 2;
    quire_soft_run(&flat->machine, &flat->pmap, &cpu, 10, &trap);
    assert_int_equal(cpu.x[12], 6 + 1024);
    flat_destroy(flat);
}

/* ---- staleness ------------------------------------------------------------------------------- */

static void test_stale_refetch(void **state) {
    (void)state;
    uint32_t program[] = {asm_i(0x13, 0, 12, 12, 1), EBREAK};
    struct quire_cpu cpu = {.pc = 0};
    struct quire_trap trap;
    struct flat *flat = run_program(program, 2, &cpu, &trap);
    uint64_t fetches = flat->fetches;
    cpu.pc = CODE;
    quire_soft_run(&flat->machine, &flat->pmap, &cpu, 10, &trap);
    assert_int_equal(flat->fetches, fetches); /* fresh: not fetched again */
    quire_code_stale(&flat->pmap, CODE + 5);
    cpu.pc = CODE;
    quire_soft_run(&flat->machine, &flat->pmap, &cpu, 10, &trap);
    assert_int_equal(flat->fetches, fetches + 1);
    assert_int_equal(cpu.x[12], 3);
    put(flat, CODE, asm_i(0x13, 0, 12, 12, 100));
    quire_code_stale_all(&flat->pmap);
    cpu.pc = CODE;
    quire_soft_run(&flat->machine, &flat->pmap, &cpu, 10, &trap);
    assert_int_equal(cpu.x[12], 103);
    quire_code_stale(&flat->pmap, CODE);
    flat->rights[CODE >> QUIRE_PAGE_SHIFT] = QUIRE_PROT_READ;
    cpu.pc = CODE;
    quire_soft_run(&flat->machine, &flat->pmap, &cpu, 10, &trap);
    assert_int_equal(trap.kind, QUIRE_TRAP_FAULT);
    assert_int_equal(trap.status, QUIRE_DENIED);
    assert_int_equal(trap.va, CODE);
    flat_destroy(flat);
}

/* The load's fault makes its own page stale and changes the instruction behind it. */
static void change_code(struct flat *flat, uint64_t va, enum quire_access access) {
    (void)va;
    if (access != QUIRE_ACCESS_READ)
        return;
    put(flat, CODE + 4, asm_i(0x13, 0, 12, 0, 77));
    quire_code_stale(&flat->pmap, CODE);
}

static void test_stale_inside(void **state) {
    (void)state;
    uint32_t program[] = {asm_i(0x03, 3, 5, 10, 0), asm_i(0x13, 0, 12, 0, 1), EBREAK};
    struct flat *flat = flat_create(MEMORY, ALL);
    put_program(flat, CODE, program, COUNT(program));
    flat->before = change_code;
    struct quire_cpu cpu = {.pc = CODE};
    cpu.x[10] = DATA;
    struct quire_trap trap;
    quire_soft_run(&flat->machine, &flat->pmap, &cpu, 10, &trap);
    assert_int_equal(cpu.x[12], 77);
    assert_int_equal(flat->machine.counters.instructions, 2);
    assert_int_equal(flat->machine.counters.loads, 1);
    assert_int_equal(flat->fetches, 2);
    flat_destroy(flat);
}

/* A program that changes its own next instruction and says so. */
static void test_fence_i(void **state) {
    (void)state;
    uint32_t program[] = {asm_s(0x23, 2, 10, 11, 0), 0x0000100F, asm_i(0x13, 0, 12, 0, 1), EBREAK};
    struct flat *flat = flat_create(MEMORY, ALL);
    put_program(flat, CODE, program, COUNT(program));
    struct quire_cpu cpu = {.pc = CODE};
    cpu.x[10] = CODE + 8;
    cpu.x[11] = asm_i(0x13, 0, 12, 0, 9);
    struct quire_trap trap;
    quire_soft_run(&flat->machine, &flat->pmap, &cpu, 10, &trap);
    assert_int_equal(cpu.x[12], 9);
    flat_destroy(flat);
}

/* ---- budget, counters ------------------------------------------------------------------------ */

/* Any budget, block by block, ends in the same state with the same counts as one run. */
static void test_budget(void **state) {
    (void)state;
    uint32_t program[] = {asm_i(0x13, 0, 5, 0, 1000),  asm_i(0x03, 3, 6, 10, 0),
                          asm_r(0x33, 0, 0, 6, 6, 5),  asm_s(0x23, 3, 10, 6, 0),
                          asm_i(0x13, 0, 5, 5, -1),    asm_b(1, 5, 0, -16),
                          EBREAK};
    for (uint64_t budget = 1; budget < 5000; budget = budget * 3 + 1) {
        struct flat *flat = flat_create(MEMORY, ALL);
        put_program(flat, CODE, program, COUNT(program));
        struct quire_cpu cpu = {.pc = CODE};
        cpu.x[10] = DATA;
        struct quire_trap trap;
        uint64_t before;
        do {
            before = flat->machine.counters.instructions;
            quire_soft_run(&flat->machine, &flat->pmap, &cpu, budget, &trap);
        } while (trap.kind == QUIRE_TRAP_BUDGET &&
                 flat->machine.counters.instructions - before >= budget &&
                 flat->machine.counters.instructions - before < budget + 64);
        assert_int_equal(trap.kind, QUIRE_TRAP_EBREAK);
        assert_int_equal(word_at(flat, DATA), 500500);
        assert_int_equal(flat->machine.counters.instructions, 5001);
        assert_int_equal(flat->machine.counters.loads, 1000);
        assert_int_equal(flat->machine.counters.stores, 1000);
        assert_int_equal(flat->machine.clock_ps, 5001 * 1000);
        flat_destroy(flat);
    }
}

/* A run ends with the block in which a miss took the clock beyond the horizon, and not before. */
static void wait_long(struct flat *flat, uint64_t va, enum quire_access access) {
    if (access != QUIRE_ACCESS_EXEC && va == STACK)
        flat->machine.clock_ps += 5000 * 1000;
}

static void test_horizon(void **state) {
    (void)state;
    uint32_t program[] = {
        asm_s(0x23, 3, 10, 5, 0), /* a miss that waits for nothing */
        asm_i(0x13, 0, 5, 5, 1),
        asm_b(1, 5, 6, -8),
        asm_s(0x23, 3, 11, 5, 0), /* one that waits long */
        asm_i(0x13, 0, 5, 5, 1),
        asm_b(0, 0, 0, 4), /* an end of the block */
        EBREAK};
    for (unsigned late = 0; late < 2; late++) {
        struct flat *flat = flat_create(MEMORY, ALL);
        put_program(flat, CODE, program, COUNT(program));
        struct quire_cpu cpu = {.pc = CODE};
        struct quire_trap trap;
        cpu.x[10] = DATA & ~UINT64_C(7);
        cpu.x[11] = STACK;
        cpu.x[6] = 100;
        flat->before = wait_long;
        flat->machine.horizon_ps = late ? 1000 * 1000 : UINT64_MAX;
        uint64_t done = quire_soft_run(&flat->machine, &flat->pmap, &cpu, 1000000, &trap);
        assert_int_equal(cpu.x[5], 101);
        assert_int_equal(done, 303);
        assert_int_equal(trap.kind, late ? QUIRE_TRAP_BUDGET : QUIRE_TRAP_EBREAK);
        assert_int_equal(cpu.pc, CODE + 24);
        assert_int_equal(flat->machine.clock_ps, (303 + 5000) * 1000);
        assert_int_equal(flat->machine.counters.stores, 101);
        flat->machine.horizon_ps = UINT64_MAX;
        quire_soft_run(&flat->machine, &flat->pmap, &cpu, 1000000, &trap);
        assert_int_equal(trap.kind, QUIRE_TRAP_EBREAK);
        flat_destroy(flat);
    }
}

/* ---- main ------------------------------------------------------------------------------------ */

static const struct CMUnitTest programs[] = {
    cmocka_unit_test(test_illegal),      cmocka_unit_test(test_illegal_frm),
    cmocka_unit_test(test_ecall_ebreak), cmocka_unit_test(test_csr),
    cmocka_unit_test(test_float_of_caller),
    cmocka_unit_test(test_reservation),  cmocka_unit_test(test_faults),
    cmocka_unit_test(test_fetch_faults), cmocka_unit_test(test_stale_refetch),
    cmocka_unit_test(test_stale_inside), cmocka_unit_test(test_fence_i),
    cmocka_unit_test(test_budget), cmocka_unit_test(test_horizon),
    cmocka_unit_test(test_reservation_between_harts)};

int main(int argc, char **argv) {
    static struct insn_cases all; /* one more stays empty behind the last */
    static struct CMUnitTest instructions[CASES_MAX];
    unsigned count = 0;
    flat_take_engine(argc > 1 ? argv[1] : NULL);
    collect(&all);
    for (unsigned i = 0; i < all.count; i++) {
        const struct insn_case *test = &all.cases[i];
        if (i > 0 && strcmp(test->name, test[-1].name) == 0)
            continue;
        instructions[count++] = (struct CMUnitTest){.name = test->name,
                                                    .test_func = test_instruction,
                                                    .initial_state = (void *)(uintptr_t)test};
    }
    int failed = _cmocka_run_group_tests("instructions", instructions, count, NULL, NULL);
    return failed + cmocka_run_group_tests_name("programs", programs, NULL, NULL);
}
