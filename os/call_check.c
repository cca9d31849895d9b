/* call_check.c: does a call copy only what the table declares? For tests: `quire run
 * --check-calls`.
 *
 * It owns the list of buffers of the call at work, made from the table before the handler runs:
 *
 *      row, arguments ─▶ ranges [va, va + bytes) × direction ◀── asked by each copy of user.c
 *      struct iovec, msghdr, clone_args, argv: read here as well, for what they point to
 *
 * A copy that lies in no range ends the run: the table is wrong, or the handler is. Signal frames
 * and what a dying task leaves behind are copied outside of calls, or by calls whose row says so.
 * To read what a structure points to brings its pages in, which a run without the option does later
 * or not at all: counts of faults differ, results do not.
 *
 * I1  Ranges are those of the arguments as they were before the handler: what it writes over its
 *     own arguments changes nothing.
 * I2  Outside of a handler there is no check.
 *
 * May fail: no memory on the host ends the run, with a line that says so. Called by call_trace.c
 * (begin, end) and user.c. Audit: tests/run/calls_table.sh makes a copy that no row declares.
 */
#include "os/call_table.h"
#include "os/process.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STRINGS_MAX 65536 /* of argv: more are not looked at, their copies would be refused */

struct range {
    uint64_t va, bytes;
    enum os_direction direction;
    bool string; /* bytes does not say where it ends */
};

struct os_check {
    struct range *ranges;
    size_t count, capacity;
    const struct os_call_row *row; /* NULL: no handler is at work (I2) */
};

struct os_check *os_check_create(void) {
    return calloc(1, sizeof(struct os_check));
}

void os_check_destroy(struct os_check *check) {
    if (check)
        free(check->ranges);
    free(check);
}

static void add(struct os_check *check, uint64_t va, uint64_t bytes, unsigned direction,
                bool string) {
    if (check->count == check->capacity) {
        size_t capacity = check->capacity ? 2 * check->capacity : 64;
        struct range *ranges = realloc(check->ranges, capacity * sizeof *ranges);
        if (!ranges) {
            fprintf(stderr, "quire: --check-calls: the host has no memory\n");
            abort();
        }
        check->ranges = ranges;
        check->capacity = capacity;
    }
    check->ranges[check->count++] = (struct range){va, bytes, (enum os_direction)direction, string};
}

static bool look(struct os_task *task, void *to, uint64_t va, size_t nbytes) {
    struct quire_space *space = task->process->space;
    return space && va < OS_USER_HIGH && nbytes <= OS_USER_HIGH - va &&
           quire_copy_in(space, to, quire_va(va), nbytes) == 0;
}

/* ---- structures that point to others --------------------------------------------------------- */

static void add_vectors(struct os_check *check, struct os_task *task, uint64_t va, uint64_t count,
                        unsigned direction) {
    struct os_iovec vector;
    if (count > OS_IOV_MAX)
        return;
    add(check, va, count * sizeof vector, OS_IN, false);
    for (uint64_t i = 0; i < count && look(task, &vector, va + i * sizeof vector, sizeof vector);
         i++)
        add(check, vector.base, vector.length, direction, false);
}

static void add_message(struct os_check *check, struct os_task *task, uint64_t va,
                        unsigned direction) {
    struct { /* struct msghdr */
        uint64_t name;
        uint32_t name_bytes, pad0;
        uint64_t vectors, nvectors, control, control_bytes;
        uint32_t flags, pad1;
    } header;
    add(check, va, sizeof header, OS_IN | direction, false);
    if (!look(task, &header, va, sizeof header))
        return;
    add(check, header.name, header.name_bytes, direction, false);
    add(check, header.control, header.control_bytes, direction, false);
    add_vectors(check, task, header.vectors, header.nvectors, direction);
}

/* Each is a header and the number of its bytes, told in both directions. */
#define MESSAGE_BYTES  56
#define MESSAGE_RECORD 64
static void add_messages(struct os_check *check, struct os_task *task, uint64_t va, uint64_t count,
                         unsigned direction) {
    count &= UINT32_MAX;
    for (uint64_t i = 0; i < count && i < OS_IOV_MAX; i++) {
        add_message(check, task, va + i * MESSAGE_RECORD, direction);
        add(check, va + i * MESSAGE_RECORD + MESSAGE_BYTES, sizeof(uint32_t), OS_OUT, false);
    }
}

