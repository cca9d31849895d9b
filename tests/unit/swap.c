/* swap.c: the swap room by itself: slots, priorities, and the seal against every kind of bad disk.
 */
#include "rig.h"

#include <quire/kmem.h>
#include <quire/swapfile.h>

#include "swap/area.h"

#define SWAP_PAGES 1024 /* with the header */

struct fixture {
    struct rig rig;
    struct quire_page *page;
    uint64_t *words;
};

static void setup_with(struct fixture *f, unsigned nswaps) {
    const uint64_t bytes[] = {SWAP_PAGES * RIG_PAGE, SWAP_PAGES * RIG_PAGE, SWAP_PAGES * RIG_PAGE};
    rig_up_with(&f->rig, 4 * RIG_MIB, bytes, nswaps);
    f->page = quire_page_alloc(f->rig.q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_KERNEL);
    assert_non_null(f->page);
    f->words = quire_page_window(f->rig.q, f->page);
    for (unsigned i = 0; i < 512; i++)
        f->words[i] = rig_stamp(i, 7);
}

static void teardown(struct fixture *f) {
    quire_page_free(f->rig.q, f->page);
    rig_down(&f->rig);
}

/* The page as that of an owner with this identity, that goes out now. */
static struct quire_anon owner(struct fixture *f, uint64_t identity) {
    return (struct quire_anon){.page = f->page, .id = identity, .slot = QUIRE_SLOT_NONE, .refs = 1};
}

static struct quire_anon out(struct fixture *f, uint64_t identity) {
    struct quire_anon anon = owner(f, identity);
    assert_int_equal(quire_swap_out(f->rig.q, &anon), QUIRE_OK);
    return anon;
}

static void evictions_are_neighbours(void **state) {
    (void)state;
    struct fixture f;
    setup_with(&f, 1);
    struct quire_anon slots[100];
    for (unsigned i = 0; i < 100; i++)
        slots[i] = out(&f, i);
    for (unsigned i = 1; i < 100; i++)
        assert_int_equal(slots[i].slot.value, slots[0].slot.value + i);
    assert_true((slots[0].slot.value & 0xffffff) >= 1); /* page 0 is the header's */
    quire_swap_audit(f.rig.q, 100);
    /* A hole is not reused at once: the next one follows the last one. */
    quire_swap_release(f.rig.q, &slots[3]);
    struct quire_anon next = out(&f, 1);
    assert_int_equal(next.slot.value, slots[99].slot.value + 1);
    quire_swap_release(f.rig.q, &next);
    for (unsigned i = 0; i < 100; i++) {
        if (i != 3)
            quire_swap_release(f.rig.q, &slots[i]);
    }
    quire_swap_audit(f.rig.q, 0);
    teardown(&f);
}

static void full_swap_and_back(void **state) {
    (void)state;
    struct fixture f;
    setup_with(&f, 1);
    static struct quire_anon slots[SWAP_PAGES];
    assert_int_equal(quire_swap_total(f.rig.q), SWAP_PAGES - 1);
    for (unsigned i = 0; i < SWAP_PAGES - 1; i++)
        slots[i] = out(&f, i);
    assert_int_equal(quire_swap_free(f.rig.q), 0);
    struct quire_anon none = owner(&f, 1);
    assert_int_equal(quire_swap_out(f.rig.q, &none), QUIRE_NOMEM);
    quire_swap_audit(f.rig.q, SWAP_PAGES - 1);
    /* The only hole is found wherever it is. */
    for (unsigned i = 0; i < SWAP_PAGES - 1; i += 97) {
        uint32_t hole = slots[i].slot.value;
        quire_swap_release(f.rig.q, &slots[i]);
        slots[i] = out(&f, i);
        assert_int_equal(slots[i].slot.value, hole);
    }
    for (unsigned i = 0; i < SWAP_PAGES - 1; i++)
        quire_swap_release(f.rig.q, &slots[i]);
    quire_swap_audit(f.rig.q, 0);
    teardown(&f);
}

static unsigned device_of(struct fixture *f, struct quire_anon anon) {
    for (unsigned device = 0; device < 3; device++) {
        if (quire_swap_slot_on(f->rig.q, anon.slot, device))
            return device;
    }
    return 99;
}

