/* ipc_msg.c: System V message queues: msgget, msgsnd, msgrcv, msgctl.
 *
 *   msgsnd ──> [type, text] ─> [type, text] ─> ... ──> msgrcv: the first, of a type, or the lowest
 *
 * I1  bytes is the sum of the texts in the queue, at most limit but for empty ones, of which there
 *     are at most limit too (as on Linux: limit counts both).
 *
 * May fail: as msgop(2), msgctl(2), msgget(2).
 */
#include "os/ipc.h"

#include <stdlib.h>
#include <string.h>

#define QUEUES_MAX   32000 /* MSGMNI */
#define TEXT_MAX     8192u /* MSGMAX */
#define LIMIT_FIRST  16384 /* MSGMNB */
#define NOWAIT       04000 /* IPC_NOWAIT */
#define FLAG_NOERROR 010000
#define FLAG_EXCEPT  020000
#define FLAG_COPY    040000

enum message_command { MSG_STAT = 11, MSG_INFO = 12, MSG_STAT_ANY = 13 };

struct text {
    struct text *next;
    int64_t type;
    size_t nbytes;
    uint8_t bytes[];
};

struct os_msg {
    struct os_ipc ipc; /* first */
    struct text *first, **last;
    uint64_t bytes, count, limit;
    int64_t send_time, receive_time;
    int send_pid, receive_pid;
};

struct queue_record { /* struct msqid64_ds */
    struct os_ipc_permissions permissions;
    int64_t send_time, receive_time, change_time;
    uint64_t bytes, count, limit;
    int32_t send_pid, receive_pid;
    uint64_t unused[2];
};

static struct os_msg *queue_by_id(struct os *os, int id) {
    return (struct os_msg *)os_ipc_by_id(os->queues, id);
}

int64_t os_sys_msgget(struct os_task *task, const uint64_t args[6]) {
    struct os_ipc *found;
    int64_t result = os_ipc_find(task->os->queues, (int32_t)args[0], (uint32_t)args[1], &found);
    if (result != 0)
        return result < 0 ? result : os_ipc_id(found);
    struct os_msg *queue = calloc(1, sizeof *queue);
    if (!queue)
        return -OS_ENOMEM;
    queue->last = &queue->first;
    queue->limit = LIMIT_FIRST;
    result = os_ipc_insert(task->os, &task->os->queues, &queue->ipc, (int32_t)args[0],
                           (uint32_t)args[1], QUEUES_MAX);
    if (result < 0)
        free(queue);
    return result;
}

/* ---- sending --------------------------------------------------------------------------------- */

int64_t os_sys_msgsnd(struct os_task *task, const uint64_t args[6]) {
    struct os_msg *queue = queue_by_id(task->os, (int)args[0]);
    uint64_t nbytes = args[2];
    int64_t type;
    if (os_copy_from_user(task, &type, args[1], sizeof type) != 0)
        return -OS_EFAULT;
    if (nbytes > TEXT_MAX || type < 1 || (int)args[0] < 0)
        return -OS_EINVAL;
    if (!queue)
        return task->restarted ? -OS_EIDRM : -OS_EINVAL;
    if (!os_ipc_permitted(&queue->ipc, 2))
        return -OS_EACCES;
    if (queue->bytes + nbytes > queue->limit || queue->count + 1 > queue->limit) {
        if (args[3] & NOWAIT)
            return -OS_EAGAIN;
        os_wait_on(task, queue, UINT64_MAX);
        return OS_WAIT;
    }
    struct text *text = malloc(sizeof *text + nbytes);
    if (!text)
        return -OS_ENOMEM;
    *text = (struct text){NULL, type, nbytes};
    if (os_copy_from_user(task, text->bytes, args[1] + sizeof type, nbytes) != 0) {
        free(text);
        return -OS_EFAULT;
    }
    *queue->last = text;
    queue->last = &text->next;
    queue->bytes += nbytes; /* I1 */
    queue->count++;
    queue->send_time = os_ipc_now(task->os);
    queue->send_pid = task->process->pid;
    os_wake(task->os, queue);
    return 0;
}

/* ---- receiving ------------------------------------------------------------------------------- */

/* The place of the message that is meant: msgrcv(2) about msgtyp. */
static struct text **choose(struct os_msg *queue, int64_t wanted, uint64_t flags) {
    struct text **best = NULL;
    int64_t least = wanted == INT64_MIN ? INT64_MAX : -wanted;
    for (struct text **link = &queue->first; *link; link = &(*link)->next) {
        int64_t type = (*link)->type;
        if (wanted == 0)
            return link;
        if (wanted > 0 && (flags & FLAG_EXCEPT ? type != wanted : type == wanted))
            return link;
        if (wanted < 0 && type <= least && (!best || type < (*best)->type))
            best = link;
    }
    return best;
}

static void unlink_text(struct os_msg *queue, struct text **link) {
    struct text *text = *link;
    *link = text->next;
    if (queue->last == &text->next)
        queue->last = link;
    queue->bytes -= text->nbytes; /* I1 */
    queue->count--;
}

