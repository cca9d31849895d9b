/* leaks.c: blocks that nothing points at any more when the program ends.
 *
 * A conservative search, as Boehm's collector and LeakSanitizer do it: every aligned word of the
 * roots that could be an address in a block makes that block reached, and so do the words of
 * reached blocks. Roots are all writable private memory of the process (data, stacks, thread-local
 * storage, the program's own mappings) but the checker's own and the blocks themselves. What is not
 * reached is lost. Of the lost, those that another lost block points at are named as such only: who
 * frees the first can free the others.
 *
 * Blocks that are still pointed at are no leaks: many programs leave them to the system on purpose.
 * With more than one thread alive nothing is searched: what the others hold in registers can't be
 * seen, and they would go on meanwhile.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap/check/check.h"

#define ROOT_MAX   ((uintptr_t)1 << 34) /* a larger mapping is a reservation, not data */
#define SAID_MAX   20
#define RANGES_MAX ((size_t)1 << 17)
#define MAPS_FIRST ((size_t)1 << 16)

struct search {
    struct check_record **blocks; /* live ones, by address */
    size_t nblocks;
    struct check_record **stack; /* reached, not looked into yet */
    size_t depth;
    struct check_range *ranges; /* no roots, by address */
    size_t nranges;
    uintptr_t stack_from; /* of this thread: what lies below is dead */
    uint8_t mark;         /* for what is reached now */
};

/* ---- reaching ---------------------------------------------------------------------------------
 */

/* The block that has the address, its end included: a pointer just behind an array is one. */
static struct check_record *block_of(const struct search *search, uintptr_t address) {
    size_t low = 0, high = search->nblocks;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (search->blocks[middle]->at <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low == 0) {
        return NULL;
    }
    struct check_record *block = search->blocks[low - 1];
    return address - block->at <= block->bytes ? block : NULL;
}

__attribute__((no_sanitize("address"))) static void scan(struct search *search, uintptr_t from,
                                                         uintptr_t to) {
    uintptr_t first = search->blocks[0]->at;
    uintptr_t last =
        search->blocks[search->nblocks - 1]->at + search->blocks[search->nblocks - 1]->bytes;

    from = (from + sizeof(uintptr_t) - 1) & ~(sizeof(uintptr_t) - 1);
    for (; from + sizeof(uintptr_t) <= to; from += sizeof(uintptr_t)) {
        uintptr_t word = *(const uintptr_t *)from;
        if (word < first || word > last) {
            continue;
        }
        struct check_record *block = block_of(search, word);
        if (block != NULL && block->mark == MARK_NONE) {
            block->mark = search->mark;
            search->stack[search->depth++] = block;
        }
    }
}

static void drain(struct search *search) {
    while (search->depth != 0) {
        struct check_record *block = search->stack[--search->depth];
        scan(search, block->at, block->at + block->bytes);
    }
}

/* A root but for the ranges that are none. */
static void scan_root(struct search *search, uintptr_t from, uintptr_t to) {
    if (search->stack_from >= from && search->stack_from < to) {
        from = search->stack_from;
    }
    for (size_t i = 0; i < search->nranges && from < to; i++) {
        const struct check_range *range = &search->ranges[i];
        if (range->to <= from || range->from >= to) {
            continue;
        }
        if (range->from > from) {
            scan(search, from, range->from);
        }
        from = range->to;
    }
    if (from < to) {
        scan(search, from, to);
    }
    drain(search);
}

/* ---- roots ------------------------------------------------------------------------------------
 */

/* The whole of /proc/self/maps, NULL: it can't be read. */
static char *read_maps(size_t *bytes) {
    for (*bytes = MAPS_FIRST;; *bytes *= 2) {
        char *text = check_own(*bytes);
        int fd = text != NULL ? open("/proc/self/maps", O_RDONLY | O_CLOEXEC) : -1;
        size_t n = 0;
        ssize_t got = 0;
        while (fd >= 0 && n < *bytes - 1 && (got = read(fd, text + n, *bytes - 1 - n)) > 0) {
            n += (size_t)got;
        }
        if (fd < 0) {
            return NULL;
        }
        close(fd);
        if (got == 0) {
            text[n] = 0;
            return text;
        }
        check_disown(text, *bytes);
    }
}

static void scan_roots(struct search *search, char *maps) {
    for (char *line = maps, *end; *line != 0; line = end + 1) {
        char *rest;
        uintptr_t from = (uintptr_t)strtoull(line, &rest, 16);
        uintptr_t to = (uintptr_t)strtoull(rest + 1, &rest, 16);
        end = strchr(line, '\n');
        if (end == NULL) {
            return;
        }
        if (strncmp(rest, " rw", 3) == 0 && rest[4] == 'p' && to - from <= ROOT_MAX) {
            scan_root(search, from, to);
        }
    }
}

