/* slab.c: object caches against a map of who has what: sizes from 1 byte to 128 KiB, alignments,
 * constructors, exhaustion, the failing switch, shrinking, misuse. Audited as it goes. */
#include "kmem_rig.h"

#define LIVE_MAX 2000u
#define RAM      ((uint64_t)8 << 20)

struct live {
    unsigned char *object;
    unsigned char stamp;
};

static void fill(const struct live *live, size_t nbytes) {
    memset(live->object, live->stamp, nbytes);
}

static void check(const struct live *live, size_t nbytes) {
    assert_int_equal(live->object[0], live->stamp);
    assert_int_equal(live->object[nbytes / 2], live->stamp);
    assert_int_equal(live->object[nbytes - 1], live->stamp);
}

static void churn(size_t nbytes, size_t align, uint64_t seed, unsigned steps) {
    static struct live live[LIVE_MAX];
    struct quire_machine *machine = double_plain(RAM);
    struct quire *q = kmem_up(machine);
    struct quire_cache *cache;
    unsigned nlive = 0, most = nbytes > 4096 ? 200 : LIVE_MAX;
    assert_int_equal(quire_cache_create(q, "churn", nbytes, align, NULL, &cache), QUIRE_OK);
    assert_true(cache->objects_per_slab > 0);
    for (unsigned step = 0; step < steps; step++) {
        uint64_t random = double_random(&seed);
        bool grow = (step / 500) % 2 == 0;
        if (nlive == 0 || (nlive < most && random % 8 < (grow ? 7 : 2))) {
            live[nlive].object = quire_cache_alloc(cache);
            if (live[nlive].object) { /* else RAM is full: fine */
                assert_int_equal((uintptr_t)live[nlive].object & (align > 16 ? align - 1 : 15), 0);
                live[nlive].stamp = (unsigned char)(random >> 40);
                fill(&live[nlive++], nbytes);
            }
        } else {
            unsigned k = (unsigned)(random >> 20) % nlive;
            check(&live[k], nbytes);
            quire_cache_free(cache, live[k].object);
            live[k] = live[--nlive];
        }
        assert_int_equal(cache->in_use - quire_cache_hot(cache), nlive);
        if (step % 64 == 0) {
            quire_kmem_audit(q);
            quire_phys_audit(q);
        }
        if (step % 400 == 0) {
            quire_kmem_shrink(q);
        }
    }
    if (nlive > 0) {
        assert_int_equal(quire_cache_destroy(cache), QUIRE_BUSY);
    }
    while (nlive > 0) {
        check(&live[--nlive], nbytes);
        quire_cache_free(cache, live[nlive].object);
    }
    assert_int_equal(quire_cache_destroy(cache), QUIRE_OK);
    kmem_down(machine, q);
}

static void random_lifetimes(void **state) {
    (void)state;
    static const struct {
        size_t nbytes, align;
    } shapes[] = {{1, 0},     {16, 0},     {24, 8},    {64, 0},    {65, 0},     {72, 64},
                  {200, 128}, {511, 0},    {512, 512}, {536, 0},   {1000, 0},   {4096, 4096},
                  {4097, 0},  {5000, 256}, {20000, 0}, {65536, 0}, {131071, 0}, {131072, 4096}};
    for (unsigned i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        churn(shapes[i].nbytes, shapes[i].align, 31 + i, 4000);
    }
}

/* Less than an eighth of a block is lost where a block of 128 KiB or less can do it, and each
 * object of a slab lies in its block, in its place. */
