/* call_trace.c: a line for each system call, as strace prints it: `quire run --trace-calls`.
 *
 * It owns the words that a task has said so far of the call that it is in. What comes in is printed
 * before the handler runs, for the handler may change it (or throw the memory away, as exec does);
 * what goes out, after it. A line is written when the call has ended, so lines of different tasks
 * never mix:
 *
 *      [1] openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3
 *      [1] read(3, "root:x:0:0:root:/root:/bin/"..., 4096) = 839
 *      [1] --- SIGCHLD ---
 *      [1] +++ exited with 0 +++
 *
 * All of it comes from the table: there is no code for a single call. Looking at a buffer brings
 * its pages in, as the program's own access would; a call that fails early never touches some of
 * them, so counts of faults may differ from those of a run without the option.
 *
 * I1  Nothing here changes what a call answers.
 * I2  task->trace is NULL between calls of a task that is not asleep in one.
 *
 * May fail: without memory on the host the arguments of that call are missing in its line. Called
 * by syscalls.c, signal.c and process.c. Audit: tests/run/calls_trace.sh.
 */
#include "os/call_table.h"
#include "os/calls.h"
#include "os/process.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES  232 /* one argument as text */
#define STRING_SHOWN 64  /* bytes of a string or buffer: strace's -s */
#define BYTES_SHOWN  32
#define ITEMS_SHOWN  6 /* of a list */

struct piece {
    char text[PIECE_BYTES];
    size_t used;
};

struct os_trace {
    const struct os_call_row *row;
    struct piece pieces[OS_CALL_ARGS];
};

/* ---- text ------------------------------------------------------------------------------------ */

__attribute__((format(printf, 2, 3))) static void say(struct piece *piece, const char *format,
                                                      ...) {
    size_t room = sizeof piece->text - piece->used;
    va_list list;
    va_start(list, format);
    int printed = vsnprintf(piece->text + piece->used, room, format, list);
    va_end(list);
    if (printed > 0)
        piece->used += (size_t)printed < room ? (size_t)printed : room - 1;
}

static void say_words(struct piece *piece, const struct os_word *word, uint64_t value) {
    uint64_t left = value & UINT32_MAX;
    bool any = false;
    for (; word->name && !(any && word->mask == UINT32_MAX); word++) {
        if ((value & word->mask) != word->value || (word->value && !(left & word->value)))
            continue;
        say(piece, "%s%s", any ? "|" : "", word->name);
        left &= ~word->mask;
        any = true;
    }
    if (left || !any)
        say(piece, any ? "|0x%" PRIx64 : left ? "0x%" PRIx64 : "%" PRIu64, left);
}

static void say_signal(struct piece *piece, int signal) {
    if (signal >= OS_SIGRTMIN && signal <= OS_NSIG)
        say(piece, signal > OS_SIGRTMIN ? "SIGRTMIN+%d" : "SIGRTMIN", signal - OS_SIGRTMIN);
    else
        say_words(piece, os_words_signal, (uint32_t)signal);
}

static void say_quoted(struct piece *piece, const uint8_t *bytes, size_t nbytes, bool more) {
    static const char escaped[] = "\a\b\t\n\v\f\r\"\\", letters[] = "abtnvfr\"\\";
    say(piece, "\"");
    for (size_t i = 0; i < nbytes; i++) {
        const char *at = bytes[i] ? strchr(escaped, bytes[i]) : NULL;
        if (at)
            say(piece, "\\%c", letters[at - escaped]);
        else if (bytes[i] < ' ' || bytes[i] > '~')
            say(piece, "\\%03o", bytes[i]);
        else
            say(piece, "%c", bytes[i]);
    }
    say(piece, more ? "\"..." : "\"");
}

/* ---- the program's memory -------------------------------------------------------------------- */

static bool look(struct os_task *task, void *to, uint64_t va, size_t nbytes) {
    struct quire_space *space = task->process->space;
    return space && va >= OS_USER_LOW && va < OS_USER_HIGH && nbytes <= OS_USER_HIGH - va &&
           quire_copy_in(space, to, quire_va(va), nbytes) == 0;
}

