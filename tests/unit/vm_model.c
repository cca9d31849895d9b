/* vm_model.c: random operations on several spaces, against a model that is an array of pages.
 *
 * The model knows for each page what a program would know: is it mapped, how protected, which byte
 * is there. After each step one page is compared, after every few all of them, with the list of
 * regions and an audit. RAM is smaller than what the spaces hold, so all of it happens under
 * reclaim.
 *
 *   unit_vm_model [seed [steps]]
 */
#include <stdio.h>

#include "vm_fixture.h"

#define NSPACES   3
#define NPAGES    400
#define BASE      ((uint64_t)0x7fff0000) /* across a table's border */
#define OFFSET    100                    /* the byte of each page that is looked at */
#define SHM_PAGES 128

enum kind { ANON, SHM_SHARED, SHM_PRIVATE, FILE_SHARED, FILE_PRIVATE, NKINDS };

struct model_page {
    bool mapped, own; /* own: a private copy exists */
    uint8_t prot, kind, value;
    uint16_t index; /* in the object */
};

struct model {
    struct vm_fixture f;
    struct quire_space *spaces[NSPACES];
    struct model_page pages[NSPACES][NPAGES];
    struct quire_object *shm, *file_object;
    uint8_t shm_bytes[SHM_PAGES];
    uint8_t file_bytes[VM_FILE_PAGES];
    uint64_t random;
};

static struct vm_file file;
static uint64_t seed = 1, steps = 12000;

static uint64_t draw(struct model *m, uint64_t below) {
    return vm_draw(&m->random, below);
}

static uint64_t va_of(uint64_t page) {
    return BASE + page * PAGE;
}

static bool is_shared(const struct model_page *page) {
    return page->kind == SHM_SHARED || page->kind == FILE_SHARED;
}

/* The object's byte below a page, NULL for anonymous memory. */
static uint8_t *below(struct model *m, const struct model_page *page) {
    if (page->kind == ANON) {
        return NULL;
    }
    return page->kind == SHM_SHARED || page->kind == SHM_PRIVATE ? &m->shm_bytes[page->index]
                                                                 : &m->file_bytes[page->index];
}

static uint8_t visible(struct model *m, const struct model_page *page) {
    const uint8_t *byte = below(m, page);
    return page->own ? page->value : byte ? *byte : 0;
}

/* ---- comparing ----------------------------------------------------------------------------- */

static void compare_page(struct model *m, unsigned s, uint64_t i) {
    const struct model_page *page = &m->pages[s][i];
    uint8_t byte = 0;
    enum quire_status status = vm_try_read(m->spaces[s], va_of(i) + OFFSET, &byte);
    if (!page->mapped) {
        assert_int_equal(status, QUIRE_FAULT);
    } else if (!page->prot) {
        assert_int_equal(status, QUIRE_DENIED);
    } else {
        assert_int_equal(status, QUIRE_OK);
        assert_int_equal(byte, visible(m, page));
    }
}

static bool continues(const struct model_page *a, const struct model_page *b) {
    return a->mapped && b->mapped && a->prot == b->prot && a->kind == b->kind &&
           (a->kind == ANON || a->index + 1 == b->index);
}

static void compare_regions(struct model *m, unsigned s) {
    struct quire_region_info info;
    quire_vaddr at = quire_va(0);
    for (uint64_t i = 0; i < NPAGES; i++) {
        if (!m->pages[s][i].mapped) {
            continue;
        }
        uint64_t first = i;
        while (i + 1 < NPAGES && continues(&m->pages[s][i], &m->pages[s][i + 1])) {
            i++;
        }
        assert_true(quire_region_at_or_after(m->spaces[s], at, true, &info));
        assert_int_equal(info.start.value, va_of(first));
        assert_int_equal(info.end.value, va_of(i + 1));
        assert_int_equal(info.prot, m->pages[s][first].prot);
        at = info.end;
    }
    assert_false(quire_region_at_or_after(m->spaces[s], at, false, &info));
}

static void compare_all(struct model *m) {
    for (unsigned s = 0; s < NSPACES; s++) {
        if (m->spaces[s]) {
            compare_regions(m, s);
            for (uint64_t i = 0; i < NPAGES; i++) {
                compare_page(m, s, i);
            }
        }
    }
}

/* ---- steps: each does the same to both ----------------------------------------------------- */

struct span {
    unsigned space;
    uint64_t first, count;
};

static struct span draw_span(struct model *m, uint64_t longest) {
    struct span span = {.count = 1 + draw(m, longest)};
    do {
        span.space = (unsigned)draw(m, NSPACES);
    } while (!m->spaces[span.space]);
    span.first = draw(m, NPAGES - span.count + 1);
    return span;
}