static void shapes(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(RAM);
    struct quire *q = kmem_up(machine);
    for (size_t nbytes = 1; nbytes <= 131072; nbytes += 1 + nbytes / 23) {
        struct quire_cache *cache;
        assert_int_equal(quire_cache_create(q, "shape", nbytes, 0, NULL, &cache), QUIRE_OK);
        uint64_t block = QUIRE_PAGE_SIZE << cache->order;
        uint64_t used = (uint64_t)cache->objects_per_slab * cache->stride + cache->header_bytes;
        assert_true(used <= block);
        assert_true(block - used <= block / 8 || cache->order == 5);
        assert_true(cache->stride >= nbytes && cache->stride < nbytes + 64);
        void *object = quire_cache_alloc(cache);
        assert_non_null(object);
        memset(object, 1, nbytes);
        quire_cache_free(cache, object);
        quire_kmem_audit(q);
        assert_int_equal(quire_cache_destroy(cache), QUIRE_OK);
    }
    struct quire_cache *cache;
    for (size_t nbytes = 1792; nbytes <= 3584;
         nbytes *= 2) { /* just an eighth is lost: that will do */
        assert_int_equal(quire_cache_create(q, "eighth", nbytes, 0, NULL, &cache), QUIRE_OK);
        assert_int_equal(cache->stride, nbytes);
        assert_int_equal(cache->order, 0);
        assert_int_equal(quire_cache_destroy(cache), QUIRE_OK);
    }
    /* Objects of whole cache lines begin where one does; one byte more, and they do not. */
    static const size_t sizes[] = {56, 64, 65, 128, 192};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_int_equal(quire_cache_create(q, "line", sizes[i], 0, NULL, &cache), QUIRE_OK);
        assert_int_equal(cache->align, sizes[i] % 64 == 0 ? 64 : 16);
        assert_int_equal(quire_cache_destroy(cache), QUIRE_OK);
    }
    assert_int_equal(quire_cache_create(q, "none", 0, 0, NULL, &cache), QUIRE_INVAL);
    assert_int_equal(quire_cache_create(q, "large", 131073, 0, NULL, &cache), QUIRE_INVAL);
    assert_int_equal(quire_cache_create(q, "odd", 64, 24, NULL, &cache), QUIRE_INVAL);
    assert_int_equal(quire_cache_create(q, "far", 64, 8192, NULL, &cache), QUIRE_INVAL);
    struct quire_cache_options unknown = {.name = "flag", .object_bytes = 8, .flags = 8};
    assert_int_equal(quire_cache_create_with(q, &unknown, &cache), QUIRE_INVAL);
    kmem_down(machine, q);
}

static void construct(void *object) {
    memset(object, 0xC7, 100);
}

/* Once an object, when its slab is made; free objects stay constructed, audit builds included. */
static void constructors(void **state) {
    (void)state;
    static unsigned char *objects[500];
    struct quire_machine *machine = double_plain(RAM);
    struct quire *q = kmem_up(machine);
    struct quire_cache *cache;
    assert_int_equal(quire_cache_create(q, "built", 100, 0, construct, &cache), QUIRE_OK);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 500; i++) {
            objects[i] = quire_cache_alloc(cache);
            for (unsigned k = 0; k < 100; k++) {
                assert_int_equal(objects[i][k], 0xC7);
            }
            memset(objects[i], 0, 100);
        }
        for (unsigned i = 0; i < 500; i++) {
            memset(objects[i], 0xC7, 100); /* back to the constructed state, as is the rule */
            quire_cache_free(cache, objects[i]);
        }
    }
    assert_int_equal(quire_cache_destroy(cache), QUIRE_OK);
    kmem_down(machine, q);
}

/* The first objects of successive slabs do not all begin at the same place of a page. */
static void colours(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(RAM);
    struct quire *q = kmem_up(machine);
    struct quire_cache *cache;
    uint64_t seen = 0;
    unsigned different = 0;
    assert_int_equal(quire_cache_create(q, "colour", 192, 64, NULL, &cache), QUIRE_OK);
    assert_true(cache->ncolours > 1);
    static void *objects[40 * 64];
    unsigned n = 0;
    while (cache->nslabs < 40) {
        objects[n] = quire_cache_alloc(cache);
        struct slab *slab = quire_page_under(q, objects[n++])->owner;
        seen |= (uint64_t)1 << ((uintptr_t)slab->first / 64 % 64);
    }
    for (unsigned i = 0; i < 64; i++) {
        different += seen >> i & 1;
    }
    assert_int_equal(different, cache->ncolours);
    while (n > 0) {
        quire_cache_free(cache, objects[--n]);
    }
    assert_int_equal(quire_cache_destroy(cache), QUIRE_OK);
    kmem_down(machine, q);
}

