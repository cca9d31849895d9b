/* ipc.c: identifiers of System V semaphores and message queues: keys, indices, permissions.
 *
 * An identifier is an index and a sequence number that changes with each removal, so that a stale
 * one names nothing (ipc(7)). Lists are ordered by index; programs have few of these things.
 */
#include "os/ipc.h"

#include <unistd.h>

struct os_ipc *os_ipc_by_id(struct os_ipc *list, int id) {
    while (list && os_ipc_id(list) != id)
        list = list->next;
    return list;
}

struct os_ipc *os_ipc_by_index(struct os_ipc *list, int index) {
    while (list && (int)list->index != index)
        list = list->next;
    return list;
}

bool os_ipc_permitted(const struct os_ipc *ipc, uint32_t wanted) {
    return geteuid() == 0 || !(wanted & 7 & ~(ipc->mode >> 6));
}

int64_t os_ipc_find(struct os_ipc *list, int32_t key, uint32_t flags, struct os_ipc **found) {
    *found = NULL;
    if (key == OS_IPC_PRIVATE)
        return 0;
    while (list && list->key != key)
        list = list->next;
    if (!list)
        return flags & OS_IPC_CREAT ? 0 : -OS_ENOENT;
    if ((flags & OS_IPC_CREAT) && (flags & OS_IPC_EXCL))
        return -OS_EEXIST;
    if (!os_ipc_permitted(list, flags >> 6 | flags >> 3 | flags))
        return -OS_EACCES;
    *found = list;
    return 1;
}

int64_t os_ipc_insert(struct os *os, struct os_ipc **list, struct os_ipc *ipc, int32_t key,
                      uint32_t flags, unsigned limit) {
    unsigned index = 0;
    while (*list && (*list)->index == index) {
        list = &(*list)->next;
        index++;
    }
    if (index >= limit)
        return -OS_ENOSPC;
    *ipc = (struct os_ipc){.next = *list,
                           .index = index,
                           .sequence = os->ipc_sequence & 0xffff,
                           .key = key,
                           .mode = flags & 0777,
                           .change_time = os_ipc_now(os)};
    *list = ipc;
    return os_ipc_id(ipc);
}

void os_ipc_remove(struct os_ipc **list, struct os_ipc *ipc) {
    while (*list != ipc)
        list = &(*list)->next;
    *list = ipc->next;
}

void os_ipc_describe(const struct os_ipc *ipc, struct os_ipc_permissions *permissions) {
    *permissions = (struct os_ipc_permissions){.key = ipc->key,
                                               .uid = geteuid(),
                                               .gid = getegid(),
                                               .creator_uid = geteuid(),
                                               .creator_gid = getegid(),
                                               .mode = ipc->mode,
                                               .sequence = (uint16_t)ipc->sequence};
}

int os_ipc_highest(const struct os_ipc *list) {
    int highest = 0;
    for (; list; list = list->next)
        highest = (int)list->index;
    return highest;
}

int64_t os_ipc_now(const struct os *os) {
    return (int64_t)(os_realtime_ns(os) / OS_NS_PER_SECOND);
}
