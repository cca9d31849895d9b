/* vm_nomem.c: every allocation of every operation fails once; nothing may be left behind.
 *
 * For n = 1, 2, ... the nth allocation fails, until the operation gets through; an audit after
 * each. The one-shot functions of vm.h are called, since the public ones would reclaim and try
 * again.
 */
#include "vm_fixture.h"

#define BASE      ((uint64_t)0x40000000)
#define GAP_PAGES ((uint64_t)300) /* further apart than a leaf of the sparse array reaches */

struct job {
    struct vm_fixture *f;
    struct quire_object *object;
    struct quire_space *child;
    quire_vaddr va;
    uint64_t at;
    unsigned tries;
};

typedef enum quire_status (*operation)(struct job *job);

struct shape {
    struct quire_space_usage usage;
    uint64_t regions;
    uint64_t committed, anon, shmem, swapped, dirty;
};

static struct shape shape_of(const struct job *job) {
    struct shape shape = {.regions = vm_count_regions(job->f->space)};
    struct quire_usage usage;
    quire_usage(job->f->q, &usage);
    quire_space_usage(job->f->space, &shape.usage);
    shape.usage.minor_faults = shape.usage.major_faults = 0;
    shape.usage.page_tables = 0;
    shape.usage.peak_virtual = shape.usage.peak_resident = 0; /* the past is no trace */
    shape.committed = usage.committed;
    shape.anon = usage.anon + quire_vm_swapped(job->f->q); /* a page may come back from swap */
    shape.shmem = usage.shmem;
    shape.dirty = usage.dirty;
    shape.usage.swapped = 0;
    return shape;
}

/* Returns in how many tries it got through. */
static unsigned until_it_works(struct job *job, operation operate) {
    for (job->tries = 1;; job->tries++) {
        struct shape before = shape_of(job);
        quire_fail_every(job->f->q, job->tries);
        enum quire_status status = operate(job);
        quire_fail_every(job->f->q, 0);
        quire_audit(job->f->q);
        if (status == QUIRE_OK) {
            return job->tries;
        }
        assert_int_equal(status, QUIRE_NOMEM);
        struct shape after = shape_of(job);
        assert_memory_equal(&before, &after, sizeof before);
        assert_true(job->tries < 10000);
    }
}

static enum quire_status write_fault(struct job *job) {
    return quire_vm_fault(job->f->space, quire_va(job->at), QUIRE_ACCESS_WRITE);
}

static enum quire_status read_fault(struct job *job) {
    return quire_vm_fault(job->f->space, quire_va(job->at), QUIRE_ACCESS_READ);
}

static enum quire_status child_write_fault(struct job *job) {
    return quire_vm_fault(job->child, quire_va(job->at), QUIRE_ACCESS_WRITE);
}

static enum quire_status child_read_fault(struct job *job) {
    return quire_vm_fault(job->child, quire_va(job->at), QUIRE_ACCESS_READ);
}

static enum quire_status fork_space(struct job *job) {
    return quire_vm_space_fork(job->f->space, NULL, &job->child);
}

static enum quire_status map_fixed(struct job *job) {
    job->va = quire_va(job->at);
    return quire_vm_map(job->f->space, &job->va, 3 * PAGE, RW, QUIRE_MAP_FIXED, NULL, 0);
}

static enum quire_status map_nameless(struct job *job) {
    job->va = quire_va(0);
    return quire_vm_map(job->f->space, &job->va, 3 * PAGE, RW, QUIRE_MAP_SHARED, NULL, 0);
}

static enum quire_status unmap_middle(struct job *job) {
    return quire_vm_unmap(job->f->space, quire_va(job->at), PAGE);
}

static enum quire_status protect_middle(struct job *job) {
    return quire_vm_protect(job->f->space, quire_va(job->at), PAGE, QUIRE_PROT_READ);
}

static enum quire_status move_away(struct job *job) {
    return quire_vm_remap(job->f->space, quire_va(job->at), 4 * PAGE, GAP_PAGES * PAGE,
                          QUIRE_REMAP_MAY_MOVE, &job->va);
}

static enum quire_status lock_middle(struct job *job) {
    return quire_vm_lock(job->f->space, quire_va(job->at), 2 * PAGE, QUIRE_MAP_LOCKED);
}