static void step_map(struct model *m) {
    struct span at = draw_span(m, 60);
    struct model_page *pages = &m->pages[at.space][at.first];
    unsigned kind = (unsigned)draw(m, NKINDS), prot = draw(m, 4) ? RW : (unsigned)draw(m, 2);
    uint64_t offset = draw(m, kind >= FILE_SHARED ? VM_FILE_PAGES - 60 : SHM_PAGES - 60);
    unsigned flags = draw(m, 4) ? QUIRE_MAP_FIXED : QUIRE_MAP_NOREPLACE;
    bool taken = false;
    struct quire_object *object = kind == ANON          ? NULL
                                  : kind >= FILE_SHARED ? m->file_object
                                                        : m->shm;
    quire_vaddr va = quire_va(va_of(at.first));
    for (uint64_t i = 0; i < at.count; i++) {
        taken |= pages[i].mapped;
    }
    struct model_page page = {.mapped = true, .prot = (uint8_t)prot, .kind = (uint8_t)kind};
    enum quire_status status =
        quire_map(m->spaces[at.space], &va, at.count * PAGE, prot,
                  flags | (is_shared(&page) ? QUIRE_MAP_SHARED : 0), object, offset * PAGE);
    if (taken && flags == QUIRE_MAP_NOREPLACE) {
        assert_int_equal(status, QUIRE_EXIST);
        return;
    }
    assert_int_equal(status, QUIRE_OK);
    for (uint64_t i = 0; i < at.count; i++) {
        page.index = (uint16_t)(offset + i);
        pages[i] = page;
    }
}

static void step_unmap(struct model *m) {
    struct span at = draw_span(m, 40);
    assert_int_equal(quire_unmap(m->spaces[at.space], quire_va(va_of(at.first)), at.count * PAGE),
                     QUIRE_OK);
    memset(&m->pages[at.space][at.first], 0, at.count * sizeof(struct model_page));
}

static void step_protect(struct model *m) {
    struct span at = draw_span(m, 40);
    unsigned prot = draw(m, 3) ? RW : (unsigned)draw(m, 2);
    enum quire_status status =
        quire_protect(m->spaces[at.space], quire_va(va_of(at.first)), at.count * PAGE, prot);
    for (uint64_t i = 0; i < at.count; i++) {
        struct model_page *page = &m->pages[at.space][at.first + i];
        if (!page->mapped) {
            assert_int_equal(status, QUIRE_UNMAPPED);
            return;
        }
        page->prot = (uint8_t)prot;
    }
    assert_int_equal(status, QUIRE_OK);
}

static void step_dontneed(struct model *m) {
    struct span at = draw_span(m, 20);
    bool holes = false;
    enum quire_status status = quire_advise(m->spaces[at.space], quire_va(va_of(at.first)),
                                            at.count * PAGE, QUIRE_ADVISE_DONTNEED);
    for (uint64_t i = 0; i < at.count; i++) {
        struct model_page *page = &m->pages[at.space][at.first + i];
        holes |= !page->mapped;
        page->own = false;
    }
    assert_int_equal(status, holes ? QUIRE_UNMAPPED : QUIRE_OK);
}

static void step_remap(struct model *m) {
    struct span from = draw_span(m, 30);
    struct model_page *pages = m->pages[from.space], moved[60];
    uint64_t count = 1 + draw(m, 60), to = draw(m, NPAGES - count + 1);
    quire_vaddr new_va = quire_va(va_of(to));
    bool one_region = pages[from.first].mapped;
    /* Longer than the object would be beyond its end: not modelled. */
    if (pages[from.first].kind != ANON && count > from.count) {
        count = from.count;
    }
    for (uint64_t i = 1; i < from.count && i < count; i++) { /* what goes anyway may be anything */
        one_region &= continues(&pages[from.first + i - 1], &pages[from.first + i]);
    }
    enum quire_status status =
        quire_remap(m->spaces[from.space], quire_va(va_of(from.first)), from.count * PAGE,
                    count * PAGE, QUIRE_REMAP_MAY_MOVE | QUIRE_REMAP_FIXED, &new_va);
    if (to < from.first + from.count && from.first < to + count) {
        assert_int_equal(status, QUIRE_INVAL);
        return;
    }
    if (!one_region) {
        assert_int_equal(status, QUIRE_FAULT);
        return;
    }
    assert_int_equal(status, QUIRE_OK);
    for (uint64_t i = 0; i < count; i++) {
        moved[i] = pages[from.first];
        moved[i].own = false;
        if (i < from.count) {
            moved[i] = pages[from.first + i];
        }
    }
    memset(&pages[from.first], 0, from.count * sizeof *pages);
    memcpy(&pages[to], moved, count * sizeof *pages);
}