/* To the last frame that the mode may take; all of it comes back. */
static void exhaustion(void **state) {
    (void)state;
    static void *objects[40000];
    for (size_t nbytes = 200; nbytes < 20000; nbytes *= 3) {
        struct quire_machine *machine = double_plain(RAM);
        struct quire *q = kmem_up(machine);
        struct quire_cache *cache;
        unsigned n = 0;
        assert_int_equal(quire_cache_create(q, "all", nbytes, 0, NULL, &cache), QUIRE_OK);
        uint64_t free = quire_page_count(q, QUIRE_USE_FREE);
        while ((objects[n] = quire_cache_alloc(cache)) != NULL) {
            n++;
        }
        assert_null(quire_cache_alloc(cache));
        quire_kmem_audit(q);
        quire_phys_audit(q);
        assert_true(n * nbytes > RAM / 2);
        while (n > 0) {
            quire_cache_free(cache, objects[--n]);
        }
        assert_true(quire_kmem_shrink(q) > 0);
        assert_int_equal(quire_kmem_shrink(q), 0);
        assert_int_equal(quire_page_count(q, QUIRE_USE_SLAB) > 1, true); /* the caches themselves */
        assert_true(quire_page_count(q, QUIRE_USE_FREE) >= free - 2);
        assert_int_equal(quire_cache_destroy(cache), QUIRE_OK);
        kmem_down(machine, q);
    }
}

/* The switch is asked once an allocation, whether or not it needs a slab and a header for it. */
static void failing_switch(void **state) {
    (void)state;
    static void *objects[300];
    struct quire_machine *machine = double_plain(RAM);
    struct quire *q = kmem_up(machine);
    struct quire_cache *cache;
    assert_int_equal(quire_cache_create(q, "fail", 600, 0, NULL, &cache), QUIRE_OK);
    kmem_fail_every(q, 5);
    for (unsigned i = 0; i < 300; i++) {
        objects[i] = quire_cache_alloc(cache);
        assert_int_equal(objects[i] == NULL, i % 5 == 4);
    }
    struct quire_cache *other;
    kmem_fail_every(q, 1);
    assert_int_equal(quire_cache_create(q, "not", 600, 0, NULL, &other), QUIRE_NOMEM);
    kmem_fail_every(q, 0);
    for (unsigned i = 0; i < 300; i++) {
        if (objects[i]) {
            quire_cache_free(cache, objects[i]);
        }
    }
    assert_int_equal(quire_cache_destroy(cache), QUIRE_OK);
    kmem_down(machine, q);
}

/* Boot with every possible first failure: it says so and leaves nothing behind. */
static void failing_boot(void **state) {
    (void)state;
    for (uint64_t nth = 1; nth < 40; nth++) {
        struct quire_machine *machine = double_plain(RAM);
        struct quire *q = double_boot(machine, 0);
        uint64_t kernel = quire_page_count(q, QUIRE_USE_KERNEL);
        q->fail_every = nth;
        enum quire_status status = quire_kmem_boot(q, false);
        q->fail_every = 0;
        if (status == QUIRE_OK) { /* the room's state is one frame */
            assert_int_equal(quire_page_count(q, QUIRE_USE_KERNEL), kernel + 1);
            quire_kmem_shutdown(q);
        } else {
            assert_int_equal(status, QUIRE_NOMEM);
            assert_true(nth < 20);
        }
        double_down(machine, q);
    }
}

/* Magazines: filled and emptied through the depot, nothing lost, the depot's bound kept; with the
 * front open and closed the objects come in the same order. */
