/* model.c: the classic heap against a model that remembers every byte.
 *
 * Random calls, drawn from a seed; after each, a full audit. Each block is filled with bytes that
 * only it has; before it is freed or changed they must still be there, and no two blocks overlap.
 * Some runs let the port's calls fail now and then, move the growing area's end as a stranger, or
 * set options. `one_failure` makes every single call of the port in a run fail once, and once for
 * ever: nothing that was held may be lost.
 *
 *     heap_model [SEED [STEPS]]      one run, printed when it fails
 */
#include "rig.h"

#include <stdlib.h>

#include "../unit/random.h"

#define BLOCKS 200

struct block {
    uint64_t at, bytes;
    unsigned char stamp;
};

struct run {
    struct heap_rig rig;
    struct block blocks[BLOCKS];
    uint64_t random, refusals;
};

static uint64_t draw(struct run *run, uint64_t below) {
    return next_random(&run->random) % below;
}

/* Mostly small, sometimes at the thresholds, sometimes large. */
static uint64_t draw_bytes(struct run *run) {
    switch (draw(run, 8)) {
    case 0:
        return draw(run, 40);
    case 1:
        return draw(run, 3000);
    case 2:
        return 1000 + draw(run, 48);
    case 3:
        return draw(run, 40000);
    case 4:
        return draw(run, 20) == 0 ? 128 * KIB - 24 + draw(run, 48) : draw(run, 100);
    case 5:
        return draw(run, 20) == 0 ? draw(run, 600000) : draw(run, 200);
    default:
        return draw(run, 500);
    }
}

/* Only both ends of large blocks: that is where others would write. */
static void each_byte(const struct block *block, void (*use)(unsigned char *, unsigned char)) {
    unsigned char *bytes = (unsigned char *)block->at;

    for (uint64_t i = 0; i < block->bytes; i++) {
        if (i == 2048 && block->bytes > 4096) {
            i = block->bytes - 2048;
        }
        use(bytes + i, (unsigned char)(block->stamp + i * 7));
    }
}

static void put_byte(unsigned char *at, unsigned char value) {
    *at = value;
}

static void check_byte(unsigned char *at, unsigned char value) {
    assert_int_equal(*at, value);
}

static void hold(struct run *run, struct block *block, uint64_t at, uint64_t bytes) {
    if (at == 0) {
        run->refusals++;
        return;
    }
    assert_int_equal(at % 16, 0);
    assert_true(quire_heap_usable(run->rig.heap, at) >= bytes);
    for (int i = 0; i < BLOCKS; i++) {
        const struct block *other = &run->blocks[i];
        assert_true(other == block || other->at == 0 || at + bytes <= other->at ||
                    other->at + other->bytes <= at || other->bytes == 0 || bytes == 0);
    }
    *block = (struct block){at, bytes, (unsigned char)draw(run, 256)};
    each_byte(block, put_byte);
}

static void allocate(struct run *run, struct block *block) {
    uint64_t bytes = draw_bytes(run), kind = draw(run, 8);

    if (kind == 0) {
        uint64_t align = (uint64_t)1 << draw(run, 14);
        uint64_t at = quire_heap_memalign(run->rig.heap, align, bytes);
        assert_int_equal(at % align, 0);
        hold(run, block, at, bytes);
    } else if (kind <= 2) {
        uint64_t count = 1 + draw(run, 3), at = quire_heap_calloc(run->rig.heap, count, bytes);
        for (uint64_t i = 0; at != 0 && i < count * bytes; i++) {
            assert_int_equal(((unsigned char *)at)[i], 0);
        }
        hold(run, block, at, count * bytes);
    } else {
        hold(run, block, quire_heap_alloc(run->rig.heap, bytes), bytes);
    }
}