static void priorities(void **state) {
    (void)state;
    struct fixture f;
    setup_with(&f, 3); /* priorities -2, -3, -4 */
    struct quire *q = f.rig.q;
    static struct quire_anon slots[3 * SWAP_PAGES];
    unsigned nslots = 0;
    for (unsigned device = 0; device < 3; device++) {
        for (unsigned i = 0; i < SWAP_PAGES - 1; i++) {
            slots[nslots] = out(&f, i);
            assert_int_equal(device_of(&f, slots[nslots]), device);
            nslots++;
        }
    }
    quire_swap_audit(q, nslots);
    assert_int_equal(quire_swap_drop(q, 1), QUIRE_BUSY);
    while (nslots > 0)
        quire_swap_release(q, &slots[--nslots]);
    assert_int_equal(quire_swap_drop(q, 1), QUIRE_OK);
    assert_int_equal(quire_swap_drop(q, 1), QUIRE_INVAL);
    /* Now above the others. */
    assert_int_equal(quire_swap_add(q, 1, 5, NULL), QUIRE_OK);
    assert_int_equal(quire_swap_add(q, 1, 5, NULL), QUIRE_BUSY);
    assert_int_equal(quire_swap_add(q, 7, 5, NULL), QUIRE_INVAL);
    slots[0] = out(&f, 1);
    assert_int_equal(device_of(&f, slots[0]), 1);
    quire_swap_release(q, &slots[0]);
    /* Draining: not used, not counted. */
    quire_swap_drain(q, 1, true);
    assert_int_equal(quire_swap_total(q), 2 * (SWAP_PAGES - 1));
    slots[0] = out(&f, 1);
    assert_int_equal(device_of(&f, slots[0]), 0);
    quire_swap_release(q, &slots[0]);
    teardown(&f);
}

static void equals_take_turns(void **state) {
    (void)state;
    struct fixture f;
    setup_with(&f, 2);
    struct quire *q = f.rig.q;
    assert_int_equal(quire_swap_drop(q, 1), QUIRE_OK);
    assert_int_equal(quire_swap_add(q, 1, -2, NULL), QUIRE_OK); /* as device 0 */
    static struct quire_anon slots[1000];
    unsigned on[2] = {0}, changes = 0;
    for (unsigned i = 0; i < 1000; i++) {
        slots[i] = out(&f, i);
        on[device_of(&f, slots[i])]++;
        bool change = i > 0 && device_of(&f, slots[i]) != device_of(&f, slots[i - 1]);
        assert_int_equal(change, i > 0 && i % 256 == 0); /* SWAPFILE_CLUSTER of Linux */
        changes += change;
    }
    assert_int_equal(on[0], 512);
    assert_int_equal(changes, 3);
    for (unsigned i = 0; i < 1000; i++)
        quire_swap_release(q, &slots[i]);
    teardown(&f);
}

/* What comes back to an owner whose record says otherwise. */
static enum quire_status in_as(struct fixture *f, struct quire_anon anon, uint64_t id,
                               quire_slot slot) {
    anon.id = id;
    anon.slot = slot;
    return quire_swap_in(f->rig.q, &anon, f->page);
}

static void seal_knows_owner_and_place(void **state) {
    (void)state;
    struct fixture f;
    setup_with(&f, 1);
    struct quire *q = f.rig.q;
    struct quire_anon a = out(&f, 10);
    f.words[100]++;
    struct quire_anon b = out(&f, 11);
    assert_int_equal(quire_swap_in(q, &a, f.page), QUIRE_OK);
    assert_true(f.words[100] == rig_stamp(100, 7));
    assert_int_equal(in_as(&f, a, 11, a.slot), QUIRE_IO); /* another owner */
    assert_int_equal(in_as(&f, a, 10, b.slot), QUIRE_IO); /* another place */
    assert_int_equal(in_as(&f, a, 11, b.slot), QUIRE_IO); /* another version */
    assert_int_equal(quire_swap_in(q, &b, f.page), QUIRE_OK);
    assert_int_equal(quire_counters(q)->io_error, 3);
    assert_int_equal(quire_counters(q)->pswpin, 2);
    quire_swap_release(q, &a);
    quire_swap_release(q, &b);
    teardown(&f);
}

