/* check.h: the checking mode's inside: what is remembered of a block, and who does what.
 *
 * Blocks come from a classic heap of the checker's own, with a red zone before and after each. What
 * is known of a block is not in its header but in a table elsewhere, found by its address: nothing
 * that the program overwrites can lead the checker astray, and a pointer that is not in the table
 * is no block. Freed blocks wait in a quarantine, filled with a pattern, before their memory is
 * used again: so a second free finds the first one, and a late write changes the pattern.
 *
 *   heap block ->  | red zone: ZONE | the program's: NEW at first | red zone: ZONE |
 *                                   ^ block
 *   with guard=1   a mapping of its own:  | ZONE ... | block, at the end | a page of no rights |
 *
 * Locks: one mutex around all of it (check_enter). The thread that holds it may come back, from the
 * unwinder or from libdw, with requests of its own: `inside` sends these to a second heap, which is
 * never checked and holds nothing of the program's.
 */
#ifndef HEAP_CHECK_H
#define HEAP_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILL_NEW   0x5c /* memory that was never set */
#define FILL_FREED 0x6b /* memory that was freed: slab poison's byte in Linux */
#define FILL_ZONE  0xbb /* red zones */
#define DEPTH_MAX  64

/* By which function a block was had, and by which it must go. */
enum check_kind { CHECK_MALLOC, CHECK_NEW, CHECK_NEW_ARRAY };

struct check_stack { /* one for each different way to an allocation; never freed */
    struct check_stack *next;
    uint64_t hash;
    uint64_t leaked_bytes, leaked_blocks; /* leaks.c */
    uint32_t depth;
    uintptr_t frames[];
};

enum check_mark { MARK_NONE, MARK_REACHED, MARK_INDIRECT, MARK_DIRECT }; /* leaks.c */

struct check_record {
    uintptr_t at; /* the block; 0: an empty place of the table */
    size_t bytes; /* as asked for */
    uintptr_t base;
    size_t base_bytes; /* what lies around it: a heap block, or a mapping without its guard */
    struct check_stack *had, *freed;
    uintptr_t next_freed; /* in the quarantine */
    uint8_t kind;         /* enum check_kind */
    uint8_t mark;         /* enum check_mark */
    bool guarded, is_freed;
    bool pointed; /* leaks.c: a lost block points at it */
};

struct check_options { /* check_options_read sets them; heap/check/README.md explains */
    bool leaks, guard, fill, stop, mismatch, segv, abort;
    unsigned exit_code, depth;
    size_t redzone, quarantine, every;
    int log;
};
extern struct check_options check_options;
void check_options_read(void);

/* blocks.c: entered by any thread. */
void *check_alloc(enum check_kind kind, size_t align, size_t bytes, bool zero);
void check_free(enum check_kind kind, void *block);
void *check_realloc(void *block, size_t bytes);
size_t check_usable(void *block);

/* blocks.c: with the lock held. Look at all blocks, live and freed; reports what is wrong. */
void check_verify_all(void);
void check_verify_block(const struct check_record *record, const char *when);

/* lock.c */
bool check_enter(void); /* false: this thread is inside already, and nothing was locked */
void check_leave(void);

/* heaps.c: the checker's own memory, the blocks' heap, the heap for requests from inside. */
void *check_own(size_t bytes); /* zeros, whole pages, never given back but by check_disown */
void check_disown(void *memory, size_t bytes);
struct quire_heap *check_heap(void);
void *check_inner_alloc(size_t align, size_t bytes);
bool check_inner_free(void *block); /* false: it is not from there */
size_t check_inner_usable(void *block);

/* The checker's own memory and all that holds blocks, as ranges that are no roots. */
struct check_range {
    uintptr_t from, to;
};
size_t check_own_ranges(struct check_range *ranges, size_t max);

/* records.c */
struct check_record *check_find(uintptr_t at);
struct check_record *check_add(uintptr_t at); /* an empty record; NULL: no memory */
void check_forget(uintptr_t at);
/* The record whose memory, red zones included, has the address; O(records). */
struct check_record *check_around(uintptr_t address);
void check_each(void (*see)(struct check_record *record, void *context), void *context);
size_t check_count(void);

/* stacks.c: of the caller, without this library's own frames. */
struct check_stack *check_stack_here(void);

/* report.c */
__attribute__((format(printf, 1, 2))) void check_say(const char *format, ...);
void check_say_stack(const char *title, const struct check_stack *stack);
void check_say_block(const struct check_record *record);
void check_begin(const char *what); /* the first line of a report */
void check_end(void);               /* stops the process, if that is how it is set */
void check_wrong_pointer(const char *call, uintptr_t address, const struct check_stack *stack);
extern bool check_reported;

/* symbols_dw.c or symbols_none.c: "function at file:line", or what is known. */
void check_symbol(uintptr_t pc, char *text, size_t nbytes);

/* leaks.c, faults.c */
void check_leaks(void);
void check_watch_faults(void);

/* start.c: first call; sets everything up. */
void check_start(void);

#endif
