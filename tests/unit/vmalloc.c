/* vmalloc.c: kernel addresses on a software machine: areas of random sizes with their bytes seen
 * through both addresses, guard pages, every refusal without a trace, the largest, the host's
 * limit.
 */
#define _GNU_SOURCE
#include "rig.h"

#include <stdlib.h>

#include <quire/kmap.h>
#include <quire/kmem.h>

#include "kmem/area.h"
#include "kmem/cache.h"
#include "page/page.h"
#include "random.h"

#define LIVE_MAX 60u

struct live {
    unsigned char *bytes;
    uint64_t nbytes;
    unsigned char stamp;
};

/* Both addresses of each page show the stamp. */
static void check(struct rig *rig, const struct live *live) {
    for (uint64_t at = 0; at < live->nbytes; at += RIG_PAGE) {
        uint64_t last = at + RIG_PAGE <= live->nbytes ? at + RIG_PAGE - 1 : live->nbytes - 1;
        quire_frame frame;
        assert_int_equal(live->bytes[at], live->stamp);
        assert_int_equal(live->bytes[last], live->stamp);
        assert_true(quire_vmalloc_frame(rig->q, live->bytes + last, &frame));
        unsigned char *window = quire_frame_window(rig->q, frame);
        assert_int_equal(window[last % RIG_PAGE], live->stamp);
        window[0] = live->stamp; /* written there, read here the next time */
    }
    uint64_t pages = (live->nbytes + RIG_PAGE - 1) / RIG_PAGE;
    assert_false(rig_readable(live->bytes + pages * RIG_PAGE)); /* the guard */
}

static void random_lifetimes(void **state) {
    (void)state;
    struct rig rig;
    struct live live[LIVE_MAX];
    uint64_t seed = 5;
    unsigned nlive = 0, refused = 0;
    rig_up(&rig, 8 * RIG_MIB, 0);
    for (unsigned step = 0; step < 3000; step++) {
        uint64_t random = next_random(&seed);
        if (nlive == 0 || (nlive < LIVE_MAX && random % 8 < ((step / 400) % 2 ? 3 : 6))) {
            struct live *new = &live[nlive];
            new->nbytes = 1 + (random >> 8) % ((uint64_t)1 << (10 + (random >> 40) % 11));
            bool zeroed = random >> 60 & 1;
            new->bytes =
                zeroed ? quire_vzalloc(rig.q, new->nbytes) : quire_vmalloc(rig.q, new->nbytes);
            if (!new->bytes) {
                refused++;
                continue;
            }
            for (uint64_t i = 0; zeroed && i < new->nbytes; i++)
                assert_int_equal(new->bytes[i], 0);
            new->stamp = (unsigned char)(random >> 32);
            memset(new->bytes, new->stamp, new->nbytes);
            nlive++;
        } else {
            unsigned k = (unsigned)(random >> 20) % nlive;
            check(&rig, &live[k]);
            unsigned char *gone = live[k].bytes;
            quire_vfree(rig.q, gone);
            assert_false(rig_readable(gone));
            live[k] = live[--nlive];
        }
        if (step % 100 == 0)
            quire_audit(rig.q);
    }
    assert_true(refused > 0);
    while (nlive > 0) {
        check(&rig, &live[--nlive]);
        quire_vfree(rig.q, live[nlive].bytes);
    }
    quire_vfree(rig.q, NULL);
    quire_audit(rig.q);
    rig_down(&rig);
}

/* What contiguous frames cannot give, single ones do: every second frame of RAM is taken. */
static void from_scattered_frames(void **state) {
    (void)state;
    static quire_frame frames[4000];
    struct rig rig;
    unsigned n = 0, nblocks = 0;
    quire_frame block, blocks[100];
    rig_up(&rig, 8 * RIG_MIB, 0);
    while (quire_frames_alloc(rig.q, 0, &frames[n]) == QUIRE_OK)
        n++;
    for (unsigned i = 0; i < n; i++) {
        if (frames[i].number % 2 == 0) {
            quire_frames_free(rig.q, frames[i], 0);
            frames[i] = QUIRE_FRAME_NONE;
        }
    }
    while (quire_frames_alloc(rig.q, 4, &block) == QUIRE_OK) /* what lay in the reserve */
        blocks[nblocks++] = block;
    assert_null(quire_get_free_pages(rig.q, 4));
    unsigned char *bytes = quire_vmalloc(rig.q, 2 * RIG_MIB);
    assert_non_null(bytes);
    for (uint64_t i = 0; i < 2 * RIG_MIB; i += 8)
        *(uint64_t *)(void *)(bytes + i) = i * 0x9E3779B97F4A7C15u;
    for (uint64_t i = 0; i < 2 * RIG_MIB; i += 8)
        assert_true(*(uint64_t *)(void *)(bytes + i) == i * 0x9E3779B97F4A7C15u);
    quire_audit(rig.q);
    quire_vfree(rig.q, bytes);
    while (nblocks > 0)
        quire_frames_free(rig.q, blocks[--nblocks], 4);
    for (unsigned i = 0; i < n; i++) {
        if (!quire_frame_is_none(frames[i]))
            quire_frames_free(rig.q, frames[i], 0);
    }
    rig_down(&rig);
}