static void bad_disks_are_caught(void **state) {
    (void)state;
    struct fixture f;
    setup_with(&f, 1);
    struct quire *q = f.rig.q;
    struct quire_anon good = out(&f, 1);
    for (unsigned i = 0; i < 500; i++) { /* one bit of 32768, another each time */
        quire_soft_inject(f.rig.machine, QUIRE_SOFT_BIT_FLIP, 1);
        assert_int_equal(quire_swap_in(q, &good, f.page), QUIRE_IO);
    }
    quire_soft_inject(f.rig.machine, QUIRE_SOFT_BIT_FLIP, 0);
    quire_soft_inject(f.rig.machine, QUIRE_SOFT_READ_ERROR, 1);
    assert_int_equal(quire_swap_in(q, &good, f.page), QUIRE_IO);
    quire_soft_inject(f.rig.machine, QUIRE_SOFT_READ_ERROR, 0);
    assert_int_equal(quire_swap_in(q, &good, f.page), QUIRE_OK); /* nothing was lost */

    /* A lost write, and one that went elsewhere, are found when the page comes back. */
    f.words[0] = 42;
    quire_soft_inject(f.rig.machine, QUIRE_SOFT_LOST_WRITE, 1);
    struct quire_anon lost = out(&f, 3);
    quire_soft_inject(f.rig.machine, QUIRE_SOFT_LOST_WRITE, 0);
    assert_int_equal(quire_swap_in(q, &lost, f.page), QUIRE_IO);
    f.words[0] = 43;
    quire_soft_inject(f.rig.machine, QUIRE_SOFT_MISDIRECTED, 1);
    struct quire_anon astray = out(&f, 4);
    quire_soft_inject(f.rig.machine, QUIRE_SOFT_MISDIRECTED, 0);
    assert_int_equal(quire_swap_in(q, &astray, f.page), QUIRE_IO);
    assert_int_equal(quire_counters(q)->io_error, 500 + 3);
    quire_swap_release(q, &good);
    quire_swap_release(q, &lost);
    quire_swap_release(q, &astray);
    teardown(&f);
}

/* An older version of a page, which its slot still has: the write of the newer one was lost. */
static void stale_pages_are_caught(void **state) {
    (void)state;
    struct fixture f;
    setup_with(&f, 1);
    struct quire *q = f.rig.q;
    struct quire_anon anon = out(&f, 1);
    quire_slot place = anon.slot;
    quire_swap_release(q, &anon);
    f.words[511]++;
    quire_soft_inject(f.rig.machine, QUIRE_SOFT_LOST_WRITE, 1);
    do { /* round the whole area, to the same slot */
        if (!quire_slot_is_none(anon.slot))
            quire_swap_release(q, &anon);
        assert_int_equal(quire_swap_out(q, &anon), QUIRE_OK);
    } while (anon.slot.value != place.value);
    quire_soft_inject(f.rig.machine, QUIRE_SOFT_LOST_WRITE, 0);
    assert_int_equal(quire_swap_in(q, &anon, f.page), QUIRE_IO);
    assert_int_equal(quire_counters(q)->io_error, 1);
    quire_swap_release(q, &anon);
    teardown(&f);
}

static uint64_t spoiled(struct quire *q) {
    struct quire_swap_info info;
    assert_true(quire_swap_area(q, 0, &info));
    return info.spoiled;
}

