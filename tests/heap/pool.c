/* pool.c: fixed-size pools and arenas: each promise of pool.h, random lifetimes against a model, a
 * source that refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <quire/heap.h>
#include <quire/pool.h>

#include "../unit/random.h"

/* Counts what is out; refuses from number fail_at on. */
struct source {
    size_t pieces, bytes, calls, fail_at;
};

static void *source_get(void *context, size_t bytes, size_t align) {
    struct source *source = context;
    void *piece;

    if (source->calls++ >= source->fail_at || posix_memalign(&piece, align, bytes) != 0) {
        return NULL;
    }
    memset(piece, 0xdb, bytes); /* it need not be zero */
    source->pieces++;
    source->bytes += bytes;
    return piece;
}

static void source_put(void *context, void *piece, size_t bytes, size_t align) {
    struct source *source = context;

    assert_int_equal((uintptr_t)piece % align, 0);
    memset(piece, 0xdd, bytes);
    source->pieces--;
    source->bytes -= bytes;
    free(piece);
}

static struct quire_pool_source over(struct source *source) {
    *source = (struct source){.fail_at = SIZE_MAX};
    return (struct quire_pool_source){source, source_get, source_put};
}

static void audit(const struct quire_pool *pool) {
    const char *wrong = quire_pool_audit(pool);

    if (wrong != NULL) {
        fail_msg("audit: %s", wrong);
    }
}

static void sizes(void **state) {
    static const size_t bytes[] = {1, 3, 8, 16, 17, 100, 4096, 8192, 70000, 1000000};
    (void)state;

    for (size_t i = 0; i < sizeof bytes / sizeof *bytes; i++) {
        for (size_t align = 1; align <= 4096; align *= 8) {
            struct source source;
            struct quire_pool_source from = over(&source);
            struct quire_pool pool;
            struct quire_pool_figures f;
            assert_true(quire_pool_init(&pool, &from, bytes[i], align, 0));
            char *one = quire_pool_alloc(&pool), *two = quire_pool_alloc(&pool);
            assert_int_equal((uintptr_t)one % align + (uintptr_t)two % align, 0);
            assert_true(two >= one + bytes[i]);
            memset(one, 1, bytes[i]);
            memset(two, 2, bytes[i]);
            quire_pool_measure(&pool, &f);
            assert_true(f.per_slab >= 8);
            assert_int_equal(f.objects, 2);
            assert_int_equal(f.free_places, f.per_slab - 2);
            for (size_t n = 2; n < f.per_slab; n++) { /* the last one ends inside of the slab */
                memset(quire_pool_alloc(&pool), 3, bytes[i]);
            }
            assert_int_equal(source.pieces, 1);
            audit(&pool);
            assert_true(one[bytes[i] - 1] == 1 && two[0] == 2);
            quire_pool_fini(&pool);
            assert_int_equal(source.pieces, 0);
        }
    }
    struct quire_pool pool;
    struct source source;
    struct quire_pool_source from = over(&source);
    assert_false(quire_pool_init(&pool, &from, 0, 8, 0));
    assert_false(quire_pool_init(&pool, &from, 8, 0, 0));
    assert_false(quire_pool_init(&pool, &from, 8, 24, 0));
    assert_false(quire_pool_init(&pool, &from, 8, (size_t)2 << 20, 0));
    assert_false(quire_pool_init(&pool, &from, SIZE_MAX / 2, 8, 0));
}

/* Second, foreign and crooked frees are refused, and change nothing. */
static void wrong_frees(void **state) {
    struct source source;
    struct quire_pool_source from = over(&source);
    struct quire_pool pool, other;
    (void)state;

    assert_true(quire_pool_init(&pool, &from, 48, 16, 0));
    assert_true(quire_pool_init(&other, &from, 48, 16, 0));
    char *object = quire_pool_alloc(&pool), *stranger = quire_pool_alloc(&other);
    assert_false(quire_pool_free(&pool, NULL));
    assert_false(quire_pool_free(&pool, stranger));
    assert_false(quire_pool_free(&pool, object + 16));
    assert_false(quire_pool_free(&pool, object + 48)); /* never given out */
    assert_false(quire_pool_free(&pool, (char *)((uintptr_t)object & ~(uintptr_t)65535)));
    assert_int_equal(pool.objects, 1);
    assert_true(quire_pool_free(&pool, object));
    assert_false(quire_pool_free(&pool, object));
    audit(&pool);
    assert_true(quire_pool_free(&other, stranger));
    quire_pool_fini(&pool);
    quire_pool_fini(&other);
    assert_int_equal(source.pieces, 0);
}