static void magazines(void **state) {
    (void)state;
    enum { N = 5000 };
    static void *objects[N];
    static uint32_t places[2][N];
    for (unsigned closed = 0; closed < 2; closed++) {
        struct quire_machine *machine = double_plain((uint64_t)4 << 20);
        struct quire *q = kmem_up(machine);
        struct quire_cache *cache;
        uint64_t seed = 77;
        assert_int_equal(quire_cache_create(q, "magazine", 48, 0, NULL, &cache), QUIRE_OK);
        assert_int_equal(cache->rounds, MAGAZINE_ROUNDS);
        assert_in_range(cache->depot_max, 1, DEPOT_MAX - 1); /* 1/64 of RAM: not the most */
        kmem_fail_every(q, closed ? UINT64_MAX : 0);
        assert_int_equal(cache->closed, closed || QUIRE_AUDITING);
        for (unsigned round = 0; round < 4; round++) {
            unsigned n = 1 + (unsigned)(double_random(&seed) % N);
            for (unsigned i = 0; i < n; i++) {
                assert_non_null(objects[i] = quire_cache_alloc(cache));
                places[closed][i] = (uint32_t)((char *)objects[i] - machine->memory[0]);
            }
            quire_kmem_audit(q);
            for (unsigned i = 0; i < n; i++) {
                quire_cache_free(cache, objects[i]);
                if (i % 211 == 0) {
                    quire_kmem_audit(q);
                }
            }
            assert_true(quire_cache_hot(cache) <= (cache->depot_max + 2) * MAGAZINE_ROUNDS);
            assert_true(n < 2000 || cache->ndepot == cache->depot_max);
        }
        quire_cache_drain(cache);
        assert_int_equal(cache->in_use, 0);
        assert_int_equal(q->kmem->magazine_cache.in_use, 0);
        assert_int_equal(quire_cache_destroy(cache), QUIRE_OK);
        kmem_fail_every(q, 0);
        kmem_down(machine, q);
    }
    assert_memory_equal(places[0], places[1], sizeof places[0]);
}

/* A magazine that cannot be had is done without, and an object in one is never refused. */
static void no_magazines(void **state) {
    (void)state;
    static void *objects[200], *more[40000];
    struct quire_machine *machine = double_plain(RAM);
    struct quire *q = kmem_up(machine);
    struct quire_cache *cache, *other;
    unsigned n = 0;
    assert_int_equal(quire_cache_create(q, "without", 64, 0, NULL, &cache), QUIRE_OK);
    assert_int_equal(quire_cache_create(q, "eater", 4096, 0, NULL, &other), QUIRE_OK);
    for (unsigned i = 0; i < 20; i++) { /* too few for a magazine */
        objects[i] = quire_cache_alloc(cache);
    }
    assert_null(cache->loaded);
    while ((more[n] = quire_cache_alloc(other)) != NULL) {
        n++;
    }
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 20; i++) {
            quire_cache_free(cache, objects[i]);
        }
        quire_kmem_audit(q);
        for (unsigned i = 0; i < 20; i++) {
            assert_non_null(objects[i] = quire_cache_alloc(cache));
        }
    }
    while (n > 0) {
        quire_cache_free(other, more[--n]);
    }
    quire_cache_free_bulk(cache, objects, 20);
    assert_int_equal(quire_cache_destroy(cache), QUIRE_OK);
    assert_int_equal(quire_cache_destroy(other), QUIRE_OK);
    kmem_down(machine, q);
}

/* The first magazine is full, and there is no memory for a second one: what was freed first goes
 * home, half a magazine each time, and comes again. */
static void one_magazine_only(void **state) {
    (void)state;
    enum { N = 300 };
    static void *objects[N], *more[4096], *magazines[64];
    struct quire_machine *machine = double_plain(RAM);
    struct quire *q = kmem_up(machine);
    struct quire_cache *cache, *other;
    unsigned n = 0, nmagazines = 0;
    assert_int_equal(quire_cache_create(q, "one", 64, 0, NULL, &cache), QUIRE_OK);
    assert_int_equal(quire_cache_create(q, "eater", 4096, 0, NULL, &other), QUIRE_OK);
    for (unsigned i = 0; i < N; i++) {
        assert_non_null(objects[i] = quire_cache_alloc(cache));
    }
    assert_non_null(cache->loaded);
    assert_null(cache->previous);
    while ((more[n] = quire_cache_alloc(other)) != NULL) {
        n++;
    }
    while ((magazines[nmagazines] = quire_cache_take(&q->kmem->magazine_cache)) != NULL) {
        nmagazines++;
    }
    /* Every third: no slab becomes empty, so no memory comes free. */
    uint64_t in_use = cache->in_use, given = 0;
    for (unsigned i = 0; i < N; i += 3, given++) {
        quire_cache_free(cache, objects[i]);
        assert_int_equal(cache->in_use - quire_cache_hot(cache), N - given - 1);
    }
    assert_null(cache->previous);
    assert_true(cache->in_use < in_use);
    for (unsigned i = 0; i < N; i += 3) {
        assert_non_null(objects[i] = quire_cache_alloc(cache));
        memset(objects[i], (int)i, 64);
    }
    for (unsigned i = 0; i < N; i += 3) { /* each once */
        assert_int_equal(*(unsigned char *)objects[i], (unsigned char)i);
    }
    while (nmagazines > 0) {
        quire_cache_free(&q->kmem->magazine_cache, magazines[--nmagazines]);
    }
    quire_kmem_audit(q);
    while (n > 0) {
        quire_cache_free(other, more[--n]);
    }
    quire_cache_free_bulk(cache, objects, N);
    assert_int_equal(quire_cache_destroy(cache), QUIRE_OK);
    assert_int_equal(quire_cache_destroy(other), QUIRE_OK);
    kmem_down(machine, q);
}

