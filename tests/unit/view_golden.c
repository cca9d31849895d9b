/* view_golden.c: what a small world of known content looks like in all views of a process.
 *
 * The world below is drawn so that every column and every flag has something to show. Its texts lie
 * in view.golden, which was read line by line against Linux's documentation (proc(5), and
 * Documentation/filesystems/proc.rst): whoever changes a view changes that file, and answers for
 * it.
 *
 *     QUIRE_GOLDEN=write unit_view_golden     writes the file anew: read the difference
 *
 * Of the machine-wide texts the names and their order are kept, not the numbers: those change with
 * the size of any structure, and view.c compares them with the manager's own.
 */
#include <stdlib.h>

#include "rig.h"

#ifndef UNIT_DIR
#error "the build says where this file lies"
#endif

#define RAM        (6 * RIG_MIB)
#define TEXT_MAX   65536
#define FILE_PAGES 16

struct world {
    struct rig rig;
    uint8_t file[FILE_PAGES * 4096];
    uint64_t heap, text, shared, private_file, shm, locked, lazy, special, stack;
};

/* ---- a file ------------------------------------------------------------------------------------
 */

static enum quire_status file_read(void *context, uint64_t offset, void *bytes) {
    memcpy(bytes, (uint8_t *)context + offset, 4096);
    return QUIRE_OK;
}

static enum quire_status file_write(void *context, uint64_t offset, const void *bytes) {
    memcpy((uint8_t *)context + offset, bytes, 4096);
    return QUIRE_OK;
}

static uint64_t file_size(void *context) {
    (void)context;
    return FILE_PAGES * 4096;
}

static void file_release(void *context) {
    (void)context;
}

static const struct quire_pager pager = {
    .read = file_read, .write = file_write, .size = file_size, .release = file_release};

/* ---- the world ---------------------------------------------------------------------------------
 */

static uint64_t map_at(struct world *w, uint64_t at, uint64_t npages, unsigned prot, unsigned flags,
                       struct quire_object *object, uint64_t offset) {
    quire_vaddr va = quire_va(at);
    assert_int_equal(quire_map(w->rig.spaces[0], &va, npages * RIG_PAGE, prot,
                               flags | QUIRE_MAP_FIXED, object, offset),
                     QUIRE_OK);
    return va.value;
}

static void advise(struct world *w, uint64_t va, uint64_t npages, enum quire_advice advice) {
    assert_int_equal(quire_advise(w->rig.spaces[0], quire_va(va), npages * RIG_PAGE, advice),
                     QUIRE_OK);
}

static void files(struct world *w) {
    const struct quire_object_info info = {
        .name = "/lib/libx.so.1", .inode = 247498, .device_major = 0xfe, .device_minor = 1};
    struct quire_object *file, *shm;
    uint64_t value;
    assert_int_equal(quire_object_create_file(w->rig.q, &pager, w->file, &info, &file), QUIRE_OK);
    w->text = map_at(w, 0x400000, 8, QUIRE_PROT_READ | QUIRE_PROT_EXEC, 0, file, 0);
    w->private_file = map_at(w, 0x410000, 4, RIG_RW, 0, file, 8 * RIG_PAGE);
    w->shared = map_at(w, 0x420000, 4, RIG_RW, QUIRE_MAP_SHARED, file, 12 * RIG_PAGE);
    map_at(w, 0x428000, 2, QUIRE_PROT_READ, QUIRE_MAP_SHARED | QUIRE_MAP_DENY_WRITE, file, 0);
    quire_object_unref(file);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(rig_load(&w->rig, 0, w->text + i * RIG_PAGE, &value), QUIRE_OK);
    rig_fill(&w->rig, 0, w->private_file, 2, 0); /* copies */
    rig_fill(&w->rig, 0, w->shared, 3, 0);       /* dirty */
    const struct quire_object_info name = {.name = "/dev/shm/ring (deleted)", .inode = 7};
    assert_int_equal(quire_object_create_shm(w->rig.q, 8 * RIG_PAGE, &name, &shm), QUIRE_OK);
    w->shm = map_at(w, 0x430000, 8, RIG_RW, QUIRE_MAP_SHARED, shm, 0);
    quire_object_unref(shm);
    rig_fill(&w->rig, 0, w->shm, 6, 0);
}