/* Limits, a stock that cannot fail, and what goes back. */
static void limits(void **state) {
    struct source source;
    struct quire_pool_source from = over(&source);
    struct quire_pool pool;
    void *objects[3000];
    (void)state;

    assert_true(quire_pool_init(&pool, &from, 64, 64, 3000));
    assert_false(quire_pool_reserve(&pool, 3001));
    assert_int_equal(source.pieces, 0);
    void *first = quire_pool_alloc(&pool);
    assert_true(quire_pool_reserve(&pool, 2999)); /* beside the one that is out */
    assert_true(quire_pool_free(&pool, first));
    source.fail_at = 0;
    for (int i = 0; i < 3000; i++) {
        objects[i] = quire_pool_alloc(&pool);
        assert_non_null(objects[i]);
    }
    assert_null(quire_pool_alloc(&pool));
    assert_false(quire_pool_reserve(&pool, 1));
    size_t slabs = source.pieces;
    assert_true(slabs >= 3);
    for (int i = 0; i < 3000; i++) {
        assert_true(quire_pool_free(&pool, objects[i]));
        audit(&pool);
    }
    assert_int_equal(source.pieces, slabs); /* the stock is as it was */
    assert_int_equal(quire_pool_trim(&pool), slabs);
    source.fail_at = SIZE_MAX;
    for (int i = 0; i < 3000; i++) {
        objects[i] = quire_pool_alloc(&pool);
    }
    for (int i = 0; i < 3000; i++) {
        assert_true(quire_pool_free(&pool, objects[i]));
        audit(&pool);
    }
    assert_int_equal(source.pieces, 1); /* without a stock one empty slab stays */
    assert_int_equal(quire_pool_trim(&pool), 1);
    source.fail_at = 0;
    assert_int_equal(source.pieces, 0);
    assert_null(quire_pool_alloc(&pool));
    assert_false(quire_pool_reserve(&pool, 1));
    audit(&pool);
    quire_pool_fini(&pool);
}

/* Random lifetimes: no two objects are one, contents stay, refusals leave all as it was. */
static void model(void **state) {
    struct source source;
    struct quire_pool_source from = over(&source);
    struct quire_pool pool;
    static struct { uint64_t *at, stamp; } objects[5000];
    uint64_t random = 11;
    (void)state;

    memset(objects, 0, sizeof objects);
    assert_true(quire_pool_init(&pool, &from, 40, 8, 0));
    for (int step = 0; step < 200000; step++) {
        size_t n = next_random(&random) % 5000;
        source.fail_at = next_random(&random) % 8 == 0 ? 0 : SIZE_MAX;
        if (objects[n].at == NULL) {
            objects[n].at = quire_pool_alloc(&pool);
            if (objects[n].at != NULL) {
                objects[n].stamp = next_random(&random);
                for (int w = 0; w < 5; w++) {
                    objects[n].at[w] = objects[n].stamp + (uint64_t)w;
                }
            } else {
                assert_int_equal(source.fail_at, 0);
            }
        } else {
            for (int w = 0; w < 5; w++) {
                assert_true(objects[n].at[w] == objects[n].stamp + (uint64_t)w);
            }
            assert_true(quire_pool_free(&pool, objects[n].at));
            objects[n].at = NULL;
        }
        if (step % 1000 == 0) {
            audit(&pool);
            (void)quire_pool_trim(&pool);
        }
    }
    quire_pool_fini(&pool);
    assert_int_equal(source.pieces, 0);
}