/* Objects of many slabs, freed in any order, go home together: a magazine's worth at a time. */
static void home_in_any_order(void **state) {
    (void)state;
    enum { N = 3000 };
    static void *objects[N];
    for (size_t nbytes = 24; nbytes < 3000; nbytes = nbytes * 3 + 8) {
        struct quire_machine *machine = double_plain((uint64_t)16 << 20);
        struct quire *q = kmem_up(machine);
        struct quire_cache *cache;
        uint64_t seed = nbytes;
        assert_int_equal(quire_cache_create(q, "home", nbytes, 0, NULL, &cache), QUIRE_OK);
        uint64_t free = quire_page_count(q, QUIRE_USE_FREE);
        for (unsigned i = 0; i < N; i++) {
            assert_non_null(objects[i] = quire_cache_alloc(cache));
        }
        for (unsigned i = N; i-- > 1;) { /* half in runs, half at random */
            unsigned k = (unsigned)(double_random(&seed) % (i + 1));
            if (i % 64 < 32) {
                void *other = objects[k];
                objects[k] = objects[i];
                objects[i] = other;
            }
        }
        quire_cache_free_bulk(cache, objects, N);
        quire_kmem_audit(q);
        quire_cache_shrink(cache);
        assert_int_equal(cache->in_use, 0);
        assert_int_equal(cache->nslabs, 0);
        quire_kmem_shrink(q);
        assert_true(quire_page_count(q, QUIRE_USE_FREE) >= free - 2);
        assert_int_equal(quire_cache_destroy(cache), QUIRE_OK);
        kmem_down(machine, q);
    }
}

/* All or none, each once; with what magazines hold, and without memory. */
static void bulk(void **state) {
    (void)state;
    static void *objects[50000];
    struct quire_machine *machine = double_plain(RAM);
    struct quire *q = kmem_up(machine);
    struct quire_cache *cache;
    assert_int_equal(quire_cache_create(q, "bulk", 200, 0, NULL, &cache), QUIRE_OK);
    for (size_t n = 0; n < 3000; n = n * 2 + 1) {
        assert_true(quire_cache_alloc_bulk(cache, objects, n));
        assert_int_equal(cache->in_use - quire_cache_hot(cache), n);
        for (size_t i = 0; i < n; i++) {
            memset(objects[i], (int)i, 200);
        }
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(*(unsigned char *)objects[i], (unsigned char)i);
        }
        quire_kmem_audit(q);
        quire_cache_free_bulk(cache, objects, n);
        assert_int_equal(cache->in_use, quire_cache_hot(cache));
    }
    /* Whatever lies in magazines counts: all of RAM can be had, not one object more. */
    size_t most = 50000;
    while (most > 0 && !quire_cache_alloc_bulk(cache, objects, most)) {
        assert_int_equal(cache->in_use, quire_cache_hot(cache));
        most -= most / 16 + 1;
    }
    assert_true(most * 200 > RAM / 2);
    quire_kmem_audit(q);
    quire_cache_free_bulk(cache, objects, most);
    kmem_fail_every(q, 1);
    assert_false(quire_cache_alloc_bulk(cache, objects, 3));
    kmem_fail_every(q, 0);
    assert_int_equal(quire_cache_destroy(cache), QUIRE_OK);
    kmem_down(machine, q);
}

