/* classic.c: the facts of the classic heap, one test each: M1 to M4 and M6 of docs/SYSTEM.md. */
#include "rig.h"

static unsigned char *bytes_at(uint64_t block) {
    return (unsigned char *)block;
}

static uint64_t header_of(uint64_t block) {
    uint64_t word;

    memcpy(&word, bytes_at(block - 8), sizeof word);
    return word;
}

/* M2: malloc(1) makes the heap 132 KiB, wherever the area begins. */
static void first_growth(void **state) {
    (void)state;
    static const uint64_t offsets[] = {0, 16, 8, 1, 4095};

    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        struct heap_rig rig;
        rig_up_at(&rig, offsets[i]);
        uint64_t block = quire_heap_alloc(rig.heap, 1);
        assert_true(block >= rig.area && block < rig.end);
        assert_int_equal(block % 16, 0);
        assert_int_equal(rig.end % 4096, 0);
        if (offsets[i] == 0) {
            assert_int_equal(rig.end - rig.area, 0x21000);
            assert_int_equal(rig_figures(&rig).system_bytes, 0x21000);
        }
        rig_down(&rig);
        assert_int_equal(rig.end, (rig.area + offsets[i] + 15) & ~(uint64_t)15);
    }
}

/* M1: under 128 KiB from the heap, from there on mapped; M3: those go back at once. */
static void threshold(void **state) {
    struct heap_rig rig;
    (void)state;

    rig_up(&rig);
    uint64_t small = quire_heap_alloc(rig.heap, 128 * KIB - 1);
    assert_true(small >= rig.area && small < rig.end);
    assert_int_equal(rig.maps, 0);
    uint64_t large = quire_heap_alloc(rig.heap, 128 * KIB);
    assert_int_equal(rig.maps, 1);
    assert_int_equal(rig.mapped_bytes, 132 * KIB);
    assert_true(large < rig.area || large >= rig.area + AREA_BYTES);
    memset(bytes_at(large), 7, 128 * KIB);
    rig_audit(&rig);
    quire_heap_free(rig.heap, large);
    assert_int_equal(rig.mapped_bytes, 0);
    /* The threshold has adapted: the same request comes from the heap now. */
    assert_int_equal(rig_figures(&rig).mmap_threshold, 132 * KIB);
    assert_int_equal(rig_figures(&rig).trim_threshold, 264 * KIB);
    large = quire_heap_alloc(rig.heap, 128 * KIB);
    assert_int_equal(rig.maps, 1);
    assert_true(large >= rig.area && large < rig.end);
    rig_down(&rig);
}

/* Up to 32 MiB, and no further; a setting ends it. */
static void adapting_ends(void **state) {
    struct heap_rig rig;
    (void)state;

    rig_up(&rig);
    quire_heap_free(rig.heap, quire_heap_alloc(rig.heap, 32 * MIB));
    assert_int_equal(rig_figures(&rig).mmap_threshold, 128 * KIB);
    quire_heap_free(rig.heap, quire_heap_alloc(rig.heap, 32 * MIB - 64));
    assert_int_equal(rig_figures(&rig).mmap_threshold, 32 * MIB);
    assert_false(quire_heap_option(rig.heap, QUIRE_HEAP_MMAP_THRESHOLD, 32 * MIB + 1));
    assert_true(quire_heap_option(rig.heap, QUIRE_HEAP_MMAP_THRESHOLD, 4096));
    quire_heap_free(rig.heap, quire_heap_alloc(rig.heap, 5000));
    assert_int_equal(rig_figures(&rig).mmap_threshold, 4096);
    /* No more than so many mappings. */
    assert_true(quire_heap_option(rig.heap, QUIRE_HEAP_MMAP_MAX, 1));
    uint64_t one = quire_heap_alloc(rig.heap, MIB), two = quire_heap_alloc(rig.heap, MIB);
    assert_int_equal(rig_figures(&rig).mapped_blocks, 1);
    assert_true(two >= rig.area && two < rig.end);
    assert_int_not_equal(one, 0);
    assert_false(quire_heap_option(rig.heap, QUIRE_HEAP_PERTURB, 256));
    assert_true(quire_heap_option(rig.heap, QUIRE_HEAP_PERTURB, 255));
    assert_false(quire_heap_option(rig.heap, QUIRE_HEAP_TOP_PAD, ((uint64_t)1 << 46) + 1));
    assert_false(quire_heap_option(rig.heap, (enum quire_heap_option)99, 1));
    quire_heap_free(rig.heap, one);
    rig_down(&rig);
}

