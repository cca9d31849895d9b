/* visit_picture.c: what pictures of the machine need, and no file of Linux's has as text.
 *
 *     frames                  all frames by use, in cells            quire_view_frames
 *     PID/pages               a space's pages, in cells              quire_view_pages
 *     PID/tables              how many page tables it has            quire_soft_tables
 *     PID/walk/ADDR/ACCESS    each step of a translation             quire_soft_walk
 *     PID/tlb/ADDR/ACCESS     the same, asking the TLB first
 *     PID/table/ADDR          the tables on the way                  quire_soft_table_text
 *
 * ADDR is hexadecimal, ACCESS r, w or x. For who looks on from outside only (visit.c, whose law I1
 * holds here too): programs do not see these files.
 *
 * May fail: no such file or process, an address that is none, host memory.
 */
#include "os/fs.h"
#include "os/process.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "machine/soft/walk.h"

#define CELLS_MAX   4096  /* of a picture: what a screen can show, and no more with more memory */
#define TEXT_GUESS  65536 /* most texts fit, and are made once */
#define ACCESS_NONE 0

/* As os_text_view, but for texts that take a while: made twice only if they are long. */
static void put_view(struct os_text *text, const void *subject,
                     size_t (*view)(const void *subject, char *bytes, size_t capacity)) {
    size_t capacity = TEXT_GUESS;
    char *room;
    while ((room = os_text_room(text, capacity)) != NULL) {
        size_t length = view(subject, room, capacity);
        if (length < capacity) {
            text->length += length;
            return;
        }
        capacity = length + 1;
    }
}

static size_t view_frames(const void *q, char *bytes, size_t capacity) {
    return quire_view_frames(q, CELLS_MAX, bytes, capacity);
}

static size_t view_pages(const void *space, char *bytes, size_t capacity) {
    return quire_view_pages(space, CELLS_MAX, bytes, capacity);
}

/* ---- page tables ----------------------------------------------------------------------------- */

static void put_tables(struct os_text *text, struct quire_pmap *pmap) {
    struct quire_radix_cost cost;
    quire_soft_tables(pmap, &cost);
    for (unsigned level = 0; level < RADIX_LEVELS_MAX; level++)
        if (cost.tables[level] || cost.mapped[level])
            os_text_printf(text,
                           "level %u   %" PRIu64 " tables, %" PRIu64 " entries that map memory\n",
                           level, cost.tables[level], cost.mapped[level]);
    os_text_printf(text, "%" PRIu64 " bytes\n", cost.nbytes);
}

struct place {
    struct quire_pmap *pmap;
    uint64_t va;
};

static size_t view_table(const void *subject, char *bytes, size_t capacity) {
    const struct place *place = subject;
    return quire_soft_table_text(place->pmap, place->va, bytes, capacity);
}

static size_t view_walk(const void *walk, char *bytes, size_t capacity) {
    return quire_walk_text(walk, bytes, capacity);
}

/* Letters of ACCESS by value of enum quire_access; 0: it is none. */
static unsigned access_of(const char *word) {
    return strcmp(word, "r") == 0   ? QUIRE_ACCESS_READ
           : strcmp(word, "w") == 0 ? QUIRE_ACCESS_WRITE
           : strcmp(word, "x") == 0 ? QUIRE_ACCESS_EXEC
                                    : ACCESS_NONE;
}

/* "ADDR" or "ADDR/ACCESS". */
static bool take_place(const char *words, uint64_t *va, unsigned *access) {
    char *end;
    if (strspn(words, "0123456789abcdefABCDEFx") == 0)
        return false;
    errno = 0;
    *va = strtoull(words, &end, 16);
    if (errno || end == words || (*end != 0 && *end != '/'))
        return false;
    *access = *end == '/' ? access_of(end + 1) : ACCESS_NONE;
    return true;
}

static int put_place(struct os_text *text, struct quire_pmap *pmap, const char *name,
                     const char *words) {
    struct place place = {.pmap = pmap};
    struct quire_walk walk;
    unsigned access;
    if (!take_place(words, &place.va, &access))
        return ENOENT;
    if (strcmp(name, "table") == 0 && !strchr(words, '/')) {
        put_view(text, &place, view_table);
        return 0;
    }
    bool with_tlb = strcmp(name, "tlb") == 0;
    if ((!with_tlb && strcmp(name, "walk") != 0) || access == ACCESS_NONE)
        return ENOENT;
    quire_soft_walk(pmap, place.va, (enum quire_access)access, false, with_tlb, &walk);
    put_view(text, &walk, view_walk);
    return 0;
}

/* ---- names ----------------------------------------------------------------------------------- */

static int put_process(struct os *os, struct os_text *text, int pid, const char *rest) {
    const struct os_process *process = os_process_by_pid(os, pid);
    char name[16];
    size_t length = strcspn(rest, "/");
    if (!process || length >= sizeof name)
        return ENOENT;
    memcpy(name, rest, length);
    name[length] = 0;
    bool alone = rest[length] == 0;
    if (!process->space) /* a zombie: as its files of /proc, empty */
        return 0;
    if (alone && strcmp(name, "pages") == 0) {
        put_view(text, process->space, view_pages);
        return 0;
    }
    if (alone && strcmp(name, "tables") == 0) {
        put_tables(text, quire_space_pmap(process->space));
        return 0;
    }
    return alone ? ENOENT
                 : put_place(text, quire_space_pmap(process->space), name, rest + length + 1);
}

int os_picture_read(struct os *os, const char *path, char **bytes, size_t *nbytes) {
    struct os_text text = {0};
    char first[16];
    int pid, error = ENOENT;
    size_t length = strcspn(path, "/");
    snprintf(first, sizeof first, "%.*s", (int)(length < sizeof first ? length : 0), path);
    if (strcmp(path, "frames") == 0) {
        put_view(&text, os_quire(os), view_frames);
        error = 0;
    } else if (path[length] == '/' && os_proc_number(first, &pid)) {
        error = put_process(os, &text, pid, path + length + 1);
    }
    if (error == 0 && (text.failed || !os_text_room(&text, 0)))
        error = ENOMEM;
    if (error) {
        os_text_free(&text);
        return error;
    }
    *bytes = text.bytes;
    *nbytes = text.length;
    return 0;
}