static void say_address(struct piece *piece, uint64_t va) {
    say(piece, va ? "0x%" PRIx64 : "NULL", va);
}

/* A string, of which the first bytes: what lies behind its page is not touched. */
static void say_string(struct piece *piece, struct os_task *task, uint64_t va) {
    uint8_t bytes[STRING_SHOWN + 1];
    size_t length = 0;
    while (length < sizeof bytes && look(task, &bytes[length], va + length, 1) && bytes[length])
        length++;
    if (length < sizeof bytes && !look(task, bytes + length, va + length, 1)) {
        say_address(piece, va);
        return;
    }
    bool more = length == sizeof bytes;
    say_quoted(piece, bytes, more ? STRING_SHOWN : length, more);
}

static void say_bytes(struct piece *piece, struct os_task *task, uint64_t va, uint64_t nbytes) {
    uint8_t bytes[BYTES_SHOWN];
    size_t shown = nbytes < sizeof bytes ? (size_t)nbytes : sizeof bytes;
    if (va == 0 || (shown && !look(task, bytes, va, shown)))
        say_address(piece, va);
    else
        say_quoted(piece, bytes, shown, shown < nbytes);
}

/* argv; brief: only how many, as for the environment. */
static void say_strings(struct piece *piece, struct os_task *task, uint64_t va, bool brief) {
    uint64_t pointer;
    unsigned i = 0;
    if (!brief)
        say(piece, "[");
    for (; look(task, &pointer, va + i * sizeof pointer, sizeof pointer) && pointer; i++) {
        if (!brief && i <= ITEMS_SHOWN)
            say(piece, i ? ", " : "");
        if (!brief && i < ITEMS_SHOWN)
            say_string(piece, task, pointer);
    }
    if (brief)
        say(piece, "/* %u vars */", i);
    else
        say(piece, i > ITEMS_SHOWN ? "...]" : "]");
}

/* Numbers of 4 or 8 bytes; times are two or four of these. */
static void say_numbers(struct piece *piece, struct os_task *task, uint64_t va, uint64_t nbytes,
                        size_t width) {
    uint8_t bytes[ITEMS_SHOWN * sizeof(int64_t)];
    uint64_t count = nbytes / width, shown = count < ITEMS_SHOWN ? count : ITEMS_SHOWN;
    if (va == 0 || !look(task, bytes, va, (size_t)shown * width)) {
        say_address(piece, va);
        return;
    }
    say(piece, "[");
    for (uint64_t i = 0; i < shown; i++) {
        int64_t wide = 0;
        int32_t narrow = 0;
        memcpy(width == sizeof wide ? (void *)&wide : &narrow, bytes + i * width, width);
        say(piece, "%s%" PRId64, i ? ", " : "", width == sizeof wide ? wide : narrow);
    }
    say(piece, shown < count ? ", ...]" : "]");
}

static void say_sigset(struct piece *piece, struct os_task *task, uint64_t va) {
    uint64_t set;
    const char *before = "";
    if (va == 0 || !look(task, &set, va, sizeof set)) {
        say_address(piece, va);
        return;
    }
    bool most = __builtin_popcountll(set) > OS_NSIG / 2; /* ~[] : all but these */
    if (most)
        set = ~set;
    say(piece, most ? "~[" : "[");
    for (int signal = 1; signal <= OS_NSIG; signal++) {
        if (!(set & os_signal_bit(signal)))
            continue;
        say(piece, "%s", before);
        say_signal(piece, signal);
        before = " ";
    }
    say(piece, "]");
}

/* Buffers of the program, gathered: the bytes of the first, and how many there are. */
static void say_vectors(struct piece *piece, struct os_task *task, uint64_t va, uint64_t count,
                        uint64_t limit) {
    struct os_iovec vector;
    say(piece, "[");
    for (uint64_t i = 0; i < count && look(task, &vector, va + i * sizeof vector, sizeof vector);
         i++) {
        if (i == ITEMS_SHOWN) {
            say(piece, ", ...");
            break;
        }
        uint64_t length = vector.length < limit ? vector.length : limit;
        limit -= length;
        say(piece, i ? ", {" : "{");
        say_bytes(piece, task, vector.base, length);
        say(piece, ", %" PRIu64 "}", vector.length);
    }
    say(piece, "]");
}

