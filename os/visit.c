/* visit.c: somebody outside looks at the machine: between two turns, at /proc.
 *
 * Another thread of the host may ask for a moment (os_visit_ask: it sets a flag and that is all).
 * os_run, which looks at the flag between two turns, calls the visitor there: no task runs, no call
 * is half made, and the visitor may read whatever programs could read of /proc. A machine that
 * waits for the host wakes every tenth of a second (fs_host.c), so it is never deaf. Rejected: a
 * lock around the machine, which every turn would pay for.
 *
 *     another thread ── os_visit_ask ──▶ flag ──▶ os_run ──▶ visit(context) ──▶ os_proc_read
 *
 * I1  Nothing that a program could ever notice changes by a visit: not the clock, not the trace,
 *     not the random numbers (whatever a file draws of them is put back).
 *
 * May fail: no such file, one that cannot be shown, host memory. Audit: tests/run/live.sh compares
 * the trace of a run that is watched with one that is not.
 */
#include "os/fs.h"
#include "os/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINKS_MAX 4 /* of ours, no walk needs more than two: mounts, self */

void os_visit(struct os *os, void (*visit)(void *context), void *context) {
    os->visit_context = context;
    os->visit = visit;
}

void os_visit_ask(struct os *os) {
    atomic_store_explicit(&os->visit_asked, true, memory_order_release);
}

void os_visit_now(struct os *os) {
    atomic_store_explicit(&os->visit_asked, false, memory_order_release);
    if (!os->visit)
        return;
    uint64_t random_state = os->random_state;
    int self = os_fs(os)->self;
    os_fs(os)->self = os->init->pid; /* who looks on is no process: /proc/self is the first one's */
    os->visit(os->visit_context);
    os_fs(os)->self = self;
    os->random_state = random_state; /* I1 */
}

void os_console_watch(struct os *os, void (*touch)(void *context, const char *bytes, size_t nbytes),
                      void *context) {
    os->console_context = context;
    os->console_touch = touch;
}

void os_console_touched(struct os *os, const char *bytes, size_t nbytes) {
    if (os->console_touch)
        os->console_touch(os->console_context, bytes, nbytes);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void list_names(struct os *os, struct os_node at, struct os_text *text) {
    struct os_listing listing = {0};
    os_node_list(os, at, &listing);
    os_listing_sort(&listing);
    for (size_t i = 0; i < listing.count; i++)
        if (strcmp(listing.entries[i].name, ".") && strcmp(listing.entries[i].name, ".."))
            os_text_printf(text, "%s\n", listing.entries[i].name);
    text->failed |= listing.failed;
    os_listing_free(&listing);
}

static int walk(struct os *os, struct os_node at, const char *path, unsigned nlinks,
                struct os_text *text);

/* A link that is in the way is followed when it leads on inside /proc; the last one also then, and
 * is else shown. */
static int meet_link(struct os *os, struct os_node node, const char *rest, unsigned nlinks,
                     struct os_text *text) {
    struct os_text target = {0};
    node.entry->link(os, node, &target);
    bool inside = target.bytes && target.bytes[0] != '/' && !node.entry->file;
    int error = 0;
    if (target.failed) {
        error = ENOMEM;
    } else if (!inside || nlinks == 0) {
        os_text_printf(text, "%s\n", target.bytes ? target.bytes : "");
        error = *rest ? ENOTDIR : 0;
    } else {
        os_text_printf(&target, "%s%s", *rest ? "/" : "", rest);
        error = target.failed ? ENOMEM
                              : walk(os, (struct os_node){&os_proc_root, 0, 0}, target.bytes,
                                     nlinks - 1, text);
    }
    os_text_free(&target);
    return error;
}

static int show(struct os *os, struct os_node node, struct os_text *text) {
    switch (node.entry->mode & OS_S_IFMT) {
    case OS_S_IFDIR:
        list_names(os, node, text);
        return 0;
    case OS_S_IFREG:
        if (!node.entry->text)
            return EACCES; /* to be written only, or binary and longer than any memory */
        node.entry->text(os, node, text);
        return 0;
    default:
        return EACCES;
    }
}

static int walk(struct os *os, struct os_node at, const char *path, unsigned nlinks,
                struct os_text *text) {
    char name[OS_NAME_MAX + 1];
    while (true) {
        path += strspn(path, "/");
        if (*path == 0)
            return show(os, at, text);
        size_t length = strcspn(path, "/");
        if (length >= sizeof name)
            return ENAMETOOLONG;
        memcpy(name, path, length);
        name[length] = 0;
        path += length;
        if (strcmp(name, ".") == 0)
            continue;
        if ((at.entry->mode & OS_S_IFMT) != OS_S_IFDIR)
            return ENOTDIR;
        if (!os_node_find(os, at, name, &at))
            return ENOENT;
        if ((at.entry->mode & OS_S_IFMT) == OS_S_IFLNK)
            return meet_link(os, at, path + strspn(path, "/"), nlinks, text);
    }
}

int os_proc_read(struct os *os, const char *path, char **bytes, size_t *nbytes) {
    struct os_text text = {0};
    int error = walk(os, (struct os_node){&os_proc_root, 0, 0}, path, LINKS_MAX, &text);
    return os_text_hand_over(&text, error, bytes, nbytes);
}
