/* view_frames.c: the maps for pictures: read back, added up, and compared with the texts that count
 * the same, at every size of a cell; cut at every length.
 */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>

#define RAM (8 * RIG_MIB)

struct fixture {
    struct rig rig;
    uint64_t anon;
    char text[1 << 18], other[65536];
};

/* Twice as much memory as there is RAM, a child that shares it, holes in between. */
static void setup(struct fixture *f) {
    struct rig *rig = &f->rig;
    rig_up(rig, RAM, 4 * RAM);
    struct quire_space *space = rig_space(rig, 0);
    f->anon = rig_map(rig, 0, 2 * RAM, RIG_RW, 0);
    rig_fill(rig, 0, f->anon, 2 * RAM / RIG_PAGE, 0);
    quire_vaddr va = quire_va(f->anon + 5 * RIG_PAGE);
    assert_int_equal(quire_unmap(space, va, 3 * RIG_PAGE), QUIRE_OK);
    rig_map(rig, 0, 100 * RIG_PAGE, QUIRE_PROT_READ, 0); /* never touched */
    assert_int_equal(quire_space_fork(space, &rig->spaces[1], &rig->spaces[1]), QUIRE_OK);
}

/* The number behind a label at the beginning of a line, in pages. */
static uint64_t pages_of(const char *text, const char *label) {
    const char *at = strstr(text, label);
    assert_non_null(at);
    return strtoull(at + strlen(label), NULL, 10) / 4;
}

struct sums {
    uint64_t cells, frames, cell, all, by_order[QUIRE_NORDERS], cached, anon, table, slab;
};

static void add_kind(struct sums *sums, const char *kind, uint64_t frames) {
    sums->all += frames;
    if (strncmp(kind, "free", 4) == 0)
        sums->by_order[atoi(kind + 4)] += frames;
    else if (strcmp(kind, "cached") == 0)
        sums->cached += frames;
    else if (strcmp(kind, "anon") == 0)
        sums->anon += frames;
    else if (strcmp(kind, "table") == 0)
        sums->table += frames;
    else if (strcmp(kind, "slab") == 0)
        sums->slab += frames;
}

/* Every line: so many cells, and kinds that fill each (the last one may be smaller). */
static struct sums read_frames(char *text) {
    struct sums sums = {0};
    unsigned long long first, frames, cell, count, n;
    char *at, kind[16], previous[256] = "";
    assert_int_equal(sscanf(text, "first %llu frames %llu cell %llu", &first, &frames, &cell), 3);
    strtok_r(text, "\n", &at);
    for (char *line; (line = strtok_r(NULL, "\n", &at)) != NULL;) {
        unsigned long long inside = 0;
        int used;
        count = strtoull(line, &line, 10);
        assert_true(count > 0);
        assert_string_not_equal(line, previous); /* equal neighbours are one line */
        snprintf(previous, sizeof previous, "%s", line);
        for (; sscanf(line, " %15s %llu%n", kind, &n, &used) == 2; line += used) {
            add_kind(&sums, kind, n * count);
            inside += n;
        }
        assert_true(*line == '\0' && (inside == cell || (count == 1 && inside < cell)));
        sums.cells += count;
    }
    sums.frames = frames;
    sums.cell = cell;
    return sums;
}

static void frames(void **state) {
    struct fixture *f = *state;
    struct quire *q = f->rig.q;
    unsigned long long blocks;
    quire_view_meminfo(q, f->other, sizeof f->other);
    for (unsigned most = 1; most <= 4096; most *= 4) {
        assert_true(quire_view_frames(q, most, f->text, sizeof f->text) < sizeof f->text);
        struct sums sums = read_frames(f->text);
        assert_true(sums.cells <= most);
        assert_int_equal(sums.frames, RAM / RIG_PAGE);
        assert_int_equal(sums.all, sums.frames);
        assert_true(sums.cell == 1 || 2 * sums.cells > most || sums.frames < most);
        assert_int_equal(sums.anon, pages_of(f->other, "AnonPages:"));
        assert_int_equal(sums.table, pages_of(f->other, "PageTables:"));
        assert_int_equal(sums.slab, pages_of(f->other, "Slab:"));
        uint64_t free = sums.cached;
        char buddy[512], *at;
        quire_view_buddyinfo(q, buddy, sizeof buddy);
        at = strchr(buddy, 'z') + strlen("zone      DMA");
        for (unsigned order = 0; order < QUIRE_NORDERS; order++) {
            blocks = strtoull(at, &at, 10);
            assert_int_equal(sums.by_order[order], blocks << order);
            free += sums.by_order[order];
        }
        assert_int_equal(free, pages_of(f->other, "MemFree:"));
    }
}