/* Without checks, what is wrong is found when the object goes back to its slab, or by the audit. */
static void misuse(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(RAM);
    struct quire *q = kmem_up(machine);
    struct quire_cache *cache, *other;
    assert_int_equal(quire_cache_create(q, "one", 128, 0, NULL, &cache), QUIRE_OK);
    assert_int_equal(quire_cache_create(q, "two", 128, 0, NULL, &other), QUIRE_OK);
    char *object = quire_cache_alloc(cache);
    assert_non_null(quire_cache_alloc(other));
    if (QUIRE_AUDITING) { /* each call is looked at */
        assert_true(PANICS(machine, quire_cache_free(other, object)));
        assert_true(PANICS(machine, quire_cache_free(cache, object + 16)));
        quire_cache_free(cache, object);
        assert_true(PANICS(machine, quire_cache_free(cache, object)));
        object[5] = 1;
        assert_true(PANICS(machine, quire_cache_alloc(cache)));
        double_release(machine);
        return;
    }
    quire_cache_free(other, object);
    assert_true(PANICS(machine, quire_kmem_audit(q)));
    assert_non_null(strstr(machine->panic, "two: object 0x"));
    assert_non_null(strstr(machine->panic, "belongs to one"));
    assert_true(PANICS(machine, quire_cache_shrink(other)));
    other->front.count = 0;
    quire_cache_free(cache, object + 16);
    assert_true(PANICS(machine, quire_cache_shrink(cache)));
    assert_non_null(strstr(machine->panic, "not the start of an object"));
    cache->front.count = 0;
    quire_kmem_audit(q);
    quire_cache_free(cache, object);
    quire_cache_free(cache, object);
    assert_true(PANICS(machine, quire_kmem_audit(q)));
    assert_non_null(strstr(machine->panic, "freed twice"));
    assert_true(PANICS(machine, quire_cache_shrink(cache)));
    assert_non_null(strstr(machine->panic, "one: object 0x"));
    assert_non_null(strstr(machine->panic, "freed twice"));
    cache->front.count = 0;
    /* What no cache ever gave: the test's own memory, a frame of another use. */
    struct quire_page *page = quire_page_alloc(q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_KERNEL);
    void *strangers[] = {machine, quire_page_window(q, page)};
    for (unsigned volatile i = 0; i < 2; i++) {
        quire_cache_free(cache, strangers[i]);
        assert_true(PANICS(machine, quire_cache_shrink(cache)));
        assert_non_null(strstr(machine->panic, "is no object"));
        cache->front.count = 0;
    }
    double_release(machine);
}

/* What the views are told. */
static void info(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(RAM);
    struct quire *q = kmem_up(machine);
    struct quire_cache_info info;
    struct quire_cache *cache;
    unsigned n = 0;
    while (quire_kmem_info(q, n, &info)) {
        assert_non_null(info.name);
        n++;
    }
    assert_int_equal(quire_cache_create(q, "told", 256, 0, NULL, &cache), QUIRE_OK);
    void *object = quire_cache_alloc(cache);
    assert_true(quire_kmem_info(q, n, &info));
    assert_string_equal(info.name, "told");
    assert_int_equal(info.objects_active, 1);
    assert_int_equal(info.object_bytes, 256);
    assert_int_equal(info.slabs_total, 1);
    assert_int_equal(info.objects_total, info.objects_per_slab);
    assert_false(quire_kmem_info(q, n + 1, &info));
    quire_cache_free(cache, object);
    assert_int_equal(quire_cache_shrink(cache), info.pages_per_slab);
    assert_int_equal(quire_cache_destroy(cache), QUIRE_OK);
    kmem_down(machine, q);
}