static void build(struct world *w) {
    struct rig *rig = &w->rig;
    rig_up(rig, RAM, 4 * RIG_MIB);
    memset(w->file, 0x55, sizeof w->file);
    struct quire_space *space = rig_space(rig, 0);
    quire_brk_start(space, quire_va(0x500000));
    quire_brk(space, quire_va(0x500000 + 33 * RIG_PAGE));
    w->heap = 0x500000;
    rig_fill(rig, 0, w->heap, 20, 0);
    files(w);
    w->locked = map_at(w, 0x600000, 4, RIG_RW, QUIRE_MAP_LOCKED, NULL, 0);
    w->lazy = map_at(w, 0x610000, 6, RIG_RW, QUIRE_MAP_NORESERVE, NULL, 0);
    rig_fill(rig, 0, w->lazy, 6, 0);
    w->special = map_at(w, 0x620000, 5, QUIRE_PROT_READ, 0, NULL, 0);
    map_at(w, 0x630000, 2, 0, 0, NULL, 0); /* a guard */
    advise(w, w->special, 1, QUIRE_ADVISE_DONTFORK);
    advise(w, w->special + RIG_PAGE, 1, QUIRE_ADVISE_WIPEONFORK);
    advise(w, w->special + 2 * RIG_PAGE, 1, QUIRE_ADVISE_HUGEPAGE);
    advise(w, w->special + 3 * RIG_PAGE, 1, QUIRE_ADVISE_NOHUGEPAGE);
    w->stack = map_at(w, 0x700000, 9, RIG_RW, QUIRE_MAP_GROWSDOWN | QUIRE_MAP_STACK_TAG, NULL, 0);
    rig_fill(rig, 0, w->stack + 6 * RIG_PAGE, 3, 0);

    /* A child shares the private pages, then has two of its own; four pages go to swap, one comes
     * back and is clean; two are free to be dropped. */
    assert_int_equal(quire_space_fork(space, &rig->spaces[1], &rig->spaces[1]), QUIRE_OK);
    rig_fill(rig, 1, w->heap, 2, 1);
    rig_expect(rig, 1, w->heap + 2 * RIG_PAGE, 3, 0);
    rig_expect(rig, 1, w->shm, 4, 0);
    rig_fill(rig, 0, w->lazy, 6, 0);
    advise(w, w->lazy, 2, QUIRE_ADVISE_FREE);
    advise(w, w->shm + 4 * RIG_PAGE, 2, QUIRE_ADVISE_PAGEOUT);
    advise(w, w->lazy + 2 * RIG_PAGE, 4, QUIRE_ADVISE_PAGEOUT);
    rig_expect(rig, 0, w->lazy + 5 * RIG_PAGE, 1, 0);
    assert_int_equal(quire_space_set_oom_score_adj(space, 300), QUIRE_OK);
    uint64_t value;
    assert_int_equal(rig_load(rig, 0, w->heap + 31 * RIG_PAGE, &value), QUIRE_OK);
    rig_space(rig, 2);
}

/* ---- the texts ---------------------------------------------------------------------------------
 */

typedef size_t space_view(const struct quire_space *space, char *text, size_t capacity);
typedef size_t system_view(const struct quire *q, char *text, size_t capacity);

/* What is white is made visible: a $ behind a line that ends with a space, \t for a tab. */
static void put_space(FILE *out, const char *name, space_view *view, struct quire_space *space) {
    static char text[TEXT_MAX];
    assert_true(view(space, text, sizeof text) < sizeof text);
    fprintf(out, "==> %s\n", name);
    for (const char *at = text; *at; at++) {
        if (*at == '\t')
            fputs("\\t", out);
        else if (*at == '\n' && at > text && at[-1] == ' ')
            fputs("$\n", out);
        else
            fputc(*at, out);
    }
}

