/* kmalloc.c: memory of every size: alignment, no overlap, the cache behind each size, refusal,
 * misuse. */
#include "port_double.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "kmem/cache.h"

#define LIVE_MAX 500u

static struct quire *boot(struct quire_machine *machine) {
    struct quire *q = double_boot(machine, 0);
    assert_non_null(q);
    assert_int_equal(quire_kmem_boot(q, false), QUIRE_OK);
    return q;
}

static void down(struct quire_machine *machine, struct quire *q) {
    quire_kmem_audit(q);
    quire_kmem_shutdown(q);
    quire_phys_audit(q);
    quire_phys_shutdown(q);
    double_release(machine);
}

/* Every size: the smallest general cache that holds it, 16-byte aligned, powers of two to their
 * size. */
static void every_size(void **state) {
    (void)state;
    static const uint32_t sizes[] = {32,   64,   96,   128,   192,   256,   512,   1024,
                                     2048, 4096, 8192, 16384, 32768, 65536, 131072};
    struct quire_machine *machine = double_plain((uint64_t)8 << 20);
    struct quire *q = boot(machine);
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
    down(machine, q);
}

static void random_lifetimes(void **state) {
    (void)state;
    static struct {
        unsigned char *object;
        size_t nbytes;
        unsigned char stamp;
    } live[LIVE_MAX];
    struct quire_machine *machine = double_plain((uint64_t)8 << 20);
    struct quire *q = boot(machine);
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
    down(machine, q);
}

static void misuse(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain((uint64_t)8 << 20);
    struct quire *q = boot(machine);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_size),
        cmocka_unit_test(random_lifetimes),
        cmocka_unit_test(misuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
