/* fs_event.c: eventfd and memfd: open files that have no name in any directory.
 *
 * An eventfd is a counter here in the machine, so that who waits for whom is deterministic. A
 * memfd is one of the host: its bytes then come and go through the same pager as any mapped file's.
 *
 * Invariants: I1 the counter is at most UINT64_MAX - 1 (eventfd(2)).
 * May fail: EINVAL, EMFILE, ENOMEM.
 */
#include "os/fs.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define EVENT_COUNTER_MAX (UINT64_MAX - 1)

static int64_t event_read(struct os_file *file, void *to, size_t nbytes, uint64_t offset) {
    (void)offset;
    if (nbytes < sizeof file->counter)
        return -OS_EINVAL;
    if (file->counter == 0)
        return -OS_EAGAIN;
    uint64_t value = file->event_semaphore ? 1 : file->counter;
    file->counter -= value;
    memcpy(to, &value, sizeof value);
    os_file_notify(file);
    return sizeof value;
}

static int64_t event_write(struct os_file *file, const void *from, size_t nbytes, uint64_t offset) {
    uint64_t value;
    (void)offset;
    if (nbytes < sizeof value)
        return -OS_EINVAL;
    memcpy(&value, from, sizeof value);
    if (value == UINT64_MAX)
        return -OS_EINVAL;
    if (value > EVENT_COUNTER_MAX - file->counter) /* I1 */
        return -OS_EAGAIN;
    file->counter += value;
    os_file_notify(file);
    return (int64_t)nbytes;
}

static unsigned event_poll(struct os_file *file) {
    unsigned events = file->counter > 0 ? OS_POLLIN | OS_POLLRDNORM : 0;
    return events | (file->counter < EVENT_COUNTER_MAX ? OS_POLLOUT | OS_POLLWRNORM : 0);
}

static const struct os_file_ops event_ops = {
    .name = "[eventfd]", .read = event_read, .write = event_write, .poll = event_poll};

OS_CALL(eventfd2) {
    if (args[1] & ~(uint64_t)(OS_EFD_SEMAPHORE | OS_O_CLOEXEC | OS_O_NONBLOCK))
        return -OS_EINVAL;
    struct os_file *file = os_file_new(task->os, &event_ops, "anon_inode:[eventfd]",
                                       OS_O_RDWR | (args[1] & OS_O_NONBLOCK), 0600);
    if (!file)
        return -OS_ENOMEM;
    file->counter = (uint32_t)args[0];
    file->event_semaphore = (args[1] & OS_EFD_SEMAPHORE) != 0;
    return os_fd_install(task->process, file, (args[1] & OS_O_CLOEXEC) != 0, 0);
}

#define MEMFD_NAME_BYTES 250 /* memfd_create(2): 249 and the final 0 */

OS_CALL(memfd_create) {
    char name[MEMFD_NAME_BYTES], path[MEMFD_NAME_BYTES + 32];
    if (args[1] & ~(uint64_t)(OS_MFD_CLOEXEC | OS_MFD_ALLOW_SEALING))
        return -OS_EINVAL;
    int64_t result = os_strncpy_from_user(task, name, args[0], sizeof name);
    if (result < 0)
        return result == -OS_ENAMETOOLONG ? -OS_EINVAL : result;
    unsigned sealing = args[1] & OS_MFD_ALLOW_SEALING ? MFD_ALLOW_SEALING : 0;
    int host_fd = memfd_create(name, MFD_CLOEXEC | sealing);
    if (host_fd < 0)
        return os_host_error();
    snprintf(path, sizeof path, "/memfd:%s (deleted)", name);
    struct os_file *file;
    result = os_host_file(task->os, host_fd, path, OS_O_RDWR, &file);
    if (result < 0)
        return result;
    return os_fd_install(task->process, file, (args[1] & OS_MFD_CLOEXEC) != 0, 0);
}
