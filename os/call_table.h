/* call_table.h: what is known of each system call before it is made: who answers it, and which of
 * its arguments are buffers, in which direction bytes cross, and how many.
 *
 * The table is data, so that three can read it: syscalls.c (the handlers), call_trace.c (what to
 * print) and call_check.c (what may be copied). A new call is a row in call_table.c.
 */
#ifndef QUIRE_OS_CALL_TABLE_H
#define QUIRE_OS_CALL_TABLE_H

#include "os/kernel.h"

/* What an argument is: how it is printed, and for a buffer what lies in it. */
enum os_argument_kind {
    OS_ARG_NONE, /* the call has no more of them */
    OS_ARG_INT,  /* int, signed */
    OS_ARG_LONG, /* 64 bits, signed */
    OS_ARG_HEX,
    OS_ARG_ADDRESS, /* one that is not followed */
    OS_ARG_MODE,    /* permissions, octal */
    OS_ARG_FD,
    OS_ARG_DIRFD, /* or AT_FDCWD */
    OS_ARG_SIGNAL,
    OS_ARG_WORDS,    /* flags, or one of several names: words says which */
    OS_ARG_SELECTED, /* another argument, a command, says what it is: rows of struct os_selected */
    /* buffers */
    OS_ARG_BYTES,
    OS_ARG_STRING,    /* ended by 0 */
    OS_ARG_STRINGS,   /* pointers to strings, ended by NULL */
    OS_ARG_STRUCT,    /* not taken apart when printed */
    OS_ARG_INTS,      /* 32 bits each */
    OS_ARG_LONGS,     /* 64 bits each */
    OS_ARG_SIGSET,    /* signals, one bit each */
    OS_ARG_VECTORS,   /* struct iovec: `direction` is that of the bytes they name */
    OS_ARG_MESSAGE,   /* struct msghdr: the same */
    OS_ARG_MESSAGES,  /* struct mmsghdr: the same */
    OS_ARG_MASK_PAIR, /* pselect6: a pointer to a set of signals, and its size */
    OS_ARG_CLONE,     /* struct clone_args: three of its fields are pointers */
};

enum os_direction { OS_IN = 1, OS_OUT = 2, OS_INOUT = 3 };

/* How many bytes a buffer has: */
enum os_size_form {
    OS_SIZE_FIXED,  /* unit */
    OS_SIZE_COUNT,  /* head, and unit times the argument `by` */
    OS_SIZE_RESULT, /* what the int says that the argument `by` points to (socklen_t *) */
    OS_SIZE_BITS,   /* the argument `by` is a number of bits, in whole words of 64 */
    OS_SIZE_PAGES,  /* unit for each page of as many bytes as the argument `by` says */
};

struct os_word { /* value is called name where the bits of mask are looked at */
    uint64_t mask, value;
    const char *name;
};

struct os_argument {
    uint8_t kind;      /* enum os_argument_kind */
    uint8_t direction; /* 0: no buffer */
    uint8_t form;      /* enum os_size_form */
    uint8_t by;        /* the argument that form or SELECTED means */
    uint32_t unit, head;
    union {
        const struct os_word *words;
        const struct os_selected *selected;
    };
};

struct os_selected { /* for this command; the last row has an argument of kind NONE */
    uint32_t command;
    struct os_argument argument;
};

#define OS_CALL_ARGS 6
struct os_call_row {
    const char *name; /* NULL: there is no such call */
    int64_t (*handler)(struct os_task *task, const uint64_t args[OS_CALL_ARGS]);
    /* The call also follows addresses that were registered before: a dying task's robust list and
     * clear_child_tid, or the signal frame on the stack. */
    bool follows_registered;
    struct os_argument args[OS_CALL_ARGS];
};
extern const struct os_call_row os_call_rows[OS_SYSCALL_LIMIT];

/* Which row of a selection this command means; NULL: none, the argument is a number. */
const struct os_argument *os_call_selected(const struct os_argument *argument,
                                           const uint64_t args[OS_CALL_ARGS]);
/* Bytes of a buffer, without what it points to in turn. value is what OS_SIZE_RESULT found. */
uint64_t os_call_bytes(const struct os_argument *argument, const uint64_t args[OS_CALL_ARGS],
                       int32_t value);

/* ---- words: call_words.c --------------------------------------------------------------------- */

#define OS_WORDS_OPEN_MODES 3 /* O_RDONLY, _WRONLY, _RDWR come first among those of open */
extern const struct os_word os_words_errno[], os_words_signal[], os_words_open[], os_words_at[],
    os_words_prot[], os_words_map[], os_words_madvise[], os_words_clone[], os_words_wait[],
    os_words_seek[], os_words_clock[], os_words_futex[], os_words_fcntl[], os_words_ioctl[],
    os_words_family[], os_words_socket[], os_words_mask_how[], os_words_rlimit[], os_words_prctl[],
    os_words_epoll[], os_words_ipc[], os_words_access[], os_words_msync[], os_words_mremap[],
    os_words_flock[];

/* ---- following a call: call_trace.c ---------------------------------------------------------- */

/* Before a call's handler runs (also when it is made again), and with what it answered.
 * => os->trace or os->check is set */
void os_watch_begin(struct os_task *task, const struct os_call_row *row,
                    const uint64_t args[OS_CALL_ARGS]);
void os_watch_end(struct os_task *task, const struct os_call_row *row,
                  const uint64_t args[OS_CALL_ARGS], int64_t result);
/* A number that no row has. */
void os_watch_unknown(struct os_task *task, uint64_t number, const uint64_t args[OS_CALL_ARGS]);

/* call_check.c: the buffers of the call at work, and whether a copy stays in them. */
struct os_check;
struct os_check *os_check_create(void);
void os_check_destroy(struct os_check *check);
void os_check_begin(struct os_check *check, struct os_task *task, const struct os_call_row *row,
                    const uint64_t args[OS_CALL_ARGS]);
void os_check_end(struct os_check *check);
/* Ends the run with a message if the copy is not declared. */
void os_check_copy(struct os_task *task, uint64_t va, uint64_t nbytes, enum os_direction direction,
                   bool string);

#endif
