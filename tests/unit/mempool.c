/* mempool.c: the guarantee: with memory gone, `least` elements can be out, again and again; what
 * creation, growth and the end do when there is no memory; audited as it goes. */
#include "kmem_rig.h"

#define RAM ((uint64_t)4 << 20)

/* Every frame that this mode of allocation can have, and each object of the cache. */
static unsigned eat(struct quire *q, quire_frame *frames, unsigned most) {
    unsigned n = 0;
    while (n < most && quire_frames_alloc(q, 0, &frames[n]) == QUIRE_OK) {
        n++;
    }
    assert_true(n < most);
    return n;
}

static void serve(struct quire *q, struct quire_mempool *pool, size_t least, size_t nbytes) {
    static quire_frame frames[2000];
    static void *extra[200000];
    void *elements[64];
    unsigned n = eat(q, frames, 2000);
    size_t nextra = 0;
    /* What the source still has comes first; the reserve is untouched until then. */
    while (quire_mempool_reserve(pool) == least) {
        extra[nextra] = quire_mempool_alloc(pool);
        assert_non_null(extra[nextra++]);
    }
    assert_int_equal(quire_mempool_reserve(pool), least - 1);
    quire_mempool_free(pool, extra[--nextra]);
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < least; i++) {
            elements[i] = quire_mempool_alloc(pool);
            assert_non_null(elements[i]);
            memset(elements[i], (int)i + 1, nbytes);
        }
        assert_null(quire_mempool_alloc(pool));
        assert_int_equal(quire_mempool_reserve(pool), 0);
        quire_kmem_audit(q);
        assert_int_equal(quire_mempool_destroy(pool), QUIRE_BUSY);
        for (size_t i = 0; i < least; i++) {
            assert_int_equal(((unsigned char *)elements[i])[nbytes - 1], i + 1);
            quire_mempool_free(pool, elements[i]);
        }
        assert_int_equal(quire_mempool_reserve(pool), least);
    }
    assert_int_equal(quire_mempool_resize(pool, least + 500), QUIRE_NOMEM);
    assert_int_equal(quire_mempool_reserve(pool), least);
    while (nextra > 0) {
        quire_mempool_free(pool, extra[--nextra]);
    }
    while (n > 0) {
        quire_frames_free(q, frames[--n], 0);
    }
}

static void guarantee(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(RAM);
    struct quire *q = kmem_up(machine);
    struct quire_cache *cache;
    struct quire_mempool *pool;
    assert_int_equal(quire_cache_create(q, "pooled", 200, 0, NULL, &cache), QUIRE_OK);
    const struct {
        struct quire_mempool_source source;
        size_t nbytes;
    } kinds[] = {{quire_mempool_of_cache(cache), 200},
                 {quire_mempool_of_frames(q, 0), 4096},
                 {quire_mempool_of_frames(q, 2), 16384},
                 {quire_mempool_of_bytes(q, 3000), 3000}};
    for (unsigned kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++) {
        for (size_t least = 1; least <= 64; least *= 4) {
            assert_int_equal(quire_mempool_create(q, least, &kinds[kind].source, &pool), QUIRE_OK);
            assert_int_equal(quire_mempool_reserve(pool), least);
            serve(q, pool, least, kinds[kind].nbytes);
            assert_int_equal(quire_mempool_destroy(pool), QUIRE_OK);
            quire_kmem_shrink(q);
        }
    }
    assert_int_equal(quire_cache_destroy(cache), QUIRE_OK);
    kmem_down(machine, q);
}

/* A new guarantee while elements are out: they fill it when they come back, no more and no less. */
static void resize(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(RAM);
    struct quire *q = kmem_up(machine);
    struct quire_mempool *pool;
    struct quire_mempool_source source = quire_mempool_of_bytes(q, 100);
    void *elements[10];
    assert_int_equal(quire_mempool_create(q, 0, &source, &pool), QUIRE_INVAL);
    assert_int_equal(quire_mempool_create(q, 16385, &source, &pool), QUIRE_INVAL);
    assert_int_equal(quire_mempool_create(q, 4, &source, &pool), QUIRE_OK);
    kmem_fail_every(q, 1);
    for (unsigned i = 0; i < 4; i++) {
        assert_non_null(elements[i] = quire_mempool_alloc(pool));
    }
    assert_null(quire_mempool_alloc(pool));
    assert_int_equal(quire_mempool_resize(pool, 10), QUIRE_NOMEM);
    kmem_fail_every(q, 0);
    assert_int_equal(quire_mempool_resize(pool, 10), QUIRE_OK);
    assert_int_equal(quire_mempool_reserve(pool), 6); /* four are out */
    quire_kmem_audit(q);
    quire_mempool_free(pool, elements[0]);
    assert_int_equal(quire_mempool_reserve(pool), 7);
    assert_int_equal(quire_mempool_resize(pool, 2), QUIRE_OK);
    assert_int_equal(quire_mempool_reserve(pool), 2);
    quire_kmem_audit(q);
    for (unsigned i = 1; i < 4; i++) {
        quire_mempool_free(pool, elements[i]);
        assert_int_equal(quire_mempool_reserve(pool), 2);
    }
    assert_true(PANICS(machine, quire_mempool_free(pool, elements[0])));
    assert_int_equal(quire_mempool_destroy(pool), QUIRE_OK);
    kmem_down(machine, q);
}

/* Each allocation of a creation and of a growth fails once: NOMEM, and nothing is kept. */
static void no_leaks(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(RAM);
    struct quire *q = kmem_up(machine);
    struct quire_mempool *pool;
    struct quire_mempool_source source = quire_mempool_of_frames(q, 1);
    quire_kmem_shrink(q);
    uint64_t free = quire_page_count(q, QUIRE_USE_FREE);
    for (uint64_t nth = 1; nth <= 12; nth++) { /* pool, array, 10 elements */
        kmem_fail_every(q, nth);
        assert_int_equal(quire_mempool_create(q, 10, &source, &pool), QUIRE_NOMEM);
        kmem_fail_every(q, 0);
        quire_kmem_audit(q);
        quire_kmem_shrink(q);
        assert_int_equal(quire_page_count(q, QUIRE_USE_FREE), free);
    }
    assert_int_equal(quire_mempool_create(q, 10, &source, &pool), QUIRE_OK);
    for (uint64_t nth = 1; nth <= 6; nth++) {
        kmem_fail_every(q, nth);
        assert_int_equal(quire_mempool_resize(pool, 15), QUIRE_NOMEM);
        kmem_fail_every(q, 0);
        assert_int_equal(quire_mempool_reserve(pool), 10);
        quire_kmem_audit(q);
    }
    assert_int_equal(quire_mempool_destroy(pool), QUIRE_OK);
    quire_kmem_shrink(q);
    assert_int_equal(quire_page_count(q, QUIRE_USE_FREE), free);
    kmem_down(machine, q);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guarantee),
        cmocka_unit_test(resize),
        cmocka_unit_test(no_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