int64_t os_sys_msgrcv(struct os_task *task, const uint64_t args[6]) {
    struct os_msg *queue = queue_by_id(task->os, (int)args[0]);
    uint64_t room = args[2], flags = args[4];
    if ((int)args[0] < 0 || room > INT64_MAX)
        return -OS_EINVAL;
    if (flags & FLAG_COPY)
        return -OS_ENOSYS; /* CONFIG_CHECKPOINT_RESTORE */
    if (!queue)
        return task->restarted ? -OS_EIDRM : -OS_EINVAL;
    if (!os_ipc_permitted(&queue->ipc, 4))
        return -OS_EACCES;
    struct text **link = choose(queue, (int64_t)args[3], flags);
    if (!link) {
        if (flags & NOWAIT)
            return -OS_ENOMSG;
        os_wait_on(task, queue, UINT64_MAX);
        return OS_WAIT;
    }
    struct text *text = *link;
    if (text->nbytes > room && !(flags & FLAG_NOERROR))
        return -OS_E2BIG;
    uint64_t nbytes = text->nbytes < room ? text->nbytes : room;
    unlink_text(queue, link);
    queue->receive_time = os_ipc_now(task->os);
    queue->receive_pid = task->process->pid;
    os_wake(task->os, queue);
    bool good = os_copy_to_user(task, args[1], &text->type, sizeof text->type) == 0 &&
                os_copy_to_user(task, args[1] + sizeof text->type, text->bytes, nbytes) == 0;
    free(text);
    return good ? (int64_t)nbytes : -OS_EFAULT;
}

/* ---- msgctl ---------------------------------------------------------------------------------- */

static int64_t put_status(struct os_task *task, const struct os_msg *queue, uint64_t va) {
    struct queue_record record = {.send_time = queue->send_time,
                                  .receive_time = queue->receive_time,
                                  .change_time = queue->ipc.change_time,
                                  .bytes = queue->bytes,
                                  .count = queue->count,
                                  .limit = queue->limit,
                                  .send_pid = queue->send_pid,
                                  .receive_pid = queue->receive_pid};
    os_ipc_describe(&queue->ipc, &record.permissions);
    return os_copy_to_user(task, va, &record, sizeof record);
}

static int64_t set_status(struct os_task *task, struct os_msg *queue, uint64_t va) {
    struct queue_record record;
    if (os_copy_from_user(task, &record, va, sizeof record) != 0)
        return -OS_EFAULT;
    if (record.limit > LIMIT_FIRST)
        return -OS_EPERM;
    queue->limit = record.limit;
    queue->ipc.mode = record.permissions.mode & 0777;
    queue->ipc.change_time = os_ipc_now(task->os);
    os_wake(task->os, queue);
    return 0;
}

static int64_t information(struct os_task *task, bool usage, uint64_t va) {
    int32_t queues = 0, messages = 0, bytes = 0;
    for (const struct os_ipc *ipc = task->os->queues; ipc; ipc = ipc->next) {
        queues++;
        messages += (int32_t)((const struct os_msg *)ipc)->count;
        bytes += (int32_t)((const struct os_msg *)ipc)->bytes;
    }
    /* struct msginfo: pool map max mnb mni ssz tql, seg (16 bits) */
    int32_t info[8] = {usage ? queues : QUEUES_MAX * LIMIT_FIRST / 1024,
                       usage ? messages : LIMIT_FIRST,
                       TEXT_MAX,
                       LIMIT_FIRST,
                       QUEUES_MAX,
                       16,
                       usage ? bytes : LIMIT_FIRST,
                       0xffff};
    if (os_copy_to_user(task, va, info, sizeof info) != 0)
        return -OS_EFAULT;
    return os_ipc_highest(task->os->queues);
}

static void remove_queue(struct os *os, struct os_msg *queue) {
    while (queue->first) {
        struct text *text = queue->first;
        queue->first = text->next;
        free(text);
    }
    os_wake(os, queue);
    os_ipc_remove(&os->queues, &queue->ipc);
    os->ipc_sequence++;
    free(queue);
}

int64_t os_sys_msgctl(struct os_task *task, const uint64_t args[6]) {
    int command = (int)args[1] & ~OS_IPC_64;
    if (command == OS_IPC_INFO || command == MSG_INFO)
        return information(task, command == MSG_INFO, args[2]);
    bool by_index = command == MSG_STAT || command == MSG_STAT_ANY;
    struct os_msg *queue = by_index
                               ? (struct os_msg *)os_ipc_by_index(task->os->queues, (int)args[0])
                               : queue_by_id(task->os, (int)args[0]);
    if (!queue)
        return -OS_EINVAL;
    switch (command) {
    case OS_IPC_RMID:
        remove_queue(task->os, queue);
        return 0;
    case OS_IPC_SET:
        return set_status(task, queue, args[2]);
    case OS_IPC_STAT:
    case MSG_STAT:
    case MSG_STAT_ANY:
        if (put_status(task, queue, args[2]) != 0)
            return -OS_EFAULT;
        return by_index ? os_ipc_id(&queue->ipc) : 0;
    default:
        return -OS_EINVAL;
    }
}

void os_msg_destroy_all(struct os *os) {
    while (os->queues)
        remove_queue(os, (struct os_msg *)os->queues);
}