/* The page stays its owner's, the slot is left alone until there is no other. */
static void failed_writes_spoil_the_slot(void **state) {
    (void)state;
    struct fixture f;
    setup_with(&f, 1);
    struct quire *q = f.rig.q;
    static struct quire_anon slots[SWAP_PAGES];
    uint32_t spoiled_slots[4];
    uint64_t total = quire_swap_total(q);
    struct quire_anon anon = owner(&f, 1);
    for (unsigned i = 0; i < 4; i++) {
        quire_soft_inject(f.rig.machine, QUIRE_SOFT_WRITE_ERROR, 1);
        assert_int_equal(quire_swap_out(q, &anon), QUIRE_IO);
        assert_true(quire_slot_is_none(anon.slot) && anon.page == f.page);
        quire_soft_inject(f.rig.machine, QUIRE_SOFT_WRITE_ERROR, 0);
        spoiled_slots[i] = 1 + i; /* the next after the last one given out */
    }
    assert_int_equal(quire_counters(q)->io_error, 4);
    assert_int_equal(quire_swap_total(q), total - 4);
    assert_int_equal(quire_swap_free(q), total - 4);
    assert_int_equal(spoiled(q), 4);
    quire_swap_audit(q, 0);
    for (unsigned i = 0; i < total - 4; i++) {
        slots[i] = out(&f, i);
        uint32_t page = slots[i].slot.value & 0xffff;
        for (unsigned k = 0; k < 4; k++)
            assert_int_not_equal(page, spoiled_slots[k]);
    }
    assert_int_equal(quire_swap_free(q), 0);
    assert_true(quire_swap_has_room(q));
    for (unsigned i = 0; i < 4; i++)
        slots[total - 4 + i] = out(&f, i);
    assert_int_equal(spoiled(q), 0);
    assert_false(quire_swap_has_room(q));
    quire_swap_audit(q, total);
    for (unsigned i = 0; i < total; i++)
        quire_swap_release(q, &slots[i]);
    teardown(&f);
}

static int priority_of(struct quire *q, unsigned device) {
    struct quire_swap_info info;
    for (unsigned i = 0; quire_swap_area(q, i, &info); i++) {
        if (info.device == device)
            return info.priority;
    }
    return 12345;
}

/* As Linux: -2, -3, -4; those below one that goes move up. */
static void priorities_left_to_us(void **state) {
    (void)state;
    struct fixture f;
    setup_with(&f, 3);
    struct quire *q = f.rig.q;
    for (unsigned device = 0; device < 3; device++)
        assert_int_equal(quire_swap_drop(q, device), QUIRE_OK);
    for (unsigned device = 0; device < 3; device++)
        assert_int_equal(quire_swap_add(q, device, QUIRE_SWAP_PRIORITY_AUTO, NULL), QUIRE_OK);
    for (unsigned device = 0; device < 3; device++)
        assert_int_equal(priority_of(q, device), -2 - (int)device);
    assert_int_equal(quire_swap_drop(q, 1), QUIRE_OK);
    assert_int_equal(priority_of(q, 0), -2);
    assert_int_equal(priority_of(q, 2), -3);
    assert_int_equal(quire_swap_add(q, 1, 7, NULL), QUIRE_OK); /* named: changes no other */
    assert_int_equal(priority_of(q, 2), -3);
    assert_int_equal(quire_swap_drop(q, 1), QUIRE_OK);
    assert_int_equal(quire_swap_add(q, 1, QUIRE_SWAP_PRIORITY_AUTO, NULL), QUIRE_OK);
    assert_int_equal(priority_of(q, 1), -4);
    quire_swap_audit(q, 0);
    teardown(&f);
}

/* ---- headers ----------------------------------------------------------------------------------
 */

static void put_page0(struct fixture *f, const uint8_t *bytes) {
    memcpy(f->words, bytes, RIG_PAGE);
    assert_int_equal(
        quire_mach_swap_write(f->rig.machine, 0, 0, quire_page_frame(f->rig.q, f->page)), QUIRE_OK);
}

static void put32(uint8_t *bytes, unsigned at, uint32_t value) {
    for (unsigned i = 0; i < 4; i++)
        bytes[at + i] = (uint8_t)(value >> 8 * i);
}

