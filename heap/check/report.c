/* report.c: what is said when something is wrong.
 *
 * A report begins with a line "quire-check: PID: what", then says where, of which block, and by
 * whom it was had and freed. All through write(2): the program's stdio may be in any state.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "heap/check/check.h"

bool check_reported;

void check_say(const char *format, ...) {
    char line[1024];
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length > 0) {
        size_t nbytes = (size_t)length < sizeof line ? (size_t)length : sizeof line - 1;
        (void)!write(check_options.log, line, nbytes);
    }
}

void check_say_stack(const char *title, const struct check_stack *stack) {
    if (title != NULL) {
        check_say("  %s:\n", title);
    }
    if (stack == NULL || stack->depth == 0) {
        check_say("    (nobody knows)\n");
        return;
    }
    for (uint32_t i = 0; i < stack->depth; i++) {
        char where[900];
        check_symbol(stack->frames[i], where, sizeof where);
        check_say("    #%-2u %s\n", i, where);
    }
}

void check_say_block(const struct check_record *record) {
    static const char *const kinds[] = {"malloc", "new", "new[]"};

    check_say("  the block: %zu bytes at 0x%zx, by %s\n", record->bytes, (size_t)record->at,
              kinds[record->kind]);
    if (record->is_freed) {
        check_say_stack("freed by", record->freed);
    }
    check_say_stack("allocated by", record->had);
}

void check_begin(const char *what) {
    check_reported = true;
    check_say("quire-check: %d: %s\n", (int)getpid(), what);
}

void check_end(void) {
    if (check_options.abort) {
        abort();
    }
    if (check_options.stop) {
        _exit((int)check_options.exit_code);
    }
}

/* What a pointer points at that is no block. */
static void say_what(uintptr_t address) {
    const struct check_record *around = check_around(address);
    Dl_info info;
    char here;

    if (around != NULL) {
        check_say("  it points %zu bytes %s a block%s\n",
                  (size_t)(address >= around->at ? address - around->at : around->at - address),
                  address >= around->at ? "behind the start of" : "before",
                  around->is_freed ? " that was freed" : "");
        check_say_block(around);
    } else if (address == (uintptr_t)(UINT64_C(0x0101010101010101) * FILL_NEW)) {
        check_say("  it was read from heap memory that nobody had set (uninitialised)\n");
    } else if (address == (uintptr_t)(UINT64_C(0x0101010101010101) * FILL_FREED)) {
        check_say("  it was read from heap memory that was freed\n");
    } else if (address - ((uintptr_t)&here - ((size_t)1 << 16)) < (size_t)8 << 20) {
        check_say("  it points into this thread's stack\n");
    } else if (dladdr((void *)address, &info) != 0 && info.dli_fname != NULL) {
        check_say("  it points into %s%s%s\n", info.dli_fname,
                  info.dli_sname != NULL ? ", at " : "",
                  info.dli_sname != NULL ? info.dli_sname : "");
    } else {
        check_say("  no block of the heap is there, nor was one lately (wild pointer)\n");
    }
}

void check_wrong_pointer(const char *call, uintptr_t address, const struct check_stack *stack) {
    check_begin("freed what is not a block (wrong pointer)");
    check_say("  %s of 0x%zx, here:\n", call, (size_t)address);
    check_say_stack(NULL, stack);
    say_what(address);
    check_end();
}