/* M3: freed memory of the heap proper stays; at 128 KiB of it at the end, the end goes back. */
static void top_is_trimmed(void **state) {
    struct heap_rig rig;
    uint64_t blocks[16];
    (void)state;

    rig_up(&rig);
    for (int i = 0; i < 16; i++) {
        blocks[i] = quire_heap_alloc(rig.heap, 100 * KIB);
    }
    uint64_t full = rig.end;
    quire_heap_free(rig.heap, blocks[3]);
    assert_int_equal(rig.end, full); /* in the middle: kept for reuse */
    assert_int_equal(quire_heap_alloc(rig.heap, 100 * KIB), blocks[3]);
    for (int i = 15; i > 0; i--) {
        quire_heap_free(rig.heap, blocks[i]);
        rig_audit(&rig);
    }
    assert_true(rig.end <= blocks[1] + 136 * KIB);
    /* And once more, as far as it goes. */
    quire_heap_free(rig.heap, blocks[0]);
    assert_true(quire_heap_trim(rig.heap, 0));
    assert_int_equal(rig.end - rig.area, 4096);
    assert_false(quire_heap_trim(rig.heap, 0));
    assert_false(quire_heap_trim(rig.heap, UINT64_MAX));
    rig_down(&rig);
}

/* M4: 16 bytes before each block, the length in them; the smallest chunk is 32 bytes. */
static void headers(void **state) {
    static const struct {
        uint64_t bytes, chunk;
    } sizes[] = {{0, 32}, {1, 32}, {16, 32}, {17, 48}, {32, 48}, {33, 64}, {1000, 1024}};
    struct heap_rig rig;
    uint64_t last = 0;
    (void)state;

    rig_up(&rig);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t block = quire_heap_alloc(rig.heap, sizes[i].bytes), before;
        assert_int_equal(header_of(block), sizes[i].chunk | 1);
        assert_int_equal(quire_heap_usable(rig.heap, block), sizes[i].chunk - 16);
        memcpy(&before, bytes_at(block - 16), sizeof before);
        assert_int_equal(before, i == 0 ? 0 : sizes[i - 1].chunk);
        if (i != 0) {
            assert_int_equal(block, last + sizes[i - 1].chunk);
        }
        memset(bytes_at(block), 0xff, sizes[i].chunk - 16);
        last = block;
    }
    assert_int_equal(quire_heap_usable(rig.heap, 0), 0);
    rig_down(&rig);
}

/* M4: what is freed is joined with the free chunk before it, behind it, and both. */
static void coalescing(void **state) {
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    (void)state;

    for (int order = 0; order < 6; order++) {
        struct heap_rig rig;
        uint64_t block[3];
        rig_up(&rig);
        for (int i = 0; i < 3; i++) {
            block[i] = quire_heap_alloc(rig.heap, 100);
        }
        uint64_t wall = quire_heap_alloc(rig.heap, 1);
        for (int i = 0; i < 3; i++) {
            quire_heap_free(rig.heap, block[orders[order][i]]);
            rig_audit(&rig);
        }
        assert_int_equal(rig_figures(&rig).free_chunks, 2); /* one, and the top */
        /* Three chunks of 128 bytes as one block: only the first header is left. */
        assert_int_equal(quire_heap_alloc(rig.heap, 3 * 128 - 16), block[0]);
        quire_heap_free(rig.heap, wall);
        rig_down(&rig);
    }
}

/* M4: zeros, also where the memory was used before; fresh pages are not touched. */
static void calloc_zeroes(void **state) {
    struct heap_rig rig;
    unsigned char resident[64];
    (void)state;

    rig_up(&rig);
    for (uint64_t bytes = 1; bytes < 100 * KIB; bytes = bytes * 3 + 1) {
        uint64_t block = quire_heap_alloc(rig.heap, bytes);
        memset(bytes_at(block), 0xa5, bytes);
        quire_heap_free(rig.heap, block);
        uint64_t zero = quire_heap_calloc(rig.heap, 1, bytes);
        for (uint64_t i = 0; i < bytes; i++) {
            assert_int_equal(bytes_at(zero)[i], 0);
        }
        quire_heap_free(rig.heap, zero);
    }
    rig_down(&rig);

    rig_up(&rig);
    uint64_t fresh = quire_heap_calloc(rig.heap, 25, 4 * KIB);
    uint64_t page = (fresh + 4095) & ~(uint64_t)4095;
    assert_int_equal(mincore((void *)page, 16 * 4096, resident), 0);
    for (int i = 0; i < 16; i++) {
        assert_int_equal(resident[i] & 1, 0);
    }
    assert_int_equal(quire_heap_calloc(rig.heap, UINT64_MAX / 2, 3), 0);
    assert_int_equal(quire_heap_calloc(rig.heap, (uint64_t)1 << 32, (uint64_t)1 << 32), 0);
    assert_int_equal(quire_heap_calloc(rig.heap, (uint64_t)1 << 47, 1), 0);
    rig_down(&rig);
}