static const uint8_t uuid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static void headers_are_respected(void **state) {
    (void)state;
    struct fixture f;
    setup_with(&f, 1);
    struct quire *q = f.rig.q;
    assert_int_equal(quire_swap_drop(q, 0), QUIRE_OK);
    uint8_t page[4096];
    quire_swap_format(page, 500, uuid, "a label that is far too long");
    struct quire_swap_header header;
    assert_int_equal(quire_swap_inspect(page, 4096, 500, &header), QUIRE_SWAP_GOOD);
    assert_int_equal(header.npages, 500);
    assert_memory_equal(header.uuid, uuid, 16);
    assert_string_equal(header.label, "a label that is");
    /* Three bad pages, one of them named twice. */
    const uint32_t bad[] = {1, 499, 77, 77};
    put32(page, 1032, 4);
    for (unsigned i = 0; i < 4; i++)
        put32(page, 1536 + 4 * i, bad[i]);
    put_page0(&f, page);
    assert_int_equal(quire_swap_add(q, 0, 3, "/var/swap file"), QUIRE_OK);
    assert_int_equal(quire_swap_total(q), 499 - 3);
    static struct quire_anon slots[500];
    for (unsigned i = 0; i < 499 - 3; i++) {
        slots[i] = out(&f, i);
        uint32_t at = slots[i].slot.value & 0xffff;
        assert_true(at > 1 && at < 499 && at != 77);
    }
    assert_false(quire_swap_has_room(q));
    quire_swap_audit(q, 499 - 3);
    for (unsigned i = 0; i < 499 - 3; i++)
        quire_swap_release(q, &slots[i]);
    /* Nothing has touched the header. */
    quire_frame frame = quire_page_frame(q, f.page);
    assert_int_equal(quire_mach_swap_read(f.rig.machine, 0, 0, &frame, 1), QUIRE_OK);
    assert_memory_equal(f.words, page, 4096);
    teardown(&f);
}

static void wrong_headers_are_refused(void **state) {
    (void)state;
    struct fixture f;
    setup_with(&f, 1);
    struct quire *q = f.rig.q;
    assert_int_equal(quire_swap_drop(q, 0), QUIRE_OK);
    struct quire_swap_header header;
    static const struct {
        enum quire_swap_verdict verdict;
        unsigned at;
        uint32_t value;
    } wrong[] = {
        {QUIRE_SWAP_ENDIAN, 1024, 0x01000000},  {QUIRE_SWAP_VERSION, 1024, 2},
        {QUIRE_SWAP_VERSION, 1024, 0},          {QUIRE_SWAP_EMPTY, 1028, 0},
        {QUIRE_SWAP_TRUNCATED, 1028, 1024},     {QUIRE_SWAP_TRUNCATED, 1028, UINT32_MAX},
        {QUIRE_SWAP_BAD_LIST, 1032, 638},       {QUIRE_SWAP_BAD_LIST, 1032, 1}, /* page 0 */
        {QUIRE_SWAP_UNKNOWN, 4088, 0x20202020},
    };
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint8_t page[4096];
        quire_swap_format(page, 1024, uuid, NULL);
        put32(page, wrong[i].at, wrong[i].value);
        assert_int_equal(quire_swap_inspect(page, 4096, 1024, &header), wrong[i].verdict);
        assert_true(strlen(quire_swap_verdict_text(wrong[i].verdict)) > 10);
        put_page0(&f, page);
        assert_int_equal(quire_swap_add(q, 0, 3, NULL), QUIRE_INVAL);
    }
    uint8_t page[4096];
    const char *const magics[] = {"SWAP-SPACE", "S1SUSPEND\0", "LINHIB0001"};
    for (unsigned i = 0; i < 3; i++) {
        quire_swap_format(page, 1024, uuid, NULL);
        memcpy(page + 4086, magics[i], 10);
        put_page0(&f, page);
        assert_int_equal(quire_swap_inspect(page, 4096, 1024, &header),
                         i ? QUIRE_SWAP_SUSPENDED : QUIRE_SWAP_OLD);
        assert_int_equal(quire_swap_add(q, 0, 3, NULL), QUIRE_INVAL);
    }
    static uint8_t large[QUIRE_SWAP_LOOK_BYTES];
    memcpy(large + 16384 - 10, "SWAPSPACE2", 10);
    assert_int_equal(quire_swap_inspect(large, sizeof large, 1024, &header), QUIRE_SWAP_PAGE_SIZE);
    memset(large, 0, sizeof large);
    assert_int_equal(quire_swap_inspect(large, sizeof large, 1024, &header), QUIRE_SWAP_BLANK);
    /* All pages bad: nothing to use. */
    quire_swap_format(page, 3, uuid, NULL);
    put32(page, 1032, 2);
    put32(page, 1536, 1);
    put32(page, 1540, 2);
    put_page0(&f, page);
    assert_int_equal(quire_swap_add(q, 0, 3, NULL), QUIRE_INVAL);
    quire_soft_inject(f.rig.machine, QUIRE_SOFT_READ_ERROR, 1);
    assert_int_equal(quire_swap_add(q, 0, 3, NULL), QUIRE_IO);
    quire_soft_inject(f.rig.machine, QUIRE_SOFT_READ_ERROR, 0);
    quire_fail_every(q, 1);
    assert_int_equal(quire_swap_add(q, 0, 3, NULL), QUIRE_NOMEM);
    quire_fail_every(q, 0);
    teardown(&f);
}