/* Addresses that were given back are not the next to be given again: who still uses them touches
 * nothing of anybody else's. They come round when the area has been walked through. */
static void not_again_at_once(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, 8 * RIG_MIB, 0);
    char *first = quire_vmalloc(rig.q, 3 * RIG_PAGE), *before = first, *now = NULL;
    quire_vfree(rig.q, first);
    for (unsigned i = 0; i < 50; i++) {
        now = quire_vmalloc(rig.q, 3 * RIG_PAGE);
        assert_ptr_equal(now, before + 4 * RIG_PAGE); /* behind its guard */
        quire_vfree(rig.q, now);
        before = now;
    }
    uint64_t turns = 0;
    while ((now = quire_vmalloc(rig.q, RIG_MIB)) > before) {
        quire_vfree(rig.q, now);
        before = now;
        turns++;
    }
    assert_non_null(now);
    assert_true(turns > 50);
    assert_ptr_equal(now, first);
    quire_vfree(rig.q, now);
    rig_down(&rig);
}

/* Each allocation on the way fails, and all after it; then each run that the machine maps: nothing
 * is kept, and nothing stays mapped. */
static void no_leaks(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, 8 * RIG_MIB, 0);
    quire_vfree(rig.q, quire_vmalloc(rig.q, 50 * RIG_PAGE)); /* slabs and magazines have come */
    struct quire_usage before, now;
    quire_usage(rig.q, &before);
    bool ok = false;
    for (uint64_t nth = 1; !ok; nth++) {
        quire_fail_range(rig.q, nth, UINT64_MAX / 2);
        void *bytes = quire_vmalloc(rig.q, 50 * RIG_PAGE);
        quire_fail_every(rig.q, 0);
        ok = bytes != NULL;
        assert_int_equal(ok, nth == 53); /* area, list, 50 frames */
        quire_audit(rig.q);
        quire_vfree(rig.q, bytes);
    }
    quire_usage(rig.q, &now);
    assert_int_equal(now.free + now.slab, before.free + before.slab);
    ok = false;
    for (uint64_t nth = 1; !ok; nth++) {
        quire_soft_fail_map(rig.machine, nth);
        void *bytes = quire_vmalloc(rig.q, 50 * RIG_PAGE);
        quire_soft_fail_map(rig.machine, 0);
        ok = bytes != NULL;
        assert_true(nth <= 51);
        assert_true(!ok || nth > 1);
        quire_audit(rig.q);
        quire_vfree(rig.q, bytes);
    }
    quire_usage(rig.q, &now);
    assert_int_equal(now.free + now.slab, before.free + before.slab);
    rig_down(&rig);
}

static void wrong_sizes(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, 4 * RIG_MIB, 0);
    assert_null(quire_vmalloc(rig.q, 0));
    assert_null(quire_vmalloc(rig.q, UINT64_MAX));
    assert_null(quire_vmalloc(rig.q, UINT64_MAX / 2));
    assert_null(quire_vmalloc(rig.q, 5 * RIG_MIB)); /* more than there is: all of it comes back */
    void *bytes = quire_vmalloc(rig.q, 2 * RIG_MIB);
    assert_non_null(bytes);
    quire_vfree(rig.q, bytes);
    quire_frame frame;
    assert_false(quire_vmalloc_frame(rig.q, bytes, &frame));
    assert_false(quire_vmalloc_frame(rig.q, &frame, &frame));
    rig_down(&rig);
}

