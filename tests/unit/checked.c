/* checked.c: objects that are looked at: each mistake panics at the call that can see it first, and
 * the words name cache and object. And reclaimable caches, whose owners are asked to give. */
#include "kmem_rig.h"

#define RAM ((uint64_t)8 << 20)

static struct quire_cache *create(struct quire *q, const char *name, size_t nbytes, size_t align) {
    struct quire_cache_options options = {
        .name = name, .object_bytes = nbytes, .align = align, .flags = QUIRE_CACHE_CHECKED};
    struct quire_cache *cache;
    assert_int_equal(quire_cache_create_with(q, &options, &cache), QUIRE_OK);
    return cache;
}

/* The panic's words: "NAME: object 0xADDRESS WHAT". */
static void assert_words(const struct quire_machine *machine, const char *name, const void *object,
                         const char *what) {
    char words[200];
    snprintf(words, sizeof words, "%s: object 0x%llx %s", name,
             (unsigned long long)(uintptr_t)object, what);
    assert_string_equal(machine->panic, words);
}

/* Every size and alignment: all bytes are the user's, and no others. */
static void shapes(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(RAM);
    struct quire *q = kmem_up(machine);
    for (size_t nbytes = 1; nbytes <= 131072; nbytes += 1 + nbytes / 7) {
        for (size_t align = 0; align <= 4096; align = align * 16 + 16) {
            size_t power = align == 0 ? 0 : (align & ~(align - 1)) == align ? align : 4096;
            struct quire_cache *cache = create(q, "shape", nbytes, power);
            char *a = quire_cache_alloc(cache), *b = quire_cache_alloc(cache);
            assert_non_null(a);
            assert_non_null(b);
            assert_int_equal((uintptr_t)a & (power > 16 ? power - 1 : 15), 0);
            memset(a, 1, nbytes);
            memset(b, 2, nbytes);
            quire_kmem_audit(q);
            quire_cache_free(cache, a);
            quire_cache_free(cache, b);
            assert_int_equal(quire_cache_destroy(cache), QUIRE_OK);
        }
    }
    kmem_down(machine, q);
}

static __attribute__((noinline)) bool free_panics(struct quire_machine *machine,
                                                  struct quire_cache *cache, void *object) {
    return PANICS(machine, quire_cache_free(cache, object));
}

static __attribute__((noinline)) bool audit_panics(struct quire_machine *machine, struct quire *q) {
    return PANICS(machine, quire_kmem_audit(q));
}

static __attribute__((noinline)) bool kfree_panics(struct quire_machine *machine, struct quire *q,
                                                   void *object) {
    return PANICS(machine, quire_kfree(q, object));
}

static void overflows(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(RAM);
    struct quire *q = kmem_up(machine);
    for (size_t nbytes = 8; nbytes < 5000; nbytes = nbytes * 5 + 3) {
        struct quire_cache *cache = create(q, "edge", nbytes, 0);
        char *object = quire_cache_alloc(cache);
        char saved = object[nbytes];
        object[nbytes] = 1;
        assert_true(free_panics(machine, cache, object));
        assert_words(machine, "edge", object, "was written to past its end");
        assert_true(audit_panics(machine, q)); /* without a free, too */
        object[nbytes] = saved;
        saved = object[-1];
        object[-1] = 1;
        assert_true(free_panics(machine, cache, object));
        assert_words(machine, "edge", object, "was written to before its start");
        object[-1] = saved;
        quire_cache_free(cache, object);
        assert_int_equal(quire_cache_destroy(cache), QUIRE_OK);
    }
    kmem_down(machine, q);
}

static void wrong_frees(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(RAM);
    struct quire *q = kmem_up(machine);
    struct quire_cache *one = create(q, "one", 128, 0), *two = create(q, "two", 128, 0);
    char *object = quire_cache_alloc(one), local;
    quire_frame frame;
    assert_true(free_panics(machine, two, object));
    assert_words(machine, "two", object, "belongs to one");
    assert_true(free_panics(machine, one, object + 8));
    assert_words(machine, "one", object + 8, "is not the start of an object");
    assert_true(free_panics(machine, one, &local));
    assert_words(machine, "one", &local, "is no object");
    assert_int_equal(quire_frames_alloc(q, 0, &frame), QUIRE_OK);
    void *window = quire_frame_window(q, frame);
    assert_true(free_panics(machine, one, window));
    assert_words(machine, "one", window, "is no object");
    quire_frames_free(q, frame, 0);
    quire_cache_free(one, object);
    assert_true(free_panics(machine, one, object));
    assert_words(machine, "one", object, "was freed twice");
    object[100] = 'x';
    assert_true(PANICS(machine, quire_cache_alloc(one)));
    assert_words(machine, "one", object, "was written to after it was freed");
    double_release(machine); /* the object is between the two by now */
}