/* Each reason has a text of its own, and one that is no reason has one too. */
static void reasons(void **state) {
    (void)state;
    for (int a = QUIRE_SWAP_GOOD; a <= QUIRE_SWAP_BAD_LIST + 1; a++) {
        const char *text = quire_swap_verdict_text((enum quire_swap_verdict)a);
        assert_true(strlen(text) > 10);
        for (int b = QUIRE_SWAP_GOOD; b < a; b++)
            assert_string_not_equal(text, quire_swap_verdict_text((enum quire_swap_verdict)b));
    }
}

/* /proc/swaps has room for the end of a long path. */
static void long_names(void **state) {
    (void)state;
    char path[300];
    struct fixture f;
    struct quire_swap_info info;
    setup_with(&f, 1);
    assert_true(quire_swap_area(f.rig.q, 0, &info));
    assert_null(info.name); /* a device */
    assert_int_equal(quire_swap_drop(f.rig.q, 0), QUIRE_OK);
    for (unsigned length = 90; length < 100; length++) {
        for (unsigned i = 0; i < length; i++)
            path[i] = (char)('a' + i % 23);
        path[length] = 0;
        assert_int_equal(quire_swap_add(f.rig.q, 0, 3, path), QUIRE_OK);
        assert_true(quire_swap_area(f.rig.q, 0, &info));
        assert_string_equal(info.name, length < 96 ? path : path + length - 95);
        assert_int_equal(quire_swap_drop(f.rig.q, 0), QUIRE_OK);
    }
    assert_false(quire_swap_area(f.rig.q, 0, &info));
    teardown(&f);
}

/* An area of two chunks of the map: full ones are passed over, spoiled slots come back in both. */
static void two_chunks(void **state) {
    (void)state;
    enum { PAGES = CHUNK_SLOTS + 200 };
    static struct quire_anon slots[PAGES];
    const uint64_t bytes[] = {PAGES * RIG_PAGE};
    struct fixture f = {0};
    rig_up_with(&f.rig, 8 * RIG_MIB, bytes, 1);
    struct quire *q = f.rig.q;
    f.page = quire_page_alloc(q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_KERNEL);
    f.words = quire_page_window(q, f.page);
    const struct swap_area *area = &q->swap->areas[0];
    for (uint32_t i = SLOT_FIRST; i < PAGES; i++) {
        slots[i] = out(&f, i);
        assert_int_equal(slots[i].slot.value, i);
    }
    assert_false(quire_slots_is_owned(area, 0));
    assert_true(quire_slots_is_owned(area, PAGES - 1));
    assert_false(quire_slots_is_owned(area, PAGES));
    /* The search is at the start: the first chunk is full, a hole is in the second. */
    static const uint32_t holes[] = {CHUNK_SLOTS + 77, CHUNK_SLOTS, CHUNK_SLOTS - 1, SLOT_FIRST};
    for (unsigned i = 0; i < 4; i++) {
        uint32_t hole = holes[i];
        quire_swap_release(q, &slots[hole]);
        assert_false(quire_slots_is_owned(area, hole));
        slots[hole] = out(&f, hole);
        assert_int_equal(slots[hole].slot.value, hole);
    }
    /* Spoiled in both; when nothing else is left they are given out again. */
    for (unsigned i = 0; i < 4; i++) {
        quire_swap_release(q, &slots[holes[i]]);
        struct quire_anon anon = owner(&f, 1);
        quire_soft_inject(f.rig.machine, QUIRE_SOFT_WRITE_ERROR, 1);
        assert_int_equal(quire_swap_out(q, &anon), QUIRE_IO);
        quire_soft_inject(f.rig.machine, QUIRE_SOFT_WRITE_ERROR, 0);
        assert_false(quire_slots_is_owned(area, holes[i]));
    }
    assert_int_equal(spoiled(q), 4);
    quire_swap_audit(q, PAGES - 1 - 4);
    for (unsigned i = 0; i < 4; i++)
        slots[holes[i]] = out(&f, i);
    assert_int_equal(spoiled(q), 0);
    quire_swap_audit(q, PAGES - 1);
    for (uint32_t i = SLOT_FIRST; i < PAGES; i++)
        quire_swap_release(q, &slots[i]);
    quire_swap_audit(q, 0);
    teardown(&f);
}