/* ---- arguments ------------------------------------------------------------------------------- */

static void say_buffer(struct piece *piece, struct os_task *task,
                       const struct os_argument *argument, const uint64_t args[OS_CALL_ARGS],
                       unsigned at, uint64_t limit) {
    uint64_t va = args[at], bytes = os_call_bytes(argument, args, 0);
    switch (argument->kind) {
    case OS_ARG_BYTES:
        say_bytes(piece, task, va, bytes < limit ? bytes : limit);
        break;
    case OS_ARG_STRING:
        say_string(piece, task, va);
        break;
    case OS_ARG_STRINGS:
        say_strings(piece, task, va, at == 2);
        break;
    case OS_ARG_INTS:
        say_numbers(piece, task, va, bytes, sizeof(int32_t));
        break;
    case OS_ARG_LONGS:
        say_numbers(piece, task, va, bytes, sizeof(int64_t));
        break;
    case OS_ARG_SIGSET:
        say_sigset(piece, task, va);
        break;
    case OS_ARG_VECTORS:
        say_vectors(piece, task, va, args[argument->by], limit);
        break;
    default:
        say_address(piece, va);
        break;
    }
}

static void say_value(struct piece *piece, const struct os_argument *argument, uint64_t value) {
    switch (argument->kind) {
    case OS_ARG_INT:
    case OS_ARG_FD:
        say(piece, "%d", (int)value);
        break;
    case OS_ARG_LONG:
        say(piece, "%" PRId64, (int64_t)value);
        break;
    case OS_ARG_MODE:
        say(piece, value & UINT32_MAX ? "0%o" : "%o", (unsigned)value);
        break;
    case OS_ARG_DIRFD:
        say(piece, (int)value == OS_AT_FDCWD ? "AT_FDCWD" : "%d", (int)value);
        break;
    case OS_ARG_SIGNAL:
        say_signal(piece, (int)value);
        break;
    case OS_ARG_WORDS:
        say_words(piece, argument->words, value);
        break;
    case OS_ARG_ADDRESS:
        say_address(piece, value);
        break;
    default:
        say(piece, value ? "0x%" PRIx64 : "%" PRIx64, value);
        break;
    }
}

/* openat's permissions are only there when it may make a file. */
static bool is_absent(const struct os_call_row *row, unsigned at,
                      const uint64_t args[OS_CALL_ARGS]) {
    return row->args[at].kind == OS_ARG_MODE && at > 0 && row->args[at - 1].kind == OS_ARG_WORDS &&
           row->args[at - 1].words == os_words_open && (args[at - 1] & OS_O_CREAT) == 0 &&
           (args[at - 1] & OS_O_TMPFILE) != OS_O_TMPFILE;
}

/* The arguments that can be told now: outputs (after: the handler has run), or all others. */
static void say_arguments(struct os_task *task, const struct os_call_row *row,
                          const uint64_t args[OS_CALL_ARGS], bool after, int64_t result) {
    for (unsigned i = 0; i < OS_CALL_ARGS && row->args[i].kind; i++) {
        const struct os_argument *argument = &row->args[i];
        if (argument->kind == OS_ARG_SELECTED)
            argument = os_call_selected(argument, args);
        bool out = argument && argument->direction == OS_OUT;
        struct piece *piece = &task->trace->pieces[i];
        if (out != after || is_absent(row, i, args))
            continue;
        if (!argument || !argument->direction)
            say_value(piece, argument ? argument : &(struct os_argument){.kind = OS_ARG_HEX},
                      args[i]);
        else if (out && result < 0)
            say_address(piece, args[i]); /* nothing came */
        else
            say_buffer(piece, task, argument, args, i, out ? (uint64_t)result : UINT64_MAX);
    }
}

/* ---- lines ----------------------------------------------------------------------------------- */

