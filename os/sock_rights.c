/* sock_rights.c: descriptors that are sent through sockets (SCM_RIGHTS, unix(7)).
 *
 * A message holds a reference of each open file in it. So a socket that lies in its own queue, or
 * two that lie in each other's, would live for ever when the programs close them. Whenever many are
 * on their way, and when the last process has gone, those are looked for, as any collector of
 * circles does:
 *
 *   files whose references all come from queues ── minus what a reachable queue holds ── are lost
 *
 * I1  at most IN_FLIGHT_MAX references are on their way: ETOOMANYREFS, so that a hostile program
 *     cannot take the host's memory by them.
 *
 * May fail: EBADF, ETOOMANYREFS, ENOMEM. Audit: tests/run/sock_calls.c.
 */
#include "os/sock.h"

#include <stdlib.h>

#define IN_FLIGHT_MAX 4096
const unsigned os_rights_max = 253; /* SCM_MAX_FD */

int64_t os_rights_take(struct os_task *task, const int32_t *fds, unsigned count,
                       struct os_rights **rights) {
    struct os_fs *fs = os_fs(task->os);
    *rights = NULL;
    if (count == 0)
        return 0;
    for (unsigned i = 0; i < count; i++) {
        struct os_file *file = os_file_of(task->process, fds[i]);
        if (!file)
            return -OS_EBADF;
    }
    if (fs->in_flight + count > IN_FLIGHT_MAX)
        os_rights_collect(fs);
    if (fs->in_flight + count > IN_FLIGHT_MAX) /* I1 */
        return -OS_ETOOMANYREFS;
    struct os_rights *taken = malloc(sizeof *taken + count * sizeof taken->files[0]);
    if (!taken)
        return -OS_ENOMEM;
    taken->count = count;
    for (unsigned i = 0; i < count; i++)
        taken->files[i] = os_file_ref(os_file_of(task->process, fds[i]));
    fs->in_flight += count;
    *rights = taken;
    return 0;
}

void os_rights_drop(struct os_rights *rights) {
    if (!rights)
        return;
    for (unsigned i = 0; i < rights->count; i++) {
        os_fs(rights->files[i]->os)->in_flight--;
        os_file_release(rights->files[i]);
    }
    free(rights);
}

/* ---- circles --------------------------------------------------------------------------------- */

/* For each open file in the queue of socket and of those that wait to be accepted there. */
static void each_right(struct os_socket *socket, void (*act)(struct os_file *)) {
    for (struct os_message *message = socket->first; message; message = message->next)
        for (unsigned i = 0; message->rights && i < message->rights->count; i++)
            act(message->rights->files[i]);
    for (struct os_socket *pending = socket->pending; pending; pending = pending->next_pending)
        each_right(pending, act);
}

static void count_one(struct os_file *file) {
    file->in_flight++;
}

static void reach(struct os_file *file) {
    if (file->reachable)
        return;
    file->reachable = true;
    if (os_socket_of_file(file))
        each_right(file->socket, reach);
}

static void empty_queue(struct os_socket *socket) {
    for (struct os_message *message = socket->first; message; message = message->next) {
        os_rights_drop(message->rights);
        message->rights = NULL;
    }
    for (struct os_socket *pending = socket->pending; pending; pending = pending->next_pending)
        empty_queue(pending);
}

void os_rights_collect(struct os_fs *fs) {
    struct os_file *file;
    if (fs->in_flight == 0)
        return;
    for (file = fs->files; file; file = file->next) {
        file->in_flight = 0;
        file->reachable = false;
    }
    for (file = fs->files; file; file = file->next)
        if (os_socket_of_file(file))
            each_right(file->socket, count_one);
    for (file = fs->files; file; file = file->next)
        if (file->refs > file->in_flight)
            reach(file);
    for (file = fs->files; file;) {
        if (file->reachable || !os_socket_of_file(file)) {
            file = file->next;
            continue;
        }
        /* What falls when the queue is emptied may be anything in the list: begin again after it,
         * with this one held. Each round marks one more file, so it ends. */
        os_file_ref(file);
        file->reachable = true;
        empty_queue(file->socket);
        os_file_release(file);
        file = fs->files;
    }
}