/* The addresses themselves: to the last page, into a gap that just fits, never over a guard. */
static void addresses(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, 4 * RIG_MIB, 0);
    struct quire *q = rig.q;
    struct quire_kernel_area *kernel = q->kmem->area;
    uint64_t limit = kernel->limit;
    assert_null(quire_area_take(q, 0, AREA_VMAP));
    assert_null(quire_area_take(q, limit + 1, AREA_VMAP));
    assert_null(quire_area_take(q, limit, AREA_VMAP)); /* its guard has no room */
    struct area *all = quire_area_take(q, limit - 1, AREA_VMAP);
    assert_non_null(all);
    assert_null(quire_area_take(q, 1, AREA_VMAP));
    assert_ptr_equal(quire_area_at(q, limit - 2), all);
    assert_null(quire_area_at(q, limit - 1)); /* the guard */
    quire_area_give(q, all);
    static const uint64_t sizes[] = {10, 20, 30};
    struct area *areas[3], *rest, *in_gap;
    for (unsigned i = 0; i < 3; i++)
        assert_non_null(areas[i] = quire_area_take(q, sizes[i], AREA_VMAP));
    uint64_t gap = areas[1]->first;
    assert_true(areas[0]->first + 11 <= gap && gap + 21 <= areas[2]->first);
    char *base = quire_area_address(q, areas[1]);
    assert_ptr_equal(quire_area_under(q, base), areas[1]);
    assert_ptr_equal(quire_area_under(q, base + 20 * RIG_PAGE - 1), areas[1]);
    assert_null(quire_area_under(q, base + 20 * RIG_PAGE));
    assert_null(quire_area_under(q, base - 1));
    assert_null(quire_area_under(q, kernel->base - 1));
    assert_null(quire_area_under(q, kernel->base + kernel->npages * RIG_PAGE));
    uint64_t end = areas[2]->first + 31;
    assert_non_null(rest = quire_area_take(q, limit - end - 1, AREA_VMAP));
    assert_int_equal(rest->first, end);
    quire_area_give(q, areas[1]);
    assert_null(quire_area_at(q, gap));
    assert_null(quire_area_take(q, 21, AREA_VMAP)); /* a page too many */
    quire_fail_every(q, 1);
    assert_null(quire_area_take(q, 20, AREA_VMAP));
    quire_fail_every(q, 0);
    assert_non_null(in_gap = quire_area_take(q, 20, AREA_VMAP));
    assert_int_equal(in_gap->first, gap);
    assert_int_equal(kernel->nareas, 4);
    struct area *left[] = {areas[0], in_gap, areas[2], rest};
    for (unsigned i = 0; i < 4; i++)
        quire_area_give(q, left[i]);
    assert_int_equal(kernel->nareas, 0);
    assert_int_equal(kernel->nmapped, 0);
    rig_down(&rig);
}

/* 160 MiB: its list of frames is larger than kmalloc's largest, and lies in an area itself. */
static void larger_than_lists(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, 256 * RIG_MIB, 0);
    uint64_t nbytes = 160 * RIG_MIB;
    unsigned char *bytes = quire_vmalloc(rig.q, nbytes);
    assert_non_null(bytes);
    for (uint64_t at = 0; at < nbytes; at += RIG_PAGE)
        memcpy(bytes + at, &at, sizeof at);
    assert_int_equal(rig.q->kmem->area->nareas, 2);
    quire_audit(rig.q);
    for (uint64_t at = 0; at < nbytes; at += RIG_PAGE)
        assert_memory_equal(bytes + at, &at, sizeof at);
    quire_vfree(rig.q, bytes);
    assert_int_equal(rig.q->kmem->area->nareas, 0);
    rig_down(&rig);
}

/* vmap: the caller's frames in the caller's order, twice over if it wants. */
static void mapping_of_frames(void **state) {
    (void)state;
    struct rig rig;
    quire_frame frames[20];
    rig_up(&rig, 4 * RIG_MIB, 0);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(quire_frames_alloc(rig.q, 0, &frames[i]), QUIRE_OK);
        memset(quire_frame_window(rig.q, frames[i]), (int)i, RIG_PAGE);
        frames[19 - i] = frames[i];
    }
    unsigned char *bytes = quire_vmap(rig.q, frames, 20);
    assert_non_null(bytes);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(bytes[i * RIG_PAGE + 77], i < 10 ? i : 19 - i);
    bytes[3 * RIG_PAGE] = 'x';
    assert_int_equal(bytes[16 * RIG_PAGE], 'x');
    quire_audit(rig.q);
    quire_vunmap(rig.q, bytes);
    assert_false(rig_readable(bytes));
    for (uint64_t nth = 1; nth <= 2; nth++) {
        quire_fail_range(rig.q, nth, UINT64_MAX / 2);
        assert_null(quire_vmap(rig.q, frames, 20));
        quire_fail_every(rig.q, 0);
    }
    quire_soft_fail_map(rig.machine, 2);
    assert_null(quire_vmap(rig.q, frames, 20));
    quire_audit(rig.q);
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(*((unsigned char *)quire_frame_window(rig.q, frames[i]) + 77), i);
        quire_frames_free(rig.q, frames[i], 0);
    }
    rig_down(&rig);
}