static void finish_line(struct os_task *task, const char *result) {
    struct os_trace *trace = task->trace;
    char line[OS_CALL_ARGS * (PIECE_BYTES + 2) + 1] = "";
    size_t used = 0;
    for (unsigned i = 0; i < OS_CALL_ARGS && trace->row->args[i].kind; i++)
        if (trace->pieces[i].used)
            used += (size_t)snprintf(line + used, sizeof line - used, "%s%s", i ? ", " : "",
                                     trace->pieces[i].text);
    fprintf(task->os->config.trace, "[%d] %s(%s) = %s\n", task->tid, trace->row->name, line,
            result);
    free(trace);
    task->trace = NULL;
}

/* Calls whose first argument is an address (mmap, brk), and shmat, answer with one. */
static bool is_address(const struct os_call_row *row, int64_t result) {
    return result < 0 || result > INT32_MAX ||
           (result >= (int64_t)OS_USER_LOW && row->args[0].kind == OS_ARG_ADDRESS);
}

static void say_result(struct piece *piece, const struct os_task *task, int64_t result) {
    if (result == OS_NO_RETURN) {
        say(piece, task->trace->row->handler == os_sys_execve ? "0" : "?");
    } else if (result == -OS_EINTR && os_call_restartable(task)) {
        say(piece, "? ERESTARTSYS (made again if the handler has SA_RESTART)");
    } else if (result < 0 && result >= -OS_ERRNO_MAX) {
        say(piece, "-1 ");
        say_words(piece, os_words_errno, (uint64_t)-result);
    } else if (is_address(task->trace->row, result)) {
        say(piece, "0x%" PRIx64, (uint64_t)result);
    } else {
        say(piece, "%" PRId64, result);
    }
}

void os_watch_begin(struct os_task *task, const struct os_call_row *row,
                    const uint64_t args[OS_CALL_ARGS]) {
    if (task->os->check)
        os_check_begin(task->os->check, task, row, args);
    if (!task->os->config.trace || task->trace)
        return; /* it is made again: its line has begun */
    task->trace = calloc(1, sizeof *task->trace);
    if (!task->trace)
        return;
    task->trace->row = row;
    say_arguments(task, row, args, false, 0);
}

void os_watch_end(struct os_task *task, const struct os_call_row *row,
                  const uint64_t args[OS_CALL_ARGS], int64_t result) {
    struct piece piece = {.used = 0};
    if (task->os->check)
        os_check_end(task->os->check);
    if (!task->trace || result == OS_WAIT)
        return;
    bool replaced = result == OS_NO_RETURN; /* by a new program, or by the frame of a handler */
    say_arguments(task, row, args, true, replaced ? -1 : result);
    say_result(&piece, task, result);
    finish_line(task, piece.text);
}

void os_watch_unknown(struct os_task *task, uint64_t number, const uint64_t args[OS_CALL_ARGS]) {
    if (task->os->config.trace)
        fprintf(task->os->config.trace,
                "[%d] syscall_%" PRIu64 "(0x%" PRIx64 ", 0x%" PRIx64 ", 0x%" PRIx64 ", 0x%" PRIx64
                ", 0x%" PRIx64 ", 0x%" PRIx64 ") = -1 ENOSYS\n",
                task->tid, number, args[0], args[1], args[2], args[3], args[4], args[5]);
}

void os_watch_task_ends(struct os_task *task) {
    if (task->trace)
        finish_line(task, "?");
}

void os_watch_signal(struct os_task *task, int signal) {
    struct piece piece = {.used = 0};
    if (!task->os->config.trace)
        return;
    say_signal(&piece, signal);
    fprintf(task->os->config.trace, "[%d] --- %s ---\n", task->tid, piece.text);
}

void os_watch_exit(struct os_process *process, int status) {
    struct piece piece = {.used = 0};
    if (!process->os->config.trace)
        return;
    if (status & 0x7f)
        say_signal(&piece, status & 0x7f);
    else
        say(&piece, "%d", status >> 8 & 0xff);
    fprintf(process->os->config.trace, "[%d] +++ %s %s +++\n", process->pid,
            status & 0x7f ? "killed by" : "exited with", piece.text);
}