/* M4: in place when there is room behind, moved when not. */
static void realloc_places(void **state) {
    struct heap_rig rig;
    (void)state;

    rig_up(&rig);
    uint64_t block = quire_heap_realloc(rig.heap, 0, 100), wall;
    memset(bytes_at(block), 9, 100);
    assert_int_equal(quire_heap_realloc(rig.heap, block, 50000), block);   /* into the top */
    assert_int_equal(quire_heap_realloc(rig.heap, block, 5000000), block); /* which grows */
    assert_int_equal(quire_heap_realloc(rig.heap, block, 100), block);
    wall = quire_heap_alloc(rig.heap, 1);
    uint64_t gap = quire_heap_alloc(rig.heap, 1000), end = quire_heap_alloc(rig.heap, 1);
    quire_heap_free(rig.heap, gap);
    assert_int_equal(quire_heap_realloc(rig.heap, wall, 500), wall); /* into the free chunk */
    uint64_t moved = quire_heap_realloc(rig.heap, block, 3000);
    assert_int_not_equal(moved, block);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(bytes_at(moved)[i], 9);
    }
    rig_audit(&rig);
    assert_int_equal(quire_heap_realloc(rig.heap, moved, UINT64_MAX), 0);
    assert_int_equal(bytes_at(moved)[99], 9);
    quire_heap_free(rig.heap, end);
    rig_down(&rig);
}

/* A mapped block is moved by its pages: mremap, no copying. */
static void realloc_mapped(void **state) {
    struct heap_rig rig;
    (void)state;

    rig_up(&rig);
    uint64_t other = quire_heap_alloc(rig.heap, MIB), block = quire_heap_alloc(rig.heap, MIB);
    uint64_t third = quire_heap_alloc(rig.heap, MIB);
    memset(bytes_at(block), 3, MIB);
    uint64_t moved = quire_heap_realloc(rig.heap, block, 3 * MIB);
    assert_int_not_equal(moved, 0);
    assert_int_equal(rig.remaps, 1);
    assert_int_equal(bytes_at(moved)[MIB - 1], 3);
    assert_int_equal(bytes_at(moved)[MIB], 0);
    assert_int_equal(quire_heap_realloc(rig.heap, moved, 3 * MIB + 1), moved); /* same pages */
    assert_int_equal(rig.remaps, 1);
    rig_audit(&rig);
    /* Refused: shrinking leaves it where it is, growing says no and keeps it. */
    rig.fail_at = 0;
    rig.fail_for = UINT64_MAX;
    assert_int_equal(quire_heap_realloc(rig.heap, moved, 100), moved);
    assert_int_equal(quire_heap_realloc(rig.heap, moved, 60 * MIB), 0);
    assert_int_equal(bytes_at(moved)[MIB - 1], 3);
    rig.fail_for = 0;
    quire_heap_free(rig.heap, other);
    quire_heap_free(rig.heap, third);
    rig_audit(&rig);
    rig_down(&rig);
}

static void alignments(void **state) {
    struct heap_rig rig;
    (void)state;

    rig_up(&rig);
    for (uint64_t align = 1; align <= 4 * MIB; align *= 2) {
        for (uint64_t bytes = 0; bytes < 3 * MIB; bytes = bytes * 5 + 1) {
            uint64_t block = quire_heap_memalign(rig.heap, align, bytes);
            assert_int_not_equal(block, 0);
            assert_int_equal(block % align, 0);
            assert_true(quire_heap_usable(rig.heap, block) >= bytes);
            memset(bytes_at(block), 0x5a, bytes);
            rig_audit(&rig);
            block = quire_heap_realloc(rig.heap, block, bytes * 2 + 1);
            assert_int_not_equal(block, 0);
            quire_heap_free(rig.heap, block);
        }
    }
    assert_int_equal(quire_heap_memalign(rig.heap, 0, 1), 0);
    assert_int_equal(quire_heap_memalign(rig.heap, 48, 1), 0);
    assert_int_equal(quire_heap_memalign(rig.heap, (uint64_t)1 << 47, 1), 0);
    assert_int_equal(quire_heap_memalign(rig.heap, 64, (uint64_t)1 << 47), 0);
    assert_int_equal(quire_heap_alloc(rig.heap, (uint64_t)1 << 47), 0);
    assert_int_equal(quire_heap_alloc(rig.heap, ((uint64_t)1 << 47) - 1), 0);
    rig_down(&rig);
}