static void reallocate(struct run *run, struct block *block) {
    uint64_t bytes = draw(run, 4) == 0 ? block->bytes + draw(run, 64) : draw_bytes(run);
    uint64_t at = quire_heap_realloc(run->rig.heap, block->at, bytes);

    if (at == 0) {
        run->refusals++;
        each_byte(block, check_byte);
        return;
    }
    /* The bytes that both lengths have, as far as they were written. */
    uint64_t both = bytes < block->bytes ? bytes : block->bytes;
    for (uint64_t i = 0; i < both && i < 2048; i++) {
        assert_int_equal(((unsigned char *)at)[i], (unsigned char)(block->stamp + i * 7));
    }
    if (both == block->bytes && both > 4096) {
        assert_int_equal(((unsigned char *)at)[both - 1],
                         (unsigned char)(block->stamp + (both - 1) * 7));
    }
    *block = (struct block){0};
    hold(run, block, at, bytes);
}

static void release(struct run *run, struct block *block) {
    each_byte(block, check_byte);
    quire_heap_free(run->rig.heap, block->at);
    *block = (struct block){0};
}

static void step(struct run *run, bool strange) {
    struct block *block = &run->blocks[draw(run, BLOCKS)];

    if (strange && draw(run, 400) == 0) {
        (void)rig_grow(&run->rig, (int64_t)draw(run, 5000) + 1);
    } else if (draw(run, 300) == 0) {
        (void)quire_heap_trim(run->rig.heap, draw(run, 100000));
    } else if (draw(run, 300) == 0) {
        (void)quire_heap_option(run->rig.heap, QUIRE_HEAP_MMAP_THRESHOLD, draw(run, 200000));
    } else if (block->at == 0) {
        allocate(run, block);
    } else if (draw(run, 3) == 0) {
        each_byte(block, check_byte);
        reallocate(run, block);
    } else {
        release(run, block);
    }
    rig_audit(&run->rig);
}

static void start(struct run *run, uint64_t seed) {
    memset(run->blocks, 0, sizeof run->blocks);
    run->random = seed * 0x9E3779B97F4A7C15u + 1;
    run->refusals = 0;
    rig_up_at(&run->rig, draw(run, 2) * draw(run, 4096));
    /* Little in stock, so that the port is called often. */
    assert_true(quire_heap_option(run->rig.heap, QUIRE_HEAP_TOP_PAD, seed % 4 * 1000));
    assert_true(quire_heap_option(run->rig.heap, QUIRE_HEAP_TRIM_THRESHOLD, 8 * KIB));
}

static void finish(struct run *run) {
    for (int i = 0; i < BLOCKS; i++) {
        if (run->blocks[i].at != 0) {
            release(run, &run->blocks[i]);
        }
    }
    assert_int_equal(run->rig.mistakes, 0);
    struct quire_heap_figures f = rig_figures(&run->rig);
    assert_int_equal(f.used_blocks + f.mapped_blocks + f.used_bytes + f.mapped_bytes, 0);
    rig_down(&run->rig);
}

static void one_run(uint64_t seed, uint64_t steps) {
    static struct run run;

    print_message("seed %llu\n", (unsigned long long)seed);
    start(&run, seed);
    for (uint64_t i = 0; i < steps; i++) {
        if (seed % 2 == 0 && draw(&run, 10) == 0) {
            run.rig.fail_at = run.rig.calls + draw(&run, 4);
            run.rig.fail_for = 1 + draw(&run, 4);
        }
        step(&run, seed % 3 == 0);
    }
    assert_true(seed % 2 != 0 || run.refusals != 0);
    finish(&run);
}

static void seeds(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        one_run(seed, 4000);
    }
}

/* Each call of the port in a run of 400 steps: failing once, and from there on. */
static void one_failure(void **state) {
    static struct run run;
    uint64_t calls = 1;
    (void)state;

    for (int for_ever = 0; for_ever < 2; for_ever++) {
        for (uint64_t at = 0; at < calls; at++) {
            start(&run, 77);
            run.rig.fail_at = at;
            run.rig.fail_for = for_ever ? UINT64_MAX : 1;
            for (int i = 0; i < 400; i++) {
                step(&run, false);
            }
            if (calls == 1) {
                calls = run.rig.calls;
                assert_true(calls > 10);
            }
            assert_true(!for_ever || at + 1 >= calls || run.refusals != 0 || at > 5);
            finish(&run);
        }
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(seeds), cmocka_unit_test(one_failure)};

    if (argc > 1) {
        one_run(strtoull(argv[1], NULL, 10), argc > 2 ? strtoull(argv[2], NULL, 10) : 10000);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