static void construct(void *object) {
    memset(object, 0xC7, 100);
}

/* Constructed objects are not poisoned, but have their zones; bulk calls are looked at as well. */
static void constructed(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(RAM);
    struct quire *q = kmem_up(machine);
    struct quire_cache_options options = {.name = "built",
                                          .object_bytes = 100,
                                          .constructor = construct,
                                          .flags = QUIRE_CACHE_CHECKED};
    struct quire_cache *cache;
    static void *objects[300];
    assert_int_equal(quire_cache_create_with(q, &options, &cache), QUIRE_OK);
    for (unsigned round = 0; round < 3; round++) {
        assert_true(quire_cache_alloc_bulk(cache, objects, 300));
        for (unsigned i = 0; i < 300; i++) {
            for (unsigned k = 0; k < 100; k++) {
                assert_int_equal(((unsigned char *)objects[i])[k], 0xC7);
            }
        }
        quire_kmem_audit(q);
        quire_cache_free_bulk(cache, objects, 300);
    }
    char *object = quire_cache_alloc(cache);
    object[100] = 0;
    assert_true(free_panics(machine, cache, object));
    assert_words(machine, "built", object, "was written to past its end");
    object[100] = (char)0xCC;
    quire_cache_free(cache, object);
    assert_int_equal(quire_cache_destroy(cache), QUIRE_OK);
    kmem_down(machine, q);
}

/* A manager that looks at all its objects: kmalloc's too, the largest included. */
static void everywhere(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(RAM);
    struct quire *q = kmem_up_checked(machine, true);
    for (size_t nbytes = 1; nbytes <= 131072; nbytes = nbytes * 3 + 1) {
        char *object = quire_kmalloc(q, nbytes);
        assert_non_null(object);
        if ((nbytes & (nbytes - 1)) == 0) {
            assert_int_equal((uintptr_t)object & (nbytes < 4096 ? nbytes - 1 : 4095), 0);
        }
        memset(object, 1, nbytes);
        size_t usable = quire_kmalloc_usable(q, object);
        assert_true(usable >= nbytes);
        object[usable] ^= 1;
        assert_true(kfree_panics(machine, q, object));
        assert_non_null(strstr(machine->panic, "kmalloc-"));
        object[usable] ^= 1;
        quire_kfree(q, object);
        assert_true(kfree_panics(machine, q, object));
        quire_kmem_audit(q);
    }
    kmem_down(machine, q);
}

/* ---- caches whose owners are asked to give --------------------------------------------------- */

struct holder {
    struct quire_cache *cache;
    void *objects[1000];
    unsigned n;
};

static uint64_t give_up(void *context, uint64_t nobjects) {
    struct holder *holder = context;
    uint64_t given = 0;
    while (holder->n > 0 && given < nobjects) {
        quire_cache_free(holder->cache, holder->objects[--holder->n]);
        given++;
    }
    return given;
}

static void reclaimable(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(RAM);
    struct quire *q = kmem_up(machine);
    static struct holder holder;
    struct quire_cache_options options = {.name = "copies",
                                          .object_bytes = 1000,
                                          .flags = QUIRE_CACHE_RECLAIMABLE,
                                          .context = &holder};
    assert_int_equal(quire_cache_create_with(q, &options, &holder.cache), QUIRE_INVAL);
    options.reclaim = give_up;
    options.flags = 0;
    assert_int_equal(quire_cache_create_with(q, &options, &holder.cache), QUIRE_INVAL);
    options.flags = QUIRE_CACHE_RECLAIMABLE;
    assert_int_equal(quire_cache_create_with(q, &options, &holder.cache), QUIRE_OK);
    for (holder.n = 0; holder.n < 1000; holder.n++) {
        assert_non_null(holder.objects[holder.n] = quire_cache_alloc(holder.cache));
    }
    uint64_t frames = quire_kmem_reclaimable(q), free = quire_page_count(q, QUIRE_USE_FREE);
    assert_true(frames >= 250);
    uint64_t freed = quire_kmem_reclaim(q, 600);
    assert_int_equal(holder.n, 400);
    assert_true(freed >= 100);
    assert_int_equal(quire_page_count(q, QUIRE_USE_FREE), free + freed);
    assert_true(quire_kmem_reclaimable(q) <= frames - 100);
    assert_true(quire_kmem_reclaim(q, UINT64_MAX) >= 100);
    assert_int_equal(holder.n, 0);
    assert_int_equal(quire_kmem_reclaimable(q), 0);
    assert_int_equal(quire_cache_destroy(holder.cache), QUIRE_OK);
    kmem_down(machine, q);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes),      cmocka_unit_test(overflows),  cmocka_unit_test(wrong_frees),
        cmocka_unit_test(constructed), cmocka_unit_test(everywhere), cmocka_unit_test(reclaimable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