/* Pages by which the device of the next two grows, and with which it begins. */
#define STEP 64

static struct fixture growing(void) {
    struct fixture f = {0};
    struct quire_soft_config machine = {.ram_bytes = 4 * RIG_MIB,
                                        .swap_bytes = {STEP * RIG_PAGE},
                                        .swap_step_bytes = {STEP * RIG_PAGE},
                                        .swap_max_bytes = {40 * RIG_MIB},
                                        .seed = 1};
    assert_int_equal(quire_soft_create(&machine, &f.rig.machine), QUIRE_OK);
    struct quire_config config = {.machine = f.rig.machine};
    assert_int_equal(quire_create(&config, &f.rig.q), QUIRE_OK);
    assert_int_equal(quire_swapon(f.rig.q, 0, 1), QUIRE_OK);
    f.page = quire_page_alloc(f.rig.q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_KERNEL);
    f.words = quire_page_window(f.rig.q, f.page);
    return f;
}

/* A device that grows: without memory for the longer map the area stays as it is, and grows when
 * there is some again. */
static void growth_without_memory(void **state) {
    (void)state;
    static struct quire_anon slots[20 * STEP];
    struct fixture f = growing();
    struct quire *q = f.rig.q;
    unsigned n = 0, refused = 0;
    for (unsigned round = 0; round < 10; round++) {
        quire_fail_every(q, round % 3 == 0 ? 1 : 2); /* all; the longer map; */
        if (round % 3 == 2)                          /* or the new list: the map goes back */
            quire_kfree(q, quire_kmalloc(q, 8));
        uint64_t total = quire_swap_total(q);
        struct quire_anon anon = owner(&f, n);
        enum quire_status status;
        while ((status = quire_swap_out(q, &anon)) == QUIRE_OK) {
            slots[n++] = anon;
            anon = owner(&f, n);
        }
        refused += status == QUIRE_NOMEM;
        assert_int_equal(quire_swap_total(q), total);
        quire_swap_audit(q, n);
        quire_fail_every(q, 0);
        slots[n] = out(&f, n);
        n++;
        assert_true(quire_swap_total(q) > total);
        quire_swap_audit(q, n);
    }
    assert_int_equal(refused, 10);
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(quire_swap_in(q, &slots[i], f.page), QUIRE_OK);
        quire_swap_release(q, &slots[i]);
    }
    teardown(&f);
}

/* A device is asked whether it grew when an eighth of the area is left, and not before. */
static void grows_at_an_eighth(void **state) {
    (void)state;
    static struct quire_anon slots[3 * STEP];
    struct fixture f = growing();
    const struct swap_area *area = &f.rig.q->swap->areas[0];
    unsigned grown = 0;
    for (unsigned n = 0; n < 3 * STEP; n++) {
        uint64_t before = area->npages;
        bool due = area->free <= before / 8;
        slots[n] = out(&f, n);
        assert_int_equal(area->npages > before, due);
        grown += due;
    }
    assert_int_equal(grown, 3);
    for (unsigned n = 0; n < 3 * STEP; n++)
        quire_swap_release(f.rig.q, &slots[n]);
    teardown(&f);
}