/* Somebody else moves the end: a new extent behind theirs. Growing is refused: mapped extents. */
static void strangers(void **state) {
    struct heap_rig rig;
    (void)state;

    rig_up(&rig);
    uint64_t first = quire_heap_alloc(rig.heap, 1000);
    uint64_t theirs = rig_grow(&rig, 100);
    memset(bytes_at(theirs), 0xee, 100);
    uint64_t behind = quire_heap_alloc(rig.heap, 127 * KIB), last;
    for (int i = 0; i < 3; i++) {
        assert_int_not_equal(quire_heap_alloc(rig.heap, 127 * KIB), 0);
    }
    assert_true(behind < theirs || behind > theirs + 100);
    assert_int_equal(rig_figures(&rig).extents, 2);
    rig_audit(&rig);
    assert_int_equal(bytes_at(theirs)[99], 0xee);
    rig.limit = rig.end;
    do {
        last = quire_heap_alloc(rig.heap, 60 * KIB);
        assert_int_not_equal(last, 0);
    } while (rig.maps == 0);
    assert_int_equal(rig.mapped_bytes, MIB);
    uint64_t more[64];
    for (int i = 0; i < 64; i++) {
        more[i] = quire_heap_alloc(rig.heap, 60 * KIB);
    }
    assert_true(rig.maps >= 4);
    rig_audit(&rig);
    /* Free, they go back: the youngest and those before it. */
    for (int i = 0; i < 64; i++) {
        quire_heap_free(rig.heap, more[i]);
        rig_audit(&rig);
    }
    quire_heap_free(rig.heap, last);
    assert_int_equal(rig.mapped_bytes, 0);
    assert_int_not_equal(quire_heap_alloc(rig.heap, 60 * KIB), 0);
    quire_heap_free(rig.heap, first);
    rig_down(&rig);
}

/* Somebody grows between the heap's question and its growth: what comes lies elsewhere, crooked. */
static void intruders(void **state) {
    static const uint64_t sizes[] = {1, 16, 100, 4096 + 8, 200 * KIB};
    (void)state;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct heap_rig rig;
        rig_up(&rig);
        assert_true(quire_heap_option(rig.heap, QUIRE_HEAP_TOP_PAD, 0));
        rig.intruder = sizes[i];
        for (uint64_t bytes = 3900; bytes < 4300; bytes += 16) {
            uint64_t block = quire_heap_alloc(rig.heap, bytes);
            assert_int_not_equal(block, 0);
            memset(bytes_at(block), 1, bytes);
            rig_audit(&rig);
        }
        rig_down(&rig);
    }
}

/* New extents of every length about a page's end: the top behind the block is always whole. */
static void tight_extents(void **state) {
    (void)state;
    for (uint64_t bytes = MIB - 256; bytes < MIB + 64; bytes += 16) {
        for (int grown = 0; grown < 2; grown++) {
            struct heap_rig rig;
            rig_up_at(&rig, 8);
            rig.limit = grown ? rig.limit : rig.end;
            assert_true(quire_heap_option(rig.heap, QUIRE_HEAP_TOP_PAD, 0));
            assert_true(quire_heap_option(rig.heap, QUIRE_HEAP_MMAP_MAX, 0));
            uint64_t block = quire_heap_alloc(rig.heap, bytes);
            assert_int_not_equal(block, 0);
            memset(bytes_at(block), 1, bytes);
            assert_int_equal(rig.maps, !grown);
            rig_audit(&rig);
            quire_heap_free(rig.heap, block);
            rig_down(&rig);
        }
    }
}

/* When there is no room for the pad, there may be for the block. */
static void without_pad(void **state) {
    struct heap_rig rig;
    (void)state;

    rig_up(&rig);
    rig.limit = rig.end + 8 * KIB;
    assert_true(quire_heap_alloc(rig.heap, 5000) >= rig.area);
    assert_int_equal(rig.end - rig.area, 8 * KIB);
    assert_int_equal(rig.maps, 0);
    rig_down(&rig);
}