/* Each line's first word. */
static void put_names(FILE *out, const char *name, system_view *view, struct quire *q) {
    static char text[TEXT_MAX];
    assert_true(view(q, text, sizeof text) < sizeof text);
    fprintf(out, "==> names of %s\n", name);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        fprintf(out, "%.*s\n", (int)strcspn(line, " "), line);
}

static void put_pagemap(FILE *out, const struct world *w) {
    const struct {
        const char *what;
        uint64_t va;
    } pages[] = {{"heap, shared with the child", w->heap + 2 * RIG_PAGE},
                 {"heap, its own", w->heap},
                 {"heap, untouched", w->heap + 30 * RIG_PAGE},
                 {"heap, read: the page of zeros", w->heap + 31 * RIG_PAGE},
                 {"file", w->text},
                 {"file, not read yet", w->text + 7 * RIG_PAGE},
                 {"copied from the file", w->private_file},
                 {"shm", w->shm},
                 {"shm, on swap", w->shm + 4 * RIG_PAGE},
                 {"on swap", w->lazy + 2 * RIG_PAGE},
                 {"back from swap", w->lazy + 5 * RIG_PAGE},
                 {"nothing there", 0x680000}};
    fputs("==> pagemap, but for the number of the frame or slot\n", out);
    for (unsigned i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        uint64_t entry = quire_view_pagemap(w->rig.spaces[0], quire_va(pages[i].va));
        fprintf(out, "%016llx %s%s\n", (unsigned long long)(entry & ~((UINT64_C(1) << 55) - 1)),
                pages[i].what, entry & ((UINT64_C(1) << 55) - 1) ? ", numbered" : "");
    }
}

static void put_all(FILE *out, struct world *w) {
    struct quire_space *parent = w->rig.spaces[0], *child = w->rig.spaces[1];
    put_space(out, "maps", quire_view_maps, parent);
    put_space(out, "smaps", quire_view_smaps, parent);
    put_space(out, "smaps_rollup", quire_view_smaps_rollup, parent);
    put_space(out, "status", quire_view_status, parent);
    put_space(out, "statm", quire_view_statm, parent);
    put_pagemap(out, w);
    put_space(out, "maps of the child", quire_view_maps, child);
    put_space(out, "smaps_rollup of the child", quire_view_smaps_rollup, child);
    put_space(out, "statm of the child", quire_view_statm, child);
    put_space(out, "maps of an empty space", quire_view_maps, w->rig.spaces[2]);
    put_space(out, "smaps_rollup of it", quire_view_smaps_rollup, w->rig.spaces[2]);
    put_space(out, "statm of it", quire_view_statm, w->rig.spaces[2]);
    put_names(out, "meminfo", quire_view_meminfo, w->rig.q);
    put_names(out, "vmstat", quire_view_vmstat, w->rig.q);
}

static void compare_lines(FILE *got, FILE *golden) {
    char a[512], b[512];
    for (unsigned line = 1;; line++) {
        char *x = fgets(a, sizeof a, got), *y = fgets(b, sizeof b, golden);
        if (!x && !y)
            return;
        if (!x || !y || strcmp(a, b) != 0)
            fail_msg("view.golden:%u: expected %snow      %s"
                     "(QUIRE_GOLDEN=write writes the file anew)",
                     line, y ? b : "the end\n", x ? a : "the end\n");
    }
}

static void texts(void **state) {
    (void)state;
    static struct world w;
    const char *path = UNIT_DIR "/view.golden", *mode = getenv("QUIRE_GOLDEN");
    build(&w);
    if (mode && strcmp(mode, "write") == 0) {
        FILE *out = fopen(path, "w");
        assert_non_null(out);
        put_all(out, &w);
        fclose(out);
    } else {
        FILE *got = tmpfile(), *golden = fopen(path, "r");
        assert_non_null(got);
        assert_non_null(golden);
        put_all(got, &w);
        rewind(got);
        compare_lines(got, golden);
        fclose(got);
        fclose(golden);
    }
    rig_down(&w.rig);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
