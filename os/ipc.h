/* ipc.h: what System V semaphores and message queues (ipc_*.c) share: identifiers, keys, times.
 *
 * Shared memory (shm.c) has its own, because its identifiers are inode numbers to the manager.
 */
#ifndef QUIRE_OS_IPC_H
#define QUIRE_OS_IPC_H

#include "os/calls.h"
#include "os/process.h"

/* In each set and queue, first. */
struct os_ipc {
    struct os_ipc *next; /* by index */
    unsigned index, sequence;
    int32_t key;
    uint32_t mode;
    int64_t change_time;
};

struct os_ipc_permissions { /* struct ipc64_perm of riscv64 */
    int32_t key;
    uint32_t uid, gid, creator_uid, creator_gid, mode;
    uint16_t sequence, pad0;
    uint32_t pad1;
    uint64_t unused[2];
};
_Static_assert(sizeof(struct os_ipc_permissions) == 48, "struct ipc64_perm");

static inline int os_ipc_id(const struct os_ipc *ipc) {
    return (int)(ipc->sequence << 15 | ipc->index); /* IPCMNI_SHIFT */
}
struct os_ipc *os_ipc_by_id(struct os_ipc *list, int id);
/* SEM_STAT and MSG_STAT name things by their index. */
struct os_ipc *os_ipc_by_index(struct os_ipc *list, int index);
/* The first half of semget and msgget. 1: *found is it; 0: one is to be made; or -errno. */
int64_t os_ipc_find(struct os_ipc *list, int32_t key, uint32_t flags, struct os_ipc **found);
/* Take a new one into the list, at the lowest free index; its id, or -ENOSPC at limit. */
int64_t os_ipc_insert(struct os *os, struct os_ipc **list, struct os_ipc *ipc, int32_t key,
                      uint32_t flags, unsigned limit);
void os_ipc_remove(struct os_ipc **list, struct os_ipc *ipc);
void os_ipc_describe(const struct os_ipc *ipc, struct os_ipc_permissions *permissions);
int os_ipc_highest(const struct os_ipc *list);
int64_t os_ipc_now(const struct os *os);
/* May the programs' user do this (bits of one permission triple)? */
bool os_ipc_permitted(const struct os_ipc *ipc, uint32_t wanted);

#endif
