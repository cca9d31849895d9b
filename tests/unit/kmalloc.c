/* kmalloc.c: memory of every size: alignment, no overlap, the cache behind each size, refusal,
 * misuse. */
#include "kmem_rig.h"

#include <quire/kmap.h>

#include "kmem/area.h"

#define LIVE_MAX 500u

/* vmalloc's, which is refused before it comes to that. */
void quire_mach_zero(struct quire_machine *machine, quire_frame frame) {
    (void)machine, (void)frame;
    abort();
}

/* Every size: the smallest general cache that holds it, 16-byte aligned, powers of two to their
 * size. */
static void every_size(void **state) {
    (void)state;
    static const uint32_t sizes[] = {32,   64,   96,   128,   192,   256,   512,   1024,
                                     2048, 4096, 8192, 16384, 32768, 65536, 131072};
    struct quire_machine *machine = double_plain((uint64_t)8 << 20);
    struct quire *q = kmem_up(machine);
    unsigned class = 0;
    for (size_t nbytes = 1; nbytes <= 131072; nbytes += nbytes < 9000 ? 1 : 97) {
        while (sizes[class] < nbytes) {
            class ++;
        }
        unsigned char *object = quire_kmalloc(q, nbytes);
        assert_non_null(object);
        struct slab *slab = quire_page_under(q, object)->owner;
        assert_int_equal(slab->cache->object_bytes, sizes[class]);
        assert_int_equal((uintptr_t)object & 15, 0);
        if ((nbytes & (nbytes - 1)) == 0) {
            assert_int_equal((uintptr_t)object & (nbytes < 4096 ? nbytes - 1 : 4095), 0);
        }
        object[0] = object[nbytes - 1] = 1;
        quire_kfree(q, object);
    }
    assert_null(quire_kmalloc(q, 131073));
    assert_null(quire_kmalloc(q, SIZE_MAX));
    quire_kfree(q, NULL);
    kmem_down(machine, q);
}

static void random_lifetimes(void **state) {
    (void)state;
    static struct {
        unsigned char *object;
        size_t nbytes;
        unsigned char stamp;
    } live[LIVE_MAX];
    struct quire_machine *machine = double_plain((uint64_t)8 << 20);
    struct quire *q = kmem_up(machine);
    uint64_t seed = 4711;
    unsigned nlive = 0, refused = 0;
    for (unsigned step = 0; step < 20000; step++) {
        uint64_t random = double_random(&seed);
        q->fail_every = step % 3000 > 2500 ? 7 : 0;
        quire_kmem_guard(q);
        if (nlive == 0 || (nlive < LIVE_MAX && random % 8 < ((step / 1000) % 2 ? 3 : 6))) {
            size_t nbytes = 1 + (random >> 8 & ((2u << (random >> 32) % 17) - 1));
            bool zeroed = random >> 60 & 1;
            unsigned char *object = zeroed ? quire_kzalloc(q, nbytes) : quire_kmalloc(q, nbytes);
            if (!object) {
                refused++;
                continue;
            }
            for (size_t i = 0; zeroed && i < nbytes; i++) {
                assert_int_equal(object[i], 0);
            }
            live[nlive].object = object;
            live[nlive].nbytes = nbytes;
            live[nlive].stamp = (unsigned char)(random >> 40);
            memset(object, live[nlive++].stamp, nbytes);
        } else {
            unsigned k = (unsigned)(random >> 20) % nlive;
            for (size_t i = 0; i < live[k].nbytes; i += 1 + live[k].nbytes / 50) {
                assert_int_equal(live[k].object[i], live[k].stamp);
            }
            quire_kfree(q, live[k].object);
            live[k] = live[--nlive];
        }
        if (step % 100 == 0) {
            quire_kmem_audit(q);
            quire_phys_audit(q);
        }
        if (step % 1000 == 0) {
            quire_kmem_shrink(q);
        }
    }
    assert_true(refused > 0);
    while (nlive > 0) {
        quire_kfree(q, live[--nlive].object);
    }
    kmem_down(machine, q);
}

/* krealloc against a plain copy: contents up to the smaller size, the right cache behind it, and an
 * old object that is whole when there is no memory. */
static void resizing(void **state) {
    (void)state;
    static unsigned char copy[131072];
    struct quire_machine *machine = double_plain((uint64_t)8 << 20);
    struct quire *q = kmem_up(machine);
    uint64_t seed = 99;
    unsigned char *object = quire_krealloc(q, NULL, 10);
    size_t nbytes = 10;
    memset(object, 1, 10);
    memset(copy, 1, 10);
    for (unsigned step = 0; step < 5000; step++) {
        uint64_t random = double_random(&seed);
        size_t want = 1 + (random >> 8 & ((2u << (random >> 32) % 17) - 1));
        want = want > 131072 ? 131072 : want;
        q->fail_every = step % 3;
        quire_kmem_guard(q);
        unsigned char *moved = quire_krealloc(q, object, want);
        q->fail_every = 0;
        quire_kmem_guard(q);
        size_t kept = want < nbytes ? want : nbytes;
        if (moved) {
            object = moved;
            assert_memory_equal(object, copy, kept);
            nbytes = want;
            size_t usable = quire_kmalloc_usable(q, object);
            assert_true(usable >= want && (usable <= 32 || usable < 2 * want));
            memset(object, (int)step, nbytes);
            memset(copy, (int)step, nbytes);
        } else {
            assert_true(step % 3 != 0);
            assert_memory_equal(object, copy, nbytes);
        }
    }
    assert_null(quire_krealloc(q, object, 131073));
    assert_memory_equal(object, copy, nbytes);
    assert_null(quire_krealloc(q, object, 0)); /* a kfree: down() would find it */
    kmem_down(machine, q);
}