static void arenas(void **state) {
    struct source source;
    struct quire_pool_source from = over(&source);
    struct quire_arena arena;
    (void)state;

    quire_arena_init(&arena, &from, 0);
    assert_non_null(quire_arena_alloc(&arena, 1, 1));
    assert_int_equal(source.bytes, 4096);
    quire_arena_fini(&arena);
    quire_arena_init(&arena, &from, 256);
    assert_int_equal(source.pieces, 0);
    for (size_t align = 1; align <= 8192; align *= 2) {
        for (size_t bytes = 0; bytes < 3000; bytes = bytes * 3 + 1) {
            char *block = quire_arena_alloc(&arena, bytes, align);
            assert_int_equal((uintptr_t)block % align, 0);
            memset(block, 7, bytes);
        }
    }
    assert_null(quire_arena_alloc(&arena, 1, 0));
    assert_null(quire_arena_alloc(&arena, 1, 3));
    assert_null(quire_arena_alloc(&arena, SIZE_MAX, 8));
    assert_null(quire_arena_alloc(&arena, SIZE_MAX - 8, 8));
    assert_int_equal(arena.held_bytes, source.bytes);

    /* A mark: what came since is gone, what was before stays. */
    char *kept = quire_arena_alloc(&arena, 100, 1);
    memset(kept, 5, 100);
    struct quire_arena_place mark = quire_arena_mark(&arena);
    size_t pieces = source.pieces, used = arena.used_bytes;
    for (int i = 0; i < 100; i++) {
        memset(quire_arena_alloc(&arena, 40000, 8), 6, 40000);
    }
    assert_true(source.pieces > pieces);
    quire_arena_rewind(&arena, mark);
    assert_int_equal(source.pieces, pieces);
    assert_int_equal(arena.used_bytes, used);
    assert_int_equal(kept[99], 5);

    /* The last one can be longer, another one can't. */
    char *last = quire_arena_alloc(&arena, 10, 1);
    assert_true(quire_arena_resize(&arena, last, 10, 20));
    assert_false(quire_arena_resize(&arena, kept, 100, 101));
    assert_false(quire_arena_resize(&arena, last, 20, SIZE_MAX / 2));
    assert_true(quire_arena_alloc(&arena, 1, 1) == (void *)(last + 20));

    quire_arena_reset(&arena);
    assert_int_equal(source.pieces, 1);
    assert_int_equal(arena.used_bytes, 0);
    source.fail_at = 0;
    assert_null(quire_arena_alloc(&arena, (size_t)1 << 24, 8));
    assert_non_null(quire_arena_alloc(&arena, 8, 8));
    quire_arena_fini(&arena);
    assert_int_equal(source.pieces, 0);
    quire_arena_reset(&arena);
    mark = quire_arena_mark(&arena);
    source.fail_at = SIZE_MAX;
    assert_non_null(quire_arena_alloc(&arena, 8, 8));
    quire_arena_rewind(&arena, mark); /* to before the first piece */
    assert_int_equal(source.pieces, 0);
    quire_arena_fini(&arena);
}

/* Over the heap of this process. */
static void over_heap(void **state) {
    struct quire_pool_source from = quire_pool_source_heap(quire_malloc_heap());
    struct quire_heap_figures before, after;
    struct quire_pool pool;
    struct quire_arena arena;
    (void)state;

    quire_heap_measure(quire_malloc_heap(), &before);
    assert_true(quire_pool_init(&pool, &from, 24, 8, 0));
    quire_arena_init(&arena, &from, 0);
    for (int i = 0; i < 10000; i++) {
        assert_non_null(quire_pool_alloc(&pool));
        assert_non_null(quire_arena_alloc(&arena, 50, 8));
    }
    assert_null(quire_heap_audit(quire_malloc_heap()));
    quire_pool_fini(&pool);
    quire_arena_fini(&arena);
    quire_heap_measure(quire_malloc_heap(), &after);
    assert_int_equal(before.used_bytes + before.mapped_bytes,
                     after.used_bytes + after.mapped_bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes), cmocka_unit_test(wrong_frees), cmocka_unit_test(limits),
        cmocka_unit_test(model), cmocka_unit_test(arenas),      cmocka_unit_test(over_heap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