/* What a depot holds goes home a second later, but for what was wanted since. */
static void depots_shrink(void **state) {
    (void)state;
    enum { N = 40 * MAGAZINE_ROUNDS };
    static void *objects[N];
    struct quire_machine *machine = double_plain((uint64_t)16 << 20);
    struct quire *q = kmem_up(machine);
    struct quire_cache *cache;
    assert_int_equal(quire_cache_create(q, "depot", 64, 0, NULL, &cache), QUIRE_OK);
    for (unsigned i = 0; i < N; i++) {
        assert_non_null(objects[i] = quire_cache_alloc(cache));
    }
    for (unsigned i = 0; i < N; i++) {
        quire_cache_free(cache, objects[i]);
    }
    uint32_t most = cache->ndepot;
    assert_in_range(most, 37, 40);
    machine->now_ns += 999999999;
    quire_kmem_tick(q); /* too early */
    assert_int_equal(cache->ndepot, most);
    machine->now_ns += 1;
    quire_kmem_tick(q); /* there was a moment when it had nothing */
    assert_int_equal(cache->ndepot, most);
    for (unsigned i = 0; i < 10 * MAGAZINE_ROUNDS; i++) {
        assert_non_null(objects[i] = quire_cache_alloc(cache));
    }
    uint32_t low = cache->ndepot;
    assert_in_range(low, most - 10, most - 8);
    for (unsigned i = 0; i < 10 * MAGAZINE_ROUNDS; i++) {
        quire_cache_free(cache, objects[i]);
    }
    uint64_t free = quire_page_count(q, QUIRE_USE_FREE);
    machine->now_ns += 1000000000;
    quire_kmem_tick(q);
    assert_int_equal(cache->ndepot, most - low);
    assert_null(cache->depot_empty);
    assert_in_range(quire_page_count(q, QUIRE_USE_FREE), free + 10, free + 40);
    quire_kmem_audit(q);
    for (unsigned i = 0; i < 2; i++) {
        machine->now_ns += 1000000000;
        quire_kmem_tick(q);
    }
    assert_int_equal(cache->ndepot, 0);
    quire_kmem_audit(q);
    assert_int_equal(quire_cache_destroy(cache), QUIRE_OK);
    kmem_down(machine, q);
}

static uint64_t give_nothing(void *context, uint64_t nobjects) {
    (void)context, (void)nobjects;
    return 0;
}

/* Objects that can be had again lie in page blocks of their own: when they go, whole blocks go. */
static void copies_lie_together(void **state) {
    (void)state;
    struct quire_machine *machine = double_plain(4 * RAM);
    struct quire *q = kmem_up(machine);
    for (unsigned flags = 0; flags <= QUIRE_CACHE_RECLAIMABLE; flags += QUIRE_CACHE_RECLAIMABLE) {
        const struct quire_cache_options options = {.name = "copies",
                                                    .object_bytes = 500,
                                                    .flags = flags,
                                                    .reclaim = flags ? give_nothing : NULL};
        struct quire_cache *cache;
        void *objects[100];
        assert_int_equal(quire_cache_create_with(q, &options, &cache), QUIRE_OK);
        for (unsigned i = 0; i < 100; i++) {
            assert_non_null(objects[i] = quire_cache_alloc(cache));
            quire_frame frame = quire_page_frame(q, quire_page_under(q, objects[i]));
            assert_int_equal(quire_zone_type(q->phys, frame.number),
                             flags ? QUIRE_MIGRATE_RECLAIMABLE : QUIRE_MIGRATE_UNMOVABLE);
        }
        for (unsigned i = 0; i < 100; i++)
            quire_cache_free(cache, objects[i]);
        assert_int_equal(quire_cache_destroy(cache), QUIRE_OK);
    }
    kmem_down(machine, q);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_lifetimes),
        cmocka_unit_test(shapes),
        cmocka_unit_test(constructors),
        cmocka_unit_test(colours),
        cmocka_unit_test(exhaustion),
        cmocka_unit_test(failing_switch),
        cmocka_unit_test(failing_boot),
        cmocka_unit_test(magazines),
        cmocka_unit_test(depots_shrink),
        cmocka_unit_test(no_magazines),
        cmocka_unit_test(one_magazine_only),
        cmocka_unit_test(home_in_any_order),
        cmocka_unit_test(bulk),
        cmocka_unit_test(copies_lie_together),
        cmocka_unit_test(misuse),
        cmocka_unit_test(info),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