static enum quire_status wipe_middle(struct job *job) {
    return quire_vm_advise(job->f->space, quire_va(job->at), PAGE, QUIRE_ADVISE_WIPEONFORK);
}

static enum quire_status move_and_keep(struct job *job) {
    job->va = quire_va(0);
    return quire_vm_remap(job->f->space, quire_va(job->at), 4 * PAGE, 4 * PAGE,
                          QUIRE_REMAP_MAY_MOVE | QUIRE_REMAP_DONT_UNMAP, &job->va);
}

static enum quire_status grow_heap(struct job *job) {
    quire_vaddr end = quire_va(job->at);
    return quire_vm_brk(job->f->space, &end);
}

static enum quire_status create_space(struct job *job) {
    struct quire_space_config config = {
        .low = quire_va(LOW), .high = quire_va(HIGH), .map_top = quire_va(MAP_TOP)};
    return quire_vm_space_create(job->f->q, &config, &job->child);
}

static void faults(void **state) {
    (void)state;
    static struct vm_file file;
    struct vm_fixture f = vm_open(4 * MIB, 4 * MIB);
    struct job job = {.f = &f};
    assert_true(until_it_works(&job, create_space) > 1);
    quire_space_destroy(job.child);
    vm_map_at(f.space, BASE, 4 * GAP_PAGES, RW, 0);
    job.at = BASE;
    assert_true(until_it_works(&job, write_fault) > 3);
    job.at = BASE + 2 * GAP_PAGES * PAGE;
    until_it_works(&job, read_fault);
    until_it_works(&job, write_fault);
    job.object = vm_file_object(f.q, &file, 40 * PAGE);
    uint64_t shared = vm_map(f.space, 40, RW, QUIRE_MAP_SHARED, job.object, 0);
    uint64_t mine = vm_map(f.space, 40, RW, 0, job.object, 0);
    for (unsigned i = 0; i < 3; i++) {
        job.at = shared + i * PAGE;
        until_it_works(&job, i ? read_fault : write_fault);
        job.at = mine + i * PAGE;
        until_it_works(&job, i < 2 ? read_fault : write_fault);
        until_it_works(&job, write_fault);
    }
    quire_object_unref(job.object);
    vm_close(&f);
}

static void fork_and_after(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 4 * MIB);
    struct job job = {.f = &f};
    for (unsigned i = 0; i < 6; i++) {
        vm_map_at(f.space, BASE + i * 3 * GAP_PAGES * PAGE, 8, RW, 0);
        for (unsigned j = 0; j < 8; j++) {
            vm_write(f.space, BASE + (i * 3 * GAP_PAGES + j) * PAGE, (uint8_t)(i * 8 + j));
        }
    }
    vm_evict(f.space, BASE, 4);
    assert_true(until_it_works(&job, fork_space) > 10);
    job.at = BASE; /* swapped and shared */
    until_it_works(&job, child_read_fault);
    until_it_works(&job, read_fault); /* a second mapping needs a record */
    until_it_works(&job, child_write_fault);
    job.at = BASE + PAGE;
    until_it_works(&job, child_write_fault);
    for (unsigned i = 0; i < 6; i++) {
        for (unsigned j = 0; j < 8; j++) {
            uint64_t va = BASE + (i * 3 * GAP_PAGES + j) * PAGE;
            assert_int_equal(vm_read(f.space, va), i * 8 + j);
            assert_int_equal(vm_read(job.child, va), i * 8 + j);
        }
    }
    quire_space_destroy(job.child);
    vm_close(&f);
}

