/* user.c: bytes between kernel memory and a program's. It owns nothing.
 *
 * A pointer from a program is a number and no more. These three are the only way in which the calls
 * of os/ follow one: they check the range, let the memory manager fault pages in as the program's
 * own access would, and say -EFAULT when one byte is missing. The rejected way is to hand out host
 * addresses into simulated memory: they would be wrong after the next eviction.
 *
 *      program's va ──check range──▶ quire_copy_in / quire_copy_out ──▶ all bytes or -EFAULT
 *
 * I1  A copy is asked for only inside [OS_USER_LOW, OS_USER_HIGH).
 * I2  A process without a space (a zombie, or killed for want of memory) has no byte to give.
 *
 * Callers: every system call. Audit: nothing is kept here.
 */
#include "os/call_table.h"
#include "os/process.h"

#include <string.h>

/* The space to copy from or to, NULL if the range cannot be a program's (I1, I2). */
static struct quire_space *space_for(struct os_task *task, uint64_t va, size_t nbytes) {
    if (va < OS_USER_LOW || va >= OS_USER_HIGH || nbytes > OS_USER_HIGH - va)
        return NULL;
    return task->process->space;
}

/* A copy was done. */
static inline void tell(struct os_task *task, uint64_t va, size_t nbytes) {
    const struct os_watch *watch = &task->os->watch;
    if (watch->copied)
        watch->copied(watch->context, task->process->space, va, nbytes);
}

int64_t os_copy_from_user(struct os_task *task, void *to, uint64_t from_va, size_t nbytes) {
    if (nbytes == 0)
        return 0;
    struct quire_space *space = space_for(task, from_va, nbytes);
    if (task->os->check)
        os_check_copy(task, from_va, nbytes, OS_IN, false);
    if (!space || quire_copy_in(space, to, quire_va(from_va), nbytes) != 0)
        return -OS_EFAULT;
    tell(task, from_va, nbytes);
    return 0;
}

int64_t os_copy_to_user(struct os_task *task, uint64_t to_va, const void *from, size_t nbytes) {
    if (nbytes == 0)
        return 0;
    struct quire_space *space = space_for(task, to_va, nbytes);
    if (task->os->check)
        os_check_copy(task, to_va, nbytes, OS_OUT, false);
    if (!space || quire_copy_out(space, quire_va(to_va), from, nbytes) != 0)
        return -OS_EFAULT;
    tell(task, to_va, nbytes);
    return 0;
}

/* Copied in pieces that end at page boundaries: a string may end just before an unmapped page. */
int64_t os_strncpy_from_user(struct os_task *task, char *to, uint64_t from_va, size_t capacity) {
    struct quire_space *space = space_for(task, from_va, 1);
    size_t done = 0;
    if (task->os->check)
        os_check_copy(task, from_va, 0, OS_IN, true);
    while (space && done < capacity) {
        uint64_t va = from_va + done;
        size_t piece = QUIRE_PAGE_SIZE - (va & QUIRE_PAGE_MASK);
        if (piece > capacity - done)
            piece = capacity - done;
        /* Short strings are the rule: look at few bytes first. */
        if (piece > 64 && done == 0)
            piece = 64;
        if (va >= OS_USER_HIGH || quire_copy_in(space, to + done, quire_va(va), piece) != 0)
            return -OS_EFAULT;
        tell(task, va, piece);
        const char *end = memchr(to + done, 0, piece);
        if (end)
            return end - to;
        done += piece;
    }
    return space ? -OS_ENAMETOOLONG : -OS_EFAULT;
}