/* The sums of one region's cells. */
static const char *read_strip(const char *line, uint64_t cell, uint64_t sums[3]) {
    unsigned long long start, end, count, n[3];
    uint64_t cells = 0;
    int used;
    assert_int_equal(sscanf(line, "%llx-%llx%n", &start, &end, &used), 2);
    memset(sums, 0, 3 * sizeof sums[0]);
    for (line += used; *line == ' '; line += used) {
        assert_int_equal(sscanf(line, " %llu:%llu/%llu/%llu%n", &count, &n[0], &n[1], &n[2], &used),
                         4);
        assert_true(n[0] + n[1] + n[2] <= cell);
        cells += count;
        for (unsigned i = 0; i < 3; i++)
            sums[i] += n[i] * count;
    }
    assert_int_equal(cells, ((end - start) / RIG_PAGE + cell - 1) / cell);
    assert_int_equal(*line, '\n');
    return line + 1;
}

static void pages(void **state) {
    struct fixture *f = *state;
    for (unsigned who = 0; who < 2; who++) {
        const struct quire_space *space = f->rig.spaces[who];
        quire_view_smaps(space, f->other, sizeof f->other);
        for (unsigned most = 1; most <= 32768; most *= 8) {
            uint64_t sums[3], nregions = 0;
            quire_view_pages(space, most, f->text, sizeof f->text);
            uint64_t cell = strtoull(f->text + strlen("cell "), NULL, 10);
            const char *line = strchr(f->text, '\n') + 1, *smaps = f->other;
            for (; *line; nregions++) {
                line = read_strip(line, cell, sums);
                smaps = strstr(smaps, "Rss:");
                assert_int_equal(sums[0] + sums[1], pages_of(smaps, "Rss:"));
                assert_int_equal(sums[0], pages_of(smaps, "Anonymous:"));
                assert_int_equal(sums[2], pages_of(smaps, "Swap:"));
                smaps += strlen("Rss:");
            }
            assert_null(strstr(smaps, "Rss:"));
            assert_int_equal(nregions, 3);
            assert_true(most > 1 || cell >= 2 * RAM / RIG_PAGE / 2);
        }
        assert_int_equal(strtoull(f->text + strlen("cell "), NULL, 10), 1);
    }
}

static void cut(void **state) {
    struct fixture *f = *state;
    size_t length = quire_view_frames(f->rig.q, 64, f->text, sizeof f->text);
    size_t strips = quire_view_pages(f->rig.spaces[0], 64, f->other, sizeof f->other);
    char piece[8192];
    assert_true(length < sizeof piece && strips < sizeof piece);
    assert_int_equal(quire_view_frames(f->rig.q, 64, NULL, 0), length);
    for (size_t capacity = 1; capacity <= length + 1; capacity++) {
        assert_int_equal(quire_view_frames(f->rig.q, 64, piece, capacity), length);
        assert_memory_equal(piece, f->text, capacity - 1);
        assert_int_equal(piece[capacity - 1], 0);
    }
    for (size_t capacity = 1; capacity <= strips + 1; capacity++) {
        assert_int_equal(quire_view_pages(f->rig.spaces[0], 64, piece, capacity), strips);
        assert_memory_equal(piece, f->other, capacity - 1);
    }
}

static int up(void **state) {
    static struct fixture fixture;
    setup(&fixture);
    *state = &fixture;
    return 0;
}

static int down(void **state) {
    struct fixture *f = *state;
    rig_down(&f->rig);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames),
        cmocka_unit_test(pages),
        cmocka_unit_test(cut),
    };
    return cmocka_run_group_tests(tests, up, down);
}