/* More mappings than a host allows a process: refused, and what there is still works. */
static void host_limit(void **state) {
    (void)state;
    enum { N = 60000 };
    static quire_frame frames[N];
    struct rig rig;
    rig_up(&rig, 320 * RIG_MIB, 0);
    unsigned n = 0;
    quire_frame frame;
    unsigned char *small = quire_vmalloc(rig.q, 3 * RIG_PAGE);
    memset(small, 7, 3 * RIG_PAGE);
    while (n < N && quire_frames_alloc(rig.q, 0, &frame) == QUIRE_OK)
        frames[n++] = frame;
    for (unsigned i = 0; i + 1 < n; i += 2) { /* no two in a row */
        quire_frame swap = frames[i];
        frames[i] = frames[n - 1 - i];
        frames[n - 1 - i] = swap;
    }
    assert_int_equal(n, N);
    assert_null(quire_vmap(rig.q, frames, N));
    quire_audit(rig.q);
    assert_int_equal(small[3 * RIG_PAGE - 1], 7);
    void *host = malloc(64 * RIG_MIB); /* the process still gets mappings of its own */
    assert_non_null(host);
    free(host);
    unsigned char *bytes = quire_vmap(rig.q, frames, 100);
    assert_non_null(bytes);
    quire_vunmap(rig.q, bytes);
    quire_vfree(rig.q, small);
    while (n > 0)
        quire_frames_free(rig.q, frames[--n], 0);
    rig_down(&rig);
}

static void either(void **state) {
    (void)state;
    struct rig rig;
    rig_up(&rig, 8 * RIG_MIB, 0);
    for (uint64_t nbytes = 100; nbytes < 2 * RIG_MIB; nbytes *= 3) {
        unsigned char *bytes = quire_kvmalloc(rig.q, nbytes);
        assert_non_null(bytes);
        quire_frame frame;
        assert_int_equal(quire_vmalloc_frame(rig.q, bytes, &frame), nbytes > QUIRE_KMALLOC_MAX);
        memset(bytes, 1, nbytes);
        quire_kvfree(rig.q, bytes);
    }
    quire_kvfree(rig.q, NULL);
    rig_down(&rig);
}

/* /proc/vmallocinfo as Linux writes it. */
static void text(void **state) {
    (void)state;
    struct rig rig;
    char bytes[1000], expected[1000];
    rig_up(&rig, 8 * RIG_MIB, 0);
    assert_int_equal(quire_view_vmallocinfo(rig.q, bytes, sizeof bytes), 0);
    char *one = quire_vmalloc(rig.q, 5000), *two = quire_vmalloc(rig.q, 1);
    snprintf(expected, sizeof expected,
             "0x%016llx-0x%016llx   12288 pages=2 vmalloc\n"
             "0x%016llx-0x%016llx    8192 pages=1 vmalloc\n",
             (unsigned long long)(uintptr_t)one, (unsigned long long)(uintptr_t)one + 12288,
             (unsigned long long)(uintptr_t)two, (unsigned long long)(uintptr_t)two + 8192);
    assert_int_equal(quire_view_vmallocinfo(rig.q, bytes, sizeof bytes), strlen(expected));
    assert_string_equal(bytes, expected);
    assert_int_equal(quire_view_vmallocinfo(rig.q, bytes, 10), strlen(expected));
    quire_vfree(rig.q, one);
    quire_vfree(rig.q, two);
    rig_down(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_lifetimes),
        cmocka_unit_test(from_scattered_frames),
        cmocka_unit_test(not_again_at_once),
        cmocka_unit_test(no_leaks),
        cmocka_unit_test(wrong_sizes),
        cmocka_unit_test(addresses),
        cmocka_unit_test(larger_than_lists),
        cmocka_unit_test(mapping_of_frames),
        cmocka_unit_test(host_limit),
        cmocka_unit_test(either),
        cmocka_unit_test(text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
