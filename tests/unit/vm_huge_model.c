/* vm_huge_model.c: random operations on ranges of several megabytes in a world where everything may
 * be a block of 2 MiB, against a model that is an array of pages. Anonymous memory only: vm_model.c
 * has the rest, in spaces too small for blocks.
 *
 * Half of the ranges begin or end where a block does. RAM holds a third to all of what the spaces
 * would. After each step one page is compared, after every few all of them, with an audit.
 *
 *   unit_vm_huge_model [first seed [steps of each world [worlds]]]
 */
#include <stdio.h>

#include "vm_fixture.h"

#include "vm/huge.h"

#define NSPACES 3
#define NPAGES  2600
#define BASE    (64 * MIB - 100 * PAGE) /* blocks begin at page 100, 612, ... */
#define OFFSET  100                     /* the byte of each page that is looked at */

struct model_page {
    bool mapped, lazy; /* lazy: ADVISE_FREE left open whether the byte is still there */
    uint8_t prot, value;
};

struct model {
    struct vm_fixture f;
    struct quire_space *spaces[NSPACES];
    struct model_page pages[NSPACES][NPAGES];
    uint64_t random, refused;
};

struct span {
    unsigned space;
    uint64_t first, count;
};

static uint64_t seed = 1, steps = 3000, worlds = 4;

static uint64_t draw(struct model *m, uint64_t below) {
    return vm_draw(&m->random, below);
}

static uint64_t va_of(uint64_t page) {
    return BASE + page * PAGE;
}

/* Down to where a block begins, half of the time. */
static uint64_t near_block(struct model *m, uint64_t page) {
    uint64_t inside = quire_pages(va_of(page)) % 512;
    return draw(m, 2) && inside <= page ? page - inside : page;
}

static struct span draw_span(struct model *m, uint64_t longest) {
    struct span span = {.first = near_block(m, draw(m, NPAGES))};
    uint64_t end = near_block(m, span.first + 1 + draw(m, longest));
    end = end > NPAGES ? NPAGES : end;
    span.count = end > span.first ? end - span.first : 1;
    do {
        span.space = (unsigned)draw(m, NSPACES);
    } while (!m->spaces[span.space]);
    return span;
}

/* ---- comparing ------------------------------------------------------------------------------- */

static void compare_page(struct model *m, unsigned s, uint64_t i) {
    struct model_page *page = &m->pages[s][i];
    uint8_t byte = 0;
    enum quire_status status = vm_try_read(m->spaces[s], va_of(i) + OFFSET, &byte);
    enum quire_status want = !page->mapped ? QUIRE_FAULT : !page->prot ? QUIRE_DENIED : QUIRE_OK;
    assert_int_equal(status, want);
    if (status == QUIRE_OK && page->lazy && byte == 0) {
        page->lazy = false;
        page->value = 0;
    }
    if (status == QUIRE_OK) {
        assert_int_equal(byte, page->value);
    }
}