static void changes(void **state) {
    (void)state;
    struct vm_fixture f = vm_open(4 * MIB, 4 * MIB);
    struct job job = {.f = &f};
    vm_map_at(f.space, BASE, 20, RW, 0);
    vm_map_at(f.space, BASE + 20 * PAGE, 1, QUIRE_PROT_READ, 0);
    for (unsigned i = 0; i < 20; i++) {
        vm_write(f.space, BASE + i * PAGE, (uint8_t)(i + 1));
    }
    job.at = BASE + 4 * PAGE;
    assert_true(until_it_works(&job, unmap_middle) > 1);
    job.at = BASE + 6 * PAGE;
    assert_true(until_it_works(&job, protect_middle) > 2);
    job.at = BASE + 8 * PAGE;
    assert_true(until_it_works(&job, map_fixed) > 3);
    assert_true(until_it_works(&job, map_nameless) > 2);
    job.at = BASE + 12 * PAGE;
    assert_true(until_it_works(&job, move_away) > 3);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(vm_read(f.space, job.va.value + i * PAGE), 13 + i);
    }
    assert_int_equal(vm_read(f.space, BASE + 9 * PAGE), 0);
    assert_int_equal(vm_read(f.space, BASE + 11 * PAGE), 12);
    uint64_t moved = job.va.value;
    job.at = moved + PAGE;
    assert_true(until_it_works(&job, lock_middle) > 2);
    assert_int_equal(quire_unlock(f.space, quire_va(job.at), 2 * PAGE), QUIRE_OK);
    assert_true(until_it_works(&job, wipe_middle) > 2);
    assert_int_equal(quire_advise(f.space, quire_va(job.at), PAGE, QUIRE_ADVISE_KEEPONFORK),
                     QUIRE_OK);
    job.at = moved;
    assert_true(until_it_works(&job, move_and_keep) > 1);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(vm_read(f.space, job.va.value + i * PAGE), 13 + i);
        assert_int_equal(vm_read(f.space, moved + i * PAGE), 0);
    }
    quire_brk_start(f.space, quire_va(BASE + 1000 * PAGE));
    job.at = BASE + 1010 * PAGE;
    assert_true(until_it_works(&job, grow_heap) > 1);
    vm_close(&f);
}

/* Copies of a file's pages on both sides of where a leaf of the array ends, moved to where there is
 * only the first leaf: the second is refused when half of the way is gone. */
static void moved_half_way(void **state) {
    (void)state;
    static struct vm_file file;
    struct vm_fixture f = vm_open(4 * MIB, 0);
    struct quire_object *object = vm_file_object(f.q, &file, 8 * PAGE);
    const uint64_t leaf = GAP_PAGES * PAGE, edge = BASE + 512 * PAGE;
    vm_map_at(f.space, edge - 20 * PAGE, 1, RW, 0); /* there is a leaf before the edge */
    vm_write(f.space, edge - 20 * PAGE, 1);
    quire_vaddr from = quire_va(edge + 4 * leaf);
    assert_int_equal(quire_map(f.space, &from, 8 * PAGE, RW, QUIRE_MAP_FIXED, object, 0), QUIRE_OK);
    for (unsigned i = 0; i < 8; i++) {
        vm_write(f.space, from.value + i * PAGE, (uint8_t)(i + 1));
    }
    quire_vaddr to = quire_va(0);
    unsigned tries = 1;
    for (;; tries++) {
        to = quire_va(edge - 4 * PAGE);
        quire_fail_range(f.q, tries, UINT64_MAX / 2);
        enum quire_status status = quire_vm_remap(f.space, from, 8 * PAGE, 8 * PAGE,
                                                  QUIRE_REMAP_MAY_MOVE | QUIRE_REMAP_FIXED, &to);
        quire_fail_every(f.q, 0);
        quire_audit(f.q);
        if (status == QUIRE_OK) {
            break;
        }
        assert_int_equal(status, QUIRE_NOMEM);
        for (unsigned i = 0; i < 8; i++) { /* all there still, and nothing at the new place */
            uint8_t byte;
            assert_int_equal(vm_read(f.space, from.value + i * PAGE), i + 1);
            assert_int_equal(vm_try_read(f.space, edge + (i - 4) * PAGE, &byte), QUIRE_FAULT);
        }
    }
    assert_true(tries > 1);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(vm_read(f.space, to.value + i * PAGE), i + 1);
    }
    assert_int_equal(quire_unmap(f.space, to, 8 * PAGE), QUIRE_OK);
    quire_object_unref(object);
    assert_int_equal(file.releases, 1); /* no reference was left over */
    vm_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults),
        cmocka_unit_test(fork_and_after),
        cmocka_unit_test(changes),
        cmocka_unit_test(moved_half_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
