/* faults.c: a program that is about to die of SIGSEGV says where, and of which block.
 *
 * With guard pages this is where an access outside of a block or to a freed one is found, at the
 * very instruction. Without them it is where wild pointers end: an address that nobody has mapped,
 * or the pattern of memory that was never set. The signal then does what it would have done. A
 * program that catches it has replaced this handler, and never comes here.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "heap/check/check.h"

#define NEAR       ((uintptr_t)1 << 16)
#define NULL_BELOW ((uintptr_t)1 << 16)

/* A register holds the pattern, give or take an offset: on x86-64 the address itself is not told.
 */
static bool holds_pattern(const ucontext_t *context, unsigned char fill) {
    const uintptr_t pattern = (uintptr_t)(UINT64_C(0x0101010101010101) * fill);
    const unsigned char *bytes = (const unsigned char *)&context->uc_mcontext;

    /* The general registers come first on all machines that we have. */
    for (size_t i = 0; i + sizeof(uintptr_t) <= 32 * sizeof(uintptr_t); i += sizeof(uintptr_t)) {
        uintptr_t word;
        memcpy(&word, bytes + i, sizeof word);
        if (word - (pattern - NEAR) < 2 * NEAR) {
            return true;
        }
    }
    return false;
}

static void say_block(const struct check_record *record, uintptr_t address) {
    if (record->is_freed) {
        check_begin("access to a block that was freed (use after free)");
        check_say("  byte %zu of it, here:\n", (size_t)(address - record->at));
    } else {
        bool behind = address >= record->at;
        check_begin(behind ? "access past the end of a block (overflow)"
                           : "access before the start of a block (underflow)");
        check_say("  %zu bytes %s, here:\n",
                  (size_t)(behind ? address - record->at - record->bytes : record->at - address),
                  behind ? "behind its end" : "before its start");
    }
    check_say_stack(NULL, check_stack_here());
    check_say_block(record);
    check_end();
}

static void say_wild(const ucontext_t *context, uintptr_t address) {
    if (address == 0 || holds_pattern(context, FILL_NEW) || holds_pattern(context, FILL_FREED)) {
        if (holds_pattern(context, FILL_NEW)) {
            check_begin("access by a pointer that was never set (uninitialised)");
        } else if (holds_pattern(context, FILL_FREED)) {
            check_begin("access by a pointer that was read from freed memory");
        } else {
            check_begin("access by a null pointer, or an address that cannot be");
        }
        check_say("  here:\n");
    } else if (address < NULL_BELOW) {
        check_begin("access by a null pointer");
        check_say("  %zu bytes from it, here:\n", (size_t)address);
    } else {
        check_begin("access to what is not there (wild pointer)");
        check_say("  at 0x%zx, here:\n", (size_t)address);
    }
    check_say_stack(NULL, check_stack_here());
}

static void fault(int number, siginfo_t *info, void *context) {
    uintptr_t address = info->si_code > 0 ? (uintptr_t)info->si_addr : 0;

    /* What comes now is the system's default, so that the fault, repeated, ends the program. */
    signal(number, SIG_DFL);
    if (info->si_code <= 0 || !check_enter()) {
        return; /* sent by somebody, or a fault of the checker's own */
    }
    const struct check_record *record = address != 0 ? check_around(address) : NULL;
    if (record != NULL) {
        say_block(record, address);
    } else {
        say_wild(context, address);
    }
    check_leave();
}

void check_watch_faults(void) {
    struct sigaction action, old;

    memset(&action, 0, sizeof action);
    action.sa_sigaction = fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    static const int numbers[] = {SIGSEGV, SIGBUS};
    for (size_t i = 0; i < 2; i++) {
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL) {
            sigaction(numbers[i], &action, NULL);
        }
    }
}