/* Neighbours in one request: those asked for and no more; a guess that is wrong is no error. */
static void runs_of_pages(void **state) {
    (void)state;
    enum { RUN = 5 };
    struct fixture f;
    struct quire_anon anons[RUN], *run[RUN];
    struct quire_page *pages[RUN];
    bool good[RUN];
    setup_with(&f, 1);
    struct quire *q = f.rig.q;
    for (unsigned i = 0; i < RUN; i++) {
        f.words[0] = i;
        anons[i] = out(&f, i);
        run[i] = &anons[i];
        pages[i] = quire_page_alloc(q, 0, QUIRE_USE_KERNEL, QUIRE_ALLOC_KERNEL);
        assert_non_null(pages[i]);
    }
    for (unsigned count = 1; count < RUN; count++) {
        memset(good, true, sizeof good);
        for (unsigned i = 0; i < RUN; i++)
            memset(quire_page_window(q, pages[i]), 0xEE, RIG_PAGE);
        anons[count / 2].id++; /* this one is not what it was */
        quire_swap_in_run(q, run, pages, count, count - 1, good);
        anons[count / 2].id--;
        for (unsigned i = 0; i < RUN; i++) {
            const uint64_t *words = quire_page_window(q, pages[i]);
            assert_int_equal(good[i], i != count / 2 || i >= count);
            if (i < count)
                assert_int_equal(words[0], i);
            else
                assert_true(words[0] == 0xEEEEEEEEEEEEEEEEu);
        }
        assert_int_equal(quire_counters(q)->io_error, count <= 2 ? count : 2);
    }
    for (unsigned i = 0; i < RUN; i++) {
        quire_swap_release(q, &anons[i]);
        quire_page_free(q, pages[i]);
    }
    teardown(&f);
}

/* Which device a page is on; that there is too little room left. */
static void where_and_how_full(void **state) {
    (void)state;
    struct fixture f;
    static struct quire_anon slots[SWAP_PAGES];
    setup_with(&f, 2);
    struct quire *q = f.rig.q;
    assert_false(quire_swap_slot_on(q, QUIRE_SLOT_NONE, 0));
    assert_int_equal(quire_swap_drop(q, 1), QUIRE_OK);
    unsigned half = SWAP_PAGES / 2;
    for (unsigned i = 0; i < half; i++) {
        assert_false(quire_swap_is_full(q));
        slots[i] = out(&f, i);
    }
    assert_true(quire_swap_is_full(q));
    assert_true(quire_swap_slot_on(q, slots[0].slot, 0));
    assert_false(quire_swap_slot_on(q, slots[0].slot, 1));
    unsigned area;
    uint32_t page;
    quire_swap_place((quire_slot){3u << 28 | 12345}, &area, &page);
    assert_int_equal(area, 3);
    assert_int_equal(page, 12345);
    assert_true(quire_swap_is_behind(slots[4].slot, slots[3].slot, 1));
    assert_false(quire_swap_is_behind(slots[5].slot, slots[3].slot, 1));
    assert_true(quire_swap_is_behind(slots[3].slot, slots[5].slot, -2));
    quire_slot there = slots[0].slot;
    for (unsigned i = 0; i < half; i++)
        quire_swap_release(q, &slots[i]);
    assert_int_equal(quire_swap_drop(q, 0), QUIRE_OK);
    assert_false(quire_swap_slot_on(q, there, 0));
    assert_false(quire_swap_is_full(q)); /* there is none that could be */
    teardown(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evictions_are_neighbours),
        cmocka_unit_test(full_swap_and_back),
        cmocka_unit_test(priorities),
        cmocka_unit_test(equals_take_turns),
        cmocka_unit_test(seal_knows_owner_and_place),
        cmocka_unit_test(bad_disks_are_caught),
        cmocka_unit_test(stale_pages_are_caught),
        cmocka_unit_test(failed_writes_spoil_the_slot),
        cmocka_unit_test(priorities_left_to_us),
        cmocka_unit_test(headers_are_respected),
        cmocka_unit_test(wrong_headers_are_refused),
        cmocka_unit_test(reasons),
        cmocka_unit_test(long_names),
        cmocka_unit_test(two_chunks),
        cmocka_unit_test(runs_of_pages),
        cmocka_unit_test(where_and_how_full),
        cmocka_unit_test(growth_without_memory),
        cmocka_unit_test(grows_at_an_eighth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