static bool alone(void) {
    DIR *tasks = opendir("/proc/self/task");
    unsigned n = 0;

    while (tasks != NULL) {
        struct dirent *entry = readdir(tasks);
        if (entry == NULL) {
            closedir(tasks);
            return n <= 1;
        }
        n += entry->d_name[0] != '.';
    }
    return true; /* no /proc: then there are no roots either */
}

/* ---- what is lost -----------------------------------------------------------------------------
 */

static void collect(struct check_record *record, void *context) {
    struct search *search = context;

    if (!record->is_freed) {
        record->mark = MARK_NONE;
        record->pointed = false;
        search->blocks[search->nblocks++] = record;
    }
}

static int by_address(const void *a, const void *b) {
    uintptr_t left = (*(struct check_record *const *)a)->at;
    uintptr_t right = (*(struct check_record *const *)b)->at;

    return (left > right) - (left < right);
}

/* The ways by which most was lost, largest first; each is told once. */
static void say_leaks(struct search *search) {
    for (int said = 0; said < SAID_MAX; said++) {
        struct check_stack *most = NULL;
        for (size_t i = 0; i < search->nblocks; i++) {
            struct check_stack *had = search->blocks[i]->had;
            if (had != NULL && had->leaked_blocks != 0 &&
                (most == NULL || had->leaked_bytes > most->leaked_bytes)) {
                most = had;
            }
        }
        if (most == NULL) {
            return;
        }
        check_say("  %llu bytes in %llu blocks, allocated by:\n",
                  (unsigned long long)most->leaked_bytes, (unsigned long long)most->leaked_blocks);
        check_say_stack(NULL, most);
        most->leaked_blocks = 0;
    }
    check_say("  and more\n");
}

/* Say of each lost block if another one of them points at it. */
static void point_out(struct search *search) {
    for (size_t i = 0; i < search->nblocks; i++) {
        const struct check_record *block = search->blocks[i];
        const uintptr_t *words = (const uintptr_t *)block->at;
        for (size_t n = block->bytes / sizeof *words; block->mark == MARK_NONE && n-- > 0;) {
            struct check_record *other = block_of(search, words[n]);
            if (other != NULL && other != block) {
                other->pointed = true;
            }
        }
    }
}

static void say_lost(struct search *search) {
    uint64_t bytes = 0, blocks = 0, indirect = 0, indirect_bytes = 0;

    point_out(search);
    /* First those that no lost block points at; what is left then are rings. */
    for (int rings = 0; rings < 2; rings++) {
        for (size_t i = 0; i < search->nblocks; i++) {
            struct check_record *block = search->blocks[i];
            if (block->mark == MARK_NONE && (rings || !block->pointed)) {
                block->mark = MARK_DIRECT;
                search->mark = MARK_INDIRECT;
                scan(search, block->at, block->at + block->bytes);
                drain(search);
            }
        }
    }
    for (size_t i = 0; i < search->nblocks; i++) {
        struct check_record *block = search->blocks[i];
        if (block->mark == MARK_DIRECT) {
            bytes += block->bytes;
            blocks++;
            if (block->had != NULL) {
                block->had->leaked_bytes += block->bytes;
                block->had->leaked_blocks++;
            }
        } else if (block->mark == MARK_INDIRECT) {
            indirect_bytes += block->bytes;
            indirect++;
        }
    }
    if (blocks != 0) {
        check_begin("memory that nothing points at any more (leak)");
        check_say("  %llu bytes in %llu blocks", (unsigned long long)bytes,
                  (unsigned long long)blocks);
        if (indirect != 0) {
            check_say(", and %llu in %llu that only they point at",
                      (unsigned long long)indirect_bytes, (unsigned long long)indirect);
        }
        check_say("\n");
        say_leaks(search);
    }
}

void check_leaks(void) {
    size_t bytes, n = check_count();
    struct search search = {.stack_from = (uintptr_t)__builtin_frame_address(0),
                            .mark = MARK_REACHED};

    if (n == 0 || !alone()) {
        return;
    }
    search.blocks = check_own(n * sizeof(void *));
    search.stack = check_own(n * sizeof(void *));
    search.ranges = check_own(RANGES_MAX * sizeof *search.ranges);
    char *maps = read_maps(&bytes);
    if (search.blocks == NULL || search.stack == NULL || search.ranges == NULL || maps == NULL) {
        return;
    }
    check_each(collect, &search);
    if (search.nblocks == 0) {
        return;
    }
    qsort(search.blocks, search.nblocks, sizeof *search.blocks, by_address);
    search.nranges = check_own_ranges(search.ranges, RANGES_MAX);
    scan_roots(&search, maps);
    say_lost(&search);
}