static void compare_all(struct model *m) {
    for (unsigned s = 0; s < NSPACES; s++) {
        for (uint64_t i = 0; m->spaces[s] && i < NPAGES; i++) {
            compare_page(m, s, i);
        }
    }
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* NOMEM is an answer, and says that nothing has happened. */
static bool did(struct model *m, enum quire_status status) {
    m->refused += status == QUIRE_NOMEM;
    return status != QUIRE_NOMEM;
}

static void step_map(struct model *m) {
    struct span at = draw_span(m, 1500);
    unsigned prot = draw(m, 8) ? RW : (unsigned)draw(m, 2);
    quire_vaddr va = quire_va(va_of(at.first));
    enum quire_status status =
        quire_map(m->spaces[at.space], &va, at.count * PAGE, prot, QUIRE_MAP_FIXED, NULL, 0);
    if (did(m, status)) {
        assert_int_equal(status, QUIRE_OK);
        for (uint64_t i = at.first; i < at.first + at.count; i++) {
            m->pages[at.space][i] = (struct model_page){true, false, (uint8_t)prot, 0};
        }
    }
}

static void step_unmap(struct model *m) {
    struct span at = draw_span(m, 600);
    enum quire_status status =
        quire_unmap(m->spaces[at.space], quire_va(va_of(at.first)), at.count * PAGE);
    if (did(m, status)) {
        assert_int_equal(status, QUIRE_OK);
        memset(&m->pages[at.space][at.first], 0, at.count * sizeof(struct model_page));
    }
}

static void step_protect(struct model *m) {
    struct span at = draw_span(m, 900);
    unsigned prot = draw(m, 3) ? RW : (unsigned)draw(m, 2);
    enum quire_status status =
        quire_protect(m->spaces[at.space], quire_va(va_of(at.first)), at.count * PAGE, prot);
    if (!did(m, status)) {
        return;
    }
    for (uint64_t i = at.first; i < at.first + at.count; i++) {
        if (!m->pages[at.space][i].mapped) {
            assert_int_equal(status, QUIRE_UNMAPPED);
            return;
        }
        m->pages[at.space][i].prot = (uint8_t)prot;
    }
    assert_int_equal(status, QUIRE_OK);
}

static void step_advise(struct model *m) {
    static const enum quire_advice advice[] = {
        QUIRE_ADVISE_DONTNEED,   QUIRE_ADVISE_DONTNEED, QUIRE_ADVISE_COLD, QUIRE_ADVISE_HUGEPAGE,
        QUIRE_ADVISE_NOHUGEPAGE, QUIRE_ADVISE_PAGEOUT,  QUIRE_ADVISE_FREE};
    struct span at = draw_span(m, 700);
    unsigned which = (unsigned)draw(m, sizeof advice / sizeof *advice);
    enum quire_status status = quire_advise(m->spaces[at.space], quire_va(va_of(at.first)),
                                            at.count * PAGE, advice[which]);
    for (uint64_t i = at.first; did(m, status) && i < at.first + at.count; i++) {
        struct model_page *page = &m->pages[at.space][i];
        page->lazy |= advice[which] == QUIRE_ADVISE_FREE;
        if (advice[which] == QUIRE_ADVISE_DONTNEED) {
            page->value = 0;
        }
    }
}

static void step_remap(struct model *m) {
    struct span from = draw_span(m, 700);
    struct model_page *pages = m->pages[from.space];
    static struct model_page moved[NPAGES];
    uint64_t to = near_block(m, draw(m, NPAGES - from.count + 1));
    quire_vaddr new_va = quire_va(va_of(to));
    enum quire_status status =
        quire_remap(m->spaces[from.space], quire_va(va_of(from.first)), from.count * PAGE,
                    from.count * PAGE, QUIRE_REMAP_MAY_MOVE | QUIRE_REMAP_FIXED, &new_va);
    if (status == QUIRE_NOMEM) { /* the target may be gone by then */
        memset(&pages[to], 0, from.count * sizeof *pages);
        assert_int_equal(quire_unmap(m->spaces[from.space], quire_va(va_of(to)), from.count * PAGE),
                         QUIRE_OK);
    } else if (status == QUIRE_OK) {
        memcpy(moved, &pages[from.first], from.count * sizeof *pages);
        memset(&pages[from.first], 0, from.count * sizeof *pages);
        memcpy(&pages[to], moved, from.count * sizeof *pages);
    } else { /* overlap; or not one region */
        assert_true(status == QUIRE_INVAL || status == QUIRE_FAULT);
    }
}

static void step_write(struct model *m) {
    struct span at = draw_span(m, draw(m, 4) ? 6 : 600);
    uint64_t stride = 1 + draw(m, 20);
    for (uint64_t i = at.first; i < at.first + at.count; i += stride) {
        struct model_page *page = &m->pages[at.space][i];
        uint8_t byte = (uint8_t)draw(m, 256);
        enum quire_status status = vm_try_write(m->spaces[at.space], va_of(i) + OFFSET, byte);
        enum quire_status want = !page->mapped                      ? QUIRE_FAULT
                                 : !(page->prot & QUIRE_PROT_WRITE) ? QUIRE_DENIED
                                                                    : QUIRE_OK;
        assert_int_equal(status, want);
        if (status == QUIRE_OK) {
            page->value = byte;
            page->lazy = false;
        }
    }
}

/* Locked pages stay, in blocks or not, whatever reclaim tries; then it is free to go again. */
static void step_lock(struct model *m) {
    struct span at = draw_span(m, 300);
    struct quire_space *space = m->spaces[at.space];
    bool on_fault = draw(m, 2);
    enum quire_status status =
        quire_lock(space, quire_va(va_of(at.first)), at.count * PAGE, on_fault);
    if (status == QUIRE_OK) {
        step_write(m);
        vm_evict(space, va_of(at.first), at.count);
        quire_audit(m->f.q);
        for (uint64_t i = at.first; i < at.first + at.count && !on_fault; i++) {
            quire_vaddr va = quire_va(va_of(i));
            assert_true(!(m->pages[at.space][i].prot & QUIRE_PROT_WRITE) ||
                        quire_vm_page_at(space, va));
        }
    }
    do {
        status = quire_unlock(space, quire_va(va_of(at.first)), at.count * PAGE);
    } while (status == QUIRE_NOMEM);
}

static void step_fork(struct model *m) {
    struct span from = draw_span(m, 1);
    unsigned to = (unsigned)draw(m, NSPACES);
    if (to == from.space) {
        return;
    }
    if (m->spaces[to]) {
        quire_space_destroy(m->spaces[to]);
        m->spaces[to] = NULL;
    }
    if (did(m, quire_space_fork(m->spaces[from.space], NULL, &m->spaces[to]))) {
        memcpy(m->pages[to], m->pages[from.space], sizeof m->pages[to]);
    }
}

static void step_end(struct model *m) {
    struct span from = draw_span(m, 1);
    if (from.space != 0) {
        quire_space_destroy(m->spaces[from.space]);
        m->spaces[from.space] = NULL;
    }
}

static void step_evict(struct model *m) {
    struct span at = draw_span(m, 100);
    vm_evict(m->spaces[at.space], va_of(at.first), at.count);
}

static void step_ticks(struct model *m) {
    for (unsigned i = 0; i < 6; i++) {
        quire_soft_charge(m->f.machine, 10000000);
        quire_tick(m->f.q);
    }
}

static void step_mode(struct model *m) {
    quire_set_thp(m->f.q, draw(m, 4) ? QUIRE_THP_ALWAYS : (enum quire_thp)draw(m, 3));
    quire_fail_every(m->f.q, draw(m, 3) ? 0 : 600 + draw(m, 900));
}

static void step(struct model *m) {
    static void (*const rare[])(struct model *) = {
        step_map,  step_map, step_unmap, step_protect, step_advise, step_remap, step_fork,
        step_fork, step_end, step_evict, step_ticks,   step_ticks,  step_mode,  step_lock,
    };
    if (draw(m, 2)) {
        step_write(m);
    } else {
        rare[draw(m, sizeof rare / sizeof *rare)](m);
    }
}

static void one_world(void) {
    static struct model m;
    m = (struct model){.refused = 0};
    m.f = vm_open((12 + seed % 4 * 8) * MIB, 128 * MIB);
    m.random = seed * 0x9E3779B97F4A7C15u + 1;
    m.spaces[0] = m.f.space;
    m.f.space = NULL;
    quire_set_thp(m.f.q, QUIRE_THP_ALWAYS);
    if (seed % 2) { /* every other seed: the machine forgets */
        quire_soft_inject(m.f.machine, QUIRE_SOFT_DROP_MAPPING, 5);
    }
    for (uint64_t i = 0; i < steps; i++) {
        step(&m);
        struct span at = draw_span(&m, 1);
        compare_page(&m, at.space, at.first);
        if (i % 16 == 0) {
            quire_audit(m.f.q);
        }
        if (i % 256 == 0) {
            compare_all(&m);
        }
    }
    quire_fail_every(m.f.q, 0);
    compare_all(&m);
    const struct quire_counters *now = quire_counters(m.f.q);
    print_message("seed %lu: %lu faults, blocks %lu+%lu, %lu splits, %lu fallbacks, %lu out, "
                  "%lu refused, trace %016lx\n",
                  (unsigned long)seed, (unsigned long)now->pgfault,
                  (unsigned long)now->thp_fault_alloc, (unsigned long)now->thp_collapse_alloc,
                  (unsigned long)now->thp_split_pmd, (unsigned long)now->thp_fault_fallback,
                  (unsigned long)now->pswpout, (unsigned long)m.refused,
                  (unsigned long)quire_trace_hash(m.f.q));
    /* It was about blocks. */
    assert_true(now->thp_fault_alloc && now->thp_split_pmd);
    for (unsigned s = 0; s < NSPACES; s++) {
        if (m.spaces[s]) {
            quire_space_destroy(m.spaces[s]);
        }
    }
    vm_close(&m.f);
}

static void against_the_model(void **state) {
    (void)state;
    for (uint64_t world = 0; world < worlds; world++, seed++) {
        one_world();
    }
}

int main(int argc, char **argv) {
    if (argc > 1) {
        seed = strtoull(argv[1], NULL, 0);
    }
    if (argc > 2) {
        steps = strtoull(argv[2], NULL, 0);
    }
    if (argc > 3) {
        worlds = strtoull(argv[3], NULL, 0);
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(against_the_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