static void arrays(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain((uint64_t)8 << 20);
    struct quire *q = kmem_up(machine);
    unsigned char *dirty = quire_kmalloc(q, 1000);
    memset(dirty, 0xFF, 1000);
    quire_kfree(q, dirty);
    unsigned char *array = quire_kcalloc(q, 10, 100);
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(array[i], 0);
    }
    quire_kfree(q, array);
    /* Products that wrap to something small. */
    assert_null(quire_kcalloc(q, SIZE_MAX / 2 + 1, 2));
    assert_null(
        quire_kcalloc(q, (size_t)1 << (sizeof(size_t) * 4), (size_t)1 << (sizeof(size_t) * 4)));
    assert_null(quire_kcalloc(q, SIZE_MAX, SIZE_MAX));
    assert_null(quire_kcalloc(q, 1025, 128));
    kmem_down(machine, q);
}

/* Objects beyond the first range of RAM, which has a short way, and of caches that are not
 * kmalloc's, which have not. */
static void far_away(void **state) {
    (void)state;
    static void *objects[9000];
    struct quire_machine *machine = double_holes();
    struct quire *q = kmem_up(machine);
    struct quire_cache *cache;
    unsigned n = 0, far = 0;
    while ((objects[n] = quire_kmalloc(q, 1000)) != NULL) {
        far += (uintptr_t)objects[n] - (uintptr_t)q->kmem->window >= q->kmem->window_bytes;
        assert_int_equal(quire_kmalloc_usable(q, objects[n]), 1024);
        n++;
    }
    assert_in_range(far, 1000, n - 1);
    while (n > 0) {
        quire_kfree(q, objects[--n]);
    }
    assert_int_equal(quire_cache_create(q, "own", 1000, 0, NULL, &cache), QUIRE_OK);
    objects[0] = quire_cache_alloc(cache);
    quire_kfree(q, objects[0]);
    assert_int_equal(quire_cache_destroy(cache), QUIRE_OK);
    kmem_down(machine, q);
}

static void misuse(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain((uint64_t)8 << 20);
    struct quire *q = kmem_up(machine);
    int elsewhere;
    quire_frame frame;
    assert_true(PANICS(machine, quire_kfree(q, &elsewhere)));
    assert_true(PANICS(machine, quire_kfree(q, q)));
    assert_int_equal(quire_frames_alloc(q, 0, &frame), QUIRE_OK);
    assert_true(PANICS(machine, quire_kfree(q, quire_frame_window(q, frame))));
    quire_frames_free(q, frame, 0);
    /* Its slab is gone: found although the frames may be anything by now. */
    void *object = quire_kmalloc(q, 100000);
    quire_kfree(q, object);
    quire_kmem_shrink(q);
    assert_true(PANICS(machine, quire_kfree(q, object)));
    assert_true(PANICS(machine, quire_kfree(q, (char *)object + 70000)));
    object = quire_kmalloc(q, 10);
    assert_true(PANICS(machine, quire_kmem_shutdown(q))); /* a leak */
    double_release(machine);
}

/* A machine that has no addresses for the kernel, or too few to be of use: what needs them is
 * refused, the rest works. */
static void no_addresses(void **state) {
    (void)state;
    for (uint64_t npages = 0; npages <= 64; npages += 64) {
        struct quire_machine *machine = double_plain((uint64_t)4 << 20);
        machine->kernel_pages = npages;
        struct quire *q = kmem_up(machine);
        quire_frame frame = {0};
        assert_null(quire_vmalloc(q, 100));
        assert_null(quire_vmap(q, &frame, 1));
        assert_null(quire_fixmap_address(q, 0));
        assert_int_equal(quire_fixmap_set(q, 0, (quire_paddr){0}), QUIRE_NOMEM);
        quire_fixmap_clear(q, 0);
        assert_null(quire_area_under(q, machine));
        void *bytes = quire_kvmalloc(q, 1000); /* not there */
        assert_non_null(bytes);
        quire_kvfree(q, bytes);
        assert_null(quire_kvmalloc(q, QUIRE_KMALLOC_MAX + 1));
        kmem_down(machine, q);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size),   cmocka_unit_test(random_lifetimes),
        cmocka_unit_test(resizing),     cmocka_unit_test(arrays),
        cmocka_unit_test(far_away),     cmocka_unit_test(misuse),
        cmocka_unit_test(no_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
