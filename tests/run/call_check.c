/* call_check.c: the table of calls is consistent, and the check that `quire run --check-calls`
 * makes can fail: each copy that a row does not declare ends a process of its own.
 *
 * A host program on os/; the task in it has no memory, which the check does not need. */
#include "os/call_table.h"
#include "os/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned failures, checks;

static void expect(bool good, const char *what, const char *which) {
    checks++;
    if (!good) {
        printf("FAILED: %s: %s\n", which, what);
        failures++;
    }
}

static bool is_buffer(const struct os_argument *argument) {
    return argument->kind >= OS_ARG_BYTES;
}

static void check_argument(const struct os_call_row *row, const struct os_argument *argument) {
    expect(is_buffer(argument) == (argument->direction != 0), "a buffer has a direction",
           row->name);
    expect(argument->direction <= OS_INOUT, "a direction is in, out or both", row->name);
    if (argument->form != OS_SIZE_FIXED)
        expect(row->args[argument->by].kind != OS_ARG_NONE, "a size names an argument", row->name);
    if (argument->form == OS_SIZE_RESULT)
        expect(row->args[argument->by].direction == OS_INOUT, "a length goes both ways", row->name);
    if (is_buffer(argument) && argument->form == OS_SIZE_FIXED && argument->kind != OS_ARG_STRING &&
        argument->kind != OS_ARG_STRINGS)
        expect(argument->unit > 0, "a structure has bytes", row->name);
}

static void check_row(const struct os_call_row *row) {
    bool ended = false;
    expect(row->handler != NULL, "a call has a handler", row->name);
    for (unsigned i = 0; i < OS_CALL_ARGS; i++) {
        const struct os_argument *argument = &row->args[i];
        ended |= argument->kind == OS_ARG_NONE;
        expect(ended == (argument->kind == OS_ARG_NONE), "arguments leave no gap", row->name);
        if (argument->kind == OS_ARG_SELECTED) {
            expect(row->args[argument->by].kind != OS_ARG_NONE, "a command is there", row->name);
            for (const struct os_selected *one = argument->selected; one->argument.kind; one++)
                check_argument(row, &one->argument);
        } else {
            check_argument(row, argument);
        }
    }
}

/* ---- copies ---------------------------------------------------------------------------------- */

#define VA 0x20000u

static struct os os;
static struct os_process process;
static struct os_task task = {.os = &os, .process = &process};

/* Is this copy, in this call, declared? Asked in a process that may abort. */
static bool copies(unsigned number, const uint64_t args[OS_CALL_ARGS], uint64_t va, uint64_t nbytes,
                   enum os_direction direction, bool string) {
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        if (!freopen("/dev/null", "w", stderr))
            _exit(2);
        os_check_begin(os.check, &task, &os_call_rows[number], args);
        os_check_copy(&task, va, nbytes, direction, string);
        _exit(0);
    }
    waitpid(child, &status, 0);
    return status == 0;
}

static void check_copies(void) {
    static const uint64_t read[] = {3, VA, 100, 0, 0, 0}, open[] = {0, VA, 0, 0, 0, 0},
                          stat[] = {3, VA, 0, 0, 0, 0}, get_lock[] = {3, OS_F_GETLK, VA, 0, 0, 0},
                          set_lock[] = {3, OS_F_SETLK, VA, 0, 0, 0},
                          get_fd[] = {3, OS_F_GETFD, VA, 0, 0, 0},
                          huge[] = {VA, UINT64_MAX, 0, 0, 0, 0};
#define GOOD(number, args, ...) expect(copies(number, args, __VA_ARGS__), "refused", #__VA_ARGS__)
#define BAD(number, args, ...)  expect(!copies(number, args, __VA_ARGS__), "allowed", #__VA_ARGS__)
    GOOD(OS_SYS_read, read, VA, 100, OS_OUT, false);
    GOOD(OS_SYS_read, read, VA + 99, 1, OS_OUT, false);
    GOOD(OS_SYS_read, read, VA + 100, 0, OS_OUT, false);
    BAD(OS_SYS_read, read, VA, 101, OS_OUT, false);
    BAD(OS_SYS_read, read, VA + 100, 1, OS_OUT, false);
    BAD(OS_SYS_read, read, VA - 1, 1, OS_OUT, false);
    BAD(OS_SYS_read, read, VA, 100, OS_IN, false);
    BAD(OS_SYS_read, read, 100, 4, OS_OUT, false); /* the size is no address */
    GOOD(OS_SYS_write, read, VA, 100, OS_IN, false);
    BAD(OS_SYS_write, read, VA, 1, OS_OUT, false);
    GOOD(OS_SYS_openat, open, VA, 0, OS_IN, true);
    BAD(OS_SYS_openat, open, VA + 1, 0, OS_IN, true);
    BAD(OS_SYS_openat, open, VA, 1, OS_IN, false);
    GOOD(OS_SYS_fstat, stat, VA, sizeof(struct os_stat), OS_OUT, false);
    BAD(OS_SYS_fstat, stat, VA, sizeof(struct os_stat) + 1, OS_OUT, false);
    GOOD(OS_SYS_fcntl, get_lock, VA, sizeof(struct os_flock_record), OS_OUT, false);
    BAD(OS_SYS_fcntl, set_lock, VA, sizeof(struct os_flock_record), OS_OUT, false);
    BAD(OS_SYS_fcntl, get_fd, VA, 1, OS_IN, false);
    BAD(OS_SYS_getpid, read, VA, 1, OS_OUT, false);
    GOOD(OS_SYS_getrandom, huge, VA, 1u << 30, OS_OUT, false);
    GOOD(OS_SYS_exit_group, read, VA + 77, 4, OS_OUT, false); /* what was registered */
}

int main(void) {
    unsigned rows = 0;
    os.check = os_check_create();
    if (!os.check)
        return 77;
    for (unsigned i = 0; i < OS_SYSCALL_LIMIT; i++) {
        if (!os_call_rows[i].name)
            continue;
        check_row(&os_call_rows[i]);
        rows++;
    }
    check_copies();
    os_check_destroy(os.check);
    printf("%u calls, %u checks, %u failures\n", rows, checks, failures);
    return failures > 0;
}