/* A chunk of each size alone on its list is found by every smaller request. */
static void each_list(void **state) {
    (void)state;
    for (uint64_t bytes = 48; bytes < 100 * KIB; bytes += bytes < 3000 ? 16 : bytes / 9 / 16 * 16) {
        struct heap_rig rig;
        rig_up(&rig);
        uint64_t block = quire_heap_alloc(rig.heap, bytes);
        uint64_t wall = quire_heap_alloc(rig.heap, 1);
        quire_heap_free(rig.heap, block);
        static const uint64_t parts[] = {64, 8, 2, 1};
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(quire_heap_alloc(rig.heap, bytes / parts[i]), block);
            quire_heap_free(rig.heap, block);
            rig_audit(&rig);
        }
        assert_true(quire_heap_alloc(rig.heap, bytes + 16) > wall);
        rig_down(&rig);
    }
}

/* Mistakes that a header can tell; nothing changes. */
static void mistakes(void **state) {
    struct heap_rig rig;
    (void)state;

    rig_up(&rig);
    uint64_t a = quire_heap_alloc(rig.heap, 24), b = quire_heap_alloc(rig.heap, 24);
    uint64_t c = quire_heap_alloc(rig.heap, 24), big = quire_heap_alloc(rig.heap, MIB);
    unsigned expected = 0;
    quire_heap_free(rig.heap, 0);
    assert_int_equal(rig.mistakes, 0);
    quire_heap_free(rig.heap, b);
    quire_heap_free(rig.heap, b);
    assert_int_equal(rig.mistakes, ++expected);
    assert_non_null(strstr(rig.what, "freed already"));
    quire_heap_free(rig.heap, a + 8);
    assert_int_equal(rig.mistakes, ++expected);
    quire_heap_free(rig.heap, a + 16);
    assert_int_equal(rig.mistakes, ++expected);
    quire_heap_free(rig.heap, (uintptr_t)&rig & ~(uint64_t)15);
    assert_int_equal(rig.mistakes, ++expected);
    assert_int_equal(quire_heap_realloc(rig.heap, b, 10), 0);
    assert_int_equal(rig.mistakes, ++expected);
    assert_int_equal(quire_heap_usable(rig.heap, 16), 0);
    assert_int_equal(rig.mistakes, ++expected);
    quire_heap_free(rig.heap, big + 4096);
    assert_int_equal(rig.mistakes, ++expected);
    rig_audit(&rig);
    /* One byte too far, into the header of the next chunk. */
    unsigned char saved = bytes_at(a)[32];
    bytes_at(a)[32] = (unsigned char)(saved + 1);
    quire_heap_free(rig.heap, a);
    assert_int_equal(rig.mistakes, ++expected);
    assert_non_null(strstr(rig.what, "past its end"));
    bytes_at(a)[32] = saved;
    quire_heap_free(rig.heap, a);
    quire_heap_free(rig.heap, c);
    quire_heap_free(rig.heap, big);
    assert_int_equal(rig.mistakes, expected);
    rig_down(&rig);
}

/* M6: fragmentation as a figure, and whole pages of free chunks go back. */
static void figures(void **state) {
    struct heap_rig rig;
    uint64_t blocks[64];
    (void)state;

    rig_up(&rig);
    assert_int_equal(rig_figures(&rig).fragmentation_permille, 0);
    for (int i = 0; i < 64; i++) {
        blocks[i] = quire_heap_alloc(rig.heap, 32 * KIB - 16);
        memset(bytes_at(blocks[i]), 1, 32 * KIB - 16);
    }
    while (rig_figures(&rig).top_bytes > 16 * KIB) {
        assert_int_not_equal(quire_heap_alloc(rig.heap, 8 * KIB), 0);
    }
    for (int i = 0; i < 64; i += 2) {
        quire_heap_free(rig.heap, blocks[i]);
    }
    struct quire_heap_figures f = rig_figures(&rig);
    assert_int_equal(f.largest_free, 32 * KIB);
    assert_int_equal(f.free_chunks, 33);
    assert_int_equal(f.free_bytes, 32 * 32 * KIB + f.top_bytes);
    /* 32 of 32 and a half chunks' worth are not in the largest. */
    assert_in_range(f.fragmentation_permille, 968, 970);
    assert_true(quire_heap_trim(rig.heap, 0));
    assert_true(rig.discarded_bytes >= (uint64_t)32 * 7 * 4096);
    rig_audit(&rig);
    for (int i = 1; i < 64; i += 2) {
        assert_int_equal(bytes_at(blocks[i])[32 * KIB - 17], 1);
    }
    rig_down(&rig);
}