static void step_write(struct model *m) {
    for (unsigned n = 0; n < 8; n++) {
        struct span at = draw_span(m, 1);
        struct model_page *page = &m->pages[at.space][at.first];
        uint8_t byte = (uint8_t)draw(m, 256);
        enum quire_status status =
            vm_try_write(m->spaces[at.space], va_of(at.first) + OFFSET, byte);
        if (!page->mapped) {
            assert_int_equal(status, QUIRE_FAULT);
        } else if (!(page->prot & QUIRE_PROT_WRITE)) {
            assert_int_equal(status, QUIRE_DENIED);
        } else {
            assert_int_equal(status, QUIRE_OK);
            if (is_shared(page)) {
                *below(m, page) = byte;
            } else {
                page->own = true;
                page->value = byte;
            }
        }
    }
}

static void step_fork(struct model *m) {
    struct span from = draw_span(m, 1);
    unsigned to = (unsigned)draw(m, NSPACES);
    if (to == from.space) {
        return;
    }
    if (m->spaces[to]) {
        quire_space_destroy(m->spaces[to]);
    }
    assert_int_equal(quire_space_fork(m->spaces[from.space], NULL, &m->spaces[to]), QUIRE_OK);
    memcpy(m->pages[to], m->pages[from.space], sizeof m->pages[to]);
}

static void step_evict(struct model *m) {
    struct span at = draw_span(m, 60);
    vm_evict(m->spaces[at.space], va_of(at.first), at.count);
}

static void step_sync(struct model *m) {
    struct span at = draw_span(m, 60);
    quire_sync(m->spaces[at.space], quire_va(va_of(at.first)), at.count * PAGE);
    quire_tick(m->f.q);
}

/* Moves pages from swap to RAM as far as they fit, and then back. */
static void step_swapoff(struct model *m) {
    if (draw(m, 20) == 0 && quire_swapoff(m->f.q, 0) == QUIRE_OK) {
        assert_int_equal(quire_vm_swapped(m->f.q), 0);
        assert_int_equal(quire_swapon(m->f.q, 0, 0), QUIRE_OK);
    }
}

static void step(struct model *m) {
    static void (*const rare[])(struct model *) = {
        step_map,  step_unmap, step_protect, step_dontneed, step_remap,
        step_fork, step_evict, step_sync,    step_swapoff,
    };
    if (draw(m, 2)) {
        step_write(m);
    } else {
        rare[draw(m, sizeof rare / sizeof *rare)](m);
    }
}

static void against_the_model(void **state) {
    (void)state;
    static struct model m;
    m.f = vm_open(3 * MIB, 16 * MIB);
    m.random = seed * 0x9E3779B97F4A7C15u + 1;
    m.spaces[0] = m.f.space;
    m.f.space = NULL;
    assert_int_equal(quire_object_create_shm(m.f.q, SHM_PAGES * PAGE, NULL, &m.shm), QUIRE_OK);
    m.file_object = vm_file_object(m.f.q, &file, VM_FILE_PAGES * PAGE);
    for (unsigned i = 0; i < VM_FILE_PAGES; i++) {
        m.file_bytes[i] = file.bytes[i * PAGE + OFFSET];
    }
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
    compare_all(&m);
    print_message(
        "seed %lu: %lu faults, %lu in, %lu out, trace %016lx\n", (unsigned long)seed,
        (unsigned long)quire_counters(m.f.q)->pgfault, (unsigned long)quire_counters(m.f.q)->pswpin,
        (unsigned long)quire_counters(m.f.q)->pswpout, (unsigned long)quire_trace_hash(m.f.q));
    for (unsigned s = 0; s < NSPACES; s++) {
        if (m.spaces[s]) {
            quire_space_destroy(m.spaces[s]);
        }
    }
    quire_object_unref(m.shm);
    quire_object_unref(m.file_object);
    for (unsigned i = 0; i < VM_FILE_PAGES; i++) { /* all was written back */
        assert_int_equal(m.file_bytes[i], file.bytes[i * PAGE + OFFSET]);
    }
    vm_close(&m.f);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        seed = strtoull(argv[1], NULL, 0);
    }
    if (argc > 2) {
        steps = strtoull(argv[2], NULL, 0);
    }
    const struct CMUnitTest tests[] = {cmocka_unit_test(against_the_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
