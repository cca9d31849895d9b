/* visit_picture.c: what pictures of the machine need, and no file of Linux's has as text.
 *
 *     frames       all frames by use, in cells: quire_view_frames
 *     PID/pages    a space's pages, in cells: quire_view_pages
 *     PID/NAME     of its page tables: quire_soft_walk_view has the names
 *
 * For who looks on from outside only (visit.c, whose law I1
 * holds here too): programs do not see these files.
 *
 * May fail: no such file or process, an address that is none, host memory.
 */
#include "os/fs.h"
#include "os/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "machine/soft/walk.h"

#define CELLS_MAX  4096  /* of a picture: what a screen can show, and no more with more memory */
#define TEXT_GUESS 65536 /* most texts fit, and are made once */

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

struct tables_name {
    struct quire_pmap *pmap;
    const char *name;
};

static size_t view_tables(const void *subject, char *bytes, size_t capacity) {
    const struct tables_name *tables = subject;
    return quire_soft_walk_view(tables->pmap, tables->name, bytes, capacity);
}

/* ---- names ----------------------------------------------------------------------------------- */

static int put_process(struct os *os, struct os_text *text, int pid, const char *rest) {
    const struct os_process *process = os_process_by_pid(os, pid);
    if (!process)
        return ENOENT;
    if (!process->space) /* a zombie: as its files of /proc, empty */
        return 0;
    if (strcmp(rest, "pages") == 0) {
        put_view(text, process->space, view_pages);
        return 0;
    }
    struct tables_name tables = {quire_space_pmap(process->space), rest};
    if (view_tables(&tables, NULL, 0) == SIZE_MAX)
        return ENOENT;
    put_view(text, &tables, view_tables);
    return 0;
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
    return os_text_hand_over(&text, error, bytes, nbytes);
}