static void add_strings(struct os_check *check, struct os_task *task, uint64_t va) {
    uint64_t pointer;
    for (uint64_t i = 0; i < STRINGS_MAX && va; i++) {
        add(check, va + i * sizeof pointer, sizeof pointer, OS_IN, false);
        if (!look(task, &pointer, va + i * sizeof pointer, sizeof pointer) || pointer == 0)
            return;
        add(check, pointer, 0, OS_IN, true);
    }
}

static void add_mask_pair(struct os_check *check, struct os_task *task, uint64_t va) {
    uint64_t pair[2];
    add(check, va, sizeof pair, OS_IN, false);
    if (va && look(task, pair, va, sizeof pair))
        add(check, pair[0], pair[1], OS_IN, false);
}

static void add_clone(struct os_check *check, struct os_task *task, uint64_t va, uint64_t bytes) {
    uint64_t fields[4]; /* flags, pidfd, child_tid, parent_tid */
    add(check, va, bytes, OS_IN, false);
    if (!look(task, fields, va, sizeof fields))
        return;
    for (unsigned i = 1; i < 4; i++)
        add(check, fields[i], sizeof(uint32_t), OS_OUT, false);
}

/* ---- a call ---------------------------------------------------------------------------------- */

static void add_argument(struct os_check *check, struct os_task *task,
                         const struct os_argument *argument, const uint64_t args[OS_CALL_ARGS],
                         unsigned at) {
    uint64_t va = args[at], count = args[argument->by];
    int32_t value = 0;
    switch (argument->kind) {
    case OS_ARG_STRING:
        add(check, va, 0, OS_IN, true);
        break;
    case OS_ARG_STRINGS:
        add_strings(check, task, va);
        break;
    case OS_ARG_VECTORS:
        add_vectors(check, task, va, count, argument->direction);
        break;
    case OS_ARG_MESSAGE:
        add_message(check, task, va, argument->direction);
        break;
    case OS_ARG_MESSAGES:
        add_messages(check, task, va, count, argument->direction);
        break;
    case OS_ARG_MASK_PAIR:
        add_mask_pair(check, task, va);
        break;
    case OS_ARG_CLONE:
        add_clone(check, task, va, count);
        break;
    default:
        if (argument->form == OS_SIZE_RESULT && !look(task, &value, count, sizeof value))
            value = 0;
        add(check, va, os_call_bytes(argument, args, value), argument->direction, false);
        break;
    }
}

void os_check_begin(struct os_check *check, struct os_task *task, const struct os_call_row *row,
                    const uint64_t args[OS_CALL_ARGS]) {
    check->count = 0;
    check->row = NULL;
    for (unsigned i = 0; i < OS_CALL_ARGS; i++) {
        const struct os_argument *argument = &row->args[i];
        if (argument->kind == OS_ARG_SELECTED)
            argument = os_call_selected(argument, args);
        if (argument && argument->direction)
            add_argument(check, task, argument, args, i);
    }
    check->row = row;
}

void os_check_end(struct os_check *check) {
    check->row = NULL;
}

static bool declared(const struct os_check *check, uint64_t va, uint64_t nbytes,
                     enum os_direction direction, bool string) {
    for (size_t i = 0; i < check->count; i++) {
        const struct range *range = &check->ranges[i];
        if (!(range->direction & direction) || range->string != string)
            continue;
        if (string ? va == range->va
                   : va >= range->va && va - range->va <= range->bytes &&
                         nbytes <= range->bytes - (va - range->va))
            return true;
    }
    return false;
}

void os_check_copy(struct os_task *task, uint64_t va, uint64_t nbytes, enum os_direction direction,
                   bool string) {
    struct os_check *check = task->os->check;
    if (!check->row || check->row->follows_registered ||
        declared(check, va, nbytes, direction, string))
        return;
    fprintf(stderr,
            "quire: --check-calls: %s copies %" PRIu64 " bytes %s 0x%" PRIx64
            "%s, which its row in os/call_table.c does not declare; declared are:\n",
            check->row->name, nbytes, direction == OS_IN ? "from" : "to", va,
            string ? " (a string)" : "");
    for (size_t i = 0; i < check->count; i++)
        fprintf(stderr, "  0x%" PRIx64 ", %" PRIu64 " bytes%s%s%s\n", check->ranges[i].va,
                check->ranges[i].bytes, check->ranges[i].direction & OS_IN ? ", in" : "",
                check->ranges[i].direction & OS_OUT ? ", out" : "",
                check->ranges[i].string ? ", a string" : "");
    abort();
}