static void perturb(void **state) {
    struct heap_rig rig;
    (void)state;

    rig_up(&rig);
    assert_true(quire_heap_option(rig.heap, QUIRE_HEAP_PERTURB, 0x5a));
    uint64_t block = quire_heap_alloc(rig.heap, 100), wall = quire_heap_alloc(rig.heap, 100);
    assert_int_equal(bytes_at(block)[99], 0xa5);
    quire_heap_free(rig.heap, block);
    assert_int_equal(bytes_at(block)[50], 0x5a);
    assert_int_equal(bytes_at(quire_heap_calloc(rig.heap, 1, 100))[99], 0);
    assert_int_equal(bytes_at(quire_heap_memalign(rig.heap, 64, 100))[99], 0xa5);
    quire_heap_free(rig.heap, wall);
    rig_down(&rig);
}

/* What the audit is there for: each kind of damage is told. */
static void audit_tells(void **state) {
    struct heap_rig rig;
    (void)state;

    rig_up(&rig);
    uint64_t a = quire_heap_alloc(rig.heap, 24), b = quire_heap_alloc(rig.heap, 24);
    uint64_t c = quire_heap_alloc(rig.heap, 24);
    quire_heap_free(rig.heap, b);
    const uint64_t places[] = {a - 8, b - 16, b - 8, b, b + 8, c - 16, c - 8};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        uint64_t word;
        memcpy(&word, bytes_at(places[i]), sizeof word);
        uint64_t bad = word ^ 32;
        memcpy(bytes_at(places[i]), &bad, sizeof bad);
        if (i != 3) { /* a link that leads out of the heap can't be followed */
            assert_non_null(quire_heap_audit(rig.heap));
        }
        memcpy(bytes_at(places[i]), &word, sizeof word);
        rig_audit(&rig);
    }
    /* I5: a byte in memory that nobody had. */
    bytes_at(rig.end)[-1] = 1;
    assert_non_null(quire_heap_audit(rig.heap));
    bytes_at(rig.end)[-1] = 0;
    rig_down(&rig);
}

static void wrong_ports(void **state) {
    struct heap_rig rig;
    (void)state;

    rig_up(&rig);
    struct quire_heap_port port = rig_port(&rig);
    _Alignas(16) unsigned char storage[QUIRE_HEAP_STORAGE_BYTES];
    port.map = NULL;
    assert_null(quire_heap_init(storage, &port));
    port = rig_port(&rig);
    port.unmap = NULL;
    assert_null(quire_heap_init(storage, &port));
    /* Only maps: everything else is optional. */
    port = (struct quire_heap_port){.context = &rig, .map = rig_map, .unmap = rig_unmap};
    struct quire_heap *heap = quire_heap_init(storage, &port);
    uint64_t a = quire_heap_alloc(heap, 10), b = quire_heap_alloc(heap, MIB);
    assert_true(a != 0 && b != 0);
    memset(bytes_at(b), 4, MIB);
    b = quire_heap_realloc(heap, b, 2 * MIB);
    assert_int_equal(bytes_at(b)[MIB - 1], 4);
    quire_heap_free(heap, a + 8);
    assert_null(quire_heap_audit(heap));
    quire_heap_fini(heap);
    assert_int_equal(quire_heap_alloc(heap, 1), 0);
    rig_down(&rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_growth),   cmocka_unit_test(threshold),
        cmocka_unit_test(adapting_ends),  cmocka_unit_test(top_is_trimmed),
        cmocka_unit_test(headers),        cmocka_unit_test(coalescing),
        cmocka_unit_test(calloc_zeroes),  cmocka_unit_test(realloc_places),
        cmocka_unit_test(realloc_mapped), cmocka_unit_test(alignments),
        cmocka_unit_test(strangers),      cmocka_unit_test(mistakes),
        cmocka_unit_test(intruders),      cmocka_unit_test(tight_extents),
        cmocka_unit_test(without_pad),    cmocka_unit_test(each_list),
        cmocka_unit_test(figures),        cmocka_unit_test(perturb),
        cmocka_unit_test(audit_tells),    cmocka_unit_test(wrong_ports),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
